"""Two samples followed from far above the support: slow, for the points that edges do not reach.

Far away the plain map contracts, and a root with Im e1, Im e2 > 0 is the physical one at every height; so the root is
carried down by Newton steps in v, with heights that come closer where a step fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..status import Status

if TYPE_CHECKING:
    from .two_samples import TwoSamplesEquation

Complex = NDArray[np.complex128]
Index = NDArray[np.int64]

_FAR = 8.0  # heights, in distances to the far end of the support
_ITERATIONS, _STEPS, _ROUNDS = 60, 12, 400
_FACTOR, _CLOSEST = 0.25, 0.999  # of heights
_LOW = 1e-9  # height, in widths of the support, from where real points are reached at once


def follow(equation: TwoSamplesEquation, z: Complex) -> tuple[Complex, Index, Index]:
    """v at points above the axis or in bulks, with status and numbers of Newton steps."""
    edges = equation.find_edges()
    top = _FAR * (np.abs(z) + float(edges[-1]))
    height = np.maximum(top, z.imag)
    v = _from_map(equation, z.real + 1j * height)
    status = np.full(z.size, int(Status.STALLED))
    steps, factor = np.zeros(z.size, dtype=np.int64), np.full(z.size, _FACTOR)
    low = _LOW * float(edges[-1] - edges[0])
    v, fine, used = _newton(equation, z.real + 1j * height, v)
    steps += used
    active = np.flatnonzero(fine)
    for _ in range(_ROUNDS):
        if active.size == 0:
            break
        goal = np.maximum(height[active] * factor[active], z.imag[active])
        goal = np.where(goal < low, z.imag[active], goal)
        new, fine, used = _newton(equation, z.real[active] + 1j * goal, v[active])
        steps[active] += used
        moved = active[fine]
        v[moved], height[moved] = new[fine], goal[fine]
        factor[moved] = np.maximum(_FACTOR, factor[moved] ** 2)
        factor[active[~fine]] = np.sqrt(factor[active[~fine]])
        status[moved[height[moved] == z.imag[moved]]] = int(Status.CONVERGED)
        active = active[(status[active] != Status.CONVERGED) & (factor[active] < _CLOSEST)]
    return v, status, steps


def _from_map(equation: TwoSamplesEquation, z: Complex) -> Complex:
    """v from the plain map, averaged, far from the support."""
    state = equation.start(z)
    with np.errstate(all="ignore"):
        for _ in range(_ITERATIONS):
            state = 0.5 * (state + equation.step(z, state))
        first, second, a, b = equation._unfold(z, state)
        w = b * first / (second * a)
        return np.asarray(w / (w + equation.stretch) if equation.share_of else w)


def _newton(equation: TwoSamplesEquation, z: Complex, v: Complex) -> tuple[Complex, NDArray[np.bool_], Index]:
    """Newton's iteration for F(v) = z, and where it arrived at the physical root."""
    v = v.copy()
    done, steps = np.zeros(z.size, dtype=bool), np.zeros(z.size, dtype=np.int64)
    active, last = np.arange(z.size), np.full(z.size, np.inf)
    with np.errstate(all="ignore"):
        for _ in range(_STEPS):
            value, slope = equation.image(v[active])
            move = (value - z[active]) / slope
            new = v[active] - move
            v[active] = np.where(new.imag > 0.0, new, v[active].real - move.real + 0.25j * v[active].imag)
            steps[active] += 1
            length = np.abs(move)
            small = (new.imag > 0.0) & (length <= 1e-9 * np.abs(v[active]))
            done[active] = small & (
                (length <= 1e-15 * np.abs(v[active]))
                | (length > 0.1 * last[active])
                | (length <= 1e-9 * v[active].imag)
            )
            last[active] = length
            active = active[~done[active] & np.isfinite(length)]
            if active.size == 0:
                break
        return v, done & equation.physical(z, v), steps
