"""Every law obeys the battery of `rmtsolve.testing.check_measure`; others add their solved laws to `MEASURES`."""

import numpy as np
import pytest

from rmtsolve import (
    Arcsine,
    CompoundFreePoisson,
    Continuous,
    DeformedWigner,
    Discrete,
    FreePoisson,
    Jacobi,
    Kesten,
    MarchenkoPastur,
    SampleCovariance,
    Semicircle,
    TwoPoint,
    Uniform,
    Wachter,
    companion,
    free_multiply,
    free_power,
)
from rmtsolve.measures.base import Measure
from rmtsolve.testing.measures import MEASURE_CHECKS


class OnlyTransform(Measure):
    """A law that knows its transform and edges and nothing else: every fallback of `Measure` is used."""

    def __init__(self, law):
        self.law = law

    def __repr__(self):
        return f"OnlyTransform({self.law!r})"

    @property
    def edges(self):
        return self.law.edges

    @property
    def atoms(self):
        return self.law.atoms

    def _stieltjes(self, z):
        return self.law._stieltjes(z)


def exponential(x):
    return np.exp(-x)


def tent(x):
    return np.where(x < 1, x, 2 - x)


def half_uniform(x):
    return np.full(x.shape, 0.5)


MEASURES = [
    Discrete([2.5]),
    Discrete([0, 1, 3], [0.2, 0.3, 0.5]),
    Discrete(np.random.default_rng(5).lognormal(size=1000)),
    TwoPoint(-1, 1, 0.25),
    Semicircle(),
    Semicircle(variance=2e-3, mean=-40.0),
    MarchenkoPastur(0.25),
    MarchenkoPastur(1.0, 3.0),
    MarchenkoPastur(0.998),
    MarchenkoPastur(5.0, 1e-3),
    MarchenkoPastur(1e-4),
    FreePoisson(0.3, -2.0),
    FreePoisson(7.0, 1e5),
    Wachter(0.5, 0.2),
    Wachter(2.0, 0.7),
    Wachter(1.0, 0.4),
    Wachter(1e-3, 0.5),
    Jacobi(1.0, 1.0),
    Jacobi(0.5, 0.3),
    Jacobi(1.4, 1.2),
    Jacobi(0.4, 1.0),
    Kesten(2),
    Kesten(3),
    Kesten(17.5),
    Arcsine(-1, 3),
    Uniform(-1, 1),
    Uniform(100, 100.5),
    Continuous(half_uniform, (1, 3)),
    Continuous(tent, [(0, 1), (1, 2)]),
    Continuous(MarchenkoPastur(0.5).density, MarchenkoPastur(0.5).edges),
    Continuous(lambda x: 0.5 * half_uniform(x), [(-3, -2), (1, 4)]),
    Continuous(exponential, (0, np.inf)),
    OnlyTransform(Semicircle()),
    OnlyTransform(MarchenkoPastur(3.0)),
    OnlyTransform(Jacobi(0.4, 1.0)),
    OnlyTransform(Uniform(1, 2)),
    MarchenkoPastur(0.25).series(),
    Jacobi(1.4, 1.2).series(),
    Arcsine(0, 2).series(),
    MarchenkoPastur(2.0).scaled(-3.0).shifted(1.0),
    OnlyTransform(FreePoisson(0.5)).scaled(-1.0),
    companion(Wachter(0.5, 0.2), 0.5),
    companion(Wachter(2.0, 0.7), 2.0),
    SampleCovariance(Discrete([1, 3, 10], [0.5, 0.3, 0.2]), 0.5).law(),
    SampleCovariance(Discrete([1, 3, 10], [0.5, 0.3, 0.2]), 1.0).law(),
    SampleCovariance(Discrete([0, 1, 5], [0.25, 0.25, 0.5]), 3.0).companion(),
    SampleCovariance([1, 4], 0.4127650913690617).law(),
    SampleCovariance(Uniform(1, 3), 0.1).law(),
    SampleCovariance([1e-70, 3e-70], 0.5).law(),
    CompoundFreePoisson([-1, 2], 0.3).law(),
    DeformedWigner([-1, 1], 0.64).law(),
    DeformedWigner([-1, 1], 1.0).law(),
    DeformedWigner(Uniform(-2, 1), 0.2).law(),
    free_power(Discrete([-1, 0, 1], [0.25, 0.5, 0.25]), 2.0),  # density |x|^(-1/3) inside its bulk
    free_multiply(MarchenkoPastur(0.3), MarchenkoPastur(0.5), Uniform(1, 2)),
]


@pytest.mark.parametrize("check", MEASURE_CHECKS, ids=lambda c: c.__name__)
@pytest.mark.parametrize("measure", MEASURES, ids=repr)
def test_measure(measure, check):
    check(measure)
