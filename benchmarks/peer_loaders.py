"""The loaders that `benchmarks.load` compares ours with; each counts the images of an epoch."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import litdata
import streaming
import torch
import webdataset
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision.io import ImageReadMode, decode_jpeg, read_file
from torchvision.transforms import v2

import faceae_shards
from benchmarks.packers import NUM_WORKERS

IMAGE_SIZE = 64
BATCH_SIZE = 128


class _LooseFaces(Dataset[torch.Tensor]):
    """The tutorial script's dataset."""

    def __init__(self, folder: Path, read: Callable[[Path], torch.Tensor]):
        self.paths = sorted(folder.glob("*.jpg"))
        self.read = read

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.read(self.paths[index])


_fit = v2.Compose(
    [v2.Resize(IMAGE_SIZE), v2.CenterCrop(IMAGE_SIZE), v2.RandomHorizontalFlip()],
)
_to_tensor = v2.PILToTensor()


def read_pillow(path: Path) -> torch.Tensor:
    """Decode a file with Pillow."""
    with Image.open(path) as image:
        return _to_tensor(_fit(image.convert("RGB")))


def read_torchvision(path: Path) -> torch.Tensor:
    """Decode a file with torchvision."""
    return _fit(decode_jpeg(read_file(str(path)), mode=ImageReadMode.RGB))


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


def open_webdataset(dataset: faceae_shards.Dataset) -> Callable[[], int]:
    """Read shards with the pipeline of webdataset's documentation."""
    urls = [str(path) for path in dataset.shard_paths("train")]

    def to_tensor(image: Image.Image) -> torch.Tensor:
        return _to_tensor(_fit(image))

    def work() -> int:
        faces = webdataset.WebDataset(urls, shardshuffle=len(urls), seed=random.randrange(2**31))
        samples = faces.shuffle(1000).decode("pil").to_tuple("jpg").map_tuple(to_tensor)
        return sum(len(batch[0]) for batch in samples.batched(BATCH_SIZE, partial=False))

    return work


def _decode_torchvision(data: Any) -> torch.Tensor:
    pixels = torch.frombuffer(bytearray(data), dtype=torch.uint8)
    return _fit(decode_jpeg(pixels, mode=ImageReadMode.RGB))


def open_litdata(folder: Path) -> Callable[[], int]:
    """Read with litdata's dataset and loader."""
    faces = litdata.StreamingDataset(
        str(folder), shuffle=True, drop_last=True, transform=_decode_litdata
    )
    loader = litdata.StreamingDataLoader(
        faces, batch_size=BATCH_SIZE, num_workers=NUM_WORKERS, persistent_workers=True
    )
    return lambda: sum(len(batch) for batch in loader)


def _decode_litdata(sample: dict[str, Any]) -> torch.Tensor:
    return _decode_torchvision(sample["image"])


class _StreamingFaces(streaming.StreamingDataset):  # type: ignore[misc]
    def __getitem__(self, index: int) -> torch.Tensor:
        return _decode_torchvision(super().__getitem__(index)["image"])


def open_streaming(folder: Path) -> Callable[[], int]:
    """Read with streaming's dataset in torch's DataLoader."""
    faces = _StreamingFaces(local=str(folder), shuffle=True, batch_size=BATCH_SIZE)
    loader = DataLoader(
        faces,
        batch_size=BATCH_SIZE,
        num_workers=NUM_WORKERS,
        drop_last=True,
        persistent_workers=True,
    )
    return lambda: sum(len(batch) for batch in loader)
