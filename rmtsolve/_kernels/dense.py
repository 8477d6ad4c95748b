"""Small dense complex linear algebra for the inner loops (n up to about 50), without LAPACK's call costs.

Loops instead of slice assignments: numba's shape checks for those take seconds to compile. Sums are kept in scalars,
since the compiler cannot know that two arrays do not overlap.
"""

import numpy as np

from ._jit import kernel
from .primitives import abs2, inverse


@kernel(borrows=True)
def factor(a, pivots):
    """LU decomposition of the square matrix `a` in place, partial pivoting; False when singular or not finite.

    The diagonal of U is stored inverted.
    """
    n = a.shape[0]
    for c in range(n):
        best, row = -1.0, c
        for i in range(c, n):
            size = abs2(a[i, c])
            if size > best:
                best, row = size, i
        if not best < np.inf or best <= 0.0:
            return False
        pivots[c] = row
        if row != c:
            for j in range(n):
                a[c, j], a[row, j] = a[row, j], a[c, j]
        scale = inverse(a[c, c])
        a[c, c] = scale
        for i in range(c + 1, n):
            f = a[i, c] * scale
            a[i, c] = f
            for j in range(c + 1, n):
                a[i, j] -= f * a[c, j]
    return True


@kernel(borrows=True)
def solve(lu, pivots, b):
    """b <- a^-1 b."""
    n = lu.shape[0]
    for c in range(n):
        row = pivots[c]
        if row != c:
            b[c], b[row] = b[row], b[c]
    for i in range(n):
        total = b[i]
        for j in range(i):
            total -= lu[i, j] * b[j]
        b[i] = total
    for i in range(n - 1, -1, -1):
        total = b[i]
        for j in range(i + 1, n):
            total -= lu[i, j] * b[j]
        b[i] = total * lu[i, i]


@kernel(borrows=True)
def solve_transposed(lu, pivots, b):
    """b <- a^-T b."""
    n = lu.shape[0]
    for i in range(n):
        total = b[i]
        for j in range(i):
            total -= lu[j, i] * b[j]
        b[i] = total * lu[i, i]
    for i in range(n - 1, -1, -1):
        total = b[i]
        for j in range(i + 1, n):
            total -= lu[j, i] * b[j]
        b[i] = total
    for c in range(n - 1, -1, -1):
        b[c], b[pivots[c]] = b[pivots[c]], b[c]


@kernel(borrows=True)
def solve_identity(lu, pivots, share, out):
    """out <- share a^-1, all columns at once."""
    n = lu.shape[0]
    for i in range(n):
        for j in range(n):
            out[i, j] = 0j
        out[i, i] = share
    for c in range(n):
        row = pivots[c]
        if row != c:
            for j in range(n):
                out[c, j], out[row, j] = out[row, j], out[c, j]
    for i in range(n):
        for j in range(i):
            f = lu[i, j]
            for c in range(n):
                out[i, c] -= f * out[j, c]
    for i in range(n - 1, -1, -1):
        for j in range(i + 1, n):
            f = lu[i, j]
            for c in range(n):
                out[i, c] -= f * out[j, c]
        f = lu[i, i]
        for c in range(n):
            out[i, c] *= f


@kernel
def inverse_matrix(a, out):
    """out <- a^-1 (`a` is overwritten); False when singular."""
    pivots = np.empty(a.shape[0], np.int64)
    if not factor(a, pivots):
        return False
    solve_identity(a, pivots, 1.0, out)
    return True
