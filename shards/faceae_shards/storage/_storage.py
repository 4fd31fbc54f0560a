"""Storage of datasets: a folder on this machine, or a prefix of an object store.

In both, a file appears only when it is complete. In a folder a part is written, synced and renamed;
object-store uploads are atomic. Sources are read through `faceae_shards.sources` instead.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from .._errors import ShardsError
from ._atomic import PART_SUFFIX, atomic_path, part_of, publish, remove
from ._lock import lock_folder
from ._remote import Location, ask, connect, explain_errors

_LOCK_NAME = "lock"
_SCRATCH_PREFIX = "faceae-"
_LOCAL = ("file://", "local://")


class Storage(Protocol):
    """Reads and writes the files of one dataset by their paths inside it; picklable.

    Raises:
        ShardsError: from every method, where a server or the network fails.
        OSError: from every method, as the file system reports it.
    """

    @property
    def location(self) -> Location:
        """The folder or URL."""

    def locate(self, name: str) -> str:
        """Return the path or URL of a file, for messages."""

    def exists(self) -> bool:
        """Return whether the folder exists, or the prefix holds any object."""

    def list_names(self) -> Iterator[str]:
        """Yield the names of all files."""

    def size(self, name: str) -> int | None:
        """Return a file's size in bytes; None where the file does not exist."""

    def read(self, name: str) -> bytes | None:
        """Return a file's content; None where the file does not exist."""

    def local_copy(self, name: str) -> AbstractContextManager[Path]:
        """Yield a local path at which a file can be read during the block."""

    def writing(self, name: str) -> AbstractContextManager[Path]:
        """Yield a local path to write a file at; the file gets its name after the block."""

    def remove(self, name: str) -> None:
        """Delete a file or a whole folder; do nothing where none is there."""

    def claim(self, state: str) -> AbstractContextManager[Path | None]:
        """Keep other packs out during the block, where locks exist.

        Args:
            state: folder inside the dataset for the state of an unfinished pack.

        Yields:
            The file on which workers hold a shared lock; None where there are no locks.

        Raises:
            ShardsError: another process packs into it.
        """

    def scratch(self) -> AbstractContextManager[Path]:
        """Yield a local folder in which shards are written as parts."""

    def publish(self, scratch: Path, names: Sequence[str]) -> None:
        """Move files that were written as parts in `scratch` to their final names.

        Any process may call this.
        """


def open_storage(location: Location) -> Storage:
    """Return the storage at a path or URL without accessing it.

    Raises:
        ShardsError: the text is no URL, is a path on this machine, or names no bucket.
    """
    if isinstance(location, Path):
        return LocalFolder(location)
    if location.startswith(_LOCAL):
        raise ShardsError(f"{location} is on this machine; give the path without its scheme")
    scheme, separator, place = location.partition("://")
    if not separator:
        raise ShardsError(f"{location!r} is no URL; give a path as pathlib.Path({location!r})")
    if not place.strip("/"):
        raise ShardsError(f"{location} names no place; give one such as {scheme}://bucket/faces")
    return RemotePrefix(location.rstrip("/"))


