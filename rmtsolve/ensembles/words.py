"""Non-commutative polynomials as maps {word: coefficient}, read from text or sympy by whitelist.

A word is a tuple of letters; a letter is ``(name, adjoint)``. Self-adjoint letters never carry ``adjoint=True``.
"""

from __future__ import annotations

import ast
import numbers
from collections.abc import Collection
from typing import Any

from .. import _validate

Letter = tuple[str, bool]
Word = tuple[Letter, ...]
Polynomial = dict[Word, complex]

MAX_DEGREE = 12
MAX_POWER = 20  # the degree where there is one letter only, whose law needs no equation
MAX_WORDS = 4096
MAX_TEXT = 2000


def parse(expression: Any, letters: Collection[str], self_adjoint: Collection[str]) -> Polynomial:
    """The polynomial that `expression` (text or a sympy expression) means.

    Parameters
    ----------
    expression : str or sympy expression
        Sums, products, integer powers and adjoints (``X.T``) of the letters, with real or complex numbers; the
        imaginary unit is ``1j`` in text.
    letters : collection of str
        Names that may appear.
    self_adjoint : collection of str
        Those equal to their own adjoint.

    Raises
    ------
    DomainError
        Anything else in the text, a letter that is not given, too high a degree or too many words.
    """
    reader = _Reader(expression, set(letters), set(self_adjoint))
    if isinstance(expression, str):
        if len(expression) > MAX_TEXT:
            reader.fail(f"at most {MAX_TEXT} characters long", f"{len(expression)} characters")
        try:
            tree = ast.parse(expression.strip(), mode="eval")
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            reader.fail("a polynomial such as 'X*Y + Y*X'", expression)
        return _cleaned(reader.from_ast(tree.body), reader.sizes().from_ast(tree.body))
    if hasattr(expression, "is_commutative"):
        return _cleaned(reader.from_sympy(expression), reader.sizes().from_sympy(expression))
    _validate.fail("expression", "text or a sympy expression", expression)


def adjoint(word: Word, self_adjoint: Collection[str]) -> Word:
    """The adjoint word: reversed, letters that are not self-adjoint flipped."""
    return tuple((name, (not star) and name not in self_adjoint) for name, star in reversed(word))


def degree(polynomial: Polynomial) -> int:
    """Length of the longest word (0 for a constant)."""
    return max((len(word) for word in polynomial), default=0)


def require_self_adjoint(polynomial: Polynomial, self_adjoint: Collection[str]) -> None:
    """Refuse a polynomial that differs from its adjoint, naming the first word that has no partner."""
    for word, value in polynomial.items():
        mirror = adjoint(word, self_adjoint)
        partner = polynomial.get(mirror, 0.0)
        if abs(partner - complex(value).conjugate()) <= 1e-12 * max(abs(value), abs(partner)):
            continue
        text = spell(word)
        if word == mirror:
            _validate.fail(
                "expression", "self-adjoint", f"the term {text} times {complex(value):g}",
                f"{text if word else 'the constant'} is its own adjoint and takes a real coefficient; the imaginary "
                "unit belongs before a difference such as 1j*(X*Y - Y*X)",
            )  # fmt: skip
        _validate.fail(
            "expression", "self-adjoint", f"the term {text} without its adjoint",
            f"write for instance {text} + {spell(mirror)}",
        )  # fmt: skip


def spell(word: Word) -> str:
    """A word as the user would type it."""
    return "*".join(name + (".T" if star else "") for name, star in word) or "1"


