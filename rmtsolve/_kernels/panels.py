"""Cauchy integrals of a density given by polynomials on panels: int p(t) / (t - z) dt and the derivative by z.

Legend
------
y             z in the panel's own coordinate, the panel being [-1, 1]
t, w          Gauss nodes of a panel and the density there times weight
mu_j          moments int t^j p(t) dt on [-1, 1], times half the panel's length
near          y inside the ellipse with foci -1, 1 and semi-axes 1.1125, 0.4875 (sum 1.6), where quadrature fails: left
              to the caller, who has the Legendre functions for it

Where ``|y| >= _FAR`` the integral is ``-sum mu_j y^(-j-1)``, with as few terms as |y| allows (the density is positive,
so that ``|mu_j| <= mu_0``); between the two it is Gauss's rule.
Source: derived.
"""

import numpy as np

from ._jit import kernel
from .primitives import inverse

MOMENTS = 30
_FAR = 4.0
# |y| and the terms it needs: (j + 1) |y|^-j is at rounding level
_STEPS = ((8.0, 20), (32.0, 13), (1e3, 7))


@kernel(reassociate=True)
def _gauss(x, y, nodes, masses):
    """Sums of w/(t - z) and w/(t - z)^2."""
    a1 = 0.0
    b1 = 0.0
    a2 = 0.0
    b2 = 0.0
    for j in range(nodes.size):
        p = nodes[j] - x
        q = 1.0 / (p * p + y * y)
        f = masses[j] * q
        a1 += f * p
        b1 += f * y
        f *= q
        a2 += f * (p * p - y * y)
        b2 += 2.0 * f * p * y
    return complex(a1, b1), complex(a2, b2)


@kernel
def _moments(over, mu):
    """-sum mu_j over^(j+1) and sum (j+1) mu_j over^(j+2), over = 1/y."""
    size = 1.0 / np.sqrt(over.real * over.real + over.imag * over.imag)
    terms = MOMENTS
    for bound, count in _STEPS:
        if size >= bound:
            terms = count
    value = complex(0.0, 0.0)
    slope = complex(0.0, 0.0)
    for j in range(terms - 1, -1, -1):
        value = value * over + mu[j]
        slope = slope * over + (j + 1) * mu[j]
    return -value * over, slope * over * over


@kernel
def sum_panels(z, middle, half, nodes, masses, moments, near, value, slope):
    """Add the integrals over all panels that are not near; `near[i, k]` is an output."""
    for i in range(z.size):
        total = complex(0.0, 0.0)
        rate = complex(0.0, 0.0)
        for k in range(middle.size):
            re = (z[i].real - middle[k]) / half[k]
            im = z[i].imag / half[k]
            square = re * re + im * im
            near[i, k] = (re / 1.1125) ** 2 + (im / 0.4875) ** 2 < 1.0
            if near[i, k]:
                continue
            if square >= _FAR * _FAR:
                first, second = _moments(inverse(complex(re, im)), moments[k])
                total += first / half[k]
                rate += second / (half[k] * half[k])
            else:
                first, second = _gauss(z[i].real, z[i].imag, nodes[k], masses[k])
                total += first
                rate += second
        value[i] = total
        slope[i] = rate
