"""What one letter of a free pencil adds: ``rho(w) = w - g(w)^{-1}``, ``g(w) = int (w - s a)^{-1} mu(ds)``, and drho/dw.

Legend
------
w, a          unknown of the letter and its invertible Hermitian coefficient, r x r
rho           (n, r r), row by row
change        (n, r^4): entry ``((i, j), (k, l))`` is the derivative of rho_ij by w_kl
R_s, p_s      ``(w - s a)^{-1}`` and the weights of a law with few atoms s
p, V          ``a^{-1} w = V diag(p) V^{-1}``
f, F          ``f(p) = p + 1/m(p)``, m the transform of mu, and its divided differences ``F_cd = f[p_c, p_d]``
u, chi, phi   of a sample covariance matrix with ratio c and population ``sum h delta_t``: ``p = u (1 + c chi)`` as in
              `pastur`, ``chi = sum h t / (u - t)``, ``phi = 1 + chi = -p m(p)``

A law with few atoms: with ``g = sum p_s R_s`` and ``h = sum p_s s R_s``

    rho = a h g^{-1},      drho = a sum_s p_s (h g^{-1} - s) R_s dw R_s g^{-1}.

Any other law: g is ``-m(a^{-1} w) a^{-1}``, so that rho is a function of ``a^{-1} w``,

    rho = a V diag(f) V^{-1},      drho = a V [(V^{-1} a^{-1} dw V) * F] V^{-1}.

Of a covariance ``f = p chi / phi``, and with ``chi[c, d] = -sum h t / ((u_c - t) (u_d - t))`` and
``p[c, d] = 1 - c sum h t^2 / ((u_c - t) (u_d - t))``, the divided differences in u,

    F_cd = chi_c / phi_c + p_d chi[c, d] / (phi_c phi_d p[c, d]).

Nothing of this cancels. Source: derived.
"""

import math

import numpy as np

from ._jit import kernel
from .dense import inverse_matrix
from .pastur import sweep
from .pastur_edges import U
from .primitives import abs2, inverse, sqrt_upper


