"""The command line: what is printed where, and the exit codes."""

import json
import os
import pathlib
import signal
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

import rmtsolve as rmt
from rmtsolve.cli import main


def run(*arguments):
    return CliRunner().invoke(main, [str(one) for one in arguments])


@pytest.fixture
def eigenvalues(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("1\n2\n2\n5\n")
    return path


def test_version():
    assert run("--version").stdout == f"rmtsolve {rmt.__version__}\n"


def test_models_are_listed():
    result = run("models")
    assert result.exit_code == 0
    assert any(line.startswith("one-step ") for line in result.stdout.splitlines())
    assert json.loads(run("models", "--json").stdout)["two-bulks"]["parameters"]["ratio"] == 0.1


def test_light_commands_load_nothing_heavy():
    code = (
        "import sys\nfrom rmtsolve.cli import main\n"
        "try: main(['models'])\nexcept SystemExit: pass\n"
        "assert not {'numba', 'scipy', 'sympy', 'matplotlib', 'joblib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_edges():
    law = rmt.SampleCovariance(rmt.Discrete([1, 8], [0.5, 0.5]), ratio=0.1).law()
    lines = run("edges", "two-bulks").stdout.splitlines()
    assert len(lines) == 2
    assert [float(part.strip("[],")) for line in lines for part in line.split()[1:]] == law.edges.tolist()
    assert json.loads(run("edges", "two-bulks", "--json").stdout)["edges"] == law.edges.tolist()


def test_atoms_are_printed(eigenvalues):
    assert "atom     0.0  mass 0.75" in run("edges", "--population", eigenvalues, "--ratio", 4).stdout


def test_density_on_a_grid_reads_back_exactly():
    lines = run("density", "marchenko-pastur", "--grid", "0.5:2:4").stdout.splitlines()
    assert lines[0] == "x,density"
    table = np.array([[float(value) for value in line.split(",")] for line in lines[1:]])
    assert table[:, 0].tolist() == [0.5, 1.0, 1.5, 2.0]
    assert np.allclose(table[:, 1], rmt.MarchenkoPastur(0.5).density(table[:, 0]), rtol=1e-12)


def test_density_on_the_bulks_integrates_to_one():
    found = json.loads(run("density", "two-bulks", "--points", 2000, "--json").stdout)
    half = len(found["x"]) // 2
    mass = sum(np.trapezoid(found["density"][part], found["x"][part]) for part in (slice(half), slice(half, None)))
    assert mass == pytest.approx(1.0, abs=1e-4)
    assert found["atoms"] == []


def test_population_file_is_a_model(eigenvalues):
    law = rmt.SampleCovariance(rmt.Discrete([1, 2, 5], [0.25, 0.5, 0.25]), ratio=0.05).law()
    found = json.loads(run("edges", "--population", eigenvalues, "--ratio", 0.05, "--json").stdout)
    assert found["edges"] == law.edges.tolist()


def test_hermite():
    lines = run("hermite", "relu", "--order", 4).stdout.splitlines()
    assert lines[0].split() == ["k", "c_k"]
    assert float(lines[3].split()[1]) == pytest.approx(0.5 / np.sqrt(np.pi), abs=1e-14)
    assert json.loads(run("hermite", "relu", "--order", 2, "--json").stdout)["coefficients"][1] == pytest.approx(0.5)


def test_hermite_symbolic():
    lines = run("hermite", "relu", "--order", 4, "--symbolic").stdout.splitlines()
    rows = [line.split(maxsplit=2) for line in lines]
    assert rows[0] == ["k", "c_k", "exact"]
    for k, numeric, text in rows[1:]:
        exact = rmt.activation("relu").symbolic_coefficient(int(k))
        assert text == str(exact)
        assert float(numeric) == pytest.approx(float(exact), abs=1e-14)


# ---------------------------------------------------------------------- the main job
def test_spectrum_prints_and_writes(tmp_path):
    result = run("spectrum", "marchenko-pastur", "--size", 60, "--trials", 3, "--workers", 1, "--out", tmp_path)
    assert result.exit_code == 0, result.stderr
    for part in (
        "Kolmogorov distance",
        "expected at this size",
        "Bulk: agrees",
        "Time: theory",
        "3 spectra of size 60",
    ):
        assert part in result.stdout
    assert "marchenko-pastur" in result.stderr  # the progress bar
    assert (tmp_path / "marchenko-pastur.png").read_bytes()[:4] == b"\x89PNG"
    saved = json.loads((tmp_path / "marchenko-pastur.json").read_text())
    assert np.array(saved["replicas"]).shape == (3, 1, 60)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["marchenko-pastur.json", "marchenko-pastur.png"]


def test_spectrum_as_json(tmp_path, eigenvalues):
    options = ["--size", 40, "--trials", 2, "--quiet", "--no-plot", "--json", "--out", tmp_path]
    result = run("spectrum", "--population", eigenvalues, "--ratio", 0.5, *options)
    assert result.stderr == ""
    found = json.loads(result.stdout)
    assert found["model"]["name"] == "mine"
    assert len(found["stages"]) == 1
    assert not (tmp_path / "mine.png").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["spectrum", "two-bulk"], "did you mean 'two-bulks'"),
        (["spectrum", "nothing.toml"], "nothing.toml: no such file"),
        (["spectrum", "wigner", "--size", "-4"], "size must be an integer >= 2, got -4"),
        (["spectrum", "wigner", "--size", "9999999"], "size must be small enough"),
        (["spectrum", "wigner", "--trials", "0"], "trials must be an integer >= 1"),
        (["spectrum", "wigner", "--seed", "-1"], "seed must be an integer >= 0"),
        (["spectrum", "wigner", "--workers", "0"], "workers must be an integer >= 1"),
        (["spectrum", "wigner", "--size", "many"], "not a valid integer"),
        (["spectrum", "wigner", "--out", "/no/such/folder"], "no such folder"),
        (["spectrum"], "give either MODEL or --population"),
        (["edges", "wigner", "--population", "x.csv", "--ratio", "1"], "give either MODEL or --population"),
        (["edges", "wigner", "--ratio", "1"], "go together"),
        (["edges", "--population", "x.csv"], "go together"),
        (["edges", "--population", "x.csv", "--ratio", "1"], "x.csv: cannot be read"),
        (["density", "wigner", "--grid", "0:x:5"], "--grid must be A:B:N"),
        (["density", "wigner", "--grid", "0:1:5:6"], "--grid must be A:B:N"),
        (["density", "wigner", "--grid", "nan:1:5"], "--grid must be A:B:N"),
        (["density", "wigner", "--grid", "0:1:0"], "N of --grid must be an integer >= 1"),
        (["density", "wigner", "--grid", "0:1:99999999999"], "N of --grid must be"),
        (["density", "wigner", "--points", "1"], "points must be an integer >= 2"),
        (["hermite", "reul"], "reul"),
        (["hermite", "relu", "--order", "-1"], "order must be an integer >= 0"),
        (["hermite", "__import__('os').system('true')"], "expression"),
        (["nonsense"], "No such command"),
    ],
)
def test_bad_input_is_one_sentence_and_code_two(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_no_convergence_is_code_three(monkeypatch):
    from rmtsolve.errors import ConvergenceError

    solution = rmt.solve(rmt.Equation(lambda z, m: -1 / (z + m)), z=np.array([1 + 1j]))

    def fail(self, *args, **kwargs):
        raise ConvergenceError(solution, "a test")

    monkeypatch.setattr("rmtsolve.ensembles.covariance.SampleCovariance.law", fail)
    result = run("edges", "two-bulks")
    assert result.exit_code == 3
    assert result.stderr.startswith("rmtsolve: ")
    assert len(result.stderr.splitlines()) == 1


def command(*arguments, **options):
    environment = os.environ | {"PYTHONPATH": str(pathlib.Path(rmt.__file__).parents[1])}
    return subprocess.Popen(
        [sys.executable, "-m", "rmtsolve", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environment, **options
    )  # fmt: skip


def test_closed_pipe_is_quiet():
    process = command("density", "two-bulks", "--points", "100000")
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(30) == 0
    process.stderr.close()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_keeps_replicas_and_the_next_run_goes_on(tmp_path, workers):
    arguments = [
        "spectrum",
        "wigner",
        "--size",
        "300",
        "--trials",
        "5000",
        "--workers",
        workers,
        "--out",
        str(tmp_path),
    ]
    process = command(*arguments, start_new_session=True)
    read = ""
    while "/5000 [" not in read or " 0/5000" in read[-200:]:  # until the first replica is counted
        read += process.stderr.read(20)
    os.killpg(process.pid, signal.SIGINT)
    _, rest = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "replicas are kept in" in rest
    assert "Traceback" not in rest
    kept = json.loads((tmp_path / "wigner.json").read_text())
    count = len(kept["replicas"])
    assert 1 <= count < 5000
    assert not kept["complete"]
    options = ["--size", 300, "--trials", count + 1, "--workers", 1, "--out", tmp_path, "--no-plot"]
    assert f"(and {count} kept from an earlier run)" in run("spectrum", "wigner", *options).stdout
    assert json.loads((tmp_path / "wigner.json").read_text())["replicas"][:count] == kept["replicas"]
