"""Messages of the libraries in the words of a command."""

import click
import pytest

from faceae.cli._command import Group, Verb, option, section, translate, verb
from faceae.errors import FaceaeError


@verb()
@click.argument("source")
@click.argument("run_path", metavar="RUN")
@option("--max-rejected", type=float, default=0.01, help="Largest fraction.")
@option("--amp/--no-amp", default=True, help="Lower precision.")
@option("-n", "--count", default=3, show_default=True, help="How many.")
@option("--part", "kind", show_default="decoder", help="Which part.")
def command(**options: object) -> None:
    """Do nothing."""
    raise FaceaeError("`count` is 3; give `max_rejected=0.5`")


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("`max_rejected` must be at least 0", "--max-rejected must be at least 0"),
        ("give `max_rejected=0.5`", "give --max-rejected 0.5"),
        ("give `init='random'`", "give --init random"),
        ("pass `resume=True`", "pass --resume"),
        ("pass `amp=False`", "pass --no-amp"),
        ("`split=(0.9, 0.05, 0.05)`", "--split 0.9,0.05,0.05"),
        ("`count` and `kind`", "--count and --part"),
        ("`source` is a file; `run` too", "SOURCE is a file; RUN too"),
        ("run `faceae fit`; see `dataset.json`", "run `faceae fit`; see `dataset.json`"),
        ("`unknown` stays", "`unknown` stays"),
    ],
)
def test_parameters_become_options(message: str, expected: str) -> None:
    assert translate(message, command) == expected


def test_an_error_is_told_in_options() -> None:
    with pytest.raises(click.ClickException, match=r"--count is 3; give --max-rejected 0\.5"):
        command.main(["a", "b"], standalone_mode=False)


def test_help_ends_with_the_default() -> None:
    assert isinstance(command, Verb)
    lines = command.get_help(click.Context(command)).splitlines()
    (line,) = [line for line in lines if "--part" in line]
    assert line.endswith("Which part.  [default: decoder]")
    (line,) = [line for line in lines if "--count" in line]
    assert line.endswith("[default: 3]")


def test_sections_follow_the_other_options() -> None:
    @verb()
    @section("Speed", option("--fast", is_flag=True, help="Be fast."), option("-j", help="Jobs."))
    @option("--plain", is_flag=True, help="Be plain.")
    def sectioned() -> None:
        """Do nothing."""

    lines = sectioned.get_help(click.Context(sectioned)).splitlines()
    starts = [line.split()[0] for line in lines[lines.index("Options:") :] if line[2:3].strip()]
    shared = ["--config", "-v,", "-q,", "--help"]
    assert starts == ["Options:", "--plain", *shared, "Speed:", "--fast", "-j"]
    assert not any("default" in line for line in lines)


@pytest.mark.parametrize("typed", ["modle", "modell"])
def test_a_mistyped_command_suggests_the_right_one(typed: str) -> None:
    group = Group(commands={"model": command})
    with pytest.raises(click.UsageError, match="Did you mean model"):
        group.main([typed], standalone_mode=False)
