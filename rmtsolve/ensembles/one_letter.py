"""Pencils and polynomials of one matrix: all terms commute, and the law is an image of that of the matrix.

That matrix is a self-adjoint letter; or a linear form of Wigner letters, which is a Wigner matrix; or, of a rectangular
letter R, either of ``R.T*R`` and ``R*R.T``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..measures.base import Measure
from ..measures.classical import MarchenkoPastur, Semicircle
from ..measures.discrete import Discrete
from .letters import Coefficients, Matrix, RectangularIID
from .wigner import Wigner
from .words import Polynomial, Word, degree

_EQUAL = 1e-12  # relative difference of coefficients that count as equal


def pencil_of_one(coefficients: Coefficients, letters: Mapping[str, Any]) -> tuple[Measure, Matrix] | None:
    """(law of x, A1) where ``sum_i A_i (x) X_i`` is ``A1 (x) X`` for one self-adjoint X."""
    names = [name for name, star in coefficients if not star]
    first = coefficients[names[0], False]
    if len(names) == 1 and not isinstance(letters[names[0]], RectangularIID):
        return _law(letters[names[0]]), first
    if not all(isinstance(letters[name], Wigner) for name in names):
        return None
    factors = {name: float((np.vdot(first, coefficients[name, False]) / np.vdot(first, first)).real) for name in names}
    for name in names:
        matrix = coefficients[name, False]
        if np.abs(matrix - factors[name] * first).max() > _EQUAL * np.abs(matrix).max():
            return None
    return _form(factors, letters), first


def polynomial_of_one(polynomial: Polynomial, letters: Mapping[str, Any]) -> tuple[Measure, list[float]] | None:
    """(law of x, coefficients of 1, x, x^2, ...) where a polynomial of degree >= 1 is one in x alone."""
    names = sorted({name for word in polynomial for name, _ in word})
    if len(names) > 1:
        return _of_a_form(polynomial, names, letters)
    if isinstance(letters[names[0]], RectangularIID):
        return _of_squares(polynomial, names[0], letters[names[0]])
    return _law(letters[names[0]]), _by_length(polynomial, ((names[0], False),))


def _law(letter: Any) -> Measure:
    law: Measure = letter if isinstance(letter, Discrete) else letter.law()
    return law


def _form(factors: Mapping[str, float], letters: Mapping[str, Any]) -> Measure:
    """Law of a linear form of Wigner letters."""
    return Semicircle(sum(factor**2 * letters[name].variance for name, factor in factors.items()))


def _by_length(polynomial: Polynomial, unit: Word) -> list[float]:
    """Coefficients of the powers of a word."""
    powers = degree(polynomial) // len(unit)
    return [complex(polynomial.get(unit * k, 0.0)).real for k in range(powers + 1)]


def _of_a_form(
    polynomial: Polynomial, names: list[str], letters: Mapping[str, Any]
) -> tuple[Measure, list[float]] | None:
    """A polynomial in one linear form of Wigner letters: its words of any length have coefficients in proportion."""
    if not all(isinstance(letters[name], Wigner) for name in names):
        return None
    order = degree(polynomial)
    pivot = max(
        names, key=lambda x: abs(polynomial.get(((x, False),) * order, 0.0)) * letters[x].variance ** (order / 2)
    )
    lead = polynomial.get(((pivot, False),) * order, 0.0)
    head = ((pivot, False),) * (order - 1)
    factors = {x: polynomial.get((*head, (x, False)), 0.0) / lead if lead else 0.0 for x in names}
    if not all(factors.values()) or any(abs(complex(f).imag) > _EQUAL * abs(f) for f in factors.values()):
        return None
    powers = _by_length(polynomial, ((pivot, False),))
    if len(polynomial) != sum(len(names) ** k for k, value in enumerate(powers) if value):
        return None
    for word, value in polynomial.items():
        wanted = powers[len(word)] * np.prod([factors[x] for x, _ in word])
        if not abs(value - wanted) <= _EQUAL * abs(wanted):
            return None
    return _form({x: complex(f).real for x, f in factors.items()}, letters), powers


def _of_squares(polynomial: Polynomial, name: str, letter: RectangularIID) -> tuple[Measure, list[float]] | None:
    """A polynomial in ``R.T*R`` (p x p) or in ``R*R.T`` (n x n), entries of R of variance ``v/n`` and ``c = p/n``.

    The law of the first is that of Marchenko and Pastur for c and v. For the second exchange n and p: entries of
    variance ``c v / p`` and the ratio 1/c.
    """
    for star in (True, False):
        unit = ((name, star), (name, not star))
        if all(word == unit * (len(word) // 2) for word in polynomial):
            ratio, variance = letter.ratio, letter.variance
            law = MarchenkoPastur(ratio, variance) if star else MarchenkoPastur(1.0 / ratio, ratio * variance)
            return law, _by_length(polynomial, unit)
    return None
