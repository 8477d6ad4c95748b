"""Many digits: which array operations a map may use, and what is said when it uses others."""

import mpmath
import numpy as np
import pytest

import rmtsolve as rmt
from rmtsolve.equations.even import SymmetricRoot
from rmtsolve.equations.free_pencil import FreePencil

DIGITS = rmt.HighPrecision(digits=40)


def digits_agree(got, wanted):
    with mpmath.workdps(50):
        return abs(got - wanted) < mpmath.mpf(10) ** -38


def test_vectors_and_matrices():
    z = 0.3 + 0.5j
    with mpmath.workdps(50):
        w = mpmath.mpc(z)
        root = mpmath.sqrt(w * w - 4)
        exact = max(((-w + root) / 2, (-w - root) / 2), key=lambda r: r.imag)
    pair = rmt.Equation(lambda z, m: -1 / (z[:, None] + np.einsum("ij,nj->ni", [[0, 1], [1, 0]], m)), shape=(2,))
    square = rmt.Equation(lambda z, m: -np.linalg.inv(z[:, None, None] * np.eye(2) + m), shape=(2, 2))
    solved = rmt.Equation(lambda z, m: np.linalg.solve(-(z[:, None, None] * np.eye(2)) - m, np.eye(2)), shape=(2, 2))
    for equation in (pair, square, solved):
        sol = rmt.solve(equation, z, DIGITS)
        assert digits_agree(sol.precise_m[()], exact)
        assert "repeated with mpmath to 40 digits" in sol.explain()


def test_elementary_functions():
    # z = u + log(1 + exp) style compositions: a shifted semicircle written with exp and log
    equation = rmt.Equation(lambda z, m: -np.exp(-np.log(np.sqrt((z + m) ** 2 + 0j)) - 0j) * np.sign(z.real + 9).real)
    with pytest.raises(rmt.DomainError):
        rmt.solve(equation, 0.3 + 0.5j, DIGITS)
    entropy = rmt.Equation(lambda z, m: -1 / (z + np.expm1(np.log1p(m))))
    plain = rmt.Equation(lambda z, m: -1 / (z + m))
    got, wanted = (rmt.solve(e, 0.3 + 0.5j, DIGITS).precise_m[()] for e in (entropy, plain))
    assert digits_agree(got, wanted)


def test_a_real_point_gives_a_real_answer():
    sol = rmt.solve(rmt.Equation(lambda z, m: -1 / (z + m)), [3.0, -5.0], DIGITS)
    with mpmath.workdps(50):
        assert digits_agree(sol.precise_m[0], (-3 + mpmath.sqrt(5)) / 2)
    assert sol.m.imag.tolist() == [0.0, 0.0]


def test_built_in_families():
    model = rmt.SampleCovariance(rmt.Discrete([1, 4], [0.5, 0.5]), 0.5)
    sol = rmt.solve(model.equation(), [2 + 0.5j, -1.0], DIGITS)
    with mpmath.workdps(50):
        for z, m in zip(sol.z, sol.precise_m, strict=True):
            w, total = mpmath.mpc(complex(z)), 0
            for t in (1, 4):
                total += mpmath.mpf(1) / 2 / (t * (mpmath.mpf(1) / 2 - w * m / 2) - w)
            assert digits_agree(m, total)


