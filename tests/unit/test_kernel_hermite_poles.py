"""Corrections of the trapezoid rule for poles next to the axis, against integrals in closed form or by fine grids."""

import cmath
import math

import numpy as np
import pytest
import scipy.special

from rmtsolve._kernels import trapezoid_poles as poles

STEP, N = 0.25, 69
X = STEP * (np.arange(N) - 0.5 * (N - 1))
W = STEP * np.exp(-0.5 * X * X) / math.sqrt(2 * math.pi)


def stieltjes(a):
    """``E 1/(g - a)`` for complex a: the Faddeeva function."""
    up = a if a.imag > 0 else a.conjugate()
    value = 1j * math.sqrt(math.pi / 2) * scipy.special.wofz(up / math.sqrt(2))
    return value if a.imag > 0 else value.conjugate()


@pytest.mark.parametrize("a", [0.3 + 0.05j, -1.1 + 1e-3j, 0.5 - 0.02j, 0.1 + 0.6j, 2.03 + 1e-9j, 0.0 + 3.0j])
def test_simple_pole(a):
    f = X - a
    h = np.array([np.ones(N), X])
    first, second = (h * W / f).sum(axis=1), np.einsum("ik,jk->ij", h, h * W / f**2).astype(complex)
    assert poles.correct_moments(f.real.copy(), f.imag.copy(), h, W, STEP, first, second)
    m = stieltjes(a)
    assert first == pytest.approx(np.array([m, 1 + a * m]), rel=1e-10)
    slope = -(1 + a * m)  # m' = E 1/(g-a)^2 = -E (1 + a/(g-a))
    assert second[0, 0] == pytest.approx(slope, rel=1e-9)
    assert second[0, 1] == pytest.approx(m + a * slope, rel=1e-9)


def test_first_moments_only_and_rows():
    a = 0.3 + 0.05j
    f = np.array([X - a, X - a.conjugate()])
    h = np.array([np.ones(N), X])
    out = np.einsum("an,jn->aj", W / f, h.astype(complex))
    poles.correct_means(f, h, W, STEP, out)
    m = stieltjes(a)
    assert out == pytest.approx(np.array([[m, 1 + a * m], [m.conjugate(), 1 + (a * m).conjugate()]]), rel=1e-11)


def test_two_poles_and_a_pole_met_twice():
    a, b = 0.4 + 0.03j, -0.9 + 0.2j
    f = (X - a) * (X - b)
    first = (W / f).sum(keepdims=True).astype(complex)
    nothing = np.empty((0, 1), complex)
    assert poles.correct_moments(f.real.copy(), f.imag.copy(), np.ones((1, N)), W, STEP, first, nothing)
    assert first[0] == pytest.approx((stieltjes(a) - stieltjes(b)) / (a - b), rel=1e-9)
    nodes, places = np.empty(poles.MOST, np.int64), np.empty(poles.MOST, np.complex128)
    assert poles.find_zeros(f.real.copy(), f.imag.copy(), nodes, places) == 2
    found = sorted((STEP * (nodes[c] + places[c] - 0.5 * (N - 1)) for c in range(2)), key=lambda t: t.real)
    assert found == pytest.approx([b, a], abs=1e-9)


def test_no_zero_zero_on_the_axis_and_too_few_points():
    nodes, places = np.empty(poles.MOST, np.int64), np.empty(poles.MOST, np.complex128)
    far = X + 40j
    assert poles.find_zeros(far.real.copy(), far.imag.copy(), nodes, places) == 0
    first = np.array([3.0 + 0j])
    assert poles.correct_moments(
        far.real.copy(), far.imag.copy(), np.ones((1, N)), W, STEP, first, np.empty((0, 1), complex)
    )
    assert first[0] == 3.0
    on = X - 0.33 + 0j
    assert poles.find_zeros(on.real.copy(), on.imag.copy(), nodes, places) == -1
    assert not poles.correct_moments(
        on.real.copy(), on.imag.copy(), np.ones((1, N)), W, STEP, first, np.empty((0, 1), complex)
    )
    assert poles.find_zeros(np.ones(5), np.ones(5), nodes, places) == 0


def test_cotangent_and_weight():
    for t in (0.3 + 0.2j, -0.4 - 0.7j, 0.01 + 1e-8j):
        side = 1 if t.imag > 0 else -1
        value, slope = poles.cotangent(t)
        assert value == pytest.approx(1 / cmath.tan(math.pi * t) + 1j * side, rel=1e-7)
        assert slope == pytest.approx(-math.pi / cmath.sin(math.pi * t) ** 2, rel=1e-7)
    weight, logarithmic = poles.weight_at(0.4 + 0.1j, 30, W, STEP)
    x = X[30] + STEP * (0.4 + 0.1j)
    assert weight == pytest.approx(STEP * cmath.exp(-x * x / 2) / math.sqrt(2 * math.pi), rel=1e-13)
    assert logarithmic == pytest.approx(-STEP * x, rel=1e-13)


@pytest.mark.parametrize("a", [0.3 - 0.05j, -0.7 - 0.3j, 0.2 - 6.0j])
def test_logarithm(a):
    """``E log(g - a)`` with Im(g - a) > 0; the reference is the plain rule on a grid far finer than |Im a|."""
    y, dy = np.polynomial.laguerre.laggauss(40)
    dy = dy * np.exp(y) / (2 * math.pi)
    y = y / (2 * math.pi)
    f = (X - a)[None, :]
    out = (W * np.log(f)).sum(axis=1)
    poles.correct_logarithm(f, W, STEP, y, dy, out)
    x = np.linspace(-12, 12, 200_001)
    exact = np.sum(np.exp(-0.5 * x * x) * np.log(x - a)) * (x[1] - x[0]) / math.sqrt(2 * math.pi)
    assert out[0] == pytest.approx(exact, abs=1e-9)
