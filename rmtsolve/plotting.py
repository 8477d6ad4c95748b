"""Pictures: functions of (data, ax) in one style; they draw, return the axes and compute nothing but curves of the law.

Colours are those of Okabe and Ito, told apart by colour-blind readers; laws are lines, simulations are filled bars or
marks, predictions of single eigenvalues are open marks.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _empirical, _validate

if TYPE_CHECKING:
    from .comparison import Comparison
    from .measures.base import Measure
    from .networks.ridge_result import RidgeErrors
    from .ridge_study import RidgeStudy
    from .study import Stage, Study

Real = NDArray[np.float64]

INK, BLUE, ORANGE, GREEN, GREY = "#222222", "#0072B2", "#D55E00", "#009E73", "#9A9A9A"
STAGES = (ORANGE, BLUE)  # before and after a gradient step
FAR = 1e-6  # mass beyond which an unbounded law is not drawn


def new_axes(width: float = 6.0, height: float = 3.6) -> Any:
    """Axes on a figure of their own."""
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=(width, height), layout="constrained")[1]


def dress(ax: Any, xlabel: str, ylabel: str) -> Any:
    """The common style: no box, quiet ticks, labels."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(direction="out", length=3, color=GREY)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    return ax


def density_curve(measure: Measure, points: int = 400) -> list[tuple[Real, Real]]:
    """``(x, density)`` on every bulk, crowded towards both edges (offsets ``width sin^2``, no cancellation there)."""
    curves = []
    for k, (left, right) in enumerate(measure.support):
        if not np.isfinite([left, right]).all():
            low, high = measure.quantile([FAR, 1.0 - FAR])
            x = np.linspace(max(left, low), min(right, high), points)
            curves.append((x, np.asarray(measure.density(x))))
            continue
        angle = (np.arange(points) + 0.5) * np.pi / (2 * points)
        low_half = np.sin(angle[angle < np.pi / 4]) ** 2 * (right - left)
        high_half = np.cos(angle[angle >= np.pi / 4]) ** 2 * (right - left)
        rho = [measure.density(offset=low_half, edge=2 * k), measure.density(offset=-high_half, edge=2 * k + 1)]
        places = [left + low_half, right - high_half]
        if hasattr(measure, "cusp_exponents"):  # cusps in closed form: the curve must reach them
            cusps: Real = getattr(measure, "cusps")  # noqa: B009  measures in general have none
            near = cusps[(cusps > left) & (cusps < right)]
            steps = 0.05 * (right - left) * np.linspace(-1.0, 1.0, 51) ** 3
            beside = np.unique((near[:, None] + steps).ravel())
            places.append(beside[(beside > left) & (beside < right)])
            rho.append(np.asarray(measure.density(places[-1])))
        x, heights = np.concatenate(places), np.concatenate(rho)
        order = np.argsort(x, kind="stable")
        order = order[np.isfinite(heights[order])]
        curves.append((x[order], heights[order]))
    return curves


