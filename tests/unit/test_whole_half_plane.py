"""Maps without a law are refused wherever they are solved; maps of laws without an invariant domain are not."""

import numpy as np
import pytest

import rmtsolve as rmt
from rmtsolve.equations.domains import Domain
from rmtsolve.equations.herglotz import whole
from rmtsolve.equations.probe import gauged, profile

X = np.linspace(-3.03, 3.11, 61)
WHOLE = "not the map of a law"


def powers(*coefficients):
    """Coefficients of m, m^2, ... as a function."""

    def series(m):
        total = 0 * m
        for c in coefficients[::-1]:
            total = (total + c) * m
        return total

    return series


# R-transforms R with -1/m - R(m) not univalent: branch points of m above the axis, found as roots of 1 = m^2 R'(m)
NO_LAWS = {
    "cubic cumulant, 1.52+0.20i": powers(1, 0.32),
    "cubic cumulant, beyond 27^(-1/2) by 1%": powers(1, 0.1944),
    "cubic cumulant, -0.25": powers(1, -0.25),
    "0.37+0.08i": powers(1, 0.1935, 0.2617),
    "-0.24+0.47i": powers(1, -0.1946, 0.4821),
    "0.128i": powers(1, 0, 0.3),
    "four cumulants": powers(1, 0.0448, -0.0932, -0.0619),
    "2.129+0.0047i": powers(1, -0.15977, 0.27426, 0.30301),
    # a jump of negative rate: the half-plane is left near the pole only
    "negative rate, 1.19+0.40i": lambda m: -(0.04461 + 0.03562 * m) / (1 + 3.37227 * m + 2.75989 * m**2),
    "negative rate, 1.45+0.06i": lambda m: (
        (0.29239 + 0.78352 * m - 0.47266 * m**2 - 0.43765 * m**3) / (1 - 0.47266 * m - 0.43765 * m**2)
    ),
}
# free cumulants of laws that are not infinitely divisible, and forms that keep no half-plane
LAWS = {
    "cubic cumulant": lambda z, m: -1 / (z + m + 0.15 * m**2),
    "four cumulants": lambda z, m: -1 / (z + m + 0.05 * m**2 - 0.02 * m**3 + 0.01 * m**4),
    "atom at zero": lambda z, m: 1 / (1 - 3 - 3 * z * m - z),
    "atom at zero with a root beside": lambda z, m: -0.75 / z + 0.25 / ((1 - 4.5) - 4.5 * z * m - z),
}


@pytest.mark.parametrize("name", NO_LAWS)
def test_a_map_without_a_law_is_refused_at_every_height(name):
    r = NO_LAWS[name]
    eq = rmt.Equation(lambda z, m: -1 / (z + r(m)))
    for height in (0.0, 0.02, 0.1, 0.5):
        sol = rmt.solve(eq, X + 1j * height, throw=False)
        assert not (sol.status == rmt.Status.CONVERGED).any()
        certificate = sol.certificate()
        assert not (certificate.status == rmt.Status.CONVERGED).any()
        if (sol.status == rmt.Status.NOT_CERTIFIED).any():
            assert WHOLE in sol.explain()
            assert WHOLE in certificate.remark
    with pytest.raises(rmt.ConvergenceError, match=WHOLE):
        rmt.solve(eq, [0.3 + 0.5j])


@pytest.mark.parametrize("name", NO_LAWS)
def test_a_map_without_a_law_gives_no_measure(name):
    r = NO_LAWS[name]
    law = rmt.SolvedMeasure(rmt.Equation(lambda z, m: -1 / (z + r(m))))
    with pytest.raises(rmt.RMTError, match=WHOLE):
        _ = law.edges
    with pytest.raises(rmt.RMTError, match=WHOLE):
        rmt.SolvedMeasure(rmt.Equation(lambda z, m: -1 / (z + r(m))), edges=[-2.0, 2.0]).density(0.1)


def test_a_map_without_a_law_is_refused_in_other_forms():
    r = NO_LAWS["cubic cumulant, 1.52+0.20i"]
    forms = [
        rmt.Equation(lambda z, u: z + r(-1 / u), lambda z, u: -1 / u, start=lambda z: z),
        rmt.Equation(lambda z, s: np.stack([-1 / (z + s[:, 1]), r(s[:, 0])], 1), lambda z, s: s[:, 0], shape=(2,)),
        rmt.Equation(
            lambda z, s: -np.linalg.inv((z + r(np.trace(s, axis1=1, axis2=2) / 2))[:, None, None] * np.eye(2)),
            shape=(2, 2),
        ),
    ]
    for eq in forms:
        for height in (0.0, 0.02):
            sol = rmt.solve(eq, X + 1j * height, throw=False)
            assert not (sol.status == rmt.Status.CONVERGED).any()


@pytest.mark.parametrize("name", LAWS)
def test_laws_without_a_domain_pass(name):
    eq = rmt.Equation(LAWS[name])
    assert profile(eq).domain is Domain.NONE
    assert whole(gauged(eq), profile(eq)).doubt == ""
    assert rmt.solve(eq, X + 0.02j).certificate().ok


def test_the_cubic_cumulant_is_a_law_up_to_its_threshold():
    # R = m + c m^2: 1 = m^2 + 2 c m^3 has a double root where c = 1/sqrt(27), beyond it a pair of complex ones
    threshold = 27**-0.5
    for share, lawful in ((0.9, True), (0.99, True), (1.01, False), (1.1, False)):
        eq = rmt.Equation(lambda z, m, c=share * threshold: -1 / (z + m + c * m**2))
        assert rmt.solve(eq, X + 0.05j, throw=False).ok == lawful


def test_a_root_beside_an_atom_is_not_taken_for_the_branch():
    # near 0 there is -h0/z beside -(1 - 1/c)/z; the path to an atom must not change over
    t, h, c = np.array([0.0, 1.0]), np.array([0.75, 0.25]), np.exp(1.5)
    eq = rmt.Equation(lambda z, m: (h / (t * (1 - c - c * z * m)[:, None] - z[:, None])).sum(axis=1))
    assert whole(gauged(eq), profile(eq)).doubt == ""
    assert rmt.solve(eq, [2.1 + 0j, 0.05 + 0.01j]).ok
