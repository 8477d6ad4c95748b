"""solve: what it takes, what it refuses, what it says."""

import numpy as np
import pytest

import rmtsolve as rmt
from rmtsolve import Status


def semicircle_step(z, m):
    return -1 / (z + m)


def exact(z):
    z = np.asarray(z, dtype=complex)
    return 0.5 * (-z + np.sqrt(z - 2) * np.sqrt(z + 2))


@pytest.fixture(scope="module")
def semicircle():
    return rmt.Equation(semicircle_step, name="semicircle")


METHODS = [
    rmt.Auto(),
    rmt.FixedPoint(damping=0.5),
    rmt.Anderson(window=3),
    rmt.Newton(),
    rmt.Continuation(),
    rmt.Continuation(along=True),
    rmt.HighPrecision(digits=20),
]


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_every_method_gives_the_semicircle_above_on_and_off_the_axis(semicircle, method):
    z = np.array([0.3 + 0.5j, -1.7 + 1e-2j, 0.5 + 0j, 3.0 + 0j, -2.5 + 0j, 1.0 + 2.0j])
    sol = rmt.solve(semicircle, z, method)
    assert sol.ok
    assert np.abs(sol.m - exact(z)).max() < 1e-10
    assert np.array_equal(sol.m.imag[3:5], [0.0, 0.0])  # real off the support, exactly
    assert (sol.error_bound < 1e-9).all()


def test_the_house_example_runs_as_written():
    sol = rmt.solve(rmt.Equation(lambda z, m: -1 / (z + m)), z=np.linspace(-3, 3, 200) + 1e-3j)
    assert sol.ok
    assert np.abs(sol.m - exact(sol.z)).max() < 1e-13
    assert sol.certificate().ok
    words = sol.explain()
    assert "guarded Newton" in words
    assert "upper half-plane into itself" in words
    assert "Error bound on m" in words


def test_shapes_orders_and_empty_input(semicircle):
    z = (np.linspace(-3, 3, 12) + 0.01j).reshape(3, 4)
    m = rmt.solve(semicircle, z).m
    assert m.shape == (3, 4)
    shuffled = np.random.default_rng(3).permutation(12)
    assert np.array_equal(rmt.solve(semicircle, z.ravel()[shuffled]).m, m.ravel()[shuffled])
    assert rmt.solve(semicircle, 1j).m.shape == ()
    empty = rmt.solve(semicircle, [])
    assert empty.m.shape == (0,)
    assert empty.ok
    assert "no points" in empty.explain()
    assert str(empty.certificate()) == "certificate of no points"


def test_lower_half_plane_is_the_conjugate(semicircle):
    z = np.array([0.5 + 0.1j, 0.5 - 0.1j])
    above, below = rmt.solve(semicircle, z).m
    assert below == above.conjugate()
    matrix = rmt.Equation(
        lambda z, m: -np.linalg.inv(z[:, None, None] * np.eye(2) + [[0, 1j], [-1j, 0]] + m), shape=(2, 2)
    )
    up, down = rmt.solve(matrix, z).state
    assert np.allclose(down, up.conj().T, rtol=0, atol=1e-14)


