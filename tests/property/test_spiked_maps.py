"""Spikes: the inverse undoes the map, overlaps are squared cosines, thresholds separate outliers from none."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import rmtsolve as rmt
from rmtsolve.testing import populations, ratios

SPIKES = st.lists(st.floats(0.02, 60.0), min_size=1, max_size=3, unique=True)


def check(model):
    outliers = model.outliers()
    law = model.law()
    made = {one.spike for one in outliers}
    assert made.isdisjoint(model.subcritical) and made | set(model.subcritical) == set(model.spikes)
    for one in outliers:
        for overlap in one.overlap if isinstance(one.overlap, tuple) else (one.overlap,):
            assert 0.0 <= overlap <= 1.0 + 1e-12
        assert one.variance is None or one.variance >= 0.0
        assert not law._in_bulk(np.array([one.location]))[0]
        slack = abs(one.location) * 1e-13 / max(1e-300, np.min(np.abs(law.edges - one.location)))
        if slack < 1e-6:  # beside an edge the location itself has not the digits for the way back
            back = model.spikes_from_outliers([one.location])[0]
            assert abs(back - one.spike) <= (1e-7 + 10 * slack) * abs(one.spike)


@given(populations(zero=True), ratios(), SPIKES)
def test_covariance(population, ratio, spikes):
    check(rmt.SpikedCovariance(population, ratio, spikes))


@given(populations(low=-3.0, high=3.0), st.floats(0.1, 4.0), SPIKES, st.booleans())
def test_wigner(population, variance, spikes, flip):
    check(rmt.SpikedWigner(population, variance, [-x if flip else x for x in spikes]))


@given(st.floats(0.1, 3.0), SPIKES)
def test_rectangular(ratio, spikes):
    model = rmt.SpikedRectangular(ratio=ratio, spikes=spikes)
    check(model)
    for one in model.outliers():
        square = one.spike**2
        np.testing.assert_allclose(one.location, (1 + square) * (ratio + square) / square, rtol=1e-11)
        right = 1 - ratio * (1 + square) / (square * (square + ratio))
        left = 1 - (ratio + square) / (square * (square + 1))
        np.testing.assert_allclose(one.overlap, (right, left), atol=1e-7)


@given(populations(), ratios(0.1, 0.9), st.floats(1e-4, 1e-1))
def test_thresholds_separate(population, ratio, step):
    base = rmt.SpikedCovariance(population, ratio)
    for low, high in base.thresholds:
        for end, side in ((low, 1.0), (high, -1.0)):
            if not 0.0 < end < np.inf or step * end > 0.4 * (high - low):
                continue
            inside, outside = end * (1 + side * step), end * (1 - side * step)
            assert rmt.SpikedCovariance(population, ratio, [inside]).outliers()
            if not any(a < outside < b for a, b in base.thresholds):
                assert not rmt.SpikedCovariance(population, ratio, [outside]).outliers()


@given(populations(low=0.5), st.floats(0.3, 5.0))
def test_general_position_interlaces(bulk, spike):
    """B + l v v^T with a discrete bulk: one eigenvalue right of every atom, weights of the directions sum to one."""
    outliers = rmt.SpikedSum(bulk, [spike]).outliers()
    places = np.array([one.location for one in outliers])
    at = bulk.atoms.locations
    assert places.size == at.size and (places > at).all() and (places[:-1] < at[1:]).all()
    np.testing.assert_allclose(sum(one.overlap for one in outliers), 1.0, rtol=1e-6)
