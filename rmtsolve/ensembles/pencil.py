"""Linear pencils: block matrices whose blocks are linear in independent random matrices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate
from ..equations.base import Equation
from ..measures.base import Measure
from ..measures.discrete import Discrete
from ..measures.image import image
from .base import Ensemble
from .letters import Matrix, assemble, check_letters, row_dimensions, sample_letters, self_adjoint_names
from .one_letter import pencil_of_one
from .pencil_law import pencil_equation, pencil_law, with_rows_apart
from .words import Letter


@dataclass(frozen=True, init=False, eq=False, repr=False)
class LinearPencil(Ensemble):
    """Block matrix ``A0 (x) 1 + sum_i A_i (x) X_i`` in independent random matrices.

    Its law is the mean over all rows; blocks have different sizes where a rectangular letter asks for it.

    Parameters
    ----------
    constant : array_like, shape (K, K)
        Hermitian ``A0``.
    coefficients : mapping
        Coefficient matrix (K, K) of every letter, keyed by its name (the letter itself is then given by keyword) or by
        the letter. Hermitian for self-adjoint letters; a `RectangularIID` letter R enters as ``A (x) R + A* (x) R*``.
    **letters : Wigner, SampleCovariance, RectangularIID or Discrete
        Independent letters in generic position (eigenvectors independent of each other); at most one `Discrete`, a
        deterministic matrix with that spectrum.

    Raises
    ------
    DomainError
        Matrices that are not square, of one size, finite and Hermitian; blocks that do not fit; a letter that is
        missing, unused or not of these kinds; a second deterministic letter.

    Examples
    --------
    >>> import rmtsolve as rmt
    >>> flip = rmt.LinearPencil([[0, 0], [0, 0]], {"X": [[0, 1], [1, 0]]}, X=rmt.Wigner())
    >>> bool(abs(flip.law().density(0.0) - 1 / np.pi) < 1e-12)  # X (+) -X: the semicircle
    True
    """

    constant: Matrix
    coefficients: dict[Letter, Matrix]
    letters: dict[str, Any]

    def __init__(self, constant: ArrayLike, coefficients: Mapping[Any, ArrayLike], **letters: Any) -> None:
        a0 = _square(constant, "constant")
        if not isinstance(coefficients, Mapping) or not coefficients:
            _validate.fail("coefficients", "a non-empty mapping from letters to matrices", coefficients)
        known, table = dict(letters), {}
        for number, (key, value) in enumerate(coefficients.items(), 1):
            name = key if isinstance(key, str) else f"X{number}"
            if not isinstance(key, str):
                known[name] = key
            if name not in known:
                _validate.fail("coefficients", "keyed by the letters given", key, f"pass {name}=Wigner(), for instance")
            table[name] = _square(value, f"coefficients[{name!r}]", a0.shape[0])
            if not table[name].any():
                _validate.fail(f"coefficients[{name!r}]", "non-zero", value)
        for name in known:
            if name not in table:
                _validate.fail(name, "used in coefficients", "a letter without a coefficient")
        known = check_letters(known)
        square = self_adjoint_names(known)
        for name, matrix in [("constant", a0), *((n, m) for n, m in table.items() if n in square)]:
            if np.abs(matrix - matrix.conj().T).max() > 1e-12 * np.abs(matrix).max():
                _validate.fail(name, "given a Hermitian matrix", matrix.tolist())
            matrix[:] = 0.5 * (matrix + matrix.conj().T)
        full: dict[Letter, Matrix] = {(name, False): matrix for name, matrix in table.items()}
        full |= {(name, True): matrix.conj().T.copy() for name, matrix in table.items() if name not in square}
        for matrix in (a0, *full.values()):
            _validate.read_only(matrix)
        object.__setattr__(self, "constant", a0)
        object.__setattr__(self, "coefficients", full)
        object.__setattr__(self, "letters", known)
        self._dimensions()

    def _dimensions(self) -> NDArray[np.float64]:
        return row_dimensions(self.constant, self.coefficients, self.letters)

    def equation(self) -> Equation:
        """Matrix Dyson equation, or operator-valued subordination when a letter is not Gaussian."""
        count = self.constant.shape[0]
        return pencil_equation(
            self.constant, self.coefficients, self.letters, self._dimensions(), output=count, name=repr(self)
        )

    def law(self) -> Measure:
        """Limiting spectral law of the block matrix; exact where there is one self-adjoint letter alone."""
        numbers = [n for n, x in self.letters.items() if isinstance(x, Discrete) and x.locations.size == 1]
        if numbers:
            return self._without(numbers)
        single = pencil_of_one(self.coefficients, self.letters)
        if single is not None:
            return image(single[0], [self.constant, single[1]], repr(self))
        dimensions, output = self._dimensions(), self.constant.shape[0]
        parts = self.constant, self.coefficients
        turned = with_rows_apart(*parts, self.letters) if np.ptp(dimensions) == 0.0 else parts
        return pencil_law(pencil_equation(*turned, self.letters, dimensions, output, repr(self)))

    def _without(self, numbers: list[str]) -> Measure:
        """The law when letters that are numbers go into the constant."""
        constant = self.constant + sum(self.letters[n].locations[0] * self.coefficients[n, False] for n in numbers)
        rest = {n: a for (n, star), a in self.coefficients.items() if not star and n not in numbers}
        if not rest:
            return Discrete(np.linalg.eigvalsh(constant))
        return LinearPencil(constant, rest, **{n: self.letters[n] for n in rest}).law()

    def finite(self, size: int) -> LinearPencil:
        """The pencil whose letters have the ratios and counts of matrices of this size."""
        rows = self._rows(size)
        letters = {name: finite_letter(letter, int(rows[0])) for name, letter in self.letters.items()}
        return LinearPencil(self.constant, {n: a for (n, star), a in self.coefficients.items() if not star}, **letters)

    def sample(self, size: int, rng: np.random.Generator) -> NDArray[Any]:
        """One block matrix with `size` rows in all."""
        rows = self._rows(size)
        _validate.generator(rng)
        _validate.memory(16.0 * float(size) ** 2, "size", size)
        matrices = sample_letters(self.letters, self.coefficients, rows, rng)
        return assemble(self.constant, self.coefficients, matrices, rows)

    def _rows(self, size: int) -> NDArray[np.int64]:
        sizes = self._dimensions()
        total = _validate.integer(size, "size", low=len(sizes))
        rows = np.rint(sizes * (total / sizes.sum())).astype(np.int64)
        if rows.sum() != total or rows.min() < 1 or np.ptp(rows / sizes) > 1.0 / sizes.min():
            rule = f"a number of rows that {len(sizes)} blocks of relative sizes {sizes.tolist()} share"
            _validate.fail("size", rule, size, f"take a multiple of {len(sizes)}")
        return np.asarray(rows)

    def __repr__(self) -> str:
        inside = ", ".join(f"{name}={letter!r}" for name, letter in self.letters.items())
        return f"LinearPencil({self.constant.shape[0]} rows, {inside})"


def finite_letter(letter: Any, size: int) -> Any:
    """A letter with the ratio and the counts of a matrix of this size."""
    return letter.finite(size) if isinstance(letter, Ensemble) else letter


def _square(value: Any, name: str, size: int | None = None) -> Matrix:
    """A finite complex K x K matrix."""
    array = _validate.complex_array(value, name, ndim=2)
    if array.shape[0] != array.shape[1] or (size is not None and array.shape[0] != size):
        _validate.fail(name, "a square matrix" if size is None else f"a {size} x {size} matrix", f"shape {array.shape}")
    return array
