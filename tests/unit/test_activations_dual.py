"""The kernel map: closed forms against the conditional integral, derivatives, composition, residual energies."""

import numpy as np
import pytest

import rmtsolve as rmt
from rmtsolve.activations.dual import _dual_by_integral

RHO = np.array([-1.0, -0.95, -0.5, 0.0, 0.3, 0.9, 1.0])
CLOSED = [
    *(
        "relu",
        "abs",
        "sign",
        "step",
        "leaky_relu(x, 0.2)",
        "erf(2*x)",
        "gelu",
        "sin(3*x)",
        "cos",
        "exp(x/2)",
        "gaussian",
    ),
    *("relu(x) + erf(x)", "x**3 - relu(x)", "x*erf(x)", "exp(x/3)*sin(x)", "exp(-x**2)*cos(x) + x**2", "4"),
]


@pytest.mark.parametrize("text", CLOSED)
@pytest.mark.parametrize("scale", [1.0, 0.3])
def test_closed_forms_are_the_integral(text, scale):
    act = rmt.activation(text)
    exact = act.dual(RHO, scale=scale)
    size = act.second_moment(0.0, scale)
    for rho, value in zip(RHO, exact, strict=True):
        if abs(rho) < 1:
            assert value == pytest.approx(_dual_by_integral(act, rho, scale), abs=1e-13 * (1 + size))
    assert exact[-1] == pytest.approx(size, rel=1e-13)
    opposite = act.expect(lambda x, y: y * act.raw(-x), scale=scale)
    assert exact[0] == pytest.approx(opposite, abs=1e-13 * (1 + size))


@pytest.mark.parametrize("text", ["tanh", "softplus", "elu", "relu(x - 1)", "hard_tanh", "sign(x - 1)"])
def test_without_closed_form(text):
    act = rmt.activation(text)
    values = act.dual(RHO)
    for rho, value in zip(RHO[1:-1], values[1:-1], strict=True):
        assert value == pytest.approx(_dual_by_integral(act, rho, 1.0), abs=1e-12)
    assert values[-1] == pytest.approx(act.energy(), rel=1e-12)


def test_a_function_without_formula():
    assert rmt.activation(np.tanh).dual(RHO) == pytest.approx(rmt.activation("tanh").dual(RHO), abs=1e-13)


@pytest.mark.parametrize(
    ("text", "order"), [("relu", 1), ("relu", 2), ("sign", 1), ("step(x - 1/2) + x", 1), ("tanh", 3), ("gelu", 2)]
)
def test_derivatives(text, order):
    """By the slope of the derivative below it (five points)."""
    act, h = rmt.activation(text), 1e-3
    for rho in (-0.6, 0.1, 0.5):
        steps = act.dual(rho + h * np.array([-2, -1, 1, 2]), derivative=order - 1)
        slope = (steps[0] - 8 * steps[1] + 8 * steps[2] - steps[3]) / (12 * h)
        assert act.dual(rho, derivative=order) == pytest.approx(slope, abs=1e-9)
    assert rmt.activation("relu").dual(0.3, derivative=1) == pytest.approx(
        (np.pi - np.arccos(0.3)) / (2 * np.pi), abs=1e-15
    )


def test_derivative_of_a_jump_at_the_ends_is_refused():
    with pytest.raises(rmt.DomainError, match="infinite at the ends"):
        rmt.activation("sign").dual(1.0, derivative=1)


def test_depth_is_composition():
    for name in ("relu", "tanh", "erf"):
        act = rmt.activation(name)
        once = act.correlation_map(RHO)
        assert once == pytest.approx(act.dual(RHO) / act.energy(), abs=1e-14)
        assert act.correlation_map(RHO, depth=3) == pytest.approx(
            act.correlation_map(act.correlation_map(once)), abs=1e-14
        )
        assert act.correlation_map(RHO, depth=0) == pytest.approx(RHO)
    deep = rmt.activation("relu").correlation_map(-0.5, depth=1000)
    assert 0.9999 < deep <= 1.0


def test_different_depths_keep_the_variance():
    act = rmt.activation("relu")
    assert act.correlation_map(0.2, depth=2, scale=3.0) == pytest.approx(act.correlation_map(0.2, depth=2), abs=1e-14)


@pytest.mark.parametrize(
    "text", ["relu", "tanh", "gelu", "erf", "elu", "sin", "hard_tanh", "x**2", "softplus(3*x)", "exp(-abs(x))"]
)
def test_residual_energy_is_the_tail_of_the_series(text):
    act = rmt.activation(text)
    for a, s in ((0.0, 1.0), (0.5, 0.2), (-2.0, 0.05)):
        for order in (0, 1, 3):
            tail = np.sum(act.coefficients(400, shift=a, scale=s)[order + 1 :] ** 2)
            rest = act.residual_energy(a, s, order)
            left = act.residual_energy(a, s, 400)
            assert rest == pytest.approx(tail + left, rel=1e-9, abs=1e-300)


def test_residual_energy_of_grids_is_never_negative():
    grid = np.linspace(-40, 40, 401)
    for name in ("relu", "tanh", "gelu", "erf", "softplus", "sign", "silu", "selu", "cubic", "sin"):
        rest = rmt.activation(name).residual_energy(grid[:, None], [1e-6, 1e-2, 1.0, 7.0])
        assert np.all(np.isfinite(rest))
        assert np.all(rest >= 0.0)
    assert rmt.activation("tanh").residual_energy(0.3, 0.0) == 0.0
