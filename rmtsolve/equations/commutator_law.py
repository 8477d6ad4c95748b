"""The law of a `CommutatorEquation`."""

from __future__ import annotations

import numpy as np

from .base import Real
from .commutator import CommutatorEquation
from .solution import SolvedMeasure


class CommutatorLaw(SolvedMeasure):
    """The law of ``i (a b - b a)`` for free a and b.

    Parameters
    ----------
    equation : CommutatorEquation
        Its equation.
    title : str
        How the law prints itself.
    """

    equation: CommutatorEquation

    def __init__(self, equation: CommutatorEquation, title: str) -> None:
        super().__init__(equation)
        self.title = title

    def __repr__(self) -> str:
        return f"<law of {self.title}>"

    def _density_offset(self, edge: int, offset: Real) -> Real:
        """Where two bulks touch at 0 the offset is the point itself, and the density has no expansion."""
        return self._density(offset) if self.edges[edge] == 0.0 else super()._density_offset(edge, offset)

    def _density(self, x: Real) -> Real:
        """Nearer to a singular point 0 than the first sample, the density is a power of the distance."""
        first = self.equation.samples.x[0]
        near = np.abs(x) < first
        if not (near.any() and (self.edges == 0.0).any()):
            return super()._density(x)
        low, high = super()._density(first * np.array([1.0, 4.0]))
        rho = low * (np.abs(x) / first) ** (np.log(high / low) / np.log(4.0))
        if not near.all():
            rho[~near] = super()._density(x[~near])
        return np.asarray(rho)
