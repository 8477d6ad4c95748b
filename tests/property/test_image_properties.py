"""Invariants of laws of pencils and polynomials in one matrix."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from profiles import quick

import rmtsolve as rmt
from rmtsolve.measures.image import image

LETTERS = {
    "wigner": rmt.Wigner(),
    "wide": rmt.SampleCovariance([1.0], 2.5),
    "hard": rmt.SampleCovariance([1.0], 1.0),
    "coloured": rmt.SampleCovariance([1.0, 4.0], 0.3),
}
letters = st.sampled_from(sorted(LETTERS))
integers = st.integers(-3, 3)


@st.composite
def families(draw):
    """Coefficients of a polynomial or of a pencil, not constant; entries are small integers, so that much coincides."""
    if draw(st.booleans()):
        values = draw(st.lists(integers, min_size=2, max_size=6).filter(lambda v: any(v[1:])))
        return np.array(values, dtype=float)[:, None, None]
    rows = draw(st.integers(2, 4))
    values = np.array(draw(st.lists(integers, min_size=4 * rows * rows, max_size=4 * rows * rows)))
    a = values.reshape(2, 2, rows, rows)
    a = a[:, 0] + (1j * a[:, 1] if draw(st.booleans()) else 0)
    a = a + a.conj().swapaxes(1, 2)
    if not a[1].any():
        a[1, 0, 0] = 1
    return a


@given(letter=letters, a=families(), x=st.floats(-1.0, 1.0), height=st.floats(-6.0, 0.5))
@quick(60)
def test_law(letter, a, x, height):
    law = image(LETTERS[letter].law(), a)
    ends = np.concatenate([law.edges, law.atoms.locations])
    reach = max(np.abs(ends).max(), 1e-3)
    z = reach * (x + 1j * 10.0**height)
    m = law.stieltjes(z)
    assert m.imag > 0 and abs(m) <= (1 + 1e-9) / z.imag
    assert np.all(np.diff(law.edges) > 0) and np.all(law.atoms.weights > 0)
    levels = law.cdf(np.sort(ends))
    assert np.all(np.diff(levels) >= 0) and levels[-1] == 1.0
    assert abs(law.cdf(ends.min() - 1e-9 * reach)) == 0.0
    points = np.sort(reach * np.linspace(-1.0, 1.0, 41))
    assert np.all(np.diff(law.cdf(points)) >= -1e-14)
    mass = law.atoms.weights.sum() + (law.masses.sum() if hasattr(law, "masses") else 1.0 - law.atoms.weights.sum())
    assert abs(mass - 1.0) < 1e-12


@given(letter=letters, a=families(), k=st.integers(1, 4))
@quick(40)
def test_moments_are_mean_traces(letter, a, k):
    law, base = image(LETTERS[letter].law(), a), LETTERS[letter].law()
    traces = {0: np.eye(a.shape[1])}
    for _ in range(k):  # coefficients of P(x)^k
        new = {}
        for i, power in traces.items():
            for j, b in enumerate(a):
                new[i + j] = new.get(i + j, 0) + power @ b
        traces = new
    terms = [np.trace(t).real / a.shape[1] * base.moment(i) for i, t in traces.items()]
    reach = max(np.abs(law.edges).max(initial=0.0), np.abs(law.atoms.locations).max(initial=0.0))
    assert abs(law.moment(k) - sum(terms)) <= 1e-12 * (reach**k + sum(map(abs, terms)))


@given(letter=letters, a=families(), share=st.floats(0.01, 0.99))
@quick(40)
def test_density_is_the_boundary_value_and_the_slope_of_the_distribution_function(letter, a, share):
    law = image(LETTERS[letter].law(), a)
    if law.edges.size == 0:
        return
    low, high = law.support[0]
    x = low + share * (high - low)
    ends = np.concatenate([law.edges, law.atoms.locations, getattr(law, "_singular", [])])
    near = np.abs(ends - x).min()
    if near < 1e-3 * (high - low):
        return
    rho, h = law.density(x), 1e-4 * near
    slope = (8 * (law.cdf(x + h) - law.cdf(x - h)) - law.cdf(x + 2 * h) + law.cdf(x - 2 * h)) / (12 * h)
    assert abs(slope - rho) <= 1e-9 * rho + 1e-14 / h
    above = law.stieltjes(x + 1j * h)
    on = law.stieltjes(x, boundary=True)
    assert abs(above - on) <= 4 * h / near * (abs(on) + 1 / near)
    assert abs(on.imag / np.pi - rho) <= 1e-12 * rho


@given(letter=st.sampled_from(["wigner", "wide", "hard"]), a=families(), x=st.floats(-1.0, 1.0), y=st.floats(0.1, 1.0))
@quick(20)
def test_the_matrix_dyson_equation_agrees(letter, a, x, y):
    x_letter = LETTERS[letter]
    if a.shape[1] == 1:
        text = " + ".join(f"({value:g})*X**{k}" for k, value in enumerate(a[:, 0, 0].real) if value)
        model = rmt.MatrixPolynomial(text, X=x_letter)
    else:
        model = rmt.LinearPencil(a[0], {"X": a[1]}, X=x_letter)
    law = model.law()
    reach = max(np.abs(law.edges).max(initial=0.0), np.abs(law.atoms.locations).max(initial=0.0))
    z = reach * complex(x, y)
    solution = rmt.solve(model.equation(), z)
    assert solution.ok
    assert abs(law.stieltjes(z) - solution.m) <= 1e-10 * abs(solution.m)
