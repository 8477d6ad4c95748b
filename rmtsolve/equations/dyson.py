"""Matrix Dyson equation: the mean resolvent of a matrix of independent Gaussian blocks.

For ``L = A0 (x) 1 + sum_i A_i (x) X_i`` with Gaussian X_i and, optionally, one deterministic matrix or coloured
population with atoms k of weights p_k,

    M_k = -(zJ - A_k + S_k[M])^{-1},      M = sum_k p_k M_k,      m = sum_i weights_i M_ii,

where ``S_k`` is the covariance of the Gaussian letters, a sum of terms ``B M C``. J is 1 on rows that carry z. Rows
may stand for spaces of different dimensions; M_ij between those vanishes. Solved in the few averages that enter S,
compiled, on the real axis itself. The potential is stationary in M, which gives the distribution function

    N(x) = Im( Tr log M - Tr(M S[M]) / 2 ) / pi + constant

with ``Tr`` weighting every row by its dimension (relative to the rows of the output) and every k by p_k.

Source: J. W. Helton, R. Rashidi Far, R. Speicher, IMRN 2007; O. Ajanki, L. Erdos, T. Kruger, PTRF 173 (2019). The
average over the atoms is the operator-valued semicircle plus a free matrix, with amalgamation over K x K matrices.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..measures.base import Atoms
from .base import Complex, Equation, Real, Sweep
from .chunks import in_chunks
from .degenerate import is_singular
from .dyson_edges import Disc, Support, enclosing_disc, search_support
from .dyson_layout import Layout, Matrix, covariance_layout
from .dyson_layout import Term as Term
from .stacks import angles_each

_TOL = 1e-13


class MatrixDyson(Equation):
    """Matrix Dyson equation; the state is M, or ``diag(M, sum_k p_k g_k M_k)`` where a population is coloured.

    Parameters
    ----------
    constants : ndarray, shape (K, K) or (atoms, K, K)
        Hermitian ``A_k``.
    terms : sequence of (B, C) or Term
        Covariance of the Gaussian letters.
    spectral : ndarray, shape (K,)
        Diagonal of J: 1 on rows that carry z, 0 elsewhere.
    dimensions : ndarray, shape (K,)
        Relative dimensions of the rows.
    weights : ndarray, shape (K,)
        ``m = sum_i weights_i M_ii``.
    shares : ndarray, shape (atoms,)
        Weights p_k.
    gains : ndarray, shape (atoms,)
        Eigenvalues g_k >= 0 of the coloured population.
    name : str
        For messages.

    Examples
    --------
    >>> import numpy as np, rmtsolve as rmt
    >>> one = np.ones((1, 1), dtype=complex)
    >>> semicircle = MatrixDyson(0 * one, [(one, one)], spectral=np.ones(1), dimensions=np.ones(1), weights=np.ones(1))
    >>> rmt.solve(semicircle, 1j).m.round(12)
    np.complex128(0.61803398875j)
    """

    def __init__(
        self,
        constants: Matrix,
        terms: Sequence[tuple[Matrix, Matrix] | Term],
        *,
        spectral: Real,
        dimensions: Real,
        weights: Real,
        shares: Real | None = None,
        gains: Real | None = None,
        name: str = "",
    ) -> None:
        self.constants = np.ascontiguousarray(constants, dtype=np.complex128).reshape(-1, *constants.shape[-2:])
        self.terms = tuple(term if isinstance(term, Term) else Term(*term) for term in terms)
        self.spectral, self.dimensions, self.weights = spectral, dimensions, weights
        self.shares = np.ones(1) if shares is None else shares
        self.gains = np.ones(self.shares.size) if gains is None else gains
        self.side = self.constants.shape[1]
        self.channels = np.stack([self.shares, self.shares * self.gains][: 1 if gains is None else 2])
        size = self.side * self.channels.shape[0]
        super().__init__(self._map, self._mean, shape=(size, size), start=self._begin, name=name)

    # ------------------------------------------------------------------ the map
    def _begin(self, z: Complex) -> Complex:
        return (-1.0 / z)[:, None, None] * np.eye(self.shape[0])

    def _mean(self, z: Any, state: Any) -> Any:
        rows = np.arange(self.side)
        return (state[:, rows, rows] * self.weights).sum(axis=-1)

    def _block(self, state: Any, channel: int) -> Any:
        block = slice(channel * self.side, (channel + 1) * self.side)
        return state[:, block, block]

    def covariance(self, state: Any) -> list[Any]:
        """``S_k[M]`` for every atom, each (n, K, K)."""
        plain: Any = np.zeros((1, self.side, self.side))
        scaled: Any = plain
        for term in self.terms:
            part = term.left @ self._block(state, int(term.reads_gain)) @ term.right
            plain, scaled = (plain, scaled + part) if term.writes_gain else (plain + part, scaled)
        return [plain + gain * scaled for gain in self.gains.tolist()]

    def resolvents(self, z: Any, state: Any) -> list[Any]:
        """``M_k`` for every atom, each (n, K, K)."""
        base = z[:, None, None] * np.diag(self.spectral)
        return [-np.linalg.inv(base - a + s) for a, s in zip(self.constants, self.covariance(state), strict=True)]

    def _map(self, z: Any, state: Any) -> Any:
        parts = self.resolvents(z, state)
        image = np.zeros_like(state)
        for c, channel in enumerate(self.channels.tolist()):
            block = slice(c * self.side, (c + 1) * self.side)
            image[:, block, block] = sum(p * m for p, m in zip(channel, parts, strict=True))
        return image

    # ------------------------------------------------------------------ the compiled solver
    @cached_property
    def layout(self) -> Layout:
        """Unknowns and covariance in coordinates."""
        return covariance_layout(self.constants, self.terms, self.dimensions, self.channels, self.gains)

    @cached_property
    def tensors(self) -> Complex:
        """``S_k[e_l]``, shape (atoms, r, K, K)."""
        lay = self.layout
        tensors = np.zeros((self.shares.size, lay.rows.size, self.side, self.side), dtype=np.complex128)
        for q in range(lay.source.size):
            tensors[:, lay.source[q], lay.out_i[q], lay.out_j[q]] += lay.value[:, q]
        return tensors

    @cached_property
    def disc(self) -> Disc:
        """Mean, standard deviation and a radius that holds the support."""
        size = (
            float(np.abs(np.linalg.eigvalsh(self.constants)).max()) + 2.0 * float(np.sqrt(self._norms.max())) + 1e-300
        )
        return enclosing_disc(lambda z: self.readout(z, self._sweep(z, None, size).state), size)

    @cached_property
    def _norms(self) -> Real:
        flat = self.tensors.reshape(*self.tensors.shape[:2], self.side**2)
        return np.array([np.linalg.norm(t, ord=2) if t.size else 0.0 for t in flat])

    def sweep(self, z: Complex, start: Complex | None = None) -> Sweep:
        """Compiled solve of all points, sorted and warm started."""
        return self._sweep(z, start, self.disc.scale)

    def _sweep(self, z: Complex, start: Complex | None, scale: float) -> Sweep:
        from .._kernels.dyson_matrix import matrix_sweep

        lay, n, r = self.layout, z.size, self.layout.rows.size
        order = np.lexsort((-z.imag, z.real))
        guess = np.zeros((n if start is not None else 0, r), dtype=np.complex128)
        if start is not None:
            offset = lay.channel * self.side
            guess[:] = start[order][:, offset + lay.rows, offset + lay.cols]
        out = np.empty((n, self.channels.shape[0], self.side, self.side), dtype=np.complex128)
        unknowns = np.empty((n, r), dtype=np.complex128)
        status, steps = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
        residual, bound = np.empty(n), np.empty(n)
        points, warm = np.ascontiguousarray(z[order]), start is not None
        problem = self.spectral, self.constants, *lay[:9], self.channels, self._norms, self.weights, scale
        results = out, unknowns, status, steps, residual, bound

        def run(part: slice) -> None:
            begin = guess[part] if warm else guess
            matrix_sweep(points[part], *problem, begin, warm, False, _TOL, *(array[part] for array in results))

        in_chunks(run, n)
        state = np.zeros((n, *self.shape), dtype=np.complex128)
        for c in range(self.channels.shape[0]):
            block = slice(c * self.side, (c + 1) * self.side)
            state[order, block, block] = out[:, c]
        back = np.empty(n, dtype=np.int64)
        back[order] = np.arange(n)
        return Sweep(state, status[back], steps[back], residual[back], bound[back])

    # ------------------------------------------------------------------ the law
    @cached_property
    def _support(self) -> Support:
        return search_support(self)

    def find_edges(self) -> Real:
        """Edges: brackets between certified real and complex solutions on the axis, refined as folds."""
        return self._support.edges

    def find_atoms(self) -> Atoms:
        """Jumps of the distribution function."""
        return self._support.atoms

    def outside(self, state: Complex) -> NDArray[np.bool_]:
        """Which states at real points belong to the complement of the support: those that are exactly Hermitian."""
        return np.asarray((state == state.conj().swapaxes(-1, -2)).all(axis=(1, 2)))

    @cached_property
    def _left_level(self) -> float:
        x = np.array([self.disc.mean - 4.0 * self.disc.radius])
        return float(self._phase(x, self.sweep(x + 0j).state)[0])

    def cumulative(self, x: Real, state: Complex) -> Real:
        """Distribution function in closed form, from the states at real x that are neither edges nor atoms."""
        return self._phase(x, state) - self._left_level

    def _phase(self, x: Real, state: Complex) -> Real:
        alpha = self.dimensions * (self.weights[0] / self.dimensions[0])
        total = np.zeros(x.shape)
        for p, m, s in zip(self.shares, self.resolvents(x + 0j, state), self.covariance(state), strict=True):
            total -= 0.5 * p * np.einsum("i,nij,nji->n", alpha, m, np.broadcast_to(s, m.shape)).imag
            for size in np.unique(self.dimensions):
                rows = np.flatnonzero(self.dimensions == size)
                total += p * alpha[rows[0]] * angles_each(m[:, rows[:, None], rows])
        return total / np.pi

    def unknowns(self, state: Complex) -> Complex:
        """The r averages that enter S, from states (n, ...)."""
        offset = self.layout.channel * self.side
        return np.asarray(state[:, offset + self.layout.rows, offset + self.layout.cols])

    def _linearised(self, z: Complex, state: Complex) -> tuple[Complex, Complex, Complex]:
        """At one point: ``1 - J`` for the unknowns (r, r), the resolvents M_k, and ``M_k S_k M_k`` (atoms, r, K, K)."""
        lay = self.layout
        m = np.array(self.resolvents(z, state))[:, 0]
        moved = m[:, None] @ self.tensors @ m[:, None]
        mixed = (lay.mix[:, None, :] * moved[:, :, lay.rows, lay.cols]).sum(axis=0).T
        return np.eye(lay.rows.size) - mixed, m, moved

    def is_degenerate(self, z: Complex, state: Complex) -> NDArray[np.bool_]:
        """Which states, one after the other, have a singular ``1 - J``."""
        pairs = zip(z[:, None], state[:, None], strict=True)
        return np.array([is_singular(self._linearised(*pair)[0][None])[0] for pair in pairs], dtype=bool)

    def derivative(self, z: Complex, state: Complex) -> Complex:
        """``m'(z)`` from the states: ``dM_k = M_k (J + S_k[dM]) M_k``."""
        out = np.empty(z.shape, dtype=np.complex128)
        lay = self.layout
        for n in range(z.size):
            matrix, m, moved = self._linearised(z[n : n + 1], state[n : n + 1])
            driven = m @ np.diag(self.spectral) @ m
            right = (lay.mix * driven[:, lay.rows, lay.cols]).sum(axis=0)
            ds = np.linalg.solve(matrix, right)
            dm = driven + np.einsum("l,klij->kij", ds, moved)
            out[n] = np.einsum("k,i,kii->", self.shares, self.weights, dm)
        return out

    def fold(self, x: float, state: Complex, reach: float) -> float:
        """Edge near x, from the state at a point just inside the bulk (K, K); nan if there is no fold."""
        from .dyson_edges import moore_spence

        lay = self.layout
        inside = self.unknowns(state[None])[0]
        across = inside[lay.partner].conj()

        def system(s: Complex, v: Complex, at: complex) -> tuple[Complex, Complex]:
            return self._fold_system(s, v, at)

        return moore_spence(system, x, 0.5 * (inside + across), (inside - across) / 2j, reach)

    def _fold_system(self, s: Complex, v: Complex, x: complex) -> tuple[Complex, Complex]:
        """``(t - s, T v - v)`` and its derivative by (s, v, x)."""
        lay, r = self.layout, s.size

        def read(stack: Complex) -> Complex:  # (atoms, ..., K, K) -> (r, ...)
            picked = stack[..., lay.rows, lay.cols]
            return np.asarray(np.einsum("kl,k...l->l...", lay.mix, picked))

        j = np.diag(self.spectral).astype(np.complex128)
        w = x * j - self.constants + np.einsum("l,klij->kij", s, self.tensors)
        m = -np.linalg.inv(w)
        ms = m[:, None] @ self.tensors
        msv = m @ np.einsum("l,klij->kij", v, self.tensors)
        slope = read(ms @ m[:, None])  # (r, r): column l is the change of t along e_l
        second = read(ms @ msv[:, None] @ m[:, None] + msv[:, None] @ ms @ m[:, None])
        mj = m @ j
        drift = read(mj @ m)
        bend = read(mj @ msv @ m + msv @ mj @ m)
        value = np.concatenate([read(m) - s, slope @ v - v])
        jacobian = np.zeros((2 * r, 2 * r + 1), dtype=np.complex128)
        jacobian[:r, :r] = jacobian[r:, r : 2 * r] = slope - np.eye(r)
        jacobian[r:, :r] = second
        jacobian[:r, -1], jacobian[r:, -1] = drift, bend
        return value, jacobian
