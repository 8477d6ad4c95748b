"""What stands in for a law inside the equation of another law: its Chebyshev series, where that is the law to rounding.

The equation of a sum or product asks for the transforms of its operands at thousands of points, and each of those of a
law that is itself the solution of an equation has to be solved for: nested three deep, the work would be multiplied
three times. The series of such a law (`Measure.series`) is as good and costs nothing to evaluate.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from ..errors import AccuracyWarning, ConvergenceError
from ..measures.affine import Affine, affine
from ..measures.base import Complex, Measure, Real
from ..measures.series import SeriesMeasure, exact_series
from .law import SolvedMeasure

_ERROR = 1e-13  # of the distribution function, as the series itself estimates it
_TERMS = 2048  # most for each bulk: laws that need more have a singularity that no series takes to rounding
_CHEAP = 16  # poles up to which an equation of Pastur's form is solved as fast as its series would be summed


def stand_in(law: Measure) -> Measure:
    """The law, or its series where it is a solved law and the series has an error of at most 1e-13."""
    if isinstance(law, Affine):
        base = stand_in(law.base)
        return law if base is law.base else _standing(affine(base, law.factor, law.shift), law)
    if not isinstance(law, SolvedMeasure):
        return law
    poles: Any = getattr(law.equation, "poles", None)
    if poles is not None and poles.size <= _CHEAP:
        return law
    kept = law.__dict__
    if "_stand_in" not in kept:  # operands are often used again
        series = reliable_series(law, _TERMS)
        kept["_stand_in"] = law if series is None else _standing(series, law)
    found = kept["_stand_in"]
    assert isinstance(found, Measure)
    return found


def _standing(series: Measure, law: Measure) -> Measure:
    series.__dict__["_stands_for"] = law
    return series


def original(law: Measure) -> Measure:
    """The law itself, or the one that it stands for if `stand_in` gave it."""
    found = law.__dict__.get("_stands_for", law)
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


def transform_doubt(bulks: Real, error: float, u: Complex) -> Real:
    """Bound on the error of ``m(u)`` in both half-planes where a series of that error stands for a law on these bulks.

    The distribution function is wrong by at most `error`, and ``m = int F(x) / (x - u)^2 dx`` up to a constant,
    so m by at most ``error pi / |Im u|``, on the real line off the support by ``2 error`` over the distance to it.
    """
    if error == 0.0:
        return np.zeros(u.size)
    x = u.real[:, None]
    away = np.maximum(np.maximum(bulks[:, 0] - x, x - bulks[:, 1]), 0.0).min(axis=1)
    with np.errstate(divide="ignore"):
        return np.asarray(error * np.minimum(np.pi / np.abs(u.imag), 2.0 / away))


def series_error(law: Measure) -> float:
    """Error of the distribution function of a law that `stand_in` gave."""
    base = law.base if isinstance(law, Affine) else law
    return base.error if isinstance(base, SeriesMeasure) else 0.0
