"""Repeating a float solution with mpmath, for any map that is written with array operations.

The map is called with arrays whose entries are mpmath numbers. `PreciseArray` lets the usual NumPy functions work on
them, so that the same source serves both precisions. Newton's iteration keeps the float inverse of ``1 - J``: each
step gains about ten digits, and no derivative is needed in high precision.

Maps that are made of laws ask `transform_precisely` for their transforms: a closed form, or, for a law that is itself
the solution of an equation, that equation solved again at the point in question.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..errors import DomainError
from ..measures._precise import PreciseArray as PreciseArray
from ..measures._precise import precise_array, to_mpmath
from ..measures.base import Measure, Precise
from ..measures.stieltjes_law import StieltjesLaw
from ..status import Status
from .base import Complex, Equation
from .law import SolvedMeasure
from .maps import FlatMap
from .operands import original
from .probe import gauged
from .stacks import invert_each

if TYPE_CHECKING:
    from .generic import Solved

_GUARD = 12
_GUARDS = (_GUARD, 4 * _GUARD)  # digits carried beyond those asked for; more where differences lose them
_INNER_GUARD = 6  # of them, what the transforms of solved laws may lose
_STEPS = 200
_DRIFT = 1e-5  # largest relative change of the float solution


class _Refined(NamedTuple):
    """States after Newton's iteration in high precision."""

    state: Precise  # (n, d)
    size: NDArray[Any]  # (n,), of the states
    change: NDArray[Any]  # (n,), relative, in the last step
    residual: NDArray[Any]  # (n,), relative, before the last step
    n_steps: NDArray[np.int64]
    found: NDArray[np.bool_]  # converged beside the float solution


def solve_precisely(equation: Equation, z: Complex, solved: Solved, digits: int) -> Solved:
    """`solved` with every converged point repeated to `digits` digits; the others get nan."""
    import mpmath

    tmap = gauged(equation)
    n = z.size
    status, steps, residual = solved.status.copy(), solved.n_steps.copy(), solved.residual.copy()
    bound = np.full(n, np.nan)
    state = solved.state.reshape(n, tmap.size).copy()
    good = np.flatnonzero(_usable(status))
    full_state = to_mpmath(np.full((n, tmap.size), complex(np.nan, np.nan)))
    full_m = to_mpmath(np.full(n, complex(np.nan, np.nan)))
    goal = mpmath.mpf(10) ** (-digits)
    left = good
    for guard in _GUARDS:
        if left.size == 0:
            break
        with mpmath.workdps(digits + guard):
            points = to_mpmath(z[left])
            refined = _refine(tmap, points, z[left], solved.state.reshape(n, -1)[left], goal)
            steps[left] += refined.n_steps
            residual[left] = refined.residual.astype(np.float64)
            current = _clean(refined.state, digits)
            full_state[left] = current
            full_m[left] = _clean(_readout(equation, points, current), digits)
            # the last change estimates the error before it; what remains is smaller by the contraction of the chord
            gradient = np.abs(tmap.readout_gradient(z[left], state[left])).sum(axis=1)
            bound[left] = (2.0 * refined.change * refined.size).astype(np.float64) * gradient
            state[left] = current.astype(np.complex128)
        known = np.array([mpmath.isfinite(m) for m in full_m[left]], dtype=bool)
        left = left[~(refined.found & known)]
    status[left], bound[left] = Status.STALLED, np.nan
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


def transform_precisely(law: Measure, z: Precise) -> Precise:
    """``m(z)`` of a law at a 1-d array of mpmath numbers in both half-planes, at real ones the limit from above.

    Parameters
    ----------
    law : Measure
        Any law; the series of a solved law counts as that law itself.
    z : ndarray of mpmath numbers
        Points.

    Returns
    -------
    ndarray of mpmath numbers
        At the working precision of mpmath; nan where the equation of a solved law is not solved.

    Raises
    ------
    DomainError
        The transform of the law is known in floats only.
    """
    law = original(law)
    lower = np.array([point.imag < 0 for point in z], dtype=bool)
    upper = np.where(lower, np.asarray(z).conj(), np.asarray(z)).view(PreciseArray)
    if isinstance(law, SolvedMeasure):
        m = _solved_again(law, upper)
    elif isinstance(law, StieltjesLaw):
        m = _given(law, upper)
    else:
        m = law._stieltjes_precise(upper, transform_precisely)
    return np.where(lower, np.asarray(m).conj(), np.asarray(m)).view(PreciseArray)


