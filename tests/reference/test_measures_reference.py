"""Closed-form laws against 30-digit quadrature of their densities (`measures_make.py`)."""

import csv
import pathlib

import pytest

import rmtsolve as rmt

with pathlib.Path(__file__).with_name("measures.csv").open(encoding="utf-8") as file:
    ROWS = list(csv.DictReader(file))


@pytest.mark.parametrize("key", sorted({(r["law"], r["parameters"]) for r in ROWS}), ids=" ".join)
def test_table(key):
    law = getattr(rmt, key[0])(*map(float, key[1].split()))
    mine = [r for r in ROWS if (r["law"], r["parameters"]) == key]
    assert float(next(r["value_real"] for r in mine if r["quantity"] == "mass")) == pytest.approx(1.0, abs=1e-15)
    for r in mine:
        x, y, value = float(r["real"]), float(r["imag"]), complex(float(r["value_real"]), float(r["value_imag"]))
        if r["quantity"] == "moment":
            assert law.moment(int(x)) == pytest.approx(value.real, rel=1e-13, abs=1e-14)
        elif r["quantity"] == "stieltjes":
            assert abs(law.stieltjes(complex(x, y)) - value) <= 1e-13 * abs(value)
        elif r["quantity"] == "cdf":
            assert law.cdf(x) == pytest.approx(value.real, abs=1e-14)
            assert law.quantile(value.real) == pytest.approx(x, rel=1e-11)


def test_f_matrix():
    """The values of the project's notes."""
    law = rmt.Wachter(0.5, 0.2)
    assert law.edges == pytest.approx([0.079385408620364447, 4.9206145913796356], rel=1e-14)
    assert law.density(1.0) == pytest.approx(0.34556367307617577, rel=1e-14)


def test_free_poisson_is_a_scaled_marchenko_pastur():
    for rate, jump in ((0.3, 2.0), (1.0, 0.5), (7.0, -1.5)):
        law, other = rmt.FreePoisson(rate, jump), rmt.MarchenkoPastur(1 / rate, rate * abs(jump))
        x = other.edges[0] + 0.4 * (other.edges[1] - other.edges[0])
        side = 1.0 if jump > 0 else -1.0
        assert law.density(side * x) == pytest.approx(other.density(x), rel=1e-13)
        assert [law.free_cumulant(k) for k in (1, 2, 3)] == pytest.approx(
            [rate * jump**k for k in (1, 2, 3)], rel=1e-14
        )
