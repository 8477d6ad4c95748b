"""What holds for every closed-form law, whatever its parameters."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import rmtsolve as rmt
from rmtsolve.testing.measures import MEASURE_CHECKS
from rmtsolve.testing.strategies import populations, ratios

CHEAP = [c for c in MEASURE_CHECKS if c.__name__ in ("parts", "herglotz", "decay", "density", "cdf")]
LAWS = st.one_of(
    st.builds(rmt.Semicircle, ratios(1e-3, 1e3), st.floats(-10, 10)),
    st.builds(rmt.MarchenkoPastur, ratios(1e-2, 1e2), ratios(1e-2, 1e2)),
    st.builds(rmt.FreePoisson, ratios(1e-2, 1e2), st.sampled_from([-3.0, 0.1, 1.0, 20.0])),
    st.builds(rmt.Wachter, ratios(0.05, 5.0), st.floats(0.05, 0.9)),
    st.builds(rmt.Kesten, st.floats(2.0, 30.0)),
    st.builds(lambda a, w: rmt.Arcsine(a, a + w), st.floats(-5, 5), st.floats(0.1, 10)),
    st.builds(lambda a, w: rmt.Uniform(a, a + w), st.floats(-5, 5), st.floats(0.1, 10)),
)


@given(LAWS)
def test_battery(law):
    for check in CHEAP:
        check(law)


@given(LAWS, st.floats(1e-6, 1 - 1e-6))
def test_quantile_inverts_the_distribution_function(law, q):
    x = law.quantile(q)
    if x in law.atoms.locations:
        assert law.cdf(x) >= q - 1e-13
    else:
        spacing = float(np.spacing(abs(x)))
        near = [law.cdf(x - 2 * spacing), law.cdf(x + 2 * spacing)]  # next to a hard edge x itself is too coarse
        assert near[0] - 1e-12 <= q <= near[1] + 1e-12


@given(ratios(0.1, 3.0), ratios(0.1, 3.0))
def test_jacobi_is_a_transformed_wachter(c1, c2):
    """If f has the law Wachter(c1, c2), then c2 f / (c1 + c2 f) has the law Jacobi(c1, c2)."""
    assume(c2 < 0.9)
    one, two = rmt.Wachter(c1, c2), rmt.Jacobi(c1, c2)
    f = one.edges[0] + np.array([0.1, 0.5, 0.9]) * (one.edges[1] - one.edges[0])
    assert two.cdf(c2 * f / (c1 + c2 * f)) == pytest.approx(one.cdf(f), abs=1e-12)


@given(populations(low=-3.0, high=3.0), st.floats(-3, 3), st.floats(-5, 5))
def test_affine_maps(law, factor, shift):
    assume(abs(factor) > 1e-3)
    image = law.scaled(factor).shifted(shift)
    z = 1.5 + 2j
    inner = (z - shift) / factor
    assert image.stieltjes(z) == pytest.approx(law.stieltjes(inner) / factor, rel=1e-12)
    assert image.moment(1) == pytest.approx(factor * law.moment(1) + shift, abs=1e-12)


@given(populations())
def test_moments_and_free_cumulants_invert_each_other(law):
    moments = [law.moment(k) for k in range(1, 7)]
    kappas = rmt.free_cumulants(moments)
    assert rmt.moments_from_free_cumulants(kappas) == pytest.approx(moments, rel=1e-10, abs=1e-9)
    assert rmt.law_free_cumulants(law, 6) == pytest.approx(kappas, rel=1e-7, abs=1e-7)


@given(ratios(0.1, 0.9))
def test_series_is_the_same_law(ratio):
    law = rmt.MarchenkoPastur(ratio)
    series = law.series()
    x = law.edges[0] + np.array([1e-9, 0.2, 0.9]) * (law.edges[1] - law.edges[0])
    assert series.error < 1e-12
    assert series.density(x[1:]) == pytest.approx(law.density(x[1:]), rel=1e-11)
    offset = np.array([1e-12, 1e-6])
    assert series.density(offset=offset, edge=0) == pytest.approx(law.density(offset=offset, edge=0), rel=1e-9)
    assert series.cdf(x) == pytest.approx(law.cdf(x), abs=1e-12)
