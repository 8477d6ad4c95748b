"""Solved points on the real axis, for the search of edges and atoms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from ..errors import ConvergenceError
from ..measures.base import Atoms, Complex, Real
from ..status import Status
from .base import Sweep

if TYPE_CHECKING:
    from .base import Equation


class Disc(NamedTuple):
    """Where the law lives: mean, standard deviation, and a radius around the mean that holds the support."""

    mean: float
    deviation: float
    radius: float

    @property
    def scale(self) -> float:
        """A length of the size of the law, positive also for a point mass."""
        return max(self.deviation, 1e-8 * max(abs(self.mean), self.radius), 1e-300)


class Support(NamedTuple):
    """Edges and atoms."""

    edges: Real
    atoms: Atoms


class AxisEquation(Protocol):
    """What the search needs of an equation."""

    name: str

    @property
    def disc(self) -> Disc:
        """Where the law lives."""

    def sweep(self, z: Complex, start: Complex | None = None) -> Sweep | None:
        """Solve."""

    def readout(self, z: Complex, state: Complex) -> Complex:
        """Transform."""

    def derivative(self, z: Complex, state: Complex) -> Complex:
        """Derivative of the transform."""

    def outside(self, state: Complex) -> NDArray[np.bool_]:
        """Which states are real."""

    def cumulative(self, x: Real, state: Complex) -> Real | None:
        """Distribution function."""

    def fold(self, x: float, state: Complex, reach: float) -> float:
        """Edge by Moore and Spence's system."""


class Nodes(NamedTuple):
    """Solved real points, sorted."""

    x: Real
    kind: NDArray[np.int64]  # 0 outside, 1 inside, -1 not solved
    m: Complex
    slope: Complex  # m', inside
    level: Real  # distribution function
    state: Complex

    @property
    def density(self) -> Real:
        """``Im m / pi``."""
        return self.m.imag / np.pi

    def take(self, index: Any) -> Nodes:
        """Some of them."""
        return Nodes(*(part[index] for part in self))


def solve_nodes(equation: AxisEquation, x: Real, slopes: bool = False) -> Nodes:
    """Solutions at sorted real points, with m' where it is asked for."""
    z = x.astype(np.complex128)
    swept = equation.sweep(z)
    assert swept is not None
    solved = np.isin(swept.status, (Status.CONVERGED, Status.NOT_CERTIFIED))
    kind = np.where(solved, np.where(equation.outside(swept.state), 0, 1), -1)
    slope = np.full(x.shape, np.nan + 0j)
    level = np.full(x.shape, np.nan)
    with np.errstate(all="ignore"):
        m = equation.readout(z, swept.state)
        if solved.any():
            known = equation.cumulative(x[solved], swept.state[solved])
            assert known is not None
            level[solved] = known
        inside = np.flatnonzero(kind == 1)
        if slopes and inside.size:
            slope[inside] = slopes_at(equation, z[inside], swept.state[inside])
    return Nodes(x, kind, m, slope, level, swept.state)


def slopes_at(equation: AxisEquation, z: Complex, state: Complex) -> Complex:
    """``m'``, nan where the equation is singular."""
    try:
        return equation.derivative(z, state)
    except np.linalg.LinAlgError:
        if z.size == 1:
            return np.array([np.nan + 0j])
        return np.concatenate([slopes_at(equation, z[k : k + 1], state[k : k + 1]) for k in range(z.size)])


def joined(first: Nodes, second: Nodes) -> Nodes:
    """Both, sorted."""
    order = np.argsort(np.concatenate([first.x, second.x]), kind="stable")
    return Nodes(*(np.concatenate([a, b])[order] for a, b in zip(first, second, strict=True)))


def fail_at(equation: AxisEquation, x: Real, what: str) -> NoReturn:
    """Say that the support could not be resolved at the points x, for the reason `what`."""
    from .solution import Solution

    z = x.astype(np.complex128)
    swept = equation.sweep(z)
    assert swept is not None
    with np.errstate(all="ignore"):
        m = equation.readout(z, swept.state)
    # what is solved there does not add up to a law
    status = np.where(swept.status == Status.CONVERGED, int(Status.NOT_CERTIFIED), swept.status)
    solution = Solution(
        cast("Equation", getattr(equation, "equation", equation)), z, m, swept.state, status, swept.n_steps,
        swept.residual, swept.error_bound, "search of the support",
    )  # fmt: skip
    raise ConvergenceError(solution, f"the support of {equation.name or 'the equation'} ({what})")
