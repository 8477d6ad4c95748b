"""Newton's iteration for operator-valued subordination, on all points of a grid at once (map: `free_pencil_map`).

Above the axis a root with positive definite imaginary parts is the solution, whatever led there. On the axis a root is
the boundary value of the solution if its continuation to ``x + i h``, ``u + i h (1 - T')^{-1} dT/dz``, has positive
definite imaginary parts for small h: then it is the solution there. That is asked of every root on the axis, real or
complex; next to singular points, where rounding can make up a root, also a finite error bound.

Points are started from the nearest solved ones, lifted off the axis, and where that fails they are continued from
large Im z. Towards a singular point all entries follow powers of the height, which is how they are predicted.

The error bound is that of Newton and Kantorovich, in units of the `yard`: with ``beta = |(1 - J)^{-1}| (|T(u) - u| +
rounding)`` and L the variation of ``(1 - J)^{-1} J``, ``h = beta L <= 1/4`` proves a root within ``2 beta``. The
rounding of the map is measured at neighbouring floating-point numbers, L is ten times its largest sampled value.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..status import Status
from .base import Complex, Real, Sweep
from .free_pencil_map import Image, PencilMap
from .stacks import invert_each, solve_each

if TYPE_CHECKING:
    from .free_pencil import FreePencil

_EPS = float(np.finfo(float).eps)
_SHORT = 1e-8  # relative length of a last step: the next one is rounding
_ACCEPTED = 1e-10  # residual that a solution may have
_STEPS, _PATIENCE = 12, 6  # most Newton steps from a guess, and those after which they must be short
_AVERAGED = 30  # averaged steps far above the axis
_ANCHORS = 81  # abscissae of solved points from which others start
_DESCENT, _FASTEST = 0.3, 0.1  # ratio of the heights of a continuation, at first and at least
_LIFT = 1e-8  # height, in sizes of the pencil, from which the axis is reached
_AGAIN = 0.05  # ratio of the heights from which it is tried again
_PROBES = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7)  # and at which singular points are looked at
_FLOOR = 1e-15  # and the least
_NEARLY = 1e-5  # imaginary part, in yards, below which a real root is looked for
_ROUGH = 1e-6  # by which imaginary parts may fail to be positive where a closer look is to follow
_SLACK, _RAISED = 1e-10, 1e-9  # above the axis, and for a continuation from it
_NEIGHBOURS = 3  # at which the rounding of the map is measured
_RADIUS = 1e-4  # in yards, of the samples of the second derivative


class _Found(NamedTuple):
    unknowns: Complex  # (n, d)
    done: NDArray[np.bool_]
    steps: NDArray[np.int64]

    def put(self, rows: NDArray[np.int64], other: _Found) -> None:
        """Take over what was found at some of the points."""
        self.steps[rows] += other.steps
        self.unknowns[rows[other.done]] = other.unknowns[other.done]
        self.done[rows] |= other.done


class PencilNewton(PencilMap):
    """The iteration for one equation."""

    def __init__(self, equation: FreePencil) -> None:
        super().__init__(equation)
        self.floor = _FLOOR * self.size

    # ------------------------------------------------------------------ single points
    def newton(self, z: Complex, u: Complex) -> _Found:
        """Newton's full steps, whatever they do on the way; done where they end at the solution."""
        from .._kernels.free_pencil import newton_steps

        z, u = np.asarray(z, dtype=np.complex128), np.array(u, order="C")
        done, steps = np.zeros(z.size, dtype=bool), np.zeros(z.size, dtype=np.int64)
        live = np.flatnonzero(np.isfinite(u).all(axis=1))
        for count in range(_STEPS):
            if live.size == 0:
                break
            going, last = np.empty(live.size, dtype=bool), np.empty(live.size, dtype=bool)
            newton_steps(
                z,
                u,
                *self.pushes(u[live], True),
                self.problem,
                live,
                _SHORT,
                _ACCEPTED,
                count != _PATIENCE,
                going,
                last,
            )
            steps[live] += 1
            done[live[last]] = True
            live = live[going]
        ended = np.flatnonzero(done)
        if ended.size:
            u[ended], done[ended] = self.accepted(z[ended], u[ended])
        return _Found(u, done, steps)

    def accepted(self, z: Complex, u: Complex) -> tuple[Complex, NDArray[np.bool_]]:
        """(roots, which of them are the solution); roots at real z with imaginary parts of rounding are made real."""
        good = self.inside(u, np.where(z.imag == 0.0, _ROUGH, _SLACK))
        flat = np.flatnonzero((z.imag == 0.0) & good)
        if flat.size == 0:
            return u, good
        u, yard = u.copy(), self.yard(u)
        # near edges rounding is far above its usual size, and a root that is nearly real may be so in truth
        nearly = flat[(np.abs(self.skew(u)[flat]) <= _NEARLY * yard[flat]).all(axis=1)]
        root, settled = self.real_roots(z[nearly], u[nearly])
        nearly, root = nearly[settled], root[settled]
        u[nearly], good[nearly] = root, self.rises(z[nearly], root)
        flat = np.setdiff1d(flat, nearly)
        if flat.size == 0:
            return u, good
        # as far as the linear continuation reaches: a thousandth of what is there
        rate = self.rate(z[flat], u[flat])
        part = np.minimum(np.abs(self.skew(u)[flat]).max(axis=1, keepdims=True), yard[flat])
        with np.errstate(all="ignore"):
            raised = u[flat] + 1j * 1e-3 * (part / np.abs(rate)).min(axis=1, keepdims=True) * rate
        finite = np.isfinite(raised).all(axis=1)
        good[flat] = finite
        good[flat[finite]] = self.inside(raised[finite], _RAISED)
        return u, good

    def real_roots(self, z: Complex, u: Complex) -> tuple[Complex, NDArray[np.bool_]]:
        """Hermitian roots next to u, and where there are any."""
        begin, yard = u, self.yard(u)
        u, done = self.hermitian(u), np.zeros(z.size, dtype=bool)
        for _ in range(_STEPS):
            live = np.flatnonzero(~done & np.isfinite(u).all(axis=1))
            if live.size == 0:
                break
            image = self.linearised(z[live], u[live])
            step = solve_each(np.eye(self.count) - image.slope, image.value - u[live])
            done[live] = self.settled(u[live], image, step)
            u[live] = self.hermitian(u[live] + step)
        return u, done & (np.abs(u - begin) <= 100.0 * _NEARLY * yard).all(axis=1)

    def settled(self, u: Complex, image: Image, step: Complex) -> NDArray[np.bool_]:
        """Whether a step is the last one."""
        yard = self.yard(u)
        with np.errstate(invalid="ignore"):
            short = (np.abs(step) <= _SHORT * yard) & (np.abs(image.value - u) <= _ACCEPTED * yard)
        return np.asarray(short.all(axis=1))

    def skew(self, u: Complex) -> Complex:
        """Imaginary parts ``(w - w*)/2i`` of all unknowns."""
        return np.concatenate([_flat((b - b.conj().swapaxes(1, 2)) / 2j) for b in self.blocks(u)], axis=1)

    def hermitian(self, u: Complex) -> Complex:
        """Real parts ``(w + w*)/2``, Hermitian to the last bit."""
        return np.concatenate([_flat(0.5 * (b + b.conj().swapaxes(1, 2))) for b in self.blocks(u)], axis=1)

    def rises(self, z: Complex, root: Complex) -> NDArray[np.bool_]:
        """Whether Hermitian roots increase with z, up to the rounding of the largest rate: some rates have rank one."""
        rate = self.rate(z, root)
        unit = np.concatenate([np.eye(block.shape[1]).ravel() for block in self.blocks(rate)])
        with np.errstate(invalid="ignore"):
            rate = rate + 64.0 * _EPS * np.abs(rate).max(axis=1, keepdims=True) * unit
        return self.inside(1j * rate, _RAISED)

    def rate(self, z: Complex, u: Complex) -> Complex:
        """Derivative of the solution by z."""
        image = self.linearised(z, u)
        return solve_each(np.eye(self.count) - image.slope, image.drift)

    # ------------------------------------------------------------------ continuation
    def summit(self, z: Complex) -> tuple[Real, Complex]:
        """(heights, unknowns there, nearly) far above the points, where the averaged map contracts."""
        height = np.maximum(2.0 * z.imag, 4.0 * self.size)
        u = self.cold(z.real + 1j * height)
        for _ in range(_AVERAGED):
            u = 0.5 * (u + self.value(z.real + 1j * height, u)[0])
        return height, u

    def descend(self, z: Complex, reached: Real, good: Complex, trace: list[tuple[Complex, Complex]]) -> _Found:
        """Solutions by continuation from `good` at the heights `reached`; solved points on the way go to `trace`."""
        found = _Found(np.full(good.shape, np.nan + 0j), np.zeros(z.size, bool), np.zeros(z.size, np.int64))
        reached, good = reached.copy(), good.copy()
        before, fresh = good.copy(), np.ones(z.size, dtype=bool)
        ratio, tries = np.full(z.size, _DESCENT), np.full(z.size, 7)
        live = np.arange(z.size)
        target = np.maximum(z.imag, self.floor)
        height = reached.copy()
        due = np.full(z.size, _LIFT * self.size)  # height from which the axis is tried
        stretch = np.zeros(z.size)  # log of the last step in height that succeeded
        while live.size:
            guess = good[live].copy()
            with np.errstate(all="ignore"):
                growth = good[live] / before[live]
                usable = (np.abs(growth) > 0.05) & (np.abs(growth) < 20.0) & ~fresh[live, None]
                share = np.log(height[live] / reached[live]) / np.where(fresh[live], 1.0, stretch[live])
                guess *= np.where(usable, np.where(usable, growth, 1.0) ** share[:, None], 1.0)
            at = z[live].real + 1j * height[live]
            level = self.newton(at, guess)
            found.steps[live] += level.steps
            ok, won, lost = level.done, live[level.done], live[~level.done]
            first = height[won] >= reached[won]
            stretch[won] = np.log(height[won] / reached[won])
            fresh[won] = first
            before[won], good[won], reached[won] = good[won], level.unknowns[ok], height[won]
            trace.append((at[ok], level.unknowns[ok]))
            ratio[won] = np.maximum(ratio[won] ** 1.2, _FASTEST)
            ratio[lost] = np.sqrt(ratio[lost])
            tries[lost] -= 1
            fresh[lost] = True
            arrived = won[reached[won] <= z.imag[won]]
            found.unknowns[arrived], found.done[arrived] = good[arrived], True
            axis = won[(z.imag[won] == 0.0) & (reached[won] <= due[won])]
            if axis.size:
                due[axis] = _AGAIN * reached[axis]
                found.put(axis, self.newton(z[axis], good[axis]))
            stuck = (tries[live] <= 0) | ((reached[live] <= target[live]) & level.done)
            live = live[~(stuck | found.done[live])]
            height[live] = np.maximum(target[live], reached[live] * ratio[live])
        return found

    def digits_above_zero(self) -> float:
        """Digits of m by its error bound, summed over points just above 0, where laws tend to be singular."""
        z = 1j * self.size * np.array(_PROBES)
        found = self.descend(z, *self.summit(z), [])
        image = self.linearised(z, found.unknowns)
        relative = self.bound(z, found.unknowns, image) / np.abs(self.reading(image.m))
        return float(-np.log10(np.fmin(np.where(np.isfinite(relative), relative, 1.0), 1.0)).sum())

    def reading(self, m: Complex) -> Complex:
        """The transform that belongs to M."""
        return np.asarray((np.diagonal(m, axis1=1, axis2=2) * self.weights).sum(axis=1))

    @cached_property
    def anchors(self) -> tuple[Complex, Complex]:
        """(points, unknowns) all over the half-plane: the same starts for every call, whatever came before."""
        reach = np.linspace(-1.0, 1.0, _ANCHORS) * self.size
        trace: list[tuple[Complex, Complex]] = []
        z = np.asarray(reach + 1j * _LIFT * self.size, dtype=np.complex128)
        self.descend(z, *self.summit(z), trace)
        return np.concatenate([at for at, _ in trace]), np.concatenate([u for _, u in trace])

    def begin(self, z: Complex) -> Complex:
        """The nearest anchor, in hyperbolic distance; from afar the cold start."""
        points, unknowns = self.anchors
        out = self.cold(z)
        if points.size == 0:
            return out
        for first in range(0, z.size, 256):
            part = z[first : first + 256, None]
            distance = np.abs(part - points) ** 2 / (part.imag * points.imag)
            nearest = np.argmin(distance, axis=1)
            close = np.abs(part[:, 0]) < 4.0 * self.size
            out[first : first + 256][close] = unknowns[nearest[close]]
        return out

    def sweep(self, z: Complex, start: Complex | None) -> tuple[Complex, Complex, Sweep]:
        """(unknowns, M, sweep without its state) at points with Im z >= 0."""
        n = z.size
        begin = np.full((n, self.count), np.nan + 0j) if start is None else start
        found = self.newton(z, begin)
        rest = np.flatnonzero(~found.done)
        if rest.size:
            lifted = np.where(z[rest].imag == 0.0, z[rest] + 1j * _LIFT * self.size, z[rest])
            above = self.newton(lifted, self.begin(lifted))
            flat = z[rest].imag == 0.0
            found.steps[rest] += above.steps
            found.put(rest[~flat], _Found(*(part[~flat] for part in above)))
            near = flat & above.done
            if near.any():
                found.put(rest[near], self.descend(z[rest[near]], lifted[near].imag, above.unknowns[near], []))
            rest = rest[~above.done]
            if rest.size:
                found.put(rest, self.descend(z[rest], *self.summit(z[rest]), []))
        u = found.unknowns
        image = self.linearised(z, u)
        m = image.m
        real = (z.imag == 0.0) & found.done & (self.skew(u) == 0.0).all(axis=1)
        m[real] = 0.5 * (m[real] + m[real].conj().swapaxes(1, 2))
        with np.errstate(invalid="ignore"):
            residual = (np.abs(image.value - u) / self.yard(u)).max(axis=1, initial=0.0)
        residual = np.where(np.isfinite(residual), residual, np.inf)
        bound = np.full(n, np.nan)
        bound[found.done] = self.bound(z[found.done], u[found.done], Image(*(x[found.done] for x in image)))
        status = np.where(found.done, int(Status.CONVERGED), int(Status.MAX_STEPS))
        status[(z.imag == 0.0) & ~found.done] = Status.SINGULAR
        status[found.done & ~(residual <= _ACCEPTED)] = Status.SINGULAR
        # a complex root on the axis that rounding may have made up
        status[(status == Status.CONVERGED) & (z.imag == 0.0) & ~real & ~np.isfinite(bound)] = Status.NOT_CERTIFIED
        return u, m, Sweep(m, status, found.steps, residual, bound)

    # ------------------------------------------------------------------ error bound
    def bound(self, z: Complex, u: Complex, image: Image) -> Real:
        """Bound on the error of m; nan where the theorem does not apply."""
        if z.size == 0:
            return np.zeros(0)
        yard = self.yard(u)
        noise, reading = self.rounding(z, u, image)
        error = np.abs(image.value - u) + noise
        with np.errstate(all="ignore"):
            inverse = invert_each(np.eye(self.count) - image.slope * yard[:, None, :] / yard[:, :, None])
            beta = (np.abs(inverse) @ (error / yard)[..., None])[..., 0]
            variation = np.zeros(z.size)
            weights = (1.0 + np.arange(self.count)) / self.count
            for turn in (1.0, 1j):
                moved = self.linearised(z, u + turn * _RADIUS * yard * weights).slope - image.slope
                moved = np.abs(inverse @ (moved * yard[:, None, :] / yard[:, :, None])).sum(axis=2).max(axis=1)
                # a sample on the far side of a singular point tells nothing about the near side, but where that is
                variation = np.maximum(variation, np.where(np.isfinite(moved), moved, np.inf) / _RADIUS)
            largest = beta.max(axis=1)
            proved = (largest * 10.0 * variation <= 0.25) & (largest <= 1e-3)
            bound = 2.0 * (np.abs(image.gradient) * beta * yard).sum(axis=1) + reading
        return np.where(proved, bound, np.nan)

    def rounding(self, z: Complex, u: Complex, image: Image) -> tuple[Real, Real]:
        """Rounding errors of T and of m: four times the worst misfit at neighbouring floating-point arguments."""

        noise, reading = 2.0 * _EPS * np.abs(image.value), 2.0 * _EPS * np.abs(self.reading(image.m))
        for k in range(1, _NEIGHBOURS + 1):
            moved = u * (1.0 + 2.0 * _EPS * k * np.exp(2j * np.pi * k / _NEIGHBOURS))
            value, m = self.value(z, moved)
            step = (moved - u)[..., None]
            noise = np.fmax(noise, 4.0 * np.abs(value - image.value - (image.slope @ step)[..., 0]))
            change = self.reading(m) - self.reading(image.m) - (image.gradient[:, None] @ step)[:, 0, 0]
            reading = np.fmax(reading, 4.0 * np.abs(change))
        return noise, reading


def _flat(matrices: Complex) -> Complex:
    return matrices.reshape(-1, matrices.shape[1] ** 2)
