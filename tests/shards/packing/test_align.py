"""Packing of aligned faces, with a detector that sees bright squares; and of far too large ones."""

import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from faceae_shards import NO_FACE, PackConfig, ShardsError, open_dataset, pack, verify
from faceae_shards.faces import ALIGNED_HEIGHT, ALIGNED_WIDTH, LANDMARK_NAMES, TARGETS, Face
from faceae_shards.packing import _encoder, _pack, _plan

Configure = Callable[..., PackConfig]
HashTree = Callable[[Path], dict[str, str]]

BRIGHT = 200


def see_squares(image_HWC: NDArray[np.uint8], which: str) -> list[Face]:
    """Return a face for each column of grey squares, the largest first; the first unless `all`."""
    is_bright = (image_HWC[..., 0] > BRIGHT).any(axis=0)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_bright, [False]])))
    faces = []
    for left, right in edges.reshape(-1, 2).tolist():
        rows = np.flatnonzero((image_HWC[:, left:right, 0] > BRIGHT).any(axis=1))
        side, middle = right - left, [(left + right) / 2, float(rows.mean())]
        landmarks = (TARGETS - TARGETS.mean(axis=0)) * side / 40 + middle
        faces.append(Face(box=(left, rows[0], side, side), score=1.0, landmarks=landmarks))
    faces.sort(key=lambda face: -face.box[2])
    return faces if which == "all" else faces[:1]


@pytest.fixture(autouse=True)
def stub_detector(monkeypatch: pytest.MonkeyPatch) -> None:
    """See squares, without the extra."""

    def find(image_HWC: NDArray[np.uint8], **options: Any) -> list[Face]:
        if "which" in options:
            return see_squares(image_HWC, options["which"])
        return original(image_HWC, **options)

    original = _encoder.find_faces
    monkeypatch.setattr(_encoder, "find_faces", find)
    for module in (_encoder, _pack, _plan):
        monkeypatch.setattr(module, "check_detector", lambda: "stub")


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    """Twelve pictures of 400x300: number n has n % 4 faces, of 60, 50 and 40 pixels."""
    folder = tmp_path / "scenes"
    folder.mkdir()
    for number in range(12):
        draw_scene(folder / f"{number:02}.png", number % 4)
    return folder


def draw_scene(path: Path, num_faces: int, width: int = 400, height: int = 300) -> None:
    scene = np.full((height, width, 3), 60, np.uint8)
    scene[..., 2] = int(path.stem[-2:]) if path.stem[-2:].isdecimal() else 99
    for face in range(num_faces):
        side = 60 - 10 * face
        scene[100 : 100 + side, 60 + 110 * face :][:, :side] = [220, 10 * face, 0]
    Image.fromarray(scene).save(path)


def read_samples(out: Path, split: str = "train") -> dict[str, dict[str, Any]]:
    """The json of each key of a split."""
    samples = {}
    for tar in sorted(out.glob(f"{split}/*.tar")):
        with tarfile.open(tar) as members:
            for member in members:
                if member.name.endswith(".json"):
                    file = members.extractfile(member)
                    assert file is not None
                    samples[member.name.removesuffix(".json")] = json.load(file)
    return samples


def test_the_largest_face_of_each_picture(configure: Configure, scenes: Path) -> None:
    config = configure(source=scenes, align=True, split=(1, 0, 0))
    summary = pack(config)
    assert summary.num_samples == {"train": 9}
    assert summary.num_rejected == {NO_FACE: 3}
    dataset = open_dataset(config.out)
    assert (dataset.crop, dataset.image_size, dataset.is_aligned) == (178, (178, 178), True)
    assert dataset.manifest.aligned
    samples = read_samples(config.out)
    assert all(int(key) < 12 for key in samples)
    for sample in samples.values():
        assert set(sample["landmarks"]) == set(LANDMARK_NAMES)
        assert sample["landmarks"]["lefteye"][0] < 90  # the largest lies left
    assert verify(config.out, workers=1).problems == ()


