"""Small dense complex linear algebra for the inner loops (n up to about 50), without LAPACK's call costs.

Loops instead of slice assignments: numba's shape checks for those take seconds to compile.
"""

import numpy as np

from ._jit import kernel
from .primitives import abs2, inverse


@kernel
def factor(a, pivots):
    """LU decomposition of the square matrix `a` in place, partial pivoting; False when singular or not finite."""
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
        for i in range(c + 1, n):
            a[i, c] *= scale
            f = a[i, c]
            for j in range(c + 1, n):
                a[i, j] -= f * a[c, j]
    return True


@kernel
def solve(lu, pivots, b):
    """b <- a^-1 b."""
    n = lu.shape[0]
    for c in range(n):
        b[c], b[pivots[c]] = b[pivots[c]], b[c]
    for i in range(n):
        for j in range(i):
            b[i] -= lu[i, j] * b[j]
    for i in range(n - 1, -1, -1):
        for j in range(i + 1, n):
            b[i] -= lu[i, j] * b[j]
        b[i] *= inverse(lu[i, i])


@kernel
def solve_transposed(lu, pivots, b):
    """b <- a^-T b."""
    n = lu.shape[0]
    for i in range(n):
        for j in range(i):
            b[i] -= lu[j, i] * b[j]
        b[i] *= inverse(lu[i, i])
    for i in range(n - 1, -1, -1):
        for j in range(i + 1, n):
            b[i] -= lu[j, i] * b[j]
    for c in range(n - 1, -1, -1):
        b[c], b[pivots[c]] = b[pivots[c]], b[c]


@kernel
def inverse_matrix(a, out):
    """out <- a^-1 (`a` is overwritten); False when singular."""
    n = a.shape[0]
    pivots = np.empty(n, np.int64)
    if not factor(a, pivots):
        return False
    column = np.empty(n, np.complex128)
    for c in range(n):
        for i in range(n):
            column[i] = 1.0 if i == c else 0.0
        solve(a, pivots, column)
        for i in range(n):
            out[i, c] = column[i]
    return True
