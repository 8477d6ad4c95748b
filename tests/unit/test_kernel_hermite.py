"""The Gaussian sums of `_kernels.hermite` on tiny meshes, against the same sums in plain numpy."""

import math

import numpy as np
import pytest

from rmtsolve._kernels.hermite import envelopes, hermite_sums, projected_energy, roots

RNG = np.random.default_rng(5)
N = 150  # two full blocks and a rest
ORIGIN = np.repeat(np.arange(-2.0, 3.0), 30)
OFFSET, WEIGHT, VALUE = RNG.uniform(0, 1, N), RNG.uniform(0.01, 0.2, N), RNG.standard_normal(N)
SHIFT, SCALE = np.array([0.0, 0.4, -1.0]), np.array([1.0, 0.7, 2.5])
LO, HI = np.array([0, 3, 16]), np.array([N, 40, 16])  # the last pair has no nodes


def basis(g, order):
    h = [np.ones_like(g), g]
    for k in range(1, order):
        h.append((g * h[k] - math.sqrt(k) * h[k - 1]) / math.sqrt(k + 1))
    return np.array(h[: order + 1])


def weights(i):
    part = slice(LO[i], HI[i])
    g = (ORIGIN[part] + OFFSET[part] - SHIFT[i]) / SCALE[i]
    return part, g, WEIGHT[part] * np.exp(-0.5 * g * g) / (math.sqrt(2 * math.pi) * SCALE[i])


@pytest.mark.parametrize("order", [0, 1, 5])
def test_sums(order):
    out = np.empty((3, order + 2))
    hermite_sums(ORIGIN, OFFSET, WEIGHT, VALUE, LO, HI, SHIFT, SCALE, out)
    for i in range(3):
        part, g, w = weights(i)
        assert out[i, :-1] == pytest.approx(basis(g, order) @ (w * VALUE[part]), rel=1e-13, abs=1e-15)
        assert out[i, -1] == pytest.approx(np.sum(w * VALUE[part] ** 2), rel=1e-13, abs=0)


def test_projected_energy():
    c = RNG.standard_normal((3, 4))
    out = np.empty(3)
    projected_energy(ORIGIN, OFFSET, WEIGHT, VALUE, LO, HI, SHIFT, SCALE, c, out)
    for i in range(3):
        part, g, w = weights(i)
        assert out[i] == pytest.approx(np.sum(w * (VALUE[part] - c[i] @ basis(g, 3)) ** 2), rel=1e-13, abs=0)


def test_compensation():
    """1e16 and then many ones: plain addition would lose them."""
    n = 256
    value = np.full(n, 1.0)
    value[:64], value[-64:] = 1e16 / 64, -1e16 / 64
    zero, one = np.zeros(n), np.full(n, math.sqrt(2 * math.pi))
    out = np.empty((1, 2))
    hermite_sums(zero, zero, one, value, np.array([0]), np.array([n]), np.zeros(1), np.ones(1), out)
    assert out[0, 0] == pytest.approx(128.0, abs=1e-9)


def test_envelope():
    x = np.concatenate([np.linspace(-60, 60, 97), [0.0, 1e-9, 54.7, -54.8, 1e4]])
    g, envelope = np.empty(x.size), np.empty(x.size)
    envelopes(x, np.zeros(x.size), 0, x.size, 0.0, 1.0, g, envelope, np.empty(x.size))
    exact = np.exp(-0.25 * x * x)
    near = np.abs(x) <= 50
    assert envelope[near] == pytest.approx(exact[near], rel=1e-15, abs=0)
    assert np.all(np.abs(envelope - exact)[~near] <= 1e-270)


def test_roots():
    root, inverse = roots(4)
    assert root.tolist() == [0.0, 1.0, math.sqrt(2), math.sqrt(3), 2.0]
    assert inverse.tolist() == [0.0, 1.0, 1 / math.sqrt(2), 1 / math.sqrt(3), 0.5]
    assert roots(0)[0].tolist() == [0.0]
