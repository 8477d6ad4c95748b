"""Laws made of laws, critical and extreme ones, against mpmath: edges and densities to 1e-12 and better."""

import pathlib

import numpy as np
import pytest

import rmtsolve as rmt

ROWS = [line.split("; ") for line in (pathlib.Path(__file__).parent / "free_nested.txt").read_text().splitlines()]
D, MP = rmt.Discrete, rmt.MarchenkoPastur
THREE = D([0, 1, 3], [0.25, 0.5, 0.25])
LAWS = {
    "sum with a product": lambda: rmt.free_add(
        rmt.SampleCovariance([1, 4], 0.5).law(), rmt.free_multiply(MP(0.3), rmt.Uniform(1, 2))
    ),
    "three Wishart factors": lambda: rmt.free_multiply(MP(1.0), MP(1.0), MP(1.0)),
    "coinciding atoms": lambda: rmt.free_add(D([0, 1]), D([0, 2], [0.3, 0.7]), D([0, 10], [0.9, 0.1])),
    "power near one": lambda: rmt.free_power(THREE, 1 + 2**-13),
    "noise of full rank": lambda: rmt.InformationPlusNoise(D([0, 1, 4], [0.5, 0.25, 0.25]), noise=1.0, ratio=2.0).law(),
    "condition a million": lambda: rmt.SampleCovariance([1e-3, 0.05, 1, 30, 1e3], 0.5).law(),
    "nearly touching": lambda: rmt.free_add(rmt.Semicircle(1 - 2**-17), D([-1, 1])),
    "covariance of a product": lambda: rmt.SampleCovariance(rmt.free_multiply(MP(0.3), MP(0.5)), 0.4).law(),
}
ATOMS = {
    "coinciding atoms": [(2.0, 0.1), (3.0, 0.1)],
    "power near one": [(x * (1 + 2**-13), 1 - (1 + 2**-13) * (1 - p)) for x, p in zip(*THREE.atoms, strict=True)],
    "noise of full rank": [(0.0, 0.5)],
}


@pytest.mark.parametrize("name", LAWS)
def test_table(name):
    law = LAWS[name]()
    mine = [row[1:] for row in ROWS if row[0] == name]
    edges = np.array([float(value) for kind, _, value in mine if kind == "edge"])
    assert law.edges.size == edges.size
    assert np.abs(law.edges - edges).max() <= 1e-14 * np.abs(edges).max()
    wanted = np.array(ATOMS.get(name, [])).reshape(-1, 2)
    assert law.atoms.locations == pytest.approx(wanted[:, 0], rel=1e-15)
    assert law.atoms.weights == pytest.approx(wanted[:, 1], rel=1e-14)
    for kind, where, value in mine:
        if kind == "near":
            edge, offset = where.split()
            got, digits = law.density(offset=float(offset), edge=int(edge)), 2e-11
        elif kind == "density":
            got, digits = law.density(float(where)), 1e-12
        elif kind == "cdf":
            got, digits = law.cdf(float(where)), 1e-10
        elif kind == "edge":
            continue
        else:
            m = law.stieltjes(complex(where))
            got, digits = m.real if kind == "real part" else m.imag, 1e-12
        assert got == pytest.approx(float(value), rel=digits), (kind, where)
