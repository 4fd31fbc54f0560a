"""Drawn faces in CelebA's layout: the embedded default dataset.

import lazy_loader

# The names are in __init__.pyi: a command's help should not wait for OpenCV.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
