"""Free calculus: bad input, closed forms that are recognised, atoms, roots, wrapped transforms, conformance."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import rmtsolve as rmt
from rmtsolve.measures.stieltjes_law import StieltjesLaw
from rmtsolve.testing import check_measure

POPULATION = rmt.Discrete([0, 1, 3], [0.4, 0.35, 0.25])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: rmt.free_add(POPULATION, 3), "law 2"),
        (lambda: rmt.free_add(POPULATION, lambda z: z), "transform"),
        (lambda: rmt.free_add(POPULATION, lambda z: 1 / (z - 1)), "Cauchy transform"),
        (lambda: rmt.free_add(POPULATION, lambda z: -0.5 / z), "total mass"),
        (lambda: rmt.free_add(POPULATION, lambda z: z[:1]), "shape"),
        (lambda: rmt.free_add(POPULATION, lambda z: 1 / 0), "raised"),
        (lambda: rmt.free_add(POPULATION, lambda z: np.where(z.imag > 1, -1 / z, np.nan)), "finite"),
        (lambda: rmt.free_add(POPULATION, lambda z: -1 / z + 0.3j * np.exp(-np.abs(z) ** 2)), "Pick"),
        (lambda: rmt.free_multiply(rmt.TwoPoint(-1, 1), rmt.Semicircle()), "self-adjoint form"),
        (lambda: rmt.free_power(POPULATION, 0.5), "free_root"),
        (lambda: rmt.free_power(POPULATION, -1.0), "exponent"),
        (lambda: rmt.free_power(POPULATION, np.nan), "exponent"),
        (lambda: rmt.free_compress(POPULATION, 1.5), "tau"),
        (lambda: rmt.free_root(POPULATION, 0.5), "atoms alone"),
        (lambda: rmt.free_root(POPULATION, 1.5), "exponent"),
        (lambda: rmt.free_root(rmt.Kesten(6).series(), 0.1), "up to order 4 would be those of no positive law"),
        (lambda: rmt.free_root(rmt.free_power(rmt.Uniform(0, 2), 3.0).series(), 0.3), "no Stieltjes transform"),
        (lambda: rmt.free_root(rmt.Uniform(-1, 1), 0.5), "up to order 10 would be those of no positive law"),
        (lambda: rmt.free_root(rmt.Uniform(-1, 1), 0.9), "square-root edges"),
        (lambda: rmt.free_commutator(POPULATION, None), "nu"),
    ],
)  # fmt: skip
def test_bad_input(call, words):
    with pytest.raises(rmt.DomainError, match=words):
        call()


def test_points_only_shift_and_scale():
    point = rmt.Discrete([2.0])
    assert rmt.free_add(point, rmt.Semicircle()) == rmt.Semicircle(1.0, 2.0)
    assert rmt.free_multiply(rmt.MarchenkoPastur(0.5), point) == rmt.MarchenkoPastur(0.5, 2.0)
    assert rmt.free_power(point, 3.0).locations == [6.0]
    assert rmt.free_power(POPULATION, 1.0) is POPULATION
    assert rmt.free_root(point, 0.5).locations == [1.0]
    assert rmt.free_commutator(point, POPULATION).locations == [0.0]
    assert rmt.free_add(POPULATION, POPULATION, point).edges.size == rmt.free_add(POPULATION, POPULATION).edges.size


def test_atoms():
    """``mu boxplus nu`` has an atom at ``a + b`` of the mass that is in excess of one (Bercovici and Voiculescu)."""
    law = rmt.free_add(rmt.Discrete([0, 1], [0.7, 0.3]), rmt.Discrete([2, 5], [0.6, 0.4]))
    assert_allclose(law.atoms.locations, [2.0, 5.0])
    assert_allclose(law.atoms.weights, [0.3, 0.1])
    law = rmt.free_multiply(rmt.Discrete([0, 1, 3], [0.2, 0.7, 0.1]), rmt.Discrete([0, -2, 1], [0.3, 0.5, 0.2]))
    assert_allclose(law.atoms.locations, [-2.0, 0.0])
    assert_allclose(law.atoms.weights, [0.2, 0.3])
    # two masses that sum to exactly one make no atom, but an unbounded density
    law = rmt.free_add(rmt.Discrete([0, 1], [0.6, 0.4]), rmt.Discrete([0, 1], [0.4, 0.6]))
    assert_allclose(law.atoms.locations, [1.0])
    assert_allclose(law.cdf([0.0, law.edges[1], 1.0]), [0.0, 0.4, 0.6], atol=1e-13)


TWO = rmt.TwoPoint(-1, 1)
LAWS = {  # one of each kind, with factors of every kind
    "atoms + atoms": lambda: rmt.free_add(POPULATION, TWO),
    "atom left": lambda: rmt.free_add(rmt.Discrete([0, 1], [0.7, 0.3]), rmt.Discrete([2, 5], [0.6, 0.4])),
    "continuous": lambda: rmt.free_add(rmt.MarchenkoPastur(2.0), rmt.Uniform(-1, 1)),
    "series": lambda: rmt.free_add(POPULATION, rmt.free_add(POPULATION, TWO).series()),
    "atoms * atoms": lambda: rmt.free_multiply(POPULATION, rmt.Discrete([1, 2, 6])),
    "signed": lambda: rmt.free_multiply(POPULATION, rmt.Discrete([-1, 2])),
    "hard edge": lambda: rmt.free_multiply(rmt.MarchenkoPastur(0.5), rmt.Wachter(0.5, 0.2)),
    "power": lambda: rmt.free_power(POPULATION, 1.7),
}


@pytest.mark.parametrize("name", LAWS)
def test_conformance(name):
    check_measure(LAWS[name]())


def test_known_roots():
    assert rmt.free_root(rmt.Semicircle(2.0, 1.0), 0.5) == rmt.Semicircle(1.0, 0.5)
    assert rmt.free_root(rmt.FreePoisson(2.0, 3.0), 0.25) == rmt.FreePoisson(0.5, 3.0)
    law = rmt.CompoundFreePoisson([-1, 2], rate=1.5).law()
    assert_allclose(rmt.free_root(law, 0.2).free_cumulant(3), 0.2 * law.free_cumulant(3))
    power = rmt.free_power(POPULATION, 4.0)
    assert_allclose(rmt.free_root(power, 0.5).edges, rmt.free_power(POPULATION, 2.0).edges, rtol=1e-14)
    assert rmt.free_root(rmt.Kesten(6), 0.5) == rmt.Kesten(3)
    assert_allclose(rmt.free_root(rmt.Kesten(20), 0.5).edges, rmt.Kesten(10).edges, rtol=1e-14)
    few = rmt.free_root(rmt.Kesten(6).scaled(-2.0).shifted(3.0), 0.25)  # 3/2 copies of a law on -2 and 2
    assert_allclose(few.atoms.locations, [-2.25, 3.75], rtol=1e-14)
    assert_allclose(few.atoms.weights, 0.25, rtol=1e-14)
    both = rmt.free_root(rmt.free_add(rmt.MarchenkoPastur(0.5), rmt.Kesten(6)), 0.5)
    assert_allclose(both.edges, rmt.free_add(rmt.FreePoisson(1.0, 0.5), rmt.Kesten(3)).edges, rtol=1e-13)
    noisy = rmt.free_add(rmt.Semicircle(1.0), rmt.free_power(POPULATION, 3.0))
    exact = rmt.free_add(rmt.Semicircle(0.5), rmt.free_power(POPULATION, 1.5))
    assert_allclose(rmt.free_root(noisy, 0.5).edges, exact.edges, rtol=1e-13)
    wide = rmt.free_power(rmt.MarchenkoPastur(0.5).series(), 4.0)
    assert_allclose(rmt.free_root(wide, 0.5).edges, rmt.free_power(rmt.MarchenkoPastur(0.5).series(), 2.0).edges)


def test_root_by_continuation():
    """The root of a series, of which the family is not known, is the root of the family."""
    law = rmt.free_power(rmt.Discrete([0, 1, 3]), 4.0)
    root, known = rmt.free_root(law.series(), 0.9), rmt.free_root(law, 0.9)
    z = np.array([3.0 + 0.01j, 5.0 + 1e-6j, 1.0 + 1j, 9.0 + 2j])
    assert_allclose(root._stieltjes(z), known.stieltjes(z), rtol=1e-9)


@pytest.mark.parametrize("exponent", [0.3, 0.5, 0.6, 0.8])
def test_roots_behind_poles(exponent):
    """The transform of Kesten's law has poles on its second sheet, nearer than the root."""
    known = rmt.free_power(rmt.TwoPoint(-1, 1), 6 * exponent)
    for law in (rmt.Kesten(6).series(), lambda z: rmt.Kesten(6).stieltjes(z)):
        root = rmt.free_root(law, exponent)
        assert_allclose(root.edges, known.edges, rtol=1e-11)
        assert_allclose(root.atoms.weights, known.atoms.weights, atol=1e-11)
        x = known.edges[1] * np.array([-0.9, 0.0, 0.4])
        assert_allclose(root.density(x), known.density(x), rtol=1e-10)


