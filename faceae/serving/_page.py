"""The page at /: the one of `faceae export web`, which computes its faces here."""

import json
import mimetypes
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from faceae.errors import FaceaeError
from faceae_export import MODEL_NAME, SERVER_NAME, describe_server, page_files

from ._bodies import JSON
from ._model import ServedModel

_POLICY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; "
    "style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; manifest-src 'self'; "
    "worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}
_OPEN_SUFFIXES = (".css", ".html", ".js", ".json", ".png", ".wasm")
_CLOSED_PATHS = {"/openapi.json"}
_NEEDED = {"sample", "encode", "decode"}
"""Tasks that the page computes its faces with."""


def list_page_routes(model: ServedModel, folder: Path | None) -> list[BaseRoute]:
    """Return the routes of the page; none if neither the server nor the page can draw faces.

    Args:
        folder: what `faceae export web` wrote, with models for the browser. None: the server
            computes all faces.

    Raises:
        FaceaeError: the folder's models are not those of `model`, or its model.json is damaged.
    """
    tasks = Route(f"/{SERVER_NAME}", _File(JSON, describe_server(model.tasks)).send)
    if folder is not None:
        _check_folder(folder, model)
        return [tasks, Mount("/", _Folder(directory=folder, html=True))]
    if not _NEEDED.issubset(model.tasks):
        return []
    files = page_files(model.info, model.directions)
    files[""] = files["index.html"]
    others = [(name, content) for name, content in files.items() if name != SERVER_NAME]
    return [
        tasks,
        *(Route(f"/{name}", _File(_guess_type(name), content).send) for name, content in others),
    ]


def list_open_paths(model: ServedModel, folder: Path | None) -> frozenset[str]:
    """Return the page's paths that need no API key: all but the model and the directions.

    A browser asks for a page without a key. The page then asks the visitor for it.

    Args:
        folder: see `list_page_routes`.
    """
    if folder is not None:
        names = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    elif _NEEDED.issubset(model.tasks):
        names = set(page_files(model.info, model.directions))
    else:
        return frozenset()
    names = {name for name in names if name.endswith(_OPEN_SUFFIXES)}
    return frozenset(f"/{name}" for name in {"", SERVER_NAME, *names}) - _CLOSED_PATHS


def _check_folder(folder: Path, model: ServedModel) -> None:
    path = folder / MODEL_NAME
    try:
        facts = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    except ValueError as error:
        raise FaceaeError(f"`page` {path}: is not JSON; run `faceae export web` again") from error
    if facts.get("weightsHash", model.info.weights_hash) != model.info.weights_hash:
        raise FaceaeError(
            f"`page` {folder}: its models are of other weights than the served ones; run "
            "`faceae export web` again"
        )


def _guess_type(name: str) -> str:
    if name.endswith(".js"):
        return "text/javascript"  # Windows may say text/plain, which browsers refuse
    return mimetypes.guess_type(name or "index.html")[0] or "application/octet-stream"


class _File:
    """A file of the page in memory."""

    def __init__(self, media_type: str, content: bytes) -> None:
        self._media_type = media_type
        self._content = content

    async def send(self, request: Request) -> Response:
        headers = {**_POLICY, "Cache-Control": "no-cache"}
        return Response(self._content, media_type=self._media_type, headers=headers)


class _Folder(StaticFiles):
    """The files of a folder."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(_POLICY)
        return response
