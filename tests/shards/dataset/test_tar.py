"""Bytes of a tar and its index."""

import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceae_shards._format import hash_file
from faceae_shards.dataset._tar import (
    Sample,
    _build_header,
    format_index,
    format_line,
    group_members,
    publish_shard,
    read_members,
    write_shard,
)
from faceae_shards.storage._storage import LocalFolder


def make_samples(count: int) -> list[Sample]:
    return [Sample(key=k, members=(("jpg", b"j" * k), ("json", b"{}"))) for k in range(count)]


def write(folder: Path, samples: list[Sample]) -> Path:
    shard = write_shard(folder, "train/train-000000.tar", samples)
    assert shard is not None
    publish_shard(LocalFolder(folder), folder, shard)
    return folder / shard.name


@given(key=st.integers(0, 999_999_999), num_bytes=st.integers(0, 8**11 - 1))
def test_header_is_tarfiles(key: int, num_bytes: int) -> None:
    info = tarfile.TarInfo(f"{key:09}.jpg")
    info.size = num_bytes
    assert _build_header(info.name, num_bytes) == info.tobuf(tarfile.USTAR_FORMAT)


@pytest.mark.parametrize(
    "samples",
    [
        make_samples(1030),
        # 18, 19 and 20 blocks; a record has 20, and the end of a tar two.
        *(
            [Sample(key=0, members=(("jpg", bytes(512 * n)), ("json", b"{}")))]
            for n in range(15, 18)
        ),
    ],
    ids=["many", "18", "19", "20"],
)
def test_tar_is_what_tarfile_writes(tmp_path: Path, samples: list[Sample]) -> None:
    written = write(tmp_path, samples).read_bytes()
    with tarfile.open(tmp_path / "expected.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
        for sample in samples:
            for extension, data in sample.members:
                info = tarfile.TarInfo(f"{sample.key:09}.{extension}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    assert written == (tmp_path / "expected.tar").read_bytes()


def test_record_and_index_are_those_of_the_tar(tmp_path: Path) -> None:
    shard = write_shard(tmp_path, "train/train-000000.tar", make_samples(2))
    assert shard is not None
    publish_shard(LocalFolder(tmp_path), tmp_path, shard)
    tar, index = tmp_path / shard.name, tmp_path / shard.index_name
    assert index.read_text() == (
        "v1.2 2\n"
        "jpg 512 0 000000000.jpg json 1024 2 000000000.json\n"
        "jpg 2048 1 000000001.jpg json 3072 2 000000001.json\n"
    )
    assert (shard.num_samples, shard.num_bytes) == (2, tar.stat().st_size)
    assert (shard.sha256, shard.index_sha256) == (hash_file(tar), hash_file(index))
    assert shard.index_num_bytes == index.stat().st_size
    grouped = list(group_members(tar))
    assert [key for key, _ in grouped] == ["000000000", "000000001"]
    assert [[each.extension for each in members] for _, members in grouped] == [["jpg", "json"]] * 2
    lines = [format_line(members) for _, members in grouped]
    assert format_index(lines) == index.read_bytes()


def test_nothing_has_its_final_name_before_it_is_published(tmp_path: Path) -> None:
    shard = write_shard(tmp_path, "train/train-000000.tar", make_samples(2))
    assert shard is not None
    names = {"train-000000.tar", "train-000000.idx"}
    assert {file.name for file in (tmp_path / "train").iterdir()} == {
        f"{n}.faceae-part" for n in names
    }
    publish_shard(LocalFolder(tmp_path), tmp_path, shard)
    assert {file.name for file in (tmp_path / "train").iterdir()} == names


def test_without_samples_there_is_no_file(tmp_path: Path) -> None:
    assert write_shard(tmp_path, "train/train-000000.tar", iter([])) is None
    assert list(tmp_path.iterdir()) == []


def test_an_error_between_samples_leaves_no_file(tmp_path: Path) -> None:
    def fail() -> object:
        yield from make_samples(2)
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_shard(tmp_path, "train/train-000000.tar", fail())
    assert list((tmp_path / "train").iterdir()) == []


def test_members_are_read_in_order(tmp_path: Path) -> None:
    path = write(tmp_path, make_samples(2))
    members = [(info.name, data) for info, data in read_members(path)]
    assert members == [
        ("000000000.jpg", b""),
        ("000000000.json", b"{}"),
        ("000000001.jpg", b"j"),
        ("000000001.json", b"{}"),
    ]