def test_roots_of_hard_edges_and_atoms():
    arcsine = rmt.free_root(rmt.Arcsine(-2, 2), 0.5)
    assert arcsine.edges.size == 0
    assert_allclose(arcsine.atoms.locations, [-1, 1], atol=1e-12)
    law = rmt.free_power(rmt.Discrete([0, 1], [0.7, 0.3]), 2.0)
    root, known = rmt.free_root(law.series(), 0.7), rmt.free_power(rmt.Discrete([0, 1], [0.7, 0.3]), 1.4)
    assert_allclose(root.edges, known.edges, atol=1e-10)
    assert_allclose(root.atoms.weights, known.atoms.weights, atol=1e-10)


def test_what_a_continuation_loses_is_said():
    law, known = rmt.free_power(rmt.Uniform(0, 2), 3.0).series(), rmt.free_power(rmt.Uniform(0, 2), 1.5)
    with pytest.warns(rmt.AccuracyWarning, match=r"free root of exponent 0\.5.*only accurate to about") as caught:
        root = rmt.free_root(law, 0.5)
    stated = float(str(caught[0].message).split("about ")[1].split()[0])
    x = np.linspace(*known.edges, 31)[1:-1]
    assert np.abs(root.density(x) - known.density(x)).max() < stated * known.density(x).max() < 1e-6
    assert_allclose(root.edges, known.edges, atol=1e-8)


