"""Studies: theory at the finite ratios, what is saved, and what a second run takes from it."""

import dataclasses
import json

import numpy as np
import pytest

import rmtsolve as rmt
from rmtsolve.errors import ModelError
from rmtsolve.models.reader import load_model
from rmtsolve.simulate.replicas import Interrupted
from rmtsolve.study import finite_ensembles, plain


def model(name="two-bulks", **changes):
    return dataclasses.replace(load_model(name), **{"size": 40, "trials": 3} | changes)


def test_study_is_theory_and_simulation():
    study = rmt.run_study(model())
    (stage,) = study.stages
    assert stage.eigenvalues.shape == (3, 40)
    assert stage.comparison.agrees
    assert np.array_equal(stage.eigenvalues, rmt.run_study(model(), workers=map).stages[0].eigenvalues)
    assert "3 spectra of size 40" in str(study)


def test_law_is_taken_at_the_ratios_of_the_matrices():
    ((_, finite),) = finite_ensembles(model(size=41))
    assert finite.ratio == 41 / 410
    assert sorted(finite.population.atoms.weights) == [20 / 41, 21 / 41]


def test_second_run_reuses_replicas(tmp_path):
    first = rmt.run_study(model(), folder=tmp_path)
    second = rmt.run_study(model(trials=5), folder=tmp_path)
    assert (first.reused, second.reused) == (0, 3)
    assert np.array_equal(second.stages[0].eigenvalues[:3], first.stages[0].eigenvalues)
    assert np.array_equal(second.stages[0].eigenvalues, rmt.run_study(model(trials=5)).stages[0].eigenvalues)


@pytest.mark.parametrize("change", [{"size": 42}, {"seed": 9}, {"parameters": {"ratio": 0.2}}])
def test_other_models_do_not(tmp_path, change):
    rmt.run_study(model(), folder=tmp_path)
    assert rmt.run_study(model(**change), folder=tmp_path).reused == 0


def test_interruption_keeps_the_finished_replicas(tmp_path):
    def interrupted(task, generators):
        for k, generator in enumerate(generators):
            if k == 2:
                raise KeyboardInterrupt
            yield task(generator)

    with pytest.raises(Interrupted, match="2 of 5 replicas") as stop:
        rmt.run_study(model(trials=5), workers=interrupted, folder=tmp_path)
    saved = json.loads((tmp_path / "two-bulks.json").read_text())
    assert not saved["complete"]
    assert np.array_equal(saved["replicas"], stop.value.eigenvalues)
    after = rmt.run_study(model(trials=5), folder=tmp_path)
    assert after.reused == 2
    assert np.array_equal(after.stages[0].eigenvalues, rmt.run_study(model(trials=5)).stages[0].eigenvalues)


def test_what_is_saved(tmp_path):
    study = rmt.run_study(model(), folder=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["two-bulks.json"]
    saved = json.loads((tmp_path / "two-bulks.json").read_text())
    assert saved["complete"]
    assert saved["model"]["parameters"]["atoms"] == [1.0, 8.0]
    (stage,) = saved["stages"]
    assert stage["edges"] == study.stages[0].law.edges.tolist()
    assert stage["comparison"]["kolmogorov"] == study.stages[0].comparison.kolmogorov
    for curve in stage["density"]:
        assert np.allclose(study.stages[0].law.density(curve["x"]), curve["rho"], rtol=1e-6)
    assert np.array_equal(np.array(saved["replicas"])[:, 0], study.stages[0].eigenvalues)


@pytest.mark.parametrize(
    "content", [b"", b"[1, 2]", b"{}", b"\xff", b"[" * 100_000, b'{"fingerprint": 3}', b"null", b'{"replicas": []}']
)
def test_a_file_of_something_else_is_not_overwritten(tmp_path, content):
    path = tmp_path / "two-bulks.json"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="exists but is not the file of a study"):
        rmt.run_study(model(), folder=tmp_path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("replicas", [[[[1.0]]], "x", [["a"]], 3, [[[None] * 40]], {"a": 1}])
def test_a_damaged_file_is_refused(tmp_path, replicas):
    rmt.run_study(model(), folder=tmp_path)
    path = tmp_path / "two-bulks.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"replicas": replicas}))
    with pytest.raises(ModelError, match="exists but is not the file of a study"):
        rmt.run_study(model(), folder=tmp_path)


def test_folder_must_exist(tmp_path):
    with pytest.raises(ModelError, match="no such folder"):
        rmt.run_study(model(), folder=tmp_path / "none")


def test_plain_values():
    assert plain({"a": (np.float64(1), np.array([np.nan, 2.0])), 3: [np.inf, None, "x", True]}) == {
        "a": [1.0, [None, 2.0]],
        "3": [None, None, "x", True],
    }


@pytest.mark.parametrize(
    ("name", "words"), [("one-step-tanh", r"O(d/n0);"), ("one-step-relu", r"O((d/n0)^(1/2)), since E sigma'' = 0.399")]
)
def test_what_the_batch_explains_is_said_where_bulks_differ(name, words):
    study = rmt.run_study(model(name, size=60, trials=2))
    last = study.stages[-1]

    def with_distance(value):
        comparison = dataclasses.replace(last.comparison, kolmogorov=value, limit=0.1, outliers=(), strays=0.0)
        return dataclasses.replace(study, stages=(study.stages[0], dataclasses.replace(last, comparison=comparison)))

    assert with_distance(0.05).caveat == ""
    assert words in with_distance(0.2).caveat
    assert str(with_distance(0.2)).endswith(with_distance(0.2).caveat)


def test_only_networks_have_batches():
    study = rmt.run_study(model())
    bad = dataclasses.replace(study.stages[0].comparison, kolmogorov=1.0)
    assert dataclasses.replace(study, stages=(dataclasses.replace(study.stages[0], comparison=bad),)).caveat == ""
