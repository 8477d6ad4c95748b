"""Ridge regression on the features of finite deep networks: the errors of `deep_ridge_errors`, measured."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate
from ..activations.base import Activation
from ..activations.parse import read_activation
from ..ensembles.deep import DeepFeatures
from .replicas import Interrupted, Workers, check_workers, replicas, spawn
from .ridge import RidgeSample, ridge_path

Real = NDArray[np.float64]

TEST_SAMPLES = 4000  # fresh inputs a replica


def simulate_deep_ridge(
    features: DeepFeatures,
    target: Any,
    size: int,
    lam: ArrayLike,
    trials: int,
    rng: np.random.Generator,
    *,
    layer: int = 0,
    noise: float = 0.0,
    intercept: bool = False,
    workers: Workers = 1,
    progress: bool = False,
) -> RidgeSample:
    """Errors of ridge regression on finite networks with labels ``g(<theta, x_j>) + noise``.

    Parameters
    ----------
    features : DeepFeatures
        The model; compare with the theory of ``features.finite(size)``.
    target : str, Activation or callable
        The function g; theta is uniform on the unit sphere of layer j.
    size : int
        Width ``p_L`` of the last layer; the other sizes follow.
    lam : array_like of float
        Ridge >= 0 added to ``Phi^T Phi / p_L``.
    trials : int
        Networks, each with inputs of its own.
    rng : numpy.random.Generator
        Source of the seeds.
    layer, noise, intercept
        As in `deep_ridge_errors`.
    workers, progress
        As in `simulate_spectrum`.

    Returns
    -------
    RidgeSample
        One alpha, that of ``features.finite(size)``.

    Raises
    ------
    DomainError
        An argument is out of range.
    Interrupted
        Ctrl-C; the finished replicas are in its ``.eigenvalues``, shape (finished, 2, 1, lam).
    """
    if not isinstance(features, DeepFeatures):
        _validate.fail("features", "DeepFeatures", features)
    sizes = features.sizes(size)
    ridges = np.atleast_1d(_validate.real_array(lam, "lam", low=0.0)).ravel()
    j = _validate.integer(layer, "layer", low=0, high=len(features.layers))
    spread = _validate.real(noise, "noise", low=0.0)
    count = _validate.integer(trials, "trials", low=1)
    check_workers(workers)
    _validate.generator(rng)
    _validate.memory(8.0 * (sizes[-1] + TEST_SAMPLES) * sum(sizes[:-1]), "size", size)
    task = functools.partial(
        _replica, features, size, read_activation(target, "target"), j, spread, bool(intercept), ridges
    )
    finished: list[Real] = []
    try:
        for table in replicas(task, spawn(rng, count), workers=workers, progress="train" if progress else ""):
            finished.append(table)
    except KeyboardInterrupt as stop:
        raise Interrupted(np.array(finished).reshape(-1, 2, 1, ridges.size), count) from stop
    table = _validate.read_only(np.array(finished))
    return RidgeSample(np.array([sizes[-1] / sizes[0]]), ridges, table[:, 0], table[:, 1])


def _replica(
    features: DeepFeatures, size: int, target: Activation, layer: int, noise: float, intercept: bool, lam: Real,
    rng: np.random.Generator,
) -> Real:  # fmt: skip
    """Train and test errors of one network, (2, 1, lam)."""
    network = features.network(size, rng)
    sizes = features.sizes(size)
    theta = rng.standard_normal(sizes[layer])
    theta /= np.linalg.norm(theta)

    def draw(count: int) -> tuple[Real, Real]:
        outputs = network.layers(network.inputs(count, rng))
        return outputs[-1], target.raw(outputs[layer] @ theta) + noise * rng.standard_normal(count)

    phi, y = draw(sizes[-1])
    fresh, truth = draw(TEST_SAMPLES)
    means = (phi.mean(axis=0), y.mean()) if intercept else (0.0, 0.0)
    readouts = ridge_path(phi - means[0], y - means[1], lam) / np.sqrt(size)
    errors = [
        ((labels - means[1] - readouts @ (rows - means[0]).T) ** 2).mean(axis=1)
        for rows, labels in ((phi, y), (fresh, truth))
    ]
    return np.array(errors)[:, None, :]
