"""Fifty digits of free sums, products, commutators and pencils, against scalar equations solved by mpmath alone."""

import mpmath
import numpy as np
import pytest

import rmtsolve as rmt
from rmtsolve.equations.commutator import CommutatorEquation
from rmtsolve.equations.free_pencil import FreePencil
from rmtsolve.equations.subordination import AdditiveEquation, MultiplicativeEquation

DIGITS = rmt.HighPrecision(digits=50)
Z = np.array([0.3 + 0.5j, 0.4 + 1e-3j, 1.7 + 1e-7j, -9.3, 37.0, 0.55])
WEIGHTS = [0.5, 0.25, 0.25]  # floats that sum to one exactly
U, MP, S = rmt.Uniform(-1, 2), rmt.MarchenkoPastur(0.3, 1.25), rmt.Semicircle(0.7)


def roots(coefficients):
    """The root of a polynomial in m nearest to the float m."""

    def solve(z, near):
        found = mpmath.polyroots(coefficients(z), maxsteps=500, extraprec=400)
        return min(found, key=lambda root: abs(root - near))

    return solve


def fixed(image):
    """The solution of ``m = image(z, m)`` near the float m by mpmath's secant method."""

    def solve(z, near):
        return mpmath.findroot(lambda m: m - image(z, m), (near, near * (1 + mpmath.mpf(10) ** -9)), tol=1e-115)

    return solve


def uniform(w):
    """m of U above the axis, or at real w off its support."""
    return (mpmath.log(2 - w) - mpmath.log(-1 - w)) / 3


def semicircle(variance):
    return lambda z: [mpmath.mpf(variance), z, 1]


def semicircle_and_mp(z):
    """``c v w m^2 + (w - v (1 - c)) m + 1 = 0`` at ``w = z + s m``."""
    c, v, s = mpmath.mpf(0.3), mpmath.mpf(1.25), mpmath.mpf(0.7)
    return [c * v * s, c * v * z + s, z - v * (1 - c), 1]


def fuss_catalan(z):
    """``psi z = (1 + psi)^3``, ``psi = -1 - z m``: ``z^2 m^3 - z m - 1 = 0``."""
    return [z * z, 0, -z, -1]


def anticommutator(z):
    """``z m^3 - m^2 - z m - 1 = 0`` for ``X Y + Y X`` and ``i (X Y - Y X)``, X and Y semicircular."""
    return [z, -1, -z, -1]


def letter(i, j):
    matrix = np.zeros((3, 3), dtype=complex)
    matrix[i, j] = matrix[j, i] = 1.0
    return matrix


def anticommutator_pencil():
    one = rmt.Semicircle()
    ends = np.array([1.0, 0.0, 0.0])
    return FreePencil(-letter(1, 2), ends, [], ((letter(0, 1), one), (letter(0, 2), one)), ends)


def commutator_pencil(one, two):
    """``i (a b - b a)`` as the Schur complement of ``[[z, -a, -b], [-a, 0, i], [-b, -i, 0]]``."""
    ends, constant = np.array([1.0, 0.0, 0.0]), np.zeros((3, 3), dtype=complex)
    constant[1, 2], constant[2, 1] = -1j, 1j
    return FreePencil(constant, ends, [], ((letter(0, 1), one), (letter(0, 2), two)), ends)


def sum_pencil():
    one = np.ones((1, 1), dtype=complex)
    return FreePencil(0 * one, np.ones(1), [], ((one, S), (one, MP)), np.ones(1))


