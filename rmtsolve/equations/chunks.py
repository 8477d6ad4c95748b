"""Long compiled sweeps in chunks, which threads share when it pays."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

_POINTS = 256  # of a chunk: each starts cold, whoever computes it, so that the numbers don't depend on the threads
_PAYS = 0.1  # seconds of work that are worth starting threads


def in_chunks(run: Callable[[slice], None], n_points: int) -> None:
    """Call ``run(part)`` for slices that cover the points in order; `run` fills arrays and releases the GIL.

    The time of the first chunk tells whether threads would pay. There are as many as Numba's kernels may use
    (``numba.set_num_threads``, ``NUMBA_NUM_THREADS``).
    """
    parts = [slice(i, min(i + _POINTS, n_points)) for i in range(0, n_points, _POINTS)]
    if not parts:
        return
    begin = perf_counter()
    run(parts[0])
    spent = (perf_counter() - begin) * (len(parts) - 1)
    threads = min(_threads(), len(parts) - 1) if spent > _PAYS else 1
    if threads < 2:
        for part in parts[1:]:
            run(part)
        return
    from joblib import Parallel, delayed

    Parallel(n_jobs=threads, prefer="threads", require="sharedmem")(delayed(run)(part) for part in parts[1:])


def _threads() -> int:
    from .._kernels import _jit

    return _jit.threads()
