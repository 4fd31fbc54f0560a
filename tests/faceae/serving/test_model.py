"""What is served: a run with and without latents, each kind of exported file, what is refused."""

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from starlette.testclient import TestClient

from faceae.errors import FaceaeError
from faceae.runs import open_run
from faceae.serving import create_app, open_served_model
from faceae_export import Kind, export_model

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("kind", "task"),
    [
        ("generator", "generate"),
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


def test_a_run_without_latents_draws_no_faces(served_run: str, tmp_path: Path) -> None:
    run = Path(shutil.copytree(served_run, tmp_path / "run"))
    (run / "latents.safetensors").unlink()
    assert open_served_model(run, CPU).tasks == ("morph", "reconstruct", "encode", "decode")


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(FaceaeError, match="nowhere"):
        open_served_model(tmp_path / "nowhere", CPU)
