"""A small trained run with fitted latents, made through the API alone."""

from pathlib import Path
from typing import Any

import pytest

import faceae
import faceae_shards

OPTIONS = {
    "epochs": 1,
    "batch_size": 8,
    "latent_size": 16,
    "width": 8,
    "init": "random",
    "amp": False,
    "device": "cpu",
    "loader": "webdataset",
}


@pytest.fixture(scope="session")
def options() -> dict[str, Any]:
    """Options of a training that takes seconds."""
    return dict(OPTIONS)


@pytest.fixture(scope="session")
def api_run(dataset_npy: faceae_shards.Dataset, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Folder of a run on 32x32 pictures, as a string."""
    path = str(tmp_path_factory.mktemp("api") / "run")
    data = str(dataset_npy.path)
    result = faceae.train(data, path, **OPTIONS)
    assert result.position.epoch == 1
    faceae.fit(path, data, device="cpu")
    return path


@pytest.fixture(scope="session")
def model(api_run: str) -> faceae.FaceModel:
    """The model of that run."""
    return faceae.load(api_run, device="cpu")


@pytest.fixture(scope="session")
def photos(face_folder: Path) -> list[str]:
    """Paths of three photographs of 178x218, as strings."""
    return [str(path) for path in sorted(face_folder.rglob("*.jpg"))[:3]]
