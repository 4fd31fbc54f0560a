"""Packed datasets: dataset.json, tars and indices; opening, downloading and verifying."""

from ._check import check_shards, find_cheap_problem
from ._dataset import Dataset, read_dataset, write_manifest
from ._descriptions import read_descriptions, read_names
from ._foreign import find_foreign_problem
from ._manifest import GeneratedOptions, Manifest, PackOptions, SourceInfo
from ._open import inspect_dataset, open_dataset
from ._preview import read_first_images
from ._reindex import reindex
from ._tar import (
    KEY_DIGITS,
    Member,
    Sample,
    format_index,
    format_line,
    group_members,
    publish_shard,
    write_shard,
)
from ._verify import VerifyReport, verify

__all__ = [
    "KEY_DIGITS",
    "Dataset",
    "GeneratedOptions",
    "Manifest",
    "Member",
    "PackOptions",
    "Sample",
    "SourceInfo",
    "VerifyReport",
    "check_shards",
    "find_cheap_problem",
    "find_foreign_problem",
    "format_index",
    "format_line",
    "group_members",
    "inspect_dataset",
    "open_dataset",
    "publish_shard",
    "read_dataset",
    "read_descriptions",
    "read_first_images",
    "read_names",
    "reindex",
    "verify",
    "write_manifest",
    "write_shard",
]
