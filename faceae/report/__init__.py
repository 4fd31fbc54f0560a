"""One page that shows how a run went."""

from ._page import write_report

__all__ = ["write_report"]
