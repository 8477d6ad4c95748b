"""Replicas: the same numbers whoever computes them, and Ctrl-C loses nothing."""

from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest

import rmtsolve as rmt
from rmtsolve.errors import DomainError
from rmtsolve.simulate.replicas import Interrupted

MODEL = rmt.SampleCovariance(rmt.Discrete([1, 4], [0.5, 0.5]), ratio=0.5)


def simulate(workers=1, trials=5, **more):
    return rmt.simulate_spectrum(MODEL, 30, trials, np.random.default_rng(3), workers=workers, **more)


def test_shape_order_and_read_only():
    rows = simulate()
    assert rows.shape == (5, 30)
    assert (np.diff(rows, axis=1) >= 0).all()
    assert len(np.unique(rows[:, 0])) == 5
    with pytest.raises(ValueError, match="read-only"):
        rows[0, 0] = 0.0


def test_numbers_do_not_depend_on_workers():
    # processes may use other thread counts in the linear algebra, hence rounding
    assert np.allclose(simulate(), simulate(workers=2), rtol=1e-12, atol=0)
    assert np.array_equal(simulate(), simulate(workers=map))
    with ThreadPoolExecutor(2) as pool:
        assert np.array_equal(simulate(), simulate(workers=pool.map))
    with joblib.parallel_config(backend="threading"):
        assert np.array_equal(simulate(), simulate(workers=3))


def test_numbers_do_not_depend_on_trials():
    assert np.array_equal(simulate(trials=2), simulate(trials=5)[:2])


def test_same_generator_gives_new_replicas():
    rng = np.random.default_rng(3)
    first, second = (rmt.simulate_spectrum(MODEL, 30, 2, rng) for _ in range(2))
    assert not np.isclose(first, second).all()


def test_progress_goes_to_standard_error(capsys):
    simulate(progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "5/5" in err or "/5" in err


class Interrupting:
    """An ensemble whose third sample is interrupted from the keyboard."""

    def __init__(self):
        self.count = 0

    def sample(self, size, rng):
        self.count += 1
        if self.count == 3:
            raise KeyboardInterrupt
        return np.diag(np.arange(size) + self.count)


def test_ctrl_c_keeps_the_finished_replicas():
    with pytest.raises(Interrupted, match="2 of 9 replicas finished") as stop:
        rmt.simulate_spectrum(Interrupting(), 4, 9, np.random.default_rng(0))
    assert np.array_equal(stop.value.eigenvalues, [[1, 2, 3, 4], [2, 3, 4, 5]])
    assert isinstance(stop.value, KeyboardInterrupt)


class Fixed:
    def __init__(self, matrix):
        self.matrix = matrix

    def sample(self, size, rng):
        return self.matrix


def test_complex_matrices():
    assert np.allclose(
        rmt.simulate_spectrum(Fixed(np.array([[0, 1j], [-1j, 0]])), 2, 1, np.random.default_rng(0)), [-1, 1]
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 0}, "size must be an integer >= 1"),
        ({"size": 10.0}, "size must be an integer"),
        ({"size": 10**6}, "size must be small enough"),
        ({"trials": 0}, "trials must be an integer >= 1"),
        ({"trials": 10**12}, "trials must be small enough"),
        ({"rng": 3}, "rng must be a numpy.random.Generator"),
        ({"workers": 0}, "workers must be an integer >= 1"),
        ({"workers": "all"}, "workers must be an integer >= 1"),
        ({"alpha": 2.0}, "alpha must be left out"),
        ({"ensemble": rmt.Semicircle()}, "ensemble must be an Ensemble"),
        ({"ensemble": Fixed(np.ones((2, 3)))}, "ensemble must be one whose sample has shape"),
        ({"ensemble": Fixed(np.full((10, 10), np.nan))}, "ensemble must be one whose samples are finite"),
    ],
)
def test_bad_input(change, message):
    arguments = {"ensemble": MODEL, "size": 10, "trials": 2, "rng": np.random.default_rng(0)} | change
    with pytest.raises(DomainError, match=message):
        rmt.simulate_spectrum(**arguments)
