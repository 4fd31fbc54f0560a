"""Optuna's journal, a file of one JSON line for each change of a study."""

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from faceae.errors import FaceaeError


def open_journal(optuna: Any, path: Path, *, writes: bool) -> Any:
    """Open a journal as a storage of Optuna. A file that is missing is made.

    Args:
        writes: whether the caller will write.

    Raises:
        FaceaeError: the file is damaged, or not a journal.
    """
    journal = optuna.storages.journal
    # Windows lets only some users make symbolic links.
    make_lock = (
        journal.JournalFileOpenLock if sys.platform == "win32" else journal.JournalFileSymlinkLock
    )
    lock = make_lock(str(path))
    if writes and path.exists():
        _cut_torn_line(path, lock)
    backend = journal.JournalFileBackend(str(path), lock_obj=lock)
    try:
        return optuna.storages.JournalStorage(_Journal(backend, path, lock))
    except (AssertionError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise FaceaeError(
            f"{path}: damaged, or not the journal of a study ({first_line(error)}); restore it "
            "from a copy, or begin another `study`"
        ) from error


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, or its type where it has none."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


class _Journal:
    """Optuna's journal file, which is synced to the disk when a trial ends.

    Optuna's own class syncs each line, about eight times a trial. A process that is killed loses no
    line either way. A power cut may lose those of trials that were running, which it has ended.
    """

    def __init__(self, backend: Any, path: Path, lock: Any) -> None:
        """Write to `path` while holding `lock`, as `backend` does."""
        self._backend, self._path, self._lock = backend, path, lock

    def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
        """Read the lines from one on."""
        logs: Iterable[dict[str, Any]] = self._backend.read_logs(log_number_from)
        return logs

    def append_logs(self, logs: Sequence[Mapping[str, Any]]) -> None:
        """Add lines."""
        text = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        self._lock.acquire()
        try:
            with self._path.open("ab") as file:
                file.write(text.encode("utf-8"))
                if any("datetime_complete" in log for log in logs):
                    file.flush()
                    os.fsync(file.fileno())
        finally:
            self._lock.release()


def _cut_torn_line(path: Path, lock: Any) -> None:
    """Cut off a last line that a machine could not finish when it went down."""
    with path.open("rb") as file:
        if _length_of_whole_lines(file) == path.stat().st_size:
            return
    lock.acquire()
    try:
        with path.open("r+b") as file:
            file.truncate(_length_of_whole_lines(file))
    finally:
        lock.release()


def _length_of_whole_lines(file: Any) -> int:
    size: int = file.seek(0, os.SEEK_END)
    start = max(0, size - (1 << 20))
    file.seek(start)
    rest: bytes = file.read()
    return start + rest.rfind(b"\n") + 1
