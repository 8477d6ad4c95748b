"""Moments of a single-index target given the input along the learned direction, on a grid in kappa.

    y = g(gamma kappa + rho tau) + noise:   t0 = E[y | kappa],   t1 = E[tau y | kappa],   t2 = E[y^2 | kappa],

the Hermite coefficients of g at shift gamma kappa and scale rho. Where g has kinks and rho is small these functions
have (nearly) kinks in kappa, which a trapezoid rule does not resolve. All that is needed are integrals against
functions that the grid does resolve, so there the values are replaced by those of the band-limited interpolant: with
phi the Gaussian density and h the step, ``G sqrt(phi) = sum_i (G sqrt(phi))(kappa_i) sinc((kappa - kappa_i) / h)``,
hence

    E[t G] = sum_i w_i G(kappa_i) t^_i,   t^_i = (1 / (h sqrt(phi_i))) int t sqrt(phi) sinc((kappa - kappa_i) / h).

Source: derived.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..activations.base import Activation
from ..equations.spiked_features import REACH

Real = NDArray[np.float64]

FARTHEST = 4.0 * REACH
SHARP = 0.3  # rho / |gamma| below which a kinked target is projected
ORDER = 16  # Gauss-Legendre nodes a panel


class TargetMoments(NamedTuple):
    """Moments on the grid, and the energies of the parts of the target."""

    rows: Real  # (3, N): t0, t1, t2, or what stands for them in integrals
    learned: float  # E t0^2
    rest: float  # E t1^2
    beyond: float  # E of what is of degree two and more in tau


def target_reach(target: Activation, alignment: float) -> float:
    """How far the grid in kappa must go: until ``E[y^2 | kappa]`` times the Gaussian is nothing."""
    rho = _rest(alignment)
    reach = REACH
    while reach < FARTHEST and alignment != 0.0:
        ends = np.array([-reach, 0.0, reach])
        size = target.second_moment(alignment * ends, rho)
        if max(size[0], size[2]) <= 1e-15 * target.energy() * np.exp(0.5 * reach**2):
            break
        reach += 0.25 * REACH
    return reach


def target_moments(target: Activation, alignment: float, noise: float, kappa: Real, weights: Real) -> TargetMoments:
    """The moments on the grid `kappa` with Gaussian `weights`."""
    rho = _rest(alignment)
    if alignment == 0.0:
        t0, t1, far = _moments(target, np.zeros(1), rho)
        rows = np.repeat(np.stack([t0, t1, t0**2 + t1**2 + far + noise**2]), kappa.size, axis=1)
        return TargetMoments(rows, float(t0[0] ** 2), float(t1[0] ** 2), float(far[0]))
    if target.kinks.size == 0 or rho >= SHARP * abs(alignment):
        t0, t1, far = _moments(target, alignment * kappa, rho)
        rows = np.stack([t0, t1, t0**2 + t1**2 + far + noise**2])
        return TargetMoments(rows, *(float(weights @ part) for part in (t0**2, t1**2, far)))
    x, dx = panels(target.kinks / alignment, rho / abs(alignment), float(kappa[1] - kappa[0]), float(kappa[-1]))
    t0, t1, far = _moments(target, alignment * x, rho)
    root = np.exp(-0.25 * x**2)
    step = float(kappa[1] - kappa[0])
    cardinal = np.sinc((kappa[:, None] - x) / step) @ (np.stack([t0, t1, t0**2 + t1**2 + far + noise**2]) * root * dx).T
    rows = (cardinal / (step * np.exp(-0.25 * kappa**2))[:, None]).T
    density = dx * root**2 / np.sqrt(2.0 * np.pi)
    return TargetMoments(np.ascontiguousarray(rows), *(float(density @ part) for part in (t0**2, t1**2, far)))


def panels(kinks: Real, blur: float, step: float, reach: float) -> tuple[Real, Real]:
    """Gauss-Legendre nodes and weights on [-reach, reach], broken at the kinks and graded down to their blur."""
    t, w = np.polynomial.legendre.leggauss(ORDER)
    cuts = {-reach, reach, *np.arange(-reach, reach, 2.0 * step).tolist()}
    for kink in kinks[np.abs(kinks) < reach].tolist():
        cuts.add(kink)
        distance = blur
        while 0.0 < distance < 2.0 * step:
            cuts |= {kink - distance, kink + distance}
            distance *= 2.0
        # inside a few blurs the moments change on the scale of the blur
        if 0.0 < blur < step:
            cuts |= set((kink + blur * np.arange(-9, 10)).tolist())
    ends = np.array(sorted(cut for cut in cuts if -reach <= cut <= reach))
    half = 0.5 * np.diff(ends)
    return (0.5 * (ends[1:] + ends[:-1])[:, None] + half[:, None] * t).ravel(), (half[:, None] * w).ravel()


def _rest(alignment: float) -> float:
    return float(np.sqrt((1.0 - alignment) * (1.0 + alignment)))


def _moments(target: Activation, shift: Real, rho: float) -> tuple[Real, Real, Real]:
    """``(E[g], E[tau g])`` and the energy of all higher degrees at shifts (n,) and scale rho."""
    c = target.conditional(shift, rho, 1)
    far = target.residual_energy(shift, rho, 1) if rho > 0.0 else np.zeros(shift.size)
    return c[:, 0], c[:, 1], far
