"""Edges of the law given by z = F(u) = u + b + sum_j w_j / (u - t_j), to the last digit.

Legend
------
t, w        poles (increasing) and positive weights
b           shift; `origin`: w_j = scale h_j t_j^2 and b = sum_j w_j / t_j, so that F(0) = 0; else w_j = scale h_j
g(u)        sum_j w_j / (u - t_j)^2 = 1 - F'(u) on the real axis; edges are F(u_e) at the real roots of g = 1
u_e, e      critical point and edge, as unevaluated sums hi + lo
q0          F''(u_e) / 2 = sum_j w_j / (u_e - t_j)^3
cusp        1 where two bulks touch (both edges are then in the table, equal), else 0
excess      |g(u_e) - 1| where data within rounding of a hard edge were taken to be there, else 0
linear      F'(u_e) at a cusp: zero but for the rounding of the data, which the solver takes along; else 0

Between two poles g^(-1/2) is concave (reverse Minkowski inequality), so Newton for g^(-1/2) = 1 from the side where
g > 1 is monotone. Double-double polish makes u_e exact even next to a merging of bulks, where it is the square root of
a small difference, and next to a hard edge, where the edge is the square of a small number.
Source: derived; the map goes back to V. A. Marchenko, L. A. Pastur (1967) and J. W. Silverstein, S.-I. Choi (1995).
"""

import math

import numpy as np

from ._jit import kernel
from .double_double import dd_add, dd_div, dd_mul, two_prod, two_sum

EPS = 2.220446049250313e-16
_CLOSE = 1e-8  # |min g - 1| below which double precision cannot say whether a gap is open
_CUSP = 16 * EPS  # |min g - 1| below which the gap is closed to within the rounding of the data: a cusp

# columns of the table of anchors (one row per edge)
U, U_LO, E, E_LO, Q0, CUSP, EXCESS, LINEAR = range(8)
COLUMNS = 8


@kernel
def _sums_real(u, t, w):
    """sum_j w_j / (u - t_j)^k for k = 2, 3, 4."""
    s2 = 0.0
    s3 = 0.0
    s4 = 0.0
    for j in range(t.size):
        r = 1.0 / (u - t[j])
        a = w[j] * r * r
        s2 += a
        s3 += a * r
        s4 += a * r * r
    return s2, s3, s4


@kernel
def _march(pole, w_pole, side, t, w):
    """Monotone Newton for g^(-1/2) = 1, away from `pole` to the given side; returns (u, lo, steps, status)."""
    u, lo = two_sum(pole, side * math.sqrt(w_pole))
    if u == pole:  # the weight is so small that the critical point and the pole agree to all digits of hi
        return u, lo, 0, 0
    for step in range(200):
        g, s3, _ = _sums_real(u, t, w)
        if not g < np.inf or s3 == 0.0:
            return u, 0.0, step + 1, 3
        root = math.sqrt(g)
        move = g * (1.0 - root) / s3  # (g^(-1/2) - 1) / (d/du g^(-1/2)); rough here, polished later
        u -= move
        if abs(move) <= 1e-9 * abs(u - pole) or abs(move) <= 4.0 * EPS * abs(u) or root <= 1.0:
            return u, 0.0, step + 1, 0
    return u, 0.0, 200, 1


@kernel
def _excess(u, u_lo, t, w, w_lo):
    """g(u) - 1 in double-double."""
    s = -1.0
    s_lo = 0.0
    for j in range(t.size):
        d, d_lo = two_sum(u, -t[j])
        d, d_lo = two_sum(d, d_lo + u_lo)
        d, d_lo = dd_mul(d, d_lo, d, d_lo)
        d, d_lo = dd_div(w[j], w_lo[j], d, d_lo)
        s, s_lo = dd_add(s, s_lo, d, d_lo)
    return s, s_lo


@kernel
def _polish(u, lo, t, w, w_lo, row):
    """Newton for g = 1 in double-double; fills u_e of `row`, returns (steps, last move over distance to a pole)."""
    move = 0.0
    near = np.inf
    steps = 0
    while steps < 20:
        steps += 1
        h, h_lo = _excess(u, lo, t, w, w_lo)
        s3 = 0.0
        near = np.inf
        for j in range(t.size):
            d = (u - t[j]) + lo
            near = min(near, abs(d))
            s3 += w[j] / (d * d * d)
        move = (h + h_lo) / (-2.0 * s3)
        u, lo = dd_add(u, lo, -move, 0.0)
        if abs(move) <= 1e-18 * min(abs(u), near) or abs(move) <= 1e-290:
            break
    row[U] = u
    row[U_LO] = lo
    row[CUSP] = 0.0
    row[EXCESS] = 0.0
    row[LINEAR] = 0.0
    return steps, abs(move) / near


