"""Equation: a self-consistent equation ``state = T(z, state)`` whose physical solution gives a Stieltjes transform."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]


class Sweep(NamedTuple):
    """What a compiled family solver returns for a 1-d array of n points."""

    state: Complex  # (n, *shape)
    status: NDArray[np.int64]  # (n,) codes of `Status`
    n_steps: NDArray[np.int64]  # (n,)
    residual: Real  # (n,) relative to the scale of the state
    error_bound: Real  # (n,) bound on |m - m_true|; nan where none is known


class Equation:
    """A self-consistent equation for an unknown `state` at every z.

    Parameters
    ----------
    step : callable
        ``step(z, state) -> state``, the map T. It is called with all points at once: `z` of shape (n,) and `state`
        of shape (n, *shape), and must return shape (n, *shape).
    readout : callable, optional
        ``readout(z, state) -> m`` of shape (n,). Default: the state itself for a scalar, the mean of the entries
        for a vector, the normalised trace for a matrix.
    shape : tuple of int
        Shape of the state at one z: ``()`` scalar, ``(k,)`` vector, ``(k, k)`` matrix.
    jacobian : callable, optional
        ``jacobian(z, state)``, the derivative of T by the (flattened) state, shape (n, k, k).
    start : callable, optional
        ``start(z)``, where an iteration may begin; default ``-1/z`` (times the identity for a matrix).
    name : str
        What is being solved, for messages.

    Notes
    -----
    Built-in families subclass this and know more: they override `sweep` (compiled solver, any Im z >= 0, boundary
    values on the real axis), `find_edges`, `potential`.
    """

    def __init__(
        self,
        step: Callable[[Complex, Complex], Any],
        readout: Callable[[Complex, Complex], Any] | None = None,
        *,
        shape: tuple[int, ...] = (),
        jacobian: Callable[[Complex, Complex], Any] | None = None,
        start: Callable[[Complex], Any] | None = None,
        name: str = "",
    ) -> None:
        self._step = step
        self._readout = readout
        self._jacobian = jacobian
        self._start = start
        self.shape = shape
        self.name = name

    def step(self, z: Complex, state: Complex) -> Complex:
        """The map T at points `z` (n,) and states (n, *shape)."""
        return np.asarray(self._step(z, state), dtype=np.complex128)

    def readout(self, z: Complex, state: Complex) -> Complex:
        """The Stieltjes transform that belongs to the states."""
        if self._readout is not None:
            return np.asarray(self._readout(z, state), dtype=np.complex128)
        if len(self.shape) == 0:
            return state
        if len(self.shape) == 1:
            return np.asarray(state.mean(axis=-1))
        return np.asarray(np.trace(state, axis1=-2, axis2=-1) / self.shape[0])

    def start(self, z: Complex) -> Complex:
        """A state from which iterations may begin."""
        if self._start is not None:
            return np.asarray(self._start(z), dtype=np.complex128)
        base = -1.0 / z
        if len(self.shape) < 2:
            return np.broadcast_to(base.reshape(-1, *(1,) * len(self.shape)), (z.size, *self.shape)).copy()
        return base[:, None, None] * np.eye(self.shape[0])

    # ---- what a built-in family knows; None: not known, the generic path is used
    def sweep(self, z: Complex, start: Complex | None = None) -> Sweep | None:
        """Compiled solve of all points (any order, Im z >= 0; real points give boundary values)."""
        return None

    def find_edges(self) -> Real | None:
        """Sorted edges of the support, (2 * bulks,)."""
        return None
