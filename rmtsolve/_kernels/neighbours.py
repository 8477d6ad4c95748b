"""Prediction of the next solution of a sweep from its solved neighbours, by divided differences.

Legend: ``places`` (DEPTH) holds the points z, z_1, z_2, ... of the last solutions, the newest first; ``table``
(DEPTH, n) their divided differences ``table[q] = s[z, z_1, ..., z_q]``. Solutions are analytic in z off the edges.
Source: Newton's interpolation formula.
"""

from ._jit import kernel
from .primitives import abs2, inverse

DEPTH = 6


@kernel(borrows=True)
def record(z, s, count, places, table):
    """Take in the solution s at z; `count` solutions are known before, the number after is returned."""
    if count > 0 and z == places[0]:
        return count
    count = min(count + 1, DEPTH)
    for e in range(s.size):
        old = table[0, e]
        table[0, e] = s[e]
        for q in range(1, count):
            older = table[q, e]
            table[q, e] = (table[q - 1, e] - old) * inverse(z - places[q - 1])
            old = older
    for q in range(count - 1, 0, -1):
        places[q] = places[q - 1]
    places[0] = z
    return count


@kernel(borrows=True)
def predict(z, count, places, table, s):
    """s <- the polynomial through the remembered solutions at z, every unknown up to where its terms stop falling."""
    for e in range(s.size):
        total = table[0, e]
        size = abs2(total)
        weight = 1.0 + 0j
        for q in range(1, count):
            weight *= z - places[q - 1]
            term = weight * table[q, e]
            now = abs2(term)
            if not now < 0.25 * size:
                break
            total += term
            size = max(now, 0.0625 * size)
        s[e] = total
