"""Face autoencoders: photographs to shards, training, latents, new faces.

The functions and classes of the Python API are in `__init__.pyi`; each is loaded when it is first
used, so that `import faceae` loads neither torch nor DALI.
"""

import lazy_loader

__version__ = "0.2.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
