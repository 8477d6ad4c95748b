"""The free commutator ``i (P Q - Q P)`` of two projections of traces a and b, in closed form.

In the frame of a 2 x 2 block P and Q are the projections on two lines at an angle t, and ``P Q - Q P`` is
``sin t cos t`` times a rotation (Halmos, Two subspaces, Trans. Amer. Math. Soc. 144 (1969) 381). So the square of the
commutator is ``x (1 - x)`` for the eigenvalues ``x = cos^2 t`` of P Q P that are neither 0 nor 1, each of them taken
twice. For ``a <= b <= 1/2`` they have the density of Jacobi's law, a times that of ``Jacobi(a/b, a/(1 - b))``:

    sqrt((x_+ - x) (x - x_-)) / (2 pi x (1 - x)),      x_-+ = (sqrt(a (1 - b)) -+ sqrt(b (1 - a)))^2.

In the sum over both eigenvalues its poles cancel against the atom at 0. With ``r = sqrt(1 - 4 z^2)``,
``x_1,2 = (1 +- r)/2`` and ``s(x) = sqrt(x - x_-) sqrt(x - x_+)``,

    m = -G/z,    G = (s(x_1) - s(x_2))/r = (1 - 2 a)(1 - 2 b)/(s(x_1) + s(x_2)),
    m' = -m/z - z m (G^2 - 1)/(s(x_1) s(x_2)).

Derived here.
"""

from __future__ import annotations

import math

import numpy as np

from ..measures.base import Complex
from ..measures.classical import Jacobi
from ..measures.image import image
from ..measures.transforms import companion
from .even import SymmetricRoot


class ProjectionsLaw(SymmetricRoot):
    """Law of ``i (P Q - Q P)`` for free projections.

    Parameters
    ----------
    traces : tuple of float
        Those of P and Q, in (0, 1).
    """

    def __init__(self, *traces: float) -> None:
        a, b = sorted(min(trace, 1.0 - trace) for trace in traces)  # 1 - P in the place of P changes a sign
        super().__init__(companion(image(Jacobi(a / b, a / (1.0 - b)), [0.0, 1.0, -1.0]), 2.0 * a))
        self.traces = traces
        self.low = ((a - b) / (math.sqrt(a * (1.0 - b)) + math.sqrt(b * (1.0 - a)))) ** 2  # x_-
        self.rest = ((1.0 - a - b) / (math.sqrt(a * b) + math.sqrt((1.0 - a) * (1.0 - b)))) ** 2  # 1 - x_+
        self.twist = (1.0 - 2.0 * a) * (1.0 - 2.0 * b)

    def __repr__(self) -> str:
        return f"<law of the commutator of projections of traces {self.traces[0]:g} and {self.traces[1]:g}>"

    def _parts(self, z: Complex) -> tuple[Complex, Complex]:
        """G and ``s(x_1) s(x_2)`` at points with Re z >= 0; Im x_1 < 0, r and s(x_1) are conjugate."""
        r = np.sqrt(((1.0 - 2.0 * z) * (1.0 + 2.0 * z)).conj() + 0.0)
        one = 0.5 * (1.0 + r)
        two = z * z / one.conj() + 0.0
        first = (np.sqrt(one - self.low) * np.sqrt(self.rest - two.conj())).conj()
        second = np.sqrt(two - self.low) * np.sqrt(self.rest - one.conj() + 0.0)
        difference, total = first - second, first + second
        near = np.abs(difference) >= np.abs(total)
        return np.where(near, difference / r.conj(), self.twist / total), first * second

    def _stieltjes(self, z: Complex) -> Complex:
        z, left = self._mirrored(z)
        with np.errstate(all="ignore"):
            m = -self._parts(z)[0] / z
        return np.where(left, -m.conj(), m)

    def _stieltjes_derivative(self, z: Complex) -> Complex:
        z, left = self._mirrored(z)
        with np.errstate(all="ignore"):
            g, product = self._parts(z)
            slope = g / z**2 + g * (g * g - 1.0) / product
        return np.where(left, slope.conj(), slope)
