"""Densities beside points where the equation cannot be solved: series in a root of the distance, and their errors."""

import warnings

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rmtsolve as rmt
from rmtsolve.equations.base import Sweep
from rmtsolve.equations.local_series import local_series
from rmtsolve.measures.base import NO_ATOMS

EPS = np.finfo(float).eps


# ---------------------------------------------------------------------- the series itself
def beside(power, step, shape, floor, noise, at=0.0):
    """A sampler of ``density = d^p shape(d^s)`` that fails below `floor` and scatters by `noise`."""
    rng = np.random.default_rng(7)

    def sample(distance):
        distance = np.abs((at + distance) - at)
        with np.errstate(all="ignore"):
            rho = distance**power * shape(distance**step) * (1.0 + noise * rng.uniform(-1.0, 1.0, distance.size))
            real = distance ** min(power, 0.0) / (2.0 + distance**step)
        return distance, real + 1j * np.pi * rho, distance >= floor

    return sample


@pytest.mark.parametrize(
    ("power", "step"),
    [(0.5, 1.0), (-0.5, 1.0), (-0.5, 0.5), (-0.75, 0.5), (-0.75, 0.25), (1 / 3, 1 / 3), (-2 / 3, 1 / 3), (0.0, 0.5)],
)
def test_exponent_is_found_and_the_error_is_true(power, step):
    def shape(t):
        return 3.0 / (2.0 + t) ** 2

    series = local_series(beside(power, step, shape, 1e-9, 1e-13), 0.5, 0.0, False)
    assert abs(series.power - power) < 1e-12
    distance = np.array([1e-16, 1e-13, 1e-10, 1e-6, 0.9 * series.reach])
    relative = np.abs(series.density(distance) / (distance**power * shape(distance**step)) - 1.0)
    assert np.all(relative <= series.error)
    assert series.error < 1e-9
    truth = distance ** min(power, 0.0) / (2.0 + distance**step) + 1j * np.pi * series.density(distance)
    assert np.all(np.abs(series.transform(distance) - truth) <= series.doubt(distance, 0.0))


@settings(max_examples=25, deadline=None)
@given(
    power=st.sampled_from([(1, 2), (-1, 2), (-3, 4), (-2, 3), (1, 3), (-4, 5)]), pole=st.floats(0.3, 30.0),
    slant=st.floats(-0.9, 3.0), floor=st.floats(-13.0, -6.0), noise=st.floats(-15.0, -9.0),
)  # fmt: skip
def test_stated_errors_cover_the_errors(power, pole, slant, floor, noise):
    p, q = power

    def shape(t):
        return (1.0 + 0.3 * slant * t) / (pole + t)

    series = local_series(beside(p / q, 1.0 / q, shape, 10.0**floor, 10.0**noise), 1.0, 0.0, False)
    if series is None:
        return
    distance = series.reach * np.array([1e-14, 1e-10, 1e-7, 1e-4, 1e-2, 0.5])
    truth = distance ** (p / q) * shape(distance ** (1.0 / q))
    assert np.all(np.abs(series.density(distance) - truth) <= series.error * truth)


def test_a_misplaced_point_counts():
    """Where x0 is wrong by one part in 1e15 the error below the nodes says so."""
    shift = 1e-15
    series = local_series(beside(-0.5, 1.0, lambda t: 1.0 / (2.0 + t), 1e-12, 0.0), 1.0, shift, False)
    distance = np.array([1e-14, 1e-12])
    truth = (distance - shift) ** -0.5 / (2.0 + distance - shift)
    off = np.pi * np.abs(series.density(distance) - truth)
    assert np.all(off <= series.doubt(distance, shift))
    assert np.all(series.doubt(distance, shift) <= 10.0 * off)


def test_no_series_through_noise():
    assert local_series(beside(-0.5, 0.5, lambda t: 1.0 + np.sin(1.0 / t), 1e-12, 0.0), 1.0, 0.0, False) is None
    assert local_series(beside(-0.5, 0.5, lambda t: 1.0 + t, 0.5, 0.0), 1.0, 0.0, False) is None


