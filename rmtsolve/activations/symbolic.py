"""Exact Hermite coefficients as sympy expressions, for a number k or a symbol.

An activation in the exact algebra is a sum of polynomials times atoms. Each atom has ``mu_k = E[f(g) He_k(g)]`` in
closed form (`families`), multiplication by x is ``mu_k(x f) = k mu_{k-1} + mu_{k+1}``, and a polynomial changes the
closed form only below a small degree; those first coefficients are computed one by one and listed. Outside the
algebra, the terms are separated by parity: ``silu(x) = x/2 + even``, ``sigmoid = 1/2 + odd``, so that many coefficients
are still exact.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from .. import _validate
from ..errors import DomainError
from .algebra import Field, HalfExponential, NotClosed, Terms, closed
from .closed import Numbers
from .closed import coefficients as closed_coefficients
from .expression import (
    Apply,
    Expression,
    Parameter,
    X,
    add,
    expand,
    multiply,
    number,
    substitute,
)
from .families import general, has_general_integers
from .functions import FUNCTIONS
from .properties import parity, pieces

if TYPE_CHECKING:
    from .base import Activation

MAX_RECURRENCE = 8  # degrees up to which the recurrences of `closed` stay short in symbols


@dataclass(frozen=True)
class Coefficient:
    """One Hermite coefficient, and how it is known.

    Parameters
    ----------
    degree : int
        k.
    value : float
        ``c_k``.
    bound : float
        Bound on the absolute error of `value`.
    exact : sympy expression or None
        The same number in closed form, where there is one.
    how : str
        ``"closed form"``, ``"parity"`` (an exact zero, or exact up to terms of the other parity), ``"quadrature"``.
    """

    degree: int
    value: float
    bound: float
    exact: Any
    how: str

    def __str__(self) -> str:
        if self.exact is not None:
            return f"c_{self.degree} = {self.exact} = {self.value:.15g} ({self.how})"
        return f"c_{self.degree} = {self.value:.15g} +- {self.bound:.1e} ({self.how})"


class SymbolicField(Field):
    """Scalars as sympy expressions."""

    halves = True

    def rational(self, value: Fraction | float) -> Any:
        """An exact rational, or a float."""
        import sympy

        return sympy.Rational(value.numerator, value.denominator) if isinstance(value, Fraction) else sympy.Float(value)

    def constant(self, name: str) -> Any:
        """``pi`` or ``e``."""
        import sympy

        return sympy.pi if name == "pi" else sympy.E

    def parameter(self, node: Parameter) -> Any:
        """The symbol."""
        return node.symbol

    def function(self, name: str, arguments: Sequence[Any]) -> Any:
        """A function of constants."""
        import sympy

        same = {"abs": "Abs", "arctan": "atan", "max": "Max", "min": "Min"}.get(name, name)
        if name in _SYMPY_NAMES:
            return getattr(sympy, same)(*arguments)
        if FUNCTIONS[name].definition is None:
            raise NotClosed(Apply(name, ()))
        from .algebra import scalar

        return scalar(expand(Apply(name, tuple(Parameter(str(one), one) for one in arguments))), self)

    def power(self, base: Any, exponent: Fraction) -> Any:
        """A constant to a rational exponent."""
        import sympy

        value = sympy.Pow(base, self.rational(exponent))
        if value.is_real is False or value.is_finite is False:
            raise DomainError(f"a constant power must be real, got ({base})**({exponent})")
        return value

    def sign(self, value: Any) -> int:
        """Sign of a scalar; raises `NotClosed` when a symbol leaves it open."""
        import sympy

        sign = sympy.sign(value)
        if not sign.is_Integer:
            raise NotClosed(Parameter(str(value), value))
        return int(sign)


_SYMPY_NAMES = {
    *("exp", "sin", "cos", "sinh", "cosh", "tanh", "erf", "erfc", "log", "sqrt"),
    *("sign", "abs", "arctan", "max", "min"),
}


class SymbolicNumbers(Numbers):
    """Elementary functions of sympy."""

    @property
    def pi(self) -> Any:
        """pi."""
        import sympy

        return sympy.pi

    def root(self, n: int) -> Any:
        """Square root of an integer."""
        import sympy

        return sympy.sqrt(n)

    def sqrt(self, x: Any) -> Any:
        """Square root."""
        import sympy

        return sympy.sqrt(x)

    def exp(self, x: Any) -> Any:
        """Exponential."""
        import sympy

        return sympy.exp(x)

    def cos(self, x: Any) -> Any:
        """Cosine."""
        import sympy

        return sympy.cos(x)

    def sin(self, x: Any) -> Any:
        """Sine."""
        import sympy

        return sympy.sin(x)

    def erf(self, x: Any) -> Any:
        """Error function."""
        import sympy

        return sympy.erf(x)

    def normal_cdf(self, x: Any) -> Any:
        """Normal distribution function."""
        import sympy

        return sympy.Rational(1, 2) + sympy.erf(x / sympy.sqrt(2)) / 2


FIELD, NUMBERS = SymbolicField(), SymbolicNumbers()


# ---------------------------------------------------------------- the coefficient
def symbolic_coefficient(act: Activation, k: Any, shift: Any, scale: Any) -> Any:
    """``c_k`` of ``sigma(shift + scale g)``: exact where possible, else a sympy Float from certified quadrature."""
    degree = _degree(k)
    exact = exact_coefficient(act, degree, shift, scale)
    if exact is not None:
        return exact[0]
    if not isinstance(degree, int):
        raise DomainError(
            f"k must be an integer for {act.name}, which has no closed form for all k, got {k}; "
            "coefficients(order) gives certified numbers"
        )
    import sympy

    a, s = _validate.real(_plain(shift), "shift"), _validate.real(_plain(scale), "scale", low=0.0)
    return sympy.Float(float(act.coefficients_with_error(degree, shift=a, scale=s).values[degree]), 16)


def coefficient(act: Activation, k: int, shift: float, scale: float) -> Coefficient:
    """``c_k`` with its error bound, its closed form if there is one, and how it is known."""
    import sympy

    values, bound = act.coefficients_with_error(k, shift=shift, scale=scale)
    exact = exact_coefficient(act, k, _rational(shift), _rational(scale)) if scale > 0.0 else None
    if exact is None or exact[0].has(sympy.Float):  # a closed form in rounded numbers is worth no more than they are
        closed_form, how = (None, "quadrature") if exact is None else exact
        return Coefficient(k, float(values[k]), float(bound[k]), closed_form, how)
    value = float(exact[0].evalf(30))
    return Coefficient(k, value, math.ulp(value) if value else 0.0, *exact)


def exact_coefficient(act: Activation, k: Any, shift: Any, scale: Any) -> tuple[Any, str] | None:
    """The closed form and the word for how it was found, or None; `k` an int or a sympy expression."""
    if act.expression is None:
        return None
    tree = act.expression
    if not (shift == 0 and scale == 1):
        tree = substitute(tree, {"x": add(_node(shift, "shift"), multiply(_node(scale, "scale"), X))})
    try:
        return coefficient_of_terms(closed(tree, FIELD), k), "closed form"
    except NotClosed:
        if not isinstance(k, int):
            return None
    inside: list[Expression] = []
    for piece in pieces(tree):
        try:
            closed(piece, FIELD)
        except NotClosed:
            if parity(piece) != (-1 if k % 2 == 0 else 1):
                return None
        else:
            inside.append(piece)
    try:
        return coefficient_of_terms(closed(add(*inside), FIELD), k), "parity"
    except NotClosed:
        return None


def coefficient_of_terms(terms: Terms, k: Any) -> Any:
    """``c_k`` of a sum of terms with sympy scalars."""
    import sympy

    if isinstance(k, int) and any(isinstance(term.atom, HalfExponential) for term in terms):
        return _tidy(closed_coefficients(terms, k, sympy.Integer(0), sympy.Integer(1), NUMBERS)[k])
    formula = general(terms, k)
    if isinstance(k, int):
        if k >= formula.start and (k > MAX_RECURRENCE or has_general_integers(terms)):
            return formula.odd if k % 2 else formula.even
        return _tidy(closed_coefficients(terms, k, sympy.Integer(0), sympy.Integer(1), NUMBERS)[k])
    start = formula.start
    small = []
    if start:
        first = closed_coefficients(terms, start - 1, sympy.Integer(0), sympy.Integer(1), NUMBERS)
        small = [_tidy(value) for value in first]
    while small and _same(general(terms, len(small) - 1), len(small) - 1, small[-1]):
        small.pop()
    cases = [(value, sympy.Eq(k, j)) for j, value in enumerate(small)]
    if formula.even == formula.odd:
        cases.append((formula.even, True))
    elif formula.even == 0:
        cases += [(formula.even, sympy.Eq(sympy.Mod(k, 2), 0)), (formula.odd, True)]
    else:
        cases += [(formula.odd, sympy.Eq(sympy.Mod(k, 2), 1)), (formula.even, True)]
    return cases[0][0] if len(cases) == 1 else sympy.Piecewise(*cases)


def _same(formula: Any, k: int, value: Any) -> bool:
    """Does the general formula hold at `k`, where nothing promises it?"""
    import sympy

    found = formula.odd if k % 2 else formula.even
    return found.is_finite is not False and not found.has(sympy.nan) and sympy.simplify(found - value) == 0


def _tidy(value: Any) -> Any:
    """A number or sympy expression, expanded; text never comes here, so `sympify` parses nothing."""
    import sympy

    return sympy.factor_terms(sympy.expand(sympy.sympify(value)))


def _degree(k: Any) -> Any:
    """`k` as an int, or the sympy expression that stands for one."""
    if hasattr(k, "free_symbols") and k.free_symbols:
        if k.is_integer is False or k.is_negative:
            _validate.fail("k", "an integer >= 0 or a symbol for one", k)
        return k
    if hasattr(k, "is_Integer") and k.is_Integer:
        k = int(k)
    return _validate.integer(k, "k", low=0, high=1000)


def _plain(value: Any) -> Any:
    return float(value) if hasattr(value, "is_number") and value.is_number else value


def _rational(value: float) -> Any:
    """A float as the decimal that it prints as."""
    return Fraction(repr(value))


def _node(value: Any, name: str) -> Expression:
    """A number, or a sympy expression without x, as a tree."""
    if hasattr(value, "free_symbols"):
        if value.is_Rational:
            return number(Fraction(int(value.p), int(value.q)))
        if value.is_real is False or (name == "scale" and value.is_positive is False):
            _validate.fail(name, "real" if name == "shift" else "positive", value)
        return Parameter(str(value), value)
    if isinstance(value, Fraction):
        clean: Fraction | int = value
    else:
        clean = _rational(_validate.real(value, name))
    if name == "scale" and clean <= 0:
        _validate.fail(name, "positive for a closed form", value)
    return number(clean)
