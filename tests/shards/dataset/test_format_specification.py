"""A reader written from shards/README.md alone, with the standard library alone."""

import hashlib
import json
import re
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from faceae_shards import (
    GeneratedConfig,
    GeneratedOptions,
    Manifest,
    PackConfig,
    PackOptions,
    ShardInfo,
    SourceInfo,
    adopt,
    decode_image,
    encode_jpeg,
    pack,
    pack_generated,
)

Configure = Callable[..., PackConfig]

SHARD_KEYS = {
    "name": str,
    "num_samples": int,
    "num_bytes": int,
    "sha256": str,
    "index_num_bytes": int,
    "index_sha256": str,
}
KEYS = {
    "config": dict,
    "config_hash": str,
    "encoding": str,
    "image_size": (list, type(None)),
    "split_by": str,
    "annotations": list,
    "attribute_names": list,
    "num_converted": int,
    "num_rejected": dict,
    "rejected_sha256": str,
    "splits": dict,
}
OWNERLESS = ("0000644\0", "0000000\0", "0000000\0", "00000000000\0")
ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f"}
ESCAPES |= {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
NPY_TEXT = re.compile(
    rb"\{'descr': '\|u1', 'fortran_order': False, 'shape': \((\d+), (\d+), 3\), \} *\n"
)


class Refused(Exception):
    """The dataset is none, or damaged (point 11)."""


class Number(str):
    """A number as it is spelled in a file."""


def canonical(value: Any) -> str:
    """Point 9."""
    if isinstance(value, Number):
        return value
    if isinstance(value, str):
        return '"' + "".join(map(escape, value)) + '"'
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{canonical(k)}:{canonical(value[k])}" for k in sorted(value)) + "}"
    return {None: "null", True: "true", False: "false"}[value]


def escape(character: str) -> str:
    return ESCAPES.get(character) or (f"\\u{ord(character):04x}" if character < " " else character)


def hash_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def read_manifest(folder: Path) -> dict[str, Any]:
    """Points 7 to 9 and 11."""
    text = (folder / "dataset.json").read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text)
    if (content.get("format"), content.get("version")) != ("faceae-shards", 1):
        raise Refused("format")
    spelled = json.loads(text, parse_int=Number, parse_float=Number)
    recorded = spelled.pop("hash")
    if hash_of(canonical(spelled).encode()) != recorded:
        raise Refused("hash")
    require(content, KEYS)
    assert hash_of(canonical(spelled["config"]).encode()) == content["config_hash"]
    for shards in content["splits"].values():
        for shard in shards:
            require(shard, SHARD_KEYS)
            parts = shard["name"].split("/")
            if not parts[0] or ".." in parts or not shard["name"].endswith(".tar"):
                raise Refused("name")
    return content


def require(found: dict[str, Any], keys: dict[str, Any]) -> None:
    for key, kind in keys.items():
        if key not in found or not isinstance(found[key], kind):
            raise Refused(key)


def read_sized(path: Path, num_bytes: int, sha256: str) -> bytes:
    data = path.read_bytes() if path.is_file() else b""
    if len(data) != num_bytes or hash_of(data) != sha256:
        raise Refused(path.name)
    return data


