"""Self-adjoint polynomials in independent random matrices: the law from a line of text."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _validate
from ..equations.base import Equation
from ..errors import DomainError
from ..measures.base import Measure
from ..measures.discrete import Discrete
from ..measures.image import image
from .base import Ensemble
from .letters import RectangularIID, check_letters, letter_size, row_dimensions, sample_letters, self_adjoint_names
from .linearise import linearise
from .one_letter import polynomial_of_one
from .pencil import finite_letter
from .pencil_law import pencil_equation, pencil_law
from .words import Polynomial, degree, parse, require_self_adjoint, spell

_SMALLEST = 1e-150  # of a coefficient, so that squares stay within floating-point range


def _with_shift(polynomial: Polynomial, name: str, shift: float) -> Polynomial:
    """The polynomial with ``name + shift`` in the place of a letter."""
    out: dict[Any, complex] = {}
    for word, value in polynomial.items():
        parts: list[tuple[Any, complex]] = [((), complex(value))]
        for letter in word:
            without = [(head, part * shift) for head, part in parts] if letter[0] == name else []
            parts = [((*head, letter), part) for head, part in parts] + without
        for head, part in parts:
            out[head] = out.get(head, 0.0) + part
    return out


@dataclass(frozen=True, init=False, eq=False, repr=False)
class MatrixPolynomial(Ensemble):
    """A self-adjoint non-commutative polynomial of independent random matrices.

    Parameters
    ----------
    expression : str or sympy expression
        For instance ``"X*Y + Y*X"``, ``"(X + Y)**4"``, ``"1j*(X*Y - Y*X)"``, ``"R.T*R + D"``; the imaginary unit is
        ``1j``. A sympy expression uses
        non-commutative symbols named like the letters.
    **letters : Wigner, SampleCovariance, RectangularIID or Discrete
        Independent letters in generic position (eigenvectors independent of each other); at most one `Discrete`, a
        deterministic matrix with that spectrum.

    Notes
    -----
    The polynomial is linearised automatically (`rmtsolve.ensembles.linearise`), with the smallest self-adjoint pencil;
    the mean resolvent of the pencil solves a matrix Dyson equation (Gaussian letters) or operator-valued
    subordination equations (others), and its (1, 1) entry is the Stieltjes transform.

    Examples
    --------
    >>> import rmtsolve as rmt
    >>> model = rmt.MatrixPolynomial("X*Y + Y*X", X=rmt.Wigner(), Y=rmt.Wigner())
    >>> round(model.law().density(1.0), 12)
    0.192988333008
    """

    expression: str
    letters: dict[str, Any]
    _polynomial: Polynomial

    def __init__(self, expression: Any, /, **letters: Any) -> None:
        known = check_letters(letters)
        square = self_adjoint_names(known)
        polynomial = parse(expression, known, square)
        for value in polynomial.values():
            if value and not _SMALLEST <= abs(value) <= 1.0 / _SMALLEST:
                rule = f"a polynomial with coefficients of size {_SMALLEST:g} to {1.0 / _SMALLEST:g}"
                _validate.fail("expression", rule, value, "rescale it")
        require_self_adjoint(polynomial, square)
        for name, letter in known.items():
            if isinstance(letter, Discrete) and letter.locations.size == 1:  # a number
                moved = _with_shift(polynomial, name, float(letter.locations[0]))
                polynomial = {w: value for w, value in moved.items() if value and all(x != name for x, _ in w)}
        used = {name for word in polynomial for name, _ in word}
        object.__setattr__(self, "expression", str(expression))
        object.__setattr__(self, "letters", {name: letter for name, letter in known.items() if name in used})
        object.__setattr__(self, "_polynomial", polynomial)
        if degree(polynomial):
            self._pencil()

    def _pencil(self) -> tuple[Any, Any, NDArray[np.float64]]:
        """Linearisation and the relative dimensions of its rows; refuses products of matrices that do not fit."""
        units = {name: letter_size(letter) for name, letter in self.letters.items()}
        scaled = {word: value * math.prod(units[x] for x, _ in word) for word, value in self._polynomial.items()}
        constant, coefficients, _ = linearise(scaled, self_adjoint_names(self.letters))
        coefficients = {x: a / units[x[0]] for x, a in coefficients.items()}
        try:
            sizes = row_dimensions(constant, coefficients, self.letters)
        except DomainError as error:
            spelled = " + ".join(spell(word) for word in self._polynomial)
            raise DomainError(f"expression must multiply matrices that fit together, got {spelled}; {error}") from None
        return constant, coefficients, sizes

    def equation(self) -> Equation:
        """Equation of the linearised pencil."""
        if not degree(self._polynomial):
            _validate.fail("expression", "a polynomial with at least one letter", self.expression)
        constant, coefficients, sizes = self._pencil()
        return pencil_equation(constant, coefficients, self._centred(), sizes, output=1, name=repr(self))

    def _centred(self) -> dict[str, Any]:
        """The letters, a `Discrete` one moved so that its largest atom is at 0 if that changes nothing (commutators).

        The atoms of the law that the largest atom makes then belong to rows of the pencil, not to mixtures of rows.
        """
        letters = dict(self.letters)
        for name, letter in self.letters.items():
            if isinstance(letter, Discrete):
                at = float(letter.locations[np.argmax(letter.weights)])
                moved = _with_shift(self._polynomial, name, at)
                if all(abs(moved.get(word, 0.0) - self._polynomial.get(word, 0.0)) == 0.0 for word in moved):
                    letters[name] = Discrete(letter.locations - at, letter.weights)
        return letters

    def law(self) -> Measure:
        """Limiting spectral law; exact where the polynomial is one in a single self-adjoint matrix."""
        if not degree(self._polynomial):
            return Discrete([float(np.real(self._polynomial.get((), 0.0)))])
        single = polynomial_of_one(self._polynomial, self.letters)
        return image(*single, repr(self)) if single is not None else pencil_law(self.equation())

    def finite(self, size: int) -> MatrixPolynomial:
        """The polynomial whose letters have the ratios and counts of matrices of this size."""
        other = copy.copy(self)  # the text of a sympy expression is not what `parse` reads
        object.__setattr__(other, "letters", {n: finite_letter(v, size) for n, v in self.letters.items()})
        return other

    def sample(self, size: int, rng: np.random.Generator) -> NDArray[Any]:
        """The polynomial of sampled letters, shape (size, size)."""
        size = _validate.integer(size, "size", low=2)
        _validate.generator(rng)
        _validate.memory(24.0 * float(size) ** 2 * (1 + len(self.letters)), "size", size)
        if not degree(self._polynomial):
            return np.eye(size) * float(np.real(self._polynomial.get((), 0.0)))
        _, coefficients, sizes = self._pencil()
        rows = np.maximum(1, np.rint(sizes * size)).astype(np.int64)
        matrices = sample_letters(self.letters, coefficients, rows, rng)
        total: NDArray[Any] = np.zeros((size, size), dtype=np.complex128)
        for word, value in self._polynomial.items():
            product: NDArray[Any] = np.eye(size)
            for name, star in word:
                product = product @ (matrices[name].T if star else matrices[name])
            total += value * product
        return total if np.any(total.imag) else total.real

    def __repr__(self) -> str:
        inside = ", ".join(f"{name}={letter!r}" for name, letter in self.letters.items())
        return f"MatrixPolynomial({self.expression!r}, {inside})"


def polynomial_law(expression: Any, /, **letters: Any) -> Measure:
    """Limiting law of a self-adjoint polynomial in independent random matrices.

    The same as ``MatrixPolynomial(expression, **letters).law()``.

    Parameters
    ----------
    expression : str or sympy expression
        As in `MatrixPolynomial`.
    **letters : Wigner, SampleCovariance, RectangularIID or Discrete
        The letters.

    Examples
    --------
    >>> import rmtsolve as rmt
    >>> law = rmt.polynomial_law("X*Y*X", X=rmt.Wigner(), Y=rmt.Wigner())
    >>> law.edges.round(6)  # 16/(3 sqrt 3)
    array([-3.079201,  3.079201])
    """
    return MatrixPolynomial(expression, **letters).law()


__all__ = ["MatrixPolynomial", "RectangularIID", "polynomial_law"]
