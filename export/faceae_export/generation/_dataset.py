"""New faces as a dataset: what makes the pictures of its shards."""

import hashlib
import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from faceae.errors import FaceaeError
from faceae_shards import encode_jpeg

from ..sessions import Session
from ._generate import encode_faces, generate_faces, generate_spans


def describe_faces(session: Session) -> dict[str, str]:
    """Return what a generator's faces follow from besides seed, number and truncation, by a word
    for each: the engine, the model with its weights and precision, and the hash of one face's
    pixels, which tells how latents are drawn and how this machine rounds."""
    (face_HWC,) = next(generate_faces(session, seed=0, start=0, count=1))
    return {
        "engine": session.engine,
        "model": f"{session.info.weights_hash}, {session.info.precision}",
        "face": hashlib.sha256(face_HWC.tobytes()).hexdigest(),
    }


@dataclass(kw_only=True)
class FaceGenerator:
    """Makes JPEGs of new faces by their numbers, for `faceae_shards.pack_generated`.

    Where it is sent to another machine it opens the model there, and goes on only if that draws
    the same faces.
    """

    open: Callable[[], Session]
    """Opens the generator; a picklable function, where another process is to call it."""
    seed: int
    truncation: float
    batch_size: int | None
    """See `generate_faces`."""
    described: dict[str, str] | None = None
    """What `describe_faces` returns on the machine that asks; None: it is this one."""

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
        if self.described is None:
            return session
        found = describe_faces(session)
        for what, wanted in self.described.items():
            if found[what] != wanted:
                raise FaceaeError(
                    f"{socket.gethostname()} has another {what} ({found[what]}) "
                    f"than the machine where faceae was started ({wanted}); make them alike"
                )
        return session
