"""A network or a data set -> its ridge errors over alpha, predicted and measured; saved and resumable as any study."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import time
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _validate
from ._study_file import SAVE_EVERY, fingerprint, plain, save, saved_replicas
from .models.reader import Model, load_model
from .networks.ridge_result import RidgeErrors
from .ridge_problems import Problem, Task, data_problem, model_problem
from .simulate.replicas import Interrupted, Workers, check_workers, replicas
from .simulate.ridge import RidgeSample, ridge_sample

Real = NDArray[np.float64]

CURVE = 120  # points of the drawn curve


@dataclasses.dataclass(frozen=True, eq=False)
class RidgeStudy:
    """What `run_ridge_study` found.

    Parameters
    ----------
    name, title : str
        What was studied.
    width : int
        Number of features p.
    axis : str
        What alpha is: ``"n / d"`` for networks, ``"n / p"`` for data.
    lam : float
        The ridge.
    theory : RidgeErrors
        Predicted at every alpha, at the finite width and ratios of the simulation.
    curve : RidgeErrors
        The same on a fine grid, to draw.
    measured : dict of str to RidgeSample
        ``"trained network"`` and ``"equivalent features"``; ``"deep network"``; ``"random splits"`` of a data set.
    seconds : dict of float
        Time spent on ``"theory"`` and on ``"simulation"``.
    reused : int
        Replicas that were taken from the saved file of an earlier run.
    """

    name: str
    title: str
    width: int
    axis: str
    lam: float
    theory: RidgeErrors
    curve: RidgeErrors
    measured: dict[str, RidgeSample]
    seconds: dict[str, float]
    reused: int

    def rows(self) -> list[dict[str, float]]:
        """One row an alpha: predicted errors and, for everything measured, mean, standard error and z-score."""
        table = []
        for i, alpha in enumerate(self.theory.alpha):
            row = {"alpha": float(alpha), "lam": self.lam}
            for kind in ("train", "test"):
                predicted = float(getattr(self.theory, kind)[i])
                row[f"{kind} predicted"] = predicted
                for name, sample in self.measured.items():
                    mean = float(getattr(sample, f"{kind}_mean")[i, 0])
                    error = float(getattr(sample, f"{kind}_error")[i, 0])
                    row[f"{kind} {name}"] = mean
                    row[f"{kind} {name} error"] = error
                    row[f"{kind} {name} z"] = (mean - predicted) / error if error > 0 else float("nan")
            table.append(row)
        return table

    def __str__(self) -> str:
        trials = self.measured and next(iter(self.measured.values())).test.shape[0]
        lines = [f"{self.name}: {self.title}" if self.name not in self.title else self.title]
        lines.append(f"ridge errors at width p = {self.width}, lam = {self.lam:g}, {trials} replicas")
        for kind in ("train", "test"):
            lines += ["", f"{kind} error", f"{self.axis:>12s}{'predicted':>12s}"]
            lines[-1] += "".join(f"   {name:<34s}" for name in self.measured)
            for row in self.rows():
                line = f"{row['alpha']:12.4g}{row[f'{kind} predicted']:12.6f}"
                for name in self.measured:
                    mean, error, z = (row[f"{kind} {name}{end}"] for end in ("", " error", " z"))
                    line += f"   {f'{mean:.6f} +- {error:.2g} ({z:+.1f} standard errors)':<34s}"
                lines.append(line.rstrip())
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values that JSON has."""
        found: dict[str, Any] = {"name": self.name, "title": self.title, "width": self.width, "axis": self.axis}
        found |= {"lam": self.lam, "rows": self.rows(), "parts": self.theory.parts}
        found |= {"seconds": self.seconds, "reused": self.reused}
        return {key: plain(value) for key, value in found.items()}

    def to_csv(self) -> str:
        """The rows as comma-separated values."""
        rows = self.rows()
        lines = [",".join(rows[0]), *(",".join(repr(value) for value in row.values()) for row in rows)]
        return "\n".join(lines) + "\n"

    def plot(self, ax: Any = None) -> Any:
        """Draw the predicted curves with the measured points and their standard errors; returns the axes."""
        from .plotting import plot_ridge_study

        return plot_ridge_study(self, ax)


