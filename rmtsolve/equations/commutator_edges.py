"""The law of a free commutator on the real axis: samples of the solution there, and edges from them.

The positive half of the axis is cut into cells, and a cell is halved as long as the solution in its middle is not what
the cubic through its ends and their derivatives says. At a singularity of the solution (edges, cusps, an atom) that
never ends, so the cells there shrink to the shortest; a gap or a bulk too small for that leaves no trace of 1e-4 in the
solution at its own distance. Where neighbouring samples differ in being real there is an edge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .base import Complex, Real

if TYPE_CHECKING:
    from .commutator import CommutatorEquation

_CELLS = 64  # of equal length, at the start
_MISFIT = 1e-4  # of the cubic, relative to the size of the unknowns
_SHORTEST = 1e-11  # cell, in units of the largest norm
_FLAT = 0.05  # exponent of a density at 0 that is none
_REAL = 1e-9  # relative imaginary part of a solution off the support


class Samples(NamedTuple):
    """Solutions at real points: x (n,), states and their derivatives (n, 5), which of them were found."""

    x: Real
    state: Complex
    rate: Complex
    found: NDArray[np.bool_]

    def take(self, index: Any) -> Samples:
        """Some of them."""
        return Samples(self.x[index], self.state[index], self.rate[index], self.found[index])


def _joined(*pieces: Samples) -> Samples:
    x, state, rate, found = zip(*pieces, strict=True)
    return Samples(np.concatenate(x), np.concatenate(state), np.concatenate(rate), np.concatenate(found))


def inside(state: Complex) -> NDArray[np.bool_]:
    """Whether solutions at real points are complex."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.abs(state[:, 0].imag) > _REAL * np.abs(state[:, 0]))


def edges_between(equation: CommutatorEquation) -> Real:
    """Sorted edges of the bulks; a bulk through 0 is cut there where its density is singular."""
    from .support import refine

    x, complex_ = equation.samples.x, inside(equation.samples.state)
    change = np.flatnonzero(complex_[1:] != complex_[:-1])
    positive = 0.5 * (x[change] + x[change + 1])
    rough = np.concatenate([-positive[::-1], positive]).reshape(-1, 2)
    refined = refine(equation, rough).ravel()
    half = 0.5 * (refined[positive.size :] - refined[: positive.size][::-1])
    cut = np.zeros(2 if complex_[0] and _singular(equation) else 0)
    return np.concatenate([-half[::-1], cut, half])


def _singular(equation: CommutatorEquation) -> bool:
    """Whether a bulk that reaches 0 has an atom or an unbounded (or vanishing) density there."""
    if equation.find_atoms().weights.size:
        return True
    table = equation.samples
    density = equation.readout(table.x[:1].astype(np.complex128), table.state[:2]).imag
    power = np.log(density[1] / density[0]) / np.log(table.x[1] / table.x[0])
    return bool(equation.singular_at_zero and abs(power) > _FLAT)


def sample(equation: CommutatorEquation) -> Samples:
    """Solutions on the positive half-axis, as dense as they need to be."""
    reach = equation.reach
    first = np.concatenate([_SHORTEST * 4.0 ** np.arange(16), [1.0 + 1e-3], np.arange(1, _CELLS + 1) / _CELLS])
    x = reach * np.sort(first)
    top = equation.from_above(x)
    ends = Samples(x, top.state, top.rate, top.sign == 1)
    seen, left, right = [ends], ends.take(slice(0, -1)), ends.take(slice(1, None))
    while left.x.size:
        x, width = 0.5 * (left.x + right.x), (right.x - left.x)[:, None]
        guess = 0.5 * (left.state + right.state) + 0.125 * width * (left.rate - right.rate)
        slope = 1.5 * (right.state - left.state) / width - 0.25 * (left.rate + right.rate)
        beside = equation.along(x, x, guess, slope)
        middle = Samples(x, beside.state, beside.rate, beside.sign == 1)
        seen.append(middle)
        with np.errstate(all="ignore"):
            misfit = np.abs((guess - middle.state) / equation.yard(middle.state)).max(axis=1)
        within = inside(middle.state)
        split = ~(misfit <= _MISFIT) | (within != inside(left.state)) | (within != inside(right.state))
        split |= ~(middle.found & left.found & right.found)
        split &= (width[:, 0] > 2.0 * _SHORTEST * reach) & (middle.found | left.found | right.found)
        left, middle, right = left.take(split), middle.take(split), right.take(split)
        left, right = _joined(left, middle), _joined(middle, right)
    everything = _joined(*seen)
    order = np.argsort(everything.x)
    return everything.take(order[everything.found[order]])
