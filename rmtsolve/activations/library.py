"""Named activations, each written as a text in ``x``; their mathematics lives in `functions` and `algebra`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import DomainError

LIBRARY: dict[str, str] = {
    "relu": "relu(x)",
    "leaky_relu": "leaky_relu(x, slope)",
    "erf": "erf(x)",
    "tanh": "tanh(x)",
    "sigmoid": "sigmoid(x)",
    "gelu": "gelu(x)",
    "silu": "silu(x)",
    "softplus": "softplus(x)",
    "sin": "sin(x)",
    "cos": "cos(x)",
    "sign": "sign(x)",
    "step": "step(x)",
    "abs": "abs(x)",
    "identity": "x",
    "quadratic": "x**2",
    "cubic": "x**3",
    "exp": "exp(x)",
    "gaussian": "exp(-x**2/2)",
    "hard_tanh": "hard_tanh(x)",
    "elu": "elu(x, alpha)",
    "selu": "selu(x)",
    "mish": "mish(x)",
    "softsign": "softsign(x)",
    "arctan": "arctan(x)",
    "relu6": "relu6(x)",
}
"""Name to text."""

DEFAULTS: dict[str, dict[str, Any]] = {"leaky_relu": {"slope": 0.01}, "elu": {"alpha": 1}}
"""Parameters that a library activation takes, with their default values."""


def library_text(source: str, parameters: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Text and default parameters of a library name; any other text is returned as it is."""
    if source not in LIBRARY:
        return source, {}
    defaults = DEFAULTS.get(source, {})
    unknown = sorted(set(parameters) - set(defaults))
    if unknown:
        allowed = f"only {', '.join(defaults)}" if defaults else "none"
        raise DomainError(f"parameters of {source} must be {allowed}, got {unknown[0]!r}")
    return LIBRARY[source], dict(defaults)
