"""Spiked features, K = 3, 161 nodes in kappa: our sweep against the plain iteration that people write with NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

import rmtsolve as rmt

from .timing import best_time, row

FEATURES = rmt.SpikedRandomFeatures("relu", [2, -1, 0.5], [1, 1, 1.2], [0.3, 0.3, 0.4], alpha=2, beta=1)
TOLERANCE = 1e-10
LIMIT = 20_000


def plain(table: Any, pi: Any, r: float, beta: float, z: complex) -> tuple[complex, int]:
    """m(z) by iterating the equations of the model from -1/z; (m, iterations)."""
    k = pi.size
    q, full = -pi / z, np.diag(-pi / z).astype(complex)
    count = 0
    while count < LIMIT:
        count += 1
        v = r * (np.einsum("ai,ab,bi->i", table.linear, full, table.linear) + q @ table.noise)
        y = table.weights / (1 + v)
        a = (table.linear * y) @ table.linear.T
        b = table.noise @ y
        t = np.linalg.solve(np.eye(k) + beta * a * q, a)
        new = pi / (-z + b + t.diagonal())
        full = np.linalg.inv(np.diag(1 / new) + beta * a)
        change = np.abs(new - q).sum()
        q = new
        if change < TOLERANCE * np.abs(q).sum():
            break
    return q.sum(), count


def rows() -> list[dict[str, Any]]:
    equation = FEATURES.equation()
    table, pi = equation.table, np.array(equation.fractions)
    nodes = table.kappa.size
    edges = FEATURES.law().edges
    t = (np.arange(400) + 0.5) / 400
    x = edges[0] + (edges[1] - edges[0]) * np.sin(0.5 * np.pi * t) ** 2
    out = []
    title = f"spiked features K=3, N={nodes}"
    for eta, label in ((0.0, "eta = 0"), (1e-4, "eta = 1e-4"), (1e-6, "eta = 1e-6")):
        z = x + 1j * eta
        swept, _ = equation.solve_points(z)
        seconds = best_time(lambda z=z: equation.solve_points(z))
        bound = float((swept.error_bound / np.abs(equation.readout(z, swept.state))).max())
        out.append(
            row(
                f"{title}, {label}",
                "rmtsolve, 400-point sweep",
                seconds,
                z.size,
                accuracy=bound,
                steps=float(swept.n_steps.mean()),
                note=f"{np.count_nonzero(swept.status == 0)}/400 solved",
            )
        )
        if eta != 1e-4:
            continue
        few = z[10::50]
        runs = [plain(table, pi, equation.ratio, equation.beta, point) for point in few]
        exact = equation.readout(z, swept.state)[10::50]
        error = float(np.abs(np.array([m for m, _ in runs]) / exact - 1).max())
        slow = best_time(
            lambda few=few: [plain(table, pi, equation.ratio, equation.beta, point) for point in few], repeat=1
        )
        steps = float(np.mean([count for _, count in runs]))
        out.append(
            row(
                f"{title}, {label}",
                "NumPy plain iteration",
                slow,
                few.size,
                accuracy=error,
                steps=steps,
                baseline=seconds * few.size / z.size,
            )
        )
    return out
