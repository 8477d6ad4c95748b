"""Cauchy integrals over panels: every range of distances, also with the compiler off."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from rmtsolve._kernels.panels import MOMENTS, sum_panels

LOW, HIGH = np.array([0.0, 1.0]), np.array([1.0, 3.0])
LINEAR = (0.5, 0.25)  # the density is 1/2 + y/4 on both, y the panel's own coordinate in [-1, 1]


def run(z):
    nodes, weights = np.polynomial.legendre.leggauss(40)
    half = 0.5 * (HIGH - LOW)
    middle = LOW + half
    masses = half[:, None] * weights * (LINEAR[0] + LINEAR[1] * nodes)
    moments = np.ascontiguousarray(masses @ nodes[:, None] ** np.arange(MOMENTS))
    z = np.asarray(z, dtype=complex)
    near = np.empty((z.size, 2), dtype=bool)
    value, slope = np.empty_like(z), np.empty_like(z)
    sum_panels(z, middle, half, middle[:, None] + half[:, None] * nodes, masses, moments, near, value, slope)
    return near, value, slope


def closed(z):
    """The same in closed form, by panel: int (a + b y)/(y' - y) over [-1, 1] and its derivative."""
    y = (z[:, None] - 0.5 * (LOW + HIGH)) / (0.5 * (HIGH - LOW))
    # log((1 - y)/(-1 - y)) far away by its series, where the difference of logarithms has no digits
    far = np.abs(y) > 8
    series = -2 * sum(y ** -(2.0 * k + 1) / (2 * k + 1) for k in range(16))
    first = np.where(far, series, np.log((y - 1) / (y + 1)))
    rest = np.where(far, -2 * sum(y ** -(2.0 * k) / (2 * k + 1) for k in range(1, 16)), 2 + y * first)
    second = 2 / (y * y - 1)
    third = np.where(far, sum(4 * k * y ** -(2.0 * k + 1) / (2 * k + 1) for k in range(1, 16)), first + y * second)
    return LINEAR[0] * first + LINEAR[1] * rest, (LINEAR[0] * second + LINEAR[1] * third) / (0.5 * (HIGH - LOW))


@pytest.mark.parametrize("distance", [0.6, 3.0, 5.0, 20.0, 50.0, 2e3, 1e6])
def test_every_range(distance):
    z = 1.5 + distance * np.exp(1j * np.pi * np.array([0.5, 0.23, 0.77, 0.94]))
    near, value, slope = run(z)
    exact, rate = closed(z)
    assert_allclose(value, np.where(near, 0.0, exact).sum(axis=1), rtol=1e-14)
    assert_allclose(slope, np.where(near, 0.0, rate).sum(axis=1), rtol=2e-14)


def test_panels_nearby_are_left_out():
    near, value, slope = run([2.0 + 0.1j, 0.5 + 0.01j, -1.0, 4.0])
    assert near.tolist() == [[False, True], [True, False], [False, False], [False, False]]
    exact, rate = closed(np.array([2.0 + 0.1j, 0.5 + 0.01j]))
    assert_allclose(value[:2], [exact[0, 0], exact[1, 1]], rtol=1e-14)
    assert_allclose(slope[:2], [rate[0, 0], rate[1, 1]], rtol=1e-14)
    assert (value[2:].imag == 0.0).all()
