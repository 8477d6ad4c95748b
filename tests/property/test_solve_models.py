"""Random models: the generic path finds the physical branch, or says that it does not; never a wrong one in silence."""

import numpy as np
from hypothesis import assume, example, given
from hypothesis import strategies as st
from profiles import quick

import rmtsolve as rmt
from rmtsolve import Status
from rmtsolve.testing import pencils, populations, ratios

HEIGHTS = np.array([0.0, 1e-5, 1e-2, 1.0])
FEW = quick(16)
REAL = st.lists(st.floats(-2.5, 2.5).map(lambda x: round(x, 6)), min_size=2, max_size=4)


def points(centre, scale, x):
    return (centre + scale * np.array(x)[:, None] + 1j * scale * HEIGHTS).ravel()


def agree(equation, law, z):
    """The plain map against the family's own solver; every point but edges and atoms is solved."""
    sol = rmt.solve(equation, z, throw=False)
    good = sol.status == Status.CONVERGED
    scale = (law.edges[-1] - law.edges[0]) / 2 if law.edges.size else 1.0
    singular = np.concatenate([law.edges, law.atoms.locations])
    far = np.abs(z[:, None] - singular).min(axis=1, initial=np.inf) > 1e-6 * scale
    assert good[far].all(), sol.explain()
    pole = np.isin(z, law.atoms.locations)
    good &= ~pole
    truth = law.stieltjes(z[good], boundary=True)
    # the bound speaks of this equation, whose parameters the other solver rounds as well; where m vanishes in a gap,
    # what is left of its terms, whose mean modulus is above 1/(4 scale), is a few of their roundings
    allowed = np.nan_to_num(sol.error_bound[good]) + 1e-10 * np.abs(truth) + 1e-15 / scale
    assert (np.abs(sol.m[good] - truth) <= allowed).all(), sol.explain()


@FEW
@example(population=rmt.Discrete([0, 0.5], [0.5, 0.5]), ratio=4.5, x=list(np.linspace(-2.5, 2.5, 21)))
@given(population=populations(zero=True), ratio=ratios(), x=REAL)
def test_covariance_in_a_form_without_a_self_map(population, ratio, x):
    t, h = population.locations, population.weights
    equation = rmt.Equation(lambda z, m: (h / (t * (1 - ratio - ratio * z * m)[:, None] - z[:, None])).sum(axis=1))
    law = rmt.SampleCovariance(population, ratio).law()
    half = np.ptp(law.edges) / 2
    agree(equation, law, points(np.mean(law.edges), half, x))
    # beside the atom at zero another root of this form comes near; at zero itself the companion of the law has a pole
    near = points(0.0, 0.05 * half, x)
    agree(equation, law, near[near != 0.0])


@FEW
@example(population=rmt.Discrete([-1, 1], [0.5, 0.5]), variance=0.64, x=[0.0, 1e-6])  # m(0) = 0, in a gap
@given(population=populations(low=-3.0, high=3.0), variance=st.floats(0.01, 5.0), x=REAL)
def test_deformed_wigner(population, variance, x):
    t, h = population.locations, population.weights
    equation = rmt.Equation(lambda z, m: (h / (t - (z + variance * m)[:, None])).sum(axis=1))
    law = rmt.DeformedWigner(population, variance).law()
    agree(equation, law, points(np.mean(law.edges), np.ptp(law.edges) / 2, x))


@FEW
@given(jumps=populations(low=-3.0, high=3.0), rate=st.floats(0.1, 5.0), x=REAL)
def test_compound_free_poisson(jumps, rate, x):
    t, h = jumps.locations, jumps.weights
    assume(np.abs(t).max() > 1e-3)
    equation = rmt.Equation(lambda z, m: -1 / (z - rate * (h * t / (1 + t * m[:, None])).sum(axis=1)))
    law = rmt.CompoundFreePoisson(jumps, rate).law()
    if law.edges.size:
        agree(equation, law, points(np.mean(law.edges), np.ptp(law.edges) / 2, x))


@FEW
@given(data=st.data(), size=st.integers(2, 5), x=REAL)
def test_vector_dyson_equations(data, size, x):
    entries = st.lists(st.floats(0.0, 2.0), min_size=size * size, max_size=size * size)
    raw = np.array(data.draw(entries)).reshape(size, size)
    coupling = (raw + raw.T) / (2 * size) + 0.05 / size
    shift = np.array(data.draw(st.lists(st.floats(-2, 2), min_size=size, max_size=size)))
    equation = rmt.Equation(lambda z, m: -1 / (z[:, None] - shift + m @ coupling), shape=(size,))
    z = points(float(shift.mean()), 2.0, x)
    sol = rmt.solve(equation, z, throw=False)
    good = sol.status == Status.CONVERGED
    assert good[z.imag > 0].all(), sol.explain()
    # above the axis the map has one fixed point with positive imaginary parts (Earle and Hamilton)
    above = good & (z.imag > 0)
    image = equation.step(z[above], sol.state[above])
    assert (sol.state[above].imag > 0).all()
    assert np.abs(image - sol.state[above]).max(initial=0.0) < 1e-10 * max(1.0, np.abs(image).max(initial=0.0))
    continuous(z, sol, good)


@FEW
@given(pencil=pencils(), x=REAL)
def test_matrix_dyson_equations(pencil, x):
    constant, matrices = pencil
    k = len(constant)

    def step(z, state):
        inner = sum(a @ state @ a for a in matrices)
        return -np.linalg.inv(z[:, None, None] * np.eye(k) - constant + inner)

    equation = rmt.Equation(step, shape=(k, k))
    z = points(float(np.trace(constant).real) / k, 2.0, x)
    sol = rmt.solve(equation, z, throw=False)
    good = sol.status == Status.CONVERGED
    assert good[z.imag > 1e-3].all(), sol.explain()
    above = good & (z.imag > 0)
    imaginary = (sol.state[above] - sol.state[above].conj().swapaxes(-1, -2)) / 2j
    assert (np.linalg.eigvalsh(imaginary) > 0).all()
    image = equation.step(z[above], sol.state[above])
    assert np.abs(image - sol.state[above]).max(initial=0.0) < 1e-9 * max(1.0, np.abs(image).max(initial=0.0))
    continuous(z, sol, good)


def continuous(z, sol, good):
    """Boundary values are limits: at x + i0 and a little above m differs by less than the square-root law allows."""
    m, ok, heights = sol.m.reshape(-1, HEIGHTS.size), good.reshape(-1, HEIGHTS.size), z.imag.reshape(-1, HEIGHTS.size)
    both = ok[:, 0] & ok[:, 1]
    gap = np.abs(m[both, 0] - m[both, 1])
    # |m'| <= C eta^(-2/3) at a cusp, the worst regular point; atoms have |m| of order 1/eta
    size = np.abs(m[both, 1]) + 1.0
    assert (gap <= 20.0 * size**2 * heights[both, 1] ** (1 / 3)).all(), (z.reshape(ok.shape)[both, 0], m[both])
