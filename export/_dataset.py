"""New faces as a dataset: what makes the pictures of its shards."""

import hashlib
import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from faceae.errors import FaceaeError
from shards import encode_jpeg

from ._generate import encode_faces, generate_faces, generate_spans
from ._session import Session


def describe_faces(
    session: Session, *, seed: int, number: int, truncation: float
) -> dict[str, str]:
    """Return what the faces of a seed follow from besides their numbers, by a word for each: the
    engine, the model with its weights and precision, and the pixels of face `number`, which also
    tell how latents are drawn and how this machine rounds."""
    batches = generate_faces(session, seed=seed, start=number, count=1, truncation=truncation)
    (face_HWC,) = next(batches)
    return {
        "engine": session.engine,
        "model": f"{session.info.weights_hash}, {session.info.precision}",
        "first_face": hashlib.sha256(face_HWC.tobytes()).hexdigest(),
    }


@dataclass(kw_only=True)
class FaceMaker:
    """Makes JPEGs of new faces by their numbers, for `shards.pack_made`.

    Where it is sent to another machine it opens the model there, and goes on only if that draws
    the same faces.
    """

    open: Callable[[], Session]
    """Opens the generator; a picklable function, where another process is to call it."""
    numbers: range
    """Of all faces."""
    seed: int
    truncation: float
    batch_size: int | None
    """See `generate_faces`."""
    described: dict[str, str]
    """What `describe_faces` returns of the first of them, on the machine that asks."""

    def make(self, spans: Iterable[range]) -> Iterator[bytes]:
        """Yield the faces of all numbers, in order.

        Raises:
            FaceaeError: this machine draws others.
        """
        faces = generate_spans(
            self._session,
            seed=self.seed,
            spans=spans,
            truncation=self.truncation,
            batch_size=self.batch_size,
        )
        return encode_faces(faces, encode_jpeg)

    def describe(self, number: int) -> dict[str, Any]:
        """Say which face it is."""
        return {
            "name": f"face {number} of seed {self.seed}",
            "number": number,
            "seed": self.seed,
            "truncation": self.truncation,
        }

    @cached_property
    def _session(self) -> Session:
        session = self.open()
        found = describe_faces(
            session, seed=self.seed, number=self.numbers.start, truncation=self.truncation
        )
        for what, wanted in self.described.items():
            if found[what] != wanted:
                raise FaceaeError(
                    f"{socket.gethostname()} has another {what.replace('_', ' ')} ({found[what]}) "
                    f"than the machine where faceae was started ({wanted}); make them alike"
                )
        return session
