"""Arithmetic shared by all kernels.

Complex `/` raises on zero in compiled code whatever the error model, `abs(complex)` and `np.sqrt(complex)` are
slow: these replacements return nan instead of raising and are cheaper.
"""

import math

import numpy as np

from ._jit import kernel


@kernel
def inverse(z):
    """1/z, or nan + nan j at z = 0."""
    d = z.real * z.real + z.imag * z.imag
    if d == 0.0:
        return complex(np.nan, np.nan)
    return complex(z.real / d, -z.imag / d)


@kernel
def abs2(z):
    """|z|^2."""
    return z.real * z.real + z.imag * z.imag


@kernel
def sqrt_upper(z):
    """The square root of z with Im >= 0 (for z > 0 the positive one)."""
    r = math.sqrt(math.hypot(z.real, z.imag))
    if r == 0.0:
        return complex(0.0, 0.0)
    # half-angle formulas, the larger part first so that nothing cancels
    modulus = r * r
    if z.real >= 0.0:
        re = math.sqrt(0.5 * (modulus + z.real))
        im = 0.5 * abs(z.imag) / re
    else:
        im = math.sqrt(0.5 * (modulus - z.real))
        re = 0.5 * abs(z.imag) / im
    if z.imag < 0.0:
        re = -re
    return complex(re, im)


@kernel
def edge_law(y, q0, r):
    """Root of ``delta^2 q0 = y`` in the upper half-plane; near a cusp, where q0 is small, of ``-r delta^3 = y``."""
    if r > 0.0:
        size = math.hypot(y.real, y.imag)
        if abs(q0) ** 3 < size * r * r:  # arg y in [0, pi] maps onto arg delta in [pi/3, 2 pi/3]
            angle = (math.atan2(y.imag, y.real) + math.pi) / 3.0
            cube = (size / r) ** (1.0 / 3.0)
            return complex(cube * math.cos(angle), cube * math.sin(angle))
    return sqrt_upper(y * (1.0 / q0))


@kernel
def euler_step(delta, f, slope, half):
    """Euler's third-order step towards a zero of f, kept in the upper half-plane; `half` is f''/2.

    Returns (delta, status): 0 for the last step that is needed, 3 where the step is not finite (and not taken), else 1.
    """
    over = inverse(slope)
    newton = f * over
    curve = half * over * newton  # f (f''/2) / f'^2
    if abs2(curve) < 1e-2:
        new = delta - newton * (1.0 + curve * (1.0 + 2.0 * curve))  # expanded
    else:
        root = sqrt_upper(slope * slope - 4.0 * f * half)
        if slope.real * root.real + slope.imag * root.imag < 0.0:
            root = -root
        new = delta - 2.0 * f * inverse(slope + root)
        if not new.imag > 0.0:
            new = delta - 2.0 * f * inverse(slope - root)
    inside = new.imag > 0.0
    if not inside:
        new = complex(new.real, 0.5 * delta.imag)
    if not abs2(new) < np.inf:
        return delta, 3
    size2 = abs2(delta)
    move2 = abs2(new - delta)
    # what a cubic iteration leaves is about (move / delta)^2 move
    still = move2 * move2 * move2 <= 1e-34 * size2 * size2 * new.imag * new.imag or move2 <= 1e-30 * size2
    if still and inside:  # a step that was cut short at the real axis is small whatever it leaves
        return new, 0
    return new, 1
