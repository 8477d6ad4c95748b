"""The compiled iterations: every domain, every way to end, against closed forms; runs without the compiler too."""

import cmath

import numpy as np
import pytest

from rmtsolve._kernels.iterate import (
    CONVERGED,
    MAX_STEPS,
    NOT_FINITE,
    STALLED,
    driver,
    in_domain,
    merit_of,
    positive_imaginary,
    residual_of,
    typed_step,
)

EMPTY = np.empty((0, 0), np.complex128)


def semicircle(z, m):
    return -1.0 / (z + m)


def pair(z, m):
    return -1.0 / (z + m[::-1])


def matrix(z, m):
    return -np.linalg.inv(z * np.eye(2) + m)


def broken(z, m):
    return m * np.nan


def circling(z, m):
    """No fixed point in the upper half-plane, and iterates that stay bounded."""
    return 1j * abs(m) + np.exp(1j * m.real) + 2.0


def truth(z):
    root = cmath.sqrt(z * z - 4.0)
    m = 0.5 * (-z + root)
    return m if m.imag > 0 else 0.5 * (-z - root)


def run(name, function, shape, z, start, *knobs, side=0, domain=1, unit=0.0):
    z = np.asarray(z, dtype=np.complex128)
    start = np.asarray(start, dtype=np.complex128).reshape(z.size, -1)
    out = np.empty_like(start)
    status, steps, residual = np.empty(z.size, np.int64), np.empty(z.size, np.int64), np.empty(z.size)
    step = typed_step(function, shape)
    driver(name)(step, domain, side, z, start, np.full(z.size, unit), *knobs, out, status, steps, residual)
    return out, status, steps, residual


POINTS = np.array([-2.5 + 0.1j, -1.0 + 0.01j, 0.3 + 0.5j, 1.9 + 0.2j])


@pytest.mark.parametrize("domain", [0, 1])
def test_newton_reaches_the_semicircle(domain):
    out, status, steps, residual = run("newton_sweep", semicircle, (), POINTS, -1.0 / POINTS, 1e-12, 60, domain=domain)
    assert (status == CONVERGED).all()
    assert np.allclose(out[:, 0], [truth(z) for z in POINTS], rtol=1e-13)
    assert residual.max() < 1e-12
    assert steps.max() < 60


def test_newton_in_the_sector():
    def covariance(z, m):
        return 1.0 / (0.5 - 0.5 * z * m - z)

    z = np.array([0.5 + 0.1j, 1.5 + 0.05j])
    out, status, _, _ = run("newton_sweep", covariance, (), z, -1.0 / z, 1e-12, 60, domain=2)
    assert (status == CONVERGED).all()
    assert np.allclose(0.5 * z * out[:, 0] ** 2 - (0.5 - z) * out[:, 0] + 1.0, 0.0, atol=1e-12)


@pytest.mark.parametrize("side", [0, 2])
def test_newton_for_vectors_and_matrices(side):
    z = POINTS[1:3]
    if side:
        start = np.array([-np.eye(2) / w for w in z])
        out, status, _, _ = run("newton_sweep", matrix, (2, 2), z, start, 1e-12, 60, side=2, domain=3)
        wanted = [np.eye(2).ravel() * truth(w) for w in z]
    else:
        out, status, _, _ = run("newton_sweep", pair, (2,), z, [[-1 / w, -1 / w] for w in z], 1e-12, 60)
        wanted = [[truth(w), truth(w)] for w in z]
    assert (status == CONVERGED).all()
    assert np.allclose(out, wanted, rtol=0, atol=1e-13)


@pytest.mark.parametrize("window", [0, 1, 3])
def test_averaged_and_anderson_iterations(window):
    out, status, steps, _ = run("anderson_sweep", pair, (2,), POINTS[2:], [[1j, 1j]] * 2, window, 0.5, 1e-12, 400)
    assert (status == CONVERGED).all()
    assert np.allclose(out, [[truth(z)] * 2 for z in POINTS[2:]], rtol=0, atol=1e-11)
    assert window == 0 or steps.max() < 60


def test_every_bad_ending_is_told():
    z = np.array([0.3 + 0.5j])
    assert run("newton_sweep", broken, (), z, [1j], 1e-12, 60)[1] == NOT_FINITE
    assert run("anderson_sweep", broken, (), z, [1j], 2, 0.5, 1e-12, 60)[1] == NOT_FINITE
    assert run("newton_sweep", semicircle, (), z, [1j], 1e-12, 2)[1] == MAX_STEPS
    assert run("anderson_sweep", semicircle, (), z, [1j], 0, 0.5, 1e-12, 3)[1] == MAX_STEPS
    assert run("newton_sweep", circling, (), z, [1j], 1e-12, 300)[1] == STALLED


