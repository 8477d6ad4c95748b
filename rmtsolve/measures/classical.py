"""The named laws of random-matrix theory, in closed form.

Their transforms solve a quadratic equation; the formulas are in `_quadratic`, and each class here only states its
parameters and the numbers of that form. Differences such as ``1 - sqrt(ratio)`` are always formed as
``(1 - ratio) / (1 + sqrt(ratio))``, so that edges keep full relative accuracy near a hard edge.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _validate
from ._precise import ExactQuadratic, Polynomials
from ._quadratic import Form, Root
from .base import NO_ATOMS, Atoms, Measure


def store(measure: object, **values: float) -> None:
    """Store validated parameters in a frozen dataclass."""
    for name, value in values.items():
        object.__setattr__(measure, name, value)


def _power(base: float, k: int) -> float:
    """``base^k``, infinite instead of an OverflowError."""
    try:
        return base**k
    except OverflowError:
        return math.inf


def _check_width(form: Form, name: str, value: float) -> None:
    """Refuse laws whose bulk is narrower than the spacing of floating-point numbers."""
    if not (form.left < form.right < math.inf):
        _validate.fail(
            name, "such that the two edges differ in double precision", value, "use Discrete for a point mass"
        )


def _atoms(*pairs: tuple[float, float]) -> Atoms:
    """The pairs (location, weight) of positive weight, sorted by location."""
    kept = [pair for pair in pairs if pair[1] > 0]
    if not kept:
        return NO_ATOMS
    locations, weights = zip(*kept, strict=True)
    return Atoms(_validate.read_only(np.array(locations)), _validate.read_only(np.array(weights)))


@dataclass(frozen=True)
class Semicircle(ExactQuadratic):
    """Wigner's semicircle law, density ``sqrt(4 variance - (x - mean)^2) / (2 pi variance)``.

    Parameters
    ----------
    variance : float
        Positive; the edges are ``mean -+ 2 sqrt(variance)``.
    mean : float
        Centre of the law.

    References
    ----------
    E. Wigner, Ann. Math. 67 (1958) 325.

    Examples
    --------
    >>> law = Semicircle()
    >>> law.edges.tolist(), law.moment(6)
    ([-2.0, 2.0], 5.0)
    >>> law.stieltjes(2.5)
    (-0.5+0j)
    """

    variance: float = 1.0
    mean: float = 0.0

    def __post_init__(self) -> None:
        store(self, variance=_validate.positive(self.variance, "variance"), mean=_validate.real(self.mean, "mean"))
        _check_width(self._form, "variance", self.variance)

    @staticmethod
    def _polynomials(variance: Any, mean: Any) -> Polynomials:
        return Polynomials(mean, -1.0, 2.0, 2.0 * variance)

    def _make_form(self) -> Form:
        reach = 2.0 * math.sqrt(self.variance)
        return Form(
            self.mean - reach, self.mean + reach, 2.0 * reach, self.mean,
            *self._polynomials(self.variance, self.mean)[:4], roots=(),
        )  # fmt: skip

    def _free_cumulant(self, k: int) -> float:
        return {1: self.mean, 2: self.variance}.get(k, 0.0)

    def _affine(self, factor: float, shift: float) -> Measure:
        return Semicircle(self.variance * factor**2, self.mean * factor + shift)


@dataclass(frozen=True)
class MarchenkoPastur(ExactQuadratic):
    """Limit law of ``X^T X / n``, X of shape (n, p) with independent entries of the given variance, ``ratio = p/n``.

    With v the variance and ``a, b = v (1 -+ sqrt(ratio))^2``, the density is
    ``sqrt((b - x)(x - a)) / (2 pi ratio v x)``; for ``ratio > 1`` there is an atom ``1 - 1/ratio`` at zero, for
    ``ratio = 1`` the lower edge is hard (density ``~ x^(-1/2)``).

    Parameters
    ----------
    ratio : float
        Positive, ``p/n``.
    variance : float
        Positive.

    References
    ----------
    V. Marchenko, L. Pastur, Math. USSR Sb. 1 (1967) 457.

    Examples
    --------
    >>> law = MarchenkoPastur(0.25)
    >>> law.edges.tolist(), law.moment(2)
    ([0.25, 2.25], 1.25)
    >>> MarchenkoPastur(4.0).atoms.weights.tolist()
    [0.75]
    """

    ratio: float
    variance: float = 1.0

    def __post_init__(self) -> None:
        remedy = "it is p/n, features over samples"
        store(
            self, ratio=_validate.positive(self.ratio, "ratio", remedy),
            variance=_validate.positive(self.variance, "variance"),
        )  # fmt: skip
        _check_width(self._form, "ratio", self.ratio)

    @staticmethod
    def _polynomials(ratio: Any, variance: Any) -> Polynomials:
        return Polynomials(variance * (1.0 - ratio), -1.0, 2.0, 2.0 * ratio * variance, (0.0,))

    def _make_form(self) -> Form:
        c, v = self.ratio, self.variance
        root = math.sqrt(c)
        left, right = v * ((1.0 - c) / (1.0 + root)) ** 2, v * (1.0 + root) ** 2
        return Form(
            left, right, 4.0 * v * root, v, *self._polynomials(c, v)[:4], roots=(Root(0.0, left, right),),
        )  # fmt: skip

    @property
    def atoms(self) -> Atoms:
        """The mass ``1 - 1/ratio`` at zero when ratio > 1."""
        return _atoms((0.0, (self.ratio - 1.0) / self.ratio))

    def _free_cumulant(self, k: int) -> float:
        return _power(self.ratio * self.variance, k) / self.ratio

    def _affine(self, factor: float, shift: float) -> Measure | None:
        return MarchenkoPastur(self.ratio, self.variance * factor) if factor > 0 and shift == 0 else None


@dataclass(frozen=True)
class FreePoisson(ExactQuadratic):
    """Free Poisson law: all its free cumulants are ``rate * jump^k``.

    With ``a, b = jump (1 -+ sqrt(rate))^2`` the density is ``sqrt((b - x)(x - a)) / (2 pi jump x)``, and for
    ``rate < 1`` there is an atom ``1 - rate`` at zero. ``MarchenkoPastur(c, v)`` is ``FreePoisson(1/c, c v)``.

    Parameters
    ----------
    rate : float
        Positive.
    jump : float
        Any non-zero real; a negative jump gives a law on the negative half-line.

    Examples
    --------
    >>> FreePoisson(4.0, -1.0).edges.tolist()
    [-9.0, -1.0]
    >>> FreePoisson(2.0).moment(3)
    22.0
    """

    rate: float
    jump: float = 1.0

    def __post_init__(self) -> None:
        store(self, rate=_validate.positive(self.rate, "rate"), jump=_validate.real(self.jump, "jump"))
        if self.jump == 0.0:
            _validate.fail("jump", "a non-zero real number", self.jump, "use Discrete([0]) for the point mass at 0")
        _check_width(self._form, "rate", self.rate)

    @staticmethod
    def _polynomials(rate: Any, jump: Any) -> Polynomials:
        return Polynomials(jump * (rate - 1.0), -1.0, 2.0, 2.0 * jump, (0.0,))

    def _make_form(self) -> Form:
        root = math.sqrt(self.rate)
        left, right = sorted((self.jump * ((1.0 - self.rate) / (1.0 + root)) ** 2, self.jump * (1.0 + root) ** 2))
        return Form(
            left, right, 4.0 * abs(self.jump) * root, self.rate * self.jump,
            *self._polynomials(self.rate, self.jump)[:4], roots=(Root(0.0, left, right),),
        )  # fmt: skip

    @property
    def atoms(self) -> Atoms:
        """The mass ``1 - rate`` at zero when rate < 1."""
        return _atoms((0.0, 1.0 - self.rate))

    def _free_cumulant(self, k: int) -> float:
        return self.rate * _power(self.jump, k)

    def _affine(self, factor: float, shift: float) -> Measure | None:
        return FreePoisson(self.rate, self.jump * factor) if shift == 0 else None


@dataclass(frozen=True)
class Wachter(ExactQuadratic):
    """Limit law of the F-matrix ``(Y^T Y / n2)^(-1) X^T X / n1``, X of shape (n1, p), Y of shape (n2, p), white.

    With ``c1 = p/n1``, ``c2 = p/n2``, ``h^2 = c1 + c2 - c1 c2`` and ``a, b = ((1 -+ h) / (1 - c2))^2``, the density is
    ``(1 - c2) sqrt((b - x)(x - a)) / (2 pi x (c1 + c2 x))``; for ``c1 > 1`` there is an atom ``1 - 1/c1`` at zero.

    Parameters
    ----------
    c1 : float
        Positive, features over samples of the numerator.
    c2 : float
        In (0, 1), features over samples of the inverted matrix.

    See Also
    --------
    Jacobi : the same matrices in the form ``A (A + B)^(-1)``.

    References
    ----------
    K. Wachter, Ann. Statist. 8 (1980) 937; Z. Bai, J. Silverstein, Spectral Analysis of Large Dimensional Random
    Matrices (2010), section 4.4.

    Examples
    --------
    >>> Wachter(0.5, 0.2).edges
    array([0.07938541, 4.92061459])
    >>> Wachter(0.5, 0.2).moment(1)
    1.25
    """

    c1: float
    c2: float

    def __post_init__(self) -> None:
        store(
            self, c1=_validate.positive(self.c1, "c1", "it is p/n1, features over samples"),
            c2=_validate.real(self.c2, "c2", low=0.0, high=1.0, open_low=True, open_high=True,
                              remedy="it is p/n2 of the matrix that is inverted; Jacobi has no such limit"),
        )  # fmt: skip
        _check_width(self._form, "c1", self.c1)

    @staticmethod
    def _polynomials(c1: Any, c2: Any) -> Polynomials:
        rest = 1.0 - c2
        return Polynomials((1.0 - c1) / rest, -(1.0 + c2) / rest, 2.0 / rest, 2.0 * c2 / rest, (0.0, -(c1 / c2)))

    def _make_form(self) -> Form:
        c1, c2 = self.c1, self.c2
        h = math.sqrt(c1 * (1.0 - c2) + c2)
        left, right = ((1.0 - c1) / (1.0 + h)) ** 2, ((1.0 + h) / (1.0 - c2)) ** 2
        pole = c1 / c2
        return Form(
            left, right, 4.0 * h / (1.0 - c2) ** 2, 1.0 / (1.0 - c2), *self._polynomials(c1, c2)[:4],
            roots=(Root(0.0, left, right), Root(-pole, left + pole, right + pole)),
        )  # fmt: skip

    @property
    def atoms(self) -> Atoms:
        """The mass ``1 - 1/c1`` at zero when c1 > 1."""
        return _atoms((0.0, (self.c1 - 1.0) / self.c1))


@dataclass(frozen=True)
class Jacobi(ExactQuadratic):
    """Limit law of ``A (A + B)^(-1)``, A and B independent white Wishart matrices (MANOVA, free beta law).

    ``A = X^T X`` with X of shape (n1, p), ``B = Y^T Y`` with Y of shape (n2, p), ``c1 = p/n1``, ``c2 = p/n2``. With
    ``h^2 = c1 + c2 - c1 c2 > 0`` and ``a, b = c2 ((h -+ c1) / (c1 + c2))^2`` the density is
    ``(1/c1 + 1/c2) sqrt((b - x)(x - a)) / (2 pi x (1 - x))``. There are atoms ``1 - 1/c1`` at zero when c1 > 1 and
    ``1 - 1/c2`` at one when c2 > 1. If f has the law ``Wachter(c1, c2)``, ``c2 f / (c1 + c2 f)`` has this law.

    Parameters
    ----------
    c1, c2 : float
        Positive, with ``1/c1 + 1/c2 > 1`` (so that A + B is invertible).

    References
    ----------
    K. Wachter, Ann. Statist. 8 (1980) 937; B. Collins, Probab. Theory Relat. Fields 133 (2005) 315.

    Examples
    --------
    >>> law = Jacobi(1.0, 1.0)                 # arcsine law on [0, 1]
    >>> law.edges.tolist(), law.cdf(0.25)
    ([0.0, 1.0], 0.333...)
    >>> Jacobi(2.0, 0.5).atoms
    Atoms(locations=array([0.]), weights=array([0.5]))
    """

    c1: float
    c2: float

    def __post_init__(self) -> None:
        store(self, c1=_validate.positive(self.c1, "c1"), c2=_validate.positive(self.c2, "c2"))
        if self.c1 + self.c2 * (1.0 - self.c1) <= 0.0:
            _validate.fail(
                "c1, c2", "such that 1/c1 + 1/c2 > 1", (self.c1, self.c2), "otherwise A + B is not invertible"
            )
        _check_width(self._form, "c1", self.c1)

    @staticmethod
    def _polynomials(c1: Any, c2: Any) -> Polynomials:
        total = c1 + c2
        share, square = c1 * c2 / total, c1 + c2 * (1.0 - c1)
        return Polynomials((1.0 - c1) * c2 / total, 2.0 * share - 1.0, 2.0 * square / total, -2.0 * share, (0.0, 1.0))

    def _make_form(self) -> Form:
        c1, c2 = self.c1, self.c2
        total = c1 + c2
        square = c1 + c2 * (1.0 - c1)
        h = math.sqrt(square)
        # distances of the edges from 0 and from 1
        left, right = c2 * ((1.0 - c1) / (h + c1)) ** 2, c2 * ((h + c1) / total) ** 2
        from_left, from_right = c1 * ((h + c2) / total) ** 2, c1 * ((1.0 - c2) / (h + c2)) ** 2
        share = c1 * c2 / total
        return Form(
            left if left < 0.5 else 1.0 - from_left, right if right < 0.5 else 1.0 - from_right,
            4.0 * h * share / total, c2 / total, *self._polynomials(c1, c2)[:4],
            roots=(Root(0.0, left, right), Root(1.0, -from_left, -from_right)),
        )  # fmt: skip

    @property
    def atoms(self) -> Atoms:
        """The masses ``1 - 1/c1`` at zero (c1 > 1) and ``1 - 1/c2`` at one (c2 > 1)."""
        return _atoms((0.0, (self.c1 - 1.0) / self.c1), (1.0, (self.c2 - 1.0) / self.c2))


@dataclass(frozen=True)
class Kesten(ExactQuadratic):
    """Kesten-McKay law: spectrum of the adjacency matrix of the infinite regular tree.

    Density ``d sqrt(4 (d - 1) - x^2) / (2 pi (d^2 - x^2))``, d the degree; limit of the (unnormalised) adjacency
    matrix of random d-regular graphs. Degree 2 is the arcsine law on [-2, 2].

    Parameters
    ----------
    degree : float
        At least 2; for real degrees it is the law of the free convolution power ``degree / 2`` of that arcsine law.

    References
    ----------
    H. Kesten, Trans. AMS 92 (1959) 336; B. McKay, Linear Algebra Appl. 40 (1981) 203.

    Examples
    --------
    >>> Kesten(3).edges
    array([-2.82842712,  2.82842712])
    >>> [round(Kesten(3).moment(k), 9) for k in (2, 4)]            # closed walks on the tree
    [3.0, 15.0]
    """

    degree: float

    def __post_init__(self) -> None:
        store(self, degree=_validate.real(self.degree, "degree", low=2.0))
        _check_width(self._form, "degree", self.degree)

    @staticmethod
    def _polynomials(degree: Any) -> Polynomials:
        d = degree
        return Polynomials(0.0, -(d - 2.0) / d, 2.0 * (d - 1.0) / d, -2.0 / d, (-d, d))

    def _make_form(self) -> Form:
        d = self.degree
        edge = 2.0 * math.sqrt(d - 1.0)
        gap, reach = (d - 2.0) * ((d - 2.0) / (d + edge)), d + edge
        return Form(
            -edge, edge, 2.0 * edge, 0.0, *self._polynomials(d)[:4],
            roots=(Root(-d, gap, reach), Root(d, -reach, -gap)),
        )  # fmt: skip
