"""Spikes in general position over any bulk: sums, products and rectangular matrices.

The bulk is a rotation-invariant matrix of law mu, with transform m, and the spikes come with random directions. A spike
makes one eigenvalue in every gap of mu where its equation has a solution:

===========  =======================================  ==================================  ========================
model        matrix                                   equation in a gap                   squared overlap
===========  =======================================  ==================================  ========================
sum          ``B + l v v^T``                          ``m(x) = -1/l``                     ``1 / (l^2 m')``
product      ``P^(1/2) B P^(1/2)``,                   ``t(x) = 1/(l-1)``,                 ``m / ((l-1) t')``
             ``P = 1 + (l-1) v v^T``                  ``t = -1 - x m``
rectangular  ``X^T X``, ``X = N + l u v^T``           ``D(x) = x m m_ = 1/l^2``           right ``m / (l^2 D')``,
                                                                                          left ``m_ / (l^2 D')``
===========  =======================================  ==================================  ========================

with m_ the transform of ``N N^T``. In a gap m and m_ increase, t decreases, and D falls where both transforms are
negative and rises where both are positive. Variances are those of the quadratic forms in the random directions.

Source: derived; F. Benaych-Georges, R. Nadakuditi, Adv. Math. 227 (2011) and J. Multivariate Anal. 111 (2012).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate
from ..equations.base import Equation
from ..equations.known import KnownLaw
from ..measures.base import Measure
from ..measures.classical import MarchenkoPastur
from ..measures.transforms import companion
from .counts import as_population, finite_population
from .spike_base import Planted, SpikedEnsemble, Window, checked_spikes, random_directions

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]

_NUDGE = 1e-14  # of the size of the law: how close to an edge an eigenvalue is looked for


class _OverBulk(SpikedEnsemble):
    """A spiked model that is given by the law of its bulk."""

    bulk: Measure

    def law(self) -> Measure:
        """The law of the bulk; spikes have no mass in the limit."""
        return self.bulk

    def equation(self) -> Equation:
        """The equation of the bulk; of a law that has none the trivial one, ``m = m_bulk(z)``."""
        own = getattr(self.bulk, "equation", None)
        return own if isinstance(own, Equation) else KnownLaw(self.bulk)

    def _at(self, x: float) -> tuple[float, float]:
        """m and m' of the bulk at a real point off its support."""
        return at_real(self.bulk, x)

    def _pieces(self, *extra: float) -> list[tuple[float, float]]:
        """The gaps of the bulk, cut at its atoms and at the extra points."""
        holes = [
            *map(tuple, self.bulk.support.tolist()),
            *((x, x) for x in (*self.bulk.atoms.locations.tolist(), *extra)),
        ]
        pieces, left = [], -np.inf
        for low, high in sorted(holes):
            if low > left:
                pieces.append((left, low))
            left = max(left, high)
        return [*pieces, (left, np.inf)]

    def _end(self, function: Callable[[float], float], x: float, other: float) -> float:
        """Limit of a monotone function at the end x of a piece; infinite at a pole."""
        value = function(x)
        if np.isfinite(value) and x not in self.bulk.atoms.locations:
            return value
        scale = abs(x) or min(abs(other), 1.0)
        near = function(x + 1e-9 * scale * (1.0 if other > x else -1.0))
        return float(np.copysign(np.inf, near))


