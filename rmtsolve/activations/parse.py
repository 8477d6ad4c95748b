"""Text to expression tree, by a whitelist; nothing that a user types is ever evaluated as code."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NoReturn

from ..errors import DomainError
from .expression import (
    Apply,
    Constant,
    Expression,
    Number,
    Parameter,
    Variable,
    add,
    multiply,
    negate,
    number,
    power,
    variables,
)
from .functions import FUNCTIONS

if TYPE_CHECKING:
    from .base import Activation

MAX_TEXT = 1000
MAX_DEPTH = 40
MAX_NODES = 500
_ALIASES = {"Abs": "abs", "Max": "max", "Min": "min", "atan": "arctan", "swish": "silu", "Heaviside": "step"}
_OPERATORS = "+ - * / **"


def activation(source: Any, *, kinks: Any = None, name: str | None = None, **parameters: Any) -> Activation:
    """Activation from a name, a text, a sympy expression or a function.

    Parameters
    ----------
    source : str, sympy expression, callable or Activation
        A library name (``"relu"``), a text in ``x`` (``"tanh(x) + x**2/2"``), a sympy expression with one free symbol
        named ``x`` (or only one free symbol), or a vectorised function of a real array.
    kinks : array_like of float, optional
        For a function: every point where it is not smooth. Without it they are detected.
    name : str, optional
        How the activation is shown.
    **parameters : number or sympy.Symbol
        Values of the other names in the text or expression, for instance ``slope=0.1`` for ``"leaky_relu"`` or
        ``t=0.5`` for ``"exp(t*x)"``. A sympy Symbol keeps the parameter symbolic: then only the symbolic methods work.

    Returns
    -------
    Activation

    Raises
    ------
    DomainError
        The text is not understood (the message names the token), the function is undefined on part of the line, or
        its square has no Gaussian mean.

    Examples
    --------
    >>> import rmtsolve as rmt
    >>> rmt.activation("relu").coefficients(4).round(6)
    array([ 0.398942,  0.5     ,  0.282095,  0.      , -0.081434])
    >>> rmt.activation("leaky_relu", slope=0.1) == rmt.activation("leaky_relu(x, 0.1)")
    True
    """
    from .base import Activation, from_callable, from_expression

    if isinstance(source, Activation):
        if kinks is not None or parameters:
            raise DomainError("kinks and parameters must be absent when the source already is an Activation")
        return source
    if isinstance(source, str):
        if kinks is not None:
            raise DomainError("kinks must be absent for a text: they follow from the expression")
        from .library import library_text

        text, defaults = library_text(source, parameters)
        tree = parse(text, ("x",), {**defaults, **parameters})
        return from_expression(tree, name or (source if source in defaults or text == source else str(tree)))
    if hasattr(source, "free_symbols") and hasattr(source, "subs"):
        from .sympy_bridge import from_sympy

        tree = from_sympy(source, parameters)
        return from_expression(tree, name or str(tree))
    if callable(source):
        if parameters:
            raise DomainError(f"parameters must be absent for a function, got {sorted(parameters)}")
        return from_callable(source, kinks, name)
    shown = repr(source)
    raise DomainError(
        f"activation must be a name, a text in x, a sympy expression or a function, "
        f"got {shown[:60]} of type {type(source).__name__}"
    )


def read_activation(source: Any, argument: str) -> Activation:
    """``activation(source)`` for an argument of another function, whose errors name that argument."""
    try:
        return activation(source)
    except DomainError as error:
        raise DomainError(f"{argument}: {error}") from error


def parse(text: str, names: tuple[str, ...], parameters: Mapping[str, Any] | None = None) -> Expression:
    """Expression tree of a text in the variables `names`.

    Allowed: numbers, ``pi``, ``e``, the variables, the parameters, the operators ``+ - * / **`` and the functions of
    the table. An exponent is a constant of size at most 100.
    """
    if not isinstance(text, str):
        raise DomainError(f"an expression must be a text, got {type(text).__name__}")
    if len(text) > MAX_TEXT:
        raise DomainError(f"an expression must have at most {MAX_TEXT} characters, got {len(text)}")
    if not text.strip():
        raise DomainError("an expression must not be empty; write for instance 'tanh(x)'")
    if "^" in text:
        raise DomainError(f"an expression must use ** for powers, got '^' in {text!r}")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise DomainError(f"an expression must be a formula such as 'tanh(x) + x**2/2', got {text[:80]!r}") from error
    nodes = sum(1 for _ in ast.walk(tree))
    if nodes > MAX_NODES:
        raise DomainError(f"an expression must have at most {MAX_NODES} parts, got {nodes}")
    return _Reader(names, parameters or {}).read(tree.body, 0)


class _Reader:
    """Walks a Python syntax tree and accepts only what `parse` documents."""

    def __init__(self, names: tuple[str, ...], parameters: Mapping[str, Any]) -> None:
        self.names = names
        self.parameters = {key: as_parameter(key, value) for key, value in parameters.items()}

    def read(self, node: ast.expr, depth: int) -> Expression:
        if depth > MAX_DEPTH:
            raise DomainError(f"an expression must be nested at most {MAX_DEPTH} deep, got more")
        if isinstance(node, ast.Constant):
            return self._number(node)
        if isinstance(node, ast.Name):
            return self._name(node.id)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            inner = self.read(node.operand, depth + 1)
            return negate(inner) if isinstance(node.op, ast.USub) else inner
        if isinstance(node, ast.BinOp):
            return self._binary(node, depth)
        if isinstance(node, ast.Call):
            return self._call(node, depth)
        _refuse(node)

    def _number(self, node: ast.Constant) -> Expression:
        value = node.value
        if isinstance(value, bool) or not isinstance(value, int | float):
            _refuse(node)
        if isinstance(value, float):
            if not abs(value) < 1e100 or (value and abs(value) < 1e-60):
                raise DomainError(f"a number in an expression must have a size between 1e-60 and 1e100, got {value!r}")
            return number(Fraction(repr(value)))  # the decimal as typed: 0.1 is one tenth
        return number(value)

    def _name(self, name: str) -> Expression:
        if name in self.names:
            return Variable(name)
        if name in self.parameters:
            return self.parameters[name]
        if name in ("pi", "e"):
            return Constant(name)
        known = [*self.names, "pi", "e", *FUNCTIONS]
        if name in FUNCTIONS:
            raise DomainError(f"the function {name} must have its argument, got {name!r} alone; write {name}(x)")
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; the variables are {', '.join(self.names)}"
        raise DomainError(
            f"a name in an expression must be a variable, pi, e, a parameter or a function, got {name!r}{hint}"
        )

    def _binary(self, node: ast.BinOp, depth: int) -> Expression:
        left, right = self.read(node.left, depth + 1), self.read(node.right, depth + 1)
        if isinstance(node.op, ast.Add):
            return add(left, right)
        if isinstance(node.op, ast.Sub):
            return add(left, negate(right))
        if isinstance(node.op, ast.Mult):
            return multiply(left, right)
        if isinstance(node.op, ast.Div):
            return multiply(left, power(right, Fraction(-1)))
        if isinstance(node.op, ast.Pow):
            return raise_to(left, right)
        raise DomainError(f"an operator in an expression must be one of {_OPERATORS}, got {type(node.op).__name__}")

    def _call(self, node: ast.Call, depth: int) -> Expression:
        if not isinstance(node.func, ast.Name):
            _refuse(node.func)
        name = _ALIASES.get(node.func.id, node.func.id)
        if node.keywords:
            raise DomainError(f"arguments of {name} must be given by position, got {node.keywords[0].arg!r}=...")
        if name in FUNCTIONS:
            return call(name, [self.read(argument, depth + 1) for argument in node.args])
        from .library import LIBRARY

        if name in LIBRARY and len(node.args) == 1:
            from .expression import substitute

            inner = self.read(node.args[0], depth + 1)
            return substitute(parse(LIBRARY[name], ("x",)), {"x": inner})
        near = difflib.get_close_matches(name, [*FUNCTIONS, *LIBRARY], n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise DomainError(
            f"a function in an expression must be one of {', '.join(sorted(FUNCTIONS))}, got {name!r}{hint}"
        )


def _refuse(node: ast.AST) -> NoReturn:
    token = ast.unparse(node) if isinstance(node, ast.expr) else type(node).__name__
    raise DomainError(f"an expression must contain only numbers, names, calls and {_OPERATORS}, got {token[:60]!r}")


def call(name: str, arguments: list[Expression]) -> Expression:
    """A function of the table with its default arguments filled in; max and min take any number of arguments."""
    function = FUNCTIONS[name]
    if name in ("max", "min"):
        if len(arguments) < 2:
            raise DomainError(f"the function {name} must have at least 2 arguments, got {len(arguments)}")
        result = arguments[0]
        for argument in arguments[1:]:
            result = Apply(name, (result, argument))
        return result
    least = function.arity - len(function.defaults)
    if not least <= len(arguments) <= function.arity:
        wanted = str(least) if least == function.arity else f"{least} or {function.arity}"
        raise DomainError(f"the function {name} must have {wanted} argument(s), got {len(arguments)}")
    filled = [*arguments, *function.defaults[len(arguments) - least :]]
    for extra in filled[least:]:
        if variables(extra):
            raise DomainError(f"the parameter of {name} must be constant, got {extra}")
    return Apply(name, tuple(filled))


def raise_to(base: Expression, exponent: Expression) -> Expression:
    """``base ** exponent``: a rational exponent, or a positive constant base."""
    if isinstance(exponent, Number):
        return power(base, Fraction(exponent.value))
    if isinstance(base, Constant) and base.name == "e":
        return Apply("exp", (exponent,))
    if not variables(base):
        return Apply("exp", (multiply(exponent, Apply("log", (base,))),))
    raise DomainError(f"an exponent must be a rational number unless the base is constant, got {exponent}")


def as_parameter(key: str, value: Any) -> Expression:
    """A number, or a symbol that keeps the parameter symbolic."""
    from .. import _validate

    if hasattr(value, "is_Symbol") and value.is_Symbol:
        return Parameter(value.name, value)
    if isinstance(value, Fraction):
        return number(value)
    if hasattr(value, "is_Rational") and value.is_Rational:
        return number(Fraction(int(value.p), int(value.q)))
    clean = _validate.real(value, key)
    return number(Fraction(repr(clean)))
