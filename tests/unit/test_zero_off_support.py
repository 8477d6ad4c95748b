"""z = 0: a point like any other where it is off the support, and refused for what it is where it is not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from profiles import quick

import rmtsolve as rmt
from rmtsolve.testing import populations


@quick(40)
@given(populations(), st.floats(1e-9, 1 - 1e-9))
def test_sample_covariance(population, ratio):
    """m(0) = E[1/t] / (1 - c)."""
    ensemble = rmt.SampleCovariance(population, ratio)
    at, mass = population.atoms
    exact = float(np.sum(mass / at)) / (1 - ratio)
    solution = rmt.solve(ensemble.equation(), 0)
    assert solution.m == pytest.approx(exact, rel=1e-13) and solution.error_bound <= 1e-12 * exact / (1 - ratio)
    assert abs(solution.m - exact) <= solution.error_bound + 4e-16 * exact
    assert ensemble.law().stieltjes(0) == pytest.approx(exact, rel=1e-13)


@pytest.mark.parametrize("ratio", [1e-3, 0.3, 0.999, 1 - 1e-6])
def test_continuous_populations(ratio):
    exact = np.log(2.0) / (1 - ratio)
    ensemble = rmt.SampleCovariance(rmt.Uniform(1, 2), ratio)
    law = ensemble.law()
    for z in (0.0, 1e-300, -1e-30):
        solution = rmt.solve(ensemble.equation(), z)
        assert solution.m == pytest.approx(exact, rel=1e-12) and solution.error_bound <= 1e-11 * exact
        assert law.stieltjes(z) == pytest.approx(exact, rel=1e-12)


def fixed_point(profile, ratio):
    """m(0) of a rectangular profile with equal blocks, by the plain iteration."""
    variances = np.array(profile, dtype=float)
    m = np.zeros(variances.shape[1])
    for _ in range(20_000):
        h = 1 / (1 + ratio * variances @ m / m.size)
        new = 1 / (variances.T @ h / variances.shape[0])
        if np.abs(new - m).max() <= 1e-15 * new.max():
            break
        m = new
    return new.mean()


@pytest.mark.parametrize(
    ("profile", "ratio"), [([[1, 2], [0.5, 1]], 0.5), ([[1, 2], [0.5, 1]], 0.9), ([[1, 0], [1, 1]], 0.8)]
)
def test_rectangular_profiles(profile, ratio):
    ensemble = rmt.RectangularProfile(profile, ratio)
    exact = fixed_point(profile, ratio)
    solution = rmt.solve(ensemble.equation(), 0)
    assert solution.m == pytest.approx(exact, rel=1e-11) and solution.error_bound <= 1e-9 * exact
    assert ensemble.law().stieltjes(0) == pytest.approx(exact, rel=1e-11)


OTHERS = [
    rmt.InformationPlusNoise([0, 2], 1.0, 0.5),
    rmt.InformationPlusNoise(rmt.Uniform(0, 2), 1.0, 0.5),
    rmt.FMatrix([1, 4], 0.5, 0.2),
    rmt.Manova([1, 4], 0.5, 1.5),
    rmt.WishartProduct([0.5, 0.3]),
]


@pytest.mark.parametrize("ensemble", OTHERS, ids=repr)
def test_other_families_agree_with_points_nearby(ensemble):
    law, solution = ensemble.law(), rmt.solve(ensemble.equation(), 0)
    assert solution.m == pytest.approx(law.stieltjes(0), rel=1e-14)
    around = [law.stieltjes(1e-6 * law.edges[0] * turn) for turn in (1, -1, 1j, -1j)]
    assert solution.m == pytest.approx(np.mean(around), rel=1e-11)


REFUSED = [
    (rmt.SampleCovariance([1, 8], 1.0), "off the support"),
    (rmt.SampleCovariance([0, 8], 0.3), "away from the atoms"),
    (rmt.SampleCovariance([1, 8], 1.5), "away from the atoms"),
    (rmt.RectangularProfile([[1, 2], [0.5, 1]], 1.0), "off the support"),
    (rmt.RectangularProfile([[1, 2], [0.5, 1]], 1.5), "away from the atoms"),
    (rmt.InformationPlusNoise([1, 2], 3.0, 1.0), "off the support"),
    (rmt.InformationPlusNoise([0, 2], 1.0, 2.0), "away from the atoms"),
    (rmt.Manova([1, 4], 1.5, 1.5), "away from the atoms"),
    (rmt.FMatrix([1, 4], 1.0, 0.5), "off the support"),
]


@pytest.mark.parametrize(("ensemble", "words"), REFUSED, ids=[repr(ensemble) for ensemble, _ in REFUSED])
def test_atoms_and_hard_edges_are_refused_for_what_they_are(ensemble, words):
    with pytest.raises(rmt.DomainError, match=words):
        ensemble.law().stieltjes(0)
    assert not rmt.solve(ensemble.equation(), 0, throw=False).ok
