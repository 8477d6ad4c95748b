"""The command line: parse, call one public function, print.

Exit codes: 0 done, 2 bad input, 3 not converged, 130 interrupted. Results go to standard output, everything else to
standard error.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from .errors import ConvergenceError, RMTError

if TYPE_CHECKING:
    from .models.reader import Model
    from .study import Study

INTERRUPTED = 130
MAX_POINTS = 1_000_000


class Commands(click.Group):
    """A group that turns the errors of rmtsolve into one sentence and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; no traceback for errors that rmtsolve raises on purpose."""
        try:
            return super().invoke(ctx)
        except ConvergenceError as error:
            _leave(str(error), 3)
        except RMTError as error:
            _leave(str(error), 2)
        except BrokenPipeError:  # the reader of our output has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(0)
        except KeyboardInterrupt:
            _leave("interrupted", INTERRUPTED)


def _leave(message: str, code: int) -> None:
    click.echo(f"rmtsolve: {message}", err=True)
    sys.exit(code)


def _version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from . import __version__

        click.echo(f"rmtsolve {__version__}")
        ctx.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Print the version."
)
def main() -> None:
    """Limiting spectra of random-matrix models, and the Monte Carlo that checks them.

    MODEL is the name of a shipped model (see `rmtsolve models`) or the path of a model file, name.toml.
    """


def _takes_model(command: Callable[..., None]) -> Callable[..., None]:
    """MODEL, or a population file and a ratio in its place."""
    options = [
        click.argument("model", required=False),
        click.option("--population", metavar="FILE", help="Covariance eigenvalues (CSV or NPY) in place of MODEL."),
        click.option("--ratio", type=float, help="Features over samples, p/n, for --population."),
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def _model(model: str | None, population: str | None, ratio: float | None) -> Model:
    from .models.reader import load_model, make_model

    if (model is None) == (population is None):
        raise click.UsageError("give either MODEL or --population FILE with --ratio")
    if (population is None) != (ratio is None):
        raise click.UsageError("--population and --ratio go together")
    if model is not None:
        return load_model(model)
    file = pathlib.Path(str(population))
    data = {"kind": "sample-covariance", "parameters": {"population": str(file), "ratio": ratio}}
    return make_model(data, name=file.stem, file="--population")


# ---------------------------------------------------------------------- the main job
@main.command()
@_takes_model
@click.option("--size", type=int, help="Size of the matrices (number of features).")
@click.option("--trials", type=int, help="Number of replicas.")
@click.option("--seed", type=int, help="Seed of the simulation.")
@click.option("--workers", type=int, help="Processes; by default one a core.")
@click.option("--out", type=click.Path(path_type=pathlib.Path), default=".", help="Folder of NAME.png and NAME.json.")
@click.option("--no-plot", is_flag=True, help="Write no picture.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def spectrum(
    model: str | None,
    population: str | None,
    ratio: float | None,
    as_json: bool,
    workers: int | None,
    out: pathlib.Path,
    no_plot: bool,
    quiet: bool,
    **simulation: int | None,
) -> None:
    """Simulate a model, solve its theory, compare: a table, a picture and a JSON file.

    Replicas already in the JSON file are reused when the model and the seed are the same; Ctrl-C keeps what is done.
    """
    import dataclasses

    from .study import run_study

    chosen = _model(model, population, ratio)
    given: dict[str, Any] = {key: value for key, value in simulation.items() if value is not None}
    chosen = dataclasses.replace(chosen, **given)
    jobs = workers if workers is not None else min(os.cpu_count() or 1, chosen.trials)
    started = time.perf_counter()
    with _keeping(out / f"{chosen.name}.json"):
        study = run_study(chosen, workers=jobs, progress=not quiet, folder=out)
    written = [out / f"{chosen.name}.json"]
    if not no_plot:
        written.append(out / f"{chosen.name}.png")
        study.plot().savefig(written[-1], dpi=150)
    if as_json:
        click.echo(json.dumps(study.to_dict()))
        return
    click.echo(str(study))
    click.echo(f"\n{_times(study)}, in all {time.perf_counter() - started:.1f} s")
    click.echo(f"Wrote {' and '.join(map(str, written))}.")


def _times(study: Study) -> str:
    fresh = study.model.trials - study.reused
    kept = f" (and {study.reused} kept from an earlier run)" if study.reused else ""
    return f"Time: theory {study.seconds['theory']:.1f} s, {fresh} replicas {study.seconds['simulation']:.1f} s{kept}"


# ---------------------------------------------------------------------- looking things up
@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def models(as_json: bool) -> None:
    """List the shipped models."""
    from .models.reader import shipped_models

    shipped = shipped_models()
    if as_json:
        click.echo(json.dumps(shipped))
        return
    for name, content in shipped.items():
        click.echo(f"{name:24s} {content.get('title', content['kind'])}")


@main.command()
@click.argument("model", required=False)
@click.option("--alpha", default="0.25:3:12", show_default=True, metavar="A:B:N", help="Samples over dimension, n/d.")
@click.option("--lam", type=float, default=0.1, show_default=True, help="Ridge.")
@click.option("--data", metavar="FILE", help="An .npz file with arrays X and y, in place of MODEL; then alpha is n/p.")
@click.option("--activation", help="With --data: regress on random features, not on the columns.")
@click.option("--size", type=int, help="Width: number of features.")
@click.option("--trials", type=int, help="Number of replicas.")
@click.option("--seed", type=int, help="Seed of the simulation.")
@click.option("--workers", type=int, help="Processes; by default one a core.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values.")
@click.option("--out", type=click.Path(path_type=pathlib.Path), default=".", help="Folder of the picture and the JSON.")
@click.option("--no-plot", is_flag=True, help="Write no picture.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def ridge(
    model: str | None,
    alpha: str,
    lam: float,
    data: str | None,
    activation: str | None,
    as_json: bool,
    as_csv: bool,
    workers: int | None,
    out: pathlib.Path,
    no_plot: bool,
    quiet: bool,
    **simulation: int | None,
) -> None:
    """Predict ridge errors over the number of samples, and measure them on trained networks or on random splits.

    Writes NAME-ridge.png and NAME-ridge.json; replicas already there are reused, Ctrl-C keeps what is done.
    """
    import dataclasses

    from .ridge_study import run_data_study, run_ridge_study

    if (model is None) == (data is None):
        raise click.UsageError("give either MODEL or --data FILE")
    if activation is not None and data is None:
        raise click.UsageError("--activation goes with --data")
    grid = _grid(alpha, "--alpha")
    given: dict[str, Any] = {key: value for key, value in simulation.items() if value is not None}
    cores = os.cpu_count() or 1
    name = f"{pathlib.Path(str(data if model is None else model)).stem}-ridge"
    with _keeping(out / f"{name}.json"):
        if data is not None:
            given["width"] = given.pop("size", 300 if activation is not None else None)
            study = run_data_study(
                data,
                grid,
                lam,
                activation=activation,
                workers=cores if workers is None else workers,
                progress=not quiet,
                folder=out,
                **given,
            )
        else:
            chosen = dataclasses.replace(_model(model, None, None), **given)
            jobs = workers if workers is not None else min(cores, chosen.trials)
            study = run_ridge_study(chosen, grid, lam, workers=jobs, progress=not quiet, folder=out)
    written = [out / f"{name}.json"]
    if not no_plot:
        written.append(out / f"{name}.png")
        study.plot().figure.savefig(written[-1], dpi=150)
    if as_json or as_csv:
        click.echo(json.dumps(study.to_dict()) if as_json else study.to_csv(), nl=as_json)
        return
    click.echo(str(study))
    click.echo(f"\nTime: theory {study.seconds['theory']:.1f} s, simulation {study.seconds['simulation']:.1f} s")
    click.echo(f"Wrote {' and '.join(map(str, written))}.")


@contextlib.contextmanager
def _keeping(path: pathlib.Path) -> Iterator[None]:
    """Say after Ctrl-C where the finished replicas are."""
    from .simulate.replicas import Interrupted

    try:
        yield
    except Interrupted as stop:
        click.echo(
            f"rmtsolve: interrupted; {len(stop.eigenvalues)} of {stop.trials} replicas are kept in {path}, and the "
            "same command goes on from there",
            err=True,
        )
        sys.exit(INTERRUPTED)


@main.command()
@_takes_model
@click.option("--grid", metavar="A:B:N", help="N points from A to B; by default on the bulks.")
@click.option("--points", type=int, default=200, show_default=True, help="Points on each bulk, without --grid.")
def density(
    model: str | None, population: str | None, ratio: float | None, as_json: bool, grid: str | None, points: int
) -> None:
    """Print the limiting density of a model: one line `x,density` a point."""
    import numpy as np

    from . import _validate
    from .plotting import density_curve
    from .study import limit_ensemble

    count = _validate.integer(points, "points", low=2, high=MAX_POINTS)
    where = None if grid is None else _grid(grid)
    law = limit_ensemble(_model(model, population, ratio)).law()
    if where is None:
        x, rho = (np.concatenate(part) for part in zip(*density_curve(law, count), strict=True))
    else:
        x, rho = where, law.density(where)
    if as_json:
        click.echo(json.dumps({"x": x.tolist(), "density": rho.tolist(), **_atoms(law)}))
        return
    click.echo("x,density")
    click.echo("\n".join(f"{a!r},{b!r}" for a, b in zip(x.tolist(), rho.tolist(), strict=True)))


def _grid(text: str, option: str = "--grid") -> Any:
    """The points that ``A:B:N`` means."""
    import numpy as np

    from . import _validate

    parts = text.split(":")
    try:
        low, high, count = float(parts[0]), float(parts[1]), int(parts[2])
    except (ValueError, IndexError):
        _validate.fail(option, "A:B:N with numbers A, B and an integer N", text, "for instance 0:4:200")
    if len(parts) != 3 or not np.isfinite([low, high]).all():
        _validate.fail(option, "A:B:N with finite numbers A, B and an integer N", text)
    return np.linspace(low, high, _validate.integer(count, f"N of {option}", low=1, high=MAX_POINTS))


def _atoms(law: Any) -> dict[str, Any]:
    locations, weights = law.atoms
    return {"atoms": [{"location": x, "mass": w} for x, w in zip(locations.tolist(), weights.tolist(), strict=True)]}


@main.command()
@_takes_model
def edges(model: str | None, population: str | None, ratio: float | None, as_json: bool) -> None:
    """Print the edges of the bulks, the atoms and the outliers of a model."""
    from ._study_file import plain
    from .study import limit_ensemble

    chosen = _model(model, population, ratio)
    ensemble = limit_ensemble(chosen)
    law, outliers = ensemble.law(), ensemble.outliers(p=chosen.size)
    if as_json:
        found = {"edges": law.edges, **_atoms(law), "outliers": [vars(one) for one in outliers], "size": chosen.size}
        click.echo(json.dumps(plain(found)))
        return
    for left, right in law.support.tolist():
        click.echo(f"bulk     [{left!r}, {right!r}]")
    for location, mass in zip(*(part.tolist() for part in law.atoms), strict=True):
        click.echo(f"atom     {location!r}  mass {mass!r}")
    for one in outliers:
        click.echo(f"outlier  {float(one.location)!r}  {one.label} (at size {chosen.size})")


@main.command()
@click.argument("activation")
@click.option("--order", type=int, default=8, show_default=True, help="Largest degree.")
@click.option("--symbolic", is_flag=True, help="Exact coefficients beside the numeric ones.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def hermite(activation: str, order: int, symbolic: bool, as_json: bool) -> None:
    """Print the Hermite coefficients c_k = E[sigma(g) h_k(g)] of ACTIVATION, a name or a text like "tanh(x) + x/2"."""
    from . import _validate
    from .activations.parse import activation as parse

    degree = _validate.integer(order, "order", low=0, high=64 if symbolic else 1000)
    sigma = parse(activation)
    numeric, bound = (part.tolist() for part in sigma.coefficients_with_error(degree))
    exact: list[str | None] = [None] * (degree + 1)
    if symbolic:
        found = [sigma.coefficient(k).exact for k in range(degree + 1)]
        exact = [None if one is None else str(one) for one in found]
    if as_json:
        table = {
            "activation": sigma.name,
            "coefficients": numeric,
            "bound": bound,
            "exact": exact if symbolic else None,
        }
        click.echo(json.dumps(table))
        return
    click.echo(f"{'k':>3s}  {'c_k':>22s}" + ("  exact" if symbolic else ""))
    for k, value in enumerate(numeric):
        text = exact[k] or f"no closed form; error below {bound[k]:.1e}"
        click.echo(f"{k:3d}  {value:22.15g}" + (f"  {text}" if symbolic else ""))
