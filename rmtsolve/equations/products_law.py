"""The laws of products of Wishart matrices: see `rmtsolve.equations.products`."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .. import _validate
from ..measures.base import Atoms
from .composition_law import CompositionLaw
from .products import WishartProductEquation

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]
Index = NDArray[np.int64]


class WishartProductLaw(CompositionLaw):
    """The law of a `WishartProductEquation`.

    Parameters
    ----------
    equation : WishartProductEquation
        The equation.
    title : str
        How the law prints itself.
    """

    equation: WishartProductEquation

    @cached_property
    def masses(self) -> Real:
        """Mass of the bulk."""
        return _validate.read_only(np.array([1.0 / self.equation.top]))

    @cached_property
    def _point_masses(self) -> Atoms:
        at, mass = self.equation.find_atoms()
        return Atoms(_validate.read_only(at), _validate.read_only(mass))

    def _solved_for(self, z: Complex) -> Complex:
        """s at points with Im z >= 0."""
        s, status, steps = self.equation.solve_points(z)
        self._check(z, s, status, steps)
        return s

    def _stieltjes_derivative(self, z: Complex) -> Complex:
        """``m'(z)``, from ``d log F / dz = 1/z`` and ``m = -u^(k-1) / prod (u + c_i)``."""
        equation, s = self.equation, self._solved_for(z)
        with np.errstate(all="ignore"):
            factors, u = s[:, None] + equation.shifts, s - equation.top
            m = equation.transform(z, 0.0, s)
            share = (equation.order - 1.0) / u - (1.0 / factors[:, 1:]).sum(axis=1)
            return np.asarray(m * share / equation.image(s)[1])

    def _inside(self, index: Index, offset: Real) -> tuple[Real, Complex]:
        """x and s at ``edges[index] + offset`` in the bulk, s as accurate as the offset."""
        equation = self.equation
        x = self.edges[index] + offset
        delta, found = equation.near_edge(index, offset.astype(np.complex128))
        s = equation.critical[index] + delta
        if not found.all():
            z = x[~found].astype(np.complex128)
            s[~found], status, steps = equation.offsets(z)
            self._check(z, s[~found], status, steps)
        return x, s

    def _check(self, z: Complex, s: Complex, status: Index, steps: Index) -> None:
        from ..errors import ConvergenceError
        from .solution import Solution

        if status.any():
            nan = np.full(z.size, np.nan)
            m = self.equation.transform(z, 0.0, s)
            raise ConvergenceError(Solution(self.equation, z, m, s, status, steps, nan, nan, "Newton"), self.title)

    def _intensity(self, index: Index, offset: Real) -> Real:
        """Density at ``edges[index] + offset``: ``Im u / (pi |u|^2 x)``."""
        x, s = self._inside(index, offset)
        return np.asarray(s.imag / (np.pi * np.abs(s - self.equation.top) ** 2 * x))

    def _cdf(self, x: Real) -> Real:
        """In closed form from the potential."""
        equation, edges = self.equation, self.edges
        value = np.where(x >= 0.0, 1.0 - 1.0 / equation.top, 0.0)
        value = np.where(x >= edges[1], 1.0, value)
        inside = (x > edges[0]) & (x < edges[1])
        if inside.any():
            here = x[inside]
            index = (here > 0.5 * edges.sum()).astype(np.int64)
            _, s = self._inside(index, here - edges[index])
            u = s - equation.top
            turn = np.angle(u)
            above = turn + equation.order * (1.0 / u).imag
            for c, shift in zip(equation.ratios, equation.shifts[1:], strict=True):
                above = above + (1.0 - 1.0 / c) * (np.angle(s + shift) - turn)
            value[inside] = 1.0 - above / np.pi
        return np.clip(value, 0.0, 1.0)

    def _moment(self, k: int) -> float:
        """Lagrange inversion: ``m_k = [w^(k-1)] ((1 + w) prod (1 + c_i w))^k / k``."""
        total = np.array([1.0])
        step = np.arange(1.0, k + 1.0)
        with np.errstate(over="ignore", invalid="ignore"):
            for c in self.equation.levels:  # binomial coefficients of (1 + c w)^k
                row = np.cumprod(np.concatenate([[1.0], (k - step + 1.0) / step * c]))[:k]
                total = np.convolve(total, row)[:k]
        return float(total[k - 1]) / k
