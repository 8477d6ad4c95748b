"""Haar-rotated matrices against free sums, products, corners and commutators: n KS <= 0.4 ln n + 2.5 (0.3 ln n + 2)."""

import numpy as np
import pytest

import rmtsolve as rmt
from rmtsolve.testing.ensemble_laws import kolmogorov

SIZE = 400
POPULATION, OTHER = rmt.Discrete([0, 1, 3], [0.4, 0.35, 0.25]), rmt.Discrete([-1, 2])


def eigenvalues(law, size):
    return np.repeat(law.locations, np.rint(law.weights * size).astype(int))


def rotated(values, rng):
    q, r = np.linalg.qr(rng.standard_normal((values.size, values.size)))
    q = q * np.sign(np.diag(r))
    return (q * values) @ q.T


def check(law, matrix):
    limit = 0.4 * np.log(SIZE) + 2.5
    distance = kolmogorov(law, np.linalg.eigvalsh(matrix))
    assert matrix.shape[0] * distance <= limit, (law, matrix.shape[0] * distance)


@pytest.mark.parametrize("seed", [0, 1])
def test_sum(seed):
    rng = np.random.default_rng(seed)
    a, b = eigenvalues(POPULATION, SIZE), eigenvalues(OTHER, SIZE)
    check(rmt.free_add(POPULATION, OTHER), np.diag(a) + rotated(b, rng))


def test_sum_with_an_atom():
    one, two = rmt.Discrete([0, 1], [0.75, 0.25]), rmt.Discrete([0, 3], [0.6, 0.4])
    law = rmt.free_add(one, two)
    matrix = np.diag(eigenvalues(one, SIZE)) + rotated(eigenvalues(two, SIZE), np.random.default_rng(2))
    assert np.count_nonzero(np.abs(np.linalg.eigvalsh(matrix)) < 1e-9) == round(0.35 * SIZE)
    check(law, matrix)


@pytest.mark.parametrize("other", [OTHER, rmt.Discrete([0.5, 2, 5], [0.3, 0.3, 0.4])], ids=["signed", "positive"])
def test_product(other):
    rng = np.random.default_rng(3)
    root = np.sqrt(eigenvalues(POPULATION, SIZE))
    check(rmt.free_multiply(POPULATION, other), root[:, None] * rotated(eigenvalues(other, SIZE), rng) * root)


def test_corner():
    rng = np.random.default_rng(4)
    matrix = rotated(eigenvalues(POPULATION, 2 * SIZE // 2 * 2), rng)
    size = matrix.shape[0] // 2
    check(rmt.free_compress(POPULATION, 0.5), matrix[:size, :size])


def test_commutator():
    rng = np.random.default_rng(5)
    one, two = rmt.Discrete([-1, 0, 1], [0.25, 0.5, 0.25]), rmt.Discrete([1, 3])
    a, b = eigenvalues(one, SIZE), rotated(eigenvalues(two, SIZE), rng)
    check(rmt.free_commutator(one, two), 1j * (a[:, None] * b - b * a))
