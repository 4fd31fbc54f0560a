"""A remote dataset's files, downloaded into the cache."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

from .._errors import ShardsError
from .._format import MANIFEST_NAME, REJECTED_NAME, hash_file
from ..storage import CacheEntry, LocalFolder, RemotePrefix, atomic_path, write_json
from ._manifest import Dataset

OnDownload = Callable[[int, int], None]
"""Receives the bytes downloaded so far, and those to download."""

_NUM_CONNECTIONS = 4

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class _File:
    name: str
    num_bytes: int | None
    """None: not recorded."""
    sha256: str


def fetch(dataset: Dataset, on_download: OnDownload | None = None) -> None:
    """Download what the cache lacks of a remote dataset; a process that comes second waits.

    Files come several at a time, each whole and with the recorded sha256 or not at all, so an
    interrupted download goes on where it was. dataset.json comes last.

    Raises:
        ShardsError: the dataset is larger than the cache may be, a file differs from what
            dataset.json says, or the server fails.
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
    files = [_File(name=REJECTED_NAME, num_bytes=None, sha256=dataset.manifest["rejected_sha256"])]
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
    """Return what is not there, or was cut since it came."""
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
    write_json(dataset.path / MANIFEST_NAME, dataset.manifest)


def _download_file(storage: RemotePrefix, dataset: Dataset, file: _File) -> None:
    path = dataset.path / file.name
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as part:
        storage.download(file.name, part)
        if hash_file(part) != file.sha256:
            raise ShardsError(
                f"{storage.locate(file.name)} differs from what {MANIFEST_NAME} says (sha256); "
                f"{dataset.remedy}"
            )


def _ignore(num_bytes: int, total: int) -> None:
    """Report to nobody."""
