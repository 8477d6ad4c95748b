"""Exact correction of the trapezoid rule for integrands with poles or logarithms next to the real axis.

For F analytic near the axis but for a simple zero of f at t0 (grid points are the integers, Im t0 > 0), residues give

    int F/f dt = sum_n F(n)/f(n) + pi Res_{t0} (F/f) C(t0),
    C(t) = cot(pi t) + i = 2 i E / (E - 1),    E = exp(2 pi i t),

and the conjugate form for Im t0 < 0. |E| = exp(-2 pi |Im t0|): a zero six grid steps away does not matter, one on the
axis costs the plain rule all accuracy. Functions on the grid are continued to t0 by interpolation on 12 neighbours.

Legend: f = 1 + V on the kappa grid, t = distance from a grid point in grid steps. Source: derived.
"""

import math

import numpy as np

from ._jit import kernel
from .primitives import abs2, inverse

STENCIL = 12
REACH = 5.5  # grid steps from the axis beyond which a zero is left alone: exp(-2 pi 5.5) < 1e-15
MOST = 16  # zeros at one state


@kernel
def stencil(node, size):
    """First grid index of the stencil round a node."""
    return min(max(node - STENCIL // 2 + 1, 0), size - STENCIL)


@kernel
def basis(t, first, b0, b1, b2):
    """Lagrange polynomials of the grid points first, first + 1, .. (relative to t's origin), and two derivatives."""
    for m in range(STENCIL):
        p0, p1, p2 = complex(1.0, 0.0), complex(0.0, 0.0), complex(0.0, 0.0)
        scale = 1.0
        for other in range(STENCIL):
            if other != m:
                factor = t - (first + other)
                p2 = p2 * factor + 2.0 * p1
                p1 = p1 * factor + p0
                p0 = p0 * factor
                scale *= m - other
        b0[m], b1[m], b2[m] = p0 / scale, p1 / scale, p2 / scale


@kernel
def find_zeros(f_re, f_im, nodes, places):
    """Zeros t of f within REACH of the axis, as nearest node and distance from it; returns their number.

    Every local minimum of |f| on the grid is followed: two roots of the parabola there, then Newton. A zero on the axis
    itself, where the integral does not exist, gives -1.
    """
    n = f_re.size
    count = 0
    if n < STENCIL:
        return 0
    b0, b1, b2 = np.empty(STENCIL, np.complex128), np.empty(STENCIL, np.complex128), np.empty(STENCIL, np.complex128)
    for i in range(1, n - 1):
        here = f_re[i] * f_re[i] + f_im[i] * f_im[i]
        if here > f_re[i - 1] * f_re[i - 1] + f_im[i - 1] * f_im[i - 1]:
            continue
        if here >= f_re[i + 1] * f_re[i + 1] + f_im[i + 1] * f_im[i + 1]:
            continue
        middle = complex(f_re[i], f_im[i])
        slope = complex(0.5 * (f_re[i + 1] - f_re[i - 1]), 0.5 * (f_im[i + 1] - f_im[i - 1]))
        bend = complex(0.5 * (f_re[i + 1] + f_re[i - 1]), 0.5 * (f_im[i + 1] + f_im[i - 1])) - middle
        square = slope * slope - 4.0 * middle * bend
        size = math.sqrt(abs2(square))
        root = complex(math.sqrt(0.5 * max(size + square.real, 0.0)), math.sqrt(0.5 * max(size - square.real, 0.0)))
        if square.imag < 0.0:
            root = root.conjugate()
        first = stencil(i, n) - i
        for sign in (1.0, -1.0):
            t = -2.0 * middle * inverse(slope + sign * root)
            if not abs2(t) < 64.0:
                continue
            step = 1.0
            for _ in range(12):
                basis(t, first, b0, b1, b2)
                value, change = complex(0.0, 0.0), complex(0.0, 0.0)
                for m in range(STENCIL):
                    f = complex(f_re[i + first + m], f_im[i + first + m])
                    value += b0[m] * f
                    change += b1[m] * f
                move = value * inverse(change)
                t -= move
                step = abs2(move)
                if not step < 64.0 or step < 1e-28:
                    break
            if not step < 1e-20 or abs(t.real) > 2.0 or abs(t.imag) > REACH:
                continue
            if abs(t.imag) < 1e-13:
                return -1
            known = False
            for c in range(count):
                known = known or abs2(nodes[c] + places[c] - i - t) < 1e-8
            if not known and count < MOST:
                nodes[count], places[count] = i, t
                count += 1
    return count


@kernel
def cotangent(t):
    """(C, dC/dt) at t."""
    side = 1.0 if t.imag > 0.0 else -1.0
    rest = _one_minus_e(t, side)
    ratio = (1.0 - rest) * inverse(rest)
    return complex(0.0, -2.0 * side) * ratio, 4.0 * math.pi * ratio * inverse(rest)


@kernel
def _one_minus_e(t, side):
    """1 - exp(2 pi i side t), without cancellation when t is close to 0 (`t` is measured from a grid point)."""
    angle = 2.0 * math.pi * side * t.real
    size = math.exp(-2.0 * math.pi * abs(t.imag))
    lost = -math.expm1(-2.0 * math.pi * abs(t.imag))
    return complex(lost + 2.0 * size * math.sin(0.5 * angle) ** 2, -size * math.sin(angle))


@kernel
def correct_moments(f_re, f_im, h, w, step, first, second):
    """Add to first[j] = sum w h_j / f and second[i, j] = sum w h_i h_j / f^2 what the trapezoid rule misses.

    The weights are proportional to exp(-x^2 / 2) on the grid x_n = step (n - (N - 1) / 2). False when f vanishes on the
    axis.
    """
    d, n = h.shape
    nodes, places = np.empty(MOST, np.int64), np.empty(MOST, np.complex128)
    count = find_zeros(f_re, f_im, nodes, places)
    if count < 0:
        return False
    if count == 0:
        return True
    b0, b1, b2 = np.empty(STENCIL, np.complex128), np.empty(STENCIL, np.complex128), np.empty(STENCIL, np.complex128)
    value, slope = np.empty(d, np.complex128), np.empty(d, np.complex128)
    for c in range(count):
        i, t = nodes[c], places[c]
        start = stencil(i, n)
        basis(t, start - i, b0, b1, b2)
        f1, f2 = complex(0.0, 0.0), complex(0.0, 0.0)
        for m in range(STENCIL):
            f = complex(f_re[start + m], f_im[start + m])
            f1 += b1[m] * f
            f2 += b2[m] * f
        for j in range(d):
            value[j], slope[j] = complex(0.0, 0.0), complex(0.0, 0.0)
            for m in range(STENCIL):
                value[j] += b0[m] * h[j, start + m]
                slope[j] += b1[m] * h[j, start + m]
        weight, logarithmic = weight_at(t, i, w, step)
        cot, cot_slope = cotangent(t)
        g = math.pi * weight * cot
        g_slope = math.pi * weight * (cot_slope + logarithmic * cot)
        f1 = inverse(f1)
        for j in range(d):
            first[j] += g * value[j] * f1
        if second.shape[0] > 0:
            for j in range(d):
                for i in range(d):
                    product = value[j] * value[i]
                    change = value[j] * slope[i] + slope[j] * value[i]
                    second[j, i] += f1 * f1 * (g_slope * product + g * change - g * product * f2 * f1)
    return True


@kernel
def weight_at(t, node, w, step):
    """Gaussian weight at distance t from a node, and its logarithmic derivative by t."""
    x = step * (node - 0.5 * (w.size - 1))
    exponent = -(x * step * t + 0.5 * step * step * t * t)
    size = w[node] * math.exp(exponent.real)
    return complex(size * math.cos(exponent.imag), size * math.sin(exponent.imag)), -step * (x + step * t)


@kernel
def correct_logarithm(f, w, step, y, dy, out):
    """out[a] += int w log f - sum w_n log f_n for every row of f, (rows, N); f has Im f >= 0 on the axis.

    From ``d/ds int w log(f + s) = int w / (f + s)``: the correction is ``-w log(1 - E)`` at t0 when w is constant, and
    the change of w is integrated from t0 away from the axis with nodes y and weights dy on (0, inf).
    """
    rows, n = f.shape
    nodes, places = np.empty(MOST, np.int64), np.empty(MOST, np.complex128)
    f_re, f_im = np.empty(n), np.empty(n)
    for a in range(rows):
        for i in range(n):
            f_re[i], f_im[i] = f[a, i].real, f[a, i].imag
        count = find_zeros(f_re, f_im, nodes, places)
        for c in range(max(count, 0)):
            i, t = nodes[c], places[c]
            side = 1.0 if t.imag > 0.0 else -1.0
            weight, _ = weight_at(t, i, w, step)
            rest = _one_minus_e(t, side)
            total = -weight * complex(0.5 * math.log(abs2(rest)), math.atan2(rest.imag, rest.real))
            for b in range(y.size):
                point = t + complex(0.0, side * y[b])
                change = weight_at(point, i, w, step)[0] - weight
                total += complex(0.0, side * math.pi) * dy[b] * change * cotangent(point)[0]
            out[a] += total


@kernel
def correct_means(f, h, w, step, out):
    """`correct_moments` of the first kind for every row of f, (rows, N), into out, (rows, D)."""
    nothing = np.empty((0, h.shape[0]), np.complex128)
    row = np.empty(h.shape[0], np.complex128)
    for a in range(f.shape[0]):
        for j in range(row.size):
            row[j] = out[a, j]
        correct_moments(np.ascontiguousarray(f[a].real), np.ascontiguousarray(f[a].imag), h, w, step, row, nothing)
        for j in range(row.size):
            out[a, j] = row[j]
