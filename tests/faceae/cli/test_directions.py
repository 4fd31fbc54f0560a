"""faceae directions."""

import shutil
from pathlib import Path

import pytest

import faceae_shards
from faceae.cli import run
from faceae.editing import Directions


@pytest.fixture
def run_path(attribute_run: Path, tmp_path: Path) -> Path:
    """A copy to write into."""
    shutil.copytree(attribute_run, tmp_path / "run")
    return tmp_path / "run"


def test_directions_are_written_and_listed(
    run_path: Path, attribute_data: faceae_shards.Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    data = str(attribute_data.path)
    assert run(["directions", str(run_path), data, "--keep", "Red", "--loader", "webdataset"]) == 0
    directions = Directions.load(run_path / "directions.safetensors")
    assert directions.names == ("Bright", "Red")
    assert directions.found[0].keep == ("Red",)
    out = capsys.readouterr().out
    assert "directions.safetensors: 2 directions" in out
    assert "Random: " in out
    assert "Rare: " in out


def test_a_direction_of_ones_own_is_added(
    run_path: Path,
    attribute_data: faceae_shards.Dataset,
    attribute_photos: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = (attribute_photos / "list_attr_celeba.txt").read_text().splitlines()[2:]
    for name, sign in (("with", "1"), ("without", "-1")):
        (tmp_path / name).mkdir()
        for line in [line for line in lines if line.split()[2] == sign][:12]:
            shutil.copy(attribute_photos / "img_align_celeba" / line.split()[0], tmp_path / name)
    start = ["directions", str(run_path), str(attribute_data.path), "--loader", "webdataset"]
    folders = ["--from", str(tmp_path / "with"), str(tmp_path / "without")]
    assert run(start) == 0
    assert run([*start, *folders, "--name", "rosy", "--keep", "Bright"]) == 0
    names = Directions.load(run_path / "directions.safetensors").names
    assert names == ("Bright", "Red", "rosy")
    capsys.readouterr()
    assert run([*start, *folders]) == 2
    assert "--name" in capsys.readouterr().err


def test_bad_input(
    run_path: Path,
    attribute_data: faceae_shards.Dataset,
    dataset_npy: faceae_shards.Dataset,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = str(attribute_data.path)
    for argv, message in (
        ([str(run_path / "no"), data], "no: not a training run"),
        ([str(run_path), str(dataset_npy.path)], "no attributes"),
        ([str(run_path), data, "--keep", "Brigth"], "--keep: .*'Brigth'; did you mean Bright?"),
    ):
        assert run(["directions", *argv, "--loader", "webdataset"]) == 1
        (line,) = capsys.readouterr().err.splitlines()[-1:]
        assert all(part in line for part in message.split(".*"))
