"""Edges of the law of a `CompositionEquation`: real critical points of F off the support of H.

On every interval between the points where F is singular, ``g = 1 - F'`` is convex; the law's bulks are where g > 1 or F
is singular. So an outer interval holds one critical point and an inner one two or none; where H vanishes so fast at its
edge that g stays below 1, that edge takes the place of a critical point.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .composition import CompositionEquation

Real = NDArray[np.float64]

_EPS = float(np.finfo(float).eps)
_NODES = 64  # on the circle that gives the Taylor series at a critical point
_TERMS = 40  # of that series
# least depth of g below 1 that makes a gap: one of depth d has the width d^(3/2), and rounding also makes g < 1 where
# bulks touch at a point where F' = F'' = 0
_TOUCH = 1e-12
_CLEAR = 1e3
_GOLDEN = 0.5 * (math.sqrt(5.0) - 1.0)


class Edge(NamedTuple):
    """One edge of the law."""

    critical: float  # u_e
    location: float  # F(u_e)
    series: Real  # a_2, a_3, ... of (F(u_e + unit t) - F(u_e)) / unit; empty at an edge that is no critical point
    unit: float  # of the series
    reach: float  # |t| up to which the series is used


def edge_table(equation: CompositionEquation) -> list[Edge]:
    """All edges from left to right."""
    walls = equation.walls

    def excess(u: float) -> float:
        """g - 1; +inf at a singular point."""
        value = -_real(equation, u)[1]
        return value if math.isfinite(value) else math.inf

    ends = [_outer(excess, walls[0][0], -1.0, equation.size)]
    for (_, left), (right, _) in itertools.pairwise(walls):
        ends.extend(_gap(excess, left, right))
    ends.append(_outer(excess, walls[-1][1], 1.0, equation.size))
    return [_edge(equation, u, walls) for u in ends]


def singular_intervals(equation: CompositionEquation) -> list[tuple[float, float]]:
    """Closed intervals of the real line that hold the singular points of F, disjoint and sorted.

    Bulks of H, and its atoms but for an atom at 0 of a covariance; for a free power, where F is analytic at isolated
    atoms, the zeros of m_H instead.
    """
    at = equation.population.atoms.locations
    at = at[at != 0.0] if equation.origin else at
    pieces = np.concatenate([equation.population.edges.reshape(-1, 2), np.stack([at, at], axis=1)])
    merged: list[tuple[float, float]] = []
    for left, right in sorted(pieces.tolist()):
        if merged and left <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], right))
        else:
            merged.append((left, right))
    if equation.kind != "free power":
        return merged
    walls = [piece for piece in merged if piece[0] < piece[1]]
    for (_, left), (right, _) in itertools.pairwise(merged):
        low, high = left, right
        step = 1e-12 * (right - left)
        if not (_transform(equation, left + step) < 0.0 < _transform(equation, right - step)):
            continue
        while (middle := 0.5 * (low + high)) not in (low, high):  # m_H increases from left to right
            low, high = (middle, high) if _transform(equation, middle) < 0.0 else (low, middle)
        walls.append((low, high))
    return sorted(walls)


def _real(equation: CompositionEquation, u: float) -> tuple[float, float]:
    """F and F' at a real point."""
    value, slope = equation.image(np.array([u], dtype=np.complex128))
    return float(value[0].real), float(slope[0].real)


def _transform(equation: CompositionEquation, u: float) -> float:
    return float(equation.population._stieltjes(np.array([u], dtype=np.complex128))[0].real)


def _outer(excess: Callable[[float], float], end: float, side: float, size: float) -> float:
    """Critical point beyond the outermost wall (the wall itself, if there is none)."""
    near = 1e-15 * max(abs(end), 1e-3 * size)
    far = size
    while excess(end + side * far) > 0.0:
        far *= 2.0
    return _from_wall(excess, end, side, near, far)


