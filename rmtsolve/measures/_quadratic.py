"""Laws whose Stieltjes transform solves a quadratic equation: one bulk, two edges, everything in closed form.

Semicircle, Marchenko-Pastur, Wachter, Jacobi, Kesten-McKay and arcsine laws all have the form

    m(z) = (P(z) + s(z)) / Q(z) = R / (P(z) - s(z)),      s(z) = sqrt(z - a) sqrt(z - b),

with [a, b] the bulk, P = p0 + p1 z linear, Q of degree at most two and R a constant (so P^2 - s^2 = Q R; they are
the free Meixner laws). The principal square roots give the branch s ~ z that is analytic off [a, b], on the bulk the
limit from above. Of the two quotients the one whose sum does not cancel is used: the second far away and near the
zeros of Q that are no atoms, the first near an atom.

Derived from that form: the density ``sqrt((x - a)(b - x)) / (pi Q(x))``; the recurrence coefficients of the
orthogonal polynomials, which are constant from the second row on (mean, variance; then (a + b)/2, ((b - a)/4)^2) and
give the moments without cancellation; and, by partial fractions of 1/Q, the distribution function.
"""

from __future__ import annotations

import abc
from functools import cached_property
from typing import NamedTuple

import numpy as np

from .. import _validate
from .base import Complex, Measure, Real


class Root(NamedTuple):
    """A zero of Q outside the open bulk, with its signed distances to the edges (given, so that they do not cancel)."""

    location: float
    from_left: float  # a - location
    from_right: float  # b - location


class Form(NamedTuple):
    """Edges a < b, mean, P = p0 + p1 z, R, and Q = lead * prod(z - root)."""

    left: float
    right: float
    width: float  # b - a, without cancellation
    mean: float
    p0: float
    p1: float
    constant: float
    lead: float
    roots: tuple[Root, ...]


class QuadraticLaw(Measure):
    """Base of the closed-form laws; a subclass gives `_form` (and its atoms)."""

    @abc.abstractmethod
    def _make_form(self) -> Form:
        """The numbers of the closed form."""

    @cached_property
    def _form(self) -> Form:
        return self._make_form()

    @property
    def edges(self) -> Real:
        """The two edges of the bulk."""
        return _validate.read_only(np.array([self._form.left, self._form.right]))

    # ------------------------------------------------------------------ transform
    def _root(self, z: Complex) -> Complex:
        return np.asarray(np.sqrt(z - self._form.left) * np.sqrt(z - self._form.right))

    def _stieltjes(self, z: Complex) -> Complex:
        form = self._form
        with np.errstate(all="ignore"):  # overflow only in the quotient that is not used; infinite at a hard edge
            s = self._root(z)
            p = form.p0 + form.p1 * z
            plus, minus = p + s, p - s
            q = np.full(z.shape, form.lead, dtype=np.complex128)
            for root in form.roots:
                q = q * (z - root.location)
            far = np.abs(minus) >= np.abs(plus)
            return np.asarray(np.where(far, form.constant, plus) / np.where(far, minus, q), dtype=np.complex128)

    def _stieltjes_derivative(self, z: Complex) -> Complex:
        """From the continued fraction m = -1/(z - mean + variance * w(z)), w the transform of a semicircle law."""
        form = self._form
        with np.errstate(all="ignore"):  # infinite at an edge
            s = self._root(z)
            w = -2.0 / (z - (form.left + form.width / 2) + s)
            variance = form.width / 8 * (form.width / form.constant)
            return np.asarray(self._stieltjes(z) ** 2 * (1.0 - variance * w / s))

    # ------------------------------------------------------------------ density
    def _density(self, x: Real) -> Real:
        return self._density_from(x - self._form.left, self._form.right - x, [x - r.location for r in self._form.roots])

    def _density_offset(self, edge: int, offset: Real) -> Real:
        form = self._form
        if edge == 0:
            return self._density_from(offset, form.width - offset, [offset + r.from_left for r in form.roots])
        return self._density_from(form.width + offset, -offset, [offset + r.from_right for r in form.roots])

    def _density_from(self, to_left: Real, to_right: Real, to_roots: list[Real]) -> Real:
        value = np.sqrt(to_right) / (np.pi * self._form.lead)
        factors = [np.sqrt(to_left), *(1.0 / distance for distance in to_roots[1:])]
        if to_roots:
            factors[0] = factors[0] / to_roots[0]
        for factor in factors:  # one by one: the product of all distances could underflow
            value = value * factor
        return np.asarray(value)

    # ------------------------------------------------------------------ distribution function
    def _cdf(self, x: Real) -> Real:
        form = self._form
        total = np.zeros(x.shape)
        for location, weight in zip(*self.atoms, strict=True):
            total += np.where(x >= location, weight, 0.0)
        left, right = x - form.left, form.right - x
        inside = (left > 0) & (right > 0)
        total[right <= 0] += self._bulk_mass
        if inside.any():
            total[inside] += _integral(form, left[inside], right[inside])
        return np.clip(total, 0.0, 1.0)  # rounding only: the integrals are exact

    @cached_property
    def _bulk_mass(self) -> float:
        return 1.0 - float(np.sum(self.atoms.weights))

    def _moment(self, k: int) -> float:
        """``<e_0, T^k e_0>`` for the tridiagonal matrix T of the recurrence coefficients."""
        form = self._form
        size = k // 2 + 1
        middle = form.left + form.width / 2
        diagonal = np.full(size, middle)
        diagonal[0] = form.mean
        squares = np.full(size - 1, (form.width / 4) ** 2)
        squares[:1] = form.width / 8 * (form.width / form.constant)
        # v_j = coefficient in x^k of the monic orthogonal polynomial p_j; x p_j = p_{j+1} + d_j p_j + s_j p_{j-1}
        v = np.zeros(size)
        v[0] = 1.0
        with np.errstate(over="ignore", invalid="ignore"):
            for _ in range(k):
                new = diagonal * v
                new[1:] += v[:-1]
                new[:-1] += squares * v[1:]
                v = new
        return float(v[0])


