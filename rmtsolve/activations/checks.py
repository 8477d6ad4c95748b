"""What is refused when an activation is made: values that are not real numbers, growth that no Gaussian integrates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DomainError
from .conditional import check_square_integrable, closed_terms
from .expression import Expression, evaluate
from .mesh import find_breaks
from .quadrature import guarded

Real = NDArray[np.float64]

REACH = 38.0  # the Gaussian density is a number up to here


def check_formula(tree: Expression, name: str) -> None:
    """Refuse a formula that is undefined on part of the line or not square integrable."""
    terms = closed_terms(tree)
    if terms is not None:
        check_square_integrable(terms, np.ones(1), name)
        return

    def values(x: Real) -> Real:
        return np.broadcast_to(np.asarray(evaluate(tree, {"x": x}), dtype=np.float64), x.shape)

    _check_growth(guarded(values, name), name)


def check_function(function: Callable[[Any], Any], kinks: Real | None, name: str) -> Real:
    """Refuse a callable that is not a vectorised real function; its breakpoints, sorted."""

    def values(x: Real) -> Real:
        result = np.asarray(function(x.copy()))
        if result.dtype.kind not in "iufb":
            raise DomainError(f"{name} must return real numbers, got dtype {result.dtype}")
        if result.shape not in ((), x.shape):
            raise DomainError(
                f"{name} must act entry by entry, got shape {result.shape} for an argument of shape {x.shape}"
            )
        return np.broadcast_to(result.astype(np.float64), x.shape)

    checked = guarded(values, name)
    try:
        _check_growth(checked, name)
    except (TypeError, ValueError) as error:
        if isinstance(error, DomainError):
            raise
        raise DomainError(f"{name} must be a vectorised function of one real array, got {error}") from error
    if kinks is not None:
        return np.unique(kinks)
    return find_breaks(checked)


def _check_growth(values: Callable[[Real], Real], name: str) -> None:
    """Finite on [-38, 38], and ``sigma^2 phi`` small at the ends."""
    grid = np.concatenate([np.linspace(-REACH, REACH, 1521), np.linspace(-1.0, 1.0, 98)])
    y = values(grid)
    ends = np.abs(y[[0, 1520]]) + 1e-300
    log_share = 2.0 * np.log(ends) - 0.5 * REACH**2
    if log_share.max() > -5.0:
        raise DomainError(
            f"{name} must be square integrable under the Gaussian, "
            f"got |sigma(x)| = {ends.max():.3g} at |x| = {REACH:.0f}, growth like exp(x^2/4) or faster"
        )
