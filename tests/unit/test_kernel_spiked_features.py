"""Kernels of the spiked-features system: derivatives, guards, every way of starting, and the pole corrections."""

import numpy as np
import pytest
from scipy.special import wofz

from rmtsolve._kernels.spiked_features import FREE, POSITIVE, UPPER, evaluate, inside, largest, scales
from rmtsolve._kernels.spiked_features_sweep import sweep
from rmtsolve._kernels.trapezoid_poles import correct_logarithm, correct_means, correct_moments, find_zeros


def sine_model(u, s, pi, r, beta, half=9, step=0.65):
    """Closed conditional moments of a sine activation on a small grid."""
    kappa = step * np.arange(-half, half + 1)
    w = np.exp(-0.5 * kappa**2)
    u, s = np.array(u)[:, None], np.array(s)[:, None]
    mean, linear = np.exp(-(s**2) / 2) * np.sin(u * kappa), s * np.exp(-(s**2) / 2) * np.cos(u * kappa)
    noise = (1 - np.exp(-2 * s**2) * np.cos(2 * u * kappa)) / 2 - mean**2 - linear**2
    a, b = np.triu_indices(len(u))
    return np.concatenate([noise, linear[a] * linear[b]]), w / w.sum(), np.array(pi), r, beta, step


def noise_model(r):
    """Pure noise of variance one: Marchenko-Pastur of ratio r."""
    return np.array([[1.0], [0.0]]), np.ones(1), np.ones(1), r, 1.0, 1.0


ONE = sine_model([1.2], [0.9], [1.0], 0.6, 1.1)
TWO = sine_model([1.0, -0.6], [1.0, 0.7], [0.4, 0.6], 1.7, 0.8)


def run(model, z, start=None, ratio=None):
    z = np.array(z, dtype=complex)
    d, n = model[0].shape[0], z.size
    out = np.empty((n, d), complex), np.empty((n, d), complex), np.empty(n, np.int64), np.empty(n, np.int64)
    residual, bound = np.empty(n), np.empty(n)
    guess = np.empty((0, d), complex) if start is None else np.array(start, dtype=complex)
    ratios = np.full(n, model[3]) if ratio is None else np.array(ratio)
    with np.errstate(all="ignore"):  # the interpreted kernels meet infinities where the compiled ones are silent
        sweep(z, ratios, guess, model, *out, residual, bound)
    return *out, residual, bound


def image_of(model, z, x):
    d = x.size
    image, slope, jacobian = np.empty(d, complex), np.empty(d, complex), np.empty((d, d), complex)
    assert evaluate(complex(z), x, model, image, jacobian, slope)
    return image, jacobian, slope


