"""Hermite coefficients of the terms of the exact algebra, in any field.

Derivation: with ``x = a + s g`` the generating function ``E[f(a + s g) exp(u g - u^2/2)] = sum_k mu_k u^k / k!`` is a
shift of the Gaussian mean, ``mu_0(a + s u, s)``; for a wave it is again an exponential of a quadratic in u (hence the
two-term recurrence), for erf and the normal distribution function the derivative is one, and for ``(x - t)_+^j`` the
integrations by parts end at ``He_{k-j-1}(T) phi(T)``, ``T = (a - t)/s``. Multiplication by x is
``c_k(x f) = a c_k + s (sqrt(k) c_{k-1} + sqrt(k+1) c_{k+1})``. Everything is in the orthonormal basis, where nothing
overflows.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .algebra import ErrorFunction, HalfExponential, NormalCdf, Step, Term, Terms, Wave


class Numbers:
    """Elementary functions on float arrays; `symbolic` and the tests give the same for sympy and mpmath."""

    pi: Any = math.pi

    def root(self, n: int) -> Any:
        """Square root of an integer."""
        return math.sqrt(n)

    def sqrt(self, x: Any) -> Any:
        """Square root."""
        return np.sqrt(x)

    def exp(self, x: Any) -> Any:
        """Exponential."""
        return np.exp(x)

    def cos(self, x: Any) -> Any:
        """Cosine."""
        return np.cos(x)

    def sin(self, x: Any) -> Any:
        """Sine."""
        return np.sin(x)

    def erf(self, x: Any) -> Any:
        """Error function."""
        import scipy.special

        return scipy.special.erf(x)

    def normal_cdf(self, x: Any) -> Any:
        """Normal distribution function, relatively accurate in the left tail."""
        import scipy.special

        return scipy.special.ndtr(x)


NUMBERS = Numbers()
FRACTION = 44  # depth of the continued fraction: below 1e-16 at T = -4


def coefficients(terms: Terms, order: int, shift: Any, scale: Any, numbers: Numbers = NUMBERS) -> list[Any]:
    """``c_0 .. c_order`` of ``g -> f(shift + scale g)``; `scale` must not be zero."""
    total: list[Any] | None = None
    for term in terms:
        part = term_coefficients(term, order, shift, scale, numbers)
        total = part if total is None else [x + y for x, y in zip(total, part, strict=True)]
    assert total is not None
    return total


def term_coefficients(term: Term, order: int, shift: Any, scale: Any, numbers: Numbers) -> list[Any]:
    """Coefficients of one term."""
    if isinstance(term.atom, Step):
        if term.atom.side > 0:
            return _truncated(term.poly, term.atom.threshold, order, shift, scale, numbers)
        mirrored = tuple(-p if j % 2 else p for j, p in enumerate(term.poly))  # x -> -x, g -> -g
        result = _truncated(mirrored, -term.atom.threshold, order, -shift, scale, numbers)
        return [-c if k % 2 else c for k, c in enumerate(result)]
    top = order + len(term.poly) - 1
    if isinstance(term.atom, Wave):
        base = _wave(term.atom, top, shift, scale, numbers)
    elif isinstance(term.atom, HalfExponential):
        base = _half_exponential(term.atom, top, shift, scale, numbers)
    else:
        base = _sigmoidal(term.atom, top, shift, scale, numbers)
    return multiply_by_polynomial(term.poly, base, shift, scale, numbers)


def multiply_by_polynomial(
    poly: tuple[Any, ...], base: list[Any], shift: Any, scale: Any, numbers: Numbers
) -> list[Any]:
    """Coefficients of ``poly(x) f`` from those of f, by Horner's scheme; each degree costs the last coefficient."""
    result = [poly[-1] * c for c in base]
    for weight in reversed(poly[:-1]):
        size = len(result) - 1
        result = [
            shift * result[k]
            + scale * (numbers.root(k + 1) * result[k + 1] + (numbers.root(k) * result[k - 1] if k else 0))
            + weight * base[k]
            for k in range(size)
        ]
    return result


