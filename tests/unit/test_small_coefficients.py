"""Polynomials whose coefficients and letters are of very different sizes, and many words at little cost."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import rmtsolve as rmt
from rmtsolve.ensembles.linearise import linearise
from rmtsolve.ensembles.words import parse


@pytest.mark.parametrize("power", [-16, -8, 8, 16])
def test_the_unit_of_a_letter_does_not_matter(power):
    known = rmt.polynomial_law("X**2 + Y", X=rmt.Wigner(), Y=rmt.Wigner())
    law = rmt.polynomial_law(f"1e{-power}*X**2 + Y", X=rmt.Wigner(10.0**power), Y=rmt.Wigner())
    assert_allclose(law.edges, known.edges, rtol=1e-10)
    assert_allclose(law.density([0.0, 1.0, 3.0]), known.density([0.0, 1.0, 3.0]), rtol=1e-10)


def test_the_unit_of_a_covariance_and_of_a_rectangular_letter_does_not_matter():
    known = rmt.polynomial_law("S + Y*S*Y", S=rmt.SampleCovariance([1, 2], 0.5), Y=rmt.Wigner())
    law = rmt.polynomial_law("1e-9*S + 1e-19*Y*S*Y", S=rmt.SampleCovariance([1e9, 2e9], 0.5), Y=rmt.Wigner(1e10))
    assert_allclose(law.edges, known.edges, rtol=1e-10)
    known = rmt.polynomial_law("R.T*R + D", R=rmt.RectangularIID(0.5), D=rmt.Discrete([0, 3]))
    law = rmt.polynomial_law("1e16*R.T*R + 1e15*D", R=rmt.RectangularIID(0.5, 1e-16), D=rmt.Discrete([0, 3e-15]))
    assert_allclose(law.edges, known.edges, rtol=1e-10)


def test_words_that_cancel_are_dropped_and_small_ones_are_not():
    words = parse("(0.1 + 0.2)*X*X - 0.3*X*X + 1e6*Y - 999999.9*Y - 0.1*Y + 1e-30*X", {"X", "Y"}, {"X", "Y"})
    assert words == {(("X", False),): 1e-30}
    assert parse("(X + Y)**2 - X**2 - X*Y - Y*X - Y**2", {"X", "Y"}, {"X", "Y"}) == {}
    assert parse("X/(2 - 1)", {"X"}, {"X"}) == parse("X", {"X"}, {"X"})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1e-16*X*Y + X", r"X\*Y without its adjoint"),  # small, and no less wrong
        ("1j*X", "the term X times 0.1j'; X is its own adjoint and takes a real coefficient"),
        ("X + 2j", "the constant is its own adjoint"),
        ("X + 0.5j*X*Y*X", r"1j\*\(X\*Y - Y\*X\)"),
    ],
)
def test_what_is_not_self_adjoint_is_refused_with_a_remedy_that_helps(text, words):
    with pytest.raises(rmt.DomainError, match=words):
        rmt.MatrixPolynomial(text, X=rmt.Wigner(), Y=rmt.Wigner())


def test_few_words_are_looked_at_when_powers_of_a_sum_are_linearised(monkeypatch):
    """8191 words end a word of (X + Y)^12, but only a letter before a state can be a state."""
    looked = 0
    norm = np.linalg.norm

    def counted(*args, **kwargs):
        nonlocal looked
        looked += 1
        return norm(*args, **kwargs)

    polynomial = parse("(X + Y)**12", {"X", "Y"}, {"X", "Y"})
    monkeypatch.setattr(np.linalg, "norm", counted)
    _, _, states = linearise(polynomial, {"X", "Y"})
    assert len(states) == 12 and looked < 100
