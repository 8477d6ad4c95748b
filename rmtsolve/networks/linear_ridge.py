"""Ridge regression on features of given second moments: errors for any number of samples and any ridge.

    a = (Phi^T Phi / p + lam)^{-1} Phi^T y / sqrt p,   prediction phi . a / sqrt p,   Omega = E phi phi^T, psi = E y phi

is equivalent to ``a = (Omega/p + kappa)^{-1} (psi / sqrt p + noise)`` with

    lam = kappa (n - df1),  df1 = tr Omega (Omega + p kappa)^{-1},  df2 = tr Omega^2 (Omega + p kappa)^{-2},
    test = [sigma_y^2 - psi^T (Omega + p kappa)^{-1} psi - p kappa psi^T (Omega + p kappa)^{-2} psi] / (1 - df2 / n),
    train = (1 - df1 / n)^2 test.

The bracket is written as a sum of positive terms: with ``beta = Omega^+ psi`` it is what no linear function fits,
``sigma_y^2 - beta^T Omega beta``, plus ``sum_i beta_i^2 omega_i (p kappa)^2 / (omega_i + p kappa)^2``.

Source: arXiv:2402.13999 and arXiv:2302.00401 in the variable kappa; this is the chain of
`rmtsolve.equations.deep_chain` without a layer, and is solved by the same kernel.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate
from ..equations.deep_chain import Chain, solve_ridge
from ..errors import DomainError
from ..measures.discrete import Discrete
from .ridge_result import RidgeErrors

Real = NDArray[np.float64]

_ROUNDING = 1e-9  # how much of the energy of the labels may be lost to rounding in psi and Omega


@dataclass(frozen=True, eq=False)
class LinearRidgeErrors(RidgeErrors):
    """`RidgeErrors` with what the equivalent of a linear model knows besides; ``alpha`` is ``n / p`` here.

    Parameters
    ----------
    n : ndarray of float
        Number of samples.
    kappa : ndarray of float
        Effective ridge of ``Omega / p``.
    df1, df2 : ndarray of float
        ``tr Omega (Omega + p kappa)^{-1}`` and the same squared.
    norm : ndarray of float
        Squared norm of the readout.
    """

    n: Real = field(default_factory=lambda: np.empty(0))
    kappa: Real = field(default_factory=lambda: np.empty(0))
    df1: Real = field(default_factory=lambda: np.empty(0))
    df2: Real = field(default_factory=lambda: np.empty(0))
    norm: Real = field(default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("n", "kappa", "df1", "df2", "norm"):
            object.__setattr__(self, name, _validate.read_only(np.array(getattr(self, name), dtype=np.float64)))


@dataclass(frozen=True, eq=False)
class LinearRidge:
    """Features and labels known by their second moments: one eigendecomposition, then any (n, lam).

    Parameters
    ----------
    covariance : array_like, shape (p, p), or (p,)
        ``Omega = E phi phi^T``, symmetric and positive semidefinite; a vector stands for a diagonal matrix.
    cross_covariance : array_like, shape (p,)
        ``psi = E y phi``.
    label_energy : float
        ``sigma_y^2 = E y^2``, noise included; at least ``psi^T Omega^+ psi``.
    intercept : bool
        Fit an unpenalised intercept: the three moments must then be the centred ones, ``Cov(phi)``, ``Cov(y, phi)`` and
        ``Var(y)``, and n counts for ``n - 1``.

    Raises
    ------
    DomainError
        The moments belong to no random variables: Omega is not symmetric or has a negative eigenvalue, psi leaves the
        range of Omega, or the labels have less energy than what psi explains.

    Examples
    --------
    >>> import numpy as np, rmtsolve as rmt
    >>> model = rmt.LinearRidge(np.ones(100), np.full(100, .1), label_energy=1.5)
    >>> errors = model.errors(n=[50, 200], lam=.1)
    >>> errors.test.round(6), errors.train.round(6)
    (array([1.301784, 0.873057]), array([0.028642, 0.256676]))
    """

    covariance: Real
    cross_covariance: Real
    label_energy: float
    intercept: bool = field(default=False, kw_only=True)

    def __init__(
        self, covariance: ArrayLike, cross_covariance: ArrayLike, label_energy: float, *, intercept: bool = False
    ) -> None:
        omega = _validate.real_array(covariance, "covariance")
        if omega.ndim not in (1, 2) or (omega.ndim == 2 and omega.shape[0] != omega.shape[1]):
            _validate.fail("covariance", "a square matrix or the vector of a diagonal one", f"shape {omega.shape}")
        psi = _validate.real_array(cross_covariance, "cross_covariance", ndim=1)
        if psi.size != omega.shape[0]:
            _validate.fail("cross_covariance", f"of length {omega.shape[0]}, as the covariance", psi.size)
        scale = float(np.max(np.abs(omega)))
        if omega.ndim == 2 and np.max(np.abs(omega - omega.T)) > 1e-10 * scale:
            _validate.fail("covariance", "symmetric", "an asymmetric matrix", "pass (C + C.T) / 2")
        if not isinstance(intercept, (bool, np.bool_)):
            _validate.fail("intercept", "True or False", intercept)
        values = {
            "covariance": _validate.read_only(omega if omega.ndim == 1 else 0.5 * (omega + omega.T)),
            "cross_covariance": _validate.read_only(psi),
            "label_energy": _validate.real(label_energy, "label_energy", low=0.0, remedy="it is E y^2"),
            "intercept": bool(intercept),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
        self._spectrum  # noqa: B018  checks the moments now, not at the first use

    @property
    def features(self) -> int:
        """Number of features p."""
        return int(self.cross_covariance.size)

    @functools.cached_property
    def _spectrum(self) -> tuple[Real, Real, float, Real]:
        """Distinct eigenvalues, their weights, what no linear function fits, and the energy fitted along each."""
        if self.covariance.ndim == 1:
            values, along = self.covariance.copy(), self.cross_covariance
        else:
            values, vectors = np.linalg.eigh(self.covariance)
            along = vectors.T @ self.cross_covariance
        largest = float(np.max(np.abs(values)))
        cut = self.features * np.finfo(float).eps * largest
        if values.min() < -1e3 * cut:
            _validate.fail("covariance", "positive semidefinite", float(values.min()), "it is E phi phi^T")
        if largest == 0.0:
            _validate.fail("covariance", "not zero", 0.0)
        values = np.where(values <= cut, 0.0, values)
        null = values == 0.0
        # Cauchy-Schwarz with the rounded eigenvalue: (u psi)^2 <= (u Omega u) E y^2
        if np.linalg.norm(along[null]) > (1e3 * cut * self.label_energy) ** 0.5 + _ROUNDING * np.linalg.norm(along):
            _validate.fail(
                "cross_covariance", "in the range of the covariance", "a part outside of it",
                "a feature of variance zero has no covariance with the labels",
            )  # fmt: skip
        distinct, index, counts = np.unique(values, return_inverse=True, return_counts=True)
        parts = np.where(null, 0.0, along / np.sqrt(np.where(null, 1.0, values))) ** 2  # beta^2 omega
        fitted = np.bincount(index, parts).astype(np.float64)
        explained = float(fitted.sum())
        rest = self.label_energy - explained
        if rest < -_ROUNDING * max(explained, self.label_energy):
            raise DomainError(
                f"label_energy must be at least what the features explain, psi^T Omega^+ psi = {explained:.12g}, got "
                f"{self.label_energy:.12g}; it is E y^2 under the same law as the covariances"
            )
        if rest <= 1e-14 * self.label_energy:
            rest = 0.0
        return distinct, counts / self.features, rest, fitted

    @functools.cached_property
    def chain(self) -> Chain:
        """The covariance over its largest eigenvalue, as a chain without a layer."""
        values, weights, _, _ = self._spectrum
        values = values / values[-1]
        none = np.empty(0)
        return Chain(Discrete(values, weights), np.stack([values, values], axis=1), none, none, none, ())

    @property
    def unexplained(self) -> float:
        """Energy of the labels that no linear function of the features fits, ``sigma_y^2 - psi^T Omega^+ psi``."""
        return self._spectrum[2]

    def errors(self, n: ArrayLike, lam: ArrayLike) -> LinearRidgeErrors:
        """Train and test errors for n samples and ridge lam, broadcast against each other.

        Parameters
        ----------
        n : array_like of float
            Number of samples > 0 (> 1 with an intercept), not necessarily an integer.
        lam : array_like of float
            Ridge >= 0 added to ``Phi^T Phi / p``; 0 is the limit of a vanishing one (least squares, or the solution of
            least norm when n is below the rank of Omega).

        Returns
        -------
        LinearRidgeErrors
            ``parts``: "linear part" missed, "unexplained" labels, "variance" of the readout; they sum to ``test``.
            At ``lam = 0`` and n equal to the rank the test error is infinite unless nothing is unexplained.

        Raises
        ------
        ConvergenceError
            A point was not solved to 1e-10.
        """
        samples, ridge, shape = _grid(n, lam, 1.0 if self.intercept else 0.0)
        effective = samples - self.intercept
        values, weights, rest, fitted = self._spectrum
        p, unit = float(self.features), float(values[-1])
        values = values / unit
        solved = solve_ridge(self.chain, ridge / unit * p / effective, p / effective)
        kappa = solved.kappa[:, 0]
        below, room = solved.below, solved.room
        shifted = values + kappa[:, None]
        positive = values > 0.0
        with np.errstate(divide="ignore", invalid="ignore"):
            missed = np.where(positive, (kappa[:, None] / shifted) ** 2, 0.0) @ fitted
            bracket = rest + missed
            test = np.where(bracket > 0.0, bracket / below, 0.0)
            train = np.where(below > 0.0, room * (room / below) * bracket, 0.0)
            spread = np.where(positive, values / shifted**2, 0.0)
            noise = np.where(bracket > 0.0, test / effective * (spread @ weights) * p, 0.0)
            norm = p / unit * (spread @ fitted + noise)
        variance = np.where(np.isinf(test), np.inf, test - bracket)
        df1, df2 = p * solved.t[:, 0], p * solved.f[:, 0]

        def shaped(array: Real) -> Real:
            return array.reshape(shape)

        return LinearRidgeErrors(
            alpha=shaped(samples / p), lam=shaped(ridge), train=shaped(train), test=shaped(test),
            degrees_of_freedom=shaped(df1 / effective),
            parts={"linear part": shaped(missed), "unexplained": shaped(np.full(missed.shape, rest)),
                   "variance": shaped(variance)},
            energy={"linear part": float(fitted.sum())},
            title=f"ridge on {self.features} features of given covariance" + ", with intercept" * self.intercept,
            n=shaped(samples), kappa=shaped(kappa * (unit / p)), df1=shaped(df1), df2=shaped(df2), norm=shaped(norm),
        )  # fmt: skip


def linear_ridge_errors(
    covariance: ArrayLike,
    cross_covariance: ArrayLike,
    label_energy: float,
    n: ArrayLike,
    lam: ArrayLike,
    *,
    intercept: bool = False,
) -> LinearRidgeErrors:
    """Errors of ridge regression on features of given second moments, see `LinearRidge`.

    Examples
    --------
    >>> import numpy as np, rmtsolve as rmt
    >>> float(rmt.linear_ridge_errors(np.ones(50), np.zeros(50), 1.0, n=100, lam=0).test)
    2.0
    """
    return LinearRidge(covariance, cross_covariance, label_energy, intercept=intercept).errors(n, lam)


def _grid(n: ArrayLike, lam: ArrayLike, least: float) -> tuple[Real, Real, tuple[int, ...]]:
    """Samples and ridges, broadcast and flattened, with the common shape."""
    samples = _validate.real_array(n, "n", low=least, open_low=True, remedy="it is the number of samples")
    ridge = _validate.real_array(lam, "lam", low=0.0, remedy="it is a ridge")
    try:
        samples, ridge = np.broadcast_arrays(samples, ridge)
    except ValueError:
        raise DomainError(f"n and lam must broadcast together, got shapes {samples.shape} and {ridge.shape}") from None
    _validate.memory(8.0 * 20 * samples.size, "n", samples.shape)
    return samples.ravel().copy(), ridge.ravel().copy(), samples.shape
