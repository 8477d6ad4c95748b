"""Multi-index targets ``y = g(Theta x)``, g a function of up to four Gaussian variables, and their Hermite tensors."""

from __future__ import annotations

import functools
import itertools
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate
from ..activations.base import ZERO_COEFFICIENT, Activation, Certified
from ..activations.expression import Expression, evaluate, multiply, substitute, variables
from ..activations.expression import X as VARIABLE
from ..activations.parse import parse
from ..activations.properties import axis_breakpoints, parity
from ..errors import AccuracyWarning, DomainError
from .separable_targets import Group, SeparableTerm, float_value, separate
from .target_quadrature import Estimate, tensor_coefficients

Real = NDArray[np.float64]

MAX_DIMENSION = 4
MAX_ORDER = {1: 200, 2: 60, 3: 24, 4: 12}
WARN = 1e-8  # a bound above this share of the root mean square is worth a warning


def target(source: Any, *, dimension: int | None = None, kinks: Any = None, name: str | None = None) -> Target:
    """Multi-index target from a text, a sympy expression or a function.

    Parameters
    ----------
    source : str, sympy expression or callable
        A text in ``z1, z2, ...`` such as ``"z1*z2 + relu(z1)"``, a sympy expression in symbols of these names, or a
        vectorised function of points, shape (n, r), that returns shape (n,).
    dimension : int, optional
        r, at most 4; needed for a function, else by default the largest index that occurs.
    kinks : sequence of array_like, optional
        For a function: for every axis, the places where it is not smooth along it.
    name : str, optional
        How it is shown.

    Returns
    -------
    Target

    Examples
    --------
    >>> import rmtsolve as rmt
    >>> g = rmt.target("z1*z2 + z1**3")
    >>> g.tensor(2)
    array([[0., 1.],
           [1., 0.]])
    >>> g.information_exponent(), g.energy()
    (1, 16.0)
    """
    names = tuple(f"z{i + 1}" for i in range(MAX_DIMENSION))
    if dimension is not None:
        dimension = _validate.integer(dimension, "dimension", low=1, high=MAX_DIMENSION)
    if isinstance(source, Target):
        return source
    tree: Expression | None = None
    if isinstance(source, str):
        tree = parse(source, names)
    elif hasattr(source, "free_symbols"):
        from ..activations.sympy_bridge import from_sympy

        tree = from_sympy(source, {}, names)
    if tree is not None:
        if kinks is not None:
            raise DomainError("kinks must be absent for a formula: they follow from it")
        used = variables(tree)
        least = max((i + 1 for i, one in enumerate(names) if one in used), default=1)
        r = least if dimension is None else dimension
        if r < least:
            _validate.fail("dimension", f"at least {least}, the largest index in {tree}", dimension)
        found = Target(name or str(tree), r, expression=tree)
    elif callable(source):
        if dimension is None:
            _validate.fail("dimension", "given for a function", dimension, "write target(f, dimension=2)")
        given = [()] * dimension if kinks is None else list(kinks)
        if len(given) != dimension:
            _validate.fail("kinks", f"one list for each of the {dimension} axes", kinks)
        declared = tuple(
            tuple(np.unique(_validate.real_array(one, "kinks", ndim=1, allow_empty=True)).tolist()) for one in given
        )
        shown = name or getattr(source, "__name__", None) or "function"
        found = Target(shown, dimension, function=source, declared=declared)
    else:
        raise DomainError(f"target must be a text in z1, z2, ..., a sympy expression or a function, got {source!r:.60}")
    _check(found)
    return found


