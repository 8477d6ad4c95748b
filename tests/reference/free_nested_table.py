"""Write free_nested.txt: laws made of laws, critical and extreme ones, to 20 digits, by mpmath.

Run as ``python free_nested_table.py > free_nested.txt`` (some minutes). Nothing of the package is used: every law is
given by the fixed point in its definition, iterated far above the real axis, and followed down by Newton's method;
factors that are such laws themselves are solved at every step. An edge solves ``f = 0, df/dv = 0`` from the start given
here, the distribution function is ``1/2 - (1/pi) int_0^inf Re m(x + i y) dy``.
Columns: law, quantity, x (the index of the edge; for "near" the index and the offset from the edge), value.
"""

from mpmath import fsum, log, mp, mpc, mpf, pi, sqrt

mp.dps = 34
TOL = mpf("1e-23")


class Closed:
    """A law with a closed transform."""

    def __init__(self, low, high, transform):
        self.low, self.high, self.m = mpf(low), mpf(high), transform

    def reset(self):
        """Nothing is remembered."""


def atoms(at, mass):
    at, mass = [mpf(a) for a in at], [mpf(p) for p in mass]
    total = fsum(mass)
    return Closed(min(at), max(at), lambda z: fsum(p / total / (a - z) for a, p in zip(at, mass, strict=True)))


def marchenko_pastur(c):
    c = mpf(c)
    a, b = (1 - sqrt(c)) ** 2, (1 + sqrt(c)) ** 2
    return Closed(a, b, lambda z: (1 - c - z + sqrt(z - a) * sqrt(z - b)) / (2 * c * z))


def uniform(a, b):
    a, b = mpf(a), mpf(b)
    return Closed(a, b, lambda z: (log(z - b) - log(z - a)) / (b - a))


class Solved:
    """``v = image(z, v)`` in the upper half-plane, and m as a function of z and v."""

    def __init__(self, size, image, read, guess, *parts):
        self.size, self.image, self.read, self.guess, self.parts = mpf(size), image, read, guess, parts
        self.low, self.high = -self.size, self.size
        self.last = None

    def reset(self):
        self.last = None
        for part in self.parts:
            part.reset()

    def gap(self, z, v):
        return self.image(z, v) - v

    def newton(self, z, v):
        for _ in range(25):
            h = mpf("1e-16") * (1 + abs(v))
            f = self.gap(z, v)
            slope = (self.gap(z, v + h) - f) / h
            if slope == 0:
                return None
            v -= f / slope
            if v.imag < 0:
                return None
            if abs(f / slope) <= TOL * abs(v):
                return v
        return None

    def walk(self, z, v, target):
        """From a solved point to the target, downwards in steps of four."""
        stack, height = [target], max(target.imag, mpf("1e-9") * self.size)
        while height < z.imag:
            stack.append(mpc(target.real, height))
            height *= 4
        while stack:
            w = self.newton(stack[-1], v)
            if w is None or abs(w - v) > max(abs(v), abs(w)) / 2:
                if len(stack) > 80:
                    return None
                if w is None or len(stack) < 40:
                    stack.append((z + stack[-1]) / 2)
                    continue
            z, v = stack.pop(), w
        return v

    def state(self, z):
        if self.last is not None and z.imag < 4 * self.last[0].imag:
            v = self.walk(*self.last, z)
            if v is not None:
                self.last = (z, v)
                return v
        top = mpc(z.real, max(z.imag, 10 * self.size))
        v = self.guess(top)
        for _ in range(400):
            v, old = self.image(top, v), v
            if abs(v - old) < mpf("1e-15") * abs(v):
                break
        v = self.walk(top, self.newton(top, v), z)
        self.last = (z, v)
        return v

    def m(self, z):
        return self.read(z, self.state(z))


def add(a, b):
    def image(z, v):
        u = z - 1 / b.m(v) - v
        return z - 1 / a.m(u) - u

    size = max(abs(a.low), abs(a.high)) + max(abs(b.low), abs(b.high))
    return Solved(size, image, lambda z, v: b.m(v), lambda z: z, a, b)


def multiply(a, b):
    def n(law, w):
        m = law.m(w)
        return m / (1 + w * m)

    def image(z, v):
        return z * n(a, z * n(b, v))

    middle = (a.low + a.high) / 2
    law = Solved(a.high * b.high, image, lambda z, v: v * b.m(v) / z, lambda z: z / middle, a, b)
    law.low = mpf(0)
    return law


def power(a, t):
    t = mpf(t)
    size = t * max(abs(a.low), abs(a.high))
    return Solved(size, lambda z, u: z - (t - 1) * (1 / a.m(u) + u), lambda z, u: a.m(u), lambda z: z, a)


def wigner(a, variance):
    s = mpf(variance)
    size = max(abs(a.low), abs(a.high)) + 2 * sqrt(s)
    return Solved(size, lambda z, u: z + s * a.m(u), lambda z, u: a.m(u), lambda z: z, a)


def covariance(at, mass, c):
    """In the companion's transform v (Silverstein's equation)."""
    at, mass, c = [mpf(a) for a in at], [mpf(p) for p in mass], mpf(c)
    total = fsum(mass)

    def image(z, v):
        return -1 / (z - c * fsum(p / total * a / (1 + a * v) for a, p in zip(at, mass, strict=True)))

    law = Solved(max(at) * (1 + sqrt(c)) ** 2, image, lambda z, v: (v + (1 - c) / z) / c, lambda z: -1 / z)
    law.low = mpf(0)
    return law


