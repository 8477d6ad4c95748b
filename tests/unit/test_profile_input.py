"""Profiles and pencils as users meet them: bad input, samples, printing, finite sizes."""

import numpy as np
import pytest

import rmtsolve as rmt
from rmtsolve import DomainError


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: rmt.VarianceProfile([[1, 2], [3, 1]]), "symmetric"),
        (lambda: rmt.VarianceProfile([[1, -2], [-2, 1]]), "-2"),
        (lambda: rmt.VarianceProfile([[1, 2]]), "square"),
        (lambda: rmt.VarianceProfile([[0.0]]), "not all zero"),
        (lambda: rmt.VarianceProfile([[1.0]], fractions=[0.5, 0.5]), "length 1"),
        (lambda: rmt.VarianceProfile(np.ones((2, 2)), fractions=[0.5, 0.6]), "sum to one"),
        (lambda: rmt.VarianceProfile(np.ones((2, 2)), fractions=[0.0, 1.0]), "positive"),
        (lambda: rmt.VarianceProfile(np.ones((2, 2)), mean=[1.0]), "length 2"),
        (lambda: rmt.VarianceProfile(np.ones((3000, 1)) * np.ones(3000)), "2000"),
        (lambda: rmt.BandMatrix(0.7), "0.7"),
        (lambda: rmt.BandMatrix(0.1, periodic=1), "periodic"),
        (lambda: rmt.RectangularProfile([[1.0]], -1.0), "ratio"),
        (
            lambda: rmt.VarianceProfile(np.ones((2, 2)), fractions=[0.01, 0.99]).sample(20, np.random.default_rng(0)),
            "100",
        ),
        (lambda: rmt.polynomial_law("A + B", A=rmt.Discrete([1, 2]), B=rmt.Discrete([1, 3])), "at most one"),
        (lambda: rmt.LinearPencil([[0, 1], [0, 0]], {"X": np.eye(2)}, X=rmt.Wigner()), "Hermitian"),
        (lambda: rmt.LinearPencil([[0.0]], {"X": np.eye(2)}, X=rmt.Wigner()), "1 x 1"),
        (lambda: rmt.LinearPencil([[0.0]], {"X": [[1.0]]}), "X=Wigner()"),
        (lambda: rmt.LinearPencil([[0.0]], {}), "non-empty"),
        (lambda: rmt.polynomial_law("R*R", R=rmt.RectangularIID(0.5)), "self-adjoint"),
        (lambda: rmt.polynomial_law("R.T*R + R*R.T", R=rmt.RectangularIID(0.5)), "fit together"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_bad_input_is_named(make, named):
    with pytest.raises(DomainError) as caught:
        make()
    assert named in str(caught.value)


def test_band_profile_has_the_right_row_sums():
    ring = rmt.BandMatrix(0.23, blocks=17, periodic=True, variance=3.0)
    np.testing.assert_allclose(ring.variances.mean(axis=1), 3.0, rtol=1e-12)
    full = rmt.BandMatrix(0.5, blocks=8, periodic=True)
    np.testing.assert_allclose(full.variances, 1.0, rtol=1e-12)
    open_band = rmt.BandMatrix(0.2, blocks=50)
    rows = open_band.variances.mean(axis=1)
    assert abs(rows[25] - 1.0) < 1e-12 and abs(rows[0] - 0.5) < 0.03
    # cell averages: the mean of the profile is the area of the band, 2 w - w^2, over 2 w
    assert abs(open_band.variances.mean() - (0.4 - 0.04) / 0.4) < 1e-12


def test_samples_and_finite_sizes():
    rng = np.random.default_rng(3)
    profile = rmt.VarianceProfile([[0.5, 2], [2, 0.3]], fractions=[0.6, 0.4], mean=[0, 1])
    matrix = profile.sample(400, rng)
    assert matrix.shape == (400, 400) and np.array_equal(matrix, matrix.T)
    block = matrix[:240, 240:] * np.sqrt(400)
    assert abs(block.var() - 2.0) < 4 * 2.0 * np.sqrt(2 / block.size)
    assert profile.finite(7).fractions.tolist() == [4 / 7, 3 / 7]
    wide = rmt.RectangularProfile([[1, 4], [0, 1]], 0.5)
    assert wide.sample(30, rng).shape == (30, 30) and wide.finite(31).ratio == 31 / 62
    assert "blocks" in repr(profile) and "ratio" in repr(wide) and "BandMatrix" in repr(rmt.BandMatrix(0.1))


def test_atoms_of_reducible_profiles():
    law = rmt.VarianceProfile([[1, 0, 0], [0, 0, 0], [0, 0, 0.1]], fractions=[0.5, 0.25, 0.25], mean=[0, 1, 5]).law()
    np.testing.assert_allclose(law.atoms.locations, [1.0], atol=1e-12)
    np.testing.assert_allclose(law.atoms.weights, [0.25], atol=1e-10)
    np.testing.assert_allclose(law.masses, [0.5, 0.25], atol=1e-10)
    assert abs(law.cdf(1.0) - law.cdf(1.0 - 1e-9) - 0.25) < 1e-8
    assert "mass 0.25" in repr(law)


def test_polynomials_without_random_letters_are_discrete():
    law = rmt.polynomial_law("D**2 - D", D=rmt.Discrete([0, 1.5, 5]))
    np.testing.assert_allclose(law.atoms.locations, [0, 0.75, 20], atol=1e-10)
    np.testing.assert_allclose(law.atoms.weights, 1 / 3, atol=1e-10)
    assert law.edges.size == 0


def test_sympy_expression_means_the_same():
    import sympy

    x, y = sympy.symbols("X Y", commutative=False)
    law = rmt.polynomial_law(x * y + y * x, X=rmt.Wigner(), Y=rmt.Wigner())
    assert abs(law.density(1.0) - 0.19298833300823108) < 1e-13


def test_derivative_of_the_transform():
    for law in (
        rmt.polynomial_law("X*Y + Y*X", X=rmt.Wigner(), Y=rmt.SampleCovariance([1, 4], 0.5)),
        rmt.VarianceProfile([[0.5, 2], [2, 0.3]]).law(),
        rmt.RectangularProfile([[1, 4], [0, 1]], 0.5).law(),
    ):
        z, h = np.array([1.0 + 0.5j, -2.0 + 1j]), 1e-5
        quotient = (law.stieltjes(z + h) - law.stieltjes(z - h)) / (2 * h)
        np.testing.assert_allclose(law._stieltjes_derivative(z), quotient, rtol=1e-8)
