"""Generator of features.txt: spiked features with a sine activation and a sine target in 30 digits, by another route.

`python tests/reference/features_table.py > tests/reference/features.txt` (about a minute).

Closed conditional moments, a plain iteration, another step of the trapezoid rule, and, for the errors, no linear
response at all: the readout's traces are derivatives of the training objective by sources on ``1_k`` and
``1_k W0 W0^T 1_l``, taken as difference quotients in 30 digits.
"""

import mpmath as mp

mp.mp.dps = 32
STEP, REACH = mp.mpf("0.09"), mp.mpf("10.8")
HALF = int(REACH / STEP)
GRID = [STEP * i for i in range(-HALF, HALF + 1)]
WEIGHTS = [mp.exp(-x * x / 2) for x in GRID]
WEIGHTS = [w / mp.fsum(WEIGHTS) for w in WEIGHTS]
TINY = mp.mpf("1e-10")

MODELS = {
    "one": {"u": "1.3", "s": "0.9", "pi": "1", "alpha": "1.7", "beta": "1.2"},
    "two": {"u": "2 -0.7", "s": "1 0.6", "pi": "0.4 0.6", "alpha": "0.8", "beta": "1.5"},
}
POINTS = {"one": ["0.4 0.2", "-0.3 0", "2 1e-2"], "two": ["0.4 0.2", "-0.3 0", "-0.001 0"]}
RIDGE = [  # model, gamma, noise, lam, p
    ("one", "0.8", "0.3", "0.05", "inf"), ("one", "0.8", "0.3", "0.05", "300"), ("one", "-0.5", "0", "1e-4", "300"),
    ("two", "0.6", "0.1", "0.2", "inf"), ("two", "0.6", "0.1", "0.2", "250"), ("two", "1", "0.1", "0.01", "250"),
]  # fmt: skip


def numbers(text):
    return [mp.mpf(part) for part in text.split()]


class Model:
    def __init__(self, u, s, pi, alpha, beta):
        self.u, self.s, self.pi = numbers(u), numbers(s), numbers(pi)
        self.alpha, self.beta = mp.mpf(alpha), mp.mpf(beta)
        self.r, self.k = self.beta / self.alpha, len(self.pi)
        rows = []
        for u_k, s_k in zip(self.u, self.s, strict=True):
            damp = mp.exp(-(s_k**2) / 2)
            mean = [damp * mp.sin(u_k * x) for x in GRID]
            linear = [s_k * damp * mp.cos(u_k * x) for x in GRID]
            second = [(1 - mp.exp(-2 * s_k**2) * mp.cos(2 * u_k * x)) / 2 for x in GRID]
            noise = [e - a * a - b * b for e, a, b in zip(second, mean, linear, strict=True)]
            rows.append((mean, linear, noise, [-(s_k**2) * a for a in mean]))
        self.mean, self.linear, self.noise, self.curved = zip(*rows, strict=True)

    def load(self, q, full):
        out = []
        for i in range(len(GRID)):
            v = mp.fsum(self.noise[a][i] * q[a] for a in range(self.k))
            v += mp.fsum(
                self.linear[a][i] * full[a, b] * self.linear[b][i] for a in range(self.k) for b in range(self.k)
            )
            out.append(self.r * v)
        return out

    def solve(self, z, extra_b=None, extra_a=None, start=None):
        """(q, Q) by plain iteration, with sources added to B and A."""
        k = self.k
        q, full = start or ([-p / z for p in self.pi], mp.diag([-p / z for p in self.pi]))
        for _ in range(3000):
            y = [w / (1 + v) for w, v in zip(WEIGHTS, self.load(q, full), strict=True)]
            a = mp.matrix(k, k)
            b = []
            for m in range(k):
                b.append(mp.fsum(self.noise[m][i] * y[i] for i in range(len(GRID))) + (extra_b[m] if extra_b else 0))
                for n in range(k):
                    a[m, n] = mp.fsum(self.linear[m][i] * self.linear[n][i] * y[i] for i in range(len(GRID)))
            if extra_a is not None:
                a += extra_a
            t = (mp.eye(k) + self.beta * a * mp.diag(q)) ** -1 * a
            new = [self.pi[m] / (-z + b[m] + t[m, m]) for m in range(k)]
            full = (mp.diag([1 / x for x in new]) + self.beta * a) ** -1
            change = max(abs(x / y_ - 1) for x, y_ in zip(new, q, strict=True))
            q = new
            if change < mp.mpf("1e-29"):
                return q, full
        raise RuntimeError("no convergence")


