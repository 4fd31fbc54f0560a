"""What all verbs share: commands, options, and messages of the libraries in terms of options.

The libraries name parameters in backquotes as Python spells them, and `name=value` as a remedy. On
the command line a user sees the options of the verb in their place.
"""

import logging
import re
import shlex
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

from faceae.errors import FaceaeError
from faceae_shards import ShardsError

from ._config import check_value, find_key, load_config
from ._failure import Failure, suggest
from ._watching import find_watch, watching

F = TypeVar("F", bound=Callable[..., Any])

_NAMES_WIDTH = 30
"""Columns of the help for an option's names; longer ones take a line of their own."""
_PARAMETER = re.compile(r"`([a-z][a-z0-9_]*)(?:=([^`]*))?`")


class Group(click.Group):
    """A group that suggests the right command when one is mistyped."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the first of `args` names.

        Raises:
            click.UsageError: there is no such command; names those that are spelled alike.
        """
        names = self.list_commands(ctx)
        if args[0] not in names and not args[0].startswith("-") and not ctx.resilient_parsing:
            ctx.fail(f"No such command {args[0]!r}.{suggest(args[0], names)}")
        return super().resolve_command(ctx, args)


class Verb(click.Command):
    """A command whose errors name its options, and whose help lists options in sections.

    Every verb has the options --config, -v and -q.
    """

    def __init__(self, *args: Any, log_level: int = logging.WARNING, **settings: Any) -> None:
        """Make a command; `log_level` is the lowest level of log lines that it prints."""
        super().__init__(*args, **settings)
        self._log_level = log_level
        self._shared = _make_shared_options()
        self.params += self._shared

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options in aligned columns: those without a section, then the sections."""
        sections: dict[str, list[tuple[str, str]]] = {"Options": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if isinstance(parameter, click.Option) and record is not None:
                title = getattr(parameter, "section", None) or "Options"
                sections.setdefault(title, []).append(record)
        if len(sections["Options"]) == len(self._shared) + 1:  # and --help
            sections["Options"] = sections.pop("Options")
        width = max(len(names) for records in sections.values() for names, _ in records)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(
                    [(names.ljust(min(width, _NAMES_WIDTH)), text) for names, text in records],
                    col_max=_NAMES_WIDTH,
                )

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command.

        Raises:
            click.ClickException: a request that cannot be met, in the command line's words.
        """
        level = self._choose_level(ctx)
        try:
            with watching(ctx, level, partial(translate, command=self, ctx=ctx)):
                return super().invoke(ctx)
        except (FaceaeError, ShardsError) as error:
            raise Failure(translate(str(error), self, ctx)) from error
        except click.UsageError as error:
            raise click.UsageError(translate(error.format_message(), self, ctx), ctx) from error

    def _choose_level(self, ctx: click.Context) -> int:
        verbose, quiet = ctx.params.pop("verbose"), ctx.params.pop("quiet")
        if verbose and quiet:
            raise click.UsageError("--verbose and --quiet exclude each other.", ctx)
        return logging.DEBUG if verbose else logging.ERROR if quiet else self._log_level


class Option(click.Option):
    """An option whose help ends with its default, and with nothing else in brackets.

    A switch that is off by default shows no default.
    """

    section: str | None = None
    """Title of the help's section that lists it."""

    def get_help_extra(self, ctx: click.Context) -> Any:
        """Return the default as text, or nothing."""
        if self.is_flag and not self.secondary_opts:
            return {}
        extra = super().get_help_extra(ctx)
        default = {"default": self.show_default} if isinstance(self.show_default, str) else {}
        if "default" in extra:
            default = default or {"default": extra["default"]}
        return {**default, **({"required": "required"} if self.required else {})}

    def process_value(self, ctx: click.Context, value: Any) -> Any:
        """Return the value as the command takes it; a wrong one of a file is named with it."""
        return check_value(ctx, self, super().process_value, value)


def _make_shared_options() -> list[click.Parameter]:
    return [
        Option(
            ["--config"],
            metavar="FILE",
            type=click.Path(path_type=Path),
            is_eager=True,
            expose_value=False,
            callback=load_config,
            help="Take options from a TOML file. Those on the command line win.",
        ),
        Option(
            ["-v", "--verbose"],
            is_flag=True,
            help="Also print each stage of the work, and choices.",
        ),
        Option(["-q", "--quiet"], is_flag=True, help="Print only errors and results."),
    ]


def _parse_location(value: str) -> Any:
    # Imported here: `faceae --help` needs none of what it imports.
    from faceae_shards import parse_location

    return parse_location(value)


