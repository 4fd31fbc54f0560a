"""Where a study is stored: Optuna's journal in the study's folder, or a database."""

import re
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faceae.errors import FaceaeError

from ._config import TuneConfig, is_database
from ._journal import first_line, open_journal

_JOURNAL = "journal.log"
_HEARTBEAT_S = 30
_GRACE_S = 120
"""How long a trial in a database may be silent before it counts as dead."""
_CONNECTS = 6
_CONNECT_S = 1.0
"""How often, and after which time, tables are looked for again that another process makes."""


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
    return open_journal(optuna, place.journal, writes=writes)


@contextmanager
def explain_storage(place: Place) -> Iterator[None]:
    """Raise FaceaeError where a database fails, or does not answer any more."""
    if place.journal is not None:
        yield
        return
    optuna = import_optuna()
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (optuna.exceptions.StorageInternalError, SQLAlchemyError) as error:
        raise FaceaeError(
            f"`study` {place.title}: the database failed ({first_line(error)}); run the same "
            "command again to go on"
        ) from error


def _open_database(optuna: Any, place: Place, on_dead: Callable[[Any, Any], None]) -> Any:
    from sqlalchemy.exc import SQLAlchemyError

    try:
        for _ in range(_CONNECTS - 1):
            try:
                return _connect(optuna, place, on_dead)
            except SQLAlchemyError as error:
                if not _is_being_made(error):
                    raise
                time.sleep(_CONNECT_S)
        return _connect(optuna, place, on_dead)
    except (SQLAlchemyError, ImportError, RuntimeError, ValueError) as error:
        raise FaceaeError(
            f"`study` {place.title}: the database cannot be used ({first_line(error)}); check the "
            "URL, and that its driver is installed"
        ) from error


def _is_being_made(error: Exception) -> bool:
    """Return whether another process may be making the tables in this moment, in several steps.

    PostgreSQL tells of a duplicate key or a missing table, SQLite and MySQL that a table exists.
    """
    from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

    if isinstance(error, OperationalError):
        return "already exists" in str(error)
    return isinstance(error, IntegrityError | ProgrammingError)


def _connect(optuna: Any, place: Place, on_dead: Callable[[Any, Any], None]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.storages.RDBStorage(
            str(place.study),
            heartbeat_interval=_HEARTBEAT_S,
            grace_period=_GRACE_S,
            heartbeat_stale_trial_callback=on_dead,
        )
