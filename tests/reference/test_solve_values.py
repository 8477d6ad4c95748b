"""The generic path on users' maps against closed forms and 50-digit values."""

import numpy as np
import pytest

import rmtsolve as rmt
from rmtsolve.equations.support import _Explorer

T, H = np.array([1.0, 3.0, 10.0]), np.array([0.5, 0.3, 0.2])


def covariance(z, m):
    return (H / (T * (1 - 0.5 - 0.5 * z * m)[:, None] - z[:, None])).sum(axis=1)


def deformed(z, m):
    return 0.5 / (1 - z - 0.64 * m) + 0.5 / (-1 - z - 0.64 * m)


ALPHA = np.array([0.6, 0.4])
COUPLING = np.array([[0.5, 2.0], [2.0, 0.3]]) * ALPHA

PENCIL = np.zeros((3, 3))
PENCIL[1, 2] = PENCIL[2, 1] = -1.0
X, Y, CORNER = np.zeros((3, 3)), np.zeros((3, 3)), np.zeros((3, 3))
X[0, 1] = X[1, 0] = Y[0, 2] = Y[2, 0] = CORNER[0, 0] = 1.0


def anticommutator(z, state):
    return -np.linalg.inv(z[:, None, None] * CORNER - PENCIL + X @ state @ X + Y @ state @ Y)


EQUATIONS = {
    "covariance": rmt.Equation(covariance),
    "deformed": rmt.Equation(deformed),
    "vector": rmt.Equation(lambda z, m: -1 / (z[:, None] + m @ COUPLING.T), lambda z, m: m @ ALPHA, shape=(2,)),
    "anticommutator": rmt.Equation(anticommutator, lambda z, state: state[:, 0, 0], shape=(3, 3)),
}

# (equation, z, m or density at real z); 50-digit arithmetic, rounded
VALUES = [
    ("covariance", -1.0, 0.41384113581058257),
    ("covariance", 2 + 0.5j, -0.20648539083464645 + 0.39487646488186942j),
    ("deformed", 0.3 + 0.01j, 0.33071489259559259 + 0.57266725388489438j),
]
DENSITIES = [
    ("covariance", 1.0, 0.28859052403342919),
    ("covariance", 7.0, 0.021621645760494792),
    ("deformed", 0.5, 0.23857404120375147),
    ("vector", 1.0, 0.25601727405113706),
    ("anticommutator", 1.0, 0.19298833300823108),
    ("anticommutator", 3.0, 0.048137434405275972),
]


@pytest.mark.parametrize("method", [rmt.Auto(), rmt.Newton(), rmt.Continuation()], ids=repr)
@pytest.mark.parametrize(("name", "z", "m"), VALUES)
def test_transform(name, z, m, method):
    sol = rmt.solve(EQUATIONS[name], z, method)
    assert abs(sol.m - m) < 1e-14
    assert abs(sol.m - m) <= sol.error_bound + 1e-16


@pytest.mark.parametrize("method", [rmt.Auto(), rmt.Anderson(), rmt.Continuation()], ids=repr)
@pytest.mark.parametrize(("name", "x", "rho"), DENSITIES)
def test_density_at_height_zero(name, x, rho, method):
    sol = rmt.solve(EQUATIONS[name], x, method)
    assert abs(sol.m.imag / np.pi - rho) < (1e-11 if isinstance(method, rmt.Anderson) else 1e-14)


@pytest.mark.parametrize(("name", "z", "m"), VALUES)
def test_fifty_digits(name, z, m):
    sol = rmt.solve(EQUATIONS[name], z, rmt.HighPrecision(digits=50))
    assert complex(sol.precise_m[()]) == pytest.approx(m, rel=2e-16, abs=0)
    assert sol.error_bound < 1e-48


def test_fifty_digits_of_the_golden_ratio():
    import mpmath

    sol = rmt.solve(rmt.Equation(lambda z, m: -1 / (z + m)), 1j, rmt.HighPrecision(digits=50))
    with mpmath.workdps(60):
        assert abs(sol.precise_m[()].imag - (mpmath.sqrt(5) - 1) / 2) < mpmath.mpf(10) ** -50
        assert sol.precise_m[()].real == 0


# ---------------------------------------------------------------------- laws of users' equations
EDGES = {
    "covariance": [0.12243731525724158, 5.3516014961491171, 5.7790362307071788, 18.177782133485971],
    "deformed": [-2.25575507653592549, -0.0957550765359254871, 0.0957550765359254871, 2.25575507653592549],
    "vector": [-2.18867905818098, 2.18867905818098],
}


