"""Roots of matrix Dyson equations that are not the physical one, where it is easy to take them for it."""

import numpy as np
import pytest

import rmtsolve as rmt

HEIGHT = 1e-8  # where the physical solution is found without doubt; m changes by 1e-6 and less from there to the axis


def pencil(constant, x, y=None, **letters):
    coefficients = {"X": np.array(x)} | ({} if y is None else {"Y": np.array(y)})
    return rmt.LinearPencil(np.array(constant), coefficients, X=rmt.Wigner(), **letters).equation()


ONE_LETTER = {
    "two rows": (
        pencil([[-1, 2], [2, 2]], [[1, -3], [-3, -1]]), 4.9,
        [[-0.28411 + 0.079244j, 0.180647 + 0.133956j], [0.180647 + 0.133956j, -0.268302 + 0.226444j]],
    ),
    "three rows": (
        pencil([[1, 1, 3], [1, 2, 2], [3, 2, -1]], [[-2, 3, 3], [3, 0, 2], [3, 2, -3]]), -3.2,
        [[0.149598 + 0.128422j, 0.050427 - 0.081532j, 0.099054 - 0.03513j],
         [0.050427 - 0.081532j, 0.241261 + 0.146859j, 0.039158 - 0.097468j],
         [0.099054 - 0.03513j, 0.039158 - 0.097468j, 0.061029 + 0.16046j]],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ONE_LETTER)
def test_a_root_with_singular_imaginary_part_from_which_one_starts(case):
    """Im M >= 0 has a kernel, and on it the real parts of two roots differ; both have the same density."""
    equation, x, wrong = ONE_LETTER[case]
    wrong = np.array(wrong)
    for _ in range(10):  # to all digits, by Newton's iteration on all entries
        side = wrong.shape[0]
        image = equation.step(np.array([x + 0j]), wrong[None])[0]
        a = equation.terms[0].left
        slope = np.eye(side**2) - np.kron(image @ a, (a @ image).T)
        wrong = wrong + np.linalg.solve(slope, (image - wrong).ravel()).reshape(side, side)
    assert np.abs(equation.step(np.array([x + 0j]), wrong[None])[0] - wrong).max() < 1e-14
    assert np.linalg.eigvalsh((wrong - wrong.conj().T) / 2j)[0] > -1e-14
    truth = rmt.solve(equation, x + 1j * HEIGHT).m
    assert abs(np.trace(wrong) / wrong.shape[0] - truth) > 1e-2
    solution = rmt.solve(equation, x, start=wrong)
    assert abs(solution.m - truth) < 1e-6
    assert abs(rmt.solve(equation, x).m - truth) < 1e-6


@pytest.mark.parametrize("height", [1e-12, 1e-13, 1e-14, 1e-15])
def test_heights_at_which_rounding_hides_the_sign_of_the_imaginary_part(height):
    equation = pencil([[1, 2], [2, 1]], [[1, 3], [3, -3]])
    x = np.linspace(-12.475, 14.651, 57)
    truth = rmt.solve(equation, x + 1j * HEIGHT).m
    np.testing.assert_allclose(rmt.solve(equation, x + 1j * height).m, truth, atol=1e-6)
    wrong = np.array([[0.5079245, -0.093091], [-0.093091, -0.2061906]])  # up to 1e-7 a real root at 1.088
    point = np.array([1.088 + 1j * height])
    assert np.abs(equation.step(point, wrong[None] + 0j)[0] - wrong).max() < 1e-6
    solution = rmt.solve(equation, point, start=wrong)
    assert abs(solution.m[0] - rmt.solve(equation, 1.088 + 1j * HEIGHT).m) < 1e-6


def test_a_hermitian_state_from_which_newton_leads_to_another_kind():
    """Coming from outside, the next point lies in a bulk: there is no Hermitian root near."""
    equation = pencil(
        [[3, -1, -3j], [-1, 1, 3 + 1j], [3j, 3 - 1j, -3]], [[3, -2 + 1j, 1 + 3j], [-2 - 1j, -1, 3], [1 - 3j, 3, 3]],
        [[0, -3 + 3j, 2 + 3j], [-3 - 3j, 0, -2], [2 - 3j, -2, 3]], Y=rmt.SampleCovariance([1.0, 3.0], 1.0),
    )  # fmt: skip
    x = np.linspace(-81.67, 87.429, 68)
    solution = rmt.solve(equation, x)
    np.testing.assert_allclose(solution.m, rmt.solve(equation, x + 1j * HEIGHT).m, atol=1e-6)
    image = equation.step(x + 0j, solution.state)
    np.testing.assert_allclose(image, solution.state, atol=1e-10 * np.abs(solution.state).max())


def test_points_of_a_sweep_where_the_imaginary_part_is_singular():
    equation = pencil([[-1, 0], [0, -1]], [[1, 1], [1, 2]], [[1, 0], [0, 1]], Y=rmt.SampleCovariance([1.0, 3.0], 2.0))
    x = np.round(np.linspace(-26.42, 28.777, 61), 3)
    np.testing.assert_allclose(rmt.solve(equation, x).m, rmt.solve(equation, x + 1j * HEIGHT).m, atol=1e-5)
