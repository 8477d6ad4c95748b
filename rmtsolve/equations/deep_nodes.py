"""A law as finitely many atoms that integrate analytic functions to rounding: how a continuous law enters a chain.

On a bulk ``x = middle - half cos theta`` the midpoint rule in theta converges geometrically when the density has
square-root edges, soft or hard, because the integrand is then analytic and periodic.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import AccuracyWarning
from ..measures.base import Measure
from ..measures.discrete import Discrete

Real = NDArray[np.float64]

FEWEST, MOST = 64, 4096  # nodes a bulk
_GOAL, _WARN = 1e-12, 1e-8  # error of the mass and of the mean


class Nodes(NamedTuple):
    """Ascending atoms x of weights w, the intervals that hold the law, and its density rule: ``w = rule * density``.

    ``rule`` is zero at the atoms of the law itself.
    """

    x: Real
    w: Real
    support: Real
    rule: Real


def law_nodes(law: Measure) -> Nodes:
    """Nodes of a law; emits `AccuracyWarning` when its mass or mean is not integrated to 1e-8."""
    at, mass = law.atoms
    if law.edges.size == 0 or isinstance(law, Discrete):
        return Nodes(at.copy(), mass.copy(), np.stack([at, at], axis=1), np.zeros(at.size))
    count = FEWEST
    while True:
        theta = (np.arange(count) + 0.5) * np.pi / count
        x, rule = [at], [np.zeros(at.size)]
        for low, high in law.edges.reshape(-1, 2):
            # from the nearer end, so that hard edges at zero keep their digits
            x.append(low + (high - low) * np.sin(0.5 * theta) ** 2)
            rule.append(0.5 * (high - low) * np.sin(theta) * np.pi / count)
        points, rules = np.concatenate(x), np.concatenate(rule)
        weights = np.concatenate([mass, rules[at.size :] * law.density(points[at.size :])])
        mean = law.moment(1)
        error = max(abs(weights.sum() - 1.0), abs(weights @ points - mean) / (abs(mean) + float(points.max())))
        if error <= _GOAL or 2 * count > MOST:
            break
        count *= 2
    if error > _WARN:
        warnings.warn(f"the nodes of {law!r} miss its mass or mean by {error:.1e}", AccuracyWarning, stacklevel=2)
    order = np.argsort(points, kind="stable")
    support = np.concatenate([np.stack([at, at], axis=1), law.edges.reshape(-1, 2)])
    return Nodes(points[order], weights[order], support[np.argsort(support[:, 0])], rules[order])


def image(nodes: Nodes, values: Real) -> tuple[Discrete, Real]:
    """The law of `values`, one a node and continuous in it, and the disjoint intervals that hold it."""
    parts = []
    for low, high in nodes.support:
        inside = values[(nodes.x >= low) & (nodes.x <= high)]
        parts.append((float(inside.min()), float(inside.max())))
    parts.sort()
    merged = [parts[0]]
    for low, high in parts[1:]:
        if low <= merged[-1][1] and low < high:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        elif low > merged[-1][1]:
            merged.append((low, high))
    return Discrete(values, nodes.w / nodes.w.sum()), np.array(merged)
