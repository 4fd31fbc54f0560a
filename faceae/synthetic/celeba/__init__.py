"""Writes drawn faces as CelebA publishes its own: pictures, annotations, splits."""

from ._attributes import ATTRIBUTE_NAMES, attributes
from ._celeba import Annotation, annotate, identities, partition
from ._config import SynthConfig, SynthSummary
from ._write import MARKER, write_dataset

__all__ = [
    "ATTRIBUTE_NAMES",
    "MARKER",
    "Annotation",
    "SynthConfig",
    "SynthSummary",
    "annotate",
    "attributes",
    "identities",
    "partition",
    "write_dataset",
]
