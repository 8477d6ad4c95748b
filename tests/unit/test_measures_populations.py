"""Discrete and continuous populations: files, matrices, densities, and what they refuse."""

import numpy as np
import pytest

import rmtsolve as rmt


# ---------------------------------------------------------------------- discrete
def test_equal_atoms_are_merged_and_sorted():
    law = rmt.Discrete([3, 1, 10, 3], [0.125, 0.5, 0.25, 0.125])
    assert law.locations.tolist() == [1, 3, 10]
    assert law.weights.tolist() == [0.5, 0.25, 0.25]
    assert law == rmt.Discrete([1, 3, 10], [0.5, 0.25, 0.25])
    assert rmt.Discrete([1, 2], [1.0, 0.0]).locations.tolist() == [1]
    assert not law.locations.flags.writeable
    given = np.array([1.0, 2.0])
    kept = rmt.Discrete(given)
    given[0] = 7.0
    assert kept.locations[0] == 1.0


@pytest.mark.parametrize(
    ("text", "atoms", "weights"),
    [
        ("1\n3\n3\n10\n", [1, 3, 10], [0.25, 0.5, 0.25]),
        ("eigenvalue,weight\n1,0.5\n3,0.3\n10,0.2\n", [1, 3, 10], [0.5, 0.3, 0.2]),
        ("weight;atom\n0.5;1\n0.5;4\n", [1, 4], [0.5, 0.5]),
        ("# a comment\n\n 1 0.5 # half\n 4\t0.5\n", [1, 4], [0.5, 0.5]),
    ],
)
def test_text_files(tmp_path, text, atoms, weights):
    path = tmp_path / "eigenvalues.csv"
    path.write_text(text)
    law = rmt.Discrete.from_file(path)
    assert law.locations.tolist() == atoms
    assert law.weights == pytest.approx(weights)


def test_npy_files(tmp_path):
    path = tmp_path / "eigenvalues.npy"
    np.save(path, np.array([2.0, 1.0, 2.0]))
    assert rmt.Discrete.from_file(str(path)) == rmt.Discrete([1, 2, 2])
    np.save(path, np.array([[1.0, 0.25], [2.0, 0.75]]))
    assert rmt.Discrete.from_file(path) == rmt.Discrete([1, 2], [0.25, 0.75])


class Trap:
    def __reduce__(self):
        return (Trap.spring, ())

    @staticmethod
    def spring():
        raise RuntimeError("a pickle was loaded")


def test_pickles_are_not_loaded(tmp_path):
    path = tmp_path / "trap.npy"
    np.save(path, np.array([Trap()], dtype=object), allow_pickle=True)
    with pytest.raises(rmt.ModelError, match=r"trap\.npy: is not a plain \.npy array"):
        rmt.Discrete.from_file(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no numbers"),
        ("1\nx2\n", "line 2: expected a number, got 'x2'"),
        ("1,0.5\n2\n", "line 2: expected 2 columns, got 1"),
        ("1,2,3\n", "line 1: .* got 3 columns"),
        ("1\nnan\n", "line 2: numbers must be finite"),
        ("1,0.5\n2,0.6\n", "weights must be weights that sum to one"),
        ("1,-0.5\n2,1.5\n", "weights must be finite and real >= 0"),
        ("weight\n1\n", "a column of atoms is missing"),
    ],
)
def test_malformed_files(tmp_path, text, message):
    path = tmp_path / "eigenvalues.csv"
    path.write_text(text)
    with pytest.raises(rmt.ModelError, match=message):
        rmt.Discrete.from_file(path)


