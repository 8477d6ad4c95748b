"""Information plus noise ``S = (R + sigma X)^T (R + sigma X) / n``, R of shape (n, p), spec(R^T R / n) = H, c = p/n.

With kappa = sigma^2 c and ``a = 1 + kappa m``, ``b = 1 + sigma^2 m_`` (m_ the transform of the n x n twin of S),

    m = int H(dt) / (t/a - z b),        w = z a b,        m = a m_H(w),        q = 1/a = 1 - kappa m_H(w),

so that z is an explicit function of w: ``z = F(w) = w q^2 + d q``, ``d = sigma^2 (1 - c)``. Edges are critical points
of F with q > 0. For c > 1 the same is written for the twin, whose H_ has the non-zero part of H: then kappa is sigma^2
and ``d = sigma^2 (c - 1)``; in what follows (m1, H1, kappa, d) is the side with d >= 0.

With zeta = sqrt(z) the unknown ``g = zeta m1`` is the fixed point of

    T(g) = w1 m_H1(w1 w2),        w1 = zeta + kappa g,        w2 = w1 - d / zeta,

a holomorphic self-map of the upper half-plane for every z off the positive axis and, at its boundary, for z > 0: so any
fixed point with Im g > 0 is the physical one. The potential is stationary in the solution:

    int log(z - x) = int log(w - t) dH1 + (d/kappa) log a1 + (z/kappa) (a1 - 1) (a2 - 1).

Source: derived; R. Dozier, J. Silverstein, J. Multivariate Anal. 98 (2007) 678 and 1099; P. Vallet, P. Loubaton,
X. Mestre, IEEE Trans. Inf. Theory 58 (2012) 1043 for the inverse map.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import _validate
from ..errors import ConvergenceError
from ..measures.base import NO_ATOMS, Atoms, Measure
from ..measures.transforms import companion
from . import lockstep
from .base import Equation, Sweep
from .composition import CompositionEquation
from .composition_edges import Edge, _edge
from .composition_law import CompositionLaw
from .high_precision import transform_precisely
from .information_noise_edges import critical_points
from .solution import Solution

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]
Index = NDArray[np.int64]

_EPS = float(np.finfo(float).eps)
_NODES = 256  # of the half contour for moments: 1.3^-512 is far below rounding


class Solved(NamedTuple):
    """Solved points: w, ``a1 = 1/q`` and what the iteration said."""

    w: Complex
    a: Complex
    status: Index
    n_steps: Index


class InformationNoiseEquation(CompositionEquation):
    """The equation of this module; the state is ``g = sqrt(z) m1``.

    Parameters
    ----------
    population : Measure
        H, on [0, inf), of bounded support; for ratio > 1 with mass at least ``1 - 1/ratio`` at zero.
    noise : float
        sigma > 0, standard deviation of the noise entries.
    ratio : float
        ``p/n``.
    """

    def __init__(self, population: Measure, noise: float, ratio: float) -> None:
        Equation.__init__(
            self,
            self._map,
            self._readout_of,
            jacobian=self._map_slope,
            start=self._begin,
            name="information plus noise",
        )
        self.kind, self.origin = "information plus noise", False
        self.noise, self.ratio, self.scale = noise, ratio, ratio
        self.flipped = ratio > 1.0
        self.population = companion(population, ratio) if self.flipped else population
        variance = noise * noise
        self.kappa = variance if self.flipped else variance * ratio
        self.drift = variance * abs(1.0 - ratio)

    # ------------------------------------------------------------------ the map, for the generic methods
    def _inner(self, w: Any) -> Any:
        """m_H1 on both half-planes, also at mpmath numbers."""
        if w.dtype == object:
            return transform_precisely(self.population, w)
        lower = w.imag < 0.0
        m = self.population._stieltjes(np.where(lower, w.conj(), w) + 0.0)
        return np.where(lower, m.conj(), m)

    def _root_of(self, z: Any) -> Any:
        """sqrt(z) in the closed upper half-plane, on the positive axis for z > 0."""
        if z.dtype == object:
            return z ** (z.flat[0] * 0 + 1) ** 0.5 if z.size == 0 else np.array([x**0.5 for x in z], dtype=object)
        root = np.sqrt(z)
        return np.where(root.imag < 0.0, -root, root)

    def _arms(self, z: Any, g: Any) -> tuple[Any, Any]:
        zeta = self._root_of(z)
        one = zeta + self.kappa * g
        return one, one - self.drift / zeta if self.drift else one

    def _map(self, z: Any, g: Any) -> Any:
        one, two = self._arms(z, g)
        return one * self._inner(one * two)

    def _image(self, z: Complex, g: Complex) -> tuple[Complex, Complex]:
        """T and T'."""
        with np.errstate(all="ignore"):
            one, two = self._arms(z, g)
            w = one * two
            lower = w.imag < 0.0
            up = np.where(lower, w.conj(), w) + 0.0
            m, slope = self.population._stieltjes(up), self.population._stieltjes_derivative(up)
            m, slope = np.where(lower, m.conj(), m), np.where(lower, slope.conj(), slope)
            return one * m, self.kappa * (m + one * slope * (one + two))

    def _map_slope(self, z: Complex, g: Complex) -> Complex:
        return self._image(z, g)[1][:, None, None]

    def _begin(self, z: Complex) -> Complex:
        return np.asarray(1j / np.sqrt(np.abs(z) + self.size), dtype=np.complex128)

    def _readout_of(self, z: Any, g: Any) -> Any:
        return self._outward(z, g / self._root_of(z))

    def _outward(self, z: Any, m1: Any) -> Any:
        """The transform of S from that of the solved side."""
        return (m1 + (1.0 - self.ratio) / z) / self.ratio if self.flipped else m1

    # ------------------------------------------------------------------ the inverse map
    def image(self, u: Complex) -> tuple[Complex, Complex]:
        """F(w) and F'(w)."""
        with np.errstate(all="ignore"):
            q = 1.0 - self.kappa * self.population._stieltjes(u)
            rate = -self.kappa * self.population._stieltjes_derivative(u)
            return q * (u * q + self.drift), q * q + (2.0 * u * q + self.drift) * rate

    @cached_property
    def size(self) -> float:
        """Length scale of the unknown."""
        ends = np.concatenate([self.population.edges, self.population.atoms.locations])
        return float(np.max(np.abs(ends))) + self.kappa + self.drift

    @cached_property
    def pins(self) -> Real:
        """The w where q = 0, if that is a hard edge: for c = 1 when it is negative."""
        critical, hard = self._critical
        return np.array(critical[:1]) if hard else np.empty(0)

    @cached_property
    def _critical(self) -> tuple[list[float], bool]:
        return critical_points(self)

    @cached_property
    def table(self) -> list[Edge]:
        """Edges from left to right."""
        edges = [_edge(self, w, self.walls) for w in self._critical[0]]
        if self._critical[1]:
            edges[0] = edges[0]._replace(location=0.0)
        return edges

    def find_atoms(self) -> Atoms:
        """The zeros that n < p leaves; noise fills everything else."""
        return Atoms(np.zeros(1), np.array([1.0 - 1.0 / self.ratio])) if self.flipped else NO_ATOMS

    # ------------------------------------------------------------------ solving
    def solve_points(self, z: Complex) -> Solved:
        """w and 1/q at points with Im z >= 0; at real z of a bulk the boundary values from above."""
        w, a = np.empty(z.size, dtype=np.complex128), np.empty(z.size, dtype=np.complex128)
        status, steps = np.zeros(z.size, dtype=np.int64), np.zeros(z.size, dtype=np.int64)
        edges = self.find_edges()
        position = np.searchsorted(edges, z.real)
        outside = (z.imag == 0.0) & ((position % 2 == 0) | np.isin(z.real, edges))
        for i in np.flatnonzero(outside):
            w[i] = self._real_root(float(z.real[i]))
        with np.errstate(all="ignore"):
            a[outside] = 1.0 / (1.0 - self.kappa * self._inner(w[outside]))
        rest = np.flatnonzero(~outside)
        if rest.size:
            nearest = np.clip(np.searchsorted(0.5 * (edges[1:] + edges[:-1]), z.real[rest]), 0, edges.size - 1)
            delta, found = self.near_edge(nearest, z[rest] - edges[nearest])
            w[rest] = np.array([edge.critical for edge in self.table])[nearest] + delta
            a[rest] = self.inverse(z[rest], w[rest])
            far = rest[~found]
            if far.size:
                w[far], a[far], status[far], steps[far] = self.solve_upper(z[far])
        return Solved(w, a, status, steps)

    def solve_upper(self, z: Complex) -> Solved:
        """The same by iteration of T alone; real z must be in a bulk."""
        points = lockstep.solve_upper(lambda rows, g: self._image(z[rows], g), self._begin(z))
        one, two = self._arms(z, points.v)
        return Solved(one * two, one / self._root_of(z), points.status, points.n_steps)

    def inverse(self, z: Complex, w: Complex) -> Complex:
        """1/q; at d = 0 from ``z = w q^2``, which does not cancel where q vanishes."""
        with np.errstate(all="ignore"):
            if self.drift == 0.0:
                root = np.sqrt(w / z)
                return np.where(root.imag < 0.0, -root, root)
            return np.asarray(1.0 / (1.0 - self.kappa * self._inner(w)))

    def sweep(self, z: Complex, start: Complex | None = None) -> Sweep:
        """Solve all points, with error bounds."""
        solved = self.solve_points(z)
        state = (solved.a - 1.0) / self.kappa * self._root_of(z)
        residual, bound = self._certificate(z, solved.w, solved.a)
        return Sweep(state, solved.status, solved.n_steps, residual, np.where(solved.status == 0, bound, np.nan))

    def _certificate(self, z: Complex, u: Complex, m: Complex) -> tuple[Real, Real]:
        """Relative residual, and a bound on the error of the transform by Smale's alpha test for F; `m` is 1/q here.

        ``|q^(k)/k!| <= kappa M / near^(k-1)``, M the mass of ``1/|t - w|^2`` and `near` the distance to the walls, and
        so ``|F^(k)/k!| <= A k / near^(k-1)`` with the A below.
        """
        with np.errstate(all="ignore"):
            value, slope = self.image(u)
            rest, steep, q = np.abs(value - z), np.abs(slope), np.abs(1.0 / m)
            inner, rate = self._inner(u), self.population._stieltjes_derivative(u)
            near = np.full(u.size, np.inf)
            for left, right in self.walls:
                near = np.minimum(near, np.hypot(np.maximum(np.maximum(left - u.real, u.real - right), 0.0), u.imag))
            spread = self.kappa * np.where(u.imag > 0.0, inner.imag / u.imag, np.abs(rate))
            rounding = 8.0 * _EPS * (q + self.kappa / near) * (np.abs(u) * q + self.drift)
            mixed = 2.0 * q * spread + near * spread**2
            growth = (np.abs(u) + near) * mixed + self.drift * spread
            beta = (rest + rounding) / steep
            gamma = 2.0 * np.maximum(1.0, growth / steep) / near
            radius = np.where(beta * gamma < 0.157, 2.0 * beta, np.nan)
            change = spread * radius / np.maximum(1.0 - radius / near, 0.0) + 4.0 * _EPS * (1.0 + self.kappa / near)
            bound = change / (self.kappa * q * np.maximum(q - change, 0.0))
            bound = bound / self.ratio if self.flipped else bound
            return np.asarray(rest / np.maximum(np.abs(z), 1e-300)), np.where(np.isfinite(bound), bound, np.nan)


