"""KServe's Open Inference Protocol, version 2: each task is a model, with tensors as JSON."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._arrays import to_pixels
from ._bodies import BodyReader, Draft, parse_json
from ._model import ServedModel
from ._problem import Problem
from ._replies import Faces
from ._tasks import TASKS, Task, TaskRequest

VERSION = "1"
_DTYPES = {
    "UINT8": np.uint8,
    "INT32": np.int32,
    "INT64": np.int64,
    "FP32": np.float32,
    "FP64": np.float64,
}
_TEXTS = "BYTES"


def describe_server(version: str) -> dict[str, Any]:
    """Return the server's metadata."""
    return {"name": "faceae", "version": version, "extensions": []}


def describe_model(model: ServedModel, name: str) -> dict[str, Any]:
    """Return a task's metadata.

    Raises:
        Problem: there is no such task.
    """
    task = find_task(model, name)
    return {
        "name": name,
        "versions": [VERSION],
        "platform": model.engine,
        "inputs": [] if task.takes is None else [_describe_tensor(model, task.takes)],
        "outputs": [_describe_tensor(model, task.gives)],
    }


def find_task(model: ServedModel, name: str) -> Task:
    """Return a task by its name.

    Raises:
        Problem: the model cannot do it.
    """
    if name not in model.tasks:
        raise Problem(404, f"no model {name[:40]!r}; the models are: {', '.join(model.tasks)}")
    return TASKS[name]


def read_request(reader: BodyReader, task: Task, data: bytes) -> tuple[TaskRequest, str | None]:
    """Return the task and the id of an inference request.

    Raises:
        Problem: it is no such request, or asks for something that cannot be done.
    """
    content = parse_json(data)
    if not isinstance(content, dict):
        raise Problem(400, "the JSON body must be an object")
    request_id, parameters = content.get("id"), content.get("parameters", {})
    if not (request_id is None or isinstance(request_id, str)) or not isinstance(parameters, dict):
        raise Problem(400, "`id` must be a text and `parameters` an object")
    draft = Draft(task=task.name, values=dict(parameters))
    inputs = content.get("inputs", [])
    if not isinstance(inputs, list):
        raise Problem(400, "`inputs` must be a list of tensors")
    for tensor in inputs:
        _add_tensor(reader, draft, task, tensor)
    return reader.finish(draft, {"task": task.name}), request_id


def write_reply(task: Task, request_id: str | None, result: Faces) -> dict[str, Any]:
    """Return the reply with one output tensor."""
    is_faces = task.gives == "faces"
    array = to_pixels(result) if is_faces else result
    output = {
        "name": task.gives,
        "shape": list(array.shape),
        "datatype": "UINT8" if is_faces else "FP32",
        "data": array.ravel().tolist(),
    }
    reply = {"model_name": task.name, "model_version": VERSION, "outputs": [output]}
    return reply if request_id is None else {**reply, "id": request_id}


def _add_tensor(reader: BodyReader, draft: Draft, task: Task, tensor: Any) -> None:
    if not isinstance(tensor, dict) or tensor.get("name") != task.takes:
        raise Problem(422, f"{task.name} takes the input {task.takes or 'nothing'!r} only")
    shape, datatype, data = (tensor.get(key) for key in ("shape", "datatype", "data"))
    if datatype == _TEXTS and task.takes == "images" and isinstance(data, list):
        draft.images = reader.decode_texts(data)
        return
    reader.add_array(draft, _read_tensor(shape, datatype, data))


def _read_tensor(shape: Any, datatype: Any, data: Any) -> NDArray[Any]:
    if not isinstance(datatype, str) or datatype not in _DTYPES:
        raise Problem(422, f"`datatype` must be one of {', '.join(_DTYPES)}, or BYTES for images")
    if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
        raise Problem(422, "`shape` must be a list of sizes")
    try:
        array = np.array(data, _DTYPES[datatype])
    except (ValueError, TypeError, OverflowError):
        raise Problem(422, f"`data` must hold {datatype} numbers") from None
    if array.size != math.prod(shape):
        raise Problem(422, f"`data` holds {array.size} numbers, `shape` {math.prod(shape)}")
    return array.reshape(shape)


def _describe_tensor(model: ServedModel, name: str) -> dict[str, Any]:
    size = model.image_size
    if name == "latents":
        return {"name": name, "datatype": "FP32", "shape": [-1, model.latent_size]}
    return {"name": name, "datatype": "UINT8", "shape": [-1, size, size, 3]}
