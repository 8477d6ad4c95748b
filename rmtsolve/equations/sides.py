"""One factor of a free convolution: a function N that maps the upper half-plane into itself, and its real structure.

===========  ==========================  ==================================  ===========================
kind         N(u)                        gauge (equal for both factors)      where N is singular
===========  ==========================  ==================================  ===========================
sum          ``-1/m(u) - u``             ``u + N = -1/m``                    bulks, zeros of m between them
product      ``m(u) / (1 + u m(u))``     ``u N = 1 + 1/psi``                 bulks, zeros of ``1 + u m``, and
                                                                             0 if there is an atom at 0
sandwich     ``rate int a/(1 - u a)``    ``u N = rate psi``                  the inverses of the spectrum
===========  ==========================  ==================================  ===========================

N is ``beta u + alpha + int nu(dp) / (p - u)`` with a positive measure nu, so that on a real interval without
singularities N increases, and N' is convex; the gauge increases there too (for the last two kinds where the law is
on the positive axis).

Source: derived; H. Bercovici, D. Voiculescu, Indiana Univ. Math. J. 42 (1993); S. Belinschi, H. Bercovici,
J. Anal. Math. 101 (2007).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from ..measures.base import Complex, Measure, Real
from ..measures.discrete import Discrete
from ..measures.inversion import moments_about
from ..measures.series import SeriesMeasure
from .operands import reliable_series, series_error, stand_in
from .real_intervals import Intervals
from .side_intervals import Poles, poles_of, regular_intervals

_EPS = float(np.finfo(float).eps)
_BLOCK = 1 << 18  # entries of a points-by-atoms block
_NEXT = 16.0 * _EPS  # relative step from an end of the law
_ROUNDED = 1e-14  # of the size of the law: a step beyond the rounding of its ends
_FAR = 50.0  # beyond this many radii the transforms are summed from moments, where their closed forms cancel
_FAR_TERMS = 11  # 50^-11 < 1e-18
_TERMS = 512  # most for each bulk of a series that only gives a potential
_OUTSIDE = 3.0  # the same for atoms, whose sums cost nothing more there
_CANCELS = 1e-3  # of the sum of its terms' sizes: a transform of atoms that is smaller has lost digits
KINDS = {"sum": 0, "product": 1, "sandwich": 2}  # as the kernels number them

Flags = NDArray[np.bool_]


class Side:
    """N and N' of one factor.

    Parameters
    ----------
    measure : Measure
        The factor's law, of bounded support; `Discrete` laws are summed directly.
    kind : {"sum", "product", "sandwich"}
        Which N, see the table of this module.
    rate : float
        The factor in front of the sandwich's N.
    """

    def __init__(self, measure: Measure, kind: str, rate: float = 1.0) -> None:
        self.measure = measure
        self.law = stand_in(measure)  # the same to rounding, and cheap: what all values are taken from
        self.error = series_error(self.law)
        self.kind = kind
        self.rate = rate
        self.discrete = isinstance(measure, Discrete)
        self.low, self.high = float(self._ends.min()), float(self._ends.max())
        self.radius = max(abs(self.low), abs(self.high))
        self.positive = self.low >= 0.0

    # ------------------------------------------------------------------ values
    @overload
    def evaluate(self, u: Real) -> tuple[Real, Real]: ...

    @overload
    def evaluate(self, u: Complex) -> tuple[Complex, Complex]: ...

    def evaluate(self, u: Any) -> Any:
        """``N(u)`` and ``N'(u)`` at 1-d points off the singularities; real points give real values."""
        real = self.discrete and u.dtype == np.float64
        with np.errstate(all="ignore"):
            if self.kind == "sandwich":
                return self._at_real(u) if real else self._sandwich(u)
            if self.discrete:
                value, slope = self._at_real(u) if real else self._near_atoms(u)
            else:
                m, rate = self.transforms(u)
                value, slope = self._from_transform(m, rate, u)
            far = self._is_far(u)
            if far.any():
                value[far], slope[far] = self._far_away(u[far])
        return value, slope

    def value(self, u: Any) -> Any:
        """``N(u)`` alone, also at points that are mpmath numbers."""
        if u.dtype != object:
            return self.evaluate(u)[0]
        if not isinstance(self.measure, Discrete):
            from .high_precision import transform_precisely

            if self.kind == "sandwich":
                return self.rate * -(1 + transform_precisely(self.measure, 1 / u) / u) / u
            m = transform_precisely(self.measure, u)
            return -1 / m - u if self.kind == "sum" else m / (1 + u * m)
        at, mass = self.measure.precise_atoms()
        if self.kind == "sandwich":
            return self.rate * (mass * at / (1 - at * u[:, None])).sum(axis=1)
        share = mass / (at - u[:, None])
        m = share.sum(axis=1)
        return -1 / m - u if self.kind == "sum" else m / (share * at).sum(axis=1)

    def _from_transform(self, m: Complex, rate: Complex, u: Complex) -> tuple[Complex, Complex]:
        if self.kind == "sum":
            return -1.0 / m - u, rate / m**2 - 1.0
        share = 1.0 + u * m
        return m / share, (rate - m**2) / share**2

    def _at_real(self, u: Real) -> tuple[Real, Real]:
        from .._kernels.subordination import real_factor

        at, mass = self.measure.atoms
        value, slope = np.empty(u.size), np.empty(u.size)
        real_factor(KINDS[self.kind], np.ascontiguousarray(u), at, self.rate * mass, value, slope)
        return value, slope

    def _near_atoms(self, u: Complex) -> tuple[Complex, Complex]:
        """Sums of ``1/(x - u)`` times the distance to the nearest atom: finite at the atoms themselves."""
        at, mass = self.measure.atoms
        value, slope = np.empty(u.shape, dtype=u.dtype), np.empty(u.shape, dtype=u.dtype)
        step = max(1, _BLOCK // at.size)
        for i in range(0, u.size, step):
            part = u[i : i + step]
            gap = at - part[:, None]
            nearest = np.abs(gap).argmin(axis=1)
            rows = np.arange(nearest.size)
            near = gap[rows, nearest]
            share = near[:, None] / gap
            share[rows, nearest] = 1.0
            first, second = share @ mass, share**2 @ mass
            if self.kind == "sum":
                value[i : i + step] = -near / first - part
                slope[i : i + step] = second / first**2 - 1.0
                small = i + np.flatnonzero(np.abs(first) < _CANCELS * (np.abs(share) @ mass))
                if small.size:
                    value[small], slope[small] = self._near_poles(u[small])
            else:
                weighted = share @ (mass * at)
                value[i : i + step] = first / weighted
                slope[i : i + step] = (second - first**2) / weighted**2
        return value, slope

    def _near_poles(self, u: Complex) -> tuple[Complex, Complex]:
        """The sum's N next to zeros of m, where the sums over the atoms cancel."""
        p, weight, constant = self.poles
        share = 1.0 / (p - u[:, None])
        return constant + share @ weight, share**2 @ weight

    def _is_far(self, u: Complex) -> Flags:
        far = ~(np.abs(u - self._center) <= (_OUTSIDE if self.discrete else _FAR) * self._spread)
        return np.asarray(far & ~np.isnan(u))

    def _far_away(self, u: Complex) -> tuple[Complex, Complex]:
        """The same without cancellation far from the support: ``s = int (x - mean)^2 / (x - u)`` says it all."""
        mean = self._center
        offset = u - mean
        if self.discrete:
            at, mass = self.measure.atoms
            s, s_slope = np.empty(u.shape, dtype=u.dtype), np.empty(u.shape, dtype=u.dtype)
            step = max(1, _BLOCK // at.size)
            weight = mass * (at - mean) ** 2
            for i in range(0, u.size, step):
                share = 1.0 / (at - u[i : i + step, None])
                s[i : i + step], s_slope[i : i + step] = share @ weight, share**2 @ weight
        else:
            tail, tail_slope = _horner(self._central, 1.0 / offset)  # central moments from the second on
            s, s_slope = -tail / offset, (tail + tail_slope / offset) / offset**2
        q = s / offset
        if self.kind == "sum":
            return -mean + s / (1.0 - q), (s_slope - q * q) / (1.0 - q) ** 2
        m = (q - 1.0) / offset
        share = q + mean * m
        return m / share, (s_slope - q * q) / (offset * share) ** 2

    def _sandwich(self, u: Complex) -> tuple[Complex, Complex]:
        value, slope = np.empty(u.shape, dtype=u.dtype), np.empty(u.shape, dtype=u.dtype)
        if self.discrete:
            at, mass = self.measure.atoms
            step = max(1, _BLOCK // at.size)
            for i in range(0, u.size, step):
                share = at / (1.0 - at * u[i : i + step, None])
                value[i : i + step], slope[i : i + step] = share @ mass, share**2 @ mass
            return self.rate * value, self.rate * slope
        near = np.abs(u) * self.radius < 1.0 / _FAR
        if near.any():
            value[near], slope[near] = _horner(self._moments[1:], u[near])
        rest = ~near
        if rest.any():
            v = 1.0 / u[rest]
            m, rate = self.transforms(v)
            value[rest] = -v * (1.0 + v * m)
            slope[rest] = v**2 * (1.0 + 2.0 * v * m + v**2 * rate)
        return self.rate * value, self.rate * slope

    @cached_property
    def _moments(self) -> list[float]:
        return [self.law.moment(k) for k in range(_FAR_TERMS + 2)]

    @cached_property
    def _ends(self) -> Real:
        return np.concatenate([self.measure.edges, self.measure.atoms.locations])

    @cached_property
    def _center(self) -> float:
        return self.law.moment(1)

    @cached_property
    def _spread(self) -> float:
        return max(self.high - self._center, self._center - self.low)

    @cached_property
    def _central(self) -> list[float]:
        return moments_about(self.law, self._center, range(2, _FAR_TERMS + 2))

    @overload
    def transforms(self, u: Real) -> tuple[Real, Real]: ...

    @overload
    def transforms(self, u: Complex) -> tuple[Complex, Complex]: ...

    def transforms(self, u: Any) -> Any:
        """m and m' on both half planes; real points off the support give real values."""
        z: Complex = u.astype(np.complex128)
        lower = z.imag < 0.0
        z = np.where(lower, z.conj(), z) + 0j
        # at atoms and edges m or m' is infinite, and at 0 some laws have 0/0: the values next to them stand for it
        singular = (z.imag == 0.0) & (np.isin(z.real, self._ends) | (z.real == 0.0))
        x = z[singular].real
        z[singular] += np.where(x == 0.0, _ROUNDED * (self.radius or 1.0), _NEXT * np.abs(x)) * self._outwards(x, x)
        reach = 4.0 * _FAR * (self.radius + self._spread)
        z = np.where(np.abs(z) <= reach, z, reach)  # beyond, and for nan, the caller has other formulas
        real = not np.iscomplexobj(u)
        m, rate = self._both(z, real)
        if real:  # the law may have its end a rounding from where it says
            over = np.flatnonzero(~(np.isfinite(m) & np.isfinite(rate) & (m.imag == 0.0)))
            at = self._ends[np.abs(z.real[over, None] - self._ends).argmin(axis=1)]
            near = np.abs(z.real[over] - at) < _ROUNDED * self.radius
            if near.any():
                over, at = over[near], at[near]
                moved = at + _ROUNDED * self.radius * self._outwards(at, z.real[over])
                m[over], rate[over] = self._both(moved.astype(np.complex128), real)
        m, rate = np.where(np.isnan(u), np.nan, m), np.where(np.isnan(u), np.nan, rate)
        if real:
            return m.real, rate.real
        return np.where(lower, m.conj(), m), np.where(lower, rate.conj(), rate)

    def _outwards(self, at: Real, x: Real) -> Real:
        """Signs of steps from ends of the law, out of a bulk; from atoms to where x is, or away from the mean."""
        sign = np.where(np.where(x == at, at - self._center, x - at) > 0.0, 1.0, -1.0)
        for edges, out in ((self.measure.edges[::2], -1.0), (self.measure.edges[1::2], 1.0)):
            sign = np.where(np.isin(at, edges), out, sign)
        return sign

    def _both(self, z: Complex, real: bool) -> tuple[Complex, Complex]:
        """m and m' in the closed upper half-plane."""
        both = getattr(self.law, "transforms", None)  # from laws that have them together
        if both is None:
            with np.errstate(all="ignore"):  # a rounding from an end
                return self.law._stieltjes(z), self.law._stieltjes_derivative(z)
        m, rate = both(z.real if real and isinstance(self.law, SeriesMeasure) else z)
        return m, rate

    def doubt(self, u: Complex, value: Complex) -> Real:
        """Bound on the error of ``N(u) = value`` where a series stands for the law.

        The distribution function is wrong by at most `error`, and ``m = int F(x) / (x - p)^2`` up to a constant, so m
        by at most ``error pi / Im p``, on the real line off the support by ``2 error`` over the distance to it.
        """
        if self.error == 0.0:
            return np.zeros(u.size)
        with np.errstate(all="ignore"):
            p = 1.0 / u if self.kind == "sandwich" else u
            bulks = self.measure.support
            x = p.real[:, None]
            away = np.maximum(np.maximum(bulks[:, 0] - x, x - bulks[:, 1]), 0.0).min(axis=1)
            miss = self.error * np.minimum(np.pi / np.abs(p.imag), 2.0 / away)
            if self.kind == "sandwich":
                return np.asarray(self.rate * np.abs(p) ** 2 * miss)
            return np.asarray(miss * np.abs(u + value if self.kind == "sum" else 1.0 - u * value) ** 2)

    def rounding(self, u: Complex, value: Complex, slope: Complex) -> Real:
        """Bound on the error of ``N(u) = value``: that of u, of the sums that value is, and `doubt`."""
        error = np.abs(slope * u) + np.abs(value) + self._sums(u, value, stretch(u, value, slope))
        return 4.0 * _EPS * error + self.doubt(u, value)

    def _sums(self, u: Complex, value: Complex, steep: Real) -> Real:
        """Size of the terms whose sum N is, which counts where they cancel.

        A transform is summed from ``1/(x - u)``, on average at most ``(Im m/Im u)^(1/2)`` in modulus, and that is
        ``|1/m|^(-1) (1 + steep)^(1/2)`` for the sum, ``|1 + u m| (steep + |N|^2)^(1/2)`` for the product.
        """
        size = np.abs(value)
        if self.kind == "sum":
            return np.where(self._is_far(u), 0.0, np.sqrt(1.0 + steep) * np.abs(u + value))
        if self.kind == "product":
            terms = np.sqrt(steep + size**2) * (1.0 + np.abs(u) * size) + size * np.abs(1.0 - u * value)
            return np.where(self._is_far(u), 0.0, terms)
        if self.discrete:
            return np.sqrt(self.rate * steep)
        return np.where(np.abs(u) * self.radius < 1.0 / _FAR, 0.0, self.rate / np.abs(u))

    def stieltjes(self, u: Complex) -> Complex:
        """m(u) of the factor on both half-planes."""
        lower = u.imag < 0.0
        m = self.law._stieltjes(np.where(lower, u.conj(), u) + 0j)
        return np.where(lower, m.conj(), m)

    def gauge(self, u: Real) -> tuple[Real, Real]:
        """The quantity that both factors share, and its derivative, at real points."""
        value, slope = self.evaluate(u)
        if self.kind == "sum":
            return u + value, 1.0 + slope
        return u * value, value + u * slope

    def potential(self, u: Complex, lower: Flags | None = None) -> Complex | None:
        """``int log(u - x) mu(dx)`` off the support, arguments in [0, 2 pi); None where it is not closed form.

        Real points count as limits from above, those marked `lower` (with all of the lower half-plane) from below.
        """
        if lower is not None and lower.any():
            value = self.potential(np.where(lower, u.conj(), u))
            return None if value is None else np.where(lower, value.conj() + 2j * np.pi, value)
        if not self.discrete:
            value = None if self._logarithmic is None else self._logarithmic(u)
            return None if value is None else np.asarray(value)
        at, mass = self.measure.atoms
        out = np.empty(u.size, dtype=np.complex128)
        step = max(1, _BLOCK // at.size)
        for i in range(0, u.size, step):
            gap = at - u[i : i + step, None]
            gap.imag = np.where(gap.imag == 0.0, -0.0, gap.imag)
            out[i : i + step] = np.log(gap) @ mass + 1j * np.pi
        return out

    @cached_property
    def _logarithmic(self) -> Callable[[Complex], Complex | None] | None:
        """The law's own potential, or that of its series."""
        known: Callable[[Complex], Complex | None] | None = getattr(self.law, "_potential", None)
        series = reliable_series(self.law, _TERMS) if known is None else None
        return known if series is None else series._potential

    # ------------------------------------------------------------------ real structure
    def distance(self, u: Complex) -> Real:
        """Distance of points to the singularities of N; where there are none, the size of the numbers."""
        low, high = self.intervals.low, self.intervals.high
        index = np.maximum(np.searchsorted(low, u.real) - 1, 0)
        inside = np.maximum(np.minimum(u.real - low[index], high[index] - u.real), 0.0)
        unit = 1.0 / self.radius if self.kind == "sandwich" else self.radius
        return np.where(np.isinf(inside), np.abs(u) + unit, np.hypot(inside, u.imag))

    @cached_property
    def intervals(self) -> Intervals:
        """The real line without the singularities of N."""
        return regular_intervals(self)

    @cached_property
    def poles(self) -> Poles:
        """N of a discrete factor, on the positive axis unless the kind is a sum, as a sum over poles."""
        return poles_of(self)


def stretch(u: Complex, value: Complex, slope: Complex) -> Real:
    """``Im N/Im u``, at real points N'; it bounds ``|N'|``."""
    upper = u.imag != 0.0
    return np.where(upper, np.abs(value.imag / np.where(upper, u.imag, 1.0)), np.abs(slope))


def _horner(coefficients: list[float], w: Complex) -> tuple[Complex, Complex]:
    """``sum_k coefficients[k] w^k`` and its derivative."""
    value, slope = np.zeros_like(w), np.zeros_like(w)
    for coefficient in coefficients[::-1]:
        slope = slope * w + value
        value = value * w + coefficient
    return value, slope
