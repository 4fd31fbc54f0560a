"""CelebA's annotation files, and splits."""

import dataclasses
from collections import Counter
from pathlib import Path

import pytest

from faceae_shards import ShardsError
from faceae_shards.packing._split import split_entries
from faceae_shards.sources import _celeba
from faceae_shards.sources._celeba import describe_shortfall, find_annotations
from faceae_shards.sources._detect import list_source
from faceae_shards.sources._source import Entries, Entry

FILES = {
    "list_eval_partition.txt": "000001.jpg 0\n000002.jpg 1\n000003.jpg 2\n",
    "identity_CelebA.txt": "000001.jpg 28\n000002.jpg 7\n000003.jpg 28\n",
    "list_attr_celeba.txt": (
        "3\nMale Smiling \n000001.jpg -1  1\n000002.jpg  1 -1\n000003.jpg  1  1\n"
    ),
    "list_bbox_celeba.txt": (
        "3\nimage_id x_1 y_1 width height\n"
        "000001.jpg    95  71 226 313\n000002.jpg 72 94 221 306\n000003.jpg 1 2 3 4\n"
    ),
    "list_landmarks_align_celeba.txt": (
        "3\nlefteye_x lefteye_y nose_x nose_y\n"
        "000001.jpg 69 109 77 142\n000002.jpg 69 110 76 140\n000003.jpg 1 2 3 4\n"
    ),
}


CSV_FILES = {
    "list_eval_partition.csv": "image_id,partition\n000001.jpg,0\n000002.jpg,1\n000003.jpg,2\n",
    "list_attr_celeba.csv": (
        "image_id,Male,Smiling\r\n000001.jpg,-1,1\r\n000002.jpg,1,-1\r\n000003.jpg,1,1\r\n"
    ),
    "list_bbox_celeba.csv": (
        "image_id,x_1,y_1,width,height\n"
        "000001.jpg,95,71,226,313\n000002.jpg,72,94,221,306\n000003.jpg,1,2,3,4\n"
    ),
    "list_landmarks_align_celeba.csv": (
        "image_id,lefteye_x,lefteye_y,nose_x,nose_y\n"
        "000001.jpg,69,109,77,142\n000002.jpg,69,110,76,140\n000003.jpg,1,2,3,4\n"
    ),
}
"""As on Kaggle, which has no identities."""


def make_images(folder: Path, suffix: str = ".jpg") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in (1, 2, 3):
        (folder / f"{number:06}{suffix}").write_bytes(b"x")


def write_files(folder: Path, **changed: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in FILES.items():
        (folder / name).write_text(changed.get(name.partition(".")[0], text))


@pytest.mark.parametrize("place", ["img/..", "img", "img/../Anno"])
def test_files_are_found_inside_and_beside(tmp_path: Path, place: str) -> None:
    make_images(tmp_path / "img")
    write_files((tmp_path / place).resolve())
    source = list_source(tmp_path / "img")
    annotations = find_annotations(source)
    assert annotations.attribute_names == ("Male", "Smiling")
    assert annotations.fields == ("attributes", "identity", "box", "landmarks")
    assert annotations.get_partition() == ["train", "valid", "test"]
    assert annotations.describe(0) == {
        "attributes": {"Male": -1, "Smiling": 1},
        "identity": 28,
        "box": [95, 71, 226, 313],
        "landmarks": {"lefteye": (69, 109), "nose": (77, 142)},
    }


def test_files_above_nested_images(tmp_path: Path) -> None:
    make_images(tmp_path / "img_align_celeba" / "img_align_celeba")
    write_files(tmp_path)
    assert find_annotations(list_source(tmp_path)).attribute_names == ("Male", "Smiling")


@pytest.mark.parametrize(
    "source", ["archive", "archive/img_align_celeba", "archive/img_align_celeba/img_align_celeba"]
)
def test_csv_files_and_nested_images_of_kaggle(tmp_path: Path, source: str) -> None:
    make_images(tmp_path / "archive" / "img_align_celeba" / "img_align_celeba")
    for name, text in CSV_FILES.items():
        (tmp_path / "archive" / name).write_text(text, newline="")
    listed = list_source(tmp_path / source)
    annotations = find_annotations(listed)
    assert annotations.get_partition() == ["train", "valid", "test"]
    assert annotations.describe(0) == {
        "attributes": {"Male": -1, "Smiling": 1},
        "box": [95, 71, 226, 313],
        "landmarks": {"lefteye": (69, 109), "nose": (77, 142)},
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("000001.jpg,1,1\n", "does not begin with image_id"),
        ("image_id,Male,Smiling\n000001.jpg,1\n", "is not CelebA's file"),
        ("<html>", "is an HTML page"),
    ],
)
def test_damaged_csv(tmp_path: Path, text: str, message: str) -> None:
    make_images(tmp_path)
    (tmp_path / "list_attr_celeba.csv").write_text(text)
    with pytest.raises(ShardsError, match=f"list_attr_celeba.csv {message}"):
        find_annotations(list_source(tmp_path))


