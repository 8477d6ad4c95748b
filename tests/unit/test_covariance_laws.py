"""Sample covariance, compound free Poisson and deformed Wigner laws: special cases, certificates, refusals."""

import subprocess
import sys

import numpy as np
import pytest

import rmtsolve as rmt
from rmtsolve.equations.pole_sums import transform_zeros

H = rmt.Discrete([1, 3, 10], [0.5, 0.3, 0.2])


def test_the_first_block_of_the_readme():
    law = rmt.SampleCovariance(H, ratio=0.5).law()
    assert law.edges.shape == (4,)
    assert not law.edges.flags.writeable
    assert law.density(offset=1e-9, edge=0) == pytest.approx(3.5933790158983541 * np.sqrt(1e-9), rel=1e-7)
    assert law.moment(1) == pytest.approx(H.moment(1), rel=1e-15)
    assert law.moment(2) == pytest.approx(H.moment(2) + 0.5 * H.moment(1) ** 2, rel=1e-15)
    assert law.expect(lambda x: 1 / x) == pytest.approx(H.expect(lambda t: 1 / t) / 0.5, rel=1e-12)
    assert law.atoms.locations.size == 0
    assert "bulks [0.122437, 5.3516] mass 0.8" in repr(law)
    draws = law.rvs((3, 4), np.random.default_rng(0))
    assert draws.shape == (3, 4)
    assert law.series().density(2.0) == pytest.approx(law.density(2.0), rel=1e-11)
    image = law.scaled(2.0).shifted(-1.0)
    assert image.density(3.0) == pytest.approx(law.density(2.0) / 2, rel=1e-13)


@pytest.mark.parametrize("ratio", [0.2, 1.0, 3.0])
def test_masses_at_zero(ratio):
    """S, its companion and H have three different masses at zero."""
    model = rmt.SampleCovariance(rmt.Discrete([0, 1, 5], [0.25, 0.25, 0.5]), ratio)
    of_s = max(0.25, 1 - 1 / ratio)
    of_companion = max(0.0, 1 - ratio * 0.75)
    assert model.law().atoms.weights == pytest.approx([of_s])
    assert model.companion().atoms.weights == pytest.approx([of_companion] if of_companion else [])


def test_hard_edges():
    for population, ratio in ((H, 1.0), (rmt.Discrete([0, 1, 4], [0.5, 0.25, 0.25]), 2.0)):
        law = rmt.SampleCovariance(population, ratio).law()
        assert law.edges[0] == 0.0
        assert law.edge_exponents[0] == -0.5
        x = np.array([1e-20, 1e-12])
        assert law.density(offset=x, edge=0) * np.sqrt(x) == pytest.approx([law.edge_coefficients[0]] * 2, rel=1e-5)
        with pytest.raises(rmt.DomainError, match="z must be"):
            law.stieltjes(0.0, boundary=True)
    soft = rmt.SampleCovariance(H, 1 - 1e-12).law()
    assert 0 < soft.edges[0] < 1e-23
    assert soft.edge_exponents[0] == 0.5


def test_a_narrow_gap():
    """Relative width 1e-8: both edges are right, and so is the density next to them."""
    law = rmt.SampleCovariance([1, 4], 0.4127650913690617 * (1 - 5e-6)).law()
    gap = law.edges[2] - law.edges[1]
    assert 1e-9 < gap < 1e-7
    middle = 0.5 * (law.edges[1] + law.edges[2])
    assert law.density(middle) == 0.0
    assert law.cdf(middle) == pytest.approx(0.5, abs=1e-14)
    for edge, side in ((1, -1), (2, 1)):
        x = side * gap * np.array([1e-6, 1e-5])
        limit = law.edge_coefficients[edge] * np.sqrt(np.abs(x))
        assert law.density(offset=x, edge=edge) == pytest.approx(limit, rel=1e-4)


@pytest.mark.parametrize("n", [1, 30, 1000])
@pytest.mark.parametrize("ratio", [1e-3, 1.0, 1e3])
def test_many_atoms_and_extreme_ratios(n, ratio):
    atoms = np.logspace(0, 6, n)  # condition number 1e6
    law = rmt.SampleCovariance(atoms, ratio).law()
    assert law.masses.sum() + law.atoms.weights.sum() == pytest.approx(1.0, abs=1e-13)
    q = np.linspace(0.01, 0.99, 7)
    x = law.quantile(q)
    inside = ~np.isin(x, law.atoms.locations)
    assert law.cdf(x[inside]) == pytest.approx(q[inside], abs=1e-11)
    solution = rmt.solve(law.equation, x + 1e-3j * np.abs(x + 1.0))
    assert solution.ok
    assert (solution.residual < 1e-11).all()
    assert np.all(solution.error_bound < 1e-9 * np.abs(solution.m))


