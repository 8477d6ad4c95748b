"""Matrix and vector Dyson laws against closed forms, other families of the package, exact moments and mpmath."""

import itertools

import numpy as np
import pytest

import rmtsolve as rmt
from rmtsolve.ensembles.words import parse
from rmtsolve.testing.ensemble_laws import kolmogorov

W, S, D, R = rmt.Wigner, rmt.SampleCovariance, rmt.Discrete, rmt.RectangularIID


def physical_root(coefficients):
    """Root with the largest imaginary part of a polynomial whose physical root is the only one in the half-plane."""
    return max(np.roots(coefficients), key=lambda m: m.imag)


@pytest.mark.parametrize("text", ["X*Y + Y*X", "1j*(X*Y - Y*X)"])
def test_anticommutator_and_commutator(text):
    law = rmt.polynomial_law(text, X=W(), Y=W())
    edge = np.sqrt((11 + 5 * np.sqrt(5)) / 2)
    np.testing.assert_allclose(law.edges, [-edge, edge], rtol=1e-13)
    np.testing.assert_allclose(law.density([1.0, 3.0]), [0.19298833300823108, 0.048137434405275972], rtol=1e-13)
    for z in (0.3 + 0.2j, 1.0, -2.0 + 1e-6j):
        m = law.stieltjes(z, boundary=True)
        assert abs(z * m**3 - m**2 - z * m - 1) < 1e-12
        assert abs(m - physical_root([z, -1, -z, -1])) < 1e-9
    assert abs(law.cdf(0.0) - 0.5) < 1e-13 and abs(law.moment(2) - 2) < 1e-12 and law.atoms.locations.size == 0


def test_xyx():
    law = rmt.polynomial_law("X*Y*X", X=W(), Y=W())
    edge = 16 / (3 * np.sqrt(3))
    np.testing.assert_allclose(law.edges, [-edge, edge], rtol=1e-13)
    for x in (0.01, 0.5, 2.0, 3.0):
        s = physical_root([1, 0, 2, x, 1])
        # (s^2 + 1)^2 + z s = 0, m = s / (s^2 + 1); two roots lie in the half-plane, one of which belongs to -m
        values = [s / (s * s + 1) for s in np.roots([1, 0, 2, x, 1])]
        rho = law.density(x)
        assert min(abs(v.imag / np.pi - rho) for v in values) < 1e-12, s
    assert abs(law.density(1e-8) * 1e-4 * np.pi * np.sqrt(2) - 1) < 1e-4  # |x|^(-1/2) / (pi sqrt 2) near 0
    assert abs(law.cdf(1e-8) - 0.5 - 2e-4 / (np.pi * np.sqrt(2)) / 1) < 1e-8


def test_sum_of_squares_is_free_poisson_of_rate_two():
    law, truth = rmt.polynomial_law("X**2 + Y**2", X=W(), Y=W()), rmt.FreePoisson(2.0)
    np.testing.assert_allclose(law.edges, truth.edges, rtol=1e-13)
    x = np.linspace(0.3, 5.6, 7)
    np.testing.assert_allclose(law.density(x), truth.density(x), rtol=1e-12)
    np.testing.assert_allclose(law.cdf(x), truth.cdf(x), rtol=1e-12)


def test_fourth_power_is_a_pushforward():
    law, base = rmt.polynomial_law("(X + Y)**4", X=W(), Y=W()), rmt.Semicircle(variance=2.0)
    np.testing.assert_allclose(law.edges, [0, 64], rtol=1e-13)
    x = np.array([1e-4, 1e-2, 1.0, 10.0, 60.0])
    root = x**0.25
    np.testing.assert_allclose(law.density(x), 2 * base.density(root) / (4 * root**3), rtol=1e-9)
    np.testing.assert_allclose(law.cdf(x), 2 * base.cdf(root) - 1, rtol=1e-10)
    assert abs(law.moment(2) - base.moment(8)) < 1e-9 * base.moment(8)


def test_fuss_catalan():
    """Product of two square Gaussian matrices: ``R* Y R`` with Y a white Wishart matrix."""
    law = rmt.polynomial_law("R.T*Y*R", R=R(), Y=S([1.0], 1.0))
    np.testing.assert_allclose(law.edges, [0, 27 / 4], rtol=1e-13)
    assert abs(law.density(1.8829172847388668) - 0.099735395758727333) < 1e-13
    assert [round(law.moment(k), 9) for k in (1, 2, 3, 4)] == [1, 3, 12, 55]


