"""Two explicit inverse maps ``z = F(v)`` that are built from one sum over poles, solved from an edge.

Legend
------
t, g           poles and positive weights of ``K(v) = K_0 + sum_j g_j / (t_j - v)``
v_e, e         critical point and edge next to z (rows of the table of anchors); hi + lo each
delta, y       v - v_e, the unknown, and z - e: relative accuracy in delta survives next to an edge and next to a pole
D_j            t_j - v_e; k1, k2, k3 are ``sum_j g_j / (D_j^i (D_j - delta))``, so that K - K_e = delta k1
noise          ``F = v q^2 + d q``, q = 1 - kappa K (information plus noise)
samples        ``F = N / S``, N and S linear in v, in K and in v K (two sample covariances)

Both satisfy ``delta^2 Q(delta) = y S`` exactly (S = 1 for noise), with sums of products in which nothing cancels but
what cancels in F itself: for noise ``Q = A s + 2 q_e r + v r^2``, r = -kappa k1, s = -kappa k2,
A = 2 v_e q_e + d; for samples ``Q = -(C_e k2 + C' k1)``, with C the coefficient of -K in ``N - e S``.
Close to a cusp Q = q0 + delta (...), which does not cancel either. Iterations are Euler's, as in `pastur`.
Source: derived.
"""

import math

import numpy as np

from ._jit import kernel
from .anchored_edges import A_E, B_E, BETA, K_E, NOISE, Q0, R_E, SAMPLES, U_LO, U
from .primitives import abs2, edge_law, euler_step

EPS = 2.220446049250313e-16
_MAX_STEPS = 60


@kernel(reassociate=True)
def _sums(re, im, d, g):
    """sum_j g_j / (D_j (D_j - delta)^k) and sum_j g_j / (D_j^2 (D_j - delta)^k) for k = 1, 2, 3."""
    a1 = 0.0j
    a2 = 0.0j
    a3 = 0.0j
    b1 = 0.0j
    b2 = 0.0j
    b3 = 0.0j
    for j in range(d.size):
        p = d[j] - re
        r = 1.0 / (p * p + im * im)
        x = complex(p * r, im * r)
        o = 1.0 / d[j]
        w = (g[j] * o) * x
        a1 += w
        b1 += w * o
        w = w * x
        a2 += w
        b2 += w * o
        w = w * x
        a3 += w
        b3 += w * o
    return a1, a2, a3, b1, b2, b3


@kernel(reassociate=True)
def _plain(re, im, d, g):
    """sum_j g_j / (D_j - delta)^k for k = 1, 2, 3."""
    s1 = 0.0j
    s2 = 0.0j
    s3 = 0.0j
    for j in range(d.size):
        p = d[j] - re
        r = 1.0 / (p * p + im * im)
        x = complex(p * r, im * r)
        w = g[j] * x
        s1 += w
        w = w * x
        s2 += w
        s3 += w * x
    return s1, s2, s3


@kernel(reassociate=True)
def _third(re, im, d, g):
    """sum_j g_j / (D_j^3 (D_j - delta))."""
    s = 0.0j
    for j in range(d.size):
        p = d[j] - re
        r = g[j] / (d[j] * d[j] * d[j] * (p * p + im * im))
        s += complex(p * r, im * r)
    return s


@kernel(reassociate=True)
def _sizes(re, im, d, g):
    """Sums of moduli: g/|D (D - delta)|, g/|D^2 (D - delta)|, g/|D - delta|, g/|D - delta|^2; least |D - delta|."""
    a = 0.0
    b = 0.0
    c = 0.0
    e = 0.0
    near = np.inf
    for j in range(d.size):
        p = d[j] - re
        m = math.sqrt(p * p + im * im)
        near = min(near, m)
        o = 1.0 / abs(d[j])
        w = g[j] / m
        c += w
        e += w / m
        a += w * o
        b += w * o * o
    return a, b, c, e, near


@kernel
def _prepare(row, t, g, d):
    """Fill D for one anchor; returns the radius inside which the form for cusps is used."""
    near = np.inf
    size = 0.0
    for j in range(t.size):
        d[j] = (t[j] - row[U]) - row[U_LO]
        near = min(near, abs(d[j]))
        size += g[j] / abs(d[j] * d[j] * d[j])
    return near, size


