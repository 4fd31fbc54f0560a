"""Readiness, metrics, KServe's routes, the OpenAPI document, limits, keys and logs."""

import asyncio
import io
import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import openapi_spec_validator
import pytest
from starlette.testclient import TestClient

from faceae.errors import FaceaeError
from faceae.serving import ServeConfig, ServedModel, create_app
from faceae.serving._problem import Problem

ACCESS_LOG = "faceae.serving.access"
SILENT = {"raise_server_exceptions": False}


class Held:
    """A session that waits, or fails."""

    def __init__(self, session: Any) -> None:
        self.info, self.engine = session.info, session.engine
        self._session = session
        self.gate = threading.Event()
        self.error: Exception | None = None
        self._num_sound = 0

    def fail_after(self, num_batches: int, error: Exception) -> None:
        """Fail, but not before so many batches."""
        self.error, self._num_sound = error, num_batches

    def run(self, *inputs: np.ndarray) -> Any:
        assert self.gate.wait(20)
        self._num_sound -= 1
        if self.error is not None and self._num_sound < 0:
            raise self.error
        return self._session.run(*inputs)


@pytest.fixture
def held(served: ServedModel) -> Held:
    return Held(served.sessions["generator"])


@pytest.fixture
def held_model(served: ServedModel, held: Held) -> ServedModel:
    return replace(served, sessions={"generator": held})


def wait_until_ready(client: TestClient) -> None:
    while client.get("/health/ready").status_code == 503:
        pass


def test_not_ready_before_the_model_has_run(held_model: ServedModel, held: Held) -> None:
    with TestClient(create_app(held_model)) as client:
        for path in ("/ping", "/health/ready", "/v2/health/ready", "/v2/models/generate/ready"):
            assert client.get(path).status_code == 503
        assert client.post("/invocations").status_code == 503
        assert client.get("/health/live").status_code == 200
        assert "faceae_ready 0.0" in client.get("/metrics").text
        held.gate.set()
        wait_until_ready(client)
        assert client.get("/ping").status_code == 200
        assert client.post("/invocations").status_code == 200
        assert "faceae_ready 1.0" in client.get("/metrics").text


def test_a_model_that_cannot_run_is_never_ready(
    held_model: ServedModel, held: Held, caplog: pytest.LogCaptureFixture
) -> None:
    held.error = RuntimeError("no kernel")
    held.gate.set()
    with TestClient(create_app(held_model)) as client:
        while "loading" in client.get("/ping").text:
            pass
        reply = client.get("/ping")
        assert (reply.status_code, "first run" in reply.text) == (503, True)
        assert "no kernel" in caplog.text


def test_a_full_server_says_when_to_come_back(held_model: ServedModel, held: Held) -> None:
    held.gate.set()
    config = ServeConfig(max_requests=1)
    with TestClient(create_app(held_model, config)) as client, ThreadPoolExecutor() as pool:
        wait_until_ready(client)
        held.gate.clear()
        running = pool.submit(client.post, "/invocations")
        while "faceae_requests_in_progress 1.0" not in client.get("/metrics").text:
            pass
        reply = client.post("/invocations")
        held.gate.set()
        assert (reply.status_code, reply.headers["retry-after"]) == (429, "1")
        assert reply.json()["detail"].startswith("busy with 1 request;")
        assert running.result().status_code == 200
        assert 'faceae_rejected_total{reason="busy"} 1.0' in client.get("/metrics").text


def test_the_deadline(held_model: ServedModel, held: Held) -> None:
    held.gate.set()
    with TestClient(create_app(held_model, ServeConfig(timeout_s=0.1))) as client:
        wait_until_ready(client)
        held.gate.clear()
        assert client.post("/invocations").status_code == 504
        held.gate.set()


def test_a_bug_is_logged_and_not_shown(
    held_model: ServedModel, held: Held, caplog: pytest.LogCaptureFixture
) -> None:
    held.gate.set()
    with TestClient(create_app(held_model), **SILENT) as client:
        wait_until_ready(client)
        held.error = RuntimeError("secret")
        reply = client.post("/invocations", headers={"X-Request-Id": "abc"})
        assert (reply.status_code, reply.json()["request_id"]) == (500, "abc")
        assert "secret" not in reply.text
        assert "secret" in caplog.text
        assert "faceae_errors_total 1.0" in client.get("/metrics").text
        held.error = None
        assert client.post("/invocations").status_code == 200


