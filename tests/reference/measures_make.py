"""Makes measures.csv: the closed-form laws from their densities by 40-digit quadrature (mpmath; a few seconds).

Run as ``python tests/reference/measures_make.py`` in the repository's root. The densities are typed here anew from the
literature named in `rmtsolve.measures.classical`; in the angle of the bulk they are smooth.
"""

import csv
import pathlib

from mpmath import mp, mpc, mpf, quad

mp.dps = 40


def bulk(a, b, rest):
    """Density rest(x) sqrt((b - x)(x - a)) on [a, b] as (a, b, weight in the angle); rest of x, x - a and b - x."""

    def weight(angle):
        left, right = (b - a) * mp.sin(angle / 2) ** 2, (b - a) * mp.cos(angle / 2) ** 2
        return a + left, rest(a + left, left, right) * left * right

    return a, b, weight


def wachter(c1, c2):
    return lambda x, left, right: (1 - c2) / (2 * mp.pi * x * (c1 + c2 * x))


def laws():
    v, mean = mpf("0.5"), mpf("1.25")
    reach = 2 * mp.sqrt(v)
    yield "Semicircle", "0.5 1.25", bulk(mean - reach, mean + reach, lambda x, left, right: 1 / (2 * mp.pi * v)), []
    for c, v in ((mpf("0.25"), mpf(1)), (mpf(4), mpf("0.5")), (mpf(1), mpf(2))):
        a, b = v * (1 - mp.sqrt(c)) ** 2, v * (1 + mp.sqrt(c)) ** 2
        zero = [(mpf(0), 1 - 1 / c)] if c > 1 else []
        name = f"{mp.nstr(c, 5)} {mp.nstr(v, 5)}"
        yield "MarchenkoPastur", name, bulk(a, b, lambda x, left, right, c=c, v=v: 1 / (2 * mp.pi * c * v * x)), zero
    for c1, c2 in ((mpf("0.5"), mpf("0.25")), (mpf(2), mpf("0.75"))):
        h = mp.sqrt(c1 + c2 - c1 * c2)
        a, b = ((1 - h) / (1 - c2)) ** 2, ((1 + h) / (1 - c2)) ** 2
        zero = [(mpf(0), 1 - 1 / c1)] if c1 > 1 else []
        yield "Wachter", f"{mp.nstr(c1, 5)} {mp.nstr(c2, 5)}", bulk(a, b, wachter(c1, c2)), zero
    c1, c2 = mpf("0.5"), mpf("1.25")
    h = mp.sqrt(c1 + c2 - c1 * c2)
    a, b = c2 * ((h - c1) / (c1 + c2)) ** 2, c2 * ((h + c1) / (c1 + c2)) ** 2
    total = 1 / c1 + 1 / c2
    one = [(mpf(1), 1 - 1 / c2)]
    yield "Jacobi", "0.5 1.25", bulk(a, b, lambda x, left, right: total / (2 * mp.pi * x * (1 - x))), one
    d = mpf(3)
    b = 2 * mp.sqrt(d - 1)
    yield "Kesten", "3.0", bulk(-b, b, lambda x, left, right: d / (2 * mp.pi * (d * d - x * x))), []
    a, b = mpf(-1), mpf(3)
    yield "Arcsine", "-1.0 3.0", bulk(a, b, lambda x, left, right: 1 / (mp.pi * left * right)), []


def rows():
    for name, parameters, (a, b, weight), atoms in laws():

        def integral(f, end=mp.pi, weight=weight, atoms=atoms, whole=True):
            def inner(turn):
                x, w = weight(turn)
                return f(x) * w

            cuts = [end * k / 8 for k in range(9)]
            return quad(inner, cuts) + (sum(m * f(t) for t, m in atoms) if whole else 0)

        yield name, parameters, "mass", 0, 0, integral(lambda x: mpf(1)), 0
        for k in (1, 2, 5):
            yield name, parameters, "moment", k, 0, integral(lambda x, k=k: x**k), 0
        width = float(b - a)
        for z in (
            complex(float(a), 0.3 * width),
            complex(float(b) + 0.2 * width, 1e-9),
            complex(float(a) - 9 * width, 1),
        ):
            m = integral(lambda x, z=z: 1 / (x - mpc(z)))
            yield name, parameters, "stieltjes", z.real, z.imag, m.real, m.imag
        for theta in (mpf("0.3"), mpf("1.7")):
            x = float((a + b) / 2 - (b - a) / 2 * mp.cos(theta))
            angle = mp.acos(((a + b) / 2 - mpf(x)) * 2 / (b - a))
            below = sum(m for t, m in atoms if t <= x)
            yield name, parameters, "cdf", x, 0, integral(lambda x: mpf(1), angle, whole=False) + below, 0


if __name__ == "__main__":
    path = pathlib.Path(__file__).with_name("measures.csv")
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["law", "parameters", "quantity", "real", "imag", "value_real", "value_imag"])
        for row in rows():
            numbers = [mp.nstr(v, 30) if v else "0" for v in row[5:]]
            table.writerow([*row[:3], repr(float(row[3])), repr(float(row[4])), *numbers])
