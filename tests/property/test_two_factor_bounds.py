"""Error bounds of free sums and products hold, against forty digits, also where m vanishes between the bulks."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from profiles import quick

import rmtsolve as rmt
from rmtsolve.equations.subordination import AdditiveEquation, MultiplicativeEquation


def atoms(rng, positive, symmetric):
    x = rng.standard_normal(rng.integers(2, 5)) * 10.0 ** rng.uniform(-3.0, 2.0)
    x = np.abs(x) if positive else x
    return rmt.Discrete(np.concatenate([x, -x]) if symmetric else x)


def factors(rng, kind):
    if kind == "sum":
        other = [rmt.Semicircle(10.0 ** rng.uniform(-3.0, 1.0)), rmt.Uniform(-1.0, rng.uniform(-0.5, 4.0))]
        pair = [atoms(rng, False, rng.random() < 0.5), [*other, atoms(rng, False, rng.random() < 0.5)][rng.integers(3)]]
        return AdditiveEquation(*(pair if rng.random() < 0.5 else pair[::-1]))
    first = [rmt.MarchenkoPastur(rng.uniform(0.1, 3.0)), rmt.Uniform(0.3, 3.0), atoms(rng, True, False)]
    return MultiplicativeEquation(first[rng.integers(3)], atoms(rng, False, rng.random() < 0.5))


@quick(25)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["sum", "product"]))
def test_bounds_hold(seed, kind):
    rng = np.random.default_rng(seed)
    equation = factors(rng, kind)
    edges = equation.find_edges()
    width = np.ptp(edges)
    x = np.concatenate([rng.uniform(edges[0] - width, edges[-1] + width, 3), 0.5 * (edges[1:-1:2] + edges[2::2])[:3]])
    outside = x[(np.searchsorted(edges, x) % 2 == 0) & ~np.isin(x, equation.find_atoms().locations)]
    z = np.concatenate([x + 1j * height * width for height in (1e-9, 1e-4, 0.1)] + [outside + 0j])
    s = rmt.solve(equation, z)
    exact = rmt.solve(equation, z, method=rmt.HighPrecision(40), throw=False)
    # at a zero of m itself an argument is infinite: no bound, and forty digits are refused
    known = (exact.status == 0) & np.isfinite(s.error_bound)
    assert known.mean() > 0.6
    assert (np.abs(exact.m - s.m) <= s.error_bound)[known].all()
