"""Requests and replies of /invocations: every task, body and reply format; what is refused."""

import base64
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

import faceae
from faceae.serving import parse_attributes

NPY = {"Accept": "application/x-npy"}


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def post(client: TestClient, content: Any, **headers: str) -> Any:
    """Send a body, as JSON or .npy by its type, and return the reply."""
    is_array = isinstance(content, np.ndarray)
    data = npy(content) if is_array else json.dumps(content).encode()
    kind = "application/x-npy" if is_array else "application/json; charset=utf-8"
    given = {
        "Content-Type": kind,
        **{name.replace("_", "-"): text for name, text in headers.items()},
    }
    return client.post("/invocations", content=data, headers=given)


def load(reply: Any) -> np.ndarray:
    assert reply.status_code == 200, reply.text
    array: np.ndarray = np.load(io.BytesIO(reply.content))
    return array


def picture(reply: Any) -> Image.Image:
    assert reply.status_code == 200, reply.text
    return Image.open(io.BytesIO(reply.content))


def differ(a: np.ndarray, b: np.ndarray) -> int:
    assert a.shape == b.shape
    return int(np.abs(a.astype(int) - b).max())


def test_generate_gives_the_faces_of_the_command_line(
    client: TestClient, served_run: str, tmp_path: Path
) -> None:
    from faceae.cli import run

    options = ["-n", "5", "--seed", "3", "--start", "2", "--truncation", "0.8", "--device", "cpu"]
    assert run(["generate", served_run, str(tmp_path / "faces.npy"), *options]) == 0
    body = {"task": "generate", "count": 5, "seed": 3, "start": 2, "truncation": 0.8}
    faces = load(post(client, body, **NPY))
    assert faces.dtype == np.uint8
    assert differ(faces, np.load(tmp_path / "faces.npy")) <= 1


@pytest.mark.parametrize("accept", ["application/x-npy", "application/zip", "application/json"])
def test_a_long_generation_streams_exactly_the_same_faces(
    client: TestClient, api: faceae.FaceModel, accept: str
) -> None:
    expected = api.generate(75, seed=1, start=40, truncation=0.5)
    body = {"count": 75, "seed": 1, "start": 40, "truncation": 0.5}
    reply = post(client, body, Accept=accept)
    assert "content-length" not in reply.headers
    if accept == "application/x-npy":
        faces = load(reply)
    elif accept == "application/zip":
        files = zipfile.ZipFile(io.BytesIO(reply.content))
        assert files.namelist()[0] == "000040.png"
        faces = np.stack([np.asarray(Image.open(files.open(name))) for name in files.namelist()])
    else:
        assert reply.json()["seed"] == 1
        pictures = map(base64.b64decode, reply.json()["faces"])
        faces = np.stack([np.asarray(Image.open(io.BytesIO(data))) for data in pictures])
    assert np.array_equal(faces, expected)


def test_a_request_without_body_generates(client: TestClient, api: faceae.FaceModel) -> None:
    reply = client.post("/endpoints/any/invocations?count=2&seed=4", headers=NPY)
    assert differ(load(reply), api.generate(2, seed=4)) <= 1


def test_a_tensor_of_two_faces_is_morphed(
    client: TestClient, api: faceae.FaceModel, images: np.ndarray
) -> None:
    tensor = (images.transpose(0, 3, 1, 2) / np.float32(127.5) - 1).astype(np.float32)
    frames = load(post(client, tensor))
    assert (frames.shape, frames.dtype) == ((10, 3, 32, 32), np.float32)
    expected = api.morph(images[0], images[1], 10)
    assert differ(np.rint((frames.transpose(0, 2, 3, 1) + 1) * 127.5), expected) <= 1
    as_json = post(client, tensor.tolist())
    assert np.allclose(as_json.json(), frames, atol=1e-5)


def test_sagemakers_header_holds_parameters(client: TestClient, images: np.ndarray) -> None:
    attributes = {"X-Amzn-SageMaker-Custom-Attributes": "task=morph, frames=4"}
    assert load(post(client, images, **attributes)).shape == (4, 32, 32, 3)


def test_an_object_in_sagemakers_header_is_one_value() -> None:
    strengths = '{"Smiling": 2, "Young": -1}'
    expected = {"task": "edit", "strengths": strengths, "residual": "true"}
    assert parse_attributes(f"task=edit, strengths={strengths}; residual=true, x") == expected
    assert parse_attributes('a=1,strengths={"Smiling": 2,') == {
        "a": "1",
        "strengths": '{"Smiling": 2,',
    }


