"""A model file -> theory + simulation + comparison, saved and resumable."""

from __future__ import annotations

import dataclasses
import math
import pathlib
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _validate
from ._study_file import SAVE_EVERY, fingerprint, plain, save, saved_replicas
from .comparison import Comparison, compare
from .ensembles.base import Outlier
from .ensembles.counts import apportion
from .measures.base import Measure
from .models.reader import Model, load_model
from .plotting import density_curve
from .simulate.network import network_sizes
from .simulate.replicas import Interrupted, Workers, check_workers, replicas
from .simulate.spectrum import spectrum_task

Real = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class Stage:
    """One spectrum of a study: the law and the eigenvalues; a network has one before and one after its step.

    Parameters
    ----------
    label : str
        ``"before the step"``, ``"after the step"``, or empty where there is only one.
    law : Measure
        The limiting law at the ratios that the finite matrices have.
    outliers : tuple of Outlier
        Predicted at this size.
    eigenvalues : ndarray of float, shape (trials, size)
        One spectrum a row.
    comparison : Comparison
        The one held against the other.
    """

    label: str
    law: Measure
    outliers: tuple[Outlier, ...]
    eigenvalues: Real
    comparison: Comparison


@dataclasses.dataclass(frozen=True, eq=False)
class Study:
    """What `run_study` found.

    Parameters
    ----------
    model : Model
        What was studied.
    stages : tuple of Stage
        One, or two for a network.
    seconds : dict of float
        Time spent on ``"theory"`` and on ``"simulation"``.
    reused : int
        Replicas that were taken from the saved file of an earlier run.
    """

    model: Model
    stages: tuple[Stage, ...]
    seconds: dict[str, float]
    reused: int

    @property
    def ratios(self) -> str:
        """Size and aspect ratios of the finite matrices, in words."""
        ensemble = finite_ensembles(self.model)[-1][1]
        found = [f"p = {self.model.size}"]
        if hasattr(ensemble, "ratio"):
            found.append(f"p/n = {ensemble.ratio:.4g}")
        if hasattr(ensemble, "alpha") and hasattr(ensemble, "beta"):
            found += [f"p/n = {ensemble.beta / ensemble.alpha:.4g}", f"p/d = {ensemble.beta:.4g}"]
        return ", ".join(found)

    def __str__(self) -> str:
        parts = [f"{self.model.name}: {self.model.title or self.model.kind} ({self.ratios})"]
        for stage in self.stages:
            parts.append((f"-- {stage.label} --\n" if stage.label else "") + str(stage.comparison))
        return "\n\n".join(parts + ([self.caveat] if self.caveat else []))

    @property
    def caveat(self) -> str:
        """What the finite batch of a network explains where measurement and law differ after its step, or ``""``."""
        if self.model.kind != "one-step" or self.stages[-1].comparison.agrees:
            return ""
        network = self.model.ensemble
        curvature = math.sqrt(2.0) * float(network.activation.coefficients(2)[2])
        odd = abs(curvature) <= 1e-9 * math.sqrt(network.activation.energy())
        order, why = ("d/n0", "") if odd else ("(d/n0)^(1/2)", f", since E sigma'' = {curvature:.3g} is not zero")
        return (
            f"The law after the step is that of a large batch. Here n0/d = {network.batch_ratio:.4g}, which moves the "
            f"bulk by O({order}){why}; a larger batch_ratio brings the two together."
        )

    def to_dict(self) -> dict[str, Any]:
        """Model, predictions, comparisons and times as plain values that JSON has."""
        stages = [_summary(stage) for stage in self.stages]
        found = {
            "model": _about(self.model),
            "stages": stages,
            "caveat": self.caveat,
            "seconds": self.seconds,
            "reused": self.reused,
        }
        return {key: plain(value) for key, value in found.items()}

    def plot(self, figure: Any = None) -> Any:
        """Draw laws over histograms, linear and logarithmic, with the outliers; returns the figure."""
        from .plotting import plot_study

        return plot_study(self, figure)


