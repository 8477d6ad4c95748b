"""Spiked features and networks: what bad input gets, and how things print."""

import numpy as np
import pytest

import rmtsolve as rmt

GOOD = {
    "activation": "tanh",
    "spikes": [1.0, 0.0],
    "scales": [1.0, 1.0],
    "fractions": [0.5, 0.5],
    "alpha": 2,
    "beta": 1,
}
NET = {
    "activation": "tanh", "target": "sin(x)", "learning_rate": 1.0, "batch_ratio": 4, "width_ratio": 1,
    "readout": [1.0], "fractions": [1.0],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("spikes", [np.nan, 0.0], "spikes must be finite"),
        ("spikes", [1.0] * 9, "at most 8"),
        ("scales", [1.0, 0.0], "scales must be finite and real > 0"),
        ("scales", [1.0], "scales must be 2 numbers"),
        ("fractions", [0.5, 0.6], "sum to one"),
        ("fractions", [1.0, 0.0], "leave empty classes out"),
        ("alpha", 0.0, "alpha must be"),
        ("beta", -1.0, "beta must be"),
        ("activation", "exp(x**2)", "square integrable"),
        ("activation", "0*x + 1", "not constant"),
        ("activation", "tangh(x)", "tanh"),
        ("attributes", np.zeros((1, 3, 3)), "attributes must be of shape"),
        ("attributes", [np.diag([1.0, 1.0, -1.0])] * 2, "positive semidefinite"),
        ("attributes", [[[1, 1, 0], [0, 1, 0], [0, 0, 0]]] * 2, "symmetric"),
    ],
)
def test_features_refuse(name, value, message):
    with pytest.raises(rmt.DomainError, match=message):
        rmt.SpikedRandomFeatures(**{**GOOD, name: value})


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("activation", "sign(x)", r"sign\(x\) must be continuous"),
        ("target", "exp(x**2/3)", "square integrable"),
        ("target", "exp(x**2/6)", "target must be one with a finite fourth moment"),
        ("learning_rate", -1.0, "learning_rate must be"),
        ("batch_ratio", 0.0, "batch_ratio must be"),
        ("width_ratio", np.inf, "width_ratio must be"),
        ("readout", [1.0] * 9, "at most 8"),
        ("fractions", [0.9], "sum to one"),
        ("noise", -0.1, "standard deviation"),
    ],
)
def test_networks_refuse(name, value, message):
    with pytest.raises(rmt.DomainError, match=message):
        rmt.OneStepNetwork(**{**NET, name: value}).equivalent()


def test_sizes_refuse():
    features = rmt.SpikedRandomFeatures(**GOOD)
    with pytest.raises(rmt.DomainError, match="size must be"):
        features.sample(1, np.random.default_rng(0))
    with pytest.raises(rmt.DomainError, match="rng must be"):
        features.sample(20, 0)
    with pytest.raises(rmt.DomainError, match="fit in"):
        features.sample(1_000_000, np.random.default_rng(0))
    with pytest.raises(rmt.DomainError, match="p must be"):
        features.outliers(p=0)


def test_soft_ends_are_named():
    narrow = rmt.SpikedRandomFeatures("tanh", [1.5], [1.0], [1.0], alpha=0.5, beta=1).law()
    assert narrow.edge_kinds[0].startswith("soft end") and narrow.edges[0] == 0
    assert "soft end" in repr(narrow) and narrow.density(1e-17) == 0
    assert abs(narrow.atoms.weights[0] - 0.5) < 1e-15
    cubic = rmt.SpikedRandomFeatures("x**3", [1.5], [1.0], [1.0], alpha=2, beta=1)
    assert cubic.law().edge_kinds == ("edge", "soft end: no right edge") and cubic.law().edges[-1] == np.inf
    assert cubic.law().cdf(cubic.law().quantile(0.99)) == pytest.approx(0.99, abs=1e-10)
    assert cubic.outliers(p=600) == ()
    square = rmt.RandomFeatures("relu", alpha=1.3, beta=1.3).law()
    assert square.edge_kinds[0] == "hard edge at 0" and square.atoms.weights.size == 0
    x = 1e-6 * np.array([1.0, 4.0])  # density like x^(-1/2)
    assert square.density(x)[0] / square.density(x)[1] == pytest.approx(2, rel=1e-2)


