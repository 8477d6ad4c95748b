"""Edges of the support as folds of the solution branch.

At a square-root edge two real solutions meet: ``s = T(x, s)`` and the derivative J of T has the eigenvalue 1 there,
``J v = v``. With the normalisation ``l . v = 1`` this is a regular system for (s, v, x) (Moore and Spence 1980), so
that Newton's iteration finds the edge to rounding although the solution itself is singular there. Just inside a bulk
the imaginary part of the state is proportional to v, which gives the start.
"""

from __future__ import annotations

import numpy as np

from .base import Complex
from .maps import FlatMap

_RADIUS = 1e-3  # relative radius of the four-point rule for J v
_FORWARD = 1e-6  # relative step for the Jacobian of the system: Newton needs only a few digits of it
_STEPS = 15


def fold(tmap: FlatMap, x: float, inside: Complex, *, reach: float) -> float:
    """Edge near `x`, from the state of a point just inside the bulk; nan if there is no fold.

    Parameters
    ----------
    tmap : FlatMap
        The map.
    x : float
        Approximate edge.
    inside : ndarray, shape (d,)
        State at a nearby real point of the bulk.
    reach : float
        Largest believable distance of the edge from `x`.
    """
    d = tmap.size
    direction = inside.imag.astype(np.complex128)
    if len(tmap.shape) == 2:
        matrix = inside.reshape(tmap.shape)
        direction = ((matrix - matrix.conj().T) / 2j).ravel()
    norm = float(np.abs(direction).max())
    if not norm > 0.0:
        return float("nan")
    direction = direction / norm
    functional = direction.conj() / np.vdot(direction, direction)
    unknowns = np.concatenate([inside - 1j * norm * direction, direction, [complex(x)]])
    size = np.concatenate([np.full(d, np.abs(inside).max()), np.ones(d), [reach]])
    best, best_x = np.inf, float("nan")
    for _ in range(_STEPS):
        value = _system(tmap, functional, unknowns[None])[0]
        if not np.isfinite(value).all():
            return float("nan")
        moved = unknowns + np.diag(_FORWARD * size)
        jacobian = ((_system(tmap, functional, moved) - value) / (_FORWARD * size)[:, None]).T
        try:
            change = np.linalg.solve(jacobian, -value)
        except np.linalg.LinAlgError:
            return float("nan")
        unknowns = unknowns + change
        if not abs(unknowns[-1] - x) <= reach:
            return float("nan")
        error = float(np.max(np.abs(change) / size))
        if error < best:
            best, best_x = error, float(unknowns[-1].real)
        elif best < 1e-6:
            break
    # at a cusp or a hard edge the system is singular or has no solution, and Newton does not settle
    return best_x if best < 1e-8 else float("nan")


def _system(tmap: FlatMap, functional: Complex, unknowns: Complex) -> Complex:
    """``(T - s, J v - v, l . v - 1)`` for a stack of unknowns (n, 2 d + 1)."""
    n, d = unknowns.shape[0], tmap.size
    state, vector, x = unknowns[:, :d], unknowns[:, d : 2 * d], unknowns[:, -1]
    reach = _RADIUS * np.abs(state).max(axis=1, keepdims=True) / np.abs(vector).max(axis=1, keepdims=True)
    turns = np.array([1.0, 1j, -1.0, -1j])
    shifted = state + turns[:, None, None] * reach * vector
    stacked = np.concatenate([state[None], shifted]).reshape(-1, d)
    images = tmap(np.tile(x, 5), stacked).reshape(5, n, d)
    slope = (images[1:] / turns[:, None, None]).sum(axis=0) / (4.0 * reach)
    closing = vector @ functional - 1.0
    return np.concatenate([images[0] - state, slope - vector, closing[:, None]], axis=1)
