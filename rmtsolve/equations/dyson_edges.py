"""Edges and atoms of laws whose equation is solved on the real axis itself and whose distribution function is known.

On a grid of real points every solution is certified as real (outside the support) or not (inside), and the
distribution function N is exact at both. So a cell between two outside points is empty if N does not grow over it, and
otherwise is halved; so is a cell with an edge, and a cell inside a bulk over which the growth of N disagrees with the
density (a gap, an atom or a singular point hides there). What remains are tiny brackets. Square-root edges are then
refined as folds: at an edge ``s = t(s, x)`` and ``T v = v`` with ``l . v = 1`` (Moore and Spence 1980) is a regular
system in (s, v, x).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from .. import _validate
from ..errors import DomainError
from ..measures.base import NO_ATOMS, Atoms, Complex, Real
from ..status import Status
from .base import Sweep

_CELLS = 150  # at the start
_LEVELS = 46  # halvings: the last cells are 2e-16 of the support
_FOLD_LEVEL = 22  # halvings after which an edge is looked for as a fold
_MOST_OPEN = 400  # cells in work at a time: more of them mean a law too rough to resolve
_EMPTY = 1e-9  # mass that counts as none
_AGREE = 0.03  # relative disagreement of the trapezoidal rule with N that asks for halving
_STEPS = 20


class Disc(NamedTuple):
    """Where the law lives: mean, standard deviation, and a radius around the mean that holds the support."""

    mean: float
    deviation: float
    radius: float

    @property
    def scale(self) -> float:
        """A length of the size of the law, positive also for a point mass."""
        return max(self.deviation, 1e-8 * max(abs(self.mean), self.radius), 1e-300)


class Support(NamedTuple):
    """Edges and atoms."""

    edges: Real
    atoms: Atoms


class AxisEquation(Protocol):
    """What the search needs of an equation."""

    name: str

    @property
    def disc(self) -> Disc:
        """Where the law lives."""

    def sweep(self, z: Complex, start: Complex | None = None) -> Sweep | None:
        """Solve."""

    def readout(self, z: Complex, state: Complex) -> Complex:
        """Transform."""

    def outside(self, state: Complex) -> NDArray[np.bool_]:
        """Which states are real."""

    def cumulative(self, x: Real, state: Complex) -> Real | None:
        """Distribution function."""

    def fold(self, x: float, state: Complex, reach: float) -> float:
        """Edge by Moore and Spence's system."""


def enclosing_disc(m: Callable[[Complex], Complex], size: float) -> Disc:
    """Mean, deviation and radius, from Laurent coefficients of m on circles that grow until they hold all mass."""
    points = 64
    angles = (np.arange(points) + 0.5) * (np.pi / points)
    turn = np.exp(1j * angles)
    centre = 0.0
    radius = size
    tight = False
    for _ in range(200):
        values = m(centre + radius * turn)
        regular = np.array([(values * turn**-k).real.mean() for k in range(12)])
        negative = np.array([(values * turn**k).real.mean() for k in range(1, 4)])
        if np.isfinite(values).all() and np.abs(regular).max() <= 1e-11 * abs(negative[0]):
            mean = centre - radius**2 * negative[1]
            second = -(radius**3) * negative[2] - (mean - centre) ** 2
            deviation = float(np.sqrt(max(second, 0.0)))
            if tight or radius < 8.0 * deviation:
                return Disc(float(mean), deviation, float(radius + abs(mean - centre)))
            # a second, tighter pass around the mean, for accuracy
            centre, radius, tight = float(mean), max(1.1 * deviation, 1e-9 * radius), True
            continue
        radius *= 1.25 if tight else 2.0
    raise DomainError("the equation must have a law of bounded support, got one whose transform says otherwise")


class _Nodes(NamedTuple):
    """Solved real points, sorted."""

    x: Real
    kind: NDArray[np.int64]  # 0 outside, 1 inside, -1 not solved
    density: Real
    level: Real  # distribution function
    state: Complex


