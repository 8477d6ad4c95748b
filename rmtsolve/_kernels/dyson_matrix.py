"""Matrix Dyson equation over a sorted grid, on the real axis too; the legend is in `dyson_map`.

Guarded Newton with halving line search: the merit must fall and Im M = (M - M*)/2i stay positive semidefinite; averaged
steps where that fails; continuation from large Im z as last resort. At real z off the support a Hermitian root is
accepted only if ``Y -> M S[Y] M`` has spectral radius below one, that is if ``(1 - M S[.] M)^{-1} 1`` is positive. In a
bulk a root with positive definite Im M is the physical one, and where Im M is singular (one random letter, or rows that
no random letter touches) it is confirmed by its continuation to xJ + i h, where the solution with Im M > 0 is unique.
Source: Helton, Rashidi Far, Speicher (IMRN 2007) for the averaged iteration; the rest derived.
"""

import math

import numpy as np

from ._jit import kernel
from .dense import factor, solve
from .dyson_map import (
    EPS,
    HIDDEN,
    YES,
    build_jacobian,
    error_bound,
    evaluate,
    height_of,
    positive,
    row_size,
    stable,
)
from .primitives import abs2, inverse

CONVERGED = 0
MAX_STEPS = 1
NOT_FINITE = 3
NOT_CERTIFIED = 6
SINGULAR = 7

START_HEIGHT = 30.0  # of a continuation, in units of the width of the law
DESCENT = 0.6  # ratio of its steps
ROUNDING = 1e3  # tolerances within which a residual that stops falling is rounding
CERTAIN = 30.0  # and on the axis is certain: beside an atom wrong complex states are roots up to rounding, too
FLOOR = 1e-15  # height from which the last step to the axis is taken
HEIGHTS = 5  # above the axis at which a solution is confirmed: 1e-6, 1e-8, ... of the width of the law
NEAR = 1e-4  # relative change of the solution over such a height


@kernel
def newton(
    z, spectral, a, out_i, out_j, source, value, rows, cols, mix, s, averaged, budget, guard, bold, tol,
    m, t, trial, trial_m, trial_t, step, work, pivots, jacobian, wide_pivots, sizes,
):  # fmt: skip
    """Guarded Newton, s in and out, m its matrices. Returns (converged, evaluations, residual).

    `guard` keeps Im M positive; `bold` takes Newton's steps whether the merit falls or not: near a hard edge the way to
    the root is curved and leads over worse states.
    """
    r = s.size
    side = a.shape[1]
    residual, merit = evaluate(
        z, spectral, a, out_i, out_j, source, value, rows, cols, mix, s, m, t, work, pivots, sizes
    )
    evaluations = 1
    polished = 0
    now, gain = residual, merit
    while evaluations < budget:
        if not residual < np.inf:
            return False, evaluations, residual
        if residual <= tol:
            if polished == 2 or residual <= 4.0 * EPS:
                return True, evaluations, residual
            polished += 1
        accepted = False
        if averaged > 0:
            averaged -= 1
        else:
            build_jacobian(out_i, out_j, source, value, rows, cols, mix, m, jacobian)
            for e in range(r):
                step[e] = t[e] - s[e]
            if factor(jacobian, wide_pivots):
                solve(jacobian, wide_pivots, step)
                length = 1.0
                for _ in range(4):
                    for e in range(r):
                        trial[e] = s[e] + length * step[e]
                    now, gain = evaluate(
                        z, spectral, a, out_i, out_j, source, value, rows, cols, mix, trial, trial_m, trial_t, work,
                        pivots, sizes,
                    )  # fmt: skip
                    evaluations += 1
                    if gain < merit * (1.0 - 0.25 * length) or (bold and gain < np.inf):
                        if not guard or positive(trial_m, 1e-12, work):
                            accepted = True
                            break
                    length *= 0.5
            if not accepted and residual <= tol:
                return True, evaluations, residual
        if not accepted:
            for e in range(r):
                trial[e] = 0.5 * (s[e] + t[e])
            now, gain = evaluate(
                z, spectral, a, out_i, out_j, source, value, rows, cols, mix, trial, trial_m, trial_t, work, pivots,
                sizes,
            )  # fmt: skip
            evaluations += 1
        if residual <= ROUNDING * tol and not now < 0.5 * residual:
            return True, evaluations, residual  # rounding stops it; the error bound says what that means
        residual, merit = now, gain
        for e in range(r):
            s[e] = trial[e]
            t[e] = trial_t[e]
        for k in range(a.shape[0]):
            for i in range(side):
                for j in range(side):
                    m[k, i, j] = trial_m[k, i, j]
    return residual <= tol, evaluations, residual


