"""Free roots ``mu^(boxplus T)``, T < 1, by analytic continuation of the transform of mu behind its bulk.

``m(z) = m_mu(u)`` with ``z = T u - (1 - T)/m_mu(u)``, where u may be on the second sheet of m_mu. In the variable J of
the bulk, ``u = mid + hw (J + 1/J)/2``, the first sheet is the disc |J| < 1 and the second its outside. The Chebyshev
series B(J) of the bulk is continued there by a rational function through its values on the circle, whose poles are all
outside. What is off the mark there is no root of mu, or none to the digits that the continuation leaves: that is for
the caller to check.
"""

from __future__ import annotations

import numpy as np

from ..measures.base import Complex, Real
from ..measures.series import SeriesMeasure, disc_polynomial

_MOST = 25  # pairs of support points of a rational function
_NODES = 4  # points on the circle for every term of the series
_NOTHING = 1e-14  # share of a pole in the values that is rounding
_REAL = 1e-6  # imaginary part of a pole that is rounding
_OUTSIDE, _FARTHEST = 1.0 + 1e-6, 1e8  # sizes of poles
_DESCENT = 0.25  # height of the next point over that of the last
_STEPS = 60
_LONGEST = 0.3  # step of J, relative
_SETTLED = 1e-9  # relative residual of a solution


class Continued:
    """A power series with real coefficients, continued from the unit circle by partial fractions.

    The poles are those of the AAA algorithm, the coefficients a least-squares fit; real poles are exactly real.

    Parameters
    ----------
    coefficients : ndarray
        Of the series, which converges on the closed disc.
    tolerance : float
        Relative error on the circle at which no more poles are sought.

    References
    ----------
    Y. Nakatsukasa, O. Sete, L. N. Trefethen, SIAM J. Sci. Comput. 40 (2018) A1494.
    """

    def __init__(self, coefficients: Real, tolerance: float) -> None:
        count = max(_NODES * coefficients.size, 64)
        points = np.exp(1j * np.pi * (np.arange(count) + 0.5) / count)
        values = disc_polynomial(coefficients, points)
        poles = _poles(points, values, tolerance)
        flat = np.abs(poles.imag) <= _REAL * np.abs(poles)
        poles = np.where(flat, poles.real + 0j, poles)
        self.poles = poles[(np.abs(poles) > _OUTSIDE) & (poles.imag >= 0.0)]
        self._fit(points, values)
        # poles that only fit rounding
        share = np.abs(self.weights[1:]).reshape(2, -1).max(axis=0) / (np.abs(self.poles) - 1.0)
        if (share < _NOTHING * np.abs(values).max()).any():
            self.poles = self.poles[share >= _NOTHING * np.abs(values).max()]
            self._fit(points, values)

    def _fit(self, points: Complex, values: Complex) -> None:
        basis = np.concatenate([np.ones((points.size, 1)), *self._parts(points)[:2]], axis=1)
        stacked = np.concatenate([basis.real, basis.imag])
        size = np.linalg.norm(stacked, axis=0)
        size[size == 0.0] = 1.0
        target = np.concatenate([values.real, values.imag])
        self.weights = np.linalg.lstsq(stacked / size, target, rcond=1e-16)[0] / size

    def _parts(self, x: Complex) -> tuple[Complex, Complex, Complex, Complex]:
        """``1/(x - p) + 1/(x - conj p)`` and ``i`` times the difference (half and 0 for real p), and derivatives."""
        one, two = 1.0 / (x[:, None] - self.poles), 1.0 / (x[:, None] - self.poles.conj())
        return 0.5 * (one + two), 0.5j * (one - two), -0.5 * (one**2 + two**2), -0.5j * (one**2 - two**2)

    def __call__(self, x: Complex) -> tuple[Complex, Complex]:
        """(value, derivative)."""
        even, odd, even_slope, odd_slope = self._parts(x)
        n = self.poles.size
        first, second = self.weights[1 : n + 1], self.weights[n + 1 :]
        return self.weights[0] + even @ first + odd @ second, even_slope @ first + odd_slope @ second


