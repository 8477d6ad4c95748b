"""Iterations for any typed map: averaged, Anderson and guarded Newton over a whole sorted grid.

One signature serves scalars, vectors and matrices: ``step(z, state, out)`` with flattened states. The map is passed
as a first-class function of that type, so that each driver is compiled once and cached, not once for every map.

Legend: d number of unknowns, k side of a matrix unknown, s state, t image T(s), J derivative of T, unit size of the
terms of s (what s is measured against where they cancel).
Domains: 0 none, 1 upper half-plane, 2 sector {w: Im w > 0, Im zw > 0}, 3 matrices with positive imaginary part.
Sources: Anderson, J. ACM 12 (1965); merit of the guarded step: Schwarz-Pick lemma (see equations/domains.py).
"""

import functools
import math

import numba
import numpy as np

from ._jit import kernel
from .dense import factor, solve
from .primitives import abs2

STEP = numba.types.void(numba.types.complex128, numba.types.complex128[::1], numba.types.complex128[::1])

CONVERGED = 0
MAX_STEPS = 1
NOT_FINITE = 3
STALLED = 4

FORWARD = 1e-7  # relative step of difference quotients
POLISH = 2  # Newton steps after the tolerance is met
PATIENCE = 60  # steps without a better residual before a point counts as stalled
RIDGE = 1e-20  # relative; keeps the normal equations of Anderson's least squares regular


@kernel
def positive_imaginary(s, work):
    """Whether (M - M*)/2i is positive definite, M the flattened matrix s; `work` is k x k."""
    k = work.shape[0]
    for i in range(k):
        for j in range(k):
            work[i, j] = -0.5j * (s[i * k + j] - s[j * k + i].conjugate())
    for c in range(k):
        pivot = work[c, c].real
        if not pivot > 0.0:
            return False
        for r in range(c + 1, k):
            factor = work[r, c] / pivot
            for j in range(c + 1, r + 1):
                work[r, j] -= factor * work[j, c].conjugate()
    return True


@kernel
def in_domain(domain, z, s, work):
    """Whether the state s lies in the domain."""
    if domain == 3:
        return positive_imaginary(s, work)
    for i in range(s.size):
        if domain == 0:
            if not abs2(s[i]) < np.inf:
                return False
        else:
            if not s[i].imag > 0.0:
                return False
            if domain == 2 and not (z * s[i]).imag > 0.0:
                return False
    return True


@kernel
def residual_of(s, t, unit):
    """max |t - s| / max(|s|, |t|, unit); inf where not finite."""
    gap = 0.0
    scale = unit * unit
    for i in range(s.size):
        change = abs2(t[i] - s[i])
        if not change < np.inf:
            return np.inf
        gap = max(gap, change)
        scale = max(scale, abs2(s[i]), abs2(t[i]))
    if gap == 0.0:
        return 0.0
    return math.sqrt(gap / scale)


@kernel
def merit_of(domain, z, s, t, unit, work):
    """sinh^2 of half the hyperbolic distance of s and t (largest entry); squared residual where there is none."""
    if not (in_domain(domain, z, s, work) and in_domain(domain, z, t, work)):
        return np.inf
    if domain == 0 or domain == 3:
        return residual_of(s, t, unit) ** 2
    worst = 0.0
    theta = math.pi - math.atan2(z.imag, z.real)
    for i in range(s.size):
        if domain == 1:
            value = abs2(t[i] - s[i]) / (4.0 * s[i].imag * t[i].imag)
        else:
            first = math.pi / theta * math.atan2(s[i].imag, s[i].real)
            second = math.pi / theta * math.atan2(t[i].imag, t[i].real)
            along = 0.25 * math.pi / theta * math.log(abs2(t[i]) / abs2(s[i]))
            value = (math.sinh(along) ** 2 + math.sin(0.5 * (second - first)) ** 2) / (
                math.sin(first) * math.sin(second)
            )
        if not value < np.inf:
            return np.inf
        worst = max(worst, value)
    return worst


@kernel
def averaged(s, t, damping, out):
    """out = s + damping (t - s)."""
    for i in range(s.size):
        out[i] = s[i] + damping * (t[i] - s[i])


