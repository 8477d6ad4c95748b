"""Edges and atoms of laws whose equation is solved on the real axis itself and whose distribution function is known.

On a grid of real points every solution is certified as real (outside the support) or not (inside), and the
distribution function N is exact at both. So a cell between two outside points is empty if N does not grow over it, and
otherwise is halved; so is a cell with an edge, and a cell inside a bulk over which the growth of N disagrees with the
density, or that of m with its derivative (a gap, an atom or a singular point hides there). What remains are tiny
brackets. Square-root edges are then refined as folds: at an edge ``s = t(s, x)`` and ``T v = v`` with ``l . v = 1``
(Moore and Spence 1980) is a regular system in (s, v, x).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _validate
from ..errors import DomainError
from ..measures.base import NO_ATOMS, Atoms, Complex, Real
from .dyson_atoms import LIGHTEST, extrapolated, find_place, jump
from .dyson_nodes import AxisEquation, Nodes, fail_at, joined, solve_nodes
from .dyson_nodes import Disc as Disc
from .dyson_nodes import Support as Support

_CELLS = 150  # at the start
_TOWARDS_ZERO = 15  # powers of 1/4 at which there are more nodes around 0
_LEVELS = 46  # halvings: the last cells are 2e-16 of the support
_FOLD_LEVEL = 22  # halvings after which an edge is looked for as a fold
_MOST_OPEN = 400  # cells in work at a time: more of them mean a law too rough to resolve
_EMPTY = 1e-9  # mass that counts as none
_AGREE = 0.03  # relative disagreement of the trapezoidal rule with N that asks for halving
_MISFIT_LEVEL = 1e-3  # the same of the trapezoidal rule with the correction of its ends,
_MISFIT = 1e-4  # and of m with the trapezoidal rule for m', relative to m: they see gaps that are hardly there
_NARROW = 1e-8  # cells, in units of the reach, where these two are not asked any more
_FALSE = 1e-9  # width of gaps, in units of the reach, that are doubted
_LOST = 1e-6  # mass that may be missing
_STEEPEST = 10.0  # mass between an edge and an inner point, in units of its distance times the density there
_STEPS = 20


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


def search_support(equation: AxisEquation) -> Support:
    """Edges and atoms of the law of `equation`.

    Raises
    ------
    DomainError
        The distribution function does not run from 0 to 1 (the equation has no law of mass one).
    ConvergenceError
        The equation could not be solved around an atom, or the bulks and atoms found do not hold all mass.
    """
    disc = equation.disc
    reach = 1.02 * disc.radius + 1e-9 * abs(disc.mean) + 1e-300
    # a grid without symmetry, so that singular points in the middle are not hit, finer towards 0: two groups of rows
    # that are coupled with each other only have a gap and an atom there, as small as the groups are unequal
    grid = disc.mean + reach * np.linspace(-1.0, 1.013, _CELLS + 1)
    small = reach * 4.0 ** -np.arange(3.0, _TOWARDS_ZERO)
    small = np.concatenate([-1.03 * small, 0.97 * small])
    grid = np.union1d(grid, small[(grid[0] < small) & (small < grid[-1])])
    nodes = solve_nodes(equation, grid, slopes=True)
    mass = nodes.level[-1] - nodes.level[0]
    if not abs(mass - 1.0) <= _LOST:
        raise DomainError(f"{equation.name or 'the equation'} must have a law of mass one, got mass {mass:.10g}")
    for level in range(_LEVELS):
        wanted = _open_cells(nodes, level, reach)
        if wanted.size == 0 or wanted.size > _MOST_OPEN:
            break
        left, right = nodes.x[wanted], nodes.x[wanted + 1]
        # not quite the middle: singular points like 0 would be hit again and again
        middle = left + 0.4871 * (right - left)
        middle = np.where(
            (left < 0.0) & (right > 0.0) & (right - left < 1e-6 * reach), 0.37 * left + 0.45 * right, middle
        )
        nodes = joined(nodes, solve_nodes(equation, middle, slopes=True))
    return _collect(equation, nodes, reach)


def _open_cells(nodes: Nodes, level: int, reach: float) -> NDArray[np.int64]:
    """Cells that must be halved."""
    a, b = nodes.kind[:-1], nodes.kind[1:]
    width = np.diff(nodes.x)
    growth = np.diff(nodes.level)
    mean = 0.5 * width * (nodes.density[:-1] + nodes.density[1:])
    with np.errstate(invalid="ignore"):
        full = (a == 0) & (b == 0) & (np.abs(growth) > _EMPTY)
        rough = ~(np.abs(growth - mean) <= _AGREE * np.maximum(growth, mean)) & (
            np.maximum(np.abs(growth), mean) > _EMPTY
        )
        around_zero = (nodes.x[:-1] < 0.0) & (nodes.x[1:] > 0.0)
        narrow = np.where(around_zero, 1e-3, 1.0) * _NARROW * reach
        rough |= ~_smooth(nodes, width, growth, mean) & (width > narrow)
        rough &= (a == 1) & (b == 1)
    # an edge is bracketed a few dozen times, then it is the business of the fold (or of a last bisection), unless N
    # grows more than at any integrable singularity: an atom sits at the edge
    edge = ((a + b) == 1) & (a >= 0) & (b >= 0)
    edge &= (level < _FOLD_LEVEL) | (growth > np.maximum(2.0 * _STEEPEST * mean, 1e-6)) | _crowded(nodes, width)
    unsolved = ((a < 0) | (b < 0)) & (level < _FOLD_LEVEL)
    smallest = 8.0 * np.finfo(float).eps * np.maximum(reach, np.abs(nodes.x[1:]))
    return np.flatnonzero((full | rough | edge | unsolved) & (width > smallest))


def _crowded(nodes: Nodes, width: Real) -> NDArray[np.bool_]:
    """Cells with an edge that are long for the distance to the next edge."""
    out = np.zeros(width.size, dtype=bool)
    cells = np.flatnonzero(nodes.kind[:-1] + nodes.kind[1:] == 1)
    free = np.concatenate([[np.inf], nodes.x[cells[1:]] - nodes.x[cells[:-1] + 1], [np.inf]])
    out[cells] = width[cells] > 1e-3 * np.minimum(free[: cells.size], free[-cells.size - 1 :][1:])
    return out


def _smooth(nodes: Nodes, width: Real, growth: Real, mean: Real) -> NDArray[np.bool_]:
    """Cells over which the growth of N and of m is what the derivatives at their ends say.

    Both rules at once: at a place where one is right by chance the other is not.
    """
    low, high = nodes.slope[:-1], nodes.slope[1:]
    corrected = mean + width**2 / 12.0 * (low - high).imag / np.pi
    size = np.maximum(np.abs(nodes.m[:-1]), np.abs(nodes.m[1:]))
    rise = np.abs(np.diff(nodes.m) - 0.5 * width * (low + high))
    return np.asarray(
        (np.abs(growth - corrected) <= _MISFIT_LEVEL * np.maximum(growth, mean)) & (rise <= _MISFIT * size)
    )


def _collect(equation: AxisEquation, nodes: Nodes, reach: float) -> Support:
    """Edges and atoms from the nodes."""
    nodes = nodes.take(nodes.kind >= 0)
    nodes = nodes._replace(kind=_without_massless(nodes))
    nodes = nodes.take(~_out_of_order(nodes))
    nodes = nodes.take(~_false_gaps(nodes, reach))
    growth = np.diff(nodes.level)
    crossings = np.flatnonzero(nodes.kind[:-1] != nodes.kind[1:])
    if crossings.size % 2:  # both ends of the grid are outside
        fail_at(equation, nodes.x[[0, -1]], "an odd number of edges was found")
    found = np.array([_refined(equation, nodes, int(i), crossings, reach) for i in crossings])
    keep = np.ones(found.size, dtype=bool)
    for k in range(0, found.size - 1, 2):  # an empty bulk is a point of an atom that was not resolved
        if not found[k + 1] > found[k]:
            keep[k : k + 2] = False
    # what N gains over a tiny cell is an atom, if it does not depend on the width of the cell; rounding scatters N over
    # the cells beside an atom at a hard edge: one atom a neighbourhood, 0 if it can be
    tiny = np.flatnonzero((np.diff(nodes.x) <= 1e-5 * reach) & (growth > LIGHTEST))
    cells = [(float(nodes.x[i]), float(nodes.x[i + 1]), float(growth[i])) for i in tiny if _is_atom(nodes, int(i))]
    centres: list[tuple[float, float]] = []
    for low, high, _ in sorted(cells, key=lambda cell: (not cell[0] <= 0.0 <= cell[1], -cell[2])):
        if all(abs(0.5 * (low + high) - 0.5 * (a + b)) > 1e-6 * reach for a, b in centres):
            centres.append((low, high))
    atoms: list[tuple[float, float]] = []
    for low, high in sorted(centres):
        middle = 0.5 * (low + high)
        others = np.concatenate([found[keep], [0.5 * (a + b) for a, b in centres]])
        distance = np.abs(others - middle)
        # edges that belong to the atom itself are as exact as they are, but 0 is 0
        own = 1e-14 if low <= 0.0 <= high else 1e-9
        room = float(min(distance[distance > own * reach].min(initial=reach), reach))
        place = 0.0 if low <= 0.0 <= high else find_place(equation, low, high, room)
        if np.isfinite(place) and (mass := jump(equation, place, room)) > LIGHTEST:
            atoms.append((place, mass))
    locations, weights = np.array(atoms).reshape(-1, 2).T
    _check_mass(equation, nodes, locations, crossings, np.where(keep, found, np.nan), reach)
    found = _validate.read_only(found[keep])
    if not atoms:
        return Support(found, NO_ATOMS)
    return Support(found, Atoms(_validate.read_only(locations.copy()), _validate.read_only(weights.copy())))


def _check_mass(
    equation: AxisEquation, nodes: Nodes, atoms: Real, crossings: NDArray[np.int64], edges: Real, reach: float
) -> None:
    """Raise if N grows where there is neither a bulk nor an atom, or more than it can at the edge or inside of one."""
    growth = np.diff(nodes.level)
    empty = (nodes.kind[:-1] == 0) & (nodes.kind[1:] == 0)
    for first, last in crossings[np.isnan(edges)].reshape(-1, 2):
        empty[first : last + 1] = True
    for i, edge in zip(crossings, edges, strict=True):
        inner = i + nodes.kind[i + 1]
        most = _STEEPEST * nodes.density[inner] * max(abs(edge - nodes.x[inner]), 1e-13 * reach)
        empty[i] |= growth[i] > max(most, _LOST)
    mean = 0.5 * np.diff(nodes.x) * (nodes.density[:-1] + nodes.density[1:])
    empty |= (nodes.kind[:-1] == 1) & (nodes.kind[1:] == 1) & (growth > np.maximum(_STEEPEST * mean, _LOST))
    near = (nodes.x[:-1, None] - 1e-6 * reach <= atoms) & (atoms <= nodes.x[1:, None] + 1e-6 * reach)
    lost = np.where(empty & ~near.any(axis=1), growth, 0.0)
    if np.abs(lost).sum() > _LOST:
        worst = int(np.argmax(np.abs(lost)))
        what = f"mass {np.abs(lost).sum():.3g} is in no bulk and no atom that could be found"
        fail_at(equation, nodes.x[worst : worst + 2], what)


def _without_massless(nodes: Nodes) -> NDArray[np.int64]:
    """Kinds, with points counted as outside that lie between outside points of the same N.

    Within rounding of an atom at a hard edge a complex state can satisfy the equation to rounding, too.
    """
    outer = np.flatnonzero(nodes.kind == 0)
    kind = nodes.kind.copy()
    for left, right in itertools.pairwise(outer.tolist()):
        if right > left + 1 and abs(nodes.level[right] - nodes.level[left]) <= _EMPTY:
            run = slice(left + 1, right)
            if np.ptp(nodes.x[run]) * nodes.density[run].max() <= _LOST:
                kind[run] = 0
    return kind


def _out_of_order(nodes: Nodes) -> NDArray[np.bool_]:
    """Outside nodes with a larger N than inside nodes to their right, or a smaller one than to their left.

    Near a hard edge a real state can satisfy the equation to rounding, too.
    """
    inside = nodes.kind == 1
    before = np.maximum.accumulate(np.where(inside, nodes.level, -np.inf))
    after = np.minimum.accumulate(np.where(inside, nodes.level, np.inf)[::-1])[::-1]
    return np.asarray(~inside & ((nodes.level < before - _EMPTY) | (nodes.level > after + _EMPTY)))


def _false_gaps(nodes: Nodes, reach: float) -> NDArray[np.bool_]:
    """Outside nodes in gaps of the width of rounding to which the density does not fall.

    At a singular solution a real state can satisfy the equation to rounding inside a bulk.
    """
    false = np.zeros(nodes.x.size, dtype=bool)
    start = np.flatnonzero((nodes.kind[:-1] == 1) & (nodes.kind[1:] == 0))
    for low in start.tolist():
        inner = np.flatnonzero(nodes.kind[low + 1 :] == 1)
        if not inner.size:
            continue
        high = low + 1 + int(inner[0])
        width = nodes.x[high] - nodes.x[low]
        if width > _FALSE * reach:
            continue
        far_low = max(int(np.searchsorted(nodes.x, nodes.x[low] - 100.0 * width)) - 1, 0)
        far_high = min(int(np.searchsorted(nodes.x, nodes.x[high] + 100.0 * width)), nodes.x.size - 1)
        near = nodes.density[[low, high]]
        far = nodes.density[[far_low, far_high]]
        # to a square-root edge the density falls by 10, to a cusp by 4; no mass may hide there either
        growth = nodes.level[high] - nodes.level[low]
        flat = bool((near > 0.7 * far).all()) and growth <= 4.0 * width * near.max() + _EMPTY
        false[low + 1 : high] = flat
    return false


def _is_atom(nodes: Nodes, i: int) -> bool:
    """Whether the growth over cell i stays when the cell is made 30 times wider: an integrable density grows."""
    here = nodes.level[i + 1] - nodes.level[i]
    middle, width = 0.5 * (nodes.x[i] + nodes.x[i + 1]), nodes.x[i + 1] - nodes.x[i]
    low = max(int(np.searchsorted(nodes.x, middle - 30.0 * width)) - 1, 0)
    high = min(int(np.searchsorted(nodes.x, middle + 30.0 * width)), nodes.x.size - 1)
    return bool(here > 0.9 * (nodes.level[high] - nodes.level[low]))


def _refined(equation: AxisEquation, nodes: Nodes, i: int, crossings: NDArray[np.int64], reach: float) -> float:
    """One edge between nodes i and i + 1."""
    low, high = float(nodes.x[i]), float(nodes.x[i + 1])
    side = 1.0 if nodes.kind[i + 1] == 1 else -1.0  # where the bulk is
    others = np.abs(nodes.x[crossings[crossings != i]] - low)
    room = float(min(others.min(), reach)) if others.size else reach
    middle = 0.5 * (low + high)
    # next to another edge the fold may be that one
    slack = min(1e-7 * reach, 0.1 * room)
    shares = np.array([1e-4, 1e-3, 1e-5, 1e-2, 1e-6])
    starts = solve_nodes(equation, np.sort(middle + side * shares * room))
    distance = np.abs(starts.x - middle)
    order = np.argsort(np.abs(np.log(np.maximum(distance / room, 1e-300) / 1e-4)), kind="stable")
    for k in order:
        if starts.kind[k] == 1 and distance[k] > 0.0:
            edge = equation.fold(middle, starts.state[k], max(2.0 * float(distance[k]), 2.0 * (high - low)))
            if low - slack <= edge <= high + slack:
                return edge
    for _ in range(70):  # no fold: a hard edge or another singularity
        middle = 0.45 * low + 0.55 * high if low < 0.0 < high and high - low < 1e-6 * reach else 0.5 * (low + high)
        if not low < middle < high or high - low < 1e-15 * reach:
            break
        kind = int(solve_nodes(equation, np.array([middle])).kind[0])
        if kind < 0:
            break
        low, high = (middle, high) if (kind == 0) == (side > 0) else (low, middle)
    # how far the edge is if solutions beside it are wrong
    inner = i + int(side > 0)
    doubt = max(high - low, float((nodes.level[i + 1] - nodes.level[i]) / nodes.density[inner]))
    if doubt > 1e-13 * reach and np.isfinite(edge := _hard_edge(equation, 0.5 * (low + high), doubt, side, room)):
        low = high = edge
    slack = 1e-12 * reach
    return 0.0 if low - slack <= 0.0 <= high + slack else 0.5 * (low + high)


def _hard_edge(equation: AxisEquation, edge: float, doubt: float, side: float, room: float) -> float:
    """Edge with ``m = c (x0 - z)^{-1/2} + ...`` near `edge`, as the limit of ``z + m/(2 m')``; nan if it is none.

    The limit is approached in powers of the square root of the distance.
    """
    t = (1.0 + np.cos(np.pi * (np.arange(9) + 0.5) / 9)) / 2.0
    for share in (1e-2, 1e-3):
        nodes = solve_nodes(equation, np.sort(edge + side * share * room * t**2), slopes=True)
        nodes = nodes.take((nodes.kind == 1) & (np.abs(nodes.x - edge) > 10.0 * doubt))
        if nodes.x.size < 4:
            return float("nan")
        distance = np.abs(nodes.x - edge)
        guess = nodes.x + 0.5 * nodes.m / nodes.slope
        limit = extrapolated(np.sqrt(distance), guess)
        nearest = int(np.argmin(distance))
        if not (abs(guess[nearest] - edge) < 0.1 * distance[nearest] + doubt and abs(limit - edge) <= 10.0 * doubt):
            return float("nan")
        edge = float(limit.real)
    return edge


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
