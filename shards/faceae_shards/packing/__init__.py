"""From a source, or a generator of pictures, to a packed dataset."""

from ._adopt import adopt
from ._config import PackConfig, PackSummary
from ._generated import GeneratedConfig, PictureGenerator, pack_generated
from ._pack import pack
from ._progress import NO_FACE

__all__ = [
    "NO_FACE",
    "GeneratedConfig",
    "PackConfig",
    "PackSummary",
    "PictureGenerator",
    "adopt",
    "pack",
    "pack_generated",
]
