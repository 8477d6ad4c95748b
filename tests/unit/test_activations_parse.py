"""What may be typed as an activation, and what is refused."""

import subprocess
import sys

import numpy as np
import pytest
import sympy

import rmtsolve as rmt
from rmtsolve.activations.library import LIBRARY

X = sympy.Symbol("x")
GRID = np.array([-2.5, -1.0, -0.3, 0.0, 0.4, 1.0, 3.0])


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("tanh(x) + x**2/2", np.tanh(GRID) + GRID**2 / 2),
        ("-x**2", -(GRID**2)),
        ("2*sin(pi*x/3) - e", 2 * np.sin(np.pi * GRID / 3) - np.e),
        ("max(x, 0, 2*x - 1)", np.maximum(np.maximum(GRID, 0), 2 * GRID - 1)),
        ("Abs(x)/(1 + x**2)", np.abs(GRID) / (1 + GRID**2)),
        ("2**x", 2.0**GRID),
        ("e**(x/2)", np.exp(GRID / 2)),
        ("where(x - 1, 5, x)", np.where(GRID > 1, 5, GRID)),
        ("leaky_relu(x, 0.1)", np.where(GRID > 0, GRID, 0.1 * GRID)),
        ("quadratic(x) + gaussian(2*x)", GRID**2 + np.exp(-2 * GRID**2)),
        ("relu6(4*x)", np.clip(4 * GRID, 0, 6)),
        ("sinh(x/4)*cosh(x/4)", np.sinh(GRID / 2) / 2),
        ("(x**2)**(1/2)", np.abs(GRID)),
        ("+x", GRID),
    ],
)
def test_text_means_what_it_says(text, values):
    assert np.allclose(rmt.activation(text)(GRID), values, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("__import__('os').system('x')", "only numbers, names, calls"),
        ("10**10**10", "exponent must be between"),
        ("x**(10**10)", "exponent must be between"),
        ("2**2**2**2**2*x", "exponent must be between"),
        ("(" * 5000 + "x" + ")" * 5000, "at most 1000 characters"),
        ("-" * 900 + "x", "at most 500 parts"),
        ("tanh(" * 60 + "x" + ")" * 60, "nested at most 40"),
        ("x" * 100_000, "at most 1000 characters"),
        ("9" * 999, "at most 1e100"),
        ("9**90*9**90", "at most 1e100"),
        ("exp(x**2)", "square integrable"),
        ("exp(x**2/4)", "square integrable"),
        ("exp(x**4)", "inf near"),
        ("exp(exp(x))", "inf near"),
        ("cosh(x**2)", "square integrable"),
        ("x.real", "only numbers, names, calls"),
        ("[x]", "only numbers, names, calls"),
        ("x if x else 1", "only numbers, names, calls"),
        ("lambda: 1", "only numbers, names, calls"),
        ("(x := 2)", "only numbers, names, calls"),
        ("x == 1", "only numbers, names, calls"),
        ("x % 2", "operator in an expression must be one of"),
        ("f'{x}'", "only numbers, names, calls"),
        ("True*x", "only numbers, names, calls"),
        ("1j*x", "only numbers, names, calls"),
        ("1e400*x", "size between"),
        ("x^2", "must use **"),
        ("", "must not be empty"),
        ("x +", "must be a formula"),
        ("sin(x", "must be a formula"),
        ("\0", "must be a formula"),
        ("sim(x)", "did you mean 'sin'"),
        ("tahn", "did you mean 'tanh'"),
        ("tanh + x", "must have its argument"),
        ("sin(x, x)", "must have 1 argument"),
        ("sin(x=x)", "by position"),
        ("max(x)", "at least 2 arguments"),
        ("leaky_relu(x, x)", "must be constant"),
        ("x**x", "exponent must be a rational number"),
        ("1/0", "divisor must be different from zero"),
        ("(-1)**0.5*x", "must be real"),
        ("1/x", "inf near x=0"),
        ("1/(x - 1)", "inf near"),
        ("sqrt(x)", "nan near"),
        ("log(x)", "near x=0"),
        ("y", "must be a variable"),
    ],
)
def test_hostile_or_wrong_text_is_refused_at_once(text, message):
    with pytest.raises(rmt.DomainError) as caught:
        rmt.activation(text)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_library_parameters():
    assert rmt.activation("leaky_relu", slope=0.25)(-2.0) == -0.5
    assert rmt.activation("leaky_relu")(-2.0) == -0.02
    assert rmt.activation("elu", alpha=2)(-1.0) == pytest.approx(2 * np.expm1(-1.0))
    assert rmt.activation("exp(t*x)", t=0.5)(1.0) == pytest.approx(np.exp(0.5))
    with pytest.raises(rmt.DomainError, match="only slope"):
        rmt.activation("leaky_relu", alpha=1)
    with pytest.raises(rmt.DomainError, match="slope must be a finite real number"):
        rmt.activation("leaky_relu", slope=np.inf)