@kernel
def newton_point(step, domain, z, s, unit, tol, max_steps, warm, buffers, jacobian, pivots, work):
    """Guarded Newton at one point, s in and out. Returns (status, steps, residual)."""
    d = s.size
    t, trial, image, delta = buffers[0], buffers[1], buffers[2], buffers[3]
    best = np.inf
    since_best = 0
    polished = 0
    residual = np.inf
    evaluations = 1
    step(z, s, t)
    for count in range(max_steps):
        residual = residual_of(s, t, unit)
        if not residual < np.inf:
            return NOT_FINITE, evaluations, residual
        improved = residual < 0.9 * best
        best = min(best, residual)
        since_best = 0 if improved else since_best + 1
        if residual <= tol:
            if polished >= POLISH or residual == 0.0 or not improved:
                return CONVERGED, evaluations, residual
            polished += 1
        elif since_best > PATIENCE:
            return STALLED, evaluations, residual
        accepted = False
        if warm or count >= 2:
            largest = unit
            for i in range(d):
                largest = max(largest, math.sqrt(abs2(s[i])))
            for j in range(d):
                size = math.sqrt(abs2(s[j]))
                if work.shape[0] > 0:
                    reach = largest
                else:
                    size = max(size, largest if d == 1 else 1e-3 * largest)
                    reach = min(max(abs(s[j].imag), 1e-2 * size), size)
                h = FORWARD * reach + 1e-300
                kept = s[j]
                s[j] = kept + h
                step(z, s, image)
                s[j] = kept
                for i in range(d):
                    jacobian[i, j] = (t[i] - image[i]) / h
                jacobian[j, j] += 1.0
            evaluations += d
            for i in range(d):
                delta[i] = t[i] - s[i]
            if factor(jacobian, pivots):
                solve(jacobian, pivots, delta)
                for i in range(d):
                    trial[i] = s[i] + delta[i]
                if in_domain(domain, z, trial, work):
                    step(z, trial, image)
                    evaluations += 1
                    now = residual_of(trial, image, unit)
                    accepted = merit_of(domain, z, trial, image, unit, work) < merit_of(domain, z, s, t, unit, work)
                    accepted = accepted or now < min(residual, 1e-6)
            if not accepted and residual <= tol:
                return CONVERGED, evaluations, residual
        if not accepted:
            averaged(s, t, 0.5, trial)
            step(z, trial, image)
            evaluations += 1
        for i in range(d):
            s[i] = trial[i]
            t[i] = image[i]
    return MAX_STEPS, evaluations, residual


@kernel
def remember(slot, target, gap, old_target, old_gap, moves, gaps):
    """Store the differences to the last step in row `slot`."""
    for i in range(target.size):
        moves[slot, i] = target[i] - old_target[i]
        gaps[slot, i] = gap[i] - old_gap[i]


@kernel
def extrapolate(held, moves, gaps, target, gap, normal, right, pivots, out):
    """out = target - sum_j gamma_j moves_j, gamma the least-squares solution of sum_j gamma_j gaps_j = gap."""
    window = normal.shape[0]
    trace = 0.0
    for a in range(window):
        right[a] = 0.0
        for b in range(window):
            normal[a, b] = 0.0
    for a in range(held):
        for b in range(a + 1):
            total = 0j
            for i in range(gap.size):
                total += gaps[a, i].conjugate() * gaps[b, i]
            normal[a, b] = total
            normal[b, a] = total.conjugate()
        for i in range(gap.size):
            right[a] += gaps[a, i].conjugate() * gap[i]
        trace += normal[a, a].real
    for a in range(window):
        normal[a, a] += RIDGE * trace if a < held else 1.0
    if not factor(normal, pivots):
        return False
    solve(normal, pivots, right)
    for i in range(target.size):
        out[i] = target[i]
        for a in range(held):
            out[i] -= right[a] * moves[a, i]
    return True


@kernel
def anderson_point(
    step, domain, z, s, unit, window, damping, tol, max_steps, buffers, moves, gaps, normal, right, pivots, work
):
    """Averaged or Anderson-extrapolated iteration at one point, s in and out. Returns (status, steps, residual)."""
    d = s.size
    t, target, gap, old_target, old_gap = buffers[0], buffers[1], buffers[2], buffers[3], buffers[4]
    residual = np.inf
    for count in range(max_steps):
        step(z, s, t)
        residual = residual_of(s, t, unit)
        if not residual < np.inf:
            return NOT_FINITE, count + 1, residual
        if residual <= tol:
            return CONVERGED, count + 1, residual
        averaged(s, t, damping, target)
        for i in range(d):
            gap[i] = target[i] - s[i]
        mixed = False
        if window > 0:
            if count > 0:
                remember((count - 1) % window, target, gap, old_target, old_gap, moves, gaps)
            held = min(count, window)
            if held > 0 and extrapolate(held, moves, gaps, target, gap, normal, right, pivots, s):
                mixed = in_domain(domain, z, s, work)
            for i in range(d):
                old_target[i] = target[i]
                old_gap[i] = gap[i]
        if not mixed:
            for i in range(d):
                s[i] = target[i]
    return MAX_STEPS, max_steps, residual


