"""deep_ridge_errors: what counts as fitted, teachers, intercepts, grids, refusals."""

import numpy as np
import pytest

import rmtsolve as rmt

FEATURES = rmt.DeepFeatures(["tanh", "erf"], [1.2, 1.5], 1.3, population=[0.4, 1.6])


def test_grid_and_parts():
    errors = rmt.deep_ridge_errors(FEATURES, "sign(x)", alpha=[[0.5], [1.5], [9.0]], lam=[0.0, 0.1], noise=0.2)
    assert errors.test.shape == (3, 2)
    np.testing.assert_allclose(sum(errors.parts.values()), errors.test, rtol=1e-13)
    np.testing.assert_allclose(errors.parts["noise"], 0.04)
    assert errors.energy["linear part"] == pytest.approx(2 / np.pi)
    np.testing.assert_array_equal(errors.train[0, 0], 0.0)
    single = rmt.deep_ridge_errors(FEATURES, "sign(x)", alpha=1.5, lam=0.1, noise=0.2)
    assert single.test.shape == () and single.test == pytest.approx(errors.test[1, 1], rel=1e-12)
    assert str(errors).startswith("ridge on deep features ['tanh(x)', 'erf(x)']")


def test_ridgeless_peak_at_the_width():
    errors = rmt.deep_ridge_errors(FEATURES, "sign(x)", alpha=[1.4, 1.5, 1.6], lam=0.0)
    assert errors.test[1] == np.inf and errors.train[1] == 0.0
    assert errors.test[0] < np.inf > errors.test[2]


@pytest.mark.parametrize("widths", [[0.5, 0.8], [1.3, 1.6], [2.0, 0.8]])
@pytest.mark.parametrize("alpha", [0.3, 2.0])
@pytest.mark.parametrize("laws", [None, [[0.3, 2.0], None]])
def test_tiny_ridges_of_linear_networks(widths, alpha, laws):
    """kappa is a difference that loses all its digits on the way to zero; the errors must not."""
    features = rmt.DeepFeatures("x", widths, alpha, population=[0.5, 1.5], structures=laws)
    lam = np.array([0.0, 1e-100, 1e-30, 1e-14, 1e-10])
    errors = rmt.deep_ridge_errors(features, "sin(x)", lam=lam, noise=0.1)
    np.testing.assert_allclose(errors.test, errors.test[0], rtol=1e-8)
    np.testing.assert_allclose(errors.train, errors.train[0], rtol=1e-8, atol=1e-15)
    assert errors.degrees_of_freedom[0] == pytest.approx(min(1.0, min(1.0, *widths) / alpha))


def test_direction_of_the_input():
    even = rmt.deep_ridge_errors(FEATURES, "x", lam=0.1)
    same = rmt.deep_ridge_errors(FEATURES, "x", lam=0.1, direction=[0.5, 0.5])
    strong, weak = (rmt.deep_ridge_errors(FEATURES, "x", lam=0.1, direction=d) for d in ([0, 1], [1, 0]))
    assert same.test == pytest.approx(even.test, rel=1e-13)
    assert strong.energy["linear part"] == pytest.approx(1.6) and weak.energy["linear part"] == pytest.approx(0.4)
    assert strong.fitted("linear part") > even.fitted("linear part") > weak.fitted("linear part")


def test_intercept_and_means():
    without = rmt.deep_ridge_errors(FEATURES, "relu", lam=0.1)
    fitted = rmt.deep_ridge_errors(FEATURES, "relu", lam=0.1, intercept=True)
    mean = 1 / np.sqrt(2 * np.pi)
    assert without.parts["nonlinear part"] - fitted.parts["nonlinear part"] == pytest.approx(mean**2)
    plain = rmt.DeepFeatures(["tanh", "relu"], [1.2, 1.5], 1.3, centred=False)
    centred = rmt.DeepFeatures(["tanh", "relu"], [1.2, 1.5], 1.3)
    one = rmt.deep_ridge_errors(plain, "relu", lam=0.1)  # the mean of the features is an intercept
    two = rmt.deep_ridge_errors(centred, "relu", lam=0.1, intercept=True)
    assert one.test == two.test


