"""Support and atoms of a law of which only the Stieltjes transform off the real axis can be evaluated.

On a circle the transform has a Laurent series; its negative part holds the moments of the mass inside the circle, its
regular part comes from the mass outside (trapezoidal sums give both to spectral accuracy). So a disc is *empty* when
the negative part vanishes, and a disc holds *everything* when the regular part does. Cells that are neither empty nor
plainly inside a bulk (``Im m`` there independent of the height) are halved; what is left after the last halving are
tiny cells at edges, atoms and singular points, told apart by their neighbours. Edges are then refined by
extrapolating ``density^2`` (or ``density^(-2)`` at a hard edge), which is analytic there, to its zero. What was found
can be compared with the mass left of a gap (`_counting`), which does not depend on it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import _validate
from .base import NO_ATOMS, Atoms, Complex, Real

_EPS = float(np.finfo(float).eps)
_POINTS = 32  # on a circle; half of them are evaluated, the others are conjugates
_EMPTY = 1e-8  # relative size of Laurent coefficients that counts as zero
_CELLS = 64  # at the start
_HALVINGS = 16  # of a cell: the smallest is 2^-21 of the disc
_ZOOMS = 8  # recursions into a tiny isolated piece
_ROUNDS = 40  # circles drawn to enclose a law
_NARROW = 1e-4  # standard deviation of a piece over the size of its cell from which it may be an atom
_POINTLIKE = 1e-6  # radius of a law over its distance from 0, from which it may be a point
_NO_MASS = 1e-12  # mass that rounding makes
_FINE = 1e4  # spacings of numbers that the smallest cells are wide
_POINT = 1e-8  # of a tiny cell: the height from which an atom in it still looks like one
_LIGHTEST = 1e-6  # atom that is seen inside a bulk
_SAME = 1e-4  # share of its mass that may be missing there
_NEAR_ZERO = 1e-9  # of the size of the law: places that may be 0 but for the error of the search
_NO_TELLING = 1e-20  # of the size of the law: an atom this near to 0 is at 0


Transform = Callable[[Complex], Complex]


class _Found(NamedTuple):
    bulks: list[tuple[float, float]]
    atoms: list[tuple[float, float]]


def find_pieces(stieltjes: Callable[[Complex], Complex], finest: float = 0.0) -> tuple[Real, Atoms]:
    """Bulk intervals and point masses of the law whose transform is `stieltjes`.

    Parameters
    ----------
    stieltjes : callable
        Maps a 1-d complex array with Im z > 0 to ``m(z)``; the support must be bounded.
    finest : float
        Height over an atom, in sizes of the law, below which the transform cannot be evaluated.

    Returns
    -------
    ndarray, shape (bulks, 2)
        Sorted intervals. Square-root and hard edges are found to about 1e-9 of the width of the support, others (cusps,
        logarithms) and gaps to about 1e-6.
    Atoms
        Sorted; an atom that cannot be told from 0 is at 0, if `finest` is 0.

    Raises
    ------
    DomainError
        The transform returns values that are not finite with Im m > 0, or the support is unbounded.

    Examples
    --------
    >>> from rmtsolve.measures.classical import MarchenkoPastur
    >>> bulks, atoms = find_pieces(MarchenkoPastur(4.0)._stieltjes)
    >>> bulks.round(8), atoms.locations, atoms.weights.round(8)
    (array([[1., 9.]]), array([0.]), array([0.75]))
    """

    def checked(z: Complex) -> Complex:
        flat = np.asarray(stieltjes(z.ravel()), dtype=np.complex128)
        good = np.isfinite(flat) & (flat.imag > 0)
        if not good.all():
            first = complex(z.ravel()[~good][0])
            _validate.fail(
                "stieltjes(z)", "finite with positive imaginary part for Im z > 0", f"{flat[~good][0]} at z={first:.6g}"
            )
        return flat.reshape(z.shape)

    centre, radius = enclosing_disc(checked)
    unit = abs(centre) + radius
    lowest = finest * unit
    found = _one_atom(checked, centre, radius, lowest) or _dissect(checked, centre, radius, lowest)
    if found.atoms and (found.bulks or abs(math.fsum(w for _, w in found.atoms) - 1.0) > _EMPTY):
        # the light around a heavy atom is seen when its own is taken away
        placed: list[tuple[float, float]] = []
        for at, weight in sorted(_placed(checked, at, weight, unit, lowest) for at, weight in found.atoms):
            if not placed or at - placed[-1][0] > 1e-12 * unit:  # else seen from two cells
                placed.append((at, weight))
        rest = _dissect(_without(checked, placed), centre, radius, lowest, [at for at, _ in placed])
        more = [(at, w) for at, w in rest.atoms if w > _EMPTY and min(abs(at - a) for a, _ in placed) > 1e-9 * unit]
        found = _Found(rest.bulks, placed + more)
    bulks = [(_off_zero(checked, a, +1, unit), _off_zero(checked, b, -1, unit)) for a, b in sorted(found.bulks)]
    support = np.array(bulks, dtype=np.float64).reshape(-1, 2)
    if not found.atoms:
        return support, NO_ATOMS
    atoms = sorted(_placed(checked, at, weight, unit, lowest) for at, weight in found.atoms)
    locations, weights = np.array(atoms).T.copy()
    for i, at in enumerate(locations):  # on the largest circle that is free, where rounding of its points counts least
        room = np.abs(np.concatenate([support.ravel(), np.delete(locations, i)]) - at).min(initial=2.0 * unit)
        if room > 0.0 and not ((support[:, 0] <= at) & (at <= support[:, 1])).any():
            _, negative = laurent(checked, np.array([at]), np.array([0.5 * room]), 2 * _POINTS)
            weights[i] = -float(negative[0, 0]) * 0.5 * room
    return support, Atoms(_validate.read_only(locations), _validate.read_only(weights))


def _one_atom(m: Transform, centre: float, radius: float, lowest: float) -> _Found | None:
    """The law if it is that of one point, to rounding: where the circles around it are made of few numbers."""
    if radius > _POINTLIKE * abs(centre):
        return None
    at, height = centre, max(1e3 * _EPS * abs(centre), lowest)
    for step in (radius, height):
        at = _pole(m, at, 1.0, step, lowest)
    mass = height * float(m(np.array([at + 1j * height]))[0].imag)
    return _Found([], [(at, 1.0)]) if abs(mass - 1.0) < _SAME else None


def _pole(m: Transform, at: float, weight: float, height: float, lowest: float) -> float:
    """Where the pole of an atom near a point is: ``m = w/(x0 - z)`` near it."""
    if height < lowest:
        return at
    step = weight / complex(m(np.array([at + 1j * height]))[0])
    return at + min(max(step.real, -height), height)


def _off_zero(m: Transform, edge: float, side: int, unit: float) -> float:
    """An edge; 0 exactly if that is one, as a law on the positive axis has no negative edge (side as in bisection)."""
    if not 0.0 < abs(edge) < _NEAR_ZERO * unit:
        return edge
    exact = _is_edge(m, 0.0, side, 1e-2 * abs(edge)) or abs(edge) < 16.0 * _EPS * unit
    return 0.0 if exact else edge


def _placed(m: Transform, at: float, weight: float, unit: float, lowest: float) -> tuple[float, float]:
    """An atom to rounding; at 0 exactly if it cannot be told from that, as products have their atom there."""
    if abs(at) < _NEAR_ZERO * unit and lowest == 0.0:
        height = _NO_TELLING * unit
        if height * float(m(np.array([1j * height]))[0].imag) > (1.0 - _SAME) * weight:
            return 0.0, weight
    return _pole(m, at, weight, 1e-11 * unit, lowest), weight


# ---------------------------------------------------------------------- circles
def laurent(m: Transform, centre: Real, radius: Real, points: int = _POINTS) -> tuple[Complex, Complex]:
    """Coefficients of m on circles, in units of the radius: regular part (n, points/2), negative part (n, points/2).

    Column k of the negative part belongs to ``(z - centre)^(-1 - k)``. The coefficients are real by symmetry.
    """
    angles = (np.arange(points // 2) + 0.5) * (2 * np.pi / points)
    z = centre[:, None] + radius[:, None] * np.exp(1j * angles)
    values = m(z.ravel()).reshape(z.shape)
    order = np.arange(-points // 2, points // 2)
    coefficients = (values @ np.exp(-1j * angles[:, None] * order)).real * (2 / points)
    return coefficients[:, points // 2 :], coefficients[:, : points // 2][:, ::-1]


def enclosing_disc(m: Transform) -> tuple[float, float]:
    """A disc that holds the whole support, not much larger than needed: (centre, radius).

    A light bulk beside a heavy atom is a small part of m, so what is inside must have the mass one, too. A circle that
    is far too large shows the standard deviation to half of its digits only, and is drawn again.
    """
    centre, scale, growth, last = 0.0, 1.0, 2.0, math.inf
    for _ in range(_ROUNDS):
        while True:
            regular, negative = laurent(m, np.array([centre]), np.array([scale]), 2 * _POINTS)
            mass = -float(negative[0, 0]) * scale
            if np.max(np.abs(regular)) <= _EMPTY * abs(negative[0, 0]) and abs(mass - 1.0) <= _EMPTY:
                break
            scale *= growth
            if not scale < 1e280:
                _validate.fail("stieltjes", "the transform of a law with bounded support", "a transform without one")
        mean = -float(negative[0, 1]) * scale**2
        second = -float(negative[0, 2]) * scale**3
        if scale > 0.1 * last:
            break
        centre, last, growth = centre + mean, scale, 1.25
        scale = 1.2 * max(math.sqrt(max(second - mean**2, 0.0)), 1e-9 * scale)
    return centre, scale


# ---------------------------------------------------------------------- cells
def _dissect(
    m: Transform, centre: float, radius: float, lowest: float, taken: Sequence[float] = (), depth: int = 0
) -> _Found:
    """Bulks and atoms inside the disc, which must hold all the mass near it.

    Where atoms were taken away from m, rounding is left.
    """
    half = radius / _CELLS
    cells = np.asarray(centre - radius + half * (2 * np.arange(_CELLS) + 1), dtype=np.float64)
    empty: list[tuple[float, float]] = []
    clean: list[tuple[float, float]] = []
    for _ in range(_HALVINGS):
        if half < _FINE * _EPS * abs(centre):
            break
        is_empty = _is_empty(m, cells, half)
        is_clean = np.zeros(cells.shape, dtype=bool)
        if not is_empty.all():
            is_clean[~is_empty] = _is_clean(m, cells[~is_empty], half)
        empty += [(c - half, c + half) for c in cells[is_empty]]
        clean += [(c - half, c + half) for c in cells[is_clean]]
        open_cells = cells[~is_empty & ~is_clean]
        half /= 2
        cells = np.stack([open_cells - half, open_cells + half], axis=1).ravel()
        if cells.size == 0:
            break
    groups = _merge([(c - half, c + half) for c in cells], half)
    inside = _merge(clean, half)
    bulks: list[tuple[float, float]] = []
    atoms: list[tuple[float, float]] = []
    # a chain of touching groups and clean stretches is a bulk, a group that touches none a tiny piece of its own
    chains = _merge(groups + inside, half)
    for low, high in chains:
        stretches = [s for s in inside if low - half <= s[0] and s[1] <= high + half]
        if not stretches:
            if any(low - 2.0 * half <= at <= high + 2.0 * half for at in taken):
                continue
            tiny = _tiny_piece(m, low, high, half, lowest, depth)
            bulks += tiny.bulks
            atoms += tiny.atoms
            continue
        marks = [g for g in groups if low - half <= g[0] and g[1] <= high + half]
        embedded = [a for a in (_embedded_atom(m, g, half) for g in marks) if a is not None]
        atoms += embedded
        rest = _without(m, embedded)
        room = _room(low, high, chains, radius)
        left = _refine_edge(rest, low, stretches[0][0], +1, min(room[0], high - low), half)
        right = _refine_edge(rest, high, stretches[-1][1], -1, min(room[1], high - low), half)
        bulks.append((left, right))
    return _Found(bulks, atoms)


def _is_empty(m: Transform, cells: Real, half: float) -> NDArray[np.bool_]:
    """Whether no mass lies in the disc of twice the cell's size (nor too near it for the test)."""
    regular, negative = laurent(m, cells, np.full(cells.shape, 2.0 * half))
    return np.asarray(np.max(np.abs(negative), axis=1) <= _EMPTY * np.max(np.abs(regular), axis=1))


