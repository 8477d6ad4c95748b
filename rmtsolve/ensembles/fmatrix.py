"""Ratios of two sample covariance matrices: the F-matrix and its MANOVA (Jacobi) form, for any population."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate
from ..equations.two_samples import TwoSamplesEquation
from ..equations.two_samples_law import TwoSamplesLaw
from ..measures.base import Measure
from ..measures.classical import Jacobi, Wachter
from ..measures.discrete import Discrete
from .base import Ensemble
from .counts import as_population, finite_population, gram

Real = NDArray[np.float64]


@dataclass(frozen=True, init=False)
class _TwoSamples(Ensemble):
    """A population and the ratios of two samples."""

    population: Measure
    ratio1: float
    ratio2: float

    def samples(self, size: int) -> tuple[int, int]:
        """Numbers of rows of the two samples that go with `size` features: size over ratio, rounded, at least 1."""
        size = _validate.integer(size, "size", low=1)
        _validate.memory(8.0 * size / min(self.ratio1, self.ratio2), "size", size)
        return max(1, round(size / self.ratio1)), max(1, round(size / self.ratio2))

    def _counts(self, size: int) -> tuple[Discrete, float, float]:
        first, second = self.samples(size)
        return Discrete(finite_population(self.population, size)), size / first, size / second

    def _scatter(self, size: int, rng: np.random.Generator) -> tuple[Real, Real]:
        """``X^T X`` with the population, and the white ``Y^T Y``."""
        first, second = self.samples(size)
        _validate.generator(rng)
        return gram(finite_population(self.population, size), first, rng), gram(np.ones(size), second, rng)


@dataclass(frozen=True, init=False)
class FMatrix(_TwoSamples):
    """``S2^(-1) S1``: S1 a sample covariance over H, ``p/n1 -> ratio1``, S2 a white one, ``p/n2 -> ratio2 < 1``.

    With ``K(w) = int t H(dt)/(t - w)`` its Stieltjes transform is ``m = (K(w) - 1)/z`` at
    ``z = w (1 - ratio1 K)/(1 - ratio2 + ratio2 K)``. For two populations T1 and T2, H is the spectrum of
    ``T2^(-1) T1``.

    Parameters
    ----------
    population : Measure or array_like
        Law H on [0, inf), or the eigenvalues themselves; ``[1]`` is Wachter's law.
    ratio1 : float
        ``p/n1 > 0``.
    ratio2 : float
        ``p/n2`` in (0, 1), so that S2 can be inverted.

    Raises
    ------
    DomainError
        Negative eigenvalues, unbounded support, H = {0}, or a ratio outside its domain.

    References
    ----------
    K. Wachter, Ann. Statist. 8 (1980) 937; S. Zheng, Z. Bai, J. Yao, Ann. Statist. 43 (2015) for general populations.

    Examples
    --------
    >>> import rmtsolve as rmt
    >>> law = rmt.FMatrix([1], ratio1=.5, ratio2=.2).law()
    >>> law.edges.round(9), round(law.density(1.0), 12)
    (array([0.07938541, 4.92061459]), 0.345563673076)
    """

    def __init__(self, population: Measure | ArrayLike, ratio1: float, ratio2: float) -> None:
        object.__setattr__(self, "population", _covariance_population(population))
        object.__setattr__(self, "ratio1", _validate.positive(ratio1, "ratio1", "it is p/n1"))
        remedy = "it is p/n2 of the matrix that is inverted; Manova has no such limit"
        ratio = _validate.real(ratio2, "ratio2", low=0.0, high=1.0, open_low=True, open_high=True, remedy=remedy)
        object.__setattr__(self, "ratio2", ratio)

    def equation(self) -> TwoSamplesEquation:
        """The self-consistent equation, for the traces of ``(S1 - z S2)^(-1)`` with and without T."""
        return TwoSamplesEquation(self.population, self.ratio1, self.ratio2)

    def law(self) -> Measure:
        """Limiting law of the eigenvalues of ``S2^(-1) S1``."""
        single = _single(self.population)
        if single is not None:
            return Wachter(self.ratio1, self.ratio2).scaled(single)
        return TwoSamplesLaw(self.equation(), repr(self))

    def samples(self, size: int) -> tuple[int, int]:
        """Numbers of rows of the two samples that go with `size` features; the second is at least ``size + 1``."""
        first, second = super().samples(size)
        return first, max(second, size + 1)

    def finite(self, size: int) -> FMatrix:
        """The same model at the ratios and the population counts that a matrix of this size has."""
        return FMatrix(*self._counts(size))

    def sample(self, size: int, rng: np.random.Generator) -> Real:
        """One symmetric matrix with the eigenvalues of ``S2^(-1) S1``, shape (size, size)."""
        first, second = self.samples(size)
        one, two = self._scatter(size, rng)
        return _divided(one / first, two / second)


@dataclass(frozen=True, init=False)
class Manova(_TwoSamples):
    """``A (A + B)^(-1)``, ``A = X^T X`` over the population H with n1 rows, ``B = Y^T Y`` white with n2 rows.

    If f is an eigenvalue of the F-matrix, ``ratio2 f / (ratio1 + ratio2 f)`` is one of this matrix. The law has the
    atoms ``max(h, 1 - 1/ratio1)`` at 0, h the mass of H there, and ``1 - 1/ratio2`` at 1, where these are positive.

    Parameters
    ----------
    population : Measure or array_like
        Law H on [0, inf), or the eigenvalues themselves; ``[1]`` is the `Jacobi` law.
    ratio1, ratio2 : float
        ``p/n1`` and ``p/n2``, positive, such that ``A + B`` can be inverted: ``min(1/ratio1, 1 - h) + 1/ratio2 > 1``
        with the mass h of H at zero (the ranks of A and B over p). Neither A nor B has to be invertible.

    Raises
    ------
    DomainError
        What the above excludes, negative eigenvalues, unbounded support, or H = {0}.

    References
    ----------
    K. Wachter, Ann. Statist. 8 (1980) 937; B. Collins, Probab. Theory Relat. Fields 133 (2005) 315.

    Examples
    --------
    >>> import rmtsolve as rmt
    >>> rmt.Manova([1, 4], ratio1=.5, ratio2=.2).law().edges.round(6)
    array([0.04349, 0.85535])
    >>> rmt.Manova([1], ratio1=.5, ratio2=1.5).law()
    Jacobi(c1=0.5, c2=1.5)
    >>> rmt.Manova([1, 4], ratio1=1.25, ratio2=1.25).law().atoms.weights
    array([0.2, 0.2])
    """

    def __init__(self, population: Measure | ArrayLike, ratio1: float, ratio2: float) -> None:
        law = _covariance_population(population)
        c1, c2 = (_validate.positive(value, name) for value, name in ((ratio1, "ratio1"), (ratio2, "ratio2")))
        for name, value in (("population", law), ("ratio1", c1), ("ratio2", c2)):
            object.__setattr__(self, name, value)
        at, mass = law.atoms
        ranks = min(1.0 / c1, 1.0 - float(mass[at == 0.0].sum())) + 1.0 / c2
        if not ranks > 1.0 + 1e-14:
            _validate.fail(
                "ratio2", "such that A + B can be inverted: the ranks of A and B over p must add up to more than 1", c2,
                f"for this population and ratio1 they add up to {ranks:.6g}",
            )  # fmt: skip

    def equation(self) -> TwoSamplesEquation:
        """The self-consistent equation, for the traces of ``(A - z (A + B))^(-1)`` with and without the population."""
        return TwoSamplesEquation(self.population, self.ratio1, self.ratio2, share=True)

    def law(self) -> Measure:
        """Limiting law of the eigenvalues, on [0, 1]."""
        if _single(self.population) == 1.0:
            return Jacobi(self.ratio1, self.ratio2)
        return TwoSamplesLaw(self.equation(), repr(self))

    def finite(self, size: int) -> Manova:
        """The same model at the ratios and the population counts that a matrix of this size has."""
        return Manova(*self._counts(size))

    def sample(self, size: int, rng: np.random.Generator) -> Real:
        """One symmetric matrix with the eigenvalues of ``A (A + B)^(-1)``, shape (size, size)."""
        one, two = self._scatter(size, rng)
        return _divided(one, one + two)


def _covariance_population(population: Measure | ArrayLike) -> Measure:
    law = as_population(population, positive=True)
    if law.edges.size == 0 and not law.atoms.locations.any():
        _validate.fail("population", "a law with some eigenvalue that is not 0", population)
    return law


def _single(law: Measure) -> float | None:
    """The eigenvalue of a population that has only one."""
    at = law.atoms.locations
    return float(at[0]) if law.edges.size == 0 and at.size == 1 else None


def _divided(one: Real, two: Any) -> Real:
    """``L^(-1) one L^(-T)`` with ``two = L L^T``: symmetric, with the eigenvalues of ``two^(-1) one``."""
    from scipy.linalg import cholesky, solve_triangular

    root = cholesky(two, lower=True)
    half = solve_triangular(root, one, lower=True)
    full = solve_triangular(root, half.T, lower=True)
    return np.asarray(0.5 * (full + full.T))
