"""The error bound of a solution holds, against digits that the float solver never saw."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from profiles import quick

import rmtsolve as rmt
from rmtsolve import Status
from rmtsolve.testing import populations, ratios, upper_half_plane

FEW = quick(16)  # each example costs forty digits


def bound_holds(equation, z):
    sol = rmt.solve(equation, z, throw=False)
    precise = rmt.solve(equation, z, rmt.HighPrecision(digits=40), throw=False)
    good = (sol.status == Status.CONVERGED) & (precise.status == Status.CONVERGED) & np.isfinite(sol.error_bound)
    assert good.any()
    error = [float(abs(p - complex(m))) for p, m in zip(precise.precise_m[good], sol.m[good], strict=True)]
    assert (error <= sol.error_bound[good]).all(), (sol.z[good], error, sol.error_bound[good])
    # a bound that is always huge would hold too
    assert np.median(sol.error_bound[good] / np.abs(sol.m[good])) < 1e-6


@FEW
@given(population=populations(), ratio=ratios(), z=st.lists(upper_half_plane(3.0, 3.0), min_size=1, max_size=4))
def test_companion_map(population, ratio, z):
    t, h = population.locations, population.weights
    equation = rmt.Equation(lambda z, m: -1 / (z - ratio * (h * t / (1 + t * m[:, None])).sum(axis=1)))
    bound_holds(equation, np.array(z))


@FEW
@given(coupling=st.floats(0.05, 3.0), z=st.lists(upper_half_plane(closest=1e-6), min_size=1, max_size=4))
def test_vector_map(coupling, z):
    matrix = np.array([[0.5, coupling], [coupling, 0.1]])
    bound_holds(rmt.Equation(lambda z, m: -1 / (z[:, None] + m @ matrix), shape=(2,)), np.array(z))


@FEW
@given(variance=st.floats(0.05, 4.0), z=st.lists(upper_half_plane(closest=1e-6), min_size=1, max_size=4))
def test_a_form_without_a_domain(variance, z):
    bound_holds(rmt.Equation(lambda z, m: -(1 + variance * m * m) / z), np.array(z))


@FEW
@given(
    weight=st.floats(0.2, 0.8),
    variance=st.floats(0.01, 0.5),
    offset=st.sampled_from([0.0, 1e-15, -1e-12, 1e-9, -1e-4]),
    height=st.sampled_from([0.0, 1e-15, 1e-11, 1e-6]),
)
def test_where_m_vanishes_in_a_gap(weight, variance, offset, height):
    def step(z, m):
        u = z + variance * m
        return weight / (1 - u) + (1 - weight) / (-1 - u)

    # m = 0 at 1 - 2 weight, off the support as long as variance (1/weight + 1/(1 - weight)) < 4
    equation = rmt.Equation(step)
    z = 1 - 2 * weight + offset + 1j * height
    sol, precise = rmt.solve(equation, z), rmt.solve(equation, z, rmt.HighPrecision(digits=40))
    assert float(abs(precise.precise_m[()] - complex(sol.m))) <= sol.error_bound < 1e-9


@given(error=st.floats(1e-10, 1e-2), turn=st.floats(0.0, 6.3), z=upper_half_plane())
def test_foreign_numbers_with_a_planted_error(error, turn, z):
    equation = rmt.Equation(lambda z, m: -1 / (z + m))
    exact = 0.5 * (-z + np.sqrt(z - 2) * np.sqrt(z + 2))
    planted = error * abs(exact) * np.exp(1j * turn)
    certificate = rmt.certify(equation, [z], [exact + planted])
    if certificate.status[0] == Status.CONVERGED:
        assert certificate.error_bound[0] >= abs(planted) * (1 - 1e-9) - 1e-15
