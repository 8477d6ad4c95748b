"""The map of the matrix Dyson equation, its derivative, and what proves a solution of it.

``M_k = -(zJ - A_k + S_k[M])^{-1}``; index k runs over the atoms of one deterministic letter (or coloured population),
without one there is a single k. Only the r averages of entries that enter ``S_k[M] = sum B M C`` are unknowns.

Legend: W_k = zJ - A_k + S_k[M], M_k = -W_k^{-1} (K x K); s the r unknowns,
s[e] = sum_k mix[k, e] M_k[rows[e], cols[e]]; S in coordinates: S_k[out_i[q], out_j[q]] += value[k, q] s[source[q]];
symmetric: all M_k are their own transposes, and s[e] is that of their entry (cols[e], rows[e]), too.
Derivative ``dM = M S[dM] M``, hence the Jacobian of s -> t(s),
``J[p, e] = sum_{k, q} mix[k, p] value[k, q] M_k[rows[p], out_i[q]] M_k[out_j[q], cols[p]]`` over source[q] = e.
"""

import math

import numpy as np

from ._jit import kernel
from .dense import factor, solve, solve_identity
from .primitives import abs2

EPS = 2.220446049250313e-16
NO = 0
YES = 1
HIDDEN = 2


@kernel(borrows=True)
def assemble(z, spectral, a, k, out_i, out_j, source, value, s, w):
    """w = zJ - A_k + S_k[s]."""
    side = w.shape[0]
    for i in range(side):
        for j in range(side):
            w[i, j] = -a[k, i, j]
        w[i, i] += z * spectral[i]
    for q in range(source.size):
        w[out_i[q], out_j[q]] += value[k, q] * s[source[q]]


@kernel(borrows=True)
def row_size(m, i):
    """Largest entry of row i over the stack, squared: the yardstick of everything in that row."""
    size = 0.0
    for k in range(m.shape[0]):
        for j in range(m.shape[1]):
            size = max(size, abs2(m[k, i, j]))
    return size


@kernel(borrows=True)
def evaluate(z, spectral, a, out_i, out_j, source, value, rows, cols, mix, symmetric, s, m, t, work, pivots, sizes):
    """M_k = -W_k^{-1} and the averages t of their entries; returns (residual, merit), inf where W is singular.

    The residual is max |t - s| relative to the sizes of the rows of M, which may differ by many orders near an atom;
    the merit is relative to the geometric means of those of s and t: too small a state is as bad as too large a one.
    """
    atoms, side, r = a.shape[0], a.shape[1], rows.size
    for e in range(r):
        t[e] = 0.0
    regular = True
    for k in range(atoms):
        assemble(z, spectral, a, k, out_i, out_j, source, value, s, work)
        regular = regular and factor(work, pivots)
        if regular:
            solve_identity(work, pivots, -1.0, m[k])
            if symmetric:  # rounding is not
                for i in range(side):
                    for j in range(i):
                        m[k, i, j] = m[k, j, i] = 0.5 * (m[k, i, j] + m[k, j, i])
            for e in range(r):
                t[e] += mix[k, e] * m[k, rows[e], cols[e]]
    residual = 0.0
    merit = 0.0
    for i in range(side):
        sizes[0, i] = row_size(m, i)
        regular = regular and sizes[0, i] < np.inf
        sizes[1, i] = 1e-30 * sizes[0, i]
    for e in range(r):
        total = 0.0
        for k in range(atoms):
            total += mix[k, e]
        if total > 0.0:
            own = abs2(s[e]) / (total * total)
            sizes[1, rows[e]] = max(sizes[1, rows[e]], own)
            sizes[1, cols[e]] = max(sizes[1, cols[e]], own)
    for i in range(side):
        # squared residual and merit are products of one factor a row
        size = math.sqrt(sizes[0, i])
        sizes[0, i] = 1.0 / size
        sizes[1, i] = 1.0 / math.sqrt(size * math.sqrt(sizes[1, i]))
    for e in range(r):
        gap = abs2(t[e] - s[e])
        regular = regular and gap < np.inf
        if gap > 0.0:
            total = 0.0
            for k in range(atoms):
                total += mix[k, e]
            i, j = rows[e], cols[e]
            gap /= total * total
            residual = max(residual, gap * sizes[0, i] * sizes[0, j])
            merit = max(merit, gap * sizes[1, i] * sizes[1, j])
    if not regular:
        return np.inf, np.inf
    return math.sqrt(residual), math.sqrt(merit)


@kernel(borrows=True)
def definite(m, slack, work, sizes):
    """Whether (M - M*)/2i + slack |M| is positive definite for every M in the stack; |M| row by row."""
    side = m.shape[1]
    for i in range(side):
        sizes[0, i] = slack * math.sqrt(row_size(m, i)) if slack != 0.0 else 0.0
    for k in range(m.shape[0]):
        for i in range(side):
            for j in range(i + 1):
                work[i, j] = -0.5j * (m[k, i, j] - m[k, j, i].conjugate())
        for c in range(side):
            pivot = work[c, c].real + sizes[0, c]
            if not pivot > 0.0:
                return False
            share = 1.0 / pivot
            for i in range(c + 1, side):
                factor_ic = work[i, c] * share
                for j in range(c + 1, i + 1):
                    work[i, j] -= factor_ic * work[j, c].conjugate()
    return True


@kernel(borrows=True)
def positive(m, slack, work, sizes):
    """Whether (M - M*)/2i + slack |M| is positive definite for every M in the stack; |M| row by row."""
    if slack > 0.0 and definite(m, 0.0, work, sizes):
        return True  # without asking for the sizes
    return definite(m, slack, work, sizes)


