"""Vector Dyson equation ``-1/m_i = z - a_i + sum_j S_ij m_j`` over a sorted grid, on the real axis too.

Legend: m unknowns, a mean, S non-negative (fractions included), w_i = z - a_i + (S m)_i, so that the root has
``f_i = 1 + m_i w_i = 0``; x_i = dm_i / m_i the relative Newton step, ``A x = -f`` with
``A_ij = delta_ij m_i w_i + m_i S_ij m_j``. Long steps are taken as ``m_i exp(x_i)``: where S couples two groups of
rows only with each other and z is small, ``(t m, m / t)`` is nearly a solution for every t; the products must stay.

Guarded Newton (few unknowns) or Anderson's iteration (many) from a state in the upper half-plane, with averaged steps
``m <- (m - 1/w)/2`` where they do not help. At real z off the support the iterates sink to the axis; then a real root
is accepted only if the map contracts there: the matrix ``|m_i|^2 S_ij`` has spectral radius below one exactly if its
Collatz-Wielandt bound falls below one for some positive vector. Last resort: continuation from large Im z.
Source: Ajanki, Erdos, Kruger, Quadratic vector equations on complex upper half-plane (Memoirs AMS 2019); the algorithm
is derived.
"""

import math

import numpy as np

from ._jit import kernel
from .dense import factor, inverse_matrix, solve
from .iterate import extrapolate, remember
from .primitives import abs2, inverse

CONVERGED = 0
MAX_STEPS = 1
NOT_FINITE = 3
SINGULAR = 7

NEWTON_LIMIT = 20  # unknowns up to which Newton's linear algebra is cheaper than Anderson's extra evaluations
WINDOW = 5
EPS = 2.220446049250313e-16
LINEAR = 0.1  # relative step up to which m (1 + x) is as good as m exp(x)
LONGEST = 3.0  # relative step
START_HEIGHT = 30.0  # of a continuation, in units of the width of the law
DESCENT = 0.6  # ratio of its steps, nearer to one after a failure
SHORTEST = 0.97  # ratio at which it gives up
FLOOR = 1e-15  # height from which the last step to the axis is taken


@kernel(reassociate=True)
def product(s, re, im, out):
    """out = S (re + i im)."""
    n = re.size
    for i in range(n):
        total_re = 0.0
        total_im = 0.0
        for j in range(n):
            total_re += s[i, j] * re[j]
            total_im += s[i, j] * im[j]
        out[i] = complex(total_re, total_im)


@kernel
def evaluate(z, a, s, m, parts, w):
    """w = z - a + S m; returns max |1 + m w|, inf where not finite."""
    n = m.size
    for i in range(n):
        parts[0, i] = m[i].real
        parts[1, i] = m[i].imag
    product(s, parts[0], parts[1], w)
    worst = 0.0
    for i in range(n):
        w[i] += z - a[i]
        gap = abs2(1.0 + m[i] * w[i])
        if not gap < np.inf:
            return np.inf
        worst = max(worst, gap)
    return math.sqrt(worst)


@kernel
def stable(s, m, parts, jacobian, pivots, check):
    """Spectral radius of the matrix |m_i|^2 S_ij: below one (1), above one (-1), or too near one to tell (0).

    ``P y < y`` for one positive y proves it below one; ``(1 - P)^{-1} 1`` is such a y if there is any, and power
    iterations find one where there are too many unknowns for that.
    """
    n = m.size
    if n <= NEWTON_LIMIT:
        for i in range(n):
            for j in range(n):
                jacobian[i, j] = -abs2(m[i]) * s[i, j]
            jacobian[i, i] += 1.0
            check[i] = 1.0
        if factor(jacobian, pivots):
            solve(jacobian, pivots, check)
            proved = True
            for i in range(n):
                total = 0.0
                for j in range(n):
                    total += s[i, j] * check[j].real
                proved = proved and check[i].real > 0.0 and abs2(m[i]) * total < check[i].real
            if proved:
                return 1
    for i in range(n):
        parts[0, i] = 1.0
    for _ in range(400):
        low = np.inf
        high = 0.0
        top = 0.0
        for i in range(n):
            total = 0.0
            for j in range(n):
                total += s[i, j] * parts[0, j]
            parts[1, i] = abs2(m[i]) * total
            ratio = parts[1, i] / parts[0, i]
            low = min(low, ratio)
            high = max(high, ratio)
        if high < 1.0:
            return 1
        if low > 1.0:
            return -1
        for i in range(n):  # averaging keeps a bipartite S from oscillating
            parts[0, i] = parts[0, i] + parts[1, i]
            top = max(top, parts[0, i])
        for i in range(n):
            parts[0, i] = max(parts[0, i] / top, 1e-300)
    return 0