@dataclass(frozen=True)
class Target:
    """A function ``g(z)`` of r independent Gaussian variables; made by `target`, not by hand.

    Conventions: ``c_alpha = E[g(z) h_alpha(z)]`` with ``h_alpha = prod_i h_{alpha_i}(z_i)``; the symmetric tensor of
    degree k is ``C_k = E[grad^k g]``, whose entry with multiplicities alpha is ``sqrt(alpha!) c_alpha``.

    Parameters
    ----------
    name : str
        How it is shown.
    dimension : int
        r.
    expression, function : Expression, callable
        One of the two.
    declared : tuple of tuple of float
        Kinks of the function, axis by axis.
    """

    name: str
    dimension: int
    expression: Expression | None = None
    function: Callable[[Any], Any] | None = None
    declared: tuple[tuple[float, ...], ...] = ()

    def __repr__(self) -> str:
        return f"target({self.name!r}, dimension={self.dimension})"

    def __str__(self) -> str:
        top = min(6, MAX_ORDER[self.dimension])
        energy, shares = self.energy(), self.energy_by_degree(top)
        lines = [f"target {self.name} of {self.dimension} Gaussian variables", f"  E g(z)^2 = {energy:.12g}"]
        lines += [f"  degree {k}: {value / energy if energy else 0.0:8.4%}" for k, value in enumerate(shares)]
        return "\n".join([*lines, f"  parity: {self.parity}"])

    @property
    def names(self) -> tuple[str, ...]:
        """``z1, .., zr``."""
        return tuple(f"z{i + 1}" for i in range(self.dimension))

    def __call__(self, z: ArrayLike) -> Any:
        """``g`` at points of shape (..., r)."""
        points = _validate.real_array(z, "z", allow_empty=True)
        if points.ndim == 0 or points.shape[-1] != self.dimension:
            _validate.fail("z", f"an array of shape (..., {self.dimension})", points.shape)
        values = self.raw(points.reshape(-1, self.dimension)).reshape(points.shape[:-1])
        return values if values.shape else float(values)

    def raw(self, z: Real) -> Real:
        """``g`` at points of shape (n, r), without checks."""
        with np.errstate(all="ignore"):
            if self.expression is not None:
                result = evaluate(self.expression, dict(zip(self.names, z.T, strict=True)))
            else:
                assert self.function is not None
                result = self.function(z.copy())
        return np.array(np.broadcast_to(np.asarray(result, dtype=np.float64), (len(z),)))

    @property
    def parity(self) -> tuple[int, ...]:
        """Under ``z -> -z``, then under ``z_i -> -z_i`` for each i: +1 even, -1 odd, 0 neither or unknown."""
        if self.expression is None:
            return (0,) * (self.dimension + 1)
        together = substitute(self.expression, dict.fromkeys(self.names, VARIABLE))
        return (parity(together), *(parity(self.expression, name) for name in self.names))

    # ------------------------------------------------------------------ numbers
    def coefficients_with_error(self, order: int) -> Certified:
        """``c_alpha`` for ``alpha_i <= order``, shape ``(order + 1,) * r``, with bounds on the errors.

        Products of functions of one linear form each are exact to rounding; other terms use tensor quadrature, whose
        bound is an estimate from two resolutions.
        """
        order = _validate.integer(order, "order", low=0, high=MAX_ORDER[self.dimension])
        terms, rest = self._split()
        values = np.zeros((order + 1,) * self.dimension)
        bound = np.zeros_like(values)
        for term in terms:
            part, slack = _term_coefficients(term, self.dimension, order)
            values, bound = values + part, bound + slack
        if rest is not None:
            found = _quadrature(rest, order)
            values, bound = values + found.values, bound + found.bound
        return Certified(values, bound)

    def coefficients(self, order: int) -> Real:
        """``c_alpha`` for ``alpha_i <= order``, shape ``(order + 1,) * r``; warns when the bound is not small."""
        values, bound = self.coefficients_with_error(order)
        self._warn(float(bound.max()), 2)
        return values

    def tensor(self, k: int) -> Real:
        """Symmetric tensor ``C_k = E[grad^k g]``, shape ``(r,) * k``."""
        k = _validate.integer(k, "k", low=0, high=MAX_ORDER[self.dimension])
        c = self.coefficients(k)
        out = np.zeros((self.dimension,) * k)
        for index in itertools.product(range(self.dimension), repeat=k):
            alpha = tuple(index.count(i) for i in range(self.dimension))
            out[index] = math.sqrt(math.prod(math.factorial(a) for a in alpha)) * c[alpha]
        return out

    def energy(self) -> float:
        """``E g(z)^2``."""
        if self.expression is not None:
            terms, rest = separate(multiply(self.expression, self.expression), self.names)
            if rest is None:
                parts = [float(_term_coefficients(term, self.dimension, 0)[0].ravel()[0]) for term in terms]
                return max(math.fsum(parts), 0.0)
        found = _quadrature(self, 0)
        self._warn(found.energy_bound / max(math.sqrt(found.energy), 1e-300), 2)
        return found.energy

    def energy_by_degree(self, order: int) -> Real:
        """``sum_{|alpha| = k} c_alpha^2 = |C_k|^2 / k!`` for k = 0 .. order, shape (order + 1,)."""
        c = self.coefficients(order)
        degrees = np.indices(c.shape).sum(axis=0).ravel()
        return np.asarray(np.bincount(degrees, c.ravel() ** 2)[: order + 1])

    def information_exponent(self, order: int | None = None) -> float:
        """Smallest k >= 1 with ``C_k != 0``; inf for a constant.

        Raises
        ------
        DomainError
            All tensors up to `order` vanish (to the accuracy of the coefficients) though g is not constant.
        """
        top = min(12, MAX_ORDER[self.dimension]) if order is None else order
        values, bound = self.coefficients_with_error(top)
        size = math.sqrt(self.energy())
        degrees = np.indices(values.shape).sum(axis=0)
        seen = (np.abs(values) > np.maximum(ZERO_COEFFICIENT * size, bound)) & (degrees >= 1) & (degrees <= top)
        if seen.any():
            return int(degrees[seen].min())
        if abs(size**2 - values.flat[0] ** 2) <= 1e-12 * size**2:
            return math.inf
        _validate.fail("order", "large enough to reach the first tensor that is not zero", top)

    # ------------------------------------------------------------------ closed forms
    def symbolic_coefficient(self, alpha: Sequence[int]) -> Any:
        """``c_alpha`` as a sympy expression: exact for polynomials and products of functions with closed forms.

        Raises
        ------
        DomainError
            Some term is not a product of functions of one linear form each.

        Examples
        --------
        >>> import rmtsolve as rmt
        >>> rmt.target("sign(z1*z2)").symbolic_coefficient([1, 1])
        2/pi
        """
        import sympy

        index = tuple(_validate.integer(a, "alpha", low=0, high=200) for a in alpha)
        if len(index) != self.dimension:
            _validate.fail("alpha", f"{self.dimension} integers, one for each variable", alpha)
        terms, rest = self._split()
        if rest is not None:
            raise DomainError(
                f"{self.name} must be a sum of products of functions of one linear form each, "
                f"to have exact coefficients, got {rest.name}; coefficients_with_error(order) gives numbers"
            )
        return sympy.factor_terms(sympy.expand(sum((_symbolic_term(term, index) for term in terms), sympy.Integer(0))))

    def symbolic_tensor(self, k: int) -> Any:
        """``C_k`` as an immutable sympy array of shape ``(r,) * k`` (a number for k = 0)."""
        import sympy

        k = _validate.integer(k, "k", low=0, high=8)
        entries = []
        for index in itertools.product(range(self.dimension), repeat=k):
            alpha = [index.count(i) for i in range(self.dimension)]
            root = sympy.sqrt(math.prod(math.factorial(a) for a in alpha))
            entries.append(sympy.expand(root * self.symbolic_coefficient(alpha)))
        return entries[0] if k == 0 else sympy.ImmutableDenseNDimArray(entries, (self.dimension,) * k)

    # ------------------------------------------------------------------ inside
    def _split(self) -> tuple[tuple[SeparableTerm, ...], Target | None]:
        """Separable terms, and the rest as a target."""
        return _split(self)

    def _warn(self, bound: float, level: int) -> None:
        if bound > WARN:
            warnings.warn(f"the coefficients of {self.name} have errors up to {bound:.1e}", AccuracyWarning, level + 1)


