"""torch alone: its DataLoader over loose JPEGs, as tutorials have it, and arrays by the batch."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import BatchSampler, DataLoader, Dataset, RandomSampler

from benchmarks.peers import Epoch
from benchmarks.shared.reading import BATCH_SIZE, mirror_some


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


def open_loose(folder: Path, read: Callable[[Path], torch.Tensor], workers: int) -> Epoch:
    """Read loose JPEGs as the tutorial script does."""
    loader = make_loose(folder, read, workers, BATCH_SIZE)
    return lambda: loader


class _Arrays(Dataset[torch.Tensor]):
    """Batches of a mapped .npy file, N x S x S x 3 uint8, by their row numbers."""

    def __init__(self, path: Path):
        self.faces = np.load(path, mmap_mode="r")

    def __len__(self) -> int:
        return len(self.faces)

    def __getitem__(self, rows: list[int]) -> torch.Tensor:
        return mirror_some(torch.from_numpy(self.faces[rows]))


def open_arrays(path: Path, workers: int) -> Epoch:
    """Read a .npy file a batch at a time, as torch's documentation has it for such data."""
    faces = _Arrays(path)
    batches = BatchSampler(RandomSampler(faces), BATCH_SIZE, drop_last=True)
    loader = DataLoader(
        faces,
        sampler=batches,
        batch_size=None,
        num_workers=workers,
        persistent_workers=workers > 0,
    )
    return lambda: loader


def open_memory(path: Path) -> Epoch:
    """Hold the faces of a .npy file in one tensor, and index it."""
    faces = torch.from_numpy(np.load(path))

    def epoch() -> Iterator[torch.Tensor]:
        order = torch.randperm(len(faces))
        for start in range(0, len(faces) - BATCH_SIZE + 1, BATCH_SIZE):
            yield mirror_some(faces.index_select(0, order[start : start + BATCH_SIZE]))

    return epoch