def _solve(equation: AxisEquation, x: Real) -> _Nodes:
    z = x.astype(np.complex128)
    swept = equation.sweep(z)
    assert swept is not None
    solved = np.isin(swept.status, (Status.CONVERGED, Status.NOT_CERTIFIED))
    with np.errstate(all="ignore"):
        density = equation.readout(z, swept.state).imag / np.pi
        level = np.full(x.shape, np.nan)
        if solved.any():
            known = equation.cumulative(x[solved], swept.state[solved])
            assert known is not None
            level[solved] = known
    kind = np.where(solved, np.where(equation.outside(swept.state), 0, 1), -1)
    return _Nodes(x, kind, density, level, swept.state)


def _joined(first: _Nodes, second: _Nodes) -> _Nodes:
    order = np.argsort(np.concatenate([first.x, second.x]), kind="stable")
    return _Nodes(*(np.concatenate([a, b])[order] for a, b in zip(first, second, strict=True)))


def search_support(equation: AxisEquation) -> Support:
    """Edges and atoms of the law of `equation`.

    Raises
    ------
    DomainError
        The distribution function does not run from 0 to 1 (the equation has no law of mass one).
    """
    disc = equation.disc
    reach = 1.02 * disc.radius + 1e-9 * abs(disc.mean) + 1e-300
    # a grid without symmetry, so that singular points in the middle are not hit
    grid = np.linspace(-1.0, 1.013, _CELLS + 1)
    nodes = _solve(equation, disc.mean + reach * grid)
    mass = nodes.level[-1] - nodes.level[0]
    if not abs(mass - 1.0) <= 1e-6:
        raise DomainError(f"{equation.name or 'the equation'} must have a law of mass one, got mass {mass:.10g}")
    smallest = 8.0 * np.finfo(float).eps * reach
    for level in range(_LEVELS):
        wanted = _open_cells(nodes, level, smallest)
        if wanted.size == 0 or wanted.size > _MOST_OPEN:
            break
        left, right = nodes.x[wanted], nodes.x[wanted + 1]
        # not quite the middle: singular points like 0 would be hit again and again
        middle = left + 0.4871 * (right - left)
        middle = np.where(
            (left < 0.0) & (right > 0.0) & (right - left < 1e-6 * reach), 0.37 * left + 0.45 * right, middle
        )
        nodes = _joined(nodes, _solve(equation, middle))
    return _collect(equation, nodes, reach)


def _open_cells(nodes: _Nodes, level: int, smallest: float) -> NDArray[np.int64]:
    """Cells that must be halved."""
    a, b = nodes.kind[:-1], nodes.kind[1:]
    width = np.diff(nodes.x)
    growth = np.diff(nodes.level)
    mean = 0.5 * width * (nodes.density[:-1] + nodes.density[1:])
    with np.errstate(invalid="ignore"):
        full = (a == 0) & (b == 0) & (np.abs(growth) > _EMPTY)
        rough = (a == 1) & (b == 1) & ~(np.abs(growth - mean) <= _AGREE * np.maximum(growth, mean)) & (
            np.maximum(np.abs(growth), mean) > _EMPTY
        )  # fmt: skip
    # an edge is bracketed a few dozen times, then it is the business of the fold (or of a last bisection), unless N
    # grows more than at any integrable singularity: an atom sits at the edge
    edge = ((a + b) == 1) & (a >= 0) & (b >= 0) & ((level < _FOLD_LEVEL) | (growth > np.maximum(20.0 * mean, 1e-6)))
    unsolved = ((a < 0) | (b < 0)) & (level < _FOLD_LEVEL)
    return np.flatnonzero((full | rough | edge | unsolved) & (width > smallest))


