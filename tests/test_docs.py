"""The documents cite files that exist, and the figures they quote follow from the results."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("[!.]*/README.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\]\(([^)#]+?)(?:#[^)]*)?\)")
RESULT = re.compile(r"`(?:benchmarks/)?(?:results/)?(\w+\.(?:json|svg))`")
WRITTEN_BY_FACEAE = {
    "manifest.json",
    "model.json",
    "server.json",
    "dataset.json",
    "run.json",
    "faceae.json",
    "checkpoint.json",
    "OUT.json",
}


def name_of(document: Path) -> str:
    return document.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_links_lead_to_files(document: Path) -> None:
    links = [link for link in LINK.findall(document.read_text(encoding="utf-8")) if ":" not in link]
    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_cited_results_exist(document: Path) -> None:
    cited = set(RESULT.findall(document.read_text(encoding="utf-8"))) - WRITTEN_BY_FACEAE
    assert {name for name in cited if not (RESULTS / name).exists()} == set()


PARAGRAPH_CHARACTERS = 240
"""Three lines of eighty characters."""


def test_architecture_has_no_long_paragraph() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    prose = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    paragraphs = re.split(r"\n\n|\n(?=- )", prose)
    assert [part for part in paragraphs if len(part) > PARAGRAPH_CHARACTERS] == []
