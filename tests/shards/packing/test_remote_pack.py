"""Packs into a prefix of an object store, for which a memory stands in."""

import hashlib
import json
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFile

from faceae_shards import PackConfig, ShardsError, pack, reindex, verify
from faceae_shards.storage._storage import RemotePrefix, open_storage

Configure = Callable[..., PackConfig]
HashTree = Callable[[Path], dict[str, str]]

MEMORY: Any = fsspec.filesystem("memory")


@pytest.fixture
def prefix() -> Iterator[str]:
    """A URL below which nothing lies."""
    url = f"memory://{uuid.uuid4().hex}/faces"
    yield url
    if MEMORY.exists(url):
        MEMORY.rm(url, recursive=True)


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def hash_objects(url: str) -> dict[str, str]:
    storage = open_storage(url)
    return {
        name: hashlib.sha256(storage.read(name) or b"").hexdigest() for name in storage.list_names()
    }


def fail_from(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Let the store refuse every upload from the one of this number on."""
    put_file, count = type(MEMORY).put_file, 0

    def put(self: Any, source: str, target: str) -> None:
        nonlocal count
        count += 1
        if count >= number:
            raise OSError(5, "We encountered an internal error")
        put_file(self, source, target)

    monkeypatch.setattr(type(MEMORY), "put_file", put)


def test_objects_are_what_a_local_pack_writes(
    configure: Configure, prefix: str, hash_tree: HashTree, scratch: Path
) -> None:
    local = pack(configure()).out
    assert isinstance(local, Path)
    summary = pack(configure(out=f"{prefix}/"))
    assert hash_objects(prefix) == hash_tree(local)
    assert summary.num_shards == 6
    assert summary.rejected_list == f"{prefix}/rejected.jsonl"
    assert not list(scratch.iterdir())


def test_server_that_fails_in_the_middle(
    configure: Configure, prefix: str, hash_tree: HashTree, scratch: Path
) -> None:
    local = pack(configure()).out
    assert isinstance(local, Path)
    config = configure(out=prefix)
    with pytest.MonkeyPatch.context() as patch:
        fail_from(patch, 9)  # plan, then tar, index and record of a shard
        with pytest.raises(ShardsError, match=r"memory://.*internal error; .*same command again"):
            pack(config)
    assert not list(scratch.iterdir())
    assert RemotePrefix(prefix).read("dataset.json") is None
    with pytest.raises(ShardsError, match="only partly packed"):
        verify(prefix, 1)
    done: list[tuple[int, int]] = []
    pack(config, lambda *counts: done.append(counts))
    assert done[-1] == (12, 12), "two shards of four images are there already"
    assert hash_objects(prefix) == hash_tree(local)


def test_record_is_written_after_its_shard(
    configure: Configure, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_from(monkeypatch, 7)
    with pytest.raises(ShardsError):
        pack(configure(out=prefix))
    assert set(hash_objects(prefix)) == {
        ".progress/plan.json",
        ".progress/train-000000.json",
        "train/train-000000.idx",
        "train/train-000000.tar",
        "train/train-000001.idx",
        "train/train-000001.tar",
    }


def test_upload_that_arrives_cut(
    configure: Configure, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def put(self: Any, source: str, target: str) -> None:
        self.pipe_file(target, Path(source).read_bytes()[:-1])

    monkeypatch.setattr(type(MEMORY), "put_file", put)
    with pytest.raises(ShardsError, match=r"plan\.json has \d+ bytes after \d+ were uploaded"):
        pack(configure(out=prefix))


def test_shard_that_went_missing_meanwhile_is_packed_again(
    configure: Configure, prefix: str, hash_tree: HashTree
) -> None:
    local = pack(configure()).out
    assert isinstance(local, Path)
    with pytest.MonkeyPatch.context() as patch:
        fail_from(patch, 9)
        with pytest.raises(ShardsError):
            pack(configure(out=prefix))
    RemotePrefix(prefix).remove("train/train-000001.tar")
    pack(configure(out=prefix))
    assert hash_objects(prefix) == hash_tree(local)


def test_ctrl_c_leaves_no_temporary_file(
    configure: Configure, prefix: str, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("faceae_shards.packing._pack._RefusalLimit.accept", stop)
    with pytest.raises(KeyboardInterrupt):
        pack(configure(out=prefix))
    assert not list(scratch.iterdir())


def test_finished_pack_is_not_repeated(configure: Configure, prefix: str) -> None:
    pack(configure(out=prefix))
    before = {path: info["created"] for path, info in MEMORY.find(prefix, detail=True).items()}
    assert pack(configure(out=prefix)).already_complete
    after = {path: info["created"] for path, info in MEMORY.find(prefix, detail=True).items()}
    assert after == before


@pytest.mark.parametrize("finished", [False, True])
def test_other_options_into_the_same_prefix(
    configure: Configure, prefix: str, finished: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        if finished:
            pack(configure(out=prefix))
        else:
            fail_from(patch, 6)
            with pytest.raises(ShardsError):
                pack(configure(out=prefix))
    before = hash_objects(prefix)
    with pytest.raises(ShardsError, match="with other `seed`"):
        pack(configure(out=prefix, seed=7))
    assert hash_objects(prefix) == before


def test_prefix_that_holds_something_else(configure: Configure, prefix: str) -> None:
    MEMORY.pipe_file(f"{prefix}/notes.txt", b"mine")
    with pytest.raises(ShardsError, match="is not empty"):
        pack(configure(out=prefix))
    assert set(hash_objects(prefix)) == {"notes.txt"}


def test_prefix_with_the_mark_of_an_empty_folder(configure: Configure, prefix: str) -> None:
    mark = f"/{prefix.removeprefix('memory://')}/"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(MEMORY.store, mark, MemoryFile(MEMORY, mark, b""))
        pack(configure(out=prefix))
        assert verify(prefix, 1).problems == ()


def test_prefix_with_patterns_in_its_name(configure: Configure, prefix: str) -> None:
    MEMORY.pipe_file(f"{prefix}/abc/.progress/theirs", b"")
    pack(configure(out=f"{prefix}/a*c"))
    assert MEMORY.exists(f"{prefix}/abc/.progress/theirs")
    assert verify(f"{prefix}/a*c", 1).problems == ()


def test_neighbour_whose_name_begins_alike_is_left_alone(configure: Configure, prefix: str) -> None:
    MEMORY.pipe_file(f"{prefix}-old/train/a.tar", b"theirs")
    pack(configure(out=prefix))
    assert MEMORY.cat_file(f"{prefix}-old/train/a.tar") == b"theirs"


@pytest.mark.parametrize(
    ("out", "told"),
    [
        ("https://host/faces", "cannot be written; give a folder, s3:// or gs://"),
        ("file:///faces", "give the path without its scheme"),
        ("nosuch://faces", "nosuch"),
        ("s3:///", "s3:/// names no place"),
        ("my faces", "'my faces' is no URL; give a path as pathlib.Path"),
    ],
)
def test_places_that_cannot_be_written(configure: Configure, out: str, told: str) -> None:
    with pytest.raises(ShardsError, match=told):
        pack(configure(out=out))


def test_prefix_inside_the_source(configure: Configure, prefix: str) -> None:
    for out in (prefix, f"{prefix}/out", f"{prefix}/"):
        with pytest.raises(ShardsError, match="lies inside the source"):
            pack(configure(source=prefix, out=out))


def test_from_one_prefix_to_another_beside_it(
    configure: Configure, prefix: str, photos: Path, hash_tree: HashTree
) -> None:
    local = pack(configure()).out
    assert isinstance(local, Path)
    for file in photos.iterdir():
        MEMORY.pipe_file(f"{prefix}/photos/{file.name}", file.read_bytes())
    pack(configure(source=f"{prefix}/photos", out=f"{prefix}/photos-packed"))
    tars = {name: value for name, value in hash_tree(local).items() if name.endswith(".tar")}
    assert tars.items() <= hash_objects(f"{prefix}/photos-packed").items()


def test_nothing_is_left_of_a_pack_without_images(
    configure: Configure, prefix: str, photos: Path
) -> None:
    for file in photos.iterdir():
        file.write_bytes(b"")
    with pytest.raises(ShardsError, match="no image is left"):
        pack(configure(out=prefix, max_rejected=1))
    assert hash_objects(prefix) == {}


def test_verify_looks_at_the_objects(configure: Configure, prefix: str, scratch: Path) -> None:
    pack(configure(out=prefix))
    assert verify(prefix, 1).problems == ()
    storage = RemotePrefix(prefix)
    tar = bytearray(storage.read("train/train-000001.tar") or b"")
    tar[600] ^= 1
    MEMORY.pipe_file(f"{prefix}/train/train-000001.tar", bytes(tar))
    storage.remove("train/train-000000.tar")
    MEMORY.pipe_file(f"{prefix}/extra", b"")
    told = "\n".join(verify(prefix, 1).problems)
    assert "train/train-000001.tar differs from what was packed (sha256)" in told
    assert "train/train-000000.tar is missing" in told
    assert "extra does not belong" in told
    assert not list(scratch.iterdir())


def test_reindex_mends_a_remote_index(configure: Configure, prefix: str) -> None:
    pack(configure(out=prefix))
    before = hash_objects(prefix)
    RemotePrefix(prefix).remove("train/train-000000.idx")
    MEMORY.pipe_file(f"{prefix}/valid/valid-000000.idx", b"stale")
    assert reindex(prefix) == ["train/train-000000.idx", "valid/valid-000000.idx"]
    assert hash_objects(prefix) == before


def test_refusals_are_told(configure: Configure, prefix: str, photos: Path) -> None:
    (photos / "bad.jpg").write_bytes(b"")
    summary = pack(configure(out=prefix))
    assert summary.num_rejected == {"empty": 1}
    lines = (RemotePrefix(prefix).read("rejected.jsonl") or b"").splitlines()
    assert json.loads(lines[0])["name"] == "bad.jpg"
