"""The kernels of explicit inverse maps: edges in double-double, roots from edges, special points."""

import numpy as np
import pytest

from rmtsolve._kernels import anchored
from rmtsolve._kernels.anchored_edges import ALPHA, BETA, COLUMNS, E_LO, NOISE, Q0, SAMPLES, U_LO, E, U, polish_edge


def table(kind, t, g, par, critical, hard=None):
    rows = np.empty((len(critical), COLUMNS))
    hard = [False] * len(critical) if hard is None else hard
    moves = [polish_edge(kind, v, 0.0, h, t, g, par, row) for v, h, row in zip(critical, hard, rows, strict=True)]
    return rows, np.array(moves)


def solve(kind, t, g, par, rows, index, y, outside, start=None):
    n = len(y)
    parts = [np.empty(n, dtype=np.complex128) for _ in range(3)]
    status, steps, residual, radius = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n), np.empty(n)
    begin = np.full(n, complex(np.nan, np.nan)) if start is None else np.array(start, dtype=np.complex128)
    anchored.sweep(
        kind, np.array(y, dtype=np.complex128), np.array(index), np.array(outside), begin, t, g, par, rows, *parts,
        status, steps, residual, radius,
    )  # fmt: skip
    return parts[0], parts[1], parts[2], status, residual, radius


def noise_map(v, t, g, par):
    q = 1 - par[0] * (g / (t - v)).sum()
    return v * q**2 + par[1] * q


def share_map(v, t, g, par):
    level = par[0] + (g / (t - v)).sum()
    top = par[1] * v * (1 - par[2] * level)
    return top / (par[3] * (par[4] + par[5] * level) + par[6] * v * (level - par[0]))


NOISE_CASE = (np.array([0.0, 2.0]), np.array([0.5, 0.5]), np.array([0.5, 0.5]))  # kappa = d = 1/2


def noise_rows():
    t, g, par = NOISE_CASE
    from rmtsolve.equations.information_noise import InformationNoiseEquation
    from rmtsolve.measures.discrete import Discrete

    critical = InformationNoiseEquation(Discrete([0, 2]), 1.0, 0.5)._critical[0]
    return table(NOISE, t, g, par, critical)


def test_edges_are_critical_points_and_starts_do_not_matter():
    t, g, par = NOISE_CASE
    rows, moves = noise_rows()
    assert (moves < 1e-12).all()
    step = 1e-4
    for row in rows:
        v = row[U] + row[U_LO]
        assert abs(noise_map(v, t, g, par) - row[E] - row[E_LO]) <= 1e-14
        rise = noise_map(v + step, t, g, par) - noise_map(v - step, t, g, par)
        assert abs(rise) <= 1e-7 * step
        second = (noise_map(v + step, t, g, par) + noise_map(v - step, t, g, par) - 2 * row[E]) / step**2
        assert second == pytest.approx(2 * row[Q0], rel=1e-5)
    again, _ = table(NOISE, t, g, par, [row[U] * (1 + 1e-3) for row in rows])
    np.testing.assert_allclose(again[:, [U, E]], rows[:, [U, E]], rtol=1e-15)


def test_roots_solve_the_noise_equation():
    t, g, par = NOISE_CASE
    rows, _ = noise_rows()
    y = np.array([0.3, 0.3 + 1e-9j, -0.05 + 0.1j, -0.01, 0.0, 1e-30])
    delta, rise, slope, status, residual, radius = solve(NOISE, t, g, par, rows, [0] * 6, y, [0, 0, 0, 1, 0, 0])
    assert (status == 0).all() and (residual[np.arange(6) != 4] < 1e-12).all() and (radius < 1e-14).all()
    for i in range(4):
        v = rows[0, U] + delta[i]
        assert abs(noise_map(v, t, g, par) - rows[0, E] - y[i]) <= 1e-14
        assert rise[i] == pytest.approx((g / (t - v)).sum() - (g / (t - rows[0, U])).sum(), rel=1e-12)
        step = 1e-5
        rate = (noise_map(v + step, t, g, par) - noise_map(v - step, t, g, par)) / (2 * step)
        assert abs(slope[i] - rate) <= 1e-8
    assert delta[3].imag == 0.0 and abs(delta[4]) < 1e-16
    # next to the edge the root has the relative accuracy of the offset
    assert delta[5] == pytest.approx(np.sqrt(1e-30 / rows[0, Q0] + 0j), rel=1e-12)


