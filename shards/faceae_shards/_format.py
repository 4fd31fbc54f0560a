"""Names, constants and hashes of the on-disk format; shards/README.md specifies it."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Encoding = Literal["jpg", "npy"]

MANIFEST_NAME = "dataset.json"
REJECTED_NAME = "rejected.jsonl"
PROGRESS_NAME = ".progress"
PLAN_NAME = f"{PROGRESS_NAME}/plan.json"
"""Options and source of an unfinished pack."""
FORMAT_NAME = "faceae-shards"
FORMAT_VERSION = 1
SPLITS = ("train", "valid", "test")
ADOPTED = "adopted"
"""Source kind of a dataset whose tars another tool wrote."""
GENERATED = "made"
"""Source kind of a dataset whose images a program generated."""

MIN_SIDE = 16
"""Smallest side of an image, in pixels."""


@dataclass(frozen=True, kw_only=True)
class ShardInfo:
    """Sizes and hashes of one tar and of the index beside it."""

    name: str
    """Path of the tar inside the dataset, e.g. `train/train-000000.tar`."""
    num_samples: int
    num_bytes: int
    """Of the tar."""
    sha256: str
    index_num_bytes: int
    index_sha256: str

    @property
    def index_name(self) -> str:
        """Path of the index inside the dataset."""
        return self.name.removesuffix(".tar") + ".idx"


def hash_json(obj: Any) -> str:
    """Return the sha256 of an object's canonical JSON text."""
    text = json.dumps(obj, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def hash_file(path: Path) -> str:
    """Return the sha256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