@functools.lru_cache(maxsize=256)
def _split(g: Target) -> tuple[tuple[SeparableTerm, ...], Target | None]:
    if g.expression is None:
        return (), g
    terms, rest = separate(g.expression, g.names)
    return terms, None if rest is None else Target(str(rest), g.dimension, expression=rest)


@functools.lru_cache(maxsize=32)
def _quadrature(g: Target, order: int) -> Estimate:
    if g.expression is not None:
        kinks = [np.array(axis_breakpoints(g.expression, name)) for name in g.names]
    else:
        kinks = [np.array(one, dtype=np.float64) for one in g.declared]
    return tensor_coefficients(g.raw, kinks, order, g.name)


def _check(g: Target) -> None:
    """Refuse what is not a real function of points, is infinite somewhere, or is not square integrable."""
    grid = np.linspace(-1.0, 1.0, 9)
    points = np.stack(np.meshgrid(*[grid] * g.dimension, indexing="ij"), axis=-1).reshape(-1, g.dimension)
    if g.function is not None:
        try:
            values = np.asarray(g.function(points.copy()))
        except (TypeError, ValueError, IndexError) as error:
            raise DomainError(
                f"{g.name} must be a vectorised function of points of shape (n, r), got {error}"
            ) from error
        if values.shape not in ((), (len(points),)) or values.dtype.kind not in "iufb":
            raise DomainError(
                f"{g.name} must return one real number for each point, got shape {values.shape} of dtype {values.dtype}"
            )
    for reach in (1.0, 6.0, 37.0):
        values = g.raw(points * reach)
        bad = ~np.isfinite(values)
        if bad.any():
            where = (points * reach)[bad][0].tolist()
            raise DomainError(f"{g.name} must be a finite real number at every z, got {values[bad][0]} at z={where}")
    far = 2.0 * np.log(np.abs(values) + 1e-300) - 0.5 * np.sum((points * reach) ** 2, axis=1)
    if far[np.abs(points).max(axis=1) == 1.0].max() > -5.0:
        raise DomainError(
            f"{g.name} must be square integrable under the Gaussian, got growth like exp(|z|^2/4) or faster"
        )