@kernel
def _locate(t, w, w_lo, b, origin, row):
    """Edge and curvature of `row` from its critical point."""
    u = row[U]
    u_lo = row[U_LO]
    s = 0.0
    s_lo = 0.0
    p = 0.0
    p_lo = 0.0
    c = 0.0
    c_lo = 0.0
    size = abs(u) + abs(b)
    for j in range(t.size):
        d, d_lo = two_sum(u, -t[j])
        d, d_lo = two_sum(d, d_lo + u_lo)
        r, r_lo = dd_div(w[j], w_lo[j], d, d_lo)
        q, q_lo = dd_div(r, r_lo, d, d_lo)
        a, a_lo = dd_div(q, q_lo, d, d_lo)
        c, c_lo = dd_add(c, c_lo, a, a_lo)
        size += abs(r)
        if origin:
            a, a_lo = dd_div(q, q_lo, t[j], 0.0)
            p, p_lo = dd_add(p, p_lo, a, a_lo)
            a, a_lo = dd_div(w[j], w_lo[j], t[j], 0.0)
            r, r_lo = dd_add(r, r_lo, a, a_lo)
        s, s_lo = dd_add(s, s_lo, r, r_lo)
    # two forms of the edge: F(u), which the error of u does not reach but which cancels next to a hard edge, and
    # e = u^2 sum (w/t)/(u-t)^2, equal to it where g = 1, which does not cancel but changes with u by 2 u^2 F''/2
    if origin and row[EXCESS] == 0.0 and row[CUSP] == 0.0 and 2.0 * u * u * abs(c) < size:
        d, d_lo = dd_mul(u, u_lo, u, u_lo)
        s, s_lo = dd_mul(p, p_lo, d, d_lo)
    else:
        s, s_lo = dd_add(s, s_lo, u, u_lo)
        if not origin:
            s, s_lo = dd_add(s, s_lo, b, 0.0)
        if abs(s) <= 1e-30 * size:  # the rounding of double-double: zero, as for the cusp of a symmetric law
            s = 0.0
            s_lo = 0.0
    row[E] = s
    row[E_LO] = s_lo
    row[Q0] = c


@kernel
def _minimum(left, right, wl, wr, t, w):
    """Minimise the convex g between two neighbouring poles; stops as soon as g < 1 or g > 1 everywhere is proved.

    Returns (u, g, sign): sign -1 the gap is open, +1 closed, 0 undecided in double precision.
    """
    length = right - left
    a = wl ** (1.0 / 3.0)
    u = left + length * (a / (a + wr ** (1.0 / 3.0)))
    if not (u > left and u < right):
        u = left + 0.5 * length
        if not (u > left and u < right):
            return u, np.inf, 1
    lo = left
    hi = right
    g = np.inf
    for _ in range(200):
        g, s3, s4 = _sums_real(u, t, w)
        if g < 1.0 - _CLOSE:
            return u, g, -1
        slope = -2.0 * s3
        if slope > 0.0:
            hi = u
            bound = g - slope * (u - lo)
        else:
            lo = u
            bound = g + slope * (hi - u)
        if bound > 1.0 + _CLOSE:
            return u, g, 1
        move = s3 / (3.0 * s4)  # Newton for g' = 0
        new = u + move
        if not (new > lo and new < hi):
            new = lo + 0.5 * (hi - lo)
        if abs(new - u) <= 2.0 * EPS * abs(u) or not (new > lo and new < hi):
            break
        u = new
    return u, g, 1 if g > 1.0 + _CLOSE else 0


@kernel
def find_edges(t, h, scale, b, origin, pins, w, w_lo, anchors):
    """All edges, in increasing order.

    Parameters
    ----------
    t, h : poles, increasing, and their coefficients
    scale, b, origin : see the legend
    pins : real u known to be critical points: hard edges, where the Stieltjes transform has its pole at u
    w, w_lo : out, (N,) weights in double-double
    anchors : out, (2 N, COLUMNS) table of edges

    Returns
    -------
    count, status, steps, residual
    """
    n = t.size
    for j in range(n):
        w[j], w_lo[j] = two_prod(scale, h[j])
        if origin:
            w[j], w_lo[j] = dd_mul(w[j], w_lo[j], t[j], 0.0)
            w[j], w_lo[j] = dd_mul(w[j], w_lo[j], t[j], 0.0)
        if not (w[j] > 0.0 and w[j] < np.inf):
            return 0, 3, 0, np.inf
    count = 0
    status = 0
    total = 0
    worst = 0.0
    for j in range(n + 1):  # the interval between poles j - 1 and j
        closed = 0
        first = 0.0
        first_lo = 0.0
        second = 0.0
        second_lo = 0.0
        if j > 0 and j < n:
            bound = (w[j - 1] ** (1.0 / 3.0) + w[j] ** (1.0 / 3.0)) ** 1.5
            if bound >= (t[j] - t[j - 1]) * (1.0 + _CLOSE):
                continue
            u, _, closed = _minimum(t[j - 1], t[j], w[j - 1], w[j], t, w)
            if closed == 1:
                continue
            if closed == 0:
                v, _ = _excess(u, 0.0, t, w, w_lo)
                if v > _CUSP:
                    continue
                if v >= -_CUSP:  # a cusp: both edges at the minimum of g
                    for _ in range(2):
                        anchors[count, U] = u
                        anchors[count, U_LO] = 0.0
                        anchors[count, CUSP] = 1.0
                        anchors[count, EXCESS] = 0.0
                        anchors[count, LINEAR] = -v
                        count += 1
                    continue
                _, _, s4 = _sums_real(u, t, w)
                half = math.sqrt(-v / (3.0 * s4))
                first = u - half
                second = u + half
        if j > 0:
            if closed == -1 or j == n:
                first, first_lo, steps, code = _march(t[j - 1], w[j - 1], 1.0, t, w)
                total += steps
                status = max(status, code)
            steps, rest = _polish(first, first_lo, t, w, w_lo, anchors[count])
            total += steps
            worst = max(worst, rest)
            count += 1
        if j < n:
            if closed == -1 or j == 0:
                second, second_lo, steps, code = _march(t[j], w[j], -1.0, t, w)
                total += steps
                status = max(status, code)
            steps, rest = _polish(second, second_lo, t, w, w_lo, anchors[count])
            total += steps
            worst = max(worst, rest)
            count += 1
    for i in range(pins.size):
        nearest = 0
        for k in range(count):
            if abs(anchors[k, U] - pins[i]) < abs(anchors[nearest, U] - pins[i]):
                nearest = k
        v, _ = _excess(pins[i], 0.0, t, w, w_lo)
        last = nearest + 1 if anchors[nearest, CUSP] == 1.0 else nearest  # of a cusp's two rows the first is nearest
        for k in range(nearest, last + 1):
            anchors[k, U] = pins[i]
            anchors[k, U_LO] = 0.0
            anchors[k, EXCESS] = abs(v)
            anchors[k, LINEAR] = 0.0
    for k in range(count):
        _locate(t, w, w_lo, b, origin, anchors[k])
        if k > 0 and anchors[k, E] < anchors[k - 1, E]:
            status = max(status, 4)
    if not worst < 1e-12:
        status = max(status, 4)
    return count, status, total, worst


