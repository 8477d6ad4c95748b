"""Writes deep_spectra.txt, deep_ridge.txt, linear_ridge.txt: mpmath, 40 digits, nothing of rmtsolve (a minute).

    python tests/reference/deep_generate.py

Spectra: Newton on the chain of scalar maps lambda(kappa_1) = -z, continued from large Im z. Ridge: bisection on the
same at real lambda, with the errors from numerical derivatives of the quadratic form. Linear ridge: eigenvalues of the
60 x 60 matrix and a root of lam = kappa (n - df1).
"""

import pathlib

import mpmath as mp

mp.mp.dps = 40
HERE = pathlib.Path(__file__).parent
FUNCTIONS = {"tanh": mp.tanh, "erf": mp.erf, "sign": mp.sign}


def gauss(f):
    return mp.quad(lambda x: f(x) * mp.exp(-x * x / 2), [-mp.inf, -4, 0, 4, mp.inf]) / mp.sqrt(2 * mp.pi)


def coefficients(name, v):
    """Squared linear gain and nonlinear rest at variance v, for odd functions."""
    f, s = FUNCTIONS[name], mp.sqrt(v)
    c = gauss(lambda g: g * f(s * g))
    return c * c / v, gauss(lambda g: f(s * g) ** 2) - c * c


def network(activations, population):
    """(a, b) of every layer, and the variance of the last features."""
    size = sum(w * x for x, w in population)
    out = []
    for name in activations:
        out.append(coefficients(name, size))
        size = out[-1][0] * size + out[-1][1]
    return out, size


def chain(kappa, widths, layers, population, n):
    """lambda (for Phi Phi^T / p_L), kappa at every level and df1 at every level."""
    df1 = widths[0] * sum(w * x / (x + kappa) for x, w in population)
    kappas, dofs = [kappa], [df1]
    for s, (a, b) in enumerate(layers):
        p, q = widths[s + 1], widths[s]
        kappa = a * kappa * (p - df1) / q - b
        df1 = p - kappa * q / (a * kappas[-1])
        kappas.append(kappa)
        dofs.append(df1)
    return kappa * (n - df1) / widths[-1], kappas, dofs


def spectrum(widths, n, activations, population, z):
    layers, _ = network(activations, population)
    gain = mp.mpf(1)
    for s, (a, _) in enumerate(layers):
        gain *= a * widths[s + 1] / widths[s]
    eta = 50 + 10 * abs(mp.re(z))
    steps = 80
    kappa = -mp.mpc(mp.re(z), eta) / gain * widths[-1] / n
    for k in range(steps + 1):
        point = mp.mpc(mp.re(z), eta * (mp.im(z) / eta) ** (mp.mpf(k) / steps))
        kappa = mp.findroot(lambda t, w=point: chain(t, widths, layers, population, n)[0] + w, kappa, tol=1e-50)
    _, kappas, _ = chain(kappa, widths, layers, population, n)
    assert all(mp.im(one) < 0 for one in kappas)
    return widths[-1] / (n * kappas[-1])


def ridge(widths, n, activations, population, lam, energy, form):
    """Test and train error; `form(kappas, dofs)` is the quadratic form T of the labels."""
    layers, _ = network(activations, population)

    def at(logarithm):
        return chain(mp.exp(logarithm), widths, layers, population, n)

    # the physical branch is where every kappa is positive and every level has room; lambda increases on it
    low, high = mp.mpf(-40), mp.mpf(40)
    for _ in range(200):
        middle = (low + high) / 2
        value, kappas, dofs = at(middle)
        room = all(p > d for p, d in zip([*widths[1:], n], dofs, strict=True))
        if room and min(kappas) > 0 and value > lam:
            high = middle
        else:
            low = middle
    value, kappas, dofs = at(high)
    top = mp.diff(lambda t: at(t)[1][-1], high)
    slope = mp.diff(lambda t: form(*at(t)[1:]), high) / top
    df2 = dofs[-1] + kappas[-1] * mp.diff(lambda t: at(t)[2][-1], high) / top
    test = (energy - form(kappas, dofs) + kappas[-1] * slope) / (1 - df2 / n)
    return test, (1 - dofs[-1] / n) ** 2 * test, kappas[-1], kappas[0]


ONE = [(mp.mpf(1), mp.mpf(1))]
TWO = [(mp.mpf("0.5"), mp.mpf("0.5")), (mp.mpf("1.5"), mp.mpf("0.5"))]
SPECTRA = [
    ((2, 3), "2.5", ["tanh"], ONE, "0.3", "0.2"),
    ((2, 3), "2.5", ["tanh"], ONE, "1", "0.001"),
    ((6, 9, 7), "7.5", ["tanh", "sign"], ONE, "1", "0.1"),
    ((5, 6, 7, 4), "8", ["tanh", "erf", "tanh"], ONE, "0.3", "0.2"),
    ((5, 6, 7), "8", ["tanh", "tanh"], TWO, "0.3", "0.2"),
    ((2, 3), "2.5", ["tanh"], ONE, "0.5", "1e-25"),
    ((6, 9, 7), "7.5", ["tanh", "sign"], ONE, "0.001", "1e-25"),
    ((5, 6, 7, 4), "8", ["tanh", "erf", "tanh"], ONE, "1", "1e-25"),
    ((4, 3, 5, 6), "3", ["sign", "tanh", "erf"], TWO, "2", "0.05"),
]


