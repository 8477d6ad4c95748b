"""Newton's iteration for letters that are not Gaussian: its derivative, its starts and its answers on the axis."""

import numpy as np
import pytest

import rmtsolve as rmt
from rmtsolve.equations.free_pencil_frames import coordinates
from rmtsolve.equations.stacks import solve_each

X, Y = rmt.SampleCovariance([1.0, 3.0], 0.5), rmt.SampleCovariance([1.0, 2.0], 0.8)
MODELS = {
    "two coloured": rmt.MatrixPolynomial("X*Y + Y*X", X=X, Y=Y),
    "and a Gaussian": rmt.MatrixPolynomial("X*Y + Y*X + Z", X=X, Y=Y, Z=rmt.Wigner()),
    "and a fixed one": rmt.MatrixPolynomial("X*D*X", X=X, D=rmt.Discrete([1.0, 2.0])),
}


@pytest.mark.parametrize("name", MODELS)
def test_derivative_of_the_map(name):
    equation = MODELS[name].equation()
    solver = equation.solver
    z = np.array([0.3 + 0.5j, 2.0 + 1.0j])
    u = solver.cold(z)
    image = solver.linearised(z, u)
    rng = np.random.default_rng(0)
    direction = rng.normal(size=u.shape) + 1j * rng.normal(size=u.shape)
    h = 1e-6  # truncation h^2 and rounding 1e-16/h are below 1e-9 of the derivative
    after, before = (solver.value(z, u + sign * h * direction)[0] for sign in (1, -1))
    along = np.einsum("nij,nj->ni", image.slope, direction)
    np.testing.assert_allclose((after - before) / (2 * h), along, atol=1e-7 * np.abs(along).max())
    later, sooner = (solver.value(z + sign * h, u) for sign in (1, -1))
    np.testing.assert_allclose((later[0] - sooner[0]) / (2 * h), image.drift, atol=1e-7)
    np.testing.assert_allclose(solver.reading(later[1] - sooner[1]) / (2 * h), image.tilt, atol=1e-7)
    after, before = (solver.reading(solver.value(z, u + sign * h * direction)[1]) for sign in (1, -1))
    np.testing.assert_allclose((after - before) / (2 * h), (image.gradient * direction).sum(axis=1), atol=1e-7)


@pytest.mark.parametrize("name", MODELS)
def test_solution_is_that_of_the_plain_map_and_of_the_limit(name):
    equation = MODELS[name].equation()
    z = np.array([1.0 + 2.0j, -1.0 + 1.0j])
    np.testing.assert_allclose(rmt.solve(equation, z).m, rmt.solve(equation, z, rmt.Continuation()).m, rtol=1e-10)
    on = rmt.solve(equation, [-20.0, 2.0, 6.0])
    above = rmt.solve(equation, np.array([-20.0, 2.0, 6.0]) + 1e-8j)
    np.testing.assert_allclose(on.m, above.m, atol=1e-6)
    assert on.m[0].imag == 0.0 and np.all(on.m[1:].imag > 1e-3)
    again = rmt.solve(equation, [6.0, -20.0, 2.0], start=on.state[[2, 0, 1]])
    np.testing.assert_allclose(again.m[[1, 2, 0]], on.m, rtol=1e-11)
    assert np.all(on.residual < 1e-11)


def test_explain_names_the_method():
    solution = rmt.solve(MODELS["two coloured"].equation(), 1.0 + 1.0j)
    assert "Newton's iteration on operator-valued subordination" in solution.explain()
    assert "compiled" not in solution.explain()


def test_frames_rebuild_the_coefficient():
    rng = np.random.default_rng(3)
    for size, rank in ((3, 1), (3, 2), (4, 4), (5, 3)):
        factor = rng.normal(size=(size, rank)) + 1j * rng.normal(size=(size, rank))
        coefficient = factor @ np.diag(rng.normal(size=rank)) @ factor.conj().T
        frame, core, turn = coordinates(coefficient)
        assert core.shape == (rank, rank)
        np.testing.assert_allclose(frame @ core @ frame.conj().T, coefficient, atol=1e-12)
        np.testing.assert_allclose(turn @ turn.T, np.eye(rank), atol=1e-15)


@pytest.mark.parametrize("x", [1.5, 0.2814, -0.2])
def test_other_roots_on_the_axis_are_refused(x):
    """In the gap of the anticommutator with signs there are further real roots, which Newton's iteration finds."""
    model = rmt.MatrixPolynomial("X*Y + Y*X", X=rmt.Discrete([-1.0, 1.0]), Y=rmt.SampleCovariance([1.0, 4.0], 1.0))
    equation, rng = model.equation(), np.random.default_rng(1)
    solver, z = equation.solver, np.full(400, x + 0j)
    right = equation.flattened(rmt.solve(equation, z[:1]).state)
    start = right * np.exp(rng.normal(size=(400, right.size)))
    u = solver.hermitian(start) if abs(x) < 0.3 else start
    with np.errstate(all="ignore"):
        for _ in range(40):
            image = solver.linearised(z, u)
            u = u + np.nan_to_num(solve_each(np.eye(solver.count) - image.slope, image.value - u))
        settled = np.isfinite(image.slope).all(axis=(1, 2)) & (np.abs(image.value - u) <= 1e-9 * solver.yard(u)).all(
            axis=1
        )
    u = u[settled]
    same = np.abs(solver.reading(image.m[settled]) - rmt.solve(equation, x).m) <= 1e-7
    passed = solver.accepted(z[settled], u)[1]
    assert np.count_nonzero(~same) > 5
    np.testing.assert_array_equal(passed, same)
