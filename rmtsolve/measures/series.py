"""SeriesMeasure: a law as edge-weighted Chebyshev series on its bulks plus atoms.

On a bulk [L, R] put ``x = mid + hw cos(phi)`` and ``J = y - sqrt(y - 1) sqrt(y + 1)``, ``y = (z - mid)/hw`` (the
inverse Joukowski map: |J| < 1 off the bulk, ``J = exp(-i phi)`` on it from above). Each of the four Chebyshev kinds
belongs to one combination of edges, and integrating it with its weight gives, up to and on the real axis,

    m(z) = -(2/hw) J B(J) / ((1 - J)^[R hard] (1 + J)^[L hard]),        B(J) = sum_k b_k J^k,

so the density Im m / pi is, with the same coefficients,

    both soft:  (2/(pi hw)) sum b_k sin((k + 1) phi)          R hard: sum b_k cos((k + 1/2) phi) / (pi hw sin(phi/2))
    both hard:  sum b_k cos(k phi) / (pi hw sin(phi))         L hard: sum b_k sin((k + 1/2) phi) / (pi hw cos(phi/2))

(derived from ``int cos(k phi) dphi / (cos(phi) - y) = -2 pi J^(k+1) / (1 - J^2)`` over half a turn). The coefficients
come from a discrete sine or cosine transform of samples at the angles ``(j + 1/2) pi / n``.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _validate
from ..errors import AccuracyWarning
from .base import NO_ATOMS, Atoms, Complex, Measure, Real

_BLOCK = 64  # coefficients summed as one matrix product
_START, _MAX_TERMS = 32, 1 << 14
_TOLERANCE = 1e-13
_PROMISE = 1e-11  # error above which a warning is given


@dataclass(frozen=True, eq=False)
class ChebyshevBulk:
    """One bulk of a `SeriesMeasure`.

    Parameters
    ----------
    left, right : float
        Edges.
    hard_left, hard_right : bool
        Whether the density there diverges like an inverse square root (else it vanishes like a square root).
    coefficients : ndarray, shape (n,)
        The ``b_k`` of the module's formulas.
    """

    left: float
    right: float
    hard_left: bool
    hard_right: bool
    coefficients: Real

    @property
    def half_width(self) -> float:
        """Half the length of the bulk."""
        return 0.5 * (self.right - self.left)

    def joukowski(self, z: Complex) -> tuple[Complex, Complex]:
        """``(J, s)`` with ``s = sqrt(z - L) sqrt(z - R)``."""
        s = np.sqrt(z - self.left) * np.sqrt(z - self.right)
        return self.half_width / (z - (self.left + self.half_width) + s), s

    def stieltjes(self, z: Complex) -> Complex:
        """Contribution to m(z)."""
        j, _ = self.joukowski(z)
        return np.asarray(-2.0 / self.half_width * j * disc_polynomial(self.coefficients, j) / self._poles(j))

    def _poles(self, j: Complex) -> Any:
        return (1.0 - j if self.hard_right else 1.0) * (1.0 + j if self.hard_left else 1.0)

    def stieltjes_derivative(self, z: Complex) -> Complex:
        """Contribution to m'(z); dJ/dz = -J / s."""
        j, s = self.joukowski(z)
        b = self.coefficients
        value, slope = disc_polynomial(b, j), disc_polynomial(b[1:] * np.arange(1, b.size), j)
        logarithmic = 1.0 + (j / (1.0 - j) if self.hard_right else 0.0) - (j / (1.0 + j) if self.hard_left else 0.0)
        return np.asarray(2.0 / self.half_width * j * (value * logarithmic + j * slope) / self._poles(j) / s)

    def density(self, from_left: Real, from_right: Real) -> Real:
        """Density at points given by their (positive) distances from the edges."""
        theta = 2.0 * np.arctan2(np.sqrt(from_left), np.sqrt(from_right))  # pi - phi
        phi = 2.0 * np.arctan2(np.sqrt(from_right), np.sqrt(from_left))
        near_left = theta < phi
        signs = (-1.0) ** np.arange(self.coefficients.size)
        out = np.empty(theta.shape)
        # seen from the left edge, phi = pi - theta: cosines and sines only change sign, and nothing cancels
        for mask, angle, b, here, there in (
            (near_left, theta, signs * self.coefficients, self.hard_left, self.hard_right),
            (~near_left, phi, self.coefficients, self.hard_right, self.hard_left),
        ):
            t = angle[mask]
            half = np.exp(0.5j * t)
            series = disc_polynomial(b, half * half)
            if here and there:
                values = series.real / np.sin(t)
            elif here:
                values = (series * half).real / np.sin(t / 2)
            elif there:
                values = (series * half).imag / np.cos(t / 2)
            else:
                values = 2.0 * (series * half * half).imag
            out[mask] = values
        return out / (np.pi * self.half_width)

    @cached_property
    def cosines(self) -> Real:
        """Coefficients a_k of ``density * |dx/dphi| = sum a_k cos(k phi)``."""
        b = self.coefficients
        a = np.zeros(b.size + 2)
        if self.hard_left and self.hard_right:  # b cos(k phi)
            a[:-2] = b
        elif self.hard_right:  # sin(phi) cos((k + 1/2) phi) / sin(phi/2) = cos(k phi) + cos((k + 1) phi)
            a[:-2] = b
            a[1:-1] += b
        elif self.hard_left:  # sin(phi) sin((k + 1/2) phi) / cos(phi/2) = cos(k phi) - cos((k + 1) phi)
            a[:-2] = b
            a[1:-1] -= b
        else:  # 2 sin(phi) sin((k + 1) phi) = cos(k phi) - cos((k + 2) phi)
            a[:-2] = b
            a[2:] -= b
        return a / np.pi

    @property
    def mass(self) -> float:
        """Mass of the bulk."""
        return float(np.pi * self.cosines[0])

    def cumulative(self, x: Real) -> Real:
        """Mass of the bulk to the left of points inside it."""
        theta = 2.0 * np.arctan2(np.sqrt(x - self.left), np.sqrt(self.right - x))
        a = self.cosines
        k = np.arange(1, a.size)
        rest = disc_polynomial(np.concatenate([[0.0], a[1:] * (-1.0) ** k / k]), np.exp(1j * theta))
        return np.asarray(a[0] * theta + rest.imag)


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

    def _atom_sum(self, z: Complex, power: int) -> Complex:
        locations, weights = self.point_masses
        return np.asarray(((1.0 / (locations - z[:, None])) ** power) @ weights)

    def _stieltjes(self, z: Complex) -> Complex:
        with np.errstate(divide="ignore", invalid="ignore"):  # infinite at a hard edge
            return np.asarray(sum((b.stieltjes(z) for b in self.bulks), self._atom_sum(z, 1)))

    def _stieltjes_derivative(self, z: Complex) -> Complex:
        with np.errstate(divide="ignore", invalid="ignore"):  # infinite at an edge
            return np.asarray(sum((b.stieltjes_derivative(z) for b in self.bulks), self._atom_sum(z, 2)))

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


