"""Outliers of spiked features: eigenvalues outside the bulk, made by a few latent directions.

Beyond the conditionally isotropic part, ``Phi`` carries a finite-rank term ``sum_j f_j U_j^T``: vectors U_j in R^p
times functions f_j of the latent variables ``kappa = <v, x>`` and ``tau = <theta, x>`` along another unit direction.

    direction U_j                                        function f_j              G_j = U_j^T (S - z)^-1 U_j in the
    bulk class k: 1_k / sqrt p                                sqrt p mu0_k(kappa)       q_k
    attributes of class k: 1_k times (b_v, b_t, b_n)     (b_v kappa + b_t tau) mu1_k + b_n h2_k / 2     beta q_k

The b are the weights' own small components: ``(b_v, b_t, b_n) / sqrt d = (<w, v>, <w, theta>, |w|^2 - 1)`` in units of
the scale, with covariance Xi_k in class k: one direction for every column of a root of Xi_k. Then

    N(z) = diag(1 / G) + E[f f^T / (1 + V)] + [class block] (beta / 2) E[h2 h2^T / (1 + V)]

is the inverse of ``U^T (S - z)^-1 U`` for the whole matrix, so it decreases in every gap, eigenvalue by eigenvalue,
and an outlier sits where one of them is zero: their number in a gap is the loss of positive eigenvalues across it.
The last term is the fluctuation of ``|x|^2``. With ``N(z) c = 0`` the unit eigenvector has ``(U_j . eigenvector)^2 =
c_j^2 / (-c N' c)``.

Source: derived; compare arXiv:2410.18938.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..equations.spiked_features import ConditionalTable, SpikedFeatures
from ..equations.spiked_features_edges import EDGE, FAINT, SOFT_RIGHT, probe
from ..equations.spiked_features_law import FeaturesLaw
from ..errors import ConvergenceError
from .base import Outlier

Real = NDArray[np.float64]


@dataclass(frozen=True)
class FeatureOutlier(Outlier):
    """An outlier of spiked features; `overlap` holds the squared overlaps with ``1_k / sqrt p``, class by class.

    Parameters
    ----------
    spike_overlaps : tuple of float
        Squared cosine with the learned part of the weights in each class (its attribute directions together).
    order : float
        ``d log location / d log p``: near 1 for an outlier of order p, near 0 for one of order one.
    """

    spike_overlaps: tuple[float, ...] = ()
    order: float = 0.0


class Latent(NamedTuple):
    """Latent directions: the K classes first, then the attribute columns."""

    constant: Real  # (J, N): part of f_j without tau, classes without their sqrt p
    tilted: Real  # (J, N): factor of tau
    owner: NDArray[np.int64]  # (J,): class of the direction
    loading: Real  # (J, 3): its components along v, theta, norm; zero for the classes


def latent_directions(table: ConditionalTable, attributes: Real) -> Latent:
    """The directions for attribute covariances (K, 3, 3) in the order v, theta, norm; null directions are dropped."""
    constant, tilted, owner = list(table.mean), [np.zeros_like(row) for row in table.mean], list(range(len(table.mean)))
    loading = [np.zeros(3) for _ in owner]
    for k, covariance in enumerate(attributes):
        values, vectors = np.linalg.eigh(covariance)
        keep = values > 1e-12 * max(float(values[-1]), 1e-300)
        for column in (vectors[:, keep] * np.sqrt(values[keep])).T:
            along, across, norm = column
            constant.append(along * table.kappa * table.linear[k] + 0.5 * norm * table.curvature[k])
            tilted.append(across * table.linear[k])
            owner.append(k)
            loading.append(column)
    return Latent(np.array(constant), np.array(tilted), np.array(owner), np.array(loading))


class _System:
    """``N(z)`` at width p; for p = None its limit p -> inf.

    In that limit the combinations of classes with a mean, `fixed`, are rescaled by ``p^(-1/2)``: of their block only
    the Gram matrix of the means is left, it changes sign at no finite z, and the outliers found are those of order one.
    """

    def __init__(self, equation: SpikedFeatures, attributes: Real, p: float | None) -> None:
        self.equation, self.p, self.classes = equation, p, equation.classes
        table = equation.table
        self.latent = latent_directions(table, attributes)
        self.level = np.where(np.arange(self.latent.owner.size) < self.classes, 1.0, equation.beta)
        self.basis, self.rank = np.eye(self.classes), 0
        if p is None:
            energy = float(table.weights @ (table.mean**2 + table.linear**2 + table.noise).max(axis=0))
            values, self.basis = np.linalg.eigh((table.mean * table.weights) @ table.mean.T)
            self.basis, self.rank = self.basis[:, ::-1], int(np.sum(values > 1e-13 * energy))

    def _assemble(self, diagonal: Real, weight: Real, p: float) -> Real:
        """``diag(diagonal) + E[f f^T weight] + [class block] (beta / 2) E[h2 h2^T weight]``."""
        k, table = self.classes, self.equation.table
        w = table.weights * weight
        root = np.where(np.arange(self.latent.owner.size) < k, np.sqrt(p), 1.0)
        gram = (self.latent.constant * w) @ self.latent.constant.T + (self.latent.tilted * w) @ self.latent.tilted.T
        rest = np.diag(diagonal)
        rest[:k, :k] += 0.5 * self.equation.beta * (table.curvature * w) @ table.curvature.T
        if self.p is not None:
            return np.asarray(rest + gram * np.outer(root, root))
        turn = np.eye(diagonal.size)
        turn[:k, :k] = self.basis
        gram, rest = turn.T @ gram @ turn, turn.T @ rest @ turn
        gram[self.rank : k], gram[:, self.rank : k] = 0.0, 0.0
        rest[: self.rank], rest[:, : self.rank] = 0.0, 0.0
        return np.asarray(gram + rest)

    def matrix(self, x: Real) -> Real:
        """``N`` at a real state (D,)."""
        weight = 1.0 / (1.0 + self.equation.loading(x[None])[0])
        return self._assemble(1.0 / (x[self.latent.owner] * self.level), weight, self.p or 1.0)

    def derivative(self, x: Real, slope: Real) -> Real:
        """``dN/dz`` at a state with derivative `slope`."""
        q = x[self.latent.owner]
        weight = -self.equation.loading(slope[None])[0] / (1.0 + self.equation.loading(x[None])[0]) ** 2
        return self._assemble(-slope[self.latent.owner] / (self.level * q**2), weight, self.p or 1.0)

    def growth(self, x: Real) -> Real:
        """``dN / d log p``."""
        if self.p is None:
            return np.zeros((self.level.size, self.level.size))
        weight = 1.0 / (1.0 + self.equation.loading(x[None])[0])
        zero = np.zeros(self.level.size)
        with_means = self._assemble(zero, weight, self.p)
        half = np.where(np.arange(zero.size) < self.classes, 0.5, 0.0)
        bend = self._assemble(zero, weight, 0.0)[: self.classes, : self.classes]
        with_means[: self.classes, : self.classes] -= bend
        return np.asarray(with_means * (half[:, None] + half))

    def spectrum(self, x: Real) -> tuple[Real, Real]:
        """Eigenvalues, ascending, of ``D N D`` with a D > 0 that balances the rows, and D times the eigenvectors."""
        weight = 1.0 / np.abs(1.0 + self.equation.loading(x[None])[0])
        sizes = self._assemble(1.0 / np.abs(x[self.latent.owner] * self.level), weight, self.p or 1.0)
        scale = 1.0 / np.sqrt(sizes.diagonal())
        values, vectors = np.linalg.eigh(self.matrix(x) * np.outer(scale, scale))
        return values, scale[:, None] * vectors

    def level_at(self, z: float, rank: int) -> float:
        """The eigenvalue number `rank` from above at z; it decreases in a gap."""
        return float(self.spectrum(probe(self.equation, np.array([z])).state[0].real)[0][-1 - rank])

    def positive(self, z: float, x: Real | None) -> int:
        """How many eigenvalues are positive at z, where the state is x if it is known."""
        state = probe(self.equation, np.array([z])).state[0].real if x is None else x
        return int((self.spectrum(state)[0] > 0.0).sum())

    def outlier(self, z: float, rank: int) -> FeatureOutlier:
        """Everything about the outlier where that eigenvalue is zero."""
        found = probe(self.equation, np.array([z]))
        x, slope, k = found.state[0].real, found.slope[0].real, self.classes
        null = self.spectrum(x)[1][:, -1 - rank]
        norm = -float(null @ self.derivative(x, slope) @ null)
        order = float(null @ self.growth(x) @ null) / (norm * z)
        classes = self.basis[:, self.rank :] @ null[self.rank : k]
        overlaps = tuple(float(c) for c in classes**2 / norm)
        room = self.equation.beta * self.equation.fractions
        parts = np.bincount(self.latent.owner[k:], null[k:] ** 2 / norm, minlength=k) / room
        where = "order p" if order > 0.5 else "order one"
        heaviest = int(np.argmax(np.array(overlaps) if order > 0.5 else parts))
        return FeatureOutlier(
            location=z,
            overlap=overlaps if k > 1 else overlaps[0],
            label=where + (f", class {heaviest + 1}" if k > 1 else ""),
            spike_overlaps=tuple(float(part) for part in parts),
            order=order,
        )


def _resolved(law: FeaturesLaw, end: float, other: float, kind: str) -> float:
    """The end of a gap; where a tail thinner than rounding reaches into it, the first point that can be solved."""
    step = np.copysign(1e-12, other - end)
    while kind == FAINT and abs(step) < abs(np.log(other / end)):
        place = float(end * np.exp(step))
        try:
            if not probe(law.equation, np.array([place])).inside[0]:
                return place
        except ConvergenceError:
            pass
        step *= 2.0
    return end


def find_outliers(law: FeaturesLaw, attributes: Real, p: float | None) -> tuple[FeatureOutlier, ...]:
    """All outliers, ascending, in every gap of the support."""
    from scipy.optimize import brentq

    system, bulks = _System(law.equation, attributes, p), law.bulks
    ends = list(zip(bulks.numerical.tolist(), bulks.states, bulks.kinds, strict=True))
    gaps = list(zip(ends[1:-1:2], ends[2:-1:2], strict=True))
    if bulks.kinds[-1] != SOFT_RIGHT:  # else nothing lies beyond the bulk
        beyond = 2.0 * ends[-1][0]
        while system.positive(beyond, None) > system.rank:  # of the limit p -> inf, `rank` stay positive for ever
            beyond *= 2.0
        gaps.append((ends[-1], (beyond, None, EDGE)))
    if bulks.kinds[0] in (EDGE, FAINT):
        gaps.insert(0, ((1e-9 * ends[0][0], None, EDGE), ends[0]))
    found = []
    for (low, start, left), (high, stop, right) in gaps:
        low, high = _resolved(law, low, high, left), _resolved(law, high, low, right)
        a, b = np.log(low) + 1e-12, np.log(high) - 1e-12  # at the ends themselves the equation is singular
        first = system.positive(low, start) if start is not None else system.positive(np.exp(a), None)
        last = system.positive(high, stop) if stop is not None else system.positive(np.exp(b), None)
        for rank in range(last, first):

            def level(t: float, rank: int = rank) -> float:
                return system.level_at(float(np.exp(t)), rank)

            # an outlier closer to an edge than 1e-12 is put there
            t = a if level(a) <= 0.0 else b if level(b) >= 0.0 else brentq(level, a, b, xtol=1e-15, rtol=1e-15)
            found.append(system.outlier(float(np.exp(t)), rank))
    return tuple(sorted(found, key=lambda outlier: outlier.location))
