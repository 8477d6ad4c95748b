"""Spiked models: examples of the documentation, special spikes, refusals."""

import numpy as np
import pytest

import rmtsolve as rmt

H = rmt.Discrete([1, 3, 10], [0.5, 0.3, 0.2])
TWO = rmt.Discrete([1, 3], [0.6, 0.4])


def test_the_line_of_the_house():
    outlier = rmt.SpikedCovariance(H, ratio=0.5, spikes=[25]).outliers()[0]
    assert 0.0 < outlier.overlap < 1.0 and outlier.location > 25.0 and outlier.label == "spike 25, above the bulk"


def test_thresholds_are_the_critical_points_and_closed_for_white_noise():
    c = 0.36
    white = rmt.SpikedCovariance([1.0], ratio=c, spikes=[])
    np.testing.assert_allclose(white.thresholds, [[0.0, 0.4], [1.6, np.inf]], rtol=1e-14)
    assert white.threshold == pytest.approx(1.6, rel=1e-14)
    assert rmt.SpikedCovariance([1.0], ratio=4.0).thresholds.tolist() == [[3.0, np.inf]]  # nothing below a hard wall
    assert rmt.SpikedRectangular(ratio=c).threshold == pytest.approx(c**0.25, rel=1e-13)
    assert rmt.SpikedRectangular(ratio=4.0).threshold == pytest.approx(4.0**0.25, rel=1e-13)
    np.testing.assert_allclose(rmt.SpikedWigner(variance=4.0).thresholds, [[-np.inf, -2.0], [2.0, np.inf]], rtol=1e-14)
    np.testing.assert_allclose(rmt.SpikedSum(rmt.Semicircle()).thresholds, [[-np.inf, -1.0], [1.0, np.inf]], rtol=1e-13)
    product = rmt.SpikedProduct(rmt.MarchenkoPastur(c)).thresholds
    np.testing.assert_allclose(product, white.thresholds, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("spike", [1.0, 3.0, 2.0, 4.3598])
def test_subcritical_spikes_and_spikes_on_atoms_make_no_outlier_and_it_says_so(spike):
    model = rmt.SpikedCovariance(TWO, ratio=0.5, spikes=[spike])
    assert model.outliers() == () and model.subcritical == (spike,)
    assert "no outlier" in model.explain() and f"{spike:.6g}" in model.explain()


def test_explain_names_the_gap():
    text = rmt.SpikedCovariance([1, 30], ratio=0.1, spikes=[8, 60, 0.1, 1.1]).explain()
    lines = text.split("\n")
    assert len(lines) == 4 and "below the bulk" in lines[0] and "in the gap (" in lines[1] and "above" in lines[2]
    assert "Spike 1.1: no outlier" in lines[3]
    assert rmt.SpikedWigner(spikes=[]).explain() == "No spikes."


def test_multiplicity():
    model = rmt.SpikedCovariance(TWO, ratio=0.5, spikes=[8, 8, 20])
    low, twin, high = model.outliers()
    assert low.location == twin.location and low.variance is None and "multiplicity 2" in low.label
    assert high.variance is not None and model.spikes == (8.0, 8.0, 20.0)


def test_one_spike_in_general_position_makes_an_outlier_in_every_gap():
    bulk = rmt.Discrete([0.0, 10.0])
    outliers = rmt.SpikedSum(bulk, spikes=[3.0]).outliers()
    # det: x^2 - 13 x + 15 = 0
    expected = np.sort(np.roots([1.0, -13.0, 15.0]).real)
    np.testing.assert_allclose([one.location for one in outliers], expected, rtol=1e-13)
    assert sum(one.overlap for one in outliers) == pytest.approx(1.0, rel=1e-12)


def test_a_rectangular_spike_may_make_outliers_between_and_below_the_bulks():
    bulk = rmt.Discrete([4.0, 100.0])
    model = rmt.SpikedRectangular(ratio=1.0, spikes=[1.0], bulk=bulk)
    places = [one.location for one in model.outliers()]
    assert sum(x < 4 for x in places) == 1 and sum(x > 100 for x in places) == 1
    assert all(0 < part < 1 for one in model.outliers() for part in one.overlap)
    np.testing.assert_allclose(model.spikes_from_outliers(places), 1.0, rtol=1e-12)


def test_white_models_agree_with_each_other():
    c, spikes = 0.5, [0.1, 4.0]
    one = rmt.SpikedCovariance([1.0], ratio=c, spikes=spikes).outliers()
    two = rmt.SpikedProduct(rmt.MarchenkoPastur(c), spikes=spikes).outliers()
    for a, b in zip(one, two, strict=True):
        assert b.location == pytest.approx(a.location, rel=1e-12) and b.overlap == pytest.approx(a.overlap, rel=1e-11)
        assert b.variance == pytest.approx(c * a.variance, rel=1e-11)  # sqrt(size) against sqrt(n)
    one = rmt.SpikedWigner(variance=0.5, spikes=[-2.0, 1.0]).outliers()
    two = rmt.SpikedSum(rmt.Semicircle(0.5), spikes=[-2.0, 1.0]).outliers()
    for a, b in zip(one, two, strict=True):
        assert (b.location, b.overlap, b.variance) == pytest.approx((a.location, a.overlap, a.variance), rel=1e-12)


def test_continuous_bulks():
    model = rmt.SpikedCovariance(rmt.Uniform(1, 3), ratio=0.5, spikes=[6.0])
    fine = rmt.SpikedCovariance(1 + 2 * (np.arange(4000) + 0.5) / 4000, ratio=0.5, spikes=[6.0])
    assert model.outliers()[0].location == pytest.approx(fine.outliers()[0].location, rel=1e-7)
    assert model.threshold == pytest.approx(fine.threshold, rel=1e-3)
    bulk = rmt.SampleCovariance(rmt.Uniform(1, 3), 0.5).law()
    assert rmt.SpikedProduct(bulk, spikes=[5.0]).equation() is bulk.equation


def test_finite_models_count_the_bulk_alone():
    model = rmt.SpikedCovariance(TWO, ratio=0.5, spikes=[8]).finite(101)
    assert model.population.weights.tolist() == [0.6, 0.4] and model.ratio == 100 / 202
    assert rmt.SpikedWigner(spikes=[3.0]).finite(50).variance == pytest.approx(0.98)
    assert rmt.SpikedRectangular(ratio=0.3, spikes=[2.0]).finite(100).ratio == 100 / 333


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: rmt.SpikedCovariance(TWO, ratio=0.5, spikes=[-1]), "spikes must be"),
        (lambda: rmt.SpikedCovariance(TWO, ratio=0.5, spikes=[0]), "spikes must be"),
        (lambda: rmt.SpikedCovariance(TWO, ratio=0, spikes=[9]), "ratio must be"),
        (lambda: rmt.SpikedCovariance([-1, 2], ratio=1, spikes=[9]), "population must be"),
        (lambda: rmt.SpikedWigner(spikes=[np.inf]), "spikes must be"),
        (lambda: rmt.SpikedWigner(variance=-1.0), "variance must be"),
        (lambda: rmt.SpikedSum(rmt.Semicircle(), spikes=[0.0]), "spikes must be different from 0"),
        (lambda: rmt.SpikedProduct(rmt.MarchenkoPastur(0.5), spikes=[1.0]), "spikes must be different from 1"),
        (lambda: rmt.SpikedProduct(rmt.Semicircle(), spikes=[2.0]), "bulk must be"),
        (lambda: rmt.SpikedRectangular(ratio=2.0, bulk=[1.0], spikes=[1]), "ratio must be such that the law has mass"),
        (lambda: rmt.SpikedRectangular(ratio=0.5, spikes=[-1]), "spikes must be"),
        (lambda: rmt.SpikedCovariance(TWO, ratio=0.5, spikes=[9]).sample(1, np.random.default_rng(0)), "size must be"),
        (lambda: rmt.SpikedSum([0, 1], spikes=[9]).sample(5, 0), "rng must be"),
        (
            lambda: rmt.SpikedCovariance(TWO, ratio=0.5).spikes_from_outliers([2.0]),
            "locations must be outside the bulk",
        ),
        (lambda: rmt.SpikedCovariance(TWO, ratio=0.5).spikes_from_outliers([-1.0]), "locations must be where a spike"),
        (lambda: rmt.SpikedCovariance(TWO, ratio=2.0).spikes_from_outliers([1e-6]), "locations must be where a spike"),
        (lambda: rmt.SpikedRectangular(ratio=0.5).spikes_from_outliers([0.01]), "locations must be where a spike"),
        (lambda: rmt.SpikedSum([0, 1]).spikes_from_outliers([1.0]), "locations must be outside the bulk"),
    ],
)
def test_refusals(build, words):
    with pytest.raises(rmt.DomainError, match=words):
        build()


def test_the_inverse_keeps_shapes():
    model = rmt.SpikedWigner(spikes=[])
    assert model.spikes_from_outliers([]).shape == (0,)
    np.testing.assert_allclose(model.spikes_from_outliers([[2.5, -2.5]]), [[2.0, -2.0]], rtol=1e-13)
