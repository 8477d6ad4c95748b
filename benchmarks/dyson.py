"""Matrix and vector Dyson equations against the damped iteration that people write with NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

import rmtsolve as rmt
from rmtsolve.equations.dyson import MatrixDyson
from rmtsolve.equations.dyson_vector import VectorDyson

from .timing import best_time, row

ETA = 1e-3


def damped_matrix(equation: MatrixDyson, x: np.ndarray) -> tuple[np.ndarray, int]:
    """Averaged iteration on all points at once, to 1e-8."""
    z = x + 1j * ETA
    state = np.broadcast_to(1j * np.eye(equation.shape[0]), (z.size, *equation.shape)).copy()
    count = 0
    while count < 20_000:
        count += 1
        image = equation.step(z, state)
        change = np.max(np.abs(image - state))
        state = 0.5 * (state + image)
        if change < 1e-8:
            break
    return equation.readout(z, state).imag / np.pi, count


def damped_vector(equation: VectorDyson, x: np.ndarray) -> tuple[np.ndarray, int]:
    """Averaged iteration on all points at once, to 1e-8."""
    z = x + 1j * ETA
    state = np.full((z.size, equation.mean.size), 1j)
    coupling = equation.coupling.T.copy()
    count = 0
    while count < 20_000:
        count += 1
        image = -1.0 / (z[:, None] - equation.mean + state @ coupling)
        change = np.max(np.abs(image - state))
        state = 0.5 * (state + image)
        if change < 1e-8:
            break
    return equation.readout(z, state).imag / np.pi, count


def rows() -> list[dict[str, Any]]:
    """K = 3 anticommutator and a random profile of 100 blocks."""
    out = []
    edge = np.sqrt((11 + 5 * np.sqrt(5)) / 2)
    x = 0.99 * edge * np.cos(np.pi * (np.arange(200) + 0.5) / 200)
    anticommutator = rmt.MatrixPolynomial("X*Y + Y*X", X=rmt.Wigner(), Y=rmt.Wigner()).equation()
    # z m^3 - m^2 - z m - 1 = 0 has one root in the upper half-plane; two Newton steps polish numpy's roots
    m = np.array([max(np.roots([t, -1.0, -t, -1.0]), key=lambda w: w.imag) for t in x])
    for _ in range(2):
        m = m - (x * m**3 - m**2 - x * m - 1) / (3 * x * m**2 - 2 * m - x)
    rng = np.random.default_rng(0)
    profile = rng.uniform(0.0, 2.0, (100, 100))
    vector = rmt.VarianceProfile(0.5 * (profile + profile.T)).equation()
    law = rmt.VarianceProfile(0.5 * (profile + profile.T)).law()
    y = 0.9 * law.edges[-1] * np.cos(np.pi * (np.arange(40) + 0.5) / 40)
    # thirty digits at every eighth point: mpmath's Newton iteration shares no arithmetic with the compiled one
    some = slice(None, None, 8)
    precise = rmt.solve(vector, y[some], rmt.HighPrecision(digits=30)).m.imag / np.pi
    cases = [
        ("matrix Dyson, K = 3", anticommutator, damped_matrix, x, slice(None), m.imag / np.pi),
        ("vector Dyson, n = 100", vector, damped_vector, y, some, precise),
    ]
    for problem, equation, baseline, points, known, truth in cases:
        ours = best_time(lambda e=equation, p=points: rmt.solve(e, p))
        solution = rmt.solve(equation, points)
        error = float(np.max(np.abs(solution.m.imag[known] / np.pi - truth)))
        out.append(row(problem, "rmtsolve, on the axis", ours, points.size, accuracy=max(error, 1e-17),
                       steps=float(np.mean(solution.n_steps))))  # fmt: skip
        seconds = best_time(lambda b=baseline, e=equation, p=points: b(e, p), repeat=2)
        density, count = baseline(equation, points)
        error = float(np.max(np.abs(density[known] - truth)))
        out.append(row(problem, "NumPy damped, eta = 1e-3", seconds, points.size, accuracy=error, steps=float(count),
                       baseline=ours))  # fmt: skip
    return out
