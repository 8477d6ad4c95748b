"""The exact algebra over mpmath numbers: closed forms with as many digits as it takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DomainError
from .algebra import Field, NotClosed, closed, scalar
from .closed import Numbers, coefficients
from .expression import Apply, Expression, Parameter, expand
from .functions import FUNCTIONS

Real = NDArray[np.float64]

DIGITS = 50
MAX_DIGITS = 1600
_MPMATH_NAMES = {
    *("exp", "log", "sin", "cos", "sinh", "cosh", "tanh", "erf", "erfc", "sign", "sqrt", "abs", "arctan"),
}

_ELEMENTARY: dict[str, Callable[..., Any]] = {
    "max": max,
    "min": min,
    "step": lambda u: u * 0 + (u > 0),
    "softsign": lambda u: u / (1 + abs(u)),
}


class MPField(Field):
    """Scalars as mpmath numbers of the current precision; rationals and pi are exact to it."""

    def rational(self, value: Fraction | float) -> Any:
        """An exact rational, or a float."""
        import mpmath

        return mpmath.mpf(value.numerator) / value.denominator if isinstance(value, Fraction) else mpmath.mpf(value)

    def constant(self, name: str) -> Any:
        """``pi`` or ``e``."""
        import mpmath

        return +mpmath.pi if name == "pi" else +mpmath.e

    def parameter(self, node: Parameter) -> Any:
        """A number that `function` has put into a definition."""
        if hasattr(node.symbol, "is_Symbol"):
            raise NotClosed(node)
        return node.symbol

    def function(self, name: str, arguments: Sequence[Any]) -> Any:
        """A function of constants."""
        import mpmath

        names = {"arctan": "atan", "abs": "fabs"}
        if name in _MPMATH_NAMES:
            value = getattr(mpmath, names.get(name, name))(*arguments)
        elif name in _ELEMENTARY:
            value = _ELEMENTARY[name](*arguments)
        elif FUNCTIONS[name].definition is not None:
            value = scalar(expand(Apply(name, tuple(Parameter(str(one), one) for one in arguments))), self)
        else:
            raise NotClosed(Apply(name, ()))
        if not mpmath.isfinite(value) or mpmath.im(value) != 0:
            raise DomainError(f"a constant must be a real number, got {name}({', '.join(map(mpmath.nstr, arguments))})")
        return value

    def power(self, base: Any, exponent: Fraction) -> Any:
        """A constant to a rational exponent."""
        import mpmath

        return mpmath.power(base, self.rational(exponent))


class MPNumbers(Numbers):
    """Elementary functions of mpmath."""

    @property
    def pi(self) -> Any:
        """pi."""
        import mpmath

        return +mpmath.pi

    def root(self, n: int) -> Any:
        """Square root of an integer."""
        import mpmath

        return mpmath.sqrt(n)

    def sqrt(self, x: Any) -> Any:
        """Square root."""
        import mpmath

        return mpmath.sqrt(x)

    def exp(self, x: Any) -> Any:
        """Exponential."""
        import mpmath

        return mpmath.exp(x)

    def cos(self, x: Any) -> Any:
        """Cosine."""
        import mpmath

        return mpmath.cos(x)

    def sin(self, x: Any) -> Any:
        """Sine."""
        import mpmath

        return mpmath.sin(x)

    def erf(self, x: Any) -> Any:
        """Error function."""
        import mpmath

        return mpmath.erf(x)

    def normal_cdf(self, x: Any) -> Any:
        """Normal distribution function."""
        import mpmath

        return mpmath.erfc(-x / mpmath.sqrt(2)) / 2


def rounded_coefficients(tree: Expression, order: int, shift: float, scale: float) -> tuple[Real, Real]:
    """Correctly rounded closed-form coefficients, with half a unit in the last place (and the digits' own error).

    The precision is doubled until two evaluations agree to 30 digits of the root sum of squares or exactly.
    """
    import mpmath

    digits, before = DIGITS, None
    while True:
        with mpmath.workdps(digits):
            terms = closed(tree, MPField())
            now = coefficients(terms, order, mpmath.mpf(shift), mpmath.mpf(scale), MPNumbers())
            if before is not None:
                size = mpmath.sqrt(sum(c * c for c in now))
                gaps = [abs(x - y) for x, y in zip(before, now, strict=True)]
                if all(gap <= size * mpmath.mpf(10) ** -30 for gap in gaps) or digits > MAX_DIGITS:
                    values = np.array([float(c) for c in now])
                    last = size * mpmath.mpf(10) ** (5 - digits)  # both may have rounded the same, 1 - 1e-200 to 1
                    bound = [
                        float((abs(c - mpmath.mpf(v)) + gap + last) * (1 + mpmath.mpf(10) ** -10))
                        for c, v, gap in zip(now, values.tolist(), gaps, strict=True)
                    ]
                    return values, np.array(bound) + 5e-324
        digits, before = digits * 2, now
