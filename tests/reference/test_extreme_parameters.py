"""Information plus noise and two samples at extreme noise, ratios and points, against mpmath to the last digits.

The equation in m itself is repeated in 60 digits from the float solution; for Im z > 0 the only root with Im m > 0 and
Im zm > 0 (for two samples: Im w > 0 and Im e2 > 0) is the physical one. A relative error is compared with eps times
``1 + |z m'/m|``, what rounding z alone does.
"""

import mpmath
import numpy as np
import pytest

import rmtsolve as rmt

EPS = 2.0**-52
FACTOR = 50.0  # of that; sums of a few terms stay below 10


def newton(function, start):
    """Root near the start, and dm/dz by differences of the function of (z, m)."""
    with mpmath.workdps(60):
        root = mpmath.mpmathify(complex(start))
        tiny = mpmath.mpf(10) ** -25
        for _ in range(60):
            rate = (function(root * (1 + tiny)) - function(root)) / (root * tiny)
            step = function(root) / rate
            root -= step
            if abs(step) <= mpmath.mpf(10) ** -45 * abs(root):
                return root
    raise AssertionError("the reference did not converge")


def noise_root(at, mass, noise, ratio, z, start):
    def miss(m, z):
        s2, c = mpmath.mpf(noise) ** 2, mpmath.mpf(ratio)
        a = 1 + s2 * c * m
        return mpmath.fsum(h / (t / a - a * z + s2 * (1 - c)) for t, h in zip(at, mass, strict=True)) - m

    return sensitive(miss, z, start)


def sensitive(miss, z, start):
    """(m, |z m'/m|)."""
    with mpmath.workdps(60):
        z = mpmath.mpmathify(complex(z))
        m = newton(lambda m: miss(m, z), start)
        tiny = mpmath.mpf(10) ** -20
        moved = newton(lambda m: miss(m, z * (1 + tiny)), m)
        return m, float(abs((moved - m) / m / tiny))


def check(value, root, sensitivity, bound=None):
    error = float(abs(mpmath.mpmathify(complex(value)) - root))
    assert error <= FACTOR * EPS * (1 + sensitivity) * float(abs(root)), (value, root, sensitivity)
    if bound is not None:
        assert error <= bound


POINTS = [1.5 + 0.1j, 1.0 + 1e-9j, 3.0, -1.0, 1e-12, -1e-3 + 1e-12j, 1e4 + 1j, 1e9j, 1e20j, -1e20]


@pytest.mark.parametrize("noise", [1e-8, 1e-6, 1e-4, 1e-2, 1.0, 1e4])
@pytest.mark.parametrize("ratio", [1e-9, 1e-3, 0.5, 1 - 1e-9])
def test_information_plus_noise(noise, ratio):
    at, mass = [1.0, 2.0], [0.5, 0.5]
    ensemble = rmt.InformationPlusNoise(rmt.Discrete(at, mass), noise, ratio)
    law, equation = ensemble.law(), ensemble.equation()
    middle = 0.5 * (law.edges[::2] + law.edges[1::2])
    for z in [*POINTS, *middle]:
        if z == 3.0 and law._in_bulk(np.array([z]))[0]:
            continue
        solution = rmt.solve(equation, z)
        root, sensitivity = noise_root(at, mass, noise, ratio, z, solution.m)
        assert np.imag(z) <= 0.0 or (root.imag > 0 and (root * mpmath.mpmathify(complex(z))).imag > 0)
        check(law.stieltjes(z, boundary=True), root, sensitivity)
        check(solution.m, root, sensitivity, float(solution.error_bound))
        if ratio <= 0.5:
            assert float(solution.error_bound) <= 1e-12 * (1 + 1e3 * sensitivity) * abs(complex(root))


@pytest.mark.parametrize("ratio", [1 + 2.0**-20, 4.0, 2.0**20])
@pytest.mark.parametrize("noise", [1e-6, 1.0, 1e3])
def test_wide_information_plus_noise(noise, ratio):
    """The reference is solved for the twin, where the atom at zero of S and of R^T R does not hide everything else."""
    at, mass = [0.0, 1.0, 2.0], [1 - 0.5 / ratio, 0.25 / ratio, 0.25 / ratio]
    ensemble = rmt.InformationPlusNoise(rmt.Discrete(at, mass), noise, ratio)
    law, equation = ensemble.law(), ensemble.equation()

    def miss(m, z):
        s2, c = mpmath.mpf(noise) ** 2, mpmath.mpf(ratio)
        a = 1 + s2 * m
        w = a * (a * z - s2 * (c - 1))
        return a * (mpmath.mpf(-0.5) / w + 0.25 / (1 - w) + 0.25 / (2 - w)) - m

    for z in (1.5 + 0.1j, -1.0, 1e-9j, 1e9 + 1j, 1e20j, 0.5 * (law.edges[-1] + law.edges[-2])):
        twin, sensitivity = sensitive(miss, z, equation.solve_points(np.array([complex(z)])).m[0])
        with mpmath.workdps(60):
            root = (twin - (ratio - 1) / mpmath.mpmathify(complex(z))) / ratio
        solution = rmt.solve(equation, z)
        check(law.stieltjes(z, boundary=True), root, sensitivity)
        check(solution.m, root, sensitivity, float(solution.error_bound))


