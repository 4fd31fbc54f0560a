"""Figures of the pages: pictures that are held in the page itself."""

import base64
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A picture with its title."""

    title: str
    source: str
    """A data: URI."""
    text: str = ""
    is_wide: bool = False
    """Whether it takes the whole width of the page."""


def embed_svg(svg: bytes) -> str:
    """Return an SVG picture as a data: URI."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode()


def embed_file(path: Path) -> str:
    """Return a PNG file as a data: URI."""
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
