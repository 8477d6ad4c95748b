"""Solve v = s + t N1(s + t N2(v)) for Im v > 0, the law of two discrete factors, on the real axis and off it.

Legend
------
x, w           atoms of a factor and their weights
N              its function, see `rmtsolve.equations.sides`:
               SUM       -1/m - v            m = sum w/(x - v)
               PRODUCT   m / (1 + v m)
               SANDWICH  sum w x/(1 - v x)   (rate included in w)
s, t           (z, 1) for SUM, (0, z) for PRODUCT, (0, 1/conj z) for SANDWICH
T, dT          the right-hand side and its derivative by v
r              |T - v|^2 / (4 Im v Im T), sinh^2 of half the hyperbolic distance of v and T; T never increases it

T maps the upper half-plane into itself, so that it has one fixed point there (Denjoy-Wolff). Newton's step is taken
when it stays in the half-plane and lowers r, else the midpoint of v and T, which always makes progress
(Krasnoselskii-Mann in the hyperbolic plane). Real points outside the support come with a start close to the solution
and take plain Newton steps; the caller checks the branch.
Source: derived, after S. Belinschi, H. Bercovici, J. Anal. Math. 101 (2007).
"""

import math

import numpy as np

from ._jit import kernel
from .primitives import abs2, inverse

SUM, PRODUCT, SANDWICH = 0, 1, 2
_CONVERGED, _MAX_STEPS, _NOT_FINITE, _WRONG_BRANCH, _SINGULAR = 0, 1, 3, 5, 7
_TOL = 1e-15  # of |v|: the gap v - T that counts as rounding
_STEP = 1e-11  # of |v|: after a Newton step this small the next one is below rounding
_FLAT = 1e-14  # |1 - dT|^2: here neighbouring v solve the equation just as well
_REPELS = 1.0 + 2e-6  # |dT|^2: no fixed point inside the half-plane has more than 1 (Schwarz-Pick), but a real one may


@kernel(reassociate=True)
def _factor(kind, re, im, x, w):
    """N and N' at re + i im."""
    a1 = 0.0
    b1 = 0.0
    a2 = 0.0
    b2 = 0.0
    a3 = 0.0
    b3 = 0.0
    for j in range(x.size):
        if kind == SANDWICH:
            p = 1.0 - re * x[j]
            q = -im * x[j]
            f = w[j] * x[j]
        else:
            p = x[j] - re
            q = -im
            f = w[j]
        d = 1.0 / (p * p + q * q)
        c = p * d
        e = -q * d
        a1 += f * c
        b1 += f * e
        g = f * x[j]
        if kind == SANDWICH:
            f = g
        a2 += f * (c * c - e * e)
        b2 += 2.0 * f * c * e
        a3 += g * c
        b3 += g * e
    first = complex(a1, b1)
    second = complex(a2, b2)
    if kind == SANDWICH:
        return first, second
    if kind == SUM:
        over = inverse(first)
        return -over - complex(re, im), second * over * over - 1.0
    over = inverse(complex(a3, b3))
    return first * over, (second - first * first) * over * over


@kernel(reassociate=True)
def _pole_sums(u, near, x, w):
    """Sums of w r, w r^2 and w x r with ``r = near / (x - u)``."""
    first = 0.0
    second = 0.0
    third = 0.0
    for j in range(x.size):
        r = near / (x[j] - u)
        f = w[j] * r
        first += f
        second += f * r
        third += f * x[j]
    return first, second, third


@kernel(reassociate=True)
def _inverse_sums(u, x, w):
    """Sums of w r and w r^2 with ``r = x / (1 - u x)``."""
    first = 0.0
    second = 0.0
    for j in range(x.size):
        r = x[j] / (1.0 - u * x[j])
        f = w[j] * r
        first += f
        second += f * r
    return first, second


@kernel
def real_factor(kind, u, x, w, value, slope):
    """Fill N and N' at real points: m is summed as its multiple by the distance to the nearest atom, finite there too.

    `x` is sorted.
    """
    for i in range(u.size):
        p = u[i]
        if kind == SANDWICH:
            value[i], slope[i] = _inverse_sums(p, x, w)
            continue
        k = np.searchsorted(x, p)
        if k == x.size or (k > 0 and p - x[k - 1] < x[k] - p):
            k -= 1
        near = x[k] - p
        first, second, third = _pole_sums(p, near, x[:k], w[:k])
        a1, a2, a3 = _pole_sums(p, near, x[k + 1 :], w[k + 1 :])
        first += w[k] + a1
        second += w[k] + a2
        if kind == SUM:
            value[i] = -near / first - p
            slope[i] = second / (first * first) - 1.0
        else:
            third += w[k] * x[k] + a3
            value[i] = first / third
            slope[i] = (second - first * first) / (third * third)


