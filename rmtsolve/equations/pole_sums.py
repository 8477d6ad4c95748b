"""Sums over poles ``sum_j mass_j / (u - at_j)^k`` for many u at a time, and the zeros of such a sum.

Points are ``u = base + delta`` with delta known to its own relative accuracy, and the distances to the poles are formed
so that they keep it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]

_BLOCK = 1 << 18  # entries of a points-by-atoms block


def transform_zeros(at: Real, mass: Real) -> tuple[Real, Real]:
    """Zeros ``s_j`` of ``m_H`` between the atoms and the ``k_j = 1 / m_H'(s_j)`` there."""
    from .._kernels.poles import transform_zeros as find

    n = max(at.size - 1, 0)
    zeros, weights = np.empty(n), np.empty(n)
    if n:
        find(np.ascontiguousarray(at), np.ascontiguousarray(mass), zeros, weights)
    return zeros, weights


def unit_of(length: float) -> float:
    """1, or for extreme lengths the nearest power of two, by which scaling is exact."""
    if length == 0.0 or 1e-10 < length < 1e10:
        return 1.0
    return math.ldexp(1.0, math.frexp(length)[1])


def resolvent_sum(base: Real | float, delta: Complex, at: Real, mass: Real, power: int) -> Complex:
    """``sum_j mass_j / (base + delta - at_j)^power``; for power 1 the imaginary part has terms of one sign."""
    if delta.dtype == object:  # mpmath numbers
        return np.asarray((mass / (base + delta[:, None] - at) ** power).sum(axis=1))
    unit = unit_of(float(np.max(np.abs(at)))) if at.size else 1.0
    if unit != 1.0:
        total = resolvent_sum(base / unit, delta / unit, at / unit, mass, power)
        return total / unit if power == 1 else total / unit / unit
    out = np.empty(delta.size, dtype=np.complex128)
    for part, real in distances(base, delta, at):
        imag = delta.imag[part]
        if power == 1:
            inverse = 1.0 / (real * real + (imag * imag)[:, None])
            out.real[part] = (real * inverse) @ mass
            out.imag[part] = -imag * (inverse @ mass)
        else:
            out[part] = (1.0 / (real + 1j * imag[:, None])) ** power @ mass
    return out


def distances(base: Real | float, delta: Complex, at: Real) -> Iterator[tuple[slice, Real]]:
    """Blocks of ``Re(base + delta) - at_j`` for all points and atoms, formed without losing digits of delta."""
    start = np.broadcast_to(base, delta.shape)
    step = max(1, _BLOCK // max(at.size, 1))
    for i in range(0, delta.size, step):
        part = slice(i, i + step)
        yield part, (start[part, None] - at) + delta.real[part, None]
