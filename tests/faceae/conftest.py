"""Small runs for the tests of several rooms: a training, and one with attributes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import faceae_shards
from faceae.runs import TrainConfig
from faceae.training import train

NUM_ATTRIBUTE_PICTURES = 240
PICTURES_OF_ONE = 4


@pytest.fixture
def config(dataset_npy: faceae_shards.Dataset, tmp_path: Path) -> TrainConfig:
    """Two epochs of three steps in float32 from random weights, on the portable loader, with a tiny
    net."""
    return TrainConfig(
        data=dataset_npy.path,
        run=tmp_path / "run",
        epochs=2,
        batch_size=8,
        latent_size=16,
        width=4,
        init="random",
        amp=False,
        device="cpu",
        loader="webdataset",
        log_steps=2,
    )


@pytest.fixture(scope="session")
def attribute_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """240 pictures of 178x218 of 60 persons in CelebA's layout.

    Bright pictures are lighter, Red ones redder, Random is seen nowhere, and Rare is true for three
    pictures. Red is a trait of persons.
    """
    folder = tmp_path_factory.mktemp("attributes")
    (folder / "img_align_celeba").mkdir()
    rng = np.random.default_rng(0)
    attributes, persons, parts = [], [], []
    for number in range(NUM_ATTRIBUTE_PICTURES):
        person = number // PICTURES_OF_ONE
        bright, red, random = rng.random() < 0.5, person % 2 == 0, rng.random() < 0.5
        coarse = rng.integers(60, 120, size=(4, 4, 3)) + 60 * bright
        coarse[..., 0] += 50 * red
        picture = Image.fromarray(coarse.astype(np.uint8)).resize((178, 218))
        name = f"{number + 1:06}.jpg"
        picture.save(folder / "img_align_celeba" / name, quality=95)
        values = (bright, red, random, number % 80 == 0)
        attributes.append(f"{name} " + " ".join("1" if value else "-1" for value in values))
        persons.append(f"{name} {person + 1}")
        parts.append(f"{name} {int(person >= 40) + int(person >= 50)}")
    names = "Bright Red Random Rare"
    table = [str(NUM_ATTRIBUTE_PICTURES), names, *attributes]
    (folder / "list_attr_celeba.txt").write_text("\n".join(table) + "\n")
    (folder / "identity_CelebA.txt").write_text("\n".join(persons) + "\n")
    (folder / "list_eval_partition.txt").write_text("\n".join(parts) + "\n")
    return folder


@pytest.fixture(scope="session")
def attribute_data(
    attribute_photos: Path, tmp_path_factory: pytest.TempPathFactory
) -> faceae_shards.Dataset:
    """These pictures at 32x32: 160 to train on, 40 to validate, 40 to test."""
    out = tmp_path_factory.mktemp("packed") / "attributes"
    config = faceae_shards.PackConfig(
        source=attribute_photos, out=out, size=32, encoding="npy", workers=1
    )
    faceae_shards.pack(config)
    return faceae_shards.open_dataset(out)


@pytest.fixture(scope="session")
def attribute_run(
    attribute_data: faceae_shards.Dataset, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A run on these pictures that starts from their components, with 16 latent numbers."""
    path = tmp_path_factory.mktemp("attributes") / "run"
    config = TrainConfig(
        data=attribute_data.path,
        run=path,
        epochs=1,
        batch_size=16,
        latent_size=16,
        width=8,
        amp=False,
        device="cpu",
        loader="webdataset",
    )
    train(config)
    return path