@kernel
def newton(z, a, s, m, averaged, budget, guard, tol, w, trial, trial_w, parts, jacobian, pivots, step, check):
    """Guarded Newton, m in and out. Returns (converged, evaluations, residual)."""
    n = m.size
    residual = evaluate(z, a, s, m, parts, w)
    evaluations = 1
    polished = 0
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
            for i in range(n):
                for j in range(n):
                    jacobian[i, j] = m[i] * s[i, j] * m[j]
                jacobian[i, i] += m[i] * w[i]
                step[i] = -(1.0 + m[i] * w[i])
            if factor(jacobian, pivots):
                solve(jacobian, pivots, step)
                largest = 0.0
                for i in range(n):
                    largest = max(largest, abs2(step[i]))
                largest = math.sqrt(largest)
                length = min(1.0, LONGEST / largest) if guard and largest > 0.0 else 1.0
                for _ in range(4):
                    inside = True
                    for i in range(n):
                        change = length * step[i]
                        if guard and length * largest > LINEAR:
                            grown = math.exp(change.real)
                            factor_i = complex(grown * math.cos(change.imag), grown * math.sin(change.imag))
                        else:
                            factor_i = 1.0 + change
                        trial[i] = m[i] * factor_i
                        if guard and not trial[i].imag > 0.0:
                            inside = False
                    if inside:
                        now = evaluate(z, a, s, trial, parts, trial_w)
                        evaluations += 1
                        if now < residual * (1.0 - 0.25 * length):
                            accepted = True
                            break
                        if guard and now < np.inf:
                            # Deuflhard's natural test: the next simplified step is shorter, whatever the residual does
                            for i in range(n):
                                check[i] = -(1.0 + trial[i] * trial_w[i])
                            solve(jacobian, pivots, check)
                            next_largest = 0.0
                            for i in range(n):
                                next_largest = max(next_largest, abs2(check[i]))
                            if math.sqrt(next_largest) < (1.0 - 0.25 * length) * largest:
                                accepted = True
                                break
                    length *= 0.5
            if not accepted and residual <= tol:
                return True, evaluations, residual
        if not accepted:
            for i in range(n):
                trial[i] = 0.5 * (m[i] - inverse(w[i]))
            now = evaluate(z, a, s, trial, parts, trial_w)
            evaluations += 1
        residual = now
        for i in range(n):
            m[i] = trial[i]
            w[i] = trial_w[i]
    return residual <= tol, evaluations, residual


@kernel
def anderson(z, a, s, m, budget, guard, tol, w, target, gap, old, parts, moves, gaps, normal, right, pivots):
    """Anderson's iteration on the averaged map, m in and out. Returns (converged, evaluations, residual)."""
    n = m.size
    residual = np.inf
    for count in range(budget):
        residual = evaluate(z, a, s, m, parts, w)
        if not residual < np.inf or residual <= tol:
            return residual <= tol, count + 1, residual
        for i in range(n):
            target[i] = 0.5 * (m[i] - inverse(w[i]))
            gap[i] = target[i] - m[i]
        mixed = False
        if count > 0:
            remember((count - 1) % WINDOW, target, gap, old[0], old[1], moves, gaps)
            mixed = extrapolate(min(count, WINDOW), moves, gaps, target, gap, normal, right, pivots, m)
            for i in range(n):
                if not abs2(m[i]) < np.inf or (guard and not m[i].imag > 0.0):
                    mixed = False
        for i in range(n):
            old[0, i] = target[i]
            old[1, i] = gap[i]
            if not mixed:
                m[i] = target[i]
    return False, budget, residual


