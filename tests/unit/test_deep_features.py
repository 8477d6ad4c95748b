"""DeepFeatures and its conjugate kernel: parameters, limits of layers, finite networks, refusals."""

import numpy as np
import pytest

import rmtsolve as rmt
from rmtsolve.equations.deep_nodes import law_nodes

VARIANCES = [0.25, 1.0, 2.0]


@pytest.mark.parametrize(
    ("name", "gain", "rest"),
    [
        ("tanh", [0.826483856567628, 0.605705509602159, 0.480024254336051],
         [0.00274725214064692, 0.0274153260354303, 0.0591291761621843]),
        ("erf", [2 / np.sqrt(np.pi * (1 + 2 * v)) for v in VARIANCES],
         [(2 / np.pi) * np.arcsin(2 * v / (1 + 2 * v)) - 4 * v / (np.pi * (1 + 2 * v)) for v in VARIANCES]),
        ("sign", [np.sqrt(2 / (np.pi * v)) for v in VARIANCES], [1 - 2 / np.pi] * 3),
        ("relu", [0.5] * 3, [v * (0.25 - 1 / (2 * np.pi)) for v in VARIANCES]),
        ("sin", [np.exp(-v / 2) for v in VARIANCES], [(1 - np.exp(-2 * v)) / 2 - v * np.exp(-v) for v in VARIANCES]),
    ],
)  # fmt: skip
def test_layers(name, gain, rest):
    for v, slope, b in zip(VARIANCES, gain, rest, strict=True):
        layer = rmt.DeepFeatures(name, [1.0], 1.0, population=[v]).layers[0]
        assert layer.variance == v
        assert np.sqrt(layer.gain) == pytest.approx(slope, rel=1e-12)
        assert layer.rest == pytest.approx(b, abs=1e-13)
        assert layer.mean == pytest.approx(np.sqrt(v / (2 * np.pi)) if name == "relu" else 0.0, abs=1e-15)


def test_variances_follow_the_layers():
    features = rmt.DeepFeatures(
        ["tanh", "relu"], [2.0, 1.0], 1.0, population=[0.4, 1.6], structures=[[3.0], [0.5, 1.5]]
    )
    one, two = features.layers
    assert one.variance == pytest.approx(3.0)
    assert two.variance == pytest.approx(one.gain * one.variance + one.rest)
    assert features.chain.moments[0][-1] == pytest.approx(two.gain * two.variance + two.rest)


def test_one_layer_is_random_features():
    deep, plain = rmt.DeepFeatures("relu", [1.0], 2.0), rmt.RandomFeatures("relu", alpha=2.0, beta=1.0)
    np.testing.assert_allclose(deep.law().edges, plain.law().edges, rtol=1e-9)
    x = np.array([0.1, 0.5, 1.2])
    np.testing.assert_allclose(deep.law().density(x), plain.law().density(x), rtol=1e-9)


def test_linear_layers_are_free_products_of_marchenko_pastur_laws():
    law = rmt.DeepFeatures("x", [0.5], 2.0).law()
    inner = rmt.SampleCovariance(rmt.DeepFeatures("x", [0.5], 2.0).feature_law(), ratio=0.25).law()
    z = np.array([0.5 + 0.1j, 2.0 + 0.5j])
    np.testing.assert_allclose(law.stieltjes(z), inner.stieltjes(z), rtol=1e-9)


@pytest.mark.parametrize("widths", [[0.5, 1.5], [1.5, 0.5], [2.0, 1.5]])
@pytest.mark.parametrize("alpha", [0.25, 1.0, 4.0])
def test_rank_of_linear_networks(widths, alpha):
    features = rmt.DeepFeatures("x", widths, alpha)
    rank = min(1.0, *widths, alpha)
    atoms = features.law().atoms
    assert atoms.weights.sum() == pytest.approx(1.0 - rank / widths[-1], abs=1e-12)
    kernel = features.conjugate_kernel().law().atoms
    assert kernel.weights.sum() == pytest.approx(1.0 - rank / alpha, abs=1e-12)
    matrix = features.sample(60, np.random.default_rng(0))
    values = np.linalg.eigvalsh(matrix)
    assert np.count_nonzero(values < 1e-10 * values[-1]) == pytest.approx(60 * (1.0 - rank / widths[-1]), abs=1.01)


def test_rank_is_lost_between_layers_only_without_rest():
    # 0.5 d features of a linear layer, then tanh: its nonlinear part has full rank, in an atom of the covariance at b
    features = rmt.DeepFeatures(["x", "tanh"], [0.5, 2.0], 4.0)
    assert features.law().atoms.weights.size == 0
    at, mass = features.feature_law().atoms
    assert at[0] == pytest.approx(features.layers[1].rest) and mass[0] == pytest.approx(0.75)


