"""Draws faces in CelebA's layout: the built-in default dataset.

Faces are painted with OpenCV from the traits of a person and of a picture. A relief of the face,
turned and lit in three dimensions, shades the skin; features are soft anti-aliased shapes on it.
"""

import lazy_loader

# The names are in __init__.pyi and load on first use, so that help texts do not wait for OpenCV.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
