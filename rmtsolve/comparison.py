"""Law against eigenvalues: distances, edges, atoms and outliers, with what size explains, and a verdict.

A model whose samples carry a random strength of their own is less rigid than its size explains: features with a spike
see the empirical law of n projections kappa, and the whole spectrum moves by O(n^{-1/2}) from replica to replica. That
scatter is measured between the replicas and stated apart; then only their mean can be held against the law, to four of
its standard errors plus the bias of finite size, 2/n.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _empirical, _validate
from .measures.base import Measure

Real = NDArray[np.float64]

GRID = 400  # points of the stored deviation curves
SIGMAS = 4.0
MEAN_TERM = 2.0  # finite-size bias of the mean distribution function: 2 / size
OUTLIER_TERM = 10.0  # finite-size bias of an outlier: 10 / size of its location


class EdgeRow(NamedTuple):
    """One end of a bulk: the law's edge and the extreme eigenvalue of that bulk, mean over replicas.

    `expected` and `deviation` are where that eigenvalue should be at this size: Tracy-Widom at a square-root edge,
    else the quantile of half an eigenvalue and no deviation (nan).
    """

    law: float
    measured: float
    error: float
    expected: float
    deviation: float


class AtomRow(NamedTuple):
    """One point mass of the law and the share of the eigenvalues that sit on it."""

    location: float
    law: float
    measured: float


class OutlierRow(NamedTuple):
    """One predicted outlier and the eigenvalue matched to it: mean over replicas and its standard error."""

    predicted: float
    measured: float
    error: float
    label: str


@dataclass(frozen=True, eq=False)
class Comparison:
    """A law held against spectra; ``print`` it for a table, `plot` it for the deviations.

    Parameters
    ----------
    size, trials, dyson : int
        Eigenvalues of one spectrum, how many spectra, and the Dyson index (1 real, 2 complex).
    apart : int
        Predicted outliers of one spectrum, kept out of the distances.
    strays : float
        Eigenvalues of one spectrum, on average, that lie outside the bulk though no outlier was predicted there;
        when they are few (at most ``sqrt(size)``) they are kept out as well.
    kolmogorov, wasserstein : float
        Distances of one spectrum from the law, mean over the spectra.
    above, below : float
        One-sided Kolmogorov distances: excess of the empirical distribution over the law, and of the law over it.
    bias : float
        Kolmogorov distance between the law and all spectra taken together.
    scatter : float
        Largest standard deviation over the spectra of their distribution functions; nan for a single spectrum.
    explained, limit : float
        Kolmogorov distance that a rigid spectrum of this size has on average, and that 1 % of them exceed.
    wasserstein_explained, wasserstein_limit : float
        The same for the Wasserstein distance.
    edges : tuple of EdgeRow
        Both ends of every bulk.
    atoms : tuple of AtomRow
        Every point mass.
    outliers : tuple of OutlierRow
        Every predicted outlier.
    grid, deviations : ndarray of float, shapes (points,) and (trials, points)
        Empirical distribution minus law, for each spectrum.
    """

    size: int
    trials: int
    dyson: int
    apart: int
    strays: float
    kolmogorov: float
    above: float
    below: float
    wasserstein: float
    bias: float
    scatter: float
    explained: float
    limit: float
    wasserstein_explained: float
    wasserstein_limit: float
    edges: tuple[EdgeRow, ...]
    atoms: tuple[AtomRow, ...]
    outliers: tuple[OutlierRow, ...]
    grid: Real = field(repr=False)
    deviations: Real = field(repr=False)

    @property
    def agrees(self) -> bool:
        """Whether size (and scatter) explains the distances, and outliers are where predicted and nowhere else."""
        return all(good for good, _ in self._findings())

    @property
    def verdict(self) -> str:
        """The same in words."""
        return "\n".join(text for _, text in self._findings())

    def __str__(self) -> str:
        spectra = "spectrum" if self.trials == 1 else "spectra"
        lines = [
            f"{self.trials} {spectra} of size {self.size}",
            "",
            f"{'':22s}{'measured':>12s}   size explains",
            f"{'Kolmogorov distance':22s}{self.kolmogorov:12.5f}   {self.explained:.5f}, at most {self.limit:.5f}",
            f"{'Wasserstein distance':22s}{self.wasserstein:12.3g}   "
            f"{self.wasserstein_explained:.3g}, at most {self.wasserstein_limit:.3g}",
        ]
        if self.trials > 1:
            lines.append(f"{'scatter of spectra':22s}{self.scatter:12.5f}")
        if self.edges:
            lines += ["", f"{'edge':>12s}   {'extreme eigenvalue':22s}   expected at this size"]
            lines += [
                f"{e.law:12.6g}   {plus_minus(e.measured, e.error):22s}   {plus_minus(e.expected, e.deviation)}"
                for e in self.edges
            ]
        if self.atoms:
            lines += ["", f"{'atom':>12s}   {'measured mass':22s}   mass"]
            lines += [f"{a.location:12.6g}   {a.measured:<22.6g}   {a.law:.6g}" for a in self.atoms]
        if self.outliers:
            lines += ["", f"{'outlier':>12s}   {'measured':22s}   deviation"]
            lines += [
                f"{o.predicted:12.6g}   {plus_minus(o.measured, o.error):22s}   {_deviation(o)}" for o in self.outliers
            ]
        return "\n".join([*lines, "", self.verdict])

    def to_dict(self) -> dict[str, Any]:
        """Everything but the deviation curves, as plain Python values."""
        values = {k: v for k, v in vars(self).items() if k not in ("grid", "deviations")}
        for name in ("edges", "atoms", "outliers"):
            values[name] = [row._asdict() for row in values[name]]
        return {**values, "agrees": self.agrees, "verdict": self.verdict}

    def plot(self, ax: Any = None) -> Any:
        """Draw empirical distribution minus law of every spectrum, over what size explains; returns the axes."""
        from .plotting import plot_comparison

        return plot_comparison(self, ax)

    # ------------------------------------------------------------------ words
    def _findings(self) -> list[tuple[bool, str]]:
        found = [self._bulk(), *(self._outlier(row) for row in self.outliers)]
        found = [found[0], *(one for one in found[1:] if not one[0])]
        if self.outliers and len(found) == 1:
            found.append((True, "Outliers: where they were predicted."))
        if self.strays >= 0.5:
            found.append((False, f"Outside the bulk, predicted by nothing: {self.strays:.3g} a spectrum."))
        return found

    def _bulk(self) -> tuple[bool, str]:
        if self.kolmogorov <= self.limit:
            return True, f"Bulk: agrees; size explains the distance ({self.kolmogorov:.2g}, limit {self.limit:.2g})."
        far = f"the distance is {self.kolmogorov / self.explained:.1f} times what size explains"
        if self.trials < 3:
            return False, f"Bulk: differs; {far}. Three spectra or more would tell bias from scatter."
        allowed = MEAN_TERM / self.size + SIGMAS * self.scatter / math.sqrt(self.trials)
        if self.bias <= allowed:
            return True, (
                f"Bulk: agrees on average; {far}, but the spectra scatter by {self.scatter:.2g} around their mean, and "
                f"together they are {self.bias:.2g} from the law (limit {allowed:.2g}). Spectra that scatter more than "
                "O(log n / n) carry a random strength of their own; with spiked features it is the empirical law of "
                "n projections kappa, O(n^(-1/2))."
            )
        return False, (
            f"Bulk: differs; {far}, and all spectra together are still {self.bias:.2g} from the law "
            f"(limit {allowed:.2g}, scatter included)."
        )

    def _outlier(self, row: OutlierRow) -> tuple[bool, str]:
        allowed = abs(row.predicted) * OUTLIER_TERM / self.size
        if not math.isnan(row.error):
            allowed += SIGMAS * row.error
        off = abs(row.measured - row.predicted)
        more = " One spectrum has no standard error: use more." if math.isnan(row.error) else ""
        return off <= allowed, (
            f"Outlier predicted at {row.predicted:.6g}: measured {off:.2g} away, limit {allowed:.2g}.{more}"
        )


def plus_minus(value: float, error: float) -> str:
    """``value +- error``, or the value alone where no error is known."""
    return f"{value:.6g}" if math.isnan(error) else f"{value:.6g} +- {error:.2g}"


def _deviation(row: OutlierRow) -> str:
    off = row.measured - row.predicted
    relative = f"{off / row.predicted:+.2%}" if row.predicted else f"{off:+.3g}"
    return f"{relative} ({off / row.error:+.1f} standard errors)" if row.error > 0 else relative


def compare(measure: Measure, eigenvalues: ArrayLike, outliers: Sequence[Any] = (), *, dyson: int = 1) -> Comparison:
    """Hold eigenvalues of finite matrices against a law.

    Parameters
    ----------
    measure : Measure
        The law; best taken at the finite ratios of the matrices (``p / n`` as it was, not as it was meant).
    eigenvalues : array_like of float, shape (size,) or (trials, size)
        One spectrum a row.
    outliers : sequence of Outlier or float
        Predicted outliers. Those beyond the last bulk are matched with the largest eigenvalues in order, those below
        the first with the smallest, those in a gap with the nearest; the matched ones are kept out of the distances.
    dyson : int
        1 for real symmetric matrices, 2 for complex Hermitian ones.

    Returns
    -------
    Comparison
        Distances, edges, outliers, what size explains, and a verdict in words.

    Raises
    ------
    DomainError
        Eigenvalues are complex, not finite or fewer than the outliers; an outlier lies inside the bulk.

    Examples
    --------
    >>> import rmtsolve as rmt
    >>> model = rmt.SampleCovariance(rmt.Discrete([1, 4], [.5, .5]), ratio=.5)
    >>> ev = rmt.simulate_spectrum(model, size=100, trials=4, rng=np.random.default_rng(0))
    >>> rmt.compare(model.law(), ev).agrees
    True
    """
    if not isinstance(measure, Measure):
        _validate.fail("measure", "a Measure", measure)
    spectra = np.sort(np.atleast_2d(_validate.real_array(eigenvalues, "eigenvalues")), axis=-1)
    if spectra.ndim != 2:
        _validate.fail("eigenvalues", "of shape (size,) or (trials, size)", f"shape {spectra.shape}")
    rigidity = _empirical.RIGIDITY[_validate.integer(dyson, "dyson", low=1, high=2)]
    trials, size = spectra.shape
    predicted = _empirical.locations(measure.edges, outliers, size)

    spectra = _empirical.snapped(spectra, measure.atoms.locations)
    on_atom = np.isin(spectra, measure.atoms.locations)
    scales = [_empirical.edge_scale(measure, k, size, rigidity) for k in range(measure.edges.size)]
    matched = _empirical.matched(measure.edges, predicted, spectra, on_atom)
    apart = np.zeros(spectra.shape, dtype=bool)
    np.put_along_axis(apart, matched, True, axis=1)
    stray = ~apart & ~on_atom & ~_empirical.near_bulk(measure.edges, scales, spectra)
    strays = float(stray.sum(axis=1).mean())
    if stray.sum(axis=1).max() <= math.sqrt(size) and not (apart | stray).all(axis=1).any():
        apart |= stray

    rows = [spectrum[~out] for spectrum, out in zip(spectra, apart, strict=True)]
    pooled = np.sort(np.concatenate(rows))
    table = _empirical.tabulate(measure, pooled)
    distances = np.array([_empirical.distances(table, row) for row in rows])
    above, below, wasserstein = (float(value) for value in distances.mean(axis=0))
    grid = pooled[np.unique(np.linspace(0, pooled.size - 1, GRID).astype(np.int64))]
    law = table.value[np.searchsorted(table.x, grid)]
    deviations = np.array([np.searchsorted(row, grid, side="right") / row.size for row in rows]) - law
    kept = np.take_along_axis(spectra, matched, axis=1)
    extremes = _empirical.extremes(measure.edges, np.where(apart | on_atom, np.nan, spectra))
    n = max(2.0, float(np.mean([row.size for row in rows])))
    length = float(np.sum(np.diff(measure.support, axis=1)))
    return Comparison(
        size=size,
        trials=trials,
        dyson=dyson,
        apart=predicted.size,
        strays=strays,
        kolmogorov=float(distances[:, :2].max(axis=1).mean()),
        above=above,
        below=below,
        wasserstein=wasserstein,
        bias=max(_empirical.distances(table, pooled)[:2]),
        scatter=float(deviations.std(axis=0, ddof=1).max()) if trials > 1 else math.nan,
        explained=(rigidity.ks_mean[0] + rigidity.ks_mean[1] * math.log(n)) / n,
        limit=(rigidity.ks_limit[0] + rigidity.ks_limit[1] * math.log(n)) / n,
        wasserstein_explained=rigidity.w1_mean * length / 4 / n,
        wasserstein_limit=rigidity.w1_limit * length / 4 / n,
        edges=tuple(
            EdgeRow(float(edge), *extreme, scale.expected, scale.deviation)
            for edge, extreme, scale in zip(measure.edges, extremes, scales, strict=True)
        ),
        atoms=tuple(
            AtomRow(float(location), float(mass), float((spectra[~apart] == location).mean()))
            for location, mass in zip(*measure.atoms, strict=True)
        ),
        outliers=tuple(
            OutlierRow(location, *_empirical.mean_and_error(kept[:, k]), str(getattr(outliers[k], "label", "")))
            for k, location in enumerate(predicted.tolist())
        ),
        grid=_validate.read_only(grid),
        deviations=_validate.read_only(deviations),
    )