def objective(model, q, full, p, gamma, noise):
    """Psi, the coefficients, and the latent functions."""
    rho = mp.sqrt(1 - gamma**2)
    damp = mp.exp(-(rho**2) / 2)
    t0 = [damp * mp.sin(gamma * x) for x in GRID]
    t1 = [rho * damp * mp.cos(gamma * x) for x in GRID]
    t2 = [(1 - mp.exp(-2 * rho**2) * mp.cos(2 * gamma * x)) / 2 + noise**2 for x in GRID]
    zero = [mp.mpf(0)] * len(GRID)
    finite = p != mp.inf
    columns = []  # (constant, tilted, bent, 1 / G)
    for a in range(model.k):
        bent = [mp.sqrt(model.beta / (2 * p)) * x for x in model.curved[a]] if finite else zero
        columns.append((model.mean[a], zero, bent, 1 / (p * q[a]) if finite else mp.mpf(0)))
    for a in range(model.k):
        columns.append(
            ([x * y for x, y in zip(GRID, model.linear[a], strict=True)], zero, zero, 1 / (model.beta * q[a]))
        )
        columns.append((zero, model.linear[a], zero, 1 / (model.beta * q[a])))
    y = [w / (1 + v) for w, v in zip(WEIGHTS, model.load(q, full), strict=True)]
    size = len(columns)
    gram, right = mp.matrix(size, size), mp.matrix(size, 1)
    for a in range(size):
        right[a] = mp.fsum(y[i] * (columns[a][0][i] * t0[i] + columns[a][1][i] * t1[i]) for i in range(len(GRID)))
        for b in range(size):
            gram[a, b] = mp.fsum(y[i] * columns[a][c][i] * columns[b][c][i] for c in range(3) for i in range(len(GRID)))
        gram[a, a] += columns[a][3]
    c = mp.lu_solve(gram, right)
    psi = mp.fsum(y[i] * t2[i] for i in range(len(GRID))) - (right.T * c)[0]
    base = []
    for i in range(len(GRID)):
        parts = [mp.fsum(c[a] * columns[a][m][i] for a in range(size)) for m in range(3)]
        base.append(t2[i] - 2 * (parts[0] * t0[i] + parts[1] * t1[i]) + mp.fsum(x * x for x in parts))
    return psi, base


def errors(model, gamma, noise, lam, p):
    z = -lam * model.r
    q, full = model.solve(z)
    _, base = objective(model, q, full, p, gamma, noise)

    def slope(extra_b, extra_a):
        ends = []
        for sign in (1, -1):
            b = [sign * TINY * x for x in extra_b]
            state = model.solve(z, b, sign * TINY * extra_a, (q, full))
            ends.append(objective(model, *state, p, gamma, noise)[0])
        return (ends[0] - ends[1]) / (2 * TINY)

    k = model.k
    nothing = mp.matrix(k, k)
    weight = [slope([int(a == b) for b in range(k)], nothing) for a in range(k)]
    linear = mp.matrix(k, k)
    for a in range(k):
        for b in range(a, k):
            source = mp.matrix(k, k)
            source[a, b] = source[b, a] = 1 if a == b else mp.mpf(1) / 2
            linear[a, b] = linear[b, a] = slope([0] * k, source)
    load = model.load(q, full)
    test = train = mp.mpf(0)
    for i in range(len(GRID)):
        eps = base[i] + mp.fsum(model.noise[a][i] * weight[a] for a in range(k))
        eps += mp.fsum(model.linear[a][i] * linear[a, b] * model.linear[b][i] for a in range(k) for b in range(k))
        test += WEIGHTS[i] * eps
        train += WEIGHTS[i] * eps / (1 + load[i]) ** 2
    return train, test


def main():
    print("# " + " | ".join(["kind model arguments", "values"]))
    for name, points in POINTS.items():
        model = Model(**MODELS[name])
        for point in points:
            x, y = numbers(point)
            q, full = model.solve(mp.mpc(x, y) if y else x)
            entries = [*q, *(full[a, b] for a in range(model.k) for b in range(a, model.k))]
            shown = [f"{mp.nstr(mp.re(e), 22)} {mp.nstr(mp.im(e), 22)}" for e in entries]
            print(f"state {name} {point} | " + " ".join(shown), flush=True)
    for name, gamma, noise, lam, p in RIDGE:
        found = errors(Model(**MODELS[name]), *(mp.mpf(part) for part in (gamma, noise, lam, p)))
        print(f"ridge {name} {gamma} {noise} {lam} {p} | " + " ".join(mp.nstr(e, 16) for e in found), flush=True)


if __name__ == "__main__":
    main()