def _wave(atom: Wave, order: int, a: Any, s: Any, numbers: Numbers) -> list[Any]:
    """``c_{k+1} = [m c_k + sqrt(k) (v - 1) c_{k-1}] / sqrt(k+1)``, v = 1/(1 + b s^2), m = v s (l + i w - b a)."""
    b, growth, frequency, phase, level = atom
    if b == 0 and growth == 0 and frequency == 0 and phase == 0:
        one = 1.0 + 0.0 * (a * s) if numbers is NUMBERS else 1
        return [numbers.exp(level) * one] + [0 * one] * order
    v = 1 / (1 + b * s * s)
    size = numbers.sqrt(v) * numbers.exp(
        level + v * (growth * a + (s * s * (growth**2 - frequency**2) - b * a * a) / 2)
    )
    drift = v * s * (growth - b * a)
    angle = v * frequency * (a + s * s * growth) + phase
    if frequency == 0:
        real, imaginary = [size * numbers.cos(phase)], None
    else:
        real, imaginary = [size * numbers.cos(angle)], [size * numbers.sin(angle)]
    turn = v * s * frequency
    for k in range(order):
        step = numbers.root(k + 1)
        re = drift * real[k] - (turn * imaginary[k] if imaginary else 0)
        if b != 0 and k:
            re = re + numbers.root(k) * (v - 1) * real[k - 1]
        if imaginary:
            im = drift * imaginary[k] + turn * real[k]
            if b != 0 and k:
                im = im + numbers.root(k) * (v - 1) * imaginary[k - 1]
            imaginary.append(im / step)
        real.append(re / step)
    return real


def _half_exponential(atom: HalfExponential, order: int, a: Any, s: Any, numbers: Numbers) -> list[Any]:
    """``mu_{k+1} = l s mu_k + side exp(c + l t) He_k(T) phi(T)``, T = (t - a)/s, from ``mu_{k+1}(f) = mu_k(f')``."""
    growth, level, threshold, side = atom
    t = (threshold - a) / s
    rate = growth * s
    edge = side * numbers.exp(level + growth * threshold - t * t / 2) / numbers.sqrt(2 * numbers.pi)
    moment = numbers.exp(level + growth * a + rate * rate / 2) * numbers.normal_cdf(side * (rate - t))
    result, previous, current = [moment], 0, 1  # He_k in integers and t
    for k in range(order):
        moment = rate * moment + edge * current
        previous, current = current, t * current - k * previous
        result.append(moment / numbers.root(math.factorial(k + 1)))
    return result


def _sigmoidal(atom: ErrorFunction | NormalCdf, order: int, a: Any, s: Any, numbers: Numbers) -> list[Any]:
    """erf: ``c_0 = erf t``, ``c_k = sqrt(2/pi) r p_{k-1} / sqrt(k)``, ``p_n = (-r)^n h_n(sqrt2 t) exp(-t^2)``.

    Here ``t = m / D``, ``r = sqrt2 q / D``, ``D^2 = 1 + 2 q^2`` for ``erf(m + q g)``; Phi(u) = (1 + erf(u/sqrt2))/2.
    """
    mean, spread = atom.slope * a + atom.offset, atom.slope * s
    root2 = numbers.root(2)
    if isinstance(atom, NormalCdf):
        width = numbers.sqrt(1 + spread * spread)
        r, argument = spread / width, mean / width  # argument = sqrt2 t
        result = [numbers.normal_cdf(argument)]
        factor = 1 / numbers.sqrt(2 * numbers.pi)
    else:
        width = numbers.sqrt(1 + 2 * spread * spread)
        r, argument = root2 * spread / width, root2 * mean / width
        result = [numbers.erf(mean / width)]
        factor = root2 / numbers.sqrt(numbers.pi)
    previous, current = 0, factor * r * numbers.exp(-argument * argument / 2)
    for k in range(1, order + 1):
        result.append(current / numbers.root(k))
        nxt = -r * argument * current
        if k > 1:
            nxt = nxt - r * r * numbers.root(k - 1) * previous
        previous, current = current, nxt / numbers.root(k)
    return result


