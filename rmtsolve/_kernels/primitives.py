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
