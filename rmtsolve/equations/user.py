"""`rmtsolve.step`: a user's one-point map, compiled."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import _validate
from ..errors import DomainError
from .base import Complex
from .domains import Domain
from .high_precision import PreciseArray
from .iterations import Iterated
from .maps import FlatMap

_CODES = {Domain.NONE: 0, Domain.HALF_PLANE: 1, Domain.SECTOR: 2, Domain.MATRIX: 3}


class Step:
    """A map ``state = T(z, state)`` written for one point and compiled at its first use; made by `step`.

    Called with arrays, it evaluates all points, like the NumPy callables that `Equation` also takes.
    """

    def __init__(self, function: Callable[[Any, Any], Any]) -> None:
        self.function = function
        functools.update_wrapper(self, function)

    def __call__(self, z: Any, state: Any) -> Any:
        """The map at one point, or at n points with `z` of shape (n,) and `state` of shape (n, *shape)."""
        if np.ndim(z) == 0:
            return self.function(z, state)
        if np.asarray(state).dtype == object:
            return _point_by_point(self.function, z, state)
        shape = state.shape[1:]
        out = np.empty((z.size, state[0].size if z.size else 1), dtype=np.complex128)
        flat = np.ascontiguousarray(state, dtype=np.complex128).reshape(out.shape)
        _kernel("driver")("evaluate")(self.typed(shape), np.ascontiguousarray(z, dtype=np.complex128), flat, out)
        return out.reshape(z.size, *shape)

    def typed(self, shape: tuple[int, ...]) -> Any:
        """The compiled one-point map for states of this shape."""
        cache = self.__dict__.setdefault("_typed", {})
        if shape not in cache:
            compile_step: Callable[..., Any] = _kernel("typed_step")
            try:
                cache[shape] = compile_step(self.function, shape)
            except Exception as error:
                lines = [line.strip() for line in str(error).splitlines() if line.strip()]
                told = next((line for line in lines if not line.startswith(("Failed in", "-", "["))), lines[0])
                raise DomainError(
                    f"step must compile for one point with a complex z and a state of shape {shape}, got "
                    f"{type(error).__name__}: {told[:200]}; return a number for shape (), a complex array otherwise, "
                    "or pass the plain function to Equation"
                ) from error
        return cache[shape]


def step(function: Callable[[Any, Any], Any]) -> Step:
    """Compile a map ``state = T(z, state)`` written for one point, for use in `Equation`.

    Parameters
    ----------
    function : callable
        ``function(z, state)`` for a complex number z and one state: a complex number, or a complex array of the
        equation's shape; returns the new state. It is compiled by numba, so constants that it uses are frozen at its
        first use.

    Returns
    -------
    Step
        Give it to `Equation`. Iterations then run in compiled loops; the answers are those of a NumPy callable.

    Raises
    ------
    DomainError
        `function` is no function, or (at first use) does not compile.

    Examples
    --------
    >>> import rmtsolve as rmt
    >>> @rmt.step
    ... def semicircle(z, m):
    ...     return -1 / (z + m)
    >>> rmt.solve(rmt.Equation(semicircle), 1j).m
    array(0.+0.61803399j)
    """
    if not callable(function) or isinstance(function, type):
        _validate.fail("function", "a function of z and state", function, "write @rmtsolve.step above a def")
    return function if isinstance(function, Step) else Step(function)


def compiled_newton(
    kernel: Step, tmap: FlatMap, domain: Domain, z: Complex, start: Complex, *, tol: float, max_steps: int
) -> Iterated:
    """Guarded Newton in the compiled driver: sorted inside, each point started from its neighbour."""
    order = np.lexsort((z.imag, z.real))
    found = _results(start.shape)
    begin, unit = np.ascontiguousarray(start[order]), tmap.gauge.size(z[order])
    typed, side = kernel.typed(tmap.shape), _side(tmap)
    _kernel("driver")("newton_sweep")(typed, _CODES[domain], side, z[order], begin, unit, tol, max_steps, *found)
    return _unsorted(found, order)


def compiled_anderson(
    kernel: Step,
    tmap: FlatMap,
    domain: Domain,
    z: Complex,
    start: Complex,
    *,
    window: int,
    damping: float,
    tol: float,
    max_steps: int,
) -> Iterated:
    """Averaged or Anderson iteration in the compiled driver."""
    found = _results(start.shape)
    points, begin, unit = np.ascontiguousarray(z), np.ascontiguousarray(start), tmap.gauge.size(z)
    typed, side = kernel.typed(tmap.shape), _side(tmap)
    _kernel("driver")("anderson_sweep")(
        typed, _CODES[domain], side, points, begin, unit, window, damping, tol, max_steps, *found
    )
    return found


def _kernel(name: str) -> Callable[..., Any]:
    """A function of the compiled drivers; numba is loaded at the first use."""
    from .._kernels import iterate

    return getattr(iterate, name)  # type: ignore[no-any-return]


def _side(tmap: FlatMap) -> int:
    """Side of a matrix unknown, 0 for others."""
    return tmap.shape[0] if len(tmap.shape) == 2 else 0


def _results(shape: tuple[int, ...]) -> Iterated:
    n = shape[0]
    return Iterated(np.empty(shape, dtype=np.complex128), np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n))


def _unsorted(found: Iterated, order: Any) -> Iterated:
    back = np.empty_like(order)
    back[order] = np.arange(order.size)
    return Iterated(*(array[back] for array in found))


def _point_by_point(function: Callable[[Any, Any], Any], z: Any, state: Any) -> PreciseArray:
    """The map on arrays of mpmath numbers, one point at a time, uncompiled."""
    out = np.empty(state.shape, dtype=object)
    for i in range(len(z)):
        out[i] = function(z[i], state[i])
    return out.view(PreciseArray)
