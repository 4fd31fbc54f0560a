"""The page's files beside the models: scripts, icons, facts about the model, the service worker."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from faceae.editing import Directions
from faceae_shards.faces import ALIGNED_HEIGHT, ALIGNED_WIDTH, TARGETS

from .._metadata import ExportInfo
from ._icon import draw_icon

MODEL_NAME = "model.json"
SERVER_NAME = "server.json"
"""Tasks of the server that sends the page, which replaces the file in the folder."""

_STATIC = Path(__file__).with_name("static")
_DIRECTIONS_NAME = "directions.bin"
_WORKER_NAME = "sw.js"
_ICON_SIZES = (192, 512)
_VERSION_MARK = b"faceae-VERSION"
_FILES_MARK = b"const FILES = [];"


def page_files(
    info: ExportInfo,
    directions: Directions | None,
    models: Mapping[str, bytes] | None = None,
) -> dict[str, bytes]:
    """Return all files of a page by name.

    Args:
        info: metadata of a part of the model.
        directions: changes that the page offers. None: it offers none.
        models: the files that the browser computes faces with. None: a server computes them.
    """
    files = {path.name: path.read_bytes() for path in sorted(_STATIC.iterdir()) if path.is_file()}
    files |= {f"icon-{size}.png": draw_icon(size) for size in _ICON_SIZES}
    files[MODEL_NAME] = _dump(_describe(info, directions, has_models=models is not None))
    if directions is not None:
        files[_DIRECTIONS_NAME] = directions.vectors.astype("<f4").tobytes()
    files |= models or {}
    files[_WORKER_NAME] = _finish_worker(files)
    files[SERVER_NAME] = describe_server(())
    return files


def describe_server(tasks: tuple[str, ...]) -> bytes:
    """Return the content of server.json."""
    return _dump({"tasks": list(tasks)})


def _describe(info: ExportInfo, directions: Directions | None, *, has_models: bool) -> object:
    return {
        "imageSize": info.model.image_size,
        "latentSize": info.model.latent_size,
        "weightsHash": info.weights_hash,
        "crop": info.crop,
        "aligned": [ALIGNED_WIDTH, ALIGNED_HEIGHT],
        "guide": _describe_guide(info),
        "attributes": [] if directions is None else list(directions.names),
        "browser": has_models,
    }


def _describe_guide(info: ExportInfo) -> object:
    """Return the places of the eyes and the mouth in a training face, from 0 to 1, if known."""
    if info.aligned is False and info.place is None:
        return None
    if info.place is not None:
        return {"eyes": [list(eye) for eye in info.place.eyes], "mouth": list(info.place.mouth)}
    side = min(info.crop or ALIGNED_WIDTH, ALIGNED_WIDTH)
    corner = np.array([ALIGNED_WIDTH - side, ALIGNED_HEIGHT - side]) / 2
    left, right, _, *mouth = (TARGETS - corner) / side
    return {
        "eyes": [left.round(4).tolist(), right.round(4).tolist()],
        "mouth": np.mean(mouth, axis=0).round(4).tolist(),
    }


def _finish_worker(files: Mapping[str, bytes]) -> bytes:
    """Return the service worker with the names of all files, and a version of their content."""
    names = sorted(files.keys() - {_WORKER_NAME})
    digest = hashlib.sha256(b"".join(hashlib.sha256(files[name]).digest() for name in names))
    worker = files[_WORKER_NAME]
    worker = worker.replace(_VERSION_MARK, f"faceae-{digest.hexdigest()[:16]}".encode())
    return worker.replace(_FILES_MARK, f"const FILES = {json.dumps(names)};".encode())


def _dump(content: object) -> bytes:
    return json.dumps(content, indent=1).encode()
