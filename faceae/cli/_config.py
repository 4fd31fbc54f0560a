"""`--config FILE`: options of a command in a TOML file.

The file holds `key = value` lines, a key for each option, spelled like the option without its
dashes. A value is read as the command line would read its text, so both give the same errors.
"""

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from ._failure import Failure, suggest

_FILE = f"{__name__}.file"
"""Key of `Context.meta` for the file that was given."""
_VERSION = 1


def load_config(ctx: click.Context, _: click.Parameter, file: Path | None) -> None:
    """Make the options in `file` the defaults of a command that is being parsed.

    Raises:
        Failure: the file is no TOML, of another version, or has a key or a kind of value that the
            command's options do not have.
        OSError: it cannot be read.
    """
    if file is None or ctx.resilient_parsing:
        return
    options = _list_options(ctx.command)
    ctx.meta[_FILE] = file
    ctx.default_map = {}
    for key, value in _read(file).items():
        option = options.get(key.replace("-", "_"))
        if option is None:
            raise Failure(f"{file}: {_explain_unknown(key, value, ctx, options)}")
        if option.name in ctx.default_map:
            raise Failure(f"{file}: {key}: given twice")
        try:
            ctx.default_map[str(option.name)] = _convert(option, value)
        except ValueError as error:
            raise Failure(f"{file}: {key}: {error}") from error


def find_key(ctx: click.Context, option: click.Parameter) -> str | None:
    """Return where a file has an option's value, as `key in FILE`; None if no file has it."""
    if ctx.get_parameter_source(str(option.name)) is not ParameterSource.DEFAULT_MAP:
        return None
    return f"{_make_key(option)} in {ctx.meta[_FILE]}"


def check_value(
    ctx: click.Context,
    option: click.Option,
    process: Callable[[click.Context, Any], Any],
    value: Any,
) -> Any:
    """Return `process(ctx, value)`, the value of an option.

    Raises:
        Failure: the value came from a file, and is wrong.
        click.BadParameter: the value came from elsewhere, and is wrong.
    """
    try:
        return process(ctx, value)
    except click.BadParameter as error:
        if find_key(ctx, option) is None:
            raise
        text = error.message or error.format_message()
        raise Failure(f"{ctx.meta[_FILE]}: {_make_key(option)}: {text}") from error


def _read(file: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(file.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise Failure(f"{file}: not TOML, which is UTF-8 text") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise Failure(f"{file}: not TOML: {error}") from error
    version = values.pop("version", _VERSION)
    if version != _VERSION or isinstance(version, bool):
        raise Failure(
            f"{file}: version is {version}; this faceae reads options of version {_VERSION}"
        )
    return values


def _list_options(command: click.Command) -> Mapping[str, click.Option]:
    """Return the options of a command that a file may hold, by key."""
    return {
        _to_key(spelling): option
        for option in command.params
        if isinstance(option, click.Option) and option.expose_value
        for spelling in option.opts
        if spelling.startswith("--")
    }


def _make_key(option: click.Parameter) -> str:
    return _to_key(max(option.opts, key=len))


def _to_key(spelling: str) -> str:
    return spelling.lstrip("-").replace("-", "_")


def _explain_unknown(
    key: str, value: Any, ctx: click.Context, options: Mapping[str, click.Option]
) -> str:
    if isinstance(value, dict):
        return f"{key} is a table; write options as `key = value`, in no table"
    arguments = {
        str(name).lower(): parameter.human_readable_name
        for parameter in ctx.command.params
        if isinstance(parameter, click.Argument)
        for name in (parameter.name, parameter.human_readable_name)
    }
    if key in arguments:
        return f"{key}: give {arguments[key]} on the command line; a file holds only options"
    similar = suggest(key.replace("-", "_"), list(options))
    return f"unknown key {key}.{similar or f' `{ctx.command_path} --help` lists the options.'}"


def _convert(option: click.Option, value: Any) -> Any:
    """Return a value of TOML as click takes it from a command line.

    Raises:
        ValueError: a value of this kind can be no value of the option.
    """
    if option.is_flag:
        if not isinstance(value, bool):
            raise ValueError(f"must be true or false, got {_show(value)}")
        return value
    if not option.multiple and option.nargs == 1:
        return _to_text(value)
    if not isinstance(value, list):
        raise ValueError(f"must be a list such as [{_show(value)}], got {_show(value)}")
    return [_to_text(each) for each in value]


def _to_text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"must be a number or a text in quotes, got {_show(value)}")
    return str(value)


def _show(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)
