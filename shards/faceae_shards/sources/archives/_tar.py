"""Photographs in tars: plain archives, and WebDataset shards with a json beside each image."""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from ..._errors import ShardsError
from ...images import ImageRefused
from ...storage import Location
from .._reserved import rename_field
from .._source import (
    Container,
    Entries,
    Entry,
    Source,
    drop_nan,
    is_image_name,
    is_other_name,
)
from .._splits import find_file_splits
from ..files import SourceFiles, Span, check_unchanged, describe_container, open_files
from ._tar_members import list_tar_members

_COMPUTED = ("width", "height")
"""Fields of a sample's json that every pack computes."""


def list_tars(
    location: Location, files: SourceFiles, names: Sequence[str], *, single: bool
) -> Source:
    """List the images of tars.

    A json of the same name as an image, but for the suffix, describes it: its fields go into the
    sample's json. Where the tars' paths tell splits, training among them, the images keep theirs.

    Args:
        location: the source.
        files: what holds the tars.
        names: the tars.
        single: the source is a tar itself, not one or several of a folder or list.

    Raises:
        ShardsError: a tar is compressed, damaged or cut short.
    """
    splits = None if single else find_file_splits(names)
    replaced: list[int] = []
    with closing(files):
        containers = tuple(describe_container(files, name) for name in names)
        found = Entries(
            entry
            for number, name in enumerate(names)
            for entry in _list_tar(
                files,
                name,
                number,
                "" if single else f"{name}/",
                splits[number] if splits else None,
                replaced,
            )
        )

    def open_reader() -> TarReader:
        return TarReader(open_files(files.root), tuple(names), containers)

    entries = found.select(is_image_name)
    fields = _peek(open_reader(), entries)
    attributes = fields.get("attributes")
    return Source(
        kind="tar" if single else "shards",
        path=location,
        entries=entries,
        others=found.select(is_other_name),
        open_reader=open_reader,
        containers=containers,
        fields=tuple(name for name in fields if name != "name"),
        attribute_names=tuple(attributes) if isinstance(attributes, dict) else (),
        notes=_describe_replaced(sum(replaced)),
    )


@dataclass
class TarReader:
    """Reads members of tars by the offsets that were listed."""

    files: SourceFiles
    names: tuple[str, ...]
    listed: tuple[Container, ...]
    """The tars, as they were."""
    _checked: set[int] = field(default_factory=set)
    """Numbers of the tars that were compared."""

    def prefetch(self, entries: Sequence[Entry]) -> None:
        """Fetch members; see `Reader`."""
        present = (entry for entry in entries if entry.num_bytes is not None)
        self.files.fetch(span for entry in present for span in self._locate(entry))

    def read(self, entry: Entry) -> bytes:
        """Return a member's bytes; see `Reader`."""
        if entry.num_bytes is None:
            raise ImageRefused(
                "unreadable",
                "in the tar it is a sparse file, or a link that leads to no file of the tar; "
                "unpack the tar and give the folder",
            )
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
            _name_field(key, described): (
                _drop_null_attributes(drop_nan(value)) if key == "attributes" else drop_nan(value)
            )
            for key, value in described.items()
            if key not in _COMPUTED
        }

    def close(self) -> None:
        """Close the tars."""
        self.files.close()

    def _locate(self, entry: Entry) -> Iterator[Span]:
        """Yield where an image lies, and its json."""
        number, start, json_start, num_json_bytes = entry.place
        assert entry.num_bytes is not None
        yield Span(self.names[number], start, start + entry.num_bytes)
        if num_json_bytes:
            yield Span(self.names[number], json_start, json_start + num_json_bytes)

    def _read(self, number: int, offset: int, num_bytes: int) -> bytes:
        name = self.names[number]
        if number not in self._checked:
            check_unchanged(self.files, name, self.listed[number])
            self._checked.add(number)
        data = self.files.read(Span(name, offset, offset + num_bytes))
        if len(data) != num_bytes:
            raise ShardsError(
                f"{self.files.locate(name)} changed while it was packed; pack it again"
            )
        return data


def _name_field(key: str, described: dict[str, Any]) -> str:
    """Return the name under which a sample keeps a field of the json beside its image.

    The name in a json that also has width and height is that of the image: packed datasets have it.
    """
    is_own = {
        "name": isinstance(described[key], str) and all(key in described for key in _COMPUTED),
        "attributes": isinstance(described[key], dict),
    }
    return key if is_own.get(key, True) else rename_field(key, described)


def _drop_null_attributes(attributes: Any) -> Any:
    """Return attributes without those that are unknown."""
    if not isinstance(attributes, dict):
        return attributes
    return {name: value for name, value in attributes.items() if value is not None}


def _describe_replaced(num_replaced: int) -> tuple[str, ...]:
    """Return the note on members that later ones of the same name replace (`tar --append`)."""
    if not num_replaced:
        return ()
    return (
        f"{num_replaced:,} files of the tars are replaced by later ones of the same name, as "
        "unpacking would do",
    )


def _list_tar(
    files: SourceFiles,
    name: str,
    number: int,
    prefix: str,
    split: str | None,
    replaced: list[int],
) -> Iterator[Entry]:
    """Yield each file of a tar but the images' jsons.

    Args:
        replaced: receives the number of members that are left out, because a later one has the
            same name.
    """
    found = Entries(
        Entry(member.name, member.num_bytes, place=(member.offset,))
        for member in list_tar_members(files, name)
    )
    members = found.keep_last()
    replaced.append(len(found) - len(members))
    texts = {
        text.removesuffix(".json"): row
        for row, text in enumerate(members.names)
        if text.endswith(".json")
    }
    described = set()
    for member in members:
        if is_image_name(member.name):
            row = texts.get(member.name.rpartition(".")[0])
            json_place: tuple[int, int] = (0, 0)
            if row is not None:
                described.add(row)
                json_place = (members[row].place[0], members[row].num_bytes or 0)
            place = (number, *member.place, *json_place)
            yield Entry(prefix + member.name, member.num_bytes, place=place, split=split)
    for row, member in enumerate(members):
        if not is_image_name(member.name) and row not in described:
            place = (number, *member.place, 0, 0)
            yield Entry(prefix + member.name, member.num_bytes, place=place)


def _peek(reader: TarReader, entries: Entries) -> dict[str, Any]:
    """Return what the first image's json holds; nothing where it is damaged."""
    try:
        return reader.describe(entries[0]) if entries else {}
    except ImageRefused:
        return {}
    finally:
        reader.close()
