"""Edges of a two-factor law, and the real solutions outside its support.

A real solution at z is the physical one exactly where ``T' = t^2 N_1'(u) N_2'(v) < 1`` (Denjoy-Wolff), and there z is
monotone in v. So the arcs of the real curves (`rmtsolve.equations.real_curves`) with ``T' < 1`` map one to one onto the
complement of the support. They end at folds ``T' = 1``, which are square-root edges; at a bulk of a factor; or they go
on in the next cell. A curve holds one arc or none; those that fall between the nodes of the sampling grid are searched
for (`rmtsolve.equations.gap_search`).

Source: derived, after S. Belinschi, H. Bercovici, J. Anal. Math. 101 (2007); for one factor of Marchenko-Pastur type it
is J. Silverstein, S. Choi, J. Multivariate Anal. 54 (1995).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..measures.base import Real
from .gap_search import small_gaps
from .real_curves import REACH, Curves, Flags, Index, Point, Span
from .real_intervals import END
from .sides import Side

_MARGIN = 1e-11  # T' < 1 - margin: where T' = 1 identically (atoms that only just vanish) rounding must not decide
_NODES = 121
_NEAR = 28.0  # as `END`, where the transform of the factor is still right
_ZOOM = 17
_PASSES = 16
_BLOCK = 1 << 16  # samples at a time


class Arc(NamedTuple):
    """A piece of the complement of the support, sampled with z increasing; is each end an edge?"""

    row: int
    z: Real
    v: Real
    x: Real  # coordinate on the segment
    low_stop: bool
    high_stop: bool


@dataclass(frozen=True, eq=False)
class RealLine:
    """Edges (sorted), the v that belongs to each, and the arcs that cover the complement of the support."""

    edges: Real
    critical: Real
    arcs: tuple[Arc, ...]
    sampler: _Sampler

    @property
    def units(self) -> tuple[float, float]:
        """Length scales of u and v."""
        curves = self.sampler.curves
        scales = curves.cell_span.scale, curves.scale
        return scales[::-1] if self.sampler.swapped else scales

    def start(self, z: Real) -> Real:
        """v near the solution at real points outside the support."""
        lows = np.array([arc.z[0] for arc in self.arcs])
        which = np.maximum(np.searchsorted(lows, z, side="right") - 1, 0)
        out = np.empty(z.size)
        for index in np.unique(which):
            arc, mine = self.arcs[index], which == index
            out[mine] = np.interp(z[mine], arc.z, arc.v)
        return out

    def solve(self, z: float) -> float:
        """v at one real point outside the support, by nested intervals on its arc: slow and sure."""
        arc = next((a for a in self.arcs if a.z[0] <= z <= a.z[-1]), None)
        if arc is None:
            return float("nan")
        i = int(np.clip(np.searchsorted(arc.z, z), 1, arc.z.size - 1))
        low, high = arc.x[i - 1], arc.x[i]
        row = np.full(_ZOOM, arc.row)
        for _ in range(_PASSES):
            nodes = np.linspace(low, high, _ZOOM)
            k = int(np.clip(np.count_nonzero(self.sampler.at(row, nodes)[0] < z), 1, _ZOOM - 1))
            low, high = nodes[k - 1], nodes[k]
        return float(self.sampler.at(row[:1], np.array([0.5 * (low + high)]))[2][0])


class _Sampler:
    """The segments of the curves, evaluated by row and coordinate; the v that it tells is that of the second factor.

    The curves are sampled in the argument of the factor with fewer atoms, whose cells are the wider ones: next to a
    pole in a narrow cell rounding hides how the other argument goes to infinity.
    """

    def __init__(self, one: Side, two: Side) -> None:
        free = one.kind == "sum" or two.positive  # only gauges that increase can be inverted
        self.swapped = free and two.discrete and _cells(one) < _cells(two)
        self.curves = curves = Curves(two, one) if self.swapped else Curves(one, two)
        self.cell, low, high, self.low_bulk, self.high_bulk = curves.segments()
        self.span = Span(low, high, curves.scale)

    def points(self, row: Index, x: Real) -> Point:
        """The points of the curves, with ``g = 1 - T' - margin``, -inf off the curve."""
        parts = []
        for i in range(0, max(x.size, 1), _BLOCK):
            part = slice(i, i + _BLOCK)
            parts.append(self.curves.evaluate(self.cell[row[part]], self.span.take(row[part]).at(x[part])))
        whole = Point(*(np.concatenate(part) for part in zip(*parts, strict=True)))
        return whole._replace(g=np.where(np.isnan(whole.g), -np.inf, whole.g) - _MARGIN)

    def told(self, point: Point) -> Real:
        """The argument of the second factor."""
        return point.u if self.swapped else point.v

    def at(self, row: Index, x: Real) -> tuple[Real, Real, Real]:
        """z, g and the argument of the second factor."""
        point = self.points(row, x)
        return point.z, point.g, self.told(point)


def _cells(side: Side) -> int:
    return side.intervals.low.size


