"""Solution: what came out of a solve; SolvedMeasure: an equation solved everywhere, as a law."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..measures.base import NO_ATOMS, Atoms, Measure
from ..status import Status

if TYPE_CHECKING:
    from .base import Equation

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]


@dataclass(frozen=True, eq=False)
class Solution:
    """The answer of `solve` at every point; arrays are read-only and have the shape of `z`.

    Parameters
    ----------
    equation : Equation
        What was solved.
    z, m : ndarray of complex
        Points and Stieltjes transform.
    state : ndarray of complex, shape (*z.shape, *equation.shape)
        The unknown of the equation.
    status, n_steps : ndarray of int
        Codes of `Status` and evaluations of the map.
    residual, error_bound : ndarray of float
        Relative residual of the equation and bound on ``|m - m_true|`` (nan where none is known).
    method : str
        What was done, in words.
    """

    equation: Equation
    z: Complex
    m: Complex
    state: Complex
    status: NDArray[np.int64]
    n_steps: NDArray[np.int64]
    residual: Real
    error_bound: Real
    method: str

    @property
    def ok(self) -> bool:
        """Whether every point converged."""
        return bool(np.all(self.status == Status.CONVERGED))


class SolvedMeasure(Measure):
    """The law whose Stieltjes transform solves `equation`.

    Parameters
    ----------
    equation : Equation
        A self-consistent equation.
    edges : ndarray, optional
        Edges of the bulks when known; otherwise the equation's own, otherwise searched for numerically.
    atoms : Atoms
        Point masses.
    """

    def __init__(self, equation: Equation, *, edges: Real | None = None, atoms: Atoms = NO_ATOMS) -> None:
        self.equation = equation
        self._edges = edges if edges is not None else equation.find_edges()
        self._atoms = atoms

    @property
    def edges(self) -> Real:
        """Sorted edges of the bulks."""
        if self._edges is None:
            from ..measures.inversion import find_support

            self._edges = find_support(self._stieltjes).ravel()
        return self._edges

    @property
    def atoms(self) -> Atoms:
        """Point masses."""
        return self._atoms

    def _stieltjes(self, z: Complex) -> Complex:
        from .solve import solve

        return solve(self.equation, z).m
