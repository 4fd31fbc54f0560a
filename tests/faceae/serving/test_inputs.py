"""What the server does with incoming images besides its task: drift, a log, a collection, spans."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

import faceae_shards
from faceae.errors import FaceaeError
from faceae.serving import ServeConfig, ServedModel, create_app, read_latent_log
from faceae.serving._collecting import Collector

CONSENT = {"X-Faceae-Consent": "Yes"}


@contextmanager
def serving(served: ServedModel, **options: Any) -> Iterator[TestClient]:
    with TestClient(create_app(served, ServeConfig(**options))) as client:
        while client.get("/health/ready").status_code == 503:
            pass
        yield client


def send(client: TestClient, count: int = 2, **headers: str) -> None:
    faces = np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), np.uint8)
    body = {"task": "encode", "images": faces.tolist()}
    reply = client.post("/invocations", json=body, headers=headers)
    assert reply.status_code == 200, reply.text


def gauge(client: TestClient, name: str) -> float:
    lines = client.get("/metrics").text.splitlines()
    return float(next(line for line in lines if line.startswith(f"{name} ")).split()[1])


def test_drift_is_known_after_some_images(served: ServedModel) -> None:
    with serving(served) as client:
        send(client)
        assert np.isnan(gauge(client, "faceae_drift_shift"))
        assert gauge(client, "faceae_latent_distance_count") == 2
        send(client, 40)
        assert gauge(client, "faceae_drift_shift") > 0.5  # noise is no face
        assert gauge(client, "faceae_drift_far") > 0.05
        client.post("/invocations?count=3")
        assert gauge(client, "faceae_latent_distance_count") == 42


def test_latents_are_logged(served: ServedModel, tmp_path: Path) -> None:
    with serving(served, log_latents=tmp_path / "log") as client:
        for _ in range(6):
            send(client, 60)
    log = read_latent_log(tmp_path / "log", served.info.weights_hash)
    assert log.latents.shape == (360, 16)
    assert len(list((tmp_path / "log").iterdir())) == 2
    with pytest.raises(FaceaeError, match="other weights"):
        read_latent_log(tmp_path / "log", "0")
    (tmp_path / "log" / "a.safetensors").write_bytes(b"damaged")
    with pytest.raises(FaceaeError, match=r"a\.safetensors: damaged"):
        read_latent_log(tmp_path / "log", served.info.weights_hash)


def test_images_are_kept_with_consent_only(served: ServedModel, tmp_path: Path) -> None:
    with serving(served, collect=tmp_path / "kept") as client:
        send(client)
        send(client, **{"X-Faceae-Consent": "no"})
        send(client, 3, **CONSENT, **{"X-Request-Id": "r7"})
        while gauge(client, "faceae_collected_images_total") < 3:
            pass  # a thread writes them
    (path,) = (tmp_path / "kept").iterdir()
    dataset = faceae_shards.open_dataset(path)
    assert faceae_shards.verify(path).problems == ()
    described = list(faceae_shards.read_descriptions(dataset, "train"))
    assert [(each["consent"], each["request_id"]) for each in described] == [("yes", "r7")] * 3
    assert {(each["task"], each["width"]) for each in described} == {("encode", 32)}


@pytest.mark.parametrize("text", ["", " ", "for research", "y"])
def test_consent_is_yes_or_no(client: TestClient, text: str) -> None:
    reply = client.post("/invocations", headers={"X-Faceae-Consent": text})
    assert reply.status_code == 400
    assert "yes or no" in reply.json()["detail"]


def test_images_that_cannot_be_written_are_not_counted(
    served: ServedModel, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(served, collect=tmp_path / "kept") as client:
        (tmp_path / "kept").rmdir()
        send(client, **CONSENT)
        while "could not be written" not in caplog.text:
            pass
        assert gauge(client, "faceae_collected_images_total") == 0


def test_after_a_crash_the_tar_can_be_packed(tmp_path: Path) -> None:
    faces = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    collector = Collector(tmp_path / "kept", 32)
    for _ in range(2):
        collector.add(faces, {})
    (tar,) = (tmp_path / "kept").iterdir()
    left = tmp_path / "left.tar"
    shutil.copy(tar, left)
    config = faceae_shards.PackConfig(
        source=left, out=tmp_path / "out", size=32, split=(1.0, 0.0, 0.0), workers=1
    )
    assert faceae_shards.pack(config).num_samples["train"] == 6
    collector.pack()
    (path,) = (tmp_path / "kept").iterdir()
    assert faceae_shards.open_dataset(path).num_samples("train") == 6


def test_images_are_not_kept_by_default(
    served: ServedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with serving(served) as client:
        send(client, **CONSENT)
        assert gauge(client, "faceae_collected_images_total") == 0
    assert list(tmp_path.iterdir()) == []