def real_line(one: Side, two: Side) -> RealLine:
    """Edges and real arcs of the law of two factors of the same kind."""
    sampler = _Sampler(one, two)
    first, last = sampler.span.ends(REACH, REACH)
    x = first[:, None] + (last - first)[:, None] * np.linspace(0.0, 1.0, _NODES)
    rows = np.repeat(np.arange(x.shape[0]), _NODES)
    points = Point(*(part.reshape(x.shape) for part in sampler.points(rows, x.ravel())))
    row, interval, place = small_gaps(sampler.points, x, points, one.kind == "sum")
    column = np.maximum(interval, 1)  # a node that is moved there must have one on both sides
    x[row, column] = place
    z, g, v = points.z, points.g, sampler.told(points)
    z[row, column], g[row, column], v[row, column] = sampler.at(row, place)
    arcs = _collect(sampler, x, v, z, g)
    edges, critical = _edges(arcs, one.kind != "sum")
    return RealLine(edges, critical, tuple(arcs), sampler)


def _collect(sampler: _Sampler, x: Real, v: Real, z: Real, g: Real) -> list[Arc]:
    """Runs of positive g, with their ends refined, sorted by z."""
    change = np.diff(np.pad(g > 0.0, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, begins = np.nonzero(change == 1)
    ends = np.nonzero(change == -1)[1] - 1
    last = x.shape[1] - 1
    low_tip, low_stop = _tips(sampler, rows, x, begins, np.maximum(begins - 1, 0), begins > 0, sampler.low_bulk, -END)
    high_tip, high_stop = _tips(sampler, rows, x, ends, np.minimum(ends + 1, last), ends < last, sampler.high_bulk, END)
    arcs = []
    for i, row in enumerate(rows):
        nodes = slice(begins[i], ends[i] + 1)
        table = np.array([z[row, nodes], v[row, nodes], x[row, nodes]])
        parts = [low_tip[:, i : i + 1]] * int(low_stop[i]) + [table] + [high_tip[:, i : i + 1]] * int(high_stop[i])
        table, stops = np.concatenate(parts, axis=1), (bool(low_stop[i]), bool(high_stop[i]))
        if table[0, 0] > table[0, -1]:  # sandwich: z = 1/t falls with v
            table, stops = table[:, ::-1], stops[::-1]
        arcs.append(Arc(int(row), table[0].copy(), table[1].copy(), table[2].copy(), stops[0], stops[1]))
    unit = max((abs(end) for arc in arcs for end in _stopped(arc)), default=1.0)
    arcs = [arc for arc in arcs if arc.z[-1] - arc.z[0] > 1e-13 * unit]  # else T' = 1 all along, within rounding
    return sorted(arcs, key=lambda arc: float(arc.z[0]))


def _tips(
    sampler: _Sampler, rows: Index, x: Real, inside: Index, outside: Index, fold: Flags, bulk: Flags, far: float
) -> tuple[Real, Flags]:
    """z, v and x at one end of every run, and whether it is an edge: a fold, or the bulk of a factor."""
    tip = np.full((3, rows.size), np.nan)
    bad = x[rows, outside]
    # a fold may be nearer to a bulk than the last node
    open_ = np.flatnonzero(~fold & bulk[rows])
    near = np.full(open_.size, np.sign(far) * _NEAR)
    g = sampler.at(rows[open_], near)[1]
    late = np.isfinite(g) & (g <= 0.0)
    bad[open_[late]] = near[late]
    fold = fold.copy()
    fold[open_[late]] = True
    bad, good = bad[fold], x[rows[fold], inside[fold]]
    weights = np.linspace(0.0, 1.0, _ZOOM)[1:-1]
    for _ in range(_PASSES):
        if bad.size == 0 or np.all(np.abs(good - bad) <= 1e-15 * (1.0 + np.abs(good))):
            break
        nodes = bad[:, None] + (good - bad)[:, None] * weights
        g = sampler.at(np.repeat(rows[fold], weights.size), nodes.ravel())[1].reshape(nodes.shape)
        first = np.where((g > 0.0).any(axis=1), (g > 0.0).argmax(axis=1), weights.size)
        full = np.concatenate([bad[:, None], nodes, good[:, None]], axis=1)
        here = np.arange(bad.size)
        bad, good = full[here, first], full[here, first + 1]
    z, _, v = sampler.at(rows[fold], good)
    tip[:, fold] = z, v, good
    runs_in = ~fold & bulk[rows]
    ends = np.full(int(runs_in.sum()), far)
    z, _, v = sampler.at(rows[runs_in], ends)
    tip[:, runs_in] = z, v, ends
    return tip, fold | runs_in


def _stopped(arc: Arc) -> list[float]:
    return [float(arc.z[0])] * arc.low_stop + [float(arc.z[-1])] * arc.high_stop


def _edges(arcs: list[Arc], hard: bool) -> tuple[Real, Real]:
    """Ends of arcs. Two open ends that follow each other are one point, where an argument passes infinity or a pole,
    and no edge, however far apart the last samples are; an open end alone is one: the hard edge at 0.
    """
    unit = max((abs(end) for arc in arcs for end in _stopped(arc)), default=1.0)
    events: list[tuple[float, float]] = []
    for left, right in itertools.pairwise(arcs):
        if not left.high_stop and not right.low_stop:
            continue
        for arc, end, stop in ((left, -1, left.high_stop), (right, 0, right.low_stop)):
            z = float(arc.z[end])
            if hard and abs(z) <= (1e-13 if stop else 1e-4) * unit:
                z = 0.0
            events.append((z, float(arc.v[end])))
    return np.array([z for z, _ in events]), np.array([v for _, v in events])
