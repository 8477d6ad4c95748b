"""Edges of the maps of `anchored` to the last digit: critical points and their table in double-double.

Legend
------
t, g           poles and positive weights of ``K(v) = K_0 + sum_j g_j / (t_j - v)``
v_e, e         critical point and edge, as unevaluated sums hi + lo
noise          ``F = v q^2 + d q``, q = 1 - kappa K; the table holds ``A = 2 v_e q_e + d``, q_e and ``r_e = q'(v_e)``
samples        ``F = N / S``; the table holds ``C_e = C(v_e)`` and C', C the coefficient of -K in ``N - e S``, which is
               linear in v, and alpha and beta at v_e
q0             F''/2, times S for samples

Source: derived.
"""

import math

import numpy as np

from ._jit import kernel
from .double_double import dd_add, dd_div, dd_mul, two_sum

EPS = 2.220446049250313e-16
NOISE, SAMPLES = 0, 1
# columns of the table of anchors
U, U_LO, E, E_LO, Q0, K_E, A_E, B_E, R_E, ALPHA, BETA = range(11)
COLUMNS = 11
# parameters: noise (kappa, d); samples (K_0, n, c, k, b, b', s), N = n v alpha, S = k beta + s v (K - K_0),
# alpha = 1 - c K and beta = b + b' K


@kernel
def _precise_sums(u, lo, t, g):
    """K - K_0 and sum g/(t - v)^2 in double-double, sum g/(t - v)^3 in double."""
    k = 0.0
    k_lo = 0.0
    p = 0.0
    p_lo = 0.0
    c = 0.0
    for j in range(t.size):
        d, d_lo = two_sum(t[j], -u)
        d, d_lo = two_sum(d, d_lo - lo)
        x, x_lo = dd_div(g[j], 0.0, d, d_lo)
        k, k_lo = dd_add(k, k_lo, x, x_lo)
        x, x_lo = dd_div(x, x_lo, d, d_lo)
        p, p_lo = dd_add(p, p_lo, x, x_lo)
        c += x / d
    return k, k_lo, p, p_lo, c


@kernel
def _line(a, b, u, lo):
    """a + b v in double-double."""
    x, x_lo = dd_mul(u, lo, b, 0.0)
    return dd_add(x, x_lo, a, 0.0)