def test_same_table_as_text_and_csv(tmp_path: Path) -> None:
    make_images(tmp_path)
    write_files(tmp_path)
    (tmp_path / "list_attr_celeba.csv").write_text(CSV_FILES["list_attr_celeba.csv"])
    with pytest.raises(ShardsError, match=r"twice: list_attr_celeba\.csv, list_attr_celeba\.txt"):
        find_annotations(list_source(tmp_path))


@pytest.mark.parametrize(
    ("folder", "annotated", "expected"),
    [
        ("photos", False, None),
        ("img_align_celeba", False, "CelebA has 202,599 images, this source holds 3"),
        ("photos", True, "CelebA has 202,599 images, this source holds 3"),
    ],
)
def test_part_of_celeba(tmp_path: Path, folder: str, annotated: bool, expected: str | None) -> None:
    make_images(tmp_path / folder)
    if annotated:
        write_files(tmp_path / folder)
    source = list_source(tmp_path / folder)
    assert describe_shortfall(source, find_annotations(source)) == expected


def test_png_edition_matches_by_stem(tmp_path: Path) -> None:
    make_images(tmp_path, ".png")
    write_files(tmp_path)
    source = list_source(tmp_path)
    assert find_annotations(source).get_identities() == [28, 7, 28]


def test_without_files(tmp_path: Path) -> None:
    make_images(tmp_path / "img")
    source = list_source(tmp_path / "img")
    annotations = find_annotations(source)
    assert annotations.get_partition() is None
    assert annotations.describe(0) == {}


def test_image_that_no_file_lists(tmp_path: Path) -> None:
    make_images(tmp_path)
    write_files(tmp_path)
    (tmp_path / "mine.jpg").write_bytes(b"x")
    with pytest.raises(ShardsError, match=r"all but 1 of the 4 images \(first: mine\.jpg\)"):
        find_annotations(list_source(tmp_path))


def test_file_that_is_there_twice(tmp_path: Path) -> None:
    make_images(tmp_path)
    write_files(tmp_path / "a")
    write_files(tmp_path / "b")
    with pytest.raises(ShardsError, match=r"holds list_eval_partition twice: a/.*, b/"):
        find_annotations(list_source(tmp_path))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("list_attr_celeba", "<!DOCTYPE html>\n<html>", "is an HTML page"),
        ("list_attr_celeba", "", "is empty"),
        ("list_attr_celeba", "4\nMale\n000001.jpg 1\n", "announces 4 images and lists 1"),
        ("list_attr_celeba", "000001.jpg 1\n" * 3, "does not begin with an image count"),
        ("list_attr_celeba", "1\nMale Smiling\n000001.jpg 1\n", "is not CelebA's file"),
        ("list_eval_partition", "000001.jpg train\n", "is not CelebA's file"),
        ("list_eval_partition", "000001.jpg 3\n", "a partition other than 0, 1 and 2"),
    ],
)
def test_damaged_file(tmp_path: Path, name: str, text: str, message: str) -> None:
    make_images(tmp_path)
    write_files(tmp_path, **{name: text})
    with pytest.raises(ShardsError, match=message):
        find_annotations(list_source(tmp_path))


def split(
    folder: Path, names: list[str], fractions: tuple[float, float, float], seed: int = 0
) -> tuple[str, list[str]]:
    entries = Entries(Entry(name, 1) for name in names)
    source = dataclasses.replace(list_source(folder), entries=entries)
    return split_entries(source, find_annotations(list_source(folder)), fractions, seed)


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "any.jpg").write_bytes(b"x")
    return tmp_path / "bare"


