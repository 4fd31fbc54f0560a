"""Benchmarks: `python -m benchmarks.NAME`. Each command runs with folders of its own (`apart`)."""

from benchmarks.shared import apart

apart.rerun_command()
