"""Deep features: the whole chain of layers as an explicit map of one number, kappa_1 -> lambda.

    M_s = C_s^{1/2} Omega_s C_s^{1/2},      Omega_{s+1} = a_s W M_s W^T / p_s + b_s  (p_{s+1} rows),  s = 0 .. L
    t(kappa) = tr Omega (Omega + kappa)^-1,  f = tr Omega^2 (Omega + kappa)^-2,  v = t - f,  q = tr (Omega + kappa)^-1
    (normalised traces), and one step of the chain is, with rho_s = p_s / p_{s+1}:

    free product with C:   int c / (c + k) dC = t,   kappa_M = k t / q,   t_M = t,   1/v_M = 1/v + 1/v_C - 1/(t (1-t))
    a Wishart layer:       kappa' = (a/rho) kappa (1 - rho t) - b,        J = dkappa'/dkappa = (a/rho) (1 - rho f)
                           t' = rho (t + b / (a kappa)),                   1 - t' = kappa' q',   q' = rho / (a kappa)
                           f' = t'^2 + rho f (1 - t')^2 / (1 - rho f),     v' = kappa' q' (a kappa v + b) / (kappa J)

The data are one more step, kappa' = kappa (1 - rho t) with rho = p_L / n, and its kappa' is lambda, the ridge added to
Phi^T Phi / n (to Phi^T Phi / p_L it is lambda / rho). Every line but those for kappa' adds positive terms when
kappa > 0. Source: derived from the S-transforms of the Marchenko-Pastur law and of C; for C = 1 it is the recursion of
arXiv:2402.13999 written for the resolvent of each layer, for no layer arXiv:2005.11879.

Legend
    chain            (x, h, rho, a, b, c, w, off): atoms and weights of Omega_0; rho, a, b per layer; the atoms > 0 of
                     all C, ascending for each, with weights, those of C_s in off[s]:off[s+1] (none: C_s = 1)
    ratio            p_L / n, zero for n = infinity
    gap[s]           -1: find k for C_s by Newton from root[s]; g >= 0: in the g-th interval of the real line between
                     the poles -c, from -inf (the last one, g = number of atoms, holds the k > 0)
    stage[s]         what is known of level s, columns as named below
"""

import math

import numpy as np

from ._jit import kernel
from .primitives import abs2, inverse

B, OFF = 4, 7  # places in `chain`
COLUMNS = 11
KAPPA, T, F, V, Q, KAPPA_M, F_M, ROOM, BELOW, JACOBIAN, DROP = range(COLUMNS)
# of Omega_s: kappa, t, f, v, q; of M_s: kappa, f; 1 - rho t; 1 - rho f; dkappa_{s+1}/dkappa_s;
# kappa_s - kappa_{s+1} / JACOBIAN, a sum of positive terms for kappa > 0
LOG_FLOOR, LOG_TOP = -150.0, 300.0  # of kappa_1; below, its fourth power would underflow


@kernel
def moments(kappa, x, w, first, last, rest):
    """(t, variance of x/(x+kappa), v, q) of a law: atoms x[first:last] of weights w, and mass `rest` at zero."""
    t, v, q = complex(0.0), complex(0.0), complex(0.0)
    square, other = complex(0.0), complex(0.0)
    for i in range(first, last):
        r = inverse(x[i] + kappa)
        s, k = x[i] * r, kappa * r
        t += w[i] * s
        v += w[i] * s * k
        q += w[i] * r
        square += w[i] * s * s
        other += w[i] * k * k
    if rest > 0.0:
        q += rest * inverse(kappa)
        other += rest
    # the variance of s = 1 - k, from whichever of the two is small
    if abs2(t) < 0.25:
        return t, square - t * t, v, q
    return t, other - kappa * q * kappa * q, v, q


@kernel
def missing_mass(w, first, last):
    """Mass that the weights leave to an atom at zero."""
    rest = 1.0
    for i in range(first, last):
        rest -= w[i]
    return rest if rest > 1e-12 else 0.0


