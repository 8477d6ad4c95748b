"""One bulk of a law as an edge-weighted Chebyshev series.

On a bulk [L, R] put ``x = mid + hw cos(phi)`` and ``J = y - sqrt(y - 1) sqrt(y + 1)``, ``y = (z - mid)/hw`` (the
inverse Joukowski map: |J| < 1 off the bulk, ``J = exp(-i phi)`` on it from above). Each of the four Chebyshev kinds
belongs to one combination of edges, and integrating it with its weight gives, up to and on the real axis,

    m(z) = -(2/hw) J B(J) / ((1 - J)^[R hard] (1 + J)^[L hard]),        B(J) = sum_k b_k J^k,

so the density Im m / pi is, with the same coefficients,

    both soft:  (2/(pi hw)) sum b_k sin((k + 1) phi)          R hard: sum b_k cos((k + 1/2) phi) / (pi hw sin(phi/2))
    both hard:  sum b_k cos(k phi) / (pi hw sin(phi))         L hard: sum b_k sin((k + 1/2) phi) / (pi hw cos(phi/2))

(derived from ``int cos(k phi) dphi / (cos(phi) - y) = -2 pi J^(k+1) / (1 - J^2)`` over half a turn).

With ``density |dx/dphi| = sum a_k cos(k phi)`` and ``log(y - cos phi) = -log(2 J) - 2 sum J^k cos(k phi) / k`` the
potential is ``int log(z - x) = mass log(hw / (2 J)) - pi sum_(k >= 1) a_k J^k / k``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from .base import Complex, Real

_BLOCK = 64  # coefficients summed as one matrix product


@dataclass(frozen=True, eq=False)
class ChebyshevBulk:
    """One bulk of a `SeriesMeasure`.

    Parameters
    ----------
    left, right : float
        Edges.
    hard_left, hard_right : bool
        Whether the density there diverges like an inverse square root (else it vanishes like a square root).
    coefficients : ndarray, shape (n,)
        The ``b_k`` of the module's formulas.
    """

    left: float
    right: float
    hard_left: bool
    hard_right: bool
    coefficients: Real

    @property
    def half_width(self) -> float:
        """Half the length of the bulk."""
        return 0.5 * (self.right - self.left)

    def joukowski(self, z: Any) -> tuple[Any, Any]:
        """``(J, s)`` with ``s = sqrt(z - L) sqrt(z - R)``; real for real z, which must be off the bulk."""
        middle = self.left + self.half_width
        if np.iscomplexobj(z):
            s = np.sqrt(z - self.left) * np.sqrt(z - self.right)
        else:
            s = np.copysign(np.sqrt(np.maximum((z - self.left) * (z - self.right), 0.0)), z - middle)
        return self.half_width / (z - middle + s), s

    def _poles(self, j: Any) -> Any:
        return (1.0 - j if self.hard_right else 1.0) * (1.0 + j if self.hard_left else 1.0)

    def stieltjes(self, z: Any) -> Any:
        """Contribution to m(z)."""
        j, _ = self.joukowski(z)
        return -2.0 / self.half_width * j * disc_polynomial(self.coefficients, j) / self._poles(j)

    def transforms(self, z: Any) -> tuple[Any, Any]:
        """Contributions to m(z) and m'(z); dJ/dz = -J / s."""
        j, s = self.joukowski(z)
        value, slope = disc_polynomial(self._with_slope, j)
        logarithmic = 1.0 + (j / (1.0 - j) if self.hard_right else 0.0) - (j / (1.0 + j) if self.hard_left else 0.0)
        front = 2.0 / self.half_width * j / self._poles(j)
        return -front * value, front * (value * logarithmic + j * slope) / s

    @cached_property
    def _with_slope(self) -> Real:
        """Coefficients of B and of B', (2, n)."""
        b = self.coefficients
        return np.stack([b, np.append(b[1:] * np.arange(1, b.size), 0.0)])

    def density(self, from_left: Real, from_right: Real) -> Real:
        """Density at points given by their (positive) distances from the edges."""
        theta = 2.0 * np.arctan2(np.sqrt(from_left), np.sqrt(from_right))  # pi - phi
        phi = 2.0 * np.arctan2(np.sqrt(from_right), np.sqrt(from_left))
        near_left = theta < phi
        signs = (-1.0) ** np.arange(self.coefficients.size)
        out = np.empty(theta.shape)
        # seen from the left edge, phi = pi - theta: cosines and sines only change sign, and nothing cancels
        for mask, angle, b, here, there in (
            (near_left, theta, signs * self.coefficients, self.hard_left, self.hard_right),
            (~near_left, phi, self.coefficients, self.hard_right, self.hard_left),
        ):
            t = angle[mask]
            half = np.exp(0.5j * t)
            series = disc_polynomial(b, half * half)
            if here and there:
                values = series.real / np.sin(t)
            elif here:
                values = (series * half).real / np.sin(t / 2)
            elif there:
                values = (series * half).imag / np.cos(t / 2)
            else:
                values = 2.0 * (series * half * half).imag
            out[mask] = values
        return out / (np.pi * self.half_width)

    @cached_property
    def cosines(self) -> Real:
        """Coefficients a_k of ``density * |dx/dphi| = sum a_k cos(k phi)``."""
        b = self.coefficients
        a = np.zeros(b.size + 2)
        if self.hard_left and self.hard_right:  # b cos(k phi)
            a[:-2] = b
        elif self.hard_right:  # sin(phi) cos((k + 1/2) phi) / sin(phi/2) = cos(k phi) + cos((k + 1) phi)
            a[:-2] = b
            a[1:-1] += b
        elif self.hard_left:  # sin(phi) sin((k + 1/2) phi) / cos(phi/2) = cos(k phi) - cos((k + 1) phi)
            a[:-2] = b
            a[1:-1] -= b
        else:  # 2 sin(phi) sin((k + 1) phi) = cos(k phi) - cos((k + 2) phi)
            a[:-2] = b
            a[2:] -= b
        return a / np.pi

    @property
    def mass(self) -> float:
        """Mass of the bulk."""
        return float(np.pi * self.cosines[0])

    def cumulative(self, x: Real) -> Real:
        """Mass of the bulk to the left of points inside it."""
        theta = 2.0 * np.arctan2(np.sqrt(x - self.left), np.sqrt(self.right - x))
        a = self.cosines
        k = np.arange(1, a.size)
        rest = disc_polynomial(np.concatenate([[0.0], a[1:] * (-1.0) ** k / k]), np.exp(1j * theta))
        return np.asarray(a[0] * theta + rest.imag)

    def potential(self, z: Complex) -> Complex:
        """Contribution to ``int log(z - x)``, Im z >= 0, arguments in [0, pi]."""
        j, s = self.joukowski(z)
        inverse = (z - (self.left + self.half_width) + s) / self.half_width
        a = self.cosines
        rest = disc_polynomial(np.concatenate([[0.0], a[1:] / np.arange(1, a.size)]), j)
        logarithm = np.log(inverse.real + 1j * np.abs(inverse.imag)) + np.log(0.5 * self.half_width)
        return np.asarray(np.pi * (a[0] * logarithm - rest))


