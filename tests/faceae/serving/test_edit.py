"""Editing over HTTP: the faces of FaceModel.edit, and what is refused."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import openapi_spec_validator
import pytest
from starlette.testclient import TestClient

import faceae
from faceae.editing import Direction, Directions, Refusal
from faceae.serving import ServedModel, create_app

NPY = {"Accept": "application/x-npy"}


@pytest.fixture(scope="module")
def directions(served: ServedModel) -> Directions:
    """One direction, and an attribute that has none."""
    rng = np.random.default_rng(0)
    found = Direction(
        name="Smiling", classifier="logistic", accuracy=1, auc=1, num_positive=9, num_negative=9
    )
    return Directions(
        found=(found,),
        refused=(Refusal(name="Bald", reason="nobody is", accuracy=None),),
        vectors=rng.standard_normal((1, 16)).astype(np.float32),
        normals=np.ones((1, 16), np.float32),
        offsets=np.zeros(1, np.float32),
        limits=np.full(1, 100, np.float32),
        weights_hash=served.info.weights_hash,
        dataset_hash="",
    )


@pytest.fixture(scope="module")
def editor(served: ServedModel, directions: Directions) -> Iterator[TestClient]:
    with TestClient(create_app(replace(served, directions=directions))) as client:
        while client.get("/ping").status_code == 503:
            pass
        yield client


def edit(client: TestClient, images: np.ndarray, **body: Any) -> np.ndarray:
    body = {"task": "edit", "images": images.tolist(), **body}
    reply = client.post("/invocations", json=body, headers=NPY)
    assert reply.status_code == 200, reply.text
    faces: np.ndarray = np.load(io.BytesIO(reply.content))
    return faces.astype(int)


def test_faces_are_those_of_the_python_api(
    editor: TestClient, api: faceae.FaceModel, directions: Directions, images: np.ndarray
) -> None:
    changed = api.encode(images) + directions.change({"Smiling": 1.5})
    edited = edit(editor, images, strengths={"Smiling": 1.5})
    assert np.abs(edited - api.decode(changed)).max() <= 1
    assert np.abs(edited - api.reconstruct(images)).max() > 1
    assert np.abs(edit(editor, images) - api.reconstruct(images)).max() <= 1
    assert np.array_equal(edit(editor, images, residual=True), images)


def test_strengths_in_a_query_are_json(editor: TestClient, images: np.ndarray) -> None:
    stream = io.BytesIO()
    np.save(stream, images)
    reply = editor.post(
        "/invocations",
        params={"task": "edit", "strengths": json.dumps({"Smiling": 2})},
        content=stream.getvalue(),
        headers={"Content-Type": "application/x-npy"},
    )
    edited = np.load(io.BytesIO(reply.content)).astype(int)
    assert np.abs(edited - edit(editor, images, strengths={"Smiling": 2})).max() <= 1


@pytest.mark.parametrize(
    ("strengths", "detail"),
    [
        ({"Smilling": 1}, "Smiling"),
        ({"Bald": 1}, "nobody is"),
        ({"Smiling": "2"}, "numbers"),
        ({"Smiling": True}, "numbers"),
        ({"Smiling": 1e9}, "1000"),
        ([], "object"),
        ("{", "object"),
    ],
)
def test_bad_strengths(editor: TestClient, images: np.ndarray, strengths: Any, detail: str) -> None:
    body = {"task": "edit", "images": images.tolist(), "strengths": strengths}
    reply = editor.post("/invocations", json=body)
    assert reply.status_code == 422
    assert "`strengths`" in reply.json()["detail"]
    assert detail in reply.json()["detail"]


def test_the_document_has_it_only_with_directions(editor: TestClient, client: TestClient) -> None:
    document = editor.get("/openapi.json").json()
    openapi_spec_validator.validate(document)
    assert "Change attributes" in json.dumps(document)
    assert "Change attributes" not in client.get("/openapi.json").text
    assert client.post("/invocations", json={"task": "edit"}).status_code == 422
