"""Ensemble: a random-matrix model with an infinite face (equation, law, outliers) and a finite one (sample)."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ..equations.base import Equation
    from ..measures.base import Measure


@dataclass(frozen=True)
class Outlier:
    """An isolated eigenvalue outside the bulk.

    Parameters
    ----------
    location : float
        Limit (or finite-size prediction) of the eigenvalue.
    overlap : float or tuple of float
        Squared overlap of its unit eigenvector with the planted direction (one number a direction).
    spike : float or None
        The population spike that makes it, where there is one.
    variance : float or None
        Variance of the Gaussian fluctuation of ``sqrt(n) * (eigenvalue - location)``, where known; n is the number of
        samples, or the size of a matrix that has none.
    label : str
        What the outlier is, in words (for instance ``"order p, class 1"``).
    """

    location: float
    overlap: float | tuple[float, ...]
    spike: float | None = None
    variance: float | None = None
    label: str = ""


class Ensemble(abc.ABC):
    """A random-matrix model; subclasses are frozen dataclasses of parameters."""

    @abc.abstractmethod
    def equation(self) -> Equation:
        """The self-consistent equation of the limiting Stieltjes transform."""

    @abc.abstractmethod
    def law(self) -> Measure:
        """The limiting spectral law."""

    def outliers(self, p: float | None = None) -> tuple[Outlier, ...]:
        """Isolated eigenvalues outside the bulk; `p` is the matrix size where the prediction depends on it."""
        return ()

    def finite(self, size: int) -> Ensemble:
        """The same model with the ratio and the population counts that a matrix of this size really has.

        A finite matrix is to be compared with this one: counting errors are then of order ``log(size)``.
        """
        return self

    @abc.abstractmethod
    def sample(self, size: int, rng: np.random.Generator) -> NDArray[Any]:
        """One self-adjoint matrix of the model, shape (size, size)."""