@pytest.mark.parametrize("encoding", ["jpg", "npy"])
def test_every_face_of_each_picture(configure: Configure, scenes: Path, encoding: str) -> None:
    config = configure(
        source=scenes, align=True, face="all", size=32, encoding=encoding, split=(1, 0, 0)
    )
    assert pack(config).num_samples == {"train": 18}
    by_name: dict[str, list[str]] = {}
    for key, sample in read_samples(config.out).items():
        assert int(key) % 100 == sample["face"]
        by_name.setdefault(sample["name"], []).append(key)
    assert {name: len(keys) for name, keys in by_name.items()} == {
        f"{number:02}.png": number % 4 for number in range(12) if number % 4
    }
    for keys in by_name.values():
        assert len({int(key) // 100 for key in keys}) == 1
    assert open_dataset(config.out).manifest.num_duplicates == 0
    lines = (config.out / "rejected.jsonl").read_text("utf-8").splitlines()
    assert all(json.loads(line)["key"] % 100 == 0 for line in lines)
    assert verify(config.out, workers=1).problems == ()


def test_an_interrupted_pack_ends_in_the_same_bytes(
    configure: Configure, scenes: Path, tmp_path: Path, hash_tree: HashTree
) -> None:
    options = {"source": scenes, "align": True, "face": "all", "samples_per_shard": 2}
    whole = configure(out=tmp_path / "whole", **options)
    pack(whole)
    halved = configure(out=tmp_path / "halved", **options)

    def interrupt(done: int, total: int) -> None:
        if done >= total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack(halved, interrupt)
    pack(halved)
    assert hash_tree(halved.out) == hash_tree(whole.out)
    assert pack(halved).already_complete


@pytest.mark.parametrize("other", [{"align": False}, {"align": True, "face": "centre"}])
def test_other_alignment_is_another_dataset(
    configure: Configure, scenes: Path, other: dict[str, Any]
) -> None:
    pack(configure(source=scenes, align=True, size=32))
    with pytest.raises(ShardsError, match="`align` or `face`"):
        pack(configure(source=scenes, crop=178, size=32, **other))


def test_pictures_without_a_face_never_stop_a_pack(configure: Configure, scenes: Path) -> None:
    for number in range(20):
        draw_scene(scenes / f"x{number:02}.png", 0)
    summary = pack(configure(source=scenes, align=True, max_rejected=0))
    assert summary.num_rejected == {NO_FACE: 23}


def test_a_source_without_a_face(configure: Configure, tmp_path: Path) -> None:
    folder = tmp_path / "landscapes"
    folder.mkdir()
    for number in range(15):
        draw_scene(folder / f"{number:02}.png", 0)
    with pytest.raises(ShardsError, match=r"15 no face found .*`align`"):
        pack(configure(source=folder, align=True))


def test_an_aligned_picture_is_kept_in_place(
    configure: Configure, tmp_path: Path, hash_tree: HashTree
) -> None:
    folder = tmp_path / "celeba"
    folder.mkdir()
    for number in range(4):
        image = np.random.default_rng(number).integers(0, 90, (ALIGNED_HEIGHT, ALIGNED_WIDTH, 3))
        image[112:152, 68:108] = 255
        Image.fromarray(image.astype(np.uint8)).save(folder / f"{number}.png")
    options = {"source": folder, "crop": 178, "size": 64, "split": (1, 0, 0), "encoding": "npy"}
    plain, aligned = (
        configure(out=tmp_path / name, align=name == "aligned", **options)
        for name in ("plain", "aligned")
    )
    assert read_pixels(pack(plain).out) == read_pixels(pack(aligned).out)


def read_pixels(out: Any) -> list[bytes]:
    with tarfile.open(out / "train" / "train-000000.tar") as tar:
        files = [tar.extractfile(member) for member in tar if member.name.endswith(".npy")]
        return [file.read() for file in files if file is not None]


def write_table(path: Path, columns: str, rows: dict[str, list[float]]) -> None:
    lines = [f"{name} {' '.join(map(str, values))}" for name, values in rows.items()]
    path.write_text("\n".join([str(len(rows)), columns, *lines, ""]))


POINTS = " ".join(f"{name}_x {name}_y" for name in LANDMARK_NAMES)
SECOND = ((TARGETS - TARGETS.mean(axis=0)) / 2 + [190, 125]).reshape(-1).round(1).tolist()


def test_landmarks_in_the_wild_come_before_detection(
    configure: Configure, scenes: Path, tmp_path: Path
) -> None:
    names = [file.name for file in sorted(scenes.iterdir())]
    aligned = TARGETS.reshape(-1).tolist()
    anno = tmp_path / "Anno"
    anno.mkdir()
    write_table(anno / "list_landmarks_celeba.txt", POINTS, dict.fromkeys(names, SECOND))
    write_table(anno / "list_landmarks_align_celeba.txt", POINTS, dict.fromkeys(names, aligned))
    config = configure(source=scenes, align=True, split=(1, 0, 0))
    assert pack(config).num_samples == {"train": 12}
    for sample in read_samples(config.out).values():
        points = [sample["landmarks"][name] for name in LANDMARK_NAMES]
        assert np.ravel(points).tolist() == pytest.approx(SECOND)
        assert "wild_landmarks" not in sample
    assert open_dataset(config.out).manifest.annotations == ("landmarks",)


def test_a_table_in_the_wild_changes_no_other_pack(
    configure: Configure, scenes: Path, tmp_path: Path, hash_tree: HashTree
) -> None:
    pack(configure(source=scenes, out=tmp_path / "before"))
    rows = dict.fromkeys([file.name for file in scenes.iterdir()], SECOND)
    write_table(tmp_path / "list_landmarks_celeba.txt", POINTS, rows)
    pack(configure(source=scenes, out=tmp_path / "after"))
    assert hash_tree(tmp_path / "before") == hash_tree(tmp_path / "after")


def write_tar(path: Path, scenes: Path, described: dict[str, Any]) -> Path:
    """A folder with one tar of the scenes, each with the same json."""
    (path / "json").mkdir(parents=True)
    with tarfile.open(path / "shard-0.tar", "w") as tar:
        for file in sorted(scenes.iterdir()):
            text = path / "json" / f"{file.stem}.json"
            text.write_text(json.dumps(described))
            tar.add(file, file.name)
            tar.add(text, text.name)
            text.unlink()
    (path / "json").rmdir()
    return path


@pytest.mark.parametrize("as_list", [True, False])
def test_landmarks_of_a_json_come_before_detection(
    configure: Configure, scenes: Path, tmp_path: Path, as_list: bool
) -> None:
    pairs = np.reshape(SECOND, (5, 2)).tolist()
    landmarks = pairs if as_list else dict(zip(LANDMARK_NAMES, pairs, strict=True))
    source = write_tar(tmp_path / "tars", scenes, {"landmarks": landmarks})
    config = configure(source=source, align=True, split=(1, 0, 0))
    assert pack(config).num_samples == {"train": 12}
    found = [sample["landmarks"]["lefteye"] for sample in read_samples(config.out).values()]
    assert found == [pairs[0]] * 12


@pytest.mark.parametrize("landmarks", [[[0, 0]] * 5, [["a", 1]] * 5, [None] * 5])
def test_damaged_landmarks_of_a_json_are_refused(
    configure: Configure, scenes: Path, tmp_path: Path, landmarks: Any
) -> None:
    source = write_tar(tmp_path / "tars", scenes, {"landmarks": landmarks})
    with pytest.raises(ShardsError, match="bad landmarks"):
        pack(configure(source=source, align=True))


def test_landmarks_of_a_cropped_dataset_are_not_used(
    configure: Configure, scenes: Path, tmp_path: Path
) -> None:
    rows = dict.fromkeys([file.name for file in scenes.iterdir()], SECOND)
    write_table(tmp_path / "list_landmarks_align_celeba.txt", POINTS, rows)
    first = configure(source=scenes, out=tmp_path / "first", crop=280, split=(1, 0, 0))
    pack(first)
    again = configure(source=first.out, out=tmp_path / "again", align=True, split=(1, 0, 0))
    assert pack(again).num_rejected == {NO_FACE: 3}


def test_faces_with_few_pixels_are_a_warning(configure: Configure, scenes: Path) -> None:
    summary = pack(configure(source=scenes, align=True, size=600))
    assert summary.num_enlarged == 9
    (warning,) = summary.warnings
    assert "9 faces" in warning
    assert "`size`" in warning


def test_pictures_far_larger_than_the_crop_are_one_warning(
    configure: Configure, scenes: Path
) -> None:
    draw_scene(scenes / "small.png", 0, 120, 90)
    config = configure(source=scenes, crop=64, split=(1, 0, 0))
    summary = pack(config)
    assert summary.num_far_larger == 12
    (warning,) = summary.warnings
    assert "12 pictures" in warning
    assert "`align=True`" in warning
    assert pack(config).warnings == summary.warnings


def test_ordinary_packs_have_no_warning(configure: Configure) -> None:
    config = configure(crop=32, size=16)
    assert pack(config).warnings == ()
    content = json.loads((config.out / "dataset.json").read_text("utf-8"))
    assert not {"num_far_larger", "num_enlarged"} & set(content)
    assert not {"align", "detector_sha256"} & set(content["config"])


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"face": "smallest"}, "`face`"),
        ({"face": "all"}, "`align=True`"),
        ({"align": True, "crop": 200}, "`crop` must be at most 178"),
    ],
)
def test_options(configure: Configure, options: dict[str, Any], named: str) -> None:
    with pytest.raises(ShardsError, match=named):
        configure(**options)


