"""Train and test error of ridge regression on spiked features, at solved states of their bulk, point by point.

    (diag(1/G) + F) c = Y,   F = E[sum_i f^i f^iT / (1+V)],   Y = E[(t0 f^0 + t1 f^1) / (1+V)]                      (1)
    e0 = t2 - 2 (a^0 t0 + a^1 t1) + (a^0)^2 + (a^1)^2 + (a^2)^2,   a^i = f^i . c                                    (2)
    (R, O) = response to  b_k = r E[eps mu2sq_k / (1+V)^2] + sum_{j of class k} c_j^2 / (G_j q_k),
                          a = r E[eps mu1 mu1^T / (1+V)^2],     eps = e0 + mu1^T O mu1 + sum_k mu2sq_k R_k           (3)
    test = E[eps],   train = E[eps / (1+V)^2]                                                                        (4)

where the response (dq, dQ) to sources (b, a) on the two traces solves, with P = (I + beta A diag q)^-1 and T = P A,

    (diag(pi/q^2) - beta T o T) dq = b + diag(P a P^T),   dQ = Q (diag(dq/q^2) + beta a) Q.                          (5)

Source: derived; (1) to (4) with one class are in arXiv:2402.04980.

Legend
    ell, ratio       -z = lam p/n and r = p/n at every point
    state[j]         q_k, then the upper triangle of Q (see `spiked_features`), real
    rows, w, pi      mu2sq_k and mu1_a mu1_b on the kappa grid, its weights, fractions of the classes
    latent[i, j]     f^i_j on the grid: constant in the second latent variable tau, linear in it, fluctuation of |x|^2
    level, owner     1/G_j = level_j / q_owner(j)
    target[i]        t0 = E[y|kappa], t1 = E[tau y|kappa], t2 = E[y^2|kappa]
    errors           columns TEST .. NOISE below
    readout, response   c and (R, O)
"""

import numpy as np

from ._jit import kernel
from .dense import factor, solve

# columns of `errors`: the two errors, E[V/(1+V)], Psi = min |y - Phi b|^2 / n + ell |b|^2, then moments of the
# prediction
TEST, TRAIN, FREEDOM, PSI, CROSS0, SQUARE0, CROSS1, SQUARE1, SQUARE2, LINEAR, NOISE = range(11)


