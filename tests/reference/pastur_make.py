"""Makes pastur.csv: laws of the Pastur form to 30 digits (mpmath, 60 digits inside; about a minute).

Run as ``python tests/reference/pastur_make.py`` in the repository's root. Only the equation
``z = u + b + sum_j w_j / (u - t_j)`` and bisections are used: nothing of rmtsolve. Parameters are the exact binary
numbers that Python reads. Roots in the upper half-plane come from Newton's method on a descent in Im z, from far above.

Columns: kind, scale, atoms, weights, quantity, index, argument (two columns, real and imaginary), value (two columns).
An index says at which edge ``argument`` is an offset from; -1: argument is the point itself.
"""

import csv
import itertools
import pathlib

import numpy as np
from mpmath import findroot, mp, mpc, mpf

mp.dps = 60


class Law:
    def __init__(self, kind, scale, atoms, weights):
        self.kind, self.c = kind, mpf(scale)
        total = sum(mpf(h) for h in weights)
        self.atoms = [mpf(t) for t in atoms]
        self.h = [mpf(h) / total for h in weights]
        moving = [(t, h) for t, h in zip(self.atoms, self.h, strict=True) if kind == "wigner" or t != 0]
        self.t = [t for t, _ in moving]
        self.w = [self.c * h * (1 if kind == "wigner" else t * t) for t, h in moving]
        self.b = mpf(0) if kind == "wigner" else self.c * sum(h * t for t, h in moving)

    def image(self, u):
        return u + self.b + sum(w / (u - t) for w, t in zip(self.w, self.t, strict=True))

    def slope(self, u):
        return 1 - sum(w / (u - t) ** 2 for w, t in zip(self.w, self.t, strict=True))

    def bend(self, u):
        return sum(w / (u - t) ** 3 for w, t in zip(self.w, self.t, strict=True))

    def edges(self):
        """Images of the real zeros of F', by bisection on both sides of its minimum between neighbouring poles."""

        def g(u):
            return 1 - self.slope(u)

        t, reach = sorted(self.t), mp.sqrt(sum(self.w))
        cuts = []

        def bisect(inside, outside):  # g(inside) > 1 > g(outside)
            for _ in range(230):
                middle = (inside + outside) / 2
                inside, outside = (middle, outside) if g(middle) > 1 else (inside, middle)
            return middle

        cuts.append(bisect(t[0], t[0] - 2 * reach) if len(t) else 0)
        for left, right in itertools.pairwise(t):
            if self.surely_closed(float(left), float(right)):
                continue
            low, high = left, right
            for _ in range(230):
                middle = (low + high) / 2
                low, high = (middle, high) if self.bend(middle) > 0 else (low, middle)
            if g(middle) < 1:
                cuts += [bisect(left, middle), bisect(right, middle)]
        cuts.append(bisect(t[-1], t[-1] + 2 * reach))
        return [self.image(u) for u in cuts]

    def surely_closed(self, left, right):
        """Whether g > 1.01 on a fine double-precision grid of the interval, so that no bisection is needed."""
        poles, weights = np.array(self.t, dtype=float), np.array(self.w, dtype=float)
        u = left + (right - left) * np.linspace(0.001, 0.999, 999)
        return (weights / (u[:, None] - poles) ** 2).sum(axis=1).min() > 1.01

    def solve(self, z):
        z = mpc(z)
        size = max(abs(t) for t in self.t) + mp.sqrt(sum(self.w)) + abs(z)
        height = 4 * size
        u = z + 1j * height
        while True:
            point = mpc(z.real, z.imag + height)
            for _ in range(200):
                step = (self.image(u) - point) / self.slope(u)
                while (u - step).imag <= 0:
                    step /= 2
                u -= step
                if abs(step) < mpf(10) ** -45 * abs(u):
                    break
            if height < mpf(10) ** -40 * size:
                break
            height /= 3
        return findroot(lambda v: self.image(v) - z, u, tol=mpf(10) ** -80, verify=False)

    def transform(self, z, u):
        if self.kind == "poisson":
            return -1 / u
        own = sum(h / (t - u) for t, h in zip(self.atoms, self.h, strict=True))
        return own * u / z if self.kind == "covariance" else own

    def density(self, x, u):
        return self.transform(x, u).imag / mp.pi

    def cdf(self, x, u):
        """Closed form of theory: principal logarithms, right to an integer, inside a bulk."""
        if self.kind == "wigner":
            m = (u - x) / self.c
            logs = sum(h * mp.log(t - u) for t, h in zip(self.atoms, self.h, strict=True))
            return -(self.c * m * m / 2 + logs).imag / mp.pi
        m = -1 / u
        angle = m * x + mp.log(m) - self.c * sum(h * mp.log(1 + t * m) for t, h in zip(self.atoms, self.h, strict=True))
        value = angle.imag / mp.pi
        return (value - (1 - self.c)) / self.c if self.kind == "covariance" else value


