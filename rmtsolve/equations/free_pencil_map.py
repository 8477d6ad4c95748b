"""The map of operator-valued subordination and its derivative, on a stack of points.

Legend as in `free_pencil`. Unknowns of a point: u = (M if there are Gaussian letters, w_1, ..., w_r), flattened. For a
letter with few atoms, with ``R_s = (w - s a)^{-1}`` and ``h = sum_s p_s s R_s``,

    g = sum_s p_s R_s,      rho = w - g^{-1} = a h g^{-1},      drho = a sum_s p_s (s - h g^{-1}) (-R_s dw R_s) g^{-1},

which cancels nowhere. For any other, with ``w^{-1} a = V diag(l) V^{-1}``, ``p = 1/l`` and ``A = V^{-1} w^{-1}``,

    g(w) = -V diag(p m(p)) A,       dg = -V [(A dw V) * F] A,       F_cd = p_c p_d (m(p_c) - m(p_d)) / (p_c - p_d),

m the transform of the letter's law (F_cc = p_c^2 m'(p_c)), and ``drho = dw + g^{-1} dg g^{-1}``. The image of w_i is
the Schur complement ``Q* B Q - Q* B N (N* B N)^{-1} N* B Q`` of ``B = B_i`` with ``V* Q = 1, V* N = 0, N* Q = 0``; with
``L = Q* - Q* B N (N* B N)^{-1} N*`` and R likewise, ``dT_i = L dB_i R``,
``dB_i = J dz + S[dM] - sum_{j != i} V_j drho_j V_j*``.

Where the solution is singular the unknowns are graded matrices, with entries of very different size; errors are
therefore measured in units that go with them (`yard`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ConvergenceError
from ..measures.base import Measure
from ..measures.discrete import Discrete
from ..status import Status
from .base import Complex, Real
from .stacks import eigenvalues_each, invert_each

if TYPE_CHECKING:
    from .free_pencil import FreePencil

_FEW = 16  # atoms that are summed one by one
_CLOSE = 1e-6  # relative distance of two p below which their divided difference is the derivative


class Letter(NamedTuple):
    """One letter: frame V, invertible core a, law, and its place among the unknowns."""

    frame: Complex  # (K, r)
    core: Complex  # (r, r)
    law: Measure
    place: slice
    dual: Complex  # Q (K, r)
    rest: Complex  # N (K, K - r)


class Image(NamedTuple):
    """The map and what linearises it; m is the transform that belongs to the image."""

    value: Complex  # T(u), (n, d)
    m: Complex  # M(u), (n, K, K)
    slope: Complex  # dT/du, (n, d, d)
    drift: Complex  # dT/dz, (n, d)
    gradient: Complex  # dm/du, (n, d)
    tilt: Complex  # dm/dz at fixed u, (n,)


class PencilMap:
    """The map of one equation."""

    def __init__(self, equation: FreePencil) -> None:
        self.rows, self.weights = equation.rows, equation.weights
        self.spectral, self.constant = equation.spectral, equation.constant
        self.size = equation.size
        self.own = self.rows**2 if equation.terms else 0  # unknowns taken by M
        self.letters = []
        end = self.own
        for frame, core, law in equation.letters:
            begin, end = end, end + core.size
            dual = frame @ np.linalg.inv(frame.conj().T @ frame)
            rest = np.linalg.svd(frame)[0][:, len(core) :]
            self.letters.append(Letter(frame, core, law, slice(begin, end), dual, rest))
        self.count = end
        k = self.rows
        self.covariance = np.zeros((k, k, k, k), dtype=np.complex128)  # S[M]_ab = covariance_abkl M_kl
        for left, right in equation.terms:
            self.covariance += np.einsum("ak,lb->abkl", left, right)

    def blocks(self, u: Complex) -> list[Complex]:
        """The matrices among the unknowns: M first if it is one of them."""
        parts = [u[:, : self.own].reshape(-1, self.rows, self.rows)] if self.own else []
        return parts + [u[:, x.place].reshape(-1, *x.core.shape) for x in self.letters]

    def cold(self, z: Complex) -> Complex:
        """The unknowns without letters, raised on all rows by i so that those without z are invertible."""
        free = invert_each(z[:, None, None] * self.spectral - self.constant + 1j * np.eye(self.rows))
        parts = [-free] if self.own else []
        parts += [invert_each(x.frame.conj().T @ free @ x.frame) for x in self.letters]
        return np.concatenate([part.reshape(-1, part.shape[1] ** 2) for part in parts], axis=1)

    def _base(self, z: Complex, u: Complex) -> Complex:
        """``zJ - A0 + S[M]``."""
        base = z[:, None, None] * self.spectral - self.constant
        return base + np.einsum("abkl,nkl->nab", self.covariance, self.blocks(u)[0]) if self.own else base

    def value(self, z: Complex, u: Complex) -> tuple[Complex, Complex]:
        """(T(u), M), shapes (n, d) and (n, K, K)."""
        pushed = []
        for letter, w in zip(self.letters, self.blocks(u)[-len(self.letters) :], strict=True):
            pushed.append(letter.frame @ _shift(w, letter) @ letter.frame.conj().T)
        base = self._base(z, u)
        m = -invert_each(base - sum(pushed))
        parts = [m] if self.own else []
        for i, letter in enumerate(self.letters):
            parts.append(_schur(base - sum(pushed[:i] + pushed[i + 1 :]), letter)[0])
        return np.concatenate([part.reshape(-1, part.shape[1] ** 2) for part in parts], axis=1), m

    def linearised(self, z: Complex, u: Complex) -> Image:
        """The map and its derivatives."""
        n, k, d = z.size, self.rows, self.count
        pushed = []
        # derivative by all unknowns of what all B_i have in common
        common = np.zeros((n, k, k, d), dtype=np.complex128)
        common[:, :, :, : self.own] = self.covariance.reshape(k, k, -1)[:, :, : self.own]
        for letter, w in zip(self.letters, self.blocks(u)[-len(self.letters) :], strict=True):
            rho, change = _shift_and_slope(w, letter)
            v = letter.frame
            pushed.append(v @ rho @ v.conj().T)
            common[:, :, :, letter.place] = -_sandwich(v, change, v.conj().T)
        base = self._base(z, u)
        m = -invert_each(base - sum(pushed))
        value, drift = np.empty((n, d), dtype=np.complex128), np.empty((n, d), dtype=np.complex128)
        slope = np.zeros((n, d, d), dtype=np.complex128)
        if self.own:
            value[:, : self.own] = m.reshape(n, k * k)
            drift[:, : self.own] = (m @ self.spectral @ m).reshape(n, k * k)
            slope[:, : self.own] = _sandwich(m, common, m).reshape(n, k * k, d)
        for i, letter in enumerate(self.letters):
            w, left, right = _schur(base - sum(pushed[:i] + pushed[i + 1 :]), letter)
            value[:, letter.place] = w.reshape(n, w.shape[1] ** 2)
            drift[:, letter.place] = (left @ self.spectral @ right).reshape(n, w.shape[1] ** 2)
            part = _sandwich(left, common, right).reshape(n, w.shape[1] ** 2, d)
            part[:, :, letter.place] = 0.0
            slope[:, letter.place] = part
        read = (m * self.weights) @ m
        gradient = np.einsum("nkle,nlk->ne", common, read)
        tilt = np.einsum("kl,nlk->n", self.spectral, read)
        return Image(value, m, slope, drift, gradient, tilt)

    def yard(self, u: Complex) -> Real:
        """What an error of entry (i, j) is compared with: ``(d_i d_j)^(1/2)``, d the sizes along the axes.

        ``d_i = max_j |w_ij|^2 / max_k |w_jk|`` scales with the rows and columns of w.
        """
        parts = []
        for block in self.blocks(u):
            size = np.abs(block) + 1e-100
            root = (size / np.sqrt(size.max(axis=2))[:, None, :]).max(axis=2)
            parts.append((root[:, :, None] * root[:, None, :]).reshape(-1, root.shape[1] ** 2))
        return np.concatenate(parts, axis=1)

    def inside(self, u: Complex, slack: Real | float) -> NDArray[np.bool_]:
        """Whether all imaginary parts are positive definite, up to `slack` of the unknowns."""
        good = np.ones(len(u), dtype=bool)
        units = self.blocks(self.yard(u).astype(np.complex128))
        for block, yard in zip(self.blocks(u), units, strict=True):
            root = np.sqrt(np.diagonal(yard, axis1=1, axis2=2).real)
            scaled = block / root[:, :, None] / root[:, None, :]
            low = eigenvalues_each((scaled - scaled.conj().swapaxes(1, 2)) / 2j)[:, 0]
            good &= low > -slack
        return good


def few_atoms(law: Measure) -> bool:
    """Whether integrals by the law are sums over atoms here."""
    return isinstance(law, Discrete) and law.locations.size <= _FEW


def spectral_points(w: Complex, core: Complex) -> tuple[Complex, Complex, Complex]:
    """(p, V, inverse of w) with ``w^{-1} a = V diag(1/p) V^{-1}``; nan where w is singular."""
    inverse = invert_each(w)
    values = np.full(w.shape[:2], complex(np.nan, np.nan))
    vectors = np.full(w.shape, complex(np.nan, np.nan))
    good = np.isfinite(inverse).all(axis=(1, 2))
    if good.any():
        values[good], vectors[good] = np.linalg.eig(inverse[good] @ core)
    with np.errstate(all="ignore"):
        return np.asarray(1.0 / values, dtype=np.complex128), np.asarray(vectors, dtype=np.complex128), inverse


def _atoms(w: Complex, letter: Letter) -> tuple[Complex, Real]:
    """``(w - s a)^{-1}`` for all atoms, (n, s, r, r), and their weights."""
    at, mass = letter.law.atoms
    shifted = w[:, None] - at[:, None, None] * letter.core
    return invert_each(shifted.reshape(-1, *w.shape[1:])).reshape(shifted.shape), mass


def _schur(b: Complex, letter: Letter) -> tuple[Complex, Complex, Complex]:
    """(``(V* B^{-1} V)^{-1}``, L, R)."""
    q, n = letter.dual, letter.rest
    inverse = invert_each(n.conj().T @ b @ n) if n.shape[1] else np.zeros((len(b), 0, 0))
    left = q.conj().T - (q.conj().T @ b @ n) @ inverse @ n.conj().T
    right = q - n @ inverse @ (n.conj().T @ b @ q)
    return left @ b @ q, left, right


def _shift(w: Complex, letter: Letter) -> Complex:
    """``rho = w - g(w)^{-1}`` for a stack of w."""
    if few_atoms(letter.law):
        each, mass = _atoms(w, letter)
        g, h = (np.einsum("s,nsij->nij", c, each) for c in (mass, mass * letter.law.atoms.locations))
        return np.asarray(letter.core @ h @ invert_each(g))
    point, vectors, inverse = spectral_points(w, letter.core)
    m = at_any_point(letter.law._stieltjes, point)
    return w - invert_each((vectors * (-point * m)[:, None, :]) @ invert_each(vectors) @ inverse)


def _shift_and_slope(w: Complex, letter: Letter) -> tuple[Complex, Complex]:
    """The same and its derivative (n, r, r, r r)."""
    n, r = w.shape[:2]
    if few_atoms(letter.law):
        each, mass = _atoms(w, letter)
        at = letter.law.atoms.locations
        g, h = (np.einsum("s,nsij->nij", c, each) for c in (mass, mass * at))
        inverse = invert_each(g)
        quotient = h @ inverse
        outer = letter.core @ ((quotient[:, None] - at[:, None, None] * np.eye(r)) @ each) * mass[:, None, None]
        inner = each @ inverse[:, None]
        change = outer.reshape(n, mass.size, r * r).swapaxes(1, 2) @ inner.reshape(n, mass.size, r * r)
        return letter.core @ quotient, _ordered(change, r)
    point, vectors, inverse = spectral_points(w, letter.core)
    a = invert_each(vectors) @ inverse
    m, rate = (at_any_point(f, point) for f in (letter.law._stieltjes, letter.law._stieltjes_derivative))
    gap = point[:, :, None] - point[:, None, :]
    both = point[:, :, None] * point[:, None, :]
    mean = 0.5 * (rate[:, :, None] + rate[:, None, :])
    with np.errstate(all="ignore"):
        f = both * np.where(np.abs(gap) < _CLOSE * np.abs(both) ** 0.5, mean, (m[:, :, None] - m[:, None, :]) / gap)
    left = (vectors[:, :, None, :] * a.swapaxes(1, 2)[:, None]).reshape(n, r * r, r)  # (a, p), c
    right = (vectors.swapaxes(1, 2)[:, :, :, None] * a[:, :, None, :]).reshape(n, r, r * r)  # d, (q, b)
    inverse = invert_each((vectors * (-point * m)[:, None, :]) @ a)  # of g
    change = _sandwich(inverse, _ordered(-(left @ f @ right), r), inverse)
    return w - inverse, change + np.eye(r * r).reshape(r, r, r * r)


def _ordered(change: Complex, r: int) -> Complex:
    """``c[(a, p), (q, b)]`` as ``c[a, b, (p, q)]``: entry (a, b) of the image by entry (p, q) of w."""
    return change.reshape(-1, r, r, r, r).transpose(0, 1, 4, 2, 3).reshape(-1, r, r, r * r)


def _sandwich(left: Complex, middle: Complex, right: Complex) -> Complex:
    """``left @ middle[..., d] @ right`` for every d; middle is (n, x, y, d)."""
    n, x, y, d = middle.shape
    half = (left @ middle.reshape(n, x, y * d)).reshape(n, left.shape[-2], y, d)
    return np.asarray((half.swapaxes(2, 3) @ (right if right.ndim == 2 else right[:, None])).swapaxes(2, 3))


def at_any_point(function: Callable[[Complex], Complex], point: Complex) -> Complex:
    """A transform or its derivative in both half-planes, boundary values on the axis; nan where there is none."""
    flat = point.ravel()
    good = np.isfinite(flat)
    lower = flat.imag < 0.0
    upper = np.asarray(np.where(lower, flat.conj(), flat) + 0.0, dtype=np.complex128)
    out = np.full(flat.shape, complex(np.nan, np.nan))
    with np.errstate(all="ignore"):
        try:
            out[good] = function(upper[good])
        except ConvergenceError as error:  # at singular points of the letter's law
            good[good] = error.solution.status == Status.CONVERGED
            out[good] = function(upper[good])
    return np.asarray(np.where(lower, out.conj(), out).reshape(point.shape))
