"""Values of options that name attributes and strengths."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import click


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A strength that takes several values."""

    name: str
    first: float
    last: float


def parse_strengths(
    ctx: click.Context, param: click.Parameter, values: Sequence[str]
) -> dict[str, float]:
    """Return the strengths in NAME=STRENGTH by name; the last one of a name counts.

    Raises:
        click.BadParameter: a value is not of this form.
    """
    strengths = {}
    for value in values:
        name, _, text = value.rpartition("=")
        strength = _to_float(text)
        if not name or strength is None:
            raise click.BadParameter(f"{value!r} is no name and number, such as Smiling=+2")
        strengths[name] = strength
    return strengths


def parse_sweep(ctx: click.Context, param: click.Parameter, value: str | None) -> Sweep | None:
    """Return what NAME=A..B stands for.

    Raises:
        click.BadParameter: the value is not of this form.
    """
    if value is None:
        return None
    name, _, text = value.rpartition("=")
    first, last = (_to_float(part) for part in text.partition("..")[::2])
    if not name or first is None or last is None:
        raise click.BadParameter(f"{value!r} is no name and range, such as Young=-3..3")
    return Sweep(name=name, first=first, last=last)


def _to_float(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
