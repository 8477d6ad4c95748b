"""Polynomials in letters that are not Gaussian, against scalar routes to the same law."""

import numpy as np
import pytest

import rmtsolve as rmt

SIGNS = rmt.Discrete([-1.0, 1.0])
COLOURED = {ratio: rmt.SampleCovariance([1.0, 4.0], ratio) for ratio in (0.5, 1.0, 2.0)}


def agree(law, other, points):
    """Edges, distribution function and density of two laws."""
    np.testing.assert_allclose(law.edges, other.edges, atol=1e-9 * np.abs(other.edges).max())
    np.testing.assert_allclose(law.cdf(points), other.cdf(points), atol=1e-10)
    np.testing.assert_allclose(law.density(points), other.density(points), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("x", "y"),
    [(rmt.Discrete([0.0, 1.0, 3.0], [0.3, 0.4, 0.3]), COLOURED[0.5]), (COLOURED[0.5], COLOURED[2.0])],
    ids=["fixed", "coloured"],
)
def test_sum(x, y):
    law = rmt.polynomial_law("X + Y", X=x, Y=y)
    other = rmt.free_add(x if isinstance(x, rmt.Discrete) else x.law(), y.law())
    agree(law, other, np.linspace(*other.edges, 23)[1:-1])
    z = np.array([-1.0 + 1e-3j, 1.0 + 1e-9j, 5.0 + 1.0j])
    np.testing.assert_allclose(law.stieltjes(z), other.stieltjes(z), rtol=1e-10)


def test_sum_with_gaussian_letters():
    """A Wigner matrix, and a white covariance matrix whose pencil has rows of another dimension."""
    x = rmt.Discrete([0.0, 1.0, 3.0], [0.3, 0.4, 0.3])
    law = rmt.polynomial_law(
        "X + Y + W + S", X=x, Y=COLOURED[0.5], W=rmt.Wigner(0.3), S=rmt.SampleCovariance([2.0], 3.0)
    )
    parts = COLOURED[0.5].law(), rmt.Semicircle(0.3), rmt.MarchenkoPastur(3.0, variance=2.0)
    other = rmt.free_add(x, *parts)
    points = np.linspace(*other.edges, 12)[1:-1]
    np.testing.assert_allclose(law.edges, other.edges, rtol=1e-8)
    np.testing.assert_allclose(law.cdf(points), other.cdf(points), atol=1e-9)
    np.testing.assert_allclose(law.density(points), other.density(points), rtol=1e-8)


@pytest.mark.parametrize("ratio", COLOURED)
def test_anticommutator_with_signs(ratio):
    """For X = P - Q with projections P + Q = 1 it is 2 P Y P - 2 Q Y Q: two corners of Y.

    Ratio 2 has the density |x|^(-1/2) at 0.
    """
    y = COLOURED[ratio]
    law = rmt.polynomial_law("X*Y + Y*X", X=SIGNS, Y=y)
    corner = rmt.free_compress(y.law(), 0.5).scaled(2.0)
    left, right = corner.edges
    x = np.linspace(left, right, 17)[1:-1]
    edges = [-right, right] if ratio == 2.0 else [-right, -left, left, right]
    np.testing.assert_allclose(law.edges, edges, atol=1e-9 * right)
    assert law.atoms.locations.size == 0
    np.testing.assert_allclose(law.density(x), 0.5 * corner.density(x), rtol=1e-9)
    np.testing.assert_allclose(law.density(-x), 0.5 * corner.density(x), rtol=1e-9)
    np.testing.assert_allclose(law.cdf(x), 0.5 + 0.5 * corner.cdf(x), atol=1e-9)
    if ratio == 2.0:  # the hard edge itself
        near = right * np.array([1e-4, 1e-6, 1e-8])
        np.testing.assert_allclose(law.density(near), 0.5 * corner.density(offset=near, edge=0), rtol=1e-6)


def test_conjugation():
    """``X Y X`` has the law of a free product with ``X^2``; the atom of X at 0 stays."""
    x = rmt.Discrete([0.0, 1.0, 3.0], [0.3, 0.4, 0.3])
    law = rmt.polynomial_law("X*Y*X", X=x, Y=COLOURED[0.5])
    other = rmt.free_multiply(rmt.Discrete([0.0, 1.0, 9.0], [0.3, 0.4, 0.3]), COLOURED[0.5].law())
    np.testing.assert_allclose(law.atoms.locations, [0.0], atol=1e-12)
    np.testing.assert_allclose(law.atoms.weights, [0.3], atol=1e-9)
    points = np.concatenate([np.linspace(a, b, 9)[1:-1] for a, b in other.edges.reshape(-1, 2)])
    agree(law, other, points)


def test_fourth_power():
    """Density x^(-3/4) at 0, over a support of 8000."""
    law = rmt.polynomial_law("(X + Y)**4", X=SIGNS, Y=COLOURED[0.5])
    base = rmt.free_add(SIGNS, COLOURED[0.5].law())
    root = np.array([0.01, 0.1, 0.5, 1.0, 3.0, 7.0])
    np.testing.assert_allclose(law.edges, [0.0, base.edges[-1] ** 4], atol=1e-6)
    np.testing.assert_allclose(law.cdf(root**4), base.cdf(root) - base.cdf(-root), atol=1e-9)
    density = (base.density(root) + base.density(-root)) / (4.0 * root**3)
    np.testing.assert_allclose(law.density(root**4), density, rtol=1e-8)


@pytest.mark.parametrize("power", [1, 2])
def test_moments(power):
    x, y = (COLOURED[ratio].law() for ratio in (0.5, 1.0))
    first, second = [x.moment(k) for k in (2, 4)], [y.moment(k) for k in (1, 2)]
    conjugated = rmt.polynomial_law("X*Y*X", X=COLOURED[0.5], Y=COLOURED[1.0])
    squares = rmt.polynomial_law("X**2 + Y**2", X=COLOURED[0.5], Y=COLOURED[1.0])
    if power == 1:
        wanted = first[0] * second[0], first[0] + y.moment(2)
    else:  # free a and b: tau(abab) = tau(a^2) tau(b)^2 + tau(a)^2 tau(b^2) - tau(a)^2 tau(b)^2
        product = first[1] * second[0] ** 2 + first[0] ** 2 * second[1] - (first[0] * second[0]) ** 2
        wanted = product, first[1] + 2.0 * first[0] * y.moment(2) + y.moment(4)
    np.testing.assert_allclose([conjugated.moment(power), squares.moment(power)], wanted, rtol=1e-10)
