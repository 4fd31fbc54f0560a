"""The command line itself: exit codes, one-line errors, and what help may import."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

import faceae.cli
from faceae.cli import VERBS, run
from faceae.cli._command import verb
from faceae.errors import FaceaeError
from faceae_shards import ShardsError


@pytest.mark.parametrize(
    "code", ["import faceae, faceae_shards", "from faceae.cli import run; run(['--help'])"]
)
def test_help_and_import_load_no_heavy_library(code: str) -> None:
    heavy = {"torch", "nvidia", "cv2", "onnxruntime", "webdataset", "numpy", "PIL", "filelock"}
    code = f"import sys; {code}; print('IMPORTED', sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "IMPORTED []"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([verb, "--help"]) == 0
    assert f"Usage: faceae {verb}" in capsys.readouterr().out


@pytest.mark.parametrize("typed", ["shards", "sharrd", "trian", "exprot"])
def test_a_mistyped_verb_suggests_the_right_one(
    typed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    right = {"shards": "shard", "sharrd": "shard", "trian": "train", "exprot": "export"}[typed]
    assert run([typed]) == 2
    assert f"Did you mean {right}?" in capsys.readouterr().err


def test_a_mistyped_option_suggests_the_right_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["shard", "a", "b", "--encodng", "npy"]) == 2
    assert "--encoding" in capsys.readouterr().err


def test_python_m_faceae() -> None:
    command = [sys.executable, "-m", "faceae", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("faceae, version ")


def test_every_option_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    for name in VERBS:
        command = faceae.cli._cli.get_command(click.Context(faceae.cli._cli), name)  # type: ignore[attr-defined]
        commands = command.commands.values() if isinstance(command, click.Group) else [command]
        for each in commands:
            options = [each for each in each.params if isinstance(each, click.Option)]
            assert all(each.help for each in options), each.name


@pytest.mark.parametrize("argv", [["no-such-verb"], ["shard"], ["shard", "--no-such-option"]])
def test_wrong_usage_exits_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(argv) == 2
    assert "Usage:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (FaceaeError("no such\nthing"), 1, "faceae: error: no such thing\n"),
        (ShardsError("bad shard"), 1, "faceae: error: bad shard\n"),
        (OSError(errno.ENOSPC, "No space", "x.tar"), 1, "faceae: error: x.tar: the disk is full"),
        (PermissionError(errno.EACCES, "Denied", "x"), 1, "faceae: error: x: Denied\n"),
        (KeyboardInterrupt(), 130, "faceae: error: interrupted\n"),
    ],
)
def test_errors_are_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    message: str,
) -> None:
    @verb()
    def fail() -> None:
        raise error

    monkeypatch.setattr(faceae.cli._LazyGroup, "get_command", lambda self, ctx, name: fail)
    assert run(["doctor"]) == code
    err = capsys.readouterr().err.lstrip("\n")
    assert err.startswith(message)
    assert err.count("\n") == 1


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def fail() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(faceae.cli._LazyGroup, "get_command", lambda self, ctx, name: fail)
    with pytest.raises(ZeroDivisionError):
        run(["doctor"])


def test_sigterm_tidies_up_and_takes_one_line(tmp_path: Path) -> None:
    code = (
        "import os, signal, tempfile, click, faceae.cli as cli\n"
        "@click.command()\n"
        "def wait():\n"
        "    with tempfile.TemporaryDirectory(prefix='faceae-'):\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        signal.pause()\n"
        "cli._LazyGroup.get_command = lambda self, ctx, name: wait\n"
        "cli.main()"
    )
    command = [sys.executable, "-c", code, "shard"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    assert (done.returncode, done.stderr) == (128 + signal.SIGTERM, "faceae: error: terminated\n")
    assert list(tmp_path.iterdir()) == []
