"""Laws of which only the transform is given as a function: bounded support, slopes at the support, messages."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose

import rmtsolve as rmt
from rmtsolve.measures.base import NO_ATOMS, Atoms
from rmtsolve.measures.stieltjes_law import StieltjesLaw


@pytest.mark.parametrize(
    "transform",
    [
        lambda z: -1 / (z + 1j),
        lambda z: -1 / (z - 5e3 + 1e3j),
        lambda z: -1 / (z + 1e-6j),
        lambda z: -(z + 2j) / (z + 1j) ** 2,  # density (2/pi)/(1 + x^2)^2
    ],
    ids=["Cauchy", "wide", "narrow", "Student"],
)
def test_unbounded_support_is_refused_before_work_starts(transform):
    calls = 0

    def counted(z):
        nonlocal calls
        calls += z.size
        return transform(z)

    with pytest.raises(rmt.DomainError, match=r"bounded support.*tail like a power"):
        rmt.free_add(counted, rmt.Discrete([0, 1]))
    assert calls < 10_000


def found(monkeypatch, support, atoms=NO_ATOMS):
    monkeypatch.setattr(
        "rmtsolve.measures.stieltjes_law.find_pieces", lambda m: (np.array(support, dtype=float).reshape(-1, 2), atoms)
    )


def test_a_support_whose_ends_were_missed_is_refused(monkeypatch):
    found(monkeypatch, [[-2.0, 1.5]])
    with pytest.raises(rmt.DomainError, match=r"bounded support.*beyond the ends -2 and 1\.5"):
        StieltjesLaw(rmt.Semicircle().stieltjes)


@pytest.mark.parametrize("weight", [0.3, 1e-5])
def test_a_piece_that_was_missed_is_refused(monkeypatch, weight):
    """The mass left of a gap is counted apart from the search."""

    def transform(z):
        return weight * rmt.Semicircle(0.01).stieltjes(z) + (1 - weight) * rmt.Semicircle(0.01, 3.0).stieltjes(z)

    at = np.array([0.2, 2.8, 3.2])
    found(monkeypatch, [[-0.2, 0.2], [2.8, 3.2]])
    assert StieltjesLaw(transform).edges.tolist() == [-0.2, *at]
    found(monkeypatch, [[2.8, 3.2]], Atoms(np.array([-0.25]), np.array([weight / 2])))
    with pytest.raises(rmt.DomainError, match="edges and atoms were found that hold"):
        StieltjesLaw(transform)


def mixture(*parts):
    """Stieltjes transform of a mixture, as a function."""
    return lambda z: sum(weight * law.stieltjes(z) for weight, law in parts)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("heavy", [0.0, -3.0, 21.7])
@pytest.mark.parametrize("weight", [0.3, 1e-3, 1e-5])
def test_light_bulks_beside_a_heavy_atom_are_found(weight, heavy, scale):
    parts = (
        (1 - weight, rmt.Discrete([heavy])), (0.5 * weight, rmt.Semicircle(0.04, 4.0)),
        (0.2 * weight, rmt.Uniform(5.0, 7.0)), (0.1 * weight, rmt.Discrete([8.0])),
        (0.2 * weight, rmt.MarchenkoPastur(0.25).shifted(9.0)),
    )  # fmt: skip
    law = StieltjesLaw(mixture(*((share, part.scaled(scale)) for share, part in parts)))
    assert_allclose(law.edges / scale, [3.6, 4.4, 5.0, 7.0, 9.25, 11.25], rtol=0.0, atol=1e-7)
    order = np.argsort([heavy, 8.0])
    assert_allclose(law.atoms.locations / scale, np.array([heavy, 8.0])[order], rtol=1e-14)
    assert_allclose(law.atoms.weights, np.array([1 - weight, 0.1 * weight])[order], rtol=0.0, atol=1e-12)
    x = np.array([4.1, 5.0 + 1e-6, 6.0, 10.0]) * scale
    exact = sum(share * part.scaled(scale).density(x) for share, part in parts)
    assert_allclose(law.density(x), exact, rtol=1e-6)


@pytest.mark.parametrize("ratio", [2.0, 10.0, 20.0, 37.0, 1e3])
def test_functions_with_a_heavy_atom_at_zero_count_as_their_laws(ratio):
    known = rmt.MarchenkoPastur(ratio)
    pairs = [
        (rmt.free_add(law, rmt.Discrete([0, 1])), rmt.free_power(law, 1.5),
         rmt.free_multiply(law, rmt.Discrete([1, 2])), rmt.free_multiply(law, rmt.Uniform(1, 2)))
        for law in (lambda z: known.stieltjes(z), known)
    ]  # fmt: skip
    for given, exact in zip(*pairs, strict=True):
        assert_allclose(given.edges, exact.edges, rtol=1e-11, atol=1e-11)
        assert given.atoms.locations.tolist() == exact.atoms.locations.tolist()  # 0 is 0
        assert_allclose(given.atoms.weights, exact.atoms.weights, rtol=1e-12)
        x = exact.edges[:2].mean()
        assert_allclose(given.density(x), exact.density(x), rtol=1e-10)
        assert_allclose(given.cdf(1e9), 1.0, rtol=1e-15)


def test_atoms_of_functions_are_where_they_are():
    law = StieltjesLaw(lambda z: 0.4 / (0 - z) + 0.3 / (1 - z) + 0.3 / (3 - z))
    assert law.atoms.locations.tolist() == [0.0, 1.0, 3.0]
    for given in (lambda z: 0.4 / (0 - z) + 0.3 / (1 - z) + 0.3 / (3 - z), rmt.Discrete([0, 1, 3], [0.4, 0.3, 0.3])):
        product = rmt.free_multiply(given, rmt.Uniform(1, 2))
        assert product.atoms.locations.tolist() == [0.0]
        assert_allclose(product.atoms.weights, [0.4])
        assert_allclose(product.edges, [1.172571, 1.786123, 3.608711, 5.434660], atol=1e-6)
    for at in (-6.1e4, 5e-7, 3.3):
        assert StieltjesLaw(rmt.Discrete([at]).stieltjes).atoms.locations.tolist() == [at]


def test_edges_at_zero_are_zero():
    """A law on the positive axis must not get a negative end from the rounding of the search."""
    for law in (rmt.MarchenkoPastur(1.0), rmt.Arcsine(0, 1), rmt.Uniform(0, 1), rmt.Uniform(0, 3e-5)):
        assert StieltjesLaw(lambda z, law=law: law.stieltjes(z)).edges[0] == 0.0
    near = rmt.MarchenkoPastur(0.999)  # edge 2.5e-7
    assert_allclose(StieltjesLaw(near.stieltjes).edges, near.edges, rtol=0.0, atol=4e-9)  # 1e-9 of the width


def test_transform_next_to_edges_and_atoms():
    """At real points m' > 0, however near, and right to the last digits of the distance from an atom."""
    law = StieltjesLaw(mixture((0.02, rmt.Semicircle(0.02, 3.3)), (0.98, rmt.Discrete([19.0]))))
    steps = np.geomspace(1e-15, 1e-3, 40)
    for z in (law.edges[0] - steps, law.edges[1] + steps, 19 - steps, 19 + steps):
        points = z[~np.isin(z, [*law.edges, 19.0])].astype(complex)
        m, slope = law._stieltjes(points), law._stieltjes_derivative(points)
        assert not m.imag.any()
        assert not slope.imag.any()
        assert (slope.real > 0.0).all()
        if abs(z[0] - 19) < 1.0:
            assert_allclose(m * (19.0 - points), 0.98, atol=1e-3)
            assert_allclose(slope * (19.0 - points) ** 2, 0.98, rtol=1e-6)


