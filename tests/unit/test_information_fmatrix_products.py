"""Information plus noise, F-matrices, MANOVA, products of Wisharts, Moebius images: behaviour, refusals, bounds."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import rmtsolve as rmt
from rmtsolve.measures.moebius import moebius
from rmtsolve.testing import check_measure

EQUATIONS = [
    rmt.InformationPlusNoise([0, 2], noise=1.0, ratio=0.5),
    rmt.InformationPlusNoise([0, 2], noise=0.7, ratio=2.0),
    rmt.InformationPlusNoise([1, 2], noise=1.0, ratio=1.0),
    rmt.WishartProduct([1, 1]),
    rmt.WishartProduct([2, 0.5]),
]


@pytest.mark.parametrize("ensemble", EQUATIONS, ids=repr)
def test_error_bounds_hold_and_are_useful(ensemble):
    z = np.array([0.1 + 1e-3j, 1 + 0.1j, 3 + 1j, -1 + 0.5j])
    solution = rmt.solve(ensemble.equation(), z)
    precise = rmt.solve(ensemble.equation(), z, rmt.HighPrecision(digits=30))
    truth = np.array([complex(m) for m in precise.precise_m])
    assert (np.abs(solution.m - truth) <= solution.error_bound).all()
    assert (solution.error_bound <= 1e-10).all() and (solution.residual <= 1e-13).all()


def test_real_points_have_bounds_too():
    ensemble = rmt.InformationPlusNoise([0, 2], noise=1.0, ratio=0.5)
    solution = rmt.solve(ensemble.equation(), np.array([-1.0, 20.0, 0.01, 1.0, 5.0]))
    assert (solution.error_bound < 1e-11).all()
    assert (solution.m.imag[:3] == 0.0).all() and (solution.m.imag[3:] > 0.0).all()


def test_small_noise_separates_and_the_masses_are_exact():
    law = rmt.InformationPlusNoise(rmt.Discrete([0, 1, 5], [0.5, 0.3, 0.2]), noise=0.1, ratio=0.5).law()
    np.testing.assert_allclose(law.masses, [0.5, 0.3, 0.2], rtol=1e-14)
    assert law.edges.size == 6 and law.cdf(law.edges[1]) == pytest.approx(0.5, abs=1e-14)


def test_a_square_signal_is_hard_at_zero_only_if_the_noise_reaches_it():
    weak, strong = (rmt.InformationPlusNoise([1, 2], noise=s, ratio=1.0).law() for s in (0.2, 3.0))
    assert weak.edges[0] > 0.5 and strong.edges[0] == 0.0
    offset = np.array([1e-10, 1e-8])
    soft = weak.density(offset=offset, edge=0)
    hard = strong.density(offset=offset, edge=0)
    assert soft[1] / soft[0] == pytest.approx(10.0, rel=1e-6) and hard[0] / hard[1] == pytest.approx(10.0, rel=1e-6)


def test_wide_and_tall_signals_are_each_other_turned():
    """X^T X / n and X X^T / n have the same eigenvalues but for zeros."""
    tall = rmt.InformationPlusNoise([1, 3], noise=0.8, ratio=0.5).law()
    wide = rmt.InformationPlusNoise(rmt.Discrete([0, 2, 6], [0.5, 0.25, 0.25]), noise=0.8, ratio=2.0).law()
    np.testing.assert_allclose(wide.edges, 2 * tall.edges, rtol=1e-13)
    x = np.array([1.0, 3.0, 6.0])
    np.testing.assert_allclose(wide.density(x), 0.25 * tall.density(x / 2), rtol=1e-12)
    np.testing.assert_allclose(wide.cdf(x), 0.5 + 0.5 * tall.cdf(x / 2), rtol=1e-12)
    assert wide.moment(3) == pytest.approx(4 * tall.moment(3), rel=1e-12)


def test_continuous_signals():
    law = rmt.InformationPlusNoise(rmt.Uniform(1, 3), noise=0.5, ratio=0.5).law()
    many = rmt.InformationPlusNoise(1 + 2 * (np.arange(400) + 0.5) / 400, noise=0.5, ratio=0.5).law()
    np.testing.assert_allclose(law.edges, many.edges, rtol=1e-4)
    assert law.density(2.0) == pytest.approx(many.density(2.0), rel=1e-4)


def test_products_do_not_depend_on_the_order():
    one, two = rmt.WishartProduct([0.5, 2, 1]).law(), rmt.WishartProduct([2, 1, 0.5]).law()
    np.testing.assert_allclose(one.edges, two.edges, rtol=1e-13)
    assert one.cdf(1.0) == pytest.approx(two.cdf(1.0), rel=1e-12)


def test_product_of_two_is_the_free_product():
    law = rmt.WishartProduct([0.5, 0.3]).law()
    twin = rmt.free_multiply(rmt.MarchenkoPastur(0.5), rmt.MarchenkoPastur(0.3))
    np.testing.assert_allclose(law.edges, twin.edges, rtol=1e-10)
    assert law.density(1.0) == pytest.approx(twin.density(1.0), rel=1e-10)


@pytest.mark.parametrize("k", [1, 2, 3, 6])
def test_hard_edges_of_products(k):
    """Density ~ x^(-k/(k+1)), with the relative accuracy of the offset."""
    law = rmt.WishartProduct(np.ones(k)).law()
    low, high = law.density(offset=np.array([1e-40, 1e-36]), edge=0)
    assert low / high == pytest.approx(1e4 ** (k / (k + 1)), rel=1e-4)


def test_many_factors():
    law = rmt.WishartProduct(np.linspace(0.5, 1.5, 12)).law()
    levels = np.array([0.4, 0.6, 0.9])
    np.testing.assert_allclose(law.cdf(law.quantile(levels)), levels, atol=1e-10)


def test_f_matrices_with_a_continuous_population():
    law = rmt.FMatrix(rmt.Uniform(1, 3), ratio1=0.5, ratio2=0.2).law()
    fine = rmt.FMatrix(1 + 2 * (np.arange(200) + 0.5) / 200, ratio1=0.5, ratio2=0.2).law()
    np.testing.assert_allclose(law.edges, fine.edges, rtol=1e-4)
    assert law.density(2.0) == pytest.approx(fine.density(2.0), rel=1e-4)


def test_manova_is_the_image_of_f():
    f, manova = rmt.FMatrix([1, 4], 0.5, 0.2).law(), rmt.Manova([1, 4], 0.5, 0.2).law()
    np.testing.assert_allclose(manova.edges, 0.2 * f.edges / (0.5 + 0.2 * f.edges), rtol=1e-14)
    assert manova.cdf(0.2 * 3 / (0.5 + 0.2 * 3)) == pytest.approx(f.cdf(3.0), abs=1e-12)
    wide = rmt.Manova([1, 4], 0.5, 1.5).law()
    np.testing.assert_allclose(wide.atoms.locations, [1.0], rtol=1e-15)
    np.testing.assert_allclose(wide.atoms.weights, [1 / 3], rtol=1e-14)


@pytest.mark.parametrize(
    "law",
    [
        moebius(rmt.MarchenkoPastur(0.25), 0, 1, 1, 0),
        moebius(rmt.Uniform(1, 2), 1, 3, -0.5, 2),
        moebius(rmt.MarchenkoPastur(2.0), 1, 0, 1, 3),
    ],
    ids=repr,
)
def test_moebius_images_are_measures(law):
    check_measure(law)


def test_moebius_special_maps():
    assert moebius(rmt.Semicircle(), 2, 1, 0, 1) == rmt.Semicircle(variance=4.0, mean=1.0)
    assert moebius(rmt.Discrete([1, 2]), 0, 1, 1, 0).atoms.locations.tolist() == [0.5, 1.0]
    law = moebius(rmt.MarchenkoPastur(0.25), 0, 1, 1, 0)
    assert law.moment(1) == pytest.approx(4 / 3, rel=1e-12)  # E 1/x = 1/(1 - c)
    assert law.stieltjes(1e-9) == pytest.approx(1.0, rel=1e-8)  # E x = 1, at the image of infinity


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: rmt.InformationPlusNoise([-1, 1]), "population must be"),
        (lambda: rmt.InformationPlusNoise([1], noise=0.0), "noise must be"),
        (lambda: rmt.InformationPlusNoise([1], ratio=-1.0), "ratio must be"),
        (lambda: rmt.InformationPlusNoise([1], ratio=2.0), "mass at least 1 - 1/ratio = 0.5 at zero"),
        (lambda: rmt.InformationPlusNoise([1]).sample(0, np.random.default_rng(0)), "size must be"),
        (lambda: rmt.FMatrix([0.0], 0.5, 0.2), "population must be"),
        (lambda: rmt.FMatrix([1], 0.0, 0.2), "ratio1 must be"),
        (lambda: rmt.FMatrix([1], 0.5, 1.0), "ratio2 must be"),
        (lambda: rmt.Manova([1, 2], 2.5, 1.8), "A . B can be inverted"),
        (lambda: rmt.Manova([0, 2], 0.5, 2.0), "add up to 1$"),
        (lambda: rmt.Manova([1], 3.0, 3.0), "A . B can be inverted"),
        (lambda: rmt.WishartProduct([]), "ratios must be"),
        (lambda: rmt.WishartProduct([1, -1]), "ratios must be"),
        (lambda: rmt.WishartProduct(np.ones(65)), "ratios must be at most 64"),
        (lambda: rmt.WishartProduct([1]).sample(4, 3), "rng must be"),
        (lambda: moebius(rmt.Semicircle(), 0, 1, 1, 0), "measure must be a law with"),
        (lambda: moebius(rmt.Semicircle(), 1, 1, 1, 1), "a, b, c, d must be"),
    ],
)
def test_refusals(build, words):
    with pytest.raises(rmt.DomainError, match=words):
        build()


@pytest.mark.parametrize(("noise", "ratio"), [(1e100, 0.5), (1e308, 0.5), (1e-60, 0.5), (1e-308, 0.5), (1.0, 1e-308)])
def test_noise_that_floating_point_cannot_hold_beside_the_population_is_refused(noise, ratio):
    with pytest.raises(rmt.DomainError, match=r"^noise must be such that noise\^2"):
        rmt.InformationPlusNoise([1, 2], noise, ratio)


def test_a_pole_at_the_critical_point_gives_no_warning():
    law = rmt.InformationPlusNoise([1.0], 1.0, 1.0).law()
    x = np.array([0.1, 0.5, 2.0])
    levels = law.cdf(x)
    assert (np.diff(levels) > 0).all()
    assert_allclose(law.quantile(levels), x, rtol=1e-9)
