"""`check_equation`: does an equation have a law for its solution, and do all roads to that solution agree?

Each law of the battery is one function of `EQUATION_CHECKS`. The points are fixed fractions of the width of the law, so
the verdict is the same every time; only the search for the smallest counter-example of the transform is Hypothesis's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import _validate
from ..equations.base import Equation
from ..equations.certificate import certify
from ..equations.methods import Continuation, HighPrecision, Newton
from ..equations.probe import Profile, profile
from ..equations.solve import solve
from ..errors import ConvergenceError, DomainError
from ..status import Status
from .solver import check_solver

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]


class _Case(NamedTuple):
    """An equation with points around its law."""

    equation: Equation
    facts: Profile
    z: Complex
    rtol: float

    @property
    def name(self) -> str:
        return repr(self.equation)


def check_equation(equation: Equation, *, rtol: float = 1e-8, examples: int = 15) -> None:
    """Check a self-consistent equation: its form, its solution, and what its family claims to know.

    The laws: the map has the declared shape and type, is holomorphic, acts on each point by itself and leaves its
    arguments alone; a given jacobian is its derivative; `solve` succeeds off the axis, the same for any order and shape
    of the points; the solution passes `check_solver` (Herglotz, ``|m| <= 1/Im z``, conjugate symmetry, Pick, mass
    one); Newton's iteration, continuation from large Im z and the family's own solver agree within their error
    bounds; the certificate accepts the solution and refuses its conjugate; the error bound holds against 30 digits
    (where the map works on mpmath numbers). Where the family knows them: edges separate density from none, atoms are
    the residues of m, the closed-form distribution function has the density as derivative.

    Parameters
    ----------
    equation : Equation
        What to check.
    rtol : float
        Largest accepted relative disagreement.
    examples : int
        Hypothesis examples for each law of the transform.

    Raises
    ------
    AssertionError
        One sentence: the law that is broken, with the numbers.

    Examples
    --------
    >>> import rmtsolve as rmt
    >>> check_equation(rmt.Equation(lambda z, m: -1 / (z + m), name="semicircle"))
    >>> check_equation(rmt.Equation(lambda z, m: -1 / (z - m), name="minus"))
    Traceback (most recent call last):
    ...
    AssertionError: law: Equation('minus') is no equation of a law: the variance of the law comes out negative ...
    """
    if not isinstance(equation, Equation):
        _validate.fail("equation", "an Equation", equation, "wrap a map as Equation(step)")
    _validate.real(rtol, "rtol", low=0.0, open_low=True)
    try:
        facts = profile(equation)
    except DomainError as error:
        raise AssertionError(f"form: {equation!r} is not well formed: {error}") from error
    assert not facts.remark, f"law: {equation!r} is no equation of a law: {facts.remark}"
    x = facts.centre + facts.scale * np.array([-2.9, -1.6, -0.8, -0.1, 0.3, 1.1, 2.3])
    z = (x[:, None] + 1j * facts.scale * np.array([1e-3, 0.1, 2.0])).ravel()
    case = _Case(equation, facts, np.asarray(z, dtype=np.complex128), rtol)
    for check in EQUATION_CHECKS:
        check(case)
    transform = _transform(equation)
    try:
        check_solver(transform, center=facts.centre, scale=facts.scale, rtol=max(rtol, 1e-9), examples=examples)
    except AssertionError as error:
        raise AssertionError(f"{equation!r}: {error}") from None


def _transform(equation: Equation) -> Callable[[Any], Any]:
    def transform(z: Any) -> Any:
        return solve(equation, z).m

    return transform


def _gap(case: _Case, law: str, got: Complex, wanted: Complex, allowed: Real | float, where: Complex | Real) -> None:
    """Fail with one sentence where |got - wanted| exceeds what is allowed."""
    gap = np.abs(got - wanted)
    limit = np.broadcast_to(np.asarray(allowed, dtype=np.float64), gap.shape)
    bad = ~(gap <= limit)
    if bad.any():
        k = int(np.argmax(np.where(bad, gap / np.maximum(limit, 1e-300), 0.0)))
        raise AssertionError(
            f"{law}: {case.name} gives {got[k]:.12g} at {where[k]:.6g}, expected {wanted[k]:.12g} "
            f"(difference {gap[k]:.1e}, allowed {limit[k]:.1e})"
        )


def _words(code: int) -> str:
    return next(member.message for member in Status if member == code)


def _check_solve(case: _Case) -> None:
    """Every point off the axis, in any order and shape, above and below."""
    try:
        m = solve(case.equation, case.z).m
        back = solve(case.equation, case.z[::-1]).m[::-1]
        square = solve(case.equation, case.z.reshape(-1, 3)).m.ravel()
        alone = np.array([solve(case.equation, z).m.item() for z in case.z[:4]])
        below = solve(case.equation, case.z.conj()).m
    except ConvergenceError as error:
        raise AssertionError(f"solve: {error}") from error
    limit = case.rtol * np.abs(m)
    _gap(case, "order: m must not depend on the order of the points", back, m, limit, case.z)
    _gap(case, "shape: m must not depend on the shape of z", square, m, limit, case.z)
    _gap(case, "one by one: m must not depend on the other points", alone, m[:4], limit[:4], case.z[:4])
    _gap(case, "conjugate symmetry: m(conj z) = conj m(z)", below.conj(), m, limit, case.z)
    assert solve(case.equation, np.empty(0)).m.shape == (0,), f"shape: {case.name} fails for no points"


def _check_methods(case: _Case) -> None:
    """The family's solver (or Auto), Newton on the plain map and continuation from far away, within their bounds."""
    auto = solve(case.equation, case.z)
    for method in (Newton(), Continuation()):
        other = solve(case.equation, case.z, method, throw=False)
        same = other.status == Status.CONVERGED
        assert isinstance(method, Newton) or same.all(), (
            f"methods: {case.name} cannot be solved by continuation at z={case.z[~same][0]:.6g}: "
            f"{_words(int(other.status[~same][0]))}"
        )
        bound = np.nan_to_num(auto.error_bound[same]) + np.nan_to_num(other.error_bound[same])
        allowed = np.maximum(bound, case.rtol * np.abs(auto.m[same]))
        law = f"methods: {type(method).__name__} and Auto must agree"
        _gap(case, law, other.m[same], auto.m[same], allowed, case.z[same])


