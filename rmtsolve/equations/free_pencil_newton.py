"""Newton's iteration for operator-valued subordination, on all points of a grid at once.

Legend as in `free_pencil`. Unknowns of a point: u = (M if there are Gaussian letters, w_1, ..., w_r), flattened. With
``w^{-1} a = V diag(l) V^{-1}``, ``p = 1/l`` and ``A = V^{-1} w^{-1}``

    g(w) = -V diag(p m(p)) A,       dg = -V [(A dw V) * F] A,       F_cd = p_c p_d (m(p_c) - m(p_d)) / (p_c - p_d),

m the transform of the letter's law (F_cc = p_c^2 m'(p_c)). Hence ``drho = dw + g^{-1} dg g^{-1}``,
``dB_i = S[dM] - sum_{j != i} V_j drho_j V_j*`` and, with T the map, ``dT_i = T_i V_i* B_i^{-1} dB_i B_i^{-1} V_i T_i``.

Above the axis a root with positive definite imaginary parts is the solution, whatever led there. On the axis the root
next to the solution a little above it is taken; where there is none near enough the point is reported as singular.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..measures.base import Measure
from ..measures.discrete import Discrete
from ..status import Status
from .base import Complex, Real, Sweep
from .stacks import eigenvalues_each, invert_each, solve_each

if TYPE_CHECKING:
    from .free_pencil import FreePencil

_TOL = 1e-13
_SHORT = 1e-8  # relative length of a last step
_LAST = 1e-11  # residual from which one more step ends at rounding
_ACCEPTED = 1e-10  # residual that a solution may have
_COLD, _STEP = 40, 12  # most steps from a guess, and from the height above
_PLAIN = 10  # most full steps: where these have not converged the guess was no near one
_ANCHORS = 81  # abscissae of solved points from which others start
_DESCENT = 0.3  # ratio of the heights of a continuation
_LIFT = 1e-8  # height, in sizes of the pencil, from which the axis is reached
_NEAR = 0.02  # relative change over that height that may be smooth
_FLAT = 1e-11  # relative imaginary part that is rounding


class Letter(NamedTuple):
    """One letter: frame V, diagonal of the invertible core a, law, and its place among the unknowns."""

    frame: Complex
    core: Complex  # (r,)
    law: Measure
    place: slice


class _Found(NamedTuple):
    unknowns: Complex  # (n, d)
    done: NDArray[np.bool_]
    steps: NDArray[np.int64]
    residual: Real


class PencilNewton:
    """The iteration for one equation."""

    def __init__(self, equation: FreePencil) -> None:
        self.rows = equation.rows
        self.spectral, self.constant = equation.spectral, equation.constant
        self.size = equation.size
        self.own = self.rows**2 if equation.terms else 0  # unknowns taken by M
        self.letters = []
        end = self.own
        for frame, core, law in equation.letters:
            begin, end = end, end + core.shape[0] ** 2
            self.letters.append(Letter(frame, np.diag(core), law, slice(begin, end)))
        self.count = end
        k = self.rows
        self.covariance = np.zeros((k, k, k, k), dtype=np.complex128)  # S[M]_ab = covariance_abkl M_kl
        for left, right in equation.terms:
            self.covariance += np.einsum("ak,lb->abkl", left, right)

    # ------------------------------------------------------------------ the map and its derivative
    def blocks(self, u: Complex) -> list[Complex]:
        """The matrices among the unknowns: M first if it is one of them."""
        parts = [u[:, : self.own].reshape(-1, self.rows, self.rows)] if self.own else []
        return parts + [u[:, x.place].reshape(-1, x.core.size, x.core.size) for x in self.letters]

    def image(self, z: Complex, u: Complex, slope: bool) -> tuple[Complex, Complex, Complex | None]:
        """(T(u), M, dT/du or None), shapes (n, d), (n, K, K), (n, d, d)."""
        n, k, d = z.size, self.rows, self.count
        everything = z[:, None, None] * self.spectral - self.constant
        if self.own:
            everything = everything + np.einsum("abkl,nkl->nab", self.covariance, self.blocks(u)[0])
        pushed, moved = [], []
        for letter in self.letters:
            r = letter.core.size
            w = u[:, letter.place].reshape(n, r, r)
            g, dg = _transform(w, letter, slope)
            inverse = invert_each(g)
            v = letter.frame
            pushed.append(v @ (w - inverse) @ v.conj().T)
            if dg is not None:
                change = _sandwich(inverse, dg, inverse) + np.eye(r * r).reshape(r, r, r * r)
                moved.append(_sandwich(v, change, v.conj().T))
        everything = everything - sum(pushed)
        m = -invert_each(everything)
        out = np.empty((n, d), dtype=np.complex128)
        jacobian = np.zeros((n, d, d), dtype=np.complex128) if slope else None
        # derivative of the common part of all B_i by all unknowns
        common = np.zeros((n, k, k, d), dtype=np.complex128) if slope else None
        if common is not None:
            common[:, :, :, : self.own] = self.covariance.reshape(k, k, -1)[:, :, : self.own]
            for letter, part in zip(self.letters, moved, strict=True):
                common[:, :, :, letter.place] = -part
        if self.own:
            out[:, : self.own] = m.reshape(n, -1)
            if jacobian is not None and common is not None:
                jacobian[:, : self.own] = _sandwich(m, common, m).reshape(n, -1, d)
        for index, letter in enumerate(self.letters):
            resolvent = invert_each(everything + pushed[index])
            v = letter.frame
            w = invert_each(v.conj().T @ resolvent @ v)
            out[:, letter.place] = w.reshape(n, -1)
            if jacobian is not None and common is not None:
                own = common.copy()
                own[:, :, :, letter.place] = 0.0
                left, right = w @ v.conj().T @ resolvent, resolvent @ v @ w
                jacobian[:, letter.place] = _sandwich(left, own, right).reshape(n, -1, d)
        return out, m, jacobian

    def residual(self, u: Complex, image: Complex) -> Real:
        """Largest gap relative to the largest entry of its block; inf where not finite."""
        worst = np.zeros(len(u))
        for block, target in zip(self.blocks(u), self.blocks(image), strict=True):
            yard = np.abs(block).max(axis=(1, 2)) + np.abs(target).max(axis=(1, 2)) + 1e-300
            worst = np.maximum(worst, np.abs(target - block).max(axis=(1, 2)) / yard)
        return np.where(np.isfinite(worst), worst, np.inf)

    def inside(self, u: Complex, slack: float) -> NDArray[np.bool_]:
        """Whether all imaginary parts are positive definite up to `slack` of the block."""
        good = np.ones(len(u), dtype=bool)
        for block in self.blocks(u):
            low = eigenvalues_each((block - block.conj().swapaxes(1, 2)) / 2j)[:, 0]
            good &= low > -slack * np.abs(block).max(axis=(1, 2))
        return good

    # ------------------------------------------------------------------ iteration
    def newton(self, z: Complex, u: Complex, most: int, guard: bool) -> _Found:
        """Guarded Newton from u at all points; halved steps and, where they do not help either, averaged ones."""
        u = u.copy()
        n = z.size
        done, steps = np.zeros(n, dtype=bool), np.ones(n, dtype=np.int64)
        live = np.arange(n)
        image, slope = self.image_and_slope(z, u)
        residual = self.residual(u, image)
        for _ in range(most):
            keep = np.isfinite(residual[live])
            live, image, slope = live[keep], image[keep], slope[keep]
            if live.size == 0:
                break
            here, gap = u[live], residual[live]
            step = solve_each(np.eye(self.count) - slope, image - here)
            # so near that one more step ends at rounding, whatever its own residual says
            last = (gap <= _LAST) & self.short(here, step)
            if guard:
                last[last] = self.inside(here[last] + step[last], 0.0)
            u[live[last]] = here[last] + step[last]
            last |= gap <= _TOL
            done[live[last]] = True
            live, here, image, gap, step = live[~last], here[~last], image[~last], gap[~last], step[~last]
            if live.size == 0:
                break
            following = (np.empty_like(here), np.empty((live.size, self.count, self.count), dtype=np.complex128))
            trying = np.arange(live.size)
            length = 1.0
            for attempt in range(5):
                averaged = attempt == 4
                if averaged:  # a residual at rounding level does not fall any more
                    at_rounding = gap[trying] <= _ACCEPTED
                    done[live[trying[at_rounding]]] = True
                    trying = trying[~at_rounding]
                trial = 0.5 * (here + image)[trying] if averaged else here[trying] + length * step[trying]
                good = np.asarray(np.isfinite(trial).all(axis=1))
                if guard and not averaged:
                    good[good] = self.inside(trial[good], 0.0)
                chosen, trial = trying[good], trial[good]
                if chosen.size:
                    target, change = self.image_and_slope(z[live[chosen]], trial)
                    steps[live[chosen]] += 1
                    now = self.residual(trial, target)
                    better = np.asarray((now < (1.0 - 0.25 * length) * gap[chosen]) | averaged)
                    won = chosen[better]
                    u[live[won]], residual[live[won]] = trial[better], now[better]
                    following[0][won], following[1][won] = target[better], change[better]
                    trying = np.setdiff1d(trying, won)
                if trying.size == 0:
                    break
                length *= 0.5
            residual[live[trying]] = np.inf  # not even an averaged step is finite
            keep = ~done[live]
            live, image, slope = live[keep], following[0][keep], following[1][keep]
        return _Found(u, done | (residual <= _ACCEPTED), steps, residual)

    def approach(self, z: Complex, u: Complex) -> _Found:
        """Solutions at Im z > 0 from guesses: full steps, and where they fail the guarded iteration.

        Next to edges the residual first rises by powers of ten under the right steps, and a line search would creep.
        """
        found = self.plain(z, u)
        rest = np.flatnonzero(~found.done)
        if rest.size:
            more = self.newton(z[rest], u[rest], _COLD, guard=True)
            found.unknowns[rest], found.done[rest], found.residual[rest] = more.unknowns, more.done, more.residual
            found.steps[rest] += more.steps
        return found

    def plain(self, z: Complex, u: Complex) -> _Found:
        """Newton's full steps, whatever they do on the way; done where they end in the domain."""
        u = u.copy()
        done, steps = np.zeros(z.size, dtype=bool), np.zeros(z.size, dtype=np.int64)
        residual, live = np.full(z.size, np.inf), np.arange(z.size)
        for _ in range(_PLAIN):
            here = u[live]
            image, slope = self.image_and_slope(z[live], here)
            steps[live] += 1
            residual[live] = gap = self.residual(here, image)
            step = solve_each(np.eye(self.count) - slope, image - here)
            finite = np.isfinite(step).all(axis=1) & np.isfinite(gap)
            last = finite & (gap <= _LAST) & self.short(here, step)
            u[live[finite]] += step[finite]
            done[live[last]] = True
            live = live[finite & ~last]
            if live.size == 0:
                break
        done[done] = self.inside(u[done], 0.0)
        return _Found(u, done, steps, residual)

    def short(self, u: Complex, step: Complex) -> NDArray[np.bool_]:
        """Whether a step is so short relative to every block that the next one is rounding."""
        good = np.ones(len(u), dtype=bool)
        for block, change in zip(self.blocks(u), self.blocks(step), strict=True):
            good &= np.abs(change).max(axis=(1, 2)) <= _SHORT * np.abs(block).max(axis=(1, 2))
        return good

    def image_and_slope(self, z: Complex, u: Complex) -> tuple[Complex, Complex]:
        """T(u) and dT/du."""
        image, _, slope = self.image(z, u, slope=True)
        assert slope is not None
        return image, slope

    def above(self, z: Complex, start: Complex) -> _Found:
        """Solutions at Im z > 0, from guesses, or down from far away."""
        found = self.approach(z, start)
        todo = np.flatnonzero(~found.done)
        if todo.size:
            for _, level in self.descend(z[todo]):
                found.steps[todo] += level.steps
            found.unknowns[todo[level.done]] = level.unknowns[level.done]
            found.done[todo], found.residual[todo] = level.done, level.residual
        return found

    def descend(self, z: Complex) -> Iterator[tuple[Complex, _Found]]:
        """(points, solutions) on the way from large Im z down to z."""
        height = np.maximum(z.imag, 4.0 * self.size)
        good = self.cold(z.real + 1j * height)
        while True:
            at = z.real + 1j * height
            level = self.approach(at, good)
            good = np.where(level.done[:, None], level.unknowns, good)
            yield at, level
            if (height == z.imag).all():
                return
            height = np.maximum(z.imag, _DESCENT * height)

    @cached_property
    def anchors(self) -> tuple[Complex, Complex]:
        """(points, unknowns) all over the half-plane: the same starts for every call, whatever came before."""
        reach = np.linspace(-1.0, 1.0, _ANCHORS) * self.size
        found = list(self.descend(np.asarray(reach + 1j * _LIFT * self.size, dtype=np.complex128)))
        z = np.concatenate([at[level.done] for at, level in found])
        return z, np.concatenate([level.unknowns[level.done] for _, level in found])

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

    def cold(self, z: Complex) -> Complex:
        """The unknowns without letters, raised on all rows by i so that those without z are invertible."""
        free = np.linalg.inv(z[:, None, None] * self.spectral - self.constant + 1j * np.eye(self.rows))
        parts: list[NDArray[Any]] = [(-free).reshape(z.size, -1)] if self.own else []
        for letter in self.letters:
            parts.append(np.linalg.inv(letter.frame.conj().T @ free @ letter.frame).reshape(z.size, -1))
        return np.concatenate(parts, axis=1)

    def sweep(self, z: Complex, start: Complex | None) -> tuple[Complex, Complex, Sweep]:
        """(unknowns, M, sweep without its state) at points with Im z >= 0."""
        flat = z.imag == 0.0
        lifted = np.where(flat, z + 1j * _LIFT * self.size, z)
        begin = self.begin(lifted)
        if start is not None:
            begin = np.where(np.isfinite(start).all(axis=1, keepdims=True), start, begin)
        found = self.above(lifted, begin)
        status = np.where(found.done, int(Status.CONVERGED), int(Status.MAX_STEPS))
        u = found.unknowns
        axis = np.flatnonzero(flat & found.done)
        if axis.size:
            last = self.newton(z[axis], u[axis], _STEP, guard=False)
            good = last.done & self.inside(last.unknowns, 1e-9)
            ends = last.unknowns.copy()
            bulk = np.zeros(axis.size, dtype=bool)
            for block, final in zip(self.blocks(u[axis]), self.blocks(last.unknowns), strict=True):
                size = np.abs(block).max(axis=(1, 2))
                good &= np.abs(final - block).max(axis=(1, 2)) <= _NEAR * size
                bulk |= np.abs(final - final.conj().swapaxes(1, 2)).max(axis=(1, 2)) > _FLAT * size
            for view in self.blocks(ends):  # off the support the imaginary parts are rounding
                view[~bulk] = 0.5 * (view[~bulk] + view[~bulk].conj().swapaxes(1, 2))
            u[axis[good]] = ends[good]
            found.steps[axis] += last.steps
            status[axis[~good]] = Status.SINGULAR
        image, m, _ = self.image(z, u, slope=False)
        real = flat & (status == Status.CONVERGED)
        for i in np.flatnonzero(real):
            if all((b[i] == b[i].conj().T).all() for b in self.blocks(u)):
                m[i] = 0.5 * (m[i] + m[i].conj().T)
        residual = self.residual(u, image)
        status[(status == Status.CONVERGED) & ~(residual <= _ACCEPTED)] = Status.SINGULAR
        return u, m, Sweep(m, status, found.steps, residual, np.full(z.size, np.nan))


