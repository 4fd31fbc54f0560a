"""An error that ends a command with one line."""

import difflib
from collections.abc import Sequence

import click


class Failure(click.ClickException):
    """A request that cannot be met."""


def suggest(typed: str, names: Sequence[str]) -> str:
    """Return a question for the names that are spelled like a mistyped one; empty without any."""
    similar = difflib.get_close_matches(typed, names)
    return f" Did you mean {' or '.join(similar)}?" if similar else ""
