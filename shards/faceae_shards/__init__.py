"""The on-disk dataset: photographs packed into checked, indexed, checksummed WebDataset tars."""

import importlib
from typing import TYPE_CHECKING

from ._errors import ShardsError
from ._format import MIN_SIDE, ShardInfo
from .dataset import Dataset, inspect_dataset, open_dataset
from .packing import PackConfig, PackSummary
from .storage import PART_SUFFIX, Location, atomic_path, parse_location, remove, write_json

__all__ = [
    "MIN_SIDE",
    "PART_SUFFIX",
    "Dataset",
    "ImageRefused",
    "Location",
    "MadeConfig",
    "Maker",
    "PackConfig",
    "PackSummary",
    "ShardInfo",
    "ShardsError",
    "VerifyReport",
    "adopt",
    "atomic_path",
    "decode_image",
    "encode_jpeg",
    "fit_image",
    "inspect_dataset",
    "open_dataset",
    "pack",
    "pack_made",
    "parse_location",
    "reindex",
    "remove",
    "verify",
    "write_json",
]

if TYPE_CHECKING:
    from .dataset import VerifyReport, reindex, verify
    from .images import ImageRefused, decode_image, encode_jpeg, fit_image
    from .packing import MadeConfig, Maker, adopt, pack, pack_made
else:
    # These need numpy, Pillow and libjpeg-turbo, which a command's help should not wait for.
    _LAZY = {
        "adopt": "packing._adopt",
        "ImageRefused": "images._decode",
        "decode_image": "images._decode",
        "encode_jpeg": "images._encode",
        "fit_image": "images._encode",
        "MadeConfig": "packing._generated",
        "Maker": "packing._generated",
        "pack_made": "packing._generated",
        "pack": "packing._pack",
        "reindex": "dataset._reindex",
        "VerifyReport": "dataset._verify",
        "verify": "dataset._verify",
    }

    def __getattr__(name):
        if name not in _LAZY:
            raise AttributeError(f"module 'faceae_shards' has no attribute {name!r}")
        return getattr(importlib.import_module(f"faceae_shards.{_LAZY[name]}"), name)
