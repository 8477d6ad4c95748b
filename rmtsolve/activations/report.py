"""An activation in words and numbers, for `print`, and as the curves of its picture."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .base import Activation

Real = NDArray[np.float64]
REACH = 4.0  # half-width of the picture


def describe(act: Activation, order: int = 8) -> str:
    """Formula, energy, and a table of the first coefficients with their share of the energy."""
    from .expression import parameters

    lines = [
        f"activation {act.name}" + (f": {act.expression}" if act.expression and str(act.expression) != act.name else "")
    ]
    if act.expression is not None and parameters(act.expression):
        free = ", ".join(sorted(parameters(act.expression)))
        return "\n".join([*lines, f"  symbolic in {free}: see symbolic_coefficient(k)"])
    c, energy = act.coefficients(order), act.energy()
    lines.append(f"  E sigma(g)^2 = {energy:.12g}")
    lines.append("  degree   coefficient c_k     share of the energy")
    for k, value in enumerate(c):
        lines.append(f"  {k:6d}   {value: .12e}   {value * value / energy if energy else 0.0:8.4%}")
    rest = act.residual_energy(order=order)
    lines.append(f"  {'> ' + str(order):>6}                         {rest / energy if energy else 0.0:8.4%}")
    return "\n".join(lines)


def picture(act: Activation, order: int) -> tuple[Real, Real, dict[int, Real], Real]:
    """Points, values, truncated expansions (of at most four degrees) and shares of the energy."""
    x = np.linspace(-REACH, REACH, 801)
    c, energy = act.coefficients(order), act.energy()
    h = [np.ones_like(x), x]
    for k in range(1, order):
        h.append((x * h[k] - math.sqrt(k) * h[k - 1]) / math.sqrt(k + 1))
    partial = np.cumsum(c[:, None] * np.array(h[: order + 1]), axis=0)
    degrees = sorted({1, min(2, order), (order + 1) // 2, order})
    return x, act.raw(x), {k: partial[k] for k in degrees}, c * c / (energy or 1.0)
