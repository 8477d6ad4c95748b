"""Free sums, products and separable covariances against mpmath tables and closed forms, to 1e-12."""

import pathlib

import mpmath as mp
import numpy as np
import pytest
from numpy.testing import assert_allclose

import rmtsolve as rmt

ROWS = [line.split("; ") for line in (pathlib.Path(__file__).parent / "free.txt").read_text().splitlines()]
LAWS = {
    "sum": lambda: rmt.free_add(rmt.Discrete([0, 1, 3], [0.4, 0.35, 0.25]), rmt.Discrete([-1, 2])),
    "signed": lambda: rmt.free_multiply(rmt.Discrete([1, 3]), rmt.Discrete([-1, 2], [0.4, 0.6])),
    "product": lambda: rmt.free_multiply(rmt.Discrete([1, 4]), rmt.Discrete([1, 2, 6], [0.3, 0.3, 0.4])),
    "separable": lambda: rmt.SeparableCovariance(rmt.Discrete([1, 4]), rmt.Discrete([0.5, 2]), 0.5).law(),
    "wide separable": lambda: rmt.SeparableCovariance(
        rmt.Discrete([0, 1, 4], [0.2, 0.4, 0.4]), rmt.Discrete([-1, 2], [0.3, 0.7]), 2.0
    ).law(),
}


@pytest.mark.parametrize("name", LAWS)
def test_table(name):
    law = LAWS[name]()
    rows = [row[1:] for row in ROWS if row[0] == name]
    assert len(rows) >= 5
    for quantity, x, value in rows:
        if quantity == "density":
            assert_allclose(law.density(float(x)), float(value), rtol=1e-12)
        else:
            assert np.min(np.abs(law.edges / float(value) - 1.0)) < 1e-13


def test_table_of_the_theory_note():
    law = LAWS["sum"]()
    assert_allclose(law.density([0.0, 1.5, 3.0, 4.5]), [0.224743641878173, 0.0138923034670025, 0.0, 0.173633723464942],
                    rtol=2e-14, atol=3e-15)  # fmt: skip
    assert law.support.shape == (3, 2)


def check_same(law, known, atol=2e-12):
    """Edges, transform, density, distribution function and moments."""
    assert_allclose(law.edges, known.edges, atol=1e-12)
    assert_allclose(law.atoms.locations, known.atoms.locations, atol=1e-14)
    assert_allclose(law.atoms.weights, known.atoms.weights, atol=1e-14)
    low, high = known.edges[0], known.edges[-1]
    x = low + (high - low) * np.array([0.011, 0.2, 0.47, 0.77, 0.993])
    assert_allclose(law.density(x), known.density(x), rtol=1e-11, atol=atol)
    assert_allclose(law.cdf(x), known.cdf(x), atol=atol)
    z = np.array([low - 0.3, high + 0.4, 0.5 * (low + high) + 0.2j, high + 1e-3j])
    assert_allclose(law.stieltjes(z), known.stieltjes(z), rtol=1e-11)
    for k in range(1, 5):
        assert_allclose(law.moment(k), known.moment(k), rtol=1e-11, atol=1e-12)


def test_two_point_laws_add_to_the_arcsine_law():
    check_same(rmt.free_add(rmt.TwoPoint(-1, 1), rmt.TwoPoint(-1, 1)), rmt.Arcsine(-2, 2))


def test_sums_of_semicircles_and_of_free_poisson_laws():
    assert rmt.free_add(rmt.Semicircle(1.0, 0.5), rmt.Semicircle(3.0, 1.0)) == rmt.Semicircle(4.0, 1.5)
    check_same(rmt.free_add(rmt.FreePoisson(2.0, 0.5), rmt.FreePoisson(1.5, 0.5)), rmt.FreePoisson(3.5, 0.5))
    # the generic equation does not know that one of its laws is a semicircle
    from rmtsolve.equations.subordination import AdditiveEquation
    from rmtsolve.equations.subordination_law import TwoFactorLaw

    generic = TwoFactorLaw(AdditiveEquation(rmt.Semicircle(0.5), rmt.Discrete([-1, 1])))
    check_same(generic, rmt.free_add(rmt.Semicircle(0.5), rmt.Discrete([-1, 1])))


