"""Deep features as a fixed point: all levels at once, and the distribution function in closed form.

Level s has one unknown ``kappa_s``, where the resolvent of ``M_s = C_s^{1/2} Omega_s C_s^{1/2}`` is taken. Seen from
there the covariance ``Omega_s`` acts like the number ``h_s``, and C_s like the law of ``h_s c``:

    t_0 = int x/(x + kappa_0) dOmega_0,   t_s = int c/(c + kappa_s/h_s) dC_s,   h_{s+1} = a_s kappa_s t_s + b_s      (1)
    kappa_s = (rho_s / a_s) h_{s+1} / t_{s+1},                                   kappa_L = lambda + (p_L/n) kappa_L t_L

and when C_0 is not the identity there is one unknown more, `bare`, the argument of Omega_0 itself:

    h_0 = 1/q(bare) - bare,   q(kappa) = int 1/(x + kappa) dOmega_0,   t_0 = int c/(c + kappa_0/h_0) dC_0,
    bare = h_0 (1 - t_0) / t_0.                                                                                      (2)

For Im lambda < 0 every right-hand side is a harmonic sum of numbers of the lower half-plane and stays there, so the map
has one fixed point in it, and that one is physical.

The integral ``A(kappa) = int log(1 + x/kappa)`` of the law of a level follows from the one before (each line has the
right derivative, ``dA/dlog kappa = -t``, and vanishes at infinity):

    A_M = A_Omega + A_C + log(1 - t),   A_{s+1} = log(1 + b_s/kappa) + rho_s A_M - log(1 - rho_s t) - rho_s t        (3)
    int log(1 + x/lambda) dS = A_L - log(1 - rho t)/rho - t,   rho = p_L/n.

Source: derived; (1) from the equivalent of ``(Z M Z^T/q + B)^{-1}``, (3) from the S-transform.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .deep_chain import Chain

Real = NDArray[np.float64]
Complex = NDArray[Any]  # complex128, or object for numbers of higher precision


class Levels(NamedTuple):
    """Per level, arrays of shape (points,): what (1) and (2) say at given kappas."""

    kappa: list[Complex]  # of M_s
    h: list[Complex]
    t: list[Complex]
    bare: Complex  # the argument of Omega_0


def levels(chain: Chain, unknowns: Complex) -> Levels:
    """h_s and t_s at kappas of shape (points, unknowns)."""
    kappa = list(unknowns[:, : chain.levels].T)
    x, weights = chain.population.locations, chain.population.weights
    bare = unknowns[:, -1] if chain.unknowns > chain.levels else kappa[0]
    q = (weights / (x + bare[:, None])).sum(axis=1)
    first = (weights * x / (x + bare[:, None])).sum(axis=1)
    h: list[Complex] = [first / q]  # 1/q - bare without its cancellation
    t: list[Complex] = []
    for s in range(chain.levels):
        law = chain.structures[s] if s < chain.levels - 1 else None
        if law is not None:
            c = law.locations
            t.append((law.weights * c / (c + (kappa[s] / h[s])[:, None])).sum(axis=1))
        elif s == 0:
            t.append(first)
        else:
            t.append(h[s] / (h[s] + kappa[s]))
        if s < chain.levels - 1:
            h.append(chain.a[s] * kappa[s] * t[s] + chain.b[s])
    return Levels(kappa, h, t, bare)


def layer_map(chain: Chain, ratio: float, lam: Complex, unknowns: Complex) -> Complex:
    """One application of (1) and (2) at every point."""
    at = levels(chain, unknowns)
    out = [chain.rho[s] / chain.a[s] * at.h[s + 1] / at.t[s + 1] for s in range(chain.levels - 1)]
    out.append(lam + ratio * at.kappa[-1] * at.t[-1])
    if chain.unknowns > chain.levels:
        out.append(at.h[0] * (1.0 - at.t[0]) / at.t[0])
    return np.stack(out, axis=1)


def mass_below(chain: Chain, ratio: float, x: Real, unknowns: Complex) -> Real:
    """Distribution function of the law of ``Phi^T Phi / n`` at real x (no atom), from the imaginary part of (3)."""
    at = levels(chain, unknowns)
    total = _angles(1.0 + chain.population.locations / at.bare[:, None]) @ chain.population.weights
    for s in range(chain.levels - 1):
        law = chain.structures[s]
        if law is not None:
            total += _angles(1.0 + law.locations / (at.kappa[s] / at.h[s])[:, None]) @ law.weights
            total -= _angles((1.0 - at.t[s]).conj())
        rho, t = chain.rho[s], at.t[s]
        following = chain.structures[s + 1] if s + 1 < chain.levels - 1 else None
        above = at.kappa[s + 1] if following is None else at.h[s + 1] * (1.0 - at.t[s + 1]) / at.t[s + 1]
        total = rho * total + _angles(1.0 + chain.b[s] / above) + _angles((1.0 - rho * t).conj()) - rho * t.imag
    if ratio > 0.0:
        total += _angles((1.0 - ratio * at.t[-1]).conj()) / ratio - at.t[-1].imag
    return np.asarray((x > 0.0) - total / np.pi)


def _angles(w: Complex) -> Real:
    """Argument in [0, pi] of numbers of the closed upper half-plane, whatever the sign of a zero."""
    return np.asarray(np.arctan2(np.maximum(w.imag, 0.0), w.real))