@dataclass(frozen=True, init=False)
class SpikedSum(_OverBulk):
    """``B + sum_i l_i v_i v_i^T``: B of the given law in general position to the directions v_i.

    Parameters
    ----------
    bulk : Measure or array_like
        Law of B, of bounded support.
    spikes : array_like of float
        The l_i, not 0. One spike may make an outlier in several gaps of the bulk.

    Notes
    -----
    `variance` is that of ``sqrt(size) (eigenvalue - location)`` for real uniform directions,
    ``2 (m' - m^2) / m'^2``.

    References
    ----------
    F. Benaych-Georges, R. Nadakuditi, Adv. Math. 227 (2011) 494.

    Examples
    --------
    >>> import rmtsolve as rmt
    >>> model = rmt.SpikedSum(rmt.Semicircle(), spikes=[2.0])         # the same as SpikedWigner(spikes=[2.0])
    >>> one = model.outliers()[0]
    >>> round(one.location, 12), round(one.overlap, 12), round(one.variance, 12)
    (2.5, 0.75, 1.5)
    """

    bulk: Measure
    spikes: tuple[float, ...]

    def __init__(self, bulk: Measure | ArrayLike, spikes: ArrayLike = ()) -> None:
        object.__setattr__(self, "bulk", as_population(bulk, "bulk"))
        rule = "a spike 0 changes nothing"
        object.__setattr__(self, "spikes", checked_spikes(spikes, low=-np.inf, rule=rule, forbidden=0.0))

    def sample(self, size: int, rng: np.random.Generator) -> Real:
        """One matrix, shape (size, size)."""
        return self.sample_planted(size, rng)[0]

    def sample_planted(self, size: int, rng: np.random.Generator) -> tuple[Real, Real]:
        """One matrix with B diagonal, and its directions v_i, shape (size, spikes)."""
        size = self._check_size(size)
        _validate.memory(3 * 8.0 * size * size, "size", size)
        v = random_directions(size, len(self.spikes), _validate.generator(rng))
        return np.diag(finite_population(self.bulk, size)) + (v * np.array(self.spikes)) @ v.T, v

    def _windows(self) -> tuple[Window, ...]:
        out = []
        for left, right in self._pieces():
            low = 0.0 if left == -np.inf else self._end(lambda x: self._at(x)[0], left, right)
            high = 0.0 if right == np.inf else self._end(lambda x: self._at(x)[0], right, left)
            if low < 0.0:
                out.append(Window(-1.0 / low, -1.0 / high if high < 0.0 else np.inf, left, right))
            if high > 0.0:
                out.append(Window(-1.0 / low if low > 0.0 else -np.inf, -1.0 / high, left, right))
        return tuple(out)

    def _plant(self, spikes: Real, windows: list[Window]) -> Planted:
        x = np.array(
            [
                # the default binds the loop variable; mypy infers no type for such a lambda (here and below)
                monotone_root(lambda x, level=-1.0 / spike: self._at(x)[0] - level, window.left, window.right)  # type: ignore[misc]
                for spike, window in zip(spikes, windows, strict=True)
            ]
        )
        m, slope = np.array([self._at(point) for point in x]).T
        return Planted(x, (1.0 / (spikes**2 * slope))[None], 2.0 * (slope - m**2) / slope**2)

    def _recover(self, locations: Real) -> Real:
        m = np.array([self._at(x)[0] for x in locations])
        with np.errstate(divide="ignore"):
            return np.where(m == 0.0, np.nan, -1.0 / m)