@kernel
def _taylor(kind, y, delta, row, par, d, g, close):
    """f, f' and f''/2 of ``f = delta^2 Q - y S``; and Q, S."""
    a1, a2, a3, b1, b2, b3 = _sums(delta.real, delta.imag, d, g)
    near = close > 0.0 and abs2(delta) < close * close
    v = row[U] + delta
    k3 = 0.0j
    if near:
        k3 = _third(delta.real, delta.imag, d, g)
    if kind == NOISE:
        kappa = par[0]
        r = -kappa * a1
        r1 = -kappa * a2
        r2 = -kappa * a3
        q = row[A_E] * (-kappa * b1) + 2.0 * row[B_E] * r + v * (r * r)
        q1 = row[A_E] * (-kappa * b2) + 2.0 * row[B_E] * r1 + r * r + 2.0 * v * (r * r1)
        q2 = row[A_E] * (-kappa * b3) + 2.0 * row[B_E] * r2 + 2.0 * r * r1 + v * (r1 * r1 + 2.0 * r * r2)
        if near:
            s = -kappa * b1
            rest = row[A_E] * (-kappa * k3) + 2.0 * row[B_E] * s + row[R_E] * row[R_E]
            q = row[Q0] + delta * (rest + v * s * (2.0 * row[R_E] + delta * s))
        s0 = complex(1.0, 0.0)
        s1 = 0.0j
        s2 = 0.0j
    else:
        q = -(row[A_E] * b1 + row[B_E] * a1)
        q1 = -(row[A_E] * b2 + row[B_E] * a2)
        q2 = -(row[A_E] * b3 + row[B_E] * a3)
        if near:
            q = row[Q0] - delta * (row[A_E] * k3 + row[B_E] * b1)
        k, k1, k2 = _plain(delta.real, delta.imag, d, g)  # without K_0: v k stays finite at infinity
        beta = par[4] + par[5] * (par[0] + k)
        if abs2(delta * a1) < 0.25 * (row[K_E] - par[0]) ** 2:
            k = (row[K_E] - par[0]) + delta * a1
            beta = row[BETA] + par[5] * (delta * a1)
        lead = par[3] * par[5] + par[6] * v
        s0 = par[3] * beta + par[6] * v * k
        s1 = par[6] * k + lead * k1
        s2 = par[6] * k1 + lead * k2
    f = delta * delta * q - y * s0
    slope = delta * (2.0 * q + delta * q1) - y * s1
    half = q + delta * (2.0 * q1 + delta * q2) - y * s2
    return f, slope, half, q, s0


@kernel
def _cold(kind, y, row, par, d, g, close):
    """Start at the edge law, or at the law of a cusp."""
    s = 1.0
    if kind == SAMPLES:
        s = par[3] * row[BETA] + par[6] * row[U] * (row[K_E] - par[0])
    target = y * s
    r = 0.0
    if close > 0.0:
        k3 = _third(0.0, 0.0, d, g).real
        _, _, _, b1, _, _ = _sums(0.0, 0.0, d, g)
        if kind == NOISE:
            sl = -par[0] * b1.real
            c = row[A_E] * (-par[0] * k3) + 2.0 * row[B_E] * sl + row[R_E] * row[R_E] + 2.0 * row[U] * sl * row[R_E]
        else:
            c = -(row[A_E] * k3 + row[B_E] * b1.real)
        r = -c
    return edge_law(target, row[Q0], r)


@kernel
def _noise(kind, y, delta, row, par, d, g):
    """Rounding error of f at delta."""
    a, b, _, _, _ = _sizes(delta.real, delta.imag, d, g)
    if kind == NOISE:
        r = par[0] * a
        total = abs(row[A_E]) * par[0] * b + 2.0 * abs(row[B_E]) * r + math.sqrt(abs2(row[U] + delta)) * r * r
    else:
        total = abs(row[A_E]) * b + abs(row[B_E]) * a
    return (6.0 + d.size) * EPS * abs2(delta) * total


@kernel
def _euler(kind, y, delta, row, par, d, g, close):
    """Third-order iteration from `delta` in the upper half-plane; returns (delta, steps, status)."""
    f = 0.0j
    for step in range(_MAX_STEPS):
        f, slope, half, _, _ = _taylor(kind, y, delta, row, par, d, g, close)
        delta, status = euler_step(delta, f, slope, half)
        if status != 1:
            return delta, step + 1, status
    if math.sqrt(abs2(f)) <= 8.0 * _noise(kind, y, delta, row, par, d, g):
        return delta, _MAX_STEPS, 0
    return delta, _MAX_STEPS, 1


