"""Adaptive piecewise Chebyshev approximation of a function of one angle, and its exact integral.

The engine behind distribution functions and integrals that no closed form gives: kinks, jumps and end-point
singularities only cost a few dozen extra panels, because panels are halved where they are not resolved.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]

_N = 32  # Chebyshev nodes a panel
_MAX_PANELS = 3000
_MAX_LEVEL = 52  # halvings: beyond it a panel is narrower than the spacing of floats


@dataclass(frozen=True, eq=False)
class Panels:
    """A piecewise polynomial: `coefficients[i]` are the Chebyshev coefficients on ``[breaks[i], breaks[i+1]]``."""

    breaks: Real  # (panels + 1,)
    coefficients: Real  # (panels, _N)
    primitive: Real  # (panels, _N + 1), Chebyshev coefficients of the integral from the panel's left end
    cumulative: Real  # (panels + 1,), integral up to each break
    absolute: float  # integral of the modulus, roughly
    error: float  # bound estimated from the last coefficients

    @property
    def total(self) -> float:
        """Integral over everything."""
        return float(self.cumulative[-1])

    def quadrature(self) -> tuple[Real, Real]:
        """Nodes and the function there times weights, both (n,): sums for integrals against smooth functions."""
        nodes, weights = np.polynomial.legendre.leggauss(_N + 16)
        half = 0.5 * np.diff(self.breaks)[:, None]
        values = np.polynomial.chebyshev.chebval(nodes, self.coefficients.T)
        return (self.breaks[:-1, None] + half * (1.0 + nodes)).ravel(), (half * weights * values).ravel()

    def integral(self, t: Real) -> Real:
        """Integral from the left end to each `t`."""
        index = np.clip(np.searchsorted(self.breaks, t, side="right") - 1, 0, self.breaks.size - 2)
        low, high = self.breaks[index], self.breaks[index + 1]
        y = np.clip((2.0 * t - low - high) / (high - low), -1.0, 1.0)
        return np.asarray(self.cumulative[index] + _clenshaw(self.primitive[index], y))


def fit_panels(function: Callable[[Real], Real], low: float, high: float, tolerance: float = 1e-14) -> Panels:
    """Halve panels of [low, high] until the integral is resolved to `tolerance` of that of the modulus.

    `function` takes a 1-d array of points strictly inside (low, high) and returns its values there.
    """
    nodes, to_coefficients = _rule()
    todo = np.array([[low, high]])
    parents = np.array([np.inf])
    done: list[tuple[float, float, Real, float]] = []
    largest = absolute = 0.0
    for level in range(_MAX_LEVEL + 1):
        half = 0.5 * (todo[:, 1] - todo[:, 0])
        points = (todo[:, 0] + half)[:, None] + half[:, None] * nodes
        values = function(points.ravel()).reshape(points.shape)
        coefficients = values @ to_coefficients
        tails = np.max(np.abs(coefficients[:, -3:]), axis=1)
        areas = np.mean(np.abs(values), axis=1) * 2.0 * half
        largest = max(largest, float(np.max(np.abs(values))))
        absolute = sum(d[3] for d in done) + float(areas.sum())
        fine = tails * 2.0 * half <= tolerance * absolute
        # values that are only noise do not get smoother by halving
        fine |= (tails > 0.5 * parents) & (tails < 1e-9 * largest)
        if level == _MAX_LEVEL or len(done) + 2 * todo.shape[0] > _MAX_PANELS:
            fine[:] = True
        done += [
            (float(p[0]), float(p[1]), c, float(a))
            for p, c, a in zip(todo[fine], coefficients[fine], areas[fine], strict=True)
        ]
        rest = todo[~fine]
        if rest.size == 0:
            break
        middle = rest.mean(axis=1)
        todo = np.stack([rest[:, 0], middle, middle, rest[:, 1]], axis=1).reshape(-1, 2)
        parents = np.repeat(tails[~fine], 2)
    done.sort(key=lambda d: d[0])
    return _assemble(np.array([d[0] for d in done] + [high]), np.array([d[2] for d in done]), absolute)


def _assemble(breaks: Real, coefficients: Real, absolute: float) -> Panels:
    half = 0.5 * np.diff(breaks)
    # int T_k = T_{k+1}/(2(k+1)) - T_{k-1}/(2(k-1)), and int T_0 = T_1
    k = np.arange(1, _N + 1)
    padded = np.pad(coefficients, ((0, 0), (0, 2)))
    primitive = np.zeros((coefficients.shape[0], _N + 1))
    primitive[:, 1:] = (padded[:, :_N] * np.where(k == 1, 2.0, 1.0) - padded[:, 2:]) / (2.0 * k)
    primitive *= half[:, None]
    primitive[:, 0] = -primitive[:, 1:] @ (-1.0) ** k
    masses = primitive.sum(axis=1)
    tails = np.max(np.abs(coefficients[:, -3:]), axis=1)
    error = float(np.sum(tails * 2.0 * half)) + 4e-16 * absolute
    return Panels(breaks, coefficients, primitive, np.concatenate([[0.0], np.cumsum(masses)]), absolute, error)


@cache
def _rule() -> tuple[Real, Real]:
    """First-kind nodes on [-1, 1] and the matrix from values to Chebyshev coefficients."""
    angles = (np.arange(_N) + 0.5) * np.pi / _N
    matrix = (2.0 / _N) * np.cos(angles[:, None] * np.arange(_N))
    matrix[:, 0] *= 0.5
    return np.cos(angles), matrix


def _clenshaw(coefficients: Real, y: Real) -> Real:
    """``sum_k coefficients[..., k] T_k(y)``, one row of coefficients a point."""
    b1 = b2 = np.zeros(y.shape)
    for k in range(coefficients.shape[1] - 1, 0, -1):
        b1, b2 = coefficients[:, k] + 2.0 * y * b1 - b2, b1
    return np.asarray(coefficients[:, 0] + y * b1 - b2)
