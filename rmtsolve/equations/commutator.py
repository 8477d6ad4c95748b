"""Equation of the free commutator ``i (a b - b a)`` of any two laws, in five unknowns.

For letters a, b with laws mu, nu (normalised, `Letter`), Stieltjes transform m of the commutator at z:

    n = -1 / (z + p r / n),    m = n / (1 - p r),
    r = n E[d^2 e] / E[e],     E[d e] = 0,    d = a - tau_a,  e = 1/(1 - n p d^2),
    p = n E[d^2 e] / E[e],     E[d e] = 0,    d = b - tau_b,  e = 1/(1 - n r d^2).

Derivation. The free cumulants of the commutator are twice the determining sequence of ``a b``, which depends on the
even free cumulants of a and b only (Nica and Speicher, Duke Math. J. 92 (1998)): with ``g = -m``, ``y = (z g - 1)/2``
and E_a the generating function of the even cumulants, ``E_a^{-1}(y) E_b^{-1}(y) = g^2 y (1 + y)``. Now
``2 E_a(w^2) = w R_a(w) - w R_a(-w)`` takes the two points with ``G_a(u+) = w``, ``G_a(u-) = -w``; they are
``tau_a +- h`` with ``h = (1 + y)/w``, and ``p = -w^2/((1 + y) g)`` is finite where w vanishes (at y = 0).

Branch. In the operator-valued subordination of the pencil ``[[z, -a, -b], [-a, 0, i], [-b, -i, 0]]`` the 2 x 2
subordination matrix of a is

    w_a = [[-1/n - tau_b^2/p,  tau_a - i tau_b/p], [tau_a + i tau_b/p,  -1/p]]

and there is one solution for which Im w_a and Im w_b are positive definite (Belinschi, Mai and Speicher, arXiv
1303.3196). As the real parts of tau only shift a and b, that is, with ``V = -Im 1/n``,

    Im p > 0,   Im r > 0,   Im p V > (Im tau_b)^2 + |p|^2 (Im tau_a)^2,   Im r V > (Im tau_a)^2 + |r|^2 (Im tau_b)^2.

A simple root at real z with these is a boundary value; a real one is, if its derivative by z has them. So any root can
be judged, whatever led to it.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..measures.base import NO_ATOMS, Atoms, Measure
from ..status import Status
from .base import Complex, Equation, Real, Sweep
from .commutator_edges import Samples, edges_between, inside, sample
from .commutator_letter import Letter
from .operands import remark
from .stacks import invert_each, solve_each

_EPS = float(np.finfo(float).eps)

_STEPS = 12  # most Newton steps from one point of a path to the next
_SETTLED = 1e-12  # relative length of a last step
_ROUNDING = 1e-7  # of a step that no longer shrinks
_ACCEPTED = 1e-9  # residual that a solution may have
_RATIO = 0.35  # of the heights of a path, at first
_SHORTEST = 0.97  # ratio at which a path gives up
_LIFTS = 10.0 ** np.arange(-4.0, -14.0, -2.0)  # heights from which the axis is reached, in units of the law
_NEARLY_REAL = 1e-7  # relative imaginary parts from which on the derivative judges
_DOUBT = 1e-9  # relative size of a margin that may be rounding
_AGREE = 0.3  # relative change of the derivative over a step of continuation
_FIRST_ORDER = 1e-4  # relative error of the state up to which a first-order bound is given
_ANCHORS = 41  # abscissae of solved points from which others start


class _Found(NamedTuple):
    state: Complex  # (n, 5)
    rate: Complex  # (n, 5), by z
    sign: NDArray[np.int64]  # 1 where the state is the solution
    n_steps: NDArray[np.int64]


class CommutatorEquation(Equation):
    """Law of ``i (a b - b a)``; the state is ``(n, p, r, tau_a, tau_b)`` of the normalised letters.

    Parameters
    ----------
    one, two : Measure
        Laws of bounded support, no point masses.
    """

    def __init__(self, one: Measure, two: Measure) -> None:
        super().__init__(
            self._map, lambda z, state: self._normalised(state[:, 0] / (1 - state[:, 1] * state[:, 2])),
            shape=(5,), jacobian=self._slope, start=self._begin,
            name="free commutator",
        )  # fmt: skip
        self.one, self.two = Letter(one), Letter(two)
        self.remarks = (*remark(one, "the first factor"), *remark(two, "the second factor"))
        self.method = "Newton's iteration from solved neighbours, continued from large Im z where it fails"
        self.size = self.one.radius * self.two.radius
        self.reach = 0.5 * self.one.width * self.two.width  # |i (a b - b a)| <= 2 |a - x| |b - y|

    # ------------------------------------------------------------------ the map
    def _map(self, z: Any, state: Any) -> Any:
        n, p, r, tau_a, tau_b = state.T
        image = np.empty_like(state)
        image[:, 0] = -1 / (self._normalised(z) + p * r / n)
        for letter, own, tau, its in ((self.one, p, tau_a, 2), (self.two, r, tau_b, 1)):
            kappa = own * n
            a1, a2 = letter.plain(kappa, tau)
            total = 1 + kappa * a2
            image[:, its] = n * a2 / total
            image[:, 5 - its] = tau + a1 / total
        return image

    def _normalised(self, z: Any) -> Any:
        """z over the product of the two radii, which is rounded in `size`."""
        return z / self.size if z.dtype != object else z / self.one.radius / self.two.radius

    def _slope(self, z: Complex, state: Complex) -> Complex:
        return self._image(z, state)[1]

    def _image(self, z: Complex, state: Complex) -> tuple[Complex, Complex]:
        """T and its derivative (n, 5, 5)."""
        n, p, r, tau_a, tau_b = state.T
        image = np.empty_like(state)
        slope = np.zeros((z.size, 5, 5), dtype=np.complex128)
        with np.errstate(all="ignore"):
            image[:, 0] = top = -1.0 / (z / self.size + p * r / n)
            over = top**2 / n
            slope[:, 0, 0], slope[:, 0, 1], slope[:, 0, 2] = -over * p * r / n, over * r, over * p
            for letter, tau, mine, its in ((self.one, tau_a, 1, 2), (self.two, tau_b, 2, 1)):
                own = state[:, mine]
                kappa = own * n
                x = letter.averages(kappa, tau)
                total = 1.0 + kappa * x.a2  # E[e]
                spread, drift = x.a2 / total, x.a1 / total
                spread_kappa, spread_tau = x.a2_kappa / total**2 - spread**2, x.a2_tau / total**2
                drift_kappa = (x.a1_kappa - drift * (x.a2 + kappa * x.a2_kappa)) / total
                drift_tau = (x.a1_tau - drift * kappa * x.a2_tau) / total
                image[:, its], image[:, 2 + mine] = n * spread, tau + drift
                slope[:, its, 0] = spread + kappa * spread_kappa
                slope[:, its, mine] = n**2 * spread_kappa
                slope[:, its, 2 + mine] = n * spread_tau
                slope[:, 2 + mine, 0], slope[:, 2 + mine, mine] = own * drift_kappa, n * drift_kappa
                slope[:, 2 + mine, 2 + mine] = 1.0 + drift_tau
        return image, slope

    def _begin(self, z: Complex) -> Complex:
        """The state far away."""
        w = -self.size / z
        one, two = self.one, self.two
        flat = np.ones_like(w)
        return np.stack([w, two.variance * w, one.variance * w, one.mean * flat, two.mean * flat], axis=1)

    def yard(self, state: Complex) -> Real:
        """Sizes of the unknowns: tau in units of h; p and r vanish at single points, there n p counts beside 1."""
        n, p, r = np.abs(state[:, :3].T)
        with np.errstate(all="ignore"):
            heights = [np.minimum(1.0, 1.0 / np.sqrt(own * n)) for own in (p, r)]
            small = [0.01 * np.minimum(n * letter.variance, 1.0 / n) for letter in (self.two, self.one)]
        return np.stack([n, p + small[0], r + small[1], *heights], axis=1)

    def _newton_step(self, z: Complex, state: Complex) -> tuple[Complex, Real]:
        """Newton's step and its relative length."""
        image, slope = self._image(z, state)
        yard = self.yard(state)
        with np.errstate(all="ignore"):
            miss = (image - state) / yard
            scaled = np.eye(5) - slope * yard[:, None, :] / yard[:, :, None]
        step = solve_each(scaled, miss)
        length = np.abs(step).max(axis=1)
        return step * yard, np.where(np.isfinite(length), length, np.inf)

    def find_atoms(self) -> Atoms:
        """The kernel: ``a b - b a`` has the rank of ``(a - x) b - b (a - x)``, at most twice that of ``a - x``."""
        mass = 2.0 * max(self.one.heaviest, self.two.heaviest) - 1.0
        return Atoms(np.zeros(1), np.array([mass])) if mass > 1e-15 else NO_ATOMS

    @property
    def singular_at_zero(self) -> bool:
        """Whether a law has mass 1/2 or more at a point."""
        return max(self.one.heaviest, self.two.heaviest) >= 0.5 - 1e-12

    def find_edges(self) -> Real:
        """Sorted edges of the bulks."""
        return edges_between(self)

    # ------------------------------------------------------------------ which root
    def rates(self, z: Complex, state: Complex) -> Complex:
        """Derivative of the solution by z."""
        right = np.zeros_like(state)
        right[:, 0] = state[:, 0] ** 2 / self.size
        yard = self.yard(state)
        with np.errstate(all="ignore"):
            scaled = np.eye(5) - self._slope(z, state) * yard[:, None, :] / yard[:, :, None]
            return np.asarray(solve_each(scaled, right / yard) * yard)

    def verdict(self, z: Complex, state: Complex, rate: Complex) -> NDArray[np.int64]:
        """Whether roots at z with derivatives `rate` are on the physical branch: 1 yes, -1 no, 0 cannot be told.

        What cannot be told are roots at the boundary of the domain: at real z all of Im w may be of rank one.
        """
        n, p, r = state[:, :3].T
        with np.errstate(all="ignore"):
            v, parts = (-1.0 / n).imag, state.imag
            flat = np.abs(n.imag) < _NEARLY_REAL * np.abs(n)
            v, parts = np.where(flat, (rate[:, 0] / n**2).real, v), np.where(flat[:, None], rate.real, parts)
            _, dp, dr, da, db = parts.T
            worst = np.full(z.size, np.inf)
            for own, size, mine, other in ((dp, np.abs(p), da, db), (dr, np.abs(r), db, da)):
                less = other**2 + (size * mine) ** 2
                worst = np.minimum(worst, (own * v - less) / (np.abs(own * v) + less))
            worst = np.where((dp > 0.0) & (dr > 0.0), worst, -1.0)
            return np.where(worst > _DOUBT, 1, np.where(worst >= -_DOUBT, 0, -1))

    # ------------------------------------------------------------------ solving
    def newton(self, z: Complex, start: Complex) -> _Found:
        """Newton's full steps from guesses; `done` where they settle on the physical branch for sure."""
        state, n = start.copy(), z.size
        settled, n_steps = np.zeros(n, dtype=bool), np.zeros(n, dtype=np.int64)
        live, last = np.arange(n), np.full(n, np.inf)
        for _ in range(_STEPS):
            step, length = self._newton_step(z[live], state[live])
            n_steps[live] += 1
            fine = np.isfinite(length)
            state[live[fine]] += step[fine]
            ends = (length <= _SETTLED) | ((length <= _ROUNDING) & (length >= 0.25 * last[live]))
            settled[live[ends]] = True
            last[live] = length
            live = live[fine & ~ends]
            if live.size == 0:
                break
        rate = self.rates(z, state)
        sign = np.where(settled, self.verdict(z, state, rate), -1)
        return _Found(state, rate, sign, n_steps)

    def advance(self, z: Complex, state: Complex, rate: Complex, new: Complex) -> _Found:
        """Solutions at points `new` beside solutions at z, whose derivatives are `rate`.

        A root that cannot be told is the continuation if the derivatives at both ends agree.
        """
        found = self.newton(new, state + rate * (new - z)[:, None])
        yard = self.yard(state)
        with np.errstate(all="ignore"):
            change = np.abs((found.rate - rate) / yard).max(axis=1) / np.abs(rate / yard).max(axis=1)
        sign = np.where((found.sign == 0) & (change < _AGREE), 1, found.sign)
        return found._replace(sign=sign)

    def follow(self, z: Complex, state: Complex, target: Complex) -> _Found:
        """Solutions at `target` from solutions at points z above it, along vertical lines."""
        z, state, n = z.copy(), state.copy(), z.size
        rate = self.rates(z, state)
        ratio, n_steps = np.full(n, _RATIO), np.zeros(n, dtype=np.int64)
        live = np.flatnonzero(z != target)
        while live.size:
            here, goal = z[live], target[live]
            new = goal.real + 1j * np.maximum(here.imag * ratio[live], goal.imag)
            found = self.advance(here, state[live], rate[live], new)
            n_steps[live] += found.n_steps
            won = found.sign == 1
            good = live[won]
            z[good], state[good], rate[good] = new[won], found.state[won], found.rate[won]
            ratio[good] = np.maximum(ratio[good] ** 1.5, 0.1)
            ratio[live[~won]] **= 0.5
            live = live[(ratio[live] < _SHORTEST) & (z[live] != goal)]
        return _Found(state, rate, np.where(z == target, 1, -1), n_steps)

    @cached_property
    def anchors(self) -> tuple[Complex, Complex]:
        """(points, states) all over the half-plane: the same starts for every call, whatever came before."""
        x = np.linspace(0.0, 2.1, _ANCHORS) * self.size
        z = np.asarray(x + 8j * self.size, dtype=np.complex128)
        state = self.newton(z, self._begin(z)).state
        points, states = [z], [state]
        for height in 8.0 * 0.5 ** np.arange(1, 24):
            level = np.asarray(x + 1j * height * self.size, dtype=np.complex128)
            found = self.follow(z, state, level)
            good = found.sign == 1
            x, z, state = x[good], level[good], found.state[good]
            points.append(z)
            states.append(state)
        z, state = np.concatenate(points), np.concatenate(states)
        return np.concatenate([z, -z.conj()]), np.concatenate([state, _mirrored(state)])

    def above(self, z: Complex) -> _Found:
        """Solutions at Im z > 0: from the nearest anchor, else down from far above."""
        points, states = self.anchors
        state = self._begin(z)
        near = np.flatnonzero(np.abs(z) < 8.0 * self.size)
        if near.size:
            part = z[near, None]
            nearest = np.argmin(np.abs(part - points) ** 2 / (part.imag * points.imag), axis=1)
            state[near] = states[nearest]
        found = self.newton(z, state)
        rest = np.flatnonzero(found.sign < 1)
        if rest.size:
            top = z[rest].real + 1j * np.maximum(8.0 * self.size, z[rest].imag)
            begun = self.newton(top, self._begin(top))
            path = self.follow(top, begun.state, z[rest])
            path.sign[begun.sign < 1] = -1
            found.state[rest], found.rate[rest], found.sign[rest] = path.state, path.rate, path.sign
            found.n_steps[rest] += begun.n_steps + path.n_steps
        return found

    def from_above(self, x: Real) -> _Found:
        """Solutions at real points, from those a little above them."""
        n = x.size
        z = x.astype(np.complex128)
        nothing = np.full((n, 5), complex(np.nan, np.nan))
        out = _Found(nothing, nothing.copy(), np.full(n, -1), np.zeros(n, dtype=np.int64))
        unit = np.where(x == 0.0, self.size, np.minimum(np.abs(x), self.size))
        todo = np.flatnonzero((x != 0.0) | (not self.singular_at_zero))
        for lift in _LIFTS:
            if todo.size == 0:
                break
            high = z[todo] + 1j * lift * unit[todo]
            begin = self.above(high)
            found = self.advance(high, begin.state, begin.rate, z[todo])
            out.n_steps[todo] += begin.n_steps + found.n_steps
            won = (found.sign == 1) & (begin.sign == 1)
            for whole, part in zip(out[:3], found[:3], strict=True):
                whole[todo[won]] = part[won]
            todo = todo[~won]
        return out

    def along(self, x: Real, near: Real, state: Complex, rate: Complex) -> _Found:
        """Solutions at real points from those at points near them, and where that fails from above."""
        found = self.advance(near.astype(np.complex128), state, rate, x.astype(np.complex128))
        rest = np.flatnonzero(found.sign < 1)
        if rest.size:
            for whole, part in zip(found, self.from_above(x[rest]), strict=True):
                whole[rest] = part
        return found

    @cached_property
    def samples(self) -> Samples:
        """Solutions on the positive half-axis."""
        return sample(self)

    def on_axis(self, x: Real) -> _Found:
        """Boundary values at real points, real numbers off the support."""
        table = self.samples
        right = np.abs(x)
        nearest = np.searchsorted(0.5 * (table.x[1:] + table.x[:-1]), right)
        found = self.along(right, table.x[nearest], table.state[nearest], table.rate[nearest])
        left = x < 0.0
        found.state[left] = _mirrored(found.state[left])
        flat = (found.sign == 1) & ~inside(found.state)
        found.state[flat] = found.state[flat].real
        return found

    def sweep(self, z: Complex, start: Complex | None = None) -> Sweep:
        """All points; on the real axis boundary values, real numbers off the support."""
        real = z.imag == 0.0
        state = np.empty((z.size, 5), dtype=np.complex128)
        sign, n_steps = np.empty(z.size, dtype=np.int64), np.zeros(z.size, dtype=np.int64)
        for part, found in ((~real, self.above), (real, lambda points: self.on_axis(points.real))):
            if part.any():
                state[part], _, sign[part], n_steps[part] = found(z[part])
        residual, bound = self._certificate(z, state)
        done = (sign == 1) & (residual <= _ACCEPTED)
        status = np.where(done, int(Status.CONVERGED), np.where(real, int(Status.SINGULAR), int(Status.MAX_STEPS)))
        return Sweep(state, status, n_steps, residual, np.where(done, bound, np.nan))

    def _certificate(self, z: Complex, state: Complex) -> tuple[Real, Real]:
        """Relative residual, and twice the first-order change of m that residual and rounding make; nan if large."""
        image, slope = self._image(z, state)
        yard = self.yard(state)
        n, p, r = state[:, :3].T
        with np.errstate(all="ignore"):
            miss = np.abs(image - state) / yard
            scaled = np.eye(5) - slope * yard[:, None, :] / yard[:, :, None]
            noise = miss + 8.0 * _EPS * (1.0 + np.abs(state) / yard) + self._series_noise(state) / yard
            error = (np.abs(invert_each(scaled)) @ noise[..., None])[..., 0]
            rest = np.abs(1.0 - p * r)
            gradient = np.stack([1.0 / rest, np.abs(n * r) / rest**2, np.abs(n * p) / rest**2], axis=1)
            bound = 2.0 * (gradient * error[:, :3] * yard[:, :3]).sum(axis=1) / self.size
            residual = miss.max(axis=1)
        small = error.max(axis=1) <= _FIRST_ORDER
        return np.where(np.isfinite(residual), residual, np.inf), np.where(small, bound, np.nan)

    def _series_noise(self, state: Complex) -> Real:
        """Errors of T where series stand for the laws."""
        noise = np.zeros(state.shape)
        n = state[:, 0]
        for letter, mine, its in ((self.one, 1, 2), (self.two, 2, 1)):
            kappa, tau = state[:, mine] * n, state[:, 2 + mine]
            first, second = letter.series_noise(kappa, tau)
            if letter.error:
                a1, a2 = letter.averages(kappa, tau)[:2]
                total = np.abs(1.0 + kappa * a2)  # E[e]
                noise[:, its] = np.abs(n) * second / total**2
                noise[:, 2 + mine] = first / total + np.abs(a1 * kappa) * second / total**2
        return noise


def _mirrored(state: Complex) -> Complex:
    """The state at -conj z."""
    return np.asarray(state.conj() * np.array([-1.0, -1.0, -1.0, 1.0, 1.0]))
