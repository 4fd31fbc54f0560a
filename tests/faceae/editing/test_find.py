"""Directions of a dataset's attributes."""

from pathlib import Path

import numpy as np
import pytest
import torch

import faceae_shards
from faceae.editing import Directions, DirectionsConfig, find_directions
from faceae.editing._find import MIN_EXAMPLES
from faceae.errors import FaceaeError
from faceae.model import FaceAutoEncoder, load_model


@pytest.fixture(scope="module")
def model(attribute_run: Path) -> FaceAutoEncoder:
    return load_model(attribute_run / "model.safetensors", torch.device("cpu"))


def find(model: FaceAutoEncoder, data: faceae_shards.Dataset, **options: object) -> Directions:
    config = DirectionsConfig(loader="webdataset", **options)  # type: ignore[arg-type]
    return find_directions(model, data, config).directions


def test_what_is_seen_is_found_and_what_is_not_is_refused(
    model: FaceAutoEncoder, attribute_data: faceae_shards.Dataset
) -> None:
    directions = find(model, attribute_data)
    assert directions.names == ("Bright", "Red")
    assert all(direction.accuracy > 0.8 for direction in directions.found)
    random, rare = directions.refused
    assert (random.name, rare.name) == ("Random", "Rare")
    assert random.accuracy is not None
    assert random.accuracy < 0.75
    assert f"{random.accuracy:.2f}" in random.reason
    assert rare.accuracy is None
    assert str(MIN_EXAMPLES) in rare.reason


def test_strength_1_is_the_distance_between_the_classes(
    model: FaceAutoEncoder, attribute_data: faceae_shards.Dataset
) -> None:
    directions = find(model, attribute_data)
    face = np.zeros((1, model.config.latent_size), np.float32)
    moved = directions.score(face + directions.change({"Bright": 1.0})) - directions.score(face)
    # Half of the faces are bright: their mean scores lie less than two deviations apart.
    assert 1.5 < moved[0, 0] < 2.0
    with torch.inference_mode():
        faces = model.decode(
            torch.from_numpy(np.stack([directions.change({"Bright": s}) for s in (0.0, 1.0)]))
        )
    assert faces[1].mean() - faces[0].mean() > 0.3


def test_kept_attributes_keep_their_scores(
    model: FaceAutoEncoder, attribute_data: faceae_shards.Dataset
) -> None:
    directions = find(model, attribute_data, keep=("Red",))
    change = directions.normals @ directions.change({"Bright": 1.0})
    assert abs(change[1]) < 1e-3 * abs(change[0])
    assert [direction.keep for direction in directions.found] == [("Red",), ()]


def test_identity_takes_what_is_a_trait_of_persons(
    model: FaceAutoEncoder, attribute_data: faceae_shards.Dataset
) -> None:
    directions = find(model, attribute_data, keep_identity=True)
    left = {direction.name: direction.share_left for direction in directions.found}
    assert left.get("Red", 0.0) < 0.6 < find(model, attribute_data).found[1].share_left


@pytest.mark.parametrize(
    ("keep", "message"),
    [("Rde", "`keep`.*did you mean Red"), ("Random", "`keep`: Random.*chance")],
)
def test_what_cannot_be_kept(
    model: FaceAutoEncoder, attribute_data: faceae_shards.Dataset, keep: str, message: str
) -> None:
    with pytest.raises(FaceaeError, match=message):
        find(model, attribute_data, keep=(keep,))


def test_a_dataset_without_attributes(
    model: FaceAutoEncoder, dataset_npy: faceae_shards.Dataset
) -> None:
    with pytest.raises(FaceaeError, match="no attributes"):
        find(model, dataset_npy)
