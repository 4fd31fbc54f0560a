"""webdataset: its writer with a Pillow check, and the pipeline of its documentation."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import webdataset

from benchmarks.shared.packing import Work, check_image, read_list


def prepare_shardwriter(listed: str, out: str, mode: str) -> Work:
    """Pack with the loop of webdataset's documentation."""
    paths, extension = read_list(listed), "npy" if mode.startswith("npy") else "jpg"
    Path(out).mkdir()

    def work() -> int:
        with webdataset.ShardWriter(f"{out}/%06d.tar", maxcount=4096, verbose=0) as writer:
            for number, path in enumerate(paths):
                writer.write({"__key__": f"{number:09}", extension: check_image(path, mode)})
        return len(paths)

    return work


def open_webdataset(shards: Sequence[Path]) -> Callable[[], int]:
    """Read shards with the pipeline of webdataset's documentation."""
    from benchmarks.shared.reading import BATCH_SIZE, fit, to_tensor

    urls = [str(path) for path in shards]

    def prepare(image: Any) -> Any:
        return to_tensor(fit(image))

    def work() -> int:
        faces = webdataset.WebDataset(urls, shardshuffle=len(urls), seed=random.randrange(2**31))
        samples = faces.shuffle(1000).decode("pil").to_tuple("jpg").map_tuple(prepare)
        return sum(len(batch[0]) for batch in samples.batched(BATCH_SIZE, partial=False))

    return work
