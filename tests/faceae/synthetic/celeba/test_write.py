"""Whole sets on disk."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, JpegImagePlugin
from torchvision.datasets import CelebA

from faceae.errors import FaceaeError
from faceae.synthetic import (
    Face,
    SynthConfig,
    SynthSummary,
    annotate,
    sample_identity,
    sample_picture,
    write_dataset,
)

COUNT, SEED = 120, 5

TEXT_FILES = (
    "identity_CelebA.txt",
    "list_attr_celeba.txt",
    "list_bbox_celeba.txt",
    "list_eval_partition.txt",
    "list_landmarks_align_celeba.txt",
)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> SynthSummary:
    """A set of 120 faces, by two processes, in a folder that torchvision takes for CelebA's."""
    out = tmp_path_factory.mktemp("drawn") / "celeba"
    return write_dataset(SynthConfig(out=out, count=COUNT, seed=SEED, workers=2))


def pictures(out: Path) -> list[Path]:
    return sorted((out / "img_align_celeba").iterdir())


def lines(out: Path, name: str) -> list[str]:
    return (out / name).read_text().splitlines()


def test_set_holds_the_pictures_and_five_text_files(written: SynthSummary) -> None:
    names = [path.name for path in pictures(written.out)]
    assert names == [f"{number:06d}.jpg" for number in range(1, COUNT + 1)]
    assert {path.name for path in written.out.iterdir()} == {"img_align_celeba", *TEXT_FILES}


def test_pictures_are_encoded_like_celebas(written: SynthSummary) -> None:
    for path in pictures(written.out)[:10]:
        with Image.open(path) as image:
            assert image.format == "JPEG"
            assert image.size == (178, 218)
            assert image.mode == "RGB"
            assert "progressive" not in image.info
            assert isinstance(image, JpegImagePlugin.JpegImageFile)
            assert JpegImagePlugin.get_sampling(image) == 2  # 4:2:0


def test_files_are_as_large_as_celebas(written: SynthSummary) -> None:
    sizes = [path.stat().st_size for path in pictures(written.out)]
    assert 7_000 < np.mean(sizes) < 9_000
    assert written.num_bytes == sum(sizes)


def test_text_files_have_celebas_form(written: SynthSummary) -> None:
    out = written.out
    attributes = lines(out, "list_attr_celeba.txt")
    assert attributes[0] == str(COUNT)
    assert attributes[1] == (
        "5_o_Clock_Shadow Arched_Eyebrows Attractive Bags_Under_Eyes Bald Bangs Big_Lips Big_Nose "
        "Black_Hair Blond_Hair Blurry Brown_Hair Bushy_Eyebrows Chubby Double_Chin Eyeglasses "
        "Goatee Gray_Hair Heavy_Makeup High_Cheekbones Male Mouth_Slightly_Open Mustache "
        "Narrow_Eyes No_Beard Oval_Face Pale_Skin Pointy_Nose Receding_Hairline Rosy_Cheeks "
        "Sideburns Smiling Straight_Hair Wavy_Hair Wearing_Earrings Wearing_Hat Wearing_Lipstick "
        "Wearing_Necklace Wearing_Necktie Young "
    )
    assert all(len(line) == len("000001.jpg") + 40 * 3 for line in attributes[2:])
    landmarks = lines(out, "list_landmarks_align_celeba.txt")
    assert landmarks[:2] == [
        str(COUNT),
        "lefteye_x lefteye_y righteye_x righteye_y nose_x nose_y leftmouth_x leftmouth_y "
        "rightmouth_x rightmouth_y",
    ]
    boxes = lines(out, "list_bbox_celeba.txt")
    assert boxes[:2] == [str(COUNT), "image_id x_1 y_1 width height"]
    assert lines(out, "identity_CelebA.txt")[0] == "000001.jpg 1"
    assert lines(out, "list_eval_partition.txt")[0] == "000001.jpg 0"
    assert lines(out, "list_eval_partition.txt")[-1] == f"{COUNT:06d}.jpg 2"
    for rows, num_head in ((attributes, 2), (landmarks, 2), (boxes, 2)):
        assert len(rows) == COUNT + num_head
        assert rows[num_head].startswith("000001.jpg ")


