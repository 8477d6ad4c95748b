"""Information plus noise ``S = (R + sigma X)^T (R + sigma X) / n``, R of shape (n, p), spec(R^T R / n) = H, c = p/n.

With kappa = sigma^2 c and ``a = 1 + kappa m``, ``b = 1 + sigma^2 m_`` (m_ the transform of the n x n twin of S),

    m = int H(dt) / (t/a - z b),        w = z a b,        m = a m_H(w),        q = 1/a = 1 - kappa m_H(w),

so that z is an explicit function of w: ``z = F(w) = w q^2 + d q``, ``d = sigma^2 (1 - c)``. Edges are critical points
of F with q > 0. For c > 1 the same is written for the twin, whose H_ has the non-zero part of H: then kappa is sigma^2
and ``d = sigma^2 (c - 1)``; in what follows (m1, H1, kappa, d) is the side with d >= 0.

With zeta = sqrt(z) the unknown ``g = zeta m1`` is the fixed point of

    T(g) = w1 m_H1(w1 w2),        w1 = zeta + kappa g,        w2 = w1 - d / zeta,

a holomorphic self-map of the upper half-plane for every z off the positive axis and, at its boundary, for z > 0: so any
fixed point with Im g > 0 is the physical one. The transform is read off as ``m1 = m_H1(w) / q``, which does not cancel
for weak noise, and a discrete H is solved from its edges (`anchored`), which keeps the digits of w - t. The potential
is stationary in the solution:

    int log(z - x) = int log(w - t) dH1 + (d/kappa) log a1 + (z/kappa) (a1 - 1) (a2 - 1).

Source: derived; R. Dozier, J. Silverstein, J. Multivariate Anal. 98 (2007) 678 and 1099; P. Vallet, P. Loubaton,
X. Mestre, IEEE Trans. Inf. Theory 58 (2012) 1043 for the inverse map.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..measures.base import NO_ATOMS, Atoms, Measure
from ..measures.discrete import Discrete
from ..measures.transforms import companion
from ..status import Status
from . import lockstep
from .anchored import Anchors, Roots, replaced
from .base import Equation, Sweep
from .composition import CompositionEquation
from .composition_edges import Edge, _edge
from .high_precision import transform_precisely
from .information_noise_edges import critical_points
from .operands import series_error, transform_doubt
from .pole_sums import distances, resolvent_sum, unit_of

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]
Index = NDArray[np.int64]

_EPS = float(np.finfo(float).eps)


class Solved(NamedTuple):
    """Solved points: w, ``m_H1(w)``, q, F'(w) and what the iteration said."""

    w: Complex
    inner: Complex
    q: Complex
    slope: Complex
    status: Index
    n_steps: Index
    residual: Real
    radius: Real  # length of Newton's next step in w
    roots: Roots | None = None  # for a discrete H, in the unit of the equation

    @property
    def m(self) -> Complex:
        """Transform of the solved side; its imaginary part keeps the digits of Im m_H1."""
        with np.errstate(divide="ignore", invalid="ignore"):  # infinite at a hard edge
            m = np.asarray(self.inner / self.q)
            m.imag = self.inner.imag / np.abs(self.q) ** 2
        return m


