"""Expression trees: what an activation or a multi-index target is made of.

A tree is a value (frozen, hashable). It can be evaluated on arrays, differentiated and written as text; the exact
algebra (`algebra`) and the symbolic layer (`symbolic`) read the same tree, so that all of them mean the same function.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from ..errors import DomainError

MAX_MAGNITUDE = 10**100  # numbers, their numerators and denominators
MAX_EXPONENT = 100  # constant powers


@dataclass(frozen=True)
class Expression:
    """A node; one of the classes below."""

    def __str__(self) -> str:
        return _text(self, 0)


@dataclass(frozen=True)
class Number(Expression):
    """An exact rational, or a float for a number that a user gave as a float."""

    value: Fraction | float


@dataclass(frozen=True)
class Constant(Expression):
    """``pi`` or ``e``."""

    name: str


@dataclass(frozen=True)
class Variable(Expression):
    """The Gaussian argument, ``x`` (``z1, z2, ...`` for targets)."""

    name: str


@dataclass(frozen=True)
class Parameter(Expression):
    """A symbol without a value, such as the slope in ``leaky_relu(x, nu)``; only the symbolic layer can use it."""

    name: str
    symbol: Any  # the sympy Symbol with its assumptions


@dataclass(frozen=True)
class Sum(Expression):
    """A sum of two or more terms."""

    terms: tuple[Expression, ...]


@dataclass(frozen=True)
class Product(Expression):
    """A product of two or more factors."""

    factors: tuple[Expression, ...]


@dataclass(frozen=True)
class Power(Expression):
    """`base` to a constant exponent."""

    base: Expression
    exponent: Fraction


@dataclass(frozen=True)
class Apply(Expression):
    """A function of the table `functions.FUNCTIONS` at its arguments."""

    name: str
    arguments: tuple[Expression, ...]


ZERO, ONE = Number(Fraction(0)), Number(Fraction(1))
X = Variable("x")


# ---------------------------------------------------------------- building
def number(value: int | float | Fraction) -> Number:
    """A number node; integers and fractions stay exact."""
    exact = value if isinstance(value, float) else Fraction(value)
    if isinstance(exact, Fraction):
        if abs(exact.numerator) > MAX_MAGNITUDE or exact.denominator > MAX_MAGNITUDE:
            raise DomainError(
                "a number in an activation must be at most 1e100 in numerator and denominator, "
                f"got about {_digits(exact)} digits"
            )
    elif not math.isfinite(exact):
        raise DomainError(f"a number in an activation must be finite, got {exact}")
    return Number(exact)


def _digits(value: Fraction) -> int:
    return int(max(abs(value.numerator).bit_length(), value.denominator.bit_length()) * 0.30103) + 1


def add(*terms: Expression) -> Expression:
    """Sum with constants folded."""
    flat: list[Expression] = []
    constant: Fraction | float = Fraction(0)
    for term in terms:
        for part in term.terms if isinstance(term, Sum) else (term,):
            if isinstance(part, Number):
                constant = number(constant + part.value).value
            else:
                flat.append(part)
    if constant != 0:
        flat.append(Number(constant))
    return _collapse(flat, Sum, ZERO)


def multiply(*factors: Expression) -> Expression:
    """Product with constants folded."""
    flat: list[Expression] = []
    constant: Fraction | float = Fraction(1)
    for factor in factors:
        for part in factor.factors if isinstance(factor, Product) else (factor,):
            if isinstance(part, Number):
                constant = number(constant * part.value).value
            else:
                flat.append(part)
    if constant == 0:
        return ZERO
    if constant != 1:
        flat.insert(0, Number(constant))
    return _collapse(flat, Product, ONE)


def _collapse(parts: list[Expression], kind: Any, empty: Expression) -> Expression:
    if not parts:
        return empty
    return parts[0] if len(parts) == 1 else kind(tuple(parts))


def negate(node: Expression) -> Expression:
    """``-node``."""
    return multiply(number(-1), node)


def power(base: Expression, exponent: Fraction) -> Expression:
    """``base ** exponent``; numbers are folded only after their size is known to be small."""
    if exponent == 0:
        return ONE
    if exponent == 1:
        return base
    if abs(exponent) > MAX_EXPONENT:
        raise DomainError(f"an exponent must be between -{MAX_EXPONENT} and {MAX_EXPONENT}, got {float(exponent):.6g}")
    if isinstance(base, Number):
        if base.value == 0 and exponent < 0:
            raise DomainError("a divisor must be different from zero, got 0")
        if exponent.denominator == 1:
            value = Fraction(base.value)
            if max(abs(value.numerator), value.denominator).bit_length() * abs(int(exponent)) > 334:
                raise DomainError(f"a number in an activation must be at most 1e100, got {value}**{exponent}")
            folded = value ** int(exponent)
            return number(float(folded) if isinstance(base.value, float) else folded)
    if isinstance(base, Power) and exponent.denominator == 1 and abs(base.exponent * exponent) <= MAX_EXPONENT:
        return power(base.base, base.exponent * exponent)
    return Power(base, exponent)


def apply(name: str, *arguments: Expression) -> Expression:
    """Function `name` of the table at its arguments."""
    return Apply(name, arguments)


# ---------------------------------------------------------------- reading
def children(node: Expression) -> tuple[Expression, ...]:
    """Direct sub-expressions."""
    if isinstance(node, Sum):
        return node.terms
    if isinstance(node, Product):
        return node.factors
    if isinstance(node, Power):
        return (node.base,)
    return node.arguments if isinstance(node, Apply) else ()


def rebuild(node: Expression, parts: tuple[Expression, ...]) -> Expression:
    """The same node over other sub-expressions."""
    if isinstance(node, Sum):
        return add(*parts)
    if isinstance(node, Product):
        return multiply(*parts)
    if isinstance(node, Power):
        return power(parts[0], node.exponent)
    return Apply(node.name, parts) if isinstance(node, Apply) else node


def substitute(node: Expression, values: Mapping[str, Expression]) -> Expression:
    """The tree with variables replaced."""
    if isinstance(node, Variable):
        return values.get(node.name, node)
    parts = children(node)
    return rebuild(node, tuple(substitute(part, values) for part in parts)) if parts else node


def variables(node: Expression) -> frozenset[str]:
    """Names of the variables that occur."""
    if isinstance(node, Variable):
        return frozenset((node.name,))
    return frozenset().union(*(variables(part) for part in children(node)))


def parameters(node: Expression) -> frozenset[str]:
    """Names of the symbols without a value that occur."""
    if isinstance(node, Parameter):
        return frozenset((node.name,))
    return frozenset().union(*(parameters(part) for part in children(node)))


def evaluate(node: Expression, values: Mapping[str, Any]) -> Any:
    """Value on arrays; floating-point warnings are the caller's to silence."""
    if isinstance(node, Number):
        return float(node.value)
    if isinstance(node, Constant):
        return math.pi if node.name == "pi" else math.e
    if isinstance(node, Variable):
        return values[node.name]
    if isinstance(node, Sum):
        total = evaluate(node.terms[0], values)
        for term in node.terms[1:]:
            total = total + evaluate(term, values)
        return total
    if isinstance(node, Product):
        result = evaluate(node.factors[0], values)
        for factor in node.factors[1:]:
            result = result * evaluate(factor, values)
        return result
    if isinstance(node, Power):
        return _power(evaluate(node.base, values), node.exponent)
    if isinstance(node, Apply):
        from .functions import FUNCTIONS

        return FUNCTIONS[node.name].evaluate(*(evaluate(part, values) for part in node.arguments))
    assert isinstance(node, Parameter)
    raise DomainError(f"the parameter {node.name} needs a number for numerical values; pass {node.name}=... instead")


