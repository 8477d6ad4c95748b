"""Functions ``sum_j k_j / (p_j - u)`` with k > 0 and sorted poles p: zeros between them, bounds between them.

Legend
------
p, k           poles and their weights; cell j is the interval from p_j to p_(j+1), of length L
d, e           distances of u to the left and the right pole of its cell
f              the two poles of the cell, ``-k_j/d + k_(j+1)/e``; increases from -inf to inf
R              all other poles; R increases in the cell and R' is convex there
y              gauge of a factor of a free convolution (`rmtsolve.equations.sides`): ``u + a + f + R`` for a sum,
               ``u (a + f + R)`` for the other kinds, with a constant a
h              heap of lower bounds: entry 1 for a whole curve, 2 j and 2 j + 1 for the halves of what entry j is for

Source: derived.
"""

import math

import numpy as np

from ._jit import kernel

_EPS = 2.220446049250313e-16
_SLACK = 1e-12  # of its terms: what rounding may do to a sum, generously
_SURE = 1.01  # a bound on T' that is as large leaves no doubt
_NARROW = 1e-12  # of |p|: poles nearer than that have lost their distance to rounding


@kernel
def _distances(p, base, out):
    """Distances of all poles from one; kept in memory, where no compiler can subtract in another order."""
    for i in range(p.size):
        out[i] = p[i] - p[base]


@kernel(reassociate=True)
def _two_sums(d, gaps, k):
    """Sums of k r and k r^2 with ``r = 1 / (gaps - d)``."""
    first = 0.0
    second = 0.0
    for i in range(gaps.size):
        r = 1.0 / (gaps[i] - d)
        first += k[i] * r
        second += k[i] * r * r
    return first, second


@kernel
def _newton(d, gap, slope, low, high):
    """Newton's step for d times an increasing function equal to `gap` at d; else the middle of the bracket."""
    new = d * (d * slope / (gap + d * slope))
    return new if low < new < high else 0.5 * (low + high)


@kernel
def transform_zeros(at, mass, zeros, weights):
    """Fill the zeros of ``sum mass / (at - u)`` between the poles and 1 over the slope there.

    Each is found as an offset from the nearer of its two poles, by bracketed Newton steps for the offset times the
    function, which is smooth at that pole: a zero next to a light pole keeps its relative distance.
    """
    gaps = np.empty(at.size)
    for j in range(at.size - 1):
        half = 0.5 * (at[j + 1] - at[j])
        _distances(at, j, gaps)
        base, low, high = j, 0.0, half
        if _two_sums(half, gaps, mass)[0] < 0.0:  # the function increases between poles
            base, low, high = j + 1, -half, 0.0
            _distances(at, base, gaps)
        d = 0.5 * (low + high)
        for _ in range(200):
            value, slope = _two_sums(d, gaps, mass)
            if value < 0.0:
                low = d
            elif value > 0.0:
                high = d
            new = _newton(d, value, slope, low, high)
            done = abs(new - d) <= 2.0 * _EPS * abs(d)
            d = new
            if done:
                break
        zeros[j] = at[base] + d
        weights[j] = 1.0 / _two_sums(d, gaps, mass)[1]


@kernel(reassociate=True)
def _three_sums(u, p, k):
    """R and its first two derivatives, for some of the poles."""
    first = 0.0
    second = 0.0
    third = 0.0
    for i in range(p.size):
        r = 1.0 / (p[i] - u)
        f = k[i] * r
        first += f
        second += f * r
        third += f * r * r
    return first, second, 2.0 * third


@kernel
def _others(u, j, p, k):
    """R, R', R'' of cell j at u."""
    a1, a2, a3 = _three_sums(u, p[:j], k[:j])
    b1, b2, b3 = _three_sums(u, p[j + 2 :], k[j + 2 :])
    return a1 + b1, a2 + b2, a3 + b3


