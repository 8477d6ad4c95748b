"""Search for points with ``T' < 1`` on real curves that have none at their nodes: gaps of the support that are small.

``T'^(-1/2)`` is a product of a concave function of u and a concave function of v (of one of them after the change of
variable -1/u or -1/v, for kinds other than sums):

=====  ========================  ======================  ==========================
kind   first factor              second factor           concave between zeros of
=====  ========================  ======================  ==========================
sum    ``N_1'``                  ``N_2'``
other  ``u^2 N_1'``, in -1/u     ``(-1/N_2)'``           u, N_2
other  ``(-1/N_1)'``             ``v^2 N_2'``, in -1/v   N_1, v
=====  ========================  ======================  ==========================

So chords bound it between nodes, and an interval is halved until its bound or its middle decides. Both bounds are of
second order in the length, also next to a maximum that is just 1. One point is enough: on one curve the points with
``T' < 1`` are an interval. For the mass between two gaps is told by the cells of u and v and the signs of the gauge and
of ``1/m``, and a bulk between two gaps of one curve would have the mass 0.

Source: derived.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..measures.base import Real
from .concave import highest, windows
from .real_curves import Index, Point

_HALVINGS = 36
_CROWD = 16  # intervals of one curve that go on after the first halvings: more are open only where rounding decides
_EARLY = 8
_LEAST = 5e-12  # excess of the product over 1 that counts, half the margin of g
_SAME = 1e-9  # of T' to 1 at all nodes of a curve: it is 1 identically
_MOST = 1 << 18  # intervals: more of them mean a long stretch on which T' is 1 to rounding

Sample = Callable[[Index, Real], Point]  # by row and coordinate


def small_gaps(sample: Sample, x: Real, points: Point, additive: bool) -> tuple[Index, Index, Real]:
    """Rows of x without a positive g among its nodes that have one between them: row, interval and coordinate.

    Parameters
    ----------
    sample : callable
        Points of the curves by row and coordinate.
    x : Real
        Coordinates of nodes, shape (rows, nodes), rows increasing.
    points : Point
        The values there, all of that shape.
    additive : bool
        Whether the kind is a sum.
    """
    with np.errstate(invalid="ignore"):
        critical = (~np.isfinite(points.g) | (np.abs(points.g) <= _SAME)).all(axis=1)
    quiet = ~(points.g > 0.0).any(axis=1) & ~critical
    count = x.shape[1] - 1
    near = Point(*(windows(part[quiet]).reshape(4, -1) for part in points))
    where = windows(x[quiet]).reshape(4, -1)[1:3]
    row = np.repeat(np.flatnonzero(quiet), count)
    column = np.tile(np.arange(count), int(quiet.sum()))
    out: list[tuple[int, int, float]] = []
    for halving in range(_HALVINGS):
        top = _highest_product(near, additive)
        open_ = top >= 1.0 + _LEAST
        if halving > _EARLY:
            open_ &= _place_in_row(row, top) < _CROWD
        near, where, row, column = Point(*(part[:, open_] for part in near)), where[:, open_], row[open_], column[open_]
        if row.size == 0 or row.size > _MOST:
            break
        middle = 0.5 * (where[0] + where[1])
        new = sample(row, middle)
        best = np.flatnonzero(new.g > 0.0)
        first = best[np.unique(row[best], return_index=True)[1]]
        out += zip(row[first].tolist(), column[first].tolist(), middle[first].tolist(), strict=True)
        left = ~np.isin(row, row[first])
        row, column = np.tile(row[left], 2), np.tile(column[left], 2)
        where = np.concatenate([np.stack([where[0], middle])[:, left], np.stack([middle, where[1]])[:, left]], axis=1)
        near = Point(*(_halves(part[:, left], own[left]) for part, own in zip(near, new, strict=True)))
    rows, columns, places = (list(part) for part in zip(*out, strict=True)) if out else ([], [], [])
    return np.array(rows, dtype=np.int64), np.array(columns, dtype=np.int64), np.array(places)


def _halves(part: Real, middle: Real) -> Real:
    """Nodes around both halves of intervals, from those around the intervals."""
    return np.concatenate(
        [np.stack([part[0], part[1], middle, part[2]]), np.stack([part[1], middle, *part[2:]])], axis=1
    )


def _place_in_row(row: Index, top: Real) -> Index:
    """How many intervals of the same row have a higher bound."""
    order = np.lexsort((-top, row))
    place = np.empty(row.size, dtype=np.int64)
    place[order] = np.arange(row.size) - np.searchsorted(row[order], row[order])
    return place


def _highest_product(near: Point, additive: bool) -> Real:
    """Upper bound of ``T'^(-1/2)`` between the second and the third of four nodes; 0 off the curves."""
    with np.errstate(all="ignore"):
        finite = np.isfinite(near.g[1]) & np.isfinite(near.g[2])
        p, q = 1.0 / np.sqrt(near.d_one), 1.0 / np.sqrt(near.d_two)
        u, v, n_one, n_two = near.u, near.v, near.n_one, near.n_two
        if additive:
            top = _top(u, p, np.ones_like(u)) * _top(v, q, np.ones_like(v))
        else:
            first = _top(-1.0 / u, p / np.abs(u), u) * _top(v, q * np.abs(n_two), n_two)
            second = _top(u, p * np.abs(n_one), n_one) * _top(-1.0 / v, q / np.abs(v), v)
            top = np.fmin(first, second)
    return np.where(finite, np.where(np.isnan(top), np.inf, top), 0.0)


def _top(t: Real, h: Real, sign: Real) -> Real:
    """Bound of h, concave in t where `sign` keeps its sign; u falls along curves whose gauge falls."""
    return highest(t * np.sign(t[2] - t[1]), h, sign[1:] * sign[:-1] > 0.0)