def disc_polynomial(coefficients: Real, j: Complex) -> Complex:
    """``sum_k coefficients[k] j^k`` for |j| <= 1: blocks of powers by matrix products, Horner's rule between blocks."""
    out = np.zeros(j.shape, dtype=np.complex128)
    n_blocks = max(1, -(-coefficients.size // _BLOCK))
    table = np.zeros((n_blocks, _BLOCK))
    table.ravel()[: coefficients.size] = coefficients
    step = max(1, (1 << 20) // (_BLOCK + n_blocks))
    for start in range(0, j.size, step):
        part = j[start : start + step]
        powers = np.ones((_BLOCK + 1, part.size), dtype=np.complex128)
        # by doubling: the relative error of a power stays a few units in the last place times log2(k)
        done = 1
        while done <= _BLOCK:
            more = min(done, _BLOCK + 1 - done)
            powers[done : done + more] = powers[done - 1] * part * powers[:more]
            done += more
        sums = table @ powers[:_BLOCK]
        total = sums[-1]
        for row in sums[-2::-1]:
            total = total * powers[_BLOCK] + row
        out[start : start + step] = total
    return out


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
    bulks = []
    error = 0.0
    for index in range(0, edges.size, 2):
        bulk, doubt = _fit_bulk(measure, index)
        bulks.append(bulk)
        error += doubt
    if error > _PROMISE:
        warnings.warn(
            f"the series of {measure!r} converges slowly: its error is about {error:.1e}", AccuracyWarning, stacklevel=3
        )
    return SeriesMeasure(tuple(bulks), measure.atoms, error)


def _fit_bulk(measure: Measure, index: int) -> tuple[ChebyshevBulk, float]:
    left, right = measure.edges[index : index + 2]
    hard = (_is_hard(measure, index), _is_hard(measure, index + 1))
    n = _START
    while True:
        b = _coefficients(measure, index, hard, n)
        size = float(np.max(np.abs(b)))
        tail = float(np.max(np.abs(b[-max(4, n // 8) :])))
        if tail <= _TOLERANCE * size or n >= _MAX_TERMS:
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
