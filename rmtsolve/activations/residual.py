"""Energy above a degree, ``E sigma^2 - sum_{k <= K} c_k^2``, without cancellation.

Where the plain difference loses more than two digits, one of these takes over, each a sum of positive terms:
the sum of ``c_k^2``, k > K, in closed form; the same after removing the polynomial that the activation is asymptotic
to (``relu(x) = x + relu(-x)``, ``tanh(x) = 1 - 2 sigmoid(-2x)``), which does not change the answer; the expansion of
a derivative, ``c_{j+m}(sigma) = s^m sqrt(j!/(j+m)!) c_j(sigma^(m))``; the integral of the squared remainder itself.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .algebra import Step
from .base import Activation
from .closed import coefficients as closed_coefficients
from .conditional import closed_terms, coefficients_and_energy
from .expression import (
    ONE,
    Apply,
    Expression,
    Product,
    Sum,
    add,
    apply,
    differentiate,
    evaluate,
    expand,
    multiply,
    negate,
    number,
    variables,
)
from .functions import SELU_ALPHA, SELU_SCALE
from .properties import breakpoints, polynomial_degree
from .quadrature import meshes

Real = NDArray[np.float64]

LOSS = 1e-2  # a difference that keeps this share of its terms is good to 1e-14
EXTRA = 60  # further coefficients summed in closed form


def residual_energies(act: Activation, order: int, shift: Real, scale: Real) -> Real:
    """``E sigma^2 - sum_{k <= order} c_k^2`` for 1-d shifts and scales."""
    c, energy = coefficients_and_energy(act, order, shift, scale)
    rest = energy - np.sum(c * c, axis=1)
    lost = (rest < LOSS * energy) & (scale > 0.0)
    rest = np.where(scale > 0.0, rest, 0.0)
    if lost.any():
        rest[lost] = _careful(act, order, shift[lost], scale[lost], c[lost])
    return np.maximum(rest, 0.0)


def _careful(act: Activation, order: int, shift: Real, scale: Real, c: Real) -> Real:
    rest = np.full(shift.size, np.nan)
    tree = act.expression
    if tree is not None:
        for method in (_by_closed_tail, _by_asymptote, _by_derivative):
            todo = np.isnan(rest)
            if todo.any():
                rest[todo] = method(tree, order, shift[todo], scale[todo])
    todo = np.isnan(rest)
    if todo.any():
        rest[todo] = _by_projection(act, shift[todo], scale[todo], c[todo])
    return rest


def _by_closed_tail(tree: Expression, order: int, shift: Real, scale: Real) -> Real:
    """Sum of the next squared coefficients, where it has converged; nan elsewhere."""
    terms = closed_terms(tree)
    if terms is None or any(isinstance(term.atom, Step) for term in terms):
        return np.full(shift.size, np.nan)
    with np.errstate(all="ignore"):
        further = closed_coefficients(terms, order + EXTRA, shift, scale)[order + 1 :]
        squares = np.stack([np.broadcast_to(c, shift.shape) for c in further]) ** 2
        total = squares.sum(axis=0)
        return np.where(squares[-4:].max(axis=0) <= 1e-18 * total, total, np.nan)


# ---------------------------------------------------------------- asymptotes
class _Sides(NamedTuple):
    """``f(u) = polynomial + tail``: degree of the polynomial and the tail, for u > 0 and for u < 0."""

    upper: tuple[int, Callable[..., Expression]]
    lower: tuple[int, Callable[..., Expression]]


def _scaled(weight: float, name: str, factor: int) -> Callable[..., Expression]:
    return lambda u, *_: multiply(number(Fraction(weight)), apply(name, multiply(number(factor), u)))


def _elu_above(u: Expression, alpha: Expression = ONE) -> Expression:
    below = apply("relu", negate(u))
    return add(apply("elu", negate(below), alpha), below)


def _elu_below(u: Expression, alpha: Expression = ONE) -> Expression:
    return add(multiply(alpha, apply("exp", negate(apply("relu", negate(u))))), apply("relu", u))


def _leaky_tail(sign: int) -> Callable[..., Expression]:
    return lambda u, slope: multiply(add(ONE, negate(slope)), apply("relu", multiply(number(sign), u)))


_SIDES: dict[str, _Sides] = {
    "step": _Sides((0, _scaled(-1, "step", -1)), (0, _scaled(1, "step", 1))),
    "sign": _Sides((0, _scaled(-2, "step", -1)), (0, _scaled(2, "step", 1))),
    "relu": _Sides((1, _scaled(1, "relu", -1)), (0, _scaled(1, "relu", 1))),
    "abs": _Sides((1, _scaled(2, "relu", -1)), (1, _scaled(2, "relu", 1))),
    "leaky_relu": _Sides((1, _leaky_tail(-1)), (1, _leaky_tail(1))),
    "erf": _Sides((0, _scaled(-1, "erfc", 1)), (0, _scaled(1, "erfc", -1))),
    "normal_cdf": _Sides((0, _scaled(-1, "normal_cdf", -1)), (0, _scaled(1, "normal_cdf", 1))),
    "gelu": _Sides((1, _scaled(1, "gelu", -1)), (0, _scaled(1, "gelu", 1))),
    "tanh": _Sides((0, _scaled(-2, "sigmoid", -2)), (0, _scaled(2, "sigmoid", 2))),
    "sigmoid": _Sides((0, _scaled(-1, "sigmoid", -1)), (0, _scaled(1, "sigmoid", 1))),
    "silu": _Sides((1, _scaled(1, "silu", -1)), (0, _scaled(1, "silu", 1))),
    "softplus": _Sides((1, _scaled(1, "softplus", -1)), (0, _scaled(1, "softplus", 1))),
    "log_cosh": _Sides((1, _scaled(1, "softplus", -2)), (1, _scaled(1, "softplus", 2))),
    "elu": _Sides((1, _elu_above), (0, _elu_below)),
    "selu": _Sides(
        (1, lambda u: multiply(number(SELU_SCALE), _elu_above(u, number(SELU_ALPHA)))),
        (0, lambda u: multiply(number(SELU_SCALE), _elu_below(u, number(SELU_ALPHA)))),
    ),
}


def _by_asymptote(tree: Expression, order: int, shift: Real, scale: Real) -> Real:
    """The same energy for the tails that are left after the asymptotic polynomials; nan where that is no easier."""
    rest = np.full(shift.size, np.nan)
    split = _linear_parts(tree, order)
    if split is None:
        return rest
    above = [np.broadcast_to(evaluate(call.arguments[0], {"x": shift}) > 0.0, shift.shape) for _, call in split]
    for pattern in itertools.product((True, False), repeat=len(split)):
        here = np.logical_and.reduce([side == want for side, want in zip(above, pattern, strict=True)])
        if not here.any():
            continue
        sides = [
            _SIDES[call.name].upper if up else _SIDES[call.name].lower
            for (_, call), up in zip(split, pattern, strict=True)
        ]
        if any(degree > order for degree, _ in sides):
            continue
        tails = [
            multiply(weight, tail(*call.arguments)) for (weight, call), (_, tail) in zip(split, sides, strict=True)
        ]
        rest[here] = _tail_energy(Activation("the tail", add(*tails)), order, shift[here], scale[here])
    return rest


def _tail_energy(act: Activation, order: int, shift: Real, scale: Real) -> Real:
    c, energy = coefficients_and_energy(act, order, shift, scale)
    rest = energy - np.sum(c * c, axis=1)
    lost = ~(rest >= LOSS * energy)
    if lost.any():
        assert act.expression is not None
        rest[lost] = _by_derivative(act.expression, order, shift[lost], scale[lost])
    return np.asarray(rest)


@functools.lru_cache(maxsize=256)
def _linear_parts(tree: Expression, order: int) -> tuple[tuple[Expression, Apply], ...] | None:
    """(weight, call) pairs of a polynomial of degree <= order plus weights times functions with asymptotes, or None."""
    if isinstance(tree, Apply) and tree.name in ("hard_tanh", "relu6", "max", "min"):
        tree = expand(tree)
    parts: list[tuple[Expression, Apply]] = []
    for term in tree.terms if isinstance(tree, Sum) else (tree,):
        factors = term.factors if isinstance(term, Product) else (term,)
        calls = [factor for factor in factors if variables(factor)]
        if (
            len(calls) == 1
            and isinstance(calls[0], Apply)
            and calls[0].name in _SIDES
            and polynomial_degree(calls[0].arguments[0]) == 1
        ):
            parts.append((multiply(*(factor for factor in factors if not variables(factor)), ONE), calls[0]))
        elif not 0 <= polynomial_degree(term) <= order:
            return None
    return tuple(parts) if 0 < len(parts) <= 6 else None


# ---------------------------------------------------------------- small scales and the general case
@functools.lru_cache(maxsize=256)
def _derivative(tree: Expression, times: int) -> Expression:
    for _ in range(times):
        tree = differentiate(tree)
    return tree


def _by_derivative(tree: Expression, order: int, shift: Real, scale: Real) -> Real:
    """From the expansion of the derivative of order K + 1, for smooth activations and K <= 3; nan where too slow."""
    m, top = order + 1, 24
    if order > 3 or breakpoints(tree):
        return np.full(shift.size, np.nan)
    derivative = Activation("the derivative", _derivative(tree, m))
    c, energy = coefficients_and_energy(derivative, top, shift, scale)
    weights = np.array([1.0 / math.perm(j + m, m) for j in range(top + 1)])
    total = (c * c) @ weights
    left = np.maximum(energy - np.sum(c * c, axis=1), 0.0) / math.perm(top + 1 + m, m)
    return np.where(left <= 1e-12 * total, total * scale ** (2 * m), np.nan)


def _by_projection(act: Activation, shift: Real, scale: Real, c: Real) -> Real:
    """``E (sigma - sum_k c_k h_k)^2`` on the mesh."""
    from .._kernels.hermite import projected_energy

    out = np.empty(shift.size)
    for pairs, mesh, lo, hi in meshes(act.raw, c.shape[1] - 1, shift, scale, act.kinks, name=act.name, wide=True):
        part = np.empty(pairs.size)
        projected_energy(
            mesh.origin, mesh.offset, mesh.weight, mesh.values, lo, hi, shift[pairs], scale[pairs],
            np.ascontiguousarray(c[pairs]), part,
        )  # fmt: skip
        out[pairs] = part
    return out
