"""Wigner matrices and their deformation by a fixed matrix."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate
from ..equations.composition import CompositionEquation
from ..equations.composition_law import CompositionLaw
from ..equations.pastur import PasturEquation, deformed_wigner_equation
from ..equations.pastur_law import PasturLaw, law_of
from ..measures.base import Measure
from ..measures.discrete import Discrete
from .base import Ensemble
from .counts import as_population, finite_population, symmetric_noise

Real = NDArray[np.float64]


@dataclass(frozen=True)
class Wigner(Ensemble):
    """Real symmetric Gaussian matrix, entries of variance ``variance/size`` off the diagonal, twice that on it.

    Parameters
    ----------
    variance : float
        > 0; the law is the semicircle of that variance, ``m = -1/(z + variance m)``.

    Examples
    --------
    >>> Wigner(variance=4.0).law().edges
    array([-4.,  4.])
    """

    variance: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "variance", _validate.positive(self.variance, "variance"))

    def equation(self) -> PasturEquation | CompositionEquation:
        """The self-consistent equation."""
        return deformed_wigner_equation(Discrete([0.0]), self.variance)

    def law(self) -> Measure:
        """The semicircle law."""
        from ..measures.classical import Semicircle

        return Semicircle(variance=self.variance)

    def sample(self, size: int, rng: np.random.Generator) -> Real:
        """One matrix, shape (size, size)."""
        size = _validate.integer(size, "size", low=1)
        return symmetric_noise(size, _validate.generator(rng)) * math.sqrt(self.variance)


@dataclass(frozen=True)
class DeformedWigner(Ensemble):
    """``A + sqrt(variance) W``: a symmetric matrix of spectrum H plus Gaussian noise.

    The Stieltjes transform solves ``m(z) = int H(dt) / (t - z - variance m(z))``; solved in ``u = z + variance m``.

    Parameters
    ----------
    population : Measure or array_like
        Law H of the eigenvalues of A, of either sign, or the eigenvalues themselves (equal weights).
    variance : float
        > 0, of the noise entries times the size.

    References
    ----------
    L. A. Pastur, Theor. Math. Phys. 10 (1972) 67.

    Examples
    --------
    >>> import rmtsolve as rmt
    >>> law = DeformedWigner([-1, 1], variance=.64).law()
    >>> law.edges.round(6), law.masses
    (array([-2.255755, -0.095755,  0.095755,  2.255755]), array([0.5, 0.5]))
    """

    population: Measure
    variance: float = 1.0

    def __init__(self, population: Measure | ArrayLike, variance: float = 1.0) -> None:
        object.__setattr__(self, "population", as_population(population))
        object.__setattr__(self, "variance", _validate.positive(variance, "variance"))

    def equation(self) -> PasturEquation | CompositionEquation:
        """The self-consistent equation."""
        return deformed_wigner_equation(self.population, self.variance)

    def law(self) -> PasturLaw | CompositionLaw:
        """Limiting law."""
        return law_of(self.equation(), repr(self))

    def finite(self, size: int) -> DeformedWigner:
        """The same model with the counts of eigenvalues that a matrix of this size has."""
        size = _validate.integer(size, "size", low=1)
        return DeformedWigner(Discrete(finite_population(self.population, size)), self.variance)

    def sample(self, size: int, rng: np.random.Generator) -> Real:
        """One matrix, shape (size, size); A is diagonal, which loses nothing as the noise is rotation invariant."""
        size = _validate.integer(size, "size", low=1)
        noise = symmetric_noise(size, _validate.generator(rng)) * math.sqrt(self.variance)
        noise[np.diag_indices(size)] += finite_population(self.population, size)
        return noise
