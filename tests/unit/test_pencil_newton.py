"""Newton's iteration for letters that are not Gaussian: its derivative, its starts and its answers on the axis."""

import numpy as np
import pytest

import rmtsolve as rmt

X, Y = rmt.SampleCovariance([1.0, 3.0], 0.5), rmt.SampleCovariance([1.0, 2.0], 0.8)
MODELS = {
    "two coloured": rmt.MatrixPolynomial("X*Y + Y*X", X=X, Y=Y),
    "and a Gaussian": rmt.MatrixPolynomial("X*Y + Y*X + Z", X=X, Y=Y, Z=rmt.Wigner()),
    "and a fixed one": rmt.MatrixPolynomial("X*D*X", X=X, D=rmt.Discrete([1.0, 2.0])),
}


@pytest.mark.parametrize("name", MODELS)
def test_derivative_of_the_map(name):
    equation = MODELS[name].equation()
    solver = equation._solver
    z = np.array([0.3 + 0.5j, 2.0 + 1.0j])
    u = solver.cold(z)
    _, _, slope = solver.image(z, u, slope=True)
    rng = np.random.default_rng(0)
    direction = rng.normal(size=u.shape) + 1j * rng.normal(size=u.shape)
    h = 1e-6  # truncation h^2 and rounding 1e-16/h are below 1e-9 of the derivative
    after, before = (solver.image(z, u + sign * h * direction, slope=False)[0] for sign in (1, -1))
    along = np.einsum("nij,nj->ni", slope, direction)
    np.testing.assert_allclose((after - before) / (2 * h), along, atol=1e-7 * np.abs(along).max())


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
