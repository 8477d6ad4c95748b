"""A law of which the user gives only the Stieltjes transform, as a function."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, NoReturn

import numpy as np

from .. import _validate
from ..measures.base import Atoms, Complex, Measure, Real

_HEIGHT = 1e-13  # of the size of the support: how far above the real axis boundary values are read off
_ANGLES = np.linspace(0.02, 0.98, 13)
_GONE = 1e-8  # share of the transform due to mass outside a circle that counts as none
_GRADUAL = 1.0 / 12.0  # a share that falls by no more than this over a factor sqrt(2) in radius falls like a power
_RUN = 8  # such steps before it is gone: a power tail, not an end of the support
_BEYOND = np.array([0.02, 0.05, 0.1, 0.3])  # of the width of the support: where nothing may be left

_CIRCLE = np.exp(2j * np.pi * (np.arange(48) + 0.5) / 48)  # the trapezoidal rule: an error of 2^-48 on half a radius
# Chebyshev points on [0, 1], filled up to as many, and the weights of the slope at 0 (Trefethen, Spectral Methods, 6)
_NODES = 18
_SEGMENT = np.zeros(_CIRCLE.size)
_SEGMENT[:_NODES] = np.sin(0.5 * np.pi * np.arange(_NODES) / (_NODES - 1)) ** 2
_SLOPES = np.zeros(_CIRCLE.size)
_SLOPES[1:_NODES] = -2.0 * (-1.0) ** np.arange(1, _NODES) / _SEGMENT[1:_NODES]
_SLOPES[_NODES - 1] /= 2.0
_SLOPES[0] = -_SLOPES.sum()


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
        Wrong shape, values that are not finite, ``Im m <= 0`` somewhere, ``-z m(z)`` not tending to one, a Pick
        matrix that is not positive, or unbounded support: the message says which.

    Examples
    --------
    >>> law = StieltjesLaw(lambda z: -1 / (z - 1))
    >>> law.atoms.locations.round(9), law.edges
    (array([1.]), array([], dtype=float64))
    """

    def __init__(self, transform: Callable[[Any], Any]) -> None:
        self.transform = transform
        self._check()
        self._check_tail()

    def __repr__(self) -> str:
        return f"StieltjesLaw({getattr(self.transform, '__name__', self.transform)})"

    @cached_property
    def edges(self) -> Real:
        """Edges of the bulks, searched for."""
        from ..measures.inversion import find_support

        edges = np.asarray(find_support(self._above)).ravel()
        ends = np.concatenate([edges, self.atoms.locations])
        width = float(np.ptp(ends)) or float(np.abs(ends).max()) or 1.0
        # Im m(x + i eta) <= eta/d^2 at the distance d from the support
        d = width * np.concatenate([_BEYOND, _BEYOND])
        x = np.where(np.arange(d.size) < _BEYOND.size, ends.min() - d, ends.max() + d)
        left = width * self._above(x + 1e-12j * d).imag - 1e-12 * width / d
        if not (left <= 3.0 * _GONE).all():
            worst = int(np.argmax(left))
            self._refuse(
                f"a density of about {left[worst] / (np.pi * width):.2g} at {x[worst]:.4g}, "
                f"beyond the ends {ends.min():.4g} and {ends.max():.4g} that were found"
            )
        return _validate.read_only(edges)

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

    def _stieltjes_derivative(self, z: Complex) -> Complex:
        """By Cauchy's integral where a circle is free; near a bulk, over it, from values above.

        The transform continues through a bulk to the lower half-plane, but not as the user's function. There the
        polynomial through Chebyshev points on a segment from z upwards, half as long as z is from the next edge or
        atom, is differentiated at its lower end.
        """
        stops = np.concatenate([self.edges, self.atoms.locations])
        radius = 0.5 * np.abs(z[:, None] - stops).min(axis=1)
        over = self._in_bulk(z.real) & (z.imag < 0.5 * radius)
        radius = np.where(self._in_bulk(z.real) & ~over, np.minimum(radius, 0.5 * z.imag), radius)
        along = np.where(over[:, None], 1j * _SEGMENT, _CIRCLE)
        foot = np.where(over & (z.imag == 0.0), z + 1j * _HEIGHT * self._unit, z)
        points = foot[:, None] + radius[:, None] * along
        m = self._stieltjes(np.where(points.imag < 0.0, points.conj(), points).ravel()).reshape(points.shape)
        m = np.where(points.imag < 0.0, m.conj(), m)
        with np.errstate(divide="ignore", invalid="ignore"):  # infinite at an edge
            return np.asarray(np.where(over, -1j * (m @ _SLOPES), m @ _CIRCLE.conj() / _CIRCLE.size) / radius)

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

    def _check_tail(self) -> None:
        """Refuse tails like a power: the share of m on a circle that is due to mass outside must end, not fade."""
        radius = 1.0
        for _ in range(1000):  # until s Im m(i s), which grows from the mass at 0 to 1, is between 1/2 and 0.9
            level = radius * float(self._above(np.array([1j * radius]))[0].imag)
            if 0.5 <= level <= 0.9 or not 1e-12 < radius < 1e150:
                break
            radius *= 2.0 if level < 0.5 else 0.5
        turn = np.exp(1j * np.pi * (np.arange(32) + 0.5) / 32)
        orders = np.arange(16)
        run, last = 0, np.inf
        for _ in range(100):
            m = self._above(radius * turn)
            outer = np.abs((m @ turn[:, None] ** -orders).real).max()
            share = float(outer / abs((m @ turn).real))
            run = run + 1 if _GRADUAL * last < share < 0.95 * last < 0.1 else 0
            if not share > _GONE:
                break
            last, radius = share, radius * np.sqrt(2.0)
        if run >= _RUN:
            self._refuse(
                f"a tail like a power: {share:.2g} of m({radius:.2g}j) is due to what lies beyond {radius:.2g}"
            )

    def _refuse(self, found: str) -> NoReturn:
        _validate.fail("transform", "that of a law of bounded support", self.transform, f"it has {found}")
