"""Laws of matrix and vector Dyson equations: closed-form distribution function, derivative and moments."""

from __future__ import annotations

import warnings
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..errors import AccuracyWarning, ConvergenceError
from ..measures.base import Complex, Real
from ..status import Status
from .dyson import MatrixDyson
from .dyson_vector import RectangularDyson, VectorDyson
from .free_pencil import FreePencil
from .solution import SolvedMeasure

_BESIDE = (1e-13, 1e-11, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5)  # where to look beside a singular point, in radii
_DOUBT = 1e-8  # of the distribution function, from which there is a warning
_CONTOUR = 256  # points on the circle of the moments
_HIGHEST = 24  # order up to which the contour loses fewer digits than quadrature


class DysonLaw(SolvedMeasure):
    """The law of a Dyson equation.

    Parameters
    ----------
    equation : MatrixDyson, VectorDyson, RectangularDyson or FreePencil
        The equation; it must know its distribution function.
    title : str
        How the law prints itself.
    """

    equation: MatrixDyson | VectorDyson | RectangularDyson | FreePencil

    def __init__(self, equation: MatrixDyson | VectorDyson | RectangularDyson | FreePencil, title: str = "") -> None:
        super().__init__(equation)
        self.title = title or equation.name

    def __repr__(self) -> str:
        bulks = ", ".join(
            f"[{left:.6g}, {right:.6g}] mass {mass:.6g}"
            for (left, right), mass in zip(self.support[:6], self.masses[:6], strict=True)
        )
        more = f", ... ({self.support.shape[0]} bulks)" if self.support.shape[0] > 6 else ""
        points = ", ".join(f"{at:.6g} mass {mass:.6g}" for at, mass in zip(*self.atoms, strict=True))
        return f"<law of {self.title}: bulks {bulks or 'none'}{more}; atoms {points or 'none'}>"

    # ------------------------------------------------------------------ distribution function
    @cached_property
    def _gap_levels(self) -> Real:
        """N in the gaps, shape (bulks + 1,), without the atoms that lie in gaps."""
        edges, (at, mass) = self.edges, self.atoms
        middles = 0.5 * (edges[1:-1:2] + edges[2::2])
        span = edges[2::2] - edges[1:-1:2]
        middles = np.where(np.isin(middles, at), middles + 0.25 * span, middles)
        inner = self._closed(middles) - np.array([mass[at <= x].sum() for x in middles])
        inside = self._in_bulk(at)
        # embedded atoms belong to the level of the gaps to their right, like any mass of the bulk
        inner += np.array([mass[inside & (at < x)].sum() for x in middles])
        return np.concatenate([[0.0], inner, [1.0 - mass[~inside].sum()]]) if edges.size else np.zeros(1)

    @cached_property
    def masses(self) -> Real:
        """Mass of each bulk, without the atoms inside it."""
        at, mass = self.atoms
        embedded = [mass[(at >= left) & (at <= right)].sum() for left, right in self.support]
        return np.asarray(np.diff(self._gap_levels) - np.array(embedded)) if self.edges.size else np.zeros(0)

    def _closed(self, x: Real) -> Real:
        """Closed form at real points that are no edges and no atoms; at singular points the mean of their sides."""
        value, fine = self._levels(x)
        at, mass = self.atoms
        doubt = 0.0
        for share in _BESIDE:
            if fine.all():
                break
            here, beside = x[~fine], share * self.equation.disc.radius
            low, low_fine = self._levels(here - beside)
            high, high_fine = self._levels(here + beside)
            # atoms between the point and its sides belong to neither
            low += [mass[(at > point - beside) & (at <= point)].sum() for point in here]
            high -= [mass[(at > point) & (at <= point + beside)].sum() for point in here]
            both = low_fine & high_fine
            found = np.flatnonzero(~fine)[both]
            value[found], fine[found] = 0.5 * (low + high)[both], True
            doubt = max(doubt, float(0.5 * np.abs(high - low)[both].max(initial=0.0)))
        if not fine.all():
            from .solve import solve

            raise ConvergenceError(solve(self.equation, x, throw=False), self.title)
        if doubt > _DOUBT:
            warnings.warn(
                f"the distribution function beside a singular point of {self.title} is known to {doubt:.1e} only",
                AccuracyWarning, stacklevel=4,
            )  # fmt: skip
        return value

    def _levels(self, x: Real) -> tuple[Real, NDArray[np.bool_]]:
        """Closed form at real points, and where it could be evaluated."""
        from .solve import solve

        solution = solve(self.equation, x, throw=False)
        fine = np.isin(solution.status, (Status.CONVERGED, Status.NOT_CERTIFIED))
        value = np.zeros(x.shape)
        value[fine] = self.equation.cumulative(x[fine], solution.state[fine])
        return value, fine

    def _cdf(self, x: Real) -> Real:
        edges, (at, mass) = self.edges, self.atoms
        inside = self._in_bulk(x) & ~np.isin(x, edges)
        embedded = self._in_bulk(at)
        value = np.concatenate([[0.0], np.cumsum(mass[~embedded])])[np.searchsorted(at[~embedded], x, side="right")]
        value = value + self._gap_levels[np.searchsorted(edges, x, side="right") // 2]
        if inside.any():
            # right-continuous: an atom inside a bulk counts at its own place, and not left of it
            slack = 1e-13 * self.equation.disc.radius
            right = ((x[:, None] >= at) & (x[:, None] <= at + slack)).any(axis=1)
            left = ((x[:, None] < at) & (x[:, None] >= at - slack)).any(axis=1)
            nudged = x + 4.0 * slack * (right.astype(float) - left)
            value[inside] = self._closed(nudged[inside])
        return np.asarray(np.clip(value, 0.0, 1.0))

    # ------------------------------------------------------------------ transforms and moments
    def _stieltjes_derivative(self, z: Complex) -> Complex:
        from .solve import solve

        return np.asarray(self.equation.derivative(z, solve(self.equation, z).state))

    def _moment(self, k: int) -> float:
        if k > _HIGHEST:
            return super()._moment(k)
        disc = self.equation.disc
        ends = np.concatenate([self.edges, self.atoms.locations])
        radius = 1.3 * float(np.abs(ends - disc.mean).max()) + 1e-3 * disc.scale
        turn = np.exp(1j * np.pi * (np.arange(_CONTOUR // 2) + 0.5) / (_CONTOUR // 2))
        z = disc.mean + radius * turn
        return float(-(z**k * self._stieltjes(z) * radius * turn).real.mean())
