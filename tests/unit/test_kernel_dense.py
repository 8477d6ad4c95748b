"""Small dense linear algebra of the kernels against NumPy."""

import numpy as np
import pytest

from rmtsolve._kernels.dense import factor, inverse_matrix, solve, solve_transposed


def matrix(n, seed=1):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n))


@pytest.mark.parametrize("n", [1, 2, 5])
def test_solves_like_numpy(n):
    a, b = matrix(n), matrix(n, 2)[0]
    lu, pivots = a.copy(), np.empty(n, np.int64)
    assert factor(lu, pivots)
    x, y = b.copy(), b.copy()
    solve(lu, pivots, x)
    solve_transposed(lu, pivots, y)
    assert np.allclose(a @ x, b, rtol=0, atol=1e-13)
    assert np.allclose(a.T @ y, b, rtol=0, atol=1e-13)
    out = np.empty((n, n), np.complex128)
    assert inverse_matrix(a.copy(), out)
    assert np.allclose(a @ out, np.eye(n), rtol=0, atol=1e-12)


def test_rows_are_exchanged_when_the_corner_vanishes():
    a = np.array([[0.0, 2.0], [1.0, 0.0]], dtype=complex)
    pivots = np.empty(2, np.int64)
    assert factor(a, pivots)
    assert pivots[0] == 1
    b = np.array([4.0, 3.0], dtype=complex)
    solve(a, pivots, b)
    assert np.array_equal(b, [3.0, 2.0])


@pytest.mark.parametrize("bad", [np.zeros((2, 2)), np.full((2, 2), np.nan), np.array([[1.0, 2.0], [2.0, 4.0]])])
def test_singular_and_wild_matrices_are_reported(bad):
    a = bad.astype(complex)
    assert not factor(a.copy(), np.empty(2, np.int64))
    assert not inverse_matrix(a.copy(), np.empty((2, 2), np.complex128))
