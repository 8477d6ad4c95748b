"""Every public function gets malformed input: a typed error that names the argument, nothing executed, no warning."""

import numpy as np
import pytest

import rmtsolve as rmt

NAN, INF = float("nan"), float("inf")
HOSTILE = "__import__('pathlib').Path('executed').touch()"
NOT_NUMBERS = ["x", None, 1j, [], {}, object(), [1, 2], HOSTILE]
POSITIVE = [*NOT_NUMBERS, NAN, INF, -INF, -1, 0, -1e-300]
NON_NEGATIVE = [*NOT_NUMBERS, NAN, INF, -INF, -1, -1e-300]
FINITE = [*NOT_NUMBERS, NAN, INF, -INF]
COUNT = [*NOT_NUMBERS, NAN, INF, -1, 1.5, "3", 10**30]
ATOMS = ["x", None, 1j, [], {}, [NAN], [INF], [1, "x"], [[1], [2]], [1j], object(), HOSTILE]
WEIGHTS = ["x", 1j, [], [0.5], [0.5, 0.6], [1.5, -0.5], [NAN, 1], [1j, 1], [[0.5, 0.5]], {}, HOSTILE]
POINTS = ["x", None, {}, [NAN], [INF], [object()], HOSTILE]
LAWS = ["x", None, 1j, 3.0, {}, object(), HOSTILE]
TEXTS = [
    HOSTILE, "", "   ", "relu(", "relu)", "nonsense", "x**x**x**x**x", "x +", "__class__", "().__class__", "x.real",
    "lambda x: x", "x if x else x", "[x for x in x]", "x; x", "import os", "exec('x')", "eval('x')", "open('x')",
    "x" * 200_000, "(" * 5_000 + "x" + ")" * 5_000, "9" * 10_000 + "*x", "10**10**10*x", "x**1000000", "exp(x**2)",
    "tanh(x, x)", "y", "\x00", "ｘ=1", "f'{x}'", "x@x", "1/0", "True", 3, None, b"relu", ["relu"], {}, object(), 1j,
]  # fmt: skip

H = rmt.Discrete([1.0, 4.0], [0.5, 0.5])
LAW = rmt.MarchenkoPastur(0.5)
MODEL = rmt.SampleCovariance(H, ratio=0.5)
FEATURES = {"spikes": [1.5], "scales": [1.0], "fractions": [1.0], "alpha": 2, "beta": 1}
NETWORK = {"learning_rate": 1, "batch_ratio": 4, "width_ratio": 1, "readout": [1.0], "fractions": [1.0]}
RIDGE = {"target": "sin(x)", "alignment": 0.8, "noise": 0.2, "lam": 0.1}


def changed(function, base, key, *given):
    """The call of `function` with one keyword replaced."""
    return lambda value: function(*given, **(base | {key: value}))


def rng():
    return np.random.default_rng(0)


def tanh_features():
    return rmt.SpikedRandomFeatures("tanh", **FEATURES)


