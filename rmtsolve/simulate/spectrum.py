"""Eigenvalues of finite matrices of a model: the truth that laws are compared with."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import _validate
from .network import Sizes, feature_covariance, gradient_step, network_sizes
from .replicas import Interrupted, Workers, check_workers, replicas, spawn

if TYPE_CHECKING:
    from ..ensembles.base import Ensemble
    from ..networks.one_step import OneStepNetwork

Real = NDArray[np.float64]


def simulate_spectrum(
    ensemble: Ensemble | OneStepNetwork,
    size: int,
    trials: int,
    rng: np.random.Generator,
    *,
    workers: Workers = 1,
    progress: bool = False,
    alpha: float | None = None,
) -> Real:
    """Eigenvalues of `trials` independent matrices of a model.

    Parameters
    ----------
    ensemble : Ensemble or OneStepNetwork
        Anything with ``sample(size, rng)``. A network is really trained: its first layer takes the gradient step and
        the matrix is the covariance of its features on fresh samples.
    size : int
        Size of the matrix (the number of features `p`).
    trials : int
        Number of replicas.
    rng : numpy.random.Generator
        Source of the seeds; every replica gets its own child.
    workers : int or map-like callable
        1: this process; more: so many `joblib` jobs (any backend set by `joblib.parallel_config`); or a callable used
        like `map`. The numbers do not depend on it.
    progress : bool
        Show a progress bar on standard error.
    alpha : float
        For a network only: samples of the feature covariance over the input dimension, ``n / d``.

    Returns
    -------
    ndarray of float, shape (trials, size)
        Ascending in each row; read-only.

    Raises
    ------
    DomainError
        An argument is out of range, or the matrices would not fit in memory.
    Interrupted
        Ctrl-C; the finished rows are in its ``.eigenvalues``.

    Examples
    --------
    >>> import rmtsolve as rmt
    >>> model = rmt.SampleCovariance(rmt.Discrete([1, 4], [.5, .5]), ratio=.5)
    >>> rmt.simulate_spectrum(model, size=50, trials=3, rng=np.random.default_rng(0)).shape
    (3, 50)
    """
    count = _validate.integer(trials, "trials", low=1)
    check_workers(workers)
    _validate.generator(rng)
    task = spectrum_task(ensemble, size, alpha)
    _validate.memory(8.0 * count * size, "trials", trials)
    finished: list[Real] = []
    try:
        for row in replicas(task, spawn(rng, count), workers=workers, progress="simulate" if progress else ""):
            finished.append(row)
    except KeyboardInterrupt as stop:
        rows = np.array(finished).reshape(len(finished), size)
        raise Interrupted(_validate.read_only(rows), count) from stop
    return _validate.read_only(np.array(finished))


def spectrum_task(
    ensemble: Any, size: int, alpha: float | None = None, *, before: bool = False
) -> Callable[[np.random.Generator], Real]:
    """The picklable function of a generator that computes one replica; refuses bad sizes before any computation.

    It returns shape (size,); for a network with `before` shape (2, size): before and after its gradient step.
    """
    width = _validate.integer(size, "size", low=1)
    if callable(getattr(ensemble, "sample", None)):
        if alpha is not None:
            _validate.fail("alpha", "left out for an ensemble", alpha, "the ensemble knows its own ratios")
        _validate.memory(3 * 8.0 * width * width, "size", width)  # the matrix, the eigensolver's copy, its workspace
        return functools.partial(_ensemble_spectrum, ensemble, width)
    if not hasattr(ensemble, "learning_rate"):
        _validate.fail("ensemble", "an Ensemble (with a sample method) or a OneStepNetwork", ensemble)
    return functools.partial(_network_spectrum, ensemble, network_sizes(ensemble, width, alpha), before)


def _ensemble_spectrum(ensemble: Any, size: int, rng: np.random.Generator) -> Real:
    matrix = np.asarray(ensemble.sample(size, rng))
    if matrix.shape != (size, size):
        _validate.fail("ensemble", f"one whose sample has shape ({size}, {size})", matrix.shape)
    return _spectrum(matrix)


def _network_spectrum(network: OneStepNetwork, sizes: Sizes, before: bool, rng: np.random.Generator) -> Real:
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused below
        initial, trained, _ = gradient_step(network, sizes, rng)
        after = _spectrum(feature_covariance(trained, network.activation, sizes.samples, rng))
        if not before:
            return after
        return np.stack([_spectrum(feature_covariance(initial, network.activation, sizes.samples, rng)), after])


def _spectrum(matrix: NDArray[Any]) -> Real:
    if not np.isfinite(matrix).all():
        _validate.fail("ensemble", "one whose samples are finite", "nan or inf", "its entries overflow float64")
    return np.linalg.eigvalsh(matrix)
