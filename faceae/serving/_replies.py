"""Replies: faces and latents in every format, as bytes or as a stream."""

import base64
import io
import json
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from faceae.movies import encode_gif
from faceae.pictures import encode_grid, encode_picture

from ._accept import GIF, JPEG, PNG, ZIP, ReplyFormat
from ._arrays import to_pixels, write_npy, write_npy_header
from ._bodies import JSON, NPY
from ._problem import Problem

MAX_PICTURED = 1024
"""Faces in one picture or GIF."""

Faces = NDArray[Any]
"""N x S x S x 3 uint8, or N x 3 x S x S float32 in [-1, 1]."""
T = TypeVar("T")
InThread = Callable[..., Awaitable[Any]]
"""Runs a function in a thread and returns its result."""

_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


def encode_latents(latents: NDArray[np.float32], form: ReplyFormat, facts: dict[str, Any]) -> bytes:
    """Return latents, N x Z, as .npy or JSON.

    Args:
        facts: what a JSON reply holds besides the latents.
    """
    if form.media_type == NPY:
        return write_npy(latents)
    return _dump({**facts, "latents": latents.tolist()})


def encode_faces(faces: Faces, form: ReplyFormat, facts: dict[str, Any]) -> bytes:
    """Return faces in the format of a reply.

    Args:
        facts: what a JSON reply holds besides the faces.

    Raises:
        Problem: they are too many for one picture.
    """
    if form.media_type == NPY:
        return write_npy(_to_tensor(faces) if form.is_tensor else to_pixels(faces))
    if form.media_type == JSON:
        if form.is_tensor:
            return _dump(_to_tensor(faces).tolist())
        pictures = [_to_text(face) for face in to_pixels(faces)]
        return _dump({**facts, "media_type": PNG, "faces": pictures})
    if form.media_type == ZIP:
        stream = ZipStream(facts.get("start", 0))
        return stream.add(faces) + stream.finish()
    check_pictured(len(faces), form)
    pixels = to_pixels(faces)
    if form.media_type == GIF:
        return encode_gif(pixels)
    return encode_grid(pixels, ".jpg" if form.media_type == JPEG else ".png")


def check_pictured(count: int, form: ReplyFormat) -> None:
    """Raise Problem if faces are too many for a picture."""
    if form.media_type in (PNG, JPEG, GIF) and count > MAX_PICTURED:
        raise Problem(
            406,
            f"a picture holds at most {MAX_PICTURED} faces, got {count}; accept {ZIP} or {NPY}",
        )


async def stream_faces(
    batches: AsyncIterator[Faces],
    count: int,
    size: int,
    form: ReplyFormat,
    facts: dict[str, Any],
    in_thread: InThread,
) -> AsyncIterator[bytes]:
    """Yield a reply in pieces while the faces are drawn: .npy, JSON or a zip.

    Args:
        batches: faces, N x S x S x 3 uint8.
        count: number of all faces.
        size: S.
        facts: see `encode_faces`.
    """
    if form.media_type == NPY:
        async for piece in _stream_npy(batches, count, size, form.is_tensor):
            yield piece
    elif form.media_type == ZIP:
        stream = ZipStream(facts.get("start", 0))
        async for faces in batches:
            yield await in_thread(stream.add, faces)
        yield stream.finish()
    else:
        start, end = _frame_json(form, facts)
        separator = start
        async for faces in batches:
            yield separator + await in_thread(_list_items, faces, form.is_tensor)
            separator = b", "
        yield end


class ZipStream:
    """A zip of PNG files that grows: 000000.png, 000001.png and so on."""

    def __init__(self, first_number: int) -> None:
        """Start a zip.

        Args:
            first_number: number of the first file.
        """
        self._number = first_number
        self._sink = _Sink()
        self._zip = zipfile.ZipFile(self._sink, "w")

    def add(self, faces: Faces) -> bytes:
        """Return the bytes that these faces add."""
        for face in to_pixels(faces):
            entry = zipfile.ZipInfo(f"{self._number:06}.png", _ZIP_TIME)
            entry.external_attr = 0o644 << 16
            self._zip.writestr(entry, encode_picture(face, ".png"))
            self._number += 1
        return self._sink.take()

    def finish(self) -> bytes:
        """Return the last bytes, the zip's directory."""
        self._zip.close()
        return self._sink.take()


class _Sink(io.RawIOBase):
    """Collects what is written, and cannot seek."""

    def __init__(self) -> None:
        super().__init__()
        self._chunks: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._chunks.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        taken = b"".join(self._chunks)
        self._chunks.clear()
        return taken


async def _stream_npy(
    batches: AsyncIterator[Faces], count: int, size: int, is_tensor: bool
) -> AsyncIterator[bytes]:
    if is_tensor:
        yield write_npy_header("float32", (count, 3, size, size))
    else:
        yield write_npy_header("uint8", (count, size, size, 3))
    async for faces in batches:
        yield (_to_tensor(faces) if is_tensor else to_pixels(faces)).tobytes()


def _frame_json(form: ReplyFormat, facts: dict[str, Any]) -> tuple[bytes, bytes]:
    if form.is_tensor:
        return b"[", b"]"
    head = _dump({**facts, "media_type": PNG})
    return head[:-1] + b', "faces": [', b"]}"


def _list_items(faces: Faces, is_tensor: bool) -> bytes:
    items = _to_tensor(faces).tolist() if is_tensor else [_to_text(face) for face in faces]
    return _dump(items)[1:-1]


def _to_tensor(faces: Faces) -> NDArray[np.float32]:
    if faces.dtype == np.float32:
        return faces
    tensor = faces.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(127.5) - np.float32(1)
    return np.ascontiguousarray(tensor)


def _to_text(face_HWC: NDArray[np.uint8]) -> str:
    return base64.b64encode(encode_picture(face_HWC, ".png")).decode("ascii")


def _dump(content: Any) -> bytes:
    return json.dumps(content).encode()