def _is_clean(m: Transform, cells: Real, half: float) -> NDArray[np.bool_]:
    """Whether ``Im m`` over the cell and a little beyond does not depend on the height: it lies inside a bulk."""
    x = cells[:, None] + half * np.array([-1.25, -0.625, 0.0, 0.625, 1.25])
    with np.errstate(all="ignore"):  # where an atom was taken away nothing may be left
        ratio = m(np.asarray(x + 1j * half)).imag / m(np.asarray(x + 0.25j * half)).imag
    return np.asarray(np.all((ratio > 0.8) & (ratio < 1.25), axis=1))


def _merge(intervals: list[tuple[float, float]], slack: float) -> list[tuple[float, float]]:
    """Union of touching intervals."""
    out: list[tuple[float, float]] = []
    for low, high in sorted(intervals):
        if out and low <= out[-1][1] + 0.5 * slack:
            out[-1] = (out[-1][0], max(high, out[-1][1]))
        else:
            out.append((low, high))
    return out


def _room(low: float, high: float, chains: list[tuple[float, float]], radius: float) -> tuple[float, float]:
    """Free length to the left and to the right of a chain."""
    below = [c[1] for c in chains if c[1] < low]
    above = [c[0] for c in chains if c[0] > high]
    return (low - max(below) if below else radius), (min(above) - high if above else radius)


