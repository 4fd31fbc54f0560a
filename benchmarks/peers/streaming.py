"""mosaicml-streaming: its writer in some processes, and its dataset in torch's DataLoader.

Its guide to parallel conversion has one writer for each process, and `merge_index` in the end.
"""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import streaming
from streaming.base.util import merge_index

from benchmarks.peers import Epoch
from benchmarks.shared.packing import NUM_WORKERS, Work, check_image, in_processes, read_list


def prepare_mds(listed: str, out: str, mode: str) -> Work:
    """Pack with one writer for each core, and merge their indexes."""
    paths = read_list(listed)

    def work() -> int:
        count = in_processes(functools.partial(_write, out, mode), paths)
        merge_index(out, keep_local=True)
        return count

    return work


def _write(out: str, mode: str, part: int, paths: list[str]) -> None:
    column = "ndarray:uint8:64,64,3" if mode.startswith("npy") else "bytes"
    with streaming.MDSWriter(out=f"{out}/{part}", columns={"image": column}) as writer:
        for path in paths:
            writer.write({"image": check_image(path, mode)})


class _Faces(streaming.StreamingDataset):  # type: ignore[misc]
    def __init__(self, decode: Callable[[Any], Any], **options: Any) -> None:
        super().__init__(**options)
        self.decode = decode

    def __getitem__(self, index: int) -> Any:
        return self.decode(super().__getitem__(index)["image"])


def open_streaming(folder: Path, decode: Callable[[Any], Any]) -> Epoch:
    """Read with streaming's dataset; `decode` makes an image of what was stored."""
    from torch.utils.data import DataLoader

    from benchmarks.shared.reading import BATCH_SIZE

    loader = DataLoader(
        _Faces(decode, local=str(folder), shuffle=True, batch_size=BATCH_SIZE),
        batch_size=BATCH_SIZE,
        num_workers=NUM_WORKERS,
        drop_last=True,
        persistent_workers=True,
    )
    return lambda: loader
