"""What the benchmark of servers and its peers share: the reply, and a client."""

import asyncio
import io
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MAX_BATCH = 64
_OK = b"HTTP/1.1 200"


def to_npy(array: NDArray[np.uint8]) -> bytes:
    """Return an array as a .npy file."""
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def write_request(seed: int) -> bytes:
    """Return a request for one face."""
    body = b'{"seed": %d}' % seed
    return (
        b"POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Accept: application/x-npy\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    )


class Client:
    """One connection that is kept open."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, port: int) -> "Client":
        """Open a connection to a server on this machine."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def draw(self, seed: int) -> bytes:
        """Return the face of a seed as a .npy file.

        Raises:
            RuntimeError: the server refuses the request.
        """
        self._writer.write(write_request(seed))
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        body = await self._reader.readexactly(int(length))
        if not head.startswith(_OK):
            raise RuntimeError(f"{head[:20]!r}: {body[:200]!r}")
        return body

    async def close(self) -> None:
        """Close the connection."""
        self._writer.close()
        await self._writer.wait_closed()


async def saturate(clients: Sequence[Client], seconds: float) -> float:
    """Return the faces per second that clients get who ask again as soon as they have a reply.

    The first second, in which the clients fall into step, does not count. The time counts from the
    last reply in it, so that a batch whose computation began before counts with its whole time.
    """
    start = time.perf_counter()
    begin = start + 1
    end = begin + seconds
    times: list[float] = []

    async def ask(client: Client, seed: int) -> None:
        while time.perf_counter() < end:
            await client.draw(seed)
            seed += len(clients)
            times.append(time.perf_counter())

    await asyncio.gather(*(ask(client, seed) for seed, client in enumerate(clients)))
    since = max((moment for moment in times if moment < begin), default=start)
    return sum(moment > since for moment in times) / (max(times) - since)


async def arrive(clients: Sequence[Client], per_s: float, seconds: float) -> list[float]:
    """Return the latencies, in seconds, of requests that arrive whether or not others are done.

    Arrivals are a Poisson process, the same in every call. Each request takes the first connection
    that is free. Its latency counts from its arrival, so that waiting for a connection counts too.
    """
    gaps = np.random.default_rng(0).exponential(1 / per_s, max(1, round(per_s * seconds)))
    free: asyncio.Queue[Client] = asyncio.Queue()
    for client in clients:
        free.put_nowait(client)
    start = time.perf_counter()

    async def ask(seed: int, arrival: float) -> float:
        await asyncio.sleep(max(0, start + arrival - time.perf_counter()))
        client = await free.get()
        try:
            await client.draw(seed)
        finally:
            free.put_nowait(client)
        return time.perf_counter() - start - arrival

    arrivals = map(float, np.cumsum(gaps))
    return list(await asyncio.gather(*(ask(seed, at) for seed, at in enumerate(arrivals))))
