"""Random matrices with a variance profile: Wigner type, rectangular, band."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate
from ..equations.dyson_law import DysonLaw
from ..equations.dyson_vector import RectangularDyson, VectorDyson
from .base import Ensemble
from .counts import apportion, symmetric_noise

Real = NDArray[np.float64]

_MOST_BLOCKS = 2000


@dataclass(frozen=True, init=False, eq=False, repr=False)
class VarianceProfile(Ensemble):
    """Real symmetric Gaussian matrix whose entries have block-constant variances ``variances[i, j] / size``.

    The transforms of the blocks solve ``-1/m_i = z - mean_i + sum_j variances_ij fractions_j m_j`` and
    ``m = sum_i fractions_i m_i``. Entries on the diagonal have twice the variance, as in `Wigner`.

    Parameters
    ----------
    variances : array_like, shape (n, n)
        Symmetric, non-negative.
    fractions : array_like, shape (n,), optional
        Fractions of rows in every block, positive, of sum 1; default equal blocks.
    mean : array_like, shape (n,), optional
        ``mean_i`` times the identity is added to block i.

    Raises
    ------
    DomainError
        A shape, sign or sum that is wrong, or variances that are not symmetric.

    References
    ----------
    O. Ajanki, L. Erdos, T. Kruger, Universality for general Wigner-type matrices, PTRF 169 (2017).

    Examples
    --------
    >>> law = VarianceProfile([[.5, 2], [2, .3]], fractions=[.6, .4]).law()
    >>> law.edges.round(6), round(law.density(1.0), 12)
    (array([-2.188679,  2.188679]), 0.256017274051)
    """

    variances: Real
    fractions: Real
    mean: Real

    def __init__(
        self, variances: ArrayLike, *, fractions: ArrayLike | None = None, mean: ArrayLike | None = None
    ) -> None:
        s = _profile(variances, "variances")
        n = s.shape[0]
        if s.shape[1] != n:
            _validate.fail("variances", "a square matrix", f"shape {s.shape}", "see RectangularProfile for others")
        if np.abs(s - s.T).max() > 1e-12 * s.max():
            worst = np.unravel_index(int(np.argmax(np.abs(s - s.T))), s.shape)
            where = f"{s[worst]:g} at {tuple(map(int, worst))} and {s.T[worst]:g} opposite"
            _validate.fail(
                "variances", "symmetric", where, "entries (i, j) and (j, i) of the matrix are the same number"
            )
        centre = np.zeros(n) if mean is None else _validate.real_array(mean, "mean", ndim=1)
        if centre.size != n:
            _validate.fail("mean", f"of length {n}, one number a block", centre.size)
        object.__setattr__(self, "variances", _validate.read_only(0.5 * (s + s.T)))
        object.__setattr__(self, "fractions", _fractions(fractions, "fractions", n))
        object.__setattr__(self, "mean", _validate.read_only(centre))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.fractions.size} blocks)"

    def equation(self) -> VectorDyson:
        """The vector Dyson equation."""
        return VectorDyson(self.mean, self.variances, self.fractions, name=repr(self))

    def law(self) -> DysonLaw:
        """Limiting law."""
        return DysonLaw(self.equation())

    def counts(self, size: int) -> NDArray[np.int64]:
        """Rows of every block in a matrix of this size."""
        return _counts(self.fractions, size, "size")

    def finite(self, size: int) -> VarianceProfile:
        """The profile with the fractions that a matrix of this size has."""
        return VarianceProfile(self.variances, fractions=self.counts(size) / size, mean=self.mean)

    def sample(self, size: int, rng: np.random.Generator) -> Real:
        """One matrix, shape (size, size)."""
        block = np.repeat(np.arange(self.fractions.size), self.counts(size))
        noise = symmetric_noise(size, _validate.generator(rng))
        noise *= np.sqrt(self.variances)[block[:, None], block]
        noise[np.diag_indices(size)] += self.mean[block]
        return noise


class BandMatrix(VarianceProfile):
    """Symmetric Gaussian band matrix: rows at relative positions x and y are tied if ``|x - y| <= width``.

    A band of the positions [0, 1] cut into equal blocks; a pair of blocks gets the share of it that lies in the band,
    so that the profile is ``variance / (2 width)`` inside and 0 outside, and linear across its border.

    Parameters
    ----------
    width : float
        Half-width of the band relative to the size, in (0, 1/2].
    variance : float
        > 0; sum of the variances along a row away from the corners.
    blocks : int
        Number of blocks, 2 to 500.
    periodic : bool
        Whether the band is closed to a ring; every row then has the same sum, and the law is a semicircle.

    Examples
    --------
    >>> BandMatrix(0.1, blocks=20, periodic=True).law().edges.round(9)
    array([-2.,  2.])
    """

    def __init__(self, width: float, *, variance: float = 1.0, blocks: int = 40, periodic: bool = False) -> None:
        half = _validate.real(width, "width", low=0.0, high=0.5, open_low=True)
        total = _validate.positive(variance, "variance")
        n = _validate.integer(blocks, "blocks", low=2, high=500)
        if not isinstance(periodic, (bool, np.bool_)):
            _validate.fail("periodic", "True or False", periodic)
        offset = np.abs(np.arange(n)[:, None] - np.arange(n))
        if periodic:
            offset = np.minimum(offset, n - offset)
        distance = offset / n
        share = _overlap(distance, half, 1.0 / n)
        if periodic:  # a block may meet the band on both sides of the ring
            share = np.minimum(share + _overlap(1.0 - distance, half, 1.0 / n), 1.0)
        super().__init__(share * (total / (2.0 * half)))

    def finite(self, size: int) -> VarianceProfile:
        """The profile with the fractions that a matrix of this size has."""
        return VarianceProfile(self.variances, fractions=self.counts(size) / size)


@dataclass(frozen=True, init=False, eq=False, repr=False)
class RectangularProfile(Ensemble):
    """``X^T X / n`` for an n x p Gaussian X whose entries have block-constant variances ``variances[a, b]``.

    With ``m_b`` for blocks of columns and ``k_a`` for blocks of rows,

        -1/(z m_b) = 1 + sum_a row_fractions_a variances_ab k_a,
        -1/(z k_a) = 1 + ratio sum_b column_fractions_b variances_ab m_b,      m = sum_b column_fractions_b m_b.

    Parameters
    ----------
    variances : array_like, shape (row blocks, column blocks)
        Non-negative.
    ratio : float
        ``p / n`` > 0.
    row_fractions, column_fractions : array_like, optional
        Fractions of rows and columns in every block, positive, of sum 1; default equal blocks.

    Raises
    ------
    DomainError
        A shape, sign or sum that is wrong.

    References
    ----------
    W. Hachem, P. Loubaton, J. Najim, Ann. Appl. Probab. 17 (2007) 875.

    Examples
    --------
    >>> RectangularProfile([[1.0]], ratio=0.25).law().edges.round(12)  # Marchenko-Pastur
    array([0.25, 2.25])
    """

    variances: Real
    ratio: float
    row_fractions: Real
    column_fractions: Real

    def __init__(
        self,
        variances: ArrayLike,
        ratio: float,
        *,
        row_fractions: ArrayLike | None = None,
        column_fractions: ArrayLike | None = None,
    ) -> None:
        s = _profile(variances, "variances")
        object.__setattr__(self, "variances", _validate.read_only(s))
        object.__setattr__(self, "ratio", _validate.positive(ratio, "ratio", "it is p/n, columns over rows"))
        object.__setattr__(self, "row_fractions", _fractions(row_fractions, "row_fractions", s.shape[0]))
        object.__setattr__(self, "column_fractions", _fractions(column_fractions, "column_fractions", s.shape[1]))

    def __repr__(self) -> str:
        return f"RectangularProfile({' x '.join(map(str, self.variances.shape))} blocks, ratio={self.ratio:g})"

    def equation(self) -> RectangularDyson:
        """The pair of vector equations."""
        return RectangularDyson(self.variances, self.row_fractions, self.column_fractions, self.ratio, name=repr(self))

    def law(self) -> DysonLaw:
        """Limiting law."""
        return DysonLaw(self.equation())

    def samples(self, size: int) -> int:
        """Number of rows n of X for p = size columns."""
        size = _validate.integer(size, "size", low=self.column_fractions.size)
        return max(self.row_fractions.size, round(size / self.ratio))

    def finite(self, size: int) -> RectangularProfile:
        """The profile with the ratio and fractions that a matrix of this size has."""
        rows = self.samples(size)
        return RectangularProfile(
            self.variances, size / rows,
            row_fractions=_counts(self.row_fractions, rows, "size") / rows,
            column_fractions=_counts(self.column_fractions, size, "size") / size,
        )  # fmt: skip

    def sample(self, size: int, rng: np.random.Generator) -> Real:
        """One matrix ``X^T X / n``, shape (size, size)."""
        rows = self.samples(size)
        _validate.generator(rng)
        _validate.memory(8.0 * float(size) * (2.0 * rows + 2.0 * size), "size", size)
        above = np.repeat(np.arange(self.row_fractions.size), _counts(self.row_fractions, rows, "size"))
        across = np.repeat(np.arange(self.column_fractions.size), _counts(self.column_fractions, size, "size"))
        x = rng.standard_normal((rows, size)) * np.sqrt(self.variances)[above[:, None], across]
        return x.T @ x / rows


def _profile(value: Any, name: str) -> Real:
    """A non-negative matrix, not all zero."""
    s = _validate.real_array(value, name, ndim=2, low=0.0)
    if not s.any():
        _validate.fail(name, "not all zero", value)
    if max(s.shape) > _MOST_BLOCKS:
        _validate.fail(name, f"at most {_MOST_BLOCKS} blocks a side", f"shape {s.shape}")
    return s


def _fractions(value: Any, name: str, n: int) -> Real:
    """Positive fractions of sum one."""
    if value is None:
        return _validate.read_only(np.full(n, 1.0 / n))
    fractions = _validate.probabilities(value, name, n)
    if not (fractions > 0.0).all():
        _validate.fail(name, "positive", float(fractions.min()), "leave the block out")
    return _validate.read_only(fractions)


def _counts(fractions: Real, size: int, name: str) -> NDArray[np.int64]:
    """Rows of every block, at least one each."""
    size = _validate.integer(size, name, low=fractions.size)
    counts = apportion(fractions, size)
    if counts.min() < 1:
        least = int(np.ceil(1.0 / fractions.min()))
        _validate.fail(name, "large enough for a row in every block", size, f"take {least} or more")
    return counts


def _overlap(distance: Real, half: float, block: float) -> Real:
    """Share of the pairs (x, y) of two blocks with ``|x - y| <= half``; block centres are `distance` apart.

    ``x - y - distance`` has a triangular density on [-block, block], whose distribution function is `below`.
    """

    def below(t: Real) -> Real:
        u = np.clip(t / block, -1.0, 1.0)
        return np.where(u < 0.0, 0.5 * (1.0 + u) ** 2, 1.0 - 0.5 * (1.0 - u) ** 2)

    return np.asarray(below(half - distance) - below(-half - distance))
