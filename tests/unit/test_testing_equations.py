"""`check_equation` passes equations of laws, of every family, and names what is wrong with others."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from profiles import quick

import rmtsolve as rmt
import rmtsolve.testing as rmt_testing
from rmtsolve.measures.base import Atoms
from rmtsolve.testing import activations, check_equation, ensembles, targets

H = rmt.Discrete([1, 3, 10], [0.5, 0.3, 0.2])
WEIGHTS = np.array([0.6, 0.4])
COUPLING = np.array([[0.5, 2.0], [2.0, 0.3]]) * WEIGHTS

RIGHT = {
    "semicircle": lambda: rmt.Equation(lambda z, m: -1 / (z + m)),
    "vector": lambda: rmt.Equation(
        lambda z, m: -1 / (z[:, None] + m @ COUPLING.T), lambda z, m: m @ WEIGHTS, shape=(2,)
    ),
    "matrix": lambda: rmt.Equation(
        lambda z, m: -np.linalg.inv(z[:, None, None] * np.eye(2) + [[0, 1], [1, 0]] + m), shape=(2, 2)
    ),
    "covariance": rmt.SampleCovariance(H, 0.5).equation,
    "atom at zero": rmt.SampleCovariance(H, 2.0).equation,
    "deformed": rmt.DeformedWigner(H, 0.5).equation,
    "free poisson": rmt.CompoundFreePoisson(rmt.Discrete([-1, 2], [0.5, 0.5]), 1.5).equation,
}


@pytest.mark.parametrize("name", RIGHT)
def test_equations_of_laws_pass(name):
    check_equation(RIGHT[name](), examples=6)


class Family(rmt.Equation):
    """The semicircle with knowledge of its own, right or wrong."""

    def __init__(self, **knowledge):
        super().__init__(lambda z, m: -1 / (z + m), name="planted")
        self.knowledge = knowledge

    def find_edges(self):
        return self.knowledge.get("edges")

    def find_atoms(self):
        return self.knowledge.get("atoms")

    def cumulative(self, x, state):
        return self.knowledge["cdf"](x) if "cdf" in self.knowledge else None

    def sweep(self, z, start=None):
        from rmtsolve.equations.base import Sweep

        if "factor" not in self.knowledge:
            return None
        m = self.knowledge["factor"] * 0.5 * (-z + np.sqrt(z - 2) * np.sqrt(z + 2))
        zero = np.zeros(z.size)
        return Sweep(m, zero.astype(np.int64), zero.astype(np.int64), zero, zero + 1e-15)


def semicircle_cdf(x):
    return 0.5 + x * np.sqrt(4 - x * x) / (4 * np.pi) + np.arcsin(x / 2) / np.pi


def test_a_family_that_knows_the_truth_passes():
    edges = np.array([-2.0, 2.0])
    check_equation(Family(edges=edges, cdf=semicircle_cdf, factor=1.0), examples=5)


NO_ATOM = Atoms(np.array([0.5]), np.array([0.1]))
WRONG = {
    "edge too far": (lambda: Family(edges=np.array([-2.0, 2.2])), "edges: .* no density"),
    "edge too near": (lambda: Family(edges=np.array([-2.0, 1.9])), "edges: .*density"),
    "edges in disorder": (lambda: Family(edges=np.array([2.0, -2.0])), "ascending order"),
    "claimed atom": (lambda: Family(atoms=NO_ATOM), "atoms: .* claims mass 0.1"),
    "cdf": (lambda: Family(edges=np.array([-2.0, 2.0]), cdf=lambda x: x / 4 + 0.5), "cumulative"),
    "solver": (lambda: Family(factor=1 + 1e-6), "methods: Newton and Auto must agree"),
    "sign": (lambda: rmt.Equation(lambda z, m: -1 / (z - m)), "variance of the law comes out negative"),
    "convention": (lambda: rmt.Equation(lambda z, g: 1 / (z - g)), "form: .* Im m > 0"),
    "mass": (lambda: rmt.Equation(lambda z, m: -1 / (z + m), lambda z, m: 2 * m), "law: .* scale the readout"),
    "jacobian": (
        lambda: rmt.Equation(lambda z, m: -1 / (z + m), jacobian=lambda z, m: -1 / (z + m) ** 2),
        "form: .* derivative of step",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_planted_mistakes_are_named(name):
    make, words = WRONG[name]
    with pytest.raises(AssertionError, match=words):
        check_equation(make(), examples=5)


def test_bad_arguments():
    with pytest.raises(rmt.DomainError, match="equation must be an Equation"):
        check_equation(lambda z, m: m)
    with pytest.raises(rmt.DomainError, match="rtol must be"):
        check_equation(rmt.Equation(lambda z, m: -1 / (z + m)), rtol=0)


@quick(10)
@given(model=ensembles(), sigma=activations(), target=targets())
def test_strategies_draw_valid_arguments(model, sigma, target):
    assert isinstance(model, rmt.Ensemble)
    assert np.isfinite(model.law().moment(2))
    assert np.isfinite(sigma.energy())
    assert target.energy() > 0


def test_the_package_works_without_hypothesis():
    code = (
        "import sys; sys.modules['hypothesis'] = None\n"
        "import rmtsolve.testing as t\n"
        "try:\n    t.check_solver\n"
        "except ImportError as error:\n    print(error)\n"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "rmtsolve.testing needs hypothesis: pip install 'rmtsolve[test]'"
    with pytest.raises(AttributeError, match="no attribute 'check_everything'"):
        rmt_testing.check_everything()
