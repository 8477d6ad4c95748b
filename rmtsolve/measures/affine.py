"""The law of ``factor * x + shift``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .. import _validate
from .base import Atoms, Complex, Measure, Precise, Real


def affine(measure: Measure, factor: float, shift: float) -> Measure:
    """Law of ``factor * x + shift`` when x has the given law.

    Families that are closed under the map keep their closed form; a factor 0 gives a point mass; maps of maps
    collapse to one.

    Parameters
    ----------
    measure : Measure
        Any law.
    factor, shift : float
        Any real numbers; a negative factor reflects the law.

    Returns
    -------
    Measure

    Examples
    --------
    >>> from rmtsolve.measures.classical import MarchenkoPastur, Semicircle
    >>> affine(Semicircle(), -2, 1)
    Semicircle(variance=4.0, mean=1.0)
    >>> affine(affine(MarchenkoPastur(0.5), 3, 0), 1, -1)
    Affine(MarchenkoPastur(ratio=0.5, variance=3.0), factor=1, shift=-1)
    """
    factor, shift = _validate.real(factor, "factor"), _validate.real(shift, "shift")
    if factor == 0.0:
        from .discrete import Discrete

        return Discrete([shift])
    if factor == 1.0 and shift == 0.0:
        return measure
    same_family = measure._affine(factor, shift)
    return same_family if same_family is not None else Affine(measure, factor, shift)


@dataclass(frozen=True, repr=False)
class Affine(Measure):
    """Law of ``factor * x + shift``; made by `affine`, which first looks for a closed form."""

    base: Measure
    factor: float
    shift: float

    def __repr__(self) -> str:
        return f"Affine({self.base!r}, factor={self.factor:g}, shift={self.shift:g})"

    @cached_property
    def edges(self) -> Real:
        """Images of the edges, sorted."""
        return _validate.read_only(self._map(self.base.edges))

    @cached_property
    def atoms(self) -> Atoms:
        """Images of the atoms, sorted."""
        locations, weights = self.base.atoms
        if self.factor < 0:
            weights = _validate.read_only(weights[::-1].copy())
        return Atoms(_validate.read_only(self._map(locations)), weights)

    def _map(self, x: Real) -> Real:
        """Images of sorted points, sorted."""
        image = self.factor * x + self.shift
        return image if self.factor > 0 else image[::-1].copy()

    def _back(self, x: Real) -> Real:
        return (x - self.shift) / self.factor

    def _transform(self, z: Complex, *, derivative: bool) -> Complex:
        # a reflection sends the upper half-plane to the lower one: m(conj z) = conj m(z)
        base = (z - self.shift) / self.factor
        if self.factor < 0:
            base = base.conj() + 0.0
        m = self.base._stieltjes_derivative(base) if derivative else self.base._stieltjes(base)
        return np.asarray((m.conj() if self.factor < 0 else m) / self.factor ** (2 if derivative else 1))

    def _stieltjes(self, z: Complex) -> Complex:
        return self._transform(z, derivative=False)

    def _stieltjes_derivative(self, z: Complex) -> Complex:
        return self._transform(z, derivative=True)

    def _stieltjes_precise(self, z: Precise, transform: Callable[[Measure, Precise], Precise]) -> Precise:
        base = (z - self.shift) / self.factor
        if self.factor < 0:
            return transform(self.base, base.conj()).conj() / self.factor
        return transform(self.base, base) / self.factor

    def _density(self, x: Real) -> Real:
        return self.base._density(self._back(x)) / abs(self.factor)

    def _density_offset(self, edge: int, offset: Real) -> Real:
        index = edge if self.factor > 0 else self.base.edges.size - 1 - edge
        return self.base._density_offset(index, offset / self.factor) / abs(self.factor)

    def _cdf(self, x: Real) -> Real:
        # atoms are counted here: rounding in the inverse map must not move a point across one
        base = self._back(x)
        continuous = self.base._cdf(base)
        for location, weight in zip(*self.base.atoms, strict=True):
            continuous = continuous - np.where(base >= location, weight, 0.0)
        total = continuous if self.factor > 0 else 1.0 - float(np.sum(self.atoms.weights)) - continuous
        for location, weight in zip(*self.atoms, strict=True):
            total = total + np.where(x >= location, weight, 0.0)
        return np.clip(total, 0.0, 1.0)

    def _quantile(self, q: Real) -> Real:
        if self.factor > 0:
            return self.factor * self.base._quantile(q) + self.shift
        return super()._quantile(q)

    def _moment(self, k: int) -> float:
        if self.shift == 0.0:
            return float(self.factor**k * self.base.moment(k))
        return super()._moment(k)

    def _free_cumulant(self, k: int) -> float:
        return self.factor**k * self.base.free_cumulant(k) + (self.shift if k == 1 else 0.0)

    def _affine(self, factor: float, shift: float) -> Measure:
        return affine(self.base, factor * self.factor, factor * self.shift + shift)
