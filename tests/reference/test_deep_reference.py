"""Deep features and linear ridge against mpmath tables (deep_generate.py) and closed forms."""

import pathlib

import numpy as np
import pytest

import rmtsolve as rmt

HERE = pathlib.Path(__file__).parent


def table(name):
    lines = (HERE / name).read_text(encoding="utf-8").splitlines()
    return [[part.strip() for part in line.split(";")] for line in lines if not line.startswith("#")]


def network(widths, activations, n, atoms=(1.0,), **options):
    d = float(widths[0])
    return rmt.DeepFeatures(activations, np.array(widths[1:], float) / d, n / d, population=list(atoms), **options)


@pytest.mark.parametrize("row", table("deep_spectra.txt"), ids=lambda row: f"{row[0]}-{row[4]}")
def test_transform_of_the_conjugate_kernel(row):
    widths, n, names, atoms, z, m = row
    features = network([float(w) for w in widths.split()], names.split(), float(n), [float(a) for a in atoms.split()])
    z, m = (complex(*map(float, pair.split())) for pair in (z, m))
    if z.imag < 1e-20:  # the density itself, at height zero
        law = features.conjugate_kernel().law()
        assert law.density(z.real) == pytest.approx(m.imag / np.pi, rel=1e-12)
        assert law.stieltjes(z.real, boundary=True) == pytest.approx(m, rel=1e-12)
        return
    assert features.conjugate_kernel().law().stieltjes(z) == pytest.approx(m, rel=1e-12)
    # the covariance matrix has the same eigenvalues but for the factor and the zeros
    ratio = features.ratio
    other = features.law().stieltjes(z * ratio) * ratio
    assert ratio * other + (ratio - 1.0) / z == pytest.approx(m, rel=1e-11)


