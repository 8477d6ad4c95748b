"""Pictures: the drawn data is the computed data, marks are where they belong, and nothing is cut off."""

import dataclasses

import matplotlib.pyplot as plt
import numpy as np
import pytest

import rmtsolve as rmt
from rmtsolve.models.reader import load_model
from rmtsolve.plotting import density_curve


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def lines(ax):
    return {line.get_label(): line for line in ax.get_lines()}


def test_density_and_edges_are_drawn_as_they_are():
    law = rmt.SampleCovariance(rmt.Discrete([1, 8], [0.5, 0.5]), ratio=0.1).law()
    ax = law.plot()
    drawn = [line.get_xydata() for line in ax.get_lines() if len(line.get_xydata()) > 50]
    assert len(drawn) == 2  # bulks
    for curve in drawn:
        inside = curve[5:-5]
        assert np.allclose(law.density(inside[:, 0]), inside[:, 1], rtol=1e-8)
    assert np.allclose(lines(ax)["edges"].get_xdata(), law.edges)
    assert "0.1" in ax.get_title()


def test_curve_reaches_the_edges_without_cancellation():
    law = rmt.MarchenkoPastur(0.25)
    ((x, rho),) = density_curve(law)
    assert x[0] - law.edges[0] < 1e-5
    assert law.edges[1] - x[-1] < 1e-5
    assert (rho > 0).all()


def test_atoms_are_stems_with_their_mass():
    ax = rmt.MarchenkoPastur(2.0).plot()
    assert [text.get_text() for text in ax.texts] == ["mass 0.5"]
    stems = [line for line in ax.get_lines() if np.array_equal(line.get_xdata(), [0.0, 0.0])]
    assert len(stems) == 1
    assert stems[0].get_ydata()[1] <= ax.get_ylim()[1]


def test_hard_edge_does_not_squash_the_picture():
    ax = rmt.MarchenkoPastur(1.0).plot()  # the density is unbounded at 0
    assert ax.get_ylim()[1] < 5


def test_discrete_law_is_drawn_as_bars():
    law = rmt.Discrete(np.arange(1.0, 41.0))
    ax = law.plot()
    assert ax.get_ylim()[1] > 1 / 40


def test_histogram_is_normalised_to_all_eigenvalues():
    law = rmt.MarchenkoPastur(2.0)
    values = rmt.simulate_spectrum(
        rmt.SampleCovariance(rmt.Discrete([1.0]), ratio=2.0), 200, 2, np.random.default_rng(0)
    )
    ax = law.plot(eigenvalues=values)
    (bars,) = [patch for patch in ax.patches if hasattr(patch, "get_data")]
    heights, edges, _ = bars.get_data()
    assert abs(heights @ np.diff(edges) - 0.5) < 0.01  # the other half sits on the atom


def test_comparison_draws_every_spectrum_and_the_band():
    model = rmt.SampleCovariance(rmt.Discrete([1.0]), ratio=0.5)
    values = rmt.simulate_spectrum(model, 100, 3, np.random.default_rng(0))
    found = rmt.compare(model.law(), values)
    ax = found.plot()
    drawn = [line for line in ax.get_lines() if len(line.get_xdata()) == found.grid.size]
    assert len(drawn) == 4  # three spectra and their mean
    assert np.allclose(drawn[0].get_ydata(), found.deviations[0])


def test_study_shows_both_stages_and_the_outliers():
    model = dataclasses.replace(load_model("one-step"), size=120, trials=2)
    study = rmt.run_study(model)
    figure = study.plot()
    left, right = figure.axes
    names = set(lines(left))
    assert {"law before the step", "law after the step", "edges before the step", "edges after the step"} <= names
    predicted = study.stages[1].outliers[0].location
    stems = [line for line in right.get_lines() if line.get_marker() == "D" and len(line.get_xdata()) == 1]
    assert any(line.get_xdata()[0] == predicted for line in stems)
    low, high = right.get_xlim()
    measured = study.stages[1].eigenvalues.max()
    assert low < predicted < high
    assert low < measured < high
    assert "p/n = 0.5" in figure.get_suptitle()


def test_ridge_errors_over_alpha_and_over_lam():
    features = rmt.SpikedRandomFeatures("tanh", [1.5], [1.0], [1.0], alpha=2, beta=1)
    common = {"target": "sin(x)", "alignment": 0.8, "noise": 0.2}
    over_alpha = rmt.ridge_errors(features, alpha=[0.5, 1.0, 2.0], lam=0.1, **common)
    assert np.allclose(lines(over_alpha.plot())["test error, predicted"].get_ydata(), over_alpha.test)
    over_lam = rmt.ridge_errors(features, lam=[0.01, 0.1, 1.0], **common)
    ax = over_lam.plot()
    assert ax.get_xscale() == "log"
    assert np.allclose(lines(ax)["train error, predicted"].get_xdata(), [0.01, 0.1, 1.0])
    both = rmt.ridge_errors(features, alpha=np.array([0.5, 1.0, 2.0])[:, None], lam=np.array([0.1, 1.0]), **common)
    curves = [line.get_ydata() for line in both.plot().get_lines() if line.get_color() == "#0072B2"]
    assert np.allclose(curves, both.test.T)


def test_activation_is_drawn():
    ax = rmt.activation("tanh").plot()
    assert "tanh(x)" in {text.get_text() for text in ax.get_legend().get_texts()}


def test_pictures_are_written_as_vectors(tmp_path):
    rmt.Semicircle().plot().figure.savefig(tmp_path / "law.svg")
    assert "<svg" in (tmp_path / "law.svg").read_text()


def test_the_curve_of_a_law_with_a_cusp_reaches_it():
    law = rmt.free_add(rmt.Semicircle(), rmt.Discrete([-1, 1]))
    ((x, rho),) = density_curve(law)
    assert (np.diff(x) > 0).all()
    assert rho[x == 0.0] == 0.0
    near = np.abs(x) < 1e-3
    assert near.sum() > 5 and np.allclose(rho, law.density(x), atol=1e-9)
