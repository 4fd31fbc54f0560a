"""A direction between two folders of photographs."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import faceae_shards
from faceae.editing import DirectionsConfig, FolderPair, FoundPair, find_direction
from faceae.errors import FaceaeError
from faceae.framing import Framing
from faceae.model import FaceAutoEncoder, load_model


@pytest.fixture(scope="module")
def model(attribute_run: Path) -> FaceAutoEncoder:
    return load_model(attribute_run / "model.safetensors", torch.device("cpu"))


@pytest.fixture
def folders(attribute_photos: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Twenty bright pictures, and twenty that are not."""
    lines = (attribute_photos / "list_attr_celeba.txt").read_text().splitlines()[2:]
    for name, sign in (("with", "1"), ("without", "-1")):
        (tmp_path / name).mkdir()
        chosen = [line.split()[0] for line in lines if line.split()[1] == sign][:20]
        for file in chosen:
            shutil.copy(attribute_photos / "img_align_celeba" / file, tmp_path / name)
    return tmp_path / "with", tmp_path / "without"


def find(
    model: FaceAutoEncoder,
    data: faceae_shards.Dataset,
    folders: tuple[Path, Path],
    **options: object,
) -> FoundPair:
    pair = FolderPair(name="light", positive=folders[0], negative=folders[1], framing=Framing())
    config = DirectionsConfig(loader="webdataset", **options)  # type: ignore[arg-type]
    return find_direction(model, data, pair, None, config)


def test_the_difference_is_found(
    model: FaceAutoEncoder, attribute_data: faceae_shards.Dataset, folders: tuple[Path, Path]
) -> None:
    (folders[0] / "torn.jpg").write_bytes(b"torn")
    (folders[0] / "notes.txt").write_text("no picture")
    found = find(model, attribute_data, folders)
    (direction,) = found.directions.found
    assert (direction.name, direction.num_positive, direction.num_negative) == ("light", 20, 20)
    assert direction.accuracy > 0.9
    (line,) = found.left_out
    assert "torn.jpg" in line
    changes = [found.directions.change({"light": strength}) for strength in (0.0, 1.0)]
    with torch.inference_mode():
        faces = model.decode(torch.from_numpy(np.stack(changes)))
    assert faces[1].mean() - faces[0].mean() > 0.2


def test_bad_folders(
    model: FaceAutoEncoder,
    attribute_data: faceae_shards.Dataset,
    folders: tuple[Path, Path],
    tmp_path: Path,
) -> None:
    (tmp_path / "empty").mkdir()
    for other, message in (("no", "no: no such folder"), ("empty", "empty: holds no pictures")):
        with pytest.raises(FaceaeError, match=message):
            find(model, attribute_data, (folders[0], tmp_path / other))
    with pytest.raises(FaceaeError, match=r"light: .*chance"):
        find(model, attribute_data, (folders[0], folders[0]))
    with pytest.raises(FaceaeError, match=r"`keep`.*faceae directions"):
        find(model, attribute_data, folders, keep=("Red",))
    for file in sorted(folders[1].iterdir())[5:]:
        file.unlink()
    with pytest.raises(FaceaeError, match="without: 5 usable photographs"):
        find(model, attribute_data, folders)
