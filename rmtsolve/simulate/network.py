"""A two-layer network and one gradient step of its first layer, actually computed.

    f(x) = (1/p) sum_i a_i sigma(<w_i, x>),   x ~ N(0, I_d),   w_i uniform on the unit sphere at the start,
    y = g(<theta, x>) + noise,
    w_i <- w_i + eta a_i (1/n0) sum_mu (y_mu - f(x_mu)) sigma'(<w_i, x_mu>) x_mu,

the gradient step of size ``eta p`` on half the mean squared error over ``n0`` fresh samples. Afterwards the features
``Phi = sigma(X W^T)`` of n more fresh samples have the covariance ``Phi^T Phi / n``. Nothing here knows any theory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import _validate
from ..ensembles.counts import apportion

if TYPE_CHECKING:
    from ..activations.base import Activation
    from ..networks.one_step import OneStepNetwork

Real = NDArray[np.float64]
CHUNK = 2**22  # entries of the activations held at a time (32 MiB)


class Sizes(NamedTuple):
    """Whole numbers of one finite network: width p, input dimension d, samples n of the features, batch n0."""

    width: int
    dimension: int
    samples: int
    batch: int


def network_sizes(network: OneStepNetwork, width: int, alpha: float | None) -> Sizes:
    """The finite network closest to the ratios ``p/d``, ``n/d`` and ``n0/d``; refuses what does not fit in memory."""
    if alpha is None:
        _validate.fail("alpha", "given for a network", alpha, "it is n / d, samples of the covariance over dimension")
    ratio = _validate.positive(alpha, "alpha", "it is n / d, samples of the covariance over input dimension")
    dimension = max(1, round(width / network.width_ratio))
    samples = max(1, round(ratio * dimension))
    batch = max(1, round(network.batch_ratio * dimension))
    matrices = 3.0 * width * width + 3.0 * width * dimension + 4.0 * CHUNK  # covariance and solver, weights, chunks
    _validate.memory(8.0 * matrices, "size", width)
    return Sizes(width, dimension, samples, batch)


def gradient_step(network: OneStepNetwork, sizes: Sizes, rng: np.random.Generator) -> tuple[Real, Real, Real]:
    """Weights before and after the step, shape (p, d) each, and the target direction theta, shape (d,).

    The neurons are ordered by class: the first ``apportion(fractions, p)[0]`` carry ``readout[0]``, and so on.
    """
    width, dimension, _, batch = sizes
    activation, slope, target = network.activation.raw, network.activation.derivative().raw, network.target.raw
    readout = np.repeat(np.asarray(network.readout, dtype=np.float64), apportion(network.fractions, width))
    theta = np.eye(1, dimension)[0]  # any unit vector: the inputs and the initial weights are isotropic
    before = rng.standard_normal((width, dimension))
    before /= np.linalg.norm(before, axis=1, keepdims=True)
    gradient = np.zeros((width, dimension))
    for inputs in gaussian_rows(batch, dimension, width, rng):
        labels = target(inputs @ theta) + network.noise * rng.standard_normal(len(inputs))
        preactivations = inputs @ before.T
        errors = labels - activation(preactivations) @ readout / width
        gradient += (slope(preactivations) * errors[:, None]).T @ inputs
    after = before + (network.learning_rate / batch) * readout[:, None] * gradient
    return before, after, theta


def feature_covariance(weights: Real, activation: Activation, samples: int, rng: np.random.Generator) -> Real:
    """``Phi^T Phi / n`` for the features of n fresh Gaussian inputs, shape (p, p)."""
    width, dimension = weights.shape
    covariance = np.zeros((width, width))
    for inputs in gaussian_rows(samples, dimension, width, rng):
        features = activation.raw(inputs @ weights.T)
        covariance += features.T @ features
    return covariance / samples


def gaussian_rows(rows: int, dimension: int, width: int, rng: np.random.Generator) -> Iterator[Real]:
    """Standard Gaussian inputs, `rows` in all, in chunks that keep inputs and activations small."""
    step = max(1, CHUNK // max(dimension, width))
    for start in range(0, rows, step):
        yield rng.standard_normal((min(step, rows - start), dimension))