def _tiny_piece(m: Transform, low: float, high: float, half: float, lowest: float, depth: int) -> _Found:
    """What is in a tiny isolated interval: an atom, or a bulk (or several) on a smaller scale."""
    centre, radius = 0.5 * (low + high), (high - low) + 2 * half
    _, negative = laurent(m, np.array([centre]), np.array([radius]), 2 * _POINTS)
    weight = -negative[0, 0] * radius
    mean = centre + float(negative[0, 1] / negative[0, 0]) * radius
    _, about = laurent(m, np.array([mean]), np.array([radius]), 2 * _POINTS)
    spread = math.sqrt(max(float(about[0, 2] / about[0, 0]), 0.0))  # standard deviation over radius
    if weight <= _NO_MASS:
        return _Found([], [])
    rounding = _EPS * abs(mean)
    if spread < max(_NARROW, 4.0 * math.sqrt(rounding / radius)):
        height = max(_POINT * radius, 1e3 * rounding)
        at = _pole(m, mean, float(weight), height, lowest)
        height = max(height, lowest)
        if height * float(m(np.array([at + 1j * height]))[0].imag) > (1.0 - _SAME) * weight or depth >= _ZOOMS:
            return _Found([], [(at, float(weight))])
    return _dissect(m, mean, min(1.0, 4.0 * spread) * radius, lowest, depth=depth + 1)


