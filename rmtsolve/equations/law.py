"""SolvedMeasure: an equation solved everywhere, as a law."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from .. import _validate
from ..errors import AccuracyWarning, ConvergenceError
from ..measures.base import Atoms, Measure
from ..status import Status
from .base import Complex, Real

if TYPE_CHECKING:
    from .base import Equation

_LEVELS = 9  # heights of the extrapolation to the real axis
_TARGET = 1e-8  # extrapolated values with a larger error estimate come with a warning
_DEGREE = 20  # of the local expansion of the density at an edge


class SolvedMeasure(Measure):
    """The law whose Stieltjes transform solves `equation`.

    The density is the solution on the real axis itself (height zero); where that cannot be solved it is extrapolated
    from above, and an `AccuracyWarning` shows the error estimate. Edges come from the equation's family, otherwise they
    are searched for and refined as folds of the solution; near them the density is an expansion in the distance.

    Parameters
    ----------
    equation : Equation
        A self-consistent equation.
    edges : ndarray, optional
        Edges of the bulks when known.
    atoms : Atoms, optional
        Point masses when known.

    Examples
    --------
    >>> import rmtsolve as rmt
    >>> law = rmt.SolvedMeasure(rmt.Equation(lambda z, m: -1 / (z + m), name="semicircle"))
    >>> law.edges.round(10)
    array([-2.,  2.])
    >>> round(law.density(0.0), 12)
    0.318309886184
    """

    def __init__(self, equation: Equation, *, edges: Real | None = None, atoms: Atoms | None = None) -> None:
        from .base import Equation as Kind

        if not isinstance(equation, Kind):
            _validate.fail("equation", "an Equation", equation, "wrap a map as Equation(step)")
        self.equation = equation
        self._edges = edges
        self._atoms = atoms
        self._cusps: Real | None = None
        self._expansions: dict[int, tuple[float, bool, Real] | None] = {}

    def __repr__(self) -> str:
        return f"SolvedMeasure({self.equation!r})"

    @property
    def edges(self) -> Real:
        """Sorted edges of the bulks."""
        if self._edges is None:
            known = self.equation.find_edges()
            if known is None:
                self._search()
            else:
                self._edges = _validate.read_only(np.array(known, dtype=np.float64))
        assert self._edges is not None
        return self._edges

    @property
    def atoms(self) -> Atoms:
        """Point masses."""
        if self._atoms is None:
            self._atoms = self.equation.find_atoms()
            if self._atoms is None:
                self._search()
        assert self._atoms is not None
        return self._atoms

    @property
    def cusps(self) -> Real:
        """Points inside a bulk where two pieces of it touch and the density vanishes like a cube root; searched for."""
        if self._cusps is None:
            from .support import find_cusps

            self._cusps = _validate.read_only(find_cusps(self))
        return self._cusps

    # ------------------------------------------------------------------ values
    def _stieltjes(self, z: Complex) -> Complex:
        m, doubt = self.boundary(z)
        worst = int(np.argmax(doubt)) if doubt.size else 0
        if doubt.size and doubt[worst] > _TARGET * (1.0 + abs(m[worst])):
            warnings.warn(
                f"m(x + i0) was extrapolated at {np.count_nonzero(doubt)} points, where the equation is singular; "
                f"error estimate up to {doubt[worst]:.1e} (at x = {z[worst].real:.6g})",
                AccuracyWarning, stacklevel=4,
            )  # fmt: skip
        return m

    def boundary(self, z: Complex) -> tuple[Complex, Real]:
        """(m, error estimate) at a 1-d array with Im z >= 0; the estimate is 0 where the equation was solved at z."""
        from .solve import solve

        solution = solve(self.equation, z, throw=False)
        failed = solution.status != Status.CONVERGED
        doubt = np.zeros(z.shape)
        if not failed.any():
            return solution.m, doubt
        if (failed & (z.imag > 0.0)).any():
            facts = self.equation.__dict__.get("_profile")  # what the solve found wrong with the map as a whole
            doubt_words = f" ({facts.remark})" if facts is not None and facts.remark else ""
            raise ConvergenceError(solution, (self.equation.name or "the equation") + doubt_words)
        m = solution.m.copy()
        m[failed], doubt[failed] = self._extrapolated(z[failed].real)
        return m, doubt

    def _cdf(self, x: Real) -> Real:
        from .solve import solve

        solution = solve(self.equation, x, throw=False)
        closed = self.equation.cumulative(x, solution.state) if solution.ok else None
        return super()._cdf(x) if closed is None else closed

    def _density_offset(self, edge: int, offset: Real) -> Real:
        """Near the edge by the expansion of ``density / sqrt(distance)``, elsewhere by solving."""
        if edge not in self._expansions:
            self._expansions[edge] = self._expand(edge)
        expansion = self._expansions[edge]
        distance = np.abs(offset)
        rho = np.empty(offset.shape)
        near = np.zeros(offset.shape, dtype=bool)
        if expansion is not None:
            reach, hard, coefficients = expansion
            near = distance < reach
            root = np.sqrt(distance[near])
            series = np.polynomial.chebyshev.chebval(2.0 * distance[near] / reach - 1.0, coefficients)
            rho[near] = series / root if hard else series * root
        if not near.all():
            rho[~near] = self._density(self.edges[edge] + offset[~near])
        return rho

    # ------------------------------------------------------------------ inside
    def _search(self) -> None:
        from .support import search

        edges, atoms = search(self.equation, self._stieltjes)
        if self._edges is None:
            known = self.equation.find_edges()
            self._edges = _validate.read_only(edges if known is None else np.array(known, dtype=np.float64))
        if self._atoms is None:
            self._atoms = atoms

    def _expand(self, edge: int) -> tuple[float, bool, Real] | None:
        """(reach, hard, Chebyshev coefficients of density times distance^(-+1/2)) or None where it is not smooth."""
        edges = self.edges
        here = edges[edge]
        other = edges[edge + 1 - 2 * (edge % 2)]
        gaps = np.abs(np.delete(edges, edge) - here)
        room = min(0.1 * abs(other - here), 0.5 * float(gaps.min()))
        side = 1.0 if edge % 2 == 0 else -1.0
        nodes = np.cos((np.arange(_DEGREE + 1) + 0.5) * np.pi / (_DEGREE + 1))
        # a long reach is limited by the next singularity, a short one by the rounding of here + distance
        best, found = 1e-9, None
        for reach in room * np.array([1.0, 0.4, 0.15, 0.05, 0.01]):
            distance = 0.5 * reach * (1.0 + nodes)
            rho = self._density(here + side * distance)
            hard = bool(rho[-1] > rho[-2])  # towards the edge, nine times nearer
            smooth = rho * np.sqrt(distance) if hard else rho / np.sqrt(distance)
            coefficients = np.polynomial.chebyshev.chebfit(nodes, smooth, _DEGREE)
            tail = np.abs(coefficients[-3:]).max() / np.abs(coefficients[0])
            if tail < best:
                best, found = float(tail), (float(reach), hard, coefficients)
            if best < 1e-14:
                break
        return found

    def _extrapolated(self, x: Real) -> tuple[Complex, Real]:
        """(m(x + i0), error estimate), extrapolated from Im z = h/4^k in powers of sqrt(Im z): for bulks and edges."""
        from .solve import solve

        span = float(self.edges[-1] - self.edges[0]) if self._edges is not None and self.edges.size else 1.0
        t = 0.5 ** np.arange(_LEVELS)
        values = solve(self.equation, x[None, :] + 1j * (1e-3 * span * t**2)[:, None]).m
        table = [row.copy() for row in values]
        best, doubt = table[-1], np.full(x.shape, np.inf)
        for k in range(1, _LEVELS):
            for i in range(_LEVELS - 1, k - 1, -1):
                table[i] = (t[i - k] * table[i] - t[i] * table[i - 1]) / (t[i - k] - t[i])
            change = np.abs(table[-1] - table[-2])
            best = np.where(change < doubt, table[-1], best)
            doubt = np.minimum(change, doubt)
        return np.asarray(best), np.where(np.isfinite(doubt), np.maximum(doubt, 1e-300), np.inf)
