"""The compiled Dyson sweeps, called directly: every route to a solution, and what is reported when there is none."""

import numpy as np
import pytest

from rmtsolve._kernels.dyson_map import HIDDEN, NO, YES, error_bound, evaluate, height_of, positive
from rmtsolve._kernels.dyson_map import stable as stable_matrix
from rmtsolve._kernels.dyson_matrix import confirmed, matrix_sweep, physical
from rmtsolve._kernels.dyson_newton import newton
from rmtsolve._kernels.dyson_vector import stable, vector_sweep


def semicircle(z):
    m = (-z + np.sqrt(z - 2) * np.sqrt(z + 2)) / 2
    return m


def layout(side=1):
    """S[M] = diag(M) entry by entry: `side` independent semicircles."""
    index = np.arange(side)
    value = np.ones((1, side), dtype=complex)
    return (
        np.ones(side), np.zeros((1, side, side), dtype=complex), index, index, index, value, index, index, index,
        np.ones((1, side)), False, np.ones((1, 1)), np.ones(1),
    )  # fmt: skip


def sweep(z, start=None, from_far=False, model=None, tol=1e-13, scale=1.0):
    z = np.asarray(z, dtype=complex)
    model = layout() if model is None else model
    side, r = model[1].shape[1], model[6].size
    guess = np.zeros((0, r), dtype=complex) if start is None else start
    out = np.empty((z.size, model[11].shape[0], side, side), dtype=complex)
    unknowns = np.empty((z.size, r), dtype=complex)
    status, steps = np.empty(z.size, dtype=np.int64), np.empty(z.size, dtype=np.int64)
    residual, bound = np.empty(z.size), np.empty(z.size)
    matrix_sweep(
        z, *model, np.ones(side) / side, scale, guess, start is not None, from_far, tol, out, unknowns, status, steps,
        residual, bound,
    )  # fmt: skip
    return out[:, 0], status, steps, residual, bound


@pytest.mark.parametrize("from_far", [False, True])
def test_matrix_sweep_of_the_semicircle(from_far):
    z = np.array([-3.0, -2.5, -1.0, 0.3 + 1e-3j, 0.4, 1.0 + 1j, 2.5, 2.6])
    out, status, steps, residual, bound = sweep(z, from_far=from_far)
    np.testing.assert_allclose(out[:, 0, 0], semicircle(z + 1e-300j), atol=1e-13)
    assert not status.any() and np.all(steps > 0) and np.all(residual < 1e-13) and np.all(bound < 1e-12)
    assert np.all(out[[0, 1, 6, 7], 0, 0].imag == 0.0)


def test_matrix_sweep_uses_the_guess_and_survives_a_bad_one():
    z = np.array([0.5, 1.0])
    good = semicircle(z + 1e-300j)[:, None]
    out, status, steps, *_ = sweep(z, start=good)
    assert not status.any() and steps.max() <= 4
    for bad in (-1j, 1e6 + 1j, np.nan):
        out, status, *_ = sweep(z, start=np.full((2, 1), bad, dtype=complex))
        assert not status.any()
        np.testing.assert_allclose(out[:, 0, 0], good[:, 0], atol=1e-13)


def test_matrix_sweep_near_an_edge_and_where_the_map_is_singular():
    out, status, *_ = sweep([2.0 - 1e-9, 2.0 + 1e-9])
    assert out[0, 0, 0].imag > 1e-5 and out[1, 0, 0].imag == 0.0 and not status.any()
    model = list(layout())
    model[5] = np.zeros((1, 1), dtype=complex)  # S = 0: m = -1/z
    _, status, *_ = sweep([0.0], model=tuple(model))
    assert status[0] == 3
    _, status, *_ = sweep([np.nan], model=tuple(model))
    assert status[0] == 3
    _, status, _, residual, _ = sweep([0.5], tol=0.0)
    assert status[0] in (0, 7) and residual[0] < 1e-14


def test_one_letter_in_two_rows_is_confirmed_above_the_axis():
    """The pencil of X^2, with the letter X at (1, 2) and (2, 1)."""
    # X**2 as pencil [[0, X], [X, -1]]: m(z) = int mu_sc(dt) / (t^2 - z)
    spectral = np.array([1.0, 0.0])
    a = np.array([[[0, 0], [0, -1]]], dtype=complex)
    out_i, out_j = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    rows, cols = np.array([1, 1, 0, 0]), np.array([1, 0, 1, 0])
    model = (
        spectral, a, out_i, out_j, np.arange(4), np.ones((1, 4), dtype=complex), rows, cols, np.array([0, 2, 1, 3]),
        np.ones((1, 4)), False, np.ones((1, 1)), np.array([1.0]),
    )  # fmt: skip
    out, status, *_ = sweep([1.0, 3.0], model=model)
    root = np.sqrt(np.array([1.0, 3.0]))
    truth = semicircle(root + 1e-300j) / root  # the odd part of 1/(t - w) drops out
    np.testing.assert_allclose(out[:, 0, 0].imag, truth.imag, atol=1e-12)
    assert not status.any()


