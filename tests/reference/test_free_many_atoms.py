"""Edges of free convolutions with laws of many atoms, against routes that do not search the same curves."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import rmtsolve as rmt


def edges_of_deformed_wigner(atoms, variance):
    """Critical values of ``u - variance m_H(u)`` at real u off the atoms, from the roots of its derivative."""
    found = []
    poles = np.sort(atoms)
    for low, high in zip(np.append(poles[0] - 4.0, poles), np.append(poles, poles[-1] + 4.0), strict=True):
        u = low + (high - low) * (0.5 - 0.5 * np.cos(np.pi * (np.arange(4000) + 0.5) / 4000))
        slope = 1.0 - variance * np.mean(1.0 / (poles - u[:, None]) ** 2, axis=1)
        for i in np.flatnonzero(np.sign(slope[:-1]) != np.sign(slope[1:])):
            a, b = u[i], u[i + 1]
            for _ in range(60):
                c = 0.5 * (a + b)
                rising = 1.0 - variance * np.mean(1.0 / (poles - c) ** 2) > 0.0
                a, b = (c, b) if rising == (slope[i] > 0.0) else (a, c)
            found.append(a - variance * np.mean(1.0 / (poles - a)))
    return np.sort(found)


@pytest.mark.parametrize("seed", range(4))
def test_sum_with_a_semicircle(seed):
    rng = np.random.default_rng(seed)
    atoms = np.sort(rng.normal(size=(40, 80, 150, 300)[seed]))
    variance = 10.0 ** rng.uniform(-5, -1)
    # a free convolution of two laws, not the deformed Wigner matrix: the semicircle as an affine image of a series
    law = rmt.free_add(
        rmt.Discrete(atoms), rmt.free_add(rmt.Semicircle(0.5 * variance), rmt.Semicircle(0.5 * variance))
    )
    assert_allclose(law.edges, edges_of_deformed_wigner(atoms, variance), atol=1e-11)


@pytest.mark.parametrize("seed", range(6))
def test_gaps_are_gaps_and_nothing_else_is(seed):
    """Between edges m has an imaginary part or none, and gaps have the levels that they can have."""
    rng = np.random.default_rng(seed)
    count = (30, 60, 120, 200, 400, 1000)[seed]
    one, two = rmt.Discrete(np.sort(rng.normal(size=count))), rmt.Discrete([0.0, 0.7, 5.0], [0.5, 0.3, 0.2])
    law = rmt.free_add(one, two)
    edges = law.edges
    x = np.sort(rng.uniform(edges[0] - 0.1, edges[-1] + 0.1, 400))
    m = rmt.solve(law.equation, x + 1e-9j).m
    inside = np.searchsorted(edges, x) % 2 == 1
    far = np.abs(x[:, None] - edges).min(axis=1) > 1e-6
    assert np.all((m.imag > 1e-6)[far] == inside[far])
    # in gaps the distribution function is a sum of levels of the factors, less one
    levels = law.cdf(0.5 * (edges[1:-1:2] + edges[2::2]))
    shares = np.arange(count + 1)[:, None] / count + np.array([0.0, 0.5, 0.8, 1.0])
    assert np.all(np.abs(levels[:, None] - np.concatenate([shares.ravel(), shares.ravel() - 1.0])).min(axis=1) < 1e-9)


def test_a_curve_on_which_the_slope_is_one_identically_ends():
    """Two atoms of half the mass: T' = 1 along a whole curve, which no halving decides."""
    two = rmt.Discrete([-1.0, 1.0])
    assert_allclose(rmt.free_add(two, two).edges, [-2.0, 2.0], atol=1e-12)
    assert_allclose(rmt.free_commutator(two, two).edges, [-2.0, 2.0], atol=1e-12)


@pytest.mark.parametrize("count", [50, 400])
def test_product_with_a_marchenko_pastur_law_is_a_sample_covariance(count):
    rng = np.random.default_rng(count)
    population = rmt.Discrete(np.sort(rng.uniform(0.5, 5.0, size=count)))
    law = rmt.free_multiply(population, rmt.MarchenkoPastur(1e-3))
    exact = rmt.SampleCovariance(population, ratio=1e-3).law().edges
    assert_allclose(law.edges, exact, rtol=1e-9)
