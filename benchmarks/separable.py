"""Separable covariance of 2 + 2 atoms: the density at 1000 points."""

from __future__ import annotations

from typing import Any

import numpy as np

import rmtsolve as rmt

from .free import POINTS, compare, grid

RATIO = 0.5
A, B = rmt.Discrete([1, 4]), rmt.Discrete([0.5, 2])


def damped(z: Any, tolerance: float = 1e-8) -> tuple[Any, int]:
    """The pair of fixed point equations, averaged, for all points at once in NumPy."""
    delta, steps = 1j + 0 * z, 0
    while steps < 20_000:
        steps += 1
        tilde = -((B.locations / (1.0 + delta[:, None] * B.locations)) @ B.weights) / z
        new = -RATIO * ((A.locations / (1.0 + tilde[:, None] * A.locations)) @ A.weights) / z
        new = 0.5 * (delta + new)
        change = np.max(np.abs(new - delta) / np.abs(delta))
        delta = new
        if change < tolerance:
            break
    tilde = -((B.locations / (1.0 + delta[:, None] * B.locations)) @ B.weights) / z
    return -((1.0 / (1.0 + tilde[:, None] * A.locations)) @ A.weights) / z, steps


def rows() -> list[dict[str, Any]]:
    """One problem."""
    ensemble = rmt.SeparableCovariance(A, B, ratio=RATIO)
    return compare("separable covariance, 2 + 2 atoms", ensemble.law, grid(ensemble.law(), POINTS), damped)
