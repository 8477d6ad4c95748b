"""Ridge studies: theory beside trained networks, saved and resumed; and the command that runs them."""

import dataclasses
import json

import numpy as np
import pytest
from click.testing import CliRunner

import rmtsolve as rmt
from rmtsolve.cli import main
from rmtsolve.models.reader import load_model
from rmtsolve.ridge_study import run_data_study, run_ridge_study
from rmtsolve.simulate.replicas import Interrupted

ALPHA = [0.5, 1.0, 2.0]


def model(**changes):
    return dataclasses.replace(load_model("one-step-tanh"), **{"size": 60, "trials": 3} | changes)


@pytest.fixture(scope="module")
def study():
    return run_ridge_study(model(), ALPHA, 0.1)


def test_theory_is_taken_at_the_sizes_of_the_simulation(study):
    network = load_model("one-step-tanh").ensemble
    expected = network.ridge_errors(ALPHA, 0.1, p=60)
    assert np.allclose(study.theory.test, expected.test, rtol=1e-12)
    odd = run_ridge_study(model(size=61, trials=1), [1.013], 0.1)
    assert odd.theory.alpha[0] == round(1.013 * 61) / 61


def test_network_and_equivalent_features_are_measured(study):
    assert set(study.measured) == {"trained network", "equivalent features"}
    for sample in study.measured.values():
        assert sample.test.shape == (3, 3, 1)
        assert (sample.train < sample.test).all()
    a, b = (sample.test for sample in study.measured.values())
    assert not np.allclose(a, b)  # generators of their own


def test_numbers_do_not_depend_on_workers(study):
    again = run_ridge_study(model(), ALPHA, 0.1, workers=map)
    for name, sample in study.measured.items():
        assert np.array_equal(sample.test, again.measured[name].test)


def test_rows_table_and_csv(study):
    first = study.rows()[0]
    name = "test trained network"
    assert first[f"{name} z"] == (first[name] - first["test predicted"]) / first[f"{name} error"]
    lines = study.to_csv().splitlines()
    assert lines[0].split(",") == list(first)
    assert [float(v) for v in lines[1].split(",")] == list(first.values())
    assert "standard errors" in str(study)


def test_interruption_and_resume(tmp_path, study):
    def interrupted(task, generators):
        yield task(generators[0])
        raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="1 of 3 replicas"):
        run_ridge_study(model(), ALPHA, 0.1, workers=interrupted, folder=tmp_path)
    resumed = run_ridge_study(model(), ALPHA, 0.1, folder=tmp_path)
    assert resumed.reused == 1
    for name, sample in study.measured.items():
        assert np.array_equal(sample.test, resumed.measured[name].test)
    assert run_ridge_study(model(), ALPHA, 0.2, folder=tmp_path).reused == 0  # another ridge, other numbers


def test_picture_shows_curve_and_points(study):
    import matplotlib.pyplot as plt

    ax = study.plot()
    curves = {line.get_label(): line for line in ax.get_lines()}
    assert np.allclose(curves["test error, predicted"].get_ydata(), study.curve.test)
    points = {bar.get_label(): bar for bar in ax.containers}
    drawn = points["test error, trained network"].lines[0].get_ydata()
    assert np.allclose(drawn, study.measured["trained network"].test_mean[:, 0])
    assert "p = 60" in ax.get_title()
    plt.close("all")


@pytest.mark.parametrize(
    ("alpha", "lam", "word"),
    [([], 0.1, "alpha"), ([0.0], 0.1, "alpha"), ([np.nan], 0.1, "alpha"), ([1.0], -1.0, "lam"), ([1.0], "x", "lam")],
)
def test_bad_arguments(alpha, lam, word):
    with pytest.raises(rmt.DomainError, match=word):
        run_ridge_study(model(), alpha, lam)


def test_models_without_labels_are_refused():
    with pytest.raises(rmt.DomainError, match="with labels"):
        run_ridge_study("marchenko-pastur", [1.0], 0.1)


