"""Imports go one way, and a folder is entered through its `__init__`."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = {"faceae": "faceae", "faceae_shards": "shards", "faceae_export": "export"}
PACKAGES = tuple(FOLDERS)
MAY_IMPORT = {
    "faceae_shards": set(),
    "faceae.data": {"faceae_shards", "faceae.device", "faceae.errors"},
    "faceae.model": {"faceae_shards", "faceae.errors"},
    "faceae.synthetic": {"faceae_shards", "faceae.errors"},
    "faceae.latent": {
        "faceae_shards",
        "faceae.errors",
        "faceae.data",
        "faceae.model",
        "faceae.device",
    },
    "faceae.training": {
        "faceae_shards",
        "faceae",
        "faceae.errors",
        "faceae.data",
        "faceae.device",
        "faceae.model",
        "faceae.pictures",
    },
    "faceae.evaluation": {
        "faceae_shards",
        "faceae.errors",
        "faceae.device",
        "faceae.model",
        "faceae.training",
    },
    "faceae.report": {"faceae_shards", "faceae.evaluation", "faceae.model", "faceae.training"},
    "faceae_export": {"faceae_shards", "faceae", "faceae.errors", "faceae.latent", "faceae.model"},
}
"""Besides its own modules; the command line, doctor and pictures see what they need."""


def modules_of(package: str) -> list[Path]:
    top, *rest = package.split(".")
    folder = Path("." if top == "faceae" else FOLDERS[top], top, *rest)
    found = sorted((ROOT / folder).rglob("*.py"))
    assert found, f"{folder} holds no module"
    return found


def imports_of(path: Path) -> set[str]:
    """Our own modules that a file imports by their full names."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names |= {node.module}
    return {name for name in names if name.split(".")[0] in PACKAGES}


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_go_one_way(package: str) -> None:
    found = {name for path in modules_of(package) for name in imports_of(path)}
    others = {name for name in found if not (name + ".").startswith(package + ".")}
    assert others <= MAY_IMPORT[package]


@pytest.mark.parametrize("package", [*MAY_IMPORT, "faceae.cli"])
def test_private_modules_are_imported_by_their_own_folder_only(package: str) -> None:
    foreign = {
        name
        for path in modules_of(package)
        for name in imports_of(path)
        if "._" in name and not name.startswith(package)
    }
    assert foreign == set()


def test_shards_work_without_torch() -> None:
    code = "import sys; sys.modules['torch'] = None; from faceae_shards import PackConfig, pack"
    subprocess.run([sys.executable, "-c", code], check=True)
