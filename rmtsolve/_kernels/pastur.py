"""Solve z = F(u) = u + b + sum_j w_j / (u - t_j) for Im u > 0, on the real axis and off it.

Legend
------
t, w, b        poles, positive weights, shift
u_e, e         critical point and edge nearest to z (rows of the table of anchors, see `pastur_edges`)
delta, y       u - u_e and z - e, the unknown and the argument: relative accuracy in delta survives next to an edge
d_j, v_j       u_e - t_j and w_j / d_j^2, with sum_j v_j = 1
Q              F(u_e + delta) - e = delta^2 Q(delta) exactly, Q(delta) = sum_j v_j / (delta + d_j)
linear         F'(u_e), zero but at a cusp that the rounding of the data spoils: adds linear delta
q0             Q(0); close to a cusp Q = q0 - delta sum_j (v_j / d_j) / (delta + d_j), which does not cancel
g              sum_j w_j / |u - t_j|^2; g = 1 at real z of a bulk, g < 1 elsewhere

Any root with Im u > 0 is the physical one: Im F = Im u (1 - g), and F is injective where g <= 1. Outside the bulks at
real z the physical root is the real one with F' > 0. Iterations are Euler's (cubic; exact for a square-root edge).
Error bounds: |u - u*| <= |F(u) - z| / (1 - sqrt(g(u) g(u*))), and S. Smale's alpha test (1986).
Source: derived.
"""

import math

import numpy as np

from ._jit import kernel
from .pastur_edges import E_LO, EPS, EXCESS, LINEAR, Q0, U_LO, E, U
from .primitives import abs2, edge_law, euler_step, inverse, sqrt_upper

# what a point is
BULK, OUTSIDE = 0, 1
_MAX_STEPS = 60


@kernel(reassociate=True)
def _sums(re, im, d, v):
    """sum_j v_j / (delta + d_j)^k for k = 1, 2, 3 and delta = re + i im."""
    a1 = 0.0
    b1 = 0.0
    a2 = 0.0
    b2 = 0.0
    a3 = 0.0
    b3 = 0.0
    for j in range(d.size):
        p = re + d[j]
        r = 1.0 / (p * p + im * im)
        x = p * r
        y = -im * r
        vx = v[j] * x
        vy = v[j] * y
        a1 += vx
        b1 += vy
        wx = vx * x - vy * y
        wy = vx * y + vy * x
        a2 += wx
        b2 += wy
        a3 += wx * x - wy * y
        b3 += wx * y + wy * x
    return complex(a1, b1), complex(a2, b2), complex(a3, b3)


@kernel(reassociate=True)
def _sum_close(re, im, d, v):
    """sum_j (v_j / d_j) / (delta + d_j)."""
    a = 0.0
    b = 0.0
    for j in range(d.size):
        p = re + d[j]
        r = v[j] / (d[j] * (p * p + im * im))
        a += p * r
        b -= im * r
    return complex(a, b)


@kernel(reassociate=True)
def _sizes(re, im, d, v):
    """sum_j v_j |d_j|^k / |delta + d_j|^k for k = 1 (over |d_j|) and 2, and min_j |delta + d_j|."""
    s = 0.0
    g = 0.0
    near = np.inf
    for j in range(d.size):
        p = re + d[j]
        m = p * p + im * im
        near = min(near, m)
        s += v[j] / math.sqrt(m)
        g += v[j] * d[j] * d[j] / m
    return s, g, math.sqrt(near)


@kernel
def _prepare(row, t, t_lo, w, d, v):
    """Fill d and v for one anchor; returns the radius inside which the form without cancellation is used."""
    size = 0.0
    near = np.inf
    for j in range(t.size):
        d[j] = (row[U] - t[j]) + (row[U_LO] - t_lo[j])
        v[j] = w[j] / (d[j] * d[j])
        size += v[j] / abs(d[j])
        near = min(near, abs(d[j]))
    if abs(row[Q0]) < 0.05 * size:
        return 0.25 * near
    return 0.0


@kernel
def _taylor(delta, d, v, q0, close, linear):
    """Q, f'(delta) and f''(delta)/2 of f = delta^2 Q + linear delta; linear / delta is added to Q."""
    q1, q2, q3 = _sums(delta.real, delta.imag, d, v)
    if close > 0.0 and abs2(delta) < close * close:
        q1 = q0 - delta * _sum_close(delta.real, delta.imag, d, v)
    slope = delta * (2.0 * q1 - delta * q2) + linear
    half = q1 - delta * (2.0 * q2 - delta * q3)
    if linear != 0.0:
        q1 += linear * inverse(delta)
    return q1, slope, half


