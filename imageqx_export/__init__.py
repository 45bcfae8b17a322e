"""imageqx-export: one checkpoint, twelve verified files for phones.

The public names stand in ``__init__.pyi``; each is loaded when it is first used, so that importing the package is
quick.

>>> import imageqx_export
>>> imageqx_export.ImageQXError("no such file").what
'no such file'
"""

import lazy_loader

__version__ = "0.2.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