def _truncated(poly: tuple[Any, ...], t: Any, order: int, a: Any, s: Any, numbers: Numbers) -> list[Any]:
    """``P(x) 1{x > t} = sum_j q_j (x - t)_+^j``, with ``J_j = E (a - t + s g)_+^j``.

    ``J_j = (a - t) J_{j-1} + (j-1) s^2 J_{j-2}``; ``c_k((x-t)_+^j)`` is ``s^k j!/(j-k)!/sqrt(k!) J_{j-k}`` for k <= j
    and ``s^j j! (-1)^{k-j-1} h_{k-j-1}(T) phi(T) / sqrt(k (k-1) ... (k-j))`` for k > j.
    """
    local = _taylor(poly, t)
    degree = len(local) - 1
    distance = a - t
    ratio = distance / s
    density = numbers.exp(-ratio * ratio / 2) / numbers.sqrt(2 * numbers.pi)
    moments = [numbers.normal_cdf(ratio)]
    if degree:
        moments.append(distance * moments[0] + s * density)
    for j in range(2, degree + 1):
        moments.append(distance * moments[j - 1] + (j - 1) * s * s * moments[j - 2])
    if numbers is NUMBERS and degree:
        moments = _tail_moments(moments, ratio, s, density)
    # alternating Hermite functions (-1)^n h_n(T) phi(T), n < order
    hermite = [density]
    for n in range(max(order - 1, 0)):
        nxt = -ratio * hermite[n] - (numbers.root(n) * hermite[n - 1] if n else 0)
        hermite.append(nxt / numbers.root(n + 1))
    result = []
    for k in range(order + 1):
        value = 0
        for j, weight in enumerate(local):
            if weight == 0:
                continue
            if k <= j:
                factor = math.perm(j, k)
                value = value + weight * factor / numbers.root(math.factorial(k)) * s**k * moments[j - k]
            else:
                product = numbers.root(math.perm(k, j + 1))
                value = value + weight * math.factorial(j) * s**j / product * hermite[k - j - 1]
        result.append(value)
    return result


def _tail_moments(moments: list[Any], ratio: Any, s: Any, density: Any) -> list[Any]:
    """The moments J_j with those at ``T = (a - t)/s < -4`` recomputed without cancellation.

    There ``J_j = s^j phi(T) K_j`` is the decaying solution of ``K_{j+1} = T K_j + j K_{j-1}``, so its ratios are those
    of the continued fraction ``K_j / K_{j-1} = j / (|T| + K_{j+1}/K_j)``, and ``K_0 = 1/(|T| + K_1/K_0)``.
    """
    far = np.asarray(ratio) < -4.0
    if not far.any():
        return moments
    size = -np.asarray(ratio)[far]
    ratios = [np.zeros_like(size)]
    for j in range(len(moments) - 1 + FRACTION, 0, -1):
        ratios.append(j / (size + ratios[-1]))
    ratios.reverse()  # ratios[j - 1] = K_j / K_{j-1}
    width = np.broadcast_to(np.asarray(s, dtype=np.float64), far.shape)[far]
    value = np.broadcast_to(np.asarray(density), far.shape)[far] / (size + ratios[0])
    result = []
    for j, moment in enumerate(moments):
        if j:
            value = value * width * ratios[j - 1]
        whole = np.array(np.broadcast_to(np.asarray(moment, dtype=np.float64), far.shape))
        whole[far] = value
        result.append(whole if whole.shape else float(whole))
    return result


def _taylor(poly: tuple[Any, ...], t: Any) -> list[Any]:
    """Coefficients of the polynomial in powers of x - t (repeated synthetic division)."""
    work = list(poly)
    if t == 0:
        return work
    for start in range(len(work) - 1):
        for i in range(len(work) - 2, start - 1, -1):
            work[i] = work[i] + t * work[i + 1]
    return work
