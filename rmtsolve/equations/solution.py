"""Solution: what came out of a solve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..status import Status
from .law import SolvedMeasure as SolvedMeasure

if TYPE_CHECKING:
    from .base import Equation
    from .certificate import Certificate

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]


@dataclass(frozen=True, eq=False)
class Solution:
    """The answer of `solve` at every point; arrays are read-only and have the shape of `z`.

    Parameters
    ----------
    equation : Equation
        What was solved.
    z, m : ndarray of complex
        Points and Stieltjes transform.
    state : ndarray of complex, shape (*z.shape, *equation.shape)
        The unknown of the equation.
    status, n_steps : ndarray of int
        Codes of `Status` and evaluations of the map.
    residual, error_bound : ndarray of float
        Relative residual of the equation and bound on ``|m - m_true|`` (nan where none is known); with `HighPrecision`
        both speak of `precise_m`.
    method : str
        What was done, in words.
    notes : tuple of str
        Why the answer can be trusted, or not; sentences.
    precise_m, precise_state : ndarray of mpmath numbers, or None
        With `HighPrecision`: the answer to all digits.
    """

    equation: Equation
    z: Complex
    m: Complex
    state: Complex
    status: NDArray[np.int64]
    n_steps: NDArray[np.int64]
    residual: Real
    error_bound: Real
    method: str
    notes: tuple[str, ...] = ()
    precise_m: NDArray[Any] | None = None
    precise_state: NDArray[Any] | None = None

    @property
    def ok(self) -> bool:
        """Whether every point converged to the physical branch."""
        return bool(np.all(self.status == Status.CONVERGED))

    def __repr__(self) -> str:
        good = int(np.count_nonzero(self.status == Status.CONVERGED))
        name = self.equation.name or "equation"
        return f"Solution({name}: {good} of {self.status.size} points converged, {self.method})"

    def certificate(self) -> Certificate:
        """Everything that can be checked about this answer, computed afresh from the equation."""
        from .certificate import certify_numbers

        return certify_numbers(self.equation, self.z, self.state, is_state=True)

    def explain(self) -> str:
        """What was done and how sure the answer is, in words."""
        total = self.status.size
        name = self.equation.name or f"an equation with state of shape {self.equation.shape}"
        if total == 0:
            return f"Nothing to solve: no points were given for {name}."
        good = self.status == Status.CONVERGED
        lines = [f"Solved {name} at {total} point{'s' * (total != 1)}: {self.method}."]
        lines.append(
            f"{np.count_nonzero(good)} of {total} converged to the physical branch; evaluations of the map: median "
            f"{np.median(self.n_steps):.0f}, most {int(self.n_steps.max())}."
        )
        lines += [f"{note[0].upper()}{note[1:]}." for note in self.notes]
        if good.any():
            lines.append(f"Largest relative residual of the converged points: {self.residual[good].max():.1e}.")
            bounds = self.error_bound[good]
            known = np.isfinite(bounds)
            if known.any():
                lines.append(
                    f"Error bound on m: at most {bounds[known].max():.1e} at {np.count_nonzero(known)} points"
                    + (f", none known at {np.count_nonzero(~known)}." if not known.all() else ".")
                )
            else:
                lines.append("No error bound on m is known.")
        for code in np.unique(self.status[~good]):
            member = Status(int(code))
            where = self.z[self.status == code]
            lines.append(
                f"{where.size} point{'s' * (where.size != 1)}, first z = {complex(where.flat[0]):.6g}: "
                f"{member.message}; {member.remedy}."
            )
        return "\n".join(lines)
