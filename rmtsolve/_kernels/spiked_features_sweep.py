"""Solver of the spiked-features system (the map and the legend are in `spiked_features`) over a list of points.

At every point: guarded Newton from the neighbour (first-order prediction); failing that, Anderson acceleration of the
plain iteration from a cold start, then Newton; last, continuation from large Im z, halving Im z each time. Every answer
is checked against the conditions that make it the physical one before it is accepted.
"""

import numpy as np

from ._jit import kernel
from .dense import factor, solve, solve_transposed
from .primitives import abs2, inverse
from .spiked_features import FREE, POSITIVE, UPPER, evaluate, inside, largest, scales

CONVERGED, MAX_STEPS, STALLED, WRONG_BRANCH, SINGULAR = 0, 1, 4, 5, 7  # codes of status.Status
EPS = 2.220446049250313e-16
NEWTON_LIMIT = 40
ANDERSON_LIMIT = 400
WINDOW = 5
HALVINGS = 80  # continuation: Im z from its start down by 2^-80
# what is tried at a point, in this order; the _REAL stages, on the axis only, start from the real part of the last try
WARM, WARM_REAL, COLD, COLD_REAL, DESCENT, DESCENT_REAL = 0, 1, 2, 3, 4, 5


@kernel
def newton(z, x, model, guard, tangent, error):
    """Guarded Newton for x = F(x) from x (changed in place), then the physical conditions; (status, evaluations).

    `tangent` <- dx/dz; `error` <- (relative residual, bound on |sum_k (q_k - exact)|).
    """
    d, k = x.size, model[2].size
    image, trial, step = np.empty(d, np.complex128), np.empty(d, np.complex128), np.empty(d, np.complex128)
    lu, pivots, scale = np.empty((d, d), np.complex128), np.empty(d, np.int64), np.empty(d)
    previous, settled = np.inf, False
    for count in range(1, NEWTON_LIMIT + 2):
        # one call for both uses, with and without derivatives: two would double the compile time
        if not evaluate(z, x, model, image, lu[:0] if settled else lu, trial if settled else tangent):
            return SINGULAR, count
        if settled:
            _error(z, x, model[2], image, lu, pivots, scale, error)
            if _physical(z, x, k, tangent, error[1]):
                return CONVERGED, count
            return (SINGULAR if error[1] > 1e-9 * scale[0] else WRONG_BRANCH), count
        for j in range(d):
            step[j] = image[j] - x[j]
            for i in range(d):
                lu[i, j] = -lu[i, j]
            lu[j, j] += 1.0
        if not factor(lu, pivots):
            return SINGULAR, count
        solve(lu, pivots, step)
        scales(x, k, scale)
        size = largest(step, scale)
        if not size < np.inf:
            return STALLED, count
        length = 2.0
        accepted = False
        while not accepted:
            length *= 0.5
            if length < 1e-6:
                return WRONG_BRANCH, count
            for j in range(d):
                trial[j] = x[j] + length * step[j]
            accepted = inside(trial, k, guard)
        for j in range(d):
            x[j] = trial[j]
        # quadratic convergence: the next step would be about size^2 (size / previous^2), or rounding stopped progress
        settled = length == 1.0 and (
            size <= 1e-13
            or (size <= 1e-5 and size * size * size <= 1e-15 * previous * previous)
            or (size <= 1e-8 and size >= 0.25 * previous)
        )
        if settled:
            solve(lu, pivots, tangent)
        previous = size if length == 1.0 else np.inf
    return MAX_STEPS, NEWTON_LIMIT


