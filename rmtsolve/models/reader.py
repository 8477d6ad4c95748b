"""Model files: a random-matrix model and how to simulate it, in TOML, every key checked.

kind = "sample-covariance"          # what the model is; decides the keys of [parameters]
title = "Two bulks"                 # optional, as is description
[parameters]
atoms = [1.0, 8.0]
weights = [0.5, 0.5]
ratio = 0.1
[simulation]                        # optional: size (of the matrix), trials, seed
size = 600
"""

from __future__ import annotations

import difflib
import functools
import pathlib
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn

from .. import _validate
from ..errors import DomainError, ModelError

FOLDER = pathlib.Path(__file__).parent
MAX_BYTES = 2**20  # of a model file
MAX_ENTRIES = 100_000  # of an array in it
MAX_DOTS = 100  # of a dotted key in it


@dataclass(frozen=True)
class Model:
    """A random-matrix model and how to simulate it.

    Parameters
    ----------
    name : str
        Name of the file without its ending; results are named after it.
    kind : str
        One of the keys of `KINDS`.
    parameters : dict
        The parameters of the model, as in the file (a population file is replaced by what it holds).
    ensemble : Ensemble or OneStepNetwork
        The model itself.
    title, description : str
        What people read.
    size, trials, seed : int
        Size of the matrices (number of features), number of replicas, seed of the simulation.

    Raises
    ------
    DomainError
        `size`, `trials` or `seed` is out of range.
    """

    name: str
    kind: str
    parameters: dict[str, Any]
    ensemble: Any = field(repr=False)
    title: str = ""
    description: str = ""
    size: int = 800
    trials: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        _validate.integer(self.size, "size", low=2)
        _validate.integer(self.trials, "trials", low=1, high=100_000)
        _validate.integer(self.seed, "seed", low=0, high=2**64 - 1)


# ---------------------------------------------------------------------- what each kind needs
def _text(value: Any, name: str) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > 10_000:
        _validate.fail(name, "a non-empty text of at most 10000 characters", value)
    return value


def _number(value: Any, name: str) -> float:
    return _validate.real(value, name)


def _numbers(value: Any, name: str) -> list[float]:
    if not isinstance(value, list) or not 0 < len(value) <= MAX_ENTRIES:
        _validate.fail(name, f"an array of 1 to {MAX_ENTRIES} numbers", value)
    return [_validate.real(entry, f"{name}[{k}]") for k, entry in enumerate(value)]


def _texts(value: Any, name: str) -> list[str]:
    if not isinstance(value, list) or not 0 < len(value) <= MAX_ENTRIES:
        _validate.fail(name, f"an array of 1 to {MAX_ENTRIES} texts", value)
    return [_text(entry, f"{name}[{k}]") for k, entry in enumerate(value)]


def _tables(value: Any, name: str) -> list[list[float]]:
    """Arrays of numbers, each of them perhaps empty."""
    if not isinstance(value, list) or not 0 < len(value) <= MAX_ENTRIES:
        _validate.fail(name, f"an array of 1 to {MAX_ENTRIES} arrays of numbers", value)
    return [_numbers(entry, f"{name}[{k}]") if entry != [] else [] for k, entry in enumerate(value)]


class Kind(NamedTuple):
    """One kind of model: the checker of each required and optional parameter, and what builds the ensemble."""

    required: Mapping[str, Callable[[Any, str], Any]]
    optional: Mapping[str, Callable[[Any, str], Any]]
    build: Callable[[dict[str, Any]], Any]


def _covariance(parameters: dict[str, Any]) -> Any:
    from ..ensembles.covariance import SampleCovariance
    from ..measures.discrete import Discrete

    if ("atoms" in parameters) == ("population" in parameters) or (
        "population" in parameters and "weights" in parameters
    ):
        _validate.fail("parameters", "with either atoms (and weights) or a population file", sorted(parameters))
    if "population" in parameters:
        law = Discrete.from_file(parameters.pop("population"))
        parameters |= {"atoms": law.locations.tolist(), "weights": law.weights.tolist()}
    population = Discrete(parameters["atoms"], parameters.get("weights"))
    return SampleCovariance(population, ratio=parameters["ratio"])


