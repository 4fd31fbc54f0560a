"""Writes one HTML page about a run."""

from ._page import write_report

__all__ = ["write_report"]
