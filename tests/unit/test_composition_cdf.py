"""Laws built on the transform of another one: distribution function from the potential, error of a series counted."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import rmtsolve as rmt
from rmtsolve.equations.composition import CompositionEquation
from rmtsolve.equations.composition_law import CompositionLaw
from rmtsolve.equations.operands import _standing
from rmtsolve.measures.series import SeriesMeasure, _fit_bulk

MP, S = rmt.MarchenkoPastur, rmt.Semicircle
RANK = rmt.CompoundFreePoisson(rmt.Uniform(-1, 2), 0.5).law()  # mass 1/2 at 0, inside its bulk


def composed(kind, law, scale):
    return CompositionLaw(CompositionEquation(kind, law, scale))


KNOWN = {
    "wigner": (composed("deformed wigner", S(0.7), 0.4), S(1.1).cdf),
    "shifted wigner": (composed("deformed wigner", S(0.7, 1.0), 0.4), S(1.1, 1.0).cdf),
    "power": (composed("free power", S(0.7, 1.0), 2.5), S(1.75, 2.5).cdf),
    "power of a free poisson law": (composed("free power", rmt.FreePoisson(0.4), 1.5), rmt.FreePoisson(0.6).cdf),
    "covariance": (composed("covariance", MP(0.5), 0.3), rmt.WishartProduct([0.5, 0.3]).law().cdf),
    "narrow covariance": (composed("covariance", MP(0.01), 1e-3), rmt.WishartProduct([0.01, 1e-3]).law().cdf),
    "wide covariance": (composed("covariance", MP(0.5), 2.0), rmt.WishartProduct([0.5, 2.0]).law().cdf),
    "hard covariance": (composed("covariance", MP(0.5), 1.0), rmt.WishartProduct([0.5, 1.0]).law().cdf),
    "companion": (composed("free poisson", MP(0.5), 0.3),
                  lambda x: 0.3 * rmt.WishartProduct([0.5, 0.3]).law().cdf(x) + 0.7 * (x >= 0.0)),
}  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_against_closed_forms(name, monkeypatch):
    monkeypatch.setattr("rmtsolve.measures.inversion.cdf_by_quadrature", None)
    law, wanted = KNOWN[name]
    share = np.array([1e-9, 1e-4, 0.1, 0.5, 0.9, 1 - 1e-4])
    x = np.concatenate([(a + (b - a) * share) for a, b in law.support] + [law.edges, law.edges + 1.0, law.edges - 10.0])
    assert_allclose(law.cdf(x), wanted(x), atol=3e-13 if name == "narrow covariance" else 2e-14)  # rounding over c
    q = np.array([0.75, 0.9, 0.99])
    assert_allclose(wanted(law.quantile(q)), q, atol=3e-13)


@pytest.mark.parametrize("law", [RANK, rmt.free_power(RANK, 1.2)], ids=["rank", "power"])
def test_an_atom_inside_a_bulk_is_no_part_of_its_mass(law):
    assert law.atoms.locations.tolist() == [0.0]
    assert law.support.shape == (1, 2)
    assert_allclose(law.masses.sum() + law.atoms.weights.sum(), 1.0, rtol=1e-14)
    jump = law.atoms.weights[0]
    beside = law.cdf([-1e-9, 0.0, 1e-9])
    assert_allclose(np.diff(beside), [jump, 0.0], atol=1e-8)  # and 1e-9 of the density
    x, t = np.array([-0.4, 0.3, 1.1]), 1e-5
    assert_allclose((law.cdf(x + t) - law.cdf(x - t)) / (2 * t), law.density(x), rtol=1e-8)


def coarse(law, terms):
    """A series that stops early, as a stand-in for the law."""
    bulk, error = _fit_bulk(law, 0, terms)
    return _standing(SeriesMeasure((bulk,), law.atoms, error), law)


@pytest.mark.parametrize(
    ("kind", "scale"),
    [
        ("deformed wigner", 1.5), ("free power", 1.5), ("covariance", 1.5), ("free poisson", 1.5),
        ("deformed wigner", 1e-6), ("free power", 1 + 1e-6), ("covariance", 1e-6),  # the readout alone counts
    ],
)  # fmt: skip
def test_bounds_count_the_error_of_a_series(kind, scale):
    law = rmt.Kesten(2.7).shifted(4.0)  # its series converges like 1.7^(-n)
    rough = coarse(law, 32)
    assert 1e-8 < rough.error < 1e-2
    equation = CompositionEquation(kind, rough, scale)
    low, high = equation.find_edges()[[0, -1]]
    z = np.concatenate([np.linspace(low - 2, high + 2, 9) + 0.3j, [low - 1.0, high + 1.0, 0.5 * (low + high) + 1j]])
    float_law = rmt.solve(equation, z)
    exact = rmt.solve(equation, z, rmt.HighPrecision(digits=30))  # with the law itself
    error = np.abs(float_law.m - exact.m)
    assert error.max() > 1e-12  # no rounding error
    known = np.isfinite(float_law.error_bound)
    assert known.sum() >= 6
    assert (error[known] <= float_law.error_bound[known]).all()
