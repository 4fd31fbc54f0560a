"""Picture files, grids and folders, written whole."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from faceae.errors import FaceaeError
from faceae.pictures import (
    encode_picture,
    enlarge,
    save_array,
    save_folder,
    save_grid,
    save_image,
)


def make_images(count: int, height: int = 6, width: int = 5) -> NDArray[np.uint8]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 255, size=(count, height, width, 3), dtype=np.uint8)


def make_ramps(count: int) -> NDArray[np.uint8]:
    """Smooth 32x32 pictures, each another colour."""
    ramp_HW = np.add.outer(np.arange(32), np.arange(32)) * 2
    return np.stack([np.stack([ramp_HW, ramp_HW // 2, ramp_HW * 0 + n], -1) for n in range(count)])


def read_pixels(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image)


def test_save_image_png_is_lossless(tmp_path: Path) -> None:
    (image,) = make_images(1)
    save_image(tmp_path / "face.png", image)
    assert np.array_equal(read_pixels(tmp_path / "face.png"), image)


@pytest.mark.parametrize("name", ["face.jpg", "face.JPEG"])
def test_save_image_jpeg(tmp_path: Path, name: str) -> None:
    image = make_ramps(1)[0].astype(np.uint8)
    save_image(tmp_path / name, image)
    with Image.open(tmp_path / name) as stored:
        assert stored.format == "JPEG"
        error = np.abs(np.asarray(stored).astype(int) - image)
    assert error.mean() < 1.5


@pytest.mark.parametrize("name", ["face.gif", "face"])
def test_save_image_unknown_suffix(tmp_path: Path, name: str) -> None:
    with pytest.raises(FaceaeError, match=rf"{name}: a picture must end in \.png"):
        save_image(tmp_path / name, make_images(1)[0])
    assert list(tmp_path.iterdir()) == []


def test_save_image_longer_than_a_jpeg_can_be(tmp_path: Path) -> None:
    strip = np.zeros((1, 65_536, 3), np.uint8)
    with pytest.raises(FaceaeError, match=r"strip\.jpg: .*65,535.*\.png"):
        save_image(tmp_path / "strip.jpg", strip)
    save_image(tmp_path / "strip.png", strip)


def test_enlarge_is_smooth_and_keeps_one() -> None:
    (ramp,) = make_ramps(1).astype(np.uint8)
    assert enlarge(ramp, 1) is ramp
    large = enlarge(ramp, 4)
    assert large.shape == (128, 128, 3)
    assert np.abs(large.reshape(32, 4, 32, 4, 3).mean((1, 3)) - ramp).max() < 2
    assert np.abs(np.diff(large[:, 64, 0].astype(int))).max() <= 1


def test_save_image_failing_encoder_leaves_older_file(tmp_path: Path) -> None:
    path = tmp_path / "face.png"
    path.write_bytes(b"older")
    with pytest.raises(cv2.error):
        save_image(path, np.zeros((2, 2, 5), np.uint8))
    assert [file.name for file in tmp_path.iterdir()] == ["face.png"]
    assert path.read_bytes() == b"older"


def test_save_grid_places_each_picture_row_after_row(tmp_path: Path) -> None:
    images = make_images(5)
    save_grid(tmp_path / "grid.png", images, columns=3)
    grid = read_pixels(tmp_path / "grid.png")
    assert grid.shape == (2 + 2 * 8, 2 + 3 * 7, 3)
    assert np.array_equal(grid[2:8, 2:7], images[0])
    assert np.array_equal(grid[2:8, 16:21], images[2])
    assert np.array_equal(grid[10:16, 9:14], images[4])
    assert (grid[10:16, 16:21] == 255).all()


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (2, 2), (9, 3), (10, 4)])
def test_save_grid_is_about_square(tmp_path: Path, count: int, columns: int) -> None:
    save_grid(tmp_path / "grid.png", make_images(count))
    assert read_pixels(tmp_path / "grid.png").shape[1] == 2 + columns * 7


def test_save_grid_without_pictures(tmp_path: Path) -> None:
    with pytest.raises(FaceaeError, match="no pictures"):
        save_grid(tmp_path / "grid.png", make_images(0))


def test_save_grid_refuses_more_than_readers_open(tmp_path: Path) -> None:
    many = np.broadcast_to(np.uint8(0), (20_000, 64, 64, 3))
    with pytest.raises(FaceaeError, match=r"at most 18365 pictures of 64x64, not 20000; .*\.npy"):
        save_grid(tmp_path / "grid.png", many)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_save_folder_names_pictures_by_number(tmp_path: Path, suffix: str) -> None:
    images = make_ramps(5).astype(np.uint8)
    files = (encode_picture(image, suffix) for image in images)
    save_folder(tmp_path / "faces", files, suffix, first_number=999_998)
    names = ["999998", "999999", "1000000", "1000001", "1000002"]
    assert {path.name for path in (tmp_path / "faces").iterdir()} == {n + suffix for n in names}
    for name, image in zip(names, images, strict=True):
        stored = read_pixels(tmp_path / "faces" / (name + suffix))
        assert np.abs(stored.astype(int) - image).mean() < (1.5 if suffix == ".jpg" else 1e-9)


def test_save_folder_takes_an_empty_folder_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "faces").mkdir()
    save_folder(tmp_path / "faces", [b""], ".png")
    with pytest.raises(FaceaeError, match="faces: already there; name a new folder"):
        save_folder(tmp_path / "faces", [b""], ".png")


def broken_batches() -> Iterator[NDArray[np.uint8]]:
    yield make_images(3)
    raise KeyboardInterrupt


def test_interrupted_folder_or_array_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        save_folder(tmp_path / "faces", map(bytes, broken_batches()), ".png")
    with pytest.raises(KeyboardInterrupt):
        save_array(tmp_path / "faces.npy", broken_batches(), (6, 6, 5, 3))
    assert list(tmp_path.iterdir()) == []


def test_save_array_is_numpys_file(tmp_path: Path) -> None:
    images = make_images(7)
    save_array(tmp_path / "faces.npy", [images[:4], images[4:]], images.shape)
    assert np.array_equal(np.load(tmp_path / "faces.npy"), images)
