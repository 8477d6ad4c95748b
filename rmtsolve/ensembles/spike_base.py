"""What spiked models share: which spikes leave the bulk, where their eigenvalues go, and the way back.

A spiked model plants a few eigenvalues (*spikes*) in a bulk. In every gap of the bulk (below, between, above) the spike
is a monotone function of the eigenvalue that it makes there, so that the gap has its interval of spikes; a spike in
none of these intervals makes no eigenvalue outside the bulk.
"""

from __future__ import annotations

import abc
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate
from ..measures.base import Measure
from .base import Ensemble, Outlier

Real = NDArray[np.float64]


class Window(NamedTuple):
    """Spikes strictly between `low` and `high` make eigenvalues strictly between `left` and `right`, off the bulk."""

    low: float
    high: float
    left: float
    right: float


class Planted(NamedTuple):
    """Eigenvalues of some spikes; `overlaps` has one row a kind of direction."""

    locations: Real
    overlaps: Real  # (kinds, spikes)
    variances: Real


class SpikedEnsemble(Ensemble):
    """Base of the spiked models; `spikes` is a sorted tuple, repeated spikes are repeated in it."""

    spikes: tuple[float, ...]

    # ------------------------------------------------------------------ what a model gives
    @abc.abstractmethod
    def _windows(self) -> tuple[Window, ...]:
        """The intervals of spikes that make outliers, from left to right in the place of these."""

    @abc.abstractmethod
    def _plant(self, spikes: Real, windows: list[Window]) -> Planted:
        """Where spikes put their eigenvalues, each in a window that holds it."""

    @abc.abstractmethod
    def _recover(self, locations: Real) -> Real:
        """The spikes that belong to eigenvalues off the bulk; nan where there is none."""

    # ------------------------------------------------------------------ what users call
    @property
    def thresholds(self) -> Real:
        """Shape (windows, 2): a spike makes an outlier for every row that it is strictly between the two numbers of.

        The rows are in the order of the gaps where the outliers are, from left to right.
        """
        return np.array([window[:2] for window in self._windows()]).reshape(-1, 2)

    @property
    def threshold(self) -> float:
        """The smallest spike above which every spike makes an outlier above the bulk."""
        return float(self._windows()[-1].low)

    @property
    def subcritical(self) -> tuple[float, ...]:
        """The spikes that make no outlier: their eigenvalues stay in the bulk."""
        windows = self._windows()
        return tuple(spike for spike in self.spikes if not any(w.low < spike < w.high for w in windows))

    def outliers(self, p: float | None = None) -> tuple[Outlier, ...]:
        """Limits of the eigenvalues outside the bulk, in increasing order; none for subcritical spikes.

        `overlap` is the squared cosine between the eigenvector and the spike's direction. For a spike of multiplicity r
        it is that with the r-dimensional space of its directions, and the r eigenvalues fluctuate jointly, so that
        `variance` is None. The prediction is the same for every size `p`; ``finite(size)`` has the exact counts.
        """
        windows = self._windows()
        found = [(spike, w) for spike in self.spikes for w in windows if w.low < spike < w.high]
        if not found:
            return ()
        planted = self._plant(np.array([spike for spike, _ in found]), [window for _, window in found])
        out = []
        for i, (spike, window) in enumerate(found):
            count = self.spikes.count(spike)
            overlap = tuple(float(x) for x in planted.overlaps[:, i])
            out.append(
                Outlier(
                    location=float(planted.locations[i]),
                    overlap=overlap if len(overlap) > 1 else overlap[0],
                    spike=spike,
                    variance=float(planted.variances[i]) if count == 1 else None,
                    label=f"spike {spike:.6g}, {self._place(window)}"
                    + (f", multiplicity {count}" if count > 1 else ""),
                )
            )
        return tuple(sorted(out, key=lambda outlier: outlier.location))

    def explain(self) -> str:
        """One sentence an outlier, and one for every spike that makes none, with the thresholds that it misses."""
        lines = []
        for one in self.outliers():
            overlap = one.overlap if isinstance(one.overlap, tuple) else (one.overlap,)
            shown = ", ".join(f"{x:.6g}" for x in overlap)
            lines.append(f"{one.label}: eigenvalue {one.location:.6g}, squared overlap {shown}.".capitalize())
        windows = ", ".join(f"({low:.6g}, {high:.6g})" for low, high in self.thresholds)
        lines += [
            f"Spike {spike:.6g}: no outlier; spikes that make one are in {windows or 'no interval'}."
            for spike in self.subcritical
        ]
        return "\n".join(lines) or "No spikes."

    def spikes_from_outliers(self, locations: ArrayLike) -> Real:
        """The spikes that make eigenvalues at the given places: the inverse of `outliers`.

        Parameters
        ----------
        locations : array_like of float
            Observed eigenvalues outside the bulk.

        Returns
        -------
        ndarray
            One spike a location, same shape.

        Raises
        ------
        DomainError
            A location is in the bulk (or at an edge or an atom), or no admissible spike makes an eigenvalue there.
        """
        points = _validate.real_array(locations, "locations", allow_empty=True)
        flat = points.ravel()
        law = self.law()
        inside = law._in_bulk(flat) | np.isin(flat, law.atoms.locations)
        if inside.any():
            _validate.fail(
                "locations", f"outside the bulk, whose edges are {np.array2string(law.edges, precision=6)}",
                float(flat[inside][0]), "an eigenvalue in the bulk says nothing about a spike",
            )  # fmt: skip
        if flat.size == 0:
            return points
        spikes = self._recover(flat)
        lost = np.isnan(spikes)
        if lost.any():
            _validate.fail(
                "locations", "where a spike of this model can put an eigenvalue", float(flat[lost][0]),
                f"spikes of the intervals {self.thresholds.tolist()} are possible",
            )  # fmt: skip
        return spikes.reshape(points.shape)

    # ------------------------------------------------------------------ shared
    def _place(self, window: Window) -> str:
        """The gap of a window, in words."""
        low, high = hull(self.law())
        if window.left >= high:
            return "above the bulk"
        return "below the bulk" if window.right <= low else f"in the gap ({window.left:.6g}, {window.right:.6g})"

    def _check_size(self, size: int) -> int:
        """`size` as an integer with room for the spikes and one eigenvalue of the bulk."""
        return _validate.integer(
            size, "size", low=len(self.spikes) + 1, remedy="the bulk needs at least one eigenvalue"
        )


def checked_spikes(value: ArrayLike, *, low: float, rule: str, forbidden: float | None = None) -> tuple[float, ...]:
    """Spikes > low (other than `forbidden`) as a sorted tuple."""
    values = _validate.real_array(value, "spikes", ndim=1, low=low, open_low=True, allow_empty=True, remedy=rule)
    if forbidden is not None and (values == forbidden).any():
        _validate.fail("spikes", f"different from {forbidden:g}", forbidden, rule)
    return tuple(sorted(float(x) for x in values))


def hull(law: Measure) -> tuple[float, float]:
    """Smallest interval that holds the law."""
    ends = np.concatenate([law.edges, law.atoms.locations])
    return float(ends.min()), float(ends.max())


def random_directions(size: int, count: int, rng: np.random.Generator) -> Real:
    """`count` orthonormal vectors in general position, shape (size, count)."""
    return np.asarray(np.linalg.qr(rng.standard_normal((size, count)))[0])
