"""A two-layer network after one large gradient step of its first layer, and the spiked features it is equivalent to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate
from ..activations.base import Activation
from ..activations.parse import read_activation
from ..ensembles.features import RandomFeatures, SpikedRandomFeatures
from ..equations.spiked_features import MAX_CLASSES
from . import gradient_step
from .ridge import optimal_lam, ridge_errors
from .ridge_result import RidgeErrors

Real = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class EquivalentFeatures:
    """The spiked features that the trained network is equivalent to, class by class.

    Parameters
    ----------
    spikes, scales, fractions : ndarray, shape (K,)
        u_k, s_k and pi_k: neuron i of class k computes ``sigma(u_k <v, x> + s_k <w_i, x>)`` with isotropic w_i.
    alignment : float
        gamma, the cosine between the learned direction v and the target's direction theta.
    attributes : ndarray, shape (K, 3, 3)
        Covariances ``Xi_k`` of the small components of the weights along v, along the rest of theta, and of their
        squared norm; see `SpikedRandomFeatures`.
    note : str
        Empty, or why nothing is learned along the target.
    """

    spikes: Real
    scales: Real
    fractions: Real
    alignment: float
    attributes: Real
    note: str = ""

    def __str__(self) -> str:
        lines = ["class   fraction      spike      scale"]
        for k, row in enumerate(zip(self.fractions, self.spikes, self.scales, strict=True)):
            lines.append(f"{k + 1:5d} " + " ".join(f"{value:10.6f}" for value in row))
        lines.append(f"alignment of the learned direction with the target's: {self.alignment:.6f}")
        return "\n".join(lines + ([self.note] if self.note else []))


@dataclass(frozen=True, eq=False)
class OneStepNetwork:
    """Network ``f(x) = (1/p) sum_i a_i sigma(<w_i, x>)`` whose first layer takes one gradient step of size ``eta p``.

    The step descends half the mean squared error over ``n0`` fresh samples ``y = g(<theta, x>) + noise``,
    ``x ~ N(0, I_d)``; the w_i start uniform on the unit sphere, the a_i take the values `readout` in the given
    fractions.

    Parameters
    ----------
    activation : str, Activation or callable
        sigma, continuous and with a square-integrable derivative.
    target : str, Activation or callable
        g, a function of x, with a finite fourth moment under the Gaussian.
    learning_rate : float
        eta >= 0.
    batch_ratio : float
        ``alpha0 = n0 / d``.
    width_ratio : float
        ``beta = p / d``.
    readout : array_like of float, shape (K,)
        Values a_k of the second layer, K <= 8.
    fractions : array_like of float, shape (K,)
        Part pi_k > 0 of the neurons with each value; they sum to one.
    noise : float
        Standard deviation of the label noise.

    Notes
    -----
    `equivalent` is exact in the limit d -> inf for the spikes, scales and alignment. Isotropy of what is left of the
    weights is a statement about large alpha0: the bulk deviates by O(1/alpha0) when ``E sigma'' = 0`` and by
    O(alpha0^(-1/2)) otherwise.

    References
    ----------
    arXiv:2410.18938 for the equivalence; the map, including ``E sigma'' != 0`` and the attributes, was derived anew.

    Examples
    --------
    >>> import rmtsolve as rmt
    >>> net = rmt.OneStepNetwork("tanh", "sin(x)", learning_rate=2.5, batch_ratio=4, width_ratio=1,
    ...                          readout=[1, -1, .5], fractions=[.3, .3, .4], noise=.2)
    >>> print(net.equivalent())
    class   fraction      spike      scale
        1   0.300000   1.055609   1.035362
        2   0.300000  -1.055609   1.035362
        3   0.400000   0.527804   1.008957
    alignment of the learned direction with the target's: 0.870064
    """

    activation: Activation
    target: Activation
    learning_rate: float
    batch_ratio: float
    width_ratio: float
    readout: Real
    fractions: Real
    noise: float = 0.0

    def __init__(
        self,
        activation: Any,
        target: Any,
        learning_rate: float,
        batch_ratio: float,
        width_ratio: float,
        readout: ArrayLike,
        fractions: ArrayLike,
        noise: float = 0.0,
    ) -> None:
        a = _validate.real_array(readout, "readout", ndim=1)
        if a.size > MAX_CLASSES:
            _validate.fail("readout", f"at most {MAX_CLASSES} numbers, one a class", f"{a.size} numbers")
        pi = _validate.probabilities(fractions, "fractions", a.size)
        if not pi.all():
            _validate.fail("fractions", "positive", 0.0, "leave empty classes out")
        set_ = object.__setattr__
        set_(self, "activation", read_activation(activation, "activation"))
        set_(self, "target", read_activation(target, "target"))
        set_(self, "learning_rate", _validate.real(learning_rate, "learning_rate", low=0.0))
        set_(self, "batch_ratio", _validate.positive(batch_ratio, "batch_ratio", "it is n0 / d, batch over dimension"))
        set_(self, "width_ratio", _validate.positive(width_ratio, "width_ratio", "it is p / d, width over dimension"))
        set_(self, "readout", _validate.read_only(a))
        set_(self, "fractions", _validate.read_only(pi))
        set_(self, "noise", _validate.real(noise, "noise", low=0.0, remedy="it is a standard deviation"))

    def __repr__(self) -> str:
        return (
            f"OneStepNetwork({self.activation.name!r}, {self.target.name!r}, learning_rate={self.learning_rate:.6g}, "
            f"batch_ratio={self.batch_ratio:.6g}, width_ratio={self.width_ratio:.6g}, readout={self.readout.tolist()}, "
            f"fractions={[float(f'{x:.6g}') for x in self.fractions]}, noise={self.noise:.6g})"
        )

    def equivalent(self) -> EquivalentFeatures:
        """Spikes, scales, alignment and attributes of the trained network.

        Raises
        ------
        DomainError
            The activation jumps or its derivative is not square integrable, or the target has no fourth moment.
        """
        sigma = gradient_step.slopes(self.activation)
        offset = sigma.constant * float(self.fractions @ self.readout)  # the network's own output at the start
        y = gradient_step.labels(self.target, offset, self.noise, self.batch_ratio)
        spikes, scales = gradient_step.spikes_and_scales(self.readout, self.learning_rate, sigma, y)
        step = self.learning_rate * self.readout
        if abs(sigma.first) <= 1e-12 * (abs(sigma.first) + abs(sigma.second) + sigma.rest**0.5):
            spikes = np.zeros_like(spikes)
        attributes = [gradient_step.attributes(float(e), float(s), sigma, y) for e, s in zip(step, scales, strict=True)]
        return EquivalentFeatures(
            _validate.read_only(spikes), _validate.read_only(scales), self.fractions, gradient_step.alignment(y),
            _validate.read_only(np.array(attributes)), self._note(spikes, y),
        )  # fmt: skip

    def _note(self, spikes: Real, y: gradient_step.Labels) -> str:
        if not spikes.any():
            if self.learning_rate == 0.0 or not self.readout.any():
                return "no spike is learned: the weights do not move"
            if y.nu == 0.0:
                return "no spike is learned: the labels are constant"
            return (
                f"no spike is learned: {self.activation.name} has a vanishing first Hermite coefficient, E sigma' = 0"
            )
        if abs(y.moment[1, 1]) <= 1e-12 * y.moment[2, 0] ** 0.5:
            return "the spike carries no signal: the target has a vanishing first Hermite coefficient"
        return ""

    def features(self, alpha: float) -> SpikedRandomFeatures:
        """The equivalent spiked features with their attributes, at ``alpha = n / d`` fresh samples of the features.

        Examples
        --------
        >>> import rmtsolve as rmt
        >>> net = rmt.OneStepNetwork("tanh", "sin(x)", 2.5, 4, 1, readout=[1], fractions=[1])
        >>> net.features(alpha=2).law().edges
        array([0.00741517, 1.54400052])
        """
        eq = self.equivalent()
        return SpikedRandomFeatures(
            self.activation, eq.spikes, eq.scales, eq.fractions, alpha, self.width_ratio, attributes=eq.attributes
        )

    def features_before(self, alpha: float) -> RandomFeatures:
        """The features before the step: random features at ``alpha = n / d`` samples."""
        return RandomFeatures(self.activation, alpha, self.width_ratio)

    def ridge_errors(self, alpha: ArrayLike, lam: ArrayLike, p: float | None = None) -> RidgeErrors:
        """Train and test error of the readout trained by ridge regression on fresh samples of the same target.

        Parameters
        ----------
        alpha : array_like of float
            ``n / d``, samples of the readout over input dimension.
        lam : array_like of float
            Ridge >= 0, see `rmtsolve.ridge_errors`; broadcast against `alpha`.
        p : float, optional
            Width; by default the limit p -> inf.

        Notes
        -----
        The attribute covariances of the trained weights are used: they change the errors at leading order.

        Examples
        --------
        >>> import rmtsolve as rmt
        >>> net = rmt.OneStepNetwork("tanh", "sin(x)", learning_rate=2.5, batch_ratio=4, width_ratio=1,
        ...                          readout=[1, -1, .5], fractions=[.3, .3, .4], noise=.2)
        >>> net.ridge_errors(alpha=[1, 2], lam=.1, p=600).test.round(7)
        array([0.1642591, 0.1400026])
        """
        features, options, note = self._regression(p)
        return replace(ridge_errors(features, alpha=alpha, lam=lam, **options), note=note)

    def optimal_lam(self, alpha: ArrayLike, p: float | None = None) -> Any:
        """The ridge with the smallest test error, for every alpha; see `rmtsolve.optimal_lam`."""
        features, options, _ = self._regression(p)
        return optimal_lam(features, alpha=alpha, **options)

    def _regression(self, p: float | None) -> tuple[SpikedRandomFeatures, dict[str, Any], str]:
        eq = self.equivalent()
        features = SpikedRandomFeatures(
            self.activation, eq.spikes, eq.scales, eq.fractions, 1.0, self.width_ratio, attributes=eq.attributes
        )
        return features, {"target": self.target, "alignment": eq.alignment, "noise": self.noise, "p": p}, eq.note
