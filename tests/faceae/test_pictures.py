from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from faceae.errors import FaceaeError
from faceae.pictures import save_gif, save_grid, save_image


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


def test_save_image_failing_encoder_leaves_older_file(tmp_path: Path) -> None:
    path = tmp_path / "face.png"
    path.write_bytes(b"older")
    with pytest.raises(TypeError):
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


def test_save_gif_keeps_order_and_colours_and_loops(tmp_path: Path) -> None:
    frames = make_ramps(4).astype(np.uint8)
    frames[:, :, :, 2] *= 60
    save_gif(tmp_path / "morph.gif", frames)
    with Image.open(tmp_path / "morph.gif") as gif:
        assert (gif.n_frames, gif.info["loop"], gif.info["duration"]) == (4, 0, 40)
        for index, frame in enumerate(frames):
            gif.seek(index)
            error = np.abs(np.asarray(gif.convert("RGB")).astype(int) - frame)
            assert error.mean() < 3