@pytest.mark.parametrize("name", LIBRARY)
def test_library_texts_are_themselves(name):
    act = rmt.activation(name)
    assert act == rmt.activation(str(act.expression))
    assert np.array_equal(
        rmt.activation(f"{name}(x)")(GRID) if name not in ("leaky_relu", "elu") else act(GRID), act(GRID)
    )


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (sympy.tanh(X) + X**2 / 2, "tanh(x) + x**2/2"),
        (sympy.Max(X, 0), "relu(x)"),
        (sympy.Heaviside(X - 1) * X, "step(x - 1)*x"),
        (sympy.Piecewise((X, X > 0), (sympy.exp(X) - 1, True)), "elu(x, 1)"),
        (sympy.Piecewise((1, (X > -1) & (X < 1)), (0, True)), "step(x + 1)*step(1 - x)"),
        (sympy.Piecewise((1, (X < -1) | (X > 1)), (0, True)), "1 - step(x + 1)*step(1 - x)"),
        (sympy.Piecewise((X, sympy.Eq(X, 5)), (X**2, True)), "x**2"),
        (sympy.Piecewise((X, sympy.Ne(X, 5)), (X**2, True)), "x"),
        (sympy.sech(X), "1/cosh(x)"),
        (sympy.Abs(X) * sympy.sign(X) * sympy.Min(X, 1), "abs(x)*sign(x)*min(x, 1)"),
        (sympy.erf(X / sympy.sqrt(2)) * sympy.E, "e*erf(x/sqrt(2))"),
        (sympy.atan(X) + sympy.Float(0.5), "arctan(x) + 0.5"),
        (sympy.Symbol("t") ** 2, "x**2"),
    ],
)
def test_sympy_expressions(expression, text):
    away = GRID + 0.01  # single points do not matter
    assert np.allclose(rmt.activation(expression)(away), rmt.activation(text)(away), rtol=1e-14, atol=1e-15)


def test_sympy_parameters():
    slope = sympy.Symbol("a", positive=True)
    assert rmt.activation(sympy.tanh(slope * X), a=2) == rmt.activation("tanh(2*x)")
    act = rmt.activation(slope * X)
    assert act.symbolic_coefficient(1) == slope
    assert "symbolic in a" in str(act)
    with pytest.raises(rmt.DomainError, match="the parameter a needs a number"):
        act.raw(GRID)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (sympy.exp(X**2), "square integrable"),
        (sympy.gamma(X), "must be one of"),
        (sympy.I * X, "must be one of"),
        (sympy.Symbol("u") * sympy.Symbol("v"), "one free symbol or one named x"),
        (sympy.Integer(10) ** 200 * X, "at most 1e100"),
        (sum(X**k for k in range(1, 300)), "at most 500 parts"),
        (sympy.Piecewise((X, X > 0)), "always holds"),
        (sympy.Piecewise((X, sympy.Symbol("b", bool=True) > X), (1, True)), "one named x|needs a number|Piecewise"),
        (sympy.Matrix([X]), "scalar sympy expression"),
    ],
)
def test_sympy_refusals(expression, message):
    with pytest.raises(rmt.DomainError, match=message):
        rmt.activation(expression).raw(GRID)


def test_deep_sympy_is_refused():
    deep = X
    for _ in range(60):
        deep = sympy.tanh(deep, evaluate=False)  # or sympy itself never ends
    with pytest.raises(rmt.DomainError, match="nested at most"):
        rmt.activation(deep)


def test_functions_and_their_kinks():
    act = rmt.activation(lambda x: np.where(x > 0.3, x, np.sin(x)))
    assert act.kinks == pytest.approx([0.3], abs=1e-12)
    declared = rmt.activation(np.abs, kinks=[0.0], name="size")
    assert declared.kinks.tolist() == [0.0]
    assert repr(declared) == "activation('size')"
    assert np.allclose(declared.coefficients(6), rmt.activation("abs").coefficients(6), atol=1e-15)

    def overwrites(x):
        x *= 2
        return x

    points = GRID.copy()
    assert rmt.activation(overwrites)(points).tolist() == (2 * GRID).tolist()
    assert points.tolist() == GRID.tolist()


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: x + 0j, "must return real numbers"),
        (lambda x: x[:3], "entry by entry"),
        (lambda x: float(x), "vectorised"),
        (lambda x: np.log(x), "near"),
        (lambda x: np.exp(x * x), "finite and square integrable|growth"),
        (lambda x: np.exp(0.26 * x * x), "growth"),
        (3, "must be a name, a text"),
    ],
)
def test_bad_functions(function, message):
    with pytest.raises(rmt.DomainError, match=message), np.errstate(all="ignore"):
        rmt.activation(function)


def test_what_does_not_go_together():
    with pytest.raises(rmt.DomainError, match="kinks must be absent"):
        rmt.activation("relu", kinks=[0.0])
    with pytest.raises(rmt.DomainError, match="parameters must be absent"):
        rmt.activation(np.abs, slope=1)
    act = rmt.activation("relu")
    assert rmt.activation(act) is act
    with pytest.raises(rmt.DomainError, match="already is an Activation"):
        rmt.activation(act, slope=1)


@pytest.mark.parametrize(
    ("left", "right"),
    [("erf(x)", "normal_cdf(x)"), ("step(x - 1)", "erf(x + 1)"), ("step(x - 1)", "normal_cdf(x + 1)")],
)
def test_atoms_with_equal_numbers_stay_apart(left, right):
    whole = rmt.activation(f"{left} + {right}").coefficients(4)
    parts = rmt.activation(left).coefficients(4) + rmt.activation(right).coefficients(4)
    assert whole == pytest.approx(parts, abs=1e-15)


def test_numbers_do_not_load_sympy():
    code = (
        "import sys, rmtsolve; rmtsolve.activation('relu').coefficients(8); "
        "rmtsolve.activation('tanh(x) + x**2/2').conditional([0.0, 1.0], 0.5, 3); "
        "assert not {'sympy', 'mpmath', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
