"""Even laws and their squares: what the free commutator is made of."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from .. import _validate
from ..measures._precise import precise_array
from ..measures.base import Atoms, Complex, Measure, Precise, Real
from ..measures.discrete import Discrete

_PROBES = np.array([0.3 + 0.2j, 0.9 + 0.05j, 1.3 + 0.4j, 0.05 + 1.0j, 2.0 + 0.1j])
_EVEN = 1e-10  # relative size of the odd part below which a law counts as even


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

    def _density_offset(self, edge: int, offset: Real) -> Real:
        """Near the edge, ``|x|`` times the density of the square at ``e^2 + offset (2 e + offset)``."""
        at, count = float(self.edges[edge]), self.edges.size // 2
        rho = super()._density_offset(edge, offset)
        near = np.abs(offset) < 0.5 * abs(at)
        if near.any():
            mirrored = edge if edge >= count else self.edges.size - 1 - edge
            index = mirrored - self.edges.size + self.square.edges.size
            step = offset[near]
            rho[near] = np.abs(at + step) * self.square._density_offset(index, step * (2.0 * at + step))
        return rho

    def _cdf(self, x: Real) -> Real:
        at, mass = self.square.atoms
        square = x * x
        above = 1.0 - self.square._cdf(square)  # half the mass beyond |x| is on either side
        own = np.where(np.isin(square, at), np.append(mass, 0.0)[np.searchsorted(at, square)], 0.0)
        return np.asarray(np.where(x >= 0.0, 1.0 - 0.5 * above, 0.5 * (above + own)))

    def _moment(self, k: int) -> float:
        return 0.0 if k % 2 else self.square.moment(k // 2)