def resolvent_average(w: Precise, core: Complex, law: Measure) -> Precise:
    """``int (w - s a)^{-1} mu(ds)`` for a stack of matrices w of mpmath numbers and an invertible float matrix a.

    With ``w^{-1} a = V diag(1/p) V^{-1}`` it is ``V diag(-p m(p)) V^{-1} w^{-1}``.
    """
    import mpmath

    inverse = np.linalg.inv(w)
    points, frames = [], []
    for matrix in np.asarray(inverse @ core.astype(object)):
        values, vectors = mpmath.eig(mpmath.matrix(matrix.tolist()))
        points += [1 / mpmath.mpc(value) for value in values]
        frames.append(np.array(vectors.tolist(), dtype=object))
    p = precise_array(points)
    share = np.asarray(-p * transform_precisely(law, p)).reshape(len(frames), 1, -1)
    vectors = np.array(frames, dtype=object).view(PreciseArray)
    average: Precise = (vectors * share) @ np.linalg.inv(vectors) @ inverse
    return average


# ---------------------------------------------------------------------- transforms of laws
def _solved_again(law: SolvedMeasure, z: Precise) -> Precise:
    """The transform of a solved law: its equation, at the same points."""
    import mpmath

    from .solve import solve

    near = z.astype(np.complex128)
    solution = solve(law.equation, near, throw=False)
    tmap = gauged(law.equation)
    m = to_mpmath(np.full(z.size, complex(np.nan, np.nan)))
    good = np.flatnonzero(_usable(solution.status))
    if good.size:
        goal = mpmath.mpf(10) ** (_INNER_GUARD - mpmath.mp.dps)
        state = solution.state.reshape(z.size, tmap.size)[good]
        refined = _refine(tmap, z[good], near[good], state, goal)
        good, current = good[refined.found], refined.state[refined.found]
        if good.size:
            m[good] = _readout(law.equation, z[good], current)
    return m


def _given(law: StieltjesLaw, z: Precise) -> Precise:
    """The transform of a law that is given by it, if that function takes mpmath numbers."""
    words = (
        f"method must be a floating-point method for {law!r}, got 'HighPrecision'; the transform of this law works on "
        "floats only"
    )
    try:
        m = law.transform(z.copy())
    except (TypeError, AttributeError, ValueError) as problem:
        raise DomainError(words) from problem
    if _kind(m) != "object" or np.shape(m) != z.shape:
        raise DomainError(words)
    # `view` of an array of objects is not typed
    return m.view(PreciseArray)  # type: ignore[no-any-return]


