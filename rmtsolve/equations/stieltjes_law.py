"""A law of which the user gives only the Stieltjes transform, as a function."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from .. import _validate
from ..measures.base import Atoms, Complex, Measure, Real

_HEIGHT = 1e-13  # of the size of the support: how far above the real axis boundary values are read off
_ANGLES = np.linspace(0.02, 0.98, 13)


class StieltjesLaw(Measure):
    """The law with the given transform ``m(z) = int mu(dx)/(x - z)``.

    Parameters
    ----------
    transform : callable
        ``transform(z)`` for a 1-d complex array with Im z > 0, in the convention ``Im m > 0``; boundary values are read
        off just above the real axis.

    Raises
    ------
    DomainError
        Wrong shape, values that are not finite, ``Im m <= 0`` somewhere, ``-z m(z)`` not tending to one, or a Pick
        matrix that is not positive: the message says which.

    Examples
    --------
    >>> law = StieltjesLaw(lambda z: -1 / (z - 1))
    >>> law.atoms.locations.round(9), law.edges
    (array([1.]), array([], dtype=float64))
    """

    def __init__(self, transform: Callable[[Any], Any]) -> None:
        self.transform = transform
        self._check()

    def __repr__(self) -> str:
        return f"StieltjesLaw({getattr(self.transform, '__name__', self.transform)})"

    @cached_property
    def edges(self) -> Real:
        """Edges of the bulks, searched for."""
        from ..measures.inversion import find_support

        return _validate.read_only(np.asarray(find_support(self._above)).ravel())

    @cached_property
    def atoms(self) -> Atoms:
        """Point masses, searched for."""
        from ..measures.inversion import find_atoms

        return find_atoms(self._above)

    @cached_property
    def _unit(self) -> float:
        ends = np.concatenate([self.edges, self.atoms.locations])
        return float(np.abs(ends).max()) or 1.0

    def _stieltjes(self, z: Complex) -> Complex:
        real = z.imag == 0.0
        if not real.any():
            return self._above(z)
        return self._above(np.where(real, z + 1j * _HEIGHT * self._unit, z))

    def _above(self, z: Complex) -> Complex:
        with np.errstate(all="ignore"):
            return np.asarray(self.transform(np.array(z)), dtype=np.complex128)

    def _check(self) -> None:
        points = np.exp(1j * np.pi * _ANGLES)
        grid = np.concatenate([points * radius for radius in (0.1, 1.0, 10.0)])
        try:
            m = self._above(grid)
        except Exception as problem:
            _validate.fail(
                "transform", "a function of an array of complex points", self.transform, f"it raised {problem!r}"
            )
        rule = "a Stieltjes transform m(z) = int mu(dx)/(x - z) of a probability law"
        if m.shape != grid.shape:
            _validate.fail("transform", f"of the shape of its argument, {grid.shape}", m.shape)
        if not np.isfinite(m).all():
            _validate.fail("transform", rule, complex(m[~np.isfinite(m)][0]), "values must be finite off the axis")
        if (m.imag <= 0.0).any():
            worst = int(np.argmin(m.imag))
            remedy = "Im m(z) must be > 0; is it the Cauchy transform G = -m?"
            _validate.fail("transform", rule, f"m({grid[worst]:.4g}) = {m[worst]:.4g}", remedy)
        # too near the law is not yet a point, too far the formula may cancel
        far = np.array(1j * 10.0 ** np.arange(2, 9), dtype=np.complex128)
        masses = -far * self._above(far)
        mass = complex(masses[np.argmin(np.abs(masses - 1.0))])
        if abs(mass - 1.0) > 1e-3:
            _validate.fail("transform", rule, f"-z m(z) = {mass:.6g} far away", "the total mass must be one")
        pick = (m[:, None] - m.conj()) / (grid[:, None] - grid.conj())
        size = np.sqrt(np.diag(pick).real)
        lowest = float(np.linalg.eigvalsh(pick / size[:, None] / size)[0])
        if lowest < -1e-7:
            _validate.fail("transform", rule, f"smallest Pick eigenvalue {lowest:.2g}", "no positive measure has it")
