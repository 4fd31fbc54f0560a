"""The names, constants and hashes that the on-disk format fixes."""

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
"""What an unfinished pack follows."""
FORMAT_NAME = "faceae-shards"
FORMAT_VERSION = 1
SPLITS = ("train", "valid", "test")
ADOPTED = "adopted"
"""Kind of the source of a dataset whose tars another tool wrote."""

MIN_SIDE = 16
"""Pixels; a smaller picture shows no face."""


@dataclass(frozen=True, kw_only=True)
class ShardInfo:
    """One tar and the index beside it, as they were written."""

    name: str
    """Path of the tar inside the dataset, e.g. `train/train-000000.tar`."""
    num_samples: int
    num_bytes: int
    """Size of the tar."""
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
