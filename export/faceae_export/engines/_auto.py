"""Measure which engine is fastest for a model on this machine."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from faceae.errors import FaceaeError
from faceae.runs import TrainedModel

from .._metadata import Kind
from ..sessions import ENGINE_ERRORS, MicroBatchedSession, Session, summarise
from ._engines import ENGINES, EngineName, find_engines
from ._open import make_example, open_model, open_session

log = logging.getLogger(__name__)

_OPEN_ERRORS: tuple[type[Exception], ...] = (*ENGINE_ERRORS, OSError)
"""OSError: the file or the engine's cache cannot be written or read."""
_TURNS = 3
_MIN_FACES = 64
"""Faces per measurement; more if a session needs more to keep its threads busy."""


@dataclass(frozen=True, kw_only=True)
class EngineChoice:
    """The fastest engine, and the measurements behind the choice."""

    engine: EngineName
    session: Session
    faces_per_s: dict[EngineName, float]
    """Faces per second of each engine that could be opened, the fastest first."""
    left_out: dict[EngineName, str]
    """Reason why each of the other engines could not be opened or failed."""

    def __str__(self) -> str:
        (_, best), *others = self.faces_per_s.items()
        compared = [f"{best / rate:.2f} times {name}" for name, rate in others]
        text = ", ".join([f"{self.engine}: {best:,.0f} faces/s", *compared])
        reasons = [f"without {name}: {why}" for name, why in self.left_out.items()]
        return "; ".join([text, *reasons])


def open_fastest(model: TrainedModel | Path, kind: Kind, device: torch.device) -> EngineChoice:
    """Open a model, or an exported file, in the engine that is fastest on `device`.

    A model is exported to the format of every engine, and each export is checked. A file is opened
    in the engines that read its format. Each engine computes the same batch three times, in turns,
    and its shortest time counts.

    Args:
        kind: the part of a model to open; not "morph". Ignored for a file.

    Raises:
        FaceaeError: no engine can run it; the message says why for each.
    """
    if isinstance(model, Path):
        openers = {name: partial(open_session, model, device, name) for name in find_engines(model)}
    else:
        names: tuple[EngineName, ...] = ("torch", *ENGINES)
        openers = {name: partial(open_model, model, kind, device, name) for name in names}
    return choose_fastest(
        {name: opener for name, opener in openers.items() if _can_use(name, device)}
    )


def choose_fastest(openers: Mapping[EngineName, Callable[[], Session]]) -> EngineChoice:
    """Open all sessions, measure them, and keep the fastest.

    An engine that fails, for example for want of memory, is left out.

    Raises:
        FaceaeError: none can be opened and run; the message says why for each.
    """
    sessions: dict[EngineName, Session] = {}
    left_out: dict[EngineName, str] = {}
    for name, open_it in openers.items():
        log.debug("opening %s", name)
        try:
            sessions[name] = open_it()
        except FaceaeError as error:
            left_out[name] = str(error)
        except _OPEN_ERRORS as error:
            left_out[name] = summarise(error)
    rates = _measure(sessions, left_out)
    if not rates:
        raise FaceaeError("; ".join(f"{name}: {why}" for name, why in left_out.items()))
    fastest_first = sorted(rates, key=rates.__getitem__, reverse=True)
    return EngineChoice(
        engine=fastest_first[0],
        session=sessions[fastest_first[0]],
        faces_per_s={name: rates[name] for name in fastest_first},
        left_out=left_out,
    )


def _can_use(name: EngineName, device: torch.device) -> bool:
    return name == "torch" or device.type in ENGINES[name].devices


def _measure(
    sessions: Mapping[EngineName, Session], left_out: dict[EngineName, str]
) -> dict[EngineName, float]:
    """Return the faces per second of each session that runs; add the others to `left_out`."""
    log.debug("measuring engines: %s", ", ".join(sessions))
    full = [each.full_batch for each in sessions.values() if isinstance(each, MicroBatchedSession)]
    count = max([_MIN_FACES, *full])
    seconds: dict[EngineName, list[float]] = {name: [] for name in sessions}
    for _ in range(1 + _TURNS):
        for name in list(seconds):
            inputs = make_example(sessions[name].info, count)
            began = time.perf_counter()
            try:
                sessions[name].run(*inputs)
            except ENGINE_ERRORS as error:
                left_out[name] = summarise(error)
                del seconds[name]
            else:
                seconds[name].append(time.perf_counter() - began)
    # The first runs warm up.
    return {name: count / min(times[1:]) for name, times in seconds.items()}