def test_deep_features_have_ridge_errors(tmp_path):
    small = dataclasses.replace(load_model("deep-1"), size=60, trials=2)
    study = run_ridge_study(small, [0.5, 2.0], 0.1, folder=tmp_path)
    finite = small.ensemble.finite(60)
    target, noise = small.parameters["target"], small.parameters["noise"]
    expected = rmt.deep_ridge_errors(finite, target, lam=0.1, alpha=study.theory.alpha, noise=noise)
    assert np.array_equal(study.theory.test, expected.test)
    assert study.measured["deep network"].test.shape == (2, 2, 1)
    no_target = dataclasses.replace(small, parameters={k: v for k, v in small.parameters.items() if k != "target"})
    with pytest.raises(rmt.DomainError, match="with a target"):
        run_ridge_study(no_target, [0.5], 0.1)


@pytest.fixture
def data_file(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((300, 20))
    np.savez(tmp_path / "mine.npz", X=x, y=np.sin(x[:, 0]) + 0.3 * rng.standard_normal(300))
    return tmp_path / "mine.npz"


def test_data_set_on_its_columns_and_on_random_features(data_file):
    for options in ({}, {"activation": "relu", "width": 30}):
        study = run_data_study(data_file, [1.0, 3.0], 1.0, trials=12, **options)
        sample = study.measured["random splits"]
        assert study.axis == "n / p"
        assert study.width == options.get("width", 20)
        # splits of one data set of 300 rows: its own sampling error, sqrt(2 / 300), beside that of the splits
        allowed = 4 * sample.test_error[:, 0] + study.theory.test * (2 / 300) ** 0.5
        assert (abs(sample.test_mean[:, 0] - study.theory.test) < allowed).all()


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"alpha": [20.0]}, "alpha"),
        ({"width": 30}, "width"),
        ({"activation": "relu"}, "width"),
        ({"activation": "nonsense", "width": 10}, "activation"),
        ({"trials": 0}, "trials"),
        ({"lam": -1.0}, "lam"),
    ],
)
def test_bad_data_studies(data_file, options, word):
    with pytest.raises(rmt.DomainError, match=word):
        run_data_study(data_file, **({"alpha": [1.0], "lam": 1.0} | options))


def test_data_command(data_file, tmp_path):
    options = ["--alpha", "1:3:2", "--trials", "2", "--workers", "1", "--quiet", "--out", str(tmp_path)]
    run = CliRunner().invoke(main, ["ridge", "--data", str(data_file), *options])
    assert run.exit_code == 0, run.output
    assert "random splits" in run.stdout
    assert (tmp_path / "mine-ridge.png").exists()
    both = CliRunner().invoke(main, ["ridge", "one-step-tanh", "--data", str(data_file), *options])
    assert both.exit_code == 2


def test_command(tmp_path):
    options = ["--alpha", "0.5:2:2", "--size", "40", "--trials", "2", "--workers", "1", "--quiet"]
    run = CliRunner().invoke(main, ["ridge", "one-step-tanh", *options, "--out", str(tmp_path)])
    assert run.exit_code == 0, run.output
    assert (tmp_path / "one-step-tanh-ridge.png").stat().st_size > 5000
    saved = json.loads((tmp_path / "one-step-tanh-ridge.json").read_text())
    assert saved["complete"]
    assert [row["alpha"] for row in saved["rows"]] == [0.5, 2.0]
    again = CliRunner().invoke(main, ["ridge", "one-step-tanh", *options, "--out", str(tmp_path), "--csv", "--no-plot"])
    assert again.exit_code == 0
    assert again.stdout.splitlines()[0].startswith("alpha,lam,train predicted")


@pytest.mark.parametrize("text", ["1:2", "a:b:3", "1:2:0", "0:2:3", "1:inf:3"])
def test_command_refuses_a_bad_grid(text, tmp_path):
    run = CliRunner().invoke(main, ["ridge", "one-step-tanh", "--alpha", text, "--out", str(tmp_path)])
    assert run.exit_code == 2
    assert "alpha" in run.stderr