def wachter_projections(p, q):
    """Law of a product of free projections of traces p, q: (edges, mass at 0, mass at 1, density)."""
    spread = 2.0 * np.sqrt(p * q * (1 - p) * (1 - q))
    low, high = p + q - 2 * p * q - spread, p + q - 2 * p * q + spread
    return (
        (low, high), 1 - min(p, q), max(p + q - 1, 0.0),
        lambda x: np.sqrt((x - low) * (high - x)) / (2 * np.pi * x * (1 - x)),
    )  # fmt: skip


@pytest.mark.parametrize(("p", "q"), [(0.7, 0.4), (0.3, 0.2), (0.9, 0.8)])
def test_projections(p, q):
    law = rmt.free_multiply(rmt.Discrete([0, 1], [1 - p, p]), rmt.Discrete([0, 1], [1 - q, q]))
    edges, zero, one, density = wachter_projections(p, q)
    assert_allclose(law.edges, edges, rtol=1e-13)
    masses = dict(zip(law.atoms.locations, law.atoms.weights, strict=True))
    assert abs(masses[0.0] - zero) < 1e-15
    assert abs(masses.get(1.0, 0.0) - one) < 1e-15
    x = edges[0] + (edges[1] - edges[0]) * np.array([0.02, 0.3, 0.9])
    assert_allclose(law.density(x), density(x), rtol=1e-13)


def fuss_catalan_density(phi):
    """Density of MP(1) boxtimes MP(1) at ``x = sin(3 phi)^3 / (sin(phi) sin(2 phi)^2)``, and x (Biane)."""
    x = np.sin(3 * phi) ** 3 / (np.sin(phi) * np.sin(2 * phi) ** 2)
    return x, np.sin(phi) ** 2 * np.sin(2 * phi) / (np.pi * np.sin(3 * phi) ** 2)


def test_fuss_catalan():
    law = rmt.free_multiply(rmt.MarchenkoPastur(1.0), rmt.MarchenkoPastur(1.0))
    assert_allclose(law.edges, [0.0, 6.75], atol=1e-13)
    x, rho = fuss_catalan_density(np.pi / 3 * np.array([0.05, 0.3, 0.6, 0.9]))
    assert_allclose(law.density(x), rho, rtol=1e-11)
    assert_allclose(law.density(1.8829172847388668), 0.099735395758727333, rtol=1e-12)
    assert_allclose([law.moment(k) for k in range(1, 5)], [1, 3, 12, 55], rtol=1e-12)


def test_marchenko_pastur_times_a_population_is_a_sample_covariance():
    population = rmt.Discrete([1, 3, 10], [0.5, 0.3, 0.2])
    check_same(
        rmt.free_multiply(population, rmt.MarchenkoPastur(0.5)), rmt.SampleCovariance(population, 0.5).law(), atol=1e-11
    )


def test_separable_with_trivial_factors():
    population = rmt.Discrete([1, 3], [0.5, 0.5])
    one = rmt.Discrete([1.0])
    check_same(rmt.SeparableCovariance(population, one, 0.5).law(), rmt.SampleCovariance(population, 0.5).law())
    check_same(rmt.SeparableCovariance(one, [2.0], 1.5).law(), rmt.MarchenkoPastur(1.5, 2.0))
    # A = 1: the companion is a sample covariance with population B, here as a compound free Poisson law
    weights = rmt.Discrete([-1, 2], [0.4, 0.6])
    check_same(rmt.SeparableCovariance(one, weights, 0.4).law(), rmt.CompoundFreePoisson([-0.4, -0.4, 0.8, 0.8, 0.8],
               rate=2.5).law())  # fmt: skip


def test_separable_note():
    solution = rmt.solve(rmt.SeparableCovariance([1, 4], [0.5, 2], 0.5).equation(), -1.0)
    assert_allclose(complex(solution.m), 0.40371399287617808, rtol=1e-14)
    assert_allclose(complex(solution.state), 0.38483051033352053, rtol=1e-14)


