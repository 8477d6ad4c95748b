"""Support of a law of which only the equation is known: search off the axis, refine on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from .. import _validate
from ..measures.base import Atoms
from ..status import Status
from .base import Complex, Equation, Real
from .folds import fold
from .free_pencil import FreePencil
from .generic import nearest
from .maps import FlatMap
from .paths import follow
from .probe import domain_at, gauged, profile

if TYPE_CHECKING:
    from .law import SolvedMeasure

_ZERO = 1e-12  # relative to the size of the support
_FINEST = 1e-6  # height over an atom, in sizes of the support, at which a map of cancelling terms still has digits
_ZOOMS = 6  # of the bracket round a minimum, each by ten
_GRID = 400  # angles per bulk in the search for cusps
_ANCHORS = 4000  # solved points that are kept as starts
_PATH = 40  # most steps from a neighbour before a point is solved afresh


def search(equation: Equation, stieltjes: Callable[[Complex], Complex]) -> tuple[Real, Atoms]:
    """(edges, atoms): found off the real axis, the edges then refined as folds where they are folds."""
    from ..measures.inversion import find_pieces

    rough, atoms = find_pieces(_Explorer(equation, stieltjes), _FINEST)
    reach = max(np.abs(rough).max(initial=0.0), np.abs(atoms.locations).max(initial=0.0))
    # an atom at zero is the rule and found to rounding: cdf(0) must count it
    at_zero = np.abs(atoms.locations) <= _ZERO * reach
    locations = _validate.read_only(np.where(at_zero, 0.0, atoms.locations))
    return _validate.read_only(refine(equation, rough).ravel()), Atoms(locations, atoms.weights)


class _Explorer:
    """``m(z)`` above the axis for a search: every point is continued from the nearest point that is solved already.

    The first points are solved and judged from scratch. A branch followed inside the upper half-plane stays the
    physical one, and the steps of a search are short in hyperbolic distance, so that one or two steps of the path
    lead to the next point where a solution from scratch needs thirty. Points that cannot be reached are solved afresh.
    """

    def __init__(self, equation: Equation, stieltjes: Callable[[Complex], Complex]) -> None:
        self._stieltjes = stieltjes
        self._neighbours = isinstance(equation, FreePencil)  # far from solved points its own solver is slow
        self._compiled = type(equation).sweep is not Equation.sweep  # a family's own solver needs no path
        self._tmap = FlatMap(equation)
        self._seen: dict[bytes, Complex] = {}
        self._z: Complex = np.empty(0, dtype=np.complex128)
        self._state: Complex = np.empty((0, self._tmap.size), dtype=np.complex128)

    def __call__(self, z: Complex) -> Complex:
        key = z.tobytes()
        if key not in self._seen:
            if self._neighbours:
                self._seen[key] = self._from_neighbours(z)
            else:
                self._seen[key] = self._stieltjes(z) if self._compiled else self._explore(z)
        return self._seen[key]

    def _from_neighbours(self, z: Complex) -> Complex:
        from .solve import solve

        equation = self._tmap.equation
        start = self._state[nearest(z, self._z)].reshape(z.size, *equation.shape) if self._z.size else None
        solution = solve(equation, z, start=start, throw=False)
        sure = solution.status == Status.CONVERGED
        self._keep(z[sure], solution.state[sure].reshape(-1, self._tmap.size))
        return solution.m if sure.all() else self._stieltjes(z)

    def _explore(self, z: Complex) -> Complex:
        from .solve import solve

        m = np.empty(z.shape, dtype=np.complex128)
        left = np.arange(z.size)
        if self._z.size:
            from_here = nearest(z, self._z)
            facts, tmap = profile(self._tmap.equation), gauged(self._tmap.equation)
            path = follow(
                tmap, domain_at(tmap, z, facts.domain), self._z[from_here], self._state[from_here], z,
                floor=1e-9 * facts.scale, ratio=0.25, tol=1e-12, max_steps=_PATH,
            )  # fmt: skip
            good = path.status == Status.CONVERGED
            m[good] = self._tmap.readout(z[good], path.state[good])
            self._keep(z[good], path.state[good])
            left = left[~good]
        if left.size:
            solution = solve(self._tmap.equation, z[left], throw=False)
            sure = solution.status == Status.CONVERGED
            m[left] = solution.m if sure.all() else self._stieltjes(z[left])
            self._keep(z[left[sure]], solution.state[sure].reshape(-1, self._tmap.size))
        return m

    def _keep(self, z: Complex, state: Complex) -> None:
        """Add anchors; the oldest go when there are many, a search looks at ever smaller pieces."""
        first = max(0, self._z.size + z.size - _ANCHORS)
        self._z = np.concatenate([self._z, z])[first:]
        self._state = np.concatenate([self._state, state])[first:]


def refine(equation: Equation, rough: Real) -> Real:
    """Bulk intervals (bulks, 2) with every square-root edge, soft or hard, refined to rounding."""
    refined = rough.copy()
    for i, (left, right) in enumerate(rough):
        gap_left = left - rough[i - 1, 1] if i else np.inf
        gap_right = rough[i + 1, 0] - right if i + 1 < len(rough) else np.inf
        refined[i, 0] = _refined(equation, float(left), 1.0, float(min(right - left, gap_left)))
        refined[i, 1] = _refined(equation, float(right), -1.0, float(min(right - left, gap_right)))
    if not (np.diff(refined.ravel()) > 0.0).all():
        return rough
    return refined


def _refined(equation: Equation, edge: float, sign: float, room: float) -> float:
    """One edge with the bulk on its `sign` side: a fold of the solution, else the zero of ``density^(+-2)``."""
    from .solve import solve

    tmap = FlatMap(equation)
    # near enough for the square root to rule, far enough for the solution to be accurate
    for share in (1e-4, 1e-3, 1e-5, 1e-2):
        solution = solve(equation, edge + sign * share * room, throw=False)
        if solution.status == Status.CONVERGED:
            found = fold(tmap, edge, solution.state.ravel(), reach=2.0 * share * room)
            if np.isfinite(found):
                return found
    best, doubt = edge, np.inf
    for window in room * np.array([3e-2, 1e-2, 1e-3, 1e-4]):
        nodes = np.cos((np.arange(12) + 0.5) * np.pi / 12)
        distance = window * (0.51 + 0.49 * nodes)
        solution = solve(equation, edge + sign * distance, throw=False)
        if not (solution.ok and (solution.m.imag > 0.0).all()):
            continue
        for power in (2.0, -2.0):  # soft, hard
            fits = [np.polynomial.Chebyshev.fit(distance, solution.m.imag**power, degree) for degree in (8, 10)]
            zeros = [_zero_near_start(fit, window) for fit in fits]
            if abs(zeros[0] - zeros[1]) < doubt:
                best, doubt = edge + sign * zeros[1], abs(zeros[0] - zeros[1])
    return best if doubt < 1e-6 * room else edge


def _zero_near_start(fit: np.polynomial.Chebyshev, window: float) -> float:
    """Zero of a polynomial near 0, nan if it is not within a tenth of the window."""
    slope, t = fit.deriv(), 0.0
    for _ in range(10):
        at = float(slope(t))
        t = t - float(fit(t)) / at if at != 0.0 else np.inf
        if not abs(t) < 0.1 * window:
            return float("nan")
    return t


def find_cusps(law: SolvedMeasure) -> Real:
    """Points where the density vanishes like a cube root, inside bulks or in gaps too narrow to matter."""
    edges = law.edges
    found: list[float] = []
    for i in range(2, edges.size, 2):
        middle, gap = 0.5 * (edges[i - 1] + edges[i]), edges[i] - edges[i - 1]
        width = min(edges[i + 1] - edges[i], edges[i - 1] - edges[i - 2])
        if gap < 1e-5 * width and _cube_root(law, middle, max(1e3 * gap, 1e-6 * width)):
            found.append(float(middle))
    for left, right in edges.reshape(-1, 2):
        theta = (np.arange(1, _GRID) / _GRID) * np.pi
        x = 0.5 * (left + right) - 0.5 * (right - left) * np.cos(theta)
        rho = _density(law, x)
        dips = np.flatnonzero((rho[1:-1] < rho[:-2]) & (rho[1:-1] <= rho[2:])) + 1
        for k in dips[rho[dips] < 0.2 * rho.max()]:
            low = _minimum(law, x[k - 1], x[k + 1])
            if _cube_root(law, low, 1e-5 * (right - left)):
                found.append(low)
    return np.array(sorted(found))


def _density(law: SolvedMeasure, x: Real) -> Real:
    """Density for finding the way: extrapolated values are good enough, without warning."""
    return np.asarray(law.boundary(x.astype(np.complex128))[0].imag / np.pi)


def _minimum(law: SolvedMeasure, low: float, high: float) -> float:
    """Minimum of the density in a bracket, by repeated sampling."""
    for _ in range(_ZOOMS):
        x = np.linspace(low, high, 21)
        k = int(np.clip(np.argmin(_density(law, x)), 1, 19))
        low, high = float(x[k - 1]), float(x[k + 1])
    return 0.5 * (low + high)


def _cube_root(law: SolvedMeasure, x: float, distance: float) -> bool:
    """Whether the density around x falls by about 2 when the distance falls by 8, on both sides."""
    steps = distance * np.array([64.0, 8.0, 1.0])
    for side in (1.0, -1.0):
        rho = _density(law, x + side * steps)
        if not (np.all(rho[1:] > 0.0) and np.all(np.abs(rho[:-1] / rho[1:] - 2.0) < 0.2)):
            return False
    return True