def plot_measure(
    measure: Measure,
    ax: Any = None,
    *,
    eigenvalues: ArrayLike | None = None,
    stage: str = "",
    color: str = BLUE,
    dashed: bool = False,
) -> Any:
    """Draw a law: density, edges as marks on the axis, atoms as stems with their mass, over a histogram of eigenvalues.

    Parameters
    ----------
    measure : Measure
        The law.
    ax : matplotlib axes, optional
        Where to draw; by default on a new figure.
    eigenvalues : array_like of float, shape (size,) or (trials, size), optional
        Drawn as a histogram normalised to all of them; those outside the bulks and on atoms are left out of it.
    stage : str
        What distinguishes this law from another on the same axes, for the legend: "before the step".
    color : str
        Colour of law and histogram.
    dashed : bool
        Draw the law dashed.

    Returns
    -------
    matplotlib axes
    """
    ax = new_axes() if ax is None else ax
    room = ax.get_ylim()[1] if ax.has_data() else 0.0
    curves = density_curve(measure)
    top = max((_ceiling(x, rho) for x, rho in curves), default=0.0)
    if eigenvalues is not None:
        spectra = np.atleast_2d(_validate.real_array(eigenvalues, "eigenvalues"))
        for x, _ in curves:
            top = max(top, _histogram(ax, spectra, measure, x[0], x[-1], color))
        trials = f"{spectra.shape[0]} x " if spectra.shape[0] > 1 else ""
        ax.fill_between(
            [], [], [], color=color, alpha=0.3, label=f"{trials}{spectra.shape[1]} eigenvalues {stage}".strip()
        )
    for k, (x, rho) in enumerate(curves):
        ax.plot(
            x, rho, color=color, lw=1.6, ls="--" if dashed else "-", label=f"law {stage}".strip() if k == 0 else None
        )
    locations, weights = measure.atoms
    height = 1.1 * top if top > 0 else float(weights.max())
    if locations.size > 12:  # a discrete law of many atoms: bars of their mass
        ax.vlines(locations, 0, weights, color=color, lw=1)
        height = max(height, 1.1 * float(weights.max()))
    else:
        for location, weight in zip(locations, weights, strict=True):
            stem = weight if top == 0 else 0.92 * height
            ax.plot([location, location], [0, stem], color=color, lw=1.6, ls="--" if dashed else "-")
            ax.plot([location], [stem], "o", color=color, ms=5)
            ax.annotate(f"mass {weight:.3g}", (location, stem), (6, -2), textcoords="offset points", fontsize=8)
    ax.set_ylim(0, max(height, room))
    ends = measure.edges[np.isfinite(measure.edges)]
    ax.plot(ends, np.zeros(ends.size), "^", color=color, ms=5, clip_on=False, zorder=3, label=f"edges {stage}".strip())
    dress(ax, "eigenvalue", "density")
    if not ax.get_title():  # which law, and at which ratio
        name = repr(measure).removeprefix("<law of ").split(": bulks")[0]
        ax.set_title(textwrap.shorten(name, 75, placeholder=" ..."), fontsize=8, color=INK)
    ax.legend(frameon=False, fontsize=8)
    return ax


def _ceiling(x: Real, rho: Real) -> float:
    """A height that shows the curve: its maximum, unless it grows without bound towards an edge."""
    mass = np.abs(np.gradient(x)) * rho
    order = np.argsort(rho)
    usual = rho[order][np.searchsorted(np.cumsum(mass[order]), 0.85 * mass.sum())]
    return float(min(rho.max(), 2.0 * usual))


def _histogram(
    ax: Any, spectra: Real, measure: Measure, low: float, high: float, color: str, *, log: bool = False
) -> float:
    """Bars of the eigenvalues around [low, high], those on atoms left out, as a share of all; height of the tallest."""
    free = spectra[~np.isin(_empirical.snapped(spectra, measure.atoms.locations), measure.atoms.locations)]
    inside = int(np.count_nonzero((free >= low) & (free <= high)))
    bins = int(np.clip(np.sqrt(inside), 8, 70))
    # bars meet the edges of the bulk; one more on each side shows what lies just beyond
    places = np.arange(-1, bins + 2) / bins
    edges = low * (high / low) ** places if log else low + (high - low) * places
    counts, _ = np.histogram(free, edges)
    heights = counts / (spectra.size * np.diff(edges))
    ax.stairs(heights, edges, fill=True, color=color, alpha=0.3, lw=0)
    return float(heights.max())


def plot_comparison(comparison: Comparison, ax: Any = None) -> Any:
    """Draw empirical distribution minus law of every spectrum, with the band that size explains; returns the axes."""
    ax = new_axes() if ax is None else ax
    x = comparison.grid
    ax.axhspan(-comparison.limit, comparison.limit, color=GREY, alpha=0.2, lw=0, label="what size explains")
    for k, row in enumerate(comparison.deviations):
        ax.plot(x, row, color=BLUE, lw=0.6, alpha=0.6, label="one spectrum" if k == 0 else None)
    if comparison.trials > 1:
        ax.plot(x, comparison.deviations.mean(axis=0), color=INK, lw=1.4, label="mean")
    ax.axhline(0, color=INK, lw=0.6)
    dress(ax, "eigenvalue", "empirical distribution - law")
    ax.legend(frameon=False, fontsize=8)
    return ax


