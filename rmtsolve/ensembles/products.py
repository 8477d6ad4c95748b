"""Products of Wishart matrices: singular values of products of independent rectangular Gaussian matrices."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate
from ..equations.products import WishartProductEquation
from ..equations.products_law import WishartProductLaw
from .base import Ensemble

Real = NDArray[np.float64]


@dataclass(frozen=True, init=False)
class WishartProduct(Ensemble):
    """``S = Y^T Y``, ``Y = X_k ... X_2 X_1``: X_i of shape (n_i, n_(i-1)), entries of variance 1/n_i, ``p/n_i -> c_i``.

    With ``w = -1 - z m(z)``, ``z = (1 + w)/w prod_i (1 + c_i w)``; one factor is Marchenko-Pastur, equal sizes give the
    Fuss-Catalan law with edge ``(k + 1)^(k+1) / k^k``.

    Parameters
    ----------
    ratios : array_like of float
        ``c_i = p/n_i > 0``, one a factor, in any order (the law does not depend on it); ``[1, 1]`` is the product of
        two square matrices.

    Raises
    ------
    DomainError
        No factor, more than 64, or a ratio that is not positive.

    References
    ----------
    R. Mueller, IEEE Trans. Inf. Theory 48 (2002) 2086; K. Penson, K. Zyczkowski, Phys. Rev. E 83 (2011) 061118.

    Examples
    --------
    >>> import rmtsolve as rmt
    >>> law = rmt.WishartProduct([1, 1]).law()
    >>> law.edges, round(law.density(1.8829172847388668), 12), [law.moment(k) for k in (1, 2, 3, 4)]
    (array([0.  , 6.75]), 0.099735395759, [1.0, 3.0, 12.0, 55.0])
    """

    ratios: tuple[float, ...]

    def __init__(self, ratios: ArrayLike) -> None:
        values = _validate.real_array(ratios, "ratios", ndim=1, low=0.0, open_low=True, remedy="they are p/n_i")
        if values.size > 64:
            _validate.fail("ratios", "at most 64 numbers", values.size)
        object.__setattr__(self, "ratios", tuple(float(c) for c in values))

    def equation(self) -> WishartProductEquation:
        """The self-consistent equation, with state ``-1/(1 + z m) + max(1, c_i)``."""
        return WishartProductEquation(np.array(self.ratios))

    def law(self) -> WishartProductLaw:
        """Limiting law of the eigenvalues of S."""
        return WishartProductLaw(self.equation(), repr(self))

    def samples(self, size: int) -> tuple[int, ...]:
        """The numbers of rows n_i that go with `size` columns: ``size / c_i`` rounded, at least 1."""
        size = _validate.integer(size, "size", low=1)
        _validate.memory(8.0 * size / min(self.ratios), "size", size)
        return tuple(max(1, round(size / c)) for c in self.ratios)

    def finite(self, size: int) -> WishartProduct:
        """The same model at the ratios that a matrix of this size has."""
        return WishartProduct([size / rows for rows in self.samples(size)])

    def sample(self, size: int, rng: np.random.Generator) -> Real:
        """One matrix S, shape (size, size)."""
        rows = self.samples(size)
        _validate.generator(rng)
        _validate.memory(8.0 * max(a * b for a, b in zip((size, *rows), rows, strict=False)), "size", size)
        product = rng.standard_normal((rows[0], size)) / np.sqrt(rows[0])
        for before, after in itertools.pairwise(rows):
            product = rng.standard_normal((after, before)) @ product / np.sqrt(after)
        return np.asarray(product.T @ product)
