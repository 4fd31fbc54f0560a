"""The OpenAPI document, made from the tables that requests are checked with."""

from typing import Any

from faceae import __version__

from ._accept import FACES_TYPES, LATENTS_TYPES
from ._bodies import JSON, MULTIPART, NPY, PICTURES
from ._config import ServeConfig
from ._model import ServedModel
from ._problem import MEDIA_TYPE
from ._tasks import TASKS, Task

_ERRORS = {
    "400": "The body cannot be read, or X-Faceae-Consent is neither yes nor no.",
    "401": "The API key is missing or wrong.",
    "406": "No format of the reply is accepted.",
    "408": "The body arrives too slowly.",
    "413": "The body is too large.",
    "415": "The body's content type is not accepted.",
    "422": "A value is out of its range, or an image cannot be used.",
    "429": "Too many requests are in progress; see Retry-After.",
    "500": "The server failed.",
    "503": "The model is not ready.",
    "504": "The deadline has passed.",
}
_BINARY: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}


def describe_api(model: ServedModel, config: ServeConfig) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of a server."""
    tasks = [TASKS[name] for name in model.tasks]
    invoke = _describe_invocation(tasks)
    name = _path_parameter("name", "Any name; SageMaker's clients send their endpoint's.")
    paths: dict[str, Any] = {
        "/ping": _health("Whether the model has run once.", can_fail=True),
        "/health/live": _health("Whether the process answers.", can_fail=False),
        "/health/ready": _health("Whether the model has run once.", can_fail=True),
        "/invocations": {"post": invoke},
        "/endpoints/{name}/invocations": {"parameters": [name], "post": invoke},
        "/metrics": _get("Prometheus metrics.", "text/plain"),
        "/openapi.json": _get("This document.", JSON),
        **_describe_v2(model.tasks),
    }
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": f"faceae: {model.name}",
            "version": __version__,
            "description": f"Faces of {model.image_size}x{model.image_size} pixels, "
            f"{model.latent_size} numbers per latent vector. A body has at most "
            f"{config.max_body_bytes} bytes.",
        },
        "paths": paths,
        "components": {"schemas": {"Problem": _problem_schema()}},
    }
    if config.api_key is not None:
        document["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }
        document["security"] = [{"bearer": []}, {"key": []}]
    return document


_CONSENT = {
    "name": "X-Faceae-Consent",
    "in": "header",
    "required": False,
    "description": "Whether the server may keep the images, if it collects any.",
    "schema": {"enum": ["yes", "no"], "default": "no"},
}


def _describe_invocation(tasks: list[Task]) -> dict[str, Any]:
    content: dict[str, Any] = {JSON: {"schema": {"oneOf": [_json_schema(task) for task in tasks]}}}
    content |= dict.fromkeys((NPY, *PICTURES), _BINARY)
    content[MULTIPART] = {"schema": {"type": "object", "description": "Files and parameters."}}
    gives = {task.gives for task in tasks}
    media_types = FACES_TYPES if "faces" in gives else LATENTS_TYPES
    replies = {media_type: ({} if media_type == JSON else _BINARY) for media_type in media_types}
    return {
        "summary": "; ".join(f"{task.name}: {task.meaning}" for task in tasks),
        "parameters": [*_query_parameters(tasks), _CONSENT],
        "requestBody": {"required": False, "content": content},
        "responses": {"200": {"description": "The result.", "content": replies}, **_errors()},
    }


def _query_parameters(tasks: list[Task]) -> list[dict[str, Any]]:
    schemas: dict[str, Any] = {"task": {"type": "string", "enum": [task.name for task in tasks]}}
    for task in tasks:
        for parameter in task.parameters:
            known = schemas.get(parameter.name, {})
            schemas[parameter.name] = {**parameter.schema, **_widest(known, parameter.schema)}
    return [
        {"name": name, "in": "query", "required": False, **_in_query(schema)}
        for name, schema in schemas.items()
    ]


def _widest(a: dict[str, Any], b: dict[str, Any]) -> dict[str, Any]:
    """Return the limits within which one of two tasks accepts a parameter."""
    limits = (("minimum", min), ("maximum", max))
    return {name: choose(a[name], b[name]) for name, choose in limits if name in a and name in b}


def _in_query(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the form of a parameter in a query; an object is JSON."""
    if schema["type"] == "object":
        return {"content": {JSON: {"schema": schema}}}
    return {"schema": schema}


