"""The kernel of the ridge errors against the same equations written with numpy's linear algebra."""

import numpy as np
import pytest

from rmtsolve._kernels.ridge import (
    CROSS0,
    CROSS1,
    FREEDOM,
    LINEAR,
    NOISE,
    PSI,
    SQUARE0,
    SQUARE1,
    SQUARE2,
    TEST,
    TRAIN,
    ridge_points,
)  # fmt: skip

N, BETA = 15, 0.8


def problem(k, columns, seed):
    """Any positive state, tables and latent functions: the formulas do not ask whether the state solves the bulk."""
    rng = np.random.default_rng(seed)
    w = rng.uniform(0.5, 1.0, N)
    linear, noise = rng.normal(size=(k, N)), rng.uniform(0.1, 1.0, (k, N))
    a, b = np.triu_indices(k)
    root = rng.normal(size=(k, k)) * 0.3
    pi = rng.uniform(0.5, 1, k)
    return {
        "w": w / w.sum(), "linear": linear, "noise": noise, "rows": np.concatenate([noise, linear[a] * linear[b]]),
        "pi": pi / pi.sum(), "q": rng.uniform(0.2, 0.6, k), "full": 0.2 * np.eye(k) + 0.1 * root @ root.T,
        "latent": rng.normal(size=(3, columns, N)), "level": rng.uniform(0.1, 2.0, columns),
        "owner": rng.integers(0, k, columns), "target": np.stack([rng.normal(size=N), rng.normal(size=N), np.full(N,
        9.0)]),
    }  # fmt: skip


def call(p, r):
    k = p["pi"].size
    state = np.concatenate([p["q"], p["full"][np.triu_indices(k)]])[None]
    errors, readout = np.empty((1, 11)), np.empty((1, p["level"].size))
    response = np.empty(state.shape)
    done = ridge_points(
        np.array([0.1]), np.array([r]), state, p["rows"], p["w"], p["pi"], BETA, p["latent"], p["level"], p["owner"],
        p["target"], errors, readout, response,
    )  # fmt: skip
    return done, errors[0], readout[0], response[0]


def direct(p, r):
    """Equations (1) to (5) of the kernel's header, literally."""
    k, w, q, full, pi = p["pi"].size, p["w"], p["q"], p["full"], p["pi"]
    linear, noise, f, t = p["linear"], p["noise"], p["latent"], p["target"]
    v = r * (np.einsum("ai,ab,bi->i", linear, full, linear) + q @ noise)
    one, two = w / (1 + v), w / (1 + v) ** 2
    gram = np.einsum("cai,cbi,i->ab", f, f, one) + np.diag(p["level"] / q[p["owner"]])
    right = np.einsum("cai,ci,i->a", f[:2], t[:2], one)
    c = np.linalg.solve(gram, right)
    a = np.einsum("cai,a->ci", f, c)
    e0 = t[2] - 2 * (a[0] * t[0] + a[1] * t[1]) + (a**2).sum(axis=0)
    big = np.einsum("ai,bi,i->ab", linear, linear, one)
    inverse = full / q[:, None]  # P with Q = diag(q) P
    tee = inverse @ big
    fixed = np.zeros(k)
    for j, owner in enumerate(p["owner"]):
        fixed[owner] += p["level"][j] * c[j] ** 2 / q[owner] ** 2

    def respond(b, m):
        dq = np.linalg.solve(np.diag(pi / q**2) - BETA * tee**2, b + np.diag(inverse @ m @ inverse.T))
        return dq, full @ (np.diag(dq / q**2) + BETA * m) @ full

    def residual_of(eps):
        return e0 + np.einsum("ai,ab,bi->i", linear, eps[1], linear) + eps[0] @ noise

    def image(eps):
        values = r * two * eps
        return residual_of(respond(noise @ values + fixed, np.einsum("ai,bi,i->ab", linear, linear, values)))

    # affine in eps: solve on the grid
    base = image(np.zeros(N))
    matrix = np.array([image(unit) - base for unit in np.eye(N)]).T
    eps = np.linalg.solve(np.eye(N) - matrix, base)
    values = r * two * eps
    dq, dfull = respond(noise @ values + fixed, np.einsum("ai,bi,i->ab", linear, linear, values))
    return {
        TEST: w @ eps, TRAIN: two @ eps, FREEDOM: w @ (v / (1 + v)), PSI: one @ t[2] - right @ c,
        CROSS0: w @ (a[0] * t[0]), SQUARE0: w @ a[0] ** 2, CROSS1: w @ (a[1] * t[1]), SQUARE1: w @ a[1] ** 2,
        SQUARE2: w @ a[2] ** 2, LINEAR: w @ np.einsum("ai,ab,bi->i", linear, dfull, linear), NOISE: w @ (dq @ noise),
    }, c, np.concatenate([dq, dfull[np.triu_indices(k)]])  # fmt: skip


@pytest.mark.parametrize(("k", "columns"), [(1, 2), (2, 3), (3, 4)])
def test_against_numpy(k, columns):
    p = problem(k, columns, seed=k)
    done, errors, readout, response = call(p, 0.7)
    assert done == 1
    expected, c, x = direct(p, 0.7)
    for column, value in expected.items():
        assert abs(errors[column] - value) < 1e-11 * max(1.0, abs(value)), column
    assert np.allclose(readout, c, rtol=1e-11) and np.allclose(response, x, rtol=1e-10)


def test_functions_that_vanish_are_left_out():
    """A class mean that is zero, at p = inf: its coefficient is zero and nothing else changes."""
    p = problem(1, 3, seed=5)
    p["latent"][:, 0], p["level"][0] = 0.0, 0.0
    done, errors, readout, _ = call(p, 0.7)
    rest = {**p, "latent": np.ascontiguousarray(p["latent"][:, 1:]), "level": p["level"][1:], "owner": p["owner"][1:]}
    assert done == 1 and readout[0] == 0
    assert np.allclose(errors, call(rest, 0.7)[1], rtol=1e-13)


def test_singular_points_are_reported():
    p = problem(1, 2, seed=6)
    p["latent"][:, 1], p["level"][:] = p["latent"][:, 0], 0.0
    assert call(p, 0.7)[0] == 0
    p = problem(1, 2, seed=7)
    p["full"][:] = np.nan
    assert call(p, 0.7)[0] == 0
