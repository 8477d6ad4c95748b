"""Kernels of the Pastur form: edges, solves on and off the axis, error bounds, and the arithmetic below them."""

import math
from fractions import Fraction

import numpy as np
import pytest

from rmtsolve._kernels import double_double as dd
from rmtsolve._kernels import pastur, primitives
from rmtsolve._kernels.pastur_edges import (
    COLUMNS,
    CUSP,
    E_LO,
    EXCESS,
    LINEAR,
    Q0,
    U_LO,
    E,
    U,
    find_edges,
    refine_power,
)

NONE = np.empty(0)


def edges_of(t, h, scale, origin=True, shift=0.0, pins=NONE):
    """(weights, rows, status) of one equation."""
    t, h = np.array(t, dtype=float), np.array(h, dtype=float)
    weights, low, rows = np.empty(t.size), np.empty(t.size), np.empty((2 * t.size, COLUMNS))
    count, status, _, residual = find_edges(t, h, scale, shift, origin, np.array(pins, dtype=float), weights, low, rows)
    assert residual < 1e-12
    return weights, rows[:count], status


def solve(t, h, scale, x, eta=0.0, origin=True, pins=NONE, certify=True):
    """(u, residual, bound, status, steps) at the given points, as `PasturEquation` calls the kernel."""
    t = np.array(t, dtype=float)
    weights, rows, status = edges_of(t, h, scale, origin, pins=pins)
    assert status == 0
    shift = scale * float(np.array(h) @ t) if origin else 0.0
    e = rows[:, E]
    x = np.atleast_1d(np.array(x, dtype=float))
    index = np.searchsorted(0.5 * (e[1:] + e[:-1]), x)
    y = (x - e[index]) + 1j * eta
    inward = np.where(index % 2 == 0, y.real, -y.real)
    kind = ((inward < 0) & (eta == 0)).astype(np.int64)
    n = x.size
    delta, slope = np.empty(n, complex), np.empty(n, complex)
    status, steps, residual, bound = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n), np.empty(n)
    rest = np.zeros(t.size)
    pastur.sweep(y, index, kind, t, rest, weights, shift, rows, certify, delta, slope, status, steps, residual, bound)
    return rows[index, U] + delta, residual, bound, status, steps


def image(u, t, h, scale, origin=True):
    t, h = np.array(t, dtype=float), np.array(h, dtype=float)
    if origin:
        return u * (1 + scale * ((h * t) / (u[:, None] - t)).sum(axis=1))
    return u + scale * (h / (u[:, None] - t)).sum(axis=1)


TWO = ([1.0, 4.0], [0.5, 0.5])


# ---------------------------------------------------------------------- arithmetic
@pytest.mark.parametrize(("a", "b"), [(1.0, 1e-17), (0.1, 0.3), (-7.3e10, 3.1e-6), (1e100, -1e84)])
def test_double_double(a, b):
    def exact(pair):
        return Fraction(pair[0]) + Fraction(pair[1])

    assert exact(dd.two_sum(a, b)) == Fraction(a) + Fraction(b)
    assert exact(dd.two_prod(a, b)) == Fraction(a) * Fraction(b)
    x, y = (a, a * 1.1e-17), (b, -b * 0.9e-17)
    for operation, wanted in (
        (dd.dd_add, exact(x) + exact(y)),
        (dd.dd_mul, exact(x) * exact(y)),
        (dd.dd_div, exact(x) / exact(y)),
    ):
        assert abs(exact(operation(*x, *y)) / wanted - 1) < 1e-30


def test_primitives():
    assert primitives.inverse(2j) == -0.5j
    assert math.isnan(primitives.inverse(0j).real)
    assert primitives.abs2(3 + 4j) == 25
    for z in (4 + 0j, -4 + 0j, 3 + 4j, 3 - 4j, -3 + 4j, -3 - 1e-30j, 0j):
        root = primitives.sqrt_upper(z)
        assert abs(root * root - z) <= 4e-16 * abs(z)
        assert root.imag >= 0


# ---------------------------------------------------------------------- edges
@pytest.mark.parametrize("c", [1e-3, 0.25, 0.999, 4.0, 1e3])
def test_edges_of_one_atom(c):
    _, rows, status = edges_of([1.0], [1.0], c)
    root = Fraction(math.isqrt(int(Fraction(c) * 10**60)), 10**30)
    assert status == 0
    for row, wanted in zip(rows, ((1 - root) ** 2, (1 + root) ** 2), strict=True):
        assert abs((Fraction(row[E]) + Fraction(row[E_LO])) / wanted - 1) < 1e-25


