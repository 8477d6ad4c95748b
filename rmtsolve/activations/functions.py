"""The functions that may occur in an activation: value on arrays, derivative, definition, breakpoints.

A function with a `definition` is built from simpler ones; the exact algebra uses the definition, evaluation on arrays
uses `evaluate`, which is accurate everywhere (no cancellation, no overflow).
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from .expression import (
    ONE,
    ZERO,
    Constant,
    Expression,
    add,
    apply,
    multiply,
    negate,
    number,
    power,
)

# SELU's two constants: the fixed point (mean 0, variance 1) of the map, to double precision.
SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805
HALF = Fraction(1, 2)


class Function(NamedTuple):
    """One entry of the table.

    `evaluate` takes arrays; `derivative` returns the partial derivatives (almost everywhere), one for each argument;
    `definition` builds the same function from simpler ones; `breaks` gives the expressions at whose zeros the
    function is not smooth; `singular` says that it is infinite or undefined there.
    """

    evaluate: Callable[..., Any]
    derivative: Callable[..., tuple[Expression, ...]] | None = None
    definition: Callable[..., Expression] | None = None
    breaks: Callable[..., tuple[Expression, ...]] | None = None
    defaults: tuple[Expression, ...] = ()
    arity: int = 1


# ---------------------------------------------------------------- values
def _special(name: str) -> Callable[[Any], Any]:
    def value(u: Any) -> Any:
        import scipy.special

        return getattr(scipy.special, name)(u)

    return value


def _softplus(u: Any) -> Any:
    return np.logaddexp(0.0, u)


def _silu(u: Any) -> Any:
    import scipy.special

    return u * scipy.special.expit(u)


def _gelu(u: Any) -> Any:
    import scipy.special

    return u * scipy.special.ndtr(u)


def _elu(u: Any, alpha: Any) -> Any:
    return np.where(np.asarray(u) > 0.0, u, alpha * np.expm1(np.minimum(u, 0.0)))


def _log_cosh(u: Any) -> Any:
    size = np.abs(u)
    return size + np.log1p(np.exp(-2.0 * size)) - np.log(2.0)


def _leaky(u: Any, slope: Any) -> Any:
    return np.where(np.asarray(u) > 0.0, u, slope * np.asarray(u))


# ---------------------------------------------------------------- definitions in simpler functions
def _half(u: Expression) -> Expression:
    return multiply(number(HALF), u)


def _sigmoid(u: Expression) -> Expression:
    return add(number(HALF), _half(apply("tanh", _half(u))))


def _softplus_definition(u: Expression) -> Expression:
    return add(_half(u), apply("log_cosh", _half(u)), apply("log", number(2)))


def _normal_cdf(u: Expression) -> Expression:
    return add(number(HALF), _half(apply("erf", multiply(power(number(2), -HALF), u))))


def _elu_definition(u: Expression, alpha: Expression) -> Expression:
    below = add(ONE, negate(apply("step", u)))
    return add(multiply(u, apply("step", u)), multiply(alpha, add(apply("exp", u), number(-1)), below))


def _leaky_definition(u: Expression, slope: Expression) -> Expression:
    return add(multiply(slope, u), multiply(add(ONE, negate(slope)), u, apply("step", u)))


def _hard_tanh_definition(u: Expression) -> Expression:
    return add(number(-1), apply("relu", add(u, ONE)), negate(apply("relu", add(u, number(-1)))))


def _larger(u: Expression, v: Expression) -> Expression:
    return add(v, apply("relu", add(u, negate(v))))


def _smaller(u: Expression, v: Expression) -> Expression:
    return add(u, negate(apply("relu", add(u, negate(v)))))


def _at_zero(*arguments: Expression) -> tuple[Expression, ...]:
    return (arguments[0],)


def _gauss_density(u: Expression) -> Expression:
    return multiply(power(multiply(number(2), Constant("pi")), -HALF), apply("exp", multiply(number(-HALF), u, u)))


FUNCTIONS: dict[str, Function] = {
    # entire
    "exp": Function(np.exp, lambda u: (apply("exp", u),)),
    "sin": Function(np.sin, lambda u: (apply("cos", u),)),
    "cos": Function(np.cos, lambda u: (negate(apply("sin", u)),)),
    "sinh": Function(
        np.sinh, lambda u: (apply("cosh", u),), lambda u: _half(add(apply("exp", u), negate(apply("exp", negate(u)))))
    ),
    "cosh": Function(
        np.cosh, lambda u: (apply("sinh", u),), lambda u: _half(add(apply("exp", u), apply("exp", negate(u))))
    ),
    "erf": Function(
        _special("erf"),
        lambda u: (multiply(number(2), power(Constant("pi"), -HALF), apply("exp", negate(multiply(u, u)))),),
    ),
    "erfc": Function(
        _special("erfc"),
        lambda u: (multiply(number(-2), power(Constant("pi"), -HALF), apply("exp", negate(multiply(u, u)))),),
        lambda u: multiply(number(2), apply("normal_cdf", multiply(negate(power(number(2), HALF)), u))),
    ),
    "normal_cdf": Function(_special("ndtr"), lambda u: (_gauss_density(u),), _normal_cdf),
    "gelu": Function(
        _gelu,
        lambda u: (add(apply("normal_cdf", u), multiply(u, _gauss_density(u))),),
        lambda u: multiply(u, _normal_cdf(u)),
    ),
    # analytic in a strip
    "tanh": Function(np.tanh, lambda u: (power(apply("cosh", u), Fraction(-2)),)),
    "sigmoid": Function(
        _special("expit"), lambda u: (multiply(apply("sigmoid", u), apply("sigmoid", negate(u))),), _sigmoid
    ),
    "silu": Function(
        _silu,
        lambda u: (add(apply("sigmoid", u), multiply(u, apply("sigmoid", u), apply("sigmoid", negate(u)))),),
        lambda u: multiply(u, _sigmoid(u)),
    ),
    "softplus": Function(_softplus, lambda u: (apply("sigmoid", u),), _softplus_definition),
    "log_cosh": Function(_log_cosh, lambda u: (apply("tanh", u),)),
    "mish": Function(
        lambda u: u * np.tanh(_softplus(u)),
        None,
        lambda u: multiply(u, apply("tanh", apply("softplus", u))),
    ),
    "arctan": Function(np.arctan, lambda u: (power(add(ONE, multiply(u, u)), Fraction(-1)),)),
    # kinks and jumps
    "relu": Function(
        lambda u: np.maximum(u, 0.0), lambda u: (apply("step", u),), lambda u: multiply(u, apply("step", u)), _at_zero
    ),
    "leaky_relu": Function(
        _leaky,
        lambda u, slope: (
            add(slope, multiply(add(ONE, negate(slope)), apply("step", u))),
            multiply(u, apply("step", negate(u))),
        ),
        _leaky_definition,
        _at_zero,
        defaults=(number(Fraction(1, 100)),),
        arity=2,
    ),
    "abs": Function(
        np.abs,
        lambda u: (apply("sign", u),),
        lambda u: add(multiply(number(2), u, apply("step", u)), negate(u)),
        _at_zero,
    ),
    "sign": Function(
        np.sign, lambda u: (ZERO,), lambda u: add(multiply(number(2), apply("step", u)), number(-1)), _at_zero
    ),
    "step": Function(lambda u: np.where(np.asarray(u) > 0.0, 1.0, 0.0), lambda u: (ZERO,), None, _at_zero),
    "elu": Function(
        _elu,
        lambda u, alpha: (
            add(
                apply("step", u),
                multiply(alpha, apply("exp", negate(apply("relu", negate(u)))), apply("step", negate(u))),
            ),
            multiply(add(apply("exp", negate(apply("relu", negate(u)))), number(-1)), apply("step", negate(u))),
        ),
        _elu_definition,
        _at_zero,
        defaults=(ONE,),
        arity=2,
    ),
    "selu": Function(
        lambda u: SELU_SCALE * _elu(u, SELU_ALPHA),
        lambda u: (
            multiply(
                number(SELU_SCALE),
                add(
                    apply("step", u),
                    multiply(
                        number(SELU_ALPHA), apply("exp", negate(apply("relu", negate(u)))), apply("step", negate(u))
                    ),
                ),
            ),
        ),
        lambda u: multiply(number(SELU_SCALE), _elu_definition(u, number(SELU_ALPHA))),
        _at_zero,
    ),
    "hard_tanh": Function(
        lambda u: np.clip(u, -1.0, 1.0),
        None,
        _hard_tanh_definition,
        lambda u: (add(u, ONE), add(u, number(-1))),
    ),
    "relu6": Function(
        lambda u: np.clip(u, 0.0, 6.0),
        lambda u: (multiply(apply("step", u), apply("step", add(number(6), negate(u)))),),
        lambda u: add(apply("relu", u), negate(apply("relu", add(u, number(-6))))),
        lambda u: (u, add(u, number(-6))),
    ),
    "where": Function(
        lambda u, v, w: np.where(np.asarray(u) > 0.0, v, w),
        lambda u, v, w: (ZERO, apply("where", u, ONE, ZERO), apply("where", u, ZERO, ONE)),
        lambda u, v, w: add(multiply(v, apply("step", u)), multiply(w, add(ONE, negate(apply("step", u))))),
        _at_zero,
        arity=3,
    ),
    "softsign": Function(
        lambda u: u / (1.0 + np.abs(u)),
        lambda u: (power(add(ONE, apply("abs", u)), Fraction(-2)),),
        None,
        _at_zero,
    ),
    "max": Function(np.maximum, None, _larger, lambda u, v: (add(u, negate(v)),), arity=2),
    "min": Function(np.minimum, None, _smaller, lambda u, v: (add(u, negate(v)),), arity=2),
    # not defined everywhere: refused where the argument leaves their domain
    "log": Function(np.log, lambda u: (power(u, Fraction(-1)),), None, _at_zero),
    "sqrt": Function(np.sqrt, None, lambda u: power(u, HALF), _at_zero),
}
