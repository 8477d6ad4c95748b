"""Laws of polynomials and pencils in one matrix, against closed forms."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

import rmtsolve as rmt
from rmtsolve.ensembles.words import parse
from rmtsolve.measures.image import image
from rmtsolve.testing.measures import MEASURE_CHECKS

W, S, D, R = rmt.Wigner, rmt.SampleCovariance, rmt.Discrete, rmt.RectangularIID
Z = np.array([0.3 + 0.5j, -2.0 + 1e-3j, 5.0 + 2.0j, 0.7 + 1e-9j, -40.0 + 1e-12j])
SEMI = rmt.Semicircle()
TURNING = [[[-1, -2], [-2, -3]], [[-3, -2], [-2, 1]]]


def rho(x):
    return np.sqrt(4 - x**2) / (2 * np.pi)


def root(z):
    """The square root in the upper half-plane."""
    return np.sqrt(z + 0j)


# ---------------------------------------------------------------------- polynomials
def test_square_of_a_wigner_matrix():
    law = rmt.polynomial_law("X**2", X=W())
    assert law.edges.tolist() == [0.0, 4.0]
    assert_allclose(law.stieltjes(Z), SEMI.stieltjes(root(Z)) / root(Z), rtol=1e-14)
    x = np.array([1e-300, 1e-12, 0.3, 2.0, 3.9])
    assert_allclose(law.density(x), np.sqrt(4 - x) / (2 * np.pi * np.sqrt(x)), rtol=4e-15)
    assert_allclose(law.density(offset=-1e-25, edge=1), np.sqrt(1e-25) / (4 * np.pi), rtol=4e-15)
    assert_allclose(law.cdf(x), 2 * SEMI.cdf(np.sqrt(x)) - 1, atol=4e-16)
    assert [law.moment(k) for k in (1, 2, 3, 4)] == [1, 2, 5, 14]
    m = SEMI.stieltjes(np.sqrt(x), boundary=True) / np.sqrt(x)
    assert_allclose(law.stieltjes(x[1:], boundary=True), m.imag[1:] * 1j - 0.5, rtol=4e-15)


def test_derivative_of_the_transform():
    law = rmt.polynomial_law("X**2", X=W())
    z = np.array([0.3 + 0.5j, 2.0 + 1e-8j, 1.0, -1e-3, 1e-6 + 1e-6j, 1e4j])
    w = root(z)
    m, slope = SEMI._stieltjes(w), SEMI._stieltjes_derivative(w)
    assert_allclose(law._stieltjes_derivative(z), slope / (2 * z) - m / (2 * z * w), rtol=1e-12)


def test_a_chebyshev_polynomial_maps_the_semicircle_onto_itself():
    law = rmt.polynomial_law("X**3 - 3*X", X=W())  # 2 cos(t) to 2 cos(3 t)
    assert law.edges.tolist() == [-2.0, 2.0]
    for edge, sign in ((0, 1), (1, -1)):
        for y in (1e-30, 1e-9, 0.1):
            turn = 2 * math.asin(math.sqrt(y) / 2)  # distance of 3 t from its value at the edge
            steps = (np.array([0, 2, 2]) * np.pi + np.array([1, 1, -1]) * turn) / 3
            slope = np.abs(3 * np.sin([turn, turn, turn]) / np.sin(steps))
            wanted = (rho(2 * np.cos(steps)) / slope)[1:].sum() + math.sin(turn / 3) ** 2 / math.sin(turn) / 3 / np.pi
            assert_allclose(law.density(offset=sign * y, edge=edge), wanted, rtol=1e-13)
    t = np.arccos(np.array([-1.9, -0.4, 0.0, 1.3]) / 2)
    shares = [(np.clip(SEMI.cdf(2 * np.cos((t + 2 * np.pi * k) / 3)), 0, 1)) for k in range(3)]
    # t/3 in [0, pi/3]: of the three preimages the first is the largest, the second the smallest
    assert_allclose(law.cdf(2 * np.cos(t)), shares[1] + (shares[0] - shares[2]), rtol=1e-14)


def test_two_minima_at_one_value():
    law = rmt.polynomial_law("(X**2 - 1)**2", X=W())
    assert law.edges.tolist() == [0.0, 9.0]
    for y in (1e-20, 1e-7, 0.3):
        s = np.sqrt(y)
        wanted = sum(2 * rho(np.sqrt(1 + q)) / (4 * np.sqrt(1 + q) * s) for q in (s, -s))
        assert_allclose(law.density(offset=y, edge=0), wanted, rtol=4e-15)
    x = np.array([1.5, 4.0, 8.9])
    p = np.sqrt(1 + np.sqrt(x))
    assert_allclose(law.density(x), 2 * rho(p) / (4 * p * np.sqrt(x)), rtol=1e-13)
    assert_allclose(law.cdf(x), 2 * SEMI.cdf(p) - 1, rtol=1e-14)


@pytest.mark.parametrize("power", [8, 12, 20])
def test_high_powers(power):
    law = rmt.polynomial_law(f"X**{power}", X=W())
    assert law.edges.tolist() == [0.0, 2.0**power]
    x = np.array([1e-100, 1e-8, 0.3, 100.0])
    p = x ** (1 / power)
    assert_allclose(law.density(x), 2 * rho(p) / (power * x / p), rtol=1e-13)
    assert_allclose(law.cdf(x), 2 * SEMI.cdf(p) - 1, rtol=1e-14, atol=2e-16)
    assert law.moment(3) == math.comb(3 * power, 3 * power // 2) / (3 * power // 2 + 1)
    turns = np.exp(2j * np.pi * np.arange(power) / power)
    z = np.array([1e-6 + 1e-7j, 0.4 + 0.2j, -30.0 + 5j, 1e9j])
    roots = z[:, None] ** (1 / power) * turns
    assert_allclose(law.stieltjes(z), (SEMI.stieltjes(roots) * roots).sum(axis=1) / (power * z), rtol=2e-13)


def test_polynomials_of_covariance_matrices():
    c = 0.25
    law = rmt.polynomial_law("X**2", X=S([1.0], c))
    assert_allclose(law.edges, [(1 - 0.5) ** 4, (1 + 0.5) ** 4], rtol=1e-15)
    # at z = 0 both preimages meet outside the support: E x^-2 and, one order on, E x^-4
    assert_allclose(law.stieltjes(0.0), 1 / (1 - c) ** 3, rtol=1e-14)
    assert_allclose(law.stieltjes(np.array([1e-9, -1e-13j])), 1 / (1 - c) ** 3, rtol=1e-7)
    wide = rmt.polynomial_law("X**2 - 3*X + 1", X=S([1.0], 4.0))
    assert wide.atoms.locations.tolist() == [1.0] and wide.atoms.weights.tolist() == [0.75]
    assert_allclose(wide.edges, [-1.25, 81 - 27 + 1], rtol=1e-15)
    hard = rmt.polynomial_law("X**2", X=S([1.0], 1.0))
    y = 1e-40  # MP has 1/(pi sqrt x) at 0, its square y^(-3/4) / (2 pi)
    assert_allclose(hard.density(offset=y, edge=0), y**-0.75 / (2 * np.pi), rtol=1e-14)
    solved = rmt.polynomial_law("2*X - 1", X=S([1, 3, 10], 0.5))
    assert_allclose(solved.edges, 2 * S([1, 3, 10], 0.5).law().edges - 1, rtol=1e-15)


def test_a_fixed_spectrum():
    law = rmt.polynomial_law("X**2 - X", X=D([-1, 0, 1, 2], [0.1, 0.2, 0.3, 0.4]))
    assert law == D([0, 2], [0.5, 0.5])
    pencil = rmt.LinearPencil([[0, 1], [1, 0]], {"X": [[1, 0], [0, -1]]}, X=D([0, 1])).law()
    assert_allclose(pencil.atoms.locations, [-math.sqrt(2), -1, 1, math.sqrt(2)], rtol=1e-15)
    assert_allclose(pencil.atoms.weights, 0.25, rtol=1e-15)


def test_polynomials_of_squares_of_a_rectangular_letter():
    for text, mean, atoms in (("R.T*R", 2.0, []), ("R*R.T", 0.5 * 2.0, [0.5])):
        law = rmt.polynomial_law(text, R=R(0.5, 2.0))
        assert_allclose(law.moment(1), mean, rtol=1e-15)
        assert law.atoms.weights.tolist() == atoms
        equation = rmt.MatrixPolynomial(f"({text})**2 - {text}", R=R(0.5, 2.0))
        assert_allclose(equation.law().stieltjes(Z[:3]), rmt.solve(equation.equation(), Z[:3]).m, rtol=1e-12)


def test_a_polynomial_in_a_linear_form_of_wigner_letters():
    law = rmt.polynomial_law("(2*X - Y)**4 - 2*X + Y", X=W(0.5), Y=W(2.0))  # 2 X - Y is a Wigner matrix of variance 4
    known = image(rmt.Semicircle(4.0), [0, -1, 0, 0, 1])
    assert_allclose(law.edges, known.edges, rtol=1e-15)
    assert_allclose(law.stieltjes(Z), known.stieltjes(Z), rtol=1e-12)
    assert rmt.polynomial_law("X + Y + 1", X=W(), Y=W(3.0)) == rmt.Semicircle(4.0, 1.0)
    pencil = rmt.LinearPencil([[1, 0], [0, -1]], {"X": [[0, 1], [1, 0]], "Y": [[0, -2], [-2, 0]]}, X=W(), Y=W(0.5))
    one = rmt.LinearPencil([[1, 0], [0, -1]], {"X": [[0, 1], [1, 0]]}, X=W(3.0))
    assert_allclose(pencil.law().edges, one.law().edges, rtol=1e-15)


@pytest.mark.parametrize("text", ["X**2 + Y**2", "X*Y + Y*X", "X**2 + X*Y + Y*X + 1.01*Y**2", "(X + Y)**2 + X"])
def test_what_is_no_polynomial_in_a_form_keeps_its_equation(text):
    model = rmt.MatrixPolynomial(text, X=W(), Y=W())
    z = 0.5 + 1.0j
    law = model.law()
    assert hasattr(law, "equation")
    assert_allclose(law.stieltjes(z), rmt.solve(model.equation(), z).m, rtol=1e-12)


def test_degrees():
    assert max(map(len, parse("X**20", {"X"}, {"X"}))) == 20
    with pytest.raises(rmt.DomainError, match="between 0 and 20"):
        parse("X**21", {"X"}, {"X"})
    with pytest.raises(rmt.DomainError, match="between 0 and 12"):
        parse("X**13", {"X", "Y"}, {"X", "Y"})


# ---------------------------------------------------------------------- pencils
def test_the_pencil_whose_branches_turn():
    law = rmt.LinearPencil(TURNING[0], {"X": TURNING[1]}, X=W()).law()

    # eigenvalues -2 - x -+ sqrt((1 - 2 x)^2 + 4 (1 + x)^2); they turn where 8 x^2 + 4 x + 5 = (8 x + 2)^2
    def spread(x):
        return math.sqrt(8 * x * x + 4 * x + 5)

    turn = [(-1 + s * 3 / math.sqrt(7)) / 4 for s in (-1, 1)]
    wanted = [
        -2 - 2 - spread(2),
        max(-2 - x - spread(x) for x in turn),
        min(-2 - x + spread(x) for x in turn),
        spread(-2),
    ]
    assert_allclose(law.edges, wanted, rtol=1e-14)
    assert_allclose(law.masses, [0.5, 0.5], rtol=1e-15)
    assert repr(law).startswith("<law of LinearPencil(2 rows, X=Wigner(variance=1.0)): bulks [-10.7082, -3.73431] mass")


@pytest.mark.parametrize("gap", [1e-1, 1e-4, 1e-8, 1e-11])
def test_avoided_crossings(gap):
    law = image(SEMI, [[[0, gap], [gap, 0]], [[1, 0], [0, -1]]])  # -+sqrt(x^2 + gap^2)
    end = math.hypot(2, gap)
    assert_allclose(law.edges, [-end, -gap, gap, end], rtol=1e-14, atol=4e-16)
    for y in (1e-25, 1e-6):
        x = math.sqrt(y * (2 * gap + y))
        wanted = 2 * rho(x) * (gap + y) / x / 2
        assert_allclose(law.density(offset=y, edge=2), wanted, rtol=1e-12 if gap > 1e-3 or y < gap**2 else 1e-8)
    assert_allclose(law.cdf([-gap / 2, gap / 2]), 0.5, rtol=1e-15)


def test_crossings_and_touching_branches_are_no_edges():
    law = image(SEMI, [np.diag([0.0, 0.0, 0.0]), np.diag([1.0, -1.0, 3.0])])
    assert law.edges.tolist() == [-6.0, 6.0]
    x = np.array([-5.0, -1.0, 1e-9, 1.5])
    assert_allclose(
        law.density(x),
        (2 * np.nan_to_num(np.sqrt(np.maximum(4 - x**2, 0))) / 2 / np.pi + rho(x / 3) / 3) / 3,
        rtol=1e-14,
    )
    assert_allclose(law.density(0.0), (2 * rho(0.0) + rho(0.0) / 3) / 3, rtol=1e-14)  # all three meet there
    turn = np.array([[0.6, 0.8], [-0.8, 0.6]])
    uneven = image(SEMI, [np.zeros((2, 2)), (turn * [1.0, -2.0]) @ turn.T])
    assert_allclose(uneven.density(0.0), (rho(0.0) + rho(0.0) / 2) / 2, rtol=1e-13)
    aside = image(SEMI, [(turn * [0.0, 1.0]) @ turn.T, (turn * [1.0, -3.0]) @ turn.T])  # x and 1 - 3 x
    close = 0.25 + np.array([-1e-12, -1e-16, 0.0, 1e-16, 1e-12])
    # at a gap of 4e-12 between eigenvalues their vectors are turned by 2e-16 / 4e-12, which enters squared
    assert_allclose(aside.density(close), rho(0.25) * (1 + 1 / 3) / 2, rtol=3e-9)
    touching = image(SEMI, [np.diag([0.0, 4.0]), np.eye(2)])
    assert touching.edges.tolist() == [-2.0, 6.0]
    assert_allclose(touching.cdf(2.0), 0.5, rtol=1e-15)
    assert_allclose(touching.stieltjes(Z), (SEMI.stieltjes(Z) + SEMI.stieltjes(Z - 4)) / 2, rtol=1e-14)


def test_commuting_matrices_that_are_not_diagonal():
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))[0]
    a, b = np.array([0.0, 1.0, 2.0]), np.array([1.0, -1.0, 0.5])
    law = image(SEMI, [(turn * a) @ turn.T, (turn * b) @ turn.T])
    assert_allclose(law.edges, [-2.0, 3.0], rtol=1e-14)
    wanted = sum(rmt.Semicircle(s**2, m).stieltjes(Z) for m, s in zip(a, b, strict=True)) / 3
    assert_allclose(law.stieltjes(Z), wanted, rtol=1e-13)
    x = np.linspace(-1.9, 2.9, 11)
    assert_allclose(law.cdf(x), sum(rmt.Semicircle(s**2, m).cdf(x) for m, s in zip(a, b, strict=True)) / 3, rtol=1e-13)


def test_a_branch_that_is_constant_without_a_common_eigenvector():
    law = image(SEMI, [[[0, 0, 0], [0, 0, 1], [0, 1, 0]], [[0, 0, 1], [0, 0, 0], [1, 0, 0]]])  # 0, -+sqrt(1 + x^2)
    assert law.atoms.locations.tolist() == [0.0]
    assert_allclose(law.atoms.weights, [1 / 3], rtol=1e-15)
    assert_allclose(law.edges, [-math.sqrt(5), -1, 1, math.sqrt(5)], rtol=1e-15)
    assert_allclose(law.masses, [1 / 3, 1 / 3], rtol=1e-15)
    w = root(Z**2 - 1)
    w = np.where(w.imag < 0, -w, w)
    wanted = (-1 / Z + 2 * Z * SEMI.stieltjes(w) / w) / 3
    assert_allclose(law.stieltjes(Z), wanted, rtol=1e-12)


def test_a_constant_branch_among_others_and_atoms_of_the_letter():
    # kernel of A1: (0, 1, -1); A0 is 7 there
    a0 = np.array([[1.0, 0, 0], [0, 3.5, -3.5], [0, -3.5, 3.5]])
    a1 = np.array([[1.0, 1, 1], [1, 2, 2], [1, 2, 2]])
    law = image(rmt.MarchenkoPastur(2.0), [a0, a1])
    assert_allclose(law.atoms.locations, [0, 1, 7], atol=1e-15)
    assert_allclose(law.atoms.weights, [1 / 6, 1 / 6, 1 / 3], rtol=1e-14)  # at x = 0, of mass 1/2: 0 and 1
    assert_allclose(law.masses.sum(), 1 / 3, rtol=1e-14)


def test_almost_constant_is_not_constant():
    law = image(SEMI, np.array([np.diag([1.0, 5.0]), [[1e-9, 0], [0, 1.0]]]))
    assert law.atoms.locations.size == 0
    assert_allclose(law.edges, [1 - 2e-9, 1 + 2e-9, 3, 7], rtol=1e-15)


def test_unitary_equivalence_of_complex_pencils():
    rng = np.random.default_rng(4)
    g = rng.normal(size=(2, 3, 3)) + 1j * rng.normal(size=(2, 3, 3))
    a = g + g.conj().swapaxes(1, 2)
    u = np.linalg.qr(rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3)))[0]
    one, two = image(SEMI, a), image(SEMI, u @ a @ u.conj().T)
    assert_allclose(one.edges, two.edges, rtol=1e-13)
    assert_allclose(one.stieltjes(Z), two.stieltjes(Z), rtol=1e-12)
    repeated = image(SEMI, np.kron(np.eye(2), a))
    assert_allclose(repeated.edges, one.edges, rtol=1e-13)
    x = np.linspace(one.edges[0], one.edges[-1], 12)[1:-1]
    assert_allclose(repeated.density(x), one.density(x), rtol=1e-12)


def test_expectations_and_moments():
    law = rmt.LinearPencil(TURNING[0], {"X": TURNING[1]}, X=W()).law()
    a0, a1 = (np.array(a, dtype=float) for a in TURNING)
    assert_allclose(law.moment(2), np.trace(a0 @ a0 + a1 @ a1) / 2, rtol=1e-15)
    assert_allclose(law.expect(lambda x: x**2), law.moment(2), rtol=1e-13)
    square = rmt.polynomial_law("X**8", X=W())
    assert_allclose(square.expect(np.sqrt), SEMI.moment(4), rtol=1e-13)
    far = rmt.polynomial_law("(X - 1)**6 - 1", X=W(0.01))  # sums of many moments would cancel
    x = 0.1 * 2 * np.cos(np.pi * (np.arange(400) + 0.5) / 400)
    weight = 2 * np.sin(np.pi * (np.arange(400) + 0.5) / 400) ** 2 / 400
    assert_allclose(far.moment(9), (((x - 1) ** 6 - 1) ** 9 * weight).sum(), rtol=1e-12)


@pytest.mark.parametrize(
    "law",
    [
        image(SEMI, TURNING),
        image(SEMI, [0, -3, 0, 1]),
        image(rmt.MarchenkoPastur(0.25), [0, 0, 1]),
        image(rmt.MarchenkoPastur(4.0), [1, -3, 1]),
        image(S([1, 3, 10], 0.5).law(), [[[1, 2], [2, 0]], [[1, 1j], [-1j, 0]]]),
    ],
    ids=repr,
)
@pytest.mark.parametrize("check", MEASURE_CHECKS, ids=lambda check: check.__name__)
def test_conformance(law, check):
    check(law)


def test_bad_arguments_are_named():
    for make, named in (
        (lambda: image(SEMI, [[[0, 1], [0, 0]], [[1, 0], [0, 1]]]), "Hermitian"),
        (lambda: image(SEMI, [0.0, 1j]), "coefficients"),
        (lambda: image(SEMI, np.zeros((3, 2, 2))), "two square matrices"),
        (lambda: image(SEMI, np.zeros((2, 2))), "square"),
        (lambda: image(SEMI, [0.0, np.nan]), "finite"),
    ):
        with pytest.raises(rmt.DomainError, match="coefficients must be") as caught:
            make()
        assert named in str(caught.value)
    with pytest.raises(rmt.DomainError, match="bounded support"):
        image(rmt.Continuous(lambda x: np.exp(-(x**2)) / np.sqrt(np.pi), (-np.inf, np.inf)), [0, 0, 1])


@pytest.mark.parametrize("matrix", [[[1, 2], [2, 1]], [[0, 2, 1], [2, 1, 0], [1, 0, -1]]], ids=str)
def test_the_density_where_branches_cross(matrix):
    """All eigenvalues of ``t A`` are 0 at t = 0, where half of them turn."""
    law = rmt.LinearPencil(np.zeros_like(matrix), {"X": matrix}, X=rmt.Wigner()).law()
    exact = np.mean(1.0 / np.abs(np.linalg.eigvalsh(matrix))) / np.pi
    np.testing.assert_allclose(law.density([0.0, 1e-310, -1e-300, 1e-12, -1e-12]), exact, rtol=1e-12)
