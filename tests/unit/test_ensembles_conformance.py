"""Every ensemble of the package obeys `rmtsolve.testing.check_ensemble`: one line each."""

import numpy as np
import pytest

import rmtsolve as rmt
from rmtsolve.ensembles.base import Ensemble
from rmtsolve.measures.classical import Semicircle
from rmtsolve.testing import check_ensemble

TWO = rmt.Discrete([1, 3], [0.6, 0.4])

# laws whose values are cheap: the whole battery of `check_measure` too
QUICK = [
    rmt.SampleCovariance(TWO, ratio=0.5),
    rmt.SampleCovariance(rmt.Discrete([0, 1, 10]), ratio=2.0),
    rmt.CompoundFreePoisson([-1, 2], rate=1.5),
    rmt.Wigner(variance=2.0),
    rmt.DeformedWigner([-1, 1], variance=0.64),
    rmt.SpikedCovariance(TWO, ratio=0.5, spikes=[8]),
    rmt.SpikedWigner(spikes=[-3, 0.5, 2]),
    rmt.SpikedSum(rmt.Uniform(-1, 1), spikes=[2.0]),
    rmt.SpikedProduct(rmt.MarchenkoPastur(0.5), spikes=[4.0]),
    rmt.SpikedRectangular(ratio=0.5, spikes=[1.5]),
    rmt.SpikedRectangular(ratio=2.0, spikes=[3.0]),
    rmt.FMatrix([2], ratio1=0.5, ratio2=0.2),
    rmt.Manova([1], ratio1=1.5, ratio2=1.5),
    rmt.WishartProduct([0.5, 2.0]),
    rmt.InformationPlusNoise([0, 0, 5], noise=0.7, ratio=2.0),
]

# laws of systems, whose batteries run where they live: both faces against each other
SLOW = [
    rmt.SampleCovariance(rmt.Uniform(1, 3), ratio=0.5),
    rmt.WishartProduct([1, 1]),
    rmt.WishartProduct([2, 2, 0.5]),
    rmt.InformationPlusNoise([0, 2], noise=1.0, ratio=0.5),
    rmt.InformationPlusNoise([1, 2], noise=0.2, ratio=1.0),
    rmt.FMatrix([0, 1, 4], ratio1=0.5, ratio2=0.2),
    rmt.Manova([1, 4], ratio1=0.5, ratio2=1.5),
    rmt.SeparableCovariance([1, 4], [0.5, 2], ratio=0.5),
    rmt.RandomFeatures("relu", alpha=2, beta=1),
    rmt.SpikedRandomFeatures("tanh", spikes=[1.5], scales=[1.0], fractions=[1.0], alpha=2, beta=1),
    rmt.MatrixPolynomial("X*Y + Y*X", X=rmt.Wigner(), Y=rmt.Wigner()),
    rmt.MatrixPolynomial("X*D + D*X", X=rmt.Wigner(), D=TWO),
    rmt.LinearPencil([[0, 1], [1, 0]], {"X": [[1, 0], [0, -1]]}, X=rmt.Wigner()),
    rmt.VarianceProfile([[0.5, 2], [2, 0.3]], fractions=[0.6, 0.4], mean=[0, 1]),
    rmt.RectangularProfile([[1, 4], [0, 1]], 0.5),
    rmt.BandMatrix(0.2, blocks=10),
]


@pytest.mark.parametrize("ensemble", QUICK, ids=repr)
def test_both_faces_and_the_law(ensemble):
    check_ensemble(ensemble, size=150, replicas=4)


@pytest.mark.parametrize("ensemble", SLOW, ids=repr)
def test_both_faces(ensemble):
    check_ensemble(ensemble, size=150, replicas=3, measure=False)


class Wrong(Ensemble):
    """A Wigner matrix that is wrong in one chosen way."""

    def __init__(self, fault):
        self.fault = fault

    def equation(self):
        return rmt.Wigner(variance=1.1 if self.fault == "equation" else 1.0).equation()

    def law(self):
        return Semicircle()

    def sample(self, size, rng):
        matrix = rmt.Wigner().sample(size, rng)
        if self.fault == "spectrum":
            return matrix * 1.1
        if self.fault == "mean":
            return matrix + 0.15 * np.eye(size) * rng.choice([1.0])
        if self.fault == "support":
            matrix[0, 0] += 5.0
        if self.fault == "self-adjoint":
            matrix[0, 1] += 1.0
        if self.fault == "shape":
            return matrix[:-1, :-1]
        return matrix


@pytest.mark.parametrize("fault", ["equation", "spectrum", "support", "self-adjoint", "shape"])
def test_a_wrong_ensemble_is_caught(fault):
    with pytest.raises(AssertionError, match=fault):
        check_ensemble(Wrong(fault), size=100, replicas=3, measure=False)


def test_a_shifted_spectrum_is_caught():
    with pytest.raises(AssertionError):
        check_ensemble(Wrong("mean"), size=100, replicas=3, measure=False)


def test_only_ensembles_are_checked():
    with pytest.raises(rmt.DomainError, match="ensemble must be an Ensemble"):
        check_ensemble(3)
