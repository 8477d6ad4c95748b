"""Coordinates of the letters of a pencil in which their unknowns stay graded.

Where the law is singular (usually at 0), the w of a letter grow and shrink along different directions. If these are
coordinate axes, every entry keeps its digits; in any other basis the small entries drown in the rounding of the large
ones. Some rows of the coefficient itself are a good basis in many cases, in others the eigenvectors of its 2 x 2 pivots
are; which one is told by the error bounds at a point just above 0.
"""

from __future__ import annotations

import itertools

import numpy as np

from .base import Complex, Real

_ROOT = 0.5**0.5
_TURN = np.array([[_ROOT, _ROOT], [_ROOT, -_ROOT]])


def coordinates(coefficient: Complex) -> tuple[Complex, Complex, Real]:
    """(V, a, R): ``A = V a V*`` with V the identity on some rows and a invertible; V R is the other basis."""
    norm = float(np.abs(coefficient).max())
    rank = int(np.linalg.matrix_rank(coefficient, tol=1e-12 * norm * len(coefficient), hermitian=True))
    pivots: list[list[int]] = []
    rest = coefficient
    while sum(map(len, pivots)) < rank:  # pivots of one or two rows, each as regular as possible
        size = np.abs(rest)
        i = int(np.argmax(np.diag(size)))
        largest = sorted(map(int, np.unravel_index(np.argmax(size), size.shape)))
        pivots.append([i] if size[i, i] >= 0.6 * size.max() else largest)
        chosen = pivots[-1]
        rest = rest - rest[:, chosen] @ np.linalg.inv(rest[np.ix_(chosen, chosen)]) @ rest[chosen]
        rest[chosen], rest[:, chosen] = 0.0, 0.0
    rows = sorted(itertools.chain(*pivots))
    core = coefficient[np.ix_(rows, rows)].astype(np.complex128)
    frame = (coefficient[:, rows] @ np.linalg.inv(core)).astype(np.complex128)
    frame[rows] = np.eye(rank)
    turn = np.eye(rank)
    for pivot in pivots:
        if len(pivot) == 2:
            at = [rows.index(row) for row in pivot]
            turn[np.ix_(at, at)] = _TURN
    return frame, core, turn
