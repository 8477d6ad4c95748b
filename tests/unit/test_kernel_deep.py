"""The kernels of deep features, branch by branch; small enough to run without the compiler."""

import numpy as np
import pytest

from rmtsolve._kernels import deep_chain, deep_spectrum
from rmtsolve.equations.deep_chain import Chain, DeepChainEquation
from rmtsolve.measures.discrete import Discrete


def chain(rho=(), a=(), b=(), atoms=(1.0,), laws=None):
    population = Discrete(list(atoms))
    x = population.locations
    laws = tuple(laws) if laws is not None else (None,) * len(rho)
    return Chain(population, np.stack([x, x], axis=1), *(np.array(v, float) for v in (rho, a, b)), laws)


ONE = chain((0.8,), (0.4,), (0.05,), (0.5, 1.5))
TWO = chain((0.8, 1.2), (0.4, 0.7), (0.05, 0.0), (0.5, 1.5), (Discrete([0.3, 2.0]), Discrete([0.0, 1.0])))


def stages_of(net, lam, ratio, guess=1.0):
    lam, ratio = np.atleast_1d(np.asarray(lam, float)), np.full(np.size(lam), ratio)
    stages = np.empty((lam.size, net.levels, deep_chain.COLUMNS))
    status, steps, residual = np.empty(lam.size, np.int64), np.empty(lam.size, np.int64), np.empty(lam.size)
    deep_chain.ridge_sweep(lam, ratio, np.full(lam.size, guess), net.packed, stages, status, steps, residual)
    return stages, status, residual


def test_moments_by_both_formulas():
    x, w = np.array([0.0, 0.5, 2.0]), np.array([0.2, 0.3, 0.4])
    for kappa in (1e-3 + 0j, 0.7 - 0.2j, 50.0 + 0j):  # t above and below one half
        t, spread, v, q = deep_chain.moments(kappa, x, w, 0, 3, 0.1)
        full_x, full_w = np.append(x, 0.0), np.append(w, 0.1)
        share = full_x / (full_x + kappa)
        assert t == pytest.approx(full_w @ share, rel=1e-13)
        assert spread == pytest.approx(full_w @ share**2 - t * t, rel=1e-9, abs=1e-15)
        assert v == pytest.approx(full_w @ (share * (1 - share)), rel=1e-13)
        assert q == pytest.approx(full_w @ (1 / (full_x + kappa)), rel=1e-13)
    assert deep_chain.missing_mass(w, 0, 3) == pytest.approx(0.1)
    assert deep_chain.missing_mass(np.array([0.5, 0.5]), 0, 2) == 0.0


@pytest.mark.parametrize("gap", [0, 1, 2, 3])
@pytest.mark.parametrize("t", [0.6, 0.99999, -0.4, -30.0, 3.0])
def test_root_in_every_gap(gap, t):
    c, w = np.array([0.3, 1.0, 2.0]), np.array([0.2, 0.3, 0.5])
    found, k = deep_chain.structure_root(complex(t), complex(1.0 - t), c, w, 0, 3, gap, complex(1.0))
    poles = np.concatenate([[-np.inf], -c[::-1], [np.inf]])
    if (gap == 3 and t < 0) or (gap == 0 and t > 0):
        assert not found
        return
    ordered = gap if gap in (0, 3) else 3 - gap  # gaps count from the smallest atom, except the outer ones
    assert found and poles[ordered] <= k.real <= poles[ordered + 1]
    assert (w * c / (c + k)).sum() == pytest.approx(t, rel=1e-9)


def test_root_near_a_guess():
    c, w = np.array([0.3, 1.0, 2.0]), np.array([0.2, 0.3, 0.4])  # and mass 0.1 at zero
    k = 0.8 - 0.4j
    t = (w * c / (c + k)).sum()
    found, root = deep_chain.structure_root(t, 1.0 - t, c, w, 0, 3, -1, k * 1.2)
    assert found and root == pytest.approx(k, rel=1e-13)
    found, _ = deep_chain.structure_root(complex(np.nan), complex(0.5), c, w, 0, 3, -1, k)
    assert not found
    found, _ = deep_chain.structure_root(complex(0.5), complex(0.5), np.array([1.0]), np.array([1.0]), 0, 1, 1, k)
    assert found


@pytest.mark.parametrize("net", [chain(), ONE, TWO], ids=["none", "one", "two"])
def test_ridge_sweep_solves_and_differentiates(net):
    lam = np.array([1e-12, 1e-3, 0.3, 40.0])
    for guess in (1e-6, 1.0, 1e6):
        stages, status, residual = stages_of(net, lam, 0.7, guess)
        assert (status == 0).all() and (residual < 1e-10).all()
        assert (stages[:, :, deep_chain.KAPPA] > 0).all()
        above = stages[:, -1, deep_chain.KAPPA_M] * stages[:, -1, deep_chain.ROOM]
        np.testing.assert_allclose(above[1:], lam[1:], rtol=1e-9)
    step = 1e-5
    near = stages_of(net, 0.3 + step * np.array([-1.0, 1.0]), 0.7)[0][:, -1, deep_chain.KAPPA]
    middle = stages_of(net, 0.3, 0.7)[0][0, -1]
    assert 2 * step / (near[1] - near[0]) == pytest.approx(middle[deep_chain.JACOBIAN], rel=1e-7)
    drop = middle[deep_chain.KAPPA] - 0.3 / middle[deep_chain.JACOBIAN]
    assert middle[deep_chain.DROP] == pytest.approx(drop, rel=1e-10)