def run_study(
    model: Model | str | pathlib.Path,
    *,
    workers: Workers = 1,
    progress: bool = False,
    folder: str | pathlib.Path | None = None,
) -> Study:
    """Theory and simulation of a model, and the comparison of the two.

    Parameters
    ----------
    model : Model, str or path
        A model, the name of a shipped one, or a model file.
    workers : int or map-like callable
        As in `simulate_spectrum`; the numbers do not depend on it.
    progress : bool
        Show a progress bar on standard error.
    folder : str or path, optional
        Where ``<name>.json`` is kept, also while the replicas are computed. Replicas found there are reused when
        model, size, seed and version are the same: an interrupted run continues, and `trials` can be raised.

    Returns
    -------
    Study

    Raises
    ------
    DomainError, ModelError
        The model is wrong, too large for memory, or the file to be written exists and is something else.
    ConvergenceError
        The theory could not be solved.
    Interrupted
        Ctrl-C; the finished replicas are in `folder`.

    Examples
    --------
    >>> import dataclasses
    >>> study = run_study(dataclasses.replace(load_model("marchenko-pastur"), size=100, trials=2))
    >>> study.stages[0].comparison.agrees
    True
    """
    model = model if isinstance(model, Model) else load_model(model)
    check_workers(workers)
    alpha = model.parameters["alpha"] if model.kind == "one-step" else None
    task = spectrum_task(model.ensemble, model.size, alpha, before=True)
    shape = (1 if alpha is None else 2, model.size)
    digest = fingerprint(model.kind, model.parameters, model.size, model.seed)
    path = None if folder is None else pathlib.Path(folder) / f"{model.name}.json"
    finished = saved_replicas(path, digest, shape)[: model.trials]
    reused = len(finished)

    predict = _in_background(lambda: _predictions(model))
    started = saved = time.perf_counter()
    seeds = np.random.SeedSequence(model.seed).spawn(model.trials)[reused:]
    _validate.memory(8.0 * model.trials * math.prod(shape), "trials", model.trials)
    generators = [np.random.default_rng(seed) for seed in seeds]
    try:
        for spectra in replicas(task, generators, workers=workers, progress=model.name if progress else ""):
            finished.append(np.reshape(spectra, shape))
            if time.perf_counter() - saved > SAVE_EVERY:
                save(path, digest, finished, {"model": _about(model)}, complete=False)
                saved = time.perf_counter()
    except KeyboardInterrupt as stop:
        rows = np.array(finished).reshape(-1, *shape)
        raise Interrupted(_validate.read_only(rows), model.trials) from stop
    finally:
        if len(finished) > reused:
            save(path, digest, finished, {"model": _about(model)}, complete=False)
    simulated = time.perf_counter()
    theory, solved = predict()
    seconds = {"theory": solved, "simulation": simulated - started}

    eigenvalues = _validate.read_only(np.array(finished))
    stages = tuple(
        Stage(label, law, outliers, eigenvalues[:, k], compare(law, eigenvalues[:, k], outliers))
        for k, (label, law, outliers) in enumerate(theory)
    )
    study = Study(model, stages, seconds, reused)
    save(path, digest, finished, study.to_dict(), complete=True)
    return study


def _predictions(model: Model) -> list[tuple[str, Measure, tuple[Outlier, ...]]]:
    """Label, law and outliers of every stage; the edges too, so that all kernels are compiled here."""
    found = [(label, one.law(), one.outliers(p=model.size)) for label, one in finite_ensembles(model)]
    for _, law, _ in found:
        density_curve(law)
    return found


def _in_background(function: Callable[[], Any]) -> Callable[[], tuple[Any, float]]:
    """Start a computation beside the simulation; what comes back waits for its value and the seconds it took.

    A first run spends most of its time in the compiler, and on one core only.
    """
    outcome: list[Any] = []

    def work() -> None:
        started = time.perf_counter()
        try:
            outcome.extend([function(), time.perf_counter() - started])
        except BaseException as error:  # raised again where the value is asked for
            outcome.append(error)

    thread = threading.Thread(target=work, daemon=True)  # an interrupted study does not wait for it
    thread.start()

    def result() -> tuple[Any, float]:
        thread.join()
        if isinstance(outcome[0], BaseException):
            raise outcome[0]
        return outcome[0], outcome[1]

    return result


def limit_ensemble(model: Model) -> Any:
    """The ensemble whose law the model has in the limit of large matrices; for a network, after its step."""
    return model.ensemble.features(model.parameters["alpha"]) if model.kind == "one-step" else model.ensemble


def finite_ensembles(model: Model) -> list[tuple[str, Any]]:
    """Label and ensemble of every stage, at the ratios and counts that matrices of this size really have.

    Rounding ``n`` or the multiplicity of a population atom moves the law by O(1/size), as much as the rigidity of the
    spectrum allows; so the law is taken after rounding.
    """
    ensemble = model.ensemble
    if model.kind != "one-step":
        return [("", ensemble.finite(model.size) if hasattr(ensemble, "finite") else ensemble)]
    _, d, n, _ = network_sizes(ensemble, model.size, model.parameters["alpha"])
    network = finite_network(model)
    return [("before the step", network.features_before(n / d)), ("after the step", network.features(n / d))]


def finite_network(model: Model) -> Any:
    """The network of a model at the ratios and class counts that it has at this size."""
    network = model.ensemble
    p, d, _, batch = network_sizes(network, model.size, 1.0)
    counts = apportion(network.fractions, p)
    kept = counts > 0
    return dataclasses.replace(
        network, width_ratio=p / d, batch_ratio=batch / d, readout=network.readout[kept], fractions=counts[kept] / p
    )


# ---------------------------------------------------------------------- what is saved
def _about(model: Model) -> dict[str, Any]:
    return {f.name: getattr(model, f.name) for f in dataclasses.fields(model) if f.name != "ensemble"}


def _summary(stage: Stage) -> dict[str, Any]:
    return {
        "label": stage.label,
        "edges": stage.law.edges,
        "atoms": stage.law.atoms._asdict(),
        "density": [{"x": x, "rho": rho} for x, rho in density_curve(stage.law)],
        "outliers": [vars(outlier) for outlier in stage.outliers],
        "comparison": stage.comparison.to_dict(),
    }
