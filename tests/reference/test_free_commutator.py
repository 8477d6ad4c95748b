"""Commutator of two laws that are not even up to a shift: moments by counting, Haar-rotated matrices, even laws."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import rmtsolve as rmt
from rmtsolve.ensembles.free import _commutator_pencil
from rmtsolve.testing.ensemble_laws import kolmogorov

ONE, TWO = rmt.Discrete([0, 1, 3], [0.4, 0.35, 0.25]), rmt.Discrete([-1, 2, 3], [0.3, 0.3, 0.4])


@pytest.fixture(scope="module")
def law():
    return rmt.free_commutator(ONE, TWO)


@pytest.fixture(scope="module")
def values(law):
    return law.series()


def test_one_narrow_gap_on_either_side(law):
    assert law.atoms.locations.size == 0
    assert law.edges.size == 6
    assert_allclose(law.edges, -law.edges[::-1], rtol=1e-9)  # A B - B A and its mirror image have one law
    middle = 0.5 * (law.edges[1] + law.edges[2])
    assert law.density([middle, law.edges[-1] + 1e-3]).tolist() == [0.0, 0.0]
    assert law.stieltjes(middle).imag == 0.0


def test_mass_and_moments(values):
    """Free cumulants ``2 (f_a * f_b * zeta)(n)``, f(1) and f(2) the second and fourth of the factors."""
    (a, b), (fourth_a, fourth_b) = [[m.free_cumulant(k) for m in (ONE, TWO)] for k in (2, 4)]
    second = 2.0 * a * b
    fourth = 2.0 * (fourth_a * b**2 + fourth_b * a**2 + (a * b) ** 2) + 2.0 * second**2
    assert_allclose(values.expect(np.ones_like), 1.0, rtol=1e-12)
    assert_allclose([values.moment(2), values.moment(4)], [second, fourth], rtol=1e-12)
    assert abs(values.moment(1)) < 1e-12 > abs(values.moment(3))


def test_matrices(values):
    size, rng = 400, np.random.default_rng(0)
    a, b = (np.repeat(m.locations, np.rint(m.weights * size).astype(int)) for m in (ONE, TWO))
    q, r = np.linalg.qr(rng.standard_normal((size, size)))
    q = q * np.sign(np.diag(r))
    turned = (q * b) @ q.T
    spectrum = np.linalg.eigvalsh(1j * (a[:, None] * turned - turned * a))
    assert size * kolmogorov(values, spectrum) <= 0.3 * np.log(size) + 2.0


def test_pencil_of_even_laws_has_the_law_of_the_even_route():
    one, two = rmt.Discrete([-1, 0, 1], [0.3, 0.4, 0.3]), rmt.Discrete([-2, -1, 1, 2])
    pencil, known = rmt.SolvedMeasure(_commutator_pencil(one, two)), rmt.free_commutator(one, two)
    x = np.array([0.5, 0.8, 1.9, 2.9])
    assert_allclose(pencil._density(x), known.density(x), rtol=1e-11)
    z = np.array([0.3 + 0.2j, -1 + 0.01j, 4 + 1j, 0.7 + 1e-4j])
    assert_allclose(pencil._stieltjes(z), known.stieltjes(z), rtol=1e-12)


def test_full_steps_next_to_an_edge(law):
    """Right above an edge the residual first rises under the right steps; the way down must not creep."""
    edge = law.edges[3]  # the hardest of the six: the solution is singular there
    z = np.array([edge + 1e-10j, edge + 3e-9j])
    found = law.equation._solver.above(z, law.equation._solver.begin(z))
    assert found.done.all()
    assert found.steps.max() < 400
    m = rmt.solve(law.equation, z).m
    assert (m.imag > 0.0).all()
    assert_allclose(m, -rmt.solve(law.equation, -z.conj()).m.conj(), rtol=1e-6)
