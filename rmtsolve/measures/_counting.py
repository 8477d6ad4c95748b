"""Mass left of a point, from the transform on a vertical line above it."""

from __future__ import annotations

import math

import numpy as np

from ._search import Transform, enclosing_disc, laurent
from .base import Real

_FAR = 30.0  # radii from which the Laurent series is integrated
_NEAR = 11.0  # log of the room over the height below which the integrand counts as constant


def mass_left(m: Transform, x: Real, room: Real) -> Real:
    """Mass left of points at least `room` from the support: ``1/2 - (1/pi) int_0^inf Re m(x + i t) dt``.

    The integrand is analytic in log t, in a strip of half the width pi; far away the Laurent series is integrated.
    """
    centre, radius = enclosing_disc(m)
    _, negative = laurent(m, np.array([centre]), np.array([radius]), 64)
    nodes, weights = np.polynomial.legendre.leggauss(16)
    out = np.empty(x.size)
    for i, at in enumerate(x):
        top = math.log(_FAR * (radius + abs(float(at) - centre)))
        low = math.log(float(room[i])) - _NEAR
        count = math.ceil((top - low) / 2.0)
        half = 0.5 * (top - low) / count
        s = (low + half * (2 * np.arange(count) + 1)[:, None] + half * nodes).ravel()
        t = np.exp(s)
        m_values = m(np.asarray(at + 1j * t))
        inner = half * float(np.sum(np.tile(weights, count) * m_values.real * t))
        w = complex(float(at) - centre, math.exp(top)) / radius
        series = sum(float(negative[0, k]) * radius * (w**-k / k) for k in range(1, 12))
        outer = (series / 1j).real - math.atan2(w.real, w.imag)
        first = float(m_values[0].real) * math.exp(low)
        out[i] = 0.5 - (first + inner + outer) / np.pi
    return out
