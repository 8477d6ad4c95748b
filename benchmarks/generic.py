"""Users' own maps through the generic path, against the damped NumPy loop that people write."""

from __future__ import annotations

from typing import Any

import numpy as np

import rmtsolve as rmt

from .timing import best_time, row

POPULATION, WEIGHTS, RATIO = np.array([1.0, 3.0, 10.0]), np.array([0.5, 0.3, 0.2]), 0.5


def scalar(z: Any, m: Any) -> Any:
    """Sample covariance in the companion variable."""
    return -1 / (z - RATIO * (WEIGHTS * POPULATION / (1 + POPULATION * m[:, None])).sum(axis=1))


@rmt.step
def compiled(z: Any, m: Any) -> Any:
    """The same map at one point."""
    total = 0j
    for k in range(3):
        total += RATIO * WEIGHTS[k] * POPULATION[k] / (1 + POPULATION[k] * m)
    return -1 / (z - total)


SIDE = 20
COUPLING = (1.0 + np.cos(np.subtract.outer(np.arange(SIDE), np.arange(SIDE)))) / SIDE


def vector(z: Any, m: Any) -> Any:
    """Dyson equation of a smooth variance profile with 20 blocks."""
    return -1 / (z[:, None] + m @ COUPLING)


def damped(step: Any, z: Any, shape: tuple[int, ...], tol: float = 1e-10) -> tuple[Any, int]:
    """The loop people write: all points, halfway steps, until nothing moves."""
    state = np.broadcast_to((-1 / z).reshape(-1, *(1,) * len(shape)), (z.size, *shape)).copy()
    count = 0
    while count < 200_000:
        count += 1
        image = step(z, state)
        if np.abs(image - state).max() < tol * np.abs(image).max():
            break
        state = 0.5 * (state + image)
    return state, count


def rows() -> list[dict[str, Any]]:
    """Accuracy is the largest error of the density that is wanted, at height zero; the loop needs a height."""
    found = []
    x = np.linspace(0.5, 15.0, 1000)
    law = rmt.SampleCovariance(rmt.Discrete(POPULATION, WEIGHTS), RATIO).companion()
    truth = np.where(law.density(x) > 0, law.density(x), 0.0)
    cases = [("scalar map", rmt.Equation(scalar), scalar, (), x, truth)]
    cases.append(("scalar map, compiled step", rmt.Equation(compiled), scalar, (), x, truth))
    grid = np.linspace(-3.0, 3.0, 200)
    block = rmt.Equation(vector, shape=(SIDE,))
    profile = rmt.VarianceProfile(SIDE * COUPLING, fractions=np.full(SIDE, 1 / SIDE))
    exact = profile.law().density(grid)  # another solver: the compiled one of the family
    cases.append(("vector map, 20 unknowns", block, vector, (SIDE,), grid, exact))
    for problem, equation, step, shape, points, wanted in cases:
        ours = best_time(lambda equation=equation, points=points: rmt.solve(equation, points, throw=False))
        answer = rmt.solve(equation, points, throw=False)
        good = answer.status == 0
        error = float(np.abs(answer.m.imag / np.pi - wanted)[good].max())
        note = f"{np.count_nonzero(good)} of {points.size} points certified"
        steps = float(np.median(answer.n_steps))
        found.append(row(problem, "solve at height 0", ours, points.size, accuracy=error, steps=steps, note=note))
        near = points + 1e-3j
        above = best_time(lambda equation=equation, near=near: rmt.solve(equation, near, throw=False))
        answer = rmt.solve(equation, near, throw=False)
        state, count = damped(step, near, shape)
        same = float(np.abs(equation.readout(near, state) - answer.m).max())
        found.append(
            row(problem, "solve at height 1e-3", above, near.size, accuracy=float(answer.error_bound.max()),
                steps=float(np.median(answer.n_steps)), note=f"agrees with the loop to {same:.1e}")
        )  # fmt: skip
        loop = best_time(lambda step=step, near=near, shape=shape: damped(step, near, shape), repeat=1)
        rho = equation.readout(near, state).imag / np.pi
        found.append(
            row(problem, "NumPy damped, height 1e-3", loop, near.size, accuracy=float(np.abs(rho - wanted).max()),
                steps=float(count), baseline=above, note="ratio to solve at the same height")
        )  # fmt: skip
    return found
