"""The learning curve of ridge regression on a data set, measured: train on n of its rows, test on the others."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate
from .replicas import Interrupted, Workers, check_workers, replicas, spawn
from .ridge import RidgeSample, ridge_path

Real = NDArray[np.float64]


def simulate_data_ridge(
    features: ArrayLike,
    labels: ArrayLike,
    n: ArrayLike,
    lam: ArrayLike,
    trials: int,
    rng: np.random.Generator,
    *,
    intercept: bool = True,
    workers: Workers = 1,
    progress: bool = False,
) -> RidgeSample:
    """Train and test errors over random splits of a data set, beside `data_ridge_errors`.

    Parameters
    ----------
    features : array_like, shape (N, p)
        One row a sample.
    labels : array_like, shape (N,) or (N, k)
        Squared errors of several columns are summed.
    n : array_like of int
        Training rows, 1 to N - 1; the others are the test set.
    lam : array_like of float
        Ridge >= 0 added to ``Phi^T Phi / p``; every pair with n is measured.
    trials : int
        Random splits; their standard error does not include the randomness of the data set itself.
    rng : numpy.random.Generator
        Source of the seeds.
    intercept : bool
        Centre features and labels by their means over the training rows.
    workers, progress
        As in `simulate_spectrum`.

    Returns
    -------
    RidgeSample
        Its ``alpha`` is ``n / p``.

    Raises
    ------
    DomainError
        Shapes do not fit or an argument is out of range.
    Interrupted
        Ctrl-C; the finished replicas are in its ``.eigenvalues``, shape (finished, 2, n, lam).
    """
    x = _validate.real_array(features, "X", ndim=2)
    y = _validate.real_array(labels, "y")
    if y.ndim not in (1, 2) or y.shape[0] != x.shape[0]:
        _validate.fail("y", f"of shape ({x.shape[0]},) or ({x.shape[0]}, k), one row a sample", f"shape {y.shape}")
    counts = np.atleast_1d(_validate.real_array(n, "n", low=1.0, high=x.shape[0] - 1.0)).ravel()
    if (counts != np.round(counts)).any():
        _validate.fail("n", "integers, numbers of rows", float(counts[counts != np.round(counts)][0]))
    ridges = np.atleast_1d(_validate.real_array(lam, "lam", low=0.0)).ravel()
    number = _validate.integer(trials, "trials", low=1)
    check_workers(workers)
    _validate.generator(rng)
    _validate.memory(16.0 * min(x.shape) ** 2 + 8.0 * x.size, "X", x.shape)
    task = functools.partial(_split, x, y.reshape(x.shape[0], -1), counts.astype(np.int64), ridges, bool(intercept))
    finished: list[Real] = []
    try:
        for table in replicas(task, spawn(rng, number), workers=workers, progress="train" if progress else ""):
            finished.append(table)
    except KeyboardInterrupt as stop:
        raise Interrupted(np.array(finished).reshape(-1, 2, counts.size, ridges.size), number) from stop
    table = _validate.read_only(np.array(finished))
    return RidgeSample(counts / x.shape[1], ridges, table[:, 0], table[:, 1])


def _split(x: Real, y: Real, counts: NDArray[np.int64], lam: Real, intercept: bool, rng: np.random.Generator) -> Real:
    """Errors of one order of the rows, (2, n, lam): the first n train."""
    order = rng.permutation(x.shape[0])
    table = np.zeros((2, counts.size, lam.size))
    root = np.sqrt(x.shape[1])
    for i, count in enumerate(counts):
        inside, outside = order[:count], order[count:]
        means = (x[inside].mean(axis=0), y[inside].mean(axis=0)) if intercept else (0.0, np.zeros(y.shape[1]))
        train, test = x[inside] - means[0], x[outside] - means[0]
        for k in range(y.shape[1]):
            readouts = ridge_path(train, y[inside, k] - means[1][k], lam)
            for row, part, matrix in ((0, inside, train), (1, outside, test)):
                left = y[part, k] - means[1][k] - readouts @ matrix.T / root
                table[row, i] += (left**2).mean(axis=1)
    return table
