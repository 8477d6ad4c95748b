"""Domains in which the physical state must lie, with the distance that a self-map of the domain never increases.

If ``T(z, .)`` is a holomorphic map of one of these domains into itself, it has at most one fixed point there (Earle and
Hamilton 1970), so a root found in the domain is the physical one. Three domains occur: all entries in the upper
half-plane; all entries ``w`` with ``w`` and ``z w`` in the upper half-plane (laws on the positive axis); matrices with
positive definite imaginary part. ``merit`` is ``sinh^2`` of half the hyperbolic distance between a state and its image
(Schwarz-Pick): zero at the fixed point, never increased by T.
"""

from __future__ import annotations

from enum import Enum

import numpy as np
from numpy.typing import NDArray

from .base import Complex, Real
from .stacks import eigensystem_each, eigenvalues_each

_ROUNDING = 1e-9  # of the size of a state: what an iteration leaves


class Domain(Enum):
    """Where the states must lie; ``NONE``: no domain that T maps into itself was found."""

    NONE = "no domain that the map sends into itself"
    HALF_PLANE = "the upper half-plane"
    SECTOR = "the states w with w and zw in the upper half-plane"
    MATRIX = "the matrices with positive definite imaginary part"


def candidates(shape: tuple[int, ...]) -> tuple[Domain, ...]:
    """Domains to try for a state of this shape."""
    return (Domain.MATRIX,) if len(shape) == 2 else (Domain.HALF_PLANE, Domain.SECTOR)


def contains(domain: Domain, z: Complex, state: Complex) -> NDArray[np.bool_]:
    """Which of the flattened states (n, d) lie in the domain."""
    if domain is Domain.MATRIX:
        return np.asarray(smallest_imaginary(state) > 0.0)
    inside = state.imag > 0.0
    if domain is Domain.SECTOR:
        inside &= (z[:, None] * state).imag > 0.0
    if domain is Domain.NONE:
        return np.asarray(np.isfinite(state).all(axis=1))
    return np.asarray(inside.all(axis=1))


def clearance(domain: Domain, z: Complex, state: Complex) -> Real:
    """Distance of every entry to the boundary of the domain, (n, d); for vectors and scalars."""
    distance = state.imag
    if domain is Domain.SECTOR:
        length = np.where(z == 0.0, 1.0, np.abs(z))  # at zero the sector is closed
        distance = np.minimum(distance, (z[:, None] * state).imag / length[:, None])
    return np.asarray(distance)


def well_inside(domain: Domain, z: Complex, state: Complex, size: Real) -> NDArray[np.bool_]:
    """Which states are so far from the boundary of the domain that this is no rounding error of numbers of `size`."""
    height = smallest_imaginary(state) if domain is Domain.MATRIX else clearance(domain, z, state).min(axis=1)
    return np.asarray(height > _ROUNDING * size)


def merit(domain: Domain, z: Complex, state: Complex, image: Complex) -> Real:
    """``sinh^2(distance / 2)`` between state and image, the largest over the entries; inf outside the domain."""
    with np.errstate(all="ignore"):
        if domain is Domain.MATRIX:
            return _matrix_merit(state, image)
        if domain is Domain.HALF_PLANE:
            value = _abs2(image - state) / (4.0 * state.imag * image.imag)
        elif domain is Domain.SECTOR:
            # log maps the sector onto a strip of height theta = pi - arg z
            scale = np.pi / np.maximum(np.pi - np.angle(z), 1e-300)[:, None]
            first, second = scale * np.angle(state), scale * np.angle(image)
            along = 0.5 * scale * np.log(np.abs(image) / np.abs(state))
            across = 0.5 * (second - first)
            value = (np.sinh(along) ** 2 + np.sin(across) ** 2) / (np.sin(first) * np.sin(second))
        else:
            value = _abs2(image - state) / _abs2(np.abs(state).max(axis=1, keepdims=True))
        value = value.max(axis=1)
        inside = contains(domain, z, state) & contains(domain, z, image)
    return np.where(inside & np.isfinite(value), value, np.inf)


