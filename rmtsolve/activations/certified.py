"""Coefficients with error bounds that hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .algebra import NotClosed
from .conditional import closed_terms, conditional_coefficients, vanishing_orders
from .quadrature import certified_moments

if TYPE_CHECKING:
    from .base import Activation

Real = NDArray[np.float64]


def certified_coefficients(act: Activation, order: int, shift: float, scale: float) -> tuple[Real, Real]:
    """``c_0 .. c_order`` at one (shift, scale) and bounds on their errors."""
    a, s = np.array([shift]), np.array([scale])
    if scale == 0.0:
        values = conditional_coefficients(act, order, a, s)[0]
        bound = np.zeros(order + 1)
        bound[0] = 4 * np.spacing(abs(values[0]))
        return values, bound
    tree = act.expression
    if tree is not None and closed_terms(tree) is not None:
        conditional_coefficients(act, order, a, s)  # refuses divergent and overflowing cases
        from .high_precision import rounded_coefficients

        try:
            return rounded_coefficients(tree, order, shift, scale)
        except NotClosed:  # a constant of a function that mpmath does not have
            pass
    values, bound = certified_moments(act.raw, order, a, s, act.kinks, name=act.name)
    values = values.copy()
    if tree is not None and shift == 0.0:
        zero = vanishing_orders(tree, order)
        values[zero], bound[zero] = 0.0, 0.0
    return values, bound
