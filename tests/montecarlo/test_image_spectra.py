"""Spectra of sampled pencils and polynomials in one matrix: every branch follows the n eigenvalues of the letter."""

import numpy as np
import pytest

import rmtsolve as rmt
from rmtsolve.testing.ensemble_laws import kolmogorov

S, R, W = rmt.SampleCovariance, rmt.RectangularIID, rmt.Wigner
MODELS = {
    "branches that turn": rmt.LinearPencil([[-1, -2], [-2, -3]], {"X": [[-3, -2], [-2, 1]]}, X=W()),
    "kernel of a covariance matrix": rmt.LinearPencil(
        [[1, 1j], [-1j, 0]], {"X": [[1, 0], [0, 0]]}, X=S([1.0, 4.0], 2.0)
    ),
    "polynomial": rmt.MatrixPolynomial("X**3 - 3*X**2 + X", X=S([1.0, 3.0], 0.5)),
    "p by p": rmt.MatrixPolynomial("(R.T*R)**2 - R.T*R", R=R(0.5, 2.0)),
    "n by n": rmt.MatrixPolynomial("(R*R.T)**2 - R*R.T", R=R(0.5, 2.0)),
}


@pytest.mark.parametrize("name", MODELS)
def test_spectrum(name):
    model, size = MODELS[name], 400
    law, rng = model.law(), np.random.default_rng(3)
    spectra = [np.linalg.eigvalsh(model.sample(size, rng)) for _ in range(3)]
    distance = np.mean([kolmogorov(law, values) for values in spectra])
    pencil = isinstance(model, rmt.LinearPencil)
    ends = model.constant.shape[0] if pencil else max(len(word) for word in model._polynomial)
    n = size // ends if pencil else size
    # {x: eigenvalue of P(x) <= t} has at most degree det P ends, each with the error of the n eigenvalues of x
    assert size * distance <= ends * (0.4 * np.log(n) + 2.5)
