"""Editing a kernel's callee in another file must never serve the old machine code from the cache."""

import os
import pathlib
import shutil
import subprocess
import sys

import rmtsolve

SCRIPT = """
import sys
sys.path.insert(0, {root!r})
from pkg._kernels import user
print(user.twice(2.0), sum(user.twice.stats.cache_hits.values()))
"""


def run(root):
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    env.pop("NUMBA_DISABLE_JIT", None)
    out = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(root=str(root))], capture_output=True, text=True, check=True, env=env
    )
    value, hits = out.stdout.split()
    return float(value), int(hits)


def test_edited_callee_recompiles_its_callers(tmp_path):
    kernels = tmp_path / "pkg" / "_kernels"
    kernels.mkdir(parents=True)
    (tmp_path / "pkg" / "__init__.py").touch()
    (kernels / "__init__.py").touch()
    shutil.copy(pathlib.Path(rmtsolve.__file__).parent / "_kernels" / "_jit.py", kernels / "_jit.py")
    callee = kernels / "callee.py"
    callee.write_text("from ._jit import kernel\n@kernel\ndef factor(x):\n    return 2.0 * x\n")
    (kernels / "user.py").write_text(
        "from ._jit import kernel\nfrom .callee import factor\n@kernel\ndef twice(x):\n    return factor(x)\n"
    )
    assert run(tmp_path) == (4.0, 0)
    assert run(tmp_path) == (4.0, 1), "the second process must hit the cache"
    stamp = callee.stat()
    callee.write_text("from ._jit import kernel\n@kernel\ndef factor(x):\n    return 3.0 * x\n")
    os.utime(callee, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))  # an upgrade may keep size and time stamps
    assert run(tmp_path) == (6.0, 0), "stale machine code was served"