def test_edges_of_weak_noise():
    """Critical points of F in 60 digits; for small sigma, t +- 2 sigma sqrt(c h t) roughly."""
    for noise in (1e-3, 1e-6, 1e-8):
        law = rmt.InformationPlusNoise([1.0, 2.0], noise, 0.5).law()
        with mpmath.workdps(60):
            kappa, drift = mpmath.mpf(noise) ** 2 / 2, mpmath.mpf(noise) ** 2 / 2

            def image(w, kappa=kappa, drift=drift):
                q = 1 - kappa * (1 / (1 - w) + 1 / (2 - w)) / 2
                return w * q**2 + drift * q

            for edge, w in zip(law.edges, law.equation.anchors.critical, strict=True):
                step = mpmath.mpf(10) ** -25
                # Newton for F' = 0 by differences
                w = mpmath.mpf(float(w))
                for _ in range(30):
                    low, here, high = image(w - step), image(w), image(w + step)
                    w -= (high - low) / 2 / ((high - 2 * here + low) / step)
                assert abs(mpmath.mpf(float(edge)) - image(w)) <= 4 * EPS * image(w)
        assert law.edges[1] - 1.0 == pytest.approx(noise * np.sqrt(2.0), rel=0.02)
        assert law.edges[0] - 1.0 == pytest.approx(-noise * np.sqrt(2.0), rel=0.02)
        # density next to an edge keeps the digits of the offset
        near = law.density(offset=noise * np.array([1e-12, 1e-10]), edge=0)
        assert near[1] / near[0] == pytest.approx(10.0, rel=1e-8)
        assert law.cdf(law.edges[1]) == pytest.approx(0.5, abs=1e-14)


def test_far_away_m_is_minus_one_over_z():
    for population in (rmt.Discrete([0, 2.0]), rmt.Uniform(0, 3), rmt.Discrete([1.0])):
        for ratio in (0.5, 1.0):
            ensemble = rmt.InformationPlusNoise(population, noise=1.0, ratio=ratio)
            for z in (1e20j, 1e12 + 1e12j, -1e15):
                assert ensemble.law().stieltjes(z) == pytest.approx(-1 / z, rel=1e-11)
                assert rmt.solve(ensemble.equation(), z).m == pytest.approx(-1 / z, rel=1e-11)


def test_weak_noise_on_a_continuous_population():
    """The equation itself, with the transform of the uniform law in 60 digits."""
    for noise in (1e-5, 1e-2, 10.0):
        law = rmt.InformationPlusNoise(rmt.Uniform(1, 3), noise, 0.5).law()
        for z in (2.0 + 0.1j, 2.0, -1.0, 1e6j, 1.5 + 1e-6j):
            m = law.stieltjes(z, boundary=True)

            def miss(m, z, noise=noise):
                s2 = mpmath.mpf(noise) ** 2
                a = 1 + s2 * m / 2
                w = a * (z * a - s2 / 2)
                return a * mpmath.log((3 - w) / (1 - w)) / 2 - m

            root, sensitivity = sensitive(miss, z, m)
            check(m, root, 10 * (1 + sensitivity))


def sample_root(at, mass, c1, c2, z, start, share):
    """m from the equation ``z (1 - c2 + c2 K) = w (1 - c1 K)``, with w solved for."""
    with mpmath.workdps(60):
        c1, c2, x = mpmath.mpf(c1), mpmath.mpf(c2), mpmath.mpmathify(complex(z))

        def level(w):
            return mpmath.fsum(h * t / (t - w) for t, h in zip(at, mass, strict=True))

        def transform(z, w):
            total = mpmath.fsum(h * w / (t - w) for t, h in zip(at, mass, strict=True))
            return (total + z) / (z * (1 - z)) if share else total / z

        def point(z):
            f = c1 / c2 * z / (1 - z) if share else z
            return newton(lambda w: f * (1 - c2 + c2 * level(w)) / w - 1 + c1 * level(w), start)

        w, tiny = point(x), mpmath.mpf(10) ** -20
        m, moved = transform(x, w), transform(x * (1 + tiny), point(x * (1 + tiny)))
        if x.imag > 0:
            own = mpmath.fsum(h / (t - w) for t, h in zip(at, mass, strict=True)) / (1 - c1 * level(w))
            assert m.imag > 0 and w.imag > 0 and own.imag > 0
        return m, float(abs((moved - m) / m / tiny))


