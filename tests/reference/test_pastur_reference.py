"""Laws of the Pastur form against 30-digit values (`pastur_make.py`) and the closed forms of white matrices."""

import csv
import functools
import pathlib
from fractions import Fraction

import mpmath as mp
import numpy as np
import pytest

import rmtsolve as rmt

TABLE = pathlib.Path(__file__).with_name("pastur.csv")
THOUSAND = [1.0 + (k * 0.6180339887498949 % 1.0) * 99.0 for k in range(1, 1001)]
TOUCHING = {("covariance", "0.4127650913690617"), ("wigner", "1.0")}


@functools.cache
def law(kind, scale, atoms, weights):
    t = THOUSAND if atoms == "thousand" else [float(a) for a in atoms.split()]
    h = None if atoms == "thousand" else [float(a) for a in weights.split()]
    model = {"covariance": rmt.SampleCovariance, "poisson": rmt.CompoundFreePoisson, "wigner": rmt.DeformedWigner}[kind]
    return model(rmt.Discrete(t, h), float(scale)).law()


def read():
    with TABLE.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


ROWS = read()
LAWS = sorted({(r["kind"], r["scale"], r["atoms"], r["weights"]) for r in ROWS})


@pytest.mark.parametrize("key", LAWS, ids=lambda k: f"{k[0]}-{k[1]}-{len(k[2].split())}atoms")
def test_table(key):
    """Edges to the last digit, densities (1e-14 of the width from an edge on) and transforms to 1e-12, cdf to 1e-13."""
    solved = law(*key)
    mine = [r for r in ROWS if (r["kind"], r["scale"], r["atoms"], r["weights"]) == key]
    edges = [r for r in mine if r["quantity"] == "edge"]
    touching = key[:2] in TOUCHING  # the table's edges are those of the binary data, 1e-23 apart or none at all
    assert len(edges) == solved.edges.size or touching
    if not touching:
        wanted = np.array([float(r["value_real"]) for r in edges])
        scale = np.maximum(np.abs(wanted), 1e-300)
        hard = solved.edge_exponents < 0
        assert np.abs((solved.edges - wanted)[~hard] / scale[~hard]).max() < 3e-16
        assert (np.abs((solved.edges - wanted)[hard]) < 1e-30).all()
    for r in mine:
        x, y, value = float(r["real"]), float(r["imag"]), complex(float(r["value_real"]), float(r["value_imag"]))
        if r["quantity"] == "edge":
            continue
        if r["quantity"] == "density":
            if touching and int(r["index"]) in (1, 2) and len(edges) == 4:  # an offset from the cusp, which is no edge
                if abs(x) < 1e-6:
                    continue  # next to a cusp the offsets of the table are from edges of the binary data
                got = float(solved._intensity(solved._at(np.array([int(r["index"])]), np.array([x])))[0])
            else:
                index = solved.edges.size - 1 if int(r["index"]) == len(edges) - 1 else int(r["index"])
                got = solved.density(offset=x, edge=index)
            digits = 1e-12
        elif r["quantity"] == "cdf":
            got, digits = solved.cdf(x), 1e-13 / value.real
        else:
            got, digits = solved.stieltjes(complex(x, y), boundary=True), 1e-12
        assert abs(got - value) <= digits * abs(value), (r["quantity"], r["index"], x, y, got, value)


def test_three_atoms():
    """The values of the project's notes, rho(7) recomputed with 40 digits."""
    three = law("covariance", "0.5", "1.0 3.0 10.0", "0.5 0.3 0.2")
    edges = [0.12243731525724158, 5.3516014961491171, 5.7790362307071788, 18.177782133485971]
    assert three.edges == pytest.approx(edges, rel=3e-16)
    assert three.density([1.0, 7.0]) == pytest.approx([0.28859052403342919, 0.021621645760494792], rel=1e-14)
    assert three.cdf(4.0) == pytest.approx(0.74548186255171197, rel=1e-14)
    assert three.quantile(0.5) == pytest.approx(1.4981874524525363, rel=2e-14)
    assert three.stieltjes(-1) == pytest.approx(0.41384113581058257, rel=1e-14)
    assert three.stieltjes(2 + 0.5j) == pytest.approx(-0.20648539083464645 + 0.39487646488186942j, rel=1e-14)
    assert three.expect(np.log) == pytest.approx(0.48324788575918735, rel=1e-12)
    assert three.edge_coefficients[0] == pytest.approx(3.5933790158983541, rel=1e-14)
    assert three.masses == pytest.approx([0.8, 0.2], rel=1e-15)