def test_edges_are_critical_points():
    for h in ([0.5, 0.5], [1 - 1e-12, 1e-12], [1e-9, 1 - 1e-9]):
        weights, rows, status = edges_of([1.0, 4.0], h, 0.1)
        assert status == 0
        assert len(rows) == 4
        for row in rows:
            d = [Fraction(row[U]) + Fraction(row[U_LO]) - t for t in (1, 4)]
            g = sum(Fraction(w) / x**2 for w, x in zip(weights, d, strict=True))
            assert abs(g - 1) < 1e-12  # weights are their high parts here
            assert row[Q0] == pytest.approx(float(sum(Fraction(w) / x**3 for w, x in zip(weights, d, strict=True))))


def test_gap_opens_through_a_cusp():
    touching = 0.4127650913690617
    for ratio, count in ((0.3, 4), (touching * (1 - 1e-9), 4), (touching, 4), (touching * (1 + 1e-9), 2), (0.42, 2)):
        _, rows, status = edges_of(*TWO, ratio)
        assert status == 0
        assert len(rows) == count
        assert (rows[:, CUSP] == 1).sum() == (2 if ratio == touching else 0)
        assert np.all(np.diff(rows[:, E]) >= 0)
    _, rows, _ = edges_of(*TWO, touching)
    assert abs(rows[1, LINEAR]) < 1e-15
    assert abs(rows[1, E] - 1.5888456091725051) < 1e-15


def test_negligible_weights_and_neighbouring_atoms():
    _, rows, status = edges_of([1.0, 4.0], [1.0, 1e-40], 1.0)
    assert status == 0
    assert rows[2, U] == rows[3, U] == 4.0  # the critical points are in the low parts
    assert rows[2, U_LO] < 0 < rows[3, U_LO]
    _, rows, status = edges_of([1.0, np.nextafter(1.0, 2.0)], [0.5, 0.5], 1e-34)
    assert status == 0
    assert len(rows) == 2
    t, h, rows = np.array([1e-200, 1.0]), np.array([0.5, 0.5]), np.empty((4, COLUMNS))
    _, status, _, _ = find_edges(t, h, 1e-300, 0.0, True, NONE, np.empty(2), np.empty(2), rows)
    assert status == 3  # weights underflow: told, not wrong


def test_hard_edges_are_pinned():
    _, rows, _ = edges_of([1.0, 2.0], [0.5, 0.5], 1.0, pins=[0.0])
    assert rows[0, U] == rows[0, E] == 0.0
    assert rows[0, EXCESS] < 1e-15
    _, rows, _ = edges_of([-1.0, 1.0], [0.5, 0.5], 1.0, pins=[0.0])  # hard edge and cusp in one: density ~ |x|^(-1/3)
    assert len(rows) == 4
    assert (rows[1:3, U] == 0).all()
    assert (rows[1:3, CUSP] == 1).all()


@pytest.mark.parametrize("power", [1.5, 2.0, 3.0])
def test_edges_of_free_powers(power):
    """T-th free power of the fair coin: for T >= 2 Kesten's law, edges -+ 2 sqrt(T - 1)."""
    at, mass = np.array([-1.0, 1.0]), np.array([0.5, 0.5])
    poles, k = np.array([0.0]), np.array([1.0])
    pins = at[np.abs(power * mass - (power - 1)) < 1e-15]
    weights, rows, _ = edges_of(poles, k, power - 1, origin=False, pins=pins)
    refine_power(at, mass, power, pins, poles, np.zeros(1), weights, rows)
    assert rows[:, E] == pytest.approx([-2 * math.sqrt(power - 1), 2 * math.sqrt(power - 1)], rel=1e-15)


# ---------------------------------------------------------------------- solves
@pytest.mark.parametrize("origin", [True, False])
@pytest.mark.parametrize("ratio", [0.1, 0.4127650913690617, 2.0])
def test_solutions_on_the_axis(ratio, origin):
    x = np.linspace(-3, 14, 69)
    u, residual, bound, status, steps = solve(*TWO, ratio, x, origin=origin)
    assert (status == 0).all()
    assert (u.imag >= 0).all()
    assert (steps <= 12).all()
    assert np.abs(image(u, *TWO, ratio, origin) - x).max() < 1e-13 * np.abs(x).max()
    assert residual.max() < 1e-12
    assert np.isfinite(bound).all()
    g = (np.array([1.0, 16.0]) if origin else np.ones(2)) * 0.5 * ratio / np.abs(u[:, None] - [1.0, 4.0]) ** 2
    inside = u.imag > 0
    assert np.abs(g.sum(axis=1)[inside] - 1).max() < 1e-12  # a bulk
    assert (g.sum(axis=1)[~inside] <= 1 + 1e-12).all()  # the branch with F' >= 0


