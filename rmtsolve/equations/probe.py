"""What can be learnt of a map before it is solved: mistakes in its form, its domain, and the law far away.

A map that is wrong in shape, type or sign is refused here with a `DomainError` that says what is wrong; what remains
(the domain that it maps into itself, the mass, mean and variance of the law) decides how it is solved and how sure
the answer is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import _validate
from ..errors import DomainError
from .base import Complex, Equation, Real
from .domains import Domain, candidates, contains, sample
from .form import check_form, check_holomorphic, check_precision, plain_matrix
from .iterations import anderson, guarded_newton
from .maps import FlatMap, Gauge

_STATES = 40  # sample states for every sample point
_BESIDE, _FLAT = 400, 1e-3  # states beside the boundary, and their angle with it
_REAL = np.array([-2.3, 0.37, 1.9])  # where they are tried, in widths from the centre
_CONVENTION = "in this package m(z) = int mu(dx) / (x - z), so that Im m > 0 for Im z > 0 and m = -1/z far away"


class Profile(NamedTuple):
    """Facts about an equation, found once by evaluating its map.

    Parameters
    ----------
    domain : Domain
        A domain that every sampled state was mapped into.
    mass, mean, variance : float
        Of the law, from ``-z m(z)`` at large ``Im z``; nan where the expansion was not seen.
    centre, scale : float
        Where the law is and how wide, finite in any case.
    unit : float
        Size of the state one width above the centre; 0 if it was not found.
    remark : str
        What speaks against the equation, in words; empty if nothing does.
    """

    domain: Domain
    mass: float
    mean: float
    variance: float
    centre: float
    scale: float
    unit: float
    remark: str


def profile(equation: Equation) -> Profile:
    """Profile of an equation, computed at the first call and kept with the equation."""
    kept = equation.__dict__.get("_profile")
    if not isinstance(kept, Profile):
        kept = _examine(equation)
        object.__setattr__(equation, "_profile", kept)
    return kept


def gauged(equation: Equation) -> FlatMap:
    """The map of an equation with the place, width and unit of its law."""
    facts = profile(equation)
    return FlatMap(equation, Gauge(facts.centre, facts.scale, facts.unit))


def domain_at(tmap: FlatMap, z: Complex, usual: Domain) -> Domain:
    """`usual` if the map also keeps it at (some of) the points z, else NONE."""
    if usual is Domain.NONE or z.size == 0:
        return usual
    order = np.lexsort((z.imag, z.real))
    chosen = z[np.unique(order[np.linspace(0, z.size - 1, min(8, z.size)).astype(int)])]
    chosen = chosen[chosen.imag > 0.0]
    return usual if chosen.size == 0 or _keeps(tmap, usual, chosen) else Domain.NONE


def demote(equation: Equation) -> Profile:
    """The profile of an equation whose domain turned out to be left by the map."""
    found = profile(equation)._replace(domain=Domain.NONE)
    object.__setattr__(equation, "_profile", found)
    return found


def _examine(equation: Equation) -> Profile:
    tmap = FlatMap(equation)
    points = np.array([0.3 + 0.7j, -1.1 + 0.4j, 2.3 + 1.9j])
    states = sample(candidates(equation.shape)[0], points, np.abs(1.0 / points), equation.shape, 1)[:, 0]
    check_form(tmap, points, states)
    ordinary = np.array([0.3 + 0.7j, -1.1 + 0.4j, 2.3 + 1.9j, 5.1 + 0.8j, -3.7 + 2.2j, 0.6 + 4.0j, 9.0j])
    check_holomorphic(tmap, ordinary)
    check_precision(tmap, ordinary)
    mass, mean, variance, centre, scale = _far_field(tmap)
    if np.isnan(mass) and _is_residual(equation):
        _validate.fail("step", "the map T whose fixed point is the state", "one whose zeros are the law",
                       "return T(z, state), not state - T(z, state)")  # fmt: skip
    spread = np.array([-3 + 0.1j, -1 + 0.01j, -0.4 + 1j, 0.2 + 0.003j, 0.7 + 3j, 1.3 + 0.03j, 4 + 0.3j])
    around = np.asarray(centre + scale * spread, dtype=np.complex128)
    domain = Domain.NONE
    for candidate in candidates(equation.shape):
        # the sector is for laws on the positive axis only; it is tested at points of both signs
        if _keeps(tmap, candidate, around) and _keeps_beside(tmap, candidate, centre + scale * _REAL):
            domain = candidate
            break
    remark = ""
    if not np.isfinite(mass):
        remark = "-z m(z) has no limit far from the axis; if the state is not m itself, give the equation a readout"
        if plain_matrix(equation):
            remark += (
                ", and if it is the inverse of a matrix, let z multiply the identity: z[:, None, None] * np.eye(k)"
            )
    elif abs(mass - 1.0) > 1e-4:
        remark = f"-z m(z) tends to {mass:.6g} far from the axis, not to 1: scale the readout"
    elif variance < -1e-3 * scale**2:
        remark = f"the variance of the law comes out negative ({variance:.3g}): check the sign of the self-energy"
    return Profile(domain, mass, mean, variance, centre, scale, _unit(tmap, centre, scale), remark)


def _far_field(tmap: FlatMap) -> tuple[float, float, float, float, float]:
    """(mass, mean, variance, centre, scale) from ``-z m = mass (1 + mean/z + ...)`` at large Im z."""
    radius = 10.0 ** np.arange(-6.0, 17.0)
    m, good = far_solutions(tmap, np.asarray(1j * radius, dtype=np.complex128))
    with np.errstate(all="ignore"):
        value = -1j * radius * m[:, 0]
    good &= np.isfinite(value)
    if not good.any():
        return (np.nan, np.nan, np.nan, 0.0, 1.0)
    # the plateau of -z m: further out a readout like (state - z) loses all digits, further in the law has a shape
    with np.errstate(all="ignore"):
        change = np.abs(np.diff(value)) / np.abs(value[1:])
    change = np.where(good[1:] & good[:-1] & np.isfinite(change), change, np.inf)
    steady = np.maximum(change[1:], change[:-1])  # three values alike, not two by chance
    last = int(np.argmin(steady)) + 1
    mass = complex(value[last])
    if not steady[last - 1] < 1e-2:
        return (np.nan, np.nan, np.nan, 0.0, 1.0)
    if mass.real < 0.0 and abs(mass.imag) < 0.1 * abs(mass.real):
        _validate.fail(
            "step",
            "written for Im m > 0",
            f"m(z) = {-mass.real:.4g}/z far from the axis",
            f"change the sign; {_CONVENTION}",
        )
    deviation = np.where(good, np.abs(value / mass - 1.0), np.inf)
    near = deviation[: last + 1] < 1e-3
    first = int(np.flatnonzero(~near)[-1]) + 1 if not near.all() else 0
    if first > last:
        return (mass.real, np.nan, np.nan, 0.0, 1.0)
    mean = -float((value[first] / mass - 1.0).imag * radius[first])
    size = float(np.sqrt(deviation[first]) * radius[first] + abs(mean))
    if size == 0.0:
        size = 1.0  # the point mass at zero has no scale of its own
    for _ in range(2):  # seen from above its mean, the law shows its variance without cancellation
        z = np.asarray(mean + 1j * size * np.array([30.0, 300.0]), dtype=np.complex128)
        state, fine = far_solutions(tmap, z)
        if not fine.all():
            return (mass.real, mean, np.nan, mean, size)
        relative = -(z - mean) * state[:, 0] / mass - 1.0
        shifts = -relative.imag * z.imag
        near, far = (-relative.real * z.imag**2).tolist()
        if abs(far - near) > 0.2 * abs(near) + 1e-9 * size**2:
            return (mass.real, np.nan, np.nan, mean, size)
        # the next terms fall by 100 between the two heights
        variance = far + (far - near) / 99.0
        mean += float(shifts[1] + (shifts[1] - shifts[0]) / 99.0)
        scale = float(np.sqrt(abs(variance)))
        if scale > 0.3 * size or scale < 1e-6 * size:
            break
        size = 2.0 * scale
    return (mass.real, mean, variance, mean, scale if scale > 1e-6 * size else size)


def _is_residual(equation: Equation) -> bool:
    """Whether the zeros of the step, not its fixed points, tend to -1/z far away."""
    other = Equation(lambda z, s: s - equation.step(z, s), equation.readout, shape=equation.shape, start=equation.start)
    try:
        return abs(_far_field(FlatMap(other))[0] - 1.0) < 1e-4
    except DomainError:
        return False


def _unit(tmap: FlatMap, centre: float, scale: float) -> float:
    """Largest entry of the state one width above the centre of the law."""
    state, good = _by_iteration(tmap, np.array([centre + 1j * scale]))
    return float(np.abs(state).max()) if good[0] else 0.0


def far_solutions(tmap: FlatMap, z: Complex) -> tuple[Complex, NDArray[np.bool_]]:
    """(m, ok) at points far from the axis; m has shape (n, 1)."""
    state, good = _by_iteration(tmap, z)
    return tmap.readout(z, state).reshape(-1, 1), good


def _by_iteration(tmap: FlatMap, z: Complex) -> tuple[Complex, NDArray[np.bool_]]:
    """(state, ok) at points not near the axis, where the plain iteration contracts."""
    begin = anderson(tmap, Domain.NONE, z, tmap.start(z), window=0, damping=1.0, tol=1e-13, max_steps=40)
    found = guarded_newton(tmap, Domain.NONE, z, begin.state, tol=1e-12, max_steps=40, averaged=0)
    return found.state, found.residual <= 1e-10


def _keeps_beside(tmap: FlatMap, domain: Domain, x: Real) -> bool:
    """Whether sampled states beside the boundary are kept at points beside the real axis.

    A map that leaves the domain may do so near a pole on the boundary only, of which little is seen from inside. Beside
    the boundary the images must move inwards with the states everywhere.
    """
    return _keeps(tmap, domain, np.asarray(x + 1e-9j * np.ptp(x), dtype=np.complex128), _BESIDE, _FLAT)


def _keeps(tmap: FlatMap, domain: Domain, z: Complex, count: int = _STATES, flat: float = 1.0) -> bool:
    """Whether all sampled states of the domain are mapped into it at the points z."""
    states = sample(domain, z, np.abs(1.0 / z), tmap.shape, count, flat=flat).reshape(-1, tmap.size)
    repeated = np.repeat(z, count)
    inside = contains(domain, repeated, states)  # a quasi-random matrix can be singular to rounding
    image = tmap(repeated[inside], states[inside])
    finite = np.isfinite(image).all(axis=1)
    return bool(inside.sum() > 4 and finite.all() and contains(domain, repeated[inside], image).all())