def sample(
    domain: Domain, z: Complex, scale: Real, shape: tuple[int, ...], count: int, *, flat: float = 1.0
) -> Complex:
    """`count` spread-out states of the domain for every z, (n, count, d): a fixed quasi-random set.

    Sizes cover six decades around `scale`, and a third of the states are close to the boundary of the domain; with
    `flat` all of them are within about this angle of it.
    """
    d = int(np.prod(shape, dtype=int))
    index = np.arange(1, z.size * count + 1, dtype=np.float64)[:, None]
    if domain is Domain.MATRIX:
        k = shape[0]
        normal = _weyl_normal(index, 4 * d).reshape(z.size, count, 4, k, k)
        first = normal[:, :, 0] + 1j * normal[:, :, 1]
        second = normal[:, :, 2] + 1j * normal[:, :, 3]
        hermitian = first + first.conj().swapaxes(-1, -2)
        size = 10.0 ** (6.0 * np.modf(index * _root(3))[0] - 3.0).reshape(z.size, count, 1, 1)
        positive = second @ second.conj().swapaxes(-1, -2)
        return np.asarray(
            (scale[:, None, None, None] * size * (hermitian + 1j * flat * positive)).reshape(z.size, count, d)
        )
    opening = np.pi if domain is not Domain.SECTOR else np.pi - np.angle(z)[:, None, None]
    radius = np.modf(index * _root(2 + np.arange(d)))[0].reshape(z.size, count, d)
    angle = np.modf(index * _root(2 + d + np.arange(d)))[0].reshape(z.size, count, d)
    # six decades for every other state, one decade for the rest; the angle tends to 0 like u^4 in the outer sixths
    power = np.where((np.arange(count) % 2 == 0)[:, None], 6.0 * radius - 3.0, radius - 0.5)
    angle = np.where(angle < 1 / 6, (6.0 * angle) ** 4 / 6.0, angle)
    angle = np.where(angle > 5 / 6, 1.0 - (6.0 * (1.0 - angle)) ** 4 / 6.0, angle)
    if flat < 1.0:  # towards the nearer side
        angle = np.where(angle < 0.5, flat * angle, 1.0 - flat * (1.0 - angle))
    return np.asarray(scale[:, None, None] * 10.0**power * np.exp(1j * opening * angle))


def smallest_imaginary(state: Complex) -> Real:
    """Smallest eigenvalue of ``(M - M*)/2i`` of flattened square matrices; -inf where not finite."""
    k = round(state.shape[1] ** 0.5)
    matrices = state.reshape(-1, k, k)
    good = np.isfinite(matrices).all(axis=(1, 2))
    lowest = np.full(matrices.shape[0], -np.inf)
    if good.any():
        imaginary = (matrices[good] - matrices[good].conj().swapaxes(-1, -2)) / 2j
        lowest[good] = eigenvalues_each(imaginary)[:, 0]
    return np.where(np.isnan(lowest), -np.inf, lowest)


def real_part(state: Complex, shape: tuple[int, ...]) -> Complex:
    """The nearest state of a real point off the support: real part, for matrices the Hermitian part."""
    if len(shape) < 2:
        return state.real.astype(np.complex128)
    matrices = state.reshape(-1, *shape)
    return np.asarray((0.5 * (matrices + matrices.conj().swapaxes(-1, -2))).reshape(state.shape))


def _matrix_merit(state: Complex, image: Complex) -> Real:
    k = round(state.shape[1] ** 0.5)
    good = (smallest_imaginary(state) > 0.0) & (smallest_imaginary(image) > 0.0)
    value = np.full(state.shape[0], np.inf)
    if good.any():
        roots = []
        for matrices in (state[good].reshape(-1, k, k), image[good].reshape(-1, k, k)):
            eigenvalues, vectors = eigensystem_each((matrices - matrices.conj().swapaxes(-1, -2)) / 2j)
            roots.append(vectors / np.sqrt(np.maximum(eigenvalues, 1e-300))[:, None, :])
        gap = (image[good] - state[good]).reshape(-1, k, k)
        scaled = roots[0].conj().swapaxes(-1, -2) @ gap @ roots[1]
        value[good] = 0.25 * _abs2(scaled).sum(axis=(1, 2))
    return np.where(np.isnan(value), np.inf, value)


def _abs2(values: Complex | Real) -> Real:
    return np.asarray(values.real**2 + values.imag**2)


def _root(number: int | NDArray[np.int64]) -> Real:
    """Irrational multipliers: fractional parts of square roots of odd non-squares spread points evenly."""
    return np.modf(np.sqrt(4.0 * np.asarray(number) + 3.0))[0]


def _weyl_normal(index: Real, count: int) -> Real:
    """(n, count) numbers that look Gaussian, without a random generator."""
    uniform = np.modf(index * _root(5 + np.arange(count)))[0]
    other = np.modf(index * _root(5 + count + np.arange(count)))[0]
    return np.asarray(np.sqrt(-2.0 * np.log(np.maximum(uniform, 1e-12))) * np.cos(2.0 * np.pi * other))