@pytest.mark.parametrize("path", ["/invocations", "/endpoints/any/invocations"])
@pytest.mark.parametrize("error", [RuntimeError("no kernel"), Problem(503, "gone")])
def test_a_reply_that_breaks_off_keeps_the_status_that_was_sent(
    held_model: ServedModel,
    held: Held,
    caplog: pytest.LogCaptureFixture,
    path: str,
    error: Exception,
) -> None:
    held.gate.set()
    with TestClient(create_app(held_model, ServeConfig(max_batch=8))) as client:
        wait_until_ready(client)
        caplog.set_level(logging.INFO, ACCESS_LOG)
        held.fail_after(1, error)
        with pytest.raises(ConnectionAbortedError):
            client.post(f"{path}?count=100", headers={"Accept": "application/x-npy"})
        logged = [each.message for each in caplog.records if each.name == ACCESS_LOG]
        assert [json.loads(message)["status"] for message in logged] == [200]
        assert "faceae_errors_total 1.0" in client.get("/metrics").text


def test_the_key(served: ServedModel) -> None:
    with TestClient(create_app(served, ServeConfig(api_key="k"))) as client:
        wait_until_ready(client)
        assert client.get("/ping").status_code == 200
        for headers in ({}, {"X-API-Key": "K"}, {"Authorization": "Bearer "}):
            assert client.post("/invocations", headers=headers).status_code == 401
            assert client.get("/metrics", headers=headers).status_code == 401
        for headers in ({"X-API-Key": "k"}, {"Authorization": "Bearer k"}):
            assert client.post("/invocations", headers=headers).status_code == 200


def test_the_page_opens_without_the_key(served: ServedModel, tmp_path: Path) -> None:
    with TestClient(create_app(served, ServeConfig(api_key="k"))) as client:
        for path in ("/", "/faces.js", "/key.js", "/model.json", "/server.json", "/sw.js"):
            assert client.get(path).status_code == 200, path
        for path in ("/openapi.json", "/metrics", "/v2", "/nowhere"):
            assert client.get(path).status_code == 401, path
    for name in ("index.html", "faces.js", "decoder.onnx", "directions.bin", "openapi.json"):
        (tmp_path / name).write_text("x")
    with TestClient(create_app(served, ServeConfig(api_key="k", page=tmp_path))) as client:
        assert [client.get(path).status_code for path in ("/", "/faces.js")] == [200, 200]
        for path in ("/decoder.onnx", "/directions.bin", "/openapi.json", "/./decoder.onnx"):
            assert client.get(path).status_code == 401, path
        key = {"X-API-Key": "k"}
        assert client.get("/decoder.onnx", headers=key).status_code == 200


@pytest.mark.parametrize("path", ["/invocations", "/endpoints/a/invocations"])
def test_a_form_without_boundary(client: TestClient, path: str) -> None:
    headers = {"Content-Type": "multipart/form-data"}
    reply = client.post(path, content=b"x", headers=headers)
    assert (reply.status_code, reply.json()["status"]) == (400, 400)


def test_a_body_that_does_not_arrive(served: ServedModel) -> None:
    app = create_app(served, ServeConfig(body_timeout_s=0.05), warm_up_first=True)
    arrived = [{"type": "http.request", "body": b"{", "more_body": True}]
    sent: list[Any] = []

    async def receive() -> Any:
        if not arrived:
            await asyncio.Event().wait()
        return arrived.pop()

    async def send(message: Any) -> None:
        sent.append(message)

    async def main() -> None:
        scope = {"type": "http", "method": "POST", "path": "/invocations", "query_string": b""}
        async with app.router.lifespan_context(app):
            await app({**scope, "headers": [], "client": None}, receive, send)

    asyncio.run(main())
    problem = json.loads(sent[1]["body"])
    assert (sent[0]["status"], problem["status"]) == (408, 408)
    assert (b"connection", b"close") in sent[0]["headers"]


def test_a_key_from_a_file_and_one_beyond_ascii(served: ServedModel) -> None:
    with TestClient(create_app(served, ServeConfig(api_key="schlüssel\n"))) as client:
        key = "schlüssel".encode()
        assert client.get("/metrics", headers={b"X-API-Key": key}).status_code == 200
        assert client.get("/metrics", headers={b"X-API-Key": key[:-1]}).status_code == 401


def test_an_empty_key_is_refused() -> None:
    with pytest.raises(FaceaeError, match="API key"):
        ServeConfig(api_key=" ")


