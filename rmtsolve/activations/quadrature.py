"""Gaussian integrals of any piecewise smooth function, on a shared adaptive mesh.

The line is cut into panels of a width tied to the scale (a power of two, so that panel ends are exact), split at the
known breakpoints and halved until 16 Gauss-Legendre nodes resolve the function on each: a kink or jump that nobody
declared is closed in to rounding error, a pole is found out because halving does not help. All pairs (shift, scale)
of about the same scale share one mesh, so the function is called on each node once.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from ..errors import DomainError
from .mesh import Integers, Mesh, Real, Values, build_mesh

MAX_PANELS = 400_000  # panels of one block of pairs, counted with multiplicity
NEGLIGIBLE = 1e-17  # tail of the Gaussian integral of f^2 relative to the whole
FAINT = 1e-280  # what may sit where the Gaussian density is no longer a number
MAX_RADIUS = 60.0  # exp(-r^2/4) is still a number
MAX_DEFECT = 1e-9  # share of E f^2 that may sit on panels that no halving resolves


class Sums(NamedTuple):
    """Result of `hermite_moments` for n pairs."""

    coefficients: Real  # (n, order + 1)
    second_moment: Real  # (n,)
    noise: float  # what the mesh could not resolve, relative to the size of f


def hermite_moments(
    f: Values, order: int, shift: Real, scale: Real, breaks: Real, *, name: str = "the activation", refine: int = 0
) -> Sums:
    """``E[f(a + s g) h_k(g)]``, k <= order, and ``E[f(a + s g)^2]`` for 1-d arrays of shifts and positive scales.

    Parameters
    ----------
    f : callable
        Vectorised real function of one variable.
    breaks : ndarray
        Known points where `f` is not smooth; others are found by halving.
    refine : int
        Number of times that every panel is halved once more; two values compared give an error estimate.

    Raises
    ------
    DomainError
        `f` is nan somewhere, not square integrable, or too rough to be integrated.
    """
    from .._kernels.hermite import hermite_sums

    out = np.empty((shift.size, order + 2))
    noise = 0.0
    for pairs, mesh, lo, hi in meshes(f, order, shift, scale, breaks, name=name, refine=refine):
        sums = np.empty((pairs.size, order + 2))
        hermite_sums(mesh.origin, mesh.offset, mesh.weight, mesh.values, lo, hi, shift[pairs], scale[pairs], sums)
        out[pairs] = sums
        noise = max(noise, mesh.noise)
    return Sums(out[:, :-1], out[:, -1], noise)


def meshes(
    f: Values, order: int, shift: Real, scale: Real, breaks: Real, *, name: str, refine: int = 0, wide: bool = False
) -> Iterator[tuple[Integers, Mesh, Integers, Integers]]:
    """Blocks of pairs with their mesh: (pair indices, mesh, first and end node of every pair).

    The window is that of ``f h_k``; with `wide` it is that of ``h_k^2``, which goes on beyond its last zero.
    """
    f = guarded(f, name)
    reach, typical = _reach(f, order, shift, scale, name)
    if wide:
        reach = np.maximum(reach, 2.0 * math.sqrt(order + 1.0) + 7.5)
    finest = min(2.0, 8.0 / math.sqrt(order + 1.0)) * 0.5**refine
    level = np.floor(np.log2(finest * scale))
    for pairs, ids, width, low, high in _blocks(level, shift, reach * scale):
        mesh = build_mesh(f, ids, width, breaks, _floor(ids, width, shift[pairs], scale[pairs], typical[pairs]))
        if mesh.defect > MAX_DEFECT * float(typical[pairs].max()) ** 2:
            raise DomainError(
                f"{name} must be square integrable under the Gaussian and piecewise smooth, "
                f"got values that no mesh resolves near x={mesh.worst:.6g}"
            )
        lo = mesh.first[np.searchsorted(ids, low)]
        hi = mesh.first[np.searchsorted(ids, high - 1) + 1]
        yield pairs, mesh, lo, hi


def guarded(f: Values, name: str) -> Values:
    """`f` without warnings; nan, or inf where the Gaussian weight is not yet zero, is refused."""

    def values(x: Real) -> Real:
        with np.errstate(all="ignore"):
            y = np.asarray(f(x), dtype=np.float64)
        if not np.isfinite(y).all():
            worst = x[~np.isfinite(y)]
            at = float(worst[np.argmin(np.abs(worst))])
            if np.isnan(y).any():
                raise DomainError(f"{name} must be a real number at every x, got nan near x={at:.6g}")
            raise DomainError(
                f"{name} must be finite and square integrable under the Gaussian, got inf near x={at:.6g}"
            )
        return y

    return values


@functools.cache
def radius(order: int) -> float:
    """Half-width in g beyond which ``h_k(g) exp(-g^2/2)``, k <= order, is below 1e-19.

    13 does for every order, because ``|h_k| exp(-g^2/4) <= 1.1``.
    """
    r = 9.3
    while r < 13.0:
        previous, current, largest = 0.0, math.exp(-0.5 * r * r), 0.0
        for k in range(order + 1):
            largest = max(largest, abs(current))
            previous, current = current, (r * current - math.sqrt(k) * previous) / math.sqrt(k + 1)
        if largest < 1e-19:
            break
        r += 0.1
    return r


def _reach(f: Values, order: int, shift: Real, scale: Real, name: str) -> tuple[Real, Real]:
    """Half-width of the window of every pair (`radius`, and more where f grows) and a typical size of f there."""
    near = np.arange(-3.0, 3.5)
    values = np.abs(f((shift[:, None] + scale[:, None] * near).ravel())).reshape(shift.size, -1)
    typical = (values * np.exp(-0.25 * near**2)).max(axis=1)
    # where f is zero around the mean, look as far as the Gaussian density is a number
    reach = np.where(typical > 0.0, radius(order), 38.0)
    active = np.flatnonzero(typical > 0.0)
    while active.size:
        r, a, s = reach[active], shift[active], scale[active]
        ends = np.maximum(np.abs(f(a - r * s)), np.abs(f(a + r * s)))
        active = active[ends * np.exp(-0.25 * r * r) > math.sqrt(NEGLIGIBLE) * typical[active]]
        if (reach[active] >= MAX_RADIUS).any():
            i = active[reach[active] >= MAX_RADIUS][0]
            raise DomainError(
                f"{name} must be square integrable under the Gaussian, got growth like exp(x^2/4) or faster "
                f"at shift {shift[i]:.4g}, scale {scale[i]:.4g}"
            )
        reach[active] = np.minimum(1.25 * reach[active], MAX_RADIUS)
    return reach, typical


def _floor(ids: Integers, width: float, shift: Real, scale: Real, typical: Real) -> Real:
    """Size of f on each panel below which it does not matter to the nearest pair (`shift` is sorted)."""
    middle = (ids + 0.5) * width
    right = np.minimum(np.searchsorted(shift, middle), shift.size - 1)
    left = np.maximum(right - 1, 0)
    distance = np.minimum(np.abs(middle - shift[left]), np.abs(middle - shift[right])) - width
    g = np.minimum(np.maximum(distance, 0.0) / scale.max(), 50.0)
    return np.asarray(np.minimum(typical[left], typical[right]) * np.exp(0.25 * g * g))


def _blocks(
    level: Real, shift: Real, half_window: Real
) -> Iterator[tuple[Integers, Integers, float, Integers, Integers]]:
    """Pairs that share a mesh: (pair indices, panel ids, panel width, first and end panel of every pair)."""
    order = np.lexsort((shift, level))
    cuts = np.flatnonzero(np.diff(level[order])) + 1
    for group in np.split(order, cuts):
        width = 2.0 ** float(level[group[0]])
        low = np.floor((shift[group] - half_window[group]) / width).astype(np.int64)
        high = np.ceil((shift[group] + half_window[group]) / width).astype(np.int64)
        total = np.cumsum(high - low)
        start = 0
        while start < group.size:
            used = total[start - 1] if start else 0
            stop = max(int(np.searchsorted(total, used + MAX_PANELS)), start + 1)
            block = slice(start, stop)
            yield group[block], _union(low[block], high[block]), width, low[block], high[block]
            start = stop


def _union(low: Integers, high: Integers) -> Integers:
    """Sorted integers of the union of the ranges [low_i, high_i)."""
    order = np.argsort(low, kind="stable")
    low, high = low[order], np.maximum.accumulate(high[order])
    opens = np.append(True, low[1:] > high[:-1])
    closes = np.append(opens[1:], True)
    begin, size = low[opens], high[closes] - low[opens]
    return np.asarray(np.arange(size.sum()) + np.repeat(begin - np.append(0, np.cumsum(size)[:-1]), size))


class Expectation(NamedTuple):
    """A Gaussian mean and a bound on its error."""

    value: float
    error: float


def gaussian_expectation(
    f: Callable[[Real], Real], *, kinks: Real | tuple[float, ...] = (), shift: float = 0.0, scale: float = 1.0
) -> Expectation:
    """``E f(shift + scale g)`` for ``g ~ N(0, 1)``, by the adaptive mesh.

    Parameters
    ----------
    f : callable
        Vectorised real function of one variable, piecewise smooth.
    kinks : array_like of float, optional
        Points where `f` is not smooth; others are found.
    shift, scale : float
        Mean and standard deviation of the Gaussian, scale > 0.

    Returns
    -------
    Expectation
        ``value`` and a bound ``error`` on its absolute error.

    Examples
    --------
    >>> import numpy as np
    >>> value, error = gaussian_expectation(lambda x: np.abs(x), kinks=[0.0])
    >>> abs(value - np.sqrt(2 / np.pi)) <= error < 1e-14
    True
    """
    from .. import _validate

    if not callable(f):
        _validate.fail("f", "a function of an array of real numbers", f)
    points = np.sort(_validate.real_array(kinks, "kinks", ndim=1, allow_empty=True))
    a = np.array([_validate.real(shift, "shift")])
    s = np.array([_validate.positive(scale, "scale")])
    values, bound = certified_moments(f, 0, a, s, points, name="f")
    return Expectation(float(values[0]), float(bound[0]))


def certified_moments(f: Values, order: int, shift: Real, scale: Real, breaks: Real, *, name: str) -> tuple[Real, Real]:
    """Coefficients of one pair and a bound on their errors.

    The bound adds: the difference to a mesh of half the width (the error of the coarser one, so far above that of the
    value returned), rounding of the sums and of ``h_k`` (``(16 + k) eps`` of the root mean square, by Cauchy-Schwarz),
    the effect of rounding the argument of f (``eps |x f'|``, by a difference quotient) and what the mesh left
    unresolved.
    """
    coarse = hermite_moments(f, order, shift, scale, breaks, name=name)
    fine = hermite_moments(f, order, shift, scale, breaks, name=name, refine=1)
    eps, probe = 2.0**-53, 2.0**-20

    def sensitivity(x: Real) -> Real:
        with np.errstate(all="ignore"):
            step = x * (1.0 + probe)
            jump = np.abs(np.asarray(f(step)) - np.asarray(f(x)))
        return np.asarray(np.where(np.isfinite(jump), jump, 0.0) / probe)

    rough = _rms_on_nodes(sensitivity, f, order, shift, scale, breaks, name)
    size = math.sqrt(max(float(fine.second_moment[0]), 0.0))
    rounding = (16.0 + np.arange(order + 1)) * eps * size + 2.0 * eps * rough
    values = fine.coefficients[0]
    return values, np.abs(values - coarse.coefficients[0]) + rounding + fine.noise * size + FAINT


def _rms_on_nodes(function: Values, f: Values, order: int, shift: Real, scale: Real, breaks: Real, name: str) -> float:
    """Root mean square of a rough function on the mesh of f (no attempt to resolve it)."""
    total = 0.0
    for _, mesh, lo, hi in meshes(f, order, shift, scale, breaks, name=name):
        nodes = slice(int(lo[0]), int(hi[0]))
        x = mesh.origin[nodes] + mesh.offset[nodes]
        g = ((mesh.origin[nodes] - shift[0]) + mesh.offset[nodes]) / scale[0]
        density = np.exp(-0.25 * g * g)
        total += float(np.sum(mesh.weight[nodes] * (function(x) * density) ** 2)) / (scale[0] * math.sqrt(2 * math.pi))
    return math.sqrt(total)
