"""Eigenvalues of A (A + B)^-1 where neither A nor B can be inverted, against the law at the ratios of the matrix."""

import numpy as np
import pytest

import rmtsolve as rmt

SIZE = 400


@pytest.mark.parametrize(
    ("population", "ratio1", "ratio2"),
    [
        ([1.0, 4.0], 1.25, 1.25),
        ([1.0, 9.0], 1.6, 1.6),
        (rmt.Discrete([0.0, 1.0, 4.0], [0.2, 0.4, 0.4]), 0.5, 1.6),
        (rmt.Discrete([0.0, 2.0], [0.3, 0.7]), 1.25, 1.25),
        (rmt.Uniform(0.0, 3.0), 0.5, 1.25),
        (rmt.Uniform(0.5, 3.0), 1.6, 1.6),
    ],
    ids=repr,
)
def test_spectra(population, ratio1, ratio2):
    model = rmt.Manova(population, ratio1, ratio2).finite(SIZE)
    law = model.law()
    rng = np.random.default_rng(20261126)
    for _ in range(3):
        values = np.linalg.eigvalsh(model.sample(SIZE, rng))
        zero, one = np.abs(values) < 1e-9, np.abs(values - 1) < 1e-9
        weights = dict(zip(law.atoms.locations, law.atoms.weights, strict=True))
        assert np.mean(zero) == pytest.approx(weights.get(0.0, 0.0), abs=1e-12)
        assert np.mean(one) == pytest.approx(weights.get(1.0, 0.0), abs=1e-12)
        bulk = np.sort(values[~zero & ~one])
        share = law.cdf(bulk)
        steps = np.mean(zero) + np.arange(bulk.size + 1) / SIZE
        distance = SIZE * max(np.abs(share - steps[:-1]).max(), np.abs(share - steps[1:]).max())
        assert distance <= 0.4 * np.log(SIZE) + 2.5
