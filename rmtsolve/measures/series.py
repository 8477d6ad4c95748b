"""SeriesMeasure: a law as edge-weighted Chebyshev series on its bulks (`_chebyshev`) plus atoms.

The coefficients come from a discrete sine or cosine transform of samples at the angles ``(j + 1/2) pi / n``.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _validate
from ..errors import AccuracyWarning
from ._chebyshev import ChebyshevBulk as ChebyshevBulk
from ._chebyshev import disc_polynomial as disc_polynomial
from .base import NO_ATOMS, Atoms, Complex, Measure, Precise, Real

_START, _MAX_TERMS = 32, 1 << 14
_TOLERANCE = 1e-13
_PROMISE = 1e-11  # error above which a warning is given


@dataclass(frozen=True, eq=False, repr=False)
class SeriesMeasure(Measure):
    """Law given by an edge-weighted Chebyshev series on each bulk, plus atoms; usually made by `Measure.series`.

    Transform, density, distribution function and moments are closed forms in the coefficients, so it is a cheap
    value to compute with, whatever it cost to solve for the law.

    Parameters
    ----------
    bulks : tuple of ChebyshevBulk
        From left to right.
    atoms : Atoms
        Point masses.
    error : float
        Estimated error of the distribution function (that of each bulk's mass, at least).
    """

    bulks: tuple[ChebyshevBulk, ...]
    point_masses: Atoms = NO_ATOMS
    error: float = 0.0

    def __repr__(self) -> str:
        parts = [f"[{b.left:.6g}, {b.right:.6g}] with {b.coefficients.size} terms" for b in self.bulks]
        n = self.point_masses.locations.size
        if n:
            parts.append(f"{n} atom{'s' * (n > 1)}")
        return f"SeriesMeasure({', '.join(parts)}; error {self.error:.1e})"

    @cached_property
    def edges(self) -> Real:
        """Edges of the bulks."""
        return _validate.read_only(np.array([e for b in self.bulks for e in (b.left, b.right)], dtype=np.float64))

    @property
    def atoms(self) -> Atoms:
        """Point masses."""
        return self.point_masses

    def _atom_sum(self, z: Any, power: int) -> Any:
        locations, weights = self.point_masses
        return ((1.0 / (locations - z[:, None])) ** power) @ weights

    def _stieltjes(self, z: Complex) -> Complex:
        with np.errstate(divide="ignore", invalid="ignore"):  # infinite at a hard edge
            return np.asarray(sum((b.stieltjes(z) for b in self.bulks), self._atom_sum(z, 1)))

    def _stieltjes_derivative(self, z: Complex) -> Complex:
        return np.asarray(self.transforms(z)[1])

    def transforms(self, z: Any) -> tuple[Any, Any]:
        """m(z) and m'(z) in one go at a 1-d array: complex with Im z >= 0, or real and off the bulks (real values)."""
        value, slope = self._atom_sum(z, 1), self._atom_sum(z, 2)
        with np.errstate(divide="ignore", invalid="ignore"):  # infinite at an edge
            for bulk in self.bulks:
                more, steeper = bulk.transforms(z)
                value, slope = value + more, slope + steeper
        return value, slope

    def _stieltjes_precise(self, z: Precise, transform: Callable[[Measure, Precise], Precise]) -> Precise:
        """The formula of `_chebyshev`, its coefficients taken as exact."""
        total = self._atom_sum(z, 1) if self.point_masses.locations.size else 0 * z
        for bulk in self.bulks:
            left, right = bulk.left + 0 * z, bulk.right + 0 * z
            half = (right - left) / 2
            j = half / (z - left - half + np.sqrt(z - left) * np.sqrt(z - right))
            value = 0 * z
            for b in bulk.coefficients[::-1].tolist():
                value = value * j + b
            poles = (1 - j if bulk.hard_right else 1) * (1 + j if bulk.hard_left else 1)
            total = total - 2 / half * j * value / poles
        return total

    def _potential(self, z: Complex) -> Complex:
        """``int log(z - x)``, Im z >= 0, arguments in [0, pi]."""
        gap = self.point_masses.locations - z[:, None]
        gap.imag = np.where(gap.imag == 0.0, -0.0, gap.imag)
        atoms = np.log(gap) @ self.point_masses.weights + 1j * np.pi * float(np.sum(self.point_masses.weights))
        return np.asarray(sum((b.potential(z) for b in self.bulks), atoms))

    def _density(self, x: Real) -> Real:
        out = np.zeros(x.shape)
        for bulk in self.bulks:
            inside = (x > bulk.left) & (x < bulk.right)
            if inside.any():
                out[inside] = bulk.density(x[inside] - bulk.left, bulk.right - x[inside])
        return out

    def _density_offset(self, edge: int, offset: Real) -> Real:
        bulk = self.bulks[edge // 2]
        width = bulk.right - bulk.left
        return bulk.density(offset, width - offset) if edge % 2 == 0 else bulk.density(width + offset, -offset)

    def _cdf(self, x: Real) -> Real:
        total = np.zeros(x.shape)
        for location, weight in zip(*self.point_masses, strict=True):
            total += np.where(x >= location, weight, 0.0)
        for bulk in self.bulks:
            inside = (x > bulk.left) & (x < bulk.right)
            total[inside] += bulk.cumulative(x[inside])
            total[x >= bulk.right] += bulk.mass
        last = max([*self.edges[-1:], *self.point_masses.locations[-1:]])
        return np.where(x >= last, 1.0, np.clip(total, 0.0, 1.0))

    def _moment(self, k: int) -> float:
        locations, weights = self.point_masses
        with np.errstate(over="ignore", invalid="ignore"):
            terms = (weights * locations**k).tolist()
            for bulk in self.bulks:  # Gauss-Chebyshev, exact for this integrand
                n = bulk.cosines.size + k
                phi = (np.arange(n) + 0.5) * np.pi / n
                x = bulk.left + 2.0 * bulk.half_width * np.cos(phi / 2) ** 2
                weight = disc_polynomial(bulk.cosines, np.exp(1j * phi)).real
                terms += (weight * x**k * (np.pi / n)).tolist()
        return math.fsum(terms) if np.isfinite(terms).all() else math.inf

    def _affine(self, factor: float, shift: float) -> Measure:
        images = []
        for bulk in self.bulks:
            ends = sorted((factor * bulk.left + shift, factor * bulk.right + shift))
            hard = (bulk.hard_left, bulk.hard_right)
            b = bulk.coefficients
            if factor < 0:  # phi -> pi - phi
                hard = hard[::-1]
                b = b * (-1.0) ** np.arange(b.size)
            images.append(ChebyshevBulk(ends[0], ends[1], *hard, _validate.read_only(b.copy())))
        order = 1 if factor > 0 else -1
        atoms = Atoms(*(
            _validate.read_only(a[::order].copy())
            for a in (factor * self.point_masses.locations + shift, self.point_masses.weights)
        ))  # fmt: skip
        return SeriesMeasure(tuple(images[::order]), atoms, self.error)

    def series(self) -> SeriesMeasure:
        """The law itself."""
        return self


# ---------------------------------------------------------------------- fitting
def fit_series(measure: Measure) -> SeriesMeasure:
    """The law as a `SeriesMeasure`, with as many terms as its smoothness asks for.

    The number of terms is doubled until the last coefficients vanish; for laws with square-root or hard edges they
    decay geometrically. Where they do not (cusps, interior singularities, other exponents at the edges), at most
    16384 terms are used, and an `AccuracyWarning` states the error bound, which is also `SeriesMeasure.error`.

    Parameters
    ----------
    measure : Measure
        A law with bounded support.

    Returns
    -------
    SeriesMeasure

    Raises
    ------
    DomainError
        The support is unbounded.

    Examples
    --------
    >>> from rmtsolve.measures.classical import MarchenkoPastur
    >>> law = MarchenkoPastur(0.25)
    >>> series = fit_series(law)
    >>> abs(series.stieltjes(3 + 0.1j) - law.stieltjes(3 + 0.1j)) < 1e-13
    True
    """
    edges = measure.edges
    if not np.isfinite(edges).all():
        _validate.fail("measure", "a law with bounded support", measure, "a series needs finite edges")
    pieces = [_fit_bulk(measure, index, _MAX_TERMS) for index in range(0, edges.size, 2)]
    error = math.fsum(doubt for _, doubt in pieces)
    if error > _PROMISE:
        warnings.warn(
            f"the series of {measure!r} converges slowly: its error is about {error:.1e}", AccuracyWarning, stacklevel=3
        )
    return SeriesMeasure(tuple(bulk for bulk, _ in pieces), measure.atoms, error)


def exact_series(measure: Measure, most: int, error: float) -> SeriesMeasure | None:
    """The law as a series, if `most` terms for each bulk give it to an error of `error`; else None, without a warning.

    It stops at the first bulk that needs more.
    """
    edges = measure.edges
    if not np.isfinite(edges).all():
        return None
    bulks = []
    total = 0.0
    for index in range(0, edges.size, 2):
        bulk, doubt = _fit_bulk(measure, index, most)
        total += doubt
        if not total <= error:
            return None
        bulks.append(bulk)
    return SeriesMeasure(tuple(bulks), measure.atoms, total)


def _fit_bulk(measure: Measure, index: int, most: int) -> tuple[ChebyshevBulk, float]:
    """One bulk by at most that many terms, and its error."""
    left, right = measure.edges[index : index + 2]
    hard = (_is_hard(measure, index), _is_hard(measure, index + 1))
    n = _START
    while True:
        b = _coefficients(measure, index, hard, n)
        size = float(np.max(np.abs(b)))
        tail = float(np.max(np.abs(b[-max(4, n // 8) :])))
        if tail <= _TOLERANCE * size or n >= most:
            break
        n *= 2
    # what is dropped, and what was aliased into the kept terms: a geometric or algebraic tail
    kept = np.nonzero(np.abs(b) > 1e-16 * size)[0]
    if tail <= _TOLERANCE * size:
        b = b[: kept[-1] + 1] if kept.size else b[:1]
        error = tail
    else:
        error = float(np.sum(np.abs(b[-n // 4 :])))
    return ChebyshevBulk(float(left), float(right), *hard, _validate.read_only(b.copy())), error


def _coefficients(measure: Measure, index: int, hard: tuple[bool, bool], n: int) -> Real:
    """The b_k from n samples: a transform of the type that belongs to the edges."""
    from scipy.fft import dct, dst

    width = float(measure.edges[index + 1] - measure.edges[index])
    phi = (np.arange(n) + 0.5) * np.pi / n
    right = phi < np.pi / 2
    rho = np.concatenate([
        measure._density_offset(index + 1, -width * np.sin(phi[right] / 2) ** 2),
        measure._density_offset(index, width * np.cos(phi[~right] / 2) ** 2),
    ]) * (np.pi * width / 2)  # fmt: skip
    if all(hard):
        b = dct(rho * np.sin(phi), type=2) / n
        b[0] *= 0.5
    elif hard[1]:
        b = dct(rho * np.sin(phi / 2), type=4) / n
    elif hard[0]:
        b = dst(rho * np.cos(phi / 2), type=4) / n
    else:
        b = dst(rho / 2, type=2) / n
        b[-1] *= 0.5
    return np.asarray(b, dtype=np.float64)


def _is_hard(measure: Measure, edge: int) -> bool:
    """Whether the density grows towards the edge (from the ratio at two tiny offsets)."""
    width = float(measure.edges[edge | 1] - measure.edges[edge & ~1])
    sign = 1.0 if edge % 2 == 0 else -1.0
    offsets: NDArray[np.float64] = sign * width * np.array([1e-8, 1e-6])
    near, far = measure._density_offset(edge, offsets)
    return bool(near > 1.5 * far)
