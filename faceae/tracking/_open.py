"""Finds and opens trackers, and keeps their failures away from the training."""

import contextlib
import dataclasses
import importlib
import importlib.metadata
import json
import logging
import queue
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import torch

from faceae.errors import FaceaeError
from faceae.runs import Run, TrainConfig
from faceae_shards import write_json

from ._tracker import TrackedRun, Tracker

log = logging.getLogger(__name__)

_GROUP = "faceae.trackers"
_ALWAYS = "tensorboard"
_BUILT_IN = {
    "tensorboard": "_tensorboard:TensorBoardTracker",
    "wandb": "_wandb:WandbTracker",
    "mlflow": "_mlflow:MlflowTracker",
    "clearml": "_clearml:ClearmlTracker",
}
_CLOSE_S = 60.0
"""Longest time that the end of a training waits for a tracker."""

Factory = Callable[[TrackedRun], Tracker]


class Trackers:
    """The trackers of one training. Their failures are warnings."""

    def __init__(self, trackers: Mapping[str, Tracker]) -> None:
        self._trackers = {
            tracker: _Direct(name) if tracker.is_local else _Background(name)
            for name, tracker in trackers.items()
        }

    def add_figures(self, figures: Mapping[str, float], step: int) -> None:
        """Give figures to all trackers."""
        for tracker, guard in self._trackers.items():
            guard.do("figures", _bind(tracker.add_figures, figures, step))

    def add_faces(self, images_NCHW: torch.Tensor, grid: Path, step: int) -> None:
        """Give faces to all trackers; see `Tracker.add_faces`."""
        for tracker, guard in self._trackers.items():
            guard.do("faces", _bind(tracker.add_faces, images_NCHW, grid, step))

    def flush(self) -> None:
        """Write what trackers on this machine hold."""
        for tracker, guard in self._trackers.items():
            if tracker.is_local:
                guard.do("figures", tracker.flush)

    def close(self, *, is_finished: bool) -> None:
        """End the runs of all trackers, and wait for them for a minute at most."""
        for tracker, guard in self._trackers.items():

            def close(tracker: Tracker = tracker) -> None:
                with _stdout_to_stderr():
                    tracker.close(is_finished=is_finished)

            guard.do("end", close)
        for guard in self._trackers.values():
            guard.wait()


def check_trackers(names: Sequence[str]) -> None:
    """Raise FaceaeError unless each name is a tracker whose package is installed."""
    for name in names:
        _find(name)


def open_trackers(run: Run, last_step: int | None) -> Trackers:
    """Open TensorBoard and the trackers that the run's options name.

    Records in RUN/trackers.json how to find their runs again, which a resumed training continues.

    Args:
        last_step: number of steps done if the training continues.

    Raises:
        FaceaeError: a tracker does not exist or cannot begin. None is left open.
    """
    run.path.mkdir(parents=True, exist_ok=True)
    references = _read_references(run)
    opened: dict[str, Tracker] = {}
    try:
        for name in dict.fromkeys((_ALWAYS, *run.config.tracker)):
            tracked = TrackedRun(
                name=run.path.resolve().name,
                path=run.path,
                options=_list_options(run.config),
                reference=references.get(name),
                last_step=last_step,
            )
            opened[name] = _open(name, tracked)
    except FaceaeError:
        Trackers(opened).close(is_finished=False)
        raise
    found = {name: each.reference for name, each in opened.items() if each.reference is not None}
    if found:
        write_json(_references_path(run), references | found)
    return Trackers(opened)


def _find(name: str) -> Factory:
    try:
        if name in _BUILT_IN:
            module, attribute = _BUILT_IN[name].split(":")
            factory: Factory = getattr(
                importlib.import_module(f".{module}", __package__), attribute
            )
            return factory
        loaded: Factory = _find_point(name).load()
    except ImportError as error:
        remedy = f"pip install 'faceae[{name}]'" if name in _BUILT_IN else "install what it needs"
        raise FaceaeError(
            f"`tracker` {name}: {error.name or error} cannot be imported; {remedy}"
        ) from error
    except AttributeError as error:
        raise FaceaeError(f"`tracker` {name}: its package is damaged ({error})") from error
    return loaded


def _find_point(name: str) -> importlib.metadata.EntryPoint:
    points = importlib.metadata.entry_points(group=_GROUP)
    found = [point for point in points if point.name == name]
    if len(found) > 1:
        places = ", ".join(point.value for point in found)
        raise FaceaeError(f"`tracker` {name}: several packages offer it: {places}; uninstall one")
    if not found:
        known = ", ".join(dict.fromkeys([*_BUILT_IN, *(point.name for point in points)]))
        raise FaceaeError(f"`tracker` {name}: there is no such tracker; known: {known}")
    return found[0]


def _open(name: str, run: TrackedRun) -> Tracker:
    factory = _find(name)
    try:
        with _stdout_to_stderr():
            return factory(run)
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise FaceaeError(f"`tracker` {name}: cannot begin: {reason}") from error


def _bind(function: Callable[..., None], *args: object) -> Callable[[], None]:
    return lambda: function(*args)


def _list_options(config: TrainConfig) -> dict[str, str | int | float | bool | None]:
    """Return the options as plain values, with the learning rate that is used."""
    values = dataclasses.asdict(config) | {"lr": config.peak_lr}
    return {
        name: value if isinstance(value, bool | int | float | None) else str(value)
        for name, value in values.items()
    }


@contextlib.contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    """Keep a tracker's own words out of the results."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


def _references_path(run: Run) -> Path:
    return run.path / "trackers.json"


def _read_references(run: Run) -> dict[str, str]:
    path = _references_path(run)
    if not path.exists():
        return {}
    try:
        return {str(name): str(text) for name, text in json.loads(path.read_text("utf-8")).items()}
    except (AttributeError, ValueError) as error:
        raise FaceaeError(
            f"{path}: damaged ({error}); delete it, and trackers begin new runs"
        ) from error


class _Direct:
    """Calls a tracker, and nothing of a kind that failed once."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._failed: set[str] = set()

    def do(self, kind: str, call: Callable[[], None]) -> None:
        if kind in self._failed:
            return
        try:
            call()
        except Exception as error:
            self._failed.add(kind)
            reason = " ".join(str(error).split()) or type(error).__name__
            log.warning(
                "tracker %s failed (%s); training continues without its %s",
                *(self._name, reason, kind),
            )

    def wait(self) -> None:
        pass


class _Background:
    """Calls a tracker in a thread, in order."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._direct = _Direct(name)
        self._calls: queue.SimpleQueue[tuple[str, Callable[[], None]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=f"tracker {name}", daemon=True)
        self._thread.start()

    def do(self, kind: str, call: Callable[[], None]) -> None:
        self._calls.put((kind, call))

    def wait(self) -> None:
        self._calls.put(None)
        self._thread.join(_CLOSE_S)
        if self._thread.is_alive():
            log.warning("tracker %s did not take all figures within %.0f s", self._name, _CLOSE_S)

    def _work(self) -> None:
        for kind, call in iter(self._calls.get, None):
            self._direct.do(kind, call)
