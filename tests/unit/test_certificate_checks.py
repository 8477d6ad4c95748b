"""Certificates of right and wrong numbers, from this package and from anywhere else."""

import numpy as np
import pytest

import rmtsolve as rmt
from rmtsolve import Status

SEMICIRCLE = rmt.Equation(lambda z, m: -1 / (z + m), name="semicircle")
Z = np.linspace(-2.5, 2.5, 11) + 0.05j


def exact(z):
    return 0.5 * (-z + np.sqrt(z - 2) * np.sqrt(z + 2))


def test_foreign_numbers_that_are_right_are_certified_with_their_distance():
    certificate = rmt.certify(SEMICIRCLE, Z, exact(Z) + 1e-7)
    assert certificate.ok
    assert (certificate.error_bound >= 1e-7 * (1 - 1e-6)).all()
    assert (certificate.error_bound < 1.1e-7).all()
    assert (certificate.residual > 1e-9).all()
    assert certificate.mass == pytest.approx(1.0, abs=1e-10)
    assert "physical branch certified at all 11 points" in str(certificate)


@pytest.mark.parametrize(
    ("numbers", "status"),
    [
        (-Z - exact(Z), Status.WRONG_BRANCH),  # the other root
        (exact(Z).conj(), None),
        (exact(Z) * np.nan, Status.NOT_FINITE),
        (exact(Z) + 10.0, None),
    ],
)
def test_foreign_numbers_that_are_wrong_are_refused(numbers, status):
    certificate = rmt.certify(SEMICIRCLE, Z, numbers)
    assert not certificate.ok
    assert not (certificate.status == Status.CONVERGED).any()
    assert status is None or (certificate.status == status).all()
    assert "certified at 0 of 11 points" in certificate.verdict


@pytest.mark.parametrize("number", [np.nan, np.inf, complex(0.0, np.inf), complex(np.nan, 1.0)])
def test_numbers_that_are_not_finite_are_refused_in_gaps_too(number):
    certificate = rmt.certify(SEMICIRCLE, [3.0, -3.0], [number, -exact(3.0 + 0j).real])
    assert certificate.status.tolist() == [Status.NOT_FINITE, Status.CONVERGED]


def test_a_matrix_of_a_map_with_constants_that_are_not_hermitian_is_no_resolvent():
    step = np.array([[0.0, 1.0], [0.0, 0.0]])
    eq = rmt.Equation(lambda z, m: -np.linalg.inv(z[:, None, None] * np.eye(2) - step + m), shape=(2, 2))
    certificate = rmt.solve(eq, Z).certificate()
    assert not certificate.ok
    assert "not positive definite" in certificate.remark
    assert (certificate.half_plane[certificate.status == Status.NOT_CERTIFIED] < 0).all()


def test_a_real_root_off_the_support_must_be_the_stable_one():
    assert rmt.certify(SEMICIRCLE, [3.0], [exact(3.0 + 0j).real]).ok
    spurious = rmt.certify(SEMICIRCLE, [3.0], [-3.0 - exact(3.0 + 0j).real])
    assert spurious.status[0] == Status.WRONG_BRANCH
    assert spurious.contraction[0] > 1.0  # R = 6.9 for the spurious root, 0.15 for the physical one


def test_mass_half_plane_and_pick_are_reported():
    sol = rmt.solve(SEMICIRCLE, Z)
    certificate = sol.certificate()
    assert certificate.ok
    assert certificate.pick > -1e-12
    assert (certificate.half_plane > 0).all()
    assert (certificate.contraction < 1).all()
    assert certificate.proved.all()
    assert (certificate.error_bound < 1e-12).all()


def test_numbers_of_a_vector_equation_given_as_m_alone():
    weights = np.array([0.6, 0.4])
    coupling = np.array([[0.5, 2.0], [2.0, 0.3]]) * weights
    pair = rmt.Equation(lambda z, m: -1 / (z[:, None] + m @ coupling.T), lambda z, m: m @ weights, shape=(2,))
    sol = rmt.solve(pair, Z)
    assert rmt.certify(pair, Z, sol.m).ok
    assert rmt.certify(pair, Z, sol.state).ok
    assert not rmt.certify(pair, Z, sol.m + 0.5).ok
    assert not rmt.certify(pair, Z, sol.state.conj()).ok


def test_matrices_need_a_positive_imaginary_part():
    eq = rmt.Equation(lambda z, m: -np.linalg.inv(z[:, None, None] * np.eye(2) + [[0, 1], [1, 0]] + m), shape=(2, 2))
    sol = rmt.solve(eq, Z)
    assert sol.certificate().ok
    # -1/(z + t + m) for t = 1, -1 has two roots each; exchange one of them: positive trace, not positive definite
    values, vectors = np.linalg.eigh(np.array([[0, 1], [1, 0]]))
    roots = np.array([exact(Z + t) for t in values])
    roots[1] = -(Z + values[1]) - roots[1]
    wrong = np.einsum("ij,jn,kj->nik", vectors, roots, vectors)
    refused = rmt.certify(eq, Z, wrong)
    assert not (refused.status == Status.CONVERGED).any()
    assert (refused.half_plane < 0).all()


def test_states_of_built_in_families_are_certified_though_they_are_not_m():
    for model in (rmt.SampleCovariance(rmt.Discrete([1, 4], [0.5, 0.5]), 0.5), rmt.DeformedWigner([-1.0, 1.0], 0.64)):
        sol = rmt.solve(model.equation(), Z + 1.0)
        assert sol.certificate().ok
        assert rmt.certify(model.equation(), Z + 1.0, sol.m).ok


def test_values_below_the_axis_are_mirrored():
    assert rmt.certify(SEMICIRCLE, Z.conj(), exact(Z).conj()).ok


def test_an_equation_that_is_no_law_is_never_certified():
    doubled = rmt.Equation(lambda z, m: -1 / (z + m), readout=lambda z, m: 2 * m)
    certificate = rmt.certify(doubled, Z, 2 * exact(Z))
    assert not certificate.ok
    assert "scale the readout" in str(certificate)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: rmt.certify("x", Z, Z), "equation must be an Equation"),
        (lambda: rmt.certify(SEMICIRCLE, Z, Z[:3]), "m_or_state must be of shape"),
        (lambda: rmt.certify(SEMICIRCLE, Z, "abc"), "m_or_state must be an array"),
        (lambda: rmt.certify(SEMICIRCLE, [np.inf], [1j]), "z must be finite"),
    ],
)
def test_bad_input(call, words):
    with pytest.raises(rmt.DomainError, match=words):
        call()
