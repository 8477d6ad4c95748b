"""`check_measure`: does a law obey what every law obeys?

Each law of the battery is one function of `MEASURE_CHECKS`, so a test can also apply them one by one. The points are
fixed fractions of the support, so the verdict is the same every time.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from .. import _validate
from ..errors import AccuracyWarning, DomainError
from ..measures._bulk import bulks
from ..measures._panels import fit_panels
from ..measures.base import Measure

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]
Check = Callable[[Measure, float], None]


def check_measure(measure: Measure, *, rtol: float = 1e-8) -> None:
    """Check that a `Measure` is a probability law whose faces agree with each other.

    The laws: edges and atoms sorted, masses positive; Herglotz and ``|m| <= 1/Im z``; conjugate symmetry; decay
    ``-1/z - mean/z^2``; mass one (density and atoms); density non-negative, zero off the bulks, ``Im m / pi`` on them
    and the same from offsets; distribution function monotone from 0 to 1, with the density as derivative and the
    atoms as jumps; quantiles inverse to it, also at plateaus and ends; moments and transform equal to integrals of
    the law; free cumulants one and two the mean and variance; derivative of the transform; residues at atoms, none
    elsewhere; scaling and shift; draws inside the support; the Chebyshev series the same law; a readable repr;
    refusal of bad input.

    Parameters
    ----------
    measure : Measure
        The law to check.
    rtol : float
        Largest accepted error, relative to the natural size of each quantity.

    Raises
    ------
    AssertionError
        One sentence: the law that is broken, with the numbers.

    Examples
    --------
    >>> from rmtsolve import Discrete, MarchenkoPastur
    >>> check_measure(MarchenkoPastur(0.5))
    >>> check_measure(Discrete([0, 1, 3]))
    """
    if not isinstance(measure, Measure):
        _validate.fail("measure", "a Measure", measure)
    for check in MEASURE_CHECKS:
        check(measure, rtol)


# ---------------------------------------------------------------------- where to look
def _hull(measure: Measure) -> tuple[float, float]:
    """Ends of the support; for an unbounded law, of its central part."""
    ends = np.concatenate([measure.edges, measure.atoms.locations])
    low, high = float(np.min(ends)), float(np.max(ends))
    if not math.isfinite(low):
        low = float(measure.quantile(0.01))
    if not math.isfinite(high):
        high = float(measure.quantile(0.99))
    return low, high


def _width(measure: Measure) -> float:
    low, high = _hull(measure)
    return (high - low) or max(abs(low), 1.0)


def _cloud(measure: Measure) -> Complex:
    """Points of the upper half-plane above and around the support, at many heights."""
    low, high = _hull(measure)
    width = _width(measure)
    x = 0.5 * (low + high) + width * np.array([-1.7, -0.52, -0.41, -0.13, 0.02, 0.31, 0.47, 0.9])
    heights = width * np.array([1e-4, 1e-2, 0.3, 3.0, 50.0])
    return np.asarray((x + 1j * heights[:, None]).ravel())


def _inner(measure: Measure, fractions: Real | None = None) -> Iterator[tuple[int, Real, Real]]:
    """(index of the left edge, points, offsets from the nearer edge) inside each bulk, away from atoms."""
    share = np.array([0.02, 0.11, 0.3, 0.47, 0.61, 0.83, 0.97]) if fractions is None else fractions
    for bulk in bulks(measure):
        x = bulk.at(np.pi * share)[0]
        low, high = _hull(measure)
        keep = ~np.isin(x, measure.atoms.locations) & (x > low) & (x < high)
        yield bulk.index, x[keep], share[keep]


def _close(name: str, measure: Measure, got: object, wanted: object, tolerance: object, where: object = None) -> None:
    """Fail with one sentence unless |got - wanted| <= tolerance everywhere."""
    difference = np.abs(np.asarray(got) - np.asarray(wanted))
    limit = np.broadcast_to(np.asarray(tolerance, dtype=float), difference.shape)
    bad = ~(difference <= limit)
    if bad.any():
        worst = np.unravel_index(int(np.argmax(np.where(bad, difference / np.maximum(limit, 1e-300), 0))), bad.shape)
        place = f" at {np.broadcast_to(np.asarray(where), bad.shape)[worst]:.8g}" if where is not None else ""
        raise AssertionError(
            f"{name}: {measure!r} gives {np.broadcast_to(np.asarray(got), bad.shape)[worst]:.12g}{place}, expected "
            f"{np.broadcast_to(np.asarray(wanted), bad.shape)[worst]:.12g} (difference {difference[worst]:.1e}, "
            f"allowed {limit[worst]:.1e})"
        )


# ---------------------------------------------------------------------- the laws
def _check_parts(measure: Measure, rtol: float) -> None:
    edges, (locations, weights) = measure.edges, measure.atoms
    assert edges.ndim == 1 and edges.size % 2 == 0, f"edges: {measure!r} has {edges.size} edges, an odd number"
    assert not np.isnan(edges).any(), f"edges: {measure!r} has a nan edge"
    assert np.all(edges[::2] < edges[1::2]), f"edges: {measure!r} has an empty bulk, edges {edges}"
    assert np.all(np.diff(edges) >= 0), f"edges: {measure!r} has unsorted edges {edges}"
    assert measure.support.shape == (edges.size // 2, 2), (
        f"support: {measure!r} has support of shape {measure.support.shape}"
    )
    assert np.all(np.diff(locations) > 0), f"atoms: {measure!r} has unsorted or repeated atoms {locations}"
    assert np.all(weights > 0), f"atoms: {measure!r} has atoms without positive mass, {weights}"
    assert weights.sum() <= 1 + rtol, f"atoms: {measure!r} has atoms of total mass {weights.sum()} > 1"
    assert edges.size + locations.size > 0, f"edges: {measure!r} has neither bulks nor atoms"


def _check_herglotz(measure: Measure, rtol: float) -> None:
    z = _cloud(measure)
    m = measure.stieltjes(z)
    bad = ~(m.imag > 0)
    assert not bad.any(), f"Herglotz: {measure!r} has Im m = {m[bad][0].imag:.3g} at z = {z[bad][0]:.6g}, not positive"
    bad = ~(np.abs(m) <= (1 + rtol) / z.imag)
    assert not bad.any(), f"Herglotz: {measure!r} has |m| = {abs(m[bad][0]):.6g} > 1/Im z at z = {z[bad][0]:.6g}"
    _close("conjugation", measure, measure.stieltjes(z.conj()), m.conj(), 1e-14 * np.abs(m), z)


def _check_decay(measure: Measure, rtol: float) -> None:
    if not np.isfinite(measure.edges).all():
        return
    low, high = _hull(measure)
    centre, width = 0.5 * (low + high), _width(measure)
    distance = 1e3 * width * np.exp(1j * np.array([0.3, 1.2, 2.0, 2.9]))
    product = distance * measure.stieltjes(centre + distance)
    mean = measure.moment(1) - centre
    # 1 + z m(z) = -mean/z - m_2/z^2 - ..., and |m_2| <= width^2
    _close("decay", measure, product, -1 - mean / distance, rtol * 1e-3 + 2e-6 + 0 * distance.real, centre + distance)
    second = measure.moment(2) - 2 * centre * measure.moment(1) + centre**2
    expansion = -1 - mean / distance - second / distance**2
    slack = 2e-9 + 1e-15 * (abs(centre) / width + 1) ** 2
    _close("decay", measure, product, expansion, max(rtol, slack), centre + distance)


def _check_mass(measure: Measure, rtol: float) -> None:
    masses = [fit_panels(bulk.mass_density, 0.0, np.pi).total for bulk in bulks(measure)]
    total = math.fsum([*masses, *measure.atoms.weights])
    assert abs(total - 1) <= 10 * rtol, f"mass: {measure!r} has density and atoms of total mass {total:.12g}, not 1"


def _check_density(measure: Measure, rtol: float) -> None:
    edges, width = measure.edges, _width(measure)
    for index, x, share in _inner(measure):
        rho = measure.density(x)
        assert np.all(rho >= 0), f"density: {measure!r} has density {rho.min():.3g} < 0 at x = {x[np.argmin(rho)]:.6g}"
        boundary = measure.stieltjes(x, boundary=True).imag / np.pi
        _close("density", measure, rho, boundary, rtol * (np.abs(boundary) + 1e-3 / width), x)
        left, right = edges[index : index + 2]
        for edge, end in ((index, left), (index + 1, right)):
            if np.isfinite(end):
                near = (share < 0.5) == (edge == index)
                offset = (x - end)[near]
                tolerance = (rtol + 1e-15 * abs(end) / np.abs(offset)) * (rho[near] + 1e-3 / width)
                _close("offset", measure, measure.density(offset=offset, edge=edge), rho[near], tolerance, x[near])
    low, high = _hull(measure)
    gaps = 0.5 * (edges[1:-1:2] + edges[2::2])
    finite_ends = [e for e in (edges[:1] - 0.1 * width, edges[-1:] + 0.1 * width) if np.isfinite(e).all()]
    outside = np.concatenate([gaps[edges[1:-1:2] < edges[2::2]], *finite_ends, [low - width, high + width]])
    outside = outside[~measure._in_bulk(outside)]
    _close("support", measure, measure.density(outside), 0.0, 0.0, outside)
    off = outside[~np.isin(outside, measure.atoms.locations)]
    _close("support", measure, measure.stieltjes(off).imag, 0.0, rtol / width, off)


def _check_cdf(measure: Measure, rtol: float) -> None:
    low, high = _hull(measure)
    width = _width(measure)
    ends = np.concatenate([measure.edges, measure.atoms.locations])
    x = np.sort(np.concatenate([np.linspace(low - width, high + width, 61), ends[np.isfinite(ends)]]))
    values = measure.cdf(x)
    assert np.all(np.diff(values) >= -1e-13), f"cdf: {measure!r} has a distribution function that decreases"
    assert np.all((values >= 0) & (values <= 1)), f"cdf: {measure!r} has values outside [0, 1]"
    before, after = x < ends.min(), x >= ends.max()
    _close("cdf", measure, values[before], 0.0, 0.0, x[before])
    _close("cdf", measure, values[after], 1.0, 1e-12, x[after])
    for location, weight in zip(*measure.atoms, strict=True):
        step = 1e-12 * max(width, abs(location))
        jump = measure.cdf(location) - measure.cdf(location - step)
        _close("jump", measure, jump, weight, 10 * rtol + 1e-5, location)  # a hard edge at the atom adds its root
    for bulk in bulks(measure):
        share = np.array([0.05, 0.3, 0.55, 0.8, 0.96]) * np.pi
        points = measure.cdf(bulk.at(share)[0])
        for a, b, first, last in zip(share[:-1], share[1:], points[:-1], points[1:], strict=True):
            panels = fit_panels(bulk.mass_density, float(a), float(b))
            inside = (measure.atoms.locations > bulk.at(np.array([a]))[0]) & (
                measure.atoms.locations <= bulk.at(np.array([b]))[0]
            )
            wanted = panels.total + float(measure.atoms.weights[inside].sum())
            _close("cdf", measure, last - first, wanted, rtol, float(bulk.at(np.array([b]))[0][0]))


def _check_quantile(measure: Measure, rtol: float) -> None:
    ends = np.concatenate([measure.edges, measure.atoms.locations])
    width = _width(measure)
    _close("quantile", measure, _bounded(measure.quantile(0.0)), _bounded(ends.min()), 1e-12 * width)
    _close("quantile", measure, _bounded(measure.quantile(1.0)), _bounded(ends.max()), 1e-12 * width)
    q = np.array([1e-3, 0.05, 0.2, 0.37, 0.5, 0.61, 0.8, 0.95, 0.999])
    x = measure.quantile(q)
    assert np.all(np.diff(x) >= 0), f"quantile: {measure!r} has quantiles that decrease, {x}"
    short = measure.cdf(x) - q
    assert np.all(short >= -rtol), f"quantile: {measure!r} has cdf(quantile(q)) < q by {-short.min():.1e}"
    for _, inner, _ in _inner(measure):
        levels = measure.cdf(inner)
        slope = np.maximum(measure.density(inner), 1e-300)
        # a level is only known to rounding; where the density is tiny that moves the quantile
        room = rtol * width + 1e-12 * np.abs(inner) + 2e-13 / slope
        _close("quantile", measure, measure.quantile(levels), inner, room, inner)
    for right in measure.edges[1:-1:2]:
        level = measure.cdf(right)
        if level < 1 and right not in measure.atoms.locations:
            tolerance = 1e-4 * width  # soft edges: level errors of 1e-13 move the quantile by their power 2/3
            _close("plateau", measure, measure.quantile(level), right, tolerance, right)


def _bounded(x: float) -> float:
    return float(np.clip(x, -1e300, 1e300))


def _check_integrals(measure: Measure, rtol: float) -> None:
    low, high = _hull(measure)
    reach = max(abs(low), abs(high), 1e-300)
    _close("expect", measure, measure.expect(lambda x: 1.0), 1.0, 10 * rtol)
    if np.isfinite(measure.edges).all():
        for k in range(1, 5):
            # the default binds the loop variable; mypy infers no type for such a lambda (here and below)
            wanted = measure.expect(lambda x, k=k: (x / reach) ** k)  # type: ignore[misc]
            _close("moment", measure, measure.moment(k) / reach**k, wanted, rtol, k)
        assert measure.moment(0) == 1.0, f"moment: {measure!r} has moment(0) = {measure.moment(0)}"
        _close("free cumulant", measure, measure.free_cumulant(1), measure.moment(1), 1e-12 * reach)
        variance = measure.moment(2) - measure.moment(1) ** 2
        _close("free cumulant", measure, measure.free_cumulant(2), variance, rtol * reach**2)
    for z in _cloud(measure)[16::7]:
        real = measure.expect(lambda x, z=z: (1 / (x - z)).real)  # type: ignore[misc]
        imag = measure.expect(lambda x, z=z: (1 / (x - z)).imag)  # type: ignore[misc]
        _close("transform", measure, measure.stieltjes(z), complex(real, imag), rtol / z.imag, z)


def _check_derivative(measure: Measure, rtol: float) -> None:
    z = _cloud(measure)[8:]
    step = 1e-3 * z.imag
    # central differences of fourth order
    one = measure.stieltjes(z + step) - measure.stieltjes(z - step)
    two = measure.stieltjes(z + 2 * step) - measure.stieltjes(z - 2 * step)
    wanted = (8 * one - two) / (12 * step)
    scale = 1 / z.imag**2
    _close("derivative", measure, measure._stieltjes_derivative(z), wanted, (rtol + 1e-9) * scale, z)


def _check_residues(measure: Measure, rtol: float) -> None:
    width = _width(measure)
    ends = np.concatenate([measure.edges[np.isfinite(measure.edges)], measure.atoms.locations])
    points = np.unique(ends)
    height = 1e-8 * width
    mass = np.zeros(points.size)
    mass[np.searchsorted(points, measure.atoms.locations)] = measure.atoms.weights
    residue = height * measure.stieltjes(points + 1j * height).imag
    # eta Im m tends to the mass; a density adds at most its mass within 100 eta, and 1e-4 of what is beyond
    near, wide = (
        np.array([float(measure.cdf(p + reach) - measure.cdf(p - reach)) for p in points]) - mass
        for reach in (100.0 * height, 3e-4 * width)
    )
    _close("residue", measure, residue, mass, rtol + np.abs(near) + 1e-4 * np.abs(wide) + 1e-6, points)


def _check_affine(measure: Measure, rtol: float) -> None:
    width = _width(measure)
    z = _cloud(measure)[10:30:3]
    for factor, shift in ((2.5, 0.7 * width), (-0.4, -0.3 * width)):
        image = measure.scaled(factor).shifted(shift)
        target = factor * z + shift
        _close("affine", measure, image.stieltjes(target), measure.stieltjes(z) / factor, rtol / np.abs(target.imag), z)
        ends = np.sort(factor * measure.edges + shift)
        finite = np.isfinite(ends)
        _close("affine", measure, image.edges[finite], ends[finite], 1e-12 * (width + np.abs(ends[finite])))
        for index, x, _ in _inner(measure):
            rho = measure.density(x) / abs(factor)
            _close("affine", measure, image.density(factor * x + shift), rho, 1e-6 * (rho + 1e-3 / width), x)
            levels = measure.cdf(x)
            wanted = levels if factor > 0 else 1 - levels
            _close("affine", measure, image.cdf(factor * x + shift), wanted, rtol + 1e-7, x)
            del index
        _close("affine", measure, image.atoms.weights.sum(), measure.atoms.weights.sum(), 1e-12)


def _check_draws(measure: Measure, rtol: float) -> None:
    draws = measure.rvs((5, 8), np.random.default_rng(7))
    assert draws.shape == (5, 8), f"rvs: {measure!r} returns shape {draws.shape} for size (5, 8)"
    assert np.array_equal(draws, measure.rvs((5, 8), np.random.default_rng(7))), f"rvs: {measure!r} is not reproducible"
    flat = draws.ravel()
    gap = np.full(flat.shape, np.inf)
    for low, high in measure.support:
        gap = np.minimum(gap, np.maximum(np.maximum(low - flat, flat - high), 0.0))
    for location in measure.atoms.locations:
        gap = np.minimum(gap, np.abs(flat - location))
    assert np.all(gap <= 1e-10 * _width(measure)), f"rvs: {measure!r} draws {flat[np.argmax(gap)]:.6g} off its support"


def _check_series(measure: Measure, rtol: float) -> None:
    if not np.isfinite(measure.edges).all():
        return
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", AccuracyWarning)
        series = measure.series()
    if any(issubclass(w.category, AccuracyWarning) for w in caught):
        return  # it says itself that it is only approximate
    z = _cloud(measure)
    m = measure.stieltjes(z)
    _close("series", measure, series.stieltjes(z), m, max(rtol, 1e-10) * np.maximum(np.abs(m), 1 / _width(measure)), z)


def _check_repr(measure: Measure, rtol: float) -> None:
    text = repr(measure)
    assert text and len(text) <= 400 and " object at 0x" not in text, f"repr: {text[:100]!r} is not readable"


def _check_refusals(measure: Measure, rtol: float) -> None:
    calls: dict[str, Callable[[], object]] = {
        "stieltjes(nan)": lambda: measure.stieltjes(np.nan),
        "stieltjes('1')": lambda: measure.stieltjes("1"),
        "density(1j)": lambda: measure.density(1j),
        "cdf(inf)": lambda: measure.cdf(np.inf),
        "quantile(1.5)": lambda: measure.quantile(1.5),
        "moment(-1)": lambda: measure.moment(-1),
        "free_cumulant(0)": lambda: measure.free_cumulant(0),
        # wrong types on purpose
        "expect(3)": lambda: measure.expect(3),  # type: ignore[arg-type]
        "rvs(2, 0)": lambda: measure.rvs(2, 0),  # type: ignore[arg-type]
    }
    for name, call in calls.items():
        try:
            call()
        except DomainError:
            continue
        raise AssertionError(f"refusal: {measure!r}.{name} does not raise DomainError")


def _quiet(check: Check) -> Check:
    """A law may warn about its accuracy; here the numbers decide."""

    def run(measure: Measure, rtol: float = 1e-8) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AccuracyWarning)
            check(measure, rtol)

    run.__name__ = check.__name__.removeprefix("_check_")
    return run


MEASURE_CHECKS: tuple[Check, ...] = tuple(
    _quiet(check)
    for check in (
        _check_parts, _check_herglotz, _check_decay, _check_mass, _check_density, _check_cdf, _check_quantile,
        _check_integrals, _check_derivative, _check_residues, _check_affine, _check_draws, _check_series, _check_repr,
        _check_refusals,
    )
)  # fmt: skip
