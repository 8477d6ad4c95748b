"""Hypothesis strategies for the arguments of random-matrix models; domains are those that the validators accept."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from ..ensembles.covariance import SampleCovariance
from ..ensembles.wigner import DeformedWigner, Wigner
from ..measures.discrete import Discrete

Complex = NDArray[np.complex128]


def upper_half_plane(center: float = 0.0, scale: float = 1.0, closest: float = 1e-3) -> st.SearchStrategy[complex]:
    """Complex z with ``closest <= Im z / scale <= 100`` (log-uniform) and ``|Re z - center| <= 3 scale``.

    Shrinks towards ``center + i scale``.
    """
    real = st.floats(-3.0, 3.0, allow_nan=False)
    decade = st.floats(float(np.log10(closest)), 2.0, allow_nan=False)
    return st.builds(lambda x, y: complex(center + scale * x, scale * 10.0**y), real, decade)


def populations(
    low: float = 0.1, high: float = 10.0, max_atoms: int = 4, zero: bool = False
) -> st.SearchStrategy[Discrete]:
    """Discrete populations of 1 to `max_atoms` atoms in [low, high]; with `zero` perhaps also an atom at zero."""
    strategy: st.SearchStrategy[Discrete] = st.composite(_draw_population)(low, high, max_atoms, zero)
    return strategy


def _draw_population(draw: st.DrawFn, low: float, high: float, max_atoms: int, zero: bool) -> Discrete:
    count = draw(st.integers(1, max_atoms))
    # six digits: models of atoms of size 1e-300 overflow, and nobody has such a population
    atom = st.floats(low, high).map(lambda t: min(max(round(t, 6), low), high) + 0.0)
    atoms = draw(st.lists(atom, min_size=count, max_size=count, unique=True))
    if zero and draw(st.booleans()):
        atoms = [0.0, *atoms]
    parts = np.array(draw(st.lists(st.integers(1, 20), min_size=len(atoms), max_size=len(atoms))), dtype=float)
    return Discrete(atoms, parts / parts.sum())


def ratios(low: float = 0.05, high: float = 5.0) -> st.SearchStrategy[float]:
    """Aspect ratios p/n, log-uniform in [low, high]; shrinks towards 1, where the hard edge is."""
    return st.floats(float(np.log(low)), float(np.log(high)), allow_nan=False).map(lambda t: float(np.exp(t)))


def activations() -> st.SearchStrategy[Any]:
    """Activations of the library and sums of two of them."""
    from ..activations.parse import activation

    names = ["relu", "tanh", "erf", "sin", "gelu", "softplus", "abs", "quadratic", "cubic"]
    one = st.sampled_from(names)
    scale = st.sampled_from(["1", "2", "1/2"])
    text = st.one_of(one, st.builds(lambda a, s, b: f"{a}(x) + {s}*{b}(x)", one, scale, one))
    return text.map(activation)


def targets() -> st.SearchStrategy[Any]:
    """Single-index targets of finite energy."""
    from ..activations.parse import activation

    return st.sampled_from(["sin(x)", "tanh(x)", "relu(x)", "sign(x)", "x", "x + x**2/2", "x**3/3 - x"]).map(activation)


def ensembles() -> st.SearchStrategy[Any]:
    """Ensembles with random parameters: sample covariance, Wigner, deformed Wigner."""
    return st.one_of(
        st.builds(SampleCovariance, populations(), ratios()),
        st.builds(Wigner, st.floats(0.1, 4.0)),
        st.builds(DeformedWigner, populations(low=-3.0, high=3.0), st.floats(0.1, 4.0)),
    )


def pencils(max_size: int = 3, max_letters: int = 2) -> st.SearchStrategy[tuple[Complex, tuple[Complex, ...]]]:
    """``(A, (A_1, ..., A_r))``: Hermitian matrices of one size 2 to `max_size`, for ``A + sum A_i (x) W_i``.

    The state of the matrix Dyson equation then solves ``M = -(z - A + sum_i A_i M A_i)^{-1}``. Every A_i is regular, so
    that the law has no atoms. Shrinks towards real matrices with small integer entries.
    """
    strategy: st.SearchStrategy[tuple[Complex, tuple[Complex, ...]]] = st.composite(_draw_pencil)(max_size, max_letters)
    return strategy


def _draw_pencil(draw: st.DrawFn, max_size: int, max_letters: int) -> tuple[Complex, tuple[Complex, ...]]:
    k = draw(st.integers(2, max_size))
    letters = draw(st.integers(1, max_letters))
    whole = st.integers(-4, 4)

    def hermitian() -> Complex:
        numbers = draw(st.lists(whole, min_size=2 * k * k, max_size=2 * k * k))
        raw = (np.array(numbers[: k * k]) + 1j * np.array(numbers[k * k :])).reshape(k, k) / 4.0
        return np.asarray(0.5 * (raw + raw.conj().T))

    constant = hermitian()
    # the identity lifts the eigenvalues of a matrix with entries of modulus <= sqrt(2) away from zero
    lift = 1.5 * np.sqrt(2.0) * k * np.eye(k)
    return constant, tuple((hermitian() + lift) / (3.0 * k) for _ in range(letters))
