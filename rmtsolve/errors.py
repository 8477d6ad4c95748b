"""The errors that rmtsolve raises; each says what came, what is allowed and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .status import Status

if TYPE_CHECKING:
    from .equations.solution import Solution


class RMTError(Exception):
    """Base class of every error raised on purpose by rmtsolve."""


class DomainError(RMTError, ValueError):
    """An argument is outside its domain; raised before any computation starts."""


class ModelError(RMTError, ValueError):
    """A model file is missing, malformed or holds a wrong key or value."""


class ConvergenceError(RMTError, RuntimeError):
    """Some points could not be solved; `solution` holds the partial answer.

    Parameters
    ----------
    solution : Solution
        The whole answer, with the status of every point.
    context : str
        What was being solved, for instance ``"SampleCovariance(ratio=0.5)"``.
    """

    def __init__(self, solution: Solution, context: str = "") -> None:
        bad = np.asarray(solution.status) != Status.CONVERGED
        count, total = int(np.count_nonzero(bad)), bad.size
        first = Status(int(solution.status[bad][0])) if count else Status.CONVERGED
        where = f" of {context}" if context else ""
        z = complex(solution.z[bad][0]) if count else complex("nan")
        residual = float(solution.residual[bad][0]) if count else float("nan")
        super().__init__(
            f"{count} of {total} points{where} failed, first at z={z:.6g}: {first.message} "
            f"(residual {residual:.1e}); {first.remedy}. The partial solution is this error's .solution; "
            "solve returns it with throw=False"
        )
        self.solution = solution


class AccuracyWarning(UserWarning):
    """The answer is returned with a larger error bound than asked for; the bound is in the message."""
