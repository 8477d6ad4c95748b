"""Many digits: which array operations a map may use, and what is said when it uses others."""

import mpmath
import numpy as np
import pytest

import rmtsolve as rmt

DIGITS = rmt.HighPrecision(digits=40)


def digits_agree(got, wanted):
    with mpmath.workdps(50):
        return abs(got - wanted) < mpmath.mpf(10) ** -38


def test_vectors_and_matrices():
    z = 0.3 + 0.5j
    with mpmath.workdps(50):
        w = mpmath.mpc(z)
        root = mpmath.sqrt(w * w - 4)
        exact = max(((-w + root) / 2, (-w - root) / 2), key=lambda r: r.imag)
    pair = rmt.Equation(lambda z, m: -1 / (z[:, None] + np.einsum("ij,nj->ni", [[0, 1], [1, 0]], m)), shape=(2,))
    square = rmt.Equation(lambda z, m: -np.linalg.inv(z[:, None, None] * np.eye(2) + m), shape=(2, 2))
    solved = rmt.Equation(lambda z, m: np.linalg.solve(-(z[:, None, None] * np.eye(2)) - m, np.eye(2)), shape=(2, 2))
    for equation in (pair, square, solved):
        sol = rmt.solve(equation, z, DIGITS)
        assert digits_agree(sol.precise_m[()], exact)
        assert "repeated with mpmath to 40 digits" in sol.explain()


def test_elementary_functions():
    # z = u + log(1 + exp) style compositions: a shifted semicircle written with exp and log
    equation = rmt.Equation(lambda z, m: -np.exp(-np.log(np.sqrt((z + m) ** 2 + 0j)) - 0j) * np.sign(z.real + 9).real)
    with pytest.raises(rmt.DomainError):
        rmt.solve(equation, 0.3 + 0.5j, DIGITS)
    entropy = rmt.Equation(lambda z, m: -1 / (z + np.expm1(np.log1p(m))))
    plain = rmt.Equation(lambda z, m: -1 / (z + m))
    got, wanted = (rmt.solve(e, 0.3 + 0.5j, DIGITS).precise_m[()] for e in (entropy, plain))
    assert digits_agree(got, wanted)


def test_a_real_point_gives_a_real_answer():
    sol = rmt.solve(rmt.Equation(lambda z, m: -1 / (z + m)), [3.0, -5.0], DIGITS)
    with mpmath.workdps(50):
        assert digits_agree(sol.precise_m[0], (-3 + mpmath.sqrt(5)) / 2)
    assert sol.m.imag.tolist() == [0.0, 0.0]


def test_built_in_families():
    model = rmt.SampleCovariance(rmt.Discrete([1, 4], [0.5, 0.5]), 0.5)
    sol = rmt.solve(model.equation(), [2 + 0.5j, -1.0], DIGITS)
    with mpmath.workdps(50):
        for z, m in zip(sol.z, sol.precise_m, strict=True):
            w, total = mpmath.mpc(complex(z)), 0
            for t in (1, 4):
                total += mpmath.mpf(1) / 2 / (t * (mpmath.mpf(1) / 2 - w * m / 2) - w)
            assert digits_agree(m, total)


def test_failed_points_stay_failed():
    sol = rmt.solve(rmt.Equation(lambda z, m: -1 / (z + m)), [2.0, 1j], DIGITS, throw=False)
    assert sol.status[1] == rmt.Status.CONVERGED
    assert sol.status[0] != rmt.Status.CONVERGED


def test_maps_that_cannot_take_many_digits_are_told_how():
    def preallocated(z, m):
        out = np.empty(z.shape, dtype=complex)
        out[:] = -1 / (z + m)
        return out

    with pytest.raises(rmt.DomainError, match=r"step must .*preallocated|keeps mpmath numbers"):
        rmt.solve(rmt.Equation(preallocated), 1j, DIGITS)