def test_another_root_with_singular_imaginary_part():
    """One letter A in two rows, all entries unknown; the wrong root has the right density."""
    a, b = np.array([[1.0, -3.0], [-3.0, -1.0]]), np.array([[[-1, 2], [2, 2]]], dtype=complex)
    entries = [(i, j, k, n) for i in range(2) for k in range(2) for n in range(2) for j in range(2)]
    out_i, out_j = np.array([e[0] for e in entries]), np.array([e[1] for e in entries])
    source = np.array([2 * k + n for _, _, k, n in entries])
    value = np.array([[a[i, k] * a[n, j] for i, j, k, n in entries]], dtype=complex)
    rows, cols = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    model = (
        np.ones(2), b, out_i, out_j, source, value, rows, cols, np.array([0, 2, 1, 3]), np.ones((1, 4)), False,
        np.ones((1, 1)), np.array([10.0]),
    )  # fmt: skip
    wrong = np.array([[-0.28411 + 0.079244j, 0.180647 + 0.133956j, 0.180647 + 0.133956j, -0.268302 + 0.226444j]])
    right, status, *_ = sweep([4.9], model=model, scale=4.0)
    assert not status.any() and np.abs(right[0].ravel() - wrong[0]).max() > 1e-2
    out, status, *_ = sweep([4.9], start=wrong, model=model, scale=4.0)
    assert not status.any()
    np.testing.assert_allclose(out, right, atol=1e-12)


def bordered():
    """[[X, 1], [1, 0]]: Im M has rank one everywhere in the bulk; M_11 is the semicircle at z - 1/z."""
    zero = np.array([0])
    return (
        np.ones(2), np.array([[[0, 1], [1, 0]]], dtype=complex), zero, zero, zero, np.ones((1, 1), dtype=complex), zero,
        zero, zero, np.ones((1, 1)), True, np.ones((1, 1)), np.ones(1),
    )  # fmt: skip


def test_a_row_without_letter_is_confirmed_above_the_axis():
    z = np.array([-1.5, 0.7, 0.7 + 1e-15j, 1.5, 1.6 + 1e-14j])
    out, status, *_ = sweep(z, model=bordered())
    np.testing.assert_allclose(out[:, 0, 0], semicircle(z - 1 / z + 1e-300j), atol=1e-12)
    np.testing.assert_array_equal(out, out.swapaxes(1, 2))
    assert not status.any()
    # a tolerance below rounding: the root is found, but not called certain
    _, status, _, residual, _ = sweep([0.5], model=bordered(), tol=1e-18)
    assert status[0] in (0, 1, 6, 7) and residual[0] < 1e-14
    # a width so large that all heights are far above the law: the root is found, and nothing confirms it
    out, status, *_ = sweep(z[[0, 3]].real, model=bordered(), scale=1e12)
    np.testing.assert_allclose(out[:, 0, 0], semicircle(z[[0, 3]] - 1 / z[[0, 3]] + 1e-300j), atol=1e-12)
    assert status.tolist() == [6, 6]


def test_pieces_of_the_matrix_map():
    model = layout(2)
    m = np.empty((1, 2, 2), dtype=complex)
    t, work, pivots, sizes = np.empty(2, complex), np.empty((2, 2), complex), np.empty(2, np.int64), np.empty((2, 2))
    s = np.array([1j, 2j])
    residual, merit = evaluate(1j, *model[:8], *model[9:11], s, m, t, work, pivots, sizes)
    np.testing.assert_allclose(t, -1 / (1j + s), rtol=1e-14)
    assert residual > 0 and merit > 0
    assert evaluate(-1j, *model[:8], *model[9:11], np.array([1j, np.nan]), m, t, work, pivots, sizes)[0] == np.inf
    assert positive(np.array([[[1j, 0.5], [0.5, 1j]]]), 0.0, work, sizes)
    assert not positive(np.array([[[1j, 2j], [2j, 1j]]]), 0.0, work, sizes)
    flat = np.array([[[1j, 1j], [1j, 1j]]])  # Im M has rank one
    assert positive(flat, 1e-12, work, sizes) and not positive(flat, -1e-12, work, sizes)
    assert height_of(np.array([[[1.0 + 1j, 0], [0, 2.0]]]), sizes) == pytest.approx(1 / np.sqrt(2))
    assert height_of(np.array([[[1.0 + 0j, 0], [0, 2.0]]]), sizes) == 0.0
    jacobian, inverted = np.empty((2, 2), complex), np.empty((2, 2), complex)
    for diagonal, gap in ((1.0, 0.0), (0.5j, 1.0)):  # a singular Jacobian; a residual too large for the theorem
        here = np.array([[[diagonal, 0], [0, diagonal]]], dtype=complex)
        arguments = (model[9], np.ones(1), np.ones(1), np.ones(2), s, here, gap, work, jacobian, pivots, inverted)
        assert np.isnan(error_bound(1j, *model[:8], *arguments))


