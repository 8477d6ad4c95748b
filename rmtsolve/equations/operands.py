"""What stands in for a law inside the equation of another law: its Chebyshev series, where that is the law to rounding.

The equation of a sum or product asks for the transforms of its operands at thousands of points, and each of those of a
law that is itself the solution of an equation has to be solved for: nested three deep, the work would be multiplied
three times. The series of such a law (`Measure.series`) is as good and costs nothing to evaluate.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

from ..errors import AccuracyWarning, ConvergenceError
from ..measures.affine import Affine, affine
from ..measures.base import Measure
from ..measures.series import SeriesMeasure, exact_series
from .law import SolvedMeasure

_ERROR = 1e-13  # of the distribution function, as the series itself estimates it
_TERMS = 2048  # most for each bulk: laws that need more have a singularity that no series takes to rounding
_CHEAP = 16  # poles up to which an equation of Pastur's form is solved as fast as its series would be summed


def stand_in(law: Measure) -> Measure:
    """The law, or its series where it is a solved law and the series has an error of at most 1e-13."""
    if isinstance(law, Affine):
        base = stand_in(law.base)
        return law if base is law.base else affine(base, law.factor, law.shift)
    if not isinstance(law, SolvedMeasure):
        return law
    poles: Any = getattr(law.equation, "poles", None)
    if poles is not None and poles.size <= _CHEAP:
        return law
    kept = law.__dict__
    if "_stand_in" not in kept:  # operands are often used again
        kept["_stand_in"] = reliable_series(law, _TERMS) or law
    found = kept["_stand_in"]
    assert isinstance(found, Measure)
    return found


def reliable_series(law: Measure, most: int) -> SeriesMeasure | None:
    """The series of at most that many terms for each bulk, if all its points could be solved and the masses add up."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", AccuracyWarning)
            series = exact_series(law, most, _ERROR)
    except (AccuracyWarning, ConvergenceError):
        return None
    if series is None:
        return None
    mass = math.fsum([*(bulk.mass for bulk in series.bulks), *series.atoms.weights])
    return series if abs(mass - 1.0) <= 10.0 * _ERROR else None


def remark(law: Measure, role: str) -> tuple[str, ...]:
    """The sentence that says so in a solution: none where the law is used itself."""
    other = stand_in(law)
    if other is law:
        return ()
    return (f"{role} is a solved law and was used as its Chebyshev series, of error {series_error(other):.1e}",)


def series_error(law: Measure) -> float:
    """Error of the distribution function of a law that `stand_in` gave."""
    base = law.base if isinstance(law, Affine) else law
    return base.error if isinstance(base, SeriesMeasure) else 0.0