verb = partial(click.command, cls=Verb, context_settings={"show_default": True})
option = partial(click.option, cls=Option)

run_argument = click.argument("run_path", metavar="RUN", type=click.Path(path_type=Path))
data_argument = click.argument("data", type=_parse_location)
device_option = option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    help="Device to compute on. auto: the GPU if there is one.",
)
loader_option = option(
    "--loader",
    "loader_kind",
    type=click.Choice(["auto", "dali", "webdataset"]),
    default="auto",
    help="Library that reads the shards. auto: DALI if it is installed.",
)
workers_option = option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    show_default="one per core",
    help="Number of processes.",
)
address_option = option(
    "--address",
    metavar="HOST:PORT",
    show_default="RAY_ADDRESS, else the cluster that runs on this machine",
    help="With --executor ray: the cluster's head node; local starts a cluster on this machine.",
)


def section(title: str, *options: Callable[[Any], Any]) -> Callable[[F], F]:
    """Return a decorator that adds options under a title of their own in the help."""

    def decorate(function: F) -> F:
        for each in reversed(options):
            function = each(function)
            function.__click_params__[-1].section = title  # type: ignore[attr-defined]
        return function

    return decorate


def executor_option(default: str, help_text: str) -> Callable[[F], F]:
    """Return the option for where shards are made."""
    return option(
        "--executor", type=click.Choice(["local", "ray"]), default=default, help=help_text
    )


def batch_size_option(default: int) -> Callable[[F], F]:
    """Return the option for the batches of a verb that computes on all faces of a split."""
    return option(
        "--batch-size",
        type=click.IntRange(min=1),
        metavar="N",
        default=default,
        help="Faces per batch. Does not change the result.",
    )


def count_option(help_text: str, **settings: Any) -> Callable[[F], F]:
    """Return the option for a number of faces, which every verb that makes faces spells alike."""
    return option("-n", "--count", metavar="N", help=help_text, **settings)


def out_option(default: str, help_text: str) -> Callable[[F], F]:
    """Return the option for a file that otherwise lies in the run's folder."""
    return option(
        "-o",
        "--out",
        metavar="FILE",
        type=click.Path(path_type=Path),
        show_default=default,
        help=help_text,
    )


def translate(message: str, command: click.Command, ctx: click.Context | None = None) -> str:
    """Return a message of a library with the options of `command` in place of parameters.

    `name` becomes the option or argument of that name, if the command has one, or the key of a file
    that `ctx` took it from. `name=value` becomes an option with its value, also where another
    command has it.
    """
    spelled = _spell(command)
    keys = {} if ctx is None else _spell(command, ctx)

    def replace(match: re.Match[str]) -> str:
        name, value = match[1], match[2]
        if value is None:
            return keys.get(name) or spelled.get(name, match[0])
        return _set_option(spelled.get(name, "--" + name.replace("_", "-")), value)

    return _PARAMETER.sub(replace, message)


def say(text: str) -> None:
    """Print a result that may name parameters."""
    click.echo(translate(text, click.get_current_context().command))


def tell(text: str) -> None:
    """Print a remark that may name parameters on stderr, except with --quiet."""
    find_watch().tell(translate(text, click.get_current_context().command))


def suggest_next(*words: object) -> None:
    """Print the command that usually follows on stderr, except with --quiet.

    Args:
        words: the command without its first word, `faceae`; paths as they are.
    """
    suggest_command("faceae", *words)


def suggest_command(*words: object) -> None:
    """Print a command to run next on stderr, quoted for a shell, except with --quiet."""
    find_watch().tell(f"Next: {shlex.join(map(str, words))}")


def _spell(command: click.Command, ctx: click.Context | None = None) -> dict[str, str]:
    """Return each parameter's option or metavar, by the names a library may call it.

    With `ctx`, an option whose value a file has is that file's key.
    """
    spelled: dict[str, str] = {}
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            longest = (ctx and find_key(ctx, parameter)) or max(parameter.opts, key=len)
            names = {parameter.name, *(opt.lstrip("-").replace("-", "_") for opt in parameter.opts)}
        else:
            longest = parameter.metavar or (parameter.name or "").upper()
            names = {parameter.name, longest.lower()}
        spelled |= {name: longest for name in names if name}
    return spelled


def _set_option(name: str, value: str) -> str:
    if value == "True":
        return name
    if value == "False":
        return name.replace("--", "--no-", 1)
    return f"{name} {value.strip('()').replace(', ', ',').strip(chr(39) + chr(34))}"
