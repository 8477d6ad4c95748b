"""Spectra of sampled pencils, polynomials and profiles against their laws: n KS <= 0.4 ln n + 2.5."""

import numpy as np
import pytest

import rmtsolve as rmt
from rmtsolve.testing.ensemble_laws import kolmogorov

W, S, D, R = rmt.Wigner, rmt.SampleCovariance, rmt.Discrete, rmt.RectangularIID
MODELS = {
    "anticommutator": rmt.MatrixPolynomial("X*Y + Y*X", X=W(), Y=W(0.5)),
    "coloured": rmt.MatrixPolynomial("X*Y + Y*X", X=W(), Y=S([1.0, 4.0], 0.5)),
    "coloured, p > n": rmt.MatrixPolynomial("X*Y + Y*X + Y", X=W(0.5), Y=S([1.0, 3.0], 2.0)),
    "two white": rmt.MatrixPolynomial("X*Y + Y*X", X=S([1.0], 0.5), Y=S([2.0], 0.5)),
    "XYX": rmt.MatrixPolynomial("X*Y*X", X=W(), Y=W()),
    "fourth power": rmt.MatrixPolynomial("(X + Y)**4", X=W(), Y=W()),
    "with a fixed matrix": rmt.MatrixPolynomial("R.T*D*R + X", X=W(), R=R(2.0), D=D([1.0, -4.0])),
    "pencil": rmt.LinearPencil([[0, 1], [1, 2]], {"X": [[1, 1], [1, 0]], "R": [[0, 1], [0, 0]]}, X=W(), R=R(1.0)),
    "band": rmt.BandMatrix(0.15, blocks=20),
    "profile": rmt.VarianceProfile([[0.5, 2], [2, 0.3]], fractions=[0.6, 0.4], mean=[0, 1]),
    "rectangular": rmt.RectangularProfile([[1, 4.0], [0, 1], [2, 3]], 0.5, row_fractions=[0.2, 0.3, 0.5]),
}


@pytest.mark.parametrize("name", MODELS)
def test_spectrum(name):
    model, size = MODELS[name], 200
    law = model.finite(size).law()
    rng = np.random.default_rng(11)
    values = [np.linalg.eigvalsh(model.sample(size, rng)) for _ in range(3)]
    distance = np.mean([kolmogorov(law, v) for v in values])
    assert size * distance <= 0.4 * np.log(size) + 2.5
    top = np.mean([v[-1] for v in values])
    width = law.edges[-1] - law.edges[0]
    assert abs(top - law.edges[-1]) < 4.0 * width * size ** (-2 / 3)
