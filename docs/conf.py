"""Sphinx: the guides of this folder, and pages of the repository that stand beside the code."""

import posixpath
import re
from pathlib import Path

import click
from sphinx.application import Sphinx

import faceae
from faceae.cli import VERBS, _cli

ROOT = Path(__file__).parent.parent
COPIED = {
    "reference/shards": "shards/README.md",
    "reference/exported": "export/README.md",
    "reference/server": "faceae/serving/README.md",
    "reference/container": "export/container/README.md",
    "reference/cluster": "export/cluster/README.md",
    "reference/architecture": "ARCHITECTURE.md",
    "reference/benchmarks": "benchmarks/README.md",
    "reference/contributing": "CONTRIBUTING.md",
    "reference/changelog": "CHANGELOG.md",
}
"""Pages whose text is a file of the repository."""
PAGES = {path: name for name, path in COPIED.items()} | {"README.md": "index"}
_LINK = re.compile(r"\[([^\]]+)\]\((?!\w+:|#|<)([^)#\s]+)(#[^)\s]*)?\)")

project = "faceae"
author = "the faceae authors"
release = version = faceae.__version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_click"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"faceae {release}"
highlight_language = "none"
default_role = "literal"
smartquotes = False
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_output_stderr = "remove"
autodoc_member_order = "bysource"
# Types in signatures are those of NumPy, torch and private modules, which have no page here.
nitpick_ignore_regex = [("py:.*", ".*")]


def _point_into_pages(text: str, origin: str, page: str) -> str:
    """Turn links to files of the repository into links to pages, or into plain text."""

    def replace(match: re.Match[str]) -> str:
        name, target, anchor = match[1], match[2], match[3] or ""
        path = posixpath.normpath(posixpath.join(posixpath.dirname(origin), target))
        if path.startswith("docs/") or not (ROOT / path).exists():
            return match[0]
        if path not in PAGES:
            return name
        away = posixpath.relpath(PAGES[path], posixpath.dirname(page) or ".")
        return f"[{name}]({away}.md{anchor})"

    return _LINK.sub(replace, text)


def _read_source(app: Sphinx, page: str, source: list[str]) -> None:
    path = COPIED.get(page)
    if path is not None:
        app.env.note_dependency(str(ROOT / path))
        source[0] = (ROOT / path).read_text(encoding="utf-8")
    if not page.startswith("notebooks/"):
        source[0] = _point_into_pages(source[0], path or f"docs/{page}.md", page)


def _name_commands() -> None:
    """Give each verb's command the verb's name, which sphinx-click prints."""
    for verb in VERBS:
        command = _cli.get_command(click.Context(_cli), verb)
        assert command is not None
        command.name = verb


def setup(app: Sphinx) -> None:
    _name_commands()
    app.connect("source-read", _read_source)
