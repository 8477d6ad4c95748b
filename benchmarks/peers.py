"""Sample-covariance densities against what people use: the NumPy loop, numpy.roots, scikit-rmt, freealg, Spectrode.

Easy cases and those where the field's tools fail today. Accuracy is the largest relative error of the density over
points of all bulks, against 30-digit roots found with mpmath; `inf` or `failed` where no usable number came out.
Packages are those of the `bench` extra; what is not installed is left out with a note.
"""

from __future__ import annotations

import functools
import importlib.util
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import mpmath
import numpy as np

import rmtsolve as rmt

from .timing import best_time, row

POINTS = 400
CHECKED = 12  # points of each case that mpmath solves
ETA = 1e-4
SPECTRODE = "spectrode"  # a function of this name on Octave's path


def cases() -> Iterator[tuple[str, np.ndarray, np.ndarray, float]]:
    """Name, population atoms, weights and p/n."""
    yield "white, p/n = 0.5", np.array([1.0]), np.array([1.0]), 0.5
    yield "3 atoms, p/n = 0.5", np.array([1.0, 3.0, 10.0]), np.array([0.5, 0.3, 0.2]), 0.5
    yield "cusp: {1, 4}, p/n = 0.4127...", np.array([1.0, 4.0]), np.array([0.5, 0.5]), 0.41276509136906170
    yield "hard edge: white, p/n = 1", np.array([1.0]), np.array([1.0]), 1.0
    yield "atoms at zero: {0, 1, 3}, p/n = 0.5", np.array([0.0, 1.0, 3.0]), np.array([0.4, 0.35, 0.25]), 0.5
    yield "100 atoms over 1..1e6, p/n = 0.5", np.geomspace(1.0, 1e6, 100), np.full(100, 0.01), 0.5
    yield "ten narrow bulks, p/n = 0.01", np.arange(1.0, 11.0) ** 2, np.full(10, 0.1), 0.01


def rows() -> list[dict[str, Any]]:
    """All cases and methods, and what it costs to begin."""
    table = []
    for name, atoms, weights, ratio in cases():
        table += _case(name, atoms, weights, ratio)
    return table + list(_beginnings())


def _case(name: str, atoms: np.ndarray, weights: np.ndarray, ratio: float) -> Iterator[dict[str, Any]]:
    law = rmt.SampleCovariance(rmt.Discrete(atoms, weights), ratio=ratio).law()
    x = _grid(law)
    chosen = np.unique(np.linspace(0, x.size - 1, CHECKED).astype(int))
    truth = np.array([_reference(law, atoms, weights, ratio, point) for point in x[chosen]])

    def ours() -> np.ndarray:  # edges included
        return rmt.SampleCovariance(rmt.Discrete(atoms, weights), ratio=ratio).law().density(x)

    methods: dict[str, tuple[Callable[[], np.ndarray], str]] = {
        "rmtsolve": (ours, "edges included"),
        f"NumPy damped loop, eta = {ETA:g}": (
            functools.partial(_damped, x, atoms, weights, ratio),
            "at most 5000 steps",
        ),
        "numpy.roots per point": (functools.partial(_roots, x, atoms, weights, ratio), ""),
        "scikit-rmt": (functools.partial(_scikit_rmt, x, ratio), ""),
        "freealg": (functools.partial(_freealg, x, atoms, weights, ratio), ""),
        "Spectrode (Octave), eps = 1e-6": (functools.partial(_spectrode, x, atoms, weights, ratio), "whole call"),
    }
    baseline = None
    for method, (call, note) in methods.items():
        why = _unavailable(method, atoms)
        if why:
            yield row(name, method, float("nan"), x.size, accuracy=float("nan"), note=why)
            continue
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")  # of the methods compared with; ours gives none
                found = np.asarray(call(), dtype=float)[chosen]
                seconds = best_time(call, repeat=3, budget=3.0)
        except Exception as error:  # whatever another package raises is a result here
            yield row(name, method, float("nan"), x.size, accuracy=float("inf"), note=f"failed: {type(error).__name__}")
            continue
        baseline = seconds if baseline is None else baseline
        worst = float(np.max(np.abs(found - truth) / truth)) if np.isfinite(found).all() else float("inf")
        yield row(name, method, seconds, x.size, accuracy=worst, baseline=baseline, note=note)


