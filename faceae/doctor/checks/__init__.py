"""Checks and measurements of everything that runs on a GPU, and of the same on a CPU."""

from ._outcome import Outcome, Status
from ._run import CHECKS, list_checks, make_table, run_checks

__all__ = ["CHECKS", "Outcome", "Status", "list_checks", "make_table", "run_checks"]
