"""Train and test errors of ridge regression on spiked features, and on the features of a network after one step.

    minimise (1/n) sum_mu (y_mu - a . phi(x_mu) / sqrt p)^2 + (lam / n) |a|^2,   y = g(gamma <v, x> + rho <t, x>) +
    noise

with unit v orthogonal to t and ``rho = sqrt(1 - gamma^2)``. Given kappa = <v, x> and tau = <t, x> the features are a
mean, a linear part and independent noise; the readout b = a / sqrt p sees a few latent directions through a small
linear system and everything else through the bulk at ``z = -lam p / n`` (`rmtsolve._kernels.ridge` has the
equations). Nothing of size d is drawn or diagonalised; `ridge_errors_given` takes the weights of one network instead.

Source: derived (leave one sample out, then a source on the two traces of the resolvent); for one class
arXiv:2402.04980.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate
from ..activations.parse import read_activation
from ..ensembles.features import SpikedRandomFeatures
from .ridge_result import RidgeErrors
from .ridge_solver import Task, feature_variance, prepare, solve, solve_with_limit

Real = NDArray[np.float64]


def ridge_errors(
    features: SpikedRandomFeatures,
    *,
    target: Any,
    alignment: float,
    lam: ArrayLike,
    noise: float = 0.0,
    alpha: ArrayLike | None = None,
    p: float | None = None,
) -> RidgeErrors:
    """Train and test error of ridge regression on spiked features, in the limit or at width p.

    Parameters
    ----------
    features : SpikedRandomFeatures
        The features with their attribute covariances.
    target : str, Activation or callable
        g, with ``E g^2`` finite: labels are ``g(gamma <v, x> + rho <t, x>) + noise``, t the second direction of the
        attributes.
    alignment : float
        gamma in [-1, 1], the cosine between the learned direction v and the target's.
    lam : array_like of float
        Ridge >= 0 of the readout ``a = (Phi^T Phi / p + lam)^-1 Phi^T y / sqrt p``; 0 is the limit lam -> 0.
    noise : float
        Standard deviation of the label noise.
    alpha : array_like of float, optional
        ``n / d``, broadcast against `lam`; default: that of the features.
    p : float, optional
        Width, with ``d = p / beta``: the class means are then fitted as well as p neurons can and ``|x|^2``
        fluctuates. By default the limit p -> inf, which is reached only slowly (p of 10^4 and more) when there are
        several classes.

    Returns
    -------
    RidgeErrors
        Arrays of the common shape of alpha and lam.

    Raises
    ------
    DomainError
        An argument is out of range, the target has no second moment, or the errors diverge as lam -> 0.
    ConvergenceError
        Some points could not be solved.

    Notes
    -----
    Parts of the test error: what is missed of ``E[y | kappa]`` ("learned direction"), of the component linear in tau
    ("rest of target"), of all higher ones ("beyond reach"), the label noise, and the fluctuation of the readout along
    the linear and the nonlinear part of the features. Overlaps, by class: the prediction has the mean
    ``sum_k (mean_k mu0_k + learned_k kappa mu1_k + target_k tau mu1_k + norm_k h2_k / 2)``; weight is ``|b|^2``.

    References
    ----------
    arXiv:2402.04980 for one class; derived anew for several, for d -> inf in closed form, and for the attributes.

    Examples
    --------
    >>> import rmtsolve as rmt
    >>> features = rmt.SpikedRandomFeatures("tanh", [1.5], [1.0], [1.0], alpha=2, beta=1)
    >>> found = rmt.ridge_errors(features, target="sin(x)", alignment=.8, noise=.2, lam=.1)
    >>> f"{found.train:.10f} {found.test:.10f}"
    '0.0765907504 0.1693312599'
    """
    task = _task(features, target, alignment, noise, p)
    ridge = _validate.real_array(lam, "lam", low=0.0, remedy="it is the ridge of the readout")
    ratio = _sample_ratios(task, features.alpha if alpha is None else alpha)
    try:
        ratio, ridge = np.broadcast_arrays(ratio, ridge)
    except ValueError:
        _validate.fail("lam", f"of a shape that broadcasts with alpha, {ratio.shape}", ridge.shape)
    return _errors(task, ratio, ridge)


def optimal_lam(
    features: SpikedRandomFeatures,
    *,
    target: Any,
    alignment: float,
    noise: float = 0.0,
    alpha: ArrayLike | None = None,
    p: float | None = None,
) -> Any:
    """The ridge lam with the smallest test error, for every alpha: 0 or inf when the error is monotone.

    Parameters
    ----------
    features, target, alignment, noise, alpha, p
        As in `ridge_errors`.

    Returns
    -------
    float or ndarray
        Of the shape of alpha; accurate to about eight digits.

    Examples
    --------
    >>> import rmtsolve as rmt
    >>> features = rmt.SpikedRandomFeatures("tanh", [1.5], [1.0], [1.0], alpha=2, beta=1)
    >>> lam = rmt.optimal_lam(features, target="sin(x)", alignment=.8, noise=.2)
    >>> near = rmt.ridge_errors(features, target="sin(x)", alignment=.8, noise=.2, lam=lam * np.array([.9, 1, 1.1]))
    >>> int(near.test.argmin())
    1
    """
    task = _task(features, target, alignment, noise, p)
    ratio = _sample_ratios(task, features.alpha if alpha is None else alpha)
    best = _best_lam(task, ratio.ravel()).reshape(ratio.shape)
    return float(best) if best.ndim == 0 else best


def _task(features: Any, target: Any, alignment: float, noise: float, p: float | None) -> Task:
    if not isinstance(features, SpikedRandomFeatures):
        _validate.fail("features", "SpikedRandomFeatures or RandomFeatures", features, "a network has .ridge_errors")
    g = read_activation(target, "target")
    if not np.isfinite(g.energy()):
        _validate.fail("target", "square integrable under the Gaussian", g.name)
    gamma = _validate.real(alignment, "alignment", low=-1.0, high=1.0, remedy="it is the cosine of v and the target's")
    spread = _validate.real(noise, "noise", low=0.0, remedy="it is a standard deviation")
    width = None if p is None else _validate.real(p, "p", low=1.0)
    return Task(features, g, gamma, spread, width)


def _sample_ratios(task: Task, alpha: ArrayLike) -> Real:
    ratio = _validate.real_array(alpha, "alpha", low=0.0, open_low=True, remedy="it is n / d, samples over dimension")
    if task.p is not None:
        samples = np.round(ratio * task.p / task.features.beta)
        if samples.min() < 1.0:
            _validate.fail("alpha", f"large enough for n >= 1 at p = {task.p:g}", float(ratio.min()),
                           "n is alpha p / beta, rounded")  # fmt: skip
    return ratio


def _errors(task: Task, ratio: Real, ridge: Real) -> RidgeErrors:
    """The result on validated arrays of one shape."""
    from .._kernels import ridge as columns

    beta = task.features.beta
    shape, ratios, lams = ratio.shape, ratio.ravel(), ridge.ravel()
    prepared = prepare(task, ratios, lams)
    raw = solve_with_limit(prepared, ratios, lams, task)
    k = prepared.equation.classes

    def column(index: int) -> Real:
        return np.asarray(raw.errors[:, index].reshape(shape))

    moments = prepared.moments
    constant = np.ones(shape)
    parts = {
        "learned direction": moments.learned - 2.0 * column(columns.CROSS0) + column(columns.SQUARE0),
        "rest of target": moments.rest - 2.0 * column(columns.CROSS1) + column(columns.SQUARE1),
        "beyond reach": moments.beyond * constant,
        "label noise": task.noise**2 * constant,
        "linear features": column(columns.LINEAR),
        "nonlinear features": column(columns.NOISE),
    }
    if task.p is not None:
        parts["input norm"] = column(columns.SQUARE2)
    names = ("mean", "learned", "target", "norm")
    overlaps = {name: raw.overlaps[:, i].reshape(*shape, k) for i, name in enumerate(names)}
    overlaps["weight"] = raw.weight.reshape(*shape, k)
    penalty = lams * beta / ratios * raw.weight.sum(axis=1)
    return RidgeErrors(
        ratio, ridge, column(columns.TRAIN), column(columns.TEST), column(columns.FREEDOM), parts,
        energy={"learned direction": moments.learned, "rest of target": moments.rest},
        overlaps=overlaps, objective=column(columns.PSI), penalty=penalty.reshape(shape), title=task.label,
    )  # fmt: skip


def _best_lam(task: Task, ratios: Real) -> Real:
    """Minimum of the test error over log lam: a coarse scan, zooming in, then the zero of a polynomial's slope."""
    energy = feature_variance(task.features)
    grid = np.log(energy) + np.log(10.0) * np.linspace(-10.0, 6.0, 33)
    prepared = prepare(task, ratios, np.full(ratios.shape, 1e-3 * energy))

    def test(log_lam: Real) -> Real:
        """Errors at (A, M) points."""
        raw = solve(prepared, np.repeat(ratios, log_lam.shape[1]), np.exp(log_lam).ravel(), task)
        return np.asarray(raw.errors[:, 0].reshape(log_lam.shape))

    places = np.tile(grid, (ratios.size, 1))
    best = test(places).argmin(axis=1)
    # flat to rounding towards an end: the end is the infimum
    at_end = np.where(best == 0, 0.0, np.where(best == grid.size - 1, np.inf, np.nan))
    middle = grid[np.clip(best, 1, grid.size - 2)]
    prepared = prepare(task, ratios, np.exp(middle))
    width = float(grid[1] - grid[0])
    nodes = np.cos(np.pi * (np.arange(9) + 0.5) / 9)
    while width > 0.05:
        places = middle[:, None] + width * nodes
        middle = places[np.arange(ratios.size), test(places).argmin(axis=1)]
        width *= 0.4
    values = test(middle[:, None] + width * nodes)
    fit = np.polynomial.chebyshev.chebfit(nodes, (values - values.mean(axis=1, keepdims=True)).T, 6)
    for i in range(ratios.size):
        slope = np.polynomial.chebyshev.chebder(fit[:, i])
        roots = np.polynomial.chebyshev.chebroots(slope)
        roots = roots[(np.abs(roots.imag) < 1e-9) & (np.abs(roots.real) <= 1.5)].real
        if roots.size:
            middle[i] += width * roots[np.abs(roots).argmin()]
    return np.where(np.isnan(at_end), np.exp(middle), at_end)
