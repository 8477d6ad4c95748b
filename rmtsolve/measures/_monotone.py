"""Monotone pieces of the eigenvalue branches of a Hermitian family over the bulks of a law, and their inverses.

A piece runs between neighbours among the ends of a bulk and the points where its branch turns. Next to either end the
inverse is that of a power series in the distance, so that a point given by its distance from the value there has a
preimage of full relative accuracy; this is what densities next to edges need. In between, bracketed Newton steps.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.polynomial import polynomial
from numpy.typing import NDArray

from ._family import Expansion, Family
from .base import Measure, Real

_EPS = float(np.finfo(float).eps)
_BESIDE = 1e-15  # of a piece: distance from its ends at which slopes are read
_KNOTS = 0.5 - 0.5 * np.cos(np.pi * np.arange(33) / 32)


Point = tuple[float, float, float]  # x, value of a branch, rounding of that value


class Preimages(NamedTuple):
    """Points of a piece: ``ends[end] + delta``, with the slope of the branch."""

    end: NDArray[np.int64]
    delta: Real
    slope: Real


class Piece:
    """One branch between two points of one bulk, where it is strictly monotone.

    Parameters
    ----------
    family : Family
        The matrices.
    branch : int
        Its number among the sorted eigenvalues that are not constant.
    ends, values : pair of float
        Points, left and right, and the eigenvalue there.
    edges : pair of int
        The edge of the law that an end is; -1 where the branch turns.
    doubts : pair of float
        Rounding of the values.
    """

    def __init__(
        self,
        family: Family,
        branch: int,
        ends: tuple[float, float],
        values: tuple[float, float],
        edges: tuple[int, int],
        doubts: tuple[float, float],
    ) -> None:
        self.family, self.branch, self.ends, self.values = family, branch, ends, values
        self.edges, self.doubts = edges, doubts
        self.rising = values[1] > values[0]
        self.low, self.high = min(values), max(values)

    @cached_property
    def expansions(self) -> tuple[Expansion | None, Expansion | None]:
        """Power series at both ends, in the signed distance over the reach."""
        length = self.ends[1] - self.ends[0]
        first, last = (
            self.family.expansion(self.ends[k], self.branch, self.edges[k] < 0, sign * length)
            for k, sign in ((0, 1.0), (1, -1.0))
        )
        return first, last

    @cached_property
    def knots(self) -> tuple[Real, Real]:
        """Points and values of a table."""
        x = self.ends[0] + (self.ends[1] - self.ends[0]) * _KNOTS
        x[-1] = self.ends[1]
        values = self.family.branches(x)[0][:, self.branch]
        values[0], values[-1] = self.values
        return x, np.maximum.accumulate(values) if self.rising else np.minimum.accumulate(values)

    def preimages(self, above: tuple[Real, Real]) -> Preimages:
        """Where the branch takes given values, by their differences from the values at both ends."""
        count = above[0].size
        end = np.where(np.abs(above[0]) <= np.abs(above[1]), 0, 1)
        delta, slope, done = np.empty(count), np.empty(count), np.zeros(count, dtype=bool)
        for k, sign in ((0, 1.0), (1, -1.0)):
            series = self.expansions[k]
            if series is None:
                continue
            span = min(1.0, abs(self.ends[1] - self.ends[0]) / series.reach)
            most = abs(polynomial.polyval(sign * span, series.coefficients))
            own = (end == k) & (np.abs(above[k]) <= most) & ~done
            if own.any():
                share, rate = _inverse_series(series.coefficients, sign, span, above[k][own])
                delta[own], slope[own], done[own] = share * series.reach, rate / series.reach, True
        rest = ~done
        if rest.any():
            at = np.array(self.values)[end[rest]] + np.where(end == 0, *above)[rest]
            x, slope[rest] = self._search(at)
            end[rest] = np.where(x - self.ends[0] <= self.ends[1] - x, 0, 1)
            delta[rest] = x - np.array(self.ends)[end[rest]]
        return Preimages(end, delta, slope)

    def _search(self, values: Real) -> tuple[Real, Real]:
        """(points, slopes) from the table and bracketed Newton steps."""
        x, table = self.knots
        sign = 1.0 if self.rising else -1.0
        position = np.clip(np.searchsorted(sign * table, sign * values), 1, x.size - 1)
        low, high = x[position - 1], x[position]

        def excess(points: Real, active: NDArray[np.int64]) -> tuple[Real, Real]:
            value, slope = self.family.branches(points)
            above: Real = sign * (value[:, self.branch] - values[active])
            return above, np.asarray(sign * slope[:, self.branch])

        points = _newton(excess, low, high, 0.5 * (low + high))
        length = self.ends[1] - self.ends[0]
        last = self.ends[1] - points <= 1e-9 * length
        # where branches cross the place is known to rounding: all slopes are those to its right, in the piece
        inside = np.clip(points + _BESIDE * length, self.ends[0] + _BESIDE * length, self.ends[1] - _BESIDE * length)
        return points, self.family.branches(inside, before=last)[1][:, self.branch]


def _newton(excess: Callable[[Real, NDArray[np.int64]], tuple[Real, Real]], low: Real, high: Real, start: Real) -> Real:
    """Zeros of increasing functions in brackets, to relative rounding."""
    low, high, x = low.copy(), high.copy(), start.copy()
    active = np.arange(x.size)
    for _ in range(200):
        value, slope = excess(x[active], active)
        here = x[active]
        high[active] = np.where(value >= 0.0, here, high[active])
        low[active] = np.where(value <= 0.0, here, low[active])
        with np.errstate(all="ignore"):
            new = here - value / slope
        inside = (new >= low[active]) & (new <= high[active])  # also where it stays at a bound: it has converged
        x[active] = np.where(value == 0.0, here, np.where(inside, new, 0.5 * (low[active] + high[active])))
        moved = np.abs(x[active] - here)
        narrow = high[active] - low[active] <= 2.0 * _EPS * np.abs(here)
        active = active[~((moved <= 2.0 * _EPS * np.abs(here)) | narrow)]
        if active.size == 0:
            break
    return x


def _inverse_series(coefficients: Real, sign: float, span: float, values: Real) -> tuple[Real, Real]:
    """(arguments, derivatives) where a polynomial without constant term, monotone on sign * [0, span], has values."""
    outward = coefficients * sign ** np.arange(coefficients.size)
    direction = 1.0 if polynomial.polyval(span, outward) > 0.0 else -1.0
    outward, target = direction * outward, np.abs(values)
    rate = polynomial.polyder(outward)
    first = int(np.flatnonzero(outward)[0])

    def excess(points: Real, active: NDArray[np.int64]) -> tuple[Real, Real]:
        value: Real = np.asarray(polynomial.polyval(points, outward), dtype=np.float64)
        return value - target[active], np.asarray(polynomial.polyval(points, rate))

    lead = outward[first] if outward[first] > 0.0 else outward[np.argmax(outward)]
    start = np.minimum((target / lead) ** (1.0 / first), span)
    share = _newton(excess, np.zeros(values.size), np.full(values.size, span), start)
    return np.asarray(sign * share), np.asarray(sign * direction * polynomial.polyval(share, rate))


def monotone_pieces(family: Family, measure: Measure) -> tuple[list[Piece], list[tuple[int, int, float]]]:
    """The pieces over all bulks, and (bulk, branch, value) where a branch does not move on a bulk."""
    pieces: list[Piece] = []
    still: list[tuple[int, int, float]] = []
    for bulk, (low, high) in enumerate(measure.support):
        if family.count == 0:
            break
        points, signs = family.directions(float(low), float(high))
        near = (1e-9 * (high - low), 16.0 * _EPS * float(family.scale(np.array([low, high])).max()))
        kinks: list[Point] = []
        for branch in range(family.count):
            x = np.array([low, *_turns(family, branch, points, signs[:, branch]), high])
            table = _without_wiggles(_values(family, branch, x))
            table[1:-1] = [_shared(point, kinks, *near) for point in table[1:-1]]
            if len(table) == 2 and abs(table[1][1] - table[0][1]) <= 16.0 * max(table[0][2], table[1][2]):
                still.append((bulk, branch, table[0][1]))
                continue
            for i, (left, right) in enumerate(pairwise(table)):
                edges = (2 * bulk if i == 0 else -1, 2 * bulk + 1 if i == len(table) - 2 else -1)
                ends, values, doubts = zip(left, right, strict=True)
                pieces.append(Piece(family, branch, ends, values, edges, doubts))
    return pieces, still


def _turns(family: Family, branch: int, points: Real, sign: NDArray[np.int64]) -> list[float]:
    """Where a branch changes its direction."""
    known = np.flatnonzero(sign)
    return [
        family.turning_point(branch, float(points[i]), float(points[j]), int(sign[i]))
        for i, j in pairwise(known)
        if sign[i] != sign[j]
    ]


def _values(family: Family, branch: int, x: Real) -> list[Point]:
    """Values of a branch, zeros rounded to 0, and their rounding."""
    doubt = 4.0 * _EPS * family.scale(x)
    values = family.branches(x)[0][:, branch]
    values = np.where(np.abs(values) <= doubt, 0.0, values)
    return list(zip(x.tolist(), values.tolist(), doubt.tolist(), strict=True))


def _shared(point: Point, known: list[Point], step: float, height: float) -> Point:
    """The known turning point of another branch that is the same to rounding: where they cross, they meet exactly."""
    for other in known:
        if abs(point[0] - other[0]) <= step and abs(point[1] - other[1]) <= height:
            return other
    known.append(point)
    return point


def _without_wiggles(table: list[Point]) -> list[Point]:
    """Without turning points between which the branch moves less than rounding."""
    while len(table) > 2:
        excess = [abs(b[1] - a[1]) - max(a[2], b[2]) for a, b in pairwise(table)]
        i = int(np.argmin(excess))
        if excess[i] > 0.0:
            break
        first, last = i == 0, i == len(table) - 2
        table = table[:1] + table[2:] if first else table[:-2] + table[-1:] if last else table[:i] + table[i + 2 :]
    return table