@pytest.mark.parametrize("ratio1", [1e-6, 0.5, 37.0, 1e3, 1e6])
@pytest.mark.parametrize("ratio2", [1e-6, 0.5, 1 - 1e-6])
@pytest.mark.parametrize("at", [(1.0, 2.0), (0.0, 1.0, 4.0)])
def test_f_matrices(at, ratio1, ratio2):
    population = rmt.Discrete(at)
    ensemble = rmt.FMatrix(population, ratio1, ratio2)
    law, equation = ensemble.law(), ensemble.equation()
    low, high = law.edges[0], law.edges[-1]
    middle = 0.5 * (low + law.edges[1])
    for z in (
        1.5 + 0.1j,
        -1.0,
        1e-9j,
        middle,
        low + 1e-6j * (high - low),
        2 * high,
        1e15j * high,
        0.5 * low,
    ):
        solved = equation.solve_points(np.array([complex(z)]))
        solution = rmt.solve(equation, z)
        root, sensitivity = sample_root(*population.atoms, ratio1, ratio2, z, solved.v[0] * equation.unit, False)
        check(law.stieltjes(z, boundary=True), root, sensitivity)
        check(solution.m, root, sensitivity, float(solution.error_bound))


@pytest.mark.parametrize(
    ("ratio1", "ratio2"), [(1.25, 1.25), (0.5, 1.3), (3.0, 1.1), (1.0, 1.0), (1.5, 0.2), (0.01, 0.9)]
)
@pytest.mark.parametrize("at", [(1.0, 4.0), (0.0, 1.0, 1.0, 1.0, 3.0, 4.0, 4.0, 4.0)])
def test_manova(at, ratio1, ratio2):
    population = rmt.Discrete(at)
    ensemble = rmt.Manova(population, ratio1, ratio2)
    law, equation = ensemble.law(), ensemble.equation()
    for z in (0.5 + 0.1j, -1.0, 0.3 + 1e-9j, 2.0, 1e12j, 0.4 * law.edges[0] + 0.6 * law.edges[1]):
        solved = equation.solve_points(np.array([complex(z)]))
        w = equation.w_of(solved.v[0])
        solution = rmt.solve(equation, z)
        root, sensitivity = sample_root(*population.atoms, ratio1, ratio2, z, w, True)
        check(law.stieltjes(z, boundary=True), root, 1 + sensitivity)
        check(solution.m, root, 1 + sensitivity, float(solution.error_bound))


@pytest.mark.parametrize(
    "ratios",
    [
        (1e-6,),
        (1 - 1e-6,),
        (1 + 1e-6, 0.5),
        (1.0, 1.0, 1.0),
        (1.03, 1.00001, 1.0, 0.9999),
        (4e5, 1.0, 0.999),
        (1e6, 1e-6),
    ],
)
def test_wishart_products(ratios):
    """``z = (1 + u) prod (1 + c_i / u)`` in 60 digits; next to z = 0 the factors u + c_i are small differences."""
    ensemble = rmt.WishartProduct(ratios)
    law, equation = ensemble.law(), ensemble.equation()
    low, high = law.edges
    for z in (
        0.5 * (low + high),
        low + 1e-6j * high,
        2 * high,
        -1e-9 * high,
        1e-12j * high,
        1e20j,
        0.3 * high + 1e-9j * high,
    ):
        solution = rmt.solve(equation, z)
        with mpmath.workdps(60):
            c, top = [mpmath.mpf(x) for x in ratios], mpmath.mpf(equation.top)

            def miss(s, z, c=c, top=top):
                u = s - top
                return (1 + u) * mpmath.fprod(1 + x / u for x in c) / z - 1

            x, tiny = mpmath.mpmathify(complex(z)), mpmath.mpf(10) ** -20
            roots = [newton(lambda s, y=y: miss(s, y), solution.state) - top for y in (x, x * (1 + tiny))]
            m, moved = (-(u ** (len(c) - 1)) / mpmath.fprod(u + x for x in c) for u in roots)
            sensitivity = float(abs((moved - m) / m / tiny))
            assert np.imag(z) <= 0.0 or (m.imag > 0 and (m * x).imag > 0)
        check(law.stieltjes(z, boundary=True), m, 10 * (1 + sensitivity))
        check(solution.m, m, 10 * (1 + sensitivity), float(solution.error_bound))
