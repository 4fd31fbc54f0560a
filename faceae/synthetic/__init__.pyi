"""What this room offers; `__init__.py` loads each name when it is first used."""

from ._attributes import ATTRIBUTE_NAMES, attributes
from ._celeba import Annotation, annotate
from ._config import SynthConfig, SynthSummary
from ._draw import draw_face
from ._face import Face
from ._sample import sample_identity
from ._sample_picture import sample_picture
from ._traits import Identity, Picture
from ._write import write_dataset

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
