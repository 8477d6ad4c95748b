"""Separable sample covariance matrices: correlations between the variables and between the samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate
from ..equations.separable import SeparableEquation
from ..equations.subordination_law import TwoFactorLaw
from ..measures.base import Measure
from ..measures.discrete import Discrete
from .base import Ensemble
from .counts import as_population, finite_population, signed_gram

Real = NDArray[np.float64]


@dataclass(frozen=True, init=False)
class SeparableCovariance(Ensemble):
    """``S = A^(1/2) X B X^T A^(1/2) / n``: X of shape (p, n) with independent standard entries, ``p/n -> ratio``.

    With ``delta`` and ``tilde delta`` in the upper half-plane,

        z delta = -ratio int a / (1 + tilde delta a) dA,     z tilde delta = -int b / (1 + delta b) dB,
        m(z) = -(1/z) int 1 / (1 + tilde delta a) dA.

    Parameters
    ----------
    A : Measure or array_like
        Law of the eigenvalues of A (p x p, between the variables) on [0, inf), or the eigenvalues themselves.
    B : Measure or array_like
        Law of the eigenvalues of B (n x n, between the samples), or the eigenvalues; they may be negative.
    ratio : float
        ``p/n > 0``, variables over samples.

    Raises
    ------
    DomainError
        Negative eigenvalues of A, A or B zero, unbounded support, or a ratio that is not positive.

    References
    ----------
    D. Paul, J. Silverstein, J. Multivariate Anal. 100 (2009) 37; R. Couillet, W. Hachem, Random Matrices Theory Appl. 3
    (2014) 1450016.

    Examples
    --------
    >>> import rmtsolve as rmt
    >>> law = rmt.SeparableCovariance(rmt.Discrete([1, 4]), rmt.Discrete([.5, 2]), ratio=.5).law()
    >>> law.edges.round(6), round(law.density(1.0), 12)
    (array([ 0.111518, 13.321448]), 0.245338558681)
    """

    A: Measure
    B: Measure
    ratio: float

    def __init__(self, A: Measure | ArrayLike, B: Measure | ArrayLike, ratio: float) -> None:
        for name, value in (("A", A), ("B", B)):
            law = as_population(value, name, positive=name == "A")
            if law.edges.size == 0 and not law.atoms.locations.any():
                _validate.fail(name, "a law with some eigenvalue that is not 0", value)
            object.__setattr__(self, name, law)
        object.__setattr__(self, "ratio", _validate.positive(ratio, "ratio", "it is p/n, variables over samples"))

    def equation(self) -> SeparableEquation:
        """The self-consistent equation, with state delta."""
        return SeparableEquation(self.A, self.B, self.ratio)

    def law(self) -> Measure:
        """Limiting law of the eigenvalues of S."""
        if max(*self.B.edges, *self.B.atoms.locations, -np.inf) <= 0.0:  # the mirror image of that of -B
            return SeparableCovariance(self.A, self.B.scaled(-1.0), self.ratio).law().scaled(-1.0)
        return TwoFactorLaw(self.equation(), repr(self))

    def samples(self, size: int) -> int:
        """Number n of samples that goes with `size` variables: ``size / ratio`` rounded, at least 1."""
        size = _validate.integer(size, "size", low=1)
        columns = size / self.ratio
        _validate.memory(8.0 * columns, "size", size)
        return max(1, round(columns))

    def finite(self, size: int) -> SeparableCovariance:
        """The same model at the ratio and the counts of eigenvalues that a matrix of this size has."""
        columns = self.samples(size)
        rows, weights = finite_population(self.A, size), finite_population(self.B, columns)
        return SeparableCovariance(Discrete(rows), Discrete(weights), size / columns)

    def sample(self, size: int, rng: np.random.Generator) -> Real:
        """One matrix S, shape (size, size), X Gaussian; A and B are diagonal, which for Gaussian X loses nothing."""
        columns = self.samples(size)
        root = np.sqrt(finite_population(self.A, size))
        weights = finite_population(self.B, columns)
        return signed_gram(weights, size, _validate.generator(rng)) * (root[:, None] * root / columns)
