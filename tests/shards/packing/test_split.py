"""Which image goes to which split."""

import dataclasses
from collections import Counter
from pathlib import Path

import pytest

from faceae_shards.packing._split import split_entries
from faceae_shards.sources import find_annotations, list_source
from faceae_shards.sources._source import Entries, Entry

SHARES = (0.9, 0.05, 0.05)


def split(
    folder: Path, names: list[str], fractions: tuple[float, float, float], seed: int = 0
) -> tuple[str, list[str]]:
    """By what images of these names are split, and the split of each."""
    entries = Entries(Entry(name, 1) for name in names)
    source = dataclasses.replace(list_source(folder), entries=entries)
    found = split_entries(source, find_annotations(list_source(folder)), fractions, seed)
    assert found.reason
    return found.by, found.names


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
    "names",
    [
        ["a/1.jpg", "a/2.jpg"],
        ["a/1.jpg", "2.jpg"],
        ["a/1.jpg", "b/c/2.jpg"],
        [f"{mood}/{mood}{i}.jpg" for mood in ("Happy", "sad", "neutral") for i in range(20)],
        [f"{kind}/{kind}{i}.jpg" for kind in ("a", "Real", "fake") for i in range(6)],
        [f"{sex}/{number}.jpg" for sex in ("male", "female") for number in range(30)],
        [f"{age}/{age}-{number}.jpg" for age in range(10) for number in range(80)],
        [f"{number // 100:05}/{number:05}.png" for number in range(2500)],
    ],
    ids=["one", "beside", "deep", "moods", "kinds", "two", "classes", "numbered"],
)
def test_folders_that_are_not_people(bare: Path, names: list[str]) -> None:
    assert split(bare, names, SHARES)[0] == "image"


@pytest.mark.parametrize(
    "names",
    [
        ["train/a.jpg", "val/b.jpg", "test/c.jpg"],
        ["photos/Training/male/a.jpg", "photos/Valid/male/b.jpg", "photos/TEST/female/c.jpg"],
        ["data/split=train/a.jpg", "data/split=validation/b.jpg", "data/split=test/c.jpg"],
        ["Training Set/a.jpg", "Validation Set/b.jpg", "Test Set/c.jpg"],
        ["train2017/a.jpg", "val2017/b.jpg", "test2/c.jpg"],
        ["WIDER_train/0/a.jpg", "WIDER_val/0/b.jpg", "WIDER_test/0/c.jpg"],
        ["trainA/a.jpg", "valB/b.jpg", "testA/c.jpg"],
        ["trainset/a.jpg", "dev/b.jpg", "eval/c.jpg"],
        ["test/train/a.jpg", "test/val/b.jpg", "test/test/c.jpg"],
    ],
)
def test_folders_named_by_split(bare: Path, names: list[str]) -> None:
    assert split(bare, names, SHARES) == ("source", ["train", "valid", "test"])


def test_images_outside_the_split_folders_are_for_training(bare: Path) -> None:
    assert split(bare, ["train/a.jpg", "test/b.jpg", "c.jpg"], SHARES)[1] == [
        "train",
        "test",
        "train",
    ]


@pytest.mark.parametrize("names", [["train/a.jpg"] * 3, ["test/a.jpg"] * 3, ["trainer/a.jpg"] * 3])
def test_one_split_folder_alone_says_nothing(bare: Path, names: list[str]) -> None:
    assert split(bare, names, SHARES)[0] == "image"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("{}.jpg", "{}_small.jpg"),
        ("{}.jpg", "{}-300x300.jpg"),
        ("{}.png", "{}@2x.png"),
        ("IMG_{}.jpg", "IMG_{} (1).jpg"),
        ("IMG_{}.jpg", "IMG_{}-edited.jpg"),
        ("IMG_{}.jpg", "IMG_{} - Copy (2).jpg"),
        ("IMG_{}.jpg", "IMG_{}_small copy.jpg"),
        ("{}.jpg", "{}.png"),
        ("images1024x1024/{}.png", "thumbnails128x128/{}.png"),
        ("original/{}.jpg", "256/{}.jpg"),
        ("large/p{}/1.jpg", "small/p{}/1.jpg"),
    ],
)
def test_two_sizes_of_a_picture_stay_together(bare: Path, first: str, second: str) -> None:
    names = [form.format(number) for form in (first, second) for number in range(40)]
    _, splits = split(bare, names, (0.5, 0.25, 0.25))
    assert splits[:40] == splits[40:]
    assert set(splits) == {"train", "valid", "test"}


def test_folders_of_sizes_are_no_people(bare: Path) -> None:
    names = [f"{size}/face_{n}.jpg" for size in ("64x64", "128x128", "256x256") for n in range(8)]
    by, splits = split(bare, names, (0.5, 0.25, 0.25))
    assert by == "image"
    assert splits[:8] == splits[8:16] == splits[16:]


def test_numbered_folders_of_equal_names_are_people(bare: Path) -> None:
    names = [f"{person:03}/{number}.jpg" for person in range(12) for number in range(4)]
    assert split(bare, names, SHARES)[0] == "person"


def test_rows_of_one_name_are_not_one_picture(bare: Path) -> None:
    _, splits = split(bare, ["face.jpg"] * 40, (0.5, 0.25, 0.25))
    assert Counter(splits) == {"train": 20, "valid": 10, "test": 10}


def test_folders_in_shards_are_no_people(bare: Path) -> None:
    entries = Entries(Entry(f"p{i}/{j}.jpg", 1) for i in range(12) for j in range(4))
    source = dataclasses.replace(list_source(bare), entries=entries, kind="shards")
    found = split_entries(source, find_annotations(list_source(bare)), SHARES, 0)
    assert found.by == "image"


def test_the_same_names_of_other_people_do_not_join_them(bare: Path) -> None:
    names = [f"p{person:02}/{number}.jpg" for person in range(30) for number in range(3)]
    by, splits = split(bare, names, SHARES)
    assert by == "person"
    assert all(len(set(splits[start : start + 3])) == 1 for start in range(0, 90, 3))


@pytest.mark.parametrize("names", [[f"{n}.jpg" for n in range(3)], [f"p{n}/1.jpg" for n in "abc"]])
def test_three_images_fill_three_splits(bare: Path, names: list[str]) -> None:
    assert sorted(split(bare, names, SHARES)[1]) == ["test", "train", "valid"]


def test_identities_keep_people_together_without_a_partition(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        (tmp_path / f"00000{number}.jpg").write_bytes(b"x")
    table = "000001.jpg 28\n000002.jpg 7\n000003.jpg 28\n"
    (tmp_path / "identity_CelebA.txt").write_text(table)
    by, splits = split(tmp_path, ["000001.jpg", "000002.jpg", "000003.jpg"], (0.5, 0.5, 0.0))
    assert by == "person"
    assert splits[0] == splits[2]


def test_the_same_file_twice_in_a_zip_stays_together(bare: Path, tmp_path: Path) -> None:
    names = [f"{form}{number}.jpg" for form in ("a", "b") for number in range(30)]
    entries = Entries(Entry(name, 9, crc=1000 + n % 30) for n, name in enumerate(names))
    source = dataclasses.replace(list_source(bare), kind="zip", entries=entries)
    splits = split_entries(source, find_annotations(list_source(bare)), (0.5, 0.5, 0), 0).names
    assert splits[:30] == splits[30:]
    assert set(splits) == {"train", "valid"}
