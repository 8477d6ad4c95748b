"""Gaussian fluctuations of linear eigenvalue statistics ``sum_i phi(lambda_i)``.

For the models whose inverse map is ``z = F(u)`` (sample covariance, compound free Poisson, deformed Wigner) and
Gaussian entries, with contours round the support and u the solution at z,

    E sum phi  =  size * int phi dmu + (2/beta - 1) (1/4 pi i) oint phi dlog F'(u) + o(1),
    Cov        -> -(1 / 2 beta pi^2) oint oint phi(z1) chi(z2) du1 du2 / (u1 - u2)^2.

References
----------
Z. D. Bai, J. W. Silverstein, Ann. Probab. 32 (2004) 553, theorem 1.1, written in ``u = -1/m_companion``; the deformed
Wigner form derived in the same way (H. C. Ji, J. O. Lee, Random Matrices Theory Appl. 9 (2020) treat that model).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate
from ..errors import AccuracyWarning
from .composition_law import CompositionLaw
from .pastur_law import PasturLaw

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]

_FARTHEST = 4.0  # radius of the largest Bernstein ellipse in use: farther out, functions like exp only lose digits
_MOST_NODES = 4096
_TARGET = 1e-11
_BLOCK = 1 << 20


class LinearStatistics(NamedTuple):
    """Limits for ``X_k = sum_i phi_k(lambda_i)`` of a matrix of a given size: ``size * means + shifts``, Gaussian."""

    means: Real  # int phi_k dmu
    shifts: Real  # E X_k - size * means
    covariance: Real  # Cov(X_k, X_l)
    error: float  # largest change of a number above when the nodes of the contours were doubled


def linear_statistics(
    law: PasturLaw | CompositionLaw,
    functions: Callable[[Any], Any] | Sequence[Callable[[Any], Any]],
    *,
    beta: int = 1,
    singularities: ArrayLike = (0.0,),
) -> LinearStatistics:
    """Mean, correction of the mean and covariance of linear statistics of Gaussian matrices.

    Parameters
    ----------
    law : PasturLaw or CompositionLaw
        Law of `SampleCovariance`, `CompoundFreePoisson` or `DeformedWigner`; for numbers that fit a finite matrix take
        ``ensemble.finite(size).law()``.
    functions : callable or sequence of callables
        Analytic next to the support, vectorised for complex arrays, real on the real axis.
    beta : {1, 2, 4}
        Real, complex, quaternion entries.
    singularities : array_like of complex
        Points where the functions are not analytic; those inside a bulk are ignored. By default 0, as for the
        logarithm. A singularity in a gap puts the bulks on its two sides into separate contours.

    Returns
    -------
    LinearStatistics

    Raises
    ------
    DomainError
        A function is not finite on the contours or at an atom, or is not analytic there (its mean over the contour and
        over the density differ).

    Examples
    --------
    The log-determinant of white sample covariance matrices: shift ``log(1 - c) / 2``, variance ``-2 log(1 - c)``.

    >>> import numpy as np, rmtsolve as rmt
    >>> result = linear_statistics(rmt.SampleCovariance([1.0], ratio=.5).law(), np.log)
    >>> result.shifts / np.log(.5), result.covariance / np.log(.5)
    (array([0.5]), array([[-2.]]))
    """
    if not isinstance(law, (PasturLaw, CompositionLaw)) or law.equation.kind == "free power":
        _validate.fail("law", "the law of SampleCovariance, CompoundFreePoisson or DeformedWigner", law)
    if beta not in (1, 2, 4):
        _validate.fail("beta", "1, 2 or 4", beta)
    if not callable(functions) and not isinstance(functions, Iterable):
        _validate.fail("functions", "a function or a sequence of functions", functions)
    given = [functions] if callable(functions) else list(functions)
    for function in given:
        if not callable(function):
            _validate.fail("functions", "callable", function)
    points = _validate.complex_array(np.atleast_1d(singularities), "singularities", ndim=1, allow_empty=True)
    points = points[(points.imag != 0.0) | ~law._in_bulk(points.real)]
    groups = _groups(law, points, "u")
    if (points.imag != 0.0).any() or not _encloses_critical_points(law, groups):
        groups = _groups(law, points, "z")
    previous: LinearStatistics | None = None
    nodes = 64
    while True:
        result = _evaluate(law, given, beta, groups, nodes)
        if previous is not None:
            change = max(float(np.max(np.abs(a - b))) for a, b in zip(result[:3], previous[:3], strict=True))
            size = max(1.0, *(float(np.max(np.abs(part))) for part in result[:3]))
            result = result._replace(error=change)
            if change <= _TARGET * size:
                break
            if nodes >= _MOST_NODES:
                warnings.warn(
                    f"linear statistics of {law.title} are only accurate to about {change:.1e}",
                    AccuracyWarning, stacklevel=2,
                )  # fmt: skip
                break
        previous, nodes = result, 2 * nodes
    _check_analytic(law, given, result.means)
    return result


class _Group(NamedTuple):
    """Neighbouring bulks inside one contour, an ellipse in the z-plane or (nothing to solve, wider) in the u-plane."""

    plane: str
    middle: float
    half: float
    radius: float  # of the Bernstein ellipse through the nearest singularity
    support: Real  # first and last edge


def _groups(law: PasturLaw | CompositionLaw, points: Complex, plane: str) -> list[_Group]:
    """Bulks between neighbouring real singularities, and how far a contour round each group may go."""
    label = np.searchsorted(np.sort(points.real[points.imag == 0.0]), law.support[:, 0])
    if plane == "u":
        real = points[points.imag == 0.0]
        critical = law.equation.solve_real(law.edges)
        points = law.equation.solve_real(real.real[~np.isin(real.real, law.atoms.locations)]).astype(np.complex128)
    else:
        critical = law.edges
    ends = critical.reshape(-1, 2)
    groups = []
    for value in np.unique(label):
        (left, right), support = ends[label == value][[0, -1], [0, 1]], law.support[label == value][[0, -1], [0, 1]]
        middle, half = 0.5 * (left + right), 0.5 * (right - left)
        radius = _FARTHEST
        if points.size:
            y = (points - middle) / half
            radius = min(radius, float(np.min(np.abs(y + np.sqrt(y - 1.0) * np.sqrt(y + 1.0)))))
        groups.append(_Group(plane, float(middle), float(half), radius, support))
    return groups


class _Contour(NamedTuple):
    """Nodes of counter-clockwise contours."""

    z: Complex
    dz: Complex
    u: Complex
    du: Complex
    m: Complex
    dlog: Complex  # differential of log F'(u)
    turns: float  # of F'(u) round 0


def _contour(law: PasturLaw | CompositionLaw, group: _Group, nodes: int, share: float) -> _Contour:
    """The ellipse of radius ``radius ** share`` round a group."""
    angle = (np.arange(nodes // 2) + 0.5) * (2.0 * np.pi / nodes)
    v = group.radius**share * np.exp(1j * angle)
    point = group.middle + 0.5 * group.half * (v + 1.0 / v)
    step = 0.5 * group.half * (v - 1.0 / v) * (2j * np.pi / nodes)
    equation = law.equation
    if group.plane == "u":
        z, slope = equation.image(point)
        u, du, dz = point, step, slope * step
    else:
        u, slope = equation.branch(point)
        z, dz, du = point, step, step / slope
    m = equation.transform(z, 0.0, u)
    z, u, m, slope = (np.concatenate([part, part[::-1].conj()]) for part in (z, u, m, slope))  # the mirror image
    dz, du = (np.concatenate([part, -part[::-1].conj()]) for part in (dz, du))
    log = np.unwrap(np.angle(slope))
    turns = (log[-1] - log[0] + np.angle(slope[0] / slope[-1])) / (2.0 * np.pi)
    series = np.fft.fft(np.log(np.abs(slope)) + 1j * log)  # differentiated term by term in the angle
    dlog = np.fft.ifft(1j * np.fft.fftfreq(nodes, 1.0 / nodes) * series) * (2.0 * np.pi / nodes)
    return _Contour(z, dz, u, du, m, dlog, float(turns))


def _encloses_critical_points(law: PasturLaw | CompositionLaw, groups: list[_Group]) -> bool:
    """Whether the u-contours enclose as many zeros of F' as poles: a complex zero outside would spoil the shift."""
    return all(abs(_contour(law, group, 1024, 0.5).turns) < 0.5 for group in groups)


