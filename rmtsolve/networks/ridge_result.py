"""What ridge regression on features costs: train and test errors over a grid, with where the test error comes from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]

ROWS = 24  # of the printed table


@dataclass(frozen=True, eq=False)
class RidgeErrors:
    """Errors of a ridge readout, every array of the common shape of `alpha` and `lam`.

    Parameters
    ----------
    alpha, lam : ndarray of float
        Samples over input dimension ``n / d`` and ridge, broadcast against each other.
    train, test : ndarray of float
        Mean squared error on the training samples (without the penalty) and on fresh ones; label noise included.
    degrees_of_freedom : ndarray of float
        Normalised trace of the matrix that maps labels to fitted values, ``tr / n``: between 0 and ``min(1, p / n)``.
    parts : dict of str to ndarray
        Parts of the test error; they sum to it.
    energy : dict of str to float
        For the parts that are a missed piece of the target: how large that piece is.
    overlaps : dict of str to ndarray
        Overlaps of the readout with the latent directions, the classes along a last axis of their own.
    objective, penalty : ndarray of float, optional
        Minimum of ``|y - Phi a|^2 / n + lam |a|^2 / n`` (normalised as in `ridge_errors`) and its second term:
        objective = train + penalty, computed on independent routes.
    title : str
        What was regressed on what.
    note : str
        What the reader should know, for instance that no spike was learned.
    """

    alpha: Real
    lam: Real
    train: Real
    test: Real
    degrees_of_freedom: Real
    parts: dict[str, Real] = field(default_factory=dict)
    energy: dict[str, float] = field(default_factory=dict)
    overlaps: dict[str, Real] = field(default_factory=dict)
    objective: Real | None = None
    penalty: Real | None = None
    title: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        alpha, lam = np.broadcast_arrays(self.alpha, self.lam)
        for name, value in (("alpha", alpha), ("lam", lam), *((n, getattr(self, n)) for n in _ARRAYS)):
            object.__setattr__(self, name, _frozen(value))
        for name in ("objective", "penalty"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _frozen(getattr(self, name)))
        for name in ("parts", "overlaps"):
            object.__setattr__(self, name, {key: _frozen(value) for key, value in getattr(self, name).items()})

    def fitted(self, part: str) -> Real:
        """Fraction of a piece of the target that the readout has fitted, 1 - missed / energy; nan where it is empty."""
        from .. import _validate

        _validate.choice(part, "part", self.energy)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(1.0 - self.parts[part] / self.energy[part])

    def __str__(self) -> str:
        columns = {"alpha": self.alpha, "lam": self.lam, "train": self.train, "test": self.test}
        columns |= {"dof": self.degrees_of_freedom, **self.parts}
        width = {name: max(10, len(name) + 2) for name in columns}
        lines = [self.title] if self.title else []
        lines.append("".join(name.rjust(width[name]) for name in columns))
        flat = {name: np.broadcast_to(value, self.test.shape).ravel() for name, value in columns.items()}
        for i in range(min(self.test.size, ROWS)):
            lines.append("".join(f"{flat[name][i]:{width[name]}.6g}" for name in columns))
        if self.test.size > ROWS:
            lines.append(f"... {self.test.size - ROWS} more")
        return "\n".join(lines + ([self.note] if self.note else []))

    def plot(self, ax: Any = None) -> Any:
        """Draw the errors over alpha (or lam, if only that varies); returns the axes."""
        from ..plotting import plot_ridge_errors

        return plot_ridge_errors(self, ax)


_ARRAYS = ("train", "test", "degrees_of_freedom")


def _frozen(value: Any) -> Real:
    array = np.array(value, dtype=np.float64)
    array.setflags(write=False)
    return array
