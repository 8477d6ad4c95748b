"""The equation ``z = u + b + sum_j w_j / (u - t_j)``, Im u > 0: edges, solutions and their error bounds.

What b, w_j and t_j are for which law is said in `rmtsolve.equations.pastur`, which builds these equations.

Kernels and sums of squares work in a unit of length, a power of two near the largest atom where that is extreme, so
that nothing over- or underflows; everything stored or returned is in the caller's own unit unless said otherwise.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import _validate
from ..measures.base import Atoms
from ..status import Status
from .base import Equation, Sweep
from .pole_sums import distances, resolvent_sum, unit_of

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]
Index = NDArray[np.int64]

_EPS = float(np.finfo(float).eps)
_LOST = 1e-8  # |u| of the size of its terms: u/z has lost more than half of its digits


class Table(NamedTuple):
    """The weights and edges of a Pastur equation; one entry of every field but the first an edge."""

    weights: Real  # (N,), in units of unit^2
    pole_rest: Real  # t_j - float(t_j), in units
    critical: Real  # u_e
    edges: Real  # e
    rest: Real  # e - float(e)
    curvature: Real  # F''(u_e) / 2
    cusp: NDArray[np.bool_]
    rows: Real  # the kernel's own table, in units


class Points(NamedTuple):
    """Solved points, in the order of the caller."""

    base: Real  # critical point of the nearest edge
    delta: Complex  # u - base, with its own relative accuracy
    slope: Complex  # F'(u); only filled when certified
    status: Index
    n_steps: Index
    residual: Real
    bound: Real  # on |u - u_true|

    @property
    def u(self) -> Complex:
        """The solution itself."""
        return self.base + self.delta


class PasturEquation(Equation):
    """``z = u + b + sum_j w_j / (u - t_j)`` with one of the four readouts of `rmtsolve.equations.pastur`.

    Built by `covariance_equation`, `free_poisson_equation`, `deformed_wigner_equation` and `free_power_equation`.

    Parameters
    ----------
    kind : {"covariance", "free poisson", "deformed wigner", "free power"}
        The readout.
    population : Atoms
        Atoms of H (distinct, sorted).
    scale : float
        Ratio (rate) c, variance, or exponent T.
    poles, coefficients : ndarray
        The t_j and the w_j up to the factors said there.
    shift : float
        The b of the free power; the other kinds know theirs.
    """

    def __init__(
        self, kind: str, population: Atoms, scale: float, poles: Real, coefficients: Real, shift: float = 0.0
    ) -> None:
        super().__init__(self._map, self._read, jacobian=self._map_derivative, start=self._first, name=kind)
        self.kind = kind
        self.population = population
        self.scale = scale
        self.poles = np.ascontiguousarray(poles, dtype=np.float64)
        self.coefficients = np.ascontiguousarray(coefficients, dtype=np.float64)
        self.origin = kind in ("covariance", "free poisson")
        self.gap = _gap(scale, self._zero_mass) if self.origin else math.nan
        missing = 1 - Fraction(self._zero_mass) - sum(map(Fraction, self.coefficients.tolist()))
        self.defect = float(abs(missing))  # of the weights, which sum to one to rounding only
        self.shift = scale * math.fsum(self.coefficients * self.poles) if self.origin else shift
        reach = float(np.max(np.abs(population.locations)))
        self.unit = unit_of(max(reach, math.sqrt(scale)) if kind == "deformed wigner" else reach)

    # ------------------------------------------------------------------ the map, for the generic methods
    def _map(self, z: Complex, u: Complex) -> Complex:
        """``T(u) = z - (F(u) - u)``, which maps the upper half-plane into itself; also on mpmath numbers."""
        factor = self.scale * _one(u)  # keeps products of mpmath numbers exact
        if self.origin:
            return z - u * resolvent_sum(0.0, u, self.poles, factor * self.coefficients * self.poles, 1)
        if self.kind == "deformed wigner":
            return z - resolvent_sum(0.0, u, self.poles, factor * self.coefficients, 1)
        return np.asarray(z - (factor - 1.0) * (u - 1.0 / resolvent_sum(0.0, u, *self.population, 1)))

    def _map_derivative(self, z: Complex, u: Complex) -> Complex:
        return resolvent_sum(0.0, u / self.unit, self.poles / self.unit, self.table.weights, 2)[:, None, None]

    def _first(self, z: Complex) -> Complex:
        return z - self.shift + 1j * self.unit * math.sqrt(math.fsum(self.table.weights))

    def _read(self, z: Complex, u: Complex) -> Complex:
        if u.dtype == object or self.poles.size == 0:
            return self.transform(z, 0.0, u)
        base = self.table.critical[self.locate(z.real, z.imag)[0]]  # tells where u is a small difference
        return self.transform(z, base, u - base)

    def transform(self, z: Complex, base: Real | float, delta: Complex) -> Complex:
        """Stieltjes transform at ``u = base + delta``; at real z its imaginary part keeps the digits of Im u."""
        u = base + delta
        if not self.origin:
            return -resolvent_sum(base, delta, *self.population, 1)
        # m = -p0/z + k (u/z) sum h / (t - u) over the moving atoms, with the mass p0 at 0 of S or its companion
        first, factor = (self._zero_mass, 1.0) if self.kind == "covariance" else (self.gap, self.scale)
        m = -factor * resolvent_sum(base, delta, self.poles, self.coefficients, 1)
        if delta.dtype == object:
            if self.kind == "free poisson":
                return -1.0 / u
            share = 1 + self.scale * resolvent_sum(base, delta, self.poles, self.coefficients * self.poles, 1)
            return m / share - first / z if first else m / share
        with np.errstate(divide="ignore", invalid="ignore"):
            small, share = self._near_zero(z, base, delta)
            pole = first / z if first else 0.0
            usual = m * (u / z) - pole if self.kind == "covariance" else -1.0 / u
            m = np.where(small, m / share - pole, usual) if small.any() else usual
            real = (z.imag == 0.0) & (u.imag > 0.0)
            length = np.abs(u[real])
            m.imag[real] = u.imag[real] / length * (self.factor / length)
        return m

    def transform_rate(self, z: Complex, base: Real, delta: Complex, rate: Complex) -> Complex:
        """``m'(z)`` of a covariance from ``rate = du/dz``."""
        moved = resolvent_sum(base, delta, self.poles, self.coefficients * self.poles, 2)  # (u m_H)'
        small, share = self._near_zero(z, base, delta)
        slope: Complex = np.asarray((rate * moved - self.transform(z, base, delta)) / z)
        if small.any():  # of m_H / share
            where = np.broadcast_to(base, delta.shape)[small], delta[small]
            own = -resolvent_sum(*where, self.poles, self.coefficients, 1)
            own_rate = resolvent_sum(*where, self.poles, self.coefficients, 2)
            inner = (own_rate + self.scale * own * moved[small] / share[small]) / share[small]
            slope[small] = rate[small] * inner + (self._zero_mass / z[small] ** 2 if self._zero_mass else 0.0)
        return slope

    def _near_zero(self, z: Complex, base: Real | float, delta: Complex) -> tuple[NDArray[np.bool_], Complex]:
        """Where u is a small difference or 0 so that 1/share is better than u/z, and share = F(u)/u there.

        With t/(u - t) = u/(u - t) - 1 it is ``gap + c u sum h / (u - t)``, which does not cancel at u = 0. 1/share
        loses ``1/|share| = |u/z|``, the quotient u/z ``|base/u|``; where u is mere rounding, as at z = 0, it is lost.
        """
        u = base + delta
        small = np.zeros(u.size, dtype=bool)
        if self.gap > 0.0:
            near, length = np.abs(base) / self.unit, np.abs(u) / self.unit
            small = (near * (np.abs(z) / self.unit) > length**2) | (length <= _LOST * near)
        share = np.ones(u.size, dtype=np.complex128)
        if small.any():
            where = np.broadcast_to(base, u.shape)[small]
            own = resolvent_sum(where, delta[small], self.poles, self.coefficients, 1)
            share[small] = self.gap + self.scale * u[small] * own
        return small, share

    @property
    def factor(self) -> float:
        """Mass in the law for one unit of charge."""
        return 1.0 / self.scale if self.kind == "covariance" else 1.0

    @property
    def _zero_mass(self) -> float:
        """Mass of H at 0."""
        at, mass = self.population
        return float(mass[at == 0.0].sum())

    # ------------------------------------------------------------------ what is known
    @cached_property
    def table(self) -> Table:
        """Weights, critical points and edges."""
        n = self.poles.size
        if n == 0:
            none = np.empty(0)
            return Table(none, none, none, none, none, none, np.empty(0, dtype=bool), np.empty((0, 8)))
        from .._kernels.pastur_edges import COLUMNS, find_edges, refine_power, refine_zeros

        weights, pole_rest, low = np.empty(n), np.zeros(n), np.empty(n)
        rows = np.empty((2 * n, COLUMNS))
        unit = self.unit
        poles, pins, coefficients, factor = self.poles / unit, self.pins / unit, self.coefficients, self.scale
        if self.kind == "free power":
            factor, coefficients = self.scale - 1.0, self.coefficients / unit / unit
        elif self.kind == "deformed wigner":
            factor = self.scale / unit / unit
        count, status, _, _ = find_edges(
            poles, coefficients, factor, self.shift / unit, self.origin, pins, weights, low, rows
        )
        rows = rows[:count]
        if self.kind == "free power":
            at, mass = self.population
            refine_zeros(at / unit, mass, poles, pole_rest)
            refine_power(at / unit, mass, self.scale, pins, poles, pole_rest, weights, rows)
        if status != 0 or not np.isfinite(rows).all():
            _validate.fail(
                "population", "within floating-point range after weighting", f"atoms {self.population.locations}",
                "rescale the atoms towards 1",
            )  # fmt: skip
        for array in (weights, pole_rest, rows):
            array.setflags(write=False)
        if (rows[1::2, 2] <= rows[::2, 2]).any():
            _validate.fail(
                "population", "such that every bulk is wider than the rounding of its edges",
                f"a bulk at {float(rows[::2, 2][rows[1::2, 2] <= rows[::2, 2]][0]):.6g} of no width",
                "drop atoms of negligible weight, or raise the ratio, variance or exponent",
            )  # fmt: skip
        critical, edges, rest, curvature = unit * rows[:, 0], unit * rows[:, 2], unit * rows[:, 3], rows[:, 4] / unit
        return Table(weights, pole_rest, critical, edges, rest, curvature, rows[:, 5] == 1.0, rows)

    @cached_property
    def pins(self) -> Real:
        """The u of hard edges: charges that vanish, to within the rounding of the data."""
        if self.origin:
            return np.zeros(1 if self.gap == 0.0 and self.poles.size else 0)
        if self.kind == "free power":
            at, mass = self.population
            return np.array(at[np.abs(self.scale * mass - (self.scale - 1.0)) <= 4.0 * _EPS * self.scale])
        return np.empty(0)

    def find_edges(self) -> Real:
        """Sorted edges of the bulks; a cusp, where two pieces touch, is none."""
        return np.array(self.table.edges[~self.table.cusp])

    @cached_property
    def charges(self) -> Atoms:
        """The charges ``nu_j`` at ``p_j``; they sum to one."""
        at, mass = self.population
        if self.origin:
            return Atoms(np.append(self.poles, 0.0), np.append(self.scale * self.coefficients, self.gap))
        if self.kind == "deformed wigner":
            return Atoms(at, mass)
        power = self.scale
        return Atoms(
            np.concatenate([at, self.poles]),
            np.concatenate([power * mass - (power - 1.0), np.full(self.poles.size, power - 1.0)]),
        )

    def locate(self, x: Real, eta: Real) -> tuple[Index, Complex]:
        """Nearest edge of each point and the offset from it."""
        table = self.table
        index = np.searchsorted(0.5 * (table.edges[1:] + table.edges[:-1]), x)
        y = np.empty(x.size, dtype=np.complex128)
        y.real = (x - table.edges[index]) - table.rest[index]
        y.imag = eta
        return index, y

    def solve_offsets(self, index: Index, y: Complex, *, certify: bool = False) -> Points:
        """Solve at ``edges[index] + y``, Im y >= 0; every edge must be the one nearest to its point."""
        from .._kernels.pastur import sweep

        n = y.size
        delta, slope = np.empty(n, dtype=np.complex128), np.empty(n if certify else 0, dtype=np.complex128)
        status, n_steps = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
        residual, bound = np.empty(n), np.empty(n)
        table = self.table
        inward = np.where(index % 2 == 0, y.real, -y.real)
        kind = ((inward < 0.0) & (y.imag == 0.0)).astype(np.int64)
        if (y.imag == 0.0).all():
            ordered = bool(np.all(index[1:] >= index[:-1])) and bool(
                np.all((y.real[1:] >= y.real[:-1]) | (index[1:] != index[:-1]))
            )
            order = None if ordered else np.lexsort((y.real, index))
        else:
            order = np.lexsort((y.real, y.imag, index))
        base = table.critical[index]
        if order is not None:
            y, index, kind = y[order], index[order], kind[order]
        unit = self.unit
        poles, shift = self.poles, self.shift
        if unit != 1.0:
            poles, shift, y = poles / unit, shift / unit, y / unit
        equation = (poles, table.pole_rest, table.weights, shift, table.rows)
        sweep(y, index, kind, *equation, certify, delta, slope, status, n_steps, residual, bound)
        if unit != 1.0:
            delta, bound = delta * unit, bound * unit
        if order is not None:
            back = np.empty(n, dtype=np.int64)
            back[order] = np.arange(n)
            delta, status, n_steps, residual, bound = (
                delta[back],
                status[back],
                n_steps[back],
                residual[back],
                bound[back],
            )
            slope = slope[back] if certify else slope
        return Points(base, delta, slope, status, n_steps, residual, bound)

    def solve_points(self, z: Complex, *, certify: bool = False) -> Points:
        """Solve at complex points, Im z >= 0."""
        if self.poles.size == 0:  # a single atom: F(u) = u + b
            n = z.size
            zero = np.zeros(n, dtype=np.int64)
            bound = _EPS * np.abs(z)
            return Points(np.zeros(n), z - self.shift, np.ones(n, dtype=np.complex128), zero, zero, np.zeros(n), bound)
        return self.solve_offsets(*self.locate(z.real, z.imag), certify=certify)

    def image(self, u: Complex) -> tuple[Complex, Complex]:
        """F(u) and F'(u)."""
        weights, poles, inner = self.table.weights, self.poles / self.unit, u / self.unit
        value = u + self.shift + self.unit * resolvent_sum(0.0, inner, poles, weights, 1)
        return value, 1.0 - resolvent_sum(0.0, inner, poles, weights, 2)

    def solve_real(self, x: Real) -> Real:
        """u at real points outside the bulks (edges included)."""
        return self.solve_points(x.astype(np.complex128)).u.real

    def branch(self, z: Complex) -> tuple[Complex, Complex]:
        """u and F'(u) at points with Im z > 0."""
        points = self.solve_points(z, certify=True)
        return points.u, points.slope

    def sweep(self, z: Complex, start: Complex | None = None) -> Sweep:
        """Certified solve of all points; `start` is not needed."""
        points = self.solve_points(z, certify=True)
        m = self.transform(z, points.base, points.delta)
        status = points.status.copy()
        status[~np.isfinite(points.bound)] = Status.NOT_CERTIFIED
        status[~np.isfinite(m)] = Status.SINGULAR
        return Sweep(points.u, status, points.n_steps, points.residual, self._spread(z, m, points))

    def _spread(self, z: Complex, m: Complex, points: Points) -> Real:
        """Bound on the error of m from the bound on u, rounding of the readout included."""
        unit = self.unit
        base, delta, radius, z, m = points.base / unit, points.delta / unit, points.bound / unit, z / unit, m * unit
        u = base + delta
        size = np.abs(u)
        at, mass = (self.poles, self.coefficients) if self.origin else self.population
        at = at / unit
        total, steep, turn = np.empty(u.size), np.empty(u.size), np.empty(u.size)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            for part, real in distances(base, delta, at):
                far = np.hypot(real, delta.imag[part, None])
                total[part] = (1.0 / far) @ mass
                inner = np.maximum(far - radius[part, None], 0.0) ** -2.0
                steep[part], turn[part] = inner @ mass, inner @ np.abs(mass * at)
            rounding = (8.0 + mass.size) * _EPS
            if not self.origin:
                # |m'(u)| is at most the sum of squares, and for the Wigner row m = (u - z)/variance besides
                cap = unit / self.scale * unit if self.kind == "deformed wigner" else math.inf
                error = radius * np.minimum(steep, cap) + rounding * total
            else:
                small, share = self._near_zero(z * unit, base * unit, delta * unit)
                error = self.factor * radius / (size * np.maximum(size - radius, 0.0))
                if self.kind == "covariance":
                    error = error + rounding * (total * size + self._zero_mass) / np.abs(z)
                else:
                    error = error + 4.0 * _EPS / size
                if small.any():
                    low = np.maximum(np.abs(share) - self.scale * turn * radius, 0.0)
                    near = radius * (steep / low + total * self.scale * turn / low**2)
                    near += self.scale * self.defect * total / low**2
                    near += rounding * (self.gap + self.scale * total * size + np.abs(share)) * total / low**2
                    near = near * self.scale * self.factor + rounding * np.abs(m)
                    error = np.where(small, near, error)
            error = error / unit
        return np.asarray(np.where(np.isfinite(error), error, np.nan))


def _gap(scale: float, empty: float) -> float:
    """``1 - c (1 - h0)``, h0 the mass of H at 0; exactly zero when the rounding of the weights cannot tell."""
    exact = 1 - Fraction(scale) * (1 - Fraction(empty))
    return 0.0 if abs(exact) <= 4 * _EPS else float(exact)


def _one(u: Complex) -> Any:
    """1, as an mpmath number if u holds such numbers."""
    return u.flat[0] * 0 + 1 if u.dtype == object and u.size else 1.0
