"""Kernels of sums over poles: zeros, inverse gauges next to poles, and the proof that cells hold no gap."""

import mpmath as mp
import numpy as np
import pytest
from numpy.testing import assert_allclose

import rmtsolve as rmt
from rmtsolve._kernels.poles import invert_gauge, transform_zeros
from rmtsolve.equations.closed_cells import NODES, closed_cells
from rmtsolve.equations.real_curves import REACH, Curves, Span
from rmtsolve.equations.sides import Side

POLES, WEIGHTS = np.array([0.5, 0.5 + 1e-9, 2.0, 7.0]), np.array([0.3, 1e-20, 1e-3, 2.0])


def invert(additive, y, cell, poles=POLES, weights=WEIGHTS, constant=-0.4):
    y = np.atleast_1d(np.asarray(y, dtype=float))
    left = np.full(y.size, cell - 1)
    out = [np.empty(y.size) for _ in range(3)]
    invert_gauge(additive, y, left, left + 1, poles, weights, constant, *out)
    return out


@pytest.mark.parametrize("additive", [True, False])
@pytest.mark.parametrize("cell", range(5))
def test_inverse_of_the_gauge(additive, cell):
    """The distance to the nearer pole is right to rounding, from 1e-30 on: N' is, which falls with its square."""
    constant = -0.4 if additive else 0.25
    y = np.array([-1e12, -30.0, -1.0, 0.3, 2.0, 50.0, 1e12])
    u, n, slope = invert(additive, y, cell, constant=constant)
    with mp.workdps(60):
        p, k = ([mp.mpf(x) for x in part] for part in (POLES, WEIGHTS))
        for i in range(y.size):

            def gauge(d, base):
                value = constant + mp.fsum(b / ((a - base) - d) for a, b in zip(p, k, strict=True))
                return base + d + value if additive else (base + d) * value

            base = min((x for x in POLES[max(cell - 1, 0) : cell + 1]), key=lambda x: abs(x - u[i]))
            base = mp.mpf(float(base))
            inner = 0 < cell < 4
            side = 1 if cell and float(base) == POLES[cell - 1] else -1
            far = (p[cell] - p[cell - 1]) / 2 if inner else mp.mpf(10) ** 14
            low, high = sorted((side * mp.mpf(10) ** -45, side * far))
            for _ in range(400):  # the gauge increases
                middle = (low + high) / 2
                low, high = (middle, high) if gauge(middle, base) < y[i] else (low, middle)
            exact = mp.fsum(b / ((a - base) - low) ** 2 for a, b in zip(p, k, strict=True))
            assert slope[i] == pytest.approx(float(exact), rel=1e-9)
            assert u[i] == pytest.approx(float(base + low), rel=1e-14)
            assert (u[i] + n[i] if additive else u[i] * n[i]) == pytest.approx(y[i], rel=1e-6, abs=1e-6)


def test_no_inverse():
    assert np.isnan(invert(True, [np.nan, np.inf], 1)).all()


def test_zeros_between_twins():
    """Atoms at distance d: a zero half-way, of residue d^2/(8 w)."""
    at = np.array([-1.0, 0.7, 0.7 + 2.0**-30, 5.0])
    mass = np.full(4, 0.25)
    zeros, weights = np.empty(3), np.empty(3)
    transform_zeros(at, mass, zeros, weights)
    assert zeros[1] - 0.7 == pytest.approx(2.0**-31, rel=1e-6)
    assert weights[1] == pytest.approx(2.0**-60 / 8 / 0.25, rel=1e-8)
    assert_allclose(np.sum(weights), 0.25 * np.sum((at - at.mean()) ** 2), rtol=1e-14)  # N falls like variance/u


def sides(kind, n, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(n) if kind == "sum" else rng.uniform(0.2, 3.0, n)
    if kind == "product":
        x[0] = 0.0
    two = rmt.Discrete([0.0 if kind == "product" else 0.5, 1.0, 1.7], [0.2, 0.5, 0.3])
    return Side(rmt.Discrete(x, rng.dirichlet(np.full(n, 0.5))), kind, 0.6), Side(two, kind)


@pytest.mark.parametrize("kind", ["sum", "product", "sandwich"])
@pytest.mark.parametrize("n", [8, 60])
def test_closed_cells_hold_no_gap(kind, n):
    """T' > 1 at points between the nodes, on every curve that is called closed; most are where there are many."""
    one, two = sides(kind, n, n)
    curves = Curves(one, two)
    pieces = [piece[:2] for piece in curves._monotone_pieces()]
    low, high = np.array(pieces).T
    span = Span(low, high, curves.scale)
    x = np.linspace(*span.ends(REACH, REACH), NODES, axis=1)
    closed = closed_cells(one, two, span.spread(x), np.isinf(np.array(pieces)))
    cell, piece = np.nonzero(closed)
    if n == 60:
        assert closed.mean() > 0.5
    points = np.linspace(x[:, 0], x[:, -1], 1001, axis=1)
    for j, i in zip(cell, piece, strict=True):
        v = span.take(np.full(1001, i)).at(points[i])
        assert not (curves.evaluate(np.full(1001, j), v).g > 0.0).any()


def test_cells_are_not_called_closed_where_rounding_hides_them():
    twins = Side(rmt.Discrete([0.0, 1.0, 1.0 + 1e-15, 1.0 + 2e-15, 3.0]), "sum")
    other = Side(rmt.Discrete([0.0, 1.0]), "sum")
    v = np.linspace(1.0, 9.0, NODES)[None, :]
    closed = closed_cells(twins, other, v, np.array([[False, False]]))
    assert not closed[1:4].any()
