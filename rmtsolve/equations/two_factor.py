"""Base of the two-factor equations ``v = s + t N_1(s + t N_2(v))``: how they are solved, on the real axis and off it.

The families (sums, products, separable covariances) say what s, t and N are; N_1 and N_2 map the upper half-plane into
itself, and so does the composition, which has exactly one fixed point there (Denjoy-Wolff). See
`rmtsolve.equations.subordination`.
"""

from __future__ import annotations

from functools import cached_property, partial
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..measures.base import Complex, Measure, Real
from ..status import Status
from . import lockstep
from .base import Equation, Sweep
from .chunks import in_chunks
from .operands import remark
from .real_line import RealLine, real_line
from .sides import KINDS, Flags, Side, stretch

Index = NDArray[np.int64]

_EPS = float(np.finfo(float).eps)
_MAX_STEPS = 200
_ROUGH = 1e-14  # a step that is longer, in units of the distance to the singularities, is worth to be taken
_SOLVED = 1e-6  # of |v|: a larger gap at a real point is more than rounding at its pole
_AT_ROUNDING = 1e-13  # of |v|: next to an edge Newton's steps wander at gaps this small
_DESCENT = 0.25  # height of the next point over that of the last


class Pair(NamedTuple):
    """Solved points: the arguments of the two factors."""

    u: Complex
    v: Complex
    status: Index
    n_steps: Index
    residual: Real


class Errors(NamedTuple):
    """Newton's steps from solved points, their size in units of the distances to the singularities, error bounds."""

    u: Complex
    v: Complex
    step: Real
    bound_u: Real
    bound_v: Real