def test_commutators():
    """Second and fourth moments by counting words; a sign matrix turns the commutator into a free sum."""
    mu, nu = rmt.Discrete([-1, 0, 1], [0.3, 0.4, 0.3]), rmt.Discrete([-2, -1, 1, 2])
    law = rmt.free_commutator(mu, nu.shifted(3.0))
    v, fourth = [m.moment(2) for m in (mu, nu)], [m.moment(4) for m in (mu, nu)]
    assert_allclose(law.moment(2), 2 * v[0] * v[1], rtol=1e-11)
    k = [fourth[i] - 2 * v[i] ** 2 for i in (0, 1)]
    # free cumulants 2 (f_a * f_b * zeta)(n), f(1) and f(2) the second and fourth
    kappa4 = 2 * (k[0] * v[1] ** 2 + k[1] * v[0] ** 2 + v[0] ** 2 * v[1] ** 2)
    assert_allclose(law.moment(4), kappa4 + 2 * law.moment(2) ** 2, rtol=1e-10)
    signs = rmt.free_commutator(rmt.TwoPoint(-2, 2), mu)
    assert_allclose(signs.edges, rmt.free_power(mu.scaled(2.0), 2.0).edges, rtol=1e-13)


def test_commutator_with_odd_cumulants():
    """Only even free cumulants count: those of a free Poisson law are those of one with jumps of both signs."""
    law = rmt.free_commutator(rmt.TwoPoint(-1, 1), rmt.FreePoisson(2.0, 0.5))
    twin = rmt.CompoundFreePoisson([-0.5, 0.5], rate=2.0).law()
    assert_allclose(law.edges, rmt.free_power(twin, 2.0).edges, rtol=1e-12)


