"""Options of jobs as SageMaker passes them: pairs of a name and a text."""

import dataclasses
import types
import typing
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from faceae.errors import FaceaeError


def list_options(
    config: type, without: Collection[str], also: Mapping[str, Any] = types.MappingProxyType({})
) -> dict[str, Any]:
    """Return the types of a config's fields by name.

    Args:
        without: fields that are no options of a job.
        also: further options with their types.
    """
    kinds = typing.get_type_hints(config)
    names = [field.name for field in dataclasses.fields(config) if field.name not in without]
    return {**{name: kinds[name] for name in names}, **also}


def parse_arguments(argv: Sequence[str], kinds: Mapping[str, Any]) -> dict[str, Any]:
    """Return options of a command line such as `--batch-size 256 --amp True`.

    Raises:
        FaceaeError: an option does not exist, or its text does not fit its type.
    """
    if len(argv) % 2:
        raise FaceaeError(f"options are pairs of a name and a value, got {list(argv)}")
    texts = {}
    for flag, text in zip(argv[::2], argv[1::2], strict=True):
        if not flag.startswith("--"):
            raise FaceaeError(f"options are pairs of a name and a value, got {list(argv)}")
        texts[flag.removeprefix("--")] = text
    return parse_texts(texts, kinds)


def parse_texts(texts: Mapping[str, str], kinds: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with values of their types; `-` and `_` in a name are the same.

    Raises:
        FaceaeError: an option does not exist, or its text does not fit its type.
    """
    options = {}
    for spelled, text in texts.items():
        name = spelled.replace("-", "_")
        if name not in kinds:
            known = ", ".join(sorted(kinds))
            raise FaceaeError(f"`{spelled}` is no option of this job; they are: {known}")
        options[name] = _read_value(name, text, kinds[name])
    return options


def _read_value(name: str, text: str, kind: Any) -> Any:
    """Return a value from text: SageMaker passes numbers as JSON and booleans as `True`."""
    is_union = typing.get_origin(kind) in (types.UnionType, typing.Union)
    kinds = typing.get_args(kind) if is_union else (kind,)
    if type(None) in kinds and text == "None":
        return None
    choices = [
        choice
        for each in kinds
        if typing.get_origin(each) is typing.Literal
        for choice in typing.get_args(each)
    ]
    if text in choices:
        return text
    if bool in kinds:
        if text.lower() in ("true", "false"):
            return text.lower() == "true"
        raise FaceaeError(f"`{name}` must be True or False, got {text!r}")
    for each in kinds:
        if typing.get_origin(each) is tuple:
            read = str.strip if str in typing.get_args(each) else partial(_read_number, name, float)
            return tuple(read(part) for part in text.strip("[]()").split(","))
    for number in (int, float):
        if number in kinds:
            return _read_number(name, number, text)
    if Path in kinds:
        return text if str in kinds else Path(text)
    if choices:
        raise FaceaeError(f"`{name}` must be one of {', '.join(choices)}, got {text!r}")
    return text


def _read_number(name: str, number: type, text: str) -> Any:
    try:
        return number(text)
    except ValueError:
        raise FaceaeError(f"`{name}` must be a number, got {text!r}") from None