def plot_tails(stages: Sequence[Stage], ax: Any = None) -> Any:
    """Draw positive spectra on logarithmic axes: laws over histograms, and the outliers.

    Predicted outliers are stems with an open diamond; the ticks below are the measured eigenvalues outside the bulk.
    """
    from matplotlib.ticker import LogLocator

    ax = new_axes() if ax is None else ax
    ax.set(xscale="log", yscale="log")
    curves = [[(x, rho) for x, rho in density_curve(stage.law) if x[0] > 0] for stage in stages]
    floor = min(float(np.quantile(rho, 0.03)) for stage in curves for _, rho in stage)
    colors = STAGES if len(stages) > 1 else (BLUE,)
    for k, (stage, color) in enumerate(zip(stages, colors, strict=True)):
        for x, rho in curves[k]:
            _histogram(ax, stage.eigenvalues, stage.law, x[0], x[-1], color, log=True)
            ax.plot(x, rho, color=color, lw=1.6, ls="--" if k < len(stages) - 1 else "-")
        base = floor * 0.25 ** (len(stages) - k)
        beyond = stage.eigenvalues[stage.eigenvalues > stage.law.edges[-1]]
        ax.plot(beyond, np.full(beyond.size, base), "|", color=color, ms=9, mew=1)
        for outlier in stage.outliers:
            ax.plot([outlier.location] * 2, [base, 4 * floor], color=color, lw=1.2)
            ax.plot([outlier.location], [4 * floor], "D", mfc="white", mec=color, ms=5)
    ax.plot([], [], "-D", color=INK, mfc="white", ms=5, lw=1.2, label="outlier, predicted")
    ax.plot([], [], "|", color=INK, ms=9, label="outliers, measured")
    ax.set_ylim(bottom=floor * 0.25 ** (len(stages) + 0.5))
    ax.xaxis.set_major_locator(LogLocator(numticks=12))
    dress(ax, "eigenvalue, logarithmic", "density, logarithmic")
    ax.legend(frameon=False, fontsize=8)
    return ax


def plot_study(study: Study, figure: Any = None) -> Any:
    """Draw a study: laws over histograms; beside it the tails and outliers, or the deviations; returns the figure."""
    import matplotlib.pyplot as plt

    if figure is None:
        figure = plt.figure(figsize=(11.0, 4.3), layout="constrained")
    left, right = figure.subplots(1, 2)
    stages = study.stages
    colors = STAGES if len(stages) > 1 else (BLUE,)
    for k, (stage, color) in enumerate(zip(stages, colors, strict=True)):
        plot_measure(
            stage.law,
            left,
            eigenvalues=stage.eigenvalues,
            stage=stage.label,
            color=color,
            dashed=k < len(stages) - 1,
        )
    if any(stage.outliers for stage in stages) and all(stage.law.edges[0] >= 0 for stage in stages):
        plot_tails(stages, right)
    else:
        plot_comparison(stages[-1].comparison, right)
    found = stages[-1].comparison
    left.set_title(
        f"Kolmogorov distance {found.kolmogorov:.4f}; size explains {found.explained:.4f}", fontsize=9, color=INK
    )
    figure.suptitle(f"{study.model.title or study.model.name}\n{study.ratios}", fontsize=11)
    return figure


