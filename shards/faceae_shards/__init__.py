"""The on-disk dataset: photographs packed into checked, indexed, checksummed WebDataset tars."""

import lazy_loader

# The names are in __init__.pyi; importing the package itself loads none of what they need.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
