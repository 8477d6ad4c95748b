"""Spectra of sampled polynomials in letters that are not Gaussian: n KS <= 0.4 ln n + 2.5."""

import numpy as np
import pytest

import rmtsolve as rmt
from rmtsolve.testing.ensemble_laws import kolmogorov

S, D = rmt.SampleCovariance, rmt.Discrete
MODELS = {
    "hard edge at 0": ("X*Y + Y*X", D([-1.0, 1.0]), S([1.0, 4.0], 2.0)),
    "two coloured": ("X*Y + Y*X", S([1.0, 3.0], 0.5), S([1.0, 4.0], 2.0)),
    "conjugated and one more": ("X*Y*X + Y", D([-1.0, 1.0]), S([1.0, 4.0], 2.0)),
    "squares": ("X**2 + Y**2", S([1.0, 4.0], 0.5), S([1.0, 2.0], 0.5)),
    "square ratio one": ("X*Y*X", S([1.0, 4.0], 0.5), S([1.0, 2.0], 1.0)),
}


@pytest.mark.parametrize("name", MODELS)
def test_spectrum(name):
    text, x, y = MODELS[name]
    model, size = rmt.MatrixPolynomial(text, X=x, Y=y), 200
    law = model.law()  # 200 is a size at which all ratios and counts are exact
    rng = np.random.default_rng(5)
    distance = np.mean([kolmogorov(law, np.linalg.eigvalsh(model.sample(size, rng))) for _ in range(3)])
    assert size * distance <= 0.4 * np.log(size) + 2.5
    assert law.masses.sum() + law.atoms.weights.sum() == pytest.approx(1.0, abs=1e-9)