CASES = {
    "two semicircles": (lambda: AdditiveEquation(S, rmt.Semicircle(0.25)), roots(semicircle(0.7 + 0.25))),
    "semicircle and mp": (lambda: rmt.free_add(S, MP).equation, roots(semicircle_and_mp)),
    "semicircle and mp as factors": (lambda: AdditiveEquation(MP, S), roots(semicircle_and_mp)),
    "semicircle and mp as letters": (sum_pencil, roots(semicircle_and_mp)),
    "fuss catalan": (
        lambda: MultiplicativeEquation(rmt.MarchenkoPastur(1.0), rmt.MarchenkoPastur(1.0)), roots(fuss_catalan)),
    "fuss catalan as covariance": (
        lambda: rmt.SampleCovariance(rmt.MarchenkoPastur(1.0), ratio=1.0).equation(), roots(fuss_catalan)),
    "semicircle and uniform": (
        lambda: rmt.free_add(S, U).equation, fixed(lambda z, m: uniform(z + mpmath.mpf(0.7) * m))),
    "semicircle and uniform as factors": (
        lambda: AdditiveEquation(S, U), fixed(lambda z, m: uniform(z + mpmath.mpf(0.7) * m))),
    # n free copies: m = m_U(u) with z = n u + (n - 1)/m
    "two uniforms": (lambda: AdditiveEquation(U, U), fixed(lambda z, m: uniform((z - 1 / m) / 2))),
    "three uniforms": (lambda: rmt.free_add(U, U, U).equation, fixed(lambda z, m: uniform((z - 2 / m) / 3))),
    "power of a uniform": (lambda: rmt.free_power(U, 3.0).equation, fixed(lambda z, m: uniform((z - 2 / m) / 3))),
    "commutator": (lambda: CommutatorEquation(rmt.Semicircle(), rmt.Semicircle()), roots(anticommutator)),
    "anticommutator": (anticommutator_pencil, roots(anticommutator)),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_fifty_digits(name):
    make, independent = CASES[name]
    equation = make()
    plain, sol = rmt.solve(equation, Z), rmt.solve(equation, Z, DIGITS)
    for z, m, rough, bound in zip(Z, sol.precise_m, plain.m, plain.error_bound, strict=True):
        with mpmath.workdps(120):
            wanted = independent(mpmath.mpc(z), mpmath.mpc(rough))
        with mpmath.workdps(60):
            assert abs(m - wanted) < 1e-49 * abs(wanted)
            assert abs(mpmath.mpc(rough) - wanted) <= np.fmax(bound, 1e-13 * abs(rough))


@pytest.mark.parametrize(
    "laws",
    [(rmt.Discrete([0, 0.1, 0.7], WEIGHTS), rmt.Discrete([0.3, 1, 3.3], WEIGHTS)), (U.scaled(0.7), MP)],
    ids=["atoms", "densities"],
)
def test_two_equations_of_a_commutator(laws):
    """In the units of the letters, whose radii are no binary fractions, and as a pencil."""
    z = [0.3 + 0.5j, 0.4 + 1e-3j, 37.0]
    own, other = (rmt.solve(make(*laws), z, DIGITS).precise_m for make in (CommutatorEquation, commutator_pencil))
    with mpmath.workdps(60):
        assert all(abs(a - b) < 1e-48 * abs(b) for a, b in zip(own, other, strict=True))


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("height", [0.0, 1e-12, 1e-6])
def test_bounds_where_the_transform_vanishes(swap, height):
    """In a gap where m = 0 by symmetry one argument is at a pole, the other infinite; m keeps its digits and bound."""
    factors = rmt.Semicircle(0.5), rmt.Discrete([-1, 1])
    z = np.append(10.0 ** -np.arange(1.0, 13.0), -(10.0 ** -np.arange(1.0, 13.0))) + 1j * height
    s = rmt.solve(AdditiveEquation(*(factors[::-1] if swap else factors)), z)
    with mpmath.workdps(40):

        def image(z, m):
            w = z + m / 2
            return w / (1 - w * w)

        exact = [fixed(image)(mpmath.mpc(complex(p)), 2 * mpmath.mpc(complex(p))) for p in z]
        error = np.array([float(abs(mpmath.mpc(complex(m)) - e)) for m, e in zip(s.m, exact, strict=True)])
    assert (error <= s.error_bound).all()
    assert s.error_bound.max() < 1e-12