@kernel
def _lowest(length, left, left_slope, right, right_slope):
    """Lower bound of a convex positive function on an interval, from its tangents at the ends."""
    if left_slope >= 0.0:
        return left
    if right_slope <= 0.0:
        return right
    where = (left - right + right_slope * length) / (right_slope - left_slope)
    return max(left + left_slope * where, 0.0)


@kernel
def _offset(f, length, k0, k1):
    """Distance d to the left pole at which ``-k0/d + k1/(length - d)`` is f, without cancellation for small d."""
    b = f * length - k0 - k1
    root = math.sqrt((f * length + k0 - k1) ** 2 + 4.0 * k0 * k1)
    return 2.0 * k0 * length / (root - b) if b < 0.0 else (b + root) / (2.0 * f)


@kernel
def _slope_bound(additive, low, high, p0, length, k0, k1, a0, a1, steepest, flattest):
    """Lower bound of N' (additive) or ``u^2 N'`` in a cell where the gauge is between `low` and `high`.

    What is not f in N, with u if `additive`, goes from `a0` to `a1` with slopes from `flattest` to `steepest`. The
    place of u in the cell follows from f, and f from that rest, which is known the better the nearer u is to a pole.
    """
    d0, d1 = 0.0, length
    e0, e1 = length, 0.0
    for _ in range(3):
        smallest, largest = max(a0, a1 - steepest * e0), min(a1, a0 + steepest * d1)
        if additive:
            y0, y1 = low, high
        else:
            near, far = 1.0 / (p0 + d0), 1.0 / (p0 + d1)
            y0, y1 = min(low * near, low * far), max(high * near, high * far)
        slack = _SLACK * (abs(y0) + abs(y1) + abs(a0) + abs(a1)) + 4.0 * _EPS * (abs(p0) + length) * steepest
        f0, f1 = y0 - largest - slack, y1 - smallest + slack
        d0, d1 = max(d0, _offset(f0, length, k0, k1)), min(d1, _offset(f1, length, k0, k1))
        e0, e1 = min(e0, _offset(-f0, length, k1, k0)), max(e1, _offset(-f1, length, k1, k0))
    c0, c1 = np.cbrt(k0), np.cbrt(k1)
    lowest = length * c0 / (c0 + c1)  # where f' is least
    if lowest <= d0:
        slope = k0 / (d0 * d0) + k1 / (e0 * e0)
    elif lowest >= d1:
        slope = k0 / (d1 * d1) + k1 / (e1 * e1)
    else:
        slope = (c0 + c1) ** 3 / (length * length)
    slope += flattest
    if additive:
        return slope * (1.0 - _SLACK)
    u = p0 + d0
    return slope * u * u * (1.0 - _SLACK)


@kernel
def _closed(additive, y, h, p0, length, k0, k1, a0, a1, steepest, flattest):
    """Whether the curve through the cell has ``T' > 1`` all along: bounds on parts of it, halved where they fail."""
    count = y.size - 1
    node, size = 1, count
    while True:
        first = node * size - count
        one, two = y[first], y[first + size]
        least = _slope_bound(additive, min(one, two), max(one, two), p0, length, k0, k1, a0, a1, steepest, flattest)
        if least * h[node] >= _SURE:
            while node % 2 == 1:
                if node == 1:
                    return True
                node //= 2
                size *= 2
            node += 1
        elif size == 1:
            return False
        else:
            node *= 2
            size //= 2


@kernel
def _apart(j, p):
    """Whether the poles of cell j and their neighbours are distinct beyond rounding."""
    for i in range(max(j - 1, 0), min(j + 2, p.size - 1)):
        if not p[i + 1] - p[i] > _NARROW * max(abs(p[i]), abs(p[i + 1])):
            return False
    return True


