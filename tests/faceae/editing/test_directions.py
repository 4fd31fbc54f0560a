"""The file of directions, and looking up their names."""

from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from faceae.editing import (
    Direction,
    Directions,
    Refusal,
    find_far,
    load_known,
    save_found,
    save_own,
)
from faceae.errors import FaceaeError


def make(*names: str, weights_hash: str = "w", scale: float = 1.0) -> Directions:
    found = tuple(
        Direction(
            name=name, classifier="ridge", accuracy=0.9, auc=0.95, num_positive=30, num_negative=40
        )
        for name in names
    )
    vectors = scale * np.eye(len(names), 4, dtype=np.float32)
    ones = np.ones(len(names), np.float32)
    return Directions(
        found=found,
        refused=(Refusal(name="Chubby", reason="accuracy 0.51", accuracy=0.51),),
        vectors=vectors,
        normals=vectors.copy(),
        offsets=0 * ones,
        limits=2 * ones,
        weights_hash=weights_hash,
        dataset_hash="d",
    )


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    directions = make("Smiling", "Young")
    directions.save(tmp_path / "a")
    directions.save(tmp_path / "b")
    loaded = Directions.load(tmp_path / "a")
    assert (loaded.found, loaded.refused) == (directions.found, directions.refused)
    assert np.array_equal(loaded.vectors, directions.vectors)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_several_strengths_add_up() -> None:
    change = make("Smiling", "Young").change({"Smiling": 2, "Young": -1.5})
    assert np.array_equal(change, np.array([2, -1.5, 0, 0], np.float32))
    assert not make("Smiling").change({"Smiling": 0.0}).any()


@pytest.mark.parametrize(
    ("name", "strength", "message"),
    [
        ("Smilling", 1.0, "did you mean Smiling"),
        ("smile", 1.0, "did you mean Smiling"),
        ("chubby", 1.0, "did you mean Chubby"),
        ("YOUNG", 1.0, "did you mean Young"),
        ("Hat", 1.0, "'Hat'; choose from Smiling, Young, Chubby"),
        ("Chubby", 1.0, "Chubby has no direction: accuracy 0.51"),
        ("Young", float("nan"), "Young.*finite"),
    ],
)
def test_bad_strengths(name: str, strength: float, message: str) -> None:
    with pytest.raises(FaceaeError, match=message):
        make("Smiling", "Young").change({name: strength})


def test_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "directions.safetensors"
    with pytest.raises(FaceaeError, match=r"no such file.*faceae directions"):
        Directions.load(path)
    path.write_bytes(b"no tensors")
    with pytest.raises(FaceaeError, match="damaged"):
        Directions.load(path)
    path.write_bytes(safetensors.numpy.save({"x": np.zeros(2)}))
    with pytest.raises(FaceaeError, match="not written by"):
        Directions.load(path)


def test_directions_of_other_weights(tmp_path: Path) -> None:
    path = tmp_path / "directions.safetensors"
    assert load_known(path, "w") is None
    make("Smiling").save(path)
    assert load_known(path, "w") is not None
    with pytest.raises(FaceaeError, match=r"directions\.safetensors.*other weights.*again"):
        load_known(path, "x")


def test_own_directions_stay_until_the_weights_change(tmp_path: Path) -> None:
    path = tmp_path / "directions.safetensors"
    save_found(path, make("Smiling"))
    save_own(path, Directions.load(path), make("hat").take(["hat"]))
    assert save_found(path, make("Smiling", "Young")).names == ("Smiling", "Young", "hat")
    replaced = save_own(path, Directions.load(path), make("hat", scale=3.0).take(["hat"]))
    assert replaced.names == ("Smiling", "Young", "hat")
    assert replaced.vectors[2, 0] == 3.0
    assert save_found(path, make("Smiling", weights_hash="x")).names == ("Smiling",)


def test_a_damaged_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "directions.safetensors"
    path.write_bytes(b"no tensors")
    save_found(path, make("Smiling"))
    assert Directions.load(path).names == ("Smiling",)


def test_faces_far_from_the_data_are_named() -> None:
    directions = make("Smiling", "Young")
    near, far = np.array([[4, 0, 0, 0]], np.float32), np.array([[0, -9, 0, 0]], np.float32)
    assert find_far(directions, near, directions.names) == []
    (line,) = find_far(directions, far, directions.names)
    assert line.startswith("Young")
    assert "9.0" in line
    assert "2.0" in line
