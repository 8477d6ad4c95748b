"""Deep features against finite networks: spectra by the public check, errors in four standard errors."""

import numpy as np
import pytest

import rmtsolve as rmt
from rmtsolve.testing import check_ensemble
from rmtsolve.testing.ensemble_laws import kolmogorov

DEEP = rmt.DeepFeatures
ENSEMBLES = {
    "one": DEEP("tanh", [1.5], 1.25).conjugate_kernel(),
    "centred": DEEP(["relu", "tanh"], [1.5, 0.8], 2.0),
    "structured": DEEP(
        ["tanh", "erf", "sign"], [1.2, 0.9, 1.0], 1.5, structures=[None, [0.25, 1.75], [0.5, 1.5]]
    ),
    "free": DEEP("x", [1.5], 2.0, population=[0.1, 3.0], structures=[[0.2, 2.0]]),
    "linear": DEEP(["x", "x"], [0.5, 1.5], 2.0).conjugate_kernel(),
    "mixture": DEEP("x", [2.0], 6.0, population=rmt.Discrete([0.05, 4.0], [0.7, 0.3])),
}  # fmt: skip


@pytest.mark.parametrize("name", ENSEMBLES)
def test_conformance(name):
    check_ensemble(ENSEMBLES[name], size=240, replicas=4)


def test_gaussian_rainbow_spectrum():
    features = DEEP(["tanh", "tanh"], [1.3, 1.5], 1.4, structures=[None, lambda omega: 1.0 / (omega + 0.2)])
    size, rng = 300, np.random.default_rng(2)
    law = features.finite(size).law()
    distance = np.mean([kolmogorov(law, np.linalg.eigvalsh(features.sample(size, rng))) for _ in range(3)])
    assert size * distance <= 0.4 * np.log(size) + 2.5
    plain = DEEP(["tanh", "tanh"], [1.3, 1.5], 1.4).finite(size).law()  # the same network without the structure
    values = np.linalg.eigvalsh(features.sample(size, rng))
    assert size * kolmogorov(plain, values) > 20


CASES = {
    "single index": (DEEP(["tanh", "tanh"], [1.25, 1.5], 1.25), {"target": "sign(x)", "noise": 0.3}, 360),
    "hidden layer": (
        DEEP(["erf", "tanh"], [1.5, 7 / 6], 4 / 3, population=[0.4, 1.6]), {"target": "x", "layer": 1}, 300,
    ),
    "structured": (
        DEEP(["tanh", "erf"], [1.2, 1.5], 1.5, population=[0.5, 1.5], structures=[[0.5, 1.5], [0.25, 1.75]]),
        {"target": "x", "noise": 0.1}, 360,
    ),
    "not odd": (DEEP(["relu", "softplus"], [1.2, 1.5], 1.5), {"target": "relu(x)", "intercept": True}, 360),
    "rainbow": (
        DEEP(["tanh", "tanh"], [4 / 3, 1.5], 1.4, structures=[None, lambda omega: 1.0 / (omega + 0.2)]),
        {"target": "sign(x)", "noise": 0.3}, 360,
    ),
}  # fmt: skip


def test_structures_are_seen():
    """Without its structures the case above is off by more than its tolerance."""
    features, options, size = CASES["structured"]
    plain = DEEP(features.activations, features.widths, features.alpha, population=[0.5, 1.5]).finite(size)
    one, two = (rmt.deep_ridge_errors(f, lam=0.05, noise=options["noise"]) for f in (features.finite(size), plain))
    assert one.test > 1.12 * two.test and one.train > 1.25 * two.train


@pytest.mark.parametrize("name", CASES)
def test_errors_of_finite_networks(name):
    features, options, size = CASES[name]
    target = options["target"]
    rest = {key: value for key, value in options.items() if key != "target"}
    lam = [0.05, 1.0]
    found = rmt.simulate_deep_ridge(features, target, size, lam, 10, np.random.default_rng(4), **rest)
    theory = rmt.deep_ridge_errors(features.finite(size), target, lam=lam, **rest)
    # finite size: relative order 1/d with d about 240, and a factor for layers
    bias = 0.02
    for mean, error, wanted in (
        (found.test_mean[0], found.test_error[0], theory.test),
        (found.train_mean[0], found.train_error[0], theory.train),
    ):  # fmt: skip
        assert (np.abs(mean - wanted) <= 4 * error + bias * wanted).all(), (mean, error, wanted)


def test_learning_curve_of_gaussian_data():
    """Rows that are Gaussian: the prediction from N rows is right for every n, also beyond N < p."""
    rng = np.random.default_rng(5)
    rows, width = 240, 300
    x = rng.standard_normal((rows, width)) * np.linspace(0.3, 2.0, width) + 1.0
    y = x[:, :8].sum(axis=1) + rng.standard_normal(rows)
    n, lam = [30, 80, 160, 220], [0.01, 1.0]
    theory = rmt.data_ridge_errors(x, y, np.array(n)[:, None], lam)
    found = rmt.simulate_data_ridge(x, y, n, lam, 12, rng)
    # splits of one data set: its own fluctuation is of relative order N^{-1/2} times that of a squared error, 2^{1/2}
    bias = (2 / rows) ** 0.5
    assert (np.abs(found.test_mean - theory.test) <= 4 * found.test_error + bias * theory.test).all()
    assert (np.abs(found.train_mean - theory.train) <= 4 * found.train_error + bias * theory.train).all()


@pytest.mark.parametrize("activation", ["relu", "erf"])
def test_digits(activation):
    """Random-feature ridge on the digits of scikit-learn: even or odd."""
    datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn belongs to the test extra")
    digits = datasets.load_digits()
    labels = np.where(digits.target % 2 == 0, 1.0, -1.0)
    phi = rmt.random_features(digits.data, activation, 300, np.random.default_rng(0))
    n, lam = [100, 300, 900], [0.1, 1.0]
    theory = rmt.data_ridge_errors(phi, labels, np.array(n)[:, None], lam)
    found = rmt.simulate_data_ridge(phi, labels, n, lam, 8, np.random.default_rng(1))
    bias = 0.06  # pixels are not Gaussian: what was seen at other seeds, widths 64 to 2500
    assert (np.abs(found.test_mean - theory.test) <= 4 * found.test_error + bias * theory.test).all()
    assert (found.test_mean[1:] < found.test_mean[:-1]).all()