def test_left_edge_above_the_mean():
    """n << p: the bulk is centred at the mean over one minus the atom, its left edge above the mean itself."""
    law = rmt.RandomFeatures("tanh", alpha=0.25, beta=2).law()
    assert law.edges[0] > law.moment(1)
    t = 0.25 * np.pi * (1 + np.polynomial.legendre.leggauss(200)[0])
    w = 0.25 * np.pi * np.polynomial.legendre.leggauss(200)[1]
    a, b = law.edges
    mass = law.density(a + (b - a) * np.sin(t) ** 2) @ ((b - a) * np.sin(2 * t) * w)
    assert abs(mass - 0.125) < 1e-12


def test_linear_activation_has_the_atom_of_the_smallest_dimension():
    law = rmt.SpikedRandomFeatures("x", [0.7], [1.0], [1.0], alpha=2, beta=1.5).law()
    assert abs(law.atoms.weights[0] - (1 - 1 / 1.5)) < 1e-15


def test_eight_classes():
    features = rmt.SpikedRandomFeatures(
        "tanh", [1, -1, 0.5, 0.2, -0.3, 1.2, 0.7, 2], [1] * 8, [0.125] * 8, alpha=2, beta=1
    )
    law = features.law()
    rho = law.class_densities(np.array([0.2, 0.5]))
    assert rho.shape == (8, 2) and np.allclose(rho.sum(axis=0), law.density([0.2, 0.5]))
    assert all(len(outlier.overlap) == 8 for outlier in features.outliers(p=600))


def test_notes_of_networks():
    say = rmt.OneStepNetwork(**{**NET, "activation": "x**2 - 1"}).equivalent()
    assert "vanishing first Hermite coefficient" in say.note and "no spike" in str(say) and (say.spikes == 0).all()
    still = rmt.OneStepNetwork(**{**NET, "learning_rate": 0.0}).equivalent()
    assert "do not move" in still.note
    flat = rmt.OneStepNetwork(**{**NET, "target": "0*x"}).equivalent()
    assert "labels are constant" in flat.note
    even = rmt.OneStepNetwork(**{**NET, "target": "x**2 - 1", "noise": 0.1}).equivalent()
    assert "no signal" in even.note and even.alignment == 0


def test_weights_have_the_attributes():
    covariance = np.array([[2.0, 0.5, 0.3], [0.5, 1.0, 0.0], [0.3, 0.0, 1.5]])
    model = rmt.SpikedRandomFeatures("tanh", [1.0], [1.5], [1.0], alpha=1, beta=20, attributes=[covariance])
    w = model.weights(4_000, np.random.default_rng(0))
    d = w.shape[1]
    small = np.stack([(w[:, 0] - 1.0) / 1.5, w[:, 1] / 1.5, (w[:, 2:] ** 2).sum(axis=1) / 1.5**2 - 1]) * np.sqrt(d)
    # standard error of a covariance of Gaussians from 4000 draws: at most sqrt(2) * 2 / sqrt(4000)
    assert np.abs(np.cov(small) - covariance).max() < 4 * np.sqrt(2) * 2 / np.sqrt(4_000)
    plain = rmt.SpikedRandomFeatures(**GOOD).weights(30, np.random.default_rng(0))
    assert np.allclose(np.linalg.norm(plain - np.repeat([1.0, 0.0], 15)[:, None] * np.eye(30)[0], axis=1), 1)


@pytest.mark.parametrize("rate", [1.5, 2.0, 2.5])
def test_tail_thinner_than_rounding_is_named_and_short(rate):
    """Rare kappa leave an exponentially thin tail beyond the last visible density; outliers beyond it are found."""
    network = rmt.OneStepNetwork("x - tanh(x)", "tanh(x)", rate, 10, 1, readout=[1, 0.5], fractions=[0.5, 0.5])
    features = network.features(2.0)
    law = features.law()
    assert law.edge_kinds[-1].startswith("soft end: tail thinner than rounding")
    assert 1.0 < law.edges[-1] < 1.3
    assert 1.0 - law.cdf(law.edges[-1] * (1 - 1e-12)) < 1e-9
    assert law.density(law.edges[-1] * (1 - 1e-6)) > 0.0
    (outlier,) = features.outliers(p=600)
    assert outlier.location > 2 * law.edges[-1]