@pytest.mark.parametrize("scale", [25.993580492260783, 1.0])
def test_a_function_whose_pole_is_a_rounding_off_its_atom(scale):
    """Next to the atom m and m' are those of one pole; the edges must not stop there."""
    parts = (
        (0.0054, rmt.Semicircle(0.04, 1.4)), (0.0086, rmt.Uniform(10.0, 10.578406660069044)),
        (0.986, rmt.Discrete([20.0])),
    )  # fmt: skip
    law = StieltjesLaw(lambda z: mixture(*parts)(z / scale) / scale)
    steps = np.geomspace(1e-14, 0.01, 40) * 20.0 * scale
    for z in (law.atoms.locations[0] + steps, law.atoms.locations[0] - steps):
        m, slope = law._stieltjes(z.astype(complex)).real, law._stieltjes_derivative(z.astype(complex)).real
        assert_allclose(slope / m**2, 1 / 0.986, rtol=1e-3)
    # 0.986/2 of the mass is left at 20, that of the bulks is in the bulks
    product = rmt.free_multiply(law.transform, rmt.Discrete([0, 1]))
    assert_allclose(product.expect(np.ones_like), 1.0, rtol=1e-9)
    assert product.edges[-1] < 17.0 * scale


@pytest.mark.parametrize("far", [10.0, 1e3])
def test_long_but_bounded_tails_pass(far):
    """The density 1/x^2 on [1, far] falls like a power, and ends."""
    law = rmt.Continuous(lambda x: x**-2.0 / (1 - 1 / far), (1, far))
    assert_allclose(StieltjesLaw(law.stieltjes).edges, [1.0, far], rtol=0.0, atol=1e-9 * far)


