"""Dual activation (kernel map) ``kappa(rho) = E sigma(s u) sigma(s v) = sum_k c_k(s)^2 rho^k``, corr(u, v) = rho.

Closed forms cover polynomials, waves (exp, sin, cos, Gaussians) and everything of the form ``(q_0 + q_1 x) S(x)`` with
``S = erf(a x)`` or its limit sign (erf, sign, step, relu, abs, gelu and their sums). With
``m = sqrt2 a / sqrt(1 + 2 a^2)`` (1 for sign) and two Gaussian integrations by parts,

    E S S'     = (2/pi) arcsin(m m' rho),
    E u v S S' = (2/pi) [ m m' (1 + rho^2 (1 - m^2 - m'^2)) / sqrt(1 - (m m' rho)^2) + rho arcsin(m m' rho) ].

Everything else is the Hermite series where its tail is negligible, and ``E sigma(s u) c_0(rho s u, s sqrt(1 - rho^2))``
on the adaptive mesh where it is not.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DomainError
from .algebra import UNIT, ErrorFunction, HalfExponential, NormalCdf, Step, Term, Terms, Wave
from .base import Activation
from .closed import coefficients as closed_coefficients
from .conditional import closed_terms, conditional_coefficients, second_moments
from .properties import jumps
from .quadrature import hermite_moments
from .residual import residual_energies

Real = NDArray[np.float64]

SERIES_ORDER = 200
NEGLIGIBLE = 1e-15  # tail of the series relative to kappa(1)


class Series(NamedTuple):
    """Partial sums of the Hermite series of the dual with a bound on what is left out."""

    values: Real
    bound: Real


def dual(act: Activation, rho: Real, scale: float, derivative: int = 0) -> Real:
    """The derivative of that order of kappa at 1-d `rho` in [-1, 1]."""
    if derivative:
        if act.expression is not None and jumps(act.expression):
            return _dual_slope_with_jumps(act, rho, scale, derivative)
        return scale**2 * dual(act.derivative(), rho, scale, derivative - 1)
    if scale == 0.0:
        return np.full(rho.shape, float(act.raw(np.zeros(1))[0]) ** 2)
    parts = _closed_parts(act, scale)
    if parts is not None:
        with np.errstate(all="ignore"):
            values = _closed_dual(parts, rho, scale)
        if np.isfinite(values).all():
            return values
    return _numeric_dual(act, rho, scale)


def dual_series(act: Activation, rho: Real, order: int, scale: float) -> Series:
    """``sum_{k <= order} c_k^2 rho^k``; the rest is at most ``|rho|^(order+1)`` times the residual energy."""
    a, s = np.zeros(1), np.array([scale])
    squares = conditional_coefficients(act, order, a, s)[0] ** 2
    left = float(residual_energies(act, order, a, s)[0])
    rounding = 4.0 * 2.0**-53 * (order + 4) * float(second_moments(act, a, s)[0])
    return Series(np.polynomial.polynomial.polyval(rho, squares), np.abs(rho) ** (order + 1) * left + rounding)


def correlation_map(act: Activation, rho: Real, depth: int, scale: float) -> Real:
    """``rho -> kappa(rho) / kappa(1)`` iterated `depth` times."""
    top = float(dual(act, np.ones(1), scale)[0])
    if top == 0.0:
        raise DomainError(f"{act.name} must not vanish to have a correlation map")
    for _ in range(depth):
        rho = np.clip(dual(act, rho, scale) / top, -1.0, 1.0)
    return rho


# ---------------------------------------------------------------- closed forms
class _Sigmoidal(NamedTuple):
    """``(constant + linear u) erf(a u)`` with ``sharpness = sqrt2 a / sqrt(1 + 2 a^2)``; sign has sharpness 1."""

    constant: float
    linear: float
    sharpness: float


class _Parts(NamedTuple):
    """An activation of the unit Gaussian u: polynomial (as terms), sigmoidal parts and waves."""

    polynomial: Terms
    sigmoidal: tuple[_Sigmoidal, ...]
    waves: tuple[tuple[float, Wave], ...]
    others: Terms  # everything but the polynomial


def _closed_parts(act: Activation, scale: float) -> _Parts | None:
    terms = closed_terms(act.expression) if act.expression is not None else None
    if terms is None:
        return None
    poly = np.zeros(1)
    sigmoidal: list[_Sigmoidal] = []
    waves: list[tuple[float, Wave]] = []
    others: list[Term] = []
    for term in terms:
        p, atom = np.array(term.poly), term.atom
        if atom == UNIT:
            poly = np.polynomial.polynomial.polyadd(poly, p)
            continue
        if isinstance(atom, Wave):
            if p.size > 1:
                return None
            waves.append((float(p[0]), atom))
            others.append(term)
            continue
        if p.size > 2:
            return None
        if isinstance(atom, Step):
            if atom.threshold != 0:
                return None
            odd, sharpness = 0.5 * atom.side, 1.0  # step = 1/2 + sign/2
        else:
            if isinstance(atom, HalfExponential) or atom.offset != 0:
                return None
            spread = float(atom.slope) * scale * (math.sqrt(2.0) if isinstance(atom, ErrorFunction) else 1.0)
            odd, sharpness = (1.0 if isinstance(atom, ErrorFunction) else 0.5), spread / math.hypot(1.0, spread)
        if isinstance(atom, Step | NormalCdf):
            poly = np.asarray(np.polynomial.polynomial.polyadd(poly, 0.5 * p), dtype=np.float64)
            centred = [Term(tuple(p), atom), Term(tuple(-0.5 * p), UNIT)]
        else:
            centred = [term]
        q = np.append(p, 0.0)
        sigmoidal.append(_Sigmoidal(odd * float(q[0]), odd * float(q[1]) * scale, sharpness))
        others.extend(centred)
    if sigmoidal and waves:
        return None
    return _Parts((Term(tuple(poly), UNIT),), tuple(sigmoidal), tuple(waves), tuple(others))


def _closed_dual(parts: _Parts, rho: Real, scale: float) -> Real:
    degree = len(parts.polynomial[0].poly) - 1
    p = np.array(closed_coefficients(parts.polynomial, degree, 0.0, scale), dtype=np.float64)
    weights = p * p
    if parts.others:
        c = np.array(closed_coefficients(parts.others, degree, 0.0, scale), dtype=np.float64)
        weights = weights + 2.0 * p * c
    total = np.polynomial.polynomial.polyval(rho, weights) + 0.0 * rho
    for i, a in enumerate(parts.sigmoidal):
        for j, b in enumerate(parts.sigmoidal[: i + 1]):
            total = total + (1.0 if i == j else 2.0) * _sigmoidal_pair(a, b, rho)
    for i, (w, f) in enumerate(parts.waves):
        for j, (v, g) in enumerate(parts.waves[: i + 1]):
            total = total + (1.0 if i == j else 2.0) * w * v * _wave_pair(f, g, rho, scale)
    return total


def _sigmoidal_pair(a: _Sigmoidal, b: _Sigmoidal, rho: Real) -> Real:
    m = a.sharpness * b.sharpness
    angle = np.arcsin(m * rho)
    total = a.constant * b.constant * angle
    if a.linear * b.linear != 0.0:
        if abs(m) == 1.0:
            bracket = np.sqrt((1.0 - rho) * (1.0 + rho)) * m
        else:
            shape = 1.0 + rho**2 * (1.0 - a.sharpness**2 - b.sharpness**2)
            bracket = m * shape / np.sqrt((1.0 - m * rho) * (1.0 + m * rho))
        total = total + a.linear * b.linear * (bracket + rho * angle)
    return np.asarray(2.0 / math.pi * total)


def _wave_pair(f: Wave, g: Wave, rho: Real, scale: float) -> Real:
    """``Re f Re g = Re(f g + f conj g)/2``, each a bivariate Gaussian integral.

    ``E exp(l u + n v - (b u^2 + d v^2)/2) = D^(-1/2) exp([l^2 (1 + d t) + 2 l n rho + n^2 (1 + b t)] / (2 D))`` with
    ``t = 1 - rho^2``, ``D = (1 + b)(1 + d) - b d rho^2``.
    """
    b, d = f.decay * scale**2, g.decay * scale**2
    t = (1.0 - rho) * (1.0 + rho)
    determinant = (1.0 + b) * (1.0 + d) - b * d * rho**2
    total = np.zeros(rho.shape)
    left = scale * complex(f.growth, f.frequency)
    for sign in (1.0, -1.0):
        right = scale * complex(g.growth, sign * g.frequency)
        exponent = (left**2 * (1.0 + d * t) + 2.0 * left * right * rho + right**2 * (1.0 + b * t)) / (2.0 * determinant)
        exponent = exponent + complex(f.level + g.level, f.phase + sign * g.phase)
        total = total + 0.5 * np.exp(exponent).real / np.sqrt(determinant)
    return total


# ---------------------------------------------------------------- numerics
def _numeric_dual(act: Activation, rho: Real, scale: float) -> Real:
    series = dual_series(act, rho, SERIES_ORDER, scale)
    size = float(second_moments(act, np.zeros(1), np.array([scale]))[0])
    left = float(residual_energies(act, SERIES_ORDER, np.zeros(1), np.array([scale]))[0])
    slow = np.abs(rho) ** (SERIES_ORDER + 1) * left > NEGLIGIBLE * size
    out = np.array(series.values)
    for i in np.flatnonzero(slow):
        out[i] = _dual_by_integral(act, float(rho[i]), scale)
    return out


def _dual_by_integral(act: Activation, rho: float, scale: float) -> float:
    """``E_u sigma(s u) E[sigma(s v) | u]``."""
    spread = scale * math.sqrt((1.0 - rho) * (1.0 + rho))

    def integrand(u: Real) -> Real:
        inner = conditional_coefficients(act, 0, scale * rho * u, np.full(u.size, spread))[:, 0]
        return act.raw(scale * u) * inner

    kinks = act.kinks / scale
    breaks = np.unique(np.concatenate([kinks, kinks / rho if rho else kinks]))
    sums = hermite_moments(integrand, 0, np.zeros(1), np.ones(1), breaks, name=act.name)
    return float(sums.coefficients[0, 0])


def _dual_slope_with_jumps(act: Activation, rho: Real, scale: float, derivative: int) -> Real:
    """``kappa'`` when sigma jumps: the derivative is a function plus ``sum_i J_i delta(x - t_i)``.

    ``kappa' = s^2 E f(su) f(sv) + 2 s sum_i J_i phi(t_i/s) E[f(sv) | su = t_i]
    + sum_ij J_i J_j phi_2(t_i/s, t_j/s; rho)``
    with f the derivative off the jumps and phi_2 the density of the pair.
    """
    from .expression import differentiate

    assert act.expression is not None
    if derivative > 1:
        raise DomainError(f"derivative must be at most 1 for the dual of {act.name}, which jumps, got one more")
    if (np.abs(rho) == 1.0).any():
        raise DomainError(
            f"rho must be in (-1, 1) for the derivative of the dual of {act.name}, which is infinite at the ends"
        )
    points = np.array(jumps(act.expression))
    step = 1e-10 * (1.0 + np.abs(points))
    sizes = act.raw(points + step) - act.raw(points - step)
    smooth = Activation(f"{act.name}'", differentiate(act.expression))
    sizes = sizes - step * (smooth.raw(points + step) + smooth.raw(points - step))  # what f itself moves over that gap
    t = points / scale
    wide = np.sqrt((1.0 - rho) * (1.0 + rho))
    density = np.exp(-0.5 * t * t) / math.sqrt(2.0 * math.pi)
    total = scale**2 * dual(smooth, rho, scale)
    for i in range(t.size):
        mean = conditional_coefficients(smooth, 0, scale * rho * t[i], scale * wide)[:, 0]
        total = total + 2.0 * scale * sizes[i] * density[i] * mean
        for j in range(t.size):
            z = (t[j] - rho * t[i]) / wide
            total = total + sizes[i] * sizes[j] * density[i] * np.exp(-0.5 * z * z) / (math.sqrt(2.0 * math.pi) * wide)
    return total
