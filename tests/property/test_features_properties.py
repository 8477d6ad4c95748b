"""What must hold for the law of spiked features, whatever the parameters."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from profiles import quick

import rmtsolve as rmt

ACTIVATIONS = st.sampled_from(["tanh", "relu", "erf", "sin"])
RATIO = st.floats(0.2, 4.0)


@st.composite
def features(draw, classes=2, activation=ACTIVATIONS):
    u = draw(st.lists(st.floats(-2.5, 2.5), min_size=classes, max_size=classes))
    s = draw(st.lists(st.floats(0.5, 1.5), min_size=classes, max_size=classes))
    part = draw(st.floats(0.1, 0.9))
    pi = [1.0] if classes == 1 else [part, 1 - part]
    return rmt.SpikedRandomFeatures(draw(activation), u, s, pi, alpha=draw(RATIO), beta=draw(RATIO))


def states(model, z):
    swept, slope = model.equation().solve_points(np.asarray(z, dtype=complex))
    assert (swept.status == 0).all()
    return swept.state, slope


@quick(15)
@given(features(), st.floats(-0.5, 6.0), st.floats(1e-3, 2.0))
def test_solution_lies_in_the_half_plane(model, x, eta):
    """Im q > 0, Im Q > 0 as a matrix, |m| <= 1 / eta, and the numpy map has it as its fixed point."""
    equation = model.equation()
    z = np.array([x + 1j * eta])
    state, _ = states(model, z)
    assert (state[0, :2].imag > 0).all()
    assert np.linalg.eigvalsh(equation.matrix(state).imag)[0, 0] > 0
    assert abs(state[0, :2].sum()) <= 1 / eta
    assert np.abs(equation.step(z, state) / state - 1).max() < 1e-10


@quick(8)
@given(features(classes=1), st.floats(0.2, 0.8))
def test_equal_classes_are_one_class(model, part):
    """Splitting a class into two changes nothing; their q add up."""
    split = rmt.SpikedRandomFeatures(
        model.activation, [*model.spikes] * 2, [*model.scales] * 2, [part, 1 - part], model.alpha, model.beta
    )
    z = [0.4 + 0.1j, -0.2]
    one, two = states(model, z)[0], states(split, z)[0]
    assert np.allclose(two[:, :2].sum(axis=1), one[:, 0], rtol=1e-11)
    assert np.allclose(two[:, 2] + 2 * two[:, 3] + two[:, 4], one[:, 1], rtol=1e-11)


@quick(8)
@given(features(activation=st.sampled_from(["tanh", "sin", "erf"])))
def test_odd_activations_do_not_see_the_sign_of_a_spike(model):
    flipped = rmt.SpikedRandomFeatures(
        model.activation, model.spikes * [1, -1], model.scales, model.fractions, model.alpha, model.beta
    )
    z = [0.4 + 0.1j, -0.2]
    assert np.allclose(states(model, z)[0][:, :2], states(flipped, z)[0][:, :2], rtol=1e-11)


@quick(6)
@given(features(), st.floats(0.3, 3.0))
def test_scaling_of_the_activation(model, factor):
    """sigma -> c sigma moves the spectrum by c^2."""
    scaled = rmt.SpikedRandomFeatures(
        f"{factor!r}*({model.activation.name})",
        model.spikes,
        model.scales,
        model.fractions,
        model.alpha,
        model.beta,
    )
    z = np.array([0.4 + 0.1j, -0.2])
    assert np.allclose(states(scaled, factor**2 * z)[0][:, :2] * factor**2, states(model, z)[0][:, :2], rtol=1e-9)


@quick(6)
@given(features())
def test_mass_moment_and_class_masses(model):
    """The density integrates to one less the atom, to the first moment, and class by class to the fractions."""
    law = model.law()
    if not np.isfinite(law.edges).all() or any("soft" in kind or "hard" in kind for kind in law.edge_kinds):
        return
    t, w = np.polynomial.legendre.leggauss(300)
    t, w = 0.25 * np.pi * (1 + t), 0.25 * np.pi * w
    parts, first = np.zeros(2), 0.0
    for a, b in law.support:
        x, dx = a + (b - a) * np.sin(t) ** 2, (b - a) * np.sin(2 * t) * w
        rho = law.class_densities(x)
        parts, first = parts + rho @ dx, first + (x * rho.sum(axis=0)) @ dx
    atom = law.atoms.weights.sum()
    assert abs(parts.sum() + atom - 1) < 1e-7
    assert abs(first / law.moment(1) - 1) < 1e-7
    if atom == 0:
        assert np.allclose(parts, model.fractions, rtol=0, atol=1e-7)


@quick(5)
@given(features(), st.floats(100, 5000))
def test_latent_matrix_decreases_beyond_the_bulk(model, p):
    """The inverse resolvent on the latent directions decreases: eigenvalue by eigenvalue, and N' < 0."""
    from rmtsolve.ensembles.feature_outliers import _System

    law = model.law()
    system = _System(model.equation(), model.covariances(), p)
    z = law.bulks.numerical[-1] * np.array([1.05, 1.3, 2.0, 10.0])
    state, slope = (part.real for part in states(model, z))
    spectra = np.array([np.linalg.eigvalsh(system.matrix(x)) for x in state])
    assert (np.diff(spectra, axis=0) < 0).all()
    for x, dx in zip(state, slope, strict=True):
        assert np.linalg.eigvalsh(system.derivative(x, dx))[-1] < 0


