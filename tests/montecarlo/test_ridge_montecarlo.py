"""Ridge regression on finite networks against the prediction: four standard errors plus the O(1/p) of the size."""

import numpy as np
import pytest

import rmtsolve as rmt
from rmtsolve.simulate.ridge import simulate_ridge


def check(theory, sample, p):
    """Theory (A, L) against the replicas; the deviation of finite sizes is about 2 / p of the error."""
    for name in ("train", "test"):
        exact = getattr(theory, name)
        mean, error = getattr(sample, f"{name}_mean"), getattr(sample, f"{name}_error")
        assert (np.abs(mean - exact) < 4 * error + 6 / p * exact).all(), (name, (mean - exact) / error)


@pytest.mark.parametrize(
    ("model", "target", "gamma", "noise"),
    [
        (rmt.SpikedRandomFeatures("tanh", [1.5], [1.0], [1.0], alpha=2, beta=1), "sin(x)", 0.8, 0.2),
        (rmt.SpikedRandomFeatures("relu", [2, -1, 0.5], [1, 1, 1.2], [0.3, 0.3, 0.4], alpha=1, beta=1), "sin(x)", 0.8,
         0.2),
        (rmt.SpikedRandomFeatures("erf", [2, -1], [1, 1.3], [0.5, 0.5], alpha=0.5, beta=1.5), "tanh", 0.6, 0.0),
        (rmt.RandomFeatures("relu", alpha=1.5, beta=1), "sin(x)", 0.3, 0.0),
    ],
    ids=["tanh", "relu-three-classes", "erf-two-classes", "no-spike"],
)  # fmt: skip
def test_spiked_features(model, target, gamma, noise):
    p, alpha, lam = 150, np.array([0.5, 2.0]), np.array([0.02, 0.5])
    g = rmt.activation(target)
    sample = simulate_ridge(model, p, alpha, lam, 16, np.random.default_rng(11), target=g, alignment=gamma, noise=noise)
    theory = rmt.ridge_errors(model, target=g, alignment=gamma, noise=noise, lam=lam, alpha=alpha[:, None], p=p)
    check(theory, sample, p)


@pytest.mark.parametrize(
    "net",
    [
        rmt.OneStepNetwork("tanh", "sin(x)", 2.5, 8, 1, readout=[1, -1, 0.5], fractions=[0.3, 0.3, 0.4], noise=0.2),
        rmt.OneStepNetwork("relu", "relu(x)", 1.5, 8, 1, readout=[1, -0.5], fractions=[0.5, 0.5], noise=0.1),
        rmt.OneStepNetwork("x**2 - 1", "sin(x)", 0.5, 8, 1, readout=[1], fractions=[1], noise=0.1),
    ],
    ids=["tanh", "relu", "no-spike"],
)
def test_network_after_a_gradient_step(net):
    """A real step, a real readout; the activation without linear part learns no spike and the prediction is right."""
    p, alpha, lam = 120, np.array([0.5, 2.0]), np.array([0.05, 0.5])
    sample = simulate_ridge(net, p, alpha, lam, 12, np.random.default_rng(12))
    theory = net.ridge_errors(alpha=alpha[:, None], lam=lam, p=p)
    check(theory, sample, p)
    assert ("no spike" in theory.note) == (net.activation.coefficients(1)[1] == 0)


def test_given_weights():
    """For one W: the simulated average over samples of this W; for several W: their average is the theory of all W."""
    model = rmt.SpikedRandomFeatures("erf", [1.5], [1.0], [1.0], alpha=2, beta=1)
    p, rng = 100, np.random.default_rng(13)
    theta = np.zeros(p)
    theta[:2] = 0.8, 0.6
    options = {"target": "sin(x)", "theta": theta, "alpha": 2, "lam": 0.1, "noise": 0.2}
    weights = [model.weights(p, rng) for _ in range(16)]
    given = [rmt.ridge_errors_given(w, "erf", **options) for w in weights]
    # this W, fresh samples
    from rmtsolve.simulate.ridge import _errors

    g, sigma = rmt.activation("sin(x)"), rmt.activation("erf")
    runs = np.array([
        _errors(weights[0], theta, sigma, g, 0.2, np.array([2.0]), np.array([0.1]), rng)[:, 0, 0] for _ in range(16)
    ])  # fmt: skip
    error = runs.std(axis=0, ddof=1) / np.sqrt(len(runs))
    exact = np.array([given[0].train, given[0].test])
    assert (np.abs(runs.mean(axis=0) - exact) < 4 * error + 3 / p * exact).all()
    every = rmt.ridge_errors(model, target="sin(x)", alignment=0.8, noise=0.2, lam=0.1, p=p)
    for name in ("train", "test"):
        values = np.array([getattr(one, name) for one in given])
        spread = values.std(ddof=1) / np.sqrt(values.size)
        assert abs(values.mean() - getattr(every, name)) < 4 * spread + 3 / p * values.mean()
