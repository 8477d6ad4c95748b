"""One of the two laws of a free commutator: the averages that its equation asks for.

With ``d = s - tau`` and ``e = 1/(1 - kappa d^2)``, s drawn from the law, the equation needs ``A1 = E[d e]``,
``A2 = E[d^2 e]`` and their derivatives. In partial fractions, with ``h^2 = 1/kappa``, ``u+- = tau +- h`` and
``G(u) = E 1/(u - s)``,

    E[e] = (h/2) (G(u+) - G(u-)),    A1 = (h^2/2) (G(u+) + G(u-)),    A2 = h^2 (E[e] - 1).

Far from the support, where these cancel, the averages are summed as series in kappa; those of atoms are summed as they
stand. All of it is even in h.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from ..measures.base import Complex, Measure, Real
from ..measures.discrete import Discrete
from .high_precision import transform_precisely
from .operands import series_error, stand_in, transform_doubt

_TERMS = 12  # of the series in kappa
_FAR = 1.0 / 24.0  # |kappa d^2| up to which it is used: 24^-12 < 1e-16
_BLOCK = 1 << 18  # entries of a points-by-atoms block


class Averages(NamedTuple):
    """Averages and their derivatives by kappa and tau, each (n,)."""

    a1: Complex
    a2: Complex
    a1_kappa: Complex
    a1_tau: Complex
    a2_kappa: Complex
    a2_tau: Complex


class Letter:
    """A law, moved and scaled into [-1, 1]: to its largest atom if that has mass 1/2 or more, else to its middle.

    Parameters
    ----------
    measure : Measure
        Law of bounded support, no point mass.
    """

    def __init__(self, measure: Measure) -> None:
        self.measure = measure
        at, mass = measure.atoms
        ends = np.concatenate([measure.edges, at])
        low, high = float(ends.min()), float(ends.max())
        self.heaviest = float(mass.max()) if mass.size else 0.0
        self.centre = float(at[np.argmax(mass)]) if self.heaviest >= 0.5 else 0.5 * (low + high)
        self.width = high - low
        self.radius = max(high - self.centre, self.centre - low)
        self.discrete = isinstance(measure, Discrete)
        self.law = stand_in(measure)
        self.error = series_error(self.law)
        self.nodes: Real = (at - self.centre) / self.radius
        self.weights: Real = mass

    @cached_property
    def moments(self) -> Real:
        """Moments of the moved and scaled law, from order 0."""
        orders = range(2 * _TERMS + 1)
        if self.discrete:
            return np.array([math.fsum(self.weights * self.nodes**k) for k in orders])
        centre, radius = self.centre, self.radius
        # the default binds k; mypy infers no type for such a lambda
        rest = [self.law.expect(lambda x, k=k: ((x - centre) / radius) ** k) for k in orders[1:]]  # type: ignore[misc]
        return np.array([1.0, *rest])

    @property
    def mean(self) -> float:
        """First moment."""
        return float(self.moments[1])

    @property
    def variance(self) -> float:
        """Variance."""
        return float(self.moments[2] - self.moments[1] ** 2)

    def plain(self, kappa: Any, tau: Any) -> tuple[Any, Any]:
        """A1 and A2 alone, also at mpmath numbers, where nothing is lost by the partial fractions."""
        if kappa.dtype != object:
            return self.averages(kappa, tau)[:2]
        if isinstance(self.measure, Discrete):
            at, mass = self.measure.precise_atoms()
            d = ((at + 0 * tau[:, None]) - self.centre) / self.radius - tau[:, None]
            share = mass * d / (1 - kappa[:, None] * d * d)
            return share.sum(axis=1), (share * d).sum(axis=1)
        h = np.sqrt(1 / kappa)
        above, below = (
            -self.radius * transform_precisely(self.measure, self.centre + self.radius * (tau + step))
            for step in (h, -h)
        )
        return h * h * (above + below) / 2, h * h * (h * (above - below) / 2 - 1)

    def averages(self, kappa: Complex, tau: Complex) -> Averages:
        """All averages at n points; nan where they do not exist."""
        with np.errstate(all="ignore"):
            if self.discrete:
                step = max(1, _BLOCK // self.nodes.size)
                starts = range(0, max(kappa.size, 1), step)
                parts = [self._sums(kappa[i : i + step], tau[i : i + step]) for i in starts]
                return Averages(*(np.concatenate(part) for part in zip(*parts, strict=True)))
            out = Averages(*(np.full(kappa.size, complex(np.nan, np.nan)) for _ in range(6)))
            usable = np.isfinite(kappa) & np.isfinite(tau)
            far = usable & (np.abs(kappa) * (1.0 + np.abs(tau)) ** 2 <= _FAR)
            for mine, method in ((far, self._series), (usable & ~far, self._fractions)):
                if mine.any():
                    for whole, part in zip(out, method(kappa[mine], tau[mine]), strict=True):
                        whole[mine] = part
            return out

    def series_noise(self, kappa: Complex, tau: Complex) -> tuple[Real, Real]:
        """Bounds on the errors of A1 and A2 where a series stands for the law."""
        if self.error == 0.0:
            return np.zeros(kappa.size), np.zeros(kappa.size)
        with np.errstate(all="ignore"):
            h = np.sqrt(1.0 / kappa)
            points = (self.centre + self.radius * (tau + step) for step in (h, -h))
            miss = self.radius * np.maximum(*(transform_doubt(self.measure.support, self.error, u) for u in points))
            size = np.abs(h)
        return size**2 * miss, size**3 * miss

    def _sums(self, kappa: Complex, tau: Complex) -> Averages:
        """Over atoms; ``kappa d^2 e = e - 1``."""
        d = self.nodes - tau[:, None]
        e = 1.0 / (1.0 - kappa[:, None] * d * d)
        de, w = d * e, self.weights
        dee = de * e
        return Averages(
            de @ w, (d * de) @ w, (d * de * de) @ w, (e - 2.0 * e * e) @ w, (de * d) ** 2 @ w, -2.0 * dee @ w
        )

    def _series(self, kappa: Complex, tau: Complex) -> Averages:
        """In powers of kappa, from the moments ``E d^k``."""
        size = self.moments.size
        powers = (-tau[:, None]) ** np.arange(size)
        central = [
            powers[:, k::-1] @ (self.moments[: k + 1] * [math.comb(k, j) for j in range(k + 1)]) for k in range(size)
        ]
        zero = np.zeros_like(kappa)
        a1, a2, a1_kappa, a1_tau, a2_kappa, a2_tau = (zero.copy() for _ in range(6))
        for k in range(_TERMS - 1, -1, -1):
            a1_kappa = a1_kappa * kappa + a1
            a2_kappa = a2_kappa * kappa + a2
            a1 = a1 * kappa + central[2 * k + 1]
            a2 = a2 * kappa + central[2 * k + 2]
            a1_tau = a1_tau * kappa - (2 * k + 1) * central[2 * k]
            a2_tau = a2_tau * kappa - (2 * k + 2) * central[2 * k + 1]
        return Averages(a1, a2, a1_kappa, a1_tau, a2_kappa, a2_tau)

    def _fractions(self, kappa: Complex, tau: Complex) -> Averages:
        """From the transform of the law at the two points tau +- h."""
        q = 1.0 / kappa
        h = np.sqrt(q)
        value, slope = self._transform(np.concatenate([tau + h, tau - h]))
        n = kappa.size
        total, gap = value[:n] + value[n:], value[:n] - value[n:]
        slopes, twist = slope[:n] + slope[n:], slope[:n] - slope[n:]
        rest = 0.5 * h * gap - 1.0
        a1_q, rest_q = 0.5 * total + 0.25 * h * twist, 0.25 * (gap / h + slopes)
        return Averages(
            0.5 * q * total,
            q * rest,
            -q * q * a1_q,
            0.5 * q * slopes,
            -q * q * (rest + q * rest_q),
            0.5 * q * h * twist,
        )

    def _transform(self, u: Complex) -> tuple[Complex, Complex]:
        """``G = E 1/(u - s)`` and its derivative on both half-planes, boundary values on the axis."""
        lower = u.imag < 0.0
        z = np.asarray(self.centre + self.radius * (np.where(lower, u.conj(), u) + 0.0), dtype=np.complex128)
        value = -self.radius * self.law._stieltjes(z)
        slope = -(self.radius**2) * self.law._stieltjes_derivative(z)
        return np.where(lower, value.conj(), value), np.where(lower, slope.conj(), slope)
