"""Commutators: moments by counting, Haar-rotated matrices, the routes for special laws, closed forms, the pencil."""

from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_allclose

import rmtsolve as rmt
from rmtsolve.equations.commutator import CommutatorEquation
from rmtsolve.equations.commutator_law import CommutatorLaw
from rmtsolve.equations.free_pencil import FreePencil
from rmtsolve.testing.ensemble_laws import kolmogorov

ONE, TWO = rmt.Discrete([0, 1, 3], [0.4, 0.35, 0.25]), rmt.Discrete([-1, 2, 3], [0.3, 0.3, 0.4])
PROJECTION, HEAVY = rmt.Discrete([0, 1], [0.3, 0.7]), rmt.Discrete([0, 1, 3], [0.7, 0.2, 0.1])
GAP = rmt.Discrete([0, 1, 2, 5, 6]), rmt.Discrete([-1, 2, 3, 3.5])
CRITICAL = rmt.Discrete([-1, 0, 1], [0.25, 0.5, 0.25]), rmt.Discrete([-2, -1, 1, 2])
PAIRS = {  # laws, edges right of 0 (0 itself where bulks touch there), mass at 0
    "three bulks": (ONE, TWO, 3, 0.0),
    "projection": (PROJECTION, TWO, 2, 0.4),
    "heavy atom": (HEAVY, TWO, 4, 0.4),
    "two atoms of one mass": (HEAVY, PROJECTION, 4, 0.4),
    "two projections": (PROJECTION, rmt.Discrete([0, 1], [0.2, 0.8]), 2, 0.6),
    "one projection twice": (PROJECTION, PROJECTION, 1, 0.4),
    "nearly half of the space": (rmt.Discrete([0, 1], [0.51, 0.49]), rmt.Discrete([3, 5], [0.51, 0.49]), 1, 0.02),
    "z m = -1 in a gap": (*GAP, 3, 0.0),
    "critical mass": (*CRITICAL, 2, 0.0),
    "continuous": (rmt.Uniform(0, 1), ONE, 3, 0.0),
    "solved": (rmt.free_add(ONE, rmt.MarchenkoPastur(0.5)), HEAVY.shifted(2.0), 4, 0.4),
}


def pencil(mu, nu):
    """Operator-valued subordination: ``i (X Y - Y X)`` is the Schur complement of this pencil's first row."""
    constant, first, second = (np.zeros((3, 3), dtype=np.complex128) for _ in range(3))
    constant[1, 2], constant[2, 1] = -1j, 1j
    first[0, 1] = first[1, 0] = second[0, 2] = second[2, 0] = 1.0
    carried = np.array([1.0, 0.0, 0.0])
    return FreePencil(constant, carried, (), ((first, mu), (second, nu)), carried, "commutator")


def solved(mu, nu):
    return CommutatorLaw(CommutatorEquation(mu, nu), "a commutator")


def cumulants(law):
    """Second and fourth free cumulant, exact for rational laws."""
    if not isinstance(law, rmt.Discrete):
        return law.free_cumulant(2), law.free_cumulant(4)
    at = [Fraction(x).limit_denominator(1000) for x in law.locations]
    mass = [Fraction(w).limit_denominator(1000) for w in law.weights]
    moments = [sum(w * x**k for x, w in zip(at, mass, strict=True)) for k in range(1, 5)]
    return rmt.free_cumulants(moments)[1::2]


def even_moments(mu, nu):
    """From the free cumulants ``2 (f_a * f_b * zeta)(n)``, f(1) and f(2) the second and fourth of the factors."""
    (a, fourth_a), (b, fourth_b) = cumulants(mu), cumulants(nu)
    second = 2 * a * b
    return float(second), float(2 * (fourth_a * b**2 + fourth_b * a**2 + (a * b) ** 2) + 2 * second**2)


@pytest.fixture(scope="module", params=PAIRS, ids=lambda name: name)
def case(request):
    mu, nu, half, atom = PAIRS[request.param]
    return mu, nu, half, atom, rmt.free_commutator(mu, nu)


