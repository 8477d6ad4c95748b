"""Spiked features: K neuron classes phi_i(x) = sigma(u_k kappa + s_k <w_i, x>), covariance Phi^T Phi / n.

    V(kappa) = r [mu1^T Q mu1 + sum_k mu2sq_k q_k]                                             (1)
    A = E[mu1 mu1^T / (1 + V)],   B_k = E[mu2sq_k / (1 + V)]                                   (2)
    T = (I + beta A diag q)^-1 A                                                               (3)
    q_k = pi_k / (-z + B_k + T_kk),   Q = (diag(1/q) + beta A)^-1,   m = sum_k q_k             (4)

Source: derived by leave-one-out over samples given kappa = <v, x>, then over rows of W0; compare arXiv:2410.18938.

Legend
    r, beta          p/n and p/d
    pi[k]            fraction of the neurons in class k
    h[j, i]          rows mu2sq_k (k < K), then mu1_a mu1_b for a <= b, on the kappa grid i; D = K (K + 3) / 2 rows
    w[i], step       Gaussian weights of the kappa grid (odd, symmetric), sum 1, and its step
    x[j]             state in the same order: q_k, then the upper triangle of Q
    model            the tuple (h, w, pi, r, beta, step)

The map sends {Im q > 0, Im Q > 0} into itself when Im z > 0, so a fixed point there is the physical one. On the real
axis a fixed point there with a regular Jacobian, or a real fixed point whose derivative x'(z) is positive (then the
spectral radius of the map's derivative, a positive operator, is below one), continues into that set: also physical.
All arithmetic is complex; states that are exactly real stay so, and the loops over the grid then skip imaginary parts.
"""

import numpy as np

from ._jit import kernel
from .dense import inverse_matrix
from .primitives import abs2, inverse
from .trapezoid_poles import correct_moments

# Where an iterate must stay: anywhere, Im > 0 (complex z), real and > 0 (z < 0). Floats, because numba would compile
# every caller once for each integer constant.
FREE, UPPER, POSITIVE = 0.0, 1.0, 2.0


@kernel(reassociate=True)
def _grid_moments(x, h, w, r, step, first, second):
    """first[j] = E[h_j / (1+V)]; unless empty, second[i, j] = E[h_i h_j / (1+V)^2]. False where 1+V vanishes."""
    d, n = h.shape
    k = _classes(d)
    v_re, v_im = np.zeros(n), np.zeros(n)
    real = True
    j = 0
    for a in range(-1, k):  # a = -1: the rows mu2sq; then the pairs (a, b)
        for b in range(k if a < 0 else k - a):
            fold = 2.0 * r if a >= 0 and b > 0 else r  # an off-diagonal Q_ab counts twice
            c_re, c_im = fold * x[j].real, fold * x[j].imag
            for i in range(n):
                v_re[i] += c_re * h[j, i]
            if c_im != 0.0:
                real = False
                for i in range(n):
                    v_im[i] += c_im * h[j, i]
            j += 1
    y_re, y_im = np.empty(n), np.empty(n)  # 1 / (1 + V)
    for i in range(n):
        v_re[i] += 1.0
        den = v_re[i] * v_re[i] + v_im[i] * v_im[i]
        if den == 0.0:
            return False
        y_re[i] = v_re[i] / den
        y_im[i] = -v_im[i] / den
    for j in range(d):
        s_re, s_im = 0.0, 0.0
        for i in range(n):
            s_re += h[j, i] * w[i] * y_re[i]
        if not real:
            for i in range(n):
                s_im += h[j, i] * w[i] * y_im[i]
        first[j] = complex(s_re, s_im)
    if second.shape[0] == 0:
        return correct_moments(v_re, v_im, h, w, step, first, second)
    t_re, t_im = np.empty(n), np.empty(n)
    for j in range(d):
        for i in range(n):
            t_re[i] = h[j, i] * w[i] * (y_re[i] * y_re[i] - y_im[i] * y_im[i])
            t_im[i] = h[j, i] * w[i] * 2.0 * y_re[i] * y_im[i]
        for m in range(j, d):
            s_re, s_im = 0.0, 0.0
            for i in range(n):
                s_re += h[m, i] * t_re[i]
            if not real:
                for i in range(n):
                    s_im += h[m, i] * t_im[i]
            second[j, m] = complex(s_re, s_im)
            second[m, j] = second[j, m]
    return correct_moments(v_re, v_im, h, w, step, first, second)


@kernel
def _classes(d):
    """K from D = K (K + 3) / 2."""
    k = 0
    while k * (k + 3) < 2 * d:
        k += 1
    return k


@kernel
def _unpack(x, k):
    """Symmetric matrix of the entries x[k:]."""
    out = np.empty((k, k), np.complex128)
    j = k
    for a in range(k):
        for b in range(a, k):
            out[a, b] = x[j]
            out[b, a] = x[j]
            j += 1
    return out