def test_results_are_read_only_and_clean(semicircle):
    sol = rmt.solve(semicircle, 1j)
    assert repr(sol.m) == "array(0.+0.61803399j)"
    for array in (sol.m, sol.state, sol.status, sol.residual):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_a_start_on_the_wrong_branch_does_not_mislead(semicircle):
    z = np.array([0.4 + 0.05j, 2.7 + 0j])
    wrong = np.array([-(z[0] + exact(z[0])), -2.2 + 0j])
    sol = rmt.solve(semicircle, z, start=wrong)
    assert np.abs(sol.m - exact(z)).max() < 1e-12
    newton = rmt.solve(semicircle, z, rmt.Newton(), start=wrong, throw=False)
    good = newton.status == Status.CONVERGED
    assert np.allclose(newton.m[good], exact(z)[good], rtol=0, atol=1e-10)
    assert not good[1]  # started beside the spurious real root: found, and refused
    assert newton.status[1] == Status.WRONG_BRANCH


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda e: rmt.solve("semicircle", 1j), "equation must be an Equation"),
        (lambda e: rmt.solve(e, 1j, "newton"), "method must be a method object"),
        (lambda e: rmt.solve(e, np.nan), "z must be finite"),
        (lambda e: rmt.solve(e, "x"), "z must be an array of numbers"),
        (lambda e: rmt.solve(e, 1j, throw=1), "throw must be True or False"),
        (lambda e: rmt.solve(e, [1j, 2j], start=[1, 2, 3]), "start must be broadcastable"),
        (lambda e: rmt.Newton(tol=0), "tol must be"),
        (lambda e: rmt.Auto(tol=1), "tol must be"),
        (lambda e: rmt.FixedPoint(damping=0), "damping must be"),
        (lambda e: rmt.Anderson(window=0), "window must be"),
        (lambda e: rmt.Continuation(ratio=1), "ratio must be"),
        (lambda e: rmt.Continuation(along=1), "along must be True or False"),
        (lambda e: rmt.HighPrecision(digits=5), "digits must be"),
        (lambda e: rmt.Newton(max_steps=0), "max_steps must be"),
        (lambda e: rmt.Equation("x"), "step must be a function"),
        (lambda e: rmt.Equation(semicircle_step, shape=3), "shape must be"),
        (lambda e: rmt.Equation(semicircle_step, shape=(2, 3)), "shape must be"),
        (lambda e: rmt.Equation(semicircle_step, name=1), "name must be a string"),
        (lambda e: rmt.Equation(semicircle_step, jacobian=1), "jacobian must be a function"),
    ],
)
def test_bad_arguments_are_refused_in_words(semicircle, call, words):
    with pytest.raises(rmt.DomainError, match=words):
        call(semicircle)


def test_failures_carry_the_partial_answer(semicircle):
    z = np.linspace(-1, 1, 5) + 1e-8j
    method = rmt.FixedPoint(max_steps=20)
    with pytest.raises(rmt.ConvergenceError, match="5 of 5 points of semicircle failed, first at z=") as caught:
        rmt.solve(semicircle, z, method)
    assert caught.value.solution.m.shape == (5,)
    partial = rmt.solve(semicircle, z, method, throw=False)
    assert not partial.ok
    assert (partial.status == Status.MAX_STEPS).all()
    assert "raise max_steps" in partial.explain()
    assert "0 of 5 points converged" in repr(partial)


def gap_map(z, m):
    """A + W / sqrt(5), A with atoms 0.3 at 1 and 0.7 at -1: m(0.4) = 0 in a gap, since 0.3 / 0.6 = 0.7 / 1.4."""
    return 0.3 / (1 - z - 0.2 * m) + 0.7 / (-1 - z - 0.2 * m)


def gap_trace(z, state):
    return gap_map(z, np.trace(state, axis1=1, axis2=2) / 2)[:, None, None] * np.eye(2)


GAP = {
    "scalar": rmt.Equation(gap_map),
    "compiled": rmt.Equation(rmt.step(gap_map)),
    "vector": rmt.Equation(lambda z, m: np.stack([gap_map(z, m.mean(axis=1))] * 2, axis=1), shape=(2,)),
    "matrix": rmt.Equation(gap_trace, shape=(2, 2)),
    "by symmetry": rmt.Equation(lambda z, m: 0.5 / (1 - z - 0.64 * m) + 0.5 / (-1 - z - 0.64 * m)),
    "small and far": rmt.Equation(lambda z, m: 1e6 * gap_map(1e6 * (z - 3), 1e-6 * m)),
    "wide": rmt.Equation(lambda z, m: 1e-6 * gap_map(1e-6 * z, 1e6 * m)),
}
PLACE = {"small and far": (3.0, 1e-6), "wide": (0.0, 1e6)}
GAP_LAW = rmt.DeformedWigner(rmt.Discrete([-1, 1], [0.7, 0.3]), 0.2).law()


