"""The equation and the law of a linear pencil in free letters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..equations.base import Equation
from ..equations.solution import SolvedMeasure
from ..measures.discrete import Discrete
from .covariance import SampleCovariance
from .letters import Coefficients, Matrix, RectangularIID, is_white
from .wigner import Wigner

_NULL = 1e-13  # of the size of a matrix: rounding


def pencil_equation(
    constant: Matrix,
    coefficients: Coefficients,
    letters: Mapping[str, Any],
    sizes: NDArray[np.float64],
    output: int,
    name: str,
) -> Equation:
    """Equation of the mean resolvent over the first `output` rows.

    Covariance letters are written as ``R.T R`` with a rectangular Gaussian R, which adds rows. Then a pencil of
    Gaussian letters and at most one fixed spectrum (a `Discrete`, or the population of one coloured covariance) obeys a
    matrix Dyson equation averaged over the atoms of that spectrum, and any other operator-valued subordination.

    Parameters
    ----------
    constant, coefficients, letters
        The pencil; `coefficients` holds both R and its adjoint for letters that are not self-adjoint.
    sizes : ndarray, shape (K,)
        Relative dimensions of the rows.
    output : int
        Rows that carry z, and over which the transform is averaged: 1 for a polynomial, K for a pencil.
    name : str
        For messages.
    """
    from ..equations.dyson import MatrixDyson, Term
    from ..equations.free_pencil import FreePencil

    special = [key for key, _ in coefficients if not _gaussian_letter(letters[key])]
    averaged = len(special) == 1 and _spectrum(letters[special[0]]) is not None
    grown = {
        key: a
        for (key, _), a in coefficients.items()
        if is_white(letters[key]) or (averaged and _coloured(letters[key]))
    }  # covariance letters that get rows of their own
    total = constant.shape[0] + sum(symmetric_factors(a)[1].shape[0] for a in grown.values())
    base = np.zeros((total, total), dtype=np.complex128)
    base[: len(sizes), : len(sizes)] = constant
    dimensions = np.concatenate([sizes, np.ones(total - len(sizes))])

    def padded(matrix: Matrix) -> Matrix:
        out = np.zeros((total, total), dtype=np.complex128)
        out[: matrix.shape[0], : matrix.shape[1]] = matrix
        return out

    terms: list[Term] = []
    laws = []
    fixed = None
    for (key, star), a in coefficients.items():
        letter = letters[key]
        if star or key in grown:
            continue
        if isinstance(letter, Wigner):
            terms.append(Term(letter.variance * padded(a), padded(a)))
        elif isinstance(letter, RectangularIID):
            terms += _rectangular(padded(a), letter.ratio, letter.variance)
        elif averaged:
            fixed = padded(a)
        else:
            laws.append((padded(a), letter.law() if hasattr(letter, "law") else letter))
    row = len(sizes)
    for key, a in grown.items():
        letter = letters[key]
        white = is_white(letter)
        frame, core = symmetric_factors(a)
        new = slice(row, row + core.shape[0])
        # Schur complement: A (x) R.T R = F* C F (x) R.T R; a coloured population goes into the covariance of R
        base[new, new] = -np.linalg.inv(core) / (letter.population.locations[0] if white else 1.0)
        wide = np.zeros((total, total), dtype=np.complex128)
        wide[new, : len(sizes)] = frame
        terms += _rectangular(wide, letter.ratio, 1.0, coloured=not white)
        dimensions[new] = sizes[np.nonzero(np.diag(a @ a))[0][0]] / letter.ratio
        row = new.stop

    spectral = np.zeros(total)
    spectral[:output] = 1.0
    weights = np.zeros(total)
    weights[:output] = dimensions[:output] / dimensions[:output].sum()
    if laws:
        return FreePencil(base, spectral, [(t.left, t.right) for t in terms], laws, weights, name, dimensions)
    where = {"spectral": spectral, "dimensions": dimensions, "weights": weights}
    if not averaged:
        return MatrixDyson(base, terms, name=name, **where)
    spectrum = _spectrum(letters[special[0]])
    assert spectrum is not None
    if fixed is None:
        constants = np.repeat(base[None], spectrum.locations.size, axis=0)
        gains = spectrum.locations.copy()
        return MatrixDyson(constants, terms, shares=spectrum.weights.copy(), gains=gains, name=name, **where)
    constants = base + spectrum.locations[:, None, None] * fixed
    return MatrixDyson(constants, terms, shares=spectrum.weights.copy(), name=name, **where)


def pencil_law(equation: Equation) -> SolvedMeasure:
    """The law that belongs to an equation made by `pencil_equation`."""
    from ..equations.dyson import MatrixDyson
    from ..equations.dyson_law import DysonLaw
    from ..equations.free_pencil import FreePencil

    if isinstance(equation, MatrixDyson) or (isinstance(equation, FreePencil) and equation.axis is not None):
        return DysonLaw(equation)
    return SolvedMeasure(equation)


def without_mixed_null_rows(constant: Matrix, coefficients: Coefficients) -> tuple[Matrix, Coefficients]:
    """The same pencil in an orthonormal frame where what no letter reaches are rows of their own.

    There Im M is singular in the bulk, in every other frame but for rounding. A frame of rows is left as it is.
    """
    stack = np.concatenate(list(coefficients.values()))
    _, sizes, rows = np.linalg.svd(stack)
    rank = int(np.count_nonzero(sizes > _NULL * sizes[0]))
    if rank == sizes.size or np.count_nonzero(stack.any(axis=0)) == rank:
        return constant, coefficients
    reached, null = rows[:rank].conj().T, rows[rank:].conj().T
    null = null @ np.linalg.eigh(null.conj().T @ constant @ null)[1]
    frame = np.concatenate([reached, null], axis=1)

    def turned(matrix: Matrix) -> Matrix:
        out = frame.conj().T @ matrix @ frame
        out[np.abs(out) <= _NULL * np.abs(matrix).max(initial=0.0)] = 0.0
        return np.asarray(out)

    moved = {key: turned(matrix) for key, matrix in coefficients.items()}
    for matrix in moved.values():
        matrix[rank:] = matrix[:, rank:] = 0.0
    return turned(constant), moved


def symmetric_factors(a: Matrix) -> tuple[Matrix, Matrix]:
    """F and C with ``A = F* C F`` for Hermitian A, C the principal submatrix of A that F selects.

    The columns of A that F selects span its range. New rows that belong to single rows of the pencil (and not to
    eigenvectors of A) keep large and small entries of M apart beside atoms and hard edges, where M is singular.
    """
    rest = a.copy()
    chosen: list[int] = []
    for _ in range(a.shape[0]):
        lengths = np.linalg.norm(rest, axis=0)
        best = int(np.argmax(lengths))
        if not lengths[best] > 1e-12 * np.linalg.norm(a):
            break
        chosen.append(best)
        column = rest[:, best] / lengths[best]
        rest = rest - np.outer(column, column.conj() @ rest)
    chosen.sort()
    core = a[np.ix_(chosen, chosen)]
    frame = np.linalg.solve(core, a[chosen])
    frame[:, chosen] = np.eye(len(chosen))
    return np.asarray(frame), core


def _gaussian_letter(letter: Any) -> bool:
    """Whether a letter is made of Gaussian matrices alone."""
    return isinstance(letter, Wigner | RectangularIID) or is_white(letter)


def _coloured(letter: Any) -> bool:
    return isinstance(letter, SampleCovariance) and isinstance(letter.population, Discrete) and not is_white(letter)


def _spectrum(letter: Any) -> Discrete | None:
    """The atoms over which a letter that is not Gaussian makes the equation average; None where it has no such form."""
    if isinstance(letter, Discrete):
        return letter
    if _coloured(letter):
        population = letter.population
        assert isinstance(population, Discrete)
        return population
    return None


def _rectangular(a: Matrix, ratio: float, variance: float, coloured: bool = False) -> list[Any]:
    """Covariance of ``A (x) R + A* (x) R*``: ``E R M R* = variance (p/n) tr M`` and ``E R* M R = variance tr M``."""
    from ..equations.dyson import Term

    star = a.conj().T
    return [
        Term(variance * ratio * a, star, reads_gain=coloured),
        Term(variance * star, a, writes_gain=coloured),
    ]
