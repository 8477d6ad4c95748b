"""The law of ``(a x + b) / (c x + d)``: reciprocals of laws, and the passage between F-matrices and MANOVA."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .. import _validate
from ..errors import AccuracyWarning
from .base import Atoms, Complex, Measure, Precise, Real

_TERMS = 13  # of the expansion about the image of infinity
_NEAR = 1.0 / 20.0  # 20^-13 is below rounding


def moebius(measure: Measure, a: float, b: float, c: float, d: float) -> Measure:
    """Law of ``(a x + b)/(c x + d)`` when x has the given law of bounded support.

    Parameters
    ----------
    measure : Measure
        A law that has the pole ``-d/c`` outside the smallest interval that holds it.
    a, b, c, d : float
        Coefficients with ``a d != b c``.

    Returns
    -------
    Measure

    Raises
    ------
    DomainError
        The pole is inside that interval, the map is constant, or the support is unbounded.

    Examples
    --------
    >>> from rmtsolve.measures.classical import Jacobi, MarchenkoPastur, Wachter
    >>> moebius(MarchenkoPastur(.25), 0, 1, 1, 0).edges           # reciprocals
    array([0.44444444, 4.        ])
    >>> moebius(Wachter(.5, .2), .2, 0, .2, .5).edges - Jacobi(.5, .2).edges < 1e-15
    array([ True,  True])
    """
    a, b, c, d = (_validate.real(value, name) for value, name in ((a, "a"), (b, "b"), (c, "c"), (d, "d")))
    if a * d == b * c:
        _validate.fail("a, b, c, d", "with a d != b c", (a, b, c, d), "the map is constant otherwise")
    if c == 0.0:
        return measure.scaled(a / d).shifted(b / d)
    ends = np.concatenate([measure.edges, measure.atoms.locations])
    low, high = float(ends.min()), float(ends.max())
    if not np.isfinite([low, high]).all():
        _validate.fail("measure", "a law of bounded support", measure)
    if not (-d / c < low or -d / c > high):
        _validate.fail(
            "measure", f"a law with {-d / c:.6g} outside [{low:.6g}, {high:.6g}]", measure, "that is the pole"
        )
    if measure.edges.size == 0:
        from .discrete import Discrete

        at, mass = measure.atoms
        return Discrete((a * at + b) / (c * at + d), mass)
    return Moebius(measure, a, b, c, d)


@dataclass(frozen=True, repr=False)
class Moebius(Measure):
    """Law of ``(a x + b)/(c x + d)``; made by `moebius`.

    With ``x(z) = (d z - b)/(a - c z)`` the transform is ``(c + (c x + d) m(x)) / (a - c z)``.
    """

    base: Measure
    a: float
    b: float
    c: float
    d: float

    def __repr__(self) -> str:
        return f"Moebius({self.base!r}, a={self.a:g}, b={self.b:g}, c={self.c:g}, d={self.d:g})"

    @property
    def _determinant(self) -> float:
        return self.a * self.d - self.b * self.c

    @property
    def _rising(self) -> bool:
        return self._determinant > 0.0

    def _map(self, x: Real) -> Real:
        """Images of sorted points, sorted."""
        image = (self.a * x + self.b) / (self.c * x + self.d)
        return image if self._rising else image[::-1].copy()

    def _back(self, y: Real) -> Real:
        """The x of points; those beyond the image of the whole line go to the end on their side."""
        with np.errstate(divide="ignore", invalid="ignore"):
            x = (self.d * y - self.b) / (self.a - self.c * y)
        low, high = self._hull
        bottom, top = self._map(np.array([low, high]))
        first, last = (low, high) if self._rising else (high, low)
        outward = 1.0 if self._rising else -1.0
        x = np.where(y < bottom, first - outward * (high - low), x)
        return np.asarray(np.where(y > top, last + outward * (high - low), x))

    @cached_property
    def _hull(self) -> tuple[float, float]:
        ends = np.concatenate([self.base.edges, self.base.atoms.locations])
        return float(ends.min()), float(ends.max())

    @cached_property
    def edges(self) -> Real:
        """Images of the edges, sorted."""
        return _validate.read_only(self._map(self.base.edges))

    @cached_property
    def atoms(self) -> Atoms:
        """Images of the atoms, sorted."""
        locations, weights = self.base.atoms
        weights = weights if self._rising else _validate.read_only(weights[::-1].copy())
        return Atoms(_validate.read_only(self._map(locations)), weights)

    @cached_property
    def _powers(self) -> Real:
        """``E (c x + d)^k`` for k = 0, 1, ..."""
        return np.array([1.0, *(self._power(k) for k in range(1, _TERMS + 1))])

    def _power(self, k: int) -> float:
        if self.d == 0.0:
            return float(self.c**k * self.base.moment(k))
        with warnings.catch_warnings():  # the estimate is absolute, and these numbers are of the size of the support^k
            warnings.simplefilter("ignore", AccuracyWarning)
            return self.base.expect(lambda x: (self.c * x + self.d) ** k)

    def _near_infinity(self, z: Complex) -> tuple[np.ndarray, Complex]:
        """Where z is close to the image a/c of infinity, and the ratio ``c (z - a/c) / (a d - b c)`` there."""
        ratio = (self.c * z - self.a) / self._determinant
        size = max(abs(self.c * x + self.d) for x in self._hull)
        near = np.abs(ratio) * size < _NEAR
        return near, ratio[near]

    def _pull(self, z: Complex) -> tuple[Complex, Complex]:
        """``a - c z`` and x(z), in the upper half-plane."""
        gap = self.a - self.c * z
        x = (self.d * z - self.b) / gap
        return gap, x if self._rising else x.conj() + 0.0

    def _stieltjes(self, z: Complex) -> Complex:
        out = np.empty(z.shape, dtype=np.complex128)
        near, ratio = self._near_infinity(z)
        rest = z[~near]
        gap, x = self._pull(rest)
        m = self.base._stieltjes(x)
        m, x = (m, x) if self._rising else (m.conj(), x.conj())
        out[~near] = (self.c + (self.c * x + self.d) * m) / gap
        if near.any():  # 1/(y - z) = -s sum (-ratio s)^k c/(a d - b c), s = c x + d: the formula above cancels
            power = np.arange(_TERMS)
            terms = (-ratio[:, None]) ** power * self._powers[1:]
            out[near] = -self.c / self._determinant * terms.sum(axis=1)
        return out

    def _stieltjes_derivative(self, z: Complex) -> Complex:
        out = np.empty(z.shape, dtype=np.complex128)
        near, ratio = self._near_infinity(z)
        rest = z[~near]
        gap, x = self._pull(rest)
        m, slope = self.base._stieltjes(x), self.base._stieltjes_derivative(x)
        if not self._rising:
            m, slope, x = m.conj(), slope.conj(), x.conj()
        own = self.c * m + (self.c * x + self.d) * slope
        out[~near] = (self.c * (self.c + (self.c * x + self.d) * m) + own * self._determinant / gap) / gap**2
        if near.any():
            power = np.arange(1, _TERMS)
            terms = power * (-ratio[:, None]) ** (power - 1) * self._powers[2:]
            out[near] = (self.c / self._determinant) ** 2 * terms.sum(axis=1)
        return out

    def _stieltjes_precise(self, z: Precise, transform: Callable[[Measure, Precise], Precise]) -> Precise:
        gap = self.a - self.c * z
        x = (self.d * z - self.b) / gap
        m = transform(self.base, x) if self._rising else transform(self.base, x.conj()).conj()
        return (self.c + (self.c * x + self.d) * m) / gap

    def _density(self, x: Real) -> Real:
        rate = abs(self._determinant) / (self.a - self.c * x) ** 2
        return np.asarray(self.base._density(self._back(x)) * rate)

    def _density_offset(self, edge: int, offset: Real) -> Real:
        index = edge if self._rising else self.base.edges.size - 1 - edge
        # a - c y = (a d - b c) / (c x + d) at the edge, and x(y + offset) - x(y) without cancellation
        here = self._determinant / (self.c * self.base.edges[index] + self.d)
        there = here - self.c * offset
        step = self._determinant * offset / (here * there)
        return np.asarray(self.base._density_offset(index, step) * (abs(self._determinant) / there**2))

    def _cdf(self, x: Real) -> Real:
        # atoms are counted here: rounding in the inverse map must not move a point across one
        back = self._back(x)
        continuous = self.base._cdf(back)
        for location, weight in zip(*self.base.atoms, strict=True):
            continuous = continuous - np.where(back >= location, weight, 0.0)
        total = continuous if self._rising else 1.0 - float(np.sum(self.atoms.weights)) - continuous
        for location, weight in zip(*self.atoms, strict=True):
            total = total + np.where(x >= location, weight, 0.0)
        return np.clip(total, 0.0, 1.0)