@kernel(borrows=True)
def height_of(m, sizes):
    """Largest entry of (M - M*)/2i relative to the sizes of its row and column."""
    worst = 0.0
    for i in range(m.shape[1]):
        sizes[0, i] = math.sqrt(row_size(m, i))
        for j in range(i + 1):
            gap = 0.0
            for k in range(m.shape[0]):
                gap = max(gap, abs2(m[k, i, j] - m[k, j, i].conjugate()))
            if gap > 0.0:
                worst = max(worst, gap / (sizes[0, i] * sizes[0, j]))
    return 0.5 * math.sqrt(worst)


@kernel(borrows=True)
def build_jacobian(out_i, out_j, source, value, rows, cols, mix, m, jacobian):
    """jacobian = 1 - d t / d s."""
    r = rows.size
    for p in range(r):
        for q in range(r):
            jacobian[p, q] = 1.0 if p == q else 0.0
    for k in range(m.shape[0]):
        for q in range(source.size):
            i, j, e = out_i[q], out_j[q], source[q]
            row = -1
            left = 0j
            for p in range(r):
                if rows[p] != row:  # unknowns come row by row
                    row = rows[p]
                    left = value[k, q] * m[k, row, i]
                jacobian[p, e] -= mix[k, p] * (left * m[k, j, cols[p]])


@kernel(borrows=True)
def stable(out_i, out_j, source, value, rows, cols, mix, m, step, full, work, jacobian, wide_pivots, sizes):
    """Whether Y -> T[Y] = M S[Y] M has spectral radius below one, for Hermitian M: YES, NO or HIDDEN by rounding.

    T maps positive matrices to such, so it does if and only if the Y with Y - T[Y] = 1 is positive. What rounding
    leaves of that equation must not exceed 1/2; then Y - T[Y] > 0, which is as good.
    """
    build_jacobian(out_i, out_j, source, value, rows, cols, mix, m, jacobian)
    for e in range(rows.size):
        step[e] = 0.0
        if rows[e] == cols[e]:
            for k in range(m.shape[0]):
                step[e] += mix[k, e]
    if not factor(jacobian, wide_pivots):
        return HIDDEN
    solve(jacobian, wide_pivots, step)
    driven(1.0, out_i, out_j, source, value, step, m, full)
    answer = YES if positive(full, 0.0, work, sizes) else NO
    for e in range(rows.size):
        for k in range(m.shape[0]):
            step[e] += 1j * mix[k, e] * full[k, rows[e], cols[e]]
    for _ in range(2):
        driven(0.5, out_i, out_j, source, value, step, m, full)
        if not positive(full, 0.0, work, sizes):
            return HIDDEN
        for e in range(rows.size):
            step[e] = -step[e]
    return answer


@kernel(borrows=True)
def driven(share, out_i, out_j, source, value, y, m, full):
    """full = i (share + M S[y] M), times i so that `positive` reads it."""
    side = m.shape[1]
    for k in range(m.shape[0]):
        for i in range(side):
            for j in range(side):
                full[k, i, j] = complex(0.0, share) if i == j else 0j
        for q in range(source.size):
            weight = 1j * value[k, q] * y[source[q]]
            for i in range(side):
                for j in range(side):
                    full[k, i, j] += weight * m[k, i, out_i[q]] * m[k, out_j[q], j]


@kernel(borrows=True)
def error_bound(
    z, spectral, a, out_i, out_j, source, value, rows, cols, mix, share, norm_s, weights, s, m, residual, work,
    jacobian, wide_pivots, inverted,
):  # fmt: skip
    """Newton-Kantorovich bound on |sum weights diag sum_k share_k M_k - truth|; nan where it does not apply.

    Second derivative of s -> M_k: at most 2 |M_k|^3 |S_k|^2 (Frobenius norms), |M| growing by at most 4/3 within the
    radius.
    """
    side = m.shape[1]
    r = rows.size
    build_jacobian(out_i, out_j, source, value, rows, cols, mix, m, jacobian)
    if not factor(jacobian, wide_pivots):
        return np.nan
    solve_identity(jacobian, wide_pivots, 1.0, inverted)
    norm = 0.0
    for p in range(r):
        for q in range(r):
            norm += abs2(inverted[p, q])
    norm = math.sqrt(norm)
    growth = 4.0 / 3.0
    noise = 0.0
    lipschitz = 0.0
    largest = 0.0
    gain = 0.0
    own_noise = 0.0
    steepest = 0.0
    for k in range(m.shape[0]):
        assemble(z, spectral, a, k, out_i, out_j, source, value, s, work)
        size = 0.0
        image = 0.0
        for i in range(side):
            for j in range(side):
                size += abs2(m[k, i, j])
                image += abs2(work[i, j])
        size = math.sqrt(size)
        part = 0.0
        for e in range(r):
            part = max(part, mix[k, e])
        rounding = 4.0 * side * EPS * size * size * math.sqrt(image)
        noise += part * rounding
        own_noise += share[k] * rounding
        lipschitz += part * 2.0 * norm * (growth * size) ** 3 * norm_s[k] * norm_s[k]
        gain += share[k] * size * size * growth * norm_s[k]
        steepest = max(steepest, norm_s[k] * size)
        largest = max(largest, size)
    widest = 0.0
    for e in range(r):
        part = 0.0
        for k in range(m.shape[0]):
            part += mix[k, e]
        widest = max(widest, part)
    beta = norm * (math.sqrt(float(r)) * residual * largest * widest + noise)
    if not (beta * lipschitz <= 0.25 and 2.0 * beta * steepest <= 0.25):
        return np.nan
    total = 0.0
    for i in range(side):
        total += abs(weights[i])
    return total * (gain * 2.0 * beta + own_noise)
