"""Separable covariance ``A^(1/2) X B X^T A^(1/2) / n``: X of shape (p, n) with unit entries, ratio c = p/n.

With ``delta = -v`` and ``tilde delta = -u``

    z delta = -c int a / (1 + tilde delta a) dA,      z tilde delta = -int b / (1 + delta b) dB,
    m(z) = -(1/z) int 1 / (1 + tilde delta a) dA,

that is ``v = N_A(u)/z``, ``u = N_B(v)/z`` with the sandwich functions of `rmtsolve.equations.sides`. A must be positive
semi-definite, B may have eigenvalues of both signs. The potential is stationary in the solution:

    int log(z - x) = log z + int log(1 + tilde delta a) dA + (1/c) int log(1 + delta b) dB + z delta tilde delta / c.

Source: derived; L. Zhang, PhD thesis, National University of Singapore (2006); D. Paul, J. Silverstein, J. Multivariate
Anal. 100 (2009); R. Couillet, W. Hachem, Random Matrices Theory Appl. 3 (2014) for its support.
"""

from __future__ import annotations

import numpy as np

from ..measures.base import NO_ATOMS, Atoms, Complex, Measure, Real
from ..measures.discrete import Discrete
from .sides import Flags, Side
from .two_factor import Pair, TwoFactorEquation

_EPS = float(np.finfo(float).eps)
_NOTHING = 1e-30


class SeparableEquation(TwoFactorEquation):
    """The pair of equations of this module; the state is delta.

    Parameters
    ----------
    a, b : Measure
        Laws of the eigenvalues of A (on the positive axis) and B.
    ratio : float
        ``p / n``.
    """

    kind = "sandwich"
    mirrored = True

    def __init__(self, a: Measure, b: Measure, ratio: float) -> None:
        super().__init__(a, b, rate=ratio, name="separable covariance")
        self.ratio = ratio

    def find_atoms(self) -> Atoms:
        """The only atom can be at 0: the part that A or B annihilates, or that n < p leaves empty."""
        a0, b0 = (
            float(side.measure.atoms.weights[side.measure.atoms.locations == 0.0].sum())
            for side in (self.one, self.two)
        )
        mass = max(a0, 1.0 - (1.0 - b0) / self.ratio)
        return Atoms(np.zeros(1), np.array([mass])) if mass > 8.0 * _EPS else NO_ATOMS

    def _off_zero(self, z: Complex) -> Complex:
        """z, with a number far below its rounding instead of 0, where u is infinite and m is not."""
        size = self.one.radius * self.two.radius
        return np.where(z == 0, -_NOTHING * size, z) if (z == 0).any() else z

    def couple(self, z: Complex) -> tuple[Complex, Complex]:
        """s and t."""
        return 0.0 * z, 1.0 / self._off_zero(z)

    def _empty(self, u: Complex) -> Complex:
        """``int 1/(1 - u a) dA``, without cancellation at large u."""
        if u.dtype == object:
            return np.asarray(1 + u * self.one.value(u) / self.ratio)
        law = self.one.measure
        if isinstance(law, Discrete):
            return np.asarray((1.0 / (1.0 - law.locations * u[:, None])) @ law.weights)
        w = 1.0 / u
        return -w * self.one.stieltjes(w)

    def transform(self, z: Complex, u: Complex, v: Complex) -> Complex:
        """m(z) from the solution."""
        return -self._empty(u) / self._off_zero(z)

    def spread(self, z: Complex, u: Complex, v: Complex, m: Complex, du: Real, dv: Real) -> Real:
        """Bound on the error of m.

        ``E(u) = int 1/(1 - u a) dA`` changes by at most ``du nu / (1 - du / distance to the poles)``, where
        ``nu = int a / |1 - u a|^2 dA`` is ``Im E / Im u`` and on the real axis E'.
        """
        n_one, d_one = self.one.evaluate(u)
        upper = u.imag != 0.0
        empty = self._empty(u)
        real = np.abs(n_one + u * d_one) / self.ratio
        nu = np.where(upper, np.abs(empty.imag / np.where(upper, u.imag, 1.0)), real)
        near = self.one.distance(u)
        change = du * nu / np.where(du < near, 1.0 - du / near, np.nan)
        return change / np.abs(self._off_zero(z)) + 8.0 * _EPS * np.abs(m)

    def rates(self, z: Complex, pair: Pair) -> tuple[Complex, Complex]:
        """du/dz and dv/dz."""
        n_one, d_one = self.one.evaluate(pair.u)
        n_two, d_two = self.two.evaluate(pair.v)
        t = self.couple(z)[1]
        factor = -t * t / (1.0 - t * t * d_one * d_two)
        return factor * (n_two + t * d_two * n_one), factor * (n_one + t * d_one * n_two)

    def transform_rate(self, z: Complex, pair: Pair) -> Complex:
        """m'(z)."""
        n_one, d_one = self.one.evaluate(pair.u)
        change = (n_one + pair.u * d_one) / self.ratio * self.rates(z, pair)[0]
        z = self._off_zero(z)
        return (self._empty(pair.u) / z - change) / z

    def potential(self, z: Complex, pair: Pair) -> Complex | None:
        """``int log(z - x)``."""
        first = _log_image(self.one, pair.u, self._below(z, pair))
        second = _log_image(self.two, pair.v, np.ones(z.size, dtype=bool))
        if first is None or second is None:
            return None
        z = self._off_zero(z)
        return np.log(z.real + 1j * np.abs(z.imag)) + first + (second + z * pair.u * pair.v) / self.ratio

    def first_guess(self, z: Complex) -> Complex:
        """A v in the upper half-plane of the right size."""
        t = self.couple(z)[1]
        return (t + 1j * np.abs(t)) * self.ratio * 0.5 * (self.one.low + self.one.high)


def _log_image(side: Side, w: Complex, lower: Flags) -> Complex | None:
    """``int log(1 - w x)`` with the argument of the logarithm that is continuous in w off the inverted support.

    It is the law's own potential at 1/w, plus ``log w``. Points marked `lower` are in the lower half-plane or reached
    from there, the others the same with the upper one.
    """
    below: Complex = np.where(lower, w, w.conj())
    with np.errstate(all="ignore"):
        value = side.potential(np.asarray(1.0 / below, dtype=np.complex128))
        if value is None:
            return None
        angle = np.where(below.imag < 0.0, np.angle(below), np.where(below.real < 0.0, -np.pi, 0.0))
        value = value + np.log(np.abs(below)) + 1j * angle
    value = np.where(w == 0.0, 0.0, value)
    return np.where(lower, value, value.conj())