def test_several_bulks():
    law = rmt.DeepFeatures("erf(x/10)", [2.0], 400.0, population=rmt.Discrete([0.01, 10.0], [0.5, 0.5])).law()
    assert law.support.shape[0] >= 2
    masses = law.cdf(law.edges[1::2]) - law.cdf(law.edges[::2])
    assert masses.sum() == pytest.approx(1.0, abs=1e-10)
    assert (masses > 0.1).all()
    middle = 0.5 * (law.edges[1] + law.edges[2])
    assert law.cdf(law.edges[1]) == law.cdf(middle) == law.cdf(law.edges[2]) == pytest.approx(masses[0], abs=1e-12)
    assert law.cdf(law.edges[0] * 0.9) == 0.0 and law.cdf(law.edges[-1] * 1.1) == 1.0


def test_a_layer_without_linear_part_forgets():
    features = rmt.DeepFeatures(["tanh", "x**2 - 1", "tanh"], [1.0, 1.5, 2.0], 3.0)
    assert features.segments[-1].first == 2
    fresh = rmt.DeepFeatures("tanh", [2.0 / 1.5], 3.0 / 1.5, population=[features.layers[1].rest])
    np.testing.assert_allclose(features.law().edges, fresh.law().edges, rtol=1e-12)
    errors = rmt.deep_ridge_errors(features, "x", lam=0.1)
    assert errors.parts["linear part"] == pytest.approx(1.0)  # nothing of the input is left to fit
    assert rmt.deep_ridge_errors(features, "x", lam=0.1, layer=2).parts["linear part"] < features.layers[1].rest
    last = rmt.DeepFeatures(["tanh", "abs"], [1.0, 1.5], 3.0)
    assert last.feature_law() == rmt.Discrete([last.layers[-1].rest])
    rest = last.layers[-1].rest
    edges = last.conjugate_kernel().law().edges / rest
    np.testing.assert_allclose(edges, [(1 - np.sqrt(2.0)) ** 2, (1 + np.sqrt(2.0)) ** 2], rtol=1e-12)


def test_continuous_population():
    """Inputs of a Marchenko-Pastur covariance are a linear layer."""
    two = rmt.DeepFeatures(["x", "tanh"], [1.5, 1.2], 2.0)
    inputs = rmt.DeepFeatures("x", [1.5], 1.0).feature_law()
    one = rmt.DeepFeatures("tanh", [0.8], 2.0 / 1.5, population=inputs)
    z = np.array([0.5 + 0.1j, 0.01 + 1e-3j])
    np.testing.assert_allclose(one.law().stieltjes(z), two.law().stieltjes(z), rtol=1e-11)
    np.testing.assert_allclose(one.law().edges, two.law().edges, rtol=1e-10)
    nodes = law_nodes(inputs)
    assert nodes.w.sum() == pytest.approx(1.0, abs=1e-12)
    assert (nodes.rule == 0.0).sum() == 1  # the atom at zero


@pytest.mark.parametrize("widths", [[1.5], [0.7], [0.5, 2.0]])
def test_law_of_the_feature_covariance(widths):
    from rmtsolve.testing import check_measure

    features = rmt.DeepFeatures(["x", "tanh"][-len(widths) :], widths, 1.0)
    check_measure(features.feature_law())
    many = rmt.DeepFeatures(["x", "tanh"][-len(widths) :], widths, 1e9).law()  # n = infinity
    z = 0.5 + 0.2j
    assert many.stieltjes(z) == pytest.approx(features.feature_law().stieltjes(z), rel=1e-7)


def test_finite_sizes():
    features = rmt.DeepFeatures(["tanh", "erf"], [1.5, 0.7], 2.1, population=[0.5, 1.0, 2.0], structures=[None, [1, 3]])
    sizes = features.sizes(100)
    assert sizes == (143, 214, 100, 300)
    finite = features.finite(100)
    assert finite.ratio == pytest.approx(100 / 300)
    np.testing.assert_allclose(finite.widths, [214 / 143, 100 / 143])
    np.testing.assert_allclose(finite.population.weights * 143, [48, 48, 47])
    kernel = features.conjugate_kernel().finite(90)
    assert kernel.features.alpha == pytest.approx(90 / 43)
    assert features.sample(20, np.random.default_rng(1)).shape == (20, 20)
    assert features.conjugate_kernel().sample(20, np.random.default_rng(1)).shape == (20, 20)


def test_networks_are_centred_by_one_constant_a_layer():
    features = rmt.DeepFeatures(["relu", "softplus"], [2.0, 3.0], 1.0)
    network = features.network(300, np.random.default_rng(0))
    assert network.offsets == tuple(layer.mean for layer in features.layers)
    x = network.inputs(2000, np.random.default_rng(1))
    outputs = network.layers(x)
    assert [out.shape[1] for out in outputs] == [100, 200, 300]
    # the mean of one neuron fluctuates with its variance, by O(d^{-1/2})
    assert abs(outputs[1].mean()) < 0.05 and abs(outputs[2].mean()) < 0.05
    np.testing.assert_array_equal(network.features(x), outputs[-1])
    plain = rmt.DeepFeatures(["tanh", "relu"], [2.0, 3.0], 1.0, centred=False)
    assert plain.network(30, np.random.default_rng(0)).offsets == (0.0, 0.0)


