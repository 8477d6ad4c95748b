"""Spikes in sample covariance and deformed Wigner matrices: the map ``z = F(u)`` of their equation is the spike map.

A spike l on the real line outside the u-interval of the bulk, that is with ``F'(l) > 0``, makes an eigenvalue at F(l):

======================  ============================  ========================  ============================
model                   F                             squared overlap           variance of the eigenvalue
======================  ============================  ========================  ============================
sample covariance       ``l + c l int t/(l - t) dH``  ``l F'(l) / F(l)``        ``2 l^2 F'(l)``, times 1/n
deformed Wigner         ``l + var int 1/(l - t) dH``  ``F'(l)``                 ``2 var F'(l)``, times 1/size
======================  ============================  ========================  ============================

so thresholds are the critical points of F, one an edge, and the way back is the solution ``l = u(z)`` itself.

Source: derived; J. Baik, G. Ben Arous, S. Peche, Ann. Probab. 33 (2005); J. Baik, J. Silverstein, J. Multivariate Anal.
97 (2006); Z. Bai, J. Yao, J. Multivariate Anal. 106 (2012) for general bulks; M. Capitaine, C. Donati-Martin, D. Feral,
M. Fevrier, Electron. J. Probab. 16 (2011) for deformed Wigner matrices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate
from ..equations.composition import CompositionEquation
from ..equations.composition_law import CompositionLaw
from ..equations.pastur import PasturEquation, covariance_equation, deformed_wigner_equation
from ..equations.pastur_law import PasturLaw, law_of
from ..measures.base import Measure
from ..measures.discrete import Discrete
from .counts import as_population, finite_population, gram, symmetric_noise
from .spike_base import Planted, SpikedEnsemble, Window, checked_spikes

Real = NDArray[np.float64]


@dataclass(frozen=True, init=False)
class SpikedCovariance(SpikedEnsemble):
    """``S = X^T X / n`` whose population covariance has spectrum H but for a few eigenvalues, the spikes.

    Parameters
    ----------
    population : Measure or array_like
        Law H of the other population eigenvalues on [0, inf), or these eigenvalues (equal weights).
    ratio : float
        ``p/n > 0``, features over samples.
    spikes : array_like of float
        Population eigenvalues > 0, anywhere: above, below or in the gaps of H. Repeat one for its multiplicity.

    Raises
    ------
    DomainError
        A spike that is not positive, or what `SampleCovariance` refuses.

    Notes
    -----
    `outliers` gives ``location = F(l)``, ``overlap = l F'(l)/F(l)`` and ``variance = 2 l^2 F'(l)``, the variance of
    ``sqrt(n) (eigenvalue - location)`` for real Gaussian samples. In `sample` the spikes are the first coordinates.

    References
    ----------
    J. Baik, J. Silverstein, J. Multivariate Anal. 97 (2006) 1382; Z. Bai, J. Yao, J. Multivariate Anal. 106 (2012) 167.

    Examples
    --------
    >>> import rmtsolve as rmt
    >>> model = rmt.SpikedCovariance(rmt.Discrete([1, 3], [.6, .4]), ratio=.5, spikes=[8])
    >>> outlier = model.outliers()[0]
    >>> round(outlier.location, 10), round(outlier.overlap, 10), round(outlier.variance, 6)
    (9.3028571429, 0.7927693928, 118.000327)
    >>> model.thresholds.round(6)
    array([[0.      , 0.363718],
           [4.359832,      inf]])
    >>> model.spikes_from_outliers([9.3028571428571429]).round(10)
    array([8.])
    """

    population: Measure
    ratio: float
    spikes: tuple[float, ...]

    def __init__(self, population: Measure | ArrayLike, ratio: float, spikes: ArrayLike = ()) -> None:
        object.__setattr__(self, "population", as_population(population, positive=True))
        object.__setattr__(self, "ratio", _validate.positive(ratio, "ratio", "it is p/n, features over samples"))
        rule = "they are eigenvalues of a covariance matrix"
        object.__setattr__(self, "spikes", checked_spikes(spikes, low=0.0, rule=rule))

    def equation(self) -> PasturEquation | CompositionEquation:
        """The self-consistent equation of the bulk."""
        return covariance_equation(self.population, self.ratio)

    def law(self) -> PasturLaw | CompositionLaw:
        """Limiting law of the bulk; spikes have no mass in the limit."""
        return law_of(self.equation(), repr(self))

    def samples(self, size: int) -> int:
        """Number n of rows that goes with `size` features: ``size / ratio`` rounded, at least 1."""
        size = self._check_size(size)
        _validate.memory(8.0 * size / self.ratio, "size", size)
        return max(1, round(size / self.ratio))

    def finite(self, size: int) -> SpikedCovariance:
        """The same model with the counts of a matrix of this size.

        Its ratio is ``(size - number of spikes) / n``: what pushes the spikes is the bulk alone.
        """
        rows = self.samples(size)
        bulk = size - len(self.spikes)
        return SpikedCovariance(Discrete(finite_population(self.population, bulk)), bulk / rows, self.spikes)

    def sample(self, size: int, rng: np.random.Generator) -> Real:
        """One matrix S, shape (size, size), Gaussian rows; the spikes are the variances of the first coordinates."""
        rows = self.samples(size)
        bulk = finite_population(self.population, size - len(self.spikes))
        return gram(np.concatenate([self.spikes, bulk]), rows, _validate.generator(rng)) / rows

    def _windows(self) -> tuple[Window, ...]:
        return _windows(self.equation(), low=0.0)

    def _plant(self, spikes: Real, windows: list[Window]) -> Planted:
        value, slope = spike_map(self.equation(), spikes)
        return Planted(value, (spikes * slope / value)[None], 2.0 * spikes**2 * slope)

    def _recover(self, locations: Real) -> Real:
        u = self.equation().solve_real(locations)
        return np.where(u > 0.0, u, np.nan)


@dataclass(frozen=True, init=False)
class SpikedWigner(SpikedEnsemble):
    """``A + sqrt(variance) W``: A has spectrum H but for a few eigenvalues, the spikes.

    Parameters
    ----------
    population : Measure or array_like
        Law H of the other eigenvalues of A, or these eigenvalues; by default they are zero.
    variance : float
        > 0, of the noise entries times the size.
    spikes : array_like of float
        Eigenvalues of A, of either sign. Repeat one for its multiplicity.

    Notes
    -----
    `outliers` gives ``location = F(l)``, ``overlap = F'(l)`` and ``variance = 2 var F'(l)``, the variance of
    ``sqrt(size) (eigenvalue - location)`` for real Gaussian noise. In `sample` the spikes are the first coordinates.

    References
    ----------
    S. Peche, Probab. Theory Relat. Fields 134 (2006) 127; M. Capitaine, C. Donati-Martin, D. Feral, M. Fevrier,
    Electron. J. Probab. 16 (2011) 1750.

    Examples
    --------
    >>> import rmtsolve as rmt
    >>> model = rmt.SpikedWigner(spikes=[-3, 0.5, 2])
    >>> [(one.spike, round(one.location, 6), one.overlap) for one in model.outliers()]
    [(-3.0, -3.333333, 0.888...), (2.0, 2.5, 0.75)]
    >>> model.subcritical, model.threshold
    ((0.5,), 1.0)
    """

    population: Measure
    variance: float
    spikes: tuple[float, ...]

    def __init__(self, population: Measure | ArrayLike = (0.0,), variance: float = 1.0, spikes: ArrayLike = ()) -> None:
        object.__setattr__(self, "population", as_population(population))
        object.__setattr__(self, "variance", _validate.positive(variance, "variance"))
        object.__setattr__(self, "spikes", checked_spikes(spikes, low=-np.inf, rule="they are eigenvalues of A"))

    def equation(self) -> PasturEquation | CompositionEquation:
        """The self-consistent equation of the bulk."""
        return deformed_wigner_equation(self.population, self.variance)

    def law(self) -> PasturLaw | CompositionLaw:
        """Limiting law of the bulk; spikes have no mass in the limit."""
        return law_of(self.equation(), repr(self))

    def finite(self, size: int) -> SpikedWigner:
        """The same model with the counts of a matrix of this size, and the variance of the bulk's part of the noise."""
        bulk = self._check_size(size) - len(self.spikes)
        counts = Discrete(finite_population(self.population, bulk))
        return SpikedWigner(counts, self.variance * bulk / size, self.spikes)

    def sample(self, size: int, rng: np.random.Generator) -> Real:
        """One matrix, shape (size, size); A is diagonal and begins with the spikes."""
        size = self._check_size(size)
        matrix = symmetric_noise(size, _validate.generator(rng)) * np.sqrt(self.variance)
        bulk = finite_population(self.population, size - len(self.spikes))
        matrix[np.diag_indices(size)] += np.concatenate([self.spikes, bulk])
        return np.asarray(matrix)

    def _windows(self) -> tuple[Window, ...]:
        return _windows(self.equation(), low=-np.inf)

    def _plant(self, spikes: Real, windows: list[Window]) -> Planted:
        value, slope = spike_map(self.equation(), spikes)
        return Planted(value, slope[None], 2.0 * self.variance * slope)

    def _recover(self, locations: Real) -> Real:
        return np.asarray(self.equation().solve_real(locations))


