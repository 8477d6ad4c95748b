"""Maps of users: compiled and plain ones agree; wrong ones are diagnosed in words."""

import numpy as np
import pytest

import rmtsolve as rmt

Z = np.linspace(0.05, 3.0, 40) + 1e-2j


@rmt.step
def covariance(z, m):
    return 1 / (1 - 0.5 - 0.5 * z * m - z)


@rmt.step
def pair(z, m):
    out = np.empty(2, np.complex128)
    out[0] = -1 / (z + 0.3 * m[0] + 0.8 * m[1])
    out[1] = -1 / (z + 1.2 * m[0] + 0.1 * m[1])
    return out


@rmt.step
def square(z, m):
    a, b, c, d = z + m[0, 0], 1 + m[0, 1], 1 + m[1, 0], z + m[1, 1]
    out = np.empty((2, 2), np.complex128)
    out[0, 0], out[0, 1], out[1, 0], out[1, 1] = -d, b, c, -a
    return out / (a * d - b * c)


def plain_pair(z, m):
    return -1 / (z[:, None] + m @ np.array([[0.3, 1.2], [0.8, 0.1]]))


PAIRS = {
    "scalar": (covariance, lambda z, m: 1 / (1 - 0.5 - 0.5 * z * m - z), ()),
    "vector": (pair, plain_pair, (2,)),
    "matrix": (square, lambda z, m: -np.linalg.inv(z[:, None, None] * np.eye(2) + [[0, 1], [1, 0]] + m), (2, 2)),
}


@pytest.mark.parametrize("name", PAIRS)
def test_compiled_and_plain_maps_give_the_same_answers(name):
    compiled, plain, shape = PAIRS[name]
    first, second = rmt.Equation(compiled, shape=shape), rmt.Equation(plain, shape=shape)
    for method in (rmt.Auto(), rmt.Newton(), rmt.Anderson(), rmt.FixedPoint(), rmt.Continuation()):
        a, b = rmt.solve(first, Z, method), rmt.solve(second, Z, method)
        assert np.abs(a.m - b.m).max() < (1e-9 if isinstance(method, rmt.Anderson | rmt.FixedPoint) else 1e-13)
        assert np.abs(a.m - b.m).max() <= (a.error_bound + b.error_bound).max()


def test_a_compiled_map_is_called_like_any_function():
    assert covariance(2 + 1j, 0.1j) == 1 / (0.5 - 0.5 * (2 + 1j) * 0.1j - (2 + 1j))
    state = np.array([0.1j, 0.2j])
    assert np.allclose(covariance(np.array([2 + 1j, 1j]), state), [covariance(2 + 1j, 0.1j), covariance(1j, 0.2j)])
    assert covariance.__name__ == "covariance"
    assert rmt.step(covariance) is covariance


def test_order_of_the_points_cannot_matter_for_compiled_maps():
    order = np.random.default_rng(0).permutation(Z.size)
    eq = rmt.Equation(covariance)
    assert np.array_equal(rmt.solve(eq, Z[order]).m, rmt.solve(eq, Z).m[order])


def test_a_compiled_map_also_runs_in_many_digits():
    sol = rmt.solve(rmt.Equation(covariance), 2 + 0.5j, rmt.HighPrecision(digits=30))
    m = sol.precise_m[()]
    assert abs(complex(0.5 * sol.z * m**2 - (0.5 - sol.z) * m + 1)) < 1e-15


def overwriting(z, m):
    m += 1
    return -1 / (z + m)


def overwriting_z(z, m):
    z -= 1
    return -1 / (z + m)


def raising(z, m):
    raise RuntimeError("no file")


def mixing(z, m):
    return -1 / (z + m.mean())


def noisy(z, m):
    return -1 / (z + m) * (1 + 1e-11 * NOISE.normal(size=z.shape))


def for_one_point(z, m):
    return -1 / (z + m) if z.imag > 0 else m


NOISE = np.random.default_rng(0)
THREE = 0.1 + 0.5 * np.eye(3)
CROSS = np.array([[0.0, 1.0], [1.0, 0.5]])


COUNTER = iter(range(10**9))