@kernel
def _error(z, x, pi, image, lu, pivots, scale, error):
    """Residual and first-order bound: |y| . (residual + rounding) with (I - F')^T y = (1 on q, 0 on Q), doubled."""
    d, k = x.size, pi.size
    y = np.zeros(d, np.complex128)
    for a in range(k):
        y[a] = 1.0
    solve_transposed(lu, pivots, y)
    scales(x, k, scale)
    size = np.sqrt(abs2(z))
    cancel = 0.0  # -z + B + T = pi / q may be smaller than its terms
    for a in range(k):
        cancel = max(cancel, size * scale[a] / pi[a])
    residual, bound = 0.0, 0.0
    for j in range(d):
        gap = np.sqrt(abs2(image[j] - x[j]))
        residual = max(residual, gap / scale[j])
        bound += np.sqrt(abs2(y[j])) * (gap + 4.0 * EPS * (2.0 + cancel) * scale[j])
    error[0] = residual
    error[1] = 2.0 * bound


@kernel
def _physical(z, x, k, tangent, bound):
    """Whether the converged x is the physical solution (see the header of `spiked_features`)."""
    if z.imag > 0.0:
        return inside(x, k, UPPER)
    real = True
    for j in range(x.size):
        if x[j].imag != 0.0:
            real = False
    if real:
        return inside(tangent, k, POSITIVE)
    total = 0.0
    for a in range(k):
        total += x[a].imag
        if not x[a].imag > 1e-14 * np.sqrt(abs2(x[a])):
            return False
    return total > 10.0 * bound and inside(x, k, UPPER)  # a real solution may come with rounding error on top


@kernel
def relax(z, x, model, guard):
    """x <- Anderson acceleration (window 5) of the map from the state of the resolvent -1/z.

    A plain step is taken whenever an accelerated one would leave the guarded set. Stops when Newton can take over or
    when, on the real axis, the state has become real; returns evaluations.
    """
    d, k = x.size, model[2].size
    image, gap, trial = np.empty(d, np.complex128), np.empty(d, np.complex128), np.empty(d, np.complex128)
    old_x, old_gap = np.empty(d, np.complex128), np.empty(d, np.complex128)
    d_x, d_gap = np.zeros((WINDOW, d), np.complex128), np.zeros((WINDOW, d), np.complex128)
    normal, fit = np.zeros((WINDOW, WINDOW), np.complex128), np.zeros(WINDOW, np.complex128)
    pivots, scale = np.empty(WINDOW, np.int64), np.empty(d)
    on_axis = z.imag == 0.0
    start = complex(z.real, np.sqrt(abs2(z))) if on_axis and guard == UPPER else z
    if abs2(start) == 0.0:
        start = complex(0.0, 1.0)
    j = k
    for i in range(d):
        x[i] = 0.0
    for a in range(k):
        x[a] = -model[2][a] * inverse(start)
        x[j] = x[a]
        j += k - a
    for count in range(ANDERSON_LIMIT):
        if not evaluate(z, x, model, image, normal[:0], trial):
            return count
        scales(image, k, scale)
        for j in range(d):
            gap[j] = image[j] - x[j]
        size = largest(gap, scale)
        if size <= 1e-7 or not size < np.inf:
            return count + 1
        if on_axis and guard == UPPER and x[0].imag < 1e-9 * np.sqrt(abs2(x[0])):
            return count + 1
        slot = count % WINDOW  # holds the change since the evaluation before
        for j in range(d):
            if count > 0:
                d_x[slot, j] = x[j] - old_x[j]
                d_gap[slot, j] = gap[j] - old_gap[j]
            old_x[j] = x[j]
            old_gap[j] = gap[j]
            x[j] = image[j]
            trial[j] = image[j]
        # least squares: gap ~ sum_a fit_a d_gap_a, unused rows are zero and regularised away
        trace = 0.0
        for a in range(WINDOW):
            fit[a] = 0.0
            for b in range(WINDOW):
                normal[a, b] = 0.0
            for j in range(d):
                weighted = np.conj(d_gap[a, j]) / (scale[j] * scale[j])
                fit[a] += weighted * gap[j]
                for b in range(WINDOW):
                    normal[a, b] += weighted * d_gap[b, j]
            trace += normal[a, a].real
        for a in range(WINDOW):
            normal[a, a] += 1e-14 * trace
        if count == 0 or not factor(normal, pivots):
            continue
        solve(normal, pivots, fit)
        for a in range(WINDOW):
            for j in range(d):
                trial[j] -= fit[a] * (d_x[a, j] + d_gap[a, j])
        if largest(trial, scale) < np.inf and inside(trial, k, guard):
            for j in range(d):
                x[j] = trial[j]
    return ANDERSON_LIMIT