@pytest.mark.parametrize("method", [m for m in METHODS if not isinstance(m, rmt.HighPrecision)], ids=repr)
@pytest.mark.parametrize("name", GAP)
def test_where_m_vanishes_in_a_gap_its_terms_set_the_scale(name, method):
    centre, width = PLACE.get(name, (0.0, 1.0))
    law = rmt.DeformedWigner([-1.0, 1.0], 0.64).law() if name == "by symmetry" else GAP_LAW
    zero = 0.0 if name == "by symmetry" else 0.4
    z = zero + np.array([0.0, 1e-13j, 1e-9j, 1e-6j, 0.01 + 1e-8j, 0.05, 0.5 + 0.1j])
    moved = z * width + centre
    sol = rmt.solve(GAP[name], moved, method)
    error = np.abs(width * sol.m - law.stieltjes((moved - centre) / width, boundary=True))
    slack = 1e-15 + 2e-16 * abs(centre) / width  # z itself was rounded
    assert (error <= width * sol.error_bound + 4.0 * slack).all()
    assert (width * sol.error_bound < 1e-9 + 1e3 * slack).all()
    assert sol.m[0].imag == 0.0
    assert sol.certificate().ok
    assert rmt.certify(GAP[name], moved, sol.m).ok


def test_where_m_vanishes_wrong_numbers_are_refused():
    equation = GAP["by symmetry"]
    spurious = np.sqrt(1 - 0.64) / 0.64  # the other real roots at 0 are +-0.9375
    for z, m in ((0.0, spurious), (0.0, -spurious), (0.0, 0.3), (1e-3j, -2.8e-3j)):
        assert not rmt.certify(equation, [z], [m]).ok
    assert rmt.solve(equation, 0.0, rmt.Newton(), start=spurious, throw=False).status == Status.WRONG_BRANCH
    assert rmt.certify(equation, [0.0], [1e-9]).error_bound[0] == pytest.approx(1e-9, rel=1e-6)


def test_an_edge_is_not_reported_as_solved(semicircle):
    sol = rmt.solve(semicircle, [2.0, 0.0], throw=False)
    assert sol.status[0] != Status.CONVERGED
    assert sol.status[1] == Status.CONVERGED
    assert abs(sol.m[0] + 1.0) < 1e-5


def test_atoms_are_solved_beside_and_refused_at_the_pole():
    c = 3.0
    law = rmt.SampleCovariance([1.0], c).law()
    user = rmt.Equation(lambda z, m: 1 / (1 - c - c * z * m - z))
    near = np.array([1e-4j, 1e-3j, 1e-3 + 1e-3j])
    m = rmt.solve(user, near).m
    assert np.allclose(m, law.stieltjes(near), rtol=1e-9, atol=0)
    pole = rmt.solve(user, 0.0, throw=False)
    assert pole.status != Status.CONVERGED


KNOWN = [
    rmt.SpikedSum(rmt.Semicircle(), spikes=[2.0]),
    rmt.SpikedSum(rmt.Uniform(-1, 1), spikes=[2.0]),
    rmt.SpikedProduct(rmt.MarchenkoPastur(0.5), spikes=[4.0]),
]


@pytest.mark.parametrize("model", KNOWN, ids=repr)
def test_the_trivial_equation_of_a_known_law_has_its_boundary_values(model):
    z = np.array([0.5, 0.7, 17.0, -3.0, 0.6 + 1e-9j, 0.6 - 0.1j, 1j])
    equation, law = model.equation(), model.law()
    m = rmt.solve(equation, z).m
    assert np.abs(m - law.stieltjes(z, boundary=True)).max() < 1e-13
    assert np.array_equal(equation.find_edges(), law.edges)
    assert np.array_equal(equation.find_atoms().locations, law.atoms.locations)


def test_the_trivial_equation_at_an_atom():
    sol = rmt.solve(rmt.SpikedSum(rmt.Discrete([0.0, 1.0]), spikes=[2.0]).equation(), [1.0, 0.5], throw=False)
    assert sol.status[0] != Status.CONVERGED
    assert sol.status[1] == Status.CONVERGED