class InformationNoiseEquation(CompositionEquation):
    """The equation of this module; the state is ``g = sqrt(z) m1``.

    Parameters
    ----------
    population : Measure
        H, on [0, inf), of bounded support; for ratio > 1 with mass at least ``1 - 1/ratio`` at zero.
    noise : float
        sigma > 0, standard deviation of the noise entries.
    ratio : float
        ``p/n``.
    """

    def __init__(self, population: Measure, noise: float, ratio: float) -> None:
        Equation.__init__(
            self,
            self._map,
            self._readout_of,
            jacobian=self._map_slope,
            start=self._begin,
            name="information plus noise",
        )
        self.kind, self.origin = "information plus noise", False
        self.noise, self.ratio, self.scale = noise, ratio, ratio
        self.flipped = ratio > 1.0
        self.population = _twin(population, ratio) if self.flipped else population
        variance = noise * noise
        self.kappa = variance if self.flipped else variance * ratio
        self.drift = variance * abs(1.0 - ratio)
        self.unit = unit_of(self.size)

    # ------------------------------------------------------------------ the map, for the generic methods
    def _inner(self, w: Any) -> Any:
        """m_H1 on both half-planes, also at mpmath numbers."""
        if w.dtype == object:
            return transform_precisely(self.population, w)
        lower = w.imag < 0.0
        m = self.population._stieltjes(np.where(lower, w.conj(), w) + 0.0)
        return np.where(lower, m.conj(), m)

    def _root_of(self, z: Any) -> Any:
        """sqrt(z) in the closed upper half-plane, on the positive axis for z > 0."""
        if z.dtype == object:
            return z ** (z.flat[0] * 0 + 1) ** 0.5 if z.size == 0 else np.array([x**0.5 for x in z], dtype=object)
        root = np.sqrt(z)
        return np.where(root.imag < 0.0, -root, root)

    def _arms(self, z: Any, g: Any) -> tuple[Any, Any]:
        zeta = self._root_of(z)
        one = zeta + self.kappa * g
        return one, one - self.drift / zeta if self.drift else one

    def _map(self, z: Any, g: Any) -> Any:
        one, two = self._arms(z, g)
        return one * self._inner(one * two)

    def _image(self, z: Complex, g: Complex) -> tuple[Complex, Complex]:
        """T and T'."""
        with np.errstate(all="ignore"):
            one, two = self._arms(z, g)
            w = one * two
            lower = w.imag < 0.0
            up = np.where(lower, w.conj(), w) + 0.0
            m, slope = self.population._stieltjes(up), self.population._stieltjes_derivative(up)
            m, slope = np.where(lower, m.conj(), m), np.where(lower, slope.conj(), slope)
            return one * m, self.kappa * (m + one * slope * (one + two))

    def _map_slope(self, z: Complex, g: Complex) -> Complex:
        return self._image(z, g)[1][:, None, None]

    def _begin(self, z: Complex) -> Complex:
        return np.asarray(1j / np.sqrt(np.abs(z) + self.size), dtype=np.complex128)

    def _readout_of(self, z: Any, g: Any) -> Any:
        if z.dtype == object:
            return self._outward(z, g / self._root_of(z))
        with np.errstate(divide="ignore", invalid="ignore"):
            m1 = np.asarray(g / self._root_of(z))
        zero = z == 0.0
        if zero.any():  # g is 0 there, whatever m
            m1[zero] = self.solve_points(z[zero]).m
        return self._outward(z, m1)

    def _outward(self, z: Any, m1: Any) -> Any:
        """The transform of S from that of the solved side; infinite at its atom."""
        if not self.flipped:
            return m1
        with np.errstate(divide="ignore", invalid="ignore"):
            return (m1 + (1.0 - self.ratio) / z) / self.ratio

    # ------------------------------------------------------------------ the inverse map
    def image(self, u: Complex) -> tuple[Complex, Complex]:
        """F(w) and F'(w)."""
        with np.errstate(all="ignore"):
            q = 1.0 - self.kappa * self.population._stieltjes(u)
            rate = -self.kappa * self.population._stieltjes_derivative(u)
            return q * (u * q + self.drift), q * q + (2.0 * u * q + self.drift) * rate

    @cached_property
    def size(self) -> float:
        """Length scale of the unknown."""
        ends = np.concatenate([self.population.edges, self.population.atoms.locations])
        return float(np.max(np.abs(ends))) + self.kappa + self.drift

    @cached_property
    def anchors(self) -> Anchors | None:
        """The edges of a discrete H, in the unit of the equation."""
        if self.population.edges.size:
            return None
        from .._kernels.anchored_edges import NOISE

        (at, mass), unit = self.population.atoms, self.unit
        critical, hard = self._critical
        flags = [hard and i == 0 for i in range(len(critical))]
        parameters = np.array([self.kappa, self.drift]) / unit
        return Anchors(NOISE, at / unit, mass, parameters, [w / unit for w in critical], flags)

    @cached_property
    def pins(self) -> Real:
        """The w where q = 0, if that is a hard edge: for c = 1 when it is negative."""
        critical, hard = self._critical
        return np.array(critical[:1]) if hard else np.empty(0)

    @cached_property
    def _critical(self) -> tuple[list[float], bool]:
        return critical_points(self)

    @cached_property
    def table(self) -> list[Edge]:
        """Edges from left to right."""
        if self.anchors is not None:
            pairs = zip(self.unit * self.anchors.critical, self.unit * self.anchors.edges, strict=True)
            return [Edge(float(w), float(e), np.empty(0), 1.0, 0.0) for w, e in pairs]
        edges = [_edge(self, w, self.walls) for w in self._critical[0]]
        if self._critical[1]:
            edges[0] = edges[0]._replace(location=0.0)
        return edges

    def find_atoms(self) -> Atoms:
        """The zeros that n < p leaves; noise fills everything else."""
        return Atoms(np.zeros(1), np.array([1.0 - 1.0 / self.ratio])) if self.flipped else NO_ATOMS

    def rate(self, solved: Solved) -> Complex:
        """``m_H1'(w)``."""
        if solved.roots is None:
            return self.population._stieltjes_derivative(solved.w)
        assert self.anchors is not None
        where = (solved.roots.base, solved.roots.delta)
        return resolvent_sum(*where, self.anchors.poles, self.anchors.weights, 2) / self.unit / self.unit

    # ------------------------------------------------------------------ solving
    def solve_points(self, z: Complex) -> Solved:
        """Points with Im z >= 0; at real z of a bulk the boundary values from above."""
        if self.anchors is not None:
            return self.solve_offsets(*self.anchors.locate(z / self.unit))
        w = np.empty(z.size, dtype=np.complex128)
        status, steps = np.zeros(z.size, dtype=np.int64), np.zeros(z.size, dtype=np.int64)
        edges = self.find_edges()
        position = np.searchsorted(edges, z.real)
        outside = (z.imag == 0.0) & ((position % 2 == 0) | np.isin(z.real, edges))
        for i in np.flatnonzero(outside):
            w[i] = self._real_root(float(z.real[i]))
        rest = np.flatnonzero(~outside)
        if rest.size:
            nearest = np.clip(np.searchsorted(0.5 * (edges[1:] + edges[:-1]), z.real[rest]), 0, edges.size - 1)
            delta, found = self.near_edge(nearest, z[rest] - edges[nearest])
            w[rest] = np.array([edge.critical for edge in self.table])[nearest] + delta
            far = rest[~found]
            if far.size:
                w[far], status[far], steps[far] = self._iterated(z[far])
        return self._read_off(z, w, status, steps)

    def solve_offsets(self, index: Index, y: Complex) -> Solved:
        """The same for a discrete H at ``edges[index] + y``, both in the unit of the equation."""
        anchors, unit = self.anchors, self.unit
        assert anchors is not None
        roots = anchors.solve(index, y)
        solved = self._at(roots)
        z = (anchors.edges[index] + y) * unit
        bulk = ~anchors.outside(index, y) & (y != 0.0)  # at an edge itself the root is real
        wrong = np.flatnonzero(bulk & ((roots.status != 0) | ~self._physical(z, solved)))
        if wrong.size:
            start, _, steps = self._iterated(z[wrong])
            other = anchors.solve(index[wrong], y[wrong], start / unit)
            roots = replaced(roots, wrong, other._replace(n_steps=other.n_steps + steps))
            solved = self._at(roots)
            fine = self._physical(z, solved)[wrong]
            roots.status[wrong[(roots.status[wrong] == 0) & ~fine]] = int(Status.WRONG_BRANCH)
        return solved

    def _at(self, roots: Roots) -> Solved:
        """What belongs to roots w."""
        anchors, unit = self.anchors, self.unit
        assert anchors is not None
        kappa, level = self.kappa / unit, anchors.level[roots.edge]
        with np.errstate(divide="ignore", invalid="ignore"):
            inner = -resolvent_sum(roots.base, roots.delta, anchors.poles, anchors.weights, 1)
        # 1 - kappa m_H, or from the critical point where that is small
        small = np.abs(1.0 - kappa * level) + kappa * np.abs(roots.rise) < 1.0 + kappa * np.abs(inner)
        first = np.where(small, self._share_at_edges[roots.edge] - kappa * roots.rise.real, 1.0 - kappa * inner.real)
        q = first - 1j * (kappa * inner.imag)
        own = (roots.status, roots.n_steps, roots.residual, roots.radius * unit)
        with np.errstate(invalid="ignore"):  # roots that were not found, which the status tells
            return Solved((roots.base + roots.delta) * unit, inner / unit, q, roots.slope, *own, roots)

    @cached_property
    def _share_at_edges(self) -> Real:
        """q at the critical points."""
        from .._kernels.anchored_edges import B_E

        assert self.anchors is not None
        return np.array(self.anchors.rows[:, B_E])

    def _physical(self, z: Complex, solved: Solved) -> NDArray[np.bool_]:
        with np.errstate(invalid="ignore"):  # at a hard edge
            return np.asarray((solved.w.imag > 0.0) & ((self._root_of(z) * solved.m).imag > 0.0))

    def _iterated(self, z: Complex) -> tuple[Complex, Index, Index]:
        """w by iteration of T alone; real z must be in a bulk."""
        points = lockstep.solve_upper(lambda rows, g: self._image(z[rows], g), self._begin(z))
        one, two = self._arms(z, points.v)
        return one * two, points.status, points.n_steps

    def _read_off(self, z: Complex, w: Complex, status: Index, steps: Index) -> Solved:
        """What belongs to points w of an H that is not discrete."""
        with np.errstate(all="ignore"):
            inner = self._inner(w)
            q = 1.0 - self.kappa * inner
            if self.drift == 0.0:  # z = w q^2, which does not cancel where q vanishes
                root = np.sqrt(z / w)
                q = np.where((root / q).real < 0.0, -root, root)
                inner = np.where(np.abs(q) < 0.5, (1.0 - q) / self.kappa, inner)
            value, slope = self.image(w)
            rest = np.abs(value - z)
            reach = np.abs(q) + self.kappa / self._clearance(w)
            rounding = 8.0 * _EPS * reach * (np.abs(w) * np.abs(q) + self.drift)
            radius = (rest + rounding) / np.abs(slope) + _EPS * np.abs(w)
            return Solved(w, inner, q, slope, status, steps, rest / np.maximum(np.abs(z), _EPS * self.size), radius)

    def _clearance(self, w: Complex) -> Real:
        """Distance of w to the singular points of F."""
        near = np.full(w.size, np.inf)
        for left, right in self.walls:
            near = np.minimum(near, np.hypot(np.maximum(np.maximum(left - w.real, w.real - right), 0.0), w.imag))
        return near

    def sweep(self, z: Complex, start: Complex | None = None) -> Sweep:
        """Solve all points, with error bounds."""
        solved = self.solve_points(z)
        m = solved.m
        status = np.where((solved.status == 0) & ~np.isfinite(m), int(Status.SINGULAR), solved.status)
        bound = np.where(status == 0, self._bound(z, solved, m), np.nan)
        with np.errstate(invalid="ignore"):  # 0 inf at a hard edge
            return Sweep(m * self._root_of(z), status, solved.n_steps, solved.residual, bound)

    def _bound(self, z: Complex, solved: Solved, m: Complex) -> Real:
        """Bound on the error of the transform by Smale's alpha test for F.

        ``|q^(k)/k!| <= kappa M / near^(k-1)``, M the mass of ``1/|t - w|^2`` and `near` the distance to the poles, and
        so ``|F^(k)/k!| <= A k / near^(k-1)`` with the A below.
        """
        with np.errstate(all="ignore"):
            w, q, kappa = solved.w, np.abs(solved.q), self.kappa
            if solved.roots is not None:
                first, second, near = (
                    part / self.unit**k for k, part in zip((1, 2, -1), self._sizes(solved), strict=True)
                )
                reading = (8.0 + self.population.atoms.weights.size) * _EPS * first
                level = kappa * np.abs(solved.roots.rise) / self.unit
                share = _EPS * np.minimum(
                    1.0 + kappa * first, np.abs(self._share_at_edges[solved.roots.edge]) + 4.0 * level
                )
                radius = solved.radius + 2.0 * _EPS * np.abs(solved.roots.delta) * self.unit
            else:
                near = self._clearance(w)
                rate = np.abs(self.population._stieltjes_derivative(w))
                second = np.where(w.imag > 0.0, solved.inner.imag / w.imag, rate)
                doubt = transform_doubt(self.population.support, series_error(self.population), w)
                reading = 8.0 * _EPS * np.abs(solved.inner) + doubt
                share, radius = 4.0 * _EPS + kappa * reading, solved.radius
            # kappa and d are products of what was given, rounded
            given = 2.0 * np.abs(w) * q * kappa * np.abs(solved.inner)
            given += self.drift * (q + kappa * np.abs(solved.inner))
            radius = radius + 3.0 * _EPS * given / np.abs(solved.slope)
            spread = kappa * second
            growth = (np.abs(w) + near) * (2.0 * q * spread + near * spread**2) + self.drift * spread
            gamma = 2.0 * np.maximum(1.0, growth / np.abs(solved.slope)) / near
            radius = np.where(radius * gamma < 0.157, 2.0 * radius, np.nan)
            change = second * radius / np.maximum(1.0 - radius / near, 0.0) ** 2
            bound = change / (q * np.maximum(q - kappa * change, 0.0)) + reading / q + 8.0 * np.abs(m) * share / q
            if self.flipped:
                bound = bound / self.ratio + 4.0 * _EPS * (1.0 - 1.0 / self.ratio) / np.abs(z)
            return np.where(np.isfinite(bound), bound, np.nan)

    def _sizes(self, solved: Solved) -> tuple[Real, Real, Real]:
        """Means of ``1/|t - w|`` and ``1/|t - w|^2`` under a discrete H, and the least ``|t - w|``; in units."""
        assert solved.roots is not None and self.anchors is not None
        roots, mass = solved.roots, self.anchors.weights
        first, second, near = np.empty(roots.base.size), np.empty(roots.base.size), np.empty(roots.base.size)
        for part, real in distances(roots.base, roots.delta, self.anchors.poles):
            far = np.hypot(real, roots.delta.imag[part, None])
            first[part], second[part], near[part] = (1.0 / far) @ mass, far**-2.0 @ mass, far.min(axis=1)
        return first, second, near


def _twin(population: Measure, ratio: float) -> Measure:
    """Law of ``R R^T / n`` from that of ``R^T R / n``, ratio > 1; its atom at zero is what the others leave."""
    if population.edges.size:
        return companion(population, ratio)
    at, mass = population.atoms
    moved = ratio * mass[at != 0.0]
    left = float(1 - Fraction(ratio) * sum(map(Fraction, mass[at != 0.0].tolist())))
    if left <= 8.0 * _EPS:
        return Discrete(at[at != 0.0], moved / np.sum(moved))
    return Discrete(np.append(at[at != 0.0], 0.0), np.append(moved, left))
