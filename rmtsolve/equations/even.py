"""Even laws and their squares, and numerical free roots: what the free commutator and `free_root` are made of."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from .. import _validate
from ..measures._precise import precise_array
from ..measures.base import Atoms, Complex, Measure, Precise, Real
from ..measures.discrete import Discrete
from ..measures.series import ChebyshevBulk, SeriesMeasure

_PROBES = np.array([0.3 + 0.2j, 0.9 + 0.05j, 1.3 + 0.4j, 0.05 + 1.0j, 2.0 + 0.1j])
_EVEN = 1e-10  # relative size of the odd part below which a law counts as even
_DESCENT = 0.5  # height of the next point over that of the last
_STEPS = 60


def is_even(law: Measure) -> bool:
    """Whether x and -x have the same law: ``m(-conj z) = -conj m(z)``."""
    ends = np.concatenate([law.edges, law.atoms.locations])
    size = float(np.abs(ends).max())
    if abs(float(ends.max()) + float(ends.min())) > 1e-12 * size:
        return False
    z = np.asarray((size or 1.0) * _PROBES, dtype=np.complex128)
    m, mirror = law._stieltjes(z), -law._stieltjes(-z.conj()).conj()
    return bool(np.all(np.abs(m - mirror) <= _EVEN * np.abs(m)))


def square_of(law: Measure) -> Measure:
    """Law of ``x^2`` for an even law."""
    if isinstance(law, Discrete):
        return Discrete(law.locations**2, law.weights)
    return SquaredLaw(law)


class SquaredLaw(Measure):
    """Law of ``x^2`` for an even law of x: ``m(w) = m_x(sqrt w) / sqrt w``.

    Parameters
    ----------
    base : Measure
        The even law.
    """

    def __init__(self, base: Measure) -> None:
        self.base = base

    def __repr__(self) -> str:
        return f"SquaredLaw({self.base!r})"

    @cached_property
    def edges(self) -> Real:
        """Squares of the edges on the positive side; 0 where a bulk goes through it."""
        positive = self.base.edges[self.base.edges.size // 2 :]
        if self.base.support.shape[0] % 2:
            positive = np.append(0.0, positive)
        return _validate.read_only(positive**2)

    @property
    def atoms(self) -> Atoms:
        """Both atoms +-a make that at a^2."""
        at, mass = self.base.atoms
        keep = at >= 0.0
        at, mass = at[keep], mass[keep]
        return Atoms(at**2, np.where(at == 0.0, mass, 2.0 * mass))

    def _stieltjes(self, z: Complex) -> Complex:
        root = np.sqrt(z)
        with np.errstate(all="ignore"):
            return self.base._stieltjes(root) / root

    def _stieltjes_derivative(self, z: Complex) -> Complex:
        root = np.sqrt(z)
        with np.errstate(all="ignore"):
            return 0.5 * (self.base._stieltjes_derivative(root) - self.base._stieltjes(root) / root) / z

    def _stieltjes_precise(self, z: Precise, transform: Callable[[Measure, Precise], Precise]) -> Precise:
        root = np.sqrt(z)
        return transform(self.base, root) / root

    def _moment(self, k: int) -> float:
        return self.base.moment(2 * k)


class SymmetricRoot(Measure):
    """The even law whose square has a given law on [0, inf): ``m(z) = z m_2(z^2)``.

    Parameters
    ----------
    square : Measure
        Law of ``x^2``.
    """

    def __init__(self, square: Measure) -> None:
        self.square = square

    def __repr__(self) -> str:
        return f"SymmetricRoot({self.square!r})"

    @cached_property
    def edges(self) -> Real:
        """Plus and minus the roots of the edges; a bulk that starts at 0 goes through it."""
        roots = np.sqrt(np.maximum(self.square.edges, 0.0))
        roots = roots[1:] if roots.size and roots[0] == 0.0 else roots
        return _validate.read_only(np.concatenate([-roots[::-1], roots]))

    @cached_property
    def atoms(self) -> Atoms:
        """Half of the mass at a goes to each of the roots of a."""
        at, mass = self.square.atoms
        root, zero = np.sqrt(np.maximum(at, 0.0)), at <= 0.0
        where = np.concatenate([-root[~zero][::-1], root[zero], root[~zero]])
        return Atoms(where, np.concatenate([0.5 * mass[~zero][::-1], mass[zero], 0.5 * mass[~zero]]))

    def _mirrored(self, z: Complex) -> tuple[Complex, Any]:
        left = z.real < 0.0
        z = np.where(left, -z.conj(), z)
        size = float(np.abs(self.edges).max()) if self.edges.size else 1.0
        return np.where(z == 0.0, 1e-15 * size, z), left

    def _stieltjes(self, z: Complex) -> Complex:
        z, left = self._mirrored(z)
        m = z * self.square._stieltjes(z * z)
        return np.where(left, -m.conj(), m)

    def _stieltjes_derivative(self, z: Complex) -> Complex:
        z, left = self._mirrored(z)
        w = z * z
        slope = self.square._stieltjes(w) + 2.0 * w * self.square._stieltjes_derivative(w)
        return np.where(left, slope.conj(), slope)

    def _stieltjes_precise(self, z: Precise, transform: Callable[[Measure, Precise], Precise]) -> Precise:
        right = precise_array(point if point.real >= 0 else -point.conjugate() for point in z)
        m = right * transform(self.square, right * right)
        return precise_array(
            value if point.real >= 0 else -value.conjugate() for point, value in zip(z, m, strict=True)
        )

    def _moment(self, k: int) -> float:
        return 0.0 if k % 2 else self.square.moment(k // 2)


class RootTransform:
    """Stieltjes transform of a free root ``mu^(boxplus T)``, T < 1, of a law with one soft-edged bulk and no atoms.

    ``m(z) = m_mu(u)`` with ``z = T u - (1 - T)/m_mu(u)``; u may be on the second sheet of m_mu, behind the bulk. In the
    variable J of the law's Chebyshev series, ``u = mid + hw (J + 1/J)/2`` and m_mu is a polynomial, so that |J| > 1 is
    reached as far as the series converges. The solution is followed down from far above, where it is known.

    Parameters
    ----------
    series : SeriesMeasure
        The law mu.
    exponent : float
        T in (0, 1).
    """

    __name__ = "free root"

    def __init__(self, series: SeriesMeasure, exponent: float) -> None:
        self.bulk: ChebyshevBulk = series.bulks[0]
        self.exponent = exponent
        b = self.bulk.coefficients
        self.slope = b[1:] * np.arange(1, b.size)

    def __call__(self, z: Complex) -> Complex:
        """m(z); nan where the series does not reach."""
        bulk, power = self.bulk, self.exponent
        half, middle = bulk.half_width, 0.5 * (bulk.left + bulk.right)
        top = np.maximum(z.imag, 20.0 * (half + abs(middle)))
        j = 0.5 * half / (z.real + 1j * top - power * middle)  # u is about z + (1 - T) mean
        height = top
        with np.errstate(all="ignore"):
            while True:
                target = z.real + 1j * height
                for _ in range(_STEPS):
                    value, rate = self._image(j)
                    step = (target - value) / rate
                    step = np.where(np.abs(step) > 0.3 * np.abs(j), step / np.abs(step) * 0.3 * np.abs(j), step)
                    j = j + step
                    if (np.abs(step) <= 1e-14 * np.abs(j)).all():
                        break
                if (height <= z.imag).all():
                    break
                height = np.maximum(np.where(_DESCENT * height < 1e-14 * half, 0.0, _DESCENT * height), z.imag)
            terms = bulk.coefficients[-8:] * j[:, None] ** np.arange(bulk.coefficients.size - 8, bulk.coefficients.size)
            lost = ~(np.abs(terms).max(axis=1) <= 1e-9 * np.abs(bulk.coefficients).max())
            miss = np.abs(self._image(j)[0] - target) > 1e-9 * np.abs(target)
            return np.where(lost | miss, np.nan, self._transform(j)[0])

    def _transform(self, j: Complex) -> tuple[Complex, Complex]:
        """m_mu and its derivative by J, on both sheets."""
        powers = j[:, None] ** np.arange(self.bulk.coefficients.size)
        inside = powers @ self.bulk.coefficients
        change = powers[:, :-1] @ self.slope
        factor = -2.0 / self.bulk.half_width
        return factor * j * inside, factor * (inside + j * change)

    def _image(self, j: Complex) -> tuple[Complex, Complex]:
        """z and its derivative by J."""
        bulk, power = self.bulk, self.exponent
        u = 0.5 * (bulk.left + bulk.right) + 0.5 * bulk.half_width * (j + 1.0 / j)
        m, slope = self._transform(j)
        rate = 0.5 * bulk.half_width * (1.0 - 1.0 / j**2)
        return power * u + (power - 1.0) / m, power * rate + (1.0 - power) * slope / m**2
