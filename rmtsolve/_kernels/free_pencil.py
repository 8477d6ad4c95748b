"""The map of operator-valued subordination, its derivative and Newton's steps, on a stack of points.

Legend (see `equations.free_pencil`)
------
K, d          rows of the pencil; unknowns ``u = (M if there are Gaussian letters, w_1, ..., w_L)``, row by row
own           K^2 if M is among the unknowns, else 0
ranks, places size r_i of w_i and where it begins in u
rho, change   of every letter as in `free_pencil_letters`; rho is laid out like u, change letter by letter
frames        V_i side by side, (K, sum r_i), and their duals Q_i with ``V* Q = 1``
rests         N_i side by side: bases of the complements of V_i
entries       (4, n) rows a, b, k, l, with the values c of ``S[M]_ab = sum c M_kl``
problem       (spectral, constant, weights, ranks, places, frames, duals, rests, entries, values), J by its diagonal

    E = zJ - A0 + S[M],    B_i = E - sum_{j != i} V_j rho_j V_j*,    M = -(E - sum_j V_j rho_j V_j*)^{-1},
    T_i = Q* B_i Q - Q* B_i N (N* B_i N)^{-1} N* B_i Q = (V_i* B_i^{-1} V_i)^{-1}.

With ``L = Q* - Q* B N (N* B N)^{-1} N*`` and R likewise, ``dT_i = L dB_i R`` and ``dB_i = J dz + S[dM] - sum_{j != i}
V_j drho_j V_j*``; ``dM = M dE M`` and ``dm = tr(W M dE M)``, W the weights. Only the r_j x r_j cores of drho are ever
formed. Errors are compared with a yard: ``(d_i d_j)^(1/2)`` for entry (i, j) of w, ``d_i = max_j |w_ij|^2 / max_k
|w_jk|``, which scales with the rows and columns of w; Newton's systems are solved in these units.
"""

import math

import numpy as np

from ._jit import kernel
from .dense import factor, inverse_matrix, solve

TINY = 1e-100  # instead of a zero entry


@kernel
def _spoil(matrix):
    """nan everywhere."""
    for i in range(matrix.shape[0]):
        for j in range(matrix.shape[1]):
            matrix[i, j] = complex(np.nan, np.nan)


