"""LitServe with dynamic batching, as its documentation sets it up for a CPU and many requests.

It advises one worker for each core, and its fast queue for more than a hundred requests a second.

python -m benchmarks.peers.litserve MODEL PORT
"""

import sys
from pathlib import Path
from typing import Any

import litserve
import numpy as np
import torch
from fastapi import Response
from numpy.typing import NDArray

from benchmarks.shared.packing import NUM_WORKERS
from benchmarks.shared.wire import MAX_BATCH, to_npy
from faceae.latent import latent_noise
from faceae_export import open_session

BATCH_TIMEOUT_S = 0.005


class Drawing(litserve.LitAPI):
    """Draws one face per request with `{"seed": N}`."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            max_batch_size=MAX_BATCH, batch_timeout=BATCH_TIMEOUT_S, api_path="/invocations"
        )
        self._path = path

    def setup(self, device: str) -> None:
        """Open the model in the worker's process, which has a core."""
        torch.set_num_threads(1)
        self._session = open_session(self._path, torch.device("cpu"))

    def decode_request(self, request: dict[str, int]) -> NDArray[np.float32]:
        """Return the noise of the request's face."""
        return latent_noise(request["seed"], 0, 1, self._session.info.model.latent_size)

    def batch(self, inputs: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Join the noise of several requests."""
        return np.concatenate(inputs)

    def predict(self, x: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Return faces, N x S x S x 3."""
        faces: NDArray[np.uint8] = self._session.run(x, np.array(1, np.float32))
        return faces

    def unbatch(self, output: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
        """Return the face of each request."""
        return list(output[:, None])

    def encode_response(self, output: NDArray[np.uint8], **_: Any) -> Response:
        """Return a .npy file."""
        return Response(to_npy(output), media_type="application/x-npy")


if __name__ == "__main__":
    server = litserve.LitServer(
        Drawing(Path(sys.argv[1])),
        accelerator="cpu",
        workers_per_device=NUM_WORKERS,
        fast_queue=True,
        timeout=60,
    )
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[2]),
        generate_client_file=False,
        log_level="error",
    )
