"""What is read off solved points of `rmtsolve.equations.two_samples`: transforms, states and error bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .operands import series_error, transform_doubt
from .pole_sums import distances

if TYPE_CHECKING:
    from .two_samples import TwoSamplesEquation

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]
Index = NDArray[np.int64]

_EPS = float(np.finfo(float).eps)
_GIVEN = {False: 3.0, True: 24.0}  # roundings of the data: for the share tau, s and K_0 are derived numbers


class Solved(NamedTuple):
    """Solved points v with what belongs to them, in the unit of the equation."""

    z: Complex
    base: Real
    delta: Complex  # v - base
    rise: Complex  # K - K(base); nan for an H that is not discrete
    edge: Index  # at base
    level: Complex  # K
    moving: Complex  # int over t > 0 of H(dt)/(t - w); for the share times 1 - tau, over tau - v
    slope: Complex  # S F'
    status: Index
    n_steps: Index
    residual: Real
    radius: Real

    @property
    def v(self) -> Complex:
        """The solution."""
        return self.base + self.delta


def factors(equation: TwoSamplesEquation, solved: Solved) -> tuple[Complex, Real, Complex, Real]:
    """alpha and beta, each from the form that rounds least, and those rounding errors over eps."""
    c1, c2, size = equation.ratio1, equation.ratio2, np.abs(solved.level)
    shift = solved.v * solved.moving  # K - 1 + h0
    spread = np.maximum(np.abs(solved.base), np.abs(solved.v)) * np.abs(solved.moving) + equation.defect
    forms = [(1.0 - c1 * solved.level, 1.0 + c1 * size), (equation.gap - c1 * shift, abs(equation.gap) + c1 * spread)]
    rest = 1.0 - c2 * equation.empty
    others = [(1.0 - c2 + c2 * solved.level, abs(1.0 - c2) + c2 * size)]
    others.append((rest + c2 * shift, rest + c2 * spread))
    if equation.anchors is not None:
        from .._kernels.anchored_edges import ALPHA, BETA

        one, two = equation.anchors.rows[solved.edge][:, [ALPHA, BETA]].T
        rise = np.abs(solved.rise)
        forms.append((one - c1 * solved.rise, np.abs(one) + c1 * (rise + equation.blur)))
        others.append((two + c2 * solved.rise, np.abs(two) + c2 * (rise + equation.blur)))
    return *_best(forms), *_best(others)


def quotient(
    equation: TwoSamplesEquation, solved: Solved, alpha: Complex, beta: Complex, lost: Real
) -> tuple[Complex, Real]:
    """``w/z = beta/alpha``, for the share v/theta or ``(1 - v)/(1 - theta)``, with the rounding of that over eps.

    A quotient of v and z loses what v loses where it is a small difference, one of alpha and beta what they do.
    """
    z, v = solved.z, solved.v
    moved = solved.radius / _EPS
    plain, far = np.maximum(1.0, np.abs(solved.base) / np.abs(v)), np.abs(v)
    if not equation.share_of:
        quotient, mixed = v / z, beta / alpha
    else:
        start, _, _, k, _, _, s = equation.parameters
        bottom = k * beta + s * v * (solved.level - start)
        rest, low = _rest(solved), z.real < 0.5
        plain = np.where(low, plain, np.maximum(1.0, np.abs(1.0 - solved.base) / np.abs(rest)))
        far = np.where(low, far, np.abs(rest))
        quotient = np.where(low, v / z, rest / (1.0 - z))
        mixed = np.where(low, bottom / (equation.stretch * alpha), bottom / (equation.weight * beta))
    better = plain <= lost
    return np.where(better, quotient, mixed), np.where(better, np.maximum(plain, moved / far), lost)


def _rest(solved: Solved) -> Complex:
    """1 - v."""
    return np.asarray((1.0 - solved.base) - solved.delta)


def read(equation: TwoSamplesEquation, solved: Solved) -> tuple[Complex, Real]:
    """m, and the rounding of that over eps."""
    with np.errstate(all="ignore"):
        alpha, lost, beta, missed = factors(equation, solved)
        ratio, error = quotient(equation, solved, alpha, beta, lost / np.abs(alpha) + missed / np.abs(beta))
        z, v, m = solved.z, solved.v, solved.moving
        real = (z.imag == 0.0) & (v.imag > 0.0)
        pole = equation.empty / z if equation.empty else np.zeros(z.size)
        if not equation.share_of:
            out = ratio * m - pole
            out.imag[real] = solved.level.imag[real] / z.real[real]
            return out / equation.unit, (np.abs(ratio * m) * error + np.abs(pole)) / equation.unit
        low, high = z.real < 0.5, solved.level / _rest(solved)
        out = np.where(low, (1.0 + ratio * m - pole) / (1.0 - z), (ratio * high - 1.0) / z)
        size = np.abs(ratio * np.where(low, m, high)) * error + 1.0 + np.where(low, np.abs(pole), 0.0)
        out.imag[real] = solved.level.imag[real] / (z.real[real] * (1.0 - z.real[real]))
        return out, size / np.abs(np.where(low, 1.0 - z, z))


def state_of(equation: TwoSamplesEquation, solved: Solved, m: Complex) -> Complex:
    """(e1, e2, m), from the two of alpha, beta and their quotient that round least."""
    with np.errstate(all="ignore"):
        alpha, lost, beta, missed = factors(equation, solved)
        ratio, _ = quotient(equation, solved, alpha, beta, lost / np.abs(alpha) + missed / np.abs(beta))
        z, own = solved.z, ratio * solved.moving - (equation.empty / solved.z if equation.empty else 0.0)
        if not equation.share_of:
            return np.stack([solved.level * ratio / beta, own / beta / equation.unit, m], axis=1)
        rest, low = _rest(solved), z.real < 0.5
        # 1/((1 - theta) alpha), from beta at the left end
        factor = (
            np.where(low, ratio * equation.stretch / (equation.weight * beta) / rest, ratio / alpha / rest)
            / equation.ratio2
        )
        left = own / (equation.weight * beta) / equation.ratio2
        right = solved.moving - (equation.empty / solved.v if equation.empty else 0.0)
        return np.stack(
            [solved.level * factor, np.where(low, left, right * factor * rest / equation.stretch), m], axis=1
        )


def bound(equation: TwoSamplesEquation, solved: Solved, m: Complex, rounding: Real) -> Real:
    """Bound on the error of m: Smale's alpha test for ``N - z S`` at fixed z, and what that does to m.

    With ``N1 - z S1 = R`` its coefficients are at most ``(|R| + near |R'|) M / near^(k-1)``, M the sum of
    ``g/|t - v|^2``.
    """
    start, n, c1, k, b0, b1, s = equation.parameters
    with np.errstate(all="ignore"):
        z, v = solved.z, solved.v
        first, second, near, own, turn = _sizes(equation, solved)
        lead, change = -n * c1 * v - z * (k * b1 + s * v), np.abs(n * c1 + z * s)
        given = (np.abs(n * c1 * v) + np.abs(z * (k * b1 + s * v))) * first
        given = given + equation.blur * (n * c1 * np.abs(v) + np.abs(k * b1 * z))
        given = given + k * np.abs(z) * (abs(b0) + abs(b1 * start)) + (n * np.abs(v) if equation.share_of else 0.0)
        given = given + np.abs(lead) * second if equation.share_of else given  # rounding of tau
        steep = np.abs(solved.slope)
        radius = solved.radius + (_GIVEN[equation.share_of] * _EPS * given / steep) + 2.0 * _EPS * np.abs(solved.delta)
        growth = (np.abs(lead) + near * change) * second
        radius = np.where(radius * np.maximum(1.0, growth / steep) < 0.157 * near, 2.0 * radius, np.nan)
        rise = second * radius / np.maximum(1.0 - radius / near, 0.0)  # of K
        alpha, _, beta, _ = factors(equation, solved)
        # through theta (1 - theta) m or z m, or through alpha and beta
        plain = rise / np.abs(z * (1.0 - z) if equation.share_of else z) / equation.unit
        low = np.maximum(np.abs(alpha) - equation.ratio1 * rise, 0.0)
        moved = turn * radius / np.maximum(1.0 - radius / near, 0.0)
        if not equation.share_of:
            through = (equation.ratio2 * rise * own + np.abs(beta) * moved) / low + np.abs(
                beta
            ) * own * equation.ratio1 * rise / low**2
            through = through / equation.unit
        else:
            _, bottom = equation.pieces(v, solved.level)
            other = abs(s) * np.abs(solved.level - start) * radius + np.abs(k * b1 + s * v) * rise
            left = (other * own + np.abs(bottom) * moved) / (equation.stretch * low)
            left = left + np.abs(bottom) * own * equation.ratio1 * rise / (equation.stretch * low**2)
            rest = np.maximum(np.abs(beta) - equation.ratio2 * rise, 0.0) * equation.weight
            high = np.abs(solved.level / _rest(solved))
            right = (other * high + np.abs(bottom) * (rise + high * radius) / np.abs(_rest(solved))) / rest
            right = right + np.abs(bottom) * high * equation.ratio2 * equation.weight * rise / rest**2
            through = np.where(z.real < 0.5, left / np.abs(1.0 - z), right / np.abs(z))
        count = 8.0 + equation.population.atoms.weights.size
        out = np.fmin(plain, through) + count * _EPS * (rounding + np.abs(m)) + _doubt(equation, v) / equation.unit
        return np.where(np.isfinite(out), out, np.nan)


def _doubt(equation: TwoSamplesEquation, v: Complex) -> Real:
    """What a series that stands for H may change in m, to first order."""
    error = series_error(equation.population)
    return transform_doubt(equation.population.support, error, equation.w_of(v)) if error else np.zeros(v.size)


def _sizes(equation: TwoSamplesEquation, solved: Solved) -> tuple[Real, Real, Real, Real, Real]:
    """Sums of g/|t - v|, g/|t - v|^2, the least |t - v|, and both sums for the moving part."""
    n = solved.z.size
    if equation.anchors is None:
        v = solved.v
        near = np.full(n, np.inf)
        for left, right in equation.walls:
            near = np.minimum(near, np.hypot(np.maximum(np.maximum(left - v.real, v.real - right), 0.0), v.imag))
        rate = np.abs(equation.levels(v)[1])
        second = np.where(v.imag > 0.0, solved.level.imag / v.imag, rate)
        own = np.abs(solved.moving)
        return (
            np.abs(solved.level),
            second,
            near,
            own,
            np.where(v.imag > 0.0, solved.moving.imag / v.imag, own / near),
        )
    poles, weights, mine = equation._sums
    first, second, near, own, turn = (np.empty(n) for _ in range(5))
    for part, real in distances(solved.base, solved.delta, poles):
        far = np.hypot(real, solved.delta.imag[part, None])
        near[part] = far.min(axis=1)
        first[part], second[part] = (1.0 / far) @ weights, far**-2.0 @ weights
        own[part], turn[part] = (1.0 / far) @ mine, far**-2.0 @ mine
    return first, second, near, own, turn


def _best(forms: list[tuple[Any, Any]]) -> tuple[Any, Any]:
    value, error = forms[0]
    for other, doubt in forms[1:]:
        value, error = np.where(doubt < error, other, value), np.minimum(doubt, error)
    return value, error
