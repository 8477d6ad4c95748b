"""The equations of `rmtsolve.equations.pastur` for a law H that is known through its Stieltjes transform m_H.

===============  ==============================  =========  =========================
kind             z = F(u)                        m          mass between real u1 < u2
===============  ==============================  =========  =========================
covariance       u (1 - c - c u m_H(u))          (u/z) m_H  that of its companion / c
free poisson     u (1 - c - c u m_H(u))          -1/u       c H + (1 - c) delta_0
deformed wigner  u - var m_H(u)                  m_H        H
free power       T u + (T - 1) / m_H(u)          m_H        T H - (T-1) (arg G(u2) - arg G(u1)) / pi
===============  ==============================  =========  =========================

with G = -m_H, arg G in [-pi, 0], and H without its atom at 0 in the first two rows. ``u -> u + z - F(u)`` maps the
upper half-plane into itself, so any fixed point with Im u > 0 is the physical one, and the Schwarz-Pick distance
between a point and its image never grows: Newton steps are accepted when they lower it. Next to an edge F is replaced
by its Taylor series at the critical point, so that the density keeps its relative accuracy there.
Source: derived; J. W. Silverstein, S.-I. Choi, J. Multivariate Anal. 54 (1995) for the edges of the first row.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..measures.base import Measure, Precise
from ..status import Status
from .base import Equation, Sweep
from .composition_edges import Edge, edge_table, singular_intervals
from .high_precision import transform_precisely
from .operands import series_error, transform_doubt

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]

_EPS = float(np.finfo(float).eps)
_MAX_STEPS = 200


class CompositionEquation(Equation):
    """``z = F(u)`` with F built from the transform of H by composition.

    Parameters
    ----------
    kind : {"covariance", "free poisson", "deformed wigner", "free power"}
        Row of the module's table.
    population : Measure
        H, of bounded support.
    scale : float
        Ratio (rate) c, variance, or exponent T.
    """

    def __init__(self, kind: str, population: Measure, scale: float) -> None:
        super().__init__(
            self._map,
            lambda z, u: self.transform(z, 0.0, u),
            jacobian=lambda z, u: (1.0 - self.image(u)[1])[:, None, None],
            start=lambda z: z + 1j * self.size,
            name=kind,
        )
        self.kind = kind
        self.population = population
        self.scale = scale
        self.origin = kind in ("covariance", "free poisson")

    def _map(self, z: Any, u: Any) -> Any:
        return u + z - (self._precise_image(u) if u.dtype == object else self.image(u)[0])

    def _precise_image(self, u: Precise) -> Precise:
        """F(u) at mpmath numbers."""
        c, m = self.scale + 0 * u, transform_precisely(self.population, u)
        if self.origin:
            return u * (1 - c - c * u * m)
        return u - c * m if self.kind == "deformed wigner" else c * u + (c - 1) / m

    def image(self, u: Complex) -> tuple[Complex, Complex]:
        """F(u) and F'(u)."""
        c = self.scale
        with np.errstate(all="ignore"):  # at poles of m_H, which callers tell by values that are not finite
            m, slope = self._of_population(u), self._of_population(u, derivative=True)
            if self.origin:
                return u * (1.0 - c - c * u * m), 1.0 - c - c * u * (2.0 * m + u * slope)
            if self.kind == "deformed wigner":
                return u - c * m, 1.0 - c * slope
            return c * u + (c - 1.0) / m, c - (c - 1.0) * slope / (m * m)

    def _of_population(self, u: Complex, *, derivative: bool = False) -> Complex:
        """m_H or its derivative in both half-planes (difference quotients across the real axis ask for the lower)."""
        function = self.population._stieltjes_derivative if derivative else self.population._stieltjes
        lower = u.imag < 0.0
        if not lower.any():
            return function(u)
        value = function(np.asarray(np.where(lower, u.conj(), u) + 0.0, dtype=np.complex128))
        return np.where(lower, value.conj(), value)

    def transform(self, z: Complex, base: Real | float, delta: Complex) -> Complex:
        """Stieltjes transform of the law at ``u = base + delta``."""
        u = base + delta
        if self.kind == "free poisson":
            with np.errstate(divide="ignore", invalid="ignore"):  # at a hard edge
                return -1.0 / u
        if u.dtype == object:
            c, m = self.scale + 0 * u, transform_precisely(self.population, u)
            return m / (1 - c - c * u * m) if self.kind == "covariance" else m
        m = self._of_population(u)
        if self.kind != "covariance":
            return m
        share, near = self.share(u, m)
        with np.errstate(divide="ignore", invalid="ignore"):  # at hard edges, where m is infinite
            out = m * np.where(near, 1.0 / share, u / z)
        real = z.imag == 0.0
        out.imag[real] = 0.0
        real &= u.imag > 0.0
        out.imag[real] = self.height(z.real[real], u[real])
        return np.asarray(out)

    def share(self, u: Complex, m: Complex) -> tuple[Complex, NDArray[np.bool_]]:
        """``z / u = 1 - c - c u m_H`` of a covariance, and where it is better than the quotient.

        Written as the gap less ``c (u m_H + h0)`` it does not cancel at u = 0. The quotient loses ``size/|u|``.
        """
        with np.errstate(invalid="ignore"):
            moved = self.scale * (u * m + self.zero_mass)
            share = np.asarray(self.gap - moved)
            near = self.size * np.abs(share) > np.abs(u) * (abs(self.gap) + np.abs(moved))
        return share, near & (self.gap > 0.0)

    def height(self, x: Real, u: Complex) -> Real:
        """Im m at real points of the bulks."""
        if self.kind == "deformed wigner":
            return u.imag / self.scale
        if self.kind == "free power":
            return self.population._stieltjes(u).imag
        factor = 1.0 / self.scale if self.kind == "covariance" else 1.0
        value = u.imag / (u.real**2 + u.imag**2)
        # Im -1/u = c Im(u m_H) / x: rounding of u changes the two by 1 and by |1 - u F'/x| times |du / (u Im u)|
        flat = np.flatnonzero(u.imag < 1e-2 * np.abs(u))
        flat = flat[np.abs(1.0 - u[flat] * self.image(u[flat])[1] / x[flat]) < 0.1]
        value[flat] = self.scale * (u[flat] * self.population._stieltjes(u[flat])).imag / x[flat]
        return np.asarray(factor * value)

    # ------------------------------------------------------------------ what is known
    @cached_property
    def size(self) -> float:
        """Length scale of the unknown."""
        at = self.population.atoms.locations
        ends = np.concatenate([self.population.edges, at])
        return float(np.max(np.abs(ends))) + math.sqrt(self.scale) * float(np.ptp(ends)) + 1e-300

    @cached_property
    def table(self) -> list[Edge]:
        """Edges from left to right."""
        return edge_table(self)

    @cached_property
    def walls(self) -> list[tuple[float, float]]:
        """Closed intervals that hold the singular points of F."""
        return singular_intervals(self)

    @cached_property
    def pins(self) -> Real:
        """Real u known to be critical points: hard edges, where m has its pole."""
        if self.origin:
            return np.zeros(1 if self.gap == 0.0 else 0)
        if self.kind == "free power":
            at, mass = self.population.atoms
            return np.array(at[np.abs(self.scale * mass - (self.scale - 1.0)) <= 4.0 * _EPS * self.scale])
        return np.empty(0)

    @property
    def zero_mass(self) -> float:
        """Mass of H at 0."""
        at, mass = self.population.atoms
        return float(mass[at == 0.0].sum())

    @property
    def gap(self) -> float:
        """``1 - c (1 - mass of H at 0)``; zero when rounding cannot tell."""
        value = 1.0 - self.scale * (1.0 - self.zero_mass)
        return 0.0 if abs(value) <= 4.0 * _EPS else value

    def find_edges(self) -> Real:
        """Sorted edges of the bulks."""
        return np.array([edge.location for edge in self.table])

    # ------------------------------------------------------------------ solving
    def sweep(self, z: Complex, start: Complex | None = None) -> Sweep:
        """Solve all points; on the real axis inside a bulk for the limit from above, outside for the real root."""
        u = np.empty(z.size, dtype=np.complex128)
        status, steps = np.zeros(z.size, dtype=np.int64), np.zeros(z.size, dtype=np.int64)
        edges = self.find_edges()
        position = np.searchsorted(edges, z.real)
        outside = (z.imag == 0.0) & ((position % 2 == 0) | np.isin(z.real, edges))
        for i in np.flatnonzero(outside):
            u[i] = self._real_root(float(z.real[i]))
        rest = np.flatnonzero(~outside)
        if rest.size:
            nearest = np.clip(np.searchsorted(0.5 * (edges[1:] + edges[:-1]), z.real[rest]), 0, edges.size - 1)
            delta, found = self.near_edge(nearest, z[rest] - edges[nearest])
            base = np.array([edge.critical for edge in self.table])[nearest]
            u[rest] = base + delta
            if self.origin:  # a small difference: F has its own relative accuracy at u = 0
                lost = rest[found & (np.abs(u[rest]) < 0.1 * np.abs(base)) & (z[rest] != 0.0)]
                for _ in range(2):
                    value, slope = self.image(u[lost])
                    u[lost] -= (value - z[lost]) / slope
            far = rest[~found]
            u[far], status[far], steps[far] = self._complex_roots(z[far])
        m = self.transform(z, 0.0, u)
        residual, bound = self._certificate(z, u, m)
        return Sweep(u, status, steps, residual, bound)

    def solve_real(self, x: Real) -> Real:
        """u at real points outside the bulks (edges included)."""
        return np.array([self._real_root(float(point)) for point in x])

    def branch(self, z: Complex) -> tuple[Complex, Complex]:
        """u and F'(u) at points with Im z > 0."""
        u = self.sweep(z).state
        return u, self.image(u)[1]

    def near_edge(self, index: NDArray[np.int64], y: Complex) -> tuple[Complex, NDArray[np.bool_]]:
        """``u - u_e`` at ``edges[index] + y`` from the Taylor series there, and where that series applies."""
        delta = np.zeros(y.size, dtype=np.complex128)
        found = np.zeros(y.size, dtype=bool)
        for k in np.unique(index):
            edge = self.table[k]
            if edge.series.size == 0:
                continue
            mine = np.flatnonzero(index == k)
            target = y[mine] / edge.unit
            power = np.arange(2, 2 + edge.series.size)
            falling = edge.series * power
            root = np.sqrt(target / edge.series[0])
            here = np.where(root.imag < 0.0, -root, root)
            good = np.abs(here) < edge.reach
            mine, target, here = mine[good], target[good], here[good]
            active = np.arange(mine.size)
            good, settled = np.ones(mine.size, dtype=bool), target == 0.0
            for _ in range(12):
                active = active[good[active] & ~settled[active]]
                if active.size == 0:
                    break
                point = here[active]
                value = point**2 * np.polyval(edge.series[::-1], point) - target[active]
                rate = point * np.polyval(falling[::-1], point)
                with np.errstate(divide="ignore", invalid="ignore"):
                    new = point - value / rate
                good[active] = np.isfinite(new) & (np.abs(new) < edge.reach)
                here[active] = np.where(good[active], new, 1j * edge.reach)
                settled[active] = np.abs(new - point) <= 1e-13 * np.abs(new)
            good &= settled & ((here.imag > 0.0) | (target == 0.0))
            delta[mine], found[mine] = here * edge.unit, good
        return delta, found

    def _complex_roots(self, z: Complex) -> tuple[Complex, NDArray[np.int64], NDArray[np.int64]]:
        """Safeguarded Newton iteration of all points in lock step."""
        u = z + 1j * self.size
        value, slope = self.image(u)
        for _ in range(3):
            u = 0.5 * (u + (u + z - value))
            value, slope = self.image(u)
        status, steps = np.full(z.size, int(Status.MAX_STEPS)), np.zeros(z.size, dtype=np.int64)
        merit = _pick_distance(u, u + z - value)
        active = np.arange(z.size)
        for _ in range(_MAX_STEPS):
            if active.size == 0:
                break
            here, f, rate, target = u[active], value[active], slope[active], z[active]
            with np.errstate(all="ignore"):
                new = here - (f - target) / rate
            fine = np.isfinite(new) & (new.imag > 0.0)
            new = np.where(fine, new, here + 0.5 * (target - f))
            g, h = self.image(new)
            better = _pick_distance(new, new + target - g)
            small = np.abs(new - here) <= 1e-9 * np.minimum(np.abs(here), 1e3 * here.imag)
            worse = ~((better < merit[active]) | small) & fine
            if worse.any():
                new[worse] = here[worse] + 0.5 * (target - f)[worse]
                g[worse], h[worse] = self.image(new[worse])
                better[worse] = _pick_distance(new[worse], new[worse] + target[worse] - g[worse])
            steps[active] += 1
            moved = np.abs(new - here)
            u[active], value[active], slope[active], merit[active] = new, g, h, better
            done = (moved <= 4.0 * _EPS * np.abs(new)) | (small & ~worse & (moved <= 1e-9 * here.imag))
            done |= np.abs(g - target) <= 2.0 * _EPS * (np.abs(target) + np.abs(new))  # nothing left but rounding
            status[active[done]] = int(Status.CONVERGED)
            active = active[~done]
        return u, status, steps

    def _real_root(self, x: float) -> float:
        """u with F(u) = x on the real interval outside the bulks that holds x; F increases there."""
        edges, table = self.find_edges(), self.table
        k = int(np.searchsorted(edges, x))
        if k < edges.size and edges[k] == x:
            return table[k].critical
        if x == 0.0 and self.origin and self.gap > 0.0:
            return 0.0
        low = table[k - 1].critical if k > 0 else -math.inf
        high = table[k].critical if k < edges.size else math.inf
        reach = self.size
        while low == -math.inf:
            guess = high - reach
            low, reach = (guess, reach) if self._value(guess) < x else (low, 2.0 * reach)
        while high == math.inf:
            guess = low + reach
            high, reach = (guess, reach) if self._value(guess) > x else (high, 2.0 * reach)
        u = 0.5 * (low + high)
        for _ in range(200):
            f, rate = (float(part[0].real) for part in self.image(np.array([u], dtype=np.complex128)))
            low, high = (low, u) if f > x else (u, high)
            new = u - (f - x) / rate if rate > 0.0 else math.inf
            new = new if low < new < high else 0.5 * (low + high)
            if abs(new - u) <= 2.0 * _EPS * abs(u) or not low < new < high:
                return u
            u = new
        return u

    def _value(self, u: float) -> float:
        return float(self.image(np.array([u], dtype=np.complex128))[0][0].real)

    def _certificate(self, z: Complex, u: Complex, m: Complex) -> tuple[Real, Real]:
        """Relative residual, and a bound on the error of m.

        With the distance of u to the singular points of F for what it is in a sum over poles: off the axis
        ``|u - u*| <= |F - z| / (1 - sqrt g)``, anywhere Smale's alpha test.
        """
        with np.errstate(all="ignore"):
            value, slope = self.image(u)
            rest = np.abs(value - z)
            g = np.where(u.imag > 0.0, 1.0 - value.imag / u.imag, np.abs(1.0 - slope))
            steep = np.abs(slope)
            near = np.full(u.size, np.inf)
            for left, right in self.walls:
                near = np.minimum(near, np.hypot(np.maximum(np.maximum(left - u.real, u.real - right), 0.0), u.imag))
            # rounding of the sums, and of m_H <= 1 / near as F hands it on
            if self.origin:
                passed = self.scale * np.abs(u) ** 2
            elif self.kind == "deformed wigner":
                passed = np.full(u.size, self.scale)
            else:
                passed = (self.scale - 1.0) / np.abs(self.population._stieltjes(u)) ** 2
            doubt = transform_doubt(self.population.support, series_error(self.population), u)
            total = rest + 8.0 * _EPS * (np.abs(z) + np.abs(u)) + passed * (4.0 * _EPS / near + doubt)
            beta = total / steep
            radius = np.where(beta * np.maximum(1.0, g / steep) < 0.157 * near, 2.0 * beta, np.inf)
            above = (z.imag > 0.0) & (g < 1.0)
            radius = np.minimum(radius, np.where(above, total / (1.0 - np.sqrt(np.clip(g, 0.0, 1.0))), np.inf))
            if self.origin:
                spread = radius / np.maximum(np.abs(u) * (np.abs(u) - radius), 0.0)
                spread = spread / self.scale if self.kind == "covariance" else spread
            else:  # |m_H'| <= int H / |t - u|^2 <= Im m_H / Im u, or over the distance to the support
                spread = radius / np.maximum(near - radius, 0.0) ** 2
            if self.kind == "covariance":  # read off as (u/z) m_H, or as m_H / share
                own, rate = np.abs(self._of_population(u)), np.abs(self._of_population(u, derivative=True))
                share, small = self.share(u, self._of_population(u))
                turn = self.scale * (own + np.abs(u) * rate) * radius
                low = np.maximum(np.abs(share) - 2.0 * turn, 0.0)
                inner = 2.0 * (rate * radius + own * turn / low) / low  # rate is doubled for what it changes nearby
                spread = np.where(small & (radius < 0.1 * near), inner, spread)
                doubt = doubt / np.abs(share)
            elif self.kind == "free poisson":
                doubt = 0.0 * doubt
            bound = spread + 16.0 * _EPS * np.abs(m) + doubt
            return np.asarray(rest / np.maximum(np.abs(z), 1e-300)), np.where(np.isfinite(bound), bound, np.nan)


def _pick_distance(a: Complex, b: Complex) -> Real:
    """Schwarz-Pick distance of two points of the upper half-plane, as ``|a - b|^2 / (4 Im a Im b)``."""
    with np.errstate(all="ignore"):
        value = np.abs(a - b) ** 2 / (4.0 * a.imag * b.imag)
    return np.where(np.isfinite(value) & (a.imag > 0.0) & (b.imag > 0.0), value, np.inf)