@kernel(reassociate=True)
def ridge_points(
    ell, ratio, state, rows, w, pi, beta, latent, level, owner, target, errors, readout, response
):  # fmt: skip
    """Fill `errors` (n, 11), `readout` (n, J) and `response` (n, D); returns the first singular point, or n."""
    d, n = rows.shape
    k, size = pi.size, level.size
    first, second = np.zeros(d, np.int64), np.zeros(d, np.int64)  # classes of a state entry
    fold = np.ones(d)
    j = 0
    for a in range(k):
        first[a], second[a] = a, a
        for b in range(a, k):
            first[k + j], second[k + j] = a, b
            fold[k + j] = 1.0 if a == b else 2.0
            j += 1
    one, two, eps = np.empty(n), np.empty(n), np.empty(n)  # w/(1+V), w/(1+V)^2, error given kappa
    mean = np.empty((3, n))
    overlap, scale = np.empty((d, d)), np.empty(max(d, size))
    gram, right = np.empty((size, size), np.complex128), np.empty(size, np.complex128)
    system, answer = np.empty((d, d), np.complex128), np.empty(d, np.complex128)
    pivots_r, pivots_s = np.empty(size, np.int64), np.empty(d, np.int64)
    q_matrix, a_matrix, t_matrix = np.empty((k, k)), np.empty((k, k)), np.empty((k, k))
    half, source, column = np.empty((k, k)), np.empty(d), np.empty(d)
    for s in range(ell.size):
        r = ratio[s]
        for i in range(n):
            one[i] = 1.0
        for j in range(d):
            factor_j = r * fold[j] * state[s, j]
            for i in range(n):
                one[i] += factor_j * rows[j, i]
        for i in range(n):
            two[i] = w[i] / (one[i] * one[i])
            one[i] = w[i] / one[i]

        # (1): readout on the latent directions, rows scaled to a unit diagonal
        for a in range(size):
            for b in range(a + 1):
                total = 0.0
                for c in range(3):
                    for i in range(n):
                        total += one[i] * latent[c, a, i] * latent[c, b, i]
                if a == b:
                    total += level[a] / state[s, owner[a]]
                    scale[a] = 1.0 / np.sqrt(total) if total > 0.0 else 0.0
                    total = total if total > 0.0 else 1.0
                gram[a, b] = total
                gram[b, a] = total
            total = 0.0
            for c in range(2):
                for i in range(n):
                    total += one[i] * latent[c, a, i] * target[c, i]
            right[a] = total
        psi = 0.0
        for i in range(n):
            psi += one[i] * target[2, i]
        for a in range(size):
            for b in range(size):
                gram[a, b] *= scale[a] * scale[b] if a != b or scale[a] > 0.0 else 1.0
            readout[s, a] = right[a].real
            right[a] *= scale[a]
        if not factor(gram, pivots_r):
            return s
        solve(gram, pivots_r, right)
        for c in range(3):
            for i in range(n):
                mean[c, i] = 0.0
        for a in range(size):
            value = right[a].real * scale[a]
            psi -= readout[s, a] * value
            readout[s, a] = value
            for c in range(3):
                for i in range(n):
                    mean[c, i] += value * latent[c, a, i]

        # (2)
        for i in range(n):
            eps[i] = target[2, i] - 2.0 * (mean[0, i] * target[0, i] + mean[1, i] * target[1, i])
            for c in range(3):
                eps[i] += mean[c, i] * mean[c, i]

        # (5): the matrices of the response
        for j in range(k, d):
            q_matrix[first[j], second[j]] = state[s, j]
            q_matrix[second[j], first[j]] = state[s, j]
            total = 0.0
            for i in range(n):
                total += one[i] * rows[j, i]
            a_matrix[first[j], second[j]] = total
            a_matrix[second[j], first[j]] = total
        for a in range(k):  # P = diag(1/q) Q
            for b in range(k):
                t_matrix[a, b] = 0.0
                for c in range(k):
                    t_matrix[a, b] += q_matrix[a, c] * a_matrix[c, b] / state[s, a]
            scale[a] = state[s, a]
        for j in range(k, d):
            scale[j] = np.sqrt(q_matrix[first[j], first[j]] * q_matrix[second[j], second[j]])

        # (3): unknowns and right-hand side
        for j in range(d):
            for m in range(j + 1):
                total = 0.0
                for i in range(n):
                    total += two[i] * rows[j, i] * rows[m, i]
                overlap[j, m] = total
                overlap[m, j] = total
            total = 0.0
            for i in range(n):
                total += two[i] * rows[j, i] * eps[i]
            source[j] = r * total
        for a in range(size):
            source[owner[a]] += level[a] * (readout[s, a] / state[s, owner[a]]) ** 2
        _respond(source, q_matrix, state[s], pi, beta, first, second, half, column)
        for i in range(d):
            answer[i] = column[i] / scale[i]
        for j in range(d):
            for i in range(d):
                source[i] = r * fold[j] * overlap[i, j]
            _respond(source, q_matrix, state[s], pi, beta, first, second, half, column)
            for i in range(d):
                if j < k and i < k:
                    column[i] += beta * t_matrix[i, j] * t_matrix[i, j] * state[s, i] * state[s, i] / pi[i]
                elif j < k:
                    column[i] += q_matrix[first[i], j] * q_matrix[j, second[i]] / (state[s, j] * state[s, j])
                system[i, j] = ((1.0 if i == j else 0.0) * scale[j] - column[i] * scale[j]) / scale[i]
        if not factor(system, pivots_s):
            return s
        solve(system, pivots_s, answer)

        # (4)
        for c in range(11):
            errors[s, c] = 0.0
        for i in range(n):
            for c in range(2):
                errors[s, CROSS0 + 2 * c] += w[i] * mean[c, i] * target[c, i]
            for c in range(3):
                errors[s, SQUARE0 + (2 * c if c < 2 else 3)] += w[i] * mean[c, i] * mean[c, i]
        for j in range(d):
            value = answer[j].real * scale[j]
            response[s, j] = value
            total = 0.0
            for i in range(n):
                total += w[i] * rows[j, i]
                eps[i] += fold[j] * value * rows[j, i]
            errors[s, NOISE if j < k else LINEAR] += fold[j] * value * total
        for i in range(n):
            errors[s, TEST] += w[i] * eps[i]
            errors[s, TRAIN] += two[i] * eps[i]
            errors[s, FREEDOM] += w[i] - one[i]
        errors[s, PSI] = psi
    return ell.size


@kernel
def _respond(source, q_matrix, q, pi, beta, first, second, half, out):
    """out <- ((q^2 b + diag(Q a Q)) / pi, beta Q a Q) for the sources (b, a) in `source`."""
    k, d = pi.size, out.size
    for a in range(k):
        for b in range(k):
            half[a, b] = 0.0
    for j in range(k, d):  # half = Q a
        for b in range(k):
            half[b, second[j]] += q_matrix[b, first[j]] * source[j]
            if first[j] != second[j]:
                half[b, first[j]] += q_matrix[b, second[j]] * source[j]
    for j in range(k, d):
        total = 0.0
        for c in range(k):
            total += half[first[j], c] * q_matrix[c, second[j]]
        out[j] = beta * total
        if first[j] == second[j]:
            out[first[j]] = (q[first[j]] * q[first[j]] * source[first[j]] + total) / pi[first[j]]
