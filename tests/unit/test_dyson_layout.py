"""Which entries of M are unknowns of a matrix Dyson equation."""

import numpy as np
import pytest

import rmtsolve as rmt
from rmtsolve.equations.dyson import MatrixDyson, Term

W, S, D, R = rmt.Wigner, rmt.SampleCovariance, rmt.Discrete, rmt.RectangularIID


def entries(equation):
    return list(zip(equation.layout.rows.tolist(), equation.layout.cols.tolist(), strict=True))


def dyson(constant, coefficient, variance=1.0):
    a, side = np.array(coefficient, dtype=complex), len(constant)
    ones = np.ones(side)
    terms = [Term(variance * a, a)]
    return MatrixDyson(np.array(constant, dtype=complex), terms, spectral=ones, dimensions=ones, weights=ones / side)


def test_rows_that_nothing_connects():
    """In the anticommutator of two odd letters M is [m] and a block of two rows, whose corner no letter reads."""
    equation = rmt.MatrixPolynomial("X*Y + Y*X", X=W(), Y=W()).equation()
    assert entries(equation) == [(0, 0), (1, 1), (2, 2)] and equation.layout.symmetric
    commutator = rmt.MatrixPolynomial("1j*(X*Y - Y*X)", X=W(), Y=W()).equation()
    assert entries(commutator) == [(0, 0), (1, 1), (2, 2)] and not commutator.layout.symmetric
    # an odd word among even ones connects the rows, and a constant does; still no letter reads the corner
    connected = rmt.MatrixPolynomial("X*Y + Y*X + X", X=W(), Y=W()).equation()
    assert entries(connected) == [(0, 0), (0, 1), (0, 2), (1, 1), (2, 2)]
    assert entries(dyson(np.diag([1.0, -1.0]), [[0, 1], [1, 0]])) == [(0, 0), (1, 1)]
    assert entries(dyson([[1.0, 0.5], [0.5, -1.0]], [[0, 1], [1, 0]])) == [(0, 0), (0, 1), (1, 1)]


@pytest.mark.parametrize("variance", [1.0, 0.1, 0.7])
def test_real_matrices_are_symmetric_up_to_rounding(variance):
    """The products v (a b) are not those of (v a) b; what is beyond their rounding counts."""
    rng = np.random.default_rng(1)
    a = rng.normal(size=(3, 3))
    a = a + a.T
    assert len(entries(dyson(a, a, variance))) == 6
    skew = a.copy()
    skew[0, 1] *= 1.0 + 1e-12
    assert len(entries(dyson(a, skew, variance))) == 9
    assert len(entries(dyson(a + 0.1j * (np.triu(a, 1) - np.tril(a, -1)), a, variance))) == 9


CASES = {
    "anticommutator": ("X*Y + Y*X", {"X": W(), "Y": W()}),
    "commutator": ("1j*(X*Y - Y*X)", {"X": W(), "Y": W()}),
    "even": ("X**2 + X*Y + Y*X", {"X": W(), "Y": W()}),
    "fourth power": ("(X + Y)**4", {"X": W(), "Y": W()}),
    "Wishart": ("X*Y + Y*X", {"X": S([1.0], 0.5), "Y": S([1.0], 2.0)}),
    "atoms": ("X*Y + Y*X + D", {"X": W(), "Y": W(), "D": D([-1.0, 0.5])}),
    "colours": ("X*Y + Y*X", {"X": W(), "Y": S([1.0, 3.0], 0.5)}),
    "rectangular": ("R.T*D*R", {"R": R(0.5), "D": D([1.0, 4.0])}),
}


@pytest.mark.parametrize("case", CASES)
def test_the_solution_solves_the_whole_equation(case):
    """`step` knows nothing of the unknowns; at a height the solution with Im M > 0 is the only one."""
    text, letters = CASES[case]
    equation = rmt.MatrixPolynomial(text, **letters).equation()
    z = np.array([-2.0 + 0.1j, 0.3 + 1e-3j, 0.4, 1.5, 3.0 + 2.0j])
    solution = rmt.solve(equation, z)
    image = equation.step(z, solution.state)
    np.testing.assert_allclose(image, solution.state, rtol=0, atol=1e-12 * np.abs(solution.state).max())
    if equation.layout.symmetric:
        np.testing.assert_allclose(solution.state, solution.state.swapaxes(1, 2), rtol=0, atol=1e-15)
