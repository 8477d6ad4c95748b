"""Targets as sums of products of functions of one linear form each: their Hermite coefficients are exact.

A term is ``w z^n prod_G f_G(a_G . z + b_G)`` whose groups G have disjoint variables. With ``s = |a|``, ``u = a/s``, by
the rotation invariance of the Gaussian,

    E[h_alpha(z) f(a . z + b)] = sqrt(k! / alpha!) u^alpha c_k(f(b + s .)),   k = |alpha|,

so that every coefficient is a product of one-dimensional ones. ``max(u, v) = v + relu(u - v)``, products inside sign
and abs and sums inside exp are taken apart first. Source: derived.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from fractions import Fraction

from ..activations.algebra import FLOAT, scalar
from ..activations.expression import (
    ONE,
    Apply,
    Expression,
    Number,
    Power,
    Product,
    Sum,
    Variable,
    X,
    add,
    apply,
    children,
    expand,
    multiply,
    negate,
    number,
    power,
    rebuild,
    substitute,
    variables,
)

MAX_TERMS = 400


@dataclass(frozen=True)
class Group:
    """``function(direction . z)`` of the variables in `axes`; the shift is part of the function (of x)."""

    axes: tuple[int, ...]
    direction: tuple[Expression, ...]
    function: Expression


@dataclass(frozen=True)
class SeparableTerm:
    """A weight without variables times groups of disjoint variables."""

    weight: Expression
    groups: tuple[Group, ...]


_Key = tuple[tuple[int, ...], tuple[Expression, ...]]  # powers of the variables, other factors


def separate(tree: Expression, names: tuple[str, ...]) -> tuple[tuple[SeparableTerm, ...], Expression | None]:
    """The separable terms, and the sum of all others (None when there is none)."""
    terms = _expand(tree, names)
    if terms is None:
        return (), tree
    found: list[SeparableTerm] = []
    rest: list[Expression] = []
    for (powers, factors), weight in terms.items():
        if weight == number(0):
            continue
        groups = _groups(powers, factors, names)
        if groups is None:
            monomial = [power(Variable(name), Fraction(n)) for name, n in zip(names, powers, strict=True) if n]
            rest.append(multiply(weight, *monomial, *factors))
        else:
            found.append(SeparableTerm(weight, groups))
    return tuple(found), add(*rest) if rest else None


# ---------------------------------------------------------------- multiplying out
def _expand(node: Expression, names: tuple[str, ...]) -> dict[_Key, Expression] | None:
    """Sum of weights times monomials times other factors; None when that gets too long."""
    nothing = (0,) * len(names)
    if not variables(node):
        return {(nothing, ()): node}
    if isinstance(node, Variable):
        powers = tuple(int(name == node.name) for name in names)
        return {(powers, ()): ONE}
    if isinstance(node, Sum):
        total: dict[_Key, Expression] = {}
        for term in node.terms:
            part = _expand(term, names)
            if part is None:
                return None
            for key, weight in part.items():
                total[key] = add(total[key], weight) if key in total else weight
        return total if len(total) <= MAX_TERMS else None
    if isinstance(node, Product):
        return _multiply([_expand(factor, names) for factor in node.factors])
    if isinstance(node, Power) and node.exponent.denominator == 1 and node.exponent > 0:
        base = _expand(node.base, names)
        return _multiply([base] * int(node.exponent)) if base is None or len(base) > 1 else _one_term_power(base, node)
    if isinstance(node, Apply):
        changed = _taken_apart(node)
        if changed is not None:
            return _expand(changed, names)
    return {(nothing, (node,)): ONE}


def _one_term_power(base: dict[_Key, Expression], node: Power) -> dict[_Key, Expression]:
    ((powers, factors), weight) = next(iter(base.items()))
    n = int(node.exponent)
    return {
        (tuple(n * p for p in powers), tuple(power(factor, node.exponent) for factor in factors)): power(
            weight, node.exponent
        )
    }


def _multiply(parts: list[dict[_Key, Expression] | None]) -> dict[_Key, Expression] | None:
    result: dict[_Key, Expression] | None = None
    for part in parts:
        if part is None:
            return None
        if result is None:
            result = dict(part)
            continue
        if len(result) * len(part) > 50 * MAX_TERMS:
            return None
        product: dict[_Key, Expression] = {}
        for ((p, f), v), ((q, g), w) in itertools.product(result.items(), part.items()):
            key = tuple(a + b for a, b in zip(p, q, strict=True)), tuple(sorted((*f, *g), key=str))
            weight = multiply(v, w)
            product[key] = add(product[key], weight) if key in product else weight
        if len(product) > MAX_TERMS:
            return None
        result = product
    return result


def _taken_apart(node: Apply) -> Expression | None:
    """An equal expression whose parts depend on fewer variables, or None."""
    if len(variables(node)) < 2:
        return None
    if node.name in ("max", "min"):
        return expand(node)
    inner = node.arguments[0]
    if node.name in ("sign", "abs") and isinstance(inner, Product):
        return multiply(
            *(apply(node.name, factor) if variables(factor) else _constant(node, factor) for factor in inner.factors)
        )
    if node.name == "exp" and isinstance(inner, Sum):
        return multiply(*(apply("exp", term) for term in inner.terms))
    return None


def _constant(node: Apply, factor: Expression) -> Expression:
    if isinstance(factor, Number):
        value = Fraction(factor.value)
        return number(abs(value)) if node.name == "abs" else number(int(value > 0) - int(value < 0))
    return apply(node.name, factor)


# ---------------------------------------------------------------- groups
def _groups(
    powers: tuple[int, ...], factors: tuple[Expression, ...], names: tuple[str, ...]
) -> tuple[Group, ...] | None:
    """Functions of one linear form each, with disjoint variables; None when that is impossible."""
    used: dict[tuple[int, ...], list[Expression]] = {}
    for axis, n in enumerate(powers):
        if n:
            used.setdefault((axis,), []).append(power(Variable(names[axis]), Fraction(n)))
    for factor in factors:
        axes = tuple(i for i, name in enumerate(names) if name in variables(factor))
        used.setdefault(axes, []).append(factor)
    every = [axis for axes in used for axis in axes]
    if len(every) != len(set(every)):
        return None
    groups = []
    for axes, parts in used.items():
        function = multiply(*parts)
        if len(axes) == 1:
            groups.append(Group(axes, (ONE,), substitute(function, {names[axes[0]]: X})))
            continue
        form = _common_form(function, tuple(names[i] for i in axes))
        if form is None:
            return None
        groups.append(Group(axes, *form))
    return tuple(groups)


def _common_form(function: Expression, names: tuple[str, ...]) -> tuple[tuple[Expression, ...], Expression] | None:
    """Direction and function of x when all variables enter through multiples of one linear form."""
    direction: list[tuple[Expression, ...]] = []

    def visit(node: Expression) -> Expression | None:
        if not variables(node):
            return node
        form = linear_form(node, names)
        if form is not None:
            *slopes, offset = form
            if all(slope == number(0) for slope in slopes):
                return None
            if not direction:
                direction.append(tuple(slopes))
            factor = _multiple(tuple(slopes), direction[0])
            return None if factor is None else add(multiply(factor, X), offset)
        parts = [visit(part) for part in children(node)]
        return None if any(part is None for part in parts) or not parts else rebuild(node, tuple(p for p in parts if p))

    changed = visit(function)
    return None if changed is None or not direction else (direction[0], changed)


def linear_form(node: Expression, names: tuple[str, ...]) -> list[Expression] | None:
    """Slopes and offset of a function that is linear in the variables, as trees; None for any other."""
    found: dict[str, Expression] = {name: number(0) for name in (*names, "")}
    for term in node.terms if isinstance(node, Sum) else (node,):
        inside = [factor for factor in (term.factors if isinstance(term, Product) else (term,)) if variables(factor)]
        if len(inside) > 1 or (inside and not isinstance(inside[0], Variable | Sum)):
            return None
        outside = [f for f in (term.factors if isinstance(term, Product) else (term,)) if not variables(f)]
        weight = multiply(*outside) if outside else ONE
        if not inside:
            found[""] = add(found[""], weight)
        elif isinstance(inside[0], Variable):
            found[inside[0].name] = add(found[inside[0].name], weight)
        else:
            form = linear_form(inside[0], names)
            if form is None:
                return None
            for name, value in zip((*names, ""), form, strict=True):
                found[name] = add(found[name], multiply(weight, value))
    return [found[name] for name in (*names, "")]


def _multiple(slopes: tuple[Expression, ...], direction: tuple[Expression, ...]) -> Expression | None:
    """The factor t with ``slopes = t direction``, or None."""
    if slopes == direction:
        return ONE
    if not all(isinstance(one, Number) and isinstance(one.value, Fraction) for one in (*slopes, *direction)):
        return ONE if slopes == direction else (negate(ONE) if slopes == tuple(negate(d) for d in direction) else None)
    a = [one.value for one in slopes if isinstance(one, Number)]
    d = [one.value for one in direction if isinstance(one, Number)]
    lead = next((i for i, value in enumerate(d) if value), None)
    if lead is None:
        return None
    factor = a[lead] / d[lead]
    return number(factor) if all(x == factor * y for x, y in zip(a, d, strict=True)) else None


def float_value(node: Expression) -> float:
    """A weight or slope as a float."""
    return float(scalar(node, FLOAT))
