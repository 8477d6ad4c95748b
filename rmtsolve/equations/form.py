"""Mistakes in the form of an equation's functions, told in words before anything is solved.

Every function is called at a few ordinary points: it must return numbers of the right shape in double precision, leave
its arguments alone, treat every point by itself and be holomorphic; a derivative must be one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import _validate
from ..errors import DomainError
from .base import Complex, Equation
from .domains import candidates, sample
from .maps import FlatMap

_FINE, _COARSE = 1e-9, 1e-4  # relative shifts: values of double precision follow the derivative over either
_DOUBLE = "use complex128 throughout, with no rounding and no single precision inside"


def check_form(tmap: FlatMap, z: Complex, states: Complex) -> None:
    """Refuse maps of the wrong shape or type, that change their arguments, mix points or are not functions."""
    equation, n = tmap.equation, z.size
    shaped = states.reshape(n, *equation.shape)
    z_given, state_given = z.copy(), shaped.copy()
    plain = type(equation).step is Equation.step
    given: Any
    try:
        with np.errstate(all="ignore"):  # a user's own function before its values are made complex128
            given = equation._step(z_given, state_given) if plain else equation.step(z_given, state_given)
    except np.linalg.LinAlgError as error:
        given = tmap(z, states).reshape(shaped.shape)  # one by one: single points may be singular
        if not np.isfinite(given).any():
            words = f"{type(error).__name__}: {error} at every point"
            _refuse("step", "finite at ordinary points", words, "check the matrix that is inverted", error)
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
    _check_start(tmap, z)
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


def plain_matrix(equation: Equation) -> bool:
    """Whether the unknown is a matrix of which the normalised trace is read, as it is for an inverse."""
    return type(equation) is Equation and equation._readout is None and math.prod(equation.shape[1:]) > 1


def _check_inverse(tmap: FlatMap, z: Complex, states: Complex) -> None:
    """Refuse 1/X of a matrix X = z - ...: its entries have reciprocals that are linear in z, those of X^(-1) have not.

    An entry of ``X^(-1)`` is the reciprocal of a Schur complement, whose second term is curved in z where X is not
    diagonal.
    """
    if not plain_matrix(tmap.equation):
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
    equation = tmap.equation
    function: Callable[[Any, Any], Any] = equation.readout
    if type(equation).readout is Equation.readout and equation._readout is not None:
        function = equation._readout  # before its values are made complex128
    shaped = states.reshape(z.size, *tmap.shape)
    rule = "a function that returns one m for every point, shape (n,)"
    m = _values("readout", rule, (z.size,), lambda: function(z.copy(), shaped.copy()), z)
    for i in range(z.size):
        one = slice(i, i + 1)
        alone = _values("readout", rule, (1,), lambda one=one: function(z[one].copy(), shaped[one].copy()), z[one])  # type: ignore[misc]
        if not _close(alone, m[one]):
            _validate.fail("readout", "a function that treats every point by itself", "other values for single points")


def _check_start(tmap: FlatMap, z: Complex) -> None:
    rule = f"a function that returns shape {_named(tmap.shape)}"
    for points in (z, z[:1]):
        _values("start", rule, (points.size, *tmap.shape), lambda p=points: tmap.equation.start(p.copy()), points)  # type: ignore[misc]


def _values(name: str, rule: str, shape: tuple[int, ...], call: Callable[[], Any], z: Complex) -> Complex:
    """What a user's function returns, refused in words if it raises or gives no finite numbers of this shape."""
    try:
        with np.errstate(all="ignore"):
            given = call()
    except Exception as error:
        _refuse(name, rule, f"{type(error).__name__}: {error}", "", error)
    values = _as_numbers(given, name)
    if values.shape != shape:
        _validate.fail(name, rule, f"shape {values.shape} for n = {z.size}")
    if not np.isfinite(values).any():
        _validate.fail(name, "finite at ordinary points", f"{values.flat[0]} at z={z[0]}", "check its formula")
    return values


def _check_jacobian(tmap: FlatMap, z: Complex, states: Complex, image: Complex) -> None:
    """A given jacobian must agree with difference quotients."""
    shaped = states.reshape(z.size, *tmap.shape)
    n, d = states.shape
    rule = f"a function that returns shape (n, {d}, {d})"
    try:
        with np.errstate(all="ignore"):
            given = tmap.equation.jacobian(z.copy(), shaped.copy())
    except Exception as error:
        _refuse("jacobian", rule, f"{type(error).__name__}: {error}", "", error)
    if given is None:
        return
    if given.size != n * d * d:
        _validate.fail("jacobian", rule, f"shape {given.shape} for n = {n}")
    if not np.isfinite(given).any():
        _validate.fail("jacobian", "finite at ordinary points", f"{given.flat[0]} at z={z[0]}", "check its formula")
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


def check_holomorphic(tmap: FlatMap, z: Complex) -> None:
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


def check_precision(tmap: FlatMap, z: Complex) -> None:
    """Refuse functions that are computed with fewer digits than double precision has.

    Over a shift of 1e-9 such a function does not change, or jumps, where a smooth one follows its derivative.
    """
    kind = candidates(tmap.shape)[0]
    states = sample(kind, z, np.abs(1.0 / z), tmap.shape, 1)[:, 0]
    along = states * (1.0 + np.arange(tmap.size)) / tmap.size

    def moved(function: Callable[[Complex, Complex], Complex], what: str, step: float) -> Complex:
        if what == "state":
            return function(z, states + step * along).reshape(z.size, -1)
        return function(z * (1.0 + step), states).reshape(z.size, -1)

    for name, function in (("step", tmap.__call__), ("readout", tmap.readout)):
        for what in ("state", "z"):
            with np.errstate(all="ignore"):
                base = moved(function, what, 0.0)
                slope = (moved(function, what, _COARSE) - moved(function, what, -_COARSE)) / (2.0 * _COARSE)
                rough = np.zeros(z.size, dtype=bool)
                for step in _FINE * np.array([1.0, -1.7, 2.3]):
                    misfit = np.abs(moved(function, what, step) - base - step * slope)
                    allowed = 0.1 * _FINE * np.abs(slope) + 1e3 * np.finfo(float).eps * np.abs(base)
                    rough |= (misfit > allowed).any(axis=1)
            if np.count_nonzero(rough) > z.size // 2:
                _validate.fail(
                    name, "computed in double precision", f"one that rounds its values or the {what} to fewer digits",
                    _DOUBLE,
                )  # fmt: skip


def _close(first: Complex, second: Complex, rtol: float = 1e-9) -> bool:
    return bool(np.allclose(first, second, rtol=rtol, atol=1e-300, equal_nan=True))


def _as_numbers(value: object, label: str) -> Complex:
    array = np.asarray(value)
    if array.dtype.kind not in "iufc":
        _validate.fail(label, "a function that returns complex numbers", f"dtype {array.dtype}")
    if array.dtype in (np.complex64, np.float32, np.float16):
        _validate.fail(label, "computed in double precision", f"dtype {array.dtype}", _DOUBLE)
    return array.astype(np.complex128)


def _named(shape: tuple[int, ...]) -> str:
    return "(" + ", ".join(["n", *map(str, shape)]) + ("," if not shape else "") + ")"


def _refuse(name: str, rule: str, value: str, remedy: str, error: Exception) -> None:
    """`_validate.fail` chained to the error of the user's own function."""
    try:
        _validate.fail(name, rule, value, remedy)
    except DomainError as refusal:
        raise refusal from error
