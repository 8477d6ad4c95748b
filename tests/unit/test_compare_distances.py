"""Distances between eigenvalues and a law, and which eigenvalue belongs to which prediction."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rmtsolve as rmt
from rmtsolve import _empirical
from rmtsolve.ensembles.base import Outlier
from rmtsolve.errors import DomainError


def midpoints(law, n):
    return law.quantile((np.arange(n) + 0.5) / n)


def test_mid_quantiles_are_half_a_step_away():
    found = rmt.compare(rmt.Semicircle(), midpoints(rmt.Semicircle(), 50))
    assert found.kolmogorov == pytest.approx(0.5 / 50, abs=1e-12)
    assert found.above == pytest.approx(found.below, abs=1e-12)


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=30))
def test_distances_agree_with_scipy(points):
    from scipy import stats

    row = np.sort(np.array(points))
    law = rmt.Uniform(-1, 1)
    above, below, area = _empirical.distances(_empirical.tabulate(law, row), row)
    # scipy's two one-sided statistics, and its area against a fine discretisation of the law (step 2 / 20001)
    assert above == pytest.approx(max(0.0, stats.kstest(row, law.cdf, alternative="greater").statistic), abs=1e-12)
    assert below == pytest.approx(max(0.0, stats.kstest(row, law.cdf, alternative="less").statistic), abs=1e-12)
    grid = (np.arange(20001) + 0.5) / 20001 * 2 - 1
    assert area == pytest.approx(stats.wasserstein_distance(row, grid), abs=1e-4)


def test_ties_and_atoms():
    """Half of the law sits at 0, and so does half of the sample: the distance is that of the other half."""
    law = rmt.MarchenkoPastur(2.0)
    row = np.concatenate([np.zeros(20), law.quantile(0.5 + (np.arange(20) + 0.5) / 40)])
    found = rmt.compare(law, row)
    assert found.kolmogorov == pytest.approx(0.5 / 40, abs=1e-10)
    assert found.atoms[0].measured == 0.5
    # sixty per cent zeros: too high by a tenth at 0, a little more at the first eigenvalue of the bulk
    row = np.concatenate([np.zeros(24), law.quantile(0.5 + (np.arange(16) + 0.5) / 32)])
    assert rmt.compare(law, row).above == pytest.approx(25 / 40 - (0.5 + 0.5 / 32), abs=1e-10)


def test_rounding_of_an_eigensolver_is_not_a_distance_from_an_atom():
    law = rmt.MarchenkoPastur(2.0)
    row = np.concatenate([np.linspace(-1e-15, 1e-15, 20), law.quantile(0.5 + (np.arange(20) + 0.5) / 40)])
    assert rmt.compare(law, row).kolmogorov == pytest.approx(0.5 / 40, abs=1e-10)


def test_discrete_law():
    law = rmt.Discrete([1, 2], [0.5, 0.5])
    assert rmt.compare(law, [1.0, 1.0, 2.0, 2.0]).kolmogorov == 0.0
    assert rmt.compare(law, [1.0, 2.0, 2.0, 2.0]).kolmogorov == 0.25
    assert rmt.compare(law, [1.0, 2.0, 2.0, 2.0]).wasserstein == pytest.approx(0.25)


def test_wasserstein_is_the_shift():
    law = rmt.Semicircle()
    row = midpoints(law, 400)
    assert rmt.compare(law, row + 0.1).wasserstein == pytest.approx(0.1, rel=1e-4)


def test_gap_counts_in_the_area():
    """A tenth of the eigenvalues on the wrong side of a gap: mass 0.1 moves by about 7."""
    law = rmt.SampleCovariance(rmt.Discrete([1, 8], [0.5, 0.5]), ratio=0.01).law()
    row = np.concatenate(
        [law.quantile(0.5 * (np.arange(60) + 0.5) / 60), law.quantile(0.5 + (np.arange(40) + 0.5) / 80)]
    )
    assert rmt.compare(law, row).wasserstein == pytest.approx(0.1 * 7, rel=0.02)


# ---------------------------------------------------------------------- outliers
def spectra_with(*outliers, trials=5, size=200):
    rng = np.random.default_rng(7)
    bulk = midpoints(rmt.Semicircle(), size - len(outliers))
    rows = [
        np.concatenate([bulk, np.array(outliers) + 0.01 * rng.standard_normal(len(outliers))]) for _ in range(trials)
    ]
    return np.array([rng.permutation(row) for row in rows])


def test_outliers_on_both_sides_are_matched_in_order():
    found = rmt.compare(rmt.Semicircle(), spectra_with(3.0, 2.6, -2.5), outliers=[2.61, -2.49, 3.01])
    assert [round(row.measured, 1) for row in found.outliers] == [2.6, -2.5, 3.0]
    assert found.apart == 3
    assert found.strays == 0
    assert found.agrees
    assert found.kolmogorov == pytest.approx(0.5 / 197, abs=1e-10)


def test_outlier_in_a_gap():
    law = rmt.SampleCovariance(rmt.Discrete([1, 8], [0.5, 0.5]), ratio=0.1).law()
    row = np.append(law.quantile((np.arange(100) + 0.5) / 100), 3.2)
    found = rmt.compare(law, [row] * 3, outliers=[Outlier(3.1, 0.5, label="in the gap")])
    assert found.outliers[0].measured == pytest.approx(3.2)
    assert found.outliers[0].label == "in the gap"


def test_outlier_below_the_bulk_but_above_the_atom():
    law = rmt.MarchenkoPastur(2.0)
    row = np.concatenate([np.zeros(50), [0.05], law.quantile(0.5 + (np.arange(49) + 0.5) / 98)])
    assert rmt.compare(law, row, outliers=[0.06]).outliers[0].measured == 0.05


def test_misplaced_outlier_is_reported():
    found = rmt.compare(rmt.Semicircle(), spectra_with(3.0), outliers=[3.5])
    assert not found.agrees
    assert "Outlier predicted at 3.5" in found.verdict


def test_unpredicted_outlier_is_reported_and_kept_out_of_the_distance():
    found = rmt.compare(rmt.Semicircle(), spectra_with(3.0))
    assert found.strays == 1
    assert not found.agrees
    assert "predicted by nothing: 1 a spectrum" in found.verdict
    assert found.kolmogorov == pytest.approx(0.5 / 199, abs=1e-10)


def test_many_eigenvalues_outside_are_part_of_the_distance():
    rows = midpoints(rmt.Semicircle(), 200)
    rows[-50:] += 3
    assert rmt.compare(rmt.Semicircle(), rows).kolmogorov > 0.2


# ---------------------------------------------------------------------- edges
def test_expected_extremes_are_those_of_tracy_and_widom():
    """Semicircle at size n: scale n^(-2/3), mean -1.20653 of it and deviation 1.26798 of it."""
    found = rmt.compare(rmt.Semicircle(), midpoints(rmt.Semicircle(), 1000))
    right = found.edges[1]
    assert right.law == 2.0
    assert right.expected == pytest.approx(2 - 1.2065335745820 * 1000 ** (-2 / 3), rel=1e-4)
    assert right.deviation == pytest.approx(math.sqrt(1.607781034581) * 1000 ** (-2 / 3), rel=0.01)
    two = rmt.compare(rmt.Semicircle(), midpoints(rmt.Semicircle(), 1000), dyson=2).edges[1]
    assert two.expected == pytest.approx(2 - 1.7710868074112 * 1000 ** (-2 / 3), rel=1e-4)


def test_hard_edge_has_no_tracy_widom():
    found = rmt.compare(rmt.MarchenkoPastur(1.0), midpoints(rmt.MarchenkoPastur(1.0), 100))
    left = found.edges[0]
    assert left.law == 0.0
    assert math.isnan(left.deviation)
    assert left.expected == pytest.approx(rmt.MarchenkoPastur(1.0).quantile(0.005))


def test_every_bulk_has_its_own_extremes():
    law = rmt.SampleCovariance(rmt.Discrete([1, 8], [0.5, 0.5]), ratio=0.1).law()
    row = midpoints(law, 100)
    found = rmt.compare(law, row)
    assert [edge.measured for edge in found.edges] == pytest.approx([row[0], row[49], row[50], row[99]])


# ---------------------------------------------------------------------- verdict and text
def test_wrong_law_differs():
    found = rmt.compare(rmt.Semicircle(), 1.2 * spectra_with(trials=5))
    assert not found.agrees
    assert found.verdict.startswith("Bulk: differs")


def test_scatter_is_told_from_bias():
    """Spectra that breathe by 5 % around the right law: too far one by one, right on average, and said so."""
    rng = np.random.default_rng(0)
    scale = 0.05 * rng.standard_normal((200, 1))
    rows = midpoints(rmt.Semicircle(), 400) * (1 + scale - scale.mean())
    found = rmt.compare(rmt.Semicircle(), rows[:100])
    assert found.kolmogorov > found.limit
    assert found.scatter > 0.01
    assert found.agrees
    assert "agrees on average" in found.verdict
    assert not rmt.compare(rmt.Semicircle(), rows[:100] * 1.1).agrees


def test_one_spectrum_has_no_scatter():
    found = rmt.compare(rmt.Semicircle(), 1.1 * midpoints(rmt.Semicircle(), 200))
    assert math.isnan(found.scatter)
    assert "Three spectra or more" in found.verdict


def test_text_and_dict():
    import json

    found = rmt.compare(rmt.Semicircle(), spectra_with(3.0), outliers=[3.0])
    text = str(found)
    assert text.splitlines()[0] == "5 spectra of size 200"
    assert "Kolmogorov distance" in text
    assert "Outliers: where they were predicted." in text
    assert max(map(len, text.splitlines()[:-1])) < 100
    json.dumps(found.to_dict())
    with pytest.raises(ValueError, match="read-only"):
        found.deviations[0, 0] = 1.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"measure": 3}, "measure must be a Measure"),
        ({"eigenvalues": [1j, 2.0]}, "eigenvalues must be real"),
        ({"eigenvalues": [1.0, math.nan]}, "eigenvalues must be finite"),
        ({"eigenvalues": []}, "eigenvalues must be non-empty"),
        ({"eigenvalues": np.ones((2, 2, 2))}, "eigenvalues must be of shape"),
        ({"outliers": [0.5]}, "outliers must be outside the bulk"),
        ({"outliers": ["x"]}, "outliers must be a finite real number"),
        ({"outliers": [3, 4, 5]}, "outliers must be fewer than the 3"),
        ({"dyson": 4}, "dyson must be an integer >= 1 and <= 2"),
    ],
)
def test_bad_input(change, message):
    arguments = {"measure": rmt.Semicircle(), "eigenvalues": [-1.0, 0.0, 1.0]} | change
    with pytest.raises(DomainError, match=message):
        rmt.compare(**arguments)