@kernel
def error_bound(eta, s, m, w, weights, residual, jacobian, inverted, parts):
    """Newton-Kantorovich bound on |sum weights m - truth|; nan where it does not apply.

    In relative steps x the equation is quadratic with second derivative at most ``2 max_i |m_i| sum_j S_ij |m_j|``.
    """
    n = m.size
    curvature = 0.0
    noise = 0.0
    for i in range(n):
        parts[0, i] = math.sqrt(abs2(m[i]))
    for i in range(n):
        total = 0.0
        for j in range(n):
            total += s[i, j] * parts[0, j]
        curvature = max(curvature, 2.0 * parts[0, i] * total)
        noise = max(noise, (n + 8.0) * EPS * parts[0, i] * (math.sqrt(abs2(w[i])) + 2.0 * total))
    if n <= NEWTON_LIMIT:
        for i in range(n):
            for j in range(n):
                jacobian[i, j] = m[i] * s[i, j] * m[j]
            jacobian[i, i] += m[i] * w[i]
        if not inverse_matrix(jacobian, inverted):
            return np.nan
        norm = 0.0
        for i in range(n):
            total = 0.0
            for j in range(n):
                total += math.sqrt(abs2(inverted[i, j]))
            norm = max(norm, total)
        spread = 1.0
    else:
        # (|m| S |m|) y = y (1 - eta |m|^2 / Im m) for y = Im m / |m|: a bound on the inverse in the norm max |x| / y
        gain = np.inf
        low = np.inf
        high = 0.0
        for i in range(n):
            if not m[i].imag > 0.0:
                return np.nan
            gain = min(gain, eta * abs2(m[i]) / m[i].imag)
            low = min(low, m[i].imag / parts[0, i])
            high = max(high, m[i].imag / parts[0, i])
        if not gain > 0.0:
            return np.nan
        spread = high / low
        norm = spread / gain
    beta = norm * (residual + noise)
    if not beta * norm * curvature <= 0.25:
        return np.nan
    total = 0.0
    for i in range(n):
        total += abs(weights[i]) * parts[0, i]
    return 2.0 * beta * total + 4.0 * EPS * total


