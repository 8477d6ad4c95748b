"""Ridge errors on learned features: one compiled sweep against a state-evolution loop with `scipy.integrate.quad`.

The baseline is what papers of this kind publish: fixed-point iterations of a handful of scalars, every Gaussian
expectation by adaptive quadrature, each (alpha, lam) point from scratch.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import rmtsolve as rmt

from .timing import best_time, row

NETWORK = rmt.OneStepNetwork("tanh", "sin(x)", 3, 20, 1, readout=[1], fractions=[1])
INNER = np.polynomial.hermite_e.hermegauss(48)
TOLERANCE = 1e-7


class StateEvolution:
    """One class, tanh student and sine teacher; expectations over kappa by quad, over the rest by Gauss-Hermite."""

    def __init__(self, spike: float, scale: float, gamma: float, beta: float) -> None:
        self.u, self.s, self.gamma, self.beta = spike, scale, gamma, beta
        self.nodes, self.weights = INNER[0], INNER[1] / INNER[1].sum()

    def moments(self, kappa: float) -> tuple[float, float, float]:
        value = np.tanh(self.u * kappa + self.s * self.nodes)
        m0, m1 = self.weights @ value, self.weights @ (value * self.nodes)
        return m0, m1, self.weights @ value**2 - m0**2 - m1**2

    def target(self, kappa: float) -> tuple[float, float, float]:
        rho2 = 1 - self.gamma**2
        t0 = np.exp(-rho2 / 2) * np.sin(self.gamma * kappa)
        t1 = np.sqrt(rho2) * np.exp(-rho2 / 2) * np.cos(self.gamma * kappa)
        return t0, t1, (1 - np.exp(-2 * rho2) * np.cos(2 * self.gamma * kappa)) / 2

    def mean(self, f: Any) -> float:
        from scipy.integrate import quad

        return quad(lambda x: f(x) * np.exp(-x * x / 2), -8, 8, epsabs=1e-9, epsrel=1e-9)[0] / np.sqrt(2 * np.pi)

    def solve(self, alpha: float, lam: float) -> tuple[float, float, int]:
        """(train, test, iterations)."""
        r, beta = self.beta / alpha, self.beta
        ell, count = lam * r, 0
        q = full = 1.0 / (1.0 + ell)

        def load(x: float) -> float:
            _, m1, m2 = self.moments(x)
            return 1.0 + r * (m1**2 * full + m2 * q)

        while True:
            count += 1
            a = self.mean(lambda x: self.moments(x)[1] ** 2 / load(x))
            b = self.mean(lambda x: self.moments(x)[2] / load(x))
            new = 1 / (ell + b + a / (1 + beta * a * q))
            change = abs(new / q - 1)
            q, full = new, 1 / (1 / new + beta * a)
            if change < TOLERANCE or count > 2000:
                break

        def latent(x: float) -> tuple[Any, Any]:
            m0, m1, _ = self.moments(x)
            return np.array([m0, x * m1, 0.0]), np.array([0.0, 0.0, m1])

        gram, right = np.diag([0.0, 1 / (beta * q), 1 / (beta * q)]), np.zeros(3)
        for i in range(3):
            right[i] = self.mean(
                lambda x, i=i: (latent(x)[0][i] * self.target(x)[0] + latent(x)[1][i] * self.target(x)[1]) / load(x)
            )
            for j in range(i + 1):
                value = self.mean(
                    lambda x, i=i, j=j: (
                        (latent(x)[0][i] * latent(x)[0][j] + latent(x)[1][i] * latent(x)[1][j]) / load(x)
                    )
                )
                gram[i, j] += value
                gram[j, i] = gram[i, j]
        c = np.linalg.solve(gram, right)

        def base(x: float) -> float:
            f0, f1 = latent(x)
            t0, t1, t2 = self.target(x)
            return t2 - 2 * ((f0 @ c) * t0 + (f1 @ c) * t1) + (f0 @ c) ** 2 + (f1 @ c) ** 2

        p = 1 / (1 + beta * a * q)
        t = p * a
        fixed = (c[1] ** 2 + c[2] ** 2) / (beta * q * q)
        big_r = big_q = 0.0

        def error(x: float) -> float:
            _, m1, m2 = self.moments(x)
            return base(x) + m1**2 * big_q + m2 * big_r

        while True:
            count += 1
            b_hat = r * self.mean(lambda x: error(x) * self.moments(x)[2] / load(x) ** 2) + fixed
            a_hat = r * self.mean(lambda x: error(x) * self.moments(x)[1] ** 2 / load(x) ** 2)
            dq = (b_hat + p * p * a_hat) / (1 / q**2 - beta * t * t)
            dfull = full**2 * (dq / q**2 + beta * a_hat)
            change = abs(dq - big_r) + abs(dfull - big_q)
            big_r, big_q = dq, dfull
            if change < TOLERANCE * (abs(dq) + abs(dfull)) or count > 4000:
                break
        return self.mean(lambda x: error(x) / load(x) ** 2), self.mean(error), count


def rows() -> list[dict[str, Any]]:
    eq = NETWORK.equivalent()
    features = rmt.SpikedRandomFeatures("tanh", eq.spikes, eq.scales, eq.fractions, 1, 1)
    options = {"target": "sin(x)", "alignment": eq.alignment}
    alpha, lam = np.linspace(0.2, 3.0, 60)[:, None], np.geomspace(1e-3, 1.0, 20)
    ours = rmt.ridge_errors(features, **options, alpha=alpha, lam=lam)
    seconds = best_time(lambda: rmt.ridge_errors(features, **options, alpha=alpha, lam=lam))
    gap = float(np.max(np.abs(ours.train + ours.penalty - ours.objective) / ours.objective))
    title = "ridge errors, tanh/sin, one step"
    out = [row(title, "rmtsolve, 60 x 20 sweep", seconds, ours.test.size, accuracy=gap, note="tables included")]
    points = [(0.9, 0.1), (2.3, 0.1)]
    loop = StateEvolution(float(eq.spikes[0]), float(eq.scales[0]), eq.alignment, 1.0)
    found = [loop.solve(*point) for point in points]
    exact = rmt.ridge_errors(features, **options, alpha=[a for a, _ in points], lam=[b for _, b in points]).test
    error = float(np.max(np.abs(np.array([test for _, test, _ in found]) / exact - 1)))
    slow = best_time(lambda: loop.solve(*points[0]), repeat=1)
    steps = float(np.mean([count for *_, count in found]))
    out.append(
        row(
            title, "scipy quad state evolution", slow, 1, accuracy=error, steps=steps, baseline=seconds / ours.test.size
        )
    )
    return out
