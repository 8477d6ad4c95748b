"""Pairs of cells whose real curve has ``T' > 1`` all along, told by bounds: they hold no gap of the support.

A discrete factor with many atoms has as many cells, and almost all of them are in this case. Let N_1 be the function of
that factor and N_2 the other one (`rmtsolve.equations.sides`). For sums ``T' = N_1' N_2'``, for the other kinds
``T' = u^2 N_1' (-1/N_2)'``. The second factor is a function of v, the parameter of the curve, and ``h = T'^(-1/2)`` of
it is concave, which bounds it between nodes by chords beside them. The first is at least what the two poles of the cell
give, at the place that the gauge leaves them (`rmtsolve._kernels.poles`).

Source: derived.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..measures.base import Real
from .concave import Flags, highest, windows

if TYPE_CHECKING:
    from .real_intervals import Intervals
    from .sides import Side

NODES = 129  # along every curve, a power of two and one


def closed_cells(one: Side, two: Side, v: Real, unbounded: Flags) -> Flags:
    """Which cells of `one` hold no point with ``T' < 1`` along which rows of v, shape (cells, rows).

    Parameters
    ----------
    one, two : Side
        The factors; `one` must be discrete.
    v : Real
        Nodes, shape (rows, NODES), each row increasing in an interval without singularities of the second factor on
        which its gauge is monotone.
    unbounded : Flags
        Whether v goes to -inf and to inf, shape (rows, 2).
    """
    from .._kernels.poles import closed_cells as closed_pairs

    additive = one.kind == "sum"
    value, slope = (part.reshape(v.shape) for part in two.evaluate(v.ravel()))
    gauge = v + value if additive else v * value
    bounds = _lower_bounds(v, value, slope, unbounded, additive)
    heap = np.empty((v.shape[0], 2 * bounds.shape[1]))
    known = np.isfinite(bounds) & np.asarray(np.isfinite(gauge).all(axis=1))[:, None]
    heap[:, bounds.shape[1] :] = np.where(known, bounds, 0.0)
    for i in range(bounds.shape[1] - 1, 0, -1):
        heap[:, i] = np.minimum(heap[:, 2 * i], heap[:, 2 * i + 1])
    heap[:, 0] = 0.0
    poles, weights, constant = one.poles
    found = np.zeros((max(poles.size - 1, 0), v.shape[0]), dtype=np.bool_)
    closed_pairs(additive, poles, weights, constant, gauge, heap, found)
    return _by_cell(one.intervals, poles, found)


def _by_cell(cells: Intervals, poles: Real, found: Flags) -> Flags:
    """Rows of `found` for all cells: False for those that are not between neighbouring poles."""
    out = np.zeros((cells.low.size, found.shape[1]), dtype=np.bool_)
    left = np.searchsorted(poles, cells.low, side="right") - 1
    right = np.searchsorted(poles, cells.high)
    inner = np.flatnonzero((left >= 0) & (right == left + 1) & (right < poles.size))
    inner = inner[(poles[left[inner]] == cells.low[inner]) & (poles[right[inner]] == cells.high[inner])]
    out[inner] = found[left[inner]]
    return out


def _lower_bounds(v: Real, value: Real, slope: Real, unbounded: Flags, additive: bool) -> Real:
    """Lower bounds of N' (additive) or ``(-1/N)'`` between neighbouring nodes.

    ``h = (N')^(-1/2)``, or the same for -1/N, is concave where it is analytic: between the nodes, and for -1/N on each
    side of the zero of N. It grows towards infinity.
    """
    with np.errstate(all="ignore"):
        h = 1.0 / np.sqrt(slope) if additive else np.abs(value) / np.sqrt(slope)
        sign = np.ones_like(value) if additive else np.sign(value)
        around = windows(sign)
        regular = np.asarray(around[1:] == around[:-1]).reshape(3, -1)
        top = highest(windows(v).reshape(4, -1), windows(h).reshape(4, -1), regular).reshape(v.shape[0], -1)
        for end, to in ((0, 0), (-1, 1)):
            top[:, end] = np.where(unbounded[:, to], np.maximum(h[:, end], h[:, 1 - 3 * to]), top[:, end])
        return 1.0 / top**2