def _integral(form: Form, left: Real, right: Real) -> Real:
    """``int_a^x density``, x given by its distances from the two edges."""
    root = np.sqrt(left) * np.sqrt(right)
    if not form.roots:  # Q is constant: the semicircle
        angle = 2.0 * np.arctan2(np.sqrt(left), np.sqrt(right))
        half = form.width / 2
        return np.asarray((angle - (right / half - 1.0) * (root / half)) / np.pi)  # lead = half^2 / 2
    if len(form.roots) == 1:
        return _pole(form, form.roots[0], left, right, root) / (np.pi * form.lead)
    first, second = form.roots
    gap = first.location - second.location
    same_side = (first.from_left >= 0) == (second.from_left >= 0)
    if same_side and abs(gap) < 0.5 * min(_reach(first), _reach(second)):
        # two close poles: the difference of their integrals is that of the derivative, by Gauss-Legendre
        nodes, weights = np.polynomial.legendre.leggauss(16)
        values = np.zeros(left.shape)
        for node, weight in zip(nodes, weights, strict=True):
            step = 0.5 * (1.0 + node) * gap
            between = Root(second.location + step, second.from_left - step, second.from_right - step)
            values += 0.5 * weight * _pole_derivative(form, between, left, right, root)
        return values / (np.pi * form.lead)
    parts = _pole(form, first, left, right, root) - _pole(form, second, left, right, root)
    return parts / (np.pi * form.lead * gap)


def _reach(root: Root) -> float:
    """Distance of a pole from the bulk."""
    return min(abs(root.from_left), abs(root.from_right))


def _pole(form: Form, pole: Root, left: Real, right: Real, root: Real) -> Real:
    """``int_a^x sqrt((t - a)(b - t)) / (t - r) dt``.

    For r <= a, with y = x - r, M = (a + b)/2 - r and g = sqrt((a - r)(b - r)):

        root + M phi - g psi = 2 M (tau - arctan tau) + root (y - M - (M - g)) / (y + g) + (M - g) psi,
        tan(phi / 2) = sqrt(left / right),  tan(psi / 2) = sqrt((b - r) left / ((a - r) right)),
        tau = tan((psi - phi) / 2) = root / (y + g),

    where the left form is the textbook primitive, which cancels where tau is small, and the right one cancels where tau
    is large, next to a pole at or near the edge. For r >= b reflect.
    """
    if pole.from_left < 0:  # r >= b: substitute t -> -t, which swaps the edges and turns the integral from b
        mirrored = Root(-pole.location, -pole.from_right, -pole.from_left)
        return _pole(form, mirrored, right, left, root) - _pole_total(mirrored, form.width)
    near, far = pole.from_left, pole.from_right
    y = near + left
    g = np.sqrt(near) * np.sqrt(far)
    middle = near + form.width / 2
    shortfall = 0.5 * (form.width / (np.sqrt(far) + np.sqrt(near))) ** 2  # M - g
    tau = root / (y + g)
    psi = 2.0 * np.arctan2(np.sqrt(far * left), np.sqrt(near * right))
    far_off = 2.0 * middle * _minus_arctan(tau) + root * ((left - form.width / 2) - shortfall) / (y + g)
    close = root + middle * (2.0 * np.arctan2(np.sqrt(left), np.sqrt(right))) - g * psi
    return np.asarray(np.where(tau > 1.0, close, far_off + shortfall * psi))


def _pole_total(pole: Root, width: float) -> float:
    """The integral of `_pole` over the whole bulk, r <= a."""
    return float(0.5 * np.pi * (width / (np.sqrt(pole.from_right) + np.sqrt(pole.from_left))) ** 2)


def _pole_derivative(form: Form, pole: Root, left: Real, right: Real, root: Real) -> Real:
    """``int_a^x sqrt((t - a)(b - t)) / (t - r)^2 dt`` for r < a (for r > b reflect): derivative of `_pole` by r."""
    if pole.from_left < 0:
        mirrored = Root(-pole.location, -pole.from_right, -pole.from_left)
        total = np.pi * 0.5 * (form.width / (np.sqrt(mirrored.from_right) + np.sqrt(mirrored.from_left))) ** 2
        total /= np.sqrt(mirrored.from_left * mirrored.from_right)
        return np.asarray(total - _pole_derivative(form, mirrored, right, left, root))
    near, far = pole.from_left, pole.from_right
    y = near + left
    g = np.sqrt(near) * np.sqrt(far)
    shortfall = 0.5 * (form.width / (np.sqrt(far) + np.sqrt(near))) ** 2
    tau = root / (y + g)
    psi = 2.0 * np.arctan2(np.sqrt(far * left), np.sqrt(near * right))
    rise = left - near * form.width / (g + near)  # y - g, since g - near = near (far - near) / (g + near)
    return np.asarray(-2.0 * _minus_arctan(tau) + root * rise / (y * (y + g)) + shortfall / g * psi)


def _minus_arctan(tau: Real) -> Real:
    """``tau - arctan(tau)`` for tau >= 0 without cancellation."""
    small = tau < 0.35
    square = np.where(small, tau, 0.0) ** 2
    series = np.zeros(tau.shape)
    for k in range(33, 1, -2):  # 0.35^34 < 1e-15
        series = 1.0 / k - square * series
    return np.where(small, tau * square * series, tau - np.arctan(tau))
