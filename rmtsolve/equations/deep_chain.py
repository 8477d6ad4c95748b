"""Deep features: the chain of layer covariances as one equation, solved for a spectrum or for a ridge.

Covariances ``Omega_0`` (given), ``Omega_{s+1} = a_s W_s Omega_s W_s^T + b_s``, where ``W_s`` has independent Gaussian
rows of covariance ``C_s / p_s``, and at the end the data: the law of ``S = Phi^T Phi / n`` for n rows of covariance
``Omega_L``. Level s has one unknown ``kappa_s``, and the map ``kappa_0 -> lambda = -z`` is explicit (see
`rmtsolve._kernels.deep_chain`), so a ridge is one bisection and a spectrum one complex Newton iteration.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _validate
from ..errors import ConvergenceError
from ..measures.base import NO_ATOMS, Atoms
from ..measures.discrete import Discrete
from .base import Equation, Sweep
from .deep_map import Complex, Real, layer_map, levels, mass_below
from .solution import Solution, SolvedMeasure

_TINY = 1e-50  # a ridge of this share of the mean eigenvalue is zero
_SAME = 1e-14  # two dimensions this close, relatively, are equal


@dataclass(frozen=True, eq=False)
class Chain:
    """What the equations of deep features need to know of a network.

    Parameters
    ----------
    population : Discrete
        Law of ``Omega_0`` (the nodes of a quadrature rule when that law is continuous).
    support : ndarray, shape (k, 2)
        Intervals that hold that law (of zero width for atoms).
    rho, a, b : ndarray, shape (L,)
        Ratio ``p_s / p_{s+1}``, squared linear gain (> 0) and variance of the nonlinear rest of each layer.
    structures : tuple of Discrete or None, length L
        Laws of the ``C_s``; None for the identity.
    """

    population: Discrete
    support: Real
    rho: Real
    a: Real
    b: Real
    structures: tuple[Discrete | None, ...]

    @cached_property
    def packed(self) -> tuple[Any, ...]:
        """The arrays in the order that the kernels take them."""
        atoms: list[Real] = []
        weights: list[Real] = []
        off = [0]
        for law in (*self.structures, None):
            if law is not None:
                kept = law.locations > 0.0
                atoms.append(law.locations[kept])
                weights.append(law.weights[kept])
            off.append(off[-1] + (0 if law is None else int(kept.sum())))
        flat = [np.concatenate([np.empty(0), *parts]) for parts in (atoms, weights)]
        head = (self.population.locations.copy(), self.population.weights.copy())
        layers = tuple(np.array(v, dtype=np.float64) for v in (self.rho, self.a, self.b))
        return (*head, *layers, *flat, np.array(off, dtype=np.int64))

    @property
    def levels(self) -> int:
        """``L + 1``."""
        return self.rho.size + 1

    @property
    def unknowns(self) -> int:
        """Unknowns of the map: one a level, and the argument of Omega_0 itself when ``C_0`` is not the identity."""
        return self.levels + (self.levels > 1 and self.structures[0] is not None)

    @cached_property
    def moments(self) -> tuple[Real, Real]:
        """``tr Omega_s`` and ``tr Omega_s^2`` (normalised) of every level."""
        first, second = [self.population.moment(1)], [self.population.moment(2)]
        for rho, a, b, law in zip(self.rho, self.a, self.b, self.structures, strict=True):
            r, s = first[-1], second[-1]
            if law is not None:
                c, c2 = law.moment(1), law.moment(2)
                r, s = r * c, s * c * c + r * r * (c2 - c * c)
            first.append(a * r + b)
            second.append(a * a * (r * r + s / rho) + 2.0 * a * b * r + b * b)
        return np.array(first), np.array(second)

    @cached_property
    def bound(self) -> float:
        """An upper bound on the right edge of ``Omega_L``."""
        norm = float(self.population.locations[-1])
        for rho, a, b, law in zip(self.rho, self.a, self.b, self.structures, strict=True):
            norm *= 1.0 if law is None else float(law.locations[-1])
            norm = float(a * norm * (1.0 + rho**-0.5) ** 2 + b)
        return norm

    def rank(self, ratio: float = 0.0) -> tuple[float, bool]:
        """Rank of ``Omega_L`` (or of S when `ratio` is given) over ``p_L``, and whether its bulk reaches zero."""
        rank, hard = 1.0 - float(self.population.weights[self.population.locations == 0.0].sum()), False
        for rho, b, law in zip(self.rho, self.b, self.structures, strict=True):
            if law is not None:
                other = 1.0 - float(law.weights[law.locations == 0.0].sum())
                same = abs(rank - other) <= _SAME and rank < 1.0
                hard = same or (hard and rank < other)
                rank = min(rank, other)
            rank, hard = (1.0, False) if b > 0.0 else _through(rank, hard, float(rho))
        return (rank, hard) if ratio == 0.0 else _through(rank, hard, ratio, of_columns=True)


def _through(rank: float, hard: bool, rho: float, *, of_columns: bool = False) -> tuple[float, bool]:
    """Rank fraction of ``W M W^T`` (or of ``M^{1/2} W^T W M^{1/2}``) for M of rank fraction `rank`, ratio rho."""
    same = abs(rho * rank - 1.0) <= _SAME
    full = min(1.0, rho * rank)
    return (full / rho if of_columns else full), same or (hard and rho * rank < 1.0)


@dataclass(frozen=True, eq=False)
class RidgeStages:
    """The chain solved at ridges: what is known of every level s at every point.

    Arrays have shape (points,) or (points, L + 1). Traces are normalised by ``p_s``; ``kappa[:, s]`` is the argument
    of the resolvent of ``Omega_s``; ``t = tr Omega/(Omega + kappa)``, ``f`` the same squared, ``v = t - f``;
    ``jacobian = dkappa_{s+1}/dkappa_s`` and ``drop = kappa_s - kappa_{s+1}/jacobian``, where ``kappa_{L+1}`` is the
    ridge of ``Phi^T Phi / n``; ``room = 1 - t_L p_L / n`` and ``below = 1 - f_L p_L / n``.
    """

    kappa: Real
    t: Real
    f: Real
    v: Real
    jacobian: Real
    drop: Real
    room: Real
    below: Real
    n_steps: NDArray[np.int64]
    residual: Real


def solve_ridge(chain: Chain, lam: Real, ratio: Real) -> RidgeStages:
    """Solve the chain at ridges `lam` >= 0 added to ``Phi^T Phi / n``, for ``ratio = p_L / n`` (1-d arrays).

    At ``lam = 0`` the limit ``lam -> 0+``: for n above the rank of ``Omega_L`` kappa_L is 0, below it `room` is 0.

    Raises
    ------
    ConvergenceError
        A point was not solved to 1e-10.
    """
    from .._kernels import deep_chain as kernels

    count = lam.size
    lam = np.where(lam < _TINY * chain.moments[0][-1], 0.0, lam)  # not to be told from the limit
    stages = np.empty((count, chain.levels, kernels.COLUMNS))
    status, steps = np.empty(count, np.int64), np.empty(count, np.int64)
    residual = np.empty(count)
    first = _far(chain, lam + ratio * chain.moments[0][-1])
    guess = np.ascontiguousarray(first[:, -1] if chain.unknowns > chain.levels else first[:, 0])
    kernels.ridge_sweep(lam, ratio, guess, chain.packed, stages, status, steps, residual)
    kappa, room = stages[:, :, kernels.KAPPA].copy(), stages[:, -1, kernels.ROOM].copy()
    t, f = stages[:, :, kernels.T].copy(), stages[:, :, kernels.F].copy()
    if (status != 0).any():
        equation = DeepChainEquation(chain, float(ratio[status != 0][0]))
        m = np.full(count, np.nan + 0j)
        none = np.full(count, np.nan)
        raise ConvergenceError(
            Solution(
                equation,
                (-lam).astype(complex),
                m,
                (-kappa).astype(complex),
                status,
                steps,
                residual,
                none,
                "bisection in log kappa",
            ),
            equation.name,
        )
    # room = lam / kappa_L: take the one that has lost fewer digits; kappa_L is a difference
    size = kappa[:, 0]  # of what kappa at a level is a difference of, carried from level to level
    for s in range(chain.levels - 1):
        lift = chain.a[s] / chain.rho[s] * stages[:, s, kernels.KAPPA_M]
        size = stages[:, s, kernels.JACOBIAN] * size + lift + chain.b[s]
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient = lam / kappa[:, -1]
        room = np.where(quotient * size < kappa[:, -1], quotient, room)
    rank = chain.rank()[0]
    free, over = (lam == 0.0) & (ratio * rank <= 1.0), (lam == 0.0) & (ratio * rank > 1.0)
    kappa[free, -1], t[free, -1], f[free, -1] = 0.0, rank, rank
    room[free], room[over] = 1.0 - ratio[free] * rank, 0.0
    below = np.where(free, room, stages[:, -1, kernels.BELOW])
    room[free & (np.abs(room) <= _SAME)] = 0.0
    below[free & (np.abs(below) <= _SAME)] = 0.0
    v = np.where(kappa > 0.0, stages[:, :, kernels.V], 0.0)
    parts = (kappa, t, f, v, stages[:, :, kernels.JACOBIAN], stages[:, :, kernels.DROP], room, below, steps, residual)
    return RidgeStages(*parts)


class DeepChainEquation(Equation):
    """The fixed-point equation of a chain; the state is ``-kappa_s`` of every level, in the upper half-plane.

    Parameters
    ----------
    chain : Chain
        The network.
    ratio : float
        ``p_L / n``; zero for the law of ``Omega_L`` itself.
    gram : bool
        Read out the law of the kernel matrix ``Phi Phi^T / p_L`` instead of that of ``Phi^T Phi / n``.
    """

    def __init__(self, chain: Chain, ratio: float, *, gram: bool = False) -> None:
        super().__init__(self._map, self._transform, shape=(chain.unknowns,), start=self._first, name="deep features")
        self.chain = chain
        self.ratio = ratio
        self.gram = gram
        self.factor = ratio if gram else 1.0  # spectra of the two matrices differ by this factor

    def _map(self, z: Complex, state: Complex) -> Complex:
        return -layer_map(self.chain, self.ratio, -self.factor * z, -state)

    def _first(self, z: Complex) -> Complex:
        return -_far(self.chain, self.ratio * self.chain.moments[0][-1] - self.factor * z)

    def _transform(self, z: Complex, state: Complex) -> Complex:
        """``(1/p) tr (S - z)^-1 = q_L / (1 - rho t_L)``, or ``1/kappa_L`` (rescaled) for the kernel matrix."""
        at = levels(self.chain, -state)
        kappa, h, t = at.kappa[-1], at.h[-1], at.t[-1]
        if self.gram:
            return self.ratio / kappa
        room = 1.0 - self.ratio * t
        # 1 - rho t is also -z / kappa; the first form loses digits where it is small, the second where kappa is
        small = abs(room) * self.chain.moments[0][-1] < abs(kappa)
        return 1.0 / ((h + kappa) * np.where(small, -z / np.where(kappa == 0, 1.0, kappa), room))

    def sweep(self, z: Complex, start: Complex | None = None) -> Sweep:
        """Physical solution at every point; on the axis inside the support the boundary value from above."""
        from .._kernels.deep_chain import COLUMNS, KAPPA, KAPPA_M
        from .._kernels.deep_spectrum import spectrum_sweep

        chain, count = self.chain, z.size
        scale = 8.0 * chain.bound * (1.0 + self.ratio**0.5) ** 2
        points = np.array(self.factor * z, dtype=np.complex128)
        unknowns = -self._first(np.where(points.imag < scale, points.real + 1j * scale, points) / self.factor)
        warm = start is not None and count > 0
        if start is not None and warm:
            unknowns = np.concatenate([unknowns, -start[:1]])
        at = levels(chain, unknowns)
        roots = np.stack([kappa / h for kappa, h in zip(at.kappa, at.h, strict=True)], axis=1)
        stages = np.empty((count, chain.levels, COLUMNS), np.complex128)
        status, steps, residual = np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count)
        cold = np.array(at.bare)
        spectrum_sweep(points, scale, cold, roots, warm, chain.packed, self.ratio, stages, status, steps, residual)
        state = -stages[:, :, KAPPA_M]
        if chain.unknowns > chain.levels:
            state = np.concatenate([state, -stages[:, :1, KAPPA]], axis=1)
        return Sweep(state, status, steps, residual, np.full(count, np.nan))

    def find_edges(self) -> Real:
        """Edges of the bulks, from the real intervals on which every stage of the chain increases."""
        from .deep_edges import chain_edges

        return chain_edges(self.chain, self.ratio) / self.factor

    def find_atoms(self) -> Atoms:
        """The point mass at zero (of ``Omega_L`` itself: at b_L, of what the last layer misses)."""
        chain, ratio = self.chain, self.ratio
        rank, _ = chain.rank(ratio)
        mass, location = 1.0 - (rank * ratio if self.gram else rank), 0.0
        if ratio == 0.0 and chain.levels > 1 and chain.b[-1] > 0.0:
            mass = 1.0 - replace(chain, b=np.append(chain.b[:-1], 0.0)).rank()[0]
            location = float(chain.b[-1])
        if mass <= _SAME:
            return NO_ATOMS
        return Atoms(_validate.read_only(np.array([location])), _validate.read_only(np.array([mass])))

    def cumulative(self, x: Real, state: Complex) -> Real:
        """Distribution function at real x, in closed form (away from the atom)."""
        below = mass_below(self.chain, self.ratio, self.factor * x, -state)
        return 1.0 - self.ratio * (1.0 - below) if self.gram else below


class DeepLaw(SolvedMeasure):
    """The law of a chain, with its exact first two moments and the distribution function in closed form."""

    equation: DeepChainEquation

    def __init__(self, equation: DeepChainEquation, name: str) -> None:
        super().__init__(equation)
        self._name = name

    def __repr__(self) -> str:
        return self._name

    @cached_property
    def _plateaus(self) -> Real:
        """The distribution function between the bulks, one value a gap."""
        edges = self.edges
        middle = 0.5 * (edges[1:-1:2] + edges[2::2])
        return super()._cdf(middle) if middle.size else middle

    def _cdf(self, x: Real) -> Real:
        edges, (at, mass) = self.edges, self.atoms
        # atoms lie at or below the first edge; off the bulks the closed form would be a sum of rounded angles 0 and pi
        out = np.where(x[:, None] >= at, mass, 0.0).sum(axis=1)
        position = np.searchsorted(edges, x, side="right")
        gap = (position % 2 == 0) & (position > 0)
        levels = np.append(self._plateaus, 1.0)
        out[gap] = levels[position[gap] // 2 - 1]
        left = np.isin(x, edges[2::2])
        out[left] = levels[position[left] // 2 - 1]
        inside = (position % 2 == 1) & ~np.isin(x, edges)
        if inside.any():
            out[inside] = super()._cdf(x[inside])
        return np.asarray(np.clip(out, 0.0, 1.0))

    def _moment(self, k: int) -> float:
        first, second = (float(values[-1]) for values in self.equation.chain.moments)
        if k == 1:
            return first
        if k == 2:
            ratio = self.equation.ratio
            return first * first + second / ratio if self.equation.gram else second + ratio * first * first
        return super()._moment(k)


def _far(chain: Chain, kappa: Complex) -> Complex:
    """All unknowns from ``kappa_L``, every covariance replaced by its mean: right far from the spectrum."""
    means = chain.moments[0]
    out = [kappa]
    for s in range(chain.levels - 2, -1, -1):
        out.append(chain.rho[s] / chain.a[s] * (means[s + 1] + kappa))
        law = chain.structures[s]
        kappa = out[-1] if law is None else out[-1] / law.moment(1)
    out.reverse()
    return np.stack([*out, kappa] if chain.unknowns > chain.levels else out, axis=1)
