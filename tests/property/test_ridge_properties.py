"""What must hold for ridge errors on learned features: identities, invariances, and every limit."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from profiles import quick

import rmtsolve as rmt

ACTIVATIONS = st.sampled_from(["tanh", "relu", "erf", "sin"])
TARGETS = st.sampled_from(["sin(x)", "relu(x)", "x**2 + x", "sign(x)"])
RATIO = st.floats(0.2, 4.0)
WIDTH = st.sampled_from([None, 50.0, 700.0])


@st.composite
def features(draw, classes=None, activation=ACTIVATIONS, spike=True):
    k = classes or draw(st.integers(1, 3))
    u = draw(st.lists(st.floats(-2.0, 2.0), min_size=k, max_size=k)) if spike else [0.0] * k
    s = draw(st.lists(st.floats(0.5, 1.5), min_size=k, max_size=k))
    pi = np.array(draw(st.lists(st.floats(0.2, 1.0), min_size=k, max_size=k)))
    return rmt.SpikedRandomFeatures(draw(activation), u, s, pi / pi.sum(), alpha=draw(RATIO), beta=draw(RATIO))


@st.composite
def options(draw):
    return {
        "target": draw(TARGETS), "alignment": draw(st.floats(-1.0, 1.0)), "noise": draw(st.floats(0.0, 1.0)),
        "p": draw(WIDTH),
    }  # fmt: skip


@quick(25)
@given(features(), options(), st.floats(-3.0, 2.0))
def test_objective_is_train_error_plus_penalty(model, how, log_lam):
    """Psi = E[t2 / (1 + V)] - Y.c knows nothing of the response that gives the train error and |b|^2; parts add up."""
    found = rmt.ridge_errors(model, lam=10**log_lam, **how)
    assert abs(found.train + found.penalty - found.objective) <= 1e-12 * found.objective
    assert abs(sum(found.parts.values()) - found.test) <= 1e-12 * found.test
    assert all(value > -1e-12 * found.test for value in found.parts.values())
    assert 0 < found.train <= found.objective
    assert 0 < found.degrees_of_freedom <= min(1.0, model.beta / model.alpha * (1 + 1e-12)) < np.inf


@quick(6)
@given(features(), options())
def test_slope_of_the_objective_is_the_squared_norm(model, how):
    h = 1e-3
    lam = 0.3 * (1 + h * np.array([-2, -1, 1, 2]))
    psi = rmt.ridge_errors(model, lam=lam, **how).objective
    slope = (psi[0] - 8 * psi[1] + 8 * psi[2] - psi[3]) / (12 * 0.3 * h)  # by lam; ell = lam p / n
    here = rmt.ridge_errors(model, lam=0.3, **how)
    assert abs(slope * 0.3 - here.penalty) < 1e-9 * here.objective


@quick(8)
@given(features(), options())
def test_train_error_and_freedom_are_monotone_in_lam(model, how):
    found = rmt.ridge_errors(model, lam=np.geomspace(1e-2, 1e3, 12), **how)
    assert (np.diff(found.train) > 0).all()
    assert (np.diff(found.degrees_of_freedom) < 0).all()


@quick(8)
@given(features(), st.floats(-1.0, 1.0), WIDTH)
def test_errors_are_affine_in_the_noise_variance(model, gamma, p):
    sizes = np.sqrt([0.0, 1.0, 3.0])
    rows = [rmt.ridge_errors(model, target="sin(x)", alignment=gamma, noise=s, lam=0.1, p=p) for s in sizes]
    for name in ("train", "test"):
        a, b, c = (getattr(row, name) for row in rows)
        assert abs((c - a) - 3 * (b - a)) < 1e-12 * c


@quick(8)
@given(features(), options(), st.floats(0.3, 3.0))
def test_errors_are_quadratic_in_the_target(model, how, factor):
    g, noise = how.pop("target"), how.pop("noise")
    one = rmt.ridge_errors(model, target=g, noise=noise, lam=0.1, **how)
    scaled = rmt.ridge_errors(model, target=f"{factor!r}*({g})", noise=factor * noise, lam=0.1, **how)
    assert abs(scaled.test / (factor**2 * one.test) - 1) < 1e-9


@quick(8)
@given(features(), options())
def test_spike_and_target_may_be_reflected_together(model, how):
    """(u, gamma) -> (-u, -gamma) is the choice of -v instead of v."""
    mirrored = rmt.SpikedRandomFeatures(
        model.activation, -model.spikes, model.scales, model.fractions, model.alpha, model.beta
    )
    other = {**how, "alignment": -how["alignment"]}
    a, b = rmt.ridge_errors(model, lam=0.1, **how), rmt.ridge_errors(mirrored, lam=0.1, **other)
    assert abs(a.test / b.test - 1) < 1e-10 and abs(a.train / b.train - 1) < 1e-10


@quick(8)
@given(features(classes=1), options(), st.floats(0.2, 0.8))
def test_equal_classes_are_one_class(model, how, part):
    split = rmt.SpikedRandomFeatures(
        model.activation, [*model.spikes] * 2, [*model.scales] * 2, [part, 1 - part], model.alpha, model.beta
    )
    a, b = rmt.ridge_errors(model, lam=0.1, **how), rmt.ridge_errors(split, lam=0.1, **how)
    assert abs(a.test / b.test - 1) < 1e-9 and abs(a.train / b.train - 1) < 1e-9


@quick(6)
@given(features(classes=1, spike=False), st.floats(-1.0, 1.0), WIDTH)
def test_without_spike_the_alignment_does_not_matter(model, gamma, p):
    a = rmt.ridge_errors(model, target="sin(x)", alignment=gamma, noise=0.1, lam=0.1, p=p)
    b = rmt.ridge_errors(model, target="sin(x)", alignment=0.0, noise=0.1, lam=0.1, p=p)
    assert abs(a.test / b.test - 1) < 1e-11 and abs(a.train / b.train - 1) < 1e-11


def test_no_step_is_random_features():
    """Learning rate zero; small rates approach it at finite width (at p = inf any spike can be fitted freely)."""
    width = 500.0
    base = rmt.RandomFeatures("tanh", alpha=1.5, beta=1.2)
    for p in (None, width):
        still = rmt.OneStepNetwork("tanh", "sin(x)", 0.0, 4, 1.2, readout=[1], fractions=[1], noise=0.1)
        a = still.ridge_errors(alpha=1.5, lam=0.05, p=p)
        b = rmt.ridge_errors(base, target="sin(x)", alignment=0.3, noise=0.1, lam=0.05, p=p)
        assert abs(a.test / b.test - 1) < 1e-12 and "no spike" in a.note
        gaps = []
        if p is None:
            continue
        for eta in (1e-2, 1e-3):
            slow = rmt.OneStepNetwork("tanh", "sin(x)", eta, 4, 1.2, readout=[1], fractions=[1], noise=0.1)
            gaps.append(abs(slow.ridge_errors(alpha=1.5, lam=0.05, p=p).test - b.test))
        assert gaps[1] < 1e-4 and gaps[1] < 0.2 * gaps[0]


def test_large_batch_is_perfect_alignment():
    """alpha0 -> inf: gamma -> 1, u -> eta a c1 m1, s -> 1, with deviation O(1 / alpha0)."""
    eta, sigma, g = 2.0, rmt.activation("tanh"), rmt.activation("sin")
    c1, m1 = sigma.coefficients(1)[1], g.coefficients(1)[1]
    last = None
    for alpha0 in (1e4, 1e6):
        net = rmt.OneStepNetwork(sigma, g, eta, alpha0, 1, readout=[1], fractions=[1], noise=0.1)
        eq = net.equivalent()
        assert abs(eq.spikes[0] - eta * c1 * m1) < 3 / alpha0
        assert abs(eq.scales[0] - 1) < 3 / alpha0 and abs(eq.alignment - 1) < 3 / alpha0
        test = net.ridge_errors(alpha=2, lam=0.1).test
        assert last is None or abs(test - last) < 1e-3
        last = test
    # the whole target lies along the learned direction: nothing is left to be missed elsewhere
    parts = net.ridge_errors(alpha=2, lam=0.1).parts
    assert parts["rest of target"] < 1e-5 and parts["beyond reach"] < 1e-5


def test_full_and_no_alignment():
    """gamma = 1 is the limit of gamma -> 1, kinked targets too; gamma = 0 leaves a constant along v."""
    model = rmt.SpikedRandomFeatures("relu", [1.5], [1.0], [1.0], alpha=2, beta=1)
    for target in ("sin(x)", "relu(x)", "sign(x)"):
        near = [
            float(rmt.ridge_errors(model, target=target, alignment=np.sqrt(1 - rho**2), lam=0.1).test)
            for rho in (1e-2, 1e-3, 1e-4, 0.0)
        ]
        gaps = np.abs(np.diff(near))
        assert gaps[1] < 0.2 * gaps[0] and gaps[2] < 0.2 * gaps[1]
    none = rmt.ridge_errors(model, target="sin(x)", alignment=0.0, lam=0.1)
    assert none.energy["learned direction"] < 1e-30
    assert abs(none.energy["rest of target"] - np.exp(-1)) < 1e-14


def test_projection_agrees_with_the_grid_where_both_serve():
    """A kinked target just above and below the switch: the errors continue analytically."""
    model = rmt.SpikedRandomFeatures("tanh", [1.0], [1.0], [1.0], alpha=2, beta=1)
    switch = 1 / np.sqrt(1 + 0.3**2)
    gamma = switch + 1e-3 * np.array([-3, -2, -1, 1, 2, 3])
    test = np.array([float(rmt.ridge_errors(model, target="relu(x)", alignment=g, lam=0.1).test) for g in gamma])
    fit = np.polynomial.Polynomial.fit(gamma, test, 4)
    assert np.abs(fit(gamma) - test).max() < 1e-12


def test_large_lam():
    """lam -> inf: nothing is fitted, both errors are E y^2 (odd activation, no spike; any finite p else)."""
    model = rmt.RandomFeatures("tanh", alpha=1.5, beta=1)
    found = rmt.ridge_errors(model, target="sin(x)", alignment=0.5, noise=0.3, lam=1e12)
    energy = rmt.activation("sin").energy() + 0.09
    assert abs(found.test / energy - 1) < 1e-11 and abs(found.train / energy - 1) < 1e-11
    spiked = rmt.SpikedRandomFeatures("relu", [1.5], [1.0], [1.0], alpha=1.5, beta=1)
    found = rmt.ridge_errors(spiked, target="sin(x)", alignment=0.5, noise=0.3, lam=1e14, p=600)
    assert abs(found.test / energy - 1) < 1e-10


def test_identity_activation_is_ridge_on_linear_features():
    """sigma(x) = x, beta -> 0+ at fixed alpha... and in closed form: ridge on W x with W W^T Marchenko-Pastur."""
    alpha, beta, lam, noise = 1.5, 0.8, 0.2, 0.3
    model = rmt.RandomFeatures("x", alpha=alpha, beta=beta)
    found = rmt.ridge_errors(model, target="x", alignment=1.0, noise=noise, lam=lam)
    # ridge on X B with B = W0^T, covariance W0 W0^T (p x p), target theta.x: population resolvent at the effective
    # ridge k: ell = k (1 - r tr Om (Om + k)^-1 / p)
    ratio = beta / alpha
    law = rmt.MarchenkoPastur(beta)
    ell = lam * ratio

    def m(k):
        return law.stieltjes(-k).real

    low, high = ell, ell + 10.0
    for _ in range(200):
        k = 0.5 * (low + high)
        low, high = (k, high) if k * (1 - ratio * (1 - k * m(k))) < ell else (low, k)
    h = 1e-5 * k
    slope = (m(k - 2 * h) - 8 * m(k - h) + 8 * m(k + h) - m(k + 2 * h)) / (12 * h)  # d/dk int 1/(x+k) = -int 1/(x+k)^2
    df2 = 1 - 2 * k * m(k) - k * k * slope
    # theta sees W0^T W0 (d x d) whose resolvent trace is beta m + (1 - beta) / k
    missed = (1 - beta) + beta * (-k * k * slope)  # k^2 theta^T (W0^T W0 + k)^-2 theta
    test = (missed + noise**2) / (1 - ratio * df2)
    df1 = 1 - k * m(k)
    assert abs(found.test / test - 1) < 1e-8
    assert abs(found.train / (test * (1 - ratio * df1) ** 2) - 1) < 1e-8
    assert abs(found.degrees_of_freedom - ratio * df1) < 1e-10


def test_double_descent():
    """lam -> 0 before the step: the test error peaks at n = p like lam^(-1/2), the train error vanishes for n < p."""
    base = rmt.RandomFeatures("relu", alpha=1, beta=1)
    alpha = np.array([0.5, 0.9, 1.0, 1.1, 2.0])
    options = {"target": "sin(x)", "alignment": 0.0, "noise": 0.2}
    found = rmt.ridge_errors(base, lam=1e-8, alpha=alpha, **options)
    assert found.test.argmax() == 2 and found.test[2] > 100 * max(found.test[0], found.test[4])
    assert (found.train[:2] < 1e-12).all() and (found.train[3:] > 1e-3).all()
    peak = rmt.ridge_errors(base, lam=np.array([1e-6, 1e-8]), **options).test
    assert abs(np.log10(peak[1] / peak[0]) - 1) < 0.02
    # lam = 0 is the limit
    limit = rmt.ridge_errors(base, lam=0.0, alpha=alpha[[0, 4]], **options)
    assert np.allclose(limit.test, found.test[[0, 4]], rtol=1e-5)
    assert np.allclose(limit.train, [0.0, found.train[4]], rtol=1e-5, atol=1e-18)


def test_wide_networks_approach_the_limit():
    """p = inf is the limit of finite p; with one class the deviation is O(1 / p)."""
    model = rmt.SpikedRandomFeatures("tanh", [1.5], [1.0], [1.0], alpha=2, beta=1)
    how = {"target": "sin(x)", "alignment": 0.8, "noise": 0.2, "lam": 0.1}
    limit = rmt.ridge_errors(model, **how).test
    gaps = np.array([rmt.ridge_errors(model, p=p, **how).test - limit for p in (1e4, 1e5, 1e6)])
    assert np.allclose(gaps[:-1] / gaps[1:], 10, rtol=0.02)


def test_optimal_lam():
    """The slope vanishes there; a smooth noiseless linear target wants none, pure noise wants inf."""
    model = rmt.SpikedRandomFeatures("tanh", [1.5], [1.0], [1.0], alpha=2, beta=1)
    how = {"target": "sin(x)", "alignment": 0.8, "noise": 0.3}
    lam = rmt.optimal_lam(model, alpha=[0.5, 2.0], **how)
    for a, best in zip([0.5, 2.0], lam, strict=True):
        around = rmt.ridge_errors(model, alpha=a, lam=best * (1 + 1e-3 * np.array([-2, -1, 0, 1, 2])), **how).test
        slope = around[0] - 8 * around[1] + 8 * around[3] - around[4]
        bend = around[1] + around[3] - 2 * around[2]
        assert bend > 0 and abs(slope / 12) < 1e-3 * bend
    flat = rmt.RandomFeatures("tanh", alpha=2, beta=1)
    assert rmt.optimal_lam(flat, target="x**2 - 1", alignment=0.3, noise=1.0) == np.inf
    line = rmt.RandomFeatures("x", alpha=2, beta=1.5)  # d < n, p: the features know the target exactly
    assert rmt.optimal_lam(line, target="x", alignment=0.3) == 0.0
