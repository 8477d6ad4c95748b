"""Gaussian sums against Hermite polynomials on a shared mesh.

Legend: node j sits at x_j = origin_j + offset_j (two parts, so that x_j - a loses nothing when |a| >> s);
weight_j = quadrature weight, value_j = f(x_j); pair i has shift a_i, scale s_i and uses the nodes lo_i <= j < hi_i;
g = (x_j - a)/s; h_k orthonormal Hermite polynomials, h_{k+1} = (g h_k - sqrt(k) h_{k-1}) / sqrt(k+1).

The factor exp(-g^2/4) is applied twice, once to h_k (which keeps it below 1.1) and once to the value (which may grow).
Nodes are taken in blocks, so that the compiler can work on several at a time; for the same reason the exponential is
spelled out as a table and a polynomial.
"""

import math

import numpy as np

from ._jit import kernel

_BLOCK = 64  # nodes summed plainly before the compensated addition
_FIRST = np.exp(-0.25 * np.arange(3000.0))  # exp(-749.75) is the last number that is not zero or nearly so
C2, C3, C4, C5, C6 = 1 / 2, 1 / 6, 1 / 24, 1 / 120, 1 / 720
C7, C8, C9, C10 = 1 / 5040, 1 / 40320, 1 / 362880, 1 / 3628800


@kernel(reassociate=True)
def envelopes(origin, offset, start, stop, shift, scale, g, envelope, n):
    """g of the nodes start <= j < stop, and exp(-g^2/4) to 2 ulp: ``exp(-n/4) exp(r)``, ``|r| <= 1/8``; n is work."""
    size, inverse_scale = stop - start, 1.0 / scale
    for j in range(size):
        g[j] = ((origin[start + j] - shift) + offset[start + j]) * inverse_scale
    for j in range(size):
        t = min(0.25 * g[j] * g[j], 749.0)
        n[j] = math.floor(4.0 * t + 0.5)
        r = 0.25 * n[j] - t
        # no loop over the terms of the series: it would stop the compiler from working on several nodes at a time
        even = 1.0 + r * r * (C2 + r * r * (C4 + r * r * (C6 + r * r * (C8 + r * r * C10))))
        odd = r * (1.0 + r * r * (C3 + r * r * (C5 + r * r * (C7 + r * r * C9))))
        envelope[j] = even + odd
    for j in range(size):
        envelope[j] *= _FIRST[np.uint32(n[j])]


@kernel(reassociate=True)
def block_sums(weight, value, start, stop, factor, g, envelope, previous, current, root, inverse_root, block):
    """Plain sums over one block of ``w value h_k`` and, last, of ``w value^2``; overwrites the work arrays."""
    size, n_orders = stop - start, block.size - 1
    total = 0.0
    for j in range(size):
        damped = value[start + j] * envelope[j]
        node_weight = weight[start + j] * factor
        total += node_weight * damped * damped
        previous[j] = 0.0
        current[j] = envelope[j]
        envelope[j] = node_weight * damped
    block[n_orders] = total
    for k in range(n_orders):
        total = 0.0
        for j in range(size):
            total += envelope[j] * current[j]
            following = (g[j] * current[j] - root[k] * previous[j]) * inverse_root[k + 1]
            previous[j] = current[j]
            current[j] = following
        block[k] = total


@kernel
def hermite_sums(origin, offset, weight, value, lo, hi, shift, scale, out):
    """out[i, k] = sum_j w_ij value_j h_k(g_ij), last column sum_j w_ij value_j^2.

    Here w_ij = weight_j exp(-g_ij^2/2) / (sqrt(2 pi) s_i), and `out` has shape (n, orders + 1). Blocks are added with
    Neumaier's compensation: the rounding error does not grow with the number of nodes.
    """
    n_orders = out.shape[1] - 1
    root, inverse_root = roots(n_orders)
    block, carry = np.empty(n_orders + 1), np.empty(n_orders + 1)
    g, envelope, previous, current = np.empty(_BLOCK), np.empty(_BLOCK), np.empty(_BLOCK), np.empty(_BLOCK)
    normal = 1.0 / math.sqrt(2.0 * math.pi)
    for i in range(shift.size):
        for k in range(n_orders + 1):
            out[i, k] = 0.0
            carry[k] = 0.0
        start = lo[i]
        while start < hi[i]:
            stop = min(start + _BLOCK, hi[i])
            envelopes(origin, offset, start, stop, shift[i], scale[i], g, envelope, previous)
            block_sums(
                weight, value, start, stop, normal / scale[i], g, envelope, previous, current, root, inverse_root, block
            )
            for k in range(n_orders + 1):
                total = out[i, k] + block[k]
                if abs(out[i, k]) >= abs(block[k]):
                    carry[k] += (out[i, k] - total) + block[k]
                else:
                    carry[k] += (block[k] - total) + out[i, k]
                out[i, k] = total
            start = stop
        for k in range(n_orders + 1):
            out[i, k] += carry[k]


@kernel
def roots(n):
    """sqrt(k) and 1/sqrt(k) for k = 0 .. n (0 for 1/sqrt(0), which nothing reads)."""
    root, inverse_root = np.empty(n + 1), np.zeros(n + 1)
    root[0] = 0.0
    for k in range(1, n + 1):
        root[k] = math.sqrt(k)
        inverse_root[k] = 1.0 / root[k]
    return root, inverse_root


@kernel(reassociate=True)
def block_energy(weight, value, start, stop, coefficients, i, g, envelope, previous, current, root, inverse_root):
    """Sum over one block of weight times the squared remainder."""
    size = stop - start
    for j in range(size):
        previous[j] = 0.0
        current[j] = envelope[j]
        envelope[j] = value[start + j] * envelope[j]
    for k in range(coefficients.shape[1]):
        c = coefficients[i, k]
        for j in range(size):
            envelope[j] -= c * current[j]
            following = (g[j] * current[j] - root[k] * previous[j]) * inverse_root[k + 1]
            previous[j] = current[j]
            current[j] = following
    total = 0.0
    for j in range(size):
        total += weight[start + j] * envelope[j] * envelope[j]
    return total


@kernel
def projected_energy(origin, offset, weight, value, lo, hi, shift, scale, coefficients, out):
    """out[i] = sum_j w_ij (value_j - sum_k coefficients[i, k] h_k(g_ij))^2, a sum of squares: never negative."""
    root, inverse_root = roots(coefficients.shape[1])
    g, envelope, previous, current = np.empty(_BLOCK), np.empty(_BLOCK), np.empty(_BLOCK), np.empty(_BLOCK)
    normal = 1.0 / math.sqrt(2.0 * math.pi)
    for i in range(shift.size):
        total = 0.0
        start = lo[i]
        while start < hi[i]:
            stop = min(start + _BLOCK, hi[i])
            envelopes(origin, offset, start, stop, shift[i], scale[i], g, envelope, previous)
            total += block_energy(
                weight, value, start, stop, coefficients, i, g, envelope, previous, current, root, inverse_root
            )
            start = stop
        out[i] = total * normal / scale[i]
