"""Laws of pencils in one matrix against exact algebra (discriminants) and forty digits."""

import mpmath
import numpy as np
import pytest
import sympy
from numpy.testing import assert_allclose

import rmtsolve as rmt
from rmtsolve.equations.high_precision import transform_precisely
from rmtsolve.equations.subordination import AdditiveEquation
from rmtsolve.measures._precise import to_mpmath
from rmtsolve.measures.image import image

SEMI = rmt.Semicircle()


def integer_pencil(seed, rows):
    rng = np.random.default_rng(seed)
    a = rng.integers(-3, 4, size=(2, rows, rows))
    return np.tril(a) + np.tril(a, -1).swapaxes(1, 2)


def critical_values(a):
    """Values that a branch takes at an end of [-2, 2], or at a double root x of ``det(A0 + x A1 - value)``."""
    x, value = sympy.symbols("x value")
    matrix = sympy.Matrix(a[0]) + x * sympy.Matrix(a[1])
    det = sympy.Poly((matrix - value * sympy.eye(len(a[0]))).det(method="berkowitz"), x)
    square_free = sympy.Poly(
        sympy.sqf_part(
            sympy.factor_list(sympy.discriminant(det, x))[1]
            and sympy.prod(f for f, _ in sympy.factor_list(sympy.discriminant(det, x))[1])
        ),
        value,
    )
    turns = [complex(r) for r in sympy.Poly(square_free, value).nroots(n=30, maxsteps=500)]
    ends = [np.linalg.eigvalsh(a[0] + s * a[1]) for s in (-2, 2)]
    return np.concatenate([[t.real for t in turns if abs(t.imag) < 1e-20], *ends])


def grid_edges(a):
    x = np.linspace(-2, 2, 20001)
    values = np.linalg.eigvalsh(a[0] + x[:, None, None] * a[1])
    spans = sorted(zip(values.min(axis=0), values.max(axis=0), strict=True))
    merged = [list(spans[0])]
    for low, high in spans[1:]:
        if low <= merged[-1][1] + 1e-2:  # above the step of the grid times the slopes, at crossings
            merged[-1][1] = max(high, merged[-1][1])
        else:
            merged.append([low, high])
    return np.ravel(merged)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("rows", [2, 3, 4])
def test_edges_are_critical_values(rows, seed):
    a = integer_pencil(100 * rows + seed, rows)
    law = image(SEMI, a)
    rough = grid_edges(a)
    wide = law.edges if law.edges.size == rough.size else _joined(law.edges)
    assert_allclose(wide, rough, atol=1e-2)
    known = critical_values(a)
    distance = np.abs(law.edges[:, None] - known).min(axis=1)
    assert np.all(distance <= 1e-13 * np.abs(law.edges).max()), distance


def _joined(edges):
    keep = np.append(np.diff(edges)[1::2] > 1e-2, True)
    return np.concatenate(
        [[edges[0]], np.stack([edges[1::2][keep], np.append(edges[2::2], 0)[keep]], axis=1).ravel()[:-1]]
    )


# ---------------------------------------------------------------------- the transform in forty digits
def precise_transform(a, z):
    """Partial fractions of ``tr (A0 + x A1 - z)^-1`` in x, and the closed transform of the semicircle."""
    rows = len(a[0])
    with mpmath.workdps(60):
        z = mpmath.mpc(z)
        points = [mpmath.mpf(k) for k in range(rows + 1)]
        matrices = [mpmath.matrix((a[0] + k * a[1]).tolist()) for k in range(rows + 1)]
        dets = [mpmath.det(m - z * mpmath.eye(rows)) for m in matrices]
        h = mpmath.mpf(10) ** -25
        slopes = [  # of the determinant by z
            (mpmath.det(m - (z + h) * mpmath.eye(rows)) - mpmath.det(m - (z - h) * mpmath.eye(rows))) / (2 * h)
            for m in matrices
        ]
        vandermonde = mpmath.matrix([[p**k for k in range(rows + 1)] for p in points])
        det, top = (list(mpmath.lu_solve(vandermonde, mpmath.matrix(v))) for v in (dets, slopes))
        while abs(det[-1]) < mpmath.mpf(10) ** -40 * max(map(abs, det)):
            det.pop()
        roots = mpmath.polyroots(det[::-1], maxsteps=400, extraprec=400)
        rate = [k * c for k, c in enumerate(det)][1:]
        total = -top[len(det) - 1] / det[-1] if len(top) >= len(det) else mpmath.mpf(0)
        for x in roots:
            residue = -mpmath.polyval(top[::-1], x) / mpmath.polyval(rate[::-1], x)
            total += residue * _semicircle(x)
        return complex(total / rows)


