"""Drawn faces in larger pictures, packed with the real detector; needs faceae[align] and Ray."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from faceae.framing import Framing, read_face
from faceae.synthetic import draw_face, sample_identity, sample_picture
from faceae_shards import (
    NO_FACE,
    PackConfig,
    fit_image,
    open_dataset,
    pack,
    read_first_images,
    verify,
)

HashTree = Callable[[Path], dict[str, str]]
Pixels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]

TURNS = {1: None, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
"""What undoes an EXIF orientation."""
NUM_SCENES = 6


def draw(number: int) -> Pixels:
    identity = sample_identity(1, number)
    return draw_face(identity, sample_picture(1, number, identity))


def paste(scene: Pixels, face: Pixels, x: float, y: float, roll_deg: float, scale: float) -> None:
    matrix = cv2.getRotationMatrix2D((89, 109), roll_deg, scale)
    matrix[:, 2] += [x - 89, y - 109]
    size = (scene.shape[1], scene.shape[0])
    cv2.warpAffine(face, matrix, size, scene, cv2.INTER_AREA, cv2.BORDER_TRANSPARENT)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Phone-like pictures, most turned by EXIF: two faces in each, and one without any."""
    folder = tmp_path_factory.mktemp("scenes")
    rng = np.random.default_rng(0)
    for number in range(NUM_SCENES):
        scene = np.full((1200, 1600, 3), 120, np.uint8)
        paste(scene, draw(number), 400 + 40 * number, 500, rng.uniform(-30, 30), 2.0)
        paste(scene, draw(number + 50), 1250, 800, rng.uniform(-30, 30), 1.0)
        orientation = list(TURNS)[number % 3]
        image = Image.fromarray(scene)
        turn = TURNS[orientation]
        exif = Image.Exif()
        exif[0x0112] = orientation
        image = image if turn is None else image.transpose(turn)
        image.save(folder / f"{number}.jpg", quality=95, exif=exif)
    Image.new("RGB", (1600, 1200), "green").save(folder / "none.jpg")
    return folder


def test_each_scene_gives_its_larger_face(scenes: Path, tmp_path: Path) -> None:
    config = PackConfig(source=scenes, out=tmp_path / "out", align=True, split=(1, 0, 0), workers=1)
    assert pack(config).num_rejected == {NO_FACE: 1}
    packed = read_first_images(open_dataset(config.out), "train", NUM_SCENES)
    drawn = [fit_image(draw(number), 178) for number in range(NUM_SCENES)]
    for image in packed:
        inner = [np.abs(image.astype(int) - face)[40:140, 45:135].mean() for face in drawn]
        assert min(inner) < 25
        assert sorted(inner)[1] > 1.3 * min(inner)


def test_faces_upside_down_or_on_their_side_are_packed_upright(tmp_path: Path) -> None:
    """Without EXIF that says so. Some that lie on their side are not found at all."""
    for quarters in range(4):
        (tmp_path / f"{quarters}").mkdir()
        for number in range(4):
            picture = np.rot90(draw(number), quarters)
            Image.fromarray(picture).save(tmp_path / f"{quarters}" / f"{number}.png")
    for quarters, least in enumerate((4, 2, 4, 2)):
        out = tmp_path / f"out-{quarters}"
        source = tmp_path / f"{quarters}"
        config = PackConfig(source=source, out=out, align=True, split=(1, 0, 0), workers=1)
        summary = pack(config)
        count = summary.num_samples["train"]
        assert count >= least
        assert summary.num_turned == (count if quarters else 0)
        for image in read_first_images(open_dataset(out), "train", count):
            assert differ(image) < 0.7 * min(differ(np.rot90(image, turn)) for turn in (1, 2, 3))


def differ(image: Pixels) -> float:
    """Return by how much a packed picture differs from the drawn face that is most like it."""
    drawn = [fit_image(draw(number), 178) for number in range(4)]
    return min(float(np.abs(image.astype(int) - face)[40:140, 45:135].mean()) for face in drawn)


def test_the_bytes_do_not_depend_on_workers_or_executor(
    scenes: Path, tmp_path: Path, hash_tree: HashTree
) -> None:
    trees = []
    for name, options in {
        "one": {"workers": 1},
        "two": {"workers": 2},
        "ray": {"executor": "ray", "address": "local"},
    }.items():
        config = PackConfig(
            source=scenes,
            out=tmp_path / name,
            align=True,
            face="all",
            size=64,
            samples_per_shard=2,
            **options,  # type: ignore[arg-type]
        )
        summary = pack(config)
        assert sum(summary.num_samples.values()) == 2 * NUM_SCENES
        assert verify(tmp_path / name, workers=1).problems == ()
        trees.append(hash_tree(tmp_path / name))
    assert trees[0] == trees[1] == trees[2]


def test_a_photograph_handed_to_a_model_is_aligned(scenes: Path) -> None:
    face = read_face(scenes / "1.jpg", 178, Framing(crop=178))
    wanted = fit_image(draw(1), 178)
    assert np.abs(face.astype(int) - wanted)[40:140, 45:135].mean() < 25
