"""Sample covariance matrices and compound free Poisson laws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate
from ..equations.composition import CompositionEquation
from ..equations.composition_law import CompositionLaw
from ..equations.pastur import PasturEquation, covariance_equation, free_poisson_equation
from ..equations.pastur_law import PasturLaw, law_of
from ..measures.base import Measure
from ..measures.discrete import Discrete
from .base import Ensemble
from .counts import as_population, finite_population, gram, signed_gram

Real = NDArray[np.float64]


@dataclass(frozen=True)
class SampleCovariance(Ensemble):
    """``S = X^T X / n``: n independent rows of X with population covariance of spectrum H, ``p/n -> ratio``.

    The Stieltjes transform solves ``m(z) = int H(dt) / (t (1 - c - c z m) - z)``, c the ratio; solved in the variable
    ``u = -1/m_companion``, in which ``z = u + c int t H(dt) + c int t^2 H(dt) / (u - t)``.

    Parameters
    ----------
    population : Measure or array_like
        Law H of the population eigenvalues on [0, inf), or the eigenvalues themselves (equal weights).
    ratio : float
        ``p/n > 0``, features over samples.

    Raises
    ------
    DomainError
        Negative population eigenvalues, unbounded support, or a ratio that is not positive.

    References
    ----------
    V. A. Marchenko, L. A. Pastur, Math. USSR Sb. 1 (1967) 457; J. W. Silverstein, S.-I. Choi, J. Multivariate Anal. 54
    (1995) 295.

    Examples
    --------
    >>> import rmtsolve as rmt
    >>> law = rmt.SampleCovariance(rmt.Discrete([1, 3, 10], [.5, .3, .2]), ratio=.5).law()
    >>> law.edges.round(4)
    array([ 0.1224,  5.3516,  5.779 , 18.1778])
    >>> round(law.density(1.0), 12), round(law.cdf(4.0), 12), round(law.quantile(.5), 12)
    (0.288590524033, 0.745481862552, 1.498187452453)
    """

    population: Measure
    ratio: float

    def __init__(self, population: Measure | ArrayLike, ratio: float) -> None:
        object.__setattr__(self, "population", as_population(population, positive=True))
        object.__setattr__(self, "ratio", _validate.positive(ratio, "ratio", "it is p/n, features over samples"))

    def equation(self) -> PasturEquation | CompositionEquation:
        """The self-consistent equation."""
        return covariance_equation(self.population, self.ratio)

    def law(self) -> PasturLaw | CompositionLaw:
        """Limiting law of the eigenvalues of S."""
        return law_of(self.equation(), repr(self))

    def companion(self) -> PasturLaw | CompositionLaw:
        """Limiting law of the n eigenvalues of the Gram matrix ``X X^T / n``."""
        equation = free_poisson_equation(self.population, self.ratio)
        return law_of(equation, f"the companion of {self!r}")

    def samples(self, size: int) -> int:
        """Number n of rows that goes with `size` features: ``size / ratio`` rounded, at least 1."""
        size = _validate.integer(size, "size", low=1)
        rows = size / self.ratio
        if rows > 1e15:
            _validate.fail("size", "such that size / ratio rows can be drawn", size, f"that would be {rows:.3g} rows")
        return max(1, round(rows))

    def finite(self, size: int) -> SampleCovariance:
        """The same model at the ratio and the population counts that a matrix of this size has."""
        rows = self.samples(size)
        return SampleCovariance(Discrete(finite_population(self.population, size)), size / rows)

    def sample(self, size: int, rng: np.random.Generator) -> Real:
        """One matrix S, shape (size, size), Gaussian rows; memory is that of S and one block of rows."""
        rows = self.samples(size)
        _validate.generator(rng)
        _validate.memory(3 * 8.0 * size * size, "size", size)
        return gram(finite_population(self.population, size), rows, rng) / rows

    def sample_data(self, size: int, rng: np.random.Generator) -> Real:
        """The data matrix X itself, shape (n, size)."""
        rows = self.samples(size)
        _validate.generator(rng)
        _validate.memory(16.0 * rows * size, "size", size)
        return rng.standard_normal((rows, size)) * np.sqrt(finite_population(self.population, size))


@dataclass(frozen=True)
class CompoundFreePoisson(Ensemble):
    """The law with free cumulants ``kappa_k = rate int t^k H(dt)``; its matrices are ``sum_i t_i g_i g_i^T / size``.

    Its Stieltjes transform solves ``-1/m = z + rate int t H(dt) / (1 + t m)`` with the sign of the package, that is
    ``z = u + rate int t u H(dt) / (u - t)``, ``m = -1/u``.

    Parameters
    ----------
    jumps : Measure or array_like
        Law H of the jumps, of either sign, or the jumps themselves (equal weights).
    rate : float
        > 0; number of rank-one terms over matrix size.

    Examples
    --------
    >>> import rmtsolve as rmt
    >>> law = CompoundFreePoisson(rmt.Discrete([-1, 2], [.5, .5]), rate=1.5).law()
    >>> law.free_cumulant(3), round(law.moment(2), 12)
    (5.25, 4.3125)
    """

    jumps: Measure
    rate: float

    def __init__(self, jumps: Measure | ArrayLike, rate: float) -> None:
        object.__setattr__(self, "jumps", as_population(jumps, "jumps"))
        object.__setattr__(self, "rate", _validate.positive(rate, "rate"))

    def equation(self) -> PasturEquation | CompositionEquation:
        """The self-consistent equation."""
        return free_poisson_equation(self.jumps, self.rate)

    def law(self) -> PasturLaw | CompositionLaw:
        """Limiting law."""
        return law_of(self.equation(), repr(self))

    def terms(self, size: int) -> int:
        """Number of rank-one terms in a matrix of this size: ``rate * size`` rounded, at least 1."""
        size = _validate.integer(size, "size", low=1)
        count = self.rate * size
        _validate.memory(8.0 * count, "size", size)
        return max(1, round(count))

    def finite(self, size: int) -> CompoundFreePoisson:
        """The same model at the rate and the counts of jumps that a matrix of this size has."""
        terms = self.terms(size)
        return CompoundFreePoisson(Discrete(finite_population(self.jumps, terms)), terms / size)

    def sample(self, size: int, rng: np.random.Generator) -> Real:
        """One matrix ``sum_i t_i g_i g_i^T / size``, g_i standard normal vectors."""
        terms = self.terms(size)
        _validate.generator(rng)
        _validate.memory(3 * 8.0 * size * size, "size", size)
        jumps = finite_population(self.jumps, terms)
        return signed_gram(jumps, size, rng) / size
