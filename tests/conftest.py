"""Data that many tests read and none may change: small pictures, datasets packed from them."""

import hashlib
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import faceae_shards

NUM_PEOPLE = 12
PICTURES_A_PERSON = 4


def pytest_configure() -> None:
    """Hear Ctrl-C, which shells have what runs in the background ignore, and its processes too."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def draw_picture(rng: np.random.Generator, width: int = 178, height: int = 218) -> Image.Image:
    """A smooth random picture: coarse colour noise, enlarged."""
    coarse = rng.integers(0, 256, size=(6, 5, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


@pytest.fixture(scope="session")
def face_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """48 JPEGs of 178x218, `person_07/person_07_0001.jpg`, four of each of twelve people."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for person in range(NUM_PEOPLE):
        name = f"person_{person:02}"
        (folder / name).mkdir()
        for picture in range(1, PICTURES_A_PERSON + 1):
            draw_picture(rng).save(folder / name / f"{name}_{picture:04}.jpg", quality=90)
    return folder


def _pack(source: Path, out: Path, encoding: str) -> faceae_shards.Dataset:
    config = faceae_shards.PackConfig(
        source=source,
        out=out,
        size=32,
        encoding=encoding,
        samples_per_shard=16,
        split=(0.5, 0.25, 0.25),
        workers=1,
    )
    faceae_shards.pack(config)
    return faceae_shards.open_dataset(out)


@pytest.fixture(scope="session")
def dataset_jpg(
    face_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> faceae_shards.Dataset:
    """The pictures at 32x32 as JPEG: 24 to train on, 12 to validate, 12 to test."""
    return _pack(face_folder, tmp_path_factory.mktemp("packed") / "jpg", "jpg")


@pytest.fixture(scope="session")
def dataset_npy(
    face_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> faceae_shards.Dataset:
    """The pictures at 32x32 as arrays: 24 to train on, 12 to validate, 12 to test."""
    return _pack(face_folder, tmp_path_factory.mktemp("packed") / "npy", "npy")


@pytest.fixture(scope="session")
def hash_tree() -> Callable[[Path], dict[str, str]]:
    """Return the sha256 of every file below a folder."""

    def hash_tree_(folder: Path) -> dict[str, str]:
        return {
            file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in sorted(folder.rglob("*"))
            if file.is_file()
        }

    return hash_tree_


def _enliven(path: Path) -> None:
    """Change a model's decoder so that its faces differ as after long training."""
    import torch  # not for tests of faceae_shards alone, which work without it
    from torch import nn

    from faceae.model import load_model, save_model

    model = load_model(path, torch.device("cpu"))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for layer in model.modules():
            if isinstance(layer, nn.ConvTranspose2d):
                nn.init.normal_(layer.weight, std=0.05)
            if isinstance(layer, nn.BatchNorm2d):
                nn.init.uniform_(layer.running_var, 0.002, 0.02)
                nn.init.normal_(layer.bias, std=0.2)
    save_model(model, path)


@pytest.fixture(scope="session")
def fitted_run(
    dataset_npy: faceae_shards.Dataset, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A run on 32x32 pictures with 16 latent numbers, and its latents fitted. To be read only."""
    from faceae.cli import run
    from faceae.runs import TrainConfig
    from faceae.training import train

    path = tmp_path_factory.mktemp("fitted") / "run"
    config = TrainConfig(
        data=dataset_npy.path,
        run=path,
        epochs=1,
        batch_size=8,
        latent_size=16,
        width=8,
        init="random",
        amp=False,
        device="cpu",
        loader="webdataset",
    )
    train(config)
    _enliven(path / "model.safetensors")
    assert run(["fit", str(path), str(dataset_npy.path), "--loader", "webdataset"]) == 0
    return path