# ---------------------------------------------------------------------- Newton's iteration
def _usable(status: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which points have a float solution to begin with."""
    return np.isin(status, (Status.CONVERGED, Status.NOT_CERTIFIED))


def _refine(tmap: FlatMap, points: Precise, z: Complex, state: Complex, goal: Any) -> _Refined:
    """Newton's steps with the float derivative at `points`, beside the float points z and states (n, d).

    A point is done when a step is shorter than `goal`, or only rounding is left of it.
    """
    import mpmath

    n = z.size
    operator = np.eye(tmap.size) - tmap.accurate_jacobian(z, state)
    inverse = invert_each(operator).astype(object)
    unit = tmap.gauge.size(z)
    _check_digits(tmap, z[:1], state[:1])
    rounding = mpmath.mpf(10) ** (_GUARD - mpmath.mp.dps)
    start = to_mpmath(state)
    current, size = start.copy(), np.maximum(_largest(start), unit)
    change = np.full(n, mpmath.inf, dtype=object)
    residual, steps = change.copy(), np.zeros(n, dtype=np.int64)
    active = np.arange(n)
    for _ in range(_STEPS):
        gap = np.asarray(_evaluate(tmap.equation, points[active], current[active])) - np.asarray(current[active])
        step = np.einsum("nij,nj->ni", inverse[active], gap)
        current[active] += step
        steps[active] += 1
        size[active] = np.maximum(_largest(current[active]), unit[active])
        last = change[active]
        change[active], residual[active] = _largest(step) / size[active], _largest(gap) / size[active]
        pairs = list(zip(change[active], last, strict=True))
        ended = np.array([not mpmath.isfinite(c) or c <= goal or (c <= rounding and 4 * c > b) for c, b in pairs])
        active = active[~ended]
        if active.size == 0:
            break
    # the float solution is good to ten digits or so: what moved further went to another root
    drift = _largest(np.asarray(current) - np.asarray(start)) / size
    allowed = max(goal, rounding)
    found = np.array([bool(c <= allowed and d <= _DRIFT) for c, d in zip(change, drift, strict=True)])
    return _Refined(current, size, change, residual, steps, found)


def _largest(rows: NDArray[Any]) -> NDArray[Any]:
    """Largest modulus in every row."""
    return np.array([max(abs(v) for v in row) for row in np.asarray(rows)], dtype=object)


def _clean(values: Precise, digits: int) -> Precise:
    """Values without real parts that are mere rounding: far smaller than the last digit asked for."""
    import mpmath

    small = mpmath.mpf(10) ** (-digits - _GUARD)
    flat = (v if abs(v.real) >= small * abs(v.imag) else mpmath.mpc(0, v.imag) for v in map(mpmath.mpc, values.ravel()))
    return precise_array(flat, values.shape)


def _check_digits(tmap: FlatMap, z: Complex, state: Complex) -> None:
    """Refuse maps that round to floats inside: a small change of the state must move the image as J says.

    Tried one width above the law, where no digits are lost, or at the solution z, state if the map has no start there;
    told once for every equation and precision.
    """
    import mpmath

    checked = tmap.equation.__dict__.setdefault("_keeps_digits", set())
    if mpmath.mp.dps in checked:
        return
    above = np.array([complex(tmap.gauge.centre, tmap.gauge.width)])
    begin = tmap.start(above)
    if np.isfinite(tmap(above, begin)).all():
        z, state = above, begin
    jacobian = tmap.accurate_jacobian(z, state)[0]
    share = mpmath.mpf(10) ** (_GUARD - mpmath.mp.dps)
    points, current = to_mpmath(z), to_mpmath(state)
    moved = _evaluate(tmap.equation, points, current * (1 + share)) - _evaluate(tmap.equation, points, current)
    seen = (np.asarray(moved)[0] / share).astype(np.complex128)
    wanted = jacobian @ state[0]
    if np.abs(seen - wanted).max() > 1e-2 * np.abs(wanted).max() + 1e-6 * tmap.largest(z, state)[0]:
        _refuse(tmap.equation, "step", "numbers that were rounded to floats inside")
    checked.add(mpmath.mp.dps)


# ---------------------------------------------------------------------- the map
def _evaluate(equation: Equation, z: Precise, state: Precise) -> Precise:
    """The map on mpmath numbers, flattened."""
    image = _rows(equation, "step", z, state, state.shape[1])
    return np.asarray(image).reshape(z.size, -1).view(PreciseArray)


def _readout(equation: Equation, z: Precise, state: Precise) -> Precise:
    return _rows(equation, "readout", z, state, 1).reshape(z.size)


def _rows(equation: Equation, label: str, z: Precise, state: Precise, width: int) -> Precise:
    """The map or the readout, with nan for the points at which it divides by zero."""
    import mpmath

    n = z.size
    try:
        return _call(equation, label, z, state.reshape(n, *equation.shape))
    except ZeroDivisionError:
        if n == 1:
            return precise_array([mpmath.mpc(mpmath.nan, mpmath.nan)] * width, (1, width))
        rows = [_rows(equation, label, z[i : i + 1], state[i : i + 1], width) for i in range(n)]
        return np.concatenate([np.asarray(row).reshape(1, width) for row in rows]).view(PreciseArray)


def _call(equation: Equation, label: str, z: Precise, state: Precise) -> Precise:
    try:
        result = getattr(equation, label)(z, state)
    except DomainError:
        raise
    except (TypeError, AttributeError, ValueError) as error:
        _refuse(equation, label, str(error), error)
    kind = _kind(result)
    if not isinstance(result, np.ndarray) or kind != "object":
        _refuse(equation, label, f"numbers of type {kind}")
    return result.view(PreciseArray)


def _kind(result: Any) -> str:
    """Type of the numbers in an array: "object" if they are all mpmath's."""
    kind = str(getattr(result, "dtype", type(result).__name__))
    if kind == "object":  # a one-point map may have filled an array of floats
        kind = next((type(v).__name__ for v in result.flat if isinstance(v, (float, complex))), kind)
    return kind


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