# ---------------------------------------------------------------------- laws
class TwoArcs(rmt.Equation):
    """Half arcsine on [c - 1, c], half on [c, c + 1]: density (2 pi)^{-1} (d (1 - d))^{-1/2} on both sides of c.

    It cannot be solved on the axis within `lost` of c.
    """

    def __init__(self, centre, lost):
        self.centre, self.lost = centre, lost
        super().__init__(lambda z, m: m, name="two arcs")

    def sweep(self, z, start=None):
        y = z - self.centre
        with np.errstate(all="ignore"):
            m = -0.5 * (1.0 / (np.sqrt(y) * np.sqrt(y - 1.0)) + 1.0 / (np.sqrt(y) * np.sqrt(y + 1.0)))
        status = np.where((z.imag == 0.0) & (np.abs(y) < self.lost), 7, 0)
        zero = np.zeros(z.shape)
        return Sweep(m, status, np.ones(z.shape, dtype=int), zero, np.where(status == 0, 1e-15 * np.abs(m), np.nan))

    def density(self, x):
        d = np.abs(x - self.centre)
        return 0.5 / (np.pi * np.sqrt(d * (1.0 - d)))


def test_singular_point_within_a_bulk():
    equation = TwoArcs(0.0, 1e-8)
    law = rmt.SolvedMeasure(equation, edges=np.array([-1.0, 1.0]), atoms=NO_ATOMS)
    x = np.array([1e-15, -1e-12, 3e-9, -1e-8, 0.3])
    np.testing.assert_allclose(law.density(x), equation.density(x), rtol=1e-12)


def test_what_cannot_be_told_is_refused():
    """A singular point of which nothing is known: far above it the density looks a thousand times smaller."""
    law = rmt.SolvedMeasure(TwoArcs(0.3, 1e-8), edges=np.array([-0.7, 1.3]), atoms=NO_ATOMS)
    with pytest.raises(rmt.ConvergenceError, match=r"1 of 2 points of two arcs"):
        law.density([0.3 + 1e-12, 0.5])
    m, doubt = law.boundary(np.array([0.3 + 1e-12, 0.5], dtype=complex))
    assert doubt[1] == 0.0
    assert doubt[0] == np.inf
    assert np.isfinite(m).all()


def conjugated_wigner(x):
    """Density of X Y X for two Wigner matrices: ``(s^2 + 1)^2 + z s = 0``, ``m = s / (s^2 + 1)``."""
    with mp.workdps(50):
        roots = mp.polyroots([1, 0, 2, mp.mpf(float(x)), 1], maxsteps=300, extraprec=300)
        images = [s / (s * s + 1) for s in roots]
        return float(max(m.imag for m in images if m.real < 0) / mp.pi)


def test_conjugated_wigner_at_its_singular_point():
    """Density x^(-1/2) on both sides of 0, inside the bulk."""
    law = rmt.polynomial_law("X*Y*X", X=rmt.Wigner(), Y=rmt.Wigner())
    x = 10.0 ** -np.arange(1.0, 17.0)
    truth = [conjugated_wigner(a) for a in x]
    np.testing.assert_allclose(law.density(x), truth, rtol=1e-8)
    np.testing.assert_allclose(law.density(-x), truth, rtol=1e-8)


@pytest.mark.parametrize("edge", [0, 1])
def test_conjugated_wigner_at_its_edges(edge):
    """The slope of the square root from a digit-rich solution a thousandth away, and offsets that keep its digits."""
    law = rmt.polynomial_law("X*Y*X", X=rmt.Wigner(), Y=rmt.Wigner())
    side = 1.0 - 2.0 * edge
    offset = side * 10.0 ** -np.arange(6.0, 16.0)
    with mp.workdps(60):  # s^2 = 1/3 at the edge 16 / (3 sqrt 3); its discriminant gives the coefficient
        end = 16 / (3 * mp.sqrt(3))
        rho = []
        for d in np.abs(offset):
            roots = mp.polyroots([1, 0, 2, end - mp.mpf(float(d)), 1], maxsteps=500, extraprec=500)
            images = [s / (s * s + 1) for s in roots]
            rho.append(float(max(m.imag for m in images if m.real < 0) / mp.pi))
    np.testing.assert_allclose(law.density(offset=offset, edge=edge), rho, rtol=1e-9)


