"""Runs the checks of `faceae doctor --full`, or those whose names contain one of the given words.

    python -m faceae.doctor.checks [--device auto|cpu|cuda] [WORD ...]

It needs neither the command line's packages nor a GPU. The table names missing packages.
"""

import argparse
import sys

import torch

from faceae.device import resolve_device

from . import Outcome, list_checks, make_table, run_checks


def main(arguments: list[str] | None = None) -> int:
    """Run the checks, print their table, and return 1 if one has failed."""
    parser = argparse.ArgumentParser(prog="python -m faceae.doctor.checks", description=__doc__)
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("words", nargs="*", metavar="WORD")
    options = parser.parse_args(arguments)
    device = resolve_device(options.device)
    checks = list_checks(options.words)
    if not checks:
        parser.error(f"no check's name contains {' or '.join(options.words)}")
    outcomes = run_checks(device, checks, _show)
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else "no GPU"
    sys.stdout.write(f"torch {torch.__version__}, {gpu}\n\n{make_table(outcomes)}\n")
    return int(any(outcome.status == "FAILED" for outcome in outcomes))


def _show(outcome: Outcome) -> None:
    sys.stderr.write(f"{outcome.status:<8}  {outcome.name} ({outcome.seconds:.0f} s)\n")


if __name__ == "__main__":
    sys.exit(main())
