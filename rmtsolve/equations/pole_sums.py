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

_EPS = float(np.finfo(float).eps)
_BLOCK = 1 << 18  # entries of a points-by-atoms block


def transform_zeros(at: Real, mass: Real) -> tuple[Real, Real]:
    """Zeros ``s_j`` of ``m_H`` between the atoms and the ``k_j = 1 / m_H'(s_j)`` there.

    Each is found as an offset from the nearer of its two atoms, by bracketed Newton steps, so that a zero next to a
    light atom keeps its relative distance.
    """
    n = at.size - 1
    if n <= 0:
        return np.empty(0), np.empty(0)
    width = np.diff(at)
    middle = at[:-1] + 0.5 * width
    value = _real_sum(middle, at, mass)
    base = np.arange(n) + (value < 0.0)  # m_H increases between poles: a positive value puts the zero on the left
    low = np.where(value < 0.0, -0.5 * width, 0.0)
    high = np.where(value < 0.0, 0.0, 0.5 * width)
    distance = at[None, :] - at[base][:, None]
    offset = 0.5 * (low + high)
    for _ in range(200):
        r = 1.0 / (distance - offset[:, None])
        value, slope = (r * mass).sum(axis=1), (r * r * mass).sum(axis=1)
        low, high = np.where(value < 0.0, offset, low), np.where(value > 0.0, offset, high)
        # Newton for offset * m_H, which is smooth at the own pole
        product, change = offset * value, value + offset * slope
        with np.errstate(divide="ignore", invalid="ignore"):
            new = offset - product / change
        new = np.where((new > low) & (new < high), new, 0.5 * (low + high))
        done = np.abs(new - offset) <= 2.0 * _EPS * np.abs(offset)
        offset = new
        if done.all():
            break
    r = 1.0 / (distance - offset[:, None])
    return at[base] + offset, 1.0 / (r * r * mass).sum(axis=1)


def unit_of(length: float) -> float:
    """1, or for extreme lengths the nearest power of two, by which scaling is exact."""
    if length == 0.0 or 1e-10 < length < 1e10:
        return 1.0
    return math.ldexp(1.0, math.frexp(length)[1])


def _real_sum(x: Real, at: Real, mass: Real) -> Real:
    out = np.empty(x.size)
    step = max(1, _BLOCK // at.size)
    for i in range(0, x.size, step):
        out[i : i + step] = (mass / (at - x[i : i + step, None])).sum(axis=1)
    return out


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
