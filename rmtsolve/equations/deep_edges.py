"""Edges of deep-feature spectra, from the real line alone.

Between two poles of ``Omega_s`` the function ``f(kappa) = tr Omega^2/(Omega + kappa)^2`` is convex (even ``f^(-1/2)``
is concave), so that a Wishart layer leaves of each gap of the spectrum at most one interval, ``1 - rho f > 0``; a free
product with C leaves at most one for each pair of gaps, where kappa_M increases. Going through the layers, the
intervals of kappa_0 that survive are the gaps of the last spectrum, and ``-lambda`` of their ends its edges.
Source: derived; for one layer J. W. Silverstein, S.-I. Choi, J. Multivariate Anal. 54 (1995) 295.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .deep_chain import Chain

Real = NDArray[np.float64]
Index = NDArray[np.int64]

_GRID = 98  # points on which an interval is looked at first: even, or 0/0 is in the middle of two equal atoms
_NEAR, _FAR = 70.0, 40.0  # logarithms of the smallest and largest distance from the end of an interval
_NARROW = 1e-8  # gaps and bulks of this relative width are not resolved
_GOLDEN = 0.5 * (3.0 - 5.0**0.5)


class Intervals(NamedTuple):
    """Open intervals of kappa_0 (ends may be infinite), with the gap of C chosen at every level."""

    low: Real
    high: Real
    gaps: Index  # (count, L + 1)

    def take(self, index: NDArray[np.bool_] | Index) -> Intervals:
        """The chosen intervals."""
        return Intervals(self.low[index], self.high[index], self.gaps[index])


def chain_edges(chain: Chain, ratio: float) -> Real:
    """Edges of the law of ``Phi^T Phi / n``, sorted."""
    count = np.diff(chain.packed[-1])
    scale = float(chain.population.locations[-1])
    intervals = _gaps_of_input(chain)
    for s in range(chain.levels):
        if count[s]:
            intervals = _choose_gap(intervals, s, int(count[s]))
            intervals = _restrict(chain, ratio, intervals, scale, s, _product_grows)
        intervals = _restrict(chain, ratio, intervals, scale, s, _layer_grows)
        if s + 1 < chain.levels and chain.b[s] > 0.0:
            intervals = _split_at_pole(chain, ratio, intervals, s, scale)
    return _edges_from_gaps(chain, ratio, intervals, scale)


def _column(name: str) -> int:
    from .._kernels import deep_chain

    return int(getattr(deep_chain, name))


def _layer_grows(chain: Chain, stages: Real, s: int) -> Real:
    """``1 - rho f > 0`` at level s, where the free product with C_s grows too."""
    below = stages[:, s, _column("BELOW")]
    return np.where((below > 0.0) & (stages[:, s, _column("JACOBIAN")] > 0.0), below, -np.abs(below))


def _product_grows(chain: Chain, stages: Real, s: int) -> Real:
    """``dkappa_M/dkappa > 0`` at level s; scaled by kappa^2, because kappa may pass through infinity inside a gap."""
    lift, kappa = chain.a[s] / chain.rho[s], stages[:, s, _column("KAPPA")] / chain.moments[0][s]
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = stages[:, s, _column("JACOBIAN")] / (lift * stages[:, s, _column("BELOW")])
    # an end of this interval is no edge yet: the layer that follows cuts inside it, so rounding may be kept off
    return np.asarray(slope * (1.0 + kappa * kappa) - 1e-10)


def _evaluate(chain: Chain, ratio: float, kappa: Real, gaps: Index) -> tuple[Real, Real]:
    """(lambda, stages) of the forward map at real points, one row of gaps a point; nan from the first failing level."""
    from .._kernels.deep_chain import COLUMNS, map_sweep

    lam = np.empty(kappa.size)
    stages = np.empty((kappa.size, chain.levels, COLUMNS))
    map_sweep(np.ascontiguousarray(kappa), chain.packed, ratio, np.ascontiguousarray(gaps), lam, stages)
    return lam, stages


def _gaps_of_input(chain: Chain) -> Intervals:
    """Where ``-kappa`` is off the support of Omega_0; cut at zero, where logarithmic grids begin."""
    support = chain.support[chain.support[:, 1] > 0.0]  # mass at zero does not enter tr Omega/(Omega + kappa)
    low, high = np.array([-np.inf, *-support[::-1, 0]]), np.array([*-support[::-1, 1], 0.0])
    proper = high > low
    low, high = np.append(low[proper], 0.0), np.append(high[proper], np.inf)
    return Intervals(low, high, np.zeros((low.size, chain.levels), np.int64))


def _choose_gap(intervals: Intervals, s: int, count: int) -> Intervals:
    """Each interval once for every gap between the poles of C_s."""
    size = intervals.low.size
    gaps = np.repeat(intervals.gaps, count + 1, axis=0)
    gaps[:, s] = np.tile(np.arange(count + 1), size)
    return Intervals(np.repeat(intervals.low, count + 1), np.repeat(intervals.high, count + 1), gaps)


def _points(intervals: Intervals, t: Real, scale: float) -> Real:
    """kappa at t, a logarithmic coordinate that runs from -NEAR to NEAR (or FAR towards infinity)."""
    low, high = intervals.low, intervals.high
    with np.errstate(over="ignore", invalid="ignore"):
        share = 1.0 / (1.0 + np.exp(-t))
        other = 1.0 / (1.0 + np.exp(t))
        inside = np.where(t < 0.0, low + (high - low) * share, high - (high - low) * other)
        right = low + scale * np.exp(t)
        left = high - scale * np.exp(-t)
    return np.asarray(np.where(np.isinf(high), right, np.where(np.isinf(low), left, inside)))


def _restrict(
    chain: Chain, ratio: float, intervals: Intervals, scale: float, s: int, grows: Callable[[Chain, Real, int], Real]
) -> Intervals:
    """The part of each interval where level s grows (and those before it do): one interval or nothing."""
    if intervals.low.size == 0:
        return intervals
    start = np.where(np.isinf(intervals.low), -_FAR, -_NEAR)
    stop = np.where(np.isinf(intervals.high), _FAR, _NEAR)

    def merit(chosen: Intervals, t: Real) -> Real:
        _, stages = _evaluate(chain, ratio, _points(chosen, t, scale), chosen.gaps)
        before = (stages[:, :s, _column("BELOW")] > 0.0) & (stages[:, :s, _column("JACOBIAN")] > 0.0)
        value = grows(chain, stages, s)
        return np.where(before.all(axis=1) & np.isfinite(value), value, -np.inf)

    grid = start[:, None] + (stop - start)[:, None] * np.linspace(0.0, 1.0, _GRID)
    flat = intervals.take(np.repeat(np.arange(start.size), _GRID))
    values = merit(flat, grid.ravel()).reshape(grid.shape)
    values, grid = _search_peak(merit, intervals, grid, values)
    alive = np.asarray((values > 0.0).any(axis=1))
    intervals, values, grid = intervals.take(alive), values[alive], grid[alive]
    if intervals.low.size == 0:
        return intervals
    rows = np.arange(grid.shape[0])
    flat = intervals.take(np.repeat(rows, _GRID))
    first, last = _widest_run(values > 0.0, _points(flat, grid.ravel(), scale).reshape(grid.shape))
    low, high = intervals.low.copy(), intervals.high.copy()
    for inner, step, end in ((first, -1, low), (last, 1, high)):
        cut = (inner + step >= 0) & (inner + step < grid.shape[1])
        if cut.any():
            part = intervals.take(cut)
            outside = _bisect(merit, part, grid[rows[cut], inner[cut]], grid[rows[cut], inner[cut] + step])
            end[cut] = _points(part, outside, scale)
    kept = high - low > 1e-9 * np.minimum(np.abs(low), np.abs(high))  # next to a pole the sign is lost to rounding
    return Intervals(low[kept], high[kept], intervals.gaps[kept])


def _widest_run(mask: NDArray[np.bool_], kappa: Real) -> tuple[Index, Index]:
    """First and last index of the run of True in each row over which kappa has the largest ratio.

    Next to the ends of an interval, which are poles or have come from rounded numbers, signs may be noise. Such runs
    may have many of the logarithmic points, but no width.
    """
    rows, size = mask.shape
    begin = np.zeros(mask.shape, np.int64)
    for j in range(1, size):
        begin[:, j] = np.where(mask[:, j] & mask[:, j - 1], begin[:, j - 1], j)
    height = np.log(np.maximum(np.abs(kappa), np.finfo(float).tiny))
    after = np.minimum(np.arange(size) + 1, size - 1)
    width = np.abs(height[:, after] - np.take_along_axis(height, np.maximum(begin - 1, 0), axis=1))
    width = width + 1e-12 * (np.arange(size) - begin)  # a run ends where it ends
    last = np.argmax(np.where(mask, width, -1.0), axis=1)
    return begin[np.arange(rows), last], last


def _search_peak(
    merit: Callable[[Intervals, Real], Real], intervals: Intervals, grid: Real, values: Real
) -> tuple[Real, Real]:
    """Where no grid point is positive: golden-section search for one around the best of them."""
    dead = np.flatnonzero(~(values > 0.0).any(axis=1) & np.isfinite(values).any(axis=1))
    if dead.size == 0:
        return values, grid
    part = intervals.take(dead)
    best = np.argmax(values[dead], axis=1)
    low = grid[dead, np.maximum(best - 1, 0)]
    high = grid[dead, np.minimum(best + 1, grid.shape[1] - 1)]
    point, top = grid[dead, best], values[dead, best]
    left, right = low + _GOLDEN * (high - low), high - _GOLDEN * (high - low)
    f_left, f_right = merit(part, left), merit(part, right)
    for _ in range(60):
        go_left = f_left > f_right
        point = np.where(f_left > top, left, np.where(f_right > top, right, point))
        top = np.maximum(top, np.maximum(f_left, f_right))
        if (top > 0.0).all():
            break
        low, high = np.where(go_left, low, left), np.where(go_left, right, high)
        left, right = low + _GOLDEN * (high - low), high - _GOLDEN * (high - low)
        f_left, f_right = merit(part, left), merit(part, right)
    values, grid = values.copy(), grid.copy()
    values[dead, best], grid[dead, best] = top, point
    return values, grid


def _bisect(merit: Callable[[Intervals, Real], Real], part: Intervals, inside: Real, outside: Real) -> Real:
    """The last float that is positive between a positive and a non-positive point."""
    for _ in range(200):
        middle = 0.5 * (inside + outside)
        if ((middle == inside) | (middle == outside)).all():
            break
        positive = merit(part, middle) > 0.0
        inside, outside = np.where(positive, middle, inside), np.where(positive, outside, middle)
    return inside


def _split_at_pole(chain: Chain, ratio: float, intervals: Intervals, s: int, scale: float) -> Intervals:
    """Cut intervals where kappa_s of M_s changes sign: what the layer misses gives Omega_{s+1} an atom at b_s."""
    count = intervals.low.size
    if count == 0:
        return intervals
    ends = [np.full(count, sign * limit) for sign, limit in ((-1.0, _FAR - 2.0), (1.0, _FAR - 2.0))]

    def sign(chosen: Intervals, t: Real) -> Real:
        _, stages = _evaluate(chain, ratio, _points(chosen, t, scale), chosen.gaps)
        return np.asarray(np.sign(stages[:, s, _column("KAPPA_M")]))

    crossing = (sign(intervals, ends[0]) < 0.0) & (sign(intervals, ends[1]) > 0.0)
    if not crossing.any():
        return intervals
    part = intervals.take(crossing)
    low, high = ends[0][crossing], ends[1][crossing]
    for _ in range(200):
        middle = 0.5 * (low + high)
        if ((middle == low) | (middle == high)).all():
            break
        below = sign(part, middle) < 0.0
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    cut = _points(part, low, scale)
    rest = intervals.take(~crossing)
    return Intervals(
        np.concatenate([rest.low, part.low, cut]),
        np.concatenate([rest.high, cut, part.high]),
        np.concatenate([rest.gaps, part.gaps, part.gaps]),
    )


def _edges_from_gaps(chain: Chain, ratio: float, intervals: Intervals, scale: float) -> Real:
    """Images ``-lambda`` of the ends, the gaps that touch joined, and what lies between them."""
    size = chain.bound * (1.0 + ratio**0.5) ** 2
    hard = chain.rank(ratio)[1]
    count = np.diff(chain.packed[-1])
    ends = []
    for end, inwards in ((intervals.high, -1.0), (intervals.low, 1.0)):
        # x = infinity only if every structured level is beyond all its poles; else kappa_0 passes through infinity
        outermost = np.isinf(end) & (intervals.gaps == np.where(inwards > 0, 0, count)).all(axis=1)
        kappa = np.where(np.isinf(end), -inwards * scale * np.exp(_FAR), end)
        kappa = np.where(end == 0.0, inwards * scale * np.exp(-_NEAR), kappa)
        lam, _ = _evaluate(chain, ratio, kappa, intervals.gaps)
        ends.append(np.where(outermost, -end, -lam))
    left, right = ends
    # next to a pole of Omega_s the sign of a derivative is lost to rounding: such an interval has no width
    wide = np.isinf(left) | np.isinf(right) | (right - left > _NARROW * np.maximum(np.abs(left), np.abs(right)))
    order = np.argsort(left[wide])
    left, right = left[wide][order], right[wide][order]
    edges: list[float] = []
    reach = right[0]
    for low, high in zip(left[1:], right[1:], strict=True):
        if low > reach + max(_NARROW * abs(reach), 1e-25 * size):
            edges += [float(reach), float(low)]
        reach = max(reach, high)
    if edges and hard:
        edges[0] = 0.0
    return np.array(edges)
