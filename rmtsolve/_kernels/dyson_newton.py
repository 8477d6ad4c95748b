"""Newton's iteration for the matrix Dyson equation at one point; the legend is in `dyson_map`.

Guarded, with halving line search: the merit must fall and Im M = (M - M*)/2i stay positive semidefinite; averaged steps
where that fails; continuation from large Im z as last resort. Near the solution a full step leaves ``rate`` times the
square of the error before it, so it is known in advance when the factors of the Jacobian can be used twice, and when
all that is left is rounding. Source: Helton, Rashidi Far, Speicher (IMRN 2007) for the averaged iteration; the rest
derived.
"""

import math

import numpy as np

from ._jit import kernel
from .dense import factor, solve
from .dyson_map import EPS, build_jacobian, evaluate, positive
from .primitives import abs2, inverse

START_HEIGHT = 30.0  # of a continuation, in units of the width of the law
DESCENT = 0.6  # ratio of its steps
FLOOR = 1e-15  # height from which the last step to the axis is taken
ROUNDING = 1e3  # tolerances within which a residual that stops falling is rounding
NOTHING = 0.01 * EPS  # residual that counts as none
USUAL = 64.0 * EPS  # residual up to which rounding explains it where the error is gone


@kernel(borrows=True)
def newton(
    z, spectral, a, out_i, out_j, source, value, rows, cols, mix, symmetric, s, averaged, budget, guard, bold, tol, m,
    t, trial, trial_m, trial_t, step, work, pivots, jacobian, wide_pivots, sizes,
):  # fmt: skip
    """Guarded Newton, s in and out, m its matrices. Returns (converged, evaluations, residual).

    `guard` keeps Im M positive; `bold` takes Newton's steps whether the merit falls or not: near a hard edge the way to
    the root is curved and leads over worse states. `averaged` steps come first; if it is negative, as for predicted
    states, the iteration ends where a full step of Newton's does not help.
    """
    r = s.size
    side = a.shape[1]
    residual, merit = evaluate(
        z, spectral, a, out_i, out_j, source, value, rows, cols, mix, symmetric, s, m, t, work, pivots, sizes
    )
    evaluations = 1
    polished = 0
    now, gain = residual, merit
    before = np.inf  # residual where the Jacobian was factored last
    rate = np.inf  # residual after the full step from there, relative to its square
    expected = np.inf  # what the last step leaves of the residual, but for rounding
    while evaluations < budget:
        if not residual < np.inf:
            return False, evaluations, residual
        if residual <= tol:
            if polished == 2 or residual <= 4.0 * EPS or (residual <= USUAL and expected <= NOTHING):
                return True, evaluations, residual
            polished += 1
        accepted = False
        expected = np.inf
        if averaged > 0:
            averaged -= 1
            rate = np.inf
        else:
            # the old factors leave 2 rate before residual, as the Jacobian changes in proportion to the step
            reuse = 2.0 * rate * before * residual <= NOTHING
            regular = True
            if not reuse:
                build_jacobian(out_i, out_j, source, value, rows, cols, mix, m, jacobian)
                regular = factor(jacobian, wide_pivots)
            if regular:
                for e in range(r):
                    step[e] = t[e] - s[e]
                solve(jacobian, wide_pivots, step)
                length = 1.0
                for _ in range(4 if averaged == 0 and not reuse else 1):
                    for e in range(r):
                        trial[e] = s[e] + length * step[e]
                    now, gain = evaluate(
                        z, spectral, a, out_i, out_j, source, value, rows, cols, mix, symmetric, trial, trial_m,
                        trial_t, work, pivots, sizes,
                    )  # fmt: skip
                    evaluations += 1
                    if gain < merit * (1.0 - 0.25 * length) or (bold and gain < np.inf):
                        if not guard or positive(trial_m, 1e-12, work, sizes):
                            accepted = True
                            break
                    length *= 0.5
                if reuse:
                    expected = NOTHING
                    rate = np.inf  # new factors next time
                    if not (accepted and now < 0.5 * residual):
                        continue
                else:
                    expected = rate * residual * residual
                    before = residual
                    rate = now / (residual * residual)
                    if length < 1.0:
                        expected = np.inf
                        rate = np.inf
            if not accepted and residual <= tol:
                return True, evaluations, residual
            if not accepted and averaged < 0:
                return False, evaluations, residual
        if not accepted:
            for e in range(r):
                trial[e] = 0.5 * (s[e] + t[e])
            now, gain = evaluate(
                z, spectral, a, out_i, out_j, source, value, rows, cols, mix, symmetric, trial, trial_m, trial_t, work,
                pivots, sizes,
            )  # fmt: skip
            evaluations += 1
            expected = np.inf
            rate = np.inf
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


@kernel(borrows=True)
def descend(
    z, scale, spectral, a, out_i, out_j, source, value, rows, cols, mix, symmetric, s, good, tol, m, t, trial, trial_m,
    trial_t, step, work, pivots, jacobian, wide_pivots, sizes,
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
            complex(z.real, height), spectral, a, out_i, out_j, source, value, rows, cols, mix, symmetric, s,
            3 if fresh else 0, 25, True, True, tol, m, t, trial, trial_m, trial_t, step, work, pivots, jacobian,
            wide_pivots, sizes,
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
