"""Matrix Dyson equation over a sorted grid, on the real axis too; the legend is in `dyson_map`.

Newton's iteration (`dyson_newton`) from the prediction that the solved neighbours make, or else from the last of them,
or else cold. At real z off the support a Hermitian root is accepted only if ``Y -> M S[Y] M`` has spectral radius below
one, that is if ``(1 - M S[.] M)^{-1} 1`` is positive. In a bulk a root with positive definite Im M = (M - M*)/2i is the
physical one, and where Im M is singular (one random letter, or rows that no random letter touches) it is confirmed by
its continuation to xJ + i h, where the solution with Im M > 0 is unique. Source: derived.
"""

import math

import numpy as np

from ._jit import kernel
from .dyson_map import HIDDEN, YES, error_bound, evaluate, height_of, positive, row_size, stable
from .dyson_newton import descend, newton
from .neighbours import DEPTH, predict, record
from .primitives import abs2

CONVERGED = 0
MAX_STEPS = 1
NOT_FINITE = 3
NOT_CERTIFIED = 6
SINGULAR = 7

CERTAIN = 30.0  # and on the axis is certain: beside an atom wrong complex states are roots up to rounding, too
HEIGHTS = 5  # above the axis at which a solution is confirmed: 1e-6, 1e-8, ... of the width of the law
FLAT = 1e-7  # imaginary part, relative to M, that can be what rounding leaves of a Hermitian solution
LOW = 1e-9  # Im z, relative to z and the width of the law, below which a solution need not be clear of the axis
NEAR = 1e-4  # relative change of the solution over such a height


