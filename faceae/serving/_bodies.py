"""Requests: bodies in every accepted format to a checked `TaskRequest`."""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceae.errors import FaceaeError
from faceae.framing import frame_face
from faceae_shards import ShardsError, decode_image

from ._arrays import read_npy, to_array, to_images, to_latents
from ._model import ServedModel
from ._problem import Problem
from ._tasks import MAX_IMAGES, TASKS, TaskRequest

NPY = "application/x-npy"
JSON = "application/json"
MULTIPART = "multipart/form-data"
PICTURES = ("image/jpeg", "image/png", "image/webp")

_SPECIAL = ("task", "images", "latents")
"""Keys of a JSON body that are no parameters."""


@dataclass(kw_only=True)
class Draft:
    """A request as it came, not yet checked."""

    task: str | None = None
    images: list[NDArray[np.uint8]] | None = None
    """Each H x W x 3, RGB."""
    latents: NDArray[Any] | None = None
    is_tensor: bool = False
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class FormPart:
    """A field or file of a form."""

    name: str
    content: str | bytes
    """Text of a field, bytes of a file."""
    media_type: str = ""


@dataclass(frozen=True, kw_only=True)
class BodyReader:
    """Reads bodies for a model."""

    model: ServedModel
    max_pixels: int
    """Pixels of a photograph at most."""

    def read(self, media_type: str, data: bytes, options: Mapping[str, str]) -> TaskRequest:
        """Return the request of a body.

        Args:
            media_type: without parameters, in lower case; empty if the request names none.
            options: task and parameters from outside the body, as text.

        Raises:
            Problem: the body cannot be read, or asks for something that cannot be done.
        """
        draft = self._parse(media_type, data)
        return self.finish(draft, options)

    def finish(self, draft: Draft, options: Mapping[str, str]) -> TaskRequest:
        """Check a draft, and frame its images as the model sees them.

        Raises:
            Problem: it asks for something that cannot be done.
        """
        draft.values |= {name: value for name, value in options.items() if name != "task"}
        name = options.get("task", draft.task) or self._guess_task(draft)
        task = TASKS.get(name)
        if task is None:
            names = ", ".join(TASKS)
            raise Problem(422, f"`task` must be one of {names}, got {name[:40]!r}")
        if name not in self.model.tasks:
            names = ", ".join(self.model.tasks)
            raise Problem(422, f"this server's model cannot {name}; its tasks are: {names}")
        values = task.parse(draft.values)
        given = {"images": draft.images, "latents": draft.latents}
        for kind, inputs in given.items():
            if inputs is not None and kind != task.takes:
                raise Problem(422, f"{name} takes no `{kind}`")
        faces = latents = None
        if task.takes == "images":
            task.check_inputs(len(draft.images or []))
            faces = self._frame(draft.images or [], values["align"])
        if task.takes == "latents":
            latents = to_latents(
                np.empty(0) if draft.latents is None else draft.latents, self.model.latent_size
            )
            task.check_inputs(len(latents))
        return TaskRequest(
            task=task,
            values=values,
            faces=faces,
            latents=latents,
            change=self._read_change(values),
            is_tensor=draft.is_tensor,
        )

    def read_form(self, parts: Sequence[FormPart]) -> Draft:
        """Return the draft of a form: texts are the task and parameters, files the inputs.

        Raises:
            Problem: a file is neither an image nor a .npy file.
        """
        draft = Draft()
        for part in parts:
            if isinstance(part.content, str):
                draft.values[part.name] = part.content
            elif part.media_type == NPY:
                self.add_array(draft, read_npy(part.content))
            else:
                image = self._decode(part.content, part.name)
                draft.images = [*(draft.images or []), image]
        draft.task = draft.values.pop("task", None)
        return draft

    def add_array(self, draft: Draft, array: NDArray[Any]) -> None:
        """Add an array to a draft: images or latents, by its number of axes."""
        if array.ndim <= 2:
            draft.latents = array
            return
        if array.ndim == 4 and len(array) > MAX_IMAGES:
            raise Problem(422, f"a request holds at most {MAX_IMAGES} `images`, got {len(array)}")
        draft.images, draft.is_tensor = to_images(array, self.model.image_size)

    def decode_texts(self, images: Sequence[Any]) -> list[NDArray[np.uint8]]:
        """Return the images of base64 texts, or of nested lists of pixels.

        Raises:
            Problem: an image cannot be read.
        """
        if len(images) > MAX_IMAGES:
            raise Problem(422, f"a request holds at most {MAX_IMAGES} `images`, got {len(images)}")
        return [self._read_one(image, f"images[{i}]") for i, image in enumerate(images)]

    def _parse(self, media_type: str, data: bytes) -> Draft:
        draft = Draft()
        if media_type == JSON:
            return self._read_json(data)
        if media_type == NPY:
            self.add_array(draft, read_npy(data))
        elif media_type in PICTURES:
            draft.images = [self._decode(data, "the body")]
        elif data or media_type:
            accepted = ", ".join((NPY, JSON, *PICTURES, MULTIPART))
            raise Problem(
                415, f"the content type must be one of {accepted}, got {media_type[:60]!r}"
            )
        return draft

    def _read_json(self, data: bytes) -> Draft:
        content = parse_json(data)
        draft = Draft()
        if isinstance(content, list):
            self.add_array(draft, to_array(content, "the body"))
            return draft
        if not isinstance(content, dict):
            raise Problem(400, "the JSON body must be an object, or a list of numbers")
        task, images, latents = (content.pop(name, None) for name in _SPECIAL)
        if task is not None and not isinstance(task, str):
            raise Problem(422, f"`task` must be one of {', '.join(TASKS)}")
        draft.task, draft.values = task, content
        if images is not None:
            self._add_images(draft, images)
        if latents is not None:
            draft.latents = to_array(latents, "latents")
        return draft

    def _add_images(self, draft: Draft, images: Any) -> None:
        if not isinstance(images, list):
            raise Problem(422, "`images` must be a list")
        if any(isinstance(image, str) for image in images) or not images:
            draft.images = self.decode_texts(images)
        else:
            try:
                self.add_array(draft, to_array(images, "images"))
            except Problem:
                draft.images = self.decode_texts(images)  # of different sizes

    def _read_one(self, image: Any, name: str) -> NDArray[np.uint8]:
        if not isinstance(image, str):
            decoded, _ = to_images(to_array(image, name), self.model.image_size)
            if len(decoded) != 1:
                raise Problem(422, f"`{name}` must be one image, got {len(decoded)}")
            return decoded[0]
        text = image.partition(",")[2] if image.startswith("data:") else image
        try:
            data = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise Problem(422, f"`{name}` must be base64 of a JPEG, PNG or WebP file") from None
        return self._decode(data, name)

    def _decode(self, data: bytes, name: str) -> NDArray[np.uint8]:
        try:
            return decode_image(data, max_pixels=self.max_pixels)
        except ShardsError as error:
            raise Problem(422, f"{name[:60]}: {error}; give another photograph") from error

    def _frame(self, images: Sequence[NDArray[np.uint8]], align: bool) -> NDArray[np.uint8]:
        framing = self.model.info.frame(None if align else False)
        size = self.model.image_size
        try:
            faces = [
                frame_face(np.ascontiguousarray(image), size, framing, name=f"images[{i}]")
                for i, image in enumerate(images)
            ]
        except FaceaeError as error:
            raise Problem(422, str(error)) from error
        return np.stack([face.pixels for face in faces])

    def _read_change(self, values: Mapping[str, Any]) -> NDArray[np.float32] | None:
        if "strengths" not in values:
            return None
        assert self.model.directions is not None
        try:
            return self.model.directions.change(values["strengths"])
        except FaceaeError as error:
            raise Problem(422, f"`strengths`: {error}") from error

    def _guess_task(self, draft: Draft) -> str:
        if draft.latents is not None:
            return "decode"
        if draft.images is None:
            return "generate"
        is_pair = len(draft.images) == 2 and "morph" in self.model.tasks
        return "morph" if is_pair else "reconstruct"


def parse_json(data: bytes) -> Any:
    """Return the content of a JSON body.

    Raises:
        Problem: it is no JSON, or holds NaN or Infinity.
    """
    try:
        return _DECODER.decode(data.decode(json.detect_encoding(data), "surrogatepass"))
    except (ValueError, RecursionError) as error:
        what = str(error)[:80] if isinstance(error, ValueError) else "nested too deeply"
        raise Problem(400, f"the body is not JSON: {what}") from error


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
"""One for all requests: it takes longer to make than to use."""


def split_media_type(header: str) -> str:
    """Return the media type of a Content-Type header, without parameters, in lower case."""
    return header.partition(";")[0].strip().lower()
