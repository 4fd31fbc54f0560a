"""What lies beside photographs: CelebA's tables and others like them, and masks."""

from ._celeba import WILD_FIELD, Annotations, describe_shortfall, find_annotations
from ._photographs import keep_photographs

__all__ = [
    "WILD_FIELD",
    "Annotations",
    "describe_shortfall",
    "find_annotations",
    "keep_photographs",
]