def _evaluate(
    law: PasturLaw | CompositionLaw, functions: list[Callable[[Any], Any]], beta: int, groups: list[_Group], nodes: int
) -> LinearStatistics:
    """All numbers with a given number of nodes a contour."""
    means, shifts = np.zeros(len(functions)), np.zeros(len(functions))
    for group in groups:
        path = _contour(law, group, nodes, 0.5)
        values = _values(functions, path.z)
        means += (values @ (-path.m * path.dz) / (2j * np.pi)).real
        shifts += (2.0 / beta - 1.0) * (values @ path.dlog / (4j * np.pi)).real
    at, mass = law.atoms
    enclosed = np.zeros(at.size, dtype=bool)
    for group in groups:
        enclosed |= (at >= group.support[0]) & (at <= group.support[1])
    if not enclosed.all():
        means += (_values(functions, at[~enclosed].astype(np.complex128)) @ mass[~enclosed]).real
    covariance = np.zeros((len(functions), len(functions)))
    inner = [_contour(law, group, nodes, 1.0 / 3.0) for group in groups]
    outer = [_contour(law, group, nodes, 2.0 / 3.0) for group in groups]
    left = [_values(functions, path.z) * path.du for path in inner]
    right = [_values(functions, path.z) * path.du for path in outer]
    for one, a in zip(inner, left, strict=True):
        for two, b in zip(outer, right, strict=True):
            for part in _blocks(nodes, nodes):
                covariance += (a[:, part] @ (1.0 / (one.u[part, None] - two.u) ** 2) @ b.T).real
    covariance *= -1.0 / (2.0 * beta * np.pi**2)
    return LinearStatistics(means, shifts, 0.5 * (covariance + covariance.T), math.nan)


