"""Locks by which the processes of a study notice each other, and each other's end.

A process holds the lock of its trial while it trains. The operating system releases it when the
process ends, even by `kill -9`. A running trial without a held lock is dead.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from faceae.errors import FaceaeError

from ._storage import import_optuna

log = logging.getLogger(__name__)

_REPEATS = "repeats"
"""Attribute of a trial: the number of the dead one whose values it has again."""
_PATIENCE_S = 120.0


class TrialLocks:
    """The locks of a study's trials."""

    def __init__(self, folder: Path) -> None:
        """Use the folder `folder`/locks, which is made."""
        self._folder = folder / "locks"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._start = FileLock(self._folder / "start.lock", timeout=_PATIENCE_S)

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Let one process at a time begin a trial, until `started` or the block ends.

        Raises:
            FaceaeError: another process does not come to an end of it.
        """
        try:
            self._start.acquire()
        except Timeout as error:
            raise FaceaeError(
                f"{self._start.lock_file}: held by another process for {_PATIENCE_S:.0f} seconds; "
                "look for a process of this study that has stopped, and end it"
            ) from error
        try:
            yield
        finally:
            self.started()

    def started(self) -> None:
        """Let the next process begin a trial. The caller holds its own trial."""
        self._start.release(force=True)

    @contextmanager
    def hold(self, number: int) -> Iterator[None]:
        """Hold a trial until the block ends."""
        lock = self._lock_of(number)
        lock.acquire()
        try:
            yield
        finally:
            Path(lock.lock_file).unlink(missing_ok=True)
            lock.release()

    def is_held(self, number: int) -> bool:
        """Return whether a process holds a trial. Only while the caller is `starting` one."""
        lock = self._lock_of(number)
        try:
            lock.acquire()
        except Timeout:
            return True
        lock.release()
        Path(lock.lock_file).unlink(missing_ok=True)
        return False

    def _lock_of(self, number: int) -> FileLock:
        return FileLock(self._folder / f"{number:05}.lock", timeout=0)


def fail_dead_trials(study: Any, locks: TrialLocks) -> None:
    """Mark the trials of ended processes as failed, and have their values tried again.

    Only while the caller is `starting` a trial.
    """
    states = import_optuna().trial.TrialState
    for trial in study.get_trials(deepcopy=False, states=(states.RUNNING,)):
        if locks.is_held(trial.number):
            continue
        # A process records its trial before it lets go of the lock, perhaps just now.
        if study.get_trials(deepcopy=False)[trial.number].state == states.RUNNING:
            study.tell(trial.number, state=states.FAIL, skip_if_finished=True)
            repeat_trial(study, trial)


def repeat_trial(study: Any, trial: Any) -> None:
    """Have a dead trial's values tried once more. Values that ended two processes are given up."""
    if _REPEATS in trial.user_attrs:
        log.warning("trial %d: its process has ended, as that of the same values before it did; "
                    "they are given up", trial.number)  # fmt: skip
        return
    log.warning("trial %d: its process has ended; its values are tried again", trial.number)
    enqueue_again(study, trial, {_REPEATS: trial.number})


def enqueue_again(study: Any, trial: Any, attributes: dict[str, Any]) -> None:
    """Let the next trial have the values that `trial` had."""
    if trial.params:
        study.enqueue_trial(dict(trial.params), user_attrs=attributes)