def test_wrong_shapes_of_an_image_become_nan():
    def short(z, m):
        return np.full(1, -1.0 / z)

    def flat(z, m):
        return np.full((1, 1), -1.0 / z)

    z, out = np.array([1j]), np.empty((1, 2), np.complex128)
    driver("evaluate")(typed_step(short, (2,)), z, np.ones((1, 2), np.complex128), out)
    assert np.isnan(out).all()
    out = np.empty((1, 4), np.complex128)
    driver("evaluate")(typed_step(flat, (2, 2)), z, np.ones((1, 4), np.complex128), out)
    assert np.isnan(out).all()


def test_domains():
    z, work = 1.0 + 1.0j, np.empty((2, 2), np.complex128)
    inside, real = np.array([0.5j, 1 + 1j]), np.array([0.5j, 1 + 0j])
    assert in_domain(1, z, inside, EMPTY)
    assert not in_domain(1, z, real, EMPTY)
    assert in_domain(0, z, real, EMPTY)
    assert not in_domain(0, z, real * np.nan, EMPTY)
    assert in_domain(2, z, np.array([1j]), EMPTY)
    assert not in_domain(2, z, np.array([-1 + 0.1j]), EMPTY)
    assert positive_imaginary(np.array([2j, 1j, 1j, 2j]), work)
    assert not positive_imaginary(np.array([1j, 2j, 2j, 1j]), work)
    assert in_domain(3, z, np.array([2j, 5.0, 5.0, 2j]), work)


def test_merits_measure_the_hyperbolic_distance():
    z, work = 0.5 + 0.5j, np.empty((2, 2), np.complex128)
    s, t = np.array([0.2 + 1.0j]), np.array([-0.3 + 1.2j])
    # sinh^2(d/2) = |s - t|^2 / (4 Im s Im t), and d itself from the Moebius map to the disc
    d = 2.0 * np.arctanh(abs((s[0] - t[0]) / (s[0] - t[0].conjugate())))
    assert abs(merit_of(1, z, s, t, 0.0, EMPTY) - np.sinh(d / 2) ** 2) < 1e-15
    # the sector's merit is that of the half-plane after the power map
    power = np.pi / (np.pi - np.angle(z))
    assert abs(merit_of(2, z, s, t, 0.0, EMPTY) - merit_of(1, z, s**power, t**power, 0.0, EMPTY)) < 1e-14
    assert merit_of(1, z, s, -t, 0.0, EMPTY) == np.inf
    assert merit_of(1, z, s, s, 0.0, EMPTY) == 0.0
    assert merit_of(0, z, s, t, 0.0, EMPTY) == residual_of(s, t, 0.0) ** 2
    assert merit_of(3, z, np.array([2j, 0, 0, 2j]), np.array([1j, 0, 0, 1j]), 0.0, work) == 0.25
    with np.errstate(over="ignore"):
        assert merit_of(1, z, np.array([1e200 + 1e-200j]), np.array([1e-200j]), 0.0, EMPTY) == np.inf


def test_residuals():
    s = np.array([1.0 + 0j, 2.0])
    assert residual_of(s, s, 0.0) == 0.0
    assert residual_of(s, s + np.array([0.0, 1.0]), 0.0) == pytest.approx(1.0 / 3.0)
    assert residual_of(s, s * np.nan, 0.0) == np.inf


def test_a_state_that_vanishes_is_measured_against_its_terms():
    def gap(z, m):
        return 0.3 / (1.0 - z - 0.2 * m) + 0.7 / (-1.0 - z - 0.2 * m)

    z = np.array([0.4 + 0j, 0.4 + 1e-13j])
    for name, knobs in (("newton_sweep", (1e-12, 200)), ("anderson_sweep", (5, 0.5, 1e-12, 300))):
        out, status, _, _ = run(name, gap, (), z, [1j, 1j], *knobs, domain=0, unit=0.7)
        assert (status == CONVERGED).all()
        assert np.allclose(out[:, 0], 0.0, rtol=0, atol=1e-11)
    # without them what rounding leaves is compared with itself
    assert (run("newton_sweep", gap, (), z, [1j, 1j], 1e-12, 200, domain=0)[1] != CONVERGED).any()
    assert residual_of(np.array([0j]), np.array([1e-3 + 0j]), 0.5) == pytest.approx(2e-3)


def test_a_restart_follows_a_neighbour_outside_the_domain():
    # the second point lies in another sector, so the first solution is no start for it
    z = np.array([-2.0 + 0.01j, 3.0 + 0.01j])

    def shifted(z, m):
        return 1.0 / (1.0 - 0.5 - 0.5 * z * m - z)

    out, status, _, _ = run("newton_sweep", shifted, (), z, -1.0 / z, 1e-12, 80, domain=2)
    assert (status == CONVERGED).all()
    assert np.allclose(0.5 * z * out[:, 0] ** 2 - (0.5 - z) * out[:, 0] + 1.0, 0.0, atol=1e-11)
