"""The generic path: any map, solved by the chosen method and judged before it is called converged."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..status import Status
from .base import Complex, Equation, Real
from .bounds import error_bounds
from .branch import descend, judge, pick_eigenvalue, settle_on_axis, spread_out
from .domains import Domain, contains
from .herglotz import against
from .iterations import Iterated, anderson, guarded_newton
from .maps import FlatMap
from .methods import Anderson, Auto, Continuation, FixedPoint, Method, Newton
from .paths import follow
from .probe import Profile, demote, domain_at, gauged, profile
from .stacks import singular_values_each
from .user import Step, compiled_anderson, compiled_newton

_SEVERAL, _MANY = 8, 40  # unknowns: Jacobians become dear; Anderson's extra steps become cheaper than Newton's algebra
_STRIDE = 8
_COLD, _WARM = 30, 40  # most Newton steps from the equation's start and from a solved neighbour
_PICK_POINTS = 40
_PICK_TOLERANCE = 1e-9


class Solved(NamedTuple):
    """A sweep with m, the method in words, and what speaks for and against the answer."""

    state: Complex
    status: NDArray[np.int64]
    n_steps: NDArray[np.int64]
    residual: Real
    error_bound: Real
    m: Complex
    method: str
    notes: tuple[str, ...]
    doubts: tuple[str, ...] = ()
    precise_m: NDArray[Any] | None = None
    precise_state: NDArray[Any] | None = None


class _Run(NamedTuple):
    """States of a method with, for every point, whether they came down from far away."""

    found: Iterated
    continued: NDArray[np.bool_]
    words: str


def solve_generic(equation: Equation, z: Complex, method: Method, start: Complex | None) -> Solved:
    """Solve at a 1-d array of points with Im z >= 0, in an order of its own."""
    facts = profile(equation)
    tmap = gauged(equation)
    domain = domain_at(tmap, z, facts.domain)
    guess = None if start is None else start.reshape(z.size, tmap.size)
    run = _run(tmap, facts, domain, z, method, guess)
    if isinstance(method, Auto) and _escaped(domain, z, run.found):
        facts, domain = demote(equation), Domain.NONE
        run = _run(tmap, facts, domain, z, method, guess)
    state, found_status, steps, residual = run.found
    state = clean(np.where(np.isfinite(state), state, complex(np.nan, np.nan)))
    verdict = judge(tmap, facts, domain, z, state, found_status, continued=run.continued)
    bound = np.full(z.size, np.nan)
    roots = np.flatnonzero(np.isin(verdict.status, (Status.CONVERGED, Status.NOT_CERTIFIED)))
    bound[roots], proved = error_bounds(tmap, domain, z[roots], state[roots])
    status, doubts = _doubts(tmap, facts, domain, z, state, verdict.status, bound)
    unknown = roots[np.isnan(bound[roots])]
    status[unknown[_singular(tmap, z[unknown], state[unknown])]] = Status.SINGULAR
    failed = np.flatnonzero(status != Status.CONVERGED)
    status[failed[_without_values(tmap, z[failed], state[failed])]] = Status.NOT_FINITE
    notes = verdict.reasons
    if proved.any() or np.isfinite(bound).any():
        kind = "proved from that property of the map"
        if not proved.all():
            kind = f"{'partly ' if proved.any() else ''}estimated from samples of the Jacobian"
        notes = (*notes, f"the error bound is a Newton-Kantorovich bound, {kind}")
    if np.isfinite(facts.mass):
        tails = "no variance" if np.isnan(facts.variance) else f"mean {facts.mean:.6g}, variance {facts.variance:.6g}"
        notes = (*notes, f"mass {facts.mass:.10g}, {tails} (from large Im z)")
    m = clean(tmap.readout(z, state))
    return Solved(state.reshape(z.size, *equation.shape), status, steps, residual, bound, m, run.words, notes, doubts)


def clean(values: Complex) -> Complex:
    """Values without the real parts that are rounding errors of rounding errors: 1e-47 + 0.6j becomes 0.6j.

    Relative to the modulus nothing changes by more than 1e-30. Imaginary parts stay: near the real axis they are tiny
    and right.
    """
    return np.where(np.abs(values.real) < 1e-30 * np.abs(values.imag), 1j * values.imag, values)


def _escaped(domain: Domain, z: Complex, found: Iterated) -> bool:
    """Whether a converged state lies outside the domain: then the map does not keep it, whatever the samples said."""
    above = (z.imag > 0.0) & (found.status == Status.CONVERGED)
    return domain is not Domain.NONE and not bool(contains(domain, z[above], found.state[above]).all())


def _singular(tmap: FlatMap, z: Complex, state: Complex) -> NDArray[np.bool_]:
    """Whether 1 - J is singular to rounding: then the fixed point is not isolated, or an edge."""
    if z.size == 0:
        return np.zeros(0, dtype=bool)
    values = singular_values_each(np.eye(tmap.size) - tmap.accurate_jacobian(z, state))
    return ~(values[:, -1] > 1e-10 * np.maximum(1.0, values[:, 0]))


def _without_values(tmap: FlatMap, z: Complex, state: Complex) -> NDArray[np.bool_]:
    """Whether the map is not finite at z and beside it; at z alone it is an atom or a hard edge."""
    nearby = z + (1e-9 + 1e-9j) * tmap.gauge.reach(z)
    trial = np.where(np.isfinite(state), state, 1j)
    finite = np.isfinite(tmap(z, trial)) | np.isfinite(tmap(nearby, trial))
    return np.asarray(~finite.all(axis=1))


def _doubts(
    tmap: FlatMap, facts: Profile, domain: Domain, z: Complex, state: Complex, status: NDArray[np.int64], bound: Real
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Withdraw CONVERGED where the equation as a whole is no law; say why."""
    good = status == Status.CONVERGED
    if facts.remark:
        good |= status == Status.WRONG_BRANCH
    if not good.any():
        return status, (facts.remark,) if facts.remark else ()
    doubt = against(tmap, facts, domain)
    if not doubt and domain is Domain.NONE:
        m = tmap.readout(z, state)
        exact = np.flatnonzero(good & (bound <= 0.01 * _PICK_TOLERANCE * m.imag))  # beside an atom digits are lost
        chosen = exact[spread_out(z[exact], _PICK_POINTS)]
        smallest = pick_eigenvalue(z[chosen], m[chosen])
        if smallest < -_PICK_TOLERANCE:
            doubt = (
                f"together the values are no Stieltjes transform: the smallest Pick eigenvalue is {smallest:.2g}, "
                "the map is not the map of a law"
            )
    return (np.where(good, int(Status.NOT_CERTIFIED), status), (doubt,)) if doubt else (status, ())


