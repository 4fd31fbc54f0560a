"""mosaicml-streaming: its writer in one process, and its dataset with torchvision's decoder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streaming

from benchmarks.shared.packing import NUM_WORKERS, Work, check_image, read_list


def prepare_mds(listed: str, out: str, mode: str) -> Work:
    """Pack with streaming's writer in one process, as its documentation does."""
    paths = read_list(listed)
    column = "ndarray:uint8:64,64,3" if mode.startswith("npy") else "bytes"

    def work() -> int:
        with streaming.MDSWriter(out=out, columns={"image": column}) as writer:
            for path in paths:
                writer.write({"image": check_image(path, mode)})
        return len(paths)

    return work


class _Faces(streaming.StreamingDataset):  # type: ignore[misc]
    def __getitem__(self, index: int) -> Any:
        from benchmarks.shared.reading import decode_torchvision

        return decode_torchvision(super().__getitem__(index)["image"])


def open_streaming(folder: Path) -> Callable[[], int]:
    """Read with streaming's dataset in torch's DataLoader."""
    from torch.utils.data import DataLoader

    from benchmarks.shared.reading import BATCH_SIZE

    loader = DataLoader(
        _Faces(local=str(folder), shuffle=True, batch_size=BATCH_SIZE),
        batch_size=BATCH_SIZE,
        num_workers=NUM_WORKERS,
        drop_last=True,
        persistent_workers=True,
    )
    return lambda: sum(len(batch) for batch in loader)
