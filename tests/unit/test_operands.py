"""Solved laws inside the equations of other laws: their series stand in for them, and the result says so."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose

import rmtsolve as rmt
from rmtsolve.equations import operands
from rmtsolve.equations.operands import series_error, stand_in
from rmtsolve.measures.inversion import moments_about
from rmtsolve.measures.series import SeriesMeasure, exact_series

MP, U = rmt.MarchenkoPastur, rmt.Uniform(1, 2)


def test_which_laws_are_replaced():
    product = rmt.free_multiply(MP(0.3), U)
    series = stand_in(product)
    assert isinstance(series, SeriesMeasure)
    assert stand_in(product) is series  # made once
    assert 0.0 < series_error(series) <= 1e-13
    moved = stand_in(product.scaled(-2.0).shifted(1.0))
    assert isinstance(moved, SeriesMeasure)
    assert_allclose(moved.edges, 1.0 - 2.0 * series.edges[::-1])
    for law in (U, MP(0.3), U.scaled(3.0), rmt.Discrete([1, 2]), rmt.SampleCovariance([1, 4], 0.5).law()):
        assert stand_in(law) is law
        assert series_error(law) == 0.0
    many = rmt.SampleCovariance(np.linspace(1, 4, 50), 0.5).law()
    assert isinstance(stand_in(many), SeriesMeasure)


def test_laws_without_an_exact_series_stay():
    singular = rmt.free_multiply(MP(1.0), MP(1.0))  # the density goes like x^(-2/3)
    assert stand_in(singular) is singular
    assert stand_in(rmt.free_add(rmt.Semicircle(), rmt.Discrete([-1, 1], [0.5, 0.5])).scaled(2.0)).edges.size == 2
    assert exact_series(U, 64, 1e-13) is None  # its ends are no square roots
    assert exact_series(rmt.Continuous(lambda x: 1 / x**2, (1, np.inf)), 64, 1e-13) is None


def test_a_doubtful_series_is_not_used(monkeypatch):
    law = rmt.free_add(U, rmt.Uniform(0, 1))
    failed = rmt.solve(rmt.Equation(lambda z, m: -1 / (z + m)), 1j, rmt.FixedPoint(max_steps=1), throw=False)

    def unsure(*_):
        warnings.warn("extrapolated", rmt.AccuracyWarning, stacklevel=1)

    def unsolved(*_):
        raise rmt.ConvergenceError(failed, "a test")

    def incomplete(*_):
        return SeriesMeasure(exact_series(MP(0.5), 256, 1e-13).bulks, rmt.Discrete([5.0]).atoms)

    for fake in (unsure, unsolved, incomplete):
        monkeypatch.setattr(operands, "exact_series", fake)
        assert stand_in(law) is law
        del law.__dict__["_stand_in"]
    monkeypatch.undo()
    assert stand_in(law) is not law


def laws():
    product, total = rmt.free_multiply(MP(0.3), U), rmt.free_add(U, rmt.Discrete([0, 3]))
    return {
        "sum": lambda: rmt.free_add(product, total),
        "product": lambda: rmt.free_multiply(product, total),
        "sandwich": lambda: rmt.SeparableCovariance(product, total, 0.5).law(),
        "power": lambda: rmt.free_power(total, 1.5),
        "covariance": lambda: rmt.SampleCovariance(total, 0.2).law(),
        "wigner": lambda: rmt.free_add(rmt.Semicircle(0.1), total),
    }


@pytest.mark.parametrize("name", laws())
def test_same_law_without_the_series(name, monkeypatch):
    law = laws()[name]()
    points = np.concatenate([a + (b - a) * np.array([0.01, 0.3, 0.9]) for a, b in law.support])
    solution = rmt.solve(law.equation, np.concatenate([points, points + 0.1j]))
    assert "Chebyshev series, of error" in solution.explain()
    found = law.edges, law.density(points), law.cdf(points)
    with monkeypatch.context() as patch:
        for module in ("operands", "sides", "pastur"):
            patch.setattr(f"rmtsolve.equations.{module}.stand_in", lambda law: law)
        direct = laws()[name]()
        wanted = direct.edges, direct.density(points), direct.cdf(points)
        exact = rmt.solve(direct.equation, solution.z)
    assert "series" not in exact.explain()
    scale = np.abs(law.edges).max()
    assert_allclose(found[0], wanted[0], atol=1e-13 * scale)
    assert_allclose(found[1], wanted[1], rtol=1e-11)
    assert_allclose(found[2], wanted[2], atol=1e-11)
    if name in ("sum", "product", "sandwich"):  # their bound counts the error of the series
        known = np.isfinite(solution.error_bound)
        assert known.sum() >= 0.8 * known.size
        gap = np.abs(solution.m - exact.m)
        assert np.all(gap[known] <= solution.error_bound[known] + np.nan_to_num(exact.error_bound[known], nan=1e-13))
        with_error = rmt.solve(law.equation, solution.z).error_bound
        law.equation.one.error = law.equation.two.error = 1e-3
        assert np.all(~(rmt.solve(law.equation, solution.z).error_bound < 100 * with_error))


@pytest.mark.parametrize(
    "law",
    [MP(0.3), MP(1.0), rmt.Arcsine(-1, 3), rmt.Wachter(0.5, 0.2), rmt.free_add(U, rmt.Discrete([0, 3]))],
    ids=repr,
)
def test_series_transforms(law):
    """Real and complex, the potential against the distribution function and the transform."""
    series = law.series()
    low, high = law.edges[0], law.edges[-1]
    outside = np.array([low - 2.0, low - 1e-3, high + 1e-3, high + 5.0])
    m, rate = series.transforms(outside)
    assert m.dtype == float
    assert_allclose(m, law.stieltjes(outside).real, rtol=1e-11)
    assert_allclose(rate, law._stieltjes_derivative(outside.astype(complex)).real, rtol=1e-9)
    z = np.array([low - 0.5 + 0.1j, 0.5 * (low + high) + 0.2j, high + 1j])
    m, rate = series.transforms(z)
    assert_allclose(m, series._stieltjes(z), rtol=1e-15)
    h = 1e-5
    assert_allclose((series._potential(z + h) - series._potential(z - h)) / (2 * h), -m, rtol=1e-8)
    assert_allclose((series._stieltjes(z + h) - series._stieltjes(z - h)) / (2 * h), rate, rtol=1e-7)
    x = low + (high - low) * np.array([0.1, 0.5, 0.8])
    assert_allclose(1.0 - series._potential(x.astype(complex)).imag / np.pi, law.cdf(x), atol=1e-12)
    far = 1e6
    assert abs(series._potential(np.array([far + 0j]))[0] - (np.log(far) - law.moment(1) / far)) < 1e-11


def test_potential_of_the_uniform_law():
    law = rmt.Uniform(-1, 2)
    z, h = np.array([0.2, 0.5 + 0.1j, -7 + 2j]) + 0j, 1e-4
    slope = (law._potential(z + h) - law._potential(z - h)) / (2 * h)
    assert_allclose(slope, -law._stieltjes(z), rtol=1e-7)
    x = np.array([-1e13, -3.0, -1.0, 0.2, 2.0, 5.0, 1e13])  # far away nothing cancels
    assert_allclose(1.0 - law._potential(x + 0j).imag / np.pi, law.cdf(x), atol=1e-14)
    assert_allclose(law._potential(np.array([5.0 + 0j])).real, law.expect(lambda x: np.log(5 - x)), rtol=1e-14)


def test_distribution_functions_in_closed_form(monkeypatch):
    """Where the density is so steep at a hard edge that its integral loses digits: ``x^(-3/4)``."""
    monkeypatch.setattr("rmtsolve.equations.subordination_law.cdf_by_quadrature", None)
    law = rmt.free_multiply(MP(1.0), MP(1.0), MP(1.0))
    q = np.array([0.1, 0.5, 0.9])
    x = law.quantile(q)
    t = 1e-4 * x  # the difference quotient errs by t^2 rho''/6, some 1e-8
    assert_allclose((law.cdf(x + t) - law.cdf(x - t)) / (2 * t), law.density(x), rtol=1e-7)
    assert law.cdf(1e-18) < 1e-3
    mixed = rmt.free_add(U, rmt.Wachter(0.5, 0.2))
    x = mixed.edges[0] + np.ptp(mixed.edges) * np.array([0.2, 0.6])
    t = 1e-5
    assert_allclose((mixed.cdf(x + t) - mixed.cdf(x - t)) / (2 * t), mixed.density(x), rtol=1e-8)


def test_moments_from_one_pass():
    law = rmt.SampleCovariance([0, 1, 5], 2.0).law()
    mean = law.moment(1)
    central = moments_about(law, mean, range(4))
    variance = law.moment(2) - mean**2
    third = law.moment(3) - 3 * mean * law.moment(2) + 2 * mean**3
    assert_allclose(central, [1.0, 0.0, variance, third], atol=1e-11)


def test_derivative_of_products_near_zero():
    """At a hard edge by the formula, with ``psi z = (1 + psi)^3``; where m is bounded by Cauchy's integral."""
    z = np.array([1e-3, 1e-6, 1e-9]) * (1 + 1j)
    m, rate = rmt.free_multiply(MP(1.0), MP(1.0)).transforms(z)
    psi = -1.0 - z * m
    assert_allclose(psi * z, (1.0 + psi) ** 3, rtol=1e-9)
    assert_allclose(rate, -(psi / (3.0 * (1.0 + psi) ** 2 - z) + m) / z, rtol=1e-9)
    away = rmt.free_multiply(U, rmt.Uniform(2, 3))
    near = np.array([1e-3, 1e-6, 1e-9, 0.0])
    m, rate = away.transforms(near + 0j)
    assert_allclose(m, [away.expect(lambda x, z=z: 1 / (x - z)) for z in near], rtol=1e-12)
    assert_allclose(rate, [away.expect(lambda x, z=z: (x - z) ** -2.0) for z in near], rtol=1e-11)
