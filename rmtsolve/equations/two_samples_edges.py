"""Edges of two-sample laws: critical points of F in the gaps between the singular points of K.

K increases in every gap, and the physical points of a gap have ``alpha = 1 - c1 K`` and ``beta = 1 - c2 + c2 K``
positive: they are an interval, at whose ends F decreases (beta = 0 is a pole of z, alpha = 0 one of 1/z). Inside, the
points with F' > 0 are an interval or none. On the two outer gaps there is one critical point each: on the left between
v = 0 and the zero of alpha, where F = 0 at both, on the right between the zero of beta and v = 1 (infinity for the
F-matrix). Where they coincide the edge is hard.

Source: derived.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .information_noise_edges import bisect, inside_gap, outwards

if TYPE_CHECKING:
    from .two_samples import TwoSamplesEquation

Real = NDArray[np.float64]

_EPS = float(np.finfo(float).eps)
_TINY = 1e-60


def critical_points(equation: TwoSamplesEquation) -> tuple[list[float], list[bool]]:
    """Critical points from left to right, and which of them are hard edges."""
    walls, size = equation.walls, equation.size
    c1, c2 = equation.ratio1, equation.ratio2
    low, high = (c2 - 1.0) / c2, 1.0 / c1

    level = _level(equation)

    def rates(v: Real) -> Real:
        rate = equation.image(v.astype(np.complex128))[1].real
        return np.where(np.isfinite(rate), rate, -np.inf)

    def slope(v: float) -> float:
        return float(rates(np.array([v]))[0])

    found, hard = [], []
    # left: v = 0 and alpha = 0
    if equation.gap == 0.0:
        found.append(0.0)
    else:
        found.append(_between(slope, 0.0, equation.ends[0]))
    hard.append(equation.gap == 0.0)
    for (_, left), (right, _) in itertools.pairwise(walls):
        start, stop = _level_in(level, low, left, right), _level_in(level, high, left, right)
        if start < stop:
            pair = inside_gap(rates, start, stop)
            found += pair
            hard += [False] * len(pair)
    if equation.share_of:
        found.append(_between(slope, 1.0, equation.ends[1]))
        hard.append(c2 == 1.0)
    else:
        found.append(outwards(slope, equation.ends[1], 1.0, size))
        hard.append(False)
    return found, hard


def outer_zeros(equation: TwoSamplesEquation) -> tuple[float, float]:
    """Where alpha = 0 left and beta = 0 right of all walls; the wall itself if K stays on one side."""
    walls, size = equation.walls, equation.size
    c1, c2 = equation.ratio1, equation.ratio2
    left = 0.0 if equation.gap == 0.0 else _crossing(_level(equation), 1.0 / c1, walls[0][0], -1.0, size)
    if equation.share_of and c2 == 1.0:
        return left, 1.0
    return left, _crossing(_level(equation), (c2 - 1.0) / c2, walls[-1][1], 1.0, size)


def _level(equation: TwoSamplesEquation) -> Callable[[float], float]:
    """K at real v."""
    return lambda v: float(equation.levels(np.array([complex(v)]))[0][0].real)


def level_below(equation: TwoSamplesEquation, s: float) -> float:
    """K at w = -s."""
    if equation.population.edges.size:
        return float(equation.levels_of(np.array([complex(-s)]))[0][0].real)
    at, mass = equation.population.atoms
    return float(np.sum(mass * at / (at + s)))


def share_scale(equation: TwoSamplesEquation) -> float:
    """The s > 0 with ``z(-s) = -k``: the zero of ``s alpha - k beta``, which increases."""
    c1, c2, k = equation.ratio1, equation.ratio2, equation.weight

    def excess(s: float) -> float:
        level = level_below(equation, s)
        return s * (1.0 - c1 * level) - k * (1.0 - c2 + c2 * level)

    low = high = equation.reach
    while excess(low) > 0.0:
        low *= 0.1
    while excess(high) < 0.0:
        high *= 10.0
    from scipy.optimize import brentq

    return float(brentq(excess, low, high, xtol=1e-300, rtol=4.0 * _EPS)) if low < high else low


def _crossing(level: Callable[[float], float], target: float, end: float, side: float, size: float) -> float:
    """Where K takes a value beyond an outer wall; the wall itself if K does not go so far."""
    step = max(4.0 * _EPS * abs(end), _TINY * size)

    def miss(distance: float) -> float:  # positive next to the wall on the left, negative on the right
        return side * (level(end + side * distance) - target)

    if not miss(step) < 0.0:
        return end
    for _ in range(400):
        far = 4.0 * step
        if miss(far) > 0.0:
            return end + side * float(bisect(miss, step, far))
        step = far
    return end + side * step


def _level_in(level: Callable[[float], float], target: float, left: float, right: float) -> float:
    """Where K takes a value between two walls; the wall on whose side it stays."""
    low, high = left, right
    near = 4.0 * _EPS * max(abs(left), abs(right))
    if level(left + near) >= target:
        return left
    if level(right - near) <= target:
        return right
    low, high = left + near, right - near
    return float(bisect(lambda v: level(v) - target, low, high))


def _between(slope: Callable[[float], float], fixed: float, zero: float) -> float:
    """The critical point between two points at which F has the same value; the second may be a wall."""
    span, share = zero - fixed, 1.0
    falls = slope(fixed) < 0.0
    for _ in range(40):  # at a wall F' may not be a number
        if np.isfinite(slope(fixed + span * share)):
            break
        share *= 1.0 - 2.0**-40
    if (slope(fixed + span * share) < 0.0) == falls:
        return zero
    return float(fixed + span * bisect(lambda s: slope(fixed + span * s), 0.0, share))
