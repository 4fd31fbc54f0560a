"""Hugging Face `datasets`: streaming of WebDataset shards into torch's DataLoader.

As its documentation has it: `load_dataset("webdataset", streaming=True)`, a shuffle buffer, and no
more workers than there are shards. torchvision decodes, which is faster than the default, Pillow.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datasets import Image, load_dataset
from torch.utils.data import DataLoader

from benchmarks.peers import Epoch
from benchmarks.shared.packing import NUM_WORKERS
from benchmarks.shared.reading import BATCH_SIZE, decode_torchvision


def _prepare(sample: dict[str, Any]) -> dict[str, Any]:
    return {"image": decode_torchvision(sample["jpg"]["bytes"])}


def open_datasets(shards: Sequence[Path]) -> Epoch:
    """Stream shards from the disk."""
    files = {"train": [str(path) for path in shards]}
    faces = load_dataset("webdataset", data_files=files, split="train", streaming=True)
    faces = faces.cast_column("jpg", Image(decode=False)).shuffle(seed=0, buffer_size=1000)
    faces = faces.map(_prepare).select_columns(["image"])
    loader = DataLoader(
        faces.with_format("torch"),
        batch_size=BATCH_SIZE,
        num_workers=min(NUM_WORKERS, len(files["train"])),
        drop_last=True,
        persistent_workers=True,
    )
    return lambda: (batch["image"] for batch in loader)
