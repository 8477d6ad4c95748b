"""Laws of two-factor equations: edges, atoms, closed-form distribution function and derivative of the transform."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from ..errors import ConvergenceError
from ..measures.base import Complex, Real
from ..measures.inversion import cdf_by_quadrature
from .solution import Solution, SolvedMeasure
from .two_factor import Pair, TwoFactorEquation

_MOST_LOST = 1e4  # digits (as a factor) that the formula of m' may lose before Cauchy's integral is better


class TwoFactorLaw(SolvedMeasure):
    """The law of a `TwoFactorEquation`.

    Parameters
    ----------
    equation : TwoFactorEquation
        The equation.
    title : str
        How the law prints itself.
    """

    equation: TwoFactorEquation

    def __init__(self, equation: TwoFactorEquation, title: str = "") -> None:
        super().__init__(equation)
        self.title = title or equation.name

    def __repr__(self) -> str:
        bulks = ", ".join(f"[{left:.6g}, {right:.6g}]" for left, right in self.support[:6])
        more = f", ... ({self.support.shape[0]} bulks)" if self.support.shape[0] > 6 else ""
        points = ", ".join(f"{at:.6g} mass {mass:.6g}" for at, mass in zip(*self.atoms, strict=True))
        return f"<law of {self.title}: bulks {bulks or 'none'}{more}; atoms {points or 'none'}>"

    # ------------------------------------------------------------------ transforms
    def _solved(self, z: Complex) -> Pair:
        pair = self.equation.solve_pairs(z)
        if pair.status.any():
            with np.errstate(all="ignore"):
                m = self.equation.transform(z, pair.u, pair.v)
            nan = np.full(z.size, np.nan)
            raise ConvergenceError(
                Solution(self.equation, z, m, pair.v, pair.status, pair.n_steps, pair.residual, nan, "subordination"),
                self.title,
            )
        return pair

    def _off_zero(self, z: Complex) -> Complex:
        """Products have 0/0 at z = 0; a step of rounding size away they have not."""
        # the size needs the edges, which nested laws pay for
        if self.equation.kind != "product" or not (z == 0.0).any():
            return z
        return np.where(z == 0.0, -1e-15 * self._size, z)

    @cached_property
    def _size(self) -> float:
        return float(np.abs(self.edges).max()) if self.edges.size else 1.0

    def _stieltjes(self, z: Complex) -> Complex:
        inner = self._off_zero(z)
        pair = self._solved(inner)
        with np.errstate(all="ignore"):
            m = self.equation.transform(inner, pair.u, pair.v)
        return np.where(self.equation.poles_at(z), np.inf, m)

    def _stieltjes_derivative(self, z: Complex) -> Complex:
        return self.transforms(z)[1]

    def transforms(self, z: Complex) -> tuple[Complex, Complex]:
        """m(z) and m'(z) from one solution, Im z >= 0."""
        inner = self._off_zero(z)
        pair = self._solved(inner)
        with np.errstate(all="ignore"):
            m = self.equation.transform(inner, pair.u, pair.v)
            rate = self.equation.transform_rate(inner, pair)
            far = ~(self.equation.digits_lost(inner, pair) <= _MOST_LOST)
        if far.any():
            rate[far] = super()._stieltjes_derivative(z[far])
        return m, rate

    def _potential(self, z: Complex) -> Complex | None:
        """``int log(z - x)``, Im z >= 0, up to a real constant; None where a factor's own is not known."""
        z = self._off_zero(z)
        return self.equation.potential(z, self._solved(z))

    # ------------------------------------------------------------------ moments
    def _moment(self, k: int) -> float:
        from ..measures.cumulants import moments_from_free_cumulants

        one, two = self.equation.one, self.equation.two
        if self.equation.kind == "sum":
            return float(moments_from_free_cumulants([self._free_cumulant(j) for j in range(1, k + 1)])[-1])
        moments = np.array([1.0, *(one.measure.moment(j) for j in range(1, k + 1))])
        twin = two.measure.moment if self.equation.kind == "sandwich" else two.measure.free_cumulant
        other = np.array([twin(j) for j in range(1, k + 1)])
        return float(_paired_series(one.rate * moments[1:], other, moments)[k])

    def _free_cumulant(self, k: int) -> float:
        if self.equation.kind != "sum":
            return super()._free_cumulant(k)
        return self.equation.one.measure.free_cumulant(k) + self.equation.two.measure.free_cumulant(k)

    # ------------------------------------------------------------------ distribution function
    def _above(self, x: Real) -> Real | None:
        """Mass right of x, at points that are no edges and no atoms."""
        value = self._potential(x.astype(np.complex128))
        return None if value is None else value.imag / np.pi

    @cached_property
    def _gap_levels(self) -> Real | None:
        """Mass of the bulks left of each gap, shape (bulks + 1,)."""
        edges = self.edges
        middles = 0.5 * (edges[1:-1:2] + edges[2::2])
        wide = edges[2::2] > edges[1:-1:2]  # bulks that touch leave no gap to read the level in
        levels = np.zeros(middles.size)
        at, mass = self.atoms
        span = edges[2::2] - edges[1:-1:2]
        taken = np.isin(middles, at)
        middles = np.where(taken, middles + 0.25 * span, middles)
        if wide.any():
            above = self._above(middles[wide])
            if above is None:
                return None
            left = np.array([mass[at < x].sum() for x in middles[wide]])
            levels[wide] = 1.0 - above - left
        for i in np.flatnonzero(~wide):
            above = self._above(edges[1 + 2 * i : 2 + 2 * i])
            if above is None:
                return None
            levels[i] = 1.0 - above[0] - mass[at < edges[1 + 2 * i]].sum()
        return np.concatenate([[0.0], levels, [1.0 - mass.sum()]])

    def _cdf(self, x: Real) -> Real:
        at, mass = self.atoms
        edges = self.edges
        inside = self._in_bulk(x) & ~np.isin(x, edges)
        levels = self._gap_levels
        # at an atom inside a bulk the potential is read next to it, where the mass on the right still holds the atom
        on_atom = np.isin(x, at)
        beside = np.where(on_atom, x - 1e-15 * self._size, x)
        above = self._above(beside[inside]) if levels is not None else None
        if levels is None or above is None:
            return cdf_by_quadrature(self, x)
        value = np.concatenate([[0.0], np.cumsum(mass)])[np.searchsorted(at, x, side="right")]
        value += levels[np.searchsorted(edges, x, side="right") // 2]
        own = np.where(on_atom, np.append(mass, 0.0)[np.searchsorted(at, x)], 0.0)
        value[inside] = 1.0 - above + own[inside]
        return np.asarray(np.clip(value, 0.0, 1.0))


def _paired_series(g: Real, f: Real, outer: Real) -> Real:
    """Coefficients of ``outer(x)`` in w, where ``x = w f(y)`` and ``y = w g(x)``; all power series from order 0.

    With w = 1/z this is the moment series of a sandwich (f, g: moments of the factors) and of a product (f: free
    cumulants of the second, g: moments of the first).
    """
    n = outer.size
    x = np.zeros(n)
    for _ in range(n):  # every round settles one more order at least
        y = np.concatenate([[0.0], _compose(g, x)[: n - 1]])
        x = np.concatenate([[0.0], _compose(f, y)[: n - 1]])
    return _compose(outer, x)


def _compose(outer: Real, inner: Real) -> Real:
    """Truncated coefficients of ``outer(inner(w))`` by Horner's rule; inner has no constant term."""
    n = inner.size
    value = np.zeros(n)
    for coefficient in outer[::-1]:
        value = np.convolve(value, inner)[:n]
        value[0] += coefficient
    return value
