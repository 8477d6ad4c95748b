"""The law of spiked features: density and class densities at eta = 0, closed-form distribution function, named ends."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import _validate
from ..errors import ConvergenceError
from ..measures.base import NO_ATOMS, Atoms
from ..status import Status
from .law import SolvedMeasure
from .solution import Solution
from .spiked_features import Complex, Real, SpikedFeatures
from .spiked_features_edges import EDGE, HARD, Bulks, atom_at_zero, find_bulks

NEAR = 0.02  # part of the way to the nearest other singularity within which the edge expansion is used
DEGREE = 8
HARDEST = 1e-17  # mean eigenvalues from a hard edge within which its power law serves
FAR = 1e50  # mean eigenvalues beyond which m is -1/z - mean/z^2


class FeaturesLaw(SolvedMeasure):
    """Limiting spectrum of ``Phi^T Phi / n`` for features with a spike; `density` and `cdf` solve on the real axis.

    Parameters
    ----------
    equation : SpikedFeatures
        The equation.
    title : str
        How the law prints itself, for instance the ensemble's own ``repr``.

    Notes
    -----
    The distribution function is closed form in the solved point (`SpikedFeatures.potential`). Next to an edge the
    density over the square root of the distance is analytic, and is interpolated between the edge, where the fold gives
    it, and points far enough to be solved to full accuracy.
    """

    equation: SpikedFeatures

    def __init__(self, equation: SpikedFeatures, title: str = "") -> None:
        self.equation = equation
        self.title = title or equation.name

    def __repr__(self) -> str:
        bulks = ", ".join(
            f"[{a:.6g}, {b:.6g}] mass {m:.6g}" for (a, b), m in zip(self.support, self.masses, strict=True)
        )
        atom = "".join(f"; atom {x:.6g} mass {m:.6g}" for x, m in zip(*self.atoms, strict=True))
        odd = "".join(f"; {kind}" for kind in dict.fromkeys(self.edge_kinds) if kind != EDGE)
        return f"<law of {self.title}: {bulks}{atom}{odd}>"

    # ------------------------------------------------------------------ support
    @cached_property
    def bulks(self) -> Bulks:
        """Ends of the bulks with their kinds and the states at the edges."""
        return find_bulks(self.equation)

    @property
    def edges(self) -> Real:
        """Sorted ends of the bulks, shape (2 bulks,); `edge_kinds` says what each end is."""
        return _validate.read_only(self.bulks.edges)

    @property
    def edge_kinds(self) -> tuple[str, ...]:
        """What each entry of `edges` is: an edge, the hard edge at 0, or a soft end where no edge exists."""
        return self.bulks.kinds

    @cached_property
    def atoms(self) -> Atoms:
        """The atom at zero: features beyond the rank of the sample (or of the input, for linear features)."""
        mass = atom_at_zero(self.equation)
        if mass <= 0.0:
            return NO_ATOMS
        return Atoms(_validate.read_only(np.zeros(1)), _validate.read_only(np.array([mass])))

    @cached_property
    def masses(self) -> Real:
        """Mass of each bulk, shape (bulks,)."""
        return _validate.read_only(self._above[1::2] - self._above[::2])

    @cached_property
    def _above(self) -> Real:
        """``mu((-inf, e])`` at every end e."""
        ends = self.bulks.numerical
        gaps = 0.5 * (ends[1:-1:2] + ends[2:-1:2])
        inner = self._closed_cdf(gaps) if gaps.size else np.empty(0)
        return np.concatenate([[self.atoms.weights.sum()], np.repeat(inner, 2), [1.0]])

    # ------------------------------------------------------------------ solving
    def _states(self, z: Complex) -> tuple[Complex, Complex]:
        """Solved states and their derivatives, or the error that tells which points failed."""
        swept, slope = self.equation.solve_points(z)
        if np.any(swept.status != Status.CONVERGED):
            m = self.equation.readout(z, swept.state)
            raise ConvergenceError(Solution(self.equation, z, m, *swept, "the solver of the family"), self.title)
        return swept.state, slope

    def _stieltjes(self, z: Complex) -> Complex:
        m = np.empty(z.size, dtype=np.complex128)
        edge, offset = self._nearest(z.real)
        # so close to an edge the equation is singular: its square-root law, next term relative 1e-11
        close = (z.imag == 0.0) & (np.abs(offset) <= 1e-11 / NEAR * self._near[edge])
        edge, offset = edge[close], offset[close]
        left = edge % 2 == 0
        rise = np.pi * self.bulks.strengths[edge] * np.sqrt(np.abs(offset))
        inside = (offset > 0.0) == left
        m[close] = self.bulks.values[edge] + np.where(inside, 1j * rise, np.where(left, -rise, rise))
        size = self._moment(1)
        far = np.abs(z) > FAR * size  # squares of the state would underflow
        m[far] = -(1.0 + size / z[far]) / z[far]
        rest = ~(close | far)
        if rest.any():
            m[rest] = self.equation.readout(z[rest], self._states(z[rest])[0])
        return m

    def _stieltjes_derivative(self, z: Complex) -> Complex:
        return self.equation.readout(z, self._states(z)[1])

    def _class_parts(self, z: Complex) -> Real:
        """Densities of the classes at real points, (n, K); 0 in soft tails beyond the last 1e-9 of the mass."""
        parts = np.zeros((z.size, self.equation.classes))
        solved = (z.real >= self.bulks.numerical[0]) & (z.real <= self.bulks.numerical[-1])
        if solved.any():
            x = z[solved]
            # below this a hard edge is x^(-1/2) to 1e-9, and the solver at its end
            least = HARDEST * self._moment(1) if self.bulks.kinds[0] == HARD else 0.0
            lifted = np.sqrt(np.maximum(least / np.maximum(x.real, 1e-300), 1.0))[:, None]
            states = self._states(np.maximum(x.real, least).astype(np.complex128))[0]
            parts[solved] = lifted * states[:, : self.equation.classes].imag / np.pi
        return parts

    # ------------------------------------------------------------------ densities
    def class_densities(self, x: ArrayLike) -> Real:
        """Density of each class: eigenvector weight that class k carries at x.

        Parameters
        ----------
        x : array_like of float, shape (n,)

        Returns
        -------
        ndarray, shape (K, n)
            Their sum is the density; their masses (with the atom) are the fractions of the classes.
        """
        points = _validate.real_array(x, "x", ndim=1, allow_empty=True)
        parts = np.zeros((points.size, self.equation.classes))
        inside = self._in_bulk(points) & ~np.isin(points, self.edges)
        if inside.any():
            parts[inside] = self._class_parts(points[inside].astype(np.complex128))
        return parts.T

    def _density(self, x: Real) -> Real:
        rho = np.empty(x.size)
        edge, offset = self._nearest(x)
        near = np.abs(offset) < self._near[edge]
        for index in np.unique(edge[near]):
            chosen = near & (edge == index)
            rho[chosen] = self._density_offset(int(index), offset[chosen])
        if not near.all():
            rho[~near] = self._class_parts(x[~near].astype(np.complex128)).sum(axis=1)
        return rho

    def _nearest(self, x: Real) -> tuple[Any, Real]:
        """Index of the nearest edge and the distance from it, signed."""
        ends = self.edges
        right = np.clip(np.searchsorted(ends, x), 1, ends.size - 1)
        with np.errstate(invalid="ignore"):
            edge = np.where(x - ends[right - 1] <= ends[right] - x, right - 1, right)
        return edge, x - ends[edge]

    @cached_property
    def _near(self) -> Real:
        """Distance from each edge within which the expansion serves; 0 at soft and hard ends."""
        ends = self.bulks.numerical
        distance = np.empty(ends.size)
        for i, at in enumerate(ends):
            others = np.concatenate([np.delete(ends, i), [0.0]])
            distance[i] = np.min(np.abs(others - at))
        folded = np.isfinite(self.bulks.strengths)
        return np.where(folded, NEAR * distance, 0.0)

    @cached_property
    def _interpolations(self) -> dict[int, tuple[Real, Real]]:
        return {}

    def _smooth(self, edge: int, distance: Real) -> Real:
        """Density over the root of the distance, for distances below ``self._near[edge]``: interpolation."""
        if edge not in self._interpolations:
            # Chebyshev points of the second kind on [0, reach]; the first is the edge itself
            nodes = self._near[edge] * np.sin(0.5 * np.pi * np.arange(DEGREE + 1) / DEGREE) ** 2
            x = self.edges[edge] + (nodes[1:] if edge % 2 == 0 else -nodes[1:])
            values = self._class_parts(x.astype(np.complex128)).sum(axis=1) / np.sqrt(nodes[1:])
            self._interpolations[edge] = nodes, np.concatenate([self.bulks.strengths[[edge]], values])
        nodes, values = self._interpolations[edge]
        weights = (-1.0) ** np.arange(DEGREE + 1)
        weights[[0, -1]] *= 0.5
        gap = distance[:, None] - nodes
        hit = gap == 0.0
        basis = weights / np.where(hit, 1.0, gap)
        return np.asarray(np.where(hit.any(axis=1), hit @ values, (basis @ values) / basis.sum(axis=1)))

    def _density_offset(self, edge: int, offset: Real) -> Real:
        rho = np.empty(offset.size)
        far = np.abs(offset) >= self._near[edge]
        if far.any():
            # an end that is not published, at 0 or infinity, has no offsets of its own
            rho[far] = self._class_parts((self.edges[edge] + offset[far]).astype(np.complex128)).sum(axis=1)
        if not far.all():
            size = np.abs(offset[~far])
            rho[~far] = self._smooth(edge, size) * np.sqrt(size)
        return rho

    # ------------------------------------------------------------------ integrals
    def _closed_cdf(self, x: Real) -> Real:
        """``-Im potential / pi`` at real x away from the edges."""
        z = x.astype(np.complex128)
        return np.asarray(-self.equation.potential(z, self._states(z)[0]).imag / np.pi)

    def _cdf(self, x: Real) -> Real:
        ends, atom = self.bulks.numerical, float(self.atoms.weights.sum())
        value = np.where(x >= ends[-1], 1.0, np.where(x >= 0.0, atom, 0.0))
        middle = (x > ends[0]) & (x < ends[-1])
        edge, offset = self._nearest(x)
        near = middle & (np.abs(offset) < 0.01 * self._near[edge])
        for index in np.unique(edge[near]):
            # 2 d^(3/2) int_0^1 g(d t^2) t^2 dt for the mass within d of the edge; 10 nodes are exact
            chosen = near & (edge == index)
            t, w = np.polynomial.legendre.leggauss(10)
            t, w = 0.5 + 0.5 * t, 0.5 * w
            size = np.abs(offset[chosen])
            smooth = self._smooth(int(index), np.outer(size, t**2).ravel()).reshape(size.size, t.size)
            inward = (offset[chosen] > 0.0) == (index % 2 == 0)
            mass = np.where(inward, 2.0 * size**1.5 * (smooth @ (w * t**2)), 0.0)
            value[chosen] = self._above[index] + (mass if index % 2 == 0 else -mass)
        rest = middle & ~near
        if rest.any():
            value[rest] = self._closed_cdf(x[rest])
        return np.clip(value, np.where(x >= 0.0, atom, 0.0), 1.0)

    def _moment(self, k: int) -> float:
        if k == 1:
            table = self.equation.table
            return float(self.equation.fractions @ ((table.linear**2 + table.noise) @ table.weights))
        return super()._moment(k)
