"""Free addition of two discrete laws: the density at 1000 points."""

from __future__ import annotations

from typing import Any

import numpy as np

import rmtsolve as rmt

from .timing import best_time, row

POINTS, ETA = 1000, 1e-3
ONE, TWO = rmt.Discrete([0, 1, 3], [0.4, 0.35, 0.25]), rmt.Discrete([-1, 2])


def damped(z: Any, tolerance: float = 1e-8) -> tuple[Any, int]:
    """The fixed point iteration of the textbook, averaged, for all points at once in NumPy."""

    def reciprocal(law: rmt.Discrete, w: Any) -> Any:
        return -1.0 / ((1.0 / (law.locations - w[:, None])) @ law.weights) - w

    omega, steps = z + 1j, 0
    while steps < 20_000:
        steps += 1
        new = 0.5 * (omega + z + reciprocal(ONE, z + reciprocal(TWO, omega)))
        change = np.max(np.abs(new - omega) / np.abs(omega))
        omega = new
        if change < tolerance:
            break
    return (1.0 / (TWO.locations - omega[:, None])) @ TWO.weights, steps


def grid(law: Any, points: int) -> Any:
    """Chebyshev points inside every bulk."""
    angle = (np.arange(points // len(law.support)) + 0.5) * np.pi / (points // len(law.support))
    return np.concatenate([0.5 * (a + b) - 0.5 * (b - a) * np.cos(angle) for a, b in law.support])


def compare(problem: str, fresh: Any, x: Any, baseline: Any) -> list[dict[str, Any]]:
    """Our time and error, without and with the search for edges, against the damped iteration at ``Im z = ETA``."""
    law = fresh()
    z = x.astype(np.complex128)
    exact = np.asarray(rmt.solve(law.equation, x, rmt.HighPrecision(digits=25)).m.imag) / np.pi
    rho = law.density(x)
    m, steps = baseline(x + 1j * ETA)
    ours = best_time(lambda: law.density(x))
    theirs = best_time(lambda: baseline(x + 1j * ETA))
    sweep = law.equation.sweep(z)
    whole = best_time(lambda: fresh().density(x))
    return [
        row(problem, "rmtsolve at eta = 0", ours, x.size, accuracy=float(np.max(np.abs(rho - exact))),
            steps=float(np.mean(sweep.n_steps)), baseline=ours),
        row(problem, "the same from scratch, with the search for edges", whole, x.size,
            accuracy=float(np.max(np.abs(rho - exact))), baseline=ours, note="edges are found once for each law"),
        row(problem, f"NumPy, damped, eta = {ETA:g}", theirs, x.size,
            accuracy=float(np.max(np.abs(m.imag / np.pi - exact))), steps=float(steps), baseline=ours,
            note="target >= 30x (free), >= 80x (separable)"),
    ]  # fmt: skip


def rows() -> list[dict[str, Any]]:
    """One problem."""
    law = rmt.free_add(ONE, TWO)
    return compare("free sum of 3 + 2 atoms", lambda: rmt.free_add(ONE, TWO), grid(law, POINTS), damped)
