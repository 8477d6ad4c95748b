"""The mean over a law of the resolvent of a real polynomial or of a Hermitian pencil, by partial fractions.

``r(x) = tr (P(x) - z)^{-1} / K`` is rational in x and bounded on the real line for Im z > 0, with poles at the complex
preimages of z:

    r(x) = c + sum_j r_j / (x - x_j),      int r dmu = c + sum_j r_j m_mu(x_j).

A polynomial has c = 0 and ``r_j = 1/p'(x_j)``, here in the form ``1 / (lead prod_i (x_j - x_i))``, in which errors of
roots that are close to each other cancel. A pencil is expanded about a point s off the real line: with
``M = A0 + s A1 - z`` and the eigenvalues t and eigenvectors V of ``B = h M^{-1} A1``

    r(s + h y) = tr (1 + y B)^{-1} M^{-1} / K = sum_j w_j / (1 + t_j y),      w_j = (V^{-1} M^{-1} V)_jj / K,

and a zero t, which is simple as r is bounded, belongs to c. Derived here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._precise import precise_array
from .base import Complex, Measure, Precise, Real

_POLISH = 4
_REAL = 1e-9  # a pole this close to the real line, relative to its neighbours, takes its side from its speed
_STEEP = 1e3  # condition of M from which another s is tried
_SHIFTS = (0.7j, 0.31 - 1.1j, -0.43 + 0.5j)  # of s, in half-widths


class Poles:
    """Partial fractions of the resolvent of a family.

    Parameters
    ----------
    coefficients : ndarray, shape (degree + 1, K, K)
        The family: K = 1 or degree 1.
    low, high : float
        The smallest interval that holds the law.
    """

    def __init__(self, coefficients: NDArray[Any], low: float, high: float) -> None:
        self.coefficients = coefficients
        self.degree, self.rows = coefficients.shape[0] - 1, coefficients.shape[1]
        self.centre, self.unit = 0.5 * (low + high), 0.5 * (high - low)
        if self.rows == 1:
            self.unit = max(abs(low), abs(high))
        self.scaled = coefficients * (self.unit ** np.arange(self.degree + 1))[:, None, None]

    def mean(self, z: Complex, measure: Measure) -> tuple[Complex, Real]:
        """(``int r dmu`` at Im z >= 0, sum of the absolute values of its terms); on the axis the real part only."""
        with np.errstate(all="ignore"):
            constant, places, residues = self._scalar(z) if self.rows == 1 else self._pencil(z)
            places = self._sided(z, places, residues)
            lower = places.imag < 0.0
            upper = np.asarray(np.where(lower, places.conj(), places).ravel() + 0.0, dtype=np.complex128)
            m = measure._stieltjes(upper).reshape(places.shape)
            terms = residues * np.where(lower, m.conj(), m)
            terms = np.where(residues == 0.0, 0.0, terms)
            total = constant + terms.sum(axis=1)
            size = np.abs(constant) + np.abs(terms).sum(axis=1)
        return np.where(z.imag == 0.0, total.real, total), size

    def _sided(self, z: Complex, places: Complex, residues: Complex) -> Complex:
        """Poles on the side of the real line where they belong: ``dx_j/dz = K r_j``."""
        others = np.abs(places[:, :, None] - places[:, None, :]) + np.where(np.eye(places.shape[1]), np.inf, 0.0)
        room = np.minimum(others.min(axis=2), self.unit)
        flat = np.abs(places.imag) <= _REAL * room
        rise = self.rows * residues.real * z.imag[:, None]
        return np.where(flat, places.real + 1j * np.where(np.isfinite(rise), rise, 0.0), places)

    # ------------------------------------------------------------------ one polynomial
    def _scalar(self, z: Complex) -> tuple[Complex, Complex, Complex]:
        """(c, poles, residues) for K = 1: eigenvalues of the companion matrix, polished."""
        a = self.scaled[:, 0, 0].real
        degree = self.degree
        companion = np.zeros((z.size, degree, degree), dtype=np.complex128)
        companion[:, np.arange(1, degree), np.arange(degree - 1)] = 1.0
        companion[:, 0, :] = -a[-2::-1] / a[-1]
        companion[:, 0, -1] = (z - a[0]) / a[-1]
        y = np.linalg.eigvals(companion).astype(np.complex128)
        rest = np.abs(self._value(a, y, z)[0])
        for _ in range(_POLISH):
            value, slope = self._value(a, y, z)
            new = y - value / slope
            left = np.abs(self._value(a, new, z)[0])
            better = left < rest
            y, rest = np.where(better, new, y), np.where(better, left, rest)
        gaps = y[:, :, None] - y[:, None, :] + np.eye(degree)
        return np.zeros_like(z), self.unit * y, self.unit / (a[-1] * gaps.prod(axis=2))

    @staticmethod
    def _value(a: Real, y: Complex, z: Complex) -> tuple[Complex, Complex]:
        """p(y) - z and p'(y)."""
        value, slope = np.zeros_like(y), np.zeros_like(y)
        for coefficient in a[:0:-1]:
            slope = slope * y + value
            value = value * y + coefficient
        slope = slope * y + value
        return value * y + (a[0] - z[:, None]), slope

    # ------------------------------------------------------------------ pencils
    def _pencil(self, z: Complex) -> tuple[Complex, Complex, Complex]:
        """(c, poles, residues) for K > 1."""
        origin = np.empty(z.shape, dtype=np.complex128)
        inverse = np.empty((z.size, self.rows, self.rows), dtype=np.complex128)
        best = np.full(z.shape, np.inf)
        for shift in _SHIFTS:
            todo = np.flatnonzero(~(best <= _STEEP))
            if todo.size == 0:
                break
            s = self.centre + self.unit * shift
            shifted = self.scaled[0] + (s / self.unit) * self.scaled[1] - z[todo, None, None] * np.eye(self.rows)
            trial = _inverse(shifted)
            steep = np.linalg.norm(trial, axis=(1, 2)) * np.linalg.norm(shifted, axis=(1, 2))
            chosen = todo[steep < best[todo]]
            origin[chosen], inverse[chosen] = s, trial[steep < best[todo]]
            best[chosen] = steep[steep < best[todo]]
        t, v = np.linalg.eig(inverse @ self.scaled[1])
        weight = np.einsum("naj,nja->nj", v, np.linalg.solve(v, inverse)) / self.rows
        infinite = np.abs(t) < 1e-200
        constant = np.where(infinite, weight, 0.0).sum(axis=1)
        t = np.where(infinite, 1.0, t)
        return constant, origin[:, None] - self.unit / t, np.where(infinite, 0.0, weight * (self.unit / t))

    # ------------------------------------------------------------------ mpmath numbers
    def precise_mean(self, z: Precise, measure: Measure, transform: Callable[[Measure, Precise], Precise]) -> Precise:
        """``int r dmu`` at mpmath numbers with Im z >= 0; on the axis the limit from above."""
        import mpmath

        answer = []
        for point in z:
            constant, places, residues = self._precise_poles(mpmath.mpc(point))
            small = mpmath.mpf(10) ** (-mpmath.mp.dps // 2) * self.unit
            if mpmath.im(point) == 0:
                places = [mpmath.mpc(mpmath.re(x)) if abs(mpmath.im(x)) < small else x for x in places]
            terms = [constant]
            for m, x, r in zip(transform(measure, precise_array(places)), places, residues, strict=True):
                falling = x.imag == 0 and r.real < 0  # the pole comes from below
                terms.append(r * (m.conjugate() if falling else m))
            answer.append(mpmath.fsum(terms))
        return precise_array(answer)

    def _precise_poles(self, z: Any) -> tuple[Any, list[Any], list[Any]]:
        """(c, poles, residues) at one point."""
        import mpmath

        a = [mpmath.matrix(part.tolist()) for part in self.coefficients]
        if self.rows == 1:
            line = [mpmath.mpf(1) * part[0, 0].real for part in a]
            roots = mpmath.polyroots([*line[:0:-1], line[0] - z], maxsteps=500, extraprec=4 * mpmath.mp.prec)
            rate = [k * c for k, c in enumerate(line)][:0:-1]
            return mpmath.mpc(0), [mpmath.mpc(x) for x in roots], [1 / mpmath.polyval(rate, x) for x in roots]
        s = mpmath.mpc(self.centre + self.unit * _SHIFTS[0])
        inverse = mpmath.inverse(a[0] + s * a[1] - z * mpmath.eye(self.rows))
        values, vectors = mpmath.eig(inverse * a[1])
        inside = mpmath.inverse(vectors) * inverse * vectors
        small = mpmath.mpf(10) ** (-mpmath.mp.dps // 2) * max(map(abs, values))
        weights = [inside[i, i] / self.rows for i in range(self.rows)]
        finite = [i for i in range(self.rows) if abs(values[i]) > small]
        constant = mpmath.fsum(weights[i] for i in range(self.rows) if i not in finite)
        return constant, [s - 1 / values[i] for i in finite], [weights[i] / values[i] for i in finite]


def _inverse(matrices: Complex) -> Complex:
    """Inverses of a stack; infinite where a matrix is singular."""
    try:
        return np.asarray(np.linalg.inv(matrices), dtype=np.complex128)
    except np.linalg.LinAlgError:
        singular = np.linalg.cond(matrices) > 1e15
        out = np.full(matrices.shape, np.inf, dtype=np.complex128)
        out[~singular] = np.linalg.inv(matrices[~singular])
        return out
