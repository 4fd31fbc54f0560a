"""The functions of SageMaker's inference toolkits, called in the order and manner of the toolkits.

tests/full calls them by the toolkit itself.
"""

import importlib
import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import faceae

Invoke = Callable[[Any, str, str], bytes]


class Context:
    """What a model server passes to a handler."""

    def __init__(self, model_dir: Path) -> None:
        self.system_properties = {"model_dir": str(model_dir)}
        self.request_processor = [self]
        self.headers: dict[str, str] = {}
        self.status = 200
        self.content_type = ""

    def get_request_properties(self) -> dict[str, str]:
        return self.headers

    def get_request_property(self, name: str) -> str | None:
        return self.headers.get(name)

    def set_response_status(self, code: int, phrase: str) -> None:
        self.status = code
        assert "\n" not in phrase

    def set_response_content_type(self, index: int, value: str) -> None:
        self.content_type = value


@pytest.fixture(scope="session")
def handler(model_dir: Path) -> Iterator[Any]:
    """inference.py of the archive."""
    sys.path.insert(0, str(model_dir / "code"))
    yield importlib.import_module("inference")
    sys.path.remove(str(model_dir / "code"))


@pytest.fixture(scope="session")
def predictor(handler: Any, model_dir: Path) -> Iterator[Any]:
    predictor = handler.model_fn(str(model_dir))
    yield predictor
    predictor.close()


@pytest.fixture
def context(model_dir: Path) -> Context:
    return Context(model_dir)


@pytest.fixture
def invoke(handler: Any, predictor: Any, context: Context) -> Invoke:
    """Call the functions as the toolkits' transformer does."""

    def call(body: Any, content_type: str, accept: str) -> bytes:
        data = handler.input_fn(body, content_type)
        prediction = handler.predict_fn(data, predictor, context)
        content, context.content_type = handler.output_fn(prediction, accept, context)
        return content

    return call


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def tensor() -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (2, 3, 32, 32)).astype(np.float32)


def test_the_tensor_of_two_faces(invoke: Invoke, context: Context) -> None:
    frames = np.load(io.BytesIO(invoke(npy(tensor()), "application/x-npy", "application/x-npy")))
    assert (frames.shape, frames.dtype) == ((10, 3, 32, 32), np.float32)
    assert (context.status, context.content_type) == (200, "application/x-npy")


def test_json_text_with_a_charset(invoke: Invoke, context: Context, deployed_run: str) -> None:
    accept = "application/json; charset=utf-8"
    reply = json.loads(invoke('{"count": 3, "seed": 1}', "application/json; charset=utf-8", accept))
    assert (len(reply["faces"]), context.content_type) == (3, "application/json")
    faces = np.load(
        io.BytesIO(invoke('{"count": 3, "seed": 1}', "application/json", "application/x-npy"))
    )
    expected = faceae.load(deployed_run, device="cpu").generate(3, seed=1)
    assert np.abs(faces.astype(int) - expected).max() <= 1


def test_latents(invoke: Invoke) -> None:
    body = json.dumps({"task": "encode", "images": tensor().tolist()})
    assert np.load(io.BytesIO(invoke(body, "application/json", "application/x-npy"))).shape == (
        2,
        16,
    )


def test_latents_of_new_faces(invoke: Invoke) -> None:
    body = json.dumps({"task": "sample", "count": 3})
    latents = np.load(io.BytesIO(invoke(body, "application/json", "application/x-npy")))
    assert latents.shape == (3, 16)


def test_custom_attributes(invoke: Invoke, context: Context) -> None:
    context.headers = {"X-Amzn-SageMaker-Custom-Attributes": "frames=4"}
    content = invoke(npy(tensor()), "application/x-npy", "application/x-npy")
    assert len(np.load(io.BytesIO(content))) == 4


@pytest.mark.parametrize(
    ("body", "content_type", "accept", "status"),
    [
        ("{", "application/json", "*/*", 400),
        ('{"count": 2000}', "application/json", "*/*", 422),
        ("a,b", "text/csv", "*/*", 415),
        ("{}", "application/json", "video/mp4", 406),
        ("", "multipart/form-data", "*/*", 415),
    ],
)
def test_what_is_refused(
    invoke: Invoke, context: Context, body: str, content_type: str, accept: str, status: int
) -> None:
    problem = json.loads(invoke(body, content_type, accept))
    assert (context.status, problem["status"]) == (status, status)
    assert context.content_type == "application/problem+json"
