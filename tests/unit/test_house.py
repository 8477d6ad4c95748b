"""The walls of the house: who imports whom, what `import rmtsolve` loads, how long a file may be."""

import ast
import json
import pathlib
import subprocess
import sys

import pytest

import rmtsolve

ROOT = pathlib.Path(rmtsolve.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

# package or top-level module -> packages and modules it may import (itself and COMMON always)
COMMON = {"errors", "status", "_validate", "plotting"}  # plotting: only inside one-line .plot() methods, see below
ALLOWED = {
    "_kernels": set(),
    "measures": {"_kernels"},
    "activations": {"_kernels"},
    "equations": {"_kernels", "measures", "activations"},
    "ensembles": {"_kernels", "measures", "activations", "equations"},
    "networks": {"_kernels", "measures", "activations", "equations", "ensembles"},
    "simulate": {"measures", "activations", "ensembles", "networks"},
}
LAZY = {"sympy", "matplotlib", "joblib", "dask", "tqdm", "hypothesis", "numba", "scipy", "mpmath", "click"}


def room(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path):
    """(top-level target inside rmtsolve or outside package, is it at module level, enclosing function names)."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = ("rmtsolve", *path.relative_to(ROOT).parent.parts)

    def walk(node, functions, typing_only):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield from walk(child, [*functions, child.name], typing_only)
            elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                yield from walk(child, functions, True)
            elif isinstance(child, ast.ImportFrom):
                if child.level:
                    base = package[: len(package) - child.level + 1]
                    module = [*base, *(child.module.split(".") if child.module else [])]
                else:
                    module = child.module.split(".")
                names = (
                    [module] if len(module) > 1 or module[0] != "rmtsolve" else [[*module, a.name] for a in child.names]
                )
                for name in names:
                    yield name, functions, typing_only
            elif isinstance(child, ast.Import):
                for alias in child.names:
                    yield alias.name.split("."), functions, typing_only
            else:
                yield from walk(child, functions, typing_only)

    yield from walk(tree, [], False)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_downwards(path):
    here = room(path)
    for module, functions, typing_only in imports(path):
        if module[0] != "rmtsolve" or typing_only:
            continue
        target = module[1] if len(module) > 1 else ""
        if target == "plotting" and here not in ("cli", "study", "plotting"):
            assert functions and functions[-1] == "plot", f"{path.name}: plotting may only be imported inside .plot()"
        if here in ALLOWED:
            assert target in ALLOWED[here] | COMMON | {here}, f"{path.name} must not import rmtsolve.{target}"
        if here == "_kernels":
            assert target == "_kernels", f"{path.name}: a kernel knows nothing above it"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_heavy_packages_are_imported_inside_functions(path):
    if room(path) in ("_kernels", "testing", "cli", "__main__"):
        return
    for module, functions, typing_only in imports(path):
        assert module[0] not in LAZY or functions or typing_only, f"{path.name} imports {module[0]} at module level"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_only_kernels_compile_and_only_plotting_draws(path):
    for module, _, _ in imports(path):
        assert module[0] != "numba" or room(path) == "_kernels", f"{path.name} imports numba"
        assert module[0] != "matplotlib" or path.name.startswith("plotting"), f"{path.name} imports matplotlib"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_stay_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 500, "split it by meaning"


def test_import_loads_nothing_but_numpy():
    code = (
        "import json, sys, numpy; before = set(sys.modules); import rmtsolve\n"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    loaded = {name.split(".")[0] for name in json.loads(out)}
    assert not loaded & LAZY, sorted(loaded & LAZY)


def test_importing_every_module_compiles_nothing():
    """Every module of the package can be imported without a single compilation and without the lazy packages."""
    names = [
        ".".join(("rmtsolve", *p.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
        for p in FILES
        if room(p) not in ("testing", "cli", "__main__")
    ]
    code = (
        "import importlib, sys\n"
        f"plain = [n for n in {names!r} if '._kernels' not in n]\n"
        "for n in plain: importlib.import_module(n)\n"
        "assert not {'sympy', 'matplotlib', 'numba', 'scipy.stats', 'joblib'} & set(sys.modules), sorted(sys.modules)\n"
        f"for n in {names!r}: importlib.import_module(n)\n"
        "from numba.core.dispatcher import Dispatcher\n"
        "import gc\n"
        "kernels = [d for d in gc.get_objects() if isinstance(d, Dispatcher) and 'rmtsolve' in d.py_func.__module__]\n"
        "assert not any(d.signatures for d in kernels)\n"
    )
    subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)


def test_every_public_name_loads_and_is_documented():
    for name in rmtsolve.__all__:
        value = getattr(rmtsolve, name)
        assert name == "__version__" or (value.__doc__ or "").strip(), f"rmtsolve.{name} has no docstring"


def test_top_level_is_what_was_agreed():
    top = ROOT.parent
    if not (top / "pyproject.toml").exists():  # installed from a wheel: there is no repository around the package
        return
    agreed = {"pyproject.toml", "rmtsolve", "notebooks", "tests", "benchmarks", "README.md", "LICENSE", "CHANGELOG.md"}
    agreed |= {"CONTRIBUTING.md", ".gitignore", ".ci"}
    tracked = subprocess.run(["git", "ls-files"], cwd=top, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    assert {line.split("/")[0] for line in tracked if line} <= agreed
