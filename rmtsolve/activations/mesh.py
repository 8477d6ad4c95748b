"""Adaptive composite Gauss-Legendre mesh on which a piecewise smooth function is resolved."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]
Integers = NDArray[np.int64]
Values = Callable[[Real], Real]

NODES = 16
MAX_HALVINGS = 54
MAX_NODES = 2_000_000
RESOLVED = 4e-15  # last Legendre coefficients of a panel, relative to the largest value on it
TINY = 1e-250  # values in the range of subnormal numbers are zero
NOISE = 1e-4  # relative roughness above this is taken for structure, not for rounding noise in f


class Mesh(NamedTuple):
    """Nodes ``origin + offset`` with quadrature weights and the values of f.

    ``first[i]`` is the first node of base panel i (one more entry marks the end).
    """

    origin: Real
    offset: Real
    weight: Real
    values: Real
    first: Integers
    defect: float  # largest f^2 times relative width of a panel that the last halving left unresolved
    worst: float  # where that is
    noise: float  # roughness that halving does not reduce, as a share of a base panel


class _Rule(NamedTuple):
    """Gauss-Legendre nodes and weights on [-1, 1], and maps from values to what tells whether they suffice."""

    nodes: Real
    weights: Real
    tail: Real  # last three Legendre coefficients
    ends: Real  # the interpolating polynomial at `checks`
    checks: Real  # just inside -1 and 1


@functools.cache
def _rule() -> _Rule:
    legendre = np.polynomial.legendre
    nodes, weights = legendre.leggauss(NODES)
    to_coefficients = (np.arange(NODES) + 0.5)[:, None] * (legendre.legvander(nodes, NODES - 1) * weights[:, None]).T
    checks = np.array([-1.0 + 1e-7, 1.0 - 1e-7])
    ends = legendre.legvander(checks, NODES - 1) @ to_coefficients
    return _Rule(nodes, weights, to_coefficients[-3:], ends, checks)


def build_mesh(f: Values, ids: Integers, width: float, breaks: Real, floor: Real, *, pointwise: bool = False) -> Mesh:
    """Mesh over the base panels ``[i width, (i + 1) width]``, i in `ids` (sorted), on which `f` is resolved.

    Values of size ``floor[i]`` on panel ``ids[i]`` do not matter (the Gaussian weight is small there). A panel of
    2^-L of the width may be 2^L times worse, because its share of the integral counts (and rounding noise in f must
    not be chased), unless the function is wanted `pointwise`.
    """
    rule = _rule()
    panel, left, right = _split(ids, width, breaks)
    parent: Real | None = None
    reference = np.empty(0)
    kept: list[tuple[Integers, Real, Real, Real]] = []
    defect, worst, noise, count = 0.0, 0.0, 0.0, 0
    for halving in range(MAX_HALVINGS + 1):
        origin = panel * width
        middle, half = 0.5 * (left + right), 0.5 * (right - left)
        values, rough = _sample(f, np.asarray(origin, dtype=np.float64), middle, half, rule)
        size = np.abs(values).max(axis=1)
        if parent is None:
            reference = np.maximum(size, floor[np.searchsorted(ids, panel)])
        unresolved = rough > RESOLVED * (1.0 if pointwise else 2.0**halving) * reference + TINY
        if parent is not None:  # both halves as rough as the whole was: noise
            flat = unresolved & (rough > 0.25 * parent) & (rough < NOISE * size)
            flat = np.repeat(flat.reshape(-1, 2).all(axis=1), 2)
            if flat.any():
                share = rough[flat] / reference[flat] * half[flat] / width
                noise = max(noise, float(np.bincount(np.searchsorted(ids, panel[flat]), share).max()))
                unresolved &= ~flat
        # between neighbouring floats nothing is left to resolve; a jump has no share there, a pole has
        ended = unresolved & (half <= 8 * np.spacing(np.abs(origin + middle)))
        unresolved &= ~ended
        if halving == MAX_HALVINGS or count + 2 * NODES * int(np.count_nonzero(unresolved)) > MAX_NODES:
            ended |= unresolved
            unresolved[:] = False
        share = np.where(ended, size * size * half / width, 0.0)
        if share.max() > defect:
            defect, worst = float(share.max()), float((origin + middle)[np.argmax(share)])
        done = ~unresolved
        count += NODES * int(np.count_nonzero(done))
        kept.append((panel[done], left[done], half[done], values[done]))
        if not unresolved.any():
            break
        panel, reference, parent = panel[unresolved], reference[unresolved], rough[unresolved]
        panel, reference, parent = np.repeat(panel, 2), np.repeat(reference, 2), np.repeat(parent, 2)
        left, middle, right = left[unresolved], middle[unresolved], right[unresolved]
        left, right = np.stack([left, middle], 1).ravel(), np.stack([middle, right], 1).ravel()
    panel, left, half = (np.concatenate([part[i] for part in kept]) for i in (0, 1, 2))
    order = np.lexsort((left, panel))
    panel, left, half = panel[order], left[order], half[order]
    return Mesh(
        origin=np.repeat(panel * width, NODES),
        offset=((left + half)[:, None] + half[:, None] * rule.nodes).ravel(),
        weight=(half[:, None] * rule.weights).ravel(),
        values=np.concatenate([part[3] for part in kept])[order].ravel(),
        first=np.searchsorted(panel, np.append(ids, ids[-1] + 1)) * NODES,
        defect=defect,
        worst=worst,
        noise=noise,
    )


def _sample(f: Values, origin: Real, middle: Real, half: Real, rule: _Rule) -> tuple[Real, Real]:
    """Values at the nodes of every panel, and how far they are from resolving f.

    The last Legendre coefficients do not see a kink between the outermost node and the end of the panel, so the
    interpolant is also compared with f just inside both ends.
    """
    points = np.concatenate([rule.nodes, rule.checks])
    x = origin[:, None] + (middle[:, None] + half[:, None] * points)
    sampled = f(x.ravel()).reshape(x.shape)
    values, ends = sampled[:, :NODES], sampled[:, NODES:]
    tail = np.abs(values @ rule.tail.T).max(axis=1)
    miss = np.abs(values @ rule.ends.T - ends).max(axis=1)
    return values, np.maximum(tail, miss / 32.0)  # extrapolation to the ends amplifies rounding by about 16


def _split(ids: Integers, width: float, breaks: Real) -> tuple[Integers, Real, Real]:
    """Base panels cut at the breakpoints: panel id and the two ends relative to its origin."""
    where = np.floor(breaks / width).astype(np.int64)
    inside = np.isin(where, ids) & (breaks > where * width)
    where, cut = where[inside], breaks[inside] - where[inside] * width
    panel = np.concatenate([ids, where])
    left = np.concatenate([np.zeros(ids.size), cut])
    order = np.lexsort((left, panel))
    panel, left = panel[order], left[order]
    last = np.append(panel[1:] != panel[:-1], True)
    right = np.where(last, width, np.append(left[1:], width))
    return panel, left, right


def find_breaks(f: Values, reach: int = 40) -> Real:
    """Points in [-reach, reach] where halving has to go on: kinks, jumps and poles that nobody declared."""
    ids = np.arange(-reach, reach)
    nudge = 0.2871  # breakpoints like to sit on round numbers, where panel ends would hide them
    mesh = build_mesh(lambda x: f(x + nudge), ids, 1.0, np.empty(0), np.full(ids.size, TINY), pointwise=True)
    half = mesh.weight.reshape(-1, NODES).sum(axis=1) / 2.0
    middle = (mesh.origin + mesh.offset).reshape(-1, NODES).mean(axis=1) + nudge
    small = np.flatnonzero(half < 1e-5)
    if small.size == 0:
        return np.empty(0)
    # the tiny panels around one point form a run, which closes in on it: its smallest panel
    runs = np.split(small, np.flatnonzero(np.diff(middle[small]) > 1e-4) + 1)
    points = np.array([middle[run][np.argmin(half[run])] for run in runs])
    nice = np.round(points, 9)
    return np.where(np.abs(points - nice) < 1e-12, nice, points) + 0.0
