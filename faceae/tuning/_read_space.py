"""Reads search spaces: from a TOML file, and from texts such as `lr=1e-5:1e-3:log`."""

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from faceae.errors import FaceaeError

from ._space import Parameter, Space, make_parameter, make_space, suggest_name

_VERSION = 1
_KEYS = ("version", "space")


def read_space(path: Path | None, texts: Iterable[str] = ()) -> Space | None:
    """Return the space of a file and of texts, or None where neither is given.

    Args:
        path: a TOML file with `version = 1` and a table `[space]`. In it, each option has a list
            of choices, or a table with `low`, `high` and perhaps `log = true` or `step`.
        texts: `NAME=A,B,C` for choices; `NAME=LOW:HIGH`, `NAME=LOW:HIGH:log` or
            `NAME=LOW:HIGH:STEP` for a range. An option of the file is replaced.

    Raises:
        FaceaeError: naming the file, the option and what is wrong.
    """
    record = {} if path is None else _read_file(path)
    parameters = dict(parse_parameter(text) for text in texts)
    if path is None and not parameters:
        return None
    try:
        read = make_space(record).parameters if record else {}
    except FaceaeError as error:
        raise FaceaeError(f"{path}: {error}") from error
    return Space(parameters={**read, **parameters})


def parse_parameter(text: str) -> tuple[str, Parameter]:
    """Return the option and its values that a text names; see `read_space`.

    Raises:
        FaceaeError: naming the option and what is wrong.
    """
    name, equals, values = text.partition("=")
    name = name.strip().replace("-", "_")
    if not equals or not values:
        raise FaceaeError(
            f"`search` {text!r}: write NAME=LOW:HIGH, NAME=LOW:HIGH:log or NAME=A,B,C"
        )
    if ":" not in values:
        return name, make_parameter(name, [_parse_value(part) for part in values.split(",")])
    low, high, *rest = values.split(":")
    table: dict[str, Any] = {"low": _parse_value(low), "high": _parse_value(high)}
    if len(rest) > 1:
        raise FaceaeError(f"`search` {text!r}: a range is LOW:HIGH, LOW:HIGH:log or LOW:HIGH:STEP")
    if rest:
        table |= {"log": True} if rest[0] == "log" else {"step": _parse_value(rest[0])}
    return name, make_parameter(name, table)


def _read_file(path: Path) -> dict[str, Any]:
    try:
        record = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FaceaeError(f"{path}: not a TOML file ({error})") from error
    for key in record:
        if key not in _KEYS:
            raise FaceaeError(
                f"{path}: there is no key {key}{suggest_name(key, _KEYS)}; the options to search "
                "belong in the table [space]"
            )
    if record.get("version") != _VERSION:
        found = record.get("version", "no version")
        raise FaceaeError(
            f"{path}: a search space of version {_VERSION} is needed, and this has {found}; write "
            f"`version = {_VERSION}` at its top and check its options"
        )
    space = record.get("space")
    if not isinstance(space, dict) or not space:
        raise FaceaeError(f"{path}: no table [space] with the options to search")
    return space


def _parse_value(text: str) -> bool | int | float | str:
    text = text.strip()
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