def _activation(group: Group) -> tuple[Activation, float, list[float]]:
    """The function of one variable, the length of the direction, and the unit vector."""
    slopes = [float_value(one) for one in group.direction]
    length = math.sqrt(math.fsum(one * one for one in slopes))
    return Activation(str(group.function), expression=group.function), length, [one / length for one in slopes]


def _term_coefficients(term: SeparableTerm, dimension: int, order: int) -> tuple[Real, Real]:
    """Coefficients of one term and bounds, shape ``(order + 1,) * dimension``."""
    values = np.array(float_value(term.weight))
    bound = 4 * 2.0**-53 * np.abs(values)
    axes: list[int] = []
    for group in term.groups:
        part, slack = _group_coefficients(group, order)
        bound = np.multiply.outer(np.abs(values) + bound, slack) + np.multiply.outer(bound, np.abs(part))
        values = np.multiply.outer(values, part)
        axes += group.axes
    full, slack = np.zeros((order + 1,) * dimension), np.zeros((order + 1,) * dimension)
    # variables that do not occur have degree 0
    where = tuple(slice(None) if i in axes else 0 for i in range(dimension))
    kept = np.argsort(axes)
    full[where], slack[where] = np.transpose(values, kept), np.transpose(bound, kept)
    return full, slack


@functools.lru_cache(maxsize=256)
def _group_coefficients(group: Group, order: int) -> tuple[Real, Real]:
    sigma, length, unit = _activation(group)
    size = len(group.axes)
    c, slack = sigma.coefficients_with_error(order * size, scale=length)
    if size == 1:
        sign = np.where(np.arange(order + 1) % 2, np.sign(unit[0]), 1.0)
        return c * sign, slack
    index = np.indices((order + 1,) * size)
    degrees = index.sum(axis=0)
    factorial = np.array([math.lgamma(k + 1.0) for k in range(order * size + 1)])
    weight = np.exp(0.5 * (factorial[degrees] - factorial[index].sum(axis=0)))
    for axis, u in enumerate(unit):
        weight = weight * np.power(u, index[axis])
    rounding = 8 * (degrees + 1) * 2.0**-53 * np.abs(weight * c[degrees])
    return weight * c[degrees], np.abs(weight) * slack[degrees] + rounding


def _symbolic_term(term: SeparableTerm, alpha: tuple[int, ...]) -> Any:
    import sympy

    from ..activations.algebra import scalar
    from ..activations.symbolic import FIELD

    result = scalar(term.weight, FIELD)
    used = {axis for group in term.groups for axis in group.axes}
    if any(a for i, a in enumerate(alpha) if i not in used):
        return sympy.Integer(0)
    for group in term.groups:
        index = [alpha[axis] for axis in group.axes]
        slopes = [scalar(one, FIELD) for one in group.direction]
        k, length = sum(index), sympy.sqrt(sum(one**2 for one in slopes))
        sigma, _, _ = _activation(group)
        value = sigma.symbolic_coefficient(k, scale=length) if length != 1 else sigma.symbolic_coefficient(k)
        for a, slope in zip(index, slopes, strict=True):
            value *= (slope / length) ** a
        result *= value * sympy.sqrt(sympy.Rational(math.factorial(k), math.prod(map(math.factorial, index))))
    return result
