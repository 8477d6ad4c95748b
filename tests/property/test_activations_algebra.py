"""Identities over random activations built from the algebra: linearity, Parseval, derivative, shift, scale, bounds."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from profiles import quick

import rmtsolve as rmt
from rmtsolve.activations.properties import jumps

ORDER = 10
SMOOTH = ["tanh", "erf", "sin", "cos", "gelu", "softplus", "silu", "gaussian", "arctan", "cubic", "quadratic"]
KINKED = ["relu", "abs", "hard_tanh", "elu", "softsign"]
JUMPY = ["sign", "step"]

numbers = st.integers(-12, 12).map(lambda n: n / 4)
scales = st.sampled_from(["1", "2", "1/2", "3/4", "-1"])


def built(names):
    """``p(x) f(u x + v) + w g(x)`` with f, g from the library."""
    one = st.builds(lambda f, u, v: f"{f}({u}*x + ({v}))", st.sampled_from(names), scales, numbers)
    poly = st.sampled_from(["1", "x", "(1 - x/2)", "(x**2 - 1)"])
    return st.builds(lambda p, f, w, g: f"{p}*{f} + ({w})*{g}(x)", poly, one, numbers, st.sampled_from(names))


activations = built(SMOOTH + KINKED + JUMPY)
shifts = st.floats(-4, 4).map(lambda value: round(value, 6))
widths = st.floats(math.log(0.05), math.log(3)).map(math.exp)


def size(act, a, s):
    return math.sqrt(float(act.second_moment(a, s))) + 1e-12


@given(activations, shifts, widths)
def test_parseval(text, a, s):
    act = rmt.activation(text)
    c, energy = act.conditional(a, s, ORDER), float(act.second_moment(a, s))
    for k in (0, 1, 4, ORDER):
        rest = float(act.residual_energy(a, s, k))
        assert rest >= 0.0
        assert np.sum(c[: k + 1] ** 2) + rest == pytest.approx(energy, rel=1e-11, abs=1e-13)


@given(built(SMOOTH + KINKED), shifts, widths)
def test_derivative(text, a, s):
    act = rmt.activation(text)
    if jumps(act.expression):
        with pytest.raises(rmt.DomainError, match="must be continuous"):
            act.derivative()
        return
    slope = act.derivative()
    wanted = np.sqrt(np.arange(1.0, ORDER + 1)) * act.coefficients(ORDER, shift=a, scale=s)[1:] / s
    found = slope.coefficients(ORDER - 1, shift=a, scale=s)
    assert found == pytest.approx(wanted, abs=1e-11 * (size(act, a, s) / s + size(slope, a, s)))


@given(activations, shifts, widths)
def test_shift_and_scale_are_the_shifted_and_scaled_activation(text, a, s):
    act, whole = rmt.activation(text), rmt.activation(text.replace("x", f"({s!r}*x + ({a!r}))"))
    assert whole.coefficients(ORDER) == pytest.approx(
        act.coefficients(ORDER, shift=a, scale=s), abs=1e-11 * size(act, a, s)
    )


@given(activations, activations, numbers, shifts, widths)
def test_linear(f, g, w, a, s):
    left, right = rmt.activation(f), rmt.activation(g)
    both = rmt.activation(f"{f} + ({w})*({g})")
    wanted = left.conditional(a, s, ORDER) + w * right.conditional(a, s, ORDER)
    scale = size(left, a, s) + abs(w) * size(right, a, s)
    assert both.conditional(a, s, ORDER) == pytest.approx(wanted, abs=1e-12 * scale)


@given(activations, shifts, widths)
def test_times_x(text, a, s):
    act, product = rmt.activation(text), rmt.activation(f"x*({text})")
    c = act.coefficients(ORDER + 1, shift=a, scale=s)
    k = np.arange(ORDER + 1)
    wanted = a * c[:-1] + s * np.sqrt(k + 1.0) * c[1:]
    wanted[1:] += s * np.sqrt(k[1:]) * c[:-2]
    assert product.coefficients(ORDER, shift=a, scale=s) == pytest.approx(
        wanted, abs=1e-11 * (4 + abs(a)) * size(act, a, s)
    )


@given(activations, shifts, widths)
def test_mirror(text, a, s):
    mirrored = rmt.activation(text.replace("x", "(-x)"))
    sign = (-1.0) ** np.arange(ORDER + 1)
    act = rmt.activation(text)
    assert mirrored.conditional(a, s, ORDER) == pytest.approx(
        sign * act.conditional(-a, s, ORDER), abs=1e-12 * size(act, -a, s)
    )


@given(activations, shifts, widths, st.floats(0.1, 1.0))
def test_heat_equation(text, a, s, t):
    """Noise added in two steps: ``c_k(a, S)/S^k = E c_k(a + t h, s)/s^k``, ``S^2 = s^2 + t^2``."""
    act, t = rmt.activation(text), t * s
    nodes, weights = np.polynomial.hermite_e.hermegauss(120)
    whole, order = math.hypot(s, t), 3
    mean = weights @ act.conditional(a + t * nodes, s, order) / math.sqrt(2 * math.pi)
    powers = (whole / s) ** np.arange(order + 1)
    assert mean * powers == pytest.approx(act.conditional(a, whole, order), abs=1e-10 * size(act, a, whole))


@given(activations)
def test_dual(text):
    act = rmt.activation(text)
    rho = np.array([-0.9, -0.4, 0.0, 0.3, 0.8, 1.0])
    kappa, energy = act.dual(rho), act.energy()
    assert kappa[-1] == pytest.approx(energy, rel=1e-11)
    assert kappa[2] == pytest.approx(act.coefficients(0)[0] ** 2, abs=1e-11 * energy)
    assert np.all(np.abs(kappa) <= energy * (1 + 1e-11))
    partial, tail = act.dual_series(rho, 40)
    assert np.all(np.abs(kappa - partial) <= tail + 1e-11 * energy)


@quick(25)
@given(built(SMOOTH + KINKED), st.floats(-0.9, 0.9))
def test_dual_derivative(text, rho):
    """``kappa'`` is ``E sigma'(u) sigma'(v)`` and the slope of kappa (five-point difference)."""
    act, h = rmt.activation(text), 1e-3
    slope = float(act.dual(rho, derivative=1))
    steps = act.dual(rho + h * np.array([-2, -1, 1, 2]))
    numeric = (steps[0] - 8 * steps[1] + 8 * steps[2] - steps[3]) / (12 * h)
    # h^4 kappa^(5)/30 with kappa^(5) up to 1e5 kappa(1) near |rho| = 0.9, plus rounding / h
    assert numeric == pytest.approx(slope, abs=1e-6 * (1 + act.energy()))