def vector(z, coupling, mean=None, start=None, scale=1.0):
    z = np.asarray(z, dtype=complex)
    n = coupling.shape[0]
    mean = np.zeros(n) if mean is None else mean
    out = np.empty((z.size, n), dtype=complex)
    status, steps = np.empty(z.size, dtype=np.int64), np.empty(z.size, dtype=np.int64)
    residual, bound = np.empty(z.size), np.empty(z.size)
    guess = np.zeros((0, n), dtype=complex) if start is None else start
    vector_sweep(
        z, mean, coupling, np.ones(n) / n, scale, guess, start is not None, 1e-14, out, status, steps, residual, bound
    )
    return out, status, steps, residual, bound


@pytest.mark.parametrize("n", [1, 3, 21])  # Newton up to 20 unknowns, Anderson above
def test_vector_sweep_of_flat_profiles(n):
    z = np.array([-3.0, -2.9, 0.5, 0.6 + 0.1j, 1.0, 2.5, 2.6])
    out, status, steps, residual, bound = vector(z, np.full((n, n), 1.0 / n))
    np.testing.assert_allclose(out, np.repeat(semicircle(z + 1e-300j)[:, None], n, axis=1), atol=1e-12)
    assert not status.any() and np.all(residual < 1e-13) and np.all(steps > 0)
    assert np.all(bound[np.isfinite(bound)] < 1e-11)
    good = np.repeat(semicircle(z[2:4] + 1e-300j)[:, None], n, axis=1)
    again, status, *_ = vector(z[2:4], np.full((n, n), 1.0 / n), start=good)
    np.testing.assert_allclose(again, good, atol=1e-12)
    _, status, *_ = vector(z[2:4], np.full((n, n), 1.0 / n), start=good.conj())
    assert not status.any()


def test_vector_sweep_reports_what_fails():
    _, status, *_ = vector([np.nan], np.ones((1, 1)))
    assert status[0] == 3
    two = np.array([[0.0, 1.0], [1.0, 0.0]])  # bipartite: semicircle twice
    out, status, *_ = vector([0.5, 3.0], two)
    np.testing.assert_allclose(out[:, 0], semicircle(np.array([0.5, 3.0]) + 1e-300j), atol=1e-12)


def test_stability_verdicts():
    parts = np.empty((2, 2))
    more = np.empty((2, 2), complex), np.empty(2, np.int64), np.empty(2, complex)
    s = np.array([[0.2, 0.3], [0.3, 0.2]])
    assert stable(s, np.ones(2, complex), parts, *more) == 1
    assert stable(s, 2 * np.ones(2, complex), parts, *more) == -1
    assert stable(np.array([[0.0, 1.0], [1.0, 0.0]]), np.ones(2, complex), parts, *more) == 0


# ---------------------------------------------------------------------- which real solution is the physical one
def buffers(r=1, side=1):
    """Vectors and matrices that `physical` works with."""
    vector, stack = (lambda: np.empty(r, dtype=complex)), (lambda: np.empty((1, side, side), dtype=complex))
    return (
        stack(), vector(), vector(), vector(), stack(), vector(), vector(), np.empty((side, side), dtype=complex),
        np.empty(side, dtype=np.int64), np.empty((r, r), dtype=complex), np.empty(r, dtype=np.int64),
        np.empty((2, side)),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("m", "answer"),
    [(0.5 * (np.sqrt(5.0) - 3.0), YES), (-0.5 * (np.sqrt(5.0) + 3.0), NO), (1.0, HIDDEN), (-1.0 - 1e-17, HIDDEN)],
)
def test_stability_of_real_solutions(m, answer):
    """Semicircle at 3: both roots of m^2 + 3 m + 1 = 0; T = m^2, and at its edges 1 - T vanishes."""
    model = layout()
    out_i, out_j, source, value, rows, cols, mix = *model[2:8], model[9]
    step, full, work = np.empty(1, complex), np.empty((1, 1, 1), complex), np.empty((1, 1), complex)
    state = np.full((1, 1, 1), m, dtype=complex)
    found = stable_matrix(
        out_i, out_j, source, value, rows, cols, mix, state, step, full, work, work.copy(), np.empty(1, np.int64),
        np.empty((2, 1)),
    )  # fmt: skip
    assert found == answer


