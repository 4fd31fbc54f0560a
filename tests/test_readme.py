"""README fits on a screen, quotes measured figures and lists every verb."""

import re
from pathlib import Path

import pytest

from faceae.cli import VERBS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BENCHMARKS = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
MAX_LINES = 95
FIGURE = re.compile(r"\b\d+\.\d+\b")
CITING = re.compile(r"^.*\[([^]]+)\]\(benchmarks/README\.md#[\w-]+\).*$", re.M)


def test_readme_is_short() -> None:
    assert len(README.splitlines()) <= MAX_LINES


@pytest.mark.parametrize("line", [match[0] for match in CITING.finditer(README)])
def test_figures_stand_in_the_cited_section(line: str) -> None:
    match = CITING.fullmatch(line)
    assert match is not None
    (section,) = (part for part in BENCHMARKS.split("\n## ") if part.startswith(f"{match[1]}\n"))
    assert [figure for figure in FIGURE.findall(line) if figure not in section] == []


def test_every_verb_is_in_the_table() -> None:
    rows = "\n".join(line for line in README.splitlines() if line.startswith("| `"))
    assert [verb for verb in VERBS if f"`{verb}`" not in rows] == []
