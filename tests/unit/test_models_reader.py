"""Model files: what is read, and what is refused with which words."""

import numpy as np
import pytest

import rmtsolve as rmt
from rmtsolve.errors import ModelError
from rmtsolve.models.reader import KINDS, load_model, shipped_models

GOOD = """
kind = "sample-covariance"
title = "Mine"
[parameters]
atoms = [1, 4.0]
weights = [0.25, 0.75]
ratio = 0.5
[simulation]
size = 40
trials = 2
seed = 7
"""


def write(folder, text, name="mine.toml"):
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_a_file_becomes_a_model(tmp_path):
    model = load_model(write(tmp_path, GOOD))
    assert (model.name, model.kind, model.title) == ("mine", "sample-covariance", "Mine")
    assert (model.size, model.trials, model.seed) == (40, 2, 7)
    assert model.ensemble == rmt.SampleCovariance(rmt.Discrete([1, 4], [0.25, 0.75]), ratio=0.5)


def test_path_may_be_text(tmp_path):
    assert load_model(str(write(tmp_path, GOOD))).name == "mine"


@pytest.mark.parametrize("name", sorted(shipped_models()))
def test_shipped_models_load(name):
    model = load_model(name)
    assert model.name == name
    assert model.title
    assert model.description
    assert model.kind in KINDS


def test_what_is_shipped():
    needed = {"marchenko-pastur", "two-bulks", "random-features", "one-step", "one-step-relu", "one-step-three-classes"}
    assert needed <= shipped_models().keys()


def test_population_file_is_relative_to_the_model_file(tmp_path):
    write(tmp_path, "1\n2\n2\n5\n", "eigenvalues.csv")
    text = 'kind = "sample-covariance"\n[parameters]\npopulation = "eigenvalues.csv"\nratio = 0.5'
    model = load_model(write(tmp_path, text))
    assert np.array_equal(model.ensemble.population.atoms.weights, [0.25, 0.5, 0.25])
    assert model.parameters["atoms"] == [1.0, 2.0, 5.0]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('kind = "sample-covariance"', "", "the key 'kind' is missing"),
        ('"sample-covariance"', '"sample-covarience"', "kind must be one of .* did you mean 'sample-covariance'"),
        ('"sample-covariance"', "3", "kind must be one of"),
        ("ratio = 0.5", "", "the key 'ratio' is missing"),
        ("ratio = 0.5", "ratoi = 0.5", r"\[parameters\] unknown key 'ratoi'; did you mean 'ratio'"),
        ("ratio = 0.5", "zzz = 0.5", r"unknown key 'zzz'; allowed: atoms, population, ratio, weights"),
        ("ratio = 0.5", 'ratio = "half"', r"\[parameters\] ratio must be a finite real number, got 'half'"),
        ("ratio = 0.5", "ratio = true", r"\[parameters\] ratio must be a finite real number"),
        ("ratio = 0.5", "ratio = nan", r"\[parameters\] ratio must be a finite real number, got nan"),
        ("ratio = 0.5", "ratio = -inf", r"\[parameters\] ratio must be a finite real number, got -inf"),
        ("ratio = 0.5", "ratio = -0.5", "ratio must be a finite real number > 0, got -0.5"),
        ("ratio = 0.5", "ratio = 1e400", r"\[parameters\] ratio must be a finite real number, got inf"),
        ("ratio = 0.5", f"ratio = {'9' * 6000}", "not TOML"),
        ("ratio = 0.5", "ratio = 1979-05-27", r"\[parameters\] ratio must be a finite real number"),
        ("atoms = [1, 4.0]", "atoms = []", r"\[parameters\] atoms must be an array of 1 to"),
        ("atoms = [1, 4.0]", "atoms = 3", r"\[parameters\] atoms must be an array of 1 to"),
        ("atoms = [1, 4.0]", "atoms = [1, [4]]", r"\[parameters\] atoms\[1\] must be a finite real number"),
        ("atoms = [1, 4.0]", "atoms = [1, -4]", "population must be"),
        ("atoms = [1, 4.0]", f"atoms = [{'1,' * 100_001}]", "atoms must be an array of 1 to 100000"),
        ("weights = [0.25, 0.75]", "weights = [0.25, 0.7]", "weights must be weights that sum to one"),
        ("weights = [0.25, 0.75]", 'population = "x.csv"', "either atoms .* or a population file"),
        ("atoms = [1, 4.0]\nweights = [0.25, 0.75]", 'population = "x.csv"', "x.csv"),
        ("[parameters]", "[[parameters]]", r"parameters must be a table"),
        ("[simulation]", "[simulations]", "unknown key 'simulations'; did you mean 'simulation'"),
        ("size = 40", "sise = 40", r"\[simulation\] unknown key 'sise'; did you mean 'size'"),
        ("size = 40", "size = 40.5", "size must be an integer"),
        ("size = 40", "size = 1", "size must be an integer >= 2"),
        ("trials = 2", "trials = 0", "trials must be an integer >= 1"),
        ("seed = 7", "seed = -1", "seed must be an integer >= 0"),
        ('title = "Mine"', "title = 3", "title must be a non-empty text"),
        ('title = "Mine"', 'title = "Mine', "not TOML"),
        ('title = "Mine"', f"title = {'[' * 50_000}", "not TOML"),
        ('title = "Mine"', "a" + ".a" * 100_000 + " = 1", "not TOML|unknown key"),
        ('title = "Mine"', f'title = "{"x" * 2**20}"', "at most 1048576 bytes"),
    ],
)
def test_what_is_refused(tmp_path, old, new, message):
    assert old in GOOD
    path = write(tmp_path, GOOD.replace(old, new))
    with pytest.raises(ModelError, match=message) as caught:
        load_model(path)
    assert "mine.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_binary_and_folder_and_nothing(tmp_path):
    with pytest.raises(ModelError, match="not UTF-8 text"):
        load_model(write(tmp_path, b"\xff\xfe\x00"))
    for path in (tmp_path, tmp_path / "none.toml"):
        with pytest.raises(ModelError, match="no such file"):
            load_model(path)
    with pytest.raises(ModelError, match="no such file"):
        load_model("a\0b.toml")


def test_misspelt_name():
    with pytest.raises(ModelError, match="did you mean 'one-step-relu'"):
        load_model("one-step-rleu")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"activation": "thanh"}, "thanh"),
        ({"activation": "__import__('os').system('true')"}, "expression|function"),
        ({"learning_rate": "big"}, "learning_rate must be a finite real number"),
        ({"readout": [1.0]}, "readout|fractions"),
        ({"fractions": [0.5, 0.6]}, "fractions"),
        ({"alpha": -2.0}, "alpha must be a finite real number > 0"),
        ({"width_ratio": 0.0}, "width_ratio must be"),
        ({"noise": -1.0}, "noise must be"),
    ],
)
def test_networks_are_checked_when_read(tmp_path, change, message):
    values = shipped_models()["one-step"]["parameters"] | change
    lines = [
        f"{key} = {str(value) if not isinstance(value, str) else chr(34) + value + chr(34)}"
        for key, value in values.items()
    ]
    with pytest.raises(ModelError, match=message):
        load_model(write(tmp_path, 'kind = "one-step"\n[parameters]\n' + "\n".join(lines)))
