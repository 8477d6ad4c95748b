"""Hermitian families ``P(x) = sum_k A_k x^k``: eigenvalues, what they do on an interval, local expansions.

By Rellich's theorem the eigenvalues are analytic functions of real x. Here they are sorted at every x, which makes
continuous functions with kinks where two of them cross; those that do not depend on x are taken out.

The signs of the slopes on an interval ``|x - c| <= h`` are *proved*. Let a group of eigenvalues be farther than
``4 L h`` from the others at c, ``L >= |P'|`` on the interval. It then stays apart by half of that gap g, and in a basis
V(x) of its space that moves without turning the compression ``V* P V`` has the derivative ``V* P' V`` exactly and a
second derivative of at most ``b = |P''| + 4 L^2 / g``. So if ``V* P' V > h b`` at c, all eigenvalues of the group
increase on the whole interval. Derived here; the formulas are those of Kato, Perturbation Theory for Linear
Operators, II.2 and II.6.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .base import Real

_EPS = float(np.finfo(float).eps)
_ROUNDING = 64.0 * _EPS  # relative to sum |A_k| |x|^k: what an eigenvalue of a computed P(x) may be wrong by
_HALVINGS = 52
_START = 8  # intervals
_MOST = 20_000  # intervals of one level; beyond, what is left is taken as flat
_TERMS = 18  # of the local expansion: its reach is an eighth of the radius of convergence


class Expansion(NamedTuple):
    """``eigenvalue(x + delta) - eigenvalue(x) = sum_n coefficients[n] (delta / reach)^n``."""

    coefficients: Real
    reach: float


class Family:
    """A Hermitian matrix polynomial over the smallest interval that holds a law.

    Parameters
    ----------
    coefficients : ndarray, shape (degree + 1, K, K)
        Hermitian ``A_0, A_1, ...``.
    low, high : float
        The interval.
    """

    def __init__(self, coefficients: NDArray[Any], low: float, high: float) -> None:
        self.coefficients = coefficients
        self.degree, self.rows = coefficients.shape[0] - 1, coefficients.shape[1]
        self.norms = np.linalg.norm(coefficients, ord=2, axis=(1, 2))
        self.constants: list[tuple[float, int]] = []
        self.constants = self._find_constants(low, high)
        self.count = self.rows - sum(m for _, m in self.constants)

    # ------------------------------------------------------------------ values
    def scale(self, x: Real) -> Real:
        """``sum_k |A_k| |x|^k``, to which the rounding of P(x) is relative."""
        return np.asarray(np.polynomial.polynomial.polyval(np.abs(x), self.norms))

    def at(self, x: NDArray[Any]) -> NDArray[Any]:
        """P(x), shape (n, K, K)."""
        total = np.broadcast_to(self.coefficients[-1], (x.size, self.rows, self.rows))
        for a in self.coefficients[-2::-1]:
            total = total * x[:, None, None] + a
        return total

    def taylor(self, x: NDArray[Any]) -> NDArray[Any]:
        """``P^(k)(x) / k!``, shape (degree + 1, n, K, K), by repeated Horner steps."""
        dtype = np.result_type(self.coefficients, x)
        table = np.repeat(self.coefficients[:, None].astype(dtype), x.size, axis=1)
        for first in range(self.degree):
            for k in range(self.degree - 1, first - 1, -1):
                table[k] = table[k] + x[:, None, None] * table[k + 1]
        return table

    def kept(self, values: Real) -> NDArray[np.bool_]:
        """Which of the sorted eigenvalues are not the constant ones."""
        mask = np.ones(values.shape, dtype=bool)
        for constant, multiplicity in self.constants:
            distance = np.where(mask, np.abs(values - constant), np.inf)
            nearest = np.argsort(distance, axis=1)[:, :multiplicity]
            np.put_along_axis(mask, nearest, False, axis=1)
        return mask

    def branches(self, x: Real, before: NDArray[np.bool_] | None = None) -> tuple[Real, Real]:
        """(sorted eigenvalues that depend on x, their slopes), shape (n, count).

        Where branches cross the slopes are those just after x, or, where `before`, just before it.
        """
        table = self.taylor(x)[:2]
        values, vectors = spectrum(table[0])
        slopes = (vectors.conj() * (table[1] @ vectors)).sum(axis=1).real
        apart = np.diff(values, axis=1) > 4.0 * _ROUNDING * self.scale(x)[:, None]
        crossing = np.flatnonzero(~apart.all(axis=1))
        if crossing.size:
            sign = np.where(before[crossing], -1.0, 1.0) if before is not None else np.ones(crossing.size)
            v = vectors[crossing]
            matrix = sign[:, None, None] * (v.conj().swapaxes(1, 2) @ table[1][crossing] @ v)
            slopes[crossing] = sign[:, None] * _group_slopes(matrix, _labels(apart[crossing]))
        mask = self.kept(values)
        return values[mask].reshape(x.size, -1), slopes[mask].reshape(x.size, -1)

    def _find_constants(self, low: float, high: float) -> list[tuple[float, int]]:
        """(value, multiplicity) of the eigenvalues that do not depend on x.

        ``det(P(x) - c)`` is a polynomial of degree K degree at most: it vanishes if it does at more points.
        """
        share = 0.5 - 0.5 * np.cos(
            np.pi * (np.arange(self.rows * self.degree + 2) + 0.5) / (self.rows * self.degree + 2)
        )
        x = low + (high - low) * share
        values, _ = spectrum(self.at(x))
        doubt = _ROUNDING * self.scale(x)
        found: list[tuple[float, int]] = []
        for candidate in values[0]:
            if found and abs(candidate - found[-1][0]) <= 2.0 * doubt.max():
                continue
            near = np.abs(values - candidate) <= (doubt + doubt[0])[:, None]
            multiplicity = int(near.sum(axis=1).min())
            if multiplicity:
                found.append((tidy(float(np.median(values[near])), float(doubt.max())), multiplicity))
        return found

    # ------------------------------------------------------------------ signs of slopes
    def directions(self, low: float, high: float) -> tuple[Real, NDArray[np.int64]]:
        """Sorted points of [low, high] and the sign of every branch's slope there, shape (points, count).

        Between neighbours with the same known sign a branch does not turn, between two of different sign it turns once;
        0 is not known, which is left only where it does not matter to rounding.
        """
        half = np.full(_START, 0.5 * (high - low) / _START)
        centre = low + half * (2.0 * np.arange(_START) + 1.0)
        points, signs = [], []
        for level in range(_HALVINGS):
            sign, curved, settled = self._certify(centre, half)
            if level == _HALVINGS - 1 or 2 * np.count_nonzero(~settled) > _MOST:
                settled[:] = True
            for side in (-1.0, 1.0):
                x = (centre + side * half)[settled]
                slopes = self.branches(x)[1] if x.size else np.empty((0, self.count))
                points.append(x)
                signs.append(np.where(curved[settled], np.sign(slopes).astype(np.int64), sign[settled]))
            centre, half = centre[~settled], 0.5 * half[~settled]
            if centre.size == 0:
                break
            centre = (centre[:, None] + half[:, None] * np.array([-1.0, 1.0])).ravel()
            half = np.repeat(half, 2)
        x = np.concatenate(points)
        order = np.argsort(x, kind="stable")
        return x[order], np.concatenate(signs)[order]

    def _certify(self, centre: Real, half: Real) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
        """On every interval: sign of the slope of every branch (0: not proved), whether its second derivative has one
        sign, and, shape (n,), whether nothing is left to be found out."""
        table = self.taylor(centre)
        values, vectors = spectrum(table[0])
        turned = vectors.conj().swapaxes(1, 2) @ table[1:3] @ vectors
        slope_matrix = turned[0]
        norms = self._norms_on(table, half)
        first = norms[0]
        gaps = np.diff(values, axis=1)
        apart = gaps > (4.0 * first * half)[:, None]
        label = _labels(apart)
        together = label[:, :, None] == label[:, None, :]
        slopes = _group_slopes(slope_matrix, label)

        def lowest(numbers: Real) -> Real:
            return np.asarray(np.where(together, numbers[:, None, :], np.inf).min(axis=2))

        wall = np.full((centre.size, 1), np.inf)
        away = np.where(apart, gaps, np.inf)
        beside = np.minimum(np.concatenate([wall, away], axis=1), np.concatenate([away, wall], axis=1))
        gap = lowest(beside) - 2.0 * (first * half)[:, None]  # on the whole interval
        first, second, third = (norm[:, None] for norm in norms)
        change = half[:, None] * (second + 2.0 * first**2 / gap)
        # a single eigenvalue: its second derivative, and a bound on the third
        single = together.sum(axis=2) == 1
        with np.errstate(divide="ignore", invalid="ignore"):
            pull = np.where(together, 0.0, np.abs(slope_matrix) ** 2 / (values[:, :, None] - values[:, None, :]))
        bend = 2.0 * pull.sum(axis=2)
        if self.degree > 1:
            bend = bend + 2.0 * np.diagonal(turned[1], axis1=1, axis2=2).real
        twist = half[:, None] * (third + 6.0 * second * first / gap + 12.0 * first**3 / gap**2)
        change = np.where(single, np.minimum(change, half[:, None] * (np.abs(bend) + 0.5 * twist)), change)
        least, most = lowest(slopes), -lowest(-slopes)
        sign = (least > change).astype(np.int64) - (most < -change)
        curved = single & (np.abs(bend) > twist) & (sign == 0)
        rise = half[:, None] * (np.maximum(np.abs(least), np.abs(most)) + change)
        flat = rise <= _EPS * self.scale(np.abs(centre) + half)[:, None]
        mask = self.kept(values)
        settled = (flat | curved | (sign != 0) | ~mask).all(axis=1)
        shape = (centre.size, self.count)
        return sign[mask].reshape(shape), curved[mask].reshape(shape), settled

    def _norms_on(self, table: NDArray[Any], half: Real) -> tuple[Real, Real, Real]:
        """Bounds of the first (less its mean eigenvalue), second and third derivatives of P on intervals."""
        mean = np.trace(table[1], axis1=1, axis2=2).real / self.rows
        values = spectrum(table[1])[0] - mean[:, None]
        first = np.abs(values).max(axis=1)
        sizes = np.linalg.norm(table, axis=(2, 3))
        second, third = np.zeros(half.size), np.zeros(half.size)
        for k in range(2, self.degree + 1):
            if self.rows > 1:
                first = first + k * sizes[k] * half ** (k - 1)
            second = second + k * (k - 1) * sizes[k] * half ** (k - 2)
            if k > 2:
                third = third + k * (k - 1) * (k - 2) * sizes[k] * half ** (k - 3)
        return first, second, third

    # ------------------------------------------------------------------ one point
    def turning_point(self, branch: int, left: float, right: float, sign: int) -> float:
        """Where the slope of a branch, of the given sign at the left, changes sign; at a kink to rounding."""
        x = 0.0 if left <= 0.0 <= right else 0.5 * (left + right)
        for _ in range(100):
            value, slope = (float(part[0, branch]) for part in self.branches(np.array([x])))
            if slope * sign > 0.0:
                left = x
            elif slope * sign < 0.0:
                right = x
            bend = self._bend(x, value)
            new = x - slope / bend if bend else np.inf
            if not left <= new <= right:
                new = 0.5 * (left + right)
            if abs(new - x) <= _EPS * abs(x) or slope == 0.0:
                break
            x = new
        return x

    def _bend(self, x: float, value: float) -> float | None:
        """Second derivative of the eigenvalue next to `value`; None where another one is as near."""
        table = self.taylor(np.array([x]))[:, 0]
        values, vectors = spectrum(table[:1])
        i = int(np.argmin(np.abs(values[0] - value)))
        distance = values[0, i] - np.delete(values[0], i)
        if np.abs(distance).min(initial=np.inf) <= 1e3 * _ROUNDING * float(self.scale(np.array([x]))[0]):
            return None
        v, others = vectors[0][:, i], np.delete(vectors[0], i, axis=1)
        coupling = np.abs(others.conj().T @ table[1] @ v) ** 2
        bend = 2.0 * float((v.conj() @ table[2] @ v).real) if self.degree > 1 else 0.0
        return bend + 2.0 * float((coupling / distance).sum())

    def expansion(self, x: float, branch: int, turning: bool, length: float) -> Expansion | None:
        """Taylor series at x of a branch on one side, where it is analytic (`length` is signed); None at a kink."""
        table = self.taylor(np.array([x]))[:, 0]
        size = np.array([float(np.abs(x)) ** k for k in range(self.degree + 1)])
        natural = np.array([  # what the coefficients of the scalar series are made of
            sum(math.comb(j, k) * self.norms[j] * size[j - k] for j in range(k, self.degree + 1))
            for k in range(self.degree + 1)
        ])  # fmt: skip
        if self.rows == 1:
            series = np.array(table[:, 0, 0].real)
            series[0] = 0.0
            for k in range(1, self.degree):
                if not abs(series[k]) <= 4.0 * _ROUNDING * natural[k]:
                    break
                series[k] = 0.0
            return Expansion(series * abs(length) ** np.arange(self.degree + 1), abs(length))
        values, vectors = spectrum(table[:1])
        i = int(np.flatnonzero(self.kept(values)[0])[branch])
        own = np.abs(values[0] - values[0, i]) <= 4.0 * _ROUNDING * natural[0]
        gap = float(np.abs(values[0] - values[0, i])[~own].min(initial=np.inf))
        if gap == np.inf:
            return None
        reach = abs(length)
        norms = np.linalg.norm(table, ord=2, axis=(1, 2))
        for _ in range(200):
            if (norms[1:] * reach ** np.arange(1, self.degree + 1)).sum() <= gap / 16.0:
                break
            reach *= 0.5
        scaled = table * (reach ** np.arange(self.degree + 1))[:, None, None]
        series = _perturbed(scaled, values[0] - values[0, i], vectors[0], i, own)
        if turning or abs(series[1]) <= 4.0 * _ROUNDING * natural[1] * reach:
            series[1] = 0.0
        answer = Expansion(series, reach)
        side = np.sign(length) * np.array([0.4, 1.0])
        true = self.branches(x + side * reach)[0][:, branch] - values[0, i]
        wrong = np.abs(np.polynomial.polynomial.polyval(side, series) - true)
        return answer if np.all(wrong <= 4.0 * _ROUNDING * natural[0]) else None


def _perturbed(table: NDArray[Any], values: Real, vectors: NDArray[Any], i: int, own: NDArray[np.bool_]) -> Real:
    """Rayleigh-Schroedinger series of eigenvalue i (moved to 0) of ``sum_k table[k]``; eigenvalues `own` equal it."""
    other = vectors[:, ~own]
    resolvent = (other / values[~own]) @ other.conj().T
    series, states = np.zeros(_TERMS + 1), [vectors[:, i]]
    for n in range(1, _TERMS + 1):
        push = sum(table[k] @ states[n - k] for k in range(1, min(n, len(table) - 1) + 1))
        series[n] = float((vectors[:, i].conj() @ push).real)
        states.append(resolvent @ (sum(series[k] * states[n - k] for k in range(1, n)) - push))
    return series


def _labels(apart: NDArray[np.bool_]) -> Real:
    """Numbers of groups of neighbours, where neighbours in different groups are `apart`."""
    return np.concatenate([np.zeros((apart.shape[0], 1)), np.cumsum(apart, axis=1)], axis=1)


def _group_slopes(matrix: NDArray[Any], label: Real) -> Real:
    """Sorted eigenvalues of the diagonal blocks of Hermitian matrices that the labels of the rows make."""
    together = label[:, :, None] == label[:, None, :]
    # the blocks are moved apart, so that the eigenvalues of each stay together
    step = 2.0 * np.linalg.norm(matrix, axis=(1, 2))[:, None] + 1e-300
    return np.asarray(
        spectrum(matrix * together + (label * step)[:, :, None] * np.eye(matrix.shape[1]))[0] - label * step
    )


def spectrum(matrices: NDArray[Any]) -> tuple[Real, NDArray[Any]]:
    """Sorted eigenvalues and eigenvectors of a stack of Hermitian matrices."""
    if matrices.shape[-1] == 1:
        return np.array(matrices[:, :, 0].real), np.ones_like(matrices)
    values, vectors = np.linalg.eigh(matrices)
    return values, vectors


def tidy(value: float, doubt: float) -> float:
    """The number of at most 14 digits nearest to a value, 0 included, if it is as near as the value is known."""
    short = 0.0 if abs(value) <= doubt else float(f"{value:.14g}")
    return short if abs(short - value) <= doubt else value
