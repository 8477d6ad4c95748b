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

from .words import Letter, Polynomial, Word, adjoint

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
    states = _states(polynomial, sorted(letters))
    coefficients = {
        x: np.array([[c((*star(a), x, *b)) for b in states] for a in states], dtype=np.complex128)
        for x in sorted(letters)
    }
    constant = -np.array([[c(star(a) + b) for b in states] for a in states], dtype=np.complex128)
    constant[0, :] = constant[:, 0] = 0.0
    constant[0, 0] = complex(polynomial.get((), 0.0))
    return constant, coefficients, states


def _states(polynomial: Polynomial, letters: list[Letter]) -> list[Word]:
    """The empty word and the words whose columns of H are not combinations of the ones before them.

    If column b is a combination of columns before it, then so is column x b of those with x in front: only a letter
    before a state can be a new state. A row of H is named by the prefix ``a*``, so H is read off from the ways to cut
    the words of the polynomial in two.
    """
    rows: dict[Word, int] = {}
    columns: dict[Word, list[tuple[int, complex]]] = {}
    for word, value in polynomial.items():
        for cut in range(len(word) + 1) if word and value else ():
            row = rows.setdefault(word[:cut], len(rows))
            columns.setdefault(word[cut:], []).append((row, complex(value)))
    longest = max((word for word in polynomial if polynomial[word]), key=lambda w: (len(w), w))
    basis = np.zeros((0, len(rows)), dtype=np.complex128)
    states: list[Word] = []
    candidates: list[Word] = [longest, ()]  # the pair that is eliminated comes first
    for word in candidates:
        column = np.zeros(len(rows), dtype=np.complex128)
        for row, value in columns.get(word, []):
            column[row] = value
        rest = column
        for _ in range(2):  # Gram-Schmidt: the second pass removes what rounding left of the first
            rest = rest - (basis.conj() @ rest) @ basis
        length = float(np.linalg.norm(rest))
        if not length > 1e-9 * float(np.linalg.norm(column)) > 0.0:
            continue
        basis = np.concatenate([basis, rest[None] / length])
        if word != longest or len(word) == 0:
            states.append(word)
            candidates += [(x, *word) for x in letters if (x, *word) != longest]
    return states