def _collect(equation: AxisEquation, nodes: _Nodes, reach: float) -> Support:
    """Edges and atoms from the nodes."""
    good = nodes.kind >= 0
    nodes = _Nodes(nodes.x[good], nodes.kind[good], nodes.density[good], nodes.level[good], nodes.state[good])
    nodes = nodes._replace(kind=_without_massless(nodes))
    width = np.diff(nodes.x)
    growth = np.diff(nodes.level)
    tiny = width <= 1e-5 * reach
    edges: list[float] = []
    atoms: list[tuple[float, float]] = []
    # atoms: what N gains over a tiny cell, if it does not depend on the width of the cell
    for i in np.flatnonzero(tiny & (growth > 1e-7)):
        if _is_atom(nodes, int(i)):
            low, high = float(nodes.x[i]), float(nodes.x[i + 1])
            location = _simplest(low, high)
            atoms.append((location, float(growth[i])))
    crossings = np.flatnonzero(nodes.kind[:-1] != nodes.kind[1:])
    for i in crossings:
        edges.append(_refined(equation, nodes, int(i), crossings, reach))
    found = np.array(edges)
    keep = np.ones(found.size, dtype=bool)
    for k in range(0, found.size - 1, 2):  # an empty bulk is a point of an atom that was not resolved
        if not found[k + 1] > found[k]:
            keep[k : k + 2] = False
    found = _validate.read_only(found[keep])
    if not atoms:
        return Support(found, NO_ATOMS)
    # rounding scatters N over the cells beside an atom at a hard edge: one atom a neighbourhood, 0 if it can be
    centres: list[float] = []
    for x, _ in sorted(atoms, key=lambda atom: (atom[0] != 0.0, -atom[1])):
        if all(abs(x - other) > 1e-6 * reach for other in centres):
            centres.append(x)
    kept = [(x, mass) for x in sorted(centres) if (mass := _jump(equation, x, found, centres, reach)) > 1e-7]
    locations, weights = np.array(kept).reshape(-1, 2).T
    return Support(found, Atoms(_validate.read_only(locations.copy()), _validate.read_only(weights.copy())))


def _without_massless(nodes: _Nodes) -> NDArray[np.int64]:
    """Kinds, with points counted as outside that lie between outside points of the same N.

    Within rounding of an atom at a hard edge a complex state can satisfy the equation to rounding, too.
    """
    outer = np.flatnonzero(nodes.kind == 0)
    kind = nodes.kind.copy()
    for left, right in itertools.pairwise(outer.tolist()):
        if right > left + 1 and abs(nodes.level[right] - nodes.level[left]) <= _EMPTY:
            kind[left:right] = 0
    return kind


def _is_atom(nodes: _Nodes, i: int) -> bool:
    """Whether the growth over cell i stays when the cell is made 30 times wider: an integrable density grows."""
    here = nodes.level[i + 1] - nodes.level[i]
    middle, width = 0.5 * (nodes.x[i] + nodes.x[i + 1]), nodes.x[i + 1] - nodes.x[i]
    low = max(int(np.searchsorted(nodes.x, middle - 30.0 * width)) - 1, 0)
    high = min(int(np.searchsorted(nodes.x, middle + 30.0 * width)), nodes.x.size - 1)
    return bool(here > 0.9 * (nodes.level[high] - nodes.level[low]))


def _simplest(low: float, high: float) -> float:
    """The number with the fewest decimals in a tiny bracket."""
    middle = 0.5 * (low + high)
    for digits in range(16):
        if low <= (short := round(middle, digits)) <= high:
            return short + 0.0
    return middle


def _jump(equation: AxisEquation, location: float, edges: Real, atoms: list[float], reach: float) -> float:
    """Mass of an atom: N on both sides of it, extrapolated in powers of the square root of the distance."""
    others = np.concatenate([edges, np.array(atoms)])
    distance = np.abs(others - location)
    distance = distance[distance > 1e-9 * reach]
    room = min(float(distance.min()), reach) if distance.size else reach
    t = (1.0 + np.cos(np.pi * (np.arange(9) + 0.5) / 9)) / 2.0
    sides = []
    for sign in (-1.0, 1.0):
        for share in (1e-3, 3e-2, 0.5):  # so near to a heavy atom nothing may be solved
            nodes = _solve(equation, np.sort(location + sign * share * room * t**2))
            good = nodes.kind >= 0
            if good.any():
                break
        else:
            raise DomainError(f"{equation.name or 'the equation'} could not be solved around its atom at {location:g}")
        outside = nodes.kind == 0
        if outside.any():
            sides.append(float(nodes.level[outside].mean()))
            continue
        x, values = np.sqrt(np.abs(nodes.x - location))[good], nodes.level[good].copy()
        for k in range(1, x.size):  # Neville's scheme at distance zero
            values[:-k] = (x[k:] * values[:-k] - x[:-k] * values[1 : x.size - k + 1]) / (x[k:] - x[:-k])
        sides.append(float(values[0]))
    return sides[1] - sides[0]


