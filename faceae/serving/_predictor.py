"""Serves requests of code that is not asynchronous, with the same checks, replies and batches."""

import asyncio
import threading
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from ._accept import choose_format
from ._bodies import MULTIPART, BodyReader, split_media_type
from ._config import ServeConfig
from ._engine import Engine
from ._model import ServedModel
from ._problem import Problem
from ._replies import MAX_PICTURED, Faces, encode_faces, encode_latents
from ._tasks import TaskRequest

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, eq=False)
class Prediction:
    """The result of a request."""

    request: TaskRequest
    media_type: str
    """Of the request's body."""
    result: Faces
    """Faces, or latents, N x Z float32."""


class Predictor:
    """A model in a thread of its own. Several threads may call it at once."""

    def __init__(self, model: ServedModel, config: ServeConfig | None = None) -> None:
        """Start the thread, and run the model once."""
        config = config or ServeConfig()
        model.warm_up()
        self._reader = BodyReader(model=model, max_pixels=config.max_pixels)
        self._engine = Engine(model, config, lambda part, times: None)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._wait(self._engine.start())

    def predict(self, body: bytes, content_type: str, options: Mapping[str, str]) -> Prediction:
        """Do the task of a body.

        Args:
            options: task and parameters from outside the body, as text.

        Raises:
            Problem: the body cannot be read, or asks for something that cannot be done.
        """
        media_type = split_media_type(content_type)
        if media_type == MULTIPART:
            raise Problem(415, "forms are read by `faceae serve` only")
        request = self._engine.prepare(self._reader.read(media_type, body, options))
        if request.values.get("count", 0) > MAX_PICTURED:
            raise Problem(422, f"`count` must be at most {MAX_PICTURED} here")
        is_latents = request.task.gives == "latents"
        do = self._engine.make_latents if is_latents else self._engine.make_faces
        return Prediction(request=request, media_type=media_type, result=self._wait(do(request)))

    def encode(self, prediction: Prediction, accept: str) -> tuple[bytes, str]:
        """Return a reply and its media type.

        Raises:
            Problem: the client accepts no format that the task has.
        """
        request = prediction.request
        form = choose_format(accept, request, prediction.media_type)
        if request.task.gives == "latents":
            return encode_latents(prediction.result, form, request.facts), form.media_type
        return encode_faces(prediction.result, form, request.facts), form.media_type

    def close(self) -> None:
        """Stop the thread."""
        self._wait(self._engine.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()
