"""Separable covariance: bad input, atoms, conformance of law and matrices."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import rmtsolve as rmt
from rmtsolve.testing import check_ensemble, check_measure

A, B = rmt.Discrete([1, 4]), rmt.Discrete([0.5, 2])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((A, B, 0.0), "ratio"),
        ((A, B, np.inf), "ratio"),
        ((rmt.Discrete([-1, 2]), B, 0.5), "A"),
        ((rmt.Discrete([0.0]), B, 0.5), "some eigenvalue that is not 0"),
        ((A, rmt.Discrete([0.0]), 0.5), "some eigenvalue that is not 0"),
        ((A, "B", 0.5), "B"),
    ],
)
def test_bad_input(arguments, words):
    with pytest.raises(rmt.DomainError, match=words):
        rmt.SeparableCovariance(*arguments)


@pytest.mark.parametrize(
    "ensemble",
    [
        rmt.SeparableCovariance(A, B, 0.5),
        rmt.SeparableCovariance(rmt.Discrete([0, 1, 4], [0.2, 0.4, 0.4]), rmt.Discrete([-1, 2], [0.3, 0.7]), 2.0),
    ],
    ids=["positive", "signed"],
)
def test_ensemble(ensemble):
    check_ensemble(ensemble, size=200, replicas=4)


@pytest.mark.parametrize(
    "law",
    [
        rmt.SeparableCovariance(rmt.Discrete([0, 1], [0.3, 0.7]), rmt.Discrete([0, 1, 3], [0.5, 0.2, 0.3]), 0.8).law(),
        rmt.SeparableCovariance(rmt.MarchenkoPastur(0.3), rmt.Uniform(0.5, 2.0), 0.7).law(),
        rmt.SeparableCovariance([1.0], B, 2.0).law(),
    ],
    ids=["zeros", "continuous", "square"],
)
def test_law(law):
    check_measure(law)


@pytest.mark.parametrize("ratio", [0.2, 1.0, 3.0])
def test_atoms_and_moments(ratio):
    """Mass at 0: what A or B annihilates, or n < p leaves empty; mean and second moment by Wick's rule."""
    a, b = rmt.Discrete([0, 1, 4], [0.3, 0.3, 0.4]), rmt.Discrete([0, 2], [0.25, 0.75])
    law = rmt.SeparableCovariance(a, b, ratio).law()
    assert_allclose(law.atoms.weights, [max(0.3, 1 - 0.75 / ratio)], rtol=1e-14)
    assert_allclose(law.moment(1), a.moment(1) * b.moment(1), rtol=1e-13)
    second = a.moment(2) * b.moment(1) ** 2 + ratio * a.moment(1) ** 2 * b.moment(2)
    assert_allclose(law.moment(2), second, rtol=1e-13)
    assert_allclose(law.expect(lambda x: x**2), second, rtol=1e-10)
    assert_allclose(law.cdf(law.edges[-1]), 1.0, rtol=1e-13)


def test_solution_is_certified():
    solution = rmt.solve(rmt.SeparableCovariance(A, B, 0.5).equation(), np.linspace(-1, 15, 33) + 0.01j)
    assert solution.ok
    assert solution.certificate().ok
    assert solution.error_bound.max() < 1e-10


def test_full_rank_at_ratio_one_and_negative_weights():
    """The bounds of the two gauges are equal, up to rounding; and the law of -B is the mirror image."""
    w, v = np.array([4, 5, 8]) + 0.1371 * np.arange(3), np.array([2.0, 2.0917])
    a, b = rmt.Discrete([5.25, 6.0, 0.5], w / w.sum()), rmt.Discrete([1.25, 0.25], v / v.sum())
    law, mirror = rmt.SeparableCovariance(a, b, 1.0).law(), rmt.SeparableCovariance(a, b.scaled(-1.0), 1.0).law()
    assert law.edges.size == 2
    assert law.edges[0] == 0.0
    assert_allclose(law.expect(np.ones_like), 1.0, rtol=1e-9)
    assert_allclose(mirror.edges, -law.edges[::-1], rtol=1e-14)
    assert_allclose(mirror.density([-3.0, -1.0]), law.density([3.0, 1.0]), rtol=1e-13)


def test_transform_at_zero():
    """At z = 0 one unknown is infinite and m is not; inside a bulk m is the limit from above."""
    law = rmt.SeparableCovariance([1, 4], [0.5, 2], 0.5)
    s = rmt.solve(law.equation(), 0)
    assert s.ok
    assert s.certificate().ok
    around = rmt.solve(law.equation(), [-1e-6, 1e-6]).m.mean()
    assert_allclose([s.m, law.law().stieltjes(0)], around, rtol=1e-9)
    assert s.error_bound < 1e-13
    signed = rmt.SeparableCovariance([1, 4], [-0.5, 2], 0.5).equation()
    near = rmt.solve(signed, [-1e-9, 1e-9]).m.mean()
    assert near.imag > 0.1
    assert_allclose(rmt.solve(signed, 0).m, near, rtol=1e-8)


@pytest.mark.parametrize("ratio", [1.0, 2.0])
def test_zero_is_refused_at_atoms_and_hard_edges(ratio):
    law = rmt.SeparableCovariance([1, 4], [0.5, 2], ratio)
    s = rmt.solve(law.equation(), [0, 1j], throw=False)
    assert s.status.tolist() == [rmt.Status.SINGULAR, rmt.Status.CONVERGED]
    with pytest.raises(rmt.DomainError, match="hard edge" if ratio == 1.0 else "pole"):
        law.law().stieltjes(0, boundary=True)