@kernel
def structure_root(t, rest, c, w, first, last, gap, guess):
    """(found, k) with int c/(c+k) dC = t, rest = 1 - t: near `guess`, or the only one in the real interval `gap`."""
    n = last - first
    zero = missing_mass(w, first, last)
    low, high = -np.inf, np.inf
    if gap >= 0:
        small, large = c[first], c[last - 1]
        ratio = (rest.real - zero) / t.real  # for a single atom k = c * ratio
        if gap == n:
            if not t.real > 0.0:
                return False, guess
            low, high = small * ratio, large * ratio
            if low > high:
                low, high = max(high, -small), low
        elif gap == 0:
            if not t.real < 0.0:
                return False, guess
            low, high = large * ratio, min(-large, small * ratio)
        else:
            low, high = -c[first + gap], -c[first + gap - 1]
        guess = complex(0.5 * (low + high))
    k, y, before = guess, rest * inverse(t), np.inf
    near = abs2(t) > 0.25  # rest is then the number to rely on, and k may be small beside the atoms
    for _ in range(200):
        part, other, slope = complex(0.0), complex(0.0), complex(0.0)
        for i in range(first, last):
            r = inverse(c[i] + k)
            part += w[i] * c[i] * r
            other += w[i] * k * r
            slope += w[i] * c[i] * r * r
        # Newton for (1 - part)/part = (1 - t)/t, which is exact at once for a single atom
        excess = (other - (rest - zero)) * inverse(t) if near else other + zero - y * part
        if gap >= 0:
            if (excess * t).real < 0.0:
                low = k.real
            else:
                high = k.real
        step = part * excess * inverse(slope)
        new = k - step
        if gap >= 0 and not (low < new.real < high):
            new = complex(0.5 * (low + high))
            step = k - new
        k = new
        size = abs2(step)
        if size <= 1e-31 * abs2(k) or (size <= 1e-24 * abs2(k) and not size < 0.25 * before):
            return True, k
        if gap >= 0 and not high - low > 2e-16 * max(abs(low), abs(high)):
            return True, k
        if not size < np.inf:
            return False, k
        before = size
    return False, k


@kernel
def forward(kappa, chain, ratio, gap, root, stage):
    """(found, lambda, dlambda/dkappa) at kappa = kappa_1, the argument of Omega_0; fills stage and root."""
    x, h, rho, a, b, c, w, off = chain
    layers = rho.size
    t, spread, v, q = moments(kappa, x, h, 0, x.size, 0.0)
    slope = complex(1.0)
    for s in range(layers + 1):
        stage[s, KAPPA] = kappa
        stage[s, T] = t
        stage[s, F] = t * t + spread
        stage[s, V] = v
        stage[s, Q] = q
        jacobian, drop = complex(1.0), complex(0.0)
        rest = kappa * q
        if off[s + 1] > off[s]:
            found, k = structure_root(t, rest, c, w, off[s], off[s + 1], gap[s], root[s])
            if not found:
                return False, complex(np.nan), complex(np.nan)
            root[s] = k
            _, spread_c, vc, qc = moments(k, c, w, off[s], off[s + 1], missing_mass(w, off[s], off[s + 1]))
            beta = t * rest
            mix = vc * spread + v * beta
            extra = spread_c * v * inverse(vc)
            jacobian = t * inverse(qc) * (mix * inverse(beta)) * inverse(vc)
            drop = kappa * extra * inverse(beta + extra)
            kappa = k * t * inverse(q)
            spread = beta * (vc * spread + v * spread_c) * inverse(mix)
            v = beta * v * vc * inverse(mix)
        up, shift, lift, ratio_s = ratio, 0.0, 1.0, ratio
        if s < layers:
            up, shift, lift, ratio_s = a[s], b[s], a[s] / rho[s], rho[s]
        f = t * t + spread
        room, below = 1.0 - ratio_s * t, 1.0 - ratio_s * f
        if abs2(t) > 0.25:  # the same numbers from 1 - t = kappa q, which may be small
            room = (1.0 - ratio_s) + ratio_s * rest
            below = (1.0 - ratio_s) + ratio_s * (rest * (1.0 + t) - spread)
        step = lift * below
        gain = up * kappa * v + shift
        drop += inverse(jacobian * step) * gain
        jacobian *= step
        slope *= jacobian
        stage[s, KAPPA_M] = kappa
        stage[s, F_M] = f
        stage[s, ROOM] = room
        stage[s, BELOW] = below
        stage[s, JACOBIAN] = jacobian
        stage[s, DROP] = drop
        above = lift * kappa * room - shift
        if s == layers:
            return abs2(above) < np.inf, above, slope
        q = ratio_s * inverse(up * kappa)
        t = ratio_s * t + shift * q
        v = above * q * gain * inverse(kappa * step)
        spread = ratio_s * f * above * q * above * q * inverse(below)
        kappa = above
    return False, complex(np.nan), complex(np.nan)


@kernel
def admissible(stage):
    """Whether a real kappa_1 > 0 is on the physical branch: every kappa > 0 and every p_{s+1} > df1_s."""
    for s in range(stage.shape[0]):
        if not (stage[s, KAPPA].real > 0.0 and stage[s, KAPPA_M].real > 0.0 and stage[s, ROOM].real > 0.0):
            return False
    return True


