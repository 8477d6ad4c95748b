"""`check_activation`: do the Hermite coefficients, energies and duals of an activation obey what they must?

Each law is one function of `ACTIVATION_CHECKS`, so a test can also apply them one by one. Points are fixed.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .. import _validate
from ..activations.base import Activation
from ..errors import DomainError

Real = NDArray[np.float64]
Check = Callable[[Activation, float], None]

PAIRS = ((0.0, 1.0), (0.7, 1.3), (-1.1, 0.4))  # shift, scale
ORDER = 12
RHO = np.array([-1.0, -0.8, -0.3, 0.0, 0.2, 0.5, 0.9, 1.0])


def check_activation(activation: Activation, *, rtol: float = 1e-10) -> None:
    """Check that an `Activation` is a function of a Gaussian whose faces agree with each other.

    The laws: coefficients equal to a plain quadrature split at the kinks, and inside their stated bounds; Parseval with
    a residual energy that is not negative; the heat equation (noise added to the argument); the mirror image; scale
    zero is the function itself; coefficients of the derivative; the dual at -1, 0, 1, bounded by its value at 1 and
    equal to its series within the stated tail; closed forms equal to numbers; a readable text; refusal of bad input.

    Parameters
    ----------
    activation : Activation
        The activation to check.
    rtol : float
        Largest accepted error relative to the root mean square of the activation.

    Raises
    ------
    AssertionError
        One sentence: the law that is broken, with the numbers.

    Examples
    --------
    >>> import rmtsolve as rmt
    >>> check_activation(rmt.activation("gelu"))
    """
    if not isinstance(activation, Activation):
        _validate.fail("activation", "an Activation", activation)
    for check in ACTIVATION_CHECKS:
        check(activation, rtol)


def _agree(law: str, found: object, wanted: object, tolerance: float) -> None:
    gap = float(np.max(np.abs(np.asarray(found) - np.asarray(wanted)), initial=0.0))
    assert gap <= tolerance, f"{law}: off by {gap:.3g}, more than {tolerance:.1e}; got {found}, expected {wanted}"


def _size(activation: Activation, shift: float, scale: float) -> float:
    return math.sqrt(float(activation.second_moment(shift, scale))) + 1e-300


def hermite_functions(g: Real, order: int) -> Real:
    """``h_k(g) exp(-g^2/4)``, shape (order + 1, n)."""
    h = [np.exp(-0.25 * g * g)]
    for k in range(order):
        h.append((g * h[k] - (math.sqrt(k) * h[k - 1] if k else 0.0)) / math.sqrt(k + 1))
    return np.array(h)


def plain_quadrature(activation: Activation, shift: float, scale: float, order: int, width: float = 0.125) -> Real:
    """Coefficients by 16-point Gauss-Legendre on panels split at the kinks: slow, and shares nothing."""
    reach = 2.0 * math.sqrt(order + 1.0) + 11.0
    cuts = np.concatenate([np.arange(-reach, reach + width, width), (activation.kinks - shift) / scale])
    cuts = np.unique(cuts[np.abs(cuts) <= reach + width])
    nodes, weights = np.polynomial.legendre.leggauss(16)
    half = 0.5 * np.diff(cuts)
    g = (0.5 * (cuts[1:] + cuts[:-1])[:, None] + half[:, None] * nodes).ravel()
    w = (half[:, None] * weights).ravel() * np.exp(-0.25 * g * g) / math.sqrt(2.0 * math.pi)
    return np.asarray(hermite_functions(g, order) @ (w * activation(shift + scale * g)))


# ---------------------------------------------------------------------- the laws
def coefficients_are_integrals(activation: Activation, rtol: float) -> None:
    """``c_k`` against `plain_quadrature`, and within the stated bounds."""
    for a, s in PAIRS:
        size = _size(activation, a, s)
        values, bound = activation.coefficients_with_error(ORDER, shift=a, scale=s)
        _agree(f"c_k({a}, {s}) is E sigma h_k", values, plain_quadrature(activation, a, s, ORDER), rtol * size)
        plain = activation.coefficients(ORDER, shift=a, scale=s)
        _agree(f"c_k({a}, {s}) is the certified value", plain, values, 1e-12 * size)
        assert (bound >= 0.0).all() and (bound <= rtol * size).all(), f"bounds are small, got {bound}"


def parseval(activation: Activation, rtol: float) -> None:
    """``sum c_k^2 + residual = E sigma^2``, residual never negative and falling with the degree."""
    for a, s in PAIRS:
        energy = float(activation.second_moment(a, s))
        c = activation.conditional(a, s, ORDER)
        last = math.inf
        for k in range(0, ORDER + 1, 3):
            rest = float(activation.residual_energy(a, s, k))
            assert rest >= 0.0, f"residual energy is not negative, got {rest} at ({a}, {s}), degree {k}"
            assert rest <= last * (1.0 + rtol), f"residual energy falls with the degree, got {rest} after {last}"
            _agree(f"Parseval at ({a}, {s}), degree {k}", float(np.sum(c[: k + 1] ** 2)) + rest, energy, rtol * energy)
            last = rest


def heat_equation(activation: Activation, rtol: float) -> None:
    """``c_k(a, S)/S^k = E c_k(a + t h, s)/s^k`` with ``S^2 = s^2 + t^2``: noise can be added in two steps."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(100)
    weights = weights / math.sqrt(2.0 * math.pi)
    a, s, t, order = 0.3, 0.9, 0.6, 4
    whole = math.hypot(s, t)
    inner = activation.conditional(a + t * nodes, s, order)
    powers = (whole / s) ** np.arange(order + 1)
    _agree(
        "heat equation",
        (weights @ inner) * powers,
        activation.conditional(a, whole, order),
        10 * rtol * _size(activation, a, 1.2),
    )