def test_files_that_are_no_tables(tmp_path):
    with pytest.raises(rmt.ModelError, match="cannot be read"):
        rmt.Discrete.from_file(tmp_path / "missing.csv")
    with pytest.raises(rmt.ModelError, match="is a folder"):
        rmt.Discrete.from_file(tmp_path)
    (tmp_path / "cut.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(rmt.ModelError, match="not a plain"):
        rmt.Discrete.from_file(tmp_path / "cut.npy")
    (tmp_path / "binary.csv").write_bytes(bytes(range(256)))
    with pytest.raises(rmt.ModelError, match="not a text file"):
        rmt.Discrete.from_file(tmp_path / "binary.csv")
    np.save(tmp_path / "cube.npy", np.zeros((2, 2, 2)))
    with pytest.raises(rmt.ModelError, match="shape"):
        rmt.Discrete.from_file(tmp_path / "cube.npy")
    np.save(tmp_path / "complex.npy", np.array([1j]))
    with pytest.raises(rmt.ModelError, match="real numbers"):
        rmt.Discrete.from_file(tmp_path / "complex.npy")


def test_from_matrix():
    rng = np.random.default_rng(2)
    data = rng.standard_normal((3, 6))
    law = rmt.Discrete.from_matrix(data.T @ data)
    assert law.locations[0] == 0.0  # rank 3 of 6: no tiny negative eigenvalues
    assert law.weights[0] == pytest.approx(0.5)
    assert law.moment(1) == pytest.approx(np.sum(data**2) / 6, rel=1e-13)
    assert rmt.Discrete.from_matrix([[0, 1j], [-1j, 0]]) == rmt.Discrete([-1, 1])
    with pytest.raises(rmt.DomainError, match="matrix must be symmetric or Hermitian, got 'an asymmetry of 1'"):
        rmt.Discrete.from_matrix([[1, 1], [2, 1]])


# ---------------------------------------------------------------------- continuous
def test_a_density_against_its_closed_form():
    exact = rmt.MarchenkoPastur(0.25)
    law = rmt.Continuous(exact.density, exact.edges)
    assert law.error < 1e-12
    z = np.array([0.3 + 1e-9j, 1 + 0.2j, 3 + 0j, -1 + 0j])
    assert law.stieltjes(z) == pytest.approx(exact.stieltjes(z), rel=1e-11)
    assert law.stieltjes(1.0, boundary=True) == pytest.approx(exact.stieltjes(1.0, boundary=True), rel=1e-11)
    assert law.cdf([0.5, 2.0]) == pytest.approx(exact.cdf([0.5, 2.0]), abs=1e-12)
    assert law.moment(3) == pytest.approx(exact.moment(3), rel=1e-12)


def test_kinks_jumps_and_several_intervals():
    law = rmt.Continuous(lambda x: np.where(x < 1, x, 2 - x), (0, 2))  # the kink is found
    assert law.cdf(1.0) == pytest.approx(0.5, abs=1e-12)
    assert law.moment(2) == pytest.approx(7 / 6, rel=1e-12)
    pieces = rmt.Continuous(lambda x: np.where(x < 0, 0.25, 0.5), [(-2, -1), (1, 2.5)])
    assert pieces.edges.tolist() == [-2, -1, 1, 2.5]
    assert pieces.cdf(0.0) == pytest.approx(0.25, abs=1e-14)
    joined = rmt.Continuous(lambda x: np.full(x.shape, 0.5), [(0, 1), (1, 2)])
    assert joined.edges.tolist() == [0, 2]


def test_discretisation_tells_its_error():
    law = rmt.Continuous(lambda x: np.full(x.shape, 0.5), (1, 3))
    nodes, error = law.discretised(0.01)
    assert error < 1e-11
    assert nodes.locations.size < 5000
    with pytest.raises(rmt.DomainError, match="min_im"):
        law.discretised(0.0)


@pytest.mark.parametrize(
    ("density", "support", "message"),
    [
        (lambda x: np.full(x.shape, 0.4), (0, 1), "must integrate to 1 over the support, got mass 0.4"),
        (lambda x: x - 0.25, (0, 1.5), r"density\(x\) must be non-negative"),
        (lambda x: np.full(x.shape, np.nan), (0, 1), r"density\(x\) must be finite"),
        (lambda x: 1.0 if x < 1 else 0.0, (0, 1), "must accept an array"),
        (lambda x: 1j * x, (0, 1), r"density\(x\) must be a real array"),
        (lambda x: x, (1, 0), "support must be made of intervals with low < high"),
        (lambda x: x, [(0, 2), (1, 3)], "sorted, disjoint"),
        (lambda x: x, (0, np.nan), "free of nan"),
        (lambda x: x, 3, "a pair"),
        (3, (0, 1), "density must be a function"),
    ],
)
def test_densities_that_are_refused(density, support, message):
    with pytest.raises(rmt.DomainError, match=message):
        rmt.Continuous(density, support)
