"""The examples of the front page run as they are written, one after the other."""

import os
import pathlib
import re
import subprocess
import sys

README = pathlib.Path(__file__).parents[2] / "README.md"


def test_examples_run(tmp_path):
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 3
    script = tmp_path / "readme.py"
    script.write_text("\n".join(blocks), encoding="utf-8")
    environment = {**os.environ, "MPLBACKEND": "Agg"}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "physical branch certified" in done.stdout
    assert "Kolmogorov distance" in done.stdout


def test_commands_exist():
    from click.testing import CliRunner

    from rmtsolve.cli import main

    named = set(re.findall(r"rmtsolve ([a-z]+)", README.read_text(encoding="utf-8")))
    listed = CliRunner().invoke(main, ["--help"]).output
    assert {"spectrum", "models", "edges", "density", "ridge", "hermite"} <= named
    assert all(f"  {command} " in listed for command in named if command in {"spectrum", "ridge", "hermite"})
