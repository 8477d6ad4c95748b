"""Empirical spectra: which eigenvalue belongs to what, distances from a law, and what size explains of them.

Eigenvalues repel: the empirical distribution of n of them stays within O(log n / n) of the law, not O(n^{-1/2}).
Calibrated on beta-ensembles of size 50 to 1600 (60 to 400 samples a size):

    real symmetric     mean of n KS = 0.55 + 0.40 ln n,  all but 1 % below 0.4 ln n + 2.5,  n W1 ~ 2.6, below 4.2
    complex Hermitian  mean of n KS = 0.62 + 0.28 ln n,  all but 1 % below 0.3 ln n + 2,    n W1 ~ 1.9, below 3.0

(W1 for a support of length 4). Extreme eigenvalues at a square-root edge follow Tracy and Widom.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import _validate
from .measures.base import Measure

Real = NDArray[np.float64]

STRAY_SCALES = 10.0  # an extreme eigenvalue beyond so many Tracy-Widom scales has probability below 1e-10
KNOTS = 129  # a bulk


class Rigidity(NamedTuple):
    """What size explains: n KS (mean and limit, both ``a + b ln n``), n W1 / (length / 4), Tracy-Widom extremes."""

    ks_mean: tuple[float, float]
    ks_limit: tuple[float, float]
    w1_mean: float
    w1_limit: float
    edge_mean: float
    edge_deviation: float


RIGIDITY = {  # by Dyson index
    1: Rigidity((0.55, 0.40), (2.5, 0.4), 2.6, 4.2, -1.2065335745820, math.sqrt(1.607781034581)),
    2: Rigidity((0.62, 0.28), (2.0, 0.3), 1.9, 3.0, -1.7710868074112, math.sqrt(0.813194792833)),
}


# ---------------------------------------------------------------------- which eigenvalue is what
def locations(edges: Real, outliers: Sequence[Any], size: int) -> Real:
    found = [_validate.real(getattr(one, "location", one), "outliers") for one in outliers]
    if len(found) >= size:
        _validate.fail("outliers", f"fewer than the {size} eigenvalues of a spectrum", len(found))
    for location in found:
        if np.searchsorted(edges, location) % 2 and location not in edges:
            _validate.fail("outliers", "outside the bulk of the law", location)
    return np.array(found, dtype=np.float64)


def snapped(spectra: Real, atoms: Real) -> Real:
    """Eigenvalues within the rounding of an eigensolver of an atom are put on it."""
    if atoms.size == 0:
        return spectra
    cuts = (atoms[1:] + atoms[:-1]) / 2
    nearest = atoms[np.searchsorted(cuts, spectra)]
    rounding = max(16, spectra.shape[1]) * np.finfo(np.float64).eps * np.abs(spectra).max(axis=1, keepdims=True)
    return np.sort(np.where(np.abs(spectra - nearest) <= rounding, nearest, spectra), axis=-1)


def matched(edges: Real, predicted: Real, spectra: Real, on_atom: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Column of the eigenvalue that belongs to each predicted outlier, shape (trials, outliers)."""
    matched = np.zeros((len(spectra), predicted.size), dtype=np.int64)
    position = np.searchsorted(edges, predicted)
    for row, spectrum, atomic in zip(matched, spectra, on_atom, strict=True):
        free = [int(k) for k in np.flatnonzero(~atomic)]
        if len(free) < predicted.size:
            _validate.fail("outliers", "no more than the eigenvalues off the atoms", predicted.size)
        for k in np.argsort(-predicted):  # from the largest down, so that the order is kept above the bulk
            if position[k] == edges.size:
                row[k] = free.pop()
        for k in np.argsort(predicted):
            if position[k] == 0 < edges.size:
                row[k] = free.pop(0)
            elif position[k] < edges.size:
                row[k] = free.pop(int(np.argmin(np.abs(spectrum[free] - predicted[k]))))
    return matched


class EdgeScale(NamedTuple):
    """Where the extreme eigenvalue at an edge should be at finite size."""

    expected: float  # where the extreme eigenvalue is at this size
    deviation: float
    reach: float  # how far beyond the edge an eigenvalue of the bulk may be


