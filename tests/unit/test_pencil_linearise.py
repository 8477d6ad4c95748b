"""The automatic linearisation: its (1, 1) Schur complement is the polynomial, and it is as small as it can be."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import rmtsolve as rmt
from rmtsolve import DomainError
from rmtsolve.ensembles.linearise import linearise
from rmtsolve.ensembles.words import parse, require_self_adjoint

FLIP = np.array([[0, 1], [1, 0]])
RECTANGULAR = {"R": (5, 3)}  # rows, columns; the other letters are 3 x 3


def evaluate(polynomial, matrices, size):
    total = np.zeros((size, size), dtype=complex)
    for word, value in polynomial.items():
        product = np.eye(size)
        for name, star in word:
            product = product @ (matrices[name].conj().T if star else matrices[name])
        total += value * product
    return total


CASES = {  # text -> rows of the minimal pencil
    "X*Y + Y*X": 3,
    "1j*(X*Y - Y*X)": 3,
    "X*Y*X": 3,
    "X**2 + Y**2": 3,
    "(X + Y)**4": 4,
    "X": 1,
    "2 - X/3 + Y": 1,
    "X**6": 6,
    "X*Y*X + Y*X*Y + 3": 5,
    "(X*Y + Y*X)**2 - 2*X": None,
    "R.T*R + X": None,
    "R.T*R*X + X*R.T*R": None,
    "(R.T*R - 1)**2 + 1j*(X*Y - Y*X)": None,
    "Z.T*Z + Z*Z.T + Z + Z.T": None,
    "1e-6*X**3 + Y": None,
}


@pytest.mark.parametrize("text", CASES, ids=str)
def test_schur_complement_is_the_polynomial(text):
    rng = np.random.default_rng(7)
    square = {"X", "Y"}
    polynomial = parse(text, {"X", "Y", "R", "Z"}, square)
    require_self_adjoint(polynomial, square)
    constant, coefficients, states = linearise(polynomial, square)
    if CASES[text] is not None:
        assert len(states) == CASES[text]
    for x, a in coefficients.items():
        partner = (x[0], not x[1]) if x[0] not in square else x
        np.testing.assert_allclose(coefficients[partner], a.conj().T, atol=1e-15)

    matrices = {}
    for name in "XY":
        g = rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3))
        matrices[name] = g + g.conj().T
    matrices["R"] = rng.normal(size=RECTANGULAR["R"])
    matrices["Z"] = rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3))
    sizes = []
    for word in states:
        name, star = word[0] if word else ("X", False)
        sizes.append(matrices[name].shape[1 if star else 0])
    z = 0.3 + 0.7j
    rows = []
    for i, size in enumerate(sizes):
        row = []
        for j, width in enumerate(sizes):
            block = np.zeros((size, width), dtype=complex)
            if size == width:
                block += (z * (i == j == 0) - constant[i, j]) * np.eye(size)
            else:
                assert constant[i, j] == 0
            for (name, star), a in coefficients.items():
                if a[i, j]:
                    block -= a[i, j] * (matrices[name].conj().T if star else matrices[name])
            row.append(block)
        rows.append(row)
    resolvent = np.linalg.inv(np.block(rows))[:3, :3]
    truth = np.linalg.inv(z * np.eye(3) - evaluate(polynomial, matrices, 3))
    np.testing.assert_allclose(resolvent, truth, atol=1e-9 * np.abs(truth).max())


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("X*Y", "X*Y without its adjoint"),
        ("__import__('os').system('true')", "__import__"),
        ("X*W", "'W'"),
        ("X**99", "99"),
        ("X**0.5", "0.5"),
        ("X/Y", "X / Y"),
        ("X/0", "X / 0"),
        ("X*", "X*"),
        ("(" * 500 + "X" + ")" * 500, "polynomial"),
        ("X" * 3000, "characters"),
        ("X if Y else X", "X if Y else X"),
        ("(X+Y)**12*(X+Y)**12", "degree"),
        ("1e999*X", "inf"),
        (3.5, "3.5"),
    ],
    ids=lambda v: str(v)[:20],
)
def test_bad_expressions_are_refused_by_name(text, named):
    with pytest.raises(DomainError, match="expression") as caught:
        require_self_adjoint(parse(text, {"X", "Y"}, {"X", "Y"}), {"X", "Y"})
    assert named in str(caught.value)


@pytest.mark.parametrize(
    ("text", "remedy"),
    [("i*(X*Y - Y*X)", "write 1j"), ("I*X", "write 1j"), ("X^2 + Y", r"write X\*\*2"), ("X*Z", "pass Z=")],
)
def test_what_a_reader_of_formulas_may_type_is_answered_with_a_remedy(text, remedy):
    with pytest.raises(rmt.DomainError, match=remedy):
        rmt.MatrixPolynomial(text, X=rmt.Wigner(), Y=rmt.Wigner())


def test_the_finite_face_of_a_sympy_expression():
    import sympy

    x, y = sympy.symbols("X Y", commutative=False)
    letters = {"X": rmt.Wigner(), "Y": rmt.SampleCovariance([1.0], 0.3)}
    model = rmt.MatrixPolynomial(sympy.I * (x * y - y * x), **letters).finite(50)
    text = rmt.MatrixPolynomial("1j*(X*Y - Y*X)", **letters).finite(50)
    one, two = (m.sample(50, np.random.default_rng(0)) for m in (model, text))
    np.testing.assert_allclose(one, two, atol=1e-12)


def test_a_heavy_atom_beside_a_bulk():
    """Near an atom of mass 1/2 nothing is solved; its mass is read off farther away."""
    law = rmt.polynomial_law("X*Y + Y*X + Y", X=rmt.SampleCovariance([1.0], 0.1), Y=rmt.SampleCovariance([2.0], 4.0))
    assert law.atoms.locations.tolist() == [0.0] and abs(law.atoms.weights[0] - 0.5) < 1e-10  # twice the rank of Y
    np.testing.assert_allclose(law.masses, [0.25, 0.25], atol=1e-10)
    assert abs(law.moment(1) - 6.0) < 1e-9


def test_letters_named_like_parameters():
    law = rmt.polynomial_law("expression + self", expression=rmt.Wigner(), self=rmt.Wigner())
    np.testing.assert_allclose(law.edges, [-(8.0**0.5), 8.0**0.5], rtol=1e-12)


@pytest.mark.parametrize(
    ("constant", "letters"),
    [
        (np.zeros((4, 4)), {"X": np.diag([2.0, 0, 0, 0]), "Y": np.diag([1.0, 1, 0, 0])}),
        (np.array([[0, 0, 1], [0, 0, 0], [1, 0, 0.5]]), {"X": np.diag([1.0, 0.5, 0]), "Y": np.diag([0, 1.0, 0])}),
        (np.diag([0, 0, 1.0, 2.0]), {"X": np.diag([1.0, 0.5, 0, 0]), "Y": np.diag([0.3, 1.0, 0, 0])}),
        (
            np.zeros((3, 3)),
            {"X": np.diag([1.0, 0, 0]), "S": np.array([[0.1, 0.6, 0.2], [0.6, -0.5, 0.3], [0.2, 0.3, 1]])},
        ),
        (np.zeros((3, 3)), {"X": np.diag([1.0, 0, 0]), "S": np.array([[0.1, 0.6, 0], [0.6, -0.5, 0], [0, 0, 0]])}),
    ],
    ids=["atom inside the bulk", "a row that is coupled", "two atoms", "half of a letter", "and no letter"],
)
def test_a_turned_frame_changes_nothing(constant, letters):
    """Rows without a letter are mixed with the others: the law is that of the rows."""
    rng = np.random.default_rng(3)
    turn = np.linalg.qr(rng.normal(size=constant.shape) + 1j * rng.normal(size=constant.shape))[0]
    kinds = {name: rmt.SampleCovariance([1.0], 4.0) if name == "S" else rmt.Wigner() for name in letters}
    known = rmt.LinearPencil(constant, letters, **kinds).law()
    turned = {name: turn @ a @ turn.conj().T for name, a in letters.items()}
    given = rmt.LinearPencil(turn @ constant @ turn.conj().T, turned, **kinds).law()
    assert_allclose(given.edges, known.edges, atol=1e-12)
    assert_allclose(given.atoms.locations, known.atoms.locations, atol=1e-12)
    assert_allclose(given.atoms.weights, known.atoms.weights, atol=1e-9)
    x = np.array([-1.3, -0.2, 0.3, 1.1])
    assert_allclose(given.density(x), known.density(x), atol=1e-10)
    z = [0.3 + 1e-3j, 5.0 + 1j]
    assert_allclose(given.stieltjes(z), known.stieltjes(z), rtol=1e-11)


@pytest.mark.parametrize("scale", [1e-8, 1e-5, 9000.0, 1e6])
@pytest.mark.parametrize(
    ("text", "degree", "letters"),
    [
        ("S*X*S", 2, lambda s: {"S": rmt.SampleCovariance([s], 0.5), "X": rmt.Wigner()}),
        ("S*X*S*X*S", 3, lambda s: {"S": rmt.SampleCovariance([s], 0.5), "X": rmt.Wigner()}),
        ("S*D*S", 2, lambda s: {"S": rmt.SampleCovariance([s], 0.5), "D": rmt.Discrete([-1, 2])}),
        ("T*X*T", 2, lambda s: {"T": rmt.SampleCovariance(rmt.Discrete([s, 3 * s]), 0.5), "X": rmt.Wigner()}),
        ("T*S*T", 2, lambda s: {"T": rmt.SampleCovariance(rmt.Discrete([s, 3 * s]), 0.5),
                                "S": rmt.SampleCovariance([1.0], 0.5)}),
        ("S + 0.001*X", 1, lambda s: {"S": rmt.SampleCovariance([s], 0.5), "X": rmt.Wigner(s * s)}),
    ],
)  # fmt: skip
def test_the_scale_of_a_covariance_letter_scales_the_law(text, degree, letters, scale):
    unit, law = (rmt.polynomial_law(text, **letters(s)) for s in (1.0, scale))
    assert_allclose(law.edges, unit.edges * scale**degree, rtol=1e-9)
    z = unit.edges[-1] * np.array([0.4 + 0.1j, -0.2 + 1e-3j])
    assert_allclose(law.stieltjes(z * scale**degree) * scale**degree, unit.stieltjes(z), rtol=1e-10)


@pytest.mark.parametrize("text", ["X*1e-320", "X*Y + 1e-200*Y*X", "1e90*X*1e90*X + Y"])
def test_coefficients_out_of_range_are_named(text):
    with pytest.raises(DomainError, match=r"^expression must be a polynomial with coefficients of size"):
        rmt.polynomial_law(text, X=rmt.Wigner(), Y=rmt.Wigner())


def test_an_atom_inside_a_bulk_counts_at_its_place():
    """Not left of it, where comparisons with eigenvalues look, too; and beside it no density is made up."""
    model = rmt.MatrixPolynomial("R*X*R.T", X=rmt.Wigner(), R=rmt.RectangularIID(0.5))
    law = model.law()
    assert_allclose(law.cdf([-1e-9, -1e-16, 0.0, 1e-16]), [0.25, 0.25, 0.75, 0.75], atol=1e-8)
    eigenvalues = np.linalg.eigvalsh(model.sample(200, np.random.default_rng(0)))
    assert rmt.compare(law, eigenvalues).kolmogorov < 5.0 / 200


@pytest.mark.parametrize(
    ("text", "plain"),
    [("X*C*X + Y", "-X*X + Y"), ("C*X + X*C", "-2*X"), ("(X + C)**2", "X*X - 2*X + 1"), ("1j*(C*X - X*C)", "0*X"),
     ("C*C", "0*X + 1")],
)  # fmt: skip
def test_a_fixed_matrix_with_one_eigenvalue_is_a_number(text, plain):
    letters = {"X": rmt.SampleCovariance([1.0], 0.5), "Y": rmt.Wigner()}
    law, known = rmt.polynomial_law(text, C=rmt.Discrete([-1.0]), **letters), rmt.polynomial_law(plain, **letters)
    assert_allclose(law.edges, known.edges, atol=1e-12)
    assert_allclose(law.atoms.locations, known.atoms.locations, atol=1e-12)
    pencil = rmt.LinearPencil(np.eye(2), {"C": [[0, 1], [1, 2]], "Y": FLIP}, C=rmt.Discrete([-1.0]), Y=rmt.Wigner())
    other = rmt.LinearPencil([[1, -1], [-1, -1]], {"Y": FLIP}, Y=rmt.Wigner())
    assert_allclose(pencil.law().edges, other.law().edges, rtol=1e-12)
    alone = rmt.LinearPencil(np.eye(2), {"C": FLIP}, C=rmt.Discrete([-1.0])).law()
    assert_allclose(alone.atoms.locations, [0.0, 2.0], atol=1e-15)


@pytest.mark.parametrize("weights", [[0.7, 0.3], [0.3, 0.7], [2 / 3, 1 / 3]])
def test_commutators_with_projections(weights):
    law = rmt.polynomial_law("1j*(X*Y - Y*X)", X=rmt.Discrete([-1, 0], weights), Y=rmt.Wigner())
    known = rmt.free_commutator(rmt.Discrete([-1, 0], weights), rmt.Semicircle())
    assert_allclose(law.edges, known.edges, rtol=1e-11)
    assert_allclose(law.atoms.weights, known.atoms.weights, rtol=1e-9)


def test_a_hard_edge_at_an_atom():
    """The sides of the atom cannot be solved: its weight is taken from above."""
    model = rmt.MatrixPolynomial("X*Y*X*Y*X", X=rmt.SampleCovariance([1.0], 1.7), Y=rmt.Wigner())
    law = model.law()
    assert_allclose(law.atoms.locations, [0.0])
    assert_allclose(law.atoms.weights, [1.0 - 1.0 / 1.7], rtol=1e-8)
    assert_allclose(law.edges[0], 0.0, atol=1e-12)


@pytest.mark.parametrize("text", ["X**3 + Y", "X*X + Y*Y"])
def test_points_where_rounding_hides_the_branch_are_not_needed(text):
    population = rmt.Discrete([1, 4])
    law = rmt.polynomial_law(text, X=rmt.SampleCovariance(population, 0.7), Y=rmt.Discrete([-1, 3]))
    assert_allclose(law.expect(np.ones_like), 1.0, rtol=1e-9)