@kernel
def ridge_point(lam, guess, chain, ratio, gap, root, stage):
    """(status, steps, relative residual) of lambda(kappa_1) = lam >= 0; the answer is left in `stage`.

    lambda increases with kappa_1 on the physical branch, and everything off the branch is below it: bisection in
    log kappa_1, with Newton steps for log lambda where they stay inside. At lam = 0: the end of the branch.
    """
    low, high = LOG_FLOOR, LOG_TOP
    y = min(max(math.log(guess), low), high)
    bounded_low, bounded_high = False, False
    steps, best, width = 0, 0.0, 1.0
    for _ in range(400):
        steps += 1
        kappa = math.exp(y)
        found, value, slope = forward(complex(kappa), chain, ratio, gap, root, stage)
        good = found and admissible(stage)
        if good and (value.real > lam or (lam == 0.0 and value.real > 0.0)):
            high, bounded_high, best = y, True, kappa
        else:
            low, bounded_low = y, True
        new = 0.5 * (low + high)
        if not bounded_high:
            new = y + width
            width *= 2.0
        elif not bounded_low:
            new = y - width
            width *= 2.0
        if good and lam > 0.0:
            relative = value.real / lam
            # log lambda is concave near the end of the branch: Newton from the right would leave it
            newton = y - math.log(relative) * value.real / (kappa * slope.real)
            if abs(newton - y) <= 1e-15 * max(1.0, abs(y)):
                best = kappa
                break
            if low < newton < high:
                new = newton
        if not new > LOG_FLOOR:  # lambda -> 0 only as kappa_1 -> 0
            best = math.exp(LOG_FLOOR) if lam == 0.0 else best
            break
        if not new < LOG_TOP:
            break
        if bounded_low and bounded_high and not high - low > 4e-16 * max(1.0, abs(y)):
            best = math.exp(high) if lam == 0.0 else best
            break
        y = new
    if best == 0.0:
        return 1, steps, np.inf
    kappa = best
    found, value, slope = forward(complex(kappa), chain, ratio, gap, root, stage)
    if lam > 0.0:  # exp(y) has lost a few digits: two more steps in kappa itself
        for _ in range(2):
            steps += 1
            new = kappa - (value.real - lam) / slope.real
            found, other, other_slope = forward(complex(new), chain, ratio, gap, root, stage)
            if not (found and admissible(stage) and abs(other.real - lam) < abs(value.real - lam)):
                break
            kappa, value, slope = new, other, other_slope
        found, value, slope = forward(complex(kappa), chain, ratio, gap, root, stage)
    if not (found and admissible(stage)):
        return 3, steps, np.inf
    # kappa_1 is known to rounding, and with it lambda to rounding of kappa_1 dlambda/dkappa_1
    top = stage.shape[0] - 1
    size = lam + stage[top, KAPPA_M].real + kappa * slope.real + (chain[B][top - 1] if top > 0 else 0.0)
    residual = abs(value.real - lam) / size
    return (0 if lam == 0.0 or residual < 1e-10 else 4), steps, residual


@kernel
def ridge_sweep(lam, ratio, guess, chain, stages, status, steps, residual):
    """Solve every pair (lam[i], ratio[i]) from guess[i]; fills stages (points, L + 1, COLUMNS) with real numbers."""
    off = chain[OFF]
    levels = off.size - 1
    gap, root = np.empty(levels, np.int64), np.zeros(levels, np.complex128)
    for s in range(levels):
        gap[s] = off[s + 1] - off[s]
    stage = np.empty((levels, COLUMNS), np.complex128)
    for i in range(lam.size):
        status[i], steps[i], residual[i] = ridge_point(lam[i], guess[i], chain, ratio[i], gap, root, stage)
        for s in range(levels):
            for j in range(COLUMNS):
                stages[i, s, j] = stage[s, j].real


@kernel
def map_sweep(kappa, chain, ratio, gap, lam, stages):
    """The forward map at real points kappa[i], with the interval gap[i, s] of each structured level.

    Where a level has no k in its interval, it and the levels above are nan, and so is lam[i].
    """
    levels = gap.shape[1]
    root = np.zeros(levels, np.complex128)
    stage = np.empty((levels, COLUMNS), np.complex128)
    for i in range(kappa.size):
        stage[:, :] = complex(np.nan)
        _, value, _ = forward(complex(kappa[i]), chain, ratio, gap[i], root, stage)
        lam[i] = value.real
        for s in range(levels):
            for j in range(COLUMNS):
                stages[i, s, j] = stage[s, j].real
