"""`python -m benchmarks [name ...] [--json FILE]`: every claim of speed, measured side by side in one run."""

from __future__ import annotations

import argparse
import datetime
import importlib
import json
import pathlib
import platform
import sys
from typing import Any

HERE = pathlib.Path(__file__).parent
NAMES = sorted(p.stem for p in HERE.glob("*.py") if p.stem not in ("__init__", "__main__", "timing"))
COLUMNS = ("problem", "method", "accuracy", "steps", "ns_per_point", "ratio", "note")


def machine() -> dict[str, str]:
    """Machine, versions and date: a number without them is a rumour."""
    import numba
    import numpy
    import scipy

    import rmtsolve

    cpu = platform.processor() or platform.machine()
    info = pathlib.Path("/proc/cpuinfo")
    if info.exists():
        names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = f"{names[0]}, {len(names)} cores" if names else cpu
    return {
        "date": datetime.date.today().isoformat(),
        "machine": cpu,
        "python": platform.python_version(),
        "rmtsolve": rmtsolve.__version__,
        "numpy": numpy.__version__,
        "scipy": scipy.__version__,
        "numba": numba.__version__,
        "threads": str(numba.get_num_threads()),
    }


def cell(value: Any) -> str:
    """A number in four characters or so, text as it is."""
    if isinstance(value, float):
        return "" if value != value else f"{value:.1e}" if value < 0.1 or value >= 1e6 else f"{value:.4g}"
    return str(value)


def main() -> int:
    """Run the named benchmarks (all by default), print one table, write JSON if asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"any of {', '.join(NAMES)} (default: all)")
    parser.add_argument("--json", type=pathlib.Path, help="write rows and machine to this file")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(NAMES)
    if unknown:
        parser.error(f"no benchmark named {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    import numba

    numba.set_num_threads(1)  # the comparisons are of one thread with one thread
    context = machine()
    print(", ".join(f"{key} {value}" for key, value in context.items()))
    rows: list[dict[str, Any]] = []
    for name in arguments.names or NAMES:
        print(f"\n## {name}", file=sys.stderr, flush=True)
        rows += importlib.import_module(f"benchmarks.{name}").rows()
    table = [COLUMNS, *(tuple(cell(r.get(c, "")) for c in COLUMNS) for r in rows)]
    widths = [max(len(line[i]) for line in table) for i in range(len(COLUMNS))]
    for line in table:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": context, "rows": rows}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
