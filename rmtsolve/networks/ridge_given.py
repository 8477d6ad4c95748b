"""Train and test errors of ridge regression on the features of one network whose first-layer weights are given.

The deterministic equivalent of `ridge_errors`, before the weights are replaced by their law: with every neuron's own
spike ``u_i = <w_i, v>`` and length, conditional moments mu0, mu1, h2, mu2 of neuron i given kappa = <v, x>, and the
overlaps of what is left of the weights, the conditional covariance of the features is a p x p matrix,

    C(kappa) = mu1 mu1^T o (W W^T) + h2 h2^T o (W W^T)^2 / 2 (off the diagonal) + diag mu2^2,
    G = (ell + E[(f^0 f^0T + f^1 f^1T + C) / (1 + V)])^-1,   V(kappa) = tr(C G) / n,
    b = G E[(t0 f^0 + t1 f^1) / (1 + V)],
    eps = E[(y - f . b)^2 | kappa] + b^T C b + tr(C G E[eps C / (1 + V)^2] G) / n,

with f = f^0 + tau f^1 the mean given kappa and tau = <t, x>; test = E eps, train = E[eps / (1 + V)^2]. Only samples are
averaged over. As p grows it agrees with `ridge_errors`; it costs p^3 a point and is an independent check of it.

Source: derived, as `ridge_errors`; for one class compare arXiv:2402.04980.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate
from ..activations.base import Activation
from ..activations.parse import read_activation
from ..equations.base import Equation
from ..equations.solution import Solution
from ..errors import ConvergenceError
from ..status import Status
from .ridge_result import RidgeErrors
from .targets_given_kappa import TargetMoments, target_moments, target_reach

Real = NDArray[np.float64]

NODES = 100  # intervals in kappa over [-8.5, 8.5] for spikes up to 2 scales
SMOOTH = 1e-10  # relative accuracy of V and eps
LIMIT = 500  # evaluations of the map of V
WINDOW = 5


class _Given(NamedTuple):
    """One network on its grid in kappa."""

    weights: Real  # (N,) of the grid
    mean: Real  # (p, N): mu0
    linear: Real  # (p, N): mu1
    curved: Real  # (p, N): h2
    noise: Real  # (p, N): mu2^2
    tilted: Real  # (p, N): f^1
    overlap: Real  # (p, p): of the weights beyond v and t, unit rows before
    squared: Real  # (p, p): half the square of all overlaps beyond v, zero diagonal
    moments: TargetMoments


def ridge_errors_given(
    weights: ArrayLike,
    activation: Any,
    *,
    target: Any,
    theta: ArrayLike,
    alpha: ArrayLike,
    lam: ArrayLike,
    noise: float = 0.0,
    direction: ArrayLike | None = None,
) -> RidgeErrors:
    """Train and test error of ridge regression on ``sigma(W x)`` for a given matrix W, averaged over the samples.

    Parameters
    ----------
    weights : array_like of float, shape (p, d)
        First-layer weights, for instance of a trained network.
    activation, target : str, Activation or callable
        sigma, and g of the labels ``g(<theta, x>) + noise``.
    theta : array_like of float, shape (d,)
        Direction of the target; normalised.
    alpha, lam : array_like of float
        ``n / d`` and ridge > 0 as in `ridge_errors`, broadcast against each other.
    noise : float
        Standard deviation of the label noise.
    direction : array_like of float, shape (d,), optional
        v, the direction in which the weights are not small; default: the leading right singular vector of W.

    Returns
    -------
    RidgeErrors

    Raises
    ------
    DomainError
        An argument is out of range, or the matrices would not fit in memory.
    ConvergenceError
        A point could not be solved.

    Examples
    --------
    >>> import rmtsolve as rmt
    >>> features = rmt.RandomFeatures("relu", alpha=1.5, beta=1)
    >>> w = features.weights(60, np.random.default_rng(0))
    >>> theta = np.eye(60)[0]
    >>> found = rmt.ridge_errors_given(w, "relu", target="sin(x)", theta=theta, alpha=1.5, lam=.1)
    >>> bool(abs(found.test - 0.35536) < 0.05)
    True
    """
    w = _validate.real_array(weights, "weights", ndim=2)
    p, d = w.shape
    if d < 3:
        _validate.fail("weights", "of shape (p, d) with d >= 3", w.shape)
    _validate.memory(8.0 * (8 * p * p + 6 * p * 641), "weights", w.shape)
    along = _unit(theta, "theta", d)
    sigma, g = read_activation(activation, "activation"), read_activation(target, "target")
    spread = _validate.real(noise, "noise", low=0.0, remedy="it is a standard deviation")
    ratio = _validate.real_array(alpha, "alpha", low=0.0, open_low=True, remedy="it is n / d, samples over dimension")
    ridge = _validate.real_array(lam, "lam", low=0.0, open_low=True, remedy="it is the ridge of the readout")
    try:
        ratio, ridge = np.broadcast_arrays(ratio, ridge)
    except ValueError:
        _validate.fail("lam", f"of a shape that broadcasts with alpha, {ratio.shape}", ridge.shape)
    samples = np.round(ratio * d)
    if samples.min() < 1.0:
        _validate.fail("alpha", "large enough for n >= 1", float(ratio.min()), f"here d = {d}")
    v = _unit(direction, "direction", d) if direction is not None else _leading(w)
    given = _tables(w, sigma, g, v, along, spread)
    out = np.empty((ratio.size, 6))
    load: Real | None = None
    for i in np.lexsort((-ridge.ravel(), ratio.ravel())):
        load, out[i] = _point(given, float(samples.ravel()[i]), float(ridge.ravel()[i]), load)
    train, test, freedom, learned, rest, features = out.T.reshape(6, *ratio.shape)
    parts = {"learned direction": learned, "rest of target": rest, "features": features}
    parts["beyond reach"] = np.full(ratio.shape, given.moments.beyond)
    parts["label noise"] = np.full(ratio.shape, spread**2)
    return RidgeErrors(
        ratio, ridge, train, test, freedom, parts,
        energy={"learned direction": given.moments.learned, "rest of target": given.moments.rest},
        title=f"ridge regression of {g.name} on {sigma.name} features of given weights, p = {p}, d = {d}",
    )  # fmt: skip


def _unit(value: ArrayLike, name: str, size: int) -> Real:
    vector = _validate.real_array(value, name, ndim=1)
    length = float(np.linalg.norm(vector))
    if vector.size != size or length == 0.0:
        _validate.fail(name, f"a vector of length {size} that is not zero", vector.shape)
    return np.asarray(vector / length)


def _leading(w: Real) -> Real:
    """Leading right singular vector."""
    return np.asarray(np.linalg.eigh(w.T @ w)[1][:, -1])


def _tables(w: Real, sigma: Activation, target: Activation, v: Real, theta: Real, noise: float) -> _Given:
    gamma = float(np.clip(v @ theta, -1.0, 1.0))
    t = theta - gamma * v
    length = float(np.linalg.norm(t))
    if length > 1e-8:
        t = t / length
    else:  # any direction orthogonal to v: the target does not look there
        gamma = np.sign(gamma)
        t = np.eye(v.size)[int(np.abs(v).argmin())]
        t = (t - (t @ v) * v) / np.linalg.norm(t - (t @ v) * v)
    spikes, across = w @ v, w @ t
    rest = w - np.outer(spikes, v) - np.outer(across, t)
    scales = np.sqrt((rest**2).sum(axis=1) + across**2)
    if scales.min() <= 1e-12 * np.linalg.norm(w, axis=1).max():
        _validate.fail("weights", "rows that are not all along the learned direction", float(scales.min()))
    bend = max(1.0, float(np.max(np.abs(spikes) / (2.0 * scales))))
    reach = target_reach(target, gamma)
    half = int(np.ceil(min(0.5 * NODES * bend, 320) * reach / 8.5))
    kappa = np.linspace(-reach, reach, 2 * half + 1)
    weights = np.exp(-0.5 * kappa**2)
    weights /= weights.sum()
    shift = np.outer(spikes, kappa)
    c = sigma.conditional(shift, scales[:, None], 2)
    noise_rows = sigma.residual_energy(shift, scales[:, None], 1)
    unit, tilt = rest / scales[:, None], across / scales
    overlap = unit @ unit.T
    squared = 0.5 * (overlap + np.outer(tilt, tilt)) ** 2
    np.fill_diagonal(squared, 0.0)
    return _Given(
        weights, c[..., 0], c[..., 1], np.sqrt(2.0) * c[..., 2], noise_rows, c[..., 1] * tilt[:, None], overlap,
        squared, target_moments(target, gamma, noise, kappa, weights),
    )  # fmt: skip


def _mixed(given: _Given, density: Real) -> Real:
    """``sum_i density_i C(kappa_i)``."""
    total = given.overlap * ((given.linear * density) @ given.linear.T)
    total += given.squared * ((given.curved * density) @ given.curved.T)
    total[np.diag_indices_from(total)] += given.noise @ density
    return np.asarray(total)


def _traces(given: _Given, m: Real) -> Real:
    """``tr(C(kappa_i) m)`` for symmetric m, on the grid."""
    total = np.einsum("pi,pi->i", given.linear, (given.overlap * m) @ given.linear)
    total += np.einsum("pi,pi->i", given.curved, (given.squared * m) @ given.curved)
    return np.asarray(total + m.diagonal() @ given.noise)


def _resolvent(given: _Given, load: Real, ell: float) -> Real:
    density = given.weights / (1.0 + load)
    mean = _mixed(given, density)
    mean += (given.mean * density) @ given.mean.T + (given.tilted * density) @ given.tilted.T
    mean[np.diag_indices_from(mean)] += ell
    return np.asarray(np.linalg.inv(mean))


def _point(given: _Given, samples: float, lam: float, start: Real | None) -> tuple[Real, Real]:
    """V and (train, test, freedom, learned, rest, features) at one point."""
    ell = lam * given.mean.shape[0] / samples
    load = _solve_load(given, samples, ell, start)
    g = _resolvent(given, load, ell)
    density = given.weights / (1.0 + load)
    t0, t1, t2 = given.moments.rows
    b = g @ (given.mean @ (density * t0) + given.tilted @ (density * t1))
    a0, a1 = b @ given.mean, b @ given.tilted
    base = t2 - 2.0 * (a0 * t0 + a1 * t1) + a0**2 + a1**2
    own = base + _traces(given, np.outer(b, b))
    twice = density / (1.0 + load)
    eps = _solve_error(given, g, twice, samples, own)
    learned = given.moments.learned + given.weights @ (a0**2 - 2.0 * a0 * t0)
    rest = given.moments.rest + given.weights @ (a1**2 - 2.0 * a1 * t1)
    freedom = given.weights @ (load / (1.0 + load))
    return load, np.array([twice @ eps, given.weights @ eps, freedom, learned, rest, given.weights @ (eps - base)])


def _solve_load(given: _Given, samples: float, ell: float, start: Real | None) -> Real:
    """The fixed point V of ``tr(C G(V)) / n``: Anderson acceleration in log V, plain steps where it goes astray."""
    x = np.log(_traces(given, np.eye(given.mean.shape[0])) / (samples * ell)) if start is None else np.log(start)
    states: list[Real] = []
    gaps: list[Real] = []
    for _ in range(LIMIT):
        gap = np.log(_traces(given, _resolvent(given, np.exp(x), ell)) / samples) - x
        if np.abs(gap).max() <= SMOOTH:
            return np.asarray(np.exp(x + gap))
        if gaps and np.abs(gap).max() > 2.0 * np.abs(gaps[-1]).max():
            states, gaps = [], []
        states, gaps = [*states[-WINDOW:], x], [*gaps[-WINDOW:], gap]
        x = x + gap
        if len(gaps) > 1:
            d_gap, d_state = np.diff(gaps, axis=0), np.diff(states, axis=0)
            root = np.sqrt(given.weights)
            fit = np.linalg.lstsq((d_gap * root).T, gap * root, rcond=1e-12)[0]
            x = x - fit @ (d_state + d_gap)
    _fail(ell, float(np.abs(gap).max()))
    raise AssertionError


def _solve_error(given: _Given, g: Real, twice: Real, samples: float, own: Real) -> Real:
    """``eps = own + tr(C G E[eps C / (1+V)^2] G) / n`` by GMRES."""
    from scipy.sparse.linalg import LinearOperator, gmres

    # symmetric in the weight E[. / (1+V)^2]; grid points without weight do not matter
    root = np.sqrt(twice)

    def apply(x: Real) -> Real:
        spread = g @ _mixed(given, root * x.ravel()) @ g
        return np.asarray(x.ravel() - root * _traces(given, spread) / samples)

    operator = LinearOperator((own.size, own.size), matvec=apply, dtype=np.float64)
    y, info = gmres(operator, root * own, rtol=SMOOTH, restart=own.size, maxiter=10)
    if info != 0:
        _fail(0.0, float(info))
    spread = g @ _mixed(given, root * y) @ g
    return np.asarray(own + _traces(given, spread) / samples)


def _fail(ell: float, residual: float) -> None:
    z = np.array([-ell + 0j])
    solution = Solution(
        Equation(lambda z, m: m, name="ridge regression of given weights"), z, np.array([np.nan + 0j]),
        np.array([[np.nan + 0j]]), np.array([int(Status.MAX_STEPS)]), np.array([LIMIT]), np.array([residual]),
        np.array([np.inf]), "Anderson acceleration",
    )  # fmt: skip
    raise ConvergenceError(solution, "ridge regression of given weights")