@pytest.mark.parametrize(("sign", "right"), [(1.0, True), (-1.0, False)])
def test_real_solutions_are_confirmed_above_the_axis(sign, right):
    s = np.array([0.5 * (sign * np.sqrt(5.0) - 3.0) + 0j])
    other = np.empty((1, 1, 1), dtype=complex)
    found, count = confirmed(3.0 + 0j, 1.0, *layout()[:8], *layout()[9:11], s, other, 1e-13, *buffers())
    assert found == right and count >= 2


def test_a_solution_at_an_edge_is_asked_for_above_it():
    s, m = np.array([-1.0 + 0j]), np.full((1, 1, 1), -1.0, dtype=complex)
    other = np.empty((1, 1, 1), dtype=complex)
    arguments = (2.0 + 0j, 0.5, *layout()[:8], *layout()[9:11])
    found, count = physical(*arguments, s, m, other, 1e-13, *buffers())
    assert found and count >= 2  # the square root of the second height, 5e-9, is below 1e-4
    s[0] = m[0] = 0.5 * (np.sqrt(5.0) - 3.0)
    found, count = physical(3.0 + 0j, *arguments[1:], s, m, other, 1e-13, *buffers())
    assert found and count == 0


def test_a_complex_root_is_not_taken_for_a_hermitian_one():
    """Inside a bulk Newton's iteration from a Hermitian state ends at a complex root, which passes for stable."""
    model = layout()
    m = np.full((1, 1, 1), 0.1 + 0.2j)
    out_i, out_j, source, value, rows, cols, mix = *model[2:8], model[9]
    more = np.empty(1, complex), np.empty((1, 1, 1), complex), np.empty((1, 1), complex), np.empty((1, 1), complex)
    pivots, sizes = np.empty(1, np.int64), np.empty((2, 1))
    assert stable_matrix(out_i, out_j, source, value, rows, cols, mix, m, *more, pivots, sizes) == YES
    arguments = (0.5 + 0j, 1.0, *model[:8], *model[9:11], m[0, 0].copy(), m, np.empty((1, 1, 1), complex), 1e-13)
    assert physical(*arguments, *buffers()) == (False, 0)


def test_real_roots_with_another_sign_of_im_m_are_left_at_heights_of_rounding():
    """Off the support both roots of m^2 + z m + 1 = 0 are real up to 1e-15, and one may start at the wrong one."""
    z = np.array([2.5 + 1e-15j, 3.0 + 1e-14j])
    wrong = (-z - np.sqrt(z - 2) * np.sqrt(z + 2)) / 2
    out, status, *_ = sweep(z, start=wrong[:, None].real + 0j)
    np.testing.assert_allclose(out[:, 0, 0], semicircle(z), atol=1e-12)
    assert not status.any()


def test_what_is_no_root_is_not_confirmed():
    s, other = np.array([-0.2 + 0.9j]), np.empty((1, 1, 1), dtype=complex)
    found, count = confirmed(0.5 + 0j, 1.0, *layout()[:8], *layout()[9:11], s, other, 1e-13, *buffers())
    assert not found and count > 5


@pytest.mark.parametrize("start", ["cold", "root", "beside"])
def test_newton_from_predictions(start):
    """A negative number of averaged steps: the iteration ends where a full step does not help."""
    model, z = layout(), 0.5 + 0j
    root = semicircle(z + 1e-300j)
    s = np.array([{"cold": 1e-8j, "root": root, "beside": root + 1e-3}[start]])
    m = np.empty((1, 1, 1), dtype=complex)
    arguments = (z, *model[:8], *model[9:11], s, -1, 25, False, False, 1e-13, m, *buffers()[2:])
    found, count, residual = newton(*arguments)
    if start == "cold":
        assert not found and count < 25  # of the budget
    else:
        assert found and residual < 1e-14 and abs(s[0] - root) < 1e-14
        assert count <= (1 if start == "root" else 4)