def _from_wall(excess: Callable[[float], float], end: float, side: float, near: float, far: float) -> float:
    """Critical point between distances near and far from a wall, or the wall itself.

    Where H has an infinite density at the wall the slope of its transform is rounding next to it, so one place more
    is asked.
    """
    for distance in (near, min(_CLEAR * near, 0.5 * far)):
        if excess(end + side * distance) > 0.0:
            return end + side * _root(_ray(excess, end, side), distance, far)
    return end


def _gap(excess: Callable[[float], float], left: float, right: float) -> list[float]:
    """The two critical points between two walls, or none."""
    near = 4.0 * _EPS * max(abs(left), abs(right))
    a, b = left + near, right - near
    if b - a <= near:
        return []
    c, d = b - _GOLDEN * (b - a), a + _GOLDEN * (b - a)
    gc, gd = excess(c), excess(d)
    for _ in range(90):  # golden section for the minimum of g, until g < 1 is seen
        if min(gc, gd) < -_TOUCH:
            break
        if gc < gd:
            b, d, gd = d, c, gc
            c = b - _GOLDEN * (b - a)
            gc = excess(c)
        else:
            a, c, gc = c, d, gd
            d = a + _GOLDEN * (b - a)
            gd = excess(d)
    if not min(gc, gd) < -_TOUCH:
        return []
    inside = c if gc < 0.0 else d
    return [_from_wall(excess, end, side, near, abs(inside - end)) for end, side in ((left, 1.0), (right, -1.0))]


def _ray(excess: Callable[[float], float], end: float, side: float) -> Callable[[float], float]:
    """Excess at a distance from `end` on the given side."""
    return lambda s: excess(end + side * s)


def _edge(equation: CompositionEquation, u: float, walls: list[tuple[float, float]]) -> Edge:
    """Location and Taylor series at a critical point."""
    pin = equation.pins[np.abs(equation.pins - u) <= 1e-7 * equation.size]
    u = float(pin[0]) if pin.size else u
    distance = min(max(left - u, u - right, 0.0) for left, right in walls)
    if distance == 0.0:  # an edge of H: F has a limit there, T u where m_H is infinite, and u = 0 is mapped to 0
        limit = _real(equation, u)[0]
        if not math.isfinite(limit):
            limit = equation.scale * u if equation.kind == "free power" else 0.0
        return Edge(u, limit, np.empty(0), 1.0, 0.0)
    radius = 0.5 * distance
    around = u + radius * np.exp(2j * np.pi * (np.arange(_NODES) + 0.5) / _NODES)
    value = equation.image(np.where(around.imag < 0.0, around.conj(), around))[0]
    value = np.where(around.imag < 0.0, value.conj(), value)
    power = np.arange(_TERMS)
    series = (np.fft.fft(value)[:_TERMS] / _NODES * np.exp(-1j * np.pi * power / _NODES)).real
    location = 0.0 if equation.origin and pin.size else float(series[0])
    return Edge(u, location, series[2:] / radius, radius, 0.6)


def _root(excess: Callable[[float], float], low: float, high: float) -> float:
    """Distance s in (low, high) where ``g = 1 + excess`` is 1, by false position on the nearly linear g^(-1/2)."""

    def height(s: float) -> float:
        value = excess(s)
        return 1.0 / math.sqrt(1.0 + value) - 1.0 if value < math.inf else -1.0

    a, b = low, high
    fa, fb = height(a), height(b)
    for _ in range(200):
        s = b - fb * (b - a) / (fb - fa)
        if not min(a, b) < s < max(a, b):
            s = 0.5 * (a + b)
        if abs(b - a) <= 2.0 * _EPS * abs(b) or s in (a, b):
            break
        f = height(s)
        if f == 0.0:
            return s
        if (f > 0.0) != (fb > 0.0):
            a, fa = b, fb
        else:
            fa *= 0.5  # Illinois: the end that stays loses weight
        b, fb = s, f
    return b
