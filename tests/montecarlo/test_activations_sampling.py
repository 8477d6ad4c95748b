"""Hermite means over Gaussian draws against the coefficients, the duals and the tensors: four standard errors."""

import math

import numpy as np
import pytest

import rmtsolve as rmt

DRAWS = 200_000


def basis(g, order):
    h = [np.ones_like(g), g]
    for k in range(1, order):
        h.append((g * h[k] - math.sqrt(k) * h[k - 1]) / math.sqrt(k + 1))
    return np.array(h[: order + 1])


def within(samples, theory):
    error = samples.std(axis=-1, ddof=1) / math.sqrt(samples.shape[-1])
    assert np.all(np.abs(samples.mean(axis=-1) - theory) <= 4 * error + 1e-12)


@pytest.mark.parametrize("name", ["relu", "tanh", "gelu", "sign", "x**2*relu(x - 1)", "softplus"])
def test_conditional_coefficients_and_energy(name):
    g = np.random.default_rng(11).standard_normal(DRAWS)
    act = rmt.activation(name)
    for a, s in ((0.0, 1.0), (0.8, 0.5)):
        values = act(a + s * g)
        h = basis(g, 3)
        within(values * h, act.conditional(a, s, 3))
        rest = values - act.conditional(a, s, 1) @ h[:2]
        within(rest**2, act.residual_energy(a, s, 1))


@pytest.mark.parametrize("name", ["relu", "erf", "gelu", "tanh", "sin", "step"])
def test_dual(name):
    rng = np.random.default_rng(12)
    u, w = rng.standard_normal((2, DRAWS))
    act = rmt.activation(name)
    for rho in (-0.7, 0.4, 0.95):
        v = rho * u + math.sqrt(1 - rho * rho) * w
        within(act(u) * act(v), act.dual(rho))


def test_tensor():
    z = np.random.default_rng(13).standard_normal((DRAWS, 3))
    g = rmt.target("max(z1, z2)*sign(z3) + z1*z2")
    values = g(z)
    second = g.tensor(2)
    for i in range(3):
        for j in range(3):
            within(values * (z[:, i] * z[:, j] - (i == j)), second[i, j])
