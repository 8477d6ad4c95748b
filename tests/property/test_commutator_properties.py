"""Commutators of random laws: Herglotz, even, mass, exact moments, atom, and what neither shifts nor scales change."""

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from profiles import quick

import rmtsolve as rmt

SOME = quick(8)
Z = np.array([0.3 + 0.2j, -2.0 + 0.01j, 4.0 + 1.5j, 1.0 + 1e-4j, 1e-3 + 1e-3j])


def population(atoms, weights):
    """(atoms, weights) in fractions: quarters, so that ties, even laws and masses of one half occur."""
    weights = weights[: len(atoms)]
    return [Fraction(a, 4) for a in atoms], [Fraction(w, sum(weights)) for w in weights]


POPULATIONS = st.builds(
    population,
    st.lists(st.integers(-12, 12), min_size=2, max_size=4, unique=True),
    st.lists(st.integers(1, 8), min_size=4, max_size=4),
)


def law_of(population):
    return rmt.Discrete(*(np.array(part, dtype=float) for part in population))


def even_moments(*populations):
    """Second and fourth moment of the commutator in fractions, from those of the laws."""
    kappas = []
    for at, mass in populations:
        moments = [sum(w * x**k for x, w in zip(at, mass, strict=True)) for k in range(1, 5)]
        kappas.append(rmt.free_cumulants(moments)[1::2])
    (a, fourth_a), (b, fourth_b) = kappas
    second = 2 * a * b
    return float(second), float(2 * (fourth_a * b**2 + fourth_b * a**2 + (a * b) ** 2) + 2 * second**2)


def reach(mu, nu):
    """The largest norm."""
    return 0.5 * np.ptp(mu.locations) * np.ptp(nu.locations)


@given(POPULATIONS, POPULATIONS)
def test_transform(one, two):
    mu, nu = law_of(one), law_of(two)
    law, size = rmt.free_commutator(mu, nu), reach(law_of(one), law_of(two))
    z = size * Z
    m = law.stieltjes(z)
    assert np.all(m.imag > 0.0)
    assert np.all(np.abs(m) * z.imag <= 1.0 + 1e-12)
    assert_allclose(law.stieltjes(-z.conj()), -m.conj(), rtol=1e-9)
    swapped = rmt.free_commutator(nu.shifted(1.7), mu.scaled(-2.0))
    assert_allclose(2.0 * swapped.stieltjes(2.0 * z), m, rtol=1e-9)
    # moments by Cauchy's integral of z^k m(z) on a circle of twice the largest norm (error 2^-64)
    circle = 2.0 * size * np.exp(1j * np.pi * (np.arange(32) + 0.5) / 32)
    found = [-np.mean(circle ** (k + 1) * law.stieltjes(circle)).real for k in range(5)]
    second, fourth = even_moments(one, two)
    assert_allclose(found[0], 1.0, atol=1e-12)
    assert_allclose([found[1], found[3]], 0.0, atol=1e-11 * size**3)
    assert_allclose(
        [found[2] / size**2, found[4] / size**4], [second / size**2, fourth / size**4], rtol=1e-9, atol=1e-13
    )


@SOME
@given(POPULATIONS, POPULATIONS)
def test_law(one, two):
    mu, nu = law_of(one), law_of(two)
    law = rmt.free_commutator(mu, nu)
    assert_allclose(law.edges, -law.edges[::-1], atol=1e-11 * reach(mu, nu))
    assert law.edges[-1] <= reach(mu, nu) * (1.0 + 1e-12)
    atom = max(0.0, 2.0 * max(mu.weights.max(), nu.weights.max()) - 1.0)
    assert_allclose(law.atoms.weights.sum(), atom, atol=1e-12)
    assert_allclose(law.expect(np.ones_like), 1.0, rtol=1e-9)
    assert_allclose([law.moment(2), law.moment(4)], even_moments(one, two), rtol=1e-9)
