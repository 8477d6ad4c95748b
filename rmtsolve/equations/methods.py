"""Methods: the numerical knobs of `solve`, frozen dataclasses of numbers that hold no state.

`tol` is always the relative residual of the equation, ``max |T(z, state) - state| / max |state|``; where m vanishes in
a gap of the support, the size of its terms takes the place of ``|state|``. A solve that reaches `tol` is polished by
two more Newton steps, so that the answer is usually good to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass

from .. import _validate


def _check(tol: float, max_steps: int) -> None:
    _validate.real(tol, "tol", low=1e-15, high=1e-2)
    _validate.integer(max_steps, "max_steps", low=1)


@dataclass(frozen=True)
class Auto:
    """The family's own solver; for other maps a guarded Newton iteration, then continuation where that fails.

    Parameters
    ----------
    tol : float
        Relative residual, in [1e-15, 1e-2].

    Examples
    --------
    >>> Auto()
    Auto(tol=1e-12)
    """

    tol: float = 1e-12

    def __post_init__(self) -> None:
        _check(self.tol, 1)


@dataclass(frozen=True)
class FixedPoint:
    """Averaged iteration ``state <- (1 - damping) state + damping T(z, state)``.

    Slow near the real axis (thousands of steps), but nothing simpler exists: the baseline of every comparison.

    Parameters
    ----------
    damping : float
        In (0, 1]; 1 is the plain iteration.
    tol, max_steps : float, int
        Relative residual asked for and the most evaluations of the map.
    """

    damping: float = 0.5
    tol: float = 1e-12
    max_steps: int = 20_000

    def __post_init__(self) -> None:
        _validate.real(self.damping, "damping", low=0.0, high=1.0, open_low=True)
        _check(self.tol, self.max_steps)


@dataclass(frozen=True)
class Anderson:
    """Anderson acceleration of the averaged iteration: no derivatives, good for many unknowns.

    Parameters
    ----------
    window : int
        Number of earlier steps that are combined, 1 to 20.
    damping : float
        Of the underlying averaged iteration, in (0, 1].
    tol, max_steps : float, int
        Relative residual asked for and the most evaluations of the map.
    """

    window: int = 5
    damping: float = 0.5
    tol: float = 1e-12
    max_steps: int = 2_000

    def __post_init__(self) -> None:
        _validate.integer(self.window, "window", low=1, high=20)
        _validate.real(self.damping, "damping", low=0.0, high=1.0, open_low=True)
        _check(self.tol, self.max_steps)


@dataclass(frozen=True)
class Newton:
    """Newton's iteration inside the domain of the map; steps that would leave it or do not help become averaged steps.

    Parameters
    ----------
    tol, max_steps : float, int
        Relative residual asked for and the most iterations.
    """

    tol: float = 1e-12
    max_steps: int = 200

    def __post_init__(self) -> None:
        _check(self.tol, self.max_steps)


@dataclass(frozen=True)
class Continuation:
    """Follow the physical branch from large ``Im z``, where it is ``m = -1/z``, by predictor and corrector.

    Parameters
    ----------
    ratio : float
        Im z falls by at most this factor a step, in (0, 1); steps shrink by themselves where the branch bends.
    along : bool
        Come down once, to the leftmost point, then go from point to point in the order of Re z.
    tol, max_steps : float, int
        Relative residual asked for and the most steps of a path.
    """

    ratio: float = 0.25
    along: bool = False
    tol: float = 1e-12
    max_steps: int = 2_000

    def __post_init__(self) -> None:
        _validate.real(self.ratio, "ratio", low=0.0, high=1.0, open_low=True, open_high=True)
        if not isinstance(self.along, bool):
            _validate.fail("along", "True or False", self.along)
        _check(self.tol, self.max_steps)


@dataclass(frozen=True)
class HighPrecision:
    """Solve in floating point, then repeat Newton's iteration with mpmath to the given number of digits.

    The digits are in ``solution.precise_m``; numbers inside the equation are taken at their float values.

    Parameters
    ----------
    digits : int
        Decimal digits of the answer, 16 to 1000.
    """

    digits: int = 50

    def __post_init__(self) -> None:
        _validate.integer(self.digits, "digits", low=16, high=1000)


Method = Auto | FixedPoint | Anderson | Newton | Continuation | HighPrecision