@kernel
def _cold(y, q0, close, d, v):
    """Start at the edge law: the root of delta^2 q0 = y, or of the cubic at a cusp, in the upper half-plane."""
    return edge_law(y, q0, _sum_close(0.0, 0.0, d, v).real if close > 0.0 else 0.0)


@kernel
def _euler(y, delta, q0, close, linear, d, v):
    """Third-order iteration from `delta`; returns (delta, slope, half, steps, status)."""
    slope = complex(0.0, 0.0)
    half = complex(0.0, 0.0)
    f = complex(0.0, 0.0)
    for step in range(_MAX_STEPS):
        q1, slope, half = _taylor(delta, d, v, q0, close, linear)
        f = delta * delta * q1 - y
        delta, status = euler_step(delta, f, slope, half)
        if status != 1:
            return delta, slope, half, step + 1, status
    # rounding of the sums can keep the steps from shrinking further; that is not a failure
    noise, _, _ = _sizes(delta.real, delta.imag, d, v)
    if abs2(f) <= (32.0 * EPS * abs2(delta) * noise) ** 2:
        return delta, slope, half, _MAX_STEPS, 0
    return delta, slope, half, _MAX_STEPS, 1


@kernel
def _outside(y, low, high, q0, close, d, v):
    """Real root delta in (low, high) of the increasing f; returns (delta, steps, status)."""
    sign = 1.0 if y > 0.0 else -1.0
    delta = sign * max(math.sqrt(abs(y / q0)), abs(y))
    if not (delta > low and delta < high):
        delta = 0.5 * (low + high)
    for step in range(200):
        q1, slope, half = _taylor(complex(delta, 0.0), d, v, q0, close, 0.0)
        f = delta * delta * q1.real - y
        if f > 0.0:
            high = delta
        else:
            low = delta
        square = slope.real * slope.real - 4.0 * f * half.real
        if square > 0.0 and slope.real > 0.0:
            new = delta - 2.0 * f / (slope.real + math.sqrt(square))
        else:
            new = delta - f / slope.real
        move = abs(new - delta)
        if move <= 4.0 * EPS * abs(delta):  # tested first: at this size rounding can put `new` outside the bracket
            return delta, step + 1, 0
        if not (new > low and new < high):
            new = 0.5 * (low + high)
            if not (new > low and new < high):
                return delta, step + 1, 0
        elif move <= 2e-6 * abs(delta):  # a cubic step leaves about (move / delta)^2 move
            return new, step + 1, 0
        delta = new
    return delta, 200, 1


@kernel
def curve_point(x, eta, t, w, b):
    """u with F(u) = x + i eta by nested bisection: slow, but it cannot fail.

    For every real a one h > 0 gives Im F(a + i h) = eta with g <= 1, and Re F increases with a along that curve.
    """
    total = 0.0
    for j in range(t.size):
        total += w[j]
    root = math.sqrt(total)
    left = x - b - root
    right = x - b + root
    a = left
    h = 0.0
    for _ in range(200):
        a = left + 0.5 * (right - left)
        if not (a > left and a < right):
            break
        low = eta
        high = 0.5 * (eta + math.sqrt(eta * eta + 4.0 * total)) * (1.0 + 8.0 * EPS)
        for _ in range(1100):
            h = 0.5 * (low + high) if low > 1e-3 * high else math.sqrt(max(low, 1e-300 * high) * high)
            if not (h > low and h < high):
                break
            g = 0.0
            for j in range(t.size):
                p = a - t[j]
                g += w[j] / (p * p + h * h)
            if h * (1.0 - g) > eta:
                high = h
            else:
                low = h
            if high - low <= 2.0 * EPS * high:
                break
        value = a + b
        for j in range(t.size):
            p = a - t[j]
            value += w[j] * p / (p * p + h * h)
        if value > x:
            right = a
        else:
            left = a
    return complex(a, h)


