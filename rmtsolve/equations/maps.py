"""FlatMap: the map T of an equation on flattened states (n, d), with its derivatives and a count of evaluations."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from .base import Complex, Equation, Real
from .domains import real_part
from .stacks import invert_each, solve_each

_FORWARD = 1e-7  # relative step of one-sided differences: error 1e-7, enough for Newton's iteration
_CIRCLE = 2e-3  # relative radius of the four-point rule: error about 1e-11
_CHUNK = 2_000_000  # most complex numbers in one stacked evaluation


class Gauge(NamedTuple):
    """What numbers of an equation are measured against where they vanish: m may be zero in a gap of the support.

    ``m = int mu(dx) / (x - z)`` is a sum of terms whose mean modulus is at least ``1 / (width + |z - centre|)``: by
    Jensen it is at least ``1 / int |x - z| mu(dx)``. Rounding of these terms is left where they cancel, so nothing
    smaller than that is resolved. One width above the centre no term cancels, |m| is between ``1 / (2 width)`` and
    ``1 / width``; other unknowns take their unit from their size there.
    """

    centre: float = 0.0
    width: float = 1.0
    unit: float = 0.0  # largest entry of the state one width above the centre; 0: not known (yet)

    def reach(self, z: Complex) -> Real:
        """Length on which the law is seen from z."""
        return np.asarray(self.width + np.abs(z - self.centre))

    def size(self, z: Complex) -> Real:
        """Size of the terms of a state at z."""
        return np.asarray(self.unit * self.width / self.reach(z))


_NO_GAUGE = Gauge()


class FlatMap:
    """The map of `equation` between flattened states."""

    def __init__(self, equation: Equation, gauge: Gauge = _NO_GAUGE) -> None:
        self.equation = equation
        self.gauge = gauge
        self.shape = equation.shape
        self.size = math.prod(equation.shape)

    def __call__(self, z: Complex, state: Complex) -> Complex:
        """T at n points; nan where the map raises LinAlgError for that point."""
        n = z.size
        with np.errstate(all="ignore"):
            try:
                image = self.equation.step(z.copy(), state.reshape(n, *self.shape).copy())
            except (np.linalg.LinAlgError, ZeroDivisionError):
                if n == 1:
                    return np.full((1, self.size), complex(np.nan, np.nan))
                return np.concatenate([self(z[i : i + 1], state[i : i + 1]) for i in range(n)])
        return np.array(image).reshape(n, self.size)  # a copy: a map may hand out the same array again

    def readout(self, z: Complex, state: Complex) -> Complex:
        """m at n points."""
        with np.errstate(all="ignore"):
            return np.asarray(self.equation.readout(z.copy(), state.reshape(z.size, *self.shape).copy()))

    def start(self, z: Complex) -> Complex:
        """The equation's own start, flattened."""
        with np.errstate(all="ignore"):
            return np.asarray(self.equation.start(z)).reshape(z.size, self.size)

    def largest(self, z: Complex, state: Complex) -> Real:
        """Largest entry of every state, or the size of its terms where they cancel."""
        return np.asarray(np.maximum(np.abs(state).max(axis=1), self.gauge.size(z)))

    def imaginary_share(self, z: Complex, state: Complex) -> Real:
        """How far states are from real (Hermitian) ones, relative to their size."""
        gap = np.abs(state - real_part(state, self.shape)).max(axis=1)
        return np.asarray(gap / (self.largest(z, state) + 1e-300))

    def residual(self, z: Complex, state: Complex, image: Complex) -> Real:
        """``max |T - state|`` relative to the size of the state; inf where not finite."""
        with np.errstate(all="ignore"):
            gap = np.abs(image - state).max(axis=1)
            scale = np.maximum(self.largest(z, state), np.abs(image).max(axis=1))
            ratio = np.where(gap == 0.0, 0.0, gap / scale)
        return np.where(np.isfinite(ratio), ratio, np.inf)

    # ------------------------------------------------------------------ derivatives
    def jacobian(self, z: Complex, state: Complex, image: Complex) -> Complex:
        """dT/dstate, (n, d, d): the equation's own, else one-sided differences (1e-7)."""
        known = self._known_jacobian(z, state)
        if known is not None:
            return known
        step = _FORWARD * self._reach(z, state)
        return self._columns(z, state, lambda moved, h: (moved - image) / h, step)

    def accurate_jacobian(self, z: Complex, state: Complex) -> Complex:
        """dT/dstate to about 1e-11: the equation's own, else a four-point rule in the complex plane."""
        known = self._known_jacobian(z, state)
        if known is not None:
            return known
        image = self(z, state)
        rough = self.jacobian(z, state, image)
        with np.errstate(all="ignore"):
            # a pole of T can be nearer than the size of the state: T / J is its distance
            distance = self.largest(z, image)[:, None] / np.abs(rough).max(axis=1)
            reach = _CIRCLE * np.fmin(self._reach(z, state), distance)
        total: Complex = np.zeros((z.size, self.size, self.size), dtype=np.complex128)
        for turn in (1.0, 1j, -1.0, -1j):
            total = total + self._columns(z, state, lambda moved, h: moved / (4.0 * h), turn * reach)
        return total

    def z_derivative(self, z: Complex, state: Complex) -> Complex:
        """dT/dz, (n, d), by differences along the imaginary axis that stay in the upper half-plane.

        The step is chosen so that T changes by about 1e-4 of its size: poles in z can be much nearer than Im z.
        """
        h = 1e-4j * np.maximum(z.imag, 1e-3 * self.gauge.reach(z))
        image = self(z, state)
        size = self.largest(z, image)
        slope = np.empty_like(image)
        rest = np.arange(z.size)
        for _ in range(4):
            central = z[rest].imag > h[rest].imag
            above = self(z[rest] + h[rest], state[rest])
            below = np.where(
                central[:, None], self(z[rest] - np.where(central, h[rest], 0.0), state[rest]), image[rest]
            )
            with np.errstate(all="ignore"):
                slope[rest] = (above - below) / np.where(central, 2.0 * h[rest], h[rest])[:, None]
                # beyond a pole the quotient is small: only the values tell how far T has changed
                change = np.maximum(np.abs(above - image[rest]), np.abs(below - image[rest])).max(axis=1) / size[rest]
            large = ~(change < 3e-4)
            h[rest] *= np.clip(1e-4 / np.where(np.isfinite(change), change, np.inf), 1e-6, 1.0)
            rest = rest[large]
            if rest.size == 0:
                break
        return slope

    def readout_gradient(self, z: Complex, state: Complex) -> Complex:
        """dm/dstate, (n, d); nan where the readout is not finite nearby."""
        reach = _CIRCLE * self._reach(z, state)
        gradient = np.zeros((z.size, self.size), dtype=np.complex128)
        with np.errstate(all="ignore"):
            for j in range(self.size):
                for turn in (1.0, 1j, -1.0, -1j):
                    moved = state.copy()
                    moved[:, j] += turn * reach[:, j]
                    gradient[:, j] += self.readout(z, moved) / (4.0 * turn * reach[:, j])
        return gradient

    def newton_trial(self, z: Complex, state: Complex, image: Complex) -> tuple[Complex, Complex]:
        """Newton's next states with their images: the better of the iterations for ``s = T`` and for ``1/s = 1/T``.

        Most maps are reciprocals, T = -1/(z + ...). Near a pole of T (an atom of the law) Newton's iteration for
        ``s = T(s)`` converges only from next to the root, the one for ``1/s = 1/T(s)`` from afar; for other maps it is
        the other way round. Either has the same cost beside the Jacobian.
        """
        jacobian = self.jacobian(z, state, image)
        plain = state + solve_each(np.eye(self.size) - jacobian, image - state)
        with np.errstate(all="ignore"):
            scale, right = self._reciprocal(state, image)
        other = state + solve_each(scale - jacobian, right)
        n = z.size
        both = np.concatenate([plain, other])
        images = self(np.concatenate([z, z]), both)
        residual = self.residual(np.concatenate([z, z]), both, images)
        take = (residual[n:] < residual[:n])[:, None]
        return np.where(take, other, plain), np.where(take, images[n:], images[:n])

    def reciprocal_shift(self, state: Complex, shift: Complex) -> Complex:
        """States whose inverses are moved by the linear change that belongs to `shift`: exact where 1/s is linear."""
        if len(self.shape) < 2:
            return np.asarray(state**2 / (state - shift))
        matrices = state.reshape(-1, *self.shape)
        inverse = invert_each(matrices - shift.reshape(matrices.shape))
        return np.asarray((matrices @ inverse @ matrices).reshape(state.shape))

    # ------------------------------------------------------------------ inside
    def _reciprocal(self, state: Complex, image: Complex) -> tuple[Complex, Complex]:
        """(K, r) so that Newton's step for ``1/s = 1/T`` solves ``(K - J) delta = r``; nan where s has no inverse."""
        if len(self.shape) < 2:
            ratio = image / state
            return (ratio**2)[:, :, None] * np.eye(self.size), ratio * (image - state)
        n, k = state.shape[0], self.shape[0]
        inverse = invert_each(state.reshape(n, k, k))
        target = image.reshape(n, k, k)
        left, right = target @ inverse, inverse @ target
        spread = np.einsum("nij,nlk->nikjl", left, right).reshape(n, k * k, k * k)
        return spread, (left @ target - target).reshape(n, k * k)

    def _known_jacobian(self, z: Complex, state: Complex) -> Complex | None:
        with np.errstate(all="ignore"):
            known = self.equation.jacobian(z.copy(), state.reshape(z.size, *self.shape).copy())
        return None if known is None else known.reshape(z.size, self.size, self.size)

    def _reach(self, z: Complex, state: Complex) -> Real:
        """Length scale of every entry for differences: its distance to the real axis, within [1e-2, 1] of its size."""
        largest = self.largest(z, state)[:, None] + 1e-300
        if len(self.shape) == 2:
            return np.broadcast_to(largest, state.shape)
        size = np.maximum(np.abs(state), largest if self.size == 1 else 1e-3 * largest)
        return np.clip(np.abs(state.imag), 1e-2 * size, size)

    def _columns(self, z: Complex, state: Complex, quotient: object, step: Complex | Real) -> Complex:
        """Difference quotients for every unknown, all points and unknowns stacked into few calls of the map."""
        n, d = state.shape
        columns = np.empty((n, d, d), dtype=np.complex128)
        block = max(1, _CHUNK // max(1, n * d))
        with np.errstate(all="ignore"):
            for first in range(0, d, block):
                these = np.arange(first, min(first + block, d))
                moved = np.repeat(state[None], these.size, axis=0)
                moved[np.arange(these.size), :, these] += step[:, these].T
                images = self(np.tile(z, these.size), moved.reshape(-1, d)).reshape(these.size, n, d)
                for k, j in enumerate(these):
                    columns[:, :, j] = quotient(images[k], step[:, j, None])  # type: ignore[operator]
        return columns