def test_free_power_of_two_points():
    """Kesten's law: ``(delta_-1 + delta_1)/2`` to the power d is the walk on the d-regular tree."""
    law = rmt.free_power(rmt.TwoPoint(-1, 1), 3.0)
    known = rmt.Kesten(3)
    assert_allclose(law.edges, known.edges, rtol=1e-13)
    assert_allclose(law.density([0.0, 1.3, 2.5]), known.density([0.0, 1.3, 2.5]), rtol=1e-12)
    check_same(rmt.free_compress(rmt.free_power(rmt.TwoPoint(-1, 1), 3.0), 1.0), law)


def test_commutator_of_semicircles():
    """``z m^3 - m^2 - z m - 1 = 0``, edge ``sqrt((11 + 5 sqrt 5)/2)``."""
    law = rmt.free_commutator(rmt.Semicircle(), rmt.Semicircle(mean=3.0))
    assert_allclose(law.edges[-1], np.sqrt((11 + 5 * np.sqrt(5)) / 2), rtol=1e-13)
    assert_allclose(law.density([1.0, 3.0]), [0.19298833300823108, 0.048137434405275972], rtol=1e-11)
    z = np.array([0.3 + 0.2j, -1 + 0.01j, 4 + 1j])
    m = law.stieltjes(z)
    assert_allclose(z * m**3 - m**2 - z * m - 1, 0.0, atol=1e-12)


def test_high_precision():
    equation = rmt.SeparableCovariance([1, 4], [0.5, 2], 0.5).equation()
    solution = rmt.solve(equation, [1.0 + 0.1j, 8.0 + 1e-3j], rmt.HighPrecision(digits=40))
    again = rmt.solve(equation, [1.0 + 0.1j, 8.0 + 1e-3j])
    assert solution.ok
    assert np.all(np.abs(solution.m - again.m) <= again.error_bound)


def _transforms(at, p):
    """m and m' of equal masses in mpmath."""
    inverse = [1 / (mp.mpf(float(a)) - p) for a in at]
    return mp.fsum(inverse) / len(inverse), mp.fsum(r * r for r in inverse) / len(inverse)


@pytest.mark.parametrize("kind", ["sum", "product"])
def test_edges_of_many_atoms(kind):
    """Tight clusters make the bulks and atoms of their centres, with the same masses; edges are double roots."""
    places, count = [1.0, 5.0, 30.0], [100, 60, 40]
    at = np.concatenate([place + np.linspace(0.0, 1e-2, n) for place, n in zip(places, count, strict=True)])
    other = np.array([1.0, 1.0, 1.0, 1.5])
    verb = rmt.free_add if kind == "sum" else rmt.free_multiply
    law = verb(rmt.Discrete(at), rmt.Discrete(other))
    limit = verb(rmt.Discrete(places, [0.5, 0.3, 0.2]), rmt.Discrete(other))
    ends = limit.cdf(limit.edges).reshape(-1, 2)
    pieces = [*zip(limit.edges[::2], ends[:, 1] - ends[:, 0], strict=True), *zip(*limit.atoms, strict=True)]
    cuts = law.cdf(law.edges).reshape(-1, 2)
    assert_allclose(cuts[:, 1] - cuts[:, 0], [mass for _, mass in sorted(pieces)], atol=1e-12)
    assert_allclose(cuts[1:, 0], cuts[:-1, 1], atol=1e-13)
    pair = law.equation.solve_pairs(law.edges.astype(complex))
    with mp.workdps(30):

        def conditions(u, v):
            """Equal gauges, and T' = 1."""
            (m, slope), (k, rate) = _transforms(at, u), _transforms(other, v)
            if kind == "sum":
                return m / k - 1, (slope / m**2 - 1) * (rate / k**2 - 1) - 1
            n_one, n_two = m / (1 + u * m), k / (1 + v * k)
            turn = (slope - m**2) / (1 + u * m) ** 2 * (rate - k**2) / (1 + v * k) ** 2
            return u * n_one / (v * n_two) - 1, turn * v**2 / n_one**2 - 1

        for i in (0, 1, law.edges.size // 2, law.edges.size - 1):
            u, v = mp.findroot(conditions, (pair.u[i].real, pair.v[i].real))
            m = _transforms(at, u)[0]
            z = u + v + 1 / m if kind == "sum" else v * (1 + u * m) / m
            assert abs(float(z) / law.edges[i] - 1.0) < 1e-13
