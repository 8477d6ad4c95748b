"""The real curves ``gauge_1(u) = gauge_2(v)`` of two factors, one for each pair of intervals without singularities.

On a curve v is the parameter, u follows by inverting the increasing gauge of the first factor, and z is explicit:
``z = u - N_2(v)`` for sums, ``z = t`` for products and ``z = 1/t`` for the sandwich, with ``t = v/N_1(u) = u/N_2(v)``.
"""

from __future__ import annotations

import itertools
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..measures.base import Real
from .closed_cells import NODES, closed_cells
from .real_intervals import END
from .sides import Side

Flags = NDArray[np.bool_]
Index = NDArray[np.int64]

REACH = 16.0  # samples go to exp(-16) of an interval's length from its ends, and exp(16) lengths out
_OUT = 45.0  # exp(45) lengths: infinity, also where the two factors are of very different size
_SAME = 1e-15
_FEW = 64  # curves that are sampled as fast as they are told to be of no use
_SAFE = 18.0  # here the gauge next to a pole is still right; nearer, rounding may carry a point across the pole


class Span(NamedTuple):
    """Intervals with a coordinate x: logistic on bounded ones, exponential on half-lines."""

    low: Real
    high: Real
    scale: float

    def at(self, x: Real) -> Real:
        """The point with coordinate x."""
        width = self.high - self.low
        with np.errstate(over="ignore", invalid="ignore"):
            inner = np.where(
                x < 0.0, self.low + width / (1.0 + np.exp(-x)), self.high - width / (1.0 + np.exp(x))
            )  # from the nearer end, so that its distance keeps its digits
            right, left = self.low + self.scale * np.exp(x), self.high - self.scale * np.exp(-x)
        return np.where(np.isfinite(width), inner, np.where(np.isfinite(self.low), right, left))

    def spread(self, x: Real) -> Real:
        """The points with coordinates x, one row for each interval."""
        rows = np.repeat(np.arange(x.shape[0]), x.shape[1])
        return self.take(rows).at(x.ravel()).reshape(x.shape)

    def rate(self, u: Real) -> Real:
        """du/dx at u."""
        with np.errstate(invalid="ignore"):
            inner = (u - self.low) * (self.high - u) / (self.high - self.low)
        outer = np.where(np.isfinite(self.low), u - self.low, self.high - u)
        return np.where(np.isfinite(self.high - self.low), inner, outer)

    def take(self, index: Index) -> Span:
        """Some of the intervals."""
        return Span(self.low[index], self.high[index], self.scale)

    def ends(self, reach: float, out: float) -> tuple[Real, Real]:
        """First and last coordinate: `reach` at finite ends, `out` at infinity."""
        return np.where(np.isfinite(self.low), -reach, -out), np.where(np.isfinite(self.high), reach, out)


class Segments(NamedTuple):
    """Pairs of a cell of the first factor and a v-interval on which their curve exists; is an end at a bulk?"""

    cell: Index
    low: Real
    high: Real
    low_bulk: Flags
    high_bulk: Flags


class Point(NamedTuple):
    """Points of the curves: z, ``g = 1 - T'``, the arguments of the factors, N and N' there."""

    z: Real
    g: Real
    u: Real
    v: Real
    n_one: Real
    n_two: Real
    d_one: Real
    d_two: Real


