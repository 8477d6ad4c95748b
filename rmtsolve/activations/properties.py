"""What can be read off an expression tree: parity and the points where it is not smooth."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from .algebra import FLOAT, UNIT, NotClosed, closed
from .expression import (
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
    evaluate,
    expand,
    multiply,
    number,
    substitute,
    variables,
)
from .functions import FUNCTIONS, HALF

Real = NDArray[np.float64]

_ODD = {"sin", "sinh", "tanh", "erf", "sign", "arctan", "softsign", "hard_tanh"}
_EVEN = {"cos", "cosh", "abs", "log_cosh"}
MAX_PIECES = 64
_WINDOW = 64.0  # breakpoints of arguments that are not polynomials are looked for in [-64, 64]


@functools.lru_cache(maxsize=1024)
def parity(node: Expression, name: str = "x") -> int:
    """+1 even, -1 odd, 0 neither or unknown, as a function of the variable `name`."""
    if name not in variables(node):
        return 0 if node == Number(0.0) else 1
    if isinstance(node, Variable):
        return -1
    if isinstance(node, Sum):
        signs = {parity(part, name) for part in node.terms}
        return signs.pop() if len(signs) == 1 else 0
    if isinstance(node, Product):
        return math.prod(parity(part, name) for part in node.factors)
    if isinstance(node, Power):
        inner = parity(node.base, name)
        if node.exponent.denominator != 1:
            return max(inner, 0)
        return int(inner ** abs(int(node.exponent)))
    assert isinstance(node, Apply)
    parities = [parity(part, name) for part in node.arguments]
    if all(sign == 1 for sign in parities):
        return 1
    if node.name in _ODD | _EVEN and parities[0] == -1:
        return -1 if node.name in _ODD else 1
    if FUNCTIONS[node.name].definition is not None and node.name not in ("relu", "leaky_relu", "gelu"):
        return parity(expand(node), name)
    return 0


def pieces(node: Expression) -> list[Expression]:
    """Additive parts; products are multiplied out, a polynomial plus a function with a parity is taken apart."""
    if not variables(node):
        return [node]
    if isinstance(node, Sum):
        result = [piece for term in node.terms for piece in pieces(term)]
    elif isinstance(node, Product):
        result = [ONE]
        for factor in node.factors:
            parts = pieces(factor)
            if len(result) * len(parts) > MAX_PIECES:
                return [node]
            result = [multiply(one, part) for one in result for part in parts]
    elif isinstance(node, Apply) and node.name in _SEPARABLE:
        result = pieces(_SEPARABLE[node.name](*node.arguments))
    else:
        return [node]
    return result if len(result) <= MAX_PIECES else [node]


def _half(*terms: Expression) -> Expression:
    return multiply(number(HALF), add(*terms))


def _defined(name: str, *arguments: Expression) -> Expression:
    return expand(Apply(name, arguments))


_SEPARABLE: dict[str, Callable[..., Expression]] = {
    "step": lambda u: _half(ONE, apply("sign", u)),
    "relu": lambda u: _half(u, apply("abs", u)),
    "leaky_relu": lambda u, v: _half(
        multiply(add(ONE, v), u), multiply(add(ONE, multiply(number(-1), v)), apply("abs", u))
    ),
}
for _name in ("normal_cdf", "gelu", "sigmoid", "silu", "softplus"):
    _SEPARABLE[_name] = functools.partial(_defined, _name)


@functools.lru_cache(maxsize=1024)
def vanishing(node: Expression) -> tuple[int, int]:
    """``(sign, degree)``: beyond that degree only even (sign 1) or odd (-1) coefficients are there; sign 0: unknown.

    relu, gelu, silu and softplus are linear plus even, sigmoid is constant plus odd.
    """
    signs: set[int] = set()
    degree = -1
    for piece in pieces(node):
        power = polynomial_degree(piece)
        if power < 0:
            signs.add(parity(piece))
        degree = max(degree, power)
    if len(signs) != 1:
        return 0, -1
    return signs.pop(), degree


@functools.lru_cache(maxsize=1024)
def breakpoints(node: Expression) -> tuple[float, ...]:
    """Sorted points where the function of ``x`` may be not smooth."""
    points = {point for condition in set(_conditions(node)) for point in _zeros(condition)}
    return tuple(sorted(points))


@functools.lru_cache(maxsize=1024)
def axis_breakpoints(node: Expression, name: str) -> tuple[float, ...]:
    """Breakpoints along the variable `name` that do not depend on the other variables."""
    conditions = {condition for condition in _conditions(node) if variables(condition) == {name}}
    return tuple(sorted({p for condition in conditions for p in _zeros(substitute(condition, {name: X}))}))


@functools.lru_cache(maxsize=1024)
def jumps(node: Expression) -> tuple[float, ...]:
    """The breakpoints at which the values on the two sides differ."""
    points = np.array(breakpoints(node))
    step = 1e-10 * (1.0 + np.abs(points))
    with np.errstate(all="ignore"):
        left, right = (np.broadcast_to(evaluate(node, {"x": points + side * step}), points.shape) for side in (-1, 1))
        # a continuous function moves by its slope times the step
        far = np.broadcast_to(evaluate(node, {"x": points + 1e3 * step}), points.shape)
        gap = np.abs(right - left) > 1e-7 * (1.0 + np.abs(left)) + 10.0 * np.abs(far - right)
    return tuple(float(point) for point in points[gap])


def _conditions(node: Expression) -> Iterator[Expression]:
    """Expressions at whose zeros some part of the tree is not smooth."""
    if not variables(node):
        return
    if isinstance(node, Apply):
        breaks = FUNCTIONS[node.name].breaks
        if breaks is not None:
            yield from (condition for condition in breaks(*node.arguments) if variables(condition))
    if isinstance(node, Power) and (node.exponent.denominator != 1 or node.exponent < 0):
        yield node.base
    for part in children(node):
        yield from _conditions(part)


def polynomial_degree(node: Expression) -> int:
    """Degree of a polynomial; -1 for anything else."""
    try:
        terms = closed(node, FLOAT)
    except NotClosed:
        return -1
    return len(terms[0].poly) - 1 if len(terms) == 1 and terms[0].atom == UNIT else -1


def _zeros(condition: Expression) -> list[float]:
    try:
        terms = closed(condition, FLOAT)
    except NotClosed:
        terms = ()
    if len(terms) == 1 and terms[0].atom == UNIT:
        poly = np.array(terms[0].poly[::-1])
        if poly.size == 2:
            return [float(-poly[1] / poly[0]) + 0.0]
        roots = np.roots(poly)
        real = roots[np.abs(roots.imag) <= 1e-7 * (1.0 + np.abs(roots))].real
        return [_polish(poly, float(root)) for root in real]
    return _zeros_by_search(condition)


def _polish(poly: Real, root: float) -> float:
    """Two Newton steps; a root within rounding of a short decimal is that decimal."""
    slope = np.polyder(poly)
    for _ in range(2):
        rate = float(np.polyval(slope, root))
        if rate:
            root -= float(np.polyval(poly, root)) / rate
    nice = round(root, 9)
    return nice if abs(root - nice) < 1e-13 * (1.0 + abs(root)) else root


def _zeros_by_search(condition: Expression) -> list[float]:
    """Sign changes on a grid, bisected to rounding error (what is missed, the mesh finds by halving)."""
    grid = np.linspace(-_WINDOW, _WINDOW, 4096)  # even: zero is not a node
    with np.errstate(all="ignore"):
        sign = np.sign(np.broadcast_to(evaluate(condition, {"x": grid}), grid.shape))
        low, high = grid[:-1], grid[1:]
        change = (sign[:-1] * sign[1:]) < 0
        low, high, start = low[change].copy(), high[change].copy(), sign[:-1][change]
        for _ in range(60):
            middle = 0.5 * (low + high)
            same = np.sign(np.broadcast_to(evaluate(condition, {"x": middle}), middle.shape)) == start
            low, high = np.where(same, middle, low), np.where(same, high, middle)
    return [float(point) for point in 0.5 * (low + high)]
