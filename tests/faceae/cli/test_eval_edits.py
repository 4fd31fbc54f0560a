"""faceae eval with edits."""

import shutil
from pathlib import Path

import pytest

import faceae_shards
from faceae.cli import run


def test_edits_are_measured_beside_the_reconstructions(
    attribute_run: Path,
    attribute_data: faceae_shards.Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from faceae.evaluation.edits import EditsConfig

    monkeypatch.setitem(EditsConfig.__init__.__kwdefaults__, "judge_steps", 20)
    path = tmp_path / "run"
    shutil.copytree(attribute_run, path)
    argv = ["eval", str(path), str(attribute_data.path), "--edits", "--loader", "webdataset"]
    assert run(argv) == 1
    assert "faceae directions" in capsys.readouterr().err
    assert run(["directions", *argv[1:3], "--loader", "webdataset"]) == 0
    assert run(argv) == 0
    out = capsys.readouterr().out
    assert "edits-test.json" in out
    assert "Bright" in out
    assert (path / "edits-test.png").is_file()
    assert (path / "eval-test.json").is_file()