def disc_polynomial(coefficients: Real, j: Any) -> Any:
    """``sum_k coefficients[..., k] j^k`` for |j| <= 1, real or complex, shape (..., j.size).

    Blocks of powers by matrix products, Horner's rule between blocks.
    """
    terms = coefficients.shape[-1]
    block = min(_BLOCK, terms)
    n_blocks = -(-terms // block)
    rows = coefficients.reshape(-1, terms)
    table = np.zeros((rows.shape[0], n_blocks * block))
    table[:, :terms] = rows
    table = table.reshape(-1, block)
    out = np.empty((rows.shape[0], j.size), dtype=j.dtype)
    step = max(1, (1 << 20) // (block + n_blocks))
    for start in range(0, j.size, step):
        part = j[start : start + step]
        powers = np.ones((block + 1, part.size), dtype=j.dtype)
        # by doubling: the relative error of a power stays a few units in the last place times log2(k)
        done = 1
        while done <= block:
            more = min(done, block + 1 - done)
            np.multiply(powers[done - 1] * part, powers[:more], out=powers[done : done + more])
            done += more
        # real times real, whatever j is
        sums = (table @ powers[:block].view(np.float64)).view(j.dtype).reshape(-1, n_blocks, part.size)
        total = sums[:, -1]
        for i in range(n_blocks - 2, -1, -1):
            total = total * powers[block] + sums[:, i]
        out[:, start : start + step] = total
    return out.reshape(*coefficients.shape[:-1], j.size)
