"""Ridge regression on the features of finite networks: the errors that the theory predicts, measured.

    a = (Phi^T Phi / p + lam)^{-1} Phi^T y / sqrt p,      prediction phi(x) . a / sqrt p,

train error ``|y - Phi a / sqrt p|^2 / n`` without the penalty, test error the mean squared error on fresh samples,
label noise included. Nothing here knows any theory.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate
from .network import CHUNK, Sizes, gaussian_rows, gradient_step, network_sizes
from .replicas import Interrupted, Workers, check_workers, replicas, spawn

Real = NDArray[np.float64]
TEST_SAMPLES = 8000  # fresh samples a replica: their noise is far below that of the replicas


@dataclass(frozen=True, eq=False)
class RidgeSample:
    """Errors of finite networks.

    Parameters
    ----------
    alpha, lam : ndarray of float, shapes (A,) and (L,)
        Samples over dimension, and ridge.
    train, test : ndarray of float, shape (trials, A, L)
        One row a replica.
    """

    alpha: Real
    lam: Real
    train: Real
    test: Real

    @property
    def test_mean(self) -> Real:
        """Mean test error over the replicas, (A, L)."""
        return np.asarray(self.test.mean(axis=0))

    @property
    def train_mean(self) -> Real:
        """Mean train error over the replicas, (A, L)."""
        return np.asarray(self.train.mean(axis=0))

    @property
    def test_error(self) -> Real:
        """Standard error of `test_mean`; nan for one replica."""
        return _standard_error(self.test)

    @property
    def train_error(self) -> Real:
        """Standard error of `train_mean`; nan for one replica."""
        return _standard_error(self.train)


def simulate_ridge(
    model: Any,
    size: int,
    alpha: ArrayLike,
    lam: ArrayLike,
    trials: int,
    rng: np.random.Generator,
    *,
    target: Callable[[Real], Real] | None = None,
    alignment: float | None = None,
    noise: float | None = None,
    workers: Workers = 1,
    progress: bool = False,
) -> RidgeSample:
    """Train and test errors of ridge regression on the features of `trials` finite networks.

    Parameters
    ----------
    model : OneStepNetwork or SpikedRandomFeatures
        A network is really trained: its first layer takes the gradient step, on samples that are not used again. For
        the equivalent features the labels are ``target(alignment <v, x> + sqrt(1 - alignment^2) <t, x>) + noise``.
    size : int
        Width p.
    alpha, lam : array_like of float
        ``n / d`` > 0 and ridge >= 0 (0: the solution of least norm); every pair is measured.
    trials : int
        Replicas; each has its own weights, and fresh samples for every alpha.
    rng : numpy.random.Generator
        Source of the seeds.
    target, alignment, noise
        For features only; a network brings its own.
    workers, progress
        As in `simulate_spectrum`.

    Raises
    ------
    DomainError
        An argument is out of range, or the matrices would not fit in memory.
    Interrupted
        Ctrl-C; the finished replicas are in its ``.eigenvalues``, shape (finished, 2, A, L): train and test.
    """
    ratios = np.atleast_1d(_validate.real_array(alpha, "alpha", low=0.0, open_low=True)).ravel()
    ridges = np.atleast_1d(_validate.real_array(lam, "lam", low=0.0)).ravel()
    count = _validate.integer(trials, "trials", low=1)
    check_workers(workers)
    _validate.generator(rng)
    task = ridge_task(model, size, ratios, ridges, target=target, alignment=alignment, noise=noise)
    finished: list[Real] = []
    try:
        for row in replicas(task, spawn(rng, count), workers=workers, progress="train" if progress else ""):
            finished.append(row)
    except KeyboardInterrupt as stop:
        raise Interrupted(np.array(finished).reshape(-1, 2, ratios.size, ridges.size), count) from stop
    return ridge_sample(ratios, ridges, finished)


def ridge_sample(alpha: Real, lam: Real, finished: list[Real]) -> RidgeSample:
    """The replicas of `ridge_task` as one value."""
    table = _validate.read_only(np.array(finished))
    return RidgeSample(alpha, lam, table[:, 0], table[:, 1])


def ridge_task(
    model: Any,
    size: int,
    alpha: Real,
    lam: Real,
    *,
    target: Callable[[Real], Real] | None = None,
    alignment: float | None = None,
    noise: float | None = None,
) -> Callable[[np.random.Generator], Real]:
    """The picklable function of a generator that computes one replica, shape (2, A, L): train and test errors."""
    width = _validate.integer(size, "size", low=2)
    if hasattr(model, "learning_rate"):
        if target is not None or alignment is not None or noise is not None:
            _validate.fail("target", "left out for a network", target, "a network has its own target and noise")
        sizes = network_sizes(model, width, float(alpha.max()))
        _validate.memory(8.0 * 3 * sizes.samples * width, "size", width)
        return functools.partial(_network_replica, model, sizes, alpha, lam)
    if not hasattr(model, "weights"):
        _validate.fail("model", "a OneStepNetwork or SpikedRandomFeatures", model)
    if not callable(target):
        _validate.fail("target", "a function of an array", target)
    gamma = _validate.real(alignment, "alignment", low=-1.0, high=1.0)
    spread = _validate.real(noise, "noise", low=0.0)
    return functools.partial(_features_replica, model, width, alpha, lam, target, gamma, spread)


def _network_replica(network: Any, sizes: Sizes, alpha: Real, lam: Real, rng: np.random.Generator) -> Real:
    _, weights, theta = gradient_step(network, sizes, rng)
    return _errors(weights, theta, network.activation, network.target, network.noise, alpha, lam, rng)


def _features_replica(
    features: Any, width: int, alpha: Real, lam: Real, target: Any, gamma: float, noise: float, rng: np.random.Generator
) -> Real:
    weights = features.weights(width, rng)
    theta = np.zeros(weights.shape[1])
    theta[:2] = gamma, np.sqrt(1.0 - gamma**2)
    return _errors(weights, theta, features.activation, target, noise, alpha, lam, rng)


def _errors(
    weights: Real, theta: Real, activation: Any, target: Any, noise: float, alpha: Real, lam: Real,
    rng: np.random.Generator,
) -> Real:  # fmt: skip
    """Train and test errors of one network for all pairs, (2, A, L)."""
    width, dimension = weights.shape
    readouts = np.empty((alpha.size, lam.size, width))
    table = np.empty((2, alpha.size, lam.size))
    for i, ratio in enumerate(alpha):
        samples = max(1, round(float(ratio) * dimension))
        features, labels = np.empty((samples, width)), np.empty(samples)
        row = 0
        for inputs in gaussian_rows(samples, dimension, width, rng):
            part = slice(row, row + len(inputs))
            features[part] = activation(inputs @ weights.T)
            labels[part] = target(inputs @ theta) + noise * rng.standard_normal(len(inputs))
            row += len(inputs)
        readouts[i] = ridge_path(features, labels, lam)
        table[0, i] = ((labels - readouts[i] @ features.T / np.sqrt(width)) ** 2).mean(axis=1)
    flat = readouts.reshape(-1, width)
    squares = np.zeros(len(flat))
    for inputs in gaussian_rows(TEST_SAMPLES, dimension, max(width, CHUNK // 2000), rng):
        truth = target(inputs @ theta)
        squares += ((truth - flat @ activation(inputs @ weights.T).T / np.sqrt(width)) ** 2).sum(axis=1)
    table[1] = (squares / TEST_SAMPLES + noise**2).reshape(alpha.size, lam.size)
    return table


def ridge_path(features: Real, labels: Real, lam: Real) -> Real:
    """Ridge readouts for every lam, shape (L, p), from one eigendecomposition of the smaller Gram matrix."""
    samples, width = features.shape
    small = samples < width
    values, vectors = np.linalg.eigh((features @ features.T if small else features.T @ features) / width)
    values = np.maximum(values, 0.0)
    cut = max(samples, width) * np.finfo(float).eps * values[-1]
    right = vectors.T @ (labels if small else features.T @ labels) / np.sqrt(width)
    shifted = values + lam[:, None]
    inverse = np.where(shifted > cut, 1.0 / np.where(shifted > cut, shifted, 1.0), 0.0)
    solved = (inverse * right) @ vectors.T
    return np.asarray(solved @ features if small else solved)


def _standard_error(table: Real) -> Real:
    if len(table) < 2:
        return np.full(table.shape[1:], np.nan)
    return np.asarray(table.std(axis=0, ddof=1) / np.sqrt(len(table)))
