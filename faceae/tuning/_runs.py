"""The runs of trials: the winner's weights stay, and those of the others are removed."""

import filecmp
import os
import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Self

from faceae.errors import FaceaeError
from faceae.runs import Run, read_run, write_run
from faceae_shards import PART_SUFFIX, remove
from faceae_shards.storage import discard_on_error

from ._storage import Place
from ._view import StudyView

_KEPT = frozenset({"run.json", "run.toml", "metrics.jsonl", "tensorboard"})
"""What stays of a trial that is not the best."""


class Cleaner:
    """Removes what losing trials have left, in a thread beside the next trial.

    A context manager: its end waits for the thread.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._dropped: set[int] = set()
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="cleaner")
        self._last: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self._pool.shutdown()
        if kind is None:  # the error that ends the block is told, not this one
            self._check()

    def drop_losers(self, study: StudyView) -> None:
        """Remove the weights, checkpoints and pictures of all finished trials but the best.

        Files of trials that other processes work on are left alone.

        Raises:
            OSError: something could not be removed, perhaps after an earlier call.
        """
        best = None if study.best is None else study.best.number
        finished = {t.number for t in study.trials if t.state in ("complete", "pruned", "failed")}
        losers = finished - self._dropped - {best}
        self._dropped |= losers
        self._check()
        self._last = self._pool.submit(self._drop, sorted(losers))

    def _drop(self, numbers: list[int]) -> None:
        for number in numbers:
            drop_weights(self._place.run_path(number))

    def _check(self) -> None:
        if self._last is not None:
            self._last.result()


def drop_weights(run: Path) -> None:
    """Remove what a trial's run takes disk space for; its options and metrics stay."""
    if run.is_dir():
        for path in run.iterdir():
            if path.name not in _KEPT and path.name != ".lock":
                remove(path)


def promote(study: StudyView, out: Path) -> Run:
    """Copy the best trial's run to `out`, which must not exist, and return it.

    If `out` is this very run already, it stays as it is.

    Raises:
        FaceaeError: no trial is complete, its run is on another machine, or `out` is something
            else.
    """
    best = study.best
    if best is None or best.run is None:
        raise FaceaeError(f"{study.title}: no trial is complete; there is nothing to promote")
    if not (best.run / "model.safetensors").is_file():
        raise FaceaeError(
            f"{study.title}: the run of trial {best.number} is not here; it was written on "
            f"{best.host} as {best.run}; promote it there"
        )
    if out.exists():
        return _accept_promoted(best.run, out)
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f"{out.name}-{os.getpid()}{PART_SUFFIX}")
    with discard_on_error(part):
        shutil.copytree(best.run, part, ignore=shutil.ignore_patterns(".lock"))
        part.rename(out)
    run = read_run(out)
    write_run(run)  # with its new folder
    return run


def _accept_promoted(best: Path, out: Path) -> Run:
    """Return the run in `out`, if it has the weights of the run `best`."""
    name = "model.safetensors"
    weights = out / name
    if not weights.is_file() or not filecmp.cmp(best / name, weights, shallow=False):
        raise FaceaeError(
            f"`promote` {out}: is there already, and is not the best trial's run; give a new folder"
        )
    return read_run(out)