class InformationNoiseLaw(CompositionLaw):
    """The law of an `InformationNoiseEquation`.

    Parameters
    ----------
    equation : InformationNoiseEquation
        The equation.
    title : str
        How the law prints itself.
    """

    equation: InformationNoiseEquation

    def __init__(self, equation: InformationNoiseEquation, title: str = "") -> None:
        super().__init__(equation, title)
        self._factor = 1.0 / equation.ratio if equation.flipped else 1.0

    @cached_property
    def masses(self) -> Real:
        """Mass of each bulk: that of H1 between its critical points."""
        equation = self.equation
        ends = np.array([edge.critical for edge in equation.table]).reshape(-1, 2)
        share = equation.population._cdf(ends[:, 1]) - equation.population._cdf(ends[:, 0])
        return _validate.read_only(np.asarray(self._factor * share))

    @cached_property
    def _point_masses(self) -> Atoms:
        at, mass = self.equation.find_atoms()
        return Atoms(_validate.read_only(at), _validate.read_only(mass))

    def _solved(self, z: Complex) -> Solved:
        return self._accepted(z, self.equation.solve_points(z))

    def _accepted(self, z: Complex, solved: Solved) -> Solved:
        if solved.status.any():
            m = self.equation._outward(z, (solved.a - 1.0) / self.equation.kappa)
            nan = np.full(z.size, np.nan)
            raise ConvergenceError(
                Solution(self.equation, z, m, solved.w, solved.status, solved.n_steps, nan, nan, "Newton"), self.title
            )
        return solved

    def _stieltjes(self, z: Complex) -> Complex:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(self.equation._outward(z, (self._solved(z).a - 1.0) / self.equation.kappa))

    def _stieltjes_derivative(self, z: Complex) -> Complex:
        """``m'(z)``, from ``dw/dz = 1 / F'(w)`` and ``a = 1/q``."""
        equation, solved = self.equation, self._solved(z)
        with np.errstate(divide="ignore", invalid="ignore"):
            own = solved.a**2 * equation.population._stieltjes_derivative(solved.w) / equation.image(solved.w)[1]
            return np.asarray((own - (1.0 - equation.ratio) / z**2) / equation.ratio if equation.flipped else own)

    def _intensity(self, index: Index, offset: Real) -> Real:
        """Density at ``edges[index] + offset``."""
        equation = self.equation
        z = (self.edges[index] + offset).astype(np.complex128)
        delta, found = equation.near_edge(index, offset.astype(np.complex128))
        w = np.array([edge.critical for edge in equation.table])[index] + delta
        height = np.empty(offset.size)
        a = equation.inverse(z[found], w[found])
        hard = equation.drift == 0.0
        height[found] = a.imag if hard else np.abs(a) ** 2 * equation.kappa * equation._inner(w[found]).imag
        if not found.all():
            height[~found] = self._accepted(z[~found], equation.solve_upper(z[~found])).a.imag
        return np.asarray(height * (self._factor / (np.pi * equation.kappa)))

    def _moment(self, k: int) -> float:
        """Contour integral in the w-plane, where ``m1 dz = m_H1(w) F'(w)/q dw`` is explicit."""
        equation = self.equation
        left, right = equation.table[0].critical, max(equation.table[-1].critical, 0.0)
        turn = np.exp(1j * np.pi * (np.arange(_NODES) + 0.5) / _NODES)  # the upper half, by symmetry
        arm = 0.65 * (right - left) * turn
        w = 0.5 * (left + right) + arm
        value, slope = equation.image(w)
        m = equation._inner(w)
        inside = -float(np.mean((value**k * slope * m / (1.0 - equation.kappa * m) * arm).real))
        return inside / equation.ratio if equation.flipped else inside

    def _cdf(self, x: Real) -> Real:
        """In closed form from the potential, where that of H is known; else by quadrature."""
        edges, masses = self.edges, self.masses
        inside = self._in_bulk(x) & ~np.isin(x, edges)
        value = np.concatenate([[0.0], np.cumsum(np.append(masses, 0.0))])[np.searchsorted(edges, x, side="right") // 2]
        if inside.any():
            above = self._above(x[inside])
            if above is None:
                return super()._cdf(x)
            value[inside] = self._factor * (1.0 - above)
        for location, mass in zip(*self.atoms, strict=True):
            value = value + np.where(x >= location, mass, 0.0)
        return np.asarray(np.clip(value, 0.0, 1.0))

    def _above(self, x: Real) -> Real | None:
        """Mass of the solved side right of x, at points inside bulks."""
        from .sides import Side

        equation, z = self.equation, x.astype(np.complex128)
        solved = self._solved(z)
        inner = Side(equation.population, "sum").potential(solved.w)
        if inner is None:
            return None
        other = solved.a - equation.drift / z
        total = inner + equation.drift / equation.kappa * np.log(solved.a)
        total = total + z / equation.kappa * (solved.a - 1.0) * (other - 1.0)
        return np.asarray(total.imag / np.pi)
