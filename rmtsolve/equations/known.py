"""The trivial equation of a law that is known without one."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..measures.base import Atoms, Complex, Measure, Real
from .base import Equation
from .high_precision import transform_precisely


class KnownLaw(Equation):
    """``m = m_law(z)``: the unknown does not enter the map. At real z it is the boundary value from above.

    Parameters
    ----------
    law : Measure
        The law.
    """

    def __init__(self, law: Measure) -> None:
        super().__init__(self._map, name=repr(law))
        self.law = law

    def _map(self, z: Any, state: Any) -> Complex:
        if np.asarray(z).dtype == object:
            return transform_precisely(self.law, z)
        lower = z.imag < 0.0
        m = np.asarray(self.law._stieltjes(np.where(lower, z.conj(), z) + 0.0))
        return np.where(lower, m.conj(), m)

    def find_edges(self) -> Real:
        """Sorted edges of the bulks."""
        return self.law.edges

    def find_atoms(self) -> Atoms:
        """Point masses."""
        return self.law.atoms
