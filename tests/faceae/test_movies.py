"""Animations: frames, times and formats, and what cannot be written."""

import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from faceae import movies
from faceae.errors import FaceaeError
from faceae.movies import check_movie, encode_gif, save_movie


def make_frames(count: int, side: int = 32) -> NDArray[np.uint8]:
    """Smooth pictures, each lighter than the one before."""
    ramp_HW = np.add.outer(np.arange(side), np.arange(side)) % 64
    return np.stack([np.stack([ramp_HW + 8 * n] * 3, -1) for n in range(count)]).astype(np.uint8)


def read_frames(path: Path) -> tuple[NDArray[np.uint8], list[int]]:
    """Frames, N x H x W x 3, and how long each lasts in milliseconds."""
    frames, times = [], []
    with Image.open(path) as movie:
        for index in range(movie.n_frames):
            movie.seek(index)
            frames.append(np.asarray(movie.convert("RGB")))
            times.append(movie.info["duration"])
    return np.stack(frames), times


def test_gif_keeps_order_and_colours_and_loops(tmp_path: Path) -> None:
    frames = make_frames(5)
    save_movie(tmp_path / "m.gif", frames)
    found, times = read_frames(tmp_path / "m.gif")
    assert np.abs(found.astype(int) - frames).max() <= 8
    assert times == [40] * 5
    with Image.open(tmp_path / "m.gif") as gif:
        assert gif.info["loop"] == 0
    assert encode_gif(frames) == (tmp_path / "m.gif").read_bytes()


@pytest.mark.parametrize("name", ["m.gif", "m.webp", "M.WEBP"])
def test_seconds_are_those_of_all_frames(tmp_path: Path, name: str) -> None:
    frames = make_frames(7)
    save_movie(tmp_path / name, frames, seconds=1.0)
    found, times = read_frames(tmp_path / name)
    assert sum(times) == 1000
    assert max(times) - min(times) <= 10
    assert np.abs(found.astype(int) - frames).mean() < 4


def test_frames_are_enlarged(tmp_path: Path) -> None:
    save_movie(tmp_path / "m.webp", make_frames(3), scale=3)
    found, _ = read_frames(tmp_path / "m.webp")
    assert found.shape == (3, 96, 96, 3)


@pytest.mark.parametrize("side", [32, 33])
def test_mp4(tmp_path: Path, side: int) -> None:
    av = pytest.importorskip("av")
    frames = make_frames(10, side)
    save_movie(tmp_path / "m.mp4", frames, seconds=0.8)
    with av.open(str(tmp_path / "m.mp4")) as movie:
        (stream,) = movie.streams.video
        assert float(stream.duration * stream.time_base) == pytest.approx(0.8, abs=0.01)
        found = np.stack([frame.to_ndarray(format="rgb24") for frame in movie.decode(video=0)])
    assert found.shape == (10, side + side % 2, side + side % 2, 3)
    assert np.abs(found[:, :side, :side].astype(int) - frames).mean() < 4


def test_mp4_without_pyav_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(FaceaeError, match=r"m\.mp4: .*faceae\[video\]"):
        check_movie(tmp_path / "m.mp4")
    check_movie(tmp_path / "m.gif")


@pytest.mark.parametrize(
    ("name", "count", "options", "message"),
    [
        ("m.avi", 2, {}, r"m\.avi: .*\.webp"),
        ("m.gif", 100, {"seconds": 1.0}, "`seconds`"),
        ("m.gif", 3, {"scale": 8}, "`frames`.*`scale`"),
    ],
)
def test_what_cannot_be_written_leaves_nothing(
    name: str,
    count: int,
    options: dict[str, float],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(movies, "_MAX_PIXELS", 150_000)
    with pytest.raises(FaceaeError, match=message):
        save_movie(tmp_path / name, make_frames(2).repeat(count // 2 + 1, 0)[:count], **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["m.gif", "m.webp", "m.mp4"])
def test_an_interrupted_movie_leaves_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("av")

    def fail(image: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
        raise KeyboardInterrupt

    monkeypatch.setattr(movies, "enlarge", fail)
    with pytest.raises(KeyboardInterrupt):
        save_movie(tmp_path / name, make_frames(3))
    assert list(tmp_path.iterdir()) == []
