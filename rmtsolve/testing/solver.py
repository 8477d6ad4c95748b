"""`check_solver`: property-test any callable z -> m that claims to be a Stieltjes transform.

Every law is searched for a counter-example by Hypothesis, and the smallest one found is what the error names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from .. import _validate
from ..ensembles.base import Ensemble
from .strategies import upper_half_plane

Complex = NDArray[np.complex128]
Solver = Callable[[Any], Any]


def check_solver(
    solver: Solver,
    ensemble: Ensemble | None = None,
    *,
    center: float | None = None,
    scale: float | None = None,
    rtol: float = 1e-7,
    examples: int = 100,
    size: int = 300,
    rng: np.random.Generator | None = None,
    scaled: Callable[[float], Solver] | None = None,
) -> None:
    """Check that `solver` is the Stieltjes transform of a probability law, and of `ensemble` when one is given.

    The laws: finite values; Herglotz (``Im m > 0`` for ``Im z > 0``); ``|m| <= 1/Im z``; conjugate symmetry;
    mass one and a real mean (from ``-1/z - mean/z^2`` far away); positive Pick matrix; the same answer in any order
    of the points. With an ensemble also: the mean and variance of the law, the certified transform itself (which
    finds a bias in Im z, a wrong sign of the ratio, p and n exchanged), and the resolvent of sampled matrices.

    Parameters
    ----------
    solver : callable
        ``solver(z) -> m``; called with 1-d arrays, or one point at a time when it cannot take them.
    ensemble : Ensemble, optional
        The model that `solver` claims to solve.
    center, scale : float, optional
        Where the spectrum lies and how wide it is; by default from the ensemble, else 0 and 1.
    rtol : float
        Largest accepted relative error against the certified law, the mass and the mean.
    examples : int
        Hypothesis examples a law.
    size : int
        Size of the sampled matrices.
    rng : Generator, optional
        For the sampled matrices; by default a fixed one, so that the check gives the same verdict every time.
    scaled : callable, optional
        ``scaled(factor)``, the solver for the matrix times `factor`; must satisfy ``m_factor(z) = m(z/factor)/factor``.

    Raises
    ------
    AssertionError
        One sentence: the law that is broken and the smallest example found.

    Examples
    --------
    >>> from rmtsolve import Semicircle
    >>> check_solver(Semicircle().stieltjes)
    >>> check_solver(lambda z: -1.01 * Semicircle().stieltjes(z))
    Traceback (most recent call last):
    ...
    AssertionError: Herglotz: Im m must be positive for Im z > 0, ...
    """
    if not callable(solver):
        _validate.fail("solver", "a function z -> m", solver)
    if scaled is not None and not callable(scaled):
        _validate.fail("scaled", "a function factor -> solver", scaled)
    _validate.integer(examples, "examples", low=1)
    _validate.integer(size, "size", low=2)
    _validate.positive(rtol, "rtol")
    if rng is not None:
        _validate.generator(rng)
    if ensemble is not None and not isinstance(ensemble, Ensemble):
        _validate.fail("ensemble", "an Ensemble or None", ensemble)
    law = None if ensemble is None else ensemble.law()
    low, high = (0.0, 0.0) if law is None else _hull(law)
    middle = 0.5 * (low + high) if center is None else _validate.real(center, "center")
    width = ((high - low) / 2 or 1.0) if scale is None else _validate.positive(scale, "scale")
    evaluate = _evaluator(solver)

    points = upper_half_plane(center=middle, scale=width)
    clouds = st.lists(points, min_size=2, max_size=6, unique_by=lambda z: (round(z.real, 6), round(z.imag, 9)))

    def search(strategy: Any, law_holds: Callable[[Any], None]) -> None:
        _search(strategy, law_holds, examples)

    search(points, lambda z: _herglotz(evaluate, z))
    search(points, lambda z: _symmetry(evaluate, z, rtol))
    search(clouds, lambda zs: _order(evaluate, zs, rtol))
    search(clouds, lambda zs: _pick(evaluate, zs))
    _mass_and_mean(evaluate, middle, width, rtol)
    if scaled is not None:
        others = {factor: _evaluator(scaled(factor)) for factor in (0.25, 3.0)}
        search(points, lambda z: _scaling(evaluate, others, z, rtol))
    if law is not None and ensemble is not None:
        search(points, lambda z: _against_law(evaluate, law, z, rtol))
        _against_matrices(evaluate, ensemble, middle, width, size, rng or np.random.default_rng(0))


def _evaluator(solver: Solver) -> Callable[[Any], Complex]:
    """`solver` on 1-d complex arrays, whatever it can take; its exceptions become failures with the point named."""

    def one(z: complex) -> complex:
        try:
            return complex(solver(z))
        except Exception as error:
            raise AssertionError(
                f"domain: the solver must accept any z off the real axis, but z={z:.6g} raised {error!r}"
            ) from error

    def evaluate(z: Any) -> Complex:
        z = np.atleast_1d(np.asarray(z, dtype=np.complex128))
        try:
            m = np.asarray(solver(z.copy()), dtype=np.complex128)
        except Exception:  # a solver of one point at a time: ask it point by point, and report its error there
            m = np.empty(0, dtype=np.complex128)
        if m.shape != z.shape:
            m = np.array([one(complex(point)) for point in z])
        bad = ~np.isfinite(m)
        assert not bad.any(), f"the solver must return finite values, but m({z[bad][0]:.6g}) = {m[bad][0]}"
        return m

    return evaluate


def _search(strategy: Any, law_holds: Callable[[Any], None], examples: int) -> None:
    """Run Hypothesis on one law; its shrunk counter-example is in the message of the AssertionError."""

    profile = settings(
        max_examples=examples, derandomize=True, deadline=None, database=None,
        suppress_health_check=list(HealthCheck), report_multiple_bugs=False,
        phases=(Phase.generate, Phase.shrink),
    )  # fmt: skip

    def run(example: Any) -> None:
        law_holds(example)

    try:
        profile(given(strategy)(run))()
    except AssertionError as error:
        raise AssertionError(str(error)) from None


def _herglotz(evaluate: Callable[[Any], Complex], z: complex) -> None:
    m = evaluate(z)[0]
    assert m.imag > 0, f"Herglotz: Im m must be positive for Im z > 0, but m({z:.6g}) = {m:.6g}"
    bound = 1 / z.imag
    assert abs(m) <= bound * (1 + 1e-9), (
        f"bound: |m| <= 1/Im z for mass one, but |m({z:.6g})| = {abs(m):.6g} > {bound:.6g}"
    )


def _symmetry(evaluate: Callable[[Any], Complex], z: complex, rtol: float) -> None:
    above, below = evaluate(z)[0], evaluate(z.conjugate())[0]
    assert abs(below - above.conjugate()) <= rtol * abs(above), (
        f"conjugate symmetry: m(conj z) = conj m(z), but at z={z:.6g} they are {below:.8g} and {above.conjugate():.8g}"
    )


def _scaling(
    evaluate: Callable[[Any], Complex], others: dict[float, Callable[[Any], Complex]], z: complex, rtol: float
) -> None:
    for factor, other in others.items():
        got, wanted = other(factor * z)[0], evaluate(z)[0] / factor
        assert abs(got - wanted) <= rtol * abs(wanted), (
            f"scaling: {factor:g} times the matrix must have m({factor * z:.6g}) = {wanted:.8g}, "
            f"the solver for it says {got:.8g}"
        )


def _order(evaluate: Callable[[Any], Complex], zs: list[complex], rtol: float) -> None:
    forward, backward = evaluate(zs), evaluate(zs[::-1])[::-1]
    gap = np.abs(forward - backward)
    worst = int(np.argmax(gap / np.abs(forward)))
    assert gap[worst] <= rtol * abs(forward[worst]), (
        f"order: the answer must not depend on the order of the points, but m({zs[worst]:.6g}) is "
        f"{forward[worst]:.8g} or {backward[worst]:.8g}"
    )


def _pick(evaluate: Callable[[Any], Complex], zs: list[complex]) -> None:
    z, m = np.array(zs), evaluate(zs)
    kernel = (m[:, None] - m[None, :].conj()) / (z[:, None] - z[None, :].conj())
    scale = np.sqrt(np.diag(kernel).real)
    smallest = float(np.linalg.eigvalsh(kernel / np.outer(scale, scale))[0])
    assert smallest > -1e-6, (
        f"Pick: no positive measure has these values, the Pick matrix at z={[complex(f'{w:.4g}') for w in zs]} "
        f"has eigenvalue {smallest:.2e}"
    )


def _mass_and_mean(evaluate: Callable[[Any], Complex], center: float, width: float, rtol: float) -> None:
    """Mass and mean from the expansion far away; terms up to the fourth moment are fitted, the rest is below 1e-12."""
    radius = 1e3 * width
    turn = np.exp(1j * np.linspace(0.15, np.pi - 0.15, 15))
    z = center + radius * turn
    mass = -(z - center) * evaluate(z)  # 1 + (mean - center)/(z - center) + ...
    coefficients = np.linalg.lstsq(turn[:, None] ** -np.arange(5.0), mass, rcond=None)[0]
    one, slope = coefficients[0], radius * coefficients[1]
    assert abs(one - 1) <= rtol, f"mass: -z m(z) must tend to 1 far away, but tends to {one.real:.8g}"
    assert abs(slope.imag) <= max(10 * rtol, 1e-6) * width, (
        f"mean: the term of order 1/z^2 must be real, but the mean comes out as {center + slope:.6g} "
        "(does the solver add a constant to Im z?)"
    )


def _against_law(evaluate: Callable[[Any], Complex], law: Any, z: complex, rtol: float) -> None:
    m, truth = evaluate(z)[0], complex(law.stieltjes(z))
    assert abs(m - truth) <= rtol * abs(truth), (
        f"value: the certified law of the ensemble has m({z:.6g}) = {truth:.10g}, the solver says {m:.10g}"
    )


def _against_matrices(
    evaluate: Callable[[Any], Complex],
    ensemble: Ensemble,
    center: float,
    width: float,
    size: int,
    rng: np.random.Generator,
) -> None:
    """Replicated resolvent traces: 4 standard errors, plus the O(1/size) mean shift of real ensembles."""
    z = center + width * np.array([-1.0 + 0.5j, 0.5j, 1.0 + 0.5j, 1.0j])
    replicas = 8
    spectra = np.array([np.linalg.eigvalsh(ensemble.sample(size, child)) for child in rng.spawn(replicas)])
    traces = (1 / (spectra[:, :, None] - z)).mean(axis=1)
    error = np.sqrt(traces.real.var(axis=0, ddof=1) + traces.imag.var(axis=0, ddof=1)) / np.sqrt(replicas)
    shift = 4.0 / (size * z.imag)
    mean, answer = traces.mean(axis=0), evaluate(z)
    gap = np.abs(mean - answer)
    worst = int(np.argmax(gap / (4 * error + shift)))
    assert gap[worst] <= 4 * error[worst] + shift[worst], (
        f"Monte Carlo: {replicas} sampled matrices of size {size} give (1/p) tr (S - z)^-1 = "
        f"{mean[worst]:.5g} +- {error[worst]:.1e} at z={z[worst]:.5g}, the solver says {answer[worst]:.5g}"
    )


def _hull(law: Any) -> tuple[float, float]:
    """Smallest interval that holds the law (quantiles where an edge is infinite)."""
    ends = [float(x) for x in (*law.edges, *law.atoms.locations) if np.isfinite(x)]
    if not np.isfinite(law.edges).all():
        ends += [float(law.quantile(0.01)), float(law.quantile(0.99))]
    return min(ends), max(ends)
