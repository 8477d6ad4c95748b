"""Information plus noise: a fixed rectangular matrix observed through additive noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate
from ..equations.information_noise import InformationNoiseEquation
from ..equations.information_noise_law import InformationNoiseLaw
from ..measures.base import Measure
from ..measures.discrete import Discrete
from .base import Ensemble
from .counts import as_population, finite_population

Real = NDArray[np.float64]

_LEAST = 1e-29  # of the largest eigenvalue: noise that leaves bulks wider than rounding
_MOST = 1e100  # noise whose squares are finite


@dataclass(frozen=True, init=False)
class InformationPlusNoise(Ensemble):
    """``S = (R + noise X)^T (R + noise X) / n``: R (n x p) fixed, X with independent unit entries, ``p/n -> ratio``.

    With H the limit law of the eigenvalues of ``R^T R / n`` and ``kappa = noise^2 ratio``,

        m(z) = int H(dt) / (t / (1 + kappa m) - (1 + kappa m) z + noise^2 (1 - ratio)).

    Parameters
    ----------
    population : Measure or array_like
        Law H on [0, inf) of bounded support, or the eigenvalues themselves. For ratio > 1 it has mass at least
        ``1 - 1/ratio`` at zero, as ``R^T R`` has rank at most n.
    noise : float
        > 0, standard deviation of the noise entries.
    ratio : float
        ``p/n > 0``.

    Raises
    ------
    DomainError
        Negative eigenvalues, unbounded support, too little mass at zero, or a parameter that is not positive.

    References
    ----------
    R. Dozier, J. Silverstein, J. Multivariate Anal. 98 (2007) 678; P. Vallet, P. Loubaton, X. Mestre, IEEE Trans. Inf.
    Theory 58 (2012) 1043.

    Examples
    --------
    >>> import rmtsolve as rmt
    >>> law = rmt.InformationPlusNoise([0, 2], noise=1.0, ratio=.5).law()
    >>> round(law.density(1.0), 12), round(law.density(5.0), 12)
    (0.285696496737, 0.079042602986)
    """

    population: Measure
    noise: float
    ratio: float

    def __init__(self, population: Measure | ArrayLike, noise: float = 1.0, ratio: float = 1.0) -> None:
        law = as_population(population, positive=True)
        object.__setattr__(self, "population", law)
        object.__setattr__(self, "noise", _validate.positive(noise, "noise"))
        object.__setattr__(self, "ratio", _validate.positive(ratio, "ratio", "it is p/n"))
        self._check_sizes(float(np.concatenate([law.edges, law.atoms.locations]).max()))
        at, mass = law.atoms
        empty, zero = 1.0 - 1.0 / self.ratio, float(mass[at == 0.0].sum())
        if zero < empty - 1e-12:
            _validate.fail(
                "population", f"a law with mass at least 1 - 1/ratio = {empty:.6g} at zero", law,
                f"it has {zero:.6g} there, but R^T R has rank at most n = p/ratio",
            )  # fmt: skip

    def _check_sizes(self, largest: float) -> None:
        """Refuse noise that the population, or a population that the noise, does not feel in floating point."""
        unit = largest or self.noise * self.noise
        for size in (self.noise * self.noise, self.noise * self.noise * self.ratio):
            if not _LEAST * unit <= size <= _MOST * unit:
                _validate.fail(
                    "noise", f"such that noise^2 and noise^2 ratio are {_LEAST:g} to {_MOST:g} times the population's "
                    f"largest eigenvalue, {largest:g}", (self.noise, self.ratio),
                    "drop the smaller part: without noise the law is the population's",
                )  # fmt: skip

    def equation(self) -> InformationNoiseEquation:
        """The self-consistent equation, with state ``sqrt(z) m(z)`` (that of the n x n twin for ratio > 1)."""
        return InformationNoiseEquation(self.population, self.noise, self.ratio)

    def law(self) -> InformationNoiseLaw:
        """Limiting law of the eigenvalues of S."""
        return InformationNoiseLaw(self.equation(), repr(self))

    def samples(self, size: int) -> int:
        """Number n of rows that goes with `size` columns: ``size / ratio`` rounded, at least 1."""
        size = _validate.integer(size, "size", low=1)
        _validate.memory(8.0 * size * max(1.0, size / self.ratio), "size", size)
        return max(1, round(size / self.ratio))

    def finite(self, size: int) -> InformationPlusNoise:
        """The same model at the ratio and the population counts that a matrix of this size has."""
        return InformationPlusNoise(Discrete(self._eigenvalues(size)), self.noise, size / self.samples(size))

    def sample(self, size: int, rng: np.random.Generator) -> Real:
        """One matrix S, shape (size, size); R is diagonal, which for Gaussian X loses nothing."""
        rows, values = self.samples(size), self._eigenvalues(size)
        data = self.noise * _validate.generator(rng).standard_normal((rows, size))
        count = min(rows, size)
        data[np.arange(count), np.arange(count)] += np.sqrt(rows * values[:count])
        return np.asarray(data.T @ data / rows)

    def _eigenvalues(self, size: int) -> Real:
        """`size` eigenvalues of ``R^T R / n``, largest first, at most n of them not zero."""
        values = finite_population(self.population, _validate.integer(size, "size", low=1))[::-1].copy()
        values[self.samples(size) :] = 0.0
        return values