@kernel
def linearise(z, u, rho, change, problem, value, m, slope, drift, gradient, need_slope):
    """T(u), M and, where `need_slope`, dT/du, dT/dz, dm/du at one point; returns dm/dz at fixed u. nan if singular."""
    spectral, constant, weights, ranks, places, frames, duals, rests, entries, values = problem
    k, letters = spectral.size, ranks.size
    base, work = np.empty((k, k), dtype=np.complex128), np.empty((k, k), dtype=np.complex128)
    pushed = np.empty((letters, k, k), dtype=np.complex128)
    for i in range(k):
        for j in range(k):
            base[i, j] = -constant[i, j]
        base[i, i] += z * spectral[i]
    if places[0]:
        for e in range(values.size):
            base[entries[0, e], entries[1, e]] += values[e] * u[entries[2, e] * k + entries[3, e]]
    begin = 0
    for x in range(letters):
        _push(rho, places[x], frames[:, begin : begin + ranks[x]], work, pushed[x])
        begin += ranks[x]
    for i in range(k):
        for j in range(k):
            total = -base[i, j]
            for x in range(letters):
                total += pushed[x, i, j]
            work[i, j] = total
    if not inverse_matrix(work, m):
        _spoil(m)
    for e in range(places[0]):
        value[e] = m[e // k, e % k]
    tilt = 0j
    if need_slope:
        for e in range(u.size):
            for c in range(u.size):
                slope[e, c] = 0j
        if places[0]:
            _differentiate(m, m, 0, -1, change, spectral, ranks, places, frames, entries, values, drift, slope)
        for i in range(k):
            for j in range(k):
                total = 0j
                for a in range(k):
                    total += m[i, a] * weights[a] * m[a, j]
                work[i, j] = total
            tilt += spectral[i] * work[i, i]
        _read_out(work, change, ranks, places, frames, entries, values, gradient)
    begin, beyond = 0, 0
    for x in range(letters):
        r = ranks[x]
        for i in range(k):
            for j in range(k):
                total = base[i, j]
                for other in range(letters):
                    if other != x:
                        total -= pushed[other, i, j]
                work[i, j] = total
        left, right = np.empty((r, k), dtype=np.complex128), np.empty((k, r), dtype=np.complex128)
        image = np.empty((r, r), dtype=np.complex128)
        _schur(work, duals[:, begin : begin + r], rests[:, beyond : beyond + k - r], left, right, image)
        for e in range(r * r):
            value[places[x] + e] = image[e // r, e % r]
        if need_slope:
            _differentiate(
                left, right, places[x], x, change, spectral, ranks, places, frames, entries, values, drift, slope
            )
        begin += r
        beyond += k - r
    return tilt


@kernel
def _push(rho, first, frame, work, out):
    """out <- V rho V*."""
    k, r = frame.shape
    for i in range(k):
        for q in range(r):
            total = 0j
            for p in range(r):
                total += frame[i, p] * rho[first + p * r + q]
            work[i, q] = total
    for i in range(k):
        for j in range(k):
            total = 0j
            for q in range(r):
                total += work[i, q] * frame[j, q].conjugate()
            out[i, j] = total


@kernel
def _schur(b, q, n, left, right, value):
    """L (r, K), R (K, r) and the Schur complement ``L B Q`` (r, r) of one letter; nan where it is singular."""
    k, r = q.shape
    s = n.shape[1]
    bn, nb = np.empty((k, s), dtype=np.complex128), np.empty((s, k), dtype=np.complex128)  # B N and N* B
    for i in range(k):
        for j in range(s):
            total = 0j
            flip = 0j
            for a in range(k):
                total += b[i, a] * n[a, j]
                flip += n[a, j].conjugate() * b[a, i]
            bn[i, j] = total
            nb[j, i] = flip
    inner, inverted = np.empty((s, s), dtype=np.complex128), np.empty((s, s), dtype=np.complex128)
    for i in range(s):
        for j in range(s):
            total = 0j
            for a in range(k):
                total += n[a, i].conjugate() * bn[a, j]
            inner[i, j] = total
    if not inverse_matrix(inner, inverted):
        _spoil(inverted)
    for i in range(k):
        for p in range(r):
            left[p, i] = q[i, p].conjugate()
            right[i, p] = q[i, p]
    first, second = np.empty(s, dtype=np.complex128), np.empty(s, dtype=np.complex128)
    for p in range(r):
        for a in range(s):  # row p of Q* B N and column p of N* B Q
            total = 0j
            flip = 0j
            for i in range(k):
                total += q[i, p].conjugate() * bn[i, a]
                flip += nb[a, i] * q[i, p]
            first[a] = total
            second[a] = flip
        for j in range(s):
            total = 0j
            flip = 0j
            for a in range(s):
                total += first[a] * inverted[a, j]
                flip += inverted[j, a] * second[a]
            for i in range(k):
                left[p, i] -= total * n[i, j].conjugate()
                right[i, p] -= n[i, j] * flip
    for p in range(r):
        for j in range(r):
            total = 0j
            for i in range(k):
                row = 0j
                for a in range(k):
                    row += b[i, a] * q[a, j]
                total += left[p, i] * row
            value[p, j] = total


@kernel
def _differentiate(
    left, right, first, own, change, spectral, ranks, places, frames, entries, values, drift, slope
):  # fmt: skip
    """Rows `first`... of dT/dz and dT/du: those of ``L dB R``, B without letter `own`."""
    rows, k, cols = left.shape[0], left.shape[1], right.shape[1]
    for i in range(rows):
        for j in range(cols):
            at = first + i * cols + j
            total = 0j
            for a in range(k):
                total += left[i, a] * spectral[a] * right[a, j]
            drift[at] = total
            if places[0]:
                for e in range(values.size):
                    slope[at, entries[2, e] * k + entries[3, e]] += (
                        values[e] * left[i, entries[0, e]] * right[entries[1, e], j]
                    )
    begin, done = 0, 0
    for x in range(ranks.size):
        r = ranks[x]
        if x != own:
            before, after = np.empty((rows, r), dtype=np.complex128), np.empty((r, cols), dtype=np.complex128)
            for p in range(r):
                for i in range(rows):
                    total = 0j
                    for a in range(k):
                        total += left[i, a] * frames[a, begin + p]
                    before[i, p] = total
                for j in range(cols):
                    total = 0j
                    for a in range(k):
                        total += frames[a, begin + p].conjugate() * right[a, j]
                    after[p, j] = total
            for i in range(rows):
                for j in range(cols):
                    at = first + i * cols + j
                    e = done
                    for p in range(r):
                        for q in range(r):
                            factor_pq = before[i, p] * after[q, j]
                            for c in range(r * r):
                                slope[at, places[x] + c] -= factor_pq * change[e]
                                e += 1
        begin += r
        done += r**4


@kernel
def _read_out(read, change, ranks, places, frames, entries, values, gradient):
    """dm/du, from ``W' = M W M``: ``dm = tr(W' dE)``."""
    k = read.shape[0]
    for e in range(gradient.size):
        gradient[e] = 0j
    if places[0]:
        for e in range(values.size):
            gradient[entries[2, e] * k + entries[3, e]] += values[e] * read[entries[1, e], entries[0, e]]
    begin, e = 0, 0
    for x in range(ranks.size):
        r = ranks[x]
        for p in range(r):
            for q in range(r):
                total = 0j
                for a in range(k):
                    for b in range(k):
                        total += frames[b, begin + q].conjugate() * read[b, a] * frames[a, begin + p]
                for c in range(r * r):
                    gradient[places[x] + c] -= total * change[e]
                    e += 1
        begin += r


@kernel
def linearise_each(z, u, rho, change, problem, value, m, slope, drift, gradient, tilt, need_slope):
    """`linearise` at n points; `problem` is the tuple of what does not depend on the point."""
    for p in range(z.size):
        q = p if need_slope else 0
        tilt[q] = linearise(
            z[p], u[p], rho[p], change[q], problem, value[p], m[p], slope[q], drift[q], gradient[q], need_slope
        )


@kernel
def yard_each(u, problem, yard):
    """The yard of every unknown of n points."""
    for p in range(u.shape[0]):
        _yard(u[p], problem[3], problem[4], problem[0].size, yard[p])


@kernel
def _yard(u, ranks, places, side, yard):
    if places[0]:
        _block_yard(u, 0, side, yard)
    for x in range(ranks.size):
        _block_yard(u, places[x], ranks[x], yard)


@kernel
def _block_yard(u, first, r, yard):
    root = np.empty(r)
    largest = np.empty(r)  # of every row, k in the legend
    for i in range(r):
        top = 0.0
        for j in range(r):
            w = u[first + i * r + j]
            size = math.hypot(w.real, w.imag) + TINY
            yard[first + i * r + j] = size
            if size > top or size != size:
                top = size
        largest[i] = top
    for i in range(r):
        top = 0.0
        for j in range(r):
            share = yard[first + i * r + j] / math.sqrt(largest[j])
            if share > top or share != share:
                top = share
        root[i] = top
    for i in range(r):
        for j in range(r):
            yard[first + i * r + j] = root[i] * root[j]


@kernel
def newton_steps(z, u, rho, change, problem, live, short, accepted, patient, going, done):
    """One step of Newton's iteration at the points `live`, in place; fills `going` and `done` of these.

    A point is done when its residual was at most `accepted` and the step at most `short`, in yards. It goes on while
    its steps are finite and, unless `patient`, not longer than a tenth of the yard.
    """
    spectral, ranks, places = problem[0], problem[3], problem[4]
    d, k = u.shape[1], spectral.size
    value, drift, gradient = (
        np.empty(d, dtype=np.complex128), np.empty(d, dtype=np.complex128), np.empty(d, dtype=np.complex128)
    )  # fmt: skip
    slope, m = np.empty((d, d), dtype=np.complex128), np.empty((k, k), dtype=np.complex128)
    yard, pivots = np.empty(d), np.empty(d, dtype=np.int64)
    for p in range(live.size):
        here = u[live[p]]
        linearise(z[live[p]], here, rho[p], change[p], problem, value, m, slope, drift, gradient, True)
        _yard(here, ranks, places, k, yard)
        worst = 0.0  # residual, then step
        for e in range(d):
            drift[e] = (value[e] - here[e]) / yard[e]
            size = math.hypot(drift[e].real, drift[e].imag)
            if size > worst or size != size:
                worst = size
            for c in range(d):
                slope[e, c] *= -yard[c] / yard[e]
            slope[e, e] += 1.0
        settled = worst <= accepted
        going[p] = False
        done[p] = False
        if not (worst < np.inf and factor(slope, pivots)):
            continue
        solve(slope, pivots, drift)
        worst = 0.0
        for e in range(d):
            size = math.hypot(drift[e].real, drift[e].imag)
            if size > worst or size != size:
                worst = size
        if not worst < np.inf:
            continue
        for e in range(d):
            here[e] += drift[e] * yard[e]
        done[p] = settled and worst <= short
        going[p] = not done[p] and (patient or worst <= 0.1)
