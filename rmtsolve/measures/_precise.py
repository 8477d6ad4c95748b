"""Transforms of laws at mpmath numbers: arrays that NumPy's functions work on, closed forms and integrals.

`Measure._stieltjes_precise` takes and gives 1-d `PreciseArray`s, whose entries are mpmath numbers of the working
precision. Parameters of laws are floats and count as exact.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DomainError
from ._quadratic import QuadraticLaw
from .base import Measure, Precise

_FUNCTIONS = (
    "exp", "expm1", "log", "log1p", "log10", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh", "arcsin", "arccos",
    "arctan", "arcsinh", "arccosh", "arctanh", "cbrt",
)  # fmt: skip
_GUARD = 12  # digits that an integral may lose


class PreciseArray(np.ndarray):
    """Array of mpmath numbers on which NumPy's elementary functions, `inv` and `solve` work."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """Elementary functions go to mpmath; arithmetic works as it is."""
        plain = [np.asarray(x) if isinstance(x, PreciseArray) else x for x in inputs]
        if "out" in kwargs:
            kwargs["out"] = tuple(np.asarray(x) if isinstance(x, PreciseArray) else x for x in kwargs["out"])
        if ufunc.__name__ in _FUNCTIONS and method == "__call__":
            result = _elementary(ufunc.__name__)(*plain)
        else:
            result = getattr(ufunc, method)(*plain, **kwargs)
        return precise(result)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        """Linear algebra by elimination in mpmath; everything else is NumPy's."""
        if func is np.linalg.inv:
            return _inverse(np.asarray(args[0]))
        if func is np.linalg.solve:
            return _inverse(np.asarray(args[0])) @ args[1]
        return super().__array_function__(func, types, args, kwargs)


def precise(values: Any) -> Any:
    """`values` as a PreciseArray if it holds mpmath numbers."""
    return values.view(PreciseArray) if isinstance(values, np.ndarray) and values.dtype == object else values


def precise_array(values: Iterable[Any], shape: tuple[int, ...] | None = None) -> Precise:
    """Array of the given mpmath numbers."""
    flat = list(values)
    array = np.empty(len(flat), dtype=object)
    array[:] = flat
    return array.reshape(len(flat) if shape is None else shape).view(PreciseArray)


def to_mpmath(values: NDArray[Any]) -> Precise:
    """Exact conversion of complex floats."""
    import mpmath

    return precise_array((mpmath.mpc(v.real, v.imag) for v in values.ravel().tolist()), values.shape)


def _elementary(name: str) -> Callable[..., NDArray[Any]]:
    """Elementwise mpmath function for a NumPy ufunc."""
    import mpmath

    names = {"arcsin": "asin", "arccos": "acos", "arctan": "atan", "arcsinh": "asinh", "arccosh": "acosh",
             "arctanh": "atanh"}  # fmt: skip
    function = getattr(mpmath, names.get(name, name))
    return lambda values: np.asarray(np.frompyfunc(function, 1, 1)(values), dtype=object)


def _inverse(matrices: NDArray[Any]) -> Precise:
    """Inverses of a stack of matrices by mpmath's LU decomposition."""
    import mpmath

    k = matrices.shape[-1]
    flat = matrices.reshape(-1, k, k)
    answer = np.empty(flat.shape, dtype=object)
    for i, matrix in enumerate(flat):
        answer[i] = np.array(mpmath.inverse(mpmath.matrix(matrix.tolist())).tolist(), dtype=object)
    return answer.reshape(matrices.shape).view(PreciseArray)


# ---------------------------------------------------------------------- quadratic equations
class Polynomials(NamedTuple):
    """The equation ``Q m^2 - 2 P m + R = 0``: ``P = p0 + p1 z``, R, ``Q = lead * prod(z - root)``."""

    p0: Any
    p1: Any
    constant: Any
    lead: Any
    roots: tuple[Any, ...] = ()


