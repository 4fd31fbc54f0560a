"""Photographs cut to faces as the training faces were framed."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from faceae import framing
from faceae.errors import FaceaeError
from faceae.framing import Framing, choose_framing, frame_face, read_face
from faceae_shards import ShardsError, fit_image
from faceae_shards.faces import TARGETS, Face, Place, align_face

SHIFT = np.array([100.0, 20.0])
PLACE = Place(eyes=((0.3, 0.4), (0.7, 0.4)), mouth=(0.5, 0.8))


def write_photograph(path: Path, mode: str = "RGB", **options: object) -> NDArray[np.uint8]:
    ramp_HW = np.add.outer(np.arange(32), np.arange(32)) * 2
    ramp_HWC = np.stack([ramp_HW, ramp_HW // 2, ramp_HW * 0], axis=-1).astype(np.uint8)
    image = Image.fromarray(ramp_HWC).resize((178, 218))
    image.convert(mode).save(path, **options)
    return np.asarray(image)


def test_read_face_crops_then_scales_as_a_pack_does(tmp_path: Path) -> None:
    photograph = write_photograph(tmp_path / "a.png")
    face = read_face(tmp_path / "a.png", 64, Framing(crop=144))
    assert np.array_equal(face, fit_image(photograph, 144, 64))
    whole = read_face(tmp_path / "a.png", 64)
    assert np.array_equal(whole, fit_image(photograph, None, 64))
    assert face.shape == whole.shape == (64, 64, 3)
    assert not np.array_equal(face, whole)


def test_read_face_turns_upright(tmp_path: Path) -> None:
    photograph = write_photograph(tmp_path / "a.png")
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.fromarray(photograph[::-1, ::-1]).save(tmp_path / "b.png", exif=exif)
    assert np.array_equal(read_face(tmp_path / "b.png", 64), read_face(tmp_path / "a.png", 64))


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_read_face_grey_and_cmyk(tmp_path: Path, mode: str) -> None:
    write_photograph(tmp_path / "a.jpg", mode)
    face = read_face(tmp_path / "a.jpg", 64)
    assert face.shape == (64, 64, 3)
    assert (np.ptp(face, axis=-1) == 0).all() == (mode == "L")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html></html>", "HTML page"),
        (b"\xff\xd8\xff\xe0 cut", "truncated"),
        (b"GIF89a", ""),
    ],
)
def test_read_face_names_a_file_that_is_no_picture(
    tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(FaceaeError, match=rf"a\.jpg: .*{message}.*; give another photograph"):
        read_face(tmp_path / "a.jpg", 64)


def test_read_face_truncated(tmp_path: Path) -> None:
    write_photograph(tmp_path / "a.jpg")
    content = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(content[: len(content) // 2])
    with pytest.raises(FaceaeError, match=r"a\.jpg: truncated"):
        read_face(tmp_path / "a.jpg", 64)


def test_read_face_smaller_than_the_crop(tmp_path: Path) -> None:
    write_photograph(tmp_path / "a.jpg")
    with pytest.raises(FaceaeError, match=r"a\.jpg: 178x218 pixels, .* square of 200 .*`crop`"):
        read_face(tmp_path / "a.jpg", 64, Framing(crop=200))


@pytest.fixture
def any_light_is_a_face(monkeypatch: pytest.MonkeyPatch) -> None:
    """Detect a face in every photograph that is not black, 100 pixels from its left edge."""

    def find(image_HWC: NDArray[np.uint8]) -> list[Face]:
        landmarks = TARGETS + SHIFT
        return [Face(box=(0, 0, 9, 9), score=1, landmarks=landmarks)] if image_HWC.any() else []

    monkeypatch.setattr(framing, "find_faces", find)


def make_noise(width: int, height: int) -> NDArray[np.uint8]:
    coarse = np.random.default_rng(0).integers(0, 255, (9, 9, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height)))


@pytest.mark.usefixtures("any_light_is_a_face")
@pytest.mark.parametrize("crop", [144, None])
def test_a_photograph_is_aligned(tmp_path: Path, crop: int | None) -> None:
    photograph = make_noise(400, 300)
    Image.fromarray(photograph).save(tmp_path / "a.png")
    face = read_face(tmp_path / "a.png", 64, Framing(crop=crop))
    wanted = align_face(photograph, TARGETS + SHIFT, crop=crop, size=64)
    assert np.array_equal(face, wanted)


@pytest.mark.usefixtures("any_light_is_a_face")
@pytest.mark.parametrize("size", [(178, 218), (144, 144), (64, 64)])
def test_a_framed_picture_is_not_moved(size: tuple[int, int]) -> None:
    image = make_noise(*size)
    wanted = image if size == (64, 64) else fit_image(image, 144, 64)
    face = frame_face(image, 64, Framing(crop=144))
    assert np.array_equal(face.pixels, wanted)
    middle = face.to_photograph.apply(np.full((1, 2), 31.5))[0]
    assert np.allclose(middle, np.subtract(size, 1) / 2)


@pytest.mark.usefixtures("any_light_is_a_face")
def test_alignment_can_be_turned_off() -> None:
    image = make_noise(400, 300)
    face = frame_face(image, 64, Framing(crop=200)).pixels
    assert np.array_equal(face, fit_image(image, 200, 64))
    face = frame_face(image, 64, Framing(crop=144, align=False)).pixels
    assert np.array_equal(face, fit_image(image, 144, 64))


@pytest.mark.usefixtures("any_light_is_a_face")
@pytest.mark.parametrize("size", [(400, 300), (178, 218)])
def test_a_face_goes_to_its_place(size: tuple[int, int]) -> None:
    face = frame_face(make_noise(*size), 64, Framing(crop=144, place=PLACE))
    assert face.pixels.shape == (64, 64, 3)
    eyes = face.to_photograph.apply(PLACE.points(64))[:2]
    seen = TARGETS[:2] + SHIFT
    assert np.allclose(eyes.mean(axis=0), seen.mean(axis=0), atol=1)


@pytest.mark.usefixtures("any_light_is_a_face")
def test_a_photograph_without_a_face(tmp_path: Path) -> None:
    Image.new("RGB", (400, 300)).save(tmp_path / "a.png")
    with pytest.raises(FaceaeError, match=r"a\.png: no face found; .*`align=False`"):
        read_face(tmp_path / "a.png", 64)


def test_the_detector_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> list[Any]:
        raise ShardsError("pip install 'faceae[align]'")

    monkeypatch.setattr(framing, "find_faces", fail)
    Image.new("RGB", (400, 300)).save(tmp_path / "a.png")
    with pytest.raises(FaceaeError, match=r"a\.png: .*faceae\[align\].*`align=False`"):
        read_face(tmp_path / "a.png", 64)


@pytest.mark.parametrize("aligned", [True, None])
def test_models_of_aligned_faces_align(aligned: bool | None) -> None:
    known: dict[str, Any] = {"crop": 144, "aligned": aligned, "place": None}
    assert choose_framing(**known) == Framing(crop=144)
    assert choose_framing(**known, asked_crop=0) == Framing(crop=None)
    assert choose_framing(**known, asked_align=False) == Framing(crop=144, align=False)


def test_models_of_other_faces_frame_as_those_are() -> None:
    known: dict[str, Any] = {"crop": 144, "aligned": False, "place": PLACE}
    assert choose_framing(**known) == Framing(crop=144, place=PLACE)
    unmeasured = choose_framing(**{**known, "place": None})
    assert unmeasured == Framing(crop=144, align=False)
    assert choose_framing(**known, asked_crop=90) == Framing(crop=90, align=False)
    assert choose_framing(**known, asked_align=True) == Framing(crop=144)
    assert choose_framing(**known, asked_align=False) == Framing(crop=144, align=False)


def test_each_framing_says_another_line() -> None:
    framings = [
        Framing(),
        Framing(place=PLACE),
        Framing(align=False),
        Framing(crop=144, align=False),
        Framing(crop=200),
    ]
    assert len({str(each) for each in framings}) == len(framings)


def test_a_place_is_read_as_it_was_written() -> None:
    assert Place.from_json(dataclasses.asdict(PLACE)) == PLACE