@dataclass(frozen=True)
class LocalFolder:
    """A folder on this machine."""

    location: Path

    def locate(self, name: str) -> str:
        """Return the path."""
        return str(self.location / name)

    def exists(self) -> bool:
        """Return whether the path exists."""
        return self.location.exists()

    def list_names(self) -> Iterator[str]:
        """Yield the paths of all files in the folder."""
        for file in self.location.rglob("*"):
            if not file.is_dir():
                yield file.relative_to(self.location).as_posix()

    def size(self, name: str) -> int | None:
        """Return a file's size in bytes; None where it is no file."""
        file = self.location / name
        return file.stat().st_size if file.is_file() else None

    def read(self, name: str) -> bytes | None:
        """Return the content of a file; None where it is no file."""
        file = self.location / name
        return file.read_bytes() if file.is_file() else None

    @contextmanager
    def local_copy(self, name: str) -> Iterator[Path]:
        """Yield the file itself."""
        yield self.location / name

    def writing(self, name: str) -> AbstractContextManager[Path]:
        """Write a part, sync and rename it."""
        return atomic_path(self.location / name)

    def remove(self, name: str) -> None:
        """Delete a file or folder."""
        remove(self.location / name)

    @contextmanager
    def claim(self, state: str) -> Iterator[Path | None]:
        """Hold a lock; remove the parts of a killed pack before, and those of this one after."""
        lock = self.location / state / _LOCK_NAME
        lock.parent.mkdir(parents=True, exist_ok=True)
        with lock_folder(lock, self.location):
            self._remove_parts()
            try:
                yield lock
            finally:
                self._remove_parts()

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Yield a new folder inside the dataset, so that renames need no copy; delete it later.

        No other process writes there, not even one that was thought to be dead.
        """
        with tempfile.TemporaryDirectory(
            prefix=_SCRATCH_PREFIX, suffix=PART_SUFFIX, dir=self.location
        ) as folder:
            yield Path(folder)

    def publish(self, scratch: Path, names: Sequence[str]) -> None:
        """Sync and rename the parts."""
        for name in names:
            (self.location / name).parent.mkdir(exist_ok=True)
        publish({part_of(scratch / name): self.location / name for name in names})

    def _remove_parts(self) -> None:
        for part in list(self.location.rglob(f"*{PART_SUFFIX}")):
            remove(part)


@dataclass(frozen=True)
class RemotePrefix:
    """Objects below a URL. Every process opens its own connections."""

    location: str

    def locate(self, name: str) -> str:
        """Return the URL."""
        return f"{self.location}/{name}"

    def exists(self) -> bool:
        """Return whether there is any object."""
        return next(self.list_names(), None) is not None

    def list_names(self) -> Iterator[str]:
        """Yield the names of all objects, listed at once."""
        yield from self._find("")

    def size(self, name: str) -> int | None:
        """Return an object's size in bytes; None where there is no object."""
        with explain_errors(self.locate(name)):
            file_system, path = self._reach(name)
            try:
                info = ask(self.location, file_system, file_system.info, path)
            except FileNotFoundError:
                return None
        return None if info["type"] == "directory" else int(info["size"])

    def read(self, name: str) -> bytes | None:
        """Return the content of an object; None where there is no object."""
        with explain_errors(self.locate(name)):
            file_system, path = self._reach(name)
            try:
                content: bytes = ask(self.location, file_system, file_system.cat_file, path)
            except FileNotFoundError:
                return None
        return content

    @contextmanager
    def local_copy(self, name: str) -> Iterator[Path]:
        """Download the object to a temporary folder."""
        with self.scratch() as folder:
            self.download(name, folder / _SCRATCH_PREFIX)
            yield folder / _SCRATCH_PREFIX

    def download(self, name: str, path: Path) -> None:
        """Write an object to `path`; a failure may leave an incomplete file there."""
        with explain_errors(self.locate(name)):
            file_system, source = self._reach(name)
            file_system.get_file(source, str(path))

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """Write a temporary file, then upload it."""
        with self.scratch() as folder:
            yield folder / _SCRATCH_PREFIX
            self._upload(folder / _SCRATCH_PREFIX, name)

    def remove(self, name: str) -> None:
        """Delete objects one by one: fsspec's recursive deletion treats * and ? as patterns."""
        names = [name] if self.size(name) is not None else list(self._find(name))
        for found in names:
            with explain_errors(self.locate(found)):
                file_system, path = self._reach(found)
                file_system.rm_file(path)

    @contextmanager
    def claim(self, state: str) -> Iterator[Path | None]:
        """Yield None: object stores have no locks. Two packs of one plan write the same objects."""
        yield None

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Yield a new temporary folder (see TMPDIR); delete it after the block."""
        with tempfile.TemporaryDirectory(prefix=_SCRATCH_PREFIX) as folder:
            yield Path(folder)

    def publish(self, scratch: Path, names: Sequence[str]) -> None:
        """Upload the parts one after another, then delete them on this machine."""
        for name in names:
            self._upload(part_of(scratch / name), name)
        for name in names:
            part_of(scratch / name).unlink()

    def _upload(self, path: Path, name: str) -> None:
        num_bytes = path.stat().st_size
        with explain_errors(self.locate(name)):
            file_system, target = self._reach(name)
            file_system.put_file(str(path), target)
        found = self.size(name)
        if found != num_bytes:
            raise ShardsError(
                f"{self.locate(name)} has {found} bytes after {num_bytes} were uploaded; does "
                "another program write there? run the same command again to continue"
            )

    def _find(self, name: str) -> Iterator[str]:
        """Yield the names of the objects below `name`."""
        with explain_errors(self.location):
            file_system, root = connect(self.location)
            below = f"{root}/{name}".rstrip("/")
            found = file_system.find(below)
        for path in found:
            if not path.endswith("/"):  # consoles create such objects for empty folders
                yield str(path)[len(root) + 1 :]

    def _reach(self, name: str) -> tuple[Any, str]:
        return connect(self.locate(name))