CASES = {
    "A": (network((1, 1.5), ["tanh"], 1.25), {"target": "sign(x)", "noise": 0.1**0.5}),
    "B": (network((800, 1000, 1200), ["tanh", "tanh"], 1000), {"target": "sign(x)", "noise": 0.1**0.5}),
    "D": (network((600, 900, 700), ["erf", "tanh"], 800, [0.4, 1.6]), {"layer": 1, "noise": 0.05**0.5}),
    "E": (
        rmt.DeepFeatures(["sign"], [2.0], 3.0, population=rmt.Discrete([0.2, 0.8, 2], [0.5, 0.3, 0.2])),
        {"noise": 0.1**0.5},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_errors_of_the_chain(case):
    features, options = CASES[case]
    rows = [row for row in table("deep_ridge.txt") if row[0] == case]
    lam, test, train = (np.array([float(row[k]) for row in rows]) for k in (1, 2, 3))
    if case == "E":  # y = theta x_0 / sqrt p_0 with theta of variance one has the variance of a unit vector
        options = {**options, "direction": [0.5, 0.3, 0.2]}
    errors = rmt.deep_ridge_errors(features, lam=lam, **options)
    np.testing.assert_allclose(errors.test, test, rtol=1e-12)
    np.testing.assert_allclose(errors.train, train, rtol=1e-12)
    kappa = float(rows[0][4]) / features.widths[-1] * features.alpha  # lam = kappa (n - df1) / p
    dof = 1.0 - lam[0] / kappa
    assert errors.degrees_of_freedom[0] == pytest.approx(dof, rel=1e-11)


def test_errors_with_structured_weights():
    # three independent implementations agree on these digits
    features = network((600, 800, 700, 900), ["tanh", "erf", "sign"], 900, structures=[None, [0.25, 1.75], [0.5, 1.5]])
    errors = rmt.deep_ridge_errors(features, "sign(x)", lam=[0.1, 1], noise=0.1**0.5)
    np.testing.assert_allclose(errors.test, [1.609255195210, 1.071570242525], rtol=1e-11)
    np.testing.assert_allclose(errors.train, [0.188345547232, 0.500498190487], rtol=1e-11)


def test_ridgeless_case():
    errors = rmt.deep_ridge_errors(CASES["A"][0], "sign(x)", lam=0, noise=0.1**0.5)
    assert errors.test == pytest.approx(3.92672245, abs=1e-8)
    assert errors.train == 0.0


def test_gaussian_rainbow():
    a, b = 0.6057055096022**2, 0.0274153260354
    features = network(
        (360, 480, 540), ["tanh", "tanh"], 500, structures=[None, lambda omega: 1.0 / ((omega - b) / a + 0.5)]
    )
    errors = rmt.deep_ridge_errors(features, "sign(x)", lam=[1e-3, 0.1, 1], noise=0.1**0.5)
    np.testing.assert_allclose(errors.test, [2.1014, 0.93051, 0.98806], atol=6e-5)


@pytest.mark.parametrize("row", table("linear_ridge.txt"), ids=lambda row: f"n={row[0]}-lam={row[1]}")
def test_linear_ridge(row):
    j = np.arange(1.0, 61.0)
    omega = 0.5 ** np.abs(j[:, None] - j) * (j[:, None] * j) ** -0.25
    beta = np.cos(j) / np.sqrt(60)
    n, lam, kappa, df1, df2, test, train, norm = map(float, row)
    errors = rmt.linear_ridge_errors(omega, omega @ beta, beta @ omega @ beta + 0.2, n, lam)
    found = [errors.kappa, errors.df1, errors.df2, errors.test, errors.norm]
    np.testing.assert_allclose(found, [kappa, df1, df2, test, norm], rtol=1e-11)
    assert errors.train == pytest.approx(train, rel=1e-11)


@pytest.mark.parametrize(
    ("widths", "n", "names", "edges"),
    [
        ((2, 3), 2.5, ["tanh"], [5.724126520697e-4, 2.606545424047]),
        ((6, 9, 7), 7.5, ["tanh", "sign"], [7.591181214090e-4, 7.086012777271]),
        ((5, 6, 7, 4), 8, ["tanh", "erf", "tanh"], [0.003170925267, 3.108281839496]),
        ((1, 2), 4, ["sign"], [0.08636755, 11.0150908]),
    ],
)
def test_edges_and_atoms(widths, n, names, edges):
    law = network(widths, names, n).conjugate_kernel().law()
    digits = 1e-7 if n == 4 else 2e-10  # of the values above
    np.testing.assert_allclose(law.edges, edges, rtol=digits)
    missing = max(0.0, 1.0 - widths[-1] / n)
    assert law.atoms.weights.sum() == pytest.approx(missing, abs=1e-15)


@pytest.mark.parametrize(
    ("widths", "n", "names", "moments"),
    [
        ((2, 3), 2.5, ["tanh"], (0.394294490398, 0.453275334344)),
        ((6, 9, 7), 7.5, ["tanh", "sign"], (1, 2.847772223688)),
        ((5, 6, 7, 4), 8, ["tanh", "erf", "tanh"], (0.193012342038, 0.243549177616)),
    ],
)
def test_moments(widths, n, names, moments):
    law = network(widths, names, n).conjugate_kernel().law()
    np.testing.assert_allclose([law.moment(1), law.moment(2)], moments, rtol=1e-11)
    np.testing.assert_allclose([law.expect(lambda x: x), law.expect(lambda x: x * x)], moments, rtol=1e-9)


# ---------------------------------------------------------------------- given weights
def formula(rows, columns, shift):
    i, j = np.arange(1.0, rows + 1)[:, None], np.arange(1.0, columns + 1)
    return np.sqrt(2) * np.cos(0.7 * i * i + 1.3 * j * j + 0.9 * i * j + shift)


OMEGA = np.array([0.5, 0.8, 1, 1.2, 1.5])
WEIGHTS = [formula(7, 5, 0) / 5**0.5, formula(6, 7, 1) / 7**0.5]
PSI = [-0.016903650895, 0.097599745133, 0.029693650868, 0.166871161205, -0.087691033223, -0.123397269660]


@pytest.mark.parametrize(
    ("mode", "values"),
    [
        ("mean", (1.6637287515609, 0.9779620692198, -0.0436685909026)),
        ("neuron", (1.6573152725978, 0.9889671598918, -0.0016564457755)),
    ],
)
def test_linearised_covariance(mode, values):
    found = rmt.linearise(WEIGHTS, ["tanh", "erf"], OMEGA, psi=np.full(5, 0.3), mode=mode)
    omega = found.covariance
    np.testing.assert_allclose([np.trace(omega), np.linalg.norm(omega), omega[0, 1]], values, rtol=0, atol=2e-13)
    if mode == "neuron":
        np.testing.assert_allclose(found.cross, PSI, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("order", "trace", "cross"),
    [(1, 1.0389332985, 0.2753597358), (2, 1.0565215744, 0.2668130206), (6, 1.0569503116, 0.2667062620)],
)
def test_joint_recursion_with_a_teacher(order, trace, cross):
    teacher = ([formula(4, 5, 2) / 5**0.5], ["relu"])
    found = rmt.linearise(WEIGHTS, ["relu", "tanh"], OMEGA, order=order, teacher=teacher)
    assert np.trace(found.centred) == pytest.approx(trace, abs=1e-10)
    assert np.linalg.norm(found.cross) == pytest.approx(cross, abs=1e-10)
    assert np.trace(found.teacher_centred) == pytest.approx(1.1194888949, abs=1e-10)


# ---------------------------------------------------------------------- closed form
def test_one_layer_is_the_random_features_formula():
    """L = 1, Omega_0 = I is the formula of S. Mei, A. Montanari (2022), with chi = nu_1 nu_2 from their fixed point."""
    p, n, lam, energy, noise = 1.5, 1.25, 0.1, 2 / np.pi, 1.0 - 2 / np.pi + 0.1
    features = rmt.DeepFeatures(["tanh"], [p], n)
    layer = features.layers[0]
    zeta2 = layer.gain / layer.rest
    bar = lam / (n * layer.rest)
    nu1 = nu2 = 1j * (p * n * bar) ** 0.5 * 1e3
    # continue from far up the imaginary axis, where the iteration contracts, to the wanted point
    for height in np.geomspace(1e3, 1.0, 40):
        xi = 1j * height * (p * n * bar) ** 0.5
        for _ in range(400):
            nu1 = 0.5 * nu1 + 0.5 * p / (-xi - nu2 - zeta2 * nu2 / (1 - zeta2 * nu1 * nu2))
            nu2 = 0.5 * nu2 + 0.5 * n / (-xi - nu1 - zeta2 * nu1 / (1 - zeta2 * nu1 * nu2))
    chi = (nu1 * nu2).real
    c, z2, z4, z6 = chi, zeta2, zeta2**2, zeta2**3
    e0 = -(c**5) * z6 + 3 * c**4 * z4 + (p * n - n - p + 1) * c**3 * z6 - 2 * c**3 * z4 - 3 * c**3 * z2
    e0 += (p + n - 3 * p * n + 1) * c**2 * z4 + 2 * c**2 * z2 + c**2 + 3 * p * n * c * z2 - p * n
    e1 = n * c**3 * z4 - n * c**2 * z2 + p * n * c * z2 - p * n
    e2 = c**5 * z6 - 3 * c**4 * z4 + (p - 1) * c**3 * z6 + 2 * c**3 * z4 + 3 * c**3 * z2
    e2 += (-p - 1) * c**2 * z4 - 2 * c**2 * z2 - c**2
    wanted = energy * e1 / e0 + noise * (e2 / e0) + noise
    errors = rmt.deep_ridge_errors(features, "sign(x)", lam=lam, noise=0.1**0.5)
    assert errors.test == pytest.approx(wanted, rel=1e-9)


def test_a_gap_whose_kappa_runs_through_the_mean_of_two_equal_atoms():
    """There tr Omega / (Omega + kappa) = 1 and the forward map is 0/0; the gap was lost when that was a grid point."""
    two = rmt.Discrete([0.1, 3], [0.5, 0.5])
    model = rmt.DeepFeatures(
        ["x"], widths=[1.5], alpha=2, population=two, structures=[rmt.Discrete([0.2, 2], [0.5, 0.5])]
    )
    law = model.law()
    assert law.edges.size == 4
    low, high = law.edges[1:3]
    # just outside of the gap m has an imaginary part of sqrt(distance), inside it has none
    m = rmt.solve(model.equation(), [low - 1e-8, low + 1e-8, high - 1e-8, high + 1e-8]).m
    assert np.all(m.imag[[0, 3]] > 1e-4) and np.all(np.abs(m.imag[[1, 2]]) < 1e-9)
    np.testing.assert_allclose(np.ptp(law.cdf([low, high])), 0.0, atol=1e-12)
