"""Two-factor equations ``v = s + t N_1(s + t N_2(v))``: free additive and multiplicative convolution.

=========  ========  ========  =====================================  ===========================
law        s, t      N_i       unknowns                               Stieltjes transform
=========  ========  ========  =====================================  ===========================
sum        z, 1      sum       subordination functions u, v           ``-1 / (u + v - z)``
product    0, z      product   u, v with ``-u m_1(u) = -z m(z)``      ``-u v / (z (u v - z))``
=========  ========  ========  =====================================  ===========================

N_1 and N_2 map the upper half-plane into itself, and so does the composition: for products ``arg v`` and ``arg u`` are
at least ``arg z``, and one of the two laws may live on the whole line (it is taken as the second). So for Im z > 0
there is exactly one v with Im v > 0, and at real z any v with Im v > 0 and ``T' != 1`` is the boundary value.

The potential ``U(z) = int log(z - x)`` is stationary in the solution, which gives the distribution function in closed
form: ``U_1(u) + U_2(v) - log(u + v - z)`` for sums, ``U_1(u) + U_2(v) + log psi`` for products.

Source: derived; H. Maassen, J. Funct. Anal. 106 (1992); P. Biane, Math. Z. 227 (1998); S. Belinschi, H. Bercovici,
J. Anal. Math. 101 (2007).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _validate
from ..measures.base import Atoms, Complex, Measure, Real
from .sides import stretch
from .two_factor import Pair, TwoFactorEquation

_EPS = float(np.finfo(float).eps)


class AdditiveEquation(TwoFactorEquation):
    """Free additive convolution of two laws; the state is the subordination function of the second."""

    kind = "sum"

    def __init__(self, one: Measure, two: Measure) -> None:
        super().__init__(one, two, name="free additive convolution")

    def digits_lost(self, z: Complex, pair: Pair) -> Real:
        """None: the formula has no small differences at z = 0."""
        return np.ones(z.size)

    def find_atoms(self) -> Atoms:
        """``a + b`` where the masses of a and b sum to more than one; the excess is its mass."""
        one, two = self.one.measure.atoms, self.two.measure.atoms
        return _atoms(one.locations[:, None] + two.locations, one.weights[:, None] + two.weights - 1.0)

    def couple(self, z: Complex) -> tuple[Complex, Complex]:
        """s and t."""
        return z, 1.0 + 0.0 * z

    def transform(self, z: Complex, u: Complex, v: Complex) -> Complex:
        """m(z) from the solution."""
        return -1.0 / (u + v - z)

    def spread(self, z: Complex, u: Complex, v: Complex, m: Complex, du: Real, dv: Real) -> Real:
        """Bound on the error of m."""
        size = np.abs(m)
        shift = size * (du + dv + 4.0 * _EPS * (np.abs(u) + np.abs(v) + np.abs(z)))
        return np.where(shift < 0.5, size * shift / (1.0 - shift), np.nan)

    def rates(self, z: Complex, pair: Pair) -> tuple[Complex, Complex]:
        """du/dz and dv/dz."""
        d_one, d_two = self.one.evaluate(pair.u)[1], self.two.evaluate(pair.v)[1]
        det = 1.0 - d_one * d_two
        return (1.0 + d_two) / det, (1.0 + d_one) / det

    def transform_rate(self, z: Complex, pair: Pair) -> Complex:
        """m'(z)."""
        du, dv = self.rates(z, pair)
        return self.transform(z, pair.u, pair.v) ** 2 * (du + dv - 1.0)

    def potential(self, z: Complex, pair: Pair) -> Complex | None:
        """``int log(z - x)``."""
        first, second = self.one.potential(pair.u), self.two.potential(pair.v)
        if first is None or second is None:
            return None
        return first + second - _log_upper(pair.u + pair.v - z)

    def first_guess(self, z: Complex) -> Complex:
        """A v in the upper half-plane of the right size."""
        middle, width = 0.5 * (self.one.low + self.one.high), self.one.high - self.one.low
        return z - middle + 0.5j * width + 1e-300j


