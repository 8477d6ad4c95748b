"""From a Stieltjes transform or a density to everything else: support, distribution function, quantiles, integrals.

These are the answers for laws that know no closed form. Each works bulk by bulk in the angle of `_bulk`, where
densities with square-root or hard edges are smooth, and falls back to adaptive panels where they are not.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .. import _validate
from ..errors import AccuracyWarning, DomainError
from ._bulk import Bulk, bulks
from ._panels import Panels, fit_panels
from ._search import enclosing_disc, find_pieces
from .base import Complex, Measure, Real

__all__ = [
    "cdf_by_quadrature", "derivative_by_contour", "enclosing_disc", "expectation", "find_pieces", "quantile_by_newton",
]  # fmt: skip

_TARGET = 1e-10  # relative accuracy below which a warning is given
_SNAP = 1e-13  # a level this close to the distribution function at an edge or atom is taken to be that value


def bulk_panels(measure: Measure) -> list[Panels]:
    """Piecewise polynomial of ``density * dx/dtheta`` on each bulk; computed once for each law."""
    cache = measure.__dict__
    if "_bulk_panels" not in cache:
        fitted = [fit_panels(bulk.mass_density, 0.0, np.pi) for bulk in bulks(measure)]
        mass = math.fsum([p.total for p in fitted]) + math.fsum(measure.atoms.weights)
        if not abs(mass - 1.0) <= 1e-8:
            warnings.warn(
                f"the density and atoms of {measure!r} add up to {mass:.10g}, not to 1: "
                f"its distribution function is wrong by up to {abs(mass - 1.0):.1e}",
                AccuracyWarning, stacklevel=4,
            )  # fmt: skip
        cache["_bulk_panels"] = fitted
    return list(cache["_bulk_panels"])


def moments_about(measure: Measure, center: float, orders: Iterable[int]) -> list[float]:
    """``int (x - center)^k mu(dx)`` for several k of a law of bounded support, from one pass over its density."""
    pieces = [(measure.atoms.locations - center, measure.atoms.weights)]
    for bulk, panels in zip(bulks(measure), bulk_panels(measure), strict=True):
        theta, mass = panels.quadrature()
        pieces.append((bulk.at(theta)[0] - center, mass))
    x, mass = (np.concatenate(part) for part in zip(*pieces, strict=True))
    return [math.fsum(mass * x**k) for k in orders]


def cdf_by_quadrature(measure: Measure, x: Real) -> Real:
    """Distribution function by integration of the density, bulk by bulk, plus atoms.

    Parameters
    ----------
    measure : Measure
        Any law.
    x : ndarray of float, shape (n,)
        Points.

    Returns
    -------
    ndarray of float, shape (n,)
        Absolute accuracy about 1e-13 where the density is accurate.
    """
    total = np.zeros(x.shape)
    for location, weight in zip(*measure.atoms, strict=True):
        total += np.where(x >= location, weight, 0.0)
    last = -math.inf
    for bulk, panels in zip(bulks(measure), bulk_panels(measure), strict=True):
        total += np.where(x >= bulk.right, panels.total, 0.0)
        inside = (x > bulk.left) & (x < bulk.right)
        if inside.any():
            total[inside] += panels.integral(bulk.angle(x[inside]))
        last = bulk.right
    last = max(last, *measure.atoms.locations, -math.inf)
    return np.where(x >= last, 1.0, np.clip(total, 0.0, 1.0))


def quantile_by_newton(measure: Measure, q: Real) -> Real:
    """Smallest x with ``cdf(x) >= q``; the left end of the support for q = 0.

    The distribution function is tabulated at edges and atoms; a level that falls on a jump or a plateau is read off,
    any other is found inside its bulk by Newton's method in the angle, bracketed so that it cannot leave.

    Parameters
    ----------
    measure : Measure
        Any law.
    q : ndarray of float, shape (n,)
        Levels in [0, 1].

    Returns
    -------
    ndarray of float, shape (n,)
    """
    atoms, edges = measure.atoms, measure.edges
    stops = np.unique(np.concatenate([edges, atoms.locations]))
    finite = np.isfinite(stops)
    after = np.where(stops == math.inf, 1.0, 0.0)
    after[finite] = measure._cdf(stops[finite])
    after[-1] = 1.0
    jump = np.zeros(stops.size)
    jump[np.searchsorted(stops, atoms.locations)] = atoms.weights
    before = after - jump
    snap = np.where(finite, _SNAP, 0.0)  # but only q = 0 and q = 1 are at infinity
    index = np.minimum(np.searchsorted(after + snap, q, side="left"), stops.size - 1)
    out = stops[index].copy()
    out[q == 0.0] = stops[0]
    inside = (q > 0.0) & (q < before[index] - snap[index]) & (index > 0)
    pieces = bulks(measure)
    for right in np.unique(index[inside]):
        chosen = inside & (index == right)
        low, high = stops[right - 1], stops[right]
        bulk = next((b for b in pieces if b.left <= low and high <= b.right), None)
        if bulk is not None:
            out[chosen] = _newton(measure, bulk, float(low), float(high), q[chosen])
    return out


def _newton(measure: Measure, bulk: Bulk, low: float, high: float, q: Real) -> Real:
    """Solve cdf = q on the part [low, high] of a bulk."""
    ends = bulk.angle(np.array([low, high])) if math.isfinite(low) and math.isfinite(high) else None
    first = 0.0 if low == bulk.left else float(ends[0] if ends is not None else bulk.angle(np.array([low]))[0])
    last = np.pi if high == bulk.right else float(ends[1] if ends is not None else bulk.angle(np.array([high]))[0])
    table = np.linspace(first, last, 66)[1:-1]
    levels = measure._cdf(bulk.at(table)[0])
    position = np.searchsorted(levels, q)
    padded = np.concatenate([[first], table, [last]])
    a, b = padded[position].copy(), padded[position + 1].copy()
    theta = 0.5 * (a + b)
    active = np.arange(q.size)
    for _ in range(80):
        x, _slope = bulk.at(theta[active])
        excess = measure._cdf(x) - q[active]
        above = excess >= 0
        b[active] = np.where(above, theta[active], b[active])
        a[active] = np.where(above, a[active], theta[active])
        slope = bulk.mass_density(theta[active])
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            proposal = theta[active] - excess / slope
        good = (proposal >= a[active]) & (proposal <= b[active])
        new = np.where(good, proposal, 0.5 * (a[active] + b[active]))
        moved = np.abs(new - theta[active])
        theta[active] = new
        settled = (moved <= 1e-15 * np.pi) | (b[active] - a[active] <= 4e-16 * np.pi) | (np.abs(excess) <= 2e-16)
        active = active[~settled]
        if active.size == 0:
            break
    return bulk.at(theta)[0]


def expectation(measure: Measure, f: Callable[[Any], Any]) -> float:
    """Integral of a vectorised real function against a law.

    On each bulk the midpoint rule in the angle, with doubling; it converges geometrically when f is smooth.
    Otherwise adaptive panels. Emits `AccuracyWarning` with the estimated error when that exceeds 1e-10 of the
    integral of ``|f|``.

    Parameters
    ----------
    measure : Measure
        Any law.
    f : callable
        Maps an array of points to an array of finite real values of the same shape (or to one number).

    Returns
    -------
    float

    Raises
    ------
    DomainError
        `f` is not vectorised or returns values that are not finite and real.
    """
    atoms = measure.atoms
    terms = (atoms.weights * function_values(f, atoms.locations)).tolist() if atoms.locations.size else []
    size, error = math.fsum(abs(t) for t in terms), 0.0
    for bulk in bulks(measure):
        value, absolute, doubt = _bulk_integral(bulk, f)
        terms.append(value)
        size += absolute
        error += doubt
    if error > _TARGET * size:
        warnings.warn(
            f"the integral of f against {measure!r} is only accurate to about {error:.1e}",
            AccuracyWarning, stacklevel=3,
        )  # fmt: skip
    return math.fsum(terms)


def _bulk_integral(bulk: Bulk, f: Callable[[Any], Any]) -> tuple[float, float, float]:
    """(integral of f, integral of |f|, error estimate) over one bulk."""

    def integrand(theta: Real) -> Real:
        return bulk.mass_density(theta) * function_values(f, bulk.at(theta)[0])

    previous = math.inf
    n = 16
    while n <= 512:
        values = integrand(np.asarray((np.arange(n) + 0.5) * (np.pi / n), dtype=np.float64))
        value, absolute = float(np.sum(values)) * np.pi / n, float(np.sum(np.abs(values))) * np.pi / n
        change = abs(value - previous)
        if change <= 1e-12 * absolute:
            return value, absolute, change
        previous = value
        n *= 2
    panels = fit_panels(integrand, 0.0, np.pi, 1e-13)
    return panels.total, panels.absolute, panels.error


def function_values(f: Callable[[Any], Any], x: Real, name: str = "f") -> Real:
    """``f(x)`` as a float array of the shape of x; the caller's function gets its own copy of x."""
    try:
        raw = f(x.copy())
    except (TypeError, ValueError) as error:
        if isinstance(error, DomainError):
            raise
        raise DomainError(
            f"{name} must accept an array of numbers, got {f!r}, which raised {type(error).__name__}: {error}; "
            "use numpy functions such as np.log"
        ) from error
    values = np.asarray(raw)
    if values.dtype.kind not in "biuf" or values.shape not in ((), x.shape):
        _validate.fail(
            f"{name}(x)", f"a real array of shape {x.shape}", f"dtype {values.dtype}, shape {values.shape}",
            "it is called with an array and must work elementwise",
        )  # fmt: skip
    values = np.broadcast_to(values.astype(np.float64), x.shape)
    bad = ~np.isfinite(values)
    if bad.any():
        _validate.fail(f"{name}(x)", "finite on the support of the law", f"{values[bad][0]} at x={x[bad][0]:.6g}")
    return values


