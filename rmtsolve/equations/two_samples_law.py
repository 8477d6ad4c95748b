"""The laws of two sample covariances: see `rmtsolve.equations.two_samples`."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .. import _validate
from ..errors import ConvergenceError
from ..measures.base import Atoms, Measure
from .composition_law import CompositionLaw
from .pole_sums import distances
from .solution import Solution
from .two_samples import TwoSamplesEquation
from .two_samples_path import follow
from .two_samples_read import Solved, factors, read, state_of

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]
Index = NDArray[np.int64]

_NODES = 256  # of the half contour for moments: 1.3^-512 is far below rounding
_CLOSE = 1e-3  # to 0 and 1, where the formula for the derivative cancels


class TwoSamplesLaw(CompositionLaw):
    """The law of a `TwoSamplesEquation`.

    Parameters
    ----------
    equation : TwoSamplesEquation
        The equation.
    title : str
        How the law prints itself.
    """

    equation: TwoSamplesEquation

    @cached_property
    def masses(self) -> Real:
        """Mass of each bulk: that of H between its critical points, less the atoms that come out of it at the ends."""
        equation = self.equation
        ends = equation.w_of(np.array([edge.critical for edge in equation.table])).reshape(-1, 2)
        above = equation.population._cdf(ends[:, 1])
        above[-1] = 1.0  # the right end of the last bulk may be beyond infinity
        share = above - equation.population._cdf(ends[:, 0])
        if equation.gap < 0.0:
            share[0] -= 1.0 - 1.0 / equation.ratio1
        else:
            share[0] = above[0] - equation.empty
        share[-1] -= max(0.0, 1.0 - 1.0 / equation.ratio2)
        return _validate.read_only(share)

    @cached_property
    def _point_masses(self) -> Atoms:
        return self.equation.find_atoms()

    def _solved(self, z: Complex) -> Solved:
        return self._accepted(self.equation.solve_points(z))

    def _accepted(self, solved: Solved) -> Solved:
        if solved.status.any():
            equation = self.equation
            m, _ = read(equation, solved)
            nan = np.full(m.size, np.nan)
            own = (solved.status, solved.n_steps, solved.residual, nan)
            z = solved.z * equation.unit
            raise ConvergenceError(Solution(equation, z, m, state_of(equation, solved, m), *own, "Newton"), self.title)
        return solved

    def _stieltjes(self, z: Complex) -> Complex:
        return read(self.equation, self._solved(z))[0]

    def _stieltjes_derivative(self, z: Complex) -> Complex:
        """``m'(z)``, from ``dv/dz = 1 / F'(v)`` and ``z m = K - 1``, or ``theta (1 - theta) m = K - 1 + theta``."""
        equation, solved = self.equation, self._solved(z)
        m, _ = read(equation, solved)
        with np.errstate(all="ignore"):
            x, m = solved.z, m * equation.unit
            _, bottom = equation.pieces(solved.v, solved.level)
            rate = equation.levels(solved.v * equation.unit)[1] * equation.unit * bottom / solved.slope
            if equation.share_of:
                slope = (rate + 1.0 - (1.0 - 2.0 * x) * m) / (x * (1.0 - x))
                close = (np.abs(x) < _CLOSE) | (np.abs(1.0 - x) < _CLOSE)
            else:
                slope = (rate - m) / x
                close = (
                    np.abs(x) < _CLOSE * equation.anchors.edges[0]
                    if equation.anchors
                    else np.abs(x) < _CLOSE * self.edges[0]
                )
        if close.any():
            slope[close] = Measure._stieltjes_derivative(self, z[close]) * equation.unit**2
        return np.asarray(slope / equation.unit / equation.unit)

    def _intensity(self, index: Index, offset: Real) -> Real:
        """Density at ``edges[index] + offset``: ``Im K / (pi z)`` or ``Im K / (pi theta (1 - theta))``."""
        equation, unit = self.equation, self.equation.unit
        z = (self.edges[index] + offset).astype(np.complex128)
        if equation.anchors is not None:
            near, y = equation.anchors.nearest(index, offset / unit)
            solved = self._accepted(equation.solve_offsets(near, y.astype(np.complex128), z / unit))
        else:
            delta, found = equation.near_edge(index, offset.astype(np.complex128))
            v = np.array([edge.critical for edge in equation.table])[index] + delta
            found &= equation.physical(z, v)
            status, steps = np.zeros(z.size, dtype=np.int64), np.zeros(z.size, dtype=np.int64)
            if not found.all():
                v[~found], status[~found], steps[~found] = follow(equation, z[~found])
            solved = self._accepted(equation.read_off(z, v, status, steps))
        x = z.real
        if not equation.share_of:
            return np.asarray(solved.level.imag / (np.pi * x))
        # 1 - theta keeps the digits of an offset from a hard edge at 1
        rest = np.where(self.edges[index] == 1.0, -offset, 1.0 - x)
        return np.asarray(solved.level.imag / (np.pi * x * rest))

    def _moment(self, k: int) -> float:
        """Contour integral in the v-plane, about all singular points but infinity."""
        equation = self.equation
        table, zeros = equation.table, equation.ends
        low, high = min(table[0].critical, zeros[0], 0.0), max(table[-1].critical, zeros[1])
        high = max(high, 1.0) if equation.share_of else high
        turn = np.exp(1j * np.pi * (np.arange(_NODES) + 0.5) / _NODES)  # the upper half, by symmetry
        arm = max(0.65 * (high - low), 0.05 * max(abs(low), abs(high))) * turn
        v = 0.5 * (low + high) + arm
        value, slope = equation.image(v)
        level = equation.levels(v)[0]
        m = (level - 1.0 + value) / (1.0 - value) if equation.share_of else level - 1.0  # z m
        return -float(np.mean((value ** (k - 1) * slope * m * arm).real))

    def _cdf(self, x: Real) -> Real:
        """In closed form from the potential, where that of H is known; else by quadrature."""
        edges, masses = self.edges, self.masses
        inside = self._in_bulk(x) & ~np.isin(x, edges)
        value = np.concatenate([[0.0], np.cumsum(np.append(masses, 0.0))])[np.searchsorted(edges, x, side="right") // 2]
        at, mass = self.atoms
        value = value + np.where(x[:, None] >= at, mass, 0.0).sum(axis=1)
        if inside.any():
            above = self._above(x[inside])
            if above is None:
                return super(CompositionLaw, self)._cdf(x)
            value[inside] = 1.0 - above
        return np.asarray(np.clip(value, 0.0, 1.0))

    def _above(self, x: Real) -> Real | None:
        """Mass right of x, at points inside bulks."""
        from .sides import Side

        equation, solved = self.equation, self._solved(x.astype(np.complex128))
        alpha, _, beta, _ = factors(equation, solved)
        v = solved.v
        if equation.anchors is None:
            inner = Side(equation.population, "sum").potential(equation.w_of(v))
            if inner is None:
                return None
            turn = inner.imag
        else:
            poles, mass = equation._sums[0], equation.population.atoms.weights
            mass = mass[equation.population.atoms.locations > 0.0]
            turn = equation.empty * np.arctan2(v.imag, v.real)
            for part, real in distances(solved.base, solved.delta, poles):
                turn[part] += np.arctan2(solved.delta.imag[part, None], real) @ mass
            if equation.share_of:
                turn -= np.arctan2(-solved.delta.imag, (1.0 - solved.base) - solved.delta.real)
        c1, c2 = equation.ratio1, equation.ratio2
        return np.asarray((turn + (1.0 - 1.0 / c1) * np.angle(alpha) - np.angle(beta) / c2) / np.pi)