@dataclass(frozen=True, init=False)
class SpikedProduct(_OverBulk):
    """``P^(1/2) B P^(1/2)``, ``P = 1 + sum_i (l_i - 1) v_i v_i^T``: B >= 0 of the given law, v_i in general position.

    With B a white sample covariance this is `SpikedCovariance` over H = {1}.

    Parameters
    ----------
    bulk : Measure or array_like
        Law of B on [0, inf), of bounded support.
    spikes : array_like of float
        The l_i > 0, not 1. One spike may make an outlier in several gaps of the bulk.

    Notes
    -----
    `variance` is that of ``sqrt(size) (eigenvalue - location)`` for real uniform directions.

    References
    ----------
    F. Benaych-Georges, R. Nadakuditi, Adv. Math. 227 (2011) 494.

    Examples
    --------
    >>> import rmtsolve as rmt
    >>> one = rmt.SpikedProduct(rmt.MarchenkoPastur(.5), spikes=[4.0]).outliers()[0]
    >>> round(one.location, 12), round(one.overlap, 12)
    (4.666666666667, 0.809523809524)
    """

    bulk: Measure
    spikes: tuple[float, ...]

    def __init__(self, bulk: Measure | ArrayLike, spikes: ArrayLike = ()) -> None:
        law = as_population(bulk, "bulk", positive=True)
        object.__setattr__(self, "bulk", law)
        rule = "they are eigenvalues of P, and 1 changes nothing"
        object.__setattr__(self, "spikes", checked_spikes(spikes, low=0.0, rule=rule, forbidden=1.0))

    def sample(self, size: int, rng: np.random.Generator) -> Real:
        """One matrix, shape (size, size)."""
        return self.sample_planted(size, rng)[0]

    def sample_planted(self, size: int, rng: np.random.Generator) -> tuple[Real, Real]:
        """One matrix with B diagonal, and its directions v_i, shape (size, spikes)."""
        size = self._check_size(size)
        _validate.memory(3 * 8.0 * size * size, "size", size)
        v = random_directions(size, len(self.spikes), _validate.generator(rng))
        root = np.eye(size) + (v * (np.sqrt(self.spikes) - 1.0)) @ v.T
        matrix = (root * finite_population(self.bulk, size)) @ root
        return 0.5 * (matrix + matrix.T), v

    def _ratio(self, x: float) -> float:
        return -1.0 - x * self._at(x)[0]

    def _windows(self) -> tuple[Window, ...]:
        out = []
        for left, right in self._pieces(0.0):
            if right <= 0.0:
                continue
            high = self._end(self._ratio, left, right) if left != 0.0 else self._at_zero()
            low = 0.0 if right == np.inf else self._end(self._ratio, right, left)
            if low < -1.0:
                first = 1.0 + 1.0 / high if high < -1.0 else 0.0
                out.append(Window(first, 1.0 + 1.0 / low, left, right))
            if high > 0.0:
                out.append(Window(1.0 + 1.0 / high, 1.0 + 1.0 / low if low > 0.0 else np.inf, left, right))
        # the eigenvalue falls with t, so that the window of spikes above 1 is left of the other one in the same piece
        return tuple(sorted(out, key=lambda w: (w.left, -w.low)))

    def _at_zero(self) -> float:
        """Limit of t at 0 from the right: an atom of mass h there leaves ``-1 + h``."""
        at, mass = self.bulk.atoms
        return -1.0 + float(mass[at == 0.0].sum())

    def _plant(self, spikes: Real, windows: list[Window]) -> Planted:
        x = np.array(
            [
                monotone_root(lambda x, level=1.0 / (spike - 1.0): self._ratio(x) - level, window.left, window.right)  # type: ignore[misc]
                for spike, window in zip(spikes, windows, strict=True)
            ]
        )
        m, slope = np.array([self._at(point) for point in x]).T
        rate, second = -m - x * slope, 1.0 + 2.0 * x * m + x**2 * slope
        return Planted(x, (m / ((spikes - 1.0) * rate))[None], 2.0 * (second - (1.0 + x * m) ** 2) / rate**2)

    def _recover(self, locations: Real) -> Real:
        with np.errstate(divide="ignore"):
            spikes = 1.0 + 1.0 / np.array([self._ratio(x) for x in locations])
        return np.where((spikes > 0.0) & np.isfinite(spikes) & (locations > 0.0), spikes, np.nan)