def test_every_point_of_a_solution_is_certified():
    equation = rmt.SampleCovariance(H, 0.5).equation()
    z = np.array([[-1.0, 0.1, 1.0], [5.5, 7 + 1e-9j, 40 - 2j]])
    solution = rmt.solve(equation, z)
    assert solution.ok
    assert solution.m.shape == solution.status.shape == solution.error_bound.shape == z.shape
    assert (solution.error_bound < 1e-12).all()
    assert solution.m[1, 2].imag < 0
    text = solution.explain()
    assert "6 of 6 converged" in text
    assert solution.certificate() is not None
    edge = rmt.solve(equation, rmt.SampleCovariance([1.0], 1.0).law().edges[:1] + 0.0, throw=False)
    assert edge.m.shape == (1,)


def test_singular_points_are_told():
    law = rmt.SampleCovariance(H, 1.0).law()
    solution = rmt.solve(law.equation, [0.0, 1.0], throw=False)
    assert solution.status.tolist() == [rmt.Status.SINGULAR, rmt.Status.CONVERGED]
    with pytest.raises(rmt.ConvergenceError, match="1 of 2 points"):
        rmt.solve(law.equation, [0.0, 1.0])


def test_degenerate_populations():
    zero = rmt.SampleCovariance([0.0], 0.5).law()
    assert zero.edges.size == 0
    assert zero.atoms.weights.tolist() == [1.0]
    assert zero.stieltjes(2j) == pytest.approx(0.5j)
    assert (zero.cdf([-1.0, 0.0]) == [0, 1]).all()
    assert zero.quantile(0.3) == 0.0
    with pytest.raises(rmt.DomainError, match="floating-point range"):
        rmt.SampleCovariance([1e-300, 1.0], 1e-3).law()
    with pytest.raises(rmt.DomainError, match="wider than the rounding"):
        rmt.SampleCovariance(rmt.Discrete([1, 2], [1 - 1e-40, 1e-40]), 0.5).law()


@pytest.mark.parametrize("kind", [rmt.SampleCovariance, rmt.CompoundFreePoisson, rmt.DeformedWigner])
def test_continuous_populations(kind):
    """A continuous population and its closed form give the same law; no spurious bulks at small ratios."""
    uniform, panels = rmt.Uniform(1, 3), rmt.Continuous(lambda x: np.full(x.shape, 0.5), (1, 3))
    for scale in (0.002, 0.5):
        one, two = kind(uniform, scale).law(), kind(panels, scale).law()
        assert one.edges.size == 2
        assert two.edges == pytest.approx(one.edges, rel=1e-12)
        x = one.edges[0] + (one.edges[1] - one.edges[0]) * np.array([1e-6, 0.2, 0.9])
        assert two.density(x) == pytest.approx(one.density(x), rel=1e-7)
        assert two.cdf(x[1:]) == pytest.approx(one.cdf(x[1:]), abs=1e-11)
    many = rmt.Discrete(1 + 2 * (np.arange(2000) + 0.5) / 2000)
    x = one.edges[0] + (one.edges[1] - one.edges[0]) * np.array([0.2, 0.5, 0.8])
    assert kind(many, 0.5).law().density(x) == pytest.approx(one.density(x), rel=1e-5)  # midpoint rule: 1e-7 or so


def test_a_semicircle_deformed_is_wider():
    law = rmt.DeformedWigner(rmt.Semicircle(1.0), 3.0).law()
    exact = rmt.Semicircle(4.0)
    x = np.array([-3.9, -1.0, 0.5, 3.0])
    assert law.edges == pytest.approx(exact.edges, rel=1e-12)
    assert law.density(x) == pytest.approx(exact.density(x), rel=1e-11)
    assert law.cdf(x) == pytest.approx(exact.cdf(x), abs=1e-11)


def test_extreme_scales_of_continuous_populations():
    one, two = (rmt.SampleCovariance(rmt.Uniform(s, 3 * s), 0.5).law() for s in (1.0, 1e80))
    assert two.edges / 1e80 == pytest.approx(one.edges, rel=1e-12)
    assert two.cdf(2e80) == pytest.approx(one.cdf(2.0), abs=1e-12)