@pytest.mark.parametrize("name", EDGES)
def test_edges_of_a_law(name):
    law = rmt.SolvedMeasure(EQUATIONS[name])
    assert law.edges.size == len(EDGES[name])
    # the vector value has 15 digits
    assert np.abs(law.edges - EDGES[name]).max() < (1e-13 if name != "vector" else 1e-11)
    for which, x, rho in DENSITIES:
        if which == name:
            sol = rmt.solve(EQUATIONS[name], x)
            assert sol.error_bound < 1e-11
            assert abs(law.density(x) - rho) < sol.error_bound / np.pi + 1e-15


def test_matrix_law_of_the_anticommutator():
    law = rmt.SolvedMeasure(EQUATIONS["anticommutator"])
    edge = np.sqrt((11 + 5 * np.sqrt(5)) / 2)
    assert np.abs(law.edges - [-edge, edge]).max() < 1e-8
    assert abs(law.density(3.0) - 0.048137434405275972) < 1e-12


@pytest.mark.parametrize("c", [0.25, 2.0])
def test_hand_written_marchenko_pastur(c):
    law = rmt.SolvedMeasure(rmt.Equation(lambda z, m: 1 / (1 - c - c * z * m - z)))
    assert np.abs(law.edges - [(1 - c**0.5) ** 2, (1 + c**0.5) ** 2]).max() < 1e-10
    closed = rmt.MarchenkoPastur(c)
    assert abs(law.cdf(1.0) - closed.cdf(1.0)) < 1e-9
    assert abs(law.cdf(0.0) - max(0.0, 1 - 1 / c)) < 1e-9  # the atom sits at zero exactly, so it is counted there
    assert law.atoms.locations.tolist() == closed.atoms.locations.tolist()


def test_a_cusp_is_flagged():
    # two atoms merge at this ratio (50-digit value)
    c = 0.41276509136906170
    t = np.array([1.0, 4.0])
    eq = rmt.Equation(lambda z, m: -1 / (z - c * (0.5 * t / (1 + t * m[:, None])).sum(axis=1)), name="merging")
    law = rmt.SolvedMeasure(eq)
    assert law.cusps.size == 1
    assert abs(law.cusps[0] - 1.5888456091725051) < 1e-6
    away = rmt.SolvedMeasure(rmt.Equation(lambda z, m: -1 / (z + m)))
    assert away.cusps.size == 0


@pytest.mark.parametrize("shape", [(), (2,)])
def test_the_density_at_a_cusp_is_zero_with_a_shown_error(shape):
    # two semicircles of variance 1 about -1 and 1 touch at 0: m (1 - (z + m)^2) = z + m is m^3 = -z + ... there
    ends = np.array([-1.0, 1.0])

    def step(z, m):
        each = 1 / (ends - z[:, None] - (m.mean(axis=1) if shape else m)[:, None])
        return each if shape else each.mean(axis=1)

    law = rmt.SolvedMeasure(rmt.Equation(step, shape=shape))
    with pytest.warns(rmt.AccuracyWarning, match="extrapolated at 1 points"):
        assert law.density(0.0) == 0.0
    # beside it rho = (sqrt(3)/2) |x|^(1/3) / pi
    assert abs(law.density(1e-9) / (3**0.5 / 2 * 1e-3 / np.pi) - 1) < 1e-3


def test_an_edge_value_is_extrapolated_with_a_shown_error():
    law = rmt.SolvedMeasure(rmt.Equation(lambda z, m: -1 / (z + m)))
    m, doubt = law.boundary(np.array([2.0, 0.5], dtype=complex))
    assert doubt[1] == 0.0
    assert 0.0 < doubt[0] < 1e-4
    assert abs(m[0] + 1.0) <= 10 * doubt[0]


def test_a_search_reaches_from_its_neighbours_what_a_solve_finds_from_scratch():
    """Every layer is continued from the one above; 1e-12 is the tolerance of a solve."""
    law = rmt.SampleCovariance(rmt.Discrete(T, H), ratio=0.5).law()
    equation = rmt.Equation(covariance)
    calls = []

    def counted(z):
        calls.append(z.size)
        return rmt.solve(equation, z).m

    explorer = _Explorer(equation, counted)
    for height in (30.0, 1.0, 0.1, 1e-3, 1e-6):
        z = np.linspace(-1.0, 20.0, 43) + 1j * height
        assert np.abs(explorer(z) - law.stieltjes(z)).max() < 1e-12
        assert explorer(z) is explorer(z.copy())  # remembered
    assert not calls  # nothing had to be given up