@kernel
def closed_cells(additive, p, k, a, y, h, closed):
    """Fill `closed[j, i]`: does the curve of cell j and row i have ``T' > 1`` all along, beyond doubt?

    Rows of `y` hold the gauge along a curve, which is monotone, at a power of two and one nodes; rows of `h` the heap
    of bounds of the other factor, by which N' (additive) or ``u^2 N'`` is to be multiplied.
    """
    for j in range(p.size - 1):
        length = p[j + 1] - p[j]
        if not (_apart(j, p) and (additive or p[j] > 0.0)):
            closed[j, :] = False
            continue
        r0, s0, t0 = _others(p[j], j, p, k)
        r1, s1, t1 = _others(p[j + 1], j, p, k)
        a0, a1, steepest = a + r0, a + r1, max(s0, s1)
        flattest = _lowest(length, s0, t0, s1, t1)
        if additive:
            a0, a1, steepest = a0 + p[j], a1 + p[j + 1], steepest + 1.0
        for i in range(y.shape[0]):
            closed[j, i] = _closed(additive, y[i], h[i], p[j], length, k[j], k[j + 1], a0, a1, steepest, flattest)


@kernel
def _pole_values(additive, base, d, gaps, k, a):
    """Gauge, its slope, N and N' at the distance d from the pole at `base`."""
    first, second = _two_sums(d, gaps, k)
    n = a + first
    if additive:
        return (base + a) + d + first, 1.0 + second, n, second
    u = base + d
    return u * n, n + u * second, n, second


@kernel
def _root(additive, y, base, low, high, gaps, k, a):
    """Distance d from the pole at `base`, between low and high, at which the gauge is y."""
    d = 0.5 * (low + high)
    for _ in range(200):
        value, slope, _n, _s = _pole_values(additive, base, d, gaps, k, a)
        if value < y:
            low = d
        elif value > y:
            high = d
        new = _newton(d, value - y, slope, low, high)
        done = abs(new - d) <= 2.0 * _EPS * abs(d)
        d = new
        if done:
            break
    return d


@kernel
def _beyond(additive, y, base, d, gaps, k, a):
    """Distance from an outermost pole, d at first, at which the gauge has passed y; at most 1e20 times as far."""
    for _ in range(34):
        value = _pole_values(additive, base, d, gaps, k, a)[0]
        if (value > y) == (d > 0.0):
            break
        d *= 4.0
    return d


@kernel
def invert_gauge(additive, y, left, right, p, k, a, u, n, slope):
    """Fill u, N and N' where the gauge is y, between the poles `left` and `right` (-1 and p.size: none).

    Next to a pole all three have the relative accuracy of the distance to it. Points of the same cell in sequence share
    some of the work.
    """
    gaps = np.empty(p.size)
    base = -1
    for i in range(y.size):
        if not abs(y[i]) < np.inf:
            u[i] = n[i] = slope[i] = np.nan
            continue
        inner = left[i] >= 0 and right[i] < p.size
        near = left[i]
        if left[i] < 0:
            near = right[i]
        elif inner:
            half = 0.5 * (p[right[i]] - p[left[i]])
            if base != right[i]:
                if base != left[i]:
                    base = left[i]
                    _distances(p, base, gaps)
                middle = half
            else:
                middle = -half
            if _pole_values(additive, p[base], middle, gaps, k, a)[0] < y[i]:
                near = right[i]
        if near != base:
            base = near
            _distances(p, base, gaps)
        if inner:
            low, high = (0.0, half) if base == left[i] else (-half, 0.0)
        else:
            far = p[p.size - 1] - p[0] + abs(p[base]) + math.sqrt(k[base])
            if left[i] < 0:
                low, high = _beyond(additive, y[i], p[base], -far, gaps, k, a), 0.0
            else:
                low, high = 0.0, _beyond(additive, y[i], p[base], far, gaps, k, a)
        d = _root(additive, y[i], p[base], low, high, gaps, k, a)
        u[i] = p[base] + d
        n[i], slope[i] = _pole_values(additive, p[base], d, gaps, k, a)[2:]
