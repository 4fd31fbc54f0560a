"""Writes RESULTS.md: one table for each result file, with its machine, date, commit and limits.

    python -m benchmarks.readme

README.md explains what the figures mean; RESULTS.md holds them all, as the results files give them.
A test compares the committed file with the results.
"""

import importlib
import json
from pathlib import Path
from typing import Any

from benchmarks import runner

OUT = Path(__file__).parent / "RESULTS.md"
_HEAD = """# Results

Written by `python -m benchmarks.readme` from `results/*.json`; do not edit. [README.md](README.md)
explains the claims. A ratio is the median over the rounds of one run, with its lowest and highest
round; speeds of different runs cannot be compared. Limits are what the machine could do at the
time: a square float32 matrix product, copying in memory, and JPEGs of 178x218 decoded by
libjpeg-turbo on all cores.
"""
_TABLES = ("article", "scaling")
"""Benchmarks that have a function `table` of their own."""
_NUM_SHOWN = 40
"""Figures of a result without rows that are shown; the file has the others."""


def main() -> None:
    """Write RESULTS.md."""
    OUT.write_text(write(runner.KEPT), encoding="utf-8")
    print(OUT)


def write(results: Path) -> str:
    """Return the document for a folder of results."""
    sections = [_section(path) for path in sorted(results.glob("*.json"))]
    return "\n".join([_HEAD, *sections])


def _section(path: Path) -> str:
    result = json.loads(path.read_text(encoding="utf-8"))
    lines = [f"## {path.stem}", "", f"{_question(path.stem)}", "", _provenance(path, result), ""]
    if result["rows"]:
        lines.append(runner.table([runner.Row(**row) for row in result["rows"]]))
    elif path.stem in _TABLES:
        lines.append(importlib.import_module(f"benchmarks.{path.stem}").table(result))
    else:
        lines.append(_figures(result))
    return "\n".join([*lines, ""])


def _question(name: str) -> str:
    """Return the first paragraph of a script's docstring.

    The name of a result is that of its script, or begins with it.
    """
    scripts = (path for path in Path(__file__).parent.glob("*.py") if name.startswith(path.stem))
    script = max(scripts, key=lambda path: len(path.stem))
    source = script.read_text(encoding="utf-8")
    return " ".join(source.split('"""')[1].split("\n\n")[0].split())


def _provenance(path: Path, result: dict[str, Any]) -> str:
    machine = result["machine"]
    limits = machine.get("limits")
    parts = [
        f"`{result.get('command') or f'python -m benchmarks.{path.stem}'}`",
        str(machine["cpu"]),
        machine.get("date") or "date not recorded",
        f"commit {machine['commit']}",
        "limits not recorded"
        if limits is None
        else f"limits: sgemm {limits['sgemm_gflops']:.0f} GFLOP/s, copying "
        f"{limits['copy_gb_per_s']:.1f} GB/s, {limits['jpegs_per_s']:,.0f} JPEGs/s",
    ]
    missing = result.get("missing_peers")
    if missing:
        parts.append(f"without {', '.join(sorted(missing))}")
    return "; ".join(parts) + "."


def _figures(result: dict[str, Any]) -> str:
    """Return the numbers of a result as a table of paths and values."""
    known = ("rows", "machine", "settings", "command", "missing_peers")
    found = list(_flatten({key: value for key, value in result.items() if key not in known}))
    lines = ["| figure | value |", "|---|---|"]
    lines += [f"| {name} | {value:,.4g} |" for name, value in found[:_NUM_SHOWN]]
    if len(found) > _NUM_SHOWN:
        lines.append(f"| {len(found) - _NUM_SHOWN} more in the file | |")
    return "\n".join(lines)


def _flatten(value: Any, name: str = "") -> list[tuple[str, float]]:
    if isinstance(value, dict):
        children = [(f"{name}: {key}" if name else str(key), each) for key, each in value.items()]
        return [pair for child, each in children for pair in _flatten(each, child)]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return []
    return [(name, value)]


if __name__ == "__main__":
    main()