@dataclass(frozen=True, init=False)
class SpikedRectangular(_OverBulk):
    """``S = X^T X``, ``X = N + sum_i l_i u_i v_i^T`` of shape (n, p): N of given singular values in general position.

    Parameters
    ----------
    ratio : float
        ``p/n > 0``.
    spikes : array_like of float
        Singular values l_i > 0 of the low-rank part. One spike may make an outlier in several gaps.
    bulk : Measure or array_like, optional
        Law of the p eigenvalues of ``N^T N``; by default entries of N are independent of variance 1/n
        (``MarchenkoPastur(ratio)``). For ratio > 1 it has mass at least ``1 - 1/ratio`` at zero.

    Notes
    -----
    An outlier's `overlap` holds the squared cosines of the right singular vector with v (R^p) and of the left one with
    u (R^n). White noise: ``(1 + l^2)(ratio + l^2)/l^2`` for ``l > ratio^(1/4)``. `variance` is that of
    ``sqrt(n) (eigenvalue - location)`` for real Gaussian noise, or real uniform directions.

    References
    ----------
    F. Benaych-Georges, R. Nadakuditi, J. Multivariate Anal. 111 (2012) 120.

    Examples
    --------
    >>> import rmtsolve as rmt
    >>> one = rmt.SpikedRectangular(ratio=.5, spikes=[1.5]).outliers()[0]
    >>> round(one.location, 12), tuple(round(x, 12) for x in one.overlap)
    (3.972222222222, (0.737373737374, 0.623931623932))
    """

    ratio: float
    spikes: tuple[float, ...]
    bulk: Measure

    def __init__(self, ratio: float, spikes: ArrayLike = (), bulk: Measure | ArrayLike | None = None) -> None:
        object.__setattr__(self, "ratio", _validate.positive(ratio, "ratio", "it is p/n"))
        law = MarchenkoPastur(self.ratio) if bulk is None else as_population(bulk, "bulk", positive=True)
        companion(law, self.ratio)  # refuses a law that is none of a p x p matrix of rank n
        object.__setattr__(self, "bulk", law)
        object.__setattr__(self, "spikes", checked_spikes(spikes, low=0.0, rule="they are singular values"))

    def samples(self, size: int) -> int:
        """Number n of rows that goes with `size` columns: ``size / ratio`` rounded, at least as many as spikes."""
        size = self._check_size(size)
        _validate.memory(8.0 * size / self.ratio, "size", size)
        return max(1, len(self.spikes), round(size / self.ratio))

    def finite(self, size: int) -> SpikedRectangular:
        """The same model at the ratio that a matrix of this size has, where the bulk is white."""
        if not self._white:
            return self
        assert isinstance(self.bulk, MarchenkoPastur)
        ratio = size / self.samples(size)
        return SpikedRectangular(ratio, self.spikes, MarchenkoPastur(ratio, self.bulk.variance))

    def sample(self, size: int, rng: np.random.Generator) -> Real:
        """One matrix S, shape (size, size)."""
        x = self.sample_planted(size, rng)[0]
        return np.asarray(x.T @ x)

    def sample_planted(self, size: int, rng: np.random.Generator) -> tuple[Real, Real, Real]:
        """One X of shape (n, size), and its directions u_i and v_i as columns."""
        rows = self.samples(size)
        _validate.memory(3 * 8.0 * rows * size, "size", size)
        _validate.generator(rng)
        u, v = (random_directions(k, len(self.spikes), rng) for k in (rows, size))
        if self._white:
            assert isinstance(self.bulk, MarchenkoPastur)
            noise = rng.standard_normal((rows, size)) * np.sqrt(self.bulk.variance / rows)
        else:
            noise = np.zeros((rows, size))
            values = finite_population(self.bulk, size)[::-1][: min(rows, size)]
            noise[np.diag_indices(values.size)] = np.sqrt(values)
        return noise + (u * np.array(self.spikes)) @ v.T, u, v

    @property
    def _white(self) -> bool:
        return isinstance(self.bulk, MarchenkoPastur) and self.bulk.ratio == self.ratio

    def _pair(self, x: float) -> tuple[float, float, float, float]:
        """m, m_ and their derivatives."""
        m, slope = self._at(x)
        c = self.ratio
        with np.errstate(divide="ignore", invalid="ignore"):
            rest = np.float64(1.0 - c) / x
            return m, float(c * m - rest), slope, float(c * slope + rest / x)

    def _product(self, x: float) -> float:
        m, twin, _, _ = self._pair(x)
        return x * m * twin

    def _windows(self) -> tuple[Window, ...]:
        out = []
        for left, right in self._pieces(0.0):
            if right <= 0.0:
                continue
            if self._sign(left, right, 0) < 0.0:
                stop = right if right == np.inf else self._split(left, right, max)
                out.append(Window(self._level(left, right), np.inf, left, stop))
            if right < np.inf and self._sign(right, left, 1) > 0.0:
                out.append(Window(self._level(right, left), np.inf, self._split(left, right, min), right))
        return tuple(out)

    def _sign(self, x: float, other: float, side: int) -> float:
        """The larger (side 0) or smaller (side 1) of m and m_ at the end x of a piece."""
        values = [self._end(lambda y, k=k: self._pair(y)[k], x, other) for k in (0, 1)]  # type: ignore[misc]
        return min(values) if side else max(values)

    def _level(self, x: float, other: float) -> float:
        """The spike whose eigenvalue would be at the end x of a piece."""
        level = self._end(self._product, x, other)
        return 0.0 if np.isinf(level) else 1.0 / float(np.sqrt(level))

    def _split(self, left: float, right: float, choose: Any) -> float:
        """Where the larger or the smaller of m and m_ changes its sign; an end where it does not."""
        return monotone_root(lambda x: choose(self._pair(x)[:2]), left, right)

    def _plant(self, spikes: Real, windows: list[Window]) -> Planted:
        x = np.array(
            [
                monotone_root(lambda x, level=spike**-2.0: self._product(x) - level, window.left, window.right)  # type: ignore[misc]
                for spike, window in zip(spikes, windows, strict=True)
            ]
        )
        m, twin, slope, twin_slope = np.array([self._pair(point) for point in x]).T
        rate = m * twin + x * (slope * twin + m * twin_slope)
        overlaps = np.stack([m, twin]) / (spikes**2 * rate)
        own = twin**2 * (slope - m**2) / self.ratio + m**2 * (twin_slope - twin**2)
        variances = (4.0 * (m + x * slope) / spikes**2 + 2.0 * x**2 * own) / rate**2
        return Planted(x, overlaps, variances)

    def _recover(self, locations: Real) -> Real:
        level = np.array([self._product(x) if x > 0.0 else np.nan for x in locations])
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(level > 0.0, 1.0 / np.sqrt(level), np.nan)


