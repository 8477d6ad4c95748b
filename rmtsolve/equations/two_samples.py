"""Two sample covariances: the F-matrix ``S2^(-1) S1`` and the share ``A (A + B)^(-1)``, A = c2 S1, B = c1 S2.

S1 has the population H and ``p/n1 -> c1``, S2 is white with ``p/n2 -> c2``. The resolvent of ``S1 - z S2`` is that of
``t alpha - z beta``, so that with ``w = z beta/alpha`` and ``K(w) = int t H(dt) / (t - w) = 1 + w m_H(w)``

    alpha = 1 - c1 K,     beta = 1 - c2 + c2 K,     z = w alpha/beta,     z m(z) = K - 1 = w m_H(w):

z is an explicit function of w (``c2 = 0`` is the sample covariance). For the share ``theta = z/(z + k)``, k = c1/c2,
the same holds with ``v = w/(w + s)``, the s > 0 with z(-s) = -k chosen so that theta = infinity at v = infinity, and

    theta = s v alpha / S,     S = s v alpha + k (1 - v) beta,     theta (1 - theta) m(theta) = K - (1 - theta),

which needs no inverse of B: theta = 1, an atom where c2 > 1, is the zero of beta. Both z and theta are (N0 + N1 K)/S
with linear N0, N1 and S, so that a discrete H is solved from its edges (`anchored`).

Unknowns of the plain map are the normalised traces ``e1 = tr S1-population R`` and ``e2 = tr R`` of the resolvent R of
``a S1 - b S2`` (a = 1, b = z, or a = c2 (1 - theta), b = c1 theta),

    e1 = K(w) / alpha',  e2 = m_H(w) / alpha',   w = beta'/alpha',   1/alpha' = 1/a + c1 e1,  1/beta' = 1/b - c2 e2,

a map of pairs of points of the upper half-plane that brings any two closer: a root with Im e1, Im e2 > 0 is physical.
The state is (e1, e2, m): m follows from the other two, but not to all digits where a ratio is extreme.
As ``int log(z - x) = int log(w - t) dH + (1 - 1/c1) log alpha - (1/c2) log beta`` up to a constant, the mass of a
bulk is that of H between its critical points, less the atoms at the ends.

Source: derived; for white H K. Wachter, Ann. Statist. 8 (1980) 937, else S. Zheng, Z. Bai, J. Yao, Ann. Statist. 43
(2015) 546 in other unknowns.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _validate
from ..measures.base import Atoms, Measure
from ..status import Status
from .anchored import Anchors, Roots, replaced
from .base import Equation, Sweep
from .composition import CompositionEquation
from .composition_edges import Edge, _edge
from .high_precision import transform_precisely
from .operands import remark, stand_in
from .pole_sums import resolvent_sum, unit_of
from .two_samples_edges import critical_points, level_below, outer_zeros, share_scale
from .two_samples_path import follow
from .two_samples_read import Solved, bound, read, state_of

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]
Index = NDArray[np.int64]
Flags = NDArray[np.bool_]

_EPS = float(np.finfo(float).eps)
_FAR = 20.0  # reaches of H beyond which K is summed from moments: 1 + w m_H would lose |w|
_TERMS = 14


class TwoSamplesEquation(CompositionEquation):
    """The equation of this module; the state is (e1, e2, m).

    Parameters
    ----------
    population : Measure
        H, on [0, inf), of bounded support.
    ratio1, ratio2 : float
        c1 and c2; for the F-matrix c2 < 1.
    share : bool
        Whether it is that of ``A (A + B)^(-1)``.
    """

    def __init__(self, population: Measure, ratio1: float, ratio2: float, *, share: bool = False) -> None:
        Equation.__init__(
            self, self._map, lambda z, state: state[:, 2], shape=(3,), start=self._begin, name="two samples"
        )
        self.kind, self.origin, self.scale = "two samples", False, ratio1
        self.population = stand_in(population)
        self.remarks = remark(population, "the population")
        self.ratio1, self.ratio2, self.share_of = ratio1, ratio2, share
        self.weight = ratio1 / ratio2  # k
        at, mass = self.population.atoms
        self.empty = float(mass[at == 0.0].sum())
        # what the weights of the sum over poles miss of the mass that they stand for, over eps
        missing = 1 - Fraction(self.empty) - sum(map(Fraction, mass[at > 0.0].tolist()))
        self.defect = 0.0 if self.population.edges.size else float(abs(missing)) / _EPS
        self.blur = self.defect + (4.0 if share else 1.0)  # with the rounding of the weights of K and of its poles
        ends = np.concatenate([self.population.edges, at])
        self.reach = float(np.max(np.abs(ends)))
        self.unit = 1.0 if share or self.population.edges.size else unit_of(self.reach)
        self.stretch = share_scale(self) if share else 1.0  # s

    # ------------------------------------------------------------------ the map, for the generic methods
    def _transform(self, w: Any) -> Any:
        """m_H on both half-planes, also at mpmath numbers."""
        if w.dtype == object:
            return transform_precisely(self.population, w)
        return self._of_population(w)

    def _unfold(self, z: Any, state: Any) -> tuple[Any, Any, Any, Any]:
        """1 + a c1 e1, 1 - b c2 e2, a and b."""
        one = 1.0 + 0.0 * z
        a, b = (self.ratio2 * (one - z), self.ratio1 * z) if self.share_of else (one, z)
        return one + a * self.ratio1 * state[:, 0], one - b * self.ratio2 * state[:, 1], a, b

    def _map(self, z: Any, state: Any) -> Any:
        first, second, a, b = self._unfold(z, state)
        w = b * first / (second * a)
        inner = self._transform(w)
        m = state[:, 1] / second
        m = self.ratio2 * state[:, 0] / first + self.ratio1 * m if self.share_of else m
        return np.stack([(1.0 + w * inner) * first / a, inner * first / a, m], axis=1)

    def _begin(self, z: Complex) -> Complex:
        if self.share_of:
            return np.full((z.size, 3), 1j)
        size = np.abs(z) + self.reach
        return np.stack([1j * self.reach / size, 1j / size, 1j / size], axis=1)

    # ------------------------------------------------------------------ the inverse map
    @cached_property
    def parameters(self) -> Real:
        """Those of the kernel: ``N = n v alpha`` and ``S = k beta + s v (K - K_0)``.

        K_0 is the value of K at infinity, where S is finite: that defines the s of the share.
        """
        c1, c2, s, k = self.ratio1, self.ratio2, self.stretch, self.weight
        if not self.share_of:
            return np.array([0.0, 1.0, c1, 1.0, 1.0 - c2, c2, 0.0])
        return np.array([level_below(self, s), s, c1, k, 1.0 - c2, c2, -s * c1 - k * c2])

    def w_of(self, v: Any) -> Any:
        """w from v."""
        if not self.share_of:
            return v
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.stretch * v / (1.0 - v)

    def levels(self, v: Complex) -> tuple[Complex, Complex]:
        """K and K' by v: a sum over poles, or from the transform of H."""
        if not self.population.edges.size:
            poles, weights, _ = self._sums
            first = self.parameters[0] - resolvent_sum(0.0, v / self.unit, poles, weights, 1)
            return first, resolvent_sum(0.0, v / self.unit, poles, weights, 2) / self.unit
        w = self.w_of(v)
        with np.errstate(all="ignore"):
            level, rate = self.levels_of(w)
            if self.share_of:
                rate = np.where(v == 1.0, self._moments[0] / self.stretch, rate * self.stretch / (1.0 - v) ** 2)
        return level, rate

    def levels_of(self, w: Complex) -> tuple[Complex, Complex]:
        """K and K' by w, from the transform of H, or its moments where that loses the digits of K."""
        w = np.where(w == 0.0, -1e-10 * self.reach, w)
        m, slope = self._of_population(w), self._of_population(w, derivative=True)
        level, rate = 1.0 + w * m, m + w * slope
        far = np.flatnonzero(~(np.abs(w) < _FAR * self.reach))
        if far.size:
            inverse = np.where(np.isfinite(w[far]), 1.0 / w[far], 0.0)
            power = np.arange(1, _TERMS + 1)
            terms = self._moments * inverse[:, None] ** power
            level[far] = -terms.sum(axis=1)
            rate[far] = (power * terms).sum(axis=1) * inverse
        return level, rate

    @cached_property
    def _moments(self) -> Real:
        return np.array([self.population.moment(k) for k in range(1, _TERMS + 1)])

    def pieces(self, v: Complex, level: Complex) -> tuple[Complex, Complex]:
        """N and S."""
        start, n, c1, k, b0, b1, s = self.parameters
        return n * v * (1.0 - c1 * level), k * (b0 + b1 * level) + s * v * (level - start)

    def image(self, u: Complex) -> tuple[Complex, Complex]:
        """F(v) and F'(v)."""
        start, n, c1, k, _, b1, s = self.parameters
        with np.errstate(all="ignore"):
            level, rate = self.levels(u)
            top, bottom = self.pieces(u, level)
            one = n * (1.0 - c1 * (level + u * rate))
            two = k * b1 * rate + s * (level - start + u * rate)
            return top / bottom, (one * bottom - top * two) / bottom**2

    # ------------------------------------------------------------------ what is known
    @property
    def gap(self) -> float:
        """``1 - c1 (1 - h0)``; zero when rounding cannot tell."""
        value = 1.0 - self.ratio1 * (1.0 - self.empty)
        return 0.0 if abs(value) <= 4.0 * _EPS else value

    @cached_property
    def size(self) -> float:
        """Length scale of the unknown."""
        return 1.0 if self.share_of else self.reach

    @cached_property
    def walls(self) -> list[tuple[float, float]]:
        """Closed intervals of v that hold the singular points of K."""
        at = self.population.atoms.locations
        pieces = [*self.population.edges.reshape(-1, 2).tolist(), *([t, t] for t in at[at > 0.0].tolist())]
        if self.share_of:
            pieces = [[t / (t + self.stretch) for t in piece] for piece in pieces]
        merged: list[tuple[float, float]] = []
        for left, right in sorted(pieces):
            if merged and left <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(merged[-1][1], right))
            else:
                merged.append((left, right))
        return merged

    @cached_property
    def _critical(self) -> tuple[list[float], list[bool]]:
        return critical_points(self)

    @cached_property
    def ends(self) -> tuple[float, float]:
        """Where alpha = 0 left and beta = 0 right of all walls, the atoms of the law at 0 and 1 if there are any."""
        return outer_zeros(self)

    @cached_property
    def pins(self) -> Real:
        """The v of hard edges."""
        return np.array([v for v, hard in zip(*self._critical, strict=True) if hard])

    @cached_property
    def anchors(self) -> Anchors | None:
        """The edges of a discrete H, in the unit of the equation."""
        if self.population.edges.size:
            return None
        from .._kernels.anchored_edges import SAMPLES

        poles, weights, _ = self._sums
        critical, hard = self._critical
        return Anchors(SAMPLES, poles, weights, self.parameters, [v / self.unit for v in critical], hard)

    @cached_property
    def _sums(self) -> tuple[Real, Real, Real]:
        """Poles, weights of K and weights of the moving part of m, in units."""
        at, mass = self.population.atoms
        at, mass = at[at > 0.0] / self.unit, mass[at > 0.0]
        if not self.share_of:
            return at, mass * at, mass
        tau, rest = at / (at + self.stretch), self.stretch / (at + self.stretch)
        return tau, mass * tau * rest, mass * rest

    @cached_property
    def table(self) -> list[Edge]:
        """Edges from left to right."""
        if self.anchors is not None:
            pairs = zip(self.unit * self.anchors.critical, self.unit * self.anchors.edges, strict=True)
            return [Edge(float(w), float(e), np.empty(0), 1.0, 0.0) for w, e in pairs]
        edges = [_edge(self, v, self.walls) for v in self._critical[0]]
        return [
            e._replace(location=float(round(e.location))) if h else e
            for e, h in zip(edges, self._critical[1], strict=True)
        ]

    def find_atoms(self) -> Atoms:
        """At 0 what A leaves, for the share at 1 what B leaves."""
        pairs = [(0.0, max(self.empty, 1.0 - 1.0 / self.ratio1)), (1.0, 1.0 - 1.0 / self.ratio2)]
        kept = [(at, mass) for at, mass in pairs if mass > 0.0]
        at, mass = np.array(kept).reshape(-1, 2).T
        return Atoms(_validate.read_only(at.copy()), _validate.read_only(mass.copy()))

    # ------------------------------------------------------------------ solving
    def solve_points(self, z: Complex) -> Solved:
        """Points with Im z >= 0; at real z of a bulk the boundary values from above."""
        if self.anchors is not None:
            return self.solve_offsets(*self.anchors.locate(z / self.unit), z / self.unit)
        v = np.empty(z.size, dtype=np.complex128)
        status, steps = np.zeros(z.size, dtype=np.int64), np.zeros(z.size, dtype=np.int64)
        edges = self.find_edges()
        position = np.searchsorted(edges, z.real)
        outside = (z.imag == 0.0) & ((position % 2 == 0) | np.isin(z.real, edges))
        for i in np.flatnonzero(outside):
            v[i] = self._real_root(float(z.real[i]))
        rest = np.flatnonzero(~outside)
        if rest.size:
            nearest = np.clip(np.searchsorted(0.5 * (edges[1:] + edges[:-1]), z.real[rest]), 0, edges.size - 1)
            delta, found = self.near_edge(nearest, z[rest] - edges[nearest])
            v[rest] = np.array([edge.critical for edge in self.table])[nearest] + delta
            found &= self.physical(z[rest], v[rest])
            far = rest[~found]
            if far.size:
                v[far], status[far], steps[far] = follow(self, z[far])
        return self.read_off(z, v, status, steps)

    def solve_offsets(self, index: Index, y: Complex, z: Complex) -> Solved:
        """The same for a discrete H at ``edges[index] + y``, about z, all in the unit of the equation."""
        anchors = self.anchors
        assert anchors is not None
        roots = anchors.solve(index, y)
        bulk = ~anchors.outside(index, y) & (y != 0.0)
        good = (roots.status == 0) & self.physical(z * self.unit, (roots.base + roots.delta) * self.unit)
        wrong = np.flatnonzero(bulk & ~good)
        if wrong.size:
            start, _, steps = follow(self, z[wrong] * self.unit)
            other = anchors.solve(index[wrong], y[wrong], start / self.unit)
            roots = replaced(roots, wrong, other._replace(n_steps=other.n_steps + steps))
            fine = self.physical(z[wrong] * self.unit, (other.base + other.delta) * self.unit)
            roots.status[wrong[(other.status == 0) & ~fine]] = int(Status.WRONG_BRANCH)
        return self._at(z, roots)

    def _at(self, z: Complex, roots: Roots) -> Solved:
        poles, weights, own = self._sums
        with np.errstate(divide="ignore", invalid="ignore"):
            level = self.parameters[0] - resolvent_sum(roots.base, roots.delta, poles, weights, 1)
            moving = -resolvent_sum(roots.base, roots.delta, poles, own, 1)
        return Solved(
            z, roots.base, roots.delta, roots.rise, roots.edge, level, moving, roots.slope, roots.status,
            roots.n_steps, roots.residual, roots.radius,
        )  # fmt: skip

    def read_off(self, z: Complex, v: Complex, status: Index, steps: Index) -> Solved:
        """What belongs to points v of an H that is not discrete."""
        with np.errstate(all="ignore"):
            level, _ = self.levels(v)
            moving = self.moving(v, level)
            value, slope = self.image(v)
            _, bottom = self.pieces(v, level)
            rest = np.abs(value - z)
            radius = (rest + 8.0 * _EPS * (np.abs(z) + np.abs(v))) / np.abs(slope) + _EPS * np.abs(v)
            nan = np.full(z.size, complex(np.nan, np.nan))
            index = np.zeros(z.size, dtype=np.int64)
            residual = rest / np.maximum(np.abs(z), _EPS * self.size)
        return Solved(
            z, np.zeros(z.size), v, nan, index, level, moving, slope * bottom, status, steps, residual, radius
        )

    def physical(self, z: Complex, v: Complex) -> Flags:
        """Whether Im w, Im e1 and Im e2 are positive, to rounding."""
        with np.errstate(all="ignore"):
            level, _ = self.levels(v)
            factor = 1.0 - self.ratio1 * level
            own = self.moving(v, level) - self.empty / v * self.unit
            if self.share_of:
                factor, own = factor * (1.0 - z), own * (1.0 - v)
            good = v.imag > 0.0
            for part in (level, own):
                value = part * factor.conj()
                good &= value.imag > -1e-12 * np.abs(value)
        return np.asarray(good)

    def moving(self, v: Complex, level: Complex) -> Complex:
        """The moving part of a solution, in the unit of the equation."""
        if not self.population.edges.size:
            poles, _, own = self._sums
            return -resolvent_sum(0.0, v / self.unit, poles, own, 1)
        w = self.w_of(v)
        plain = (level - 1.0 + self.empty) / v
        if self.empty:
            return plain
        m = self._of_population(w)
        return np.where(np.abs(w) < self.reach, m * self.stretch / (1.0 - v) if self.share_of else m, plain)

    def sweep(self, z: Complex, start: Complex | None = None) -> Sweep:
        """Solve all points, with error bounds."""
        solved = self.solve_points(z)
        m, rounding = read(self, solved)
        status = np.where((solved.status == 0) & ~np.isfinite(m), int(Status.SINGULAR), solved.status)
        error = np.where(status == 0, bound(self, solved, m, rounding), np.nan)
        return Sweep(state_of(self, solved, m), status, solved.n_steps, solved.residual, error)
