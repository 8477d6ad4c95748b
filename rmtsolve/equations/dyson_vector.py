"""Vector Dyson equation and its rectangular form.

``-1/m_i = z - a_i + sum_j S_ij alpha_j m_j`` with ``m = sum_i alpha_i m_i`` belongs to symmetric matrices whose entries
are independent with a block-constant variance profile: alpha_i is the fraction of rows in block i, ``S_ij / size`` the
variance of the entries, a_i a multiple of the identity added to the block. On irreducible pieces of S the unknowns are
all real or all in the upper half-plane, so each piece is solved by itself. The potential is stationary, hence the
distribution function

    N(x) = Im sum_i alpha_i ( log m_i - m_i (S alpha m)_i / 2 ) / pi.

A rectangular X with profile S has the symmetric matrix [[0, X*], [X, 0]]: with ``w^2 = z``, ``u = w m``, ``v = w k``

    -1/u_b = w + sum_a phi_a S_ab v_a,       -1/v_a = w + c sum_b psi_b S_ab u_b.

Source: O. Ajanki, L. Erdos, T. Kruger, Quadratic vector equations (Memoirs AMS 2019); W. Hachem, P. Loubaton, J. Najim,
Ann. Appl. Probab. 17 (2007) for the rectangular form.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..measures.base import Atoms
from ..status import Status
from .base import Complex, Equation, Real, Sweep
from .chunks import in_chunks
from .degenerate import is_singular
from .dyson_edges import Disc, Support, enclosing_disc, moore_spence, search_support

_TOL = 1e-14
_EPS = float(np.finfo(float).eps)
_ORIGIN_STEPS, _ENDLESS = 200, 300.0  # logarithm of what counts as infinite


class VectorDyson(Equation):
    """The vector Dyson equation; the state is (m_1, ..., m_n).

    Parameters
    ----------
    mean : ndarray, shape (n,)
        The a_i.
    variances : ndarray, shape (n, n)
        ``S_ij``, symmetric, non-negative.
    masses : ndarray, shape (n,)
        Fractions alpha_i, positive.
    weights : ndarray, shape (n,), optional
        ``m = sum_i weights_i m_i``; default the fractions.
    name : str
        For messages.

    Examples
    --------
    >>> import numpy as np, rmtsolve as rmt
    >>> semicircle = VectorDyson(np.zeros(1), np.ones((1, 1)), np.ones(1))
    >>> rmt.solve(semicircle, 1j).m.round(12)
    np.complex128(0.61803398875j)
    """

    def __init__(
        self, mean: Real, variances: Real, masses: Real, *, weights: Real | None = None, name: str = ""
    ) -> None:
        self.mean, self.masses = mean, masses
        self.weights = masses if weights is None else weights
        self.coupling = np.ascontiguousarray(variances * masses)
        super().__init__(self._map, self._sum, shape=(mean.size,), jacobian=self._slope, name=name)

    # ------------------------------------------------------------------ the map
    def _map(self, z: Any, state: Any) -> Any:
        return -1.0 / (z[:, None] - self.mean + state @ self.coupling.T)

    def _sum(self, z: Any, state: Any) -> Any:
        return (state * self.weights).sum(axis=-1)

    def _slope(self, z: Complex, state: Complex) -> Complex:
        return np.asarray(self._map(z, state)[:, :, None] ** 2 * self.coupling)

    @cached_property
    def pieces(self) -> list[NDArray[np.int64]]:
        """Irreducible pieces of S."""
        free = np.ones(self.mean.size, dtype=bool)
        out = []
        for seed in range(self.mean.size):
            if not free[seed]:
                continue
            member = np.zeros(self.mean.size, dtype=bool)
            member[seed] = True
            size = 0
            while member.sum() > size:
                size = int(member.sum())
                member |= (self.coupling[member] > 0.0).any(axis=0) | (self.coupling[:, member] > 0.0).any(axis=1)
            free &= ~member
            out.append(np.flatnonzero(member))
        return out

    # ------------------------------------------------------------------ the compiled solver
    @cached_property
    def disc(self) -> Disc:
        """Mean, standard deviation and a radius that holds the support."""
        size = float(np.ptp(self.mean)) + 2.0 * float(np.sqrt(self.coupling.sum(axis=1).max())) + 1e-300
        return enclosing_disc(lambda z: self.readout(z, self._sweep(z, None, size).state), size)

    def sweep(self, z: Complex, start: Complex | None = None) -> Sweep:
        """Compiled solve of all points, sorted and warm started."""
        return self._sweep(z, start, self.disc.scale)

    def _sweep(self, z: Complex, start: Complex | None, scale: float) -> Sweep:
        order = np.lexsort((-z.imag, z.real))
        n = z.size
        state = np.empty((n, self.mean.size), dtype=np.complex128)
        status, steps = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
        residual, bound = np.zeros(n), np.zeros(n)
        for piece in self.pieces:
            guess = None if start is None else np.ascontiguousarray(start[order][:, piece])
            found = self._sweep_piece(piece, np.ascontiguousarray(z[order]), guess, scale)
            state[:, piece] = found.state
            status = np.where(status == 0, found.status, status)
            steps, residual = steps + found.n_steps, np.maximum(residual, found.residual)
            bound = bound + found.error_bound
        back = np.empty(n, dtype=np.int64)
        back[order] = np.arange(n)
        return Sweep(state[back], status[back], steps[back], residual[back], bound[back])

    def _sweep_piece(self, piece: NDArray[np.int64], z: Complex, start: Complex | None, scale: float) -> Sweep:
        """The unknowns of one irreducible piece at sorted points."""
        from .._kernels.dyson_vector import vector_sweep

        n, mean, weights = z.size, self.mean[piece], self.weights[piece]
        coupling = np.ascontiguousarray(self.coupling[np.ix_(piece, piece)])
        state = np.empty((n, piece.size), dtype=np.complex128)
        out = Sweep(state, np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64), np.zeros(n), np.zeros(n))
        if not coupling.any():  # a fixed number: its resolvent
            with np.errstate(all="ignore"):
                state[:] = 1.0 / (mean - z[:, None])
            out.status[~np.isfinite(state).all(axis=1)] = Status.SINGULAR
            return out
        guess = np.zeros((0, piece.size), dtype=np.complex128) if start is None else start

        def run(part: slice) -> None:
            begin = guess if start is None else guess[part]
            results = (array[part] for array in out)
            vector_sweep(z[part], mean, coupling, weights, scale, begin, start is not None, _TOL, *results)

        in_chunks(run, n)
        return out

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
        """Which states at real points are real, as they are off the support."""
        return np.asarray((state.imag == 0.0).all(axis=1))

    def cumulative(self, x: Real, state: Complex) -> Real:
        """Distribution function in closed form, from the states at real x that are neither edges nor atoms."""
        pairs = state * (state @ self.coupling.T)
        angles = np.arctan2(np.maximum(state.imag, 0.0), state.real)
        return np.asarray((angles - 0.5 * pairs.imag) @ self.masses / np.pi)

    def _linearised(self, state: Complex) -> Complex:
        """``1 - J`` at one state."""
        return np.asarray(np.eye(state.size) - (state**2)[:, None] * self.coupling)

    def is_degenerate(self, z: Complex, state: Complex) -> NDArray[np.bool_]:
        """Which states, one after the other, have a singular ``1 - J``."""
        return np.array([is_singular(self._linearised(one)[None])[0] for one in state], dtype=bool)

    def derivative(self, z: Complex, state: Complex) -> Complex:
        """``m'(z)`` from the states: ``m_i' = m_i^2 (1 + (S m')_i)``."""
        out = np.empty(z.shape, dtype=np.complex128)
        for n in range(z.size):
            slope = np.linalg.solve(self._linearised(state[n]), state[n] ** 2)
            out[n] = (self.weights * slope).sum()
        return out

    def fold(self, x: float, state: Complex, reach: float) -> float:
        """Edge near x, from the state at a point just inside the bulk (n,); nan if there is no fold."""
        piece = max(self.pieces, key=lambda p: float(np.abs(state[p].imag).max()))
        coupling, mean = self.coupling[np.ix_(piece, piece)], self.mean[piece]
        n = piece.size

        def system(m: Complex, v: Complex, at: complex) -> tuple[Complex, Complex]:
            w = at - mean + coupling @ m
            sv = coupling @ v
            slope = np.diag(w) + m[:, None] * coupling  # of F = 1 + m w, so that an edge has slope v = 0
            jacobian = np.zeros((2 * n, 2 * n + 1), dtype=np.complex128)
            jacobian[:n, :n] = jacobian[n:, n : 2 * n] = slope
            jacobian[n:, :n] = np.diag(sv) + v[:, None] * coupling
            jacobian[:n, -1], jacobian[n:, -1] = m, v
            return np.concatenate([1.0 + m * w, slope @ v]), jacobian

        real, imaginary = (part[piece].astype(np.complex128) for part in (state.real, state.imag))
        return moore_spence(system, x, real, imaginary, reach)


class RectangularDyson(Equation):
    """Law of ``X* X / rows`` for a rectangular X with a variance profile; the state is (m_b; k_a).

    Parameters
    ----------
    variances : ndarray, shape (row blocks, column blocks)
        ``S_ab``, non-negative, no column without noise.
    row_fractions, column_fractions : ndarray
        phi_a and psi_b.
    ratio : float
        c, columns over rows.
    name : str
        For messages.
    """

    def __init__(
        self, variances: Real, row_fractions: Real, column_fractions: Real, ratio: float, name: str = ""
    ) -> None:
        a, b = variances.shape
        self.columns, self.ratio, self.fractions = b, ratio, column_fractions
        self.share = ratio / (1.0 + ratio)  # of the columns in the symmetric matrix
        masses = np.concatenate([self.share * column_fractions, (1.0 - self.share) * row_fractions])
        full = np.zeros((a + b, a + b))
        full[b:, :b], full[:b, b:] = variances, variances.T
        weights = np.concatenate([column_fractions, np.zeros(a)])
        # in units of 1/rows, the fractions count n + p = n (1 + c) rows
        self.inner = VectorDyson(np.zeros(a + b), full * (1.0 + ratio), masses, weights=weights, name=name)
        super().__init__(self._map, self._mean, shape=(a + b,), name=name)

    def _map(self, z: Any, state: Any) -> Any:
        return -1.0 / (z[:, None] * (1.0 + state @ self.inner.coupling.T))

    def _mean(self, z: Any, state: Any) -> Any:
        return (state[:, : self.columns] * self.fractions).sum(axis=-1)

    def sweep(self, z: Complex, start: Complex | None = None) -> Sweep:
        """Compiled solve of the symmetric form at w = sqrt z."""
        w = np.sqrt(z + 0j)
        w = np.where(w.imag < 0.0, -w, w)
        guess = None if start is None else start * w[:, None]
        swept = self.inner.sweep(w, guess)
        zero = z == 0.0
        with np.errstate(all="ignore"):
            state = swept.state / w[:, None]
            bound = swept.error_bound / np.abs(w)
        below = (z.imag == 0.0) & (z.real < 0.0)
        state[below] = state[below].real
        status = swept.status
        if zero.any():
            origin, error = self._at_zero
            state[zero] = origin
            bound = np.where(zero, error, bound)
            status = np.where(zero, int(Status.CONVERGED if np.isfinite(error) else Status.SINGULAR), status)
        return swept._replace(state=state, status=status, error_bound=bound)

    @cached_property
    def _at_zero(self) -> tuple[Complex, float]:
        """State at z = 0 and the error of m there; infinite on the support.

        ``k_a = -h_a / z`` has its pole there, ``1/m_b = sum_a phi_a S_ab h_a`` and ``1/h_a = 1 + c sum_b psi_b S_ab
        m_b``: a map of m that is concave and increases. It has one fixed point, or none where 0 is on the support. In
        log m its derivative is positive with row sums below one: Newton's iteration never meets a singular matrix.
        """
        rows, columns = (
            self.inner.coupling[: self.columns, self.columns :],
            self.inner.coupling[self.columns :, : self.columns],
        )
        lost = (np.full(self.shape[0], complex(np.nan, np.nan)), np.inf)
        log_m, one = np.zeros(self.columns), np.eye(self.columns)
        with np.errstate(all="ignore"):
            for _ in range(_ORIGIN_STEPS):
                m = np.exp(log_m)
                h = 1.0 / (1.0 + columns @ m)
                new = 1.0 / (rows @ h)
                slope = new[:, None] * ((rows * h**2) @ columns) * m  # of log T by log m
                if not (np.isfinite(slope).all() and (np.abs(log_m) < _ENDLESS).all()):
                    return lost
                inverse = np.linalg.inv(one - slope)
                step = inverse @ np.log(new / m)
                if (np.abs(step) <= 1e-14 * np.abs(inverse).sum(axis=1)).all():
                    break
                log_m = log_m + step
            else:
                return lost
            # the right side is a product of sums of positive terms
            error = 2.0 * np.abs(inverse).sum(axis=1) * (np.abs(np.log(new / m)) + (8.0 + self.shape[0]) * _EPS) * m
            if not (error < 1e-3 * m).all():
                return lost
        state = np.full(self.shape[0], -np.inf, dtype=np.complex128)
        state[: self.columns] = m
        return state, float(self.fractions @ error)

    @cached_property
    def disc(self) -> Disc:
        """Mean, standard deviation and a radius that holds the support."""
        size = 4.0 * float(self.inner.coupling.sum(axis=1).max())
        return enclosing_disc(lambda z: self.readout(z, self.sweep(z).state), size)

    @cached_property
    def _support(self) -> Support:
        return search_support(self)

    def find_edges(self) -> Real:
        """Edges: squares of those of the symmetric matrix."""
        return self._support.edges

    def find_atoms(self) -> Atoms:
        """The only atom can be at 0."""
        return self._support.atoms

    def outside(self, state: Complex) -> NDArray[np.bool_]:
        """Which states at real points are real, as they are off the support."""
        return np.asarray((state.imag == 0.0).all(axis=1))

    def cumulative(self, x: Real, state: Complex) -> Real:
        """Distribution function: every eigenvalue is the square of one positive eigenvalue of the symmetric matrix."""
        root = np.sqrt(np.maximum(x, 0.0))
        return np.where(x < 0.0, 0.0, 1.0 - (1.0 - self.inner.cumulative(root, state * root[:, None])) / self.share)

    def derivative(self, z: Complex, state: Complex) -> Complex:
        """``m'(z)``, from ``m(z) = u(w) / w``."""
        w = np.sqrt(z + 0j)
        w = np.where(w.imag < 0.0, -w, w)
        return np.asarray((self.inner.derivative(w, state * w[:, None]) - self._mean(z, state)) / (2.0 * z))

    def fold(self, x: float, state: Complex, reach: float) -> float:
        """Edge near x, from the state at a point just inside the bulk; nan if there is no fold."""
        if not 0.0 < reach < x:
            return float("nan")
        root = float(np.sqrt(x + 0.0))
        # the state was taken within `reach` of x: its own point only scales it, which Newton's iteration mends
        return self.inner.fold(root, state * root, float(reach / root)) ** 2