# what is called, the argument that the message must name, values that must be refused
TABLE = [
    ("Discrete", lambda v: rmt.Discrete(v), "atoms", ATOMS),
    ("Discrete", lambda v: rmt.Discrete([1, 2], v), "weights", WEIGHTS),
    ("Discrete.from_file", rmt.Discrete.from_file, "", ["missing.csv", "missing.npy", None, 3, "\x00", ""]),
    (
        "Discrete.from_matrix",
        rmt.Discrete.from_matrix,
        "matrix",
        ["x", None, [], [1, 2], [[1, 2]], [[NAN]], [[1, 2], [3, 4]]],
    ),
    ("Continuous", lambda v: rmt.Continuous(v, (0, 1)), "density", ["x", None, 3, [1], HOSTILE]),
    (
        "Continuous",
        lambda v: rmt.Continuous(lambda x: 1 + 0 * x, v),
        "support",
        ["x", None, (1, 0), (0, 0), (0, NAN), (0,)],
    ),
    ("Semicircle", lambda v: rmt.Semicircle(variance=v), "variance", POSITIVE),
    ("MarchenkoPastur", rmt.MarchenkoPastur, "ratio", POSITIVE),
    ("Wachter", lambda v: rmt.Wachter(v, 0.2), "c1", POSITIVE),
    ("Kesten", rmt.Kesten, "", [*NOT_NUMBERS, NAN, INF, 0, -2]),
    ("Uniform", lambda v: rmt.Uniform(0, v), "", [*FINITE, 0, -1]),
    ("density", LAW.density, "x", POINTS),
    ("density edge", lambda v: LAW.density(offset=1e-9, edge=v), "edge", [-1, 2, 1.5, "x", None]),
    ("cdf", LAW.cdf, "x", [*POINTS[:3], [NAN], [object()], 1j]),
    ("quantile", LAW.quantile, "q", [-0.1, 1.1, NAN, "x", None, 1j, {}]),
    ("stieltjes", LAW.stieltjes, "z", [*POINTS, 1.0]),
    ("moment", LAW.moment, "k", [*COUNT]),
    ("free_cumulant", LAW.free_cumulant, "k", [*COUNT, 0]),
    ("expect", LAW.expect, "f", ["x", None, 3, lambda x: "y", lambda x: x[:1], lambda x: x * NAN, lambda x: 1j * x]),
    ("rvs", lambda v: LAW.rvs(v, rng()), "size", ["x", -1, 1.5, None, NAN, 10**15]),
    ("rvs rng", lambda v: LAW.rvs(3, v), "rng", [None, 0, "x", np.random.RandomState(0)]),
    ("scaled", LAW.scaled, "", FINITE),
    ("shifted", LAW.shifted, "", FINITE),
    ("SampleCovariance", lambda v: rmt.SampleCovariance(v, ratio=0.5), "population", [*ATOMS, [-1.0], "x"]),
    ("SampleCovariance", lambda v: rmt.SampleCovariance(H, ratio=v), "ratio", POSITIVE),
    ("sample", lambda v: MODEL.sample(v, rng()), "size", ["x", None, -1, 0, 1.5, NAN, 10**9]),
    ("sample rng", lambda v: MODEL.sample(10, v), "rng", [None, 0, "x"]),
    ("DeformedWigner", lambda v: rmt.DeformedWigner(H, v), "variance", POSITIVE),
    ("Wigner", rmt.Wigner, "variance", POSITIVE),
    ("free_add", lambda v: rmt.free_add(LAW, v), "", LAWS),
    ("free_multiply", lambda v: rmt.free_multiply(LAW, v), "", LAWS),
    ("free_power", lambda v: rmt.free_power(LAW, v), "exponent", [*FINITE, 0, -1, 0.5]),
    ("free_compress", lambda v: rmt.free_compress(LAW, v), "tau", [*FINITE, 0, -1, 1.5]),
    ("SeparableCovariance", lambda v: rmt.SeparableCovariance(H, H, ratio=v), "ratio", POSITIVE),
    (
        "VarianceProfile",
        lambda v: rmt.VarianceProfile(v, fractions=[0.6, 0.4]),
        "",
        ["x", None, [[1]], [[1, -1], [-1, 1]], [[1, 2], [3, 4]], [[NAN, 1], [1, 1]]],
    ),
    (
        "SpikedCovariance",
        lambda v: rmt.SpikedCovariance(H, ratio=0.5, spikes=v),
        "spikes",
        ["x", None, [NAN], [-1], [1j], {}],
    ),
    ("InformationPlusNoise", lambda v: rmt.InformationPlusNoise(H, 1.0, v), "ratio", POSITIVE),
    (
        "polynomial_law",
        lambda v: rmt.polynomial_law(v, X=rmt.Wigner()),
        "",
        [*TEXTS[:24], "X*Y", "X**100000", "1j*X", "X/X"],
    ),
    ("polynomial_law letters", lambda v: rmt.polynomial_law("X", X=v), "X", ["x", None, 3, LAWS]),
    ("activation", rmt.activation, "", TEXTS),
    ("coefficients", lambda v: rmt.activation("relu").coefficients(v), "order", COUNT),
    (
        "conditional",
        lambda v: rmt.activation("relu").conditional(shift=0.0, scale=v, order=2),
        "scale",
        ["x", None, NAN, INF, -1, 1j],
    ),
    ("dual", lambda v: rmt.activation("relu").dual(v), "rho", ["x", None, NAN, 1.5, -1.5, 1j]),
    ("RandomFeatures", lambda v: rmt.RandomFeatures(v, 2, 1), "", TEXTS),
    ("RandomFeatures", lambda v: rmt.RandomFeatures("relu", v, 1), "alpha", POSITIVE),
    *[
        ("SpikedRandomFeatures", changed(rmt.SpikedRandomFeatures, FEATURES, key, "tanh"), key, values)
        for key, values in (
            ("spikes", ["x", None, [NAN], [1j], [], [1, 2], {}, HOSTILE]),
            ("scales", ["x", None, [NAN], [0.0], [-1.0], [], [1, 2], {}]),
            ("fractions", ["x", None, [0.5], [NAN], [], [0.5, 0.5], [-1.0], {}]),
            ("alpha", POSITIVE),
            ("beta", POSITIVE),
        )
    ],
    *[
        ("OneStepNetwork", changed(rmt.OneStepNetwork, NETWORK, key, "tanh", "sin(x)"), key, values)
        for key, values in (
            ("learning_rate", NON_NEGATIVE),
            ("batch_ratio", POSITIVE),
            ("width_ratio", POSITIVE),
            ("readout", ["x", None, [NAN], [INF], [], [1j], np.ones(9)]),
            ("fractions", ["x", None, [0.5], [NAN], [], [0.5, 0.5], {}]),
            ("noise", NON_NEGATIVE),
        )
    ],
    ("ridge_errors target", lambda v: rmt.ridge_errors(tanh_features(), **(RIDGE | {"target": v})), "", TEXTS[:24]),
    ("OneStepNetwork target", lambda v: rmt.OneStepNetwork("tanh", v, **NETWORK), "", TEXTS),
    *[
        ("ridge_errors", lambda v, key=key: rmt.ridge_errors(tanh_features(), **(RIDGE | {key: v})), key, values)
        for key, values in (
            ("lam", ["x", NAN, INF, -1, 1j, None, {}]),
            ("alignment", [*FINITE, 1.5, -1.5]),
            ("noise", NON_NEGATIVE),
            ("alpha", ["x", NAN, INF, -1, 0, 1j, {}]),
            ("p", ["x", NAN, -1, 0, 1j, {}]),
            ("target", [3, None, [], {}]),
        )
    ],
    ("Equation", rmt.Equation, "step", ["x", None, 3, {}, [], HOSTILE]),
    (
        "Equation shape",
        lambda v: rmt.Equation(lambda z, m: -1 / (z + m), shape=v),
        "shape",
        ["x", None, (0,), (2, 3), (1, 1, 1), (-1,), 3],
    ),
    ("solve", lambda v: rmt.solve(v, 1j), "equation", ["x", None, 3, LAW]),
    ("solve z", lambda v: rmt.solve(rmt.Equation(lambda z, m: -1 / (z + m)), v), "z", [*POINTS]),
    (
        "solve method",
        lambda v: rmt.solve(rmt.Equation(lambda z, m: -1 / (z + m)), 1j, v),
        "method",
        ["Newton", 3, object()],
    ),
    ("Newton", lambda v: rmt.Newton(tol=v), "tol", POSITIVE),
    ("HighPrecision", lambda v: rmt.HighPrecision(digits=v), "digits", [*COUNT, 0]),
    ("simulate_spectrum", lambda v: rmt.simulate_spectrum(v, 10, 1, rng()), "ensemble", ["x", None, LAW]),
    ("simulate_spectrum size", lambda v: rmt.simulate_spectrum(MODEL, v, 1, rng()), "size", COUNT),
    ("simulate_spectrum trials", lambda v: rmt.simulate_spectrum(MODEL, 10, v, rng()), "trials", [*COUNT, 0]),
    (
        "simulate_spectrum workers",
        lambda v: rmt.simulate_spectrum(MODEL, 10, 1, rng(), workers=v),
        "workers",
        ["x", 0, -1, 1.5, None],
    ),
    ("simulate_spectrum rng", lambda v: rmt.simulate_spectrum(MODEL, 10, 1, v), "rng", [None, 0, "x"]),
    ("compare", lambda v: rmt.compare(v, [1.0, 2.0]), "measure", LAWS),
    ("compare eigenvalues", lambda v: rmt.compare(LAW, v), "eigenvalues", ["x", None, [], [NAN], [1j], {}, [[[1.0]]]]),
    ("InformationPlusNoise noise", lambda v: rmt.InformationPlusNoise(H, v, 0.5), "noise", [*FINITE, -1]),
    ("FMatrix", lambda v: rmt.FMatrix(H, v, 0.2), "ratio1", POSITIVE),
    ("Manova", lambda v: rmt.Manova(H, 0.5, v), "ratio2", POSITIVE),
    ("WishartProduct", rmt.WishartProduct, "ratios", ["x", None, [], [0.0], [-1.0], [NAN], [1j], {}]),
    ("SpikedWigner", lambda v: rmt.SpikedWigner(H, 1.0, v), "spikes", ["x", None, [NAN], [1j], {}]),
    ("SpikedRectangular", lambda v: rmt.SpikedRectangular(0.5, v), "spikes", ["x", None, [NAN], [-1.0], [1j], {}]),
    ("DeepFeatures", lambda v: rmt.DeepFeatures("tanh", v, 1.0), "widths", ["x", None, [], [0.0], [-1], [NAN], [1j]]),
    ("DeepFeatures alpha", lambda v: rmt.DeepFeatures("tanh", [1.0], v), "alpha", POSITIVE),
    ("DeepFeatures activation", lambda v: rmt.DeepFeatures([v], [1.0], 1.0), "activations", TEXTS[:24]),
    ("linear_ridge_errors", lambda v: rmt.linear_ridge_errors(v, [1.0], 2, 3, 1), "", ["x", None, [[NAN]], [-1.0], {}]),
    ("target", rmt.target, "", TEXTS[:24]),
    ("load_data", rmt.load_data, "", ["missing.npz", "", "\x00", None, 3]),
    ("run_study", rmt.run_study, "", ["missing", "missing.toml", ""]),
    ("run_ridge_study", lambda v: rmt.run_ridge_study(v, [1.0], 0.1), "", ["missing", "marchenko-pastur"]),
    ("load_model", rmt.load_model, "", ["missing", "missing.toml", "", "../secret", "\x00", "/dev/null/x.toml"]),
]  # fmt: skip

