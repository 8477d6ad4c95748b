"""Sums over poles, called directly: zeros, inverses and bounds against dense evaluation."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from rmtsolve._kernels.poles import closed_cells, invert_gauge, transform_zeros

P, K, A = np.array([0.5, 1.0, 1.0 + 1e-9, 2.5, 4.0]), np.array([0.3, 0.1, 1e-7, 0.4, 0.2]), 0.3


def sums(u):
    r = 1.0 / (P - u[:, None])
    return A + (K * r).sum(axis=1), (K * r * r).sum(axis=1)


def gauge(u, additive):
    n, slope = sums(u)
    return (u + n, 1.0 + slope) if additive else (u * n, n + u * slope)


def test_zeros_between_poles():
    zeros, weights = np.empty(4), np.empty(4)
    transform_zeros(P, K, zeros, weights)
    assert np.all((zeros > P[:-1]) & (zeros < P[1:]))
    r = 1.0 / (P - zeros[:, None])
    rounding = (K * r * r).sum(axis=1) * 4e-16 * np.abs(zeros)  # of the zeros themselves
    assert np.all(np.abs((K * r).sum(axis=1)) <= 2 * rounding)
    away = [0, 3]  # where the rounded zero still has its distance from the poles
    assert_allclose(weights[away], 1.0 / (K * r * r).sum(axis=1)[away], rtol=1e-12)


@pytest.mark.parametrize("additive", [True, False])
def test_inverse_of_the_gauge(additive):
    left = np.array([-1, 0, 0, 1, 2, 3, 4, 4, -1, 0])
    right = left + 1
    y = np.array([-3.0, 0.5, 70.0, 2.0, -1.0, 1.0, 0.1, 7.0, 0.1, np.nan])
    if not additive:  # the gauge is bounded at infinity: u N tends to -sum K
        y[[0, 6, 7, 8]] = 30.0, -5.0, -1.5, 2.0
    u, n, slope = np.empty(10), np.empty(10), np.empty(10)
    invert_gauge(additive, y, left, right, P, K, A, u, n, slope)
    assert np.isnan([u[9], n[9], slope[9]]).all()
    low, high = np.concatenate([[-np.inf], P])[right], np.concatenate([P, [np.inf]])[right]
    assert np.all((u[:9] >= low[:9]) & (u[:9] <= high[:9]))
    check = np.array([0, 1, 4, 5, 6, 7, 8])
    value, rate = gauge(u[check], additive)
    assert np.all(np.abs(value - y[check]) <= 1e-14 * (1.0 + np.abs(y[check])) + 4e-16 * np.abs(u[check]) * rate)
    assert_allclose(n[check], sums(u[check])[0], rtol=1e-9)
    assert_allclose(slope[check], sums(u[check])[1], rtol=1e-9)


def heap(bounds):
    out = np.zeros((1, 2 * bounds.size))
    out[0, bounds.size :] = bounds
    for i in range(bounds.size - 1, 0, -1):
        out[0, i] = min(out[0, 2 * i], out[0, 2 * i + 1])
    return out


@pytest.mark.parametrize("additive", [True, False])
@pytest.mark.parametrize("rate", [1e-4, 0.03, 1.0, 30.0])
def test_cells_called_closed_have_no_point_below_one(additive, rate):
    """T' = N_1'(u) b with a constant b along a curve on which the gauge takes all values of a grid."""
    y = np.sinh(np.linspace(-6.0, 6.0, 33))[None]
    closed = np.zeros((P.size - 1, 1), dtype=bool)
    closed_cells(additive, P, K, A, y, heap(np.full(32, rate)), closed)
    for j in (0, 2, 3):  # the points of cell 1 are hardly apart
        u = P[j] + (P[j + 1] - P[j]) * (0.5 - 0.5 * np.cos(np.pi * (np.arange(20_000) + 0.5) / 20_000))
        g, _ = gauge(u, additive)
        slope = sums(u)[1] * (1.0 if additive else u * u)
        least = rate * slope[(g >= y.min()) & (g <= y.max())].min()
        assert not closed[j, 0] or least > 1.0
        assert closed[j, 0] or least < 20.0  # the bound is not far off
    # bounds that fail on a part only: there the whole fails
    half = np.where(np.arange(32) < 16, 1e6, 1e-9)
    closed_cells(additive, P, K, A, y, heap(half), closed)
    assert not closed[[0, 2, 3]].any()


def test_poles_that_are_one_to_rounding_leave_their_cells_open():
    closed = np.ones((2, 1), dtype=bool)
    y = np.linspace(-1.0, 1.0, 3)[None]
    closed_cells(True, np.array([1.0, 1.0 + 1e-13, 3.0]), np.ones(3), 0.0, y, heap(np.full(2, 1e9)), closed)
    assert not closed.any()


def test_cells_on_the_negative_axis_are_left_open_for_products():
    closed = np.ones((1, 1), dtype=bool)
    y = np.linspace(-1.0, 1.0, 3)[None]
    closed_cells(False, np.array([-2.0, -1.0]), np.ones(2), 0.0, y, heap(np.full(2, 1e9)), closed)
    assert not closed.any()