def plot_activation(name: str, x: Real, values: Real, expansions: dict[int, Real], energy: Real, ax: Any = None) -> Any:
    """Draw an activation with its truncated Hermite expansions, and its energy by degree.

    Parameters
    ----------
    name : str
        What the activation is called.
    x, values : ndarray, shape (n,)
        Points and values of the activation.
    expansions : dict
        Largest degree to the values of the truncated expansion, shape (n,).
    energy : ndarray, shape (orders,)
        ``c_k^2`` as a share of ``E sigma^2``.
    ax : matplotlib axes, or two of them, optional
        Where to draw; on a single one the energies are an inset. By default two on a new figure.

    Returns
    -------
    matplotlib axes
        The one with the activation.
    """
    if ax is None:
        import matplotlib.pyplot as plt

        ax = plt.subplots(1, 2, figsize=(9.0, 3.6), layout="constrained")[1]
    curve, bars = ax if np.size(ax) == 2 else (ax, ax.inset_axes([0.08, 0.68, 0.36, 0.27]))
    curve.plot(x, values, color=INK, lw=2.2, label=name)
    low, high = curve.get_ylim()
    for (degree, partial), color in zip(expansions.items(), (GREY, GREEN, ORANGE, BLUE), strict=False):
        curve.plot(x, partial, "--", color=color, lw=1.3, label=f"up to degree {degree}")
    margin = 0.25 * (high - low)  # the sums run away outside the Gaussian's reach
    curve.set_ylim(low - margin, high + margin)
    curve.axvspan(-1.96, 1.96, color=GREY, alpha=0.12, lw=0)
    dress(curve, "x (shaded: 95 % of the inputs)", "activation")
    curve.legend(frameon=False, fontsize=8, loc="best" if np.size(ax) == 2 else "lower right")
    bars.bar(np.arange(energy.size), energy, color=BLUE, width=0.7)
    bars.set_yscale("log")
    bars.set_ylim(1e-6, 2.0)
    dress(bars, "degree", "share of the energy")
    return curve


def plot_ridge_errors(errors: RidgeErrors, ax: Any = None) -> Any:
    """Draw train and test error over alpha, or over lam where only that varies; returns the axes.

    Other axes of the arrays become one curve each.
    """
    ax = new_axes() if ax is None else ax
    alpha, lam = np.atleast_1d(errors.alpha), np.atleast_1d(errors.lam)
    over_lam = np.ptp(alpha) == 0 and np.ptp(lam) > 0
    x = lam if over_lam else alpha
    axis = int(np.argmax([np.ptp(x, axis=k).max() for k in range(x.ndim)]))  # the one along which x varies

    def columns(values: Real) -> Real:
        return np.moveaxis(np.atleast_1d(values), axis, 0).reshape(x.shape[axis], -1)

    for name, values, color, style in (("test", errors.test, BLUE, "-"), ("train", errors.train, ORANGE, "--")):
        label = f"{name} error, predicted"
        lines = ax.plot(columns(x), columns(values), style, color=color, lw=1.6)
        lines[0].set_label(label)
    if over_lam:
        ax.set_xscale("log")
    dress(ax, "ridge lam" if over_lam else "alpha = n / d", "error")
    ax.set_ylim(bottom=0)
    fixed = f"n/d = {alpha.flat[0]:.4g}" if over_lam else f"lam = {lam.flat[0]:.4g}" if np.ptp(lam) == 0 else ""
    ax.set_title(", ".join(part for part in (textwrap.shorten(errors.title, 70), fixed) if part), fontsize=9, color=INK)
    ax.legend(frameon=False, fontsize=8)
    return ax


def plot_ridge_study(study: RidgeStudy, ax: Any = None) -> Any:
    """Draw the predicted curves and the measured points with their standard errors; returns the axes."""
    ax = plot_ridge_errors(study.curve, ax)
    for (name, sample), mark in zip(study.measured.items(), "os^v", strict=False):
        for kind, color in (("test", BLUE), ("train", ORANGE)):
            mean, error = getattr(sample, f"{kind}_mean")[:, 0], getattr(sample, f"{kind}_error")[:, 0]
            label = f"{kind} error, {name}"
            ax.errorbar(
                study.theory.alpha, mean, np.nan_to_num(error), fmt=mark, ms=4.5, color=color, mfc="white", capsize=2,
                lw=1, label=label,
            )  # fmt: skip
    ax.set_xlabel(f"alpha = {study.axis}")
    ax.set_title(f"{study.title}\np = {study.width}, lam = {study.lam:g}", fontsize=9)
    ax.legend(frameon=False, fontsize=8)
    return ax
