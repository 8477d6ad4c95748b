"""Edges and atoms that are hard to find, against closed forms and the exact edges of deformed Wigner matrices."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import rmtsolve as rmt
from rmtsolve.equations import dyson_edges
from rmtsolve.errors import ConvergenceError

W, S, D = rmt.Wigner, rmt.SampleCovariance, rmt.Discrete


@pytest.mark.parametrize(
    ("constant", "ratio", "atoms", "shares", "slope"),
    [
        ([[0, 1], [1, 0]], 4.0, [-1, 3], [0.5, 0.5], [[1, 0.5], [0.5, -1]]),
        ([[-0.49, 0.12], [0.12, -0.58]], 7.35, [-0.81, 5.81], [0.53, 0.47], [[1.77, 0.67], [0.67, 1.34]]),
    ],
)
def test_atoms_of_a_letter_with_a_kernel(constant, ratio, atoms, shares, slope):
    # on the kernel of S, of dimension 1 - 1/ratio, L is A0 + d A_D; that of the free matrix d meets it in
    # share - 1/ratio of the whole, and both eigenvalues of the 2 x 2 matrix are atoms of half that weight
    law = rmt.LinearPencil(
        constant, {"S": [[1.0, 0], [0, 0]], "D": slope}, S=S([1.0], ratio), D=D(atoms, shares)
    ).law()  # fmt: skip
    places = np.concatenate([np.linalg.eigvalsh(np.add(constant, d * np.array(slope))) for d in atoms])
    weights = np.repeat([0.5 * (share - 1 / ratio) for share in shares], 2)
    order = np.argsort(places)
    np.testing.assert_allclose(law.atoms.locations, places[order], rtol=1e-12)
    np.testing.assert_allclose(law.atoms.weights, weights[order], atol=1e-11)
    assert abs(law.masses.sum() + weights.sum() - 1) < 1e-11


NARROW = [  # populations, shares and variances whose gaps take 3e-3, 1e-3 and, near closing, 2e-8 of the support
    ([-4.361024812139215, -3.9197162017802007, -0.5883471696382458],
     [0.24364763037906997, 0.08324771551193462, 0.6731046541089956], 0.1131487516083021),
    ([-0.6123423233738956, -0.3050042410784286, 2.8838136371881964],
     [0.25877666963314305, 0.25571429849712146, 0.4855090318697354], 2.6618133602498326),
    ([-1.0, 1.0], [0.5, 0.5], 1.0 - 1e-5),
]  # fmt: skip


@pytest.mark.parametrize(("places", "shares", "variance"), NARROW)
def test_narrow_gaps_are_found(places, shares, variance):
    exact = rmt.DeformedWigner(D(places, shares), variance).law().edges
    n = len(places)
    profile = rmt.VarianceProfile(np.full((n, n), variance), fractions=shares, mean=places).law()
    pencil = rmt.LinearPencil([[0.0]], {"X": [[1.0]], "D": [[1.0]]}, X=W(variance), D=D(places, shares)).law()
    for law in (profile, pencil):
        np.testing.assert_allclose(law.edges, exact, atol=1e-9 * np.ptp(exact))


def test_gaps_of_many_deformed_wigner_matrices():
    rng = np.random.default_rng(5)
    for _ in range(40):
        places, shares, variance = 2 * rng.normal(size=3), rng.dirichlet([2, 2, 2]), 10 ** rng.uniform(-1.5, 0.5)
        exact = rmt.DeformedWigner(D(places, shares), variance).law().edges
        law = rmt.VarianceProfile(np.full((3, 3), variance), fractions=shares, mean=places).law()
        np.testing.assert_allclose(law.edges, exact, atol=1e-9 * np.ptp(exact))


@pytest.mark.parametrize("far", [1e5, 1e9, 1e12])
def test_bulks_far_from_each_other(far):
    law = rmt.VarianceProfile([[2, 0], [0, 2]], mean=[0, far]).law()
    np.testing.assert_allclose(law.edges, [-2, 2, far - 2, far + 2], rtol=1e-15, atol=1e-13)
    assert law.cdf(far / 2) == 0.5
    np.testing.assert_allclose(law.masses, 0.5)


def test_hard_edges_where_an_eigenvalue_turns():
    # one letter: the law is the mean of those of the eigenvalues of A0 + x A, with x from the semicircle
    constant = np.array([[1.827, -1.06 - 0.721j], [-1.06 + 0.721j, 0.07]])
    slope = np.array([[-0.516, 0.506 + 0.008j], [0.506 - 0.008j, -0.357]])
    edges = rmt.LinearPencil(constant, {"X": slope}, X=W(1.3)).law().edges
    low, high = np.linalg.eigvalsh(constant + 2 * np.sqrt(1.3) * slope)
    other = np.linalg.eigvalsh(constant - 2 * np.sqrt(1.3) * slope)[1]
    x = np.linspace(-0.83, -0.824, 2001)  # the lower eigenvalue turns here
    values = np.linalg.eigvalsh(constant + x[:, None, None] * slope)[:, 0]
    turn = np.polynomial.Polynomial.fit(x, values, 4)
    top = turn(turn.deriv().roots().real[np.argmin(np.abs(turn.deriv().roots() + 0.827))])
    np.testing.assert_allclose(edges, [low, top, high, other], atol=1e-9)


def test_mass_that_is_not_found_is_an_error(monkeypatch):
    monkeypatch.setattr(dyson_edges, "_LEVELS", 6)  # too few halvings to see a bulk of 4 in 1e9
    equation = rmt.VarianceProfile([[2, 0], [0, 2]], mean=[0, 1e9]).equation()
    with pytest.raises(ConvergenceError, match="in no bulk and no atom"):
        equation.find_edges()


def test_no_gap_at_a_point_that_seems_real():
    # one node in the middle of the semicircle that claims to be outside
    equation = rmt.VarianceProfile([[1.0]]).equation()
    nodes = dyson_edges.solve_nodes(equation, np.linspace(-2.5, 2.6, 200), slopes=True)
    near = dyson_edges.solve_nodes(equation, 0.3 + np.array([-1e-14, 0.0, 1e-14]), slopes=True)
    near.kind[1] = 0
    false = dyson_edges._false_gaps(dyson_edges.joined(nodes, near), 2.0)
    assert false.sum() == 1
    # a gap on that scale stays if the density falls to it
    far = dyson_edges.solve_nodes(equation, np.array([0.3 - 3e-13, 0.3 + 3e-13]), slopes=True)
    near.m[[0, 2]] *= 0.1
    assert not dyson_edges._false_gaps(dyson_edges.joined(dyson_edges.joined(nodes, far), near), 2.0).any()


@pytest.mark.parametrize("excess", [1e-1, 3e-3, -1e-3, 1e-4, -2e-5])
def test_nearly_balanced_groups_have_a_gap_and_an_atom(excess):
    """X between two groups of rows: singular values of a rectangular matrix, and the kernel of the larger group."""
    share = 0.5 * (1.0 + excess)
    wide = np.sqrt([share, 1.0 - share])
    profile = rmt.VarianceProfile([[0, 1], [1, 0]], fractions=[share, 1.0 - share]).law()
    gap, end = abs(wide[0] - wide[1]), wide.sum()
    assert_allclose(profile.edges, [-end, -gap, gap, end], rtol=1e-9)
    assert_allclose(profile.atoms.weights, [abs(excess)], rtol=1e-7)
    ratio = 1.0 + excess
    gap, end = abs(np.sqrt(ratio) - 1.0), np.sqrt(ratio) + 1.0
    pencil = rmt.LinearPencil(np.zeros((2, 2)), {"X": [[0, 1], [0, 0]]}, X=rmt.RectangularIID(ratio)).law()
    assert_allclose(pencil.edges, [-end, -gap, gap, end], rtol=0.0, atol=1e-8 * end)
    assert_allclose(pencil.atoms.weights, [abs(excess) / (1.0 + ratio)], rtol=1e-4)
    squares = rmt.RectangularProfile([[1.0]], ratio).law()
    assert_allclose(squares.edges, [gap**2, end**2], rtol=1e-6, atol=1e-9)
    assert_allclose(squares.atoms.weights.sum(), max(0.0, 1.0 - 1.0 / ratio), atol=1e-11)


@pytest.mark.parametrize("balance", [0.9, 0.995, 0.999, 1.001, 1.005])
def test_gap_and_atom_of_a_triangular_pattern(balance):
    """Two groups of two blocks, coupled by [[1, 0], [1, 1]]; the edges beside 0 are double roots of the equation."""
    fractions = np.array([1.0, 1.0, balance, balance]) / (2.0 + 2.0 * balance)
    pattern = np.array([[0, 0, 1, 0], [0, 0, 1, 1], [1, 1, 0, 0], [0, 1, 0, 0]], dtype=float)
    law = rmt.VarianceProfile(pattern, fractions=fractions).law()
    low, inner, gap, high = law.edges
    assert_allclose([low, inner], [-high, -gap], rtol=1e-9)
    assert_allclose(law.atoms.weights, [abs(1.0 - balance) / (1.0 + balance)], rtol=1e-9)
    beside = gap * np.array([0.99, 1.01])
    assert (law.stieltjes(beside, boundary=True).imag > 0.0).tolist() == [False, True]
    squares = rmt.RectangularProfile([[1.0, 0.0], [1.0, 1.0]], balance).law()
    # columns over rows: the same singular values, in units of their number
    assert_allclose(squares.edges, np.array([gap, high]) ** 2 * (1.0 + balance), rtol=1e-6, atol=1e-14)
    assert_allclose(squares.atoms.weights.sum(), max(0.0, 1.0 - 1.0 / balance), atol=1e-11)


# ---------------------------------------------------------------------- atoms of pencils, from dimensions of kernels
def test_an_atom_in_a_gap_from_rows_coupled_to_one_only():
    """[[-3, B], [B*, C]] with B of two rows and one column: B* has a kernel of a third of all dimensions."""
    x = [[0, 0, -3], [0, 0, 1], [-3, 1, -1]]
    y = [[0, 0, -3], [0, 0, 3], [-3, 3, -2]]
    constant = [[-3, 0, -1], [0, -3, 0], [-1, 0, 2]]
    law = rmt.LinearPencil(constant, {"X": x, "Y": y}, X=rmt.Wigner(), Y=rmt.SampleCovariance([1.0], 1.0)).law()
    np.testing.assert_allclose(law.atoms, [[-3.0], [1 / 3]], atol=1e-12)
    np.testing.assert_allclose(law.masses, 1 / 3, atol=1e-12)
    assert law.edges[1] < -3.06 and law.edges[2] > 1.9


def test_atoms_where_a_fixed_matrix_meets_the_kernel_of_a_covariance():
    """ker Y and the eigenspace of D for d share 1/3 + (1 - 1/3.7) - 1 = 7/111; there the pencil is A0 + d A_D."""
    constant = np.array([[0.0, 3, 2], [3, -3, -2], [2, -2, -1]])
    a = np.array([[-1.0, -3, -2], [-3, -1, -2], [-2, -2, 1]])
    b = [[0, 1, -1], [1, -1, 2], [-1, 2, 0]]
    fixed = [-0.29, -0.27, 0.25]
    letters = {"D": rmt.Discrete(fixed), "Y": rmt.SampleCovariance([1.0], 3.7)}
    law = rmt.LinearPencil(constant, {"D": a, "Y": b}, **letters).law()
    exact = np.sort(np.concatenate([np.linalg.eigvalsh(constant + d * a) for d in fixed]))
    np.testing.assert_allclose(law.atoms.locations, exact, atol=1e-8)
    np.testing.assert_allclose(law.atoms.weights, 7 / 333, atol=1e-8)
    np.testing.assert_allclose(law.masses.sum(), 1 - 9 * 7 / 333, atol=1e-7)


def test_an_inverse_square_root_edge_of_a_pencil_with_two_letters():
    """Wigner X and covariance Y of rank 2 n: rows [0, B; B*, 2 Y], B = -3 - 3 X - Y, has a hard edge at 0."""
    pencil = rmt.LinearPencil(
        [[0, -3], [-3, 0]], {"X": [[0, -3], [-3, 0]], "Y": [[0, -1], [-1, 2]]},
        X=rmt.Wigner(), Y=rmt.SampleCovariance([1.0], 0.5),
    )  # fmt: skip
    law = pencil.law()
    assert law.edges[1] == 0.0 and law.edges.size == 4
    np.testing.assert_allclose(law.masses, 0.5, atol=1e-12)  # B is invertible: as many negative as positive ones
    near = law.density([-1e-6, -1e-8]) * np.array([1e-3, 1e-4])
    np.testing.assert_allclose(near[0], near[1], rtol=1e-6)