@kernel
def descend(
    z, scale, spectral, a, out_i, out_j, source, value, rows, cols, mix, s, good, tol,
    m, t, trial, trial_m, trial_t, step, work, pivots, jacobian, wide_pivots, sizes,
):  # fmt: skip
    """Continuation from large Im z down to z, s out. Returns (converged, evaluations, residual).

    Every entry is predicted by a power of the height, which is what it follows towards a singular point; a step that
    fails is repeated from the last good state with the square root of its ratio.
    """
    r = s.size
    height = START_HEIGHT * scale + z.imag
    reached = height
    ratio = DESCENT
    spent = 0
    failures = 0
    fresh = True  # no prediction yet
    for e in range(r):
        s[e] = 1j / height if rows[e] == cols[e] else 0.0
        good[e] = s[e]
    for _ in range(500):
        found, count, residual = newton(
            complex(z.real, height), spectral, a, out_i, out_j, source, value, rows, cols, mix, s, 3 if fresh else 0,
            25, True, True, tol, m, t, trial, trial_m, trial_t, step, work, pivots, jacobian, wide_pivots, sizes,
        )  # fmt: skip
        spent += count
        if found and height == z.imag:
            return True, spent, residual
        if found:
            for e in range(r):
                now = s[e]
                if not fresh and abs2(good[e]) > 0.0:
                    growth = now * inverse(good[e])
                    if abs2(growth) > 0.1 and abs2(growth) < 10.0:
                        s[e] = now * growth
                good[e] = now
            reached = height
            fresh = False
        else:
            failures += 1
            if failures > 12:
                break
            ratio = math.sqrt(ratio)
            fresh = True
            for e in range(r):
                s[e] = good[e]
        height = max(z.imag, reached * ratio)
        if height < FLOOR * scale:
            height = z.imag
            for e in range(r):
                s[e] = good[e]
    return False, spent, residual


@kernel
def confirmed(
    z, scale, spectral, a, out_i, out_j, source, value, rows, cols, mix, s, m, tol,
    raised, kept, t, trial, trial_m, trial_t, step, work, pivots, jacobian, wide_pivots, sizes,
):  # fmt: skip
    """Whether the state s at real z is the limit of solutions above the axis. Returns (confirmed, evaluations).

    All rows are raised by i h, where the solution with Im M > 0 is unique: it must be found beside s. The imaginary
    parts of diagonal unknowns and of their images must agree, too: the image of a wrong root has Im M > 0. m is a
    buffer.
    """
    side = a.shape[1]
    height = 1e-6 * scale
    spent = 0
    for _ in range(HEIGHTS):  # beside an edge the solution changes over a small height
        for e in range(s.size):
            kept[e] = s[e]
        for k in range(a.shape[0]):
            for i in range(side):
                for j in range(side):
                    raised[k, i, j] = a[k, i, j]
                raised[k, i, i] -= 1j * height
        found, count, _ = newton(
            z, spectral, raised, out_i, out_j, source, value, rows, cols, mix, kept, 0, 60, True, True, tol,
            m, t, trial, trial_m, trial_t, step, work, pivots, jacobian, wide_pivots, sizes,
        )  # fmt: skip
        spent += count
        if found and positive(m, 0.0, work):
            near = True
            for e in range(s.size):
                size = math.sqrt(row_size(m, rows[e]) * row_size(m, cols[e]))
                near = near and abs2(kept[e] - s[e]) <= NEAR * NEAR * size
                if rows[e] == cols[e]:
                    near = near and abs(kept[e].imag - t[e].imag) <= 0.1 * t[e].imag
            if near:
                return True, spent
        height *= 1e-2
    return False, spent


