"""Which branch: reaching the physical one from far away, and proving that a given root lies on it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..status import Status
from .base import Complex
from .degenerate import is_singular
from .domains import Domain, contains, real_part, well_inside
from .iterations import Iterated, anderson, guarded_newton, polish
from .maps import FlatMap
from .paths import follow
from .probe import Profile
from .stacks import eigenvalues_each, solve_each, spectral_radius

_FAR = 30.0  # heights above the axis, in widths of the law, where m = -1/z to three digits


class Verdict(NamedTuple):
    """Status of every root, with the reasons that were met."""

    status: NDArray[np.int64]
    reasons: tuple[str, ...]


def descend(
    tmap: FlatMap, facts: Profile, domain: Domain, z: Complex, *, ratio: float, tol: float, max_steps: int
) -> Iterated:
    """Physical states at z by continuation from far above each point; real z included."""
    top = far_above(facts, z)
    begin = anderson(tmap, Domain.NONE, top, tmap.start(top), window=0, damping=1.0, tol=1e-13, max_steps=40)
    guess = np.where(np.isfinite(begin.state), begin.state, tmap.start(top))
    found = guarded_newton(tmap, domain, top, guess, tol=1e-11, max_steps=200, averaged=0)
    good = (found.residual <= 1e-9) & _looks_far(tmap, facts, top, found.state)
    status = np.where(good, int(Status.MAX_STEPS), int(Status.NOT_CERTIFIED))
    steps, residual, state = begin.n_steps + found.n_steps, found.residual.copy(), found.state.copy()
    if good.any():
        path = follow(
            tmap, domain, top[good], state[good], z[good], floor=1e-9 * facts.scale, ratio=ratio, tol=tol,
            max_steps=max_steps,
        )  # fmt: skip
        state[good], status[good], residual[good] = path.state, path.status, path.residual
        steps[good] += path.n_steps
    state = settle_on_axis(tmap, z, state)
    return Iterated(state, status, steps, residual)


def climb(tmap: FlatMap, facts: Profile, z: Complex, state: Complex) -> NDArray[np.int64]:
    """Status of roots followed upwards: those that become ``m = -1/z`` are on the physical branch.

    A root that arrives elsewhere is on another branch; one that gets stuck is not certified.
    """
    top = far_above(facts, z)
    path = follow(tmap, Domain.NONE, z, state, top, floor=1e-9 * facts.scale, ratio=0.25, tol=1e-9, max_steps=400)
    reached = path.status == Status.CONVERGED
    arrived = np.where(_looks_far(tmap, facts, top, path.state), int(Status.CONVERGED), int(Status.WRONG_BRANCH))
    return np.where(reached, arrived, int(Status.NOT_CERTIFIED))


def far_above(facts: Profile, z: Complex) -> Complex:
    """Points above z so high that the law looks like a point mass."""
    height = _FAR * (facts.scale + np.abs(z.real - facts.centre))
    return np.asarray(z.real + 1j * np.maximum(height, 2.0 * z.imag))


def settle_on_axis(tmap: FlatMap, z: Complex, state: Complex) -> Complex:
    """At real z off the support the state is real: replace nearly real states by the real root beside them."""
    state = state.copy()
    near = np.flatnonzero((z.imag == 0.0) & (tmap.imaginary_share(z, state) < 1e-5) & np.isfinite(state).all(axis=1))
    if near.size == 0:
        return state
    projected = real_part(state[near], tmap.shape)
    settled = polish(tmap, z[near], projected, tol=1e-13)
    gap = np.abs(settled.state - state[near]).max(axis=1)
    size = tmap.largest(z[near], state[near])
    stays_real = tmap.imaginary_share(z[near], settled.state) < 1e-14
    # beside an edge the imaginary part is small too, but there no real root is near: Newton runs away from it
    close = gap <= 4.0 * tmap.imaginary_share(z[near], state[near]) * size + 1e-10 * size
    take = (settled.status == Status.CONVERGED) & stays_real & close
    state[near[take]] = real_part(settled.state[take], tmap.shape)
    return state


def judge(
    tmap: FlatMap,
    facts: Profile,
    domain: Domain,
    z: Complex,
    state: Complex,
    status: NDArray[np.int64],
    *,
    continued: NDArray[np.bool_],
) -> Verdict:
    """Statuses of roots (those marked CONVERGED), after the question which branch they are on.

    `continued` marks the roots that came from far away by continuation.
    """
    status = status.copy()
    reasons: list[str] = []
    roots = np.flatnonzero(status == Status.CONVERGED)
    if roots.size == 0:
        return Verdict(status, ())
    zr, sr = z[roots], state[roots]
    m = tmap.readout(zr, sr)
    verdict = np.full(roots.size, int(Status.NOT_CERTIFIED))
    above = zr.imag > 0.0
    wrong = above & ~((m.imag > 0.0) & (np.abs(m) * zr.imag <= 1.0 + 1e-9 + abs(facts.mass - 1.0)))
    wrong |= ~np.isfinite(m) | (m.imag < -1e-9 * np.maximum(np.abs(m), 1.0 / tmap.gauge.reach(zr)))
    if domain is not Domain.NONE:
        # at real z the imaginary parts must be more than rounding errors
        inside = contains(domain, zr, sr) & (above | well_inside(domain, zr, sr, tmap.largest(zr, sr)))
        verdict[inside] = Status.CONVERGED
        wrong |= above & ~contains(domain, zr, sr)
        axis = np.flatnonzero(inside & ~above & ~continued[roots]) if tmap.size > 1 else np.empty(0, dtype=np.int64)
        if axis.size:  # where it may have a continuum of them
            singular = is_singular(np.eye(tmap.size) - tmap.accurate_jacobian(zr[axis], sr[axis]))
            verdict[axis[singular]] = Status.SINGULAR
        if inside.any():
            reasons.append(
                f"the map sends {domain.value} into itself (checked on sample states), where it has one fixed point"
            )
    open_cases = np.flatnonzero((verdict == Status.NOT_CERTIFIED) & ~wrong)
    stable = np.ones(open_cases.size, dtype=bool)
    on_axis = (zr[open_cases].imag == 0.0) & (tmap.imaginary_share(zr[open_cases], sr[open_cases]) == 0.0)
    if on_axis.any():
        zo, so = zr[open_cases][on_axis], sr[open_cases][on_axis]
        stable[on_axis] = _slope(tmap, zo, so).real > 0.0
        reasons.append(
            "real states are accepted only if m increases there, as int mu(dx) / (x - z) does off the support"
        )
        if domain in (Domain.HALF_PLANE, Domain.MATRIX):
            stable[on_axis] &= spectral_radius(tmap.accurate_jacobian(zo, so)) <= 1.0 + 1e-6
            reasons[-1] += ", and if the map contracts (spectral radius below one)"
    came = continued[roots[open_cases]]
    proved = came & stable
    rest = np.flatnonzero(stable & ~came)
    if rest.size:
        found = climb(tmap, facts, zr[open_cases[rest]], sr[open_cases[rest]])
        proved[rest] = found == Status.CONVERGED
        verdict[open_cases[rest]] = found
    if proved.any():
        reasons.append("the branch was followed to large Im z, where it becomes m = -1/z")
    verdict[open_cases[proved]] = Status.CONVERGED
    verdict[open_cases[~stable]] = Status.WRONG_BRANCH
    verdict[wrong] = Status.WRONG_BRANCH
    status[roots] = verdict
    return Verdict(status, tuple(reasons))


def pick_eigenvalue(z: Complex, m: Complex) -> float:
    """Smallest eigenvalue of the Pick matrix ``(m_i - conj m_j) / (z_i - conj z_j)``, scaled to unit diagonal.

    A function with positive imaginary part has only positive semidefinite Pick matrices (Pick 1916, Nevanlinna 1919).
    nan for fewer than two distinct points above the axis.
    """
    above = (z.imag > 0.0) & np.isfinite(m)
    points, first = np.unique(z[above], return_index=True)
    values = m[above][first]
    if points.size < 2:
        return float("nan")
    kernel = (values[:, None] - values[None, :].conj()) / (points[:, None] - points[None, :].conj())
    diagonal = np.diag(kernel).real
    if not (diagonal > 0.0).all():
        return float(min(diagonal.min() / np.abs(diagonal).max(), -1e-300))
    scale = np.sqrt(diagonal)
    return float(eigenvalues_each((kernel / np.outer(scale, scale))[None])[0, 0])


def spread_out(z: Complex, count: int) -> NDArray[np.int64]:
    """Indices of at most `count` points above the axis, spread over their order by real part."""
    above = np.flatnonzero(z.imag > 0.0)
    order = above[np.lexsort((z[above].imag, z[above].real))]
    return np.asarray(order[np.unique(np.linspace(0, max(0, order.size - 1), min(count, order.size)).astype(int))])


def _slope(tmap: FlatMap, z: Complex, state: Complex) -> Complex:
    """dm/dz on the branch of the state; positive at real points off the support, ``int mu(dx) / (x - z)^2``."""
    h = 1e-6j * tmap.gauge.reach(z)
    explicit = (tmap.readout(z + h, state) - tmap.readout(z, state)) / h
    tangent = solve_each(np.eye(tmap.size) - tmap.accurate_jacobian(z, state), tmap.z_derivative(z, state))
    return np.asarray(explicit + (tmap.readout_gradient(z, state) * tangent).sum(axis=1))


def _looks_far(tmap: FlatMap, facts: Profile, z: Complex, state: Complex) -> NDArray[np.bool_]:
    mass = facts.mass if np.isfinite(facts.mass) else 1.0
    with np.errstate(all="ignore"):
        gap = np.abs(-(z - facts.centre) * tmap.readout(z, state) / mass - 1.0)
    return np.asarray(gap < 0.3)
