"""Limits of the machine that stand beside every result: decoding, memory and matrix products."""

import functools
import io
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from benchmarks.shared.packing import NUM_WORKERS

_SGEMM_SIZE = 1024
_COPIED_BYTES = 2**27
_TRIES = 5


@functools.cache
def measure_limits() -> dict[str, float]:
    """Return the best of a few tries of each; takes about a second.

    GFLOP/s of a square float32 product, GB/s copied in memory (read and written bytes), and JPEGs
    of 178x218 that libjpeg-turbo decodes in a second on all cores.
    """
    rng = np.random.default_rng(0)
    a = rng.random((_SGEMM_SIZE, _SGEMM_SIZE), dtype=np.float32)
    source, target = np.zeros(_COPIED_BYTES, np.uint8), np.ones(_COPIED_BYTES, np.uint8)
    return {
        "sgemm_gflops": 2e-9 * _SGEMM_SIZE**3 / _best(lambda: a @ a),
        "copy_gb_per_s": 2e-9 * _COPIED_BYTES / _best(lambda: np.copyto(target, source)),
        "jpegs_per_s": _measure_decoding(rng),
    }


def _measure_decoding(rng: np.random.Generator) -> float:
    import simplejpeg
    from PIL import Image

    smooth = Image.fromarray(rng.integers(0, 256, (28, 23, 3), dtype=np.uint8))
    stream = io.BytesIO()
    smooth.resize((178, 218), Image.Resampling.BICUBIC).save(stream, "JPEG", quality=90)
    data, count = stream.getvalue(), 256

    def decode(_: int) -> None:
        simplejpeg.decode_jpeg(data)

    with ThreadPoolExecutor(NUM_WORKERS) as pool:
        return count / _best(lambda: list(pool.map(decode, range(count))))


def _best(work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(_TRIES):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)
