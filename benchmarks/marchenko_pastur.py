"""Density of generalised Marchenko-Pastur laws: the edge-anchored solve against what people write today.

Baselines: (a) the damped fixed point of the companion transform on the whole grid in NumPy, a little above the axis;
(b) all roots of the polynomial, by `numpy.roots` point by point and by stacked companion matrices. Accuracy is the
largest relative error of the density against 40-digit Newton iterations.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

import rmtsolve as rmt

from .timing import best_time, row

POINTS = 1000


def grid(law: Any, points: int = POINTS) -> np.ndarray:
    """Chebyshev points on the bulks, shared out by their number."""
    counts = np.diff(np.linspace(0, points, len(law.support) + 1).astype(int))
    parts = [
        left + (right - left) * np.sin((np.arange(n) + 0.5) * np.pi / (2 * n)) ** 2
        for (left, right), n in zip(law.support, counts, strict=True)
    ]
    return np.concatenate(parts)


def exact_density(law: Any, x: np.ndarray) -> np.ndarray:
    """Density by Newton's method with 40 digits from the double-precision root."""
    from mpmath import mp, mpc, mpf

    equation = law.equation
    starts = equation.solve_points(x + 0j).u
    with mp.workdps(40):
        c = mpf(equation.scale)
        atoms = [(mpf(t), c * mpf(h)) for t, h in zip(equation.poles, equation.coefficients, strict=True)]
        out = np.empty(x.size)
        for i, (point, start) in enumerate(zip(x, starts, strict=True)):
            u = mpc(start)
            for _ in range(4):
                value = u * (1 + sum(w * t / (u - t) for t, w in atoms))
                slope = 1 - sum(w * t * t / (u - t) ** 2 for t, w in atoms)
                u -= (value - mpf(point)) / slope
            out[i] = (-1 / u).imag / (mp.pi * c)
    return out


def fixed_point(t: np.ndarray, h: np.ndarray, c: float, x: np.ndarray, eta: float) -> tuple[np.ndarray, int]:
    """Density from m = -1/(z - c sum h t/(1 + t m)), averaged steps until nothing changes by more than 1e-8."""
    z = x + 1j * eta
    m = -1.0 / z
    steps, change = 0, np.inf
    while change >= 1e-8 and steps < 400_000:
        new = 0.5 * (m - 1.0 / (z - c * ((h * t) / (1.0 + t * m[:, None])).sum(axis=1)))
        change = np.max(np.abs(new - m))
        m, steps = new, steps + 1
    return m.imag / (np.pi * c), steps


def polynomial(t: np.ndarray, h: np.ndarray, c: float) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients a, b of ``a(u) - x b(u) = 0``, highest power first."""
    b = np.poly(t)
    a = np.append(b, 0.0)
    for j in range(t.size):
        a[1:] += c * h[j] * t[j] * np.append(np.poly(np.delete(t, j)), 0.0)
    return a, np.concatenate([[0.0], b])


def by_roots(t: np.ndarray, h: np.ndarray, c: float, x: np.ndarray) -> np.ndarray:
    """Density from `numpy.roots` at every point."""
    a, b = polynomial(t, h, c)
    out = np.empty(x.size)
    for i, point in enumerate(x):
        u = np.roots(a - point * b)
        out[i] = (-1.0 / u[np.argmax(u.imag)]).imag
    return out / (np.pi * c)


def by_eigenvalues(t: np.ndarray, h: np.ndarray, c: float, x: np.ndarray) -> np.ndarray:
    """Density from stacked companion matrices."""
    a, b = polynomial(t, h, c)
    monic = a[1:] - x[:, None] * b[1:]
    n = monic.shape[1]
    matrices = np.zeros((x.size, n, n))
    matrices[:, 0, :] = -monic
    matrices[:, np.arange(1, n), np.arange(n - 1)] = 1.0
    u = np.linalg.eigvals(matrices)
    best = u[np.arange(x.size), np.argmax(u.imag, axis=1)]
    return (-1.0 / best).imag / (np.pi * c)


def error(rho: np.ndarray, truth: np.ndarray) -> float:
    return float(np.max(np.abs(rho - truth) / truth))


def rows() -> list[dict[str, Any]]:
    """Three atoms against every baseline, then 100 and 1000 atoms against the fixed point."""
    c = 0.5
    t, h = np.array([1.0, 3.0, 10.0]), np.array([0.5, 0.3, 0.2])
    ensemble = rmt.SampleCovariance(rmt.Discrete(t, h), c)
    law = ensemble.law()
    x = grid(law)
    truth = exact_density(law, x)
    name = f"MP 3 atoms c={c}, {x.size} points"
    index, offset = law.equation.locate(x, np.zeros(x.size))
    steps = float(law.equation.solve_offsets(index, offset).n_steps.mean())
    ours = best_time(lambda: law.density(x), repeat=50)
    table = [row(name, "law.density", ours, x.size, accuracy=error(law.density(x), truth), steps=steps, baseline=ours)]
    whole = best_time(lambda: ensemble.law().density(x), repeat=50)
    table.append(row(name, "edges and density", whole, x.size, accuracy=error(law.density(x), truth), baseline=ours))
    for eta in (1e-3, 1e-4, 1e-6):
        begin = time.perf_counter()
        rho, count = fixed_point(t, h, c, x, eta)
        spent = time.perf_counter() - begin
        table.append(
            row(name, f"NumPy damped fixed point, eta={eta:g}", spent, x.size, accuracy=error(rho, truth),
                steps=count, baseline=ours)
        )  # fmt: skip
    for label, method in (("numpy.roots a point", by_roots), ("stacked companion eigvals", by_eigenvalues)):
        spent = best_time(lambda f=method: f(t, h, c, x), repeat=3)
        table.append(row(name, label, spent, x.size, accuracy=error(method(t, h, c, x), truth), baseline=ours))
    for n in (100, 1000):
        table += many_atoms(n, c)
    return table


def many_atoms(n: int, c: float) -> list[dict[str, Any]]:
    """Populations of n equal atoms on a lognormal curve."""
    from scipy.special import ndtri

    t = np.exp(ndtri((np.arange(n) + 0.5) / n))
    h = np.full(n, 1.0 / n)
    law = rmt.SampleCovariance(rmt.Discrete(t), c).law()
    x = grid(law)
    few = x[:: max(1, n // 10)]
    truth = exact_density(law, few)
    name = f"MP {n} atoms c={c}, {x.size} points"
    index, offset = law.equation.locate(x, np.zeros(x.size))
    steps = float(law.equation.solve_offsets(index, offset).n_steps.mean())
    ours = best_time(lambda: law.density(x))
    table = [
        row(name, "law.density", ours, x.size, accuracy=error(law.density(few), truth), steps=steps, baseline=ours,
            note=f"error at {few.size} points")
    ]  # fmt: skip
    part = few if n == 1000 else x
    begin = time.perf_counter()
    rho, count = fixed_point(t, h, c, part, 1e-3)
    spent = time.perf_counter() - begin
    table.append(
        row(name, "NumPy damped fixed point, eta=0.001", spent, part.size, steps=count,
            accuracy=error(rho[np.isin(part, few)], truth), baseline=ours * part.size / x.size,
            note=f"{part.size} points")
    )  # fmt: skip
    return table
