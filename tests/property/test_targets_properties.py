"""Invariants of multi-index targets: rotation of the tensors, Parseval, exact against quadrature."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from profiles import quick

import rmtsolve as rmt

part = st.sampled_from(["tanh", "sin", "relu", "erf", "sign", "gelu", "abs", "cos"])
weights = st.integers(-8, 8).map(lambda n: n / 4)
angles = st.floats(-3.1, 3.1).map(lambda t: round(t, 3))


@given(part, part, weights, weights)
def test_products_are_outer_products(f, g, a, b):
    h = rmt.target(f"{f}(z1 + ({a}))*{g}(z2) + ({b})*{g}(z1)")
    left = np.outer(rmt.activation(f"{f}(x + ({a}))").coefficients(6), rmt.activation(g).coefficients(6))
    left[:, 0] += b * rmt.activation(g).coefficients(6)
    assert h.coefficients(6) == pytest.approx(left, abs=1e-14)


@given(part, angles)
def test_rotation(name, angle):
    """``f(u . z)``: ``C_k = E f^(k) u^(x k)``, and the energy of a degree does not depend on u."""
    c, s = round(math.cos(angle), 6), round(math.sin(angle), 6)
    length = math.hypot(c, s)
    g = rmt.target(f"{name}(({c})*z1 + ({s})*z2)", dimension=2)
    f = rmt.activation(name)
    plain = f.coefficients(5, scale=length)
    assert g.energy_by_degree(5) == pytest.approx(plain**2, abs=1e-14)
    assert g.tensor(2) == pytest.approx(math.sqrt(2) * plain[2] * np.outer([c, s], [c, s]) / length**2, abs=1e-13)
    assert g.energy() == pytest.approx(f.second_moment(0.0, length), rel=1e-12)


@given(part, part, angles, weights)
def test_parseval(f, g, angle, w):
    h = rmt.target(f"{f}(z1)*{g}(z2) + ({w})*z1*z2")
    energy = h.energy()
    shares = h.energy_by_degree(20)
    assert np.all(shares >= 0)
    assert shares.sum() <= energy * (1 + 1e-12)
    points = np.random.default_rng(3).standard_normal((40_000, 2))
    squares = h(points) ** 2
    assert abs(squares.mean() - energy) <= 5 * squares.std() / 200


@quick(15)
@given(st.sampled_from(["tanh", "sin", "erf", "gelu"]), angles, weights)
def test_exact_is_quadrature(name, angle, w):
    c, s = round(math.cos(angle), 3), round(math.sin(angle), 3)
    g = rmt.target(f"{name}(({c})*z1 + ({s})*z2)*1 + ({w})*z1**2*z2 + z2*{name}(z1)", dimension=2)
    plain = rmt.target(g.raw, dimension=2)
    exact, slack = g.coefficients_with_error(4)
    values, bound = plain.coefficients_with_error(4)
    assert np.all(np.abs(values - exact) <= bound + slack)
    assert np.abs(values - exact).max() < 1e-12
