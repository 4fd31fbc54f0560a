"""torch's DataLoader over loose JPEGs: what tutorials write."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch.utils.data import DataLoader, Dataset

from benchmarks.shared.reading import BATCH_SIZE


class _LooseFaces(Dataset[torch.Tensor]):
    """Decodes one file."""

    def __init__(self, folder: Path, read: Callable[[Path], torch.Tensor]):
        self.paths = sorted(folder.glob("*.jpg"))
        self.read = read

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.read(self.paths[index])


def make_loose(
    folder: Path, read: Callable[[Path], torch.Tensor], workers: int, batch_size: int
) -> DataLoader[torch.Tensor]:
    """Return torch's DataLoader over loose JPEGs."""
    return DataLoader(
        _LooseFaces(folder, read),
        batch_size=batch_size,
        shuffle=True,
        num_workers=workers,
        persistent_workers=workers > 0,
        drop_last=True,
    )


def open_loose(
    folder: Path, read: Callable[[Path], torch.Tensor], workers: int
) -> Callable[[], int]:
    """Read loose JPEGs as the tutorial script does."""
    loader = make_loose(folder, read, workers, BATCH_SIZE)
    return lambda: sum(len(batch) for batch in loader)
