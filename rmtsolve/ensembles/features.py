"""Random features and spiked random features: two-layer networks before and after one large gradient step."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate
from ..activations.base import Activation
from ..activations.parse import read_activation
from ..equations.spiked_features import MAX_CLASSES, SpikedFeatures, features_equation
from ..equations.spiked_features_law import FeaturesLaw
from .base import Ensemble
from .feature_outliers import FeatureOutlier, find_outliers

Real = NDArray[np.float64]

SPHERE = np.diag([1.0, 1.0, 0.0])  # attribute covariance of rows that are uniform on the unit sphere


@dataclass(frozen=True, eq=False)
class SpikedRandomFeatures(Ensemble):
    """Features ``phi_i(x) = sigma(u_k <v, x> + s_k <w_i, x>)`` of class k; the matrix is ``S = Phi^T Phi / n``.

    The inputs are ``x ~ N(0, I_d)``, v is a unit vector and the w_i are independent and uniform on the unit sphere.
    This is what one large gradient step makes of a two-layer network with K different second-layer weights, see
    `OneStepNetwork`.

    Parameters
    ----------
    activation : str, Activation or callable
        The function sigma; it must have a finite second moment under every Gaussian that it meets.
    spikes : array_like of float, shape (K,)
        u_k, K <= 8.
    scales : array_like of float, shape (K,)
        s_k > 0.
    fractions : array_like of float, shape (K,)
        Part pi_k > 0 of the features in each class; they sum to one.
    alpha, beta : float
        ``n / d`` and ``p / d``: samples and features over input dimension.
    attributes : array_like of float, shape (K, 3, 3), optional
        Covariances ``Xi_k`` of the small components of the weights along v, along a second unit direction (the rest of
        a target) and of their squared norm, ``sqrt(d) (<w, v>, <w, theta>, |w|^2 - 1)``. They move outliers and errors,
        not the bulk. Default: diag(1, 1, 0), the sphere; Gaussian rows N(0, I/d) have diag(1, 1, 2).

    Notes
    -----
    The bulk solves the equation of `rmtsolve.equations.spiked_features`. Compare finite matrices of size p with
    ``finite(p)``, which has the ratios and class counts of that size; what remains is rigid to O(log p) eigenvalues,
    plus a term of relative size ``n^(-1/2)`` from the empirical law of kappa when the spikes are not zero.

    References
    ----------
    arXiv:2410.18938, arXiv:2402.04980; the equations were derived anew.

    Examples
    --------
    >>> import rmtsolve as rmt
    >>> features = rmt.SpikedRandomFeatures("tanh", spikes=[1.5], scales=[1.0], fractions=[1.0], alpha=2, beta=1)
    >>> law = features.law()
    >>> [round(float(edge), 8) for edge in law.edges], round(law.density(.2), 8)
    ([0.00517248, 1.2538332], 1.14532619)
    """

    activation: Activation
    spikes: Real
    scales: Real
    fractions: Real
    alpha: float
    beta: float
    attributes: Real | None = field(default=None, kw_only=True)

    def __init__(
        self,
        activation: Any,
        spikes: ArrayLike,
        scales: ArrayLike,
        fractions: ArrayLike,
        alpha: float,
        beta: float,
        *,
        attributes: ArrayLike | None = None,
    ) -> None:
        sigma = read_activation(activation, "activation")
        u = _validate.real_array(spikes, "spikes", ndim=1)
        if u.size > MAX_CLASSES:
            _validate.fail("spikes", f"at most {MAX_CLASSES} numbers, one a class", f"{u.size} numbers")
        s = _validate.real_array(scales, "scales", ndim=1, low=0.0, open_low=True)
        if s.size != u.size:
            _validate.fail("scales", f"{u.size} numbers, one a class as in spikes", f"{s.size} numbers")
        pi = _validate.probabilities(fractions, "fractions", u.size)
        if not pi.all():
            _validate.fail("fractions", "positive", 0.0, "leave empty classes out")
        covariance = None if attributes is None else _attributes(attributes, u.size)
        values: dict[str, Any] = {"activation": sigma, "spikes": u, "scales": s, "fractions": pi}
        values["alpha"] = _validate.positive(alpha, "alpha", "it is n / d, samples over input dimension")
        values["beta"] = _validate.positive(beta, "beta", "it is p / d, features over input dimension")
        for name, value in {**values, "attributes": covariance}.items():
            object.__setattr__(self, name, _validate.read_only(value) if isinstance(value, np.ndarray) else value)
        size = sigma.second_moment(0.0, np.hypot(u, s))
        rest = sigma.residual_energy(0.0, np.hypot(u, s), 0)
        if not np.isfinite(size).all():
            _validate.fail("activation", "square integrable under the Gaussian", sigma.name)
        if np.max(rest) <= 1e-14 * np.max(size):
            _validate.fail("activation", "a function that is not constant", sigma.name, "its features are all equal")

    @functools.cached_property
    def _equation(self) -> SpikedFeatures:
        return features_equation(self.activation, self.spikes, self.scales, self.fractions, self.alpha, self.beta)

    @functools.cached_property
    def _law(self) -> FeaturesLaw:
        return FeaturesLaw(self._equation, repr(self))

    def __repr__(self) -> str:
        lists = ", ".join(
            f"{name}={[float(f'{x:.6g}') for x in getattr(self, name)]}" for name in ("spikes", "scales", "fractions")
        )
        return f"SpikedRandomFeatures({self.activation.name!r}, {lists}, alpha={self.alpha:.6g}, beta={self.beta:.6g})"

    def equation(self) -> SpikedFeatures:
        """The equation of the bulk, on its grid in kappa."""
        return self._equation

    def law(self) -> FeaturesLaw:
        """The bulk: `density`, `class_densities`, `edges` with `edge_kinds`, the atom at zero, `cdf`."""
        return self._law

    def covariances(self) -> Real:
        """The attribute covariances in use, shape (K, 3, 3)."""
        return np.tile(SPHERE, (self.spikes.size, 1, 1)) if self.attributes is None else self.attributes

    def outliers(self, p: float | None = None) -> tuple[FeatureOutlier, ...]:
        """Isolated eigenvalues, ascending.

        Parameters
        ----------
        p : float, optional
            Number of features of the matrix: then the outliers of order p, at most one a class, are listed too, and
            all locations are those at this size. Without it: the outliers that stay of order one as p grows.

        Returns
        -------
        tuple of FeatureOutlier
            ``overlap`` has the squared overlaps of the eigenvector with ``1_k / sqrt p``: a float for one class.

        Examples
        --------
        >>> import rmtsolve as rmt
        >>> relu = rmt.SpikedRandomFeatures("relu", [1.5], [1.0], [1.0], alpha=2, beta=1)
        >>> [(o.label, round(o.location, 4)) for o in relu.outliers(p=600)]
        [('order p', 727.0948)]
        """
        width = None if p is None else _validate.real(p, "p", low=1.0)
        return find_outliers(self._law, self.covariances(), width)

    # ------------------------------------------------------------------ finite size
    def _sizes(self, size: int) -> tuple[int, int, Any]:
        """Samples n, dimension d and class counts of a matrix of this size."""
        p = _validate.integer(size, "size", low=1)
        d = round(p / self.beta)
        n = round(self.alpha * d)
        if d < 3 or n < 1:
            _validate.fail("size", "large enough for d >= 3 and n >= 1", size, f"here d = {d}, n = {n}")
        exact = self.fractions * p
        counts = np.floor(exact).astype(np.int64)
        counts[np.argsort(counts - exact, kind="stable")[: p - int(counts.sum())]] += 1
        return n, d, counts

    def finite(self, size: int) -> SpikedRandomFeatures:
        """The same model with the ratios and class counts of a matrix of this size; classes without a feature go."""
        n, d, counts = self._sizes(size)
        kept = counts > 0
        return SpikedRandomFeatures(
            self.activation, self.spikes[kept], self.scales[kept], counts[kept] / size, n / d, size / d,
            attributes=None if self.attributes is None else self.attributes[kept],
        )  # fmt: skip

    def sample(self, size: int, rng: np.random.Generator) -> Real:
        """``Phi^T Phi / n`` for size = p features of n = round(alpha d) inputs in dimension d = round(p / beta)."""
        n, d = self._sizes(size)[:2]
        rng = _validate.generator(rng)
        _validate.memory(8.0 * (2 * size * d + 3 * size * size + 2 * min(n, 4096) * (size + d)), "size", size)
        weights = self.weights(size, rng)
        gram = np.zeros((size, size))
        for start in range(0, n, 4096):
            inputs = rng.standard_normal((min(4096, n - start), d))
            features = self.activation(inputs @ weights.T)
            gram += features.T @ features
        return gram / n

    def weights(self, size: int, rng: np.random.Generator) -> Real:
        """First-layer weights ``u_k v + s_k w_i``, (p, d), class after class; v and theta are the first two axes."""
        _, d, counts = self._sizes(size)
        rng = _validate.generator(rng)
        _validate.memory(16.0 * size * d, "size", size)
        owner = np.repeat(np.arange(counts.size), counts)
        rows = rng.standard_normal((size, d))
        if self.attributes is None:
            rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        else:
            values, vectors = np.linalg.eigh(self.attributes)
            roots = vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
            small = np.einsum("iab,ib->ia", roots[owner], rng.standard_normal((size, 3))) / np.sqrt(d)
            length = np.sqrt(np.maximum(1.0 + small[:, 2], 0.0))
            rows *= (length / np.linalg.norm(rows[:, 2:], axis=1))[:, None]
            rows[:, :2] = small[:, :2]
        rows *= self.scales[owner, None]
        rows[:, 0] += self.spikes[owner]
        return np.asarray(rows)


class RandomFeatures(SpikedRandomFeatures):
    """Features ``phi_i(x) = sigma(<w_i, x>)`` with rows uniform on the unit sphere; the matrix is ``Phi^T Phi / n``.

    Parameters
    ----------
    activation : str, Activation or callable
        The function sigma.
    alpha, beta : float
        ``n / d`` and ``p / d``.

    Notes
    -----
    The law is the Marchenko-Pastur law with population ``c_1^2 W W^T + sum_{k >= 2} c_k^2``: linear part and noise.

    Examples
    --------
    >>> import rmtsolve as rmt
    >>> rmt.RandomFeatures("relu", alpha=2, beta=1).law().edges
    array([0.01493761, 1.58310115])
    """

    def __init__(self, activation: Any, alpha: float, beta: float) -> None:
        super().__init__(activation, [0.0], [1.0], [1.0], alpha, beta)

    def __repr__(self) -> str:
        return f"RandomFeatures({self.activation.name!r}, alpha={self.alpha:.6g}, beta={self.beta:.6g})"


def _attributes(value: ArrayLike, classes: int) -> Real:
    """Attribute covariances, checked to be symmetric and positive semidefinite."""
    array = _validate.real_array(value, "attributes", ndim=3)
    if array.shape != (classes, 3, 3):
        _validate.fail("attributes", f"of shape ({classes}, 3, 3)", array.shape)
    scale = float(np.max(np.abs(array))) or 1.0
    if np.max(np.abs(array - array.swapaxes(1, 2))) > 1e-12 * scale:
        _validate.fail("attributes", "symmetric matrices", "an asymmetric one")
    array = 0.5 * (array + array.swapaxes(1, 2))
    if np.linalg.eigvalsh(array).min() < -1e-12 * scale:
        _validate.fail("attributes", "positive semidefinite", float(np.linalg.eigvalsh(array).min()))
    return array
