"""Finds out what this machine can run, and what is missing."""

from ._diagnose import diagnose
from ._report import Problem, Report

__all__ = ["Problem", "Report", "diagnose"]