TWO, ONE_AND_FOUR = rmt.Discrete([-1, 1], [0.7, 0.3]), rmt.Discrete([1, 4], [0.5, 0.5])
COEFFICIENTS = np.array([[1, 0.5j], [-0.5j, 0]]), np.array([[0, 1], [1, 0.3]], dtype=complex)
LETTERS = tuple(zip(COEFFICIENTS, (TWO, rmt.Discrete([0, 1, 3])), strict=True))
ROOT = SymmetricRoot(rmt.MarchenkoPastur(0.5))
FAMILIES = {
    "compound free poisson": lambda: rmt.CompoundFreePoisson(TWO, 1.5).equation(),
    "deformed wigner": lambda: rmt.DeformedWigner(TWO, 0.2).equation(),  # m(0.4) = 0
    "free power": lambda: rmt.free_power(TWO, 2.5).equation,
    "separable": lambda: rmt.SeparableCovariance(ONE_AND_FOUR, [0.5, 2], ratio=0.5).equation(),
    "additive": lambda: rmt.free_add(TWO, rmt.Discrete([0, 1, 3])).equation,
    "multiplicative": lambda: rmt.free_multiply(ONE_AND_FOUR, rmt.Discrete([0.5, 1, 3])).equation,
    "information plus noise": lambda: rmt.InformationPlusNoise([0, 2], noise=1.0, ratio=0.5).equation(),
    "product": lambda: rmt.WishartProduct([0.5, 2.0]).equation(),
    "vector dyson": lambda: rmt.VarianceProfile([[0.5, 2], [2, 0.3]], fractions=[0.6, 0.4], mean=[0, 1]).equation(),
    "rectangular dyson": lambda: rmt.RectangularProfile([[1, 4], [0, 1]], 0.5).equation(),
    "matrix dyson": lambda: rmt.LinearPencil([[0, 1], [1, 0]], {"X": [[1, 0], [0, -1]]}, X=rmt.Wigner()).equation(),
    "free pencil": lambda: FreePencil(np.array([[0, 1j], [-1j, 0]]), np.ones(2), [], LETTERS, np.full(2, 0.5)),
    "covariance of a density": lambda: rmt.SampleCovariance(rmt.Uniform(1, 3), ratio=0.5).equation(),
    "f matrix": lambda: rmt.FMatrix([0, 1, 4], ratio1=0.5, ratio2=0.2).equation(),
    "additive with a density": lambda: rmt.free_add(TWO, rmt.Uniform(-1, 1)).equation,
    "additive with a root": lambda: rmt.free_add(ROOT, TWO).equation,
    "known law": lambda: rmt.SpikedSum(rmt.Uniform(-1, 1), spikes=[2.0]).equation(),
    "free pencil with a root": lambda: FreePencil(
        np.zeros((2, 2)), np.ones(2), [], ((COEFFICIENTS[0], ROOT), LETTERS[1]), np.full(2, 0.5)
    ),
    "power of an even law": lambda: rmt.free_power(SymmetricRoot(rmt.Discrete([0, 1], [0.5, 0.5])), 2.5).equation,
    "deep chain": lambda: rmt.DeepFeatures(["tanh", "relu"], [1.0, 1.0], alpha=2.0).equation(),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_that_is_written_with_array_operations_is_repeated(name):
    equation = FAMILIES[name]()
    z = np.array([0.3 + 0.5j, 0.4 + 1e-3j, 0.7 + 1e-7j, -9.3, 0.4 if name == "deformed wigner" else 37.0])
    plain, sol = rmt.solve(equation, z), rmt.solve(equation, z, DIGITS)
    assert sol.residual.max() < 1e-38
    error = np.array([float(abs(p - complex(m))) for p, m in zip(sol.precise_m, plain.m, strict=True)])
    # where m is small its terms, which are of the size of the inverse width, cancel
    assert (error <= np.fmax(plain.error_bound, 1e-14 * np.maximum(np.abs(plain.m), 0.1))).all()
    assert (error <= 1e-10 * np.abs(plain.m) + 1e-15).all()


@pytest.mark.parametrize(
    "make",
    [
        lambda: rmt.RandomFeatures("relu", alpha=2, beta=1).equation(),
        lambda: rmt.SampleCovariance(rmt.RandomFeatures("relu", alpha=2, beta=1).law(), ratio=0.5).equation(),
    ],
)
def test_families_that_are_known_in_floats_only_say_so(make):
    with pytest.raises(rmt.DomainError, match="method must be a floating-point method"):
        rmt.solve(make(), [0.5 + 0.5j, 1 + 1j], DIGITS)


def test_where_m_vanishes_in_a_gap():
    eq = rmt.Equation(lambda z, m: 0.3 / (1 - z - 0.2 * m) + 0.7 / (-1 - z - 0.2 * m))
    sol = rmt.solve(eq, [0.4, 0.4 + 1e-13j], DIGITS)
    with mpmath.workdps(50):
        for z, m in zip(sol.z, sol.precise_m, strict=True):
            u = mpmath.mpc(complex(z)) + mpmath.mpf(0.2) * m
            assert digits_agree(m, mpmath.mpf(0.3) / (1 - u) + mpmath.mpf(0.7) / (-1 - u))


def test_failed_points_stay_failed():
    sol = rmt.solve(rmt.Equation(lambda z, m: -1 / (z + m)), [2.0, 1j], DIGITS, throw=False)
    assert sol.status[1] == rmt.Status.CONVERGED
    assert sol.status[0] != rmt.Status.CONVERGED


def test_maps_that_cannot_take_many_digits_are_told_how():
    def preallocated(z, m):
        out = np.empty(z.shape, dtype=complex)
        out[:] = -1 / (z + m)
        return out

    def rounded(z, m):
        return -1 / (z + m.astype(complex))

    @rmt.step
    def filled(z, m):
        out = np.empty(1, np.complex128)
        out[0] = -1 / (z + m[0])
        return out

    for step, shape in ((preallocated, ()), (rounded, ()), (filled, (1,))):
        with pytest.raises(rmt.DomainError, match=r"step must be a map that keeps mpmath numbers, .*preallocated"):
            rmt.solve(rmt.Equation(step, shape=shape), 1j, DIGITS)
