"""Closed forms in k for the atoms of the exact algebra: ``mu_k = E[f(g) He_k(g)]``, in sympy.

With ``delta = 0`` or 1 and n!! the double factorial, an atom centred at zero has, for k of its parity,

    mu_k = B q^((k - delta)/2) (k - 1 - delta)!!                                            (1)

(Gaussian: delta = 0; erf, Phi, step: delta = 1). Off centre it has ``mu_k = B r^k He_{k - delta}(t)``, an exponential
has ``B r^k``, and ``exp(l x) cos(w x + p)`` has ``|l + i w|^k cos(k arg + p)``. Derived from the generating functions
of `closed`. Multiplication by a polynomial gives ``sum_i Q_i(k) mu_{k+i}``; the recurrence of each family brings that
back to its lowest members.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .algebra import UNIT, Atom, ErrorFunction, HalfExponential, NormalCdf, NotClosed, Step, Terms, Wave
from .expression import X


class General(NamedTuple):
    """``c_k`` for even and odd k, valid for ``k >= start``."""

    start: int
    even: Any
    odd: Any


def general(terms: Terms, k: Any) -> General:
    """The closed form of a sum of terms at `k`, an int or a sympy expression."""
    import sympy

    start, totals = 0, [sympy.Integer(0), sympy.Integer(0)]
    for poly, atom in terms:
        if atom == UNIT:
            start = max(start, len(poly))  # zero beyond its degree
            continue
        if isinstance(atom, HalfExponential):
            raise NotClosed(X)  # a sum that grows with k
        begin = 1 if isinstance(atom, Step | ErrorFunction | NormalCdf) else 0
        start = max(start, begin + len(poly) - 1)
        weights = _weights(poly, k)
        for p in (0, 1):
            if not isinstance(k, int) or k % 2 == p:
                totals[p] += _moment(atom, weights, k, p)
    root = sympy.sqrt(sympy.factorial(k))
    return General(start, totals[0] / root, totals[1] / root)


def has_general_integers(terms: Terms) -> bool:
    """Is `general` also the best form for a number k (no angle and no Hermite polynomial of an imaginary argument)?"""
    return not any(
        isinstance(atom, Wave)
        and ((atom.growth != 0 and atom.frequency != 0) or (atom.decay != 0 and not _centred(atom)))
        for _, atom in terms
    )


def _centred(atom: Wave) -> bool:
    return bool(atom.growth == 0 and atom.frequency == 0)


def _weights(poly: tuple[Any, ...], k: Any) -> dict[int, Any]:
    """``Q_i`` with ``mu_k(P f) = sum_i Q_i mu_{k+i}(f)``, from ``mu_k(x f) = k mu_{k-1} + mu_{k+1}``."""
    import sympy

    m = sympy.Dummy("m")
    power: dict[int, Any] = {0: sympy.Integer(1)}
    total: dict[int, Any] = {}
    for n, weight in enumerate(poly):
        if n:
            raised: dict[int, Any] = {}
            for i, q in power.items():
                raised[i - 1] = raised.get(i - 1, 0) + m * q.subs(m, m - 1)
                raised[i + 1] = raised.get(i + 1, 0) + q.subs(m, m + 1)
            power = raised
        for i, q in power.items():
            total[i] = total.get(i, 0) + weight * q
    expanded = {i: sympy.expand(q) for i, q in sorted(total.items())}
    return {i: q.subs(m, k) for i, q in expanded.items() if q != 0}


def _moment(atom: Atom, weights: dict[int, Any], k: Any, p: int) -> Any:
    """``mu_k`` of the atom times the polynomial behind `weights`, for k of parity p."""
    import sympy

    pi, root, half = sympy.pi, sympy.sqrt, sympy.Rational(1, 2)
    if isinstance(atom, Wave):
        return _wave(atom, weights, k, p)
    if isinstance(atom, Step):
        t = sympy.sympify(atom.threshold)  # atoms hold numbers and sympy expressions, never text
        if t == 0:
            return atom.side * _centred_sum(1 / root(2 * pi), sympy.Integer(-1), 1, weights, k, p)
        return atom.side * _hermite_sum(sympy.exp(-t * t / 2) / root(2 * pi), sympy.Integer(1), t, 1, weights, k, p)
    assert isinstance(atom, ErrorFunction | NormalCdf)
    slope, offset = sympy.sympify(atom.slope), sympy.sympify(atom.offset)
    if isinstance(atom, ErrorFunction):
        ratio, argument = root(2) * slope / root(1 + 2 * slope**2), root(2) * offset / root(1 + 2 * slope**2)
        size = root(2 / pi)
    else:
        ratio, argument = slope / root(1 + slope**2), offset / root(1 + slope**2)
        size = 1 / root(2 * pi)
    if offset == 0:
        return _centred_sum(size * ratio, -(ratio**2), 1, weights, k, p)
    return _hermite_sum(-size * sympy.exp(-argument * argument * half), -ratio, argument, 1, weights, k, p)


def _wave(atom: Wave, weights: dict[int, Any], k: Any, p: int) -> Any:
    import sympy

    decay, growth, frequency, phase, level = (sympy.sympify(value) for value in atom)
    v = 1 / (1 + decay)
    if decay != 0 and _centred(atom):
        size = sympy.sqrt(v) * sympy.exp(level) * sympy.cos(phase)
        return _centred_sum(size, -decay * v, 0, weights, k, p)
    if decay != 0:  # He_k of a complex argument; its real part
        rate = sympy.sqrt(decay * v)
        drift = v * (growth + sympy.I * frequency)
        size = sympy.sqrt(v) * sympy.exp(level + v * (growth + sympy.I * frequency) ** 2 / 2 + sympy.I * phase)
        value = _hermite_sum(size, rate, drift / rate, 0, weights, k, p)
        return value if frequency == 0 else sympy.re(value)
    size = sympy.exp(level + (growth**2 - frequency**2) / 2)
    if frequency == 0:
        inner = sum(q * growth**i for i, q in weights.items())
        return size * sympy.cos(phase) * growth**k * _tidy(inner)
    if growth == 0:
        sign = sympy.Integer(-1) ** ((k - p) // 2 if isinstance(k, int) else (k - p) / 2)
        turns = {i: sympy.cos(phase + (p + i) * sympy.pi / 2) for i in weights}
        return size * sign * frequency**k * _tidy(sum(q * frequency**i * turns[i] for i, q in weights.items()))
    modulus, angle = sympy.sqrt(growth**2 + frequency**2), sympy.atan2(frequency, growth)
    return size * sum(
        q * modulus ** (k + i) * sympy.cos((k + i) * angle + phase + growth * frequency) for i, q in weights.items()
    )


def _centred_sum(size: Any, ratio: Any, delta: int, weights: dict[int, Any], k: Any, p: int) -> Any:
    """``sum_i Q_i mu_{k+i}`` for (1): the lowest member times a polynomial in k."""
    import sympy

    shifts = [i for i in weights if (p + i - delta) % 2 == 0]
    if not shifts:
        return sympy.Integer(0)
    low = shifts[0]
    total: Any = sympy.Integer(0)
    factor: Any = sympy.Integer(1)
    for step, i in enumerate(range(low, shifts[-1] + 1, 2)):
        if step:
            factor = factor * ratio * (k + i - 1 - delta)
        total += weights.get(i, 0) * factor
    total = _tidy(total)
    if total == 0:
        return total
    power = k + low - delta
    exponent = power // 2 if isinstance(k, int) else power / 2
    sign, positive = (sympy.Integer(-1), -ratio) if ratio.could_extract_minus_sign() else (sympy.Integer(1), ratio)
    return size * total * sign**exponent * positive**exponent * sympy.factorial2(power - 1)


def _hermite_sum(size: Any, ratio: Any, t: Any, delta: int, weights: dict[int, Any], k: Any, p: int) -> Any:
    """``sum_i Q_i size ratio^(k+i) He_{k+i-delta}(t)`` by ``He_{n+1} = t He_n - n He_{n-1}`` on the lowest two."""
    import sympy

    low = min(weights)
    n = k + low - delta
    if isinstance(n, int) and n < 0:
        return sympy.nan  # sympy's hermite refuses it: the formula does not reach down to this k
    first, second = (sympy.Integer(1), sympy.Integer(0)), (sympy.Integer(0), sympy.Integer(1))
    totals: list[Any] = [sympy.Integer(0), sympy.Integer(0)]
    for step in range(max(weights) - low + 1):
        weight = weights.get(low + step, 0) * ratio**step
        for c in (0, 1):
            totals[c] += weight * first[c]
        first, second = second, tuple(t * second[c] - (n + step + 1) * first[c] for c in (0, 1))
    # signs by parity: He_n(-t) = (-1)^n He_n(t)
    flips = -1 if t.could_extract_minus_sign() else 1
    value = sum(
        _tidy(total) * flips ** ((p + low + c - delta) % 2) * hermite_polynomial(n + c, flips * t)
        for c, total in enumerate(totals)
        if total != 0
    )
    if ratio.could_extract_minus_sign():
        return size * (-1) ** ((p + low) % 2) * (-ratio) ** (k + low) * value
    return size * ratio ** (k + low) * value


def hermite_polynomial(n: Any, t: Any) -> Any:
    """Probabilists' He_n(t): a polynomial for a number n, else ``2^(-n/2) H_n(t/sqrt2)``."""
    import sympy

    if not isinstance(n, int):
        return 2 ** (-n / 2) * sympy.hermite(n, t / sympy.sqrt(2))
    previous, current = sympy.Integer(0), sympy.Integer(1)
    for j in range(n):
        previous, current = current, sympy.expand(t * current - j * previous)
    return current


def _tidy(value: Any) -> Any:
    import sympy

    return sympy.factor(sympy.expand(value))
