"""Finite matrices against the laws of the Pastur form and against their central limit theorem."""

import numpy as np
import pytest

import rmtsolve as rmt
from rmtsolve.testing.ensemble_laws import kolmogorov

H = rmt.Discrete([1, 3, 10], [0.5, 0.3, 0.2])
MODELS = [
    rmt.SampleCovariance(H, 0.5),
    rmt.SampleCovariance(rmt.Discrete([0, 1, 4], [0.3, 0.3, 0.4]), 2.0),
    rmt.SampleCovariance(rmt.Uniform(1, 3), 0.1),
    rmt.CompoundFreePoisson([-1, 2], 1.5),
    rmt.DeformedWigner([-1, 1], 0.64),
]


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_spectrum_follows_the_law(model):
    """size * KS <= 0.4 ln size + 2.5 in the mean: the counting error of real matrices (calibrated 99 % level)."""
    size, law = 300, model.finite(300).law()
    distances = [
        kolmogorov(law, np.linalg.eigvalsh(model.sample(size, rng))) for rng in np.random.default_rng(11).spawn(3)
    ]
    assert size * np.mean(distances) <= 0.4 * np.log(size) + 2.5


def test_linear_statistics():
    """Mean and covariance of sum phi(eigenvalue) over 400 matrices within four standard errors, plus O(1/size)."""
    size, trials = 60, 400
    model = rmt.SampleCovariance(H, 0.5)
    functions = [np.log, lambda x: x, lambda x: np.exp(-x)]
    theory = rmt.linear_statistics(model.finite(size).law(), functions)
    spectra = [np.linalg.eigvalsh(model.sample(size, rng)) for rng in np.random.default_rng(5).spawn(trials)]
    values = np.array([[np.sum(f(x)) for f in functions] for x in spectra])
    spread = np.sqrt(np.diag(theory.covariance))
    gap = np.abs(values.mean(axis=0) - size * theory.means - theory.shifts)
    assert (gap <= 4 * spread / np.sqrt(trials) + 2 * spread / size).all()
    # a sample covariance has standard error sqrt((C_ii C_jj + C_ij^2) / trials) for Gaussian data
    error = np.sqrt((np.outer(spread**2, spread**2) + theory.covariance**2) / trials)
    room = 4 * error + 3 * np.outer(spread, spread) / size
    assert (np.abs(np.cov(values.T) - theory.covariance) <= room).all()


def test_linear_statistics_of_deformed_wigner():
    size, trials = 60, 400
    model = rmt.DeformedWigner([-1, 1], 0.64)
    functions = [lambda x: x, lambda x: x**2, np.cos]
    theory = rmt.linear_statistics(model.finite(size).law(), functions, singularities=[])
    spectra = [np.linalg.eigvalsh(model.sample(size, rng)) for rng in np.random.default_rng(6).spawn(trials)]
    values = np.array([[np.sum(f(x)) for f in functions] for x in spectra])
    spread = np.sqrt(np.diag(theory.covariance))
    gap = np.abs(values.mean(axis=0) - size * theory.means - theory.shifts)
    assert (gap <= 4 * spread / np.sqrt(trials) + 2 * spread / size).all()
    error = np.sqrt((np.outer(spread**2, spread**2) + theory.covariance**2) / trials)
    room = 4 * error + 3 * np.outer(spread, spread) / size
    assert (np.abs(np.cov(values.T) - theory.covariance) <= room).all()
