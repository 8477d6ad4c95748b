"""The error bounds of free pencils cover the true errors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rmtsolve as rmt
from rmtsolve.ensembles.linearise import linearise
from rmtsolve.ensembles.words import parse
from rmtsolve.equations.free_pencil import FreePencil

EXPRESSIONS = ("X + Y", "X*Y + Y*X", "X*Y*X + Y", "X**2 + Y**2")
laws = st.lists(st.floats(-2.0, 2.0), min_size=2, max_size=3, unique=True).map(lambda at: rmt.Discrete(np.round(at, 2)))


@settings(max_examples=15, deadline=None)
@given(
    expression=st.sampled_from(EXPRESSIONS), x=laws, y=laws, at=st.floats(-4.0, 4.0), height=st.floats(-6.0, 0.5),
)  # fmt: skip
def test_bound_covers_the_error(expression, x, y, at, height):
    """Two letters with fixed spectra in free position, whose equation can be solved to fifty digits."""
    if min(np.ptp(x.locations), np.ptp(y.locations)) < 0.1:
        return
    constant, coefficients, _ = linearise(parse(expression, "XY", "XY"), {"X", "Y"})
    first = np.eye(len(constant))[0]
    letters = [(coefficients["X", False], x), (coefficients["Y", False], y)]
    equation = FreePencil(constant, first, (), letters, first)
    z = at + 1j * 10.0**height
    rough, exact = rmt.solve(equation, z), rmt.solve(equation, z, rmt.HighPrecision(digits=40))
    error = abs(complex(exact.precise_m.item() - rough.m.item()))
    assert np.isfinite(rough.error_bound)
    assert error <= rough.error_bound
    assert rough.error_bound < 1e-6


@pytest.mark.parametrize("expression", EXPRESSIONS)
@pytest.mark.parametrize("size", [1e-12, 1e-9])
def test_bound_covers_a_planted_error(expression, size):
    model = rmt.MatrixPolynomial(expression, X=rmt.Discrete([-1.0, 2.0]), Y=rmt.SampleCovariance([1.0, 4.0], 2.0))
    solver, rng = model.equation().solver, np.random.default_rng(4)
    z = np.array([0.3 + 0.1j, 1.0 + 1e-5j, 3.0 + 1e-9j, -5.0 + 2.0j])
    u, m, _ = solver.sweep(z, None)
    moved = u + size * solver.yard(u) * rng.normal(size=u.shape)
    image = solver.linearised(z, moved)
    error = np.abs(solver.reading(image.m) - solver.reading(m))
    bound = solver.bound(z, moved, image)
    assert np.all(error > 0.0)
    known = np.isfinite(bound)  # next to edges the theorem may not reach so far
    assert np.count_nonzero(known) >= 3
    assert np.all(bound[known] >= error[known])
    assert np.all(bound[known] <= 1e4 * error[known])  # the moduli in it lose some digits, not all