WRONG = {
    "wrong shape": (lambda z, m: np.stack([m, m], 1), (), "returns the shape of its state"),
    "forgot shape": (lambda z, m: -1 / (z[:, None] + m @ np.ones((2, 2))), (), "step must be"),
    "scalar": (lambda z, m: 1.0, (), "returns the shape of its state"),
    "text": (lambda z, m: np.full(z.shape, "a"), (), "step must be"),
    "objects": (lambda z, m: np.full(z.shape, None), (), "complex numbers"),
    "none": (lambda z, m: None, (), "the return is missing"),
    "single precision": (lambda z, m: (-1 / (z + m)).astype(np.complex64), (), "computed in double precision"),
    "single, cast back": (lambda z, m: (-1 / (z + m)).astype(np.complex64).astype(complex), (), "double precision"),
    "single inside": (lambda z, m: -1 / (z + m.astype(np.complex64)).astype(complex), (), "double precision"),
    "single z inside": (lambda z, m: -1 / (z.astype(np.complex64) + m), (), "rounds its values or the z"),
    "rounded": (lambda z, m: -1 / (z + np.round(m, 9)), (), "double precision"),
    "singular matrix": (lambda z, m: -np.linalg.inv(np.ones((z.size, 2, 2))), (2, 2), "Singular matrix at every point"),
    "real": (lambda z, m: (-1 / (z + m)).real, (), "holomorphic"),
    "tuple": (lambda z, m: (-1 / (z + m),), (), "returns the shape of its state"),
    "list of entries": (lambda z, m: [-1 / (z + m[:, 1]), -1 / (z + m[:, 0])], (2,), "returns the shape of its state"),
    "one point": (for_one_point, (), "decorate a one-point function"),
    "no z[:, None]": (lambda z, m: -1 / (z + m @ np.ones((2, 2))), (2,), "whole arrays"),
    "S @ m": (lambda z, m: -1 / (z[:, None] + THREE @ m), (3,), "write m @ S.T, not S @ m"),
    "noise": (noisy, (), "no random numbers"),
    "no z": (lambda z, m: -1 / (1j + m), (), "depends on z, got"),
    "residual": (lambda z, m: m + 1 / (z + m), (), "whose fixed point is the state"),
    "polynomial": (lambda z, m: m * (z + m) + 1, (), "whose fixed point is the state"),
    "first point": (lambda z, m: -1 / (z + m[0] + 0 * m), (), "every point by itself"),
    "nan": (lambda z, m: m * np.nan, (), "finite at ordinary points"),
    "raises": (raising, (), "RuntimeError: no file"),
    "arity": (lambda z: z, (), "TypeError"),
    "overwrites state": (overwriting, (), "leaves its arguments alone"),
    "overwrites z": (overwriting_z, (), "leaves its arguments alone"),
    "mixes points": (mixing, (), "every point by itself"),
    "random": (lambda z, m: -1 / (z + m) + 1e-3 * next(COUNTER), (), "a function of its arguments only"),
    "conj": (lambda z, m: -1 / (z + m.conj()), (), "holomorphic"),
    "abs": (lambda z, m: -1 / (z + abs(m)), (), "holomorphic"),
    "real part": (lambda z, m: -1 / (z + m.real), (), "holomorphic"),
    "conj z": (lambda z, m: -1 / (z.conj() + m), (), "holomorphic function of z"),
    "constant": (lambda z, m: np.full(z.shape, 1j), (), "depends on z or on the state"),
    "identity": (lambda z, m: m, (), "moves the state"),
    "other sign": (lambda z, g: 1 / (z - g), (), "written for Im m > 0"),
    "entrywise reciprocal": (lambda z, m: -1 / (z[:, None, None] * np.eye(2) - CROSS + m), (2, 2), "np.linalg.inv"),
    "entrywise, all finite": (lambda z, m: -1 / (z[:, None, None] - CROSS + m), (2, 2), "np.linalg.inv"),
    "entrywise, scalar inside": (
        lambda z, m: -1 / ((z + np.trace(m, axis1=1, axis2=2))[:, None, None] * np.eye(3)),
        (3, 3),
        "np.linalg.inv",
    ),
    "other sign matrix": (lambda z, g: np.linalg.inv(z[:, None, None] * np.eye(2) - g), (2, 2), "written for Im m > 0"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_maps_are_refused_in_words(name):
    function, shape, words = WRONG[name]
    with pytest.raises(rmt.DomainError, match=words):
        rmt.solve(rmt.Equation(function, shape=shape), [1j, 1 + 1j])


def test_a_map_that_overwrites_its_argument_is_found_when_compiled_too():
    @rmt.step
    def careless(z, m):
        m[0] = m[0] + 1.0
        return -1 / (z + m)

    with pytest.raises(rmt.DomainError, match="leaves its arguments alone"):
        rmt.solve(rmt.Equation(careless, shape=(1,)), 1j)


def test_what_does_not_compile_is_told_in_words():
    @rmt.step
    def hopeless(z, m):
        return {"m": m}.undefined

    with pytest.raises(rmt.DomainError, match="step must compile for one point"):
        rmt.solve(rmt.Equation(hopeless), 1j)
    with pytest.raises(rmt.DomainError, match="function must be a function"):
        rmt.step(3)


@pytest.mark.parametrize(
    ("keywords", "words"),
    [
        ({"readout": lambda z, m: m[:, None]}, "readout must be"),
        ({"readout": lambda z, m: 1 / 0}, "ZeroDivisionError"),
        ({"jacobian": lambda z, m: np.ones((3, 3))}, "jacobian must be"),
        ({"jacobian": lambda z, m: -1 / (z + m) ** 2}, "derivative of step"),
        ({"start": lambda z: np.ones((z.size, 2))}, "start must be"),
        ({"start": lambda z: np.zeros(3)}, r"start must be a function that returns shape \(n,\), got 'shape \(3,\)"),
        ({"start": lambda z: "a"}, "start must be"),
        ({"start": lambda z: 1 / 0}, "start must be .*ZeroDivisionError"),
        ({"start": lambda z: z * np.nan}, "start must be finite"),
        ({"jacobian": lambda z, m: "a"}, "jacobian must be"),
        ({"jacobian": lambda z, m: 1 / 0}, "jacobian must be .*ZeroDivisionError"),
        ({"jacobian": lambda z, m: m * np.nan}, "jacobian must be finite"),
        ({"readout": lambda z, m: m * np.nan}, "readout must be finite"),
        ({"readout": lambda z, m: "a"}, "readout must be"),
        ({"readout": lambda z, m: m + 0 * m[0] + 1e-3 * (z.size > 1)}, "every point by itself"),
        ({"readout": lambda z, m: m.astype(np.complex64)}, "readout must be computed in double precision"),
        ({"readout": lambda z, m: m.astype(np.complex64) + 0j * z}, "readout must be computed in double precision"),
    ],
)
def test_wrong_helpers_are_refused_in_words(keywords, words):
    with pytest.raises(rmt.DomainError, match=words):
        rmt.solve(rmt.Equation(lambda z, m: -1 / (z + m), **keywords), 1j)


def test_an_analytic_jacobian_is_used():
    calls = []

    def jacobian(z, m):
        calls.append(z.size)
        return 1 / (z + m) ** 2

    eq = rmt.Equation(lambda z, m: -1 / (z + m), jacobian=jacobian)
    bare = rmt.Equation(lambda z, m: -1 / (z + m))
    assert np.abs(rmt.solve(eq, Z).m - rmt.solve(bare, Z).m).max() < 1e-14
    assert len(calls) > 3


@pytest.mark.parametrize(
    ("step", "readout", "words"),
    [
        (lambda z, m: -1 / (z - m), None, "variance of the law comes out negative"),
        (lambda z, m: -1 / (z + m), lambda z, m: 0.999 * m, "tends to 0.999"),
        (lambda z, m: -(z**2) / (z + m), None, "has no limit far from the axis|tends to"),
        (lambda z, m: -1 / (z + 1j * m), None, "cannot be followed from large Im z"),
        (lambda z, m: (-z + np.sqrt(z * z - 4)) / 2, None, "cannot be followed from large Im z"),
    ],
)
def test_maps_of_no_law_are_never_called_solved(step, readout, words):
    eq = rmt.Equation(step, readout)
    sol = rmt.solve(eq, Z, throw=False)
    assert not (sol.status == rmt.Status.CONVERGED).any()
    assert any(rmt_words in sol.explain() for rmt_words in words.split("|"))
    with pytest.raises(rmt.ConvergenceError):
        rmt.solve(eq, Z)


def test_z_times_the_matrix_of_ones_is_told():
    eq = rmt.Equation(lambda z, m: -np.linalg.inv(z[:, None, None] - CROSS + m), shape=(2, 2))
    sol = rmt.solve(eq, Z, throw=False)
    assert not (sol.status == rmt.Status.CONVERGED).any()
    assert "let z multiply the identity" in sol.explain()


@pytest.mark.parametrize(
    "inner",
    [
        lambda m: 0 * CROSS + m,
        lambda m: np.trace(m, axis1=1, axis2=2)[:, None, None] * np.eye(2) / 2,  # diagonal states
        lambda m: np.trace(m, axis1=1, axis2=2)[:, None, None] * np.eye(2) / 2 - CROSS,
        lambda m: np.diag([0.0, 3.0]) + m * np.eye(2),
    ],
)
def test_maps_of_matrices_that_are_inverses_pass(inner):
    eq = rmt.Equation(lambda z, m: -np.linalg.inv(z[:, None, None] * np.eye(2) + inner(m)), shape=(2, 2))
    assert rmt.solve(eq, Z).ok


def test_entrywise_maps_of_a_table_of_unknowns_pass_with_their_readout():
    def step(z, m):
        return -1 / (z[:, None, None] - CROSS + m.mean(axis=(1, 2), keepdims=True))

    eq = rmt.Equation(step, lambda z, m: m.mean(axis=(1, 2)), shape=(2, 2))
    plain = rmt.DeformedWigner(rmt.Discrete([0.0, 0.5, 1.0], [0.25, 0.25, 0.5]), 1.0).law()
    assert np.abs(rmt.solve(eq, Z).m - plain.stieltjes(Z)).max() < 1e-10


BUFFERS = {}


def shared(z, m):
    buffer = BUFFERS.setdefault(z.shape, np.empty(z.shape, complex))
    buffer[:] = -1 / (z + m)
    return buffer


@pytest.mark.parametrize(
    "step",
    [
        shared,
        lambda z, m: [-1 / (a + b) for a, b in zip(z, m, strict=True)],
        lambda z, m: 0.5 * m - 0.5 / (z + m),  # damped by its author
        lambda z, m: -1 / (z + m.real + 1j * np.maximum(m.imag, 0)),  # the clip does nothing in the half-plane
    ],
)
def test_odd_maps_that_are_right_are_solved(step):
    z = np.array([0.3 + 0.5j, -1.2 + 1e-3j, 2.7, 0.1])
    exact = 0.5 * (-z + np.sqrt(z - 2) * np.sqrt(z + 2))
    assert np.abs(rmt.solve(rmt.Equation(step), z).m - exact).max() < 1e-12


def test_points_where_the_map_has_no_values_are_told():
    def holes(z, m):
        return np.where(z.imag < 1e-3, np.nan, -1 / (z + m))

    sol = rmt.solve(rmt.Equation(holes), [0.3 + 0.5j, 0.3 + 1e-4j, 0.3], throw=False)
    assert sol.status.tolist() == [rmt.Status.CONVERGED, rmt.Status.NOT_FINITE, rmt.Status.NOT_FINITE]
    atom = rmt.solve(rmt.Equation(lambda z, m: -1 / z), [1j, 0.0], throw=False)
    assert atom.status.tolist() == [rmt.Status.CONVERGED, rmt.Status.SINGULAR]


def test_maps_of_wide_and_of_narrow_laws_depend_on_z():
    for width in (1e-8, 1e8):
        eq = rmt.Equation(lambda z, m, width=width: -1 / (z + width**2 * m))
        z = width * np.array([0.3 + 0.5j, 2.7])
        exact = 0.5 * (-z + np.sqrt(z - 2 * width) * np.sqrt(z + 2 * width)) / width**2
        assert np.allclose(rmt.solve(eq, z).m, exact, rtol=1e-12, atol=0)


def test_many_unknowns_start_from_their_neighbours():
    side = 12
    coupling = (1.0 + np.cos(np.subtract.outer(np.arange(side), np.arange(side)))) / side
    eq = rmt.Equation(lambda z, m: -1 / (z[:, None] + m @ coupling), shape=(side,))
    z = np.concatenate([np.linspace(-2, 2, 101) + 1e-3j, [3 + 1e-3j, -1 + 2j, 0.2, 2.9]])
    sol, cold = rmt.solve(eq, z), rmt.solve(eq, z, rmt.Newton())
    assert np.abs(sol.m - cold.m).max() < 1e-12
    assert sol.n_steps[:101].sum() < 0.75 * cold.n_steps[:101].sum()
    order = np.random.default_rng(2).permutation(z.size)
    assert np.array_equal(rmt.solve(eq, z[order]).m, sol.m[order])


def test_the_law_of_a_map_of_no_law_says_what_is_wrong():
    with pytest.raises(rmt.ConvergenceError, match="variance of the law comes out negative"):
        rmt.SolvedMeasure(rmt.Equation(lambda z, m: -1 / (z - m))).edges  # noqa: B018 (the search is the point)