class ExactQuadratic(QuadraticLaw):
    """A law of `_quadratic` whose equation is rational in its parameters, the fields of the dataclass."""

    @staticmethod
    @abc.abstractmethod
    def _polynomials(*parameters: Any) -> Polynomials:
        """The equation, from parameters that are floats or mpmath numbers."""

    def _stieltjes_precise(self, z: Precise, transform: Callable[[Measure, Precise], Precise]) -> Precise:
        """The quotient that does not cancel; ``s = sqrt(P^2 - Q R)`` is in the closed upper half-plane like z."""
        import mpmath

        # the laws of this family are dataclasses of their parameters, which an abstract base cannot say
        values = (mpmath.mpf(getattr(self, field.name)) for field in fields(self))  # type: ignore[arg-type]
        equation = self._polynomials(*values)
        middle = 0.5 * (self._form.left + self._form.right)

        def at(point: Any) -> Any:
            p, q = equation.p0 + equation.p1 * point, equation.lead
            for root in equation.roots:
                q = q * (point - root)
            s = mpmath.mpc(mpmath.sqrt(p * p - q * equation.constant))
            if s.imag < 0 or (s.imag == 0 and (s.real < 0) != (point.real < middle)):
                s = -s
            if abs(p - s) >= abs(p + s):
                return equation.constant / (p - s)
            return (p + s) / q

        return precise_array(at(mpmath.mpc(point)) for point in z)


# ---------------------------------------------------------------------- densities
class PreciseDensity:
    """A density that takes mpmath numbers, and its Cauchy integral at the working precision.

    Parameters
    ----------
    function : callable
        The density, called with arrays of one mpmath number.
    intervals : sequence of pairs
        Where it is integrated; it must be smooth inside.
    name : str
        Of the law, for messages.
    """

    def __init__(self, function: Callable[[Any], Any], intervals: tuple[tuple[float, float], ...], name: str) -> None:
        self.function, self.intervals, self.name = function, intervals, name
        self.masses: dict[int, Any] = {}  # by working precision

    def __call__(self, x: Any) -> Any:
        """The density at one point, before it is normalised."""
        import mpmath

        try:
            values = self.function(precise_array([x]))
            value = values[0] if np.shape(values) == (1,) else None
        except (TypeError, AttributeError, ValueError) as problem:
            raise DomainError(self._words()) from problem
        if not isinstance(value, mpmath.mpf):
            raise DomainError(self._words())
        return value

    def _words(self) -> str:
        return (
            f"method must be a floating-point method for {self.name}, got 'HighPrecision'; the density of this law "
            "works on floats only (one that is written with + - * / ** and NumPy's elementary functions takes mpmath "
            "numbers too)"
        )

    def mass(self) -> Any:
        """Integral of the density."""
        import mpmath

        digits = mpmath.mp.dps
        if digits not in self.masses:
            self.masses[digits] = sum(self._integral(self, [low, high]) for low, high in self.intervals)
        return self.masses[digits]

    def stieltjes(self, z: Any) -> Any:
        """``m(z)`` at one point with Im z >= 0; at a real one the limit from above."""
        import mpmath

        total = mpmath.mpc(0)
        for low, high in self.intervals:
            x = z.real
            if not low < x < high:
                total += self._integral(lambda t: self(t) / (t - z), [low, high])
            elif z.imag != 0:  # nodes crowd at the ends of pieces: one of them is where the integrand is steep
                total += self._integral(lambda t: self(t) / (t - z), [low, x, high])
            else:
                total += self._principal(x, low, high) + mpmath.pi * 1j * self(x)
        return total / self.mass()

    def _principal(self, x: Any, low: Any, high: Any) -> Any:
        """``PV int density / (t - x)``: in pairs of points around x, and the rest of the longer side."""
        import mpmath

        reach = min(x - low, high - x)
        if mpmath.isinf(reach):
            reach = mpmath.mpf(1)
        value = self._integral(lambda t: (self(x + t) - self(x - t)) / t, [0, reach])
        for piece in ([low, x - reach], [x + reach, high]):
            if piece[0] < piece[1]:
                value += self._integral(lambda t: self(t) / (t - x), piece)
        return value

    def _integral(self, integrand: Callable[[Any], Any], points: list[Any]) -> Any:
        import mpmath

        value, error = mpmath.quad(integrand, points, error=True)
        if not error <= mpmath.mpf(10) ** (_GUARD - mpmath.mp.dps) * (1 + abs(value)):
            raise DomainError(
                f"method must ask for fewer digits for {self.name}; the integral of its density was only found to "
                f"{float(error):.1e} (is it smooth inside? give the support in pieces that end where it is not)"
            )
        return value
