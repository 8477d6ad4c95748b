"""Sweeps in chunks: every point once, in order, with the same numbers on one thread and on many."""

import numpy as np
import pytest

import rmtsolve as rmt
from rmtsolve.equations import chunks
from rmtsolve.equations.subordination import AdditiveEquation


@pytest.mark.parametrize("n", [0, 1, 255, 256, 257, 2000])
@pytest.mark.parametrize("pays", [0.0, np.inf])
def test_every_point_once(n, pays, monkeypatch):
    monkeypatch.setattr(chunks, "_PAYS", pays)
    monkeypatch.setattr(chunks, "_threads", lambda: 4)
    seen = np.zeros(n)

    def run(part):
        seen[part] += 1.0

    chunks.in_chunks(run, n)
    assert (seen == 1.0).all()


def test_errors_of_a_chunk_are_raised(monkeypatch):
    monkeypatch.setattr(chunks, "_PAYS", 0.0)
    monkeypatch.setattr(chunks, "_threads", lambda: 2)

    def run(part):
        if part.start == 512:
            raise ZeroDivisionError("the third")

    with pytest.raises(ZeroDivisionError, match="third"):
        chunks.in_chunks(run, 1000)


def equations():
    rng = np.random.default_rng(5)
    atoms = rmt.Discrete(rng.standard_normal(9)), rmt.Discrete(rng.standard_normal(7))
    return {
        "sum": AdditiveEquation(*atoms),
        "covariance": rmt.SampleCovariance(rng.uniform(0.5, 4.0, 12), ratio=0.3).equation(),
        "profile": rmt.VarianceProfile(np.array([[1.0, 0.2, 0.1], [0.2, 0.4, 2.0], [0.1, 2.0, 0.3]])).equation(),
        "pencil": rmt.polynomial_law("X*Y + Y*X", X=rmt.Wigner(), Y=rmt.Wigner()).equation,
    }


@pytest.mark.parametrize("name", ["sum", "covariance", "profile", "pencil"])
def test_threads_change_no_number(name, monkeypatch):
    equation = equations()[name]
    z = np.linspace(-6.0, 6.0, 1100) + 1e-3j
    monkeypatch.setattr(chunks, "_PAYS", np.inf)
    one = equation.sweep(z)
    monkeypatch.setattr(chunks, "_PAYS", 0.0)
    monkeypatch.setattr(chunks, "_threads", lambda: 3)
    many = equation.sweep(z)
    assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(one, many, strict=True))
    assert not one.status.any()
