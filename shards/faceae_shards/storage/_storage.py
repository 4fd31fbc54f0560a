"""Where a dataset lies: a folder of this machine, or a prefix of an object store.

Both write a file whole or not at all: a folder by a part that is synced and renamed, an object
store by what a PUT, or the end of an upload in pieces, is. (A source is read through
`_source_files`.)
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
    """Reads and writes the files of one dataset, named by their paths inside it; picklable.

    Its methods raise ShardsError for what a server, or the way to it, does, and OSError as the
    file system reports it.
    """

    @property
    def location(self) -> Location:
        """The folder or URL."""

    def locate(self, name: str) -> str:
        """Return what messages call a file."""

    def exists(self) -> bool:
        """Tell whether there is anything."""

    def list_names(self) -> Iterator[str]:
        """Yield the names of all files."""

    def size(self, name: str) -> int | None:
        """Return a file's size in bytes, None where there is none."""

    def read(self, name: str) -> bytes | None:
        """Return a file's content, None where there is none."""

    def local_copy(self, name: str) -> AbstractContextManager[Path]:
        """Yield a path of this machine at which a file can be read, for the length of the block."""

    def writing(self, name: str) -> AbstractContextManager[Path]:
        """Yield a path to write a file at, which gets its name when the block ends well."""

    def remove(self, name: str) -> None:
        """Delete a file, or all that lies in a folder; nothing there is fine."""

    def claim(self, state: str) -> AbstractContextManager[Path | None]:
        """Keep other packs out for the length of the block, where that is possible.

        Args:
            state: folder for what belongs to an unfinished pack.

        Yields the file that workers share a lock on.

        Raises:
            ShardsError: another process packs into it.
        """

    def scratch(self) -> AbstractContextManager[Path]:
        """Yield a folder of this machine that shards are written in, as parts."""

    def publish(self, scratch: Path, names: Sequence[str]) -> None:
        """Give files that were written as parts in `scratch` their names; the parts are gone then.

        Any process may call this.
        """


def open_storage(location: Location) -> Storage:
    """Return the storage at a path or URL, without looking at it.

    Raises:
        ShardsError: the URL is a path of this machine, or names nothing.
    """
    if isinstance(location, Path):
        return LocalFolder(location)
    if location.startswith(_LOCAL):
        raise ShardsError(f"{location} is on this machine; give the path without its scheme")
    scheme, _, place = location.partition("://")
    if not place.strip("/"):
        raise ShardsError(f"{location} names no place; give one such as {scheme}://bucket/faces")
    return RemotePrefix(location.rstrip("/"))


@dataclass(frozen=True)
class LocalFolder:
    """A folder."""

    location: Path

    def locate(self, name: str) -> str:
        """Return the path."""
        return str(self.location / name)

    def exists(self) -> bool:
        """Tell whether there is a folder, or anything else."""
        return self.location.exists()

    def list_names(self) -> Iterator[str]:
        """Walk the folder."""
        for file in self.location.rglob("*"):
            if not file.is_dir():
                yield file.relative_to(self.location).as_posix()

    def size(self, name: str) -> int | None:
        """Ask the file system."""
        file = self.location / name
        return file.stat().st_size if file.is_file() else None

    def read(self, name: str) -> bytes | None:
        """Read the file."""
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
        """Hold a lock; remove what a killed pack left half written, and what this one leaves."""
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
        """Yield a new folder within, since renaming copies nothing, and delete it.

        Nobody else writes there, not even a process that was taken for dead.
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
    """Objects below a URL. Connections are opened where they are used, in each process its own."""

    location: str

    def locate(self, name: str) -> str:
        """Return the URL."""
        return f"{self.location}/{name}"

    def exists(self) -> bool:
        """Tell whether there is any object."""
        return next(self.list_names(), None) is not None

    def list_names(self) -> Iterator[str]:
        """List all objects at once."""
        yield from self._find("")

    def size(self, name: str) -> int | None:
        """Ask the server."""
        with explain_errors(self.locate(name)):
            file_system, path = self._reach(name)
            try:
                info = ask(self.location, file_system, file_system.info, path)
            except FileNotFoundError:
                return None
        return None if info["type"] == "directory" else int(info["size"])

    def read(self, name: str) -> bytes | None:
        """Get the object."""
        with explain_errors(self.locate(name)):
            file_system, path = self._reach(name)
            try:
                content: bytes = ask(self.location, file_system, file_system.cat_file, path)
            except FileNotFoundError:
                return None
        return content

    @contextmanager
    def local_copy(self, name: str) -> Iterator[Path]:
        """Download it to a temporary folder."""
        with self.scratch() as folder:
            self.download(name, folder / _SCRATCH_PREFIX)
            yield folder / _SCRATCH_PREFIX

    def download(self, name: str, path: Path) -> None:
        """Write an object to `path`, which may be left cut where this fails."""
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
        """Delete one by one; the library's own recursion takes * and ? in names for patterns."""
        names = [name] if self.size(name) is not None else list(self._find(name))
        for found in names:
            with explain_errors(self.locate(found)):
                file_system, path = self._reach(found)
                file_system.rm_file(path)

    @contextmanager
    def claim(self, state: str) -> Iterator[Path | None]:
        """Object stores have no locks: of two packs at once, those of one plan write the same."""
        yield None

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Yield a new folder where TMPDIR says, deleted when the block ends."""
        with tempfile.TemporaryDirectory(prefix=_SCRATCH_PREFIX) as folder:
            yield Path(folder)

    def publish(self, scratch: Path, names: Sequence[str]) -> None:
        """Upload the parts one after another, then delete them here."""
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
                "another program write there? run the same command again to go on"
            )

    def _find(self, name: str) -> Iterator[str]:
        """List the objects below `name`."""
        with explain_errors(self.location):
            file_system, root = connect(self.location)
            below = f"{root}/{name}".rstrip("/")
            found = file_system.find(below)
        for path in found:
            if not path.endswith("/"):  # else what consoles make to show an empty folder
                yield str(path)[len(root) + 1 :]

    def _reach(self, name: str) -> tuple[Any, str]:
        return connect(self.locate(name))