def test_inside_a_domain_one_prediction_of_the_path_is_enough(semicircle):
    from rmtsolve.equations.domains import Domain
    from rmtsolve.equations.paths import follow
    from rmtsolve.equations.probe import gauged

    goal = np.linspace(-1.9, 1.9, 20) + 0j
    top = goal + 60j
    runs = [
        follow(
            gauged(semicircle), domain, top, exact(top)[:, None], goal, floor=1e-9, ratio=0.25, tol=1e-12, max_steps=200
        )
        for domain in (Domain.HALF_PLANE, Domain.NONE)
    ]
    for run in runs:
        assert (run.status == Status.CONVERGED).all()
        assert np.abs(run.state[:, 0] - exact(goal + 1e-300j)).max() < 1e-12
    assert runs[0].n_steps.sum() < 0.8 * runs[1].n_steps.sum()


def test_states_at_the_boundary_of_a_domain_are_not_well_inside():
    from rmtsolve.equations.domains import Domain, well_inside

    heights = np.array([1e-8, 1e-10, -1e-8])
    z, size = np.full(3, 1 + 1j), np.ones(3)
    half = np.stack([np.full(3, 1j), 1 + 1j * heights], axis=1)
    left = -1 / z[:, None] * (1 - 1j * heights[:, None])  # w in the upper half-plane, z w nearly real
    matrices = np.array([[[1j, 1], [1, 1j * h]] for h in heights]).reshape(3, 4)
    inside = [True, False, False]
    assert well_inside(Domain.HALF_PLANE, z, half, size).tolist() == inside
    assert well_inside(Domain.SECTOR, z, half, size).tolist() == inside
    assert well_inside(Domain.SECTOR, z, left, size).tolist() == inside
    assert not well_inside(Domain.SECTOR, 0 * z, half, size).any()  # z w has no imaginary part
    assert well_inside(Domain.MATRIX, z, matrices, size).tolist() == inside


def test_wild_matrices_do_not_break_the_linear_algebra():
    from rmtsolve.equations import stacks

    stack = np.array([np.eye(2), np.zeros((2, 2)), np.full((2, 2), np.nan)], dtype=complex)
    assert np.array_equal(np.isnan(stacks.invert_each(stack)).all(axis=(1, 2)), [False, True, True])
    right = np.ones((3, 2), dtype=complex)
    solved = stacks.solve_each(stack, right)
    assert np.array_equal(solved[0], [1, 1])
    assert np.isnan(solved[1:]).all()
    assert np.array_equal(np.isnan(stacks.spectral_radius(stack)), [False, False, True])
    assert stacks.singular_values_each(stack)[0, 0] == 1.0
    values, vectors = stacks.eigensystem_each(stack)
    assert np.array_equal(values[0], [1, 1])
    assert vectors.shape == (3, 2, 2)
    assert stacks.invert_each(stack[:0]).shape == (0, 2, 2)
    assert stacks.pseudo_inverse_each(np.ones((2, 3, 1), dtype=complex), 1e-10).shape == (2, 1, 3)


def test_edges_and_atoms_of_a_solved_law_are_checked(semicircle):
    law = rmt.SolvedMeasure(semicircle, edges=[-2, 2], atoms=([], []))
    assert law.density(0.5) == pytest.approx((4 - 0.25) ** 0.5 / (2 * np.pi), rel=1e-12)
    for edges in ("x", [3, -3], [-2.0], [-2, np.nan], [[-2, 2]], [1j, 2], [0, 0]):
        with pytest.raises(rmt.DomainError, match="edges must be"):
            rmt.SolvedMeasure(semicircle, edges=edges)
    for atoms in ("x", [1], ([0.0], [0.5, 0.5]), ([1.0, 0.0], [0.5, 0.5]), ([0.0], [-0.5])):
        with pytest.raises(rmt.DomainError, match="atoms must be"):
            rmt.SolvedMeasure(semicircle, edges=[-2, 2], atoms=atoms)
