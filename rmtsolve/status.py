"""Status of one solved point: the code that kernels return and the words that people read."""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """Outcome of the solve at one point `z`; `message` says what happened, `remedy` what to do next.

    Examples
    --------
    >>> Status(0).message
    'converged'
    """

    message: str
    remedy: str

    CONVERGED = 0, "converged", ""
    MAX_STEPS = 1, "step limit reached", "raise max_steps, or move z away from the real axis"
    LEFT_DOMAIN = 2, "an iterate left the upper half-plane", "check the map, its parameters and the start"
    NOT_FINITE = 3, "the map returned nan or inf", "check the map and its parameters at this z"
    STALLED = 4, "the residual stopped decreasing above the tolerance", "use Continuation() or HighPrecision()"
    WRONG_BRANCH = 5, "the solution found is not the physical one", "use Continuation()"
    NOT_CERTIFIED = 6, "converged, but the physical branch could not be proved", "confirm with Continuation()"
    SINGULAR = 7, "the Jacobian is singular here (an edge, a cusp or an atom)", "move z away from the singular point"

    def __new__(cls, code: int, message: str = "", remedy: str = "") -> Status:
        """Build the member with its integer value and its words."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.message = message
        member.remedy = remedy
        return member