# ---------------------------------------------------------------------- methods
def _run(tmap: FlatMap, facts: Profile, domain: Domain, z: Complex, method: Method, start: Complex | None) -> _Run:
    """Apply one method."""
    none = np.zeros(z.size, dtype=bool)
    if isinstance(method, Auto):
        return _auto(tmap, facts, domain, z, method.tol, start)
    if isinstance(method, Continuation):
        found = (_along if method.along else _down)(tmap, facts, domain, z, method)
        place = "from point to point after one descent" if method.along else "down from large Im z"
        return _Run(found, ~none, f"continuation {place}")
    begin = _raised_start(tmap, facts, z) if start is None else start
    if isinstance(method, FixedPoint):
        found = _anderson(
            tmap, domain, z, begin, window=0, damping=method.damping, tol=method.tol, max_steps=method.max_steps
        )
        return _Run(_settled(tmap, z, found), none, f"averaged iteration with damping {method.damping:g}")
    if isinstance(method, Anderson):
        found = _anderson(
            tmap, domain, z, begin, window=method.window, damping=method.damping, tol=method.tol,
            max_steps=method.max_steps,
        )  # fmt: skip
        return _Run(_settled(tmap, z, found), none, f"Anderson acceleration over {method.window} steps")
    assert isinstance(method, Newton)
    found = _newton(tmap, domain, z, begin, tol=method.tol, max_steps=method.max_steps)
    return _Run(_settled(tmap, z, found), none, "guarded Newton iteration")


def _auto(tmap: FlatMap, facts: Profile, domain: Domain, z: Complex, tol: float, start: Complex | None) -> _Run:
    """Newton (or Anderson) where a uniqueness theorem makes any root the right one; continuation elsewhere."""
    n = z.size
    state = np.full((n, tmap.size), complex(np.nan, np.nan))
    status = np.full(n, int(Status.MAX_STEPS))
    steps = np.zeros(n, dtype=np.int64)
    residual = np.full(n, np.inf)
    continued = np.zeros(n, dtype=bool)
    words = []
    first = np.flatnonzero(z.imag > 0.0) if domain is not Domain.NONE else np.empty(0, dtype=np.int64)
    if first.size:
        # where Jacobians are dear few points are solved from the equation's start, the others from a neighbour of these
        stride = _STRIDE if _SEVERAL <= tmap.size <= _MANY and start is None else 1
        cold = first[np.lexsort((z[first].imag, z[first].real))[::stride]]
        begin = tmap.start(z[cold]) if start is None else start[cold]
        if tmap.size > _MANY:
            found = _anderson(tmap, domain, z[cold], begin, window=5, damping=0.5, tol=tol, max_steps=400)
            begin = np.where(np.isfinite(found.state), found.state, begin)
            steps[cold] += found.n_steps
        found = _newton(tmap, domain, z[cold], begin, tol=tol, max_steps=_COLD)
        state[cold], status[cold], residual[cold] = found.state, found.status, found.residual
        steps[cold] += found.n_steps
        # so do hard points (beside the axis, off the support); which neighbour cannot matter
        slow = first[status[first] != Status.CONVERGED]
        easy = first[status[first] == Status.CONVERGED]
        if slow.size:
            begin = state[easy[nearest(z[slow], z[easy])]] if easy.size else state[slow]
            begin = np.where(np.isfinite(begin), begin, tmap.start(z[slow]))
            found = _newton(tmap, domain, z[slow], begin, tol=tol, max_steps=_WARM)
            state[slow], status[slow], residual[slow] = found.state, found.status, found.residual
            steps[slow] += found.n_steps
        count = int(np.count_nonzero(status[first] == Status.CONVERGED))
        words.append(f"guarded Newton iteration ({count} points)")
    left = np.flatnonzero(status != Status.CONVERGED)
    if left.size:
        found = descend(tmap, facts, domain, z[left], ratio=0.25, tol=tol, max_steps=2_000)
        better = (found.status == Status.CONVERGED) | ~np.isfinite(state[left]).all(axis=1)
        take = left[better]
        state[take], status[take], residual[take] = found.state[better], found.status[better], found.residual[better]
        steps[left] += found.n_steps
        continued[take] = True
        words.append(f"continuation down from large Im z ({left.size} points)")
    return _Run(Iterated(state, status, steps, residual), continued, ", ".join(words) or "no points")


