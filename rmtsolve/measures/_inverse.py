"""Inverting an analytic function: monotone on a real interval, or continued from 0 along a ray."""

from __future__ import annotations

from collections.abc import Callable

from .. import _validate


def solve_monotone(function: Callable[[float], float], low: float, high: float) -> float:
    """Zero of a monotone function of one real variable; the nearer end where there is none in [low, high]."""
    from scipy.optimize import brentq

    first, last = function(low), function(high)
    if first * last > 0:
        return low if abs(first) < abs(last) else high
    return float(brentq(function, low, high, xtol=1e-15, rtol=9e-16, maxiter=200))


def continue_from_zero(
    function: Callable[[complex], complex],
    slope: Callable[[complex], complex],
    target: complex,
    *,
    first: float,
    guess: Callable[[complex], complex],
    move: Callable[[complex, float], complex],
    name: str,
    limit: str,
    given: complex,
) -> complex:
    """The point where `function` equals `target`, continued along the ray from ``first * target / |target|``.

    `guess` is accurate at the start of the ray; `move` predicts the point when the value is multiplied by a ratio.
    The path must stay in the half-plane in which it starts. Messages name `given`, of which `target`
    may be the conjugate.
    """
    value = target * (first / abs(target))
    point = _newton(function, slope, value, guess(value))
    side = guess(value).imag
    ratio = 1.5
    while point is not None and value != target:
        last = abs(value) * ratio >= abs(target)
        new = target if last else value * ratio
        moved = _newton(function, slope, new, move(point, abs(new) / abs(value)))
        if moved is not None and moved.imag * side > 0:
            value, point, ratio = new, moved, min(1.5, 1.0 + 2.0 * (ratio - 1.0))
            continue
        ratio = 1.0 + 0.5 * (ratio - 1.0)
        if ratio < 1.0 + 1e-6:
            _validate.fail(name, limit, given)
    if point is None:
        _validate.fail(name, limit, given)
    return point


def _newton(
    function: Callable[[complex], complex], slope: Callable[[complex], complex], target: complex, start: complex
) -> complex | None:
    """A few Newton steps that must converge at once (the start is close) without changing the half-plane."""
    point = start
    for _ in range(12):
        derivative = slope(point)
        if derivative == 0:
            return None
        step = (function(point) - target) / derivative
        if not abs(step) < 0.5 * abs(point):
            return None
        point -= step
        if point.imag * start.imag <= 0:
            return None
        if abs(step) < 1e-9 * abs(point):  # convergence is quadratic: what is left is rounding
            return point
    return None
