"""What is served: a run with and without latents, each kind of exported file, what is refused."""

import io
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from starlette.testclient import TestClient

from faceae.errors import FaceaeError
from faceae.latent import LatentMoments, fit_mixture
from faceae.runs import open_run
from faceae.serving import ServedModel, create_app, open_served_model
from faceae_export import Kind, export_model, generate_faces, open_model

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("kind", "task"),
    [
        ("generator", "generate"),
        ("sampler", "sample"),
        ("decoder", "decode"),
        ("encoder", "encode"),
        ("autoencoder", "reconstruct"),
        ("morph", "morph"),
    ],
)
def test_an_exported_file_does_the_task_of_its_part(
    served_run: str, client: TestClient, tmp_path: Path, kind: Kind, task: str, images: np.ndarray
) -> None:
    path = tmp_path / f"{kind}.onnx"
    export_model(open_run(served_run), "onnx", kind, path, CPU)
    model = open_served_model(path, CPU)
    assert (model.tasks, model.name) == ((task,), kind)
    body = {
        "generate": {"count": 2, "seed": 1},
        "sample": {"count": 2, "seed": 1},
        "decode": {"latents": np.zeros((1, 16)).tolist()},
        "morph": {"images": images.tolist(), "frames": 4},
    }.get(task, {"images": images.tolist()})
    with TestClient(create_app(model)) as of_file:
        while of_file.get("/ping").status_code == 503:
            pass
        found, expected = (
            np.load(
                io.BytesIO(
                    each.post(
                        "/invocations",
                        json={"task": task, **body},
                        headers={"Accept": "application/x-npy"},
                    ).content
                )
            )
            for each in (of_file, client)
        )
        other = "encode" if task == "generate" else "generate"
        refused = of_file.post("/invocations", json={"task": other})
    assert np.abs(found.astype(float) - expected.astype(float)).max() <= 1
    assert (refused.status_code, task in refused.json()["detail"]) == (422, True)


def test_truncation_keeps_the_components_of_a_mixture(served_run: str) -> None:
    rng = np.random.default_rng(0)
    z_NZ = rng.normal(size=(400, 16)) + 20 * (rng.random((400, 1)) < 0.4)  # two groups
    moments = LatentMoments(16)
    moments.update(z_NZ.astype(np.float32))
    normal = moments.normal_prior(weights_hash="", dataset_hash="")
    sampler = fit_mixture(z_NZ.astype(np.float32), normal).sampler()
    session = open_model(replace(open_run(served_run), sampler=sampler), "generator", CPU)
    drawn = generate_faces(session, seed=1, start=0, count=16, truncation=0.3)
    expected = np.concatenate(list(drawn)).astype(int)
    model = ServedModel(name="mixture", sessions={"generator": session})
    with TestClient(create_app(model)) as client:
        while client.get("/ping").status_code == 503:
            pass
        body = {"count": 16, "seed": 1, "truncation": 0.3}
        reply = client.post("/invocations", json=body, headers={"Accept": "application/x-npy"})
    assert np.abs(np.load(io.BytesIO(reply.content)) - expected).max() <= 1


def test_a_run_without_latents_draws_no_faces(served_run: str, tmp_path: Path) -> None:
    run = Path(shutil.copytree(served_run, tmp_path / "run"))
    (run / "latents.safetensors").unlink()
    assert open_served_model(run, CPU).tasks == ("morph", "reconstruct", "encode", "decode")


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(FaceaeError, match="nowhere"):
        open_served_model(tmp_path / "nowhere", CPU)