class _Reader:
    """Walks a syntax tree and multiplies out; every node that is not on the list is refused by name."""

    def __init__(self, expression: Any, letters: set[str], self_adjoint: set[str], absolute: bool = False) -> None:
        self.expression, self.letters, self.self_adjoint = expression, letters, self_adjoint
        self.highest = MAX_POWER if len(letters) == 1 else MAX_DEGREE
        self.absolute = absolute

    def sizes(self) -> _Reader:
        """A reader that adds up absolute values: what the terms of every word amount to if nothing cancels."""
        return _Reader(self.expression, self.letters, self.self_adjoint, absolute=True)

    def fail(self, rule: str, value: object, remedy: str = "") -> Any:
        _validate.fail("expression", rule, value, remedy)

    def letter(self, name: str) -> Polynomial:
        if name not in self.letters:
            remedy = f"pass {name}=Wigner() or another ensemble"
            if name in ("i", "I", "j", "J"):
                remedy = "write 1j for the imaginary unit"
            self.fail(f"a polynomial in the letters given ({', '.join(sorted(self.letters)) or 'none'})", name, remedy)
        return {((name, False),): 1.0 + 0.0j}

    def number(self, value: Any) -> Polynomial:
        if isinstance(value, bool) or not isinstance(value, numbers.Complex) or not abs(complex(value)) < 1e100:
            self.fail("made of letters and moderate numbers", value)
        return {(): complex(abs(value) if self.absolute else value)}

    def times(self, left: Polynomial, right: Polynomial) -> Polynomial:
        if degree(left) + degree(right) > self.highest:
            self.fail(f"of degree at most {self.highest}", self.expression)
        if len(left) * len(right) > MAX_WORDS * 16:
            self.fail(f"a sum of at most {MAX_WORDS} words", self.expression)
        product: Polynomial = {}
        for u, a in left.items():
            for v, b in right.items():
                product[u + v] = product.get(u + v, 0.0) + a * b
        if len(product) > MAX_WORDS:
            self.fail(f"a sum of at most {MAX_WORDS} words", self.expression)
        return product

    def power(self, base: Polynomial, exponent: Any) -> Polynomial:
        if isinstance(exponent, bool) or not isinstance(exponent, int) or not 0 <= exponent <= self.highest:
            self.fail(f"built with integer powers between 0 and {self.highest}", exponent)
        result: Polynomial = {(): 1.0 + 0.0j}
        for _ in range(exponent):
            result = self.times(result, base)
        return result

    def plus(self, left: Polynomial, right: Polynomial, sign: float = 1.0) -> Polynomial:
        total = dict(left)
        for word, value in right.items():
            total[word] = total.get(word, 0.0) + (abs(sign) if self.absolute else sign) * value
        return total

    def star(self, polynomial: Polynomial) -> Polynomial:
        return {adjoint(word, self.self_adjoint): value.conjugate() for word, value in polynomial.items()}

    def from_ast(self, node: ast.AST) -> Polynomial:
        match node:
            case ast.Constant(value=value):
                return self.number(value)
            case ast.Name(id=name):
                return self.letter(name)
            case ast.Attribute(value=inner, attr="T" | "H"):
                return self.star(self.from_ast(inner))
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return self.plus({}, self.from_ast(inner), -1.0)
            case ast.UnaryOp(op=ast.UAdd(), operand=inner):
                return self.from_ast(inner)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self.plus(self.from_ast(left), self.from_ast(right))
            case ast.BinOp(left=left, op=ast.Sub(), right=right):
                return self.plus(self.from_ast(left), self.from_ast(right), -1.0)
            case ast.BinOp(left=left, op=ast.Mult(), right=right):
                return self.times(self.from_ast(left), self.from_ast(right))
            case ast.BinOp(left=left, op=ast.Div(), right=right):
                divisor = _Reader(self.expression, self.letters, self.self_adjoint).from_ast(right)
                if degree(divisor) > 0 or not divisor.get((), 0.0):
                    self.fail("a polynomial: divide only by non-zero numbers", ast.unparse(node))
                return self.times(self.from_ast(left), self.number(1.0 / divisor[()]))
            case ast.BinOp(left=left, op=ast.Pow(), right=ast.Constant(value=exponent)):
                return self.power(self.from_ast(left), exponent)
            case ast.BinOp(op=ast.BitXor()):
                self.fail("made of letters, numbers, + - * / ** and .T", ast.unparse(node), "write X**2 for a power")
        self.fail("made of letters, numbers, + - * / ** and .T", ast.unparse(node))
        raise AssertionError("unreachable")

    def from_sympy(self, node: Any) -> Polynomial:
        import sympy

        if isinstance(node, sympy.Symbol):
            return self.letter(node.name)
        if isinstance(node, sympy.Add):
            total: Polynomial = {}
            for part in node.args:
                total = self.plus(total, self.from_sympy(part))
            return total
        if isinstance(node, sympy.Mul):
            product: Polynomial = {(): 1.0 + 0.0j}
            for part in node.args:
                product = self.times(product, self.from_sympy(part))
            return product
        if isinstance(node, sympy.Pow) and node.exp.is_Integer:
            return self.power(self.from_sympy(node.base), int(node.exp))
        if isinstance(node, sympy.adjoint | sympy.transpose):
            return self.star(self.from_sympy(node.args[0]))
        if node.is_number:
            return self.number(complex(node))
        self.fail("made of letters, numbers, sums, products, powers and adjoints", node)
        raise AssertionError("unreachable")


def _cleaned(polynomial: Polynomial, sizes: Polynomial) -> Polynomial:
    """Without the words whose terms cancelled, up to rounding; a small coefficient is not a cancelled one."""
    return {word: value for word, value in polynomial.items() if abs(value) > 1e-14 * abs(sizes[word])}
