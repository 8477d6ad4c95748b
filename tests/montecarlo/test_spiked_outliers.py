"""Positions, overlaps and fluctuations of outliers in sampled matrices.

Tolerance: four standard errors of the mean over trials plus the finite-size term, 4/size of the scale (the second-order
shift of an eigenvalue that fluctuates by size^(-1/2)).
"""

import numpy as np
import pytest

import rmtsolve as rmt

SIZE, TRIALS = 240, 40


def nearest(values, place):
    return int(np.argmin(np.abs(values - place)))


def agree(theory, samples, scale, what):
    mean, error = float(np.mean(samples)), float(np.std(samples, ddof=1)) / np.sqrt(len(samples))
    assert abs(mean - theory) <= 4 * error + 4 * scale / SIZE, (what, theory, mean, error)


def chi_square(theory, samples, what):
    """A sample variance has the relative standard error sqrt(2/TRIALS); 4/sqrt(SIZE) for what is finite."""
    ratio = float(np.var(samples, ddof=1)) / theory
    assert abs(ratio - 1.0) <= 4 * np.sqrt(2 / len(samples)) + 4 / np.sqrt(SIZE), (what, ratio)


MODELS = [
    rmt.SpikedCovariance(rmt.Discrete([1, 3], [0.6, 0.4]), ratio=0.5, spikes=[8]),
    rmt.SpikedCovariance([1, 30], ratio=0.1, spikes=[0.2, 8, 60]),
    rmt.SpikedCovariance(rmt.Uniform(1, 3), ratio=0.4, spikes=[7]),
    rmt.SpikedWigner(spikes=[-2.5, 3.0]),
    rmt.SpikedWigner([-3, 3], variance=0.3, spikes=[0.2, 5.0]),
    rmt.SpikedSum(rmt.Uniform(-1, 1), spikes=[1.5]),
    rmt.SpikedSum([0.0, 4.0], spikes=[2.0]),
    rmt.SpikedProduct(rmt.MarchenkoPastur(0.4), spikes=[5.0]),
    rmt.SpikedProduct(rmt.Uniform(1, 3), spikes=[3.0]),
]


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_square_models(model):
    exact = model.finite(SIZE).outliers()
    assert exact
    rng = np.random.default_rng(7)
    order = {spike: i for i, spike in enumerate(model.spikes)}
    found = {one.label: ([], []) for one in exact}
    for _ in range(TRIALS):
        if hasattr(model, "sample_planted"):
            matrix, v = model.sample_planted(SIZE, rng)
        else:
            matrix, v = model.sample(SIZE, rng), np.eye(SIZE)[:, : len(model.spikes)]
        values, vectors = np.linalg.eigh(matrix)
        for one in exact:
            k = nearest(values, one.location)
            found[one.label][0].append(values[k])
            found[one.label][1].append((vectors[:, k] @ v[:, order[one.spike]]) ** 2)
    units = SIZE / model.ratio if isinstance(model, rmt.SpikedCovariance) else SIZE
    for one in exact:
        places, overlaps = found[one.label]
        agree(one.location, places, abs(one.location), one.label)
        agree(one.overlap, overlaps, 1.0, f"overlap, {one.label}")
        chi_square(one.variance / units, places, one.label)


@pytest.mark.parametrize(
    "model",
    [
        rmt.SpikedRectangular(ratio=0.5, spikes=[1.5]),
        rmt.SpikedRectangular(ratio=2.0, spikes=[2.5]),
        rmt.SpikedRectangular(ratio=0.5, spikes=[2.0], bulk=rmt.Uniform(1, 2)),
    ],
    ids=repr,
)
def test_rectangular(model):
    (one,) = (outlier for outlier in model.finite(SIZE).outliers() if "above" in outlier.label)
    rng = np.random.default_rng(3)
    places, right, left = [], [], []
    for _ in range(TRIALS):
        x, u, v = model.sample_planted(SIZE, rng)
        a, s, b = np.linalg.svd(x, full_matrices=False)
        k = nearest(s**2, one.location)
        places.append(s[k] ** 2)
        right.append(float(b[k] @ v[:, 0]) ** 2)
        left.append(float(a[:, k] @ u[:, 0]) ** 2)
    agree(one.location, places, one.location, "place")
    agree(one.overlap[0], right, 1.0, "right")
    agree(one.overlap[1], left, 1.0, "left")
    chi_square(one.variance * model.finite(SIZE).ratio / SIZE, places, "variance")