def _wigner(parameters: dict[str, Any]) -> Any:
    from ..ensembles.wigner import Wigner

    return Wigner(**parameters)


def _random_features(parameters: dict[str, Any]) -> Any:
    from ..ensembles.features import RandomFeatures

    return RandomFeatures(**parameters)


def _spiked_features(parameters: dict[str, Any]) -> Any:
    from ..ensembles.features import SpikedRandomFeatures

    return SpikedRandomFeatures(**parameters)


def _deep_features(parameters: dict[str, Any]) -> Any:
    from ..activations.parse import read_activation
    from ..ensembles.deep import DeepFeatures
    from ..measures.discrete import Discrete

    if "target" in parameters:
        read_activation(parameters["target"], "target")
    _validate.real(parameters.get("noise", 0.0), "noise", low=0.0)

    if "weights" in parameters and "atoms" not in parameters:
        _validate.fail("parameters", "with atoms (of the input covariance) when there are weights", sorted(parameters))
    population = Discrete(parameters["atoms"], parameters.get("weights")) if "atoms" in parameters else None
    structures = parameters.get("structures")
    laws = None if structures is None else [eigenvalues or None for eigenvalues in structures]
    return DeepFeatures(
        parameters["activations"], parameters["widths"], parameters["alpha"], population=population, structures=laws
    )


def _one_step(parameters: dict[str, Any]) -> Any:
    from ..networks.one_step import OneStepNetwork

    _validate.positive(parameters["alpha"], "alpha")
    return OneStepNetwork(**{key: value for key, value in parameters.items() if key != "alpha"})


_Checks = dict[str, Callable[[Any, str], Any]]
_FEATURES: _Checks = {"activation": _text, "alpha": _number, "beta": _number}
_NETWORK: _Checks = {"activation": _text, "target": _text, "learning_rate": _number, "batch_ratio": _number}
_NETWORK |= {"width_ratio": _number, "alpha": _number, "readout": _numbers, "fractions": _numbers}
KINDS = {
    "wigner": Kind({}, {"variance": _number}, _wigner),
    "sample-covariance": Kind(
        {"ratio": _number}, {"atoms": _numbers, "weights": _numbers, "population": _text}, _covariance
    ),
    "random-features": Kind(_FEATURES, {}, _random_features),
    "spiked-features": Kind(
        _FEATURES | {"spikes": _numbers, "scales": _numbers, "fractions": _numbers}, {}, _spiked_features
    ),
    "deep-features": Kind(
        {"activations": _texts, "widths": _numbers, "alpha": _number},
        {"atoms": _numbers, "weights": _numbers, "structures": _tables, "target": _text, "noise": _number},
        _deep_features,
    ),
    "one-step": Kind(_NETWORK, {"noise": _number}, _one_step),
}


# ---------------------------------------------------------------------- from a file or from values to a Model
def load_model(source: str | pathlib.Path) -> Model:
    """Read a model file, or a shipped model by its name.

    Parameters
    ----------
    source : str or path
        ``"one-step"`` (see `shipped_models`) or the path of a ``.toml`` file.

    Raises
    ------
    ModelError
        The file is missing, too large or not TOML, a key is unknown or missing, a value has the wrong type or is out
        of range; the message names file, key, rule, value and the nearest valid key.

    Examples
    --------
    >>> load_model("marchenko-pastur").parameters["ratio"]
    0.5
    """
    path = _find(source)
    data = read_toml(path)
    parameters = data.get("parameters")
    if isinstance(parameters, dict) and isinstance(parameters.get("population"), str):
        parameters["population"] = str(path.parent / parameters["population"])  # relative to the model file
    return make_model(data, name=path.stem, file=str(source))


