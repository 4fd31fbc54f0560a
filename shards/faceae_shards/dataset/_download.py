"""Download of a remote dataset's files into the cache."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

from .._errors import ShardsError
from .._format import MANIFEST_NAME, REJECTED_NAME, hash_file
from ..storage import CacheEntry, LocalFolder, RemotePrefix, atomic_path
from ._dataset import Dataset, decode_manifest

OnDownload = Callable[[int, int], None]
"""Receives the number of bytes downloaded so far and the total."""

_NUM_CONNECTIONS = 4

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class _File:
    name: str
    num_bytes: int | None
    """None: dataset.json does not record it."""
    sha256: str


def fetch(dataset: Dataset, on_download: OnDownload | None = None) -> None:
    """Download the files of a remote dataset that the cache lacks.

    A second process that wants the same dataset waits. Several files are downloaded at a time. A
    file appears in the cache only when it is whole and has the recorded sha256, so an interrupted
    download continues where it stopped. dataset.json is written last.

    Raises:
        ShardsError: the dataset is larger than the cache may be, a file differs from its record
            in dataset.json, or the server fails.
        OSError: as the file system reports it.
    """
    location = str(dataset.location)
    entry = CacheEntry(cache=dataset.path.parent, hash=dataset.hash)
    entry.hold()
    if not _is_whole(dataset, entry):
        with entry.downloading():
            if not _is_whole(dataset, entry):
                entry.make_room(sum(file.num_bytes or 0 for file in _list_files(dataset)), location)
                log.info("downloading %s to %s", location, dataset.path)
                _download(dataset, on_download or _ignore)
    log.info("%s is read from the cache: %s", location, dataset.path)
    entry.touch()


def _is_whole(dataset: Dataset, entry: CacheEntry) -> bool:
    return (
        entry.record.is_file()
        and (dataset.path / MANIFEST_NAME).is_file()
        and not _list_missing(dataset)
    )


def _list_files(dataset: Dataset) -> list[_File]:
    files = [_File(name=REJECTED_NAME, num_bytes=None, sha256=dataset.manifest.rejected_sha256)]
    for shards in dataset.splits.values():
        for shard in shards:
            files += [
                _File(name=shard.name, num_bytes=shard.num_bytes, sha256=shard.sha256),
                _File(
                    name=shard.index_name,
                    num_bytes=shard.index_num_bytes,
                    sha256=shard.index_sha256,
                ),
            ]
    return files


def _list_missing(dataset: Dataset) -> list[_File]:
    """Return the files that are missing or do not have their recorded size."""
    folder = LocalFolder(dataset.path)
    missing = []
    for file in _list_files(dataset):
        found = folder.size(file.name)
        if found is None or file.num_bytes not in (None, found):
            missing.append(file)
    return missing


def _download(dataset: Dataset, on_download: OnDownload) -> None:
    files = _list_missing(dataset)
    storage = RemotePrefix(str(dataset.location))
    total = sum(file.num_bytes or 0 for file in files)
    done = 0
    with ThreadPoolExecutor(_NUM_CONNECTIONS) as executor:
        futures = {executor.submit(_download_file, storage, dataset, file): file for file in files}
        try:
            on_download(0, total)
            for future in as_completed(futures):
                future.result()
                done += futures[future].num_bytes or 0
                on_download(done, total)
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            raise
    _download_manifest(storage, dataset)


def _download_file(storage: RemotePrefix, dataset: Dataset, file: _File) -> None:
    path = dataset.path / file.name
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as part:
        storage.download(file.name, part)
        if hash_file(part) != file.sha256:
            raise ShardsError(
                f"{storage.locate(file.name)} does not have the sha256 that {MANIFEST_NAME} "
                f"records; "
                f"{dataset.remedy}"
            )


def _download_manifest(storage: RemotePrefix, dataset: Dataset) -> None:
    """Write dataset.json as it is on the server, keys that this version ignores included."""
    content, url = storage.read(MANIFEST_NAME) or b"", storage.locate(MANIFEST_NAME)
    if decode_manifest(content, url)[1] != dataset.hash:
        raise ShardsError(f"{url} changed during the download; run the same command again")
    with atomic_path(dataset.path / MANIFEST_NAME) as part:
        part.write_bytes(content)


def _ignore(num_bytes: int, total: int) -> None:
    """Report to nobody."""
