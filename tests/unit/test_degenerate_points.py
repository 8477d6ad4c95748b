"""Points on the axis where symmetries give the equation a continuum of solutions: the limit from above is right."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import rmtsolve as rmt
from rmtsolve.equations.degenerate import is_singular

CHIRAL = [[0, 0, 1, 4], [0, 0, 2, 1], [1, 2, 0, 0], [4, 1, 0, 0]]
FLIP = np.array([[0, 1], [1, 0]])


@pytest.mark.parametrize("options", [{}, {"fractions": [0.4, 0.1, 0.2, 0.3]}, {"mean": [3.0] * 4}], ids=str)
def test_chiral_profiles_at_their_centre(options):
    law = rmt.VarianceProfile(CHIRAL, **options).law()
    centre = options.get("mean", [0.0])[0]
    near = law.density(centre + 1e-4)
    assert_allclose(law.density([centre, centre + 1e-12, centre + 1e-9]), near, rtol=1e-7)
    assert_allclose(law.cdf(centre), 0.5, rtol=1e-9)
    solution = rmt.solve(law.equation, [centre, centre + 0.1], throw=False)
    assert solution.status.tolist() == [rmt.Status.SINGULAR, rmt.Status.CONVERGED]


def test_homogeneous_pencils_at_zero():
    """``(A (x) X)`` and ``(B (x) Y)`` of indefinite A, B: all congruences that keep them move the solution."""
    pencil = rmt.LinearPencil(np.zeros((2, 2)), {"X": np.diag([1.0, -1.0]), "Y": FLIP}, X=rmt.Wigner(), Y=rmt.Wigner())
    law = pencil.law()
    assert_allclose(law.density([0.0, 1e-10]), law.density(1e-4), rtol=1e-7)
    one = rmt.LinearPencil(np.zeros((3, 3)), {"X": [[0, 2, 1], [2, 1, 0], [1, 0, -1]]}, X=rmt.Wigner()).equation()
    for method in (rmt.Newton(), rmt.HighPrecision(digits=30)):
        with pytest.raises(rmt.ConvergenceError, match=r"singular|could not be proved"):
            rmt.solve(one, 0.0, method)


@pytest.mark.parametrize("t", [0.0, 1.0, 2.0])
def test_members_of_the_continuum_are_not_certified(t):
    equation = rmt.LinearPencil(np.zeros((2, 2)), {"X": np.diag([1.0, -1.0])}, X=rmt.Wigner()).equation()
    state = 1j * np.array([[np.cosh(t), np.sinh(t)], [np.sinh(t), np.cosh(t)]])
    certificate = rmt.certify(equation, 0.0, state)
    assert certificate.status == rmt.Status.SINGULAR
    assert np.isnan(certificate.error_bound)
    for method in (rmt.Newton(), rmt.FixedPoint(), rmt.Anderson()):
        assert rmt.solve(equation, 0.0, method, start=state, throw=False).status == rmt.Status.SINGULAR
    coupling = np.array(CHIRAL) / 4.0
    user = rmt.Equation(lambda z, m: -1 / (z[:, None] + m @ coupling.T), shape=(4,))
    exact = rmt.solve(user, 1e-6j).state
    moved = exact * np.exp([t, t, -t, -t])
    assert rmt.certify(user, 0.0, moved).status != rmt.Status.CONVERGED


def test_regular_points_keep_their_certificates():
    coupling = np.array(CHIRAL) / 4.0
    user = rmt.Equation(lambda z, m: -1 / (z[:, None] + m @ coupling.T), shape=(4,))
    solution = rmt.solve(user, [0.3, 0.5 + 1e-3j])
    assert rmt.certify(user, [0.3, 0.5 + 1e-3j], solution.state).ok


def test_singular_to_half_of_the_digits():
    matrices = np.array(
        [np.eye(2), [[1, 1], [1, 1 + 1e-9]], [[1e9, 0], [0, 1e-9]], [[1, np.nan], [0, 1]]], dtype=complex
    )
    assert is_singular(matrices).tolist() == [False, True, False, True]