def write_spectra():
    with (HERE / "deep_spectra.txt").open("w") as file:
        file.write("# widths; n; activations; atoms of Omega_0 (equal weights); z; m_K(z)\n")
        for widths, n, names, law, x, y in SPECTRA:
            real = [mp.mpf(w) for w in widths]
            m = spectrum(real, mp.mpf(n), names, law, mp.mpc(x, y))
            atoms = " ".join(mp.nstr(a, 3) for a, _ in law)
            numbers = [mp.nstr(part, 20) for part in (m.real, m.imag)]
            file.write(f"{' '.join(map(str, widths))}; {n}; {' '.join(names)}; {atoms}; {x} {y}; {' '.join(numbers)}\n")


def write_ridge():
    sign = 2 / mp.pi
    dd = [(mp.mpf("0.4"), mp.mpf("0.5")), (mp.mpf("1.6"), mp.mpf("0.5"))]
    erf_size = network(["erf"], dd)[1]
    five = [(mp.mpf(x), mp.mpf(w)) for x, w in (("0.2", "0.5"), ("0.8", "0.3"), ("2", "0.2"))]
    mean = sum(x * w for x, w in five)
    cases = {
        "A": ((1, 1.5), "1.25", ["tanh"], ONE, mp.mpf("1.1"), lambda k, d: sign / (1 + k[0])),
        "B": ((800, 1000, 1200), "1000", ["tanh", "tanh"], ONE, mp.mpf("1.1"), lambda k, d: sign / (1 + k[0])),
        "D": ((600, 900, 700), "800", ["erf", "tanh"], dd, erf_size + mp.mpf("0.05"),
              lambda k, d: erf_size - k[1] * d[1] / 900),
        "E": ((1, 2), "3", ["sign"], five, mean + mp.mpf("0.1"), lambda k, d: mean - k[0] * d[0]),
    }  # fmt: skip
    with (HERE / "deep_ridge.txt").open("w") as file:
        file.write("# case; lam; test; train; kappa_{L+1}; kappa_1\n")
        for name, (widths, n, activations, law, energy, form) in cases.items():
            for lam in ("0.001", "0.1", "1"):
                real = [mp.mpf(w) for w in widths]
                values = ridge(real, mp.mpf(n), activations, law, mp.mpf(lam), energy, form)
                file.write(f"{name}; {lam}; " + "; ".join(mp.nstr(v, 20) for v in values) + "\n")


def write_linear():
    p = 60
    omega = mp.matrix(p, p)
    for j in range(p):
        for k in range(p):
            omega[j, k] = mp.mpf("0.5") ** abs(j - k) * mp.mpf((j + 1) * (k + 1)) ** mp.mpf("-0.25")
    beta = mp.matrix([mp.cos(j + 1) / mp.sqrt(p) for j in range(p)])
    values, vectors = mp.eigsy(omega)
    along = vectors.T * (omega * beta)
    energy = (beta.T * omega * beta)[0] + mp.mpf("0.2")
    w = [value / p for value in values]
    c2 = [along[i] ** 2 / p for i in range(p)]
    with (HERE / "linear_ridge.txt").open("w") as file:
        file.write("# n; lam; kappa; df1; df2; test; train; norm\n")
        for n, lam in ((30, "0.1"), (60, "0.01"), (90, "1"), (200, "0.5"), (40, "0"), (120, "0"), (30, "1e-8")):
            df1 = lambda k: sum(x / (x + k) for x in w)  # noqa: E731
            if lam == "0" and n > p:
                kappa = mp.mpf(0)
            else:
                low, high = mp.mpf(-60), mp.log((mp.mpf(lam) + sum(w)) / n)
                for _ in range(200):
                    middle = (low + high) / 2
                    k = mp.exp(middle)
                    low, high = (low, middle) if k * (n - df1(k)) > mp.mpf(lam) else (middle, high)
                kappa = mp.exp(low)
            df2 = sum((x / (x + kappa)) ** 2 for x in w)
            pairs = list(zip(w, c2, strict=True))
            test = energy - sum(c * (1 / (x + kappa) + kappa / (x + kappa) ** 2) for x, c in pairs)
            test /= 1 - df2 / n
            train = (1 - df1(kappa) / n) ** 2 * test
            norm = sum(c / (x + kappa) ** 2 for x, c in pairs) + test / n * sum(x / (x + kappa) ** 2 for x in w)
            row = (kappa, df1(kappa), df2, test, train, norm)
            file.write(f"{n}; {lam}; " + "; ".join(mp.nstr(v, 20) for v in row) + "\n")


if __name__ == "__main__":
    write_spectra()
    write_ridge()
    write_linear()