def information_noise(at, mass, c):
    at, mass, c = [mpf(a) for a in at], [mpf(p) for p in mass], mpf(c)
    total = fsum(mass)

    def image(z, m):
        q = 1 + c * m
        return fsum(p / total / (a / q - q * z + 1 - c) for a, p in zip(at, mass, strict=True))

    return Solved((sqrt(max(at)) + 1 + sqrt(c)) ** 2, image, lambda z, m: m, lambda z: -1 / z)


def edge(law, start, width):
    law.reset()
    x, v = mpf(start), law.state(mpc(start, mpf("1e-8") * width)).real
    above = mpc(0, mpf("1e-45"))
    digits, mp.dps = mp.dps, 50

    def f(x, v):
        return law.gap(mpc(x), v + above).real

    for _ in range(60):
        h, k = mpf("1e-14") * (abs(v) + mpf("1e-8") * width), mpf("1e-14") * (abs(x) + mpf("1e-8") * width)
        f0, up, down = f(x, v), f(x, v + h), f(x, v - h)
        f_v, f_vv, f_x = (up - down) / (2 * h), (up - 2 * f0 + down) / h**2, (f(x + k, v) - f(x - k, v)) / (2 * k)
        f_vx = (f(x + k, v + h) - f(x + k, v - h) - f(x - k, v + h) + f(x - k, v - h)) / (4 * h * k)
        det = f_x * f_vv - f_v * f_vx
        dx, dv = (f0 * f_vv - f_v * f_v) / det, (f_x * f_v - f_vx * f0) / det
        x, v = x - dx, v - dv
        if abs(dx) < mpf("1e-19") * (abs(x) + mpf("1e-6") * width):
            break
    mp.dps = digits
    return x


def density(law, x):
    law.reset()
    return law.m(mpc(x, 0)).imag / pi


def cdf(law, x):
    """Good to about 1e-11: decades of y by Gauss's rule."""
    law.reset()
    breaks = [0, *(law.size * mpf(10) ** k for k in range(-7, 3))]
    value = mp.quad(lambda y: law.m(mpc(x, y)).real, breaks, method="gauss-legendre", maxdegree=4)
    tail = [0, 1 / breaks[-1]]
    value += mp.quad(lambda t: law.m(mpc(x, 1 / t)).real / t**2, tail, method="gauss-legendre", maxdegree=3)
    return mpf(1) / 2 - value / pi


THREE = ([0, 1, 3], [1, 2, 1])
LAWS = {  # law, edges rounded ("0" is exact: a hard edge)
    "sum with a product": (
        add(covariance([1, 4], [1, 1], ".5"), multiply(marchenko_pastur(".3"), uniform(1, 2))),
        [".932117", "10.993553"]),
    "three Wishart factors": (
        multiply(multiply(marchenko_pastur(1), marchenko_pastur(1)), marchenko_pastur(1)), ["0", "9.481481"]),
    "coinciding atoms": (
        add(add(atoms([0, 1], [1, 1]), atoms([0, 2], [3, 7])), atoms([0, 10], [9, 1])),
        ["0.06215258", "1.574088", "2.016145", "2.992812", "11.31919", "12.5334"]),
    "power near one": (power(atoms(*THREE), 1 + mpf(2) ** -13),
        ["0.2956555", "0.3185437", "2.421982", "2.464355"]),
    "noise of full rank": (information_noise([0, 1, 4], [2, 1, 1], 2),
        ["0.4246239", "12.12133"]),
    "condition a million": (covariance(["1e-3", ".05", 1, 30, "1e3"], [1] * 5, ".5"),
        ["0.0002093582", "0.001185605", "0.01354296", "0.06603111", "0.3383715", "1.464387",
         "12.06961", "47.9408", "470.7874", "1735.631"]),
    "nearly touching": (wigner(atoms([-1, 1], [1, 1]), 1 - mpf(2) ** -17),
        ["-2.59807", "-8.111185e-09", "8.111185e-09", "2.59807"]),
    "covariance of a product": (
        multiply(multiply(marchenko_pastur(".3"), marchenko_pastur(".5")), marchenko_pastur(".4")),
        ["0.02368004", "5.064096"]),
}  # fmt: skip


def rows(name, law, starts):
    """Edges, densities inside and 1e-9 widths from the edges, one value of the distribution function, one of m."""
    rough = [mpf(x) for x in starts]
    width = [rough[i | 1] - rough[i & ~1] for i in range(len(rough))]
    edges = [mpf(0) if x == "0" else edge(law, x, w) for x, w in zip(starts, width, strict=True)]
    for i, x in enumerate(edges):
        yield name, "edge", str(i), x
        offset = float((-1) ** i * width[i] * mpf("1e-9"))
        yield name, "near", f"{i} {offset!r}", density(law, x + mpf(offset))
    for left, right in zip(edges[::2], edges[1::2], strict=True):
        for share in ("0.05", "0.4", "0.97"):
            x = float(left + mpf(share) * (right - left))
            yield name, "density", repr(x), density(law, mpf(x))
    x = float(edges[0] + mpf("0.4") * (edges[1] - edges[0]))
    yield name, "cdf", repr(x), cdf(law, mpf(x))
    law.reset()
    z = complex(float(edges[0]), float(law.size) / 64)
    m = law.m(mpc(z))
    yield name, "real part", repr(z), m.real
    yield name, "imaginary part", repr(z), m.imag


if __name__ == "__main__":
    for name, (law, starts) in LAWS.items():
        for row in rows(name, law, starts):
            print(*row[:3], mp.nstr(row[3], 20), sep="; ", flush=True)