@kernel
def polish_edge(kind, u, lo, fixed, t, g, par, row):
    """Newton's method for F' = 0 in double-double from an approximate critical point; fills `row`.

    `fixed`: a hard edge. For samples v_e is known then and e is 0 or 1; for noise e is 0, and v_e is the zero of q,
    which is one of F' as d = 0. Returns the relative size of the last move.
    """
    move = 0.0
    near = np.inf
    for j in range(t.size):
        near = min(near, abs((t[j] - u) - lo))
    size = max(near, EPS * abs(u))
    done = False
    for step in range(30):
        k, k_lo, p, p_lo, c = _precise_sums(u, lo, t, g)
        if kind == NOISE:
            kappa = par[0]
            q, q_lo = dd_mul(k, k_lo, -kappa, 0.0)
            q, q_lo = dd_add(q, q_lo, 1.0, 0.0)
            a, a_lo = dd_mul(u, lo, q, q_lo)
            a, a_lo = dd_add(2.0 * a, 2.0 * a_lo, par[1], 0.0)
            r, r_lo = dd_mul(p, p_lo, -kappa, 0.0)
            h, h_lo = dd_mul(a, a_lo, r, r_lo)
            x, x_lo = dd_mul(q, q_lo, q, q_lo)
            h, h_lo = dd_add(h, h_lo, x, x_lo)  # F'
            rate = 4.0 * q * r + 2.0 * u * r * r - 2.0 * a * kappa * c
        else:
            a, a_lo = dd_add(k, k_lo, par[0], 0.0)  # K
            m, m_lo = _line(1.0, -par[2], a, a_lo)  # alpha
            w, w_lo = _line(par[4], par[5], a, a_lo)  # beta
            n, n_lo = dd_mul(m, m_lo, u, lo)
            n, n_lo = dd_mul(n, n_lo, par[1], 0.0)
            r, r_lo = dd_mul(u, lo, p, p_lo)
            n1, n1_lo = dd_mul(r, r_lo, -par[2], 0.0)
            n1, n1_lo = dd_add(n1, n1_lo, m, m_lo)
            n1, n1_lo = dd_mul(n1, n1_lo, par[1], 0.0)
            s, s_lo = dd_mul(w, w_lo, par[3], 0.0)
            x, x_lo = dd_mul(u, lo, par[6], 0.0)
            x, x_lo = dd_mul(x, x_lo, k, k_lo)
            s, s_lo = dd_add(s, s_lo, x, x_lo)
            q, q_lo = dd_mul(par[3], 0.0, par[5], 0.0)
            s1, s1_lo = dd_mul(q, q_lo, p, p_lo)
            r, r_lo = dd_add(r, r_lo, k, k_lo)
            r, r_lo = dd_mul(r, r_lo, par[6], 0.0)
            s1, s1_lo = dd_add(s1, s1_lo, r, r_lo)
            h, h_lo = dd_mul(n1, n1_lo, s, s_lo)
            x, x_lo = dd_mul(n, n_lo, s1, s1_lo)
            h, h_lo = dd_add(h, h_lo, -x, -x_lo)  # N' S - N S'
            rate = -2.0 * par[1] * par[2] * (p + u * c) * s - 2.0 * n * (q * c + par[6] * (p + u * c))
            k, k_lo = a, a_lo
        if done or (fixed and kind == SAMPLES):
            break  # with everything taken at the last u
        move = (h + h_lo) / rate
        if not abs(move) < 0.25 * size:  # stay on this side of the poles
            move = math.copysign(0.25 * size, move) if abs(move) >= 0.0 else 0.0
        u, lo = dd_add(u, lo, -move, 0.0)
        done = step == 28 or abs(move) <= 1e-24 * max(abs(u), size) or abs(move) <= 1e-20 * size or abs(move) <= 1e-290
    row[U] = u
    row[U_LO] = lo
    row[K_E] = k + k_lo
    if kind == NOISE:
        x, x_lo = dd_mul(u, lo, q, q_lo)
        x, x_lo = dd_add(x, x_lo, par[1], 0.0)
        x, x_lo = dd_mul(q, q_lo, x, x_lo)
        row[B_E] = 0.0 if fixed else q + q_lo
        row[A_E] = 0.0 if fixed else a + a_lo
        row[R_E] = r + r_lo
        row[ALPHA] = row[BETA] = 0.0
        row[Q0] = row[A_E] * (-kappa * c) + 2.0 * row[B_E] * row[R_E] + (u + lo) * row[R_E] * row[R_E]
    else:
        x, x_lo = dd_div(n, n_lo, s, s_lo)
        if fixed:
            x = math.floor(x + 0.5)
            x_lo = 0.0
        r, r_lo = dd_mul(par[1], 0.0, par[2], 0.0)
        b, b_lo = dd_mul(x, x_lo, par[6], 0.0)
        b, b_lo = dd_add(b, b_lo, r, r_lo)
        a, a_lo = dd_mul(b, b_lo, u, lo)
        r, r_lo = dd_mul(x, x_lo, q, q_lo)
        a, a_lo = dd_add(a, a_lo, r, r_lo)
        row[ALPHA] = m + m_lo
        row[BETA] = w + w_lo
        row[B_E] = b + b_lo
        row[A_E] = a + a_lo
        row[R_E] = 0.0
        row[Q0] = -(row[A_E] * c + row[B_E] * (p + p_lo))
    row[E] = 0.0 if fixed and kind == NOISE else x
    row[E_LO] = 0.0 if fixed else x_lo
    return abs(move) / size