def test_size_may_exceed_the_crop_of_an_aligned_face(configure: Configure) -> None:
    assert configure(align=True, crop=140, size=256).image_size == 256


def test_keys_are_limited(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_plan, "KEY_DIGITS", 3)
    with pytest.raises(ShardsError, match=r"`face='all'` packs at most 10 images per split"):
        pack(configure(align=True, face="all"))


def test_boxes_in_the_wild_come_before_detection(
    configure: Configure, scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("faceae_shards.faces._photograph.detect_in_box", lambda *_: None)
    rows: dict[str, list[float]] = {file.name: [160, 95, 40, 56] for file in scenes.iterdir()}
    write_table(tmp_path / "list_bbox_celeba.txt", "x_1 y_1 width height", rows)
    config = configure(source=scenes, align=True, split=(1, 0, 0))
    assert pack(config).num_samples == {"train": 12}
    for sample in read_samples(config.out).values():
        assert 160 < sample["landmarks"]["lefteye"][0] < sample["landmarks"]["righteye"][0] < 200


def test_tables_do_not_fit_a_picture_that_exif_turns(configure: Configure, tmp_path: Path) -> None:
    folder = tmp_path / "turned"
    folder.mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    scene = np.full((300, 400, 3), 60, np.uint8)
    scene[100:160, 300:360] = [230, 0, 0]
    Image.fromarray(scene).save(folder / "0.jpg", quality=95, exif=exif)
    write_table(tmp_path / "list_landmarks_celeba.txt", POINTS, {"0.jpg": SECOND})
    config = configure(source=folder, align=True, split=(1, 0, 0))
    pack(config)
    (sample,) = read_samples(config.out).values()
    nose = sample["landmarks"]["nose"]
    assert nose == pytest.approx([170, 330], abs=12)  # of the upright picture, 300x400


def test_landmarks_outside_the_picture_are_not_its_own(
    configure: Configure, scenes: Path, tmp_path: Path
) -> None:
    far = [coordinate + 900 for coordinate in SECOND]
    rows = {file.name: far for file in scenes.iterdir()}
    write_table(tmp_path / "list_landmarks_celeba.txt", POINTS, rows)
    assert pack(configure(source=scenes, align=True)).num_rejected == {NO_FACE: 3}


def test_a_box_of_zeros_is_none(configure: Configure, scenes: Path, tmp_path: Path) -> None:
    boxes: dict[str, list[float]] = {file.name: [0, 0, 0, 0] for file in scenes.iterdir()}
    write_table(tmp_path / "list_bbox_celeba.txt", "x_1 y_1 width height", boxes)
    summary = pack(configure(source=scenes, align=True, split=(1, 0, 0)))
    assert set(summary.num_rejected) == {NO_FACE}
    assert sum(summary.num_samples.values()) == 9