def test_reconstruct_encode_and_decode_agree(
    client: TestClient, api: faceae.FaceModel, images: np.ndarray
) -> None:
    reply = client.post("/invocations?task=encode", content=npy(images), headers=_npy_headers())
    latents = load(reply)
    assert np.allclose(latents, api.encode(images), atol=1e-4)
    facts = post(client, {"task": "encode", "align": False, "images": images.tolist()}).json()
    assert np.allclose(facts.pop("latents"), latents, atol=1e-4)
    assert facts == {"task": "encode", "align": False}
    decoded = load(post(client, latents, Accept="application/x-npy; dtype=uint8"))
    body = {"task": "reconstruct", "images": images.tolist()}
    assert differ(decoded, load(post(client, body, **NPY))) <= 1
    assert differ(decoded, api.reconstruct(images)) <= 1
    listed = post(client, {"latents": latents.tolist()}, Accept="application/x-npy;dtype=float32")
    assert load(listed).shape == (2, 3, 32, 32)


def test_photographs_in_every_kind_of_body(
    client: TestClient, api: faceae.FaceModel, photos: list[Path]
) -> None:
    expected = api.reconstruct([str(photos[0])])
    data = photos[0].read_bytes()
    reply = client.post("/invocations", content=data, headers={"Content-Type": "image/jpeg"})
    assert reply.headers["content-type"] == "image/png"
    assert differ(np.asarray(picture(reply)), expected[0]) <= 1
    text = base64.b64encode(data).decode()
    for image in (text, f"data:image/jpeg;base64,{text}"):
        body = {"task": "reconstruct", "images": [image]}
        assert differ(load(post(client, body, **NPY)), expected) <= 1
    form = {"files": {"image": ("a.jpg", data, "image/jpeg")}, "data": {"task": "reconstruct"}}
    assert differ(load(client.post("/invocations", headers=NPY, **form)), expected) <= 1


def test_two_files_of_a_form_are_morphed_into_a_gif(client: TestClient, photos: list[Path]) -> None:
    files = [("images", (path.name, path.read_bytes(), "image/jpeg")) for path in photos[:2]]
    reply = client.post(
        "/invocations", files=files, data={"frames": "5"}, headers={"Accept": "image/gif"}
    )
    assert picture(reply).n_frames == 5


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("image/png", "image/png"),
        ("image/jpeg", "image/jpeg"),
        ("image/*", "image/png"),
        ("text/html, application/json; q=0.5, image/gif; q=0.9", "image/gif"),
        ("*/*", "application/json"),
        ("", "application/json"),
        ("application/json; charset=utf-8", "application/json"),
    ],
)
def test_accept_chooses_the_format(client: TestClient, accept: str, media_type: str) -> None:
    reply = post(client, {"count": 3}, Accept=accept)
    assert reply.status_code == 200
    assert reply.headers["content-type"] == media_type