@kernel
def vector_sweep(z, a, s, weights, scale, start, use_start, tol, out, status, steps, residual, bound):
    """Solve at sorted points with Im z >= 0, each started from its solved neighbour.

    `start` (n_points, n) is used where `use_start`; status, steps, residual, bound are filled, one entry a point.
    """
    n = a.size
    buffers = np.empty((9, n), dtype=np.complex128)
    w, trial, trial_w, gap, step, old = buffers[0], buffers[1], buffers[2], buffers[3], buffers[4], buffers[5:7]
    good, check = buffers[7], buffers[8]
    parts = np.empty((2, n))
    jacobian = np.empty((n, n), dtype=np.complex128)
    inverted = np.empty((n, n), dtype=np.complex128)
    pivots = np.empty(n, dtype=np.int64)
    moves = np.empty((WINDOW, n), dtype=np.complex128)
    gaps = np.empty((WINDOW, n), dtype=np.complex128)
    normal = np.empty((WINDOW, WINDOW), dtype=np.complex128)
    right = np.empty(WINDOW, dtype=np.complex128)
    small_pivots = np.empty(WINDOW, dtype=np.int64)
    many = n > NEWTON_LIMIT
    previous = 0  # 0 unsolved, 1 in the half-plane, 2 real
    for p in range(z.size):
        here = z[p]
        m = out[p]
        spent = 0
        done = False
        res = np.inf
        for attempt in range(4):
            # 0 a real neighbour at real z, 1 a neighbour or guess above the axis, 2 cold, 3 continuation
            if attempt == 0:
                if not (previous == 2 and here.imag == 0.0) or use_start:
                    continue
                for i in range(n):
                    m[i] = out[p - 1, i]
                done, count, res = newton(
                    here, a, s, m, 0, 12, False, tol, w, trial, trial_w, parts, jacobian, pivots, step, check
                )
                spent += count
                done = done and stable(s, m, parts, jacobian, pivots, check) == 1
                if done:
                    break
                continue
            if attempt == 1:
                if not use_start and previous != 1:
                    continue
                for i in range(n):
                    m[i] = start[p, i] if use_start else out[p - 1, i]
            elif attempt == 2:
                for i in range(n):
                    total = 0.0
                    for j in range(n):
                        total += s[i, j]
                    m[i] = -inverse(here - a[i] + 1j * math.sqrt(total + 1e-300))
            height = here.imag
            if attempt == 3:
                height = START_HEIGHT * scale + here.imag
                for i in range(n):
                    m[i] = -inverse(complex(here.real, height) - a[i])
            usable = True
            for i in range(n):
                usable = usable and m[i].imag > 0.0
            if not usable:
                continue
            found = False
            reached = -1.0
            ratio = DESCENT
            while True:
                point = complex(here.real, height)
                found = False
                if many:
                    found, count, res = anderson(
                        point, a, s, m, 120 if attempt < 3 else 60, True, tol, w, trial, gap, old, parts, moves, gaps,
                        normal, right, small_pivots,
                    )  # fmt: skip
                    spent += count
                    if not found and not res < 1.0:
                        for i in range(n):
                            m[i] = -inverse(point - a[i] + 1j * scale)
                if not found:
                    found, count, res = newton(
                        point, a, s, m, 3 if attempt == 2 else 0, 60, True, tol, w, trial, trial_w, parts, jacobian,
                        pivots, step, check,
                    )  # fmt: skip
                    spent += count
                if height == here.imag and (found or reached < 0.0):
                    break
                if found:
                    reached = height
                    ratio = max(DESCENT, ratio * ratio)
                    for i in range(n):
                        good[i] = m[i]
                else:
                    if reached < 0.0:
                        break
                    ratio = math.sqrt(ratio)
                    for i in range(n):
                        m[i] = good[i]
                    if ratio > SHORTEST or reached * ratio < FLOOR * scale:
                        break
                height = max(here.imag, reached * ratio)
                if height < FLOOR * scale:
                    height = here.imag
            if here.imag > 0.0:
                done = found
            else:
                # how far above the axis: in the bulk this is the density, off the support only a remainder
                lift = 0.0
                for i in range(n):
                    lift = max(lift, m[i].imag / math.sqrt(abs2(m[i])))
                done = found and lift > 1e-7
                if not done or lift < 1e-4:
                    for i in range(n):
                        old[0, i] = m[i]
                        m[i] = complex(m[i].real, 0.0)
                    real, count, real_res = newton(
                        here, a, s, m, 0, 30, False, tol, w, trial, trial_w, parts, jacobian, pivots, step, check
                    )
                    spent += count
                    if real and stable(s, m, parts, jacobian, pivots, check) == 1:
                        done = True
                        res = real_res
                    else:
                        for i in range(n):
                            m[i] = old[0, i]
            if done:
                break
        res = evaluate(here, a, s, m, parts, w)
        steps[p] = spent
        residual[p] = res
        bound[p] = np.nan
        above = True
        for i in range(n):
            above = above and m[i].imag > 0.0
        previous = 0
        if done:
            status[p] = CONVERGED
            previous = 1 if above else 2
            bound[p] = error_bound(here.imag, s, m, w, weights, res, jacobian, inverted, parts)
        elif not res < np.inf:
            status[p] = NOT_FINITE
        elif res <= 1e-6:
            status[p] = SINGULAR
        else:
            status[p] = MAX_STEPS
