"""Ridge regression on deep random features in the limit of large widths, whatever the depth.

Labels are ``y = g(<theta, x_j>) + noise`` for a unit vector theta and the output x_j of layer j of the same network (j
= 0: the input). With ``s^2 = E <theta, x_j>^2`` only the linear part of g can be fitted, ``c_1 <theta, x_j> / s``; what
g has beyond acts as noise. The features solve ``(Phi^T Phi / p + lam)^{-1}`` with an effective ridge kappa_s at every
level s (`rmtsolve.equations.deep_chain`), ``D_j = kappa_j - kappa_L / prod_{j <= r < L} J_r`` is a sum of positive
terms, and

    test = [unfitted + int beta^2 omega (omega D_j + kappa_j^2) / (omega + kappa_j)^2] / (1 - df2 / n),
    train = (1 - df1 / n)^2 test,

where the integral is over the covariance of layer j with the weight beta^2 of the labels' linear part.

Source: arXiv:2402.13999 with the recursion derived anew; the quadratic form of the labels is the same at every level.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate
from ..activations.parse import read_activation
from ..ensembles.deep import DeepFeatures
from ..ensembles.deep_layers import Segment
from ..equations.deep_chain import Chain, DeepChainEquation, RidgeStages, solve_ridge
from ..equations.deep_map import levels
from ..errors import DomainError
from .ridge_result import RidgeErrors

Real = NDArray[np.float64]


class Signal(NamedTuple):
    """The linear part of the labels as a chain sees it, at one of its levels.

    ``beta2`` are weights on the atoms of level 0, with ``sum beta2 x = energy``, or None for a vector spread evenly
    over level `level`, of that energy.
    """

    level: int
    energy: float
    beta2: Real | None


def deep_ridge_errors(
    features: DeepFeatures,
    target: Any = "x",
    *,
    lam: ArrayLike,
    alpha: ArrayLike | None = None,
    layer: int = 0,
    noise: float = 0.0,
    direction: ArrayLike | None = None,
    teacher: DeepFeatures | None = None,
    intercept: bool = False,
) -> RidgeErrors:
    """Train and test error of ridge regression on deep random features.

    Parameters
    ----------
    features : DeepFeatures
        The network; its own ``alpha`` is used when none is given here.
    target : str, Activation or callable
        The function g of the labels.
    lam : array_like of float
        Ridge >= 0 added to ``Phi^T Phi / p_L``; 0 is the limit of a vanishing one.
    alpha : array_like of float, optional
        ``n / d`` > 0, broadcast against `lam`.
    layer : int
        Layer j that the labels are read off; 0 is the input.
    noise : float
        Standard deviation of the label noise.
    direction : array_like of float, optional
        For layer 0: how ``theta^2`` is divided over the atoms of the input covariance, summing to one. Default: evenly,
        a random direction.
    teacher : DeepFeatures, optional
        Another network of the same input with weights of its own: the labels are ``g(<theta, x*>)``, x* its last layer.
    intercept : bool
        Fit an unpenalised intercept. Without it the mean of the labels is not fitted by centred features, and counts as
        error; a last layer that is not centred fits it by itself.

    Returns
    -------
    RidgeErrors
        ``parts``: "linear part" of the target missed, "nonlinear part", "noise", "variance" of the readout.

    Raises
    ------
    DomainError
        An argument is out of range.
    ConvergenceError
        A point was not solved to 1e-10.

    Examples
    --------
    >>> import rmtsolve as rmt
    >>> features = rmt.DeepFeatures(["tanh", "tanh"], widths=[1.25, 1.5], alpha=1.25)
    >>> errors = rmt.deep_ridge_errors(features, "sign(x)", lam=[1e-3, .1, 1], noise=.1**.5)
    >>> errors.test.round(9), errors.train.round(9)
    (array([2.27130488, 0.98123003, 0.97805406]), array([0.02816487, 0.36025575, 0.7294282 ]))
    """
    if not isinstance(features, DeepFeatures):
        _validate.fail("features", "DeepFeatures", features)
    depth = len(features.layers)
    j = _validate.integer(layer, "layer", low=0, high=depth)
    if j == depth and _uncentred(features):
        _validate.fail("layer", "one without a mean, or the labels have a random one", layer, "pass centred=True")
    spread = _validate.real(noise, "noise", low=0.0, remedy="it is a standard deviation")
    if not isinstance(intercept, (bool, np.bool_)):
        _validate.fail("intercept", "True or False", intercept)
    ratios, ridge, shape = _grid(features.alpha if alpha is None else alpha, lam)
    g = read_activation(target, "target")
    if teacher is not None:
        if layer != 0 or direction is not None:
            _validate.fail("teacher", "given without layer and direction", teacher)
        size, share = _teacher(features, teacher)
    else:
        size, share = None, 1.0
    signal, size = _first_signal(features, j, direction, size)
    scale = float(np.sqrt(size))
    mean, linear = (float(c) for c in g.coefficients(1, scale=scale))
    nonlinear = float(g.residual_energy(0.0, scale, 1)) + (1.0 - share) * linear**2
    constant = intercept or _uncentred(features)
    nonlinear += 0.0 if constant else mean**2
    signal = _scaled(signal, share * linear**2)
    energy = signal.energy
    signal = _through(features.segments, j, signal)
    lost = max(energy - signal.energy, 0.0)  # in layers without a linear part, or on the way to a new chain

    ratio = features.widths[-1] / ratios
    chain = features.chain
    solved = solve_ridge(chain, ridge * ratio, ratio)
    missed = _missed(chain, solved, signal) + lost
    bracket = missed + nonlinear + spread**2
    with np.errstate(divide="ignore", invalid="ignore"):
        test = np.where(bracket > 0.0, bracket / solved.below, 0.0)
        train = np.where(solved.below > 0.0, solved.room * (solved.room / solved.below) * bracket, 0.0)
    parts = {
        "linear part": missed,
        "nonlinear part": np.full(missed.size, nonlinear),
        "noise": np.full(missed.size, spread**2),
        "variance": np.where(np.isinf(test), np.inf, test - bracket),
    }
    text = f"ridge on deep features {[sigma.name for sigma in features.activations]}"
    return RidgeErrors(
        alpha=ratios.reshape(shape), lam=ridge.reshape(shape), train=train.reshape(shape), test=test.reshape(shape),
        degrees_of_freedom=(1.0 - solved.room).reshape(shape),
        parts={name: value.reshape(shape) for name, value in parts.items()},
        energy={"linear part": energy, "nonlinear part": nonlinear}, title=text,
    )  # fmt: skip


# ---------------------------------------------------------------------- labels
def _first_signal(
    features: DeepFeatures, j: int, direction: ArrayLike | None, size: float | None
) -> tuple[Signal, float]:
    """The linear part of the labels where it is read off, of energy one, and the variance ``s^2``."""
    segment = _segment_of(features.segments, j)
    if j > 0 or direction is None:
        if j > 0 and direction is not None:
            _validate.fail("direction", "left out unless the target is read off the input", direction)
        first = segment.chain.moments[0][j - segment.first]
        return Signal(j - segment.first, 1.0, None), float(first) if size is None else size
    population = features.segments[0].chain.population
    weights = _validate.probabilities(direction, "direction", population.locations.size)
    variance = float(weights @ population.locations)
    if variance == 0.0:
        _validate.fail("direction", "with a part where the input has variance", "only atoms at zero")
    return Signal(0, 1.0, weights / variance), variance


def _segment_of(segments: tuple[Segment, ...], j: int) -> Segment:
    """The chain to which the covariance of layer j belongs (the earlier one where a structure begins a new one)."""
    return next(one for one in segments if one.first <= j <= one.first + one.chain.levels - 1)


def _teacher(features: DeepFeatures, teacher: DeepFeatures) -> tuple[float, float]:
    """Variance of a feature of an independent teacher, and the share of it that is linear in the input."""
    if not isinstance(teacher, DeepFeatures):
        _validate.fail("teacher", "DeepFeatures", teacher)
    if any(map(callable, teacher.structures)) or _uncentred(teacher):
        _validate.fail("teacher", "a network of centred layers whose structures are laws, not functions", teacher)
    if teacher.population != features.population:
        _validate.fail("teacher", "a network of the same input population", teacher.population)
    linear = features.segments[0].chain.moments[0][0]
    size = linear
    for layer in teacher.layers:
        linear *= layer.gain * layer.variance / size
        size = layer.gain * layer.variance + layer.rest
    return float(size), float(linear / size)


def _uncentred(features: DeepFeatures) -> bool:
    """Whether the last layer has a mean."""
    return not features.centred and features.layers[-1].mean != 0.0


def _scaled(signal: Signal, energy: float) -> Signal:
    return Signal(signal.level, energy, None if signal.beta2 is None else signal.beta2 * energy)


def _through(segments: tuple[Segment, ...], j: int, signal: Signal) -> Signal:
    """The signal as the last chain sees it."""
    start = segments.index(_segment_of(segments, j))
    for one in segments[start:-1]:
        if one.shape is None or one.nodes is None or signal.energy == 0.0:
            return Signal(0, 0.0, None)
        psi2 = _on_nodes(one, signal)
        image = one.nodes.x * one.shape
        _, index = np.unique(image, return_inverse=True)
        safe = np.where(image > 0.0, image, 1.0)
        psi2 = np.where(image > 0.0, psi2 * one.shape, 0.0)
        signal = Signal(0, float((psi2 / safe).sum()), np.bincount(index, psi2 / safe**2).astype(np.float64))
    return signal


def _on_nodes(segment: Segment, signal: Signal) -> Real:
    """``psi_s^2`` on the nodes of the last covariance of a chain: the jump of its resolvent in the direction psi."""
    chain, nodes = segment.chain, segment.nodes
    assert nodes is not None
    x = chain.population.locations
    if signal.level == chain.levels - 1 and signal.beta2 is None:
        return np.asarray(signal.energy / chain.moments[0][-1] * nodes.w * nodes.x**2)
    if chain.levels == 1:
        beta2 = _even(chain, signal.energy) if signal.beta2 is None else signal.beta2
        return np.asarray(beta2 * x**2)
    out = np.zeros(nodes.x.size)
    inside = nodes.rule > 0.0
    equation = DeepChainEquation(chain, 0.0)
    swept = equation.sweep(nodes.x[inside].astype(np.complex128))
    at = levels(chain, -swept.state)
    k = signal.level
    if k == 0:
        kappa = at.bare
        beta2 = _even(chain, signal.energy) if signal.beta2 is None else signal.beta2
        form = (beta2 * x**2 / (x + kappa[:, None])).sum(axis=1)
    else:
        # E psi (Omega_k + kappa)^{-1} psi = tr Omega - kappa t, over the energy
        law = chain.structures[k] if k + 1 < chain.levels else None
        kappa = at.kappa[k] if law is None else at.h[k] * (1.0 - at.t[k]) / at.t[k]
        form = signal.energy * (1.0 - kappa * at.t[k] / chain.moments[0][k])
    out[inside] = np.maximum(form.imag, 0.0) / np.pi * nodes.rule[inside]
    return out


def _even(chain: Chain, energy: float) -> Real:
    """``beta^2`` of a vector spread evenly over the atoms of level 0."""
    return np.asarray(energy / chain.moments[0][0] * chain.population.weights)


def _missed(chain: Chain, solved: RidgeStages, signal: Signal) -> Real:
    """What is missed of the linear part, before the factor of the variance."""
    k, top = signal.level, chain.levels - 1
    if signal.energy == 0.0:
        return np.zeros(solved.room.size)
    gap, product = np.zeros(solved.room.size), np.ones(solved.room.size)
    for s in range(k, top):
        gap += solved.drop[:, s] / product
        product *= solved.jacobian[:, s]
    kappa = solved.kappa[:, k]
    if signal.beta2 is None:
        share = signal.energy / chain.moments[0][k]
        return np.asarray(share * (kappa * solved.v[:, k] + gap * solved.f[:, k]))
    x = chain.population.locations
    positive = x > 0.0
    column = kappa[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        part = np.where(positive, (x * gap[:, None] + column**2) / (x + column) ** 2, 0.0)
    return np.asarray(part @ (signal.beta2 * x))


def _grid(alpha: ArrayLike, lam: ArrayLike) -> tuple[Real, Real, tuple[int, ...]]:
    """Sample ratios and ridges, broadcast and flattened, with the common shape."""
    ratios = _validate.real_array(alpha, "alpha", low=0.0, open_low=True, remedy="it is n / d")
    ridge = _validate.real_array(lam, "lam", low=0.0, remedy="it is a ridge")
    try:
        ratios, ridge = np.broadcast_arrays(ratios, ridge)
    except ValueError:
        raise DomainError(
            f"alpha and lam must broadcast together, got shapes {ratios.shape} and {ridge.shape}"
        ) from None
    return ratios.ravel().copy(), ridge.ravel().copy(), ratios.shape