@kernel
def _population_sums(at, mass, u, lo):
    """sum_j mass_j / (u + lo - at_j)^k for k = 1, 2, both as unevaluated sums."""
    g = 0.0
    g_lo = 0.0
    s = 0.0
    s_lo = 0.0
    for j in range(at.size):
        d, d_lo = two_sum(u, -at[j])
        d, d_lo = two_sum(d, d_lo + lo)
        r, r_lo = dd_div(mass[j], 0.0, d, d_lo)
        g, g_lo = dd_add(g, g_lo, r, r_lo)
        r, r_lo = dd_div(r, r_lo, d, d_lo)
        s, s_lo = dd_add(s, s_lo, r, r_lo)
    return g, g_lo, s, s_lo


@kernel
def refine_zeros(at, mass, t, t_lo):
    """Fill t_lo so that t + t_lo are the zeros of G_H to twice the digits of t."""
    for j in range(t.size):
        u = t[j]
        lo = 0.0
        for _ in range(3):
            g, g_lo, s, _ = _population_sums(at, mass, u, lo)
            move = (g + g_lo) / s
            if not abs(move) <= 1e-12 * abs(u):
                break
            lo += move
            if abs(move) <= EPS * abs(lo):
                break
        t_lo[j] = lo


@kernel
def refine_power(at, mass, power, pins, t, t_lo, w, anchors):
    """Edges of a free power from the atoms of H themselves, F = T u - (T - 1)/G_H(u).

    The poles and weights of F are derived numbers; this puts the critical points and edges right to the last digit
    again. `pins` are atoms that are critical points, with F = T u there.
    """
    for k in range(anchors.shape[0]):
        row = anchors[k]
        u = row[U]
        lo = row[U_LO]
        pinned = False
        for i in range(pins.size):
            pinned = pinned or u == pins[i]
        if pinned:
            row[E], row[E_LO] = two_prod(power, u)
            continue
        for _ in range(6):
            g, g_lo, s, s_lo = _population_sums(at, mass, u, lo)
            d, d_lo = two_sum(power, -1.0)
            r, r_lo = dd_div(d, d_lo, g, g_lo)  # (T - 1)/G
            d, d_lo = dd_mul(u, lo, power, 0.0)
            row[E], row[E_LO] = dd_add(d, d_lo, -r, -r_lo)
            d, d_lo = dd_div(r, r_lo, g, g_lo)
            d, d_lo = dd_mul(d, d_lo, s, s_lo)
            d, d_lo = dd_add(power, 0.0, -d, -d_lo)  # F'
            s3 = _curvature(u, lo, t, t_lo, w)
            move = (d + d_lo) / (2.0 * s3)
            if row[CUSP] == 1.0 or not abs(move) <= 1e-6 * (abs(u) + abs(power)):
                break
            u, lo = dd_add(u, lo, -move, 0.0)
            row[U] = u
            row[U_LO] = lo
            row[Q0] = _curvature(u, lo, t, t_lo, w)
            if abs(move) <= 1e-18 * abs(u):
                break


@kernel
def _curvature(u, lo, t, t_lo, w):
    """F''/2 at u + lo."""
    total = 0.0
    for j in range(t.size):
        d = (u - t[j]) + (lo - t_lo[j])
        total += w[j] / (d * d * d)
    return total
