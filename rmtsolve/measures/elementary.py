"""Laws on an interval or on two points, in closed form: arcsine, uniform, two-point."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _validate
from ._precise import ExactQuadratic, Polynomials
from ._quadratic import Form, Root
from .base import Complex, Measure, Precise, Real
from .classical import store
from .discrete import Discrete


@dataclass(frozen=True)
class Arcsine(ExactQuadratic):
    """Arcsine law on [low, high], density ``1 / (pi sqrt((x - low)(high - x)))``: two hard edges.

    Parameters
    ----------
    low, high : float
        Ends of the interval, low < high.

    Examples
    --------
    >>> Arcsine(-2, 2).moment(4), Arcsine(0, 1).cdf(0.25)
    (6.0, 0.333...)
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_interval(self)

    @staticmethod
    def _polynomials(low: Any, high: Any) -> Polynomials:
        return Polynomials(0.0, 0.0, 1.0, -1.0, (low, high))

    def _make_form(self) -> Form:
        width = self.high - self.low
        return Form(
            self.low, self.high, width, self.low + width / 2, *self._polynomials(self.low, self.high)[:4],
            roots=(Root(self.low, 0.0, width), Root(self.high, -width, 0.0)),
        )  # fmt: skip

    def _affine(self, factor: float, shift: float) -> Measure:
        return Arcsine(*sorted((self.low * factor + shift, self.high * factor + shift)))


@dataclass(frozen=True)
class Uniform(Measure):
    """Uniform law on [low, high], ``m(z) = log((high - z) / (low - z)) / (high - low)``.

    Parameters
    ----------
    low, high : float
        Ends of the interval, low < high.

    Examples
    --------
    >>> Uniform(1, 3).density(2.0), Uniform(1, 3).quantile(0.25), Uniform(-1, 1).moment(4)
    (0.5, 1.5, 0.2)
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_interval(self)

    @property
    def edges(self) -> Real:
        """The two ends."""
        return _validate.read_only(np.array([self.low, self.high]))

    def _stieltjes(self, z: Complex) -> Complex:
        width = self.high - self.low
        centred = z - (self.low + width / 2)
        far = np.abs(centred) > width
        with np.errstate(all="ignore"):  # the logarithms are infinite at the two ends
            near = (np.log(z - self.high) - np.log(z - self.low)) / width
            # far away the logarithms cancel; log((1 - t)/(1 + t)) = -2 arctanh t does not
            away = -2.0 * np.arctanh(np.where(far, width / 2 / np.where(far, centred, 1.0), 0.0)) / width
        return np.where(far, away, near)

    def _stieltjes_derivative(self, z: Complex) -> Complex:
        with np.errstate(all="ignore"):
            return np.asarray(1.0 / (z - self.low) / (z - self.high))

    def _stieltjes_precise(self, z: Precise, transform: Callable[[Measure, Precise], Precise]) -> Precise:
        one = z * 0 + 1  # makes products of the ends exact
        return (np.log(z - self.high) - np.log(z - self.low)) / (one * self.high - self.low)

    def _potential(self, z: Complex) -> Complex:
        """``int log(z - x)``, Im z >= 0, arguments in [0, pi]: ``log(z - low) - 1 - (z - high) m(z)``."""
        step = 1e-15 * max(abs(self.low), abs(self.high))  # at an end itself there is 0 times infinity
        z = np.where((z == self.low) | (z == self.high), z + step, z)
        gap = z - self.low
        return np.log(gap.real + 1j * np.abs(gap.imag)) - 1.0 - (z - self.high) * self._stieltjes(z)

    def _density(self, x: Real) -> Real:
        return np.full(x.shape, 1.0 / (self.high - self.low))

    def _density_offset(self, edge: int, offset: Real) -> Real:
        return self._density(offset)

    def _cdf(self, x: Real) -> Real:
        return np.clip((x - self.low) / (self.high - self.low), 0.0, 1.0)

    def _quantile(self, q: Real) -> Real:
        return self.low * (1.0 - q) + self.high * q

    def _moment(self, k: int) -> float:
        # sum_j low^j high^(k - j) / (k + 1), centred so that ends of opposite sign do not cancel
        middle, half = self.low + (self.high - self.low) / 2, (self.high - self.low) / 2
        try:
            terms = [math.comb(k, j) * middle ** (k - j) * half**j / (j + 1) for j in range(0, k + 1, 2)]
        except OverflowError:
            return math.inf
        return math.fsum(terms)

    def _affine(self, factor: float, shift: float) -> Measure:
        return Uniform(*sorted((self.low * factor + shift, self.high * factor + shift)))


def _check_interval(law: Arcsine | Uniform) -> None:
    """Validate and store the ends of an interval."""
    low, high = _validate.real(law.low, "low"), _validate.real(law.high, "high")
    if not low < high:
        _validate.fail("low, high", "such that low < high", (low, high))
    if not math.isfinite(high - low):
        _validate.fail("low, high", "such that high - low is finite", (low, high))
    store(law, low=low, high=high)


def TwoPoint(low: float, high: float, weight: float = 0.5) -> Discrete:
    """Law with mass ``1 - weight`` at `low` and `weight` at `high`.

    Parameters
    ----------
    low, high : float
        The two points.
    weight : float
        Mass of `high`, in [0, 1].

    Returns
    -------
    Discrete

    Examples
    --------
    >>> TwoPoint(-1, 1, 0.25)
    Discrete([-1, 1], [0.75, 0.25])
    """
    mass = _validate.real(weight, "weight", low=0.0, high=1.0)
    return Discrete([_validate.real(low, "low"), _validate.real(high, "high")], [1.0 - mass, mass])
