"""What packers share: our ways to pack, a decoder, and the check that peers make with Pillow.

Each `prepare_…` imports its library and returns the work, which returns the number of images.
"""

import io
import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

MODES = ("untouched", "jpg 64", "npy 64")
CROP = 178
SIZE = 64
QUALITY = 95
NUM_WORKERS = os.cpu_count() or 1

Work = Callable[[], int]


def prepare_faceae(listed: str, out: str, mode: str, **options: Any) -> Work:
    """Pack with faceae, as `faceae shard` does."""
    import faceae_shards

    if mode != MODES[0]:
        options |= {"crop": CROP, "size": SIZE, "encoding": mode.split()[0]}
    config = faceae_shards.PackConfig(
        source=Path(listed), out=Path(out), workers=NUM_WORKERS, **options
    )
    pack = faceae_shards.pack

    return lambda: sum(pack(config).num_samples.values())


def prepare_whole(listed: str, out: str, mode: str) -> Work:
    """Pack with faceae, with every image in the training split."""
    return prepare_faceae(listed, out, mode, split=(1.0, 0.0, 0.0))


def prepare_faces(source: str, out: str, is_aligned: bool) -> Work:
    """Pack a folder of photographs with faceae: aligned faces, or the centre of each."""
    import faceae_shards

    config = faceae_shards.PackConfig(
        source=Path(source),
        out=Path(out),
        crop=CROP,
        size=SIZE,
        align=is_aligned,
        samples_per_shard=16,
        split=(1, 0, 0),
        workers=NUM_WORKERS,
    )
    pack = faceae_shards.pack
    return lambda: sum(pack(config).num_samples.values())


def prepare_folder(source: str, out: str, workers: int, shard: int) -> Callable[[], dict[str, Any]]:
    """Pack a folder in CelebA's layout with faceae; the work returns the summary of the pack."""
    import faceae_shards

    config = faceae_shards.PackConfig(
        source=Path(source), out=Path(out), workers=workers, samples_per_shard=shard
    )
    pack = faceae_shards.pack

    def work() -> dict[str, Any]:
        summary = pack(config)
        return {
            "num_samples": summary.num_samples,
            "num_shards": summary.num_shards,
            "num_bytes": summary.num_bytes,
            "num_rejected": summary.num_rejected,
        }

    return work


def prepare_decoding(listed: str, out: str, mode: str) -> Work:
    """Read and decode on all cores with the decoder that training uses."""
    paths = read_list(listed)
    parts = [paths[number::NUM_WORKERS] for number in range(NUM_WORKERS)]
    pool = multiprocessing.get_context("forkserver").Pool(NUM_WORKERS)
    pool.map(decode_all, [part[:1] for part in parts])
    return lambda: sum(pool.map(decode_all, parts))


def decode_all(paths: list[str]) -> int:
    """Decode files to RGB and drop them."""
    import simplejpeg

    for path in paths:
        simplejpeg.decode_jpeg(Path(path).read_bytes(), strict=True)
    return len(paths)


def read_list(listed: str) -> list[str]:
    """Return the paths that a list names."""
    return Path(listed).read_text().splitlines()


def in_processes(write: Callable[[int, list[str]], None], paths: list[str]) -> int:
    """Let each of `NUM_WORKERS` processes write its part of the images; return their number.

    Args:
        write: writes images; is given the number of the part, and its paths.
    """
    size = -(-len(paths) // NUM_WORKERS)
    parts = [paths[start : start + size] for start in range(0, len(paths), size)]
    with multiprocessing.Pool(NUM_WORKERS) as pool:
        pool.starmap(write, enumerate(parts))
    return len(paths)


def check_image(path: str, mode: str) -> Any:
    """Decode an image with Pillow and return the bytes to store."""
    data = Path(path).read_bytes()
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        if mode == MODES[0]:
            return data
        left, top = (image.width - CROP) // 2, (image.height - CROP) // 2
        small = image.crop((left, top, left + CROP, top + CROP)).resize(
            (SIZE, SIZE), Image.Resampling.BICUBIC
        )
    if mode.startswith("npy"):
        return np.asarray(small)
    stream = io.BytesIO()
    small.save(stream, "JPEG", quality=QUALITY, subsampling=0)
    return stream.getvalue()