def test_fourth_power_of_letters_that_are_not_gaussian():
    """``(X + Y)^4`` is the fourth power of a sum: density x^(-3/4) at 0."""
    x, y = rmt.Discrete([-1.0, 1.0]), rmt.SampleCovariance([1.0, 4.0], 0.5)
    equation = rmt.MatrixPolynomial("(X + Y)*(X + Y)*(X + Y)*(X + Y)", X=x, Y=y).equation()
    law = rmt.SolvedMeasure(equation)
    base = rmt.free_add(x, y.law())
    law._edges, law._atoms = np.array([0.0, base.edges[-1] ** 4]), NO_ATOMS
    at = 10.0 ** -np.arange(1.0, 17.0)
    root = at**0.25
    truth = (base.density(root) + base.density(-root)) / (4.0 * root**3)
    np.testing.assert_allclose(law.density(at), truth, rtol=1e-9)
    np.testing.assert_allclose(law.density(offset=at, edge=0), truth, rtol=1e-9)


def beside_an_atom(x):
    """Density of the pencil below. ``G = sum_k p_k (z - A_k - r E_11)^{-1}`` with ``r = 1/(1 - c G_11)``: a cubic."""
    with mp.workdps(60):
        z, c = mp.mpf(float(x)), mp.mpf(5.87)
        atoms = [(mp.mpf(0.45), mp.mpf(-3.04)), (mp.mpf(0.55), mp.mpf(-1.96))]
        p, d = zip(*atoms, strict=True)
        q11 = [z + mp.mpf(2.32) - mp.mpf(0.51) * k for k in d]
        q12 = [-mp.mpf(0.18) - mp.mpf(0.1) * k for k in d]
        q22 = [z + mp.mpf(0.04) + mp.mpf(2.94) * k for k in d]
        u, v = (a - b * b / e for a, b, e in zip(q11, q12, q22, strict=True))
        # (r - 1)(u - r)(v - r) = c r (p_1 (v - r) + p_2 (u - r))
        mean = p[0] * v + p[1] * u
        cubic = [1, -(u + v + 1) + c * (p[0] + p[1]), u * v + u + v - c * mean, -u * v]
        r = max(mp.polyroots(cubic, maxsteps=500, extraprec=500), key=lambda root: abs(root.imag))
        g = sum(
            w * ((a - r) + e) / ((a - r) * e - b * b) for w, a, b, e in zip(p, q11, q12, q22, strict=True)
        )  # G_11 + G_22
        return float(abs(g.imag) / 2 / mp.pi)


def test_beside_an_atom_next_to_an_edge():
    """An atom 3e-6 left of the edge, where the extrapolation from above came out negative."""
    law = rmt.LinearPencil(
        [[-2.32, 0.18], [0.18, -0.04]],
        {"S": [[1.0, 0.0], [0.0, 0.0]], "D": [[0.51, 0.1], [0.1, -2.94]]},
        S=rmt.SampleCovariance([1.0], 5.87), D=rmt.Discrete([-3.04, -1.96], [0.45, 0.55]),
    ).law()  # fmt: skip
    edge = law.edges[4]
    assert abs(edge - 5.722431228920387) < 1e-12
    x = edge + np.array([1e-12, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2])
    truth = np.array([beside_an_atom(a) for a in x])
    with warnings.catch_warnings():  # a warning is right here: rounding of x counts, and is what is compared below
        warnings.simplefilter("ignore", rmt.AccuracyWarning)
        rho = law.density(x)
    # rounding of the edge and of the solution, relative to the distance
    assert np.all(np.abs(rho - truth) <= 32.0 * EPS * edge / (x - edge) * truth)