def _json_schema(task: Task) -> dict[str, Any]:
    properties: dict[str, Any] = {"task": {"const": task.name}}
    required = ["task"]
    if task.takes is not None:
        items = {
            "images": {"description": "base64 of a file, or nested lists of pixels"},
            "latents": {"type": "array", "items": {"type": "number"}},
        }[task.takes]
        limits = {"minItems": task.min_inputs, "maxItems": task.max_inputs}
        properties[task.takes] = {"type": "array", "items": items, **limits}
        required.append(task.takes)
    properties |= {parameter.name: parameter.schema for parameter in task.parameters}
    return {
        "type": "object",
        "title": task.name,
        "description": task.meaning,
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _describe_v2(tasks: tuple[str, ...]) -> dict[str, Any]:
    name = _path_parameter("model", "A task: the protocol's name of a model.", tasks)
    infer = {
        "summary": "Do a task with tensors.",
        "requestBody": {
            "required": True,
            "content": {
                JSON: {
                    "schema": {
                        "type": "object",
                        "properties": {
                            "id": {"type": ["string", "null"]},
                            "parameters": {"type": "object"},
                            "inputs": {"type": "array", "items": {"type": "object"}},
                        },
                    }
                }
            },
        },
        "responses": {**_ok("The result.", JSON), **_errors("404")},
    }
    missing = {**_ok("Metadata of a task.", JSON), **_errors("404", only=("401",))}
    return {
        "/v2": _get("Metadata of the server.", JSON),
        "/v2/health/live": _health("Whether the process answers.", can_fail=False),
        "/v2/health/ready": _health("Whether the model has run once.", can_fail=True),
        "/v2/models/{model}": {"parameters": [name], "get": {"responses": missing}},
        "/v2/models/{model}/ready": {
            "parameters": [name],
            "get": {
                "summary": "Whether a task can be done.",
                "responses": {
                    "200": {"description": "Yes."},
                    **_errors("404", only=("401", "503")),
                },
            },
        },
        "/v2/models/{model}/infer": {"parameters": [name], "post": infer},
    }


def _health(summary: str, *, can_fail: bool) -> dict[str, Any]:
    responses: dict[str, Any] = {"200": {"description": "Yes."}}
    if can_fail:
        responses |= _errors(only=("503",))
    return {"get": {"summary": summary, "security": [], "responses": responses}}


def _get(summary: str, media_type: str) -> dict[str, Any]:
    responses = {**_ok(summary, media_type), **_errors(only=("401",))}
    return {"get": {"summary": summary, "responses": responses}}


def _ok(description: str, media_type: str) -> dict[str, Any]:
    return {"200": {"description": description, "content": {media_type: {}}}}


def _errors(*more: str, only: tuple[str, ...] | None = None) -> dict[str, Any]:
    meanings = {"404": "There is no such task.", **_ERRORS}
    statuses = (*more, *(_ERRORS if only is None else only))
    problem = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": meanings[status], "content": problem} for status in sorted(statuses)
    }


def _path_parameter(name: str, meaning: str, values: tuple[str, ...] = ()) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string", **({"enum": values} if values else {})}
    return {"name": name, "in": "path", "required": True, "description": meaning, "schema": schema}


def _problem_schema() -> dict[str, Any]:
    texts = ("type", "title", "detail", "error", "request_id")
    properties: dict[str, Any] = {name: {"type": "string"} for name in texts}
    properties["status"] = {"type": "integer"}
    return {"type": "object", "properties": properties, "required": sorted(properties)}
