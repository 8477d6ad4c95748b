"""Ridge on a data set: files, features, exact cases of the prediction and of the simulation, refusals."""

import numpy as np
import pytest

import rmtsolve as rmt

RNG = np.random.default_rng(0)
X = RNG.standard_normal((40, 6)) * [1, 1, 2, 2, 3, 3] + 0.5
Y = X[:, 0] - X[:, 4] + RNG.standard_normal(40)


def test_all_rows_are_generalised_cross_validation():
    """n = N: the prediction is GCV of the fit to all rows, (1/N) |y - y_hat|^2 / (1 - df/N)^2 for centred data."""
    lam = 0.7
    errors = rmt.data_ridge_errors(X, Y, 40, lam)
    x, y = X - X.mean(axis=0), Y - Y.mean()
    hat = x @ np.linalg.inv(x.T @ x / 6 + lam * np.eye(6)) @ x.T / 6
    residual, df = ((y - hat @ y) ** 2).sum(), np.trace(hat)
    assert errors.df1 == pytest.approx(df, rel=1e-12)
    assert errors.train == pytest.approx(residual / 40, rel=1e-11)
    assert errors.test == pytest.approx(residual / 39 / (1 - df / 39) ** 2 * (1 + 1 / 40), rel=1e-11)
    assert np.isnan(errors.norm)


def test_least_squares():
    """lam = 0, n above the rank: sigma^2 / (1 - p/n), sigma^2 the unbiased estimate from all rows."""
    errors = rmt.data_ridge_errors(X, Y, [20, 40], 0.0, intercept=False)
    left = np.linalg.lstsq(X, Y, rcond=None)[1][0] / (40 - 6)
    np.testing.assert_allclose(errors.test, left / (1 - 6 / np.array([20, 40])), rtol=1e-10)
    np.testing.assert_allclose(errors.train, left * (1 - 6 / np.array([20, 40])), rtol=1e-10)
    np.testing.assert_array_equal(errors.kappa, 0.0)
    at = rmt.data_ridge_errors(X, Y, 6, 0.0, intercept=False)
    assert np.isinf(at.test) and at.train == 0.0


def test_interpolation():
    errors = rmt.data_ridge_errors(X, Y, [2, 4], 0.0, intercept=False)
    np.testing.assert_allclose(errors.df1, [2, 4], rtol=1e-12)
    assert (errors.train < 1e-12).all() and np.isfinite(errors.test).all()
    near = rmt.data_ridge_errors(X, Y, [2, 4], 1e-10, intercept=False)
    np.testing.assert_allclose(near.test, errors.test, rtol=1e-6)


def test_both_shapes_of_the_data_agree():
    """More features than rows, by padding with columns of zeros: p enters as the scale of lam only."""
    wide = np.concatenate([X, np.zeros((40, 94))], axis=1)
    one = rmt.data_ridge_errors(X, Y, [10, 30], 0.5)
    two = rmt.data_ridge_errors(wide, Y, [10, 30], 0.5 * 6 / 100)
    np.testing.assert_allclose(one.test, two.test, rtol=1e-9)
    np.testing.assert_allclose(one.train, two.train, rtol=1e-9)


def test_the_equation_of_the_equivalent_ridge():
    errors = rmt.data_ridge_errors(X, Y, [[10], [30]], [0.1, 5.0])
    np.testing.assert_allclose(errors.kappa * (errors.n - 1 - errors.df1), errors.lam, rtol=1e-10)
    total = sum(errors.parts.values())
    np.testing.assert_allclose(total, errors.test, rtol=1e-13)
    # df2 = df1 + kappa d(df1)/d(kappa), along lam at fixed n
    near = rmt.data_ridge_errors(X, Y, 30, 5.0 * np.array([1 - 1e-5, 1 + 1e-5]))
    slope = np.diff(near.df1) / np.diff(near.kappa)
    assert errors.df1[1, 1] + errors.kappa[1, 1] * slope[0] == pytest.approx(errors.df2[1, 1], rel=1e-6)


def test_many_rows_tend_to_the_population():
    rng = np.random.default_rng(3)
    omega = np.array([0.5, 1.0, 2.0, 4.0])
    x = rng.standard_normal((20000, 4)) * np.sqrt(omega)
    y = x.sum(axis=1) + rng.standard_normal(20000)
    exact = rmt.linear_ridge_errors(omega, omega, omega.sum() + 1.0, [6, 20], 0.3)
    found = rmt.data_ridge_errors(x, y, [6, 20], 0.3, intercept=False)
    np.testing.assert_allclose(found.test, exact.test, rtol=0.03)  # 4 standard errors of the moments, 2 (2/N)^{1/2}
    plug = rmt.empirical_moments(x, y, intercept=False).errors([6, 20], 0.3)
    np.testing.assert_allclose(plug.test, exact.test, rtol=0.03)


def test_plug_in_takes_noise_for_structure():
    """With as many features as rows the empirical population leaves nothing unexplained."""
    rng = np.random.default_rng(4)
    x, y = rng.standard_normal((30, 60)), rng.standard_normal(30)
    assert rmt.empirical_moments(x, y).unexplained < 1e-8
    assert rmt.data_ridge_errors(x, y, 15, 1.0).test > 0.5