BAD = [
    (400, b"{", "application/json", "not JSON"),
    (400, b"[" * 100_000, "application/json", "nested"),
    (400, b'{"truncation": NaN}', "application/json", "NaN"),
    (400, b'"text"', "application/json", "object"),
    (400, b"\x93NUMPY", "application/x-npy", ".npy"),
    (400, npy(np.zeros((2, 16), np.float32))[:-1], "application/x-npy", "bytes"),
    (400, npy(np.array(["a"])), "application/x-npy", "numbers"),
    (415, b"hello", "text/plain", "text/plain"),
    (422, b'{"count": 0}', "application/json", "`count`"),
    (422, b'{"count": true}', "application/json", "`count`"),
    (422, b'{"count": 1.5}', "application/json", "`count`"),
    (422, b'{"seed": ' + b"9" * 400 + b"}", "application/json", "`seed`"),
    (
        422,
        b'{"count": 2, "start": 9223372036854775807}',
        "application/json",
        "2^63",
    ),
    (422, b'{"truncation": "much"}', "application/json", "`truncation`"),
    (422, b'{"colour": 1}', "application/json", "'colour'"),
    (422, b'{"task": "fly"}', "application/json", "`task`"),
    (422, b'{"task": ["morph"]}', "application/json", "`task`"),
    (422, b'{"task": "morph", "images": []}', "application/json", "2 `images`"),
    (422, b'{"task": "morph", "images": "abc"}', "application/json", "`images`"),
    (422, b'{"task": "generate", "images": [[[[1, 2, 3]]]]}', "application/json", "`images`"),
    (422, b'{"images": ["!!"]}', "application/json", "base64"),
    (422, b'{"images": [null]}', "application/json", "images[0]"),
    (422, b'{"images": [[[[1, 2, 300]]]]}', "application/json", "255"),
    (422, b'{"latents": [[1, 2]]}', "application/json", "N x 16"),
    (422, b'{"latents": [[1, 2], [3]]}', "application/json", "`latents`"),
    (422, b'{"latents": "a"}', "application/json", "`latents`"),
    (422, b'{"task": "decode"}', "application/json", "N x 16"),
    (422, npy(np.full((1, 16), np.nan)), "application/x-npy", "finite"),
    (422, npy(np.full((1, 16), 1e300)), "application/x-npy", "finite"),
    (422, npy(np.full((2, 3, 32, 32), np.nan)), "application/x-npy", "[-1, 1]"),
    (422, npy(np.full((2, 3, 32, 32), 200.0)), "application/x-npy", "[-1, 1]"),
    (422, npy(np.zeros((2, 3, 16, 16))), "application/x-npy", "32 x 32"),
    (422, npy(np.zeros((65, 1, 1, 3), np.uint8)), "application/x-npy", "64"),
    (422, b"", "image/jpeg", "body"),
    (422, b"\xff\xd8\xff\xe0 no picture", "image/jpeg", "photograph"),
]


@pytest.mark.parametrize(("status", "data", "kind", "detail"), BAD)
def test_bad_requests(client: TestClient, status: int, data: bytes, kind: str, detail: str) -> None:
    reply = client.post("/invocations", content=data, headers={"Content-Type": kind})
    problem = reply.json()
    assert (reply.status_code, problem["status"]) == (status, status), problem
    assert reply.headers["content-type"] == "application/problem+json"
    assert detail in problem["detail"]
    assert "\n" not in problem["detail"]
    assert "Traceback" not in reply.text


def test_a_npy_header_that_promises_too_much_allocates_nothing(client: TestClient) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (2**40, 2**10)}
    )
    reply = client.post("/invocations", content=header.getvalue(), headers=_npy_headers())
    assert reply.status_code == 400


def test_a_pickle_is_never_loaded(client: TestClient) -> None:
    stream = io.BytesIO()
    np.save(stream, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    reply = client.post("/invocations", content=stream.getvalue(), headers=_npy_headers())
    assert (reply.status_code, "numbers" in reply.json()["detail"]) == (400, True)


def test_an_image_bomb_is_refused(client: TestClient) -> None:
    stream = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(stream, "PNG")
    assert len(stream.getvalue()) < 200_000
    reply = client.post(
        "/invocations", content=stream.getvalue(), headers={"Content-Type": "image/png"}
    )
    assert reply.status_code == 422
    assert "too large" in reply.json()["detail"]


def test_a_body_above_the_limit_is_refused(client: TestClient) -> None:
    reply = post(client, np.zeros((2, 300, 300, 3), np.uint8))
    assert reply.status_code == 413
    assert "200,000" in reply.json()["detail"]

    def chunks() -> Any:
        for _ in range(30):
            yield bytes(10_000)

    assert client.post("/invocations", content=chunks()).status_code == 413


def test_pictures_hold_a_thousand_faces(client: TestClient) -> None:
    reply = post(client, {"count": 1025}, Accept="image/png")
    assert reply.status_code == 406
    assert "application/zip" in reply.json()["detail"]


def test_a_format_that_no_task_has(client: TestClient) -> None:
    assert post(client, {}, Accept="video/mp4").status_code == 406
    body = {"task": "encode", "images": np.zeros((1, 32, 32, 3), int).tolist()}
    assert post(client, body, Accept="image/png").status_code == 406
    assert post(client, {}, Accept="application/x-npy; dtype=int8").status_code == 406


def test_methods_and_paths_that_do_not_exist(client: TestClient) -> None:
    assert client.get("/invocations").status_code == 405
    reply = client.get("/nowhere")
    assert reply.json()["status"] == 404


def _npy_headers() -> dict[str, str]:
    return {"Content-Type": "application/x-npy"}
