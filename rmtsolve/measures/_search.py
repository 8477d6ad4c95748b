"""Support and atoms of a law of which only the Stieltjes transform off the real axis can be evaluated.

On a circle the transform has a Laurent series; its negative part holds the moments of the mass inside the circle, its
regular part comes from the mass outside (trapezoidal sums give both to spectral accuracy). So a disc is *empty* when
the negative part vanishes, and a disc holds *everything* when the regular part does. Cells that are neither empty nor
plainly inside a bulk (``Im m`` there independent of the height) are halved; what is left after the last halving are
tiny cells at edges, atoms and singular points, told apart by their neighbours. Edges are then refined by
extrapolating ``density^2`` (or ``density^(-2)`` at a hard edge), which is analytic there, to its zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import _validate
from .base import NO_ATOMS, Atoms, Complex, Real

_POINTS = 32  # on a circle; half of them are evaluated, the others are conjugates
_EMPTY = 1e-8  # relative size of Laurent coefficients that counts as zero
_CELLS = 64  # at the start
_HALVINGS = 16  # of a cell: the smallest is 2^-21 of the disc
_ZOOMS = 4  # recursions into a tiny isolated piece

Transform = Callable[[Complex], Complex]


class _Found(NamedTuple):
    bulks: list[tuple[float, float]]
    atoms: list[tuple[float, float]]


def find_support(stieltjes: Callable[[Complex], Complex]) -> Real:
    """Bulk intervals of the law whose transform is `stieltjes`.

    Parameters
    ----------
    stieltjes : callable
        Maps a 1-d complex array with Im z > 0 to ``m(z)``; the support must be bounded.

    Returns
    -------
    ndarray, shape (bulks, 2)
        Sorted intervals; atoms are not counted (`find_atoms`). Square-root and hard edges are found to about 1e-9 of
        the width of the support, others (cusps, logarithms) and gaps to about 1e-6.

    Raises
    ------
    DomainError
        The transform returns values that are not finite with Im m > 0, or the support is unbounded.

    Examples
    --------
    >>> from rmtsolve.measures.classical import MarchenkoPastur
    >>> find_support(MarchenkoPastur(0.25)._stieltjes).round(8)
    array([[0.25, 2.25]])
    """
    found = _search(stieltjes)
    return np.array(found.bulks, dtype=np.float64).reshape(-1, 2)


def find_atoms(stieltjes: Callable[[Complex], Complex]) -> Atoms:
    """Point masses of the law whose transform is `stieltjes`; parameters and errors as for `find_support`.

    Examples
    --------
    >>> from rmtsolve.measures.classical import MarchenkoPastur
    >>> atoms = find_atoms(MarchenkoPastur(4.0)._stieltjes)
    >>> atoms.locations.round(8) + 0.0, atoms.weights.round(8)
    (array([0.]), array([0.75]))
    """
    found = _search(stieltjes)
    if not found.atoms:
        return NO_ATOMS
    locations, weights = np.array(sorted(found.atoms)).T
    return Atoms(_validate.read_only(locations.copy()), _validate.read_only(weights.copy()))


def _search(stieltjes: Transform) -> _Found:
    def checked(z: Complex) -> Complex:
        flat = np.asarray(stieltjes(z.ravel()), dtype=np.complex128)
        good = np.isfinite(flat) & (flat.imag > 0)
        if not good.all():
            first = complex(z.ravel()[~good][0])
            _validate.fail(
                "stieltjes(z)", "finite with positive imaginary part for Im z > 0", f"{flat[~good][0]} at z={first:.6g}"
            )
        return flat.reshape(z.shape)

    centre, radius = _enclosing_disc(checked)
    found = _dissect(checked, centre, radius, 0)
    return _Found(sorted(found.bulks), sorted(found.atoms))


# ---------------------------------------------------------------------- circles
def _laurent(m: Transform, centre: Real, radius: Real, points: int = _POINTS) -> tuple[Complex, Complex]:
    """Coefficients of m on circles, in units of the radius: regular part (n, points/2), negative part (n, points/2).

    Column k of the negative part belongs to ``(z - centre)^(-1 - k)``. The coefficients are real by symmetry.
    """
    angles = (np.arange(points // 2) + 0.5) * (2 * np.pi / points)
    values = m(centre[:, None] + radius[:, None] * np.exp(1j * angles))
    order = np.arange(-points // 2, points // 2)
    coefficients = (values @ np.exp(-1j * angles[:, None] * order)).real * (2 / points)
    return coefficients[:, points // 2 :], coefficients[:, : points // 2][:, ::-1]


def _enclosing_disc(m: Transform) -> tuple[float, float]:
    """A disc that holds the whole support, not much larger than needed."""
    scale = 1.0
    for _ in range(2000):  # bring s Im m(i s), which increases from the mass at 0 to 1, near 3/4
        level = scale * float(m(np.array([1j * scale]))[0].imag)
        if level > 0.9 and scale > 1e-12:
            scale /= 2.0
        elif level < 0.5:
            scale *= 2.0
        else:
            break
        if not 1e-280 < scale < 1e280:
            break
    centre = 0.0
    for attempt in range(2):
        for _ in range(200):
            regular, negative = _laurent(m, np.array([centre]), np.array([scale]), 2 * _POINTS)
            if np.max(np.abs(regular)) <= _EMPTY * abs(negative[0, 0]):
                break
            scale *= 1.25 if attempt else 2.0
        else:
            _validate.fail("stieltjes", "the transform of a law with bounded support", "a transform without one")
        if attempt == 0:
            mean = -negative[0, 1] * scale**2
            second = -negative[0, 2] * scale**3
            centre += float(mean)
            scale = max(math.sqrt(max(second - mean**2, 0.0)), 1e-9 * scale) * 1.2
    return centre, scale


# ---------------------------------------------------------------------- cells
def _dissect(m: Transform, centre: float, radius: float, depth: int) -> _Found:
    """Bulks and atoms inside the disc, which must hold all the mass near it."""
    half = radius / _CELLS
    cells = np.asarray(centre - radius + half * (2 * np.arange(_CELLS) + 1), dtype=np.float64)
    empty: list[tuple[float, float]] = []
    clean: list[tuple[float, float]] = []
    for _ in range(_HALVINGS):
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
            tiny = _tiny_piece(m, low, high, half, depth)
            bulks += tiny.bulks
            atoms += tiny.atoms
            continue
        marks = [g for g in groups if low - half <= g[0] and g[1] <= high + half]
        atoms += [a for a in (_embedded_atom(m, g, half) for g in marks) if a is not None]
        room = _room(low, high, chains, radius)
        left = _refine_edge(m, low, stretches[0][0], +1, min(room[0], high - low), half)
        right = _refine_edge(m, high, stretches[-1][1], -1, min(room[1], high - low), half)
        bulks.append((left, right))
    return _Found(bulks, atoms)


def _is_empty(m: Transform, cells: Real, half: float) -> NDArray[np.bool_]:
    """Whether no mass lies in the disc of twice the cell's size (nor too near it for the test)."""
    regular, negative = _laurent(m, cells, np.full(cells.shape, 2.0 * half))
    return np.asarray(np.max(np.abs(negative), axis=1) <= _EMPTY * np.max(np.abs(regular), axis=1))


