"""Predictions from solved neighbours."""

import numpy as np
import pytest

from rmtsolve._kernels.neighbours import DEPTH, predict, record


def recorded(z, states):
    places, table = np.full(DEPTH, np.nan, complex), np.full((DEPTH, states.shape[1]), np.nan, complex)
    count = 0
    for point, state in zip(z, states, strict=True):
        count = record(point, state, count, places, table)
    return count, places, table


def predicted(z, states, at):
    out = np.empty(states.shape[1], complex)
    predict(at, *recorded(z, states), out)
    return out


@pytest.mark.parametrize("known", [1, 2, 4, DEPTH, DEPTH + 3])
def test_polynomials_are_continued_exactly(known):
    """Points that are neither equidistant nor real; the degree is as large as the known points allow."""
    z = np.cumsum(0.1 + 0.03 * np.sin(np.arange(known))) + 0.01j * np.cos(np.arange(known))
    degree = min(known, DEPTH) - 1

    def states(z):
        return np.stack([3.0 + 0 * z, (5.0 + 1j * z) ** degree], axis=-1)

    at = z[-1] + 0.1
    np.testing.assert_allclose(predicted(z, states(z), at), states(at if degree else z[-1]), rtol=1e-12)


def test_depth_and_repeated_points():
    z = np.arange(10.0) + 0j
    count, places, table = recorded(z, z[:, None] ** 2)
    assert count == DEPTH and np.array_equal(places, z[::-1][:DEPTH])
    assert record(z[-1], np.array([7.0 + 0j]), count, places, table) == count
    assert table[0, 0] == 81.0


def test_terms_that_grow_are_left_out():
    """Behind a jump the last state is the best guess; each unknown is judged by itself."""
    z = np.array([0.0, 1.0, 2.0, 3.0]) + 0j
    states = np.array([[1.0, 1.0], [1.0, 1.1], [1.0, 1.2], [9.0, 1.3]]) + 0j
    out = predicted(z, states, 4.0 + 0j)
    assert out[0] == 9.0 and abs(out[1] - 1.4) < 1e-14
    # a point that comes back: its difference quotient is not finite, and is not used
    out = predicted(z[[0, 1, 0]], states[[0, 1, 0]], 0.5 + 0j)
    assert np.isfinite(out).all()
