"""Transforms of laws at mpmath numbers: against integrals of their densities, and who says that it has floats only."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rmtsolve as rmt
from rmtsolve.equations.even import SquaredLaw, SymmetricRoot
from rmtsolve.equations.high_precision import transform_precisely
from rmtsolve.equations.operands import stand_in
from rmtsolve.equations.subordination import AdditiveEquation
from rmtsolve.measures._precise import precise_array
from rmtsolve.measures.base import NO_ATOMS
from rmtsolve.measures.moebius import moebius
from rmtsolve.measures.series import ChebyshevBulk, SeriesMeasure
from rmtsolve.measures.stieltjes_law import StieltjesLaw

DIGITS = rmt.HighPrecision(digits=50)
U, MP = rmt.Uniform(-1, 2), rmt.MarchenkoPastur(0.3, 1.1)
half = mpmath.mpf(1) / 2


def at(law, *points):
    """m at points of the closed upper half-plane, to 50 digits."""
    return transform_precisely(law, precise_array(mpmath.mpc(z) for z in points))


def bulk(scale, poles, low, high):
    """``scale sqrt((x - low)(high - x)) / prod (x - pole)`` as a function of mpmath numbers, with its ends."""
    return lambda x: scale * mpmath.sqrt((x - low) * (high - x)) / mpmath.fprod(x - p for p in poles), low, high


def densities():
    """Textbook densities with their edges: (law, density, low, high, atoms)."""
    sqrt, pi = mpmath.sqrt, mpmath.pi
    c, v = mpmath.mpf(0.3), mpmath.mpf(1.1)
    h = sqrt(half + mpmath.mpf(0.2) * half)
    c2 = mpmath.mpf(0.2)
    d = 3
    return {
        "semicircle": (rmt.Semicircle(2.0, 0.5), *bulk(1 / (4 * pi), [], half - 2 * sqrt(2), half + 2 * sqrt(2)), []),
        "mp": (MP, *bulk(1 / (2 * pi * c * v), [0], v * (1 - sqrt(c)) ** 2, v * (1 + sqrt(c)) ** 2), []),
        "mp with atom": (rmt.MarchenkoPastur(4.0), *bulk(1 / (8 * pi), [0], mpmath.mpf(1), mpmath.mpf(9)), [(0, 0.75)]),
        "free poisson": (rmt.FreePoisson(4.0, -1.0), *bulk(-1 / (2 * pi), [0], mpmath.mpf(-9), mpmath.mpf(-1)), []),
        "wachter": (
            rmt.Wachter(0.5, 0.2),
            *bulk((1 - c2) / (2 * pi * c2), [0, -half / c2], ((1 - h) / (1 - c2)) ** 2, ((1 + h) / (1 - c2)) ** 2), [],
        ),
        "jacobi": (rmt.Jacobi(1.0, 1.0), lambda x: 1 / (pi * sqrt(x * (1 - x))), mpmath.mpf(0), mpmath.mpf(1), []),
        "kesten": (rmt.Kesten(3), *bulk(-d / (2 * pi), [d, -d], -2 * sqrt(2), 2 * sqrt(2)), []),
        "arcsine": (rmt.Arcsine(-1, 3), lambda x: 1 / (pi * sqrt((x + 1) * (3 - x))),
                    mpmath.mpf(-1), mpmath.mpf(3), []),
        "uniform": (U, lambda x: mpmath.mpf(1) / 3, mpmath.mpf(-1), mpmath.mpf(2), []),
        "shifted": (
            MP.scaled(-2.0).shifted(1.0),
            *bulk(-1 / (4 * pi * c * v), [1], 1 - 2 * v * (1 + sqrt(c)) ** 2, 1 - 2 * v * (1 - sqrt(c)) ** 2), [],
        ),
        "parabola": (rmt.Continuous(lambda x: 0.75 * (1 - x**2), (-1, 1)), lambda x: 3 * (1 - x * x) / 4,
                     mpmath.mpf(-1), mpmath.mpf(1), []),
        "exponential": (rmt.Continuous(lambda x: np.exp(-x), (0, np.inf)), lambda x: mpmath.exp(-x),
                        mpmath.mpf(0), mpmath.inf, []),
    }  # fmt: skip


def integral(f, low, high):
    """In the angle of the interval, where ends like a square root or its inverse are smooth."""
    if high == mpmath.inf:
        return mpmath.quad(f, [low, low + 1, high])
    width = high - low
    return mpmath.quad(
        lambda t: f(low + width * mpmath.sin(t) ** 2) * width * mpmath.sin(2 * t),
        mpmath.linspace(0, mpmath.pi / 2, 5), method="gauss-legendre",
    )  # fmt: skip


@pytest.mark.parametrize("name", densities())
def test_transforms_are_cauchy_integrals(name):
    with mpmath.workdps(60):
        law, density, low, high, atoms = densities()[name]
        stop = low + 4 if high == mpmath.inf else high
        x = low + (stop - low) * mpmath.mpf(0.3)
        outside = low - mpmath.mpf(0.7)
        inside, off, above, below = at(law, x, outside, mpmath.mpc(x, 0.6), mpmath.mpc(x, -0.6))
        assert abs(inside.imag / mpmath.pi - density(x)) < 1e-50 * density(x)
        assert below == above.conjugate()
        assert off.imag == 0
        for z, m in ((outside, off), (mpmath.mpc(x, 0.6), above)):
            wanted = integral(lambda t, z=z: density(t) / (t - z), low, high)
            wanted += sum(mass / (mpmath.mpf(place) - z) for place, mass in atoms)
            assert abs(m - wanted) < 1e-45 * abs(wanted)


def test_laws_made_of_others():
    z, lower = mpmath.mpc(0.3, 0.2), mpmath.mpc(0.3, -0.2)
    with mpmath.workdps(60):
        root = SymmetricRoot(rmt.MarchenkoPastur(0.5))
        w = mpmath.mpc(-0.3, 0.2)  # left of the axis of symmetry
        assert abs(at(root, w)[0] - w * at(rmt.MarchenkoPastur(0.5), w * w)[0]) < 1e-55
        left, right = at(root, -0.7, 0.7)  # limits from above on both sides
        assert abs(left + right.conjugate()) < 1e-55
        assert left.imag > 0
        assert abs(at(SquaredLaw(root), z)[0] - at(rmt.MarchenkoPastur(0.5), z)[0]) < 1e-55
        # int 1/(s/x - z) = -1/z - s m(s/z)/z^2, whether the map rises or falls
        for sign in (1.0, -1.0):
            law = moebius(MP, 0, sign, 1, 0)
            own = sign * at(MP, sign / z)[0]
            assert abs(at(law, z)[0] + 1 / z + own / z**2) < 1e-55
        c = mpmath.mpf(0.3)
        assert abs(at(rmt.companion(U.shifted(2.0), 0.3), z)[0] - c * at(U, z - 2)[0] + (1 - c) / z) < 1e-55
        # (2/pi hw) b sin(phi) with hard or soft ends: the semicircle and the arcsine law
        for hard, law in ((False, rmt.Semicircle()), (True, rmt.Arcsine(-2, 2))):
            series = SeriesMeasure((ChebyshevBulk(-2.0, 2.0, hard, hard, np.array([1.0])),), NO_ATOMS)
            for point in (z, lower, mpmath.mpf(0.5), mpmath.mpf(-3)):
                assert abs(at(series, point)[0] - at(law, point)[0]) < 1e-55


def test_a_series_in_place_of_a_law_is_that_law():
    law = rmt.free_add(rmt.Uniform(0, 1), rmt.Uniform(1, 2))
    moved = law.scaled(-2.0)
    z = mpmath.mpc(0.3, 0.2)
    with mpmath.workdps(60):
        assert isinstance(stand_in(moved), SeriesMeasure)
        assert at(stand_in(law), z)[0] == at(law, z)[0]
        assert at(stand_in(moved), z)[0] == at(moved, z)[0]
        # a series that the user made is a law of its own
        assert abs(at(law.series(), z)[0] - at(law, z)[0]) > 1e-25


def test_solved_laws_are_solved_again():
    covariance = rmt.SampleCovariance([1.0, 4.0], ratio=0.5).law()
    z = mpmath.mpc(1, 1) / 3  # between floats
    with mpmath.workdps(60):
        m = at(covariance, z)[0]
        total = sum(half / (t * (half - z * m / 2) - z) for t in (1, 4))
        assert abs(m - total) < 1e-53
        assert mpmath.isnan(at(rmt.SolvedMeasure(rmt.Equation(lambda z, m: -1 / (z + m))), 2)[0])  # an edge


@pytest.mark.parametrize(
    ("law", "words"),
    [
        (rmt.Continuous(lambda x: np.interp(x, [0, 1], [1.0, 1.0]), (0, 1)), "density of this law works on floats"),
        (rmt.Continuous(lambda x: np.ones(x.shape), (0, 1)), "the density of this law works on floats only"),
        (rmt.Continuous(lambda x: 1 - abs(x), (-1, 1)), "fewer digits .* give the support in pieces"),
        (StieltjesLaw(lambda z: rmt.Semicircle()._stieltjes(z.astype(complex))), "this law works on floats only"),
        (StieltjesLaw(lambda z: rmt.Semicircle()._stieltjes(np.float64(z.real) + 1j * np.float64(z.imag))),
         "the transform of this law works on floats"),
        (rmt.RandomFeatures("relu", alpha=2, beta=1).law(), "SpikedFeatures.* works on floats only"),
    ],
)  # fmt: skip
def test_laws_that_are_known_in_floats_only_say_so(law, words):
    equation = rmt.free_add(rmt.Semicircle(), law).equation
    with pytest.raises(rmt.DomainError, match=words):
        rmt.solve(equation, 0.5 + 0.5j, DIGITS)


def test_a_law_without_digits_is_named():
    class Own(rmt.Measure):
        edges = np.array([-1.0, 1.0])

        def __repr__(self):
            return "Own()"

        def _stieltjes(self, z):
            return rmt.Arcsine(-1, 1)._stieltjes(z)

    with pytest.raises(rmt.DomainError, match=r"floating-point method for laws that are made of Own\(\)"):
        rmt.solve(rmt.SampleCovariance(Own().shifted(2.0), ratio=0.5).equation(), 1j, DIGITS)


def test_kinks_at_the_ends_of_pieces_are_no_obstacle():
    law = rmt.Continuous(lambda x: 1 - abs(x), [(-1, 0), (0, 1)])
    z = mpmath.mpc(0.3, 0.2)
    with mpmath.workdps(60):  # the second difference of x log x
        f = [(z - s) * mpmath.log(z - s) for s in (-1, 0, 1)]
        assert abs(at(law, z)[0] + f[0] - 2 * f[1] + f[2]) < 1e-45


def test_given_transforms_that_take_many_digits():
    law = StieltjesLaw(lambda z: 0.5 * (-z + np.sqrt(z - 2) * np.sqrt(z + 2)))
    sol = rmt.solve(rmt.free_add(rmt.Semicircle(), law).equation, 0.3 + 0.2j, DIGITS)
    with mpmath.workdps(60):
        assert abs(sol.precise_m[()] - at(rmt.Semicircle(2.0), mpmath.mpc(0.3 + 0.2j))[0]) < 1e-50


@pytest.mark.parametrize("z", [0.3 + 1e-30j, 0.3 + 0j])
def test_beside_and_on_the_real_axis(z):
    """The density of a free sum to 50 digits: U + S with S the semicircle, ``m = m_U(z + m)``."""
    sol = rmt.solve(AdditiveEquation(U, rmt.Semicircle()), z, DIGITS)
    with mpmath.workdps(60):
        m, w = sol.precise_m[()], mpmath.mpc(z) + sol.precise_m[()]
        assert abs(m - (mpmath.log(w - 2) - mpmath.log(w + 1)) / 3) < 1e-50
        assert m.imag > 0.5


EQUATIONS = {
    "sum": AdditiveEquation(MP, U),
    "product": rmt.free_multiply(MP, rmt.Wachter(0.5, 0.2)).equation,
    "separable": rmt.SeparableCovariance(MP, rmt.Arcsine(0, 1), 0.5).equation(),
    "covariance": rmt.SampleCovariance(rmt.Uniform(0, 2), 0.5).equation(),
    "power": rmt.free_power(rmt.Kesten(4), 1.5).equation,
    "nested": rmt.free_power(rmt.free_add(U, rmt.Discrete([0, 3])), 1.5).equation,
    "noise": rmt.InformationPlusNoise(MP, noise=0.5, ratio=0.5).equation(),
}  # fmt: skip


@pytest.mark.parametrize("name", EQUATIONS)
@given(x=st.floats(-6, 12), height=st.floats(-8, 1))
def test_float_solutions_lie_within_their_bound(name, x, height):
    z = complex(x, 10.0**height)
    plain, exact = rmt.solve(EQUATIONS[name], z), rmt.solve(EQUATIONS[name], z, DIGITS)
    error = float(abs(exact.precise_m[()] - mpmath.mpc(plain.m[()])))
    assert error <= plain.error_bound or math.isnan(plain.error_bound)
    assert error <= 1e-9 * abs(plain.m)