def test_zeros_of_a_transform():
    zeros, residues = transform_zeros(np.array([-1.0, 1.0]), np.array([0.5, 0.5]))
    assert zeros == pytest.approx([0.0], abs=1e-15)
    assert residues == pytest.approx([1.0])
    at, mass = np.array([0.0, 1.0, 2.5]), np.array([1e-9, 0.5, 0.5 - 1e-9])
    zeros, _ = transform_zeros(at, mass)
    assert (mass / (at - zeros[:, None])).sum(axis=1) == pytest.approx([0, 0], abs=1e-6)
    assert zeros[0] == pytest.approx(1e-9 / 0.7, rel=1e-6)  # next to the light atom, as a relative distance


# ---------------------------------------------------------------------- statistics
def test_linear_statistics_of_white_matrices():
    """log det: mean shift log(1 - c)/2, variance -2 log(1 - c); trace: variance 2 c (all for real matrices)."""
    law = rmt.SampleCovariance([1.0], 0.3).law()
    result = rmt.linear_statistics(law, [np.log, lambda x: x, lambda x: x**2])
    assert result.shifts == pytest.approx([np.log(0.7) / 2, 0.0, 0.3], abs=1e-11)
    assert result.covariance[0, 0] == pytest.approx(-2 * np.log(0.7), rel=1e-10)
    assert result.covariance[1, 1] == pytest.approx(0.6, rel=1e-11)
    assert result.covariance[0, 1] == pytest.approx(0.6, rel=1e-10)
    assert result.means[1:] == pytest.approx([1.0, 1.3], rel=1e-12)
    assert result.error < 1e-10
    half = rmt.linear_statistics(law, np.log, beta=2)
    assert half.shifts == pytest.approx([0.0], abs=1e-12)
    assert half.covariance[0, 0] == pytest.approx(-np.log(0.7), rel=1e-10)


def test_linear_statistics_of_wigner_matrices():
    """Tr W and Tr W^2 of the GOE with variance v: variances 2 v and 4 v^2, shift of the second v."""
    law = rmt.DeformedWigner([0.0], 0.7).law()
    result = rmt.linear_statistics(law, [lambda x: x, lambda x: x**2], singularities=[])
    assert np.diag(result.covariance) == pytest.approx([2 * 0.7, 4 * 0.49], rel=1e-11)
    assert result.shifts == pytest.approx([0.0, 0.7], abs=1e-11)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((rmt.MarchenkoPastur(0.5), np.log), "law must be"),
        ((rmt.SampleCovariance(H, 0.5).law(), 3), "functions"),
        ((rmt.SampleCovariance(H, 0.5).law(), [np.log, "log"]), "functions must be callable"),
        ((rmt.SampleCovariance(H, 0.5).law(), lambda x: 1 / (x - 7.0)), "f.x. must be finite on the support"),
        ((rmt.SampleCovariance(H, 0.5).law(), np.abs), "functions must be analytic"),
        ((rmt.SampleCovariance(H, 2.0).law(), np.log), "functions must be finite at the atoms"),
    ],
)
def test_linear_statistics_refuse(arguments, message):
    with pytest.raises(rmt.DomainError, match=message):
        rmt.linear_statistics(*arguments)
    with pytest.raises(rmt.DomainError, match="beta must be"):
        rmt.linear_statistics(rmt.SampleCovariance(H, 0.5).law(), np.log, beta=3)


