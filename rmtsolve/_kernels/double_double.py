"""Arithmetic on unevaluated sums hi + lo of two float64 (about 31 digits); every function returns (hi, lo).

Source: T. J. Dekker, A floating-point technique for extending the available precision, Numer. Math. 18 (1971).
Products are split rather than fused, so that compiled and interpreted runs agree; operands stay below 1e290.
"""

from ._jit import kernel

_SPLIT = 134217729.0  # 2^27 + 1


@kernel
def two_sum(a, b):
    """a + b exactly."""
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


@kernel
def two_prod(a, b):
    """a b exactly (no overflow)."""
    p = a * b
    c = _SPLIT * a
    ah = c - (c - a)
    al = a - ah
    c = _SPLIT * b
    bh = c - (c - b)
    bl = b - bh
    return p, ((ah * bh - p) + ah * bl + al * bh) + al * bl


@kernel
def dd_add(ah, al, bh, bl):
    """a + b."""
    s, e = two_sum(ah, bh)
    f, g = two_sum(al, bl)
    s, e = two_sum(s, e + f)
    return two_sum(s, e + g)


@kernel
def dd_mul(ah, al, bh, bl):
    """a b."""
    p, e = two_prod(ah, bh)
    return two_sum(p, e + (ah * bl + al * bh))


@kernel
def dd_div(ah, al, bh, bl):
    """a / b, for b away from zero."""
    q = ah / bh
    p, e = dd_mul(q, 0.0, bh, bl)
    p, e = dd_add(ah, al, -p, -e)
    return two_sum(q, (p + e) / bh)
