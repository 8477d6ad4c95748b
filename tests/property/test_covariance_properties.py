"""What holds for every law of the Pastur form, whatever its population."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rmtsolve as rmt
from rmtsolve.testing.strategies import populations, ratios


def signed(law):
    """Atoms on a grid: denormal ones are refused, see the unit tests."""
    return rmt.Discrete(np.round(law.locations, 6), law.weights)


SIGNED = populations(low=-5.0, high=5.0, zero=True).map(signed)
SHARE = st.floats(1e-9, 0.999999)
LAWS = st.one_of(
    st.builds(lambda h, c: rmt.SampleCovariance(h, c).law(), populations(zero=True), ratios(1e-3, 1e3)),
    st.builds(lambda h, c: rmt.CompoundFreePoisson(h, c).law(), SIGNED, ratios(1e-2, 1e2)),
    st.builds(lambda h, v: rmt.DeformedWigner(h, v).law(), SIGNED, ratios(1e-6, 10.0)),
)


def point(law, share):
    """A point inside a bulk, as (bulk, edge, offset)."""
    if law.support.shape[0] == 0:
        return None
    bulk = int(share * 1e6) % law.support.shape[0]
    left, right = law.support[bulk]
    return bulk, left, share * (right - left)


@given(LAWS, st.floats(-3.0, 3.0), st.floats(-12.0, 2.0))
def test_herglotz_and_certificate(law, place, height):
    """Im m > 0, |m| <= 1 / Im z, m(conj z) = conj m(z), and `solve` agrees within its bound."""
    ends = np.concatenate([law.edges, law.atoms.locations])
    size = float(np.ptp(ends)) or 1.0
    z = complex(float(ends.mean()) + place * size, size * 10.0**height)
    m = law.stieltjes(z)
    assert m.imag > 0
    assert abs(m) <= (1 + 1e-12) / z.imag
    assert law.stieltjes(z.conjugate()) == m.conjugate()
    solution = rmt.solve(law.equation, z)
    assert solution.ok
    assert abs(complex(solution.m) - m) <= float(solution.error_bound) + 1e-14 * abs(m)
    assert float(solution.error_bound) <= 1e-6 / z.imag


@given(LAWS)
def test_masses_moments_and_edges(law):
    assert law.masses.sum() + law.atoms.weights.sum() == pytest.approx(1.0, abs=2e-13)
    assert (law.masses > 0).all()
    assert np.all(np.diff(law.edges) >= 0)
    mean = law.moment(1)
    kappa = [law.free_cumulant(k) for k in (1, 2)]
    size = float(np.max(np.abs(np.concatenate([law.edges, law.atoms.locations]))))
    assert kappa[0] == pytest.approx(mean, abs=1e-12 * size)
    assert kappa[1] == pytest.approx(law.moment(2) - mean**2, abs=1e-10 * size**2)


@given(LAWS, SHARE)
def test_density_is_the_boundary_value(law, share):
    where = point(law, share)
    if where is None:
        return
    bulk, left, offset = where
    rho = law.density(offset=offset, edge=2 * bulk)
    assert rho > 0
    x = left + offset
    if law.edges[2 * bulk] < x < law.edges[2 * bulk + 1]:
        assert law.stieltjes(x, boundary=True).imag / np.pi == pytest.approx(law.density(x), rel=1e-12)
    other = offset - (law.edges[2 * bulk + 1] - law.edges[2 * bulk])
    if not 0.1 < share < 0.9:
        return
    # the same point from the other edge; the ends are only known to rounding
    room = 1e-12 + 1e-14 * abs(law.edges).max() / (offset - other)
    assert law.density(offset=other, edge=2 * bulk + 1) == pytest.approx(rho, rel=room)


@given(LAWS, st.floats(1e-6, 1 - 1e-6))
def test_quantile_inverts_the_distribution_function(law, q):
    x = law.quantile(q)
    if x in law.atoms.locations:
        assert law.cdf(x) >= q - 1e-12
        return
    rounding = 2e-16 * abs(x) * (law.density(x) if x not in law.edges else 0.0)
    assert law.cdf(x) == pytest.approx(q, abs=1e-12 + 4 * rounding)


@given(populations(zero=True), ratios(1e-2, 1e2), SHARE, st.floats(-150.0, 150.0))
def test_scaling_is_exact_up_to_rounding(population, ratio, share, power):
    """Laws of H scaled by s are the laws of H scaled by s, from 1e-150 to 1e150."""
    scale = 10.0**power
    law = rmt.SampleCovariance(population, ratio).law()
    image = rmt.SampleCovariance(population.scaled(scale), ratio).law()
    assert image.edges.shape == law.edges.shape
    if law.edges.size == 0:
        return
    bulk, left, offset = point(law, share)
    assert image.edges / scale == pytest.approx(law.edges, rel=1e-9, abs=1e-28)
    got = image.density(offset=offset * scale, edge=2 * bulk) * scale
    # rounding of the scaled atoms moves edges by their condition: allow for it away from them only
    if offset > 1e-3 * left:
        assert got == pytest.approx(law.density(offset=offset, edge=2 * bulk), rel=1e-8)
    z = left + (1 + 0.5j) * (law.edges[-1] - law.edges[0])
    assert image.stieltjes(z * scale) * scale == pytest.approx(law.stieltjes(z), rel=1e-12)


@given(populations(zero=True), ratios(1e-2, 1e2), st.complex_numbers(min_magnitude=0.1, max_magnitude=50.0))
def test_companion(population, ratio, z):
    """m_companion = c m - (1 - c) / z."""
    z = complex(z.real, abs(z.imag) + 1e-3)
    model = rmt.SampleCovariance(population, ratio)
    m, own = model.law().stieltjes(z), model.companion().stieltjes(z)
    assert own == pytest.approx(ratio * m - (1 - ratio) / z, rel=1e-12, abs=1e-13 * (1 + ratio) / abs(z))


@given(populations(max_atoms=3), ratios(0.1, 5.0))
def test_the_generic_path_agrees(population, ratio):
    """The plain map solved by the generic Newton iteration gives the same transform."""
    equation = rmt.SampleCovariance(population, ratio).equation()
    z = np.array([-1 + 1j, 1 + 0.3j, 5 + 0.1j, 30 + 2j])
    plain = rmt.solve(equation, z, rmt.Newton())
    assert plain.m == pytest.approx(rmt.solve(equation, z).m, rel=1e-9)


@given(ratios(0.05, 20.0), st.floats(0.1, 10.0), st.integers(1, 8))
def test_compound_free_poisson_of_one_jump(rate, jump, k):
    """Free cumulants rate jump^k; the closed form is `FreePoisson`."""
    law, exact = rmt.CompoundFreePoisson([jump], rate).law(), rmt.FreePoisson(rate, jump)
    assert law.free_cumulant(k) == pytest.approx(rate * jump**k, rel=1e-13)
    assert law.moment(k) == pytest.approx(exact.moment(k), rel=1e-12)
    x = exact.edges[0] + 0.37 * (exact.edges[1] - exact.edges[0])
    assert law.density(x) == pytest.approx(exact.density(x), rel=1e-11)
    assert law.cdf(x) == pytest.approx(exact.cdf(x), abs=1e-12)


@given(ratios(0.2, 5.0), st.floats(-3.0, 3.0))
def test_deformed_by_a_scalar_is_a_semicircle(variance, shift):
    law, exact = rmt.DeformedWigner([shift], variance).law(), rmt.Semicircle(variance, shift)
    x = exact.edges[0] + np.array([1e-6, 0.2, 0.77]) * (exact.edges[1] - exact.edges[0])
    assert law.edges == pytest.approx(exact.edges, rel=1e-14, abs=1e-15)
    assert law.density(x) == pytest.approx(exact.density(x), rel=1e-9)
    assert law.cdf(x) == pytest.approx(exact.cdf(x), abs=1e-13)
