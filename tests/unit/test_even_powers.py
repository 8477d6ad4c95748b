"""Free powers of even laws whose atom at 0 has just the mass that makes the power singular there."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import rmtsolve as rmt
from rmtsolve.equations.even import SymmetricRoot

HALF = rmt.Discrete([0, 1])
ROOTS = {
    "product": SymmetricRoot(rmt.free_multiply(HALF, rmt.Discrete([1, 2]))),  # m_H has zeros at +-sqrt(2/3)
    "uniform": SymmetricRoot(rmt.free_multiply(HALF, rmt.Uniform(1, 2))),
}


@pytest.mark.parametrize("name", ROOTS)
def test_a_mass_of_one_half_has_a_square_without_atom(name):
    root = ROOTS[name]
    assert_allclose(root.atoms.weights, [0.5])
    law, twice = rmt.free_power(root, 2), rmt.free_add(root, root)
    assert law.support.shape == (1, 2)
    assert law.atoms.locations.size == 0
    assert_allclose(law.edges, twice.edges, atol=1e-13)
    x = law.edges[1] * np.array([-0.9, -0.3, 1e-3, 0.1, 0.5, 0.99])
    assert_allclose(law.density(x), twice.density(x), rtol=1e-10)
    assert_allclose(law.density(x), law.density(-x), rtol=1e-12)
    # F is -k u^3 next to 0, so m = -1/(2 u) there: the density goes like x^(-1/3)
    near = np.array([1e-9, 1e-6])
    assert_allclose(law.density(near[0]) / law.density(near[1]), 10.0, rtol=1e-2)
    # second and fourth moments of the sum of two free copies: 2 m2 and 2 m4 + 4 m2^2
    m2, m4 = root.moment(2), root.moment(4)
    assert_allclose([law.moment(2), law.moment(4)], [2 * m2, 2 * m4 + 4 * m2**2], rtol=1e-12)
    t = 1e-5
    assert_allclose((law.cdf(x + t) - law.cdf(x - t)) / (2 * t), law.density(x), rtol=1e-4)
    assert_allclose(law.cdf(x) + law.cdf(-x), 1.0, atol=1e-12)