@kernel
def evaluate(z, x, model, image, jacobian, slope):
    """image <- the map at x; unless `jacobian` is empty, also its derivatives by x and by z (slope). False: singular.

    The new Q is made from the new q. Derivatives (P = (I + beta A diag q)^-1, primes: new values):
    dq' = q'^2 / pi (dz - dB - diag(P dA P^T) + beta T o T dq),   dQ' = Q' (diag(dq' / q'^2) - beta dA) Q'.
    """
    h, w, pi, r, beta, step = model
    d, k = h.shape[0], pi.size
    first = np.empty(d, np.complex128)
    second = np.empty((d if jacobian.shape[0] else 0, d), np.complex128)
    if not _grid_moments(x, h, w, r, step, first, second):
        return False
    a_matrix = _unpack(first, k)
    work = np.empty((k, k), np.complex128)
    p_matrix = np.empty((k, k), np.complex128)
    for a in range(k):
        for b in range(k):
            work[a, b] = beta * a_matrix[a, b] * x[b] + (1.0 if a == b else 0.0)
    if not inverse_matrix(work, p_matrix):
        return False
    t_matrix = np.zeros((k, k), np.complex128)
    for a in range(k):
        for b in range(k):
            for c in range(k):
                t_matrix[a, b] += p_matrix[a, c] * a_matrix[c, b]
    for a in range(k):
        image[a] = pi[a] * inverse(-z + first[a] + t_matrix[a, a])
        for b in range(k):
            work[a, b] = beta * a_matrix[a, b] + (inverse(image[a]) if a == b else 0.0)
    q_matrix = np.empty((k, k), np.complex128)
    if not inverse_matrix(work, q_matrix):
        return False
    j = k
    for a in range(k):
        for b in range(a, k):
            image[j] = 0.5 * (q_matrix[a, b] + q_matrix[b, a])
            j += 1
    if jacobian.shape[0] == 0:
        return True
    dq = np.empty(k, np.complex128)
    for a in range(k):
        slope[a] = image[a] * image[a] / pi[a]
        dq[a] = slope[a]
    for a in range(k):
        for b in range(k):
            work[a, b] = 0.0
    _matrix_response(q_matrix, image, dq, work, beta, slope)
    column = np.empty(d, np.complex128)
    derivative = np.empty(d, np.complex128)
    for j in range(d):
        fold = r if j < k or _on_diagonal(j, k) else 2.0 * r
        for i in range(d):
            column[i] = -fold * second[i, j]
        da = _unpack(column, k)
        for a in range(k):
            change = -column[a]
            for b in range(k):
                inner = complex(0.0, 0.0)
                for c in range(k):
                    inner += da[b, c] * p_matrix[a, c]
                change -= p_matrix[a, b] * inner
            if j < k:
                change += beta * t_matrix[a, j] * t_matrix[a, j]
            dq[a] = image[a] * image[a] / pi[a] * change
            derivative[a] = dq[a]
        _matrix_response(q_matrix, image, dq, da, beta, derivative)
        for i in range(d):
            jacobian[i, j] = derivative[i]
    return True


@kernel
def _matrix_response(q_matrix, q, dq, da, beta, out):
    """out[k:] <- upper triangle of Q (diag(dq / q^2) - beta dA) Q; `da` is overwritten."""
    k = q_matrix.shape[0]
    for a in range(k):
        for b in range(k):
            da[a, b] *= -beta
        da[a, a] += dq[a] * inverse(q[a] * q[a])
    half = np.zeros((k, k), np.complex128)
    for a in range(k):
        for b in range(k):
            for c in range(k):
                half[a, b] += q_matrix[a, c] * da[c, b]
    j = k
    for a in range(k):
        for b in range(a, k):
            total = complex(0.0, 0.0)
            for c in range(k):
                total += half[a, c] * q_matrix[c, b]
            out[j] = total
            j += 1


@kernel
def _on_diagonal(j, k):
    """Whether state entry j >= k is a diagonal entry of Q."""
    position = k
    for a in range(k):
        if j == position:
            return True
        position += k - a
    return False


@kernel
def scales(x, k, scale):
    """Size against which changes are measured: |q_k|, and sqrt|Q_aa Q_bb| for Q_ab."""
    for a in range(k):
        scale[a] = np.sqrt(abs2(x[a]))
    root = np.empty(k)
    j = k
    for a in range(k):
        root[a] = abs2(x[j]) ** 0.25
        j += k - a
    j = k
    for a in range(k):
        for b in range(a, k):
            scale[j] = root[a] * root[b]
            j += 1


@kernel
def largest(step, scale):
    """max |step| / scale; inf when not finite."""
    worst = 0.0
    for j in range(step.size):
        size = abs2(step[j])
        if not size < np.inf or not scale[j] > 0.0:
            return np.inf
        worst = max(worst, np.sqrt(size) / scale[j])
    return worst


@kernel
def inside(x, k, guard):
    """Whether q > 0 entry by entry and Q > 0 as a matrix, in imaginary (UPPER) or real (POSITIVE) parts."""
    if guard == FREE:
        return True
    for a in range(k):
        part = x[a].imag if guard == UPPER else x[a].real
        if not part > 0.0:
            return False
    low = np.empty((k, k))
    j = k
    for a in range(k):
        for b in range(a, k):
            low[b, a] = x[j].imag if guard == UPPER else x[j].real
            j += 1
    for a in range(k):  # Cholesky
        for c in range(a):
            low[a, a] -= low[a, c] * low[a, c]
        if not low[a, a] > 0.0:
            return False
        pivot = np.sqrt(low[a, a])
        for b in range(a + 1, k):
            for c in range(a):
                low[b, a] -= low[b, c] * low[a, c]
            low[b, a] /= pivot
    return True
