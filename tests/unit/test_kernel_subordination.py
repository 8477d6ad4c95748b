"""The compiled sweep of two discrete factors: every branch, also with the compiler off."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from rmtsolve._kernels.subordination import PRODUCT, SANDWICH, SUM, real_factor, sweep

ONE, TWO = np.array([0.0, 1.0, 3.0]), np.array([-1.0, 2.0])
W_ONE, W_TWO = np.array([0.4, 0.35, 0.25]), np.array([0.5, 0.5])


def run(kind, z, start, *, real=None, x1=ONE, w1=W_ONE, x2=TWO, w2=W_TWO, max_steps=200):
    z, start = np.atleast_1d(z).astype(complex), np.atleast_1d(start).astype(complex)
    s = z if kind == SUM else 0 * z
    t = 1 + 0 * z if kind == SUM else z if kind == PRODUCT else 1 / z.conj()
    real = np.zeros(z.size, dtype=bool) if real is None else real
    v, u = np.empty_like(z), np.empty_like(z)
    status, steps, residual = np.empty(z.size, dtype=np.int64), np.empty(z.size, dtype=np.int64), np.empty(z.size)
    sweep(kind, s, t, real, start, x1, w1, x2, w2, max_steps, v, u, status, steps, residual)
    return v, u, status, steps, residual


@pytest.mark.parametrize("kind", [SUM, PRODUCT, SANDWICH])
def test_fixed_points(kind):
    z = np.array([0.3 + 0.2j, 0.4 + 0.2j, 4.0 + 0.1j])
    v, u, status, steps, residual = run(kind, z, z + 1j)
    assert not status.any()
    assert residual.max() < 1e-14
    assert steps.min() >= 1

    def image(x, w, at):
        if kind == SANDWICH:
            return (w * x / (1 - x * at[:, None])).sum(axis=1)
        m = (w / (x - at[:, None])).sum(axis=1)
        return -1 / m - at if kind == SUM else m / (1 + at * m)

    s, t = (z, 1.0) if kind == SUM else (0.0, z if kind == PRODUCT else 1 / z.conj())
    assert_allclose(u, s + t * image(TWO, W_TWO, v), rtol=1e-12)
    assert_allclose(v, s + t * image(ONE, W_ONE, u), rtol=1e-12)


def test_real_points_of_a_bulk_and_of_a_gap():
    v, _, status, _, _ = run(SUM, [0.0, 0.5], 1j)
    assert not status.any()
    assert v.imag.min() > 0.1
    real = np.array([True])
    v, u, status, _, _ = run(SUM, -5.0, -4.4, real=real)
    assert status[0] == 0
    assert v[0].imag == 0.0
    m = [(w / (x - p)).sum() for x, w, p in ((ONE, W_ONE, u[0]), (TWO, W_TWO, v[0]))]
    assert_allclose(m[0], m[1], rtol=1e-13)


def test_failures_are_told():
    assert run(SUM, 0.0, 1j, max_steps=2)[2] == 1
    assert run(SUM, -5.0, -4.4, real=np.array([True]), max_steps=2)[2] == 1
    assert run(SUM, -5.0, np.nan, real=np.array([True]))[2] == 3
    assert run(SUM, 0.1j, complex(np.nan, np.nan))[2] == 3
    # a warm start that does not get there in time is followed by the caller's own
    _, _, status, steps, _ = run(SUM, [100.0 + 0.01j, 0.0], [100.0 + 1j, 0.2 + 1.3j], max_steps=9)
    assert steps[1] > 0
    assert status[0] == 0


def test_singular_and_repelling_fixed_points():
    # masses that sum to one: T' = 1 where the atoms would meet
    half = np.array([0.5, 0.5])
    points = np.array([0.0, 1.0])
    _, _, status, _, _ = run(SUM, 1.0, 0.5 + 1j, x1=points, w1=half, x2=points, w2=half)
    assert status[0] in (0, 7)
    # next to a real fixed point with |T'| > 1 the residual vanishes, but it is not the solution
    x1, w1 = np.array([0.0, 0.0114952, 43.6714]), np.array([0.723302, 0.0530396, 0.2236584])
    x2, w2 = np.array([0.5, 2.5, 5.0]), np.array([0.434103, 0.364543, 0.201354])
    z, wrong = 0.02178063, 0.87683741
    for _ in range(60):  # the real fixed point, by Newton's method on a difference quotient
        here = [_image_product(z, p, x1, w1, x2, w2) - p for p in (wrong, wrong + 1e-7)]
        wrong -= here[0] / ((here[1] - here[0]) / 1e-7)
    _, _, status, _, _ = run(PRODUCT, z, complex(wrong, 1e-17), x1=x1, w1=w1, x2=x2, w2=w2)
    assert status[0] == 5


def _image_product(z, v, x1, w1, x2, w2):
    for x, w in ((x2, w2), (x1, w1)):
        m = (w / (x - v)).sum()
        v = z * m / (1 + v * m)
    return v


@pytest.mark.parametrize("kind", [SUM, PRODUCT, SANDWICH])
def test_real_points(kind):
    """N and N' against plain sums; at an atom and next to it, where m overflows, against their limits."""
    p = np.array([-9.0, -0.2, 0.4, 1.7, 8.0])

    def both(p):
        value, slope = np.empty(p.size), np.empty(p.size)
        real_factor(kind, p, ONE, W_ONE, value, slope)
        return value, slope

    def plain(p):
        if kind == SANDWICH:
            return (W_ONE * ONE / (1 - ONE * p[:, None])).sum(axis=1)
        m = (W_ONE / (ONE - p[:, None])).sum(axis=1)
        return -1 / m - p if kind == SUM else m / (1 + p * m)

    value, slope = both(p)
    assert_allclose(value, plain(p), rtol=1e-13)
    assert_allclose(slope, plain(p + 1e-20j).imag / 1e-20, rtol=1e-12)
    if kind != SANDWICH:
        exact = -1.0 if kind == SUM else 1.0  # 1/m vanishes at an atom a: N = -a, or 1/a
        value, slope = both(np.array([1.0, 1.0 + 1e-300, np.nextafter(3.0, 4.0)]))
        assert_allclose(value, [exact, exact, -3.0 if kind == SUM else 1.0 / 3.0], rtol=1e-15)
        assert_allclose(slope[:2], both(np.full(2, 1.0 + 1e-9))[1], rtol=1e-7)
