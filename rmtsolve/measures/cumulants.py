"""Moments and free cumulants: exact arithmetic on sequences, and contour integrals for laws.

With ``M(z) = 1 + sum m_k z^k`` and free cumulants kappa_k, ``M(z) = 1 + sum_s kappa_s (z M(z))^s`` (Speicher), so

    m_n = sum_{s=1}^{n} kappa_s [z^(n-s)] M(z)^s,

which only adds and multiplies: integers stay integers, fractions and SymPy numbers stay exact.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .. import _validate
from .base import Complex, Measure, Real
from .stieltjes_law import as_law

_MAX_ORDER = 512  # the arithmetic is cubic in the order
_WORSE = 10.0  # estimated errors fluctuate: by how much they must grow before no larger circle is tried


def free_cumulants(moments: Iterable[Any]) -> list[Any]:
    """Free cumulants ``kappa_1 ... kappa_n`` from the moments ``m_1 ... m_n``.

    Parameters
    ----------
    moments : sequence of numbers
        Integers, fractions and SymPy numbers give exact answers, floats give floats (high orders lose digits, about a
        factor 4 an order; `law_free_cumulants` does not).

    Returns
    -------
    list
        Of the same length.

    Examples
    --------
    >>> free_cumulants([0, 1, 0, 2, 0, 5])              # semicircle: only kappa_2
    [0, 1, 0, 0, 0, 0]
    """
    m = _numbers(moments, "moments")
    table = _Powers(len(m))
    kappas: list[Any] = []
    for n in range(1, len(m) + 1):
        lower = sum((kappas[s - 1] * table.coefficient(s, n - s) for s in range(1, n)), 0)
        kappas.append(_tidy(m[n - 1] - lower))
        table.append(m[n - 1])
    return kappas


def moments_from_free_cumulants(kappas: Iterable[Any]) -> list[Any]:
    """Moments ``m_1 ... m_n`` from the free cumulants ``kappa_1 ... kappa_n``; exact where the input is.

    Parameters
    ----------
    kappas : sequence of numbers
        As in `free_cumulants`.

    Returns
    -------
    list
        Of the same length.

    Examples
    --------
    >>> moments_from_free_cumulants([1, 1, 1, 1])       # free Poisson of rate one: Catalan numbers
    [1, 2, 5, 14]
    """
    k = _numbers(kappas, "kappas")
    table = _Powers(len(k))
    moments: list[Any] = []
    for n in range(1, len(k) + 1):
        value = _tidy(sum((k[s - 1] * table.coefficient(s, n - s) for s in range(1, n + 1)), 0))
        moments.append(value)
        table.append(value)
    return moments


class _Powers:
    """Coefficients of ``M(z)^s`` up to total degree n, extended by one moment at a time."""

    def __init__(self, order: int) -> None:
        self.order = order
        self.rows: list[list[Any]] = [[1] for _ in range(order + 1)]  # row s: coefficients of M^s; row 0 is 1

    def coefficient(self, s: int, degree: int) -> Any:
        return self.rows[s][degree]

    def append(self, moment: Any) -> None:
        degree = len(self.rows[0])
        self.rows[0].append(0)
        if degree < self.order:
            self.rows[1].append(moment)
        first = self.rows[1]
        for s in range(2, self.order - degree + 1):
            lower = self.rows[s - 1]
            self.rows[s].append(sum((first[i] * lower[degree - i] for i in range(degree + 1)), 0))


def _numbers(values: Iterable[Any], name: str) -> list[Any]:
    """Exact or floating-point numbers, NumPy scalars turned into Python's (whose integers do not overflow)."""
    single = isinstance(values, np.ndarray) and values.ndim == 0
    if single or isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        _validate.fail(name, "a sequence of numbers", values)
    out = []
    for value in values:
        number = value.item() if isinstance(value, np.generic) else value
        symbolic = hasattr(number, "free_symbols") and hasattr(number, "expand")
        if isinstance(number, bool) or not (symbolic or isinstance(number, numbers.Real)):
            _validate.fail(name, "a sequence of real numbers", value)
        if isinstance(number, float) and not math.isfinite(number):
            _validate.fail(name, "finite", value)
        out.append(number)
    if not out:
        _validate.fail(name, "non-empty", out)
    if len(out) > _MAX_ORDER:
        _validate.fail(name, f"at most {_MAX_ORDER} numbers", len(out))
    return out


