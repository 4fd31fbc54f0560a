"""Drawn faces in CelebA's layout: the embedded default dataset.

Faces are painted with OpenCV from a person's and a picture's traits: a relief of the face, turned
and lit in three dimensions, shades the skin; features are soft anti-aliased shapes on it.
"""

import importlib
from typing import TYPE_CHECKING

from ._config import SynthConfig, SynthSummary

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

if TYPE_CHECKING:
    from ._attributes import ATTRIBUTE_NAMES, attributes
    from ._celeba import Annotation, annotate
    from ._draw import draw_face
    from ._face import Face
    from ._sample import sample_identity
    from ._sample_picture import sample_picture
    from ._traits import Identity, Picture
    from ._write import write_dataset
else:
    # These need OpenCV, which a command's help should not wait for.
    _LAZY = {
        "ATTRIBUTE_NAMES": "_attributes",
        "attributes": "_attributes",
        "Annotation": "_celeba",
        "annotate": "_celeba",
        "draw_face": "_draw",
        "Face": "_face",
        "sample_identity": "_sample",
        "sample_picture": "_sample_picture",
        "Identity": "_traits",
        "Picture": "_traits",
        "write_dataset": "_write",
    }

    def __getattr__(name):
        if name not in _LAZY:
            raise AttributeError(f"module 'faceae.synthetic' has no attribute {name!r}")
        return getattr(importlib.import_module(f"faceae.synthetic.{_LAZY[name]}"), name)
