"""Values of make_spiked_classical.py and of the closed forms, to 1e-10 or better."""

import math
import pathlib

import numpy as np
import pytest

import rmtsolve as rmt

LINES = pathlib.Path(__file__).with_name("spiked_classical.txt").read_text(encoding="utf-8").splitlines()[1:]
ROWS = [[part.strip() for part in line.split("|")] for line in LINES]


def near(value, wanted, tol=1e-13):
    assert abs(value - wanted) <= tol * max(1.0, abs(wanted)), (value, wanted)


def law_and_point(family, text):
    parts = text.split()
    z = complex(parts[-1])
    if family == "information":
        return rmt.InformationPlusNoise([0, 2], float(parts[0]), float(parts[1])).law(), z
    if family == "product":
        return rmt.WishartProduct([float(c) for c in parts[0].split(",")]).law(), z
    population = [1, 4] if family == "fmatrix" else [0, 1, 4]
    return rmt.FMatrix(population, float(parts[0]), float(parts[1])).law(), z


def outlier(family, text):
    spike = float(text)
    if family.startswith("rectangular"):
        model = rmt.SpikedRectangular(ratio=0.5, spikes=[spike], bulk=rmt.Discrete([1, 9]))
        return next(one for one in model.outliers() if ("in the gap" if "gap" in family else "above") in one.label)
    if family == "wigner":
        return rmt.SpikedWigner([-2, 2], variance=0.25, spikes=[spike]).outliers()[0]
    if family == "covariance gap":
        return rmt.SpikedCovariance([1, 30], ratio=0.1, spikes=[spike]).outliers()[0]
    return rmt.SpikedCovariance(rmt.Discrete([1, 3], [0.6, 0.4]), ratio=0.5, spikes=[spike]).outliers()[0]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: " ".join(row[:2]))
def test_table(row):
    family, text, *numbers = row
    wanted = [float(x) for x in numbers]
    if family in ("information", "fmatrix", "fmatrix zero", "product"):
        law, z = law_and_point(family, text)
        near(law.stieltjes(z), complex(*wanted))
        return
    one = outlier(family, text)
    near(one.location, wanted[0])
    near(np.atleast_1d(one.overlap)[0], wanted[1], 1e-12)
    near(one.overlap[1] if isinstance(one.overlap, tuple) else one.variance, wanted[2], 1e-12)


def test_values_of_the_note():
    law = rmt.InformationPlusNoise([0, 2], 1.0, 0.5).law()
    near(law.density(1.0), 0.28569649673682508)
    near(law.density(5.0), 0.079042602986390589)
    near(law.stieltjes(-1.0), 0.43956936010663796)
    law = rmt.FMatrix([1], 0.5, 0.2).law()
    np.testing.assert_allclose(law.edges, [0.079385408620364447, 4.9206145913796356], rtol=1e-14)
    near(law.density(1.0), 0.34556367307617577)
    law = rmt.WishartProduct([1, 1]).law()
    assert law.edges[1] == pytest.approx(27 / 4, rel=1e-15)
    near(law.density(1.8829172847388668), 0.099735395758727333)
    model = rmt.SpikedCovariance(rmt.Discrete([1, 3], [0.6, 0.4]), ratio=0.5, spikes=[8])
    near(model.outliers()[0].location, 9.3028571428571429)
    near(model.outliers()[0].overlap, 0.79276939276939277)
    near(model.outliers()[0].variance, 118.00032653061224)
    near(model.threshold, 4.3598317622590286)
    (one,) = rmt.SpikedRectangular(ratio=0.5, spikes=[1.5]).outliers()
    near(one.location, 3.9722222222222222)
    near(one.overlap[0], 0.73737373737373737)
    near(one.overlap[1], 0.62393162393162393)


def test_fuss_catalan():
    """Density of Penson and Zyczkowski for two factors, moments and edges for any number."""
    x = np.array([1e-6, 1e-3, 0.1, 1.0, 3.0, 6.0, 6.74])
    root = 27 + 3 * np.sqrt(81 - 12 * x)
    top = 2 ** (1 / 3) * root ** (2 / 3) - 6 * x ** (1 / 3)
    wanted = 2 ** (1 / 3) * math.sqrt(3) / (12 * math.pi) * top / (x ** (2 / 3) * root ** (1 / 3))
    np.testing.assert_allclose(rmt.WishartProduct([1, 1]).law().density(x), wanted, rtol=1e-11)
    for k in (1, 2, 3, 7):
        law = rmt.WishartProduct(np.ones(k)).law()
        near(law.edges[1], (k + 1) ** (k + 1) / k**k, 1e-14)
        for n in (1, 2, 5):
            near(law.moment(n), math.comb((k + 1) * n, n) / (k * n + 1), 1e-14)


def test_white_limits_are_the_named_laws():
    x = np.array([0.2, 1.0, 2.5])
    pairs = [
        (rmt.WishartProduct([0.5]).law(), rmt.MarchenkoPastur(0.5)),
        (rmt.InformationPlusNoise([0], 1.5, 0.5).law(), rmt.MarchenkoPastur(0.5, 2.25)),
        (rmt.InformationPlusNoise([0], 1.0, 2.0).law(), rmt.MarchenkoPastur(2.0)),
        (rmt.InformationPlusNoise([0], 1.0, 1.0).law(), rmt.MarchenkoPastur(1.0)),
        (rmt.InformationPlusNoise(rmt.MarchenkoPastur(0.5), 1.0, 0.5).law(), rmt.MarchenkoPastur(0.5, 2.0)),
    ]
    for law, named in pairs:
        np.testing.assert_allclose(law.density(x), named.density(x), atol=1e-12)
        np.testing.assert_allclose(law.edges, named.edges, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(law.cdf(x), named.cdf(x), atol=1e-10)


def test_general_code_of_the_f_matrix_against_wachter_and_jacobi():
    """The law of the equation, and not the shortcut."""
    from rmtsolve.equations.two_samples_law import TwoSamplesLaw

    for c1, c2 in ((0.5, 0.2), (2.0, 0.4)):
        composed = TwoSamplesLaw(rmt.FMatrix([1], c1, c2).equation(), "composed")
        named = rmt.Wachter(c1, c2)
        x = named.edges[0] + np.array([0.01, 0.3, 0.9]) * (named.edges[1] - named.edges[0])
        np.testing.assert_allclose(composed.density(x), named.density(x), rtol=1e-11)
        np.testing.assert_allclose(composed.edges, named.edges, rtol=1e-11)
        image = TwoSamplesLaw(rmt.Manova([1], c1, c2).equation(), "composed")
        np.testing.assert_allclose(image.edges, rmt.Jacobi(c1, c2).edges, rtol=1e-13)
    # A (A + B)^-1 from both sides
    one = rmt.Manova([1, 4], 0.5, 0.25).law()
    two = rmt.Manova([0.25, 1], 0.25, 0.5).law().scaled(-1.0).shifted(1.0)
    x = np.array([0.3, 0.6, 0.8])
    np.testing.assert_allclose(one.density(x), two.density(x), rtol=1e-10)
