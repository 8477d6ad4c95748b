"""Write free.txt: densities and edges of free sums, free products and separable covariances to 20 digits, by mpmath.

Run as ``python free_table.py > free.txt`` (half a minute). Nothing of the package is used: the fixed point
``v = s + t N_1(s + t N_2(v))`` is iterated far above the real axis and followed down by Newton's method; edges solve
``v = T(v), T'(v) = 1`` from the starts given here. Columns: law, quantity, x (or the index of the edge), value.
"""

from mpmath import findroot, mp, mpc, mpf, pi

mp.dps = 30

LAWS = {
    # kind, atoms and weights of the two factors, ratio, abscissae, starts (x, v) of edges
    "sum": ("sum", [0, 1, 3], [".4", ".35", ".25"], [-1, 2], [".5", ".5"], "1", ["0", "1.5", "4.5", "-0.9"],
            [("-0.9903", "-1.0996"), ("2.9647", "2.2798"), ("4.9083", "2.4006")]),
    "signed": ("product", [1, 3], [".5", ".5"], [-1, 2], [".4", ".6"], "1", ["-2", "3.2", "5"],
               [("-2.9638", "-1.1012"), ("2.0244", "2.3256")]),
    "product": ("product", [1, 4], [".5", ".5"], [1, 2, 6], [".3", ".3", ".4"], "1", ["1.5", "9", "20"],
                [("1.02295", "0.9239"), ("23.8558", "6.3146")]),
    "separable": ("sandwich", [1, 4], [".5", ".5"], [".5", "2"], [".5", ".5"], ".5", ["1", "8", "12.5"],
                  [("0.111518", "-2.32365"), ("13.32145", "0.21793")]),
    "wide separable": ("sandwich", [0, 1, 4], [".2", ".4", ".4"], ["-1", "2"], [".3", ".7"], "2", ["-1", "1", "20"],
                       [("-0.396758", "-2.106"), ("24.90899", "0.273764")]),
}  # fmt: skip


def factor(kind, atoms, weights, rate, v):
    """N(v)."""
    if kind == "sandwich":
        return rate * sum(w * a / (1 - v * a) for a, w in zip(atoms, weights, strict=True))
    m = sum(w / (a - v) for a, w in zip(atoms, weights, strict=True))
    return -1 / m - v if kind == "sum" else m / (1 + v * m)


def image(law, z, v):
    """T(v), u."""
    kind, a, p, b, q, rate = law
    s, t = (z, mpf(1)) if kind == "sum" else (mpf(0), z if kind == "product" else 1 / z)
    u = s + t * factor(kind, b, q, mpf(1), v)
    return s + t * factor(kind, a, p, rate, u), u


def density(law, x):
    """Density at x, following the solution down from Im z = 40."""
    kind = law[0]
    z = mpc(x, 40)
    v = z if kind != "sandwich" else 1 / z
    for _ in range(400):
        v = image(law, z, v)[0]
    height = mpf(40)
    while height:
        height = height * mpf("0.8") if height > mpf("1e-12") else mpf(0)
        z = mpc(x, height)
        v = findroot(lambda w, z=z: image(law, z, w)[0] - w, v, tol=1e-45)
    u = image(law, z, v)[1]
    if kind == "sum":
        m = -1 / (u + v - z)
    elif kind == "product":
        m = -u * v / (z * (u * v - z))
    else:
        m = -sum(w / (1 - u * a) for a, w in zip(law[1], law[2], strict=True)) / z
    return m.imag / pi


def edge(law, x, v):
    """Fold of the real solutions near (x, v)."""

    def system(z, w):
        step = mpf("1e-10")
        slope = (image(law, z, w + step)[0] - image(law, z, w - step)[0]) / (2 * step)
        return image(law, z, w)[0] - w, slope - 1

    return findroot(system, (mpf(x), mpf(v)), tol=1e-24)[0]


if __name__ == "__main__":
    for name, (kind, a, p, b, q, rate, points, starts) in LAWS.items():
        law = (kind, *([mpf(t) for t in part] for part in (a, p, b, q)), mpf(rate))
        for x in points:
            print(f"{name}; density; {x}; {mp.nstr(density(law, mpf(x)), 20)}")
        for x, v in starts:
            print(f"{name}; edge; {x}; {mp.nstr(edge(law, x, v), 18)}")