@kernel
def sweep(z, ratio, start, model, state, derivative, status, steps, residual, bound):
    """Solve at every z in the given order, each point from its row of `start` or, when that is empty, its neighbour.

    `ratio` is r at every point (that of the model is not used), so one sweep may run over sample sizes, too.
    Fills `state` and `derivative` (dx/dz), both (n, D), and status, steps, residual, bound, (n,).
    """
    h, w, pi, _, beta, width = model
    d, k = h.shape[0], pi.size
    x, tangent = np.empty(d, np.complex128), np.zeros(d, np.complex128)
    last, slope = np.zeros(d, np.complex128), np.zeros(d, np.complex128)  # state and derivative where last solved
    error = np.empty(2)
    moment = 0.0  # the first: about the largest eigenvalue over (1 + sqrt r)^2
    j = k
    for a in range(k):
        for i in range(w.size):
            moment += pi[a] * w[i] * (h[a, i] + h[j, i])
        j += k - a
    solved = -1  # index of the last point solved
    for i in range(z.size):
        here = (h, w, pi, ratio[i], beta, width)
        on_axis = z[i].imag == 0.0
        real_guard = POSITIVE if z[i].real < 0.0 else FREE
        total, code = 0, STALLED
        for stage in range(6):
            guard = real_guard if stage % 2 == 1 else UPPER
            height = z[i].imag
            if (stage % 2 == 1 and not on_axis) or (stage <= WARM_REAL and solved < 0 and start.shape[0] == 0):
                continue
            if stage == WARM:
                upper = inside(last, k, UPPER)
                for j in range(d):
                    if start.shape[0] > 0:
                        x[j] = start[i, j]
                    else:
                        x[j] = last[j] + slope[j] * (z[i] - z[solved])
                if start.shape[0] == 0 and upper and not inside(x, k, UPPER):  # predicted too far
                    for j in range(d):
                        x[j] = last[j]
                if not inside(x, k, UPPER):
                    continue
            elif stage == COLD or stage == DESCENT:
                if stage == DESCENT:
                    height = 4.0 * (moment * (1.0 + np.sqrt(ratio[i])) ** 2 + np.sqrt(abs2(z[i])))
                elif on_axis and z[i].real < 0.0:
                    guard = POSITIVE
                total += relax(complex(z[i].real, height), x, here, guard)
            else:
                for j in range(d):
                    x[j] = x[j].real
                if guard == POSITIVE and stage == WARM_REAL and not inside(x, k, POSITIVE):  # predicted too far
                    for j in range(d):
                        x[j] = last[j].real
                if guard == POSITIVE and not inside(x, k, POSITIVE):
                    continue
            for attempt in range(HALVINGS):  # once, but for the descent
                for j in range(d):
                    state[i, j] = x[j]
                error[0], error[1] = np.inf, np.inf
                code, count = newton(complex(z[i].real, height), x, here, guard, tangent, error)
                total += count
                if code != CONVERGED or height == z[i].imag:
                    break
                height = max(0.5 * height, z[i].imag)
                if height < 1e-18 * np.sqrt(abs2(z[i])) or attempt == HALVINGS - 2:
                    height = z[i].imag
            if code == CONVERGED and height == z[i].imag:
                break
            if code == CONVERGED:
                code = STALLED
            for j in range(d):
                x[j] = state[i, j]
        status[i], steps[i], residual[i], bound[i] = code, total, error[0], error[1]
        for j in range(d):
            state[i, j] = x[j]
            derivative[i, j] = tangent[j]
            if code == CONVERGED:
                last[j] = x[j]
                slope[j] = tangent[j]
        if code == CONVERGED:
            solved = i
