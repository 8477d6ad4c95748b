"""The public battery on the library, its parts on broken activations, and the reading of an activation."""

import warnings

import numpy as np
import pytest

import rmtsolve as rmt
from rmtsolve.activations.library import LIBRARY
from rmtsolve.testing import check_activation
from rmtsolve.testing.activation_laws import ACTIVATION_CHECKS

OTHERS = ["x**2*relu(x - 1)", "exp(x/3)*sin(2*x)", "abs(x**2 - 1)", "where(x - 1, x**2, sin(x))", "exp(-abs(x))"]


@pytest.mark.parametrize("text", [*LIBRARY, *OTHERS])
def test_battery(text):
    check_activation(rmt.activation(text))


def test_battery_on_a_function_with_a_kink_nobody_declared():
    check_activation(rmt.activation(lambda x: np.where(x > 0.3, x, np.sin(x)), name="mine"))


@pytest.mark.parametrize(
    ("method", "law"),
    [
        ("coefficients", "is the certified value"),
        ("second_moment", "Parseval"),
        ("residual_energy", "Parseval"),
        ("conditional", "Parseval"),
        ("dual", "kappa"),
    ],
)
def test_battery_notices(monkeypatch, method, law):
    act = rmt.activation("gelu")
    right = getattr(type(act), method)
    monkeypatch.setattr(type(act), method, lambda self, *args, **kwargs: right(self, *args, **kwargs) * 1.001)
    with pytest.raises(AssertionError, match=law):
        check_activation(act)


def test_battery_refuses_other_things():
    with pytest.raises(rmt.DomainError, match="must be an Activation"):
        check_activation(np.tanh)
    assert len({check.__name__ for check in ACTIVATION_CHECKS}) == len(ACTIVATION_CHECKS)


def test_print():
    text = str(rmt.activation("relu"))
    assert text.splitlines()[0] == "activation relu(x)"
    assert "E sigma(g)^2 = 0.5" in text
    assert "3.989422804014e-01   31.8310%" in text
    assert text.splitlines()[-1].split() == [">", "8", "0.3517%"]


def test_plot():
    import matplotlib.pyplot as plt

    axes = rmt.activation("relu").plot(order=6)
    lines = axes.get_lines()
    assert [line.get_label() for line in lines] == [
        "relu(x)",
        "up to degree 1",
        "up to degree 2",
        "up to degree 3",
        "up to degree 6",
    ]
    x, partial = lines[2].get_data()
    assert np.allclose(partial, 0.3989422804014327 / 2 + x / 2 + 0.3989422804014327 / 2 * x**2, atol=1e-12)
    bars = [bar.get_height() for bar in axes.figure.axes[1].patches]
    assert np.allclose(bars, rmt.activation("relu").coefficients(6) ** 2 / 0.5)
    single = plt.figure().subplots()
    assert rmt.activation("tanh").plot(single) is single
    plt.close("all")


def test_house_block_runs_as_written():
    relu = rmt.activation("relu")
    assert rmt.activation("tanh(x) + x**2/2").name == "tanh(x) + x**2/2"
    assert relu.coefficients(8).shape == (9,)
    assert float(relu.symbolic_coefficient(4)) == pytest.approx(-0.08143375198382, abs=1e-14)
    mu = relu.conditional(shift=0.7, scale=1.3, order=3) * np.sqrt([1, 1, 2, 6])
    assert mu == pytest.approx([0.94204497115621, 0.91633200664540, 0.44863542911638, -0.24157292337036], abs=1e-14)
    assert relu.dual(0.5) == pytest.approx(0.30449889052211, abs=1e-14)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda a: a.coefficients(-1), "order must be an integer >= 0"),
        (lambda a: a.coefficients(1001), "order must be"),
        (lambda a: a.coefficients(2.5), "order must be an integer"),
        (lambda a: a.coefficients(2, scale=-1.0), "scale must be"),
        (lambda a: a.coefficients(2, shift=np.nan), "shift must be"),
        (lambda a: a.conditional([0, 1, 2], [1, 2], 1), "must broadcast together"),
        (lambda a: a.conditional(np.zeros((10**5, 1)), np.ones(10**5), 3), "shift must be small enough"),
        (lambda a: a.conditional(0.0, [], 1), "scale must be non-empty"),
        (lambda a: a.dual(1.0 + 1e-9), "rho must be"),
        (lambda a: a.dual(0.5, derivative=9), "derivative must be"),
        (lambda a: a.dual(0.5, derivative=3), "at most 1"),
        (lambda a: a.correlation_map(0.5, depth=-1), "depth must be"),
        (lambda a: a.expect(3), "f must be a function"),
        (lambda a: a("text"), "x must be"),
        (lambda a: rmt.activation("exp(x**2/8)").coefficients(2, scale=2.0), "square integrable"),
        (lambda a: rmt.activation("exp(40*x)").coefficients(2), "below 1e308"),
        (lambda a: rmt.activation("sign").derivative(), "must be continuous"),
        (lambda a: rmt.activation(np.tanh).derivative(), "must be a formula"),
        (lambda a: rmt.activation("0*x").correlation_map(0.1), "must not vanish"),
        (lambda a: rmt.activation("cos(x)*0 + sin(x)").information_exponent(0), "order must be"),
        (lambda a: rmt.activation("x**7 - 21*x**5 + 105*x**3 - 105*x").information_exponent(5), "large enough"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(rmt.DomainError, match=message):
        call(rmt.activation("relu"))


def test_exponents_and_energy():
    assert rmt.activation("x**7 - 21*x**5 + 105*x**3 - 105*x").information_exponent() == 7
    assert rmt.activation("x**2*exp(-x**2)").information_exponent() == 4
    assert rmt.activation("3").information_exponent() == np.inf
    assert rmt.activation("relu").information_exponent() == 1
    assert rmt.activation("cubic").energy() == pytest.approx(15.0, rel=1e-14)
    assert rmt.activation("cubic").energy_by_degree(3) == pytest.approx([0, 9, 0, 6], abs=1e-13)


def test_expectation_warns_when_it_is_not_sure():
    assert rmt.activation("relu").expect(lambda x, y: x * y) == pytest.approx(0.5, abs=1e-14)
    with pytest.warns(rmt.AccuracyWarning, match="error up to"):
        rmt.activation("relu").expect(lambda x, y: 1 + 1e-6 * np.sin(1e9 * x))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rmt.activation("tanh").expect(lambda x, y: y**2, shift=3.0, scale=0.5)