def test_several_outputs_add_up():
    both = np.stack([Y, X[:, 2] + Y**2], axis=1)
    parts = [rmt.data_ridge_errors(X, both[:, k], [5, 20], 0.3).test for k in (0, 1)]
    np.testing.assert_allclose(rmt.data_ridge_errors(X, both, [5, 20], 0.3).test, sum(parts), rtol=1e-12)
    rng = np.random.default_rng
    parts = [rmt.simulate_data_ridge(X, both[:, k], 20, 0.3, 3, rng(0)).test for k in (0, 1)]
    np.testing.assert_allclose(rmt.simulate_data_ridge(X, both, 20, 0.3, 3, rng(0)).test, sum(parts), rtol=1e-12)


def test_simulation_fits_what_it_says():
    found = rmt.simulate_data_ridge(X, Y, [12], [0.4], 1, np.random.default_rng(7))
    order = np.random.default_rng(7).spawn(1)[0].permutation(40)
    inside, outside = order[:12], order[12:]
    mean = X[inside].mean(axis=0)
    a = X[inside] - mean
    w = np.linalg.solve(a.T @ a / 6 + 0.4 * np.eye(6), a.T @ (Y[inside] - Y[inside].mean()) / 6)
    for part, error in ((inside, found.train), (outside, found.test)):
        left = Y[part] - Y[inside].mean() - (X[part] - mean) @ w
        assert error[0, 0, 0] == pytest.approx((left**2).mean(), rel=1e-10)
    assert found.alpha[0] == 2.0


def test_random_features():
    phi = rmt.random_features(X, "x", 5000, np.random.default_rng(0))
    assert phi.shape == (40, 5000)
    np.testing.assert_allclose(phi.mean(axis=0), 0.0, atol=1e-12)
    assert (phi**2).mean() == pytest.approx(1.0, abs=0.1)
    again = rmt.random_features(X, "x", 5000, np.random.default_rng(0))
    np.testing.assert_array_equal(phi, again)
    deeper = rmt.random_features(rmt.random_features(X, "tanh", 20, RNG), "relu", 10, RNG)
    assert deeper.shape == (40, 10) and (deeper >= 0).all()


def test_files(tmp_path):
    file = tmp_path / "data.npz"
    np.savez(file, X=X.astype(np.float32), y=np.arange(40))
    x, y = rmt.load_data(file)
    assert x.dtype == y.dtype == np.float64 and x.shape == (40, 6)
    for name, arrays, message in (
        ("one", {"X": X}, "the array 'y' is missing, it has X"),
        ("shape", {"X": X, "y": Y[:-1]}, r"y must be of shape \(40,\)"),
        ("flat", {"X": Y, "y": Y}, "X must be an array with 2 dimensions"),
        ("nan", {"X": np.full((5, 2), np.nan), "y": np.ones(5)}, "X must be finite"),
        ("object", {"X": np.array([[1, None], [2, 3]], dtype=object), "y": np.ones(2)}, r"not an \.npz file"),
        ("text", {"X": np.array([["a", "b"]] * 4), "y": np.ones(4)}, "X must be an array of numbers"),
    ):
        np.savez(tmp_path / f"{name}.npz", **arrays)
        with pytest.raises(rmt.ModelError, match=message):
            rmt.load_data(tmp_path / f"{name}.npz")
    (tmp_path / "no.npz").write_text("X = 1")
    np.save(tmp_path / "array.npy", X)
    for name in ("no.npz", "array.npy"):
        with pytest.raises(rmt.ModelError, match=r"not an \.npz file"):
            rmt.load_data(tmp_path / name)
    with pytest.raises(rmt.ModelError, match="no such file"):
        rmt.load_data(tmp_path / "missing.npz")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rmt.data_ridge_errors(X, Y, 41, 1.0), "n must be at most the 40 rows"),
        (lambda: rmt.data_ridge_errors(X, Y, 1, 1.0), "n must be finite and real > 1"),
        (lambda: rmt.data_ridge_errors(X, Y, 5, -1.0), "lam must be finite and real >= 0"),
        (lambda: rmt.data_ridge_errors(X[:2], Y[:2], 2, 1.0), "X must be of at least 3 rows"),
        (lambda: rmt.data_ridge_errors(np.ones((40, 3)), Y, 5, 1.0), "X must be of features that are not all constant"),
        (lambda: rmt.data_ridge_errors(X, Y, 5, 1.0, intercept="no"), "intercept must be True or False"),
        (lambda: rmt.data_ridge_errors(X, Y.reshape(40, 1, 1), 5, 1.0), "y must be of shape"),
        (lambda: rmt.empirical_moments(X, np.ones((40, 2))), r"y must be of shape \(40,\)"),
        (lambda: rmt.random_features(np.ones((5, 2)), "tanh", 3, RNG), "X must be of rows that are not all equal"),
        (lambda: rmt.random_features(X, "tanh", 0, RNG), "width must be an integer >= 1"),
        (lambda: rmt.random_features(X, "tanh", 3, 0), "rng must be"),
        (lambda: rmt.simulate_data_ridge(X, Y, 40, 1.0, 2, RNG), r"n must be finite and real in \[1, 39\]"),
        (lambda: rmt.simulate_data_ridge(X, Y, 5.5, 1.0, 2, RNG), "n must be integers"),
        (lambda: rmt.simulate_data_ridge(X, Y[:-1], 5, 1.0, 2, RNG), "y must be of shape"),
        (lambda: rmt.simulate_data_ridge(X, Y, 5, 1.0, 0, RNG), "trials must be an integer >= 1"),
        (lambda: rmt.simulate_deep_ridge("tanh", "x", 50, 1.0, 2, RNG), "features must be DeepFeatures"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(rmt.DomainError, match=message):
        call()
