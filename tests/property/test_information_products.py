"""Information plus noise and products of Wisharts: the law itself, whatever the parameters."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from profiles import quick

import rmtsolve as rmt
from rmtsolve.testing import populations, ratios


def check_law(law, equation):
    low, high = law.edges[0], law.edges[-1]
    width = high - low
    assert (np.diff(law.edges) > 0.0).all() and low >= 0.0
    assert abs(law.masses.sum() + law.atoms.weights.sum() - 1.0) <= 1e-12
    z = low + width * np.array([0.1 + 1e-6j, 0.5 + 1e-3j, 0.9 + 0.1j, 1.2 + 1e-4j, -0.3 + 1j, 0.3 + 30j])
    solution = rmt.solve(equation, z)
    assert (solution.m.imag > 0.0).all() and (solution.residual <= 1e-11).all()
    assert (np.abs(solution.m) * z.imag <= 1 + 1e-9).all()
    far = 1e6 * (1 + high)
    assert abs(-1j * far * law.stieltjes(1j * far) - 1.0) <= 2e-6
    middle = law.edges[::2] + 0.37 * (law.edges[1::2] - law.edges[::2])
    assert (law.density(middle) > 0.0).all()
    # the distribution function is the integral of the density: a five-point rule over a short step
    step = 1e-3 * (law.edges[1::2] - law.edges[::2])
    nodes, weights = np.polynomial.legendre.leggauss(5)
    part = 0.5 * step * (law.density(middle[:, None] + 0.5 * step[:, None] * (1 + nodes)) @ weights)
    np.testing.assert_allclose(law.cdf(middle + step) - law.cdf(middle), part, atol=1e-11)


@quick(30)
@given(populations(zero=True), st.floats(0.05, 3.0), ratios(0.05, 1.0))
def test_information_plus_noise(population, noise, ratio):
    ensemble = rmt.InformationPlusNoise(population, noise, ratio)
    law = ensemble.law()
    check_law(law, ensemble.equation())
    assert abs(law.moment(1) - (population.moment(1) + noise**2)) <= 1e-10 * law.moment(1)


@quick(30)
@given(st.lists(ratios(), min_size=1, max_size=4))
def test_products(values):
    ensemble = rmt.WishartProduct(values)
    law = ensemble.law()
    if law.edges[0] > 1e-9 * law.edges[1] or law.edges[0] == 0.0:  # else the left edge is below rounding of the step
        check_law(law, ensemble.equation())
    assert abs(law.moment(2) - (1 + sum(values))) <= 1e-12 * law.moment(2)


@quick(8)
@given(populations(max_atoms=2), ratios(0.2, 2.0), st.floats(0.05, 0.8))
def test_f_matrix_mean(population, ratio1, ratio2):
    """E tr S2^(-1) S1 / p = mean / (1 - ratio2)."""
    law = rmt.FMatrix(population, ratio1, ratio2).law()
    mean = population.moment(1) / (1 - ratio2)
    assert abs(law.moment(1) - mean) <= 1e-9 * mean
    x = law.edges[0] + 0.4 * (law.edges[1] - law.edges[0])
    assert law.density(x) > 0.0 and law.edges[0] >= 0.0
