"""The law of information plus noise: see `rmtsolve.equations.information_noise`."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .. import _validate
from ..errors import ConvergenceError
from ..measures.base import Atoms
from .composition_law import CompositionLaw
from .information_noise import InformationNoiseEquation, Solved
from .pole_sums import distances
from .solution import Solution

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]
Index = NDArray[np.int64]

_NODES = 256  # of the half contour for moments: 1.3^-512 is far below rounding


class InformationNoiseLaw(CompositionLaw):
    """The law of an `InformationNoiseEquation`.

    Parameters
    ----------
    equation : InformationNoiseEquation
        The equation.
    title : str
        How the law prints itself.
    """

    equation: InformationNoiseEquation

    def __init__(self, equation: InformationNoiseEquation, title: str = "") -> None:
        super().__init__(equation, title)
        self._factor = 1.0 / equation.ratio if equation.flipped else 1.0

    @cached_property
    def masses(self) -> Real:
        """Mass of each bulk: that of H1 between its critical points."""
        equation = self.equation
        ends = np.array([edge.critical for edge in equation.table]).reshape(-1, 2)
        share = equation.population._cdf(ends[:, 1]) - equation.population._cdf(ends[:, 0])
        return _validate.read_only(np.asarray(self._factor * share))

    @cached_property
    def _point_masses(self) -> Atoms:
        at, mass = self.equation.find_atoms()
        return Atoms(_validate.read_only(at), _validate.read_only(mass))

    def _solved(self, z: Complex) -> Solved:
        return self._accepted(z, self.equation.solve_points(z))

    def _accepted(self, z: Complex, solved: Solved) -> Solved:
        if solved.status.any():
            m = self.equation._outward(z, solved.m)
            nan = np.full(z.size, np.nan)
            own = (solved.status, solved.n_steps, solved.residual, nan)
            raise ConvergenceError(Solution(self.equation, z, m, solved.w, *own, "Newton"), self.title)
        return solved

    def _stieltjes(self, z: Complex) -> Complex:
        return np.asarray(self.equation._outward(z, self._solved(z).m))

    def _stieltjes_derivative(self, z: Complex) -> Complex:
        """``m'(z)``, from ``dw/dz = 1 / F'(w)`` and ``m1 = m_H1 / q``, ``(m_H1 / q)' = m_H1' / q^2``."""
        equation, solved = self.equation, self._solved(z)
        with np.errstate(divide="ignore", invalid="ignore"):
            own = equation.rate(solved) / solved.q**2 / solved.slope
            return np.asarray((own - (1.0 - equation.ratio) / z**2) / equation.ratio if equation.flipped else own)

    def _intensity(self, index: Index, offset: Real) -> Real:
        """Density at ``edges[index] + offset``."""
        equation = self.equation
        z = (self.edges[index] + offset).astype(np.complex128)
        if equation.anchors is not None:
            near, y = equation.anchors.nearest(index, offset / equation.unit)
            solved = self._accepted(z, equation.solve_offsets(near, y.astype(np.complex128)))
        else:
            delta, found = equation.near_edge(index, offset.astype(np.complex128))
            w = np.array([edge.critical for edge in equation.table])[index] + delta
            status, steps = np.zeros(z.size, dtype=np.int64), np.zeros(z.size, dtype=np.int64)
            if not found.all():
                w[~found], status[~found], steps[~found] = equation._iterated(z[~found])
            solved = self._accepted(z, equation._read_off(z, w, status, steps))
        return np.asarray(solved.m.imag * (self._factor / np.pi))

    def _moment(self, k: int) -> float:
        """Contour integral in the w-plane, where ``m1 dz = m_H1(w) F'(w)/q dw`` is explicit."""
        equation = self.equation
        left, right = equation.table[0].critical, max(equation.table[-1].critical, 0.0)
        turn = np.exp(1j * np.pi * (np.arange(_NODES) + 0.5) / _NODES)  # the upper half, by symmetry
        # with a narrow circle about narrow bulks w - t would lose digits
        arm = max(0.65 * (right - left), 0.05 * max(abs(left), abs(right))) * turn
        w = 0.5 * (left + right) + arm
        value, slope = equation.image(w)
        m = equation._inner(w)
        inside = -float(np.mean((value**k * slope * m / (1.0 - equation.kappa * m) * arm).real))
        return inside / equation.ratio if equation.flipped else inside

    def _cdf(self, x: Real) -> Real:
        """In closed form from the potential, where that of H is known; else by quadrature."""
        edges, masses = self.edges, self.masses
        inside = self._in_bulk(x) & ~np.isin(x, edges)
        value = np.concatenate([[0.0], np.cumsum(np.append(masses, 0.0))])[np.searchsorted(edges, x, side="right") // 2]
        if inside.any():
            above = self._above(x[inside])
            if above is None:
                return super()._cdf(x)
            value[inside] = self._factor * (1.0 - above)
        for location, mass in zip(*self.atoms, strict=True):
            value = value + np.where(x >= location, mass, 0.0)
        return np.asarray(np.clip(value, 0.0, 1.0))

    def _above(self, x: Real) -> Real | None:
        """Mass of the solved side right of x, at points inside bulks."""
        from .sides import Side

        equation, z = self.equation, x.astype(np.complex128)
        solved = self._solved(z)
        if solved.roots is None:
            inner = Side(equation.population, "sum").potential(solved.w)
            if inner is None:
                return None
            turn = inner.imag
        else:
            assert equation.anchors is not None
            turn = np.empty(x.size)
            for part, real in distances(solved.roots.base, solved.roots.delta, equation.anchors.poles):
                turn[part] = np.arctan2(solved.roots.delta.imag[part, None], real) @ equation.anchors.weights
        # (d/kappa) log a + (z/kappa) (a - 1) (b - 1), with kappa m1 = a - 1 and b = a - d/z
        m = solved.m
        rest = equation.drift / equation.kappa * _log_rest(equation.kappa * m) + equation.kappa * z * m * m
        return np.asarray((turn + rest.imag) / np.pi)


def _log_rest(x: Complex) -> Complex:
    """``log(1 + x) - x`` without cancellation."""
    small = np.abs(x) < 0.05
    out = np.log(1.0 + x) - x
    power = np.arange(2, 16)
    out[small] = ((-1.0) ** (power - 1) / power * x[small, None] ** power).sum(axis=1)
    return out