HEADER = ["kind", "scale", "atoms", "weights", "quantity", "index", "real", "imag", "value_real", "value_imag"]

three = ([1.0, 3.0, 10.0], [0.5, 0.3, 0.2])
thousand = ([1.0 + (k * 0.6180339887498949 % 1.0) * 99.0 for k in range(1, 1001)], [0.001] * 1000)
LAWS = [
    ("covariance", 0.5, *three),
    ("covariance", 1.0, *three),  # hard edge
    ("covariance", 0.001, *three),
    ("covariance", 1000.0, *three),
    ("covariance", 3.0, [0.0, 1.0, 5.0], [0.25, 0.25, 0.5]),  # atom at zero
    ("covariance", 2.0, [0.0, 1.0, 4.0], [0.5, 0.25, 0.25]),  # hard edge at ratio (1 - h0) = 1
    ("covariance", 0.4127650913690617, [1.0, 4.0], [0.5, 0.5]),  # bulks that touch, to the last digit
    ("covariance", 0.4127650872414408, [1.0, 4.0], [0.5, 0.5]),  # a gap of relative width 1e-12
    ("covariance", 0.1, [1e-3, 1.0, 1e3], [0.4, 0.3, 0.3]),  # condition number 1e6
    ("covariance", 1.0000000001, [1.0, 2.0], [0.5, 0.5]),
    ("covariance", 0.9999999999, [1.0, 2.0], [0.5, 0.5]),
    ("covariance", 0.5, [1.0, 50.0], [0.9999999, 1e-7]),  # a light bulk
    ("covariance", 0.3, *thousand),
    ("poisson", 1.5, [-1.0, 2.0], [0.5, 0.5]),
    ("poisson", 0.3, [-1.0, 0.5, 2.0], [0.25, 0.25, 0.5]),
    ("wigner", 0.64, [-1.0, 1.0], [0.5, 0.5]),
    ("wigner", 1.0, [-1.0, 1.0], [0.5, 0.5]),  # bulks that touch
    ("wigner", 1e-4, [-3.0, 0.0, 0.05, 2.0], [0.25, 0.25, 0.25, 0.25]),
]


def rows():
    for kind, scale, atoms, weights in LAWS:
        law = Law(kind, scale, atoms, weights)
        large = len(atoms) > 100
        head = [kind, repr(scale), "thousand" if large else atoms, "thousand" if large else weights]
        edges = law.edges()
        for k, edge in enumerate(edges):
            yield [*head, "edge", k, 0, 0, edge, 0]
        width = [edges[k | 1] - edges[k & ~1] for k in range(len(edges))]
        for k in [*range(len(edges))][:: max(1, len(edges) // 4)]:
            for share in (1e-14, 1e-9, 1e-4, 0.3) if not large else (1e-9, 0.3):
                offset = float(width[k]) * share * (1 if k % 2 == 0 else -1)
                x = edges[k] + mpf(offset)
                yield [*head, "density", k, offset, 0, law.density(x, law.solve(x)), 0]
        x = float((edges[0] + 2 * edges[1]) / 3)
        u = law.solve(mpf(x))
        m = law.transform(mpf(x), u)
        yield [*head, "cdf", -1, x, 0, law.cdf(mpf(x), u), 0]
        yield [*head, "stieltjes", -1, x, 0, m.real, m.imag]
        size = float(edges[-1] - edges[0])
        for z in (complex(x, 0.1 * size), complex(float(edges[0]), 1e-6 * size), complex(float(edges[0]) - size, 1e-9)):
            m = law.transform(mpc(z), law.solve(mpc(z)))
            yield [*head, "stieltjes", -1, z.real, z.imag, m.real, m.imag]


if __name__ == "__main__":
    path = pathlib.Path(__file__).with_name("pastur.csv")
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(HEADER)
        for row in rows():
            shown = [" ".join(map(repr, cell)) if isinstance(cell, list) else cell for cell in row[:6]]
            numbers = [repr(v) if isinstance(v, float) else mp.nstr(v, 30) if v else "0" for v in row[6:]]
            table.writerow([*shown, *numbers])
