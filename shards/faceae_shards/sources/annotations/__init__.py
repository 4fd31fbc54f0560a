"""What lies beside photographs: CelebA's tables and others like them, and masks."""

from ._celeba import Annotations, describe_shortfall, find_annotations
from ._photographs import keep_photographs

__all__ = [
    "Annotations",
    "describe_shortfall",
    "find_annotations",
    "keep_photographs",
]