def _is_clean(m: Transform, cells: Real, half: float) -> NDArray[np.bool_]:
    """Whether ``Im m`` over the cell does not depend on the height: the cell lies inside a bulk."""
    x = cells[:, None] + half * np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
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


def _tiny_piece(m: Transform, low: float, high: float, half: float, depth: int) -> _Found:
    """What is in a tiny isolated interval: an atom, or a bulk (or several) on a smaller scale."""
    centre, radius = 0.5 * (low + high), (high - low) + 2 * half
    _, negative = _laurent(m, np.array([centre]), np.array([radius]), 2 * _POINTS)
    weight = -negative[0, 0] * radius
    mean = centre + float(negative[0, 1] / negative[0, 0]) * radius
    _, about = _laurent(m, np.array([mean]), np.array([radius]), 2 * _POINTS)
    spread = math.sqrt(max(float(about[0, 2] / about[0, 0]), 0.0))  # standard deviation over radius
    if weight <= 0.0:
        return _Found([], [])
    if spread < 1e-5 or depth >= _ZOOMS:
        return _Found([], [(mean, float(weight))])
    return _dissect(m, mean, min(1.0, 4.0 * spread) * radius, depth + 1)


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
    # a density contributes proportionally to the height (or its root), an atom a constant
    if weights[-1] < 1e-4 or weights[-1] < 0.9 * weights[-2]:
        return None
    return location, weights[-1]


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
    if doubt < 1e-10 * room:
        return best
    return float(np.mean(_bisect_edge(m, low, high, 1e-10 * room)))


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
