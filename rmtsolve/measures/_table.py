"""Reading atoms and weights from a file; every complaint names the file and the line."""

from __future__ import annotations

import math
import os
import pathlib
import re
from typing import TYPE_CHECKING, NoReturn

import numpy as np
from numpy.typing import NDArray

from .._validate import MAX_BYTES
from ..errors import DomainError, ModelError

if TYPE_CHECKING:
    from .discrete import Discrete

_SEPARATOR = re.compile(r"\s*[,;\t]\s*|\s+")
_WEIGHT_NAMES = {"weight", "weights"}


def read_atoms(kind: type[Discrete], path: str | os.PathLike[str]) -> Discrete:
    """The `Discrete` law that the file describes."""
    if not isinstance(path, (str, os.PathLike)):
        raise DomainError(f"path must be a file name, got {path!r}")
    name = pathlib.Path(path)
    try:
        size = name.stat().st_size
        if name.is_dir():
            _complain(name, "is a folder, not a file")
        if size > MAX_BYTES // 4:
            _complain(name, f"is too large ({size / 2**30:.1f} GiB) for a list of atoms")
        table = _read_npy(name) if name.suffix == ".npy" else _read_text(name)
    except (OSError, ValueError) as error:
        if isinstance(error, ModelError):
            raise
        _complain(name, f"cannot be read: {getattr(error, 'strerror', None) or error}")
    try:
        return kind(table[:, 0], table[:, 1] if table.shape[1] == 2 else None)
    except DomainError as error:
        _complain(name, str(error))


def _read_npy(name: pathlib.Path) -> NDArray[np.float64]:
    try:
        # mapped, not loaded: a header that promises more than the file holds is noticed before memory is taken
        array = np.lib.format.open_memmap(name, mode="r")
    except (ValueError, EOFError):  # pickled objects are refused here too
        _complain(name, "is not a plain .npy array of numbers")
    if array.dtype.kind not in "iuf":
        _complain(name, f"must hold real numbers, got an array of type {array.dtype}")
    if array.ndim not in (1, 2) or (array.ndim == 2 and array.shape[1] not in (1, 2)):
        _complain(name, f"must hold an array of shape (n,) or (n, 2), got {array.shape}")
    if array.size == 0:
        _complain(name, "holds no numbers")
    table = array.reshape(len(array), -1).astype(np.float64)
    if not np.isfinite(table).all():
        row = int(np.nonzero(~np.isfinite(table).all(axis=1))[0][0])
        _complain(name, f"entry {row}: numbers must be finite, got {table[row].tolist()}")
    return np.asarray(table)


def _read_text(name: pathlib.Path) -> NDArray[np.float64]:
    try:
        lines = name.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        _complain(name, "is not a text file; one number a line is expected, or NumPy's .npy format")
    rows: list[list[float]] = []
    columns = 0
    weights_first = False
    header_allowed = True
    for number, line in enumerate(lines, start=1):
        content = line.split("#", 1)[0].strip()
        if not content:
            continue
        fields = [field.strip("\"'") for field in _SEPARATOR.split(content)]
        if header_allowed and all(_is_name(field) for field in fields):
            header_allowed = False
            columns = len(fields)
            names = [field.lower() for field in fields]
            weights_first = columns == 2 and names[0] in _WEIGHT_NAMES
            if columns == 1 and names[0] in _WEIGHT_NAMES:
                _complain(name, f"line {number}: a column of atoms is missing, got only {fields[0]!r}")
        else:
            header_allowed = False
            rows.append([_number(name, number, field) for field in fields])
        columns = columns or len(fields)
        if columns > 2:
            _complain(name, f"line {number}: one atom, or an atom and its weight, are expected; got {columns} columns")
        if len(fields) != columns:
            _complain(name, f"line {number}: expected {columns} column{'s' * (columns > 1)}, got {len(fields)}")
    if not rows:
        _complain(name, "holds no numbers")
    table = np.array(rows)
    return np.asarray(table[:, ::-1] if weights_first else table)


def _number(name: pathlib.Path, line: int, field: str) -> float:
    if not _is_number(field):
        _complain(name, f"line {line}: expected a number, got {field!r}")
    value = float(field)
    if not math.isfinite(value):
        _complain(name, f"line {line}: numbers must be finite, got {field!r}")
    return value


def _is_name(field: str) -> bool:
    """A column name: it starts with a letter (so a mistyped number is not one) and is no number (nan, inf)."""
    return field[:1].isalpha() and not _is_number(field)


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return "_" not in field  # Python allows 1_000, tables do not


def _complain(name: pathlib.Path, what: str) -> NoReturn:
    raise ModelError(f"{name}: {what}")
