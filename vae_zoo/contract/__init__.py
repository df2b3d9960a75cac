"""What every regularizer must satisfy, and ``vae-zoo check``, which shows whether one does."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
