"""Images whose files hold the same bytes."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from faceae_shards import PackConfig, ShardsError, pack, verify
from faceae_shards.packing._duplicates import find_duplicates
from faceae_shards.sources._detect import list_source

Configure = Callable[..., PackConfig]
HashTree = Callable[[Path], dict[str, str]]


@pytest.fixture
def repeated(photos: Path) -> Path:
    """23 images: 03.jpg is there three times, 05.jpg twice."""
    for copy, original in (("a.jpg", "03.jpg"), ("z.jpg", "03.jpg"), ("06b.jpg", "05.jpg")):
        (photos / copy).write_bytes((photos / original).read_bytes())
    return photos


def test_first_in_the_sources_order_is_kept(repeated: Path) -> None:
    source = list_source(repeated)
    names = [entry.name for entry in source.entries]
    found = {names[a]: names[b] for a, b in find_duplicates(source, workers=1).items()}
    assert found == {"a.jpg": "03.jpg", "z.jpg": "03.jpg", "06b.jpg": "05.jpg"}


def test_same_size_is_not_enough_and_unreadable_files_are_no_duplicates(tmp_path: Path) -> None:
    for name, data in (("a.jpg", b"one"), ("b.jpg", b"two")):
        (tmp_path / name).write_bytes(data)
    for name in ("c.jpg", "d.jpg"):
        (tmp_path / name).symlink_to(tmp_path / "nowhere.jpg")
    assert find_duplicates(list_source(tmp_path), workers=1) == {}


def test_zip_members_of_one_checksum_are_compared(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("a.jpg", "b.jpg", "c.jpg"):
            archive.writestr(name, b"same" if name != "b.jpg" else b"diff")
    assert find_duplicates(list_source(tmp_path / "a.zip"), workers=1) == {2: 0}


def test_duplicates_are_counted_and_kept(configure: Configure, repeated: Path) -> None:
    summary = pack(configure())
    assert summary.num_duplicates == 3
    assert sum(summary.num_samples.values()) == 23


@pytest.mark.parametrize(
    ("copies", "num_across"),
    [({"train": 2, "valid": 1}, 1), ({"train": 1, "valid": 1, "test": 3}, 2), ({"test": 2}, 0)],
)
def test_a_file_in_several_splits_is_warned_about(
    photos: Path,
    configure: Configure,
    caplog: pytest.LogCaptureFixture,
    copies: dict[str, int],
    num_across: int,
) -> None:
    files = sorted(photos.glob("*.jpg"))
    for number, file in enumerate(files):
        split = ("train", "valid", "test")[number % 3]
        (photos / split).mkdir(exist_ok=True)
        file.rename(photos / split / file.name)
    data = (photos / "train" / files[0].name).read_bytes()
    (photos / "train" / files[0].name).unlink()
    for split, count in copies.items():
        for number in range(count):
            (photos / split / f"copy{number}.jpg").write_bytes(data)
    summary = pack(configure())
    assert summary.num_duplicates == sum(copies.values()) - 1
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert ["`drop_duplicates=True`" in text for text in warnings] == [True] * (num_across > 0)
    assert all(f"split: {num_across} image" in text for text in warnings)


def test_duplicates_are_dropped_the_same_by_any_number_of_workers(
    configure: Configure, repeated: Path, tmp_path: Path, hash_tree: HashTree
) -> None:
    summary = pack(configure(drop_duplicates=True, max_rejected=0.0))  # they are no bad images
    assert sum(summary.num_samples.values()) == 20
    assert summary.num_duplicates == 0
    assert summary.num_rejected == {"duplicate": 3}
    lines = map(json.loads, (summary.out / "rejected.jsonl").read_text("utf-8").splitlines())
    assert {line["name"]: line["detail"] for line in lines} == {
        "a.jpg": "the same bytes as 03.jpg",
        "z.jpg": "the same bytes as 03.jpg",
        "06b.jpg": "the same bytes as 05.jpg",
    }
    assert verify(summary.out, workers=1).problems == ()
    two = pack(configure(drop_duplicates=True, workers=2, out=tmp_path / "two")).out
    assert hash_tree(summary.out) == hash_tree(two)


def test_dropping_is_part_of_what_a_dataset_is(configure: Configure, repeated: Path) -> None:
    pack(configure())
    with pytest.raises(ShardsError, match="with other `drop_duplicates`"):
        pack(configure(drop_duplicates=True))
