"""Activation: a function of a Gaussian variable, as a value."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate
from ..errors import AccuracyWarning, DomainError
from .expression import Expression, differentiate, evaluate, parameters

if TYPE_CHECKING:
    from .symbolic import Coefficient

Real = NDArray[np.float64]

MAX_ORDER = 1000
ZERO_COEFFICIENT = 1e-10  # a coefficient below this share of the root mean square counts as zero in exponents


class Certified(NamedTuple):
    """Numbers with a bound on their absolute error, entry by entry."""

    values: Real
    bound: Real


@dataclass(frozen=True)
class Activation:
    """A function ``sigma`` of a Gaussian variable; made by `activation`, not by hand.

    Conventions: ``g ~ N(0, 1)``, ``h_k = He_k / sqrt(k!)`` orthonormal, ``c_k = E[sigma(shift + scale g) h_k(g)]``;
    the unnormalised coefficient ``E[sigma He_k]`` of other texts is ``sqrt(k!) c_k``.

    Parameters
    ----------
    name : str
        How it is shown.
    expression : Expression or None
        Its formula in ``x``, where there is one.
    function : callable or None
        Otherwise the vectorised function.
    declared : tuple of float
        Points where that function is not smooth.

    Examples
    --------
    >>> import rmtsolve as rmt
    >>> relu = rmt.activation("relu")
    >>> relu(-1.0), relu(2.0)
    (0.0, 2.0)
    >>> relu.conditional(shift=0.7, scale=1.3, order=1).round(6)
    array([0.942045, 0.916332])
    """

    name: str = field(compare=False)
    expression: Expression | None = None
    function: Callable[[Any], Any] | None = None
    declared: tuple[float, ...] = ()

    def __repr__(self) -> str:
        return f"activation({self.name!r})"

    def __str__(self) -> str:
        from .report import describe

        return describe(self)

    # ------------------------------------------------------------------ the function
    def __call__(self, x: ArrayLike) -> Any:
        """``sigma(x)``, vectorised over any shape."""
        points = _validate.real_array(x, "x", allow_empty=True)
        values = self.raw(points)
        return values if points.shape else float(values)

    def raw(self, x: Real) -> Real:
        """``sigma`` on a float array, without checks and without warnings."""
        with np.errstate(all="ignore"):
            if self.expression is not None:
                result = evaluate(self.expression, {"x": x})
            else:
                assert self.function is not None
                result = self.function(x.copy())  # a user's function may write into its argument
        return np.array(np.broadcast_to(np.asarray(result, dtype=np.float64), x.shape))

    @property
    def kinks(self) -> Real:
        """Sorted points where the function may be not smooth: from the formula, declared or detected."""
        from .properties import breakpoints

        points = breakpoints(self.expression) if self.expression is not None else self.declared
        return np.array(points, dtype=np.float64)

    @property
    def parity(self) -> int:
        """+1 even, -1 odd, 0 neither (or not known from the formula)."""
        from .properties import parity

        return parity(self.expression) if self.expression is not None else 0

    def derivative(self) -> Activation:
        """The derivative as a function (``relu' = step``).

        Raises
        ------
        DomainError
            The activation jumps, so that the derivative is not a function, or it was given without a formula.
        """
        if self.expression is None:
            raise DomainError(
                f"{self.name} must be a formula to have a derivative, got a function; write it as a text in x"
            )
        from .properties import jumps

        jump = jumps(self.expression)
        if jump:
            raise DomainError(
                f"{self.name} must be continuous to have a derivative that is a function, got a jump at x={jump[0]:.6g}"
            )
        return from_expression(differentiate(self.expression), f"{self.name}'")

    # ------------------------------------------------------------------ Hermite coefficients
    def coefficients(self, order: int, *, shift: float = 0.0, scale: float = 1.0) -> Real:
        """Hermite coefficients ``c_k = E[sigma(shift + scale g) h_k(g)]``, k = 0 .. order.

        Parameters
        ----------
        order : int
            Largest k, at most 1000.
        shift, scale : float
            Mean and standard deviation of the argument; scale >= 0.

        Returns
        -------
        ndarray, shape (order + 1,)

        Examples
        --------
        >>> import rmtsolve as rmt
        >>> rmt.activation("tanh").coefficients(3).round(6)
        array([ 0.      ,  0.605706,  0.      , -0.148437])
        """
        from .conditional import conditional_coefficients

        order = _validate.integer(order, "order", low=0, high=MAX_ORDER)
        a, s = _validate.real(shift, "shift"), _validate.real(scale, "scale", low=0.0)
        return np.asarray(conditional_coefficients(self, order, np.array([a]), np.array([s]))[0])

    def coefficients_with_error(self, order: int, *, shift: float = 0.0, scale: float = 1.0) -> Certified:
        """`coefficients` with a bound on the absolute error of each.

        Closed forms are evaluated a second time with 50 digits, which gives correctly rounded values; quadrature is
        repeated on a finer mesh (see `quadrature.certified_moments`).

        Examples
        --------
        >>> import rmtsolve as rmt
        >>> values, bound = rmt.activation("tanh").coefficients_with_error(20)
        >>> bool((bound < 1e-14).all())
        True
        """
        from .certified import certified_coefficients

        order = _validate.integer(order, "order", low=0, high=MAX_ORDER)
        a, s = _validate.real(shift, "shift"), _validate.real(scale, "scale", low=0.0)
        return Certified(*certified_coefficients(self, order, a, s))

    def symbolic_coefficient(self, k: Any, *, shift: Any = 0, scale: Any = 1) -> Any:
        """``c_k = E[sigma(shift + scale g) h_k(g)]`` as a sympy expression.

        Parameters
        ----------
        k : int or sympy expression
            Degree; with a symbol the formula for all k comes back, parity and the exceptional first degrees written
            out as a `Piecewise`.
        shift, scale : number or sympy expression
            Mean and (positive) standard deviation of the argument.

        Returns
        -------
        sympy expression
            Exact where a closed form exists. Where none does, an integer k gives a sympy `Float`, from certified
            quadrature; `coefficient` says which and gives the bound.

        Raises
        ------
        DomainError
            There is no closed form for all k.

        Examples
        --------
        >>> import rmtsolve as rmt
        >>> relu = rmt.activation("relu")
        >>> [relu.symbolic_coefficient(k) for k in range(5)]
        [sqrt(2)/(2*sqrt(pi)), 1/2, 1/(2*sqrt(pi)), 0, -sqrt(3)/(12*sqrt(pi))]
        >>> rmt.activation("silu").symbolic_coefficient(1)
        1/2
        """
        from .symbolic import symbolic_coefficient

        return symbolic_coefficient(self, k, shift, scale)

    def coefficient(self, k: int, *, shift: float = 0.0, scale: float = 1.0) -> Coefficient:
        """One Hermite coefficient with its error bound, its closed form where there is one, and how it is known.

        Examples
        --------
        >>> import rmtsolve as rmt
        >>> print(rmt.activation("tanh(x) + x**2/2").coefficient(2))
        c_2 = sqrt(2)/2 = 0.707106781186548 (parity)
        """
        from .symbolic import coefficient

        k = _validate.integer(k, "k", low=0, high=MAX_ORDER)
        a, s = _validate.real(shift, "shift"), _validate.real(scale, "scale", low=0.0)
        return coefficient(self, k, a, s)

    def conditional(self, shift: ArrayLike, scale: ArrayLike, order: int) -> Real:
        """Conditional coefficients ``c_k(shift, scale) = E[sigma(shift + scale g) h_k(g)]``, orthonormal.

        Parameters
        ----------
        shift, scale : array_like of float
            Broadcast against each other; scale >= 0.
        order : int
            Largest k.

        Returns
        -------
        ndarray, shape (..., order + 1)
            The unnormalised ``mu_k = E[sigma He_k]`` is ``sqrt(k!)`` times this.

        Examples
        --------
        >>> import rmtsolve as rmt
        >>> rmt.activation("sin").conditional([0.0, 1.0], 0.5, 1).round(6)
        array([[0.      , 0.441248],
               [0.742596, 0.238408]])
        """
        from .conditional import conditional_coefficients

        order = _validate.integer(order, "order", low=0, high=MAX_ORDER)
        a, s, shape = _pairs(shift, scale, order + 1)
        return conditional_coefficients(self, order, a, s).reshape(*shape, order + 1)

    def second_moment(self, shift: ArrayLike = 0.0, scale: ArrayLike = 1.0) -> Any:
        """``E[sigma(shift + scale g)^2]``, broadcast over shift and scale."""
        from .conditional import second_moments

        a, s, shape = _pairs(shift, scale, 1)
        result = second_moments(self, a, s)
        return result.reshape(shape) if shape else float(result[0])

    def residual_energy(self, shift: ArrayLike = 0.0, scale: ArrayLike = 1.0, order: int = 1) -> Any:
        """``E[sigma(shift + scale g)^2] - sum_{k <= order} c_k^2``: never negative, without cancellation when tiny.

        Examples
        --------
        >>> import rmtsolve as rmt
        >>> f"{rmt.activation('relu').residual_energy(shift=8.0):.6e}"
        '1.807506e-17'
        """
        from .residual import residual_energies

        order = _validate.integer(order, "order", low=0, high=MAX_ORDER)
        a, s, shape = _pairs(shift, scale, order + 1)
        result = residual_energies(self, order, a, s)
        return result.reshape(shape) if shape else float(result[0])

    def energy(self) -> float:
        """``E[sigma(g)^2] = sum_k c_k^2``."""
        return float(self.second_moment())

    def energy_by_degree(self, order: int) -> Real:
        """``c_k^2`` for k = 0 .. order, shape (order + 1,)."""
        return self.coefficients(order) ** 2

    def information_exponent(self, order: int = 100) -> float:
        """Smallest k >= 1 with ``c_k != 0`` (above 1e-10 of the root mean square); inf for a constant.

        Raises
        ------
        DomainError
            All coefficients up to `order` vanish though the activation is not constant.

        Examples
        --------
        >>> import rmtsolve as rmt
        >>> rmt.activation("x**3 - 3*x").information_exponent()
        3
        """
        order = _validate.integer(order, "order", low=1, high=MAX_ORDER)
        c = self.coefficients(order)
        size = math.sqrt(self.energy())
        seen = np.flatnonzero(np.abs(c[1:]) > ZERO_COEFFICIENT * size)
        if seen.size:
            return int(seen[0]) + 1
        if self.residual_energy(order=0) <= (ZERO_COEFFICIENT * size) ** 2:
            return math.inf
        _validate.fail("order", "large enough to reach the first coefficient that is not zero", order)

    # ------------------------------------------------------------------ kernel map
    def dual(self, rho: ArrayLike, *, derivative: int = 0, scale: float = 1.0) -> Any:
        """Dual activation ``kappa(rho) = E sigma(s u) sigma(s v)`` with ``corr(u, v) = rho``, or a derivative of it.

        Parameters
        ----------
        rho : array_like of float
            Correlations in [-1, 1].
        derivative : int
            Order of the derivative by rho; ``kappa' = s^2`` times the dual of the derivative of sigma.
        scale : float
            Standard deviation s of both arguments.

        Returns
        -------
        float or ndarray
            Same shape as `rho`.

        Raises
        ------
        DomainError
            The activation has fewer derivatives than asked for (relu: 2, one more than continuous ones).

        Notes
        -----
        ``kappa(rho) = sum_k c_k(s)^2 rho^k``, so ``kappa(1)`` is the energy. For relu it is the arc-cosine kernel of
        order one, ``s^2 [sqrt(1 - rho^2) + rho (pi - arccos rho)] / (2 pi)``.

        Examples
        --------
        >>> import rmtsolve as rmt
        >>> round(rmt.activation("relu").dual(0.5), 12)
        0.304498890522
        >>> rmt.activation("relu").dual([0.0, 1.0], derivative=1).round(6)
        array([0.25, 0.5 ])
        """
        from .dual import dual

        points = _validate.real_array(rho, "rho", low=-1.0, high=1.0, allow_empty=True)
        order = _validate.integer(derivative, "derivative", low=0, high=8)
        s = _validate.real(scale, "scale", low=0.0)
        result = dual(self, points.ravel(), s, order)
        return result.reshape(points.shape) if points.shape else float(result[0])

    def dual_series(self, rho: ArrayLike, order: int, *, scale: float = 1.0) -> Certified:
        """``sum_{k <= order} c_k(s)^2 rho^k`` and a bound on the rest of the series, each of the shape of `rho`."""
        from .dual import dual_series

        points = _validate.real_array(rho, "rho", low=-1.0, high=1.0, allow_empty=True)
        order = _validate.integer(order, "order", low=0, high=MAX_ORDER)
        values, bound = dual_series(self, points.ravel(), order, _validate.real(scale, "scale", low=0.0))
        return Certified(values.reshape(points.shape), bound.reshape(points.shape))

    def correlation_map(self, rho: ArrayLike, *, depth: int = 1, scale: float = 1.0) -> Any:
        """Correlation after `depth` wide layers, ``rho -> kappa(rho) / kappa(1)`` iterated (variance kept at s^2).

        Examples
        --------
        >>> import rmtsolve as rmt
        >>> round(rmt.activation("relu").correlation_map(0.0, depth=2), 6)
        0.493731
        """
        from .dual import correlation_map

        points = _validate.real_array(rho, "rho", low=-1.0, high=1.0, allow_empty=True)
        steps = _validate.integer(depth, "depth", low=0, high=100_000)
        result = correlation_map(self, points.ravel(), steps, _validate.positive(scale, "scale"))
        return result.reshape(points.shape) if points.shape else float(result[0])

    # ------------------------------------------------------------------ Gaussian means
    def expect(self, f: Callable[[Any, Any], Any], *, shift: float = 0.0, scale: float = 1.0) -> float:
        """``E f(x, sigma(x))`` with ``x = shift + scale g``; f vectorised, split at the kinks of sigma.

        Emits `AccuracyWarning` when the error bound exceeds 1e-10 of the mean size of f.

        Examples
        --------
        >>> import rmtsolve as rmt
        >>> slope = rmt.activation("relu").derivative()
        >>> round(slope.expect(lambda x, y: y**2 * x**2), 12)
        0.5
        """
        from .quadrature import gaussian_expectation

        if not callable(f):
            _validate.fail("f", "a function of x and sigma(x)", f)
        value, error = gaussian_expectation(lambda x: f(x, self.raw(x)), kinks=self.kinks, shift=shift, scale=scale)
        if error > 1e-10 * max(1.0, abs(value)):
            warnings.warn(
                f"the Gaussian mean of {self.name} is {value:.6g} with error up to {error:.1e}", AccuracyWarning, 2
            )
        return value

    # ------------------------------------------------------------------ looking
    def plot(self, ax: Any = None, order: int = 8) -> Any:
        """Draw the activation, its truncated expansions and its energy by degree up to `order`; returns the axes."""
        from ..plotting import plot_activation
        from .report import picture

        return plot_activation(self.name, *picture(self, _validate.integer(order, "order", low=1, high=200)), ax)


def _pairs(shift: ArrayLike, scale: ArrayLike, width: int) -> tuple[Real, Real, tuple[int, ...]]:
    """Validated shifts and scales, broadcast and flattened, with the common shape."""
    a = _validate.real_array(shift, "shift")
    s = _validate.real_array(scale, "scale", low=0.0)
    try:
        a, s = np.broadcast_arrays(a, s)
    except ValueError:
        raise DomainError(f"shift and scale must broadcast together, got shapes {a.shape} and {s.shape}") from None
    _validate.memory(8.0 * a.size * (width + 4), "shift", a.shape)
    return a.ravel(), s.ravel(), a.shape


def from_expression(tree: Expression, name: str) -> Activation:
    """Activation of an expression tree in ``x``, checked for values and growth on the line."""
    from .checks import check_formula

    if not parameters(tree):
        check_formula(tree, name)
    return Activation(name, expression=tree)


def from_callable(function: Callable[[Any], Any], kinks: Any, name: str | None) -> Activation:
    """Activation of a vectorised function; its breakpoints are those given, or are detected."""
    from .checks import check_function

    shown = name or getattr(function, "__name__", None) or "function"
    points = None if kinks is None else _validate.real_array(kinks, "kinks", ndim=1, allow_empty=True)
    found = check_function(function, points, shown)
    return Activation(shown, function=function, declared=tuple(float(point) for point in found))
