"""Populations at finite size: how many of `size` eigenvalues belong to each atom, and Gaussian data matrices."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate
from ..measures.base import Measure
from ..measures.discrete import Discrete

Real = NDArray[np.float64]

CHUNK = 1 << 21  # entries of a block of rows of a data matrix (16 MiB)


def as_population(value: Measure | ArrayLike, name: str = "population", *, positive: bool = False) -> Measure:
    """A population law; an array of eigenvalues becomes `Discrete`. `positive` refuses mass on the negative axis."""
    law = value if isinstance(value, Measure) else Discrete(_validate.real_array(value, name, ndim=1))
    ends = [float(part[0]) for part in (law.edges, law.atoms.locations) if part.size]
    if not all(math.isfinite(float(part[-1])) for part in (law.edges, law.atoms.locations) if part.size) or not all(
        math.isfinite(end) for end in ends
    ):
        _validate.fail(name, "a law of bounded support", value)
    if positive and min(ends) < 0.0:
        _validate.fail(name, "a law on [0, inf), the spectrum of a covariance matrix", min(ends))
    return law


def apportion(weights: ArrayLike, size: int) -> NDArray[np.int64]:
    """Integers that sum to `size` and are proportional to `weights`, by largest remainders (ties: first come).

    Examples
    --------
    >>> apportion([0.5, 0.3, 0.2], 11).tolist()
    [6, 3, 2]
    """
    share = _validate.probabilities(weights, "weights", np.size(weights)) * size
    # a share that is an integer but for rounding is that integer
    counts = np.floor(share + 1e-9).astype(np.int64)
    missing = size - int(counts.sum())
    order = np.argsort(-(share - counts), kind="stable")
    if missing >= 0:
        counts[order[:missing]] += 1
    else:
        counts[order[missing:]] -= 1
    return counts


def finite_population(population: Measure, size: int) -> Real:
    """`size` eigenvalues that stand for the law: exact counts of the atoms, mid-quantiles of a continuous part."""
    at, mass = population.atoms
    if population.edges.size == 0:
        return np.repeat(at, apportion(mass, size))
    return np.asarray(population.quantile((np.arange(size) + 0.5) / size), dtype=np.float64)


def gram(scale: Real, rows: int, rng: np.random.Generator) -> Real:
    """``X^T X`` for `rows` independent rows with entries ``sqrt(scale_i) z_i``, z standard normal; in blocks."""
    root = np.sqrt(scale)
    return _accumulate(np.ones(rows), scale.size, rng) * root[:, None] * root[None, :]


def signed_gram(jumps: Real, size: int, rng: np.random.Generator) -> Real:
    """``sum_i jumps_i g_i g_i^T`` with standard normal vectors g_i of the given size, in blocks."""
    return _accumulate(jumps, size, rng)


def _accumulate(jumps: Real, size: int, rng: np.random.Generator) -> Real:
    from scipy.linalg.blas import dsyrk

    _validate.memory(3 * 8.0 * size * size + 16.0 * CHUNK, "size", size)
    total = np.zeros((size, size), order="F")
    block = max(1, CHUNK // size)
    for part in (jumps[jumps > 0.0], jumps[jumps < 0.0]):
        for first in range(0, part.size, block):
            length = np.sqrt(np.abs(part[first : first + block]))
            rows = rng.standard_normal((length.size, size)) * length[:, None]
            # a C-ordered (n, p) array is a Fortran-ordered (p, n) one, whose product with its transpose is X^T X
            total = dsyrk(np.sign(part[first]), rows.T, beta=1.0, c=total, overwrite_c=1)
    return np.asarray(total + np.triu(total, 1).T)


def symmetric_noise(size: int, rng: np.random.Generator) -> Real:
    """A real symmetric matrix, variance ``1/size`` off the diagonal and ``2/size`` on it."""
    _validate.memory(3 * 8.0 * size * size, "size", size)
    noise = rng.standard_normal((size, size))
    noise += noise.T.copy()
    return noise / math.sqrt(2.0 * size)
