"""A model, its server, and photographs."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from starlette.testclient import TestClient

import faceae
from faceae.serving import ServeConfig, ServedModel, create_app, open_served_model

CPU = torch.device("cpu")


@pytest.fixture(scope="session")
def served_run(fitted_run: Path) -> str:
    """Folder of the run that is served."""
    return str(fitted_run)


@pytest.fixture(scope="session")
def served(served_run: str) -> ServedModel:
    return open_served_model(Path(served_run), CPU)


@pytest.fixture(scope="session")
def api(served_run: str) -> faceae.FaceModel:
    """The same model in the Python API."""
    return faceae.load(served_run, device="cpu")


def wait_until_ready(client: TestClient) -> TestClient:
    """Return a client whose server's model has run."""
    while client.get("/health/ready").status_code == 503:
        pass
    return client


@pytest.fixture(scope="session")
def client(served: ServedModel) -> Iterator[TestClient]:
    """A client of a server with small limits."""
    config = ServeConfig(max_batch=8, max_body_bytes=200_000, max_pixels=1_000_000)
    with TestClient(create_app(served, config)) as client:
        yield wait_until_ready(client)


@pytest.fixture(scope="session")
def photos(face_folder: Path) -> list[Path]:
    """Three photographs of 178x218."""
    return sorted(face_folder.rglob("*.jpg"))[:3]


@pytest.fixture(scope="session")
def images() -> np.ndarray:
    """Two pictures of the model's size, 2 x 32 x 32 x 3 uint8."""
    return np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
