"""The boundary value of a transform beside a singular point, as a series in a root of the distance.

Beside an edge, or another point x0 where the equation is singular, an algebraic transform is a Puiseux series,

    m(x0 +- d + i0) = sum_k c_k d^(k/q),      density = d^p (c_0 + c_1 d^s + c_2 d^(2 s) + ...),      q p an integer,

with p = 1/2 at a soft edge, -1/2 at a hard one, -3/4 at 0 for a fourth power, 1/3 at a cusp; s is 1/q, or a multiple of
it where powers are missing (s = 1 at the usual edges). Close to x0 the equation cannot be solved: its unknowns grow and
shrink at different rates, and rounding of x moves the solution. So p and s are found among the rational numbers with
small denominators, by fits to solutions at distances over many decades, and then a polynomial in ``t = d^s`` through
Chebyshev nodes is continued to t = 0.

The stated relative error is that at t = 0, where it is largest: the scatter of the solutions at the nodes times the
norm of the fit there, the last coefficients times their Chebyshev polynomials, four times both, and no less than the
misfit at points that were not used.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from .base import Complex, Real

Sample = Callable[[Real], tuple[Real, Complex, NDArray[np.bool_]]]

_NODES, _DEGREE = 28, 20  # of the polynomial
_ROOTS = 8  # largest denominator of p
_NEAR_SLOPE = 0.06  # how far p may be from the slope of the logarithm at the nearest points
_DECADES, _A_DECADE = 15, 4  # at which p, s and the reach are looked for, and points in each
_ROUGH_DEGREE, _ROUGH = 6, 1e-5  # of the fits to them, and relative misfit with which a guess passes
_SPAN = 30.0  # least ratio of the longest and the shortest distance in a fit
_AROUND = (64.0, 16.0, 4.0, 1.0, 0.25, 0.0625)  # reaches that are tried around the one where a rough fit passes
_ROUNDED = 1e-2  # relative rounding of a distance by that of x, where the fits end
_ENOUGH = 1e-9  # error at which no other guess is tried
_SAFETY = 4.0


class LocalSeries(NamedTuple):
    """``density = d^p P(d^s)`` and ``Re m = d^b Q(d^r)`` for distances d < reach, b = -1 at an atom, else min(p, 0)."""

    reach: float
    power: float
    real_power: float
    density_part: Polynomial
    real_part: Polynomial
    error: float  # of the density, relative
    nearest: float  # smallest distance that was solved

    def density(self, distance: Real) -> Real:
        """Density at distances below the reach."""
        return np.asarray(distance**self.power * self.density_part(distance))

    def transform(self, distance: Real) -> Complex:
        """Boundary value of m."""
        real = distance**self.real_power * self.real_part(distance)
        return np.asarray(real + 1j * np.pi * self.density(distance))

    def doubt(self, distance: Real, shift: float) -> Real:
        """Error of m where x0 may have been moved by `shift`, which counts below the nodes."""
        relative = np.full(distance.shape, self.error)
        if shift:
            relative = relative * np.maximum(1.0, self.nearest / distance) + shift / distance
        real = self.real_part.error * distance**self.real_power
        return np.asarray(relative * np.pi * self.density(distance) + real)


class Polynomial(NamedTuple):
    """A Chebyshev series in ``t = d^step`` on the window low <= t <= high."""

    step: float
    window: tuple[float, float]
    coefficients: Real
    start: float  # value at t = 0
    error: float  # there
    nearest: float  # smallest d of a node

    def __call__(self, distance: Real) -> Real:
        """Values."""
        return np.asarray(chebyshev.chebval(_unit(distance**self.step, self.window), self.coefficients))


def local_series(sample: Sample, room: float, shift: float, atom: bool) -> LocalSeries | None:
    """The series from solutions at distances below `room`; None where none fits.

    Parameters
    ----------
    sample : callable
        ``sample(d)`` gives the distances after rounding, m there, and where it could be solved with Im m > 0.
    room : float
        Distance within which no other singular point is known.
    shift : float
        What rounding may have moved x0 by.
    atom : bool
        Whether x0 is an atom, where ``Re m`` has a pole.
    """
    asked = room * 10.0 ** (-np.arange(_A_DECADE * _DECADES) / _A_DECADE)
    distance, m, good = sample(asked)
    last = int(np.argmin(np.append(good & (np.abs(distance - asked) <= _ROUNDED * asked), False)))
    found: LocalSeries | None = None
    # the lowest solutions may be good for nothing
    for end in range(last, max(last - 6 * _A_DECADE, 2 * _ROUGH_DEGREE), -_A_DECADE):
        for power, step, reach in _guesses(distance[:end], m.imag[:end], shift)[:3]:
            before = np.inf
            for share in _AROUND:
                if reach * share > room or reach * share < _SPAN * distance[end - 1]:
                    continue
                series = _fitted(sample, power, step, reach * share, float(distance[end - 1]), atom)
                if series is None:
                    continue
                series = _checked(series, distance[:end], m[:end])
                if found is None or series.error < found.error:
                    found = series
                if series.error > before:  # nearer to x0 there is more rounding
                    break
                before = series.error
            if found is not None and found.error < _ENOUGH:
                return found
        if found is not None:
            break
    return found


def _guesses(distance: Real, height: Real, shift: float) -> list[tuple[float, float, float]]:
    """(p, s, reach) that fit the points up to the reach, those that reach farthest first."""
    slope = np.diff(np.log(height)) / np.diff(np.log(distance))
    calm = slope[distance[1:] > shift / _NEAR_SLOPE]
    measured = float(np.median(calm[-_A_DECADE:])) if calm.size else np.inf
    scatter = _ROUGH + shift / distance
    powers = {Fraction(k, q) for q in range(1, _ROOTS + 1) for k in range(1 - q, 2 * q + 1)}
    out = []
    for p in sorted(p for p in powers if abs(p - measured) < _NEAR_SLOPE):
        q = p.denominator
        steps = {Fraction(j, q) for j in (1, 2, q)} | {Fraction(1, 2 * q)} | ({Fraction(1, 3)} if q == 1 else set())
        for s in sorted((s for s in steps if s <= 1), reverse=True):
            for first in range(0, distance.size - 2 * _ROUGH_DEGREE, 2):
                if distance[first] < _SPAN * distance[-1]:
                    break
                if _rough_misfit(distance[first:], height[first:], scatter[first:], float(p), float(s)) <= 1.0:
                    out.append((float(p), float(s), float(distance[first])))
                    break
    return sorted(out, key=lambda guess: (-guess[2], -guess[1]))


def _rough_misfit(distance: Real, height: Real, scatter: Real, power: float, step: float) -> float:
    """Largest relative misfit of a least-squares fit, in units of the scatter."""
    basis = chebyshev.chebvander(_unit(distance**step, (0.0, float(distance[0]) ** step)), _ROUGH_DEGREE)
    basis *= (distance**power / height / scatter)[:, None]
    fit = np.linalg.lstsq(basis, 1.0 / scatter, rcond=None)[0]
    return float(np.abs(basis @ fit - 1.0 / scatter).max())


def _fitted(sample: Sample, power: float, step: float, reach: float, floor: float, atom: bool) -> LocalSeries | None:
    """The series for one guess, with its error."""
    density = _polynomial(sample, reach, step, floor, lambda d, m: m.imag / np.pi * d**-power)
    if density is None or not density.start > 0.0:
        return None
    # the real part may have the powers that are missing in the density
    real_step = min(step, 1.0 / Fraction(power).limit_denominator(_ROOTS).denominator)
    real_power = -1.0 if atom else min(power, 0.0)
    real = _polynomial(sample, reach, real_step, floor, lambda d, m: m.real * d**-real_power)
    if real is None:
        return None
    return LocalSeries(reach, power, real_power, density, real, density.error / density.start, density.nearest)


def _polynomial(
    sample: Sample, reach: float, step: float, floor: float, smooth: Callable[[Real, Complex], Real]
) -> Polynomial | None:
    """``smooth(d, m)`` as a polynomial in t; None if a node fails."""
    nodes = np.cos((np.arange(_NODES) + 0.5) * np.pi / _NODES)
    high = reach**step
    low = 0.0 if 0.5 * high * (1.0 + nodes[-1]) >= floor**step else floor**step
    distance, m, good = sample((0.5 * (low + high) + 0.5 * (high - low) * nodes) ** (1.0 / step))
    if not good.all():
        return None
    values = smooth(distance, m)
    inverse = np.linalg.pinv(chebyshev.chebvander(_unit(distance**step, (low, high)), _DEGREE))
    coefficients = inverse @ values
    start = chebyshev.chebvander(_unit(np.zeros(1), (low, high)), _DEGREE)[0]
    fit = Polynomial(step, (low, high), coefficients, float(start @ coefficients), 0.0, float(distance.min()))
    scatter = float(np.abs(values - fit(distance)).max()) + 4.0 * np.finfo(float).eps * float(np.abs(values).max())
    tail = float(np.abs(coefficients[-3:]).max() * np.abs(start).max())
    return fit._replace(error=_SAFETY * (scatter * max(1.0, float(np.linalg.norm(start @ inverse))) + tail))


def _checked(series: LocalSeries, distance: Real, m: Complex) -> LocalSeries:
    """The series with an error no smaller than its misfit at other points, between its nodes."""
    between = (series.nearest <= distance) & (distance <= series.reach)
    off = np.abs(np.pi * series.density(distance[between]) / m.imag[between] - 1.0).max(initial=0.0)
    return series._replace(error=max(series.error, float(off)) if np.isfinite(off) else np.inf)


def _unit(t: Real, window: tuple[float, float]) -> Real:
    low, high = window
    return np.asarray((2.0 * t - low - high) / (high - low))