def test_wrapped_transforms():
    law = StieltjesLaw(lambda z: -0.3 / (z + 1) - 0.7 / (z - 2))
    assert_allclose(law.atoms.locations, [-1, 2], atol=1e-9)
    assert_allclose(law.atoms.weights, [0.3, 0.7], atol=1e-9)
    assert "lambda" in repr(law)

    def semicircle(z):
        return (np.sqrt(z - 2) * np.sqrt(z + 2) - z) / 2

    total = rmt.free_add(semicircle, rmt.Discrete([-1, 2]))
    known = rmt.free_add(rmt.Semicircle(), rmt.Discrete([-1, 2]))
    assert_allclose(total.edges, known.edges, atol=1e-9)
    assert_allclose(total.density([0.0, 0.5, 2.0]), known.density([0.0, 0.5, 2.0]), atol=1e-10)
    # exactly at the cusp two bulks touch; they count as one
    cusp = rmt.free_add(semicircle, rmt.Discrete([-1, 1]))
    assert_allclose(cusp.edges, [-np.sqrt(6.75), np.sqrt(6.75)], atol=1e-9)
    assert_allclose(cusp.density([0.5, 2.0]), rmt.free_add(rmt.Semicircle(), rmt.TwoPoint(-1, 1)).density([0.5, 2.0]),
                    atol=1e-10)  # fmt: skip
    product = rmt.free_multiply(rmt.Discrete([1, 4]), lambda z: rmt.MarchenkoPastur(0.5).stieltjes(z))
    known = rmt.SampleCovariance(rmt.Discrete([1, 4]), 0.5).law()
    assert_allclose(product.density([1.0, 4.0]), known.density([1.0, 4.0]), atol=1e-9)


def test_certificates_and_failures():
    law = rmt.free_add(POPULATION, rmt.TwoPoint(-1, 1))
    solution = rmt.solve(law.equation, np.linspace(-3, 5, 41) + 1e-3j)
    assert solution.ok
    known = np.isfinite(solution.error_bound)
    assert known.sum() > 30  # none next to edges and atoms
    assert solution.error_bound[known].max() < 1e-9
    assert solution.certificate().ok
    assert "the solver of the family" in solution.explain()
    generic = rmt.solve(law.equation, np.array([0.3 + 0.2j, 1.5 + 0.1j]), rmt.FixedPoint())
    assert_allclose(generic.m, law.stieltjes(generic.z), atol=1e-9)
    warm = rmt.solve(law.equation, solution.z, start=solution.state)
    assert_allclose(warm.m, solution.m, rtol=1e-12)


def test_product_with_a_negative_law():
    law = rmt.free_multiply(POPULATION, rmt.Discrete([1, 2]))
    mirror = rmt.free_multiply(POPULATION, rmt.Discrete([-2, -1]))
    assert_allclose(mirror.edges, -law.edges[::-1], rtol=1e-14)
    assert_allclose(mirror.moment(3), -law.moment(3), rtol=1e-14)


@pytest.mark.parametrize("order", [1, -1])
def test_a_zero_of_the_transform_in_a_gap_is_no_bulk(order):
    """Six atoms within 3e-4: where m vanishes between the bulks one argument is infinite, the other at a pole."""
    at = [9.59719181, 9.59688447, 9.59722043, 9.59703375, 9.59699879, 9.59715624]
    tight = rmt.Discrete(at, [0.13174246, 0.17855657, 0.18950969, 0.21542635, 0.1809105, 0.10385443])
    two = rmt.Discrete([1.11709151, -1.90260273], [0.51921594, 0.48078406])
    law = rmt.free_add(*(tight, two)[::order])
    assert law.support.shape == (2, 2)
    assert_allclose(law.cdf(law.edges), [0.0, two.weights[0], two.weights[0], 1.0], atol=1e-12)


