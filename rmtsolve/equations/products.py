"""Products of Wishart matrices: ``S = Y^T Y``, ``Y = X_k ... X_1``, X_i of shape (n_i, n_(i-1)), c_i = p/n_i, n_0 = p.

The S-transform is ``prod 1/(1 + c_i w)``, so with ``w = -1 - z m(z)`` and ``u = 1/w``, Im u > 0,

    z = F(u) = (1 + u) prod_i (1 + c_i / u),        m = -u^(k-1) / prod_i (u + c_i).

All ratios one is the Fuss-Catalan law. The law has one bulk; u jumps over its two critical points. With M the largest
of ``c_0 = 1, c_1, ..., c_k`` there is an atom ``1 - 1/M`` at zero; if M is taken nu > 1 times, the left edge is 0 and
the density there like ``x^(1/nu - 1)``; else the left edge is a critical point between -M and the next one.
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

from .. import _validate
from ..measures.base import NO_ATOMS, Atoms
from ..status import Status
from .base import Equation, Sweep
from .composition import CompositionEquation
from .composition_edges import Edge, _edge
from .composition_law import CompositionLaw

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]
Index = NDArray[np.int64]

_EPS = float(np.finfo(float).eps)
_POLISH = 30  # Newton steps at most; two or three are usual


class WishartProductEquation(CompositionEquation):
    """The equation of this module; the state is u.

    Parameters
    ----------
    ratios : ndarray
        The c_i, each positive.
    """

    def __init__(self, ratios: Real) -> None:
        Equation.__init__(
            self,
            self._map,
            lambda z, u: self._readout_of(u),
            start=lambda z: z + 1j * np.abs(z),
            name="Wishart product",
        )
        self.kind, self.origin, self.scale = "Wishart product", False, 1.0
        self.ratios = ratios
        self.levels = np.concatenate([[1.0], ratios])
        self.order = ratios.size
        self.top = float(self.levels.max())
        self.multiplicity = int(np.sum(self.levels == self.top))
        self.size = float(np.prod(1.0 + ratios)) + self.top

    def _map(self, z: Any, u: Any) -> Any:
        for c in self.ratios:
            z = z * u / (u + c)
        return z - 1.0

    def _readout_of(self, u: Any) -> Any:
        m = -(u ** (self.order - 1))
        for c in self.ratios:
            m = m / (u + c)
        return m

    def image(self, u: Complex) -> tuple[Complex, Complex]:
        """F(u) and F'(u)."""
        with np.errstate(all="ignore"):
            factors = [1.0 + u, *(1.0 + c / u for c in self.ratios)]
            rates = [np.ones_like(u), *(-c / u**2 for c in self.ratios)]
            value, slope = factors[0], rates[0]
            for factor, rate in zip(factors[1:], rates[1:], strict=True):
                value, slope = value * factor, slope * factor + value * rate
        return value, slope

    def transform(self, z: Complex, base: Real | float, delta: Complex) -> Complex:
        """Stieltjes transform at ``u = base + delta``; at real z its imaginary part keeps the digits of Im u."""
        u = base + delta
        with np.errstate(all="ignore"):
            m = np.asarray(self._readout_of(u))
            real = (z.imag == 0.0) & (u.imag > 0.0)
            m.imag[real] = u.imag[real] / (np.abs(u[real]) ** 2 * z.real[real])
        return m

    # ------------------------------------------------------------------ what is known
    @cached_property
    def walls(self) -> list[tuple[float, float]]:
        """F has one pole, at 0."""
        return [(0.0, 0.0)]

    @cached_property
    def pins(self) -> Real:
        """The hard edge."""
        return np.array([-self.top] if self.multiplicity > 1 else [])

    @cached_property
    def table(self) -> list[Edge]:
        """The two edges."""
        from scipy.optimize import brentq

        levels, k = self.levels, self.order

        def rate(u: float) -> float:
            return float(u * np.sum(1.0 / (u + levels)) - k)

        high = 1.0
        while rate(high) < 0.0:
            high *= 2.0
        right = brentq(rate, 0.0, high, xtol=1e-300, rtol=4.0 * _EPS)
        if self.multiplicity > 1:
            # of order nu: not the square-root form of a Taylor series that starts at the second power
            hard = _edge(self, -self.top, self.walls)
            if self.multiplicity > 2:
                hard = hard._replace(series=np.empty(0))
            left = hard._replace(location=0.0)
        else:
            # in s = u + M, which keeps its digits where two levels are close
            shifts = levels - self.top
            gap = -float(np.sort(shifts)[-2])

            def offset_rate(s: float) -> float:
                return float((s - self.top) * np.sum(1.0 / (s + shifts)) - k)

            s = brentq(offset_rate, 1e-9 * gap, (1.0 - 1e-9) * gap, xtol=1e-300, rtol=4.0 * _EPS)
            u = s - self.top
            left = _edge(self, u, self.walls)._replace(location=float(np.prod(s + shifts) / u**k))
        return [left, _edge(self, right, self.walls)]

    def find_atoms(self) -> Atoms:
        """The zeros of the narrowest factor."""
        return Atoms(np.zeros(1), np.array([1.0 - 1.0 / self.top])) if self.top > 1.0 else NO_ATOMS

    # ------------------------------------------------------------------ solving
    def angles(self, u: Complex) -> Real:
        """``sum_j arg(u + c_j) - k arg u``, which is arg z at the physical root."""
        total = -self.order * np.angle(u)
        for c in self.levels:
            total = total + np.angle(u + c)
        return np.asarray(total)

    def near_edge(self, index: Index, y: Complex) -> tuple[Complex, NDArray[np.bool_]]:
        """As for every composition, but other roots have Im u > 0 too: the arguments decide."""
        delta, found = super().near_edge(index, y)
        edges = self.find_edges()[index]
        u = np.array([edge.critical for edge in self.table])[index] + delta
        found &= np.abs(self.angles(u) - np.angle(edges + y)) < 1.0
        return delta, found

    def sweep(self, z: Complex, start: Complex | None = None) -> Sweep:
        """Solve all points, with error bounds."""
        swept = super().sweep(z)
        return swept._replace(error_bound=np.where(swept.status == 0, swept.error_bound, np.nan))

    def _complex_roots(self, z: Complex) -> tuple[Complex, Index, Index]:
        offset, status, steps = self.offsets(z)
        return offset - self.top, status, steps

    def offsets(self, z: Complex) -> tuple[Complex, Index, Index]:
        """``u + M`` with its own relative accuracy, off the real axis or inside the bulk."""
        shifts = self.levels - self.top
        s = self._first_offsets(z, shifts)
        status, steps = np.full(z.size, int(Status.MAX_STEPS)), np.zeros(z.size, dtype=np.int64)
        active = np.arange(z.size)
        last = np.full(z.size, np.inf)
        with np.errstate(all="ignore"):
            for _ in range(_POLISH):
                here = s[active]
                u = here - self.top
                ratio, rate = 1.0 / z[active], -self.order / u
                for i, shift in enumerate(shifts):
                    ratio, rate = ratio * (here + shift), rate + 1.0 / (here + shift)
                    ratio = ratio / u if i else ratio
                move = np.log(ratio) / rate
                length = np.abs(move) / np.abs(here)
                s[active] = here - move
                steps[active] += 1
                done = (length <= 4.0 * _EPS) | ((length <= 1e-9) & (length >= 0.25 * last[active]))
                last[active] = length
                status[active[done]] = int(Status.CONVERGED)
                active = active[~done]
                if active.size == 0:
                    break
            right = (s.imag > 0.0) & (np.abs(self.angles(s - self.top) - np.angle(z)) < 1.0)
        status[(status == 0) & ~right] = int(Status.WRONG_BRANCH)
        return s, status, steps

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
            miss = np.abs(self.angles((upper - self.top).ravel()).reshape(upper.shape) - np.angle(z[far])[:, None])
            # a conjugate of a root of complex z solves nothing: only real z have them
            miss[(roots.imag <= 0.0) & (z[far].imag > 0.0)[:, None]] = np.inf
            s[far] = upper[np.arange(far.size), np.argmin(miss, axis=1)]
        return s

    def _certificate(self, z: Complex, u: Complex, m: Complex) -> tuple[Real, Real]:
        """Relative residual, and a bound on the error of m by Smale's alpha test for ``log F - log z``.

        Its k-th derivative over k! is at most ``(2 k + 1) / (k d^k)``, d the distance to -c_j and 0.
        """
        with np.errstate(all="ignore"):
            value, slope = self.image(u)
            rest = np.abs(value / z - 1.0)
            near = np.min(np.abs(np.append(self.levels, 0.0) + u[:, None]), axis=1)
            terms = 2.0 * self.order + 1.0
            rate = np.abs(slope / value)
            beta = (rest + 4.0 * _EPS * terms * (1.0 + np.abs(u) / near)) / rate
            radius = np.where(beta * np.maximum(1.0, terms / (near * rate)) / near < 0.157, 2.0 * beta, np.nan)
            # m is a product of 2 k - 1 such factors
            share = radius / near
            bound = np.abs(m) * (
                np.where(share < 1.0, (1.0 - share) ** (1.0 - 2.0 * self.order) - 1.0, np.nan) + 8.0 * _EPS
            )
            return np.where(np.isfinite(rest), rest, 0.0), np.where(np.isfinite(bound), bound, np.nan)


