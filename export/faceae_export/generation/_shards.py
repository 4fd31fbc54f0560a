"""Write new faces as a dataset of shards."""

import hashlib
import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import torch

from faceae.device import use_threads
from faceae.errors import FaceaeError
from faceae_shards import (
    GeneratedConfig,
    Location,
    PackSummary,
    encode_jpeg,
    pack_generated,
)

from ..engines import EngineName, OpenedGenerator, open_generator
from ..sessions import Session
from ._generate import encode_faces, generate_faces, generate_spans


def generate_shards(
    generator: OpenedGenerator,
    out: Location,
    numbers: range,
    *,
    seed: int = 0,
    truncation: float = 1.0,
    batch_size: int | None = None,
    samples_per_shard: int | None = None,
    executor: Literal["local", "ray"] = "local",
    address: str | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> PackSummary:
    """Write new faces as a dataset of JPEG shards, or go on with an interrupted one.

    Args:
        generator: a generator from `open_generator`. With executor "ray", every machine of the
            cluster opens it again, on the CPU, and must see its `model`.
        out: a new or empty folder, one that an interrupted call left, or a URL such as
            s3://bucket/faces.
        numbers: numbers of the faces, which become their keys.
        seed: seed of the faces; see `generate_faces`.
        truncation: values below 1 bring every face nearer to the average face.
        batch_size: faces per batch; does not change the faces. None: enough to keep all threads
            busy.
        samples_per_shard: faces per shard. None: 64 to 4096, by the number of faces.
        executor: "local" uses this machine, "ray" one task per shard on a Ray cluster.
        address: address of the Ray cluster; see `faceae_shards.PackConfig`.
        on_progress: is called with the number of faces written and the total.

    Raises:
        ShardsError: `out` holds something else, or cannot be written to.
        FaceaeError: a machine of the cluster draws other faces than this one.
    """
    on_ray = executor == "ray"
    session, model = generator.session, generator.model.absolute()
    described = describe_faces(session)
    config = GeneratedConfig(
        out=out.absolute() if isinstance(out, Path) else out,
        numbers=numbers,
        image_size=session.info.model.image_size,
        crop=session.info.crop,
        generator=f"generator {session.info.weights_hash[:12]}",
        depends_on={"seed": seed, "truncation": truncation, **described},
        samples_per_shard=samples_per_shard,
        executor=executor,
        address=address,
        needs=(model,),
    )
    faces = FaceGenerator(
        open=partial(_open_on_one_core, model, generator.engine) if on_ray else lambda: session,
        seed=seed,
        truncation=truncation,
        batch_size=batch_size,
        described=described if on_ray else None,
    )
    return pack_generated(config, faces, on_progress)


def describe_faces(session: Session) -> dict[str, str]:
    """Return what determines a generator's faces, besides seed, number and truncation.

    This is the engine, the model's weights and precision, and the SHA-256 of one face's pixels,
    which depends on the random numbers and the rounding of this machine.
    """
    (face_HWC,) = next(generate_faces(session, seed=0, start=0, count=1))
    return {
        "engine": session.engine,
        "model": f"{session.info.weights_hash}, {session.info.precision}",
        "face": hashlib.sha256(face_HWC.tobytes()).hexdigest(),
    }


@dataclass(kw_only=True)
class FaceGenerator:
    """Draws JPEGs of new faces by their numbers, for `faceae_shards.pack_generated`.

    A copy that was pickled and sent to another machine opens the model there. It raises an error if
    that machine draws other faces.
    """

    open: Callable[[], Session]
    """Opens the generator; can be pickled if another process calls it."""
    seed: int
    truncation: float
    batch_size: int | None
    """See `generate_faces`."""
    described: dict[str, str] | None = None
    """`describe_faces` on the machine that started the work. None: it is this machine."""

    def make(self, spans: Iterable[range]) -> Iterator[bytes]:
        """Yield the faces of all numbers, in order.

        Raises:
            FaceaeError: this machine draws other faces.
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
        """Return the json of a face."""
        return {
            "name": f"face {number} of seed {self.seed}",
            "number": number,
            "seed": self.seed,
            "truncation": self.truncation,
        }

    @cached_property
    def _session(self) -> Session:
        session = self.open()
        if self.described is not None:
            _check_same_faces(self.described, describe_faces(session))
        return session


def _check_same_faces(expected: dict[str, str], found: dict[str, str]) -> None:
    for name, value in expected.items():
        if found[name] != value:
            raise FaceaeError(
                f"{socket.gethostname()} has another {name} ({found[name]}) than the machine where "
                f"faceae was started ({value}); make them alike"
            )


def _open_on_one_core(model: Path, engine: EngineName | None) -> Session:
    """Open a generator on one core, for a task on a cluster."""
    use_threads(1)
    return open_generator(model, torch.device("cpu"), engine).session
