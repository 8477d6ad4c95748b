"""A-posteriori error bounds by the Newton-Kantorovich theorem, with constants from the Schwarz-Pick lemma.

Let ``r = T(s) - s``, ``beta = |(1 - J)^{-1} r|`` and L a Lipschitz constant of ``(1 - J)^{-1} T'`` near s. If
``h = beta L <= 1/4`` there is exactly one fixed point within ``2 beta`` of s. Distances are measured in units of the
distance y of each entry to the boundary of the domain. A holomorphic map of the domain into itself moves points within
y/2 of s by at most ``2 Im T`` (Schwarz-Pick, the farthest point of a hyperbolic disc), so Cauchy's estimate bounds its
second derivative: nothing but the self-map property is assumed. Where s is on the boundary (real z off the support) or
no such domain is known, L is ten times the largest variation of the Jacobian that was sampled around s.

`beta` includes the rounding error of the map, measured by evaluating it at neighbouring floating-point numbers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .base import Complex, Real
from .domains import Domain, clearance, contains, smallest_imaginary
from .maps import FlatMap
from .stacks import eigensystem_each, eigenvalues_each, invert_each, singular_values_each

_EPS = float(np.finfo(float).eps)
_NEIGHBOURS = 6


def error_bounds(tmap: FlatMap, domain: Domain, z: Complex, state: Complex) -> tuple[Real, NDArray[np.bool_]]:
    """(bound on |m - m_true|, proved) for n states near fixed points.

    nan where the theorem does not apply; `proved` is true where the constants come from the domain, not from samples.
    """
    n = z.size
    if n == 0:
        return np.empty(0), np.empty(0, dtype=bool)
    image = tmap(z, state)
    jacobian = tmap.accurate_jacobian(z, state)
    with np.errstate(all="ignore"):
        gradient = np.abs(tmap.readout_gradient(z, state))
        noise = _rounding(tmap, z, state, image, jacobian)
        if domain is Domain.MATRIX:
            strict = _in_matrices(tmap.shape[0], state, image, jacobian, noise)
        elif domain is Domain.NONE:
            strict = np.full(state.shape, np.nan)
        else:
            strict = _in_half_planes(domain, z, state, image, jacobian, noise)
        bound = (gradient * strict).sum(axis=1)
        proved = np.isfinite(bound)
        rest = np.flatnonzero(~proved)
        if rest.size:
            sampled = _sampled(tmap, z[rest], state[rest], image[rest], jacobian[rest], noise[rest])
            bound[rest] = (gradient[rest] * sampled).sum(axis=1)
    m = tmap.readout(z, state)
    # the gradient is good to 1e-9 and the readout rounds
    return np.where(np.isfinite(bound), 1.01 * bound + 8.0 * _EPS * np.abs(m), np.nan), proved


def _rounding(tmap: FlatMap, z: Complex, state: Complex, image: Complex, jacobian: Complex) -> Real:
    """Rounding error of every entry of T: four times the worst misfit at neighbouring floating-point arguments."""
    worst = 2.0 * _EPS * np.abs(image)
    slope = tmap.z_derivative(z, state)
    # terms that cancel are rounded at their own size, and differences with z at the size of the law
    unit = np.maximum(np.abs(state), tmap.gauge.size(z)[:, None])
    length = np.maximum(np.abs(z.real), tmap.gauge.reach(z))
    for k in range(1, _NEIGHBOURS + 1):
        turn = 2.0 * _EPS * k * np.exp(2j * np.pi * k / _NEIGHBOURS)
        moved = state + turn * unit
        misfit = tmap(z, moved) - image - (jacobian @ (moved - state)[..., None])[..., 0]
        worst = np.fmax(worst, 4.0 * np.abs(misfit))
        if k <= 2:
            elsewhere = z.real + 2.0 * _EPS * (3 - 2 * k) * length + 1j * z.imag
            misfit = tmap(elsewhere, state) - image - slope * (elsewhere - z)[:, None]
            worst = np.fmax(worst, 4.0 * np.abs(misfit))
    return np.asarray(worst)


def _in_half_planes(domain: Domain, z: Complex, state: Complex, image: Complex, jacobian: Complex, noise: Real) -> Real:
    """Bound for every entry from the self-map property of a product of half-planes or sectors; nan if it fails."""
    y = clearance(domain, z, state)
    inside = contains(domain, z, state) & contains(domain, z, image)
    scaled = jacobian * y[:, None, :] / y[:, :, None]
    inverse = invert_each(np.eye(state.shape[1]) - scaled)
    size = np.abs(inverse).sum(axis=2).max(axis=1)  # operator norm for the largest entry
    error = (np.abs(image - state) + noise) / y
    beta = (np.abs(inverse) @ error[..., None])[..., 0].max(axis=1)
    # |T(w) - T(s)| <= 2 Im T(s) for |w - s| <= y/2; Cauchy on what is left of the disc, twice for polarisation
    reach = 2.0 * (image.imag / y).max(axis=1)
    lipschitz = 64.0 * reach * size
    good = inside & (beta * lipschitz <= 0.25) & (2.0 * beta <= 0.25)
    return np.where(good, 2.0 * beta, np.nan)[:, None] * y


def _in_matrices(k: int, state: Complex, image: Complex, jacobian: Complex, noise: Real) -> Real:
    """The same for matrices with positive definite imaginary part, in the Frobenius norm."""
    n = state.shape[0]
    bound = np.full(state.shape, np.nan)
    good = (smallest_imaginary(state) > 0.0) & (smallest_imaginary(image) > 0.0)
    if not good.any():
        return bound
    matrices = state[good].reshape(-1, k, k)
    eigenvalues, vectors = eigensystem_each((matrices - matrices.conj().swapaxes(-1, -2)) / 2j)
    root = vectors * np.sqrt(eigenvalues)[:, None, :]  # Im M = root root*
    back = vectors.conj().swapaxes(-1, -2) / np.sqrt(eigenvalues)[:, :, None]
    count = matrices.shape[0]
    spread = np.einsum("nij,nkl->nikjl", root, root.conj()).reshape(count, k * k, k * k)
    gather = np.einsum("nij,nkl->nikjl", back, back.conj()).reshape(count, k * k, k * k)
    inverse = invert_each(np.eye(k * k) - gather @ jacobian[good] @ spread)
    error = np.abs(gather) @ (np.abs(image - state) + noise)[good][..., None]
    beta = np.linalg.norm((np.abs(inverse) @ error)[..., 0], axis=1)
    size = singular_values_each(inverse)[:, 0]
    target = image[good].reshape(-1, k, k)
    imaginary = back @ ((target - target.conj().swapaxes(-1, -2)) / 2j) @ back.conj().swapaxes(-1, -2)
    reach = 4.0 * np.sqrt(k) * np.abs(eigenvalues_each(imaginary)).max(axis=1)
    lipschitz = 32.0 * reach * size
    fine = (beta * lipschitz <= 0.25) & (2.0 * beta <= 0.25)
    # |entry (i, j)| of root X root* is at most |row i of root| |X| |row j of root|
    rows = np.sqrt((np.abs(root) ** 2).sum(axis=2))
    entries = (rows[:, :, None] * rows[:, None, :]).reshape(count, k * k)
    bound[good] = np.where(fine, 2.0 * beta, np.nan)[:, None] * entries
    return bound.reshape(n, k * k)


def _sampled(tmap: FlatMap, z: Complex, state: Complex, image: Complex, jacobian: Complex, noise: Real) -> Real:
    """Bound for every entry with a sampled Lipschitz constant."""
    scale = tmap.largest(z, state)
    inverse = invert_each(np.eye(tmap.size) - jacobian)
    size = np.abs(inverse).sum(axis=2).max(axis=1)
    beta = (np.abs(inverse) @ (np.abs(image - state) + noise)[..., None]).max(axis=(1, 2))
    weights = (1.0 + np.arange(tmap.size)) / tmap.size
    variation = np.zeros(z.size)
    for radius in (1e-2, 1e-4):
        for turn in (1j, 1.0, -1.0):
            step = turn * radius * scale[:, None] * weights
            moved = state + step
            change = tmap.jacobian(z, moved, tmap(z, moved)) - jacobian
            slope = np.abs(change).sum(axis=2).max(axis=1) / (radius * scale)
            # a sample on the far side of a singular point is no information about the near side
            usable = np.isfinite(slope) & (radius * scale * slope * size < 10.0)
            variation = np.where(usable, np.fmax(variation, slope), variation)
    h = beta * 10.0 * size * variation
    good = (h <= 0.25) & (2.0 * beta <= 1e-3 * scale)
    return np.where(good, 2.0 * beta, np.nan)[:, None] * np.ones(tmap.size)
