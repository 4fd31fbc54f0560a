"""From a source, or a generator of pictures, to a packed dataset."""

from ._adopt import adopt
from ._config import PackConfig, PackSummary
from ._generated import MadeConfig, Maker, pack_made
from ._pack import pack

__all__ = [
    "MadeConfig",
    "Maker",
    "PackConfig",
    "PackSummary",
    "adopt",
    "pack",
    "pack_made",
]