class MultiplicativeEquation(TwoFactorEquation):
    """Free multiplicative convolution of a law on the positive axis with a law; the state is the v of the second."""

    kind = "product"

    def __init__(self, one: Measure, two: Measure) -> None:
        super().__init__(one, two, name="free multiplicative convolution")

    def find_atoms(self) -> Atoms:
        """``a b`` where the masses sum to more than one; at 0 the larger of the two masses."""
        one, two = self.one.measure.atoms, self.two.measure.atoms
        mass = one.weights[:, None] + two.weights - 1.0
        zero_one, zero_two = one.locations == 0.0, two.locations == 0.0
        mass[zero_one], mass[:, zero_two] = 0.0, 0.0
        at_zero = max(one.weights[zero_one].sum(), two.weights[zero_two].sum())
        return _atoms(np.append(one.locations[:, None] * two.locations, 0.0), np.append(mass, at_zero))

    def couple(self, z: Complex) -> tuple[Complex, Complex]:
        """s and t."""
        return 0.0 * z, z

    def transform(self, z: Complex, u: Complex, v: Complex) -> Complex:
        """m(z) from the solution; where u or v vanishes (at z = 0) with ``z/v = 1/N_1`` and ``z/u = 1/N_2``."""
        empty = (u == 0) | (v == 0)
        share: Any = np.where(empty, z + 1, (z / np.where(empty, 1, u)) * (z / np.where(empty, 1, v)))
        m: Complex = -1 / (z - share)
        if empty.any():
            product = self.one.value(u[empty]) * self.two.value(v[empty])
            m[empty] = product / (1 - z[empty] * product)
        return m

    def spread(self, z: Complex, u: Complex, v: Complex, m: Complex, du: Real, dv: Real) -> Real:
        """Bound on the error of m, from that of ``1/m`` or of ``m = p / (1 - z p)`` with ``p = N_1 N_2``."""
        share = np.abs(z + 1.0 / m)
        relative = du / np.abs(u) + dv / np.abs(v)
        shift = np.abs(m) * (share * relative / (1.0 - relative) + 8.0 * _EPS * (share + np.abs(z)))
        known = np.where((relative < 0.5) & (shift < 0.5), np.abs(m) * shift / (1.0 - shift), np.nan)
        values, errors = [], []
        for side, at, radius in ((self.one, u, du), (self.two, v, dv)):
            value, slope = side.evaluate(at)
            far = np.where(radius < side.distance(at), 1.0 - radius / side.distance(at), np.nan)
            values.append(np.abs(value))
            errors.append(radius * stretch(at, value, slope) / far + side.rounding(at, value, slope))
        change = values[0] * errors[1] + (values[1] + errors[1]) * errors[0]
        rest = np.abs(1.0 + z * m)  # (1 - z p)^(-1)
        other = np.where(np.abs(z) * rest * change < 0.5, 2.0 * rest**2 * change + 8.0 * _EPS * np.abs(m), np.nan)
        return np.fmin(known, other)

    def rates(self, z: Complex, pair: Pair) -> tuple[Complex, Complex]:
        """du/dz and dv/dz."""
        n_one, d_one = self.one.evaluate(pair.u)
        n_two, d_two = self.two.evaluate(pair.v)
        det = 1.0 - z * z * d_one * d_two
        return (n_two + z * d_two * n_one) / det, (n_one + z * d_one * n_two) / det

    def transform_rate(self, z: Complex, pair: Pair) -> Complex:
        """m'(z), from ``m = -1/(z - q)``, ``q = z^2/(u v)``."""
        share, parts, _ = self._logarithmic(z, pair)
        return self.transform(z, pair.u, pair.v) ** 2 * (1.0 - share * parts)

    def _logarithmic(self, z: Complex, pair: Pair) -> tuple[Complex, Complex, Real]:
        """q, ``q'/q = 2/z - u'/u - v'/v`` and the size of its terms."""
        du, dv = self.rates(z, pair)
        first, second, third = 2.0 / z, du / pair.u, dv / pair.v
        size = np.abs(first) + np.abs(second) + np.abs(third)
        return (z / pair.u) * (z / pair.v), first - second - third, size

    def digits_lost(self, z: Complex, pair: Pair) -> Real:
        """Where m is bounded at z = 0, u and v are proportional to z there and q'/q is a small difference."""
        share, parts, size = self._logarithmic(z, pair)
        return size * np.abs(share) / np.abs(1.0 - share * parts)

    def potential(self, z: Complex, pair: Pair) -> Complex | None:
        """``int log(z - x)``; ``psi = z / (u v - z)``.

        When the second law has both signs, u may be in either half-plane (never on the positive axis but in a gap of
        the first law, where the side is that of ``du/dz``), and ``1/psi`` is on the same side.
        """
        lower = self._below(z, pair)
        first, second = self.one.potential(pair.u, lower), self.two.potential(pair.v)
        if first is None or second is None:
            return None
        share = _log_upper((pair.u * pair.v - z) / z)
        return first + second - np.where(lower, share.conj() + 2j * np.pi, share)

    def first_guess(self, z: Complex) -> Complex:
        """A v in the upper half-plane of the right size."""
        return (z + 1j * np.abs(z)) / max(0.5 * (self.one.low + self.one.high), 1e-300)


def _atoms(locations: Real, masses: Real) -> Atoms:
    """Those of positive mass, sorted."""
    keep = masses.ravel() > 8.0 * _EPS
    at, mass = locations.ravel()[keep], masses.ravel()[keep]
    order = np.argsort(at)
    return Atoms(_validate.read_only(at[order]), _validate.read_only(mass[order]))


def _log_upper(w: Complex) -> Complex:
    """Principal logarithm of points with Im w >= 0 (the sign of a zero does not matter)."""
    return np.log(w.real + 1j * np.abs(w.imag))
