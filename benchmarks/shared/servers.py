"""The servers that `benchmarks.serve` compares, each in a process of its own."""

import asyncio
import io
import logging
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil

from benchmarks.shared import apart
from benchmarks.shared.packing import NUM_WORKERS
from benchmarks.shared.wire import Client

log = logging.getLogger(__name__)

OURS, LITSERVE, NAIVE = "faceae serve", "LitServe", "FastAPI handler"
WORKERS = "FastAPI handler, a worker for each core"
START_S = 240


class Server:
    """A contender in a process of its own."""

    def __init__(self, name: str, model: Path, folder: Path, max_batch: int) -> None:
        self.name = name
        self.port = apart.find_free_port()
        ours = ["faceae", "serve", str(model), "--port", str(self.port), "--device", "cpu"]
        arguments = {
            OURS: [*ours, "--max-batch", str(max_batch)],
            LITSERVE: ["benchmarks.peers.litserve", str(model), str(self.port)],
            NAIVE: ["benchmarks.peers.fastapi", str(model), str(self.port), "1"],
            WORKERS: ["benchmarks.peers.fastapi", str(model), str(self.port), str(NUM_WORKERS)],
        }[name]
        self._log_path = folder / f"{self.port}.log"
        self._log = self._log_path.open("wb")
        self.process = psutil.Popen(
            [sys.executable, "-m", *arguments], stdout=subprocess.DEVNULL, stderr=self._log
        )

    async def connect(self, count: int) -> list[Client]:
        """Open connections."""
        return [await Client.connect(self.port) for _ in range(count)]

    async def wait(self) -> bytes:
        """Wait until it draws a face, and return that face.

        Raises:
            RuntimeError: it ends, or takes too long.
        """
        end = time.monotonic() + START_S
        while True:
            try:
                client = await Client.connect(self.port)
                face = await client.draw(0)
                await client.close()
                return face
            except (OSError, RuntimeError, asyncio.IncompleteReadError) as error:
                if time.monotonic() > end or self.process.poll() is not None:
                    text = self._log_path.read_text(errors="replace")
                    raise RuntimeError(f"{self.name} does not start: {text[-2000:]}") from error
                await asyncio.sleep(0.2)

    def stop(self) -> None:
        """End the server and the processes that it started."""
        self._log.close()
        if not self.process.is_running():
            return
        processes = [*self.process.children(recursive=True), self.process]
        self.process.terminate()
        _, alive = psutil.wait_procs(processes, 10)
        for process in alive:
            process.kill()


@contextmanager
def start(
    names: Sequence[str], model: Path, folder: Path, max_batch: int
) -> Iterator[dict[str, Server]]:
    """Start servers, check that their faces are the same, and stop them in the end."""
    servers: dict[str, Server] = {}
    try:
        for name in names:
            log.info("starting %s", name)
            servers[name] = Server(name, model, folder, max_batch)
        faces = {name: asyncio.run(server.wait()) for name, server in servers.items()}
        arrays = [np.load(io.BytesIO(face)).astype(int) for face in faces.values()]
        assert all(np.abs(array - arrays[0]).max() <= 1 for array in arrays), "faces differ"
        yield servers
    finally:
        for server in servers.values():
            server.stop()