def _transform(w: Complex, letter: Letter, slope: bool) -> tuple[Complex, Complex | None]:
    """``int (w - s a)^{-1} mu(ds)`` for a stack of w, and its derivative (n, r, r, r r)."""
    inverse = invert_each(w)
    values = np.full(w.shape[:2], complex(np.nan, np.nan))
    vectors = np.full(w.shape, complex(np.nan, np.nan))
    good = np.isfinite(inverse).all(axis=(1, 2))
    if good.any():
        values[good], vectors[good] = np.linalg.eig(inverse[good] * letter.core)
    point = 1.0 / values
    a = invert_each(vectors) @ inverse
    exact = isinstance(letter.law, Discrete)  # poles may be near: no differences
    # otherwise the derivative by differences along the real axis, where the boundary values are smooth
    h = 1e-6 * np.abs(point)
    values_of_m = _stieltjes(letter.law, np.stack([point, point + h, point - h] if slope and not exact else [point]))
    m = values_of_m[0]
    g = (vectors * (-point * m)[:, None, :]) @ a
    if not slope:
        return g, None
    gap = point[:, :, None] - point[:, None, :]
    both = point[:, :, None] * point[:, None, :]
    if isinstance(letter.law, Discrete):
        away = letter.law.locations - point[:, :, None]
        rate = (letter.law.weights / away**2).sum(axis=-1)
    else:
        rate = (values_of_m[1] - values_of_m[2]) / (2.0 * h)
    close = np.abs(gap) < 1e-6 * np.abs(both) ** 0.5
    mean = 0.5 * (rate[:, :, None] + rate[:, None, :])
    with np.errstate(all="ignore"):
        f = both * np.where(close, mean, (m[:, :, None] - m[:, None, :]) / gap)
    r = w.shape[1]
    left = (vectors[:, :, None, :] * a.swapaxes(1, 2)[:, None]).reshape(-1, r * r, r)  # (a, p), c
    right = (vectors.swapaxes(1, 2)[:, :, :, None] * a[:, :, None, :]).reshape(-1, r, r * r)  # d, (q, b)
    change = -(left @ f @ right).reshape(-1, r, r, r, r)  # a, p, q, b
    return g, change.transpose(0, 1, 4, 2, 3).reshape(-1, r, r, r * r)


def _sandwich(left: Complex, middle: Complex, right: Complex) -> Complex:
    """``left @ middle[..., d] @ right`` for every d; middle is (n, x, y, d)."""
    n, x, y, d = middle.shape
    half = (left @ middle.reshape(n, x, y * d)).reshape(n, -1, y, d)
    return np.asarray((half.swapaxes(2, 3) @ (right if right.ndim == 2 else right[:, None])).swapaxes(2, 3))


def _stieltjes(law: Measure, point: Complex) -> Complex:
    """Transform at any points, boundary values on the axis; nan where there is none."""
    flat = point.ravel()
    out = np.full(flat.shape, complex(np.nan, np.nan))
    good = np.isfinite(flat)
    lower = flat.imag < 0.0
    upper = np.asarray(np.where(lower, flat.conj(), flat) + 0.0, dtype=np.complex128)
    with np.errstate(all="ignore"):
        out[good] = law._stieltjes(upper[good])
    return np.asarray(np.where(lower, out.conj(), out).reshape(point.shape))
