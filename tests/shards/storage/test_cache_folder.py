"""Remote datasets read through the cache; a memory stands in for the object store."""

import os
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from faceae_shards import PackConfig, ShardsError, inspect_dataset, open_dataset, pack
from faceae_shards import verify as verify_dataset
from faceae_shards.storage import _cache_folder
from faceae_shards.storage._cache_folder import find_cache, read_limit

Configure = Callable[..., PackConfig]
HashTree = Callable[[Path], dict[str, str]]

MEMORY: Any = fsspec.filesystem("memory")
_GIB = 1 << 30


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache, and no dataset in use before or after."""
    monkeypatch.setenv("FACEAE_CACHE", str(tmp_path / "cache"))
    yield tmp_path / "cache"
    release()


@pytest.fixture
def publish(configure: Configure) -> Iterator[Callable[[int], str]]:
    """Pack the photos with a seed into a prefix of the memory and return its URL."""
    root = f"memory://{uuid.uuid4().hex}"

    def publish_(seed: int) -> str:
        url = f"{root}/{seed}"
        pack(configure(out=url, seed=seed))
        return url

    yield publish_
    MEMORY.rm(root, recursive=True)


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files downloaded, as they are."""
    names: list[str] = []
    get_file = type(MEMORY).get_file

    def get(self: Any, source: str, target: str) -> None:
        names.append(source.rpartition("/")[2])
        get_file(self, source, target)

    monkeypatch.setattr(type(MEMORY), "get_file", get)
    return names


def release() -> None:
    """Let this process use no dataset any more."""
    for descriptor in _cache_folder._held.values():
        os.close(descriptor)
    _cache_folder._held.clear()


def limit_to(monkeypatch: pytest.MonkeyPatch, num_bytes: float) -> None:
    monkeypatch.setenv("FACEAE_CACHE_GIB", f"{num_bytes / _GIB:.12f}")


def count_bytes(url: str) -> int:
    dataset = inspect_dataset(url)
    shards = [shard for split in dataset.splits.values() for shard in split]
    return sum(shard.num_bytes + shard.index_num_bytes for shard in shards)


def test_downloaded_once_then_read_from_the_cache(
    configure: Configure,
    publish: Callable[[int], str],
    downloads: list[str],
    hash_tree: HashTree,
    cache: Path,
) -> None:
    local = pack(configure()).out
    assert isinstance(local, Path)
    url = publish(0)
    downloads.clear()
    told: list[tuple[int, int]] = []
    dataset = open_dataset(url, lambda *counts: told.append(counts))
    assert dataset.location == url
    assert dataset.path == cache / dataset.hash
    assert hash_tree(dataset.path) == hash_tree(local)
    assert all(path.is_file() for path in dataset.shard_paths("train"))
    assert told[0] == (0, count_bytes(url))
    assert told[-1] == (count_bytes(url), count_bytes(url))
    num_downloads = len(downloads)
    assert open_dataset(url, lambda *_: pytest.fail("nothing is to be downloaded")) == dataset
    assert len(downloads) == num_downloads
    assert verify_dataset(dataset.path, 1).problems == ()


def test_interrupted_download_goes_on(
    publish: Callable[[int], str], downloads: list[str], cache: Path
) -> None:
    url = publish(0)
    get_file = type(MEMORY).get_file

    def fail(self: Any, source: str, target: str) -> None:
        if len(downloads) > 4:
            Path(target).write_bytes(b"half")
            raise OSError(5, "connection lost")
        get_file(self, source, target)

    downloads.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(MEMORY), "get_file", fail)
        with pytest.raises(ShardsError, match=r"memory://.* connection lost; .*same command"):
            open_dataset(url)
    assert not list(cache.rglob("*.faceae-part"))
    assert not list(cache.rglob("dataset.json"))
    there = {file.name for file in cache.rglob("t*-*.*")}
    assert there
    downloads.clear()
    open_dataset(url)
    assert not there & set(downloads)


