"""Writes the tables of README.md, each with its command, machine, date, commit and limits.

    python -m benchmarks.readme

README.md holds prose, and a region for each results file:

    <!-- pack -->
    ...
    <!-- end -->

What stands between such marks is written from `results/pack.json`. A results file without a region
gets a section at the end; move it and write about it there. A test compares the committed file with
the results.
"""

import json
import re
from pathlib import Path
from typing import Any

from benchmarks import runner
from benchmarks.tables import TABLES

README = Path(__file__).parent / "README.md"
_REGION = re.compile(r"<!-- (\w+) -->\n.*?<!-- end -->", re.S)


def main() -> None:
    """Rewrite the regions of README.md."""
    text = README.read_text(encoding="utf-8")
    README.write_text(write(text, runner.KEPT), encoding="utf-8")
    print(README)


def write(text: str, results: Path) -> str:
    """Return a document whose regions hold the figures of a folder of results."""
    regions = {path.stem: _region(path) for path in sorted(results.glob("*.json"))}
    known = _REGION.findall(text)
    text = _REGION.sub(lambda match: regions[match[1]], text)
    added = [_section(name, each) for name, each in regions.items() if name not in known]
    return "\n".join([text, *added])


def remove_regions(text: str) -> str:
    """Return what is written by hand."""
    return _REGION.sub("", text)


def _section(name: str, region: str) -> str:
    title = name.replace("_", " ").capitalize()
    return f"## {title}\n\n{_question(name)}\n\n{region}\n"


def _region(path: Path) -> str:
    result = json.loads(path.read_text(encoding="utf-8"))
    made = TABLES[_script(path.stem)](result)
    return f"<!-- {path.stem} -->\n\n{made}\n\n{_provenance(path, result)}\n\n<!-- end -->"


def _script(name: str) -> str:
    """Return the name of the script that wrote a result, which is or begins the result's name."""
    return max((script for script in TABLES if name.startswith(script)), key=len)


def _question(name: str) -> str:
    """Return the first paragraph of a script's docstring."""
    source = Path(__file__).with_name(f"{_script(name)}.py").read_text(encoding="utf-8")
    return " ".join(source.split('"""')[1].split("\n\n")[0].split())


def _provenance(path: Path, result: dict[str, Any]) -> str:
    machine = result["machine"]
    files = [
        f"[{file.name}](results/{file.name})"
        for file in (path, path.with_suffix(".svg"))
        if file.exists()
    ]
    parts = [
        f"`{result['command']}`" if "command" in result else "command not recorded",
        machine["cpu"].replace("(R)", "").removesuffix(" Processor"),
        machine.get("date") or "date not recorded",
        f"commit {machine['commit']}",
        _limits(machine.get("limits")),
        *(
            [f"without {missing}"]
            if (missing := ", ".join(result.get("missing_peers", ())))
            else []
        ),
        " and ".join(files),
    ]
    return "; ".join(parts) + "."


def _limits(limits: dict[str, float] | None) -> str:
    if limits is None:
        return "limits not recorded"
    return (
        f"limits: sgemm {limits['sgemm_gflops']:.0f} GFLOP/s, "
        f"copying {limits['copy_gb_per_s']:.1f} GB/s, "
        f"decoding {limits['jpegs_per_s']:,.0f} JPEGs/s"
    )


if __name__ == "__main__":
    main()