def shipped_models() -> dict[str, dict[str, Any]]:
    """Name and content of every model file that comes with rmtsolve, without building any of them."""
    return {path.stem: read_toml(path) for path in sorted(FOLDER.glob("*.toml"))}


def make_model(data: dict[str, Any], *, name: str, file: str) -> Model:
    """The model that the content of a file describes; `file` is what error messages call it."""
    _check_keys(data, {"kind", "parameters"}, {"title", "description", "simulation"}, file, "")
    try:
        kind = KINDS[_validate.choice(data["kind"], "kind", KINDS)]
        parameters = _table(data["parameters"], "parameters")
        simulation = _table(data.get("simulation", {}), "simulation")
        _check_keys(parameters, set(kind.required), set(kind.optional), file, "[parameters] ")
        _check_keys(simulation, set(), {"size", "trials", "seed"}, file, "[simulation] ")
        checks = {**kind.required, **kind.optional}
        clean = {key: checks[key](value, f"[parameters] {key}") for key, value in parameters.items()}
        words: dict[str, Any] = {key: _text(data[key], key) for key in ("title", "description") if key in data}
        return Model(name, data["kind"], clean, kind.build(clean), **words, **simulation)
    except (DomainError, ModelError) as error:
        raise error if str(error).startswith(f"{file}: ") else ModelError(f"{file}: {error}") from error


def read_toml(path: pathlib.Path) -> dict[str, Any]:
    """The content of a TOML file of a sensible size."""
    stop = functools.partial(_stop, str(path))
    try:
        if not path.is_file():
            stop("no such file")
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            stop(f"a model file must be at most {MAX_BYTES} bytes")
        if any(word.count(b".") > MAX_DOTS for line in raw.splitlines() for word in _words(line)):
            stop(f"a key must have at most {MAX_DOTS} dots")  # the parser's memory is quadratic in them
        return tomllib.loads(raw.decode("utf-8"))
    except UnicodeDecodeError:
        stop("not UTF-8 text, hence not TOML")
    except RecursionError:
        stop("not TOML: nested too deeply")
    except ValueError as error:  # TOMLDecodeError, and what the parser lets through (integers of 5000 digits)
        stop(f"not TOML: {error}")
    except OSError as error:
        stop(f"cannot be read: {error.strerror}")


def _words(line: bytes) -> list[bytes]:
    """The words of a line, a dotted key being one of them."""
    return re.split(rb"[ =,\[\]{}]", b" ".join(line.split()).replace(b" .", b".").replace(b". ", b"."))


def _find(source: str | pathlib.Path) -> pathlib.Path:
    """The file that `source` means: a path if it looks like one, else a shipped model."""
    text = str(source)
    if "\0" in text:
        _stop(repr(text), "no such file")
    if isinstance(source, pathlib.Path) or text.endswith(".toml") or "/" in text or "\\" in text:
        return pathlib.Path(source)
    names = [path.stem for path in FOLDER.glob("*.toml")]
    if text not in names:
        _stop(repr(text), f"neither a path ending in .toml nor a shipped model{_nearest(text, names)}")
    return FOLDER / f"{text}.toml"


def _table(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        _validate.fail(name, f"a table, written [{name}]", value)
    return value


def _check_keys(table: dict[str, Any], required: set[str], optional: set[str], file: str, where: str) -> None:
    allowed = required | optional
    for key in table:
        if key not in allowed:
            _stop(file, f"{where}unknown key {key!r}{_nearest(key, allowed)}")
    for key in sorted(required - table.keys()):
        _stop(file, f"{where}the key {key!r} is missing; required: {', '.join(sorted(required))}")


def _nearest(text: str, allowed: Iterable[str]) -> str:
    options = sorted(allowed)
    near = difflib.get_close_matches(text, options, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; allowed: {', '.join(options)}"


def _stop(file: str, message: str) -> NoReturn:
    raise ModelError(f"{file}: {message}")
