"""Certificates at real z off the support: right states are accepted, the other real roots of the equation are not."""

import numpy as np
import pytest

import rmtsolve as rmt
from rmtsolve import Status
from rmtsolve.equations.certificate import certify_numbers

H, H0 = rmt.Discrete([1, 3]), rmt.Discrete([0, 1, 3], [0.3, 0.4, 0.3])
SIGNS, FAR = rmt.Discrete([-1, 1], [0.7, 0.3]), rmt.Discrete([-5, 5])
MODELS = {
    "covariance": (lambda: rmt.SampleCovariance(H, ratio=0.5).equation(), [0.0]),
    "narrow covariance": (lambda: rmt.SampleCovariance(H, ratio=0.1).equation(), [0.0]),
    "covariance of a density": (lambda: rmt.SampleCovariance(rmt.Uniform(1, 3), ratio=0.5).equation(), [0.0]),
    "wide covariance": (lambda: rmt.SampleCovariance(H, ratio=2.0).equation(), [0.1, -1e-6]),
    "covariance with zeros": (lambda: rmt.SampleCovariance(H0, ratio=0.5).equation(), [1e-9, -1e-3]),
    "wigner": (lambda: rmt.DeformedWigner(rmt.Discrete([-1, 1]), 0.05).equation(), [0.0]),  # m = 0
    "uneven wigner": (lambda: rmt.DeformedWigner(SIGNS, 0.05).equation(), [0.0, 0.4]),  # m(0.4) = 0
    "sum": (lambda: rmt.free_add(FAR, rmt.Discrete([0, 1])).equation, [0.0, 0.5]),  # v(0.5) is infinite
    "sum with a density": (lambda: rmt.free_add(rmt.Uniform(0, 1), FAR).equation, [0.0, 0.5]),
    "product": (lambda: rmt.free_multiply(rmt.Discrete([1, 20]), rmt.Discrete([1, 2])).equation, [0.0, 0.1]),
    "separable": (lambda: rmt.SeparableCovariance([1, 20], [1, 2], ratio=0.1).equation(), [0.01]),
    "power": (lambda: rmt.free_power(rmt.Discrete([0, 1], [0.3, 0.7]), 1.2).equation, [-1.0]),
    "free poisson": (lambda: rmt.CompoundFreePoisson(H, 2.0).equation(), [0.0]),
    "information plus noise": (lambda: rmt.InformationPlusNoise([1, 9], noise=0.3, ratio=0.5).equation(), [0.01]),
    "wishart product": (lambda: rmt.WishartProduct([0.5, 0.3]).equation(), [0.01]),
}  # fmt: skip


def gaps(equation, more):
    """Real points off the support: outside, in the middle of every gap, and those given."""
    edges = equation.find_edges()
    return np.array([edges[0] - 1.0, edges[-1] + 1.0, *(0.5 * (edges[1:-1:2] + edges[2::2])), *more])


@pytest.mark.parametrize("name", MODELS)
def test_right_states_are_accepted(name):
    make, more = MODELS[name]
    equation = make()
    sol = rmt.solve(equation, gaps(equation, more))
    certificate = sol.certificate()
    assert certificate.ok, certificate.verdict
    size = np.abs(sol.m)
    near = rmt.solve(equation, sol.z + 1e-12j).m  # m' is at most 1/distance^2 off the support, and like m^2 at an atom
    assert (np.abs(sol.m - near) < 1e-11 * size**2 + 1e-9).all()


def real_roots(equation, x):
    """Real fixed points of the map at x by sign changes on a fine grid."""
    u = np.concatenate([-np.geomspace(1e3, 1e-6, 4000), np.geomspace(1e-6, 1e3, 4000)])

    def gap(v):
        with np.errstate(all="ignore"):
            states = np.atleast_1d(v).astype(complex)
            return (equation.step(np.full(states.shape, complex(x)), states) - states).real

    value = gap(u)
    index = np.flatnonzero(np.sign(value[1:]) * np.sign(value[:-1]) < 0.0)
    low, high, sign = u[index], u[index + 1], np.sign(value[index])
    for _ in range(80):
        middle = 0.5 * (low + high)
        before = np.sign(gap(middle)) == sign
        low, high = np.where(before, middle, low), np.where(before, high, middle)
    return low[np.abs(gap(low)) < 1e-9 * (1.0 + np.abs(low))]  # the others are poles


@pytest.mark.parametrize("name", MODELS)
def test_the_other_real_roots_are_refused(name):
    make, more = MODELS[name]
    equation = make()
    wrong = 0
    for x in gaps(equation, more):
        state = rmt.solve(equation, x).state[()].real
        for root in real_roots(equation, x):
            if abs(root - state) > 1e-6 * (abs(root) + abs(state)) + 1e-9:
                forged = certify_numbers(equation, np.array([x + 0j]), np.array([root + 0j]), is_state=True)
                assert not (forged.status == Status.CONVERGED).any(), (x, root)
                wrong += 1
    assert wrong or name in ("product", "power", "sum with a density"), "no spurious root was tried"


@pytest.mark.parametrize("state", [-2.0, 0.3, 1.0, 3.0 + 0.5j])
def test_numbers_that_solve_nothing_are_refused_at_zero(state):
    equation = rmt.SampleCovariance(H, ratio=0.5).equation()
    forged = certify_numbers(equation, np.zeros(1, complex), np.array([state + 0j]), is_state=True)
    assert not forged.ok


def test_values_at_zero_are_known():
    """int 1/x: ``E 1/t / (1 - c)`` for a sample covariance, the product of both for a free product."""
    sol = rmt.solve(MODELS["covariance"][0](), 0.0)
    assert abs(sol.m[()] - (0.5 * (1 + 1 / 3)) / 0.5) < 1e-14
    sol = rmt.solve(MODELS["product"][0](), [0.0, 0.1])
    assert abs(sol.m[0] - 0.5 * (1 + 1 / 20) * 0.75) < 1e-14


@pytest.mark.parametrize("ratio", [1.0, 2.0])
def test_at_an_atom_and_at_a_hard_edge_the_point_is_called_singular(ratio):
    equation = rmt.SampleCovariance(H, ratio=ratio).equation()
    certificate = rmt.solve(equation, 0.0, throw=False).certificate()
    assert certificate.status[()] == Status.SINGULAR
    assert "an edge, a cusp or an atom" in certificate.verdict
