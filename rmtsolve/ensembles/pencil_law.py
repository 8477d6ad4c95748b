"""The equation and the law of a linear pencil in free letters."""

from __future__ import annotations

import math
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

_MODERATE = 16.0  # sizes of rows that need not be brought to one
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
        largest = float(letter.population.locations[-1])
        size = float(np.linalg.norm(core, 2)) * largest  # of the letter in the pencil, and then of the new rows
        lift = size if white else size / math.sqrt(largest)
        lift = 1.0 if 1.0 / _MODERATE <= lift <= _MODERATE else lift  # one frame for all moderate sizes
        base[new, new] = -lift * lift * (np.linalg.inv(core) / (largest if white else 1.0))
        wide = np.zeros((total, total), dtype=np.complex128)
        wide[new, : len(sizes)] = lift * frame
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


def with_rows_apart(
    constant: Matrix, coefficients: Coefficients, letters: Mapping[str, Any]
) -> tuple[Matrix, Coefficients]:
    """The same pencil in an orthonormal frame where the space that only letters with atoms reach has its own rows.

    The atoms of the law live there, and Im M is singular. In a frame that mixes such rows with others, the rounding of
    the large entries of M hides the small ones. The space that no letter reaches comes last. A frame without mixed rows
    is left as it is.
    """
    smooth = [a for (key, _), a in coefficients.items() if not _has_atoms(letters[key])]
    every = list(coefficients.values())
    if all(_unmixed(part) for part in (smooth, every)):
        return constant, coefficients
    reached, free = _split(smooth, np.eye(constant.shape[0], dtype=np.complex128))
    partly, null = _split(every, free)
    null = null @ np.linalg.eigh(null.conj().T @ constant @ null)[1]
    frame = np.concatenate([reached, partly, null], axis=1)

    def turned(matrix: Matrix, rank: int) -> Matrix:
        out = frame.conj().T @ matrix @ frame
        if (matrix == matrix.conj().T).all():
            out = 0.5 * (out + out.conj().T)
        out[np.abs(out) <= _NULL * np.abs(matrix).max(initial=0.0)] = 0.0
        out[rank:] = out[:, rank:] = 0.0
        return np.asarray(out)

    inner, outer = reached.shape[1], frame.shape[1] - null.shape[1]
    ranks = {key: outer if _has_atoms(letters[key[0]]) else inner for key in coefficients}
    moved = {key: turned(matrix, ranks[key]) for key, matrix in coefficients.items()}
    return turned(constant, frame.shape[1]), moved


def _has_atoms(letter: Any) -> bool:
    return isinstance(letter, Discrete) or (
        isinstance(letter, SampleCovariance) and letter.law().atoms.weights.size > 0
    )


def _unmixed(matrices: list[Matrix]) -> bool:
    """Whether the rows that matrices reach are as many as their common rank."""
    if not matrices:
        return True
    stack = np.concatenate(matrices)
    sizes = np.linalg.svd(stack, compute_uv=False)
    return bool(np.count_nonzero(stack.any(axis=0)) == np.count_nonzero(sizes > _NULL * sizes[0]))


def _split(matrices: list[Matrix], space: Matrix) -> tuple[Matrix, Matrix]:
    """Orthonormal bases of what matrices reach of a space, and of their common null space there."""
    if not matrices or not space.shape[1]:
        return space[:, :0], space
    stack = np.concatenate(matrices) @ space
    _, sizes, rows = np.linalg.svd(stack)
    rank = int(np.count_nonzero(sizes > _NULL * max(float(np.linalg.norm(a)) for a in matrices)))
    basis = space @ rows.conj().T
    return basis[:, :rank], basis[:, rank:]


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
