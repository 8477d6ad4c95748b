"""What can be learnt of a map before it is solved: mistakes in its form, its domain, and the law far away.

A map that is wrong in shape, type or sign is refused here with a `DomainError` that says what is wrong; what remains
(the domain that it maps into itself, the mass, mean and variance of the law) decides how it is solved and how sure
the answer is.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import _validate
from ..errors import DomainError
from .base import Complex, Equation
from .domains import Domain, candidates, contains, sample
from .iterations import anderson, guarded_newton
from .maps import FlatMap, Gauge

_STATES = 40  # sample states for every sample point
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
    _check_form(tmap, points, states)
    _check_holomorphic(tmap, np.array([0.3 + 0.7j, -1.1 + 0.4j, 2.3 + 1.9j, 5.1 + 0.8j, -3.7 + 2.2j, 0.6 + 4.0j, 9.0j]))
    mass, mean, variance, centre, scale = _far_field(tmap)
    if np.isnan(mass) and _is_residual(equation):
        _validate.fail("step", "the map T whose fixed point is the state", "one whose zeros are the law",
                       "return T(z, state), not state - T(z, state)")  # fmt: skip
    spread = np.array([-3 + 0.1j, -1 + 0.01j, -0.4 + 1j, 0.2 + 0.003j, 0.7 + 3j, 1.3 + 0.03j, 4 + 0.3j])
    around = np.asarray(centre + scale * spread, dtype=np.complex128)
    domain = Domain.NONE
    for candidate in candidates(equation.shape):
        # the sector is for laws on the positive axis only; it is tested at points of both signs
        if _keeps(tmap, candidate, around):
            domain = candidate
            break
    remark = ""
    if not np.isfinite(mass):
        remark = "-z m(z) has no limit far from the axis; if the state is not m itself, give the equation a readout"
        if _plain_matrix(equation):
            remark += (
                ", and if it is the inverse of a matrix, let z multiply the identity: z[:, None, None] * np.eye(k)"
            )
    elif abs(mass - 1.0) > 1e-4:
        remark = f"-z m(z) tends to {mass:.6g} far from the axis, not to 1: scale the readout"
    elif variance < -1e-3 * scale**2:
        remark = f"the variance of the law comes out negative ({variance:.3g}): check the sign of the self-energy"
    return Profile(domain, mass, mean, variance, centre, scale, _unit(tmap, centre, scale), remark)


def _check_form(tmap: FlatMap, z: Complex, states: Complex) -> None:
    """Refuse maps of the wrong shape or type, that change their arguments, mix points or are not functions."""
    equation, n = tmap.equation, z.size
    shaped = states.reshape(n, *equation.shape)
    z_given, state_given = z.copy(), shaped.copy()
    plain = type(equation).step is Equation.step
    given: Any
    try:
        with np.errstate(all="ignore"):  # a user's own function before its values are made complex128
            given = equation._step(z_given, state_given) if plain else equation.step(z_given, state_given)
    except np.linalg.LinAlgError:
        given = shaped
    except DomainError:
        raise
    except Exception as error:
        _refuse(
            "step",
            f"a function of z with shape (n,) and state with shape {_named(equation.shape)}",
            f"{type(error).__name__}: {error}",
            "write it with NumPy operations on whole arrays, or decorate a one-point function with rmtsolve.step",
            error,
        )
    if given is None:
        _validate.fail("step", "a function that returns complex numbers", given, "the return is missing")
    image = _as_numbers(given, "step").copy()  # a map may hand out the same array again
    if image.shape != shaped.shape:
        _validate.fail(
            "step", f"a map that returns the shape of its state, {_named(equation.shape)}",
            f"shape {image.shape} for n = {n}", "pass shape= to Equation for vector and matrix unknowns",
        )  # fmt: skip
    if not (np.array_equal(z_given, z) and np.array_equal(state_given, shaped)):
        _validate.fail(
            "step", "a map that leaves its arguments alone", "a map that overwrites them",
            "write m = m + x instead of m += x",
        )  # fmt: skip
    if not np.isfinite(image).any():
        _validate.fail(
            "step", "finite at ordinary points", f"{image.flat[0]} at z={z[0]}", "check the map and its constants"
        )
    again = tmap(z, states)
    if not _close(again, image.reshape(n, -1), 1e-13):
        _validate.fail(
            "step", "a function of its arguments only", "different values on the same arguments",
            "no random numbers, counters or memory inside",
        )  # fmt: skip
    each = "a map that treats every point by itself"
    remedy = "reduce over the axes of the state only, never over the first axis; for vectors write m @ S.T, not S @ m"
    try:
        alone = np.concatenate([tmap(z[i : i + 1], states[i : i + 1]) for i in range(n)])
    except Exception as error:
        _refuse("step", each, f"{type(error).__name__} for a single point: {error}", remedy, error)
    if not _close(alone, again):
        _validate.fail("step", each, "other values when the points come one at a time", remedy)
    if _close(again, states):
        _validate.fail(
            "step", "a map that moves the state", "the identity", "return T(z, state), not state - T(z, state)"
        )
    # where the law is wide one other z may be too near to matter
    if _close(tmap(2.0 * z + 1j, states), again) and _close(tmap(1e100 * z, states), again):
        if _close(tmap(z, states[::-1]), again):
            _validate.fail("step", "a map that depends on z or on the state", f"the constant {image.flat[0]:.6g}")
        _validate.fail("step", "a map that depends on z", "the same values at other z", "where does z enter?")
    _check_inverse(tmap, z, states)
    _check_readout(tmap, z, states)
    _check_jacobian(tmap, z, states, again)
    start = np.asarray(equation.start(z))
    if start.shape != shaped.shape:
        _validate.fail("start", f"a function that returns shape {_named(equation.shape)}", f"shape {start.shape}")


def _plain_matrix(equation: Equation) -> bool:
    """Whether the unknown is a matrix of which the normalised trace is read, as it is for an inverse."""
    return type(equation) is Equation and equation._readout is None and math.prod(equation.shape[1:]) > 1


def _check_inverse(tmap: FlatMap, z: Complex, states: Complex) -> None:
    """Refuse 1/X of a matrix X = z - ...: its entries have reciprocals that are linear in z, those of X^(-1) have not.

    An entry of ``X^(-1)`` is the reciprocal of a Schur complement, whose second term is curved in z where X is not
    diagonal.
    """
    if not _plain_matrix(tmap.equation):
        return
    with np.errstate(all="ignore"):
        one, two, three = (tmap(z + step, states) for step in (0.0, 0.5 + 0.25j, 1.0 + 0.5j))
        gap = np.abs(1.0 / one - 2.0 / two + 1.0 / three)
        straight = gap <= 1e-9 * (np.abs(1.0 / one) + np.abs(1.0 / three))
    if (straight | ~np.isfinite(one)).all():
        _validate.fail(
            "step", "a map of matrices", "one that takes the reciprocal of every entry",
            "write np.linalg.inv(X) for the inverse, not 1 / X",
        )  # fmt: skip


def _check_readout(tmap: FlatMap, z: Complex, states: Complex) -> None:
    rule = "a function that returns one m for every point, shape (n,)"
    try:
        m = tmap.readout(z, states)
    except Exception as error:
        _refuse("readout", rule, f"{type(error).__name__}: {error}", "", error)
    m = _as_numbers(m, "readout")
    if m.shape != z.shape:
        _validate.fail("readout", rule, f"shape {m.shape} for n = {z.size}")


def _check_jacobian(tmap: FlatMap, z: Complex, states: Complex, image: Complex) -> None:
    """A given jacobian must agree with difference quotients."""
    shaped = states.reshape(z.size, *tmap.shape)
    given = tmap.equation.jacobian(z.copy(), shaped.copy())
    if given is None:
        return
    n, d = states.shape
    if given.size != n * d * d:
        _validate.fail("jacobian", f"a function that returns shape (n, {d}, {d})", f"shape {given.shape} for n = {n}")
    bare = FlatMap(Equation(tmap.equation.step, shape=tmap.shape))
    quotient = bare.accurate_jacobian(z, states)
    gap = np.abs(given.reshape(n, d, d) - quotient).max(axis=(1, 2))
    size = np.abs(quotient).max(axis=(1, 2)) + np.abs(image).max(axis=1) * 1e-6
    finite = np.isfinite(gap)
    if finite.any() and np.all(gap[finite] > 1e-3 * size[finite]):
        _validate.fail(
            "jacobian",
            "the derivative of step by the state",
            f"a relative error of {float((gap / size)[finite].max()):.2g}",
            "entry (i, j) is d step_i / d state_j; leave jacobian out to use difference quotients",
        )


def _check_holomorphic(tmap: FlatMap, z: Complex) -> None:
    """Refuse maps that use conj, abs, real or imag: their derivative depends on the direction."""
    kind = candidates(tmap.shape)[0]
    states = sample(kind, z, np.abs(1.0 / z), tmap.shape, 1)[:, 0]
    weights = (1.0 + np.arange(tmap.size)) / tmap.size
    for what in ("state", "z"):
        mismatch = []
        for h in (1e-4, 1e-5):
            quotients = []
            for turn in (1.0, 1j):
                if what == "state":
                    step = turn * h * states * weights
                    change = tmap(z, states + step) - tmap(z, states - step)
                else:
                    change = tmap(z * (1.0 + turn * h), states) - tmap(z * (1.0 - turn * h), states)
                quotients.append(change / (turn * h))
            size = np.maximum(np.abs(quotients[0]).max(axis=1), np.abs(quotients[1]).max(axis=1))
            floor = 1e-9 * np.abs(tmap(z, states)).max(axis=1) / h
            with np.errstate(all="ignore"):
                gap = np.abs(quotients[0] - quotients[1]).max(axis=1)
                mismatch.append(gap > 0.03 * size + floor)
        if np.count_nonzero(mismatch[0] & mismatch[1]) > z.size // 2:
            _validate.fail(
                "step", f"a holomorphic function of {what}", "one whose derivative depends on the direction",
                "remove conj, abs, real and imag",
            )  # fmt: skip


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


def _keeps(tmap: FlatMap, domain: Domain, z: Complex) -> bool:
    """Whether all sampled states of the domain are mapped into it at the points z."""
    states = sample(domain, z, np.abs(1.0 / z), tmap.shape, _STATES).reshape(-1, tmap.size)
    repeated = np.repeat(z, _STATES)
    inside = contains(domain, repeated, states)  # a quasi-random matrix can be singular to rounding
    image = tmap(repeated[inside], states[inside])
    finite = np.isfinite(image).all(axis=1)
    return bool(inside.sum() > 4 and finite.all() and contains(domain, repeated[inside], image).all())


def _close(first: Complex, second: Complex, rtol: float = 1e-9) -> bool:
    return bool(np.allclose(first, second, rtol=rtol, atol=1e-300, equal_nan=True))


def _as_numbers(value: object, label: str) -> Complex:
    array = np.asarray(value)
    if array.dtype.kind not in "iufc":
        _validate.fail(label, "a function that returns complex numbers", f"dtype {array.dtype}")
    if array.dtype in (np.complex64, np.float32, np.float16):
        _validate.fail(label, "computed in double precision", f"dtype {array.dtype}", "use complex128 throughout")
    return array.astype(np.complex128)


def _named(shape: tuple[int, ...]) -> str:
    return "(" + ", ".join(["n", *map(str, shape)]) + ("," if not shape else "") + ")"


def _refuse(name: str, rule: str, value: str, remedy: str, error: Exception) -> None:
    """`_validate.fail` chained to the error of the user's own function."""
    try:
        _validate.fail(name, rule, value, remedy)
    except DomainError as refusal:
        raise refusal from error
