"""One finite deep network with random weights: what `DeepFeatures` draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..activations.base import Activation

Real = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class DeepNetwork:
    """Weights of a deep network and what it makes of Gaussian inputs.

    Parameters
    ----------
    roots : ndarray, shape (d,)
        Square roots of the eigenvalues of the input covariance.
    rotation : ndarray, shape (d, d), or None
        Eigenvectors of the input covariance, one a column; None: the axes.
    weights : tuple of ndarray, shapes (p_s, p_{s-1})
        One matrix a layer.
    activations : tuple of Activation
        One function a layer.
    offsets : tuple of float
        What is subtracted from the output of each activation.
    """

    roots: Real
    rotation: Real | None
    weights: tuple[Real, ...]
    activations: tuple[Activation, ...]
    offsets: tuple[float, ...]

    def inputs(self, n: int, rng: np.random.Generator) -> Real:
        """n independent inputs, shape (n, d)."""
        x = rng.standard_normal((n, self.roots.size)) * self.roots
        return x if self.rotation is None else np.asarray(x @ self.rotation.T)

    def layers(self, x: Real) -> list[Real]:
        """The inputs x (n, d) and the output of every layer, shapes (n, p_s)."""
        out = [x]
        for matrix, sigma, offset in zip(self.weights, self.activations, self.offsets, strict=True):
            out.append(sigma.raw(out[-1] @ matrix.T) - offset)
        return out

    def features(self, x: Real) -> Real:
        """The output of the last layer, shape (n, p_L)."""
        return self.layers(x)[-1]
