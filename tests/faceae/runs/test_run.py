"""run.json: what comes back from it, damaged files, and earlier versions."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from faceae.errors import FaceaeError
from faceae.framing import Framing
from faceae.runs import Run, Start, read_run, write_run
from faceae_shards.faces import Place


@pytest.mark.parametrize("init", ["components", "random", Path("weights.pt")])
def test_run_comes_back_from_its_file(run: Run, init: Start) -> None:
    run = replace(run, config=replace(run.config, init=init))
    write_run(run)
    assert read_run(run.path) == run


def test_where_faces_lie_comes_back(run: Run) -> None:
    place = Place(eyes=((0.3, 0.4), (0.7, 0.4)), mouth=(0.5, 0.8))
    run = replace(run, aligned=False, place=place)
    write_run(run)
    assert read_run(run.path) == run
    assert run.frame().place == place
    assert not run.frame(align=False).align


def test_runs_without_the_keys_of_framing_align(run: Run) -> None:
    write_run(run)
    record = json.loads(run.file.read_text())
    del record["aligned"], record["place"]
    run.file.write_text(json.dumps(record))
    assert read_run(run.path).frame() == Framing(crop=run.crop)


def test_run_may_be_moved(run: Run, tmp_path: Path) -> None:
    write_run(run)
    run.path.rename(tmp_path / "moved")
    assert read_run(tmp_path / "moved").model_path == tmp_path / "moved" / "model.safetensors"


def test_not_a_run(tmp_path: Path) -> None:
    with pytest.raises(FaceaeError, match="not a training run"):
        read_run(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": "faceae-run", "version": 9}'])
def test_damaged_run_json(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(FaceaeError, match=r"run\.json: damaged, or written by another faceae"):
        read_run(tmp_path)


@pytest.mark.parametrize(
    ("key", "value"),
    [("epochs", 0), ("epochs", "two"), ("batch_size", None), ("momentum", 0.9), ("lr", "fast")],
)
def test_edited_option_in_run_json(run: Run, key: str, value: object) -> None:
    write_run(run)
    file = run.path / "run.json"
    record = json.loads(file.read_text())
    record["config"][key] = value
    file.write_text(json.dumps(record))
    with pytest.raises(FaceaeError, match="damaged, or written by another faceae"):
        read_run(run.path)


def test_run_json_of_version_1(run: Run) -> None:
    """Version 1 called the dtype `number_type`."""
    write_run(run)
    file = run.path / "run.json"
    record = json.loads(file.read_text())
    record["version"] = 1
    for name in ("dtype", "dtype_reason"):
        record[name.replace("dtype", "number_type")] = record.pop(name)
    file.write_text(json.dumps(record))
    assert read_run(run.path) == run


def test_files_of_a_run_lie_in_its_folder(run: Run) -> None:
    assert run.grid_path(7) == run.path / "grids" / "epoch-0007.png"
    assert run.eval_path("test") == run.path / "eval-test.json"
    run.path.mkdir()
    for split in ("valid", "test"):
        run.eval_path(split).touch()
    assert run.list_evals() == [run.eval_path("test"), run.eval_path("valid")]
