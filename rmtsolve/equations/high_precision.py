"""Repeating a float solution with mpmath, for any map that is written with array operations.

The map is called with arrays whose entries are mpmath numbers. `PreciseArray` lets the usual NumPy functions work on
them, so that the same source serves both precisions. Newton's iteration keeps the float inverse of ``1 - J``: each
step gains about ten digits, and no derivative is needed in high precision.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..errors import DomainError
from ..status import Status
from .base import Complex, Equation
from .maps import FlatMap
from .probe import gauged
from .stacks import invert_each

if TYPE_CHECKING:
    from .generic import Solved

_FUNCTIONS = (
    "exp", "expm1", "log", "log1p", "log10", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh", "arcsin", "arccos",
    "arctan", "arcsinh", "arccosh", "arctanh", "cbrt",
)  # fmt: skip
Precise = NDArray[Any]  # array of mpmath numbers
_GUARD = 12  # digits carried beyond those asked for
_STEPS = 200
_DRIFT = 1e-5  # largest relative change of the float solution


class PreciseArray(np.ndarray):
    """Array of mpmath numbers on which NumPy's elementary functions, `inv` and `solve` work."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """Elementary functions go to mpmath; arithmetic works as it is."""
        plain = [np.asarray(x) if isinstance(x, PreciseArray) else x for x in inputs]
        if "out" in kwargs:
            kwargs["out"] = tuple(np.asarray(x) if isinstance(x, PreciseArray) else x for x in kwargs["out"])
        if ufunc.__name__ in _FUNCTIONS and method == "__call__":
            result = _elementary(ufunc.__name__)(*plain)
        else:
            result = getattr(ufunc, method)(*plain, **kwargs)
        return precise(result)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        """Linear algebra by elimination in mpmath; everything else is NumPy's."""
        if func is np.linalg.inv:
            return _inverse(np.asarray(args[0]))
        if func is np.linalg.solve:
            return _inverse(np.asarray(args[0])) @ args[1]
        return super().__array_function__(func, types, args, kwargs)


def precise(values: Any) -> Any:
    """`values` as a PreciseArray if it holds mpmath numbers."""
    return values.view(PreciseArray) if isinstance(values, np.ndarray) and values.dtype == object else values


def to_mpmath(values: Complex) -> Precise:
    """Exact conversion of complex floats."""
    import mpmath

    flat = [mpmath.mpc(v.real, v.imag) for v in values.ravel().tolist()]
    array = np.empty(len(flat), dtype=object)
    array[:] = flat
    return array.reshape(values.shape).view(PreciseArray)


def solve_precisely(equation: Equation, z: Complex, solved: Solved, digits: int) -> Solved:
    """`solved` with every converged point repeated to `digits` digits; the others get nan."""
    import mpmath

    tmap = gauged(equation)
    n = z.size
    status, steps, residual = solved.status.copy(), solved.n_steps.copy(), solved.residual.copy()
    bound = np.full(n, np.nan)
    state = solved.state.reshape(n, tmap.size).copy()
    good = np.flatnonzero(np.isin(status, (Status.CONVERGED, Status.NOT_CERTIFIED)))
    full_state = to_mpmath(np.full((n, tmap.size), complex(np.nan, np.nan)))
    full_m = to_mpmath(np.full(n, complex(np.nan, np.nan)))
    with mpmath.workdps(digits + _GUARD):
        if good.size:
            operator = np.eye(tmap.size) - tmap.accurate_jacobian(z[good], state[good])
            inverse = invert_each(operator).astype(object)
            points, current = to_mpmath(z[good]), to_mpmath(state[good])
            unit = tmap.gauge.size(z[good])
            _check_digits(tmap, z[good[:1]], state[good[:1]], operator[0], digits)
            goal = mpmath.mpf(10) ** (-digits)
            change = None
            for _ in range(_STEPS):
                gap = _evaluate(equation, points, current) - current
                change = np.einsum("nij,nj->ni", inverse, np.asarray(gap)).view(PreciseArray)
                steps[good] += 1
                current = current + change
                size = np.maximum(_largest(current), unit)
                relative = _largest(change) / size
                if all(r <= goal for r in relative):
                    break
            # the float solution is good to ten digits or so: what moved further went to another root
            drift = _largest(current - to_mpmath(state[good])) / size
            failed = np.array([not (r <= goal and d <= _DRIFT) for r, d in zip(relative, drift, strict=True)])
            status[good[failed]] = Status.STALLED
            residual[good] = (_largest(gap) / size).astype(np.float64)
            current = _clean(current, digits)
            full_state[good], full_m[good] = current, _clean(_readout(equation, points, current), digits)
            # the last change estimates the error before it; what remains is smaller by the contraction of the chord
            gradient = np.abs(tmap.readout_gradient(z[good], state[good])).sum(axis=1)
            bound[good] = (2.0 * relative * size).astype(np.float64) * gradient
            bound[good[failed]] = np.nan
            state[good] = current.astype(np.complex128)
    shaped = np.asarray(full_state).reshape(n, *equation.shape)
    return solved._replace(
        state=state.reshape(n, *equation.shape),
        status=status,
        n_steps=steps,
        residual=residual,
        error_bound=bound,
        m=np.asarray(full_m).astype(np.complex128),
        method=f"{solved.method}, then repeated with mpmath to {digits} digits",
        precise_m=np.asarray(full_m),
        precise_state=shaped,
    )


