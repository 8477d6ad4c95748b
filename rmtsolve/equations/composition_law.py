"""Laws of a `CompositionEquation`: exact masses, densities on the real axis itself."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .. import _validate
from ..errors import ConvergenceError
from ..measures.base import Atoms
from .composition import CompositionEquation
from .solution import Solution, SolvedMeasure

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]


class CompositionLaw(SolvedMeasure):
    """The law of a `CompositionEquation`.

    Parameters
    ----------
    equation : CompositionEquation
        The equation.
    title : str
        How the law prints itself.
    """

    equation: CompositionEquation

    def __init__(self, equation: CompositionEquation, title: str = "") -> None:
        super().__init__(equation, edges=_validate.read_only(equation.find_edges()))
        self.title = title or equation.kind
        self._factor = 1.0 / equation.scale if equation.kind == "covariance" else 1.0

    def __repr__(self) -> str:
        return describe(self.title, self.support, self.masses, self.atoms)

    @cached_property
    def masses(self) -> Real:
        """Mass of each bulk, from the mass of H between its critical points."""
        equation, law = self.equation, self.equation.population
        ends = np.array([edge.critical for edge in equation.table]).reshape(-1, 2)
        share = law._cdf(ends[:, 1]) - law._cdf(ends[:, 0])
        if equation.origin:
            zero = equation.zero_mass
            around = (ends[:, 0] < 0.0) & (ends[:, 1] > 0.0)
            share = equation.scale * (share - np.where((ends[:, 0] < 0.0) & (ends[:, 1] >= 0.0), zero, 0.0))
            share = share + np.where(around, equation.gap, 0.0)
        elif equation.kind == "free power":
            with np.errstate(all="ignore"):
                negative = law._stieltjes(ends.ravel() + 0j).real.reshape(-1, 2) > 0.0  # G < 0
            turn = negative[:, 1].astype(float) - negative[:, 0]
            share = equation.scale * share + (equation.scale - 1.0) * turn
        at, mass = self.atoms
        inside = (at > self.support[:, :1]) & (at < self.support[:, 1:])  # the charge of a bulk holds that of its atoms
        return _validate.read_only(np.asarray(self._factor * share - inside @ mass))

    @property
    def atoms(self) -> Atoms:
        """Point masses."""
        return self._point_masses

    @cached_property
    def _point_masses(self) -> Atoms:
        equation = self.equation
        at, mass = equation.population.atoms
        if equation.kind == "covariance":
            at, mass = np.zeros(1), np.array([max(equation.zero_mass, 1.0 - 1.0 / equation.scale)])
        elif equation.kind == "free poisson":
            at, mass = np.zeros(1), np.array([equation.gap])
        elif equation.kind == "free power":
            at, mass = equation.scale * at, equation.scale * mass - (equation.scale - 1.0)
        else:
            at, mass = at[:0], mass[:0]
        keep = mass > 0.0
        return Atoms(_validate.read_only(at[keep]), _validate.read_only(mass[keep]))

    def _stieltjes(self, z: Complex) -> Complex:
        return self.equation.transform(z, 0.0, self._solved_for(z))

    def _stieltjes_derivative(self, z: Complex) -> Complex:
        """``m'(z)``, from ``du/dz = 1 / F'(u)``."""
        equation = self.equation
        u = equation.sweep(z).state
        rate = 1.0 / equation.image(u)[1]
        if equation.kind == "free poisson":
            return rate / u**2
        slope = equation.population._stieltjes_derivative(u)
        if equation.kind != "covariance":
            return rate * slope
        own = equation.population._stieltjes(u)
        share, near = equation.share(u, own)
        with np.errstate(divide="ignore", invalid="ignore"):  # m = m_H / share = m_H u / z
            inner = rate * (slope / share + equation.scale * own * (own + u * slope) / share**2)
            return np.where(near, inner, (rate * (u * slope + own) - equation.transform(z, 0.0, u)) / z)

    def _moment(self, k: int) -> float:
        """From free cumulants, which are explicit in the moments or the free cumulants of H."""
        from ..measures.cumulants import moments_from_free_cumulants

        equation, orders = self.equation, range(1, k + 1)
        law, scale = equation.population, equation.scale
        if equation.origin:
            kappas = [scale * law.moment(j) for j in orders]
        elif equation.kind == "free power":
            kappas = [scale * law.free_cumulant(j) for j in orders]
        else:
            kappas = [law.free_cumulant(j) + (scale if j == 2 else 0.0) for j in orders]
        return float(self._factor * moments_from_free_cumulants(kappas)[-1])

    def _cdf(self, x: Real) -> Real:
        """From the masses of the bulks and, inside them, the potential; by quadrature where that of H is not known."""
        edges, (at, mass) = self.edges, self.atoms
        inside = self._in_bulk(x) & ~np.isin(x, edges)
        # at an atom inside a bulk the potential is read next to it, where the mass on the right still holds the atom
        beside = np.where(np.isin(x, at), x - 1e-15 * float(np.abs(edges).max(initial=0.0)), x)
        above = self._above(beside[inside]) if inside.any() else np.empty(0)
        if above is None:
            return super()._cdf(x)
        atoms = np.concatenate([[0.0], np.cumsum(mass)])
        value = atoms[np.searchsorted(at, x, side="right")]
        value += np.concatenate([[0.0], np.cumsum(self.masses)])[np.searchsorted(edges, x, side="right") // 2]
        own = np.where(np.isin(x, at), np.append(mass, 0.0)[np.searchsorted(at, x)], 0.0)
        value[inside] = 1.0 - above + own[inside]
        return np.asarray(np.clip(value, 0.0, 1.0))

    def _above(self, x: Real) -> Real | None:
        """Mass right of x, at points of the bulks that are no atoms; None where the potential of H is not known.

        ``U(z) = int log(z - x)`` is stationary in u, so that ``U' = -m`` is its derivative by z alone:

        ===============  =====================================================
        deformed wigner  ``U_H(u) + var m_H(u)^2 / 2``
        free power       ``T U_H(u) - (T - 1) log(-1/m_H(u))``
        free poisson     ``z/u + (1 - c) log u + c U_H(u)``, up to a constant
        covariance       the same less ``(1 - c) log z``, over c
        ===============  =====================================================
        """
        from .sides import Side

        equation = self.equation
        z, c = x.astype(np.complex128), equation.scale
        u = self._solved_for(z)
        inner = Side(equation.population, "sum").potential(u)
        if inner is None:
            return None
        m = equation.population._stieltjes(u)
        if equation.kind == "deformed wigner":
            return np.asarray((inner + 0.5 * c * m * m).imag / np.pi)
        if equation.kind == "free power":
            return np.asarray((c * inner.imag - (c - 1.0) * np.angle(-1.0 / m)) / np.pi)
        total = (z / u).imag + (1.0 - c) * np.angle(u) + c * inner.imag
        return np.asarray((total / c if equation.kind == "covariance" else total) / np.pi)

    def _solved_for(self, z: Complex) -> Complex:
        """u at points with Im z >= 0."""
        swept = self.equation.sweep(z)
        if swept.status.any():
            m = self.equation.transform(z, 0.0, swept.state)
            raise ConvergenceError(Solution(self.equation, z, m, *swept, method="composition"), self.title)
        return swept.state

    def _density(self, x: Real) -> Real:
        edges = self.edges
        index = np.searchsorted(0.5 * (edges[1:] + edges[:-1]), x)
        return self._intensity(index, x - edges[index])

    def _density_offset(self, edge: int, offset: Real) -> Real:
        return self._intensity(np.full(offset.size, edge), offset)

    def _intensity(self, index: NDArray[np.int64], offset: Real) -> Real:
        """Density at ``edges[index] + offset``."""
        equation = self.equation
        delta, found = equation.near_edge(index, offset.astype(np.complex128))
        u = np.array([edge.critical for edge in equation.table])[index] + delta
        if not found.all():
            u[~found] = self._solved_for((self.edges[index] + offset)[~found].astype(np.complex128))
        return np.asarray(equation.height(self.edges[index] + offset, u) / math.pi)


def describe(title: str, support: Real, masses: Real, atoms: Atoms) -> str:
    """One line on a law: edges and mass of the bulks, atoms."""
    bulks = ", ".join(
        f"[{left:.6g}, {right:.6g}] mass {mass:.6g}"
        for (left, right), mass in zip(support[:6], masses[:6], strict=True)
    )
    more = f", ... ({support.shape[0]} bulks)" if support.shape[0] > 6 else ""
    points = ", ".join(f"{at:.6g} mass {mass:.6g}" for at, mass in zip(*atoms, strict=True))
    return f"<law of {title}: bulks {bulks or 'none'}{more}; atoms {points or 'none'}>"