def _blocks(rows: int, columns: int) -> Iterator[slice]:
    step = max(1, _BLOCK // columns)
    return (slice(i, i + step) for i in range(0, rows, step))


def _values(functions: list[Callable[[Any], Any]], z: Complex) -> Complex:
    """phi_k(z), shape (functions, points)."""
    out = np.empty((len(functions), z.size), dtype=np.complex128)
    for row, function in zip(out, functions, strict=True):
        with np.errstate(all="ignore"):
            try:
                row[:] = np.asarray(function(z.copy()), dtype=np.complex128)
            except (TypeError, ValueError) as error:
                _validate.fail("functions", "vectorised for complex arrays", function, f"it raised: {error}")
        if not np.isfinite(row).all():
            at = complex(z[~np.isfinite(row)][0])
            _validate.fail("functions", "finite at the atoms of the law and next to its support", function,
                           f"it is not finite at {at:.6g}")  # fmt: skip
    return out


def _part(part: Callable[[Any], Any], function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda x: part(function(x))


def _check_analytic(law: PasturLaw | CompositionLaw, functions: list[Callable[[Any], Any]], means: Real) -> None:
    """The mean over the density must be that over the contour."""
    for function, mean in zip(functions, means, strict=True):
        with np.errstate(all="ignore"):  # values that are not finite are refused, with the place
            direct, size = law.expect(_part(np.real, function)), law.expect(_part(np.abs, function))
        if not abs(direct - mean) <= 1e-7 * size:
            _validate.fail(
                "functions", "analytic inside the contours round the support", function,
                f"its mean is {direct:.9g} over the density and {mean:.9g} over the contour; list all singularities",
            )  # fmt: skip
