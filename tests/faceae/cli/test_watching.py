"""Log lines, and a line after every half minute of silence, which the tests shorten."""

import importlib
import logging
import re
import sys
import time
from pathlib import Path

import click
import pytest

from faceae.cli import _watching
from faceae.cli._command import suggest_next, verb
from faceae.cli._progress import show_image_progress
from faceae.cli._watching import find_watch

INTERVAL_S = 0.05
log = logging.getLogger("faceae_export.test")


@pytest.fixture(autouse=True)
def _short_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_watching, "_INTERVAL_S", INTERVAL_S)


@verb()
@click.argument("seconds", type=float)
def command(seconds: float) -> None:
    """Calibrate, then pack."""
    log.debug("calibrating")
    time.sleep(seconds)
    with show_image_progress("packing") as show:
        show(1, 4)
        time.sleep(seconds)
    log.info("a choice")
    log.warning("`seconds` is %g", seconds)
    suggest_next("train", "my faces", "--run", "run")
    click.echo("result")


@verb(log_level=logging.INFO)
def choosing() -> None:
    """Log at several levels."""
    log.debug("a stage")
    log.info("a choice")
    log.error("a failure")


def main(*argv: str, of: click.Command = command) -> None:
    of.main(list(argv), standalone_mode=False)


def test_long_stages_are_named_while_they_last(capsys: pytest.CaptureFixture[str]) -> None:
    main(str(6 * INTERVAL_S))
    captured = capsys.readouterr()
    assert len(re.findall(r"^calibrating, 0:00 since the start$", captured.err, re.M)) > 1
    assert re.search(r"^packing: 1 of 4 \(25%\), 0:00 since the start$", captured.err, re.M)
    assert captured.out == "result\n"


def test_short_work_names_no_stage(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_watching, "_INTERVAL_S", 30.0)
    main("0")
    err = capsys.readouterr().err
    assert "since the start" not in err
    assert "SECONDS is 0" in err, "warnings name the command's parameters"
    assert "a choice" not in err
    assert err.endswith("Next: faceae train 'my faces' --run run\n")


def test_a_printed_line_puts_off_the_next(capsys: pytest.CaptureFixture[str]) -> None:
    @verb()
    def talking() -> None:
        """Print more often than every interval."""
        for _ in range(20):
            time.sleep(INTERVAL_S / 5)
            find_watch().tell("a line")

    main(of=talking)
    assert set(capsys.readouterr().err.splitlines()) == {"a line"}


@pytest.mark.parametrize("option", ["-q", "--quiet"])
def test_quiet_prints_results_and_errors(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(option, str(4 * INTERVAL_S))
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("result\n", "")
    main(option, of=choosing)
    assert capsys.readouterr().err == "a failure\n"


def test_verbose_prints_stages_and_choices(capsys: pytest.CaptureFixture[str]) -> None:
    main("-v", of=choosing)
    assert capsys.readouterr().err.splitlines() == ["a stage", "a choice", "a failure"]
    main(of=choosing)
    assert capsys.readouterr().err.splitlines() == ["a choice", "a failure"]


def test_both_are_wrong_usage() -> None:
    with pytest.raises(click.UsageError, match="--verbose and --quiet"):
        main("-v", "-q", of=choosing)


def test_a_terminal_has_lines_only_without_a_bar(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    @verb()
    def working() -> None:
        """Work with a bar, then without."""
        watch = find_watch()
        watch.is_terminal = True
        for watch.has_bar, stage in ((True, "shown by a bar"), (False, "not shown")):
            log.debug(stage)
            time.sleep(4 * INTERVAL_S)

    main(of=working)
    err = capsys.readouterr().err
    assert "not shown, " in err
    assert "shown by a bar" not in err


def test_loggers_are_left_as_they_were() -> None:
    loggers = [logging.getLogger(name) for name in ("faceae", "faceae_shards", "faceae_export")]
    before = [(each.level, list(each.handlers), each.propagate) for each in loggers]
    main(of=choosing)
    assert [(each.level, each.handlers, each.propagate) for each in loggers] == before


def test_handler_that_a_library_gives_the_root_logger_prints_nothing_more(
    capsys: pytest.CaptureFixture[str],
) -> None:
    @verb()
    def exporting() -> None:
        """Do as ONNX Runtime's quantiser does, which calls logging.info."""
        root.addHandler(handler)
        log.debug("a stage")
        log.warning("a warning")

    root, handler = logging.getLogger(), logging.StreamHandler(sys.stderr)
    try:
        main(of=exporting)
    finally:
        root.removeHandler(handler)
    assert capsys.readouterr().err == "a warning\n"


def test_an_import_is_named_by_its_outermost_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not by what the package imports, nor by a module of ours that imports it."""
    for name, line in (
        ("faceae_of_ours", "import slow_package"),
        ("slow_package", "import part_of_it"),
        ("part_of_it", "from faceae.cli import _watching; said = _watching.describe_import()"),
    ):
        (tmp_path / f"{name}.py").write_text(line + "\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    assert _watching.describe_import() is None
    importlib.import_module("faceae_of_ours")
    assert sys.modules["part_of_it"].said == "loading slow_package"
