"""Minimal self-adjoint linearisation of a non-commutative polynomial.

Let c(w) be the coefficient of the word w in a self-adjoint p and a* the adjoint word. The matrix
``H[a, b] = c(a* b)`` over words is Hermitian; words whose columns are independent are *states*, and multiplication by
a letter x is ``H_x[a, b] = c(a* x b)``. Then, over all states, ``p - c(1) = y* (H - sum_x H_x x)^{-1} y`` with
``y = H[:, 1]``. A word w of highest degree has a zero row in every ``H_x`` and couples in H to the empty word alone, so
adding the empty word's row to the output row and eliminating the pair (w, 1) leaves, with a, b over the other states,

    A0 = [[c(1), 0], [0, -c(a* b)]],     A_x = [[c(x), c(x b)], [c(a* x), c(a* x b)]],

and the (1, 1) block of ``(z E11 - A0 - sum_x A_x (x) x)^{-1}`` is ``(z - p)^{-1}``. It has ``rank H - 1`` rows: 3 for
the anticommutator, 3 for XYX, n for (X + Y)^n.

Derived here; reading a representation off a Hankel matrix is due to Fliess (Matrices de Hankel, 1974), self-adjoint
linearisation to Anderson (arXiv 1103.4825).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .words import Letter, Polynomial, Word, adjoint, degree

Matrix = NDArray[np.complex128]


def linearise(polynomial: Polynomial, self_adjoint: set[str]) -> tuple[Matrix, dict[Letter, Matrix], list[Word]]:
    """Pencil whose (1, 1) Schur complement is the polynomial.

    Parameters
    ----------
    polynomial : dict
        Self-adjoint polynomial of degree >= 1.
    self_adjoint : set of str
        Letters equal to their adjoint.

    Returns
    -------
    constant : ndarray, shape (K, K)
        Hermitian ``A0``.
    coefficients : dict of letter to ndarray, shape (K, K)
        ``A_x``, with ``A_{x*} = A_x*``.
    states : list of word, length K
        The word behind every row; its first letter says in which space the row lives (the first row: the output).

    Examples
    --------
    >>> from rmtsolve.ensembles.words import spell
    >>> x, y = ("X", False), ("Y", False)
    >>> constant, coefficients, states = linearise({(x, y): 1, (y, x): 1}, {"X", "Y"})
    >>> [spell(w) for w in states]
    ['1', 'X', 'Y']
    >>> constant.real.astype(int).tolist(), coefficients[x].real.astype(int).tolist()
    ([[0, 0, 0], [0, 0, -1], [0, -1, 0]], [[0, 0, 1], [0, 0, 0], [1, 0, 0]])
    """

    def c(word: Word) -> complex:
        return complex(polynomial.get(word, 0.0)) if word else 0.0j

    def star(word: Word) -> Word:
        return adjoint(word, self_adjoint)

    letters = {letter for word in polynomial for letter in word}
    letters |= {star((letter,))[0] for letter in letters}
    words = sorted({word[i:] for word in polynomial for i in range(len(word) + 1)}, key=lambda w: (len(w), w))
    longest = next(word for word in reversed(words) if len(word) == degree(polynomial) and c(word))
    order = [longest, (), *(word for word in words if word not in ((), longest))]
    hankel = np.array([[c(star(a) + b) for b in order] for a in order], dtype=np.complex128)
    states = [(), *(order[i] for i in _independent_columns(hankel) if i > 1)]

    coefficients = {
        x: np.array([[c((*star(a), x, *b)) for b in states] for a in states], dtype=np.complex128)
        for x in sorted(letters)
    }
    constant = -np.array([[c(star(a) + b) for b in states] for a in states], dtype=np.complex128)
    constant[0, :] = constant[:, 0] = 0.0
    constant[0, 0] = complex(polynomial.get((), 0.0))
    return constant, coefficients, states


def _independent_columns(matrix: Matrix) -> list[int]:
    """Indices of columns that are not combinations of the ones before them (modified Gram-Schmidt, twice)."""
    basis: list[Matrix] = []
    chosen = []
    for index in range(matrix.shape[1]):
        column = matrix[:, index]
        size = float(np.linalg.norm(column))
        rest = column
        for _ in range(2):  # the second pass removes what rounding left of the first
            for direction in basis:
                rest = rest - direction * np.vdot(direction, rest)
        length = float(np.linalg.norm(rest))
        if length > 1e-9 * size > 0.0:
            basis.append(rest / length)
            chosen.append(index)
    return chosen