@kernel
def _bound(y, delta, slope, q1, close, excess, d, v):
    """(relative residual, bound on |u - u*|) at the answer, rounding of the sums included."""
    noise, g, near = _sizes(delta.real, delta.imag, d, v)
    size2 = abs2(delta)
    f = delta * delta * q1 - y
    rest = math.hypot(f.real, f.imag)
    size = math.hypot(y.real, y.imag)
    if close > 0.0 and size2 < close * close:
        noise = math.hypot(q1.real, q1.imag) * 4.0
    total = rest + (4.0 + d.size) * EPS * size2 * noise + 2.0 * EPS * size
    total += excess * math.sqrt(size2)
    steep = math.hypot(slope.real, slope.imag)
    bound = np.inf
    beta = total / steep
    if beta * max(1.0, g / steep) < 0.157 * near and (y.imag == 0.0 or g < 1.0 or delta.imag > 2.0 * beta):
        bound = 2.0 * beta  # the root in that disc is the physical one: not below the axis, nor one with g > 1
    if y.imag > 0.0 and g < 1.0:
        bound = min(bound, total / (1.0 - math.sqrt(g)))
    return rest / max(size, 1e-300), bound


@kernel
def sweep(y, index, kind, t, t_lo, w, b, anchors, certify, shift, slopes, status, steps, residual, bound):
    """Solve all points; those of one anchor must be consecutive, neighbours in y warm-start each other.

    Parameters
    ----------
    y : (n,) complex, offsets from the anchor, Im y >= 0
    index : (n,) anchor of each point
    kind : (n,) BULK (complex root) or OUTSIDE (real root)
    t, t_lo, w, b, anchors : the equation, its poles as unevaluated sums t + t_lo, and its table of edges
    certify : whether to fill slopes, residual and bound
    shift (u - u_e, rounding of u_e included), slopes (F'(u)), status, steps, residual, bound : out, (n,)
    """
    n = t.size
    d = np.empty(n)
    v = np.empty(n)
    current = -1
    warm = False
    close = 0.0
    q0 = 0.0
    linear = 0.0
    delta = complex(0.0, 0.0)
    slope = complex(0.0, 0.0)
    half = complex(0.0, 0.0)
    s_old = complex(0.0, 0.0)
    for i in range(y.size):
        k = index[i]
        row = anchors[k]
        if k != current:
            close = _prepare(row, t, t_lo, w, d, v)
            q0 = row[Q0]
            linear = row[LINEAR]
            current = k
            warm = False
        residual[i] = 0.0
        bound[i] = EPS * abs(row[U])
        steps[i] = 0
        status[i] = 0
        yi = y[i]
        if yi == 0.0:  # the edge itself
            shift[i] = complex(row[U_LO], 0.0)
            if certify:
                slopes[i] = 0.0
            continue
        if kind[i] == OUTSIDE:
            warm = False
            reach = yi.real
            for j in range(n):
                reach += v[j] * d[j]
            if yi.real > 0.0:
                low = 0.0
                high = reach * (1.0 + 4.0 * EPS) if k + 1 == anchors.shape[0] else anchors[k + 1, U] - row[U]
            else:
                low = reach * (1.0 + 4.0 * EPS) if k == 0 else anchors[k - 1, U] - row[U]
                high = 0.0
            x, steps[i], status[i] = _outside(yi.real, low, high, q0, close, d, v)
            delta = complex(x, 0.0)
            shift[i] = complex(x + row[U_LO], 0.0)
        else:
            s = sqrt_upper(yi)
            code = 1
            if warm:
                # predictor: delta is a smooth function of sqrt(y)
                over = inverse(slope)
                step = s - s_old
                first = 2.0 * s_old * over
                second = over * (1.0 - 2.0 * s_old * first * half * over)
                guess = delta + step * (first + step * second)
                if guess.imag > 0.0 and abs2(guess - delta) < 0.25 * abs2(delta):
                    new, slope, half, steps[i], code = _euler(yi, guess, q0, close, linear, d, v)
                    if code == 0:
                        delta = new
            if code != 0:
                start = _cold(yi, q0, close, d, v)
                if not start.imag > 0.0:
                    start = complex(start.real, 1e-3 * abs(start.real))
                delta, slope, half, used, code = _euler(yi, start, q0, close, linear, d, v)
                steps[i] += used
            if code != 0:
                x = row[E] + (yi.real + row[E_LO])
                start = curve_point(x, yi.imag, t, w, b) - row[U]
                delta, slope, half, used, code = _euler(yi, start, q0, close, linear, d, v)
                steps[i] += used
            warm = code == 0
            status[i] = code
            s_old = s
            shift[i] = complex(delta.real + row[U_LO], delta.imag)
        if certify:
            q1, slope, half = _taylor(delta, d, v, q0, close, linear)
            slopes[i] = slope
            residual[i], bound[i] = _bound(yi, delta, slope, q1, close, row[EXCESS], d, v)
            bound[i] += EPS * math.hypot(row[U] + shift[i].real, shift[i].imag)