def test_torchvision_reads_the_set(written: SynthSummary, monkeypatch: pytest.MonkeyPatch) -> None:
    # It would compare checksums with CelebA's own.
    monkeypatch.setattr(CelebA, "_check_integrity", lambda self: True)
    kinds = ["attr", "identity", "bbox", "landmarks"]
    numbers: list[set[int]] = []
    for part in ("train", "valid", "test"):
        data = CelebA(written.out.parent, split=part, target_type=kinds)
        assert len(data) == written.num_images[part]
        numbers.append(set(data.identity.flatten().tolist()))
    assert sum(written.num_images.values()) == COUNT
    assert not any(a & b for a, b in [*pairwise(numbers), (numbers[0], numbers[2])])
    first = CelebA(written.out.parent, split="all", target_type=kinds)
    image, (attr, identity, box, landmarks) = first[0]
    annotation = annotate(_face(0, 0))
    with image:
        assert image.size == (178, 218)
    assert attr.tolist() == annotation.attributes.astype(int).tolist()
    assert identity.item() == 1
    assert box.tolist() == annotation.box.tolist()
    assert landmarks.tolist() == annotation.landmarks.tolist()


def _face(person: int, number: int) -> Face:
    identity = sample_identity(SEED, person)
    return Face(identity, sample_picture(SEED, number, identity))


def test_other_count_and_workers_draw_the_same_bytes(written: SynthSummary, tmp_path: Path) -> None:
    shorter = write_dataset(SynthConfig(out=tmp_path / "s", count=45, seed=SEED, workers=1))
    for path, other in zip(pictures(shorter.out), pictures(written.out), strict=False):
        assert path.read_bytes() == other.read_bytes()
    for name in TEXT_FILES[:3]:
        head = 2 if name.startswith("list") else 0
        assert lines(shorter.out, name)[head:] == lines(written.out, name)[head:][:45]


def test_interrupted_run_does_not_look_whole_and_is_drawn_again(tmp_path: Path) -> None:
    config = SynthConfig(out=tmp_path / "s", count=70, seed=1, workers=1)

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_dataset(config, interrupt)
    assert pictures(config.out)
    assert not any((config.out / name).exists() for name in TEXT_FILES)
    shorter = SynthConfig(out=config.out, count=3, seed=1, workers=1)
    summary = write_dataset(shorter)
    assert summary.restarted
    assert len(pictures(config.out)) == 3
    assert {path.name for path in config.out.iterdir()} == {"img_align_celeba", *TEXT_FILES}


@pytest.mark.parametrize("name", ["list_eval_partition.txt", "img_align_celeba", "notes"])
def test_folder_that_holds_something_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(FaceaeError, match="is not empty; name a new folder"):
        write_dataset(SynthConfig(out=tmp_path, count=1))
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_out_that_is_a_file_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "faces"
    out.write_text("mine")
    with pytest.raises(FaceaeError, match="faces is a file; name a new or empty folder"):
        write_dataset(SynthConfig(out=out, count=1))
    assert out.read_text() == "mine"


def test_out_below_a_file_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        write_dataset(SynthConfig(out=tmp_path / "file" / "faces", count=1))


def test_error_of_a_drawing_process_ends_the_run(tmp_path: Path) -> None:
    config = SynthConfig(out=tmp_path / "s", count=300, workers=1)

    def lose_the_folder(done: int, total: int) -> None:
        if (config.out / "img_align_celeba").exists():
            (config.out / "img_align_celeba").rename(config.out / "lost")

    with pytest.raises(FileNotFoundError, match="img_align_celeba"):
        write_dataset(config, lose_the_folder)
    assert not any((config.out / name).exists() for name in TEXT_FILES)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": 0}, "`count` must be 1 to 999,999, got 0"),
        ({"count": 1_000_000}, "`count` must be 1 to 999,999"),
        ({"seed": -1}, "`seed` must not be negative, got -1"),
        ({"workers": 0}, "`workers` must be at least 1, got 0"),
    ],
)
def test_bad_number_is_refused(tmp_path: Path, change: dict[str, int], message: str) -> None:
    with pytest.raises(FaceaeError, match=message):
        SynthConfig(**{"out": tmp_path, "count": 1, **change})
