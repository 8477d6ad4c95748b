"""Letters of pencils and polynomials: which random matrices may stand for one, their sizes and their samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _validate
from ..measures.discrete import Discrete
from .covariance import SampleCovariance
from .wigner import Wigner
from .words import Letter

Matrix = NDArray[np.complex128]
Coefficients = Mapping[Letter, Matrix]


@dataclass(frozen=True)
class RectangularIID:
    """A letter: an n x p matrix R of independent entries of variance ``variance / n``, not self-adjoint.

    Parameters
    ----------
    ratio : float
        p / n > 0, columns over rows; ``R.T*R`` is then a sample covariance matrix of this ratio.
    variance : float
        > 0.

    Examples
    --------
    >>> RectangularIID(ratio=0.5).sample(4, 2, np.random.default_rng(0)).shape
    (4, 2)
    """

    ratio: float = 1.0
    variance: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "ratio", _validate.positive(self.ratio, "ratio", "it is p/n, columns over rows"))
        object.__setattr__(self, "variance", _validate.positive(self.variance, "variance"))

    def sample(self, rows: int, columns: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """One matrix of the given shape."""
        _validate.generator(rng)
        return rng.normal(scale=np.sqrt(self.variance / rows), size=(rows, columns))


def check_letters(letters: Mapping[str, Any]) -> dict[str, Any]:
    """The letters of a pencil or polynomial: allowed kinds, and at most one deterministic matrix."""
    fixed = [name for name, letter in letters.items() if isinstance(letter, Discrete)]
    for name, letter in letters.items():
        if not isinstance(letter, Wigner | SampleCovariance | RectangularIID | Discrete):
            _validate.fail(name, "a Wigner, SampleCovariance, RectangularIID or Discrete", letter)
    if len(fixed) > 1:
        _validate.fail(
            "letters", "random but for at most one Discrete (deterministic) matrix", f"{' and '.join(fixed)}",
            "the spectra of two fixed matrices do not determine the spectrum of a polynomial in both: their "
            "eigenvectors matter",
        )  # fmt: skip
    return dict(letters)


def self_adjoint_names(letters: Mapping[str, Any]) -> set[str]:
    """Names of the letters that equal their adjoint."""
    return {name for name, letter in letters.items() if not isinstance(letter, RectangularIID)}


def letter_size(letter: Any) -> float:
    """A power of 1024 near the norm of a letter: the unit in which coefficients compare, one for usual letters."""
    if isinstance(letter, Wigner):
        size = np.sqrt(letter.variance)
    elif isinstance(letter, RectangularIID):
        size = np.sqrt(letter.variance * max(1.0, letter.ratio))
    else:
        population = letter.population if isinstance(letter, SampleCovariance) else letter
        ends = np.concatenate([population.edges, population.atoms.locations])
        size = np.abs(ends[np.isfinite(ends)]).max(initial=0.0)
        size *= max(1.0, letter.ratio) if isinstance(letter, SampleCovariance) else 1.0
    return float(1024.0 ** np.round(np.log2(size) / 10.0)) if size > 0.0 else 1.0


def row_dimensions(constant: Matrix, coefficients: Coefficients, letters: Mapping[str, Any]) -> NDArray[np.float64]:
    """Dimension of every row's space relative to the first row's; refuses blocks whose sizes contradict each other."""
    ties = [(i, j, 1.0) for i, j in zip(*np.nonzero(constant), strict=True)]
    for (name, star), matrix in coefficients.items():
        letter = letters[name]
        factor = letter.ratio if isinstance(letter, RectangularIID) else 1.0
        ties += [(i, j, 1.0 / factor if star else factor) for i, j in zip(*np.nonzero(matrix), strict=True)]
        # the same letter at two places is the same matrix: its rows have one number
        places = np.nonzero(matrix)[0]
        ties += [(places[0], i, 1.0) for i in places[1:]]
    size = np.full(constant.shape[0], np.nan)
    for seed in range(size.size):
        if np.isnan(size[seed]):
            size[seed] = 1.0
        for _ in range(size.size):  # spread dim(column) = factor * dim(row) along the ties
            for i, j, factor in ties:
                if np.isnan(size[j]):
                    size[j] = factor * size[i]
                elif np.isnan(size[i]):
                    size[i] = size[j] / factor
    for i, j, factor in ties:
        if abs(size[j] - factor * size[i]) > 1e-9 * size[j]:
            _validate.fail(
                "coefficients", "such that the blocks fit together",
                f"rows {i + 1} and {j + 1} of relative sizes {size[i]:g} and {size[j]:g} tied by a factor {factor:g}",
                "a RectangularIID letter of ratio p/n maps p columns to n rows",
            )  # fmt: skip
    return size


def sample_letters(
    letters: Mapping[str, Any], coefficients: Coefficients, rows: NDArray[np.int64], rng: np.random.Generator
) -> dict[str, NDArray[Any]]:
    """One matrix for every letter, of the size that its coefficient asks for, in generic position.

    Freeness asks that eigenvectors be independent of each other. Wigner and white covariance matrices have uniform
    ones; of all other letters (a fixed diagonal, a coloured population) every one but the first is rotated.
    """
    matrices: dict[str, NDArray[Any]] = {}
    aligned = False
    for name, letter in letters.items():
        i, j = (int(axis[0]) for axis in np.nonzero(coefficients[name, False]))
        if isinstance(letter, RectangularIID):
            matrices[name] = letter.sample(int(rows[i]), int(rows[j]), rng)
            continue
        size = int(rows[i])
        if isinstance(letter, Discrete):
            matrices[name] = np.diag(counted(letter, size))
        else:
            matrices[name] = letter.sample(size, rng)
        if not invariant(letter):
            if aligned:
                rotation = haar(size, rng)
                matrices[name] = rotation @ matrices[name] @ rotation.T
            aligned = True
    return matrices


def assemble(
    constant: Matrix, coefficients: Coefficients, matrices: Mapping[str, NDArray[Any]], rows: NDArray[np.int64]
) -> NDArray[Any]:
    """The block matrix of a pencil for sampled letters; real when everything is."""
    ends = np.concatenate([[0], np.cumsum(rows)])
    is_real = not any(np.any(a.imag) for a in (constant, *coefficients.values()))
    total = np.zeros((ends[-1], ends[-1]), dtype=np.float64 if is_real else np.complex128)
    for i in range(rows.size):
        for j in range(rows.size):
            block = total[ends[i] : ends[i + 1], ends[j] : ends[j + 1]]
            if constant[i, j]:
                block += (constant[i, j].real if is_real else constant[i, j]) * np.eye(*block.shape)
            for (name, star), a in coefficients.items():
                if a[i, j]:
                    x = matrices[name].T if star else matrices[name]
                    block += (a[i, j].real if is_real else a[i, j]) * x
    return total


def invariant(letter: Any) -> bool:
    """Whether the eigenvectors of a sampled letter are uniform."""
    return isinstance(letter, Wigner) or is_white(letter)


def is_white(letter: Any) -> bool:
    """Whether a letter is a sample covariance matrix with one population eigenvalue, not zero."""
    if not isinstance(letter, SampleCovariance) or not isinstance(letter.population, Discrete):
        return False
    return letter.population.locations.size == 1 and bool(letter.population.locations[0] > 0)


def counted(law: Discrete, size: int) -> NDArray[np.float64]:
    """`size` eigenvalues with the multiplicities nearest to the weights (largest remainders)."""
    exact = law.weights * size
    counts = np.floor(exact).astype(int)
    short = size - int(counts.sum())
    counts[np.argsort(counts - exact, kind="stable")[:short]] += 1
    return np.repeat(law.locations, counts)


def haar(size: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """A uniform orthogonal matrix."""
    q, r = np.linalg.qr(rng.normal(size=(size, size)))
    return np.asarray(q * np.sign(np.diag(r)))
