"""Reference values for spiked models and the classical ensembles, 30 digits (mpmath): writes spiked_classical.txt.

Routes that the package does not take: information plus noise by damped iteration of Dozier and Silverstein's equation
in m, F-matrices from the deterministic equivalent of the pencil ``S1 - z S2``, products from the polynomial of the
S-transform by continuation from far above, spikes by differentiating the resolvent sums of the secular equations. About
20 seconds.
"""

import pathlib

import mpmath as mp

mp.mp.dps = 40
TABLE = pathlib.Path(__file__).with_name("spiked_classical.txt")


def iterate(step, start):
    state = start
    for _ in range(20000):
        new = step(state)
        new = [(a + b) / 2 for a, b in zip(new, state, strict=False)]
        if max(abs(a - b) for a, b in zip(new, state, strict=False)) < mp.mpf(10) ** -36:
            return new
        state = new
    raise RuntimeError("no convergence")


def information(atoms, weights, sigma, c, z):
    k = sigma**2 * c

    def step(state):
        (m,) = state
        a = 1 + k * m
        return [mp.fsum(h / (t / a - a * z + sigma**2 * (1 - c)) for t, h in zip(atoms, weights, strict=False))]

    return iterate(step, [-1 / z])[0]


def f_matrix(atoms, weights, c1, c2, z):
    def step(state):
        d1, d2 = state
        a, b = 1 / (1 + c1 * d1), 1 / (1 - z * c2 * d2)
        terms = [(h / (t * a - z * b), t) for t, h in zip(atoms, weights, strict=False)]
        return [mp.fsum(g * t for g, t in terms), mp.fsum(g for g, _ in terms)]

    _, d2 = iterate(step, [-1 / z, -1 / z])
    return d2 / (1 - z * c2 * d2)


def product(ratios, z):
    w = None
    for height in [mp.mpf(2) ** k for k in range(12, -1, -1)]:
        point = z.real + 1j * z.imag * height
        w = 1 / point if w is None else w

        def equation(w, point=point):
            value = (1 + w) / point
            for c in ratios:
                value *= 1 + c * w
            return value - w

        w = mp.findroot(equation, w, tol=1e-60, maxsteps=100)
    return -(1 + w) / z


def spike(atoms, weights, c, level):
    def f(u):
        return u + c * mp.fsum(h * t * u / (u - t) for t, h in zip(atoms, weights, strict=False))

    value, slope = f(level), mp.diff(f, level)
    return value, level * slope / value, 2 * level**2 * slope


def wigner(atoms, weights, s2, level):
    def f(u):
        return u + s2 * mp.fsum(h / (u - t) for t, h in zip(atoms, weights, strict=False))

    return f(level), mp.diff(f, level), 2 * s2 * mp.diff(f, level)


def rectangular(atoms, weights, c, level, start):
    """N^T N of the given (discrete) law."""

    def m(x):
        return mp.fsum(h / (t - x) for t, h in zip(atoms, weights, strict=False))

    def twin(x):
        return c * m(x) - (1 - c) / x

    def d(x):
        return x * m(x) * twin(x)

    x = mp.findroot(lambda x: d(x) - 1 / level**2, start, tol=1e-60)
    rate = mp.diff(d, x)
    return x, m(x) / (level**2 * rate), twin(x) / (level**2 * rate)


def rows():
    half = [mp.mpf(1) / 2] * 2
    for sigma, c, z in (("1", "0.5", 1 + 0.5j), ("0.3", "1", 2 + 0.25j), ("1.5", "0.25", -1 + 1j)):
        m = information([0, 2], half, mp.mpf(sigma), mp.mpf(c), mp.mpc(z))
        yield "information", f"{sigma} {c} {z}", m.real, m.imag
    for c1, c2, z in (("0.5", "0.2", 1 + 0.5j), ("2", "0.3", 3 + 1j), ("1", "0.6", 0.5 + 0.5j)):
        m = f_matrix([1, 4], half, mp.mpf(c1), mp.mpf(c2), mp.mpc(z))
        yield "fmatrix", f"{c1} {c2} {z}", m.real, m.imag
    for z in (1 + 0.5j, 4 + 0.5j):
        third = [mp.mpf(1) / 3] * 3
        m = f_matrix([0, 1, 4], third, mp.mpf("0.5"), mp.mpf("0.2"), mp.mpc(z))
        yield "fmatrix zero", f"0.5 0.2 {z}", m.real, m.imag
    for ratios, z in (
        (("1", "1"), 1 + 0.25j),
        (("0.5", "2"), 2 + 0.5j),
        (("2", "2", "0.5"), 1 + 0.125j),
        (("1",) * 4, 3 + 0.5j),
    ):
        m = product([mp.mpf(c) for c in ratios], mp.mpc(z))
        yield "product", f"{','.join(ratios)} {z}", m.real, m.imag
    for level in ("8", "0.2"):
        yield ("covariance", f"{level}", *spike([1, 3], [mp.mpf("0.6"), mp.mpf("0.4")], mp.mpf("0.5"), mp.mpf(level)))
    yield ("covariance gap", "8", *spike([1, 30], half, mp.mpf("0.1"), mp.mpf(8)))
    for level in ("3", "-4", "0.1"):
        yield ("wigner", level, *wigner([-2, 2], half, mp.mpf("0.25"), mp.mpf(level)))
    yield ("rectangular", "1.5", *rectangular([1, 9], half, mp.mpf("0.5"), mp.mpf("1.5"), mp.mpf(12)))
    yield ("rectangular gap", "1.5", *rectangular([1, 9], half, mp.mpf("0.5"), mp.mpf("1.5"), mp.mpf(2)))


if __name__ == "__main__":
    lines = ["# family | parameters | numbers (see make_spiked_classical.py)"]
    for family, parameters, *numbers in rows():
        lines.append(" | ".join([family, parameters, *(mp.nstr(x, 30) for x in numbers)]))
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")
