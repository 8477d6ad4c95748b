"""The law of a polynomial p(x) or of the eigenvalues of a Hermitian pencil ``A0 + x A1`` of one random number x.

If X is a large self-adjoint matrix, ``1 (x) X`` commutes with ``P = A0 (x) 1 + A1 (x) X``, and the eigenvalues of P are
those of the K x K matrices P(x), x running over the spectrum of X; a polynomial has K = 1. So the law is the mean of
the images of the law of x under the K eigenvalue branches: density ``sum rho(x) / (K |lambda'(x)|)`` over the real
preimages x, edges at the images of edges and where a branch turns, atoms where a branch is constant.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate
from ._family import Family, spectrum, tidy
from ._monotone import Piece, Preimages, monotone_pieces
from ._poles import Poles
from .base import NO_ATOMS, Atoms, Complex, Measure, Precise, Real

_EPS = float(np.finfo(float).eps)
_NODES = np.cos(np.pi * (np.arange(16) + 0.5) / 16)
_SHARES = np.prod([[-b / (a - b) if a != b else 1.0 for b in _NODES] for a in _NODES], axis=1)  # interpolation at 0
_ORDERS = np.arange(1, 16)
_RATES = 0.125 * np.cos(np.outer(np.arccos(_NODES), _ORDERS)) @ (_ORDERS * np.sin(0.5 * np.pi * _ORDERS))  # slope at 0
_LOSS = 16.0  # terms of the partial fractions over their sum, from which the sum is interpolated
_EXACT = 64  # highest degree of a moment that is summed from the moments of x
_CANCELLED = 30.0  # terms of that sum over the sum, from which it is integrated


def image(measure: Measure, coefficients: ArrayLike | Sequence[ArrayLike], title: str = "") -> Measure:
    """Law of ``p(x) = sum_k a_k x^k``, or of a random eigenvalue of ``A0 + x A1``, all K being as likely.

    Parameters
    ----------
    measure : Measure
        The law of x, of bounded support.
    coefficients : array_like, shape (degree + 1,) or (2, K, K)
        Real numbers ``a_0, a_1, ...``, or the Hermitian matrices A0 and A1.
    title : str
        How the law prints itself.

    Returns
    -------
    Measure

    Raises
    ------
    DomainError
        The coefficients are not finite and real, or two Hermitian matrices, or the support is unbounded.

    Examples
    --------
    >>> from rmtsolve.measures.classical import Semicircle
    >>> image(Semicircle(), [0, 0, 1]).edges          # x^2
    array([0., 4.])
    >>> image(Semicircle(), [[[0, 1], [1, 0]], [[1, 0], [0, -1]]]).edges.round(6)        # -+sqrt(1 + x^2)
    array([-2.236068, -1.      ,  1.      ,  2.236068])
    """
    table = _validate.complex_array(coefficients, "coefficients")
    if table.ndim == 1:
        table = table[:, None, None]
    if table.ndim != 3 or table.shape[1] != table.shape[2] or (table.shape[1] > 1 and len(table) != 2):
        _validate.fail("coefficients", "numbers, or two square matrices of one size", f"shape {table.shape}")
    if np.abs(table - table.conj().swapaxes(1, 2)).max() > 1e-12 * np.abs(table).max():
        _validate.fail("coefficients", "real numbers or Hermitian matrices", coefficients)
    table = 0.5 * (table + table.conj().swapaxes(1, 2))
    while len(table) > 1 and not table[-1].any():
        table = table[:-1]
    ends = np.concatenate([measure.edges, measure.atoms.locations])
    if not np.isfinite(ends).all():
        _validate.fail("measure", "a law of bounded support", measure)
    if table.shape[1:] == (1, 1) and len(table) == 2:
        return measure.scaled(float(table[1, 0, 0].real)).shifted(float(table[0, 0, 0].real))
    law = ImageLaw(measure, table if table.imag.any() else table.real.copy(), title)
    if law.edges.size == 0:
        from .discrete import Discrete

        return Discrete(*law.atoms)
    return law


class ImageLaw(Measure):
    """Law of a polynomial or of the eigenvalues of a Hermitian pencil of one random number; made by `image`.

    Notes
    -----
    Nothing is iterated over a self-consistent equation: edges, atoms, density and distribution function come from the
    eigenvalue branches on the real line (`_family`, `_monotone`), the transform off it from partial fractions
    (`_poles`). Values that lie closer than the rounding of P(x) count as equal: bulks that touch so are one bulk.
    """

    def __init__(self, base: Measure, coefficients: NDArray[Any], title: str = "") -> None:
        self.base, self.coefficients = base, _validate.read_only(coefficients)
        ends = np.concatenate([base.edges, base.atoms.locations])
        low, high = float(ends.min()), float(ends.max())
        self.rows = coefficients.shape[1]
        self.title = title or f"a {'polynomial' if self.rows == 1 else 'pencil'} of {base!r}"
        self._family = Family(coefficients, low, high)
        self._pieces, self._still = monotone_pieces(self._family, base)
        self._poles = Poles(coefficients, low, high)

    def __repr__(self) -> str:
        parts = [f"[{a:.6g}, {b:.6g}] mass {m:.6g}" for (a, b), m in zip(self.support, self.masses, strict=True)]
        more = f", ... ({len(parts)} bulks)" if len(parts) > 6 else ""
        points = [f"{at:.6g} mass {mass:.6g}" for at, mass in zip(*self.atoms, strict=True)]
        rest = f", ... ({len(points)} atoms)" if len(points) > 6 else ""
        words = f"bulks {', '.join(parts[:6]) or 'none'}{more}; atoms {', '.join(points[:6]) or 'none'}{rest}"
        return f"<law of {self.title}: {words}>"

    # ------------------------------------------------------------------ support
    @cached_property
    def edges(self) -> Real:
        """Ends of the union of the images of all pieces; intervals that touch to rounding are joined."""
        spans = sorted((p.low, p.high, *(p.doubts if p.rising else p.doubts[::-1])) for p in self._pieces)
        merged: list[list[float]] = []
        for low, high, low_doubt, high_doubt in spans:
            if merged and low <= merged[-1][1] + 4.0 * max(low_doubt, merged[-1][2]):
                if high > merged[-1][1]:
                    merged[-1][1:] = [high, high_doubt]
            else:
                merged.append([low, high, high_doubt])
        return _validate.read_only(np.array([span[:2] for span in merged]).ravel())

    @cached_property
    def atoms(self) -> Atoms:
        """Branches that are constant, with the mass of the bulks, and images of the atoms of x."""
        bulk_masses = self._continuous(self.base.edges[1::2]) - self._continuous(self.base.edges[::2])
        found = [(value, m * float(bulk_masses.sum())) for value, m in self._family.constants]
        found += [(value, float(bulk_masses[bulk])) for bulk, _, value in self._still]
        places, masses = self.base.atoms
        for values, mass in zip(spectrum(self._family.at(places))[0], masses, strict=True):
            found += [(float(value), float(mass)) for value in values]
        ends = np.concatenate([self.base.edges, places])
        doubt = 16.0 * _EPS * float(self._family.scale(ends).max())
        groups: list[list[tuple[float, float]]] = []
        for value, mass in sorted(pair for pair in found if pair[1] > 0.0):
            if groups and value - groups[-1][-1][0] <= doubt:
                groups[-1].append((value, mass))
            else:
                groups.append([(value, mass)])
        if not groups:
            return NO_ATOMS
        heaviest = [max(group, key=lambda pair: pair[1])[0] for group in groups]
        locations = [tidy(value, 0.25 * doubt) for value in heaviest]
        weights = [math.fsum(mass for _, mass in group) / self.rows for group in groups]
        return Atoms(_validate.read_only(np.array(locations)), _validate.read_only(np.array(weights)))

    @cached_property
    def masses(self) -> Real:
        """Mass of each bulk, without the atoms in it."""
        middles = np.array([0.5 * (p.low + p.high) for p in self._pieces])
        bulk = np.searchsorted(self.edges, middles) // 2
        return _validate.read_only(np.bincount(bulk, self._shares, self.edges.size // 2))

    @cached_property
    def _shares(self) -> Real:
        """Mass of every piece."""
        first, last = (self._continuous(np.array([p.ends[k] for p in self._pieces])) for k in (0, 1))
        return np.asarray((last - first) / self.rows)

    @cached_property
    def _singular(self) -> Real:
        """Values where the law is not analytic: ends of pieces and atoms."""
        return np.unique(np.concatenate([*(p.values for p in self._pieces), self.atoms.locations]))

    def _continuous(self, x: Real) -> Real:
        """Distribution function of the law of x without its atoms."""
        value = np.asarray(self.base._cdf(x))
        for location, weight in zip(*self.base.atoms, strict=True):
            value = value - np.where(x >= location, weight, 0.0)
        return value

    # ------------------------------------------------------------------ transform
    def _stieltjes(self, z: Complex) -> Complex:
        m, size = self._transform(z)
        lost = np.flatnonzero(~(size <= _LOSS * np.abs(m)))
        if lost.size:  # poles meet where they may: m is analytic there, and is read off on both sides of the point
            m[lost] = self._beside(z[lost])[0] @ _SHARES
        return m

    def _beside(self, z: Complex) -> tuple[Complex, Real]:
        """m at Chebyshev nodes on a horizontal line through every point, and half its length.

        The line takes up a quarter of the way to where m, continued through the bulks from above, is not analytic.
        """
        half = 0.25 * np.abs(z[:, None] - self._singular).min(axis=1)
        points = z[:, None] + half[:, None] * _NODES
        return self._transform(points.ravel())[0].reshape(points.shape), half

    def _stieltjes_derivative(self, z: Complex) -> Complex:
        values, half = self._beside(z)
        with np.errstate(divide="ignore", invalid="ignore"):  # at a singular point
            return np.asarray((values @ _RATES) / half)

    def _transform(self, z: Complex) -> tuple[Complex, Real]:
        """(m, size of the terms it is the sum of)."""
        m, size = self._poles.mean(z, self.base)
        inside = (z.imag == 0.0) & self._in_bulk(z.real)
        if inside.any():
            m[inside] += 1j * np.pi * self._density(z.real[inside])
        return m, size

    def _stieltjes_precise(self, z: Precise, transform: Callable[[Measure, Precise], Precise]) -> Precise:
        return self._poles.precise_mean(z, self.base, transform)

    # ------------------------------------------------------------------ density
    def _density(self, x: Real) -> Real:
        return self._sum_over_preimages([(x - p.values[0], x - p.values[1]) for p in self._pieces], x.size)

    def _density_offset(self, edge: int, offset: Real) -> Real:
        at, right = float(self.edges[edge]), edge % 2 == 1
        x = at + offset
        above = []
        for p in self._pieces:
            # an end of a piece that is this edge, or the same to rounding
            own = [abs(value - at) <= 4.0 * doubt for value, doubt in zip(p.values, p.doubts, strict=True)]
            own = [same and (value == (p.high if right else p.low)) for same, value in zip(own, p.values, strict=True)]
            first, last = (offset if same else x - value for same, value in zip(own, p.values, strict=True))
            above.append((first, last))
        return self._sum_over_preimages(above, x.size)

    def _sum_over_preimages(self, above: list[tuple[Real, Real]], count: int) -> Real:
        """``sum rho(x) / (K |slope|)``; points are given by their differences from the ends of every piece."""
        total = np.zeros(count)
        for piece, (first, last) in zip(self._pieces, above, strict=True):
            lower, upper = (first, last) if piece.rising else (last, first)
            inside = (lower >= 0.0) & (upper < 0.0)  # where pieces meet, the limit from the right
            if inside.any():
                found = piece.preimages((first[inside], last[inside]))
                with np.errstate(divide="ignore"):
                    total[inside] += self._base_density(piece, found) / np.abs(found.slope)
        return np.asarray(total / self.rows)

    def _base_density(self, piece: Piece, found: Preimages) -> Real:
        """Density of x at preimages, by their distance from the nearer edge of their bulk."""
        edges = self.base.edges
        bulk = int(np.searchsorted(edges, 0.5 * (piece.ends[0] + piece.ends[1]))) // 2
        pair = edges[2 * bulk : 2 * bulk + 2]
        ends = np.array(piece.ends)
        offsets = [(ends[found.end] - edge) + found.delta for edge in pair]  # exact where the end is the edge
        nearer = np.where(np.abs(offsets[0]) <= np.abs(offsets[1]), 0, 1)
        rho = np.empty(found.delta.size)
        width = float(pair[1] - pair[0])
        for k, sign in ((0, 1.0), (1, -1.0)):
            own = nearer == k
            if own.any():
                step = np.clip(sign * offsets[k][own], np.nextafter(0.0, 1.0), width)
                rho[own] = self.base._density_offset(2 * bulk + k, sign * step)
        return rho

    # ------------------------------------------------------------------ distribution function and moments
    def _cdf(self, x: Real) -> Real:
        total = np.zeros(x.shape)
        for location, weight in zip(*self.atoms, strict=True):
            total += np.where(x >= location, weight, 0.0)
        for piece, share in zip(self._pieces, self._shares, strict=True):
            total += np.where(x >= piece.high, share, 0.0)
            inside = (x > piece.low) & (x < piece.high)
            if inside.any():
                at = x[inside]
                found = piece.preimages((at - piece.values[0], at - piece.values[1]))
                places = np.array(piece.ends)[found.end] + found.delta
                start = piece.ends[0] if piece.rising else piece.ends[1]
                part = self._continuous(places) - self._continuous(np.array([start]))
                total[inside] += np.abs(part) / self.rows
        last = max(float(self.edges[-1]), *self.atoms.locations, -math.inf)
        return np.where(x >= last, 1.0, np.clip(total, 0.0, 1.0))

    def expect(self, f: Callable[[Any], Any]) -> float:
        """Integral ``int f dmu``, over the law of x: ``E mean f(eigenvalues of P(x))``."""
        from .inversion import function_values

        if not callable(f):
            _validate.fail("f", "a function of an array of real numbers", f)
        ends = np.concatenate([self.edges, self.atoms.locations])
        low, high = float(ends.min()), float(ends.max())

        def mean(x: Real) -> Real:
            values = np.clip(spectrum(self._family.at(x))[0], low, high)
            return np.asarray(function_values(f, values.ravel()).reshape(values.shape).mean(axis=1))

        return self.base.expect(mean)

    def _moment(self, k: int) -> float:
        if k * self._family.degree <= _EXACT:
            power = self.coefficients
            for _ in range(k - 1):
                product = np.zeros((len(power) + self._family.degree, self.rows, self.rows), dtype=power.dtype)
                for j, a in enumerate(self.coefficients):
                    product[j : j + len(power)] += power @ a
                power = product
            traces = np.trace(power, axis1=1, axis2=2).real / self.rows
            terms = [float(t) * self.base.moment(j) if t else 0.0 for j, t in enumerate(traces)]
            value = math.fsum(terms)
            if math.fsum(map(abs, terms)) <= _CANCELLED * abs(value):
                return value
        return self.expect(lambda x: x**k)
