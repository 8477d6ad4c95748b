"""The stopwatch that every benchmark shares."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def best_time(call: Callable[[], Any], repeat: int = 5, budget: float = 2.0) -> float:
    """Best wall time of `call` in seconds, after one warm-up call; stops early when `budget` seconds are spent."""
    call()
    best, spent = float("inf"), 0.0
    for _ in range(repeat):
        begin = time.perf_counter()
        call()
        taken = time.perf_counter() - begin
        best, spent = min(best, taken), spent + taken
        if spent > budget:
            break
    return best


def row(
    problem: str, method: str, seconds: float, points: int, *, accuracy: float, steps: float = float("nan"),
    baseline: float | None = None, note: str = "",
) -> dict[str, Any]:  # fmt: skip
    """One line of the table; `baseline` is our own time in seconds for the same problem, `ratio` what we gain."""
    return {
        "problem": problem,
        "method": method,
        "accuracy": accuracy,
        "steps": steps,
        "ns_per_point": 1e9 * seconds / points,
        "ratio": float("nan") if baseline is None else seconds / baseline,
        "note": note,
    }
