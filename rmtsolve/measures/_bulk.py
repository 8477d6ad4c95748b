"""One bulk of a law in its natural angle, where densities with square-root or hard edges are smooth.

On a finite bulk ``x = L + (R - L) sin^2(theta / 2)``, theta in (0, pi); ``density * dx/dtheta`` is then an even,
2 pi-periodic analytic function for square-root and inverse-square-root edges alike. Points are handed to the law as
offsets from the nearer edge, so nothing cancels. Infinite ends are mapped by the tangent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .base import Measure, Real


@dataclass(frozen=True, eq=False)
class Bulk:
    """The bulk with edges ``edges[index]``, ``edges[index + 1]`` of a law."""

    measure: Measure
    index: int  # of the left edge
    left: float
    right: float
    scale: float  # of the tangent map, where an end is infinite

    def at(self, theta: Real) -> tuple[Real, Real]:
        """``(x, dx/dtheta)``."""
        sine, cosine = np.sin(theta / 2), np.cos(theta / 2)
        if math.isfinite(self.left) and math.isfinite(self.right):
            width = self.right - self.left
            x = np.where(theta < np.pi / 2, self.left + width * sine**2, self.right - width * cosine**2)
            return np.clip(x, self.left, self.right), width * sine * cosine
        if math.isfinite(self.left):
            return self.left + self.scale * (sine / cosine) ** 2, self.scale * sine / cosine**3
        if math.isfinite(self.right):
            return self.right - self.scale * (cosine / sine) ** 2, self.scale * cosine / sine**3
        return self.scale * (sine / cosine - cosine / sine) / 2, self.scale / (2 * sine * cosine) ** 2

    def angle(self, x: Real) -> Real:
        """The theta of points of the bulk."""
        if math.isfinite(self.left) and math.isfinite(self.right):
            return np.asarray(2.0 * np.arctan2(np.sqrt(x - self.left), np.sqrt(self.right - x)))
        if math.isfinite(self.left):
            return np.asarray(2.0 * np.arctan2(np.sqrt(x - self.left), math.sqrt(self.scale)))
        if math.isfinite(self.right):
            return np.asarray(2.0 * np.arctan2(math.sqrt(self.scale), np.sqrt(self.right - x)))
        return np.asarray(np.arctan2(self.scale, -x))

    def mass_density(self, theta: Real) -> Real:
        """``density * dx/dtheta`` at angles strictly inside (0, pi)."""
        x, slope = self.at(theta)
        width = self.right - self.left
        rho = np.empty(theta.shape)
        if math.isfinite(width):
            near_left = theta < np.pi / 2
            sine, cosine = np.sin(theta / 2), np.cos(theta / 2)
            for edge, mask, offset in ((0, near_left, width * sine**2), (1, ~near_left, -width * cosine**2)):
                if mask.any():
                    rho[mask] = self.measure._density_offset(self.index + edge, offset[mask])
        elif math.isfinite(self.left):
            rho = self.measure._density_offset(self.index, x - self.left)
        elif math.isfinite(self.right):
            rho = self.measure._density_offset(self.index + 1, x - self.right)
        else:
            rho = self.measure._density(x)
        return rho * slope


def bulks(measure: Measure) -> list[Bulk]:
    """All bulks of a law, from left to right."""
    edges = measure.edges
    scale = 1.0 if np.isfinite(edges).all() else _scale(measure)
    return [Bulk(measure, i, float(edges[i]), float(edges[i + 1]), scale) for i in range(0, edges.size, 2)]


def _scale(measure: Measure) -> float:
    """A length on which an unbounded law lives: where ``s Im m(i s)``, which increases from 0 to 1, is one half."""
    low, high = -300.0, 300.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        s = 10.0**middle
        m = complex(measure._stieltjes(np.array([1j * s]))[0])
        low, high = (middle, high) if s * m.imag < 0.5 else (low, middle)
    return float(10.0 ** (0.5 * (low + high)))
