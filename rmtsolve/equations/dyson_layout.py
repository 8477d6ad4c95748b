"""The covariance of a matrix Dyson equation in coordinates: which averages of entries of M are unknowns.

``S_k[M] = sum B M C`` reads few entries of M, and of those not all are unknown:

- Entries between rows that no chain of entries of A and S connects vanish. Matrices without them are mapped into
  such by ``M -> -(zJ - A + S[M])^{-1}``, hence the physical solution, limit of its iterates, is one (for odd letters
  that is ``X -> -X``).
- ``M`` is its own transpose where the A_k are and ``S[M^T] = S[M]^T`` (real letters): then the transpose of the
  solution is a solution with positive imaginary part, and there is one such only. Two entries are one unknown.

Both cut out a subspace that holds the identity and that ``Y -> M S[Y] M`` keeps, so what proves a solution there
(see `_kernels.dyson_map`) proves it among all matrices.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .base import Complex, Real

Matrix = NDArray[np.complex128]
_Key = tuple[int, int, int, int, int, int]  # scaled by gains, out_i, out_j, channel, row and column that are read

_ROUNDING = 8.0 * np.finfo(float).eps


class Term(NamedTuple):
    """One term ``B M C`` of the covariance."""

    left: Matrix
    right: Matrix
    reads_gain: bool = False  # M is then sum_k p_k g_k M_k instead of sum_k p_k M_k
    writes_gain: bool = False  # and the term counts g_k times in S_k


class Layout(NamedTuple):
    """The covariance in coordinates, as the kernel wants it; the legend is in `_kernels.dyson_map`."""

    out_i: NDArray[np.int64]
    out_j: NDArray[np.int64]
    source: NDArray[np.int64]
    value: Matrix  # (atoms, entries)
    rows: NDArray[np.int64]
    cols: NDArray[np.int64]
    partner: NDArray[np.int64]
    mix: Real  # (atoms, r)
    symmetric: bool  # M is its own transpose
    channel: NDArray[np.int64]  # of every unknown


def covariance_layout(
    constants: Complex, terms: Sequence[Term], dimensions: Real, channels: Real, gains: Real
) -> Layout:
    """Unknowns and covariance in coordinates.

    Parameters
    ----------
    constants : ndarray, shape (atoms, K, K)
        Hermitian ``A_k``.
    terms : sequence of Term
        Covariance of the Gaussian letters.
    dimensions : ndarray, shape (K,)
        Relative dimensions of the rows.
    channels : ndarray, shape (n_channels, atoms)
        Weights of the averages over k that S reads.
    gains : ndarray, shape (atoms,)
        Factors of the terms that write them.
    """
    entries, noise = _entries(terms, dimensions)
    linked = _linked(constants, entries)
    entries = {key: v for key, v in entries.items() if linked[key[4], key[5]]}
    transposed = _transposable(constants, entries, noise)
    unknown = {key[3:] for key in entries}
    unknown |= {(c, b, a) for c, a, b in unknown}
    order = sorted((c, a, b) for c, a, b in unknown if a <= b or not transposed)
    place = {u: index for index, u in enumerate(order)}
    if transposed:
        place |= {(c, b, a): index for (c, a, b), index in place.items()}
    merged: dict[tuple[int, int, int], Complex] = {}
    for key, v in entries.items():
        target = (key[1], key[2], place[key[3:]])
        merged[target] = merged.get(target, np.zeros(gains.size, dtype=np.complex128)) + v * (gains if key[0] else 1.0)
    out_i, out_j, source = np.array(list(merged), dtype=np.int64).reshape(-1, 3).T.copy()
    channel = np.array([c for c, _, _ in order], dtype=np.int64)
    return Layout(
        out_i,
        out_j,
        source,
        np.array(list(merged.values()), dtype=np.complex128).reshape(-1, gains.size).T.copy(),
        np.array([a for _, a, _ in order], dtype=np.int64),
        np.array([b for _, _, b in order], dtype=np.int64),
        np.array([place[c, b, a] for c, a, b in order], dtype=np.int64),
        np.ascontiguousarray(channels[channel].T),
        transposed,
        channel,
    )


def _entries(terms: Sequence[Term], dimensions: Real) -> tuple[dict[_Key, complex], dict[_Key, float]]:
    """The covariance entry by entry, and by how much rounding may have moved each."""
    entries: dict[_Key, complex] = {}
    noise: dict[_Key, float] = {}
    for term in terms:
        for i, a in zip(*np.nonzero(term.left), strict=True):
            for b, j in zip(*np.nonzero(term.right), strict=True):
                if dimensions[a] != dimensions[b]:
                    continue  # M vanishes there
                key = (int(term.writes_gain), int(i), int(j), int(term.reads_gain), int(a), int(b))
                part = complex(term.left[i, a] * term.right[b, j])
                entries[key] = entries.get(key, 0j) + part
                noise[key] = noise.get(key, 0.0) + _ROUNDING * abs(part)
    size = max((abs(v) for v in entries.values()), default=0.0)
    return {key: v for key, v in entries.items() if abs(v) > 1e-15 * size}, noise


def _linked(constants: Complex, entries: dict[_Key, complex]) -> NDArray[np.bool_]:
    """Which entries of M can differ from zero: (K, K), an equivalence relation."""
    linked = (constants != 0.0).any(axis=0) | np.eye(constants.shape[1], dtype=bool)
    while True:
        before = linked
        linked = linked | linked.T | (linked.astype(np.int64) @ linked.astype(np.int64) > 0)
        for _, i, j, _, a, b in entries:
            if linked[a, b]:
                linked[i, j] = True
        if np.array_equal(linked, before):
            return np.asarray(linked)


def _transposable(constants: Complex, entries: dict[_Key, complex], noise: dict[_Key, float]) -> bool:
    """Whether M is its own transpose, up to what rounding did to the coefficients."""
    flipped = constants.swapaxes(-1, -2)
    if not (np.abs(constants - flipped) <= _ROUNDING * np.abs(constants)).all():
        return False
    for key, v in entries.items():
        gain, i, j, channel, a, b = key
        other = (gain, j, i, channel, b, a)
        if not abs(v - entries.get(other, 0j)) <= noise[key]:
            return False
    return True
