"""The search for gaps between nodes: bounds of concave functions, and what can hide from a sampling grid."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import rmtsolve as rmt
from rmtsolve.equations.concave import highest, windows
from rmtsolve.equations.subordination import AdditiveEquation, MultiplicativeEquation


@given(st.lists(st.floats(0.05, 3.0), min_size=5, max_size=5), st.integers(0, 2**32 - 1))
def test_bound_of_a_concave_function(steps, seed):
    """``(sum k/(p - t)^2)^(-1/2)`` between its poles."""
    rng = np.random.default_rng(seed)
    t = np.cumsum(steps)[:4, None]
    p = np.concatenate([-rng.exponential(2.0, 3), t[3] + steps[4] + rng.exponential(2.0, 2)])
    k = rng.exponential(1.0, 5)

    def h(t):
        return (k / (p - t) ** 2).sum(axis=-1) ** -0.5

    top = highest(t, h(t), np.ones((3, 1), dtype=bool))[0]
    inside = np.linspace(t[1], t[2], 101)
    assert h(inside).max() <= top * (1.0 + 1e-12)
    assert highest(t[::1] * 1e-3, h(t), np.ones((3, 1), dtype=bool))[0] == pytest.approx(top)


def test_bounds_without_neighbours():
    t, h = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([[4.0], [3.0], [2.5], [1.0]])
    flags = np.array([[True], [True], [True]])
    assert highest(t, h, flags)[0] == 3.0  # falls already before
    t[0] = h[0] = np.nan
    assert highest(t, h, flags)[0] == 4.0  # the chord from the right
    t[3] = h[3] = np.nan
    assert highest(t, h, flags)[0] == np.inf
    one_point = np.array([[0.0], [1.0], [1.0 + 1e-15], [3.0]])
    assert highest(one_point, np.ones((4, 1)), flags)[0] == 1.0
    # h falls to zero between the nodes, from both sides
    t, h = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([[2.0], [1.0], [0.5], [1.5]])
    assert highest(t, h, np.array([[True], [False], [True]]))[0] == 1.0
    assert highest(t, h[::-1], np.array([[False], [False], [True]]))[0] == np.inf


def test_windows():
    around = windows(np.array([[1.0, 2.0, 3.0]]))
    assert_allclose(around[:, 0, 0], [np.nan, 1.0, 2.0, 3.0])
    assert_allclose(around[:, 0, 1], [1.0, 2.0, 3.0, np.nan])


def test_narrow_gaps_far_out():
    """A light group far from the rest: its gaps are narrow in the other argument, which is large there."""
    x = np.concatenate([np.linspace(-1.0, 1.0, 20), 400.0 + np.array([0.0, 1e-3, 2e-3])])
    a = rmt.Discrete(x, np.concatenate([np.full(20, 0.0499), np.full(3, 0.002 / 3)]))
    equation = AdditiveEquation(rmt.Semicircle(1e-4), a)
    known = rmt.DeformedWigner(a, 1e-4).law().edges
    assert equation.line.sampler.swapped
    assert_allclose(equation.find_edges(), known, rtol=1e-12)


@pytest.mark.parametrize("light", [0.4, 1e-3, 1e-7])
def test_open_ends_of_arcs_meet(light):
    """A gap on which v passes infinity, where the last nodes are far apart in z: it is one gap."""
    a = rmt.Discrete([-0.5, 0.3, 500.0], [0.5, 0.5 - light, light])
    edges = AdditiveEquation(a, rmt.Semicircle(1e-6)).find_edges()
    assert_allclose(edges, rmt.DeformedWigner(a, 1e-6).law().edges, rtol=1e-12)


@given(st.integers(0, 2**32 - 1), st.floats(-8.0, 1.0), st.sampled_from([30.0, 500.0, 1e4]), st.booleans())
def test_factors_of_very_different_sizes(seed, size, far, swap):
    """A group of atoms far from the rest, next to a semicircle of any size."""
    rng = np.random.default_rng(seed)
    x = np.concatenate([rng.standard_normal(rng.integers(2, 7)), far + 1e-3 * rng.standard_normal(2)])
    a, b = rmt.Discrete(x, rng.dirichlet(np.full(x.size, 3.0))), rmt.Semicircle(10.0**size)
    found = AdditiveEquation(*((b, a) if swap else (a, b))).find_edges()
    known = rmt.DeformedWigner(a, 10.0**size).law().edges
    assert_allclose(found, known, rtol=0.0, atol=1e-10 * far)


def test_fold_next_to_the_bulk_of_a_factor():
    """One factor is almost a point: the fold is within 1e-7 of the other's edge, nearer than the last node."""
    rng = np.random.default_rng(4)
    for spread in (1e-3, 1e-5, 1e-7):
        a = rmt.Discrete(1.0 + spread * rng.standard_normal(10))
        known = rmt.SampleCovariance(a, 0.6).law().edges
        found = MultiplicativeEquation(a, rmt.MarchenkoPastur(0.6)).find_edges()
        assert_allclose(found, known, rtol=1e-12)
