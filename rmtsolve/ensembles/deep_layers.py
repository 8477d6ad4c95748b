"""The layers of a deep network in the limit, and the chains of equations that they make.

A layer whose linear part vanishes, or whose weights have a covariance that is a function of the covariance of the layer
before (a Gaussian rainbow), begins a new chain: the law of what it starts from is all it needs to know.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import _validate
from ..activations.base import Activation
from ..equations.deep_chain import Chain, DeepChainEquation, DeepLaw
from ..equations.deep_nodes import Nodes, image, law_nodes
from ..measures.base import Measure
from ..measures.discrete import Discrete

Real = NDArray[np.float64]
Structure = Discrete | Callable[[Any], Any] | None

_NO_GAIN = 1e-24  # a linear part of this share of the variance of a layer is rounding
_NO_REST = 1e-15  # the same for the rest of a linear activation
_NO_MEAN = 1e-12  # the same for its mean over the root of its second moment


class Layer(NamedTuple):
    """One layer in the limit: Omega = gain W Omega' W^T + rest, for pre-activations of this variance."""

    variance: float
    gain: float
    rest: float
    mean: float


class Segment(NamedTuple):
    """A chain whose level 0 is that of layer `first`, and how it ends when another one follows.

    `nodes` discretise the law of its last covariance, and `shape` are the eigenvalues of the C of the weights that
    follow, one a node; None where the next layer has no linear part.
    """

    first: int
    chain: Chain
    nodes: Nodes | None = None
    shape: Real | None = None


def build(
    activations: Sequence[Activation], widths: Real, population: Measure, structures: Sequence[Structure]
) -> tuple[tuple[Layer, ...], tuple[Segment, ...]]:
    """Layers and segments of a network; `widths` are over the input dimension."""
    ratios = np.append(1.0, widths)
    layers: list[Layer] = []
    segments: list[Segment] = []
    nodes = law_nodes(population)
    start, support = Discrete(nodes.x, nodes.w / nodes.w.sum()), nodes.support
    first = 0

    def chain(last: int) -> Chain:
        part = layers[first:last]
        laws = tuple(None if callable(law) else law for law in structures[first:last])
        return Chain(
            start, support, ratios[first:last] / ratios[first + 1 : last + 1],
            np.array([layer.gain for layer in part]), np.array([layer.rest for layer in part]), laws,
        )  # fmt: skip

    size = start.moment(1)
    for s, (sigma, law) in enumerate(zip(activations, structures, strict=True)):
        if callable(law):
            done = chain(s)
            nodes = _covariance_nodes(done, nodes if s == first else None)
            shape = _evaluated(law, nodes.x, s)
            segments.append(Segment(first, done, nodes, shape))
            start, support = image(nodes, nodes.x * shape)
            first, size = s, start.moment(1)
        elif law is not None:
            size *= law.moment(1)
        layers.append(limit_of(sigma, size, s))
        size = layers[-1].gain * layers[-1].variance + layers[-1].rest
        if layers[-1].gain == 0.0:
            done = chain(s)
            segments.append(Segment(first, done))
            start, first = Discrete([layers[-1].rest]), s + 1
            nodes = law_nodes(start)
            support = nodes.support
    segments.append(Segment(first, chain(len(activations))))
    return tuple(layers), tuple(segments)


def limit_of(sigma: Activation, variance: float, s: int) -> Layer:
    """One layer at this variance of the pre-activations."""
    scale = float(np.sqrt(variance))
    mean, first = (float(c) for c in sigma.coefficients(1, scale=scale))
    rest = float(sigma.residual_energy(0.0, scale, 1))
    energy = mean * mean + first * first + rest
    if not np.isfinite(energy) or not first * first + rest > 1e-14 * energy:
        _validate.fail(f"activations[{s}]", "a function that is not constant", sigma.name)
    if first * first <= _NO_GAIN * rest:
        first = 0.0
    if rest <= _NO_REST * first * first:
        rest = 0.0
    if abs(mean) <= _NO_MEAN * np.sqrt(energy):
        mean = 0.0
    return Layer(variance, first * first / variance, rest, mean)


def _covariance_nodes(chain: Chain, known: Nodes | None) -> Nodes:
    """Nodes of the last covariance of a chain: those it was made from, or those of its solved law."""
    if chain.levels == 1:
        x = chain.population.locations
        rule = known.rule if known is not None and known.x.size == x.size else np.zeros(x.size)
        return Nodes(x.copy(), chain.population.weights.copy(), chain.support, rule)
    return law_nodes(DeepLaw(DeepChainEquation(chain, 0.0), "the covariance of a layer"))


def _evaluated(law: Callable[[Any], Any], x: Real, s: int) -> Real:
    """A user's function of the covariance at its eigenvalues."""
    name, rule = f"structures[{s}]", "a function of eigenvalues with values >= 0, one an eigenvalue"
    values = _validate.real_array(law(x.copy()), name)
    if values.shape != x.shape:
        _validate.fail(name, rule, f"shape {values.shape} for {x.shape}")
    if values.min() < 0.0 or not values.any():
        _validate.fail(name, rule, float(values.min()))
    return values
