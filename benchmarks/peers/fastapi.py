"""The server that one writes first: a FastAPI handler that runs the model once per request.

python -m benchmarks.peers.fastapi MODEL PORT
"""

import sys
from pathlib import Path

import fastapi
import numpy as np
import torch
import uvicorn

from benchmarks.shared.wire import to_npy
from faceae.latent import latent_noise
from faceae_export import open_session


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


if __name__ == "__main__":
    uvicorn.run(make_app(Path(sys.argv[1])), port=int(sys.argv[2]), log_level="error")
