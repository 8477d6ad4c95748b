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
    "Wachter": "measures.classical", "Jacobi": "measures.classical", "Kesten": "measures.classical",
    "Arcsine": "measures.elementary", "Uniform": "measures.elementary", "TwoPoint": "measures.elementary",
    "SeriesMeasure": "measures.series", "companion": "measures.transforms", "free_cumulants": "measures.cumulants",
    "law_free_cumulants": "measures.cumulants", "moments_from_free_cumulants": "measures.cumulants",
    "psi_transform": "measures.transforms", "r_transform": "measures.transforms",
    "s_transform": "measures.transforms",
    # activations
    "Activation": "activations.base", "activation": "activations.parse",
    # equations
    "Equation": "equations.base", "Solution": "equations.solution", "SolvedMeasure": "equations.solution",
    "solve": "equations.solve", "certify": "equations.certificate", "step": "equations.user",
    "Auto": "equations.methods", "FixedPoint": "equations.methods", "Anderson": "equations.methods",
    "Newton": "equations.methods", "Continuation": "equations.methods", "HighPrecision": "equations.methods",
    "linear_statistics": "equations.statistics",
    # ensembles
    "Ensemble": "ensembles.base", "Outlier": "ensembles.base",
    "SampleCovariance": "ensembles.covariance", "CompoundFreePoisson": "ensembles.covariance",
    "Wigner": "ensembles.wigner", "DeformedWigner": "ensembles.wigner",
    "RandomFeatures": "ensembles.features", "SpikedRandomFeatures": "ensembles.features",
    "SeparableCovariance": "ensembles.separable", "free_add": "ensembles.free", "free_multiply": "ensembles.free",
    "free_power": "ensembles.free", "free_compress": "ensembles.free",
    "free_root": "ensembles.free", "free_commutator": "ensembles.commutator",
    "DeepFeatures": "ensembles.deep", "ConjugateKernel": "ensembles.deep",
    "LinearPencil": "ensembles.pencil",
    "VarianceProfile": "ensembles.profile", "RectangularProfile": "ensembles.profile",
    "BandMatrix": "ensembles.profile",
    "SpikedCovariance": "ensembles.spiked", "SpikedWigner": "ensembles.spiked",
    "SpikedSum": "ensembles.spiked_invariant", "SpikedProduct": "ensembles.spiked_invariant",
    "SpikedRectangular": "ensembles.spiked_invariant", "InformationPlusNoise": "ensembles.information_noise",
    "FMatrix": "ensembles.fmatrix", "Manova": "ensembles.fmatrix", "WishartProduct": "ensembles.products",
    "RectangularIID": "ensembles.letters",
    "MatrixPolynomial": "ensembles.polynomial",
    "polynomial_law": "ensembles.polynomial",
    # networks
    "OneStepNetwork": "networks.one_step", "Target": "networks.targets", "target": "networks.targets",
    "LinearRidge": "networks.linear_ridge", "linear_ridge_errors": "networks.linear_ridge",
    "deep_ridge_errors": "networks.deep_ridge", "linearise": "networks.linearise",
    "data_ridge_errors": "networks.data_ridge", "random_features": "networks.data_ridge",
    "empirical_moments": "networks.data_ridge", "load_data": "networks.data_ridge",
    "ridge_errors": "networks.ridge", "optimal_lam": "networks.ridge", "RidgeErrors": "networks.ridge_result",
    "ridge_errors_given": "networks.ridge_given", "simulate_ridge": "simulate.ridge",
    # finite size
    "simulate_spectrum": "simulate.spectrum", "simulate_data_ridge": "simulate.data_ridge",
    "simulate_deep_ridge": "simulate.deep_ridge", "compare": "comparison", "Comparison": "comparison",
    "run_study": "study", "run_ridge_study": "ridge_study", "run_data_study": "ridge_study",
    "load_model": "models.reader",
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
