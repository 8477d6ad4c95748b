"""Discrete laws: populations given by their atoms, and empirical spectra."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .. import _validate
from ._precise import precise_array
from .base import Atoms, Complex, Measure, Precise, Real

_CHUNK = 1 << 18  # entries of the (points, atoms) table formed at a time: it stays in the cache


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Discrete(Measure):
    """Law ``sum_j weights_j delta(atoms_j)``.

    Equal atoms are merged and atoms of weight zero dropped; what is left is sorted.

    Parameters
    ----------
    atoms : array_like of float, shape (n,)
        Locations, in any order.
    weights : array_like of float, shape (n,), optional
        Non-negative, summing to one; uniform by default.

    Raises
    ------
    DomainError
        No atoms, entries that are not finite and real, or weights that are no probabilities.

    Examples
    --------
    >>> H = Discrete([3, 1, 10, 3], [0.2, 0.5, 0.2, 0.1])
    >>> H
    Discrete([1, 3, 10], [0.5, 0.3, 0.2])
    >>> H.cdf(3), H.quantile(0.9), round(H.moment(1), 12)
    (0.8, 10.0, 3.4)
    >>> H.stieltjes(2j)
    (0.188461538...+0.25j)
    """

    _locations: Real
    _weights: Real
    _cumulative: Real

    def __init__(self, atoms: ArrayLike, weights: ArrayLike | None = None) -> None:
        points = _validate.real_array(atoms, "atoms", ndim=1)
        if weights is None:
            locations, counts = np.unique(points, return_counts=True)
            mass = np.asarray(counts / points.size, dtype=np.float64)
        else:
            given = _validate.probabilities(weights, "weights", points.size)
            locations, index = np.unique(points, return_inverse=True)
            mass = np.asarray(np.bincount(index, weights=given, minlength=locations.size), dtype=np.float64)
            locations, mass = locations[mass > 0], mass[mass > 0]
        # extended precision: the distribution function is then right to the last digit
        cumulative = np.cumsum(mass.astype(np.longdouble)).astype(np.float64)
        cumulative[-1] = 1.0
        object.__setattr__(self, "_locations", _validate.read_only(locations + 0.0))  # -0.0 becomes 0.0
        object.__setattr__(self, "_weights", _validate.read_only(mass))
        object.__setattr__(self, "_cumulative", _validate.read_only(cumulative))

    @classmethod
    def from_matrix(cls, matrix: ArrayLike) -> Discrete:
        """Spectrum of a symmetric or Hermitian matrix, each eigenvalue with weight ``1/p``.

        Eigenvalues below the rounding error of the eigenvalue solver, ``p * eps * ||matrix||``, are set to zero, so
        that a rank-deficient covariance matrix does not get tiny negative eigenvalues.

        Parameters
        ----------
        matrix : array_like, shape (p, p)
            Symmetric or Hermitian to ``1e-10`` of its largest entry.

        Examples
        --------
        >>> Discrete.from_matrix([[2, 1], [1, 2]])
        Discrete([1, 3], [0.5, 0.5])
        """
        try:
            array = np.asarray(matrix)
        except (ValueError, TypeError):
            _validate.fail("matrix", "a square array of numbers", matrix)
        if array.dtype.kind not in "iufc":
            _validate.fail("matrix", "a square array of numbers", matrix)
        if array.ndim != 2 or array.shape[0] != array.shape[1] or array.size == 0:
            _validate.fail("matrix", "square and non-empty", f"shape {array.shape}")
        if not np.isfinite(array).all():
            _validate.fail("matrix", "finite", array[~np.isfinite(array)].flat[0].item())
        _validate.memory(3 * 16.0 * array.size, "matrix", array.shape)
        array = array.astype(np.complex128 if np.iscomplexobj(array) else np.float64)
        largest = float(np.max(np.abs(array)))
        gap = 2.0 * float(np.max(np.abs(array / 2 - array.conj().T / 2)))
        if gap > 1e-10 * largest:
            _validate.fail(
                "matrix", "symmetric or Hermitian", f"an asymmetry of {gap:.3g}", "pass (matrix + matrix.conj().T) / 2"
            )
        eigenvalues = np.linalg.eigvalsh(array / 2 + array.conj().T / 2)
        rounding = array.shape[0] * np.finfo(np.float64).eps * np.max(np.abs(eigenvalues))
        eigenvalues[np.abs(eigenvalues) <= rounding] = 0.0
        return cls(eigenvalues)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Discrete:
        """Atoms (and weights) from a text table or an ``.npy`` file.

        A text file has one atom a line, optionally followed by its weight, separated by a comma, semicolon, tab or
        blanks. A first line of names is allowed; a column named ``weight`` or ``weights`` then holds the weights,
        whichever place it has. Empty lines and what follows ``#`` are ignored. An ``.npy`` file holds an array of
        shape (n,) or (n, 2).

        Parameters
        ----------
        path : str or path-like
            File name; ``.npy`` is read as NumPy's format (pickles are refused), everything else as text.

        Raises
        ------
        ModelError
            The file is missing, malformed or holds wrong values; the message names file and line.
        """
        from ._table import read_atoms

        return read_atoms(cls, path)

    # ------------------------------------------------------------------ values
    @property
    def locations(self) -> Real:
        """Locations of the atoms, sorted, distinct, read-only."""
        return self._locations

    @property
    def weights(self) -> Real:
        """Their weights, positive, summing to one, read-only."""
        return self._weights

    @property
    def atoms(self) -> Atoms:
        """The whole law."""
        return Atoms(self._locations, self._weights)

    @property
    def edges(self) -> Real:
        """No bulks: empty."""
        return _validate.read_only(np.empty(0))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Discrete):
            return NotImplemented
        return np.array_equal(self._locations, other._locations) and np.array_equal(self._weights, other._weights)

    def __hash__(self) -> int:
        return hash((self._locations.tobytes(), self._weights.tobytes()))

    def __repr__(self) -> str:
        n = self._locations.size
        if n > 6:
            return f"Discrete({n} atoms in [{self._locations[0]:.6g}, {self._locations[-1]:.6g}])"
        show = [", ".join(f"{v:.6g}" for v in column) for column in (self._locations, self._weights)]
        return f"Discrete([{show[0]}], [{show[1]}])"

    # ------------------------------------------------------------------ transforms
    def _sums(self, z: Complex, power: int) -> Complex:
        """``sum_j w_j / (t_j - z)^power``, a block of points at a time."""
        out = np.empty(z.size, dtype=np.complex128)
        for block in _blocks(z.size, self._locations.size):
            inverse = 1.0 / (self._locations - z[block, None])
            out[block] = (inverse**power if power > 1 else inverse) @ self._weights
        return out

    def _stieltjes(self, z: Complex) -> Complex:
        return self._sums(z, 1)

    def _stieltjes_derivative(self, z: Complex) -> Complex:
        return self._sums(z, 2)

    def _stieltjes_precise(self, z: Precise, transform: Callable[[Measure, Precise], Precise]) -> Precise:
        at, mass = self.precise_atoms()
        m: Precise = (mass / (at - z[:, None])).sum(axis=1)
        return m

    def precise_atoms(self) -> tuple[Precise, Precise]:
        """Locations and weights as mpmath numbers; the weights are divided by the sum of the floats, so it is one."""
        import mpmath

        at, mass = (precise_array(map(mpmath.mpf, part.tolist())) for part in (self._locations, self._weights))
        return at, mass / mpmath.fsum(mass)

    def _cdf(self, x: Real) -> Real:
        padded = np.concatenate([[0.0], self._cumulative])
        return np.asarray(padded[np.searchsorted(self._locations, x, side="right")])

    def _quantile(self, q: Real) -> Real:
        return np.asarray(self._locations[np.searchsorted(self._cumulative, q, side="left")])

    def _moment(self, k: int) -> float:
        with np.errstate(over="ignore", under="ignore"):
            terms = self._weights * self._locations**k
        return math.fsum(terms) if np.isfinite(terms).all() else math.inf

    def _affine(self, factor: float, shift: float) -> Measure:
        return Discrete(factor * self._locations + shift, self._weights)


def _blocks(n_points: int, n_atoms: int) -> Iterator[slice]:
    step = max(1, _CHUNK // n_atoms)
    return (slice(start, start + step) for start in range(0, n_points, step))
