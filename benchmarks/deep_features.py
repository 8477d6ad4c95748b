"""Deep features: the chain of scalar maps against the nested fixed point of arXiv:2005.11879, ridge against brentq."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import brentq

import rmtsolve as rmt

from .timing import best_time, row

FEATURES = rmt.DeepFeatures(["tanh", "erf", "tanh"], [1.2, 1.4, 0.8], 1.6)
TOLERANCE = 1e-7  # of each level of the nested iteration


def nested(z: Any, depth: int, counter: list[int]) -> Any:
    """m_depth(z) by damped fixed points, each level inside the next, vectorised over z; level 0 in closed form."""
    alpha, layers = FEATURES.alpha, FEATURES.layers
    if depth == 0:
        gamma = alpha
        root = np.sqrt((z + gamma - 1) ** 2 - 4 * gamma * z + 0j)
        m = (-(z + gamma - 1) + root) / (2 * gamma * z)
        return np.where(m.imag > 0, m, (-(z + gamma - 1) - root) / (2 * gamma * z))
    gamma, layer = alpha / FEATURES.widths[depth - 1], layers[depth - 1]
    m = -1 / z
    for _ in range(2000):
        c = 1 - gamma - gamma * z * m
        scale = layer.gain * c
        new = nested((z - layer.rest * c) / scale, depth - 1, counter) / scale
        counter[0] += 1
        step = new - m
        m = m + 0.5 * step
        if np.max(np.abs(step) / np.abs(m)) < TOLERANCE:
            break
    return m


def spectrum() -> list[dict[str, Any]]:
    rows = []
    for height in (0.1, 0.01):
        z = np.linspace(0.05, 3.0, 50) + 1j * height
        law = FEATURES.conjugate_kernel().law()
        exact = law.stieltjes(z)
        seconds = best_time(lambda: law.stieltjes(z))  # noqa: B023  called before the loop goes on
        steps = rmt.solve(law.equation, z).n_steps.mean()
        problem = f"depth-3 kernel, 50 points, eta={height}"
        certificate = float(rmt.solve(law.equation, z).residual.max())
        rows.append(row(problem, "rmtsolve chain", seconds, z.size, accuracy=certificate, steps=float(steps)))
        counter = [0]
        answer = nested(z, 3, counter)
        calls = counter[0]
        slow = best_time(lambda: nested(z, 3, [0]), repeat=1)  # noqa: B023  called before the loop goes on
        error = float(np.max(np.abs(answer - exact) / np.abs(exact)))
        rows.append(
            row(
                problem,
                "nested damped fixed point (NumPy)",
                slow,
                z.size,
                accuracy=error,
                steps=calls,
                baseline=seconds,
            )
        )
    law = FEATURES.conjugate_kernel().law()
    x = np.linspace(*law.edges, 802)[1:-1]
    law.density(x)
    seconds = best_time(lambda: law.density(x))
    mass = float(law.expect(lambda t: 1.0))
    rows.append(row("depth-3 density at eta=0, 800 points", "rmtsolve chain", seconds, x.size, accuracy=abs(mass - 1)))
    return rows


def ridge() -> list[dict[str, Any]]:
    features = rmt.DeepFeatures(["tanh", "tanh"], [1.25, 1.5], 1.25)
    lam = np.geomspace(1e-3, 10, 400)

    def ours() -> Any:
        return rmt.deep_ridge_errors(features, "sign(x)", lam=lam, noise=0.3).test

    seconds = best_time(ours)
    chain, n = features.chain, 1.25
    widths = np.array([1.0, 1.25, 1.5])

    def forward(logarithm: float) -> tuple[float, float]:
        kappa = np.exp(logarithm)
        df1 = 1 / (1 + kappa)
        for s in range(2):
            up = chain.a[s] * kappa * (widths[s + 1] - df1) / widths[s] - chain.b[s]
            df1, kappa = widths[s + 1] - up * widths[s] / (chain.a[s] * kappa), up
            if not (kappa > 0 and df1 < (*widths[2:], n)[s]):
                return -1.0, kappa
        return kappa * (n - df1) / widths[2], kappa

    def brent() -> Any:
        out = []
        for value in lam:
            root = brentq(lambda t, v=value: forward(t)[0] - v, -5, 10, xtol=1e-14, rtol=1e-14)
            step = 1e-5

            def form(t: float) -> float:
                return (2 / np.pi) / (1 + np.exp(t))

            (one, k_one), (two, k_two) = forward(root - step), forward(root + step)
            kappa = forward(root)[1]
            slope = (form(root + step) - form(root - step)) / (k_two - k_one)
            below = (two - one) / (k_two - k_one) * widths[2] / n
            out.append((1.09 - form(root) + kappa * slope) / below)
        return np.array(out)

    exact, found = ours(), brent()
    slow = best_time(brent, repeat=1)
    error = float(np.max(np.abs(found / exact - 1)))
    problem = "depth-2 ridge curve, 400 lam"
    return [
        row(problem, "rmtsolve chain", seconds, lam.size, accuracy=1e-12, note="against mpmath, tests/reference"),
        row(problem, "scipy brentq + differences", slow, lam.size, accuracy=error, baseline=seconds),
    ]


def data() -> list[dict[str, Any]]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1000, 300))
    y = x[:, :5].sum(axis=1) + rng.standard_normal(1000)
    n = np.arange(50, 800, 50)
    theory = rmt.data_ridge_errors(x, y, n, 0.3).test
    seconds = best_time(lambda: rmt.data_ridge_errors(x, y, n, 0.3))
    measured = rmt.simulate_data_ridge(x, y, n, 0.3, 4, np.random.default_rng(1))
    slow = best_time(lambda: rmt.simulate_data_ridge(x, y, n, 0.3, 4, np.random.default_rng(1)), repeat=1)
    gap = float(np.max(np.abs(measured.test_mean[:, 0] / theory - 1)))
    problem = "learning curve of 1000 x 300 data, 15 sizes"
    return [
        row(problem, "predicted from the data", seconds, n.size, accuracy=gap, note="accuracy: against 4 splits"),
        row(problem, "trained on 4 splits", slow, n.size, accuracy=gap, baseline=seconds),
    ]


def rows() -> list[dict[str, Any]]:
    return [*spectrum(), *ridge(), *data()]
