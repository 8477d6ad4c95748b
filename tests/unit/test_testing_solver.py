"""`check_solver` finds every planted fault and passes what is right."""

import numpy as np
import pytest

import rmtsolve as rmt
from rmtsolve.testing import check_solver

H = rmt.Discrete([1, 3, 10], [0.5, 0.3, 0.2])
MODEL = rmt.SampleCovariance(H, ratio=0.5)
RIGHT = MODEL.law().stieltjes
WHITE = rmt.SampleCovariance([1.0], ratio=0.5)


def root(sign):
    def solver(z):
        z = np.asarray(z, dtype=complex)
        low, high = (1 - 0.5**0.5) ** 2, (1 + 0.5**0.5) ** 2
        return (0.5 - z + sign * np.sqrt(z - low) * np.sqrt(z - high)) / z

    return solver


def principal(z):
    """The square root of the product: wrong on the left half of the plane."""
    z = np.asarray(z, dtype=complex)
    return (0.5 - z + np.sqrt((z - 1.5) ** 2 - 2)) / z


def biased(eta):
    return lambda z: RIGHT(np.asarray(z) + 1j * eta * np.sign(np.imag(z)))


def one_point(z):
    if np.ndim(z):
        raise TypeError("one number, please")
    return complex(RIGHT(z))


def test_right_solvers_pass():
    check_solver(RIGHT, ensemble=MODEL, examples=25)
    check_solver(root(1), ensemble=WHITE, examples=25)
    check_solver(one_point, examples=10, center=9.0, scale=9.0)


@pytest.mark.parametrize("model", [rmt.Wigner(2.0), rmt.SampleCovariance(H, 2.0)], ids=repr)
def test_right_solvers_of_other_models_pass(model):
    check_solver(model.law().stieltjes, ensemble=model, examples=15)


FAULTS = {
    "wrong branch": (root(-1), WHITE, "Herglotz"),
    "principal root": (principal, WHITE, "Herglotz"),
    "opposite sign": (lambda z: -RIGHT(z), MODEL, "Herglotz"),
    "bias in eta": (biased(1e-3), MODEL, "mean: .* Im z"),
    "tiny bias in eta": (biased(1e-5), MODEL, "mean|value"),
    "mass": (lambda z: 0.999 * RIGHT(z), MODEL, "mass: .* 0.999"),
    "p and n exchanged": (rmt.SampleCovariance(H, 2.0).law().stieltjes, MODEL, "value"),
    "companion": (MODEL.companion().stieltjes, MODEL, "value"),
    "one side only": (lambda z: RIGHT(np.where(np.imag(z) < 0, np.conj(z), z)), MODEL, "conjugate symmetry"),
    "wiggle": (lambda z: RIGHT(z) * (1 + 1e-3 * np.sin(np.real(z))), MODEL, "bound|Pick"),
    "order": (lambda z: RIGHT(z) * (1 - 1e-4 * np.arange(np.size(z))), MODEL, "order"),
    "shifted": (lambda z: RIGHT(np.asarray(z) - 1e-4), MODEL, "value"),
    "not finite": (lambda z: np.where(np.abs(np.imag(z)) < 0.1, np.nan, RIGHT(z)), MODEL, "finite"),
    "raises": (lambda z: 1 / 0, MODEL, "ZeroDivisionError"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_planted_faults_are_found_and_named(name):
    solver, model, words = FAULTS[name]
    with pytest.raises(AssertionError, match=words) as caught:
        check_solver(solver, ensemble=model, examples=20)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 400


def test_faults_are_found_without_an_ensemble():
    for solver, words in ((lambda z: 0.999 * RIGHT(z), "mass"), (biased(1e-3), "mean"), (root(-1), "Herglotz")):
        with pytest.raises(AssertionError, match=words):
            check_solver(solver, examples=30)


def test_a_wrong_ratio_sign_is_found():
    def solver(z):
        # m = 1/(1 - c - c z m - z) with c = -0.5, the root nearest to the law of one half
        z = np.atleast_1d(np.asarray(z, dtype=complex))
        return np.array([min(np.roots([-0.5 * w, w - 1.5, 1]), key=lambda r: abs(r + 1 / w)) for w in z])

    with pytest.raises(AssertionError):
        check_solver(solver, ensemble=WHITE, examples=20)


def test_scaling_is_checked_when_a_family_is_given():
    def family(factor):
        return rmt.Semicircle(variance=factor**2).stieltjes

    check_solver(family(1.0), scaled=family, examples=15)
    with pytest.raises(AssertionError, match=r"scaling: 0\.25 times the matrix"):
        check_solver(family(1.0), scaled=lambda factor: rmt.Semicircle(variance=factor).stieltjes, examples=15)


def test_the_sampled_matrices_judge_the_ensemble():
    """A sampler that does not follow its law is found by Monte Carlo alone."""

    class Misfit(rmt.SampleCovariance):
        def sample(self, size, rng):
            return 1.2 * super().sample(size, rng)

    with pytest.raises(AssertionError, match="Monte Carlo: 8 sampled matrices of size 200"):
        check_solver(RIGHT, ensemble=Misfit(H, 0.5), examples=5, size=200)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: check_solver(3), "solver must be"),
        (lambda: check_solver(RIGHT, ensemble="MP"), "ensemble must be"),
        (lambda: check_solver(RIGHT, scale=0.0), "scale must be"),
        (lambda: check_solver(RIGHT, examples=0), "examples must be"),
        (lambda: check_solver(RIGHT, size=1), "size must be"),
        (lambda: check_solver(RIGHT, rtol=0), "rtol must be"),
        (lambda: check_solver(RIGHT, rng=3), "rng must be"),
        (lambda: check_solver(RIGHT, scaled=3), "scaled must be"),
    ],
)
def test_bad_arguments(call, words):
    with pytest.raises(rmt.DomainError, match=words):
        call()
