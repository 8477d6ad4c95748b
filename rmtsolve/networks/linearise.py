"""Covariance of the features of a deep network with given weights, layer by layer, and their covariance with labels.

A neuron with pre-activation N(b, v) has Hermite coefficients ``c_k(b, v) = E[sigma(b + sqrt(v) g) h_k(g)]``. With the
centred covariance S and mean m of a layer, C = W S W^T, b = W m, v = diag C and ``rho = C / sqrt(v v^T)``, the next
layer has

    m_i = c_0(b_i, v_i),   S_ii = E sigma^2 - c_0^2,   S_ij = sum_{k=1}^K c_k(b_i, v_i) c_k(b_j, v_j) rho_ij^k.  (1)

K = 1 is the linearisation, ``S = A W S W^T A + diag``; with all neurons replaced by the average one, variance ``tr C /
p`` and b = 0, it is ``a W S W^T + b I`` of the papers (mode "mean"). The covariance with another network of the same
input follows (1) with one neuron of each.

Source: Mehler's formula for two jointly Gaussian pre-activations; order one is arXiv:2302.00401.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate
from ..activations.base import Activation
from ..activations.parse import read_activation

Real = NDArray[np.float64]

MAX_ORDER = 64


@dataclass(frozen=True, eq=False)
class LinearisedFeatures:
    """Second moments of the last layer of a network with given weights.

    Parameters
    ----------
    mean : ndarray, shape (p,)
        ``m = E phi``.
    centred : ndarray, shape (p, p)
        ``S = Cov(phi)``.
    cross : ndarray, shape (p, k) or (p,), or None
        Covariance with the features of the teacher, or with the labels when a linear one was given.
    teacher_mean, teacher_centred : ndarray or None
        The same for the teacher's last layer.
    """

    mean: Real
    centred: Real
    cross: Real | None = None
    teacher_mean: Real | None = None
    teacher_centred: Real | None = None

    @property
    def covariance(self) -> Real:
        """``Omega = E phi phi^T = S + m m^T``."""
        return np.asarray(self.centred + np.outer(self.mean, self.mean))

    def labels(self, readout: ArrayLike, noise: float = 0.0) -> tuple[Real, float]:
        """``Cov(y, phi)`` and ``Var(y)`` of labels ``y = theta . x* / sqrt k + noise`` off the teacher's features x*.

        They are what `LinearRidge` takes with ``intercept=True``, beside `centred`.
        """
        if self.cross is None or self.teacher_centred is None:
            _validate.fail("readout", "asked of features that were linearised together with a teacher", "none given")
        theta = _validate.real_array(readout, "readout", ndim=1)
        k = self.teacher_centred.shape[0]
        if theta.size != k:
            _validate.fail("readout", f"of length {k}, the width of the teacher", theta.size)
        spread = _validate.real(noise, "noise", low=0.0, remedy="it is a standard deviation")
        return self.cross @ theta / np.sqrt(k), float(theta @ self.teacher_centred @ theta / k + spread**2)


def linearise(
    weights: Sequence[ArrayLike],
    activations: Sequence[Any],
    covariance: ArrayLike,
    *,
    psi: ArrayLike | None = None,
    order: int = 1,
    mode: str = "neuron",
    teacher: tuple[Sequence[ArrayLike], Sequence[Any]] | None = None,
) -> LinearisedFeatures:
    """Second moments of deep features ``sigma_L(W_L .. sigma_1(W_1 x))`` for ``x ~ N(0, covariance)``.

    Parameters
    ----------
    weights : sequence of array_like, shapes (p_s, p_{s-1})
        Given matrices, with rows such that the pre-activations are of order one.
    activations : sequence of str, Activation or callable
        One a layer.
    covariance : array_like, shape (d, d) or (d,)
        Of the input; a vector stands for a diagonal matrix.
    psi : array_like, shape (d,), optional
        Covariance of labels with the input, carried to the features: `cross` is then a vector. Only the linear part of
        the features correlates with such labels.
    order : int
        K of (1), 1 to 64. 1: the linearised covariance; about 8: the Gaussian recursion, which keeps the nearly
        rank-one term k = 2 of activations that are not odd.
    mode : "neuron" or "mean"
        Every neuron by itself, or all by the average one of their layer (order 1, no biases from means).
    teacher : (weights, activations), optional
        Another network of the same input: `cross` is then the covariance of both outputs.

    Raises
    ------
    DomainError
        Shapes do not fit, or an argument is out of range.

    Examples
    --------
    >>> import numpy as np, rmtsolve as rmt
    >>> found = rmt.linearise([np.eye(3)], ["tanh"], np.ones(3), psi=[1, 0, 0])
    >>> found.covariance.diagonal().round(6), found.cross.round(6)
    (array([0.394294, 0.394294, 0.394294]), array([0.605706, 0.      , 0.      ]))
    """
    omega = _validate.real_array(covariance, "covariance")
    if omega.ndim == 1:
        omega = np.diag(omega)
    _check_covariance(omega)
    d = omega.shape[0]
    degree = _validate.integer(order, "order", low=1, high=MAX_ORDER)
    _validate.choice(mode, "mode", ("neuron", "mean"))
    if mode == "mean" and degree > 1:
        _validate.fail("order", 'one in mode "mean"', degree, 'use mode "neuron"')
    if psi is not None and teacher is not None:
        _validate.fail("psi", "left out when a teacher is given", "both")
    student = _network(weights, activations, d, "")
    steps = _Steps(degree, mode)
    if teacher is None:
        vector = None if psi is None else _validate.real_array(psi, "psi", ndim=1)
        if vector is not None and vector.size != d:
            _validate.fail("psi", f"of length {d}", vector.size)
        mean, centred = np.zeros(d), omega
        for matrix, sigma in student:
            pre = steps.preactivations(matrix, sigma, mean, centred)
            if vector is not None:
                vector = pre.slope * (matrix @ vector)
            mean, centred = pre.coefficients[:, 0], steps.covariance(pre)
        return LinearisedFeatures(mean, centred, vector)
    if not isinstance(teacher, tuple) or len(teacher) != 2:
        _validate.fail("teacher", "a pair (weights, activations)", teacher)
    return _jointly(student, _network(*teacher, d, "teacher "), omega, steps)


@dataclass(frozen=True, eq=False)
class _Layer:
    """Pre-activations of a layer: their covariance, standard deviations, and what the activation makes of them."""

    covariance: Real
    scale: Real
    coefficients: Real  # (p, K + 1)
    slope: Real  # E sigma'
    variance: Real  # E sigma^2 - c_0^2


@dataclass(frozen=True)
class _Steps:
    """The recursion (1)."""

    order: int
    mode: str

    def preactivations(self, matrix: Real, sigma: Activation, mean: Real, centred: Real) -> _Layer:
        covariance = matrix @ centred @ matrix.T
        covariance = 0.5 * (covariance + covariance.T)
        v = np.maximum(np.diag(covariance), 0.0)
        b = matrix @ mean
        if self.mode == "mean":
            v, b = np.full(v.size, v.mean()), np.zeros(v.size)
        scale = np.sqrt(v)
        dead = scale <= 1e-12 * float(scale.max(initial=0.0))  # a row of zeros: its output is a constant
        scale = np.where(dead, 0.0, scale)
        if self.mode == "mean" or np.ptp(scale) == np.ptp(b) == 0.0:
            c = np.repeat(sigma.conditional(b[:1], scale[:1], self.order), v.size, axis=0)
            rest = np.repeat(sigma.residual_energy(b[:1], scale[:1], self.order), v.size)
        else:
            c = sigma.conditional(b, scale, self.order)
            rest = sigma.residual_energy(b, scale, self.order)
        slope = np.where(dead, 0.0, c[:, 1] / np.where(dead, 1.0, scale))
        return _Layer(covariance, scale, c, slope, (c[:, 1:] ** 2).sum(axis=1) + rest)

    def covariance(self, layer: _Layer) -> Real:
        if self.mode == "mean":
            out = layer.slope[0] ** 2 * layer.covariance
            out[np.diag_indices_from(out)] += layer.variance[0] - layer.coefficients[0, 1] ** 2
            return np.asarray(out)
        out = self.cross(layer, layer, layer.covariance)
        np.fill_diagonal(out, layer.variance)
        return out

    def cross(self, one: _Layer, two: _Layer, between: Real) -> Real:
        """``sum_k c_k c*_k rho^k`` of two layers with this covariance of pre-activations."""
        out = one.slope[:, None] * between * two.slope
        if self.order > 1:
            sizes = one.scale[:, None] * two.scale
            rho = np.clip(between / np.where(sizes > 0.0, sizes, 1.0), -1.0, 1.0)
            power = rho.copy()
            for k in range(2, self.order + 1):
                power *= rho
                out += one.coefficients[:, k, None] * power * two.coefficients[:, k]
        return np.asarray(out)


def _jointly(
    student: list[tuple[Real, Activation]], teacher: list[tuple[Real, Activation]], omega: Real, steps: _Steps
) -> LinearisedFeatures:
    """Both networks in lockstep; where only one has a layer left, the covariance passes through its linear part."""
    d = omega.shape[0]
    means, centred, cross = [np.zeros(d), np.zeros(d)], [omega, omega], omega
    for s in range(max(len(student), len(teacher))):
        layers: list[_Layer | None] = [None, None]
        for side, network in enumerate((student, teacher)):
            if s < len(network):
                layers[side] = steps.preactivations(*network[s], means[side], centred[side])
        one, two = layers
        if one is not None and two is not None:
            cross = steps.cross(one, two, student[s][0] @ cross @ teacher[s][0].T)
        elif one is not None:
            cross = one.slope[:, None] * (student[s][0] @ cross)
        elif two is not None:
            cross = (cross @ teacher[s][0].T) * two.slope
        for side, layer in enumerate(layers):
            if layer is not None:
                means[side], centred[side] = layer.coefficients[:, 0], steps.covariance(layer)
    return LinearisedFeatures(means[0], centred[0], cross, means[1], centred[1])


def _network(weights: Any, activations: Any, d: int, whose: str) -> list[tuple[Real, Activation]]:
    """Checked pairs of a matrix and a function."""
    matrices = list(weights) if isinstance(weights, (list, tuple)) else [weights]
    sigmas = list(activations) if isinstance(activations, (list, tuple)) else [activations] * len(matrices)
    if not matrices or len(matrices) != len(sigmas):
        _validate.fail(f"{whose}activations", f"{len(matrices)} functions, one a matrix (at least one)", len(sigmas))
    out = []
    for s, (value, sigma) in enumerate(zip(matrices, sigmas, strict=True)):
        matrix = _validate.real_array(value, f"{whose}weights[{s}]", ndim=2)
        if matrix.shape[1] != d:
            _validate.fail(f"{whose}weights[{s}]", f"a matrix with {d} columns", f"shape {matrix.shape}")
        if not matrix.any():
            _validate.fail(f"{whose}weights[{s}]", "not zero", 0.0)
        d = matrix.shape[0]
        out.append((matrix, read_activation(sigma, "layers")))
    return out


def _check_covariance(omega: Real) -> None:
    if omega.ndim != 2 or omega.shape[0] != omega.shape[1]:
        _validate.fail("covariance", "a square matrix or the vector of a diagonal one", f"shape {omega.shape}")
    scale = float(np.max(np.abs(omega)))
    if np.max(np.abs(omega - omega.T)) > 1e-10 * scale:
        _validate.fail("covariance", "symmetric", "an asymmetric matrix", "pass (C + C.T) / 2")
    low = float(np.linalg.eigvalsh(omega)[0])
    if low < -1e-10 * scale or scale == 0.0:
        _validate.fail("covariance", "positive semidefinite and not zero", low)
