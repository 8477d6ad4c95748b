"""Hermite coefficients of functions of up to four Gaussian variables by tensor quadrature.

Every axis has a Gauss rule for the Gaussian weight on each piece between its kinks (exact for piecewise polynomials),
and axes have different numbers of nodes, so that no diagonal carries many of them: a kink that is not parallel to an
axis is then met at scattered places. The error estimate compares two rules.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DomainError

Real = NDArray[np.float64]

# nodes of the finer and the coarser rule on one axis, by dimension; at most 2.5 million points
NODES = {1: (400, 280), 2: (240, 168), 3: (88, 62), 4: (36, 26)}
REACH = 16.0  # the Gaussian weight beyond is below 1e-55
SAFETY = 4.0


class Estimate(NamedTuple):
    """Coefficients and bounds on their errors, each of shape ``(order + 1,) * r``, and the second moment."""

    values: Real
    bound: Real
    energy: float
    energy_bound: float


def tensor_coefficients(g: Callable[[Real], Real], kinks: Sequence[Real], order: int, name: str) -> Estimate:
    """``E[g(z) h_alpha(z)]`` for all ``alpha_i <= order``, and ``E g^2``.

    Parameters
    ----------
    g : callable
        Maps points, shape (n, r), to values, shape (n,).
    kinks : sequence of ndarray
        For every axis the places where `g` is not smooth along it.
    """
    r = len(kinks)
    fine, coarse = (
        _contract(g, [_axis(tuple(kink.tolist()), n + 2 * i) for i, kink in enumerate(kinks)], order, name)
        for n in NODES[r]
    )
    size = math.sqrt(max(fine[1], 0.0))
    degrees = np.indices(fine[0].shape).sum(axis=0)
    # coefficients of one degree share the worst difference: one of them may agree by accident
    gaps = np.abs(fine[0] - coarse[0])
    worst = np.array([gaps[degrees == k].max() for k in range(r * order + 1)])
    bound = SAFETY * worst[degrees] + (64 + 8 * degrees) * 2.0**-53 * size
    return Estimate(fine[0], bound, fine[1], SAFETY * abs(fine[1] - coarse[1]) + 256 * 2.0**-53 * fine[1])


def _contract(g: Callable[[Real], Real], rules: list[tuple[Real, Real]], order: int, name: str) -> tuple[Real, float]:
    """Sums over the tensor grid, one axis after the other; slabs along the first axis bound the memory."""
    r = len(rules)
    factors = [hermite_values(x, order) * w for x, w in rules]  # (order + 1, nodes)
    rest = (
        np.stack(np.meshgrid(*(x for x, _ in rules[1:]), indexing="ij"), axis=-1).reshape(-1, r - 1) if r > 1 else None
    )
    shape = tuple(x.size for x, _ in rules[1:])
    total, energy = np.zeros((order + 1,) * r), 0.0
    weights = np.ones(1)
    for _, w in rules[1:]:
        weights = np.multiply.outer(weights, w)
    weights = weights.reshape(shape)
    for i, x in enumerate(rules[0][0]):
        points = np.full((1, 1), x) if rest is None else np.concatenate([np.full((len(rest), 1), x), rest], axis=1)
        with np.errstate(all="ignore"):
            values = np.asarray(g(points), dtype=np.float64).reshape(shape)
        if not np.isfinite(values).all():
            raise DomainError(
                f"{name} must be finite at every z, got {values[~np.isfinite(values)].flat[0]} at z1={x:.6g}"
            )
        energy += float(rules[0][1][i] * np.sum(weights * values * values))
        part = values
        for factor in factors[1:]:
            part = np.tensordot(part, factor, axes=(0, 1))  # the contracted axis goes to the end: order is kept
        total += np.multiply.outer(factors[0][:, i], part)
    return total, energy


def hermite_values(x: Real, order: int) -> Real:
    """``h_k(x)``, shape (order + 1, n)."""
    h = [np.ones_like(x), x]
    for k in range(1, order):
        h.append((x * h[k] - math.sqrt(k) * h[k - 1]) / math.sqrt(k + 1))
    return np.array(h[: order + 1])


@functools.lru_cache(maxsize=64)
def _axis(kinks: tuple[float, ...], count: int) -> tuple[Real, Real]:
    """Gauss rules for the Gaussian weight between the kinks, about `count` nodes in all."""
    cuts = np.array([-REACH, *sorted({t for t in kinks if abs(t) < 8.0}), REACH])
    mass = np.diff([0.5 * math.erfc(-t / math.sqrt(2.0)) for t in cuts])
    share = np.maximum(np.ceil(count * np.maximum(mass, 0.1) / np.maximum(mass, 0.1).sum()), 4).astype(int)
    rules = [_gauss(a, b, n + n % 2) for a, b, n in zip(cuts, cuts[1:], share, strict=False)]
    return np.concatenate([x for x, _ in rules]), np.concatenate([w for _, w in rules])


def _gauss(low: float, high: float, count: int) -> tuple[Real, Real]:
    """Gauss rule for the Gaussian weight on [low, high]: Lanczos on a composite rule, fully reorthogonalised."""
    nodes, weights = np.polynomial.legendre.leggauss(32)
    panels = max(math.ceil(2.0 * (high - low)), 2)
    ends = np.linspace(low, high, panels + 1)
    half = 0.5 * np.diff(ends)
    x = (0.5 * (ends[1:] + ends[:-1])[:, None] + half[:, None] * nodes).ravel()
    w = (half[:, None] * weights).ravel() * np.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)
    mass = w.sum()
    basis = np.zeros((count, x.size))
    alpha, beta = np.zeros(count), np.zeros(count)
    q = np.sqrt(w / mass)
    for k in range(count):
        basis[k] = q
        alpha[k] = np.sum(x * q * q)
        q = x * q
        for _ in range(2):
            q = q - basis[: k + 1].T @ (basis[: k + 1] @ q)
        beta[k] = math.sqrt(np.sum(q * q))
        if k + 1 < count:
            q = q / beta[k]
    values, vectors = np.linalg.eigh(np.diag(alpha) + np.diag(beta[:-1], 1) + np.diag(beta[:-1], -1))
    return values, mass * vectors[0] ** 2
