"""Runs a benchmark from a main module that imports next to nothing.

    python -m benchmarks.shared.launch benchmarks.load --count 512

Processes that draw faces or pack images import the main module of their parent first. If that is a
benchmark, each of them imports torch, which takes seconds.
"""

import importlib
import sys

NAME = "benchmarks.shared.launch"


def main() -> None:
    """Call the `main` of the module that the first argument names, with the other arguments."""
    del sys.argv[0]
    importlib.import_module(sys.argv[0]).main()


if __name__ == "__main__":
    main()