def test_people_stay_together_and_shares_are_near(bare: Path) -> None:
    # As in LFW: a few people with many pictures, most with one.
    sizes = [500, 200, 100, *[20] * 20, *[3] * 200, *[1] * 1500]
    names = [f"p{i}/{j}.jpg" for i, size in enumerate(sizes) for j in range(size)]
    by, splits = split(bare, names, (0.9, 0.05, 0.05))
    assert by == "person"
    held: dict[str, set[str]] = {}
    for name, chosen in zip(names, splits, strict=True):
        held.setdefault(name.split("/")[0], set()).add(chosen)
    assert all(len(chosen) == 1 for chosen in held.values())
    counts = Counter(splits)
    assert abs(counts["valid"] / len(names) - 0.05) < 0.002
    assert abs(counts["test"] / len(names) - 0.05) < 0.002


def test_few_people_still_fill_every_split(bare: Path) -> None:
    names = [f"p{i}/{j}.jpg" for i in range(12) for j in range(4)]
    _, splits = split(bare, names, (0.9, 0.05, 0.05))
    assert Counter(splits) == {"train": 40, "valid": 4, "test": 4}


def test_a_share_of_zero_gets_nothing(bare: Path) -> None:
    names = [f"p{i}/{j}.jpg" for i in range(12) for j in range(4)]
    _, splits = split(bare, names, (0.5, 0.5, 0.0))
    assert Counter(splits) == {"train": 24, "valid": 24}


def test_seed_changes_the_split_and_nothing_else_does(bare: Path) -> None:
    names = [f"{i}.jpg" for i in range(100)]
    first = split(bare, names, (0.8, 0.1, 0.1))
    assert first[0] == "image"
    assert Counter(first[1]) == {"train": 80, "valid": 10, "test": 10}
    assert split(bare, names, (0.8, 0.1, 0.1)) == first
    assert split(bare, names, (0.8, 0.1, 0.1), seed=1) != first


@pytest.mark.parametrize(
    "names", [["a/1.jpg", "a/2.jpg"], ["a/1.jpg", "2.jpg"], ["a/1.jpg", "b/c/2.jpg"]]
)
def test_folders_that_are_not_people(bare: Path, names: list[str]) -> None:
    assert split(bare, names, (0.9, 0.05, 0.05))[0] == "image"


def test_identities_keep_people_together_without_a_partition(tmp_path: Path) -> None:
    make_images(tmp_path)
    (tmp_path / "identity_CelebA.txt").write_text(FILES["identity_CelebA.txt"])
    by, splits = split(tmp_path, ["000001.jpg", "000002.jpg", "000003.jpg"], (0.5, 0.5, 0.0))
    assert by == "person"
    assert splits[0] == splits[2]


def test_table_in_another_order_than_the_images(tmp_path: Path) -> None:
    make_images(tmp_path)
    (tmp_path / "identity_CelebA.txt").write_text("000003.jpg 3\n000001.jpg 1\n000002.jpg 2\n")
    assert find_annotations(list_source(tmp_path)).get_identities() == [1, 2, 3]


def test_image_listed_twice(tmp_path: Path) -> None:
    make_images(tmp_path)
    path = tmp_path / "identity_CelebA.txt"
    path.write_text("000001.jpg 1\n000002.jpg 2\n000002.jpg 5\n000003.jpg 3\n")
    with pytest.raises(ShardsError, match=r"CelebA\.txt lists 000002\.jpg twice; keep one"):
        find_annotations(list_source(tmp_path))


def test_table_longer_than_a_block_and_wider_than_a_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_celeba, "_LINES_AT_ONCE", 2)
    make_images(tmp_path)
    (tmp_path / "identity_CelebA.txt").write_text("1.jpg 1\n2.jpg 200\n3.jpg 70000\n")
    for number in (1, 2, 3):
        (tmp_path / f"00000{number}.jpg").rename(tmp_path / f"{number}.jpg")
    assert find_annotations(list_source(tmp_path)).get_identities() == [1, 200, 70000]
