"""Deep features: the nested sample-space equation, invariances, limits, and derivatives of the chain."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from profiles import quick

import rmtsolve as rmt
from rmtsolve.equations.deep_chain import solve_ridge
from rmtsolve.testing import populations, ratios, upper_half_plane

NAMES = st.sampled_from(["tanh", "erf", "sign", "x", "sin", "relu", "tanh(x) + x**2/4"])


@st.composite
def networks(draw, structured=True, depth=3):
    layers = draw(st.integers(1, depth))
    names = [draw(NAMES) for _ in range(layers)]
    widths = [draw(ratios(0.3, 3.0)) for _ in range(layers)]
    laws = None
    if structured and draw(st.booleans()):
        laws = [draw(st.one_of(st.none(), populations(0.2, 3.0, 3))) for _ in range(layers)]
    return rmt.DeepFeatures(
        names, widths, draw(ratios(0.3, 3.0)), population=draw(populations(0.2, 3.0, 3)), structures=laws
    )


def below(features):
    """The same network without its last layer."""
    return rmt.DeepFeatures(
        features.activations[:-1], features.widths[:-1], features.alpha, population=features.population
    )


def fan_wang(z, n, widths, layers, population):
    """m_L(z) of arXiv:2005.11879, every level by a damped fixed point inside the next: slow, and shares no code."""
    gamma = n / widths[-1]
    m = -1.0 / z
    for _ in range(3000):
        if layers:
            c = 1.0 - gamma - gamma * z * m
            a, b = layers[-1]
            new = fan_wang((z - b * c) / (a * c), n, widths[:-1], layers[:-1], population) / (a * c)
        else:
            x, w = population
            new = 1.0 / (-z + (w * x / (1.0 + gamma * x * m)).sum())
        step = new - m
        m += 0.5 * step
        if abs(step) < 1e-15 * abs(m):
            break
    return m


@given(networks(structured=False), upper_half_plane(closest=0.02))
def test_both_routes_agree(features, z):
    """(5.2): m_L(z) = m_{L-1}((z - b c)/(a c)) / (a c), c = 1 - gamma_L - gamma_L z m_L(z), down to the input."""
    m = features.conjugate_kernel().law().stieltjes(z)
    layer = features.layers[-1]
    gamma = features.alpha / features.widths[-1]
    c = 1.0 - gamma - gamma * z * m
    inner = (z - layer.rest * c) / (layer.gain * c)
    wanted = m * layer.gain * c
    assert inner.imag > 0.0
    if len(features.layers) > 1:
        found = below(features).conjugate_kernel().law().stieltjes(inner)
        assert abs(found - wanted) <= 1e-12 * (1 + abs(wanted)) + 1e-14 * abs(wanted / m * z / c)
        return
    x, w = features.population.locations, features.population.weights
    residual = 1.0 / wanted + inner - (w * x / (1.0 + features.alpha * x * wanted)).sum()
    assert abs(residual) <= 1e-12 * (abs(inner) + abs(1.0 / wanted))


@pytest.mark.parametrize(
    ("names", "widths", "atoms"), [(["tanh"], [1.5], [1.0]), (["tanh", "sign"], [1.5, 1.2], [0.5, 1.5])]
)
@pytest.mark.parametrize("z", [0.4 + 1.0j, -0.5 + 0.7j])
def test_nested_fixed_point(names, widths, atoms, z):
    features = rmt.DeepFeatures(names, widths, 1.25, population=atoms)
    law = rmt.Discrete(atoms)
    layers = [(layer.gain, layer.rest) for layer in features.layers]
    slow = fan_wang(z, 1.25, [1.0, *widths], layers, (law.locations, law.weights))
    assert features.conjugate_kernel().law().stieltjes(z) == pytest.approx(slow, rel=1e-12)


@given(networks(), upper_half_plane(closest=0.02))
def test_covariance_and_kernel_share_their_spectrum(features, z):
    ratio = features.ratio
    one = features.conjugate_kernel().law().stieltjes(z)
    two = ratio * ratio * features.law().stieltjes(ratio * z) + (ratio - 1.0) / z
    assert abs(one - two) <= 1e-11 * (abs(one) + abs((ratio - 1.0) / z))


@given(networks(), upper_half_plane(closest=0.02))
def test_the_solution_is_a_fixed_point_of_the_map(features, z):
    equation = features.equation()
    state = rmt.solve(equation, z).state[None]
    again = equation.step(np.array([z]), state)
    np.testing.assert_allclose(again, state, rtol=1e-10)
    assert (state.imag > 0.0).all()


@quick(15)
@given(networks(depth=2))
def test_law_is_a_probability(features):
    law = features.law()
    first, second = law.moment(1), law.moment(2)
    scale = law.edges[-1]
    assert law.expect(lambda x: x) == pytest.approx(first, abs=1e-8 * scale)
    assert law.expect(lambda x: x * x) == pytest.approx(second, abs=1e-8 * scale**2)
    middle = 0.5 * (law.edges[0] + law.edges[-1])
    assert 0.0 <= law.cdf(middle) <= 1.0
    assert law.cdf(law.edges[-1]) == pytest.approx(1.0, abs=1e-12)


@quick(25)
@given(networks(), st.floats(-4.0, 2.0), ratios(0.3, 3.0))
def test_derivatives_of_the_chain(features, power, ratio):
    """J_s of the notes against differences of the solved kappas in lambda."""
    chain, lam = features.chain, 10.0**power
    step = 1e-4 * lam
    at = solve_ridge(chain, lam + step * np.array([-2.0, -1.0, 0.0, 1.0, 2.0]), np.full(5, ratio))
    slopes = (8 * (at.kappa[3] - at.kappa[1]) - (at.kappa[4] - at.kappa[0])) / (12 * step)
    if chain.levels > 1:
        np.testing.assert_allclose(slopes[1:] / slopes[:-1], at.jacobian[2, :-1], rtol=1e-6)
    assert 1.0 / slopes[-1] == pytest.approx(at.jacobian[2, -1], rel=1e-6)
    assert (at.kappa >= 0).all() and (at.room >= 0).all()


@quick(25)
@given(networks(), st.sampled_from(["x", "sign(x)", "sin(x)"]), st.floats(0.0, 1.0), st.integers(0, 3))
def test_errors_are_ordered(features, target, noise, layer):
    lam = np.geomspace(1e-4, 1e6, 12)
    layer = min(layer, len(features.layers))
    errors = rmt.deep_ridge_errors(features, target, lam=lam, noise=noise, layer=layer)
    total = sum(errors.parts.values())
    np.testing.assert_allclose(total, errors.test, rtol=1e-12)
    assert (errors.train <= errors.test * (1 + 1e-12)).all() and (errors.train >= 0).all()
    assert all((part >= -1e-12 * errors.test).all() for part in errors.parts.values())
    size = errors.energy["linear part"] + errors.energy["nonlinear part"] + noise**2
    assert errors.test[-1] == pytest.approx(size, rel=1e-3)  # lam -> infinity: nothing is learned
    assert errors.train[-1] == pytest.approx(size, rel=1e-3)


@given(ratios(0.3, 3.0), ratios(0.3, 3.0), st.floats(1e-3, 5.0))
def test_equal_atoms_are_isotropic(width, alpha, lam):
    plain = rmt.DeepFeatures(["tanh", "erf"], [1.3, width], alpha)
    equal = rmt.DeepFeatures(["tanh", "erf"], [1.3, width], alpha, structures=[[1.0], rmt.Discrete([1, 1], [0.5, 0.5])])
    one, two = (rmt.deep_ridge_errors(f, "sign(x)", lam=lam, noise=0.1) for f in (plain, equal))
    assert one.test == pytest.approx(two.test, rel=1e-11)
    z = 0.5 + 0.3j
    assert plain.law().stieltjes(z) == pytest.approx(equal.law().stieltjes(z), rel=1e-11)


@given(st.lists(st.floats(0.2, 3.0), min_size=1, max_size=4), ratios(0.3, 3.0), st.floats(1e-3, 5.0))
def test_a_wide_linear_layer_disappears(atoms, alpha, lam):
    """a = 1, b = 0, p_1 -> infinity: Phi Phi^T / p_1 tends to X X^T / d, ridge on the inputs themselves."""
    omega = np.array(atoms)
    features = rmt.DeepFeatures("x", [1e8], alpha, population=atoms)
    deep = rmt.deep_ridge_errors(features, "x", lam=lam, noise=0.3)
    model = rmt.LinearRidge(omega, omega / np.sqrt(omega.size), omega.mean() + 0.09)
    plain = model.errors(n=alpha * omega.size, lam=lam)
    assert deep.test == pytest.approx(float(plain.test), rel=1e-6)
    assert deep.train == pytest.approx(float(plain.train), rel=1e-6)


@given(ratios(0.3, 3.0), st.floats(-3, 1), st.floats(0.0, 0.4))
def test_more_nonlinearity_is_more_ridge(alpha, power, extra):
    """b acts as a ridge: kappa_1 grows with it."""
    from dataclasses import replace

    chain = rmt.DeepFeatures("tanh", [1.5], alpha).chain
    lam, ratio = np.array([10.0**power]), np.array([1.5 / alpha])
    more = replace(chain, b=chain.b + extra)
    assert solve_ridge(more, lam, ratio).kappa[0, 0] >= solve_ridge(chain, lam, ratio).kappa[0, 0] * (1 - 1e-12)


@given(populations(0.2, 3.0, 3), st.sampled_from(["tanh", "relu"]), st.integers(0, 2), st.floats(-3, 1))
@quick(15)
def test_a_constant_rainbow_is_isotropic(population, name, layer, power):
    """C = f(Omega) with f = 2 begins a new chain from the solved law of a layer; it is the same as C = 2."""
    scaled = [None, rmt.Discrete([2.0])]
    rainbow = [None, lambda omega: np.full_like(omega, 2.0)]
    one, two = (
        rmt.DeepFeatures([name, "erf"], [1.2, 1.5], 1.3, population=population, structures=laws)
        for laws in (scaled, rainbow)
    )
    lam = 10.0**power
    errors = [rmt.deep_ridge_errors(f, "sign(x)", lam=[0.0, lam], layer=layer, noise=0.1).test for f in (one, two)]
    np.testing.assert_allclose(errors[0], errors[1], rtol=1e-9)
    assert one.law().stieltjes(0.3 + 0.2j) == pytest.approx(two.law().stieltjes(0.3 + 0.2j), rel=1e-10)


# ---------------------------------------------------------------------- given moments
@st.composite
def moments(draw):
    p = draw(st.integers(1, 12))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rank = draw(st.integers(1, p))
    root = rng.standard_normal((p, rank)) * np.geomspace(1.0, draw(st.floats(1e-3, 1.0)), rank)
    omega = root @ root.T
    beta = rng.standard_normal(p)
    return omega, omega @ beta, float(beta @ omega @ beta) + draw(st.floats(0.01, 2.0)), rank


@given(moments(), st.floats(0.3, 50.0), st.floats(-6.0, 3.0))
def test_linear_ridge_solves_its_equations(case, n, power):
    omega, psi, energy, _ = case
    p, lam = psi.size, 10.0**power
    errors = rmt.linear_ridge_errors(omega, psi, energy, n, lam)
    inverse = np.linalg.inv(omega / p + errors.kappa * np.eye(p))
    df1 = np.trace(omega / p @ inverse)
    assert errors.kappa * (n - df1) == pytest.approx(lam, rel=1e-7)
    df2 = np.trace(omega / p @ inverse @ omega / p @ inverse)
    form = psi @ (inverse + errors.kappa * inverse @ inverse) @ psi / p
    assert errors.test == pytest.approx((energy - form) / (1 - df2 / n), rel=1e-6)
    assert errors.train == pytest.approx((1 - df1 / n) ** 2 * errors.test, rel=1e-5)
    # the fixed point in m of arXiv:2402.13999: 1/m = lam + tr Omega (1 + (n/p) m Omega)^{-1} / p, m = 1/(n kappa)
    m = 1.0 / (n * errors.kappa)
    right = lam + np.trace(omega @ np.linalg.inv(np.eye(p) + n / p * m * omega)) / p
    assert 1.0 / m == pytest.approx(right, rel=1e-7)


@given(moments(), st.floats(0.1, 3.0))
def test_least_squares_limits(case, share):
    omega, psi, energy, rank = case
    n = share * rank
    errors, near = (rmt.linear_ridge_errors(omega, psi, energy, n, lam) for lam in (0.0, 1e-13))
    if abs(share - 1.0) > 0.05:
        assert errors.test == pytest.approx(float(near.test), rel=1e-3)
    rest = energy - psi @ np.linalg.pinv(omega, rcond=1e-12) @ psi
    if share > 1.0:
        assert errors.test == pytest.approx(rest / (1 - 1 / share), rel=1e-7)
        assert errors.train == pytest.approx(rest * (1 - 1 / share), rel=1e-7)
    elif share < 1.0:
        assert errors.train == 0.0


@given(moments(), st.floats(2.0, 50.0), st.floats(-3.0, 2.0))
def test_intercept_counts_one_sample(case, n, power):
    omega, psi, energy, _ = case
    one = rmt.linear_ridge_errors(omega, psi, energy, n, 10.0**power, intercept=True)
    two = rmt.linear_ridge_errors(omega, psi, energy, n - 1.0, 10.0**power)
    assert one.test == two.test and one.train == two.train


def test_depth_zero_of_the_chain_is_linear_ridge():
    """A target read off the last layer of a deep network is a linear target of features with that covariance."""
    law = rmt.DeepFeatures("x", [0.5], 1.0).feature_law()  # Marchenko-Pastur, no nonlinear rest
    deep = rmt.DeepFeatures("x", [0.5], 2.0)
    p = 4000
    omega = law.quantile((np.arange(p) + 0.5) / p)
    linear = rmt.LinearRidge(omega, omega / np.sqrt(p), float(omega.mean()) + 0.1)
    one = rmt.deep_ridge_errors(deep, lam=[0.01, 1.0], layer=1, noise=0.1**0.5)
    two = linear.errors(n=4 * p, lam=[0.01, 1.0])
    np.testing.assert_allclose(one.test, two.test, rtol=1e-5)  # quantiles integrate to 1/p^(3/2)
    np.testing.assert_allclose(one.train, two.train, rtol=1e-5)
