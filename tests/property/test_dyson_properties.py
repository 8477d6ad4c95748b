"""Invariants of matrix and vector Dyson equations over random pencils and profiles."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from profiles import quick

import rmtsolve as rmt

numbers = st.floats(-2, 2).map(lambda x: round(x, 3))
points = st.builds(complex, st.floats(-4, 4), st.floats(1e-3, 3))


@st.composite
def pencils(draw):
    size = draw(st.integers(1, 4))
    letters = draw(st.integers(1, 2))
    matrices = []
    for _ in range(letters + 1):
        values = draw(st.lists(numbers, min_size=2 * size * size, max_size=2 * size * size))
        a = (np.array(values[: size * size]) + 1j * np.array(values[size * size :])).reshape(size, size)
        matrices.append(0.5 * (a + a.conj().T))
    matrices[1][0, 0] += 3.0
    names = ["X", "Y"][:letters]
    coefficients = {name: a for name, a in zip(names, matrices[1:], strict=True) if a.any()}
    return rmt.LinearPencil(matrices[0], coefficients, **{name: rmt.Wigner() for name in coefficients})


@given(pencil=pencils(), zs=st.lists(points, min_size=2, max_size=5, unique_by=lambda z: round(z.real, 3)))
@quick(30)
def test_pencil_transforms(pencil, zs):
    equation = pencil.equation()
    z = np.array(zs)
    solution = rmt.solve(equation, z)
    m = solution.m
    assert solution.ok and np.all(m.imag > 0) and np.all(np.abs(m) <= (1 + 1e-9) / z.imag)
    for state in solution.state:
        assert np.linalg.eigvalsh((state - state.conj().T) / 2j)[0] > 0
    np.testing.assert_allclose(
        equation.step(z, solution.state), solution.state, atol=1e-10 * np.abs(solution.state).max()
    )
    np.testing.assert_allclose(rmt.solve(equation, z[::-1]).m[::-1], m, rtol=1e-9)
    pick = (m[:, None] - m[None, :].conj()) / (z[:, None] - z[None, :].conj())
    scale = np.sqrt(np.diag(pick).real)
    assert np.linalg.eigvalsh(pick / np.outer(scale, scale))[0] > -1e-8


@given(pencil=pencils(), x=st.floats(-3, 3))
@quick(25)
def test_real_axis_is_the_limit_from_above(pencil, x):
    equation = pencil.equation()
    on = rmt.solve(equation, x, throw=False)
    if not on.ok:  # a singular point of the law
        return
    near = rmt.solve(equation, x + 1e-9j)
    jump = abs(near.m - on.m)
    # the slope of m is large only beside edges, where it grows like an inverse square root
    assert jump <= 1e-3 * (1 + abs(on.m)), (on.m, near.m)


@given(
    s=st.lists(st.floats(0.0, 3.0), min_size=3, max_size=3).filter(lambda s: max(s) > 0.1),
    share=st.floats(0.1, 0.9), mean=numbers, factor=st.floats(0.3, 3.0), z=points,
)  # fmt: skip
def test_profile_scaling_and_order(s, share, mean, factor, z):
    variances = np.array([[s[0], s[1]], [s[1], s[2]]])

    def transform(variances, fractions, mean, z):
        return rmt.solve(rmt.VarianceProfile(variances, fractions=fractions, mean=mean).equation(), z).m

    one = transform(variances, [share, 1 - share], [mean, 0.0], z)
    swapped = transform(variances[::-1, ::-1], [1 - share, share], [0.0, mean], z)
    scaled = transform(variances * factor**2, [share, 1 - share], [factor * mean, 0.0], factor * z)
    assert abs(swapped - one) < 1e-10 * abs(one)
    assert abs(factor * scaled - one) < 1e-10 * abs(one)


@given(s=st.lists(st.floats(0.05, 3.0), min_size=3, max_size=3), share=st.floats(0.1, 0.9), mean=numbers)
@quick(15)
def test_profile_law_is_a_law(s, share, mean):
    law = rmt.VarianceProfile([[s[0], s[1]], [s[1], s[2]]], fractions=[share, 1 - share], mean=[mean, 0.0]).law()
    assert abs(law.masses.sum() - 1.0) < 1e-9 and np.all(law.masses > 0)
    x = np.linspace(law.edges[0], law.edges[-1], 41)
    levels = law.cdf(x)
    assert levels[0] < 1e-9 and levels[-1] > 1 - 1e-9 and np.all(np.diff(levels) > -1e-12)
    middle = 0.5 * (law.edges[0] + law.edges[1])
    h = 1e-4 * (law.edges[1] - law.edges[0])
    slope = (law.cdf(middle + h) - law.cdf(middle - h)) / (2 * h)
    assert abs(slope - law.density(middle)) < 1e-5 * law.density(middle)
    assert abs(law.moment(1) - share * mean) < 1e-10