POPULATION = D([1, 3, 10], [0.5, 0.3, 0.2])
GAPPED = D([0, 3, 10], [0.5, 0.3, 0.2])
SAME_LAW = {
    "one colour": (("X", {"X": S(POPULATION, 0.5)}), S(POPULATION, 0.5)),
    "coloured, p > n": (("X", {"X": S(POPULATION, 2.5)}), S(POPULATION, 2.5)),
    "hard edge with an atom": (("X", {"X": S(GAPPED, 2.0)}), S(GAPPED, 2.0)),
    "white": (("R.T*R", {"R": R(0.5, 2.0)}), S([2.0], 0.5)),
    "deformed": (("X + D", {"X": W(0.64), "D": D([-1, 1])}), rmt.DeformedWigner([-1, 1], 0.64)),
    "compound": (("X*D*X", {"X": W(), "D": D([-1, 2, 3])}), rmt.CompoundFreePoisson(D([-1, 2, 3]), 1.0)),
    "sandwich": (("R.T*D*R", {"R": R(0.5), "D": D([1, 4])}), rmt.CompoundFreePoisson(D([1, 4]), 2.0)),
}  # fmt: skip


@pytest.mark.parametrize("case", SAME_LAW)
def test_laws_of_other_families(case):
    (text, letters), other = SAME_LAW[case]
    law, truth = rmt.polynomial_law(text, **letters), other.law()
    factor = 1.0
    if case == "sandwich":  # rows have variance 1/n there, 1/p here
        factor = 0.5
        truth = truth.scaled(factor)
    np.testing.assert_allclose(law.edges, truth.edges, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(law.atoms.locations, truth.atoms.locations, atol=1e-12)
    np.testing.assert_allclose(law.atoms.weights, truth.atoms.weights, atol=1e-10)
    x = np.concatenate([left + (right - left) * np.array([0.02, 0.3, 0.8]) for left, right in law.support])
    np.testing.assert_allclose(law.density(x), truth.density(x), rtol=1e-11)
    np.testing.assert_allclose(law.cdf(x), truth.cdf(x), rtol=1e-11)
    z = np.array([0.4 + 0.3j, -1.0 + 1e-3j, 7.0 + 0.2j])
    np.testing.assert_allclose(law.stieltjes(z), truth.stieltjes(z), rtol=1e-12)


# ---------------------------------------------------------------------- exact moments by Wick's rule for large matrices
def trace(word, letters):
    """Normalised trace of a word of Gaussian letters and powers of one fixed matrix, over the space where it starts."""
    if not word:
        return 1.0
    gaussian = [i for i, (name, _) in enumerate(word) if not isinstance(letters[name], D)]
    if not gaussian:
        return letters[word[0][0]].moment(len(word))
    word = word[gaussian[0] :] + word[: gaussian[0]]  # a fixed matrix does not change the space
    (name, star), letter = word[0], letters[word[0][0]]
    total = 0.0
    for j in range(1, len(word)):
        if word[j][0] != name or (isinstance(letter, R) and word[j][1] == star):
            continue
        factor = letter.variance * (letter.ratio if isinstance(letter, R) and not star else 1.0)
        total += factor * trace(word[1:j], letters) * trace(word[j + 1 :], letters)
    return total


def moments(text, letters, order):
    names = {name for name, letter in letters.items() if not isinstance(letter, R)}
    polynomial = parse(text, letters, names)
    power, out = {(): 1.0}, []
    for _ in range(order):
        power = _product(power, polynomial)
        out.append(sum(value * trace(word, letters) for word, value in power.items()).real)
    return out


def _product(left, right):
    product = {}
    for (u, a), (v, b) in itertools.product(left.items(), right.items()):
        product[u + v] = product.get(u + v, 0.0) + a * b
    return product


GAUSS = {
    "X*D + D*X + X**2": {"X": W(0.7), "D": D([-1, 0.5, 2], [0.2, 0.5, 0.3])},
    "R.T*R*X + X*R.T*R": {"X": W(1.3), "R": R(0.4)},
    "R.T*R*D + D*R.T*R - X": {"X": W(), "R": R(2.5, 0.5), "D": D([1, 3])},
    "R.T*X*R + Z": {"X": W(), "R": R(0.6), "Z": W(0.2)},
    "1j*(X*R.T*R - R.T*R*X) + 2*X": {"X": W(), "R": R(1.0)},
}


@pytest.mark.parametrize("text", GAUSS)
def test_moments_by_wick(text):
    letters = GAUSS[text]
    law = rmt.polynomial_law(text, **letters)
    expected = moments(text, letters, 4)
    scale = np.abs(law.edges).max()
    for k, value in enumerate(expected, 1):
        assert abs(law.moment(k) - value) < 1e-11 * scale**k, (k, law.moment(k), value)


@pytest.mark.parametrize(("ratio", "atoms"), [(0.5, [1.0, 4.0]), (3.0, [0.5, 1.0, 2.0]), (1.7, [2.0])])
def test_anticommutator_with_a_covariance_matrix(ratio, atoms):
    """The covariance letter at any ratio and population, against its own ``D R* R D``-free expansion by Wick's rule."""
    population = D(atoms)
    law = rmt.polynomial_law("X*Y + Y*X", X=W(), Y=S(population, ratio))
    root = D(np.sqrt(atoms))
    letters = {"X": W(), "R": R(ratio), "T": root}
    expected = moments("X*T*R.T*R*T + T*R.T*R*T*X", letters, 4)
    scale = np.abs(law.edges).max()
    for k, value in enumerate(expected, 1):
        assert abs(law.moment(k) - value) < 1e-11 * scale**k


# ---------------------------------------------------------------------- beside an atom at a singular point
def test_an_atom_within_a_singular_bulk():
    """Half of XYX is an atom, and residuals beside it are rounding."""
    model = rmt.MatrixPolynomial("X*Y*X", X=S([1.0], 2.0), Y=W(0.5))
    law = model.law()
    assert law.atoms.locations.tolist() == [0.0] and abs(law.atoms.weights[0] - 0.5) < 1e-9
    assert abs(law.moment(2) - 4.5) < 1e-12  # variance (tr X^2)^2, tr X^2 = 1 + 2
    np.testing.assert_allclose(law.cdf([-1e-3, 1e-3]).sum(), 1.0, atol=1e-10)
    # beside the atom the density is 2/pi; 4e-12 is what a computed eigenvalue 0 may be
    np.testing.assert_allclose(law.density([1e-8, 1e-6]), 2.0 / np.pi, rtol=1e-8)
    assert abs(law.cdf(4e-12) - 0.75) < 1e-11
    # on the axis next to the atom nothing is called converged that is not within rounding
    x = np.geomspace(1e-9, 1e-2, 15)
    solution = rmt.solve(model.equation(), x, throw=False)
    sure = solution.status == 0
    assert sure.any() and np.all(solution.residual[sure] <= 30e-13)
    above = rmt.solve(model.equation(), x[sure] * (1 + 1e-6j))
    assert np.all(np.abs(above.m - solution.m[sure]) <= 1e-4 * np.abs(above.m))


# ---------------------------------------------------------------------- profiles
def test_profile_of_the_note():
    law = rmt.VarianceProfile([[0.5, 2], [2, 0.3]], fractions=[0.6, 0.4]).law()
    assert abs(law.density(1.0) - 0.25601727405113706) < 1e-14
    assert abs(law.edges[1] - 2.18867905818098) < 1e-13
    # second and fourth moment: sum over pairs and over the two non-crossing pairings of four
    a, s = np.array([0.6, 0.4]), np.array([[0.5, 2], [2, 0.3]])
    rows = s @ a
    assert abs(law.moment(2) - a @ rows) < 1e-13
    assert abs(law.moment(4) - 2 * a @ rows**2) < 1e-12


def test_flat_profiles():
    np.testing.assert_allclose(rmt.VarianceProfile(np.ones((30, 30))).law().edges, [-2, 2], rtol=1e-12)
    wide = rmt.VarianceProfile([[0.64]], mean=[0.5]).law()
    np.testing.assert_allclose(wide.edges, [-1.1, 2.1], rtol=1e-13)
    for ratio in (0.3, 1.0, 4.0):
        law, truth = rmt.RectangularProfile(np.full((2, 3), 2.0), ratio).law(), rmt.MarchenkoPastur(ratio).scaled(2.0)
        np.testing.assert_allclose(law.edges, truth.edges, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(law.cdf([0.7, 2.0]), truth.cdf([0.7, 2.0]), rtol=1e-11)
        np.testing.assert_allclose(law.atoms.weights, truth.atoms.weights, rtol=1e-11)


def test_separable_rectangular_profile():
    """A profile ``a_i b_j`` is a separable covariance matrix."""
    law = rmt.RectangularProfile(np.outer([0.5, 2.0], [1.0, 4.0]), 0.5).law()
    assert abs(law.density(1.0) - 0.24533855868096828) < 1e-13
    assert abs(law.density(8.0) - 0.034763031961285279) < 1e-13
    assert abs(law.stieltjes(-1.0) - 0.40371399287617808) < 1e-13


def test_split_block_changes_nothing():
    one = rmt.VarianceProfile([[0.5, 2], [2, 0.3]], fractions=[0.6, 0.4], mean=[0, 1]).law()
    two = rmt.VarianceProfile(
        [[0.5, 0.5, 2], [0.5, 0.5, 2], [2, 2, 0.3]], fractions=[0.1, 0.5, 0.4], mean=[0, 0, 1]
    ).law()
    np.testing.assert_allclose(one.edges, two.edges, rtol=1e-12)
    np.testing.assert_allclose(one.density([-1.0, 2.0]), two.density([-1.0, 2.0]), rtol=1e-12)
    np.testing.assert_allclose(one.masses, [0.6, 0.4], rtol=1e-11)


# ---------------------------------------------------------------------- certificates
EQUATIONS = {
    "anticommutator": rmt.MatrixPolynomial("X*Y + Y*X", X=W(), Y=W()).equation(),
    "coloured": rmt.MatrixPolynomial("X*Y + Y*X", X=W(), Y=S([1.0, 4.0], 0.5)).equation(),
    "profile": rmt.VarianceProfile([[0.5, 2], [2, 0.3]], fractions=[0.6, 0.4], mean=[0, 1]).equation(),
    "rectangular": rmt.RectangularProfile([[1, 4], [0, 1]], 0.5).equation(),
}


@pytest.mark.parametrize("name", EQUATIONS)
def test_error_bound_holds_against_thirty_digits(name):
    z = np.array([0.9, 1.5 + 1e-3j, -0.5 + 0.5j, 40.0 + 2j])
    solution = rmt.solve(EQUATIONS[name], z)
    precise = rmt.solve(EQUATIONS[name], z, rmt.HighPrecision(digits=30))
    error = np.abs(solution.m - precise.m)
    assert np.all(error <= solution.error_bound), (error, solution.error_bound)
    assert np.all(solution.error_bound < 1e-9)


@pytest.mark.parametrize("name", EQUATIONS)
def test_generic_path_agrees(name):
    z = np.array([1.5 + 0.3j, -0.5 + 0.5j])
    fast = rmt.solve(EQUATIONS[name], z)
    plain = rmt.solve(EQUATIONS[name], z, rmt.Continuation())
    np.testing.assert_allclose(fast.m, plain.m, rtol=1e-10)


def test_two_coloured_letters_by_subordination():
    """Neither letter is Gaussian: operator-valued subordination, against sampled resolvents and a free sum."""
    model = rmt.MatrixPolynomial("X*Y + Y*X", X=S([1.0, 4.0], 0.5), Y=S([1.0, 2.0], 0.5))
    z = np.array([3.0 + 2.0j, -1.0 + 2.0j])
    m = rmt.solve(model.equation(), z).m
    rng = np.random.default_rng(5)
    spectra = np.array([np.linalg.eigvalsh(model.sample(200, rng)) for _ in range(6)])
    traces = (1 / (spectra[:, :, None] - z)).mean(axis=1)
    error = np.abs(traces.std(axis=0, ddof=1)) / np.sqrt(6)
    assert np.all(np.abs(traces.mean(axis=0) - m) < 4 * error + 4 / (200 * z.imag))
    law = model.law()
    tau = [[1, 2.5, 2.5**2 * 0.5 + 8.5], [1, 1.5, 1.5**2 * 0.5 + 2.5]]  # tau(X^k), k = 0, 1, 2: population and ratio
    x1, x2, y1, y2 = *tau[0][1:], *tau[1][1:]
    assert abs(law.moment(1) - 2 * x1 * y1) < 1e-10
    second = 2 * (x2 * y1**2 + x1**2 * y2 - x1**2 * y1**2) + 2 * x2 * y2
    assert abs(law.moment(2) - second) < 1e-9 * second
    assert np.mean([200 * kolmogorov(law, v) for v in spectra]) < 0.4 * np.log(200) + 2.5
    both = rmt.MatrixPolynomial("X + Y", X=S([1.0, 4.0], 0.5), Y=D([1.0, 2.0])).equation()
    free = rmt.free_add(S([1.0, 4.0], 0.5).law(), D([1.0, 2.0]))
    np.testing.assert_allclose(rmt.solve(both, z).m, free.stieltjes(z), rtol=1e-11)