def _embedded_atom(m: Transform, group: tuple[float, float], half: float) -> tuple[float, float] | None:
    """An atom inside a group that touches a bulk: there ``eta Im m`` does not vanish with eta."""
    low, high = group
    height = 4.0 * (high - low)
    location: float = 0.5 * (low + high)
    weights = []
    for _ in range(12):
        m_value = complex(m(np.array([location + 1j * height]))[0])
        weights.append(height * m_value.imag)
        # for a dominating atom m = w / (x0 - z): its pole is at z + w / m
        location += min(max((weights[-1] / m_value).real, -height), height)
        height /= 4.0
    # a density contributes proportionally to the height (or its root), an atom a constant; one far away has drawn it
    if weights[-1] < _LIGHTEST or weights[-1] < 0.9 * weights[-2] or not low - half <= location <= high + half:
        return None
    return location, weights[-1]


def _without(m: Transform, atoms: list[tuple[float, float]]) -> Transform:
    """The transform of the rest of the law."""
    return lambda z: m(z) - sum((weight / (at - z) for at, weight in atoms), np.zeros_like(z))


# ---------------------------------------------------------------------- edges
def _refine_edge(m: Transform, outside: float, inside: float, side: int, room: float, half: float) -> float:
    """Edge between a point outside and a clean point inside (side = +1: the bulk is to its right)."""
    low, high = _bisect_edge(m, outside - 2 * side * half, inside + side * half, 0.5 * half)
    rough = 0.5 * (low + high)
    best, doubt = rough, math.inf
    for window in room * np.array([1e-2, 1e-3, 1e-4, 1e-5]):
        if window < 20 * half:
            break
        fits = [_extrapolate(m, rough, side, float(window), degree) for degree in (7, 9)]
        if abs(fits[0] - fits[1]) < doubt and abs(fits[1] - rough) < 10 * half:
            best, doubt = fits[1], abs(fits[0] - fits[1])
    if doubt < 1e-10 * room and _is_edge(m, best, side, 1e-9 * room):
        return best
    return float(np.mean(_bisect_edge(m, low, high, 1e-10 * room)))


