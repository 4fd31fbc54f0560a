"""The columns of a listing, and the hash that names it in a manifest."""

import hashlib
import json
from pathlib import Path

import pytest

from faceae_shards.sources import Source
from faceae_shards.sources._source import Entries, Entry

ENTRIES = (
    Entry("a.jpg", 10, mtime_ns=123),
    Entry('quote " and \\ and \n.jpg', 0, crc=0, mtime_ns=2**62, place=()),
    Entry("größe/顔.png", None),
    Entry("not-utf-8-\udcff.jpg", 7, crc=2**32 - 1),
)


@pytest.mark.parametrize("with_times", [False, True])
def test_a_listing_is_hashed_as_json(with_times: bool) -> None:
    # The hash is a value of dataset.json, so another spelling would give another dataset.
    entries = Entries(ENTRIES)
    source = Source(
        kind="folder",
        path=Path("photos"),
        entries=entries,
        others=Entries(),
        open_reader=lambda: pytest.fail("a hash needs no reader"),
    )
    lines = ['["folder", 0]']
    for entry in ENTRIES:
        name = entry.name.replace("\udcff", "\\xff")
        times = entry.mtime_ns if with_times else None
        lines.append(json.dumps([name, entry.num_bytes, entry.crc, times]))
    assert source.hash_listing(with_times=with_times) == _hash("".join(lines))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