def test_densities_within_ulps_of_edges():
    """Here Newton's steps end at the rounding of the edge, which is no failure."""
    law = rmt.free_add(rmt.Discrete([-2.9, -2.3, 0.4, 0.9]), rmt.Discrete([1.7, 2.4]))
    steps = law.edges[:, None] + np.arange(-8, 9) * np.spacing(law.edges)[:, None]
    density = law.density(steps)
    assert (density >= 0.0).all()
    assert density.max() < 1e-6


class Mixture(rmt.Measure):
    """A law of a user: two laws, of which the first is uniform, its transform infinite at its ends."""

    edges = None

    def __init__(self, weight, one, two):
        self.parts = ((weight, one), (1.0 - weight, two))
        self.edges = np.concatenate([one.edges, two.edges])

    def _stieltjes(self, z):
        return sum(weight * law._stieltjes(z) for weight, law in self.parts)

    def _stieltjes_derivative(self, z):
        return sum(weight * law._stieltjes_derivative(z) for weight, law in self.parts)


def test_a_scale_at_which_ends_are_rounded_changes_nothing():
    law = Mixture(0.3, rmt.Uniform(9.0, 14.690034915599583), rmt.Uniform(16.0, 16.9))
    other = rmt.MarchenkoPastur(3.0)
    edges = rmt.free_add(law, other).edges
    for scale in (0.007706134277737171, 0.007554444422332665, 0.0073595485967939515, 1e3, 1 / 3):
        given = rmt.free_add(law.scaled(scale), other.scaled(scale)).edges
        assert_allclose(given / scale, edges, rtol=1e-10)


def test_a_pole_that_is_exponentially_near_a_logarithm():
    """``1 + u m(u)`` has its zero 7e-14 to the right of the edge 3: there the gap of the product begins."""
    law = Mixture(0.014, rmt.Uniform(2.0, 3.0), rmt.Semicircle(1.0, 14.0))
    product = rmt.free_multiply(law, rmt.Uniform(1, 2))
    assert product.edges.size == 4
    assert_allclose(product.cdf(product.edges[1]), 0.014, rtol=1e-9)
    moments = [sum(weight * part.moment(k) for weight, part in law.parts) for k in (1, 2)]
    means = 1.5, 7.0 / 3.0
    assert_allclose(product.moment(1), moments[0] * means[0], rtol=1e-10)
    second = moments[1] * means[0] ** 2 + moments[0] ** 2 * (means[1] - means[0] ** 2)
    assert_allclose(product.moment(2), second, rtol=1e-9)


@pytest.mark.parametrize("exponent", [1 + 1e-12, 1 + 1e-9, 1 + 1e-5, 1.001])
@pytest.mark.parametrize("scale", [1.0, 1e4])
@pytest.mark.parametrize(
    "law", [rmt.Discrete([1, 1.0001, 2], [0.4, 0.3, 0.3]), POPULATION, rmt.Uniform(1, 2)], ids=repr
)
def test_bounds_of_powers_near_one(law, exponent, scale):
    """The light bulks lie within rounding of zeros of m; what is solved far from them must not see that."""
    power = rmt.free_power(law.scaled(scale), exponent)
    z = np.array([0.87 + 0.013j, 2.5 + 1e-3j, 1.5 + 0.2j]) * scale
    given = rmt.solve(power.equation, z)
    exact = rmt.solve(power.equation, z, rmt.HighPrecision(digits=40)).m
    assert (np.abs(given.m - exact) <= given.error_bound).all()
    assert_allclose(given.m, exact, rtol=1e-13)
