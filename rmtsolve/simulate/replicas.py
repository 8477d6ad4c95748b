"""Independent replicas of one computation: spawned seeds, any kind of workers, progress, and Ctrl-C that loses nothing.

Every replica gets its own child of the seed sequence and replicas come back in order, so the numbers do not depend on
`workers` (up to the rounding of the linear algebra, when its threads differ) and a run can be resumed where it stopped.
"""

from __future__ import annotations

import functools
import operator
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _validate

Real = NDArray[np.float64]
Workers = int | Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]


class Interrupted(KeyboardInterrupt):
    """Ctrl-C while replicas were computed.

    Parameters
    ----------
    eigenvalues : ndarray of float, shape (finished, size)
        The replicas that were finished, in order: the first rows of what the whole run would have returned.
    trials : int
        How many replicas were asked for.
    """

    def __init__(self, eigenvalues: Real, trials: int) -> None:
        super().__init__(f"{len(eigenvalues)} of {trials} replicas finished; they are in this exception's .eigenvalues")
        self.eigenvalues = eigenvalues
        self.trials = trials


def replicas(
    task: Callable[[np.random.Generator], Any],
    generators: Sequence[np.random.Generator],
    *,
    workers: Workers = 1,
    progress: str = "",
) -> Iterator[Any]:
    """Yield ``task(generator)`` for each generator, in order, as they become ready.

    Parameters
    ----------
    task : callable
        Must be picklable when `workers` uses other processes.
    generators : sequence of numpy.random.Generator
        One independent generator for each replica.
    workers : int or map-like callable
        1: in this process. More: `joblib.Parallel` with so many jobs, hence any backend chosen by
        `joblib.parallel_config` (``"dask"`` included); its processes share the cores between their BLAS threads.
        A callable is used as ``workers(task, generators)``, like `map` or ``multiprocessing.Pool.imap``.
    progress : str
        When not empty, a progress bar of this title on standard error.

    Raises
    ------
    DomainError
        `workers` is neither an integer >= 1 nor callable.
    """
    check_workers(workers)
    if callable(workers):
        results: Iterable[Any] = workers(task, generators)
    elif workers == 1 or len(generators) < 2:
        results = map(task, generators)
    else:
        from joblib import Parallel, delayed

        jobs = min(operator.index(workers), len(generators))
        work = functools.partial(_uninterrupted, task, os.getpid())
        results = Parallel(n_jobs=jobs, return_as="generator")(delayed(work)(one) for one in generators)
    if progress and generators:
        from tqdm import tqdm

        results = tqdm(results, desc=progress, total=len(generators), unit="replica", leave=False)
    yield from results


def _uninterrupted(task: Callable[[np.random.Generator], Any], parent: int, generator: np.random.Generator) -> Any:
    """Run the task; a process of its own leaves Ctrl-C to its parent, which knows what is finished."""
    if os.getpid() != parent and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    return task(generator)


def check_workers(workers: Any) -> None:
    """Refuse what is neither a number of processes nor a map-like callable."""
    if not callable(workers):
        _validate.integer(workers, "workers", low=1, remedy="or pass a map-like callable: workers(function, iterable)")


def spawn(rng: np.random.Generator, trials: int) -> list[np.random.Generator]:
    """Independent generators, one for each replica; each call gives new ones."""
    try:
        return list(_validate.generator(rng).spawn(trials))
    except TypeError:
        _validate.fail("rng", "a generator whose seed sequence can spawn", rng, "write rng=np.random.default_rng(seed)")
