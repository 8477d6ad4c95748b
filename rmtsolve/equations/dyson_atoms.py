"""Places and weights of the atoms of a law whose distribution function N is known on the real axis.

At an atom of weight w in x0 the transform is ``m(z) = w/(x0 - z) + r(z)`` with ``eta r(x0 + i eta) -> 0``. So
``z + m/m'`` is x0 but for a relative error ``eta r / w``, which is 1e-8 of eta and less near the axis.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..measures.base import Real
from ..status import Status
from .dyson_nodes import AxisEquation, fail_at, slopes_at, solve_nodes

_HEIGHTS = 10.0 ** -np.arange(1.5, 9.25, 0.5)  # over the atom, in units of the distance to the next singular point
_SETTLED = 1e-8  # doubt of a weight that is taken from above
LIGHTEST = 1e-7  # weight that counts as an atom


def find_place(equation: AxisEquation, low: float, high: float, room: float) -> float:
    """Place of the atom between low and high; nan if the transform has no pole there."""
    spread = max(high - low, 4.0 * np.finfo(float).eps * max(abs(low), abs(high)))
    place, weight = 0.5 * (low + high), np.nan
    for share in _HEIGHTS.tolist():
        z = np.array([place + 1j * share * room])
        swept = equation.sweep(z)
        assert swept is not None
        if swept.status[0] != Status.CONVERGED:
            continue
        m, slope = equation.readout(z, swept.state)[0], slopes_at(equation, z, swept.state)[0]
        with np.errstate(all="ignore"):
            guess = z[0] + m / slope
        # one height may be too small to be solved at, another so large that other singular points are as near
        if low - spread <= guess.real <= high + spread and abs(guess.imag) <= spread + 0.1 * share * room:
            place, weight = float(guess.real), abs(m * m / slope)
    if not weight > LIGHTEST:
        return float("nan")
    return _shortest(place, min(spread, 1e-12 * room + 8.0 * np.finfo(float).eps * abs(place)))


def _shortest(x: float, doubt: float) -> float:
    """A number with so few decimals that it is not within `doubt` of x by chance, or x."""
    for digits in range(-int(np.floor(np.log10(max(abs(x), 1.0)))), 15):
        if 10.0**-digits < 1e3 * doubt:
            break
        short = round(x, digits)
        if abs(short - x) <= doubt:
            return short + 0.0
    return x


def jump(equation: AxisEquation, place: float, room: float) -> float:
    """Weight of an atom: N on both sides of it, extrapolated in powers of the square root of the distance."""
    t = (1.0 + np.cos(np.pi * (np.arange(9) + 0.5) / 9)) / 2.0
    sides = []
    for sign in (-1.0, 1.0):
        for share in (1e-5, 1e-3, 3e-2, 0.5):  # so near to a heavy atom nothing may be solved
            nodes = solve_nodes(equation, np.sort(place + sign * share * room * t**2))
            good = nodes.kind >= 0
            outside = nodes.kind == 0
            if outside.sum() >= 3 or good.sum() >= 6:
                break
        else:
            weight = _from_above(equation, place)
            if np.isfinite(weight):
                return weight
            fail_at(equation, nodes.x, f"the sides of its atom at {place:.10g}")
        if 2 * outside.sum() >= good.sum():
            sides.append(float(np.median(nodes.level[outside])))
            continue
        inside = nodes.kind == 1
        sides.append(float(extrapolated(np.sqrt(np.abs(nodes.x - place))[inside], nodes.level[inside])))
    return sides[1] - sides[0]


def _from_above(equation: AxisEquation, place: float) -> float:
    """``-z m(place + z)`` for z up the imaginary axis to 0, in powers of ``sqrt(z)``; nan where they do not settle."""
    eta = equation.disc.scale * 4.0 ** -np.arange(2.0, 16.0)
    z = np.asarray(place + 1j * eta, dtype=np.complex128)
    swept = equation.sweep(z)
    assert swept is not None
    fine = np.cumprod(swept.status == Status.CONVERGED).astype(bool)
    values = (-1j * eta * equation.readout(z, swept.state))[fine].real
    root = np.sqrt(eta[fine])
    best, doubt = float("nan"), _SETTLED
    for count in range(5, root.size + 1):
        part = slice(max(0, count - 9), count)
        inner = slice(part.start + 1, count)
        last, before = extrapolated(root[part], values[part]), extrapolated(root[inner], values[inner])
        if abs(last - before) < doubt:
            best, doubt = float(last), float(abs(last - before))
    return best


def extrapolated(x: Real, values: Any) -> Any:
    """The polynomial through the points at zero, by Neville's scheme."""
    values = values.copy()
    for k in range(1, x.size):
        values[:-k] = (x[k:] * values[:-k] - x[:-k] * values[1 : x.size - k + 1]) / (x[k:] - x[:-k])
    return values[0]