def test_without_spike_it_is_a_nested_marchenko_pastur_law():
    """u = 0: Marchenko-Pastur with population mu1^2 W0 W0^T + mu2^2, itself Marchenko-Pastur."""
    sigma = rmt.activation("relu")
    c = sigma.coefficients(1)
    rest = sigma.energy() - c[0] ** 2 - c[1] ** 2
    alpha, beta = 1.6, 0.7
    model = rmt.RandomFeatures("relu", alpha=alpha, beta=beta)
    rows = rmt.MarchenkoPastur(beta)  # of W0 W0^T, p/d = beta
    for z in (0.3 + 0.05j, -0.2, 1.1 + 1e-3j):
        m = model.law().stieltjes(z)
        # m = int 1 / (t h - z) with h = 1 / (1 + r int t / (t h - z)), t = c1^2 x + rest
        r = beta / alpha
        h = 1 - r - r * z * m  # = E[1 / (1 + V)]
        shifted = rows.stieltjes((z / h - rest) / c[1] ** 2) / c[1] ** 2 / h
        assert abs(shifted / m - 1) < 1e-11


def test_identity_is_a_product_of_two_wishart_matrices():
    """sigma(x) = x without spike: X W0^T, sample covariance of a Marchenko-Pastur population, with an atom at zero."""
    model = rmt.RandomFeatures("x", alpha=2.0, beta=1.5)
    law = model.law()
    assert np.allclose(law.atoms.weights, [1 - 1 / 1.5])
    population = rmt.MarchenkoPastur(1.5)
    z = 0.7 + 0.1j
    m = law.stieltjes(z)
    h = 1 - 0.75 - 0.75 * z * m
    assert abs(population.stieltjes(z / h) / h / m - 1) < 1e-11


@pytest.mark.parametrize("beta", [1e-2, 1e-4])
def test_wide_input_is_elliptical(beta):
    """beta -> 0 at fixed p / n: weights are orthogonal, m = 1 / (-z + E[t / (1 + r t m)]), deviation O(beta)."""
    ratio, z = 0.5, 0.3 + 0.2j
    model = rmt.SpikedRandomFeatures("relu", [1.5], [1.0], [1.0], alpha=beta / ratio, beta=beta)
    table = model.equation().table
    t = (table.linear + 0)[0] ** 2 + table.noise[0]
    m = -1 / z
    for _ in range(500):
        m = 1 / (-z + np.sum(table.weights * t / (1 + ratio * t * m)))
    assert abs(model.law().stieltjes(z) / m - 1) < 2 * beta


def test_conjugation_and_real_axis():
    model = rmt.SpikedRandomFeatures("tanh", [1.5], [1.0], [1.0], alpha=2, beta=1)
    law = model.law()
    assert abs(law.stieltjes(0.3 - 0.2j) - np.conj(law.stieltjes(0.3 + 0.2j))) < 1e-15
    x = np.array([0.1, 0.4, 0.9])
    assert np.allclose(law.density(x), law.stieltjes(x + 1e-9j).imag / np.pi, rtol=1e-6)