def limit_and_mirror(activation: Activation, rtol: float) -> None:
    """Scale 0 is the function at the shift; an even or odd function has only such coefficients."""
    x = np.array([-1.3, 0.4, 2.0])
    c = activation.conditional(x, 0.0, 2)
    _agree("scale 0", c[:, 0], activation(x), 0.0)
    _agree("scale 0, k >= 1", c[:, 1:], 0.0, 0.0)
    if activation.parity:
        k = np.arange(ORDER + 1)
        _agree("parity", activation.coefficients(ORDER)[k % 2 == (1 if activation.parity > 0 else 0)], 0.0, 0.0)
        sign = activation.parity * (-1.0) ** k
        _agree("mirror", activation.conditional(-0.8, 1.1, ORDER) * sign, activation.conditional(0.8, 1.1, ORDER), rtol)


def derivative_rule(activation: Activation, rtol: float) -> None:
    """``c_k(sigma') = sqrt(k+1) c_{k+1}(sigma) / s``."""
    try:
        slope = activation.derivative()
    except DomainError:
        return  # it jumps, or has no formula
    for a, s in PAIRS:
        wanted = np.sqrt(np.arange(1.0, ORDER + 1)) * activation.coefficients(ORDER, shift=a, scale=s)[1:] / s
        found = slope.coefficients(ORDER - 1, shift=a, scale=s)
        _agree(f"derivative at ({a}, {s})", found, wanted, 10 * rtol * (_size(activation, a, s) + _size(slope, a, s)))


def dual_map(activation: Activation, rtol: float) -> None:
    """kappa at the ends and at zero, its bound, and its series."""
    energy, c = activation.energy(), activation.coefficients(ORDER)
    values = activation.dual(RHO)
    slack = rtol * energy
    _agree("kappa(1) is the energy", values[-1], energy, slack)
    _agree("kappa(0) is c_0^2", values[RHO == 0.0], c[0] ** 2, slack)
    assert (np.abs(values) <= energy + slack).all(), f"|kappa| is at most kappa(1), got {values} and {energy}"
    partial, tail = activation.dual_series(RHO, ORDER)
    assert (np.abs(values - partial) <= tail + slack).all(), f"kappa is its series: got {values}, {partial} +- {tail}"


def closed_forms(activation: Activation, rtol: float) -> None:
    """Exact coefficients are the numbers."""
    size = _size(activation, 0.0, 1.0)
    for k in (0, 1, 2, 5):
        found = activation.coefficient(k)
        if found.exact is not None:
            _agree(f"the closed form of c_{k}", float(found.exact), found.value, 1e-12 * size)


def text_and_refusals(activation: Activation, rtol: float) -> None:
    """A readable text; DomainError for bad input."""
    assert activation.name in repr(activation), f"the repr shows the name, got {activation!r}"
    assert "coefficient" in str(activation), f"the text shows coefficients, got {activation}"
    for bad in (
        lambda: activation.coefficients(-1),
        lambda: activation.conditional(0.0, -1.0, 2),
        lambda: activation.dual(1.5),
        lambda: activation(math.nan),
    ):
        try:
            bad()
        except DomainError:
            continue
        raise AssertionError("bad input is refused with a DomainError, got a value")


ACTIVATION_CHECKS: tuple[Check, ...] = (
    coefficients_are_integrals,
    parseval,
    heat_equation,
    limit_and_mirror,
    derivative_rule,
    dual_map,
    closed_forms,
    text_and_refusals,
)