def _semicircle(x):
    s = mpmath.sqrt(x - 2) * mpmath.sqrt(x + 2)
    return -2 / (x + s)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("rows", [2, 3, 4])
def test_transform_in_forty_digits(rows, seed):
    a = integer_pencil(100 * rows + seed, rows)
    law = image(SEMI, a)
    low, high = law.edges[0], law.edges[-1]
    scale = high - low
    inside = low + scale * np.array([0.137, 0.418, 0.771])
    z = np.concatenate([inside + 1j * scale * np.array([0.3, 1e-3, 1e-7]), [low - scale, high + 1e-3 * scale, 1e6j]])
    wanted = np.array([precise_transform(a, complex(point.real, max(point.imag, 1e-30))) for point in z])
    near = np.abs(z[:, None] - critical_values(a)).min(axis=1)  # rounding of z and of the eigenvalues
    room = 2e-14 * (1 + 0.05 * scale / near) * (np.abs(wanted) + 1 / scale)
    off = np.abs(law.stieltjes(z, boundary=True) - wanted)
    assert np.all(off <= room), off / room
    on = np.array([precise_transform(a, complex(x, 1e-30)) for x in inside])
    near = np.abs(inside[:, None] - critical_values(a)).min(axis=1)
    room = 2e-14 * (1 + 0.05 * scale / near) * (np.abs(on) + 1 / scale)
    assert np.all(np.abs(law.stieltjes(inside, boundary=True) - on) <= room)
    assert_allclose(law.density(inside), on.imag / np.pi, rtol=0, atol=room.max())


# ---------------------------------------------------------------------- against the equation
@pytest.mark.parametrize(
    "model",
    [
        rmt.LinearPencil([[-1, -2], [-2, -3]], {"X": [[-3, -2], [-2, 1]]}, X=rmt.Wigner()),
        rmt.LinearPencil([[0, 1j], [-1j, 1]], {"X": [[1, 2], [2, 0]]}, X=rmt.SampleCovariance([1.0, 4.0], 0.5)),
        rmt.LinearPencil([[0, 1], [1, 0]], {"X": [[1, 0], [0, 0]]}, X=rmt.SampleCovariance([2.0], 3.0)),
        rmt.LinearPencil([[0, 1], [1, 0]], {"X": [[1, 1], [1, 2]]}, X=rmt.Discrete([-1, 0, 2])),
        rmt.MatrixPolynomial("X**3 - 2*X + 1", X=rmt.Wigner(0.5)),
        rmt.MatrixPolynomial("X**2 - 3*X", X=rmt.SampleCovariance([1.0, 3.0], 2.0)),
        rmt.MatrixPolynomial("(X + Y)**2 - X - Y", X=rmt.Wigner(), Y=rmt.Wigner(2.0)),
    ],
    ids=repr,
)
def test_the_equation_agrees(model):
    law = model.law()
    z = np.array([0.3 + 0.4j, -2.0 + 0.1j, 5.0 + 1.0j, -7.0 + 3.0j])
    solution = rmt.solve(model.equation(), z)
    assert solution.ok
    assert_allclose(law.stieltjes(z), solution.m, rtol=1e-11)


@pytest.mark.parametrize("coefficients", [[1, -3, 0, 1], [[[-1, -2], [-2, -3]], [[-3, -2], [-2, 1]]]], ids=["p", "A"])
def test_forty_digits_inside_other_laws(coefficients):
    law = image(SEMI, coefficients)
    z = np.array([0.4 + 0.3j, -1.3 + 1e-4j, -1.3, 9.0])
    with mpmath.workdps(40):
        precise = transform_precisely(law, to_mpmath(z))
        with mpmath.workdps(60):
            finer = transform_precisely(law, to_mpmath(z))
        assert all(abs(a - b) < mpmath.mpf(10) ** -36 for a, b in zip(precise, finer, strict=True))
    assert_allclose(law.stieltjes(z, boundary=True), [complex(m) for m in precise], rtol=1e-13)
    sums = rmt.free_add(law, rmt.Semicircle(0.5))
    solution = rmt.solve(sums.equation, z[:1], rmt.HighPrecision(digits=30))
    assert abs(solution.m[0] - sums.stieltjes(z[0])) < 1e-12
    # edges next to inverse square roots of the law inside
    assert_allclose(sums.edges, AdditiveEquation(law, rmt.Semicircle(0.5)).find_edges(), rtol=1e-11)
