"""Edges of information-plus-noise laws: critical points of ``F(w) = w q^2 + d q`` with q > 0 off the support of H1.

On every interval off the support q decreases, so that q > 0 holds from its left end to a zero of q. There the points
with F' > 0 are an interval (or none): two of them would leave a bulk without mass between them, as the mass of a bulk
is that of H1 between the two w. Left of H1 there is always one critical point, and one right of it.

Source: derived; P. Vallet, P. Loubaton, X. Mestre, IEEE Trans. Inf. Theory 58 (2012) 1043, theorem 2.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .information_noise import InformationNoiseEquation

Real = NDArray[np.float64]

_EPS = float(np.finfo(float).eps)
_GRID = 1.0 / (1.0 + np.exp(-np.linspace(-32.0, 32.0, 129)))  # of an interval, graded towards both ends
_ROUNDS = 6  # of refinement of the maximum of F'
_DOUBLINGS = 200


def critical_points(equation: InformationNoiseEquation) -> tuple[list[float], bool]:
    """Critical points from left to right, and whether the first is a hard edge at q = 0."""
    walls = equation.walls

    def rates(w: Real) -> Real:
        return _rates(equation, w)

    def slope(w: float) -> float:
        return float(rates(np.array([w]))[0])

    def share(w: float) -> float:
        """q."""
        value = float(1.0 - equation.kappa * equation._inner(np.array([w], dtype=np.complex128))[0].real)
        return value if np.isfinite(value) else -np.inf

    start = _zero_of_share(share, -np.inf, walls[0][0], equation.size)
    hard = equation.drift == 0.0 and start <= 0.0 and start < walls[0][0]
    first = start if hard else outwards(slope, start, -1.0, equation.size)
    found = [first]
    for (_, left), (right, _) in itertools.pairwise(walls):
        found.extend(inside_gap(rates, left, _zero_of_share(share, left, right, equation.size)))
    found.append(outwards(slope, walls[-1][1], 1.0, equation.size))
    return found, hard


def _rates(equation: InformationNoiseEquation, w: Real) -> Real:
    """F' at real points, but negative where q is; minus infinity at singular points."""
    value, rate = equation.image(w.astype(np.complex128))
    # z = q (w q + d), and rounding makes F' positive where q is a rounding error
    share = 1.0 - equation.kappa * equation._inner(w.astype(np.complex128)).real
    slope = np.where(share > 0.0, rate.real, -np.abs(rate.real))
    return np.asarray(np.where(np.isfinite(value) & np.isfinite(slope), slope, -np.inf))


def _zero_of_share(share: Callable[[float], float], left: float, right: float, size: float) -> float:
    """Where q, which decreases, changes its sign; the right end if it stays positive, the left end if negative."""
    high = right - 4.0 * _EPS * max(abs(right), 1e-3 * size)
    if share(high) >= 0.0:
        return right
    low = left + 4.0 * _EPS * max(abs(left), 1e-3 * size) if np.isfinite(left) else right - size
    while left == -np.inf and share(low) <= 0.0:
        low = right - 2.0 * (right - low)
    if not share(low) > 0.0:
        return left
    return bisect(share, high, low)


def outwards(slope: Callable[[float], float], end: float, side: float, size: float) -> float:
    """The critical point left (side -1) or right (side 1) of a point beyond which F' becomes positive."""
    step = max(4.0 * _EPS * abs(end), 1e-60 * size)
    if slope(end + side * step) >= 0.0:
        return end
    for _ in range(_DOUBLINGS):
        far = 4.0 * step
        if slope(end + side * far) > 0.0:
            return end + side * bisect(lambda s: slope(end + side * s), step, far)
        step = far
    return end


def _back_to(slope: Callable[[float], float], end: float, inside: float) -> float:
    """The critical point between an end where F' < 0 and a point where F' > 0, next to the end."""
    side, far = np.copysign(1.0, inside - end), abs(inside - end)
    while True:
        step = 0.25 * far
        if end + side * step == end or step < 1e-300:
            return end
        if slope(end + side * step) <= 0.0:
            return end + float(side * bisect(lambda s: slope(end + side * s), step, far))
        far = step


def inside_gap(rates: Callable[[Real], Real], left: float, right: float) -> list[float]:
    """The two critical points in an interval at whose ends F decreases, or none; `rates` is F' at an array."""

    def slope(w: float) -> float:
        return float(rates(np.array([w]))[0])

    width = right - left
    if width <= 8.0 * _EPS * max(abs(left), abs(right)):
        return []
    grid = np.unique(left + width * _GRID)
    grid = grid[(grid > left) & (grid < right)]
    for _ in range(_ROUNDS):
        rate = rates(grid)
        positive = np.flatnonzero(rate > 0.0)
        if positive.size:
            first, last = float(grid[positive[0]]), float(grid[positive[-1]])
            low = _back_to(slope, left if positive[0] == 0 else float(grid[positive[0] - 1]), first)
            high = right if positive[-1] + 1 == grid.size else float(grid[positive[-1] + 1])
            return [low, _back_to(slope, high, last)]
        best = int(np.argmax(rate))
        grid = np.linspace(grid[max(best - 1, 0)], grid[min(best + 1, grid.size - 1)], 65)
    return []


def bisect(function: Callable[[float], float], low: float, high: float) -> float:
    """Zero between a point where the function is negative and one where it is positive."""
    from scipy.optimize import brentq

    if not np.isfinite(function(low)):  # next to a pole: halve towards the other end until it is a number
        for _ in range(60):
            middle = 0.5 * (low + high)
            if np.isfinite(value := function(middle)):
                if value > 0.0:
                    high = middle
                else:
                    low = middle
                    break
            else:
                low = middle
    return float(brentq(function, low, high, xtol=1e-300, rtol=4.0 * _EPS, maxiter=500))
