"""Hermite coefficients and second moments over arrays of shifts and scales: closed form if known, else quadrature."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import DomainError
from .algebra import FLOAT, ErrorFunction, NotClosed, Terms, Wave, closed, times
from .closed import coefficients as closed_coefficients
from .expression import Expression
from .properties import parity, vanishing
from .quadrature import hermite_moments

if TYPE_CHECKING:
    from .base import Activation

Real = NDArray[np.float64]


@functools.lru_cache(maxsize=512)
def closed_terms(expression: Expression) -> Terms | None:
    """The expression in the exact algebra with float scalars, or None."""
    try:
        return closed(expression, FLOAT)
    except NotClosed:
        return None


@functools.lru_cache(maxsize=512)
def squared_terms(expression: Expression) -> Terms | None:
    """Its square, or None."""
    terms = closed_terms(expression)
    if terms is None:
        return None
    try:
        return times(terms, terms, FLOAT, expression)
    except NotClosed:
        return None


def conditional_coefficients(act: Activation, order: int, shift: Real, scale: Real) -> Real:
    """``c_k(shift, scale)``, shape (n, order + 1), for 1-d shifts and scales >= 0."""
    out = np.zeros((shift.size, order + 1))
    point = scale == 0.0
    if point.any():
        out[point, 0] = act.raw(shift[point])
        if not point.all():
            out[~point] = conditional_coefficients(act, order, shift[~point], scale[~point])
        return out
    terms = closed_terms(act.expression) if act.expression is not None else None
    if terms is not None:
        check_square_integrable(terms, scale, act.name)
        single = shift.size == 1  # plain numbers are faster than arrays of one
        a, s = (float(shift[0]), float(scale[0])) if single else (shift, scale)
        with np.errstate(all="ignore"):
            for k, c in enumerate(closed_coefficients(terms, order, a, s)):
                out[:, k] = c
        _refuse_overflow(out, shift, scale, act.name)
    else:
        out = hermite_moments(act.raw, order, shift, scale, act.kinks, name=act.name).coefficients
    return _exact_zeros(act, out, shift)


def _exact_zeros(act: Activation, c: Real, shift: Real) -> Real:
    """Coefficients that vanish by parity, exactly zero instead of rounding errors; in place."""
    if act.expression is not None and (shift == 0.0).any():
        zero = vanishing_orders(act.expression, c.shape[1] - 1)
        if zero.any():
            c[np.ix_(shift == 0.0, zero)] = 0.0
    return c


def vanishing_orders(tree: Expression, order: int) -> NDArray[np.bool_]:
    """Which of ``c_0 .. c_order`` vanish at shift 0."""
    k, whole = np.arange(order + 1), parity(tree)
    sign, degree = (whole, -1) if whole else vanishing(tree)
    if sign == 0:
        return np.zeros(order + 1, dtype=bool)
    return np.asarray((k % 2 == (1 if sign > 0 else 0)) & (k > degree))


def coefficients_and_energy(act: Activation, order: int, shift: Real, scale: Real) -> tuple[Real, Real]:
    """`conditional_coefficients` and `second_moments` together: one pass over the mesh if there is no closed form."""
    if (act.expression is not None and closed_terms(act.expression) is not None) or (scale == 0.0).any():
        return conditional_coefficients(act, order, shift, scale), second_moments(act, shift, scale)
    sums = hermite_moments(act.raw, order, shift, scale, act.kinks, name=act.name)
    return _exact_zeros(act, sums.coefficients, shift), sums.second_moment


def second_moments(act: Activation, shift: Real, scale: Real) -> Real:
    """``E sigma(shift + scale g)^2`` for 1-d shifts and scales >= 0."""
    point = scale == 0.0
    if point.any():
        out = np.array(act.raw(shift) ** 2)
        if not point.all():
            out[~point] = second_moments(act, shift[~point], scale[~point])
        return out
    tree = act.expression
    terms = squared_terms(tree) if tree is not None else None
    with np.errstate(all="ignore"):
        if terms is not None and tree is not None:
            check_square_integrable(closed_terms(tree) or (), scale, act.name)
            out = np.zeros(shift.size) + closed_coefficients(terms, 0, shift, scale)[0]
        elif tree is not None and _is_error_function(closed_terms(tree)):
            out = _squared_error_function(closed_terms(tree) or (), shift, scale)
        else:
            return hermite_moments(act.raw, 0, shift, scale, act.kinks, name=act.name).second_moment
    _refuse_overflow(out[:, None], shift, scale, act.name)
    return np.maximum(out, 0.0)


def _is_error_function(terms: Terms | None) -> bool:
    """A multiple of one error function."""
    return (
        terms is not None and len(terms) == 1 and isinstance(terms[0].atom, ErrorFunction) and len(terms[0].poly) == 1
    )


def _squared_error_function(terms: Terms, shift: Real, scale: Real) -> Real:
    """``E erf(m + q g)^2 = 1 - 8 T(sqrt2 m / D, 1/sqrt(1 + 4 q^2))``, ``D^2 = 1 + 2 q^2``, T Owen's function.

    From erf = 2 Phi(sqrt2 .) - 1 and the bivariate normal distribution at equal arguments. For a small spread the
    difference is accurate to rounding of 1 only, so small values come from ``c_0^2 + c_1^2 + ...`` (fast there).
    """
    import scipy.special

    (weight,), atom = terms[0]
    assert isinstance(atom, ErrorFunction)
    mean, spread = atom.slope * shift + atom.offset, np.abs(atom.slope * scale)
    owen = scipy.special.owens_t(
        np.sqrt(2.0) * mean / np.sqrt(1.0 + 2.0 * spread**2), 1.0 / np.sqrt(1.0 + 4.0 * spread**2)
    )
    out = weight**2 * (1.0 - 8.0 * owen)
    small = spread < 0.5
    if small.any():
        c = closed_coefficients(terms, 60, shift[small], scale[small])
        out[small] = np.sum(np.square(c), axis=0)
    return np.asarray(out)


def check_square_integrable(terms: Terms, scale: Real, name: str) -> None:
    """Refuse ``exp(-b x^2/2)`` with ``1 + 2 b s^2 <= 0``: its square has no Gaussian mean."""
    for _, atom in terms:
        if isinstance(atom, Wave) and atom.decay < 0:
            worst = float(scale.max())
            if 1.0 + 2.0 * atom.decay * worst**2 <= 0.0:
                raise DomainError(
                    f"{name} must be square integrable under the Gaussian, "
                    f"got growth like exp({-atom.decay / 2:.6g} x^2) at scale {worst:.6g}; "
                    f"the exponent must be below {0.25 / worst**2:.6g}"
                )


def _refuse_overflow(values: Real, shift: Real, scale: Real, name: str) -> None:
    bad = ~np.isfinite(values).all(axis=1)
    if bad.any():
        i = int(np.flatnonzero(bad)[0])
        raise DomainError(
            f"{name} must have Gaussian means below 1e308, "
            f"got an overflow at shift {shift[i]:.6g}, scale {scale[i]:.6g}"
        )
