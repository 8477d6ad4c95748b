"""Spectra of finite networks against the law: spiked features, and networks after a real gradient step."""

import numpy as np
import pytest

import rmtsolve as rmt

MODELS = [
    rmt.SpikedRandomFeatures("tanh", [1.5], [1.0], [1.0], alpha=2, beta=1),
    rmt.SpikedRandomFeatures("relu", [2, -1, 0.5], [1, 1, 1.2], [0.3, 0.3, 0.4], alpha=2, beta=1),
    rmt.SpikedRandomFeatures("erf", [2, -1], [1, 1.3], [0.5, 0.5], alpha=0.8, beta=1.5),
]


def distance(law, spectra):
    """Largest deviation of the counting function, in eigenvalues, outliers left out of the count."""
    worst = 0.0
    for row in spectra:
        inside = row[row < 1.02 * law.edges[-1]]
        inside = inside[inside > 1e-10]  # the others are the atom, which the counts below include
        cdf = law.cdf(inside)
        below = np.count_nonzero(row <= 1e-10)
        steps = (below + np.arange(inside.size + 1)) / row.size
        worst = max(worst, np.abs(cdf - steps[1:]).max(), np.abs(cdf - steps[:-1]).max())
    return worst


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_bulk_of_spiked_features(model):
    p = 300
    finite = model.finite(p)
    law = finite.law()
    spectra = rmt.simulate_spectrum(model, p, 2, np.random.default_rng(1))
    n = round(model.alpha * p / model.beta)
    # rigid to log p, outliers shift the count by their number; the empirical law of kappa moves all by 1/sqrt n
    explained = (0.4 * np.log(p) + 2.5 + len(finite.outliers(p=p))) / p + 0.5 / np.sqrt(n)
    assert distance(law, spectra) < explained


def test_outliers_of_spiked_features():
    """Locations and class overlaps of the three largest eigenvalues, within four standard errors."""
    p, trials = 240, 24
    model = MODELS[1]
    rng = np.random.default_rng(2)
    places, overlaps = np.empty((trials, 3)), np.empty((trials, 3, 3))
    for trial in range(trials):
        values, vectors = np.linalg.eigh(model.sample(p, rng))
        places[trial] = values[-3:]
        sums = np.add.reduceat(vectors[:, -3:], [0, 72, 144]) / np.sqrt(p)
        overlaps[trial] = sums.T**2
    found = model.outliers(p=p)
    assert len(found) == 3
    for i, outlier in enumerate(found):
        error = places[:, i].std(ddof=1) / np.sqrt(trials)
        assert abs(places[:, i].mean() - outlier.location) < 4 * error + 2 / p * outlier.location
        spread = overlaps[:, i].std(axis=0, ddof=1) / np.sqrt(trials)
        assert (np.abs(overlaps[:, i].mean(axis=0) - outlier.overlap) < 4 * spread + 2 / p).all()


def test_order_one_outlier_of_an_anisotropic_column():
    """Strong attribute variance along v pushes one eigenvalue of order one out of the bulk."""
    model = rmt.SpikedRandomFeatures(
        "relu", [0.0], [1.0], [1.0], alpha=2, beta=1, attributes=[np.diag([6.0, 1.0, 0.0])]
    )
    (outlier,) = [o for o in model.outliers() if o.order == 0]
    assert abs(outlier.location - 2.137) < 5e-4
    p, trials = 240, 20
    rng = np.random.default_rng(3)
    second = np.array([np.linalg.eigvalsh(model.sample(p, rng))[-2] for _ in range(trials)])
    error = second.std(ddof=1) / np.sqrt(trials)
    assert abs(second.mean() - outlier.location) < 4 * error + 4 / p


@pytest.mark.parametrize(
    ("activation", "target", "readout"), [("tanh", "sin(x)", [1, 0.5]), ("relu", "relu(x)", [1, -0.5])]
)
def test_network_after_a_gradient_step(activation, target, readout):
    """Bulk and the outlier of order p of really trained networks; isotropy of the bulk is a large-batch statement."""
    p, alpha0 = 300, 32.0
    net = rmt.OneStepNetwork(activation, target, 1.5, alpha0, 1, readout=readout, fractions=[0.5, 0.5], noise=0.1)
    features = net.features(alpha=2)
    spectra = rmt.simulate_spectrum(net, p, 6, np.random.default_rng(4), alpha=2)
    law = features.law()
    outliers = features.outliers(p=p)
    explained = (0.4 * np.log(p) + 2.5 + len(outliers)) / p + 0.5 / np.sqrt(2 * p) + 0.05 / np.sqrt(alpha0)
    assert distance(law, spectra) < explained
    top = spectra[:, -1]
    assert abs(top.mean() - outliers[-1].location) < 4 * top.std(ddof=1) / np.sqrt(top.size) + 4 / p * top.mean()


def test_printed_edges_of_the_one_step_example():
    """The right edge of tanh, sin, eta = 2.5, alpha0 = 4 is 1.544: many eigenvalues between 1.1 and it."""
    net = rmt.OneStepNetwork("tanh", "sin(x)", 2.5, 4, 1, readout=[1], fractions=[1])
    law = net.features(alpha=2).law()
    p = 300
    row = rmt.simulate_spectrum(net, p, 1, np.random.default_rng(5), alpha=2)[0]
    beyond = np.count_nonzero((row > 1.1) & (row < 1.6))
    assert abs(beyond - p * (1 - law.cdf(1.1))) < 0.4 * np.log(p) + 2.5
    assert law.edges[-1] - 0.15 < row[-2] < law.edges[-1] + 0.1