@kernel
def newton_sweep(step, domain, side, z, start, unit, tol, max_steps, out, status, steps, residual):
    """Guarded Newton at sorted points, each started from its solved left neighbour, else (or again) from `start`."""
    d = start.shape[1]
    buffers = np.empty((4, d), dtype=np.complex128)
    jacobian = np.empty((d, d), dtype=np.complex128)
    pivots = np.empty(d, dtype=np.int64)
    work = np.empty((side, side), dtype=np.complex128)
    ready = False
    for p in range(z.size):
        spent = 0
        done = False
        if ready:
            for i in range(d):
                out[p, i] = out[p - 1, i]
            if in_domain(domain, z[p], out[p], work):
                status[p], steps[p], residual[p] = newton_point(
                    step, domain, z[p], out[p], unit[p], tol, 12, True, buffers, jacobian, pivots, work
                )
                spent = steps[p]
                done = status[p] == CONVERGED and in_domain(domain, z[p], out[p], work)
        if not done:
            for i in range(d):
                out[p, i] = start[p, i]
            status[p], steps[p], residual[p] = newton_point(
                step, domain, z[p], out[p], unit[p], tol, max_steps, False, buffers, jacobian, pivots, work
            )
            steps[p] += spent
        ready = status[p] == CONVERGED


@kernel
def anderson_sweep(step, domain, side, z, start, unit, window, damping, tol, max_steps, out, status, steps, residual):
    """Averaged (window 0) or Anderson iteration at every point from `start`."""
    d = start.shape[1]
    buffers = np.empty((5, d), dtype=np.complex128)
    moves = np.empty((max(window, 1), d), dtype=np.complex128)
    gaps = np.empty((max(window, 1), d), dtype=np.complex128)
    normal = np.empty((max(window, 1), max(window, 1)), dtype=np.complex128)
    right = np.empty(max(window, 1), dtype=np.complex128)
    pivots = np.empty(max(window, 1), dtype=np.int64)
    work = np.empty((side, side), dtype=np.complex128)
    for p in range(z.size):
        for i in range(d):
            out[p, i] = start[p, i]
        status[p], steps[p], residual[p] = anderson_point(
            step,
            domain,
            z[p],
            out[p],
            unit[p],
            window,
            damping,
            tol,
            max_steps,
            buffers,
            moves,
            gaps,
            normal,
            right,
            pivots,
            work,
        )


@kernel
def evaluate(step, z, states, out):
    """The map at many points."""
    for p in range(z.size):
        step(z[p], states[p], out[p])


@functools.cache
def driver(name):
    """`newton_sweep`, `anderson_sweep` or `evaluate`, compiled for maps of type STEP (or loaded from the cache)."""
    function = {"newton_sweep": newton_sweep, "anderson_sweep": anderson_sweep, "evaluate": evaluate}[name]
    if numba.config.DISABLE_JIT:
        return function
    number, integer, real = numba.types.complex128, numba.types.int64, numba.types.float64
    points, states = number[::1], number[:, ::1]
    results = (states, integer[::1], integer[::1], real[::1])
    signature = {
        "newton_sweep": (integer, integer, points, states, real[::1], real, integer, *results),
        "anderson_sweep": (integer, integer, points, states, real[::1], integer, real, real, integer, *results),
        "evaluate": (points, states, states),
    }[name]
    function.compile((numba.types.FunctionType(STEP), *signature))
    function.disable_compile()
    return function


def typed_step(function, shape):
    """Compile a one-point map as a first-class function of type STEP.

    `function(z, state)` takes a complex number and a complex number (shape ()) or contiguous array of the shape and
    returns the same; a wrapper flattens. The wrapper is a closure and is therefore compiled in every process.
    """
    inner = numba.njit(error_model="numpy")(function)
    if len(shape) == 0:

        def flat(z, state, out):
            out[0] = inner(z, state[0])

    elif len(shape) == 1:
        # loops, because a slice assignment takes five seconds to compile
        def flat(z, state, out):
            image = inner(z, state)
            wrong = image.shape != shape
            for i in range(out.size):
                out[i] = np.nan if wrong else image[i]

    else:
        side = shape[0]

        def flat(z, state, out):
            image = inner(z, state.reshape(side, side))
            wrong = image.shape != shape
            for i in range(side):
                for j in range(side):
                    out[i * side + j] = np.nan if wrong else image[i, j]

    return numba.njit(STEP, error_model="numpy")(flat)
