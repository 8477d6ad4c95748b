"""Property-testing kit: checks and Hypothesis strategies for laws, equations, ensembles, activations and solvers.

Needs hypothesis (``pip install 'rmtsolve[test]'``). Names are loaded on first use.
"""

from __future__ import annotations

import importlib
from typing import Any

# public name -> module of this package
_PUBLIC = {
    "check_activation": "activation_laws",
    "check_ensemble": "ensemble_laws",
    "check_equation": "equations",
    "check_measure": "measures",
    "check_solver": "solver",
    "activations": "strategies",
    "ensembles": "strategies",
    "pencils": "strategies",
    "populations": "strategies",
    "ratios": "strategies",
    "targets": "strategies",
    "upper_half_plane": "strategies",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    """Import the module that holds `name`; say how to get hypothesis when it is missing."""
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = importlib.import_module(f".{_PUBLIC[name]}", __name__)
    except ModuleNotFoundError as error:
        if error.name and error.name.split(".")[0] == "hypothesis":
            raise ImportError("rmtsolve.testing needs hypothesis: pip install 'rmtsolve[test]'") from error
        raise
    value = getattr(module, name)
    globals()[name] = value
    return value
