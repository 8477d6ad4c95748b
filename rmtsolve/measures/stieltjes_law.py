"""A law of which the user gives only the Stieltjes transform, as a function."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from .. import _validate
from ._counting import mass_left
from ._search import enclosing_disc, find_pieces, laurent
from .base import Atoms, Complex, Measure, Real

_EPS = float(np.finfo(float).eps)
_NEXT, _SPACINGS = 1e-7, 1e3  # distance from an edge, in widths of the bulk and in roundings of the edge
_HEIGHT = 1e-13  # of the distance to the next edge or atom: how far above the real axis boundary values are read off
_LOWEST = 1e-30  # height of the size of the support
_CLOSE = 0.02  # distance from an atom over that to the next edge or atom, where m is the pole and a short series
_ANGLES = np.linspace(0.02, 0.98, 13)
_GONE = 1e-8  # share of the transform due to mass outside a circle that counts as none
_GRADUAL = 1.0 / 12.0  # a share that falls by no more than this over a factor sqrt(2) in radius falls like a power
_ROUND = 1e-7  # radius of a law over its distance from 0, below which circles are made of few numbers
_RUN = 8  # such steps before it is gone: a power tail, not an end of the support
_BEYOND = np.array([0.02, 0.05, 0.1, 0.3])  # of the width of the support: where nothing may be left
_TOUCHING = 1e-12  # of the size of the law: distance of pieces between which nothing is counted
_OCTAVES = 12  # radii over which a tail is looked at
_MISSED = 1e-6  # mass that edges and atoms may have missed or counted twice

_CIRCLE = np.exp(2j * np.pi * (np.arange(48) + 0.5) / 48)  # the trapezoidal rule: an error of 2^-48 on half a radius
# Chebyshev points on [0, 1], filled up to as many, and the weights of the slope at 0 (Trefethen, Spectral Methods, 6)
_NODES = 18
_SEGMENT = np.zeros(_CIRCLE.size)
_SEGMENT[:_NODES] = np.sin(0.5 * np.pi * np.arange(_NODES) / (_NODES - 1)) ** 2
_SLOPES = np.zeros(_CIRCLE.size)
_SLOPES[1:_NODES] = -2.0 * (-1.0) ** np.arange(1, _NODES) / _SEGMENT[1:_NODES]
_SLOPES[_NODES - 1] /= 2.0
_SLOPES[0] = -_SLOPES.sum()


class _EdgeModel(NamedTuple):
    """An edge: place, side of the bulk, and up to a distance `reach` the density inside and m outside.

    With t the distance over reach, ``density = t^power (c_0 + c_1 t + c_2 t^2)``; for m see `_edge_basis`.
    """

    at: float
    inwards: float
    reach: float
    power: float
    inner: Real
    outer: Real


def _edge_basis(power: float, t: Real) -> tuple[Real, Real]:
    """What m is a combination of outside an edge of a density like ``t^power``, and the derivatives by t, (n, 3)."""
    one, root = np.ones_like(t), np.sqrt(t)
    if power == 0.5:
        return np.stack([one, root, t], axis=1), np.stack([0.0 * t, 0.5 / root, one], axis=1)
    if power == -0.5:
        return np.stack([1.0 / root, one, root], axis=1), np.stack([-0.5 / (t * root), 0.0 * t, 0.5 / root], axis=1)
    return np.stack([np.log(t), one, t], axis=1), np.stack([1.0 / t, 0.0 * t, one], axis=1)


class StieltjesLaw(Measure):
    """The law with the given transform ``m(z) = int mu(dx)/(x - z)``.

    Parameters
    ----------
    transform : callable
        ``transform(z)`` for a 1-d complex array with Im z > 0, in the convention ``Im m > 0``; boundary values are read
        off just above the real axis.

    Raises
    ------
    DomainError
        Wrong shape, values that are not finite, ``Im m <= 0`` somewhere, ``-z m(z)`` not tending to one, a Pick
        matrix that is not positive, or unbounded support: the message says which.

    Examples
    --------
    >>> law = StieltjesLaw(lambda z: -1 / (z - 1))
    >>> law.atoms.locations.round(9), law.edges
    (array([1.]), array([], dtype=float64))
    """

    def __init__(self, transform: Callable[[Any], Any]) -> None:
        self.transform = transform
        self._check()
        self._check_tail()
        support, self._atoms = find_pieces(self._above)
        self._edges = _validate.read_only(support.ravel())
        self._check_ends()
        self._check_masses()

    def __repr__(self) -> str:
        return f"StieltjesLaw({getattr(self.transform, '__name__', self.transform)})"

    @property
    def edges(self) -> Real:
        """Edges of the bulks, searched for."""
        return self._edges

    @property
    def atoms(self) -> Atoms:
        """Point masses, searched for."""
        return self._atoms

    @cached_property
    def _stops(self) -> Real:
        return np.concatenate([self.edges, self.atoms.locations])

    @cached_property
    def _unit(self) -> float:
        return float(np.abs(self._stops).max()) or 1.0

    def _lifted(self, z: Complex) -> Complex:
        """Points from which the boundary values at real points are read."""
        room = np.abs(z.real[:, None] - self._stops).min(axis=1)
        return np.asarray(z + 1j * np.maximum(_HEIGHT * np.minimum(room, self._unit), _LOWEST * self._unit))

    def _poles(self, z: Complex, order: int = 1) -> Complex:
        """The part of m that the atoms make (order 1), or its derivative (order 2)."""
        at, mass = self.atoms
        with np.errstate(all="ignore"):  # at an atom itself
            return np.asarray((1.0 / (at - z[:, None])) ** order @ mass)

    def _rest(self, z: Complex) -> Complex:
        """m without the atoms."""
        return self._above(z) - self._poles(z)

    def _stieltjes(self, z: Complex) -> Complex:
        return self._beside_atoms(z, self._elsewhere(z), 0)

    def _elsewhere(self, z: Complex) -> Complex:
        """m away from atoms."""
        if self.edges.size == 0:
            return self._poles(z)
        far = self._is_far(z)
        if far.any():
            m = np.empty_like(z)
            m[far], m[~far] = self._far_away(z[far], 0), self._elsewhere(z[~far])
            return m
        real = np.flatnonzero(z.imag == 0.0)
        if real.size == 0:
            return self._above(z)
        foot = z.copy()
        foot[real] = self._lifted(z[real])
        m = self._above(foot)
        with np.errstate(all="ignore"):
            moved = self._poles(z[real]) - self._poles(foot[real])
        m[real] += np.where(np.isin(z.real[real], self.atoms.locations), 0.0, moved)
        return self._real_off_support(z, self._beside_edges(z, m, 0))

    def _real_off_support(self, z: Complex, values: Complex) -> Complex:
        """Values at real points off the support without the imaginary part that their height gave them."""
        return np.where((z.imag == 0.0) & ~self._in_bulk(z.real), values.real + 0j, values)

    # ------------------------------------------------------------------ far away
    @cached_property
    def _series(self) -> tuple[float, float, Real]:
        """(centre, radius, coefficients) of the series in ``radius/(z - centre)``, from a circle twice as wide."""
        low, high = float(self._stops.min()), float(self._stops.max())
        centre, radius = 0.5 * (low + high), high - low
        _, negative = laurent(self._above, np.array([centre]), np.array([radius]), 64)
        return centre, radius, np.concatenate([[0.0], negative[0].real])

    def _is_far(self, z: Complex) -> NDArray[np.bool_]:
        """Where many formulas for m cancel, and a series does not."""
        centre, radius, _ = self._series
        return np.asarray(np.abs(z - centre) > 2.0 * radius)

    def _far_away(self, z: Complex, order: int) -> Complex:
        """m (order 0) or m' (order 1) by the series."""
        centre, radius, series = self._series
        w = radius / (z - centre)
        value = np.polynomial.polynomial.polyval(w, series if order == 0 else series * np.arange(series.size))
        return np.asarray(value if order == 0 else -value * w / radius)

    # ------------------------------------------------------------------ next to atoms and edges
    @cached_property
    def _atom_models(self) -> list[tuple[float, float, float, Real]]:
        """(place, mass, radius, coefficients): around an atom off the bulks m is its pole and a power series."""
        models = []
        for i, (at, mass) in enumerate(zip(*self.atoms, strict=True)):
            others = np.delete(self._stops, self.edges.size + i)
            radius = 0.5 * float(np.abs(others - at).min(initial=self._unit))
            if radius > 0.0 and not self._in_bulk(np.array([at])).any():
                regular, _ = laurent(self._above, np.array([at]), np.array([radius]), 64)
                models.append((float(at), float(mass), radius, regular[0]))
        return models

    def _beside_atoms(self, z: Complex, values: Complex, order: int) -> Complex:
        """m (order 0) or m' (order 1), by the models of the atoms where z is next to one.

        The user's function has its pole within rounding of the atom, so that m and m' would not belong together.
        """
        for at, mass, radius, series in self._atom_models:
            step = z - at
            near = np.flatnonzero((np.abs(step) < 2.0 * _CLOSE * radius) & (step != 0.0))
            if near.size:
                step = step[near]
                terms = series if order == 0 else series[1:] * np.arange(1, series.size) / radius
                pole = mass / -step if order == 0 else mass / step**2
                values[near] = pole + np.polynomial.polynomial.polyval(step / radius, terms)
        return values

    @cached_property
    def _edge_models(self) -> list[_EdgeModel | None]:
        """How density and transform go on next to every edge; None where the exponent is none of -1/2, 0, 1/2."""
        return [self._edge_model(edge) for edge in range(self.edges.size)]

    def _edge_model(self, edge: int) -> _EdgeModel | None:
        at, width = float(self.edges[edge]), float(self.edges[edge | 1] - self.edges[edge & ~1])
        inwards = 1.0 if edge % 2 == 0 else -1.0
        reach = max(_NEXT * width, _SPACINGS * _EPS * abs(at))
        distances = reach * np.array([1.0, 2.0, 4.0])
        points = at + np.array([[1.0], [-1.0]]) * inwards * distances + 1j * _HEIGHT * distances
        both = self._rest(points.ravel()).reshape(points.shape)
        density, beyond = both[0].imag / np.pi, both[1].real
        with np.errstate(all="ignore"):
            power = float(np.log(density[2] / density[0]) / np.log(4.0))
        known = 0.5 * round(2.0 * power) if np.isfinite(power) else 1.0
        if abs(power - known) > 0.05 or abs(known) > 0.5:
            return None
        t = distances / reach
        inner = np.linalg.solve(np.vander(t, increasing=True), density / t**known)
        outer = np.linalg.solve(_edge_basis(known, t)[0], beyond)
        return _EdgeModel(at, inwards, reach, known, inner, outer)

    def _density_offset(self, edge: int, offset: Real) -> Real:
        """Next to an edge by its model, as the edge is known to rounding at best."""
        rho = super()._density_offset(edge, offset)
        model = self._edge_models[edge]
        if model is not None:
            near = np.abs(offset) < model.reach
            t = np.abs(offset[near]) / model.reach
            rho[near] = t**model.power * np.polynomial.polynomial.polyval(t, model.inner)
        return rho

    def _beside_edges(self, z: Complex, values: Complex, order: int) -> Complex:
        """m (order 0) or m' (order 1) at real points off the support by the models of the edges next to them.

        An edge that is found too far out by its rounding would have points of the bulk beyond it.
        """
        for model in self._edge_models:
            if model is None:
                continue
            distance = (model.at - z.real) * model.inwards
            at = (distance == 0.0) & (order == 0)  # the limit, infinite at a hard edge
            near = np.flatnonzero((z.imag == 0.0) & (at | (distance > 0.0)) & (distance < model.reach))
            near = near[at[near] | ~self._in_bulk(z.real[near])]
            if near.size:
                with np.errstate(all="ignore"):
                    rest = _edge_basis(model.power, distance[near] / model.reach)[order] @ model.outer
                rest = rest if order == 0 else -model.inwards / model.reach * rest
                values[near] = rest + self._poles(z[near], order + 1)
        return values

    def _stieltjes_derivative(self, z: Complex) -> Complex:
        """By Cauchy's integral where a circle is free; near a bulk, over it, from values above; of atoms by formula.

        The transform continues through a bulk to the lower half-plane, but not as the user's function. There the
        polynomial through Chebyshev points on a segment from z upwards, half as long as z is from the next edge, is
        differentiated at its lower end.
        """
        if self.edges.size == 0:
            return self._poles(z, 2)
        far = self._is_far(z)
        if far.any():
            slope = np.empty_like(z)
            slope[far], slope[~far] = self._far_away(z[far], 1), self._stieltjes_derivative(z[~far])
            return slope
        radius = 0.5 * np.abs(z[:, None] - self.edges).min(axis=1)
        over = self._in_bulk(z.real) & (z.imag < 0.5 * radius)
        radius = np.where(self._in_bulk(z.real) & ~over, np.minimum(radius, 0.5 * z.imag), radius)
        along = np.where(over[:, None], 1j * _SEGMENT, _CIRCLE)
        foot = np.where(self._in_bulk(z.real) & (z.imag == 0.0), self._lifted(z), z)
        points = foot[:, None] + radius[:, None] * along
        m = self._rest(np.where(points.imag < 0.0, points.conj(), points).ravel()).reshape(points.shape)
        m = np.where(points.imag < 0.0, m.conj(), m)
        with np.errstate(divide="ignore", invalid="ignore"):  # infinite at an edge
            slope = np.where(over, -1j * (m @ _SLOPES), m @ _CIRCLE.conj() / _CIRCLE.size) / radius
        slope = self._beside_edges(z, slope + self._poles(z, 2), 1)
        return self._real_off_support(z, self._beside_atoms(z, slope, 1))

    def _above(self, z: Complex) -> Complex:
        with np.errstate(all="ignore"):
            return np.asarray(self.transform(np.array(z)), dtype=np.complex128)

    def _check(self) -> None:
        points = np.exp(1j * np.pi * _ANGLES)
        grid = np.concatenate([points * radius for radius in (0.1, 1.0, 10.0)])
        try:
            m = self._above(grid)
        except Exception as problem:  # a user's function may raise anything, which is told in words
            _validate.fail(
                "transform", "a function of an array of complex points", self.transform, f"it raised {problem!r}"
            )
        rule = "a Stieltjes transform m(z) = int mu(dx)/(x - z) of a probability law"
        if m.shape != grid.shape:
            _validate.fail("transform", f"of the shape of its argument, {grid.shape}", m.shape)
        if not np.isfinite(m).all():
            _validate.fail("transform", rule, complex(m[~np.isfinite(m)][0]), "values must be finite off the axis")
        if (m.imag <= 0.0).any():
            worst = int(np.argmin(m.imag))
            remedy = "Im m(z) must be > 0; is it the Cauchy transform G = -m?"
            _validate.fail("transform", rule, f"m({grid[worst]:.4g}) = {m[worst]:.4g}", remedy)
        # too near the law is not yet a point, too far the formula may cancel
        far = np.array(1j * 10.0 ** np.arange(2, 14), dtype=np.complex128)
        masses = -far * self._above(far)
        mass = complex(masses[np.argmin(np.abs(masses - 1.0))])
        if abs(mass - 1.0) > 1e-3:
            _validate.fail("transform", rule, f"-z m(z) = {mass:.6g} far away", "the total mass must be one")
        gaps = grid[:, None] - grid.conj()
        pick = (m[:, None] - m.conj()) / gaps
        size = np.sqrt(np.diag(pick).real)
        rounding = 4.0 * _EPS * np.linalg.norm((np.abs(m[:, None]) + np.abs(m)) / np.abs(gaps) / size[:, None] / size)
        lowest = float(np.linalg.eigvalsh(pick / size[:, None] / size)[0])
        if lowest < -1e-7 - rounding:  # far from the law m is a constant in all digits but the last
            _validate.fail("transform", rule, f"smallest Pick eigenvalue {lowest:.2g}", "no positive measure has it")

    def _check_tail(self) -> None:
        """Refuse tails like a power: the share of m on a circle that is due to mass outside must end, not fade."""
        centre, last_radius = enclosing_disc(self._above)
        turn = np.exp(1j * np.pi * (np.arange(32) + 0.5) / 32)
        orders = np.arange(16)
        radii = last_radius * np.sqrt(0.5) ** np.arange(2 * _OCTAVES, -1, -1)
        m = self._above((centre + radii[:, None] * turn).ravel()).reshape(radii.size, -1)
        outer = np.abs((m @ turn[:, None] ** -orders).real).max(axis=1)
        run, last = 0, np.inf
        for share in outer / np.maximum(outer, np.abs((m @ turn).real)):
            run = run + 1 if _GRADUAL * last < share < 0.95 * last < 0.1 else 0
            last = float(share)
        if run >= _RUN and last_radius > _ROUND * abs(centre):
            self._refuse(
                f"a tail like a power: {last:.2g} of m({last_radius:.2g}j) is due to what lies beyond {last_radius:.2g}"
            )

    def _check_ends(self) -> None:
        """Nothing may be left beyond the ends: Im m(x + i eta) <= eta/d^2 at the distance d from the support."""
        low, high = float(self._stops.min()), float(self._stops.max())
        width = high - low or self._unit
        d = width * np.concatenate([_BEYOND, _BEYOND])
        x = np.where(np.arange(d.size) < _BEYOND.size, low - d, high + d)
        left = width * self._above(x + 1e-12j * d).imag - 1e-12 * width / d
        if not (left <= 3.0 * _GONE).all():
            worst = int(np.argmax(left))
            self._refuse(
                f"a density of about {left[worst] / (np.pi * width):.2g} at {x[worst]:.4g}, "
                f"beyond the ends {low:.4g} and {high:.4g} that were found"
            )

    def _check_masses(self) -> None:
        """The density and the atoms between two gaps must have the mass that the transform has there."""
        from ._bulk import bulks
        from ._panels import fit_panels

        pieces = [
            (bulk.left, bulk.right, fit_panels(bulk.mass_density, 0.0, np.pi, 0.01 * _MISSED).total)
            for bulk in bulks(self)
        ] + [(float(at), float(at), float(weight)) for at, weight in zip(*self.atoms, strict=True)]
        groups: list[list[float]] = []  # that have room between them
        for left, right, mass in sorted(pieces):
            if groups and left - groups[-1][1] <= _TOUCHING * self._unit:
                groups[-1] = [groups[-1][0], max(groups[-1][1], right), groups[-1][2] + mass]
            else:
                groups.append([left, right, mass])
        low, high, held = np.array(groups).T
        gaps = low[1:] - high[:-1]
        counted = np.diff([0.0, *mass_left(self._above, 0.5 * (low[1:] + high[:-1]), 0.5 * gaps), 1.0])
        worst = int(np.argmax(np.abs(counted - held)))
        if not abs(counted[worst] - held[worst]) <= _MISSED:
            self._refuse(
                f"mass {counted[worst]:.7g} about [{low[worst]:.6g}, {high[worst]:.6g}], where edges and atoms "
                f"were found that hold {held[worst]:.7g}",
                "that of a law whose edges and atoms can be found",
            )

    def _refuse(self, found: str, rule: str = "that of a law of bounded support") -> NoReturn:
        _validate.fail("transform", rule, self, f"it has {found}")


def as_law(value: Measure | Callable[[Any], Any], name: str) -> Measure:
    """A measure as it is; a function is taken for a Stieltjes transform and wrapped."""
    if isinstance(value, Measure):
        return value
    if not callable(value) or isinstance(value, type):
        _validate.fail(name, "a Measure, or a Stieltjes transform m(z) as a function", value)
    return StieltjesLaw(value)
