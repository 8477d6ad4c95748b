"""LinearRidge: closed forms, edges of the domain, refusals."""

import numpy as np
import pytest

import rmtsolve as rmt


def test_isotropic_features_in_closed_form():
    p, n, lam, signal, noise = 100, 150.0, 0.2, 0.7, 0.3
    psi = np.zeros(p)
    psi[0] = np.sqrt(signal)
    errors = rmt.linear_ridge_errors(np.ones(p), psi, signal + noise, n, lam)
    # lam = kappa (n - p / (1 + p kappa)) is a quadratic in k = p kappa
    r, mu = n / p, lam
    k = (1 + mu - r + np.sqrt((1 + mu - r) ** 2 + 4 * r * mu)) / (2 * r)
    df2 = p / (1 + k) ** 2
    assert errors.kappa == pytest.approx(k / p, rel=1e-13)
    assert errors.test == pytest.approx((noise + signal * k**2 / (1 + k) ** 2) / (1 - df2 / n), rel=1e-13)


def test_ridgeless_isotropic():
    p, noise = 40, 0.5
    psi = np.full(p, 0.1)
    model = rmt.LinearRidge(np.ones(p), psi, 0.4 + noise)
    under, at, over = (model.errors(n, 0.0) for n in (100, 40, 20))
    assert under.test == pytest.approx(noise / (1 - 0.4)) and under.train == pytest.approx(noise * 0.6)
    assert np.isinf(at.test) and at.train == 0.0 and at.parts["unexplained"] == pytest.approx(noise)
    assert over.test == pytest.approx(0.4 * 0.5 + noise * 2.0) and over.train == 0.0
    assert over.kappa == pytest.approx(1.0 / p)
    assert rmt.linear_ridge_errors(np.ones(p), psi, 0.4, 40, 0.0).test == 0.0  # nothing is unexplained


def test_diagonal_is_the_matrix_and_order_does_not_matter():
    omega, psi = np.array([0.5, 2.0, 0.5, 1.0]), np.array([0.1, 0.4, 0.2, 0.0])
    rng = np.random.default_rng(0)
    q = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    one = rmt.linear_ridge_errors(omega, psi, 1.0, [2, 5, 9], 0.3)
    two = rmt.linear_ridge_errors(q * omega @ q.T, q @ psi, 1.0, [2, 5, 9], 0.3)
    np.testing.assert_allclose(one.test, two.test, rtol=1e-12)
    np.testing.assert_allclose(one.norm, two.norm, rtol=1e-12)


def test_shapes_broadcast():
    model = rmt.LinearRidge(np.ones(5), np.ones(5) / 5, 1.0)
    errors = model.errors(n=[[3], [6], [12]], lam=[0.0, 1.0])
    assert errors.test.shape == errors.n.shape == errors.norm.shape == (3, 2)
    assert model.errors(3, 1).test.shape == ()
    np.testing.assert_array_equal(errors.alpha[:, 0], [0.6, 1.2, 2.4])
    assert not errors.df1.flags.writeable
    assert errors.fitted("linear part")[2, 0] == pytest.approx(1.0)
    np.testing.assert_allclose(sum(errors.parts.values()), errors.test, rtol=1e-13)


def test_rank_deficient_covariance():
    omega, psi = np.diag([1.0, 1.0, 0.0]), np.array([0.5, 0.0, 0.0])
    errors = rmt.linear_ridge_errors(omega, psi, 1.0, [1, 4], 0.0)
    np.testing.assert_allclose(errors.test, [0.25 / 2 + 2 * 0.75, 1.5])
    np.testing.assert_allclose(errors.train, [0.0, 0.375])
    np.testing.assert_allclose(errors.df1, [1.0, 2.0])


def test_infinite_ridge_learns_nothing():
    errors = rmt.linear_ridge_errors(np.ones(5), np.ones(5) / 5, 1.0, 10, [1e8, 1e12])
    np.testing.assert_allclose(errors.test, 1.0, rtol=1e-6)
    np.testing.assert_allclose(errors.norm, 0.0, atol=1e-10)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"covariance": np.ones((2, 3))}, "covariance must be a square matrix"),
        ({"covariance": np.array([[1.0, 2.0], [0.0, 1.0]])}, "covariance must be symmetric"),
        ({"covariance": np.array([[1.0, 2.0], [2.0, 1.0]])}, "covariance must be positive semidefinite"),
        ({"covariance": np.zeros(2)}, "covariance must be not zero"),
        ({"covariance": np.array([1.0, np.nan])}, "covariance must be finite"),
        ({"covariance": np.array([1.0, 0.0])}, "cross_covariance must be in the range"),
        ({"cross_covariance": np.ones(3)}, "cross_covariance must be of length 2"),
        ({"label_energy": 0.1}, "label_energy must be at least what the features explain"),
        ({"label_energy": -1.0}, "label_energy must be a finite real number >= 0"),
        ({"n": 0}, "n must be finite and real > 0"),
        ({"n": 1, "intercept": True}, "n must be finite and real > 1"),
        ({"lam": -1e-9}, "lam must be finite and real >= 0"),
        ({"n": [1, 2, 3], "lam": [1, 2]}, "n and lam must broadcast together"),
        ({"intercept": 2}, "intercept must be True or False"),
    ],
)
def test_refusals(change, message):
    arguments = {"covariance": np.ones(2), "cross_covariance": np.full(2, 0.5), "label_energy": 1.0, "n": 5, "lam": 1.0}
    with pytest.raises(rmt.DomainError, match=message):
        rmt.linear_ridge_errors(**{**arguments, **change})
