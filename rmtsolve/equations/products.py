"""Products of Wishart matrices: ``S = Y^T Y``, ``Y = X_k ... X_1``, X_i of shape (n_i, n_(i-1)), c_i = p/n_i, n_0 = p.

The S-transform is ``prod 1/(1 + c_i w)``, so with ``w = -1 - z m(z)`` and ``u = 1/w``, Im u > 0,

    z = F(u) = (1 + u) prod_i (1 + c_i / u),        m = -u^(k-1) / prod_i (u + c_i).

All ratios one is the Fuss-Catalan law. With M the largest of ``c_0 = 1, c_1, ..., c_k`` there is an atom ``1 - 1/M`` at
zero. The law has one bulk; u jumps over its two critical points. If M is taken nu > 1 times, the left edge is 0 and the
density there like ``x^(1/nu - 1)``; else the left edge is a critical point between -M and the next one. The unknown and
state is the offset ``s = u + M``: next to z = 0 the factors ``u + c_i = s + (c_i - M)`` then keep their digits.
The physical root is the one whose arguments add up, ``sum_j arg(u + c_j) - k arg u = arg z`` (not up to 2 pi): along
the ray of a given arg w the sum is monotone, which leaves one point of every ray. The potential is explicit:

    int log(z - x) = sum_i [w + (1 - 1/c_i) log(1 + c_i w)] - log w.

Source: derived; R. Mueller, IEEE Trans. Inf. Theory 48 (2002) 2086; Z. Burda, A. Jarosz, G. Livan, M. Nowak, A. Swiech,
Phys. Rev. E 82 (2010) 061114; K. Penson, K. Zyczkowski, Phys. Rev. E 83 (2011) 061118 for the Fuss-Catalan law.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..measures.base import NO_ATOMS, Atoms
from ..status import Status
from .base import Equation, Sweep
from .composition import CompositionEquation
from .composition_edges import Edge, _edge

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]
Index = NDArray[np.int64]

_EPS = float(np.finfo(float).eps)
_POLISH = 30  # Newton steps at most; two or three are usual
_RAYS = 60  # bisections


class WishartProductEquation(CompositionEquation):
    """The equation of this module; the state is s.

    Parameters
    ----------
    ratios : ndarray
        The c_i, each positive.
    """

    def __init__(self, ratios: Real) -> None:
        Equation.__init__(
            self,
            self._map,
            lambda z, s: self._readout_of(s),
            start=lambda z: z + 1j * np.abs(z),
            name="Wishart product",
        )
        self.kind, self.origin, self.scale = "Wishart product", False, 1.0
        self.ratios = ratios
        self.levels = np.concatenate([[1.0], ratios])
        self.order = ratios.size
        self.top = float(self.levels.max())
        self.shifts = self.levels - self.top
        self.multiplicity = int(np.sum(self.levels == self.top))
        self.size = float(np.prod(1.0 + ratios)) + self.top

    def _map(self, z: Any, s: Any) -> Any:
        u = s - self.top
        for shift in self.shifts[1:]:
            z = z * u / (s + shift)
        return z + (self.top - 1.0)

    def _readout_of(self, s: Any) -> Any:
        m = -((s - self.top) ** (self.order - 1))
        for shift in self.shifts[1:]:
            m = m / (s + shift)
        return m

    def image(self, s: Complex) -> tuple[Complex, Complex]:
        """F and its derivative by s."""
        with np.errstate(all="ignore"):
            factors, u = s[:, None] + self.shifts, s - self.top
            rest = np.prod(factors[:, 1:] / u[:, None], axis=1)
            return factors[:, 0] * rest, rest * (
                1.0 + factors[:, 0] * ((1.0 / factors[:, 1:]).sum(axis=1) - self.order / u)
            )

    def transform(self, z: Complex, base: Real | float, delta: Complex) -> Complex:
        """Stieltjes transform at ``s = base + delta``; at real z its imaginary part keeps the digits of Im s."""
        s = base + delta
        with np.errstate(all="ignore"):
            m = np.asarray(self._readout_of(s))
            real = (z.imag == 0.0) & (s.imag > 0.0)
            m.imag[real] = s.imag[real] / (np.abs(s[real] - self.top) ** 2 * z.real[real])
        return m

    # ------------------------------------------------------------------ what is known
    @cached_property
    def walls(self) -> list[tuple[float, float]]:
        """The zeros and the pole of F: a circle about an edge that holds none has F to its own digits."""
        return [(float(s), float(s)) for s in (*np.unique(-self.shifts), self.top)]

    @cached_property
    def pins(self) -> Real:
        """The hard edge."""
        return np.zeros(1 if self.multiplicity > 1 else 0)

    @cached_property
    def critical(self) -> Real:
        """The s of the two edges."""
        return np.array([edge.critical for edge in self.table])

    @cached_property
    def table(self) -> list[Edge]:
        """The two edges."""
        from scipy.optimize import brentq

        levels, shifts, k = self.levels, self.shifts, self.order

        def rate(u: float) -> float:
            return float(u * np.sum(1.0 / (u + levels)) - k)

        high = 1.0
        while rate(high) < 0.0:
            high *= 2.0
        right = _edge(self, brentq(rate, 0.0, high, xtol=1e-300, rtol=4.0 * _EPS) + self.top, self.walls)
        if self.multiplicity > 1:  # of order nu, next to a zero of F: no series
            return [_edge(self, 0.0, self.walls)._replace(location=0.0), right]
        gap = -float(np.sort(shifts)[-2])

        def offset_rate(s: float) -> float:
            return float((s - self.top) * np.sum(1.0 / (s + shifts)) - k)

        s = brentq(offset_rate, 1e-9 * gap, (1.0 - 1e-9) * gap, xtol=1e-300, rtol=4.0 * _EPS)
        location = float(np.prod((s + shifts[1:]) / (s - self.top)) * (s + shifts[0]))
        return [_edge(self, s, self.walls)._replace(location=location), right]

    def find_atoms(self) -> Atoms:
        """The zeros of the narrowest factor."""
        return Atoms(np.zeros(1), np.array([1.0 - 1.0 / self.top])) if self.top > 1.0 else NO_ATOMS

    # ------------------------------------------------------------------ solving
    def angles(self, s: Complex) -> Real:
        """``sum_j arg(u + c_j) - k arg u``, which is arg z at the physical root."""
        total = -self.order * np.angle(s - self.top)
        for shift in self.shifts:
            total = total + np.angle(s + shift)
        return np.asarray(total)

    def near_edge(self, index: Index, y: Complex) -> tuple[Complex, NDArray[np.bool_]]:
        """As for every composition, but other roots have Im u > 0 too: the arguments decide."""
        delta, found = super().near_edge(index, y)
        found &= np.abs(self.angles(self.critical[index] + delta) - np.angle(self.find_edges()[index] + y)) < 1.0
        return delta, found

    def solve_points(self, z: Complex) -> tuple[Complex, Index, Index]:
        """s at points with Im z >= 0, with status and numbers of steps; real where z is off the support."""
        s = np.empty(z.size, dtype=np.complex128)
        status, steps = np.zeros(z.size, dtype=np.int64), np.zeros(z.size, dtype=np.int64)
        edges = self.find_edges()
        outside = (z.imag == 0.0) & ~((z.real > edges[0]) & (z.real < edges[1]))
        for i in np.flatnonzero(outside):
            s[i] = self._real_offset(float(z.real[i]))
        rest = np.flatnonzero(~outside)
        if rest.size:
            nearest = (z[rest].real > 0.5 * edges.sum()).astype(np.int64)
            delta, found = self.near_edge(nearest, z[rest] - edges[nearest])
            s[rest] = self.critical[nearest] + delta
            # a small difference is not as accurate as what was subtracted
            found &= np.abs(s[rest]) > 0.1 * np.abs(self.critical[nearest])
            far = rest[~found]
            if far.size:
                s[far], status[far], steps[far] = self.offsets(z[far])
        return s, status, steps

    def _real_offset(self, x: float) -> float:
        """The real s with ``F = x`` left or right of the bulk, where F increases."""
        from scipy.optimize import brentq

        edges = self.find_edges()
        for edge, critical in zip(edges, self.critical, strict=True):
            if x == edge:
                return float(critical)
        if x == 0.0:
            return 0.0
        end, side = (self.critical[0], -1.0) if x < edges[0] else (self.critical[1], 1.0)
        size = float(np.log(abs(x)))

        def miss(s: float) -> float:  # log F - log x, and its sign where F has another sign than x
            parts = s + self.shifts
            value = np.sum(np.log(np.abs(parts))) - self.order * np.log(abs(s - self.top)) if parts.all() else -np.inf
            return float(value) - size

        if x > edges[1]:
            far = 1.0
            while miss(end + far) < 0.0:
                far *= 4.0
            return float(end + brentq(lambda step: miss(end + step), 0.0, far, xtol=1e-300, rtol=4.0 * _EPS))
        # F passes through 0 at s = 0: x < 0 is left of it, 0 < x < edge between it and the edge
        if x > 0.0:
            return float(brentq(lambda share: miss(end * share), 1e-300, 1.0, xtol=1e-300, rtol=4.0 * _EPS) * end)
        far = 1.0
        while miss(side * far) < 0.0:
            far *= 4.0
        return float(-brentq(lambda step: miss(-step), 1e-300, far, xtol=1e-300, rtol=4.0 * _EPS))

    def sweep(self, z: Complex, start: Complex | None = None) -> Sweep:
        """Solve all points, with error bounds."""
        s, status, steps = self.solve_points(z)
        m = self.transform(z, 0.0, s)
        residual, bound = self._certificate(z, s, m)
        return Sweep(s, status, steps, residual, np.where(status == 0, bound, np.nan))

    def offsets(self, z: Complex) -> tuple[Complex, Index, Index]:
        """s with its own relative accuracy, off the real axis or inside the bulk."""
        shifts = self.shifts
        s, status, steps = self._polished(z, self._first_offsets(z, shifts))
        wrong = np.flatnonzero(status != 0)
        if wrong.size:
            s[wrong], status[wrong], more = self._polished(z[wrong], self._by_rays(z[wrong]))
            steps[wrong] += more
        return s, status, steps

    def _polished(self, z: Complex, s: Complex) -> tuple[Complex, Index, Index]:
        """Newton's iteration for ``log F = log z``."""
        status, steps = np.full(z.size, int(Status.MAX_STEPS)), np.zeros(z.size, dtype=np.int64)
        active = np.arange(z.size)
        last = np.full(z.size, np.inf)
        with np.errstate(all="ignore"):
            for _ in range(_POLISH):
                here = s[active]
                value, slope = self.image(here)
                move = np.log(value / z[active]) * value / slope
                length = np.abs(move) / np.abs(here)
                s[active] = here - move
                steps[active] += 1
                done = (length <= 4.0 * _EPS) | ((length <= 1e-9) & (length >= 0.25 * last[active]))
                last[active] = length
                status[active[done]] = int(Status.CONVERGED)
                active = active[~done]
                if active.size == 0:
                    break
            right = (s.imag > 0.0) & (np.abs(self.angles(s) - np.angle(z)) < 1.0)
        status[(status == 0) & ~right] = int(Status.WRONG_BRANCH)
        return s, status, steps

    def _by_rays(self, z: Complex) -> Complex:
        """Nested bisection: on every ray of u the point where the arguments add up; |F| falls as the ray turns left."""
        turn = np.angle(z)
        first, last = turn.copy(), np.full(z.size, np.pi)
        u = np.ones(z.size, dtype=np.complex128)
        for _ in range(_RAYS):
            middle = 0.5 * (first + last)
            low, high = np.full(z.size, -60.0), np.full(z.size, 60.0)
            for _ in range(_RAYS):
                radius = 0.5 * (low + high)
                u = self.top * np.exp(radius + 1j * middle)
                below = self.angles(u + self.top) < turn
                low, high = np.where(below, radius, low), np.where(below, high, radius)
            large = np.log(np.abs(u[:, None] + self.levels)).sum(axis=1) - self.order * np.log(np.abs(u))
            outward = large > np.log(np.abs(z))
            first, last = np.where(outward, middle, first), np.where(outward, last, middle)
        return u + self.top

    def _first_offsets(self, z: Complex, shifts: Real) -> Complex:
        """Roots of ``prod (s + shift) = z (s - M)^k`` by eigenvalues; next to z = 0 the power law."""
        degree = self.order + 1
        outer, inner = np.poly(-shifts), np.poly(np.full(self.order, self.top))
        nu = self.multiplicity
        rest = np.prod(shifts[shifts != 0.0]) if nu < degree else 1.0
        lead = abs(rest) / self.top**self.order
        power = (np.abs(z) / lead) ** (1.0 / nu) * np.exp(1j * (np.pi - (np.pi - np.angle(z)) / nu))
        clear = float(np.min(np.append(np.abs(shifts[shifts != 0.0]), self.top)))
        s: Complex = power.astype(np.complex128)
        far = np.flatnonzero(np.abs(power) > 1e-3 * clear)
        if far.size:
            rows = np.tile(outer, (far.size, 1)).astype(np.complex128)
            rows[:, 1:] -= z[far, None] * inner
            matrix = np.zeros((far.size, degree, degree), dtype=np.complex128)
            matrix[:, 0] = -rows[:, 1:]
            matrix[:, np.arange(1, degree), np.arange(degree - 1)] = 1.0
            roots = np.linalg.eigvals(matrix)
            upper: Complex = np.where(roots.imag > 0.0, roots, roots.conj()).astype(np.complex128)
            miss = np.abs(self.angles(upper.ravel()).reshape(upper.shape) - np.angle(z[far])[:, None])
            # a conjugate of a root of complex z solves nothing: only real z have them
            miss[(roots.imag <= 0.0) & (z[far].imag > 0.0)[:, None]] = np.inf
            s[far] = upper[np.arange(far.size), np.argmin(miss, axis=1)]
        return s

    def _certificate(self, z: Complex, s: Complex, m: Complex) -> tuple[Real, Real]:
        """Relative residual, and a bound on the error of m by Smale's alpha test for ``log F - log z``.

        Its k-th derivative over k! is at most ``(2 k + 1) / (k d^k)``, d the distance to -c_j and 0.
        """
        with np.errstate(all="ignore"):
            factors = s[:, None] + self.shifts
            u = s - self.top
            value = np.prod(factors[:, 1:] / u[:, None], axis=1) * factors[:, 0]
            rest = np.abs(value / z - 1.0)
            near = np.minimum(np.abs(factors).min(axis=1), np.abs(u))
            terms = 2.0 * self.order + 1.0
            rate = np.abs((1.0 / factors).sum(axis=1) - self.order / u)
            # rounding of s + shift counts by its size, that of the shift by the largest level
            shifted = (np.abs(self.shifts) / np.abs(factors)).sum(axis=1)
            beta = (rest + 4.0 * _EPS * (terms + shifted)) / rate
            radius = np.where(beta * np.maximum(1.0, terms / (near * rate)) / near < 0.157, 2.0 * beta, np.nan)
            # m is a product of 2 k - 1 such factors
            outer = np.minimum(np.abs(factors[:, 1:]).min(axis=1), np.abs(u))
            share = radius / outer
            origin = z == 0.0  # s = 0 exactly
            share, rest = np.where(origin, 0.0, share), np.where(origin, 0.0, rest)
            shifted = (np.abs(self.shifts[1:]) / np.abs(factors[:, 1:])).sum(axis=1)
            rounding = 8.0 * _EPS * (1.0 + self.order + shifted)
            bound = np.abs(m) * (
                np.where(share < 1.0, (1.0 - share) ** (1.0 - 2.0 * self.order) - 1.0, np.nan) + rounding
            )
            return np.where(np.isfinite(rest), rest, 0.0), np.where(np.isfinite(bound), bound, np.nan)
