"""Free calculus for random laws: algebra, additivity and multiplicativity of transforms, mass and moments."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from profiles import quick

import rmtsolve as rmt

SOME = quick(10)  # a law with its edges costs a fifth of a second, a transform nothing


def populations(low, high, tilt=0.0):
    """Laws of two or three atoms on a grid, so that ties and vanishing atoms occur.

    A tilt of the weights keeps two masses from adding up to exactly one, where the density is unbounded.
    """
    atoms = st.lists(st.integers(low, high), min_size=2, max_size=3, unique=True)
    weights = st.lists(st.integers(1, 8), min_size=3, max_size=3)

    def law(a, w):
        w = np.array(w[: len(a)]) + tilt * np.arange(len(a))
        return rmt.Discrete(np.array(a) / 4.0, w / w.sum())

    return st.builds(law, atoms, weights)


SIGNED, POSITIVE = populations(-12, 12), populations(1, 24)
GENERIC, OTHER = populations(-12, 12, 0.0917), populations(1, 24, 0.1371)
Z = np.array([0.3 + 0.2j, -2.0 + 0.01j, 4.0 + 1.5j, 1.0 + 0.05j])


def moments_of(law, radius, count):
    """Moments from 1 on by Cauchy's integral of ``z^k m(z)`` over a circle of twice the radius (error 2^-64)."""
    z = 2.0 * radius * np.exp(1j * np.pi * (np.arange(32) + 0.5) / 32)
    return [-np.mean(z ** (k + 1) * law.stieltjes(z)).real for k in range(1, count + 1)]


@given(SIGNED, SIGNED)
def test_sum_is_commutative_and_adds_cumulants(mu, nu):
    law = rmt.free_add(mu, nu)
    m = law.stieltjes(Z)
    assert_allclose(m, rmt.free_add(nu, mu).stieltjes(Z), rtol=1e-10)
    assert np.all(m.imag > 0.0)
    equation = law.equation
    pair = equation.solve_pairs(Z)
    assert_allclose(mu.stieltjes(pair.u), m, rtol=1e-10)
    assert_allclose(nu.stieltjes(pair.v), m, rtol=1e-10)
    assert_allclose(pair.u + pair.v, Z - 1.0 / m, rtol=1e-10)


@SOME
@given(OTHER, GENERIC)
def test_sum_has_the_moments_of_the_added_cumulants(mu, nu):
    law, other = rmt.free_add(mu, nu), rmt.free_add(nu, mu)
    assert_allclose(law.edges, other.edges, atol=1e-11 * (1 + np.abs(law.edges).max()))
    assert_allclose(law.atoms.weights, other.atoms.weights, atol=1e-14)
    scale = np.abs(mu.locations).max() + np.abs(nu.locations).max()
    for k, kappa in enumerate(rmt.free_cumulants(moments_of(law, scale, 4)), start=1):
        assert_allclose(kappa, mu.free_cumulant(k) + nu.free_cumulant(k), atol=1e-12 * (2 * scale) ** k)


@SOME
@given(OTHER, GENERIC)
def test_product_with_a_signed_law_has_the_right_mass_and_moments(mu, nu):
    law = rmt.free_multiply(mu, nu)
    scale = mu.locations.max() * np.abs(nu.locations).max()
    for k, moment in enumerate(moments_of(law, scale, 3), start=1):
        assert_allclose(moment, law.moment(k), atol=1e-12 * (2 * scale) ** k)
    variance = mu.moment(1) ** 2 * nu.free_cumulant(2) + nu.moment(1) ** 2 * mu.free_cumulant(2)
    assert_allclose(law.moment(2) - law.moment(1) ** 2, variance, atol=1e-12 * scale**2)
    x = np.sort(np.concatenate([law.edges, law.atoms.locations, np.linspace(-scale, scale, 7)]))
    cdf = law.cdf(x)
    assert np.all(np.diff(cdf) >= -1e-12)
    assert abs(cdf[-1] - 1.0) < 1e-12


@SOME
@given(POSITIVE, POSITIVE, st.sampled_from([-0.15, -0.3, 0.05]))
def test_product_multiplies_s(mu, nu, w):
    law = rmt.free_multiply(mu, nu)
    both = [rmt.s_transform(m, w) for m in (law, mu, nu)]
    assert_allclose(both[0], both[1] * both[2], rtol=1e-9)
    swapped = rmt.free_multiply(nu, mu)
    assert_allclose(law.stieltjes(Z), swapped.stieltjes(Z), rtol=1e-9)


