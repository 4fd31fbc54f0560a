"""How commands fail: an error of one line, and the exit code of one that a signal stopped."""

import difflib
import signal
from collections.abc import Sequence

import click


class Failure(click.ClickException):
    """A request that cannot be met."""


def exit_code(stopped_by: signal.Signals | None) -> int:
    """Return the exit code of a command that a signal stopped, as shells have it; 0 for None."""
    return 0 if stopped_by is None else 128 + stopped_by


def suggest(typed: str, names: Sequence[str]) -> str:
    """Return a question for the names that are spelled like a mistyped one; empty without any."""
    similar = difflib.get_close_matches(typed, names)
    return f" Did you mean {' or '.join(similar)}?" if similar else ""
