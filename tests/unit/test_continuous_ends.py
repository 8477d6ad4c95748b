"""Densities that vanish like a root at an end: the transform knows them as near to it as the density itself does."""

import numpy as np
import pytest

import rmtsolve as rmt

OFFSETS = np.array([1e-6, 1e-8, 1e-10, 1e-12])
EPS = np.finfo(float).eps
CASES = {
    "root at 0": (rmt.Continuous(lambda x: 1.5 * np.sqrt(x), (0, 1)), lambda s: 1.5 * np.sqrt(s)),
    "root at 1": (rmt.Continuous(lambda x: 1.5 * np.sqrt(x - 1), (1, 2)), lambda s: 1.5 * np.sqrt(s)),
    "three halves": (rmt.Continuous(lambda x: 2.5 * x**1.5, (0, 1)), lambda s: 2.5 * s**1.5),
    "fourth root": (rmt.Continuous(lambda x: 1.25 * x**0.25, (0, 1)), lambda s: 1.25 * s**0.25),
    "semicircle": (rmt.Continuous(lambda x: 2 / np.pi * np.sqrt(1 - x * x), (-1, 1)),
                   lambda s: 2 / np.pi * np.sqrt(s * (2 - s))),
    "root and exponential": (rmt.Continuous(lambda x: 2 / np.sqrt(np.pi) * np.sqrt(x) * np.exp(-x), (0, np.inf)),
                             lambda s: 2 / np.sqrt(np.pi) * np.sqrt(s) * np.exp(-s)),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_boundary_values_beside_the_end(name):
    law, density = CASES[name]
    edge = law.edges[0]
    x = edge + OFFSETS
    found = law.stieltjes(x, boundary=True).imag / np.pi
    # panels are fitted to values at rounded points: half an ulp of the edge over the offset, relative, and 1e-11
    tolerance = EPS * abs(edge) / OFFSETS + 1e-11
    assert (np.abs(found / density(x - edge) - 1.0) <= tolerance).all()


def test_the_mass_next_to_the_end():
    law, _ = CASES["root at 0"]
    np.testing.assert_allclose(law.cdf(OFFSETS), OFFSETS**1.5, rtol=1e-10)


def test_smooth_densities_need_no_more_panels():
    smooth = rmt.Continuous(lambda x: 30 * x**2 * (1 - x) ** 2, (0, 1))
    kink = rmt.Continuous(lambda x: 1 - abs(x), (-1, 1))
    assert smooth._panels.low.size == 1
    assert kink._panels.low.size == 2
