"""What users would otherwise run: one file for each peer, as its documentation recommends.

A peer is imported by `load`, because any of them may be missing.
"""

import importlib
import logging
from collections.abc import Callable, Iterable, Sized
from typing import Any

log = logging.getLogger(__name__)

Epoch = Callable[[], Iterable[Sized]]
"""Starts an epoch and returns its batches."""

missing: dict[str, str] = {}
"""Peers that were asked for and are not there, with the reason."""


def load(name: str) -> Any:
    """Return the module of a peer, or None if its package is missing or does not fit this machine.

    A binary that was built for another torch or FFmpeg raises OSError or RuntimeError.
    """
    try:
        return importlib.import_module(f"benchmarks.peers.{name}")
    except (ImportError, OSError, RuntimeError) as error:
        miss(name, error)
        return None


def miss(name: str, error: Exception) -> None:
    """Note that a peer cannot be measured, and why."""
    missing[name] = (str(error).strip() or repr(error)).splitlines()[0]
    log.warning("not measured: %s (%s)", name, missing[name])
