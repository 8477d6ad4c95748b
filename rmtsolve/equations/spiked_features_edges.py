"""Where the spectrum of spiked features begins and ends: bulks, the states at their edges, and what kind each end is.

Outside the support the state is real and stable; at an edge it folds: ``x = F(x, z)`` with ``(F' - I) v = 0``. Points
are classified by solving on the real axis, ends are bracketed by bisection and polished by Newton on the fold system,
whose second derivatives come from complex steps. That nothing is left outside the outermost ends is checked by the
closed-form distribution function.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ConvergenceError
from ..status import Status

if TYPE_CHECKING:
    from .spiked_features import SpikedFeatures

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]

EDGE = "edge"
HARD = "hard edge at 0"
SOFT_LEFT = "soft end: spectrum reaches 0 without an edge"
SOFT_RIGHT = "soft end: no right edge"
FAINT = "soft end: tail thinner than rounding, all but 1e-9 of the mass is inside"

_BEFORE = (1e-13, 1e-12, 1e-11, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5)  # where a last point must have resolved ones
SCAN = 400  # points of the scan for gaps
FADED = 1e-8  # the conditional variance far out, relative to its mean, below which the spectrum reaches 0
GROWTH = 0.05  # its relative growth at every doubling of kappa, above which the spectrum has no right edge
THIN = 1e-11  # mass below the point where a spectrum without a left edge is cut off
BOTTOM = 1e-120  # of the mean eigenvalue: how far down an end is looked for


class Bulks(NamedTuple):
    """Bulks of a law, left to right."""

    edges: Real  # (2 bulks,): as published, soft ends at 0 or inf
    numerical: Real  # (2 bulks,): finite interval that holds all but 1e-9 of the mass
    kinds: tuple[str, ...]  # (2 bulks,)
    strengths: Real  # (2 bulks,): density over the root of the distance at a square-root edge, nan elsewhere
    values: Real  # (2 bulks,): m at a square-root edge, nan elsewhere
    states: tuple[Real | None, ...]  # (2 bulks,): the real state there


class End(NamedTuple):
    """One end of the support."""

    place: float
    kind: str
    strength: float = np.nan
    value: float = np.nan
    state: Real | None = None


class Probe(NamedTuple):
    """Real points solved."""

    state: Complex
    slope: Complex
    inside: NDArray[np.bool_]


def probe(equation: SpikedFeatures, x: Real) -> Probe:
    """Solve at real points and tell those inside the support."""
    z = x.astype(np.complex128)
    swept, slope = equation.solve_points(z)
    if np.any(swept.status != Status.CONVERGED):
        from .solution import Solution

        m = equation.readout(z, swept.state)
        raise ConvergenceError(Solution(equation, z, m, *swept, "the solver of the family"), equation.name)
    return Probe(swept.state, slope, (swept.state.imag != 0.0).any(axis=1))


def mass_below(equation: SpikedFeatures, x: Real) -> Real:
    """``mu((-inf, x])`` at real x, the atom at zero counted; closed form in the solved points."""
    state = probe(equation, x).state
    return np.asarray(-equation.potential(x.astype(np.complex128), state).imag / np.pi)


def atom_at_zero(equation: SpikedFeatures) -> float:
    """Mass at zero: rank n of p, or of min(n, d) when the features are linear in the input."""
    rank = min(1.0, 1.0 / equation.ratio)
    if is_linear(equation):
        rank = min(rank, 1.0 / equation.beta)
    return 1.0 - rank


def is_linear(equation: SpikedFeatures) -> bool:
    """Whether nothing of degree two or more is left, given kappa."""
    table = equation.table
    return bool(np.all(table.noise <= 1e-13 * np.max(table.linear**2 + table.noise)))


def _has_hard_edge(equation: SpikedFeatures) -> bool:
    """Whether the two smallest of the dimensions that bound the rank agree: n and p, and d for linear features."""
    sizes = sorted([1.0, 1.0 / equation.ratio, *([1.0 / equation.beta] if is_linear(equation) else [])])
    return sizes[1] - sizes[0] <= 1e-12 * sizes[0]


def find_bulks(equation: SpikedFeatures) -> Bulks:
    """All bulks of the law, with their ends, in one go."""
    table = equation.table
    variance = equation.fractions @ (table.linear**2 + table.noise)  # of a sample, given kappa
    energy = float(variance @ table.weights)
    far = equation.fractions @ table.far  # the same variance far out on either side
    if _has_hard_edge(equation):
        left = End(0.0, HARD)
    elif equation.ratio > 1.0 and far.min() <= FADED * energy:
        left = End(_thin_end(equation, energy, 0.5, atom_at_zero(equation)), SOFT_LEFT)
    else:
        left = _outer_end(equation, energy, 1e-3, 0.25, atom_at_zero(equation))
    if any((np.diff(side) > GROWTH * side[:-1]).all() for side in np.split(far, 2)):
        right = End(_thin_end(equation, energy, 2.0, 1.0), SOFT_RIGHT)
    else:
        right = _outer_end(equation, energy, 4.0 * (1.0 + equation.ratio**0.5) ** 2, 2.0, 1.0)
    ends = [left, *_gaps(equation, left.place, right.place), right]
    published = [{HARD: 0.0, SOFT_LEFT: 0.0, SOFT_RIGHT: np.inf}.get(end.kind, end.place) for end in ends]
    places, kinds, strengths, values, states = zip(*ends, strict=True)
    return Bulks(np.array(published), np.array(places), kinds, np.array(strengths), np.array(values), states)


def _outer_end(equation: SpikedFeatures, energy: float, start: float, factor: float, mass: float) -> End:
    """One outermost end: walk from ``start * energy`` by `factor` until all of the mass lies on the other side."""
    try:
        return _resolved_end(equation, energy, start, factor, mass)
    except ConvergenceError:
        # an exponentially thin tail, from rare kappa, drowns in rounding before its edge is reached
        last = _last_resolved(equation, start * energy, energy / (1.0 - atom_at_zero(equation)), mass)
        if abs(mass_below(equation, np.array([last]))[0] - mass) > 1e-9:
            last = _thin_end(equation, energy, 0.5 if factor < 1.0 else 2.0, mass)
        return End(last, FAINT)


def _resolved_end(equation: SpikedFeatures, energy: float, start: float, factor: float, mass: float) -> End:
    """`_outer_end` where the density is above rounding up to the edge."""
    # the mean without the atom has mass on both sides, even where it lies in a gap
    outside, inside = start * energy, energy / (1.0 - atom_at_zero(equation))
    while BOTTOM * energy < outside < np.inf:
        if _is_beyond(equation, outside, mass):
            return _end_between(equation, outside, inside, mass)
        inside, outside = outside, outside * factor
        factor **= 1.1
    return End(outside, EDGE)


def _thin_end(equation: SpikedFeatures, energy: float, factor: float, mass: float) -> float:
    """Where, by this factor, a spectrum without an edge has 1e-11 of its mass left, or is too thin to be solved."""
    x = energy / (1.0 - atom_at_zero(equation))
    while BOTTOM < x / energy < 1.0 / BOTTOM:
        try:
            if abs(mass_below(equation, np.array([x * factor]))[0] - mass) <= THIN:
                return x * factor
            x, factor = x * factor, float(np.clip(factor**1.05, 1e-3, 1e3))
        except ConvergenceError:
            factor **= 0.5  # come closer to where the density drowns in rounding
            if abs(np.log(factor)) < 0.1:
                break
    return x


def _is_beyond(equation: SpikedFeatures, x: float, mass: float | None) -> bool:
    """Whether x is outside the support, with `mass` below it if that is given."""
    found = probe(equation, np.array([x]))
    if found.inside[0] or mass is None:
        return not found.inside[0]
    below = float(-equation.potential(np.array([x + 0j]), found.state).imag[0] / np.pi)
    return abs(below - mass) <= 1e-9


def _end_between(equation: SpikedFeatures, outside: float, inside: float, mass: float | None = None) -> End:
    """The end between a point outside and one not beyond it: bisection in log x, then Newton on the fold."""
    while abs(np.log(inside / outside)) > 1e-7:
        middle = np.sqrt(inside * outside)
        if _is_beyond(equation, middle, mass):
            outside = middle
        else:
            inside = middle
    found = probe(equation, np.array([outside]))
    polished = fold(equation, outside, found.state[0].real, found.slope[0].real)
    if polished is not None and abs(np.log(polished.place / outside)) <= 1e-6:
        return polished
    while abs(inside - outside) > 4.0 * np.spacing(outside):
        middle = 0.5 * (inside + outside)
        if middle in (inside, outside):
            break
        if _is_beyond(equation, middle, mass):
            outside = middle
        else:
            inside = middle
    return End(outside, EDGE)


def _inner_end(equation: SpikedFeatures, outside: float, inside: float) -> End:
    """An end at a gap; where a tail drowns in rounding before its edge, the last point with a resolved density."""
    try:
        return _end_between(equation, outside, inside)
    except ConvergenceError:
        return End(_last_resolved(equation, outside, inside, None), FAINT)


def _last_resolved(equation: SpikedFeatures, outside: float, inside: float, mass: float | None) -> float:
    """The last point with a resolved density on the way from `inside` to `outside`, and with resolved points before it.

    Whether a point resolves is a matter of rounding there, so one that does may have neighbours that do not.
    """

    def beyond(x: float) -> bool:
        try:
            return _is_beyond(equation, x, mass)
        except ConvergenceError:
            return True

    while abs(np.log(inside / outside)) > 1e-6:
        middle = np.sqrt(inside * outside)
        inside, outside = (inside, middle) if beyond(middle) else (middle, outside)
    inward = np.sign(inside - outside)
    step = 1e-6
    while step < 0.1 and any(beyond(inside * (1.0 + inward * share)) for share in _BEFORE):
        inside, step = inside * (1.0 + inward * step), 2.0 * step
    return inside


def fold(equation: SpikedFeatures, z: float, x: Real, direction: Real) -> End | None:
    """Newton on ``x = F(x, z), (F' - I) v = 0, c.v = 1``; None when it does not converge.

    With the left null vector l, ``x - x_e ~ s v`` and ``l.F_z (z - e) + l.F''[v, v] s^2 / 2 = 0``: inside the support s
    is imaginary and the density is ``|s| sum_k v_k / pi``.
    """
    from .._kernels.spiked_features import evaluate

    size, tiny = x.size, 1e-40
    v = direction / np.linalg.norm(direction)
    normal = v.copy()

    def derivatives(z: complex, x: Complex) -> tuple[Complex, Complex, Complex]:
        image, slope = np.empty(size, dtype=np.complex128), np.empty(size, dtype=np.complex128)
        jacobian = np.empty((size, size), dtype=np.complex128)
        evaluate(z, x, equation.model, image, jacobian, slope)
        return image, jacobian, slope

    eye = np.eye(size)
    for _ in range(30):
        image, jacobian, slope = (part.real for part in derivatives(complex(z), x.astype(np.complex128)))
        along = derivatives(complex(z), x + 1j * tiny * v)[1].imag / tiny
        in_z = derivatives(complex(z, tiny), x.astype(np.complex128))[1].imag / tiny
        matrix = np.zeros((2 * size + 1, 2 * size + 1))
        matrix[:size, :size] = jacobian - eye
        matrix[:size, -1] = slope
        matrix[size:-1, :size] = along
        matrix[size:-1, size:-1] = jacobian - eye
        matrix[size:-1, -1] = in_z @ v
        matrix[-1, size:-1] = normal
        rest = np.concatenate([image - x, (jacobian - eye) @ v, [normal @ v - 1.0]])
        if not (np.isfinite(matrix).all() and np.isfinite(rest).all()):
            return None
        try:
            step = -np.linalg.solve(matrix, rest)
        except np.linalg.LinAlgError:
            return None
        x, v, z = x + step[:size], v + step[size:-1], z + float(step[-1])
        if abs(step[-1]) <= 4e-16 * abs(z) or np.abs(step[:size]).max() <= 1e-14 * np.abs(x).max():
            left = np.linalg.svd(jacobian - eye)[0][:, -1]
            root = 2.0 * (left @ slope) / (left @ along @ v)
            strength = np.sqrt(abs(root)) * abs(v[: equation.classes].sum()) / np.pi
            return End(z, EDGE, float(strength), float(x[: equation.classes].sum()), x)
    return None


def _gaps(equation: SpikedFeatures, left: float, right: float) -> list[End]:
    """Ends inside (left, right), sorted: scan in log x, minima of the density followed down."""
    low = max(left, 1e-6 * right)
    x = np.geomspace(low, right, SCAN + 2)[1:-1]
    found = probe(equation, x)
    density = _density(equation, found)
    points, values = list(x), list(density)
    for i in range(1, x.size - 1):
        if 0.0 < density[i] <= min(density[i - 1], density[i + 1]):
            at, value = _follow_down(equation, x[i - 1], x[i], x[i + 1], density[i])
            points.append(at)
            values.append(value)
    order = np.argsort(points)
    x, density = np.array(points)[order], np.array(values)[order]
    outside = np.flatnonzero(density == 0.0)
    ends: list[End] = []
    for group in np.split(outside, np.flatnonzero(np.diff(outside) > 1) + 1):
        if group.size and group[0] > 0 and group[-1] < x.size - 1:
            ends.append(_inner_end(equation, x[group[0]], x[group[0] - 1]))
            ends.append(_inner_end(equation, x[group[-1]], x[group[-1] + 1]))
    return ends


def _density(equation: SpikedFeatures, found: Probe) -> Real:
    """Imaginary part of m."""
    return np.asarray(found.state[:, : equation.classes].imag.sum(axis=1))


def _follow_down(equation: SpikedFeatures, a: float, b: float, c: float, value: float) -> tuple[float, float]:
    """Golden-section search for the minimum of the density in (a, c); it ends at once in a gap."""
    shrink = 0.3819660112501051
    while c - a > 1e-12 * b:
        new = b + shrink * (c - b) if c - b > b - a else b - shrink * (b - a)
        found = probe(equation, np.array([new]))
        density = float(_density(equation, found)[0])
        if density == 0.0:
            return new, 0.0
        if density < value:
            a, b, c, value = (b, new, c, density) if new > b else (a, new, b, density)
        else:
            a, c = (a, new) if new > b else (new, c)
    return b, value
