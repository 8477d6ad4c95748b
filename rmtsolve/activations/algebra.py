"""Exact algebra: activations that are finite sums of polynomial times elementary atom.

The atoms are ``exp(c + l x - b x^2/2) cos(w x + p)`` (`Wave`; all zero: the constant 1), ``erf(s x + o)``,
the normal distribution function ``Phi(s x + o)`` and the steps ``1{x > t}``, ``1{x < t}``. The set is closed under
sums, products by polynomials and waves, shift, scale and derivative; `closed` writes an expression tree in it or
raises `NotClosed`. The scalars live in a `Field`: floats, mpmath numbers or sympy expressions, so that one formula
serves all three.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from ..errors import DomainError
from .expression import (
    Apply,
    Constant,
    Expression,
    Number,
    Parameter,
    Power,
    Product,
    Sum,
    Variable,
    expand,
    variables,
)
from .functions import FUNCTIONS

MAX_TERMS = 200
MAX_DEGREE = 200


class NotClosed(Exception):
    """The expression has a part outside the algebra; `.part` is that part."""

    def __init__(self, part: Expression) -> None:
        super().__init__(str(part))
        self.part = part


class Wave(NamedTuple):
    """``exp(level + growth x - decay x^2/2) cos(frequency x + phase)``."""

    decay: Any = 0
    growth: Any = 0
    frequency: Any = 0
    phase: Any = 0
    level: Any = 0


class ErrorFunction(NamedTuple):
    """``erf(slope x + offset)``."""

    slope: Any
    offset: Any


class NormalCdf(NamedTuple):
    """``Phi(slope x + offset)``."""

    slope: Any
    offset: Any


class Step(NamedTuple):
    """``1{x > threshold}``, or ``1{x < threshold}`` when `side` is -1."""

    threshold: Any
    side: int = 1


class HalfExponential(NamedTuple):
    """``exp(level + growth x)`` on ``x > threshold``, or on ``x < threshold`` when `side` is -1; symbolic only."""

    growth: Any
    level: Any
    threshold: Any
    side: int


Atom = Wave | ErrorFunction | NormalCdf | Step | HalfExponential
UNIT = Wave()


class Term(NamedTuple):
    """A polynomial (coefficients of 1, x, x^2, ...) times an atom."""

    poly: tuple[Any, ...]
    atom: Atom


Terms = tuple[Term, ...]


class Field:
    """Floats; subclasses give mpmath numbers and sympy expressions."""

    halves = False  # are exponentials on half-lines atoms? (their recurrence is not stable in floats)

    def rational(self, value: Fraction | float) -> Any:
        """An exact rational, or a float."""
        return float(value)

    def constant(self, name: str) -> Any:
        """``pi`` or ``e``."""
        return math.pi if name == "pi" else math.e

    def parameter(self, node: Parameter) -> Any:
        """A symbol without a value."""
        raise NotClosed(node)

    def function(self, name: str, arguments: Sequence[Any]) -> Any:
        """A function of constants."""
        import numpy as np

        with np.errstate(all="ignore"):
            return float(FUNCTIONS[name].evaluate(*arguments))

    def power(self, base: Any, exponent: Fraction) -> Any:
        """A constant to a rational exponent."""
        if (base < 0 and exponent.denominator != 1) or (base == 0 and exponent < 0):
            raise DomainError(f"a constant power must be real, got ({base})**({exponent})")
        return float(base) ** float(exponent)

    def sign(self, value: Any) -> int:
        """Sign of a scalar; raises `NotClosed` when a symbol leaves it open."""
        return int(value > 0) - int(value < 0)


FLOAT = Field()


def closed(node: Expression, field: Field = FLOAT) -> Terms:
    """The expression in ``x`` as a finite sum of terms.

    Raises
    ------
    NotClosed
        Some part is outside the algebra.
    """
    if not variables(node):
        return (Term((scalar(node, field),), UNIT),)
    if isinstance(node, Variable):
        return (Term((field.rational(Fraction(0)), field.rational(Fraction(1))), UNIT),)
    if isinstance(node, Sum):
        return collect([term for part in node.terms for term in closed(part, field)], field, node)
    if isinstance(node, Product):
        result = closed(node.factors[0], field)
        for factor in node.factors[1:]:
            result = times(result, closed(factor, field), field, node)
        return result
    if isinstance(node, Power):
        return _closed_power(node, field)
    assert isinstance(node, Apply)
    return _closed_call(node, field)


def _closed_power(node: Power, field: Field) -> Terms:
    if isinstance(node.base, Apply) and node.base.name == "exp":
        inner = Product((Number(node.exponent), node.base.arguments[0]))
        return _closed_call(Apply("exp", (inner,)), field)
    if node.exponent.denominator != 1 or node.exponent < 0:
        raise NotClosed(node)
    base = closed(node.base, field)
    result = base
    for _ in range(int(node.exponent) - 1):
        result = times(result, base, field, node)
    return result


def _closed_call(node: Apply, field: Field) -> Terms:
    one = field.rational(Fraction(1))
    if node.name == "exp":
        c, growth, curvature = _polynomial(node, 2, field)
        return (Term((one,), Wave(-2 * curvature, growth, 0 * one, 0 * one, c)),)
    if node.name in ("sin", "cos"):
        phase, frequency = _polynomial(node, 1, field)
        if node.name == "sin":  # sin u = cos(u - pi/2)
            phase = phase - field.constant("pi") / 2
        return (Term((one,), Wave(0 * one, 0 * one, frequency, phase, 0 * one)),)
    if node.name in ("erf", "normal_cdf"):
        offset, slope = _polynomial(node, 1, field)
        return (Term((one,), (ErrorFunction if node.name == "erf" else NormalCdf)(slope, offset)),)
    if node.name == "step":
        offset, slope = _polynomial(node, 1, field)
        return (Term((one,), Step(-offset / slope, field.sign(slope))),)
    if FUNCTIONS[node.name].definition is not None:
        return closed(expand(node), field)
    raise NotClosed(node)


def _polynomial(node: Apply, degree: int, field: Field) -> list[Any]:
    """Coefficients of the argument of `node`, padded to `degree`; not a polynomial of that degree: not closed."""
    terms = closed(node.arguments[0], field)
    if len(terms) != 1 or terms[0].atom != UNIT or len(terms[0].poly) > degree + 1:
        raise NotClosed(node)
    return [*terms[0].poly, *([field.rational(Fraction(0))] * (degree + 1 - len(terms[0].poly)))]


def scalar(node: Expression, field: Field) -> Any:
    """Value of an expression without variables."""
    if isinstance(node, Number):
        return field.rational(node.value)
    if isinstance(node, Constant):
        return field.constant(node.name)
    if isinstance(node, Parameter):
        return field.parameter(node)
    if isinstance(node, Sum):
        return sum((scalar(part, field) for part in node.terms[1:]), scalar(node.terms[0], field))
    if isinstance(node, Product):
        result = scalar(node.factors[0], field)
        for factor in node.factors[1:]:
            result = result * scalar(factor, field)
        return result
    if isinstance(node, Power):
        return field.power(scalar(node.base, field), node.exponent)
    assert isinstance(node, Apply)
    return field.function(node.name, [scalar(part, field) for part in node.arguments])


# ---------------------------------------------------------------- ring operations
def collect(terms: Sequence[Term], field: Field, source: Expression) -> Terms:
    """Terms with equal atoms added; vanishing ones dropped."""
    merged: dict[tuple[type, Atom], tuple[Any, ...]] = {}  # named tuples of different classes may be equal
    for poly, atom in terms:
        key = (type(atom), atom)
        if key in merged:
            old = merged[key]
            width = max(len(old), len(poly))
            zero = field.rational(Fraction(0))
            padded = [(*p, *([zero] * (width - len(p)))) for p in (old, poly)]
            poly = tuple(x + y for x, y in zip(*padded, strict=True))
        merged[key] = _trim(poly)
    kept = tuple(Term(poly, atom) for (_, atom), poly in merged.items() if poly)
    if len(kept) > MAX_TERMS or any(len(poly) > MAX_DEGREE + 1 for poly, _ in kept):
        raise NotClosed(source)
    return kept or (Term((field.rational(Fraction(0)),), UNIT),)


def _trim(poly: tuple[Any, ...]) -> tuple[Any, ...]:
    size = len(poly)
    while size and poly[size - 1] == 0:
        size -= 1
    return poly[:size]


def times(left: Terms, right: Terms, field: Field, source: Expression) -> Terms:
    """Product of two sums of terms."""
    if len(left) * len(right) > 4 * MAX_TERMS:
        raise NotClosed(source)
    result = [
        Term(_convolve(a.poly, b.poly, weight), atom)
        for a in left
        for b in right
        for weight, atom in atom_product(a.atom, b.atom, field, source)
    ]
    return collect(result, field, source)


def _convolve(p: tuple[Any, ...], q: tuple[Any, ...], weight: Any) -> tuple[Any, ...]:
    out: list[Any] = [0 * weight] * (len(p) + len(q) - 1)
    for i, x in enumerate(p):
        for j, y in enumerate(q):
            out[i + j] = out[i + j] + x * y * weight
    return tuple(out)


def atom_product(a: Atom, b: Atom, field: Field, source: Expression) -> list[tuple[Any, Atom]]:
    """Product of two atoms as a combination of atoms."""
    one = field.rational(Fraction(1))
    if a == UNIT:
        return [(one, b)]
    if b == UNIT:
        return [(one, a)]
    if isinstance(a, Wave) and isinstance(b, Wave):
        base = (a.decay + b.decay, a.growth + b.growth)
        level = a.level + b.level
        if a.frequency == 0 and a.phase == 0:
            return [(one, Wave(*base, b.frequency, b.phase, level))]
        if b.frequency == 0 and b.phase == 0:
            return [(one, Wave(*base, a.frequency, a.phase, level))]
        half = field.rational(Fraction(1, 2))  # cos A cos B = [cos(A + B) + cos(A - B)] / 2
        both: list[tuple[Any, Atom]] = []
        for sign in (1, -1):
            frequency, phase = a.frequency + sign * b.frequency, a.phase + sign * b.phase
            if frequency == 0:  # a constant: into the weight
                both.append((half * field.function("cos", [phase]), Wave(*base, 0 * one, 0 * one, level)))
            else:
                both.append((half, Wave(*base, frequency, phase, level)))
        return both
    if isinstance(a, Step) and isinstance(b, Step):
        gap = field.sign(a.threshold - b.threshold)
        if a.side == b.side:  # the smaller half-line
            return [(one, a if gap * a.side >= 0 else b)]
        low, high = (a, b) if a.side > 0 else (b, a)
        if field.sign(low.threshold - high.threshold) >= 0:
            return []
        return [(one, low), (-one, Step(high.threshold, 1))]
    if field.halves:
        wave, step = (a, b) if isinstance(a, Wave) else (b, a)
        if isinstance(wave, Wave) and isinstance(step, Step) and wave.decay == 0 and wave.frequency == 0:
            weight = field.function("cos", [wave.phase])
            return [(weight, HalfExponential(wave.growth, wave.level, step.threshold, step.side))]
    raise NotClosed(source)