def test_object_that_is_not_what_was_packed(publish: Callable[[int], str], cache: Path) -> None:
    url = publish(0)
    tar = bytearray(MEMORY.cat_file(f"{url}/train/train-000001.tar"))
    tar[700] ^= 1
    MEMORY.pipe_file(f"{url}/train/train-000001.tar", bytes(tar))
    with pytest.raises(
        ShardsError, match=rf"{url}/train/train-000001\.tar .*sha256.*delete the dataset"
    ):
        open_dataset(url)
    assert not list(cache.rglob("train-000001.tar*"))


def test_file_lost_from_the_cache_is_downloaded_again(
    publish: Callable[[int], str], downloads: list[str]
) -> None:
    url = publish(0)
    dataset = open_dataset(url)
    dataset.shard_paths("train")[0].unlink()
    dataset.shard_paths("valid")[0].write_bytes(b"cut")
    downloads.clear()
    open_dataset(url)
    assert sorted(downloads) == ["train-000000.tar", "valid-000000.tar"]


def test_dataset_larger_than_the_cache(
    publish: Callable[[int], str], downloads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = publish(0)
    downloads.clear()
    limit_to(monkeypatch, count_bytes(url) - 1)
    with pytest.raises(ShardsError, match=r"memory://.* set FACEAE_CACHE_GIB to a larger number"):
        open_dataset(url)
    assert not downloads
    limit_to(monkeypatch, count_bytes(url) + 1)
    open_dataset(url)


def test_least_recently_used_goes(
    publish: Callable[[int], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    urls = [publish(seed) for seed in range(3)]
    limit_to(monkeypatch, 2.5 * count_bytes(urls[0]))
    paths = [open_dataset(url).path for url in urls[:2]]
    for number, path in enumerate(paths):
        os.utime(path.with_suffix(".json"), (number, number))
    open_dataset(urls[0])  # now the second one is the older
    release()
    open_dataset(urls[2])
    assert [path.exists() for path in paths] == [True, False]


@pytest.mark.skipif(sys.platform == "win32", reason="has no such locks")
def test_dataset_in_use_stays(
    publish: Callable[[int], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = publish(0), publish(1)
    limit_to(monkeypatch, 1.5 * count_bytes(first))
    path = open_dataset(first).path
    with pytest.raises(ShardsError, match="of the cache are in use by other processes"):
        open_dataset(second)
    assert path.exists()
    release()
    open_dataset(second)
    assert not path.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="has no such locks")
def test_two_at_once_download_once(publish: Callable[[int], str], downloads: list[str]) -> None:
    url = publish(0)
    downloads.clear()
    threads = [threading.Thread(target=open_dataset, args=(url,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(downloads) == len(set(downloads)) == 13


def test_inspecting_downloads_no_tar(
    publish: Callable[[int], str], downloads: list[str], cache: Path
) -> None:
    url = publish(0)
    downloads.clear()
    assert inspect_dataset(url).num_samples("train") == 16
    assert not downloads
    assert not cache.exists()
    MEMORY.rm(f"{url}/train/train-000000.tar")
    with pytest.raises(ShardsError, match=rf"{url}/train/train-000000\.tar is missing"):
        inspect_dataset(url)


@pytest.mark.parametrize("text", ["0", "-1", "much", "inf", "nan"])
def test_limit_that_is_none(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("FACEAE_CACHE_GIB", text)
    with pytest.raises(ShardsError, match=f"FACEAE_CACHE_GIB must be .* got '{text}'"):
        read_limit()


def test_place_and_limit_of_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("FACEAE_CACHE")
    monkeypatch.delenv("FACEAE_CACHE_GIB", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert find_cache() == tmp_path / "faceae"
    assert read_limit() == 64 * _GIB
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert find_cache() == Path.home() / ".cache" / "faceae"