# ---------------------------------------------------------------------- refusals
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rmt.SampleCovariance([1, -1], 0.5), r"population must be a law on \[0, inf\).*got -1.0"),
        (lambda: rmt.SampleCovariance(H, 0), "ratio must be .*> 0, got 0; it is p/n"),
        (lambda: rmt.SampleCovariance(H, -0.5), "ratio must be .*got -0.5"),
        (lambda: rmt.SampleCovariance(H, np.nan), "ratio must be"),
        (lambda: rmt.SampleCovariance([], 0.5), "population must be non-empty"),
        (lambda: rmt.SampleCovariance([1, np.inf], 0.5), "population must be finite"),
        (lambda: rmt.SampleCovariance([1 + 1j], 0.5), "population must be real"),
        (lambda: rmt.SampleCovariance(rmt.Continuous(lambda x: 1 / x**2, (1, np.inf)), 0.5), "bounded support"),
        (lambda: rmt.CompoundFreePoisson([1.0], 0.0), "rate must be"),
        (lambda: rmt.DeformedWigner([1.0], -1.0), "variance must be"),
        (lambda: rmt.Wigner(0.0), "variance must be"),
        (lambda: rmt.SampleCovariance(H, 0.5).law().stieltjes(1.0), "z must be off the support.*boundary=True"),
        (lambda: rmt.SampleCovariance(H, 2.0).law().stieltjes(0.0), "z must be away from the atoms"),
        (lambda: rmt.SampleCovariance(H, 0.5).sample(10**6, np.random.default_rng(0)), "size must be small enough"),
        (lambda: rmt.SampleCovariance(H, 1e-300).sample(2, np.random.default_rng(0)), "size must be such that"),
        (lambda: rmt.SampleCovariance(H, 0.5).sample(0, np.random.default_rng(0)), "size must be an integer >= 1"),
        (lambda: rmt.SampleCovariance(H, 0.5).sample(3, 0), "rng must be a numpy.random.Generator"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(rmt.DomainError, match=message):
        call()


def test_samples_have_the_stated_shape_and_counts():
    rng = np.random.default_rng(3)
    model = rmt.SampleCovariance(H, 0.5)
    assert model.samples(11) == 22
    assert model.sample_data(11, rng).shape == (22, 11)
    finite = model.finite(11)
    assert finite.ratio == 0.5
    assert finite.population.weights * 11 == pytest.approx([6, 3, 2])
    matrix = rmt.CompoundFreePoisson([-1, 2], 1.5).sample(7, rng)
    assert np.allclose(matrix, matrix.T)
    assert rmt.DeformedWigner(rmt.Uniform(-1, 1), 0.1).finite(4).population.locations.size == 4


def test_first_density_without_heavy_imports():
    """The way to the first density imports neither SymPy nor matplotlib nor scipy.stats."""
    code = (
        "import sys, rmtsolve as rmt\n"
        "rmt.SampleCovariance(rmt.Discrete([1, 3], [.5, .5]), ratio=.5).law().density(1.0)\n"
        "assert not {'sympy', 'matplotlib', 'scipy.stats', 'joblib', 'mpmath'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("population", [rmt.Discrete([1, 3]), rmt.Uniform(1, 3), rmt.MarchenkoPastur(0.5)])
def test_zero_is_off_the_support_of_a_small_ratio(population):
    """``m(0) = E 1/x = E_H (1/t) / (1 - c)`` for c < 1; an atom at 0 is refused with the reason."""
    law = rmt.SampleCovariance(population, 0.3).law()
    inverse = population.expect(lambda t: 1 / t)
    for boundary in (False, True):
        assert law.stieltjes(0.0, boundary=boundary) == pytest.approx(inverse / 0.7, rel=1e-13)
    assert rmt.solve(law.equation, 0.0).m == pytest.approx(inverse / 0.7, rel=1e-13)
    around = law.stieltjes([1e-5j, -1e-5j])
    slope = law._stieltjes_derivative(np.zeros(1, dtype=complex))[0]
    assert slope == pytest.approx((around[0] - around[1]) / 2e-5j, rel=1e-6)
    wide = rmt.SampleCovariance(population, 3.0).law()
    for boundary in (False, True):
        with pytest.raises(rmt.DomainError, match=r"away from the atoms .* pole"):
            wide.stieltjes(0.0, boundary=boundary)


def test_zero_as_an_edge():
    """m is infinite at a hard edge and where a density starts with a jump, and real where it grows from 0."""
    for population, ratio in ((rmt.Discrete([1, 3]), 1.0), (rmt.Uniform(0, 2), 0.3)):
        with pytest.raises(rmt.DomainError, match="transform is finite"):
            rmt.SampleCovariance(population, ratio).law().stieltjes(0.0, boundary=True)
    law = rmt.SampleCovariance(rmt.Continuous(lambda t: 2 * t, (0, 1)), 0.3).law()
    value = law.stieltjes(0.0, boundary=True)
    assert value.imag == 0.0
    assert value.real == pytest.approx(2 / 0.7, rel=1e-13)


def test_zero_in_high_precision():
    law = rmt.SampleCovariance([1, 3], 0.3).law()
    assert rmt.solve(law.equation, 0.0, rmt.HighPrecision()).m == pytest.approx(2 / 3 / 0.7, rel=1e-15)
