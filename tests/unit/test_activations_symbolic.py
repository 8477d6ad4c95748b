"""Exact coefficients: known values, formulas for all k against numbers, and what is said when there is none."""

import pytest
import sympy
from sympy import Rational, erf, exp, pi, sqrt

import rmtsolve as rmt

K = sympy.Symbol("k", integer=True, nonnegative=True)
NU, T, W = sympy.Symbol("nu", real=True), sympy.Symbol("t", real=True), sympy.Symbol("w", positive=True)


@pytest.mark.parametrize(
    ("name", "k", "value"),
    [
        ("relu", 0, 1 / sqrt(2 * pi)),
        ("relu", 1, Rational(1, 2)),
        ("relu", 4, -1 / (sqrt(24) * sqrt(2 * pi))),
        ("relu", 5, 0),
        ("sign", 3, -sqrt(2 / pi) / sqrt(6)),
        ("step", 0, Rational(1, 2)),
        ("abs", 2, 2 / sqrt(2 * pi) / sqrt(2)),
        ("erf", 1, 2 / sqrt(3 * pi)),
        ("erf(x/sqrt(2))", 3, -1 / sqrt(pi) / sqrt(24)),
        ("gelu", 2, 3 / (4 * sqrt(pi)) / sqrt(2)),
        ("exp(x/2)", 3, exp(Rational(1, 8)) / 8 / sqrt(6)),
        ("sin(2*x)", 5, 32 * exp(-2) / sqrt(120)),
        ("cos", 2, -exp(-Rational(1, 2)) / sqrt(2)),
        ("cubic", 1, 3),
        ("cubic", 3, sqrt(6)),
        ("gaussian", 0, 1 / sqrt(2)),
        ("hard_tanh", 1, erf(1 / sqrt(2))),
        ("relu(x - 1)", 2, exp(-Rational(1, 2)) / sqrt(2 * pi) / sqrt(2)),
        ("max(x, 0)", 1, Rational(1, 2)),
        ("elu", 0, 1 / sqrt(2 * pi) - Rational(1, 2) + exp(Rational(1, 2)) * (1 - erf(1 / sqrt(2))) / 2),
        (
            "where(x, 1, exp(x))",
            1,
            1 / sqrt(2 * pi) + exp(Rational(1, 2)) * (1 - erf(1 / sqrt(2))) / 2 - 1 / sqrt(2 * pi),
        ),
        ("softplus", 1, Rational(1, 2)),
        ("silu", 3, 0),
        ("sigmoid", 0, Rational(1, 2)),
        ("tanh(x) + x**2/2", 2, sqrt(2) / 2),
    ],
)
def test_known_values(name, k, value):
    assert sympy.simplify(rmt.activation(name).symbolic_coefficient(k) - value) == 0


CASES = [
    *("relu", "erf", "erf(x/sqrt(2))", "sign", "step", "abs", "exp", "sin", "cos", "gelu", "quadratic", "cubic"),
    *("gaussian", "hard_tanh", "relu6", "identity", "relu(2*x + 1)", "x**2*relu(x)", "x*erf(x) + sin(x)"),
    *("relu(x) + erf(x)", "exp(x)*sin(x)", "x**3*exp(-x**2/2)", "exp(x - x**2/2)", "erf(x + 1)", "x*gelu(2*x - 1)"),
    *(
        "x**2*sin(x)",
        "x*exp(x)",
        "sign(x - 1)*x**2",
        "abs(x) + x**3",
        "exp(-x - x**2/4)*x",
        "exp(-x**2)*cos(x)",
        "3",
        "(x**2 + 3)*erf(x)",
    ),
]


@pytest.mark.parametrize("text", CASES)
def test_formula_for_all_k(text):
    """The formula in k, the closed form of each k and the numbers agree, and all of them have a LaTeX form."""
    act = rmt.activation(text)
    formula = act.symbolic_coefficient(K)
    assert r"\begin{cases}" in sympy.latex(formula) or not formula.has(sympy.Piecewise)
    c = act.coefficients(11)
    for k in (0, 1, 2, 3, 4, 7, 10, 11):
        exact = act.symbolic_coefficient(k)
        assert not exact.has(sympy.Float)
        assert float(exact) == pytest.approx(c[k], abs=1e-13)
        assert complex(sympy.N(formula.subs(K, k), 20)) == pytest.approx(c[k], abs=1e-13)


def test_parity_is_written_out():
    formula = rmt.activation("relu").symbolic_coefficient(K)
    assert formula.subs(K, 9) == 0
    assert [condition for _, condition in formula.args][:3] == [
        sympy.Eq(K, 0),
        sympy.Eq(K, 1),
        sympy.Eq(sympy.Mod(K, 2), 1),
    ]
    assert rmt.activation("exp").symbolic_coefficient(K) == exp(Rational(1, 2)) / sqrt(sympy.factorial(K))