def test_outer_real_roots_far_away_and_a_given_start():
    t, g, par = NOISE_CASE
    rows, _ = noise_rows()
    last = rows.shape[0] - 1
    far = np.array([1e12, 1e-9])
    delta, _, _, status, _, _ = solve(NOISE, t, g, par, rows, [last] * 2, far, [1, 1])
    assert (status == 0).all() and delta[0].real == pytest.approx(1e12, rel=1e-9) and delta[1].real > 0.0
    left, _, _, status, _, _ = solve(NOISE, t, g, par, rows, [0], [-1e12], [1])
    assert status[0] == 0 and left[0].real == pytest.approx(-1e12, rel=1e-9)
    one, _, _, _, _, _ = solve(NOISE, t, g, par, rows, [0], [0.3], [0])
    two, _, _, status, _, _ = solve(NOISE, t, g, par, rows, [0], [0.3], [0], start=one * (1.1 + 0.1j))
    assert status[0] == 0 and two[0] == pytest.approx(one[0], rel=1e-14)
    _, _, _, status, _, _ = solve(NOISE, t, g, par, rows, [0], [complex(np.nan, 1.0)], [0])
    assert status[0] == 3


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_a_cusp_of_the_noise_equation(side):
    """Two atoms at the ratio of noise at which their bulks touch: the density next to it goes like the cube root."""
    from scipy.optimize import brentq

    t, g = np.array([1.0, 2.0]), np.array([0.5, 0.5])

    def highest(variance):
        par = np.array([0.5 * variance, 0.5 * variance])
        v = np.linspace(1.05, 1.95, 20001)
        share = np.array([1 - par[0] * (g / (t - x)).sum() for x in v])
        rate = np.where(share > 0.0, np.gradient([noise_map(x, t, g, par) for x in v], v), -1.0)
        return float(rate.max()), float(v[np.argmax(rate)])

    variance = brentq(lambda s: highest(s)[0], 0.01, 0.5, xtol=1e-10)
    par = np.array([0.5 * variance, 0.5 * variance])
    middle = highest(variance)[1]
    from rmtsolve.equations.information_noise import InformationNoiseEquation
    from rmtsolve.measures.discrete import Discrete

    critical = InformationNoiseEquation(Discrete([1, 2]), variance**0.5 * (1 - 1e-7), 0.5)._critical[0]
    assert len(critical) == 4 and abs(critical[1] - middle) < 0.05
    par *= (1 - 1e-7) ** 2
    rows, _ = table(NOISE, t, g, par, critical)
    which = 1 if side < 0 else 2
    y = side * np.array([1e-3, 1e-2]) + 0j
    delta, _, _, status, residual, _ = solve(NOISE, t, g, par, rows, [which] * 2, y, [0, 0])
    assert (status == 0).all() and (residual < 1e-12).all()
    for d, offset in zip(delta, y, strict=True):
        assert abs(noise_map(rows[which, U] + d, t, g, par) - rows[which, E] - offset) <= 1e-14
    assert delta[1].imag / delta[0].imag == pytest.approx(10 ** (1 / 3), rel=0.1)


def sample_case(share):
    """White H: Wachter's edges, or those of the Jacobi law."""
    from rmtsolve.equations.two_samples import TwoSamplesEquation
    from rmtsolve.measures.discrete import Discrete

    equation = TwoSamplesEquation(Discrete([1.0, 4.0]), 0.5, 0.2 if not share else 1.5, share=share)
    poles, weights, _ = equation._sums
    critical, hard = equation._critical
    rows, _ = table(SAMPLES, poles, weights, equation.parameters, critical, hard)
    return poles, weights, equation.parameters, rows


@pytest.mark.parametrize("share", [False, True])
def test_roots_solve_the_equation_of_two_samples(share):
    t, g, par, rows = sample_case(share)
    width = rows[1, E] - rows[0, E]
    y = np.array([0.3 * width, 0.2 * width + 1e-3j, -0.5 * rows[0, E], 1j * width])
    delta, _, _, status, residual, _ = solve(SAMPLES, t, g, par, rows, [0] * 4, y, [0, 0, 1, 0])
    assert (status == 0).all() and (residual < 1e-12).all()
    for d, offset in zip(delta, y, strict=True):
        assert abs(share_map(rows[0, U] + d, t, g, par) - rows[0, E] - offset) <= 1e-12 * (1 + abs(offset))
    level = par[0] + (g / (t - rows[0, U])).sum()
    assert rows[0, ALPHA] == pytest.approx(1 - par[2] * level, rel=1e-12)
    assert rows[0, BETA] == pytest.approx(par[4] + par[5] * level, rel=1e-12)


def test_the_share_stays_exact_at_infinity():
    t, g, par, rows = sample_case(True)
    delta, _, _, status, _, _ = solve(SAMPLES, t, g, par, rows, [1, 1], [1e17j, 1e19], [0, 1])
    assert (status == 0).all()
    # v is asymptotically linear in theta: the ratio settles
    ratio = delta / np.array([1e17j, 1e19])
    assert ratio[0] == pytest.approx(ratio[1], rel=1e-9) and abs(ratio[0].imag) <= 1e-9 * abs(ratio[0])


def test_hard_edges_are_kept_where_they_are():
    t, g = np.array([1.0, 4.0]), np.array([0.5, 2.0])
    par = np.array([0.0, 1.0, 1.0, 1.0, 0.8, 0.2, 0.0])  # c1 = 1
    rows, _ = table(SAMPLES, t, g, par, [0.0], [True])
    assert rows[0, U] == rows[0, E] == 0.0
    low, _, _, status, _, _ = solve(SAMPLES, t, g, par, rows, [0, 0], [1e-20, 1e-18], [0, 0])
    assert (status == 0).all() and low[1].imag / low[0].imag == pytest.approx(10.0, rel=1e-9)
    # noise: the zero of q, at which F and F' vanish for d = 0
    t, g, par = np.array([1.0, 2.0]), np.array([0.5, 0.5]), np.array([9.0, 0.0])
    rows, _ = table(NOISE, t, g, par, [-7.5], [True])
    assert rows[0, E] == 0.0 and 1 - par[0] * (g / (t - rows[0, U])).sum() == pytest.approx(0.0, abs=1e-14)
