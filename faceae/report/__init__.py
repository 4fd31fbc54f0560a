"""Writes HTML pages: one about a run, one about a study."""

from ._page import write_report
from ._study import write_study_report

__all__ = ["write_report", "write_study_report"]
