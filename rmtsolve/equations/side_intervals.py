"""The singularities of a factor's N, and the real line without them, see the table of `rmtsolve.equations.sides`.

Source: derived; between singularities m and ``-1/m - u`` increase, so that a zero is told by signs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..measures.base import Real
from .pole_sums import transform_zeros
from .real_intervals import Intervals, complement, increasing_zeros

if TYPE_CHECKING:
    from .sides import Side


class Poles(NamedTuple):
    """``N(u) = constant + sum_j weights_j / (locations_j - u)``, sorted."""

    locations: Real
    weights: Real
    constant: float


def poles_of(side: Side) -> Poles:
    """N of a discrete factor, on the positive axis unless the kind is a sum, as a sum over poles."""
    at, mass = side.measure.atoms
    inner = at != 0.0
    if side.kind == "sandwich":
        return Poles(1.0 / at[inner][::-1], side.rate * mass[inner][::-1], 0.0)
    if side.kind == "sum":  # -1/m - u, with m = 0 at the poles
        return Poles(*transform_zeros(at, mass), -side.law.moment(1))
    # m / (1 + u m), with 1 + u m = 0 and m = -1/u at the poles, and m = -mass/u next to an atom at 0
    zeros, slopes = transform_zeros(at[inner], mass[inner] * at[inner])
    locations, weights = zeros, slopes / zeros
    if not inner.all():
        empty = float(mass[~inner].sum())
        locations, weights = np.append(0.0, zeros), np.append(empty / (1.0 - empty), weights)
    return Poles(locations, weights, 1.0 / side.law.moment(1))


def regular_intervals(side: Side) -> Intervals:
    """Intervals of the real line on which N is regular."""
    bulks = side.measure.support
    if side.kind == "sandwich":
        return _inverted(bulks, side.measure.atoms.locations)
    if side.discrete and (side.kind == "sum" or side.positive):
        return complement(bulks, side.poles.locations)
    poles = _zeros_of_transform(side, bulks)
    if side.kind == "product":
        poles = _zeros_of_sum(side, bulks, poles)
    return complement(bulks, poles)


def _inverted(bulks: Real, at: Real) -> Intervals:
    """Where ``1/u`` is in no bulk and at no atom."""
    pieces = []
    for left, right in bulks:
        if left < 0.0 < right:
            pieces += [[-np.inf, 1.0 / left], [1.0 / right, np.inf]]
        else:
            with np.errstate(divide="ignore"):
                low, high = 1.0 / right if right else -np.inf, 1.0 / left if left else np.inf
            pieces.append([low, high])
    return complement(np.array(pieces).reshape(-1, 2), 1.0 / at[at != 0.0])


def _zeros_of_transform(side: Side, bulks: Real) -> Real:
    """Zeros of m on the real line: m increases between neighbouring atoms and bulks."""
    if side.discrete:
        return transform_zeros(*side.measure.atoms)[0]
    pieces = complement(bulks, side.measure.atoms.locations)
    inner = np.isfinite(pieces.low) & np.isfinite(pieces.high)
    low, high, low_bulk, high_bulk = pieces
    low, high, low_bulk, high_bulk = low[inner], high[inner], low_bulk[inner], high_bulk[inner]
    return increasing_zeros(lambda u: side.transforms(u)[0], low, high, low_bulk, high_bulk, side.radius)


def _zeros_of_sum(side: Side, bulks: Real, zeros: Real) -> Real:
    """Zeros of ``-1/m - u``, which increases between the zeros of m, plus the atom at 0."""
    twin = type(side)(side.measure, "sum")
    pieces = complement(bulks, zeros)
    reach = 1e3 * max(side.radius, 1e-300)
    mean = side.law.moment(1)
    if mean != 0.0:  # outside the hull the zero is at about second moment / mean
        reach = max(reach, 1e3 * side.law.moment(2) / abs(mean))
    low = np.where(np.isfinite(pieces.low), pieces.low, -reach)
    high = np.where(np.isfinite(pieces.high), pieces.high, reach)
    open_low, open_high = pieces.low_bulk | ~np.isfinite(pieces.low), pieces.high_bulk | ~np.isfinite(pieces.high)
    found = increasing_zeros(lambda u: twin.evaluate(u)[0], low, high, open_low, open_high, side.radius)
    if (side.measure.atoms.locations == 0.0).any():
        found = np.append(found[np.abs(found) > 1e-12 * side.radius], 0.0)
    return np.sort(found)
