"""Latents of the images that clients send, written to files to be compared later.

A file holds 256 latents or somewhat more, N x Z float32, as safetensors; the last one fewer. Its
metadata has the hash of the model's weights and the times of the first and the last latent.
"""

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from faceae.errors import FaceaeError
from faceae_shards import atomic_path

Rows = list[NDArray[np.float32]]
"""Latents, each Z."""

_FORMAT = "faceae-latent-log"
_NAME = "latents"
_PER_FILE = 256


class LatentLog:
    """Writes latents to a folder. Several servers may share it."""

    def __init__(self, folder: Path, weights_hash: str) -> None:
        """Create the folder.

        Raises:
            OSError: it cannot be created.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._weights_hash = weights_hash
        self._rows: Rows = []
        self._since = ""
        self._num_files = 0
        self._server = uuid.uuid4().hex[:12]  # containers have the same process ids

    def add(self, latents: NDArray[np.float32]) -> bool:
        """Keep latents, N x Z, and return whether they fill a file."""
        self._since = self._since or _now()
        self._rows.extend(latents)
        return len(self._rows) >= _PER_FILE

    def take(self) -> tuple[Rows, str]:
        """Return what has been added since the last call, and since when, to `write` it."""
        taken = self._rows, self._since
        self._rows, self._since = [], ""
        return taken

    def write(self, rows: Rows, since: str) -> None:
        """Write latents to a new file; no file if there are none.

        Raises:
            OSError: the disk does not take it.
        """
        if not rows:
            return
        self._num_files += 1
        name = f"{since.replace(':', '')}-{self._server}-{self._num_files:06}.safetensors"
        metadata = {
            "format": _FORMAT,
            "weights_hash": self._weights_hash,
            "since": since,
            "until": _now(),
        }
        with atomic_path(self._folder / name) as part:
            part.write_bytes(safetensors.numpy.save({_NAME: np.stack(rows)}, metadata))


@dataclass(frozen=True, kw_only=True, eq=False)
class LoggedLatents:
    """What a log holds."""

    latents: NDArray[np.float32]
    """N x Z, in the order of time."""
    since: str
    """Time of the first latent, in UTC."""
    until: str


def read_latent_log(folder: Path, weights_hash: str) -> LoggedLatents:
    """Read all files of a log.

    Raises:
        FaceaeError: there are none, one is damaged, or is of a model with other weights.
    """
    paths = sorted(folder.glob("*.safetensors"))
    if not paths:
        raise FaceaeError(
            f"{folder}: no latents in it; `faceae serve` writes them to its folder `log_latents`"
        )
    parts, times = zip(*_read_files(paths, weights_hash), strict=True)
    return LoggedLatents(latents=np.concatenate(parts), since=times[0][0], until=times[-1][1])


def _read_files(
    paths: list[Path], weights_hash: str
) -> Iterator[tuple[NDArray[np.float32], tuple[str, str]]]:
    for path in paths:
        try:
            with safetensors.safe_open(path, framework="numpy") as file:
                metadata = file.metadata() or {}
                latents = file.get_tensor(_NAME)
        except safetensors.SafetensorError as error:
            raise FaceaeError(f"{path}: damaged ({error}); remove the file") from error
        if metadata.get("weights_hash") != weights_hash:
            raise FaceaeError(f"{path}: latents of other weights than the run has; move the file")
        yield latents, (metadata["since"], metadata["until"])


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
