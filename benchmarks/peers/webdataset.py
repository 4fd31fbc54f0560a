"""webdataset: its writer with a Pillow check, and the pipeline of its documentation.

The writer's check is Pillow's. The pipeline decodes with torchvision, which is faster.
"""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import webdataset

from benchmarks.peers import Epoch
from benchmarks.shared.packing import NUM_WORKERS, Work, check_image, in_processes, read_list


def prepare_shardwriter(listed: str, out: str, mode: str) -> Work:
    """Pack with one writer for each core, each with shards of its own."""
    paths = read_list(listed)
    Path(out).mkdir()
    return lambda: in_processes(functools.partial(_write, out, mode), paths)


def _write(out: str, mode: str, part: int, paths: list[str]) -> None:
    extension = "npy" if mode.startswith("npy") else "jpg"
    with webdataset.ShardWriter(f"{out}/{part}-%06d.tar", maxcount=4096, verbose=0) as writer:
        for number, path in enumerate(paths):
            writer.write({"__key__": f"{part}{number:09}", extension: check_image(path, mode)})


def open_webdataset(shards: Sequence[Path]) -> Epoch:
    """Read shards with the pipeline of webdataset's documentation: each worker makes batches."""
    from benchmarks.shared.reading import BATCH_SIZE, decode_torchvision

    urls = [str(path) for path in shards]
    faces = webdataset.WebDataset(urls, shardshuffle=len(urls)).shuffle(1000)
    batches = faces.to_tuple("jpg").map_tuple(decode_torchvision)
    batches = batches.batched(BATCH_SIZE, collation_fn=_stack, partial=False)
    loader = webdataset.WebLoader(
        batches, batch_size=None, num_workers=NUM_WORKERS, persistent_workers=True
    )
    return lambda: loader


def _stack(samples: list[tuple[Any]]) -> Any:
    import torch

    return torch.stack([face for (face,) in samples])