def _grid(law: Any) -> np.ndarray:
    """Points of all bulks, crowded towards the edges, none closer to one than 1e-4 of the bulk."""
    share = np.sin(np.linspace(0.02, np.pi / 2 - 0.02, max(8, POINTS // len(law.support)))) ** 2
    return np.concatenate([left + (right - left) * share for left, right in law.support])


def _reference(law: Any, atoms: np.ndarray, weights: np.ndarray, ratio: float, x: float) -> float:
    """Density at x to 30 digits: Newton on ``z = u + c sum h t u / (u - t)`` from the float solution."""
    with mpmath.workdps(40):
        pairs = [(mpmath.mpf(float(t)), mpmath.mpf(float(h))) for t, h in zip(atoms, weights, strict=True)]
        c = mpmath.mpf(ratio)
        m = complex(law.stieltjes(x, boundary=True))
        start = -1 / (ratio * m - (1 - ratio) / x)  # u = -1 / companion transform
        u = mpmath.findroot(
            lambda u: u * (1 + c * sum(h * t / (u - t) for t, h in pairs)) - mpmath.mpf(float(x)), start
        )
        assert u.imag > 0
        return float((-1 / u).imag / (mpmath.pi * c))


def _damped(x: np.ndarray, atoms: np.ndarray, weights: np.ndarray, ratio: float) -> np.ndarray:
    """The loop of most notebooks."""
    z = x + 1j * ETA
    m = -1 / z
    for _ in range(5000):
        new = (weights / (atoms * (1 - ratio - ratio * z * m)[:, None] - z[:, None])).sum(axis=1)
        step = np.abs(new - m).max()
        m = 0.5 * (m + new)
        if step < 1e-8:
            break
    return m.imag / np.pi


def _roots(x: np.ndarray, atoms: np.ndarray, weights: np.ndarray, ratio: float) -> np.ndarray:
    """All roots of the polynomial in u at every point, the one with the largest imaginary part taken."""
    base = np.poly(atoms)
    total = base.copy()
    for k, (t, h) in enumerate(zip(atoms, weights, strict=True)):
        total = np.polyadd(total, ratio * h * t * np.poly(np.delete(atoms, k)))
    lead = np.polymul([1.0, 0.0], total)
    found = np.array([np.roots(np.polysub(lead, point * base)) for point in x])
    u = found[np.arange(x.size), found.imag.argmax(axis=1)]
    return (-1 / u).imag / (np.pi * ratio)


def _scikit_rmt(x: np.ndarray, ratio: float) -> np.ndarray:
    from skrmt.ensemble.spectral_law import MarchenkoPasturDistribution

    return MarchenkoPasturDistribution(ratio=ratio).pdf(x)


def _freealg(x: np.ndarray, atoms: np.ndarray, weights: np.ndarray, ratio: float) -> np.ndarray:
    import freealg

    return freealg.distributions.DeformedMarchenkoPastur(atoms, weights, ratio).density(x)


def _spectrode(x: np.ndarray, atoms: np.ndarray, weights: np.ndarray, ratio: float) -> np.ndarray:
    listed = (np.array2string(v, separator=",", max_line_width=10**6, threshold=10**6) for v in (atoms, weights, x))
    t, w, points = listed
    code = f"[g,d]={SPECTRODE}({t}',{w}',{ratio!r},1e-6); printf('%.17g\\n', interp1(g, d, {points}));"
    run = subprocess.run(["octave", "--quiet", "--eval", code], capture_output=True, text=True, check=True)
    return np.array([float(value) for value in run.stdout.split()])


def _unavailable(method: str, atoms: np.ndarray) -> str:
    """Why a method cannot be run here, or an empty string."""
    package = {"scikit-rmt": "skrmt", "freealg": "freealg"}.get(method)
    if package and importlib.util.find_spec(package) is None:
        return "not installed (pip install -e '.[bench]')"
    if method == "scikit-rmt" and not np.array_equal(atoms, [1.0]):
        return "white noise only"
    if method.startswith("Spectrode"):
        if shutil.which("octave") is None:
            return "Octave is not installed"
        probe = subprocess.run(["octave", "--quiet", "--eval", f"exit(exist('{SPECTRODE}') == 0)"])
        return "no function spectrode on Octave's path" if probe.returncode else ""
    return ""


def _beginnings() -> Iterator[dict[str, Any]]:
    """Import, and first density from a cold process (compile cache warm), in seconds of a whole process."""
    first = {
        "rmtsolve": "import rmtsolve as r; r.SampleCovariance(r.Discrete([1,3]), ratio=.5).law().density(1.)",
        "freealg": "import freealg as f; f.distributions.DeformedMarchenkoPastur([1,3],[.5,.5],.5).density([1.])",
        "scikit-rmt": (
            "import numpy as n; from skrmt.ensemble.spectral_law import MarchenkoPasturDistribution as M\n"
            "M(ratio=.5).pdf(n.array([1.]))"
        ),
    }
    imports = {"numpy": "numpy", "rmtsolve": "rmtsolve", "freealg": "freealg", "scikit-rmt": "skrmt"}
    for title, scripts in (("import", {k: f"import {v}" for k, v in imports.items()}), ("first density", first)):
        baseline = _process(scripts["rmtsolve"])
        for name, code in scripts.items():
            if importlib.util.find_spec(imports[name]) is None:
                continue
            seconds = baseline if name == "rmtsolve" else _process(code)
            yield row(
                f"{title}, cold process", name, seconds, 1, accuracy=float("nan"), baseline=baseline,
                note=f"{seconds:.2f} s with the start of Python",
            )  # fmt: skip


def _process(code: str) -> float:
    """Best of three wall times of a new Python process, after one that fills the caches."""
    times = []
    for _ in range(4):
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, capture_output=True)
        times.append(time.perf_counter() - begin)
    return min(times[1:])
