"""SolvedMeasure: an equation solved everywhere, as a law."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate
from ..errors import AccuracyWarning, ConvergenceError
from ..measures.base import NO_ATOMS, Atoms, Measure
from ..status import Status
from .base import Complex, Real
from .local_series import LocalSeries, local_series

if TYPE_CHECKING:
    from .base import Equation
    from .solution import Solution

_LEVELS = 9  # heights of the extrapolation to the real axis
_TARGET = 1e-8  # extrapolated values with a larger error estimate come with a warning
_WEAK = 1e-3  # relative error bound from which a solution beside a singular point is compared with the series there
_SERIES = 1e-9  # relative error of a series that is used as far as it reaches
_SHIFT = 4.0 * float(np.finfo(float).eps)  # relative error of an edge
_LIFT, _SAME = 1e-3, 1e-2  # height that confirms a state on the axis, and relative change over it
_CUSP_LEVELS, _CUBE_ROOT = 20, 0.005  # heights above a supposed cusp, and how far the power may be from 1/3
_HOPELESS = 0.1  # doubt of a density over it, from which it is none
_STEEP = 0.2  # change of log Im m with log Im z that an extrapolation to the axis may leave


class SolvedMeasure(Measure):
    """The law whose Stieltjes transform solves `equation`.

    The density is the solution on the real axis itself (height zero); where that cannot be solved it is extrapolated
    from above, and an `AccuracyWarning` shows the error estimate. Edges come from the equation's family, otherwise they
    are searched for and refined as folds of the solution; near them, and near other points where the equation is
    singular, the density is a series in a root of the distance.

    Parameters
    ----------
    equation : Equation
        A self-consistent equation.
    edges : array_like, optional
        Edges of the bulks when known: left and right ends in turn, sorted.
    atoms : Atoms, optional
        Point masses when known: locations and weights.

    Examples
    --------
    >>> import rmtsolve as rmt
    >>> law = rmt.SolvedMeasure(rmt.Equation(lambda z, m: -1 / (z + m), name="semicircle"))
    >>> law.edges.round(10)
    array([-2.,  2.])
    >>> round(law.density(0.0), 12)
    0.318309886184
    """

    def __init__(self, equation: Equation, *, edges: ArrayLike | None = None, atoms: Atoms | None = None) -> None:
        from .base import Equation as Kind

        if not isinstance(equation, Kind):
            _validate.fail("equation", "an Equation", equation, "wrap a map as Equation(step)")
        self.equation = equation
        self._edges = None if edges is None else _checked_edges(edges)
        self._atoms = None if atoms is None else _checked_atoms(atoms)
        self._cusps: Real | None = None
        self._series: dict[tuple[float, float], LocalSeries | None] = {}

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
        if np.isinf(doubt).any():
            self._give_up(z, m, np.isinf(doubt))
        worst = int(np.argmax(doubt)) if doubt.size else 0
        if doubt.size and doubt[worst] > _TARGET * (1.0 + abs(m[worst])):
            warnings.warn(
                f"m(x + i0) was extrapolated at {np.count_nonzero(doubt)} points, where the equation is singular; "
                f"error estimate up to {doubt[worst]:.1e} (at x = {z[worst].real:.6g})",
                AccuracyWarning, stacklevel=4,
            )  # fmt: skip
        return m

    def _give_up(self, z: Complex, m: Complex, lost: NDArray[np.bool_]) -> NoReturn:
        """Raise for points that are too close to a singular one."""
        from .solution import Solution
        from .solve import solve

        solution = solve(self.equation, z, throw=False)
        status = np.where(lost, int(Status.SINGULAR), solution.status)
        partial = Solution(
            self.equation, z, m, solution.state, status, solution.n_steps, solution.residual, solution.error_bound,
            "extrapolation to the real axis",
        )  # fmt: skip
        raise ConvergenceError(partial, self.equation.name or "the equation")

    def boundary(self, z: Complex) -> tuple[Complex, Real]:
        """(m, error estimate) at a 1-d array with Im z >= 0; the estimate is 0 where the equation was solved at z.

        It is infinite where the point is too close to a singular one to tell.
        """
        from .herglotz import found_against
        from .solve import solve

        solution = solve(self.equation, z, throw=False)
        good = self._confirmed(solution)
        if not good[z.imag > 0.0].all():
            doubt_words = found_against(self.equation)
            raise ConvergenceError(
                solution, (self.equation.name or "the equation") + (f" ({doubt_words})" if doubt_words else "")
            )
        m, doubt = solution.m.copy(), np.zeros(z.shape)
        doubt[solution.status != Status.CONVERGED] = np.inf
        uncertified = good & np.isinf(doubt)
        doubt[uncertified] = _SAME * np.abs(m[uncertified])
        inside = (z.imag == 0.0) & self._strictly_inside(z.real)
        doubt[inside & ~(m.imag > 0.0)] = np.inf
        with np.errstate(invalid="ignore"):
            weak = (doubt > 0.0) | (inside & (solution.error_bound > _WEAK * m.imag))
        known = np.where(doubt > 0.0, doubt, solution.error_bound)
        for index in np.flatnonzero(weak & inside):
            value, error = self._beside_singular(float(z[index].real))
            if error < known[index]:
                m[index], doubt[index] = value, error
        lost = np.isinf(doubt)
        if lost.any():
            m[lost], doubt[lost] = self._extrapolated(z[lost].real, inside[lost])
        return m, doubt

    def _strictly_inside(self, x: Real) -> NDArray[np.bool_]:
        """Which points are inside bulks, as far as the edges are known by now."""
        if self._edges is None:
            return np.zeros(x.shape, dtype=bool)
        return self._in_bulk(x) & ~np.isin(x, self._edges)

    def _cdf(self, x: Real) -> Real:
        from .solve import solve

        solution = solve(self.equation, x, throw=False)
        closed = self.equation.cumulative(x, solution.state) if solution.ok else None
        return super()._cdf(x) if closed is None else closed

    def _density_offset(self, edge: int, offset: Real) -> Real:
        """Near the edge by the series in the distance, elsewhere by solving."""
        at = float(self.edges[edge])
        series = self._series_at(at, 1.0 if edge % 2 == 0 else -1.0)
        distance = np.abs(offset)
        rho = np.empty(offset.shape)
        near = np.zeros(offset.shape, dtype=bool)
        if series is not None:  # where it is better than solving at the rounded sum
            rounding = 0.25 * _SHIFT * abs(at) / distance
            near = (distance < series.reach) & (series.error < np.maximum(_SERIES, rounding))
            rho[near] = series.density(distance[near])
        if not near.all():
            rho[~near] = self._density(at + offset[~near])
        return rho

    # ------------------------------------------------------------------ inside
    def _search(self) -> None:
        from .herglotz import found_against, holds_everywhere
        from .support import search

        if not holds_everywhere(self.equation):  # sampled states may not show what is wrong with a map
            _validate.fail("equation", "the map of a law", found_against(self.equation))
        edges, atoms = search(self.equation, self._stieltjes)
        if self._edges is None:
            known = self.equation.find_edges()
            self._edges = _validate.read_only(edges if known is None else np.array(known, dtype=np.float64))
        if self._atoms is None:
            self._atoms = atoms

    # ------------------------------------------------------------------ beside singular points
    def _beside_singular(self, x: float) -> tuple[complex, float]:
        """(m, error) at a point of a bulk from the series at the next singular point; the error may be infinite."""
        points = self._singular_points()
        at = float(points[int(np.argmin(np.abs(points - x)))])
        distance = np.array([abs(x - at)])
        series = self._series_at(at, 1.0 if x > at else -1.0) if x != at else None
        if series is None or not distance[0] < series.reach:
            return complex(np.nan, np.nan), np.inf
        return complex(series.transform(distance)[0]), float(series.doubt(distance, _SHIFT * abs(at))[0])

    def _singular_points(self) -> Real:
        """Where the transform is not analytic or may not be: edges, atoms, known cusps, and 0."""
        cusps = self._cusps if self._cusps is not None else np.empty(0)
        return np.unique(np.concatenate([self.edges, self._known_atoms().locations, cusps, [0.0]]))

    def _known_atoms(self) -> Atoms:
        """Point masses, without a search."""
        if self._atoms is None:
            self._atoms = self.equation.find_atoms()
        return NO_ATOMS if self._atoms is None else self._atoms

    def _series_at(self, at: float, side: float) -> LocalSeries | None:
        """The series on one side of a singular point."""
        key = (at, side)
        if key not in self._series:
            bulk = np.searchsorted(self.edges, at + 0.0, side="right" if side > 0.0 else "left") // 2
            width = self.edges[2 * bulk + 1] - self.edges[2 * bulk]
            gaps = np.abs(self._singular_points() - at)
            self._series[key] = local_series(
                lambda distance: self._sample(at, side, distance),
                float(min(0.1 * width, 0.5 * gaps[gaps > 0.0].min(initial=np.inf))),
                _SHIFT * abs(at),
                bool(np.isin(at, self._known_atoms().locations)),
            )
        return self._series[key]

    def _sample(self, at: float, side: float, distance: Real) -> tuple[Real, Complex, NDArray[np.bool_]]:
        """(distances after rounding, m, where it could be solved) beside a point."""
        from .solve import solve

        x = at + side * distance
        solution = solve(self.equation, x, throw=False)
        return np.abs(x - at), solution.m, self._confirmed(solution) & (solution.m.imag > 0.0)

    def _confirmed(self, solution: Solution) -> NDArray[np.bool_]:
        """Which points were solved; uncertified states inside bulks are, where the solution above them is the same.

        Seen from a thousandth of the distance to the next singular point m has hardly changed.
        """
        from .solve import solve

        sure = solution.status == Status.CONVERGED
        x = solution.z.real
        open_points = (solution.status == Status.NOT_CERTIFIED) & (solution.z.imag == 0.0)
        rest = np.flatnonzero(open_points & self._strictly_inside(x))
        if rest.size:
            far = np.abs(x[rest, None] - self._singular_points()).min(axis=1)
            above = solve(self.equation, x[rest] + 1j * _LIFT * np.minimum(far, np.ptp(self.edges)), throw=False)
            change = np.abs(above.m.imag - solution.m[rest].imag)
            sure[rest] = (above.status == Status.CONVERGED) & (change <= _SAME * above.m.imag)
        return np.asarray(sure)

    def _extrapolated(self, x: Real, inside: NDArray[np.bool_]) -> tuple[Complex, Real]:
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
        # inside a bulk the density is positive, and its level is reached far above the distance to a singular point
        steep = np.abs(np.log(values[-1].imag / values[-2].imag)) > _STEEP * np.log(4.0)
        lost = inside & (steep | ~(best.imag > 0.0) | (doubt > _HOPELESS * np.abs(best.imag)))
        for index in np.flatnonzero(lost):
            value, error = self._at_cusp(float(x[index]), span)
            if np.isfinite(error):
                best[index], doubt[index], lost[index] = value, error, False
        return np.asarray(best), np.where(np.isfinite(doubt) & ~lost, np.maximum(doubt, 1e-300), np.inf)

    def _at_cusp(self, x: float, span: float) -> tuple[complex, float]:
        """(m, error estimate) at a point where the density vanishes like a cube root; infinite error at any other.

        Above a cusp ``m - m(x)`` is like the cube root of the height, and no larger at distances below that height.
        """
        from .solve import solve

        heights = 1e-3 * span * 0.25 ** np.arange(_CUSP_LEVELS)
        solution = solve(self.equation, x + 1j * heights, throw=False)
        with np.errstate(all="ignore"):
            power = np.diff(np.log(solution.m.imag)) / np.log(0.25)
        sure = solution.status == Status.CONVERGED
        like = (np.abs(power - 1.0 / 3.0) < _CUBE_ROOT) & sure[1:] & sure[:-1]
        first = int(np.argmax(like))
        last = first + int(np.argmin(np.append(like[first:], False)))  # below it digits are lost, or x is not the cusp
        if last < first + _CUSP_LEVELS // 2:
            return complex(np.nan, np.nan), np.inf
        return complex(solution.m[last].real, 0.0), 2.0 * float(solution.m[last].imag)


def _checked_edges(edges: ArrayLike) -> Real:
    """Edges as a sorted read-only array of even length."""
    array = _validate.real_array(edges, "edges", ndim=1, allow_empty=True)
    if array.size % 2 or not (np.diff(array) >= 0.0).all() or not (array[1::2] > array[::2]).all():
        _validate.fail("edges", "left and right ends of the bulks in turn, sorted", array.tolist())
    return _validate.read_only(array)


def _checked_atoms(atoms: Atoms) -> Atoms:
    """Point masses as sorted read-only arrays of one length."""
    rule = "a pair of arrays of one length, sorted locations and positive weights"
    if not isinstance(atoms, tuple) or len(atoms) != 2:
        _validate.fail("atoms", rule, atoms)
    locations = _validate.real_array(atoms[0], "atoms", ndim=1, allow_empty=True)
    weights = _validate.real_array(atoms[1], "atoms", ndim=1, low=0.0, high=1.0, open_low=True, allow_empty=True)
    if locations.size != weights.size or not (np.diff(locations) > 0.0).all():
        _validate.fail("atoms", rule, atoms)
    return Atoms(_validate.read_only(locations), _validate.read_only(weights))
