"""What is found in folders, zips and lists, and how broken ones are named."""

import os
import sys
import tarfile
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from faceae_shards import ImageRefused, ShardsError
from faceae_shards.sources._detect import list_source
from faceae_shards.sources._source import Entries, Entry, Source, escape


def names(source: Source) -> list[str]:
    return [entry.name for entry in source.entries]


def fill(folder: Path, *files: str) -> None:
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())


def make_zip(path: Path, *files: str, compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name in files:
            archive.writestr(name, name.encode() * 20)
    return path


def test_folder_is_sorted_by_path_and_knows_images_by_suffix(tmp_path: Path) -> None:
    fill(tmp_path, "b/2.JPG", "b/1.png", "a.jpeg", "c.txt", "README", "a/x/d.webp", "b/Thumbs.db")
    source = list_source(tmp_path)
    assert names(source) == ["a.jpeg", "a/x/d.webp", "b/1.png", "b/2.JPG"]
    assert [entry.name for entry in source.others] == ["README", "b/Thumbs.db", "c.txt"]


def test_hidden_files_and_mac_folders_are_skipped(tmp_path: Path) -> None:
    fill(tmp_path, "a.jpg", ".b.jpg", ".hidden/c.jpg", "__MACOSX/._a.jpg", ".DS_Store")
    source = list_source(tmp_path)
    assert names(source) == ["a.jpg"]
    assert not source.others


def test_dots_spaces_and_unicode_in_names(tmp_path: Path) -> None:
    fill(tmp_path, "img.v1.001.jpg", "with space.jpg", "顔.jpg")
    assert names(list_source(tmp_path)) == ["img.v1.001.jpg", "with space.jpg", "顔.jpg"]


def test_linked_folders_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    fill(tmp_path, "elsewhere/a.jpg", "photos/b.jpg")
    (tmp_path / "photos" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "photos" / "circle").symlink_to(tmp_path / "photos")
    assert names(list_source(tmp_path / "photos")) == ["b.jpg", "link/a.jpg"]


def test_dangling_link_is_a_missing_image(tmp_path: Path) -> None:
    fill(tmp_path, "a.jpg")
    (tmp_path / "b.jpg").symlink_to(tmp_path / "nowhere.jpg")
    source = list_source(tmp_path)
    with pytest.raises(ImageRefused, match="missing"):
        source.open_reader().read(source.entries[1])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipe_is_named_and_not_waited_for(tmp_path: Path) -> None:
    fill(tmp_path, "a.jpg")
    os.mkfifo(tmp_path / "b.jpg")
    source = list_source(tmp_path)
    with pytest.raises(ImageRefused, match="unreadable: it is a pipe"):
        source.open_reader().read(source.entries[1])


def test_name_that_is_not_utf8_can_be_stored() -> None:
    assert escape(os.fsdecode(b"caf\xe9.jpg")) == "caf\\xe9.jpg"
    assert escape("顔.jpg") == "顔.jpg"


def test_file_that_changes_while_it_is_packed(tmp_path: Path) -> None:
    fill(tmp_path, "a.jpg")
    source = list_source(tmp_path)
    (tmp_path / "a.jpg").write_bytes(b"another")
    with closing(source.open_reader()) as reader, pytest.raises(ShardsError, match="changed while"):
        reader.read(source.entries[0])


def test_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(ShardsError, match="holds no images"):
        list_source(tmp_path)


def test_missing_source(tmp_path: Path) -> None:
    with pytest.raises(ShardsError, match="does not exist"):
        list_source(tmp_path / "nowhere")


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_zip_is_read_without_unpacking(tmp_path: Path, compression: int) -> None:
    files = ("b.jpg", "a/1.jpg", "read.me", "__MACOSX/._b.jpg", "a/.c.jpg")
    source = list_source(make_zip(tmp_path / "z.zip", *files, compression=compression))
    assert (source.kind, names(source)) == ("zip", ["a/1.jpg", "b.jpg"])
    with closing(source.open_reader()) as reader:
        assert reader.read(source.entries[0]) == b"a/1.jpg" * 20
    assert list(tmp_path.iterdir()) == [tmp_path / "z.zip"]


def test_zip_is_told_by_content(tmp_path: Path) -> None:
    assert list_source(make_zip(tmp_path / "photos", "a.jpg")).kind == "zip"


def test_two_members_of_one_name_are_two_images(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("a.jpg", b"first")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a.jpg", b"second")
    source = list_source(tmp_path / "z.zip")
    with closing(source.open_reader()) as reader:
        assert {reader.read(entry) for entry in source.entries} == {b"first", b"second"}


def test_damaged_member_is_refused_alone(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "z.zip", "a.jpg", "b.jpg")
    content = bytearray(path.read_bytes())
    content[content.index(b"a.jpg" * 3) + 10] ^= 1
    path.write_bytes(content)
    source = list_source(path)
    with closing(source.open_reader()) as reader:
        with pytest.raises(ImageRefused, match="unreadable: in the zip: Bad CRC"):
            reader.read(source.entries[0])
        assert reader.read(source.entries[1]) == b"b.jpg" * 20


def test_damaged_header_in_a_zip(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "z.zip", "a.jpg", "b.jpg")
    path.write_bytes(b"xx" + path.read_bytes()[2:])
    source = list_source(path)
    with closing(source.open_reader()) as reader:
        with pytest.raises(ImageRefused, match="its header is damaged"):
            reader.read(source.entries[0])
        assert reader.read(source.entries[1]) == b"b.jpg" * 20


def test_zip_behind_other_bytes(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "z.zip", "a.jpg", compression=zipfile.ZIP_DEFLATED)
    path.write_bytes(b"#!/bin/sh\n" * 10 + path.read_bytes())
    source = list_source(path)
    with closing(source.open_reader()) as reader:
        assert reader.read(source.entries[0]) == b"a.jpg" * 20


def test_zip_compressed_in_a_rare_way(tmp_path: Path) -> None:
    with pytest.raises(ShardsError, match=r"compressed by LZMA.*unpack it"):
        list_source(make_zip(tmp_path / "z.zip", "a.jpg", compression=zipfile.ZIP_LZMA))


def test_member_that_is_larger_than_announced(tmp_path: Path) -> None:
    source = list_source(make_zip(tmp_path / "z.zip", "a.jpg", compression=zipfile.ZIP_DEFLATED))
    entry = source.entries[0]._replace(num_bytes=10)
    with closing(source.open_reader()) as reader, pytest.raises(ImageRefused, match="Bad CRC"):
        reader.read(entry)


def test_truncated_zip(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "z.zip", "a.jpg", "b.jpg")
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(ShardsError, match="zip cut short"):
        list_source(path)


@pytest.mark.parametrize("name", ["img_align_celeba.zip", "list.txt"])
def test_html_page_in_place_of_a_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("<!DOCTYPE html><title>Google Drive - Quota exceeded</title>")
    with pytest.raises(ShardsError, match=f"{name} is an HTML page"):
        list_source(tmp_path / name)


@pytest.mark.parametrize(("name", "content"), [("a.zip", b"text"), ("a.txt", b"a\0b")])
def test_file_of_another_kind(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ShardsError, match="is none of these: a folder, a zip, a tar, a Par"):
        list_source(tmp_path / name)


def test_list_is_relative_to_itself_and_keeps_its_order(tmp_path: Path) -> None:
    fill(tmp_path, "x/b.jpg", "x/a b.jpg", "no-suffix")
    lines = "\ufeffx/b.jpg\r\n\r\nx/a b.jpg\n  \nno-suffix"
    (tmp_path / "list.txt").write_text(lines, encoding="utf-8", newline="")
    source = list_source(tmp_path / "list.txt")
    assert (source.kind, names(source)) == ("list", ["x/b.jpg", "x/a b.jpg", "no-suffix"])
    assert source.open_reader().read(source.entries[1]) == b"x/a b.jpg"


def test_list_with_a_missing_file(tmp_path: Path) -> None:
    fill(tmp_path, "a.jpg")
    (tmp_path / "list.txt").write_text("a.jpg\nb.jpg\n")
    source = list_source(tmp_path / "list.txt")
    with pytest.raises(ImageRefused, match="missing"):
        source.open_reader().read(source.entries[1])


def test_list_of_nothing_that_exists(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("Dear reader,\n" + "x" * 5000)
    with pytest.raises(ShardsError, match=r"none of the 2 files .*\(first: Dear reader,: there"):
        list_source(tmp_path / "list.txt")


def test_list_that_repeats_a_line(tmp_path: Path) -> None:
    fill(tmp_path, "a.jpg")
    (tmp_path / "list.txt").write_text("a.jpg\n\na.jpg\n")
    with pytest.raises(ShardsError, match=r"names a\.jpg on lines 1 and 3"):
        list_source(tmp_path / "list.txt")


def test_empty_list(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("\n")
    with pytest.raises(ShardsError, match="holds no paths"):
        list_source(tmp_path / "list.txt")


def test_columns_give_back_what_they_were_made_of() -> None:
    listed = [
        Entry("b", None, place=(1, 2), split="train"),
        Entry("a", 7, crc=2**32 - 1, mtime_ns=-1, place=(2**60, 0)),
    ]
    assert list(Entries(listed)) == listed
    assert list(Entries(listed).sorted()) == listed[::-1]
    assert list(Entries(listed).select(lambda name: name == "a")) == listed[1:]
    assert list(Entries()) == list(Entries().sorted()) == []


def test_parquet_without_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "train").write_bytes(b"PAR1 and so on PAR1")  # told by content
    monkeypatch.setitem(sys.modules, "pyarrow.lib", None)
    with pytest.raises(ShardsError, match=r"train is Parquet: pip install 'faceae\[parquet\]'"):
        list_source(tmp_path / "train")


def test_zip_members_with_a_dot_folder_are_not_hidden(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "photos.zip", "./a.jpg", "./p/b.jpg", "./.hidden.jpg")
    assert names(list_source(path)) == ["a.jpg", "p/b.jpg"]


def test_a_preview_does_not_hide_a_zip(tmp_path: Path) -> None:
    fill(tmp_path, "preview.jpg")
    make_zip(tmp_path / "faces.zip", *(f"{number}.jpg" for number in range(20)))
    with pytest.raises(ShardsError, match=r"give .*faces\.zip"):
        list_source(tmp_path)


def test_an_unpacked_zip_beside_its_images_is_noted(tmp_path: Path) -> None:
    fill(tmp_path, *(f"faces/{number}.jpg" for number in range(20)))
    make_zip(tmp_path / "faces.zip", *(f"{number}.jpg" for number in range(20)))
    source = list_source(tmp_path)
    assert len(source.entries) == 20
    assert "faces.zip" in source.notes[0]


def test_a_list_in_utf16_without_a_mark(tmp_path: Path) -> None:
    fill(tmp_path, "a.jpg", "b.jpg")
    (tmp_path / "list.txt").write_bytes("a.jpg\r\nb.jpg\r\n".encode("utf-16-le"))
    assert names(list_source(tmp_path / "list.txt")) == ["a.jpg", "b.jpg"]


def test_a_picture_does_not_hide_a_zip_in_a_zip(tmp_path: Path) -> None:
    make_zip(tmp_path / "inner.zip", *(f"{number}.jpg" for number in range(20)))
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as archive:
        archive.write(tmp_path / "inner.zip", "inner.zip")
        archive.writestr("preview.jpg", b"x")
    with pytest.raises(ShardsError, match=r"inner\.zip.*unpack it"):
        list_source(tmp_path / "outer.zip")


def change_directory(path: Path, *changes: tuple[int, bytes]) -> None:
    """Overwrite bytes of the first member's record in a zip's directory, by their offsets."""
    content = bytearray(path.read_bytes())
    start = content.index(b"PK\x01\x02")
    for offset, data in changes:
        content[start + offset : start + offset + len(data)] = data
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ((8, b"\x01\x00"), "it needs a password"),
        ((10, b"\x0e\x00"), "compressed by LZMA"),
        ((10, b"\x63\x00"), "compressed by method 99"),
        ((10, b"\x08\x00"), "invalid"),
        ((10, b"\x0c\x00"), "Invalid data stream"),
    ],
)
def test_a_member_that_cannot_be_unpacked_is_refused_alone(
    tmp_path: Path, change: tuple[int, bytes], reason: str
) -> None:
    path = make_zip(tmp_path / "z.zip", "a.jpg", "b.jpg")
    change_directory(path, change)
    source = list_source(path)
    with closing(source.open_reader()) as reader:
        with pytest.raises(ImageRefused, match=f"unreadable: in the zip: .*{reason}"):
            reader.read(source.entries[0])
        assert reader.read(source.entries[1]) == b"b.jpg" * 20


def test_a_zip_of_bzip2_is_read(tmp_path: Path) -> None:
    source = list_source(make_zip(tmp_path / "z.zip", "a.jpg", compression=zipfile.ZIP_BZIP2))
    with closing(source.open_reader()) as reader:
        assert reader.read(source.entries[0]) == b"a.jpg" * 20


def test_a_zip_whose_directory_is_damaged(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "z.zip", "a.jpg")
    change_directory(path, (0, b"xx"))
    with pytest.raises(ShardsError, match=r"damaged zip .*get it again"):
        list_source(path)


def test_all_left_out_pictures_are_counted(tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / f"{number}.jpg").write_bytes(b"x")
    with tarfile.open(tmp_path / "faces.tar", "w") as tar:
        tar.add(tmp_path / "0.jpg", "a.jpg")
    assert "0.jpg and 1 more" in list_source(tmp_path).notes[0]
