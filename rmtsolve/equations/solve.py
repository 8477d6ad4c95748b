"""solve: the one entry for every self-consistent equation."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate
from ..errors import ConvergenceError
from ..status import Status
from .base import Complex, Equation
from .degenerate import off_the_limit
from .generic import Solved, solve_generic
from .methods import Auto, HighPrecision, Method
from .solution import Solution

_AUTO = Auto()


def solve(
    equation: Equation,
    z: ArrayLike,
    method: Method = _AUTO,
    *,
    start: ArrayLike | None = None,
    throw: bool = True,
) -> Solution:
    """Solve ``state = T(z, state)`` on the physical branch, ``Im m(z) > 0`` for ``Im z > 0``.

    Parameters
    ----------
    equation : Equation
        The equation; a built-in family brings its own solver, any other is solved by `method`.
    z : array_like of complex
        Finite points, any shape and order. ``Im z < 0`` gives the conjugate of the answer at ``conj z``; real z gives
        the boundary value ``m(x + i0)``.
    method : Method
        `Auto` (default), `FixedPoint`, `Anderson`, `Newton`, `Continuation` or `HighPrecision`. With any but `Auto`
        and `HighPrecision` a built-in family is solved by its plain map, as an independent check.
    start : array_like, optional
        First guess, broadcastable to ``z.shape + equation.shape``.
    throw : bool
        Raise when some points fail; otherwise return them with their status.

    Returns
    -------
    Solution
        ``CONVERGED`` is only reported where the physical branch is certain: by a uniqueness theorem in a domain that
        the map keeps, or by continuation from large Im z; `Solution.explain` says which.

    Raises
    ------
    DomainError
        An argument is outside its domain, or the map is wrong in shape, type or sign.
    ConvergenceError
        Some points failed and `throw` is true; the exception carries the partial solution.

    Examples
    --------
    >>> import numpy as np, rmtsolve as rmt
    >>> sol = rmt.solve(rmt.Equation(lambda z, m: -1 / (z + m)), z=np.linspace(-3, 3, 200) + 1e-3j)
    >>> sol.ok, bool(sol.error_bound.max() < 1e-12)
    (True, True)
    """
    if not isinstance(equation, Equation):
        _validate.fail("equation", "an Equation", equation, "wrap a map as Equation(step)")
    if not isinstance(method, Method):
        _validate.fail("method", "a method object", method, "for instance Auto() or Newton(tol=1e-10)")
    if not isinstance(throw, (bool, np.bool_)):
        _validate.fail("throw", "True or False", throw)
    points = _validate.complex_array(z, "z", allow_empty=True)
    flat = points.ravel()
    lower = flat.imag < 0.0
    # adding 0.0 turns an imaginary part of -0.0 into 0.0
    upper = flat.real + 1j * (np.abs(flat.imag) + 0.0)
    guess = None if start is None else _mirror(_checked_start(start, points.shape, equation.shape), lower)
    if isinstance(method, HighPrecision):
        from .high_precision import solve_precisely

        solved = solve_precisely(equation, upper, _dispatch(equation, upper, _AUTO, guess), method.digits)
    else:
        solved = _dispatch(equation, upper, method, guess)
    solution = _pack(equation, points, upper, lower, solved)
    if throw and not solution.ok:
        doubt = f" ({'; '.join(solved.doubts)})" if solved.doubts else ""
        raise ConvergenceError(solution, (equation.name or "the equation") + doubt)
    return solution


def _dispatch(equation: Equation, z: Complex, method: Method, start: Complex | None) -> Solved:
    """The family's own solver, or the generic path."""
    swept = equation.sweep(z, start) if isinstance(method, Auto) else None
    if swept is not None:
        with np.errstate(all="ignore"):
            m = equation.readout(z, swept.state)
        # at atoms and hard edges m is infinite; at z = 0 some families have 0/0
        lost = (swept.status == Status.CONVERGED) & ~np.isfinite(m)
        lost |= off_the_limit(equation, z, swept)
        swept = swept._replace(status=np.where(lost, int(Status.SINGULAR), swept.status))
        return Solved(*swept, m, equation.method, equation.remarks)
    return solve_generic(equation, z, method, start)


def _pack(equation: Equation, points: Complex, upper: Complex, lower: NDArray[np.bool_], solved: Solved) -> Solution:
    """The solution in the caller's shape, conjugated below the axis."""

    def shaped(array: NDArray[Any], tail: tuple[int, ...] = ()) -> NDArray[Any]:
        return _validate.read_only(np.array(array).reshape(points.shape + tail))

    return Solution(
        equation=equation,
        z=_validate.read_only(points),
        m=shaped(np.where(lower, solved.m.conj(), solved.m)),
        state=shaped(_mirror(solved.state, lower), equation.shape),
        status=shaped(solved.status),
        n_steps=shaped(solved.n_steps),
        residual=shaped(solved.residual),
        error_bound=shaped(solved.error_bound),
        method=solved.method,
        notes=solved.notes + solved.doubts,
        precise_m=None if solved.precise_m is None else shaped(_mirror(solved.precise_m, lower)),
        precise_state=None
        if solved.precise_state is None
        else shaped(_mirror(solved.precise_state, lower), equation.shape),
    )


def _checked_start(start: ArrayLike, shape: tuple[int, ...], tail: tuple[int, ...]) -> Complex:
    """`start` broadcast to (n, *tail)."""
    guess = _validate.complex_array(start, "start", allow_empty=True)
    try:
        full = np.broadcast_to(guess, shape + tail)
    except ValueError:
        _validate.fail("start", f"broadcastable to shape {shape + tail}", f"shape {guess.shape}")
    return np.array(full).reshape(-1, *tail)


def _mirror(state: NDArray[Any], lower: NDArray[np.bool_]) -> NDArray[Any]:
    """States at conj z from those at z where `lower`: conjugates, adjoints for matrices."""
    if not lower.any():
        return state
    state = state.copy()
    state[lower] = state[lower].conj().swapaxes(-1, -2) if state.ndim == 3 else state[lower].conj()
    return state