def _check_certificate(case: _Case) -> None:
    """The certificate accepts the solution, knows its error, and refuses a solution on the wrong side."""
    solution = solve(case.equation, case.z)
    certificate = solution.certificate()
    assert certificate.ok, f"certificate: {case.name} is solved but not certified: {certificate.verdict}"
    assert float(np.nanmax(certificate.residual)) <= 1e-6, (
        f"residual: the state of {case.name} misses its own equation by {np.nanmax(certificate.residual):.1e}"
    )
    wrong = certify(case.equation, case.z, solution.m.conj())
    assert not (wrong.status == Status.CONVERGED).any(), f"certificate: {case.name} accepts conj m as a solution"


def _check_bound(case: _Case) -> None:
    """The true error, from 30 digits, is within the bound; maps that cannot take mpmath numbers are excused."""
    solution = solve(case.equation, case.z)
    try:
        exact = solve(case.equation, case.z, HighPrecision(digits=30), throw=False)
    except DomainError:
        return
    good = (exact.status == Status.CONVERGED) & np.isfinite(solution.error_bound)
    # the exact value is rounded to a float before it is compared
    allowed = solution.error_bound + 4e-16 * np.abs(exact.m)
    _gap(case, "error bound", solution.m[good], exact.m[good], allowed[good], case.z[good])


def _check_edges(case: _Case) -> None:
    """Edges are sorted, with density on the inner side and none on the outer side."""
    edges = case.equation.find_edges()
    if edges is None or edges.size == 0:
        return
    assert edges.ndim == 1 and edges.size % 2 == 0 and np.all(np.diff(edges) >= 0), (
        f"edges: {case.name} has edges {edges}, they must be pairs in ascending order"
    )
    width = edges[1::2] - edges[::2]
    inside = np.concatenate([edges[::2] + 1e-3 * width, edges[1::2] - 1e-3 * width])
    ends = np.concatenate([[-np.inf], edges, [np.inf]])
    room = np.minimum(np.concatenate([ends[1:-1:2] - ends[:-2:2], ends[3::2] - ends[2:-1:2]]), np.tile(width, 2))
    outside = np.concatenate([edges[::2], edges[1::2]]) + np.repeat([-1.0, 1.0], width.size) * 1e-3 * room
    outside = outside[room > 1e-6 * np.tile(width, 2)]
    for points, present in ((inside, True), (outside, False)):
        solution = solve(case.equation, points, throw=False)
        good = solution.status == Status.CONVERGED
        found = solution.m.imag[good] > 1e-9 * np.abs(solution.m[good])
        wrong = points[good][found != present]
        assert wrong.size == 0, (
            f"edges: {case.name} has edges {edges}, but {'no ' if present else ''}density at x={wrong[:1]}"
        )


def _check_atoms(case: _Case) -> None:
    """``-i eta m(x + i eta)`` tends to the weight of an atom at x."""
    atoms = case.equation.find_atoms()
    if atoms is None:
        return
    for location, weight in zip(atoms.locations, atoms.weights, strict=True):
        heights = case.facts.scale * np.array([1e-4, 2e-4])
        values = heights * solve(case.equation, location + 1j * heights).m.imag
        limit = (4.0 * values[0] - values[1]) / 3.0 if weight < 1.0 else values[0]
        assert abs(limit - weight) <= 1e-4, (
            f"atoms: {case.name} claims mass {weight:.8g} at {location:.6g}, its transform has the residue {limit:.8g}"
        )


def _check_cumulative(case: _Case) -> None:
    """The closed-form distribution function grows by the integral of the density."""
    edges = case.equation.find_edges()
    if edges is None or edges.size == 0:
        return
    nodes, weights = np.polynomial.legendre.leggauss(12)
    for left, right in edges.reshape(-1, 2):
        low, high = left + 0.4 * (right - left), left + 0.5 * (right - left)
        x = 0.5 * (low + high) + 0.5 * (high - low) * nodes
        ends = np.array([low, high])
        solution, density = solve(case.equation, ends, throw=False), solve(case.equation, x, throw=False)
        closed = case.equation.cumulative(ends, solution.state) if solution.ok and density.ok else None
        if closed is None:
            continue
        mass = 0.5 * (high - low) * float(weights @ density.m.imag) / np.pi
        assert abs(closed[1] - closed[0] - mass) <= 1e-7, (
            f"cumulative: {case.name} puts mass {closed[1] - closed[0]:.10g} between {low:.6g} and {high:.6g}, "
            f"its density {mass:.10g}"
        )


EQUATION_CHECKS: tuple[Callable[[_Case], None], ...] = (
    _check_solve,
    _check_methods,
    _check_certificate,
    _check_bound,
    _check_edges,
    _check_atoms,
    _check_cumulative,
)
