"""Deep features at complex lambda = -z: the solution of lambda(kappa_1) = -z on the physical branch, sweeps over z.

A solution is physical when Im kappa_s < 0 at every level: the levels are then a fixed point of a self-map of that
half-plane, which has only one (`rmtsolve.equations.deep_map`). On the real axis the same holds inside the support;
outside, a real solution at which every stage of the chain increases continues into the half-plane.
Names and chain arrays as in `deep_chain`.
"""

import numpy as np

from ._jit import kernel
from .deep_chain import BELOW, COLUMNS, JACOBIAN, KAPPA, KAPPA_M, B, forward
from .primitives import abs2, inverse

SHRINK = 0.4  # of Im z between two stages of the continuation
GENTLEST = 0.97  # the continuation gives up when even this shrinkage fails
NEWTON_STEPS = 40
NEARLY = 1e-4  # an imaginary part of this share: the solution may be real
RESOLVED = 1e-10  # residual at which a Newton iteration that has stopped improving counts as converged


@kernel
def newton(lam, kappa, half_plane, chain, ratio, gap, root, stage):
    """(found, kappa_1, steps, residual) near kappa with lambda(kappa_1) = lam; `half_plane` keeps Im kappa_1 < 0."""
    residual = np.inf
    top = stage.shape[0] - 1
    shift = chain[B][top - 1] if top > 0 else 0.0
    for k in range(NEWTON_STEPS):
        found, value, slope = forward(kappa, chain, ratio, gap, root, stage)
        if not found:
            return False, kappa, k + 1, np.inf
        # lambda = kappa_L (1 - rho t), and kappa_L is a difference of numbers of the size of b
        size = np.sqrt(abs2(lam)) + np.sqrt(abs2(stage[top, KAPPA_M])) + shift
        now = np.sqrt(abs2(value - lam)) / size
        step = (value - lam) * inverse(slope)
        if not abs2(step) < np.inf:
            return False, kappa, k + 1, np.inf
        if now == 0.0 or (now <= RESOLVED and not now < 0.5 * residual):  # rounding stops the decrease
            return True, kappa, k + 1, now
        residual = now
        new = kappa - step
        if half_plane:
            for _ in range(40):
                if new.imag < 0.0:
                    break
                step *= 0.5
                new = kappa - step
        if not abs2(step) > 1e-32 * abs2(kappa):
            return True, kappa, k + 1, now
        kappa = new
    return residual <= RESOLVED, kappa, NEWTON_STEPS, residual


@kernel
def in_half_plane(stage, ratio):
    """Whether every kappa of a solution has Im < 0 beyond rounding; the last one is lambda itself for n = infinity."""
    for s in range(stage.shape[0] if ratio > 0.0 else stage.shape[0] - 1):
        k = stage[s, KAPPA_M]
        if not (k.imag < -1e-14 * abs(k.real) and stage[s, KAPPA].imag < 0.0):
            return False
    return True


@kernel
def increasing(stage):
    """Whether every stage of the chain increases at a real solution: it lies outside the support."""
    good = True
    for s in range(stage.shape[0]):
        good &= stage[s, BELOW].real > 0.0 and stage[s, JACOBIAN].real > 0.0
    return good


@kernel
def settle_real(lam, kappa, keep, chain, ratio, gap, root, stage):
    """(found, kappa_1, steps, residual): the real solution outside the support near Re kappa, from the roots `keep`."""
    for s in range(root.size):
        root[s] = complex(keep[s].real)
    found, new, steps, residual = newton(lam, complex(kappa.real), False, chain, ratio, gap, root, stage)
    return found and increasing(stage), new, steps, residual


