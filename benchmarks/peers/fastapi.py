"""The server that one writes first: a FastAPI handler that runs the model once per request.

FastAPI's documentation advises several worker processes where there are several cores. Workers
share the cores evenly.

python -m benchmarks.peers.fastapi MODEL PORT WORKERS
"""

import os
import sys
from pathlib import Path

import fastapi
import numpy as np
import torch
import uvicorn

from benchmarks.shared.wire import to_npy
from faceae.latent import latent_noise
from faceae_export import open_session

_MODEL, _WORKERS = "FASTAPI_PEER_MODEL", "FASTAPI_PEER_WORKERS"
"""Environment variables for the workers: the model's path, and the number of workers."""


def make_app(path: Path) -> fastapi.FastAPI:
    """Return an app that draws one face per POST to /invocations with `{"seed": N}`."""
    session = open_session(path, torch.device("cpu"))
    size = session.info.model.latent_size
    app = fastapi.FastAPI()

    @app.post("/invocations")
    def draw(body: dict[str, int]) -> fastapi.Response:
        noise = latent_noise(body["seed"], 0, 1, size)
        faces = session.run(noise, np.array(1, np.float32))
        return fastapi.Response(to_npy(faces), media_type="application/x-npy")

    return app


def make_workers_app() -> fastapi.FastAPI:
    """Return the app of one of several workers; see `_MODEL` and `_WORKERS`."""
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // int(os.environ[_WORKERS])))
    return make_app(Path(os.environ[_MODEL]))


if __name__ == "__main__":
    os.environ[_MODEL], os.environ[_WORKERS] = sys.argv[1], sys.argv[3]
    uvicorn.run(
        "benchmarks.peers.fastapi:make_workers_app",
        factory=True,
        port=int(sys.argv[2]),
        workers=int(sys.argv[3]),
        log_level="error",
    )