def test_two_atoms_merge():
    merging = rmt.SampleCovariance([1, 4], 0.41276509136906170).law()
    assert merging.cusps == pytest.approx([1.5888456091725051], rel=1e-15)
    assert merging.cusp_exponents == pytest.approx([1 / 3])
    assert merging.cusp_coefficients == pytest.approx([0.23810754831592879], rel=1e-13)
    x = np.array([-1e-8, -1e-10, 1e-10, 1e-8])
    power = merging.density(merging.cusps[0] + x) / np.abs(x) ** (1 / 3)
    assert power == pytest.approx([0.23810754831592879] * 4, rel=5e-3)
    assert rmt.SampleCovariance([1, 4], 0.412).law().edges.size == 4
    assert rmt.SampleCovariance([1, 4], 0.414).law().edges.size == 2


TWINS = {  # laws with a cusp at 0 and with a pole at 0, and the same laws by equations that know no cusps
    "cusp": (rmt.free_add(rmt.Semicircle(), rmt.Discrete([-1, 1])),
             lambda: rmt.free_add(lambda z: rmt.Semicircle().stieltjes(z), rmt.Discrete([-1, 1]))),
    "merging": (rmt.SampleCovariance([1, 4], 0.41276509136906170).law(),
                lambda: rmt.free_multiply(rmt.Discrete([1, 4]), rmt.MarchenkoPastur(0.41276509136906170))),
    "pole": (rmt.free_power(rmt.Discrete([-1, 0, 1], [0.25, 0.5, 0.25]), 2.0),
             lambda: rmt.free_add(*[rmt.Discrete([-1, 0, 1], [0.25, 0.5, 0.25])] * 2)),
}  # fmt: skip


@pytest.mark.parametrize("name", TWINS)
def test_bulks_that_touch_are_one(name):
    law, twin = TWINS[name][0], TWINS[name][1]()
    assert law.support.shape == twin.support.shape == (1, 2)
    assert law.masses == pytest.approx([1.0], rel=1e-14)
    assert law.edges == pytest.approx(twin.edges, abs=1e-9)
    assert law.cusps.size == 1
    assert f"cusps {law.cusps[0]:.6g}>" in repr(law)
    at = law.cusps[0]
    assert law.density(at) == (np.inf if name == "pole" else 0.0)
    x = at + np.array([-0.5, -1e-3, 1e-3, 0.5])
    assert law.density(x) == pytest.approx(twin.density(x), rel=1e-8)
    assert law.density(offset=x - law.edges[0], edge=0) == pytest.approx(law.density(x), rel=1e-12)
    assert law.density(offset=x - law.edges[1], edge=1) == pytest.approx(law.density(x), rel=1e-12)
    assert law.cdf(at) == pytest.approx(0.5, abs=1e-15)
    assert law.quantile(0.5) == pytest.approx(at, abs=1e-15)
    q = np.array([0.1, 0.45, 0.55, 0.9])
    assert law.cdf(law.quantile(q)) == pytest.approx(q, rel=1e-14)
    assert law.expect(np.square) == pytest.approx(law.moment(2), rel=1e-11)


def test_deformed_wigner():
    two = rmt.DeformedWigner([-1, 1], 0.64).law()
    reach = [0.0957550765359254871, 2.25575507653592549]
    assert two.edges == pytest.approx([-reach[1], -reach[0], reach[0], reach[1]], rel=1e-15)
    assert two.density(0.5) == pytest.approx(0.23857404120375147, rel=1e-14)
    assert two.stieltjes(0.3 + 0.01j) == pytest.approx(0.33071489259559259 + 0.57266725388489438j, rel=1e-14)


@pytest.mark.parametrize("ratio", [1e-3, 0.25, 0.999999, 1.0, 1.000001, 4.0, 1e3])
@pytest.mark.parametrize("scale", [1e-150, 1.0, 3e150])
def test_white_matrices(ratio, scale):
    """One atom is the Marchenko-Pastur law, also at the ends of the range of double precision."""
    solved, exact = rmt.SampleCovariance([scale], ratio).law(), rmt.MarchenkoPastur(ratio, scale)
    assert solved.edges / scale == pytest.approx(exact.edges / scale, rel=1e-15, abs=1e-300)
    assert solved.atoms.weights == pytest.approx(exact.atoms.weights, rel=1e-13)
    width = exact.edges[1] - exact.edges[0]
    for edge, side in ((0, 1), (1, -1)):
        offset = side * width * np.array([1e-14, 1e-9, 1e-3, 0.4])
        got, wanted = (m.density(offset=offset, edge=edge) * scale for m in (solved, exact))
        assert got == pytest.approx(wanted, rel=1e-12)
    x = exact.edges[0] + width * np.array([0.01, 0.3, 0.8])
    assert solved.cdf(x) == pytest.approx(exact.cdf(x), abs=1e-13)
    z = exact.edges[0] + width * np.array([-1 + 1e-9j, 0.3 + 1e-6j, 0.5 + 1j])
    assert solved.stieltjes(z) * scale == pytest.approx(exact.stieltjes(z) * scale, rel=1e-12)


