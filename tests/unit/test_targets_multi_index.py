"""Multi-index targets: exact tensors, numbers, parity, exponents, refusals."""

import math

import numpy as np
import pytest
import sympy
from sympy import Rational, pi, sqrt

import rmtsolve as rmt


@pytest.mark.parametrize(
    ("text", "alpha", "value"),
    [
        ("sign(z1*z2)", (1, 1), 2 / pi),
        ("max(z1, z2)", (0, 0), 1 / sqrt(pi)),
        ("max(z1, z2)", (1, 0), Rational(1, 2)),
        ("z1*z2*z3", (1, 1, 1), 1),
        ("(z1 + z2)**4", (2, 2), 12),
        ("(z1 + z2)**4", (0, 0), 12),
        ("z1**3*z2", (1, 1), 3),
        ("relu(z1)*relu(z2)", (0, 1), 1 / (2 * sqrt(2 * pi))),
        ("exp(z1/2 + z2)", (1, 1), sympy.exp(Rational(5, 8)) / 2),
        ("sin(z1 + z2)", (1, 0), sympy.exp(-1)),
        ("abs(2*z1*z2)", (0, 0), 4 / pi),
        ("abs(-2*z1*z2)", (0, 0), 4 / pi),
        ("sign(-3*z1*z2)", (1, 1), -2 / pi),
        ("tanh(z1)*z2", (0, 1), 0),
        ("relu(3*z1 + 4*z2)", (1, 1), sqrt(2) * 5 * Rational(12, 25) / (2 * sqrt(pi))),
        ("z1**2 + z2**2 - 2", (1, 1), 0),
        ("2*z1*(z2 + 3)*(z2 - 3)", (1, 2), 2 * sqrt(2)),
        ("exp(-z1**2/2 - z2**2/2)", (0, 0), Rational(1, 2)),
        ("relu(z1 - z2)*tanh(z2 - z1)*0 + z2", (0, 1), 1),
    ],
)
def test_exact_coefficients(text, alpha, value):
    g = rmt.target(text)
    assert sympy.simplify(g.symbolic_coefficient(alpha) - value) == 0
    assert g.coefficients(max(alpha))[alpha] == pytest.approx(float(value), abs=1e-14)


def test_tensors():
    g = rmt.target("z1*z2**2 + max(z1, z2)")
    assert g.symbolic_tensor(1).tolist() == [Rational(3, 2), Rational(1, 2)]
    third = g.tensor(3)
    assert third.shape == (2, 2, 2)
    assert third[0, 1, 1] == third[1, 0, 1] == third[1, 1, 0]
    assert third[0, 1, 1] == pytest.approx(2.0, abs=1e-13)
    assert np.allclose(third, np.array(g.symbolic_tensor(3).tolist(), dtype=float), atol=1e-13)
    assert g.symbolic_tensor(0) == 1 / sqrt(pi)
    assert g.tensor(0) == pytest.approx(1 / math.sqrt(math.pi), abs=1e-14)
    assert "frac" in sympy.latex(g.symbolic_tensor(1))


def test_energy_by_degree_and_exponents():
    g = rmt.target("z1*z2 + z1**3 - 3*z1")
    assert g.energy() == pytest.approx(7.0, abs=1e-13)
    assert g.energy_by_degree(4) == pytest.approx([0, 0, 1, 6, 0], abs=1e-13)
    assert g.information_exponent() == 2
    assert rmt.target("z1*z2*z3").information_exponent() == 3
    assert rmt.target("5").information_exponent() == math.inf
    assert rmt.target(lambda z: np.full(len(z), 2.0), dimension=2).information_exponent() == math.inf
    with pytest.raises(rmt.DomainError, match="large enough to reach"):
        rmt.target("z1*z2*z3*z4").information_exponent(3)


@pytest.mark.parametrize(
    ("text", "parity"),
    [
        ("z1*z2", (1, -1, -1)),
        ("sin(z1 - z2)", (-1, 0, 0)),
        ("z1**2*z2", (-1, 1, -1)),
        ("relu(z1) + z2", (0, 0, 0)),
        ("cos(z1*z2*z3)", (1, 1, 1, 1)),
    ],
)
def test_parity(text, parity):
    assert rmt.target(text).parity == parity


def test_numbers_where_there_is_no_closed_form():
    """``tanh(z1 z2)`` against nested one-dimensional integrals by the adaptive mesh."""
    from rmtsolve.activations.quadrature import gaussian_expectation

    g = rmt.target("tanh(z1*z2)")
    values, bound = g.coefficients_with_error(3)
    tanh = rmt.activation("tanh")

    def inner(x):  # E_z2 tanh(x z2) z2 = x E tanh'(x z2)
        return x * np.sign(x) * tanh.conditional(0.0, np.abs(x), 1)[:, 1]

    exact = gaussian_expectation(inner, kinks=[0.0]).value
    assert abs(values[1, 1] - exact) <= bound[1, 1]
    assert values[0, 1] == pytest.approx(0.0, abs=1e-15)
    with pytest.raises(rmt.DomainError, match=r"got tanh\(z1\*z2\); coefficients_with_error"):
        g.symbolic_coefficient([1, 1])