@quick(25)
@given(activations, st.floats(-30, 30), st.floats(math.log(1e-3), math.log(1e3)).map(math.exp))
def test_bounds_hold(text, a, s):
    """The stated bound against the closed form with 60 digits, where the algebra is closed."""
    import mpmath

    from rmtsolve.activations.algebra import NotClosed, closed
    from rmtsolve.activations.closed import coefficients
    from rmtsolve.activations.high_precision import MPField, MPNumbers
    from rmtsolve.activations.quadrature import certified_moments

    act = rmt.activation(text)
    values, bound = act.coefficients_with_error(6, shift=a, scale=s)
    with mpmath.workdps(300):
        try:
            exact = coefficients(closed(act.expression, MPField()), 6, mpmath.mpf(a), mpmath.mpf(s), MPNumbers())
        except NotClosed:
            return
        for v, b, e in zip(values.tolist(), bound.tolist(), exact, strict=True):
            assert abs(mpmath.mpf(v) - e) <= mpmath.mpf(b) * (1 + mpmath.mpf(10) ** -8)
        # and the bound of the quadrature, which does not know the closed form
        found, slack = certified_moments(act.raw, 6, np.array([a]), np.array([s]), act.kinks, name="f")
        for v, b, e in zip(found.tolist(), slack.tolist(), exact, strict=True):
            assert abs(mpmath.mpf(v) - e) <= mpmath.mpf(b)


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=3, unique=True), st.floats(-2, 2), widths)
def test_undeclared_kinks_are_found(points, a, s):
    """A spline as a plain function, its kinks not declared, against the kink rule."""
    points = sorted(round(t, 6) for t in set(points))
    a = round(a, 6)
    jumps = [(-1.0) ** i * (i + 1) for i in range(len(points))]
    act = rmt.activation(lambda x: sum(d * np.maximum(x - t, 0.0) for t, d in zip(points, jumps, strict=True)))
    exact = rmt.activation(" + ".join(f"({d})*relu(x - ({t!r}))" for t, d in zip(points, jumps, strict=True)))
    values, bound = act.coefficients_with_error(8, shift=a, scale=s)
    sure = exact.coefficients_with_error(8, shift=a, scale=s)
    assert np.all(np.abs(values - sure.values) <= bound + sure.bound)
    assert bound.max() <= 1e-10


@given(activations, st.lists(shifts, min_size=1, max_size=4), st.lists(widths, min_size=1, max_size=4))
def test_vectorised_is_pointwise(text, a, s):
    act = rmt.activation(text)
    table = act.conditional(np.array(a)[:, None], np.array(s), 3)
    assert table.shape == (len(a), len(s), 4)
    for i, x in enumerate(a):
        for j, y in enumerate(s):
            assert table[i, j] == pytest.approx(act.conditional(x, y, 3), abs=1e-13 * size(act, x, y))