def at_real(law: Measure, x: float) -> tuple[float, float]:
    """m and m' of a law at a real point off its support; not finite at a pole."""
    with np.errstate(all="ignore"):
        z = np.array([x], dtype=np.complex128)
        return float(law._stieltjes(z)[0].real), float(law._stieltjes_derivative(z)[0].real)


def monotone_root(function: Callable[[float], float], left: float, right: float) -> float:
    """Zero of a monotone function in (left, right); an end may be infinite. Without a sign change: the nearer end."""
    from scipy.optimize import brentq

    scale = max(abs(x) for x in (left, right) if np.isfinite(x)) or 1.0
    low = left + _NUDGE * scale if np.isfinite(left) else right - scale
    high = right - _NUDGE * scale if np.isfinite(right) else left + scale
    f_low, f_high = function(low), function(high)
    for _ in range(1100):  # an infinite end: double the distance until the sign changes
        if (f_low > 0.0) != (f_high > 0.0) or (np.isfinite(left) and np.isfinite(right)):
            break
        if not np.isfinite(left):
            low, f_low = right - 2.0 * (right - low), function(right - 2.0 * (right - low))
        else:
            high, f_high = left + 2.0 * (high - left), function(left + 2.0 * (high - left))
    if (f_low > 0.0) == (f_high > 0.0):
        return left if abs(f_low) < abs(f_high) else right
    return float(brentq(function, low, high, xtol=1e-300, rtol=4.0 * np.finfo(float).eps, maxiter=500))