@kernel
def physical(
    z, scale, spectral, a, out_i, out_j, source, value, rows, cols, mix, s, m, other, tol,
    raised, kept, t, trial, trial_m, trial_t, step, work, pivots, jacobian, wide_pivots, sizes,
):  # fmt: skip
    """Whether a Hermitian solution s with matrices m is the physical one. Returns (physical, evaluations)."""
    answer = stable(out_i, out_j, source, value, rows, cols, mix, m, step, trial_m, work, jacobian, wide_pivots)
    if answer != HIDDEN:
        return answer == YES, 0
    return confirmed(
        z, scale, spectral, a, out_i, out_j, source, value, rows, cols, mix, s, other, tol,
        raised, kept, t, trial, trial_m, trial_t, step, work, pivots, jacobian, wide_pivots, sizes,
    )  # fmt: skip


@kernel
def matrix_sweep(
    z, spectral, a, out_i, out_j, source, value, rows, cols, partner, mix, channels, norm_s, weights, scale, start,
    use_start, from_far, tol, out, unknowns, status, steps, residual, bound,
):  # fmt: skip
    """Solve at sorted points with Im z >= 0, each started from its solved neighbour.

    `start` (n_points, r) is used where `use_start`; with `from_far` every point comes down from large Im z. `out`
    (n_points, n_channels, K, K) receives ``sum_k channels[c, k] M_k``, the first channel being the average; unknowns
    (n_points, r), status, steps, residual, bound are filled. A solution at real z off the support is exactly Hermitian.
    Status 6: at real z a root whose imaginary part is positive only up to rounding and that nothing above the axis
    confirms, or whose residual stays so large (beside an atom) that rounding could hide another root.
    """
    atoms, side, r = a.shape[0], a.shape[1], rows.size
    m = np.empty((atoms, side, side), dtype=np.complex128)
    trial_m = np.empty((atoms, side, side), dtype=np.complex128)
    raised = np.empty((atoms, side, side), dtype=np.complex128)
    work = np.empty((side, side), dtype=np.complex128)
    jacobian = np.empty((r, r), dtype=np.complex128)
    inverted = np.empty((r, r), dtype=np.complex128)
    other = np.empty((atoms, side, side), dtype=np.complex128)
    buffers = np.empty((8, r), dtype=np.complex128)
    s, t, trial, trial_t, step, last, kept, lifted = (
        buffers[0], buffers[1], buffers[2], buffers[3], buffers[4], buffers[5], buffers[6],
        buffers[7],
    )  # fmt: skip
    sizes = np.empty(side)
    pivots = np.empty(side, dtype=np.int64)
    wide_pivots = np.empty(r, dtype=np.int64)
    previous = 0  # 0 unsolved, 1 above the axis, 2 Hermitian
    for p in range(z.size):
        here = z[p]
        spent = 0
        done = False
        hermitian = False
        res = np.inf
        for attempt in range(5):
            # 0 a Hermitian neighbour at real z, 1 and 2 (bold) one above the axis or the guess, 3 cold, 4 continuation
            if from_far and attempt < 4:
                continue
            if attempt == 0:
                if use_start or not (previous == 2 and here.imag == 0.0):
                    continue
                for e in range(r):
                    s[e] = last[e]
                done, count, res = newton(
                    here, spectral, a, out_i, out_j, source, value, rows, cols, mix, s, 0, 12, False, True, tol,
                    m, t, trial, trial_m, trial_t, step, work, pivots, jacobian, wide_pivots, sizes,
                )  # fmt: skip
                spent += count
                if done:
                    done, count = physical(
                        here, scale, spectral, a, out_i, out_j, source, value, rows, cols, mix, s, m, other, tol,
                        raised, kept, t, trial, trial_m, trial_t, step, work, pivots, jacobian, wide_pivots, sizes,
                    )  # fmt: skip
                    spent += count
                if done:
                    hermitian = True
                    break
                continue
            if attempt == 1 or attempt == 2:
                if not use_start and previous != 1:
                    continue
                for e in range(r):
                    s[e] = start[p, e] if use_start else last[e]
            if attempt >= 3:
                for e in range(r):
                    s[e] = 1j / max(scale, here.imag) if rows[e] == cols[e] else 0.0
            if attempt < 4:
                found, count, res = newton(
                    here, spectral, a, out_i, out_j, source, value, rows, cols, mix, s, 3 if attempt == 3 else 0,
                    25 if attempt < 3 else 60, True, attempt == 2, tol, m, t, trial, trial_m, trial_t, step, work,
                    pivots, jacobian, wide_pivots, sizes,
                )  # fmt: skip
            else:
                found, count, res = descend(
                    here, scale, spectral, a, out_i, out_j, source, value, rows, cols, mix, s, kept, tol,
                    m, t, trial, trial_m, trial_t, step, work, pivots, jacobian, wide_pivots, sizes,
                )  # fmt: skip
            spent += count
            if not res < np.inf:
                continue
            inside = positive(m, 1e-12, work)
            if here.imag > 0.0:
                done = found and inside
            else:
                # off the support the imaginary part is only a remainder: try the Hermitian root beside it
                lift = height_of(m)
                done = found and inside and lift > 1e-7
                if not done or lift < 1e-4:
                    for e in range(r):
                        kept[e] = s[e]
                    for e in range(r):
                        s[e] = 0.5 * (kept[e] + kept[partner[e]].conjugate())
                    real, count, real_res = newton(
                        here, spectral, a, out_i, out_j, source, value, rows, cols, mix, s, 0, 30, False, True, tol,
                        m, t, trial, trial_m, trial_t, step, work, pivots, jacobian, wide_pivots, sizes,
                    )  # fmt: skip
                    spent += count
                    if real:
                        real, count = physical(
                            here, scale, spectral, a, out_i, out_j, source, value, rows, cols, mix, s, m, other, tol,
                            raised, lifted, t, trial, trial_m, trial_t, step, work, pivots, jacobian, wide_pivots,
                            sizes,
                        )  # fmt: skip
                        spent += count
                    if real:
                        done = True
                        hermitian = True
                        res = real_res
                    else:
                        for e in range(r):
                            s[e] = kept[e]
                        res, _ = evaluate(
                            here,
                            spectral,
                            a,
                            out_i,
                            out_j,
                            source,
                            value,
                            rows,
                            cols,
                            mix,
                            s,
                            m,
                            t,
                            work,
                            pivots,
                            sizes,
                        )
            if done:
                break
        previous = 0
        bound[p] = np.nan
        if done:
            status[p] = CONVERGED
            previous = 2 if hermitian else 1
            bound[p] = error_bound(
                here, spectral, a, out_i, out_j, source, value, rows, cols, mix, channels[0], norm_s, weights, s, m,
                res, work, jacobian, inverted,
            )  # fmt: skip
        elif not res < np.inf:
            status[p] = NOT_FINITE
        elif res <= 1e-6:
            status[p] = SINGULAR
        else:
            status[p] = MAX_STEPS
        for e in range(r):
            last[e] = s[e]
            unknowns[p, e] = s[e]
        for c in range(channels.shape[0]):
            for i in range(side):
                for j in range(side):
                    total = 0j
                    for k in range(atoms):
                        if hermitian:
                            total += channels[c, k] * 0.5 * (m[k, i, j] + m[k, j, i].conjugate())
                        else:
                            total += channels[c, k] * m[k, i, j]
                    out[p, c, i, j] = total
        if done and here.imag == 0.0 and not res <= CERTAIN * tol and (not hermitian or not bound[p] < np.inf):
            status[p] = NOT_CERTIFIED
        elif done and here.imag == 0.0 and not hermitian and not positive(m, -1e-9, work):
            # nothing on the axis proves the branch
            proved, count = confirmed(
                here, scale, spectral, a, out_i, out_j, source, value, rows, cols, mix, s, other, tol,
                raised, kept, t, trial, trial_m, trial_t, step, work, pivots, jacobian, wide_pivots, sizes,
            )  # fmt: skip
            spent += count
            status[p] = CONVERGED if proved else NOT_CERTIFIED
        steps[p] = spent
        residual[p] = res
