"""What a ridge study needs to know of a network, of deep features, or of a data set: how to predict, how to measure."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import _validate
from .models.reader import Model
from .networks.ridge_result import RidgeErrors
from .simulate.data_ridge import simulate_data_ridge
from .simulate.deep_ridge import simulate_deep_ridge
from .simulate.network import network_sizes
from .simulate.ridge import ridge_task
from .study import finite_network

Real = NDArray[np.float64]
Task = Callable[[np.random.Generator], Real]


class Problem(NamedTuple):
    """A regression to be predicted and measured over the sample ratio.

    `theory` maps ratios and a ridge to errors at the finite size; `tasks` maps them to what is measured, each a
    picklable function of a generator that returns train and test errors, shape (2, ratios).
    """

    name: str
    title: str
    width: int
    trials: int
    seed: int
    axis: str  # what the ratio is
    identity: Any  # plain values that decide the numbers, for the saved file
    theory: Callable[[Real, float], RidgeErrors]
    tasks: Callable[[Real, float], dict[str, Task]]


def model_problem(model: Model) -> Problem:
    """The problem of a model file; only kinds with labels have one."""
    kinds = {"one-step": (_network_theory, _network_tasks), "deep-features": (_deep_theory, _deep_tasks)}
    if model.kind not in kinds:
        _validate.fail("model", "of a kind with labels, one-step or deep-features", model.kind)
    if model.kind == "deep-features" and "target" not in model.parameters:
        _validate.fail("model", "one with a target in its [parameters], for ridge errors", model.name)
    theory, tasks = kinds[model.kind]
    return Problem(
        model.name, model.title or model.kind, model.size, model.trials, model.seed, "n / d",
        [model.kind, model.parameters, model.size], functools.partial(theory, model), functools.partial(tasks, model),
    )  # fmt: skip


def data_problem(
    path: str | pathlib.Path, *, activation: str | None, width: int | None, trials: int, seed: int
) -> Problem:
    """The problem of a data set: ridge on its columns, or on random features of them.

    Parameters
    ----------
    path : str or path
        An ``.npz`` file with arrays ``X`` (N, d) and ``y`` (N,) or (N, k).
    activation : str, optional
        With `width`: regression on so many random features instead of the columns.
    width : int, optional
        Number of random features.
    trials, seed : int
        Random splits into training and test rows, and the seed of weights and splits.
    """
    from .networks.data_ridge import load_data, random_features

    x, y = load_data(path)
    if (activation is None) != (width is None):
        _validate.fail("width", "given together with activation", width)
    name, what = pathlib.Path(path).stem, "ridge on the columns"
    if activation is not None and width is not None:
        weights = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0,)))
        x, what = random_features(x, activation, width, weights), f"ridge on random features, {activation}"
    digest = hashlib.sha256(x.tobytes() + y.tobytes()).hexdigest()
    return Problem(
        name, f"{name}: {what}, {x.shape[0]} rows", x.shape[1], trials, seed, "n / p", ["data", digest],
        functools.partial(_data_theory, x, y), functools.partial(_data_tasks, x, y),
    )  # fmt: skip


# ---------------------------------------------------------------------- a network after one step
def _network_theory(model: Model, alpha: Real, lam: float) -> RidgeErrors:
    dimension = network_sizes(model.ensemble, model.size, float(alpha.max())).dimension
    errors: RidgeErrors = finite_network(model).ridge_errors(_whole(alpha, dimension), lam, p=model.size)
    return errors


def _network_tasks(model: Model, alpha: Real, lam: float) -> dict[str, Task]:
    """The network, really trained, and the features it is equivalent to."""
    network, lams = model.ensemble, np.array([lam])
    features = network.features(float(alpha.max()))
    labels = {"target": network.target, "alignment": network.equivalent().alignment, "noise": network.noise}
    tasks = {
        "trained network": ridge_task(network, model.size, alpha, lams),
        "equivalent features": ridge_task(features, model.size, alpha, lams, **labels),
    }
    return {name: functools.partial(_first_lam, task) for name, task in tasks.items()}


def _first_lam(task: Task, rng: np.random.Generator) -> Real:
    return task(rng)[:, :, 0]


# ---------------------------------------------------------------------- deep features
def _deep_theory(model: Model, alpha: Real, lam: float) -> RidgeErrors:
    from .networks.deep_ridge import deep_ridge_errors

    finite = model.ensemble.finite(model.size)
    noise = model.parameters.get("noise", 0.0)
    ratios = _whole(alpha, model.ensemble.sizes(model.size)[0])
    return deep_ridge_errors(finite, model.parameters["target"], lam=lam, alpha=ratios, noise=noise)


def _deep_tasks(model: Model, alpha: Real, lam: float) -> dict[str, Task]:
    networks = [dataclasses.replace(model.ensemble, alpha=float(ratio)) for ratio in alpha]
    noise = model.parameters.get("noise", 0.0)
    return {
        "deep network": functools.partial(_deep_replica, networks, model.parameters["target"], model.size, lam, noise)
    }


def _deep_replica(
    networks: list[Any], target: str, size: int, lam: float, noise: float, rng: np.random.Generator
) -> Real:
    runs = [simulate_deep_ridge(one, target, size, [lam], 1, rng, noise=noise) for one in networks]
    return np.array([[run.train[0, 0, 0] for run in runs], [run.test[0, 0, 0] for run in runs]])


# ---------------------------------------------------------------------- a data set
def _data_theory(x: Real, y: Real, alpha: Real, lam: float) -> RidgeErrors:
    from .networks.data_ridge import data_ridge_errors

    return data_ridge_errors(x, y, _rows(x, alpha), lam)


def _data_tasks(x: Real, y: Real, alpha: Real, lam: float) -> dict[str, Task]:
    return {"random splits": functools.partial(_data_replica, x, y, _rows(x, alpha), lam)}


def _data_replica(x: Real, y: Real, rows: Real, lam: float, rng: np.random.Generator) -> Real:
    run = simulate_data_ridge(x, y, rows, [lam], 1, rng)
    return np.array([run.train[0, :, 0], run.test[0, :, 0]])


def _rows(x: Real, alpha: Real) -> Real:
    """Training rows at ratios n / p; at least two, and one row is left to test on."""
    rows = np.round(alpha * x.shape[1])
    if rows.max() > x.shape[0] - 1:
        largest = (x.shape[0] - 1) / x.shape[1]
        _validate.fail("alpha", f"at most {largest:.4g} = (rows - 1) / p for this data set", float(alpha.max()))
    return np.asarray(np.maximum(2.0, rows))


def _whole(alpha: Real, dimension: int) -> Real:
    """The ratios of whole numbers of samples."""
    return np.asarray(np.maximum(1, np.round(alpha * dimension)) / dimension)
