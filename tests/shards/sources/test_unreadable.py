"""Containers that cannot be packed are named, with what to do."""

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from faceae_shards import PackConfig, ShardsError, pack
from faceae_shards.sources import list_source
from faceae_shards.storage import connect, explain_errors


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (b"\x28\xb5\x2f\xfd", "Zstandard"),
        (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
        (b"Rar!\x1a\x07\x01\0", "RAR"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"\x89HDF\r\n", "HDF5"),
        (b"\x93NUMPY\x01\0", "NumPy"),
    ],
)
def test_the_container_is_named(tmp_path: Path, start: bytes, message: str) -> None:
    path = tmp_path / "faces.bin"
    path.write_bytes(start + bytes(600))
    with pytest.raises(ShardsError, match=rf"faces\.bin is .*{message}"):
        list_source(path)


def make_zip(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_archives_in_a_zip(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "celeba.zip", {"celeba/img_align_celeba.zip": b"x"})
    with pytest.raises(ShardsError, match=r"no images but celeba/img_align_celeba\.zip; unpack"):
        list_source(path)


def test_one_archive_in_a_folder_is_to_be_given(tmp_path: Path) -> None:
    make_zip(tmp_path / "img_align_celeba.zip", {"0.jpg": b"x"})
    (tmp_path / "list_eval_partition.txt").touch()
    with pytest.raises(ShardsError, match=rf"give {tmp_path}/img_align_celeba\.zip"):
        list_source(tmp_path)


def test_several_archives_are_to_be_unpacked(tmp_path: Path) -> None:
    for name in ("a-001.zip", "a-002.zip"):
        make_zip(tmp_path / name, {"0.jpg": b"x"})
    with pytest.raises(ShardsError, match=r"a-001\.zip and 1 more; unpack them into one folder"):
        list_source(tmp_path)


def test_arrays_are_no_images(tmp_path: Path) -> None:
    np.savez(tmp_path / "faces.npz", np.zeros(3))
    with pytest.raises(ShardsError, match=r"arrays \(arr_0\.npy\)"):
        list_source(tmp_path / "faces.npz")


def test_a_zip_by_a_method_that_nobody_reads(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "t.zip", {"0.jpg": b"x"}, zipfile.ZIP_DEFLATED)
    content = path.read_bytes()
    for signature, place in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        start = content.index(signature) + place
        content = content[:start] + b"\x09\0" + content[start + 2 :]
    path.write_bytes(content)
    with pytest.raises(ShardsError, match=r"t\.zip is compressed by deflate64.*unpack it"):
        list_source(path)


def test_bzip2_and_backslashes_in_a_zip(tmp_path: Path, photos: Path) -> None:
    files = sorted(photos.iterdir())
    members = {
        f"{split}\\{file.name}": file.read_bytes()
        for split, some in (("train", files[:3]), ("test", files[3:5]))
        for file in some
    }
    path = make_zip(tmp_path / "t.zip", members, zipfile.ZIP_BZIP2)
    summary = pack(PackConfig(source=path, out=tmp_path / "out", workers=1))
    assert summary.num_samples == {"train": 3, "test": 2}
    assert summary.num_rejected == {}


def test_a_list_in_utf16(tmp_path: Path, photos: Path) -> None:
    listed = tmp_path / "list.txt"
    listed.write_text("\r\n".join(str(file) for file in photos.iterdir()), encoding="utf-16")
    assert len(list_source(listed).entries) == len(list(photos.iterdir()))


@pytest.mark.parametrize("suffix", [".tar", ".parquet"])
def test_images_and_archives_of_one_size(tmp_path: Path, suffix: str) -> None:
    for number in range(20):
        (tmp_path / f"{number}.jpg").write_bytes(bytes(100))
    (tmp_path / f"faces{suffix}").write_bytes(bytes(2000))
    with pytest.raises(ShardsError, match=r"20 images and 1 archive .*move one kind"):
        list_source(tmp_path)
    (tmp_path / f"faces{suffix}").write_bytes(bytes(100))
    assert len(list_source(tmp_path).entries) == 20


def test_a_preview_beside_tars(tmp_path: Path, photos: Path) -> None:
    data = min(photos.iterdir()).read_bytes()
    source_path = tmp_path / "repository"
    source_path.mkdir()
    with tarfile.open(source_path / "0.tar", "w") as tar:
        info = tarfile.TarInfo("0.jpg")
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    (source_path / "preview.jpg").write_bytes(data)
    source = list_source(source_path)
    assert list(source.entries.names) == ["0.tar/0.jpg"]
    assert "preview.jpg" in source.notes[0]


def test_a_link_to_itself_does_not_end_the_listing(tmp_path: Path, photos: Path) -> None:
    for name in ("self", "self.jpg"):
        (photos / name).symlink_to(name)
    summary = pack(PackConfig(source=photos, out=tmp_path / "out", workers=1))
    assert list(summary.num_rejected.values()) == [1]


@pytest.mark.parametrize("name", [".DS_Store", "Thumbs.db", "._x"])
def test_clutter_is_no_dataset(tmp_path: Path, photos: Path, name: str) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).touch()
    assert pack(PackConfig(source=photos, out=tmp_path / "out", workers=1)).num_shards


def test_the_missing_package_of_a_scheme_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "adlfs", None)
    with pytest.raises(ShardsError, match=r"adlfs.*pip install adlfs"):
        connect("az://container/faces")


def test_an_unknown_librarys_error_is_one_line() -> None:
    class Odd(Exception):
        """As of a library that only some schemes need."""

    with pytest.raises(ShardsError, match=r"hf://x: gone"), explain_errors("hf://x"):
        raise Odd("gone")
    with pytest.raises(Odd), explain_errors("s3://x"):
        raise Odd("gone")


def test_archives_named_by_split_are_to_be_unpacked_apart(tmp_path: Path) -> None:
    for name in ("train.zip", "val.zip"):
        make_zip(tmp_path / name, {"0.jpg": b"x"})
    with pytest.raises(ShardsError, match=r"train\.zip and 1 more; unpack each into a folder"):
        list_source(tmp_path)


def test_arrow_files_are_to_be_saved_as_parquet(tmp_path: Path) -> None:
    path = tmp_path / "data-00000-of-00001.arrow"
    path.write_bytes(b"\xff\xff\xff\xff" + bytes(100))
    for source in (path, tmp_path):
        with pytest.raises(ShardsError, match=r"arrow.*Parquet"):
            list_source(source)
