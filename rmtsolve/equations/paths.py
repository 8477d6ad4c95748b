"""Following the physical branch along straight lines in the upper half-plane.

Far from the support every law looks like a point mass, ``m = -1/z``, and there the fixed point is found without doubt.
From there the branch is followed by the implicit-function theorem: a tangent step ``ds = (1 - T_s)^{-1} T_z dz`` (of s,
or of 1/s towards an atom, where s has a pole), then Newton corrections, accepted only if they are small beside that
step, contract fast (the Newton-Kantorovich picture: one root near) and lead to one root from both predictions. One is
enough where no other root can be met: for short steps, and well inside a domain that T maps into itself. Elsewhere
``det(1 - T_s)`` must not jump either: neighbouring roots of a function have derivatives of opposite sign, or a pole in
between. Steps are measured in units of Im z, because singular points lie on the real axis.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..status import Status
from .base import Complex, Real
from .domains import Domain, well_inside
from .iterations import Iterated, polish
from .maps import FlatMap
from .stacks import solve_each

_CORRECTIONS = 6
_SHORT = 0.1  # tangent steps, in units of the state, so short that one prediction is enough
_JUMP = 2.0  # change of log det(1 - J) in one step; next to a square root or a pole it is 0.7 or 1.4 for a factor of 4
_POLE = 1e5  # entries of J from which on a difference quotient may have a pole between its points
_SMALLEST = 1e-6  # smallest step in units of Im z before a point counts as singular


class _Corrected(NamedTuple):
    """Outcome of one predictor-corrector attempt."""

    state: Complex
    accepted: NDArray[np.bool_]
    easy: NDArray[np.bool_]
    evaluations: int


class _Attempt(NamedTuple):
    """Newton corrections of one prediction."""

    point: Complex
    good: NDArray[np.bool_]
    easy: NDArray[np.bool_]
    evaluations: int


def follow(
    tmap: FlatMap,
    domain: Domain,
    z_from: Complex,
    start: Complex,
    z_to: Complex,
    *,
    floor: float,
    ratio: float,
    tol: float,
    max_steps: int,
    longest: float = 64.0,
) -> Iterated:
    """Follow n branches from `z_from` to `z_to`; below Im z = `floor` the last step is taken in one.

    `domain` is one that T maps into itself: a root well inside it is the physical one. `longest` bounds the steps, in
    units of Im z.
    """
    n = z_from.size
    z, state = z_from.copy(), start.copy()
    pace = np.full(n, min(1.0, longest))
    status = np.full(n, int(Status.MAX_STEPS))
    steps = np.zeros(n, dtype=np.int64)
    tangent = np.zeros_like(state)
    determinant = np.zeros(n, dtype=np.complex128)
    fresh = np.ones(n, dtype=bool)  # points whose tangent must be computed
    fine = np.zeros(n, dtype=bool)  # points where T bends so much that one-sided differences are too rough
    active = np.flatnonzero(z != z_to)
    for _ in range(max_steps):
        if active.size == 0:
            break
        new = active[fresh[active]]
        for these, careful in ((new[~fine[new]], False), (new[fine[new]], True)):
            if these.size:
                tangent[these], determinant[these] = _tangent(tmap, z[these], state[these], careful)
                steps[these] += 3 + (5 if careful else 1) * tmap.size
        fresh[new] = False
        goal = _next_point(z[active], z_to[active], pace[active], floor, ratio)
        tried = _correct(tmap, domain, z[active], state[active], tangent[active], determinant[active], goal)
        steps[active] += tried.evaluations
        moved = active[tried.accepted]
        z[moved], state[moved] = goal[tried.accepted], tried.state[tried.accepted]
        again = ~tried.accepted & ~fine[active]  # first a better tangent, then shorter steps
        fine[active[again]] = True
        fresh[moved] = fresh[active[again]] = True
        pace[active] = np.where(tried.easy, 2.0, np.where(tried.accepted | again, 1.0, 0.5)) * pace[active]
        pace = np.minimum(pace, longest)
        lost = pace[active] < _SMALLEST
        status[active[lost]] = Status.SINGULAR
        active = active[~lost & (z[active] != z_to[active])]
    reached = z == z_to
    residual = np.full(n, np.inf)
    if reached.any():
        final = polish(tmap, z[reached], state[reached], tol=tol)
        state[reached], status[reached], residual[reached] = final.state, final.status, final.residual
        steps[reached] += final.n_steps
    return Iterated(state, status, steps, residual)


def _tangent(tmap: FlatMap, z: Complex, state: Complex, careful: bool) -> tuple[Complex, Complex]:
    """(ds/dz on the branch, log det(1 - J)), with a Jacobian good to 1e-7 or, if `careful`, 1e-11."""
    rough = tmap.jacobian(z, state, tmap(z, state))
    jacobian = tmap.accurate_jacobian(z, state) if careful else rough
    return solve_each(np.eye(tmap.size) - jacobian, tmap.z_derivative(z, state)), _log_determinant(rough)


def _log_determinant(jacobian: Complex) -> Complex:
    """log det(1 - J), the imaginary part within (-pi, pi]; that is nan where difference quotients met a pole."""
    with np.errstate(all="ignore"):
        phase, size = np.linalg.slogdet(np.eye(jacobian.shape[1]) - jacobian)
        beyond = ~(np.abs(jacobian).max(axis=(1, 2)) <= _POLE)
    answer = np.empty(beyond.shape, dtype=np.complex128)
    answer.real = np.where(beyond, np.log(_POLE), size)
    answer.imag = np.where(beyond, np.nan, np.angle(phase))
    return answer


def _jumped(first: Complex, second: Complex) -> NDArray[np.bool_]:
    """Which logarithms of determinants are not those of one branch."""
    change = second - first
    turn = np.abs(np.remainder(change.imag + np.pi, 2.0 * np.pi) - np.pi)
    turn = np.where(np.isnan(turn), 0.0, turn)
    return ~(np.hypot(change.real, turn) <= _JUMP)


def _next_point(z: Complex, goal: Complex, pace: Real, floor: float, ratio: float) -> Complex:
    """The next points on the straight lines: `pace` heights away, not lower than `ratio` times the height."""
    height = np.maximum(z.imag, floor)
    rest = goal - z
    share = np.minimum(1.0, pace * height / np.abs(rest))
    sinking = (rest.imag < 0.0) & (z.imag > floor)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(sinking, np.minimum(share, (1.0 - ratio) * z.imag / np.abs(rest.imag)), share)
    # a remainder smaller than the next step would allow anyway is taken now; below the floor as well
    near = (share > 0.999) | ((z.imag <= floor) & (goal.imag <= floor) & (pace >= 1.0) & (np.abs(rest) <= 2.0 * floor))
    return np.where(near, goal, z + share * rest)


def _correct(
    tmap: FlatMap,
    domain: Domain,
    z: Complex,
    state: Complex,
    tangent: Complex,
    determinant: Complex,
    goal: Complex,
) -> _Corrected:
    """Tangent steps of s and of 1/s to `goal` and Newton corrections, which must lead to one root.

    Another root near one of the two predictions is not near the other, unless the step is short and they are alike.
    The prediction with the smaller residual comes first, the other only where the first does not settle the matter.
    """
    n = z.size
    shift = tangent * (goal - z)[:, None]
    size = tmap.largest(goal, state)
    with np.errstate(all="ignore"):
        both = np.concatenate([state + shift, tmap.reciprocal_shift(state, shift)])
        images = tmap(np.concatenate([goal, goal]), both)
        residual = tmap.residual(np.concatenate([goal, goal]), both, images)
        swap = residual[n:] < residual[:n]
        order = np.where(swap, np.arange(n, 2 * n), np.arange(n))
        short = np.abs(shift).max(axis=1) <= _SHORT * size

        def attempt(these: NDArray[np.int64], which: NDArray[np.int64]) -> tuple[_Attempt, NDArray[np.bool_]]:
            tried = _newton(tmap, goal[these], state[these], both[which], images[which], size[these])
            unique = np.zeros(these.size, dtype=bool)
            if domain is not Domain.NONE:
                unique = well_inside(domain, goal[these], tried.point, size[these])
            return tried, tried.good & (short[these] | unique)

        tried, accepted = attempt(np.arange(n), order)
        point, easy, evaluations = tried.point, tried.easy, tried.evaluations
        rest = np.flatnonzero(~accepted)
        if rest.size:
            other, sure = attempt(rest, np.where(swap, np.arange(n), np.arange(n, 2 * n))[rest])
            same = np.abs(point[rest] - other.point).max(axis=1) <= 1e-6 * size[rest]
            same &= tried.good[rest] & other.good
            take = rest[sure]
            point[take], easy[take] = other.point[sure], other.easy[sure]
            easy[rest[same & ~sure]] |= other.easy[same & ~sure]
            accepted[rest] = sure | same
            evaluations += other.evaluations
        accepted &= (tmap.readout(goal, point).imag > 0.0) | (goal.imag <= 0.0)
        if domain is Domain.NONE:
            kept = np.flatnonzero(accepted)
            rough = tmap.jacobian(goal[kept], point[kept], tmap(goal[kept], point[kept]))
            accepted[kept] = ~_jumped(determinant[kept], _log_determinant(rough))
            evaluations += 1 + tmap.size
    return _Corrected(point, accepted, easy & accepted, 2 + evaluations)


def _newton(tmap: FlatMap, goal: Complex, state: Complex, start: Complex, image: Complex, size: Real) -> _Attempt:
    """Newton corrections of the predictions `start`, made from the states `state`."""
    n = goal.size
    point, image = start.copy(), image.copy()
    length = np.abs(point - state).max(axis=1)
    first = np.full(n, np.inf)
    last = np.full(n, np.inf)
    contracts = np.ones(n, dtype=bool)
    settled = np.zeros(n, dtype=bool)
    open_points = np.flatnonzero(np.isfinite(image).all(axis=1))
    count = 0
    while open_points.size and count < _CORRECTIONS:
        here = open_points
        new, new_image = tmap.newton_trial(goal[here], point[here], image[here])
        norm = np.abs(new - point[here]).max(axis=1)
        point[here], image[here] = new, new_image
        if count == 0:
            first[here] = norm
        else:
            # corrections at rounding level no longer say anything about contraction
            contracts[here] &= (norm <= 0.3 * last[here]) | (norm <= 1e-11 * size[here])
        settled[here] = norm <= 1e-9 * size[here]
        last[here] = norm
        open_points = here[np.isfinite(norm) & ~settled[here] & contracts[here]]
        count += 1
    close = first <= np.maximum(0.4 * length, 1e-9 * size)
    sane = np.isfinite(point).all(axis=1) & (length <= 2.0 * size)
    easy = first <= 0.1 * length + 1e-9 * size
    return _Attempt(point, settled & contracts & close & sane, easy, count * (2 + tmap.size))