def derivative_by_contour(measure: Measure, z: Complex) -> Complex:
    """``m'(z)``: Cauchy's integral over a circle off the support; on the support and very near it, by the series.

    The trapezoidal rule with 48 points on half of the largest free circle has a relative error of ``2^-48``.

    Parameters
    ----------
    measure : Measure
        Any law.
    z : ndarray of complex, shape (n,)
        Points with Im z >= 0.

    Returns
    -------
    ndarray of complex, shape (n,)
    """
    distance = np.full(z.shape, math.inf)
    for low, high in measure.support:
        distance = np.minimum(distance, np.hypot(np.maximum(np.maximum(low - z.real, z.real - high), 0.0), z.imag))
    for location in measure.atoms.locations:
        distance = np.minimum(distance, np.abs(z - location))
    edges = measure.edges
    width = float(np.max(edges[1::2] - edges[::2])) if edges.size and np.isfinite(edges).all() else 0.0
    close = distance < 1e-3 * width
    out = np.empty(z.shape, dtype=np.complex128)
    if close.any():
        out[close] = measure.series()._stieltjes_derivative(z[close])
    if not close.all():
        centre = z[~close]
        n = 48
        turn = np.exp(2j * np.pi * (np.arange(n) + 0.5) / n)
        radius = 0.5 * distance[~close]
        points = centre[:, None] + radius[:, None] * turn
        lower = points.imag < 0
        m = measure._stieltjes(np.where(lower, points.conj(), points).ravel()).reshape(points.shape)
        m = np.where(lower, m.conj(), m)
        out[~close] = (m @ turn.conj()) / (n * radius)
    return out
