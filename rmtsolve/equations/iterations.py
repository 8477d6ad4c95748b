"""Iterations in lock-step: all points advance together, each on its own, so the order of the points cannot matter."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..status import Status
from .base import Complex, Real
from .domains import Domain, contains, merit
from .maps import FlatMap
from .stacks import pseudo_inverse_each

_POLISH = 2  # further Newton steps once the tolerance is met: from 1e-12 to rounding
_PATIENCE = 60  # guarded Newton steps without a better residual before a point counts as stalled
_ROUNDING = 32.0 * float(np.finfo(float).eps)


class Iterated(NamedTuple):
    """States with what became of every point."""

    state: Complex  # (n, d)
    status: NDArray[np.int64]
    n_steps: NDArray[np.int64]
    residual: Real


def anderson(
    tmap: FlatMap,
    domain: Domain,
    z: Complex,
    start: Complex,
    *,
    window: int,
    damping: float,
    tol: float,
    max_steps: int,
) -> Iterated:
    """Averaged iteration, with Anderson's extrapolation over `window` steps (0: none).

    The extrapolated state is replaced by the averaged one where it leaves the domain. Source: Anderson, J. ACM 12
    (1965); least squares in the differences of residuals (Walker and Ni 2011, type II).
    """
    n, d = start.shape
    state = start.copy()
    status = np.full(n, int(Status.MAX_STEPS))
    steps = np.zeros(n, dtype=np.int64)
    residual = np.full(n, np.inf)
    active = np.arange(n)
    moves = np.zeros((n, 0, d), dtype=np.complex128)  # differences of averaged states, newest last
    gaps = np.zeros((n, 0, d), dtype=np.complex128)  # differences of residual vectors
    previous: tuple[Complex, Complex] | None = None
    for _ in range(max_steps):
        if active.size == 0:
            break
        points = state[active]
        image = tmap(z[active], points)
        steps[active] += 1
        residual[active] = tmap.residual(z[active], points, image)
        finite = np.isfinite(image).all(axis=1)
        done = residual[active] <= tol
        status[active[~finite]] = Status.NOT_FINITE
        status[active[done]] = Status.CONVERGED
        stays = finite & ~done
        active, points, image = active[stays], points[stays], image[stays]
        gap = damping * (image - points)
        target = points + gap
        if window > 0:
            moves, gaps = moves[stays], gaps[stays]
            if previous is not None:
                moves = np.concatenate([moves, (target - previous[0][stays])[:, None]], axis=1)[:, -window:]
                gaps = np.concatenate([gaps, (gap - previous[1][stays])[:, None]], axis=1)[:, -window:]
            previous = (target, gap)
            if moves.shape[1] and active.size:
                mixed = target - _extrapolation(moves, gaps, gap)
                inside = contains(domain, z[active], mixed) & np.isfinite(mixed).all(axis=1)
                target = np.where(inside[:, None], mixed, target)
        state[active] = target
    return Iterated(state, status, steps, residual)


def guarded_newton(
    tmap: FlatMap, domain: Domain, z: Complex, start: Complex, *, tol: float, max_steps: int, averaged: int = 2
) -> Iterated:
    """Newton's iteration that falls back on averaged steps.

    After `averaged` steps ``(state + T) / 2`` a Newton step is taken if it stays in the domain and lowers the merit
    there (Schwarz-Pick: T itself never raises it); otherwise one more averaged step.
    """
    n = z.size
    state = start.copy()
    status = np.full(n, int(Status.MAX_STEPS))
    steps = np.zeros(n, dtype=np.int64)
    residual = np.full(n, np.inf)
    best = np.full(n, np.inf)
    since_best = np.zeros(n, dtype=np.int64)
    polished = np.zeros(n, dtype=np.int64)
    active = np.arange(n)
    image = tmap(z, state)
    for count in range(max_steps):
        if active.size == 0:
            break
        steps[active] += 1
        now = tmap.residual(z[active], state[active], image[active])
        residual[active] = now
        improved = now < 0.9 * best[active]
        best[active] = np.minimum(best[active], now)
        since_best[active] = np.where(improved, 0, since_best[active] + 1)
        done = (now <= tol) & ((polished[active] >= _POLISH) | (now == 0.0) | ~improved)
        polished[active[now <= tol]] += 1
        finite = np.isfinite(image[active]).all(axis=1)
        stalled = (since_best[active] > _PATIENCE) & (now > tol)
        status[active[stalled]] = Status.STALLED
        status[active[~finite]] = Status.NOT_FINITE
        status[active[done]] = Status.CONVERGED
        active = active[finite & ~done & ~stalled]
        if active.size == 0:
            break
        za, sa, ia = z[active], state[active], image[active]
        middle = 0.5 * (sa + ia)
        if count < averaged:
            state[active], image[active] = middle, tmap(za, middle)
            continue
        trial, trial_image = tmap.newton_trial(za, sa, ia)
        inside = np.isfinite(trial).all(axis=1) & contains(domain, za, np.where(np.isfinite(trial), trial, 0.0))
        if not inside.all():
            trial[~inside] = middle[~inside]
            trial_image[~inside] = tmap(za[~inside], middle[~inside])
        # at the end of the iteration rounding decides whether the merit falls: the residual is then the better judge
        better = merit(domain, za, trial, trial_image) < merit(domain, za, sa, ia)
        better |= tmap.residual(za, trial, trial_image) < np.minimum(residual[active], 1e-6)
        worse = inside & ~better & (residual[active] > tol)
        keep = inside & ~better & (residual[active] <= tol)
        if worse.any():
            trial[worse] = middle[worse]
            trial_image[worse] = tmap(za[worse], trial[worse])
        trial[keep], trial_image[keep] = sa[keep], ia[keep]
        state[active], image[active] = trial, trial_image
    _forgive(tmap, z, state, status, residual)
    return Iterated(state, status, steps, residual)


def polish(tmap: FlatMap, z: Complex, start: Complex, *, tol: float, max_steps: int = 8) -> Iterated:
    """Plain Newton iteration from a state that is already close; keeps the best state seen."""
    n = z.size
    state, best_state = start.copy(), start.copy()
    best = np.full(n, np.inf)
    steps = np.zeros(n, dtype=np.int64)
    active = np.arange(n)
    image = tmap(z, state)
    for _ in range(max_steps):
        steps[active] += 1
        now = tmap.residual(z[active], state[active], image)
        better = now < best[active]
        gaining = now < 0.5 * best[active]
        best_state[active[better]] = state[active[better]]
        best[active[better]] = now[better]
        go = gaining & (now > 0.0) & np.isfinite(now)
        active, image = active[go], image[go]
        if active.size == 0:
            break
        state[active], image = tmap.newton_trial(z[active], state[active], image)
    status = np.where(best <= tol, int(Status.CONVERGED), int(Status.STALLED))
    status[~np.isfinite(best)] = Status.NOT_FINITE
    _forgive(tmap, z, best_state, status, best)
    return Iterated(best_state, status, steps, best)


def _forgive(tmap: FlatMap, z: Complex, state: Complex, status: NDArray[np.int64], residual: Real) -> None:
    """Count as converged, in place, residuals that cannot be smaller: T magnifies the rounding of its argument."""
    doubtful = np.flatnonzero((status == Status.STALLED) & (residual < 1e-6))
    if doubtful.size == 0:
        return
    jacobian = tmap.jacobian(z[doubtful], state[doubtful], tmap(z[doubtful], state[doubtful]))
    gain = np.abs(jacobian).sum(axis=2).max(axis=1)
    status[doubtful[residual[doubtful] <= _ROUNDING * gain]] = Status.CONVERGED


def _extrapolation(moves: Complex, gaps: Complex, gap: Complex) -> Complex:
    """``sum gamma_j moves_j`` with gamma the least-squares solution of ``sum gamma_j gaps_j = gap``."""
    matrices = gaps.swapaxes(1, 2)  # (n, d, window)
    with np.errstate(all="ignore"):
        gamma = pseudo_inverse_each(matrices, 1e-10) @ gap[..., None]
        return np.asarray((moves.swapaxes(1, 2) @ gamma)[..., 0])