class WishartProductLaw(CompositionLaw):
    """The law of a `WishartProductEquation`.

    Parameters
    ----------
    equation : WishartProductEquation
        The equation.
    title : str
        How the law prints itself.
    """

    equation: WishartProductEquation

    @cached_property
    def masses(self) -> Real:
        """Mass of the bulk."""
        return _validate.read_only(np.array([1.0 / self.equation.top]))

    @cached_property
    def _point_masses(self) -> Atoms:
        at, mass = self.equation.find_atoms()
        return Atoms(_validate.read_only(at), _validate.read_only(mass))

    def _stieltjes_derivative(self, z: Complex) -> Complex:
        """``m'(z)``, from ``du/dz = 1 / F'(u)`` and ``m = -(1 + 1/u)/z``."""
        equation = self.equation
        u = equation.sweep(z).state
        with np.errstate(all="ignore"):
            m = equation.transform(z, 0.0, u)
            share = (equation.order - 1.0) / u
            for c in equation.ratios:
                share = share - 1.0 / (u + c)
            return np.asarray(m * share / equation.image(u)[1])

    def _inside(self, index: Index, offset: Real) -> tuple[Real, Complex]:
        """x and u at ``edges[index] + offset`` in the bulk, u as accurate as the offset."""
        equation = self.equation
        x = self.edges[index] + offset
        delta, found = equation.near_edge(index, offset.astype(np.complex128))
        u = np.array([edge.critical for edge in equation.table])[index] + delta
        if not found.all():
            z = x[~found].astype(np.complex128)
            s, status, steps = equation.offsets(z)
            self._check(z, s - equation.top, status, steps)
            u[~found] = s - equation.top
        return x, u

    def _check(self, z: Complex, u: Complex, status: Index, steps: Index) -> None:
        from ..errors import ConvergenceError
        from .solution import Solution

        if status.any():
            nan = np.full(z.size, np.nan)
            m = self.equation.transform(z, 0.0, u)
            raise ConvergenceError(Solution(self.equation, z, m, u, status, steps, nan, nan, "Newton"), self.title)

    def _intensity(self, index: Index, offset: Real) -> Real:
        """Density at ``edges[index] + offset``: ``Im u / (pi |u|^2 x)``."""
        x, u = self._inside(index, offset)
        return np.asarray(u.imag / (np.pi * np.abs(u) ** 2 * x))

    def _cdf(self, x: Real) -> Real:
        """In closed form from the potential."""
        equation, edges = self.equation, self.edges
        value = np.where(x >= 0.0, 1.0 - 1.0 / equation.top, 0.0)
        value = np.where(x >= edges[1], 1.0, value)
        inside = (x > edges[0]) & (x < edges[1])
        if inside.any():
            here = x[inside]
            index = (here > 0.5 * edges.sum()).astype(np.int64)
            _, u = self._inside(index, here - edges[index])
            turn = np.angle(u)
            above = turn + equation.order * (1.0 / u).imag
            for c in equation.ratios:
                above = above + (1.0 - 1.0 / c) * (np.angle(u + c) - turn)
            value[inside] = 1.0 - above / np.pi
        return np.clip(value, 0.0, 1.0)

    def _moment(self, k: int) -> float:
        """Lagrange inversion: ``m_k = [w^(k-1)] ((1 + w) prod (1 + c_i w))^k / k``."""
        total = np.array([1.0])
        step = np.arange(1.0, k + 1.0)
        with np.errstate(over="ignore", invalid="ignore"):
            for c in self.equation.levels:  # binomial coefficients of (1 + c w)^k
                row = np.cumprod(np.concatenate([[1.0], (k - step + 1.0) / step * c]))[:k]
                total = np.convolve(total, row)[:k]
        return float(total[k - 1]) / k
