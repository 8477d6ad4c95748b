"""What one large gradient step makes of the first layer: the map from a network to spikes, scales, alignment,
attributes.

    f(x) = (1/p) sum_i a_i sigma(<w_i, x>),   w_i <- w_i + eta a_i (1/n0) sum_mu (y_mu - f(x_mu)) sigma'(<w_i, x_mu>)
    x_mu

for n0 = alpha0 d fresh samples ``y = g(<theta, x>) + noise``. With ``c0 = E sigma``, ``c1 = E sigma'``, ``d2 = E
sigma''``, ``v_rho = Var sigma' - d2^2``, the centred label ``y~ = y - c0 sum_k pi_k a_k`` and its moments ``m0 = E
y~``, ``m1 = E z y~``, ``m2 = E y~^2`` (z the input along theta):

    nu = sqrt(m1^2 + m2 / alpha0),   u_k = eta a_k c1 nu,   gamma = m1 / nu                              (1)
    t_k = eta a_k d2,   s_k^2 = (1 + t_k m0)^2 + (t_k^2 + eta^2 a_k^2 v_rho) m2 / alpha0                 (2)

The common direction of the gradients is ``v ~ sum_mu y~_mu x_mu``; a sample of the batch has the projection
``s~ = (y~ / alpha0 + m1 z + sqrt(m2 / alpha0) g') / nu`` on it, g' an independent Gaussian. What is left of the weights
along v, along the rest of theta, and in their norm is of relative size ``d^(-1/2)``; its covariance is Xi_k, see
`attributes`.

Source: derived; (1) and, for d2 = 0 or m0 = 0, (2) are in arXiv:2410.18938.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import _validate
from ..activations.base import Activation
from ..activations.quadrature import gaussian_expectation
from ..errors import DomainError

Real = NDArray[np.float64]


class Slopes(NamedTuple):
    """What the step needs to know of the activation."""

    constant: float  # c0 = E sigma
    first: float  # c1 = E sigma'
    second: float  # d2 = E sigma''
    rest: float  # v_rho = E rho^2, rho = sigma' - c1 - d2 l
    norm: float  # r2 = E sigma'(l) (l^2 - 1)
    rest_norm: float  # m4 = E rho^2 l^2


class Labels(NamedTuple):
    """Moments of the centred label: ``moment[j][k] = E y~^j z^k``, label noise included."""

    moment: Real  # (5, 3)
    alpha0: float

    @property
    def nu(self) -> float:
        """Norm of the mean gradient direction."""
        return math.sqrt(self.moment[1, 1] ** 2 + self.moment[2, 0] / self.alpha0)


def slopes(activation: Activation) -> Slopes:
    """Gaussian moments of the activation and its derivative; refuses jumps, whose gradient does not exist."""
    c = activation.coefficients(3)
    derivative = activation.derivative()
    first, second, norm = float(c[1]), math.sqrt(2.0) * float(c[2]), math.sqrt(6.0) * float(c[3])
    size = math.sqrt(derivative.energy())
    # Gaussian integration by parts: the coefficients of sigma' are those of sigma shifted, unless sigma jumps
    shifted = np.sqrt([1.0, 2.0, 3.0]) * c[1:]
    if np.max(np.abs(derivative.coefficients(2) - shifted)) > 1e-9 * (size + float(np.max(np.abs(shifted)))):
        _validate.fail("activation", "continuous", activation.name, "the gradient step needs its derivative")

    def rest_norm(x: Real) -> Real:
        return np.asarray((x * (derivative(x) - first - second * x)) ** 2)

    weighted = gaussian_expectation(rest_norm, kinks=derivative.kinks).value
    return Slopes(float(c[0]), first, second, float(derivative.residual_energy(0.0, 1.0, 1)), norm, weighted)


def labels(target: Activation, offset: float, noise: float, alpha0: float) -> Labels:
    """Moments of ``y~ = g(z) - offset + noise``."""
    clean = np.zeros((5, 5))
    for j in range(5):
        for k in range(3):
            if j == 0:
                clean[j, k] = (1.0, 0.0, 1.0)[k]
                continue

            def integrand(x: Real, j: int = j, k: int = k) -> Real:
                return np.asarray((target(x) - offset) ** j * x**k)

            try:
                clean[j, k] = gaussian_expectation(integrand, kinks=target.kinks).value
            except DomainError:
                _validate.fail("target", "one with a finite fourth moment under the Gaussian", target.name)
    # E (G + noise)^j = sum over even powers of the noise
    v = noise * noise
    moment = clean[:, :3].copy()
    moment[2] += v * clean[0, :3]
    moment[3] += 3.0 * v * clean[1, :3]
    moment[4] += 6.0 * v * clean[2, :3] + 3.0 * v * v * clean[0, :3]
    return Labels(moment, alpha0)


def spikes_and_scales(readout: Real, eta: float, sigma: Slopes, y: Labels) -> tuple[Real, Real]:
    """Equations (1) and (2): u and s, one entry a class."""
    step = eta * readout
    t, m = step * sigma.second, y.moment
    return step * sigma.first * y.nu, np.sqrt(
        (1.0 + t * m[1, 0]) ** 2 + (t**2 + step**2 * sigma.rest) * m[2, 0] / y.alpha0
    )


def alignment(y: Labels) -> float:
    """gamma = m1 / nu, the cosine between v and theta; 0 when the labels are constant."""
    return float(y.moment[1, 1]) / y.nu if y.nu > 0.0 else 0.0


def attributes(step: float, scale: float, sigma: Slopes, y: Labels) -> Real:
    """Covariance Xi of one class, (3, 3), in the order v, rest of theta, norm; `step` is eta a_k.

    A weight moves by ``(t M + ...) w`` with ``M = (1/n0) sum y~ x x^T``: its components along v and theta are
    Gaussian with a quadratic form made of moments of (y~, s~, z). Its norm is modulated linearly, through ``E
    sigma'''``, by its component along v, and by the noise of the remaining gradient. Exact in alpha0 but for the norm
    when ``E sigma'' != 0``, where it is the leading order.
    """
    if y.nu == 0.0 or step == 0.0:
        return np.diag([1.0, 1.0, 0.0])
    m, inverse, nu, gamma = y.moment, 1.0 / y.alpha0, y.nu, alignment(y)
    m0, m1, m2 = m[1, 0], m[1, 1], m[2, 0]
    rho = math.sqrt(inverse * m2) / nu
    t, spread = step * sigma.second, step**2 * sigma.rest * inverse
    # moments with s~: E y~ s~^2, E y~ s~ z, E y~^2 s~^2, E y~^2 s~, E y~^2 s~ z
    ys2 = (inverse**2 * m[3, 0] + 2.0 * inverse * m1 * m[2, 1] + m1**2 * m[1, 2] + inverse * m2 * m0) / nu**2
    ysz = (inverse * m[2, 1] + m1 * m[1, 2]) / nu
    y2s2 = (inverse**2 * m[4, 0] + 2.0 * inverse * m1 * m[3, 1] + m1**2 * m[2, 2] + inverse * m2 * m2) / nu**2
    y2s = (inverse * m[3, 0] + m1 * m[2, 1]) / nu
    y2sz = (inverse * m[3, 1] + m1 * m[2, 2]) / nu
    excess = m[1, 2] - m0
    # second moments of the matrix M along v and theta
    vv2 = inverse * y2s2 + inverse / nu * (m0 * y2s + ysz * m[2, 1]) + m0 * ys2 + excess * gamma * ysz
    vt2 = inverse * y2sz + inverse / nu * m0 * m[2, 1] + m[1, 2] * ysz
    tt2 = inverse * m[2, 2] + m[1, 2] ** 2
    vv = 1.0 + 2.0 * t * ys2 + t**2 * vv2 + spread * y2s2
    vt = gamma + 2.0 * t * ysz + t**2 * vt2 + spread * y2sz
    tt = 1.0 + 2.0 * t * m[1, 2] + t**2 * tt2 + spread * m[2, 2]
    linear = 2.0 * step * sigma.norm * nu / scale**2
    xi = np.zeros((3, 3))
    xi[0, 0] = vv / scale**2
    xi[0, 2] = linear * (1.0 + t * ys2) / scale
    xi[2, 2] = linear**2 + (4.0 * m2 * inverse * step**2 * (sigma.rest_norm - sigma.norm**2)) / scale**4
    xi[2, 2] += 2.0 * (spread * m2) ** 2 / scale**4
    if rho > 0.0:
        xi[0, 1] = (vt - gamma * vv) / (rho * scale**2)
        xi[1, 1] = (tt - 2.0 * gamma * vt + gamma**2 * vv) / (rho * scale) ** 2
        xi[1, 2] = linear * t * (ysz - gamma * ys2) / (rho * scale)
    xi = np.triu(xi) + np.triu(xi, 1).T
    values, vectors = np.linalg.eigh(
        xi
    )  # rounding, and the leading order of the norm, may leave it slightly indefinite
    return np.asarray((vectors * np.maximum(values, 0.0)) @ vectors.T)