def test_last_layer_with_a_mean():
    features = rmt.DeepFeatures(["tanh", "relu"], [1.0, 1.5], 2.0, centred=False)
    assert features.outliers() == ()
    (found,) = features.outliers(p=300)
    assert found.location == pytest.approx(300 * features.layers[-1].mean ** 2)
    top = np.linalg.eigvalsh(features.sample(300, np.random.default_rng(0)))[-2:]
    assert top[1] == pytest.approx(found.location, rel=0.05)  # relative order 1/p
    assert top[0] < 1.3 * features.law().edges[-1]
    (kernel,) = features.conjugate_kernel().outliers(p=400)  # n = 400, p = 300
    assert kernel.location == pytest.approx(found.location * 400 / 300)
    assert rmt.DeepFeatures("relu", [1.0], 1.0).outliers(p=100) == ()


def test_rotation_only_where_it_matters():
    generator = np.random.default_rng
    both = rmt.DeepFeatures("tanh", [1.0], 1.0, population=[0.5, 2.0], structures=[[0.5, 2.0]])
    rotation = both.network(20, generator(0)).rotation
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(20), atol=1e-12)
    assert rmt.DeepFeatures("tanh", [1.0], 1.0, population=[0.5, 2.0]).network(20, generator(0)).rotation is None


def test_repr():
    features = rmt.DeepFeatures(
        ["tanh", "erf"], [1.5, 1], 2, population=[1, 2], structures=[None, np.sqrt], centred=False
    )
    assert repr(features) == (
        "DeepFeatures(['tanh(x)', 'erf(x)'], widths=[1.5, 1.0], alpha=2, population=Discrete([1, 2], [0.5, 0.5]), "
        "structures=[None, sqrt], centred=False)"
    )
    assert repr(features.conjugate_kernel()).startswith("ConjugateKernel(DeepFeatures(")
    assert len(repr(rmt.DeepFeatures(["tanh"] * 60, np.ones(60), 1))) < 400


@pytest.mark.parametrize("name", ["deep-1", "deep-2", "deep-3"])
def test_shipped_models(name):
    model = rmt.load_model(name)
    assert len(model.ensemble.layers) == int(name[-1])
    assert model.ensemble.law().edges.size >= 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"widths": []}, "widths must be non-empty"),
        ({"widths": [1.0, 0.0]}, "widths must be finite and real > 0"),
        ({"widths": np.ones(65), "activations": "tanh"}, "widths must be at most 64 layers"),
        ({"activations": ["tanh"]}, "activations must be 2 functions, one a width"),
        ({"activations": ["tanh", "x - x + 1"]}, r"activations\[1\] must be a function that is not constant"),
        ({"alpha": 0.0}, "alpha must be a finite real number > 0"),
        ({"population": [-1.0, 1.0]}, r"population must be a law on \[0, inf\)"),
        ({"population": [0.0]}, "population"),
        ({"structures": [None]}, "structures must be 2 laws"),
        ({"structures": [None, [-1.0, 1.0]]}, r"structures\[1\] must be on \[0, inf\)"),
        ({"structures": [None, rmt.Semicircle()]}, r"structures\[1\] must be a Discrete law"),
        ({"structures": [None, lambda x: -x]}, r"structures\[1\] must be a function of eigenvalues"),
        ({"structures": [None, lambda x: 1.0]}, r"structures\[1\] must be a function of eigenvalues"),
        ({"centred": 1}, "centred must be True or False"),
        ({"activations": ["relu", "tanh"], "centred": False}, r"activations\[0\] must be of Gaussian mean zero"),
    ],
)
def test_refusals(change, message):
    arguments = {"activations": ["tanh", "erf"], "widths": [1.0, 1.0], "alpha": 1.0, **change}
    with pytest.raises(rmt.DomainError, match=message):
        rmt.DeepFeatures(**arguments)


def test_refusals_of_sizes():
    features = rmt.DeepFeatures("tanh", [50.0], 0.1)
    with pytest.raises(rmt.DomainError, match="size must be large enough"):
        features.sizes(20)
    with pytest.raises(rmt.DomainError, match="size must be large enough"):
        rmt.DeepFeatures("tanh", [0.01], 1.0).conjugate_kernel().sample(20, np.random.default_rng(0))
    with pytest.raises(rmt.DomainError, match="rng must be"):
        features.network(500, 0)
    with pytest.raises(rmt.DomainError, match="features must be DeepFeatures"):
        rmt.ConjugateKernel("tanh")
