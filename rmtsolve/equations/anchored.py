"""Explicit inverse maps built from one sum over poles, solved from their edges: what calls `_kernels/anchored`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import _validate

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]
Index = NDArray[np.int64]
Flags = NDArray[np.bool_]


class Roots(NamedTuple):
    """Solved points."""

    edge: Index  # the nearest one
    base: Real  # its critical point
    delta: Complex  # v - base, with its own relative accuracy
    rise: Complex  # K(v) - K(base)
    slope: Complex  # F'(v), times S(v) for two samples
    status: Index
    n_steps: Index
    residual: Real
    radius: Real  # length of Newton's next step, rounding included


class Anchors:
    """Edges of one map and its solutions, in the map's own unit of length.

    Parameters
    ----------
    kind : int
        `NOISE` or `SAMPLES` of the kernel file, where the maps are written out.
    poles, weights : ndarray
        The sum in K.
    parameters : ndarray
        Of the map.
    critical : sequence of float
        Approximate critical points, from left to right.
    hard : sequence of bool
        Which of them are hard edges.
    """

    def __init__(
        self, kind: int, poles: Real, weights: Real, parameters: Real, critical: list[float], hard: list[bool]
    ) -> None:
        from .._kernels.anchored_edges import COLUMNS, E_LO, K_E, U_LO, E, U, polish_edge

        self.kind = kind
        self.poles, self.weights = np.ascontiguousarray(poles), np.ascontiguousarray(weights)
        self.parameters = np.ascontiguousarray(parameters, dtype=np.float64)
        rows = np.empty((len(critical), COLUMNS))
        for row, v, fixed in zip(rows, critical, hard, strict=True):
            polish_edge(kind, v, 0.0, fixed, self.poles, self.weights, self.parameters, row)
        self.rows = _validate.read_only(rows)
        self.critical, self.edges, self.rest, self.level = rows[:, U], rows[:, E], rows[:, E_LO], rows[:, K_E]
        narrow = (self.edges[1::2] - self.edges[::2]) + (self.rest[1::2] - self.rest[::2]) <= 0.0
        if not np.isfinite(rows).all() or narrow.any() or (np.diff(rows[:, U]) + np.diff(rows[:, U_LO]) <= 0.0).any():
            _validate.fail(
                "population", "such that every bulk is wider than the rounding of its edges",
                f"edges at {self.edges}", "drop atoms of negligible weight, or raise the noise or the ratio",
            )  # fmt: skip

    def locate(self, z: Complex) -> tuple[Index, Complex]:
        """Nearest edge of every point, and the offset from it."""
        index = np.clip(np.searchsorted(0.5 * (self.edges[1:] + self.edges[:-1]), z.real), 0, self.edges.size - 1)
        y = np.empty(z.size, dtype=np.complex128)
        y.real = (z.real - self.edges[index]) - self.rest[index]
        y.imag = z.imag
        return index, y

    def nearest(self, index: Index, offset: Real) -> tuple[Index, Real]:
        """The points ``edges[index] + offset`` of bulks, as offsets from the nearer edge of their bulk."""
        other = index ^ 1
        width = (self.edges[other] - self.edges[index]) + (self.rest[other] - self.rest[index])
        far = np.abs(offset) > np.abs(offset - width)
        return np.where(far, other, index), np.where(far, offset - width, offset)

    def outside(self, index: Index, y: Complex) -> Flags:
        """Which points are real and off the support."""
        return np.asarray((y.imag == 0.0) & (np.where(index % 2 == 0, y.real, -y.real) < 0.0))

    def solve(self, index: Index, y: Complex, start: Complex | None = None) -> Roots:
        """Roots at ``edges[index] + y`` with Im v > 0, from the edge or from ``v = start``; real ones off the support.

        The caller asks whether a root in the upper half-plane is the physical one.
        """
        from .._kernels.anchored import sweep
        from .._kernels.anchored_edges import U_LO, U

        n = y.size
        order = np.argsort(index, kind="stable")
        shift, rise, slope = (np.empty(n, dtype=np.complex128) for _ in range(3))
        status, n_steps = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
        residual, radius = np.empty(n), np.empty(n)
        begin = np.full(n, complex(np.nan, np.nan))
        if start is not None:
            begin = (start - self.rows[index, U]) - self.rows[index, U_LO]
        sweep(
            self.kind, y[order], index[order], self.outside(index, y)[order], begin[order], self.poles, self.weights,
            self.parameters, self.rows, shift, rise, slope, status, n_steps, residual, radius,
        )  # fmt: skip
        back = np.empty(n, dtype=np.int64)
        back[order] = np.arange(n)
        return Roots(
            index.copy(), self.critical[index], shift[back], rise[back], slope[back], status[back], n_steps[back],
            residual[back], radius[back],
        )  # fmt: skip


def replaced(roots: Roots, where: Index, other: Roots) -> Roots:
    """Roots with those at some places taken from another solution."""
    for mine, new in zip(roots, other, strict=True):
        mine[where] = new
    return roots
