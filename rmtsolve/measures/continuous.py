"""Continuous: a law given by its density, usable as a population."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import _validate
from ..errors import AccuracyWarning, DomainError
from ._legendre import LegendrePanels, fit_legendre
from ._precise import PreciseDensity, precise_array
from .base import Complex, Measure, Precise, Real
from .discrete import Discrete
from .inversion import function_values

_MASS_TOLERANCE = 1e-8


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Continuous(Measure):
    """Law with the given density on one interval or several.

    The density is stored as piecewise Legendre series on panels that adapt to kinks, jumps and end points of any
    power behaviour, and the Stieltjes transform is their exact Cauchy integral: it has full accuracy off the support,
    arbitrarily near it and on it (boundary value), so a population of this kind needs no discretisation.

    Parameters
    ----------
    density : callable
        Maps an array of points strictly inside the support to non-negative values of the same shape. It must
        integrate to one (to 1e-8; it is then normalised).
    support : pair of float or sequence of pairs
        ``(low, high)`` or ``[(low, high), ...]``, disjoint and sorted; ends may be infinite. Touching intervals are
        one bulk; their common end is a hint where the density is not smooth.

    Attributes
    ----------
    error : float
        Estimated error of the distribution function.

    Raises
    ------
    DomainError
        The support is not made of disjoint intervals, the density is negative, infinite or not vectorised, or its
        mass is not one (the message states the mass found).

    Examples
    --------
    >>> law = Continuous(lambda x: 1 / x**2, (1, np.inf))          # Pareto
    >>> abs(law.cdf(4.0) - 0.75) < 1e-13, round(law.quantile(0.5), 12)
    (True, 2.0)
    >>> u = Continuous(lambda x: 0.5 + 0 * x, (1, 3))
    >>> abs(u.stieltjes(2 + 1j) - 0.5j * np.pi / 2) < 1e-14
    True
    """

    intervals: tuple[tuple[float, float], ...]
    error: float
    _function: Callable[[Any], Any]
    _panels: LegendrePanels
    _norm: float

    def __init__(self, density: Callable[[Any], Any], support: ArrayLike) -> None:
        if not callable(density):
            _validate.fail("density", "a function of an array of real numbers", density)
        intervals = _intervals(support)

        def checked(x: Real) -> Real:
            values = function_values(density, x, "density")
            if np.any(values < 0.0):
                worst = int(np.argmin(values))
                _validate.fail("density(x)", "non-negative", f"{values[worst]:.6g} at x={x[worst]:.6g}")
            return values

        panels = fit_legendre(checked, list(intervals))
        mass = math.fsum(panels.masses()) + math.fsum(panels.stubs[:, 1])
        if not abs(mass - 1.0) <= _MASS_TOLERANCE:
            raise DomainError(
                f"density must integrate to 1 over the support, got mass {mass:.10g}; "
                "divide it by its integral, or give the support in pieces if it has narrow peaks"
            )
        error = panels.error + 4e-16
        if error > 1e-9:
            warnings.warn(
                f"the density could only be resolved to an error of {error:.1e}", AccuracyWarning, stacklevel=2
            )
        object.__setattr__(self, "intervals", intervals)
        object.__setattr__(self, "error", error)
        object.__setattr__(self, "_function", density)
        object.__setattr__(self, "_panels", panels.scaled(1.0 / mass))
        object.__setattr__(self, "_norm", mass)

    def __repr__(self) -> str:
        name = getattr(self._function, "__name__", type(self._function).__name__)
        shown = ", ".join(f"[{low:.6g}, {high:.6g}]" for low, high in self.support)
        return f"Continuous({name if name != '<lambda>' else 'density'} on {shown})"

    @property
    def edges(self) -> Real:
        """Ends of the intervals, touching ones joined."""
        ends = [end for pair in self.intervals for end in pair]
        inner = {b for (_, b), (a, _) in zip(self.intervals[:-1], self.intervals[1:], strict=True) if a == b}
        return _validate.read_only(np.array([end for end in ends if end not in inner]))

    # ------------------------------------------------------------------ what the panels give
    def _stieltjes(self, z: Complex) -> Complex:
        return self._at_edges(z, self._panels.cauchy(z))

    def _stieltjes_derivative(self, z: Complex) -> Complex:
        return self._at_edges(z, self._panels.cauchy(z, derivative=True))

    def _stieltjes_precise(self, z: Precise, transform: Callable[[Measure, Precise], Precise]) -> Precise:
        return precise_array(self._precise_density.stieltjes(point) for point in z)

    @cached_property
    def _precise_density(self) -> PreciseDensity:
        return PreciseDensity(self._function, self.intervals, repr(self))

    def _at_edges(self, z: Complex, values: Complex) -> Complex:
        """Infinite at an edge where the density does not vanish."""
        for index, end in enumerate(self.edges):
            hit = z == end
            if hit.any():
                panel = int(np.argmin(np.abs((self._panels.low if index % 2 == 0 else self._panels.high) - end)))
                c = self._panels.coefficients[panel]
                limit = c @ (-1.0) ** np.arange(c.size) if index % 2 == 0 else c.sum()
                largest = float(np.max(np.abs(self._panels.coefficients[:, 0])))
                if abs(limit) > 1e-6 * largest:
                    values[hit] = math.inf
        return values

    def _density(self, x: Real) -> Real:
        return function_values(self._function, x, "density") / self._norm

    def _cdf(self, x: Real) -> Real:
        edges = self.edges
        total = np.clip(self._panels.cumulative(np.clip(x, self._panels.low[0], self._panels.high[-1])), 0.0, 1.0)
        return np.where(x >= edges[-1], 1.0, np.where(x < edges[0], 0.0, total))

    def _moment(self, k: int) -> float:
        t, mass = self._panels.quadrature()
        with np.errstate(over="ignore", invalid="ignore"):
            terms = (mass * t**k).sum(axis=1)
        stubs = self._panels.stubs
        finite = np.isfinite(terms).all()
        # towards an infinite end the terms of doubling panels must die out, else the moment does not exist
        open_ends = [i for i, end in ((0, self.edges[0]), (-1, self.edges[-1])) if not math.isfinite(end)]
        if not finite or any(abs(terms[i]) > 1e-12 * np.abs(terms).sum() for i in open_ends):
            return math.inf
        return math.fsum([*terms, *(stubs[:, 1] * stubs[:, 0] ** k)])

    # ------------------------------------------------------------------ as atoms
    def discretised(self, min_im: float) -> tuple[Discrete, float]:
        """A discrete law with the same transform, to rounding, at all points with ``Im z >= min_im``.

        Gauss-Legendre nodes on a panel of half-width h have error ``exp(-2 n Im z / h)`` near the axis, so their
        number grows like ``1 / min_im``. Below `min_im` the discrete law has spurious gaps: solvers that may come
        nearer must use the transform of this law itself.

        Parameters
        ----------
        min_im : float
            Positive; the smallest imaginary part at which the transform will be asked for.

        Returns
        -------
        law : Discrete
            The nodes.
        error : float
            Largest difference of the two transforms found on the line ``Im z = min_im``, relative to the bound
            ``1 / min_im``.

        Examples
        --------
        >>> u = Continuous(lambda x: 0.5 + 0 * x, (1, 3))
        >>> law, error = u.discretised(0.05)
        >>> len(law.locations) < 500, error < 1e-12
        (True, True)
        """
        eta = _validate.positive(min_im, "min_im")
        panels = self._panels
        half = 0.5 * (panels.high - panels.low)
        masses = panels.masses()
        # log of the size of the ellipse on which the integrand is analytic (beyond 3.8 the density's series limits it)
        rate = np.minimum(np.arcsinh(eta / half), math.log(3.8))
        share = np.maximum(masses, 0.0) * np.minimum(1.0, eta / half)  # of the bound 1/eta
        wanted = np.ceil(0.5 * np.log1p(share * 1e15) / rate) + 1.0
        _validate.memory(16.0 * float(wanted.sum()), "min_im", min_im)
        counts = wanted.astype(np.int64)
        if counts.max() > 20_000:
            _validate.fail("min_im", "large enough for at most 20000 nodes a panel", min_im, "use the law itself")
        places, weights = [panels.stubs[:, 0]], [panels.stubs[:, 1]]
        for i, n in enumerate(counts):
            nodes, gauss = np.polynomial.legendre.leggauss(int(n)) if n <= 64 else _leggauss(int(n))
            places.append(panels.low[i] + half[i] * (1.0 + nodes))
            density = np.polynomial.legendre.legval(nodes, panels.coefficients[i])
            weights.append(half[i] * gauss * np.maximum(density, 0.0))
        mass = np.concatenate(weights)
        law = Discrete(np.concatenate(places), mass / mass.sum())
        levels = np.linspace(0.001, 0.999, 257)
        line = self.quantile(levels) + 1j * eta
        error = float(np.max(np.abs(law._stieltjes(line) - self._stieltjes(line)))) * eta
        return law, error


def _leggauss(n: int) -> tuple[Real, Real]:
    """Gauss-Legendre nodes for large n (NumPy's method costs n^3)."""
    from scipy.special import roots_legendre

    nodes, weights = roots_legendre(n)
    return nodes, weights


def _intervals(support: ArrayLike) -> tuple[tuple[float, float], ...]:
    """Sorted disjoint intervals from one pair or several."""
    try:
        array = np.array(support, dtype=np.float64)
    except (TypeError, ValueError):
        _validate.fail("support", "a pair (low, high) or a list of such pairs", support)
    array = array.reshape(1, 2) if array.shape == (2,) else array
    if array.ndim != 2 or array.shape[1] != 2 or array.size == 0:
        _validate.fail("support", "a pair (low, high) or a list of such pairs", support)
    if np.isnan(array).any():
        _validate.fail("support", "free of nan", support)
    if not np.all(array[:, 0] < array[:, 1]):
        _validate.fail("support", "made of intervals with low < high", support)
    if not np.all(array[:-1, 1] <= array[1:, 0]):
        _validate.fail("support", "made of sorted, disjoint intervals", support)
    return tuple((float(low), float(high)) for low, high in array)