def test_moments_of_white_matrices():
    """Narayana polynomials: m_k = sum_r c^r / (r + 1) C(k, r) C(k - 1, r), exactly."""
    from math import comb

    for ratio in (Fraction(1, 4), Fraction(3)):
        law = rmt.SampleCovariance([1.0], float(ratio)).law()
        for k in range(1, 21):
            wanted = sum(Fraction(comb(k, r) * comb(k - 1, r), r + 1) * ratio**r for r in range(k))
            assert law.moment(k) == pytest.approx(float(wanted), rel=1e-14)


def test_log_moment():
    """E log x = E_H log t - 1 - (1 - c)/c log(1 - c) for c < 1."""
    for c in (0.1, 0.5, 0.9):
        law = rmt.SampleCovariance([1, 3, 10], c).law()
        wanted = np.log(30) / 3 - 1 - (1 - c) / c * np.log1p(-c)
        assert law.expect(np.log) == pytest.approx(wanted, rel=1e-11)


@pytest.mark.parametrize("ratio", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("power", [1.0, 0.5, 0.0, -0.5])
def test_density_at_the_ends_of_powers(power, ratio):
    """Populations of density ``(a + 1) t^a`` on (0, 1): relative accuracy at the edges, also where u is real there.

    For c < 1 the left edge is 0, where Im u is of the size ``u^(1 + a)``; with the edge at 0 the offset is exact.
    """
    law = rmt.SampleCovariance(rmt.Continuous(lambda t: (power + 1.0) * t**power, (0, 1)), ratio).law()
    width = law.edges[1] - law.edges[0]
    steps = width * np.array([1e-9, 1e-6, 1e-3, 0.3, 0.9])
    got = law.density(offset=steps, edge=0)
    with mp.workdps(70):
        a, c = mp.mpf(power), mp.mpf(ratio)

        def image(u):
            """F, F' and u m_H."""
            root = mp.sqrt(u)
            part = mp.log((root - 1) / (root + 1)) / root if a % 1 else mp.log(1 - 1 / u)  # int t^b / (t - u)
            b = mp.mpf(-0.5) if a % 1 else mp.mpf(0)
            while b < a:
                b, part = b + 1, 1 / (b + 1) + u * part
            v = (a + 1) * u * part
            rate = (a + 1) * (u / (u - 1) + v)  # u dv/du, from the derivative of u^(-a-1) v
            return u * (1 - c - c * v), 1 - c - c * (v + rate), v

        edge, wanted = mp.mpf(0), []
        if ratio > 1.0:
            edge = image(mp.findroot(lambda u: image(u)[1], law.equation.table[0].critical))[0].real
        for step in steps:
            x = edge + mp.mpf(float(step))
            u = mp.mpc(complex(law.equation.sweep(np.array([complex(x)])).state[0]))
            for _ in range(60):
                value, slope, _ = image(u)
                u -= (value - x) / slope
            value, _, v = image(u)
            assert abs(value - x) < 1e-60 * x
            wanted.append(float((v / x).imag / mp.pi))
        if edge:
            assert abs(float(edge) / law.edges[0] - 1.0) < 1e-13
    assert min(wanted) > 0.0
    assert got == pytest.approx(wanted, rel=1e-11)
    if not edge:
        assert law.stieltjes(steps, boundary=True).imag / np.pi == pytest.approx(wanted, rel=1e-11)


def test_a_warm_start_from_inside_a_bulk_does_not_stop_at_the_real_axis():
    # the iteration for the second point runs towards a root below the axis; cut steps are no convergence
    law = rmt.DeformedWigner(rmt.Discrete([0.219716, 1.360106], [0.5, 0.5]), 1.01).law()
    z = np.array([0.9527113470334627, 3.0728771016299747]) + 2.2603624768613614e-05j
    sol = rmt.solve(law.equation, z)
    alone = np.array([rmt.solve(law.equation, point).m for point in z])
    assert np.abs(sol.m - alone).max() < 1e-13
    assert (sol.error_bound < 1e-12).all()
    assert (np.abs(law.equation.image(sol.state)[0] - z) < 1e-13).all()