def test_independent_teacher():
    teacher = rmt.DeepFeatures(["relu", "tanh"], [2.0, 0.8], 1.0, population=[0.4, 1.6])
    errors = rmt.deep_ridge_errors(FEATURES, "x", lam=0.1, teacher=teacher)
    a, b = teacher.layers
    size = b.gain * b.variance + b.rest
    linear = b.gain * a.gain * 1.0
    assert errors.energy["linear part"] == pytest.approx(linear)
    assert errors.energy["nonlinear part"] == pytest.approx(size - linear)
    # a linear teacher is the input itself
    same = rmt.deep_ridge_errors(
        FEATURES, "sign(x)", lam=0.1, teacher=rmt.DeepFeatures("x", [1.0], 1.0, population=[0.4, 1.6])
    )
    assert same.test == pytest.approx(rmt.deep_ridge_errors(FEATURES, "sign(x)", lam=0.1).test, rel=1e-12)


def test_finite_matrices_tend_to_the_chain():
    """Section 2 with sampled weights and linearised covariances against the limit, as sizes grow."""
    limit = rmt.deep_ridge_errors(FEATURES, "x", lam=0.1, noise=0.3).test
    gaps, errors = [], []
    for d in (40, 240):
        rng = np.random.default_rng(3)
        found = []
        for _ in range(10):
            network = FEATURES.network(round(1.5 * d), rng)
            omega = network.roots**2
            theta = rng.standard_normal(d)
            theta /= np.linalg.norm(theta)
            moments = rmt.linearise(list(network.weights), ["tanh", "erf"], omega, psi=omega * theta)
            energy = float(theta @ (omega * theta)) + 0.09
            found.append(rmt.linear_ridge_errors(moments.centred, moments.cross, energy, 1.3 * d, 0.1).test)
        gaps.append(abs(np.mean(found) / limit - 1))
        errors.append(np.std(found, ddof=1) / np.sqrt(len(found)) / limit)
    assert gaps[1] < 4 * errors[1] + 1 / 240
    assert errors[1] < 0.6 * errors[0]  # fluctuations go like d^{-1/2}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": "tanh"}, "features must be DeepFeatures"),
        ({"layer": 3}, "layer must be an integer >= 0 and <= 2"),
        ({"noise": -0.1}, "noise must be a finite real number >= 0"),
        ({"lam": -1.0}, "lam must be finite and real >= 0"),
        ({"alpha": 0.0}, "alpha must be finite and real > 0"),
        ({"alpha": [1.0, 2.0], "lam": [1.0, 2.0, 3.0]}, "alpha and lam must broadcast"),
        ({"intercept": None}, "intercept must be True or False"),
        ({"direction": [1.0]}, "direction must be of length 2"),
        ({"direction": [0.5, 0.5], "layer": 1}, "direction must be left out"),
        ({"teacher": "tanh"}, "teacher must be DeepFeatures"),
        ({"teacher": FEATURES, "layer": 1}, "teacher must be given without layer"),
        ({"teacher": rmt.DeepFeatures("tanh", [1.0], 1.0)}, "teacher must be a network of the same input population"),
        ({"teacher": rmt.DeepFeatures("relu", [1.0], 1.0, population=[0.4, 1.6], centred=False)}, "teacher must be a"),
        (
            {"features": rmt.DeepFeatures("relu", [1.0], 1.0, centred=False), "layer": 1},
            "layer must be one without a mean",
        ),
        ({"target": "exp(x**2)"}, "square integrable"),
    ],
)
def test_refusals(change, message):
    arguments = {"features": FEATURES, "target": "x", "lam": 0.1, **change}
    features, target = arguments.pop("features"), arguments.pop("target")
    with pytest.raises(rmt.DomainError, match=message):
        rmt.deep_ridge_errors(features, target, **arguments)


def test_direction_needs_variance():
    features = rmt.DeepFeatures("tanh", [1.0], 1.0, population=[0.0, 1.0])
    with pytest.raises(rmt.DomainError, match="direction must be with a part where the input has variance"):
        rmt.deep_ridge_errors(features, lam=0.1, direction=[1.0, 0.0])