CASES = [
    pytest.param(call, argument, value, id=f"{title}-{k}")
    for title, call, argument, values in TABLE
    for k, value in enumerate(values)
]


def test_the_table_is_long():
    assert len(CASES) >= 600


@pytest.mark.parametrize(("call", "argument", "value"), CASES)
def test_refused(call, argument, value, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((ValueError, TypeError)) as caught:  # warnings are errors, so none leaks either
        call(value)
    assert isinstance(caught.value, rmt.RMTError), f"{type(caught.value).__name__}: {caught.value}"
    assert argument in str(caught.value), str(caught.value)
    assert len(str(caught.value)) < 1000, "a message, not a dump of the input"
    assert not list(tmp_path.iterdir()), "something was executed"


def test_toml_bombs(tmp_path):
    bombs = {
        "deep": "a = " + "[" * 50_000,
        "dotted": ".".join("a" * 20_000) + " = 1",
        "long": "kind = '" + "x" * 3_000_000 + "'",
        "digits": "kind = " + "9" * 50_000,
        "binary": "\x00\x01",
        "keys": "\n".join(f"k{i} = {i}" for i in range(50_000)),
        "hostile": f'kind = "sample-covariance"\n[parameters]\natoms = "{HOSTILE}"\nratio = 0.5',
        "activation": f'kind = "random-features"\n[parameters]\nactivation = "{HOSTILE}"\nalpha = 1\nbeta = 1',
    }
    for name, text in bombs.items():
        path = tmp_path / f"{name}.toml"
        path.write_text(text)
        with pytest.raises(rmt.ModelError, match=name):
            rmt.load_model(path)
    assert not (tmp_path / "executed").exists()