def run_ridge_study(
    model: Model | str | pathlib.Path,
    alpha: ArrayLike,
    lam: float,
    *,
    workers: Workers = 1,
    progress: bool = False,
    folder: str | pathlib.Path | None = None,
) -> RidgeStudy:
    """Ridge errors of a model over the sample ratio, predicted, and measured on finite networks.

    Parameters
    ----------
    model : Model, str or path
        A model whose kind has labels (one-step or deep networks), the name of a shipped one, or a model file.
    alpha : array_like of float, shape (A,)
        ``n / d`` > 0.
    lam : float
        Ridge > 0 of the readout ``a = (Phi^T Phi / p + lam)^-1 Phi^T y / sqrt p``.
    workers, progress
        As in `simulate_spectrum`.
    folder : str or path, optional
        Where ``<name>-ridge.json`` is kept, also while the replicas are computed; they are reused as by `run_study`.

    Returns
    -------
    RidgeStudy

    Raises
    ------
    DomainError, ModelError
        The model is wrong or has no labels, an argument is out of range, or a file is in the way.
    ConvergenceError
        The theory could not be solved.
    Interrupted
        Ctrl-C; the finished replicas are in `folder`.

    Examples
    --------
    >>> import dataclasses
    >>> small = dataclasses.replace(load_model("one-step-tanh"), size=60, trials=2)
    >>> run_ridge_study(small, alpha=[0.5, 2.0], lam=0.1).theory.test.round(3)
    array([0.175, 0.14 ])
    """
    problem = model_problem(model if isinstance(model, Model) else load_model(model))
    return _run(problem, alpha, lam, workers, progress, folder)


def run_data_study(
    path: str | pathlib.Path,
    alpha: ArrayLike,
    lam: float,
    *,
    activation: str | None = None,
    width: int | None = None,
    trials: int = 10,
    seed: int = 0,
    workers: Workers = 1,
    progress: bool = False,
    folder: str | pathlib.Path | None = None,
) -> RidgeStudy:
    """Learning curve of ridge regression on a data set, predicted from its covariances and measured on random splits.

    Parameters
    ----------
    path : str or path
        An ``.npz`` file with arrays ``X`` (N, d) and ``y`` (N,) or (N, k); it is never unpickled.
    alpha : array_like of float, shape (A,)
        ``n / p``: training rows over features.
    lam : float
        Ridge > 0 added to ``Phi^T Phi / p``; an intercept is fitted.
    activation, width
        Both or neither: regression on so many random features ``sigma(W x)`` in place of the columns.
    trials, seed : int
        Random splits into training and test rows, and the seed of weights and splits.
    workers, progress, folder
        As in `run_ridge_study`.

    Returns
    -------
    RidgeStudy

    Raises
    ------
    DomainError, ModelError
        An argument is out of range, the file is wrong, or there are not enough rows.
    Interrupted
        Ctrl-C; the finished splits are in `folder`.
    """
    _validate.integer(trials, "trials", low=1)
    _validate.integer(seed, "seed", low=0)
    problem = data_problem(path, activation=activation, width=width, trials=trials, seed=seed)
    return _run(problem, alpha, lam, workers, progress, folder)


def _run(
    problem: Problem, alpha: ArrayLike, lam: float, workers: Workers, progress: bool, folder: str | pathlib.Path | None
) -> RidgeStudy:
    check_workers(workers)
    grid = np.atleast_1d(_validate.real_array(alpha, "alpha", low=0.0, open_low=True)).ravel()
    ridge = _validate.positive(lam, "lam")
    tasks = problem.tasks(grid, ridge)
    shape = (len(tasks), 2, grid.size)
    digest = fingerprint("ridge", problem.identity, problem.seed, grid.tolist(), ridge)
    path = None if folder is None else pathlib.Path(folder) / f"{problem.name}-ridge.json"
    finished = saved_replicas(path, digest, shape)[: problem.trials]
    reused = len(finished)

    started = time.perf_counter()
    theory = problem.theory(grid, ridge)
    fine = np.geomspace(grid.min(), grid.max(), CURVE if grid.min() < grid.max() else 1)
    curve = problem.theory(fine, ridge)
    solved = time.perf_counter()
    seeds = np.random.SeedSequence(problem.seed).spawn(problem.trials)[reused:]
    task = functools.partial(_replica, list(tasks.values()))
    about = {"name": problem.name}
    saved = solved
    try:
        generators = [np.random.default_rng(seed) for seed in seeds]
        for table in replicas(task, generators, workers=workers, progress=problem.name if progress else ""):
            finished.append(table)
            if time.perf_counter() - saved > SAVE_EVERY:
                save(path, digest, finished, about, complete=False)
                saved = time.perf_counter()
    except KeyboardInterrupt as stop:
        raise Interrupted(_validate.read_only(np.array(finished).reshape(-1, *shape)), problem.trials) from stop
    finally:
        if len(finished) > reused:
            save(path, digest, finished, about, complete=False)
    seconds = {"theory": solved - started, "simulation": time.perf_counter() - solved}
    lams = np.array([ridge])
    measured = {
        name: ridge_sample(grid, lams, [table[k][:, :, None] for table in finished]) for k, name in enumerate(tasks)
    }
    study = RidgeStudy(
        problem.name, problem.title, problem.width, problem.axis, ridge, theory, curve, measured, seconds, reused
    )
    save(path, digest, finished, study.to_dict(), complete=True)
    return study


def _replica(tasks: list[Task], rng: np.random.Generator) -> Real:
    """Every task once, each with a generator of its own: shape (tasks, 2, A)."""
    return np.array([task(one) for task, one in zip(tasks, rng.spawn(len(tasks)), strict=True)])
