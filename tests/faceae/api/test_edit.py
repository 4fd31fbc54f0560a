"""Directions and edits from Python."""

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest

import faceae
import faceae_shards
from faceae.errors import FaceaeError
from faceae.framing import read_face


@pytest.fixture(scope="module")
def edited_run(
    attribute_run: Path,
    attribute_data: faceae_shards.Dataset,
    tmp_path_factory: pytest.TempPathFactory,
) -> str:
    """A run with directions."""
    path = str(tmp_path_factory.mktemp("edit") / "run")
    shutil.copytree(attribute_run, path)
    found = faceae.find_directions(path, attribute_data.path, device="cpu")
    assert found.names == ("Bright", "Red")
    return path


@pytest.fixture
def model(edited_run: str) -> faceae.FaceModel:
    return faceae.load(edited_run, device="cpu")


@pytest.fixture(scope="module")
def pictures(attribute_photos: Path) -> list[str]:
    return [str(path) for path in sorted(attribute_photos.rglob("*.jpg"))[-3:]]


def test_strength_0(model: faceae.FaceModel, pictures: list[str]) -> None:
    unchanged = model.edit(pictures, {"Bright": 0, "Red": 0})
    assert np.array_equal(unchanged, model.reconstruct(pictures))
    assert np.array_equal(model.edit(pictures, {}), unchanged)
    faces = np.stack([read_face(Path(path), 32) for path in pictures])
    assert np.array_equal(model.edit(pictures, {"Red": 0}, residual=True), faces)


def test_brightness_follows_the_strength(model: faceae.FaceModel, pictures: list[str]) -> None:
    means = [model.edit(pictures, {"Bright": s}).mean() for s in (-1, 0, 1)]
    assert means[0] + 10 < means[1] < means[2] - 10


def test_far_strengths_are_logged(
    model: faceae.FaceModel, pictures: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        model.edit(pictures, {"Bright": 1})
        assert caplog.records == []
        model.edit(pictures, {"Bright": 40})
    assert "Bright" in caplog.text


def test_own_folders(
    edited_run: str,
    attribute_data: faceae_shards.Dataset,
    attribute_photos: Path,
    tmp_path: Path,
) -> None:
    lines = (attribute_photos / "list_attr_celeba.txt").read_text().splitlines()[2:]
    for name, sign in (("with", "1"), ("without", "-1")):
        (tmp_path / name).mkdir()
        for line in [line for line in lines if line.split()[1] == sign][:12]:
            shutil.copy(attribute_photos / "img_align_celeba" / line.split()[0], tmp_path / name)
    folders = (tmp_path / "with", tmp_path / "without")
    own = faceae.add_direction(edited_run, attribute_data.path, "light", *folders, device="cpu")
    assert own.names == ("Bright", "Red", "light")
    assert faceae.load(edited_run, device="cpu").directions.names == own.names


def test_directions_are_needed(attribute_run: Path, pictures: list[str]) -> None:
    with pytest.raises(FaceaeError, match="faceae directions"):
        faceae.load(attribute_run, device="cpu").edit(pictures, {"Bright": 1})