def _is_edge(m: Transform, edge: float, side: int, step: float) -> bool:
    """Whether a point one step to the outside is outside and one to the inside is inside, see `_bisect_edge`."""
    values = m(edge + side * step * np.array([-1.0, 1.0])[:, None] + 1j * step * np.array([0.02, 0.005])).imag
    outside = values[:, 0] > 2.0 * values[:, 1]
    return bool(outside[0] and not outside[1])


def _bisect_edge(m: Transform, low: float, high: float, width: float) -> tuple[float, float]:
    """Shrink the bracket: outside the bulk Im m is proportional to the height, inside independent of it."""
    for _ in range(60):
        gap = abs(high - low)
        if gap < width:
            break
        middle = 0.5 * (low + high)
        values = m(middle + 1j * gap * np.array([0.02, 0.005])).imag
        low, high = (middle, high) if values[0] > 2.0 * values[1] else (low, middle)
    return low, high


def _extrapolate(m: Transform, rough: float, side: int, window: float, degree: int) -> float:
    """Zero of the polynomial through ``density^(+-2)`` on [0.1, 1] windows inside the bulk."""
    y = np.cos((np.arange(degree + 1) + 0.5) * np.pi / (degree + 1))
    step = window * (0.55 + 0.45 * y)
    height = 1e-4 * window
    values = m((rough + side * step)[:, None] + 1j * height * np.array([1.0, 2.0, 3.0, 4.0])).imag
    density = values @ np.array([4.0, -6.0, 4.0, -1.0])  # extrapolated to height 0
    soft = density[np.argmin(step)] < density[np.argmax(step)]
    power = np.sign(density) * np.abs(density) ** (2.0 if soft else -2.0)
    polynomial = np.polynomial.Chebyshev.fit(y, power, degree, domain=[-1, 1])
    slope = polynomial.deriv()
    t = -0.55 / 0.45
    for _ in range(8):
        t -= float(polynomial(t) / slope(t))
    return rough + side * window * (0.55 + 0.45 * t)
