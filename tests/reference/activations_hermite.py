"""Hermite coefficients of the library at 30 digits, by mpmath; writes activations_hermite.csv (about 2 minutes).

Plain composite Gauss-Legendre with 40 nodes on panels of width 1, cut at the kinks and geometrically towards them (the
complex poles of tanh and the like lie over the same places), with 45 digits; nothing is shared with the package.
"""

import csv
import functools
import itertools
import pathlib

import mpmath as mp

mp.mp.dps = 45
HALF = mp.mpf(1) / 2
FUNCTIONS = {
    "relu": lambda x: max(x, 0),
    "leaky_relu": lambda x: x if x > 0 else x * (mp.mpf(1) / 100),
    "erf": mp.erf,
    "tanh": mp.tanh,
    "sigmoid": lambda x: 1 / (1 + mp.exp(-x)),
    "gelu": lambda x: x * mp.erfc(-x / mp.sqrt(2)) / 2,
    "silu": lambda x: x / (1 + mp.exp(-x)),
    "softplus": lambda x: mp.log1p(mp.exp(-abs(x))) + max(x, 0),
    "sin": mp.sin,
    "cos": mp.cos,
    "sign": mp.sign,
    "step": lambda x: mp.mpf(x > 0),
    "abs": abs,
    "identity": lambda x: x,
    "quadratic": lambda x: x**2,
    "cubic": lambda x: x**3,
    "exp": mp.exp,
    "gaussian": lambda x: mp.exp(-x * x / 2),
    "hard_tanh": lambda x: min(max(x, -1), 1),
    "elu": lambda x: x if x > 0 else mp.expm1(x),
    "selu": lambda x: mp.mpf(1.0507009873554805) * (x if x > 0 else mp.mpf(1.6732632423543772) * mp.expm1(x)),
    "mish": lambda x: x * mp.tanh(mp.log1p(mp.exp(-abs(x))) + max(x, 0)),
    "softsign": lambda x: x / (1 + abs(x)),
    "arctan": mp.atan,
    "relu6": lambda x: min(max(x, 0), 6),
}
KINKS = {"hard_tanh": (-1, 1), "relu6": (0, 6)}
PAIRS = [
    ("0", "1", 200),
    ("0.75", "1.25", 30),
    ("-30", "1", 4),
    ("30", "0.0009765625", 4),
    ("-2", "8", 30),
    ("0", "1024", 8),
]
ORDERS = (0, 1, 2, 3, 4, 7, 8, 20, 29, 30, 99, 100, 199, 200)
GROWING = {"exp": 2, "sin": 8, "cos": 8}  # largest scale at which the coefficients are of order one


def legendre_rule(n):
    nodes, weights = [], []
    for i in range(1, n + 1):
        x = mp.cos(mp.pi * (i - mp.mpf(1) / 4) / (n + HALF))
        for _ in range(8):
            p, q = mp.mpf(1), x
            for k in range(2, n + 1):
                p, q = q, ((2 * k - 1) * x * q - (k - 1) * p) / k
            slope = n * (x * q - p) / (x * x - 1)
            x -= q / slope
        nodes.append(x)
        weights.append(2 / ((1 - x * x) * slope**2))
    return nodes, weights


NODES, WEIGHTS = legendre_rule(40)


@functools.cache
def weighted_basis(kinks, order, shift, scale):
    """Nodes x and, for every k of ORDERS, ``weight phi(g) h_k(g)``."""
    a, s = mp.mpf(shift), mp.mpf(scale)
    reach = 2 * int(mp.sqrt(order + 1)) + 17
    cuts = {mp.mpf(i) for i in range(-reach, reach + 1)}
    for kink in kinks:
        centre = (kink - a) / s
        cuts.add(centre)
        width = mp.mpf(1)
        while width > mp.mpf("0.25") / s:
            cuts |= {centre - width, centre + width}
            width /= 2
    cuts = sorted(cut for cut in cuts if abs(cut) <= reach)
    root = [mp.sqrt(k) for k in range(order + 2)]
    points, table = [], {k: [] for k in ORDERS if k <= order}
    for low, high in itertools.pairwise(cuts):
        for x, w in zip(NODES, WEIGHTS, strict=True):
            g = (low + high) / 2 + (high - low) / 2 * x
            points.append(a + s * g)
            p, q = mp.mpf(0), w * (high - low) / 2 * mp.exp(-g * g / 2) / mp.sqrt(2 * mp.pi)
            for k in range(order + 1):
                if k in table:
                    table[k].append(q)
                p, q = q, (g * q - root[k] * p) / root[k + 1]
    return points, table


def coefficients(name, order, shift, scale):
    points, table = weighted_basis(KINKS.get(name, (0,)), order, shift, scale)
    values = [FUNCTIONS[name](x) for x in points]
    return {k: mp.fdot(values, row) for k, row in table.items()}


if __name__ == "__main__":
    with open(pathlib.Path(__file__).with_suffix(".csv"), "w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["activation", "shift", "scale", "k", "c_k"])
        for name in FUNCTIONS:
            for shift, scale, top in PAIRS:
                if mp.mpf(scale) > GROWING.get(name, 2000):
                    continue
                found = coefficients(name, top, shift, scale)
                for k, value in found.items():
                    out.writerow([name, shift, scale, k, mp.nstr(value if abs(value) > mp.mpf(10) ** -38 else 0, 30)])
