"""The map of operator-valued subordination and its derivative, on a stack of points.

Legend as in `free_pencil`. Unknowns of a point: u = (M if there are Gaussian letters, w_1, ..., w_r), flattened. What a
letter adds, ``rho(w)`` and its derivative, is compiled for laws with atoms and for coloured sample covariance matrices
(`_kernels.free_pencil_letters`); of any other law only the transform m is asked for. The map is in
`_kernels.free_pencil`.

Where the solution is singular the unknowns are graded matrices, with entries of very different size; errors are
therefore measured in units that go with them (`yard`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ConvergenceError
from ..measures.base import Measure
from ..measures.discrete import Discrete
from ..status import Status
from .base import Complex, Real
from .pastur_law import PasturLaw
from .stacks import eigenvalues_each, invert_each

if TYPE_CHECKING:
    from .free_pencil import FreePencil

_FEW = 16  # atoms that are summed one by one
_CLOSE = 1e-6  # relative distance of two p below which their divided difference is the derivative


class Letter(NamedTuple):
    """One letter: frame V, invertible core a and its inverse, law, and its place among the unknowns."""

    frame: Complex  # (K, r)
    core: Complex  # (r, r)
    back: Complex  # (r, r)
    law: Measure
    place: slice
    push: Callable[..., None]  # fills rho and its derivative


class Image(NamedTuple):
    """The map and what linearises it; m is the transform that belongs to the image."""

    value: Complex  # T(u), (n, d)
    m: Complex  # M(u), (n, K, K)
    slope: Complex  # dT/du, (n, d, d)
    drift: Complex  # dT/dz, (n, d)
    gradient: Complex  # dm/du, (n, d)
    tilt: Complex  # dm/dz at fixed u, (n,)


class PencilMap:
    """The map of one equation."""

    def __init__(self, equation: FreePencil) -> None:
        self.rows, self.weights = equation.rows, equation.weights
        self.spectral, self.constant = equation.spectral, equation.constant
        self.size = equation.size
        self.own = self.rows**2 if equation.terms else 0  # unknowns taken by M
        self.letters = []
        end = self.own
        duals, rests = [], []
        for frame, core, law in equation.letters:
            begin, end = end, end + core.size
            back = invert_each(core[None])[0]
            self.letters.append(Letter(frame, core, back, law, slice(begin, end), _push(core, back, law)))
            duals.append(frame @ np.linalg.inv(frame.conj().T @ frame))
            rests.append(np.linalg.svd(frame)[0][:, len(core) :])
        self.count = end
        k = self.rows
        self.covariance = np.zeros((k, k, k, k), dtype=np.complex128)  # S[M]_ab = covariance_abkl M_kl
        for left, right in equation.terms:
            self.covariance += np.einsum("ak,lb->abkl", left, right)
        entries = np.array(np.nonzero(self.covariance), dtype=np.int64)
        arrays = (
            self.spectral.diagonal(), self.constant, self.weights, [len(x.core) for x in self.letters],
            [x.place.start for x in self.letters], np.hstack([x.frame for x in self.letters]), np.hstack(duals),
            np.hstack(rests), entries, self.covariance[tuple(entries)],
        )  # fmt: skip
        kinds = (float, complex, float, int, int, complex, complex, complex, int, complex)
        # what the kernels want to know of the equation
        self.problem: tuple[Any, ...] = tuple(
            np.array(a, dtype=kind, order="C") for a, kind in zip(arrays, kinds, strict=True)
        )

    def blocks(self, u: Complex) -> list[Complex]:
        """The matrices among the unknowns: M first if it is one of them."""
        parts = [u[:, : self.own].reshape(-1, self.rows, self.rows)] if self.own else []
        return parts + [u[:, x.place].reshape(-1, *x.core.shape) for x in self.letters]

    def cold(self, z: Complex) -> Complex:
        """The unknowns without letters, raised on all rows by i so that those without z are invertible."""
        free = invert_each(z[:, None, None] * self.spectral - self.constant + 1j * np.eye(self.rows))
        parts = [-free] if self.own else []
        parts += [invert_each(x.frame.conj().T @ free @ x.frame) for x in self.letters]
        return np.concatenate([part.reshape(-1, part.shape[1] ** 2) for part in parts], axis=1)

    def value(self, z: Complex, u: Complex) -> tuple[Complex, Complex]:
        """(T(u), M), shapes (n, d) and (n, K, K)."""
        image = self._image(z, u, False)
        return image.value, image.m

    def linearised(self, z: Complex, u: Complex) -> Image:
        """The map and its derivatives."""
        return self._image(z, u, True)

    def _image(self, z: Complex, u: Complex, slopes: bool) -> Image:
        from .._kernels.free_pencil import linearise_each

        n, k, d = z.size, self.rows, self.count
        many = n if slopes else 1
        shapes = (n, d), (n, k, k), (many, d, d), (many, d), (many, d), (many,)
        image = Image(*(np.empty(shape, dtype=np.complex128) for shape in shapes))
        u = np.ascontiguousarray(u)
        linearise_each(np.asarray(z, dtype=np.complex128), u, *self.pushes(u, slopes), self.problem, *image, slopes)
        return image

    def pushes(self, u: Complex, slopes: bool) -> tuple[Complex, Complex]:
        """rho of all letters, (n, d) like u, and their derivatives side by side, (n, sum r^4) or (1, 0)."""
        n = len(u)
        rho = np.empty((n, self.count), dtype=np.complex128)
        size = sum(x.core.size**2 for x in self.letters) if slopes else 0
        change = np.empty((n if slopes else 1, size), dtype=np.complex128)
        end = 0
        for letter in self.letters:
            begin, end = end, end + (letter.core.size**2 if slopes else 0)
            letter.push(u, letter.place.start, rho, change, begin, slopes)
        return rho, change

    def yard(self, u: Complex) -> Real:
        """What an error of entry (i, j) is compared with: ``(d_i d_j)^(1/2)``, d the sizes along the axes."""
        from .._kernels.free_pencil import yard_each

        yard = np.empty(u.shape)
        yard_each(np.ascontiguousarray(u), self.problem, yard)
        return yard

    def inside(self, u: Complex, slack: Real | float) -> NDArray[np.bool_]:
        """Whether all imaginary parts are positive definite, up to `slack` of the unknowns."""
        good = np.ones(len(u), dtype=bool)
        units = self.blocks(self.yard(u).astype(np.complex128))
        for block, yard in zip(self.blocks(u), units, strict=True):
            root = np.sqrt(np.diagonal(yard, axis1=1, axis2=2).real)
            scaled = block / root[:, :, None] / root[:, None, :]
            low = eigenvalues_each((scaled - scaled.conj().swapaxes(1, 2)) / 2j)[:, 0]
            good &= low > -slack
        return good


def few_atoms(law: Measure) -> bool:
    """Whether integrals by the law are sums over atoms here."""
    return isinstance(law, Discrete) and law.locations.size <= _FEW


def spectral_points(w: Complex, core: Complex) -> tuple[Complex, Complex, Complex]:
    """(p, V, inverse of w) with ``w^{-1} a = V diag(1/p) V^{-1}``; nan where w is singular."""
    inverse = invert_each(w)
    values = np.full(w.shape[:2], complex(np.nan, np.nan))
    vectors = np.full(w.shape, complex(np.nan, np.nan))
    good = np.isfinite(inverse).all(axis=(1, 2))
    if good.any():
        values[good], vectors[good] = np.linalg.eig(inverse[good] @ core)
    with np.errstate(all="ignore"):
        return np.asarray(1.0 / values, dtype=np.complex128), np.asarray(vectors, dtype=np.complex128), inverse


def _push(core: Complex, back: Complex, law: Measure) -> Callable[..., None]:
    """What fills ``rho = w - g(w)^{-1}`` from column `first` on and, if asked, its derivative from `begin` on."""
    at, mass = (np.array(part) for part in law.atoms)
    if few_atoms(law):

        def summed(u: Complex, first: int, rho: Complex, change: Complex, begin: int, slopes: bool) -> None:
            from .._kernels.free_pencil_letters import atoms_letter

            atoms_letter(u, first, core, at, mass, rho, change, begin, slopes)

        return summed
    values, r = _values(law), len(core)

    def spectral(u: Complex, first: int, rho: Complex, change: Complex, begin: int, slopes: bool) -> None:
        from .._kernels.free_pencil_letters import spectral_letter, spectrum

        point, vectors = np.empty((len(u), r), dtype=np.complex128), np.empty((len(u), r, r), dtype=np.complex128)
        if r <= 2:
            spectrum(u, first, back, point, vectors)
        else:
            point[:], vectors[:], _ = spectral_points(u[:, first : first + r * r].reshape(-1, r, r), core)
        f, differences = values(point)
        spectral_letter(core, back, vectors, f, differences, first, rho, change, begin, slopes)

    return spectral


def _values(law: Measure) -> Callable[[Complex], tuple[Complex, Complex]]:
    """``f(p) = p + 1/m(p)`` and its divided differences, as a function of points (n, r)."""
    if isinstance(law, Discrete):
        kind, data = "discrete_values", tuple(np.array(part) for part in law.atoms)
    elif isinstance(law, PasturLaw) and law.equation.kind == "covariance" and law.equation.poles.size:
        kind, data = "covariance_values", _table(law)
    else:
        return lambda point: _any_values(law, point)

    def compiled(point: Complex) -> tuple[Complex, Complex]:
        from .._kernels import free_pencil_letters

        f, differences = np.empty_like(point), np.empty((*point.shape, point.shape[1]), dtype=np.complex128)
        getattr(free_pencil_letters, kind)(point, *data, f, differences)
        return f, differences

    return compiled


def _table(law: PasturLaw) -> tuple[Any, ...]:
    """What `covariance_values` wants to know of a sample covariance matrix."""
    equation, table = law.equation, law.equation.table
    at, mass = equation.population
    arrays = (equation.poles, equation.coefficients, table.weights, table.edges, table.rest, table.rows)
    empty = float(mass[at == 0.0].sum())
    return (*(np.array(a) for a in arrays), float(equation.scale), float(equation.gap), empty, float(equation.unit))


def _any_values(law: Measure, point: Complex) -> tuple[Complex, Complex]:
    """The same from the transform m of the law: ``f[p, q] = 1 - m[p, q] / (m(p) m(q))``."""
    m, rate = (at_any_point(f, point) for f in (law._stieltjes, law._stieltjes_derivative))
    gap = point[:, :, None] - point[:, None, :]
    size = np.abs(point[:, :, None] * point[:, None, :]) ** 0.5
    mean = 0.5 * (rate[:, :, None] + rate[:, None, :])
    with np.errstate(all="ignore"):
        quotient = np.where(np.abs(gap) < _CLOSE * size, mean, (m[:, :, None] - m[:, None, :]) / gap)
        return point + 1.0 / m, 1.0 - quotient / (m[:, :, None] * m[:, None, :])


def at_any_point(function: Callable[[Complex], Complex], point: Complex) -> Complex:
    """A transform or its derivative in both half-planes, boundary values on the axis; nan where there is none."""
    flat = point.ravel()
    good = np.isfinite(flat)
    lower = flat.imag < 0.0
    upper = np.asarray(np.where(lower, flat.conj(), flat) + 0.0, dtype=np.complex128)
    out = np.full(flat.shape, complex(np.nan, np.nan))
    with np.errstate(all="ignore"):
        try:
            out[good] = function(upper[good])
        except ConvergenceError as error:  # at singular points of the letter's law
            good[good] = error.solution.status == Status.CONVERGED
            out[good] = function(upper[good])
    return np.asarray(np.where(lower, out.conj(), out).reshape(point.shape))
