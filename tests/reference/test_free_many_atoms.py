"""Edges of free sums and products of laws with many atoms, by the generic search, against independent algorithms.

With a semicircle or a Marchenko-Pastur law as second factor the law has an equation of Pastur's form, whose edges are
found by convex minimisation in one variable: nothing is shared with the search along real curves. Tolerances: both are
good to a few rounding errors of the largest edge; an edge next to a cusp moves like (rounding)^(2/3) at worst.
"""

import mpmath as mp
import numpy as np
import pytest
from numpy.testing import assert_allclose

import rmtsolve as rmt
from rmtsolve.equations.separable import SeparableEquation
from rmtsolve.equations.subordination import AdditiveEquation, MultiplicativeEquation


def atoms(style, n, rng):
    """Positions of atoms that are hard in different ways."""
    if style == "random":
        return rng.standard_normal(n)
    if style == "equal":
        return np.linspace(-1.0, 1.0, n)
    if style == "clusters":
        return rng.choice([-3.0, 0.5, 2.0], n) + 1e-3 * rng.standard_normal(n)
    if style == "wide":
        return np.exp(2.0 * rng.standard_normal(n)) * rng.choice([-1.0, 1.0], n)
    x = rng.uniform(-2.0, 2.0, n)
    x[: n // 2] = x[-(n // 2) :] + 10.0 ** rng.uniform(-15.0, -3.0, n // 2)  # pairs at distances from 1e-15 to 1e-3
    return x


def population(style, n, weights, rng, shift=0.0):
    w = np.ones(n)
    if weights == "light":
        w[rng.random(n) < 0.4] = 1e-6
    elif weights == "heavy":
        w[n // 3] = n
    x = atoms(style, n, rng)
    return rmt.Discrete(np.abs(x) + shift if shift else x, w / w.sum())


STYLES = ["random", "equal", "clusters", "wide", "pairs"]
ORDER = [False, True]


@pytest.mark.parametrize("first", ORDER)
@pytest.mark.parametrize("weights", ["equal", "light", "heavy"])
@pytest.mark.parametrize("style", STYLES)
def test_sums_with_a_semicircle(style, weights, first):
    rng = np.random.default_rng([STYLES.index(style), len(weights)])
    for n, variance in ((7, 0.02), (40, 1e-3), (150, 1e-4)):
        a = population(style, n, weights, rng)
        pair = (rmt.Semicircle(variance), a) if first else (a, rmt.Semicircle(variance))
        known = rmt.DeformedWigner(a, variance).law().edges
        assert_allclose(AdditiveEquation(*pair).find_edges(), known, rtol=0.0, atol=1e-11 * np.abs(known).max())


@pytest.mark.parametrize("weights", ["equal", "light", "heavy"])
@pytest.mark.parametrize("style", STYLES)
def test_products_with_a_marchenko_pastur_law(style, weights):
    rng = np.random.default_rng([STYLES.index(style), len(weights), 1])
    for n, ratio in ((6, 0.05), (45, 0.9), (150, 0.01)):
        a = population(style, n, weights, rng, shift=0.3)
        known = rmt.SampleCovariance(a, ratio).law().edges
        twin = rmt.MarchenkoPastur(ratio)
        separable = SeparableEquation(a, rmt.Discrete([1.0]), ratio)
        for equation in (MultiplicativeEquation(a, twin), MultiplicativeEquation(twin, a), separable):
            assert_allclose(equation.find_edges(), known, rtol=0.0, atol=1e-11 * known[-1])


def test_a_thousand_atoms():
    rng = np.random.default_rng(0)
    a = rmt.Discrete(rng.standard_normal(1000))
    known = rmt.DeformedWigner(a, 0.05).law().edges
    assert known.size > 2
    assert_allclose(AdditiveEquation(a, rmt.Semicircle(0.05)).find_edges(), known, rtol=0.0, atol=1e-13 * known[-1])


def test_one_bulk_for_every_atom():
    """A second factor that is small against the distance of the atoms: 300 bulks of equal mass."""
    law = rmt.free_add(rmt.Discrete(np.linspace(-1.0, 1.0, 300)), rmt.Discrete([-1e-4, 1e-4, 2e-4]))
    assert law.support.shape == (300, 2)
    assert_allclose(law.cdf(law.support[:, 1]), np.arange(1, 301) / 300, atol=1e-12)


@pytest.mark.parametrize("gap", [1e-2, 1e-6, 1e-8])
def test_gaps_next_to_a_cusp(gap):
    """Atoms +-1 and variance v: cusp at v = 1, then a gap of the size (1 - v)^(3/2)."""
    two = rmt.TwoPoint(-1.0, 1.0)
    edges = AdditiveEquation(two, rmt.Semicircle(1.0 - gap)).find_edges()
    assert edges.size == 4
    known = rmt.DeformedWigner(two, 1.0 - gap).law().edges
    assert edges[2] == pytest.approx(known[2], rel=1e-15 / gap)
    assert AdditiveEquation(two, rmt.Semicircle(1.0 + gap)).find_edges().size == 2


def critical_point(one, two, edge):
    """The fold of ``v = z + N_1(z + N_2(v))`` next to an edge, z to 30 digits, from the equations alone."""
    (x, w), (y, q) = (([mp.mpf(float(p)) for p in part] for part in law.atoms) for law in (one, two))

    def n(at, mass, u):
        r = [1 / (p - u) for p in at]
        m, rate = mp.fdot(mass, r), mp.fdot(mass, [a * a for a in r])
        return -1 / m - u, rate / m**2 - 1

    def system(u, v):
        (n_one, d_one), (n_two, d_two) = n(x, w, u), n(y, q, v)
        return [v + n_two - u - n_one, d_one * d_two - 1]

    u, v = edge
    with mp.workdps(40):
        u, v = mp.findroot(system, (mp.mpf(u), mp.mpf(v)), tol=1e-30)
        return float(u - n(y, q, v)[0])


def test_folds_of_two_discrete_laws():
    rng = np.random.default_rng(3)
    one, two = rmt.Discrete(rng.standard_normal(60)), rmt.Discrete([-0.2, 0.1, 0.3], [0.3, 0.3, 0.4])
    equation = AdditiveEquation(one, two)
    line = equation.line
    assert line.edges.size > 10
    u = line.edges + equation.two.evaluate(line.critical)[0]
    for z, point in zip(line.edges, zip(u, line.critical, strict=True), strict=True):
        assert z == pytest.approx(critical_point(one, two, point), abs=1e-14)


def test_a_pair_of_near_atoms_makes_a_small_bulk_whole():
    """A pair at distance d in a gap: a bulk as wide as d, both ends of it, d down to the rounding of the edges."""
    for distance in (1e-3, 1e-6, 1e-10):
        pair = rmt.Discrete([-3.0, 1.0, 1.0 + distance, 6.0], [0.05, 0.45, 0.45, 0.05])
        law = rmt.free_add(pair, rmt.Discrete([0.0, 0.1], [0.7, 0.3]))
        left, right = law.support[np.argmin(np.abs(law.support.mean(axis=1) - 1.0))]
        assert 0.1 * distance < right - left < 3.0 * distance
        assert law.cdf(right + distance) - law.cdf(left - distance) == pytest.approx(0.6, abs=1e-8)


def test_a_curve_on_which_the_slope_is_one_identically_ends():
    """Two atoms of half the mass: T' = 1 along a whole curve, which no halving decides."""
    two = rmt.Discrete([-1.0, 1.0])
    assert_allclose(rmt.free_add(two, two).edges, [-2.0, 2.0], atol=1e-12)
    assert_allclose(rmt.free_commutator(two, two).edges, [-2.0, 2.0], atol=1e-12)
