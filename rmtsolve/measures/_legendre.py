"""A density as piecewise Legendre series on adaptive panels, and its Cauchy integrals up to the real axis.

On a panel mapped to [-1, 1] a polynomial ``p = sum c_k P_k`` has

    int p(t) / (t - y) dt = -2 sum c_k Q_k(y),

Q_k the Legendre functions of the second kind, whose three-term recurrence is stable for y near [-1, 1] (the limit from
above included). Away from the panel Gauss-Legendre quadrature is exact to rounding: with n nodes its error is
``r^(-2n)``, r the sum of the semi-axes of the ellipse with foci -+1 through y; the recurrence is used for r < 1.6.
Farther off moments about the middle are enough. End-point singularities, kinks and
jumps are reached by halving panels; what is left at an inverse-power end point is one point mass.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

from .base import Complex, Real

_TERMS = 24  # of the series on a panel
_NODES = 40  # of the quadrature on a panel: 1.6^-80 < 1e-16
_MAX_PANELS = 2000
_MAX_LEVEL = 110
_NEAREST = 1e-16  # of the length of an interval: where panels next to its ends stop


@dataclass(frozen=True, eq=False)
class LegendrePanels:
    """Piecewise Legendre series of a density; `stubs` are point masses that stand for inverse-power end points."""

    low: Real  # (panels,)
    high: Real  # (panels,)
    coefficients: Real  # (panels, _TERMS)
    stubs: Real  # (n, 2): location, mass
    error: float

    def scaled(self, factor: float) -> LegendrePanels:
        """The density times a constant."""
        stubs = self.stubs * np.array([1.0, factor])
        return LegendrePanels(self.low, self.high, self.coefficients * factor, stubs, self.error)

    def masses(self) -> Real:
        """Mass of each panel."""
        return self.coefficients[:, 0] * (self.high - self.low)

    @cached_property
    def _tables(self) -> tuple[Real, Real, Real, Real, Real]:
        """Middles, half-lengths, nodes, masses there and moments about the middles, for the kernel."""
        from .._kernels.panels import MOMENTS

        nodes, weights = _gauss(_NODES)
        half = 0.5 * (self.high - self.low)
        middle = self.low + half
        masses = half[:, None] * weights * np.polynomial.legendre.legval(nodes, self.coefficients.T)
        moments = masses @ nodes[:, None] ** np.arange(MOMENTS)  # exact: 30 + 24 < 80
        return middle, half, middle[:, None] + half[:, None] * nodes, masses, np.ascontiguousarray(moments)

    def quadrature(self) -> tuple[Real, Real]:
        """Nodes and masses, (panels, _NODES) each."""
        return self._tables[2:4]

    def cauchy(self, z: Complex, *, derivative: bool = False) -> Complex:
        """``int density / (t - z)`` or its derivative at points with Im z >= 0."""
        if derivative:
            return self._derivative(z)
        return self._sum(z, 1)

    def _derivative(self, z: Complex) -> Complex:
        """The derivative; next to a joint of two panels, where their poles cancel, from points around it."""
        gap, size = np.full(z.shape, np.inf), np.ones(z.shape)
        joints = np.nonzero(self.low[1:] == self.high[:-1])[0] + 1
        for k in joints:
            length = min(self.high[k] - self.low[k], self.high[k - 1] - self.low[k - 1])
            distance = np.abs(z - self.low[k]) / length
            closer = distance < gap
            gap, size = np.where(closer, distance, gap), np.where(closer, length, size)
        out = self._sum(z, 2)
        near = gap < 1e-3
        if near.any():
            step = 2e-3 * size[near]
            inner = self._sum(z[near] + step, 2) + self._sum(z[near] - step, 2)
            outer = self._sum(z[near] + 2 * step, 2) + self._sum(z[near] - 2 * step, 2)
            out[near] = (4.0 * inner - outer) / 6.0
        return out

    def _sum(self, z: Complex, power: int) -> Complex:
        from .._kernels.panels import sum_panels

        _, half, *_ = self._tables
        near = np.empty((z.size, half.size), dtype=bool)
        value, slope = np.empty(z.size, dtype=np.complex128), np.empty(z.size, dtype=np.complex128)
        sum_panels(np.ascontiguousarray(z), *self._tables, near, value, slope)
        out = slope if power == 2 else value
        row, panel = np.nonzero(near)
        if row.size:
            to_low, to_high = (z[row] - self.low[panel]) / half[panel], (z[row] - self.high[panel]) / half[panel]
            # at a joint the logarithms of the two panels cancel; any tiny distance will do
            to_low, to_high = np.where(to_low == 0, 1e-16, to_low), np.where(to_high == 0, 1e-16, to_high)
            values = _second_kind(self.coefficients[panel], to_low, to_high, derivative=power == 2)
            values = values / half[panel] if power == 2 else values
            out += np.bincount(row, values.real, z.size) + 1j * np.bincount(row, values.imag, z.size)
        if self.stubs.size:
            with np.errstate(divide="ignore", invalid="ignore"):  # infinite at an inverse-power end point
                out += (1.0 / (self.stubs[:, 0] - z[:, None]) ** power) @ self.stubs[:, 1]
        return out

    def cumulative(self, x: Real) -> Real:
        """Mass of the panels to the left of each x."""
        masses = self.masses()
        before = np.concatenate([[0.0], np.cumsum(masses)])
        index = np.clip(np.searchsorted(self.low, x, side="right") - 1, 0, self.low.size - 1)
        half = 0.5 * (self.high - self.low)[index]
        y = np.clip((x - self.low[index]) / half - 1.0, -1.0, 1.0)
        c = self.coefficients[index]
        # int P_k = (P_{k+1} - P_{k-1}) / (2k + 1) from -1, and int P_0 = P_1 + 1
        p_before, p_here = np.ones(x.shape), y
        total = c[:, 0] * (y + 1.0)
        for k in range(1, _TERMS):
            p_next = ((2 * k + 1) * y * p_here - k * p_before) / (k + 1)
            total += c[:, k] * (p_next - p_before) / (2 * k + 1)
            p_before, p_here = p_here, p_next
        out = before[index] + total * half
        for location, mass in self.stubs:
            out = out + np.where(x >= location, mass, 0.0)
        return np.asarray(out)


def fit_legendre(density: Callable[[Real], Real], breaks: list[tuple[float, float]]) -> LegendrePanels:
    """Halve the given panels until the density is resolved on each (its integral is taken to be about one).

    Infinite ends are covered by panels of doubling size. `density` takes a 1-d array of points strictly inside.
    """
    nodes, _ = _gauss(_TERMS)
    matrix = _to_legendre()
    todo = [piece for pair in breaks for piece in _finite(*pair)]
    ends = {end for pair in breaks for end in pair}
    sizes = {end: b - a for a, b in todo for end in (a, b) if end in ends}
    done: list[tuple[float, float, Real]] = []
    stubs: list[tuple[float, float]] = []
    error = 0.0
    for level in range(_MAX_LEVEL + 1):
        low, high = np.array(todo).T
        half = 0.5 * (high - low)
        x = (low + half)[:, None] + half[:, None] * nodes
        values = density(x.ravel()).reshape(x.shape)
        coefficients = values @ matrix
        tail = np.max(np.abs(coefficients[:, -4:]), axis=1)
        largest = np.max(np.abs(values), axis=1)
        # x itself is rounded: near an end point where the density is singular that is noise of relative size
        noise = 4e-16 * np.maximum(np.abs(low), np.abs(high)) / np.maximum(_distance(low, high, ends), 2.0 * half)
        # next to an end the density counts for itself, however little mass is there: it may vanish like a root
        matters = np.array([half[i] > _NEAREST * max(sizes.get(a, 0.0), sizes.get(b, 0.0)) and (a in ends or b in ends)
                            for i, (a, b) in enumerate(zip(low, high, strict=True))])  # fmt: skip
        resolved = (tail <= (1e-14 + noise) * largest) | ((tail * half <= 1e-17) & ~matters)
        resolved &= _confirmed(density, low, high, coefficients, 1e-11 + 10.0 * noise)
        stop = (half <= 1e-9 * np.maximum(np.abs(low), np.abs(high))) & (tail * half <= 1e-13) & ~matters
        stop |= half <= 1e-13 * np.maximum(np.abs(low), np.abs(high))
        if level == _MAX_LEVEL or len(done) + 2 * len(todo) > _MAX_PANELS:
            stop[:] = True
        todo = []
        for i in range(low.size):
            a, b = float(low[i]), float(high[i])
            at_end = a in ends or b in ends
            steep = at_end and 2 * half[i] <= 1e-9 * max(abs(a), abs(b)) and _diverges(values[i], a in ends)
            if steep or (stop[i] and not resolved[i] and at_end and _diverges(values[i], a in ends)):
                stubs.append(_stub(density, a, b, at_low=a in ends))
                error += 1e-9 * abs(stubs[-1][1])
            elif resolved[i] or stop[i]:
                done.append((a, b, coefficients[i]))
                error += float(tail[i] * 2.0 * half[i])
            else:
                middle = a + float(half[i])
                todo += [(a, middle), (middle, b)]
        if not todo:
            break
    done.sort(key=lambda d: d[0])
    return LegendrePanels(
        np.array([d[0] for d in done]), np.array([d[1] for d in done]), np.array([d[2] for d in done]),
        np.array(stubs).reshape(-1, 2), error,
    )  # fmt: skip


def _finite(low: float, high: float) -> list[tuple[float, float]]:
    """The interval in finite pieces: sizes double towards an infinite end, and from where they start."""
    if math.isfinite(low) and math.isfinite(high):
        return [(low, high)]
    powers = 2.0 ** np.arange(-40, 201)
    if math.isfinite(low):
        stops = np.unique(np.concatenate([[low], low + powers]))
    elif math.isfinite(high):
        stops = np.unique(np.concatenate([high - powers, [high]]))
    else:
        stops = np.concatenate([-powers[::-1], [0.0], powers])
    return list(zip(stops[:-1].tolist(), stops[1:].tolist(), strict=True))


def _distance(low: Real, high: Real, ends: set[float]) -> Real:
    """Distance of panels from the nearest end point."""
    out = np.full(low.shape, np.inf)
    for end in ends:
        out = np.minimum(out, np.maximum(np.maximum(low - end, end - high), 0.0))
    return out


def _confirmed(
    density: Callable[[Real], Real], low: Real, high: Real, coefficients: Real, tolerance: Real
) -> NDArray[np.bool_]:
    """Whether the series also agrees with the density at other points (a narrow peak may hide between nodes)."""
    y = np.linspace(-0.987, 0.981, 31)
    half = 0.5 * (high - low)
    x = (low + half)[:, None] + half[:, None] * y
    values = density(x.ravel()).reshape(x.shape)
    gap = np.max(np.abs(np.polynomial.legendre.legval(y, coefficients.T) - values), axis=1)
    return np.asarray((gap <= tolerance * np.max(np.abs(values), axis=1)) | (gap * half <= 1e-15))


def _diverges(values: Real, at_low: bool) -> bool:
    """Whether the density grows towards the end point by more than a smooth function would."""
    return bool(values[0] > 1.5 * values[-1] if at_low else values[-1] > 1.5 * values[0])


def _stub(density: Callable[[Real], Real], low: float, high: float, *, at_low: bool) -> tuple[float, float]:
    """Centre and mass of ``c |x - end|^power`` through two values in the panel; infinite mass where it has none."""
    width = high - low
    x = low + width * (np.array([0.25, 0.75]) if at_low else np.array([0.75, 0.25]))
    offset = x - low if at_low else high - x
    first, second = density(x)
    power = math.log(second / first) / math.log(offset[1] / offset[0])
    if not power > -1.0:
        return (low if at_low else high), math.inf
    mass = first * offset[0] / (1.0 + power) * (width / offset[0]) ** (1.0 + power)
    centre = width * (1.0 + power) / (2.0 + power)
    return (low + centre if at_low else high - centre), float(mass)


def _second_kind(c: Real, to_low: Complex, to_high: Complex, *, derivative: bool) -> Complex:
    """``-2 sum_k c_k Q_k(y)`` (or its derivative), ``y = to_low - 1 = to_high + 1``, one row of c a point."""
    y: Complex = np.asarray(0.5 * (to_low + to_high), dtype=np.complex128)
    q_zero: Complex = np.asarray(0.5 * (np.log(to_low) - np.log(to_high)), dtype=np.complex128)
    if not derivative:
        return _from_nearer_end(c, to_low, to_high, q_zero)
    q_before, q_here = q_zero, y * q_zero - 1.0
    d_before: Complex = np.asarray(-1.0 / (to_low * to_high), dtype=np.complex128)
    d_here: Complex = q_before + y * d_before
    total = np.asarray(c[:, 0] * d_before + c[:, 1] * d_here, dtype=np.complex128)
    for k in range(1, c.shape[1] - 1):
        q_next = ((2 * k + 1) * y * q_here - k * q_before) / (k + 1)
        d_next = d_before + (2 * k + 1) * q_here
        total += c[:, k + 1] * d_next
        q_before, q_here, d_before, d_here = q_here, q_next, d_here, d_next
    return -2.0 * total


def _from_nearer_end(c: Real, to_low: Complex, to_high: Complex, q_zero: Complex) -> Complex:
    """``-2 sum_k c_k Q_k`` whose imaginary part keeps its digits where the density vanishes at an end of its panel.

    With the distance s to the end ``y = sigma`` in units of half a panel, ``d_k = sigma^k Q_k - Q_0`` obeys
    ``(k + 1) d_{k+1} = (2 k + 1) ((1 - s) d_k - s Q_0) - k d_{k-1}`` and is small with s.
    """
    low = np.abs(to_low) < np.abs(to_high)
    s = np.where(low, to_low, -to_high)
    c = np.where(low[:, None], c * (-1.0) ** np.arange(c.shape[1]), c)  # the density at the end is their sum
    at_end = c.sum(axis=1)
    at_end = np.where(np.abs(at_end) <= 1e-14 * np.abs(c).sum(axis=1), 0.0, at_end)
    before, here = np.zeros_like(q_zero), np.where(low, 1.0, -1.0) - s * q_zero
    total = np.asarray(at_end * q_zero + c[:, 1] * here, dtype=np.complex128)
    for k in range(1, c.shape[1] - 1):
        before, here = here, ((2 * k + 1) * ((1.0 - s) * here - s * q_zero) - k * before) / (k + 1)
        total += c[:, k + 1] * here
    return -2.0 * total


@cache
def _gauss(n: int) -> tuple[Real, Real]:
    nodes, weights = np.polynomial.legendre.leggauss(n)
    return nodes, weights


@cache
def _to_legendre() -> Real:
    """Matrix from values at the Gauss nodes to Legendre coefficients."""
    # the inverse matrix is better conditioned than the sums with the weights, whose last digits are rounded
    return np.asarray(np.linalg.inv(np.polynomial.legendre.legvander(_gauss(_TERMS)[0], _TERMS - 1)).T)
