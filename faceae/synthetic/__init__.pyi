"""What this room offers; `__init__.py` loads each name when it is first used."""

from .celeba import (
    ATTRIBUTE_NAMES,
    Annotation,
    SynthConfig,
    SynthSummary,
    annotate,
    attributes,
    write_dataset,
)
from .drawing import draw_face
from .face import Face
from .traits import Identity, Picture, sample_identity, sample_picture

__all__ = [
    "ATTRIBUTE_NAMES",
    "Annotation",
    "Face",
    "Identity",
    "Picture",
    "SynthConfig",
    "SynthSummary",
    "annotate",
    "attributes",
    "draw_face",
    "sample_identity",
    "sample_picture",
    "write_dataset",
]
