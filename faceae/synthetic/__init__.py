"""Drawn faces in CelebA's layout: the embedded default dataset.

Faces are painted with OpenCV from a person's and a picture's traits: a relief of the face, turned
and lit in three dimensions, shades the skin; features are soft anti-aliased shapes on it.
"""

import lazy_loader

# The names are in __init__.pyi: a command's help should not wait for OpenCV.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