@pytest.mark.parametrize(
    ("text", "symbols", "values"),
    [
        ("leaky_relu(x, nu)", {"nu": NU}, {NU: Rational(1, 3)}),
        ("exp(t*x)", {"t": T}, {T: Rational(2, 3)}),
        ("sin(w*x) + x**2*cos(w*x)", {"w": W}, {W: Rational(3, 2)}),
        ("erf(w*x)", {"w": W}, {W: Rational(3, 2)}),
        ("gelu(w*x + t)", {"w": W, "t": T}, {W: Rational(1, 2), T: -Rational(1, 4)}),
    ],
)
def test_symbols_in_the_activation(text, symbols, values):
    act = rmt.activation(text, **symbols)
    formula = act.symbolic_coefficient(K)
    numbers = rmt.activation(text, **{str(key): float(value) for key, value in values.items()}).coefficients(6)
    for k in range(7):
        assert complex(sympy.N(formula.subs(values).subs(K, k), 20)) == pytest.approx(numbers[k], abs=1e-13)
        assert float(act.symbolic_coefficient(k).subs(values)) == pytest.approx(numbers[k], abs=1e-13)


def test_shift_and_scale():
    a, s = sympy.Symbol("a", real=True), sympy.Symbol("s", positive=True)
    for name in ("relu", "gelu", "erf", "sin"):
        act = rmt.activation(name)
        numbers = act.coefficients(4, shift=0.7, scale=1.3)
        for k in range(5):
            exact = act.symbolic_coefficient(k, shift=Rational(7, 10), scale=Rational(13, 10))
            assert float(exact) == pytest.approx(numbers[k], abs=1e-14)
            formula = act.symbolic_coefficient(k, shift=a, scale=s)
            assert float(formula.subs({a: 0.7, s: 1.3})) == pytest.approx(numbers[k], abs=1e-14)
    with pytest.raises(rmt.DomainError, match="scale must be positive"):
        rmt.activation("relu").symbolic_coefficient(1, scale=-s)


def test_large_degrees():
    for text in ("gelu(x) + erf(x)", "exp(x)*sin(x)", "x**6*relu(x - 1)"):
        act = rmt.activation(text)
        assert float(act.symbolic_coefficient(64)) == pytest.approx(act.coefficients(64)[64], abs=1e-13)


def test_the_answer_says_how_it_is_known():
    act = rmt.activation(sympy.tanh(sympy.Symbol("x")) + sympy.Symbol("x") ** 2)
    numeric, exact, zero = act.coefficient(1), act.coefficient(2), act.coefficient(4)
    assert (numeric.how, numeric.exact) == ("quadrature", None)
    assert abs(numeric.value - 0.6057055096021588) <= numeric.bound < 1e-13
    assert "+-" in str(numeric)
    assert act.symbolic_coefficient(1).is_Float
    assert (exact.how, exact.exact) == ("parity", sqrt(2))
    assert (zero.value, zero.bound, zero.exact) == (0.0, 0.0, 0)
    assert rmt.activation("relu").coefficient(2).how == "closed form"
    assert rmt.activation(abs, kinks=[0.0]).coefficient(1).exact is None


@pytest.mark.parametrize("text", ["elu(x, 1/2)", "x*elu(2*x - 1)", "exp(x/2)*step(1 - x)"])
def test_exponentials_on_half_lines(text):
    act = rmt.activation(text)
    c = act.coefficients(9)
    for k in (0, 1, 2, 5, 9):
        exact = act.symbolic_coefficient(k)
        assert not exact.has(sympy.Float)
        assert float(exact) == pytest.approx(c[k], abs=1e-13)
    with pytest.raises(rmt.DomainError, match="no closed form for all k"):
        act.symbolic_coefficient(K)


def test_rounded_constants_do_not_pass_for_exact():
    first = rmt.activation("selu").coefficient(0)  # SELU's constants make it vanish, to double precision
    assert first.how == "closed form"
    assert abs(first.value - 4.04e-17) <= first.bound < 1e-14


def test_refusals():
    tanh = rmt.activation("tanh")
    with pytest.raises(rmt.DomainError, match="no closed form for all k"):
        tanh.symbolic_coefficient(K)
    for bad in (-1, 1.5, sympy.Rational(1, 2), "2", sympy.Symbol("k", negative=True)):
        with pytest.raises(rmt.DomainError, match="k must be an integer"):
            rmt.activation("relu").symbolic_coefficient(bad)
    assert rmt.activation("relu").symbolic_coefficient(sympy.Integer(1)) == Rational(1, 2)
    with pytest.raises(rmt.DomainError, match="the parameter w needs a number"):
        rmt.activation("tanh(w*x)", w=W).symbolic_coefficient(1)
