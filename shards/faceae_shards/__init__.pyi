"""What this package offers; `__init__.py` loads each name when it is first used."""

from ._errors import ShardsError
from ._format import MIN_SIDE, ShardInfo
from ._wording import count_of
from .dataset import (
    Dataset,
    GeneratedOptions,
    Manifest,
    PackOptions,
    SourceInfo,
    VerifyReport,
    inspect_dataset,
    open_dataset,
    read_descriptions,
    read_first_images,
    read_names,
    reindex,
    verify,
)
from .images import ImageRefused, decode_image, encode_jpeg, fit_image
from .packing import (
    NO_FACE,
    GeneratedConfig,
    PackConfig,
    PackSummary,
    PictureGenerator,
    adopt,
    pack,
    pack_generated,
)
from .storage import (
    PART_SUFFIX,
    Location,
    atomic_path,
    holds_files,
    parse_location,
    remove,
    write_json,
)

__all__ = [
    "MIN_SIDE",
    "NO_FACE",
    "PART_SUFFIX",
    "Dataset",
    "GeneratedConfig",
    "GeneratedOptions",
    "ImageRefused",
    "Location",
    "Manifest",
    "PackConfig",
    "PackOptions",
    "PackSummary",
    "PictureGenerator",
    "ShardInfo",
    "ShardsError",
    "SourceInfo",
    "VerifyReport",
    "adopt",
    "atomic_path",
    "count_of",
    "decode_image",
    "encode_jpeg",
    "fit_image",
    "holds_files",
    "inspect_dataset",
    "open_dataset",
    "pack",
    "pack_generated",
    "parse_location",
    "read_descriptions",
    "read_first_images",
    "read_names",
    "reindex",
    "remove",
    "verify",
    "write_json",
]