def test_slopes_over_and_beside_a_bulk_that_ends_in_jumps():
    uniform = rmt.Uniform(-1, 1)
    law = StieltjesLaw(uniform.stieltjes)
    z = np.array([0.3, 0.99, 1.001, 0.5 + 1e-6j, 0.5 + 0.01j, 0.2 + 0.5j, 3.0, -0.9 + 0.1j, 1 + 1e-3j], dtype=complex)
    assert_allclose(law._stieltjes_derivative(z), uniform._stieltjes_derivative(z), rtol=1e-10)


def test_a_transform_of_a_law_with_jumps_is_used_without_a_warning():
    uniform = rmt.Uniform(-1, 1)
    x = [-0.5, 0.5, 1.0, 1.4]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pairs = [(rmt.free_add(f, rmt.Discrete([0, 1])), rmt.free_power(f, 2.5)) for f in (uniform.stieltjes, uniform)]
        for given, known in zip(*pairs, strict=True):
            assert_allclose(given.edges, known.edges, atol=1e-10)
            assert_allclose(given.density(x), known.density(x), atol=1e-10)


@pytest.mark.parametrize("scale", [2.9e-6, 1.0, 7e3])
@pytest.mark.parametrize("ends", [(-1, 1), (-6, -1.1499051302444157)])
def test_hard_edges_that_are_known_to_rounding(ends, scale):
    """Between a hard edge and where it was found m must not fall from infinity."""
    law, other = rmt.Arcsine(*ends).scaled(scale), rmt.Discrete([1, 3]).scaled(scale)
    given = rmt.free_add(lambda z: law.stieltjes(z), other)
    assert_allclose(given.edges, rmt.free_add(law, other).edges, rtol=1e-10)


def test_bulks_far_from_the_mean_make_no_false_bulks():
    """Next to an edge N is read outside the bulk, wherever the mean of the law is."""
    semicircle = mixture((0.02, rmt.Semicircle(0.02, 3.3)), (0.98, rmt.Discrete([19.0])))
    arcsine = mixture((0.02, rmt.Arcsine(3, 3.57)), (0.98, rmt.Discrete([19.0])))
    other = rmt.MarchenkoPastur(0.5)
    assert_allclose(rmt.free_add(semicircle, other).edges, [3.9302397, 4.6152914, 19.0900582, 21.8917127], atol=1e-7)
    assert_allclose(rmt.free_multiply(arcsine, other).edges, [0.990812, 1.7172962, 1.7899101, 54.9465865], atol=1e-6)


