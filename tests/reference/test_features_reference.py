"""Spiked features against the values of the derivation and against the 30-digit table of features_table.py."""

import pathlib

import numpy as np
import pytest

import rmtsolve as rmt

MODELS = {
    "R1": rmt.SpikedRandomFeatures("tanh", [1.5], [1.0], [1.0], alpha=2, beta=1),
    "R2": rmt.SpikedRandomFeatures("relu", [2, -1, 0.5], [1, 1, 1.2], [0.3, 0.3, 0.4], alpha=2, beta=1),
    "R3": rmt.SpikedRandomFeatures("sin", [2, 0], [1, 1], [0.5, 0.5], alpha=0.8, beta=1.5),
    "R5": rmt.SpikedRandomFeatures("erf", [2, -1], [1, 1.3], [0.5, 0.5], alpha=1.5, beta=0.8),
    "S8": rmt.SpikedRandomFeatures("relu", [5, 0], [0.2, 2], [0.5, 0.5], alpha=5, beta=0.3),
    "one": rmt.SpikedRandomFeatures("sin", [1.3], [0.9], [1.0], alpha=1.7, beta=1.2),
    "two": rmt.SpikedRandomFeatures("sin", [2, -0.7], [1, 0.6], [0.4, 0.6], alpha=0.8, beta=1.5),
}
TABLE = [
    line.split("|")
    for line in pathlib.Path(__file__).with_name("features.txt").read_text().splitlines()
    if not line.startswith("#")
]

# model, z, {state entry: value}
STATES = [
    ("R1", 0.5 + 0.1j, {0: -1.7248978013 + 1.5300846726j, 1: -0.8799150195 + 2.3919779883j}),
    ("R1", -0.1, {0: 4.9432082414, 1: 3.0282989820}),
    ("R2", 0.5 + 0.1j, {0: -0.3724659625 + 0.4996747107j, 1: -0.4016695769 + 0.6148915470j,
                        2: -0.3851166216 + 0.7210435542j, 4: 0.0567969683 - 0.0083609698j,
                        8: -0.1648372070 + 0.7074174273j}),
    ("R2", -0.1, {0: 1.0553868546, 1: 0.9734806572, 2: 1.2075022042}),
    ("R3", 0.5 + 0.1j, {0: -0.6608987575 + 0.6240033624j, 1: -0.5396199943 + 0.5798659087j,
                        3: 0.0363231107 + 0.0004812084j}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "z", "values"), STATES)
def test_states(name, z, values):
    solution = rmt.solve(MODELS[name].equation(), np.array([z], dtype=complex))
    assert solution.ok
    for entry, value in values.items():
        assert abs(solution.state[0, entry] - value) < 1e-10


@pytest.mark.parametrize("line", [row for row in TABLE if row[0].startswith("state")], ids=lambda row: row[0].strip())
def test_states_to_high_precision(line):
    _, name, x, y = line[0].split()
    parts = np.array(line[1].split(), dtype=float)
    swept, _ = MODELS[name].equation().solve_points(np.array([complex(float(x), float(y))]))
    exact = parts[::2] + 1j * parts[1::2]
    assert swept.status[0] == 0
    assert np.abs(swept.state[0] - exact).max() < 2e-12 * np.abs(exact).max()


@pytest.mark.parametrize("line", [row for row in TABLE if row[0].startswith("ridge")], ids=lambda row: row[0].strip())
def test_ridge_errors_to_high_precision(line):
    _, name, gamma, noise, lam, p = line[0].split()
    train, test = np.array(line[1].split(), dtype=float)
    width = None if p == "inf" else float(p)
    found = rmt.ridge_errors(
        MODELS[name], target="sin(x)", alignment=float(gamma), noise=float(noise), lam=float(lam), p=width
    )
    assert abs(found.train - train) < 1e-11 * train
    assert abs(found.test - test) < 1e-11 * test


def test_density_and_support():
    law = MODELS["R1"].law()
    assert np.allclose(law.edges, [0.0051724753, 1.2538332040], rtol=0, atol=1e-10)
    values = [4.2003549239, 1.1453261938, 0.4358698714, 0.1372593147]
    assert np.allclose(law.density([0.05, 0.2, 0.5, 1.0]), values, rtol=0, atol=2e-10)


@pytest.mark.parametrize(
    ("name", "p", "support", "outliers"),
    [
        ("R2", 600, [0.0186665968, 2.2040885617], [7.95603673, 114.1560837, 442.5812158]),
        ("R5", 480, [0.0077077721, 1.6816346871], [2.22973641, 172.0054538]),
    ],
)
def test_support_and_outliers(name, p, support, outliers):
    assert np.allclose(MODELS[name].law().edges, support, rtol=0, atol=1e-10)
    found = MODELS[name].outliers(p=p)
    assert np.allclose([o.location for o in found], outliers, rtol=2.3e-9, atol=0)  # nine digits are printed
    if name == "R2":
        assert np.allclose(found[0].overlap, [0.037902, 0.018776, 0.308418], rtol=0, atol=1e-6)


def test_several_intervals():
    law = MODELS["S8"].law()
    assert np.allclose(law.edges, [0.00586, 0.03947, 0.65626, 2.49193], rtol=0, atol=5e-6)
    # far apart in scale: each class fills its own interval
    assert np.allclose(law.masses, [0.5, 0.5], rtol=0, atol=1e-10)


def test_exceptional_outlier_of_the_norm():
    """sigma = (x^2 - 1) / sqrt 2 without a spike: |x|^2 moves all features together."""
    features = rmt.SpikedRandomFeatures("(x**2 - 1)/sqrt(2)", [0], [1], [1], alpha=2, beta=1)
    (outlier,) = features.outliers(p=600)
    assert abs(outlier.location - 3.0) < 1e-9
    assert abs(features.law().edges[-1] - 2.914213562373095) < 1e-10  # (1 + 1/sqrt 2)^2
