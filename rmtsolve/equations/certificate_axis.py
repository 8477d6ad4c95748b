"""Roots at real z that cannot be judged there, judged from the roots above them.

The readout may be singular at one z without m being so: ``m = (u/z) m_H(u)`` at z = 0, where u = 0, or
``-1/(u + v - z)`` where v passes infinity. Then the derivative of m that tells a physical root from a spurious one does
not exist in these variables. Above the axis it does, or is not needed: the root beside is followed upwards, each of its
points is judged, and they must lead back to the root in question.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..status import Status
from .base import Complex
from .branch import judge
from .domains import Domain
from .iterations import guarded_newton
from .maps import FlatMap
from .probe import Profile

_LEVELS = 8  # heights, each four times the last one
_LOWEST = 1e-9  # of the reach of the law
_HUGE = 1e6  # of the unit of a scalar state, from which on its inverse is looked at
_AGREE = 1e-9  # relative distance of the limit from the root


def judge_from_above(
    tmap: FlatMap, facts: Profile, domain: Domain, z: Complex, state: Complex
) -> tuple[NDArray[np.int64], Complex]:
    """(status, limit of m) of roots (n, d) at real z.

    ``CONVERGED``: the roots above are on the physical branch and tend to the given one as Im z -> 0; ``WRONG_BRANCH``:
    they are on another branch; ``NOT_CERTIFIED``: anything else.
    """
    n = z.size
    heights = _LOWEST * 4.0 ** np.arange(_LEVELS)
    levels = np.empty((_LEVELS, n, tmap.size), dtype=np.complex128)
    values = np.empty((_LEVELS, n), dtype=np.complex128)
    settled, wrong = np.ones(n, dtype=bool), np.zeros(n, dtype=bool)
    reach = tmap.gauge.reach(z)
    # a little above it, or Newton's iteration would begin with a singular derivative where z is an edge
    here = state + 1j * np.sqrt(_LOWEST) * tmap.largest(z, state)[:, None] * _direction(tmap)
    for k, height in enumerate(heights):
        above = z + 1j * height * reach
        found = guarded_newton(tmap, domain, above, here, tol=1e-12, max_steps=40, averaged=0)
        verdict = judge(tmap, facts, domain, above, found.state, found.status, continued=np.zeros(n, dtype=bool))
        settled &= verdict.status == Status.CONVERGED
        wrong |= verdict.status == Status.WRONG_BRANCH
        levels[k], values[k] = found.state, tmap.readout(above, found.state)
        here = found.state
    with np.errstate(all="ignore"):
        size = tmap.largest(z, levels[0])
        # a scalar state near infinity: its inverse, in units of what a state is far from singular points
        far, unit = near_infinity(tmap, z, state), tmap.gauge.size(z)
        levels[:, far], goal = 1.0 / levels[:, far], np.where(far[:, None], 1.0 / state, state)
        size[far] = 1.0 / unit[far]
        close = np.abs(_limit(levels) - goal).max(axis=1) <= _AGREE * size
        limit = _limit(values)
    status = np.where(wrong, int(Status.WRONG_BRANCH), int(Status.NOT_CERTIFIED))
    status[settled & close & ~wrong] = Status.CONVERGED
    return status, limit


def near_infinity(tmap: FlatMap, z: Complex, state: Complex) -> NDArray[np.bool_]:
    """Where a scalar state is so large that only its inverse is known."""
    unit = tmap.gauge.size(z)
    return np.asarray((tmap.shape == ()) & (unit > 0.0) & (np.abs(state).max(axis=1) > _HUGE * unit))


def _direction(tmap: FlatMap) -> Complex:
    """A positive state, flattened."""
    state = np.eye(tmap.shape[0]).ravel() if len(tmap.shape) == 2 else np.ones(tmap.size)
    return state.astype(np.complex128)


def _limit(levels: Complex) -> Complex:
    """Value at height 0 of a function of the square root of the height, from heights 1, 4, 16, ... (Neville)."""
    table, t = levels.copy(), 2.0 ** np.arange(_LEVELS)
    for k in range(1, _LEVELS):
        for i in range(_LEVELS - k):
            table[i] = (t[i + k] * table[i] - t[i] * table[i + 1]) / (t[i + k] - t[i])
    return np.asarray(table[0])