TEXTBOOK = {  # formulas that cancel far from the law, and inverse square roots
    "semicircle": (lambda z: (-z + np.sqrt(z - 2) * np.sqrt(z + 2)) / 2, rmt.Semicircle()),
    "arcsine": (lambda z: -1 / np.sqrt(z - 1) / np.sqrt(z - 3), rmt.Arcsine(1, 3)),
    "Marchenko-Pastur": (
        lambda z: (0.5 - z + np.sqrt(z - (1 - 0.5**0.5) ** 2) * np.sqrt(z - (1 + 0.5**0.5) ** 2)) / z,
        rmt.MarchenkoPastur(0.5),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTBOOK)
def test_formulas_of_textbooks(name):
    formula, law = TEXTBOOK[name]
    given = StieltjesLaw(formula)
    z = law.edges.mean() + 0.1 * np.ptp(law.edges) * np.array([19 + 1j, 21 + 1j, -300, 1e6j, 1e12 + 1e12j])
    assert_allclose(given.stieltjes(z), law.stieltjes(z), rtol=1e-13)
    assert_allclose(given._stieltjes_derivative(z), law._stieltjes_derivative(z), rtol=1e-12)
    w = np.array([-0.1, 0.1, -0.01, 0.1j, -0.05 + 0.2j, 0.3])
    assert_allclose(rmt.r_transform(formula, w), rmt.r_transform(law, w), rtol=1e-12, atol=1e-12)
    known = [law.free_cumulant(k) for k in range(1, 6)]
    assert_allclose(rmt.law_free_cumulants(formula, 5), known, rtol=1e-12, atol=1e-13)


def test_limits_of_the_inverse_are_infinite_at_hard_edges():
    formula, law = TEXTBOOK["arcsine"]
    assert_allclose(rmt.r_transform(formula, [-50.0, 1e3]), rmt.r_transform(law, [-50.0, 1e3]), rtol=1e-9)
    with pytest.raises(rmt.DomainError, match=r"the limit is 1$"):
        rmt.r_transform(TEXTBOOK["semicircle"][0], 1.1)


LAWS = [rmt.MarchenkoPastur(0.5), rmt.MarchenkoPastur(5.0), rmt.Uniform(1, 2), rmt.Discrete([1, 3])]


@pytest.mark.parametrize("law", LAWS, ids=repr)
def test_transforms_of_functions(law):
    def given(z):
        return law.stieltjes(z)

    points = np.array([0.01, 0.1 + 0.1j, -3.0])
    assert_allclose(rmt.psi_transform(given, points), rmt.psi_transform(law, points), rtol=1e-10)
    points = np.array([0.01, -0.1, 0.1 + 0.05j])
    assert_allclose(rmt.r_transform(given, points), rmt.r_transform(law, points), rtol=1e-10)
    points = np.array([-0.05, -0.1, 0.01 + 0.02j])
    assert_allclose(rmt.s_transform(given, points), rmt.s_transform(law, points), rtol=1e-10)
    assert_allclose(rmt.law_free_cumulants(given, 5), rmt.law_free_cumulants(law, 5), rtol=1e-9, atol=1e-10)
    ratio = 5.0 if law == LAWS[1] else 0.5
    z = [1 + 1j, -2.0]
    assert_allclose(rmt.companion(given, ratio).stieltjes(z), rmt.companion(law, ratio).stieltjes(z), rtol=1e-10)


@pytest.mark.parametrize("value", [None, "x", 1.0, [1, 2], {}, np.zeros((2, 2)), int], ids=repr)
@pytest.mark.parametrize(
    "call",
    [
        lambda law: rmt.psi_transform(law, 0.1),
        lambda law: rmt.r_transform(law, 0.1),
        lambda law: rmt.s_transform(law, 0.1),
        lambda law: rmt.law_free_cumulants(law, 3),
        lambda law: rmt.companion(law, 0.5),
    ],
    ids=["psi", "R", "S", "cumulants", "companion"],
)
def test_transforms_of_anything_else_are_refused(call, value):
    with pytest.raises(rmt.DomainError, match=r"^measure must be a Measure, or a Stieltjes transform"):
        call(value)


@pytest.mark.parametrize("call", [rmt.free_cumulants, rmt.moments_from_free_cumulants])
def test_sequences_that_are_none_are_refused(call):
    for value in (np.array("a"), np.array(1.0), 3, "12"):
        with pytest.raises(rmt.DomainError, match="must be a sequence of numbers"):
            call(value)
    assert call(x for x in (1, 1)) == call([1, 1])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: rmt.r_transform(rmt.Discrete([-1, 1]), 1j), "^w must .* got 1j$"),
        (lambda: rmt.psi_transform(rmt.Uniform(1, 2), 0.7), "^t must be such that 1/t is off the support.* got 0.7$"),
        (lambda: rmt.psi_transform(rmt.Discrete([1, 2]), [0.1, 0.5]), "^t must .* got 0.5$"),
    ],
)
def test_messages_of_transforms_name_what_was_given(call, words):
    with pytest.raises(rmt.DomainError, match=words) as caught:
        call()
    assert "boundary" not in str(caught.value)