@pytest.mark.parametrize(("net", "ratio"), [(chain(), 0.5), (chain(), 2.0), (ONE, 0.5), (ONE, 3.0), (TWO, 2.0)])
def test_ridge_at_zero_is_the_limit(net, ratio):
    zero, status, _ = stages_of(net, 0.0, ratio)
    tiny, _, _ = stages_of(net, 1e-10, ratio)
    assert status[0] == 0
    last = zero[0, -1, deep_chain.KAPPA], tiny[0, -1, deep_chain.KAPPA]
    assert last[0] == pytest.approx(last[1], abs=1e-4)


def test_ridge_out_of_range_is_reported():
    stages, status, residual = stages_of(ONE, 1e200, 0.7)  # beyond the range of log kappa
    assert status[0] != 0 and not residual[0] < 1.0
    assert np.isfinite(stages).any()


def test_map_sweep_marks_what_has_no_root():
    kappa = np.array([0.5, -0.2, 3.0])
    gap = np.zeros((3, TWO.levels), np.int64)
    gap[:, :2] = np.diff(TWO.packed[-1])[:2]
    lam, stages = np.empty(3), np.empty((3, TWO.levels, deep_chain.COLUMNS))
    deep_chain.map_sweep(kappa, TWO.packed, 0.7, gap, lam, stages)
    assert np.isfinite(lam[[0, 2]]).all()
    root = np.zeros(TWO.levels, np.complex128)
    stage = np.empty((TWO.levels, deep_chain.COLUMNS), np.complex128)
    found, value, slope = deep_chain.forward(complex(3.0), TWO.packed, 0.7, gap[2], root, stage)
    assert found and value.real == pytest.approx(lam[2])
    before = deep_chain.forward(complex(3.0 - 1e-6), TWO.packed, 0.7, gap[2], root, stage)[1]
    assert (value - before).real / 1e-6 == pytest.approx(slope.real, rel=1e-5)
    gap[:, 0] = 0  # no k below all poles for t > 0
    deep_chain.map_sweep(kappa, TWO.packed, 0.7, gap, lam, stages)
    assert np.isnan(lam[0]) and np.isnan(stages[0, 1]).all()


@pytest.mark.parametrize("net", [ONE, TWO], ids=["one", "two"])
def test_spectrum_sweep_keeps_the_half_plane(net):
    equation = DeepChainEquation(net, 0.7)
    z = np.array([2.0 + 1.0j, 0.3 + 1e-3j, 0.2 + 0j, 1e3 + 0j, -1.0 + 0j, 0.5 + 1e-9j])
    cold = equation.sweep(z)
    assert (cold.status == 0).all() and (cold.residual < 1e-10).all()
    assert (cold.state[:3].imag > 0).all()  # inside the support also at height zero
    np.testing.assert_allclose(cold.state[3:5].imag, 0.0, atol=1e-12)  # outside of it real
    warm = equation.sweep(z, cold.state[:1])
    np.testing.assert_allclose(warm.state, cold.state, rtol=1e-9, atol=1e-9)
    bad = equation.sweep(z[1:2], 1e3 * cold.state[:1])
    np.testing.assert_allclose(bad.state, cold.state[1:2], rtol=1e-9)


def test_both_sides_of_an_edge():
    """Inside the support next to an edge the solution is nearly real, and must not be taken for one outside."""
    equation = DeepChainEquation(ONE, 0.7)
    edge = equation.find_edges()[-1]
    for share in (1e-6, 1e-9, 1e-11):
        z = edge * np.array([1 + share, 1 - share]) + 0j
        for start in (None, np.array([[edge + 1e-3j, edge + 1e-3j]])):
            swept = equation.sweep(z, start)
            assert (swept.status == 0).all()
            assert np.abs(swept.state[0].imag).max() < 1e-12 * np.abs(swept.state[0]).max()
            # a square root: the imaginary part falls like share^{1/2}
            assert 0.1 < np.abs(swept.state[1].imag / swept.state[1].real).max() / share**0.5 < 10.0


def test_spectrum_sweep_reports_failure():
    """A start that is no solution far up cannot be continued."""
    levels = ONE.levels
    z = np.array([0.3 + 0.1j])
    stages = np.empty((1, levels, deep_chain.COLUMNS), np.complex128)
    status, steps, residual = np.empty(1, np.int64), np.empty(1, np.int64), np.empty(1)
    cold, roots = np.array([complex(np.nan, np.nan)]), np.zeros((1, levels), np.complex128)
    deep_spectrum.spectrum_sweep(z, 10.0, cold, roots, False, ONE.packed, 0.7, stages, status, steps, residual)
    assert status[0] == 4


def test_newton_converges_exactly_and_gives_up():
    gap, root = np.full(ONE.levels, -1), np.zeros(ONE.levels, np.complex128)
    stage = np.empty((ONE.levels, deep_chain.COLUMNS), np.complex128)
    found, value, _ = deep_chain.forward(0.4 - 0.3j, ONE.packed, 0.7, gap, root, stage)
    assert found
    ok, kappa, steps, _ = deep_spectrum.newton(value, 0.4 - 0.3j, True, ONE.packed, 0.7, gap, root, stage)
    assert ok and steps <= 2 and kappa == pytest.approx(0.4 - 0.3j)
    ok, kappa, _, _ = deep_spectrum.newton(value, 4.0 - 1e-3j, True, ONE.packed, 0.7, gap, root, stage)
    assert not ok or kappa.imag < 0
    ok, *_ = deep_spectrum.newton(value, complex(0.0), False, ONE.packed, 0.7, gap, root, stage)
    assert not ok
    # the real axis outside of the support: all stages increase
    ok, kappa, _, _ = deep_spectrum.newton(complex(2.0), complex(5.0), False, ONE.packed, 0.7, gap, root, stage)
    assert ok and deep_spectrum.increasing(stage) and not deep_spectrum.in_half_plane(stage, 0.7)