@kernel(borrows=True)
def confirmed(
    z, scale, spectral, a, out_i, out_j, source, value, rows, cols, mix, symmetric, s, m, tol, raised, kept, t, trial,
    trial_m, trial_t, step, work, pivots, jacobian, wide_pivots, sizes,
):  # fmt: skip
    """Whether the state s at real z is the limit of solutions above the axis. Returns (confirmed, evaluations).

    All rows are raised by i h, where the solution with Im M > 0 is unique: it must be found beside s, and with a
    residual far below what raising the rows has made of that of s, or nothing was solved. The imaginary parts of
    diagonal unknowns and of their images must agree, too: the image of a wrong root has Im M > 0. m is a buffer.
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
        gap, _ = evaluate(
            z, spectral, raised, out_i, out_j, source, value, rows, cols, mix, symmetric, kept, m, t, work, pivots,
            sizes,
        )  # fmt: skip
        found, count, res = newton(
            z, spectral, raised, out_i, out_j, source, value, rows, cols, mix, symmetric, kept, 0, 60, True, True, tol,
            m, t, trial, trial_m, trial_t, step, work, pivots, jacobian, wide_pivots, sizes,
        )  # fmt: skip
        spent += count + 1
        if found and res <= 0.01 * gap and positive(m, 0.0, work, sizes):
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


@kernel(borrows=True)
def physical(
    z, scale, spectral, a, out_i, out_j, source, value, rows, cols, mix, symmetric, s, m, other, tol, raised, kept, t,
    trial, trial_m, trial_t, step, work, pivots, jacobian, wide_pivots, sizes,
):  # fmt: skip
    """Whether a solution s with matrices m is Hermitian and the physical one. Returns (physical, evaluations).

    Newton's iteration from a Hermitian state ends at any root where there is no Hermitian one near.
    """
    if height_of(m, sizes) > FLAT:
        return False, 0
    answer = stable(out_i, out_j, source, value, rows, cols, mix, m, step, trial_m, work, jacobian, wide_pivots, sizes)
    if answer != HIDDEN:
        return answer == YES, 0
    return confirmed(
        z, scale, spectral, a, out_i, out_j, source, value, rows, cols, mix, symmetric, s, other, tol, raised, kept, t,
        trial, trial_m, trial_t, step, work, pivots, jacobian, wide_pivots, sizes,
    )  # fmt: skip


@kernel
def matrix_sweep(
    z, spectral, a, out_i, out_j, source, value, rows, cols, partner, mix, symmetric, channels, norm_s, weights, scale,
    start, use_start, from_far, tol, out, unknowns, status, steps, residual, bound,
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
    buffers = np.empty((9, r), dtype=np.complex128)
    s, t, trial, trial_t = buffers[0], buffers[1], buffers[2], buffers[3]
    step, last, kept, lifted = buffers[4], buffers[5], buffers[6], buffers[7]
    doubted = buffers[8]
    sizes = np.empty((2, side))
    pivots = np.empty(side, dtype=np.int64)
    wide_pivots = np.empty(r, dtype=np.int64)
    places = np.empty(DEPTH, dtype=np.complex128)
    table = np.empty((DEPTH, r), dtype=np.complex128)
    known = 0  # solutions in the table, all of one kind
    previous = 0  # 0 unsolved, 1 above the axis, 2 Hermitian
    for p in range(z.size):
        here = z[p]
        spent = 0
        done = False
        hermitian = False
        doubtful = False  # a root on the axis was found that nothing above it confirms
        res = np.inf
        for attempt in range(6):
            # 0 a prediction, 1 a Hermitian neighbour at real z, 2 and 3 (bold) one above the axis or the guess, 4 cold,
            # 5 continuation
            if from_far and attempt < 5:
                continue
            beside = previous == 2 and here.imag == 0.0
            if attempt == 0:
                if use_start or known < 2 or (previous == 2 and not beside):
                    continue
                predict(here, known, places, table, s)
            if attempt == 1:
                if use_start or not beside:
                    continue
                for e in range(r):
                    s[e] = last[e]
            if attempt <= 1 and beside:
                done, count, res = newton(
                    here, spectral, a, out_i, out_j, source, value, rows, cols, mix, symmetric, s,
                    0 if attempt == 1 else -1, 12, False, True, tol, m, t, trial, trial_m, trial_t, step, work, pivots,
                    jacobian, wide_pivots, sizes,
                )  # fmt: skip
                spent += count
                if done:
                    done, count = physical(
                        here, scale, spectral, a, out_i, out_j, source, value, rows, cols, mix, symmetric, s, m, other,
                        tol, raised, kept, t, trial, trial_m, trial_t, step, work, pivots, jacobian, wide_pivots, sizes,
                    )  # fmt: skip
                    spent += count
                if done:
                    hermitian = True
                    break
                continue
            if attempt == 2 or attempt == 3:
                if not use_start and previous != 1:
                    continue
                for e in range(r):
                    s[e] = start[p, e] if use_start else last[e]
            if attempt >= 4:
                for e in range(r):
                    s[e] = 1j / max(scale, here.imag) if rows[e] == cols[e] else 0.0
            if attempt < 5:
                found, count, res = newton(
                    here, spectral, a, out_i, out_j, source, value, rows, cols, mix, symmetric, s,
                    -1 if attempt == 0 else 3 if attempt == 4 else 0, 60 if attempt == 4 else 25, attempt > 0,
                    attempt == 3, tol, m, t, trial, trial_m, trial_t, step, work, pivots, jacobian, wide_pivots, sizes,
                )  # fmt: skip
            else:
                found, count, res = descend(
                    here, scale, spectral, a, out_i, out_j, source, value, rows, cols, mix, symmetric, s, kept, tol, m,
                    t, trial, trial_m, trial_t, step, work, pivots, jacobian, wide_pivots, sizes,
                )  # fmt: skip
            spent += count
            if not res < np.inf or (attempt == 0 and not found):
                continue
            inside = positive(m, 1e-12, work, sizes)
            if here.imag > 0.0:
                done = found and inside
                low = here.imag / (scale + abs(here.real))
                if (done and low < LOW and attempt < 5) and (res > 0.01 * low or not positive(m, -1e-13, work, sizes)):
                    # Im M is as small as the residual or as the slack: a root of the other sign would pass
                    if height_of(m, sizes) < 1e-10:
                        done, count = physical(
                            here, scale, spectral, a, out_i, out_j, source, value, rows, cols, mix, symmetric, s, m,
                            other, tol, raised, kept, t, trial, trial_m, trial_t, step, work, pivots, jacobian,
                            wide_pivots, sizes,
                        )  # fmt: skip
                    else:
                        done, count = confirmed(
                            here, scale, spectral, a, out_i, out_j, source, value, rows, cols, mix, symmetric, s, other,
                            tol, raised, kept, t, trial, trial_m, trial_t, step, work, pivots, jacobian, wide_pivots,
                            sizes,
                        )  # fmt: skip
                    spent += count
            else:
                # off the support the imaginary part is only a remainder: try the Hermitian root beside it
                lift = height_of(m, sizes)
                done = found and inside and lift > FLAT
                if not done or lift < 1e-4:
                    for e in range(r):
                        kept[e] = s[e]
                    for e in range(r):
                        s[e] = 0.5 * (kept[e] + kept[partner[e]].conjugate())
                    real, count, real_res = newton(
                        here, spectral, a, out_i, out_j, source, value, rows, cols, mix, symmetric, s, 0, 30, False,
                        True, tol, m, t, trial, trial_m, trial_t, step, work, pivots, jacobian, wide_pivots, sizes,
                    )  # fmt: skip
                    spent += count
                    if real:
                        real, count = physical(
                            here, scale, spectral, a, out_i, out_j, source, value, rows, cols, mix, symmetric, s, m,
                            other, tol, raised, lifted, t, trial, trial_m, trial_t, step, work, pivots, jacobian,
                            wide_pivots, sizes,
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
                            here, spectral, a, out_i, out_j, source, value, rows, cols, mix, symmetric, s, m, t, work,
                            pivots, sizes,
                        )  # fmt: skip
                if done and not hermitian and res <= CERTAIN * tol and not positive(m, -1e-9, work, sizes):
                    # nothing on the axis proves the branch
                    proved, count = confirmed(
                        here, scale, spectral, a, out_i, out_j, source, value, rows, cols, mix, symmetric, s, other,
                        tol, raised, kept, t, trial, trial_m, trial_t, step, work, pivots, jacobian, wide_pivots,
                        sizes,
                    )  # fmt: skip
                    spent += count
                    done = proved
                    if not proved:
                        doubtful = True
                        for e in range(r):
                            doubted[e] = s[e]
                elif attempt == 0 and done and not hermitian:
                    done = res <= CERTAIN * tol
            if done:
                break
        if doubtful and not done:
            for e in range(r):
                s[e] = doubted[e]
            res, _ = evaluate(
                here, spectral, a, out_i, out_j, source, value, rows, cols, mix, symmetric, s, m, t, work, pivots,
                sizes,
            )  # fmt: skip
            done = True
        elif done:
            doubtful = False
        kind = 0
        bound[p] = np.nan
        if done:
            status[p] = CONVERGED
            kind = 2 if hermitian else 1
            bound[p] = error_bound(
                here, spectral, a, out_i, out_j, source, value, rows, cols, mix, channels[0], norm_s, weights, s, m,
                res, work, jacobian, wide_pivots, inverted,
            )  # fmt: skip
        elif not res < np.inf:
            status[p] = NOT_FINITE
        elif res <= 1e-6:
            status[p] = SINGULAR
        else:
            status[p] = MAX_STEPS
        if kind != previous or kind == 0 or doubtful:
            known = 0
        if kind > 0 and not doubtful:
            known = record(here, s, known, places, table)
        previous = kind
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
        if doubtful or (
            done and here.imag == 0.0 and not res <= CERTAIN * tol and (not hermitian or not bound[p] < np.inf)
        ):
            status[p] = NOT_CERTIFIED
        steps[p] = spent
        residual[p] = res
