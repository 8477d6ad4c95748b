"""Laws of which only the transform is given as a function: bounded support, slopes at the support, messages."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose

import rmtsolve as rmt
from rmtsolve.equations.stieltjes_law import StieltjesLaw


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


def test_a_support_whose_ends_were_missed_is_refused(monkeypatch):
    law = StieltjesLaw(rmt.Semicircle().stieltjes)
    monkeypatch.setattr("rmtsolve.measures.inversion.find_support", lambda m: np.array([[-2.0, 1.5]]))
    with pytest.raises(rmt.DomainError, match=r"bounded support.*beyond the ends -2 and 1\.5"):
        law.edges  # noqa: B018  the search runs at the first use


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