def _power(base: Any, exponent: Fraction) -> Any:
    if exponent.denominator == 1:
        n = abs(int(exponent))
        result = base * base if n == 2 else base * base * base if n == 3 else base**n
        return 1.0 / np.asarray(result) if exponent < 0 else result
    if exponent.denominator == 2 and exponent == Fraction(1, 2):
        return np.sqrt(base)
    return np.power(base, float(exponent))


def differentiate(node: Expression, name: str = "x") -> Expression:
    """Derivative almost everywhere by the variable `name` (jumps are the caller's to check)."""
    if name not in variables(node):
        return ZERO
    if isinstance(node, Variable):
        return ONE
    if isinstance(node, Sum):
        return add(*(differentiate(term, name) for term in node.terms))
    if isinstance(node, Product):
        factors = node.factors
        return add(
            *(
                multiply(differentiate(factor, name), *factors[:i], *factors[i + 1 :])
                for i, factor in enumerate(factors)
            )
        )
    if isinstance(node, Power):
        inner = differentiate(node.base, name)
        return multiply(Number(node.exponent), power(node.base, node.exponent - 1), inner)
    assert isinstance(node, Apply)
    from .functions import FUNCTIONS

    function = FUNCTIONS[node.name]
    if function.derivative is None:
        return differentiate(expand(node), name)
    return add(
        *(
            multiply(partial, differentiate(argument, name))
            for partial, argument in zip(function.derivative(*node.arguments), node.arguments, strict=True)
        )
    )


def expand(node: Apply) -> Expression:
    """The definition of a function that the table builds from simpler ones."""
    from .functions import FUNCTIONS

    definition: Callable[..., Expression] | None = FUNCTIONS[node.name].definition
    assert definition is not None, node.name
    return definition(*node.arguments)


# ---------------------------------------------------------------- text
def _text(node: Expression, level: int) -> str:
    """`level` 0: no brackets needed, 1: inside a product, 2: base of a power."""
    if isinstance(node, Number):
        text = str(node.value) if isinstance(node.value, Fraction) else repr(node.value)
        return f"({text})" if level and (text.startswith("-") or "/" in text) else text
    if isinstance(node, Constant | Variable | Parameter):
        return node.name
    if isinstance(node, Apply):
        return f"{node.name}({', '.join(_text(part, 0) for part in node.arguments)})"
    if isinstance(node, Power):
        exponent = str(node.exponent)
        bare = node.exponent.denominator == 1 and node.exponent > 0
        text = f"{_text(node.base, 2)}**" + (exponent if bare else f"({exponent})")
        return f"({text})" if level == 2 else text
    if isinstance(node, Product):
        factors = node.factors
        if factors[0] == Number(Fraction(-1)):
            text = "-" + "*".join(_text(part, 1) for part in factors[1:])
            return f"({text})" if level else text
        text = "*".join(
            [_text(factors[0], 0 if isinstance(factors[0], Number) else 1), *(_text(p, 1) for p in factors[1:])]
        )
        return f"({text})" if level == 2 or (level and text.startswith("-")) else text
    assert isinstance(node, Sum)
    text = _text(node.terms[0], 0)
    for term in node.terms[1:]:
        part = _text(term, 0)
        text += f" - {part[1:]}" if part.startswith("-") else f" + {part}"
    return f"({text})" if level else text
