"""The app from environment variables, for servers that start it themselves, such as uvicorn."""

import dataclasses
import os
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from starlette.applications import Starlette

from faceae.device import DeviceName, resolve_device, use_threads
from faceae.errors import FaceaeError

from ._app import create_app
from ._config import ServeConfig
from ._model import open_served_model
from ._server import set_up_logs, spare_from_collection
from ._tracing import set_up_traces

_PREFIX = "FACEAE_"


def create_app_from_environment(*, warm_up_first: bool = False) -> Starlette:
    """Return the server of the model that FACEAE_MODEL names as an ASGI app, and set up its logs.

    FACEAE_DEVICE (auto, cpu or cuda) and FACEAE_THREADS choose what computes. Each field of
    `ServeConfig` has a variable, such as FACEAE_MAX_BATCH and FACEAE_API_KEY; FACEAE_CORS_ORIGINS
    separates origins by commas.

    Args:
        warm_up_first: see `create_app`.

    Raises:
        FaceaeError: FACEAE_MODEL is not set, there is no model, or a variable has no value that
            fits.
    """
    model = os.environ.get("FACEAE_MODEL")
    if not model:
        raise FaceaeError("the variable FACEAE_MODEL is not set; name a run or an exported file")
    config = read_config(os.environ)
    device = os.environ.get("FACEAE_DEVICE", "auto")
    if device not in get_args(DeviceName):
        raise FaceaeError(f"the variable FACEAE_DEVICE must be auto, cpu or cuda, got {device!r}")
    threads = os.environ.get("FACEAE_THREADS")
    use_threads(None if threads is None else _read("FACEAE_THREADS", threads, int))
    served = open_served_model(Path(model), resolve_device(typing.cast(DeviceName, device)))
    set_up_logs()
    if config.trace:
        set_up_traces()
    app = create_app(served, config, warm_up_first=warm_up_first)
    spare_from_collection()
    return app


def read_config(environment: Mapping[str, str]) -> ServeConfig:
    """Return the options that variables set, such as FACEAE_MAX_BATCH for `max_batch`.

    Raises:
        FaceaeError: a variable has no value that fits.
    """
    kinds = typing.get_type_hints(ServeConfig)
    options = {}
    for field in dataclasses.fields(ServeConfig):
        name = f"{_PREFIX}{field.name.upper()}"
        if name in environment:
            options[field.name] = _read(name, environment[name], kinds[field.name])
    return ServeConfig(**options)


def _read(name: str, text: str, kind: Any) -> Any:
    kinds = get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    if any(typing.get_origin(each) is tuple for each in kinds):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    for number in (int, float):
        if number in kinds:
            try:
                return number(text)
            except ValueError:
                raise FaceaeError(f"the variable {name} must be a number, got {text!r}") from None
    if bool in kinds:
        if text.lower() not in ("true", "false"):
            raise FaceaeError(f"the variable {name} must be true or false, got {text!r}")
        return text.lower() == "true"
    if Path in kinds:
        if not text.strip():
            raise FaceaeError(f"the variable {name} is empty; name a folder, or unset the variable")
        return Path(text)
    return text