def test_solutions_off_the_axis():
    rng = np.random.default_rng(1)
    x = np.sort(rng.uniform(-5, 20, 40))
    for eta in (1e-12, 1e-6, 0.1, 50.0):
        u, residual, bound, status, _ = solve(*TWO, 0.4, x, eta)
        assert (status == 0).all()
        assert (u.imag >= eta).all()
        assert np.abs(image(u, *TWO, 0.4) - (x + 1j * eta)).max() < 1e-12 * (20 + eta)
        assert residual.max() < 1e-12
        assert np.isfinite(bound).all()


def test_error_bounds_hold():
    """Against Newton's method in exact rational arithmetic."""
    x = np.array([-1.0, 0.2, 0.9, 2.0, 7.0, 9.5])
    for eta in (0.0, 1e-8, 1e-3):
        u, _, bound, _, _ = solve(*TWO, 0.4, x, eta)
        for approximate, size, point in zip(u, bound, x, strict=True):
            v = [Fraction(approximate.real), Fraction(approximate.imag)]
            for _ in range(2):
                f, slope = [v[0] - Fraction(point), v[1] - Fraction(eta)], [Fraction(1), Fraction(0)]
                for t, h in zip(*TWO, strict=True):
                    w, b = Fraction(0.4) * Fraction(h) * Fraction(t) ** 2, Fraction(0.4) * Fraction(h) * Fraction(t)
                    d = (v[0] - Fraction(t)) ** 2 + v[1] ** 2
                    inverse = [(v[0] - Fraction(t)) / d, -v[1] / d]
                    f = [f[0] + b + w * inverse[0], f[1] + w * inverse[1]]
                    square = [inverse[0] ** 2 - inverse[1] ** 2, 2 * inverse[0] * inverse[1]]
                    slope = [slope[0] - w * square[0], slope[1] - w * square[1]]
                d = slope[0] ** 2 + slope[1] ** 2
                v[0] -= (f[0] * slope[0] + f[1] * slope[1]) / d
                v[1] -= (f[1] * slope[0] - f[0] * slope[1]) / d
                v = [part.limit_denominator(10**40) for part in v]
            error = math.hypot(float(v[0] - Fraction(approximate.real)), float(v[1] - Fraction(approximate.imag)))
            assert error <= size


def test_points_on_edges_and_unordered_points():
    _, rows, _ = edges_of(*TWO, 0.4)
    u, _, bound, status, _ = solve(*TWO, 0.4, [*rows[:, E], 5.0])
    assert (status == 0).all()
    assert u[:-1].real == pytest.approx(rows[:, U], rel=1e-15, abs=1e-7)
    assert (bound >= 0).all()
    shuffled = np.random.default_rng(0).permutation(np.linspace(0.1, 9, 33))
    one = np.concatenate([solve(*TWO, 0.4, point)[0] for point in shuffled])
    assert solve(*TWO, 0.4, np.sort(shuffled), certify=False)[0] == pytest.approx(one[np.argsort(shuffled)], rel=1e-13)


def test_points_that_are_not_finite():
    with np.errstate(all="ignore"):
        _, _, _, status, _ = solve(*TWO, 0.4, [np.inf], 1.0)
    assert status[0] == 3


@pytest.mark.parametrize("eta", [0.0, 1e-3])
@pytest.mark.parametrize("x", [0.3, 2.0, 6.0])
def test_bisection_cannot_fail(x, eta):
    t, h = np.array(TWO[0]), np.array(TWO[1])
    u = pastur.curve_point(x, eta, t, 0.4 * h * t * t, 0.4 * float(h @ t))
    assert abs(image(np.array([u]), *TWO, 0.4)[0] - complex(x, eta)) < 1e-12
    assert u == pytest.approx(solve(*TWO, 0.4, x, eta)[0][0], rel=1e-11)


def test_euler_from_bad_starts():
    """Starts far off or next to the axis still end at the root above the axis."""
    t, h = np.array(TWO[0]), np.array(TWO[1])
    weights, rows, _ = edges_of(t, h, 0.4)
    d = rows[0, U] - t
    v = weights / d**2
    y = 0.5 + 0j
    wanted = solve(*TWO, 0.4, rows[0, E] + 0.5)[0][0] - rows[0, U]
    ends = []
    for start in (
        1e-9 + 1e-12j,
        -1e3 + 1e-3j,
        1.9 + 1e-9j,
        3.2 + 1e-3j,
        1e-3 + 1j,
        -5 + 1e-3j,
        40 + 1j,
        1 + 1e-8j,
        2.5 + 0.1j,
        -0.2 + 3j,
    ):
        delta, _, _, _, status = pastur._euler(y, start, rows[0, Q0], 0.0, 0.0, d, v)
        if status == 0:
            ends.append(abs(delta - wanted))
    assert len(ends) >= 4
    assert max(ends) < 1e-12
