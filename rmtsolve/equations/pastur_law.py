"""Laws whose equation has the Pastur form: exact edges, masses, distribution function, quantiles and moments."""

from __future__ import annotations

import math
from functools import cached_property
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from .. import _validate
from ..errors import ConvergenceError
from ..measures.base import Atoms
from ..status import Status
from .composition import CompositionEquation
from .composition_law import CompositionLaw, describe
from .pastur_equation import PasturEquation, Points
from .pole_sums import distances, resolvent_sum
from .solution import Solution, SolvedMeasure

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]
Index = NDArray[np.int64]

_KNOTS = 32  # intervals of the table in which quantiles are bracketed
_ANGLES = np.linspace(0.0, np.pi, _KNOTS + 1)
_EPS = float(np.finfo(float).eps)


class PasturLaw(SolvedMeasure):
    """The law of a `PasturEquation`.

    Parameters
    ----------
    equation : PasturEquation
        The equation.
    title : str
        How the law prints itself, for instance the ensemble's own ``repr``.

    Notes
    -----
    Density, distribution function and quantiles come from solves on the real axis itself (no regularisation), anchored
    at the nearest edge, so that densities keep their relative accuracy next to the edges. The distribution function is
    closed form in the solved point: see `rmtsolve.equations.pastur`.

    Where two bulks just touch (to within the rounding of the data), the support is one interval and counts as one bulk:
    the point is no edge but one of `cusps`. The equation's table keeps it as an edge of both, and inside this class
    the *parts* of a bulk are what its cusps cut it into.
    """

    equation: PasturEquation

    def __init__(self, equation: PasturEquation, title: str = "") -> None:
        self._table_edges = equation.table.edges  # with every cusp twice
        self._ends = np.flatnonzero(~equation.table.cusp)  # the others
        super().__init__(equation, edges=_validate.read_only(equation.find_edges()))
        self.title = title or equation.kind
        self._tables: dict[int, Real] = {}

    def __repr__(self) -> str:
        line = describe(self.title, self.support, self.masses, self.atoms)
        return line[:-1] + f"; cusps {', '.join(f'{x:.6g}' for x in self.cusps)}>" if self.cusps.size else line

    @property
    def cusps(self) -> Real:
        """Points inside a bulk where two pieces of it touch and the density goes like ``|x - cusp|^(1/3)``, exact.

        Where two bulks touch at a hard edge it goes like ``|x - cusp|^(-1/3)`` instead.
        """
        return _validate.read_only(self._table_edges[self.equation.table.cusp][::2])

    # ------------------------------------------------------------------ masses
    @property
    def atoms(self) -> Atoms:
        """Point masses, exact: charges that no bulk encloses."""
        return self._point_masses

    @cached_property
    def masses(self) -> Real:
        """Mass of each bulk, exact, shape (bulks,)."""
        first = self._ends[::2] // 2
        return _validate.read_only(np.add.reduceat(self._parts, first) if first.size else self._parts)

    @cached_property
    def _parts(self) -> Real:
        """Mass of each part, shape (parts,)."""
        at, charge = self.equation.charges
        critical = self.equation.table.critical.reshape(-1, 2)
        inside = (at > critical[:, :1]) & (at < critical[:, 1:])
        return _validate.read_only(
            np.array([self.equation.factor * math.fsum(charge[row]) for row in inside], dtype=np.float64)
        )

    @cached_property
    def _point_masses(self) -> Atoms:
        equation = self.equation
        at, charge = equation.charges
        if equation.kind == "covariance":
            zeros = equation.population.weights[equation.population.locations == 0.0].sum()
            mass = max(float(zeros), 1.0 - 1.0 / equation.scale) if equation.gap <= 0.0 else float(zeros)
            at, charge = np.zeros(1), np.array([mass])
        elif equation.kind == "free power":
            size = equation.population.locations.size
            at, charge = equation.scale * at[:size], charge[:size]
        elif equation.poles.size:
            at, charge = at[-1:] if equation.origin else at[:0], charge[-1:] if equation.origin else charge[:0]
        keep = charge > 0.0
        return Atoms(_validate.read_only(at[keep]), _validate.read_only(charge[keep]))

    @cached_property
    def _below(self) -> Real:
        """Mass of the parts left of each edge of the table."""
        total = np.concatenate([[0.0], np.cumsum(self._parts)])
        return np.stack([total[:-1], total[1:]], axis=1).ravel()

    # ------------------------------------------------------------------ solving
    def _solved(self, z: Complex, points: Points) -> Points:
        """The points, or the error that tells which of them failed."""
        if points.status.any():
            self._refuse(z, points, points.status)
        return points

    def _refuse(self, z: Complex, points: Points, status: Index) -> NoReturn:
        equation = self.equation
        m = equation.transform(z, points.base, points.delta)
        solution = Solution(equation, z, m, points.u, status, points.n_steps, points.residual, points.bound, "pastur")
        raise ConvergenceError(solution, self.title)

    def _at(self, index: Index, offset: Real) -> Points:
        """Solution at the real points at an offset from an edge of the table."""
        points = self.equation.solve_offsets(index, offset.astype(np.complex128))
        return self._solved((self._table_edges[index] + offset).astype(np.complex128), points)

    def _nearest(self, edge: int, offset: Real) -> tuple[Index, Real]:
        """The same points, as offsets from the nearest edge of the table in their bulk."""
        table = self.equation.table
        own = self._ends[edge]
        index, best = np.full(offset.size, own), offset
        for other in range(self._ends[edge & ~1], self._ends[edge | 1] + 1):
            span = (table.edges[other] - table.edges[own]) + (table.rest[other] - table.rest[own])
            inside = (offset >= span) if other % 2 == 0 else (offset <= span)
            nearer = inside & (np.abs(offset - span) < np.abs(best))
            index, best = np.where(nearer, other, index), np.where(nearer, offset - span, best)
        return index, best

    def _intensity(self, points: Points) -> Real:
        """Density at solved real points."""
        equation = self.equation
        height = points.delta.imag
        if equation.origin:
            rate = 1.0 / equation.unit  # squares are formed in the unit of the equation
            y = height * rate
            value = y / (((points.base + points.delta.real) * rate) ** 2 + y**2) * rate
        elif equation.kind == "deformed wigner":
            value = height / equation.scale
        else:
            value = -resolvent_sum(points.base, points.delta, *equation.population, 1).imag
        return np.asarray(value * (self.equation.factor / np.pi))

    def _stieltjes(self, z: Complex) -> Complex:
        points = self._solved(z, self.equation.solve_points(z))
        return self.equation.transform(z, points.base, points.delta)  # infinite at a hard edge

    def _finite(self, z: Complex, values: Complex, points: Points) -> Complex:
        """The values, or the error that tells at which singular point of the law they were asked for."""
        if not np.isfinite(values).all():
            self._refuse(z, points, np.where(np.isfinite(values), points.status, int(Status.SINGULAR)))
        return values

    def _stieltjes_derivative(self, z: Complex) -> Complex:
        """``m'(z)``, from ``du/dz = 1 / F'(u)``."""
        equation = self.equation
        points = self._solved(z, equation.solve_points(z, certify=True))
        where, u = (points.base, points.delta), points.u
        with np.errstate(divide="ignore", invalid="ignore"):
            rate = 1.0 / points.slope
            if equation.kind == "free poisson":
                slope = rate / u / u
            elif equation.kind != "covariance":
                slope = rate * resolvent_sum(*where, *equation.population, 2)
            else:
                slope = equation.transform_rate(z, *where, rate)
        return self._finite(z, slope, points)

    def _density(self, x: Real) -> Real:
        index, y = self.equation.locate(x, np.zeros(x.size))
        points = self.equation.solve_offsets(index, y)
        with np.errstate(divide="ignore", invalid="ignore"):
            rho = self._intensity(self._solved(x.astype(np.complex128), points))
        at_cusp = (y == 0.0) & self.equation.table.cusp[index]
        return np.where(at_cusp, np.where(self._exponents[index] < 0.0, math.inf, 0.0), rho)

    def _density_offset(self, edge: int, offset: Real) -> Real:
        return self._intensity(self._at(*self._nearest(edge, offset)))

    # ------------------------------------------------------------------ distribution function
    def _partial(self, index: Index, offset: Real) -> tuple[Real, Real]:
        """Mass between an edge and a point of its part (negative left of a right edge), and the density there."""
        equation = self.equation
        points = self._at(index, offset)
        x, u, height = self._table_edges[index] + offset, points.u, points.delta.imag
        at, charge = equation.charges
        if equation.origin:
            length = np.abs(u)
            total = (x / length) * (height / length)
        elif equation.kind == "deformed wigner":
            total = (
                -(height / equation.unit)
                * ((u.real - x) / equation.unit)
                / (equation.scale / equation.unit / equation.unit)
            )
        else:
            total = np.zeros(u.size)
        for part, real in distances(points.base, points.delta, at):
            # arg((u - p) / (u_e - p)): no branch cut, no cancellation at the edge
            side = np.where(points.base[part, None] >= at, 1.0, -1.0)
            total[part] -= np.arctan2(side * height[part, None], side * real) @ charge
        return total * (self.equation.factor / np.pi), self._intensity(points)

    def _cdf(self, x: Real) -> Real:
        edges, below = self._table_edges, self._below
        at, mass = self.atoms
        value = np.concatenate([[0.0], np.cumsum(mass)])[np.searchsorted(at, x, side="right")]
        value += np.concatenate([[0.0], below])[np.searchsorted(edges, x, side="right")] if edges.size else 0.0
        inside = self._in_bulk(x) & ~np.isin(x, edges)
        if inside.any():
            index, y = self.equation.locate(x[inside], np.zeros(int(inside.sum())))
            left = index % 2 == 0
            # searchsorted counted the mass left of the part already
            value[inside] += self._partial(index, y.real)[0] + np.where(left, 0.0, self._parts[index // 2])
        return np.asarray(np.clip(value, 0.0, 1.0))

    def _knots(self, part: int) -> Real:
        """Mass left of ``edge + width sin(angle / 2)^2`` at the angles of `_ANGLES`: where quantiles start."""
        if part not in self._tables:
            inner = self._mass_at_angle(np.full(_KNOTS - 1, part), _ANGLES[1:-1])[0]
            table = np.concatenate([[0.0], inner, [self._parts[part]]])
            self._tables[part] = np.maximum.accumulate(table)
        return self._tables[part]

    def _widths(self) -> Real:
        table = self.equation.table
        return (table.edges[1::2] - table.edges[::2]) + (table.rest[1::2] - table.rest[::2])

    def _mass_at_angle(self, part: Index, angle: Real) -> tuple[Real, Real, Real, Real]:
        """(mass left of the point in its part, mass right of it, density in the angle, abscissa)."""
        width = self._widths()[part]
        left = angle < 0.5 * np.pi
        index = 2 * part + np.where(left, 0, 1)
        offset = np.where(left, width * np.sin(0.5 * angle) ** 2, -width * np.cos(0.5 * angle) ** 2)
        share, density = self._partial(index, offset)
        total = self._parts[part]
        below, above = np.where(left, share, total + share), np.where(left, total - share, -share)
        return below, above, density * 0.5 * width * np.sin(angle), self._table_edges[index] + offset

    def _quantile(self, q: Real) -> Real:
        edges, masses = self._table_edges, self._parts
        at, mass = self.atoms
        # parts and atoms in order of location, with the mass up to and with each
        place = np.concatenate([0.5 * (edges[::2] + edges[1::2]), at])
        order = np.argsort(place, kind="stable")
        pieces = np.concatenate([masses, mass])[order]
        upto = np.array([math.fsum(pieces[: i + 1]) for i in range(pieces.size)])
        upto[-1] = 1.0
        piece = np.searchsorted(upto, q, side="left")
        item = order[piece]
        before = np.where(piece > 0, upto[piece - 1], 0.0)
        x = np.empty(q.size)
        point = item >= masses.size
        x[point] = at[item[point] - masses.size]
        inside = ~point
        if inside.any():
            # levels counted from both ends, so that both tails keep their digits
            x[inside] = self._quantile_in_part(item[inside], q[inside] - before[inside], (upto[piece] - q)[inside])
        return x

    def _quantile_in_part(self, part: Index, below: Real, above: Real) -> Real:
        """The point of each part with mass `below` on its left and `above` on its right, by bracketed Newton steps."""
        position = np.array([np.searchsorted(self._knots(k), level) for k, level in zip(part, below, strict=True)])
        position = np.clip(position, 1, _KNOTS)
        low, high = _ANGLES[position - 1], _ANGLES[position]
        first = np.array([self._knots(k)[i - 1] for k, i in zip(part, position, strict=True)])
        last = np.array([self._knots(k)[i] for k, i in zip(part, position, strict=True)])
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.clip(np.nan_to_num((below - first) / (last - first)), 0.0, 1.0)
        power = 0.5 / (1.0 + self._exponents)  # next to an edge the mass is a power of the angle
        share = np.where(position == 1, share ** power[2 * part], share)
        with np.errstate(divide="ignore", invalid="ignore"):
            tail = np.clip(np.nan_to_num(above / (last - first)), 0.0, 1.0) ** power[2 * part + 1]
        angle = np.where(position == _KNOTS, high - (high - low) * tail, low + (high - low) * share)
        x = np.where(below <= 0.0, self._table_edges[2 * part], self._table_edges[2 * part + 1])
        active = np.flatnonzero((below > 0.0) & (above > 0.0) & (angle > 0.0) & (angle < np.pi))
        for _ in range(100):
            if active.size == 0:
                break
            here = angle[active]
            left, right, rate, x[active] = self._mass_at_angle(part[active], here)
            excess = np.where(here < 0.5 * np.pi, left - below[active], above[active] - right)
            high[active] = np.where(excess > 0.0, here, high[active])
            low[active] = np.where(excess < 0.0, here, low[active])
            with np.errstate(divide="ignore", invalid="ignore"):
                new = here - excess / rate
            new = np.where((new > low[active]) & (new < high[active]), new, 0.5 * (low[active] + high[active]))
            move = np.abs(new - here)
            angle[active] = new
            active = active[(move > 4.0 * _EPS * np.minimum(here, np.pi - here)) & (excess != 0.0)]
        return x

    # ------------------------------------------------------------------ edges and moments
    @property
    def edge_exponents(self) -> Real:
        """a of ``density ~ K |x - edge|^a`` at each edge: 1/2, and -1/2 at a hard edge."""
        return _validate.read_only(self._exponents[self._ends])

    @property
    def cusp_exponents(self) -> Real:
        """a of ``density ~ K |x - cusp|^a`` at each cusp: 1/3, and -1/3 at one that is a hard edge too."""
        return _validate.read_only(self._exponents[self.equation.table.cusp][::2])

    @property
    def edge_coefficients(self) -> Real:
        """K of ``density ~ K |x - edge|^a`` at each edge, a the edge's exponent."""
        return _validate.read_only(self._limits[self._ends])

    @property
    def cusp_coefficients(self) -> Real:
        """K of ``density ~ K |x - cusp|^a`` at each cusp, a the cusp's exponent."""
        return _validate.read_only(self._limits[self.equation.table.cusp][::2])

    @cached_property
    def _exponents(self) -> Real:
        """Exponents at every edge of the table."""
        table = self.equation.table
        pole = np.isin(table.critical, self.equation.pins)
        return np.asarray(np.where(table.cusp, 1.0 / 3.0, 0.5) * np.where(pole, -1.0, 1.0))

    @cached_property
    def _limits(self) -> Real:
        """Coefficients at every edge of the table."""
        equation, table = self.equation, self.equation.table
        with np.errstate(divide="ignore"):
            # Im u = size |x - e|^(1/2 or 1/3)
            size = 1.0 / np.sqrt(np.abs(table.curvature))
        for k in np.flatnonzero(table.cusp):
            cubic = math.fsum(table.weights / ((table.critical[k] - equation.poles) / equation.unit) ** 4)
            size[k] = math.sin(np.pi / 3.0) * cubic ** (-1.0 / 3.0) * equation.unit ** (2.0 / 3.0)
        pole = np.isin(table.critical, equation.pins)
        with np.errstate(divide="ignore"):
            if equation.origin:
                rate = np.where(pole, 1.0, 1.0 / table.critical / table.critical)
            elif equation.kind == "deformed wigner":
                rate = np.full(size.size, 1.0 / equation.scale)
            else:
                at, mass = equation.population
                own = mass[np.searchsorted(at, table.critical).clip(0, at.size - 1)]
                rate = np.where(pole, own, ((table.critical[:, None] - at) ** -2.0) @ mass)
        # at a hard edge the density goes with Im(-1 / delta) instead of Im delta
        size = np.where(pole, np.where(table.cusp, math.sin(np.pi / 3.0) ** 2, 1.0) / size, size)
        return np.asarray(size * rate * (self.equation.factor / np.pi))

    def _moment(self, k: int) -> float:
        # Lagrange inversion: (k+1) m_k = sum_j (j+1) m_j(H) [v^(k-j)] P(v)^(k+1), P(v) = v F(1/v)
        equation = self.equation
        series = np.zeros(k + 1)
        series[0] = 1.0
        unit = equation.unit
        series[1] = equation.shift / unit
        weights = equation.table.weights if equation.poles.size else np.empty(0)
        with np.errstate(over="ignore", invalid="ignore"):
            for i in range(2, k + 1):
                series[i] = math.fsum(weights * (equation.poles / unit) ** (i - 2)) if weights.size else 0.0
            power = np.zeros(k + 1)
            power[0] = 1.0
            for i in range(1, k + 1):
                j = np.arange(1, i + 1)
                power[i] = float(np.sum((j * (k + 2.0) - i) * series[1 : i + 1] * power[i - 1 :: -1][:i])) / i
            back = np.prod(np.full(k, unit)) if unit != 1.0 else 1.0
            if equation.origin:
                return float(power[k]) / (k + 1) * self.equation.factor * float(back)
            at, mass = equation.population
            order = np.arange(k + 1)
            own = np.array([math.fsum(mass * (at / unit) ** j) for j in range(k + 1)])
            return float(np.sum((order + 1) * own * power[::-1])) / (k + 1) * float(back)

    def free_cumulant(self, k: int) -> float:
        """Free cumulant of order k >= 1; ``rate int t^k H(dt)`` for a compound free Poisson law."""
        order = _validate.integer(k, "k", low=1)
        if self.equation.kind != "free poisson":
            return super().free_cumulant(order)
        at, mass = self.equation.population
        return self.equation.scale * math.fsum(mass * at**order)


def law_of(equation: PasturEquation | CompositionEquation, title: str) -> PasturLaw | CompositionLaw:
    """The law of an equation of `rmtsolve.equations.pastur`."""
    return PasturLaw(equation, title) if isinstance(equation, PasturEquation) else CompositionLaw(equation, title)
