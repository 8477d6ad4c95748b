"""The equation of ``(a x + b)/(c x + d)`` when x has a given one: that at ``x(z) = (d z - b)/(a - c z)``."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..measures.base import Atoms, Complex, Real
from .base import Equation, Sweep

_EPS = float(np.finfo(float).eps)


class MoebiusEquation(Equation):
    """A scalar equation of another law, pulled back; the state is that of the other equation.

    Where the map reverses the order, x(z) is in the lower half-plane, and the state is ``-conj`` of that at conj x(z),
    so that it stays in the upper one and the map stays holomorphic.

    Parameters
    ----------
    inner : Equation
        The equation of x.
    coefficients : tuple of float
        a, b, c, d.
    edges, atoms : ndarray and Atoms
        Those of the image law.
    """

    def __init__(
        self, inner: Equation, coefficients: tuple[float, float, float, float], edges: Real, atoms: Atoms, name: str
    ) -> None:
        super().__init__(self._map, self._read, start=self._begin, name=name)
        self.inner, self.coefficients = inner, coefficients
        self.edges, self.atoms = edges, atoms
        a, b, c, d = coefficients
        self.rising = a * d - b * c > 0.0

    def _back(self, z: Any) -> Any:
        a, b, c, d = self.coefficients
        x = (d * z - b) / (a - c * z)
        return x if self.rising else x.conj()

    def _flip(self, state: Any) -> Any:
        return state if self.rising else -state.conj()

    def _map(self, z: Any, state: Any) -> Any:
        return self._flip(self.inner.step(self._back(z), self._flip(state)))

    def jacobian(self, z: Complex, state: Complex) -> Complex | None:
        """Derivative of T by the state, where the other equation knows its own."""
        slope = self.inner.jacobian(self._back(z), self._flip(state))
        return slope if slope is None or self.rising else np.asarray(slope.conj())

    def _begin(self, z: Complex) -> Complex:
        return np.asarray(self._flip(self.inner.start(self._back(z))))

    def _read(self, z: Any, state: Any) -> Any:
        a, _, c, d = self.coefficients
        x = self._back(z)
        m = self.inner.readout(x, self._flip(state))
        x, m = (x, m) if self.rising else (x.conj(), m.conj())
        return (c + (c * x + d) * m) / (a - c * z)

    def sweep(self, z: Complex, start: Complex | None = None) -> Sweep | None:
        """Solve all points by the solver of the other family."""
        a, _, c, d = self.coefficients
        x = self._back(z) + 0.0
        swept = self.inner.sweep(x, None if start is None else np.asarray(self._flip(start)))
        if swept is None:
            return None
        factor = np.abs(c * x + d) / np.abs(a - c * z)
        rounding = 4.0 * _EPS * (abs(c) / np.abs(a - c * z) + factor * np.abs(self.inner.readout(x, swept.state)))
        return swept._replace(
            state=np.asarray(self._flip(swept.state)), error_bound=factor * swept.error_bound + rounding
        )

    def find_edges(self) -> Real:
        """Sorted edges of the bulks."""
        return np.array(self.edges)

    def find_atoms(self) -> Atoms:
        """Point masses."""
        return self.atoms