@pytest.mark.parametrize("model", [ONE, TWO], ids=["one", "two"])
def test_derivatives_of_the_map(model):
    k = model[2].size
    rng = np.random.default_rng(0)
    x = rng.normal(size=k * (k + 3) // 2) + 1j * rng.uniform(1, 2, k * (k + 3) // 2)
    z, h = 0.4 + 0.3j, 1e-5
    image, jacobian, slope = image_of(model, z, x)
    for j in range(x.size):
        step = np.eye(x.size)[j] * h
        change = (image_of(model, z, x + step)[0] - image_of(model, z, x - step)[0]) / (2 * h)
        assert np.abs(change - jacobian[:, j]).max() < 1e-8 * np.abs(jacobian).max()
    change = (image_of(model, z + h, x)[0] - image_of(model, z - h, x)[0]) / (2 * h)
    assert np.abs(change - slope).max() < 1e-8 * np.abs(slope).max()
    only = np.empty_like(image)
    assert evaluate(z, x, model, only, np.empty((0, 0), complex), np.empty(0, complex))
    assert np.array_equal(only, image)


def test_singular_maps_are_reported():
    image, none = np.empty(2, complex), np.empty((0, 0), complex)
    noise = noise_model(1.0)
    assert not evaluate(1j, np.array([-1.0 + 0j, 1.0]), noise, image, none, image)  # 1 + V = 0
    linear = (np.array([[0.0], [1.0]]), np.ones(1), np.ones(1), 1.0, 1.0, 1.0)
    # Q = 0: A = 1, and 1 + beta A q = 0
    assert not evaluate(1j, np.array([-1.0 + 0j, 0.0]), linear, image, none, image)
    # -z + B + T = 0 with q = 0: q' is not finite, and neither is the matrix of Q
    assert not evaluate(1.0 + 0j, np.array([0j, 0.0]), linear, image, none, image)


@pytest.mark.parametrize("model", [ONE, TWO], ids=["one", "two"])
def test_sweep_solves_everywhere(model):
    """Right of the bulk, inside at eta = 0 and above, left of 0; every answer is a physical fixed point."""
    z = [9.0, 1.0 + 0.2j, 0.5 + 1e-4j, 0.45, 0.4, -0.2, -0.3]
    state, slope, status, steps, residual, bound = run(model, z)
    assert (status == 0).all() and (residual < 1e-11).all() and (bound < 1e-9).all() and (steps > 0).all()
    k = model[2].size
    for i, point in enumerate(z):
        image, jacobian, direct = image_of(model, point, state[i])
        assert np.abs(image / state[i] - 1).max() < 1e-10
        assert np.allclose(slope[i], np.linalg.solve(np.eye(state.shape[1]) - jacobian, direct), rtol=1e-6)
    for i, guard in ((1, UPPER), (2, UPPER), (5, POSITIVE), (6, POSITIVE)):
        assert inside(state[i], k, guard)
    # from given states: the same numbers
    warm = run(model, z, start=state * (1 + 1e-6))[0]
    assert np.abs(warm / state - 1).max() < 1e-10


def test_ratio_of_every_point():
    ratios = [0.3, 0.9, 2.0]
    mixed = run(ONE, [-0.2, -0.2, -0.2], ratio=ratios)[0]
    for i, ratio in enumerate(ratios):
        alone = run((*ONE[:3], ratio, *ONE[4:]), [-0.2])[0]
        assert np.abs(mixed[i] / alone[0] - 1).max() < 1e-12


def test_marchenko_pastur_and_its_atom():
    """Closed form; at the atom itself every attempt fails and says so; the sweep goes on behind it."""
    r = 4.0
    model = noise_model(r)
    z = np.array([12.0, 0.0, 1.5, 0.9 + 0.1j, -1.0, 0.05, 20j])
    state, _, status, *_ = run(model, z)
    assert status[1] != 0 and (np.delete(status, 1) == 0).all()
    for i in np.delete(np.arange(z.size), 1):
        q = state[i, 0]
        assert abs(r * z[i] * q**2 + (z[i] - 1 + r) * q + 1) < 1e-12 * max(1, abs(z[i] * q))
    assert state[2, 0].imag > 0 and state[3, 0].imag > 0 and state[4, 0] > 0 and state[0, 0] < 0


def test_poor_starts_do_not_matter():
    """States on the wrong side, far away or not finite: the cold start takes over."""
    z = [0.5 + 0.1j, 0.5, -0.3]
    good = run(TWO, z)[0]
    for start in (
        np.full((3, 5), -1.0 - 1.0j),
        np.full((3, 5), np.inf + 0j),
        1e3 * np.array([[1j, 1j, 1j, 0, 1j]] * 3),
    ):
        state, _, status, *_ = run(TWO, z, start=start)
        assert (status == 0).all() and np.abs(state / good - 1).max() < 1e-10


def test_guards_and_sizes():
    x = np.array([1 + 1j, 2 + 1j, 3 + 3j, 1 + 1j, 2 + 2j])
    assert inside(x, 2, UPPER) and inside(x, 2, POSITIVE) and inside(-x, 2, FREE)
    assert not inside(x.conj(), 2, UPPER) and not inside(-x, 2, POSITIVE)
    wide = x.copy()
    wide[3] = 3 + 3j  # off-diagonal larger than the diagonal allows
    assert not inside(wide, 2, UPPER)
    size = np.empty(5)
    scales(x, 2, size)
    assert np.allclose(size, [np.sqrt(2), np.sqrt(5), 3 * np.sqrt(2), np.sqrt(12), 2 * np.sqrt(2)])
    assert largest(x, size) == pytest.approx(1) and largest(x * np.nan, size) == np.inf
    assert largest(x, np.zeros(5)) == np.inf


# ---------------------------------------------------------------------- zeros of 1 + V next to the axis
def gaussian_grid(n=121, step=0.125):
    x = step * (np.arange(n) - n // 2)
    w = np.exp(-0.5 * x**2)
    return x, w / w.sum(), step


def faddeeva(c):
    """E 1 / (x - c) and its derivative by c."""
    up = c if c.imag > 0 else np.conj(c)
    value = 1j * np.sqrt(np.pi / 2) * wofz(up / np.sqrt(2))
    value = value if c.imag > 0 else np.conj(value)
    return value, -(1 + c * value)


@pytest.mark.parametrize("c", [0.3 + 0.02j, -1.1 - 1e-4j, 0.0 + 0.3j, 0.0625 + 1e-8j, 0.2 + 2j])
def test_simple_poles(c):
    """E 1/(x - c) and E 1/(x - c)^2 from 121 nodes, at any distance of the pole from the axis."""
    x, w, step = gaussian_grid()
    f = x - c
    h = np.ones((1, x.size))
    first, second = np.array([(w / f).sum()]), np.array([[(w / f**2).sum()]])
    assert correct_moments(np.ascontiguousarray(f.real), np.ascontiguousarray(f.imag), h, w, step, first, second)
    value, slope = faddeeva(c)
    assert abs(first[0] / value - 1) < 1e-12
    assert abs(second[0, 0] / slope - 1) < 1e-9
    means = np.array([[(w / f).sum()]])
    correct_means(f[None], h, w, step, means)
    assert means[0, 0] == first[0]


def test_zero_on_the_axis_and_short_grids():
    x, w, step = gaussian_grid()
    first, none = np.zeros(1, complex), np.empty((0, 1), complex)
    on_axis = x - 0.3
    assert not correct_moments(on_axis, np.zeros_like(x), np.ones((1, x.size)), w, step, first, none)
    nodes, places = np.empty(16, np.int64), np.empty(16, complex)
    assert find_zeros(on_axis[:5], np.zeros(5), nodes, places) == 0
    two = (x - 0.5) ** 2 + 0.01
    assert find_zeros(two, np.zeros_like(x), nodes, places) == 2
    assert np.allclose(sorted(x[nodes[:2]] + step * places[:2], key=lambda t: t.imag), [0.5 - 0.1j, 0.5 + 0.1j])


@pytest.mark.parametrize("c", [0.3 - 0.02j, -0.7 - 0.3j, 1.0 - 4j])
def test_logarithm(c):
    """E log(x - c) against a rule with so many nodes that the zero is far away in steps."""
    x, w, step = gaussian_grid()
    t, dt = np.polynomial.legendre.leggauss(40)
    t = 0.5 + 0.5 * t

    def log_upper(f):
        return np.log(np.abs(f)) + 1j * np.arctan2(f.imag, f.real)

    out = np.array([log_upper(x - c) @ w])
    correct_logarithm((x - c)[None], w, step, 6 * t**3, 9 * t**2 * dt, out)
    fine, weight, _ = gaussian_grid(80001, 2e-4)
    assert abs(out[0] - log_upper(fine - c) @ weight) < 1e-10