def test_mass_moments_and_atom(case):
    mu, nu, half, atom, law = case
    positive = law.edges[law.edges.size // 2 :]
    assert positive.size == half
    assert_allclose(law.edges, -law.edges[::-1], rtol=1e-13, atol=0.0)
    assert law.atoms.locations.tolist() == [0.0] * (atom > 0.0)
    assert_allclose(law.atoms.weights.sum(), atom, atol=1e-14)
    assert_allclose(law.expect(np.ones_like), 1.0, rtol=1e-12)
    assert_allclose([law.moment(2), law.moment(4)], even_moments(mu, nu), rtol=1e-11)
    z = np.array([1e-3j, 1e-5j]) * positive[-1]
    assert_allclose((-z * law.stieltjes(z))[-1], atom, atol=1e-6 if atom and law.density(1e-9) == 0.0 else 5e-3)


def test_matrices(case):
    mu, nu, _, _, law = case
    size, rng = 400, np.random.default_rng(11)
    levels = (np.arange(size) + 0.5) / size
    a, b = mu.quantile(levels), nu.quantile(levels)
    q, r = np.linalg.qr(rng.standard_normal((size, size)) + 1j * rng.standard_normal((size, size)))
    q = q * (np.diag(r) / np.abs(np.diag(r)))
    turned = (q * b) @ q.conj().T
    spectrum = np.linalg.eigvalsh(1j * (a[:, None] * turned - turned * a))
    spectrum[np.abs(spectrum) < 1e-10] = 0.0
    assert size * kolmogorov(law, spectrum) <= 0.3 * np.log(size) + 2.0


def test_pencil_has_the_same_transform(case):
    mu, nu, _, _, law = case
    top = law.edges[-1]
    z = top * np.array([0.31 + 0.2j, -0.7 + 0.01j, 1.2 + 0.4j, 0.52 + 1e-3j, 0.1 + 0.03j])
    assert_allclose(law.stieltjes(z), rmt.solve(pencil(mu, nu), z).m, rtol=1e-10)


def test_one_narrow_gap_on_either_side():
    law = rmt.free_commutator(ONE, TWO)
    middle = 0.5 * (law.edges[1] + law.edges[2])
    assert law.density([middle, law.edges[-1] + 1e-3]).tolist() == [0.0, 0.0]
    assert law.stieltjes(middle).imag == 0.0


@pytest.mark.parametrize(
    ("mu", "nu"),
    [
        (rmt.Discrete([-1, 0, 1], [0.3, 0.4, 0.3]), rmt.Discrete([-2, -1, 1, 2])),
        (rmt.Discrete([-1, 0, 1], [0.1, 0.8, 0.1]), rmt.Semicircle(mean=3.0)),
        (rmt.FreePoisson(2.0, 0.5), rmt.Semicircle()),
        (rmt.Discrete([1, 3]), ONE),
    ],
    ids=["even", "even with an atom", "free Poisson", "signs"],
)
def test_routes_for_special_laws(mu, nu):
    special, general = rmt.free_commutator(mu, nu), solved(mu, nu)
    assert not isinstance(special, CommutatorLaw)
    assert_allclose(general.edges, special.edges, rtol=1e-10)
    assert_allclose(general.atoms.weights, special.atoms.weights, atol=1e-14)
    x = special.edges[-1] * np.array([-0.9, 0.1, 0.55, 0.999])
    assert_allclose(general.density(x), special.density(x), rtol=1e-10, atol=1e-14)
    z = np.array([0.3 + 0.2j, -1 + 0.01j, 4 + 1j, 0.7 + 1e-4j, 200.0])
    assert_allclose(general.stieltjes(z), special.stieltjes(z), rtol=1e-11)


def test_closed_forms():
    """Semicircles; two projections, ``i (p q - q p)`` has eigenvalues ``+-sqrt(t (1 - t))``, t = cos^2."""
    law = solved(rmt.Semicircle(), rmt.Semicircle(mean=3.0))
    assert_allclose(law.edges[-1], np.sqrt((11 + 5 * np.sqrt(5)) / 2), rtol=1e-12)
    z = np.array([0.3 + 0.2j, -1 + 0.01j, 4 + 1j, 1e-8j])
    m = law.stieltjes(z)
    assert_allclose(z * m**3 - m**2 - z * m - 1, 0.0, atol=1e-12)
    alpha, beta = 0.7, 0.8
    t = alpha + beta - 2 * alpha * beta + 2 * np.sqrt(alpha * beta * (1 - alpha) * (1 - beta)) * np.array([-1, 1])
    law = rmt.free_commutator(*PAIRS["two projections"][:2])
    assert_allclose(law.edges[2:], [np.sqrt(t * (1 - t)).min(), 0.5], rtol=1e-10)  # t = 1/2 is a hard edge


def test_regular_where_z_m_is_minus_one():
    """One of the unknowns p, r vanishes there, and the subordination matrix of the pencil is infinite."""
    law = rmt.free_commutator(HEAVY, TWO)
    low, high = law.edges[5:7]
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if middle * law.stieltjes(middle).real < -1.0 else (low, middle)
    x = low + np.array([-1e-3, 0.0, 1e-3])
    assert np.abs(rmt.solve(law.equation, x).state[1, 1:3]).min() < 1e-10
    m = law.stieltjes(x)
    assert_allclose(m[1], 0.5 * (m[0] + m[2]), rtol=1e-5)
    assert abs(x[1] * m[1] + 1.0) < 1e-12


def test_right_beside_an_edge():
    law = rmt.free_commutator(*GAP)
    m = law.stieltjes([-2.98343, 2.98343])
    assert (m.imag == 0.0).all()
    assert_allclose(m[0], -m[1], rtol=1e-13)
    assert law.density(2.9834) > 0.0


@pytest.mark.parametrize("first", [0.3, 0.4, 0.49, 0.5, 0.9])
@pytest.mark.parametrize("second", [0.3, 0.49, 0.7, 0.95])
def test_projections_have_the_transform_of_the_equation(first, second):
    mu, nu = (rmt.Discrete([0, 1], [1 - trace, trace]) for trace in (first, second))
    law = rmt.free_commutator(mu, nu)
    beyond = 2.0 if first != 0.5 else 2.0 + 1e-6j  # the equation takes long to find its support at critical masses
    z = np.array([0.1 + 0.1j, 0.5 + 0.01j, -0.2 + 0.3j, beyond, -0.45 + 1e-3j, 0.3 + 1e-2j])
    assert_allclose(law.stieltjes(z), rmt.solve(CommutatorEquation(mu, nu), z).m, rtol=1e-11)
    step = 1e-4 * (1 + z.imag)
    far = z[z.imag > 0.05]
    step = step[z.imag > 0.05]
    slope = (law._stieltjes(far + step) - law._stieltjes(far - step)) / (2 * step)
    assert_allclose(law._stieltjes_derivative(far), slope, rtol=1e-4)
    levels = law.cdf(law.quantile([0.1, 0.2, 0.99]))
    assert_allclose(levels[[0, 2]], [0.1, 0.99] if law.atoms.weights.sum() < 0.8 else levels[[0, 2]], rtol=1e-10)


def test_projections_end_where_the_angle_is_half_a_right_one():
    """The edges are 1/2 to the last digit, with a density like an inverse square root; nothing fails at them."""
    for weights in ([0.7, 0.3], [0.6, 0.4], [0.51, 0.49]):
        mu = rmt.Discrete([0, 1], weights)
        law = rmt.free_commutator(mu, mu)
        assert law.edges.tolist() == [-0.5, 0.5]
        assert np.isfinite(law.density([-0.5, 0.0, 0.3, 0.5])).all()
        steps = np.array([1e-8, 1e-10, 1e-12])
        scaled = law.density(offset=-steps, edge=1) * np.sqrt(steps)
        assert_allclose(scaled, scaled[0], rtol=1e-6)
        assert_allclose(law.cdf(0.5), 1.0, rtol=1e-15)
        assert_allclose(law.cdf(0.3) + law.cdf(-0.3), 1.0, rtol=1e-12)
    # an inner edge of two projections, one of them half of the space
    law = rmt.free_commutator(rmt.Discrete([0, 1]), rmt.Discrete([0, 1], [0.7, 0.3]))
    assert_allclose(law.edges, [-0.5, -0.2, 0.2, 0.5], rtol=1e-15)
    assert_allclose(law.density([-0.2, 0.2]), 0.0, atol=1e-7)
    scaled = rmt.free_commutator(rmt.Discrete([-1, 2], [0.3, 0.7]), rmt.Discrete([5, 5.5], [0.2, 0.8]))
    assert scaled.edges[-1] == 0.75


def test_every_method_solves_the_equation():
    equation = rmt.free_commutator(PROJECTION, TWO).equation
    z = [1 + 0.5j, 0.3 + 0.1j]
    known = rmt.solve(equation, z).m
    for method in (rmt.Newton(), rmt.Continuation(), rmt.Anderson(), rmt.FixedPoint()):
        assert_allclose(rmt.solve(equation, z, method).m, known, rtol=1e-10)
        assert rmt.solve(equation, [], method).m.size == 0
    assert rmt.solve(equation, []).m.size == 0


def test_shifts_and_scales():
    law, moved = (
        rmt.free_commutator(HEAVY, TWO),
        rmt.free_commutator(HEAVY.scaled(-3.0).shifted(7.0), TWO.shifted(-5.0)),
    )
    assert_allclose(moved.edges, 3.0 * law.edges, rtol=1e-11)
    z = np.array([0.3 + 0.2j, -1 + 0.01j, 4 + 1j, 0.7 + 1e-6j, 2.5])
    assert_allclose(3.0 * moved.stieltjes(3.0 * z), law.stieltjes(z), rtol=1e-11)


def test_high_precision_is_within_the_bound():
    equation = CommutatorEquation(ONE, TWO)
    z = np.array([0.3 + 0.2j, -1 + 0.01j, 4 + 1j, 0.7 + 1e-4j])
    found, precise = rmt.solve(equation, z), rmt.solve(equation, z, rmt.HighPrecision(digits=40))
    assert precise.ok
    gap = np.array([abs(complex(a - b)) for a, b in zip(precise.precise_m, found.m, strict=True)])
    assert np.all(gap <= found.error_bound)
    assert np.all(found.error_bound <= 1e-12)


def test_other_roots_are_refused():
    """Newton's iteration from random states finds many roots; only the solution passes."""
    equation, rng = CommutatorEquation(ONE, TWO), np.random.default_rng(2)
    point = np.full(400, 1.3 + 0.3j)
    right = rmt.solve(equation, point[:1]).state[0]
    start = right * np.exp(rng.normal(size=(400, 5)) + 1j * rng.normal(size=(400, 5)))
    state = start.copy()
    for _ in range(60):
        state = state + np.nan_to_num(equation._newton_step(point, state)[0])
    image = equation.step(point, state)
    with np.errstate(all="ignore"):
        root = np.abs(image - state).max(axis=1) <= 1e-11 * np.abs(state).max(axis=1)
    passed = equation.verdict(point, state, equation.rates(point, state)) == 1
    same = np.abs(state - right).max(axis=1) <= 1e-9
    assert np.count_nonzero(root & ~same) >= 10
    assert np.count_nonzero(root & same) >= 10
    assert (passed[root] == same[root]).all()


def test_series_of_a_solved_factor_is_said_and_counted():
    # the same law twice: solved (and then replaced by its series), and as the free Poisson law that it is
    solved = rmt.free_add(rmt.FreePoisson(0.7, 1.0), rmt.FreePoisson(0.6, 1.0))
    other = rmt.Discrete([0, 1, 3], [0.3, 0.4, 0.3])
    equation = CommutatorEquation(solved, other)
    exact = CommutatorEquation(rmt.FreePoisson(1.3, 1.0), other)
    z = np.array([0.4 + 0.3j, 1.0 + 1e-3j, 2.0, 40.0])
    solution = rmt.solve(equation, z)
    gap = np.abs(solution.m - rmt.solve(exact, z).m)
    assert (gap <= solution.error_bound).all()
    assert "first factor is a solved law and was used as its Chebyshev series" in solution.explain()
    equation.one.error = 1e-9
    doubtful = rmt.solve(equation, z[:2]).error_bound
    assert (doubtful > 100 * solution.error_bound[:2]).all()
    assert (doubtful < 1e-4).all()