def read_tar(data: bytes, *, plain: bool = True) -> Iterator[tuple[str, int, bytes]]:
    """Point 2: name, offset and content of each member."""
    place = 0
    while data[place] != 0:
        name, mode, uid, gid, size, time, _, kind, _, magic = (
            field.decode() for field in struct.unpack_from("100s8s8s8s12s12s8sc100s6s", data, place)
        )
        if plain:
            assert (mode, uid, gid, time) == OWNERLESS
            assert (kind, magic) == ("0", "ustar\0")
        start, num_bytes = place + 512, int(size.rstrip("\0 "), 8)
        yield name.rstrip("\0"), start, data[start : start + num_bytes]
        place = start + -(-num_bytes // 512) * 512
    assert len(data) % 10_240 == 0
    assert not any(data[place:])
    assert len(data) - place >= 1024


def read_index(data: bytes) -> list[list[tuple[str, int, int, str]]]:
    """Point 6."""
    first, *lines, last = data.decode("ascii").split("\n")
    assert (first, last) == (f"v1.2 {len(lines)}", "")
    samples = []
    for line in lines:
        words = iter(line.split(" "))
        members = zip(words, words, words, words, strict=True)
        samples.append([(ext, int(offset), int(size), name) for ext, offset, size, name in members])
    return samples


def read_split(folder: Path, split: str) -> Iterator[dict[str, bytes]]:
    """Point 3: the members of each sample by extension, and its key under the name `key`."""
    manifest = read_manifest(folder)
    plain = manifest["config"]["source"]["kind"] != "adopted"
    for shard in manifest["splits"][split]:
        tar = read_sized(folder / shard["name"], shard["num_bytes"], shard["sha256"])
        index_path = (folder / shard["name"]).with_suffix(".idx")
        index = read_index(read_sized(index_path, shard["index_num_bytes"], shard["index_sha256"]))
        assert len(index) == shard["num_samples"]
        members = [member for sample in index for member in sample]
        found = read_tar(tar, plain=plain)
        assert [(offset, name) for _, offset, _, name in members] == [
            (offset, name) for name, offset, _ in found
        ]
        for sample in index:
            keys = {name.partition(".")[0] for *_, name in sample}
            (key,) = keys
            yield {
                "key": key.encode(),
                **{ext: tar[offset : offset + size] for ext, offset, size, _ in sample},
            }


def read_npy(data: bytes) -> tuple[int, int, bytes]:
    """Point 4: height, width and pixels."""
    assert data[:10] == bytes.fromhex("93 4E 55 4D 50 59 01 00 76 00")
    match = NPY_TEXT.fullmatch(data[10:128])
    assert match is not None
    return int(match[1]), int(match[2]), data[128:]


@pytest.fixture
def named(photos: Path) -> Path:
    """The photographs, with a name that JSON escapes, and a file that is refused."""
    (photos / "00.jpg").rename(photos / 'Zoë "\\\x01\x7f.jpg')
    (photos / "01.jpg").write_bytes(b"\xff\xd8\xff broken")
    return photos


@pytest.fixture
def out(named: Path, configure: Configure) -> Path:
    out = pack(configure(max_rejected=1)).out
    assert isinstance(out, Path)
    return out


def read_all(folder: Path) -> list[dict[str, bytes]]:
    return [
        sample for split in read_manifest(folder)["splits"] for sample in read_split(folder, split)
    ]


def test_jpegs_and_descriptions(out: Path, named: Path) -> None:
    samples = read_all(out)
    assert len(samples) == 19
    for sample in samples:
        described = json.loads(sample["json"])
        assert re.fullmatch(rb"\d{9}", sample["key"])
        assert sample["jpg"] == (named / described["name"]).read_bytes()
        assert (described["width"], described["height"]) == (40, 48)
    keys = [sample["key"] for sample in read_split(out, "train")]
    assert keys == sorted(set(keys))


def test_rejected_list(out: Path) -> None:
    data = (out / "rejected.jsonl").read_bytes()
    assert hash_of(data) == read_manifest(out)["rejected_sha256"]
    (line,) = map(json.loads, data.splitlines())
    assert line["name"] == "01.jpg"
    assert {key: type(value) for key, value in line.items()} == {
        "split": str,
        "key": int,
        "name": str,
        "reason": str,
        "detail": str,
    }
    keys = {sample["key"] for sample in read_split(out, line["split"])}
    assert f"{line['key']:09}".encode() not in keys


def test_arrays(photos: Path, configure: Configure) -> None:
    out = pack(configure(crop=32, encoding="npy")).out
    assert isinstance(out, Path)
    assert read_manifest(out)["image_size"] == [32, 32]
    for sample in read_all(out):
        height, width, pixels = read_npy(sample["npy"])
        image_HWC = decode_image((photos / json.loads(sample["json"])["name"]).read_bytes())
        assert (height, width) == (32, 32)
        assert pixels == image_HWC[8:40, 4:36].tobytes()


class Greys:
    """Makes grey pictures."""

    def make(self, spans: Iterable[range]) -> Iterator[bytes]:
        import numpy as np

        for span in spans:
            for number in span:
                yield encode_jpeg(np.full((16, 16, 3), number, np.uint8))

    def describe(self, number: int) -> dict[str, Any]:
        return {"name": f"grey {number}"}


def test_generated_dataset(tmp_path: Path) -> None:
    config = GeneratedConfig(
        out=tmp_path / "out",
        numbers=range(7, 12),
        image_size=16,
        crop=None,
        generator='é "\\\n\t\x01\x7f',
        depends_on={"seed": 5, "truncation": 1.0, "ratio": 1e-7},
    )
    pack_generated(config, Greys())
    manifest = read_manifest(tmp_path / "out")
    assert manifest["config"]["source"]["kind"] == "made"
    assert (manifest["config"]["start"], manifest["config"]["n"]) == (7, 5)
    assert next(sample["key"] for sample in read_all(tmp_path / "out")) == b"000000007"


def test_adopted_dataset(out: Path) -> None:
    before = read_all(out)
    (out / "dataset.json").unlink()
    adopt(out, workers=1)
    assert read_manifest(out)["config"]["source"]["kind"] == "adopted"
    assert read_all(out) == before


def test_every_key_is_specified() -> None:
    text = (Path(__file__).parents[3] / "shards" / "README.md").read_text(encoding="utf-8")
    classes = (Manifest, PackOptions, GeneratedOptions, SourceInfo, ShardInfo)
    names = {field.name for cls in classes for field in fields(cls)} - {"depends_on"}
    assert {name for name in names if f"`{name}`" not in text} == set()


def edit(out: Path, old: str, new: str, *, sign: bool = False) -> None:
    path = out / "dataset.json"
    text = path.read_text(encoding="utf-8").replace(old, new, 1)
    if sign:
        content = json.loads(text, parse_int=Number, parse_float=Number)
        content.pop("hash")
        hash_ = hash_of(canonical(content).encode())
        text = re.sub(r'"hash": "\w+"', f'"hash": "{hash_}"', text)
    path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "sign", "named"),
    [
        ('"version": 1', '"version": 2', True, "format"),
        ('"seed": 0', '"seed": 1', False, "hash"),
        ('"splits"', '"shards"', True, "splits"),
        ('"train/train-000000.tar"', '"../train-000000.tar"', True, "name"),
    ],
)
def test_what_a_reader_refuses(out: Path, old: str, new: str, sign: bool, named: str) -> None:
    edit(out, old, new, sign=sign)
    with pytest.raises(Refused, match=named):
        read_manifest(out)


def test_cut_tar_is_refused(out: Path) -> None:
    path = out / "train" / "train-000000.tar"
    path.write_bytes(path.read_bytes()[:-10_240])
    with pytest.raises(Refused, match=path.name):
        read_all(out)
