"""The one place that checks arguments: each function returns the clean value or raises `DomainError`.

Every message has the shape ``name must be RULE, got VALUE; REMEDY``.
"""

from __future__ import annotations

import difflib
import math
import numbers
import operator
from collections.abc import Iterable
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from .errors import DomainError

MAX_BYTES = 8 * 2**30  # a single array larger than this is refused before it is allocated


def fail(name: str, rule: str, value: object, remedy: str = "") -> NoReturn:
    """Raise the `DomainError` for argument `name`."""
    shown = repr(value)
    if len(shown) > 80:
        shown = shown[:77] + "..."
    raise DomainError(f"{name} must be {rule}, got {shown}" + (f"; {remedy}" if remedy else ""))


def real(
    value: Any,
    name: str,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    open_low: bool = False,
    open_high: bool = False,
    remedy: str = "",
) -> float:
    """A finite real scalar in [low, high] (an end is excluded when its `open_` flag is set)."""
    rule = _interval_rule("a finite real number", low, high, open_low, open_high)
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        fail(name, rule, value, remedy)
    try:
        number = float(value)
    except (OverflowError, ValueError):
        fail(name, rule, value, remedy)
    inside = (number > low if open_low else number >= low) and (number < high if open_high else number <= high)
    if not math.isfinite(number) or not inside:
        fail(name, rule, value, remedy)
    return number


def positive(value: Any, name: str, remedy: str = "") -> float:
    """A finite real scalar > 0."""
    return real(value, name, low=0.0, open_low=True, remedy=remedy)


def integer(value: Any, name: str, *, low: int | None = None, high: int | None = None, remedy: str = "") -> int:
    """An integer in [low, high]; booleans and floats are refused."""
    rule = "an integer" if low is None else f"an integer >= {low}"
    if high is not None:
        rule += f" and <= {high}" if low is not None else f" <= {high}"
    if isinstance(value, (bool, np.bool_)):
        fail(name, rule, value, remedy)
    try:
        number = operator.index(value)
    except TypeError:
        fail(name, rule, value, remedy)
    if (low is not None and number < low) or (high is not None and number > high):
        fail(name, rule, value, remedy)
    return number


def real_array(
    value: Any,
    name: str,
    *,
    ndim: int | None = None,
    low: float = -math.inf,
    high: float = math.inf,
    open_low: bool = False,
    open_high: bool = False,
    allow_empty: bool = False,
    remedy: str = "",
) -> NDArray[np.float64]:
    """A finite float64 array, every entry in [low, high]; a copy, so that the caller's array stays its own."""
    rule = _interval_rule("finite and real", low, high, open_low, open_high)
    array = _numeric(value, name, rule, remedy)
    if np.iscomplexobj(array):
        fail(name, "real, not complex", value, remedy)
    array = np.array(array, dtype=np.float64)
    _check_shape(array, name, ndim, allow_empty, value, remedy)
    inside = (array > low if open_low else array >= low) & (array < high if open_high else array <= high)
    good = np.isfinite(array) & inside
    if not good.all():
        fail(name, rule, float(array[~good].flat[0]), remedy)
    return array


def complex_array(
    value: Any, name: str, *, ndim: int | None = None, allow_empty: bool = False, remedy: str = ""
) -> NDArray[np.complex128]:
    """A finite complex128 array (a copy)."""
    array = _numeric(value, name, "finite numbers", remedy).astype(np.complex128)
    _check_shape(array, name, ndim, allow_empty, value, remedy)
    if not np.isfinite(array).all():
        fail(name, "finite", complex(array[~np.isfinite(array)].flat[0]), remedy)
    return array


def probabilities(value: Any, name: str, size: int) -> NDArray[np.float64]:
    """Non-negative weights of the given size that sum to one (to 1e-9; they are then normalised exactly)."""
    array = real_array(value, name, ndim=1, low=0.0)
    if array.size != size:
        fail(name, f"of length {size}", array.size)
    total = math.fsum(array)
    if abs(total - 1.0) > 1e-9:
        fail(name, "weights that sum to one", total, f"divide them by their sum, {total:.12g}")
    return array / total


def generator(value: Any, name: str = "rng") -> np.random.Generator:
    """A `numpy.random.Generator`; seeds and legacy random states are refused."""
    if not isinstance(value, np.random.Generator):
        fail(name, "a numpy.random.Generator", value, "write rng=np.random.default_rng(seed)")
    return value


def choice(value: Any, name: str, allowed: Iterable[str]) -> str:
    """One of the allowed strings; the message names the nearest one."""
    options = list(allowed)
    if not isinstance(value, str) or value not in options:
        near = difflib.get_close_matches(value, options, n=1) if isinstance(value, str) else []
        fail(name, f"one of {', '.join(options)}", value, f"did you mean {near[0]!r}?" if near else "")
    return value


def memory(n_bytes: float, name: str, value: object) -> None:
    """Refuse a request whose arrays would not fit in memory."""
    if n_bytes > MAX_BYTES:
        fail(name, f"small enough for its arrays to fit in {MAX_BYTES / 2**30:.0f} GiB", value,
             f"it would need {n_bytes / 2**30:.1f} GiB")  # fmt: skip


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """The same array, marked read-only."""
    array.setflags(write=False)
    return array


def _numeric(value: Any, name: str, rule: str, remedy: str) -> NDArray[Any]:
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, OverflowError):
        fail(name, f"an array of numbers ({rule})", value, remedy)
    if array.dtype.kind not in "iufc":
        if array.size == 0 and array.dtype.kind == "O":
            return array.astype(np.float64)
        fail(name, f"an array of numbers ({rule})", value, remedy)
    return array


def _check_shape(
    array: NDArray[Any], name: str, ndim: int | None, allow_empty: bool, value: object, remedy: str
) -> None:
    if ndim is not None and array.ndim != ndim:
        fail(name, f"an array with {ndim} dimension{'s' * (ndim != 1)}", f"shape {array.shape}", remedy)
    if array.size == 0 and not allow_empty:
        fail(name, "non-empty", value, remedy)


def _interval_rule(kind: str, low: float, high: float, open_low: bool, open_high: bool) -> str:
    if low == -math.inf and high == math.inf:
        return kind
    if high == math.inf:
        bound = f"> {low:g}" if open_low else f">= {low:g}"
    elif low == -math.inf:
        bound = f"< {high:g}" if open_high else f"<= {high:g}"
    else:
        bound = f"in {'(' if open_low else '['}{low:g}, {high:g}{')' if open_high else ']'}"
    return f"{kind} {bound}"
