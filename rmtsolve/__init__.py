"""Limiting spectra of random-matrix models with certificates, and the Monte Carlo that checks them.

Names are loaded on first use, so that ``import rmtsolve`` costs little more than ``import numpy``.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

# public name -> module that defines it
_PUBLIC = {
    # errors
    "RMTError": "errors", "DomainError": "errors", "ModelError": "errors", "ConvergenceError": "errors",
    "AccuracyWarning": "errors", "Status": "status",
    # measures
    "Measure": "measures.base", "Discrete": "measures.discrete", "Continuous": "measures.continuous",
    "Semicircle": "measures.classical", "MarchenkoPastur": "measures.classical", "FreePoisson": "measures.classical",
    "Wachter": "measures.classical", "Kesten": "measures.classical", "Arcsine": "measures.classical",
    "Uniform": "measures.classical", "TwoPoint": "measures.classical",
    # activations
    "Activation": "activations.base", "activation": "activations.parse",
    # equations
    "Equation": "equations.base", "Solution": "equations.solution", "SolvedMeasure": "equations.solution",
    "solve": "equations.solve", "certify": "equations.certificate", "step": "equations.user",
    "Auto": "equations.methods", "FixedPoint": "equations.methods", "Anderson": "equations.methods",
    "Newton": "equations.methods", "Continuation": "equations.methods", "HighPrecision": "equations.methods",
    # ensembles
    "Ensemble": "ensembles.base", "Outlier": "ensembles.base",
    "SampleCovariance": "ensembles.covariance", "Wigner": "ensembles.wigner", "DeformedWigner": "ensembles.wigner",
    "RandomFeatures": "ensembles.features", "SpikedRandomFeatures": "ensembles.features",
    # networks
    "OneStepNetwork": "networks.one_step",
    # finite size
    "simulate_spectrum": "simulate.spectrum", "compare": "compare", "run_study": "study", "load_model": "models.reader",
}  # fmt: skip

__all__ = ["__version__", *sorted(_PUBLIC)]


def __getattr__(name: str) -> Any:
    """Import the module that holds `name` on first use."""
    if name in _PUBLIC:
        value = getattr(importlib.import_module(f".{_PUBLIC[name]}", __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
