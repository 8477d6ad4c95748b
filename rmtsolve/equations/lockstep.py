"""Safeguarded Newton for many scalar fixed points ``v = T(v)`` of holomorphic self-maps of the upper half-plane.

The merit ``r = |T - v|^2 / (4 Im v Im T)`` is ``sinh^2`` of half the hyperbolic distance between v and T(v), and T
never increases it (Schwarz-Pick). Newton's step is taken where it stays in the half-plane and lowers r, else the
midpoint of v and T. The compiled twin for two discrete factors is `rmtsolve._kernels.subordination`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..measures.base import Complex, Real
from ..status import Status

Index = NDArray[np.int64]
# (indices of the points, their v) -> T and dT/dv there
Map = Callable[[Index, Complex], tuple[Complex, Complex]]

_TOL = 1e-15  # of |v|: a gap v - T this small is rounding
_STEP = 1e-11  # of |v|: after a Newton step this small the next one is below rounding
_FLAT = 1e-7  # |1 - T'|: here neighbouring v solve the equation just as well
_REPELS = 1.0 + 1e-6  # |T'|: no fixed point inside the half-plane has more than 1 (Schwarz-Pick), but a real one may


class Points(NamedTuple):
    """Solved points; residual is ``|T(v) - v| / |v|``."""

    v: Complex
    status: Index
    n_steps: Index
    residual: Real


def solve_upper(image: Map, start: Complex, max_steps: int = 200) -> Points:
    """Fixed points in the upper half-plane, from starts there."""
    n = start.size
    v = start.astype(np.complex128)
    status = np.full(n, int(Status.MAX_STEPS))
    n_steps, residual = np.ones(n, dtype=np.int64), np.full(n, np.inf)
    every = np.arange(n)
    t, slope = image(every, v)
    r = _distance(v, t)
    last = np.full(n, np.inf)
    active = every
    with np.errstate(all="ignore"):
        for _ in range(max_steps):
            if active.size == 0:
                break
            here, there = v[active], t[active]
            size, miss = np.abs(here), np.abs(there - here)
            residual[active] = miss / size
            move = (there - here) / (1.0 - slope[active])
            length = np.abs(move)
            new = here + move
            try_newton = new.imag > 0.0
            new = np.where(try_newton, new, 0.5 * (here + there))
            n_steps[active] += 1
            t_new, slope_new = image(active, new)
            r_new = _distance(new, t_new)
            reject = try_newton & ~(r_new < r[active])
            rounding = reject & ((length <= _STEP * size) | ((miss <= 1e-13 * size) & (length >= 0.25 * last[active])))
            done = (miss <= _TOL * size) | rounding
            lost = ~np.isfinite(length) & ~np.isfinite(miss)
            status[active[lost]] = int(Status.NOT_FINITE)
            flat, repels = np.abs(1.0 - slope[active]) < _FLAT, np.abs(slope[active]) > _REPELS
            verdict = np.where(flat, int(Status.SINGULAR), int(Status.CONVERGED))
            status[active[done]] = np.where(repels, int(Status.WRONG_BRANCH), verdict)[done]
            retry = reject & ~done & ~lost
            if retry.any():
                middle = 0.5 * (here + there)[retry]
                n_steps[active[retry]] += 1
                t_new[retry], slope_new[retry] = image(active[retry], middle)
                new[retry], r_new[retry] = middle, _distance(middle, t_new[retry])
            go = ~done & ~lost
            rest = active[go]
            v[rest], t[rest], slope[rest], r[rest] = new[go], t_new[go], slope_new[go], r_new[go]
            last[rest] = np.where(try_newton & ~reject, length, np.inf)[go]
            active = rest
    return Points(v, status, n_steps, residual)


def solve_real(image: Map, start: Real, unit: float = 0.0, max_steps: int = 60) -> Points:
    """Newton's method from real starts close to the solution; the caller checks the branch.

    Gaps below the rounding of `unit` count as none: the size of the numbers whose difference a small v is.
    """
    n = start.size
    v = start.astype(np.complex128)
    status = np.full(n, int(Status.MAX_STEPS))
    n_steps, residual, last = np.ones(n, dtype=np.int64), np.full(n, np.inf), np.full(n, np.inf)
    active = np.arange(n)
    with np.errstate(all="ignore"):
        for _ in range(max_steps):
            if active.size == 0:
                break
            t, slope = image(active, v[active])
            size, miss = np.abs(v[active]) + 1e-300, np.abs(t - v[active])
            move = (t - v[active]) / (1.0 - slope)
            length = np.abs(move)
            residual[active] = miss / size
            n_steps[active] += 1
            lost = ~np.isfinite(length)
            done = (miss <= _TOL * (size + unit)) | ((length <= 1e-12 * size) & (length >= 0.25 * last[active]))
            status[active[lost]], status[active[done]] = int(Status.NOT_FINITE), int(Status.CONVERGED)
            go = ~done & ~lost
            last[active] = length
            v[active[go]] += move[go].real
            active = active[go]
    return Points(v, status, n_steps, residual)


def _distance(v: Complex, t: Complex) -> Real:
    with np.errstate(all="ignore"):
        value = np.abs(t - v) ** 2 / (4.0 * v.imag * t.imag)
    return np.where((v.imag > 0.0) & (t.imag > 0.0) & np.isfinite(value), value, np.inf)
