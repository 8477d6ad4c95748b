"""Equation: a self-consistent equation ``state = T(z, state)`` whose physical solution gives a Stieltjes transform."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import _validate
from ..measures.base import Atoms

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
        of shape (n, *shape), and must return shape (n, *shape). It must be holomorphic, act on each point by
        itself, and leave its arguments alone. Functions decorated with `rmtsolve.step` are written for one point
        and compiled.
    readout : callable, optional
        ``readout(z, state) -> m`` of shape (n,). Default: the state itself for a scalar, the mean of the entries
        for a vector, the normalised trace for a matrix.
    shape : tuple of int
        Shape of the state at one z: ``()`` scalar, ``(k,)`` vector, ``(k, k)`` matrix.
    jacobian : callable, optional
        ``jacobian(z, state)``, the derivative of T by the (flattened) state, shape (n, d, d) with d unknowns.
        Default: difference quotients.
    start : callable, optional
        ``start(z)``, where an iteration may begin; default ``-1/z`` (times the identity for a matrix).
    name : str
        What is being solved, for messages.

    Notes
    -----
    Built-in families subclass this and know more: they override `sweep` (own solver, any Im z >= 0, boundary
    values on the real axis) and `find_edges`. With `HighPrecision`, `step` and `readout` receive arrays whose
    entries are mpmath numbers; arithmetic, ``exp``, ``log``, ``sqrt``, ``@``, ``einsum``, ``sum``, ``np.trace`` and
    ``np.linalg.inv`` work on them as on floats.

    Examples
    --------
    >>> import rmtsolve as rmt
    >>> semicircle = rmt.Equation(lambda z, m: -1 / (z + m), name="semicircle")
    >>> rmt.solve(semicircle, 1j).m
    array(0.+0.61803399j)
    """

    def __init__(
        self,
        step: Callable[[Any, Any], Any],
        readout: Callable[[Any, Any], Any] | None = None,
        *,
        shape: tuple[int, ...] = (),
        jacobian: Callable[[Any, Any], Any] | None = None,
        start: Callable[[Any], Any] | None = None,
        name: str = "",
    ) -> None:
        for value, label in ((step, "step"), (readout, "readout"), (jacobian, "jacobian"), (start, "start")):
            if not callable(value) and (value is not None or label == "step"):
                _validate.fail(label, "a function of arrays", value)
        if not isinstance(name, str):
            _validate.fail("name", "a string", name)
        self._step = step
        self._readout = readout
        self._jacobian = jacobian
        self._start = start
        self.shape = _checked_shape(shape)
        self.name = name
        self.method = "the solver of the family"  # what `sweep` does, in words
        self.remarks: tuple[str, ...] = ()  # what a user should know about any answer: the notes of its solutions

    def __repr__(self) -> str:
        return f"Equation({self.name!r})" if self.name else f"Equation(shape={self.shape})"

    def step(self, z: Complex, state: Complex) -> Complex:
        """The map T at points `z` (n,) and states (n, *shape)."""
        return _numbers(self._step(z, state))

    def readout(self, z: Complex, state: Complex) -> Complex:
        """The Stieltjes transform that belongs to the states."""
        if self._readout is not None:
            return _numbers(self._readout(z, state))
        if len(self.shape) == 0:
            return state
        if len(self.shape) == 1:
            return _numbers(state.sum(axis=-1) / self.shape[0])
        return _numbers(np.trace(state, axis1=-2, axis2=-1) / self.shape[0])

    def jacobian(self, z: Complex, state: Complex) -> Complex | None:
        """Derivative of T by the flattened state, (n, d, d); None: not known, difference quotients are used."""
        return None if self._jacobian is None else np.asarray(self._jacobian(z, state), dtype=np.complex128)

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

    def find_atoms(self) -> Atoms | None:
        """Point masses of the law."""
        return None

    def cumulative(self, x: Real, state: Complex) -> Real | None:
        """Distribution function at real x in closed form, from the states there."""
        return None


def _numbers(value: Any) -> Complex:
    """complex128, but arrays of mpmath numbers stay what they are."""
    array = value if isinstance(value, np.ndarray) else np.asarray(value)
    return array if array.dtype == object else array.astype(np.complex128, copy=False)


def _checked_shape(shape: Any) -> tuple[int, ...]:
    """`shape` as a tuple () or (k,) or (k, k)."""
    rule = "(), (k,) or (k, k) with k >= 1"
    if not isinstance(shape, tuple) or len(shape) > 2:
        _validate.fail("shape", rule, shape)
    sizes = tuple(_validate.integer(size, "shape", low=1) for size in shape)
    if len(sizes) == 2 and sizes[0] != sizes[1]:
        _validate.fail("shape", rule, shape)
    return sizes
