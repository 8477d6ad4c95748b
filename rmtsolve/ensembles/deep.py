"""Deep random features: spectrum of the last layer of a deep network with random weights, and its conjugate kernel."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate
from ..activations.base import Activation
from ..activations.parse import read_activation
from ..equations.deep_chain import Chain, DeepChainEquation, DeepLaw
from ..measures.base import Measure
from ..measures.discrete import Discrete
from .base import Ensemble, Outlier
from .counts import as_population, finite_population
from .deep_layers import Layer, Segment, Structure, build
from .deep_network import DeepNetwork

Real = NDArray[np.float64]

_IDENTITY = Discrete([1.0])
MAX_DEPTH = 64


@dataclass(frozen=True, eq=False)
class DeepFeatures(Ensemble):
    """Features ``x_s = sigma_s(W_s x_{s-1})``, s = 1 .. L, of Gaussian inputs; the matrix is ``S = Phi^T Phi / n``.

    Inputs ``x_0 ~ N(0, Omega_0)`` in dimension d, weights ``W_s = Z_s C_s^{1/2} / sqrt p_{s-1}`` with independent
    standard normal Z_s, features ``Phi = x_L`` of n inputs. `conjugate_kernel` is the same for ``Phi Phi^T / p_L``.

    Parameters
    ----------
    activations : sequence of str, Activation or callable, length L
        One function a layer; a single one stands for all layers.
    widths : array_like of float, shape (L,)
        ``p_s / d``, width over input dimension.
    alpha : float
        ``n / d``, samples over input dimension.
    population : Measure or array_like, optional
        Law of the eigenvalues of Omega_0, or the eigenvalues themselves. Default: the identity.
    structures : sequence of (Discrete, array_like, callable or None), optional
        Each C_s: the law of its eigenvalues (C_s is then free from the layers below), None for the identity, which is
        the default, or a vectorised function f for ``C_s = f(Omega_{s-1})``, a Gaussian rainbow.
    centred : bool
        Subtract from every activation its mean ``E sigma_s(sqrt(v_s) g)`` at the limiting variance ``v_s`` of the
        pre-activations: one constant a layer, nothing for odd functions. Without it a hidden layer must have mean
        zero by itself; a mean of the last layer makes one eigenvalue of order p and leaves the bulk as it is.

    Raises
    ------
    DomainError
        An argument is out of range, or a hidden layer that is not centred has a mean: each of its neurons would then
        have a random bias, which is another model.

    Notes
    -----
    The covariance of a layer is ``Omega_s = a_s W_s Omega_{s-1} W_s^T + b_s``, ``a = (E sigma')^2``, ``b`` the energy
    of sigma above degree one, both at the variance ``v_s = tr(C_s Omega_{s-1}) / p_{s-1}``. Omega_0 and C_1 are taken
    as free: the sampler rotates the inputs when both are not the identity. Activations that are not odd have, besides,
    a few isolated eigenvalues at finite d, from the fluctuation of ``|x_0|``, that are not in the limit law. At finite
    d the neurons of a layer differ in variance by relative order ``(tr Omega^2)^{1/2} / tr Omega`` (full traces): where
    a few directions hold most of the variance, sizes of hundreds are still far from the limit.

    References
    ----------
    arXiv:2005.11879 (spectrum, isotropic weights), arXiv:2402.13999 (structured weights).

    Examples
    --------
    >>> import rmtsolve as rmt
    >>> features = rmt.DeepFeatures(["tanh"], widths=[1.5], alpha=1.25)
    >>> features.conjugate_kernel().law().edges
    array([5.72412652e-04, 2.60654542e+00])
    >>> deep = rmt.DeepFeatures(["tanh", "erf", "tanh"], widths=[1.2, 1.4, .8], alpha=1.6)
    >>> deep.conjugate_kernel().law().density([.5, 1.]).round(9), deep.conjugate_kernel().law().atoms
    (array([0.17065061, 0.07805547]), Atoms(locations=array([0.]), weights=array([0.5])))
    """

    activations: tuple[Activation, ...]
    widths: Real
    alpha: float
    population: Measure = field(kw_only=True)
    structures: tuple[Structure, ...] = field(kw_only=True)
    centred: bool = field(kw_only=True, default=True)

    def __init__(
        self,
        activations: Any,
        widths: ArrayLike,
        alpha: float,
        *,
        population: Measure | ArrayLike | None = None,
        structures: Sequence[Any] | None = None,
        centred: bool = True,
    ) -> None:
        w = _validate.real_array(widths, "widths", ndim=1, low=0.0, open_low=True, remedy="they are p_s / d")
        if w.size > MAX_DEPTH:
            _validate.fail("widths", f"at most {MAX_DEPTH} layers", f"{w.size} layers")
        given = list(activations) if isinstance(activations, (list, tuple)) else [activations] * w.size
        if len(given) != w.size:
            _validate.fail("activations", f"{w.size} functions, one a width", f"{len(given)} functions")
        inputs = _IDENTITY if population is None else as_population(population, positive=True)
        if not inputs.moment(1) > 0.0:
            _validate.fail("population", "not all zero", population)
        laws = [None] * w.size if structures is None else list(structures)
        if len(laws) != w.size:
            _validate.fail("structures", f"{w.size} laws or None, one a width", f"{len(laws)}")
        if not isinstance(centred, (bool, np.bool_)):
            _validate.fail("centred", "True or False", centred)
        values: dict[str, Any] = {
            "activations": tuple(read_activation(one, f"activations[{s}]") for s, one in enumerate(given)),
            "widths": _validate.read_only(w),
            "alpha": _validate.positive(alpha, "alpha", "it is n / d, samples over input dimension"),
            "population": inputs,
            "structures": tuple(_structure(law, f"structures[{s}]") for s, law in enumerate(laws)),
            "centred": bool(centred),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
        for s, layer in enumerate(self.layers[:-1]):
            if layer.mean != 0.0 and not self.centred:
                _validate.fail(
                    f"activations[{s}]", "of Gaussian mean zero in a hidden layer when centred=False",
                    self.activations[s].name, "pass centred=True, which subtracts the mean",
                )  # fmt: skip

    @functools.cached_property
    def _built(self) -> tuple[tuple[Layer, ...], tuple[Segment, ...]]:
        return build(self.activations, self.widths, self.population, self.structures)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Variance of the pre-activations, linear gain, nonlinear rest and mean of every layer, in the limit."""
        return self._built[0]

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The chains of equations, from the input to the last layer; mostly one."""
        return self._built[1]

    @property
    def chain(self) -> Chain:
        """The chain that ends with the last layer."""
        return self.segments[-1].chain

    @property
    def ratio(self) -> float:
        """``p_L / n``."""
        return float(self.widths[-1] / self.alpha)

    def __repr__(self) -> str:
        names = [sigma.name for sigma in self.activations]
        text = f"{names}, widths={[float(f'{w:.6g}') for w in self.widths]}, alpha={self.alpha:.6g}"
        if self.population != _IDENTITY:
            text += f", population={self.population!r}"
        if any(law is not None for law in self.structures):
            shown = [getattr(law, "__name__", "function") if callable(law) else repr(law) for law in self.structures]
            text += f", structures=[{', '.join(shown)}]"
        text += "" if self.centred else ", centred=False"
        return f"DeepFeatures({text})" if len(text) < 360 else f"DeepFeatures({text[:350]}...)"

    # ------------------------------------------------------------------ laws
    def equation(self) -> DeepChainEquation:
        """The equation of ``Phi^T Phi / n``."""
        return DeepChainEquation(self.chain, self.ratio)

    def law(self) -> DeepLaw:
        """Limiting law of the p eigenvalues of ``Phi^T Phi / n``."""
        return self._law

    @functools.cached_property
    def _law(self) -> DeepLaw:
        return DeepLaw(self.equation(), repr(self))

    def feature_law(self) -> Measure:
        """Limiting law of the feature covariance ``Omega_L`` itself, n = infinity.

        Examples
        --------
        >>> import rmtsolve as rmt
        >>> rmt.DeepFeatures("tanh", [1.5], alpha=1).feature_law().atoms
        Atoms(locations=array([0.02741533]), weights=array([0.33333333]))
        """
        if self.chain.levels == 1:  # the last layer has no linear part
            return self.chain.population
        return DeepLaw(DeepChainEquation(self.chain, 0.0), f"the covariance of {self!r}")

    def conjugate_kernel(self) -> ConjugateKernel:
        """The n x n matrix ``Phi Phi^T / p_L`` as an ensemble."""
        return ConjugateKernel(self)

    def outliers(self, p: float | None = None) -> tuple[Outlier, ...]:
        """The eigenvalue ``p (E sigma_L)^2`` of order p, for a last layer with a mean; right to relative order 1/p."""
        mean = 0.0 if self.centred else self.layers[-1].mean
        if p is None or mean == 0.0:
            return ()
        width = _validate.real(p, "p", low=1.0)
        return (Outlier(width * mean * mean, 1.0, label="order p, the mean of the last layer"),)

    # ------------------------------------------------------------------ finite size
    def sizes(self, size: int) -> tuple[int, ...]:
        """``(d, p_1, .., p_L, n)`` of a network of ``p_L = size`` features."""
        p = _validate.integer(size, "size", low=1)
        dimension = p / float(self.widths[-1])
        out = [round(dimension), *(round(dimension * float(w)) for w in self.widths[:-1]), p]
        out.append(round(self.alpha * out[0]))
        if min(out) < 1:
            _validate.fail("size", "large enough for d, every width and n to be at least 1", size, f"here {out}")
        return tuple(out)

    def finite(self, size: int) -> DeepFeatures:
        """The same model with the ratios and population counts of a network of ``p_L = size`` features."""
        return self._at(self.sizes(size))

    def _at(self, sizes: tuple[int, ...]) -> DeepFeatures:
        d, n = sizes[0], sizes[-1]
        laws = [
            Discrete(finite_population(law, count)) if isinstance(law, Discrete) else law
            for law, count in zip(self.structures, sizes[:-2], strict=True)
        ]
        population = Discrete(finite_population(self.population, d))
        widths = np.array(sizes[1:-1]) / d
        return DeepFeatures(
            self.activations, widths, n / d, population=population, structures=laws, centred=self.centred
        )

    def network(self, size: int, rng: np.random.Generator) -> DeepNetwork:
        """Random weights of a network of ``p_L = size`` features."""
        return self._network(self.sizes(size), rng)

    def _network(self, sizes: tuple[int, ...], rng: np.random.Generator) -> DeepNetwork:
        _validate.generator(rng)
        _validate.memory(8.0 * sum(a * b for a, b in itertools.pairwise(sizes)), "size", sizes[-2])
        d = sizes[0]
        values = finite_population(self.population, d)
        rotation = None
        if isinstance(self.structures[0], Discrete) and values[0] != values[-1]:
            q, r = np.linalg.qr(rng.standard_normal((d, d)))
            rotation = q * np.sign(np.diag(r))  # uniform on the orthogonal group
        rainbow = any(map(callable, self.structures))
        covariance = np.diag(values)
        if rainbow and rotation is not None:
            covariance = rotation @ covariance @ rotation.T
        weights = []
        for s, law in enumerate(self.structures):
            matrix = rng.standard_normal((sizes[s + 1], sizes[s])) / np.sqrt(sizes[s])
            if isinstance(law, Discrete):
                matrix *= np.sqrt(finite_population(law, sizes[s]))
            elif law is not None:
                eigenvalues, vectors = np.linalg.eigh(covariance)
                root = np.sqrt(np.asarray(law(np.maximum(eigenvalues, 0.0)), dtype=np.float64))
                matrix = (matrix @ vectors * root) @ vectors.T
            weights.append(matrix)
            if rainbow:
                covariance = self.layers[s].gain * matrix @ covariance @ matrix.T
                covariance[np.diag_indices_from(covariance)] += self.layers[s].rest
        offsets = tuple(layer.mean if self.centred else 0.0 for layer in self.layers)
        return DeepNetwork(np.sqrt(values), rotation, tuple(weights), self.activations, offsets)

    def sample(self, size: int, rng: np.random.Generator) -> Real:
        """``Phi^T Phi / n`` of a real network of ``p_L = size`` features."""
        sizes = self.sizes(size)
        network, n = self._network(sizes, rng), sizes[-1]
        gram = np.zeros((size, size))
        for start in range(0, n, 4096):
            features = network.features(network.inputs(min(4096, n - start), rng))
            gram += features.T @ features
        return gram / n


@dataclass(frozen=True, eq=False)
class ConjugateKernel(Ensemble):
    """The conjugate kernel ``K = Phi Phi^T / p_L`` of deep random features, n x n.

    Parameters
    ----------
    features : DeepFeatures
        The network; its ``alpha = n / d`` sets the number of inputs.

    Examples
    --------
    >>> import rmtsolve as rmt
    >>> kernel = rmt.DeepFeatures(["tanh", "sign"], [1.5, 7 / 6], alpha=1.25).conjugate_kernel()
    >>> kernel.law().edges
    array([7.59118121e-04, 7.08601278e+00])
    """

    features: DeepFeatures

    def __init__(self, features: DeepFeatures) -> None:
        if not isinstance(features, DeepFeatures):
            _validate.fail("features", "DeepFeatures", features)
        object.__setattr__(self, "features", features)

    def __repr__(self) -> str:
        return f"ConjugateKernel({self.features!r})"

    def equation(self) -> DeepChainEquation:
        """The equation of ``Phi Phi^T / p_L``."""
        return DeepChainEquation(self.features.chain, self.features.ratio, gram=True)

    @functools.cached_property
    def _law(self) -> DeepLaw:
        return DeepLaw(self.equation(), repr(self))

    def law(self) -> DeepLaw:
        """Limiting law of the n eigenvalues."""
        return self._law

    def outliers(self, p: float | None = None) -> tuple[Outlier, ...]:
        """The eigenvalue of a last layer with a mean; `p` is the size n of the kernel matrix here."""
        ratio = self.features.ratio
        found = self.features.outliers(None if p is None else _validate.real(p, "p", low=1.0) * ratio)
        return tuple(Outlier(one.location / ratio, 1.0, label=one.label.replace("order p", "order n")) for one in found)

    def _sizes(self, size: int) -> tuple[int, ...]:
        n = _validate.integer(size, "size", low=1)
        d = round(n / self.features.alpha)
        out = (d, *(round(d * float(w)) for w in self.features.widths), n)
        if min(out) < 1:
            _validate.fail("size", "large enough for d and every width to be at least 1", size, f"here {out}")
        return out

    def finite(self, size: int) -> ConjugateKernel:
        """The same model with the ratios and population counts of `size` inputs."""
        return ConjugateKernel(self.features._at(self._sizes(size)))

    def sample(self, size: int, rng: np.random.Generator) -> Real:
        """The kernel of `size` inputs and one real network."""
        sizes = self._sizes(size)
        network = self.features._network(sizes, rng)
        features = network.features(network.inputs(size, rng))
        return np.asarray(features @ features.T / sizes[-2])


def _structure(value: Any, name: str) -> Structure:
    """The law of the eigenvalues of a C: finitely many atoms >= 0, not all zero; or a function, or None."""
    if value is None or isinstance(value, Discrete):
        law = value
    elif isinstance(value, Measure):
        _validate.fail(
            name, "a Discrete law, an array of eigenvalues, a function or None", value,
            "discretise it, for instance Discrete(law.quantile((np.arange(500) + .5) / 500))",
        )  # fmt: skip
    elif callable(value):
        return value  # type: ignore[no-any-return]  # any callable may be a Structure; its values are checked
    else:
        law = Discrete(_validate.real_array(value, name, ndim=1))
    if law is not None and (law.locations[0] < 0.0 or law.locations[-1] == 0.0):
        _validate.fail(name, "on [0, inf) and not all zero, the spectrum of a covariance", law)
    return law