def _poles(z: Complex, f: Complex, tolerance: float) -> Complex:
    """Poles of a rational function with real coefficients through values f at points z, by the AAA algorithm.

    Support points are taken with their conjugates, whose weights are conjugate: sums over pairs, real unknowns.
    """
    from scipy.linalg import eigvals

    rest, fit = np.ones(z.size, dtype=bool), np.full(z.size, f.mean())
    chosen: list[int] = []
    while len(chosen) < min(_MOST, z.size // 3):
        chosen.append(int(np.argmax(np.where(rest, np.abs(f - fit), -1.0))))
        rest[chosen[-1]] = False
        one, two = 1.0 / (z[rest, None] - z[chosen]), 1.0 / (z[rest, None] - z[chosen].conj())
        upper, lower = (f[rest, None] - f[chosen]) * one, (f[rest, None] - f[chosen].conj()) * two
        pairs = np.concatenate([upper + lower, 1j * (upper - lower)], axis=1)
        solution = np.linalg.svd(np.concatenate([pairs.real, pairs.imag]), full_matrices=False)[2][-1]
        weights = solution[: len(chosen)] + 1j * solution[len(chosen) :]
        numerator = one @ (weights * f[chosen]) + two @ (weights * f[chosen]).conj()
        fit = f.copy()
        fit[rest] = numerator / (one @ weights + two @ weights.conj())
        if np.max(np.abs(fit - f)) <= tolerance * np.max(np.abs(f)):
            break
    support, weights = np.concatenate([z[chosen], z[chosen].conj()]), np.concatenate([weights, weights.conj()])
    n = support.size
    arrow, mass = np.zeros((n + 1, n + 1), dtype=np.complex128), np.eye(n + 1)
    arrow[0, 1:], arrow[1:, 0], mass[0, 0] = weights, 1.0, 0.0
    arrow[np.arange(1, n + 1), np.arange(1, n + 1)] = support
    found = np.asarray(eigvals(arrow, mass), dtype=np.complex128)
    return found[np.isfinite(found) & (np.abs(found) < _FARTHEST)]


class RootTransform:
    """Stieltjes transform of a free root of a law with one bulk.

    Parameters
    ----------
    series : SeriesMeasure
        The law mu: one bulk, atoms outside it.
    exponent : float
        T in (0, 1).
    tolerance : float
        Of the continuation on the circle.
    """

    __name__ = "free root"

    def __init__(self, series: SeriesMeasure, exponent: float, tolerance: float = 1e-13) -> None:
        bulk = series.bulks[0]
        self.half, self.middle, self.exponent = bulk.half_width, 0.5 * (bulk.left + bulk.right), exponent
        self.hard = (bulk.hard_left, bulk.hard_right)
        self.places, self.masses = series.atoms
        self.reach = float(np.abs(np.concatenate([series.edges, self.places]) - self.middle).max())
        self.series = Continued(bulk.coefficients, max(tolerance, series.error))

    def __call__(self, z: Complex) -> Complex:
        """m(z), followed down from far above, where it is known; nan where that fails."""
        height = np.maximum(z.imag, 20.0 * (self.reach + abs(self.middle)))
        j = 0.5 * self.half / (z.real + 1j * height - self.middle)
        with np.errstate(all="ignore"):
            j = self._settled(z.real + 1j * height, j)
            live = np.flatnonzero(height > z.imag)
            while live.size:
                low = _DESCENT * height[live]
                height[live] = np.maximum(np.where(low < 1e-3 * z.imag[live], 0.0, low), z.imag[live])
                height[live] = np.where(height[live] < 1e-14 * self.half, z.imag[live], height[live])
                j[live] = self._settled(z.real[live] + 1j * height[live], j[live])
                live = live[height[live] > z.imag[live]]
            good = np.abs(self._image(j)[0] - z) <= _SETTLED * (np.abs(z) + self.half)
            return np.where(good, self._transform(j)[0], np.nan)

    def _settled(self, target: Complex, j: Complex) -> Complex:
        """Newton's iteration for J."""
        j = j.copy()
        live = np.arange(j.size)
        for _ in range(_STEPS):
            value, rate = self._image(j[live])
            step = (target[live] - value) / rate
            size = np.abs(step) / np.abs(j[live])
            step = np.where(size > _LONGEST, step * (_LONGEST / size), step)
            fine = np.isfinite(step)
            j[live[fine]] += step[fine]
            live = live[fine & (size > 4e-16)]
            if live.size == 0:
                break
        return j

    def _place(self, j: Complex) -> tuple[Complex, Complex]:
        """u and du/dJ."""
        return self.middle + 0.5 * self.half * (j + 1.0 / j), 0.5 * self.half * (1.0 - 1.0 / j**2)

    def _transform(self, j: Complex) -> tuple[Complex, Complex]:
        """m_mu and its derivative by J, on both sheets."""
        value, slope = self.series(j)
        front, rate = -2.0 / self.half * j, 1.0 / j
        for hard, sign in zip(self.hard, (1.0, -1.0), strict=True):
            if hard:
                front, rate = front / (1.0 + sign * j), rate - sign / (1.0 + sign * j)
        m, change = front * value, front * (rate * value + slope)
        if self.places.size:
            u, speed = self._place(j)
            shares = 1.0 / (self.places - u[:, None])
            m, change = m + shares @ self.masses, change + speed * (shares**2 @ self.masses)
        return m, change

    def _image(self, j: Complex) -> tuple[Complex, Complex]:
        """z and its derivative by J."""
        power = self.exponent
        u, rate = self._place(j)
        m, slope = self._transform(j)
        return power * u + (power - 1.0) / m, power * rate + (1.0 - power) * slope / m**2