@kernel
def settle(lam, kappa, chain, ratio, gap, root, stage):
    """(found, kappa_1, steps, residual): the proved solution at lam near kappa; for real lam inside or outside."""
    keep = root.copy()
    steps = 0
    axis = lam.imag == 0.0
    nearly_real = kappa.imag > -NEARLY * abs(kappa.real)
    if axis and nearly_real:  # near the axis the real solution first
        found, new, steps, residual = settle_real(lam, kappa, keep, chain, ratio, gap, root, stage)
        if found:
            return True, new, steps, residual
    if kappa.imag < 0.0:
        for s in range(root.size):
            root[s] = keep[s]
        found, new, more, residual = newton(lam, kappa, True, chain, ratio, gap, root, stage)
        steps += more
        if found and in_half_plane(stage, ratio):
            if not (axis and new.imag > -NEARLY * abs(new.real)):
                return True, new, steps, residual
            # what is left of the way to a real solution, or a point of the support next to an edge
            here = root.copy()
            outside, real, more, other = settle_real(lam, new, here, chain, ratio, gap, root, stage)
            steps += more
            if outside:
                return True, real, steps, other
            for s in range(root.size):
                root[s] = here[s]
            found, new, more, residual = newton(lam, new, True, chain, ratio, gap, root, stage)
            return found and in_half_plane(stage, ratio), new, steps + more, residual
    if axis and not nearly_real:
        found, new, more, residual = settle_real(lam, kappa, keep, chain, ratio, gap, root, stage)
        steps += more
        if found:
            return True, new, steps, residual
    for s in range(root.size):
        root[s] = keep[s]
    return False, kappa, steps, np.inf


@kernel
def descend(lam, scale, kappa, chain, ratio, gap, root, stage):
    """(status, kappa_1, steps, residual): continuation in Im z down to lam, from a guess at Im z >= scale."""
    eta, shrink, steps = max(-lam.imag, scale), SHRINK, 0
    found, kappa, steps, residual = settle(complex(lam.real, -eta), kappa, chain, ratio, gap, root, stage)
    if not found:
        return 4, kappa, steps, residual
    for _ in range(2000):
        if eta <= -lam.imag:
            return 0, kappa, steps, residual
        new_eta = max(eta * shrink, -lam.imag)
        if lam.imag == 0.0 and new_eta < 1e-12 * scale:
            new_eta = 0.0
        found, new, more, new_residual = settle(complex(lam.real, -new_eta), kappa, chain, ratio, gap, root, stage)
        steps += more
        if found:
            eta, kappa, residual = new_eta, new, new_residual
            shrink = max(SHRINK, shrink * shrink)
        else:
            shrink = np.sqrt(shrink)
            if shrink > GENTLEST:
                return 4, kappa, steps, residual
    return 1, kappa, steps, residual


@kernel
def spectrum_sweep(z, scale, cold, roots, warm, chain, ratio, stages, status, steps, residual):
    """Solve lambda = -z at every point (Im z >= 0); fills stages (points, L + 1, COLUMNS).

    cold[i], roots[i] are kappa_1 and the k of the structured levels at Re z[i] and Im z = max(Im z[i], scale). With
    `warm` their last row, beyond the points, is a guess of the solution at the first point.
    """
    count, levels = z.size, roots.shape[1]
    gap, root = np.full(levels, -1), np.zeros(levels, np.complex128)
    kappa = complex(0.0)
    stage = np.empty((levels, COLUMNS), np.complex128)
    if warm:
        kappa = cold[count]
        for s in range(levels):
            root[s] = roots[count, s]
    for i in range(count):
        lam = complex(-z[i].real, -z[i].imag)
        found, more = False, 0
        if warm:
            found, kappa, more, residual[i] = settle(lam, kappa, chain, ratio, gap, root, stage)
        status[i], steps[i] = 0, more
        if not found:
            for s in range(levels):
                root[s] = roots[i, s]
            status[i], kappa, more, residual[i] = descend(lam, scale, cold[i], chain, ratio, gap, root, stage)
            steps[i] += more
        warm = status[i] == 0
        for s in range(levels):
            for j in range(COLUMNS):
                stages[i, s, j] = stage[s, j]
