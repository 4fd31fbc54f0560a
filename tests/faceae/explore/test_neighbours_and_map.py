"""Neighbours and maps of a run whose faces have attributes."""

from pathlib import Path

import numpy as np
import pytest
import torch

import faceae_shards
from faceae.errors import FaceaeError
from faceae.explore import (
    MapConfig,
    NeighboursConfig,
    draw_map,
    find_neighbours,
    take_faces,
)
from faceae.explore import _map as map_module
from faceae.explore._faces import encode_split
from faceae.model import FaceAutoEncoder, load_model


@pytest.fixture(scope="module")
def model(attribute_run: Path) -> FaceAutoEncoder:
    return load_model(attribute_run / "model.safetensors", torch.device("cpu"))


def test_a_face_of_the_split_is_its_own_neighbour(
    model: FaceAutoEncoder, attribute_data: faceae_shards.Dataset
) -> None:
    encoded = encode_split(model, attribute_data, "valid", "webdataset")
    config = NeighboursConfig(k=3, split="valid", loader="webdataset")
    found = find_neighbours(model, attribute_data, encoded.latents[[7, 2]], config)
    assert found.rows[:, 0].tolist() == [7, 2]
    assert found.num_searched == 40
    assert np.abs(found.distances[:, 0]).max() < 1e-6
    assert (np.diff(found.distances, axis=1) >= 0).all()
    descriptions = list(faceae_shards.read_descriptions(attribute_data, "valid"))
    assert found.names == [[descriptions[row]["name"] for row in rows] for rows in found.rows]
    faces = take_faces(attribute_data, "valid", np.arange(40), 32, "webdataset")
    assert np.array_equal(found.pictures, faces[found.rows])


@pytest.mark.parametrize("k", [0, 41])
def test_more_neighbours_than_faces(
    model: FaceAutoEncoder, attribute_data: faceae_shards.Dataset, k: int
) -> None:
    config = NeighboursConfig(k=k, split="valid")
    with pytest.raises(FaceaeError, match=f"`k` must be 1 to 40, .* valid, got {k}"):
        find_neighbours(model, attribute_data, np.zeros((1, 16), np.float32), config)


def test_a_map_shows_colours_and_no_overlaps(
    model: FaceAutoEncoder,
    attribute_data: faceae_shards.Dataset,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chosen: list[np.ndarray] = []
    choose = map_module._choose_tiles

    def spy(places_N2: np.ndarray) -> np.ndarray:
        rows = choose(places_N2)
        chosen.append(places_N2[rows])
        return rows

    monkeypatch.setattr(map_module, "_choose_tiles", spy)
    options = {"split": "train", "loader": "webdataset"}
    drawn = draw_map(model, attribute_data, MapConfig(attribute="Bright", **options))
    assert drawn.num_faces == 160
    assert 10 < drawn.num_tiles == len(chosen[0])
    apart = np.abs(chosen[0][:, None] - chosen[0]).max(axis=2)
    np.fill_diagonal(apart, 1000)
    assert apart.min() >= map_module._TILE
    assert chosen[0].min() >= 0
    assert chosen[0].max() <= map_module._SIDE - map_module._TILE
    orange, blue = (
        (drawn.picture[: map_module._SIDE] == map_module._COLOURS[label]).all(axis=2)
        for label in (1, -1)
    )
    assert orange.any()
    assert blue.any()
    # Brightness is the first component of these pictures.
    assert abs(np.nonzero(orange)[1].mean() - np.nonzero(blue)[1].mean()) > 300
    plain = draw_map(model, attribute_data, MapConfig(**options))
    assert not (plain.picture == map_module._COLOURS[1]).all(axis=2).any()
    assert plain.shares == drawn.shares


@pytest.mark.parametrize(
    ("attribute", "message"), [("Brigth", "did you mean Bright"), ("Nothing", "it has Bright, Red")]
)
def test_an_unknown_attribute(
    model: FaceAutoEncoder, attribute_data: faceae_shards.Dataset, attribute: str, message: str
) -> None:
    with pytest.raises(FaceaeError, match=f"`attribute`: .* has no {attribute}; {message}"):
        draw_map(model, attribute_data, MapConfig(attribute=attribute))
