"""Keeps images that clients send and allow to be kept, and packs them into datasets."""

import io
import json
import logging
import tarfile
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceae.errors import FaceaeError
from faceae.pictures import encode_picture
from faceae_shards import MIN_SIDE, PackConfig, ShardsError, pack

from ._problem import Problem

CONSENT_HEADER = "x-faceae-consent"
"""Header in which a client says whether its images may be kept."""

_YES, _NO = "yes", "no"
_PER_DATASET = 1024
_log = logging.getLogger("faceae.serving")


def read_consent(header: str | None) -> bool:
    """Return whether a client allows that its images are kept.

    Args:
        header: text of the header. None: there is none, which means no.

    Raises:
        Problem: it is neither yes nor no.
    """
    if header is None:
        return False
    answer = header.strip().lower()
    if answer not in (_YES, _NO):
        raise Problem(400, f"the header X-Faceae-Consent must be yes or no, got {header[:40]!r}")
    return answer == _YES


class Collector:
    """Writes framed images to a tar, and packs every full tar into a dataset of its own.

    The tar is `incoming-*.tar` in the folder, with an image and its description per sample; the
    datasets are `inputs-*`. The tar is complete after each request, so after a crash `faceae shard`
    packs the one that was left. Several servers may share the folder.
    """

    def __init__(self, folder: Path, size: int) -> None:
        """Create the folder.

        Args:
            size: side of the framed images.

        Raises:
            FaceaeError: images of this size cannot be packed.
            OSError: the folder cannot be created.
        """
        if size < MIN_SIDE:
            raise FaceaeError(f"`collect` needs a model of at least {MIN_SIDE} pixels, got {size}")
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._size = size
        self._lock = threading.Lock()
        self._tar: tarfile.TarFile | None = None
        self._path = folder
        self._num_images = 0

    def add(self, faces: NDArray[np.uint8], facts: dict[str, Any]) -> None:
        """Keep framed images, N x S x S x 3, to which the client has consented.

        Args:
            facts: further fields of each sample's description.

        Raises:
            OSError: the disk does not take them.
        """
        described = {"consent": _YES, "time": time.time(), **facts}
        data = json.dumps(described).encode()
        with self._lock:
            try:
                for face in faces:
                    self._write(encode_picture(face, ".png"), data)
                self._end_for_now()
            except OSError:
                self._tar, self._num_images = None, 0  # half a sample would damage later ones
                raise
            is_full = self._num_images >= _PER_DATASET
        if is_full:
            self.pack()

    def pack(self) -> None:
        """Pack what has been kept. The log says what went wrong."""
        with self._lock:
            path, tar = self._path, self._tar
            self._tar, self._num_images = None, 0
        if tar is None:
            return
        try:
            tar.close()
            out = path.with_name(path.stem.replace("incoming", "inputs"))
            pack(
                PackConfig(
                    source=path,
                    out=out,
                    size=self._size,
                    encoding="npy",
                    split=(1.0, 0.0, 0.0),
                    workers=1,
                )
            )
            path.unlink()
        except (ShardsError, OSError) as error:
            _log.error("%s could not be packed and stays: %s", path, error)

    def _write(self, picture: bytes, description: bytes) -> None:
        if self._tar is None:
            now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
            # Containers have the same process ids.
            self._path = self._folder / f"incoming-{now}-{uuid.uuid4().hex[:12]}.tar"
            self._tar = tarfile.open(self._path, "x")  # noqa: SIM115 - kept until it is packed
        name = f"{self._num_images:09}"
        for suffix, data in ((".png", picture), (".json", description)):
            entry = tarfile.TarInfo(name + suffix)
            entry.size = len(data)
            self._tar.addfile(entry, io.BytesIO(data))
        self._num_images += 1

    def _end_for_now(self) -> None:
        """Write the tar's end to the disk; the next sample replaces it."""
        if self._tar is None:
            return
        file: Any = self._tar.fileobj  # its type lacks `flush`
        file.write(bytes(2 * tarfile.BLOCKSIZE))
        file.flush()
        file.seek(self._tar.offset)