def edge_scale(measure: Measure, k: int, size: int, rigidity: Rigidity) -> EdgeScale:
    """Where size puts the extreme eigenvalue at edge `k`.

    Where ``rho ~ K sqrt(offset)`` over the outermost spacings it is Tracy-Widom with scale ``(pi K size)^{-2/3}``
    (semicircle: K = 1/pi, scale size^{-2/3}).
    """
    edge, inwards = float(measure.edges[k]), 1 - 2 * (k % 2)
    left, right = measure.edges[k - k % 2], measure.edges[k - k % 2 + 1]
    jump = float(measure.atoms.weights[measure.atoms.locations == edge].sum())
    level = float(measure.cdf(edge)) - (jump if inwards < 0 else 0.0) if np.isfinite(edge) else float(inwards < 0)
    half, one = (float(measure.quantile(np.clip(level + inwards * m / size, 0.0, 1.0))) for m in (0.5, 1.0))
    if not np.isfinite(edge):
        return EdgeScale(half, math.nan, math.inf)
    spacing = min(abs(one - edge), float(right - left))  # a bulk lighter than one eigenvalue: its own width
    far, near = (float(measure.density(offset=inwards * spacing / m, edge=k)) for m in (1.0, 16.0))
    if not (near > 0.0 and abs(far / near - 4.0) < 1.0):  # not like a square root over the outermost spacing
        return EdgeScale(half, math.nan, STRAY_SCALES * spacing)
    scale = (math.pi * near * math.sqrt(16.0 / spacing) * size) ** (-2.0 / 3.0)
    return EdgeScale(edge - inwards * rigidity.edge_mean * scale, rigidity.edge_deviation * scale, STRAY_SCALES * scale)


def near_bulk(edges: Real, scales: list[EdgeScale], spectra: Real) -> NDArray[np.bool_]:
    near = np.zeros(spectra.shape, dtype=bool)
    for k in range(0, edges.size, 2):
        near |= (spectra >= edges[k] - scales[k].reach) & (spectra <= edges[k + 1] + scales[k + 1].reach)
    return near


def extremes(edges: Real, spectra: Real) -> list[tuple[float, float]]:
    """Mean and standard error of the extreme eigenvalue at every edge; eigenvalues that are not of a bulk are nan."""
    cuts = (edges[1:-1:2] + edges[2::2]) / 2
    bulk = np.searchsorted(cuts, spectra)
    rows = []
    for k in range(edges.size):
        extreme = min if k % 2 == 0 else max
        kept = [row[(b == k // 2) & ~np.isnan(row)] for row, b in zip(spectra, bulk, strict=True)]
        found = np.array([extreme(values) for values in kept if values.size])
        rows.append(mean_and_error(found))
    return rows


# ---------------------------------------------------------------------- distances
class Table(NamedTuple):
    """The distribution function at all points that matter: `value` at x, `before` just left of it."""

    x: Real
    value: Real
    before: Real
    knots: Real  # where the distribution function jumps or bends


def tabulate(measure: Measure, points: Real) -> Table:
    """The distribution function at the eigenvalues and at knots: atoms, and each bulk crowded towards its edges."""
    fractions = np.sin(np.linspace(0.0, np.pi / 2, KNOTS)) ** 2
    knots = [measure.atoms.locations]
    for left, right in measure.support:
        if np.isfinite([left, right]).all():
            knots.append(left + (right - left) * fractions)
        else:
            tails = 10.0 ** -np.arange(1, 12)
            knots.append(np.asarray(measure.quantile(np.concatenate([tails, 1 - tails]))))
    every = np.concatenate(knots)
    x = np.unique(np.concatenate([points, every]))
    value = np.asarray(measure.cdf(x))
    jump = np.zeros(x.size)
    jump[np.searchsorted(x, measure.atoms.locations)] = measure.atoms.weights
    return Table(x, value, value - jump, np.unique(every))


def distances(table: Table, row: Real) -> tuple[float, float, float]:
    """Excess of the empirical distribution over the law, of the law over it, and the area between the two.

    Between two neighbouring eigenvalues and knots the law is taken linear; the area is then exact up to O(1/n^2).
    """
    x = np.union1d(row, table.knots)
    at = np.searchsorted(table.x, x)
    empirical = np.searchsorted(row, x, side="right") / row.size
    above = float((empirical - table.value[at]).max())
    below = float((table.before[at] - np.searchsorted(row, x, side="left") / row.size).max())
    first = np.abs(table.value[at][:-1] - empirical[:-1])
    last = np.abs(table.before[at][1:] - empirical[:-1])
    crosses = (table.value[at][:-1] - empirical[:-1]) * (table.before[at][1:] - empirical[:-1]) < 0
    mean = np.where(crosses, (first**2 + last**2) / np.maximum(first + last, 1e-300), first + last) / 2
    return max(0.0, above), max(0.0, below), float(mean @ np.diff(x))


def mean_and_error(values: Real) -> tuple[float, float]:
    """Mean and its standard error (nan where there are too few values)."""
    if values.size == 0:
        return math.nan, math.nan
    error = float(values.std(ddof=1) / math.sqrt(values.size)) if values.size > 1 else math.nan
    return float(values.mean()), error
