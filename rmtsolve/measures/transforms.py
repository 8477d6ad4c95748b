"""Transforms of laws: companion, moment transform psi, R- and S-transform; moments and free cumulants.

With ``G = -m`` the Cauchy transform and ``psi(t) = sum_k m_k t^k = -1 - m(1/t)/t``:

    R(w) = G^(-1)(w) - 1/w,        S(w) = psi^(-1)(w) (1 + w) / w,

where the inverse functions are those analytic at 0, continued along the ray from 0 to w (Voiculescu).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import _validate
from ._inverse import continue_from_zero, solve_monotone
from .base import Atoms, Complex, Measure, Precise, Real
from .cumulants import free_cumulants, law_free_cumulants, moments_from_free_cumulants
from .stieltjes_law import as_law

__all__ = [
    "Companion", "companion", "free_cumulants", "law_free_cumulants", "moments_from_free_cumulants",
    "psi_transform", "r_transform", "s_transform",
]  # fmt: skip

Law = Measure | Callable[[Any], Any]

_ORDERS = 10  # terms of the expansions at 0, used where |argument| * reach is below _SMALL
_SMALL = 1e-3


# ---------------------------------------------------------------------- companion
def companion(measure: Law, ratio: float) -> Measure:
    """Law of ``X X^T / n`` when that of ``X^T X / n`` is given, X of shape (n, p), ``ratio = p/n``.

    The non-zero eigenvalues are the same: ``companion = ratio * measure + (1 - ratio) * delta_0``, with transform
    ``ratio m(z) - (1 - ratio)/z``.

    Parameters
    ----------
    measure : Measure or callable
        A law, or its Stieltjes transform, with mass at least ``1 - 1/ratio`` at zero when ratio > 1.
    ratio : float
        Positive, ``p/n``.

    Returns
    -------
    Measure

    Examples
    --------
    >>> from rmtsolve.measures.classical import MarchenkoPastur
    >>> companion(MarchenkoPastur(0.25), 0.25)
    MarchenkoPastur(ratio=4.0, variance=0.25)
    """
    from .classical import MarchenkoPastur
    from .discrete import Discrete

    measure = as_law(measure, "measure")
    c = _validate.positive(ratio, "ratio", "it is p/n, features over samples")
    if c == 1.0:
        return measure
    if isinstance(measure, MarchenkoPastur) and measure.ratio == c:
        return MarchenkoPastur(1.0 / c, c * measure.variance)
    atoms = _companion_atoms(measure.atoms, c)
    return Discrete(*atoms) if measure.edges.size == 0 else Companion(measure, c, atoms)


def _companion_atoms(atoms: Atoms, ratio: float) -> Atoms:
    at_zero = atoms.locations == 0.0
    mass = ratio * float(np.sum(atoms.weights[at_zero])) + 1.0 - ratio
    if mass < -1e-9 * ratio:
        _validate.fail(
            "ratio", f"such that the law has mass 1 - 1/ratio = {1.0 - 1.0 / ratio:.6g} at zero", ratio,
            f"it has {float(np.sum(atoms.weights[at_zero])):.6g}: X^T X / n has at least p - n zero eigenvalues",
        )  # fmt: skip
    locations, weights = atoms.locations[~at_zero], ratio * atoms.weights[~at_zero]
    if mass > 1e-14 * max(1.0, ratio):  # else the zeros cancel, up to rounding
        place = int(np.searchsorted(locations, 0.0))
        locations, weights = np.insert(locations, place, 0.0), np.insert(weights, place, mass)
    return Atoms(_validate.read_only(locations), _validate.read_only(weights))


@dataclass(frozen=True, repr=False)
class Companion(Measure):
    """``ratio * base + (1 - ratio) * delta_0``; made by `companion`."""

    base: Measure
    ratio: float
    point_masses: Atoms

    def __repr__(self) -> str:
        return f"Companion({self.base!r}, ratio={self.ratio:g})"

    @property
    def edges(self) -> Real:
        """Edges of the base law."""
        return self.base.edges

    @property
    def atoms(self) -> Atoms:
        """Atoms of the base law times the ratio, that at zero changed by ``1 - ratio``."""
        return self.point_masses

    def _stieltjes(self, z: Complex) -> Complex:
        return self.ratio * self.base._stieltjes(z) - (1.0 - self.ratio) / z

    def _stieltjes_derivative(self, z: Complex) -> Complex:
        return self.ratio * self.base._stieltjes_derivative(z) + (1.0 - self.ratio) / z**2

    def _stieltjes_precise(self, z: Precise, transform: Callable[[Measure, Precise], Precise]) -> Precise:
        c = self.ratio + 0 * z
        return c * transform(self.base, z) - (1 - c) / z

    def _density(self, x: Real) -> Real:
        return self.ratio * self.base._density(x)

    def _density_offset(self, edge: int, offset: Real) -> Real:
        return self.ratio * self.base._density_offset(edge, offset)

    def _cdf(self, x: Real) -> Real:
        total = self.ratio * self.base._cdf(x) + np.where(x >= 0.0, 1.0 - self.ratio, 0.0)
        return np.clip(total, 0.0, 1.0)

    def _moment(self, k: int) -> float:
        return self.ratio * self.base.moment(k)


# ---------------------------------------------------------------------- psi, R, S
def psi_transform(measure: Law, t: ArrayLike) -> Any:
    """Moment transform ``psi(t) = int t x / (1 - t x) mu(dx) = sum_{k>=1} m_k t^k``.

    Parameters
    ----------
    measure : Measure or callable
        Any law, or its Stieltjes transform (of a law with bounded support).
    t : array_like of complex
        Points with 1/t off the support (t = 0 is fine).

    Returns
    -------
    complex or ndarray
        Same shape as `t`.

    Raises
    ------
    DomainError
        1/t is on the support.

    Examples
    --------
    >>> from rmtsolve.measures.discrete import Discrete
    >>> psi_transform(Discrete([1, 3]), 0.25)
    (1.66666...+0j)
    """
    measure = as_law(measure, "measure")
    points = _validate.complex_array(t, "t", allow_empty=True)
    flat = points.ravel()
    real = flat[(flat.imag == 0.0) & (flat.real != 0.0)]
    met = measure._in_bulk(1.0 / real.real) | np.isin(1.0 / real.real, measure.atoms.locations)
    if met.any():
        _validate.fail("t", "such that 1/t is off the support of the law", float(real.real[met][0]))
    out = np.zeros(flat.shape, dtype=np.complex128)
    small = np.abs(flat) * _reach(measure) < _SMALL
    if small.any():  # the formula through m cancels there
        coefficients = [measure.moment(k) for k in range(1, _ORDERS + 1)]
        out[small] = flat[small] * np.polynomial.polynomial.polyval(flat[small], coefficients)
    rest = flat[~small]
    out[~small] = -1.0 - measure.stieltjes(1.0 / rest) / rest
    return _shaped(out, points)


def r_transform(measure: Law, w: ArrayLike) -> Any:
    """R-transform ``R(w) = G^(-1)(w) - 1/w = sum_{k>=1} kappa_k w^(k-1)``, additive under free convolution.

    Parameters
    ----------
    measure : Measure or callable
        A law with bounded support, or its Stieltjes transform.
    w : array_like of complex
        Real w between the values of G = -m at the left and at the right end of the support, or complex w to which
        the inverse function can be continued from 0 along a ray without meeting the support.

    Returns
    -------
    complex or ndarray
        Same shape as `w`.

    Raises
    ------
    DomainError
        `w` is outside that domain.

    Examples
    --------
    >>> from rmtsolve.measures.classical import FreePoisson
    >>> abs(r_transform(FreePoisson(2.0, 0.5), 0.3) - 2.0 * 0.5 / (1 - 0.5 * 0.3)) < 1e-12
    True
    """
    measure = as_law(measure, "measure")
    reach = _bounded_reach(measure)
    low, high = _ends(measure)
    mean = measure.moment(1)

    def expansion(small: complex) -> complex:
        return complex(sum(measure.free_cumulant(k) * small ** (k - 1) for k in range(1, _ORDERS + 1)))

    def one(value: complex, given: complex) -> complex:
        if abs(value) * reach < _SMALL:
            return expansion(value)
        if value.imag == 0.0:
            side, end = (1.0, high) if value.real > 0 else (-1.0, low)
            limit = _real_transform(measure, end)
            if not abs(value.real) < abs(limit):
                _validate.fail(
                    "w", "between the values of G at the two ends of the support", value.real,
                    f"on this side of 0 the limit is {-limit:.6g}",
                )  # fmt: skip
            # beyond the end, by a distance exp(s): G decreases there from its limit to 0
            s = solve_monotone(
                lambda s: abs(_real_transform(measure, end + side * math.exp(s))) - abs(value.real),
                math.log(reach) - 40.0, math.log(reach) + 40.0,
            )  # fmt: skip
            z = complex(end + side * math.exp(s))
            z += (_at(measure._stieltjes, z) + value) / -_at(measure._stieltjes_derivative, z)
            return z - 1.0 / value
        z = continue_from_zero(
            lambda z: -_at(measure._stieltjes, z), lambda z: -_at(measure._stieltjes_derivative, z),
            value, first=_SMALL / reach, guess=lambda g: 1.0 / g + expansion(g),
            move=lambda z, ratio: mean + (z - mean) / ratio,
            name="w", limit="reached by the inverse of G continued from 0 along a ray off the support", given=given,
        )  # fmt: skip
        return z - 1.0 / value

    return _elementwise(one, w)


def s_transform(measure: Law, w: ArrayLike) -> Any:
    """S-transform ``S(w) = psi^(-1)(w) (1 + w) / w``, multiplicative under free multiplicative convolution.

    Parameters
    ----------
    measure : Measure or callable
        A law with bounded support and non-zero mean, or its Stieltjes transform. For real w the support must be on one
        side of zero.
    w : array_like of complex
        Real w in ``(mass at zero - 1, psi(end of the support farther from 0))``, or complex w to which the inverse
        of psi can be continued from 0 along a ray.

    Returns
    -------
    complex or ndarray
        Same shape as `w`.

    Raises
    ------
    DomainError
        The mean is zero, or `w` is outside that domain.

    Examples
    --------
    >>> from rmtsolve.measures.classical import MarchenkoPastur
    >>> abs(s_transform(MarchenkoPastur(0.5), -0.4) - 1 / (1 - 0.5 * 0.4)) < 1e-12
    True
    """
    measure = as_law(measure, "measure")
    reach = _bounded_reach(measure)
    low, high = _ends(measure)
    moments = [measure.moment(k) for k in range(1, _ORDERS + 1)]
    if abs(moments[0]) < 1e-12 * reach:
        _validate.fail("measure", "a law with non-zero mean", measure, "its S-transform does not exist")
    if high <= 0.0:  # reflect: S of -x is -S
        mirrored = measure.scaled(-1.0)
        return -np.asarray(s_transform(mirrored, w)) if np.ndim(w) else -s_transform(mirrored, w)
    at_zero = float(np.sum(measure.atoms.weights[measure.atoms.locations == 0.0]))
    inverse = _reversed_series(moments)

    def psi(t: complex) -> complex:
        return -1.0 - _at(measure._stieltjes, 1.0 / t) / t

    def slope(t: complex) -> complex:
        z = 1.0 / t
        return (_at(measure._stieltjes_derivative, z) * z + _at(measure._stieltjes, z)) * z * z

    def one(value: complex, given: complex) -> complex:
        if abs(value) * reach / abs(moments[0]) < _SMALL:
            return complex(sum(c * value**k for k, c in enumerate(inverse))) * (1.0 + value)
        if value.imag == 0.0:
            if low < 0.0:
                _validate.fail("measure", "a law on one side of zero when w is real", measure)
            w_real, top = value.real, float(_real_psi_limit(measure, high))
            if not at_zero - 1.0 < w_real < top:
                _validate.fail("w", f"in ({at_zero - 1.0:.6g}, {top:.6g})", w_real)
            if w_real < 0:  # t = -exp(s)
                s = solve_monotone(lambda s: psi(-math.exp(s)).real - w_real, -math.log(reach) - 40, 200.0)
                t = complex(-math.exp(s))
            else:  # 1/t = high + exp(s)
                s = solve_monotone(
                    lambda s: psi(1.0 / (high + math.exp(s))).real - w_real,
                    math.log(reach) - 34.0, math.log(reach) + 40.0,  # nearer, high + exp(s) is high
                )  # fmt: skip
                t = complex(1.0 / (high + math.exp(s)))
            t -= (psi(t) - value) / slope(t)
        else:
            t = continue_from_zero(
                psi, slope, value, first=_SMALL * abs(moments[0]) / reach,
                guess=lambda v: v * complex(sum(c * v**k for k, c in enumerate(inverse))),
                move=lambda t, ratio: t * ratio,
                name="w", limit="reached by the inverse of psi continued from 0 along a ray off the support",
                given=given,
            )  # fmt: skip
        return t * (1.0 + value) / value

    return _elementwise(one, w)


# ---------------------------------------------------------------------- helpers
def _elementwise(one: Callable[[complex, complex], complex], w: ArrayLike) -> Any:
    points = _validate.complex_array(w, "w", allow_empty=True)
    # conjugate points have conjugate answers; work in the lower half-plane, where G^-1 has Im z > 0
    values = [one(v, v) if v.imag <= 0 else one(v.conjugate(), v).conjugate() for v in points.ravel().tolist()]
    return _shaped(np.array(values, dtype=np.complex128), points)


def _shaped(flat: Complex, points: Complex) -> Any:
    return flat.reshape(points.shape) if points.shape else complex(flat[0])


def _at(function: Callable[[Complex], Complex], z: complex) -> complex:
    """`_stieltjes` or its derivative at one point of either half-plane."""
    value = complex(function(np.array([complex(z.real, abs(z.imag))]))[0])
    return value.conjugate() if z.imag < 0 else value


def _real_transform(measure: Measure, x: float) -> float:
    """m at a real point off the support, or at its end (infinite at a hard edge or an atom)."""
    if x in measure.atoms.locations:
        return math.inf if x == _ends(measure)[0] else -math.inf
    value = complex(measure._stieltjes(np.array([complex(x)]))[0]).real
    return value if math.isfinite(value) else (math.inf if x == _ends(measure)[0] else -math.inf)


def _real_psi_limit(measure: Measure, high: float) -> float:
    limit = _real_transform(measure, high)
    return -1.0 - high * limit


def _ends(measure: Measure) -> tuple[float, float]:
    ends = np.concatenate([measure.edges, measure.atoms.locations])
    return float(np.min(ends)), float(np.max(ends))


def _reach(measure: Measure) -> float:
    low, high = _ends(measure)
    return max(abs(low), abs(high))


def _bounded_reach(measure: Measure) -> float:
    reach = _reach(measure)
    if not math.isfinite(reach):
        _validate.fail("measure", "a law with bounded support", measure)
    return reach if reach > 0 else 1.0


def _reversed_series(moments: list[float]) -> list[float]:
    """Coefficients c_k of ``psi^(-1)(w) = w sum_k c_k w^k`` (Lagrange: c_{n-1} = [t^(n-1)] (t / psi)^n / n)."""
    n = len(moments)
    # 1 / (psi / t) as a power series, then its powers
    inverse = [1.0 / moments[0]]
    for k in range(1, n):
        inverse.append(-sum(moments[j] * inverse[k - j] for j in range(1, k + 1)) / moments[0])
    power, out = [1.0] + [0.0] * (n - 1), []
    for k in range(1, n + 1):
        power = [sum(power[i] * inverse[j - i] for i in range(j + 1)) for j in range(n)]
        out.append(power[k - 1] / k)
    return out
