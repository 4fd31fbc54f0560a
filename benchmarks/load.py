"""Images a second from disk to a batch, against what a user would otherwise write.

All contenders give uint8 batches of 64x64 RGB faces from the same 178x218 JPEGs (`faceae synth`),
in random order and mirrored at random, on the CPU. Peers: torch's DataLoader over loose JPEGs,
decoded by Pillow or by torchvision, with 0 and 2 workers; plain webdataset with Pillow.
"""

import argparse
import logging
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import webdataset
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision.io import ImageReadMode, decode_jpeg, read_file
from torchvision.transforms import v2

import shards
from benchmarks import runner
from faceae.data import LoaderConfig, make_loader
from faceae.synthetic import SynthConfig, write_dataset

IMAGE_SIZE = 64
BATCH_SIZE = 128


class _LooseFaces(Dataset[torch.Tensor]):
    """The slow script's dataset."""

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


def _read_pillow(path: Path) -> torch.Tensor:
    with Image.open(path) as image:
        return _to_tensor(_fit(image.convert("RGB")))


def _read_torchvision(path: Path) -> torch.Tensor:
    return _fit(decode_jpeg(read_file(str(path)), mode=ImageReadMode.RGB))


def _loose(folder: Path, read: Callable[[Path], torch.Tensor], workers: int) -> Callable[[], int]:
    loader = DataLoader(
        _LooseFaces(folder, read),
        batch_size=BATCH_SIZE,
        shuffle=True,
        num_workers=workers,
        persistent_workers=workers > 0,
        drop_last=True,
    )
    return lambda: sum(len(batch) for batch in loader)


def _plain_webdataset(dataset: shards.Dataset) -> Callable[[], int]:
    urls = [str(path) for path in dataset.shard_paths("train")]

    def to_tensor(image: Image.Image) -> torch.Tensor:
        return _to_tensor(_fit(image))

    def work() -> int:
        faces = webdataset.WebDataset(urls, shardshuffle=len(urls), seed=random.randrange(2**31))
        samples = faces.shuffle(1000).decode("pil").to_tuple("jpg").map_tuple(to_tensor)
        return sum(len(batch[0]) for batch in samples.batched(BATCH_SIZE, partial=False))

    return work


def _ours(kind: Any, dataset: shards.Dataset) -> Callable[[], int]:
    config = LoaderConfig(
        split="train", batch_size=BATCH_SIZE, image_size=IMAGE_SIZE, training=True
    )
    loader = make_loader(kind, dataset, config, torch.device("cpu"))
    return lambda: sum(len(batch.images) for batch in loader)


def _pack(source: Path, out: Path, **options: Any) -> shards.Dataset:
    shards.pack(shards.PackConfig(source=source, out=out, split=(1.0, 0.0, 0.0), **options))
    return shards.open_dataset(out)


def contenders(folder: Path, count: int) -> list[runner.Contender]:
    """Draw the faces, pack them, and return the loaders to compare."""
    write_dataset(SynthConfig(out=folder / "faces", count=count, seed=0))
    loose = folder / "faces" / "img_align_celeba"
    jpg = _pack(loose, folder / "jpg")
    npy = _pack(loose, folder / "npy", size=IMAGE_SIZE, encoding="npy")
    ways: list[tuple[str, bool, Callable[[], int]]] = [
        ("DataLoader, Pillow, 0 workers", True, _loose(loose, _read_pillow, 0)),
        ("DataLoader, Pillow, 2 workers", True, _loose(loose, _read_pillow, 2)),
        ("DataLoader, torchvision, 0 workers", True, _loose(loose, _read_torchvision, 0)),
        ("DataLoader, torchvision, 2 workers", True, _loose(loose, _read_torchvision, 2)),
        ("webdataset, Pillow", True, _plain_webdataset(jpg)),
        ("faceae webdataset loader, jpg", False, _ours("webdataset", jpg)),
        ("faceae DALI loader, jpg", False, _ours("dali", jpg)),
        ("faceae DALI loader, npy 64x64", False, _ours("dali", npy)),
    ]
    return [
        runner.Contender(name=name, peer=peer, rate=runner.timed(work)) for name, peer, work in ways
    ]


def main() -> None:
    """Measure, write results/load.json and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=8192, help="faces to draw")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with tempfile.TemporaryDirectory() as folder:
        rows = runner.measure(contenders(Path(folder), options.count), options.rounds)
    settings = {"count": options.count, "batch_size": BATCH_SIZE, "image_size": IMAGE_SIZE}
    runner.save("load", rows, settings)
    print(runner.table(rows))


if __name__ == "__main__":
    main()
