"""The file of a study: replicas that are finished, and at the end the result, written so that nothing is ever lost."""

from __future__ import annotations

import hashlib
import json
import math
import os
import pathlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import __version__, _validate
from .errors import ModelError

Real = NDArray[np.float64]

SAVE_EVERY = 5.0  # seconds between two writes of an unfinished study


def fingerprint(*decisive: Any) -> str:
    """Digest of all that decides the numbers of a replica; this version of rmtsolve is part of it."""
    return hashlib.sha256(json.dumps([__version__, *decisive], sort_keys=True).encode()).hexdigest()


def saved_replicas(path: pathlib.Path | None, digest: str, shape: tuple[int, ...]) -> list[Real]:
    """Replicas with the same fingerprint that an earlier run left in the file; none without a file."""
    if path is None:
        return []
    if not path.parent.is_dir():
        raise ModelError(f"{path.parent}: no such folder")
    if not path.exists():
        return []
    try:
        data = json.loads(path.read_bytes())
        if data["fingerprint"] != digest and isinstance(data["replicas"], list):
            return []  # another model, which this run replaces
        found = [_validate.real_array(one, "replicas") for one in data["replicas"]]
        if any(one.shape != shape for one in found):
            raise ValueError
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise ModelError(f"{path}: exists but is not the file of a study; move it away or write elsewhere") from None
    return found


def save(path: pathlib.Path | None, digest: str, finished: list[Real], content: dict[str, Any], complete: bool) -> None:
    """Write the file in one move, so that an interruption leaves the old or the new one, never half of one."""
    if path is None:
        return
    data = {"rmtsolve": __version__, "fingerprint": digest, "complete": complete, **content}
    data["replicas"] = [one.tolist() for one in finished]
    part = path.with_suffix(".json.part")
    try:
        part.write_text(json.dumps(data, allow_nan=False) + "\n", encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        raise ModelError(f"{path}: cannot be written: {error.strerror}") from error


def plain(value: Any) -> Any:
    """The same in types that JSON has; numbers that are not finite become null."""
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
