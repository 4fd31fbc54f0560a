"""Checks pass on a CPU, say what they need, and a failure is seen in table and exit code."""

import subprocess
import sys

import pytest
import torch

from faceae.cli import run
from faceae.doctor import checks
from faceae.doctor.checks import CHECKS, _run, list_checks, make_table, run_checks
from faceae.doctor.checks.__main__ import main
from faceae.doctor.checks._bench import Bench
from faceae.doctor.checks._drawing import count_placed
from faceae.doctor.checks._outcome import DifferenceError, Speed, compare, measure_speed

CPU = torch.device("cpu")


def fail(bench: Bench) -> str:
    return compare([1.0], [1.5], limit=0.1)


def crash(bench: Bench) -> str:
    raise RuntimeError("CUDA error: | out of\nmemory")


def need_missing(bench: Bench) -> str:
    import no_such_package  # noqa: F401

    return ""


@pytest.mark.parametrize(
    "name",
    [
        "load arrays with DALI",
        "cached epoch",
        "train in bfloat16",
        "train in float16 with loss scaling",
        "train against a discriminator",
        "train a run and extend it",
        "export torchscript, decoder",
    ],
)
def test_passes_on_a_cpu(name: str) -> None:
    if "DALI" in name:
        pytest.importorskip("nvidia.dali")
    (outcome,) = run_checks(CPU, {name: CHECKS[name]})
    assert outcome.status == "ok", outcome.detail


def test_checks_of_a_gpu_say_so_on_a_cpu() -> None:
    named = {name: check for name, check in CHECKS.items() if "CUDA" in name or "GPU" in name}
    assert len(named) >= 8
    for outcome in run_checks(CPU, named):
        assert (outcome.status, outcome.detail) == ("not run", "needs a GPU"), outcome.name


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    (outcome,) = run_checks(CPU, {"missing": need_missing})
    assert (outcome.status, outcome.detail) == ("not run", "no_such_package is not installed")
    monkeypatch.setitem(sys.modules, "nvidia.dali", None)
    (outcome,) = run_checks(CPU, list_checks(["load JPEGs"]))
    assert outcome.status == "not run"
    assert "DALI is not installed" in outcome.detail


def test_a_failure_ends_no_other_check_and_is_in_the_table() -> None:
    outcomes = run_checks(CPU, {"a": fail, "b": crash, "c": lambda bench: "right"})
    assert [outcome.status for outcome in outcomes] == ["FAILED", "FAILED", "ok"]
    table = make_table(outcomes).splitlines()
    assert table[2].startswith("| a | FAILED | DifferenceError: the largest difference is 0.5,")
    assert "RuntimeError: CUDA error: \\| out of memory" in table[3]
    assert len({line.replace("\\|", "").count("|") for line in table}) == 1


@pytest.mark.parametrize(("check", "code"), [(fail, 1), (crash, 1), (lambda bench: "right", 0)])
def test_a_failure_is_the_exit_code(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    check: _run.Check,
    code: int,
) -> None:
    monkeypatch.setattr(_run.run_checks, "__defaults__", ({"one": check}, print))
    assert run(["doctor", "--full", "--device", "cpu"]) == code
    assert "| one |" in capsys.readouterr().out


def test_runs_without_the_command_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(checks.CHECKS, "wrong numbers", fail)
    assert main(["--device", "cpu", "wrong"]) == 1
    assert main(["--device", "cpu", "cuda graph"]) == 0
    assert "| CUDA graph | not run | needs a GPU |" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["no such check"])


@pytest.mark.parametrize("found", [[float("nan")], [1.2], [1.0, 1.0]])
def test_wrong_numbers_are_found(found: list[float]) -> None:
    with pytest.raises(DifferenceError):
        compare(found, [1.0], limit=0.1)


def test_a_speed_is_relative_to_the_other_way() -> None:
    counts = iter([9] + [4] * 5), iter([9] + [1] * 5)
    speed = measure_speed(lambda: 1000 * next(counts[0]), lambda: next(counts[1]), lambda: None)
    assert isinstance(speed, Speed)
    assert speed.low <= speed.ratio <= speed.high
    assert speed.faces_per_s > speed.other_faces_per_s


def test_placement_is_read_from_a_profile() -> None:
    events = [
        {"cat": "Session", "args": {}},
        {"cat": "Node", "args": {"op_name": "Conv", "provider": "CUDAExecutionProvider"}},
        {"cat": "Node", "args": {"op_name": "Conv"}},
    ]
    assert count_placed(events) == [("Conv", "CUDAExecutionProvider")]


_WITHOUT = """
import sys

sys.modules |= dict.fromkeys(["webdataset", "simplejpeg"])  # their import fails
from faceae.doctor.checks.__main__ import main
sys.exit(main(["--device", "cpu", "cached epoch", "train in bfloat16"]))
"""


def test_a_machine_with_little_more_than_torch() -> None:
    """Checks that need a missing package say so, and the others run."""
    command = [sys.executable, "-c", _WITHOUT]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "| cached epoch | not run | simplejpeg is not installed |" in done.stdout
    assert "| train in bfloat16 | ok |" in done.stdout
