"""Ridge errors and the map from a network to its features against the values of the derivation."""

import numpy as np
import pytest

import rmtsolve as rmt

RELU = rmt.SpikedRandomFeatures("relu", [2, -1, 0.5], [1, 1, 1.2], [0.3, 0.3, 0.4], alpha=1, beta=1)
CASES = {
    "R6": (rmt.SpikedRandomFeatures("tanh", [1.5], [1.0], [1.0], alpha=2, beta=1),
           {"target": "sin(x)", "alignment": 0.8, "noise": 0.2, "lam": 0.1},
           {None: (0.0765907504, 0.1693312599), 400: (0.0767112481, 0.1696276212)}),
    "R7": (RELU, {"target": "sin(x)", "alignment": 0.8, "noise": 0.2, "lam": 0.1},
           {None: (0.0500288425, 0.2822949442), 400: (0.0502385904, 0.2836210497)}),
    "R8": (rmt.SpikedRandomFeatures("erf", [2, -1], [1, 1.3], [0.5, 0.5], alpha=0.5, beta=1.5),
           {"target": "tanh", "alignment": 0.6, "lam": 0.01},
           {None: (0.0016700801, 0.2711342804), 600: (0.0016876485, 0.2726525257)}),
    "R9": (rmt.RandomFeatures("relu", alpha=1.5, beta=1), {"target": "sin(x)", "alignment": 0.37, "lam": 0.1},
           {None: (0.1100641407, 0.3553635833)}),
}  # fmt: skip
THREE = {"readout": [1, -1, 0.5], "fractions": [0.3, 0.3, 0.4], "noise": 0.2}


@pytest.mark.parametrize("name", CASES)
def test_errors(name):
    features, options, expected = CASES[name]
    for p, (train, test) in expected.items():
        found = rmt.ridge_errors(features, p=p, **options)
        assert abs(found.train - train) < 1e-10
        assert abs(found.test - test) < 1e-10


def isotropic(net):
    eq = net.equivalent()
    return rmt.SpikedRandomFeatures(net.activation, eq.spikes, eq.scales, eq.fractions, 2, net.width_ratio)


def test_three_class_network():
    net = rmt.OneStepNetwork("tanh", "sin(x)", 2.5, 4, 1, **THREE)
    eq = net.equivalent()
    assert np.allclose(eq.spikes, [1.0556086135, -1.0556086135, 0.5278043068], rtol=0, atol=1e-10)
    assert np.allclose(eq.scales, [1.0353619666, 1.0353619666, 1.0089566891], rtol=0, atol=1e-10)
    assert abs(eq.alignment - 0.8700643345) < 1e-10
    found = net.ridge_errors(alpha=2, lam=0.1, p=600)
    assert np.allclose([found.train, found.test], [0.0606969, 0.1400026], rtol=0, atol=5.1e-8)
    options = {"target": net.target, "alignment": eq.alignment, "noise": 0.2, "lam": 0.1, "p": 600}
    found = rmt.ridge_errors(isotropic(net), **options)
    assert np.allclose([found.train, found.test], [0.0605730, 0.1396642], rtol=0, atol=5.1e-8)


def test_relu_network():
    net = rmt.OneStepNetwork("relu", "relu(x)", 1.5, 4, 1, readout=[1, -0.5], fractions=[0.5, 0.5], noise=0.1)
    eq = net.equivalent()
    assert np.allclose(eq.spikes, [0.4500577639, -0.2250288819], rtol=0, atol=1e-10)
    assert np.allclose(eq.scales, [1.2050245925, 0.9189380287], rtol=0, atol=1.1e-10)
    assert abs(eq.alignment - 0.8332263770) < 1e-10
    options = {"target": net.target, "alignment": eq.alignment, "noise": 0.1, "lam": 0.1, "p": 600}
    assert abs(rmt.ridge_errors(isotropic(net), **options).test - 0.1676118) < 5.1e-8
    assert abs(net.ridge_errors(alpha=2, lam=0.1, p=600).test - 0.1720536) < 5.1e-8


def test_published_system():
    """tanh student, sin teacher: the K = 1 state-evolution example, its errors and the loading V1 = r Q of the bulk."""
    net = rmt.OneStepNetwork("tanh", "sin(x)", 3, 20, 1, readout=[1], fractions=[1])
    eq = net.equivalent()
    assert np.allclose([eq.spikes[0], eq.scales[0], eq.alignment], [1.13406, 1.00944, 0.97185], rtol=0, atol=6e-6)
    alpha = np.array([0.2, 0.9, 1.6, 2.3, 3.0])
    features = isotropic(net)
    found = rmt.ridge_errors(features, target="sin(x)", alignment=eq.alignment, lam=0.1, alpha=alpha)
    assert np.allclose(found.test, [0.048483, 0.042504, 0.037311, 0.034305, 0.032518], rtol=0, atol=6e-7)
    readout = [found.overlaps[name][-1, 0] for name in ("mean", "learned", "target")]
    assert np.allclose(readout, [1.1258, 0.0714, 0.1872], rtol=0, atol=6e-5)
    state = features.equation().solve_points(-0.1 / alpha + 0j, ratio=1 / alpha)[0].state
    assert np.allclose(state[:, 1].real / alpha, [7.802, 3.675, 2.157, 1.477, 1.110], rtol=0, atol=6e-4)
