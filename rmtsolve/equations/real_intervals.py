"""The real line without the bulks and poles of a function, and zeros of a function that increases on such intervals."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..measures.base import Real

END = 34.0  # exp(-34) of an interval's length is "at the end", relative to the rounding of the end itself

Flags = NDArray[np.bool_]


class Intervals(NamedTuple):
    """Real intervals without singularities; an end at a bulk (`True`) has a finite gauge, the others are poles."""

    low: Real
    high: Real
    low_bulk: Flags
    high_bulk: Flags


def complement(bulks: Real, poles: Real) -> Intervals:
    """The line minus bulks and poles; poles inside bulks do not count."""
    inside = ((poles[:, None] > bulks[:, 0]) & (poles[:, None] < bulks[:, 1])).any(axis=1)
    holes = [(float(a), float(b), True) for a, b in bulks] + [(float(p), float(p), False) for p in poles[~inside]]
    holes.sort()
    low, high, low_bulk, high_bulk = [-np.inf], [], [False], []
    for left, right, bulk in holes:
        high.append(left)
        high_bulk.append(bulk)
        low.append(right)
        low_bulk.append(bulk)
    high.append(np.inf)
    high_bulk.append(False)
    keep = np.array(low) < np.array(high)
    return Intervals(np.array(low)[keep], np.array(high)[keep], np.array(low_bulk)[keep], np.array(high_bulk)[keep])


def increasing_zeros(
    function: Callable[[Real], Real],
    low: Real,
    high: Real,
    low_finite: NDArray[np.bool_],
    high_finite: NDArray[np.bool_],
    unit: float,
) -> Real:
    """Zeros of a function that increases on each interval, from -inf or a finite value to inf or a finite value.

    Next to logarithms they are exponentially near the ends; the nearest points are those of the real curves.
    """
    width = high - low
    nudge = math.exp(-END) * np.minimum(width, unit)
    bottom = np.where(low_finite, function(np.maximum(low + nudge, np.nextafter(low, high))), -np.inf)
    top = np.where(high_finite, function(np.minimum(high - nudge, np.nextafter(high, low))), np.inf)
    has = (bottom < 0.0) & (top > 0.0)
    low, width = low[has], width[has]
    a, b = np.zeros(low.size), np.ones(low.size)
    for _ in range(60):
        middle = 0.5 * (a + b)
        below = function(low + middle * width) < 0.0
        a, b = np.where(below, middle, a), np.where(below, b, middle)
    return np.asarray(low + 0.5 * (a + b) * width)
