"""Where a study is stored: Optuna's journal in the study's folder, or a database."""

import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faceae.errors import FaceaeError

from ._config import TuneConfig, is_database

_JOURNAL = "journal.log"
_HEARTBEAT_S = 30
_GRACE_S = 120
"""How long a trial in a database may be silent before it counts as dead."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a study and the files of its trials are."""

    study: Path | str
    """The study's folder, or the URL of a database."""
    name: str
    """The study's name in its storage."""
    folder: Path | None
    """Folder of the trials' runs. None: unknown, to read only."""

    @property
    def title(self) -> str:
        """The folder, or the URL without its password."""
        return re.sub(r"(://[^:/@]*):[^@/]*@", r"\1:***@", str(self.study))

    @property
    def journal(self) -> Path | None:
        """The file of a study in a folder. None: it is in a database."""
        return None if is_database(self.study) else Path(self.study) / _JOURNAL

    def run_path(self, number: int) -> Path:
        """Return the folder of a trial's run."""
        assert self.folder is not None, "a study that is worked on has a folder"
        return self.folder / "trials" / f"{number:05}"


def find_place(config: TuneConfig) -> Place:
    """Return the place of the study that `config` names, whose paths must be absolute."""
    folder = None if is_database(config.study) else Path(config.study)
    return Place(study=config.study, name=config.name, folder=config.runs or folder)


def is_study(path: Path | str) -> bool:
    """Return whether `path` is the folder of a study, or could be the URL of one."""
    return is_database(path) or (Path(path) / _JOURNAL).is_file()


def import_optuna() -> Any:
    """Return Optuna, which then prints nothing of its own.

    Raises:
        FaceaeError: it is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise FaceaeError(f"studies need Optuna ({error}); pip install 'faceae[tune]'") from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def open_storage(place: Place, on_dead: Callable[[Any, Any], None], *, writes: bool = True) -> Any:
    """Open the storage of a study; a journal or table that is missing is made.

    Args:
        on_dead: a database calls it with the study and each trial that it has found dead.
        writes: whether the caller will write. If not, the journal must exist.

    Raises:
        FaceaeError: the journal is damaged, or the database cannot be used.
    """
    optuna = import_optuna()
    if place.journal is None:
        return _open_database(optuna, place, on_dead)
    if not writes and not place.journal.is_file():
        raise FaceaeError(f"{place.title}: no study (no {_JOURNAL}); `faceae tune` makes one")
    if writes:
        place.journal.parent.mkdir(parents=True, exist_ok=True)
    return _open_journal(optuna, place.journal, writes=writes)


@contextmanager
def explain_storage(place: Place) -> Iterator[None]:
    """Raise FaceaeError where a database fails, or does not answer any more."""
    optuna = import_optuna()
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (optuna.exceptions.StorageInternalError, SQLAlchemyError) as error:
        raise FaceaeError(
            f"`study` {place.title}: the database failed ({_first_line(error)}); run the same "
            "command again to go on"
        ) from error


def _open_journal(optuna: Any, path: Path, *, writes: bool) -> Any:
    journal = optuna.storages.journal
    # Windows lets only some users make symbolic links.
    make_lock = (
        journal.JournalFileOpenLock if sys.platform == "win32" else journal.JournalFileSymlinkLock
    )
    lock = make_lock(str(path))
    if writes and path.exists():
        _cut_torn_line(journal, path, lock)
    try:
        return optuna.storages.JournalStorage(journal.JournalFileBackend(str(path), lock_obj=lock))
    except (AssertionError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise FaceaeError(
            f"{path}: damaged, or not the journal of a study ({_first_line(error)}); restore it "
            "from a copy, or begin another `study`"
        ) from error


def _cut_torn_line(journal: Any, path: Path, lock: Any) -> None:
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


def _open_database(optuna: Any, place: Place, on_dead: Callable[[Any, Any], None]) -> Any:
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return optuna.storages.RDBStorage(
                str(place.study),
                heartbeat_interval=_HEARTBEAT_S,
                grace_period=_GRACE_S,
                heartbeat_stale_trial_callback=on_dead,
            )
    except (SQLAlchemyError, ImportError, RuntimeError, ValueError) as error:
        raise FaceaeError(
            f"`study` {place.title}: the database cannot be used ({_first_line(error)}); check the "
            "URL, and that its driver is installed"
        ) from error


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