def spike_map(equation: PasturEquation | CompositionEquation, spikes: Real) -> tuple[Real, Real]:
    """F and F' at real points off the poles."""
    if isinstance(equation, CompositionEquation):
        value, slope = equation.image(spikes.astype(np.complex128))
        return value.real, slope.real
    share = 1.0 / (spikes[:, None] - equation.poles)
    weights = equation.scale * equation.coefficients
    if equation.origin:  # F = u (1 + c sum h t / (u - t)): a product, so that small spikes keep their digits
        weights = weights * equation.poles
        return spikes * (1.0 + share @ weights), 1.0 - share**2 @ (weights * equation.poles)
    return spikes + share @ weights, 1.0 - share**2 @ weights


def _windows(equation: PasturEquation | CompositionEquation, *, low: float) -> tuple[Window, ...]:
    """Between the critical points, where F increases, as far as spikes may go."""
    table = equation.table
    if isinstance(table, list):
        critical, edges = np.array([edge.critical for edge in table]), equation.find_edges()
    else:
        critical, edges = table.critical, table.edges
    ends = np.concatenate([[-np.inf], critical, [np.inf]]).reshape(-1, 2)
    gaps = np.concatenate([[-np.inf], edges, [np.inf]]).reshape(-1, 2)
    found = [Window(max(float(a), low), float(b), *map(float, gap)) for (a, b), gap in zip(ends, gaps, strict=True)]
    return tuple(window for window in found if window.low < window.high)