def _refined(equation: AxisEquation, nodes: _Nodes, i: int, crossings: NDArray[np.int64], reach: float) -> float:
    """One edge between nodes i and i + 1."""
    low, high = float(nodes.x[i]), float(nodes.x[i + 1])
    side = 1.0 if nodes.kind[i + 1] == 1 else -1.0  # where the bulk is
    others = np.abs(nodes.x[crossings[crossings != i]] - low)
    room = float(min(others.min(), reach)) if others.size else reach
    middle = 0.5 * (low + high)
    shares = np.array([1e-4, 1e-3, 1e-5, 1e-2, 1e-6])
    starts = _solve(equation, np.sort(middle + side * shares * room))
    order = np.argsort(np.abs(np.log(np.abs(starts.x - middle) / room / 1e-4)), kind="stable")
    for k in order:
        if starts.kind[k] == 1:
            edge = equation.fold(middle, starts.state[k], max(2.0 * abs(starts.x[k] - middle), 2.0 * (high - low)))
            slack = 1e-7 * reach
            if low - slack <= edge <= high + slack:
                return edge
    for _ in range(70):  # no fold: a hard edge or another singularity
        middle = 0.45 * low + 0.55 * high if low < 0.0 < high and high - low < 1e-6 * reach else 0.5 * (low + high)
        if not low < middle < high or high - low < 1e-15 * reach:
            break
        kind = int(_solve(equation, np.array([middle])).kind[0])
        if kind < 0:
            break
        low, high = (middle, high) if (kind == 0) == (side > 0) else (low, middle)
    slack = 1e-10 * reach
    return 0.0 if low - slack <= 0.0 <= high + slack else 0.5 * (low + high)


def moore_spence(
    system: Callable[[Complex, Complex, complex], tuple[Complex, Complex]],
    x: float,
    state: Complex,
    direction: Complex,
    reach: float,
) -> float:
    """Fold of ``state(x)`` near x by Newton's iteration; nan where it does not settle within `reach`.

    `system(s, v, x)` returns ``(t - s, T v - v)``, shape (2r,), and its derivative by (s, v, x), shape (2r, 2r + 1).
    """
    r = state.size
    norm = float(np.abs(direction).max()) if r else 0.0
    if not norm > 0.0:
        return float("nan")
    v = direction / norm
    functional = v.conj() / np.vdot(v, v)
    unknowns: Any = np.concatenate([state, v, [complex(x)]]).astype(np.complex128)
    size = np.concatenate([np.full(r, np.abs(state).max() + norm), np.ones(r), [reach]])
    best, best_x = np.inf, float("nan")
    for _ in range(_STEPS):
        try:
            value, slope = system(unknowns[:r], unknowns[r : 2 * r], complex(unknowns[-1]))
            closing = np.concatenate([np.zeros(r), functional, [0.0]])
            matrix = np.concatenate([slope, closing[None]])
            right = np.concatenate([value, [functional @ unknowns[r : 2 * r] - 1.0]])
            change = np.linalg.solve(matrix, -right)
        except np.linalg.LinAlgError:
            return float("nan")
        if not np.isfinite(change).all():
            return float("nan")
        unknowns = unknowns + change
        if not abs(unknowns[-1] - x) <= reach:
            return float("nan")
        error = float(np.max(np.abs(change) / size))
        if error < best:
            best, best_x = error, float(unknowns[-1].real)
        elif best < 1e-9:
            break
    # at a cusp or a hard edge the system is singular or has no solution, and Newton does not settle
    return best_x if best < 1e-9 else float("nan")
