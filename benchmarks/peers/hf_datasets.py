"""Hugging Face `datasets`: streaming of WebDataset shards into torch's DataLoader.

As its documentation has it: `load_dataset("webdataset", streaming=True)`, a shuffle buffer, Pillow
for decoding, and no more workers than there are shards.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from datasets import load_dataset
from torch.utils.data import DataLoader

from benchmarks.shared.packing import NUM_WORKERS
from benchmarks.shared.reading import BATCH_SIZE, fit, to_tensor


def _prepare(sample: dict[str, Any]) -> dict[str, Any]:
    return {"image": to_tensor(fit(sample["jpg"].convert("RGB")))}


def open_datasets(shards: Sequence[Path]) -> Callable[[], int]:
    """Stream shards from the disk."""
    files = {"train": [str(path) for path in shards]}
    faces = load_dataset("webdataset", data_files=files, split="train", streaming=True)
    faces = faces.shuffle(seed=0, buffer_size=1000).map(_prepare).select_columns(["image"])
    loader = DataLoader(
        faces.with_format("torch"),
        batch_size=BATCH_SIZE,
        num_workers=min(NUM_WORKERS, len(files["train"])),
        drop_last=True,
        persistent_workers=True,
    )
    return lambda: sum(len(batch["image"]) for batch in loader)
