"""Photographs in tars: plain archives, and WebDataset shards with a json beside each image."""

import json
import re
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from ._decode import ImageRefused
from ._errors import ShardsError
from ._sources import Container, Entries, Entry, Source, is_hidden, is_image_name, is_other_name

_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0")
"""First bytes of gzip, bzip2 and xz."""
_MAX_OPEN = 64
"""Tars a reader holds open."""
_OWN = ("name", "width", "height")
"""Fields of a sample's json that every pack sets anew, but for the name where it is one."""
SPLIT_NAMES = {
    "train": "train",
    "valid": "valid",
    "validation": "valid",
    "val": "valid",
    "test": "test",
}
"""Splits by what people call them."""

_SPLIT = re.compile(r"(?:.*/)?(train|valid|validation|val|test)(?:[-_./].*)?", re.IGNORECASE)


class _Member(NamedTuple):
    name: str
    offset: int
    num_bytes: int


def list_tars(path: Path, names: Sequence[str]) -> Source:
    """List the images of tars.

    A json of the same name as an image, but for the suffix, describes it: its fields go into the
    sample's json. Where the tars' paths tell splits, training among them, the images keep theirs.

    Args:
        path: the tar itself, or what `names` are relative to: their folder, or a list in it.
        names: the tars; empty for `path` itself.

    Raises:
        ShardsError: a tar is compressed, damaged or cut short.
    """
    root = path if path.is_dir() else path.parent
    files = [root / name for name in names] or [path]
    splits = _guess_splits(names)
    found = Entries(
        entry
        for number, file in enumerate(files)
        for entry in _list_tar(
            file, number, f"{names[number]}/" if names else "", splits[number] if splits else None
        )
    )
    entries = found.select(is_image_name)
    stats = [file.stat() for file in files]
    containers = tuple(
        Container(file.name, stat.st_size, stat.st_mtime_ns)
        for file, stat in zip(files, stats, strict=True)
    )
    paths = tuple(files)
    fields = _peek(TarReader(paths), entries)
    attributes = fields.get("attributes")
    return Source(
        kind="shards" if names else "tar",
        path=path,
        entries=entries,
        others=found.select(is_other_name),
        open_reader=lambda: TarReader(paths),
        containers=containers,
        fields=tuple(name for name in fields if name != "name"),
        attribute_names=tuple(attributes) if isinstance(attributes, dict) else (),
    )


@dataclass
class TarReader:
    """Reads members of tars by the offsets that were listed."""

    paths: tuple[Path, ...]
    _files: dict[int, BinaryIO] = field(default_factory=dict)

    def read(self, entry: Entry) -> bytes:
        """Return a member's bytes; see `Reader`."""
        assert entry.num_bytes is not None
        return self._read(entry.place[0], entry.place[1], entry.num_bytes)

    def describe(self, entry: Entry) -> dict[str, Any]:
        """Return the json beside an image; see `Reader`."""
        number, _, offset, num_bytes = entry.place
        if not num_bytes:
            return {}
        try:
            described = json.loads(self._read(number, offset, num_bytes))
        except ValueError as error:
            raise ImageRefused("bad json", str(error)) from error
        if not isinstance(described, dict):
            raise ImageRefused("bad json", f"it holds a {type(described).__name__}, not fields")
        return {
            key: value
            for key, value in described.items()
            if key not in _OWN or (key == "name" and isinstance(value, str))
        }

    def close(self) -> None:
        """Close the tars."""
        for file in self._files.values():
            file.close()
        self._files.clear()

    def _read(self, number: int, offset: int, num_bytes: int) -> bytes:
        if number not in self._files:
            if len(self._files) >= _MAX_OPEN:
                self.close()
            self._files[number] = self.paths[number].open("rb")
        file = self._files[number]
        file.seek(offset)
        data = file.read(num_bytes)
        if len(data) != num_bytes:
            raise ShardsError(f"{self.paths[number]} changed while it was packed; pack anew")
        return data


def _list_tar(path: Path, number: int, prefix: str, split: str | None) -> Iterator[Entry]:
    """Yield each file of a tar but the images' jsons."""
    members = list(read_directory(path))
    texts = {m.name.removesuffix(".json"): m for m in members if m.name.endswith(".json")}
    described = set()
    for member in members:
        if is_image_name(member.name):
            stem = member.name.rpartition(".")[0]
            text = texts.get(stem)
            described.add(text)
            json_place = (0, 0) if text is None else (text.offset, text.num_bytes)
            place = (number, member.offset, *json_place)
            yield Entry(prefix + member.name, member.num_bytes, place=place, split=split)
    for member in members:
        if not is_image_name(member.name) and member not in described:
            place = (number, member.offset, 0, 0)
            yield Entry(prefix + member.name, member.num_bytes, place=place)


def read_directory(path: Path) -> Iterator[_Member]:
    """Yield the visible files of an uncompressed tar, in order.

    Raises:
        ShardsError: it is compressed, damaged or cut short.
    """
    try:
        with tarfile.open(path, "r:") as tar:
            while (info := tar.next()) is not None:
                if info.isreg() and not any(map(is_hidden, info.name.split("/"))):
                    yield _Member(info.name, info.offset_data, info.size)
                tar.members.clear()  # type: ignore[attr-defined]  # else it remembers all it saw
            end = tar.offset
    except tarfile.TarError as error:
        remedy = "uncompress it" if _is_compressed(path) else "get it again"
        raise ShardsError(f"{path} cannot be read as a tar ({error}); {remedy}") from error
    with path.open("rb") as file:
        file.seek(end)
        if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise ShardsError(f"{path} is a tar cut short; get it again")


def _is_compressed(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8).startswith(_COMPRESSED)


def _guess_splits(names: Sequence[str]) -> list[str] | None:
    """Return the split of each tar, where their paths name training and another one."""
    matches = [_SPLIT.fullmatch(name) for name in names]
    splits = [SPLIT_NAMES[m[1].lower()] for m in matches if m is not None]
    is_told = len(splits) == len(names) and "train" in splits and len(set(splits)) > 1
    return splits if is_told else None


def _peek(reader: TarReader, entries: Entries) -> dict[str, Any]:
    """Return what the first image's json holds; nothing where it is damaged."""
    try:
        return reader.describe(entries[0]) if entries else {}
    except ImageRefused:
        return {}
    finally:
        reader.close()