def nearest(z: Complex, known: Complex) -> NDArray[np.int64]:
    """For every z the index of the nearest known point, in hyperbolic distance."""
    best = np.zeros(z.size, dtype=np.int64)
    for first in range(0, z.size, 256):
        part = z[first : first + 256, None]
        best[first : first + 256] = np.argmin(np.abs(part - known) ** 2 / (part.imag * known.imag), axis=1)
    return best


def _newton(tmap: FlatMap, domain: Domain, z: Complex, begin: Complex, *, tol: float, max_steps: int) -> Iterated:
    """Guarded Newton, compiled where the map is."""
    kernel = getattr(tmap.equation, "_step", None)
    if isinstance(kernel, Step):
        try:
            return compiled_newton(kernel, tmap, domain, z, begin, tol=tol, max_steps=max_steps)
        except ZeroDivisionError:  # compiled complex division raises at zero; in lock-step only that point is lost
            pass
    return guarded_newton(tmap, domain, z, begin, tol=tol, max_steps=max_steps)


def _anderson(tmap: FlatMap, domain: Domain, z: Complex, begin: Complex, **knobs: Any) -> Iterated:
    """Averaged or Anderson iteration, compiled where the map is."""
    kernel = getattr(tmap.equation, "_step", None)
    if isinstance(kernel, Step):
        try:
            return compiled_anderson(kernel, tmap, domain, z, begin, **knobs)
        except ZeroDivisionError:
            pass
    return anderson(tmap, domain, z, begin, **knobs)


def _down(tmap: FlatMap, facts: Profile, domain: Domain, z: Complex, method: Continuation) -> Iterated:
    return descend(tmap, facts, domain, z, ratio=method.ratio, tol=method.tol, max_steps=method.max_steps)


def _along(tmap: FlatMap, facts: Profile, domain: Domain, z: Complex, method: Continuation) -> Iterated:
    """One descent to the leftmost point, then from point to point; where that fails, a descent of its own."""
    n = z.size
    state = np.full((n, tmap.size), complex(np.nan, np.nan))
    status = np.full(n, int(Status.MAX_STEPS))
    steps = np.zeros(n, dtype=np.int64)
    residual = np.full(n, np.inf)
    # an edge on the real axis is a branch point: the axis itself is no path
    flat = np.flatnonzero(z.imag == 0.0)
    if flat.size:
        state[flat], status[flat], steps[flat], residual[flat] = _down(tmap, facts, domain, z[flat], method)
    previous = -1
    for i in np.lexsort((z.imag, z.real)):
        here = slice(i, i + 1)
        found = None
        if z[i].imag == 0.0:
            continue
        if previous >= 0:
            back = slice(previous, previous + 1)
            found = follow(
                tmap, domain, z[back], state[back], z[here], floor=1e-9 * facts.scale, ratio=method.ratio,
                tol=method.tol, max_steps=min(method.max_steps, 60),
            )  # fmt: skip
            steps[here] += found.n_steps
        if found is None or found.status[0] != Status.CONVERGED:
            found = _down(tmap, facts, domain, z[here], method)
            steps[here] += found.n_steps
        state[here], status[here], residual[here] = found.state, found.status, found.residual
        if found.status[0] == Status.CONVERGED:
            previous = int(i)
    return Iterated(state, status, steps, residual)


def _raised_start(tmap: FlatMap, facts: Profile, z: Complex) -> Complex:
    """The equation's start, at real z taken one width above the axis so that it is not real."""
    return tmap.start(np.where(z.imag == 0.0, z + 1j * facts.scale, z))


def _settled(tmap: FlatMap, z: Complex, found: Iterated) -> Iterated:
    """Nearly real states at real z become real."""
    return found._replace(state=settle_on_axis(tmap, z, found.state))
