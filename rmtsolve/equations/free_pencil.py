"""Operator-valued subordination: a linear pencil in free self-adjoint letters of any law.

``L = A0 (x) 1 + sum_i A_i (x) X_i + (Gaussian letters)``, the X_i free with laws mu_i. Write ``A_i = V_i a_i V_i*``
with ``a_i`` invertible of size r_i. Unknowns are ``M = -(id (x) tau)(zJ - L)^{-1}`` and one ``w_i`` (r_i x r_i) for
every letter:

    g_i(w) = int (w - s a_i)^{-1} mu_i(ds),        rho_i = w_i - g_i(w_i)^{-1},
    B_i    = zJ - A0 + S[M] - sum_{j != i} V_j rho_j V_j*,
    w_i    = (V_i* B_i^{-1} V_i)^{-1},             M = -(B_i - V_i rho_i V_i*)^{-1} for any i,

where S is the covariance of the Gaussian letters. Every step keeps imaginary parts positive definite, so there is one
solution there. Derived from operator-valued subordination (Voiculescu 2000; Belinschi, Mai and Speicher, arXiv
1303.3196) by compressing each letter to the range of its coefficient.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..measures.base import Atoms, Measure
from ..measures.discrete import Discrete
from .base import Complex, Equation, Sweep
from .domains import Domain
from .dyson_nodes import Disc
from .free_pencil_axis import PencilAxis, has_potential
from .free_pencil_frames import coordinates
from .free_pencil_newton import PencilNewton
from .high_precision import resolvent_average
from .probe import Profile

Matrix = NDArray[np.complex128]


class FreePencil(Equation):
    """Equation of a pencil with letters given by their laws; the state is ``diag(M, w_1, ..., w_r)``.

    Parameters
    ----------
    constant : ndarray, shape (K, K)
        Hermitian ``A0``.
    spectral : ndarray, shape (K,)
        Diagonal of J: 1 on rows that carry z, 0 elsewhere.
    terms : sequence of (ndarray, ndarray)
        Gaussian letters, ``S[M] = sum B M C``.
    letters : sequence of (ndarray, Measure)
        Hermitian coefficient and law of every other letter.
    weights : ndarray, shape (K,)
        ``m = sum_i weights_i M_ii``.
    name : str
        For messages.
    dimensions : ndarray, shape (K,)
        Relative dimensions of the rows, 1 unless given.
    """

    def __init__(
        self,
        constant: Matrix,
        spectral: NDArray[np.float64],
        terms: Sequence[tuple[Matrix, Matrix]],
        letters: Sequence[tuple[Matrix, Measure]],
        weights: NDArray[np.float64],
        name: str = "",
        dimensions: NDArray[np.float64] | None = None,
    ) -> None:
        self.constant, self.spectral = constant, np.diag(spectral)
        self.terms, self.weights = tuple(terms), weights
        self.dimensions = np.ones(len(weights)) if dimensions is None else dimensions
        self.rows = constant.shape[0]
        parts = [coordinates(a) for a, _ in letters]
        laws = [law for _, law in letters]
        self.letters = tuple((frame, core, law) for (frame, core, _), law in zip(parts, laws, strict=True))
        self.size = self._norm()
        if any(not np.array_equal(turn, np.eye(len(turn))) for _, _, turn in parts):
            turned = tuple((v @ r, r.T @ a @ r, law) for (v, a, r), law in zip(parts, laws, strict=True))
            plain, digits = self.letters, PencilNewton(self).digits_above_zero()
            self.letters = turned
            if not PencilNewton(self).digits_above_zero() > digits + 1.0:
                self.letters = plain
        ends = np.cumsum([self.rows, *(core.shape[0] for _, core, _ in self.letters)])
        self._blocks = [
            slice(int(end - a.shape[0]), int(end)) for end, (_, a, _) in zip(ends[1:], self.letters, strict=True)
        ]
        size = int(ends[-1])
        super().__init__(self._map, self._mean, shape=(size, size), start=self._begin, name=name)
        # what the generic solver would find out by sampling, which rows without z make hard: the map keeps Im > 0
        unknown = float("nan")
        self.method = "Newton's iteration on operator-valued subordination, continued from large Im z where it fails"
        self._profile = Profile(
            Domain.MATRIX, mass=1.0, mean=unknown, variance=unknown, centre=0.0, scale=self.size, unit=0.0, remark=""
        )

    def sweep(self, z: Complex, start: Complex | None = None) -> Sweep:
        """Newton's iteration with the analytic derivative on all points at once."""
        solver = self.solver
        unknowns, m, swept = solver.sweep(z, None if start is None else self.flattened(start))
        state = np.zeros((z.size, *self.shape), dtype=np.complex128)
        state[:, : self.rows, : self.rows] = m
        for block, part in zip(self._blocks, solver.blocks(unknowns)[-len(self._blocks) :], strict=True):
            state[:, block, block] = part
        return swept._replace(state=state)

    @cached_property
    def solver(self) -> PencilNewton:
        """The iteration."""
        return PencilNewton(self)

    def flattened(self, state: Complex) -> Complex:
        """The unknowns of the iteration among the states."""
        parts = [state[:, : self.rows, : self.rows]] if self.terms else []
        parts += [state[:, block, block] for block in self._blocks]
        return np.concatenate([part.reshape(-1, part.shape[1] ** 2) for part in parts], axis=1)

    # ------------------------------------------------------------------ the law
    @cached_property
    def axis(self) -> PencilAxis | None:
        """The law on the real axis, where the potentials of all letters are known."""
        return PencilAxis(self) if all(has_potential(law) for _, _, law in self.letters) else None

    @property
    def disc(self) -> Disc:
        """Mean, standard deviation and a radius that holds the support."""
        assert self.axis is not None
        return self.axis.disc

    def find_edges(self) -> NDArray[np.float64] | None:
        """Edges, from the distribution function on the axis."""
        return None if self.axis is None else self.axis.support.edges

    def find_atoms(self) -> Atoms | None:
        """Jumps of the distribution function."""
        return None if self.axis is None else self.axis.support.atoms

    def cumulative(self, x: NDArray[np.float64], state: Complex) -> NDArray[np.float64] | None:
        """Distribution function in closed form, from the states at real x that are neither edges nor atoms."""
        return None if self.axis is None else self.axis.cumulative(x, state)

    def derivative(self, z: Complex, state: Complex) -> Complex:
        """``m'(z)`` from the states."""
        u = self.flattened(state)
        image = self.solver.linearised(z, u)
        return np.asarray((image.gradient * self.solver.rate(z, u)).sum(axis=1) + image.tilt)

    def _norm(self) -> float:
        """A rough norm of the pencil."""
        total = float(np.abs(np.linalg.eigvalsh(self.constant)).max())
        total += 2.0 * sum(float(np.linalg.norm(b, 2) * np.linalg.norm(c, 2)) for b, c in self.terms) ** 0.5
        for _, core, law in self.letters:
            ends = np.concatenate([law.edges, law.atoms.locations])
            total += float(np.abs(core).max()) * float(np.abs(ends).max())
        return float(total)

    def _begin(self, z: Complex) -> Complex:
        """The state without letters, raised on all rows by i so that those without z are invertible."""
        state = np.zeros((z.size, *self.shape), dtype=np.complex128)
        free = np.linalg.inv(z[:, None, None] * self.spectral - self.constant + 1j * np.eye(self.rows))
        state[:, : self.rows, : self.rows] = -free
        for (frame, _, _), block in zip(self.letters, self._blocks, strict=True):
            state[:, block, block] = np.linalg.inv(frame.conj().T @ free @ frame)
        return state

    def _mean(self, z: Any, state: Any) -> Any:
        diagonal = state[:, np.arange(self.rows), np.arange(self.rows)]
        return (diagonal * self.weights).sum(axis=-1)

    def _map(self, z: Any, state: Any) -> Any:
        m = state[:, : self.rows, : self.rows]
        base = z[:, None, None] * self.spectral - self.constant
        for left, right in self.terms:
            base = base + left @ m @ right
        image = np.zeros_like(state)
        pushed = []
        for (frame, core, law), block in zip(self.letters, self._blocks, strict=True):
            w = state[:, block, block]
            rho = w - np.linalg.inv(_transform(w, core, law))
            pushed.append(frame @ rho @ frame.conj().T)
        everything = base - sum(pushed)
        for (frame, _, _), block, own in zip(self.letters, self._blocks, pushed, strict=True):
            inner = frame.conj().T @ np.linalg.inv(everything + own) @ frame
            image[:, block, block] = np.linalg.inv(inner)
        image[:, : self.rows, : self.rows] = -np.linalg.inv(everything)
        return image


def _transform(w: Any, core: Matrix, law: Measure) -> Any:
    """``int (w - s a)^{-1} mu(ds)`` for a stack of w."""
    atoms = law.atoms
    if w.dtype == object and not isinstance(law, Discrete):
        return resolvent_average(w, core, law)
    if w.dtype == object or (isinstance(law, Discrete) and atoms.locations.size <= 16):
        return sum(p * np.linalg.inv(w - s * core) for s, p in zip(atoms.locations, atoms.weights, strict=True))
    # w^{-1} a = V diag(l) V^{-1}:  int (1 - s l)^{-1} mu(ds) = -m(1/l)/l
    inverse = np.linalg.inv(w)
    values, vectors = np.linalg.eig(inverse @ core)
    point = 1.0 / values
    phi = -point * np.asarray(law.stieltjes(point.ravel(), boundary=True)).reshape(point.shape)
    return (vectors * phi[:, None, :]) @ np.linalg.inv(vectors) @ inverse
