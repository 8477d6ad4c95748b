"""The law of a free pencil on the real axis: distribution function, edges and atoms.

With ``E = zJ - A0 + S[M] - sum_i V_i rho_i V_i*`` and ``F_i(w) = int log det(w - s a_i) mu_i(ds)`` the potential

    Phi = Tr log E + Tr(M S[M])/2 + sum_i (F_i(w_i) + Tr log g_i)

is stationary in M, all w_i and all g_i (``drho = dw + g^{-1} dg g^{-1}`` and ``V* E^{-1} V = g``), so that
``dPhi/dz = Tr(J E^{-1}) = -Tr(J M)`` and ``N(x) = constant - Im Phi / pi``. ``Tr`` weights every row by its dimension.
All matrices have a definite imaginary part, so that the angles of their eigenvalues are those of the logarithms, and

    F(w) = Tr log w + sum_c (U(p_c) - log p_c),      U(p) = int log(p - s) mu(ds),    w^{-1} a = V diag(1/p) V^{-1}.

For a sample covariance matrix of ratio c and population H, with u of `pastur`,
``c U(p) = log u + c int log(1 - t/u) H(dt) + p/u - 1 - (1 - c) log p``. Derived here.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..measures.base import Measure
from ..measures.discrete import Discrete
from ..status import Status
from .base import Complex, Real, Sweep
from .dyson_edges import enclosing_disc, moore_spence, search_support
from .dyson_nodes import Disc, Support, fail_at
from .free_pencil_map import Letter, few_atoms, spectral_points
from .pastur_law import PasturLaw
from .stacks import angles_each

if TYPE_CHECKING:
    from .free_pencil import FreePencil

_NUDGE = 1e-5  # in yards, of differences along a direction


def has_potential(law: Measure) -> bool:
    """Whether ``int log(p - s) mu(ds)`` is known in closed form."""
    return isinstance(law, Discrete) or (isinstance(law, PasturLaw) and law.equation.kind == "covariance")


class PencilAxis:
    """What `search_support` asks of an equation; points are started from the nearest ones solved in the same search."""

    def __init__(self, equation: FreePencil) -> None:
        self.equation, self.solver, self.name = equation, equation.solver, equation.name
        self._x: Real = np.empty(0)
        self._state: Complex = np.empty((0, *equation.shape), dtype=np.complex128)
        alpha = equation.dimensions * (equation.weights[0] / equation.dimensions[0])
        self.groups = [(alpha[rows[0]], rows) for rows in _equal(equation.dimensions)]
        self.alpha = alpha
        self.shares = [float(alpha[np.flatnonzero(x.frame.any(axis=1))[0]]) for x in self.solver.letters]

    # ------------------------------------------------------------------ solving
    def sweep(self, z: Complex, start: Complex | None = None) -> Sweep:
        """Solve at real points."""
        if self._x.size:
            right = np.clip(np.searchsorted(self._x, z.real), 1, self._x.size - 1)
            nearer = right - (z.real - self._x[right - 1] < self._x[right] - z.real)
            start = self._state[nearer]
        swept = self.equation.sweep(z, start)
        kept = swept.status == 0
        x = np.concatenate([self._x, z.real[kept]])
        order = np.argsort(x, kind="stable")
        self._x, self._state = x[order], np.concatenate([self._state, swept.state[kept]])[order]
        return swept

    def readout(self, z: Complex, state: Complex) -> Complex:
        """Transform."""
        return self.equation.readout(z, state)

    def derivative(self, z: Complex, state: Complex) -> Complex:
        """Derivative of the transform."""
        return self.equation.derivative(z, state)

    def outside(self, state: Complex) -> NDArray[np.bool_]:
        """Which states belong to the complement of the support: those that are exactly Hermitian."""
        return np.asarray((state == state.conj().swapaxes(-1, -2)).all(axis=(1, 2)))

    @cached_property
    def disc(self) -> Disc:
        """Mean, standard deviation and a radius that holds the support."""
        equation = self.equation
        return enclosing_disc(lambda z: equation.readout(z, equation.sweep(z).state), equation.size)

    @cached_property
    def support(self) -> Support:
        """Edges and atoms."""
        return search_support(self)

    # ------------------------------------------------------------------ distribution function
    @cached_property
    def _left_level(self) -> float:
        x = np.array([self.disc.mean - 4.0 * self.disc.radius])
        swept = self.equation.sweep(x.astype(np.complex128))
        if swept.status[0] != Status.CONVERGED:
            fail_at(self, x, "its left end")
        return float(self._phase(x, swept.state)[0])

    def cumulative(self, x: Real, state: Complex) -> Real:
        """Distribution function in closed form, from the states at real x that are neither edges nor atoms."""
        return self._phase(x, state) - self._left_level

    def _phase(self, x: Real, state: Complex) -> Real:
        """``-Im Phi / pi`` up to a constant."""
        rows = self.equation.rows
        m = state[:, :rows, :rows]
        total = sum(share * angles_each(m[:, group[:, None], group]) for share, group in self.groups)
        covariance = np.einsum("abkl,nkl->nab", self.solver.covariance, m)
        total = total - 0.5 * np.einsum("i,nij,nji->n", self.alpha, m, covariance).imag
        blocks = self.solver.blocks(self.equation.flattened(state))[-len(self.shares) :]
        for share, letter, w in zip(self.shares, self.solver.letters, blocks, strict=True):
            corner = letter.frame.conj().T @ m @ letter.frame  # -g
            total = total - share * (_letter_phase(w, letter) + angles_each(corner))
        return np.asarray(total) / np.pi

    def fold(self, x: float, state: Complex, reach: float) -> float:
        """Edge near x, from the state at a point just inside the bulk; nan if there is no fold."""
        u = self.equation.flattened(state[None])
        across = self.solver.skew(u)
        return moore_spence(self._fold_system, x, (u - 1j * across)[0], across[0], reach)

    def _fold_system(self, s: Complex, v: Complex, x: complex) -> tuple[Complex, Complex]:
        """``(T - s, T' v - v)`` and its derivative by (s, v, x); that of ``T' v`` by differences of T' along v."""
        step = _NUDGE / float(np.max(np.abs(v) / self.solver.yard(s[None])[0]))
        u = np.stack([s, s + step * v, s - step * v])
        image = self.solver.linearised(np.full(3, x), u)
        here = image.slope[0] - np.eye(s.size)
        bend = (image.slope[1] - image.slope[2]) / (2.0 * step)
        drift = (image.drift[1] - image.drift[2]) / (2.0 * step)
        value = np.concatenate([image.value[0] - s, here @ v])
        top = np.concatenate([here, np.zeros_like(here), image.drift[0][:, None]], axis=1)
        return value, np.concatenate([top, np.concatenate([bend, here, drift[:, None]], axis=1)])


def _equal(dimensions: Real) -> list[NDArray[np.int64]]:
    """Rows of equal dimension."""
    return [np.flatnonzero(dimensions == size) for size in np.unique(dimensions)]


def _letter_phase(w: Complex, letter: Letter) -> Real:
    """``Im int log det(w - s a) mu(ds)``."""
    law = letter.law
    if few_atoms(law):
        return np.asarray(sum(p * angles_each(w - s * letter.core) for s, p in zip(*law.atoms, strict=True)))
    point, vectors, _ = spectral_points(w, letter.core)
    # w v = p a v: Im p and v* a v have one sign, which says on which side a real p lies
    side = np.einsum("nac,ab,nbc->nc", vectors.conj(), letter.core, vectors).real
    side = np.sign(np.where(np.abs(point.imag) > 1e-10 * np.abs(point), point.imag, side))
    upper = np.where(side < 0.0, point.conj(), point)
    upper = np.maximum(upper.imag, 0.0) * 1j + upper.real
    return np.asarray(angles_each(w) + (side * _potential_phase(law, upper.ravel()).reshape(point.shape)).sum(axis=1))


def _potential_phase(law: Measure, p: Complex) -> Real:
    """``Im (int log(p - s) mu(ds) - log p)`` in the closed upper half-plane."""
    if isinstance(law, Discrete):
        return np.asarray(sum(h * np.angle(p - s) for s, h in zip(*law.atoms, strict=True))) - np.angle(p)
    assert isinstance(law, PasturLaw)
    u, c = law.equation.solve_points(p).u, law.equation.scale
    u = np.maximum(u.imag, 0.0) * 1j + u.real
    spread = sum(h * np.angle(u - t) for t, h in zip(*law.equation.population, strict=True)) - np.angle(u)
    return np.asarray((np.angle(u) + (p / u).imag - np.angle(p)) / c + spread)
