"""`check_ensemble`: does the sampled matrix have the spectrum that the equation predicts?"""

from __future__ import annotations

import copy

import numpy as np

from .. import _validate
from ..ensembles.base import Ensemble
from ..equations.solve import solve
from ..measures.base import Measure
from .measures import check_measure


def check_ensemble(
    ensemble: Ensemble,
    *,
    size: int = 300,
    replicas: int = 6,
    rng: np.random.Generator | None = None,
    measure: bool = True,
) -> None:
    """Check both faces of an ensemble against each other.

    The laws: `law()` passes `check_measure`, and its transform solves `equation()`; samples are self-adjoint, of the
    asked size, and the same for the same seed; their eigenvalues follow the law of ``ensemble.finite(size)`` in
    Kolmogorov distance (``size * KS <= 0.4 ln size + 2.5`` in the mean over replicas, the counting error of real random
    matrices, and one more for every outlier), their first two moments agree with the law's within four standard errors
    plus ``2 scale^k / size`` (again one more for every outlier), the atoms hold their share of eigenvalues (to one),
    and all others but the outliers lie within the support plus five times ``size^(-2/3)`` of its width.

    Parameters
    ----------
    ensemble : Ensemble
        What to check.
    size, replicas : int
        Size and number of the sampled matrices.
    rng : Generator, optional
        By default a fixed one, so that the check gives the same verdict every time.
    measure : bool
        Whether to run `check_measure` on the law.

    Raises
    ------
    AssertionError
        One sentence: the law that is broken, with the numbers.
    """
    if not isinstance(ensemble, Ensemble):
        _validate.fail("ensemble", "an Ensemble", ensemble)
    law = ensemble.law()
    if measure:
        check_measure(law)
    _check_equation(ensemble, law)
    rng = rng or np.random.default_rng(0)
    children = rng.spawn(replicas)
    matrix = ensemble.sample(size, copy.deepcopy(children[0]))
    again = ensemble.sample(size, copy.deepcopy(children[0]))
    assert matrix.shape == (size, size), f"sample: {ensemble!r} returned shape {matrix.shape} for size {size}"
    assert np.array_equal(matrix, again), f"sample: {ensemble!r} is not reproducible from its generator"
    skew = float(np.max(np.abs(matrix - matrix.conj().T)))
    assert skew <= 1e-10 * float(np.max(np.abs(matrix))), f"sample: {ensemble!r} is not self-adjoint by {skew:.1e}"

    spectra = np.array([np.linalg.eigvalsh(ensemble.sample(size, child)) for child in children])
    exact = ensemble.finite(size)
    law, planted = exact.law(), len(exact.outliers(p=size))
    distance = float(np.mean([kolmogorov(law, values) for values in spectra]))
    limit = 0.4 * np.log(size) + 2.5 + planted
    assert size * distance <= limit, (
        f"spectrum: {ensemble!r} at size {size} has size * KS = {size * distance:.2f} in the mean, above {limit:.2f}"
    )
    _check_moments(ensemble, law, spectra, planted)
    _check_places(ensemble, law, spectra, planted)


def _hull(law: Measure) -> tuple[float, float]:
    ends = np.concatenate([law.edges, law.atoms.locations])
    return float(ends.min()), float(ends.max())


def _check_equation(ensemble: Ensemble, law: Measure) -> None:
    """The solution of the equation is a fixed point of its own map and is the transform of the law."""
    low, high = _hull(law)
    width = (high - low) or max(abs(high), 1.0)
    z = 0.5 * (low + high) + width * np.array([-0.3 + 0.05j, 0.2 + 0.3j, 0.7 + 0.1j, -0.9 + 1.0j, 0.1 + 3.0j])
    equation = ensemble.equation()
    solution = solve(equation, z)
    state = solution.state
    scale = np.abs(state).reshape(z.size, -1).max(axis=1)
    miss = np.abs(equation.step(z.astype(np.complex128), state) - state).reshape(z.size, -1).max(axis=1) / scale
    worst = int(np.argmax(miss))
    assert miss[worst] <= 1e-8, f"equation: {ensemble!r} has residual {miss[worst]:.1e} at z={z[worst]:.5g}"
    gap = np.abs(solution.m - law.stieltjes(z)) / np.abs(solution.m)
    worst = int(np.argmax(gap))
    assert gap[worst] <= 1e-8, (
        f"equation: {ensemble!r} at z={z[worst]:.5g} gives {solution.m[worst]:.10g}, off its law by {gap[worst]:.1e}"
    )


def _check_moments(ensemble: Ensemble, law: Measure, spectra: np.ndarray, planted: int) -> None:
    replicas, size = spectra.shape
    scale = float(np.max(np.abs(spectra)))
    for order, name in ((1, "mean"), (2, "second moment")):
        means = (spectra**order).mean(axis=1)
        error = float(means.std(ddof=1)) / np.sqrt(replicas)
        wanted = law.moment(order)
        assert abs(float(means.mean()) - wanted) <= 4 * error + (2 + planted) * scale**order / size, (
            f"{name}: {ensemble!r} at size {size} has {means.mean():.6g}, its law says {wanted:.6g}"
        )


def _check_places(ensemble: Ensemble, law: Measure, spectra: np.ndarray, planted: int) -> None:
    """Atoms hold their share, and the rest is in the bulks but for the outliers."""
    size = spectra.shape[1]
    scale = float(np.max(np.abs(spectra))) or 1.0
    at, mass = law.atoms
    for values in spectra:
        rest = values
        for location, weight in zip(at, mass, strict=True):
            here = np.abs(rest - location) <= 1e-9 * scale
            assert abs(int(here.sum()) - size * weight) <= 1.0 + planted, (
                f"atoms: {ensemble!r} at size {size} has {int(here.sum())} eigenvalues at {location:.6g}, "
                f"its law says {size * weight:.1f}"
            )
            rest = rest[~here]
        if law.edges.size == 0:
            continue
        reach = 5.0 * float(law.edges[-1] - law.edges[0]) * size ** (-2.0 / 3.0)
        left, right = law.support.T
        inside = ((rest[:, None] >= left - reach) & (rest[:, None] <= right + reach)).any(axis=1)
        stray = rest[~inside]
        assert stray.size <= planted, (
            f"support: {ensemble!r} at size {size} has {stray.size} eigenvalues off the support, first {stray[:1]}, "
            f"and {planted} outliers"
        )


def kolmogorov(law: Measure, eigenvalues: np.ndarray) -> float:
    """Kolmogorov distance of one spectrum from a law, eigenvalues at an atom counted as at the atom."""
    x = np.sort(np.asarray(eigenvalues, dtype=float))
    scale = float(np.max(np.abs(x))) or 1.0
    for location in law.atoms.locations:
        x = np.where(np.abs(x - location) <= 1e-9 * scale, location, x)
    values, counts = np.unique(x, return_counts=True)
    above = np.cumsum(counts) / x.size
    below = above - counts / x.size
    right = np.asarray(law.cdf(values))
    mass = np.zeros(values.size)
    atoms = law.atoms
    for location, weight in zip(atoms.locations, atoms.weights, strict=True):
        mass[values == location] = weight
    return float(max(np.max(np.abs(above - right)), np.max(np.abs(below - (right - mass)))))