@kernel
def _image(kind, s, t, v, x1, w1, x2, w2):
    """u, T and dT."""
    n2, d2 = _factor(kind, v.real, v.imag, x2, w2)
    u = s + t * n2
    n1, d1 = _factor(kind, u.real, u.imag, x1, w1)
    return u, s + t * n1, t * t * d1 * d2


@kernel
def _distance(v, image):
    """r, or inf outside the half-plane."""
    if not (v.imag > 0.0 and image.imag > 0.0):
        return np.inf
    return abs2(image - v) / (4.0 * v.imag * image.imag)


@kernel
def _verdict(slope):
    """Status of a converged point."""
    if abs2(slope) > _REPELS:
        return _WRONG_BRANCH
    return _SINGULAR if abs2(1.0 - slope) < _FLAT else _CONVERGED


@kernel
def _solve_upper(kind, s, t, v, x1, w1, x2, w2, max_steps):
    """Fixed point in the upper half-plane; returns v, u, status, steps, residual."""
    u, image, slope = _image(kind, s, t, v, x1, w1, x2, w2)
    r = _distance(v, image)
    steps = 1
    last = np.inf
    while steps < max_steps:
        gap = image - v
        size = math.sqrt(abs2(v))
        miss = math.sqrt(abs2(gap))
        if miss <= _TOL * size:
            return v, u, _verdict(slope), steps, miss / size
        move = gap * inverse(1.0 - slope)
        new = v + move
        length = math.sqrt(abs2(move))
        good = False
        if new.imag > 0.0:
            new_u, new_image, new_slope = _image(kind, s, t, new, x1, w1, x2, w2)
            steps += 1
            new_r = _distance(new, new_image)
            good = new_r < r
            if not good and (length <= _STEP * size or (miss <= 1e-13 * size and length >= 0.25 * last)):
                return v, u, _verdict(slope), steps, miss / size  # r is down to rounding
        if not good:
            if not length < np.inf and not miss < np.inf:
                return v, u, _NOT_FINITE, steps, miss / size
            new = 0.5 * (v + image)
            length = np.inf
            new_u, new_image, new_slope = _image(kind, s, t, new, x1, w1, x2, w2)
            steps += 1
            new_r = _distance(new, new_image)
        v, u, image, slope, r = new, new_u, new_image, new_slope, new_r
        last = length
    size = math.sqrt(abs2(v))
    return v, u, _MAX_STEPS, steps, math.sqrt(abs2(image - v)) / size


@kernel
def _solve_real(kind, s, t, v, x1, w1, x2, w2, max_steps):
    """Newton's method from a real start; returns v, u, status, steps, residual."""
    u, image, slope = _image(kind, s, t, v, x1, w1, x2, w2)
    last = np.inf
    for steps in range(1, max_steps):
        size = math.sqrt(abs2(v)) + 1e-300
        miss = math.sqrt(abs2(image - v))
        move = (image - v) * inverse(1.0 - slope)
        length = math.sqrt(abs2(move))
        if not length < np.inf:
            return v, u, _NOT_FINITE, steps, miss / size
        if miss <= _TOL * size or (length <= 1e-12 * size and length >= 0.25 * last):
            return v, u, _CONVERGED, steps, miss / size
        v = v + move
        last = length
        u, image, slope = _image(kind, s, t, v, x1, w1, x2, w2)
    return v, u, _MAX_STEPS, max_steps, math.sqrt(abs2(image - v)) / (math.sqrt(abs2(v)) + 1e-300)


@kernel
def sweep(kind, s, t, real, start, x1, w1, x2, w2, max_steps, out_v, out_u, status, n_steps, residual):
    """All points in the caller's order, from their starts; above the axis from the neighbour before, where it can."""
    previous = complex(np.nan, np.nan)
    for i in range(s.size):
        if real[i]:
            v, u, code, steps, miss = _solve_real(kind, s[i], t[i], start[i], x1, w1, x2, w2, max_steps)
        else:
            warm = previous.imag > 0.0
            begin = previous if warm else start[i]
            v, u, code, steps, miss = _solve_upper(kind, s[i], t[i], begin, x1, w1, x2, w2, max_steps)
            if code != _CONVERGED and warm:
                v, u, code, more, miss = _solve_upper(kind, s[i], t[i], start[i], x1, w1, x2, w2, max_steps)
                steps += more
            previous = v if code == _CONVERGED else complex(np.nan, np.nan)
        out_v[i] = v
        out_u[i] = u
        status[i] = code
        n_steps[i] = steps
        residual[i] = miss
