"""The self-consistent equation of features with a spike: bulk of ``Phi^T Phi / n``, class by class.

Neuron i of class k computes ``sigma(u_k kappa + s_k <w_i, x>)`` with ``kappa = <v, x>``, unit v, ``x ~ N(0, I_d)`` and
w_i uniform on the unit sphere. Given kappa it acts like ``mu0_k + mu1_k <w_i, x> + mu2_k xi``: mean, linear part, and
everything of degree two and more as independent noise. With ``r = p/n``, ``beta = p/d`` and E over ``kappa ~ N(0, 1)``

    V(kappa) = r [mu1^T Q mu1 + sum_k mu2_k^2 q_k],   A = E[mu1 mu1^T / (1 + V)],   B_k = E[mu2_k^2 / (1 + V)],
    q_k = pi_k / (-z + B_k + T_kk),   T = (I + beta A diag q)^-1 A,   Q = (diag(1/q) + beta A)^-1,   m = sum_k q_k.

q_k is the part of the resolvent's normalised trace on class k, and ``Q_kl`` that of ``W0^T 1_k G 1_l W0``. The
potential whose stationary point this is gives ``integral log(x - z) mu(dx)`` and so the distribution function in
closed form.

Source: derived (leave one sample out given kappa, then one row of W0); compare arXiv:2410.18938.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate
from ..errors import DomainError
from .base import Equation, Sweep

if TYPE_CHECKING:
    from ..activations.base import Activation

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]

MAX_CLASSES = 8
REACH = 8.5  # the trapezoid rule in kappa runs over [-8.5, 8.5]; farther where the activation grows fast
NODES = 160  # its intervals when no class bends faster than on the scale 2 of kappa
MAX_NODES = 5_120
ENOUGH = 1e-10  # agreement of the solution with the one on twice as many nodes


class ConditionalTable(NamedTuple):
    """Moments of the activation given kappa on the trapezoid grid; class k, grid point i."""

    kappa: Real  # (N,)
    weights: Real  # (N,) of N(0, 1), sum 1
    mean: Real  # mu0, (K, N): E sigma(u kappa + s g)
    linear: Real  # mu1, (K, N): E g sigma
    noise: Real  # mu2^2, (K, N): E sigma^2 - mu0^2 - mu1^2
    curvature: Real  # (K, N): E (g^2 - 1) sigma
    far: Real  # (K, 12): E sigma^2 - mu0^2 at kappa = -50, -100, .. -1600 and 50, .. 1600 times 1 / max|u|

    def coarse(self) -> ConditionalTable:
        """Every second grid point."""
        weights = self.weights[::2] / self.weights[::2].sum()
        mean, linear, noise, curvature = (rows[:, ::2] for rows in (self.mean, self.linear, self.noise, self.curvature))
        return ConditionalTable(self.kappa[::2], weights, mean, linear, noise, curvature, self.far)


def conditional_table(
    activation: Activation, spikes: Real, scales: Real, intervals: int, reach: float = REACH
) -> ConditionalTable:
    """The table on a grid that has `intervals` intervals in [-8.5, 8.5] and goes on to `reach` or farther.

    Trapezoid, not Gauss-Hermite: the rule converges geometrically for these functions, which are entire in kappa, and
    what the poles of ``1 / (1 + V)`` next to the real axis change is known exactly
    (`rmtsolve._kernels.trapezoid_poles`).
    """
    step = 2.0 * REACH / intervals
    half = 4 * math.ceil(max(intervals, 2.0 * reach / step) / 8)
    if spikes.any():
        # while the outermost points still matter: exponential growth of sigma moves the mass outwards
        while half * step < 4.0 * REACH:
            ends = np.outer(spikes, half * step * np.array([-1.0, 0.0, 1.0]))
            size = activation.second_moment(ends, scales[:, None]).max(axis=0) * np.exp(-0.5 * (half * step) ** 2)
            if max(size[0], size[2]) <= 1e-15 * size[1] * math.exp(0.5 * (half * step) ** 2):
                break
            half += intervals // 8
    kappa = step * np.arange(-half, half + 1)
    weights = np.exp(-0.5 * kappa**2)
    shift = np.outer(spikes, kappa)
    moved = spikes != 0.0  # rows of the other classes are constant: one pair is enough
    rows = np.empty((4, *shift.shape))
    for part, where in ((moved, slice(None)), (~moved, slice(0, 1))):
        if part.any():
            c = activation.conditional(shift[part, where], scales[part, None], 2)
            noise = activation.residual_energy(shift[part, where], scales[part, None], 1)
            rows[:, part] = np.stack([c[..., 0], c[..., 1], noise, math.sqrt(2.0) * c[..., 2]])
    distance = 50.0 * 2.0 ** np.arange(6) / max(float(np.max(np.abs(spikes))), 1e-200 if spikes.any() else 1.0)
    far = np.outer(spikes, np.concatenate([-distance, distance]))
    try:
        spread = activation.residual_energy(far, scales[:, None], 0)
    except DomainError:  # the activation overflows out there
        spread = np.tile(2.0 ** np.arange(6), (spikes.size, 2))
    return ConditionalTable(
        np.asarray(kappa, dtype=np.float64), weights / weights.sum(), rows[0], rows[1], rows[2], rows[3], spread
    )


class SpikedFeatures(Equation):
    """Equation of the spiked features; the state is q and the upper triangle of Q, shape (K (K + 3) / 2,).

    Parameters
    ----------
    table : ConditionalTable
        Moments of the activation given kappa.
    fractions : array_like, shape (K,)
        Part of the neurons in each class, K <= 8.
    alpha, beta : float
        ``n / d`` and ``p / d``.
    kappa_error : float
        Largest relative change of the solution when the grid in kappa is halved, where it was measured.
    """

    def __init__(
        self, table: ConditionalTable, fractions: ArrayLike, alpha: float, beta: float, *, kappa_error: float = math.nan
    ) -> None:
        self.table = table
        self.classes = table.mean.shape[0]
        self.fractions = _validate.read_only(_validate.probabilities(fractions, "fractions", self.classes))
        self.alpha = _validate.positive(alpha, "alpha", "it is n / d, samples over input dimension")
        self.beta = _validate.positive(beta, "beta", "it is p / d, width over input dimension")
        self.ratio = self.beta / self.alpha
        self.kappa_error = kappa_error
        self._pairs = np.triu_indices(self.classes)
        size = self.classes + self._pairs[0].size
        super().__init__(lambda z, x: self._map(z, x), lambda z, x: x[..., : self.classes].sum(axis=-1),
                         shape=(size,), start=self._begin, name=f"SpikedFeatures(K={self.classes})")  # fmt: skip
        # rows mu2^2_k and mu1_a mu1_b; one grid point is enough when nothing depends on kappa
        rows = np.concatenate([table.noise, table.linear[self._pairs[0]] * table.linear[self._pairs[1]]])
        flat = not np.ptp(rows, axis=1).any()
        self._rows = np.ascontiguousarray(rows[:, :1] if flat else rows)
        self._weights = np.ones(1) if flat else np.ascontiguousarray(table.weights)
        self.model = (
            self._rows,
            self._weights,
            np.array(self.fractions),
            self.ratio,
            self.beta,
            float(table.kappa[1] - table.kappa[0]),
        )
        self._fold = np.concatenate([np.ones(self.classes), np.where(self._pairs[0] == self._pairs[1], 1.0, 2.0)])

    # ------------------------------------------------------------------ the map, in numpy
    def matrix(self, x: NDArray[Any]) -> NDArray[Any]:
        """The symmetric matrices (n, K, K) whose upper triangles are the last entries of states (n, D)."""
        full = np.empty((x.shape[0], self.classes, self.classes), dtype=x.dtype)
        full[:, self._pairs[0], self._pairs[1]] = x[:, self.classes :]
        full[:, self._pairs[1], self._pairs[0]] = x[:, self.classes :]
        return full

    def loading(self, x: NDArray[Any]) -> NDArray[Any]:
        """``V`` at states (n, D) on the kernel's own grid, shape (n, N): one column when nothing depends on kappa."""
        return np.asarray(self.ratio * ((x * self._fold) @ self._rows))

    def sources(self, x: NDArray[Any]) -> tuple[Complex, Complex]:
        """``(B, A)`` at states (n, D): shapes (n, K) and (n, K, K)."""
        from .._kernels.trapezoid_poles import correct_means

        f = np.ascontiguousarray(1.0 + self.loading(x), dtype=np.complex128)
        moments = (self._weights / f) @ self._rows.T
        correct_means(f, self._rows, self._weights, self.model[-1], moments)
        return moments[:, : self.classes], self.matrix(moments)

    def _map(self, z: Complex, x: Complex) -> Complex:
        b, a = self.sources(x)
        q = x[:, : self.classes]
        t = np.linalg.solve(np.eye(self.classes) + self.beta * a * q[:, None, :], a)
        new = self.fractions / (-z[:, None] + b + np.einsum("nkk->nk", t))
        full = np.linalg.inv(self.beta * a + np.eye(self.classes) / new[:, None, :])
        return np.concatenate([new, full[:, self._pairs[0], self._pairs[1]]], axis=1)

    def _begin(self, z: Complex) -> Complex:
        q = -self.fractions / z[:, None]
        x = np.zeros((z.size, *self.shape), dtype=np.complex128)
        x[:, : self.classes] = q
        x[:, self.classes :][:, self._pairs[0] == self._pairs[1]] = q
        return x

    # ------------------------------------------------------------------ what the family knows
    def sweep(self, z: Complex, start: Complex | None = None) -> Sweep:
        """Compiled solve from the right, each point starting from its neighbour."""
        return self.solve_points(z, start)[0]

    def solve_points(
        self, z: Complex, start: Complex | None = None, *, ratio: Real | None = None, order: Any = None
    ) -> tuple[Sweep, Complex]:
        """The solution at every point and its derivative by z, shape (n, D).

        `ratio`, shape (n,), puts another ``p / n`` in place of the equation's own at every point; `order` is the
        order in which neighbours follow each other, by default from the right.
        """
        from .._kernels.spiked_features_sweep import sweep

        order = np.lexsort((z.imag, -z.real)) if order is None else order
        ratios = np.full(z.size, self.ratio) if ratio is None else ratio[order]
        n, size = z.size, self.shape[0]
        guess = np.empty((0, size), dtype=np.complex128) if start is None else np.ascontiguousarray(start[order])
        state, slope = np.empty((n, size), dtype=np.complex128), np.empty((n, size), dtype=np.complex128)
        status, steps = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
        residual, bound = np.empty(n), np.empty(n)
        sweep(np.ascontiguousarray(z[order]), ratios, guess, self.model, state, slope, status, steps, residual, bound)
        back = np.argsort(order)
        return Sweep(state[back], status[back], steps[back], residual[back], bound[back]), slope[back]

    def potential(self, z: Complex, x: Complex) -> Complex:
        """``integral log(t - z) mu(dt)`` at solved points (n,), states (n, D), Im z >= 0.

        It is the stationary value of
        ``E log(1 + V) / r - B.q - tr A Q + sum_k pi_k log(pi_k / q_k) + log det(I + beta A diag q) / beta - T.q``.
        """
        a = self.sources(x)[1]
        q = x[:, : self.classes]
        # log det(I + beta A diag q) = sum log q + log det(1/q + beta A): pivots of a matrix with Im < 0 have Im < 0
        work = self.beta * a + np.eye(self.classes) / q[:, None, :]
        pivots = np.empty_like(q)
        for k in range(self.classes):
            pivots[:, k] = work[:, k, k]
            work = work - work[:, :, k, None] * work[:, None, k, :] / work[:, k, k, None, None]
        trace = np.einsum("nab,nab->n", a, self.matrix(x))
        total = (
            self._log_moment(np.asarray(1.0 + self.loading(x), dtype=np.complex128)) / self.ratio
            - trace
            - z * q.sum(axis=1)
            - 1.0
        )
        total += (self.fractions * (np.log(self.fractions) - log_upper(q))).sum(axis=1)
        total += (log_upper(q) + log_upper(pivots.conj()).conj()).sum(axis=1) / self.beta
        return np.asarray(total)

    def _log_moment(self, f: Complex) -> Complex:
        """``E log f`` for rows of values on the grid, zeros of f near the axis taken care of."""
        from .._kernels.trapezoid_poles import correct_logarithm

        out = log_upper(f) @ self._weights
        if self._weights.size > 1:
            t, dt = np.polynomial.legendre.leggauss(40)  # on (0, 6) = y(t), denser towards 0
            t = 0.5 + 0.5 * t
            correct_logarithm(np.ascontiguousarray(f), self._weights, self.model[-1], 6.0 * t**3, 9.0 * t**2 * dt, out)
        return np.asarray(out)

    def find_edges(self) -> Real:
        """Sorted edges of the support, found numerically."""
        from .spiked_features_edges import find_bulks

        return find_bulks(self).edges


