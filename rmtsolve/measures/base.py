"""Measure: a probability law on the real line, as a value.

Conventions: ``m(z) = int mu(dx) / (x - z)``, so ``Im m > 0`` for ``Im z > 0`` and the density is
``lim Im m(x + i eta) / pi``. A law is an absolutely continuous part on a few intervals (the *bulks*) plus atoms.
"""

from __future__ import annotations

import abc
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate
from ..errors import DomainError

if TYPE_CHECKING:
    from .series import SeriesMeasure

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]
Precise = NDArray[Any]  # of mpmath numbers


class Atoms(NamedTuple):
    """Point masses of a law: `weights[i]` at `locations[i]`, sorted by location."""

    locations: Real
    weights: Real


NO_ATOMS = Atoms(_validate.read_only(np.empty(0)), _validate.read_only(np.empty(0)))


class Measure(abc.ABC):
    """A probability law on R.

    Subclasses give `_stieltjes` (any ``Im z >= 0``, on the support the boundary value from above) and `edges`;
    they override the other underscored methods where they know better. The public methods validate, broadcast
    and keep the shape of their argument, and are written once, here.
    """

    # ------------------------------------------------------------------ what a subclass gives
    @property
    @abc.abstractmethod
    def edges(self) -> Real:
        """Sorted edges of the bulks, shape (2 * bulks,); left, right, left, right, ... (may hold inf)."""

    @property
    def atoms(self) -> Atoms:
        """Point masses."""
        return NO_ATOMS

    @abc.abstractmethod
    def _stieltjes(self, z: Complex) -> Complex:
        """``m(z)`` for a 1-d array with Im z >= 0; where Im z == 0 the limit from above."""

    # ------------------------------------------------------------------ what a subclass may know better
    def _density(self, x: Real) -> Real:
        """Density of the absolutely continuous part at 1-d `x` strictly inside the bulks."""
        return np.asarray(self._stieltjes(np.asarray(x, dtype=np.complex128)).imag / np.pi)

    def _density_offset(self, edge: int, offset: Real) -> Real:
        """Density at ``edges[edge] + offset``; laws that know their edges exactly do not form the sum."""
        left, right = self.edges[edge - edge % 2], self.edges[edge - edge % 2 + 1]
        x = np.clip(self.edges[edge] + offset, np.nextafter(left, np.inf), np.nextafter(right, -np.inf))
        return self._density(x)

    def _cdf(self, x: Real) -> Real:
        """Distribution function (atoms counted, right-continuous) at 1-d `x`."""
        from .inversion import cdf_by_quadrature

        return cdf_by_quadrature(self, x)

    def _quantile(self, q: Real) -> Real:
        """Smallest x with cdf(x) >= q, for 1-d q in [0, 1]."""
        from .inversion import quantile_by_newton

        return quantile_by_newton(self, q)

    def _moment(self, k: int) -> float:
        """``int x^k mu(dx)`` for k >= 1."""
        return self.expect(lambda x: x**k)

    def _free_cumulant(self, k: int) -> float:
        """Free cumulant of order k >= 1."""
        from .cumulants import free_cumulants, law_free_cumulants

        if k > 3 and np.isfinite(self.edges).all():  # from moments, each order loses digits
            return float(law_free_cumulants(self, k)[-1])
        return float(free_cumulants([self.moment(j) for j in range(1, k + 1)])[-1])

    def _stieltjes_derivative(self, z: Complex) -> Complex:
        """``m'(z)`` for a 1-d array with Im z >= 0; inside a bulk the derivative of the limit from above."""
        from .inversion import derivative_by_contour

        return derivative_by_contour(self, z)

    def _stieltjes_precise(self, z: Precise, transform: Callable[[Measure, Precise], Precise]) -> Precise:
        """``m(z)`` at a 1-d array of mpmath numbers, Im z >= 0, to the working precision; at real z from above.

        ``transform(law, z)`` is the same for laws that this one is made of, in both half-planes.
        """
        raise DomainError(
            f"method must be a floating-point method for laws that are made of {self!r}, got 'HighPrecision'; its "
            "Stieltjes transform is known in floats only"
        )

    def _affine(self, factor: float, shift: float) -> Measure | None:
        """The law of ``factor * x + shift`` (factor not 0) in the same family, or None where it leaves it."""
        return None

    # ------------------------------------------------------------------ what users call
    @property
    def support(self) -> Real:
        """Bulk intervals, shape (bulks, 2); atoms are listed apart, in `atoms`."""
        return self.edges.reshape(-1, 2)

    def stieltjes(self, z: ArrayLike, *, boundary: bool = False) -> Any:
        """Stieltjes transform ``m(z) = int mu(dx) / (x - z)``.

        Parameters
        ----------
        z : array_like of complex
            Any finite points. Real points outside the support are fine; real points on the support are refused
            unless `boundary`.
        boundary : bool
            At real points of a bulk return the limit from the upper half-plane, ``m(x + i0)``.

        Returns
        -------
        complex or ndarray
            Same shape as `z`; ``m(conj z) = conj m(z)``.

        Raises
        ------
        DomainError
            `z` is not finite, sits on an atom or on a hard edge, or is on the support and `boundary` is false.
        """
        points = _validate.complex_array(z, "z", allow_empty=True)
        flat = points.ravel()
        real = flat.imag == 0.0
        if real.any():
            x = flat.real[real]
            hit = np.isin(x, self.atoms.locations)
            if hit.any():
                _validate.fail("z", "away from the atoms of the law", float(x[hit][0]), "m has a pole there")
            inside = self._in_bulk(x)
            if inside.any() and not boundary:
                _validate.fail(
                    "z", "off the support of the law", float(x[inside][0]), "pass boundary=True for the limit m(x + i0)"
                )
        upper = np.where(flat.imag < 0.0, flat.conj(), flat)
        upper += 0.0  # turns an imaginary part -0.0 into 0.0
        m = np.asarray(self._stieltjes(upper), dtype=np.complex128) + 0.0
        m = np.where(flat.imag < 0.0, m.conj(), m)
        if not np.isfinite(m).all():
            first = flat[~np.isfinite(m)][0].item()
            _validate.fail("z", "a point where the transform is finite (not a hard edge, for instance)", first)
        return _shaped(m, points.shape)

    def density(self, x: ArrayLike | None = None, *, offset: ArrayLike | None = None, edge: int | None = None) -> Any:
        """Density of the absolutely continuous part; zero outside the open bulks (at edges, even where it diverges).

        Parameters
        ----------
        x : array_like of float
            Points. Near an edge the rounding of `x` itself limits the relative accuracy to ``eps |x| / |x - edge|``.
        offset, edge : array_like of float and int
            Instead of `x`: the points ``edges[edge] + offset``, without that cancellation.

        Returns
        -------
        float or ndarray
            Same shape as `x` (or `offset`).
        """
        if (x is None) == (offset is None) or (offset is None) != (edge is None):
            _validate.fail(
                "x", "given alone, or offset and edge together", x, "write density(x) or density(offset=, edge=)"
            )
        if offset is not None:
            steps = _validate.real_array(offset, "offset", allow_empty=True)
            index = _validate.integer(edge, "edge", low=0, high=self.edges.size - 1)
            flat = steps.ravel()
            left = self.edges[index - index % 2]
            right = self.edges[index - index % 2 + 1]
            width = right - left
            inside = (flat > 0) & (flat < width) if index % 2 == 0 else (flat < 0) & (flat > -width)
            rho = np.zeros(flat.size)
            if inside.any():
                rho[inside] = self._density_offset(index, flat[inside])
            return _shaped(rho, steps.shape)
        points = _validate.real_array(x, "x", allow_empty=True)
        flat = points.ravel()
        inside = self._in_bulk(flat) & ~np.isin(flat, self.edges)
        rho = np.zeros(flat.size)
        if inside.any():
            rho[inside] = self._density(flat[inside])
        return _shaped(rho, points.shape)

    def cdf(self, x: ArrayLike) -> Any:
        """Distribution function ``mu((-inf, x])``, atoms counted."""
        points = _validate.real_array(x, "x", allow_empty=True)
        return _shaped(np.asarray(self._cdf(points.ravel()), dtype=np.float64), points.shape)

    def quantile(self, q: ArrayLike) -> Any:
        """Smallest x with ``cdf(x) >= q``, for q in [0, 1]."""
        levels = _validate.real_array(q, "q", low=0.0, high=1.0, allow_empty=True)
        return _shaped(np.asarray(self._quantile(levels.ravel()), dtype=np.float64), levels.shape)

    def moment(self, k: int) -> float:
        """Moment ``int x^k mu(dx)``, k from 0 to 10000."""
        order = _validate.integer(k, "k", low=0, high=10_000)
        value = 1.0 if order == 0 else float(self._moment(order))
        if not math.isfinite(value):
            _validate.fail("k", "an order whose moment is finite in double precision", order)
        return value

    def free_cumulant(self, k: int) -> float:
        """Free cumulant of order k, 1 to 512 (coefficient of ``w^(k-1)`` in the R-transform)."""
        order = _validate.integer(k, "k", low=1, high=512)
        value = float(self._free_cumulant(order))
        if not math.isfinite(value):
            _validate.fail("k", "an order whose free cumulant is finite in double precision", order)
        return value

    def expect(self, f: Callable[[Any], Any]) -> float:
        """Integral ``int f dmu`` of a vectorised real function, atoms counted.

        Emits `AccuracyWarning` with the error estimate when the quadrature does not reach 1e-10.
        """
        from .inversion import expectation

        if not callable(f):
            _validate.fail("f", "a function of an array of real numbers", f)
        return expectation(self, f)

    def rvs(self, size: int | tuple[int, ...], rng: np.random.Generator) -> Real:
        """Independent draws from the law, an array of shape `size`, by inversion of the distribution function."""
        _validate.generator(rng)
        shape = size if isinstance(size, tuple) else (size,)
        shape = tuple(_validate.integer(length, "size", low=0) for length in shape)
        _validate.memory(16.0 * math.prod(shape), "size", size)
        return np.asarray(self.quantile(rng.random(shape)))

    def scaled(self, factor: float) -> Measure:
        """Law of ``factor * x``."""
        from .affine import affine

        return affine(self, _validate.real(factor, "factor"), 0.0)

    def shifted(self, amount: float) -> Measure:
        """Law of ``x + amount``."""
        from .affine import affine

        return affine(self, 1.0, _validate.real(amount, "amount"))

    def series(self) -> SeriesMeasure:
        """The same law as square-root-edge Chebyshev series on each bulk plus atoms: a cheap value, to 1e-12."""
        from .series import fit_series

        return fit_series(self)

    def plot(self, ax: Any = None, *, eigenvalues: ArrayLike | None = None, **style: Any) -> Any:
        """Draw the density, edges and atoms (over a histogram of `eigenvalues`); returns the axes."""
        from ..plotting import plot_measure

        return plot_measure(self, ax, eigenvalues=eigenvalues, **style)

    # ------------------------------------------------------------------ shared
    def _in_bulk(self, x: Real) -> NDArray[np.bool_]:
        """Which points lie in a closed bulk interval."""
        edges = self.edges
        if edges.size == 0:
            return np.zeros(x.shape, dtype=bool)
        position = np.searchsorted(edges, x, side="left")
        return np.asarray((position % 2 == 1) | np.isin(x, edges))


def _shaped(flat: NDArray[Any], shape: tuple[int, ...]) -> Any:
    """`flat` in the caller's shape; a Python scalar for a scalar."""
    return flat.reshape(shape) if shape else flat[0].item()
