"""Numbers of the library against 30 digits of mpmath (activations_hermite.csv), and the values of the theory."""

import csv
import pathlib
from fractions import Fraction

import numpy as np
import pytest

import rmtsolve as rmt

with open(pathlib.Path(__file__).with_name("activations_hermite.csv"), newline="") as file:
    ROWS = list(csv.DictReader(file))
CASES = sorted({(r["activation"], r["shift"], r["scale"]) for r in ROWS})


@pytest.mark.parametrize(("name", "shift", "scale"), CASES, ids="_".join)
def test_thirty_digits(name, shift, scale):
    table = {
        int(r["k"]): Fraction(r["c_k"])
        for r in ROWS
        if (r["activation"], r["shift"], r["scale"]) == (name, shift, scale)
    }
    act, top = rmt.activation(name), max(table)
    a, s = float(shift), float(scale)
    values, bound = act.coefficients_with_error(top, shift=a, scale=s)
    plain = act.coefficients(top, shift=a, scale=s)
    size = max(1.0, float(act.second_moment(a, s)) ** 0.5)
    for k, exact in table.items():
        error = abs(Fraction(float(values[k])) - exact)
        assert error <= Fraction(float(bound[k])) + abs(exact) * Fraction(1, 10**29) + Fraction(1, 10**36)
        assert error <= 1e-13 * size
        assert abs(Fraction(float(plain[k])) - exact) <= 2e-13 * size
    assert bound.max() <= 1e-13 * size


def test_the_table_covers_the_library():
    from rmtsolve.activations.library import LIBRARY

    assert {name for name, _, _ in CASES} == set(LIBRARY)
    assert max(int(r["k"]) for r in ROWS) == 200


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("relu", {0: 0.39894228040143, 1: 0.5, 2: 0.28209479177388, 4: -0.08143375198382, 6: 0.04460310290382}),
        ("erf", {1: 0.65147001587056, 3: -0.17730768017841, 5: 0.07929440516235, 7: -0.04078464116600}),
        ("erf(x/sqrt(2))", {1: 0.56418958354776, 3: -0.11516471649045, 5: 0.03862742020232, 7: -0.01490085084403}),
        ("gelu", {0: 0.28209479177388, 1: 0.5, 2: 0.29920671030107, 4: -0.07197794780653, 6: 0.02759676195960}),
        ("tanh", {1: 0.6057055096021588, 3: -0.1484371907872727, 5: 0.0625475237527036, 7: -0.0314454192876786}),
        ("silu", {0: 0.2066209641419071, 1: 0.5, 2: 0.2480851928303001, 4: -0.0378050088051311}),
        ("tanh(2*x)", {1: 0.7294775314861202, 3: -0.2506566001515415, 5: 0.1426997968761502}),
        ("leaky_relu(x, 0.1)", {0: 0.35904805236129, 1: 0.55, 2: 0.25388531259649, 4: -0.07329037678544}),
    ],
)
def test_values_of_the_theory(name, values):
    c = rmt.activation(name).coefficients(8)
    assert [c[k] for k in values] == pytest.approx(list(values.values()), abs=2e-14)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("relu", 0.30449889052211),
        ("abs", 0.71799556208846),
        ("sign", 1 / 3),
        ("erf", 0.21634689593879),
        ("gelu", 0.22729491502199),
        ("sin", 0.1917002497821),
        ("cos", 0.41483040993053),
    ],
)
def test_dual_at_one_half(name, value):
    assert rmt.activation(name).dual(0.5) == pytest.approx(value, abs=2e-14)


def test_second_moments():
    for name, value in {
        "tanh": 0.3942944903978412,
        "sigmoid": 0.2933790358580930,
        "softplus": 0.9212459088593003,
    }.items():
        assert rmt.activation(name).energy() == pytest.approx(value, abs=1e-15)
    assert rmt.activation("relu").second_moment(0.7, 1.3) == pytest.approx(1.8506630884484, abs=1e-13)
    assert rmt.activation("erf").second_moment(0.7, 1.3) == pytest.approx(0.60943889590904, abs=1e-13)


def test_residual_energy_without_cancellation():
    """relu far on either side: ``E (sigma - c_0 - c_1 g)^2`` from its closed form with 250 digits."""
    import mpmath

    relu = rmt.activation("relu")
    with mpmath.workdps(250):
        for a in (-12, -6, 4, 7, 12, 20):
            t, phi = mpmath.mpf(a), mpmath.npdf(mpmath.mpf(a))
            cdf = mpmath.ncdf(t)
            exact = (t * t + 1) * cdf + t * phi - (t * cdf + phi) ** 2 - cdf**2
            assert relu.residual_energy(a, 1.0) == pytest.approx(float(exact), rel=1e-11, abs=0)


def test_tanh_residual_energy_at_small_scales():
    """``(s^2 sigma''(a))^2 / 2`` to leading order, far below the rounding error of the energy."""
    a, s = 0.7, 1e-6
    second = -2 * np.tanh(a) / np.cosh(a) ** 2
    assert rmt.activation("tanh").residual_energy(a, s) == pytest.approx((s * s * second) ** 2 / 2, rel=1e-9, abs=0)
