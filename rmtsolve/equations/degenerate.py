"""Points where a converged solution of a Dyson equation is one of a continuum.

Where all constants vanish in ``z - A0`` the equations of chiral and of homogeneous models have symmetries that leave
them unchanged (``m_1 -> t m_1, m_2 -> m_2/t``; for matrices all congruences that keep the coefficients), and on the
real axis nothing but the limit from above tells the physical solution. There ``1 - J`` is singular. Derived here.
"""

from __future__ import annotations

from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from ..measures.base import Complex
from ..status import Status
from .base import Equation, Sweep
from .dyson_nodes import AxisEquation

_LOW = 1e-9  # height over the axis, in sizes of the law, below which solutions are looked at
_HEIGHTS = 1e-3 * 0.5 ** np.arange(7)  # in sizes of the law, from which the limit is extrapolated
_KNOWN = 1e-6  # relative doubt of a limit that counts
_SAME = 1e-9  # relative distance from a limit that is none
_SINGULAR = 3e-8  # smallest over largest singular value: half of the digits of the solution are lost


def is_singular(matrices: Complex) -> NDArray[np.bool_]:
    """Which of the square matrices (n, r, r) are singular to half of the digits, columns brought to one length."""
    fine = np.asarray(np.isfinite(matrices).all(axis=(1, 2)))
    out = np.ones(fine.shape, dtype=bool)
    if fine.any():
        part = matrices[fine]
        lengths = np.linalg.norm(part, axis=1, keepdims=True)
        sizes = np.linalg.svd(part / np.where(lengths > 0.0, lengths, 1.0), compute_uv=False)
        out[fine] = ~(sizes[:, -1] > _SINGULAR * sizes[:, 0])
    return out


class _Asked(AxisEquation, Protocol):
    """An equation that can tell singular states."""

    def is_degenerate(self, z: Complex, state: Complex) -> NDArray[np.bool_]:
        """Which states have a singular ``1 - J``."""


def off_the_limit(equation: Equation, z: Complex, swept: Sweep) -> NDArray[np.bool_]:
    """Which converged points without a bound are not the limit from above, where that can be told.

    Only equations that have `is_degenerate` are asked. Near edges and atoms ``1 - J`` is singular, too, but m is no
    power series in the height there, and nothing is said.
    """
    wrong = np.zeros(z.size, dtype=bool)
    if not hasattr(equation, "is_degenerate"):
        return wrong
    asked = cast("_Asked", equation)
    scale = asked.disc.scale
    sure = swept.status == Status.CONVERGED
    doubtful = np.flatnonzero(sure & np.isnan(swept.error_bound) & (z.imag < _LOW * scale))
    doubtful = doubtful[~asked.outside(swept.state[doubtful])]
    doubtful = doubtful[asked.is_degenerate(z[doubtful], swept.state[doubtful])]
    if doubtful.size == 0:
        return wrong
    points = (z[doubtful].real[:, None] + 1j * scale * _HEIGHTS).ravel()
    above = equation.sweep(points)
    assert above is not None
    table = equation.readout(points, above.state).reshape(-1, _HEIGHTS.size).T.copy()
    for k in range(1, _HEIGHTS.size):  # Richardson's scheme in the height
        previous = table[-1].copy()
        table[k:] = (2.0**k * table[k:] - table[k - 1 : -1]) / (2.0**k - 1.0)
    limit, doubt = table[-1], np.abs(table[-1] - previous)
    solved = (above.status == Status.CONVERGED).reshape(-1, _HEIGHTS.size).all(axis=1)
    off = np.abs(equation.readout(z[doubtful], swept.state[doubtful]) - limit)
    known = solved & (doubt <= _KNOWN * np.abs(limit))
    wrong[doubtful] = known & (off > 10.0 * doubt + _SAME * np.abs(limit))
    return wrong