@SOME
@given(SIGNED, SIGNED, st.sampled_from([0.05, -0.03]))
def test_sum_adds_r(mu, nu, w):
    law = rmt.free_add(mu, nu)
    both = [rmt.r_transform(m, w) for m in (law, mu, nu)]
    assert_allclose(both[0], both[1] + both[2], atol=1e-9)


@SOME
@given(SIGNED, SIGNED, SIGNED)
def test_sum_is_associative(mu, nu, rho):
    left = rmt.free_add(rmt.free_add(mu, nu), rho)
    right = rmt.free_add(mu, rmt.free_add(nu, rho))
    assert_allclose(left.stieltjes(Z), right.stieltjes(Z), rtol=1e-9)


@SOME
@given(POSITIVE, POSITIVE, POSITIVE)
def test_product_is_associative(mu, nu, rho):
    left = rmt.free_multiply(rmt.free_multiply(mu, nu), rho)
    right = rmt.free_multiply(mu, rmt.free_multiply(nu, rho))
    assert_allclose(left.stieltjes(Z), right.stieltjes(Z), rtol=1e-8)


@SOME
@given(SIGNED, st.floats(1.1, 6.0))
def test_powers_compose(mu, power):
    law = rmt.free_power(mu, 2.0)
    twice = rmt.free_add(mu, mu)
    assert_allclose(law.edges, twice.edges, atol=1e-9 * (1 + np.abs(law.edges).max()))
    assert_allclose(law.stieltjes(Z), twice.stieltjes(Z), rtol=1e-9)
    once = rmt.free_power(mu, power)
    # the root of a power of at least one is a power again, of the product of the exponents
    root = rmt.free_root(rmt.free_power(mu, 2.0 * power), 0.5)
    assert_allclose(root.stieltjes(Z), once.stieltjes(Z), rtol=1e-11)
    corner = rmt.free_compress(mu, 1.0 / power)
    assert_allclose(corner.moment(1), mu.moment(1), atol=1e-12)


@SOME
@given(OTHER, GENERIC, st.sampled_from([0.1, 0.5, 1.0, 2.5]))
def test_separable_mass_and_moments(a, b, ratio):
    law = rmt.SeparableCovariance(a, b, ratio).law()
    scale = float(np.abs(law.edges).max())
    second = a.moment(2) * b.moment(1) ** 2 + ratio * a.moment(1) ** 2 * b.moment(2)
    first, square = moments_of(law, scale, 2)
    assert_allclose(first, a.moment(1) * b.moment(1), atol=1e-12 * scale)
    assert_allclose(square, second, atol=1e-12 * (2 * scale) ** 2)
    x = np.sort(np.concatenate([law.edges, np.linspace(-scale, scale, 9)]))
    cdf = law.cdf(x)
    assert np.all(np.diff(cdf) >= -1e-12)
    assert abs(cdf[-1] - 1.0) < 1e-12


@SOME
@given(st.integers(0, 2**32 - 1), st.sampled_from(["sum", "product", "sandwich"]))
def test_edges_do_not_depend_on_which_factor_is_first(seed, kind):
    """The factor with more atoms is inverted, whichever it is; edges and the arguments there are the same."""
    from rmtsolve.equations.real_line import real_line
    from rmtsolve.equations.sides import Side

    rng = np.random.default_rng(seed)
    small = rmt.Discrete([1.0, 2.0 + rng.random()], [0.4, 0.6])
    centres = rng.choice([0.5, 3.0, 9.0], 12)
    large = rmt.Discrete(centres + 0.1 * rng.random(12), rng.dirichlet(np.full(12, 3.0)))
    rate = 0.7 if kind == "sandwich" else 1.0
    line = real_line(Side(large, kind, rate), Side(small, kind))
    twin = real_line(Side(small, kind), Side(large, kind, rate))
    assert twin.sampler.swapped
    assert not line.sampler.swapped
    assert_allclose(twin.edges, line.edges, rtol=1e-12)
    assert_allclose(twin.units, line.units[::-1])
    u, v, z = twin.critical, line.critical, line.edges
    n_one, n_two = Side(large, kind, rate).evaluate(u)[0], Side(small, kind).evaluate(v)[0]
    factor = {"sum": 1.0, "product": z, "sandwich": 1.0 / z}[kind]
    shift = z if kind == "sum" else 0.0
    assert_allclose(v, shift + factor * n_one, rtol=1e-6)  # a square-root edge: half the digits
    assert_allclose(u, shift + factor * n_two, rtol=1e-6)
