"""Studies without Optuna."""

import sys
from pathlib import Path

import pytest

import faceae_shards
from faceae.cli import run


@pytest.mark.parametrize("verb", ["tune", "report"])
def test_missing_optuna_is_one_line(
    verb: str,
    dataset_npy: faceae_shards.Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    study = tmp_path / "study"
    argv = ["report", str(study)]
    if verb == "tune":
        argv = ["tune", str(dataset_npy.path), "--study", str(study), "--search", "width=4,8"]
    else:
        study.mkdir()
        (study / "journal.log").touch()
    assert run(argv) == 1
    error = capsys.readouterr().err
    assert "pip install 'faceae[tune]'" in error
    assert error.count("\n") == 1
    assert list(study.glob("*")) == ([study / "journal.log"] if verb == "report" else [])
