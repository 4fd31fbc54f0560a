"""JSON values checked against the types of a dataclass."""

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

_NAMES = {str: "a string", int: "an integer", float: "a number", bool: "true or false"}


def parse_dataclass(cls: type[Any], value: Any, place: str = "") -> Any:
    """Build a dataclass from a JSON object.

    Keys that the class has no field for are ignored. A field with a default may be missing.

    Args:
        place: where the object lies in its file, e.g. `config.source`; for the message.

    Raises:
        ValueError: a key is missing, or its value has another type. The message names the key.
    """
    if not isinstance(value, Mapping):
        raise _wrong_type(value, "an object", place)
    hints = get_type_hints(cls)
    found = {}
    for field in fields(cls):
        key = f"{place}.{field.name}" if place else field.name
        if field.name in value:
            found[field.name] = _parse(hints[field.name], value[field.name], key)
        elif field.default is MISSING and field.default_factory is MISSING:
            raise ValueError(f"its key {key} is missing")
    return cls(**found)


def _parse(kind: Any, value: Any, place: str) -> Any:
    """Return `value` as the type `kind`: a scalar, a dataclass, or a container of such."""
    origin, args = get_origin(kind), get_args(kind)
    if kind is Any or (is_dataclass(value) and isinstance(value, kind)):
        return value
    if is_dataclass(kind):
        return parse_dataclass(kind, value, place)  # type: ignore[arg-type]
    if origin in (Union, types.UnionType):
        return _parse_union(args, value, place)
    if origin is Literal:
        if value not in args:
            raise _wrong_type(value, " or ".join(map(repr, args)), place)
        return value
    if origin is tuple:
        return _parse_tuple(args, value, place)
    if origin is Mapping:
        if not isinstance(value, Mapping):
            raise _wrong_type(value, "an object", place)
        return {key: _parse(args[1], item, f"{place}.{key}") for key, item in value.items()}
    if not _is_scalar(kind, value):
        raise _wrong_type(value, _NAMES[kind], place)
    return value


def _parse_union(kinds: tuple[Any, ...], value: Any, place: str) -> Any:
    """Return `value`, which may be null where `kinds` holds None, as the first other type."""
    if value is None and type(None) in kinds:
        return None
    return _parse(next(kind for kind in kinds if kind is not type(None)), value, place)


def _parse_tuple(kinds: tuple[Any, ...], value: Any, place: str) -> tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        raise _wrong_type(value, "a list", place)
    if kinds[-1] is Ellipsis:
        kinds = (kinds[0],) * len(value)
    if len(value) != len(kinds):
        raise ValueError(f"its key {place} must hold {len(kinds)} values, got {len(value)}")
    return tuple(
        _parse(kind, item, f"{place}[{number}]")
        for number, (kind, item) in enumerate(zip(kinds, value, strict=True))
    )


def _is_scalar(kind: Any, value: Any) -> bool:
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, (int, float) if kind is float else kind)


def _wrong_type(value: Any, expected: str, place: str) -> ValueError:
    shown = "null" if value is None else repr(value)[:40]
    return ValueError(f"its key {place} must be {expected}, got {shown}".replace("\n", " "))
