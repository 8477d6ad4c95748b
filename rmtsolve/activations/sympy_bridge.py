"""From sympy expressions to our trees, by a whitelist; other symbols than the variable stay symbolic."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from ..errors import DomainError
from .expression import (
    Constant,
    Expression,
    Parameter,
    Variable,
    add,
    apply,
    multiply,
    negate,
    number,
    power,
)
from .parse import MAX_DEPTH, MAX_NODES, as_parameter, call, raise_to

_NAMES = {
    "Abs": "abs", "Max": "max", "Min": "min", "atan": "arctan", "erf": "erf", "erfc": "erfc", "exp": "exp",
    "log": "log", "sin": "sin", "cos": "cos", "sinh": "sinh", "cosh": "cosh", "tanh": "tanh", "sign": "sign",
}  # fmt: skip


def from_sympy(source: Any, parameters: Mapping[str, Any], names: tuple[str, ...] = ("x",)) -> Expression:
    """Expression tree of a sympy expression in the variables `names`.

    A single free symbol that is not a parameter is the variable, whatever it is called. Other symbols keep their
    assumptions and can only be used in closed forms.

    Raises
    ------
    DomainError
        A function or constant that we do not know, too large an expression, or no telling which symbol is the variable.
    """
    import itertools

    import sympy

    if not isinstance(source, sympy.Expr):
        raise DomainError(f"an activation must be a scalar sympy expression, got {type(source).__name__}")
    count = sum(1 for _ in itertools.islice(sympy.preorder_traversal(source), MAX_NODES + 1))
    if count > MAX_NODES:
        raise DomainError(f"an expression must have at most {MAX_NODES} parts, got more")
    given = {key: as_parameter(key, value) for key, value in parameters.items()}
    free = sorted((one for one in source.free_symbols if one.name not in given), key=lambda one: str(one.name))
    known = [one for one in free if one.name in names]
    if not known and names == ("x",) and len(free) == 1:
        table: dict[str, Expression] = {free[0].name: Variable("x")}
    elif free and not known:
        raise DomainError(
            f"an activation must have one free symbol or one named x, got {', '.join(str(one) for one in free)}; "
            "pass the values of the others by name"
        )
    else:
        table = {one.name: Variable(one.name) for one in known}
        table |= {one.name: Parameter(one.name, one) for one in free if one.name not in names}
    return _Reader(table | given).read(source, 0)


class _Reader:
    """Walks a sympy tree and accepts only what it knows."""

    def __init__(self, symbols: Mapping[str, Expression]) -> None:
        self.symbols = symbols

    def read(self, node: Any, depth: int) -> Expression:
        import sympy

        if depth > MAX_DEPTH:
            raise DomainError(f"an expression must be nested at most {MAX_DEPTH} deep, got more")
        if node.is_Rational:
            return number(Fraction(int(node.p), int(node.q)))
        if node.is_Float:
            return number(float(node))
        if node in (sympy.pi, sympy.E):
            return Constant("pi" if node == sympy.pi else "e")
        if node.is_Symbol:
            return self.symbols[node.name]
        if isinstance(node, sympy.Piecewise):
            return self._piecewise(node, depth)
        parts = [self.read(part, depth + 1) for part in node.args]
        if node.is_Add:
            return add(*parts)
        if node.is_Mul:
            return multiply(*parts)
        if node.is_Pow:
            return raise_to(parts[0], parts[1])
        name = type(node).__name__
        if name in _NAMES:
            return call(_NAMES[name], parts)
        if name in _REWRITTEN:
            return _REWRITTEN[name](*parts)
        raise DomainError(f"a function in an activation must be one of {', '.join(sorted(_NAMES))}, got {name}")

    def _piecewise(self, node: Any, depth: int) -> Expression:
        """Nested ``where`` from the last case to the first."""
        import sympy

        *cases, (last, condition) = node.args
        if condition not in (True, sympy.true):
            raise DomainError("a Piecewise must have a last case that always holds, got one without; add (value, True)")
        result = self.read(last, depth + 1)
        for value, condition in reversed(cases):
            result = self._choose(condition, self.read(value, depth + 1), result, depth + 1)
        return result

    def _choose(self, condition: Any, value: Expression, other: Expression, depth: int) -> Expression:
        """`value` where the condition holds, else `other` (single points do not matter)."""
        import sympy

        if depth > MAX_DEPTH:
            raise DomainError(f"an expression must be nested at most {MAX_DEPTH} deep, got more")
        if isinstance(condition, sympy.And):
            choose = functools.partial(self._choose, other=other, depth=depth + 1)
            return functools.reduce(lambda inner, part: choose(part, inner), condition.args, value)
        if isinstance(condition, sympy.Or):
            return functools.reduce(
                lambda rest, part: self._choose(part, value, rest, depth + 1), condition.args, other
            )
        if isinstance(condition, sympy.Not):
            return self._choose(condition.args[0], other, value, depth + 1)
        if isinstance(condition, sympy.Eq | sympy.Ne):
            return other if isinstance(condition, sympy.Eq) else value
        if not isinstance(condition, sympy.Gt | sympy.Ge | sympy.Lt | sympy.Le):
            raise DomainError(f"a condition of a Piecewise must be made of inequalities, got {condition}")
        gap = add(self.read(condition.gts, depth), negate(self.read(condition.lts, depth)))
        return call("where", [gap, value, other])


_REWRITTEN: dict[str, Callable[..., Expression]] = {
    "Heaviside": lambda u, *_: apply("step", u),
    "sech": lambda u: power(apply("cosh", u), Fraction(-1)),
}
