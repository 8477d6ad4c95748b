"""linearise: exact cases, the joint recursion, refusals."""

import numpy as np
import pytest

import rmtsolve as rmt

RNG = np.random.default_rng(0)
FIRST, SECOND = RNG.standard_normal((6, 4)) / 2, RNG.standard_normal((5, 6)) / 6**0.5
OMEGA = np.diag([0.5, 1.0, 1.5, 0.7])


def test_polynomials_are_exact_at_their_degree():
    """x + x^2 of correlated Gaussians: means, variances and covariances in closed form."""
    found = rmt.linearise([FIRST], ["x + x**2"], OMEGA, order=2)
    c = FIRST @ OMEGA @ FIRST.T
    np.testing.assert_allclose(found.mean, np.diag(c), rtol=1e-12)
    np.testing.assert_allclose(found.centred, c + 2 * c**2, rtol=1e-11)
    np.testing.assert_allclose(found.covariance, c + 2 * c**2 + np.outer(np.diag(c), np.diag(c)), rtol=1e-11)


def test_linear_layers_are_matrix_products():
    found = rmt.linearise([FIRST, SECOND], ["x", "2*x"], OMEGA, psi=[1.0, 2.0, 3.0, 4.0])
    w = 2 * SECOND @ FIRST
    np.testing.assert_allclose(found.centred, w @ OMEGA @ w.T, rtol=1e-12)
    np.testing.assert_allclose(found.cross, w @ [1.0, 2.0, 3.0, 4.0], rtol=1e-12)


def test_biases_come_from_means():
    """A mean of the first layer shifts the second: relu of N(b, v)."""
    found = rmt.linearise([FIRST, SECOND], ["relu", "relu"], OMEGA)
    one = rmt.linearise([FIRST], ["relu"], OMEGA)
    b = SECOND @ one.mean
    v = np.diag(SECOND @ one.centred @ SECOND.T)
    wanted = rmt.activation("relu").conditional(b, np.sqrt(v), 0)[:, 0]
    np.testing.assert_allclose(found.mean, wanted, rtol=1e-12)


def test_high_order_is_the_gaussian_kernel():
    """One layer of erf: E erf erf = (2/pi) asin(2 c_ij / sqrt((1 + 2 c_ii)(1 + 2 c_jj)))."""
    c = FIRST @ OMEGA @ FIRST.T
    root = np.sqrt(1 + 2 * np.diag(c))
    exact = 2 / np.pi * np.arcsin(2 * c / np.outer(root, root))
    gaps = [np.abs(rmt.linearise([FIRST], ["erf"], OMEGA, order=k).centred - exact).max() for k in (1, 5, 40)]
    assert gaps[0] > gaps[1] > gaps[2] and gaps[2] < 1e-8


def test_a_teacher_with_the_same_weights_is_the_student():
    found = rmt.linearise([FIRST], ["tanh"], OMEGA, order=30, teacher=([FIRST], ["tanh"]))
    off = ~np.eye(6, dtype=bool)
    np.testing.assert_allclose(found.cross[off], found.centred[off], rtol=1e-12)
    np.testing.assert_allclose(found.teacher_centred, found.centred, rtol=1e-14)


@pytest.mark.parametrize("deeper", ["student", "teacher"])
def test_networks_of_different_depth(deeper):
    long, short = ([FIRST, SECOND], ["tanh", "tanh"]), ([FIRST[:3]], ["relu"])
    student, teacher = (long, short) if deeper == "student" else (short, long)
    found = rmt.linearise(*student, OMEGA, teacher=teacher)
    one = rmt.linearise(*(([FIRST], ["tanh"])), OMEGA, teacher=short).cross
    inner = rmt.linearise([FIRST], ["tanh"], OMEGA)
    v = np.diag(SECOND @ inner.centred @ SECOND.T)
    slope = rmt.activation("tanh").conditional(0.0, np.sqrt(v), 1)[:, 1] / np.sqrt(v)
    wanted = slope[:, None] * (SECOND @ one)
    np.testing.assert_allclose(found.cross, wanted if deeper == "student" else wanted.T, rtol=1e-12)


def test_labels():
    found = rmt.linearise([FIRST], ["tanh"], OMEGA, teacher=([SECOND[:, :4]], ["erf"]))
    psi, energy = found.labels(np.ones(5), noise=0.3)
    np.testing.assert_allclose(psi, found.cross.sum(axis=1) / 5**0.5)
    assert energy == pytest.approx(found.teacher_centred.sum() / 5 + 0.09)
    assert rmt.linear_ridge_errors(found.centred, psi, energy, 20, 0.1, intercept=True).test > 0.09
    with pytest.raises(rmt.DomainError, match="readout must be of length 5"):
        found.labels(np.ones(4))
    with pytest.raises(rmt.DomainError, match="linearised together with a teacher"):
        rmt.linearise([FIRST], ["tanh"], OMEGA).labels(np.ones(4))


def test_a_dead_neuron_is_constant():
    weights = FIRST.copy()
    weights[2] = 0.0
    found = rmt.linearise([weights], ["softplus"], OMEGA, order=3)
    assert found.centred[2, 2] == pytest.approx(0.0, abs=1e-14) and found.mean[2] == pytest.approx(np.log(2))
    np.testing.assert_allclose(found.centred[2], 0.0, atol=1e-14)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": []}, "activations must be 0 functions, one a matrix"),
        ({"activations": ["tanh"]}, "activations must be 2 functions"),
        ({"weights": [FIRST, FIRST]}, r"weights\[1\] must be a matrix with 6 columns"),
        ({"weights": [FIRST, np.zeros((3, 6))]}, r"weights\[1\] must be not zero"),
        ({"covariance": np.ones((4, 3))}, "covariance must be a square matrix"),
        ({"covariance": np.triu(np.ones((4, 4)))}, "covariance must be symmetric"),
        ({"covariance": -OMEGA}, "covariance must be positive semidefinite"),
        ({"order": 0}, "order must be an integer >= 1"),
        ({"mode": "neurons"}, "mode must be one of neuron, mean"),
        ({"mode": "mean", "order": 2}, "order must be one in mode"),
        ({"psi": [1.0]}, "psi must be of length 4"),
        ({"psi": np.ones(4), "teacher": ([FIRST], ["tanh"])}, "psi must be left out"),
        ({"teacher": [FIRST]}, "teacher must be a pair"),
        ({"teacher": ([SECOND], ["tanh"])}, r"teacher weights\[0\] must be a matrix with 4 columns"),
    ],
)
def test_refusals(change, message):
    arguments = {"weights": [FIRST, SECOND], "activations": ["tanh", "erf"], "covariance": OMEGA, **change}
    with pytest.raises(rmt.DomainError, match=message):
        rmt.linearise(**arguments)
