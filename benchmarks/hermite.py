"""Hermite coefficients to order 50: closed form and adaptive mesh, against `scipy.integrate.quad` and Gauss-Hermite."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.integrate
import scipy.special

from .timing import best_time, row

ORDER = 50
PAIRS = 1_000_000


def by_quad(f: Callable[[float], float], kinks: list[float]) -> np.ndarray:
    """One adaptive integral per coefficient, as one writes it."""

    def one(k: int) -> float:
        norm = math.sqrt(2.0 * math.pi) * math.sqrt(math.factorial(k))
        polynomial = scipy.special.hermitenorm(k) if k < 30 else None  # its coefficients lose all digits further up

        def integrand(x: float) -> float:
            value = polynomial(x) if polynomial is not None else scipy.special.eval_hermitenorm(k, x)
            return f(x) * value * math.exp(-0.5 * x * x) / norm

        return scipy.integrate.quad(integrand, -20.0, 20.0, points=kinks, limit=400, epsabs=1e-13, epsrel=1e-13)[0]

    return np.array([one(k) for k in range(ORDER + 1)])


def by_gauss_hermite(f: Callable[[np.ndarray], np.ndarray], nodes: int) -> np.ndarray:
    """One Gauss-Hermite rule for all coefficients; the rule is computed, as for a new accuracy."""
    x, w = scipy.special.roots_hermitenorm(nodes)
    h = [np.ones_like(x), x]
    for k in range(1, ORDER):
        h.append((x * h[k] - math.sqrt(k) * h[k - 1]) / math.sqrt(k + 1))
    return np.array(h) @ (w * f(x)) / math.sqrt(2.0 * math.pi)


def truth(name: str) -> np.ndarray:
    """Ratio recurrences of relu and erf (closed forms, independent of the package)."""
    c = np.zeros(ORDER + 1)
    if name == "relu":
        c[0], c[1], c[2] = 1.0 / math.sqrt(2.0 * math.pi), 0.5, 1.0 / math.sqrt(4.0 * math.pi)
        for k in range(2, ORDER - 1, 2):
            c[k + 2] = -(k - 1) / math.sqrt((k + 1) * (k + 2)) * c[k]
    else:
        c[1] = 2.0 / math.sqrt(3.0 * math.pi)
        for k in range(1, ORDER - 1, 2):
            c[k + 2] = -k / math.sqrt((k + 1) * (k + 2)) * 2.0 / 3.0 * c[k]
    return c


def rows() -> list[dict[str, Any]]:
    """The table of this benchmark."""
    import rmtsolve as rmt

    found = []
    cases = {
        "relu": (lambda x: max(x, 0.0), lambda x: np.maximum(x, 0.0), [0.0], 1000),
        "erf": (math.erf, scipy.special.erf, [], 120),
    }
    for name, (scalar, vector, kinks, nodes) in cases.items():
        exact, problem = truth(name), f"{name}, order {ORDER}"
        closed, mesh = rmt.activation(name), rmt.activation(vector, kinks=kinks, name=name)

        def error(values: np.ndarray, exact: np.ndarray = exact) -> float:
            return float(np.max(np.abs(values - exact)))

        ours = best_time(lambda act=closed: act.coefficients(ORDER), repeat=200)
        found.append(row(problem, "rmtsolve, closed form", ours, ORDER + 1, accuracy=error(closed.coefficients(ORDER))))
        numeric = best_time(lambda act=mesh: act.coefficients(ORDER), repeat=50)
        found.append(
            row(
                problem,
                "rmtsolve, adaptive mesh",
                numeric,
                ORDER + 1,
                accuracy=error(mesh.coefficients(ORDER)),
                baseline=ours,
            )
        )
        quad = best_time(lambda f=scalar, at=kinks: by_quad(f, at), repeat=1)
        values = by_quad(scalar, kinks)
        found.append(
            row(
                problem, "scipy.integrate.quad", quad, ORDER + 1, accuracy=error(values), baseline=ours,
                note=f"{quad / numeric:.0f} times the adaptive mesh",
            )
        )  # fmt: skip
        time = best_time(lambda f=vector, n=nodes: by_gauss_hermite(f, n), repeat=5)
        found.append(
            row(
                problem, f"Gauss-Hermite, {nodes} nodes", time, ORDER + 1, baseline=ours, steps=nodes,
                accuracy=error(by_gauss_hermite(vector, nodes)),
                note="never of equal accuracy: error ~ 1/nodes" if name == "relu" else "",
            )
        )  # fmt: skip
    rng = np.random.default_rng(0)
    shift, scale = 2.0 * rng.standard_normal(PAIRS), rng.uniform(0.1, 1.5, PAIRS)
    for name in ("relu", "erf", "sin", "exp", "cubic", "gelu", "tanh", "softplus", "elu"):
        act = rmt.activation(name)
        act.conditional(shift[:100], scale[:100], 3)
        seconds = best_time(lambda act=act: act.conditional(shift, scale, 3), repeat=1)
        some = slice(0, PAIRS, PAIRS // 20)
        pairs = zip(shift[some].tolist(), scale[some].tolist(), strict=True)
        sure = np.array([act.coefficients_with_error(3, shift=a, scale=s).values for a, s in pairs])
        gap = np.max(np.abs(act.conditional(shift[some], scale[some], 3) - sure) / (1.0 + np.abs(sure)))
        found.append(row(f"{name}, order 3, 1e6 pairs", "rmtsolve.conditional", seconds, PAIRS, accuracy=float(gap)))
    return found
