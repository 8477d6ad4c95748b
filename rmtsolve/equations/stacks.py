"""Linear algebra on stacks of small matrices of which single ones may be singular or wild: those give nan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .base import Complex, Real


def solve_each(matrices: Complex, right: Complex) -> Complex:
    """Solutions of n linear systems (n, d, d) x = (n, d)."""
    if right.shape[1] == 1:
        with np.errstate(all="ignore"):
            return np.asarray(right / matrices[:, 0])
    answer = np.full(right.shape, complex(np.nan, np.nan))
    good = np.isfinite(matrices).all(axis=(1, 2)) & np.isfinite(right).all(axis=1)
    system = np.concatenate([matrices[good], right[good][:, :, None]], axis=2)
    answer[good] = _each(lambda a: np.linalg.solve(a[:, :, :-1], a[:, :, -1:])[:, :, 0], system, right.shape[1:])
    return answer


def invert_each(matrices: Complex) -> Complex:
    """Inverses of n matrices."""
    return _finite_ones(np.linalg.inv, matrices, matrices.shape[1:])


def eigenvalues_each(hermitian: Complex) -> Real:
    """Sorted eigenvalues of n Hermitian matrices."""
    return _finite_ones(np.linalg.eigvalsh, hermitian, hermitian.shape[1:2]).real


def eigensystem_each(hermitian: Complex) -> tuple[Real, Complex]:
    """(eigenvalues, eigenvectors in columns) of n Hermitian matrices."""

    def joined(stack: Complex) -> Complex:
        values, vectors = np.linalg.eigh(stack)
        return np.concatenate([values[:, None, :].astype(np.complex128), vectors], axis=1)

    k = hermitian.shape[1]
    both = _finite_ones(joined, hermitian, (k + 1, k))
    return both[:, 0].real, both[:, 1:]


def singular_values_each(matrices: Complex) -> Real:
    """Singular values of n matrices, largest first."""
    return _finite_ones(lambda a: np.linalg.svd(a, compute_uv=False), matrices, matrices.shape[1:2]).real


def pseudo_inverse_each(matrices: Complex, cutoff: float) -> Complex:
    """Pseudo-inverses of n matrices (rows, columns)."""
    return _finite_ones(lambda a: np.linalg.pinv(a, rcond=cutoff), matrices, matrices.shape[:0:-1])


def spectral_radius(matrices: Complex) -> Real:
    """Largest modulus of an eigenvalue of each of n matrices."""
    return np.asarray(np.abs(_finite_ones(np.linalg.eigvals, matrices, matrices.shape[1:2])).max(axis=1))


def _finite_ones(function: Callable[[Complex], Any], matrices: Complex, shape: tuple[int, ...]) -> Complex:
    """`function` of the finite matrices of a stack, nan for the others."""
    answer = np.full((len(matrices), *shape), complex(np.nan, np.nan))
    good = np.asarray(np.isfinite(matrices).all(axis=(1, 2)))
    answer[good] = _each(function, matrices[good], shape)
    return answer


def _each(function: Callable[[Complex], Any], stack: Complex, shape: tuple[int, ...]) -> Complex:
    """`function` of a stack; if LAPACK gives up on the stack, one by one, nan for the culprits."""
    if len(stack) == 0:
        return np.empty((0, *shape), dtype=np.complex128)
    with np.errstate(all="ignore"):
        try:
            return np.asarray(function(stack), dtype=np.complex128)
        except np.linalg.LinAlgError:
            if len(stack) == 1:
                return np.full((1, *shape), complex(np.nan, np.nan))
    return np.concatenate([_each(function, one[None], shape) for one in stack])


def angles_each(matrices: Complex) -> Real:
    """Sum of the angles of the eigenvalues of matrices whose imaginary parts are positive semidefinite."""
    values = np.linalg.eigvals(matrices)
    # rounding must not turn an angle pi into -pi
    total = np.arctan2(np.maximum(values.imag, 0.0), values.real).sum(axis=-1)
    exact = np.angle(np.linalg.slogdet(matrices)[0])  # keeps more digits of graded matrices, but is known up to turns
    return np.asarray(exact + 2.0 * np.pi * np.rint((total - exact) / (2.0 * np.pi)))
