"""The solver behind `ridge_errors`: tables in kappa, the bulk and the errors at a list of (alpha, lam)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import _validate
from ..activations.base import Activation
from ..ensembles.feature_outliers import latent_directions
from ..ensembles.features import SpikedRandomFeatures
from ..equations.solution import Solution
from ..equations.spiked_features import MAX_NODES, NODES, SpikedFeatures, conditional_table
from ..errors import ConvergenceError
from ..status import Status
from .targets_given_kappa import TargetMoments, target_moments, target_reach

Real = NDArray[np.float64]

ENOUGH = 1e-11  # agreement of the errors with those on half as many nodes in kappa
RIDGELESS = 1e-12  # lam = 0 is extrapolated from this and twice this part of the mean feature variance


@dataclass(frozen=True, eq=False)
class Task:
    """Everything about the regression that does not depend on alpha and lam."""

    features: SpikedRandomFeatures
    target: Activation
    alignment: float
    noise: float
    p: float | None

    @property
    def label(self) -> str:
        """What is regressed on what."""
        width = "p = inf" if self.p is None else f"p = {self.p:g}"
        return f"ridge regression of {self.target.name} on {self.features.activation.name} features, {width}"


class Prepared(NamedTuple):
    """A task on its grid in kappa."""

    equation: SpikedFeatures
    rows: Real  # (D, N)
    latent: Real  # (3, J, N)
    level: Real  # (J,)
    owner: NDArray[np.int64]  # (J,)
    to_classes: Real  # (J, 4, K): what a latent direction adds to the overlaps mean, learned, target, norm
    moments: TargetMoments


class Raw(NamedTuple):
    """What the kernel returns for a list of points."""

    errors: Real  # (n, 11)
    overlaps: Real  # (n, 4, K)
    weight: Real  # (n, K): |b|^2 by class


def prepare(task: Task, ratios: Real, lams: Real) -> Prepared:
    """The task on a grid in kappa fine enough: halving it changes the errors by less than 1e-11."""
    f = task.features
    bend = max(0.5 * float(np.max(np.abs(f.spikes))) / float(np.min(f.scales)), 1.0)
    intervals = min(8 * int(np.ceil(NODES * bend / 8)), MAX_NODES // 2)
    # the corners of the range, and its middle
    order = np.lexsort((lams, ratios))
    few = np.unique(np.concatenate([order[[0, -1, order.size // 2]], [lams.argmin(), lams.argmax()]]))
    energy = feature_variance(f)
    sample = ratios[few], np.maximum(lams[few], RIDGELESS * energy)
    rough = _at(task, intervals)
    before = solve(rough, *sample, task)
    while True:
        fine = _at(task, 2 * intervals)
        after = solve(fine, *sample, task)
        gap = np.abs(before.errors[:, :2] - after.errors[:, :2]).max(axis=1)
        if np.all(gap <= ENOUGH * after.errors[:, 0]) or 4 * intervals > MAX_NODES:
            return fine
        intervals, before = 2 * intervals, after


def feature_variance(features: SpikedRandomFeatures) -> float:
    """Mean second moment of a feature: the scale of lam."""
    return float(
        features.fractions @ features.activation.second_moment(0.0, np.hypot(features.spikes, features.scales))
    )


def _at(task: Task, intervals: int) -> Prepared:
    """Tables, latent functions and target moments on one grid."""
    f = task.features
    reach = target_reach(task.target, task.alignment)
    table = conditional_table(f.activation, f.spikes, f.scales, intervals, reach)
    equation = SpikedFeatures(table, f.fractions, f.alpha, f.beta)
    found = latent_directions(table, f.covariances())
    k, count = equation.classes, found.owner.size
    latent = np.stack([found.constant, found.tilted, np.zeros_like(found.constant)])
    level = np.full(count, 1.0 / f.beta)
    to_classes = np.zeros((count, 4, k))
    to_classes[np.arange(count), 1:, found.owner] = found.loading
    basis = np.eye(k)
    if task.p is not None:
        level[:k] = 1.0 / task.p
        latent[2, :k] = table.curvature * np.sqrt(0.5 * f.beta / task.p)
    else:
        # the means are fitted freely: an orthogonal basis of those that are independent makes the fit of least norm
        root = np.sqrt(table.weights)
        basis, sizes, _ = np.linalg.svd(table.mean * root, full_matrices=False)
        basis = basis[:, sizes > 1e-7 * np.sqrt(feature_variance(f))]
        latent = np.concatenate([np.einsum("ka,ikn->ian", basis, latent[:, :k]), latent[:, k:]], axis=1)
        level = np.concatenate([np.zeros(basis.shape[1]), level[k:]])
        to_classes = np.concatenate([np.zeros((basis.shape[1], 4, k)), to_classes[k:]])
    to_classes[: basis.shape[1], 0] = basis.T
    owner = np.concatenate([np.zeros(basis.shape[1], np.int64) if task.p is None else np.arange(k), found.owner[k:]])
    first, second = np.triu_indices(k)
    rows = np.concatenate([table.noise, table.linear[first] * table.linear[second]])
    moments = target_moments(task.target, task.alignment, task.noise, table.kappa, table.weights)
    return Prepared(
        equation, np.ascontiguousarray(rows), np.ascontiguousarray(latent), level, owner, to_classes, moments
    )


def solve(prepared: Prepared, ratios: Real, lams: Real, task: Task) -> Raw:
    """Bulk and errors at every pair with lam > 0, in one compiled sweep each."""
    from .._kernels.ridge import ridge_points

    equation = prepared.equation
    ratio = task.features.beta / ratios
    ell = lams * ratio
    z = (-ell).astype(np.complex128)
    # neighbours follow each other: lam runs down at the first alpha, up at the next
    group = np.unique(ratios, return_inverse=True)[1]
    order = np.lexsort((np.where(group.ravel() % 2 == 0, -lams, lams), ratios))
    swept, _ = equation.solve_points(z, ratio=ratio, order=order)
    if np.any(swept.status != Status.CONVERGED):
        m = equation.readout(z, swept.state)
        raise ConvergenceError(Solution(equation, z, m, *swept, "the solver of the family"), task.label)
    state = np.ascontiguousarray(swept.state.real)
    count, size = ell.size, prepared.level.size
    errors, readout, response = np.empty((count, 11)), np.empty((count, size)), np.empty(state.shape)
    done = ridge_points(
        ell, ratio, state, prepared.rows, equation.table.weights, np.array(equation.fractions), equation.beta,
        prepared.latent, prepared.level, prepared.owner, prepared.moments.rows, errors, readout, response,
    )  # fmt: skip
    if done < count or not np.isfinite(errors).all():
        status = np.where(np.arange(count) < done, swept.status, int(Status.SINGULAR))
        status[~np.isfinite(errors[:, :2]).all(axis=1)] = int(Status.SINGULAR)
        m = equation.readout(z, swept.state)
        bad = swept._replace(status=status)
        raise ConvergenceError(Solution(equation, z, m, *bad, "the solver of the family"), task.label)
    overlaps = np.einsum("nj,jck->nck", readout, prepared.to_classes)
    return Raw(errors, overlaps, response[:, : equation.classes])


def solve_with_limit(prepared: Prepared, ratios: Real, lams: Real, task: Task) -> Raw:
    """Like `solve`; lam = 0 is the limit, extrapolated from two tiny values and refused where there is none."""
    none = lams == 0.0
    tiny = RIDGELESS * feature_variance(task.features)
    raw = solve(prepared, ratios, np.where(none, tiny, lams), task)
    if not none.any():
        return raw
    twice = solve(prepared, ratios[none], np.full(int(none.sum()), 2.0 * tiny), task)
    change = np.abs(twice.errors[:, 0] - raw.errors[none, 0])
    bad = ~(change <= 1e-8 * raw.errors[none, 0])
    if bad.any():
        remedy = "without a ridge the test error diverges where n = p, and has no power series in lam near it"
        _validate.fail("lam", f"> 0 at alpha = {ratios[none][bad][0]:.6g}", 0.0, remedy)
    for here, there in zip(raw, twice, strict=True):
        here[none] = 2.0 * here[none] - there
    return raw