@kernel
def atoms_letter(u, first, core, at, mass, rho, change, begin, slopes):
    """A law with few atoms: rho from column `first` on and, if asked for, change from `begin` on."""
    n, r = u.shape[0], core.shape[0]
    each = np.empty((at.size, r, r), dtype=np.complex128)
    work = np.empty((r, r), dtype=np.complex128)
    g = np.empty((r, r), dtype=np.complex128)
    back = np.empty((r, r), dtype=np.complex128)
    quotient = np.empty((r, r), dtype=np.complex128)
    outer = np.empty((r, r), dtype=np.complex128)
    inner = np.empty((r, r), dtype=np.complex128)
    for p in range(n):
        good = True
        for s in range(at.size):
            for i in range(r):
                for j in range(r):
                    work[i, j] = u[p, first + i * r + j] - at[s] * core[i, j]
            good = inverse_matrix(work, each[s]) and good
        for i in range(r):
            for j in range(r):
                total = 0j
                moment = 0j
                for s in range(at.size):
                    total += mass[s] * each[s, i, j]
                    moment += mass[s] * at[s] * each[s, i, j]
                g[i, j] = total
                work[i, j] = moment
        # inverse_matrix overwrites its argument: h is kept in `work`, g is used up
        if not (good and inverse_matrix(g, back)):
            for e in range(r * r):
                rho[p, first + e] = np.nan
            if slopes:
                for e in range(r**4):
                    change[p, begin + e] = np.nan
            continue
        _multiply(work, back, quotient)
        _multiply(core, quotient, work)
        for e in range(r * r):
            rho[p, first + e] = work[e // r, e % r]
        if not slopes:
            continue
        for e in range(r**4):
            change[p, begin + e] = 0.0
        for s in range(at.size):
            for i in range(r):
                for j in range(r):
                    total = 0j
                    for k in range(r):
                        total += quotient[i, k] * each[s, k, j]
                    work[i, j] = mass[s] * (total - at[s] * each[s, i, j])
            _multiply(core, work, outer)
            _multiply(each[s], back, inner)
            e = begin
            for i in range(r):
                for j in range(r):
                    for k in range(r):
                        for m in range(r):
                            change[p, e] += outer[i, k] * inner[m, j]
                            e += 1


@kernel
def _multiply(a, b, out):
    """out <- a b."""
    for i in range(a.shape[0]):
        for j in range(b.shape[1]):
            total = 0j
            for k in range(a.shape[1]):
                total += a[i, k] * b[k, j]
            out[i, j] = total


@kernel
def spectrum(u, first, core_inverse, points, vectors):
    """p and V for r = 1 and 2; nan where ``a^{-1} w`` has no basis of eigenvectors.

    Of ``[[a, b], [c, d]]`` with ``D^2 = (a-d)^2/4 + b c`` and ``k = (a-d)/2 + D``, the sign of D such that k does not
    cancel: V = ``[[1, -b/k], [c/k, 1]]``. The smaller p comes from the determinant, which keeps its digits.
    """
    r = core_inverse.shape[0]
    if r == 1:
        for p in range(u.shape[0]):
            points[p, 0] = core_inverse[0, 0] * u[p, first]
            vectors[p, 0, 0] = 1.0
        return
    ratio = core_inverse[0, 0] * core_inverse[1, 1] - core_inverse[0, 1] * core_inverse[1, 0]
    for p in range(u.shape[0]):
        a = core_inverse[0, 0] * u[p, first] + core_inverse[0, 1] * u[p, first + 2]
        b = core_inverse[0, 0] * u[p, first + 1] + core_inverse[0, 1] * u[p, first + 3]
        c = core_inverse[1, 0] * u[p, first] + core_inverse[1, 1] * u[p, first + 2]
        d = core_inverse[1, 0] * u[p, first + 1] + core_inverse[1, 1] * u[p, first + 3]
        half = 0.5 * (a - d)
        root = sqrt_upper(half * half + b * c)
        if half.real * root.real + half.imag * root.imag < 0.0:
            root = -root
        k = half + root
        if k == 0.0 and b == 0.0 and c == 0.0:
            k = complex(1.0, 0.0)
        over = inverse(k)
        vectors[p, 0, 0] = 1.0
        vectors[p, 1, 1] = 1.0
        vectors[p, 0, 1] = -b * over
        vectors[p, 1, 0] = c * over
        large = 0.5 * (a + d) + root
        small = 0.5 * (a + d) - root
        determinant = ratio * (u[p, first] * u[p, first + 3] - u[p, first + 1] * u[p, first + 2])
        if abs2(large) >= abs2(small):
            small = determinant * inverse(large)
        else:
            large = determinant * inverse(small)
        points[p, 0] = large
        points[p, 1] = small


@kernel
def covariance_values(points, poles, mass, weights, edges, rest, anchors, ratio, gap, empty, unit, f, differences):
    """f and F of a sample covariance matrix.

    Parameters
    ----------
    points : (n, r) complex, in either half-plane; on the axis the limit from above is taken
    poles, mass, empty : atoms of the population that are not 0, their weights, and the weight of the atom at 0
    weights, unit, edges, rest, anchors : the table of `pastur`, whose rows are in units of `unit`
    ratio, gap : c, and ``1 - c sum h``
    f, differences : out, (n, r) and (n, r, r)
    """
    n, r = points.shape
    count = n * r
    y = np.empty(count, dtype=np.complex128)
    index = np.empty(count, dtype=np.int64)
    kind = np.zeros(count, dtype=np.int64)
    u = np.empty(count, dtype=np.complex128)
    slopes = np.empty(0, dtype=np.complex128)
    status = np.empty(count, dtype=np.int64)
    steps = np.empty(count, dtype=np.int64)
    residual = np.empty(count)
    bound = np.empty(count)
    shift = 0.0
    for j in range(poles.size):
        shift += ratio * mass[j] * poles[j]
    for i in range(count):
        z = points[i // r, i % r]
        if not abs2(z) < np.inf:
            z = complex(0.0, 1.0)
        k = 0
        while k + 1 < edges.size and z.real > 0.5 * (edges[k] + edges[k + 1]):
            k += 1
        index[i] = k
        x = (z.real - edges[k]) - rest[k]
        y[i] = complex(x / unit, abs(z.imag) / unit)
        inward = x if k % 2 == 0 else -x
        if z.imag == 0.0 and inward < 0.0:
            kind[i] = 1
    sweep(y, index, kind, poles / unit, np.zeros(poles.size), weights, shift / unit, anchors, False, u, slopes, status,
          steps, residual, bound)  # fmt: skip
    chi = np.empty(r, dtype=np.complex128)
    phi = np.empty(r, dtype=np.complex128)
    distance = np.empty((r, poles.size), dtype=np.complex128)
    for p in range(n):
        for c in range(r):
            i = p * r + c
            z = points[p, c]
            base = anchors[index[i], U] * unit
            delta = u[i] * unit
            if z.imag < 0.0:
                delta = delta.conjugate()
            total = 0j
            for j in range(poles.size):
                distance[c, j] = (base - poles[j]) + delta
                total += mass[j] * poles[j] * inverse(distance[c, j])
            here = base + delta
            if gap > 0.0 and abs(base) * math.hypot(z.real, z.imag) > abs2(here):
                here = z * inverse(1.0 + ratio * total)  # u is a small difference, its quotient is not
            share = 0j
            for j in range(poles.size):
                share += mass[j] * inverse(distance[c, j])
            chi[c] = total
            phi[c] = empty + here * share
            f[p, c] = z * total * inverse(phi[c])
            if not (abs2(z) < np.inf and status[i] == 0):
                f[p, c] = complex(np.nan, np.nan)
        for c in range(r):
            for d in range(r):
                rise = 0j
                stretch = 0j
                for j in range(poles.size):
                    both = mass[j] * poles[j] * inverse(distance[c, j] * distance[d, j])
                    rise -= both
                    stretch += poles[j] * both
                over = inverse((1.0 - ratio * stretch) * phi[c] * phi[d])
                differences[p, c, d] = chi[c] * inverse(phi[c]) + points[p, d] * rise * over


@kernel
def discrete_values(points, at, mass, f, differences):
    """f and F of a law with many atoms."""
    n, r = points.shape
    m = np.empty(r, dtype=np.complex128)
    for p in range(n):
        for c in range(r):
            total = 0j
            first = 0j
            for s in range(at.size):
                over = inverse(at[s] - points[p, c])
                total += mass[s] * over
                first += mass[s] * at[s] * over
            m[c] = total
            f[p, c] = first * inverse(total)  # 1 + p m = int s / (s - p)
        for c in range(r):
            for d in range(r):
                total = 0j
                for s in range(at.size):
                    total += mass[s] * inverse((at[s] - points[p, c]) * (at[s] - points[p, d]))
                differences[p, c, d] = 1.0 - total * inverse(m[c] * m[d])


@kernel
def spectral_letter(core, core_inverse, vectors, f, differences, first, rho, change, begin, slopes):
    """The same as `atoms_letter` from the spectrum."""
    n, r = f.shape
    work = np.empty((r, r), dtype=np.complex128)
    back = np.empty((r, r), dtype=np.complex128)
    left = np.empty((r, r), dtype=np.complex128)
    right = np.empty((r, r), dtype=np.complex128)
    half = np.empty((r, r, r), dtype=np.complex128)
    for p in range(n):
        for i in range(r):
            for j in range(r):
                work[i, j] = vectors[p, i, j]
        if not inverse_matrix(work, back):
            for i in range(r):
                for j in range(r):
                    back[i, j] = complex(np.nan, np.nan)
        _multiply(core, vectors[p], left)
        for i in range(r):
            for j in range(r):
                total = 0j
                for c in range(r):
                    total += left[i, c] * f[p, c] * back[c, j]
                rho[p, first + i * r + j] = total
        if not slopes:
            continue
        _multiply(back, core_inverse, right)
        for c in range(r):
            for k in range(r):
                for j in range(r):
                    total = 0j
                    for d in range(r):
                        total += differences[p, c, d] * vectors[p, k, d] * back[d, j]
                    half[c, k, j] = total
        e = begin
        for i in range(r):
            for j in range(r):
                for k in range(r):
                    for m in range(r):
                        total = 0j
                        for c in range(r):
                            total += left[i, c] * right[c, k] * half[c, m, j]
                        change[p, e] = total
                        e += 1