def test_other_origins_are_allowed_on_request_only(served: ServedModel) -> None:
    origin = {"Origin": "https://example.org"}
    name = "access-control-allow-origin"
    with TestClient(create_app(served)) as client:
        assert name not in client.get("/ping", headers=origin).headers
    config = ServeConfig(cors_origins=("https://example.org",))
    with TestClient(create_app(served, config)) as client:
        assert client.get("/ping", headers=origin).headers[name] == "https://example.org"
        assert name not in client.get("/ping", headers={"Origin": "https://evil.org"}).headers


def test_the_access_log(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, ACCESS_LOG)
    reply = client.post("/invocations", json={"count": 2}, headers={"X-Request-Id": "bad\tid"})
    (entry,) = [json.loads(record.message) for record in caplog.records]
    assert entry["request_id"] == reply.headers["x-request-id"] != "bad\tid"
    assert (entry["task"], entry["status"], entry["path"]) == ("generate", 200, "/invocations")
    assert entry["bytes_in"] == len(reply.request.content)
    assert entry["bytes_out"] == len(reply.content)


def test_metrics_count_stages_and_batches(client: TestClient) -> None:
    client.post("/invocations?count=2")
    text = client.get("/metrics").text
    for stage in ("read", "parse", "queue", "compute", "reply"):
        assert f'faceae_stage_seconds_count{{stage="{stage}"}}' in text
    assert 'faceae_batch_faces_count{part="generator"}' in text
    assert 'faceae_requests_total{status="200",task="generate"}' in text
    assert 'faceae_queue_faces{part="generator"} 0.0' in text


def test_v2_describes_and_runs_each_task(client: TestClient, images: np.ndarray) -> None:
    assert client.get("/v2").json()["name"] == "faceae"
    for task in ("generate", "morph", "reconstruct", "encode", "decode"):
        assert client.get(f"/v2/models/{task}").json()["name"] == task
        assert client.get(f"/v2/models/{task}/ready").status_code == 200
    faces = {"name": "images", "shape": [2, 32, 32, 3], "datatype": "UINT8"}
    body = {"id": "7", "inputs": [{**faces, "data": images.ravel().tolist()}]}
    encoded = client.post("/v2/models/encode/infer", json=body).json()
    assert encoded["id"] == "7"
    (latents,) = encoded["outputs"]
    assert (latents["name"], latents["datatype"], latents["shape"]) == ("latents", "FP32", [2, 16])
    decoded = client.post("/v2/models/decode/infer", json={"inputs": [latents]}).json()
    array = np.array(decoded["outputs"][0]["data"]).reshape(decoded["outputs"][0]["shape"])
    reply = client.post("/v2/models/reconstruct/infer", json=body).json()
    assert np.abs(array.ravel() - reply["outputs"][0]["data"]).max() <= 1
    body = {"parameters": {"count": 3, "seed": 2}}
    drawn = client.post("/v2/models/generate/infer", json=body).json()
    assert drawn["outputs"][0]["shape"] == [3, 32, 32, 3]


@pytest.mark.parametrize(
    ("task", "body", "status"),
    [
        ("fly", {}, 404),
        ("generate", [], 400),
        ("generate", {"id": 3}, 400),
        ("generate", {"parameters": {"count": 9}}, 422),
        ("generate", {"inputs": [{"name": "images"}]}, 422),
        ("decode", {"inputs": 3}, 400),
        ("decode", {"inputs": [{"name": "latents", "shape": [1, 16], "datatype": "X"}]}, 422),
        (
            "decode",
            {"inputs": [{"name": "latents", "shape": [1, 16], "datatype": "FP32", "data": [1]}]},
            422,
        ),
        (
            "decode",
            {"inputs": [{"name": "latents", "shape": [-1], "datatype": "FP32", "data": [1]}]},
            422,
        ),
        (
            "decode",
            {"inputs": [{"name": "latents", "shape": [1], "datatype": "UINT8", "data": [300]}]},
            422,
        ),
    ],
)
def test_bad_requests_of_v2(client: TestClient, task: str, body: Any, status: int) -> None:
    reply = client.post(f"/v2/models/{task}/infer", json=body)
    assert reply.status_code == status, reply.text
    assert reply.json()["error"] == reply.json()["detail"]