def log_upper(w: Complex) -> Complex:
    """Logarithm with the argument in [0, pi], for w with Im w >= 0 (a real negative w counts as w + i0)."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.abs(w)) + 1j * np.arctan2(np.abs(w.imag), w.real))


def features_equation(
    activation: Activation, spikes: Real, scales: Real, fractions: Real, alpha: float, beta: float
) -> SpikedFeatures:
    """The equation on a grid in kappa fine enough that twice the nodes change the solution by less than 1e-10.

    The first grid has ``160 max(1, max|u| / (2 min s))`` intervals, the last 5120; the change that is left is in
    `SpikedFeatures.kappa_error`.
    """
    bend = 0.5 * float(np.max(np.abs(spikes))) / float(np.min(scales))
    intervals = min(8 * math.ceil(NODES * max(1.0, bend) / 8), MAX_NODES // 2)
    while True:
        fine = conditional_table(activation, spikes, scales, 2 * intervals)
        if not spikes.any():
            return SpikedFeatures(fine, fractions, alpha, beta, kappa_error=0.0)
        equations = [SpikedFeatures(table, fractions, alpha, beta) for table in (fine.coarse(), fine)]
        energy = float(fractions @ ((fine.linear**2 + fine.noise) @ fine.weights))
        points = (energy * np.array([0.001, 0.01, 0.05, 0.2, 0.5, 1.0, 2.0, 4.0, 16.0, -0.5])).astype(np.complex128)
        rough, exact = (equation.solve_points(points)[0] for equation in equations)
        good = (rough.status == 0) & (exact.status == 0)
        q = exact.state[good, : equations[0].classes]
        gap = np.abs(rough.state[good, : equations[0].classes] - q) / np.abs(q).sum(axis=1, keepdims=True)
        error = float(gap.max()) if gap.size else math.inf
        if error <= ENOUGH or 4 * intervals > MAX_NODES:
            equations[0].kappa_error = error
            return equations[0] if error <= ENOUGH else equations[1]
        intervals *= 2
