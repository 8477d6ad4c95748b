"""What a letter adds to a free pencil, against other formulas: rho(w) = w - g(w)^{-1}, g(w) = int (w - s a)^{-1}."""

import mpmath as mp
import numpy as np
import pytest

import rmtsolve as rmt
from rmtsolve.equations.free_pencil import FreePencil

RNG = np.random.default_rng(5)
CORES = {
    "1": np.array([[-1.5]]),
    "2": np.array([[1.0, 0.3], [0.3, -2.0]]),
    "2, off the diagonal": np.array([[0.0, 1.0], [1.0, 0.0]]),
    "3": np.array([[1.0, 0.2, 0.1j], [0.2, -1.0, 0.4], [-0.1j, 0.4, 0.5]]),
}
LAWS = {
    "few atoms": rmt.Discrete([-1.0, 0.5, 2.0], [0.2, 0.5, 0.3]),
    "many atoms": rmt.Discrete(np.linspace(-1.0, 2.0, 25)),
    "covariance": rmt.SampleCovariance([1.0, 4.0], 0.5).law(),
    "covariance with zeros": rmt.SampleCovariance(rmt.Discrete([0.0, 1.0, 4.0], [0.3, 0.3, 0.4]), 2.0).law(),
    "critical covariance": rmt.SampleCovariance([1.0, 4.0], 1.0).law(),
    "large covariance": rmt.SampleCovariance([1e12, 4e12], 0.5).law(),
    "continuous population": rmt.SampleCovariance(rmt.Uniform(1.0, 2.0), 0.5).law(),
}


def one_letter(law, core):
    """A pencil whose only letter has the coefficient `core`."""
    k = len(core)
    return FreePencil(np.zeros((k, k), dtype=complex), np.ones(k), (), [(core.astype(complex), law)], np.ones(k) / k)


def wanted(law, core, w):
    """rho from the eigenvalues of ``a^{-1} w``, ``g = -m(a^{-1} w) a^{-1}``."""
    values, vectors = np.linalg.eig(np.linalg.solve(core, w))
    g = -(vectors * law.stieltjes(values, boundary=True)) @ np.linalg.inv(vectors) @ np.linalg.inv(core)
    return w - np.linalg.inv(g)


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("name", LAWS)
def test_rho_and_its_derivative(name, core):
    law, a = LAWS[name], CORES[core]
    solver = one_letter(law, a).solver
    letter = solver.letters[0]
    unit = 1e12 if name == "large covariance" else 1.0
    r = len(a)
    raw = RNG.normal(size=(6, r, r)) + 1j * RNG.normal(size=(6, r, r))
    w = unit * (raw + raw.conj().swapaxes(1, 2) + 1j * (raw @ raw.conj().swapaxes(1, 2) + 0.5 * np.eye(r)))
    rho, change = solver.pushes(w.reshape(6, -1), True)
    plain, empty = solver.pushes(w.reshape(6, -1), False)
    np.testing.assert_array_equal(plain, rho)
    assert empty.size == 0
    truth = np.array([wanted(law, letter.core, one) for one in w]).reshape(6, -1)
    # w - 1/g of the reference cancels as much as w is larger than rho
    lost = np.abs(w).max(axis=(1, 2)) / np.abs(truth).max(axis=1)
    assert np.all(np.abs(rho - truth).max(axis=1) <= 1e-12 * (1.0 + lost) * np.abs(truth).max(axis=1))
    direction = (RNG.normal(size=w.shape) + 1j * RNG.normal(size=w.shape)).reshape(6, -1)
    h = 1e-5 * unit  # truncation h^2 and rounding 1e-16/h are below 1e-9 of the derivative
    ends = [solver.pushes(w.reshape(6, -1) + sign * h * direction, False)[0] for sign in (1.0, -1.0)]
    along = np.einsum("nij,nj->ni", change.reshape(6, r * r, r * r), direction)
    np.testing.assert_allclose((ends[0] - ends[1]) / (2.0 * h), along, rtol=0.0, atol=1e-7 * np.abs(along).max())


@pytest.mark.parametrize("ratio", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("size", [1e-13, 1e-6, 1.0, 1e6])
def test_digits_next_to_the_hard_edge_and_far_away(ratio, size):
    """``f(p) = p + 1/m(p)`` to all digits, with u the root of ``p = u + c u sum h t/(u - t)`` to fifty digits."""
    solver = one_letter(rmt.SampleCovariance([1.0, 4.0], ratio).law(), np.eye(1)).solver
    for turn in (1j, 1.0 + 1.0j, -1.0 + 1e-6j):
        p = size * turn
        with mp.workdps(50):
            z, c = mp.mpc(p), mp.mpf(ratio)
            # u (u - 1)(u - 4) + c u (u - 4)/2 + 2 c u (u - 1) = p (u - 1)(u - 4)
            coefficients = [1, -5 + c / 2 + 2 * c - z, 4 - 4 * c + 5 * z, -4 * z]
            u = max(mp.polyroots(coefficients, maxsteps=500, extraprec=500), key=lambda root: root.imag)
            chi = sum(mp.mpf("0.5") * t / (u - t) for t in (1, 4))
            truth = complex(z * chi / (1 + chi))
        assert abs(solver.pushes(np.array([[p]]), False)[0].item() - truth) <= 1e-13 * abs(truth)


def test_points_below_the_axis_are_conjugate():
    solver = one_letter(LAWS["covariance"], np.eye(2)).solver
    w = np.array([[1.0 + 0.5j, 0.2, 0.2, 3.0 + 1j]])
    up = solver.pushes(w, True)
    down = solver.pushes(w.conj(), True)
    for a, b in zip(up, down, strict=True):
        np.testing.assert_allclose(b, a.conj(), rtol=1e-14)


def test_singular_unknowns_give_nan_and_nothing_else():
    for law in LAWS.values():
        solver = one_letter(law, CORES["2"]).solver
        u = np.array([[np.nan, 0.0, 0.0, 1.0], [2.0 + 1j, 0.1, 0.1, -1.0 - 1j]], dtype=complex)
        rho, change = solver.pushes(u, True)
        assert np.isnan(rho[0]).any()
        assert np.isfinite(rho[1]).all()
        assert np.isfinite(change[1]).all()