class TwoFactorEquation(Equation):
    """Base of the families; `one` must live on the positive axis unless the kind is a sum."""

    kind: ClassVar[str]
    mirrored: ClassVar[bool] = False  # u and v are in the lower half-plane when z is in the upper

    def __init__(self, one: Measure, two: Measure, *, rate: float = 1.0, name: str) -> None:
        super().__init__(self._map, self._transform, jacobian=self._slope, start=self._begin, name=name)
        self.one, self.two = Side(one, self.kind, rate), Side(two, self.kind)
        self.remarks = (*remark(one, "the first factor"), *remark(two, "the second factor"))

    # ------------------------------------------------------------------ what a family gives
    def couple(self, z: Complex) -> tuple[Complex, Complex]:
        """s and t."""
        raise NotImplementedError

    def transform(self, z: Complex, u: Complex, v: Complex) -> Complex:
        """m(z) from the solution."""
        raise NotImplementedError

    def spread(self, z: Complex, u: Complex, v: Complex, m: Complex, du: Real, dv: Real) -> Real:
        """Bound on the error of m when u and v are known within du and dv."""
        raise NotImplementedError

    def rates(self, z: Complex, pair: Pair) -> tuple[Complex, Complex]:
        """du/dz and dv/dz."""
        raise NotImplementedError

    def transform_rate(self, z: Complex, pair: Pair) -> Complex:
        """m'(z)."""
        raise NotImplementedError

    def digits_lost(self, z: Complex, pair: Pair) -> Real:
        """By what factor `transform_rate` may be worse than rounding."""
        return np.where(np.abs(z) < 1e-4 * float(np.abs(self.line.edges).max(initial=0.0)), np.inf, 1.0)

    def potential(self, z: Complex, pair: Pair) -> Complex | None:
        """``int log(z - x)`` up to a real constant; None where a factor's own is not known."""
        raise NotImplementedError

    def first_guess(self, z: Complex) -> Complex:
        """A v in the upper half-plane of the right size (for a mirrored family at Im z <= 0)."""
        raise NotImplementedError

    def _below(self, z: Complex, pair: Pair) -> Flags:
        """Where u is in the lower half-plane, or real and reached from there as z comes down from above."""
        lower = pair.u.imag < 0.0
        real = np.flatnonzero(pair.u.imag == 0.0)
        if self.two.positive:
            lower[real] = self.mirrored
        elif real.size:
            with np.errstate(all="ignore"):
                lower[real] = self.rates(z[real], _take(pair, real))[0].real < 0.0
        return lower

    # ------------------------------------------------------------------ the map, for the generic methods
    def _map(self, z: Any, state: Any) -> Any:
        """T; the state is v, or -v in a mirrored family, so that it is in the upper half-plane."""
        sign = -1 if self.mirrored else 1
        s, t = self.couple(z)
        return sign * (s + t * self.one.value(s + t * self.two.value(sign * state)))

    def _slope(self, z: Complex, state: Complex) -> Complex:
        return self._image(z, -state if self.mirrored else state)[2][:, None, None]

    def _transform(self, z: Any, state: Any) -> Any:
        s, t = self.couple(z)
        v = -state if self.mirrored else state
        return self.transform(z, s + t * self.two.value(v), v)

    def _begin(self, z: Complex) -> Complex:
        return -self.first_guess(z.conj()).conj() if self.mirrored else self.first_guess(z)

    def _image(self, z: Complex, v: Complex) -> tuple[Complex, Complex, Complex]:
        """u, T and T'."""
        with np.errstate(all="ignore"):
            s, t = self.couple(z)
            n_two, d_two = self.two.evaluate(v)
            u = s + t * n_two
            n_one, d_one = self.one.evaluate(u)
            return u, s + t * n_one, t * t * d_one * d_two

    def _image_at(self, z: Complex, rows: Index, v: Complex) -> tuple[Complex, Complex]:
        """T and T' at some of the points z."""
        return self._image(z[rows], v)[1:]

    # ------------------------------------------------------------------ what is known
    @cached_property
    def line(self) -> RealLine:
        """Edges and the real solutions outside the support."""
        return real_line(self.one, self.two)

    def find_edges(self) -> Real:
        """Sorted edges of the bulks."""
        return np.array(self.line.edges)

    def sweep(self, z: Complex, start: Complex | None = None) -> Sweep:
        """Solve all points, with error bounds."""
        with np.errstate(all="ignore"):  # at z = 0 some families have 0/0, which the status tells
            pair = self.solve_pairs(z, start)
            error = self._errors(z, pair)
            # next to poles the sums of the compiled sweep cancel, and steps from these values correct it
            rough = np.flatnonzero(error.step > _ROUGH)
            if rough.size:
                pair.u[rough] += error.u[rough]
                pair.v[rough] += error.v[rough]
                for whole, part in zip(error, self._errors(z[rough], _take(pair, rough)), strict=True):
                    whole[rough] = part
            m = self.transform(z, pair.u, pair.v)
            bound = self.spread(z, pair.u, pair.v, m, error.bound_u, error.bound_v)
        pair.status[self.poles_at(z)] = int(Status.SINGULAR)
        bound = np.where(np.isfinite(bound) & (pair.status == 0), bound, np.nan)
        return Sweep(-pair.v if self.mirrored else pair.v, pair.status, pair.n_steps, pair.residual, bound)

    def poles_at(self, z: Complex) -> Flags:
        """Which points are atoms, or 0 where the density diverges."""
        atoms = self.find_atoms()
        pole = np.zeros(z.size, dtype=bool) if atoms is None else (z.imag == 0.0) & np.isin(z.real, atoms.locations)
        zero = (z == 0.0) & ~pole
        if self.kind != "sum" and zero.any() and (self.line.edges == 0.0).any():
            pole[zero] = self._diverges
        return pole

    @cached_property
    def _diverges(self) -> bool:
        """Whether m is infinite at its edge 0, told by its growth: a square-root edge changes it by 1e-6 here."""
        side = -1.0 if self.line.edges[0] == 0.0 else 1.0
        z = (side * float(np.abs(self.line.edges).max()) * np.array([1e-14, 1e-12])).astype(np.complex128)
        pair = self.solve_pairs(z)
        near, far = self.transform(z, pair.u, pair.v)
        return not abs(near - far) < 1e-3 * abs(far)

    def solve_pairs(self, z: Complex, start: Complex | None = None) -> Pair:
        """Solve at points with Im z >= 0; at real z of a bulk the boundary value from above.

        `start` holds states (see `_map`) near the solution, used where they are in the upper half-plane.
        """
        real = z.imag == 0.0
        inner = z.conj() if self.mirrored else z  # a mirrored family is solved at conj z, where u and v are above
        outside, v0, edge = np.zeros(z.size, dtype=bool), self.first_guess(inner), np.full(z.size, -1)
        if start is not None:
            given = -start.conj() if self.mirrored else start
            v0 = np.where((given.imag > 0.0) & np.isfinite(given), given, v0)
        if real.any():
            edges = self.line.edges
            exact = real & np.isin(z.real, edges)
            edge[exact] = np.searchsorted(edges, z.real[exact])
            outside = real & ~exact & (np.searchsorted(edges, z.real) % 2 == 0)
            v0[outside] = self.line.start(z.real[outside])
        order = np.flatnonzero(edge < 0)
        order = order[np.lexsort((z.real[order], z.imag[order], outside[order]))]
        pair = Pair(
            np.empty_like(z), np.empty_like(z), np.zeros(z.size, dtype=np.int64), np.zeros(z.size, dtype=np.int64),
            np.zeros(z.size),
        )  # fmt: skip
        for whole, part in zip(pair, self._solve_sorted(inner[order], v0[order], outside[order]), strict=True):
            whole[order] = part
        at_edge = np.flatnonzero(edge >= 0)
        if at_edge.size:
            pair.v[at_edge] = self.line.critical[edge[at_edge]]
            pair.u[at_edge] = self._image(inner[at_edge], pair.v[at_edge])[0]
        self._check_real(inner, outside, pair)
        self._rescue(inner, pair)
        self._bridge(inner, pair)
        return pair._replace(u=pair.u.conj(), v=pair.v.conj()) if self.mirrored else pair

    def _solve_sorted(self, z: Complex, v0: Complex, outside: Flags) -> Pair:
        if self.one.discrete and self.two.discrete:
            from .._kernels.subordination import sweep

            s, t = (np.ascontiguousarray(np.broadcast_to(part, z.shape), np.complex128) for part in self.couple(z))
            u, v = np.empty_like(z), np.empty_like(z)
            status, n_steps = np.empty(z.size, dtype=np.int64), np.empty(z.size, dtype=np.int64)
            residual = np.empty(z.size)
            one, two = self.one.measure.atoms, self.two.measure.atoms
            factors = one.locations, self.one.rate * one.weights, two.locations, two.weights, _MAX_STEPS
            begin, out = np.ascontiguousarray(v0), (v, u, status, n_steps, residual)

            def run(part: slice) -> None:
                points = s[part], t[part], outside[part], begin[part]
                sweep(KINDS[self.kind], *points, *factors, *(array[part] for array in out))

            in_chunks(run, z.size)
            return Pair(u, v, status, n_steps, residual)
        out = Pair(
            np.empty_like(z), np.empty_like(z), np.empty(z.size, dtype=np.int64), np.empty(z.size, dtype=np.int64),
            np.empty(z.size),
        )  # fmt: skip
        for part, upper in ((~outside, True), (outside, False)):
            index = np.flatnonzero(part)
            if index.size == 0:
                continue

            image = partial(self._image_at, z[index])
            points = lockstep.solve_upper(image, v0[index]) if upper else lockstep.solve_real(image, v0[index].real)
            out.u[index] = self._image(z[index], points.v)[0]
            for whole, piece in zip(out[1:], points, strict=True):
                whole[index] = piece
        return out

    def _check_real(self, z: Complex, outside: Flags, pair: Pair) -> None:
        """Real solutions must solve the equation with ``0 <= T' < 1``; the others are solved again.

        Where v passes infinity (u is at a pole of N_1) Newton's steps in v fail, and steps in u do not; at the pole
        itself z is moved by its rounding. What then still is wrong is found on its arc.
        """
        index = np.flatnonzero(outside)
        if index.size:
            v = pair.v[index]
            _, image, slope = self._image(z[index], v)
            with np.errstate(all="ignore"):  # the compiled sums lose digits where an argument is large
                solved = np.abs(image - v) <= _SOLVED * np.abs(v) + 1e-14 * self.line.units[1]
            good = (pair.status[index] == 0) & (slope.real >= 0.0) & (slope.real < 1.0) & solved
            index = index[~good]
        for shift in (0.0, 1e-13, -1e-13):
            if index.size == 0:
                return
            index = index[~self._solve_in_u(z, index, shift * float(np.abs(self.line.edges).max()), pair)]
        size, unit = float(np.abs(self.line.edges).max()), self.line.units[1]
        for i in index:
            pair.status[i] = int(Status.WRONG_BRANCH)
            for shift in (0.0, 1e-13 * size, -1e-13 * size):
                moved = z[i : i + 1] + shift
                found = np.array([complex(self.line.solve(float(moved[0].real)))])
                if np.isnan(found[0]):  # between two arcs, at a pole of N_2, where v is known to the pole's rounding
                    start = self.line.start(moved.real)
                    found = lockstep.solve_real(partial(self._image_at, moved), start, unit=unit).v
                u, image, rate = self._image(moved, found)
                with np.errstate(all="ignore"):
                    miss = float(np.abs(image - found)[0])
                if miss < _SOLVED * abs(found[0]) + 1e-14 * unit and 0.0 <= rate[0].real < 1.0:
                    pair.u[i], pair.v[i], pair.residual[i] = u[0], found[0], miss / unit
                    pair.status[i] = int(Status.CONVERGED)
                    break

    def _solve_in_u(self, z: Complex, index: Index, shift: float, pair: Pair) -> Flags:
        """Newton's method for ``u = s + t N_2(s + t N_1(u))`` at real points; where it worked."""
        moved = z[index] + shift
        s, t = self.couple(moved)

        def image(rows: Index, u: Complex) -> tuple[Complex, Complex]:
            with np.errstate(all="ignore"):
                n_one, d_one = self.one.evaluate(u)
                n_two, d_two = self.two.evaluate(s[rows] + t[rows] * n_one)
                return s[rows] + t[rows] * n_two, t[rows] ** 2 * d_one * d_two

        start = self._image(moved, self.line.start(moved.real).astype(np.complex128))[0].real
        points = lockstep.solve_real(image, start, unit=self.line.units[0])
        rate = image(np.arange(index.size), points.v)[1].real
        good = (points.status == 0) & (rate >= 0.0) & (rate < 1.0)
        done = index[good]
        with np.errstate(all="ignore"):
            pair.v[done] = (s + t * self.one.evaluate(points.v)[0])[good]
        pair.u[done], pair.status[done], pair.residual[done] = points.v[good], 0, points.residual[good]
        return np.asarray(good)

    def _rescue(self, z: Complex, pair: Pair) -> None:
        """Points that failed are solved again from better starts.

        Next to a gap the real solution at their foot is one; else the solution is followed down from far above, where
        it is known, in steps that keep the distance to a square-root edge from changing much.
        """
        index = np.flatnonzero((pair.status != 0) & (z.imag != 0.0))
        if index.size:
            index = index[np.searchsorted(self.line.edges, z.real[index]) % 2 == 0]
        if index.size:
            foot = z.real[index].astype(np.complex128)
            below = self.solve_pairs(foot)
            v0 = (below.v.conj() if self.mirrored else below.v) + 1j * z.imag[index] * self.rates(foot, below)[1]
            good = (below.status == 0) & (v0.imag > 0.0)
            self._repeat(z, index[good], v0[good], pair)
        tired = (int(Status.MAX_STEPS), int(Status.NOT_FINITE), int(Status.WRONG_BRANCH))
        index = np.flatnonzero(np.isin(pair.status, tired) & (pair.v.imag != 0.0))
        if index.size == 0:
            return
        size, side = float(np.abs(self.line.edges).max()), -1j if self.mirrored else 1j
        ground = np.abs(z.imag[index])
        height = np.maximum(ground, size)
        v0 = self.first_guess(z.real[index] + side * height)
        while True:
            points = z.real[index] + side * height
            v0 = lockstep.solve_upper(partial(self._image_at, points), v0).v
            if (height <= np.maximum(ground, 1e-12 * size)).all():
                break
            height = np.maximum(_DESCENT * height, ground)
        self._repeat(z, index, v0, pair)

    def _repeat(self, z: Complex, index: Index, v0: Complex, pair: Pair) -> None:
        """Solve some of the points again, from starts in the upper half-plane."""
        points = lockstep.solve_upper(partial(self._image_at, z[index]), v0)
        pair.v[index], pair.status[index], pair.residual[index] = points.v, points.status, points.residual
        pair.n_steps[index] += points.n_steps
        pair.u[index] = self._image(z[index], points.v)[0]

    def _bridge(self, z: Complex, pair: Pair) -> None:
        """Points where T' = 1: at an edge that is in order; inside a bulk the solution is continued from both sides.

        This happens where two masses that sum to exactly one meet; the solution may be analytic there, or not.
        """
        stuck = (pair.status == int(Status.MAX_STEPS)) & (pair.residual <= _AT_ROUNDING)
        for i in np.flatnonzero((pair.status == int(Status.SINGULAR)) | stuck):
            edges = self.line.edges
            distance = float(np.abs(edges - z[i].real).min())
            if distance <= 1e-10 * float(np.abs(edges).max()):
                pair.status[i] = int(Status.CONVERGED)
                continue
            if stuck[i]:
                continue
            if z[i].imag != 0.0:
                continue
            steps = 1e-5 * distance * np.array([-2.0, -1.0, 1.0, 2.0])
            around = self.solve_pairs(z[i] + steps)
            if around.status.any():
                continue
            found = [part.conj() if self.mirrored else part for part in (around.u, around.v)]
            levels = [(part[1:3].mean(), part[[0, 3]].mean()) for part in found]
            pair.residual[i] = max(abs(near - far) / abs(near) for near, far in levels)
            if pair.residual[i] < 1e-7:
                pair.u[i], pair.v[i] = ((4.0 * near - far) / 3.0 for near, far in levels)
                pair.status[i] = int(Status.CONVERGED)

    def _errors(self, z: Complex, pair: Pair) -> Errors:
        """Newton's steps and error bounds of u and v, by Smale's alpha test for the pair of equations; nan if it fails.

        ``|N^(k)(p)/k!| <= nu / d^(k-1)`` with ``nu = Im N/Im p`` (at real points N') and d the distance to the
        singularities: with u and v in units of their own d, that bounds all derivatives of the system. The units
        matter where v is next to a pole of N_2, and u far out.
        """
        u, v = pair.u, pair.v
        s, t = self.couple(z)
        n_one, d_one = self.one.evaluate(u)
        n_two, d_two = self.two.evaluate(v)
        unit_u, unit_v = self.one.distance(u), self.two.distance(v)
        one_to_two, two_to_one = np.abs(t) * unit_u / unit_v, np.abs(t) * unit_v / unit_u
        det = 1.0 - t * t * d_one * d_two
        first, second = v - s - t * n_one, u - s - t * n_two  # the second vanishes up to rounding
        step_u, step_v = -(second + t * d_two * first) / det, -(first + t * d_one * second) / det
        step = np.maximum(np.abs(step_u) / unit_u, np.abs(step_v) / unit_v)
        rounding = np.maximum(
            4.0 * _EPS * (np.abs(v) + np.abs(s)) / unit_v + one_to_two * self.one.rounding(u, n_one, d_one) / unit_u,
            4.0 * _EPS * (np.abs(u) + np.abs(s)) / unit_u + two_to_one * self.two.rounding(v, n_two, d_two) / unit_v,
        )
        inverse = (1.0 + np.maximum(one_to_two * np.abs(d_one), two_to_one * np.abs(d_two))) / np.abs(det)
        steepest = np.maximum(one_to_two * stretch(u, n_one, d_one), two_to_one * stretch(v, n_two, d_two))
        beta = step + inverse * rounding
        beta = np.where(beta * np.maximum(1.0, inverse * steepest) < 0.157, beta, np.nan)
        return Errors(step_u, step_v, np.where(np.isnan(beta), 0.0, step), 2.0 * beta * unit_u, 2.0 * beta * unit_v)


def _take(pair: Pair, index: Index) -> Pair:
    return Pair(pair.u[index], pair.v[index], pair.status[index], pair.n_steps[index], pair.residual[index])
