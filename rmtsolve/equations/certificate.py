"""certify: everything that can be checked about an answer, whoever computed it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate
from ..status import Status
from .base import Complex, Equation, Real
from .bounds import error_bounds
from .branch import judge, pick_eigenvalue, settle_on_axis, spread_out
from .certificate_axis import judge_from_above, near_infinity
from .domains import Domain, smallest_imaginary
from .form import plain_matrix
from .herglotz import against
from .iterations import polish
from .maps import FlatMap
from .methods import Auto
from .probe import Profile, domain_at, gauged, profile
from .stacks import spectral_radius

_PICK_POINTS = 60
_SEMIDEFINITE = 1e-9  # relative size of an eigenvalue of Im M that counts as zero


@dataclass(frozen=True, eq=False)
class Certificate:
    """What was checked of an answer `m` at points `z`; arrays are read-only and have the shape of `z`.

    Parameters
    ----------
    status : ndarray of int
        `Status` of every point: ``CONVERGED`` means that a solution on the physical branch lies within `error_bound`.
    residual : ndarray of float
        ``max |T(z, state) - state| / max |state|`` of the given state (relative to the terms of m where m vanishes).
    half_plane : ndarray of float
        Smallest imaginary part of the entries (of the eigenvalues of ``(M - M*)/2i`` for matrices) over the size of the
        given state (of m, if only m was given); positive above the axis for maps that keep the half-plane.
    contraction : ndarray of float
        Spectral radius of the derivative of T. At real z off the support the physical root of a map that keeps the
        upper half-plane has a value below one, a spurious real root has one above.
    error_bound : ndarray of float
        Bound on ``|m - m_true|``; nan where no bound is known.
    proved : ndarray of bool
        Whether the bound follows from the self-map property alone, without sampled constants.
    mass, pick : float
        Limit of ``-z m(z)`` far from the axis (1 for a probability law), and smallest eigenvalue of the Pick matrix of
        the given values above the axis (negative beyond rounding: no Stieltjes transform); nan where unknown.
    remark : str
        What speaks against the equation itself; empty if nothing does.
    """

    status: NDArray[np.int64]
    residual: Real
    half_plane: Real
    contraction: Real
    error_bound: Real
    proved: NDArray[np.bool_]
    mass: float
    pick: float
    remark: str

    @property
    def ok(self) -> bool:
        """Whether every point is certified to lie on the physical branch."""
        return bool(np.all(self.status == Status.CONVERGED))

    @property
    def verdict(self) -> str:
        """The result in one sentence."""
        total, good = self.status.size, int(np.count_nonzero(self.status == Status.CONVERGED))
        if good == total:
            return f"physical branch certified at all {total} points"
        worst = Status(int(self.status[self.status != Status.CONVERGED].flat[0]))
        return f"physical branch certified at {good} of {total} points; first failure: {worst.message}"

    def __str__(self) -> str:
        if self.status.size == 0:
            return "certificate of no points"
        bounds = self.error_bound[np.isfinite(self.error_bound)]
        unknown = self.status.size - bounds.size
        known = f"{bounds.max():.1e}" if bounds.size else "unknown"
        rows = [
            ("verdict", self.verdict),
            ("residual", f"at most {self.residual.max():.1e}"),
            ("half-plane", f"smallest relative imaginary part {self.half_plane.min():.1e}"),
            ("contraction", f"largest spectral radius {np.nanmax(self.contraction):.6g}" if np.isfinite(
                self.contraction).any() else "not known"),
            ("error bound", f"at most {known}" + (f" (unknown at {unknown} points)" if unknown else "")
             + (", proved" if bounds.size and self.proved[np.isfinite(self.error_bound)].all() else
                ", in part from sampled constants" if bounds.size else "")),
            ("mass", f"{self.mass:.10g}" if np.isfinite(self.mass) else "not known"),
            ("Pick matrix", f"smallest eigenvalue {self.pick:.1e}" if np.isfinite(self.pick) else
             "needs two points above the axis"),
        ]  # fmt: skip
        if self.remark:
            rows.append(("remark", self.remark))
        return "\n".join(f"{label:>12}: {words}" for label, words in rows)


def certify(equation: Equation, z: ArrayLike, m_or_state: ArrayLike) -> Certificate:
    """Check numbers against an equation, from this package or from anywhere else.

    Parameters
    ----------
    equation : Equation
        The self-consistent equation.
    z : array_like of complex
        Points, any shape.
    m_or_state : array_like of complex
        Either the unknown of the equation, shape ``z.shape + equation.shape``, or only the Stieltjes transform, shape
        ``z.shape`` (a scalar unknown that is not m itself cannot be told from m and is taken for m). If m does not
        determine the unknown, the equation is solved here and m compared with that.

    Returns
    -------
    Certificate
        Printing it gives a readable summary.

    Examples
    --------
    >>> import rmtsolve as rmt
    >>> equation = rmt.Equation(lambda z, m: -1 / (z + m))
    >>> rmt.certify(equation, [1j], [0.618034j]).ok
    True
    >>> print(rmt.certify(equation, [3.0], [-2.618033988749895]).verdict)
    physical branch certified at 0 of 1 points; first failure: the solution found is not the physical one
    """
    if not isinstance(equation, Equation):
        _validate.fail("equation", "an Equation", equation, "wrap a map as Equation(step)")
    points = _validate.complex_array(z, "z", allow_empty=True)
    given = _numbers_of_any_kind(m_or_state)
    state_shape = points.shape + equation.shape
    if given.shape not in (state_shape, points.shape):
        _validate.fail("m_or_state", f"of shape {points.shape} (m) or {state_shape} (state)", f"shape {given.shape}")
    return certify_numbers(equation, points, given, given.shape == state_shape and _is_state(equation))


def certify_numbers(equation: Equation, points: Complex, given: Complex, is_state: bool) -> Certificate:
    """The certificate of states or of values of m."""
    flat = points.ravel()
    lower = flat.imag < 0.0
    upper = flat.real + 1j * (np.abs(flat.imag) + 0.0)
    if is_state:
        state = given.reshape(flat.size, *equation.shape)
        mirrored = state.conj().swapaxes(-1, -2) if len(equation.shape) == 2 else state.conj()
        state = np.where(lower.reshape(-1, *(1,) * len(equation.shape)), mirrored, state)
        checked = _check_state(equation, upper, state.reshape(flat.size, math.prod(equation.shape)))
    else:
        values = np.where(lower, given.ravel().conj(), given.ravel())
        checked = _check_values(equation, upper, values)
    facts = profile(equation)
    per_point = {
        name: _validate.read_only(array.reshape(points.shape)) for name, array in checked.per_point._asdict().items()
    }
    return Certificate(**per_point, mass=facts.mass, pick=checked.pick, remark=checked.remark)


class _PerPoint(NamedTuple):
    """The arrays of a certificate, 1-d."""

    status: NDArray[np.int64]
    residual: Real
    half_plane: Real
    contraction: Real
    error_bound: Real
    proved: NDArray[np.bool_]


class _Checked(NamedTuple):
    """What was found of given numbers."""

    per_point: _PerPoint
    pick: float
    remark: str


def _check_state(equation: Equation, z: Complex, state: Complex) -> _Checked:
    """Everything about given states, (n, d): the root beside each is found, judged, and its distance counted."""
    facts = profile(equation)
    tmap = gauged(equation)
    domain = domain_at(tmap, z, facts.domain)
    residual = tmap.residual(z, state, tmap(z, state))
    finite = np.asarray(np.isfinite(state).all(axis=1))
    root = polish(tmap, z, np.where(finite[:, None], state, 0.0), tol=1e-11, max_steps=20)
    refined = settle_on_axis(tmap, z, root.state)
    status = np.where(finite, root.status, int(Status.NOT_FINITE))
    size = tmap.largest(z, state)
    distance = np.abs(refined - state).max(axis=1)
    # Newton's iteration went to a root that is not beside the given numbers: they solve nothing
    status = np.where((status == Status.CONVERGED) & ~(distance <= 0.1 * size), int(Status.STALLED), status)
    with np.errstate(all="ignore"):  # m may be infinite
        verdict = judge(tmap, facts, domain, z, refined, status, continued=np.zeros(z.size, dtype=bool))
    m, exact = tmap.readout(z, state), tmap.readout(z, refined)
    _judge_again(tmap, facts, domain, z, refined, verdict.status, exact, finite)
    found = np.flatnonzero(np.isin(verdict.status, (Status.CONVERGED, Status.NOT_CERTIFIED)))
    bound, proved = np.full(z.size, np.nan), np.zeros(z.size, dtype=bool)
    bound[found], proved[found] = error_bounds(tmap, domain, z[found], refined[found])
    with np.errstate(all="ignore"):
        bound = bound + np.abs(m - exact)
    lowest = smallest_imaginary(state) if len(tmap.shape) == 2 else state.imag.min(axis=1)
    with np.errstate(all="ignore"):
        height = np.where(finite, lowest / size, np.nan)
    status, remark = _withdrawn(tmap, facts, domain, z, m, verdict.status)
    if plain_matrix(equation):
        tilted = (status == Status.CONVERGED) & ~(height > -_SEMIDEFINITE)
        status = np.where(tilted, int(Status.NOT_CERTIFIED), status)
        if tilted.any() and not remark:
            remark = (
                f"the imaginary part of the matrix is not positive definite at z={z[tilted][0]:.6g}: the state is no "
                "resolvent, as it is where all constant matrices of the map are Hermitian"
            )
    found_facts = _PerPoint(status, residual, height, _contraction(tmap, z, refined), bound, proved)
    return _Checked(found_facts, _pick(z, m), remark)


def _judge_again(
    tmap: FlatMap,
    facts: Profile,
    domain: Domain,
    z: Complex,
    state: Complex,
    status: NDArray[np.int64],
    m: Complex,
    given: NDArray[np.bool_],
) -> None:
    """Second opinion, in place, on real roots at real z that were not accepted; `given`: beside finite numbers."""
    doubtful = np.isin(status, (Status.WRONG_BRANCH, Status.NOT_CERTIFIED, Status.NOT_FINITE))
    doubtful |= (status == Status.STALLED) & near_infinity(tmap, z, state)
    index = np.flatnonzero(doubtful & given & (z.imag == 0.0) & np.isfinite(state).all(axis=1))
    if index.size == 0:
        return
    second, limit = judge_from_above(tmap, facts, domain, z[index], state[index])
    with np.errstate(all="ignore"):
        same = np.abs(m[index] - limit) <= 1e-6 / tmap.gauge.reach(z[index]) + 1e-6 * np.abs(limit)
    right = second == Status.CONVERGED
    status[index[right & same]] = Status.CONVERGED
    # the right root, but m is infinite, or not to be had from it
    status[index[right & ~np.isfinite(m[index])]] = Status.SINGULAR


def _check_values(equation: Equation, z: Complex, m: Complex) -> _Checked:
    """Given m alone, compared with a solution of our own."""
    from .solve import solve

    own = solve(equation, z, Auto(), throw=False)
    tmap = gauged(equation)
    facts = profile(equation)
    domain = domain_at(tmap, z, facts.domain)
    state = own.state.reshape(z.size, -1)
    with np.errstate(all="ignore"):
        distance = np.abs(m - own.m)
    bound = distance + own.error_bound
    scale = np.maximum(np.abs(own.m), 1.0 / tmap.gauge.reach(z))
    status = np.where(
        (own.status == Status.CONVERGED) & ~(distance <= 0.1 * scale), int(Status.WRONG_BRANCH), own.status
    )
    status = np.where(np.isfinite(m), status, int(Status.NOT_FINITE))
    with np.errstate(all="ignore"):
        residual = np.where(np.isfinite(distance), distance / scale, np.inf)
    proved = np.zeros(z.size, dtype=bool)
    good = np.flatnonzero(np.isfinite(own.error_bound))
    proved[good] = error_bounds(tmap, domain, z[good], state[good])[1]
    with np.errstate(all="ignore"):
        height = m.imag / np.abs(m)
    status, remark = _withdrawn(tmap, facts, domain, z, m, status)
    per_point = _PerPoint(status, residual, height, _contraction(tmap, z, state), bound, proved)
    return _Checked(per_point, _pick(z, m), remark)


def _withdrawn(
    tmap: FlatMap, facts: Profile, domain: Domain, z: Complex, m: Complex, status: NDArray[np.int64]
) -> tuple[NDArray[np.int64], str]:
    """CONVERGED taken back where m leaves the half-plane, or where the map or the values are no law; what is wrong."""
    with np.errstate(all="ignore"):
        below = (z.imag > 0.0) & ~(m.imag > -4.0 * np.finfo(float).eps * np.abs(m))
    status = np.where((status == Status.CONVERGED) & below, int(Status.WRONG_BRANCH), status)
    good = status == Status.CONVERGED
    remark = against(tmap, facts, domain) if good.any() else facts.remark
    if remark or (domain is Domain.NONE and _pick(z, m) < -1e-6):
        status = np.where(good, int(Status.NOT_CERTIFIED), status)
    return status, remark


def _contraction(tmap: FlatMap, z: Complex, state: Complex) -> Real:
    """Spectral radius of the derivative of T; nan where the state is not finite."""
    radius = np.full(z.size, np.nan)
    finite = np.isfinite(state).all(axis=1)
    if finite.any():
        radius[finite] = spectral_radius(tmap.accurate_jacobian(z[finite], state[finite]))
    return radius


def _pick(z: Complex, m: Complex) -> float:
    chosen = spread_out(z, _PICK_POINTS)
    return pick_eigenvalue(z[chosen], m[chosen])


def _is_state(equation: Equation) -> bool:
    """Whether numbers of the shape of the state are the state: a scalar one only if the readout is the state itself."""
    own_readout = type(equation).readout is not Equation.readout or getattr(equation, "_readout", None) is not None
    return equation.shape != () or not own_readout


def _numbers_of_any_kind(value: ArrayLike) -> Complex:
    """Complex array that may hold nan or inf: foreign numbers are judged, not refused."""
    try:
        array = np.array(value, dtype=np.complex128)
    except (TypeError, ValueError):
        _validate.fail("m_or_state", "an array of numbers", value)
    return array