def test_a_target_is_split_into_what_is_exact_and_the_rest():
    g = rmt.target("tanh(z1*z2) + relu(z1 - z2)")
    part, whole = rmt.target("tanh(z1*z2)").coefficients_with_error(3), g.coefficients_with_error(3)
    exact = rmt.target("relu(z1 - z2)").coefficients_with_error(3)
    assert np.allclose(whole.values, part.values + exact.values, atol=1e-15)
    assert exact.bound.max() < 1e-14


def test_kinks_along_axes_cost_nothing():
    exact = rmt.target("relu(z1 - 1/2)*abs(z2)*z3").coefficients(4)
    numeric = rmt.target(
        lambda z: np.maximum(z[:, 0] - 0.5, 0) * np.abs(z[:, 1]) * z[:, 2], dimension=3, kinks=[[0.5], [0.0], []]
    )
    values, bound = numeric.coefficients_with_error(4)
    assert np.abs(values - exact).max() < 1e-13
    assert bound.max() < 1e-12


@pytest.mark.parametrize("r", [2, 3, 4])
def test_bound_holds_for_kinks_that_are_not(r):
    """max over z1, z2 as a plain function: the error is large, and the bound says so."""
    exact = rmt.target("max(z1, z2)", dimension=r).coefficients(3)
    numeric = rmt.target(lambda z: np.maximum(z[:, 0], z[:, 1]), dimension=r)
    values, bound = numeric.coefficients_with_error(3)
    assert np.all(np.abs(values - exact) <= bound)
    assert np.abs(values - exact).max() > 1e-9
    with pytest.warns(rmt.AccuracyWarning, match="errors up to"):
        numeric.coefficients(3)


def test_jumps_on_the_axes_keep_parity():
    g = rmt.target(lambda z: np.sign(z[:, 0]) * np.abs(z[:, 1]), dimension=2, kinks=[[0.0], [0.0]])
    c = g.coefficients(3)
    assert c[1, 0] == pytest.approx(2 / math.pi, abs=1e-14)
    assert np.abs(c[0]).max() < 1e-15
    assert g.energy() == pytest.approx(1.0, abs=1e-14)


def test_call_and_text():
    g = rmt.target("z1*z2 + 1")
    assert g([2.0, 3.0]) == 7.0
    assert g(np.ones((4, 5, 2))).shape == (4, 5)
    assert repr(g) == "target('z1*z2 + 1', dimension=2)"
    assert "degree 2: 50.0000%" in str(g)
    assert rmt.target(g) is g
    assert rmt.target("z1", dimension=3).coefficients(1)[1, 0, 0] == 1.0
    z1, z2 = sympy.symbols("z1 z2")
    assert rmt.target(z1 * sympy.tanh(z2)) == rmt.target("z1*tanh(z2)", name="z1*tanh(z2)")

    def overwrites(z):
        z *= 2
        return z[:, 0]

    points = np.ones((3, 2))
    assert rmt.target(overwrites, dimension=2)(points).tolist() == [2.0] * 3
    assert points.tolist() == np.ones((3, 2)).tolist()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rmt.target("z5"), "must be a variable"),
        (lambda: rmt.target("x"), "must be a variable"),
        (lambda: rmt.target("__import__('os').system('x')"), "only numbers, names, calls"),
        (lambda: rmt.target("(z1 + z2)**(10**10)"), "exponent"),
        (lambda: rmt.target("z1*z2", dimension=1), "at least 2"),
        (lambda: rmt.target("z1", dimension=5), "dimension must be"),
        (lambda: rmt.target("exp(z1**2/4)"), "square integrable"),
        (lambda: rmt.target("exp(z1*z2)"), "square integrable|finite"),
        (lambda: rmt.target("1/(z1 - z2)"), "finite real number"),
        (lambda: rmt.target("sqrt(z1)"), "finite real number"),
        (lambda: rmt.target(np.sin), "dimension must be given"),
        (lambda: rmt.target(np.sin, dimension=2), "one real number for each point"),
        (lambda: rmt.target(lambda z: z[:, 7], dimension=2), "vectorised function of points"),
        (lambda: rmt.target(lambda z: z[:, 0], dimension=2, kinks=[[0]]), "one list for each of the 2 axes"),
        (lambda: rmt.target("z1", kinks=[[0]]), "kinks must be absent"),
        (lambda: rmt.target(3), "target must be a text"),
        (lambda: rmt.target("z1")(np.ones((3, 2))), r"shape \(..., 1\)"),
        (lambda: rmt.target("z1*z2").coefficients(61), "order must be"),
        (lambda: rmt.target("z1*z2").symbolic_coefficient([1]), "2 integers"),
        (lambda: rmt.target("z1*z2").symbolic_coefficient([1, -1]), "alpha must be"),
        (lambda: rmt.target(lambda z: np.where(z[:, 0] > 5.03, np.nan, 1), dimension=1).coefficients(2), "finite"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(rmt.DomainError, match=message):
        call()