class Curves:
    """All curves of two factors of one kind."""

    def __init__(self, one: Side, two: Side) -> None:
        self.one, self.two, self.kind = one, two, one.kind
        self.cells = one.intervals
        self.cell_span = Span(self.cells.low, self.cells.high, _length(one))
        self.scale = _length(two)
        with np.errstate(all="ignore"):
            first, last = self.cell_span.ends(END, _OUT)
            self.bottom = np.where(self.cells.low_bulk, one.gauge(self.cell_span.at(first))[0], -np.inf)
            self.top = np.where(self.cells.high_bulk, one.gauge(self.cell_span.at(last))[0], np.inf)
            unit = np.ones(first.size)
            self._near_low = np.where(self.cells.low_bulk, np.inf, one.gauge(self.cell_span.at(-_SAFE * unit))[0])
            self._near_high = np.where(self.cells.high_bulk, -np.inf, one.gauge(self.cell_span.at(_SAFE * unit))[0])
        at = one.measure.atoms
        at_zero = float(at.weights[at.locations == 0.0].sum())
        if self.kind == "sandwich":  # u N is bounded at infinity
            total = -one.rate * (1.0 - at_zero)
            self.bottom = np.where(np.isinf(self.cells.low), total, self.bottom)
            self.top = np.where(np.isinf(self.cells.high), total, self.top)
        elif self.kind == "product" and at_zero == 0.0:  # the limit at a hard edge, where the gauge has a root
            self.top = np.where(self.cells.high_bulk & (self.cells.high == 0.0), 0.0, self.top)
        elif self.kind == "product":  # u N is bounded at the pole of N at 0
            pole = -at_zero / (1.0 - at_zero)
            self.bottom = np.where(self.cells.low == 0.0, pole, self.bottom)
            self.top = np.where(self.cells.high == 0.0, pole, self.top)

    def invert(self, cell: Index, y: Real) -> tuple[Real, Real, Real]:
        """u in the cell with gauge_1(u) = y, N_1 and N_1' there; nan where there is no such u."""
        bottom, top = self.bottom[cell], self.top[cell]
        with np.errstate(invalid="ignore"):
            good = (y >= bottom - 1e-12 * np.abs(bottom)) & (y <= top + 1e-12 * np.abs(top))
        y = np.clip(y, bottom, top)
        if not (self.one.discrete and self.one.poles.locations.size):
            u = self._invert_generic(cell, y, good)
            return u, *self.one.evaluate(u)
        from .._kernels.poles import invert_gauge

        u, n, slope = np.empty(y.size), np.empty(y.size), np.empty(y.size)
        y = np.where(good, y, np.nan)
        invert_gauge(self.kind == "sum", y, self._left[cell], self._right[cell], *self.one.poles, u, n, slope)
        return u, n, slope

    @cached_property
    def _left(self) -> Index:
        """Number of the pole at the left end of every cell, -1 where there is none."""
        return np.searchsorted(self.one.poles.locations, self.cells.low, side="right") - 1

    @cached_property
    def _right(self) -> Index:
        return np.searchsorted(self.one.poles.locations, self.cells.high)

    def _invert_generic(self, cell: Index, y: Real, good: Flags) -> Real:
        """u by bracketed Newton steps on asinh(gauge); nan where it is not `good`."""
        span = self.cell_span.take(cell)
        low, high = span.ends(END, _OUT)
        finite = np.abs(y[np.isfinite(y)])
        unit = max(float(np.median(finite)) if finite.size else 1.0, 1e-300)
        target = np.arcsinh(y / unit)
        x, previous = np.zeros(y.shape), high - low
        active = np.flatnonzero(good)
        for _ in range(120):
            if active.size == 0:
                break
            here, part = x[active], span.take(active)
            u = part.at(here)
            value, slope = self.one.gauge(u)
            # the gauge increases: what is not below its value farther from a pole is from the other side of the pole
            value = np.where((here < -_SAFE) & ~(value <= self._near_low[cell[active]]), -np.inf, value)
            value = np.where((here > _SAFE) & ~(value >= self._near_high[cell[active]]), np.inf, value)
            gap = np.arcsinh(value / unit) - target[active]
            low[active], high[active] = np.where(gap < 0.0, here, low[active]), np.where(gap < 0.0, high[active], here)
            step = -gap * np.hypot(value, unit) / (slope * part.rate(u))
            new = here + step
            newton = (new > low[active]) & (new < high[active]) & (np.abs(step) <= 0.5 * previous[active])
            new = np.where(newton, new, 0.5 * (low[active] + high[active]))
            small = 1e-14 * (1.0 + np.abs(here))
            done = (np.abs(step) <= small) | (high[active] - low[active] <= small)
            x[active], previous[active] = np.where(done, here, new), np.abs(new - here)
            active = active[~done]
        return np.where(good, span.at(x), np.nan)

    def evaluate(self, cell: Index, v: Real) -> Point:
        """The points of the curves with the given v; nan where the first factor has no such u in the cell."""
        with np.errstate(all="ignore"):
            n_two, d_two = self.two.evaluate(v)
            u, n_one, d_one = self.invert(cell, v + n_two if self.kind == "sum" else v * n_two)
            if self.kind == "sum":
                return Point(u - n_two, 1.0 - d_one * d_two, u, v, n_one, n_two, d_one, d_two)
            # the quotient that rounding of the argument moves less
            t = np.where(np.abs(u * d_one / n_one) < np.abs(v * d_two / n_two), v / n_one, u / n_two)
            z = t if self.kind == "product" else 1.0 / t
            return Point(z, 1.0 - t * t * d_one * d_two, u, v, n_one, n_two, d_one, d_two)

    def segments(self) -> Segments:
        """Every piece of every curve but those that are known to have no point with ``T' < 1``."""
        lows, highs, low_bulks, high_bulks = (np.array(part) for part in zip(*self._monotone_pieces(), strict=True))
        closed = np.zeros((self.cells.low.size, lows.size), dtype=np.bool_)
        if self.one.discrete and lows.size * self.cells.low.size > _FEW:
            pieces = Span(lows, highs, self.scale)
            x = pieces.ends(REACH, REACH)
            nodes = pieces.spread(np.linspace(*x, NODES, axis=1))
            closed = closed_cells(self.one, self.two, nodes, np.isinf(np.stack([lows, highs], axis=1)))
        piece, cell = np.nonzero(~closed.T)
        low, high, low_bulk, high_bulk = lows[piece], highs[piece], low_bulks[piece], high_bulks[piece]
        # where a cell's gauge is bounded, only a part of the v-interval carries its curve
        for bound, bulk, lower in (
            (self.bottom[cell], self.cells.low_bulk[cell], True),
            (self.top[cell], self.cells.high_bulk[cell], False),
        ):
            span = Span(low, high, self.scale)
            cut = self._crossing(span, bound)
            with np.errstate(all="ignore"):
                rising = np.asarray(self.two.gauge(span.at(np.zeros(low.size)))[1] > 0.0)
            at_low, at_high = ~np.isnan(cut) & (rising == lower), ~np.isnan(cut) & (rising != lower)
            low, low_bulk = np.where(at_low, cut, low), np.where(at_low, bulk, low_bulk)
            high, high_bulk = np.where(at_high, cut, high), np.where(at_high, bulk, high_bulk)
        keep = low < high
        return Segments(cell[keep], low[keep], high[keep], low_bulk[keep], high_bulk[keep])

    def _monotone_pieces(self) -> list[tuple[float, float, bool, bool]]:
        """v-intervals on which the second gauge is monotone, cut at v = 0 where a sandwich's z passes infinity."""
        pieces = []
        for low, high, low_bulk, high_bulk in zip(*self.two.intervals, strict=True):
            whole = np.isinf(low) and np.isinf(high)  # N without poles: two atoms +-a of mass 1/2
            ends = [
                float(low),
                *([0.0] if low < 0.0 < high and (self.kind == "sandwich" or whole) else []),
                float(high),
            ]
            if self.kind != "sum" and not self.two.positive:
                cuts = [cut for pair in itertools.pairwise(ends) for cut in self._turning_points(*pair)]
                ends = sorted({*ends, *cuts})
            for i in range(len(ends) - 1):
                pieces.append((ends[i], ends[i + 1], bool(low_bulk) and i == 0, bool(high_bulk) and i == len(ends) - 2))
        return pieces

    def _turning_points(self, low: float, high: float) -> list[float]:
        """Where the second gauge stops to be monotone (laws with atoms of both signs)."""
        span = Span(np.array([low]), np.array([high]), self.scale)
        x = np.linspace(-REACH, REACH, 1001)
        with np.errstate(all="ignore"):
            sign = np.sign(self.two.gauge(span.at(x))[1])
            left = np.flatnonzero(sign[1:] * sign[:-1] < 0.0)
            a, b = x[left], x[left + 1]
            for _ in range(60):
                c = 0.5 * (a + b)
                same = np.sign(self.two.gauge(span.at(c))[1]) == sign[left]
                a, b = np.where(same, c, a), np.where(same, b, c)
        return list(span.at(a))

    def _crossing(self, span: Span, bound: Real) -> Real:
        """v with gauge_2(v) = bound inside the interval; nan where there is none."""
        out = np.full(bound.size, np.nan)
        some = np.flatnonzero(np.isfinite(bound))
        span, bound = span.take(some), bound[some]
        a, b = span.ends(_SAFE + 8.0, _OUT)
        with np.errstate(all="ignore"):
            first, last = self.two.gauge(span.at(a))[0] - bound, self.two.gauge(span.at(b))[0] - bound
            # ends that are equal (both factors of full rank at ratio one) must not cross by their rounding
            start, stop = (np.where(np.abs(gap) <= _SAME * np.abs(bound), 0.0, np.sign(gap)) for gap in (first, last))
            for _ in range(70):
                c = 0.5 * (a + b)
                same = np.sign(self.two.gauge(span.at(c))[0] - bound) == start
                a, b = np.where(same, c, a), np.where(same, b, c)
        out[some] = np.where(start * stop < 0.0, span.at(0.5 * (a + b)), np.nan)
        return out


def _length(side: Side) -> float:
    """Length scale of the argument of N."""
    width = side.high - side.low
    if side.kind == "sandwich":
        return 1.0 / side.radius
    return width if width > 0.0 else max(side.radius, 1.0)