def test_the_openapi_document_is_true(client: TestClient, images: np.ndarray) -> None:
    document = client.get("/openapi.json").json()
    openapi_spec_validator.validate(document)
    for path, item in document["paths"].items():
        address = path.replace("{name}", "a").replace("{model}", "generate")
        if "get" in item:
            reply = client.get(address)
            assert str(reply.status_code) in item["get"]["responses"], path
            assert reply.status_code == 200
        else:
            assert client.post(address, json={}).status_code == 200
    schemas = document["paths"]["/invocations"]["post"]["requestBody"]["content"]
    inputs = {"images": images.tolist(), "latents": [[0.0] * 16]}
    for schema in schemas["application/json"]["schema"]["oneOf"]:
        body = {
            name: value.get("default", value.get("const", inputs.get(name)))
            for name, value in schema["properties"].items()
        }
        assert client.post("/invocations", json=body).status_code == 200, body["task"]
        for name, value in schema["properties"].items():
            for limit, step in (("minimum", -1), ("maximum", 1)):
                if limit in value:
                    refused = client.post("/invocations", json={**body, name: value[limit] + step})
                    assert refused.status_code == 422, (body["task"], name, limit)


def test_the_query_allows_what_any_task_allows(client: TestClient) -> None:
    invoke = client.get("/openapi.json").json()["paths"]["/invocations"]["post"]
    (count,) = (each["schema"] for each in invoke["parameters"] if each["name"] == "count")
    assert (count["minimum"], count["maximum"]) == (1, 100_000)


def test_the_page_has_a_policy(served: ServedModel, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<p>page</p>")
    with TestClient(create_app(served, ServeConfig(page=tmp_path))) as client:
        reply = client.get("/")
        assert reply.text == "<p>page</p>"
        assert "default-src 'none'" in reply.headers["content-security-policy"]
        assert client.get("/nowhere.js").status_code == 404
        assert client.get("/health/live").json()["live"]
        assert "sample" in client.get("/server.json").json()["tasks"]
    with pytest.raises(FaceaeError, match=r"index\.html"):
        ServeConfig(page=tmp_path / "nowhere")


def test_the_page_without_a_folder_computes_here(client: TestClient) -> None:
    for name, media_type in (("", "text/html"), ("faces.js", "text/javascript")):
        reply = client.get(f"/{name}")
        assert reply.headers["content-type"].startswith(media_type)
        assert "default-src 'none'" in reply.headers["content-security-policy"]
    assert not client.get("/model.json").json()["browser"]
    assert {"sample", "encode", "decode"} <= set(client.get("/server.json").json()["tasks"])


def test_a_model_that_cannot_draw_has_no_page(served: ServedModel) -> None:
    sessions = {"decoder": served.sessions["decoder"]}
    with TestClient(create_app(replace(served, sessions=sessions))) as client:
        assert client.get("/").status_code == 404


def test_a_page_of_other_weights(served: ServedModel, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<p>page</p>")
    (tmp_path / "model.json").write_text('{"weightsHash": "other"}')
    with pytest.raises(FaceaeError, match=r"`page`.*`faceae export web`"):
        create_app(served, ServeConfig(page=tmp_path))


def test_sampled_latents_are_those_of_the_generated_faces(client: TestClient) -> None:
    query = "seed=3&start=5&count=4&truncation=0.8"
    accept = {"Accept": "application/x-npy"}
    reply = client.post(f"/invocations?task=sample&{query}", headers=accept)
    latents = np.load(io.BytesIO(reply.content))
    assert (latents.shape, latents.dtype) == ((4, 16), np.float32)
    body = {"task": "decode", "latents": latents.tolist()}
    accept = {"Accept": "application/x-npy; dtype=uint8"}
    decoded = client.post("/invocations", json=body, headers=accept)
    drawn = client.post(f"/invocations?{query}", headers=accept)
    found, expected = (np.load(io.BytesIO(each.content)).astype(int) for each in (decoded, drawn))
    assert np.abs(found - expected).max() <= 1


@pytest.mark.parametrize("name", ["max_batch", "max_delay_ms", "timeout_s", "max_body_bytes"])
def test_limits_out_of_their_range(name: str) -> None:
    with pytest.raises(FaceaeError, match=f"`{name}`"):
        ServeConfig(**{name: -1})


def test_concurrent_requests_give_the_same_faces(client: TestClient) -> None:
    def draw(seed: int) -> np.ndarray:
        reply = client.post(f"/invocations?seed={seed}", headers={"Accept": "application/x-npy"})
        faces: np.ndarray = np.load(io.BytesIO(reply.content)).astype(int)
        return faces

    alone = [draw(seed) for seed in range(24)]
    with ThreadPoolExecutor(12) as pool:
        together = list(pool.map(draw, range(24)))
    assert max(np.abs(a - b).max() for a, b in zip(alone, together, strict=True)) <= 1