@kernel
def _outside(kind, y, low, high, row, par, d, g, close):
    """Real root in (low, high) of f, which has the sign of F - z there; low or high may be infinite."""
    sign = 1.0 if y > 0.0 else -1.0
    delta = sign * math.sqrt(abs(y / row[Q0])) if row[Q0] != 0.0 else sign * abs(y)
    if not (delta > low and delta < high):
        delta = 0.5 * (low + high)
    for step in range(2000):
        f, slope, half, _, _ = _taylor(kind, complex(y, 0.0), complex(delta, 0.0), row, par, d, g, close)
        if f.real > 0.0:
            high = delta
        else:
            low = delta
        square = slope.real * slope.real - 4.0 * f.real * half.real
        if square > 0.0 and slope.real > 0.0:
            new = delta - 2.0 * f.real / (slope.real + math.sqrt(square))
        else:
            new = delta - f.real / slope.real
        move = abs(new - delta)
        if move <= 4.0 * EPS * abs(delta):
            return delta, step + 1, 0
        if not (new > low and new < high):
            if high == np.inf:
                new = 4.0 * low
            elif low == -np.inf:
                new = 4.0 * high
            else:
                new = 0.5 * (low + high)
            if not (new > low and new < high):
                return delta, step + 1, 0
        elif move <= 2e-6 * abs(delta):
            return new, step + 1, 0
        delta = new
    return delta, 2000, 1


@kernel
def sweep(kind, y, index, outside, start, t, g, par, anchors, shift, rise, slope, status, steps, residual, radius):
    """Solve all points.

    Parameters
    ----------
    kind : NOISE or SAMPLES
    y : (n,) complex, offsets from the anchor, Im y >= 0
    index : (n,) anchor of each point
    outside : (n,) whether the root is real
    start : (n,) complex, where to begin; nan: at the edge law
    t, g, par, anchors : the equation
    shift, rise, slope : out, (n,), v - v_e with the rounding of v_e included, K - K_e, and ``S F'``
    status, steps, residual, radius : out, (n,); the residual is relative, and the radius is the length that one step
        of Newton's method might still have
    """
    n = t.size
    d = np.empty(n)
    current = -1
    close = 0.0
    for i in range(y.size):
        k = index[i]
        row = anchors[k]
        if k != current:
            near, size = _prepare(row, t, g, d)
            scale = par[0] * (abs(row[A_E]) + 2.0 * abs(row[B_E]) * near) * size
            if kind == SAMPLES:
                scale = (abs(row[A_E]) + abs(row[B_E]) * near) * size
            close = 0.25 * near if abs(row[Q0]) < 0.05 * scale else 0.0
            current = k
        status[i] = 0
        steps[i] = 0
        residual[i] = 0.0
        radius[i] = EPS * abs(row[U])
        yi = y[i]
        if yi == 0.0:
            shift[i] = complex(row[U_LO], 0.0)
            rise[i] = 0.0
            slope[i] = 0.0
            continue
        if outside[i]:
            if yi.real > 0.0:
                low = 0.0
                high = np.inf if k + 1 == anchors.shape[0] else anchors[k + 1, U] - row[U]
            else:
                low = -np.inf if k == 0 else anchors[k - 1, U] - row[U]
                high = 0.0
            x, steps[i], status[i] = _outside(kind, yi.real, low, high, row, par, d, g, close)
            delta = complex(x, 0.0)
        else:
            delta = start[i]
            if not abs2(delta) < np.inf:
                delta = _cold(kind, yi, row, par, d, g, close)
                if not delta.imag > 0.0:
                    delta = complex(delta.real, 1e-3 * abs(delta.real))
            delta, steps[i], status[i] = _euler(kind, yi, delta, row, par, d, g, close)
        f, steep, _, _, s = _taylor(kind, yi, delta, row, par, d, g, close)
        rest = math.sqrt(abs2(f))
        target = math.sqrt(abs2(yi * s))
        residual[i] = rest / max(target, 1e-300)
        total = rest + _noise(kind, yi, delta, row, par, d, g) + 4.0 * EPS * target
        shift[i] = delta + row[U_LO]
        a1, _, _, _, _, _ = _sums(delta.real, delta.imag, d, g)
        rise[i] = delta * a1
        slope[i] = steep
        radius[i] = total / math.sqrt(abs2(steep))