def _tidy(value: Any) -> Any:
    """SymPy leaves products unexpanded, which would grow and hide zeros."""
    return value.expand() if hasattr(value, "expand") and hasattr(value, "free_symbols") else value


# ---------------------------------------------------------------------- of a law
def law_free_cumulants(measure: Measure | Callable[[Any], Any], order: int) -> Real:
    """Free cumulants ``kappa_1 ... kappa_order`` of a law with bounded support, without passing through moments.

    ``R(g) = z - 1/g`` where ``-m(z) = g``; on a circle ``|g| = r`` inside the disc of analyticity its Fourier
    coefficients are ``kappa_k r^(k-1)``. The circle is enlarged as long as the inverse function can be continued,
    because the rounding error of kappa_k is ``r^-k``.

    Parameters
    ----------
    measure : Measure or callable
        A law with bounded support, or its Stieltjes transform.
    order : int
        Highest order, 1 to 512.

    Returns
    -------
    ndarray, shape (order,)

    Examples
    --------
    >>> from rmtsolve.measures.discrete import Discrete
    >>> law_free_cumulants(Discrete([-1, 1]), 4).round(12) + 0.0
    array([ 0.,  1.,  0., -1.])
    """
    order = _validate.integer(order, "order", low=1, high=_MAX_ORDER)
    measure = as_law(measure, "measure")
    ends = np.concatenate([measure.edges, measure.atoms.locations])
    if not np.isfinite(ends).all():
        _validate.fail("measure", "a law with bounded support", measure, "use free_cumulants of its moments")
    mean = measure.moment(1)
    reach = float(np.max(np.abs(ends - mean)))
    out = np.zeros(order)
    out[0] = mean
    if reach == 0.0:
        return out
    n = 64
    while n < 4 * order:
        n *= 2
    angles = (np.arange(n // 2) + 0.5) * (2 * np.pi / n)
    circle = np.exp(-1j * angles)  # lower half: there Im z > 0
    radius = 0.2 / reach  # -m is univalent outside twice the reach, and covers |g| < 1/(4 reach)
    z = _invert(measure, radius * circle, mean + 1.0 / (radius * circle))
    best: tuple[float, Real] | None = None
    while z is not None and radius * reach < 1e3:
        g = radius * circle
        values = (z - mean) - 1.0 / g
        powers = np.arange(n)
        coefficients = (values @ np.exp(1j * angles[:, None] * powers)).real * (2 / n)
        # noise and aliasing show at the end of the spectrum; kappa_k is hurt by r^-(k-1) times that
        noise = float(np.max(np.abs(coefficients[-n // 4 :]))) + 1e-16 / radius
        doubt = noise * radius ** (1 - min(order, n // 2))
        if best is not None and doubt > _WORSE * best[0]:
            break
        if best is None or doubt < best[0]:
            best = (doubt, coefficients[:order] * radius ** -np.arange(float(order)))
        radius *= 1.25
        z = _invert(measure, radius * circle, mean + (z - mean) / 1.25)
    if best is None:  # the first circle is inside the disc where the inverse exists
        _validate.fail("measure", "a law whose Stieltjes transform is right to rounding around its support", measure)
    out[1:] = best[1][1:]
    return out


def _invert(measure: Measure, g: Complex, z: Complex) -> Complex | None:
    """Newton's method for ``-m(z) = g`` from the guesses z; None where it leaves the upper half-plane."""
    for _ in range(40):
        if not np.isfinite(z).all() or np.any(z.imag <= 0):
            return None
        step = (measure._stieltjes(z) + g) / measure._stieltjes_derivative(z)
        z = z - step
        if np.max(np.abs(step) / np.abs(z)) < 1e-14:
            return z if np.all(z.imag > 0) else None
    return None