def _largest(rows: Precise) -> NDArray[Any]:
    """Largest modulus in every row."""
    return np.array([max(abs(v) for v in row) for row in rows], dtype=object)


def _clean(values: Precise, digits: int) -> Precise:
    """Values without real parts that are mere rounding: far smaller than the last digit asked for."""
    import mpmath

    small = mpmath.mpf(10) ** (-digits - _GUARD)
    flat = [v if abs(v.real) >= small * abs(v.imag) else mpmath.mpc(0, v.imag) for v in map(mpmath.mpc, values.ravel())]
    cleaned = np.empty(len(flat), dtype=object)
    cleaned[:] = flat
    return cleaned.reshape(values.shape).view(PreciseArray)


def _check_digits(tmap: FlatMap, z: Complex, state: Complex, operator: Complex, digits: int) -> None:
    """Refuse maps that round inside: a change of the state in the last digits must move the image as 1 - J says."""
    import mpmath

    share = mpmath.mpf(10) ** (-digits)
    points, current = to_mpmath(z), to_mpmath(state)
    moved = _evaluate(tmap.equation, points, current * (1 + share)) - _evaluate(tmap.equation, points, current)
    seen = (np.asarray(moved)[0] / share).astype(np.complex128)
    wanted = state[0] - operator @ state[0]
    if np.abs(seen - wanted).max() > 1e-2 * np.abs(wanted).max() + 1e-6 * tmap.largest(z, state)[0]:
        _refuse(tmap.equation, "step", "numbers that were rounded to floats inside")


def _evaluate(equation: Equation, z: Precise, state: Precise) -> Precise:
    """The map on mpmath numbers, flattened."""
    n = z.size
    image = _call(equation, "step", z, state.reshape(n, *equation.shape))
    return np.asarray(image).reshape(n, -1).view(PreciseArray)


def _readout(equation: Equation, z: Precise, state: Precise) -> Precise:
    return _call(equation, "readout", z, state.reshape(z.size, *equation.shape))


def _call(equation: Equation, label: str, z: Precise, state: Precise) -> Precise:
    try:
        result = getattr(equation, label)(z, state)
    except DomainError:
        raise
    except (TypeError, AttributeError, ValueError) as error:
        _refuse(equation, label, str(error), error)
    kind = str(getattr(result, "dtype", type(result).__name__))
    if kind == "object":  # a one-point map may have filled an array of floats
        kind = next((type(v).__name__ for v in result.flat if isinstance(v, (float, complex))), kind)
    if not isinstance(result, np.ndarray) or kind != "object":
        _refuse(equation, label, f"numbers of type {kind}")
    return result.view(PreciseArray)


def _refuse(equation: Equation, label: str, told: str, error: Exception | None = None) -> NoReturn:
    """Say who is at fault: a user can rewrite a map, but not a family that works in floating point."""
    if type(equation) is Equation:
        remedy = "use array operations (+ - * / @, exp, sqrt, einsum, linalg.inv) and no preallocated complex arrays"
        words = f"{label} must be a map that keeps mpmath numbers, got {told}; {remedy}"
    else:
        words = (
            f"method must be a floating-point method for {equation!r}, got 'HighPrecision'; the {label} of this "
            f"equation works on floats only ({told})"
        )
    raise DomainError(words) from error


def _elementary(name: str) -> Callable[..., NDArray[Any]]:
    """Elementwise mpmath function for a NumPy ufunc."""
    import mpmath

    names = {"arcsin": "asin", "arccos": "acos", "arctan": "atan", "arcsinh": "asinh", "arccosh": "acosh",
             "arctanh": "atanh"}  # fmt: skip
    function = getattr(mpmath, names.get(name, name))
    return lambda values: np.asarray(np.frompyfunc(function, 1, 1)(values), dtype=object)


def _inverse(matrices: NDArray[Any]) -> Precise:
    """Inverses of a stack of matrices by mpmath's LU decomposition."""
    import mpmath

    k = matrices.shape[-1]
    flat = matrices.reshape(-1, k, k)
    answer = np.empty(flat.shape, dtype=object)
    for i, matrix in enumerate(flat):
        answer[i] = np.array(mpmath.inverse(mpmath.matrix(matrix.tolist())).tolist(), dtype=object)
    return answer.reshape(matrices.shape).view(PreciseArray)
